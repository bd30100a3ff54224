/* faults.c: what goes wrong, and how often. While somebody is on the way between two zones it does more often. See world.h.
 */
#include "tests/sim/world.h"

#define SELDOM 8

static bool is_under_way(void) {
    for (uint32_t g = 0; g < GATEWAYS; g++)
        if (W.processes[NODE_GATEWAY + g].is_alive && transfer_count(&W.gateways[g].transfers) > 0) return true;
    for (uint32_t z = 0; z < SLOTS; z++)
        for (uint32_t i = 0; W.zones[z].handoff && i < handoff_count(W.zones[z].handoff); i++)
            if (handoff_nth(W.zones[z].handoff, i).step >= HANDOFF_ACCEPTED) return true;
    return false;
}

/* is_left_behind tells whether a player has no gateway. */
static bool is_left_behind(void) {
    for (uint32_t z = 0; z < SLOTS; z++)
        for (uint32_t n = 0; n < PLAYERS; n++)
            if (W.zones[z].bodies[n].is_here && W.zones[z].bodies[n].gateway == HANDOFF_GATEWAY_NONE) return true;
    return false;
}

/* is_owing tells whether a persist has something that is not durable, or not booked. */
static bool is_owing(uint32_t shard) {
    const struct shard *s = &W.shards[shard];
    return s->motion && (W.journals[shard].flying > W.journals[shard].durable || grants_stats_get(s->grants).waiting > 0);
}

static void cut(void) {
    uint32_t a = draw(NODES), b = draw(NODES);
    if (!W.between[a][b]) return;
    trace("the connection of %s and node %u is cut", process_name(a), b);
    network_cut(a, b, 50);
}

static void block(void) {
    uint32_t a = draw(NODES), b = draw(NODES), ms = draw(2) == 0 ? 400 : 2500;
    bool is_whole = chance(4);
    trace("%s is cut off from %s for %u ms at most", process_name(a), is_whole ? "all" : "one", ms);
    for (uint32_t i = 0; i < NODES; i++)
        if (is_whole || i == b) network_block(a, i, 1 + draw(ms));
}

/* hold keeps one connection up, with what it has late. */
static void hold(void) {
    network_block(draw(NODES), draw(NODES), 1 + draw(HEARTBEAT_MS));
}

static void stop(void) {
    struct process *p = &W.processes[draw(NODES)];
    if (!p->is_alive) return;
    p->since_ms = W.ms;
    p->stopped_ms = W.ms + (draw(2) == 0 ? 300 : 2500);
    trace("%s is stopped for %u ms", process_name((uint32_t)(p - W.processes)), (unsigned)(p->stopped_ms - W.ms));
}

/* part: the answer to a give is lost, and who may have the player by then passes it on. */
static void part(void) {
    for (uint32_t z = 0; z < SLOTS; z++) {
        for (uint32_t i = 0; W.zones[z].handoff && i < handoff_count(W.zones[z].handoff); i++) {
            struct handoff_view flight = handoff_nth(W.zones[z].handoff, i);
            if (flight.step != HANDOFF_GIVEN || !chance(10)) continue;
            trace("zone %u is parted from zone %u, which is drained", z, flight.target);
            network_cut(z, flight.target, 50);
            matchmaker_drain(flight.target);
        }
    }
}

void faults_step(void) {
    uint32_t seldom = is_under_way() ? 1 : SELDOM;
    if (chance(is_left_behind() ? 20 : 200)) matchmaker_command();
    if (W.weather.cuts && chance(40 * seldom)) cut();
    if (W.weather.cuts && chance(20 * seldom)) hold();
    if (W.weather.cuts && seldom == 1) part();
    if (W.weather.cuts && chance(100)) W.processes[draw(NODES)].slow_ms = W.ms + 500;
    if (W.weather.deaths && chance(120 * seldom)) process_die(draw(NODES));
    if (W.weather.deaths && seldom == 1 && chance(200)) process_die(NODE_GATEWAY + draw(GATEWAYS));
    if (W.weather.deaths && is_owing(W.ms % SHARDS) && chance(300)) process_die(NODE_SHARD + (uint32_t)(W.ms % SHARDS));
    if (W.weather.deaths && chance(1000)) database_crash(&W.databases[draw(SHARDS)]);
    if (W.weather.stops && chance(150 * seldom)) block();
    if (W.weather.stops && chance(150 * seldom)) stop();
}
