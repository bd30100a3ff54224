#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "zone/angle.h"
#include "zone/game_rules.h"
#include "zone/hash.h"

bool creatures_create(struct game *game) {
    uint32_t count = game->entities->capacity;
    game->creatures = calloc(count, sizeof *game->creatures);
    game->creature_of = malloc(count * sizeof *game->creature_of);
    if (!game->creatures || !game->creature_of) return false;
    memset(game->creature_of, 0xff, count * sizeof *game->creature_of);
    return true;
}

void creatures_destroy(struct game *game) {
    free(game->creatures);
    free(game->creature_of);
}

bool creatures_add(struct game *game, const struct creature *creature) {
    if (game->creature_count == game->entities->capacity) return false;
    game->creature_of[creature->index] = (uint16_t)game->creature_count;
    game->creatures[game->creature_count++] = *creature;
    return true;
}

void creatures_remove(struct game *game, uint16_t index) {
    uint16_t place = game->creature_of[index];
    CHECK(place != ENTITY_NONE);
    game->creature_of[index] = ENTITY_NONE;
    const struct creature *last = &game->creatures[--game->creature_count];
    if (last->index != index) {
        game->creatures[place] = *last;
        game->creature_of[last->index] = place;
    }
    if (game->think_next >= game->creature_count) game->think_next = 0;
}

static bool is_at_home(const struct creature *c, const struct grid_rect *rect) {
    return c->home_x >= rect->x_min && c->home_x < rect->x_max && c->home_y >= rect->y_min && c->home_y < rect->y_max;
}

uint32_t game_settle(struct game *game, const struct wire_directory_partition *partition) {
    struct grid_rect rect = territory_rect(partition->rect);
    uint32_t here = 0, spawned = 0;
    for (uint32_t i = 0; i < game->creature_count; i++) here += is_at_home(&game->creatures[i], &rect);
    for (; here + spawned < partition->creatures; spawned++) {
        struct creature c = {0};
        game_place(game, &rect, &c.home_x, &c.home_y);
        if (entities_spawn(game->entities, GAME_KIND_CREATURE, c.home_x, c.home_y, &c.index)) break;
        game->bodies[c.index] = (struct body){0};
        CHECK(creatures_add(game, &c));
        game_rise(game, c.index, c.home_x, c.home_y);
    }
    return spawned;
}

int game_spawn(struct game *game, const struct game_spawn *spawn, uint16_t *index) {
    struct creature c = {.home_x = spawn->x,
                         .home_y = spawn->y,
                         .health_percent = spawn->health_percent,
                         .damage_percent = spawn->damage_percent,
                         .wave = spawn->wave};
    int error = entities_spawn(game->entities, GAME_KIND_CREATURE, c.home_x, c.home_y, &c.index);
    if (error) return error;
    *index = c.index;
    game->bodies[c.index] = (struct body){0};
    game->journeys[c.index] =
        (struct journey){.generation = game->entities->generation[c.index], .instance = spawn->instance};
    CHECK(creatures_add(game, &c));
    game_rise(game, c.index, c.home_x, c.home_y);
    return 0;
}

void game_dismiss(struct game *game, uint16_t index) {
    creatures_remove(game, index);
    entities_remove(game->entities, index);
}

/* A share of what a creature has of itself, at least 1. */
static int16_t share_of(int16_t most, uint16_t percent) {
    if (percent == 0) return most;
    int32_t share = most * percent / 100;
    return (int16_t)(share < 1 ? 1 : share > INT16_MAX ? INT16_MAX : share);
}

int16_t creatures_full_health(const struct game *game, uint16_t index) {
    uint16_t place = game->creature_of[index];
    return place == ENTITY_NONE ? CREATURE_HEALTH : share_of(CREATURE_HEALTH, game->creatures[place].health_percent);
}

int16_t creatures_strength(const struct game *game, uint16_t index, int16_t damage) {
    uint16_t place = game->creature_of[index];
    return place == ENTITY_NONE ? damage : share_of(damage, game->creatures[place].damage_percent);
}

uint32_t game_creatures(const struct game *game) {
    return game->creature_count;
}

uint16_t game_creature(const struct game *game, uint32_t n) {
    CHECK(n < game->creature_count);
    return game->creatures[n].index;
}

static void face(struct game *game, uint16_t index, uint16_t aim) {
    game->bodies[index].aim = aim;
    game->entities->yaw[index] = (uint8_t)(aim >> 8);
}

static void walk(struct game *game, uint16_t index, uint16_t direction, int32_t speed) {
    face(game, index, direction);
    game->entities->vx[index] = (int16_t)((angle_cos(direction) * speed) >> 14);
    game->entities->vy[index] = (int16_t)((angle_sin(direction) * speed) >> 14);
}

