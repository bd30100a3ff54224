/* desk_tickets.c: tickets: in the queue, ended, recalled, looked at. */
#include <string.h>

#include "common/check.h"
#include "matchmaker/desk_inner.h"

uint32_t desk_ticket_at(const struct desk *d, uint64_t player) {
    uint32_t index = player_map_find(&d->of_player, player);
    return index == PLAYER_MAP_NONE ? DESK_NONE : index;
}

uint32_t desk_ticket_waited_ms(const struct desk *d, const struct desk_live *t) {
    uint32_t until = t->stage == DESK_ASKED || t->stage == DESK_HELD ? t->asked_ms : (uint32_t)d->now_ms;
    return until - t->since_ms;
}

/* --- taken and given */

static void give(struct desk *d, uint32_t index) {
    const struct desk_live *t = desk_live_at(d, index);
    const struct desk_member *member = &t->leader;
    for (uint32_t at = DESK_NONE, next; member; at = next) {
        player_map_remove(&d->of_player, member->player);
        next = member->next;
        member = desk_member_after(d, member);
        if (at != DESK_NONE) pool_give(&d->members, pool_handle(&d->members, at));
    }
    if (t->avoid_count > 0) pool_give(&d->avoids, pool_handle(&d->avoids, t->avoid));
    pool_give(&d->tickets, pool_handle(&d->tickets, index));
}

uint32_t desk_ticket_take(struct desk *d, const uint64_t *players, uint32_t count, uint64_t id) {
    if (pool_count(&d->tickets) == d->tickets.capacity) return DESK_NONE;
    if (d->of_player.count_max - d->of_player.count < count) return DESK_NONE;
    uint32_t index = pool_take(&d->tickets).index;
    struct desk_live *t = desk_live_at(d, index);
    t->id = id;
    t->count = (uint8_t)count;
    t->leader = (struct desk_member){.player = players[0], .next = DESK_NONE};
    for (uint32_t i = count; i-- > 1;) {
        struct handle handle = pool_take(&d->members);
        *(struct desk_member *)pool_get(&d->members, handle) =
            (struct desk_member){.player = players[i], .next = t->leader.next};
        t->leader.next = handle.index;
    }
    for (uint32_t i = 0; i < count; i++) player_map_add(&d->of_player, players[i], index);
    player_map_add(&d->ids, t->id, index);
    return index;
}

void desk_ticket_avoid(struct desk *d, struct desk_live *t, const uint64_t *players, uint32_t count) {
    if (count == 0) return;
    struct handle handle = pool_take(&d->avoids);
    struct desk_avoid *avoid = pool_get(&d->avoids, handle);
    CHECK(avoid && t->avoid_count == 0); /* there are no more than tickets */
    memcpy(avoid->players, players, count * sizeof *players);
    t->avoid = handle.index;
    t->avoid_count = (uint8_t)count;
}

void desk_ticket_sum_up(const struct desk *d, struct desk_live *t) {
    int32_t sum = 0, best = INT32_MIN;
    t->is_provisional = false;
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member)) {
        int32_t points = rating_points(desk_member_rating(member));
        sum += points;
        if (points > best) best = points;
        t->is_provisional |= rating_is_provisional(&RATING_RULES, desk_member_rating(member));
    }
    t->rating = (int16_t)((sum / t->count + best) / 2);
}

/* --- into the queue */

void desk_ticket_begin(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    struct queue_player players[QUEUE_PARTY_MAX];
    struct queue_request request = {.mode = t->mode,
                                    .player_count = t->count,
                                    .players = players,
                                    .avoid_count = t->avoid_count,
                                    .avoid = desk_ticket_avoids(d, t)};
    uint32_t waited_ms = desk_ticket_waited_ms(d, t);
    if (waited_ms >= d->modes.modes[t->mode].timeout_ms) {
        desk_ticket_end(d, index, WIRE_REASON_TIMED_OUT, 0, NULL);
        return;
    }
    request.waited_ms = waited_ms;
    struct queue_player *player = players;
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member), player++) {
        *player = (struct queue_player){.id = member->player, .roles = t->roles};
        player->rating = rating_points(desk_member_rating(member));
        for (uint32_t i = 0; i < QUEUE_REGIONS_MAX; i++) player->latency_ms[i] = desk_latency_ms(t, i);
    }
    struct handle queued;
    t->stage = DESK_WAITING;
    int error = queue_enter(d->queue, &request, d->now, &queued);
    if (error) desk_ticket_end(d, index, error == MARCH_ERR_FULL ? WIRE_REASON_FULL : WIRE_REASON_INVALID, 0, NULL);
}

