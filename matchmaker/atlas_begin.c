/* atlas_begin.c: what the atlas begins with; see atlas.h. */
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "matchmaker/atlas_inner.h"
#include "schemas/cells.h"

static bool overlap(const struct wire_rect *a, const struct wire_rect *b) {
    return a->min_x < b->max_x && b->min_x < a->max_x && a->min_y < b->max_y && b->min_y < a->max_y;
}

static bool is_possible(const struct wire_directory_partition *p) {
    const struct wire_rect *r = &p->rect;
    return r->min_x >= -ATLAS_METRES_MAX && r->min_y >= -ATLAS_METRES_MAX && r->max_x <= ATLAS_METRES_MAX &&
           r->max_y <= ATLAS_METRES_MAX && r->min_x < r->max_x && r->min_y < r->max_y && p->id != ATLAS_NONE &&
           p->creatures <= ATLAS_CREATURES_MAX;
}

bool atlas_directory_is_sound(const struct wire_directory *d) {
    if (d->partition_count > WIRE_PARTITIONS_MAX || d->worker_count > WIRE_WORKERS_MAX ||
        d->gateway_count > WIRE_DIRECTORY_GATES_MAX || d->version > ATLAS_VERSION_MAX)
        return false;
    bool has_world = false;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_directory_partition *p = &d->partitions[i];
        has_world |= !cells_is_block(p->id);
        if (!is_possible(p)) return false;
        for (uint32_t j = 0; j < i; j++)
            if (d->partitions[j].id == p->id || overlap(&d->partitions[j].rect, &p->rect)) return false;
    }
    return has_world;
}

/* --- from a directory that somebody held */

/* recall_worker takes over who was listed. Whoever is not here has from now on the time that one who is lost has. */
static void recall_worker(struct atlas *a, uint32_t slot, struct mono now) {
    struct atlas_worker *w = &a->workers[slot];
    const struct wire_directory_worker *listed = &a->held.workers[slot];
    if (slot >= a->held.worker_count || listed->incarnation == 0) return;
    if (listed->state == WIRE_WORKER_AWAY) {
        w->unfenced = listed->incarnation;
        w->dead[w->dead_count++ % ATLAS_DEAD_MAX] = listed->incarnation;
        return;
    }
    w->admitted = listed->incarnation;
    if (w->peer.incarnation == 0) w->peer = (struct atlas_peer){.incarnation = listed->incarnation, .heard_at = now};
}

static void recall_gateway(struct atlas *a, uint32_t index, struct mono now) {
    struct atlas_gateway *g = &a->gateways[index];
    const struct wire_directory_gateway *listed = &a->held.gateways[index];
    if (index >= a->held.gateway_count || listed->incarnation == 0) return;
    g->admitted = listed->incarnation;
    g->is_draining = listed->state == WIRE_GATEWAY_DRAINING;
    g->since = now;
    if (g->peer.incarnation == 0) g->peer = (struct atlas_peer){.incarnation = listed->incarnation, .heard_at = now};
}

static uint64_t unfenced_slots(const struct atlas *a) {
    uint64_t slots = 0;
    for (uint32_t i = 0; i < a->config.worker_count; i++)
        if (a->workers[i].unfenced != 0) slots |= atlas_bit(i);
    return slots;
}

static bool is_listed(const struct atlas *a, uint32_t slot) {
    return slot < a->config.worker_count && a->workers[slot].admitted != 0;
}

/* recall_partition: whose it was before it lost its owner is not known, so it waits for all that are to be fenced. */
static void recall_partition(struct atlas *a, uint32_t index, uint64_t unfenced) {
    struct wire_directory_partition *p = &a->draft.partitions[index];
    struct atlas_partition *more = &a->partitions[index];
    *more = (struct atlas_partition){.lost_by = ATLAS_NONE, .into = ATLAS_NONE};
    if (!is_listed(a, p->owner)) p->owner = WIRE_SLOT_NONE;
    if (p->owner == WIRE_SLOT_NONE) more->waits = unfenced;
    if (!is_listed(a, p->former) || p->former == p->owner) p->former = WIRE_SLOT_NONE;
    if (p->former == WIRE_SLOT_NONE) return;
    more->handing = directory_owns(&a->held, p->former) ? ATLAS_HANDING_SPLIT : ATLAS_HANDING_DRAIN;
}

/* fits tells whether a block has its place beyond a directory's world and beside its other blocks. */
static bool fits(const struct directory *d, const struct wire_rect *block) {
    struct wire_rect world = directory_world(d);
    bool is_free = !overlap(&world, block);
    for (uint32_t i = 0; i < d->partition_count; i++) is_free &= !overlap(&d->partitions[i].rect, block);
    return is_free && d->partition_count < WIRE_PARTITIONS_MAX;
}

/* add_block adds a block of the configuration that the directory of before does not have. */
static void add_block(struct atlas *a, const struct wire_directory_partition *block) {
    const struct wire_directory_partition *before = directory_find(&a->draft, block->id);
    if (before && memcmp(&before->rect, &block->rect, sizeof block->rect) == 0) return;
    if (before || !fits(&a->draft, &block->rect)) {
        log_error("block.elsewhere", "partition=%u effect=%s", block->id,
                  LOG_QUOTE("blocks are not where the configuration has them until all zones were stopped together"));
        return;
    }
    uint32_t index = a->draft.partition_count++;
    a->draft.partitions[index] = *block;
    a->draft.partitions[index].epoch = a->draft.partitions[index].respawn = 0;
    a->draft.partitions[index].owner = WIRE_SLOT_NONE;
    a->partitions[index] = (struct atlas_partition){.lost_by = ATLAS_NONE, .into = ATLAS_NONE};
}

static void begin_from_held(struct atlas *a, struct mono now) {
    for (uint32_t i = 0; i < a->config.worker_count; i++) recall_worker(a, i, now);
    for (uint32_t i = 0; i < a->config.gateway_count; i++) recall_gateway(a, i, now);
    a->draft = a->held;
    a->told = a->held;
    uint64_t unfenced = unfenced_slots(a);
    for (uint32_t i = 0; i < a->draft.partition_count; i++) recall_partition(a, i, unfenced);
    for (uint32_t i = 0; i < a->config.initial.partition_count; i++)
        if (cells_is_block(a->config.initial.partitions[i].id)) add_block(a, &a->config.initial.partitions[i]);
    log_info("directory.rebuilt", "version=%" PRIu64 " partitions=%u", a->held.version, a->held.partition_count);
}

/* --- from the configuration */

static void begin_anew(struct atlas *a) {
    a->draft = a->config.initial;
    a->draft.version = 0;
    a->draft.is_fixed = false;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        struct wire_directory_partition *p = &a->draft.partitions[i];
        a->partitions[i] = (struct atlas_partition){.lost_by = ATLAS_NONE, .into = ATLAS_NONE};
        p->epoch = p->respawn = 0;
        p->owner = WIRE_SLOT_NONE;
    }
    log_info("directory.begun", "partitions=%u", a->draft.partition_count);
}

void atlas_begin(struct atlas *a, struct mono now) {
    for (uint32_t i = 0; i < a->config.worker_count; i++) a->open |= atlas_bit(i);
    if (a->held.version > 0) {
        begin_from_held(a, now);
    } else {
        begin_anew(a);
    }
}
