/* test_atlas_blocks.c: who has the blocks in which instances are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemas/cells.h"
#include "tests/unit/atlas_fixture.h"

#define NONE     WIRE_SLOT_NONE
#define BLOCK(n) (CELLS_BLOCK_BIT | (n))

static void add_blocks(struct directory *d, uint32_t count) {
    atlas_fixture_add_blocks(d, count, 2000, 1000, 500);
}

/* A running cluster of 4 partitions with so many spares and blocks, of which slots from `present` on are not there yet. */
static struct atlas_fixture *begin(uint32_t spares, uint32_t blocks, uint32_t present) {
    struct atlas_config config = atlas_fixture_config(spares, 0, 1);
    add_blocks(&config.initial, blocks);
    struct atlas_fixture *f = atlas_fixture_create(&config);
    for (uint32_t i = 0; i < present; i++) atlas_fixture_start(f, i);
    atlas_fixture_run(f, ATLAS_GATHER_MS + 500);
    return f;
}

static void test_atlas_blocks_go_to_spares_of_their_own(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(3, 2, 7);
    for (uint32_t i = 0; i < 4; i++) assert_owner(f, i, i);
    assert_owner(f, BLOCK(0), 4);
    assert_owner(f, BLOCK(1), 5);
    assert_int_equal(f->atlas.told.workers[4].state, WIRE_WORKER_ACTIVE);
    assert_int_equal(f->atlas.told.workers[6].state, WIRE_WORKER_SPARE);
    assert_true(atlas_fixture_partition(f, BLOCK(0))->epoch > 1);
    free(f);
}

static void test_atlas_block_waits_for_a_spare_and_the_world_does_not_wait_for_it(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 2, 5);
    assert_owner(f, BLOCK(0), 4);
    assert_owner(f, BLOCK(1), NONE);
    assert_true(atlas_is_ready(&f->atlas));
    atlas_fixture_kill(f, 4);
    atlas_fixture_run(f, 500);
    assert_owner(f, BLOCK(0), NONE); /* no owner of a part of the world gets it */
    atlas_fixture_start(f, 4);
    atlas_fixture_run(f, 500);
    assert_owner(f, BLOCK(0), 4);
    assert_owner(f, BLOCK(1), NONE);
    free(f);
}

static void test_atlas_block_of_the_dead_goes_to_a_spare_after_the_fence(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 1, 6);
    assert_owner(f, BLOCK(0), 4);
    f->shards_away = 1;
    atlas_fixture_kill(f, 4);
    atlas_fixture_run(f, 500);
    assert_owner(f, BLOCK(0), NONE);
    f->shards_away = 0;
    atlas_fixture_run(f, 200);
    assert_owner(f, BLOCK(0), 5);
    free(f);
}

static void test_atlas_of_block_and_world_the_world_gets_the_spare(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 1, 6);
    atlas_fixture_kill(f, 4);
    atlas_fixture_kill(f, 2);
    atlas_fixture_run(f, 500);
    assert_owner(f, 2, 5);
    assert_owner(f, BLOCK(0), NONE);
    atlas_fixture_start(f, 2);
    atlas_fixture_run(f, 500);
    assert_owner(f, 2, 5);
    assert_owner(f, BLOCK(0), 2);
    free(f);
}

static void test_atlas_block_leaves_the_last_spare_to_a_part_that_is_not_fenced_yet(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 1, 4);
    assert_owner(f, BLOCK(0), NONE);
    f->shards_away = 1;
    atlas_fixture_kill(f, 0);
    atlas_fixture_run(f, 500);
    atlas_fixture_start(f, 4);
    atlas_fixture_run(f, 500);
    assert_int_equal(f->atlas.told.workers[4].state, WIRE_WORKER_SPARE);
    assert_owner(f, 0, NONE);
    assert_owner(f, BLOCK(0), NONE);
    f->shards_away = 0;
    atlas_fixture_run(f, 500);
    assert_owner(f, 0, 4);
    atlas_fixture_start(f, 0);
    atlas_fixture_run(f, 500);
    assert_owner(f, 0, 4);
    assert_owner(f, BLOCK(0), 0);
    free(f);
}

