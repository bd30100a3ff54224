/* The rules: walking, walls, striking, shooting (against a naive twin), death and rising, creatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/item_kinds.h"
#include "zone/angle.h"
#include "zone/game_rules.h"

#define M(metres) ((int32_t)((metres)*65536))

enum { ENTITIES = 256 };

struct world {
    struct territory *territory;
    struct entities *entities;
    struct grid *grid;
    struct game *game;
    uint64_t tick;
};

static struct world world_create(uint32_t creatures) {
    struct directory directory = {
        .partition_count = 1, .partitions = {{.rect = {-64, 0, 64, 128}, .former = WIRE_SLOT_NONE, .creatures = creatures}}};
    struct world w = {
        .territory = calloc(1, sizeof *w.territory), .entities = entities_create(ENTITIES, 0, 0), .tick = 1000};
    territory_set(w.territory, &directory, 0);
    w.grid = grid_create(w.territory->world, 16, ENTITIES);
    w.game = game_create(&(struct game_config){.territory = w.territory, .seed = 42}, w.entities, w.grid);
    assert_non_null(w.game);
    assert_int_equal(game_settle(w.game, &directory.partitions[0]), creatures);
    return w;
}

static void world_destroy(struct world *w) {
    game_destroy(w->game);
    grid_destroy(w->grid);
    entities_destroy(w->entities);
    free(w->territory);
}

static void run(struct world *w, uint32_t ticks) {
    while (ticks-- > 0) {
        game_think(w->game, ++w->tick, 12);
        game_move(w->game, 1);
        grid_build(w->grid, w->entities->alive, w->entities->count, w->entities->x, w->entities->y);
        game_combat(w->game, w->tick);
    }
}

static uint16_t join_at(struct world *w, int32_t x, int32_t y) {
    uint16_t index;
    assert_int_equal(game_join(w->game, NULL, &index), 0);
    w->entities->x[index] = x;
    w->entities->y[index] = y;
    return index;
}

static void test_game_walk_is_as_fast_in_all_directions(void **state) {
    (void)state;
    struct world w = world_create(0);
    for (int8_t dx = -1; dx <= 1; dx++) {
        for (int8_t dy = -1; dy <= 1; dy++) {
            uint16_t p = join_at(&w, M(0), M(64));
            game_input(w.game, p, (struct game_input){.move_x = dx, .move_y = dy});
            run(&w, 60);
            int64_t x = w.entities->x[p], y = w.entities->y[p] - M(64);
            uint32_t walked = angle_isqrt((uint64_t)(x * x + y * y));
            if (dx || dy) assert_in_range(walked, M(5.48), M(5.52));
            if (!dx && !dy) assert_int_equal(walked, 0);
            assert_true((x > 0) == (dx > 0) && (y > 0) == (dy > 0));
            game_leave(w.game, p);
        }
    }
    world_destroy(&w);
}

static void test_game_walk_covers_left_out_ticks(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t p = join_at(&w, M(0), M(64));
    game_input(w.game, p, (struct game_input){.move_x = 1});
    game_move(w.game, 3);
    assert_int_equal(w.entities->x[p], 3 * 188 * 32);
    world_destroy(&w);
}

static void test_game_wall_stops_and_ends_velocity(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t p = join_at(&w, M(63), M(64));
    game_input(w.game, p, (struct game_input){.move_x = 1, .move_y = 1});
    run(&w, 60);
    assert_int_equal(w.entities->x[p], M(64) - BODY_RADIUS);
    assert_int_equal(w.entities->vx[p], 0);
    assert_int_equal(w.entities->vy[p], PLAYER_SPEED_DIAGONAL);
    world_destroy(&w);
}

static void test_game_strike_hits_only_what_is_near_and_before(void **state) {
    (void)state;
    const struct {
        double x, y;
        bool hit;
    } cases[] = {{1.5, 0, true}, {2.5, 0, false}, {-1.5, 0, false}, {0, 1.5, false}, {1, 1, true}, {0.5, -1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w = world_create(0);
        uint16_t a = join_at(&w, M(0), M(64));
        uint16_t b = join_at(&w, M(cases[i].x), M(64 + cases[i].y));
        game_input(w.game, a, (struct game_input){.buttons = GAME_BUTTON_STRIKE});
        run(&w, 1);
        assert_int_equal(w.game->bodies[b].hit_points, cases[i].hit ? PLAYER_HEALTH - PLAYER_STRIKE_DAMAGE : PLAYER_HEALTH);
        assert_int_equal(w.game->bodies[a].hit_points, PLAYER_HEALTH);
        assert_int_equal(w.entities->action[a], GAME_ACTION_STRIKE);
        world_destroy(&w);
    }
}

static void test_game_held_button_waits_for_the_cooldown(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t a = join_at(&w, M(0), M(64)), b = join_at(&w, M(20), M(64));
    game_input(w.game, a, (struct game_input){.buttons = GAME_BUTTON_SHOOT});
    run(&w, PLAYER_SHOT_TICKS);
    assert_int_equal(w.game->bodies[b].hit_points, PLAYER_HEALTH - PLAYER_SHOT_DAMAGE);
    run(&w, 1);
    assert_int_equal(w.game->bodies[b].hit_points, PLAYER_HEALTH - 2 * PLAYER_SHOT_DAMAGE);
    assert_int_equal(game_target(w.game, a), b);
    game_input(w.game, a, (struct game_input){0});
    run(&w, TARGET_TICKS);
    assert_int_equal(game_target(w.game, a), ENTITY_NONE);
    world_destroy(&w);
}

/* The shot's definition without a grid: the nearest body along the ray. */
static uint16_t naive_shot(const struct world *w, uint16_t shooter) {
    const struct entities *e = w->entities;
    int64_t ux = angle_cos(w->game->bodies[shooter].aim), uy = angle_sin(w->game->bodies[shooter].aim);
    int64_t nearest = PLAYER_SHOT_RANGE;
    uint16_t found = ENTITY_NONE;
    for (uint32_t i = 0; i < e->count; i++) {
        uint16_t n = e->alive[i];
        if (n == shooter || w->game->bodies[n].hit_points == 0) continue;
        int64_t dx = e->x[n] - e->x[shooter], dy = e->y[n] - e->y[shooter];
        int64_t along = (dx * ux + dy * uy) >> 14, across = (dx * uy - dy * ux) >> 14;
        if (along <= 0 || along > nearest || llabs(across) > BODY_RADIUS) continue;
        nearest = along;
        found = n;
    }
    return found;
}

