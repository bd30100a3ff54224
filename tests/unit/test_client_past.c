/* test_client_past.c: what is kept of a view when a stream of snapshots ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/client/client_past.h"

#define SLOTS 4

static struct client_past past;
static struct snapshot_table *table;
static struct mono now;

static int setup(void **state) {
    (void)state;
    now = (struct mono){NS_PER_S};
    table = snapshot_table_create(SLOTS);
    return client_past_init(&past, SLOTS);
}

static int teardown(void **state) {
    (void)state;
    client_past_deinit(&past);
    client_past_deinit(&past);
    snapshot_table_destroy(table);
    return 0;
}

/* put has a snapshot fill a slot: in full, so that who is in it can change. */
static void put(uint16_t slot, uint64_t id, uint8_t version, uint32_t tick) {
    struct snapshot_change change = {.slot = slot, .version = version, .full = true, .id = id, .state = {.tick = tick}};
    table->changes[0] = change;
    table->change_count = 1;
    table->removal_count = 0;
    snapshot_table_apply(table);
}

static void take_out(uint16_t slot) {
    table->change_count = 0;
    table->removal_count = 1;
    table->removals[0] = slot;
    snapshot_table_apply(table);
}

/* cross ends the stream. */
static void cross(void) {
    client_past_keep(&past, now, table);
    snapshot_table_reset(table);
    table->fresh = false; /* the table is empty as it is */
    client_past_follow(&past, now, table);
}

static void pass(unsigned ms) {
    now = mono_add_ms(now, ms);
}

static const struct client_past_entity *find(uint64_t id) {
    for (uint32_t i = 0; i < past.count; i++)
        if (past.entities[i].id == id) return &past.entities[i];
    return NULL;
}

static bool shows(uint64_t id) {
    const struct client_past_entity *entity = find(id);
    return entity != NULL && client_past_shows(entity, now);
}

static void test_client_past_keeps_the_newest_states_in_order(void **state) {
    (void)state;
    static const uint32_t ticks[] = {0xfffffff0u, 0xfffffffau, 4,
                                     14,          24,          34}; /* across the wrap; versions in another order */
    for (uint8_t i = 0; i < 6; i++) put(1, 7, (uint8_t)(i * 5 % 16), ticks[i]);
    cross();
    const struct client_past_entity *entity = find(7);
    assert_non_null(entity);
    assert_int_equal(entity->count, CLIENT_PAST_STATES);
    for (unsigned i = 0; i < CLIENT_PAST_STATES; i++) assert_int_equal(entity->states[i].tick, ticks[5 - i]);
    assert_false(entity->own);
    client_past_shift(&past, -40);
    assert_int_equal(entity->states[0].tick, 0u - 6);
}

static void test_client_past_is_handed_on_with_what_was_before(void **state) {
    (void)state;
    uint16_t of_slot[SNAPSHOT_SLOTS_MAX];
    for (uint8_t i = 0; i < 3; i++) put(0, 7, i, 100u + i * 10);
    cross();
    assert_true(shows(7) && find(7)->own);
    put(2, 7, 0, 110); /* a clock that is a little behind: what is not before it does not count */
    client_past_follow(&past, now, table);
    assert_false(shows(7));
    assert_true(find(7)->count == 1 && find(7)->states[0].tick == 100);
    client_past_index(&past, of_slot);
    assert_true(of_slot[2] == 1 && of_slot[0] == 0);
    put(2, 7, 1, 120);
    client_past_follow(&past, now, table);
    pass(10);
    cross(); /* the next stream has the states of both */
    assert_int_equal(find(7)->count, 3);
    assert_int_equal(find(7)->states[0].tick, 120);
    assert_int_equal(find(7)->states[2].tick, 100);
    assert_true(shows(7));
    put(1, 7, 0, 90); /* before all that is known */
    client_past_follow(&past, now, table);
    assert_null(find(7));
    assert_int_equal(past.blinks, 0);
}

static void test_client_past_shows_for_a_time_and_counts_blinks(void **state) {
    (void)state;
    static const struct {
        unsigned after_ms;
        unsigned blinks;
        bool shown_before;
    } cases[] = {{0, 0, true},
                 {CLIENT_PAST_KEEP_MS - 1, 0, true},
                 {CLIENT_PAST_KEEP_MS, 1, false},
                 {CLIENT_PAST_KEEP_MS + CLIENT_PAST_BLINK_MS - 1, 1, false},
                 {CLIENT_PAST_KEEP_MS + CLIENT_PAST_BLINK_MS, 0, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = past.blinks;
        put(1, 100 + i, 0, 100);
        cross();
        pass(cases[i].after_ms);
        assert_int_equal(shows(100 + i), cases[i].shown_before);
        put(1, 100 + i, 0, 200);
        client_past_follow(&past, now, table);
        assert_int_equal(past.blinks - before, cases[i].blinks);
        client_past_reset(&past);
    }
}

static void test_client_past_what_the_new_stream_takes_away_is_gone(void **state) {
    (void)state;
    put(1, 7, 0, 100);
    put(2, 8, 0, 100);
    cross();
    put(3, 7, 0, 110);
    client_past_follow(&past, now, table);
    put(2, 8, 0, 110);
    client_past_follow(&past, now, table);
    take_out(3);
    client_past_follow(&past, now, table);
    put(2, 9, 1, 120); /* and a slot that has another tenant */
    client_past_follow(&past, now, table);
    assert_false(shows(7));
    assert_false(shows(8));
    pass(CLIENT_PAST_BLINK_MS - 1);
    put(1, 7, 0, 200);
    client_past_follow(&past, now, table);
    assert_int_equal(past.blinks, 1);
    pass(1);
    put(3, 8, 0, 200);
    client_past_follow(&past, now, table);
    assert_int_equal(past.blinks, 1);
    assert_int_equal(past.count, 0);
}

static void test_client_past_owes_for_several_streams_and_is_bounded(void **state) {
    (void)state;
    for (uint64_t stream = 0; stream < 20; stream++) { /* each shows two of its own, for 10 ms */
        put(1, 100 + 2 * stream, 0, 100);
        put(2, 101 + 2 * stream, 0, 100);
        cross();
        pass(10);
        assert_in_range(past.count, 2, SLOTS);
        assert_true(shows(100 + 2 * stream) && shows(101 + 2 * stream));
        if (stream > 0) assert_true(shows(98 + 2 * stream) && shows(99 + 2 * stream));
        if (stream > 1) assert_false(shows(96 + 2 * stream));
    }
    pass(CLIENT_PAST_KEEP_MS - 20); /* each has its own time, however many streams end meanwhile */
    assert_false(shows(136));
    assert_true(shows(138));
}

static void test_client_past_another_own_entity_takes_the_place_of_the_old(void **state) {
    (void)state;
    put(0, 7, 0, 100);
    put(1, 8, 0, 100);
    cross();
    put(0, 9, 0, 110);
    client_past_follow(&past, now, table);
    assert_null(find(7));
    assert_true(shows(8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_past_keeps_the_newest_states_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_past_is_handed_on_with_what_was_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_past_shows_for_a_time_and_counts_blinks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_past_what_the_new_stream_takes_away_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_past_owes_for_several_streams_and_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_past_another_own_entity_takes_the_place_of_the_old, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
