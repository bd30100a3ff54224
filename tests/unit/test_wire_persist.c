/* test_wire_persist.c: messages from and to persist survive packing and reading; malformed ones are refused. */
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

#define COUNT(items)                 (sizeof(items) / sizeof *(items))
#define assert_items(got, count, in) (assert_int_equal(count, COUNT(in)), assert_memory_equal(got, in, sizeof(in)))

/* Every message cut short is refused; on a copy of its own size, so that the address sanitizer sees a read past the end. */
static void assert_cut_is_refused(const struct wire_bytes *bytes) {
    for (size_t len = 0; len + 8 <= bytes->len; len += 1 + len / 64) {
        struct wire_bus_view view;
        uint8_t *copy = malloc(len ? len : 1);
        memcpy(copy, bytes->data, len);
        assert_int_equal(wire_bus_open(copy, len, &view), MARCH_ERR_INVALID);
        free(copy);
    }
}

static void open_packed(const struct wire_bytes *bytes, size_t bound, enum wire_bus_kind kind, struct wire_bus_view *view) {
    assert_true(bytes->len <= bound);
    assert_cut_is_refused(bytes);
    assert_int_equal(wire_bus_open(bytes->data, bytes->len, view), 0);
    assert_int_equal(view->kind, kind);
}

static void test_wire_zone_report_round_trips(void **state) {
    struct wire_player_load loads[] = {{7, 1ULL << 40}, {INT64_MAX, 2}};
    struct wire_player_state states[] = {{.player = 5, .session_epoch = 6, .tick = 7, .experience = UINT64_MAX, .x = -1},
                                         {.player = 8, .y = INT32_MIN, .yaw = 65535, .level = 3, .hit_points = 120}};
    states[1].flags = WIRE_STATE_LEFT;
    struct wire_loot_grant grants[] = {{.player = 5, .key = 1ULL << 63, .gold = 12, .item_kind = 2, .item_count = 3}};
    struct wire_zone_report in = {.partition = "north", .lease_epoch = 9, .seq = 10, .claims_lease = true};
    in.loads = loads, in.load_count = COUNT(loads), in.states = states, in.state_count = COUNT(states);
    in.grants = grants, in.grant_count = COUNT(grants);
    uint32_t attachments[] = {3, UINT32_MAX};
    in.attachments = attachments;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_zone_report_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_zone_report_bytes(&in), WIRE_BUS_ZONE_REPORT, &view);
    const struct wire_zone_report *out = &view.zone_report;
    assert_string_equal(out->partition, "north");
    assert_true(out->lease_epoch == 9 && out->seq == 10 && out->claims_lease);
    assert_items(out->loads, out->load_count, loads);
    assert_memory_equal(out->attachments, attachments, sizeof attachments);
    assert_items(out->states, out->state_count, states);
    assert_items(out->grants, out->grant_count, grants);
}

static void test_wire_persist_report_round_trips(void **state) {
    struct wire_player_loaded loaded[] = {{.state = {.player = 3, .session_epoch = 4, .x = 5}, .result = WIRE_LOAD_NEW}};
    struct wire_grant_answer granted[] = {{1, 2, WIRE_GRANT_AGAIN, 0}, {3, 4, WIRE_GRANT_DURABLE, 0}};
    struct wire_player_effect effects[] = {{9, 1, 50}};
    struct wire_player_load stale[] = {{10, 11}};
    struct wire_persist_report in = {.lease_epoch = 12, .lease_result = WIRE_LEASE_STALE, .durable_seq = 13, .resend = true};
    in.loaded = loaded, in.loaded_count = COUNT(loaded), in.granted = granted, in.granted_count = COUNT(granted);
    in.effects = effects, in.effect_count = COUNT(effects), in.stale = stale, in.stale_count = COUNT(stale);
    uint32_t stale_attachments[] = {17};
    in.stale_attachments = stale_attachments;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_persist_report_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_persist_report_bytes(&in), WIRE_BUS_PERSIST_REPORT, &view);
    const struct wire_persist_report *out = &view.persist_report;
    assert_true(out->lease_epoch == 12 && out->lease_result == WIRE_LEASE_STALE && out->durable_seq == 13 && out->resend);
    assert_items(out->loaded, out->loaded_count, loaded);
    assert_items(out->granted, out->granted_count, granted);
    assert_items(out->effects, out->effect_count, effects);
    assert_items(out->stale, out->stale_count, stale);
    assert_int_equal(out->stale_attachments[0], 17);
}