static void test_game_shot_hits_what_a_full_scan_hits(void **state) {
    (void)state;
    struct world w = world_create(100);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < 150; i++) join_at(&w, w.entities->x[i % 100], rng_between(&w.game->rng, M(1), M(127)));
    grid_build(w.grid, w.entities->alive, w.entities->count, w.entities->x, w.entities->y);
    for (uint32_t i = 0; i < 20000; i++) {
        uint16_t shooter = (uint16_t)(100 + i % 150);
        w.game->bodies[shooter].aim = (uint16_t)rng_below(&w.game->rng, 65536);
        if (i % 10 == 0) w.game->bodies[shooter].aim &= 0xc000; /* straight along the axes */
        uint16_t found = game_shot_target(w.game, shooter);
        assert_int_equal(found, naive_shot(&w, shooter));
        hits += found != ENTITY_NONE;
    }
    assert_in_range(hits, 1000, 19000);
    world_destroy(&w);
}

static void test_game_dead_player_lies_still_then_rises(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t a = join_at(&w, M(0), M(64)), b = join_at(&w, M(1), M(64));
    game_input(w.game, a, (struct game_input){.buttons = GAME_BUTTON_STRIKE});
    run(&w, 3 * PLAYER_STRIKE_TICKS + 1);
    uint32_t count;
    const struct game_event *events = game_events(w.game, &count);
    assert_int_equal(count, 1);
    assert_int_equal(events[0].type, GAME_EVENT_DIED);
    assert_int_equal(events[0].index, b);
    assert_true(events[0].by == w.entities->id[a]);
    assert_int_equal(w.entities->health[b], 0);
    assert_int_equal(w.entities->action[b], GAME_ACTION_DEAD);
    game_events_clear(w.game);

    game_input(w.game, b, (struct game_input){.move_x = 1});
    game_input(w.game, a, (struct game_input){0});
    run(&w, PLAYER_RESPAWN_TICKS - 1);
    assert_int_equal(w.entities->x[b], M(1));
    assert_int_equal(w.entities->health[b], 0);
    run(&w, 1);
    assert_int_equal(w.entities->health[b], 255);
    events = game_events(w.game, &count);
    assert_int_equal(count, 1);
    assert_int_equal(events[0].type, GAME_EVENT_RESPAWNED);
    world_destroy(&w);
}

