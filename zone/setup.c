#include "zone/setup.h"

#include <stdio.h>

#include "common/channel.h"
#include "common/check.h"
#include "zone/hash.h"

_Static_assert(CONFIG_ENTITIES_MAX <= ENTITIES_MAX && CONFIG_VIEW_MAX <= VIEW_SLOTS_MAX, "what may be configured fits");
_Static_assert(CONFIG_VIEW_RADIUS_M_MAX *NET_POSITION_PER_M <= VIEW_RADIUS_MAX, "what may be configured fits");
_Static_assert(CONFIG_SNAPSHOT_BYTES_MIN >= VIEW_BYTES_MIN, "what may be configured fits");
_Static_assert(CONFIG_SNAPSHOT_BYTES_MAX <= CHANNEL_SNAPSHOT_MAX, "any snapshot fits a packet");

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
    bool is_told = config_has_matchmaker(config);
    struct sim_config out = {
        .zone_index = (uint16_t)zone_index,
        .incarnation = start.incarnation,
        .rect = {zone->rect.x_m, zone->rect.y_m, zone->rect.x_m + zone->rect.width_m, zone->rect.y_m + zone->rect.height_m},
        .seed = start.seed,
        .start_tick = start.tick,
        .creatures = zone->creatures,
        .players_max = zone->max_players,
        .entities_max = zone->max_entities,
        .gateways_max = config->gateways_count,
        .sessions_max = sessions_max(config),
        .tick_hz = world->tick_hz,
        .snapshot_hz = world->snapshot_hz,
        .snapshot_bytes_max = world->snapshot_budget_bytes,
        .view_radius_m = world->view_radius_m,
        .view_max = world->view_max,
        .cells = cells_of(config),
        .snapshots = true,
    };
    if (is_told) out.rect = (struct wire_rect){0};
    if (is_told) out.creatures = 0;
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
    hash = hash_word(hash, c->sessions_max);
    hash = hash_word(hash, c->cells.per_block);
    return hash_pair(hash, c->cells.side_m, c->cells.pitch_m);
}
