#include "zone/crossing.h"

#include <stdlib.h>

#define HYSTERESIS (CROSSING_HYSTERESIS_M * 65536)

/* How long a player has been link-dead. */
struct absence {
    struct mono since;  /* when it was first seen to be; 0: it is not */
    uint32_t before_ms; /* in other zones, or before it was let go of */
};

struct crossing {
    struct sim *sim;
    struct book *book;
    const struct neighbours *neighbours;
    struct handoff *handoff;
    uint64_t link_dead_ns;
    struct absence *absences; /* by slot */
    struct mono now;          /* of the newest tick */
    uint32_t link_dead;
    struct crossing_stats stats;
};

/* --- the world of the handoff */

static uint64_t link_dead_ns(const struct crossing *c, uint32_t slot) {
    const struct absence *a = &c->absences[slot];
    return a->since.ns == 0 ? 0 : a->before_ms * (uint64_t)NS_PER_MS + mono_since_ns(c->now, a->since);
}

static struct handoff_player player_of(const struct crossing *c, const struct sim_player *p) {
    return (struct handoff_player){.session = p->session,
                                   .player = p->player,
                                   .session_epoch = book_epoch(c->book, p->slot),
                                   .entity = p->entity,
                                   .slot = p->slot,
                                   .gateway = p->gateway == SIM_GATEWAY_NONE ? HANDOFF_GATEWAY_NONE : p->gateway,
                                   .attachment = p->attachment,
                                   .link_dead_ms = (uint32_t)(link_dead_ns(c, p->slot) / NS_PER_MS)};
}

static bool by_slot(void *context, uint32_t slot, struct handoff_player *out) {
    const struct crossing *c = context;
    if (!sim_is_seated(c->sim, slot)) return false;
    struct sim_player p = sim_player_in(c->sim, slot);
    *out = player_of(c, &p);
    return true;
}

static bool by_session(void *context, uint32_t gateway, uint64_t session, struct handoff_player *out) {
    const struct crossing *c = context;
    uint32_t slot = sim_slot(c->sim, gateway, session);
    return slot != SIM_SLOT_NONE && by_slot(context, slot, out);
}

static bool by_player(void *context, uint64_t player, struct handoff_player *out) {
    const struct crossing *c = context;
    for (uint32_t n = 0; n < sim_players(c->sim); n++) {
        struct sim_player p = sim_player_nth(c->sim, n);
        if (p.player != player) continue;
        *out = player_of(c, &p);
        return true;
    }
    return false;
}

/* Who is frozen may come back, and is counted. */
static uint32_t room(void *context) {
    const struct crossing *c = context;
    uint32_t taken = sim_players(c->sim);
    for (uint32_t n = 0; n < handoff_count(c->handoff); n++) taken += handoff_nth(c->handoff, n).carried != NULL;
    uint32_t most = sim_players_max(c->sim);
    return taken < most ? most - taken : 0;
}

/* Gateways may know sooner than a zone what it has; until it knows, they ask again. */
static enum wire_attach_result gate(void *context) {
    const struct crossing *c = context;
    const struct territory *t = sim_territory(c->sim);
    if (!directory_owns(&t->directory, t->slot)) return WIRE_ATTACH_UNAVAILABLE;
    return room(context) > 0 ? WIRE_ATTACHED : WIRE_ATTACH_FULL;
}

static bool is_mine(void *context, const struct wire_offer *offer) {
    const struct crossing *c = context;
    const struct entities *e = sim_entities(c->sim);
    const struct territory *t = sim_territory(c->sim);
    uint16_t index = entities_find(e, offer->entity);
    if (index == ENTITY_NONE) return directory_owns(&t->directory, t->slot);
    return territory_owner(t, e->x[index], e->y[index]) == t->slot;
}

static void closing(void *context, uint32_t slot) {
    sim_hurry(((struct crossing *)context)->sim, slot);
}

static void freeze(void *context, uint32_t slot, uint32_t target, struct wire_carried *out) {
    struct crossing *c = context;
    uint64_t epoch = book_epoch(c->book, slot);
    c->absences[slot] = (struct absence){0};
    sim_export(c->sim, slot, target, out);
    out->session_epoch = epoch;
    book_depart(c->book, slot);
}

static int import(void *context, uint32_t gateway, const struct wire_carried *carried, bool is_return, uint32_t *slot) {
    (void)is_return;
    struct crossing *c = context;
    int error = sim_import(c->sim, gateway == HANDOFF_GATEWAY_NONE ? SIM_GATEWAY_NONE : gateway, carried, slot);
    if (error) return error;
    c->absences[*slot] = (struct absence){0};
    book_arrive(c->book, *slot, carried);
    return 0;
}

static void link_dead(void *context, uint32_t slot, uint32_t ms) {
    ((struct crossing *)context)->absences[slot].before_ms = ms;
}