static void test_game_respawn_on_request_only_of_the_dead(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t a = join_at(&w, M(0), M(64));
    game_respawn(w.game, a);
    assert_int_equal(w.entities->x[a], M(0));
    game_hurt(w.game, a, 1000, a);
    game_respawn(w.game, a);
    assert_int_equal(w.game->bodies[a].hit_points, PLAYER_HEALTH);
    world_destroy(&w);
}

static void test_game_creature_chases_and_kills_who_is_near(void **state) {
    (void)state;
    struct world w = world_create(1);
    w.entities->x[0] = w.game->creatures[0].home_x = M(0);
    w.entities->y[0] = w.game->creatures[0].home_y = M(64);
    uint16_t near = join_at(&w, M(10), M(64)), far = join_at(&w, M(-20), M(64));
    run(&w, 60 * 20);
    uint32_t count;
    const struct game_event *events = game_events(w.game, &count);
    assert_true(count >= 1);
    assert_int_equal(events[0].type, GAME_EVENT_DIED);
    assert_int_equal(events[0].index, near);
    assert_int_equal(w.game->bodies[far].hit_points, PLAYER_HEALTH);
    world_destroy(&w);
}

static void test_game_creature_wanders_near_home_and_never_through_walls(void **state) {
    (void)state;
    struct world w = world_create(50);
    run(&w, 60 * 120);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < 50; i++) {
        const struct creature *c = &w.game->creatures[i];
        int64_t dx = w.entities->x[c->index] - c->home_x, dy = w.entities->y[c->index] - c->home_y;
        assert_true(dx * dx + dy * dy <= (int64_t)M(40) * M(40));
        assert_in_range(w.entities->x[c->index] + M(64), BODY_RADIUS, M(128) - BODY_RADIUS);
        moved += dx != 0 || dy != 0;
    }
    assert_true(moved > 40);
    world_destroy(&w);
}

static void test_game_creature_rises_at_home(void **state) {
    (void)state;
    struct world w = world_create(1);
    game_think(w.game, ++w.tick, 12);
    w.entities->x[0] = M(-60);
    game_hurt(w.game, 0, 1000, 0);
    run(&w, CREATURE_RESPAWN_TICKS - 1);
    assert_int_equal(w.entities->health[0], 0);
    run(&w, 12);
    assert_int_equal(w.entities->health[0], 255);
    assert_in_range(w.entities->x[0], w.game->creatures[0].home_x - M(1), w.game->creatures[0].home_x + M(1));
    world_destroy(&w);
}

static void test_angle_sine_and_direction_agree_with_known_values(void **state) {
    (void)state;
    assert_int_equal(angle_sin(0), 0);
    assert_int_equal(angle_sin(0x4000), ANGLE_ONE);
    assert_int_equal(angle_cos(0x8000), -ANGLE_ONE);
    assert_in_range(angle_sin(0x2000), 11580, 11590); /* sqrt(1/2) = 11585 */
    for (uint32_t a = 0; a < 65536; a += 7) {
        int32_t c = angle_cos((uint16_t)a), s = angle_sin((uint16_t)a);
        assert_in_range(c * c + s * s, 268435456 - 268435456 / 1000, 268435456 + 268435456 / 1000);
        int16_t off = (int16_t)(angle_of(c, s) - a);
        assert_true(abs(off) <= 48);
    }
    assert_int_equal(angle_isqrt(0), 0);
    assert_int_equal(angle_isqrt(99), 9);
    assert_int_equal(angle_isqrt(UINT64_MAX), UINT32_MAX);
}

