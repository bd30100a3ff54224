/* queue_check.c: ready checks, and matches told. */
#include "common/check.h"
#include "matchmaker/queue_inner.h"

static uint32_t timer_of(const struct queue *q, uint32_t check) {
    return q->config.tickets_max + check;
}

static void tell_match(struct queue *q, enum queue_event_kind kind) {
    q->stats.matches += kind == QUEUE_EVENT_MATCHED && handle_is_null(q->match.backfill);
    queue_tell(q, &(struct queue_event){.kind = kind, .match = &q->match, .mode = q->match.mode});
}

/* write_match makes q->match of a plan whose tickets are still there. */
static void write_match(struct queue *q, const struct queue_plan *plan) {
    struct queue_match *match = &q->match;
    match->id = plan->match;
    match->mode = plan->mode;
    match->region = plan->region;
    match->gap = plan->gap;
    match->backfill = plan->backfill;
    match->seat_count = 0;
    for (uint32_t i = 0; i < plan->ticket_count; i++) {
        struct handle ticket = queue_ticket_handle(q, plan->tickets[i]);
        for (uint32_t at = q->tickets[ticket.index].members; at != QUEUE_NONE; at = q->members[at].next) {
            const struct queue_member *member = &q->members[at];
            uint8_t role = plan->roles[match->seat_count];
            match->seats[match->seat_count++] = (struct queue_seat){
                .player = member->id, .ticket = ticket, .rating = member->rating, .team = plan->teams[i], .role = role};
        }
    }
}

static void average_in(struct queue_average *average, uint32_t waited_ms) {
    if (average->count < QUEUE_WAITS) {
        average->count++;
    } else {
        average->sum -= average->sum / QUEUE_WAITS;
    }
    average->sum += waited_ms;
}

static void note_wait(struct queue *q, const struct queue_ticket *t) {
    struct queue_average *waits = q->modes[t->mode].waits;
    average_in(&waits[t->bucket * QUEUE_GROUPS / QUEUE_BUCKETS], queue_waited_ms(q, t));
    average_in(&waits[QUEUE_GROUPS], queue_waited_ms(q, t));
}

/* match ends the tickets of q->match, and tells it. */
static void match(struct queue *q, const struct queue_plan *plan) {
    for (uint32_t i = 0; i < plan->ticket_count; i++) {
        note_wait(q, &q->tickets[plan->tickets[i]]);
        queue_ticket_move(q, plan->tickets[i], QUEUE_FREE, false);
        q->stats.ended[QUEUE_MATCHED]++;
    }
    if (!handle_is_null(plan->backfill)) q->stats.joined_tickets++;
    tell_match(q, QUEUE_EVENT_MATCHED);
}

static void ask(struct queue *q, const struct queue_plan *plan) {
    struct handle handle = pool_take(&q->checks);
    struct queue_check *check = pool_get(&q->checks, handle);
    CHECK(check != NULL);
    check->plan = *plan;
    check->since_ms = q->now_ms;
    check->player_count = q->match.seat_count;
    for (uint32_t i = 0; i < plan->ticket_count; i++) {
        struct queue_ticket *t = &q->tickets[plan->tickets[i]];
        queue_ticket_move(q, plan->tickets[i], QUEUE_ASKED, false);
        t->check = handle.index;
        for (uint32_t at = t->members; at != QUEUE_NONE; at = q->members[at].next) q->members[at].is_ready = false;
    }
    timer_wheel_arm(&q->wheel, timer_of(q, handle.index), q->now_ms + q->modes[plan->mode].mode.ready_ms);
    if (!handle_is_null(plan->backfill)) queue_backfill_asked(q, handle.index);
    q->stats.checks++;
    tell_match(q, QUEUE_EVENT_ASKED);
}

bool queue_check_is_free(struct queue *q, uint32_t mode) {
    bool is_free = q->modes[mode].mode.ready_ms == 0 || pool_count(&q->checks) < q->config.checks_max;
    q->stats.checks_full += !is_free;
    return is_free;
}

