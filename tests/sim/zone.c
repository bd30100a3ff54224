/* zone.c: a zone around the real handoff.h and book.h; see world.h. What is told of the matchmaker, of gateways and of
 * neighbours here is what zone/crossing.c, edge.c, neighbours.c and registrar.c do, in small. */
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

#define HYSTERESIS_M 2

/* --- players */

static struct handoff_player describe(const struct zone *zone, uint32_t player) {
    const struct body *b = &zone->bodies[player];
    return (struct handoff_player){.session = b->session,
                                   .player = id_of(player),
                                   .session_epoch = book_epoch(zone->book, player),
                                   .entity = b->entity,
                                   .slot = player,
                                   .gateway = b->gateway,
                                   .attachment = b->attachment,
                                   .link_dead_ms = b->gateway == HANDOFF_GATEWAY_NONE ? (uint32_t)(W.ms - b->dead_ms) : 0};
}

static bool by_slot(void *context, uint32_t player, struct handoff_player *out) {
    const struct zone *zone = context;
    if (!zone->bodies[player].is_here) return false;
    *out = describe(zone, player);
    return true;
}

static bool by_session(void *context, uint32_t gateway, uint64_t session, struct handoff_player *out) {
    uint32_t slot = sim_slot(body_sim(context), gateway, session);
    return slot != SIM_SLOT_NONE && by_slot(context, slot, out);
}

static bool by_player(void *context, uint64_t player, struct handoff_player *out) {
    return by_slot(context, player_of(player), out);
}

/* --- the handoff's world */

static uint32_t room(void *context) {
    (void)context;
    return W.weather.full && chance(8) ? 0 : PLAYERS;
}

static bool is_mine(void *context, const struct wire_offer *offer) {
    const struct zone *zone = context;
    (void)offer;
    return directory_owns(&zone->directory, zone->slot);
}

/* A gateway may know sooner than a zone what that has. */
static enum wire_attach_result gate(void *context) {
    const struct zone *zone = context;
    return directory_owns(&zone->directory, zone->slot) ? WIRE_ATTACHED : WIRE_ATTACH_UNAVAILABLE;
}

static void closing(void *context, uint32_t player) {
    (void)context, (void)player;
}

static void freeze(void *context, uint32_t player, uint32_t target, struct wire_carried *out) {
    struct zone *zone = context;
    body_write(zone, player, out);
    out->session_epoch = book_epoch(zone->book, player);
    out->target = target;
    book_depart(zone->book, player);
    body_drop(zone, player, false);
    trace("zone %u freezes %u under %u for zone %u", zone->slot, player, out->attachment, target);
}

static int import(void *context, uint32_t gateway, const struct wire_carried *c, bool is_return, uint32_t *slot) {
    struct zone *zone = context;
    uint32_t player = player_of(c->player);
    if (!is_return && W.weather.full && chance(8)) return MARCH_ERR_FULL;
    bool is_behind = (c->input_flags & WIRE_CARRIED_ANY) && (int16_t)(c->newest_seq - W.clients[player].applied) < 0;
    bool is_newest = c->session_epoch == W.logins[player].given;
    if (!W.is_mortal && is_newest && is_behind) fail_run("zone %u: player %u comes as it was before", zone->slot, player);
    trace("zone %u has %u under (%llu, %u), %s gateway %d", zone->slot, player, (unsigned long long)c->session_epoch,
          c->attachment, is_return ? "again," : "new,", (int)gateway);
    W.seen.crossings += !is_return;
    W.seen.restored += is_return;
    W.seen.link_dead += gateway == HANDOFF_GATEWAY_NONE;
    W.seen.given += gateway == HANDOFF_GATEWAY_NONE && !is_return;
    W.clients[player].lived = c->session_epoch;
    body_read(zone, gateway, c);
    *slot = player;
    book_arrive(zone->book, player, c);
    check_step();
    return 0;
}

static void link_dead(void *context, uint32_t player, uint32_t ms) {
    ((struct zone *)context)->bodies[player].dead_ms = W.ms - ms;
}

static void let_go(void *context, uint32_t player) {
    struct zone *zone = context;
    trace("zone %u lets go of %u", zone->slot, player);
    book_depart(zone->book, player);
    body_drop(zone, player, false);
}

