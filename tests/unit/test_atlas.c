/* test_atlas.c: who has which part of the world: start, gateways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/atlas_fixture.h"

/* --- start */

static void test_atlas_with_all_workers_gives_each_its_rectangle(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(1, 1, 2);
    struct atlas_fixture *f = atlas_fixture_create(&config);
    assert_false(atlas_fixture_step(f, 50));
    for (uint32_t i = 0; i < 4; i++) atlas_fixture_start(f, i);
    assert_false(atlas_fixture_step(f, 50)); /* the spare is awaited */
    assert_false(atlas_is_ready(&f->atlas));
    atlas_fixture_start(f, 4);
    assert_true(atlas_fixture_step(f, 50));
    assert_owner(f, 0, WIRE_SLOT_NONE); /* no shard has said yet that nobody else has it */
    assert_true(atlas_fixture_step(f, 50));
    assert_true(atlas_is_ready(&f->atlas));
    for (uint32_t i = 0; i < 4; i++) {
        const struct wire_directory_partition *p = atlas_fixture_partition(f, i);
        assert_int_equal(p->owner, i);
        assert_true(p->epoch == f->atlas.told.version && p->respawn == p->epoch);
        assert_worker(f, i, WIRE_WORKER_ACTIVE);
        assert_true(directory_hears(&f->atlas.told, i, f->workers[i].incarnation));
    }
    assert_worker(f, 4, WIRE_WORKER_SPARE);
    assert_true(f->atlas.told.version >= ATLAS_WALL_MS);
    assert_false(atlas_fixture_step(f, 50)); /* nothing is new */
    free(f);
}

static void test_atlas_without_some_workers_begins_after_a_while(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(1, 0, 1);
    struct atlas_fixture *f = atlas_fixture_create(&config);
    atlas_fixture_run(f, 5000);
    assert_int_equal(f->versions, 0); /* there is nobody */
    for (uint32_t i = 1; i < 5; i++) atlas_fixture_start(f, i);
    atlas_fixture_run(f, ATLAS_GATHER_MS);
    assert_int_equal(f->versions, 0);
    atlas_fixture_run(f, 100);
    assert_owner(f, 0, 4); /* the spare has what its own slot is not there for */
    assert_owner(f, 1, 1);
    atlas_fixture_start(f, 0);
    atlas_fixture_run(f, 100);
    assert_worker(f, 0, WIRE_WORKER_SPARE);
    free(f);
}

static void test_atlas_partition_without_a_spare_waits_for_one(void **state) {
    (void)state;
    struct atlas_config config = atlas_fixture_config(0, 0, 1);
    struct atlas_fixture *f = atlas_fixture_create(&config);
    for (uint32_t i = 0; i < 3; i++) atlas_fixture_start(f, i);
    atlas_fixture_run(f, 2000);
    assert_owner(f, 3, WIRE_SLOT_NONE);
    assert_true(atlas_fixture_partition(f, 3)->epoch == 0);
    assert_false(atlas_is_ready(&f->atlas));
    atlas_fixture_start(f, 3);
    atlas_fixture_run(f, 100);
    assert_owner(f, 3, 3);
    assert_true(atlas_fixture_partition(f, 3)->respawn == atlas_fixture_partition(f, 3)->epoch);
    assert_true(atlas_is_ready(&f->atlas));
    free(f);
}

static void test_atlas_goes_on_from_the_newest_directory(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(2, 1, 1);
    assert_int_equal(atlas_drain(&f->atlas, 0, f->now), ATLAS_DONE);
    atlas_fixture_hold(f, 0, 0, 3, 0, 0);
    f->workers[1].is_silent = true; /* so that its directory is an older one */
    atlas_fixture_run(f, 100);
    f->workers[1].is_silent = false;
    struct directory before = f->atlas.told;
    assert_owner(f, 0, 4);
    f->unix_ms -= 1000000; /* a clock that was set back */
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 6; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, 200);
    assert_memory_equal(f->atlas.told.partitions, before.partitions, 4 * sizeof *before.partitions);
    assert_owner(f, 0, 4);
    assert_former(f, 0, 0);
    assert_true(f->atlas.told.version == before.version); /* nothing has changed */
    assert_worker(f, 0, WIRE_WORKER_LEAVING);
    atlas_fixture_hold(f, 0, 0, 0, 0, 0);
    atlas_fixture_run(f, 200);
    assert_former(f, 0, WIRE_SLOT_NONE);
    assert_true(f->atlas.told.version > before.version);
    assert_true(f->workers[1].held.version == f->atlas.told.version);
    free(f);
}

