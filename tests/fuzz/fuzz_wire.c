/* fuzz_wire.c: messages of the bus and of clients. Whatever opens is within its bytes, obeys the limits, and reads back the
 * same when it is packed again. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/utf8.h"
#include "schemas/wire.h"

static struct wire_builder *builder;
static volatile uint8_t sink; /* what is handed out is read, so that the sanitizer sees where it lies */

static void touch(const void *bytes, size_t len) {
    const uint8_t *b = bytes;
    for (size_t i = 0; i < len; i++) sink ^= b[i];
}

static void same(const void *a, const void *b, size_t count, size_t other_count, size_t item_bytes) {
    CHECK(count == other_count);
    touch(a, count * item_bytes);
    CHECK(count == 0 || memcmp(a, b, count * item_bytes) == 0);
}
#define SAME(a, b, items, count) same((a)->items, (b)->items, (a)->count, (b)->count, sizeof *(a)->items)

static void check_messages(const struct wire_message *messages, uint32_t count, const uint8_t *blob) {
    for (uint32_t i = 0; i < count; i++) touch(blob + messages[i].offset, messages[i].len);
}

static void check_gateway_batch(const struct wire_gateway_batch *a) {
    check_messages(a->messages, a->message_count, a->blob);
    for (uint32_t i = 0; i < a->input_count; i++) {
        CHECK(a->inputs[i].count >= 1 && a->inputs[i].count <= WIRE_INPUT_COMMANDS_MAX);
    }
    struct wire_bytes bytes;
    CHECK(wire_gateway_batch_pack(builder, a, &bytes) == 0 && bytes.len <= wire_gateway_batch_bytes(a));
    struct wire_bus_view view;
    CHECK(wire_bus_open(bytes.data, bytes.len, &view) == 0 && view.kind == WIRE_BUS_GATEWAY_BATCH);
    const struct wire_gateway_batch *b = &view.gateway;
    SAME(a, b, attaches, attach_count);
    SAME(a, b, detaches, detach_count);
    SAME(a, b, inputs, input_count);
    SAME(a, b, acks, ack_count);
    SAME(a, b, messages, message_count);
    SAME(a, b, blob, blob_len);
}

static void check_zone_batch(const struct wire_zone_batch *a) {
    check_messages(a->messages, a->message_count, a->blob);
    for (uint32_t i = 0; i < a->snapshot_count; i++) touch(a->blob + a->snapshots[i].offset, a->snapshots[i].len);
    struct wire_bytes bytes;
    CHECK(wire_zone_batch_pack(builder, a, &bytes) == 0 && bytes.len <= wire_zone_batch_bytes(a));
    struct wire_bus_view view;
    CHECK(wire_bus_open(bytes.data, bytes.len, &view) == 0 && view.kind == WIRE_BUS_ZONE_BATCH);
    const struct wire_zone_batch *b = &view.zone;
    CHECK(a->tick == b->tick);
    SAME(a, b, attached, attached_count);
    SAME(a, b, snapshots, snapshot_count);
    SAME(a, b, messages, message_count);
    SAME(a, b, detached, detached_count);
    SAME(a, b, blob, blob_len);
}

static void check_hello(const struct wire_hello *a) {
    CHECK(memchr(a->name, 0, sizeof a->name) && a->name[0] && a->incarnation != 0);
    struct wire_bytes bytes;
    CHECK(wire_hello_pack(builder, a, &bytes) == 0);
    struct wire_bus_view view;
    CHECK(wire_bus_open(bytes.data, bytes.len, &view) == 0 && view.kind == WIRE_BUS_HELLO);
    const struct wire_hello *b = &view.hello;
    CHECK(strcmp(a->name, b->name) == 0 && a->role == b->role && a->incarnation == b->incarnation);
    CHECK(a->index == b->index && a->tick_hz == b->tick_hz && memcmp(&a->rect, &b->rect, sizeof a->rect) == 0);
}

static void reopen(const struct wire_bytes *bytes, size_t bound, enum wire_bus_kind kind, struct wire_bus_view *view) {
    CHECK(bytes->len <= bound && wire_bus_open(bytes->data, bytes->len, view) == 0 && view->kind == kind);
}