/* --- what players gain */

static uint32_t events_of(const struct world *w, enum game_event_type type, struct game_event *last) {
    uint32_t count, found = 0;
    const struct game_event *events = game_events(w->game, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (events[i].type != type) continue;
        *last = events[i];
        found++;
    }
    return found;
}

static void test_game_killing_a_creature_gives_experience_and_loot_once(void **state) {
    (void)state;
    struct world w = world_create(1);
    uint16_t p = join_at(&w, M(0), M(64)), creature = w.game->creatures[0].index;
    uint64_t victim = w.entities->id[creature];
    game_hurt(w.game, creature, CREATURE_HEALTH - 1, p);
    struct game_event event;
    assert_int_equal(events_of(&w, GAME_EVENT_LOOT, &event), 0);
    game_hurt(w.game, creature, 5, p);
    assert_int_equal(events_of(&w, GAME_EVENT_LOOT, &event), 1);
    assert_int_equal(event.index, p);
    assert_true(event.by == victim);
    assert_in_range(event.gold, 1, CREATURE_GOLD_MAX);
    assert_int_equal(events_of(&w, GAME_EVENT_PROGRESS, &event), 1);
    assert_int_equal(game_character(w.game, p).experience, CREATURE_EXPERIENCE);
    world_destroy(&w);
}

static void test_game_killing_a_player_gives_nothing(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t a = join_at(&w, M(0), M(64)), b = join_at(&w, M(1), M(64));
    game_hurt(w.game, b, PLAYER_HEALTH, a);
    struct game_event event;
    assert_int_equal(events_of(&w, GAME_EVENT_DIED, &event), 1);
    assert_int_equal(events_of(&w, GAME_EVENT_LOOT, &event) + events_of(&w, GAME_EVENT_PROGRESS, &event), 0);
    assert_int_equal(game_character(w.game, a).experience, 0);
    world_destroy(&w);
}

static void test_game_loot_holds_to_the_table_of_kinds(void **state) {
    (void)state;
    struct world w = world_create(1);
    uint16_t p = join_at(&w, M(0), M(64)), creature = w.game->creatures[0].index;
    uint32_t with_item = 0;
    for (unsigned i = 0; i < 2000; i++) {
        game_events_clear(w.game);
        game_reward(w.game, p, (struct game_striker){0}, creature);
        struct game_event event;
        assert_int_equal(events_of(&w, GAME_EVENT_LOOT, &event), 1);
        if (event.item_kind == 0) {
            assert_int_equal(event.item_count, 0);
            continue;
        }
        const struct item_kind_info *info = item_kind_find(event.item_kind);
        assert_non_null(info);
        assert_in_range(event.item_count, 1, info->stack_max);
        with_item++;
    }
    assert_in_range(with_item, 1300, 1500); /* seven in ten */
    world_destroy(&w);
}