static void test_atlas_that_begins_anew_gives_those_away_their_time(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    uint64_t version = f->atlas.told.version;
    atlas_fixture_restart(f);
    for (uint32_t i = 1; i < 5; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, ATLAS_GATHER_MS + 100);
    assert_owner(f, 0, 0);
    assert_true(f->atlas.told.version == version); /* nothing has changed */
    atlas_fixture_run(f, ATLAS_RECONNECT + 50);
    assert_owner(f, 0, 4);
    assert_true(f->atlas.told.version > version);
    /* it was listed, and comes back too late */
    atlas_fixture_link(f, 0);
    atlas_fixture_run(f, 1000);
    assert_worker(f, 0, WIRE_WORKER_AWAY);
    free(f);
}

static void test_atlas_that_begins_anew_fences_who_was_not_fenced(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 2);
    f->shards_away = 2;
    uint64_t dead = f->workers[2].incarnation;
    atlas_fixture_kill(f, 2);
    atlas_fixture_run(f, 500);
    assert_owner(f, 2, WIRE_SLOT_NONE);
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 5; i++)
        if (i != 2) atlas_fixture_link(f, i);
    atlas_fixture_run(f, ATLAS_GATHER_MS + 500);
    assert_owner(f, 2, WIRE_SLOT_NONE);
    struct wire_fence fences[WIRE_FENCES_MAX];
    assert_int_equal(atlas_fences(&f->atlas, 1, fences), 5);
    assert_true(fences[2].incarnation == dead && fences[2].slot == 2 && fences[2].kind == WIRE_FENCE_ONE);
    f->shards_away = 0;
    atlas_fixture_run(f, 150);
    assert_owner(f, 2, 4);
    free(f);
}

/* --- gateways */

static void test_atlas_gateway_drains_and_is_up_again(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(0, 2, 1);
    f->gateways[0].report.players = 7;
    atlas_fixture_run(f, 100);
    assert_int_equal(f->atlas.told.gateways[0].state, WIRE_GATEWAY_UP);
    assert_int_equal(atlas_drain_gateway(&f->atlas, 2, f->now), ATLAS_UNKNOWN);
    assert_int_equal(atlas_undrain_gateway(&f->atlas, 0), ATLAS_NOT_DRAINING);
    assert_int_equal(atlas_drain_gateway(&f->atlas, 0, f->now), ATLAS_DONE);
    assert_int_equal(atlas_drain_gateway(&f->atlas, 0, f->now), ATLAS_DONE);
    assert_int_equal(atlas_drain_gateway(&f->atlas, 1, f->now), ATLAS_LAST_GATEWAY);
    atlas_fixture_run(f, 100);
    assert_int_equal(f->atlas.told.gateways[0].state, WIRE_GATEWAY_DRAINING);
    assert_int_equal(f->atlas.told.gateways[0].sessions, 7);
    /* an atlas after this one knows it still */
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 4; i++) atlas_fixture_link(f, i);
    f->gateways[0].is_linked = true;
    atlas_gateway_up(&f->atlas, 0, f->gateways[0].incarnation, f->now);
    atlas_fixture_run(f, 100);
    assert_int_equal(f->atlas.told.gateways[0].state, WIRE_GATEWAY_DRAINING);
    assert_int_equal(atlas_undrain_gateway(&f->atlas, 0), ATLAS_DONE);
    atlas_fixture_run(f, 500);
    assert_int_equal(f->atlas.told.gateways[0].state, WIRE_GATEWAY_UP);
    assert_int_equal(f->atlas.told.gateways[1].state, WIRE_GATEWAY_AWAY); /* it never came back */
    assert_true(f->atlas.told.gateways[1].incarnation == 0);
    assert_int_equal(atlas_drain_gateway(&f->atlas, 1, f->now), ATLAS_AWAY);
    free(f);
}

static void test_atlas_gateway_that_died_may_come_back(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(0, 2, 1);
    f->gateways[1].is_silent = true;
    atlas_fixture_run(f, ATLAS_SILENCE);
    assert_int_equal(f->atlas.told.gateways[1].state, WIRE_GATEWAY_AWAY);
    f->gateways[1].is_silent = false;
    atlas_fixture_run(f, 100);
    assert_int_equal(f->atlas.told.gateways[1].state, WIRE_GATEWAY_UP);
    atlas_fixture_start_gateway(f, 1);
    atlas_fixture_run(f, 100);
    assert_true(f->atlas.told.gateways[1].incarnation == f->gateways[1].incarnation);
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atlas_with_all_workers_gives_each_its_rectangle),
        cmocka_unit_test(test_atlas_without_some_workers_begins_after_a_while),
        cmocka_unit_test(test_atlas_partition_without_a_spare_waits_for_one),
        cmocka_unit_test(test_atlas_goes_on_from_the_newest_directory),
        cmocka_unit_test(test_atlas_that_begins_anew_gives_those_away_their_time),
        cmocka_unit_test(test_atlas_that_begins_anew_fences_who_was_not_fenced),
        cmocka_unit_test(test_atlas_gateway_drains_and_is_up_again),
        cmocka_unit_test(test_atlas_gateway_that_died_may_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