static void check_zone_report(const struct wire_zone_report *a) {
    if (wire_zone_report_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_zone_report_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_zone_report_bytes(a), WIRE_BUS_ZONE_REPORT, &view);
    const struct wire_zone_report *b = &view.zone_report;
    CHECK(strcmp(a->partition, b->partition) == 0 && a->lease_epoch == b->lease_epoch && a->seq == b->seq);
    CHECK(a->claims_lease == b->claims_lease);
    SAME(a, b, loads, load_count);
    SAME(a, b, states, state_count);
    SAME(a, b, grants, grant_count);
}

static void check_persist_report(const struct wire_persist_report *a) {
    if (wire_persist_report_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_persist_report_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_persist_report_bytes(a), WIRE_BUS_PERSIST_REPORT, &view);
    const struct wire_persist_report *b = &view.persist_report;
    CHECK(a->lease_epoch == b->lease_epoch && a->lease_result == b->lease_result && a->durable_seq == b->durable_seq);
    CHECK(a->resend == b->resend);
    SAME(a, b, loaded, loaded_count);
    SAME(a, b, granted, granted_count);
    SAME(a, b, effects, effect_count);
    SAME(a, b, stale, stale_count);
}

static void check_gateway_claims(const struct wire_gateway_claims *a) {
    for (uint32_t i = 0; i < a->command_count; i++) touch(a->blob + a->commands[i].offset, a->commands[i].len);
    if (wire_gateway_claims_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_gateway_claims_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_gateway_claims_bytes(a), WIRE_BUS_GATEWAY_CLAIMS, &view);
    const struct wire_gateway_claims *b = &view.gateway_claims;
    CHECK(strcmp(a->region, b->region) == 0);
    SAME(a, b, claims, claim_count);
    SAME(a, b, refreshes, refresh_count);
    SAME(a, b, commands, command_count);
    SAME(a, b, ends, end_count);
    SAME(a, b, blob, blob_len);
}

static void check_persist_sessions(const struct wire_persist_sessions *a) {
    check_messages(a->messages, a->message_count, a->blob);
    if (wire_persist_sessions_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_persist_sessions_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_persist_sessions_bytes(a), WIRE_BUS_PERSIST_SESSIONS, &view);
    const struct wire_persist_sessions *b = &view.persist_sessions;
    SAME(a, b, claimed, claimed_count);
    SAME(a, b, messages, message_count);
    SAME(a, b, ended, ended_count);
    SAME(a, b, blob, blob_len);
}

static void check_shard_transfers(const struct wire_shard_transfers *a) {
    for (uint32_t i = 0; i < a->offer_count; i++) touch(a->blob + a->offers[i].offset, a->offers[i].len);
    for (uint32_t i = 0; i < a->notice_count; i++) touch(a->blob + a->notices[i].offset, a->notices[i].len);
    if (wire_shard_transfers_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_shard_transfers_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_shard_transfers_bytes(a), WIRE_BUS_SHARD_TRANSFERS, &view);
    const struct wire_shard_transfers *b = &view.shard_transfers;
    SAME(a, b, offers, offer_count);
    SAME(a, b, answers, answer_count);
    SAME(a, b, dones, done_count);
    SAME(a, b, notices, notice_count);
    SAME(a, b, blob, blob_len);
}

static void check_peer_batch(const struct wire_peer_batch *a) {
    for (uint32_t i = 0; i < a->speech_count; i++) touch(a->blob + a->speeches[i].offset, a->speeches[i].len);
    for (uint32_t i = 0; i < a->give_count; i++) CHECK(a->gives[i].carried.input_count <= WIRE_CARRIED_INPUTS_MAX);
    if (wire_peer_batch_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_peer_batch_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_peer_batch_bytes(a), WIRE_BUS_PEER_BATCH, &view);
    const struct wire_peer_batch *b = &view.peer;
    CHECK(a->tick == b->tick && a->reset == b->reset);
    SAME(a, b, ghosts, ghost_count);
    SAME(a, b, gone, gone_count);
    SAME(a, b, hits, hit_count);
    SAME(a, b, outcomes, outcome_count);
    SAME(a, b, offers, offer_count);
    SAME(a, b, offer_answers, offer_answer_count);
    SAME(a, b, queries, query_count);
    SAME(a, b, query_answers, query_answer_count);
    SAME(a, b, creatures, creature_count);
    SAME(a, b, taken, taken_count);
    SAME(a, b, effects, effect_count);
    SAME(a, b, speeches, speech_count);
    SAME(a, b, blob, blob_len);
    SAME(a, b, gives, give_count);
    SAME(a, b, given, given_count);
}

