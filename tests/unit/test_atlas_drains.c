/* test_atlas_drains.c: drains, halfway and to the end, and who dies meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/atlas_fixture.h"

static void test_atlas_drain_passes_on_and_ends_when_nothing_is_left(void **state) {
    (void)state;
    static const uint32_t left[][3] = {{3, 0, 0}, {0, 7, 0}, {0, 0, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
        uint64_t respawn = atlas_fixture_partition(f, 2)->respawn;
        atlas_fixture_hold(f, 2, 2, left[i][0], left[i][1], left[i][2]);
        assert_int_equal(atlas_drain(&f->atlas, 2, f->now), ATLAS_DONE);
        assert_true(atlas_fixture_step(f, 50));
        assert_owner(f, 2, 4);
        assert_former(f, 2, 2);
        assert_true(atlas_fixture_partition(f, 2)->epoch == f->atlas.told.version);
        assert_true(atlas_fixture_partition(f, 2)->respawn == respawn);
        assert_worker(f, 2, WIRE_WORKER_LEAVING);
        atlas_fixture_run(f, 3000);
        assert_former(f, 2, 2);
        struct wire_hold hold = atlas_left(&f->atlas, 2);
        assert_true(hold.players == left[i][0] && hold.creatures == left[i][1] && hold.in_flight == left[i][2]);
        f->workers[2].report.hold_count = i == 0 ? 0 : 1;
        atlas_fixture_hold(f, 2, 2, 0, 0, 0);
        atlas_fixture_run(f, 100);
        assert_former(f, 2, WIRE_SLOT_NONE);
        assert_worker(f, 2, WIRE_WORKER_SPARE);
        /* it stays out until it is undrained, or begins anew */
        atlas_fixture_kill(f, 0);
        atlas_fixture_run(f, 500);
        assert_owner(f, 0, WIRE_SLOT_NONE);
        assert_int_equal(atlas_undrain(&f->atlas, 2), ATLAS_DONE);
        atlas_fixture_run(f, 100);
        assert_owner(f, 0, 2);
        free(f);
    }
}

static void test_atlas_drain_does_not_end_by_a_report_that_is_older_than_it(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    assert_int_equal(atlas_drain(&f->atlas, 2, f->now), ATLAS_DONE);
    struct directory old = f->workers[2].held;
    for (int i = 0; i < 20; i++) { /* has nothing, but does not know that it is former */
        atlas_fixture_step(f, 50);
        f->workers[2].held = old;
        assert_former(f, 2, 2);
    }
    atlas_fixture_run(f, 100);
    assert_former(f, 2, WIRE_SLOT_NONE);
    free(f);
}

