/* queue.c: what comes into the queue, and what is seen of it. */
#include "matchmaker/queue.h"

#include <stdlib.h>

#include "common/check.h"
#include "matchmaker/queue_inner.h"
#include "matchmaker/table_memory.h"

void queue_tell(struct queue *q, const struct queue_event *event) {
    q->is_telling = true;
    q->config.on_event(q->config.ctx, event);
    q->is_telling = false;
}

void queue_advance(struct queue *q, struct mono now) {
    CHECK(!q->is_telling);
    uint64_t now_ms = QUEUE_EPOCH_MS + mono_since_ns(now, q->began) / NS_PER_MS;
    if (now_ms > q->now_ms) q->now_ms = now_ms;
}

/* --- creating */

static bool mode_is_sound(const struct mode *m) {
    uint32_t places = 0;
    for (uint32_t i = 0; i < m->role_count && i < MODE_ROLES_MAX; i++) {
        if (m->roles[i].per_team < 1 || m->roles[i].per_team > m->team_size) return false;
        places += m->roles[i].per_team;
    }
    if (m->role_count > MODE_ROLES_MAX || (m->role_count > 0 && places != m->team_size)) return false;
    return m->teams >= 1 && m->teams <= MODE_TEAMS_MAX && m->team_size >= 1 && m->team_size <= MODE_TEAM_SIZE_MAX &&
           m->max_party >= 1 && m->max_party <= m->team_size && m->window_start <= m->window_max &&
           m->window_max <= MODE_POINTS_MAX && m->window_every_ms >= MODE_EVERY_MS_MIN &&
           m->window_every_ms <= MODE_TIME_MS_MAX && m->latency_start_ms <= m->latency_max_ms &&
           m->latency_max_ms <= MODE_LATENCY_MS_MAX && m->timeout_ms >= 1 && m->timeout_ms <= MODE_TIME_MS_MAX &&
           m->ready_ms <= MODE_TIME_MS_MAX;
}

static bool config_is_sound(const struct queue_config *config) {
    if (config->mode_count < 1 || config->mode_count > QUEUE_MODES_MAX || config->region_count < 1 ||
        config->region_count > QUEUE_REGIONS_MAX || config->tickets_max < 1 || config->tickets_max > QUEUE_TICKETS_MAX ||
        config->players_max < config->tickets_max || config->players_max > PLAYER_MAP_MAX || config->checks_max < 1 ||
        config->checks_max > QUEUE_TICKETS_MAX || config->backfills_max < 1 || config->backfills_max > QUEUE_TICKETS_MAX)
        return false;
    for (uint32_t i = 0; i < config->mode_count; i++)
        if (!mode_is_sound(&config->modes[i])) return false;
    return true;
}

static void init_mode(struct queue_mode *m, const struct mode *mode) {
    m->mode = *mode;
    m->role_count = lineup_places(mode, m->places);
    m->players = mode->teams * mode->team_size;
    m->age_ms = mode->timeout_ms / QUEUE_AGE_PARTS + 1;
    m->backfill_first = m->backfill_last = QUEUE_NONE;
    for (uint32_t region = 0; region < QUEUE_REGIONS_MAX; region++)
        for (uint32_t bucket = 0; bucket < QUEUE_BUCKETS; bucket++)
            for (uint32_t class = 0; class < LINEUP_CLASSES; class ++)
                m->lists[region][bucket][class] = (struct queue_list){QUEUE_NONE, QUEUE_NONE};
}

static void *take(struct queue *q, size_t count, size_t bytes) {
    q->memory_bytes += count * bytes;
    return table_memory_take(count, bytes);
}

static int create_tables(struct queue *q) {
    const struct queue_config *c = &q->config;
    uint32_t timers = c->tickets_max + c->checks_max + c->backfills_max;
    q->modes = take(q, c->mode_count, sizeof *q->modes);
    q->tickets = take(q, c->tickets_max, sizeof *q->tickets);
    q->members = take(q, c->players_max, sizeof *q->members);
    q->avoids = take(q, c->tickets_max, sizeof *q->avoids);
    if (!q->modes || !q->tickets || !q->members || !q->avoids) return MARCH_ERR_SYSTEM;
    if (player_map_create(&q->map, c->players_max, c->seed) || timer_wheel_create(&q->wheel, timers, q->now_ms) ||
        pool_init(&q->checks, c->checks_max, sizeof(struct queue_check)) ||
        pool_init(&q->backfills, c->backfills_max, sizeof(struct queue_backfill)))
        return MARCH_ERR_SYSTEM;
    q->memory_bytes += (uint64_t)q->map.size_max * sizeof *q->map.entries +
                       ((uint64_t)timers + TIMER_WHEEL_SLOTS) * sizeof *q->wheel.links +
                       c->checks_max * (q->checks.object_bytes + 8) + c->backfills_max * (q->backfills.object_bytes + 8);
    return 0;
}

