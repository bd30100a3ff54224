/* queue_backfill.c: matches that run and want players.
 *
 * Each ticket joins by itself. Its places are taken when it is asked, and free again if it does not come.
 */
#include <string.h>

#include "common/check.h"
#include "matchmaker/queue_inner.h"

static uint32_t timer_of(const struct queue *q, uint32_t index) {
    return q->config.tickets_max + q->config.checks_max + index;
}

static uint32_t free_of(const struct queue_backfill *b) {
    uint32_t count = 0;
    for (uint32_t team = 0; team < MODE_TEAMS_MAX; team++)
        for (uint32_t role = 0; role < MODE_ROLES_MAX; role++) count += b->free[team][role];
    return count;
}

static void link_backfill(struct queue *q, uint32_t index) {
    struct queue_backfill *b = pool_at(&q->backfills, index);
    struct queue_mode *m = &q->modes[b->mode];
    b->previous = m->backfill_last;
    b->next = QUEUE_NONE;
    if (b->previous == QUEUE_NONE) {
        m->backfill_first = index;
    } else {
        ((struct queue_backfill *)pool_at(&q->backfills, b->previous))->next = index;
    }
    m->backfill_last = index;
}

static void unlink_backfill(struct queue *q, const struct queue_backfill *b) {
    struct queue_mode *m = &q->modes[b->mode];
    if (b->previous == QUEUE_NONE) {
        m->backfill_first = b->next;
    } else {
        ((struct queue_backfill *)pool_at(&q->backfills, b->previous))->next = b->next;
    }
    if (b->next == QUEUE_NONE) {
        m->backfill_last = b->previous;
    } else {
        ((struct queue_backfill *)pool_at(&q->backfills, b->next))->previous = b->previous;
    }
}

/* --- who can join */

static bool is_one_of(const uint64_t *ids, uint32_t count, uint64_t id) {
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == id) return true;
    return false;
}

static bool is_avoided(const struct queue *q, const struct queue_backfill *b, uint32_t ticket) {
    const struct queue_ticket *t = &q->tickets[ticket];
    for (uint32_t i = 0; i < t->avoid_count; i++)
        if (is_one_of(b->players, b->player_count, queue_ticket_avoids(q, t)[i])) return true;
    for (uint32_t at = t->members; at != QUEUE_NONE; at = q->members[at].next)
        if (is_one_of(b->avoid, b->avoid_count, q->members[at].id)) return true;
    return false;
}

/* team_for returns the team whose target is nearest to the ticket's rating, of those that it can join, or QUEUE_NONE. */
static uint32_t team_for(const struct queue *q, const struct queue_backfill *b, uint32_t ticket) {
    const struct queue_ticket *t = &q->tickets[ticket];
    uint32_t window = queue_window(&q->modes[b->mode].mode, q->now_ms - b->since_ms), team = QUEUE_NONE;
    struct lineup_unit unit;
    if (t->latency[b->region] > t->latency_limit || is_avoided(q, b, ticket)) return QUEUE_NONE;
    if (window > t->window) window = t->window;
    queue_ticket_unit(q, ticket, &unit);
    for (uint32_t i = 0; i < q->modes[b->mode].mode.teams; i++) {
        struct lineup_side side = lineup_side_of(b->free[i]);
        uint32_t distance = (uint32_t)(t->rating > b->target[i] ? t->rating - b->target[i] : b->target[i] - t->rating);
        if (!lineup_fits(&side, &unit) || distance > window) continue;
        window = distance;
        team = i;
    }
    return team;
}

/* classes_of returns the classes of tickets that some team has room for. */
static uint32_t classes_of(const struct queue_backfill *b) {
    uint32_t classes = 0;
    for (uint32_t team = 0; team < MODE_TEAMS_MAX; team++) classes |= lineup_side_of(b->free[team]).classes;
    return classes;
}

/* --- joining */

