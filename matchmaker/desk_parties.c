/* desk_parties.c: parties and invitations.
 *
 * A party is kept under its leader's id while it has two members; who invites without one leads a party of one, which is
 * not, and ends when nobody is invited to it any more. Invitations are not kept.
 *
 * Each party has one timer, for what ends first: an invitation, or the time in which a member may be idle. Parties with
 * invitations are in lists by how many they are, so that one who invites many takes no room from one who invites few.
 */
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "matchmaker/desk_inner.h"

static struct desk_group *party_of(const struct desk *d, uint64_t player) {
    uint32_t index = player_map_find(&d->partied, player);
    return index == PLAYER_MAP_NONE ? NULL : pool_at(&d->parties, index);
}

static uint32_t index_of(const struct desk *d, const struct desk_group *party) {
    return (uint32_t)(((const unsigned char *)party - d->parties.objects) / (ptrdiff_t)d->parties.object_bytes);
}

uint32_t desk_party_members(const struct desk *d, uint64_t player, uint64_t *members) {
    const struct desk_group *party = party_of(d, player);
    members[0] = player;
    if (!party) return 1;
    if (party->members[0] != player) return 0;
    memcpy(members, party->members, party->member_count * sizeof *members);
    return party->member_count;
}

struct desk_party desk_party_of(const struct desk *d, uint64_t player) {
    const struct desk_group *party = party_of(d, player);
    struct desk_party out = {0};
    if (!party) return out;
    out.mark = party->mark;
    out.leader = party->members[0];
    out.member_count = party->member_count;
    out.invited_count = party->invited_count;
    memcpy(out.members, party->members, party->member_count * sizeof *out.members);
    for (uint32_t i = 0; i < party->invited_count; i++) out.invited[i] = party->invited[i].player;
    return out;
}

/* --- time */

static int64_t earliest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void arm(struct desk *d, const struct desk_group *party) {
    int64_t due_ms = INT64_MAX;
    for (uint32_t i = 0; i < party->member_count; i++) due_ms = earliest(due_ms, party->heard_ms[i] + DESK_IDLE_MS);
    for (uint32_t i = 0; i < party->invited_count; i++) due_ms = earliest(due_ms, party->invited[i].until_ms);
    if (due_ms <= d->now_ms) due_ms = d->now_ms + DESK_LATER_MS;
    timer_wheel_arm(&d->party_timers, index_of(d, party), (uint64_t)due_ms);
}

void desk_party_heard(struct desk *d, uint64_t player) {
    struct desk_group *party = party_of(d, player);
    for (uint32_t i = 0; party && i < party->member_count; i++)
        if (party->members[i] == player) party->heard_ms[i] = d->now_ms;
}

/* --- invitations */

static struct desk_group *party_at(const struct desk *d, uint32_t index) {
    return pool_at(&d->parties, index);
}

static void leave_crowd(struct desk *d, const struct desk_group *party) {
    struct desk_list *list = &d->crowds[party->invited_count];
    const struct desk_link link = party->crowd;
    if (party->invited_count == 0) return;
    *(link.previous == DESK_NONE ? &list->first : &party_at(d, link.previous)->crowd.next) = link.next;
    *(link.next == DESK_NONE ? &list->last : &party_at(d, link.next)->crowd.previous) = link.previous;
}

static void enter_crowd(struct desk *d, struct desk_group *party) {
    struct desk_list *list = &d->crowds[party->invited_count];
    uint32_t index = index_of(d, party);
    if (party->invited_count == 0) return;
    party->crowd = (struct desk_link){DESK_NONE, list->last};
    *(list->last == DESK_NONE ? &list->first : &party_at(d, list->last)->crowd.next) = index;
    list->last = index;
}

static uint32_t find_invited(const struct desk_group *party, uint64_t player) {
    uint32_t i = 0;
    while (i < party->invited_count && party->invited[i].player != player) i++;
    return i < party->invited_count ? i : DESK_NONE;
}

/* forget_invited takes an invitation back, and what the player sees of it. */
static void forget_invited(struct desk *d, struct desk_group *party, uint32_t at) {
    uint64_t player = party->invited[at].player;
    leave_crowd(d, party);
    party->invited[at] = party->invited[--party->invited_count];
    enter_crowd(d, party);
    d->invite_count--;
    if (player_map_find(&d->invited, player) == index_of(d, party)) player_map_remove(&d->invited, player);
}

