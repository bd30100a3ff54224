#include "matchmaker/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "schemas/cells.h"

static const char *const WORKER_STATES[WIRE_WORKER_STATE_COUNT] = {"away", "spare", "active", "leaving"};
static const char *const GATEWAY_STATES[] = {"away", "up", "draining"};

static json_t *zone_name(const struct config *config, uint32_t slot) {
    return slot < config->zones_count ? json_string(config->zones[slot].name) : json_null();
}

static json_t *hex(uint64_t incarnation) {
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, incarnation);
    return incarnation == 0 ? json_null() : json_string(text);
}

static json_t *drain_json(bool is_draining, struct mono since, uint32_t count, struct mono now) {
    if (!is_draining) return json_null();
    return json_pack("{s:f, s:I}", "since_s", (double)mono_since_ns(now, since) / (double)NS_PER_S, "from",
                     (json_int_t)count);
}

/* --- workers */

static json_t *ids_of(const struct atlas *a, uint32_t slot, bool former) {
    json_t *ids = json_array();
    for (uint32_t i = 0; i < a->told.partition_count; i++) {
        const struct wire_directory_partition *p = &a->told.partitions[i];
        if ((former ? p->former : p->owner) == slot) json_array_append_new(ids, json_integer(p->id));
    }
    return ids;
}

static json_t *worker_json(const struct atlas *a, const struct links *links, const struct config *config, uint32_t slot,
                           struct mono now) {
    const struct atlas_worker *w = &a->workers[slot];
    const struct wire_directory_worker *listed = &a->told.workers[slot];
    struct wire_hold left = atlas_left(a, slot);
    uint32_t state = slot < a->told.worker_count ? listed->state : WIRE_WORKER_AWAY;
    json_t *json =
        json_pack("{s:s, s:i, s:s, s:o, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "name", config->zones[slot].name,
                  "slot", (int)slot, "state", WORKER_STATES[state < WIRE_WORKER_STATE_COUNT ? state : 0], "incarnation",
                  hex(w->admitted ? w->admitted : w->unfenced), "connected", (int)links_zone_is_up(links, slot), "draining",
                  (int)w->is_draining, "unfenced", (int)(w->unfenced != 0), "partitions", ids_of(a, slot, false), "leaving",
                  ids_of(a, slot, true), "players", (json_int_t)w->players, "creatures", (json_int_t)w->creatures, "busy_us",
                  (json_int_t)w->busy_us, "late_ticks", (json_int_t)w->late_ticks, "version", (json_int_t)w->version);
    if (!json) return NULL;
    json_object_set_new(json, "drain", drain_json(w->is_draining, w->since, w->since_count, now));
    json_object_set_new(json, "left",
                        json_pack("{s:I, s:I, s:I}", "players", (json_int_t)left.players, "creatures",
                                  (json_int_t)left.creatures, "in_flight", (json_int_t)left.in_flight));
    return json;
}

/* --- partitions */

static json_t *directory_partition(const struct wire_directory_partition *p, const struct config *config) {
    return json_pack("{s:I, s:s, s:{s:i, s:i, s:i, s:i}, s:o, s:o, s:I, s:I, s:I}", "id", (json_int_t)p->id, "kind",
                     cells_is_block(p->id) ? "instances" : "world", "rect", "x_m", p->rect.min_x, "y_m", p->rect.min_y,
                     "width_m", p->rect.max_x - p->rect.min_x, "height_m", p->rect.max_y - p->rect.min_y, "owner",
                     zone_name(config, p->owner), "former", zone_name(config, p->former), "epoch", (json_int_t)p->epoch,
                     "respawn", (json_int_t)p->respawn, "creatures", (json_int_t)p->creatures);
}

static json_t *fences_awaited(const struct config *config, uint64_t slots) {
    json_t *names = json_array();
    for (uint32_t slot = 0; slot < config->zones_count; slot++)
        if (slots >> slot & 1) json_array_append_new(names, json_string(config->zones[slot].name));
    return names;
}

static json_t *partition_json(const struct atlas *a, const struct config *config, uint32_t index) {
    const struct wire_directory_partition *p = &a->draft.partitions[index];
    const struct atlas_partition *more = &a->partitions[index];
    json_t *json = directory_partition(p, config);
    if (!json) return NULL;
    uint32_t players = 0;
    if (p->owner != WIRE_SLOT_NONE) players += atlas_hold(a, p->owner, p->id).players;
    if (p->former != WIRE_SLOT_NONE) players += atlas_hold(a, p->former, p->id).players;
    json_object_set_new(json, "players", json_integer(players));
    uint64_t awaited = more->waits | (p->owner == WIRE_SLOT_NONE ? a->open : 0);
    json_object_set_new(json, "awaits_fence_of", fences_awaited(config, awaited));
    json_object_set_new(json, "merging_into", more->into == ATLAS_NONE ? json_null() : json_integer(more->into));
    return json;
}