static void check_match_ask(const struct wire_match_ask *a) {
    for (uint32_t i = 0; i < a->document_count; i++) touch(a->blob + a->documents[i].offset, a->documents[i].len);
    for (uint32_t i = 0; i < a->lookup_count; i++) CHECK(memchr(a->lookups[i].mode, 0, sizeof a->lookups[i].mode));
    if (wire_match_ask_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_match_ask_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_match_ask_bytes(a), WIRE_BUS_MATCH_ASK, &view);
    const struct wire_match_ask *b = &view.match_ask;
    CHECK(a->seq == b->seq && a->recalls == b->recalls);
    SAME(a, b, documents, document_count);
    SAME(a, b, reads, read_count);
    SAME(a, b, lookups, lookup_count);
    SAME(a, b, settles, settle_count);
    SAME(a, b, pages, page_count);
    SAME(a, b, blob, blob_len);
}

static void check_match_told(const struct wire_match_told *a) {
    for (uint32_t i = 0; i < a->document_count; i++) touch(a->blob + a->documents[i].offset, a->documents[i].len);
    for (uint32_t i = 0; i < a->read_count; i++) touch(a->blob + a->reads[i].offset, a->reads[i].len);
    if (wire_match_told_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_match_told_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_match_told_bytes(a), WIRE_BUS_MATCH_TOLD, &view);
    const struct wire_match_told *b = &view.match_told;
    CHECK(a->durable_seq == b->durable_seq && a->is_recalled == b->is_recalled);
    SAME(a, b, documents, document_count);
    SAME(a, b, reads, read_count);
    SAME(a, b, ratings, rating_count);
    SAME(a, b, settled, settled_count);
    SAME(a, b, rows, row_count);
    SAME(a, b, ends, end_count);
    SAME(a, b, blob, blob_len);
}

static void check_instance_orders(const struct wire_instance_orders *a) {
    for (uint32_t i = 0; i < a->instance_count; i++) {
        const struct wire_instance_order *o = &a->instances[i];
        touch(a->waves + o->first_wave, o->wave_count * sizeof *a->waves);
        touch(a->spots + o->first_spot, o->spot_count * sizeof *a->spots);
        touch(a->boxes + o->first_box, o->box_count * sizeof *a->boxes);
        touch(a->members + o->first_member, o->member_count * sizeof *a->members);
    }
    if (wire_instance_orders_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_instance_orders_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_instance_orders_bytes(a), WIRE_BUS_INSTANCE_ORDERS, &view);
    const struct wire_instance_orders *b = &view.instance_orders;
    CHECK(a->is_complete == b->is_complete);
    SAME(a, b, instances, instance_count);
    SAME(a, b, waves, wave_count);
    SAME(a, b, spots, spot_count);
    SAME(a, b, boxes, box_count);
    SAME(a, b, members, member_count);
    SAME(a, b, travels, travel_count);
}

static void check_instance_report(const struct wire_instance_report *a) {
    if (wire_instance_report_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_instance_report_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_instance_report_bytes(a), WIRE_BUS_INSTANCE_REPORT, &view);
    const struct wire_instance_report *b = &view.instance_report;
    SAME(a, b, instances, instance_count);
    SAME(a, b, players, player_count);
}

static void check_gateway_asks(const struct wire_gateway_asks *a) {
    for (uint32_t i = 0; i < a->ask_count; i++) touch(a->blob + a->asks[i].offset, a->asks[i].len);
    if (wire_gateway_asks_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_gateway_asks_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_gateway_asks_bytes(a), WIRE_BUS_GATEWAY_ASKS, &view);
    SAME(a, &view.gateway_asks, asks, ask_count);
    SAME(a, &view.gateway_asks, blob, blob_len);
}

