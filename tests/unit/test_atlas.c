/* test_atlas.c: who has which part of the world: start, deaths, fences, spares, drains, splits, merges, gateways, balance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/atlas_fixture.h"

#define NONE WIRE_SLOT_NONE

static struct atlas_fixture *begin_with(const struct atlas_config *config) {
    struct atlas_fixture *f = atlas_fixture_create(config);
    for (uint32_t i = 0; i < config->worker_count; i++) atlas_fixture_start(f, i);
    for (uint32_t i = 0; i < config->gateway_count; i++) atlas_fixture_start_gateway(f, i);
    atlas_fixture_run(f, 200);
    return f;
}

/* A running cluster of 4 partitions with so many spares, gateways and shards. */
static struct atlas_fixture *begin(uint32_t spares, uint32_t gateways, uint32_t shards) {
    struct atlas_config config = atlas_fixture_config(spares, gateways, shards);
    return begin_with(&config);
}

#define assert_owner(f, id, slot)  assert_int_equal(atlas_fixture_partition(f, id)->owner, slot)
#define assert_former(f, id, slot) assert_int_equal(atlas_fixture_partition(f, id)->former, slot)
#define assert_worker(f, slot, is) assert_int_equal((f)->atlas.told.workers[slot].state, is)

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
    assert_owner(f, 0, NONE); /* no shard has said yet that nobody else has it */
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
    assert_owner(f, 3, NONE);
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
    struct atlas_fixture *f = begin(2, 1, 1);
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
    assert_former(f, 0, NONE);
    assert_true(f->atlas.told.version > before.version);
    assert_true(f->workers[1].held.version == f->atlas.told.version);
    free(f);
}

static void test_atlas_that_begins_anew_gives_those_away_their_time(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
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
    struct atlas_fixture *f = begin(1, 0, 2);
    f->shards_away = 2;
    uint64_t dead = f->workers[2].incarnation;
    atlas_fixture_kill(f, 2);
    atlas_fixture_run(f, 500);
    assert_owner(f, 2, NONE);
    atlas_fixture_restart(f);
    for (uint32_t i = 0; i < 5; i++)
        if (i != 2) atlas_fixture_link(f, i);
    atlas_fixture_run(f, ATLAS_GATHER_MS + 500);
    assert_owner(f, 2, NONE);
    struct wire_fence fences[WIRE_FENCES_MAX];
    assert_int_equal(atlas_fences(&f->atlas, 1, fences), 5);
    assert_true(fences[2].incarnation == dead && fences[2].slot == 2 && fences[2].kind == WIRE_FENCE_ONE);
    f->shards_away = 0;
    atlas_fixture_run(f, 150);
    assert_owner(f, 2, 4);
    free(f);
}

/* --- owners that an atlas does not know of */

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
    for (uint32_t i = 0; i < 4; i++) assert_owner(f, i, NONE);
}

/* A cluster of 4 and a spare of which only the spare's slot is heard, by a process that knows nothing; shard 1 is away. */
static struct atlas_fixture *begin_beside_strangers(void) {
    struct atlas_fixture *f = begin(1, 0, 2);
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
    assert_owner(f, 1, NONE);
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
    struct atlas_fixture *f = begin(1, 0, 2);
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
    struct atlas_fixture *f = begin(1, 0, 2);
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
    assert_owner(f, 0, NONE);
    atlas_fixture_start(f, 0);
    atlas_fixture_run(f, 1000);
    assert_owner(f, 0, NONE); /* slot 4 is not fenced everywhere */
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
    assert_owner(f, 0, NONE);
    free(f);
}