static void stop(struct game *game, uint16_t index) {
    game->entities->vx[index] = game->entities->vy[index] = 0;
}

static void chase(struct game *game, struct creature *c, uint16_t prey) {
    const struct entities *e = game->entities;
    int64_t dx = (int64_t)e->x[prey] - e->x[c->index], dy = (int64_t)e->y[prey] - e->y[c->index];
    int64_t reach = STRIKE_REACH - GAME_METRES(0.5); /* bites a little before the prey is out of reach */
    c->chasing = true;
    if (dx * dx + dy * dy <= reach * reach && game_sees(game, c->index, e->x[prey], e->y[prey])) {
        stop(game, c->index);
        face(game, c->index, angle_of(dx, dy));
        game->bodies[c->index].buttons = GAME_BUTTON_STRIKE;
    } else {
        walk(game, c->index, angle_of(dx, dy), CREATURE_CHASE_SPEED);
        game->bodies[c->index].buttons = 0;
    }
}

/* Every two to six seconds: stand, or walk somewhere; home, when that is far. */
static void wander(struct game *game, struct creature *c) {
    const struct entities *e = game->entities;
    if (!c->chasing && game->tick < c->wander_tick) return;
    c->chasing = false;
    c->wander_tick = game->tick + 120 + rng_below(&game->rng, 240);
    game->bodies[c->index].buttons = 0;

    int64_t dx = (int64_t)c->home_x - e->x[c->index], dy = (int64_t)c->home_y - e->y[c->index];
    if (dx * dx + dy * dy > (int64_t)CREATURE_LEASH * CREATURE_LEASH) {
        walk(game, c->index, angle_of(dx, dy), CREATURE_WALK_SPEED);
    } else if (rng_below(&game->rng, 2)) {
        walk(game, c->index, (uint16_t)rng_below(&game->rng, 65536), CREATURE_WALK_SPEED);
    } else {
        stop(game, c->index);
    }
}

static void think(struct game *game, struct creature *c) {
    const struct body *body = &game->bodies[c->index];
    if (body->hit_points == 0) {
        bool rises = game_journey(game, c->index)->instance == 0 && game->tick >= body->rise_tick;
        if (rises) game_rise(game, c->index, c->home_x, c->home_y);
        return;
    }
    const struct entities *e = game->entities;
    uint16_t prey = game_nearest_player(game, e->x[c->index], e->y[c->index], CREATURE_AGGRO_RADIUS);
    if (prey != ENTITY_NONE) {
        chase(game, c, prey);
    } else {
        wander(game, c);
    }
}

/* A slow one thinks in some of its turns; which of them differs, so that not all of an instance think in the same. */
static bool is_awake(const struct game *game, const struct creature *c, uint32_t think_ticks) {
    uint8_t pace = game_journey(game, c->index)->pace;
    return pace == 0 || (game->tick / think_ticks + c->index) % pace == 0;
}

/* What the creatures of one instance in a row took; the clock is looked at between two instances. */
struct stretch {
    uint32_t instance;
    uint64_t began_ns;
};

static void measure(const struct game *game, struct stretch *s, uint32_t instance) {
    if (!game->meter || s->instance == instance) return;
    uint64_t now_ns = game->meter->now_ns();
    if (s->instance != 0) game->meter->spent(game->meter->context, s->instance, now_ns - s->began_ns);
    *s = (struct stretch){instance, now_ns};
}

void game_set_meter(struct game *game, const struct game_meter *meter) {
    game->meter = meter;
}

void creatures_think(struct game *game, uint32_t think_ticks) {
    uint32_t count = game->creature_count;
    uint32_t share = (count + think_ticks - 1) / think_ticks;
    struct stretch stretch = {0};
    for (uint32_t i = 0; i < share; i++) {
        struct creature *c = &game->creatures[game->think_next];
        measure(game, &stretch, game_journey(game, c->index)->instance);
        if (is_awake(game, c, think_ticks)) think(game, c);
        game->think_next = game->think_next + 1 < count ? game->think_next + 1 : 0;
    }
    measure(game, &stretch, 0);
}

uint64_t creatures_hash(const struct game *game, uint64_t hash) {
    hash = hash_word(hash, game->think_next);
    for (uint32_t i = 0; i < game->creature_count; i++) {
        const struct creature *c = &game->creatures[i];
        hash = hash_word(hash, c->wander_tick << 1 | c->chasing);
        uint64_t strength = (uint64_t)c->wave << 32 | (uint64_t)c->health_percent << 16 | c->damage_percent;
        if (strength != 0) hash = hash_word(hash, strength);
    }
    return hash;
}
