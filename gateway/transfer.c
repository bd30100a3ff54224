#include "gateway/transfer.h"

#include <string.h>

#include "common/check.h"
#include "common/step.h"

int transfer_init(struct transfer_table *table, struct session_table *sessions, const struct transfer_handlers *handlers) {
    memset(table, 0, sizeof *table);
    table->sessions = sessions;
    table->handlers = *handlers;
    return index_pool_create(&table->pool, TRANSFER_MAX);
}

void transfer_deinit(struct transfer_table *table) {
    index_pool_destroy(&table->pool);
}

/* --- entries */

static struct transfer *of_session(struct transfer_table *t, const struct session *session) {
    return session->transfer == 0 ? NULL : &t->entries[session->transfer - 1];
}

static struct wire_carried *carried_of(struct transfer_table *t, const struct transfer *entry) {
    return &t->carried[entry - t->entries];
}

/* of_ended finds the entry of a session that ended while it moved. */
static struct transfer *of_ended(struct transfer_table *t, uint64_t session) {
    for (uint32_t i = 0; i < t->pool.high; i++) {
        struct transfer *entry = &t->entries[i];
        if (entry->state != TRANSFER_FREE && entry->is_ended && entry->session == session) return entry;
    }
    return NULL;
}

/* entry_move is the one place where the state of an entry changes. */
static void entry_move(struct transfer *entry, enum transfer_state state) {
    static const bool allowed[TRANSFER_STATE_COUNT][TRANSFER_STATE_COUNT] = {
        [TRANSFER_FREE] = {[TRANSFER_MOVING] = true},
        [TRANSFER_MOVING] = {[TRANSFER_DONE] = true, [TRANSFER_RESTORED] = true, [TRANSFER_FREE] = true},
        [TRANSFER_DONE] = {[TRANSFER_FREE] = true},
        [TRANSFER_RESTORED] = {[TRANSFER_FREE] = true},
    };
    CHECK(allowed[entry->state][state]);
    entry->state = (uint8_t)state;
    entry->is_told = false;
    entry->told_ns = 0;
}

/* entry_free returns the session that had the entry, NULL where that is gone. */
static struct session *entry_free(struct transfer_table *t, struct transfer *entry) {
    struct session *session = entry->is_ended ? NULL : session_find(t->sessions, entry->session);
    if (session) session->transfer = 0;
    entry_move(entry, TRANSFER_FREE);
    index_pool_give(&t->pool, (uint32_t)(entry - t->entries));
    return session;
}

/* release frees an entry whose session plays: its messages need not wait any more. */
static void release(struct transfer_table *t, struct transfer *entry) {
    struct session *session = entry_free(t, entry);
    if (session) t->handlers.goes_on(t->handlers.context, session);
}

/* --- telling */

static bool is_up(const struct transfer_table *t, unsigned zone, uint64_t incarnation) {
    return incarnation != 0 && t->handlers.incarnation(t->handlers.context, zone) == incarnation;
}

static int tell_routed(struct transfer_table *t, unsigned zone, uint64_t session, uint32_t attachment,
                       enum wire_routed_result result) {
    struct wire_routed routed = {.session = session, .attachment = attachment, .result = result};
    return t->handlers.routed(t->handlers.context, zone, &routed);
}

static int tell_now(struct transfer_table *t, const struct transfer *entry) {
    switch ((enum transfer_state)entry->state) {
    case TRANSFER_MOVING: return t->handlers.activate(t->handlers.context, entry->target, carried_of(t, entry));
    case TRANSFER_DONE: return tell_routed(t, entry->source, entry->session, entry->attachment, WIRE_ROUTED_DONE);
    default: return tell_routed(t, entry->source, entry->session, entry->attachment + 2, WIRE_ROUTED_RESTORED);
    }
}

/* tell tells what an entry owes, or leaves it to transfer_update. An entry that has nothing to wait for any more is freed.
 */
