/* test_wire_world.c: messages by which zones are one world survive packing and reading; malformed ones are refused. */
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

static struct wire_directory_worker workers[] = {{.incarnation = 7, .state = WIRE_WORKER_ACTIVE, .players = 12}, {0}};
static struct wire_directory_partition partitions[] = {
    {.epoch = 3, .respawn = 2, .rect = {-512, 0, 0, 512}, .id = 9, .owner = 0, .former = WIRE_SLOT_NONE, .creatures = 40}};
static struct wire_directory_gateway gateways[] = {{.incarnation = 5, .state = WIRE_GATEWAY_DRAINING, .sessions = 6}};
static const struct wire_directory directory = {.version = 1ULL << 41,
                                                .workers = workers,
                                                .partitions = partitions,
                                                .gateways = gateways,
                                                .worker_count = COUNT(workers),
                                                .partition_count = COUNT(partitions),
                                                .gateway_count = COUNT(gateways)};

static void assert_directory(const struct wire_directory *got) {
    assert_true(got->version == directory.version);
    assert_items(got->workers, got->worker_count, workers);
    assert_items(got->partitions, got->partition_count, partitions);
    assert_items(got->gateways, got->gateway_count, gateways);
}

static void open_packed(const struct wire_bytes *bytes, enum wire_bus_kind kind, struct wire_bus_view *view) {
    assert_int_equal(wire_bus_open(bytes->data, bytes->len, view), 0);
    assert_int_equal(view->kind, kind);
}

static void test_wire_directory_round_trips(void **state) {
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_directory_pack(*state, &directory, &bytes), 0);
    open_packed(&bytes, WIRE_BUS_DIRECTORY, &view);
    assert_directory(&view.directory);
}

static void test_wire_directory_with_an_empty_rectangle_is_refused(void **state) {
    struct wire_directory_partition empty = partitions[0];
    empty.rect.max_x = empty.rect.min_x;
    struct wire_directory bad = directory;
    bad.partitions = &empty;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_directory_pack(*state, &bad, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
}

static void test_wire_worker_report_round_trips_with_and_without_a_directory(void **state) {
    struct wire_hold holds[] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
    struct wire_worker_report in = {.version = 4, .players = 5, .creatures = 6, .busy_us = 7, .late_ticks = 8};
    in.holds = holds, in.hold_count = COUNT(holds);
    for (int with = 0; with < 2; with++) {
        if (with) in.directory = directory;
        struct wire_bytes bytes;
        struct wire_bus_view view;
        assert_int_equal(wire_worker_report_pack(*state, &in, &bytes), 0);
        open_packed(&bytes, WIRE_BUS_WORKER_REPORT, &view);
        const struct wire_worker_report *out = &view.worker_report;
        assert_true(out->version == 4 && out->players == 5 && out->creatures == 6 && out->busy_us == 7 &&
                    out->late_ticks == 8);
        assert_items(out->holds, out->hold_count, holds);
        if (with) assert_directory(&out->directory);
        if (!with) assert_true(out->directory.version == 0);
    }
}

static void test_wire_gateway_report_round_trips(void **state) {
    struct wire_gateway_report in = {.version = 4, .sessions = 5, .moving = 6, .directory = directory};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_report_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, WIRE_BUS_GATEWAY_REPORT, &view);
    assert_true(view.gateway_report.version == 4 && view.gateway_report.sessions == 5 && view.gateway_report.moving == 6);
    assert_directory(&view.gateway_report.directory);
}

static void test_wire_fences_round_trip_both_ways(void **state) {
    struct wire_fence items[] = {{.incarnation = 1, .slot = 2, .result = 0}, {.incarnation = 3, .slot = 4, .result = 1}};
    struct wire_fences in = {.fences = items, .count = COUNT(items)};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_fences_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, WIRE_BUS_FENCES, &view);
    assert_items(view.fences.fences, view.fences.count, items);
    assert_int_equal(wire_fences_done_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, WIRE_BUS_FENCES_DONE, &view);
    assert_items(view.fences.fences, view.fences.count, items);
}