static void ended(void *context, const struct wire_carried *c) {
    struct zone *zone = context;
    uint64_t applied;
    memcpy(&applied, c->rules, sizeof applied);
    struct game_character character = {.x = c->x, .y = c->y, .hit_points = 1, .experience = applied};
    book_ended(zone->book, c, &character);
}

static void gone(void *context, const struct wire_carried *c) {
    trace("zone %u forgets %u under %u", ((const struct zone *)context)->slot, player_of(c->player), c->attachment);
}

static bool reroute(void *context, uint32_t gateway, const struct wire_carried *c) {
    if (W.weather.full && chance(4)) return false;
    return network_send(((const struct zone *)context)->slot, NODE_GATEWAY + gateway,
                        &(struct message){.kind = REROUTE, .carried = *c});
}

static void activated(void *context, uint32_t gateway, const struct wire_activated *a) {
    uint32_t slot = ((const struct zone *)context)->slot;
    trace("zone %u answers gateway %u: activate of %x under %u: %u", slot, gateway, (unsigned)a->session, a->attachment,
          a->result);
    (void)network_send(slot, NODE_GATEWAY + gateway, &(struct message){.kind = ACTIVATED, .activated = *a});
    if (a->result == WIRE_ACTIVATED) network_take_back(slot, NODE_GATEWAY + gateway, a->session); /* as output.c does */
}

static void forgotten(void *context, uint32_t gateway, const struct wire_routed *r) {
    (void)network_send(((const struct zone *)context)->slot, NODE_GATEWAY + gateway,
                       &(struct message){.kind = FORGOTTEN, .routed = *r});
}

void zone_begin(uint32_t slot) {
    struct zone *zone = &W.zones[slot];
    *zone = (struct zone){.slot = slot, .held = NOBODY};
    zone->book = book_create(body_sim(zone), slot, SHARDS);
    zone->handoff = handoff_create(&(struct handoff_config){.slots_max = PLAYERS,
                                                            .peers_max = SLOTS,
                                                            .gateways_max = GATEWAYS,
                                                            .world = {.context = zone,
                                                                      .by_session = by_session,
                                                                      .by_player = by_player,
                                                                      .by_slot = by_slot,
                                                                      .room = room,
                                                                      .is_mine = is_mine,
                                                                      .closing = closing,
                                                                      .freeze = freeze,
                                                                      .import = import,
                                                                      .link_dead = link_dead,
                                                                      .let_go = let_go,
                                                                      .ended = ended,
                                                                      .gone = gone,
                                                                      .reroute = reroute,
                                                                      .activated = activated,
                                                                      .forgotten = forgotten}});
    CHECK(zone->book && zone->handoff);
    book_guard(zone->book, gate, zone);
    sight_begin(zone);
}

void zone_end(uint32_t slot) {
    struct zone *zone = &W.zones[slot];
    if (!zone->handoff) return;
    for (uint32_t n = 0; n < PLAYERS; n++) zone->bodies[n].is_here = false;
    sight_end(zone);
    handoff_destroy(zone->handoff);
    book_destroy(zone->book);
    zone->handoff = NULL;
    zone->book = NULL;
}

/* --- gateways */

/* check_attach: where nobody dies, no zone forgets whom it had. */
static void check_attach(const struct zone *zone, const struct wire_attach *a) {
    uint32_t player = player_of(a->player);
    if (W.is_mortal || zone->bodies[player].is_here || a->session_epoch != W.clients[player].lived) return;
    fail_run("zone %u: player %u is not here any more", zone->slot, player);
}

static void attach(struct zone *zone, uint32_t gateway, const struct wire_attach *a) {
    uint32_t elsewhere;
    switch (handoff_attach(zone->handoff, now(), gateway, a, &elsewhere)) {
    case HANDOFF_ATTACH_UNKNOWN:
        check_attach(zone, a);
        book_attach(zone->book, gateway, a, now());
        break;
    case HANDOFF_ATTACH_STALE: sim_refuse(body_sim(zone), gateway, a->session, WIRE_ATTACH_STALE); break;
    case HANDOFF_ATTACH_ELSEWHERE: output_elsewhere(sim_output(body_sim(zone), gateway), a->session, elsewhere); break;
    case HANDOFF_ATTACH_LATER: sim_refuse(body_sim(zone), gateway, a->session, WIRE_ATTACH_UNAVAILABLE); break;
    case HANDOFF_ATTACH_RESTORED: (void)sim_attach(body_sim(zone), gateway, a->session, a->player, a->attachment, NULL);
    }
    check_step();
}

