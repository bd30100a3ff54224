/* test_handoff_random.c: the real machines of zones (zone/handoff.h) and gateways (gateway/transfer.h) in one process, on a
 * made-up bus, directory and persist, from a seed: places that move, connections that are lost with all that is on its way,
 * processes that die and come back, directories that arrive late, batches that are full.
 *
 * After each step: of the zones that may be heard at most one simulates a player under the greatest (session epoch,
 * attachment) there is, and no state has seen an input twice. When all is quiet again every player is simulated once, by the
 * zone that its gateway says and the directory wants. And without deaths nobody is ever disconnected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/transfer.h"
#include "zone/handoff.h"

#define ZONES       3
#define GATES       2
#define NODES       (ZONES + GATES)
#define PLAYERS     4
#define PIPE_MAX    512
#define STEPS       3000
#define QUIET       1500
#define STEP_MS     20
#define VERSIONS    64
#define LINK_DEAD   200 /* steps */
#define SEEN_BYTES  32  /* of the rules: inputs that this state has seen, as bits */
#define SEEN_WINDOW (SEEN_BYTES * 8)

enum kind {
    OFFER,
    OFFER_ANSWER,
    QUERY,
    QUERY_ANSWER,
    ATTACH,
    ATTACHED,
    ACTIVATE,
    ACTIVATED,
    REROUTE,
    ROUTED,
    FORGOTTEN,
    DETACH,
    DETACHED,
    INPUT
};

struct message {
    enum kind kind;
    union {
        struct wire_offer offer;
        struct wire_offer_answer offer_answer;
        struct wire_query query;
        struct wire_attach attach;
        struct wire_attached attached;
        struct wire_carried carried;
        struct wire_activated activated;
        struct wire_routed routed;
        uint64_t session;
        struct wire_input input;
    };
};

struct pipe {
    struct message list[PIPE_MAX];
    uint32_t head, count;
    bool up; /* the sender's end is up: it has said what it must on a new connection */
};

struct body { /* a player that a zone simulates */
    bool is_here;
    uint32_t gateway;
    uint64_t session, epoch;
    uint32_t attachment;
    uint64_t dead_since; /* step; without a gateway */
    bool any;
    uint16_t newest;
    uint8_t seen[SEEN_BYTES];
};

struct version {                         /* of the directory */
    uint64_t zones[ZONES], gates[GATES]; /* incarnations that may be heard */
    uint32_t owner[PLAYERS];             /* of each player's place: as if each stood in a partition of its own */
};

struct zone {
    bool is_alive;
    uint64_t incarnation;
    uint32_t version;
    struct handoff *handoff;
    struct body bodies[PLAYERS];
    uint64_t peers[ZONES], gates[GATES]; /* incarnations at the other ends, 0: none yet */
};

struct gate {
    bool is_alive;
    uint64_t incarnation;
    uint32_t version;
    struct session_table sessions;
    struct transfer_table transfers;
    uint64_t zones[ZONES];
};

struct world {
    uint64_t random, step, incarnations;
    struct zone zones[ZONES];
    struct gate gates[GATES];
    struct pipe pipes[NODES][NODES];
    struct version versions[VERSIONS];
    uint32_t newest; /* version */
    struct wire_carried persist[PLAYERS];
    uint64_t epochs[PLAYERS];
    uint16_t input_seq[PLAYERS];
    uint32_t generations[GATES][PLAYERS];
    uint16_t applied[PLAYERS]; /* newest, by whichever zone */
    bool any_deaths, deaths, cuts, full;
    uint32_t deaths_left, pace;
    unsigned kicked, crossings;
};

static struct world W;
static uint64_t seed;

#define FAIL(...)                                                                                                           \
    do {                                                                                                                    \
        fprintf(stderr, "seed %llu step %llu: ", (unsigned long long)seed, (unsigned long long)W.step);                     \
        fprintf(stderr, __VA_ARGS__);                                                                                       \
        fprintf(stderr, "\n");                                                                                              \
        fail();                                                                                                             \
    } while (0)

static bool is_loud(void) {
    static int loud = -1;
    if (loud < 0) loud = getenv("HANDOFF_TRACE") != NULL;
    return loud != 0;
}

#define TRACE(...)                                                                                                          \
    do {                                                                                                                    \
        if (is_loud()) {                                                                                                    \
            fprintf(stderr, "%5llu ", (unsigned long long)W.step);                                                          \
            fprintf(stderr, __VA_ARGS__);                                                                                   \
            fprintf(stderr, "\n");                                                                                          \
        }                                                                                                                   \
    } while (0)

static uint32_t draw(uint32_t below) {
    W.random = W.random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(W.random >> 33) % below;
}

static bool chance(uint32_t in) {
    return draw(in) == 0;
}

static struct mono now(void) {
    return (struct mono){(W.step + 1) * STEP_MS * NS_PER_MS};
}

static uint32_t gate_node(uint32_t gate) {
    return ZONES + gate;
}

/* --- the bus */

static bool is_alive(uint32_t node) {
    return node < ZONES ? W.zones[node].is_alive : W.gates[node - ZONES].is_alive;
}

static bool send_to(uint32_t from, uint32_t to, const struct message *m) {
    struct pipe *p = &W.pipes[from][to];
    if (!p->up) return false;
    if (p->count == PIPE_MAX) FAIL("pipe %u to %u is full", from, to);
    p->list[(p->head + p->count++) % PIPE_MAX] = *m;
    return true;
}

