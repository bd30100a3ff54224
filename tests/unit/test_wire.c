/* test_wire.c: messages survive packing and reading; malformed ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/wire.h"

static int builder_setup(void **state) {
    *state = wire_builder_create(WIRE_BUS_BYTES_MAX);
    return 0;
}

static int builder_teardown(void **state) {
    wire_builder_destroy(*state);
    return 0;
}

/* Each refusal is tried on a copy of its own size, so that the address sanitizer sees a read past the end. */
static int open_copy(const struct wire_bytes *bytes, size_t len, struct wire_bus_view *view) {
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, bytes->data, len);
    int error = wire_bus_open(copy, len, view);
    free(copy);
    return error;
}

static void test_wire_hello_round_trips(void **state) {
    struct wire_hello hello = {
        .name = "zone-0", .role = WIRE_ROLE_ZONE, .incarnation = 0x1122334455667788, .index = 3, .tick_hz = 60};
    hello.rect = (struct wire_rect){-512, -256, 512, 256};
    struct wire_bytes bytes;
    assert_int_equal(wire_hello_pack(*state, &hello, &bytes), 0);
    struct wire_bus_view view;
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    assert_int_equal(view.kind, WIRE_BUS_HELLO);
    assert_string_equal(view.hello.name, "zone-0");
    assert_int_equal(view.hello.role, WIRE_ROLE_ZONE);
    assert_true(view.hello.incarnation == hello.incarnation);
    assert_int_equal(view.hello.index, 3);
    assert_int_equal(view.hello.tick_hz, 60);
    assert_memory_equal(&view.hello.rect, &hello.rect, sizeof hello.rect);
}

static void test_wire_gateway_batch_round_trips(void **state) {
    struct wire_attach attaches[] = {{1, 100, 1ULL << 50, 1, 0}, {2, 200, 0, 7, 0}};
    struct wire_detach detaches[] = {{.session = 3, .reason = 7}};
    struct wire_input inputs[] = {{.session = 1, .view_tick = 99, .newest_seq = 65535, .count = 2}};
    inputs[0].commands[0] = (struct wire_input_command){5, 1, 4000};
    inputs[0].commands[1] = (struct wire_input_command){6, 2, 4001};
    struct wire_ack acks[] = {{.session = 2, .snapshot_seq = 12}};
    struct wire_message messages[] = {{1, 0, 5}, {2, 5, 0}, {2, 1, 4}};
    struct wire_gateway_batch batch = {.attaches = attaches, .detaches = detaches, .inputs = inputs, .acks = acks};
    batch.messages = messages;
    batch.blob = (const uint8_t *)"hello";
    batch.attach_count = 2, batch.detach_count = 1, batch.input_count = 1, batch.ack_count = 1;
    batch.message_count = 3, batch.blob_len = 5;

    struct wire_bytes bytes;
    assert_int_equal(wire_gateway_batch_pack(*state, &batch, &bytes), 0);
    assert_true(bytes.len <= wire_gateway_batch_bytes(&batch));
    struct wire_bus_view view;
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    assert_int_equal(view.kind, WIRE_BUS_GATEWAY_BATCH);
    const struct wire_gateway_batch *got = &view.gateway;
    assert_int_equal(got->attach_count, 2);
    assert_memory_equal(got->attaches, attaches, sizeof attaches);
    assert_int_equal(got->detach_count, 1);
    assert_memory_equal(got->detaches, detaches, sizeof detaches);
    assert_int_equal(got->input_count, 1);
    assert_memory_equal(got->inputs, inputs, sizeof inputs);
    assert_int_equal(got->ack_count, 1);
    assert_memory_equal(got->acks, acks, sizeof acks);
    assert_int_equal(got->message_count, 3);
    assert_memory_equal(got->messages, messages, sizeof messages);
    assert_int_equal(got->blob_len, 5);
    assert_memory_equal(got->blob, "hello", 5);
}