static void detach(struct zone *zone, uint32_t gateway, const struct wire_detach *d) {
    if (handoff_detach(zone->handoff, gateway, d->session, d->reason)) return;
    uint32_t slot = sim_slot(body_sim(zone), gateway, d->session);
    if (slot != SIM_SLOT_NONE) handoff_left(zone->handoff, slot);
    book_detach(zone->book, gateway, d);
}

static void input(struct zone *zone, uint32_t gateway, const struct wire_input *in) {
    if (book_holds(zone->book, gateway, in->session) || handoff_has(zone->handoff, gateway, in->session)) return;
    body_input(zone, gateway, in);
}

static void acknowledged(struct zone *zone, uint32_t gateway, const struct message *m) {
    uint32_t slot = sim_slot(body_sim(zone), gateway, m->ack.session);
    if (slot != SIM_SLOT_NONE) view_ack(zone->views, slot, m->ack.seq);
}

/* orphan: a gateway's players are link-dead. */
static void orphan(struct zone *zone, uint32_t gateway, bool is_away) {
    if (zone->gateways[gateway].alive == 0) return;
    if (is_away) handoff_gateway_away(zone->handoff, gateway);
    trace("zone %u: gateway %u is dead", zone->slot, gateway);
    zone->gateways[gateway].alive = zone->gateways[gateway].lost_ms = 0;
    book_orphan(zone->book, gateway);
    handoff_gateway_dead(zone->handoff, now(), gateway);
}

static void expire_link_dead(struct zone *zone) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        const struct body *b = &zone->bodies[n];
        if (!b->is_here || b->gateway != HANDOFF_GATEWAY_NONE || W.ms < b->dead_ms + LINK_DEAD_MS) continue;
        trace("zone %u: %u has been link-dead for too long", zone->slot, n);
        sim_remove(body_sim(zone), n, true);
    }
}

static bool lists_gateway(const struct zone *zone, uint32_t gateway) {
    const struct directory *d = &zone->directory;
    if (gateway >= d->gateway_count || d->gateways[gateway].incarnation == 0) return true;
    return d->gateways[gateway].incarnation == zone->gateways[gateway].alive;
}

static void expire_gateways(struct zone *zone) {
    for (uint32_t g = 0; g < GATEWAYS; g++) {
        uint64_t lost = zone->gateways[g].lost_ms;
        bool is_away = lists_gateway(zone, g);
        if (lost != 0 && (!is_away || W.ms >= lost + KEEP_MS)) orphan(zone, g, is_away);
    }
}

/* --- neighbours */

static void look_who(struct zone *zone, uint32_t peer) {
    uint64_t incarnation = network_peer(zone->slot, peer);
    bool is_heard = incarnation != 0 && directory_hears(&zone->directory, peer, incarnation);
    if (zone->peers[peer].is_heard && !is_heard) {
        zone->peers[peer].is_heard = false;
        handoff_peer_lost(zone->handoff, peer);
    }
    uint64_t before = zone->peers[peer].before;
    if (before != 0 && !directory_hears(&zone->directory, peer, before)) {
        zone->peers[peer].before = 0;
        handoff_peer_dead(zone->handoff, peer, before);
    }
    if (is_heard && !zone->peers[peer].is_heard) {
        if (zone->peers[peer].before != 0 && zone->peers[peer].before != incarnation)
            handoff_peer_dead(zone->handoff, peer, zone->peers[peer].before);
        zone->peers[peer].is_heard = true;
        zone->peers[peer].before = incarnation;
        handoff_peer_up(zone->handoff, peer, incarnation);
    }
}

static void tell_peer(const struct zone *zone, uint32_t peer) {
    struct wire_peer_batch b = {0};
    handoff_fill(zone->handoff, peer, &b);
    for (uint32_t i = 0; i < b.offer_count; i++)
        (void)network_send(zone->slot, peer, &(struct message){.kind = OFFER, .offer = b.offers[i]});
    for (uint32_t i = 0; i < b.offer_answer_count; i++)
        (void)network_send(zone->slot, peer, &(struct message){.kind = OFFER_ANSWER, .offer_answer = b.offer_answers[i]});
    for (uint32_t i = 0; i < b.query_count; i++)
        (void)network_send(zone->slot, peer, &(struct message){.kind = QUERY, .query = b.queries[i]});
    for (uint32_t i = 0; i < b.query_answer_count; i++)
        (void)network_send(zone->slot, peer, &(struct message){.kind = QUERY_ANSWER, .query = b.query_answers[i]});
    for (uint32_t i = 0; i < b.give_count; i++)
        (void)network_send(zone->slot, peer, &(struct message){.kind = GIVE, .give = b.gives[i]});
    for (uint32_t i = 0; i < b.given_count; i++)
        (void)network_send(zone->slot, peer, &(struct message){.kind = GIVEN, .given = b.given[i]});
    handoff_sent(zone->handoff, peer);
}

