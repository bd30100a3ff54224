/* test_atlas_deaths.c: workers that die or fall silent, fences, and who takes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/atlas_fixture.h"

static void test_atlas_lost_worker_is_dead_only_after_its_time(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    unsigned versions = f->versions;
    atlas_fixture_unlink(f, 0);
    atlas_fixture_run(f, ATLAS_RECONNECT - 50);
    atlas_fixture_link(f, 0);
    atlas_fixture_run(f, 1000);
    assert_int_equal(f->versions, versions);
    atlas_fixture_unlink(f, 0);
    atlas_fixture_run(f, ATLAS_RECONNECT - 50);
    assert_owner(f, 0, 0);
    assert_true(atlas_fixture_step(f, 50));
    assert_owner(f, 0, WIRE_SLOT_NONE);
    assert_worker(f, 0, WIRE_WORKER_AWAY);
    assert_true(f->atlas.told.workers[0].incarnation == f->workers[0].incarnation); /* to be fenced */
    assert_false(directory_hears(&f->atlas.told, 0, f->workers[0].incarnation));
    assert_true(atlas_fixture_step(f, 50));
    assert_owner(f, 0, 4);
    assert_former(f, 0, WIRE_SLOT_NONE);
    assert_true(f->atlas.told.workers[0].incarnation == 0);
    const struct wire_directory_partition *p = atlas_fixture_partition(f, 0);
    assert_true(p->epoch == f->atlas.told.version && p->respawn == p->epoch);
    free(f);
}

static void test_atlas_silent_worker_is_dead_and_never_heard_again(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    f->workers[3].is_silent = true;
    atlas_fixture_run(f, ATLAS_SILENCE - 50);
    assert_owner(f, 3, 3);
    atlas_fixture_run(f, 100);
    assert_owner(f, 3, 4);
    f->workers[3].is_silent = false;
    atlas_fixture_run(f, 1000);
    assert_worker(f, 3, WIRE_WORKER_AWAY);
    atlas_fixture_unlink(f, 3);
    atlas_fixture_link(f, 3);
    atlas_fixture_run(f, 1000);
    assert_worker(f, 3, WIRE_WORKER_AWAY);
    atlas_fixture_start(f, 3); /* the next one is welcome */
    atlas_fixture_run(f, 100);
    assert_worker(f, 3, WIRE_WORKER_SPARE);
    free(f);
}

static void test_atlas_connections_without_reports_keep_nobody_alive(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    for (int i = 0; i < 20; i++) {
        atlas_fixture_unlink(f, 0);
        f->workers[0].is_silent = true;
        atlas_fixture_run(f, 100);
        atlas_fixture_link(f, 0);
        atlas_fixture_run(f, 50);
    }
    assert_owner(f, 0, 4);
    free(f);
}

static void test_atlas_another_incarnation_in_a_slot_buries_the_first(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(0, 0, 2);
    f->shards_away = 1;
    atlas_fixture_start(f, 1);
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, WIRE_SLOT_NONE);
    atlas_fixture_run(f, 2000);
    assert_owner(f, 1, WIRE_SLOT_NONE); /* one shard has not fenced */
    assert_worker(f, 1, WIRE_WORKER_AWAY);
    f->shards_away = 0;
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 1); /* there is no other spare */
    free(f);
}

static void test_atlas_without_shards_takes_over_at_once(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 0);
    atlas_fixture_kill(f, 0);
    atlas_fixture_run(f, ATLAS_RECONNECT);
    assert_owner(f, 0, 4);
    free(f);
}

static void test_atlas_least_loaded_spare_is_taken(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(3, 0, 1);
    f->workers[4].report.players = 5;
    f->workers[5].report.busy_us = 900;
    f->workers[6].report.busy_us = 800;
    atlas_fixture_run(f, 100);
    atlas_fixture_kill(f, 2);
    atlas_fixture_run(f, 500);
    assert_owner(f, 2, 6);
    free(f);
}

static void test_atlas_spare_takes_all_that_one_worker_had_but_not_of_two(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(2, 0, 1);
    assert_int_equal(atlas_merge(&f->atlas, 0, 1), ATLAS_DONE);
    atlas_fixture_hold(f, 1, 1, 9, 0, 0); /* the merge stays under way: slot 0 owns 0 and 1 */
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 0);
    atlas_fixture_kill(f, 4);
    atlas_fixture_kill(f, 0);
    atlas_fixture_run(f, 500);
    assert_owner(f, 0, 5);
    assert_owner(f, 1, 5);
    assert_former(f, 1, 1);
    atlas_fixture_kill(f, 2);
    atlas_fixture_kill(f, 3);
    atlas_fixture_start(f, 4);
    atlas_fixture_run(f, 500);
    assert_true((atlas_fixture_partition(f, 2)->owner == WIRE_SLOT_NONE) !=
                (atlas_fixture_partition(f, 3)->owner == WIRE_SLOT_NONE));
    free(f);
}

static void test_atlas_pause_of_its_own_is_held_against_nobody(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    unsigned versions = f->versions;
    f->now = mono_add_ms(f->now, 10000);
    assert_false(atlas_step(&f->atlas, f->now, f->unix_ms)); /* before any report was read */
    atlas_fixture_run(f, 1000);
    assert_int_equal(f->versions, versions);
    free(f);
}

static void test_atlas_versions_pass_those_that_others_have(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    f->workers[0].held.version = f->atlas.told.version + 1000000;
    uint64_t theirs = f->workers[0].held.version;
    assert_true(atlas_fixture_step(f, 50));
    assert_true(f->atlas.told.version > theirs);
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atlas_lost_worker_is_dead_only_after_its_time),
        cmocka_unit_test(test_atlas_silent_worker_is_dead_and_never_heard_again),
        cmocka_unit_test(test_atlas_connections_without_reports_keep_nobody_alive),
        cmocka_unit_test(test_atlas_another_incarnation_in_a_slot_buries_the_first),
        cmocka_unit_test(test_atlas_without_shards_takes_over_at_once),
        cmocka_unit_test(test_atlas_least_loaded_spare_is_taken),
        cmocka_unit_test(test_atlas_spare_takes_all_that_one_worker_had_but_not_of_two),
        cmocka_unit_test(test_atlas_pause_of_its_own_is_held_against_nobody),
        cmocka_unit_test(test_atlas_versions_pass_those_that_others_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