static void test_wire_peer_batch_round_trips(void **state) {
    struct wire_ghost ghosts[] = {{.id = 1, .x = -3, .y = 4, .vx = -5, .kind = 6, .action = 7}, {.id = 8}};
    struct wire_ghost_gone gone[] = {{.id = 9, .reason = WIRE_GONE_HANDED}};
    struct wire_hit hits[] = {{.target = 1, .attacker = 2, .attacker_player = 3, .damage = 4, .hops = 1}};
    struct wire_outcome outcomes[] = {
        {.attacker = 1, .target = 2, .experience = 3, .killed = 1, .hops = 6, .instance = 4, .team = 5}};
    struct wire_offer offers[] = {{1, 2, 3}};
    struct wire_offer_answer offer_answers[] = {{.entity = 1, .result = WIRE_OFFER_FULL}};
    struct wire_query queries[] = {{.player = 1, .session_epoch = 2, .attachment = 3}};
    struct wire_query answers[] = {{.player = 1, .session_epoch = 2, .attachment = 3, .result = WIRE_QUERY_NO}};
    struct wire_carried_creature creatures[] = {{.id = 5, .tick = 6, .rules = {1, 2, 3}}};
    struct wire_creature_taken taken[] = {{.id = 5, .result = WIRE_TAKEN_FULL, .tick = 77}};
    struct wire_player_effect effects[] = {{.player = 1, .kind = 2, .amount = 3}};
    struct wire_speech speeches[] = {{.speaker = 1, .player = 2, .offset = 1, .len = 4}};
    struct wire_give gives[] = {{.carried = {.session = 1, .attachment = 2, .input_count = 8}, .link_dead_ms = 3}};
    struct wire_given given[] = {{.entity = 1, .session_epoch = 2, .attachment = 3, .result = WIRE_GIVE_REFUSED}};
    struct wire_carried_instance instances[] = {{.id = 1, .run = 2, .serial = 3, .own = {4}, .member_count = 1}, {.id = 5}};
    struct wire_carried_member members[] = {{.player = 6, .kills = 700, .deaths = 8}};
    struct wire_instance_taken instances_taken[] = {{.id = 1, .serial = 3}};
    struct wire_peer_batch in = {.tick = 77, .reset = true, .blob = (const uint8_t *)"hello", .blob_len = 5};
    in.instances = instances, in.instance_count = COUNT(instances), in.members = members, in.member_count = COUNT(members);
    in.instances_taken = instances_taken, in.instance_taken_count = COUNT(instances_taken);
    in.gives = gives, in.give_count = COUNT(gives), in.given = given, in.given_count = COUNT(given);
    in.ghosts = ghosts, in.ghost_count = COUNT(ghosts), in.gone = gone, in.gone_count = COUNT(gone);
    in.hits = hits, in.hit_count = COUNT(hits), in.outcomes = outcomes, in.outcome_count = COUNT(outcomes);
    in.offers = offers, in.offer_count = COUNT(offers);
    in.offer_answers = offer_answers, in.offer_answer_count = COUNT(offer_answers);
    in.queries = queries, in.query_count = COUNT(queries), in.query_answers = answers,
    in.query_answer_count = COUNT(answers);
    in.creatures = creatures, in.creature_count = COUNT(creatures), in.taken = taken, in.taken_count = COUNT(taken);
    in.effects = effects, in.effect_count = COUNT(effects), in.speeches = speeches, in.speech_count = COUNT(speeches);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_peer_batch_pack(*state, &in, &bytes), 0);
    assert_true(bytes.len <= wire_peer_batch_bytes(&in));
    open_packed(&bytes, WIRE_BUS_PEER_BATCH, &view);
    const struct wire_peer_batch *out = &view.peer;
    assert_true(out->tick == 77 && out->reset);
    assert_items(out->ghosts, out->ghost_count, ghosts);
    assert_items(out->gone, out->gone_count, gone);
    assert_items(out->hits, out->hit_count, hits);
    assert_items(out->outcomes, out->outcome_count, outcomes);
    assert_items(out->offers, out->offer_count, offers);
    assert_items(out->offer_answers, out->offer_answer_count, offer_answers);
    assert_items(out->queries, out->query_count, queries);
    assert_items(out->query_answers, out->query_answer_count, answers);
    assert_items(out->creatures, out->creature_count, creatures);
    assert_items(out->taken, out->taken_count, taken);
    assert_items(out->effects, out->effect_count, effects);
    assert_items(out->speeches, out->speech_count, speeches);
    assert_memory_equal(out->blob, "hello", 5);
    assert_items(out->gives, out->give_count, gives);
    assert_items(out->given, out->given_count, given);
    assert_items(out->instances, out->instance_count, instances);
    assert_items(out->members, out->member_count, members);
    assert_items(out->instances_taken, out->instance_taken_count, instances_taken);
    struct wire_carried_instance *second = (struct wire_carried_instance *)(uintptr_t)&out->instances[1];
    for (uint32_t first = 1; first <= 2; first++) {
        *second = (struct wire_carried_instance){.first_member = first, .member_count = 2 - first};
        assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
    }
    *second = instances[1];
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), 0);
    ((struct wire_give *)(uintptr_t)out->gives)->carried.input_count = WIRE_CARRIED_INPUTS_MAX + 1; /* in the message */
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &view), MARCH_ERR_INVALID);
}