static void test_wire_zone_batch_round_trips(void **state) {
    struct wire_attached attached[] = {{.session = 1, .entity = 77}, {.session = 2, .result = 4}};
    struct wire_snapshot snapshots[] = {{1, 0, 3, 65535}, {2, 3, 2, 0}};
    struct wire_message messages[] = {{1, 0, 5}};
    struct wire_detach detached[] = {{.session = 9, .reason = 1}};
    struct wire_zone_batch batch = {.tick = 1ULL << 40, .attached = attached, .snapshots = snapshots};
    batch.messages = messages, batch.detached = detached, batch.blob = (const uint8_t *)"abcde";
    batch.attached_count = 2, batch.snapshot_count = 2, batch.message_count = 1, batch.detached_count = 1,
    batch.blob_len = 5;

    struct wire_bytes bytes;
    assert_int_equal(wire_zone_batch_pack(*state, &batch, &bytes), 0);
    assert_true(bytes.len <= wire_zone_batch_bytes(&batch));
    struct wire_bus_view view;
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    assert_int_equal(view.kind, WIRE_BUS_ZONE_BATCH);
    const struct wire_zone_batch *got = &view.zone;
    assert_true(got->tick == batch.tick);
    assert_int_equal(got->attached_count, 2);
    assert_memory_equal(got->attached, attached, sizeof attached);
    assert_int_equal(got->snapshot_count, 2);
    assert_memory_equal(got->snapshots, snapshots, sizeof snapshots);
    assert_int_equal(got->message_count, 1);
    assert_int_equal(got->detached_count, 1);
    assert_memory_equal(got->detached, detached, sizeof detached);
    assert_memory_equal(got->blob, "abcde", 5);
}

static void test_wire_empty_batch_round_trips(void **state) {
    struct wire_gateway_batch gateway = {0};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_batch_pack(*state, &gateway, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    assert_int_equal(view.gateway.input_count, 0);
    assert_int_equal(view.gateway.blob_len, 0);
    struct wire_zone_batch zone = {.tick = 5};
    assert_int_equal(wire_zone_batch_pack(*state, &zone, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    assert_int_equal(view.zone.tick, 5);
}

static void test_wire_batch_at_limit_fits_and_past_it_is_refused(void **state) {
    static uint8_t blob[WIRE_BUS_BYTES_MAX];
    struct wire_zone_batch batch = {.blob = blob, .blob_len = WIRE_BUS_BYTES_MAX - WIRE_BATCH_OVERHEAD_MAX};
    struct wire_bytes bytes;
    assert_int_equal(wire_zone_batch_pack(*state, &batch, &bytes), 0);
    const uint8_t *kept = bytes.data + bytes.len;
    struct wire_bus_view view;
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    batch.blob_len++;
    assert_int_equal(wire_zone_batch_pack(*state, &batch, &bytes), MARCH_ERR_FULL);
    batch.blob_len = 1;
    assert_int_equal(wire_zone_batch_pack(*state, &batch, &bytes), 0);
    assert_ptr_equal(bytes.data + bytes.len, kept); /* the same buffer: it did not grow */
}

/* find_bytes returns the place of bytes that stand in the packed message. */
static uint8_t *find_bytes(uint8_t *bytes, size_t len, const void *what, size_t what_len) {
    uint8_t *at = memmem(bytes, len, what, what_len);
    assert_non_null(at);
    return at;
}

static void test_wire_range_outside_blob_is_refused(void **state) {
    struct wire_message message = {0x5e55105e55105e55, 2, 6};
    struct wire_gateway_batch batch = {.messages = &message, .message_count = 1};
    batch.blob = (const uint8_t *)"12345678", batch.blob_len = 8;
    struct wire_bytes bytes;
    assert_int_equal(wire_gateway_batch_pack(*state, &batch, &bytes), 0);
    static const struct {
        uint32_t offset, len;
        int error;
    } cases[] = {{0, 8, 0},
                 {8, 0, 0},
                 {2, 7, MARCH_ERR_INVALID},
                 {9, 0, MARCH_ERR_INVALID},
                 {UINT32_MAX, 2, MARCH_ERR_INVALID},
                 {2, UINT32_MAX, MARCH_ERR_INVALID}};
    uint8_t *at = find_bytes((uint8_t *)(uintptr_t)bytes.data, bytes.len, &message.session, 8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(at + 8, &cases[i].offset, 4);
        memcpy(at + 12, &cases[i].len, 4);
        struct wire_bus_view view;
        assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), cases[i].error);
    }
}

static void test_wire_input_count_outside_array_is_refused(void **state) {
    struct wire_input input = {.session = 0x5e55105e55105e55, .count = 8};
    struct wire_gateway_batch batch = {.inputs = &input, .input_count = 1};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_batch_pack(*state, &batch, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    uint8_t *at = find_bytes((uint8_t *)(uintptr_t)bytes.data, bytes.len, &input.session, 8);
    at[offsetof(struct wire_input, count)] = 9;
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
    at[offsetof(struct wire_input, count)] = 0;
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
}

static void test_wire_cut_or_misaligned_is_refused(void **state) {
    struct wire_attach attach = {1, 2, 3, 4, 0};
    struct wire_gateway_batch batch = {.attaches = &attach, .attach_count = 1};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_batch_pack(*state, &batch, &bytes), 0);
    for (size_t len = 0; len + 8 <= bytes.len; len++) assert_int_equal(open_copy(&bytes, len, &view), MARCH_ERR_INVALID);
    assert_int_equal(open_copy(&bytes, bytes.len, &view), 0);
    _Alignas(8) uint8_t shifted[256];
    assert_true(bytes.len < sizeof shifted);
    memcpy(shifted + 1, bytes.data, bytes.len);
    assert_int_equal(wire_bus_open(shifted + 1, bytes.len, &view), MARCH_ERR_INVALID);
}

static struct wire_server_message server_round_trip(struct wire_builder *builder, const struct wire_server_message *in) {
    struct wire_bytes bytes;
    assert_int_equal(wire_server_message_pack(builder, in, &bytes), 0);
    struct wire_server_message out;
    memset(&out, 0xee, sizeof out);
    uint8_t shifted[WIRE_SERVER_BYTES_MAX + 1];
    memcpy(shifted + 1, bytes.data, bytes.len);
    assert_int_equal(wire_server_message_read(shifted + 1, bytes.len, &out), 0);
    assert_int_equal(out.kind, in->kind);
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = malloc(len ? len : 1);
        memcpy(cut, bytes.data, len);
        struct wire_server_message ignored; /* without its last bytes, which may be padding, it may still be whole */
        int error = wire_server_message_read(cut, len, &ignored);
        assert_true(error == MARCH_ERR_INVALID || (error == 0 && len + 8 > bytes.len));
        free(cut);
    }
    return out;
}

