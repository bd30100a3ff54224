/* queue_match.c: a match out of the lists, with a ticket that begins it. */
#include <string.h>

#include "common/check.h"
#include "matchmaker/queue_inner.h"

#define SHUNNED_MAX ((MODE_PLAYERS_MAX + QUEUE_MENDS_MAX * MODE_TEAM_SIZE_MAX) * QUEUE_AVOID_MAX)

/* --- scan */

struct queue_scan queue_scan_begin(const struct queue *q, uint32_t mode, uint32_t region, int32_t rating, uint32_t window,
                                   uint32_t look) {
    uint32_t bucket = queue_bucket(rating), low = queue_bucket(rating - (int32_t)window),
             high = queue_bucket(rating + (int32_t)window);
    struct queue_scan s = {.queue = q, .mode = &q->modes[mode], .region = region, .bucket = bucket, .look_left = look};
    s.reach = bucket - low > high - bucket ? bucket - low : high - bucket;
    s.lists = s.mode->classes[region][bucket];
    s.next = QUEUE_NONE;
    return s;
}

/* bucket_at returns the bucket of a step: the first, then one to either side in turn; QUEUE_NONE beyond the ends. */
static uint32_t bucket_at(const struct queue_scan *s, uint32_t step) {
    uint32_t distance = (step + 1) / 2;
    if (step & 1) return distance <= s->bucket ? s->bucket - distance : QUEUE_NONE;
    return s->bucket + distance < QUEUE_BUCKETS ? s->bucket + distance : QUEUE_NONE;
}

static uint32_t region_at(const struct queue_scan *s) {
    if (s->region_step == 0) return s->region;
    return s->region_step <= s->region ? s->region_step - 1 : s->region_step;
}

/* move_on goes to the lists of the next region, or of the next bucket; false when there is none. */
static bool move_on(struct queue_scan *s) {
    if (++s->region_step == s->queue->config.region_count) {
        s->region_step = 0;
        do s->step++;
        while (s->step <= 2 * s->reach && bucket_at(s, s->step) == QUEUE_NONE);
        if (s->step > 2 * s->reach) return false;
    }
    s->lists = s->mode->classes[region_at(s)][bucket_at(s, s->step)];
    return true;
}

uint32_t queue_scan_next(struct queue_scan *s, uint32_t classes) {
    while (s->next == QUEUE_NONE || !(classes >> s->class & 1)) {
        s->lists &= classes;
        if (s->lists == 0) {
            if (s->step > 2 * s->reach || !move_on(s)) return QUEUE_NONE;
            s->next = QUEUE_NONE;
            continue;
        }
        s->class = 31 - (uint32_t)__builtin_clz(s->lists); /* large parties first: they are harder to place */
        s->lists &= ~(1u << s->class);
        s->next = s->mode->lists[region_at(s)][bucket_at(s, s->step)][s->class].head;
    }
    if (s->look_left == 0) return QUEUE_NONE;
    s->look_left--;
    s->looked++;
    uint32_t found = s->next;
    s->next = s->queue->tickets[found].next;
    if (s->next != QUEUE_NONE) __builtin_prefetch(&s->queue->tickets[s->next]);
    return found;
}

/* --- who goes with whom */

struct search {
    const struct queue *queue;
    uint32_t region;
    int32_t lowest, highest; /* ratings that are in */
    int32_t floor, ceiling;  /* that all who are in take */
    uint32_t shunned_count;
    uint32_t shunned[SHUNNED_MAX]; /* tickets that somebody avoids who is in, or was */
    struct queue_scan scan;
    struct lineup lineup; /* its first unit is the ticket that the match is tried with */
};

static bool is_in(const struct lineup *l, uint32_t ticket) {
    for (uint32_t i = 0; i < l->unit_count; i++)
        if (l->units[i].ticket == ticket) return true;
    return false;
}

static bool is_avoided(const struct search *s, uint32_t index) {
    const struct queue_ticket *t = &s->queue->tickets[index];
    for (uint32_t i = 0; i < s->shunned_count; i++)
        if (s->shunned[i] == index) return true;
    for (uint32_t i = 0; i < t->avoid_count; i++) {
        uint32_t other = player_map_find(&s->queue->map, queue_ticket_avoids(s->queue, t)[i]);
        if (other != PLAYER_MAP_NONE && is_in(&s->lineup, other)) return true;
    }
    return false;
}