static void test_atlas_block_drains_to_a_spare_and_back(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 1, 6);
    atlas_fixture_hold(f, 4, BLOCK(0), 5, 20, 0);
    assert_int_equal(atlas_drain(&f->atlas, 4, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, BLOCK(0), 5);
    assert_former(f, BLOCK(0), 4);
    assert_int_equal(atlas_left(&f->atlas, 4).players, 5);
    assert_int_equal(atlas_undrain(&f->atlas, 4), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, BLOCK(0), 4);
    assert_former(f, BLOCK(0), NONE); /* slot 5 had nothing yet */
    assert_int_equal(atlas_drain(&f->atlas, 4, f->now), ATLAS_DONE);
    atlas_fixture_hold(f, 4, BLOCK(0), 0, 0, 0);
    atlas_fixture_run(f, 200);
    assert_owner(f, BLOCK(0), 5);
    assert_former(f, BLOCK(0), NONE);
    assert_int_equal(f->atlas.told.workers[4].state, WIRE_WORKER_SPARE);
    free(f);
}

static void test_atlas_block_drains_not_to_the_spare_that_the_world_waits_for(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 1, 6);
    f->shards_away = 1;
    atlas_fixture_kill(f, 3);
    atlas_fixture_run(f, 500);
    assert_int_equal(atlas_drain(&f->atlas, 4, f->now), ATLAS_NO_SPARE);
    f->shards_away = 0;
    atlas_fixture_run(f, 200);
    assert_owner(f, 3, 5);
    assert_owner(f, BLOCK(0), 4);
    free(f);
}

static void test_atlas_block_whose_new_owner_dies_goes_back_to_who_has_it_still(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 1, 6);
    atlas_fixture_hold(f, 4, BLOCK(0), 5, 20, 0);
    assert_int_equal(atlas_drain(&f->atlas, 4, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, BLOCK(0), 5);
    assert_int_equal(atlas_undrain(&f->atlas, 4), ATLAS_DONE);
    atlas_fixture_kill(f, 5);
    atlas_fixture_run(f, 500);
    assert_owner(f, BLOCK(0), 4);
    assert_former(f, BLOCK(0), NONE);
    free(f);
}

static void test_atlas_blocks_are_neither_split_nor_merged(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(3, 2, 7);
    assert_int_equal(atlas_split(&f->atlas, BLOCK(0)), ATLAS_BLOCK);
    assert_int_equal(atlas_merge(&f->atlas, BLOCK(0), BLOCK(1)), ATLAS_BLOCK);
    assert_int_equal(atlas_merge(&f->atlas, 0, BLOCK(1)), ATLAS_BLOCK);
    assert_int_equal(atlas_merge(&f->atlas, BLOCK(1), 0), ATLAS_BLOCK);
    assert_int_equal(atlas_merge(&f->atlas, BLOCK(1), BLOCK(1)), ATLAS_BLOCK);
    assert_int_equal(atlas_busiest(&f->atlas, 4), BLOCK(0));
    assert_int_equal(atlas_split(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, 4, 6); /* the new part has the next number of the world's */
    free(f);
}

static void test_atlas_numbers_of_parts_end_before_those_of_blocks(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(2, 0, 1);
    add_blocks(&config.initial, 1);
    config.initial.partitions[3].id = CELLS_BLOCK_BIT - 1;
    struct atlas_fixture *f = atlas_fixture_create(&config);
    for (uint32_t i = 0; i < 6; i++) atlas_fixture_start(f, i);
    atlas_fixture_run(f, 300);
    assert_int_equal(atlas_split(&f->atlas, 1), ATLAS_TOO_MANY);
    free(f);
}

static void test_atlas_balance_splits_the_world_and_not_a_block(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(3, 0, 1);
    config.balance = (struct atlas_balance){
        .is_on = true, .split_percent = 80, .merge_percent = 25, .hold_ms = 100, .pause_ms = 100, .side_m = 16};
    add_blocks(&config.initial, 1);
    struct atlas_fixture *f = atlas_fixture_create(&config);
    for (uint32_t i = 0; i < 7; i++) atlas_fixture_start(f, i);
    atlas_fixture_run(f, 300);
    assert_owner(f, BLOCK(0), 4);
    f->workers[4].report.busy_us = 16000;
    atlas_fixture_run(f, 2000);
    assert_int_equal(f->atlas.stats.splits, 0);
    f->workers[4].report.busy_us = 0;
    f->workers[1].report.busy_us = 16000;
    atlas_fixture_run(f, 400);
    assert_true(f->atlas.stats.splits > 0);
    assert_int_equal(atlas_fixture_partition(f, BLOCK(0))->rect.max_x, 2500);
    free(f);
}

static void test_atlas_busiest_part_of_who_has_both_is_of_the_world(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 1, 5);
    f->atlas.draft.partitions[4].owner = 1; /* as after a drain to the same worker */
    atlas_fixture_hold(f, 1, BLOCK(0), 50, 0, 0);
    atlas_fixture_report(f, 1);
    assert_int_equal(atlas_busiest(&f->atlas, 1), 1);
    free(f);
}

