/* test_record_instances.c: a recording of a zone with instances runs again to the same hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/venues_fixture.h"
#include "zone/replay.h"

static char path[64];

static struct recorder *record_to(struct sim *sim) {
    struct record_header header = {.hash_every = 10, .seed = 3, .start_tick = FX_START_TICK, .incarnation = 1};
    struct recorder *recorder;
    snprintf(path, sizeof path, "/tmp/march-record-instances-%d", (int)getpid());
    unlink(path);
    assert_int_equal(recorder_open(path, &header, &recorder), 0);
    sim_set_recorder(sim, recorder);
    return recorder;
}

static int replay(struct replay_result *result) {
    struct sim_config config = fx_config(0);
    config.snapshots = false;
    struct record_header header;
    struct replay *replay;
    assert_int_equal(replay_open(path, &header, &replay), 0);
    struct sim *sim = sim_create(&config);
    int error = replay_run(replay, sim, result);
    sim_destroy(sim);
    replay_close(replay);
    return error;
}

static void hold(struct sim *sim, uint64_t player, uint16_t seq, uint8_t buttons, uint16_t aim) {
    struct wire_input input = {.session = player, .newest_seq = seq, .count = 1};
    input.commands[0] = (struct wire_input_command){.move = (uint8_t)(seq % 11), .buttons = buttons, .aim = aim};
    sim_input(sim, 0, &input);
}

/* What is measured while it is recorded is not there when it runs again. */
static uint64_t slow_clock(void) {
    static uint64_t now_ns;
    return now_ns += 1000000;
}

/* Two instances, in which players fight each other and creatures, die, rise and go home; one is ended. */
static void play(struct sim *sim) {
    struct directory d = fx_directory(2, 0, WIRE_SLOT_NONE);
    assert_int_equal(sim_set_directory(sim, &d), 0);
    struct fx_orders o;
    fx_begin(&o);
    o.orders.is_complete = true;
    for (uint32_t n = 0; n < 2; n++) {
        struct wire_instance_order *order = fx_order(&o, 5 + n, n * 3);
        order->goals = WIRE_GOAL_CLEARED | WIRE_GOAL_KILLS;
        order->kills = 4;
        order->rise_ms = 500;
        order->side_m = 30 + n;
        fx_wave(&o, 10)->damage_percent = 150;
        fx_wave(&o, 10)->overlaps = 1;
        fx_spot(&o, 10, 10, 4, 0);
        fx_spot(&o, 15, 15, 8, 0xffff);
        fx_box(&o, 12, 0, 13, 9);
        fx_box(&o, 4, 20, 20, 22);
    }
    for (uint64_t player = 1; player <= 12; player++) {
        fx_attach(sim, player);
        uint32_t n = player % 2;
        fx_travel(&o, player, player == 12 ? 77 : 5 + n, player % 3 == 0, fx_x(n * 3, 5 + (int32_t)player), M(12));
    }
    sim_instances_renew(sim);
    sim_instance_orders(sim, &o.orders);
    sim_set_clock(sim, slow_clock);
    for (uint16_t step = 0; step < 3000; step++) {
        for (uint64_t player = 1; player <= 12; player++) {
            if ((step + player) % 3 == 0) hold(sim, player, step, 1 + step % 2, (uint16_t)(step * 700 + player * 9000));
        }
        if (step == 60) sim_instances_renew(sim);
        if (step == 300) sim_instances_judge(sim, 1);
        if (step == 400) sim_instance_orders(sim, &o.orders);
        if (step == 1500) {
            o.instances[0].state = WIRE_INSTANCE_END;
            o.instances[0].version = 2;
            o.orders.travel_count = 0;
            sim_instance_orders(sim, &o.orders);
        }
        fx_run(sim, 1);
    }
}

static void test_replay_of_instances_gives_the_same_hashes(void **state) {
    (void)state;
    struct sim_config config = fx_config(0);
    struct sim *sim = sim_create(&config);
    struct recorder *recorder = record_to(sim);
    play(sim);
    assert_int_equal(recorder_close(recorder), 0);
    const struct venues_stats *stats = sim_instances_stats(sim);
    assert_int_equal(stats->slowings, 2);
    assert_true(stats->spawned == 40 && stats->homes >= 12 && stats->strays == 1 && sim_stats(sim)->deaths > 10);
    struct replay_result result;
    assert_int_equal(replay(&result), 0);
    assert_int_equal(result.ticks, 3000);
    assert_int_equal(result.hashes, 300);
    assert_false(result.differs);
    sim_destroy(sim);
    unlink(path);
}

/* What is not kept apart by the hash would not be noticed in a replay. */
static void test_replay_notices_another_order(void **state) {
    (void)state;
    uint64_t hashes[5];
    for (uint32_t i = 0; i < 5; i++) {
        struct sim *sim = fx_sim(0);
        struct fx_orders o;
        fx_begin(&o);
        struct wire_instance_order *order = fx_order(&o, 5, 1);
        fx_wave(&o, 3);
        fx_attach(sim, 1);
        fx_travel(&o, 1, 5, i == 1, fx_x(1, 5), M(5));
        order->side_m = i == 2 ? 40 : FX_SIDE;
        order->scores[2] = i == 3;
        if (i == 4) fx_box(&o, 4, 4, 8, 8);
        sim_instance_orders(sim, &o.orders);
        fx_run_ms(sim, 500);
        hashes[i] = sim_hash(sim);
        for (uint32_t j = 0; j < i; j++) assert_true(hashes[i] != hashes[j]);
        sim_destroy(sim);
    }
}

static void append_orders(uint8_t *body, size_t *len, const struct wire_instance_order *order, uint32_t waves) {
    const uint32_t counts[6] = {1, waves, 0, 0, 0, 0};
    body[(*len)++] = RECORD_EVENT_ORDERS;
    body[(*len)++] = 0;
    memcpy(body + *len, counts, sizeof counts);
    *len += sizeof counts;
    memcpy(body + *len, order, sizeof *order);
    *len += sizeof *order;
}

static void test_replay_refuses_orders_that_no_reader_lets_in(void **state) {
    (void)state;
    for (uint32_t bad = 0; bad < 6; bad++) {
        struct sim *sim = fx_sim(0);
        struct wire_instance_order order = {
            .id = 5, .block = CELLS_BLOCK_BIT, .side_m = FX_SIDE, .state = WIRE_INSTANCE_RUN};
        if (bad == 1) order.wave_count = 1;
        if (bad == 2) order.first_spot = 1;
        if (bad == 4) order.member_count = 3;
        if (bad == 5) order.box_count = 1;
        uint8_t body[512] = {0};
        uint64_t tick = FX_START_TICK + 1;
        size_t len = RECORD_BODY_MIN;
        memcpy(body, &tick, sizeof tick);
        append_orders(body, &len, &order, bad == 3 ? UINT32_MAX : 0);
        struct replay_result result = {0};
        int error = replay_block(sim, 1, body, len, FX_START_TICK, &result);
        assert_int_equal(error, bad == 0 ? 0 : MARCH_ERR_INVALID);
        sim_destroy(sim);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_of_instances_gives_the_same_hashes),
        cmocka_unit_test(test_replay_notices_another_order),
        cmocka_unit_test(test_replay_refuses_orders_that_no_reader_lets_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
