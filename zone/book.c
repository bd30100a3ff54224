#include "zone/book.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/shard.h"

#define PENDING_NONE 0xffff

_Static_assert((BOOK_GRANTS_MAX & (BOOK_GRANTS_MAX - 1)) == 0, "a grant's place is the low bits of its count");

/* A player in the zone, by slot. */
struct kept {
    uint64_t epoch;
    uint64_t sent_seq; /* 0: nothing reported yet, or to be reported again */
    uint64_t min_tick; /* states are told as of this one at least: after what another zone told */
    struct wire_player_state sent;
    uint32_t shard;
};

struct departed {
    struct wire_player_state state;
    uint32_t attachment;
    uint64_t sent_seq; /* 0: not sent */
    uint32_t shard;
};

enum grant_step { GRANT_DONE = 0, GRANT_DUE = 1, GRANT_SENT = 2 };

struct grant {
    struct wire_loot_grant grant;
    struct mono due_at;
    uint32_t shard;
    uint8_t step;
    bool is_named; /* the key is whole, and stays */
};

struct pending {
    struct wire_attach attach;
    uint32_t gateway;
    uint32_t shard;
    bool is_sent;
    struct mono due_at, expires_at;
};

/* What book_report has filled in, for book_reported. */
struct draft {
    uint32_t shard;
    struct mono at;
    struct wire_player_load loads[WIRE_REPORT_LOADS_MAX];
    uint16_t pending[WIRE_REPORT_LOADS_MAX];
    struct wire_player_state states[WIRE_REPORT_STATES_MAX];
    uint32_t attachments[WIRE_REPORT_STATES_MAX];
    uint32_t sources[WIRE_REPORT_STATES_MAX]; /* the first departed_count: places in departed; the others: slots */
    struct wire_loot_grant grants[WIRE_REPORT_GRANTS_MAX];
    uint32_t load_count, state_count, departed_count, grant_count;
};

struct book {
    struct sim *sim;
    book_gate gate; /* NULL: open */
    void *gate_context;
    uint32_t zone_index;
    uint32_t shard_count;
    uint64_t *lease_epochs; /* by shard */

    struct kept *kept;
    struct departed *departed;
    uint32_t departed_count;
    uint32_t departed_due; /* not sent */

    struct grant *grants; /* counts grant_first .. grant_next - 1, each at its low bits */
    uint32_t grant_first, grant_next;
    uint32_t grants_open; /* not answered */

    struct pending *pending;
    uint16_t *pending_of[SIM_GATEWAYS_MAX]; /* by session index */
    uint32_t pending_count, pending_max;

    struct draft *draft;
    struct book_stats stats;
};

/* --- life */

static void on_left(void *context, uint32_t slot);
static void on_loot(void *context, uint64_t player, const struct game_event *event);

static bool create_arrays(struct book *b) {
    uint32_t players = sim_players_max(b->sim), sessions = sim_sessions_max(b->sim);
    b->pending_max = players < PENDING_NONE ? players : PENDING_NONE - 1;
    b->lease_epochs = calloc(b->shard_count, sizeof *b->lease_epochs);
    b->kept = calloc(players, sizeof *b->kept);
    b->departed = calloc(BOOK_DEPARTED_MAX, sizeof *b->departed);
    b->grants = calloc(BOOK_GRANTS_MAX, sizeof *b->grants);
    b->pending = calloc(b->pending_max, sizeof *b->pending);
    b->draft = calloc(1, sizeof *b->draft);
    if (!b->lease_epochs || !b->kept || !b->departed || !b->grants || !b->pending || !b->draft) return false;
    for (uint32_t g = 0; g < sim_gateways(b->sim); g++) {
        b->pending_of[g] = malloc(sessions * sizeof *b->pending_of[g]);
        if (!b->pending_of[g]) return false;
        memset(b->pending_of[g], 0xff, sessions * sizeof *b->pending_of[g]);
    }
    return true;
}

struct book *book_create(struct sim *sim, uint32_t zone_index, uint32_t shard_count) {
    struct book *book = calloc(1, sizeof *book);
    if (!book) return NULL;
    *book = (struct book){.sim = sim, .zone_index = zone_index, .shard_count = shard_count};
    if (shard_count == 0) return book;
    if (!create_arrays(book)) {
        book_destroy(book);
        return NULL;
    }
    sim_set_watcher(sim, &(struct sim_watcher){.context = book, .left = on_left, .loot = on_loot});
    return book;
}

