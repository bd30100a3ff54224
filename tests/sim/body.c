/* body.c: the players that a zone simulates: to book.h they are what zone/sim.h says, of which only this is done here; they
 * walk a metre for each command out of a real input queue, and find loot. See world.h. */
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

#define LOOT_SELDOM 150 /* ticks of a player */

struct way { /* from a zone to a gateway: what sim_output returns */
    uint32_t zone, gateway;
};

static struct zone *zone_of(const struct sim *sim) {
    return (struct zone *)(uintptr_t)sim;
}

struct sim *body_sim(struct zone *zone) {
    return (struct sim *)zone;
}

uint64_t body_tick(void) {
    return W.ms / TICK_MS + 1;
}

/* --- looking in, as of sim.h */

uint32_t sim_players_max(const struct sim *sim) {
    (void)sim;
    return PLAYERS;
}

uint32_t sim_sessions_max(const struct sim *sim) {
    (void)sim;
    return PLAYERS;
}

uint32_t sim_gateways(const struct sim *sim) {
    (void)sim;
    return GATEWAYS;
}

uint64_t sim_now(const struct sim *sim) {
    (void)sim;
    return body_tick();
}

void sim_set_watcher(struct sim *sim, const struct sim_watcher *watcher) {
    zone_of(sim)->watcher = *watcher;
}

uint32_t sim_players(const struct sim *sim) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < PLAYERS; n++) count += zone_of(sim)->bodies[n].is_here;
    return count;
}

struct sim_player sim_player_in(const struct sim *sim, uint32_t slot) {
    const struct body *b = &zone_of(sim)->bodies[slot];
    CHECK(b->is_here);
    return (struct sim_player){.session = b->session,
                               .player = id_of(slot),
                               .entity = b->entity,
                               .gateway = b->gateway,
                               .slot = slot,
                               .attachment = b->attachment};
}

struct sim_player sim_player_nth(const struct sim *sim, uint32_t n) {
    uint32_t slot = 0;
    while (n > 0 || !zone_of(sim)->bodies[slot].is_here) n -= zone_of(sim)->bodies[slot++].is_here;
    return sim_player_in(sim, slot);
}

uint32_t sim_slot(const struct sim *sim, uint32_t gateway, uint64_t session) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        const struct body *b = &zone_of(sim)->bodies[n];
        if (b->is_here && b->gateway == gateway && b->session == session) return n;
    }
    return SIM_SLOT_NONE;
}

struct game_character sim_character(const struct sim *sim, uint32_t slot) {
    const struct body *b = &zone_of(sim)->bodies[slot];
    return (struct game_character){.x = b->x * 65536, .y = b->y * 65536, .hit_points = 1, .experience = b->applied};
}

/* --- what gateways hear */

struct output *sim_output(struct sim *sim, uint32_t gateway) {
    static struct way ways[SLOTS][GATEWAYS];
    struct way *way = &ways[zone_of(sim)->slot][gateway];
    *way = (struct way){.zone = zone_of(sim)->slot, .gateway = gateway};
    return (struct output *)way;
}

void output_detached(struct output *output, uint64_t session, uint32_t reason) {
    (void)reason;
    const struct way *way = (const struct way *)output;
    (void)network_send(way->zone, NODE_GATEWAY + way->gateway, &(struct message){.kind = DETACHED, .session = session});
}

static void say_attached(const struct zone *zone, uint32_t gateway, uint64_t session, enum wire_attach_result result) {
    struct message m = {.kind = ATTACHED, .attached = {.session = session, .result = (uint32_t)result}};
    (void)network_send(zone->slot, NODE_GATEWAY + gateway, &m);
    if (result == WIRE_ATTACHED) network_take_back(zone->slot, NODE_GATEWAY + gateway, session); /* as output.c does */
}

void output_elsewhere(struct output *output, uint64_t session, uint32_t zone) {
    const struct way *way = (const struct way *)output;
    trace("zone %u sends a session of gateway %u on to zone %u", way->zone, way->gateway, zone);
    struct message m = {.kind = ATTACHED, .attached = {.session = session, .result = WIRE_ATTACH_ELSEWHERE, .zone = zone}};
    (void)network_send(way->zone, NODE_GATEWAY + way->gateway, &m);
}

void sim_refuse(struct sim *sim, uint32_t gateway, uint64_t session, enum wire_attach_result result) {
    say_attached(zone_of(sim), gateway, session, result);
}

/* --- coming and going */

static void seat(struct zone *zone, uint32_t player, const struct body *as) {
    struct body *b = &zone->bodies[player];
    if (b->is_here) fail_run("zone %u has player %u already", zone->slot, player);
    uint16_t generation = b->entity == as->entity ? b->generation : (uint16_t)(b->generation + 1);
    *b = *as;
    b->is_here = true;
    b->generation = generation;
    view_reset(zone->views, player, (uint8_t)b->attachment);
}

void body_drop(struct zone *zone, uint32_t player, bool is_told) {
    if (is_told) zone->watcher.left(zone->watcher.context, player);
    zone->bodies[player].is_here = false;
}

