/* Views at their limits: budgets, slots, the log, silence, and what is told first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "tests/unit/view_fixture.h"
#include "zone/view_layout.h"

#define BYTES_MAX 1100
#define RADIUS_M  60

static struct views_config config_with_slots(uint32_t slots) {
    return (struct views_config){.clients_max = 2,
                                 .entities_max = 2048,
                                 .slots_max = slots,
                                 .error_near_max = 4,
                                 .error_far_max = 8,
                                 .yaw_error_max = 4};
}

/* One client whose link loses nothing unless a test drops it. */
struct scene {
    struct fixture *f;
    struct views *views;
    struct snapshot_table *table;
    struct view_request request;
    struct view_result result;
    uint8_t bytes[BYTES_MAX];
};

static struct scene *scene_create(uint32_t slots, uint32_t entities) {
    struct scene *s = calloc(1, sizeof(*s));
    struct views_config config = config_with_slots(slots);
    s->f = fixture_create(entities, 400, 5);
    s->views = views_create(&config);
    s->table = snapshot_table_create(slots);
    fixture_spawn(s->f, 0, 0, 0);
    s->f->entities[0].state.vx = s->f->entities[0].state.vy = 0;
    fixture_publish(s->f);
    s->request = fixture_request(s->f, 0, RADIUS_M);
    return s;
}

static void scene_destroy(struct scene *s) {
    fixture_destroy(s->f);
    views_destroy(s->views);
    snapshot_table_destroy(s->table);
    free(s);
}

static const struct view *scene_view(const struct scene *s) {
    return (const struct view *)(const void *)s->views->arena;
}

static const struct view_record *scene_record(const struct scene *s, uint32_t slot) {
    return &scene_view(s)->chunks[slot / 64].records[slot % 64];
}

static void build(struct scene *s, size_t size) {
    fixture_publish(s->f);
    view_build(s->views, 0, &s->f->world, &s->request, s->bytes, size, &s->result);
    assert_true(s->result.len <= size);
}

static void deliver(struct scene *s) {
    assert_int_equal(snapshot_table_read(s->table, s->bytes, s->result.len), 0);
}

static void build_and_ack(struct scene *s) {
    build(s, BYTES_MAX);
    deliver(s);
    view_ack(s->views, 0, s->result.seq);
}

/* Returns the client's slot of an entity; -1 when it sees it not. */
static int slot_of(const struct scene *s, uint32_t entity) {
    for (uint32_t slot = 0; slot < s->table->slots_used; slot++) {
        if (s->table->slots[slot].id == s->f->entities[entity].id) return (int)slot;
    }
    return -1;
}

static void spawn_still(struct fixture *f, uint32_t e, int32_t x_m, int32_t y_m) {
    fixture_spawn(f, e, x_m * 65536, y_m * 65536);
    f->entities[e].state.vx = f->entities[e].state.vy = 0;
}

static void test_view_tight_budget_serves_every_entity_within_a_bound(void **state) {
    (void)state;
    enum { N = 101, BUILDS = 600, WAIT_MAX = 60 };
    struct scene *s = scene_create(128, N);
    for (uint32_t e = 1; e < N; e++) spawn_still(s->f, e, (int32_t)(e % 50) - 25, (int32_t)(e / 2) - 25);
    uint32_t last_sent[128] = {0}, most = 0;
    for (uint32_t b = 1; b <= BUILDS; b++) {
        s->f->world.tick += 3;
        for (uint32_t e = 0; e < N; e++) s->f->entities[e].state.health++; /* all need an update, always */
        build(s, VIEW_BYTES_MIN);                                          /* never acknowledged, so all are full */
        deliver(s);
        assert_true(s->table->change_count > 0 && s->table->changes[0].slot == 0); /* own entity in each */
        if (s->table->change_count > most) most = s->table->change_count;
        for (uint32_t i = 0; i < s->table->change_count; i++) last_sent[s->table->changes[i].slot] = b;
        for (uint32_t slot = 0; slot < N; slot++) assert_true(b - last_sent[slot] <= WAIT_MAX);
    }
    assert_true(most >= 10 && most <= 12);
    assert_true(views_stats(s->views)->deferred > 0);
    scene_destroy(s);
}

