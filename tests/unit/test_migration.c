/* test_migration.c: creatures walk between four zones around a corner. Each is simulated by one of them or under way, never
 * lost and never doubled, whatever connections end and however clocks differ; and what happens when a zone dies or is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zone/arrivals.h"
#include "zone/migration.h"
#include "zone/rng.h"
#include "zone/sim.h"

#define M(metres) ((int32_t)((metres)*65536))

enum { ZONES = 4, SIDE_M = 20, ENTITIES = 1024, CREATURES = 40, HZ = 60, ROUNDS = 6000, QUEUE = 8, SEEDS = 4 };

/* A batch on its way. */
struct letter {
    struct wire_carried_creature creatures[MIGRATION_FLIGHTS_MAX];
    struct wire_creature_taken taken[MIGRATION_FLIGHTS_MAX];
    uint32_t creature_count, taken_count;
};

struct zone {
    struct territory territory;
    struct entities *entities;
    struct game *game;
    struct ghosts *ghosts;
    struct migration *migration;
    uint64_t ahead_ticks; /* its clock */
    struct letter *queue[ZONES];
    uint32_t queued[ZONES]; /* to that zone, oldest first */
    bool is_up[ZONES];
};

struct world {
    struct zone zones[ZONES];
    struct directory directory;
    uint64_t tick;
    struct rng rng;
};

static uint64_t tick_of(const struct world *w, uint32_t zone) {
    return w->tick + w->zones[zone].ahead_ticks;
}

static void zone_create(struct world *w, uint32_t i) {
    struct zone *z = &w->zones[i];
    territory_set(&z->territory, &w->directory, i);
    z->entities = entities_create(ENTITIES, (uint16_t)i, 1);
    z->game = game_create(&(struct game_config){.territory = &z->territory, .seed = i + 1}, z->entities, NULL);
    z->ghosts = ghosts_create(z->entities, z->game, HZ);
    z->migration = migration_create(&(struct migration_config){
        .entities = z->entities, .game = z->game, .ghosts = z->ghosts, .territory = &z->territory, .tick_hz = HZ});
    assert_non_null(z->migration);
}

static void zone_destroy(struct zone *z) {
    migration_destroy(z->migration);
    ghosts_destroy(z->ghosts);
    game_destroy(z->game);
    entities_destroy(z->entities);
}

static void open_link(struct world *w, uint32_t a, uint32_t b) {
    w->zones[a].is_up[b] = w->zones[b].is_up[a] = true;
    migration_open(w->zones[a].migration, b, tick_of(w, a));
    migration_open(w->zones[b].migration, a, tick_of(w, b));
}

/* What is on its way is lost. */
static void close_link(struct world *w, uint32_t a, uint32_t b) {
    w->zones[a].is_up[b] = w->zones[b].is_up[a] = false;
    w->zones[a].queued[b] = w->zones[b].queued[a] = 0;
    migration_close(w->zones[a].migration, b);
    migration_close(w->zones[b].migration, a);
}

static struct world *world_create(uint64_t seed, uint32_t creatures) {
    struct world *w = calloc(1, sizeof *w);
    *w = (struct world){.tick = 1000, .rng = {seed}, .directory = {.version = 2}};
    for (uint32_t i = 0; i < ZONES; i++) {
        int32_t x = (int32_t)(i % 2) * SIDE_M, y = (int32_t)(i / 2) * SIDE_M;
        w->directory.partitions[w->directory.partition_count++] =
            (struct wire_directory_partition){.epoch = 1,
                                              .rect = {x, y, x + SIDE_M, y + SIDE_M},
                                              .id = i,
                                              .owner = i,
                                              .former = WIRE_SLOT_NONE,
                                              .creatures = creatures};
    }
    for (uint32_t i = 0; i < ZONES; i++) {
        zone_create(w, i);
        assert_int_equal(game_settle(w->zones[i].game, &w->directory.partitions[i]), creatures);
        for (uint32_t j = 0; j < ZONES; j++) w->zones[i].queue[j] = calloc(QUEUE, sizeof *w->zones[i].queue[j]);
    }
    for (uint32_t i = 0; i < ZONES; i++) {
        for (uint32_t j = 0; j < i; j++) open_link(w, i, j);
    }
    return w;
}