/* --- the directory */

static void take_directory(struct zone *zone, uint32_t version) {
    struct wire_directory view = directory_view(&W.versions[version]);
    if (!directory_take(&zone->directory, &view)) return;
    zone->held = version;
    bool is_listed = directory_hears(&zone->directory, zone->slot, W.processes[zone->slot].incarnation);
    if (zone->is_listed && !is_listed) {
        trace("zone %u has been replaced", zone->slot);
        process_die(zone->slot);
        return;
    }
    zone->is_listed |= is_listed;
    for (uint32_t i = 0; i < SLOTS; i++)
        if (i != zone->slot) look_who(zone, i);
}

static const struct wire_directory_partition *place_of(const struct zone *zone, int32_t x, int32_t y) {
    return directory_at(&zone->directory, x * 65536, y * 65536);
}

static uint32_t owner_at(const struct zone *zone, int32_t x, int32_t y) {
    const struct wire_directory_partition *p = place_of(zone, x, y);
    return p ? p->owner : WIRE_SLOT_NONE;
}

/* target_of returns the slot that is to have a player; WIRE_SLOT_NONE: it stays. */
static uint32_t target_of(const struct zone *zone, const struct body *b) {
    const struct wire_directory_partition *p = place_of(zone, b->x, b->y);
    if (!p || p->owner == zone->slot || p->owner == WIRE_SLOT_NONE) return WIRE_SLOT_NONE;
    bool is_former = p->former == zone->slot || !directory_owns(&zone->directory, zone->slot);
    bool is_beyond =
        owner_at(zone, b->x - HYSTERESIS_M, b->y) != zone->slot && owner_at(zone, b->x + HYSTERESIS_M, b->y) != zone->slot &&
        owner_at(zone, b->x, b->y - HYSTERESIS_M) != zone->slot && owner_at(zone, b->x, b->y + HYSTERESIS_M) != zone->slot;
    return is_former || is_beyond ? p->owner : WIRE_SLOT_NONE;
}

/* count_holds tells what is here in each partition; flights are counted where they were let go of. */
static void count_holds(const struct zone *zone, struct message *m) {
    const struct directory *d = &zone->directory;
    for (uint32_t i = 0; i < d->partition_count && m->report.hold_count < SPLITS_MAX; i++) {
        struct wire_hold hold = {.partition = d->partitions[i].id};
        for (uint32_t n = 0; n < PLAYERS; n++)
            hold.players +=
                zone->bodies[n].is_here && place_of(zone, zone->bodies[n].x, zone->bodies[n].y) == &d->partitions[i];
        for (uint32_t n = 0; n < handoff_count(zone->handoff); n++) {
            const struct wire_carried *c = handoff_nth(zone->handoff, n).carried;
            hold.in_flight += c && directory_at(d, c->x, c->y) == &d->partitions[i];
        }
        m->report.players += hold.players;
        if (hold.players + hold.in_flight > 0) m->report.holds[m->report.hold_count++] = hold;
    }
}

static void report(struct zone *zone) {
    if (!network_is_up(zone->slot, NODE_MATCHMAKER) || W.ms < zone->report_ms) return;
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        if (zone->shards[shard].epoch == 0) return;
    struct message m = {.kind = WORKER_REPORT};
    m.report.held = zone->is_new ? zone->held : NOBODY;
    m.report.version = zone->directory.version;
    count_holds(zone, &m);
    (void)network_send(zone->slot, NODE_MATCHMAKER, &m);
    zone->is_new = false;
    zone->report_ms = W.ms + REPORT_MS;
}

/* --- a turn */

