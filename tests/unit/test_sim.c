/* The zone without sockets: sessions, inputs, messages, snapshots and what comes out for the gateways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/snapshot.h"
#include "tests/unit/scripted_load.h"

static const uint64_t SESSION = 5ULL << 32 | 7;

static struct sim *create(void) {
    struct sim_config config = script_config();
    config.creatures = 0;
    config.players_max = 4;
    struct sim *sim = sim_create(&config);
    assert_non_null(sim);
    return sim;
}

static void run(struct sim *sim, uint64_t *tick, uint32_t ticks) {
    while (ticks-- > 0) {
        script_clear_outputs(sim);
        sim_tick(sim, ++*tick);
    }
}

/* Reads the message at a place of a gateway's output. */
static struct wire_server_message message_at(struct sim *sim, uint32_t gateway, uint32_t i) {
    const struct output *o = sim_output(sim, gateway);
    struct wire_server_message message;
    assert_true(i < o->message_count);
    assert_int_equal(wire_server_message_read(o->blob + o->messages[i].offset, o->messages[i].len, &message), 0);
    return message;
}

static void send_client_message(struct sim *sim, uint32_t gateway, uint64_t session,
                                const struct wire_client_message *message) {
    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(builder, message, &bytes), 0);
    sim_message(sim, gateway, session, bytes.data, bytes.len);
    wire_builder_destroy(builder);
}

static void test_sim_attach_answers_and_welcomes(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t entity = sim_attach(sim, 1, SESSION, 77, 1, NULL);
    const struct output *o = sim_output(sim, 1);
    assert_int_equal(o->attached_count, 1);
    assert_int_equal(o->attached[0].result, WIRE_ATTACHED);
    assert_true(o->attached[0].entity == entity && entity != 0);
    struct wire_server_message welcome = message_at(sim, 1, 0);
    assert_int_equal(welcome.kind, WIRE_SERVER_WELCOME);
    assert_true(welcome.welcome.entity == entity);
    assert_int_equal(welcome.welcome.player, 77);
    assert_string_equal(welcome.welcome.zone, "zone-0");
    assert_true(output_is_empty(sim_output(sim, 0)));

    assert_true(sim_attach(sim, 1, SESSION, 77, 1, NULL) == entity); /* asked again */
    assert_int_equal(sim_players(sim), 1);
    sim_destroy(sim);
}

static void test_sim_attach_beyond_capacity_is_refused(void **state) {
    (void)state;
    struct sim *sim = create();
    for (uint32_t i = 0; i < 4; i++) assert_true(sim_attach(sim, 0, i, i, 1, NULL) != 0);
    assert_true(sim_attach(sim, 0, 4, 4, 1, NULL) == 0);
    assert_int_equal(sim_output(sim, 0)->attached[4].result, WIRE_ATTACH_FULL);
    assert_true(sim_attach(sim, 0, 64, 4, 1, NULL) == 0); /* index out of range */
    assert_int_equal(sim_output(sim, 0)->attached[5].result, WIRE_ATTACH_BAD_SESSION);
    sim_detach(sim, 0, 2);
    assert_true(sim_attach(sim, 0, 4, 4, 1, NULL) != 0);
    assert_int_equal(sim_stats(sim)->attach_refused, 2);
    sim_destroy(sim);
}

static void test_sim_newer_generation_takes_the_index_over(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t old = sim_attach(sim, 0, SESSION, 77, 1, NULL);
    uint64_t fresh = sim_attach(sim, 0, SESSION + (1ULL << 32), 78, 1, NULL);
    assert_true(old != fresh && fresh != 0);
    assert_int_equal(sim_players(sim), 1);
    sim_detach(sim, 0, SESSION);
    assert_int_equal(sim_players(sim), 1);
    sim_destroy(sim);
}

static void test_sim_same_session_of_two_gateways_is_two_players(void **state) {
    (void)state;
    struct sim *sim = create();
    assert_true(sim_attach(sim, 0, SESSION, 1, 1, NULL) != sim_attach(sim, 1, SESSION, 2, 1, NULL));
    sim_detach(sim, 0, SESSION);
    assert_int_equal(sim_players(sim), 1);
    sim_detach(sim, 1, SESSION);
    assert_int_equal(sim_players(sim), 0);
    assert_int_equal(sim_entities(sim)->count, 0);
    sim_destroy(sim);
}

