/* test_atlas_random.c: whatever happens to a cluster, in any order, the directory stays one that can be lived by.
 *
 * Workers, gateways, shards and the atlas itself die, stop, come back and are commanded, as a seed draws; each worker hands
 * over in its own time. After each step the invariants below are looked at. In the end everybody is well, and the world must
 * be whole. MARCH_SEED and MARCH_STEPS take the place of the seeds and their length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "schemas/cells.h"
#include "tests/unit/atlas_fixture.h"

#define SEEDS      60
#define STEPS      1500
#define FENCED_MAX 8192
#define IDS_MAX    4096
#define WORLD_AREA (1024LL * 1024)
#define BLOCKS     2
#define BLOCK_AT   2000 /* m: beyond the world */
#define BLOCK_SIDE 300
#define CREATURES  800
#define SETTLE_MS  20000
#define SHARDS     2
#define GATEWAYS   3
#define SPARES     3
#define DEAD       1u /* of `fate`: may never be heard again */
#define BURIED     2u /* and every shard has fenced it */
#define KNEW       4u /* that it was listed */

struct seen {
    uint64_t incarnation;
    uint32_t slot, fate, fenced_by; /* fate: DEAD, BURIED, KNEW */
};

struct trial {
    struct atlas_fixture *f;
    uint64_t random;
    struct directory before;
    bool is_begun; /* another atlas has, and no version of its own was seen */
    struct seen seen[FENCED_MAX];
    uint32_t seen_count;
    uint64_t lost[IDS_MAX]; /* by id of a partition without an owner: the one that died with it */
};

static uint32_t draw(struct trial *t, uint32_t below) {
    t->random = t->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(t->random >> 33) % below;
}

static struct seen *seen_of(struct trial *t, uint64_t incarnation, uint32_t slot) {
    for (uint32_t i = 0; i < t->seen_count; i++)
        if (t->seen[i].incarnation == incarnation) return &t->seen[i];
    assert_true(t->seen_count < FENCED_MAX);
    t->seen[t->seen_count] = (struct seen){.incarnation = incarnation, .slot = slot};
    return &t->seen[t->seen_count++];
}

/* --- invariants */

static void check_tiles(const struct directory *d) {
    int64_t area = 0;
    uint32_t creatures = 0;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_rect *r = &d->partitions[i].rect;
        bool is_block = cells_is_block(d->partitions[i].id);
        int32_t from = is_block ? BLOCK_AT : 0, to = is_block ? BLOCK_AT + BLOCKS * BLOCK_SIDE : 1024;
        assert_true(r->min_x >= from && r->min_y >= 0 && r->max_x <= to && r->max_y <= 1024);
        assert_true(r->min_x < r->max_x && r->min_y < r->max_y);
        if (is_block) assert_true(r->max_x - r->min_x == BLOCK_SIDE && r->max_y - r->min_y == BLOCK_SIDE);
        if (!is_block) area += (int64_t)(r->max_x - r->min_x) * (r->max_y - r->min_y);
        creatures += d->partitions[i].creatures;
        for (uint32_t j = 0; j < i; j++) {
            const struct wire_rect *o = &d->partitions[j].rect;
            assert_true(d->partitions[i].id != d->partitions[j].id);
            assert_false(r->min_x < o->max_x && o->min_x < r->max_x && r->min_y < o->max_y && o->min_y < r->max_y);
        }
    }
    assert_true(area == WORLD_AREA);
    assert_int_equal(creatures, CREATURES);
}

/* An owner, and a former one, is somebody who is heard, and who said so himself. */
static void check_holders(struct trial *t) {
    const struct directory *d = &t->f->atlas.told;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_directory_partition *p = &d->partitions[i];
        assert_true(p->owner == WIRE_SLOT_NONE || p->owner != p->former);
        const uint32_t holders[] = {p->owner, p->former};
        for (int j = 0; j < 2; j++) {
            if (holders[j] == WIRE_SLOT_NONE) continue;
            const struct wire_directory_worker *w = &d->workers[holders[j]];
            assert_true(w->incarnation != 0 && w->state != WIRE_WORKER_AWAY);
            assert_false(seen_of(t, w->incarnation, holders[j])->fate & DEAD);
        }
    }
}