static void test_wire_gateway_claims_round_trip(void **state) {
    struct wire_session_claim claims[] = {{.session = 1, .player = 2, .token_lo = 3, .token_hi = 4, .token_expires_s = 5}};
    struct wire_session_ref refreshes[] = {{6, 7, 8}, {8, 9, 10}}, ends[] = {{10, 11, 12}};
    struct wire_session_command commands[] = {{1, 2, 3, 0, 5}, {4, 5, 6, 5, 0}};
    struct wire_gateway_claims in = {.region = "main", .blob = (const uint8_t *)"hello", .blob_len = 5};
    in.claims = claims, in.claim_count = COUNT(claims), in.refreshes = refreshes, in.refresh_count = COUNT(refreshes);
    in.commands = commands, in.command_count = COUNT(commands), in.ends = ends, in.end_count = COUNT(ends);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_claims_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_gateway_claims_bytes(&in), WIRE_BUS_GATEWAY_CLAIMS, &view);
    const struct wire_gateway_claims *out = &view.gateway_claims;
    assert_string_equal(out->region, "main");
    assert_items(out->claims, out->claim_count, claims);
    assert_items(out->refreshes, out->refresh_count, refreshes);
    assert_items(out->commands, out->command_count, commands);
    assert_items(out->ends, out->end_count, ends);
    assert_int_equal(out->blob_len, 5);
    assert_memory_equal(out->blob, "hello", 5);
}

static void test_wire_persist_sessions_round_trip(void **state) {
    struct wire_session_claimed claimed[] = {{.session = 1, .player = 2, .session_epoch = 3, .x = -4, .y = 5}};
    claimed[0].result = WIRE_CLAIM_TOKEN_USED, claimed[0].flags = WIRE_CLAIMED_POSITION_KNOWN;
    struct wire_message messages[] = {{1, 0, 2}, {1, 1, 1}};
    struct wire_session_ended ended[] = {{4, 5, 6, WIRE_ENDED_TAKEN_OVER, 0}};
    struct wire_persist_sessions in = {.blob = (const uint8_t *)"ab", .blob_len = 2};
    in.claimed = claimed, in.claimed_count = COUNT(claimed), in.messages = messages, in.message_count = COUNT(messages);
    in.ended = ended, in.ended_count = COUNT(ended);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_persist_sessions_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_persist_sessions_bytes(&in), WIRE_BUS_PERSIST_SESSIONS, &view);
    const struct wire_persist_sessions *out = &view.persist_sessions;
    assert_items(out->claimed, out->claimed_count, claimed);
    assert_items(out->messages, out->message_count, messages);
    assert_items(out->ended, out->ended_count, ended);
    assert_memory_equal(out->blob, "ab", 2);
}

static void test_wire_shard_transfers_round_trip(void **state) {
    struct wire_transfer offers[] = {{.id = 1, .offset = 1, .len = 2}};
    struct wire_transfer_answer answers[] = {{.id = 4, .result = 5}};
    struct wire_transfer_done dones[] = {{6}, {7}};
    struct wire_notice notices[] = {{.player = 8, .offset = 0, .len = 3}};
    struct wire_shard_transfers in = {.blob = (const uint8_t *)"abc", .blob_len = 3};
    in.offers = offers, in.offer_count = COUNT(offers), in.answers = answers, in.answer_count = COUNT(answers);
    in.dones = dones, in.done_count = COUNT(dones);
    in.notices = notices, in.notice_count = COUNT(notices);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_shard_transfers_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_shard_transfers_bytes(&in), WIRE_BUS_SHARD_TRANSFERS, &view);
    const struct wire_shard_transfers *out = &view.shard_transfers;
    assert_items(out->offers, out->offer_count, offers);
    assert_items(out->answers, out->answer_count, answers);
    assert_items(out->dones, out->done_count, dones);
    assert_items(out->notices, out->notice_count, notices);
    assert_memory_equal(out->blob, "abc", 3);
}