/* check_stranger: where nothing goes wrong, who moves to another gateway goes on as who it was. */
static void check_stranger(const struct zone *zone, uint32_t player) {
    if (W.weather.is_calm && W.clients[player].is_moving)
        fail_run("player %u comes to zone %u as somebody else", player, zone->slot);
}

uint64_t sim_attach(struct sim *sim, uint32_t gateway, uint64_t session, uint64_t id, uint32_t attachment,
                    const struct game_character *character) {
    struct zone *zone = zone_of(sim);
    uint32_t player = player_of(id);
    struct body *b = &zone->bodies[player];
    if (sim_slot(sim, gateway, session) == SIM_SLOT_NONE) {
        check_stranger(zone, player);
        struct body as = {.gateway = gateway, .session = session, .attachment = attachment};
        as.entity = ++W.entities * 1000 + player;
        as.x = character ? character->x / 65536 : (int32_t)draw(RECTS * SIDE_M);
        as.y = character ? character->y / 65536 : (int32_t)draw(SIDE_M);
        as.applied = character ? character->experience : 0;
        input_init(&as.inputs, body_tick());
        seat(zone, player, &as);
        trace("zone %u begins %u under %u%s", zone->slot, player, attachment, character ? "" : ", new");
    }
    b->attachment = attachment;
    say_attached(zone, gateway, session, WIRE_ATTACHED);
    return b->entity;
}

void sim_detach(struct sim *sim, uint32_t gateway, uint64_t session) {
    uint32_t slot = sim_slot(sim, gateway, session);
    if (slot == SIM_SLOT_NONE) return;
    trace("zone %u: %u has left", zone_of(sim)->slot, slot);
    body_drop(zone_of(sim), slot, true);
}

void sim_remove(struct sim *sim, uint32_t slot, bool is_told) {
    trace("zone %u removes %u", zone_of(sim)->slot, slot);
    body_drop(zone_of(sim), slot, is_told);
}

bool sim_rebind(struct sim *sim, uint32_t slot, uint32_t gateway, uint64_t session, uint32_t attachment) {
    struct zone *zone = zone_of(sim);
    struct body *b = &zone->bodies[slot];
    W.seen.moves += W.clients[slot].is_moving;
    b->gateway = gateway, b->session = session, b->attachment = attachment;
    input_init(&b->inputs, body_tick()); /* another client's, which counts anew */
    memset(b->seen, 0, sizeof b->seen);
    view_reset(zone->views, slot, (uint8_t)attachment);
    say_attached(zone, gateway, session, WIRE_ATTACHED);
    trace("zone %u goes on with %u under %u", zone->slot, slot, attachment);
    return true;
}

static void make_link_dead(struct body *b) {
    b->gateway = HANDOFF_GATEWAY_NONE;
    b->dead_ms = W.ms;
    input_init(&b->inputs, body_tick());
    memset(b->seen, 0, sizeof b->seen);
}

void sim_cut(struct sim *sim, uint32_t gateway, uint64_t session) {
    uint32_t slot = sim_slot(sim, gateway, session);
    if (slot == SIM_SLOT_NONE) return;
    trace("zone %u: %u is link-dead", zone_of(sim)->slot, slot);
    make_link_dead(&zone_of(sim)->bodies[slot]);
}

void sim_orphan(struct sim *sim, uint32_t gateway) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct body *b = &zone_of(sim)->bodies[n];
        if (b->is_here && b->gateway == gateway) make_link_dead(b);
    }
}

void sim_effect(struct sim *sim, uint32_t gateway, uint64_t session, uint32_t kind, uint32_t amount) {
    (void)sim, (void)gateway, (void)session, (void)kind, (void)amount; /* nobody uses items here */
}

/* --- from zone to zone */

void body_write(const struct zone *zone, uint32_t player, struct wire_carried *out) {
    const struct body *b = &zone->bodies[player];
    const struct input_queue *q = &b->inputs;
    *out =
        (struct wire_carried){.session = b->session,
                              .player = id_of(player),
                              .entity = b->entity,
                              .tick = body_tick(),
                              .x = b->x * 65536,
                              .y = b->y * 65536,
                              .attachment = b->attachment,
                              .arrived_tick = q->arrived_tick,
                              .applied_tick = q->applied_tick,
                              .newest_seq = q->newest_seq,
                              .applied_seq = q->applied_seq,
                              .aim = q->aim,
                              .interval_q8 = q->interval_q8,
                              .input_count = q->count,
                              .input_flags = (uint8_t)((q->any ? WIRE_CARRIED_ANY : 0) | (q->idle ? WIRE_CARRIED_IDLE : 0))};
    memcpy(out->commands, q->commands, q->count * sizeof q->commands[0]);
    memcpy(out->seqs, q->seqs, q->count * sizeof q->seqs[0]);
    memcpy(out->rules, &b->applied, sizeof b->applied);
    memcpy(out->rules + sizeof b->applied, b->seen, sizeof b->seen);
}

