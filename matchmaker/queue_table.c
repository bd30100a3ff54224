/* queue_table.c: tickets and their players: kept, listed, counted. */
#include <string.h>

#include "common/check.h"
#include "matchmaker/queue_inner.h"

/* --- tickets */

uint32_t queue_ticket_at(const struct queue *q, struct handle ticket) {
    if (ticket.index >= q->config.tickets_max || !(ticket.generation & 1)) return QUEUE_NONE;
    return q->tickets[ticket.index].generation == ticket.generation ? ticket.index : QUEUE_NONE;
}

struct handle queue_ticket_handle(const struct queue *q, uint32_t index) {
    return (struct handle){index, q->tickets[index].generation};
}

uint32_t queue_waited_ms(const struct queue *q, const struct queue_ticket *t) {
    return (uint32_t)q->now_ms - t->entered_ms;
}

static int32_t cut(int32_t rating) {
    return rating > QUEUE_RATING_MAX ? QUEUE_RATING_MAX : rating < -QUEUE_RATING_MAX ? -QUEUE_RATING_MAX : rating;
}

/* add_members takes records for the players, in their order, and rates the ticket by them. */
static void add_members(struct queue *q, uint32_t index, const struct queue_request *request) {
    struct queue_ticket *t = &q->tickets[index];
    uint32_t all_roles = (1u << q->modes[t->mode].role_count) - 1;
    int32_t sum = 0, best = -QUEUE_RATING_MAX;
    bool has_roles = q->modes[t->mode].mode.role_count > 0;
    t->members = QUEUE_NONE;
    for (uint32_t i = t->count; i-- > 0;) {
        const struct queue_player *p = &request->players[i];
        uint32_t at = q->member_free != QUEUE_NONE ? q->member_free : q->member_fresh++;
        struct queue_member *member = &q->members[at];
        int32_t rating = cut(p->rating);
        if (at == q->member_free) q->member_free = member->next;
        *member = (struct queue_member){.id = p->id, .rating = (int16_t)rating, .next = t->members};
        member->roles = (uint8_t)(has_roles ? p->roles & all_roles : 1);
        t->members = at;
        sum += rating;
        if (rating > best) best = rating;
        player_map_add(&q->map, p->id, index);
    }
    q->member_free_count -= t->count;
    t->rating = (int16_t)((sum / t->count + best) / 2);
}

static void add_avoid(struct queue *q, struct queue_ticket *t, const uint64_t *players) {
    t->avoid = q->avoid_free != QUEUE_NONE ? q->avoid_free : q->avoid_fresh++;
    if (t->avoid == q->avoid_free) q->avoid_free = q->avoids[t->avoid].next;
    memcpy(q->avoids[t->avoid].players, players, t->avoid_count * sizeof *players);
}

/* set_latencies keeps the greatest latency of the players to each region, and finds the nearest region. */
static void set_latencies(struct queue *q, struct queue_ticket *t, const struct queue_request *request) {
    for (uint32_t region = 0; region < QUEUE_REGIONS_MAX; region++) {
        uint8_t most = region < q->config.region_count ? 0 : QUEUE_FAR;
        for (uint32_t i = 0; i < t->count; i++) {
            uint8_t units = queue_latency(request->players[i].latency_ms[region]);
            if (units > most) most = units;
        }
        t->latency[region] = most;
        if (t->latency[region] < t->latency[t->region]) t->region = (uint8_t)region;
    }
}

bool queue_ticket_room(const struct queue *q, uint32_t player_count) {
    return (q->ticket_free != QUEUE_NONE || q->ticket_fresh < q->config.tickets_max) && q->member_free_count >= player_count;
}

