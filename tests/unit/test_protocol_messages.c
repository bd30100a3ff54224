/* test_protocol_messages.c: the examples of section 4 of schemas/PROTOCOL.md say what the page says, and are what we send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/wire.h"
#include "tests/unit/protocol_doc.h"

#define ENTITY 0x0001000200000009ULL

/* server_example reads an example; packing what it says must give the same bytes. */
static struct wire_server_message server_example(const char *name) {
    uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
    size_t len = protocol_doc_hex(name, bytes, sizeof bytes);
    assert_int_not_equal(len, 0);
    struct wire_server_message message = {0};
    assert_int_equal(wire_server_message_read(bytes, len, &message), 0);

    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_bytes packed;
    assert_int_equal(wire_server_message_pack(builder, &message, &packed), 0);
    assert_int_equal(packed.len, len);
    assert_memory_equal(packed.data, bytes, len);
    wire_builder_destroy(builder);
    return message;
}

static struct wire_client_message client_example(const char *name) {
    uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
    size_t len = protocol_doc_hex(name, bytes, sizeof bytes);
    assert_int_not_equal(len, 0);
    struct wire_client_message message = {0};
    assert_int_equal(wire_client_message_read(bytes, len, &message), 0);

    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_bytes packed;
    assert_int_equal(wire_client_message_pack(builder, &message, &packed), 0);
    assert_int_equal(packed.len, len);
    assert_memory_equal(packed.data, bytes, len);
    wire_builder_destroy(builder);
    return message;
}

static void test_protocol_messages_welcome_is_as_documented(void **state) {
    (void)state;
    struct wire_server_message m = server_example("message-welcome");
    assert_int_equal(m.kind, WIRE_SERVER_WELCOME);
    assert_true(m.welcome.entity == 0x0001000200000007ULL);
    assert_true(m.welcome.player == 42);
    assert_string_equal(m.welcome.zone, "zone-0");
    assert_int_equal(m.welcome.tick_hz, 60);
    assert_int_equal(m.welcome.snapshot_hz, 20);
    assert_int_equal(m.welcome.view_radius_m, 64);
    struct wire_rect rect = {-1024, -1024, 0, 0};
    assert_memory_equal(&m.welcome.rect, &rect, sizeof rect);
}

static void test_protocol_messages_of_servers_are_as_documented(void **state) {
    (void)state;
    struct wire_server_message m = server_example("message-zone-back");
    assert_int_equal(m.kind, WIRE_SERVER_ZONE_STATUS);
    assert_int_equal(m.zone_state, WIRE_ZONE_BACK);
    m = server_example("message-zone-lost");
    assert_int_equal(m.kind, WIRE_SERVER_ZONE_STATUS);
    assert_int_equal(m.zone_state, WIRE_ZONE_LOST);
    m = server_example("message-heard");
    assert_int_equal(m.kind, WIRE_SERVER_HEARD);
    assert_true(m.heard.entity == ENTITY && m.heard.player == 43);
    assert_string_equal(m.heard.text, "hello");
    m = server_example("message-died");
    assert_int_equal(m.kind, WIRE_SERVER_DIED);
    assert_true(m.died_by == ENTITY);
    assert_int_equal(server_example("message-respawned").kind, WIRE_SERVER_RESPAWNED);
}

static void test_protocol_messages_of_clients_are_as_documented(void **state) {
    (void)state;
    struct wire_client_message m = client_example("message-say");
    assert_int_equal(m.kind, WIRE_CLIENT_SAY);
    assert_string_equal(m.say, "hello");
    m = client_example("message-viewport");
    assert_int_equal(m.kind, WIRE_CLIENT_VIEWPORT);
    assert_int_equal(m.viewport_radius_m, 40);
    assert_int_equal(client_example("message-respawn").kind, WIRE_CLIENT_RESPAWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocol_messages_welcome_is_as_documented),
        cmocka_unit_test(test_protocol_messages_of_servers_are_as_documented),
        cmocka_unit_test(test_protocol_messages_of_clients_are_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