void book_destroy(struct book *b) {
    if (!b) return;
    sim_set_watcher(b->sim, &(struct sim_watcher){0});
    for (uint32_t g = 0; g < SIM_GATEWAYS_MAX; g++) free(b->pending_of[g]);
    free(b->draft);
    free(b->pending);
    free(b->grants);
    free(b->departed);
    free(b->kept);
    free(b->lease_epochs);
    free(b);
}

/* --- players in the zone, and those that left */

static struct wire_player_state state_of(const struct book *b, uint32_t slot, uint64_t tick) {
    struct game_character c = sim_character(b->sim, slot);
    if (tick < b->kept[slot].min_tick) tick = b->kept[slot].min_tick;
    return (struct wire_player_state){.player = sim_player_in(b->sim, slot).player,
                                      .session_epoch = b->kept[slot].epoch,
                                      .tick = tick,
                                      .experience = c.experience,
                                      .x = c.x,
                                      .y = c.y,
                                      .yaw = c.yaw,
                                      .level = c.level,
                                      .hit_points = c.hit_points};
}

static bool same_but_tick(const struct wire_player_state *a, const struct wire_player_state *b) {
    return a->player == b->player && a->session_epoch == b->session_epoch && a->experience == b->experience &&
           a->x == b->x && a->y == b->y && a->yaw == b->yaw && a->level == b->level && a->hit_points == b->hit_points &&
           a->flags == b->flags;
}

static void forget_departed(struct book *b, uint32_t place) {
    b->departed_due -= b->departed[place].sent_seq == 0;
    b->departed[place] = b->departed[--b->departed_count];
}

static void give_up_departed(struct book *b) {
    uint32_t first = 0;
    for (uint32_t i = 1; i < b->departed_count; i++) {
        if (b->departed[i].state.tick < b->departed[first].state.tick) first = i;
    }
    forget_departed(b, first);
    b->stats.departed_lost++;
}

static void on_left(void *context, uint32_t slot) {
    struct book *b = context;
    if (b->departed_count == BOOK_DEPARTED_MAX) give_up_departed(b);
    struct departed *departed = &b->departed[b->departed_count++];
    *departed = (struct departed){.state = state_of(b, slot, sim_now(b->sim)),
                                  .attachment = sim_player_in(b->sim, slot).attachment,
                                  .shard = b->kept[slot].shard};
    departed->state.flags = WIRE_STATE_LEFT;
    b->departed_due++;
    b->kept[slot] = (struct kept){0};
}

/* find_player returns the slot of a player, whatever its session; SIM_SLOT_NONE when it is not here. */
static uint32_t find_player(const struct book *b, uint64_t player) {
    for (uint32_t n = 0; n < sim_players(b->sim); n++) {
        struct sim_player p = sim_player_nth(b->sim, n);
        if (p.player == player) return p.slot;
    }
    return SIM_SLOT_NONE;
}

/* Lets go of a player whose session is over elsewhere, and tells its gateway. */
static void let_go(struct book *b, uint32_t slot) {
    struct sim_player p = sim_player_in(b->sim, slot);
    b->stats.sessions_ended++;
    sim_remove(b->sim, slot, true);
    if (p.gateway != SIM_GATEWAY_NONE) output_detached(sim_output(b->sim, p.gateway), p.session, SIM_DETACH_STALE);
}

/* --- loot */

static struct grant *grant_at(const struct book *b, uint32_t count) {
    return &b->grants[count & (BOOK_GRANTS_MAX - 1)];
}

static void close_grant(struct book *b, struct grant *grant) {
    grant->step = GRANT_DONE;
    b->grants_open--;
    while (b->grant_first != b->grant_next && grant_at(b, b->grant_first)->step == GRANT_DONE) b->grant_first++;
}