static void test_game_level_rises_with_experience(void **state) {
    (void)state;
    static const struct {
        uint64_t experience;
        uint16_t level;
    } cases[] = {
        {0, 1}, {99, 1}, {100, 2}, {299, 2}, {300, 3}, {176999, 59}, {177000, 60}, {177001, 60}, {EXPERIENCE_MAX, 60}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(game_level_of(cases[i].experience), cases[i].level);

    struct world w = world_create(1);
    struct game_character last = {.hit_points = 60, .experience = 90};
    uint16_t p;
    assert_int_equal(game_join(w.game, &last, &p), 0);
    game_reward(w.game, p, (struct game_striker){0}, w.game->creatures[0].index);
    struct game_character now = game_character(w.game, p);
    assert_int_equal(now.level, 2);
    assert_int_equal(now.hit_points, 60 + LEVEL_HEALTH);
    assert_int_equal(game_full_health(w.game, p), PLAYER_HEALTH + LEVEL_HEALTH);
    assert_int_equal(game_strength(w.game, p, PLAYER_STRIKE_DAMAGE), PLAYER_STRIKE_DAMAGE + LEVEL_DAMAGE);
    world_destroy(&w);
}

static void test_game_experience_stops_at_its_limit(void **state) {
    (void)state;
    struct world w = world_create(1);
    struct game_character last = {.hit_points = 60, .experience = UINT64_MAX};
    uint16_t p;
    assert_int_equal(game_join(w.game, &last, &p), 0);
    game_reward(w.game, p, (struct game_striker){0}, w.game->creatures[0].index);
    assert_true(game_character(w.game, p).experience == EXPERIENCE_MAX);
    world_destroy(&w);
}

static void test_game_join_restores_what_was_kept(void **state) {
    (void)state;
    struct world w = world_create(0);
    struct game_character last = {.x = M(-3), .y = M(70), .yaw = 0x4000, .hit_points = 42, .experience = 350};
    uint16_t p;
    assert_int_equal(game_join(w.game, &last, &p), 0);
    struct game_character now = game_character(w.game, p);
    assert_true(now.x == last.x && now.y == last.y && now.yaw == last.yaw);
    assert_true(now.hit_points == 42 && now.experience == 350 && now.level == 3);
    assert_int_equal(w.entities->yaw[p], 0x40);
    assert_int_equal(w.entities->health[p], (42 * 255 + 109) / 110);
    game_leave(w.game, p);
    last = (struct game_character){.x = INT32_MIN, .y = INT32_MAX, .hit_points = UINT16_MAX};
    assert_int_equal(game_join(w.game, &last, &p), 0);
    now = game_character(w.game, p);
    assert_true(now.x == M(-63.5) && now.y == M(127.5)); /* inside the walls */
    assert_int_equal(now.hit_points, PLAYER_HEALTH);
    world_destroy(&w);
}

static void test_game_join_of_the_dead_rises_with_what_it_knew(void **state) {
    (void)state;
    struct world w = world_create(0);
    struct game_character last = {.x = M(-3), .y = M(70), .experience = 350};
    uint16_t p;
    assert_int_equal(game_join(w.game, &last, &p), 0);
    struct game_character now = game_character(w.game, p);
    assert_true(now.x != last.x || now.y != last.y);
    assert_int_equal(now.hit_points, PLAYER_HEALTH + 2 * LEVEL_HEALTH);
    assert_int_equal(now.experience, 350);
    world_destroy(&w);
}

static void test_game_healing_stops_at_full_health_and_does_not_wake_the_dead(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t p = join_at(&w, M(0), M(64)), other = join_at(&w, M(1), M(64));
    game_hurt(w.game, p, 70, other);
    game_effect(w.game, p, ITEM_EFFECT_HEAL, 50);
    assert_int_equal(game_character(w.game, p).hit_points, 80);
    game_effect(w.game, p, ITEM_EFFECT_HEAL, UINT32_MAX);
    assert_int_equal(game_character(w.game, p).hit_points, PLAYER_HEALTH);
    game_effect(w.game, p, ITEM_EFFECT_NONE, 50);
    game_hurt(w.game, p, PLAYER_HEALTH, other);
    game_effect(w.game, p, ITEM_EFFECT_HEAL, 50);
    assert_int_equal(game_character(w.game, p).hit_points, 0);
    world_destroy(&w);
}

static uint16_t ghost_at(struct world *w, uint64_t id, uint8_t kind, int32_t x, int32_t y) {
    uint16_t index;
    assert_int_equal(entities_spawn_as(w->entities, id, 7, kind, x, y, &index), 0);
    w->entities->health[index] = 255;
    game_haunt(w->game, index);
    return index;
}

static void test_game_hit_on_a_ghost_is_told_and_does_nothing_here(void **state) {
    (void)state;
    struct world w = world_create(0);
    uint16_t p = join_at(&w, M(0), M(64)), ghost = ghost_at(&w, 99, GAME_KIND_PLAYER, M(1), M(64));
    game_input(w.game, p, (struct game_input){.buttons = GAME_BUTTON_STRIKE, .aim = 0});
    run(&w, 1);
    uint32_t count;
    const struct game_hit *hits = game_hits(w.game, &count);
    assert_int_equal(count, 1);
    assert_true(hits[0].target == ghost && hits[0].attacker == p && hits[0].damage == PLAYER_STRIKE_DAMAGE);
    assert_int_equal(w.entities->health[ghost], 255);
    game_events_clear(w.game);
    game_hits(w.game, &count);
    assert_int_equal(count, 0);
    world_destroy(&w);
}

static void test_game_kill_from_another_zone_is_worth_loot_here_and_experience_there(void **state) {
    (void)state;
    struct world w = world_create(1);
    uint16_t creature = w.game->creatures[0].index;
    game_struck(w.game, creature, (struct game_striker){.id = 50, .player = 5}, CREATURE_HEALTH - 1);
    game_struck(w.game, creature, (struct game_striker){.id = 50, .player = 5}, 10);
    game_struck(w.game, creature, (struct game_striker){.id = 50, .player = 5}, 10); /* dead: nothing */
    uint32_t count;
    const struct game_outcome *outcomes = game_outcomes(w.game, &count);
    assert_int_equal(count, 1); /* who kills nobody gains nothing */
    assert_true(outcomes[0].killed && outcomes[0].experience == CREATURE_EXPERIENCE && outcomes[0].attacker == 50);
    const struct game_event *events = game_events(w.game, &count);
    assert_int_equal(count, 1);
    assert_true(events[0].type == GAME_EVENT_LOOT && events[0].index == ENTITY_NONE && events[0].player == 5);
    uint16_t p = join_at(&w, M(0), M(64));
    game_gain(w.game, p, CREATURE_EXPERIENCE);
    assert_int_equal(game_character(w.game, p).experience, CREATURE_EXPERIENCE);
    world_destroy(&w);
}

static void test_game_carried_entities_go_on_as_they_were(void **state) {
    (void)state;
    struct world a = world_create(3), b = world_create(0);
    uint16_t creature = a.game->creatures[1].index, p = join_at(&a, M(0), M(64));
    game_hurt(a.game, creature, 7, p);
    game_gain(a.game, p, 450);
    game_hurt(a.game, p, 30, p);
    const uint16_t sources[] = {creature, p};
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[WIRE_CARRIED_RULES_BYTES], again[WIRE_CARRIED_RULES_BYTES];
        uint16_t from = sources[i], to;
        game_carry(a.game, from, bytes);
        assert_int_equal(
            entities_spawn_as(b.entities, a.entities->id[from] + 1000, ENTITY_OWN, a.entities->kind[from], 0, 0, &to), 0);
        assert_int_equal(game_arrive(b.game, to, bytes), 0);
        game_carry(b.game, to, again);
        assert_memory_equal(bytes, again, sizeof bytes);
        assert_int_equal(b.entities->health[to], a.entities->health[from]);
        game_depart(a.game, from);
    }
    assert_int_equal(game_creatures(a.game), 2);
    assert_int_equal(game_creatures(b.game), 1);
    world_destroy(&a);
    world_destroy(&b);
}