static void test_sim_input_of_unknown_session_is_answered(void **state) {
    (void)state;
    struct sim *sim = create();
    sim_input(sim, 0, &(struct wire_input){.session = SESSION, .count = 1});
    assert_int_equal(sim_output(sim, 0)->detached_count, 1);
    assert_true(sim_output(sim, 0)->detached[0].session == SESSION);
    assert_int_equal(sim_output(sim, 0)->detached[0].reason, SIM_DETACH_UNKNOWN);
    sim_destroy(sim);
}

static void test_sim_session_that_comes_is_not_detached_by_what_came_before(void **state) {
    (void)state;
    struct sim *sim = create();
    sim_input(sim, 0, &(struct wire_input){.session = SESSION, .count = 1});
    sim_input(sim, 0, &(struct wire_input){.session = SESSION + 1, .count = 1});
    struct wire_activated activated = {.session = SESSION, .attachment = 3, .result = WIRE_ACTIVATE_FULL};
    output_activated(sim_output(sim, 0), &activated);
    assert_int_equal(sim_output(sim, 0)->detached_count, 2);
    activated.result = WIRE_ACTIVATED;
    output_activated(sim_output(sim, 0), &activated);
    assert_int_equal(sim_output(sim, 0)->detached_count, 1);
    assert_true(sim_output(sim, 0)->detached[0].session == SESSION + 1);
    sim_attach(sim, 0, SESSION + 1, 1, 1, NULL);
    assert_int_equal(sim_output(sim, 0)->detached_count, 0);
    sim_destroy(sim);
}

static void test_sim_walks_and_snapshots_tell(void **state) {
    (void)state;
    struct sim *sim = create();
    struct snapshot_table *table = snapshot_table_create(64);
    uint64_t tick = SCRIPT_START_TICK, entity = sim_attach(sim, 0, SESSION, 1, 1, NULL);
    struct entities *e = sim_entities(sim);
    e->x[0] = 0;
    e->y[0] = 64 << 16;
    uint32_t snapshots = 0;
    for (uint32_t i = 0; i < 30; i++) {
        struct wire_input input = {.session = SESSION, .newest_seq = (uint16_t)(i / 3), .count = 1};
        input.commands[0] = (struct wire_input_command){.move = 2 | 1 << 2}; /* +x */
        if (i % 3 == 0) sim_input(sim, 0, &input);
        run(sim, &tick, 1);
        const struct output *o = sim_output(sim, 0);
        if (o->snapshot_count == 0) continue;
        assert_true(o->snapshots[0].session == SESSION);
        assert_int_equal(snapshot_table_read(table, o->blob + o->snapshots[0].offset, o->snapshots[0].len), 0);
        assert_int_equal(table->header.input_ack, i / 3);
        sim_ack(sim, 0, SESSION, o->snapshots[0].snapshot_seq);
        snapshots++;
    }
    assert_int_equal(snapshots, 10);
    assert_true(table->slots[0].id == entity);
    assert_in_range(table->slots[0].states[table->slots[0].newest].x, 1, 5 * 64);
    assert_int_equal(e->x[0], 30 * 188 * 32);
    snapshot_table_destroy(table);
    sim_destroy(sim);
}

static void test_sim_snapshots_stop_for_a_gateway_that_is_away(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t tick = SCRIPT_START_TICK;
    sim_attach(sim, 0, SESSION, 1, 1, NULL);
    sim_set_connected(sim, 0, false);
    run(sim, &tick, 6);
    assert_int_equal(sim_stats(sim)->snapshots, 0);
    sim_set_connected(sim, 0, true);
    run(sim, &tick, 6);
    assert_int_equal(sim_stats(sim)->snapshots, 2);
    sim_destroy(sim);
}