int queue_create(struct queue **queue, const struct queue_config *config, struct mono now) {
    *queue = NULL;
    if (!config_is_sound(config)) return MARCH_ERR_INVALID;
    struct queue *q = calloc(1, sizeof *q);
    if (!q) return MARCH_ERR_SYSTEM;
    q->config = *config;
    q->began = now;
    q->now_ms = QUEUE_EPOCH_MS;
    q->memory_bytes = sizeof *q;
    q->next_match = config->first_match;
    if (create_tables(q)) {
        queue_destroy(q);
        return MARCH_ERR_SYSTEM;
    }
    q->config.modes = NULL; /* the caller's */
    for (uint32_t i = 0; i < config->mode_count; i++) init_mode(&q->modes[i], &config->modes[i]);
    q->ticket_free = q->member_free = q->avoid_free = QUEUE_NONE;
    q->member_free_count = config->players_max;
    *queue = q;
    return 0;
}

void queue_destroy(struct queue *q) {
    if (!q) return;
    pool_deinit(&q->backfills);
    pool_deinit(&q->checks);
    timer_wheel_destroy(&q->wheel);
    player_map_destroy(&q->map);
    free(q->avoids);
    free(q->members);
    free(q->tickets);
    free(q->modes);
    free(q);
}

/* --- tickets */

static bool players_are_sound(const struct queue *q, const struct queue_request *request) {
    const struct mode *mode = &q->modes[request->mode].mode;
    uint32_t roles = (1u << mode->role_count) - 1;
    for (uint32_t i = 0; i < request->player_count; i++) {
        const struct queue_player *player = &request->players[i];
        if (player->id == 0 || (mode->role_count > 0 && (player->roles & roles) == 0)) return false;
        for (uint32_t k = 0; k < i; k++)
            if (request->players[k].id == player->id) return false;
    }
    return true;
}

/* has_region tells whether all the players can reach some region in a time that is ever taken. */
static bool has_region(const struct queue *q, const struct queue_request *request) {
    for (uint32_t region = 0; region < q->config.region_count; region++) {
        uint32_t most = 0;
        for (uint32_t i = 0; i < request->player_count; i++)
            if (request->players[i].latency_ms[region] > most) most = request->players[i].latency_ms[region];
        if (most <= MODE_LATENCY_MS_MAX) return true;
    }
    return false;
}

static int check_request(const struct queue *q, const struct queue_request *request) {
    if (request->mode >= q->config.mode_count || request->player_count < 1 ||
        request->player_count > q->modes[request->mode].mode.max_party || request->avoid_count > QUEUE_AVOID_MAX)
        return MARCH_ERR_INVALID;
    if (request->waited_ms > q->modes[request->mode].mode.timeout_ms) return MARCH_ERR_INVALID;
    if (!players_are_sound(q, request) || !has_region(q, request)) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < request->player_count; i++)
        if (player_map_find(&q->map, request->players[i].id) != PLAYER_MAP_NONE) return MARCH_ERR_EXISTS;
    return queue_ticket_room(q, request->player_count) ? 0 : MARCH_ERR_FULL;
}

int queue_enter(struct queue *q, const struct queue_request *request, struct mono now, struct handle *ticket) {
    int error = check_request(q, request);
    if (error) return error;
    queue_advance(q, now);
    uint32_t index = queue_ticket_new(q, request);
    *ticket = queue_ticket_handle(q, index);
    queue_ticket_move(q, index, QUEUE_WAITING, false);
    q->stats.entered++;
    if (!queue_backfill_offer(q, index)) (void)queue_match_try(q, index);
    return 0;
}

struct handle queue_find(const struct queue *q, uint64_t player) {
    uint32_t index = player_map_find(&q->map, player);
    if (index == PLAYER_MAP_NONE) return (struct handle){0};
    return queue_ticket_handle(q, index);
}

int queue_cancel(struct queue *q, struct handle ticket, struct mono now) {
    if (ticket.index < q->config.tickets_max) timer_wheel_prefetch(&q->wheel, ticket.index);
    uint32_t index = queue_ticket_at(q, ticket);
    if (index == QUEUE_NONE) return MARCH_ERR_NOT_FOUND;
    queue_advance(q, now);
    queue_ticket_prefetch(q, index);
    queue_ticket_prefetch_more(q, index);
    if (q->tickets[index].state == QUEUE_ASKED) {
        queue_check_end(q, q->tickets[index].check, index, QUEUE_CANCELLED);
    } else {
        queue_ticket_end(q, index, QUEUE_CANCELLED);
    }
    return 0;
}