static void tell(struct transfer_table *t, struct transfer *entry, struct mono now) {
    entry->is_told = tell_now(t, entry) == 0;
    t->is_owing |= !entry->is_told;
    if (!entry->is_told) return;
    entry->told_ns = now.ns;
    if (entry->state == TRANSFER_RESTORED || (entry->state == TRANSFER_DONE && entry->is_ended)) release(t, entry);
}

/* --- the two ways in which a transfer ends */

/* finish: the target has the player. */
static void finish(struct transfer_table *t, struct transfer *entry, struct mono now) {
    uint64_t handle = entry->session;
    struct session *session = entry->is_ended ? NULL : session_find(t->sessions, handle);
    entry_move(entry, TRANSFER_DONE);
    t->stats.done++;
    if (t->latency) histogram_record(t->latency, now.ns - entry->since_ns);
    if (session) session_move(t->sessions, session, SESSION_PLAYING);
    if (!is_up(t, entry->source, entry->source_incarnation)) { /* it asks when it is back, and has nothing to return */
        release(t, entry);
        return;
    }
    tell(t, entry, now);
    if (session) t->handlers.goes_on(t->handlers.context, session);
}

/* begin_view: the zone that has the session now has taken inputs up to those that were carried, and sends another view. */
static void begin_view(struct transfer_table *t, struct session *session, const struct wire_carried *carried) {
    session->has_input = (carried->input_flags & WIRE_CARRIED_ANY) != 0;
    session->newest_input_seq = carried->newest_seq;
    channel_forget_snapshots(session_channel(t->sessions, session));
}

/* wait: a source whose connection is lost still has what it let go of, and goes on with that when it is attached anew. */
static void wait(struct transfer_table *t, struct transfer *entry) {
    const struct transfer_handlers *handlers = &t->handlers;
    uint8_t route = entry->source;
    if (entry->is_source_dead) route = handlers->successor(handlers->context, carried_of(t, entry));
    struct session *session = entry_free(t, entry);
    CHECK(session);
    t->stats.lost++;
    session_reroute(t->sessions, session, route);
    session_move(t->sessions, session, SESSION_WAITING);
    handlers->waits(handlers->context, session);
    STEP("gateway.waits");
}

static void restore(struct transfer_table *t, struct transfer *entry, struct mono now) {
    struct session *session = session_find(t->sessions, entry->session);
    CHECK(session);
    entry_move(entry, TRANSFER_RESTORED);
    t->stats.restored++;
    begin_view(t, session, carried_of(t, entry));
    session->attachments = entry->attachment + 2;
    session_reroute(t->sessions, session, entry->source);
    session_move(t->sessions, session, SESSION_PLAYING);
    tell(t, entry, now); /* and goes on, once that is told */
    STEP("gateway.restored");
}

/* back: the target does not have the player, and never will under this attachment. */
static void back(struct transfer_table *t, struct transfer *entry, struct mono now) {
    if (entry->is_ended) {
        t->handlers.detach(t->handlers.context, entry->source, entry->session, entry->end_reason);
        (void)entry_free(t, entry);
    } else if (is_up(t, entry->source, entry->source_incarnation)) {
        restore(t, entry, now);
    } else {
        wait(t, entry);
    }
}

/* --- reroutes */

/* has_newest tells whether no zone has been told of the session since `zone` had it under an attachment. */
static bool has_newest(const struct session *session, unsigned zone, uint32_t attachment) {
    if (attachment == 0 || session->attachments != attachment || session->state == SESSION_MOVING) return false;
    return session->state == SESSION_WAITING || session->route == zone;
}

/* refuse: the zone has it again, under another attachment, without ever having been without it. */
static void refuse(struct transfer_table *t, struct session *session, unsigned zone, const struct wire_carried *carried) {
    if (tell_routed(t, zone, carried->session, carried->attachment + 1, WIRE_ROUTED_RESTORED) != 0) {
        t->stats.unanswered++;
        return;
    }
    t->stats.refused++;
    begin_view(t, session, carried);
    session->attachments = carried->attachment + 1;
    session_move(t->sessions, session, SESSION_MOVING);
    session_reroute(t->sessions, session, (uint8_t)zone);
    session_move(t->sessions, session, SESSION_PLAYING);
    t->handlers.goes_on(t->handlers.context, session);
}