static void join(struct queue *q, uint32_t index, uint32_t ticket, uint32_t team) {
    struct queue_backfill *b = pool_at(&q->backfills, index);
    uint8_t masks[QUEUE_PARTY_MAX];
    uint32_t count = 0;
    struct queue_plan plan = {.match = b->match,
                              .mode = b->mode,
                              .region = b->region,
                              .ticket_count = 1,
                              .backfill = pool_handle(&q->backfills, index)};
    plan.tickets[0] = ticket;
    plan.teams[0] = (uint8_t)team;
    for (uint32_t at = q->tickets[ticket].members; at != QUEUE_NONE; at = q->members[at].next) {
        masks[count++] = q->members[at].roles;
        CHECK(b->player_count < MODE_PLAYERS_MAX);
        b->players[b->player_count++] = q->members[at].id;
    }
    CHECK(lineup_roles(b->free[team], masks, plan.roles, count));
    const struct queue_ticket *t = &q->tickets[ticket];
    for (uint32_t i = 0; i < t->avoid_count && b->avoid_count < QUEUE_BACKFILL_AVOID; i++)
        b->avoid[b->avoid_count++] = queue_ticket_avoids(q, t)[i];
    queue_plan_carry_out(q, &plan);
}

bool queue_backfill_offer(struct queue *q, uint32_t ticket) {
    struct queue_mode *m = &q->modes[q->tickets[ticket].mode];
    uint32_t at = m->backfill_first;
    if (at == QUEUE_NONE || !queue_check_is_free(q, q->tickets[ticket].mode)) return false;
    for (uint32_t looked = 0; looked < QUEUE_BACKFILL_LOOK_MAX && at != QUEUE_NONE; looked++) {
        const struct queue_backfill *b = pool_at(&q->backfills, at);
        uint32_t team = team_for(q, b, ticket);
        if (team != QUEUE_NONE) {
            join(q, at, ticket, team);
            queue_backfill_settle(q, pool_handle(&q->backfills, at));
            return true;
        }
        at = b->next;
    }
    return false;
}

/* scan_of looks from between the least and the greatest target of teams with places free. */
static struct queue_scan scan_of(const struct queue *q, const struct queue_backfill *b) {
    int32_t low = INT32_MAX, high = INT32_MIN;
    for (uint32_t i = 0; i < q->modes[b->mode].mode.teams; i++) {
        if (lineup_side_of(b->free[i]).free == 0) continue;
        if (b->target[i] < low) low = b->target[i];
        if (b->target[i] > high) high = b->target[i];
    }
    uint32_t window = queue_window(&q->modes[b->mode].mode, q->now_ms - b->since_ms) + (uint32_t)(high - low + 1) / 2;
    return queue_scan_begin(q, b->mode, b->region, (low + high) / 2, window,
                            QUEUE_LOOK_BASE + QUEUE_LOOK_PER_PLAYER * q->modes[b->mode].players);
}

/* draw_in lets those in who fit. */
static void draw_in(struct queue *q, uint32_t index) {
    const struct queue_backfill *b = pool_at(&q->backfills, index);
    uint32_t classes = classes_of(b);
    if (classes == 0) return;
    struct queue_scan scan = scan_of(q, b);
    for (uint32_t at; (at = queue_scan_next(&scan, classes)) != QUEUE_NONE;) {
        uint32_t team = team_for(q, b, at);
        if (team == QUEUE_NONE) continue;
        if (!queue_check_is_free(q, b->mode)) break;
        join(q, index, at, team);
        classes = classes_of(b);
    }
    q->stats.looked += scan.looked;
}

void queue_backfill_step(struct queue *q, uint32_t index) {
    const struct queue_backfill *b = pool_at(&q->backfills, index);
    timer_wheel_arm(&q->wheel, timer_of(q, index), q->now_ms + q->modes[b->mode].mode.window_every_ms);
    draw_in(q, index);
    queue_backfill_settle(q, pool_handle(&q->backfills, index));
}

/* --- checks */

void queue_backfill_asked(struct queue *q, uint32_t index) {
    struct queue_check *check = pool_at(&q->checks, index);
    struct queue_backfill *b = pool_get(&q->backfills, check->plan.backfill);
    CHECK(b != NULL);
    check->next = b->checks;
    check->previous = QUEUE_NONE;
    if (b->checks != QUEUE_NONE) ((struct queue_check *)pool_at(&q->checks, b->checks))->previous = index;
    b->checks = index;
}

void queue_backfill_answered(struct queue *q, uint32_t index) {
    const struct queue_check *check = pool_at(&q->checks, index);
    struct queue_backfill *b = pool_get(&q->backfills, check->plan.backfill);
    if (!b) return;
    if (check->previous == QUEUE_NONE) {
        b->checks = check->next;
    } else {
        ((struct queue_check *)pool_at(&q->checks, check->previous))->next = check->next;
    }
    if (check->next != QUEUE_NONE) ((struct queue_check *)pool_at(&q->checks, check->next))->previous = check->previous;
}