/* --- gateways and persists */

static json_t *gateway_json(const struct atlas *a, const struct links *links, const struct config *config, uint32_t index,
                            struct mono now) {
    const struct atlas_gateway *g = &a->gateways[index];
    uint32_t state = index < a->told.gateway_count ? a->told.gateways[index].state : WIRE_GATEWAY_AWAY;
    json_t *json =
        json_pack("{s:s, s:s, s:o, s:b, s:b, s:I, s:I, s:I}", "name", config->gateways[index].name, "state",
                  GATEWAY_STATES[state <= WIRE_GATEWAY_DRAINING ? state : 0], "incarnation", hex(g->admitted), "connected",
                  (int)links_gateway_is_up(links, index), "draining", (int)g->is_draining, "sessions",
                  (json_int_t)g->sessions, "moving", (json_int_t)g->moving, "version", (json_int_t)g->version);
    if (json) json_object_set_new(json, "drain", drain_json(g->is_draining, g->since, g->since_count, now));
    return json;
}

static json_t *persist_json(const struct atlas *a, const struct links *links, const struct config *config, uint32_t shard) {
    struct wire_fence fences[WIRE_FENCES_MAX];
    return json_pack("{s:s, s:b, s:i}", "name", config->persists[shard].name, "connected",
                     (int)links_persist_is_up(links, shard), "fences", (int)atlas_fences(a, shard, fences));
}

/* --- all */

/* Commands are taken once it is running. */
static const char *state_name(const struct atlas *a) {
    if (a->phase != ATLAS_RUNNING) return "gathering";
    return a->open == 0 ? "running" : "fencing";
}

json_t *status_json(const struct atlas *a, const struct links *links, const struct config *config, struct mono now) {
    json_t *workers = json_array(), *partitions = json_array(), *gateways = json_array(), *persists = json_array();
    for (uint32_t i = 0; i < config->zones_count; i++) json_array_append_new(workers, worker_json(a, links, config, i, now));
    for (uint32_t i = 0; i < a->draft.partition_count; i++) json_array_append_new(partitions, partition_json(a, config, i));
    for (uint32_t i = 0; i < config->gateways_count; i++)
        json_array_append_new(gateways, gateway_json(a, links, config, i, now));
    for (uint32_t i = 0; i < config->persists_count; i++) json_array_append_new(persists, persist_json(a, links, config, i));
    return json_pack("{s:s, s:s, s:b, s:I, s:o, s:o, s:o, s:o}", "matchmaker", config->matchmaker.name, "state",
                     state_name(a), "ready", (int)atlas_is_ready(a), "version", (json_int_t)a->told.version, "workers",
                     workers, "partitions", partitions, "gateways", gateways, "persists", persists);
}

json_t *status_directory(const struct atlas *a, const struct config *config) {
    json_t *workers = json_array(), *partitions = json_array(), *gateways = json_array();
    for (uint32_t i = 0; i < a->told.worker_count; i++)
        json_array_append_new(workers, json_pack("{s:s, s:s, s:o}", "name", config->zones[i].name, "state",
                                                 WORKER_STATES[a->told.workers[i].state], "incarnation",
                                                 hex(a->told.workers[i].incarnation)));
    for (uint32_t i = 0; i < a->told.partition_count; i++)
        json_array_append_new(partitions, directory_partition(&a->told.partitions[i], config));
    for (uint32_t i = 0; i < a->told.gateway_count; i++)
        json_array_append_new(gateways, json_pack("{s:s, s:s, s:o}", "name", config->gateways[i].name, "state",
                                                  GATEWAY_STATES[a->told.gateways[i].state], "incarnation",
                                                  hex(a->told.gateways[i].incarnation)));
    return json_pack("{s:I, s:o, s:o, s:o}", "version", (json_int_t)a->told.version, "workers", workers, "partitions",
                     partitions, "gateways", gateways);
}

json_t *status_matches(const struct desk *desk, const struct keep *keep) {
    const struct desk_stats d = desk_stats_get(desk);
    const struct keep_stats k = keep_stats_get(keep);
    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "ready", (int)keep_is_ready(keep), "tickets",
                     (json_int_t)d.tickets, "parties", (json_int_t)d.parties, "formed", (json_int_t)d.matches, "settling",
                     (json_int_t)d.settling, "settled", (json_int_t)d.settled, "not_durable", (json_int_t)k.pending);
}