void desk_ticket_return(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    bool is_told = t->stage == DESK_ASKED || t->stage == DESK_HELD;
    if (is_told) t->since_ms += (uint32_t)d->now_ms - t->asked_ms;
    if (is_told) desk_changed(d, index);
    t->stage = DESK_COMING;
    desk_list_put(d, index, DESK_LIST_COMING);
}

/* --- ended */

/* erase has the players told once it is durable; where they are told at once, nobody waits for that. */
static void erase(struct desk *d, struct desk_recent *recent) {
    bool is_erased = keep_erase(d->config.keep, WIRE_DOCUMENT_TICKET, recent->id) == 0;
    uint64_t mark = is_erased ? keep_mark(d->config.keep) : UINT64_MAX; /* until there is room again */
    if (!is_erased) {
        uint64_t *id = ring_push(&d->unerased);
        CHECK(id);
        *id = recent->id;
    }
    if (recent->is_told) return;
    recent->mark = mark;
    if (is_erased) desk_due(d, DESK_DUE_TICKET, recent->id, mark);
}

/* remember makes a ticket that ends one that can still be asked for. */
static struct desk_recent *remember(struct desk *d, const struct desk_live *t) {
    uint32_t at = d->recent_next;
    struct desk_recent *r = &d->recents[at];
    d->recent_next = (at + 1) % DESK_RECENT_MAX;
    if (r->id != 0) player_map_remove(&d->ids, r->id);
    *r = (struct desk_recent){.id = t->id,
                              .version = t->version + 1,
                              .entered_ms = t->entered_ms,
                              .waited_ms = desk_ticket_waited_ms(d, t),
                              .rating = t->rating,
                              .is_provisional = t->is_provisional,
                              .region = t->region};
    memcpy(r->mode, d->modes.modes[t->mode].name, sizeof r->mode);
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member))
        r->players[r->count++] = member->player;
    player_map_remove(&d->ids, t->id);
    player_map_add(&d->ids, t->id, DESK_RECENT_BIT | at);
    return r;
}

static void count_end(struct desk *d, enum wire_ticket_reason reason, uint32_t instance) {
    static const enum queue_end ENDS[WIRE_REASON_COUNT] = {[WIRE_REASON_CANCELLED] = QUEUE_CANCELLED,
                                                           [WIRE_REASON_TIMED_OUT] = QUEUE_TIMED_OUT,
                                                           [WIRE_REASON_DECLINED] = QUEUE_DECLINED,
                                                           [WIRE_REASON_SILENT] = QUEUE_SILENT};
    if (instance != 0) {
        d->stats.ended[QUEUE_MATCHED]++;
    } else if (ENDS[reason] != QUEUE_MATCHED) {
        d->stats.ended[ENDS[reason]]++;
    } else {
        d->stats.refused[reason]++;
    }
}

void desk_ticket_end(struct desk *d, uint32_t index, enum wire_ticket_reason reason, uint32_t instance,
                     const uint8_t *teams) {
    struct desk_live *t = desk_live_at(d, index);
    bool is_told = t->stage == DESK_HELD && instance != 0 && keep_is_durable(d->config.keep, t->mark);
    struct desk_recent *r = remember(d, t);
    r->version -= is_told; /* it says what it said */
    r->state = instance ? WIRE_TICKET_MATCHED : WIRE_TICKET_ENDED;
    r->reason = (uint8_t)reason;
    r->instance = instance;
    count_end(d, reason, instance);
    if (teams) memcpy(r->teams, teams, r->count);
    bool is_kept = t->is_kept;
    desk_list_put(d, index, DESK_LIST_NONE);
    give(d, index);
    /* What is not to be had now is told now: nobody knows what persist has of it. */
    bool is_due = !is_told && (!is_kept || reason == WIRE_REASON_UNAVAILABLE);
    r->is_told = is_told || is_due;
    if (is_kept) erase(d, r);
    if (is_due) desk_tell_ticket(d, r->id);
}