/* Who was listed and is not any more is dead for good. */
static void check_dead(struct trial *t) {
    const struct directory *now = &t->f->atlas.told, *before = &t->before;
    for (uint32_t slot = 0; slot < before->worker_count; slot++) {
        uint64_t incarnation = before->workers[slot].incarnation;
        if (incarnation == 0 || before->workers[slot].state == WIRE_WORKER_AWAY) continue;
        if (!directory_hears(now, slot, incarnation)) seen_of(t, incarnation, slot)->fate |= DEAD;
    }
    for (uint32_t slot = 0; slot < now->worker_count; slot++) {
        uint64_t incarnation = now->workers[slot].incarnation;
        if (directory_hears(now, slot, incarnation)) assert_false(seen_of(t, incarnation, slot)->fate & DEAD);
    }
}

/* A block that waited for somebody was given to who had nothing, or to who had it before. */
static void check_block(const struct directory *now, const struct wire_directory_partition *is,
                        const struct wire_directory_partition *was) {
    if (was->owner != WIRE_SLOT_NONE || is->owner == WIRE_SLOT_NONE || is->owner == was->former) return;
    for (uint32_t i = 0; i < now->partition_count; i++)
        assert_true(now->partitions[i].id == is->id || now->partitions[i].owner != is->owner);
}

/* A partition that lost its owner by death gets another only when every shard has fenced the dead one. */
static void check_takeovers(struct trial *t) {
    const struct directory *now = &t->f->atlas.told, *before = &t->before;
    for (uint32_t i = 0; i < now->partition_count; i++) {
        const struct wire_directory_partition *is = &now->partitions[i], *was = directory_find(before, is->id);
        uint32_t number = cells_is_block(is->id) ? IDS_MAX - 1 - (is->id & ~CELLS_BLOCK_BIT) : is->id;
        assert_true(number < IDS_MAX);
        uint64_t *lost = &t->lost[number];
        if (!was) continue;
        if (cells_is_block(is->id)) check_block(now, is, was);
        bool same_owner = is->owner == was->owner && is->owner != WIRE_SLOT_NONE &&
                          now->workers[is->owner].incarnation == before->workers[is->owner].incarnation;
        if (was->owner != WIRE_SLOT_NONE && !same_owner && is->former != was->owner) {
            *lost = before->workers[was->owner].incarnation;
        } else if (was->owner != WIRE_SLOT_NONE) {
            *lost = 0; /* it was handed over, or kept */
        }
        if (*lost != 0 && is->owner != WIRE_SLOT_NONE) assert_true(seen_of(t, *lost, is->owner)->fate & BURIED);
        if (is->owner != WIRE_SLOT_NONE && !same_owner) assert_true(is->epoch == now->version);
        assert_true(is->epoch >= was->epoch && is->respawn >= was->respawn);
    }
}

/* Nobody is given a partition beside one who has it by what he knows, but from whom he gets it, or who is fenced. */
static void check_beside(struct trial *t, const struct wire_directory_partition *p) {
    const struct directory *now = &t->f->atlas.told;
    if (p->owner == WIRE_SLOT_NONE || p->epoch != now->version || p->respawn != now->version) return;
    for (uint32_t slot = 0; slot < now->worker_count; slot++) {
        const struct atlas_worker_fake *w = &t->f->workers[slot];
        const struct wire_directory_partition *its = directory_find(&w->held, p->id);
        if (w->incarnation == 0 || slot == p->owner || slot == p->former || !its || its->owner != slot) continue;
        assert_true(seen_of(t, w->incarnation, slot)->fate & BURIED);
    }
}

/* What another atlas has made, and this one does not know of, is no measure of its versions but that they are greater. */
static void check(struct trial *t) {
    const struct directory *now = &t->f->atlas.told;
    if (t->f->atlas.first == 0) return;
    if (t->is_begun) {
        assert_true(now->version > t->before.version);
        t->is_begun = false;
        t->before = *now;
        for (uint32_t i = 0; i < IDS_MAX; i++) t->lost[i] = 0;
    }
    assert_true(now->version >= t->before.version);
    check_tiles(now);
    for (uint32_t i = 0; i < now->partition_count; i++) check_beside(t, &now->partitions[i]);
    if (now->version == t->before.version) return;
    check_dead(t);
    check_holders(t);
    check_takeovers(t);
    t->before = *now;
}

/* --- what happens */