static void let_go(void *context, uint32_t slot) {
    struct crossing *c = context;
    c->absences[slot] = (struct absence){0};
    book_depart(c->book, slot);
    sim_remove(c->sim, slot, false);
}

static void ended(void *context, const struct wire_carried *carried) {
    struct crossing *c = context;
    struct game_character character = game_carried_character(carried);
    book_ended(c->book, carried, &character);
    sim_vanish(c->sim, carried->entity);
}

/* Its ghost stays: whoever has it tells of it. */
static void gone(void *context, const struct wire_carried *carried) {
    sim_gone(((struct crossing *)context)->sim, carried->entity);
}

static bool reroute(void *context, uint32_t gateway, const struct wire_carried *carried) {
    return output_reroute(sim_output(((struct crossing *)context)->sim, gateway), carried);
}

static void activated(void *context, uint32_t gateway, const struct wire_activated *activated) {
    output_activated(sim_output(((struct crossing *)context)->sim, gateway), activated);
}

static void forgotten(void *context, uint32_t gateway, const struct wire_routed *routed) {
    output_forgotten(sim_output(((struct crossing *)context)->sim, gateway), routed);
}

/* --- life */

struct crossing *crossing_create(const struct config *config, struct sim *sim, struct book *book) {
    struct crossing *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (struct crossing){.sim = sim, .book = book, .link_dead_ns = config->limits.link_dead_s * NS_PER_S};
    struct handoff_config handoff = {.slots_max = sim_players_max(sim),
                                     .peers_max = config->zones_count,
                                     .gateways_max = sim_gateways(sim),
                                     .world = {.context = c,
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
                                               .forgotten = forgotten}};
    c->absences = calloc(sim_players_max(sim), sizeof *c->absences);
    c->handoff = handoff_create(&handoff);
    book_guard(book, gate, c);
    if (c->absences && c->handoff) return c;
    crossing_destroy(c);
    return NULL;
}

void crossing_destroy(struct crossing *c) {
    if (!c) return;
    book_guard(c->book, NULL, NULL);
    handoff_destroy(c->handoff);
    free(c->absences);
    free(c);
}

/* --- neighbours */

static void peer_up(void *context, uint32_t slot) {
    struct crossing *c = context;
    handoff_peer_up(c->handoff, slot, neighbours_incarnation(c->neighbours, slot));
}

static void peer_lost(void *context, uint32_t slot) {
    handoff_peer_lost(((struct crossing *)context)->handoff, slot);
}

static void peer_dead(void *context, uint32_t slot, uint64_t incarnation) {
    handoff_peer_dead(((struct crossing *)context)->handoff, slot, incarnation);
}

static void peer_take(void *context, uint32_t slot, const struct wire_peer_batch *batch, struct mono now) {
    handoff_take(((struct crossing *)context)->handoff, now, slot, batch);
}

static void peer_fill(void *context, uint32_t slot, struct wire_peer_batch *batch) {
    handoff_fill(((struct crossing *)context)->handoff, slot, batch);
}

static void peer_sent(void *context, uint32_t slot, bool went) {
    (void)went;
    handoff_sent(((struct crossing *)context)->handoff, slot);
}

struct neighbours_hooks crossing_hooks(struct crossing *c, const struct neighbours *neighbours) {
    c->neighbours = neighbours;
    return (struct neighbours_hooks){.context = c,
                                     .up = peer_up,
                                     .lost = peer_lost,
                                     .dead = peer_dead,
                                     .take = peer_take,
                                     .fill = peer_fill,
                                     .sent = peer_sent};
}

/* --- gateways */

void crossing_gateway_up(struct crossing *c, uint32_t gateway, struct mono now) {
    handoff_gateway_up(c->handoff, now, gateway);
}

void crossing_gateway_lost(struct crossing *c, uint32_t gateway) {
    handoff_gateway_lost(c->handoff, gateway);
}

void crossing_gateway_dead(struct crossing *c, uint32_t gateway, struct mono now) {
    c->stats.orphaned++;
    book_orphan(c->book, gateway);
    handoff_gateway_dead(c->handoff, now, gateway);
}

void crossing_gateway_away(struct crossing *c, uint32_t gateway) {
    handoff_gateway_away(c->handoff, gateway);
}

void crossing_gateway_replaced(struct crossing *c, uint32_t gateway) {
    handoff_gateway_replaced(c->handoff, gateway);
}

void crossing_attach(struct crossing *c, uint32_t gateway, const struct wire_attach *attach, struct mono now) {
    uint32_t elsewhere;
    switch (handoff_attach(c->handoff, now, gateway, attach, &elsewhere)) {
    case HANDOFF_ATTACH_UNKNOWN: book_attach(c->book, gateway, attach, now); break;
    case HANDOFF_ATTACH_STALE: sim_refuse(c->sim, gateway, attach->session, WIRE_ATTACH_STALE); break;
    case HANDOFF_ATTACH_ELSEWHERE: output_elsewhere(sim_output(c->sim, gateway), attach->session, elsewhere); break;
    case HANDOFF_ATTACH_LATER: sim_refuse(c->sim, gateway, attach->session, WIRE_ATTACH_UNAVAILABLE); break;
    case HANDOFF_ATTACH_RESTORED: /* it is here now: the answer is that of an attach that is asked again */
        (void)sim_attach(c->sim, gateway, attach->session, attach->player, attach->attachment, NULL);
    }
}