bool queue_attempt(struct queue *q, struct handle ticket, struct mono now) {
    uint32_t index = queue_ticket_at(q, ticket);
    if (index == QUEUE_NONE || q->tickets[index].state != QUEUE_WAITING) return false;
    queue_advance(q, now);
    return queue_match_try(q, index);
}

void queue_hold(struct queue *q, uint32_t mode, bool is_held) {
    CHECK(mode < q->config.mode_count);
    q->modes[mode].is_held = is_held;
}

/* --- time */

static void step_ticket(struct queue *q, uint32_t index) {
    const struct queue_ticket *t = &q->tickets[index];
    if (queue_waited_ms(q, t) >= q->modes[t->mode].mode.timeout_ms) {
        queue_ticket_end(q, index, QUEUE_TIMED_OUT);
        return;
    }
    queue_ticket_widen(q, index);
    (void)queue_match_try(q, index);
}

bool queue_step(struct queue *q, struct mono now) {
    const struct queue_config *c = &q->config;
    queue_advance(q, now);
    for (uint32_t taken = 0; taken < QUEUE_TIMERS_MAX; taken++) {
        uint32_t item = timer_wheel_take(&q->wheel, q->now_ms);
        if (item == TIMER_WHEEL_NONE) return false;
        if (item < c->tickets_max) {
            step_ticket(q, item);
        } else if (item < c->tickets_max + c->checks_max) {
            queue_check_step(q, item - c->tickets_max);
        } else {
            queue_backfill_step(q, item - c->tickets_max - c->checks_max);
        }
    }
    return true;
}

/* --- looking in */

/* position_of counts the tickets of the mode that entered in an earlier cell. */
static uint32_t position_of(const struct queue *q, const struct queue_ticket *t, uint64_t waited_ms) {
    const struct queue_mode *m = &q->modes[t->mode];
    uint64_t cell = (q->now_ms - waited_ms) / m->age_ms;
    uint32_t position = 1;
    for (uint64_t back = 1; back < QUEUE_AGES / 2 + 2; back++) position += m->ages[(cell - back) % QUEUE_AGES];
    return position;
}

/* estimate_of returns what was waited in the group of the bucket, or in the whole mode where nobody was matched there yet.
 */
static uint32_t estimate_of(const struct queue_mode *m, uint32_t bucket) {
    const struct queue_average *average = &m->waits[bucket * QUEUE_GROUPS / QUEUE_BUCKETS];
    if (average->count == 0) average = &m->waits[QUEUE_GROUPS];
    return average->count == 0 ? 0 : average->sum / average->count;
}

int queue_view_get(const struct queue *q, struct handle ticket, struct mono now, struct queue_view *view) {
    uint32_t index = queue_ticket_at(q, ticket);
    if (index == QUEUE_NONE) return MARCH_ERR_NOT_FOUND;
    const struct queue_ticket *t = &q->tickets[index];
    const struct queue_check *check = t->state == QUEUE_ASKED ? pool_at(&q->checks, t->check) : NULL;
    uint64_t now_ms = QUEUE_EPOCH_MS + mono_since_ns(now, q->began) / NS_PER_MS;
    *view = (struct queue_view){.state = t->state, .mode = t->mode, .region = t->region, .rating = t->rating};
    view->waited_ms = (uint32_t)(check ? check->since_ms : now_ms) - t->entered_ms;
    view->position = check ? 1 : position_of(q, t, queue_waited_ms(q, t));
    view->queued = q->modes[t->mode].queued;
    view->estimate_ms = estimate_of(&q->modes[t->mode], t->bucket);
    view->window = t->window;
    view->latency_ms = (uint32_t)t->latency_limit * QUEUE_LATENCY_MS;
    for (uint32_t at = t->members; at != QUEUE_NONE; at = q->members[at].next) {
        view->is_ready[view->player_count] = check && q->members[at].is_ready;
        view->players[view->player_count++] = q->members[at].id;
    }
    return 0;
}

struct queue_stats queue_stats_get(const struct queue *q) {
    struct queue_stats stats = q->stats;
    stats.checks_open = pool_count(&q->checks);
    stats.backfills_open = pool_count(&q->backfills);
    return stats;
}

uint64_t queue_memory_bytes(const struct queue *q) {
    return q->memory_bytes;
}