static void world_destroy(struct world *w) {
    for (uint32_t i = 0; i < ZONES; i++) {
        zone_destroy(&w->zones[i]);
        for (uint32_t j = 0; j < ZONES; j++) free(w->zones[i].queue[j]);
    }
    free(w);
}

static void set_directory(struct world *w) {
    w->directory.version++;
    for (uint32_t i = 0; i < ZONES; i++) territory_set(&w->zones[i].territory, &w->directory, i);
}

static void update(struct world *w, uint32_t i) {
    ghosts_update(w->zones[i].ghosts, tick_of(w, i));
    game_move(w->zones[i].game, 1);
    migration_update(w->zones[i].migration, tick_of(w, i));
}

static void send(struct world *w, uint32_t from, uint32_t to) {
    struct zone *z = &w->zones[from];
    if (!z->is_up[to] || z->queued[to] == QUEUE) return;
    struct wire_peer_batch batch = {0};
    migration_tell(z->migration, to, &batch);
    migration_told(z->migration, to);
    if (batch.creature_count + batch.taken_count == 0) return;
    struct letter *l = &z->queue[to][z->queued[to]++];
    l->creature_count = batch.creature_count;
    l->taken_count = batch.taken_count;
    memcpy(l->creatures, batch.creatures, batch.creature_count * sizeof *batch.creatures);
    memcpy(l->taken, batch.taken, batch.taken_count * sizeof *batch.taken);
}

static bool receive(struct world *w, uint32_t from, uint32_t to) {
    struct zone *z = &w->zones[from];
    if (z->queued[to] == 0) return false;
    const struct letter *l = &z->queue[to][0];
    migration_take(w->zones[to].migration, from, tick_of(w, to), l->creatures, l->creature_count);
    migration_take_answers(w->zones[to].migration, from, tick_of(w, to), l->taken, l->taken_count);
    memmove(&z->queue[to][0], &z->queue[to][1], --z->queued[to] * sizeof *l);
    return true;
}

static void run_tick(struct world *w) {
    w->tick++;
    for (uint32_t i = 0; i < ZONES; i++) update(w, i);
    for (uint32_t i = 0; i < ZONES; i++) {
        for (uint32_t j = 0; j < ZONES; j++) send(w, i, j);
    }
    for (uint32_t i = 0; i < ZONES; i++) {
        for (uint32_t j = 0; j < ZONES; j++) receive(w, i, j);
    }
}

static bool is_own_in(const struct world *w, uint32_t zone, uint64_t id) {
    uint16_t index = entities_find(w->zones[zone].entities, id);
    return index != ENTITY_NONE && entities_is_own(w->zones[zone].entities, index);
}

static uint32_t owners_of(const struct world *w, uint64_t id) {
    uint32_t owners = 0;
    for (uint32_t i = 0; i < ZONES; i++) owners += is_own_in(w, i, id);
    return owners;
}

static uint32_t in_flight(const struct world *w) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < ZONES; i++)
        count += migration_in_flight(w->zones[i].migration, (struct wire_rect){-1000, -1000, 1000, 1000});
    return count;
}

static uint64_t creature_id(uint32_t zone, uint32_t n) {
    return (uint64_t)zone << 48 | (uint64_t)1 << 32 | (n + 1);
}

/* --- one creature, first to last */

/* Puts the only creature of zone 0 somewhere, standing. */
static uint16_t put(struct world *w, double x_m, double y_m) {
    struct entities *e = w->zones[0].entities;
    uint16_t index = entities_find(e, creature_id(0, 0));
    assert_true(index != ENTITY_NONE && entities_is_own(e, index));
    e->x[index] = M(x_m);
    e->y[index] = M(y_m);
    e->vx[index] = e->vy[index] = 0;
    return index;
}

