/* game_journey.c: players that are in an instance, where their home is meanwhile, and what is kept of a player. */
#include "common/bytes.h"
#include "common/check.h"
#include "zone/game_rules.h"
#include "zone/hash.h"

#define COUNT_MAX UINT16_MAX

static uint64_t metres_of(const struct wire_rect *r) {
    return (uint64_t)(r->max_x - r->min_x) * (uint64_t)(r->max_y - r->min_y);
}

/* is_home tells whether players may rise in a partition: it is the zone's own, and of the world. */
static bool is_home(const struct territory *t, const struct wire_directory_partition *partition) {
    return partition->owner == t->slot && !cells_is_block(partition->id);
}

void game_place_at_home(struct game *game, int32_t *x, int32_t *y) {
    const struct territory *t = game->config.territory;
    const struct directory *d = &t->directory;
    struct grid_rect rect = t->world;
    uint64_t total = 0;
    uint32_t owned = 0;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        if (!is_home(t, &d->partitions[i])) continue;
        rect = territory_rect(d->partitions[i].rect);
        total += metres_of(&d->partitions[i].rect);
        owned++;
    }
    uint64_t at = owned > 1 ? rng_next(&game->rng) % total : 0;
    for (uint32_t i = 0; owned > 1 && i < d->partition_count; i++) {
        if (!is_home(t, &d->partitions[i])) continue;
        rect = territory_rect(d->partitions[i].rect);
        if (at < metres_of(&d->partitions[i].rect)) break;
        at -= metres_of(&d->partitions[i].rect);
    }
    game_place(game, &rect, x, y);
}

/* --- there and back */

static struct journey *begin(struct game *game, uint16_t index) {
    struct journey *j = &game->journeys[index];
    uint32_t generation = game->entities->generation[index];
    if (j->generation != generation) *j = (struct journey){.generation = generation};
    return j;
}

void game_travel(struct game *game, uint16_t index, uint32_t instance, uint32_t team, int32_t x, int32_t y) {
    const struct entities *e = game->entities;
    struct journey *j = begin(game, index);
    if (j->instance == 0) {
        j->home_x = (int16_t)(e->x[index] >> 16);
        j->home_y = (int16_t)(e->y[index] >> 16);
    }
    j->instance = instance;
    j->team = team < WIRE_TEAMS_MAX ? (uint8_t)(team + 1) : 0;
    j->side_m = 0;
    j->kills = j->deaths = 0;
    j->is_recounted = false;
    game_revive(game, index, x, y);
}

/* The middle of a metre. */
static int32_t middle(int16_t metre) {
    return metre * 65536 + 32768;
}

void game_go_home(struct game *game, uint16_t index) {
    struct journey *j = begin(game, index);
    const struct directory *d = &game->config.territory->directory;
    int32_t x = middle(j->home_x), y = middle(j->home_y);
    const struct wire_directory_partition *home = j->instance != 0 ? directory_at(d, x, y) : NULL;
    if (!home || cells_is_block(home->id)) game_place_at_home(game, &x, &y);
    *j = (struct journey){.generation = j->generation};
    game_revive(game, index, x, y);
}

void game_fence(struct game *game, uint16_t index, uint16_t side_m) {
    struct journey *j = begin(game, index);
    if (j->side_m == side_m) return;
    j->side_m = side_m;
    game_step_aside(game, index);
}

void game_pace(struct game *game, uint16_t index, uint8_t pace) {
    CHECK(pace >= 1 && pace < 16);
    begin(game, index)->pace = pace > 1 ? pace : 0;
}

/* --- what is counted */

void game_note_death(struct game *game, uint16_t index, uint16_t by) {
    const struct entities *e = game->entities;
    uint32_t instance = game_journey(game, index)->instance;
    if (instance == 0 || e->kind[index] != GAME_KIND_PLAYER) return;
    struct journey *dead = &game->journeys[index];
    if (dead->deaths < COUNT_MAX) dead->deaths++;
    bool by_player = by != ENTITY_NONE && by != index && e->kind[by] == GAME_KIND_PLAYER;
    if (!by_player || game_journey(game, by)->instance != instance) return;
    game_killed(game, by);
}

