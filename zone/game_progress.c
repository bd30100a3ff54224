/* game_progress.c: what a player gains: experience, levels, loot; and what items do to it. */
#include "common/item_kinds.h"
#include "zone/game_rules.h"

/* Level n begins at LEVEL_EXPERIENCE x (1 + 2 + ... + n - 1). */
uint16_t game_level_of(uint64_t experience) {
    uint16_t level = 1;
    uint64_t needed = LEVEL_EXPERIENCE;
    while (level < LEVEL_MAX && experience >= needed) {
        experience -= needed;
        needed += LEVEL_EXPERIENCE;
        level++;
    }
    return level;
}

int16_t game_strength(const struct game *game, uint16_t index, int16_t damage) {
    if (game->entities->kind[index] != GAME_KIND_PLAYER) return creatures_strength(game, index, damage);
    return (int16_t)(damage + (game->bodies[index].level - 1) * LEVEL_DAMAGE);
}

static void add_hit_points(struct game *game, uint16_t index, uint32_t amount) {
    struct body *body = &game->bodies[index];
    int16_t full = game_full_health(game, index), missing = (int16_t)(full - body->hit_points);
    body->hit_points = amount < (uint32_t)missing ? (int16_t)(body->hit_points + (int16_t)amount) : full;
    game_show_health(game, index);
}

/* A level more is also that much health more. */
static void learn(struct game *game, uint16_t index, uint64_t experience, bool is_told) {
    struct body *body = &game->bodies[index];
    body->experience = experience < EXPERIENCE_MAX - body->experience ? body->experience + experience : EXPERIENCE_MAX;
    uint16_t level = game_level_of(body->experience), gained = (uint16_t)(level - body->level);
    body->level = level;
    if (gained > 0 && body->hit_points > 0) add_hit_points(game, index, gained * LEVEL_HEALTH);
    if (is_told) game_add_event(game, &(struct game_event){.type = GAME_EVENT_PROGRESS, .index = index});
}

/* What a creature drops besides gold, each by its chance in a thousand. */
static const struct drop {
    uint32_t kind, chance, count_max;
} drops[] = {
    {ITEM_KIND_HERB, 250, 3}, {ITEM_KIND_ORE, 200, 3}, {ITEM_KIND_HEALING_POTION, 150, 2},
    {ITEM_KIND_SWORD, 30, 1}, {ITEM_KIND_BOW, 30, 1},  {ITEM_KIND_ARMOUR, 30, 1},
    {ITEM_KIND_GEM, 10, 1},
};

static void roll_item(struct game *game, struct game_event *loot) {
    uint32_t roll = rng_below(&game->rng, 1000);
    for (unsigned i = 0; i < sizeof drops / sizeof *drops; i++) {
        if (roll < drops[i].chance) {
            loot->item_kind = drops[i].kind;
            loot->item_count = 1 + rng_below(&game->rng, drops[i].count_max);
            return;
        }
        roll -= drops[i].chance;
    }
}

void game_gain(struct game *game, uint16_t index, uint32_t experience) {
    learn(game, index, experience, game->gain_count++ < 2 * game->entities->capacity);
}

void game_reward(struct game *game, uint16_t index, struct game_striker by, uint16_t killed) {
    if (index != ENTITY_NONE) learn(game, index, CREATURE_EXPERIENCE, true);
    struct game_event loot = {.type = GAME_EVENT_LOOT,
                              .index = index,
                              .player = by.player,
                              .by = game->entities->id[killed],
                              .gold = 1 + rng_below(&game->rng, CREATURE_GOLD_MAX)};
    roll_item(game, &loot);
    game_add_event(game, &loot);
}

void game_effect(struct game *game, uint16_t index, uint32_t kind, uint32_t amount) {
    if (kind == ITEM_EFFECT_HEAL && game->bodies[index].hit_points > 0) add_hit_points(game, index, amount);
}