/* takes tells whether a ticket and all who are in take each other, but for roles. */
static bool takes(const struct search *s, uint32_t index) {
    const struct queue_ticket *t = &s->queue->tickets[index];
    if (t->latency[s->region] > t->latency_limit) return false;
    if (t->rating < s->floor || t->rating > s->ceiling) return false;
    if (s->lowest < t->rating - t->window || s->highest > t->rating + t->window) return false;
    return !is_avoided(s, index);
}

/* bind narrows what is taken to what a ticket takes, too. */
static void bind(struct search *s, const struct queue_ticket *t) {
    if (t->rating < s->lowest) s->lowest = t->rating;
    if (t->rating > s->highest) s->highest = t->rating;
    if (t->rating - t->window > s->floor) s->floor = t->rating - t->window;
    if (t->rating + t->window < s->ceiling) s->ceiling = t->rating + t->window;
}

static void unbind(struct search *s) {
    s->lowest = s->ceiling = INT32_MAX;
    s->highest = s->floor = INT32_MIN;
}

/* let_in seats a ticket that everybody takes; false when no side has room and roles for it. */
static bool let_in(struct search *s, uint32_t index) {
    const struct queue_ticket *t = &s->queue->tickets[index];
    struct lineup_unit unit;
    queue_ticket_unit(s->queue, index, &unit);
    if (!lineup_seat(&s->lineup, &unit)) return false;
    queue_ticket_prefetch(s->queue, index);
    bind(s, t);
    for (uint32_t i = 0; i < t->avoid_count; i++) {
        uint32_t other = player_map_find(&s->queue->map, queue_ticket_avoids(s->queue, t)[i]);
        if (other != PLAYER_MAP_NONE) s->shunned[s->shunned_count++] = other;
    }
    return true;
}

/* --- match */

/* is_hopeless tells whether a role is too rare in the ticket's window. It is itself among those who are counted. */
static bool is_hopeless(const struct queue_mode *m, const struct queue_ticket *t) {
    uint32_t low = queue_bucket(t->rating - t->window), high = queue_bucket(t->rating + t->window);
    for (uint32_t role = 0; role < m->role_count; role++) {
        uint32_t there = 0;
        for (uint32_t bucket = low; bucket <= high; bucket++) there += m->supply[role][bucket];
        if (there < m->places[role] * m->mode.teams) return true;
    }
    return false;
}

/* rests_of returns the sums of the sizes of the tickets in a ticket's window. */
static uint32_t rests_of(const struct queue *q, const struct queue_ticket *t) {
    const struct queue_mode *m = &q->modes[t->mode];
    if (m->mode.max_party == 1) return UINT32_MAX;
    uint32_t low = queue_bucket(t->rating - t->window), high = queue_bucket(t->rating + t->window), classes = 0;
    for (uint32_t region = 0; region < q->config.region_count; region++)
        for (uint32_t bucket = low; bucket <= high; bucket++) classes |= m->classes[region][bucket];
    return lineup_rests(classes);
}

/* begin makes a lineup of the first ticket alone. */
static void begin(struct search *s, uint32_t first, uint32_t look) {
    const struct queue_ticket *t = &s->queue->tickets[first];
    const struct queue_mode *m = &s->queue->modes[t->mode];
    lineup_begin(&s->lineup, rests_of(s->queue, t), m->role_count > 1);
    for (uint32_t team = 0; team < m->mode.teams; team++) lineup_add_side(&s->lineup, m->places);
    s->shunned_count = 0;
    unbind(s);
    (void)let_in(s, first); /* where it can't be seated no match will be full */
    s->scan = queue_scan_begin(s->queue, t->mode, s->region, t->rating, t->window, look);
}

/* fill seats tickets, from where the scan is, until the lineup is full. */
static bool fill(struct search *s, uint32_t first) {
    if (s->lineup.unit_count == 0) return false;
    for (uint32_t at; s->lineup.free > 0;) {
        at = queue_scan_next(&s->scan, s->lineup.classes);
        if (at == QUEUE_NONE) return false;
        if (at != first && takes(s, at)) (void)let_in(s, at);
    }
    return true;
}

/* drop_furthest takes the ticket out whose players are furthest from the mean of the lineup, but the first. */
static void drop_furthest(struct search *s) {
    struct lineup *l = &s->lineup;
    int32_t sum = 0, players = 0, most = -1;
    uint32_t furthest = 0;
    for (uint32_t i = 0; i < l->unit_count; i++) {
        sum += l->units[i].sum;
        players += l->units[i].count;
    }
    for (uint32_t i = 1; i < l->unit_count; i++) {
        int32_t off = l->units[i].sum - l->units[i].count * (sum / players);
        if (off < 0) off = -off;
        if (off <= most) continue;
        most = off;
        furthest = i;
    }
    lineup_unseat(l, furthest);
    unbind(s);
    for (uint32_t i = 0; i < l->unit_count; i++) bind(s, &s->queue->tickets[l->units[i].ticket]);
}