static void check_gateway_tells(const struct wire_gateway_tells *a) {
    for (uint32_t i = 0; i < a->tell_count; i++) touch(a->blob + a->tells[i].offset, a->tells[i].len);
    if (wire_gateway_tells_bytes(a) > WIRE_BUS_BYTES_MAX) return;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    CHECK(wire_gateway_tells_pack(builder, a, &bytes) == 0);
    reopen(&bytes, wire_gateway_tells_bytes(a), WIRE_BUS_GATEWAY_TELLS, &view);
    SAME(a, &view.gateway_tells, tells, tell_count);
    SAME(a, &view.gateway_tells, blob, blob_len);
}

static void try_bus(const uint8_t *bytes, size_t len) {
    struct wire_bus_view view;
    if (wire_bus_open(bytes, len, &view) != 0) return;
    switch (view.kind) {
    case WIRE_BUS_HELLO: check_hello(&view.hello); break;
    case WIRE_BUS_GATEWAY_BATCH:
        if (wire_gateway_batch_bytes(&view.gateway) <= WIRE_BUS_BYTES_MAX) check_gateway_batch(&view.gateway);
        break;
    case WIRE_BUS_ZONE_BATCH:
        if (wire_zone_batch_bytes(&view.zone) <= WIRE_BUS_BYTES_MAX) check_zone_batch(&view.zone);
        break;
    case WIRE_BUS_ZONE_REPORT: check_zone_report(&view.zone_report); break;
    case WIRE_BUS_PERSIST_REPORT: check_persist_report(&view.persist_report); break;
    case WIRE_BUS_GATEWAY_CLAIMS: check_gateway_claims(&view.gateway_claims); break;
    case WIRE_BUS_PERSIST_SESSIONS: check_persist_sessions(&view.persist_sessions); break;
    case WIRE_BUS_SHARD_TRANSFERS: check_shard_transfers(&view.shard_transfers); break;
    case WIRE_BUS_PEER_BATCH: check_peer_batch(&view.peer); break;
    case WIRE_BUS_MATCH_ASK: check_match_ask(&view.match_ask); break;
    case WIRE_BUS_MATCH_TOLD: check_match_told(&view.match_told); break;
    case WIRE_BUS_INSTANCE_ORDERS: check_instance_orders(&view.instance_orders); break;
    case WIRE_BUS_INSTANCE_REPORT: check_instance_report(&view.instance_report); break;
    case WIRE_BUS_GATEWAY_ASKS: check_gateway_asks(&view.gateway_asks); break;
    case WIRE_BUS_GATEWAY_TELLS: check_gateway_tells(&view.gateway_tells); break;
    }
}

static void try_server_message(const uint8_t *bytes, size_t len) {
    struct wire_server_message a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    uint64_t key;
    bool is_result = wire_server_message_result_key(bytes, len, &key) == 0;
    if (wire_server_message_read(bytes, len, &a) != 0) return;
    CHECK(is_result == (a.kind == WIRE_SERVER_COMMAND_RESULT) && (!is_result || key == a.result.key));
    if (a.kind == WIRE_SERVER_HEARD) CHECK(utf8_text_valid(a.heard.text, strlen(a.heard.text), WIRE_TEXT_MAX));
    struct wire_bytes packed;
    CHECK(wire_server_message_pack(builder, &a, &packed) == 0);
    CHECK(wire_server_message_read(packed.data, packed.len, &b) == 0 && memcmp(&a, &b, sizeof a) == 0);
}

static void try_client_message(const uint8_t *bytes, size_t len) {
    struct wire_client_message a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    uint64_t key;
    bool is_command = wire_client_message_command_key(bytes, len, &key) == 0;
    bool is_read = wire_client_message_read(bytes, len, &a) == 0;
    CHECK(is_command == (is_read && a.kind == WIRE_CLIENT_COMMAND) && (!is_command || key == a.command.key));
    if (!is_read) return;
    if (a.kind == WIRE_CLIENT_SAY) CHECK(utf8_text_valid(a.say, strlen(a.say), WIRE_TEXT_MAX));
    struct wire_bytes packed;
    CHECK(wire_client_message_pack(builder, &a, &packed) == 0);
    CHECK(wire_client_message_read(packed.data, packed.len, &b) == 0 && memcmp(&a, &b, sizeof a) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!builder) builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    uint8_t *copy = malloc(len + 1); /* aligned, and of its own size */
    memcpy(copy, data, len);
    try_bus(copy, len);
    try_server_message(copy, len);
    try_client_message(copy, len);
    free(copy);
    return 0;
}