static void test_migration_creature_two_metres_beyond_goes_with_all_it_is(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    uint16_t index = put(w, 22.5, 5);
    struct entities *from = w->zones[0].entities, *to = w->zones[1].entities;
    from->vx[index] = 40;
    from->yaw[index] = 77;
    uint8_t rules[WIRE_CARRIED_RULES_BYTES], arrived[WIRE_CARRIED_RULES_BYTES];
    game_carry(w->zones[0].game, index, rules);
    w->tick++;
    update(w, 0);
    int32_t x = from->x[index];
    assert_int_equal(from->ghost_of[index], 1);
    assert_int_equal(game_creatures(w->zones[0].game), 0);
    assert_int_equal(migration_in_flight(w->zones[0].migration, (struct wire_rect){20, 0, 40, 20}), 1);
    assert_int_equal(migration_in_flight(w->zones[0].migration, (struct wire_rect){0, 0, 20, 20}), 0);
    send(w, 0, 1);
    assert_true(receive(w, 0, 1));
    uint16_t there = entities_find(to, id);
    assert_true(there != ENTITY_NONE && entities_is_own(to, there));
    assert_true(to->x[there] == x && to->y[there] == M(5) && to->vx[there] == 40 && to->yaw[there] == 77);
    assert_int_equal(to->health[there], from->health[index]);
    game_carry(w->zones[1].game, there, arrived);
    assert_memory_equal(rules, arrived, sizeof rules);
    assert_int_equal(game_creatures(w->zones[1].game), 2);
    send(w, 1, 0);
    assert_true(receive(w, 1, 0));
    assert_int_equal(in_flight(w), 0);
    assert_int_equal(migration_stats(w->zones[0].migration)->finished, 1);
    world_destroy(w);
}