static void test_view_tight_budget_prefers_near_group_and_target(void **state) {
    (void)state;
    enum { N = 400 };
    struct scene *s = scene_create(1024, N);
    for (uint32_t e = 1; e < N; e++) spawn_still(s->f, e, 40, (int32_t)(e % 30));
    spawn_still(s->f, 397, 2, 2); /* near */
    s->f->entities[0].group = 7;  /* of the own group, and far */
    s->f->entities[398].group = 7;
    s->request.target = 399; /* far, but fought with */
    build(s, VIEW_BYTES_MIN);
    deliver(s);
    assert_true(s->table->change_count < 20);
    assert_int_equal(slot_of(s, 0), 0);
    for (uint32_t e = 397; e < N; e++) assert_true(slot_of(s, e) > 0);
    scene_destroy(s);
}

static void test_view_more_around_than_slots_sees_the_nearest(void **state) {
    (void)state;
    enum { N = 1500, SLOTS = 256 };
    struct scene *s = scene_create(SLOTS, N);
    for (uint32_t e = 1; e < N; e++) {
        spawn_still(s->f, e, (int32_t)fixture_random(s->f, 100) - 50, (int32_t)fixture_random(s->f, 100) - 50);
    }
    for (int b = 0; b < 60; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
    }
    assert_true(s->result.in_view > SLOTS * 3 / 4 && s->result.in_view <= SLOTS);
    int64_t farthest_seen = 0, nearest_unseen = INT64_MAX;
    for (uint32_t e = 0; e < N; e++) {
        int64_t x = s->f->entities[e].state.x, y = s->f->entities[e].state.y, d2 = x * x + y * y;
        if (slot_of(s, e) >= 0) {
            farthest_seen = d2 > farthest_seen ? d2 : farthest_seen;
        } else {
            nearest_unseen = d2 < nearest_unseen ? d2 : nearest_unseen;
        }
    }
    assert_true(farthest_seen < nearest_unseen);
    assert_int_equal(views_stats(s->views)->slots_full, 0);
    scene_destroy(s);
}

static void test_view_crowd_on_one_spot_fills_the_slots_and_counts(void **state) {
    (void)state;
    enum { N = 1000, SLOTS = 100 };
    struct scene *s = scene_create(SLOTS, N);
    for (uint32_t e = 1; e < N; e++) spawn_still(s->f, e, 1, 1);
    for (int b = 0; b < 20; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
    }
    assert_int_equal(s->result.in_view, SLOTS);
    assert_int_equal(slot_of(s, 0), 0);
    assert_true(views_stats(s->views)->slots_full > 0);
    scene_destroy(s);
}

static void test_view_exactly_as_many_as_slots_sees_all(void **state) {
    (void)state;
    enum { N = 1000 };
    struct scene *s = scene_create(1024, N);
    for (uint32_t e = 1; e < N; e++) {
        spawn_still(s->f, e, (int32_t)fixture_random(s->f, 80) - 40, (int32_t)fixture_random(s->f, 80) - 40);
    }
    uint32_t builds = 0;
    do {
        s->f->world.tick += 3;
        build_and_ack(s);
        assert_true(++builds < 40);
    } while (s->result.deferred > 0);
    for (uint32_t e = 0; e < N; e++) assert_true(slot_of(s, e) >= 0);
    scene_destroy(s);
}

static void test_view_silent_client_fills_log_then_recovers(void **state) {
    (void)state;
    enum { N = 900 };
    struct scene *s = scene_create(1024, N);
    for (uint32_t e = 1; e < N; e++) {
        spawn_still(s->f, e, (int32_t)fixture_random(s->f, 80) - 40, (int32_t)fixture_random(s->f, 80) - 40);
    }
    for (int b = 0; b < 200; b++) { /* nothing arrives */
        s->f->world.tick += 3;
        for (uint32_t e = 0; e < N; e++) s->f->entities[e].state.health++;
        build(s, BYTES_MAX);
    }
    assert_true(views_stats(s->views)->log_full > 0);
    assert_true(views_stats(s->views)->lost >= 200 - VIEW_SNAPSHOTS_MAX);
    for (int b = 0; b < 60; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
    }
    assert_int_equal(s->result.updates, 0);
    for (uint32_t e = 0; e < N; e++) {
        int slot = slot_of(s, e);
        assert_true(slot >= 0);
        const struct snapshot_slot *seen = &s->table->slots[slot];
        assert_int_equal(seen->states[seen->newest].health, s->f->entities[e].state.health);
    }
    scene_destroy(s);
}