static void on_loot(void *context, uint64_t player, const struct game_event *event) {
    struct book *b = context;
    if (b->grant_next - b->grant_first == BOOK_GRANTS_MAX) {
        b->stats.grants_lost++;
        close_grant(b, grant_at(b, b->grant_first));
    }
    uint32_t count = b->grant_next++, shard = shard_of_player(player, b->shard_count);
    uint64_t key = (uint64_t)b->zone_index << 48 | (uint64_t)count;
    *grant_at(b, count) = (struct grant){.shard = shard,
                                         .step = GRANT_DUE,
                                         .grant = {.player = player,
                                                   .key = key,
                                                   .gold = event->gold,
                                                   .item_kind = event->item_kind,
                                                   .item_count = event->item_count}};
    b->grants_open++;
    b->stats.grants++;
}

/* --- attaches */

void book_guard(struct book *b, book_gate gate, void *context) {
    b->gate = gate;
    b->gate_context = context;
}

/* enter gives a player a place in the zone. */
static uint64_t enter(struct book *b, uint32_t gateway, const struct wire_attach *a,
                      const struct game_character *character) {
    bool is_here = sim_slot(b->sim, gateway, a->session) != SIM_SLOT_NONE;
    enum wire_attach_result may = is_here || !b->gate ? WIRE_ATTACHED : b->gate(b->gate_context);
    if (may != WIRE_ATTACHED) {
        sim_refuse(b->sim, gateway, a->session, may);
        return 0;
    }
    return sim_attach(b->sim, gateway, a->session, a->player, a->attachment, character);
}

/* --- attaches that wait */

static uint16_t *pending_entry(const struct book *b, uint32_t gateway, uint64_t session) {
    uint32_t index = (uint32_t)session;
    return b->shard_count > 0 && index < sim_sessions_max(b->sim) ? &b->pending_of[gateway][index] : NULL;
}

/* find_pending returns the place of a session's attach, PENDING_NONE when none waits. */
static uint32_t find_pending(const struct book *b, uint32_t gateway, uint64_t session) {
    const uint16_t *entry = pending_entry(b, gateway, session);
    if (!entry || *entry == PENDING_NONE || b->pending[*entry].attach.session != session) return PENDING_NONE;
    return *entry;
}

static void forget_pending(struct book *b, uint32_t place) {
    const struct pending *p = &b->pending[place], *last = &b->pending[--b->pending_count];
    *pending_entry(b, last->gateway, last->attach.session) = (uint16_t)place;
    *pending_entry(b, p->gateway, p->attach.session) = PENDING_NONE;
    b->pending[place] = *last;
}

static void refuse_pending(struct book *b, uint32_t place, enum wire_attach_result result) {
    struct pending p = b->pending[place];
    forget_pending(b, place);
    sim_refuse(b->sim, p.gateway, p.attach.session, result);
}

/* Makes way for an attach: older attaches of the player and of the gateway's slot go. False when there is a newer one. */
static bool make_way(struct book *b, uint32_t gateway, const struct wire_attach *a) {
    for (uint32_t i = b->pending_count; i-- > 0;) {
        const struct pending *p = &b->pending[i];
        bool same_player = p->attach.player == a->player;
        if (same_player && p->attach.session_epoch > a->session_epoch) return false;
        if (same_player) {
            refuse_pending(b, i, WIRE_ATTACH_STALE);
        } else if (p->gateway == gateway && (uint32_t)p->attach.session == (uint32_t)a->session) {
            forget_pending(b, i);
        }
    }
    return true;
}

static void refuse_stale(struct book *b, uint32_t gateway, uint64_t session) {
    b->stats.attaches_stale++;
    sim_refuse(b->sim, gateway, session, WIRE_ATTACH_STALE);
}

/* Gives a player that is here to the newer session that attaches. */
static void resume(struct book *b, uint32_t slot, uint32_t gateway, const struct wire_attach *a) {
    struct sim_player p = sim_player_in(b->sim, slot);
    if (p.gateway != SIM_GATEWAY_NONE) {
        b->stats.sessions_ended++;
        output_detached(sim_output(b->sim, p.gateway), p.session, SIM_DETACH_STALE);
    }
    if (!sim_rebind(b->sim, slot, gateway, a->session, a->attachment)) {
        sim_refuse(b->sim, gateway, a->session, WIRE_ATTACH_BAD_SESSION);
        return;
    }
    b->stats.resumed++;
    if (b->shard_count == 0) return;
    b->kept[slot].epoch = a->session_epoch;
    b->kept[slot].sent_seq = 0;
}