static void test_atlas_keeps_who_comes_late_with_what_it_has_anyway(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
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
    struct atlas_fixture *f = begin(1, 0, 1);
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

/* --- deaths */

static void test_atlas_lost_worker_is_dead_only_after_its_time(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
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
    assert_owner(f, 0, NONE);
    assert_worker(f, 0, WIRE_WORKER_AWAY);
    assert_true(f->atlas.told.workers[0].incarnation == f->workers[0].incarnation); /* to be fenced */
    assert_false(directory_hears(&f->atlas.told, 0, f->workers[0].incarnation));
    assert_true(atlas_fixture_step(f, 50));
    assert_owner(f, 0, 4);
    assert_former(f, 0, NONE);
    assert_true(f->atlas.told.workers[0].incarnation == 0);
    const struct wire_directory_partition *p = atlas_fixture_partition(f, 0);
    assert_true(p->epoch == f->atlas.told.version && p->respawn == p->epoch);
    free(f);
}

static void test_atlas_silent_worker_is_dead_and_never_heard_again(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
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
    struct atlas_fixture *f = begin(1, 0, 1);
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
    struct atlas_fixture *f = begin(0, 0, 2);
    f->shards_away = 1;
    atlas_fixture_start(f, 1);
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, NONE);
    atlas_fixture_run(f, 2000);
    assert_owner(f, 1, NONE); /* one shard has not fenced */
    assert_worker(f, 1, WIRE_WORKER_AWAY);
    f->shards_away = 0;
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 1); /* there is no other spare */
    free(f);
}

static void test_atlas_without_shards_takes_over_at_once(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 0);
    atlas_fixture_kill(f, 0);
    atlas_fixture_run(f, ATLAS_RECONNECT);
    assert_owner(f, 0, 4);
    free(f);
}

static void test_atlas_least_loaded_spare_is_taken(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(3, 0, 1);
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
    struct atlas_fixture *f = begin(2, 0, 1);
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
    assert_true((atlas_fixture_partition(f, 2)->owner == NONE) != (atlas_fixture_partition(f, 3)->owner == NONE));
    free(f);
}

static void test_atlas_pause_of_its_own_is_held_against_nobody(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
    unsigned versions = f->versions;
    f->now = mono_add_ms(f->now, 10000);
    assert_false(atlas_step(&f->atlas, f->now, f->unix_ms)); /* before any report was read */
    atlas_fixture_run(f, 1000);
    assert_int_equal(f->versions, versions);
    free(f);
}

static void test_atlas_versions_pass_those_that_others_have(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
    f->workers[0].held.version = f->atlas.told.version + 1000000;
    uint64_t theirs = f->workers[0].held.version;
    assert_true(atlas_fixture_step(f, 50));
    assert_true(f->atlas.told.version > theirs);
    free(f);
}

/* --- drains */