void queue_plan_carry_out(struct queue *q, const struct queue_plan *plan) {
    write_match(q, plan);
    if (q->modes[plan->mode].mode.ready_ms > 0) {
        ask(q, plan);
    } else {
        match(q, plan);
    }
}

/* close_check takes the plan out of a check that is over, and moves its tickets' clocks on. */
static struct queue_plan close_check(struct queue *q, uint32_t index) {
    struct queue_check *check = pool_at(&q->checks, index);
    struct queue_plan plan = check->plan;
    for (uint32_t i = 0; i < plan.ticket_count; i++)
        q->tickets[plan.tickets[i]].entered_ms += (uint32_t)(q->now_ms - check->since_ms);
    if (!handle_is_null(plan.backfill)) queue_backfill_answered(q, index);
    timer_wheel_disarm(&q->wheel, timer_of(q, index));
    pool_give(&q->checks, pool_handle(&q->checks, index));
    return plan;
}

/* --- answers */

static bool all_are_ready(const struct queue *q, uint32_t ticket) {
    for (uint32_t at = q->tickets[ticket].members; at != QUEUE_NONE; at = q->members[at].next)
        if (!q->members[at].is_ready) return false;
    return true;
}

static void give_back(struct queue *q, uint32_t ticket) {
    uint64_t players[QUEUE_PARTY_MAX];
    struct queue_event event = queue_ticket_event(q, ticket, QUEUE_EVENT_RETURNED, players);
    queue_ticket_move(q, ticket, QUEUE_WAITING, true);
    q->stats.returned++;
    queue_tell(q, &event);
}

void queue_check_end(struct queue *q, uint32_t check, uint32_t ticket, enum queue_end end) {
    struct queue_plan plan = close_check(q, check);
    uint32_t returned = QUEUE_NONE;
    if (!handle_is_null(plan.backfill)) queue_backfill_refused(q, &plan);
    for (uint32_t i = 0; i < plan.ticket_count; i++) {
        uint32_t at = plan.tickets[i];
        if (end == QUEUE_SILENT ? !all_are_ready(q, at) : at == ticket) {
            queue_ticket_end(q, at, end);
        } else {
            give_back(q, at);
            returned = at;
        }
    }
    if (returned != QUEUE_NONE) (void)queue_match_try(q, returned);
    if (pool_get(&q->backfills, plan.backfill)) queue_backfill_step(q, plan.backfill.index);
}

void queue_check_step(struct queue *q, uint32_t index) {
    const struct queue_check *check = pool_at(&q->checks, index);
    uint64_t due = check->since_ms + q->modes[check->plan.mode].mode.ready_ms;
    if (q->now_ms < due) {
        timer_wheel_arm(&q->wheel, timer_of(q, index), due);
    } else {
        queue_check_end(q, index, QUEUE_NONE, QUEUE_SILENT);
    }
}

int queue_answer(struct queue *q, uint64_t player, bool is_ready, struct mono now) {
    uint32_t ticket = player_map_find(&q->map, player);
    if (ticket == PLAYER_MAP_NONE || q->tickets[ticket].state != QUEUE_ASKED) return MARCH_ERR_NOT_FOUND;
    queue_advance(q, now);
    uint32_t index = q->tickets[ticket].check, at = q->tickets[ticket].members;
    if (!is_ready) {
        queue_check_end(q, index, ticket, QUEUE_DECLINED);
        return 0;
    }
    while (q->members[at].id != player) at = q->members[at].next;
    if (q->members[at].is_ready) return 0;
    q->members[at].is_ready = true;
    struct queue_check *check = pool_at(&q->checks, index);
    if (++check->ready_count < check->player_count) return 0;
    struct queue_plan plan = close_check(q, index);
    write_match(q, &plan);
    match(q, &plan);
    if (!handle_is_null(plan.backfill)) queue_backfill_settle(q, plan.backfill);
    return 0;
}