void desk_ticket_drop(struct desk *d, uint32_t index, enum wire_ticket_reason reason) {
    struct desk_live *t = desk_live_at(d, index);
    if (t->stage == DESK_HELD) return; /* the match goes on */
    if (t->stage == DESK_ENTERING || t->stage == DESK_COMING) {
        desk_ticket_end(d, index, reason, 0, NULL);
        return;
    }
    d->cancel_reason = reason;
    int error = queue_cancel(d->queue, queue_find(d->queue, t->leader.player), d->now);
    CHECK(error == 0);
    d->cancel_reason = WIRE_REASON_CANCELLED;
}

void desk_ticket_withdraw(struct desk *d, uint32_t index) {
    const struct desk_live *t = desk_live_at(d, index);
    if (t->stage != DESK_WAITING && t->stage != DESK_ASKED) return;
    d->cancel_reason = WIRE_REASON_NONE;
    int error = queue_cancel(d->queue, queue_find(d->queue, t->leader.player), d->now);
    CHECK(error == 0);
    d->cancel_reason = WIRE_REASON_CANCELLED;
}

/* --- recalled */

void desk_ticket_recall(struct desk *d, uint64_t key, const uint8_t *bytes, uint32_t len, uint64_t wall_ms) {
    struct desk_ticket_document document;
    d->wall_ms = wall_ms;
    if (!d->queue || desk_read_ticket(d, bytes, len, &document)) return;
    if (key == 0 || player_map_find(&d->ids, key) != PLAYER_MAP_NONE) return;
    for (uint32_t i = 0; i < document.count; i++)
        if (desk_ticket_at(d, document.players[i]) != DESK_NONE) return;
    uint32_t index = desk_ticket_take(d, document.players, document.count, key);
    if (index == DESK_NONE) return;
    if (key >= d->next_id) d->next_id = key + 1;
    const struct mode *mode = mode_set_find(&d->modes, document.mode);
    struct desk_live *t = desk_live_at(d, index);
    t->version = 1;
    t->is_kept = t->is_confirmed = true;
    t->entered_ms = document.entered_ms;
    t->roles = (uint8_t)document.roles;
    t->refusals = (uint8_t)document.refusals;
    desk_ticket_avoid(d, t, document.avoid, document.avoid_count);
    for (uint32_t i = 0; i < QUEUE_REGIONS_MAX; i++) t->latency[i] = queue_latency(document.latency_ms[i]);
    const struct rating *rating = document.ratings;
    for (struct desk_member *member = &t->leader; member; member = desk_member_after(d, member))
        desk_member_rate(member, *rating++);
    desk_ticket_sum_up(d, t);
    t->stage = DESK_COMING;
    if (mode && mode->instance[0] != 0) {
        t->mode = (uint8_t)(mode - d->modes.modes);
        desk_list_put(d, index, DESK_LIST_COMING);
    } else {
        desk_ticket_end(d, index, WIRE_REASON_UNKNOWN_MODE, 0, NULL);
    }
}

void desk_tickets_ready(struct desk *d) {
    for (uint32_t index = d->lists[DESK_LIST_COMING].first; index != DESK_NONE;) {
        struct desk_live *t = desk_live_at(d, index);
        uint64_t waited_ms = d->wall_ms > t->entered_ms ? d->wall_ms - t->entered_ms : 0;
        if (waited_ms > MODE_TIME_MS_MAX) waited_ms = MODE_TIME_MS_MAX; /* which is too long for any mode */
        t->since_ms = (uint32_t)d->now_ms - (uint32_t)waited_ms;
        index = t->link.next;
    }
}

/* --- time */

/* come puts a ticket that comes back into the queue, if there is still a place for it. */
static void come(struct desk *d, uint32_t index) {
    const struct desk_live *t = desk_live_at(d, index);
    desk_list_put(d, index, t->is_confirmed ? DESK_LIST_NONE : DESK_LIST_UNCONFIRMED);
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member)) {
        if (instances_of_player(d->config.instances, member->player) == 0) continue;
        desk_ticket_end(d, index, WIRE_REASON_BUSY, 0, NULL);
        return;
    }
    desk_ticket_begin(d, index);
}

static void erase_again(struct desk *d) {
    const uint64_t *id;
    while ((id = ring_at(&d->unerased, 0)) && keep_erase(d->config.keep, WIRE_DOCUMENT_TICKET, *id) == 0) {
        uint32_t index = player_map_find(&d->ids, *id);
        struct desk_recent *r = index == PLAYER_MAP_NONE ? NULL : &d->recents[index & ~DESK_RECENT_BIT];
        if (r && r->mark == UINT64_MAX) {
            r->mark = keep_mark(d->config.keep);
            desk_due(d, DESK_DUE_TICKET, r->id, r->mark);
        }
        (void)ring_pop(&d->unerased);
    }
}