static void wait_for_load(struct book *b, uint32_t gateway, const struct wire_attach *a, struct mono now) {
    uint16_t *entry = pending_entry(b, gateway, a->session);
    if (!entry || !player_id_valid(a->player)) {
        sim_refuse(b->sim, gateway, a->session, WIRE_ATTACH_BAD_SESSION);
        return;
    }
    if (!make_way(b, gateway, a)) {
        refuse_stale(b, gateway, a->session);
        return;
    }
    uint32_t slot = find_player(b, a->player);
    if (slot != SIM_SLOT_NONE && b->kept[slot].epoch > a->session_epoch) {
        refuse_stale(b, gateway, a->session);
        return;
    }
    if (slot != SIM_SLOT_NONE) {
        resume(b, slot, gateway, a);
        return;
    }
    if (b->pending_count == b->pending_max) {
        b->stats.attaches_full++;
        sim_refuse(b->sim, gateway, a->session, WIRE_ATTACH_UNAVAILABLE);
        return;
    }
    b->stats.attaches_waited++;
    *entry = (uint16_t)b->pending_count;
    b->pending[b->pending_count++] = (struct pending){.attach = *a,
                                                      .gateway = gateway,
                                                      .shard = shard_of_player(a->player, b->shard_count),
                                                      .due_at = now,
                                                      .expires_at = mono_add_ms(now, BOOK_PENDING_MS)};
}

void book_attach(struct book *b, uint32_t gateway, const struct wire_attach *a, struct mono now) {
    if (b->shard_count == 0 && sim_slot(b->sim, gateway, a->session) == SIM_SLOT_NONE) {
        uint32_t slot = find_player(b, a->player);
        if (slot != SIM_SLOT_NONE && sim_player_in(b->sim, slot).gateway == SIM_GATEWAY_NONE) {
            resume(b, slot, gateway, a);
            return;
        }
    }
    if (b->shard_count == 0 || sim_slot(b->sim, gateway, a->session) != SIM_SLOT_NONE) {
        (void)enter(b, gateway, a, NULL);
        return;
    }
    uint32_t place = find_pending(b, gateway, a->session);
    if (place != PENDING_NONE) {
        b->pending[place].attach.attachment = a->attachment;
        return;
    }
    wait_for_load(b, gateway, a, now);
}

void book_detach(struct book *b, uint32_t gateway, const struct wire_detach *detach) {
    uint32_t place = find_pending(b, gateway, detach->session);
    if (place != PENDING_NONE) {
        forget_pending(b, place);
    } else if (detach->reason == WIRE_DETACH_TAKEN_OVER) {
        sim_cut(b->sim, gateway, detach->session);
    } else {
        sim_detach(b->sim, gateway, detach->session);
    }
}

void book_orphan(struct book *b, uint32_t gateway) {
    for (uint32_t i = b->pending_count; i-- > 0;) {
        if (b->pending[i].gateway == gateway) forget_pending(b, i);
    }
    sim_orphan(b->sim, gateway);
}

void book_arrive(struct book *b, uint32_t slot, const struct wire_carried *c) {
    if (b->shard_count == 0) return;
    b->kept[slot] = (struct kept){
        .epoch = c->session_epoch, .min_tick = c->tick + 1, .shard = shard_of_player(c->player, b->shard_count)};
}

void book_depart(struct book *b, uint32_t slot) {
    if (b->shard_count > 0) b->kept[slot] = (struct kept){0};
}

uint64_t book_epoch(const struct book *b, uint32_t slot) {
    return b->shard_count > 0 ? b->kept[slot].epoch : 0;
}

void book_ended(struct book *b, const struct wire_carried *c, const struct game_character *character) {
    if (b->shard_count == 0) return;
    if (b->departed_count == BOOK_DEPARTED_MAX) give_up_departed(b);
    b->departed[b->departed_count++] = (struct departed){.state = {.player = c->player,
                                                                   .session_epoch = c->session_epoch,
                                                                   .tick = c->tick,
                                                                   .experience = character->experience,
                                                                   .x = character->x,
                                                                   .y = character->y,
                                                                   .yaw = character->yaw,
                                                                   .level = character->level,
                                                                   .hit_points = character->hit_points,
                                                                   .flags = WIRE_STATE_LEFT},
                                                         .attachment = c->attachment,
                                                         .shard = shard_of_player(c->player, b->shard_count)};
    b->departed_due++;
}

