#include "zone/setup.h"

#include <stdio.h>

#include "common/check.h"
#include "zone/hash.h"

static uint32_t clamp(uint32_t value, uint32_t min, uint32_t max) {
    return value < min ? min : value > max ? max : value;
}

/* The most sessions that any gateway has: session indices are below it. */
static uint32_t sessions_max(const struct config *config) {
    uint32_t most = 1;
    for (uint32_t g = 0; g < config->gateways_count; g++) {
        if (config->gateways[g].max_clients > most) most = config->gateways[g].max_clients;
    }
    return most;
}

struct sim_config setup_sim(const struct config *config, uint32_t zone_index, struct setup_start start) {
    CHECK(zone_index < config->zones_count);
    const struct config_zone *zone = &config->zones[zone_index];
    const struct config_world *world = &config->world;
    struct sim_config out = {
        .zone_index = (uint16_t)zone_index,
        .incarnation = start.incarnation,
        .rect = {zone->rect.x_m, zone->rect.y_m, zone->rect.x_m + zone->rect.width_m, zone->rect.y_m + zone->rect.height_m},
        .seed = start.seed,
        .start_tick = start.tick,
        .creatures = zone->creatures,
        .players_max = zone->max_players,
        .entities_max = zone->max_entities < ENTITIES_MAX ? zone->max_entities : ENTITIES_MAX,
        .gateways_max = config->gateways_count,
        .sessions_max = sessions_max(config),
        .tick_hz = world->tick_hz,
        .snapshot_hz = world->snapshot_hz,
        .snapshot_bytes_max = clamp(world->snapshot_budget_bytes, VIEW_BYTES_MIN, UINT16_MAX),
        .view_radius_m = clamp(world->view_radius_m, 1, VIEW_RADIUS_MAX / NET_POSITION_PER_M),
        .view_max = clamp(world->view_max, 2, VIEW_SLOTS_MAX),
        .snapshots = true,
    };
    snprintf(out.name, sizeof out.name, "%s", zone->name);
    return out;
}

uint64_t setup_digest(const struct sim_config *c) {
    uint64_t hash = hash_word(HASH_START, c->zone_index);
    hash = hash_pair(hash, c->rect.min_x, c->rect.min_y);
    hash = hash_pair(hash, c->rect.max_x, c->rect.max_y);
    hash = hash_word(hash, c->creatures);
    hash = hash_word(hash, c->players_max);
    hash = hash_word(hash, c->entities_max);
    hash = hash_word(hash, c->gateways_max);
    return hash_word(hash, c->sessions_max);
}