/* All that were listed have had leases. */
static void fence_others(struct trial *t, uint32_t shard, const struct wire_fence *fence) {
    for (uint32_t i = 0; i < t->seen_count; i++) {
        struct seen *seen = &t->seen[i];
        if (seen->slot != fence->slot || seen->incarnation == fence->incarnation) continue;
        assert_false(directory_hears(&t->f->atlas.told, fence->slot, seen->incarnation));
        seen->fenced_by |= 1U << shard;
        if (seen->fenced_by == (1U << SHARDS) - 1) seen->fate |= BURIED;
    }
}

/* Shards remember what they have fenced, whoever asked. */
static void answer_fences(struct trial *t) {
    struct wire_fence fences[WIRE_FENCES_MAX];
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        if (t->f->shards_away >> shard & 1) continue;
        uint32_t count = atlas_fences(&t->f->atlas, shard, fences);
        for (uint32_t i = 0; i < count; i++) {
            if (fences[i].kind == WIRE_FENCE_OTHERS) {
                fence_others(t, shard, &fences[i]);
                continue;
            }
            struct seen *seen = seen_of(t, fences[i].incarnation, fences[i].slot);
            assert_false(directory_hears(&t->f->atlas.told, fences[i].slot, fences[i].incarnation));
            seen->fate |= DEAD;
            seen->fenced_by |= 1U << shard;
            if (seen->fenced_by == (1U << SHARDS) - 1) seen->fate |= BURIED;
        }
    }
}

/* Each worker moves what it has: to the owner, as far as it knows, and only what is not its own. */
static void hand_over(struct trial *t, uint32_t slot) {
    struct atlas_worker_fake *w = &t->f->workers[slot];
    const struct directory *d = &w->held;
    w->report.hold_count = 0;
    for (uint32_t i = 0; w->incarnation != 0 && i < d->partition_count; i++) {
        const struct wire_directory_partition *p = &d->partitions[i];
        if (p->owner == slot) atlas_fixture_hold(t->f, slot, p->id, 10, 5, 0);
        if (p->former == slot && draw(t, 8) != 0) atlas_fixture_hold(t->f, slot, p->id, draw(t, 3), draw(t, 2), 1);
    }
}

static void disturb_worker(struct trial *t, uint32_t slot) {
    struct atlas_fixture *f = t->f;
    struct atlas_worker_fake *w = &f->workers[slot];
    switch (draw(t, 6)) {
    case 0: atlas_fixture_kill(f, slot); break;
    case 1: atlas_fixture_start(f, slot); break;
    case 2: atlas_fixture_unlink(f, slot); break;
    case 3:
        if (w->incarnation != 0 && !w->is_linked) atlas_fixture_link(f, slot);
        break;
    case 4: w->is_silent = true; break;
    default: w->is_silent = false;
    }
}

static void command(struct trial *t) {
    struct atlas *a = &t->f->atlas;
    uint32_t slot = draw(t, a->config.worker_count), id = draw(t, a->draft.partition_count + 2);
    if (draw(t, 8) == 0) id = CELLS_BLOCK_BIT | draw(t, BLOCKS + 1);
    switch (draw(t, 6)) {
    case 0: (void)atlas_drain(a, slot, t->f->now); break;
    case 1: (void)atlas_undrain(a, slot); break;
    case 2: (void)atlas_split(a, id); break;
    case 3: (void)atlas_merge(a, id, draw(t, a->draft.partition_count + 2)); break;
    case 4: (void)atlas_drain_gateway(a, draw(t, GATEWAYS), t->f->now); break;
    default: (void)atlas_undrain_gateway(a, draw(t, GATEWAYS));
    }
}

static void link_gateway(struct trial *t, uint32_t index) {
    if (t->f->gateways[index].is_linked) return;
    t->f->gateways[index].is_linked = true;
    atlas_gateway_up(&t->f->atlas, index, t->f->gateways[index].incarnation, t->f->now);
}

/* The next atlas may list who was dropped, by a directory of before; the fences of the shards hold against him. */
static void restart_atlas(struct trial *t) {
    for (uint32_t i = 0; i < t->seen_count; i++) t->seen[i].fate &= ~DEAD;
    atlas_fixture_restart(t->f);
    for (uint32_t i = 0; i < t->f->atlas.config.worker_count; i++)
        if (t->f->workers[i].incarnation != 0 && draw(t, 4) != 0) atlas_fixture_link(t->f, i);
    for (uint32_t i = 0; i < GATEWAYS; i++)
        if (draw(t, 2) == 0) link_gateway(t, i); /* it may hear nobody who holds the newest version */
    t->is_begun = true;
}