bool book_holds(const struct book *b, uint32_t gateway, uint64_t session) {
    return b->pending_count > 0 && find_pending(b, gateway, session) != PENDING_NONE;
}

void book_expire(struct book *b, struct mono now) {
    for (uint32_t i = b->pending_count; i-- > 0;) {
        if (!mono_reached(now, b->pending[i].expires_at)) continue;
        b->stats.attaches_expired++;
        refuse_pending(b, i, WIRE_ATTACH_UNAVAILABLE);
    }
}

/* --- reports */

bool book_is_urgent(const struct book *b, uint32_t shard, struct mono now) {
    for (uint32_t i = 0; i < b->pending_count; i++) {
        const struct pending *p = &b->pending[i];
        if (p->shard == shard && !p->is_sent && mono_reached(now, p->due_at)) return true;
    }
    return b->departed_due > 0;
}

static void draft_loads(const struct book *b, struct draft *d, struct mono now) {
    for (uint32_t i = 0; i < b->pending_count && d->load_count < WIRE_REPORT_LOADS_MAX; i++) {
        const struct pending *p = &b->pending[i];
        if (p->shard != d->shard || p->is_sent || !mono_reached(now, p->due_at)) continue;
        d->pending[d->load_count] = (uint16_t)i;
        d->loads[d->load_count++] =
            (struct wire_player_load){.player = p->attach.player, .session_epoch = p->attach.session_epoch};
    }
}

static void draft_departed(const struct book *b, struct draft *d) {
    for (uint32_t i = 0; b->departed_due > 0 && i < b->departed_count && d->state_count < WIRE_REPORT_STATES_MAX; i++) {
        const struct departed *departed = &b->departed[i];
        if (departed->shard != d->shard || departed->sent_seq != 0) continue;
        d->sources[d->state_count] = i;
        d->attachments[d->state_count] = departed->attachment;
        d->states[d->state_count++] = departed->state;
    }
    d->departed_count = d->state_count;
}

static void draft_states(const struct book *b, struct draft *d, uint64_t tick) {
    for (uint32_t n = 0; n < sim_players(b->sim) && d->state_count < WIRE_REPORT_STATES_MAX; n++) {
        uint32_t slot = sim_player_nth(b->sim, n).slot;
        const struct kept *kept = &b->kept[slot];
        if (kept->shard != d->shard) continue;
        struct wire_player_state state = state_of(b, slot, tick);
        if (kept->sent_seq != 0 && same_but_tick(&state, &kept->sent)) continue;
        d->sources[d->state_count] = slot;
        d->attachments[d->state_count] = sim_player_nth(b->sim, n).attachment;
        d->states[d->state_count++] = state;
    }
}

/* name_grant completes a key by the epoch of the lease. Only who holds the lease reports, but a player may come from another
 * zone, and find loot, before it is held. */
static void name_grant(const struct book *b, struct grant *grant) {
    if (grant->is_named) return;
    grant->grant.key |= (uint64_t)(uint16_t)b->lease_epochs[grant->shard] << 32;
    grant->is_named = true;
}

static void draft_grants(struct book *b, struct draft *d, struct mono now) {
    if (b->grants_open == 0) return;
    for (uint32_t count = b->grant_first; count != b->grant_next && d->grant_count < WIRE_REPORT_GRANTS_MAX; count++) {
        struct grant *grant = grant_at(b, count);
        if (grant->step == GRANT_DONE || grant->shard != d->shard || !mono_reached(now, grant->due_at)) continue;
        name_grant(b, grant);
        d->grants[d->grant_count++] = grant->grant;
    }
}