static void begin(struct transfer_table *t, struct session *session, unsigned zone, const struct wire_carried *carried,
                  struct mono now) {
    STEP("gateway.reroute");
    struct transfer *before = of_session(t, session); /* of this player's last border */
    if (before) (void)entry_free(t, before);
    bool is_slot = carried->target < SESSION_ROUTES_MAX && carried->target != zone;
    uint64_t target = is_slot ? t->handlers.incarnation(t->handlers.context, carried->target) : 0;
    if (target == 0 || t->pool.free_count == 0) {
        refuse(t, session, zone, carried);
        return;
    }
    uint32_t index = index_pool_take(&t->pool);
    struct transfer *entry = &t->entries[index];
    *entry = (struct transfer){.session = carried->session,
                               .source_incarnation = t->handlers.incarnation(t->handlers.context, zone),
                               .target_incarnation = target,
                               .since_ns = now.ns,
                               .attachment = carried->attachment,
                               .source = (uint8_t)zone,
                               .target = (uint8_t)carried->target};
    entry_move(entry, TRANSFER_MOVING);
    t->carried[index] = *carried;
    t->carried[index].attachment = carried->attachment + 1;
    t->stats.started++;
    begin_view(t, session, carried);
    session->transfer = (uint16_t)(index + 1);
    session->attachments = carried->attachment + 1;
    session_move(t->sessions, session, SESSION_MOVING);
    session_reroute(t->sessions, session, entry->target);
    tell(t, entry, now);
    STEP("gateway.rerouted");
}

static void reroute_of_gone(struct transfer_table *t, unsigned zone, const struct wire_carried *carried) {
    const struct transfer *ended = of_ended(t, carried->session);
    if (ended && ended->source == zone && ended->attachment == carried->attachment) return; /* the answer will come */
    t->stats.unknown++;
    t->handlers.detach(t->handlers.context, zone, carried->session, WIRE_DETACH_LEFT);
}

void transfer_reroute(struct transfer_table *t, unsigned zone, const struct wire_carried *carried, struct mono now) {
    struct session *session = session_find(t->sessions, carried->session);
    struct transfer *entry = session ? of_session(t, session) : NULL;
    if (entry && entry->state == TRANSFER_MOVING && entry->target == zone && session->attachments == carried->attachment) {
        finish(t, entry, now);
        session = session_find(t->sessions, carried->session);
        entry = session ? of_session(t, session) : NULL;
    }
    if (!session) {
        reroute_of_gone(t, zone, carried);
    } else if (has_newest(session, zone, carried->attachment)) {
        begin(t, session, zone, carried, now);
    } else if (entry && entry->source == zone && entry->attachment == carried->attachment && !entry->is_told &&
               entry->state != TRANSFER_MOVING) {
        return; /* the answer is on its way, before any other */
    } else if (session->state == SESSION_WAITING && session->route == zone) {
        return; /* it will be attached anew, and goes on; DONE would have it forgotten first */
    } else if (!entry || entry->state != TRANSFER_MOVING || entry->source != zone ||
               entry->attachment != carried->attachment) {
        t->stats.stale++;
        int told = tell_routed(t, zone, carried->session, carried->attachment, WIRE_ROUTED_DONE);
        t->stats.unanswered += told != 0;
    }
}

/* --- answers */

void transfer_activated(struct transfer_table *t, unsigned zone, const struct wire_activated *activated, struct mono now) {
    struct session *session = session_find(t->sessions, activated->session);
    struct transfer *entry = session ? of_session(t, session) : of_ended(t, activated->session);
    if (!entry || entry->state != TRANSFER_MOVING || entry->target != zone ||
        entry->attachment + 1 != activated->attachment) {
        t->stats.unknown++;
    } else if (activated->result == WIRE_ACTIVATED) {
        STEP("gateway.activated");
        finish(t, entry, now);
        STEP("gateway.done");
    } else {
        back(t, entry, now);
    }
}