static void test_game_settle_makes_good_what_a_partition_lacks(void **state) {
    (void)state;
    struct world w = world_create(10);
    struct wire_directory_partition partition = w.territory->directory.partitions[0];
    assert_int_equal(game_settle(w.game, &partition), 0);
    for (int i = 0; i < 4; i++) {
        uint16_t index = game_creature(w.game, 0);
        game_depart(w.game, index);
        entities_remove(w.entities, index);
    }
    assert_int_equal(game_settle(w.game, &partition), 4);
    partition.rect = (struct wire_rect){0, 0, 64, 128}; /* a part of it: those at home there count */
    uint32_t before = game_creatures(w.game), there = 0;
    for (uint32_t i = 0; i < before; i++) there += w.game->creatures[i].home_x >= 0;
    assert_int_equal(game_settle(w.game, &partition), 10 - there);
    world_destroy(&w);
}

/* Adds a block of four cells of 16 m to a world. */
static void add_block(struct world *w, uint32_t owner) {
    struct directory directory = w->territory->directory;
    directory.partitions[directory.partition_count++] = (struct wire_directory_partition){
        .id = CELLS_BLOCK_BIT, .rect = {200, 0, 400, 50}, .owner = owner, .former = WIRE_SLOT_NONE};
    w->territory->cells = (struct cells){.per_block = 4, .side_m = 16, .pitch_m = 50};
    territory_set(w->territory, &directory, 0);
}