static void test_migration_border_between_owners_has_hysteresis(void **state) {
    (void)state;
    static const struct {
        double x, y;
        uint32_t former; /* of the partition on the right */
        bool goes;
    } cases[] = {{19.9, 5, WIRE_SLOT_NONE, false},
                 {20, 5, WIRE_SLOT_NONE, false},
                 {21.9, 5, WIRE_SLOT_NONE, false},
                 {22, 5, WIRE_SLOT_NONE, true},
                 {20, 5, 0, true},
                 {19.9, 5, 0, false},
                 {21.9, 21.9, WIRE_SLOT_NONE, false},
                 {22, 20, WIRE_SLOT_NONE, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_create(1, 1);
        w->directory.partitions[1].former = cases[i].former;
        set_directory(w);
        uint16_t index = put(w, cases[i].x, cases[i].y);
        update(w, 0);
        assert_int_equal(entities_is_own(w->zones[0].entities, index), !cases[i].goes);
        world_destroy(w);
    }
}

static void test_migration_waits_for_an_owner_that_is_connected(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    uint16_t index = put(w, 30, 5);
    close_link(w, 0, 1);
    update(w, 0);
    assert_true(entities_is_own(w->zones[0].entities, index));
    w->directory.partitions[1].owner = WIRE_SLOT_NONE;
    set_directory(w);
    open_link(w, 0, 1);
    update(w, 0);
    assert_true(entities_is_own(w->zones[0].entities, index));
    w->directory.partitions[1].owner = 1;
    set_directory(w);
    update(w, 0);
    assert_false(entities_is_own(w->zones[0].entities, index));
    world_destroy(w);
}

static void test_migration_starts_are_bounded_in_a_tick_and_under_way(void **state) {
    (void)state;
    struct world *w = world_create(1, 600);
    struct entities *e = w->zones[0].entities;
    for (uint32_t i = 0; i < e->count; i++) e->x[e->alive[i]] = M(30);
    update(w, 0);
    assert_int_equal(migration_stats(w->zones[0].migration)->started, MIGRATION_STARTS_MAX);
    for (uint32_t i = 0; i < 600 / MIGRATION_STARTS_MAX; i++) update(w, 0);
    assert_int_equal(migration_stats(w->zones[0].migration)->started, MIGRATION_FLIGHTS_MAX);
    assert_int_equal(in_flight(w), MIGRATION_FLIGHTS_MAX);
    assert_true(migration_stats(w->zones[0].migration)->delayed > 0);
    send(w, 0, 1); /* all of them in one batch; there is room for 424 */
    assert_true(receive(w, 0, 1));
    send(w, 1, 0);
    assert_true(receive(w, 1, 0));
    assert_int_equal(migration_stats(w->zones[0].migration)->finished, ENTITIES - 600);
    assert_int_equal(migration_stats(w->zones[0].migration)->back, MIGRATION_FLIGHTS_MAX - (ENTITIES - 600));
    for (uint32_t n = 0; n < 600; n++) assert_int_equal(owners_of(w, creature_id(0, n)), 1);
    world_destroy(w);
}

/* --- answers that are lost */

static void test_migration_answer_lost_is_given_again(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    put(w, 30, 5);
    update(w, 0);
    send(w, 0, 1);
    assert_true(receive(w, 0, 1));
    send(w, 1, 0);
    close_link(w, 0, 1);
    open_link(w, 0, 1);
    run_tick(w);
    run_tick(w);
    assert_int_equal(migration_stats(w->zones[1].migration)->taken, 1);
    assert_int_equal(migration_stats(w->zones[1].migration)->repeated, 1);
    assert_int_equal(in_flight(w), 0);
    assert_int_equal(owners_of(w, creature_id(0, 0)), 1);
    world_destroy(w);
}

static void test_migration_batch_that_could_not_be_sent_is_told_again(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    put(w, 30, 5);
    update(w, 0);
    struct wire_peer_batch batch = {0};
    migration_tell(w->zones[0].migration, 1, &batch);
    assert_int_equal(batch.creature_count, 1);
    migration_tell(w->zones[0].migration, 1, &batch);
    assert_int_equal(batch.creature_count, 1);
    migration_told(w->zones[0].migration, 1);
    migration_tell(w->zones[0].migration, 1, &batch);
    assert_int_equal(batch.creature_count, 0);
    world_destroy(w);
}

/* 0 carries it to 1, whose answer is lost; meanwhile it goes on to 3, out of everybody's sight. */
static void test_migration_carried_again_after_it_has_gone_on_is_not_taken_twice(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    put(w, 30, 5);
    update(w, 0);
    send(w, 0, 1);
    assert_true(receive(w, 0, 1));
    close_link(w, 0, 1);
    struct entities *e = w->zones[1].entities;
    e->y[entities_find(e, id)] = M(30);
    for (uint32_t i = 0; i < HZ; i++) run_tick(w);
    assert_true(is_own_in(w, 3, id));
    assert_int_equal(entities_find(e, id), ENTITY_NONE); /* nobody tells 1 of it any more */
    for (uint32_t i = 0; i < 20 * HZ; i++) run_tick(w);  /* as long as it may last */
    open_link(w, 0, 1);
    for (uint32_t i = 0; i < 3 * HZ; i++) update(w, 1); /* 0 is slow to carry it again, and 1 still knows */
    for (uint32_t i = 0; i < 3; i++) run_tick(w);
    assert_int_equal(in_flight(w), 0);
    assert_int_equal(owners_of(w, id), 1);
    assert_true(is_own_in(w, 3, id));
    world_destroy(w);
}

/* 1 has it and carries it back before 0 knows that it came; its clock is far behind, so only the journeys tell. */
static void test_migration_back_before_the_answer_and_with_a_slow_clock(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    w->zones[0].ahead_ticks = 300;
    put(w, 30, 5);
    update(w, 0);
    send(w, 0, 1);
    assert_true(receive(w, 0, 1));
    close_link(w, 0, 1);
    open_link(w, 0, 1);
    struct entities *e = w->zones[1].entities;
    e->x[entities_find(e, id)] = M(10);
    for (uint32_t i = 0; i < 4; i++) run_tick(w);
    assert_true(is_own_in(w, 0, id));
    assert_int_equal(owners_of(w, id), 1);
    assert_int_equal(in_flight(w), 0);
    world_destroy(w);
}

static void test_migration_late_answer_does_not_end_the_next_journey(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    put(w, 30, 5);
    update(w, 0);
    struct wire_peer_batch batch = {0};
    migration_tell(w->zones[0].migration, 1, &batch);
    migration_told(w->zones[0].migration, 1);
    uint32_t journey = (uint32_t)batch.creatures[0].tick;
    const struct wire_creature_taken wrong[] = {{.id = creature_id(0, 0), .tick = journey - 1},
                                                {.id = creature_id(0, 1), .tick = journey}};
    migration_take_answers(w->zones[0].migration, 1, w->tick, wrong, 2);
    const struct wire_creature_taken right = {.id = creature_id(0, 0), .tick = journey};
    migration_take_answers(w->zones[0].migration, 2, w->tick, &right, 1);
    assert_int_equal(in_flight(w), 1);
    assert_int_equal(migration_stats(w->zones[0].migration)->answers_unknown, 3);
    migration_take_answers(w->zones[0].migration, 1, w->tick, &right, 1);
    assert_int_equal(in_flight(w), 0);
    world_destroy(w);
}

static void test_migration_answers_of_an_ended_connection_wait_until_asked_again(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    struct wire_peer_batch batch = {0};
    put(w, 30, 5);
    update(w, 0);
    send(w, 0, 1);
    assert_true(receive(w, 0, 1));
    close_link(w, 0, 1);
    open_link(w, 0, 1);
    migration_tell(w->zones[1].migration, 0, &batch);
    assert_int_equal(batch.taken_count, 0);
    send(w, 0, 1);
    assert_true(receive(w, 0, 1));
    migration_tell(w->zones[1].migration, 0, &batch);
    assert_int_equal(batch.taken_count, 1);
    assert_int_equal(batch.taken[0].result, WIRE_TAKEN);
    world_destroy(w);
}

/* Of two that carry the same, the newer journey counts; what is simulated here is nobody else's. */
static void test_migration_older_journey_changes_nothing_and_a_newer_one_replaces(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    put(w, 30, 5);
    update(w, 0);
    struct wire_peer_batch batch = {0};
    migration_tell(w->zones[0].migration, 1, &batch);
    struct wire_carried_creature again = batch.creatures[0];
    again.x = M(5);
    again.tick--;
    for (uint32_t same = 0; same < 2; same++, again.tick++) {
        migration_take(w->zones[0].migration, 2, w->tick, &again, 1);
        assert_int_equal(owners_of(w, id), 0);
        assert_int_equal(in_flight(w), 1);
    }
    for (uint32_t twice = 0; twice < 2; twice++, again.tick++) {
        migration_take(w->zones[0].migration, 2, w->tick, &again, 1);
        assert_true(is_own_in(w, 0, id));
        assert_int_equal(in_flight(w), 0);
    }
    assert_int_equal(game_creatures(w->zones[0].game), 1);
    assert_int_equal(migration_stats(w->zones[0].migration)->repeated, 3);
    migration_tell(w->zones[0].migration, 2, &batch);
    assert_int_equal(batch.taken_count, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(batch.taken[i].result, WIRE_TAKEN);
    world_destroy(w);
}

/* --- who can't take it */

static void test_migration_refused_comes_back_and_waits_before_it_goes_again(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    struct entities *to = w->zones[1].entities;
    uint16_t filler;
    while (entities_spawn(to, GAME_KIND_PLAYER, M(30), M(10), &filler) == 0) continue;
    uint16_t index = put(w, 30, 5);
    run_tick(w); /* there, */
    run_tick(w); /* and back */
    assert_true(is_own_in(w, 0, id));
    assert_int_equal(entities_find(w->zones[0].entities, id), index);
    assert_int_equal(game_creatures(w->zones[0].game), 1);
    entities_remove(to, filler);
    for (uint32_t i = 0; i < HZ * MIGRATION_AGAIN_MS / 1000 - 2; i++) run_tick(w);
    assert_true(is_own_in(w, 0, id));
    for (uint32_t i = 0; i < 6; i++) run_tick(w);
    assert_true(is_own_in(w, 1, id));
    assert_int_equal(owners_of(w, id), 1);
    world_destroy(w);
}

static void test_migration_zone_lost_brings_back_also_where_the_ghost_is_gone(void **state) {
    (void)state;
    for (uint32_t wait_ticks = 0; wait_ticks <= HZ; wait_ticks += HZ) {
        struct world *w = world_create(1, 1);
        const uint64_t id = creature_id(0, 0);
        put(w, 30, 5);
        update(w, 0);
        close_link(w, 0, 1);
        for (uint32_t i = 0; i < wait_ticks; i++) run_tick(w);
        assert_int_equal(entities_find(w->zones[0].entities, id) == ENTITY_NONE, wait_ticks > 0);
        migration_lose(w->zones[0].migration, 1, tick_of(w, 0));
        for (uint32_t i = 0; i < HZ; i++) run_tick(w); /* nothing is left that would remove it */
        assert_true(is_own_in(w, 0, id));
        assert_int_equal(game_creatures(w->zones[0].game), 1);
        assert_int_equal(in_flight(w), 0);
        world_destroy(w);
    }
}

static void test_migration_back_waits_for_room(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    struct entities *e = w->zones[0].entities;
    uint16_t filler;
    put(w, 30, 5);
    update(w, 0);
    entities_remove(e, entities_find(e, id));
    while (entities_spawn(e, GAME_KIND_PLAYER, M(3), M(10), &filler) == 0) continue;
    close_link(w, 0, 1);
    migration_lose(w->zones[0].migration, 1, tick_of(w, 0));
    run_tick(w);
    assert_int_equal(owners_of(w, id), 0);
    assert_int_equal(in_flight(w), 1);
    entities_remove(e, filler);
    run_tick(w);
    assert_int_equal(owners_of(w, id), 1);
    world_destroy(w);
}

/* 1 took it, carried it on to 3, and died before 0 had the answer. 3 tells of it. */
static void test_migration_zone_lost_after_it_carried_on_leaves_it_where_it_is(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    uint16_t index = put(w, 30, 5);
    update(w, 0);
    ghosts_take(w->zones[0].ghosts, 3, tick_of(w, 0), tick_of(w, 0),
                &(struct wire_ghost){.id = id, .x = M(30), .y = M(21), .kind = GAME_KIND_CREATURE, .health = 255}, 1);
    close_link(w, 0, 1);
    migration_lose(w->zones[0].migration, 1, tick_of(w, 0));
    assert_int_equal(w->zones[0].entities->ghost_of[index], 3);
    assert_int_equal(in_flight(w), 0);
    assert_int_equal(migration_stats(w->zones[0].migration)->elsewhere, 1);
    world_destroy(w);
}

static void test_migration_takes_only_creatures_within_the_world(void **state) {
    (void)state;
    const struct wire_carried_creature good = {.id = 99, .tick = 50, .x = M(30), .y = M(5), .kind = GAME_KIND_CREATURE};
    struct wire_carried_creature bad[4] = {good, good, good, good};
    bad[0].kind = GAME_KIND_PLAYER;
    bad[1].x = M(-1);
    bad[2].kind = 0;
    bad[3].tick = 0;
    struct world *w = world_create(1, 1);
    struct wire_peer_batch batch = {0};
    migration_take(w->zones[1].migration, 0, w->tick, bad, 4);
    migration_tell(w->zones[1].migration, 0, &batch);
    assert_int_equal(batch.taken_count, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(batch.taken[i].result, WIRE_TAKEN_FULL);
    assert_int_equal(migration_stats(w->zones[1].migration)->bad, 4);
    assert_int_equal(entities_find(w->zones[1].entities, 99), ENTITY_NONE);
    migration_take(w->zones[1].migration, 0, w->tick, &good, 1);
    assert_true(is_own_in(w, 1, 99));
    world_destroy(w);
}

static void test_migration_takes_the_ghost_in_place_and_it_stays(void **state) {
    (void)state;
    struct world *w = world_create(1, 1);
    const uint64_t id = creature_id(0, 0);
    struct entities *to = w->zones[1].entities;
    ghosts_take(w->zones[1].ghosts, 0, w->tick, w->tick,
                &(struct wire_ghost){.id = id, .x = M(30), .y = M(5), .kind = GAME_KIND_CREATURE, .health = 255}, 1);
    struct entity_handle ghost = entities_handle(to, entities_find(to, id));
    ghosts_take_gone(w->zones[1].ghosts, 0, w->tick, &(struct wire_ghost_gone){.id = id, .reason = WIRE_GONE_HANDED}, 1);
    put(w, 30, 5);
    for (uint32_t i = 0; i < HZ; i++) run_tick(w); /* longer than limbo */
    assert_true(is_own_in(w, 1, id));
    assert_int_equal(entities_index(to, ghost), entities_find(to, id));
    world_destroy(w);
}

static void test_migration_drained_zone_becomes_empty(void **state) {
    (void)state;
    struct world *w = world_create(1, CREATURES);
    w->directory.partitions[0].owner = 3;
    w->directory.partitions[0].former = 0;
    set_directory(w);
    for (uint32_t i = 0; i < 10; i++) run_tick(w);
    assert_int_equal(game_creatures(w->zones[0].game), 0);
    assert_int_equal(migration_in_flight(w->zones[0].migration, w->directory.partitions[0].rect), 0);
    for (uint32_t n = 0; n < CREATURES; n++) assert_true(is_own_in(w, 3, creature_id(0, n)));
    world_destroy(w);
}

/* --- anything at all */

static void stir(struct world *w, uint32_t zone) {
    struct entities *e = w->zones[zone].entities;
    for (uint32_t n = 0; n < game_creatures(w->zones[zone].game); n++) {
        if (rng_below(&w->rng, 20) != 0) continue;
        uint16_t index = game_creature(w->zones[zone].game, n);
        e->vx[index] = (int16_t)rng_between(&w->rng, -1500, 1500);
        e->vy[index] = (int16_t)rng_between(&w->rng, -1500, 1500);
    }
}

static void change_a_link(struct world *w) {
    uint32_t a = rng_below(&w->rng, ZONES), b = rng_below(&w->rng, ZONES);
    if (a == b) return;
    if (w->zones[a].is_up[b]) {
        close_link(w, a, b);
        if (rng_below(&w->rng, 2)) open_link(w, a, b);
    } else {
        open_link(w, a, b);
    }
}

static void change_an_owner(struct world *w) {
    struct wire_directory_partition *p = &w->directory.partitions[rng_below(&w->rng, ZONES)];
    p->former = rng_below(&w->rng, 2) ? p->owner : WIRE_SLOT_NONE;
    p->owner = rng_below(&w->rng, ZONES);
    if (p->former == p->owner) p->former = WIRE_SLOT_NONE;
    set_directory(w);
}

static void assert_each_once(const struct world *w, uint64_t seed, uint32_t round) {
    for (uint32_t zone = 0; zone < ZONES; zone++) {
        for (uint32_t n = 0; n < CREATURES; n++) {
            uint64_t id = creature_id(zone, n);
            uint32_t owners = owners_of(w, id);
            if (owners > 1) fail_msg("seed %u, round %u: creature %u of %u is doubled", (unsigned)seed, round, n, zone);
        }
    }
    uint32_t creatures = 0;
    for (uint32_t i = 0; i < ZONES; i++) creatures += game_creatures(w->zones[i].game);
    if (creatures + in_flight(w) < ZONES * CREATURES) fail_msg("seed %u, round %u: some are lost", (unsigned)seed, round);
}

static void settle_down(struct world *w) {
    for (uint32_t i = 0; i < ZONES; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (!w->zones[i].is_up[j]) open_link(w, i, j);
        }
        struct entities *e = w->zones[i].entities;
        for (uint32_t k = 0; k < e->count; k++) e->vx[e->alive[k]] = e->vy[e->alive[k]] = 0;
    }
    for (uint32_t i = 0; i < 20 * QUEUE; i++) run_tick(w);
}

static void walk_about(uint64_t seed, uint64_t apart_ticks) {
    struct world *w = world_create(seed, CREATURES);
    for (uint32_t i = 0; i < ZONES; i++) w->zones[i].ahead_ticks = rng_below(&w->rng, (uint32_t)apart_ticks + 1);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        w->tick++;
        uint32_t zone = rng_below(&w->rng, ZONES);
        stir(w, zone);
        for (uint32_t i = 0; i < ZONES; i++) {
            if (rng_below(&w->rng, 4) != 0) update(w, i);
        }
        for (uint32_t i = 0; i < ZONES * ZONES; i++) {
            if (i / ZONES != i % ZONES && rng_below(&w->rng, 2)) send(w, i / ZONES, i % ZONES);
            if (i / ZONES != i % ZONES && rng_below(&w->rng, 2)) receive(w, i / ZONES, i % ZONES);
        }
        if (rng_below(&w->rng, 30) == 0) change_a_link(w);
        if (rng_below(&w->rng, 200) == 0) change_an_owner(w);
        assert_each_once(w, seed, round);
    }
    settle_down(w);
    uint64_t repeated = 0, taken = 0;
    for (uint32_t i = 0; i < ZONES; i++) {
        const struct migration_stats *s = migration_stats(w->zones[i].migration);
        repeated += s->repeated;
        taken += s->taken;
        assert_int_equal(s->refused, 0);
    }
    if (in_flight(w) != 0) fail_msg("seed %u: %u are under way for ever", (unsigned)seed, in_flight(w));
    for (uint32_t i = 0; i < ZONES * CREATURES; i++) {
        uint32_t owners = owners_of(w, creature_id(i / CREATURES, i % CREATURES));
        if (owners != 1) fail_msg("seed %u: creature %u has %u owners", (unsigned)seed, i, owners);
    }
    printf("seed %u: %u journeys, %u carried twice\n", (unsigned)seed, (unsigned)taken, (unsigned)repeated);
    assert_true(taken > 1000 && repeated > 10);
    world_destroy(w);
}

static void test_migration_loses_and_doubles_nothing_whatever_is_cut(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) walk_about(seed, seed % 2 ? 0 : 400);
}

