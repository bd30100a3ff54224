/* test_atlas_strangers.c: an atlas that begins among owners that it does not know of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/atlas_fixture.h"

static void assert_asked(const struct atlas_fixture *f, uint32_t shard, uint32_t slot, uint64_t kept) {
    struct wire_fence fences[WIRE_FENCES_MAX];
    uint32_t count = atlas_fences(&f->atlas, shard, fences), found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (fences[i].slot != slot) continue;
        assert_true(fences[i].kind == WIRE_FENCE_OTHERS && fences[i].incarnation == kept);
        found++;
    }
    assert_int_equal(found, 1);
}

static void assert_nobody_owns(const struct atlas_fixture *f) {
    for (uint32_t i = 0; i < 4; i++) assert_owner(f, i, WIRE_SLOT_NONE);
}

/* A cluster of 4 and a spare of which only the spare's slot is heard, by a process that knows nothing; shard 1 is away. */
static struct atlas_fixture *begin_beside_strangers(void) {
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 2);
    atlas_fixture_restart(f);
    atlas_fixture_start(f, 4);
    f->shards_away = 2;
    atlas_fixture_run(f, ATLAS_GATHER_MS + 1000);
    return f;
}

static void test_atlas_gives_nothing_beside_owners_that_it_does_not_know(void **state) {
    (void)state;
    struct atlas_fixture *f = begin_beside_strangers();
    assert_nobody_owns(f);
    for (uint32_t i = 0; i < 4; i++) assert_asked(f, 1, i, 0);
    assert_asked(f, 1, 4, f->workers[4].incarnation);
    f->shards_away = 0;
    atlas_fixture_run(f, 100);
    assert_owner(f, 0, 4);
    assert_owner(f, 1, WIRE_SLOT_NONE);
    /* those that nobody knew of are back: they are not listed, and end */
    for (uint32_t i = 0; i < 4; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, 500);
    assert_owner(f, 0, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_worker(f, i, WIRE_WORKER_AWAY);
        assert_true(f->workers[i].held.version == f->atlas.told.version);
    }
    assert_int_equal(f->atlas.stats.refused_workers, 4);
    free(f);
}

static void test_atlas_asks_anew_when_another_is_to_be_kept(void **state) {
    (void)state;
    struct atlas_fixture *f = begin_beside_strangers();
    atlas_fixture_start(f, 2);
    atlas_fixture_run(f, 100);
    assert_worker(f, 2, WIRE_WORKER_SPARE);
    assert_asked(f, 1, 2, f->workers[2].incarnation);
    const struct wire_fence late = {.slot = 2, .kind = WIRE_FENCE_OTHERS};
    atlas_fenced(&f->atlas, 1, &late); /* of when nobody was */
    assert_asked(f, 1, 2, f->workers[2].incarnation);
    f->shards_away = 0;
    atlas_fixture_run(f, 100);
    assert_owner(f, 2, 2);
    free(f);
}

static void test_atlas_whole_world_goes_on_without_shards(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 2);
    unsigned versions = f->versions;
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 5; i++) atlas_fixture_link(f, i);
    f->shards_away = 3;
    atlas_fixture_run(f, 1000);
    for (uint32_t i = 0; i < 4; i++) assert_owner(f, i, i);
    assert_int_equal(f->versions, versions);
    assert_int_equal(atlas_drain(&f->atlas, 0, f->now), ATLAS_STARTING);
    assert_int_equal(atlas_split(&f->atlas, 0), ATLAS_STARTING);
    f->shards_away = 0;
    atlas_fixture_run(f, 100);
    assert_int_equal(atlas_drain(&f->atlas, 0, f->now), ATLAS_DONE);
    free(f);
}

/* A cluster in which the spare has partition 0 by a version that it alone has got; it is not heard in time, but by the
 * others its incarnation is known. */
static struct atlas_fixture *begin_from_an_older_version(void) {
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 2);
    for (uint32_t i = 0; i < 4; i++) f->workers[i].is_silent = true;
    assert_int_equal(atlas_drain(&f->atlas, 0, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, 0, 4);
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 4; i++) {
        f->workers[i].is_silent = false;
        if (i > 0) atlas_fixture_link(f, i);
    }
    f->shards_away = 2;
    atlas_fixture_run(f, ATLAS_GATHER_MS + 50);
    assert_int_equal(f->atlas.phase, ATLAS_RUNNING);
    assert_owner(f, 0, 0); /* as of the older version: it has its time */
    assert_asked(f, 1, 4, f->workers[4].incarnation);
    return f;
}

static void test_atlas_fences_the_owner_of_a_version_that_it_never_heard_of(void **state) {
    (void)state;
    struct atlas_fixture *f = begin_from_an_older_version();
    atlas_fixture_run(f, 1000);
    assert_owner(f, 0, WIRE_SLOT_NONE);
    atlas_fixture_start(f, 0);
    atlas_fixture_run(f, 1000);
    assert_owner(f, 0, WIRE_SLOT_NONE); /* slot 4 is not fenced everywhere */
    f->shards_away = 0;
    atlas_fixture_run(f, 200);
    assert_owner(f, 0, 0);
    assert_true(directory_hears(&f->atlas.told, 0, f->workers[0].incarnation));
    free(f);
}