static void test_sim_half_snapshot_rate_halves_it_for_all(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t tick = SCRIPT_START_TICK;
    for (uint32_t i = 0; i < 4; i++) sim_attach(sim, 0, i, i, 1, NULL);
    sim_set_load(sim, (struct sim_load){.snapshot_every = 2, .view_percent = 50, .think_ticks = 12});
    run(sim, &tick, 60);
    assert_int_equal(sim_stats(sim)->snapshots, 40);
    sim_destroy(sim);
}

static void test_sim_left_out_ticks_are_covered_by_one_step(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t tick = SCRIPT_START_TICK;
    sim_attach(sim, 0, SESSION, 1, 1, NULL);
    struct entities *e = sim_entities(sim);
    e->x[0] = 0;
    e->vx[0] = 188;
    run(sim, &tick, 1);
    assert_int_equal(e->x[0], 188 * 32);
    tick += 2;
    run(sim, &tick, 1);
    assert_int_equal(e->x[0], 4 * 188 * 32);
    tick += 50; /* a stall: no more than SIM_STEP_MAX at once */
    run(sim, &tick, 1);
    assert_int_equal(e->x[0], (4 + SIM_STEP_MAX) * 188 * 32);
    sim_destroy(sim);
}

static void test_sim_snapshots_go_on_when_ticks_are_left_out(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t tick = SCRIPT_START_TICK;
    for (uint32_t i = 0; i < 4; i++) sim_attach(sim, 0, i, i, 1, NULL);
    for (uint32_t i = 0; i < 60; i++) {
        tick += 2; /* every third tick number never comes for some clients */
        run(sim, &tick, 1);
    }
    assert_int_equal(sim_stats(sim)->snapshots, 4 * 60);
    sim_destroy(sim);
}

/* stream_of runs until the one player of gateway 0 has a snapshot, and returns its first byte. */
static uint8_t stream_of(struct sim *sim, uint64_t *tick) {
    const struct output *o = sim_output(sim, 0);
    for (int i = 0; i < 6; i++) {
        sim_tick(sim, ++*tick);
        if (o->snapshot_count > 0) return o->blob[o->snapshots[0].offset];
    }
    fail_msg("no snapshot in %d ticks", 6);
    return 0;
}

static void test_sim_new_view_takes_its_stream_from_the_attachment(void **state) {
    (void)state;
    uint64_t tick = SCRIPT_START_TICK;
    struct sim *sim = create();
    sim_attach(sim, 0, SESSION, 1, 0x1fe, NULL);
    assert_int_equal(stream_of(sim, &tick), 0xfe);
    sim_attach(sim, 0, SESSION, 1, 0x1ff, NULL); /* the same view goes on */
    assert_int_equal(stream_of(sim, &tick), 0xfe);
    sim_detach(sim, 0, SESSION);
    sim_attach(sim, 0, SESSION, 1, 0x200, NULL);
    assert_int_equal(stream_of(sim, &tick), 0);
    sim_destroy(sim);
}

static void test_output_unsent_keeps_messages_and_drops_snapshots(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t tick = SCRIPT_START_TICK;
    sim_attach(sim, 0, SESSION, 1, 1, NULL);
    const struct output *o = sim_output(sim, 0);
    for (uint32_t i = 0; i < 6; i++) sim_tick(sim, ++tick); /* never cleared */
    assert_true(o->snapshot_count <= 1);
    assert_int_equal(o->attached_count, 1);
    assert_int_equal(message_at(sim, 0, 0).kind, WIRE_SERVER_WELCOME);
    uint32_t snapshot_bytes = o->snapshot_count ? o->snapshots[0].len : 0;
    assert_int_equal(o->blob_len, o->message_bytes + snapshot_bytes);
    sim_destroy(sim);
}