static void test_wire_players_on_their_way_round_trip(void **state) {
    struct wire_carried carried[] = {
        {.session = 1, .player = 2, .attachment = 3, .target = 4, .input_count = 8, .commands = {{1, 2, 3}}, .rules = {9}}};
    struct wire_routed routed[] = {{.session = 1, .attachment = 2, .result = WIRE_ROUTED_RESTORED}};
    struct wire_gateway_batch down = {.activates = carried, .activate_count = 1, .routed = routed, .routed_count = 1};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_batch_pack(*state, &down, &bytes), 0);
    assert_true(bytes.len <= wire_gateway_batch_bytes(&down));
    open_packed(&bytes, WIRE_BUS_GATEWAY_BATCH, &view);
    assert_items(view.gateway.activates, view.gateway.activate_count, carried);
    assert_items(view.gateway.routed, view.gateway.routed_count, routed);

    struct wire_activated activated[] = {{.session = 1, .attachment = 2, .result = WIRE_ACTIVATE_FULL}};
    struct wire_message returned[] = {{1, 0, 2}};
    struct wire_zone_batch up = {.tick = 9, .activated = activated, .activated_count = 1, .returned = returned};
    up.returned_count = 1, up.reroutes = carried, up.reroute_count = 1, up.forgotten = routed, up.forgotten_count = 1;
    up.blob = (const uint8_t *)"ab", up.blob_len = 2;
    assert_int_equal(wire_zone_batch_pack(*state, &up, &bytes), 0);
    assert_true(bytes.len <= wire_zone_batch_bytes(&up));
    open_packed(&bytes, WIRE_BUS_ZONE_BATCH, &view);
    assert_items(view.zone.activated, view.zone.activated_count, activated);
    assert_items(view.zone.returned, view.zone.returned_count, returned);
    assert_items(view.zone.reroutes, view.zone.reroute_count, carried);
    assert_items(view.zone.forgotten, view.zone.forgotten_count, routed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_directory_round_trips),
        cmocka_unit_test(test_wire_directory_with_an_empty_rectangle_is_refused),
        cmocka_unit_test(test_wire_worker_report_round_trips_with_and_without_a_directory),
        cmocka_unit_test(test_wire_gateway_report_round_trips),
        cmocka_unit_test(test_wire_fences_round_trip_both_ways),
        cmocka_unit_test(test_wire_peer_batch_round_trips),
        cmocka_unit_test(test_wire_players_on_their_way_round_trip),
    };
    return cmocka_run_group_tests(tests, builder_setup, builder_teardown);
}
