/* Where players are brought. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/compass.h"
#include "schemas/cells.h"

#define M 65536 /* a metre */

/* Three slots: 0 has what is west of 0, 1 what is east of it, 2 is spare. */
static struct directory directory_of_two(void) {
    return (struct directory){
        .version = 5,
        .worker_count = 3,
        .partition_count = 2,
        .workers = {{11, WIRE_WORKER_ACTIVE, 0}, {12, WIRE_WORKER_ACTIVE, 0}, {13, WIRE_WORKER_SPARE, 0}},
        .partitions = {{.rect = {-100, 0, 0, 100}, .id = 0, .owner = 0, .former = WIRE_SLOT_NONE},
                       {.rect = {0, 0, 100, 100}, .id = 1, .owner = 1, .former = WIRE_SLOT_NONE}}};
}

static void take(struct compass *compass, struct directory *d) {
    d->version++;
    struct wire_directory view = directory_view(d);
    assert_true(compass_take(compass, &view));
    assert_false(compass_take(compass, &view));
}

static void test_compass_known_place_goes_to_its_owner(void **state) {
    (void)state;
    static const struct {
        int32_t x, y;
        uint32_t slot;
    } cases[] = {{-1, 0, 0}, {-100 * M, 100 * M - 1, 0}, {0, 0, 1}, {100 * M - 1, 5 * M, 1}};
    static struct compass compass;
    struct directory d = directory_of_two();
    compass_init(&compass, &d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(compass_at(&compass, cases[i].x, cases[i].y, 7), cases[i].slot);
}

static void test_compass_unknown_players_are_spread_over_owners(void **state) {
    (void)state;
    static struct compass compass;
    struct directory d = directory_of_two();
    unsigned counts[3] = {0};
    compass_init(&compass, &d);
    for (uint64_t player = 1; player <= 3000; player++) {
        uint32_t slot = compass_spawn(&compass, player);
        assert_int_equal(slot, compass_at(&compass, 0, -1, player)); /* outside the world: the same */
        counts[slot]++;
    }
    assert_int_equal(counts[2], 0);
    assert_in_range(counts[0], 1300, 1700);
    d.partitions[0].owner = WIRE_SLOT_NONE;
    take(&compass, &d);
    assert_int_equal(compass_spawn(&compass, 1) + compass_spawn(&compass, 2) + compass_spawn(&compass, 3), 3);
    d.partition_count = 0;
    take(&compass, &d);
    assert_int_equal(compass_spawn(&compass, 9), 0);
    assert_int_equal(compass_successor(&compass, 2, 9), 0);
}

static void test_compass_dead_slot_is_succeeded_by_who_has_its_place(void **state) {
    (void)state;
    static struct compass compass;
    struct directory d = directory_of_two();
    compass_init(&compass, &d);
    d.workers[1].incarnation = 0;
    take(&compass, &d);
    assert_int_equal(compass_successor(&compass, 1, 9), 1); /* nobody else has been named */
    d.partitions[1].owner = WIRE_SLOT_NONE;
    take(&compass, &d);
    assert_int_equal(compass_successor(&compass, 1, 9), 1);
    assert_int_equal(compass_at(&compass, 5 * M, 5 * M, 9), 1); /* who comes now waits with the others */
    take(&compass, &d);                                         /* and it is not forgotten by the next version */
    d.partitions[1].owner = 2;
    take(&compass, &d);
    assert_int_equal(compass_successor(&compass, 1, 9), 2);
    assert_int_equal(compass_at(&compass, 5 * M, 5 * M, 9), 2);
}

static void test_compass_slot_of_several_parts_has_several_successors(void **state) {
    (void)state;
    static struct compass compass;
    struct directory d = directory_of_two();
    d.partitions[1].owner = 0;
    compass_init(&compass, &d);
    d.partitions[0].owner = 1;
    d.partitions[1].owner = 2;
    take(&compass, &d);
    unsigned counts[3] = {0};
    for (uint64_t player = 1; player <= 100; player++) counts[compass_successor(&compass, 0, player)]++;
    assert_int_equal(counts[0], 0);
    assert_in_range(counts[1], 30, 70);
    assert_in_range(counts[2], 30, 70);
    assert_true(compass_successor(&compass, 2, 1) == 2); /* owns something itself */
}

static void test_compass_extreme_rectangles_and_owners_are_harmless(void **state) {
    (void)state;
    static struct compass compass;
    struct directory d = {.version = 1, .worker_count = 1, .partition_count = WIRE_PARTITIONS_MAX};
    for (uint32_t i = 0; i < WIRE_PARTITIONS_MAX; i++) {
        d.partitions[i] = (struct wire_directory_partition){.rect = {INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX},
                                                            .owner = i % 2 ? 0 : 1000 + i};
    }
    compass_init(&compass, &d);
    assert_int_equal(compass.owned[0].count, COMPASS_PLACES_MAX);
    (void)compass_at(&compass, INT32_MAX, INT32_MIN, UINT64_MAX);
    (void)compass_successor(&compass, 0, 0);
}

/* 2 has a block, too. */
static void add_block(struct directory *d) {
    d->partitions[d->partition_count++] = (struct wire_directory_partition){
        .rect = {500, 0, 600, 100}, .id = CELLS_BLOCK_BIT, .owner = 2, .former = WIRE_SLOT_NONE};
}

static void test_compass_brings_nobody_into_a_block_but_whose_place_is_there(void **state) {
    (void)state;
    static struct compass compass;
    struct directory d = directory_of_two();
    add_block(&d);
    compass_init(&compass, &d);
    for (uint64_t player = 1; player <= 100; player++) {
        assert_true(compass_spawn(&compass, player) < 2);
        assert_true(compass_at(&compass, 400 * M, 50 * M, player) < 2); /* nowhere */
        assert_int_equal(compass_at(&compass, 550 * M, 50 * M, player), 2);
    }
}

static void test_compass_players_of_a_block_whose_owner_died_go_home(void **state) {
    (void)state;
    static struct compass compass;
    struct directory d = directory_of_two();
    add_block(&d);
    compass_init(&compass, &d);
    d.partitions[2].owner = WIRE_SLOT_NONE;
    take(&compass, &d);
    unsigned counts[3] = {0};
    for (uint64_t player = 1; player <= 100; player++) {
        assert_int_equal(compass_successor(&compass, 2, player), compass_spawn(&compass, player));
        assert_int_equal(compass_at(&compass, 550 * M, 50 * M, player), compass_spawn(&compass, player));
        counts[compass_spawn(&compass, player)]++;
    }
    assert_in_range(counts[0], 30, 70);
    assert_int_equal(counts[0] + counts[1], 100);
    d.partitions[0].owner = 2; /* a slot that has both is remembered by what it has of the world */
    d.partitions[2].owner = 2;
    take(&compass, &d);
    d.partitions[0].owner = 0;
    d.partitions[2].owner = WIRE_SLOT_NONE;
    take(&compass, &d);
    for (uint64_t player = 1; player <= 100; player++) assert_int_equal(compass_successor(&compass, 2, player), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compass_known_place_goes_to_its_owner),
        cmocka_unit_test(test_compass_unknown_players_are_spread_over_owners),
        cmocka_unit_test(test_compass_dead_slot_is_succeeded_by_who_has_its_place),
        cmocka_unit_test(test_compass_slot_of_several_parts_has_several_successors),
        cmocka_unit_test(test_compass_brings_nobody_into_a_block_but_whose_place_is_there),
        cmocka_unit_test(test_compass_players_of_a_block_whose_owner_died_go_home),
        cmocka_unit_test(test_compass_extreme_rectangles_and_owners_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
