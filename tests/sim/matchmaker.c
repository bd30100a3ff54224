/* matchmaker.c: the real atlas, with who is connected, what they report and what shards have fenced; and an operator, who
 * drains, splits and merges. See world.h. */
#include <string.h>

#include "tests/sim/world.h"

#define UNIX_MS   1700000000000ULL
#define FENCES_MS 100

void matchmaker_begin(void) {
    struct matchmaker *m = &W.matchmaker;
    memset(m, 0, sizeof *m);
    m->newest = NOBODY;
    for (uint32_t i = 0; i < NODES; i++) m->told[i] = NOBODY;
    struct atlas_config config = {.worker_count = SLOTS,
                                  .gateway_count = GATEWAYS,
                                  .shard_count = SHARDS,
                                  .reconnect_ms = RECONNECT_MS,
                                  .silence_ms = SILENCE_MS,
                                  .tick_us = TICK_MS * 1000};
    struct directory *d = &config.initial;
    d->version = 1;
    d->worker_count = SLOTS;
    d->gateway_count = GATEWAYS;
    for (uint32_t i = 0; i < RECTS; i++) {
        int32_t x = (int32_t)i * SIDE_M;
        d->partitions[d->partition_count++] = (struct wire_directory_partition){
            .epoch = 1, .respawn = 1, .rect = {x, 0, x + SIDE_M, SIDE_M}, .id = i, .owner = i, .former = WIRE_SLOT_NONE};
    }
    atlas_init(&m->atlas, &config, now());
}

static bool is_worker(uint32_t node) {
    return node < SLOTS;
}

static bool is_gateway(uint32_t node) {
    return node >= NODE_GATEWAY && node < NODE_MATCHMAKER;
}

void matchmaker_up(uint32_t peer) {
    struct matchmaker *m = &W.matchmaker;
    uint64_t incarnation = network_peer(NODE_MATCHMAKER, peer);
    m->told[peer] = NOBODY;
    if (is_worker(peer)) atlas_worker_up(&m->atlas, peer, incarnation, now());
    if (is_gateway(peer)) atlas_gateway_up(&m->atlas, peer - NODE_GATEWAY, incarnation, now());
}

void matchmaker_lost(uint32_t peer) {
    struct matchmaker *m = &W.matchmaker;
    if (is_worker(peer)) atlas_worker_lost(&m->atlas, peer, now());
    if (is_gateway(peer)) atlas_gateway_lost(&m->atlas, peer - NODE_GATEWAY, now());
}

static struct wire_directory held_of(const struct message *m) {
    if (m->report.held == NOBODY) return (struct wire_directory){0};
    return directory_view(&W.versions[m->report.held]);
}

void matchmaker_take(uint32_t from, const struct message *m) {
    struct atlas *atlas = &W.matchmaker.atlas;
    if (m->kind == WORKER_REPORT) {
        struct wire_worker_report report = {.directory = held_of(m),
                                            .version = m->report.version,
                                            .players = m->report.players,
                                            .busy_us = 1000,
                                            .holds = m->report.holds,
                                            .hold_count = m->report.hold_count};
        atlas_worker_report(atlas, from, &report, now());
    } else if (m->kind == GATEWAY_REPORT) {
        struct wire_gateway_report report = {.directory = held_of(m), .version = m->report.version};
        atlas_gateway_report(atlas, from - NODE_GATEWAY, &report, now());
    } else {
        atlas_fenced(atlas, from - NODE_SHARD, &m->fence);
    }
}

static void ask_for_fences(struct matchmaker *m) {
    struct wire_fence fences[WIRE_FENCES_MAX];
    if (W.ms < m->fences_ms) return;
    m->fences_ms = W.ms + FENCES_MS;
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        uint32_t count = atlas_fences(&m->atlas, shard, fences);
        for (uint32_t i = 0; i < count; i++)
            (void)network_send(NODE_MATCHMAKER, NODE_SHARD + shard, &(struct message){.kind = FENCE, .fence = fences[i]});
    }
}

/* keep gives what is to be told a place in world.versions. */
static void keep(struct matchmaker *m) {
    if (W.version_count == VERSIONS_MAX) fail_run("there are too many versions of the directory");
    W.versions[W.version_count] = m->atlas.told;
    m->newest = W.version_count++;
}

static void publish(struct matchmaker *m) {
    check_version(m->newest == NOBODY ? NULL : &W.versions[m->newest], &m->atlas.told);
    keep(m);
    trace("directory %u is version %llu", m->newest, (unsigned long long)m->atlas.told.version);
    for (uint32_t i = 0; i < m->atlas.told.partition_count; i++) {
        const struct wire_directory_partition *p = &m->atlas.told.partitions[i];
        trace("    partition %u from %d,%d: zone %d, before %d", p->id, p->rect.min_x, p->rect.min_y, (int)p->owner,
              (int)p->former);
    }
}

void matchmaker_turn(void) {
    struct matchmaker *m = &W.matchmaker;
    if (atlas_step(&m->atlas, now(), UNIX_MS + W.ms)) {
        publish(m);
    } else if (m->newest == NOBODY && m->atlas.told.version > 0) { /* it goes on with what somebody held */
        keep(m);
    }
    ask_for_fences(m);
    for (uint32_t node = 0; node < NODE_MATCHMAKER && m->newest != NOBODY; node++) {
        if (m->told[node] == m->newest) continue;
        if (network_send(NODE_MATCHMAKER, node, &(struct message){.kind = DIRECTORY, .version = m->newest}))
            m->told[node] = m->newest;
    }
}

/* --- an operator */

void matchmaker_command(void) {
    struct atlas *a = &W.matchmaker.atlas;
    if (!process_runs(NODE_MATCHMAKER) || a->phase != ATLAS_RUNNING) return;
    uint32_t slot = draw(SLOTS), id = draw(SPLITS_MAX + 2), other = draw(SPLITS_MAX + 2);
    switch (draw(8)) {
    case 0:
    case 1: (void)atlas_drain(a, slot, now()); break;
    case 2:
    case 3: (void)atlas_undrain(a, slot); break;
    case 4:
        if (a->draft.partition_count < SPLITS_MAX) (void)atlas_split(a, id);
        break;
    case 5: (void)atlas_merge(a, id, other); break;
    case 6: (void)atlas_drain_gateway(a, draw(GATEWAYS), now()); break;
    default: (void)atlas_undrain_gateway(a, draw(GATEWAYS));
    }
}

void matchmaker_drain(uint32_t slot) {
    struct atlas *a = &W.matchmaker.atlas;
    if (process_runs(NODE_MATCHMAKER) && a->phase == ATLAS_RUNNING) (void)atlas_drain(a, slot, now());
}

void matchmaker_undrain(void) {
    struct atlas *a = &W.matchmaker.atlas;
    if (!process_runs(NODE_MATCHMAKER) || a->phase != ATLAS_RUNNING) return;
    for (uint32_t i = 0; i < SLOTS; i++) (void)atlas_undrain(a, i);
    for (uint32_t i = 0; i < GATEWAYS; i++) (void)atlas_undrain_gateway(a, i);
}