bool book_report(struct book *b, uint32_t shard, uint64_t tick, struct mono now, bool states,
                 struct wire_zone_report *report) {
    struct draft *d = b->draft;
    d->shard = shard;
    d->at = now;
    d->load_count = d->state_count = d->departed_count = d->grant_count = 0;
    draft_loads(b, d, now);
    draft_departed(b, d);
    if (states) draft_states(b, d, tick);
    if (states) draft_grants(b, d, now);
    report->loads = d->loads, report->load_count = d->load_count;
    report->states = d->states, report->state_count = d->state_count;
    report->attachments = d->attachments;
    report->grants = d->grants, report->grant_count = d->grant_count;
    return d->load_count + d->state_count + d->grant_count > 0;
}

void book_reported(struct book *b, uint64_t seq) {
    struct draft *d = b->draft;
    for (uint32_t i = 0; i < d->load_count; i++) b->pending[d->pending[i]].is_sent = true;
    for (uint32_t i = 0; i < d->departed_count; i++) {
        b->departed[d->sources[i]].sent_seq = seq;
        b->departed_due--;
    }
    for (uint32_t i = d->departed_count; i < d->state_count; i++) {
        b->kept[d->sources[i]].sent = d->states[i];
        b->kept[d->sources[i]].sent_seq = seq;
    }
    for (uint32_t i = 0; i < d->grant_count; i++) {
        struct grant *grant = grant_at(b, (uint32_t)d->grants[i].key);
        grant->step = GRANT_SENT;
        grant->due_at = mono_add_ms(d->at, BOOK_ANSWER_MS);
    }
    b->stats.states_reported += d->state_count;
}

void book_lease(struct book *b, uint32_t shard, uint64_t epoch) {
    CHECK(shard < b->shard_count);
    b->lease_epochs[shard] = epoch;
}

static void resend_states(struct book *b, uint32_t shard) {
    for (uint32_t n = 0; n < sim_players(b->sim); n++) {
        struct kept *kept = &b->kept[sim_player_nth(b->sim, n).slot];
        if (kept->shard == shard) kept->sent_seq = 0;
    }
    for (uint32_t i = 0; i < b->departed_count; i++) {
        if (b->departed[i].shard != shard || b->departed[i].sent_seq == 0) continue;
        b->departed[i].sent_seq = 0;
        b->departed_due++;
    }
}

void book_resend(struct book *b, uint32_t shard) {
    resend_states(b, shard);
    for (uint32_t count = b->grant_first; count != b->grant_next; count++) {
        struct grant *grant = grant_at(b, count);
        if (grant->shard != shard || grant->step != GRANT_SENT) continue;
        grant->step = GRANT_DUE;
        grant->due_at = (struct mono){0};
    }
    for (uint32_t i = 0; i < b->pending_count; i++) {
        if (b->pending[i].shard == shard) b->pending[i].is_sent = false;
    }
}

/* --- answers */

static void take_durable(struct book *b, uint32_t shard, uint64_t seq) {
    for (uint32_t i = b->departed_count; i-- > 0;) {
        const struct departed *departed = &b->departed[i];
        if (departed->shard == shard && departed->sent_seq != 0 && departed->sent_seq <= seq) forget_departed(b, i);
    }
}

/* Lets one in who has come from another zone while its attach waited: it goes on as it is, and no second one is made. */
static void admit_arrived(struct book *b, uint32_t slot, const struct pending *p) {
    struct sim_player here = sim_player_in(b->sim, slot);
    if (b->kept[slot].epoch > p->attach.session_epoch) {
        refuse_stale(b, p->gateway, p->attach.session);
    } else if (here.gateway != p->gateway || here.session != p->attach.session) {
        resume(b, slot, p->gateway, &p->attach);
    } else if (here.attachment < p->attach.attachment) {
        (void)enter(b, p->gateway, &p->attach, NULL);
    } /* else the gateway has told of a newer attachment since */
}

static void admit(struct book *b, uint32_t place, const struct wire_player_loaded *loaded) {
    struct pending p = b->pending[place];
    const struct wire_player_state *s = &loaded->state;
    struct game_character character = {
        .x = s->x, .y = s->y, .yaw = s->yaw, .level = s->level, .hit_points = s->hit_points, .experience = s->experience};
    forget_pending(b, place);
    uint32_t arrived = find_player(b, p.attach.player);
    if (arrived != SIM_SLOT_NONE) {
        admit_arrived(b, arrived, &p);
        return;
    }
    if (enter(b, p.gateway, &p.attach, loaded->result == WIRE_LOAD_KNOWN ? &character : NULL) == 0) return;
    uint32_t slot = sim_slot(b->sim, p.gateway, p.attach.session);
    b->kept[slot] = (struct kept){.epoch = p.attach.session_epoch, .shard = p.shard};
}

