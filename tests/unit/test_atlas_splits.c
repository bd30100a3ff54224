/* test_atlas_splits.c: splits and merges, ordered and by the balance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/atlas_fixture.h"

/* --- splits and merges */

static void test_atlas_split_halves_the_longer_side(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(2, 0, 1);
    assert_int_equal(atlas_split(&f->atlas, 3), ATLAS_DONE);
    atlas_fixture_hold(f, 3, 4, 5, 0, 0);
    atlas_fixture_run(f, 100);
    const struct wire_directory_partition *p = atlas_fixture_partition(f, 3), *q = atlas_fixture_partition(f, 4);
    const struct wire_rect first = {512, 512, 768, 1024}, second = {768, 512, 1024, 1024};
    assert_memory_equal(&p->rect, &first, sizeof first);
    assert_memory_equal(&q->rect, &second, sizeof second);
    assert_true(p->owner == 3 && p->former == WIRE_SLOT_NONE && p->creatures == 100);
    assert_true(q->owner == 4 && q->former == 3 && q->creatures == 100);
    assert_true(q->epoch == f->atlas.told.version && q->respawn < q->epoch && p->epoch < q->epoch);
    assert_worker(f, 3, WIRE_WORKER_ACTIVE);
    /* the new half is on its way; the first half can be split again, along its height now */
    assert_int_equal(atlas_split(&f->atlas, 4), ATLAS_BUSY);
    assert_int_equal(atlas_split(&f->atlas, 3), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_int_equal(atlas_fixture_partition(f, 5)->rect.min_y, 768);
    assert_owner(f, 5, 5);
    atlas_fixture_hold(f, 3, 4, 0, 0, 0);
    atlas_fixture_run(f, 100);
    assert_int_equal(atlas_split(&f->atlas, 4), ATLAS_NO_SPARE);
    free(f);
}

static void test_atlas_split_ends_where_halves_are_too_small(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(30, 0, 0);
    struct atlas_fixture *f = atlas_fixture_begin_with(&config);
    int splits = 0;
    enum atlas_answer answer;
    while ((answer = atlas_split(&f->atlas, 0)) == ATLAS_DONE) {
        splits++;
        atlas_fixture_run(f, 100);
    }
    assert_int_equal(answer, ATLAS_TOO_SMALL);
    assert_int_equal(splits, 10); /* 512 x 512 to 16 x 16 */
    free(f);
}

/* What was passed and not told yet is still the dead one's: who takes it waits for the fences. */
static void test_atlas_owner_that_dies_before_a_split_or_merge_is_told_is_fenced_first(void **state) {
    (void)state;
    for (int is_merge = 0; is_merge < 2; is_merge++) {
        struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
        f->shards_away = 1;
        atlas_fixture_kill(f, 1);
        atlas_fixture_run(f, ATLAS_RECONNECT - ATLAS_STEP_MS); /* the next step is its end */
        assert_int_equal(is_merge ? atlas_merge(&f->atlas, 0, 1) : atlas_split(&f->atlas, 1), ATLAS_DONE);
        atlas_fixture_run(f, 2 * ATLAS_SILENCE);
        assert_owner(f, 1, WIRE_SLOT_NONE);
        if (!is_merge) assert_owner(f, 4, WIRE_SLOT_NONE);
        f->shards_away = 0;
        atlas_fixture_run(f, 200);
        assert_owner(f, 1, 4);
        free(f);
    }
}

static void test_atlas_partition_whose_former_owner_died_stays_until_that_is_fenced(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(3, 0, 1);
    assert_int_equal(atlas_split(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_hold(f, 1, 4, 5, 0, 0);
    atlas_fixture_run(f, 100);
    f->shards_away = 1;
    atlas_fixture_kill(f, 1);
    atlas_fixture_run(f, 2 * ATLAS_SILENCE);
    assert_owner(f, 4, 4);
    assert_former(f, 4, WIRE_SLOT_NONE);
    assert_int_equal(atlas_split(&f->atlas, 4), ATLAS_BUSY);
    assert_int_equal(atlas_drain(&f->atlas, 4, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 200);
    assert_owner(f, 4, 4);
    f->shards_away = 0;
    atlas_fixture_run(f, 200);
    assert_int_not_equal(atlas_fixture_partition(f, 4)->owner, 4);
    free(f);
}

static void test_atlas_merge_joins_when_the_other_has_handed_over(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    assert_int_equal(atlas_split(&f->atlas, 0), ATLAS_DONE);
    atlas_fixture_run(f, 200);
    assert_former(f, 4, WIRE_SLOT_NONE);
    atlas_fixture_hold(f, 4, 4, 6, 0, 0);
    assert_int_equal(atlas_merge(&f->atlas, 0, 4), ATLAS_DONE);
    atlas_fixture_run(f, 500);
    assert_owner(f, 4, 0);
    assert_former(f, 4, 4);
    assert_worker(f, 4, WIRE_WORKER_LEAVING);
    assert_int_equal(f->atlas.told.partition_count, 5);
    atlas_fixture_hold(f, 4, 4, 0, 0, 0);
    atlas_fixture_run(f, 200);
    assert_int_equal(f->atlas.told.partition_count, 4);
    const struct wire_rect whole = {0, 0, 512, 512};
    assert_memory_equal(&atlas_fixture_partition(f, 0)->rect, &whole, sizeof whole);
    assert_int_equal(atlas_fixture_partition(f, 0)->creatures, 200);
    assert_worker(f, 4, WIRE_WORKER_SPARE);
    free(f);
}

static void test_atlas_merge_right_after_a_split_takes_it_back(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    assert_int_equal(atlas_split(&f->atlas, 0), ATLAS_DONE);
    atlas_fixture_hold(f, 0, 4, 6, 0, 0);
    atlas_fixture_run(f, 100);
    assert_former(f, 4, 0);
    assert_int_equal(atlas_merge(&f->atlas, 0, 4), ATLAS_DONE);
    atlas_fixture_run(f, 300);
    assert_int_equal(f->atlas.told.partition_count, 4);
    free(f);
}

static void test_atlas_merge_is_given_up_when_the_other_is_split_away(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(2, 0, 1);
    atlas_fixture_hold(f, 1, 1, 6, 0, 0);
    assert_int_equal(atlas_merge(&f->atlas, 0, 1), ATLAS_DONE);
    atlas_fixture_run(f, 200);
    assert_int_equal(atlas_split(&f->atlas, 0), ATLAS_DONE); /* the half that is left does not touch it */
    atlas_fixture_run(f, 200);
    atlas_fixture_hold(f, 1, 1, 0, 0, 0);
    atlas_fixture_run(f, 500);
    assert_int_equal(f->atlas.told.partition_count, 5);
    const struct wire_rect half = {0, 0, 256, 512}, other = {512, 0, 1024, 512};
    assert_memory_equal(&atlas_fixture_partition(f, 0)->rect, &half, sizeof half);
    assert_memory_equal(&atlas_fixture_partition(f, 1)->rect, &other, sizeof other);
    free(f);
}

static void test_atlas_merge_is_given_up_when_an_owner_dies(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(2, 0, 1);
    atlas_fixture_hold(f, 1, 1, 6, 0, 0);
    assert_int_equal(atlas_merge(&f->atlas, 0, 1), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    atlas_fixture_kill(f, 0);
    atlas_fixture_run(f, 500);
    atlas_fixture_hold(f, 1, 1, 0, 0, 0);
    atlas_fixture_run(f, 500);
    assert_int_equal(f->atlas.told.partition_count, 4);
    assert_former(f, 1, WIRE_SLOT_NONE);
    free(f);
}

/* --- balance */

static struct atlas_fixture *begin_balanced(void) {
    struct atlas_config config = atlas_fixture_config(2, 0, 1);
    config.balance = (struct atlas_balance){
        .is_on = true, .split_percent = 80, .merge_percent = 20, .hold_ms = 1000, .pause_ms = 3000, .side_m = 128};
    return atlas_fixture_begin_with(&config);
}

static void test_atlas_balance_splits_what_is_busy_for_long(void **state) {
    (void)state;
    struct atlas_fixture *f = begin_balanced();
    for (uint32_t i = 0; i < 4; i++) f->workers[i].report.busy_us = 8000;
    atlas_fixture_run(f, 5000);
    assert_int_equal(f->atlas.stats.splits, 0);
    f->workers[2].report.busy_us = 14000;
    atlas_fixture_run(f, 900);
    f->workers[2].report.busy_us = 8000;
    atlas_fixture_run(f, 100);
    f->workers[2].report.busy_us = f->workers[3].report.busy_us = 14000;
    atlas_fixture_run(f, 900);
    assert_int_equal(f->atlas.stats.splits, 0); /* not for long enough at a time */
    atlas_fixture_run(f, 300);
    assert_int_equal(f->atlas.stats.splits, 1);
    atlas_fixture_run(f, 2500);
    assert_int_equal(f->atlas.stats.splits, 1); /* one at a time */
    atlas_fixture_run(f, 1000);
    assert_int_equal(f->atlas.stats.splits, 2);
    atlas_fixture_run(f, 10000);
    assert_int_equal(f->atlas.stats.splits, 2); /* no spare is left */
    free(f);
}

static void test_atlas_balance_undoes_splits_but_merges_no_more(void **state) {
    (void)state;
    struct atlas_fixture *f = begin_balanced();
    for (uint32_t i = 0; i < 6; i++) f->workers[i].report.busy_us = 3000;
    assert_int_equal(atlas_split(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_run(f, 5000);
    assert_int_equal(f->atlas.stats.merges, 0); /* 36 % together */
    for (uint32_t i = 0; i < 6; i++) f->workers[i].report.busy_us = 1500;
    atlas_fixture_run(f, 900);
    assert_int_equal(f->atlas.stats.merges, 0);
    atlas_fixture_run(f, 20000);
    assert_int_equal(f->atlas.stats.merges, 1);
    assert_int_equal(f->atlas.told.partition_count, 4);
    free(f);
}

static void test_atlas_balance_splits_nothing_into_slivers(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(8, 0, 1);
    config.balance =
        (struct atlas_balance){.is_on = true, .split_percent = 80, .hold_ms = 100, .pause_ms = 100, .side_m = 200};
    struct atlas_fixture *f = atlas_fixture_begin_with(&config);
    for (uint32_t i = 0; i < 12; i++) f->workers[i].report.busy_us = 16000;
    atlas_fixture_run(f, 20000);
    assert_int_equal(f->atlas.stats.splits, 8); /* each 512 x 512 to 256 x 256 takes three, but there are 8 spares */
    for (uint32_t i = 0; i < f->atlas.told.partition_count; i++) {
        const struct wire_rect *r = &f->atlas.told.partitions[i].rect;
        assert_true(r->max_x - r->min_x >= 256 && r->max_y - r->min_y >= 256);
    }
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atlas_split_halves_the_longer_side),
        cmocka_unit_test(test_atlas_split_ends_where_halves_are_too_small),
        cmocka_unit_test(test_atlas_owner_that_dies_before_a_split_or_merge_is_told_is_fenced_first),
        cmocka_unit_test(test_atlas_partition_whose_former_owner_died_stays_until_that_is_fenced),
        cmocka_unit_test(test_atlas_merge_joins_when_the_other_has_handed_over),
        cmocka_unit_test(test_atlas_merge_right_after_a_split_takes_it_back),
        cmocka_unit_test(test_atlas_merge_is_given_up_when_the_other_is_split_away),
        cmocka_unit_test(test_atlas_merge_is_given_up_when_an_owner_dies),
        cmocka_unit_test(test_atlas_balance_splits_what_is_busy_for_long),
        cmocka_unit_test(test_atlas_balance_undoes_splits_but_merges_no_more),
        cmocka_unit_test(test_atlas_balance_splits_nothing_into_slivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