uint32_t queue_ticket_new(struct queue *q, const struct queue_request *request) {
    CHECK(queue_ticket_room(q, request->player_count));
    uint32_t index = q->ticket_free != QUEUE_NONE ? q->ticket_free : q->ticket_fresh++;
    struct queue_ticket *t = &q->tickets[index];
    if (index == q->ticket_free) q->ticket_free = t->next;
    *t = (struct queue_ticket){.generation = t->generation + 1,
                               .entered_ms = (uint32_t)q->now_ms - request->waited_ms,
                               .check = QUEUE_NONE,
                               .mode = (uint8_t)request->mode,
                               .count = (uint8_t)request->player_count,
                               .avoid_count = (uint8_t)request->avoid_count};
    CHECK(t->generation & 1);
    add_members(q, index, request);
    set_latencies(q, t, request);
    t->bucket = (uint8_t)queue_bucket(t->rating);
    t->class = (uint8_t)lineup_class(t->count, q->members[t->members].roles);
    if (t->avoid_count > 0) add_avoid(q, t, request->avoid);
    q->stats.tickets++;
    q->stats.players += t->count;
    return index;
}

/* release ends a ticket: its players can have another, its handle is stale. */
static void release(struct queue *q, uint32_t index) {
    struct queue_ticket *t = &q->tickets[index];
    for (uint32_t at = t->members, next; at != QUEUE_NONE; at = next) {
        next = q->members[at].next;
        player_map_remove(&q->map, q->members[at].id);
        q->members[at].next = q->member_free;
        q->member_free = at;
    }
    q->member_free_count += t->count;
    if (t->avoid_count > 0) {
        q->avoids[t->avoid].next = q->avoid_free;
        q->avoid_free = t->avoid;
    }
    q->stats.tickets--;
    q->stats.players -= t->count;
    t->generation++;
    t->next = q->ticket_free;
    q->ticket_free = index;
}

void queue_ticket_unit(const struct queue *q, uint32_t index, struct lineup_unit *unit) {
    const struct queue_ticket *t = &q->tickets[index];
    *unit = (struct lineup_unit){.ticket = index, .sum = t->rating, .count = t->count};
    if (t->count == 1) {
        lineup_mask(unit, t->class + 1u);
        return;
    }
    unit->sum = 0;
    for (uint32_t at = t->members; at != QUEUE_NONE; at = q->members[at].next) {
        unit->sum += q->members[at].rating;
        lineup_mask(unit, q->members[at].roles);
    }
}

/* --- lists */

static struct queue_list *list_of(struct queue *q, const struct queue_ticket *t) {
    return &q->modes[t->mode].lists[t->region][t->bucket][t->class];
}

/* Who takes not even the nearest region yet is in no list. */
static bool is_listed(const struct queue_ticket *t) {
    return t->latency[t->region] <= t->latency_limit;
}

/* supply counts the ticket's players into or out of those who can play a role, by `change` of 1 or -1. */
static void supply(struct queue *q, const struct queue_ticket *t, uint32_t change) {
    struct queue_mode *m = &q->modes[t->mode];
    for (uint32_t at = t->members; at != QUEUE_NONE && t->count > 1; at = q->members[at].next)
        for (uint32_t role = 0; role < m->role_count; role++)
            if (q->members[at].roles >> role & 1) m->supply[role][t->bucket] += change;
    for (uint32_t role = 0; role < m->role_count && t->count == 1; role++)
        if ((t->class + 1u) >> role & 1) m->supply[role][t->bucket] += change;
}

static void link_ticket(struct queue *q, uint32_t index, bool in_front) {
    struct queue_ticket *t = &q->tickets[index];
    struct queue_list *list = list_of(q, t);
    t->next = in_front ? list->head : QUEUE_NONE;
    t->previous = in_front ? QUEUE_NONE : list->tail;
    if (t->next != QUEUE_NONE) q->tickets[t->next].previous = index;
    if (t->previous != QUEUE_NONE) q->tickets[t->previous].next = index;
    if (t->previous == QUEUE_NONE) list->head = index;
    if (t->next == QUEUE_NONE) list->tail = index;
    q->modes[t->mode].classes[t->region][t->bucket] |= 1u << t->class;
    supply(q, t, 1);
}