static void drop_party(struct desk *d, struct desk_group *party) {
    uint32_t index = index_of(d, party);
    while (party->invited_count > 0) {
        uint64_t player = party->invited[0].player;
        forget_invited(d, party, 0);
        desk_tell_party(d, player, WIRE_REASON_NONE);
    }
    for (uint32_t i = 0; i < party->member_count; i++) player_map_remove(&d->partied, party->members[i]);
    timer_wheel_disarm(&d->party_timers, index);
    pool_give(&d->parties, pool_handle(&d->parties, index));
}

/* end_of_one ends a party that nobody is with, or invited to. */
static void end_of_one(struct desk *d, struct desk_group *party) {
    if (party->member_count > 1 || party->invited_count > 0) return;
    uint64_t leader = party->members[0];
    drop_party(d, party);
    desk_tell_party(d, leader, WIRE_REASON_NONE);
}

/* make_room takes back an invitation of the party that has most, unless that is this one, or would be. */
static bool make_room(struct desk *d, const struct desk_group *party) {
    uint32_t most = DESK_PARTY_MAX, oldest = 0;
    if (d->invite_count < DESK_INVITES_MAX) return true;
    while (most > 0 && d->crowds[most].first == DESK_NONE) most--;
    if (most <= (party ? party->invited_count : 0) + 1) return false;
    struct desk_group *greedy = party_at(d, d->crowds[most].first);
    for (uint32_t i = 1; i < most; i++)
        if (greedy->invited[i].until_ms < greedy->invited[oldest].until_ms) oldest = i;
    uint64_t player = greedy->invited[oldest].player;
    forget_invited(d, greedy, oldest);
    desk_tell_party(d, player, WIRE_REASON_NONE);
    desk_tell_party(d, greedy->members[0], WIRE_REASON_NONE);
    return true;
}

static void add_invited(struct desk *d, struct desk_group *party, uint64_t player) {
    if (player_map_find(&d->invited, player) != PLAYER_MAP_NONE) player_map_remove(&d->invited, player);
    player_map_add(&d->invited, player, index_of(d, party));
    leave_crowd(d, party);
    party->invited[party->invited_count++] = (struct desk_invitation){player, d->now_ms + DESK_INVITE_MS};
    enter_crowd(d, party);
    d->invite_count++;
    arm(d, party);
}

/* --- changing who is in it */

/* keep_change has `after` kept instead of `before`; either may be of one, which is not kept. MARCH_ERR_FULL. */
static int keep_change(struct desk *d, const struct desk_group *before, const struct desk_group *after) {
    struct keep *keep = d->config.keep;
    bool is_kept = after->member_count > 1;
    bool is_erased = before->member_count > 1 && (!is_kept || before->members[0] != after->members[0]);
    keep_cut(keep);
    int error = 0;
    if (is_kept) error = keep_put(keep, WIRE_DOCUMENT_PARTY, after->members[0], d->bytes, desk_write_party(after, d->bytes));
    if (!error && is_erased) error = keep_erase(keep, WIRE_DOCUMENT_PARTY, before->members[0]);
    keep_cut(keep);
    return error;
}

static void drop_tickets(struct desk *d, const struct desk_group *party) {
    for (uint32_t i = 0; i < party->member_count; i++) {
        uint32_t index = desk_ticket_at(d, party->members[i]);
        if (index != DESK_NONE) desk_ticket_drop(d, index, WIRE_REASON_CANCELLED);
    }
}