static void forget(struct queue_backfill *b, uint64_t player) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->player_count; i++)
        if (b->players[i] != player) b->players[kept++] = b->players[i];
    b->player_count = kept;
}

void queue_backfill_refused(struct queue *q, const struct queue_plan *plan) {
    struct queue_backfill *b = pool_get(&q->backfills, plan->backfill);
    uint32_t player = 0;
    if (!b) return;
    for (uint32_t at = q->tickets[plan->tickets[0]].members; at != QUEUE_NONE; at = q->members[at].next) {
        b->free[plan->teams[0]][plan->roles[player++]]++;
        forget(b, q->members[at].id);
    }
}

/* --- opening and closing */

static int check_wanted(const struct queue *q, const struct queue_wanted *wanted) {
    if (wanted->mode >= q->config.mode_count || wanted->region >= q->config.region_count) return MARCH_ERR_INVALID;
    const struct queue_mode *m = &q->modes[wanted->mode];
    uint32_t free = 0;
    for (uint32_t team = 0; team < MODE_TEAMS_MAX; team++) {
        for (uint32_t role = 0; role < MODE_ROLES_MAX; role++) {
            uint32_t most = team < m->mode.teams ? m->places[role] : 0;
            if (wanted->free[team][role] > most) return MARCH_ERR_INVALID;
            free += wanted->free[team][role];
        }
    }
    if (free == 0 || free + wanted->player_count > m->players || wanted->avoid_count > QUEUE_BACKFILL_AVOID)
        return MARCH_ERR_INVALID;
    return m->mode.backfill ? 0 : MARCH_ERR_INVALID;
}

static int16_t cut(int32_t rating) {
    return (int16_t)(rating > QUEUE_RATING_MAX ? QUEUE_RATING_MAX : rating < -QUEUE_RATING_MAX ? -QUEUE_RATING_MAX : rating);
}

int queue_backfill_open(struct queue *q, const struct queue_wanted *wanted, struct mono now, struct handle *backfill) {
    int error = check_wanted(q, wanted);
    if (error) return error;
    queue_advance(q, now);
    *backfill = pool_take(&q->backfills);
    struct queue_backfill *b = pool_get(&q->backfills, *backfill);
    if (!b) return MARCH_ERR_FULL;
    b->match = wanted->match;
    b->since_ms = q->now_ms;
    b->mode = wanted->mode;
    b->region = wanted->region;
    b->checks = QUEUE_NONE;
    b->player_count = wanted->player_count;
    b->avoid_count = wanted->avoid_count;
    if (b->player_count > 0) memcpy(b->players, wanted->players, b->player_count * sizeof *b->players);
    if (b->avoid_count > 0) memcpy(b->avoid, wanted->avoid, b->avoid_count * sizeof *b->avoid);
    for (uint32_t team = 0; team < MODE_TEAMS_MAX; team++) {
        b->target[team] = cut(wanted->target[team]);
        for (uint32_t role = 0; role < MODE_ROLES_MAX; role++) b->free[team][role] = (uint8_t)wanted->free[team][role];
    }
    link_backfill(q, backfill->index);
    queue_backfill_step(q, backfill->index);
    return 0;
}

/* close_backfill gives the record up; returns the first of its checks, whose links are theirs. */
static uint32_t close_backfill(struct queue *q, struct handle handle) {
    struct queue_backfill *b = pool_get(&q->backfills, handle);
    uint32_t checks = b->checks;
    unlink_backfill(q, b);
    timer_wheel_disarm(&q->wheel, timer_of(q, handle.index));
    pool_give(&q->backfills, handle);
    return checks;
}

void queue_backfill_settle(struct queue *q, struct handle handle) {
    const struct queue_backfill *b = pool_get(&q->backfills, handle);
    if (b && free_of(b) == 0 && b->checks == QUEUE_NONE) (void)close_backfill(q, handle);
}

void queue_backfill_close(struct queue *q, struct handle handle, struct mono now) {
    if (!pool_get(&q->backfills, handle)) return;
    queue_advance(q, now);
    for (uint32_t at = close_backfill(q, handle), next; at != QUEUE_NONE; at = next) {
        next = ((const struct queue_check *)pool_at(&q->checks, at))->next;
        queue_check_end(q, at, QUEUE_NONE, QUEUE_CANCELLED);
    }
}