void desk_tickets_step(struct desk *d) {
    for (uint32_t index; (index = d->lists[DESK_LIST_UNCONFIRMED].first) != DESK_NONE;) {
        if ((uint32_t)d->now_ms - desk_live_at(d, index)->began_ms < DESK_CONFIRM_MS) break;
        desk_ticket_drop(d, index, WIRE_REASON_UNAVAILABLE);
    }
    for (uint32_t i = 0; i < DESK_RETURNS_MAX && d->lists[DESK_LIST_COMING].first != DESK_NONE; i++) {
        come(d, d->lists[DESK_LIST_COMING].first);
        desk_hold_if_full(d);
    }
    erase_again(d);
}

/* --- looking in */

static void show_live(const struct desk *d, const struct desk_live *t, struct mono now, struct desk_ticket *out) {
    const struct mode *mode = &d->modes.modes[t->mode];
    struct queue_view view;
    out->id = t->id;
    out->version = t->version;
    out->state = t->stage == DESK_ASKED ? WIRE_TICKET_ASKED : WIRE_TICKET_WAITING;
    out->entered_ms = t->entered_ms;
    out->waited_ms = desk_ticket_waited_ms(d, t);
    out->rating = t->rating;
    out->is_provisional = t->is_provisional;
    memcpy(out->mode, mode->name, sizeof out->mode);
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member))
        out->players[out->player_count++] = member->player;
    if (t->stage == DESK_HELD) desk_held_show(d, t, out);
    if (!d->queue || t->stage < DESK_WAITING) return;
    if (queue_view_get(d->queue, queue_find(d->queue, t->leader.player), now, &view)) return;
    uint32_t asked_ms = (uint32_t)d->now_ms - t->asked_ms;
    memcpy(out->region, d->config.regions[view.region], sizeof out->region);
    out->estimate_ms = view.estimate_ms;
    out->position = view.position;
    out->queued = view.queued;
    out->window = view.window;
    out->ready_ms = t->stage == DESK_ASKED && asked_ms < mode->ready_ms ? mode->ready_ms - asked_ms : 0;
    memcpy(out->is_ready, view.is_ready, view.player_count * sizeof *out->is_ready);
}

static void show_recent(const struct desk *d, const struct desk_recent *r, struct desk_ticket *out) {
    out->id = r->id;
    out->version = r->version;
    out->state = (enum wire_ticket_state)r->state;
    out->reason = (enum wire_ticket_reason)r->reason;
    out->entered_ms = r->entered_ms;
    out->waited_ms = r->waited_ms;
    out->instance = r->instance;
    out->rating = r->rating;
    out->is_provisional = r->is_provisional;
    out->player_count = r->count;
    memcpy(out->mode, r->mode, sizeof out->mode);
    memcpy(out->region, d->config.regions[r->region], sizeof out->region);
    memcpy(out->players, r->players, r->count * sizeof *out->players);
    for (uint32_t i = 0; i < r->count; i++) out->teams[i] = r->teams[i];
}

bool desk_ticket_get(const struct desk *d, uint64_t ticket, struct mono now, uint64_t wall_ms, struct desk_ticket *out) {
    (void)wall_ms;
    uint32_t index = player_map_find(&d->ids, ticket);
    *out = (struct desk_ticket){0};
    if (index == PLAYER_MAP_NONE) return false;
    if (index & DESK_RECENT_BIT) {
        show_recent(d, &d->recents[index & ~DESK_RECENT_BIT], out);
    } else {
        show_live(d, desk_live_at(d, index), now, out);
    }
    out->player = out->players[0];
    return true;
}

uint64_t desk_ticket_of(const struct desk *d, uint64_t player) {
    uint32_t index = desk_ticket_at(d, player);
    return index == DESK_NONE ? 0 : desk_live_at(d, index)->id;
}

bool desk_ticket_is_durable(const struct desk *d, uint64_t ticket) {
    uint32_t index = player_map_find(&d->ids, ticket);
    if (index == PLAYER_MAP_NONE) return false;
    uint64_t mark = index & DESK_RECENT_BIT ? d->recents[index & ~DESK_RECENT_BIT].mark : desk_live_at(d, index)->mark;
    return keep_is_durable(d->config.keep, mark);
}