static void test_sim_say_is_heard_near_and_limited(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t tick = SCRIPT_START_TICK;
    for (uint32_t i = 0; i < 3; i++) sim_attach(sim, i % 2, SESSION + i, 70 + i, 1, NULL);
    struct entities *e = sim_entities(sim);
    for (uint32_t i = 0; i < 3; i++) {
        e->x[i] = (int32_t)(i * 25) << 16;
        e->y[i] = 1 << 16;
    }
    run(sim, &tick, 1);
    script_clear_outputs(sim);
    struct wire_client_message say = {.kind = WIRE_CLIENT_SAY, .say = "hello"};
    send_client_message(sim, 0, SESSION, &say);
    assert_int_equal(sim_output(sim, 0)->message_count, 1); /* itself; the third is 50 m away */
    assert_int_equal(sim_output(sim, 1)->message_count, 1);
    struct wire_server_message heard = message_at(sim, 1, 0);
    assert_int_equal(heard.kind, WIRE_SERVER_HEARD);
    assert_string_equal(heard.heard.text, "hello");
    assert_int_equal(heard.heard.player, 70);
    for (uint32_t i = 1; i < SIM_SAY_BURST; i++) send_client_message(sim, 0, SESSION, &say);
    assert_int_equal(sim_stats(sim)->says_limited, 0);
    send_client_message(sim, 0, SESSION, &say);
    assert_int_equal(sim_stats(sim)->says_limited, 1);
    assert_int_equal(sim_output(sim, 1)->message_count, SIM_SAY_BURST);
    run(sim, &tick, SIM_SAY_TICKS);
    send_client_message(sim, 0, SESSION, &say);
    assert_int_equal(sim_stats(sim)->says_limited, 1);
    send_client_message(sim, 0, SESSION, &say);
    assert_int_equal(sim_stats(sim)->says_limited, 2);
    sim_destroy(sim);
}

