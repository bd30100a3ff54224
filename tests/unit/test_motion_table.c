/* The hot table against a naive twin: random takes, drops, pushes and pops, with few ids so that they collide and run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "persist/motion_table.h"

#define CAPACITY 50
#define IDS      120
#define STEPS    200000

struct twin {
    bool there[IDS];
    uint64_t queue[MOTION_QUEUES_COUNT][CAPACITY]; /* ids, oldest first */
    uint32_t queued[MOTION_QUEUES_COUNT];
    uint32_t count;
};

static bool twin_queued(const struct twin *twin, unsigned which, uint64_t id) {
    for (uint32_t i = 0; i < twin->queued[which]; i++) {
        if (twin->queue[which][i] == id) return true;
    }
    return false;
}

static void step_take(struct motion_table *table, struct twin *twin, uint64_t id) {
    struct motion_entry *entry = motion_table_take(table, id);
    bool room = twin->there[id] || twin->count < CAPACITY;
    assert_int_equal(entry != NULL, room);
    if (!room) return;
    assert_int_equal(entry->state.player, id);
    assert_ptr_equal(entry, motion_table_find(table, id));
    twin->count += !twin->there[id];
    twin->there[id] = true;
}

static void step_drop(struct motion_table *table, struct twin *twin, uint64_t id) {
    if (!twin->there[id] || twin_queued(twin, 0, id) || twin_queued(twin, 1, id)) return;
    motion_table_drop(table, motion_table_find(table, id));
    twin->there[id] = false;
    twin->count--;
}

static void step_push(struct motion_table *table, struct twin *twin, unsigned which, uint64_t id) {
    if (!twin->there[id]) return;
    motion_table_push(table, which, motion_table_find(table, id));
    if (!twin_queued(twin, which, id)) twin->queue[which][twin->queued[which]++] = id;
}

static void step_pop(struct motion_table *table, struct twin *twin, unsigned which) {
    struct motion_entry *entry = motion_table_pop(table, which);
    assert_int_equal(entry != NULL, twin->queued[which] > 0);
    if (!entry) return;
    assert_int_equal(entry->state.player, twin->queue[which][0]);
    memmove(twin->queue[which], twin->queue[which] + 1, --twin->queued[which] * sizeof(uint64_t));
}

static void test_motion_table_agrees_with_its_twin(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct motion_table table;
        assert_int_equal(motion_table_init(&table, CAPACITY, seed), 0);
        struct twin twin = {0};
        srand((unsigned)seed);
        for (int step = 0; step < STEPS; step++) {
            uint64_t id = (uint64_t)rand() % (IDS - 1) + 1;
            unsigned which = (unsigned)rand() % 2;
            switch (rand() % 5) {
            case 0: step_take(&table, &twin, id); break;
            case 1:
            case 2: step_drop(&table, &twin, id); break;
            case 3: step_push(&table, &twin, which, id); break;
            default: step_pop(&table, &twin, which);
            }
            assert_int_equal(table.count, twin.count);
            assert_int_equal(motion_table_find(&table, id) != NULL, twin.there[id]);
        }
        for (uint64_t id = 1; id < IDS; id++) assert_int_equal(motion_table_find(&table, id) != NULL, twin.there[id]);
        motion_table_deinit(&table);
    }
}

static void test_motion_table_grown_keeps_entries_and_queues(void **state) {
    (void)state;
    struct motion_table table;
    assert_int_equal(motion_table_init(&table, 3, 7), 0);
    for (uint64_t id = 1; id <= 1000; id++) {
        struct motion_entry *entry = motion_table_take(&table, id);
        if (!entry) {
            assert_int_equal(motion_table_grow(&table), 0);
            entry = motion_table_take(&table, id);
        }
        motion_table_push(&table, MOTION_QUEUE_DIRTY, entry);
        if (id % 3 == 0) motion_table_push(&table, MOTION_QUEUE_HOT, entry);
    }
    assert_int_equal(table.count, 1000);
    for (uint64_t id = 1; id <= 1000; id++) assert_int_equal(motion_table_find(&table, id)->state.player, id);
    for (uint64_t id = 1; id <= 1000; id++) assert_int_equal(motion_table_pop(&table, MOTION_QUEUE_DIRTY)->state.player, id);
    for (uint64_t id = 3; id <= 1000; id += 3)
        assert_int_equal(motion_table_pop(&table, MOTION_QUEUE_HOT)->state.player, id);
    motion_table_deinit(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_motion_table_agrees_with_its_twin),
        cmocka_unit_test(test_motion_table_grown_keeps_entries_and_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