static bool hears_zone(const struct version *v, uint32_t zone, uint64_t incarnation) {
    return incarnation != 0 && v->zones[zone] == incarnation;
}

static bool hears_gate(const struct version *v, uint32_t gate, uint64_t incarnation) {
    return incarnation != 0 && v->gates[gate] == incarnation;
}

static const struct version *zone_version(uint32_t z) {
    return &W.versions[W.zones[z].version % VERSIONS];
}

static const struct version *gate_version(uint32_t g) {
    return &W.versions[W.gates[g].version % VERSIONS];
}

/* --- a zone's world */

static uint32_t zone_of(void *context) {
    return (uint32_t)((struct zone *)context - W.zones);
}

static uint64_t player_id(uint32_t n) {
    return 100 + n;
}

static bool describe(struct zone *zone, uint32_t slot, struct handoff_player *out) {
    const struct body *b = &zone->bodies[slot];
    if (!b->is_here) return false;
    *out = (struct handoff_player){.session = b->session,
                                   .player = player_id(slot),
                                   .session_epoch = b->epoch,
                                   .entity = 1000 + slot,
                                   .slot = slot,
                                   .gateway = b->gateway,
                                   .attachment = b->attachment};
    return true;
}

static bool by_session(void *context, uint32_t gateway, uint64_t session, struct handoff_player *out) {
    struct zone *zone = context;
    for (uint32_t n = 0; n < PLAYERS; n++) {
        if (zone->bodies[n].gateway == gateway && zone->bodies[n].session == session && describe(zone, n, out)) return true;
    }
    return false;
}

static bool by_player(void *context, uint64_t player, struct handoff_player *out) {
    return describe(context, (uint32_t)(player - 100), out);
}

static bool by_slot(void *context, uint32_t slot, struct handoff_player *out) {
    return describe(context, slot, out);
}

static uint32_t room(void *context) {
    (void)context;
    return W.full && chance(8) ? 0 : PLAYERS;
}

static bool is_mine(void *context, const struct wire_offer *offer) {
    uint32_t z = zone_of(context);
    return chance(10) || zone_version(z)->owner[offer->player - 100] == z;
}

static void closing(void *context, uint32_t slot) {
    (void)context, (void)slot;
}

static void write_down(const struct zone *zone, uint32_t slot, struct wire_carried *out) {
    const struct body *b = &zone->bodies[slot];
    *out = (struct wire_carried){.session = b->session,
                                 .player = player_id(slot),
                                 .session_epoch = b->epoch,
                                 .entity = 1000 + slot,
                                 .attachment = b->attachment,
                                 .newest_seq = b->newest,
                                 .input_flags = b->any ? WIRE_CARRIED_ANY : 0};
    memcpy(out->rules, b->seen, SEEN_BYTES);
}

static void freeze(void *context, uint32_t slot, uint32_t target, struct wire_carried *out) {
    struct zone *zone = context;
    write_down(zone, slot, out);
    out->target = target;
    zone->bodies[slot].is_here = false;
    TRACE("zone %u freezes %u under %u for zone %u", zone_of(context), slot, out->attachment, target);
}

static int import(void *context, uint32_t gateway, const struct wire_carried *c, bool is_return) {
    struct zone *zone = context;
    uint32_t slot = (uint32_t)(c->player - 100);
    if (zone->bodies[slot].is_here) FAIL("zone %u: player %u comes twice", zone_of(context), slot);
    if (!is_return && W.full && chance(8)) return MARCH_ERR_FULL;
    bool is_back = c->input_flags != 0 && (int16_t)(c->newest_seq - W.applied[slot]) < 0;
    if (!W.any_deaths && is_back) FAIL("zone %u: player %u comes as it was before", zone_of(context), slot);
    zone->bodies[slot] = (struct body){.is_here = true,
                                       .gateway = gateway,
                                       .session = c->session,
                                       .epoch = c->session_epoch,
                                       .attachment = c->attachment,
                                       .dead_since = W.step,
                                       .any = (c->input_flags & WIRE_CARRIED_ANY) != 0,
                                       .newest = c->newest_seq};
    if (zone->bodies[slot].any) memcpy(zone->bodies[slot].seen, c->rules, SEEN_BYTES);
    TRACE("zone %u has %u under %u, %s gateway %u", zone_of(context), slot, c->attachment, is_return ? "again," : "new,",
          gateway);
    W.crossings += !is_return;
    return 0;
}

static void let_go(void *context, uint32_t slot) {
    struct zone *zone = context;
    zone->bodies[slot].is_here = false;
    handoff_left(zone->handoff, slot);
}

static void store(const struct wire_carried *c) {
    struct wire_carried *kept = &W.persist[c->player - 100];
    bool is_older = c->session_epoch < kept->session_epoch ||
                    (c->session_epoch == kept->session_epoch && c->attachment < kept->attachment);
    if (!is_older) *kept = *c;
}

static void ended(void *context, const struct wire_carried *c) {
    (void)context;
    store(c);
}

static void gone(void *context, const struct wire_carried *c) {
    TRACE("zone %u forgets %u under %u", zone_of(context), (unsigned)(c->player - 100), c->attachment);
}

static bool say_reroute(void *context, uint32_t gateway, const struct wire_carried *c) {
    if (W.full && chance(4)) return false;
    return send_to(zone_of(context), gate_node(gateway), &(struct message){.kind = REROUTE, .carried = *c});
}