static void test_view_still_world_sends_nothing(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 20);
    for (uint32_t e = 1; e < 20; e++) spawn_still(s->f, e, (int32_t)e, 0);
    build_and_ack(s);
    assert_int_equal(s->result.updates, 20);
    for (int b = 0; b < 10; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
        assert_int_equal(s->result.updates, 0);
        assert_int_equal(s->result.len, SNAPSHOT_HEADER_BYTES + 1);
    }
    scene_destroy(s);
}

static void test_view_straight_walk_is_predicted(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    spawn_still(s->f, 1, -20, 3);
    s->f->entities[1].state.vx = 123;
    build_and_ack(s);
    for (int tick = 0; tick < 300; tick++) {
        fixture_step(s->f);
        build_and_ack(s);
        assert_int_equal(s->result.updates, 0);
    }
    scene_destroy(s);
}

static void test_view_lost_update_is_sent_again_after_three_newer_acks(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    spawn_still(s->f, 1, 5, 5);
    build_and_ack(s);
    s->f->world.tick += 3;
    s->f->entities[1].state.health = 10;
    build(s, BYTES_MAX); /* lost */
    assert_int_equal(s->result.updates, 1);
    for (int b = 0; b < 3; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
        assert_int_equal(s->result.updates, 0);
    }
    s->f->world.tick += 3;
    build_and_ack(s);
    assert_int_equal(s->result.updates, 1);
    assert_int_equal(s->table->slots[1].states[s->table->slots[1].newest].health, 10);
    assert_int_equal(views_stats(s->views)->lost, 1);
    scene_destroy(s);
}

static void test_view_removal_repeats_until_acknowledged_and_keeps_the_slot(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 4);
    spawn_still(s->f, 1, 5, 5);
    build_and_ack(s);
    s->f->alive[1] = false;
    spawn_still(s->f, 2, 6, 6);
    for (int b = 0; b < 3; b++) {
        s->f->world.tick += 3;
        build(s, BYTES_MAX); /* lost */
        assert_int_equal(s->result.removals, 1);
        assert_int_equal(scene_record(s, 2)->entity, 2); /* slot 1 is not free yet */
    }
    s->f->world.tick += 3;
    build_and_ack(s);
    assert_int_equal(slot_of(s, 1), -1);
    s->f->world.tick += 3;
    spawn_still(s->f, 3, 7, 7);
    build_and_ack(s);
    assert_int_equal(s->result.removals, 0);
    assert_int_equal(slot_of(s, 3), 1);
    scene_destroy(s);
}

static void change_and_build(struct scene *s) {
    s->f->world.tick += 3;
    s->f->entities[1].state.health--;
    build(s, BYTES_MAX);
    deliver(s); /* arrives; acknowledging it is up to the test */
}

static void test_view_sixteen_versions_unacknowledged_sends_full(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    spawn_still(s->f, 1, 5, 5);
    build_and_ack(s);
    for (uint32_t b = 1; b <= 300; b++) { /* more than a version's 8 bits */
        change_and_build(s);
        assert_int_equal(s->table->change_count, 1);
        assert_int_equal(s->table->changes[0].full, b >= 16);
    }
    view_ack(s->views, 0, s->result.seq);
    change_and_build(s);
    assert_int_equal(s->table->changes[0].full, false);
    scene_destroy(s);
}

static void test_view_ack_of_a_version_the_client_may_have_overwritten_sends_full(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    spawn_still(s->f, 1, 5, 5);
    build_and_ack(s);
    uint16_t seqs[30];
    for (uint32_t b = 0; b < 30; b++) {
        change_and_build(s);
        seqs[b] = s->result.seq;
    }
    view_ack(s->views, 0, seqs[14]); /* 15 versions back: the next would be 16 from it */
    change_and_build(s);
    assert_int_equal(s->table->changes[0].full, true);
    view_ack(s->views, 0, seqs[17]);
    change_and_build(s);
    assert_int_equal(s->table->changes[0].full, false);
    scene_destroy(s);
}