void zone_turn(uint32_t slot) {
    struct zone *zone = &W.zones[slot];
    expire_gateways(zone);
    body_tick_all(zone);
    if (W.ms >= zone->snapshot_ms) {
        zone->snapshot_ms = W.ms + SNAPSHOT_MS;
        sight_show(zone);
    }
    expire_link_dead(zone);
    handoff_update(zone->handoff, now());
    for (uint32_t n = 0; n < PLAYERS; n++) {
        uint32_t target = zone->bodies[n].is_here ? target_of(zone, &zone->bodies[n]) : WIRE_SLOT_NONE;
        if (target == WIRE_SLOT_NONE) continue;
        struct handoff_player p = describe(zone, n);
        handoff_want(zone->handoff, now(), &p, target);
    }
    handoff_freeze(zone->handoff, now());
    for (uint32_t peer = 0; peer < SLOTS; peer++)
        if (peer != slot && zone->peers[peer].is_heard) tell_peer(zone, peer);
    reporter_turn(zone);
    report(zone);
}

/* --- connections and messages */

void zone_up(uint32_t slot, uint32_t peer) {
    struct zone *zone = &W.zones[slot];
    if (peer < SLOTS) {
        look_who(zone, peer);
    } else if (peer < NODE_MATCHMAKER) {
        uint32_t g = peer - NODE_GATEWAY;
        if (zone->gateways[g].alive != network_peer(slot, peer)) orphan(zone, g, false);
        if (zone->gateways[g].before != network_peer(slot, peer)) handoff_gateway_replaced(zone->handoff, g);
        zone->gateways[g].before = network_peer(slot, peer);
        zone->gateways[g].alive = network_peer(slot, peer);
        zone->gateways[g].lost_ms = 0;
        handoff_gateway_up(zone->handoff, now(), g);
    } else if (peer == NODE_MATCHMAKER) {
        zone->is_new = true;
        zone->report_ms = W.ms;
    } else {
        uint32_t shard = peer - NODE_SHARD;
        bool is_same = zone->shards[shard].peer == network_peer(slot, peer);
        zone->shards[shard].peer = network_peer(slot, peer);
        reporter_up(zone, shard, is_same);
    }
}

void zone_lost(uint32_t slot, uint32_t peer) {
    struct zone *zone = &W.zones[slot];
    if (peer < SLOTS) {
        look_who(zone, peer);
    } else if (peer < NODE_MATCHMAKER) {
        zone->gateways[peer - NODE_GATEWAY].lost_ms = W.ms;
        handoff_gateway_lost(zone->handoff, peer - NODE_GATEWAY);
    } else if (peer >= NODE_SHARD) {
        reporter_lost(zone, peer - NODE_SHARD);
    }
}

static void take_of_peer(struct zone *zone, uint32_t from, const struct message *m) {
    struct wire_peer_batch b = {0};
    if (!zone->peers[from].is_heard) return;
    if (m->kind == OFFER) b.offers = &m->offer, b.offer_count = 1;
    if (m->kind == OFFER_ANSWER) b.offer_answers = &m->offer_answer, b.offer_answer_count = 1;
    if (m->kind == QUERY) b.queries = &m->query, b.query_count = 1;
    if (m->kind == QUERY_ANSWER) b.query_answers = &m->query, b.query_answer_count = 1;
    if (m->kind == GIVE) b.gives = &m->give, b.give_count = 1;
    if (m->kind == GIVEN) b.given = &m->given, b.given_count = 1;
    W.seen.asked += b.query_count;
    uint64_t again = handoff_stats(zone->handoff)->gives_again;
    handoff_take(zone->handoff, now(), from, &b);
    W.seen.given_again += handoff_stats(zone->handoff)->gives_again - again;
}

void zone_take(uint32_t slot, uint32_t from, const struct message *m) {
    struct zone *zone = &W.zones[slot];
    uint32_t gateway = from - NODE_GATEWAY;
    switch (m->kind) {
    case ATTACH: attach(zone, gateway, &m->attach); break;
    case ACTIVATE: handoff_activate(zone->handoff, now(), gateway, &m->carried); break;
    case ROUTED: handoff_routed(zone->handoff, gateway, &m->routed); break;
    case DETACH: detach(zone, gateway, &m->detach); break;
    case INPUT: input(zone, gateway, &m->input); break;
    case ACK: acknowledged(zone, gateway, m); break;
    case DIRECTORY: take_directory(zone, m->version); break;
    case PERSIST_REPORT: reporter_take(zone, from - NODE_SHARD, parcel_of(m)); break;
    default: take_of_peer(zone, from, m);
    }
    check_step();
}