static void say_activated(void *context, uint32_t gateway, const struct wire_activated *a) {
    TRACE("zone %u answers gate %u: session %x activated %u %u", zone_of(context), gateway, (unsigned)a->session,
          a->attachment, a->result);
    (void)send_to(zone_of(context), gate_node(gateway), &(struct message){.kind = ACTIVATED, .activated = *a});
}

static void say_forgotten(void *context, uint32_t gateway, const struct wire_routed *r) {
    (void)send_to(zone_of(context), gate_node(gateway), &(struct message){.kind = FORGOTTEN, .routed = *r});
}

static void zone_start(uint32_t z) {
    struct zone *zone = &W.zones[z];
    *zone = (struct zone){.is_alive = true, .incarnation = ++W.incarnations, .version = W.newest};
    zone->handoff = handoff_create(&(struct handoff_config){.slots_max = PLAYERS,
                                                            .peers_max = ZONES,
                                                            .gateways_max = GATES,
                                                            .world = {.context = zone,
                                                                      .by_session = by_session,
                                                                      .by_player = by_player,
                                                                      .by_slot = by_slot,
                                                                      .room = room,
                                                                      .is_mine = is_mine,
                                                                      .closing = closing,
                                                                      .freeze = freeze,
                                                                      .import = import,
                                                                      .let_go = let_go,
                                                                      .ended = ended,
                                                                      .gone = gone,
                                                                      .reroute = say_reroute,
                                                                      .activated = say_activated,
                                                                      .forgotten = say_forgotten}});
    assert_non_null(zone->handoff);
}

/* --- a gateway's ways */

static uint32_t gate_of(void *context) {
    return (uint32_t)((struct gate *)context - W.gates);
}

static uint64_t way_heard(void *context, unsigned route) {
    uint32_t g = gate_of(context);
    uint64_t incarnation = W.gates[g].zones[route];
    return W.pipes[gate_node(g)][route].up && hears_zone(gate_version(g), route, incarnation) ? incarnation : 0;
}

static int way_activate(void *context, unsigned route, const struct wire_carried *c) {
    if (W.full && chance(4)) return MARCH_ERR_FULL;
    return send_to(gate_node(gate_of(context)), route, &(struct message){.kind = ACTIVATE, .carried = *c})
               ? 0
               : MARCH_ERR_NOT_FOUND;
}

static int way_routed(void *context, unsigned route, const struct wire_routed *r) {
    if (W.full && chance(4)) return MARCH_ERR_FULL;
    TRACE("gate %u tells zone %u: %s %u", gate_of(context), route, r->result == WIRE_ROUTED_DONE ? "done" : "restored",
          r->attachment);
    return send_to(gate_node(gate_of(context)), route, &(struct message){.kind = ROUTED, .routed = *r})
               ? 0
               : MARCH_ERR_NOT_FOUND;
}

static void way_detach(void *context, unsigned route, uint64_t session, uint32_t reason) {
    (void)reason;
    (void)send_to(gate_node(gate_of(context)), route, &(struct message){.kind = DETACH, .session = session});
}

static void way_nothing(void *context, struct session *session) {
    (void)context, (void)session;
}

static uint8_t way_successor(void *context, const struct wire_carried *c) {
    uint32_t g = gate_of(context), owner = gate_version(g)->owner[c->player - 100];
    TRACE("gate %u: no zone has %u", g, (unsigned)(c->player - 100));
    return owner < ZONES ? (uint8_t)owner : 0;
}

static void gate_start(uint32_t g) {
    struct gate *gate = &W.gates[g];
    *gate = (struct gate){.is_alive = true, .incarnation = ++W.incarnations, .version = W.newest};
    assert_int_equal(session_table_create(&gate->sessions, PLAYERS), 0);
    struct transfer_handlers handlers = {.context = gate,
                                         .incarnation = way_heard,
                                         .activate = way_activate,
                                         .routed = way_routed,
                                         .detach = way_detach,
                                         .successor = way_successor,
                                         .goes_on = way_nothing,
                                         .waits = way_nothing};
    assert_int_equal(transfer_init(&gate->transfers, &gate->sessions, &handlers), 0);
}

static void gate_stop(struct gate *gate) {
    transfer_deinit(&gate->transfers);
    session_table_destroy(&gate->sessions);
    gate->is_alive = false;
}

static void end_session(uint32_t g, struct session *session) {
    struct gate *gate = &W.gates[g];
    uint64_t handle = session_handle(&gate->sessions, session);
    TRACE("gate %u ends the session of %u", g, (unsigned)(session->player - 100));
    uint8_t route = transfer_session_ended(&gate->transfers, session);
    if (session->state >= SESSION_ATTACHING) way_detach(gate, route, handle, 0);
    session_close(&gate->sessions, session);
}

static void kick(uint32_t g, struct session *session) {
    W.kicked++;
    TRACE("gate %u kicks %u, route %u attachment %u %s", g, (unsigned)(session->player - 100), session->route,
          session->attachments, session_state_name(session->state));
    end_session(g, session);
}