static void test_wire_server_messages_round_trip(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_WELCOME};
    in.welcome = (struct wire_welcome){.entity = 1, .player = UINT64_MAX, .zone = "north", .tick_hz = 60};
    in.welcome.snapshot_hz = 20, in.welcome.view_radius_m = 64, in.welcome.rect = (struct wire_rect){-1, -2, 3, 4};
    struct wire_server_message out = server_round_trip(*state, &in);
    assert_true(out.welcome.player == UINT64_MAX && out.welcome.entity == 1);
    assert_string_equal(out.welcome.zone, "north");
    assert_int_equal(out.welcome.tick_hz, 60);
    assert_int_equal(out.welcome.snapshot_hz, 20);
    assert_int_equal(out.welcome.view_radius_m, 64);
    assert_memory_equal(&out.welcome.rect, &in.welcome.rect, sizeof in.welcome.rect);

    in = (struct wire_server_message){.kind = WIRE_SERVER_ZONE_STATUS, .zone_state = WIRE_ZONE_BACK};
    assert_int_equal(server_round_trip(*state, &in).zone_state, WIRE_ZONE_BACK);

    in = (struct wire_server_message){.kind = WIRE_SERVER_HEARD, .heard = {.entity = 4, .player = 5}};
    memset(in.heard.text, 'x', WIRE_TEXT_MAX);
    out = server_round_trip(*state, &in);
    assert_string_equal(out.heard.text, in.heard.text);
    assert_int_equal(out.heard.entity, 4);
    assert_int_equal(out.heard.player, 5);

    in = (struct wire_server_message){.kind = WIRE_SERVER_DIED, .died_by = 6};
    assert_int_equal(server_round_trip(*state, &in).died_by, 6);
    in = (struct wire_server_message){.kind = WIRE_SERVER_RESPAWNED};
    server_round_trip(*state, &in);

    in = (struct wire_server_message){.kind = WIRE_SERVER_RECONNECT, .reconnect.within_ms = 7000};
    for (unsigned i = 0; i < WIRE_TOKEN_BYTES; i++) in.reconnect.token[i] = (uint8_t)(i * 7);
    out = server_round_trip(*state, &in);
    assert_int_equal(out.reconnect.within_ms, 7000);
    assert_memory_equal(out.reconnect.token, in.reconnect.token, WIRE_TOKEN_BYTES);
}

static void test_wire_only_reconnect_may_be_long(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_RESPAWNED}, out;
    struct wire_bytes bytes;
    uint8_t copy[WIRE_SERVER_BYTES_MAX + 1] = {0};
    assert_int_equal(wire_server_message_pack(*state, &in, &bytes), 0);
    memcpy(copy, bytes.data, bytes.len);
    assert_int_equal(wire_server_message_read(copy, WIRE_CLIENT_BYTES_MAX, &out), 0);
    assert_int_equal(wire_server_message_read(copy, WIRE_CLIENT_BYTES_MAX + 1, &out), MARCH_ERR_INVALID);
    in.kind = WIRE_SERVER_RECONNECT;
    assert_int_equal(wire_server_message_pack(*state, &in, &bytes), 0);
    memcpy(copy, bytes.data, bytes.len);
    assert_int_equal(wire_server_message_read(copy, WIRE_SERVER_BYTES_MAX, &out), 0);
    assert_int_equal(wire_server_message_read(copy, sizeof copy, &out), MARCH_ERR_INVALID);
    uint32_t len = WIRE_TOKEN_BYTES, shorter = len - 1;
    uint8_t *at = memmem(copy, bytes.len, &len, sizeof len);
    assert_non_null(at);
    memcpy(at, &shorter, sizeof shorter);
    assert_int_equal(wire_server_message_read(copy, bytes.len, &out), MARCH_ERR_INVALID);
    struct wire_builder *small = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    assert_int_equal(wire_server_message_pack(small, &in, &bytes), MARCH_ERR_FULL);
    wire_builder_destroy(small);
}