static void disturb(struct trial *t) {
    uint32_t what = draw(t, 200);
    if (what < 16) disturb_worker(t, draw(t, t->f->atlas.config.worker_count));
    if (what >= 16 && what < 40) command(t);
    if (what >= 40 && what < 44) t->f->shards_away = draw(t, 1U << SHARDS);
    if (what == 44) restart_atlas(t);
    if (what == 45) atlas_fixture_start_gateway(t->f, draw(t, GATEWAYS));
    if (what == 46) link_gateway(t, draw(t, GATEWAYS));
}

/* A worker that learns that it was dropped ends itself, from a directory or from a shard. */
static void learn(struct trial *t, uint32_t slot) {
    const struct atlas_worker_fake *w = &t->f->workers[slot];
    if (w->incarnation == 0 || w->held.version == 0) return;
    struct seen *seen = seen_of(t, w->incarnation, slot);
    bool is_listed = directory_hears(&w->held, slot, w->incarnation);
    bool is_stale = seen->fenced_by != 0 && !w->is_silent && draw(t, 8) == 0;
    if (((seen->fate & KNEW) && !is_listed) || is_stale) atlas_fixture_kill(t->f, slot);
    if (is_listed) seen->fate |= KNEW;
}

static void step(struct trial *t, uint64_t ms) {
    for (uint32_t i = 0; i < t->f->atlas.config.worker_count; i++) hand_over(t, i);
    answer_fences(t);
    atlas_fixture_step(t->f, ms);
    check(t);
    for (uint32_t i = 0; i < t->f->atlas.config.worker_count; i++) learn(t, i);
}

/* Everybody is well again: the world becomes whole. */
static void recover(struct trial *t) {
    struct atlas *a = &t->f->atlas;
    t->f->shards_away = 0;
    for (uint32_t i = 0; i < a->config.worker_count; i++) atlas_fixture_start(t->f, i);
    for (uint64_t past = 0; past < SETTLE_MS; past += ATLAS_STEP_MS) step(t, ATLAS_STEP_MS);
    for (uint32_t i = 0; i < a->told.partition_count; i++) {
        if (a->told.partition_count <= a->config.worker_count) assert_true(a->told.partitions[i].owner != WIRE_SLOT_NONE);
        assert_true(a->told.partitions[i].former == WIRE_SLOT_NONE);
    }
    for (uint32_t i = 0; i < a->config.worker_count; i++)
        assert_true(directory_hears(&a->told, i, t->f->workers[i].incarnation));
}

static void try_seed(uint64_t seed, unsigned steps) {
    struct trial *t = calloc(1, sizeof *t);
    struct atlas_config config = atlas_fixture_config(SPARES, GATEWAYS, SHARDS);
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    t->random = seed * 0x9e3779b97f4a7c15ULL;
    if (seed % 3 == 0)
        config.balance = (struct atlas_balance){
            .is_on = true, .split_percent = 60, .merge_percent = 25, .hold_ms = 500, .pause_ms = 500, .side_m = 64};
    atlas_fixture_add_blocks(&config.initial, (uint32_t)(seed % (BLOCKS + 1)), BLOCK_AT, BLOCK_SIDE, BLOCK_SIDE);
    t->f = atlas_fixture_create(&config);
    for (uint32_t i = 0; i < config.worker_count; i++) atlas_fixture_start(t->f, i);
    for (uint32_t i = 0; i < GATEWAYS; i++) atlas_fixture_start_gateway(t->f, i);
    for (unsigned i = 0; i < steps; i++) {
        disturb(t);
        for (uint32_t j = 0; j < config.worker_count; j++)
            if (draw(t, 40) == 0) t->f->workers[j].report.busy_us = draw(t, 16667);
        step(t, 10 + draw(t, 80));
    }
    recover(t);
    free(t->f);
    free(t);
}

static void test_atlas_keeps_its_invariants_whatever_happens(void **state) {
    (void)state;
    const char *seed = getenv("MARCH_SEED"), *steps = getenv("MARCH_STEPS");
    unsigned count = steps ? (unsigned)strtoul(steps, NULL, 10) : STEPS;
    if (seed) {
        try_seed(strtoull(seed, NULL, 10), count);
        return;
    }
    for (uint64_t i = 1; i <= SEEDS; i++) try_seed(i, count);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_atlas_keeps_its_invariants_whatever_happens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
