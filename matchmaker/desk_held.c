/* desk_held.c: tickets of matches that nobody has come to yet, and of players who were launched with.
 *
 *   in the queue ──match launched──► HELD ──somebody has come──► ended, as matched
 *        ▲                            │
 *        └── after DESK_REST_MS ──────┴── no zone could run it: DESK_REFUSALS_MAX times, then ended, as FULL
 *
 * A launch holds the tickets that all of whose players it has; they come back where it was refused, or ended before somebody
 * had come, and are not counted as refused by their mode. Other tickets of its players end.
 *
 * A ticket's document stays while it is held, so it comes back with the time that it waited whoever dies. After a restart
 * whose ticket is there and whose match has begun has the match.
 */
#include <string.h>

#include "matchmaker/desk_inner.h"

/* player_at: those with seats, then those who joined; who was launched with is one of these. */
static uint64_t player_at(const struct desk_match *m, uint32_t at) {
    return at < m->note.seat_count ? m->note.seats[at].player : m->joined[at - m->note.seat_count].player;
}

/* next_held returns the next ticket of a match that is held, from its player *at on; DESK_NONE. */
static uint32_t next_held(const struct desk *d, const struct desk_match *m, uint32_t *at) {
    while (*at < m->note.seat_count + m->joined_count) {
        uint32_t index = desk_ticket_at(d, player_at(m, (*at)++));
        if (index != DESK_NONE && desk_live_at(d, index)->stage == DESK_HELD) return index;
    }
    return DESK_NONE;
}

static void hold(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    if (t->stage != DESK_ASKED) t->asked_ms = (uint32_t)d->now_ms;
    t->stage = DESK_HELD;
    t->version++;
    t->is_confirmed = true; /* by its match, or not at all */
    desk_list_put(d, index, DESK_LIST_NONE);
}

void desk_hold_tickets(struct desk *d, const struct queue_match *match) {
    uint64_t mark = keep_mark(d->config.keep);
    for (uint32_t i = 0; i < match->seat_count; i++) {
        uint32_t index = desk_ticket_at(d, match->seats[i].player);
        struct desk_live *t = desk_live_at(d, index);
        if (t->stage == DESK_HELD) continue; /* a party's */
        hold(d, index);
        t->mark = mark;
        t->region = (uint8_t)match->region;
        desk_due(d, DESK_DUE_TICKET, t->id, mark);
    }
}

/* is_within tells whether all players of a ticket are in a match: then it can come back as it was. */
static bool is_within(const struct desk *d, const struct desk_live *t, const struct desk_match *m) {
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member))
        if (desk_match_seating(d, member->player) != m) return false;
    return true;
}

void desk_hold_launched(struct desk *d, const struct desk_match *m, uint64_t player) {
    uint32_t index = desk_ticket_at(d, player);
    if (index == DESK_NONE) return;
    struct desk_live *t = desk_live_at(d, index);
    if (t->stage == DESK_HELD) return; /* a party's */
    if (t->stage == DESK_ENTERING || !is_within(d, t, m)) {
        desk_ticket_drop(d, index, WIRE_REASON_BUSY);
        return;
    }
    desk_ticket_withdraw(d, index);
    hold(d, index);
    t->mark = keep_mark(d->config.keep);
    desk_due(d, DESK_DUE_TICKET, t->id, t->mark);
}

/* --- what becomes of them */

void desk_held_end(struct desk *d, uint32_t index) {
    struct desk_ticket t = {0};
    uint8_t teams[DESK_PARTY_MAX];
    desk_held_show(d, desk_live_at(d, index), &t);
    for (uint32_t i = 0; i < DESK_PARTY_MAX; i++) teams[i] = (uint8_t)t.teams[i];
    desk_ticket_end(d, index, WIRE_REASON_NONE, t.instance, teams);
}

void desk_held_begun(struct desk *d, struct desk_match *m) {
    if (m->has_begun) return;
    m->has_begun = true;
    for (uint32_t at = 0, index; (index = next_held(d, m, &at)) != DESK_NONE;) desk_held_end(d, index);
}

static void come_again(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    d->rest_until_ms[t->mode] = d->now_ms + DESK_REST_MS;
    if (++t->refusals == DESK_REFUSALS_MAX) {
        desk_ticket_end(d, index, WIRE_REASON_FULL, 0, NULL);
        return;
    }
    uint32_t len = desk_write_ticket(d, t, d->bytes);
    (void)!keep_put(d->config.keep, WIRE_DOCUMENT_TICKET, t->id, d->bytes, len); /* else it is counted here alone */
    desk_ticket_return(d, index);
}

void desk_held_return(struct desk *d, struct desk_match *m) {
    if (instances_release(d->config.instances, m->id) != 0) return;
    m->is_let_go = true;
    for (uint32_t at = 0, index; (index = next_held(d, m, &at)) != DESK_NONE;) {
        if (m->note.seat_count > 0) {
            come_again(d, index);
        } else { /* no mode's */
            desk_ticket_return(d, index);
        }
    }
}

static bool has_place(const struct desk_match *m, uint64_t player) {
    for (uint32_t at = 0; at < m->note.seat_count + m->joined_count; at++)
        if (player_at(m, at) == player) return true;
    return false;
}

static void find_match(struct desk *d, uint32_t index) {
    uint64_t id = desk_live_at(d, index)->id, player = desk_live_at(d, index)->leader.player;
    const struct desk_match *m = desk_match_of(d, instances_of_player(d->config.instances, player));
    if (!m || !has_place(m, player)) return;
    hold(d, index);
    if (m->has_begun) {
        desk_held_end(d, index);
        desk_tell_ticket(d, id);
    } else {
        desk_changed(d, index);
    }
}

void desk_held_ready(struct desk *d) {
    for (uint32_t index = d->lists[DESK_LIST_COMING].first, next; index != DESK_NONE; index = next) {
        next = desk_live_at(d, index)->link.next;
        find_match(d, index);
    }
}

/* --- looking in */

bool desk_is_void(const struct instance_view *view) {
    bool is_undone = view->end == INSTANCE_END_ORDERED && view->note_len == 0; /* a launch that was refused or taken back */
    if (view->end != INSTANCE_END_REFUSED && view->end != INSTANCE_END_LOST && !is_undone) return false;
    if (view->stage != INSTANCE_OVER) return false;
    for (uint32_t i = 0; i < view->member_count; i++)
        if (view->members[i].has_come) return false;
    return true;
}

static uint32_t team_of(const struct desk_match *m, uint64_t player) {
    for (uint32_t i = 0; i < m->note.seat_count; i++)
        if (m->note.seats[i].player == player) return m->note.seats[i].team;
    for (uint32_t i = 0; i < m->joined_count; i++)
        if (m->joined[i].player == player) return m->joined[i].team;
    return 0;
}

void desk_held_show(const struct desk *d, const struct desk_live *t, struct desk_ticket *out) {
    const struct desk_match *m = desk_match_seating(d, t->leader.player);
    uint32_t count = 0;
    out->state = WIRE_TICKET_MATCHED;
    out->instance = m->id;
    memcpy(out->region, d->config.regions[t->region], sizeof out->region);
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member))
        out->teams[count++] = team_of(m, member->player);
}