static void test_wire_client_messages_round_trip(void **state) {
    struct wire_client_message in = {.kind = WIRE_CLIENT_SAY, .say = "gr\xc3\xbc\xc3\x9f dich"}, out;
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(*state, &in, &bytes), 0);
    assert_int_equal(wire_client_message_read(bytes.data, bytes.len, &out), 0);
    assert_int_equal(out.kind, WIRE_CLIENT_SAY);
    assert_string_equal(out.say, in.say);
    in = (struct wire_client_message){.kind = WIRE_CLIENT_VIEWPORT, .viewport_radius_m = 30};
    assert_int_equal(wire_client_message_pack(*state, &in, &bytes), 0);
    assert_int_equal(wire_client_message_read(bytes.data, bytes.len, &out), 0);
    assert_int_equal(out.kind, WIRE_CLIENT_VIEWPORT);
    assert_int_equal(out.viewport_radius_m, 30);
    in = (struct wire_client_message){.kind = WIRE_CLIENT_RESPAWN};
    assert_int_equal(wire_client_message_pack(*state, &in, &bytes), 0);
    assert_int_equal(wire_client_message_read(bytes.data, bytes.len, &out), 0);
    assert_int_equal(out.kind, WIRE_CLIENT_RESPAWN);
}

static void test_wire_text_with_bad_bytes_is_refused(void **state) {
    struct wire_client_message in = {.kind = WIRE_CLIENT_SAY, .say = "abcd"}, out;
    static const char *const texts[] = {"a\ncd",
                                        "ab\xff"
                                        "d",
                                        "a\xc0\x80"
                                        "d",
                                        "abc\xc3",
                                        "\xed\xa0\x80"
                                        "d"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct wire_bytes bytes;
        assert_int_equal(wire_client_message_pack(*state, &in, &bytes), 0);
        memcpy(find_bytes((uint8_t *)(uintptr_t)bytes.data, bytes.len, "abcd", 4), texts[i], 4);
        assert_int_equal(wire_client_message_read(bytes.data, bytes.len, &out), MARCH_ERR_INVALID);
    }
}

static void test_wire_unknown_kind_is_unsupported(void **state) {
    struct wire_client_message in = {.kind = WIRE_CLIENT_RESPAWN}, out;
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(*state, &in, &bytes), 0);
    uint8_t *copy = malloc(bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    size_t unsupported = 0; /* the byte of the kind is the only 3 whose change to 99 leaves a valid message */
    for (size_t i = 0; i < bytes.len; i++) {
        if (copy[i] != WIRE_CLIENT_RESPAWN) continue;
        copy[i] = 99;
        unsupported += wire_client_message_read(copy, bytes.len, &out) == MARCH_ERR_UNSUPPORTED;
        copy[i] = WIRE_CLIENT_RESPAWN;
    }
    free(copy);
    assert_int_equal(unsupported, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_hello_round_trips),
        cmocka_unit_test(test_wire_gateway_batch_round_trips),
        cmocka_unit_test(test_wire_zone_batch_round_trips),
        cmocka_unit_test(test_wire_empty_batch_round_trips),
        cmocka_unit_test(test_wire_batch_at_limit_fits_and_past_it_is_refused),
        cmocka_unit_test(test_wire_range_outside_blob_is_refused),
        cmocka_unit_test(test_wire_input_count_outside_array_is_refused),
        cmocka_unit_test(test_wire_cut_or_misaligned_is_refused),
        cmocka_unit_test(test_wire_only_reconnect_may_be_long),
        cmocka_unit_test(test_wire_server_messages_round_trip),
        cmocka_unit_test(test_wire_client_messages_round_trip),
        cmocka_unit_test(test_wire_text_with_bad_bytes_is_refused),
        cmocka_unit_test(test_wire_unknown_kind_is_unsupported),
    };
    return cmocka_run_group_tests(tests, builder_setup, builder_teardown);
}