static void test_sim_malformed_message_is_counted(void **state) {
    (void)state;
    struct sim *sim = create();
    sim_attach(sim, 0, SESSION, 1, 1, NULL);
    const uint8_t junk[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    sim_message(sim, 0, SESSION, junk, sizeof junk);
    assert_int_equal(sim_stats(sim)->messages_bad, 1);
    static uint8_t large[70000];
    sim_message(sim, 0, SESSION, large, sizeof large);
    assert_int_equal(sim_stats(sim)->messages_bad, 2);
    sim_destroy(sim);
}

static void test_sim_death_and_respawn_are_told(void **state) {
    (void)state;
    struct sim *sim = create();
    uint64_t tick = SCRIPT_START_TICK, killer = sim_attach(sim, 0, SESSION, 1, 1, NULL);
    sim_attach(sim, 1, SESSION, 2, 1, NULL);
    struct entities *e = sim_entities(sim);
    e->x[0] = e->x[1] = 0;
    e->y[0] = 60 << 16;
    e->y[1] = 61 << 16;
    bool died = false, rose = false;
    for (uint32_t i = 0; i < 200 && !died; i++) {
        struct wire_input input = {.session = SESSION, .newest_seq = (uint16_t)i, .count = 1};
        input.commands[0] = (struct wire_input_command){.move = 5, .buttons = 1, .aim = 0x4000};
        sim_input(sim, 0, &input);
        run(sim, &tick, 1);
        if (sim_output(sim, 1)->message_count == 0) continue;
        struct wire_server_message message = message_at(sim, 1, 0);
        assert_int_equal(message.kind, WIRE_SERVER_DIED);
        assert_true(message.died_by == killer);
        died = true;
    }
    assert_true(died);
    send_client_message(sim, 1, SESSION, &(struct wire_client_message){.kind = WIRE_CLIENT_RESPAWN});
    run(sim, &tick, 1);
    rose = sim_output(sim, 1)->message_count == 1 && message_at(sim, 1, 0).kind == WIRE_SERVER_RESPAWNED;
    assert_true(rose);
    assert_int_equal(e->health[1], 255);
    sim_destroy(sim);
}

static void test_sim_config_that_can_not_be_is_refused(void **state) {
    (void)state;
    struct sim_config config = script_config();
    config.creatures = config.entities_max;
    assert_null(sim_create(&config));
    config = script_config();
    config.rect.max_x = config.rect.min_x;
    assert_null(sim_create(&config));
    config = script_config();
    config.gateways_max = SIM_GATEWAYS_MAX + 1;
    assert_null(sim_create(&config));
}

static void test_sim_of_a_zone_with_a_part_of_the_world_and_a_block_far_away(void **state) {
    (void)state;
    struct sim_config config = script_config();
    config.creatures = 0;
    config.cells = (struct cells){.per_block = 1024, .side_m = 100, .pitch_m = 190};
    struct sim *sim = sim_create(&config);
    struct directory d = sim_territory(sim)->directory;
    struct wire_rect world = directory_world(&d);
    d.version++;
    d.partitions[d.partition_count++] = (struct wire_directory_partition){
        .id = CELLS_BLOCK_BIT, .rect = {29000, 20000, 29000 + 16 * 190, 20000 + 64 * 190}, .former = WIRE_SLOT_NONE};
    d.partitions[1].owner = config.zone_index;
    assert_int_equal(sim_set_directory(sim, &d), 0);
    struct game_character last = {.x = (29000 + 190 + 50) * 65536, .y = (20000 + 50) * 65536, .hit_points = 9};
    uint64_t entity = sim_attach(sim, 1, SESSION, 77, 1, &last);
    struct wire_server_message welcome = message_at(sim, 1, 0);
    assert_memory_equal(&welcome.welcome.rect, &world, sizeof world);
    const struct entities *e = sim_entities(sim);
    uint16_t index = entities_find(e, entity);
    assert_true(e->x[index] == last.x && e->y[index] == last.y);
    uint64_t tick = SCRIPT_START_TICK;
    for (uint16_t i = 1; i <= 1000; i++) {
        struct wire_input input = {.session = SESSION, .newest_seq = i, .count = 1, .commands = {{.move = 2}}};
        sim_input(sim, 1, &input);
        run(sim, &tick, 1);
    }
    assert_int_equal(e->x[index], (29000 + 190 + 100) * 65536 - 32768); /* its cell's wall */
    sim_destroy(sim);
}

static void test_output_full_drops_and_counts(void **state) {
    (void)state;
    struct output *o = output_create(4);
    static uint8_t text[WIRE_CLIENT_BYTES_MAX];
    uint32_t offset = 0, taken = 0;
    while (output_text(o, (struct wire_bytes){text, sizeof text}, &offset) == 0) taken++;
    assert_in_range(taken, WIRE_BUS_BYTES_MAX / sizeof text - 8, WIRE_BUS_BYTES_MAX / sizeof text);
    assert_null(output_snapshot_room(o, 1200));
    assert_int_equal(o->dropped, 2);
    for (uint32_t i = 0; i < 6; i++) output_attached(o, i, i, 0);
    assert_true(o->attached_count <= 4);
    struct wire_zone_batch batch = output_batch(o, 1);
    assert_true(wire_zone_batch_bytes(&batch) <= WIRE_BUS_BYTES_MAX);
    output_destroy(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim_attach_answers_and_welcomes),
        cmocka_unit_test(test_sim_attach_beyond_capacity_is_refused),
        cmocka_unit_test(test_sim_newer_generation_takes_the_index_over),
        cmocka_unit_test(test_sim_same_session_of_two_gateways_is_two_players),
        cmocka_unit_test(test_sim_input_of_unknown_session_is_answered),
        cmocka_unit_test(test_sim_session_that_comes_is_not_detached_by_what_came_before),
        cmocka_unit_test(test_sim_walks_and_snapshots_tell),
        cmocka_unit_test(test_sim_snapshots_stop_for_a_gateway_that_is_away),
        cmocka_unit_test(test_sim_half_snapshot_rate_halves_it_for_all),
        cmocka_unit_test(test_sim_left_out_ticks_are_covered_by_one_step),
        cmocka_unit_test(test_sim_snapshots_go_on_when_ticks_are_left_out),
        cmocka_unit_test(test_sim_new_view_takes_its_stream_from_the_attachment),
        cmocka_unit_test(test_output_unsent_keeps_messages_and_drops_snapshots),
        cmocka_unit_test(test_sim_say_is_heard_near_and_limited),
        cmocka_unit_test(test_sim_malformed_message_is_counted),
        cmocka_unit_test(test_sim_death_and_respawn_are_told),
        cmocka_unit_test(test_sim_config_that_can_not_be_is_refused),
        cmocka_unit_test(test_sim_of_a_zone_with_a_part_of_the_world_and_a_block_far_away),
        cmocka_unit_test(test_output_full_drops_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