void body_read(struct zone *zone, uint32_t gateway, const struct wire_carried *c) {
    struct body as = {.gateway = gateway,
                      .session = c->session,
                      .entity = c->entity,
                      .attachment = c->attachment,
                      .dead_ms = gateway == HANDOFF_GATEWAY_NONE ? W.ms : 0,
                      .x = c->x / 65536,
                      .y = c->y / 65536};
    input_init(&as.inputs, body_tick());
    memcpy(&as.applied, c->rules, sizeof as.applied);
    if (gateway != HANDOFF_GATEWAY_NONE && (c->input_flags & WIRE_CARRIED_ANY)) {
        as.inputs.any = true;
        as.inputs.idle = (c->input_flags & WIRE_CARRIED_IDLE) != 0;
        as.inputs.count = c->input_count;
        as.inputs.newest_seq = c->newest_seq, as.inputs.applied_seq = c->applied_seq;
        as.inputs.aim = c->aim, as.inputs.interval_q8 = c->interval_q8;
        as.inputs.arrived_tick = c->arrived_tick, as.inputs.applied_tick = c->applied_tick;
        memcpy(as.inputs.commands, c->commands, c->input_count * sizeof c->commands[0]);
        memcpy(as.inputs.seqs, c->seqs, c->input_count * sizeof c->seqs[0]);
        memcpy(as.seen, c->rules + sizeof as.applied, sizeof as.seen);
    }
    seat(zone, player_of(c->player), &as);
}

/* --- inputs */

static bool is_marked(const struct body *b, uint16_t seq) {
    uint32_t bit = seq % WINDOW;
    return b->seen[bit / 8] >> (bit % 8) & 1;
}

/* apply makes an input part of a state, once; marks of half a window ago go. */
static void apply(struct zone *zone, uint32_t player, uint16_t seq, const struct wire_input_command *command) {
    struct body *b = &zone->bodies[player];
    struct client *c = &W.clients[player];
    if (command->aim != seq) fail_run("zone %u: player %u: input %u is another's", zone->slot, player, seq);
    if (is_marked(b, seq)) fail_run("zone %u: player %u: input %u is applied twice", zone->slot, player, seq);
    for (uint16_t i = 0; i < WINDOW / 2; i++) {
        uint32_t far = (uint32_t)(seq + WINDOW / 2 + i) % WINDOW;
        b->seen[far / 8] = (uint8_t)(b->seen[far / 8] & ~(1u << (far % 8)));
    }
    b->seen[seq % WINDOW / 8] = (uint8_t)(b->seen[seq % WINDOW / 8] | 1u << (seq % 8));
    int32_t x = b->x + (command->move & 3) - 1, y = b->y + (command->move >> 2 & 3) - 1;
    if (x >= 0 && x < RECTS * SIDE_M) b->x = x;
    if (y >= 0 && y < SIDE_M) b->y = y;
    b->applied++;
    if (b->applied > c->sent) fail_run("player %u is made of more inputs than it has sent", player);
    c->applied = seq;
    c->x = b->x;
    c->y = b->y;
}

void body_input(struct zone *zone, uint32_t gateway, const struct wire_input *in) {
    uint32_t slot = sim_slot(body_sim(zone), gateway, in->session);
    if (slot == SIM_SLOT_NONE) {
        output_detached(sim_output(body_sim(zone), gateway), in->session, SIM_DETACH_UNKNOWN);
        return;
    }
    struct input_queue *q = &zone->bodies[slot].inputs;
    uint16_t ahead = (uint16_t)(in->newest_seq - q->newest_seq);
    if (W.weather.is_calm && q->any && ahead > in->count && ahead < 0x8000)
        fail_run("zone %u: player %u: inputs before %u are lost", zone->slot, slot, in->newest_seq);
    (void)input_push(q, in, body_tick());
}

void body_tick_all(struct zone *zone) {
    struct wire_input_command command;
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct body *b = &zone->bodies[n];
        if (!b->is_here || b->gateway == HANDOFF_GATEWAY_NONE) continue;
        bool is_next = input_next(&b->inputs, body_tick(), &command);
        if (is_next && !b->inputs.idle) apply(zone, n, b->inputs.applied_seq, &command);
        if (W.is_quiet || !chance(LOOT_SELDOM)) continue;
        struct game_event event = {.type = GAME_EVENT_LOOT, .gold = ++W.loot_made};
        zone->watcher.loot(zone->watcher.context, id_of(n), &event);
    }
}

struct loot *loot_find(uint64_t player, uint64_t key) {
    for (uint32_t i = 0; i < W.loot_count; i++) {
        const struct wire_loot_grant *grant = &W.loot[i].grant;
        if (grant->key == key && shard_node(player_of(grant->player)) == shard_node(player_of(player))) return &W.loot[i];
    }
    return NULL;
}

void loot_named(const struct wire_loot_grant *grant) {
    const struct loot *same = loot_find(grant->player, grant->key);
    if (same && memcmp(&same->grant, grant, sizeof *grant) != 0)
        fail_run("two have got loot under the key %llx", (unsigned long long)grant->key);
    if (same) return;
    if (W.loot_count == LOOT_MAX) fail_run("there is too much loot");
    W.loot[W.loot_count++].grant = *grant;
}