/* attach tells sessions that wait to zones. */
static void attach_all(uint32_t g) {
    struct gate *gate = &W.gates[g];
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct session *session = session_at(&gate->sessions, n);
        if (!session || session->state != SESSION_WAITING) continue;
        uint32_t owner = gate_version(g)->owner[n], route = session->route;
        bool is_heard = hears_zone(gate_version(g), route, gate->zones[route]);
        if (owner < ZONES && owner != route && !is_heard) session_reroute(&gate->sessions, session, (uint8_t)owner);
        if (way_heard(gate, session->route) == 0 || (W.full && chance(4))) continue;
        session->attachments++;
        session_move(&gate->sessions, session, SESSION_ATTACHING);
        TRACE("gate %u attaches %u to zone %u under %u", g, (unsigned)(session->player - 100), session->route,
              session->attachments);
        (void)send_to(gate_node(g), session->route,
                      &(struct message){.kind = ATTACH,
                                        .attach = {.session = session_handle(&gate->sessions, session),
                                                   .player = session->player,
                                                   .session_epoch = session->epoch,
                                                   .attachment = session->attachments}});
    }
}

/* --- connections */

/* drop_link loses what is on its way between two nodes, at both ends. */
static void drop_link(uint32_t a, uint32_t b) {
    for (int way = 0; way < 2; way++) {
        uint32_t here = way ? b : a, there = way ? a : b;
        struct pipe *p = &W.pipes[here][there];
        p->count = 0;
        if (!p->up) continue;
        p->up = false;
        if (!is_alive(here)) continue;
        if (here < ZONES && there < ZONES) handoff_peer_lost(W.zones[here].handoff, there);
        if (here < ZONES && there >= ZONES) handoff_gateway_lost(W.zones[here].handoff, there - ZONES);
        if (here < ZONES) continue;
        struct gate *gate = &W.gates[here - ZONES];
        transfer_zone_lost(&gate->transfers, there);
        for (uint32_t n = 0; n < PLAYERS; n++) {
            struct session *session = session_at(&gate->sessions, n);
            if (!session || session->route != there || session->state == SESSION_MOVING) continue;
            if (session->state >= SESSION_ATTACHING) session_move(&gate->sessions, session, SESSION_WAITING);
        }
    }
}

static void zone_gateway_dead(uint32_t z, uint32_t g) {
    struct zone *zone = &W.zones[z];
    handoff_gateway_dead(zone->handoff, now(), g);
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct body *b = &zone->bodies[n];
        if (!b->is_here || b->gateway != g) continue;
        TRACE("zone %u: %u is link-dead", z, n);
        b->gateway = HANDOFF_GATEWAY_NONE;
        b->dead_since = W.step;
    }
}

/* come_up runs the `up` handler of one end. */
static void come_up(uint32_t here, uint32_t there) {
    struct pipe *p = &W.pipes[here][there];
    if (p->up || !is_alive(here) || !is_alive(there)) return;
    if (here < ZONES && there < ZONES) {
        struct zone *zone = &W.zones[here];
        uint64_t incarnation = W.zones[there].incarnation;
        if (!hears_zone(zone_version(here), there, incarnation)) return;
        p->up = true;
        zone->peers[there] = incarnation;
        handoff_peer_up(zone->handoff, there, incarnation);
    } else if (here < ZONES) {
        struct zone *zone = &W.zones[here];
        uint32_t g = there - ZONES;
        uint64_t incarnation = W.gates[g].incarnation;
        if (!hears_gate(zone_version(here), g, incarnation)) return;
        bool is_same = zone->gates[g] == incarnation;
        if (!is_same && zone->gates[g]) zone_gateway_dead(here, g);
        p->up = true;
        zone->gates[g] = incarnation;
        handoff_gateway_up(zone->handoff, now(), g, is_same);
    } else {
        struct gate *gate = &W.gates[here - ZONES];
        uint64_t incarnation = W.zones[there].incarnation;
        if (!hears_zone(gate_version(here - ZONES), there, incarnation)) return;
        p->up = true;
        gate->zones[there] = incarnation;
        transfer_zone_up(&gate->transfers, there, incarnation, now());
    }
}

static void come_up_all(uint32_t in) {
    for (uint32_t a = 0; a < NODES; a++) {
        for (uint32_t b = 0; b < NODES; b++) {
            if (a != b && (a < ZONES || b < ZONES) && chance(in)) come_up(a, b);
        }
    }
}

/* --- what is taken */

static void zone_attach(uint32_t z, uint32_t g, const struct wire_attach *a) {
    struct zone *zone = &W.zones[z];
    uint32_t slot = (uint32_t)(a->player - 100);
    struct body *b = &zone->bodies[slot];
    struct message answer = {.kind = ATTACHED, .attached = {.session = a->session, .result = WIRE_ATTACHED}};
    enum handoff_attach known = handoff_attach(zone->handoff, now(), g, a);
    if (known == HANDOFF_ATTACH_UNKNOWN) {
        const struct wire_carried *kept = &W.persist[slot];
        bool is_stale = kept->session_epoch > a->session_epoch || (b->is_here && b->epoch > a->session_epoch) ||
                        (b->is_here && b->epoch == a->session_epoch && b->attachment > a->attachment);
        if (is_stale) {
            answer.attached.result = WIRE_ATTACH_STALE;
        } else if (b->is_here) {                               /* again, or link-dead: the same body */
            if (b->session != a->session || b->gateway != g) { /* another client, which counts its inputs anew */
                handoff_left(zone->handoff, slot);
                b->any = false;
                memset(b->seen, 0, sizeof b->seen);
            }
            b->gateway = g, b->session = a->session, b->epoch = a->session_epoch, b->attachment = a->attachment;
        } else {
            if (!W.any_deaths && a->attachment > 1) FAIL("zone %u: player %u is not here any more", z, slot);
            struct wire_carried fresh = *kept;
            fresh.session = a->session, fresh.player = a->player;
            fresh.session_epoch = a->session_epoch, fresh.attachment = a->attachment;
            fresh.input_flags = 0, fresh.newest_seq = 0;
            memset(fresh.rules, 0, sizeof fresh.rules);
            assert_int_equal(import(zone, g, &fresh, true), 0);
        }
    } else if (known == HANDOFF_ATTACH_STALE) {
        answer.attached.result = WIRE_ATTACH_STALE;
    }
    (void)send_to(z, gate_node(g), &answer);
}