static void unlink_ticket(struct queue *q, uint32_t index) {
    struct queue_ticket *t = &q->tickets[index];
    struct queue_list *list = list_of(q, t);
    if (t->next != QUEUE_NONE) q->tickets[t->next].previous = t->previous;
    if (t->previous != QUEUE_NONE) q->tickets[t->previous].next = t->next;
    if (t->previous == QUEUE_NONE) list->head = t->next;
    if (t->next == QUEUE_NONE) list->tail = t->previous;
    if (list->head == QUEUE_NONE) q->modes[t->mode].classes[t->region][t->bucket] &= ~(1u << t->class);
    supply(q, t, UINT32_MAX);
}

/* age_cell returns where a ticket is counted among those of its mode. */
static uint32_t *age_cell(struct queue *q, const struct queue_ticket *t) {
    struct queue_mode *m = &q->modes[t->mode];
    return &m->ages[(q->now_ms - queue_waited_ms(q, t)) / m->age_ms % QUEUE_AGES];
}

/* set_reach sets whom a ticket takes by the time that it has waited. */
static void set_reach(struct queue *q, struct queue_ticket *t) {
    const struct mode *mode = &q->modes[t->mode].mode;
    uint32_t waited = queue_waited_ms(q, t);
    t->window = (uint16_t)queue_window(mode, waited);
    t->latency_limit = (uint8_t)(queue_latency_ms(mode, waited) / QUEUE_LATENCY_MS);
}

/* arm sets the timer to the next step, or to the time-out. */
static void arm(struct queue *q, uint32_t index) {
    const struct queue_ticket *t = &q->tickets[index];
    const struct mode *mode = &q->modes[t->mode].mode;
    uint32_t waited = queue_waited_ms(q, t), due = (waited / mode->window_every_ms + 1) * mode->window_every_ms;
    if (due > mode->timeout_ms) due = mode->timeout_ms;
    timer_wheel_arm(&q->wheel, index, q->now_ms + due - waited);
}

void queue_ticket_move(struct queue *q, uint32_t index, enum queue_state state, bool in_front) {
    struct queue_ticket *t = &q->tickets[index];
    CHECK(t->state != state && (t->state == QUEUE_WAITING || state != QUEUE_ASKED));
    if (t->state == QUEUE_WAITING) {
        if (is_listed(t)) unlink_ticket(q, index);
        timer_wheel_disarm(&q->wheel, index);
        --*age_cell(q, t);
        q->modes[t->mode].queued--;
    }
    t->state = (uint8_t)state;
    if (state == QUEUE_FREE) release(q, index);
    if (state != QUEUE_WAITING) return;
    t->check = QUEUE_NONE;
    set_reach(q, t);
    if (is_listed(t)) link_ticket(q, index, in_front);
    q->modes[t->mode].queued++;
    ++*age_cell(q, t);
    arm(q, index);
}

void queue_ticket_widen(struct queue *q, uint32_t index) {
    struct queue_ticket *t = &q->tickets[index];
    CHECK(t->state == QUEUE_WAITING);
    bool was_listed = is_listed(t);
    set_reach(q, t);
    if (!was_listed && is_listed(t)) link_ticket(q, index, false);
    arm(q, index);
}

struct queue_event queue_ticket_event(const struct queue *q, uint32_t index, enum queue_event_kind kind, uint64_t *players) {
    const struct queue_ticket *t = &q->tickets[index];
    uint32_t count = 0;
    for (uint32_t at = t->members; at != QUEUE_NONE; at = q->members[at].next) players[count++] = q->members[at].id;
    return (struct queue_event){.kind = kind,
                                .ticket = queue_ticket_handle(q, index),
                                .mode = t->mode,
                                .waited_ms = queue_waited_ms(q, t),
                                .player_count = t->count,
                                .players = players};
}

void queue_ticket_end(struct queue *q, uint32_t index, enum queue_end end) {
    uint64_t players[QUEUE_PARTY_MAX];
    struct queue_event event = queue_ticket_event(q, index, QUEUE_EVENT_ENDED, players);
    event.end = end;
    queue_ticket_move(q, index, QUEUE_FREE, false);
    q->stats.ended[end]++;
    queue_tell(q, &event);
}