static void test_atlas_undrain_halfway_gives_it_back(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    atlas_fixture_hold(f, 1, 1, 9, 0, 0);
    assert_int_equal(atlas_drain(&f->atlas, 1, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    atlas_fixture_hold(f, 4, 1, 4, 0, 0);
    assert_int_equal(atlas_undrain(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 1);
    assert_former(f, 1, 4);
    assert_worker(f, 4, WIRE_WORKER_LEAVING);
    /* and once more, back again: the one that was to have it still has some */
    assert_int_equal(atlas_drain(&f->atlas, 1, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 4);
    assert_former(f, 1, 1);
    assert_int_equal(atlas_undrain(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_hold(f, 4, 1, 0, 0, 0);
    atlas_fixture_run(f, 100);
    assert_worker(f, 4, WIRE_WORKER_SPARE);
    assert_owner(f, 1, 1);
    assert_int_equal(atlas_undrain(&f->atlas, 1), ATLAS_NOT_DRAINING);
    free(f);
}

static void test_atlas_death_of_the_former_owner_ends_a_drain_with_a_respawn(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    atlas_fixture_hold(f, 1, 1, 9, 0, 0);
    assert_int_equal(atlas_drain(&f->atlas, 1, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    uint64_t epoch = atlas_fixture_partition(f, 1)->epoch;
    atlas_fixture_kill(f, 1);
    atlas_fixture_run(f, 500);
    assert_owner(f, 1, 4);
    assert_former(f, 1, WIRE_SLOT_NONE);
    assert_true(atlas_fixture_partition(f, 1)->respawn > epoch);
    assert_true(atlas_fixture_partition(f, 1)->epoch == epoch);
    free(f);
}

static void test_atlas_death_of_the_new_owner_keeps_the_former_one(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    atlas_fixture_hold(f, 1, 1, 9, 0, 0);
    assert_int_equal(atlas_drain(&f->atlas, 1, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    atlas_fixture_kill(f, 4);
    atlas_fixture_run(f, 500);
    assert_owner(f, 1, WIRE_SLOT_NONE);
    assert_former(f, 1, 1);
    assert_int_equal(atlas_undrain(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 1);
    assert_former(f, 1, WIRE_SLOT_NONE);
    free(f);
}

static void test_atlas_drain_of_two_partitions_shares_what_spares_there_are(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    atlas_fixture_hold(f, 1, 1, 5, 0, 0);
    assert_int_equal(atlas_merge(&f->atlas, 0, 1), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 0);
    assert_int_equal(atlas_drain(&f->atlas, 0, f->now), ATLAS_DONE);
    atlas_fixture_hold(f, 0, 0, 2, 0, 0);
    atlas_fixture_run(f, 100);
    assert_owner(f, 0, 4);
    assert_owner(f, 1, 0); /* slot 1 still hands it over */
    atlas_fixture_hold(f, 0, 1, 3, 0, 0);
    atlas_fixture_hold(f, 1, 1, 0, 0, 0);
    atlas_fixture_run(f, 100);
    assert_former(f, 1, 0);
    assert_int_equal(atlas_fixture_partition(f, 1)->owner, 1); /* a spare by now, and its own */
    free(f);
}

static void test_atlas_commands_that_can_not_be_are_refused(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(0, 2, 1);
    struct atlas_fixture *f = atlas_fixture_create(&config);
    assert_int_equal(atlas_drain(&f->atlas, 0, f->now), ATLAS_STARTING);
    assert_int_equal(atlas_split(&f->atlas, 0), ATLAS_STARTING);
    assert_int_equal(atlas_merge(&f->atlas, 0, 1), ATLAS_STARTING);
    free(f);
    f = atlas_fixture_begin(0, 2, 1);
    assert_int_equal(atlas_drain(&f->atlas, 9, f->now), ATLAS_UNKNOWN);
    assert_int_equal(atlas_drain(&f->atlas, 0, f->now), ATLAS_NO_SPARE);
    assert_int_equal(atlas_split(&f->atlas, 0), ATLAS_NO_SPARE);
    assert_int_equal(atlas_split(&f->atlas, 77), ATLAS_UNKNOWN);
    assert_int_equal(atlas_undrain(&f->atlas, 0), ATLAS_NOT_DRAINING);
    assert_int_equal(atlas_merge(&f->atlas, 0, 0), ATLAS_SAME);
    assert_int_equal(atlas_merge(&f->atlas, 0, 3), ATLAS_APART);
    assert_int_equal(atlas_merge(&f->atlas, 0, 12), ATLAS_UNKNOWN);
    atlas_fixture_kill(f, 1);
    atlas_fixture_run(f, 500);
    assert_int_equal(atlas_drain(&f->atlas, 1, f->now), ATLAS_AWAY);
    assert_int_equal(atlas_undrain(&f->atlas, 1), ATLAS_AWAY);
    assert_int_equal(atlas_split(&f->atlas, 1), ATLAS_UNOWNED);
    assert_int_equal(atlas_merge(&f->atlas, 0, 1), ATLAS_UNOWNED);
    for (int i = 0; i < ATLAS_ANSWER_COUNT; i++) {
        assert_true(atlas_answer_text((enum atlas_answer)i)[0] != '\0');
        assert_true(atlas_answer_code((enum atlas_answer)i)[0] != '\0');
    }
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atlas_drain_passes_on_and_ends_when_nothing_is_left),
        cmocka_unit_test(test_atlas_drain_does_not_end_by_a_report_that_is_older_than_it),
        cmocka_unit_test(test_atlas_undrain_halfway_gives_it_back),
        cmocka_unit_test(test_atlas_death_of_the_former_owner_ends_a_drain_with_a_respawn),
        cmocka_unit_test(test_atlas_death_of_the_new_owner_keeps_the_former_one),
        cmocka_unit_test(test_atlas_drain_of_two_partitions_shares_what_spares_there_are),
        cmocka_unit_test(test_atlas_commands_that_can_not_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