static void zone_detach(uint32_t z, uint32_t g, uint64_t session) {
    struct zone *zone = &W.zones[z];
    struct handoff_player p;
    if (handoff_detach(zone->handoff, g, session) || !by_session(zone, g, session, &p)) return;
    struct wire_carried last;
    write_down(zone, p.slot, &last);
    store(&last);
    let_go(zone, p.slot);
}

/* apply marks an input as seen, and forgets those of half a window ago. */
static void apply(struct body *b, uint16_t seq) {
    for (uint16_t past = b->any ? (uint16_t)(b->newest + 1) : seq; past != (uint16_t)(seq + 1); past++) {
        uint32_t far = (past + SEEN_WINDOW / 2u) % SEEN_WINDOW;
        b->seen[far / 8] = (uint8_t)(b->seen[far / 8] & ~(1u << (far % 8)));
    }
    uint32_t bit = seq % SEEN_WINDOW;
    if (b->seen[bit / 8] >> (bit % 8) & 1) FAIL("input %u is applied twice", seq);
    b->seen[bit / 8] = (uint8_t)(b->seen[bit / 8] | 1u << (bit % 8));
}

static void zone_input(uint32_t z, uint32_t g, const struct wire_input *in) {
    struct zone *zone = &W.zones[z];
    struct handoff_player p;
    if (!by_session(zone, g, in->session, &p)) {
        if (handoff_has(zone->handoff, g, in->session)) return;
        (void)send_to(z, gate_node(g), &(struct message){.kind = DETACHED, .session = in->session});
        return;
    }
    struct body *b = &zone->bodies[p.slot];
    for (uint32_t i = in->count; i-- > 0;) {
        uint16_t seq = (uint16_t)(in->newest_seq - i);
        if (b->any && (int16_t)(seq - b->newest) <= 0) continue;
        if (!b->any && i > 0) continue; /* of the first packet only the newest counts */
        apply(b, seq);
        b->any = true;
        b->newest = W.applied[p.slot] = seq;
    }
}

static void zone_take(uint32_t z, uint32_t from, const struct message *m) {
    struct zone *zone = &W.zones[z];
    struct wire_peer_batch batch = {0};
    uint32_t g = from - ZONES;
    switch (m->kind) {
    case OFFER: batch.offers = &m->offer, batch.offer_count = 1; break;
    case OFFER_ANSWER: batch.offer_answers = &m->offer_answer, batch.offer_answer_count = 1; break;
    case QUERY: batch.queries = &m->query, batch.query_count = 1; break;
    case QUERY_ANSWER: batch.query_answers = &m->query, batch.query_answer_count = 1; break;
    case ATTACH: zone_attach(z, g, &m->attach); return;
    case ACTIVATE: handoff_activate(zone->handoff, now(), g, &m->carried); return;
    case ROUTED: handoff_routed(zone->handoff, g, &m->routed); return;
    case DETACH: zone_detach(z, g, m->session); return;
    case INPUT: zone_input(z, g, &m->input); return;
    default: FAIL("a zone is sent %d", m->kind);
    }
    handoff_take(zone->handoff, now(), from, &batch);
}

static void gate_take(uint32_t g, uint32_t from, const struct message *m) {
    struct gate *gate = &W.gates[g];
    struct session *session;
    switch (m->kind) {
    case ATTACHED:
        session = session_find(&gate->sessions, m->attached.session);
        if (!session || session->route != from || session->state != SESSION_ATTACHING) return;
        if (m->attached.result == WIRE_ATTACHED) {
            session_move(&gate->sessions, session, SESSION_PLAYING);
        } else {
            kick(g, session);
        }
        return;
    case ACTIVATED: transfer_activated(&gate->transfers, from, &m->activated, now()); return;
    case REROUTE: transfer_reroute(&gate->transfers, from, &m->carried, now()); return;
    case FORGOTTEN: transfer_forgotten(&gate->transfers, from, &m->routed); return;
    case DETACHED:
        session = session_find(&gate->sessions, m->session);
        if (session && session->route == from && session->state >= SESSION_ATTACHING && session->state != SESSION_MOVING)
            kick(g, session);
        return;
    default: FAIL("a gateway is sent %d", m->kind);
    }
}

/* deliver takes the next message of a pipe. What the receiver does not hear is dropped. */
static void deliver(uint32_t from, uint32_t to) {
    struct pipe *p = &W.pipes[from][to];
    if (p->count == 0 || !is_alive(to) || !W.pipes[to][from].up) return;
    struct message m = p->list[p->head];
    p->head = (p->head + 1) % PIPE_MAX;
    p->count--;
    if (to >= ZONES) {
        if (hears_zone(gate_version(to - ZONES), from, W.gates[to - ZONES].zones[from])) gate_take(to - ZONES, from, &m);
    } else if (from >= ZONES) {
        if (hears_gate(zone_version(to), from - ZONES, W.zones[to].gates[from - ZONES])) zone_take(to, from, &m);
    } else if (hears_zone(zone_version(to), from, W.zones[to].peers[from])) {
        zone_take(to, from, &m);
    }
}