/* --- going on from a directory of before */

/* Another atlas begins, whose configuration has `blocks` blocks. */
static void begin_again(struct atlas_fixture *f, uint32_t blocks) {
    uint32_t parts = 4;
    f->atlas.config.initial.partition_count = parts;
    add_blocks(&f->atlas.config.initial, blocks);
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < f->atlas.config.worker_count; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, 500);
}

static void test_atlas_adds_blocks_that_there_were_not_before(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 0, 6);
    uint64_t epoch = atlas_fixture_partition(f, 0)->epoch;
    begin_again(f, 1);
    assert_int_equal(f->atlas.told.partition_count, 5);
    assert_owner(f, BLOCK(0), 4);
    assert_true(atlas_fixture_partition(f, 0)->epoch == epoch);
    uint64_t since = atlas_fixture_partition(f, BLOCK(0))->epoch;
    begin_again(f, 2);
    assert_owner(f, BLOCK(0), 4);
    assert_true(atlas_fixture_partition(f, BLOCK(0))->epoch == since);
    assert_owner(f, BLOCK(1), 5);
    begin_again(f, 1); /* what is there stays */
    assert_int_equal(f->atlas.told.partition_count, 6);
    assert_owner(f, BLOCK(1), 5);
    free(f);
}

static void test_atlas_adds_no_block_over_what_is_there(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 0, 6);
    add_blocks(&f->atlas.config.initial, 1);
    f->atlas.config.initial.partitions[4].rect = (struct wire_rect){1000, 0, 1500, 500};
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 6; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, 500);
    assert_int_equal(f->atlas.told.partition_count, 4);
    assert_owner(f, 0, 0);
    free(f);
}

static void test_atlas_block_that_is_elsewhere_in_the_configuration_stays(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 1, 6);
    f->atlas.config.initial.partitions[4].rect = (struct wire_rect){5000, 0, 5500, 500};
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 6; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, 500);
    assert_int_equal(f->atlas.told.partition_count, 5);
    assert_int_equal(atlas_fixture_partition(f, BLOCK(0))->rect.min_x, 2000);
    free(f);
}

static void test_atlas_directory_of_blocks_alone_is_not_gone_on_from(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(0, 0, 0);
    struct atlas_fixture *f = atlas_fixture_create(&config);
    struct directory held = {.version = 77, .worker_count = 4};
    add_blocks(&held, 2);
    for (uint32_t i = 0; i < 4; i++) {
        atlas_fixture_start(f, i);
        f->workers[i].held = held;
    }
    atlas_fixture_run(f, 100);
    assert_int_equal(f->atlas.told.partition_count, 4);
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atlas_blocks_go_to_spares_of_their_own),
        cmocka_unit_test(test_atlas_block_waits_for_a_spare_and_the_world_does_not_wait_for_it),
        cmocka_unit_test(test_atlas_block_of_the_dead_goes_to_a_spare_after_the_fence),
        cmocka_unit_test(test_atlas_of_block_and_world_the_world_gets_the_spare),
        cmocka_unit_test(test_atlas_block_leaves_the_last_spare_to_a_part_that_is_not_fenced_yet),
        cmocka_unit_test(test_atlas_block_drains_to_a_spare_and_back),
        cmocka_unit_test(test_atlas_block_drains_not_to_the_spare_that_the_world_waits_for),
        cmocka_unit_test(test_atlas_block_whose_new_owner_dies_goes_back_to_who_has_it_still),
        cmocka_unit_test(test_atlas_blocks_are_neither_split_nor_merged),
        cmocka_unit_test(test_atlas_numbers_of_parts_end_before_those_of_blocks),
        cmocka_unit_test(test_atlas_balance_splits_the_world_and_not_a_block),
        cmocka_unit_test(test_atlas_busiest_part_of_who_has_both_is_of_the_world),
        cmocka_unit_test(test_atlas_adds_blocks_that_there_were_not_before),
        cmocka_unit_test(test_atlas_adds_no_block_over_what_is_there),
        cmocka_unit_test(test_atlas_block_that_is_elsewhere_in_the_configuration_stays),
        cmocka_unit_test(test_atlas_directory_of_blocks_alone_is_not_gone_on_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