static void test_atlas_drain_passes_on_and_ends_when_nothing_is_left(void **state) {
    (void)state;
    static const uint32_t left[][3] = {{3, 0, 0}, {0, 7, 0}, {0, 0, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct atlas_fixture *f = begin(1, 0, 1);
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
        assert_former(f, 2, NONE);
        assert_worker(f, 2, WIRE_WORKER_SPARE);
        /* it stays out until it is undrained, or begins anew */
        atlas_fixture_kill(f, 0);
        atlas_fixture_run(f, 500);
        assert_owner(f, 0, NONE);
        assert_int_equal(atlas_undrain(&f->atlas, 2), ATLAS_DONE);
        atlas_fixture_run(f, 100);
        assert_owner(f, 0, 2);
        free(f);
    }
}

static void test_atlas_drain_does_not_end_by_a_report_that_is_older_than_it(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
    assert_int_equal(atlas_drain(&f->atlas, 2, f->now), ATLAS_DONE);
    struct directory old = f->workers[2].held;
    for (int i = 0; i < 20; i++) { /* has nothing, but does not know that it is former */
        atlas_fixture_step(f, 50);
        f->workers[2].held = old;
        assert_former(f, 2, 2);
    }
    atlas_fixture_run(f, 100);
    assert_former(f, 2, NONE);
    free(f);
}

static void test_atlas_undrain_halfway_gives_it_back(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
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
    struct atlas_fixture *f = begin(1, 0, 1);
    atlas_fixture_hold(f, 1, 1, 9, 0, 0);
    assert_int_equal(atlas_drain(&f->atlas, 1, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    uint64_t epoch = atlas_fixture_partition(f, 1)->epoch;
    atlas_fixture_kill(f, 1);
    atlas_fixture_run(f, 500);
    assert_owner(f, 1, 4);
    assert_former(f, 1, NONE);
    assert_true(atlas_fixture_partition(f, 1)->respawn > epoch);
    assert_true(atlas_fixture_partition(f, 1)->epoch == epoch);
    free(f);
}

static void test_atlas_death_of_the_new_owner_keeps_the_former_one(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
    atlas_fixture_hold(f, 1, 1, 9, 0, 0);
    assert_int_equal(atlas_drain(&f->atlas, 1, f->now), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    atlas_fixture_kill(f, 4);
    atlas_fixture_run(f, 500);
    assert_owner(f, 1, NONE);
    assert_former(f, 1, 1);
    assert_int_equal(atlas_undrain(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    assert_owner(f, 1, 1);
    assert_former(f, 1, NONE);
    free(f);
}

static void test_atlas_drain_of_two_partitions_shares_what_spares_there_are(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(1, 0, 1);
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
    f = begin(0, 2, 1);
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

/* --- splits and merges */

static void test_atlas_split_halves_the_longer_side(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(2, 0, 1);
    assert_int_equal(atlas_split(&f->atlas, 3), ATLAS_DONE);
    atlas_fixture_hold(f, 3, 4, 5, 0, 0);
    atlas_fixture_run(f, 100);
    const struct wire_directory_partition *p = atlas_fixture_partition(f, 3), *q = atlas_fixture_partition(f, 4);
    const struct wire_rect first = {512, 512, 768, 1024}, second = {768, 512, 1024, 1024};
    assert_memory_equal(&p->rect, &first, sizeof first);
    assert_memory_equal(&q->rect, &second, sizeof second);
    assert_true(p->owner == 3 && p->former == NONE && p->creatures == 100);
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
    struct atlas_fixture *f = begin_with(&config);
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
        struct atlas_fixture *f = begin(1, 0, 1);
        f->shards_away = 1;
        atlas_fixture_kill(f, 1);
        atlas_fixture_run(f, ATLAS_RECONNECT - ATLAS_STEP_MS); /* the next step is its end */
        assert_int_equal(is_merge ? atlas_merge(&f->atlas, 0, 1) : atlas_split(&f->atlas, 1), ATLAS_DONE);
        atlas_fixture_run(f, 2 * ATLAS_SILENCE);
        assert_owner(f, 1, NONE);
        if (!is_merge) assert_owner(f, 4, NONE);
        f->shards_away = 0;
        atlas_fixture_run(f, 200);
        assert_owner(f, 1, 4);
        free(f);
    }
}

static void test_atlas_partition_whose_former_owner_died_stays_until_that_is_fenced(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(3, 0, 1);
    assert_int_equal(atlas_split(&f->atlas, 1), ATLAS_DONE);
    atlas_fixture_hold(f, 1, 4, 5, 0, 0);
    atlas_fixture_run(f, 100);
    f->shards_away = 1;
    atlas_fixture_kill(f, 1);
    atlas_fixture_run(f, 2 * ATLAS_SILENCE);
    assert_owner(f, 4, 4);
    assert_former(f, 4, NONE);
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
    struct atlas_fixture *f = begin(1, 0, 1);
    assert_int_equal(atlas_split(&f->atlas, 0), ATLAS_DONE);
    atlas_fixture_run(f, 200);
    assert_former(f, 4, NONE);
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
    struct atlas_fixture *f = begin(1, 0, 1);
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
    struct atlas_fixture *f = begin(2, 0, 1);
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
    struct atlas_fixture *f = begin(2, 0, 1);
    atlas_fixture_hold(f, 1, 1, 6, 0, 0);
    assert_int_equal(atlas_merge(&f->atlas, 0, 1), ATLAS_DONE);
    atlas_fixture_run(f, 100);
    atlas_fixture_kill(f, 0);
    atlas_fixture_run(f, 500);
    atlas_fixture_hold(f, 1, 1, 0, 0, 0);
    atlas_fixture_run(f, 500);
    assert_int_equal(f->atlas.told.partition_count, 4);
    assert_former(f, 1, NONE);
    free(f);
}

/* --- gateways */

static void test_atlas_gateway_drains_and_is_up_again(void **state) {
    (void)state;
    struct atlas_fixture *f = begin(0, 2, 1);
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
    struct atlas_fixture *f = begin(0, 2, 1);
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

/* --- balance */

static struct atlas_fixture *begin_balanced(void) {
    struct atlas_config config = atlas_fixture_config(2, 0, 1);
    config.balance = (struct atlas_balance){
        .is_on = true, .split_percent = 80, .merge_percent = 20, .hold_ms = 1000, .pause_ms = 3000, .side_m = 128};
    return begin_with(&config);
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
    struct atlas_fixture *f = begin_with(&config);
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
        cmocka_unit_test(test_atlas_with_all_workers_gives_each_its_rectangle),
        cmocka_unit_test(test_atlas_without_some_workers_begins_after_a_while),
        cmocka_unit_test(test_atlas_partition_without_a_spare_waits_for_one),
        cmocka_unit_test(test_atlas_goes_on_from_the_newest_directory),
        cmocka_unit_test(test_atlas_that_begins_anew_gives_those_away_their_time),
        cmocka_unit_test(test_atlas_that_begins_anew_fences_who_was_not_fenced),
        cmocka_unit_test(test_atlas_gives_nothing_beside_owners_that_it_does_not_know),
        cmocka_unit_test(test_atlas_asks_anew_when_another_is_to_be_kept),
        cmocka_unit_test(test_atlas_whole_world_goes_on_without_shards),
        cmocka_unit_test(test_atlas_fences_the_owner_of_a_version_that_it_never_heard_of),
        cmocka_unit_test(test_atlas_fences_who_comes_late_with_a_partition_by_a_newer_version),
        cmocka_unit_test(test_atlas_keeps_who_comes_late_with_what_it_has_anyway),
        cmocka_unit_test(test_atlas_refuses_one_that_an_atlas_before_it_dropped),
        cmocka_unit_test(test_atlas_unsound_directory_is_not_gone_on_from),
        cmocka_unit_test(test_atlas_lost_worker_is_dead_only_after_its_time),
        cmocka_unit_test(test_atlas_silent_worker_is_dead_and_never_heard_again),
        cmocka_unit_test(test_atlas_connections_without_reports_keep_nobody_alive),
        cmocka_unit_test(test_atlas_another_incarnation_in_a_slot_buries_the_first),
        cmocka_unit_test(test_atlas_without_shards_takes_over_at_once),
        cmocka_unit_test(test_atlas_least_loaded_spare_is_taken),
        cmocka_unit_test(test_atlas_spare_takes_all_that_one_worker_had_but_not_of_two),
        cmocka_unit_test(test_atlas_pause_of_its_own_is_held_against_nobody),
        cmocka_unit_test(test_atlas_versions_pass_those_that_others_have),
        cmocka_unit_test(test_atlas_drain_passes_on_and_ends_when_nothing_is_left),
        cmocka_unit_test(test_atlas_drain_does_not_end_by_a_report_that_is_older_than_it),
        cmocka_unit_test(test_atlas_undrain_halfway_gives_it_back),
        cmocka_unit_test(test_atlas_death_of_the_former_owner_ends_a_drain_with_a_respawn),
        cmocka_unit_test(test_atlas_death_of_the_new_owner_keeps_the_former_one),
        cmocka_unit_test(test_atlas_drain_of_two_partitions_shares_what_spares_there_are),
        cmocka_unit_test(test_atlas_commands_that_can_not_be_are_refused),
        cmocka_unit_test(test_atlas_split_halves_the_longer_side),
        cmocka_unit_test(test_atlas_split_ends_where_halves_are_too_small),
        cmocka_unit_test(test_atlas_owner_that_dies_before_a_split_or_merge_is_told_is_fenced_first),
        cmocka_unit_test(test_atlas_partition_whose_former_owner_died_stays_until_that_is_fenced),
        cmocka_unit_test(test_atlas_merge_joins_when_the_other_has_handed_over),
        cmocka_unit_test(test_atlas_merge_right_after_a_split_takes_it_back),
        cmocka_unit_test(test_atlas_merge_is_given_up_when_the_other_is_split_away),
        cmocka_unit_test(test_atlas_merge_is_given_up_when_an_owner_dies),
        cmocka_unit_test(test_atlas_gateway_drains_and_is_up_again),
        cmocka_unit_test(test_atlas_gateway_that_died_may_come_back),
        cmocka_unit_test(test_atlas_balance_splits_what_is_busy_for_long),
        cmocka_unit_test(test_atlas_balance_undoes_splits_but_merges_no_more),
        cmocka_unit_test(test_atlas_balance_splits_nothing_into_slivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