/* --- the directory */

static void publish(void) {
    W.newest++;
    W.versions[W.newest % VERSIONS] = W.versions[(W.newest - 1) % VERSIONS];
}

static struct version *truth(void) {
    return &W.versions[W.newest % VERSIONS];
}

static void zone_directory(uint32_t z, uint32_t version) {
    struct zone *zone = &W.zones[z];
    struct version before = *zone_version(z), after = W.versions[version % VERSIONS];
    zone->version = version;
    for (uint32_t i = 0; i < ZONES; i++) {
        if (i != z && before.zones[i] && before.zones[i] != after.zones[i])
            handoff_peer_dead(zone->handoff, i, before.zones[i]);
    }
    for (uint32_t g = 0; g < GATES; g++) {
        if (zone->gates[g] && zone->gates[g] == before.gates[g] && before.gates[g] != after.gates[g])
            zone_gateway_dead(z, g);
    }
}

static void gate_directory(uint32_t g, uint32_t version) {
    struct gate *gate = &W.gates[g];
    struct version before = *gate_version(g), after = W.versions[version % VERSIONS];
    gate->version = version;
    for (uint32_t z = 0; z < ZONES; z++) {
        if (before.zones[z] == 0 || before.zones[z] == after.zones[z]) continue;
        for (uint32_t n = 0; n < PLAYERS; n++) {
            struct session *session = session_at(&gate->sessions, n);
            if (!session || session->route != z || session->state == SESSION_MOVING) continue;
            if (session->state >= SESSION_ATTACHING) session_move(&gate->sessions, session, SESSION_WAITING);
        }
        transfer_zone_dead(&gate->transfers, z, after.zones[z], now());
    }
}

static void spread_directory(uint32_t in) {
    for (uint32_t z = 0; z < ZONES; z++) {
        if (W.zones[z].is_alive && W.zones[z].version < W.newest && chance(in)) zone_directory(z, W.zones[z].version + 1);
    }
    for (uint32_t g = 0; g < GATES; g++) {
        if (W.gates[g].is_alive && W.gates[g].version < W.newest && chance(in)) gate_directory(g, W.gates[g].version + 1);
    }
}

/* assign gives places that nobody has to a zone that lives. */
static void assign(void) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        if (truth()->owner[n] != UINT32_MAX) continue;
        for (uint32_t i = 0, z = draw(ZONES); i < ZONES; i++, z = (z + 1) % ZONES) {
            if (truth()->zones[z] == 0 || !W.zones[z].is_alive) continue;
            publish();
            truth()->owner[n] = z;
            break;
        }
    }
}

/* notice takes the dead out of the directory, and those that are new into it. */
static void notice(uint32_t in) {
    for (uint32_t z = 0; z < ZONES; z++) {
        uint64_t is = W.zones[z].is_alive ? W.zones[z].incarnation : 0;
        if (truth()->zones[z] == is || !chance(in)) continue;
        publish();
        bool was = truth()->zones[z] != 0;
        truth()->zones[z] = was ? 0 : is;
        for (uint32_t n = 0; was && n < PLAYERS; n++) {
            if (truth()->owner[n] == z) truth()->owner[n] = UINT32_MAX;
        }
    }
    for (uint32_t g = 0; g < GATES; g++) {
        uint64_t is = W.gates[g].is_alive ? W.gates[g].incarnation : 0;
        if (truth()->gates[g] == is || !chance(in)) continue;
        publish();
        truth()->gates[g] = truth()->gates[g] != 0 ? 0 : is;
    }
}

/* --- clients */

static struct session *session_of_player(uint32_t n, uint32_t *gate) {
    for (uint32_t g = 0; g < GATES; g++) {
        if (!W.gates[g].is_alive) continue;
        struct session *session = session_at(&W.gates[g].sessions, n);
        if (session) {
            *gate = g;
            return session;
        }
    }
    return NULL;
}

static void login(uint32_t n) {
    uint32_t g = draw(GATES);
    if (!W.gates[g].is_alive) return;
    struct session_table *table = &W.gates[g].sessions;
    uint64_t epoch = ++W.epochs[n];
    struct session *session = session_open_claiming(table, n, ++W.generations[g][n], player_id(n));
    TRACE("player %u comes to gate %u, epoch %llu", n, g, (unsigned long long)epoch);
    uint32_t owner = gate_version(g)->owner[n];
    session_claimed(table, session, epoch, owner < ZONES ? (uint8_t)owner : 0);
}

static void play(uint32_t n) {
    uint32_t g;
    struct session *session = session_of_player(n, &g);
    if (!session) {
        if (chance(20)) login(n);
        return;
    }
    if (W.deaths && chance(2000)) { /* somebody leaves, or comes in elsewhere */
        end_session(g, session);
        return;
    }
    if ((session->state != SESSION_PLAYING && session->state != SESSION_MOVING) ||
        !transfer_takes_input(&W.gates[g].transfers, session))
        return;
    if (W.pipes[gate_node(g)][session->route].count > PIPE_MAX / 4) return; /* it waits in a batch */
    W.input_seq[n]++;
    struct frame_input frame = {.newest_seq = W.input_seq[n], .count = W.input_seq[n] < 8 ? (uint8_t)W.input_seq[n] : 8};
    if (chance(4)) return; /* lost on the way: the next one repeats it */
    struct message m = {.kind = INPUT};
    if (session_take_input(&W.gates[g].sessions, session, &frame, &m.input) == 0)
        (void)send_to(gate_node(g), session->route, &m);
}

