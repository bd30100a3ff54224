/* process.c: processes that live, die, are stopped and are slow; see world.h. */
#include <stdio.h>

#include "tests/sim/world.h"

#define SLOW_TURNS_MAX 8
#define GONE_MS        500

static uint32_t period_of(uint32_t node) {
    if (node < SLOTS) return TICK_MS;
    return node == NODE_MATCHMAKER ? MATCH_MS : STEP_MS;
}

const char *process_name(uint32_t node) {
    static char names[NODES][32];
    const char *kind = node < SLOTS             ? "zone"
                       : node < NODE_MATCHMAKER ? "gateway"
                       : node < NODE_SHARD      ? "matchmaker"
                                                : "shard";
    uint32_t first = node < SLOTS             ? 0
                     : node < NODE_MATCHMAKER ? NODE_GATEWAY
                     : node < NODE_SHARD      ? NODE_MATCHMAKER
                                              : NODE_SHARD;
    snprintf(names[node], sizeof names[node], "%s %u", kind, node - first);
    return names[node];
}

bool process_runs(uint32_t node) {
    return W.processes[node].is_alive && W.processes[node].stopped_ms <= W.ms;
}

void process_start(uint32_t node) {
    struct process *p = &W.processes[node];
    *p = (struct process){.is_alive = true, .incarnation = ++W.incarnations, .turn_ms = W.ms + 1 + draw(period_of(node))};
    trace("%s starts as %llu", process_name(node), (unsigned long long)p->incarnation);
    if (node < SLOTS) {
        zone_begin(node);
    } else if (node < NODE_MATCHMAKER) {
        gateway_begin(node - NODE_GATEWAY);
    } else if (node == NODE_MATCHMAKER) {
        matchmaker_begin();
    } else {
        shard_begin(node - NODE_SHARD);
    }
}

void process_die(uint32_t node) {
    struct process *p = &W.processes[node];
    if (!p->is_alive) return;
    trace("%s dies", process_name(node));
    W.seen.deaths++;
    p->is_alive = false;
    p->start_ms = W.ms + 50 + draw(800);
    uint32_t notice_ms = chance(3) ? GONE_MS : 30; /* its host is gone, or the process alone */
    for (uint32_t peer = 0; peer < NODES; peer++) network_cut(node, peer, notice_ms);
    if (node < SLOTS) zone_end(node);
    if (node >= NODE_GATEWAY && node < NODE_MATCHMAKER) gateway_end(node - NODE_GATEWAY);
    if (node >= NODE_SHARD) shard_end(node - NODE_SHARD);
}

static void turn(uint32_t node) {
    network_deliver(node);
    if (!W.processes[node].is_alive) return;
    if (node < SLOTS) {
        zone_turn(node);
    } else if (node < NODE_MATCHMAKER) {
        gateway_turn(node - NODE_GATEWAY);
    } else if (node == NODE_MATCHMAKER) {
        matchmaker_turn();
    } else {
        shard_turn(node - NODE_SHARD);
    }
    network_flush(node);
}

/* A persist waits for its database. */
static bool can_start(uint32_t node) {
    return node < NODE_SHARD || W.databases[node - NODE_SHARD].away_ms <= W.ms;
}

void process_step(void) {
    uint32_t first = draw(NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t node = (first + i) % NODES;
        struct process *p = &W.processes[node];
        if (!p->is_alive && p->start_ms <= W.ms && can_start(node)) process_start(node);
        if (!process_runs(node) || p->turn_ms > W.ms) continue;
        uint32_t times = p->slow_ms > W.ms ? 1 + draw(SLOW_TURNS_MAX) : 1;
        p->turn_ms = W.ms + period_of(node) * times;
        turn(node);
    }
}

void process_up(uint32_t node, uint32_t peer) {
    if (node < SLOTS) {
        zone_up(node, peer);
    } else if (node < NODE_MATCHMAKER) {
        gateway_up(node - NODE_GATEWAY, peer);
    } else if (node == NODE_MATCHMAKER) {
        matchmaker_up(peer);
    } else {
        shard_up(node - NODE_SHARD, peer);
    }
}

void process_lost(uint32_t node, uint32_t peer) {
    if (node < SLOTS) {
        zone_lost(node, peer);
    } else if (node < NODE_MATCHMAKER) {
        gateway_lost(node - NODE_GATEWAY, peer);
    } else if (node == NODE_MATCHMAKER) {
        matchmaker_lost(peer);
    }
}

void process_take(uint32_t node, uint32_t from, const struct message *m) {
    if (node < SLOTS) {
        zone_take(node, from, m);
    } else if (node < NODE_MATCHMAKER) {
        gateway_take(node - NODE_GATEWAY, from, m);
    } else if (node == NODE_MATCHMAKER) {
        matchmaker_take(from, m);
    } else {
        shard_take(node - NODE_SHARD, from, m);
    }
}