static void test_view_acks_out_of_order_keep_the_newest_baseline(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    spawn_still(s->f, 1, 5, 5);
    build_and_ack(s);
    change_and_build(s);
    uint16_t older = s->result.seq;
    change_and_build(s);
    view_ack(s->views, 0, s->result.seq);
    uint8_t version = scene_view(s)->chunks[0].baselines[1].version;
    view_ack(s->views, 0, older);
    assert_int_equal(scene_view(s)->chunks[0].baselines[1].version, version);
    assert_int_equal(scene_view(s)->chunks[0].baselines[1].state.health, s->f->entities[1].state.health);
    scene_destroy(s);
}

static void test_view_lost_update_that_a_newer_one_replaced_is_not_sent_again(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    spawn_still(s->f, 1, 5, 5);
    build_and_ack(s);
    s->f->world.tick += 3;
    s->f->entities[1].state.health = 10;
    build(s, BYTES_MAX); /* lost */
    s->f->entities[1].state.health = 20;
    for (int b = 0; b < 6; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
        assert_int_equal(s->result.updates, b == 0);
    }
    assert_int_equal(views_stats(s->views)->lost, 1);
    scene_destroy(s);
}

static void test_view_empty_snapshots_in_flight_take_no_log(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    spawn_still(s->f, 1, 5, 5);
    build(s, BYTES_MAX);
    for (int b = 0; b < 5; b++) build(s, BYTES_MAX);
    s->f->entities[1].state.health = 20;
    build(s, BYTES_MAX);
    assert_int_equal(s->result.updates, 1);
    assert_int_equal(s->result.deferred, 0);
    scene_destroy(s);
}

static void test_view_few_slots_left_those_inside_come_before_those_on_the_edge(void **state) {
    (void)state;
    enum { HALF = 60, SLOTS = 64 };
    struct scene *s = scene_create(SLOTS, 2 * HALF + 1);
    for (uint32_t e = 1; e <= HALF; e++) spawn_still(s->f, e, 55, 0);
    build_and_ack(s);
    assert_int_equal(s->result.in_view, HALF + 1);
    for (uint32_t e = 1; e <= HALF; e++) fixture_place(s->f, e, 63 * 65536, 0); /* out, but within 10 % */
    for (uint32_t e = HALF + 1; e <= 2 * HALF; e++) spawn_still(s->f, e, 50, 0);
    for (int b = 0; b < 3; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
    }
    for (uint32_t e = HALF + 1; e <= 2 * HALF; e++) assert_true(slot_of(s, e) > 0);
    scene_destroy(s);
}

static void test_view_unknown_acks_are_counted_and_ignored(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    view_ack(s->views, 0, 0);
    build(s, BYTES_MAX);
    view_ack(s->views, 0, (uint16_t)(s->result.seq + 1));
    view_ack(s->views, 0, (uint16_t)(s->result.seq - 1));
    view_ack(s->views, 0, (uint16_t)(s->result.seq + VIEW_SNAPSHOTS_MAX));
    assert_int_equal(views_stats(s->views)->unknown_acks, 4);
    assert_false(scene_view(s)->chunks[0].baselines[0].known);
    view_ack(s->views, 0, s->result.seq);
    assert_true(scene_view(s)->chunks[0].baselines[0].known);
    view_ack(s->views, 0, s->result.seq); /* twice */
    assert_int_equal(views_stats(s->views)->unknown_acks, 5);
    scene_destroy(s);
}