static void test_game_who_is_in_a_cell_stays_in_it(void **state) {
    (void)state;
    struct world w = world_create(0);
    add_block(&w, 1);
    uint16_t p = join_at(&w, M(258), M(8));
    for (int turn = 0; turn < 2; turn++) {
        int8_t way = turn == 0 ? 1 : -1;
        for (uint32_t i = 0; i < 300; i++) {
            game_input(w.game, p, (struct game_input){.move_x = way, .move_y = way});
            run(&w, 1);
        }
        assert_int_equal(w.entities->x[p], turn == 0 ? M(265.5) : M(250.5));
        assert_int_equal(w.entities->y[p], turn == 0 ? M(15.5) : M(0.5));
        assert_true(w.entities->vx[p] == 0 && w.entities->vy[p] == 0);
    }
    struct game_character last = {.x = M(316), .y = M(40), .hit_points = 42}; /* below a gap's wall */
    assert_int_equal(game_join(w.game, &last, &p), 0);
    assert_true(w.entities->x[p] == M(315.5) && w.entities->y[p] == M(15.5));
    world_destroy(&w);
}

static void test_game_nobody_new_rises_in_a_block(void **state) {
    (void)state;
    struct world w = world_create(0);
    add_block(&w, 0);
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < 100; i++) {
            uint16_t p;
            assert_int_equal(game_join(w.game, NULL, &p), 0);
            assert_true(w.entities->x[p] >= M(-64) && w.entities->x[p] < M(64));
            game_leave(w.game, p);
        }
        w.territory->directory.partitions[0].owner = 1; /* now the zone owns the block alone */
    }
    world_destroy(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_game_walk_is_as_fast_in_all_directions),
        cmocka_unit_test(test_game_walk_covers_left_out_ticks),
        cmocka_unit_test(test_game_wall_stops_and_ends_velocity),
        cmocka_unit_test(test_game_strike_hits_only_what_is_near_and_before),
        cmocka_unit_test(test_game_held_button_waits_for_the_cooldown),
        cmocka_unit_test(test_game_shot_hits_what_a_full_scan_hits),
        cmocka_unit_test(test_game_dead_player_lies_still_then_rises),
        cmocka_unit_test(test_game_respawn_on_request_only_of_the_dead),
        cmocka_unit_test(test_game_creature_chases_and_kills_who_is_near),
        cmocka_unit_test(test_game_creature_wanders_near_home_and_never_through_walls),
        cmocka_unit_test(test_game_creature_rises_at_home),
        cmocka_unit_test(test_game_hit_on_a_ghost_is_told_and_does_nothing_here),
        cmocka_unit_test(test_game_kill_from_another_zone_is_worth_loot_here_and_experience_there),
        cmocka_unit_test(test_game_carried_entities_go_on_as_they_were),
        cmocka_unit_test(test_game_settle_makes_good_what_a_partition_lacks),
        cmocka_unit_test(test_angle_sine_and_direction_agree_with_known_values),
        cmocka_unit_test(test_game_killing_a_creature_gives_experience_and_loot_once),
        cmocka_unit_test(test_game_killing_a_player_gives_nothing),
        cmocka_unit_test(test_game_loot_holds_to_the_table_of_kinds),
        cmocka_unit_test(test_game_level_rises_with_experience),
        cmocka_unit_test(test_game_experience_stops_at_its_limit),
        cmocka_unit_test(test_game_join_restores_what_was_kept),
        cmocka_unit_test(test_game_who_is_in_a_cell_stays_in_it),
        cmocka_unit_test(test_game_nobody_new_rises_in_a_block),
        cmocka_unit_test(test_game_join_of_the_dead_rises_with_what_it_knew),
        cmocka_unit_test(test_game_healing_stops_at_full_health_and_does_not_wake_the_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