static void test_wire_full_report_fits_and_past_the_builder_is_refused(void **state) {
    static struct wire_player_state states[WIRE_REPORT_STATES_MAX];
    struct wire_zone_report in = {.partition = "north", .states = states, .state_count = WIRE_REPORT_STATES_MAX};
    struct wire_bytes bytes;
    assert_int_equal(wire_zone_report_pack(*state, &in, &bytes), 0);
    struct wire_builder *small = wire_builder_create(4096);
    assert_int_equal(wire_zone_report_pack(small, &in, &bytes), MARCH_ERR_FULL);
    struct wire_persist_sessions sessions = {.blob = (const uint8_t *)states, .blob_len = 8192};
    assert_int_equal(wire_persist_sessions_pack(small, &sessions, &bytes), MARCH_ERR_FULL);
    wire_builder_destroy(small);
}

static void test_wire_command_outside_blob_is_refused(void **state) {
    struct wire_session_command command = {0x5e55105e55105e55, 1, 2, 0, 8};
    struct wire_gateway_claims in = {.region = "main", .commands = &command, .command_count = 1};
    in.blob = (const uint8_t *)"12345678", in.blob_len = 8;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_claims_pack(*state, &in, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    uint8_t *at = memmem(bytes.data, bytes.len, &command.session, 8);
    assert_non_null(at);
    at[offsetof(struct wire_session_command, len)] = 9;
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
}

static void test_wire_transfer_or_notice_outside_blob_is_refused(void **state) {
    struct wire_transfer offer = {.id = 0x5e55105e55105e55, .offset = 4, .len = 4};
    struct wire_notice notice = {.player = 0x1a1a1a1a2b2b2b2b, .offset = 4, .len = 4};
    struct wire_shard_transfers in = {.offers = &offer, .offer_count = 1, .notices = &notice, .notice_count = 1};
    in.blob = (const uint8_t *)"12345678", in.blob_len = 8;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    for (unsigned which = 0; which < 2; which++) {
        assert_int_equal(wire_shard_transfers_pack(*state, &in, &bytes), 0);
        uint8_t *at = memmem(bytes.data, bytes.len, which ? &notice.player : &offer.id, 8);
        assert_non_null(at);
        at[which ? offsetof(struct wire_notice, len) : offsetof(struct wire_transfer, len)] = 5;
        assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
    }
}

static void test_wire_hello_of_a_persist_needs_an_index_below_the_shard_count(void **state) {
    struct wire_hello hello = {
        .name = "persist-1", .role = WIRE_ROLE_PERSIST, .incarnation = 1, .index = 1, .shard_count = 2};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_hello_pack(*state, &hello, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    assert_int_equal(view.hello.shard_count, 2);
    hello.index = 2;
    assert_int_equal(wire_hello_pack(*state, &hello, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
    hello.role = WIRE_ROLE_ZONE;
    assert_int_equal(wire_hello_pack(*state, &hello, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_zone_report_round_trips),
        cmocka_unit_test(test_wire_persist_report_round_trips),
        cmocka_unit_test(test_wire_gateway_claims_round_trip),
        cmocka_unit_test(test_wire_persist_sessions_round_trip),
        cmocka_unit_test(test_wire_shard_transfers_round_trip),
        cmocka_unit_test(test_wire_full_report_fits_and_past_the_builder_is_refused),
        cmocka_unit_test(test_wire_command_outside_blob_is_refused),
        cmocka_unit_test(test_wire_transfer_or_notice_outside_blob_is_refused),
        cmocka_unit_test(test_wire_hello_of_a_persist_needs_an_index_below_the_shard_count),
    };
    return cmocka_run_group_tests(tests, builder_setup, builder_teardown);
}