/* --- zones each step */

static void zone_mail(uint32_t z) {
    for (uint32_t peer = 0; peer < ZONES; peer++) {
        struct wire_peer_batch b = {0};
        if (peer == z) continue;
        handoff_fill(W.zones[z].handoff, peer, &b);
        for (uint32_t i = 0; i < b.offer_count; i++)
            (void)send_to(z, peer, &(struct message){.kind = OFFER, .offer = b.offers[i]});
        for (uint32_t i = 0; i < b.offer_answer_count; i++)
            (void)send_to(z, peer, &(struct message){.kind = OFFER_ANSWER, .offer_answer = b.offer_answers[i]});
        for (uint32_t i = 0; i < b.query_count; i++)
            (void)send_to(z, peer, &(struct message){.kind = QUERY, .query = b.queries[i]});
        for (uint32_t i = 0; i < b.query_answer_count; i++)
            (void)send_to(z, peer, &(struct message){.kind = QUERY_ANSWER, .query = b.query_answers[i]});
        handoff_sent(W.zones[z].handoff, peer);
    }
}

/* report tells persist, which knows of newer ones. */
static void report(uint32_t z, uint32_t n) {
    struct zone *zone = &W.zones[z];
    struct wire_carried state;
    if (!zone->bodies[n].is_here || truth()->zones[z] != zone->incarnation) return;
    write_down(zone, n, &state);
    store(&state);
    const struct wire_carried *kept = &W.persist[n];
    bool is_stale = kept->session_epoch > state.session_epoch ||
                    (kept->session_epoch == state.session_epoch && kept->attachment > state.attachment);
    if (is_stale) let_go(zone, n);
}

static void zone_tick(uint32_t z) {
    struct zone *zone = &W.zones[z];
    handoff_update(zone->handoff, now());
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct handoff_player p;
        if (chance(10)) report(z, n);
        if (zone->bodies[n].is_here && zone->bodies[n].gateway == HANDOFF_GATEWAY_NONE &&
            W.step > zone->bodies[n].dead_since + LINK_DEAD)
            let_go(zone, n);
        uint32_t owner = zone_version(z)->owner[n];
        if (owner != z && owner != UINT32_MAX && describe(zone, n, &p)) handoff_want(zone->handoff, now(), &p, owner);
    }
    handoff_freeze(zone->handoff, now());
    zone_mail(z);
}

/* --- faults */

static void die(uint32_t node) {
    TRACE("node %u dies", node);
    for (uint32_t other = 0; other < NODES; other++) {
        if (other != node) drop_link(node, other);
    }
    if (node < ZONES) {
        handoff_destroy(W.zones[node].handoff);
        W.zones[node].handoff = NULL;
        W.zones[node].is_alive = false;
    } else {
        gate_stop(&W.gates[node - ZONES]);
    }
}

/* is_under_way tells whether a player is between two zones: faults like to come then. */
static bool is_under_way(void) {
    for (uint32_t z = 0; z < ZONES; z++) {
        for (uint32_t i = 0; W.zones[z].is_alive && i < handoff_count(W.zones[z].handoff); i++) {
            if (handoff_nth(W.zones[z].handoff, i).step >= HANDOFF_ACCEPTED) return true;
        }
    }
    for (uint32_t g = 0; g < GATES; g++) {
        if (W.gates[g].is_alive && transfer_count(&W.gates[g].transfers) > 0) return true;
    }
    return false;
}

static void walk(void) {
    uint32_t n = draw(PLAYERS), z = draw(ZONES);
    if (truth()->zones[z] == 0 || truth()->owner[n] == UINT32_MAX) return;
    publish();
    truth()->owner[n] = z;
}

static void cut(void) {
    uint32_t a = draw(NODES), b = draw(ZONES);
    TRACE("cut %u %u", a, b);
    if (a != b) drop_link(a, b);
}

static void kill_one(void) {
    uint32_t node = draw(NODES);
    if (W.deaths_left == 0 || !is_alive(node)) return;
    W.deaths_left--;
    die(node);
}

static void faults(void) {
    uint32_t seldom = is_under_way() ? 1 : 10; /* somebody walks over, or a partition is given away */
    if (chance(30)) walk();
    if (W.cuts && chance(20 * seldom)) cut();
    if (W.deaths && chance(50 * seldom)) kill_one();
    for (uint32_t node = 0; node < NODES; node++) {
        if (is_alive(node) || !chance(40)) continue;
        if (node < ZONES) zone_start(node);
        if (node >= ZONES) gate_start(node - ZONES);
    }
}

/* --- what must hold */

static bool is_newer(const struct body *a, const struct body *b) {
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->attachment > b->attachment;
}

static void check_never_two(void) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        const struct body *best = NULL;
        for (uint32_t z = 0; z < ZONES; z++) {
            const struct zone *zone = &W.zones[z];
            const struct body *b = &zone->bodies[n];
            if (!zone->is_alive || zone->incarnation != truth()->zones[z] || !b->is_here) continue;
            if (best && !is_newer(b, best) && !is_newer(best, b))
                FAIL("player %u is in two zones under (%llu, %u)", n, (unsigned long long)b->epoch, b->attachment);
            if (!best || is_newer(b, best)) best = b;
        }
    }
}