static void test_migration_hash_tells_what_bears_on_the_future(void **state) {
    (void)state;
    struct world *a = world_create(1, 1), *b = world_create(1, 1);
    put(a, 30, 5);
    put(b, 30, 5);
    assert_int_equal(migration_hash(a->zones[0].migration, 1), migration_hash(b->zones[0].migration, 1));
    update(a, 0);
    assert_int_not_equal(migration_hash(a->zones[0].migration, 1), migration_hash(b->zones[0].migration, 1));
    update(b, 0);
    send(a, 0, 1); /* that it was sent bears on nothing */
    assert_int_equal(migration_hash(a->zones[0].migration, 1), migration_hash(b->zones[0].migration, 1));
    close_link(b, 0, 1);
    assert_int_not_equal(migration_hash(a->zones[0].migration, 1), migration_hash(b->zones[0].migration, 1));
    world_destroy(a);
    world_destroy(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migration_creature_two_metres_beyond_goes_with_all_it_is),
        cmocka_unit_test(test_migration_border_between_owners_has_hysteresis),
        cmocka_unit_test(test_migration_waits_for_an_owner_that_is_connected),
        cmocka_unit_test(test_migration_starts_are_bounded_in_a_tick_and_under_way),
        cmocka_unit_test(test_migration_answer_lost_is_given_again),
        cmocka_unit_test(test_migration_batch_that_could_not_be_sent_is_told_again),
        cmocka_unit_test(test_migration_carried_again_after_it_has_gone_on_is_not_taken_twice),
        cmocka_unit_test(test_migration_back_before_the_answer_and_with_a_slow_clock),
        cmocka_unit_test(test_migration_late_answer_does_not_end_the_next_journey),
        cmocka_unit_test(test_migration_answers_of_an_ended_connection_wait_until_asked_again),
        cmocka_unit_test(test_migration_older_journey_changes_nothing_and_a_newer_one_replaces),
        cmocka_unit_test(test_migration_refused_comes_back_and_waits_before_it_goes_again),
        cmocka_unit_test(test_migration_zone_lost_brings_back_also_where_the_ghost_is_gone),
        cmocka_unit_test(test_migration_back_waits_for_room),
        cmocka_unit_test(test_migration_zone_lost_after_it_carried_on_leaves_it_where_it_is),
        cmocka_unit_test(test_migration_takes_only_creatures_within_the_world),
        cmocka_unit_test(test_migration_takes_the_ghost_in_place_and_it_stays),
        cmocka_unit_test(test_migration_drained_zone_becomes_empty),
        cmocka_unit_test(test_migration_loses_and_doubles_nothing_whatever_is_cut),
        cmocka_unit_test(test_migration_hash_tells_what_bears_on_the_future),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