static void test_view_reset_begins_a_stream_that_empties_the_table(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 20);
    for (uint32_t e = 1; e < 20; e++) spawn_still(s->f, e, (int32_t)e, 0);
    for (int b = 0; b < 5; b++) build_and_ack(s);
    uint16_t old_seq = (uint16_t)(s->result.seq - 4); /* the first of its stream */
    view_reset(s->views, 0, 9);
    for (uint32_t e = 10; e < 20; e++) s->f->alive[e] = false;
    s->f->world.tick += 3;
    build(s, BYTES_MAX);
    view_ack(s->views, 0, old_seq); /* late, of the old stream */
    assert_int_equal(views_stats(s->views)->unknown_acks, 1);
    deliver(s);
    assert_true(s->table->fresh);
    assert_int_equal(s->table->header.stream, 9);
    assert_int_equal(s->table->change_count, 10);
    assert_int_equal(s->table->slots_used, 10);
    scene_destroy(s);
}

static void test_view_own_entity_replaced_takes_slot_0_after_removal(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 3);
    spawn_still(s->f, 1, 5, 5);
    build_and_ack(s);
    s->request.own = 1; /* seen as another so far, in slot 1 */
    for (int b = 0; b < 3; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
    }
    assert_int_equal(slot_of(s, 1), 0);
    assert_true(slot_of(s, 0) > 0);
    assert_int_equal(s->result.in_view, 2);
    s->request.own = VIEW_OWN_NONE; /* dead: it sees the others on */
    for (int b = 0; b < 3; b++) {
        s->f->world.tick += 3;
        build_and_ack(s);
    }
    assert_int_equal(s->table->slots[0].id, 0);
    assert_true(slot_of(s, 0) > 0 && slot_of(s, 1) > 0);
    scene_destroy(s);
}

static void test_view_tick_wrap_predicts_on(void **state) {
    (void)state;
    struct scene *s = scene_create(64, 2);
    s->f->world.tick = 0xffffffffu; /* and wraps */
    spawn_still(s->f, 1, 5, 5);
    s->f->entities[1].state.vx = 100;
    for (int b = 0; b < 5; b++) {
        build_and_ack(s);
        assert_int_equal(s->result.updates, b == 0 ? 2 : 0);
        fixture_step(s->f);
    }
    scene_destroy(s);
}

static void test_views_create_refuses_limits_out_of_range(void **state) {
    (void)state;
    struct views_config config = config_with_slots(VIEW_SLOTS_MAX + 1);
    assert_null(views_create(&config));
    config = config_with_slots(1);
    assert_null(views_create(&config));
    config = config_with_slots(64);
    config.entities_max = 65536;
    assert_null(views_create(&config));
    config = config_with_slots(64);
    config.clients_max = 0;
    assert_null(views_create(&config));
    views_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_tight_budget_serves_every_entity_within_a_bound),
        cmocka_unit_test(test_view_tight_budget_prefers_near_group_and_target),
        cmocka_unit_test(test_view_more_around_than_slots_sees_the_nearest),
        cmocka_unit_test(test_view_crowd_on_one_spot_fills_the_slots_and_counts),
        cmocka_unit_test(test_view_exactly_as_many_as_slots_sees_all),
        cmocka_unit_test(test_view_silent_client_fills_log_then_recovers),
        cmocka_unit_test(test_view_still_world_sends_nothing),
        cmocka_unit_test(test_view_straight_walk_is_predicted),
        cmocka_unit_test(test_view_lost_update_is_sent_again_after_three_newer_acks),
        cmocka_unit_test(test_view_removal_repeats_until_acknowledged_and_keeps_the_slot),
        cmocka_unit_test(test_view_sixteen_versions_unacknowledged_sends_full),
        cmocka_unit_test(test_view_ack_of_a_version_the_client_may_have_overwritten_sends_full),
        cmocka_unit_test(test_view_acks_out_of_order_keep_the_newest_baseline),
        cmocka_unit_test(test_view_lost_update_that_a_newer_one_replaced_is_not_sent_again),
        cmocka_unit_test(test_view_empty_snapshots_in_flight_take_no_log),
        cmocka_unit_test(test_view_few_slots_left_those_inside_come_before_those_on_the_edge),
        cmocka_unit_test(test_view_unknown_acks_are_counted_and_ignored),
        cmocka_unit_test(test_view_reset_begins_a_stream_that_empties_the_table),
        cmocka_unit_test(test_view_own_entity_replaced_takes_slot_0_after_removal),
        cmocka_unit_test(test_view_tick_wrap_predicts_on),
        cmocka_unit_test(test_views_create_refuses_limits_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