static void check_quiet(void) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        uint32_t g = 0, count = 0, at = 0;
        const struct session *session = session_of_player(n, &g);
        if (!session || session->state != SESSION_PLAYING)
            FAIL("player %u does not play: %s", n, session ? session_state_name(session->state) : "no session");
        for (uint32_t z = 0; z < ZONES; z++) {
            if (!W.zones[z].bodies[n].is_here) continue;
            count++;
            at = z;
        }
        if (count != 1) FAIL("player %u is in %u zones", n, count);
        const struct body *b = &W.zones[at].bodies[n];
        if (session->route != at || b->attachment != session->attachments || b->epoch != session->epoch || b->gateway != g)
            FAIL("player %u is in zone %u under %u, its session says zone %u and %u", n, at, b->attachment, session->route,
                 session->attachments);
        if (truth()->owner[n] != at) FAIL("player %u is in zone %u and belongs to %u", n, at, truth()->owner[n]);
        if (session->transfer != 0) FAIL("player %u is still being forgotten", n);
    }
    for (uint32_t z = 0; z < ZONES; z++) {
        if (handoff_count(W.zones[z].handoff) != 0)
            FAIL("zone %u still has a flight: %s", z, handoff_step_name(handoff_nth(W.zones[z].handoff, 0).step));
        if (handoff_stats(W.zones[z].handoff)->lost != 0) FAIL("zone %u lost a player", z);
    }
}

/* --- a run */

static void step(uint32_t slowness) {
    W.step++;
    spread_directory(slowness);
    come_up_all(slowness);
    for (uint32_t i = 0; i < 30; i++) {
        uint32_t a = draw(NODES), b = draw(NODES);
        for (uint32_t k = draw(W.pace); a != b && k > 0; k--) {
            deliver(a, b);
            check_never_two();
        }
    }
    for (uint32_t n = 0; n < PLAYERS; n++) play(n);
    for (uint32_t g = 0; g < GATES; g++) {
        if (!W.gates[g].is_alive) continue;
        transfer_update(&W.gates[g].transfers, now());
        attach_all(g);
    }
    for (uint32_t z = 0; z < ZONES; z++) {
        if (W.zones[z].is_alive && !chance(slowness)) zone_tick(z);
    }
    notice(slowness * 3);
    if (chance(5)) assign();
    check_never_two();
}

static void start(void) {
    publish();
    for (uint32_t z = 0; z < ZONES; z++) zone_start(z);
    for (uint32_t g = 0; g < GATES; g++) gate_start(g);
    for (uint32_t z = 0; z < ZONES; z++) truth()->zones[z] = W.zones[z].incarnation;
    for (uint32_t g = 0; g < GATES; g++) truth()->gates[g] = W.gates[g].incarnation;
    for (uint32_t n = 0; n < PLAYERS; n++) truth()->owner[n] = draw(ZONES);
}

static void stop(void) {
    for (uint32_t z = 0; z < ZONES; z++) handoff_destroy(W.zones[z].handoff);
    for (uint32_t g = 0; g < GATES; g++) {
        if (W.gates[g].is_alive) gate_stop(&W.gates[g]);
    }
}

static void run(uint64_t with_seed, bool deaths, bool cuts) {
    seed = with_seed;
    memset(&W, 0, sizeof W);
    W.random = with_seed * 0x9e3779b97f4a7c15u + 1;
    W.deaths = W.any_deaths = deaths;
    W.cuts = cuts;
    W.deaths_left = 1 + draw(12);
    W.full = chance(2);
    start();
    uint32_t slowness = 2 + draw(6);
    W.pace = 2 + draw(4);
    for (uint32_t i = 0; i < STEPS; i++) {
        if (i > 200) faults();
        step(slowness);
    }
    W.cuts = W.full = W.deaths = false;
    W.pace = 5;
    for (uint32_t i = 0; i < QUIET; i++) {
        for (uint32_t node = 0; node < NODES; node++) {
            if (is_alive(node)) continue;
            if (node < ZONES) zone_start(node);
            if (node >= ZONES) gate_start(node - ZONES);
        }
        step(2);
    }
    check_quiet();
    if (!deaths && W.kicked != 0) FAIL("%u were disconnected", W.kicked);
    stop();
}

static void run_many(bool deaths, bool cuts) {
    const char *only = getenv("HANDOFF_SEED"), *count = getenv("HANDOFF_SEEDS");
    if (only) {
        run(strtoull(only, NULL, 10), deaths, cuts);
        return;
    }
    uint64_t seeds = count ? strtoull(count, NULL, 10) : 25;
    unsigned crossings = 0;
    for (uint64_t s = 1; s <= seeds; s++) {
        run(s, deaths, cuts);
        crossings += W.crossings;
    }
    assert_true(crossings >= 20 * seeds); /* else this test tests nothing */
}

static void test_handoff_while_all_live_disconnects_nobody(void **state) {
    (void)state;
    run_many(false, false);
}

static void test_handoff_with_lost_connections_disconnects_nobody(void **state) {
    (void)state;
    run_many(false, true);
}

static void test_handoff_with_deaths_leaves_every_player_once(void **state) {
    (void)state;
    run_many(true, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handoff_while_all_live_disconnects_nobody),
        cmocka_unit_test(test_handoff_with_lost_connections_disconnects_nobody),
        cmocka_unit_test(test_handoff_with_deaths_leaves_every_player_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