static void take_loaded(struct book *b, uint32_t shard, const struct wire_player_loaded *loaded, struct mono now) {
    uint32_t place = 0;
    while (place < b->pending_count && (b->pending[place].attach.player != loaded->state.player ||
                                        b->pending[place].attach.session_epoch != loaded->state.session_epoch ||
                                        b->pending[place].shard != shard || !b->pending[place].is_sent))
        place++;
    if (place == b->pending_count) {
        b->stats.answers_unknown++; /* detached meanwhile, or answered twice */
    } else if (loaded->result == WIRE_LOAD_KNOWN || loaded->result == WIRE_LOAD_NEW) {
        admit(b, place, loaded);
    } else if (loaded->result == WIRE_LOAD_STALE) {
        b->stats.attaches_stale++;
        refuse_pending(b, place, WIRE_ATTACH_STALE);
    } else {
        b->pending[place].is_sent = false;
        b->pending[place].due_at = mono_add_ms(now, BOOK_RETRY_MS);
    }
}

static void take_granted(struct book *b, const struct wire_grant_answer *answer, struct mono now) {
    uint32_t count = (uint32_t)answer->key;
    struct grant *grant = grant_at(b, count);
    if (count - b->grant_first >= b->grant_next - b->grant_first || grant->step == GRANT_DONE ||
        grant->grant.key != answer->key || grant->grant.player != answer->player) {
        b->stats.answers_unknown++;
    } else if (answer->result == WIRE_GRANT_AGAIN) {
        grant->step = GRANT_DUE;
        grant->due_at = mono_add_ms(now, BOOK_RETRY_MS);
    } else {
        b->stats.grants_answered++;
        b->stats.grants_refused += answer->result != WIRE_GRANT_DURABLE;
        close_grant(b, grant);
    }
}

static void take_effect(struct book *b, const struct wire_player_effect *effect) {
    uint32_t slot = find_player(b, effect->player);
    if (slot == SIM_SLOT_NONE) {
        b->stats.answers_unknown++;
        return;
    }
    struct sim_player p = sim_player_in(b->sim, slot);
    if (p.gateway == SIM_GATEWAY_NONE) return; /* whoever used it is away */
    b->stats.effects++;
    sim_effect(b->sim, p.gateway, p.session, effect->kind, effect->amount);
}

/* Lets go of a player whose session is over, or which another zone has under the attachment `below`. */
static void take_stale(struct book *b, const struct wire_player_load *stale, uint32_t below) {
    uint32_t slot = find_player(b, stale->player);
    if (slot == SIM_SLOT_NONE || b->kept[slot].epoch > stale->session_epoch) return;
    if (b->kept[slot].epoch == stale->session_epoch && sim_player_in(b->sim, slot).attachment >= below) return;
    let_go(b, slot);
}

void book_take(struct book *b, uint32_t shard, const struct wire_persist_report *report, struct mono now) {
    take_durable(b, shard, report->durable_seq);
    if (report->resend) resend_states(b, shard);
    for (uint32_t i = 0; i < report->loaded_count; i++) take_loaded(b, shard, &report->loaded[i], now);
    for (uint32_t i = 0; i < report->granted_count; i++) take_granted(b, &report->granted[i], now);
    for (uint32_t i = 0; i < report->effect_count; i++) take_effect(b, &report->effects[i]);
    for (uint32_t i = 0; i < report->stale_count; i++) {
        uint32_t below = report->stale_attachments ? report->stale_attachments[i] : UINT32_MAX;
        take_stale(b, &report->stale[i], below);
    }
}

/* --- looking in */

const struct book_stats *book_stats(const struct book *b) {
    return &b->stats;
}

uint32_t book_pending(const struct book *b) {
    return b->pending_count;
}

uint32_t book_departed(const struct book *b) {
    return b->departed_count;
}

uint32_t book_grants(const struct book *b) {
    return b->grants_open;
}