/* change makes a party what it is to be, cancels what its players wait for, and tells them. */
static enum wire_ticket_reason change(struct desk *d, struct desk_group *party, const struct desk_group *after) {
    struct desk_group before = *party;
    uint32_t index = index_of(d, party);
    if (keep_change(d, &before, after)) return WIRE_REASON_UNAVAILABLE;
    uint64_t mark = keep_mark(d->config.keep);
    for (uint32_t i = 0; i < before.member_count; i++) player_map_remove(&d->partied, before.members[i]);
    *party = *after;
    party->mark = mark;
    for (uint32_t i = 0; i < party->member_count; i++) player_map_add(&d->partied, party->members[i], index);
    drop_tickets(d, &before);
    drop_tickets(d, after);
    if (party->member_count == 1 && party->invited_count == 0) drop_party(d, party);
    for (uint32_t i = 0; i < before.member_count; i++) desk_due(d, DESK_DUE_PARTY, before.members[i], mark);
    for (uint32_t i = before.member_count; i < after->member_count; i++)
        desk_due(d, DESK_DUE_PARTY, after->members[i], mark); /* who joined */
    return WIRE_REASON_NONE;
}

static enum wire_ticket_reason take_out(struct desk *d, struct desk_group *party, uint64_t player) {
    struct desk_group after = *party;
    uint32_t at = 0;
    while (at < after.member_count && after.members[at] != player) at++;
    if (at == after.member_count) return WIRE_REASON_NOT_FOUND;
    after.member_count--;
    memmove(&after.members[at], &after.members[at + 1], (after.member_count - at) * sizeof *after.members);
    memmove(&after.heard_ms[at], &after.heard_ms[at + 1], (after.member_count - at) * sizeof *after.heard_ms);
    if (after.member_count > 0) return change(d, party, &after);
    drop_party(d, party);
    desk_tell_party(d, player, WIRE_REASON_NONE);
    return WIRE_REASON_NONE;
}

/* --- verbs */

/* lead returns the party that a player leads, a new one where there is none; NULL where there is no room. */
static struct desk_group *lead(struct desk *d, uint64_t player) {
    struct desk_group *party = party_of(d, player);
    if (party || d->partied.count == d->partied.count_max) return party;
    struct handle handle = pool_take(&d->parties);
    party = pool_get(&d->parties, handle);
    if (!party) return NULL;
    *party = (struct desk_group){.member_count = 1, .members = {player}, .heard_ms = {d->now_ms}};
    player_map_add(&d->partied, player, handle.index);
    return party;
}

static enum wire_ticket_reason invite(struct desk *d, uint64_t player, uint64_t other) {
    struct desk_group *party = party_of(d, player);
    if (!player_id_valid(other) || other == player) return WIRE_REASON_INVALID;
    if (party && party->members[0] != player) return WIRE_REASON_NOT_LEADER;
    if (party_of(d, other) && (party_of(d, other) == party || party_of(d, other)->member_count > 1))
        return WIRE_REASON_EXISTS;
    uint32_t again = party ? find_invited(party, other) : DESK_NONE;
    if (again != DESK_NONE) forget_invited(d, party, again);
    if (party && party->member_count + party->invited_count == DESK_PARTY_MAX) return WIRE_REASON_FULL;
    if (!make_room(d, party)) return WIRE_REASON_FULL;
    party = lead(d, player);
    if (!party) return WIRE_REASON_FULL;
    add_invited(d, party, other);
    desk_tell_party(d, other, WIRE_REASON_NONE);
    desk_tell_party(d, player, WIRE_REASON_NONE);
    return WIRE_REASON_NONE;
}

static enum wire_ticket_reason join(struct desk *d, uint64_t player, uint64_t leader) {
    struct desk_group *party = party_of(d, leader), *own = party_of(d, player);
    if (!party || party->members[0] != leader) return WIRE_REASON_NOT_FOUND;
    uint32_t at = find_invited(party, player);
    if (at == DESK_NONE) return WIRE_REASON_NOT_FOUND;
    if (own && own->member_count > 1) return WIRE_REASON_EXISTS;
    bool is_full = !own && d->partied.count == d->partied.count_max;
    if (party->member_count == DESK_PARTY_MAX || is_full) return WIRE_REASON_FULL;
    if (own) drop_party(d, own);
    struct desk_group after = *party;
    after.heard_ms[after.member_count] = d->now_ms;
    after.members[after.member_count++] = player;
    enum wire_ticket_reason reason = change(d, party, &after);
    if (reason == WIRE_REASON_NONE) forget_invited(d, party, find_invited(party, player));
    return reason;
}