void crossing_activate(struct crossing *c, uint32_t gateway, const struct wire_carried *carried, struct mono now) {
    handoff_activate(c->handoff, now, gateway, carried);
}

void crossing_routed(struct crossing *c, uint32_t gateway, const struct wire_routed *routed) {
    handoff_routed(c->handoff, gateway, routed);
}

void crossing_detach(struct crossing *c, uint32_t gateway, const struct wire_detach *detach) {
    if (handoff_detach(c->handoff, gateway, detach->session, detach->reason)) return;
    uint32_t slot = sim_slot(c->sim, gateway, detach->session);
    if (slot != SIM_SLOT_NONE) handoff_left(c->handoff, slot);
    book_detach(c->book, gateway, detach);
}

bool crossing_has(const struct crossing *c, uint32_t gateway, uint64_t session) {
    return handoff_has(c->handoff, gateway, session);
}

/* --- each tick */

/* is_beyond tells whether a place is so far in another zone's part that nothing near it is ours. */
static bool is_beyond(const struct territory *t, int32_t x, int32_t y) {
    return territory_owner(t, x - HYSTERESIS, y) != t->slot && territory_owner(t, x + HYSTERESIS, y) != t->slot &&
           territory_owner(t, x, y - HYSTERESIS) != t->slot && territory_owner(t, x, y + HYSTERESIS) != t->slot;
}

/* target_at returns the slot that is to have who stands at a place; WIRE_SLOT_NONE: it stays. */
static uint32_t target_at(const struct territory *t, int32_t x, int32_t y) {
    const struct wire_directory_partition *p = directory_at(&t->directory, x, y);
    if (!p || p->owner == t->slot || p->owner == WIRE_SLOT_NONE) return WIRE_SLOT_NONE;
    bool is_former = p->former == t->slot || !directory_owns(&t->directory, t->slot);
    return is_former || is_beyond(t, x, y) ? p->owner : WIRE_SLOT_NONE;
}

static void look_for_leavers(struct crossing *c, struct mono now) {
    const struct territory *t = sim_territory(c->sim);
    const struct entities *e = sim_entities(c->sim);
    for (uint32_t n = 0; n < sim_players(c->sim); n++) {
        struct sim_player p = sim_player_nth(c->sim, n);
        uint16_t index = sim_entity_of(c->sim, p.slot);
        uint32_t target = target_at(t, e->x[index], e->y[index]);
        if (target == WIRE_SLOT_NONE || sim_instances_keep(c->sim, index)) continue;
        struct handoff_player player = player_of(c, &p);
        handoff_want(c->handoff, now, &player, target);
    }
}

static void expire_link_dead(struct crossing *c, struct mono now) {
    c->now = now;
    c->link_dead = 0;
    for (uint32_t n = sim_players(c->sim); n-- > 0;) {
        struct sim_player p = sim_player_nth(c->sim, n);
        struct absence *a = &c->absences[p.slot];
        if (p.gateway != SIM_GATEWAY_NONE) {
            *a = (struct absence){0};
        } else if (a->since.ns == 0) {
            a->since = now;
            c->link_dead++;
        } else if (link_dead_ns(c, p.slot) >= c->link_dead_ns) {
            *a = (struct absence){0};
            c->stats.expired++;
            sim_remove(c->sim, p.slot, true);
        } else {
            c->link_dead++;
        }
    }
}

void crossing_tick(struct crossing *c, struct mono now) {
    expire_link_dead(c, now);
    handoff_update(c->handoff, now);
    look_for_leavers(c, now);
    handoff_freeze(c->handoff, now);
}

/* --- looking in */

uint32_t crossing_in_flight(const struct crossing *c, const struct wire_directory_partition *partition) {
    struct grid_rect r = territory_rect(partition->rect);
    uint32_t count = 0;
    for (uint32_t n = 0; n < handoff_count(c->handoff); n++) {
        const struct wire_carried *p = handoff_nth(c->handoff, n).carried;
        count += p && p->x >= r.x_min && p->x < r.x_max && p->y >= r.y_min && p->y < r.y_max;
    }
    return count;
}

uint32_t crossing_link_dead(const struct crossing *c) {
    return c->link_dead;
}

const struct crossing_stats *crossing_stats(const struct crossing *c) {
    return &c->stats;
}

const struct handoff *crossing_handoff(const struct crossing *c) {
    return c->handoff;
}