/* find fills a lineup that is balanced, and sets the gap between its teams. */
static bool find(struct search *s, uint32_t first, struct queue_stats *stats, uint32_t *gap) {
    uint32_t most = s->queue->modes[s->queue->tickets[first].mode].mode.balance_max;
    bool was_full = false;
    for (uint32_t mends = 0; fill(s, first); mends++) {
        *gap = lineup_balance(&s->lineup);
        if (*gap <= most) return true;
        was_full = true;
        if (mends == QUEUE_MENDS_MAX || s->lineup.unit_count == 1) break;
        drop_furthest(s);
        stats->mends++;
    }
    stats->unbalanced += was_full;
    return false;
}

/* plan_of writes a full lineup down, team by team, and gives everybody a role. */
static void plan_of(struct queue *q, const struct lineup *l, struct queue_plan *plan) {
    const struct queue_mode *m = &q->modes[plan->mode];
    uint8_t *roles = plan->roles;
    plan->ticket_count = 0;
    for (uint32_t i = 0; i < l->unit_count; i++) queue_ticket_prefetch_more(q, l->units[i].ticket);
    for (uint32_t team = 0; team < l->side_count; team++) {
        uint8_t places[MODE_ROLES_MAX], masks[MODE_TEAM_SIZE_MAX];
        uint32_t count = 0;
        memcpy(places, m->places, sizeof places);
        for (uint32_t i = 0; i < l->sides[team].unit_count; i++) {
            uint32_t ticket = l->units[l->sides[team].units[i]].ticket;
            plan->tickets[plan->ticket_count] = ticket;
            plan->teams[plan->ticket_count++] = (uint8_t)team;
            for (uint32_t at = q->tickets[ticket].members; at != QUEUE_NONE; at = q->members[at].next)
                masks[count++] = q->members[at].roles;
        }
        CHECK(lineup_roles(places, masks, roles, count));
        roles += count;
    }
}

/* try_region looks for a match in a region. */
static bool try_region(struct queue *q, uint32_t index, uint32_t region, uint32_t look, uint32_t *looked) {
    struct search search; /* not cleared: it is large */
    uint32_t gap;
    search.queue = q;
    search.region = region;
    begin(&search, index, look);
    bool is_found = find(&search, index, &q->stats, &gap);
    *looked = search.scan.looked;
    q->stats.looked += *looked;
    if (!is_found) return false;
    struct queue_plan plan = {.match = q->next_match++, .mode = q->tickets[index].mode, .region = region, .gap = gap};
    plan_of(q, &search.lineup, &plan);
    queue_plan_carry_out(q, &plan);
    return true;
}

/* nearest returns the nearest region that the ticket takes and that is not of `tried`, or QUEUE_NONE. */
static uint32_t nearest(const struct queue_ticket *t, uint32_t region_count, uint32_t tried) {
    uint32_t best = QUEUE_NONE;
    for (uint32_t region = 0; region < region_count; region++) {
        if (tried >> region & 1 || t->latency[region] > t->latency_limit) continue;
        if (best == QUEUE_NONE || t->latency[region] < t->latency[best]) best = region;
    }
    return best;
}

bool queue_match_try(struct queue *q, uint32_t index) {
    const struct queue_ticket *t = &q->tickets[index];
    const struct queue_mode *m = &q->modes[t->mode];
    CHECK(t->state == QUEUE_WAITING);
    if (m->is_held) return false;
    q->stats.attempts++;
    if (is_hopeless(m, t)) {
        q->stats.hopeless++;
        return false;
    }
    if (!queue_check_is_free(q, t->mode)) return false;
    /* The nearest region gets half of what may be looked at, the next half of what is left, and so on. */
    uint32_t look = QUEUE_LOOK_BASE + QUEUE_LOOK_PER_PLAYER * m->players, tried = 0, looked;
    for (uint32_t region; (region = nearest(t, q->config.region_count, tried)) != QUEUE_NONE; look -= looked) {
        tried |= 1u << region;
        bool is_last = nearest(t, q->config.region_count, tried) == QUEUE_NONE;
        if (try_region(q, index, region, is_last ? look : (look + 1) / 2, &looked)) return true;
    }
    return false;
}