void transfer_forgotten(struct transfer_table *t, unsigned zone, const struct wire_routed *forgotten) {
    struct session *session = session_find(t->sessions, forgotten->session);
    struct transfer *entry = session ? of_session(t, session) : NULL;
    if (!entry || entry->state != TRANSFER_DONE || entry->source != zone || entry->attachment != forgotten->attachment)
        return;
    STEP("gateway.forgotten");
    release(t, entry);
}

/* --- zones */

void transfer_zone_dead(struct transfer_table *t, unsigned zone, uint64_t alive, struct mono now) {
    for (uint32_t i = 0; i < t->pool.high; i++) {
        struct transfer *entry = &t->entries[i];
        bool is_source = entry->source == zone && entry->source_incarnation != alive;
        entry->is_source_dead |= entry->state != TRANSFER_FREE && is_source;
        if (entry->state == TRANSFER_MOVING && entry->target == zone && entry->target_incarnation != alive) {
            back(t, entry, now);
        } else if (entry->state > TRANSFER_MOVING && is_source) {
            release(t, entry);
        }
    }
}

void transfer_zone_up(struct transfer_table *t, unsigned zone, uint64_t incarnation, struct mono now) {
    transfer_zone_dead(t, zone, incarnation, now);
    for (uint32_t i = 0; i < t->pool.high; i++) {
        struct transfer *entry = &t->entries[i];
        if (entry->state == TRANSFER_MOVING && entry->target == zone) tell(t, entry, now);
    }
}

void transfer_zone_lost(struct transfer_table *t, unsigned zone) {
    for (uint32_t i = 0; i < t->pool.high; i++) {
        struct transfer *entry = &t->entries[i];
        if (entry->state > TRANSFER_MOVING && entry->source == zone) release(t, entry);
        if (entry->state != TRANSFER_MOVING || entry->target != zone) continue;
        entry->is_told = false;
        if (!entry->is_ended) continue;
        t->handlers.detach(t->handlers.context, entry->source, entry->session, WIRE_DETACH_LEFT);
        (void)entry_free(t, entry);
    }
}

/* --- sessions and time */

uint8_t transfer_session_ended(struct transfer_table *t, struct session *session, enum wire_detach_reason reason) {
    struct transfer *entry = of_session(t, session);
    uint8_t zone = session->route;
    if (!entry) return zone;
    session->transfer = 0;
    entry->is_ended = true;
    entry->end_reason = (uint8_t)reason;
    if (entry->state == TRANSFER_MOVING && entry->is_told) return zone; /* the target will answer */
    if (entry->state == TRANSFER_MOVING && entry->told_ns != 0) {       /* lost meanwhile: nobody knows whether it has it */
        t->handlers.detach(t->handlers.context, entry->source, entry->session, WIRE_DETACH_LEFT);
    } else if (entry->state == TRANSFER_MOVING) {
        zone = entry->source;
    } else if (entry->state == TRANSFER_DONE && !entry->is_told) {
        (void)tell_now(t, entry); /* else it asks again */
    }
    (void)entry_free(t, entry);
    return zone;
}

static void look_at(struct transfer_table *t, struct transfer *entry, struct mono now) {
    if (entry->state == TRANSFER_FREE) return;
    if (!entry->is_told) {
        tell(t, entry, now);
    } else if (entry->state == TRANSFER_DONE && now.ns - entry->told_ns > TRANSFER_FORGET_MS * NS_PER_MS) {
        release(t, entry);
    }
}

void transfer_update(struct transfer_table *t, struct mono now) {
    if (transfer_count(t) == 0 || (!t->is_owing && !mono_reached(now, t->look_at))) return;
    t->is_owing = false;
    t->look_at = mono_add_ms(now, TRANSFER_LOOK_MS);
    for (uint32_t i = 0; i < t->pool.high; i++) look_at(t, &t->entries[i], now);
}

bool transfer_takes_input(const struct transfer_table *t, const struct session *session) {
    if (session->transfer == 0) return true;
    const struct transfer *entry = &t->entries[session->transfer - 1];
    return entry->is_told || entry->state == TRANSFER_DONE;
}