static void test_atlas_fences_who_comes_late_with_a_partition_by_a_newer_version(void **state) {
    (void)state;
    struct atlas_fixture *f = begin_from_an_older_version();
    atlas_fixture_link(f, 4);
    (void)atlas_fixture_step(f, 50);
    assert_worker(f, 4, WIRE_WORKER_AWAY);
    assert_true(f->atlas.told.workers[4].incarnation == f->workers[4].incarnation); /* to be fenced */
    f->shards_away = 0;
    atlas_fixture_run(f, 1000);
    assert_worker(f, 4, WIRE_WORKER_AWAY);
    assert_owner(f, 0, WIRE_SLOT_NONE);
    free(f);
}

static void test_atlas_keeps_who_comes_late_with_what_it_has_anyway(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    struct directory newer = f->workers[0].held;
    newer.version++; /* somebody else's state has changed */
    f->workers[0].held = newer;
    atlas_fixture_restart(f);
    for (uint32_t i = 1; i < 5; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, ATLAS_GATHER_MS + 50);
    atlas_fixture_link(f, 0);
    atlas_fixture_run(f, 500);
    assert_owner(f, 0, 0);
    assert_true(directory_hears(&f->atlas.told, 0, f->workers[0].incarnation));
    assert_true(f->atlas.told.version > newer.version);
    free(f);
}

static void test_atlas_refuses_one_that_an_atlas_before_it_dropped(void **state) {
    (void)state;
    struct atlas_fixture *f = atlas_fixture_begin(1, 0, 1);
    struct atlas_worker_fake old = f->workers[0];
    atlas_fixture_start(f, 0);
    atlas_fixture_run(f, 200);
    assert_owner(f, 0, 0); /* both are spares, and it is its own */
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 5; i++) atlas_fixture_link(f, i);
    atlas_fixture_run(f, 200);
    atlas_fixture_kill(f, 0);
    atlas_fixture_run(f, 500); /* the slot is free, and nobody remembers the old one but itself */
    f->workers[0] = old;
    atlas_fixture_link(f, 0);
    atlas_fixture_run(f, 500);
    assert_worker(f, 0, WIRE_WORKER_AWAY);
    assert_int_equal(f->atlas.stats.refused_workers, 1);
    free(f);
}

enum spoiled { NOTHING, NO_PARTITIONS, ONE_ID_TWICE, OVERLAP, EMPTY, FAR_AWAY, CROWDED, LAST_VERSION, SPOILED_COUNT };

static void spoil(struct directory *d, enum spoiled how) {
    if (how == NO_PARTITIONS) d->partition_count = 0;
    if (how == ONE_ID_TWICE) d->partitions[1].id = 0;
    if (how == OVERLAP) d->partitions[1].rect.min_x--;
    if (how == FAR_AWAY) d->partitions[3].rect.max_x = 32769;
    if (how == CROWDED) d->partitions[3].creatures = UINT32_MAX;
    if (how == LAST_VERSION) d->version = UINT64_MAX;
    if (how == EMPTY) d->partitions[1].rect.max_x = d->partitions[1].rect.min_x;
}

static void test_atlas_unsound_directory_is_not_gone_on_from(void **state) {
    (void)state;
    for (int how = NOTHING; how < SPOILED_COUNT; how++) {
        struct atlas_config config = atlas_fixture_config(0, 0, 0);
        struct atlas_fixture *f = atlas_fixture_create(&config);
        struct directory held = config.initial;
        held.version = 77;
        held.partitions[0].creatures = 999; /* unlike the configuration */
        spoil(&held, (enum spoiled)how);
        for (uint32_t i = 0; i < 4; i++) {
            atlas_fixture_start(f, i);
            f->workers[i].held = held;
        }
        atlas_fixture_run(f, 100);
        assert_int_equal(f->atlas.told.partition_count, 4);
        assert_int_equal(atlas_fixture_partition(f, 0)->creatures, how == NOTHING ? 999 : 200);
        for (uint32_t i = 0; i < 4; i++) assert_owner(f, i, i);
        free(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atlas_gives_nothing_beside_owners_that_it_does_not_know),
        cmocka_unit_test(test_atlas_asks_anew_when_another_is_to_be_kept),
        cmocka_unit_test(test_atlas_whole_world_goes_on_without_shards),
        cmocka_unit_test(test_atlas_fences_the_owner_of_a_version_that_it_never_heard_of),
        cmocka_unit_test(test_atlas_fences_who_comes_late_with_a_partition_by_a_newer_version),
        cmocka_unit_test(test_atlas_keeps_who_comes_late_with_what_it_has_anyway),
        cmocka_unit_test(test_atlas_refuses_one_that_an_atlas_before_it_dropped),
        cmocka_unit_test(test_atlas_unsound_directory_is_not_gone_on_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