void game_killed(struct game *game, uint16_t index) {
    struct journey *j = begin(game, index);
    if (j->kills < COUNT_MAX) j->kills++;
}

static uint16_t sum_of(uint16_t a, uint16_t b) {
    return a < COUNT_MAX - b ? (uint16_t)(a + b) : COUNT_MAX;
}

void game_recount(struct game *game, uint16_t index, uint16_t kills, uint16_t deaths) {
    struct journey *j = begin(game, index);
    if (j->is_recounted) return;
    j->is_recounted = true;
    j->kills = sum_of(j->kills, kills);
    j->deaths = sum_of(j->deaths, deaths);
}

struct game_guest game_guest(const struct game *game, uint16_t index) {
    const struct journey *j = game_journey(game, index);
    const struct body *body = &game->bodies[index];
    uint16_t place = game->creature_of[index];
    return (struct game_guest){.instance = j->instance,
                               .is_alive = body->hit_points > 0,
                               .team = j->team,
                               .kills = j->kills,
                               .deaths = j->deaths,
                               .is_recounted = j->is_recounted,
                               .wave = place != ENTITY_NONE ? game->creatures[place].wave : 0,
                               .died_tick = body->rise_tick - PLAYER_RESPAWN_TICKS};
}

uint64_t game_hash_journeys(const struct game *game, uint64_t hash) {
    for (uint32_t i = 0; i < game->entities->count; i++) {
        const struct journey *j = game_journey(game, game->entities->alive[i]);
        if (j->instance == 0 && j->side_m == 0) continue;
        hash = hash_word(hash, (uint64_t)j->instance << 32 | (uint64_t)(uint16_t)j->home_x << 16 | (uint16_t)j->home_y);
        hash = hash_word(hash, (uint64_t)j->side_m << 48 | (uint64_t)j->kills << 32 | (uint64_t)j->deaths << 16 |
                                   (uint64_t)j->team << 8 | (uint64_t)j->pace << 1 | j->is_recounted);
    }
    return hash;
}

/* --- what is kept of a player. Who is in an instance is kept as it will come home: where that is, and alive. */

static void bring_home(struct game_character *c, int16_t home_x, int16_t home_y) {
    c->x = middle(home_x);
    c->y = middle(home_y);
    if (c->hit_points == 0) c->hit_points = (uint16_t)(PLAYER_HEALTH + (c->level - 1) * LEVEL_HEALTH);
}

struct game_character game_character(const struct game *game, uint16_t index) {
    const struct entities *e = game->entities;
    const struct body *body = &game->bodies[index];
    const struct journey *j = game_journey(game, index);
    struct game_character c = {.x = e->x[index],
                               .y = e->y[index],
                               .yaw = body->aim,
                               .level = body->level,
                               .hit_points = (uint16_t)body->hit_points,
                               .experience = body->experience};
    if (j->instance != 0) bring_home(&c, j->home_x, j->home_y);
    return c;
}

struct game_character game_carried_character(const struct wire_carried *carried) {
    const uint8_t *rules = carried->rules;
    uint64_t experience = load_le(rules, 8);
    struct game_character c = {.x = carried->x,
                               .y = carried->y,
                               .yaw = (uint16_t)load_le(rules + CARRIED_AIM_AT, 2),
                               .level = game_level_of(experience),
                               .hit_points = (uint16_t)load_le(rules + CARRIED_HIT_POINTS_AT, 2),
                               .experience = experience};
    if (load_le(rules + CARRIED_INSTANCE_AT, 4) != 0)
        bring_home(&c, (int16_t)load_le(rules + CARRIED_HOME_AT, 2), (int16_t)load_le(rules + CARRIED_HOME_AT + 2, 2));
    return c;
}