static enum wire_ticket_reason remove_other(struct desk *d, uint64_t player, uint64_t other) {
    struct desk_group *party = party_of(d, player);
    if (!party) return WIRE_REASON_NOT_FOUND;
    if (party->members[0] != player) return WIRE_REASON_NOT_LEADER;
    uint32_t at = find_invited(party, other);
    if (at == DESK_NONE) return take_out(d, party, other);
    forget_invited(d, party, at);
    desk_tell_party(d, other, WIRE_REASON_NONE);
    desk_tell_party(d, player, WIRE_REASON_NONE);
    end_of_one(d, party);
    return WIRE_REASON_NONE;
}

static enum wire_ticket_reason leave(struct desk *d, uint64_t player) {
    struct desk_group *party = party_of(d, player);
    return party ? take_out(d, party, player) : WIRE_REASON_NOT_FOUND;
}

enum wire_ticket_reason desk_party(struct desk *d, uint64_t player, enum wire_party_verb verb, uint64_t other,
                                   struct mono now) {
    desk_advance(d, now, d->wall_ms);
    desk_party_heard(d, player);
    if (!d->is_ready) return WIRE_REASON_UNAVAILABLE;
    if (!player_id_valid(player)) return WIRE_REASON_INVALID;
    enum wire_ticket_reason reason = WIRE_REASON_NONE;
    switch (verb) {
    case WIRE_PARTY_INVITE: reason = invite(d, player, other); break;
    case WIRE_PARTY_JOIN: reason = join(d, player, other); break;
    case WIRE_PARTY_LEAVE: reason = leave(d, player); break;
    case WIRE_PARTY_REMOVE: reason = remove_other(d, player, other); break;
    case WIRE_PARTY_LOOK:
    case WIRE_PARTY_VERB_COUNT: break;
    }
    desk_finish(d);
    return reason;
}

/* --- recalled, and time */

void desk_party_recall(struct desk *d, uint64_t key, const uint8_t *bytes, uint32_t len) {
    struct desk_group document;
    if (desk_read_party(bytes, len, &document) || document.members[0] != key) return;
    for (uint32_t i = 0; i < document.member_count; i++)
        if (party_of(d, document.members[i])) return;
    if (d->partied.count_max - d->partied.count < document.member_count) return;
    struct handle handle = pool_take(&d->parties);
    struct desk_group *party = pool_get(&d->parties, handle);
    if (!party) return;
    *party = document;
    for (uint32_t i = 0; i < party->member_count; i++) {
        player_map_add(&d->partied, party->members[i], handle.index);
        party->heard_ms[i] = d->now_ms;
    }
    arm(d, party);
}

static void end_invitations(struct desk *d, struct desk_group *party) {
    for (uint32_t i = 0; i < party->invited_count;) {
        uint64_t player = party->invited[i].player;
        if (party->invited[i].until_ms > d->now_ms) {
            i++;
            continue;
        }
        forget_invited(d, party, i);
        desk_tell_party(d, player, WIRE_REASON_NONE);
    }
    end_of_one(d, party);
}

static bool is_idle(const struct desk *d, const struct desk_group *party, uint32_t at) {
    uint64_t player = party->members[at];
    return d->now_ms - party->heard_ms[at] >= DESK_IDLE_MS && desk_ticket_at(d, player) == DESK_NONE &&
           !desk_is_seated(d, player);
}

/* let_idle_go: a party that only idle ones are left of ends with the last but one. */
static void let_idle_go(struct desk *d, struct handle handle) {
    struct desk_group *party;
    for (uint32_t i = 0; (party = pool_get(&d->parties, handle)) && i < party->member_count;) {
        if (!is_idle(d, party, i)) {
            i++;
        } else if (take_out(d, party, party->members[i]) != WIRE_REASON_NONE) {
            return; /* it could not be kept */
        }
    }
}

void desk_parties_step(struct desk *d) {
    if (!d->is_ready) return;
    for (uint32_t i = 0, index; i < DESK_TIMERS_MAX; i++) {
        if ((index = timer_wheel_take(&d->party_timers, (uint64_t)d->now_ms)) == TIMER_WHEEL_NONE) return;
        struct handle handle = pool_handle(&d->parties, index);
        end_invitations(d, party_at(d, index));
        let_idle_go(d, handle);
        if (pool_get(&d->parties, handle)) arm(d, party_at(d, index));
    }
}
