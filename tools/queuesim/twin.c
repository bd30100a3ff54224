/* twin.c: see twin.h. */
#include "tools/queuesim/twin.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NOT_WAITING UINT32_MAX
#define NODES_MAX   20000 /* of a search for teams: all of them for two teams of 5 */

#define SCALE_LOG2_MAX 4
#define BISECTIONS     10

struct twin {
    const struct day *day;
    struct mode mode;
    struct outcome *outcome;
    uint32_t *waiting; /* tickets, in no order */
    uint32_t waiting_count;
    uint32_t *place;  /* of each ticket in `waiting`, or NOT_WAITING */
    uint32_t *due_ms; /* when a ticket is tried again */
    uint32_t *again;  /* tickets in the order in which they are due: all wait equally long for that */
    uint32_t again_first, again_count;
    uint32_t *candidates;
};

/* What an attempt has put together so far. */
struct group {
    uint32_t tickets[MODE_PLAYERS_MAX];
    uint32_t count, players;
};

/* --- teams */

struct teams {
    const struct day *day;
    const struct mode *mode;
    uint32_t tickets[MODE_PLAYERS_MAX]; /* the largest first */
    uint32_t count;
    uint32_t sizes[MODE_TEAMS_MAX];
    uint32_t members[MODE_TEAMS_MAX][MODE_TEAM_SIZE_MAX]; /* players */
    int64_t sums[MODE_TEAMS_MAX];
    bool is_whole; /* all places are taken, so that a gap can be told */
    uint32_t nodes;
    double gap; /* the least found */
};

/* role_take finds player `at` of a team a place, moving others to other roles where that helps: a matching by augmenting
 * paths. */
static bool role_take(const struct teams *teams, uint32_t team, uint32_t at,
                      uint32_t taken[MODE_ROLES_MAX][MODE_TEAM_SIZE_MAX], uint32_t counts[MODE_ROLES_MAX], uint32_t *seen) {
    uint32_t roles = teams->day->players[teams->members[team][at]].roles;
    for (uint32_t role = 0; role < teams->mode->role_count; role++) {
        if (!(roles & 1u << role) || *seen & 1u << role) continue;
        *seen |= 1u << role;
        if (counts[role] < teams->mode->roles[role].per_team) {
            taken[role][counts[role]++] = at;
            return true;
        }
        for (uint32_t i = 0; i < counts[role]; i++) {
            if (!role_take(teams, team, taken[role][i], taken, counts, seen)) continue;
            taken[role][i] = at;
            return true;
        }
    }
    return false;
}

static bool roles_fit(const struct teams *teams, uint32_t team) {
    uint32_t taken[MODE_ROLES_MAX][MODE_TEAM_SIZE_MAX], counts[MODE_ROLES_MAX] = {0};
    for (uint32_t at = 0; teams->mode->role_count > 0 && at < teams->sizes[team]; at++) {
        uint32_t seen = 0;
        if (!role_take(teams, team, at, taken, counts, &seen)) return false;
    }
    return true;
}

static double teams_gap(const struct teams *teams) {
    double best = -INFINITY, worst = INFINITY;
    for (uint32_t t = 0; t < teams->mode->teams; t++) {
        double mean = (double)teams->sums[t] / teams->sizes[t];
        best = fmax(best, mean);
        worst = fmin(worst, mean);
    }
    return best - worst;
}

static void team_change(struct teams *teams, uint32_t team, const struct day_ticket *ticket, bool joins) {
    if (!joins) teams->sizes[team] -= ticket->count;
    for (uint32_t j = 0; j < ticket->count; j++) {
        int32_t rating = teams->day->players[ticket->first + j].rating;
        teams->sums[team] += joins ? rating : -rating;
        teams->members[team][teams->sizes[team] + j] = ticket->first + j;
    }
    if (joins) teams->sizes[team] += ticket->count;
}

/* teams_search puts ticket `at` and those after it into teams in every way. For a whole match it seeks the least gap, else
 * any way at all; true when there is one. */
static bool teams_search(struct teams *teams, uint32_t at) {
    if (at == teams->count) {
        if (teams->is_whole) teams->gap = fmin(teams->gap, teams_gap(teams));
        return true;
    }
    bool is_found = false, was_empty = false;
    const struct day_ticket *ticket = &teams->day->tickets[teams->tickets[at]];
    for (uint32_t t = 0; t < teams->mode->teams && teams->nodes < NODES_MAX; t++) {
        bool is_empty = teams->sizes[t] == 0;
        if ((is_empty && was_empty) || teams->sizes[t] + ticket->count > teams->mode->team_size) continue;
        was_empty |= is_empty; /* one empty team is like another */
        teams->nodes++;
        team_change(teams, t, ticket, true);
        if (roles_fit(teams, t)) is_found |= teams_search(teams, at + 1);
        team_change(teams, t, ticket, false);
        if (is_found && !teams->is_whole) return true;
    }
    return is_found;
}

/* group_gap returns the least gap between the teams that a group can play in; 0 for one that is not whole, INFINITY when
 * there are no such teams. */
static double group_gap(const struct twin *twin, const struct group *group) {
    struct teams teams = {.day = twin->day, .mode = &twin->mode, .count = group->count, .gap = INFINITY};
    teams.is_whole = group->players == twin->mode.teams * twin->mode.team_size;
    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t at = i, size = twin->day->tickets[group->tickets[i]].count;
        for (; at > 0 && twin->day->tickets[teams.tickets[at - 1]].count < size; at--)
            teams.tickets[at] = teams.tickets[at - 1];
        teams.tickets[at] = group->tickets[i];
    }
    if (!teams_search(&teams, 0)) return INFINITY;
    return teams.is_whole ? teams.gap : 0;
}

/* --- an attempt */

static uint32_t widened(uint32_t start, uint32_t step, uint32_t max, uint64_t times) {
    uint64_t now = start + step * times;
    return now < max ? (uint32_t)now : max;
}

static uint32_t window_of(const struct twin *twin, uint32_t ticket, uint32_t now_ms) {
    uint32_t times = (now_ms - twin->day->tickets[ticket].entered_ms) / twin->mode.window_every_ms;
    return widened(twin->mode.window_start, twin->mode.window_step, twin->mode.window_max, times);
}

static bool reaches(const struct twin *twin, uint32_t ticket, uint32_t region, uint32_t now_ms) {
    uint32_t times = (now_ms - twin->day->tickets[ticket].entered_ms) / twin->mode.window_every_ms;
    return twin->day->tickets[ticket].latency_ms[region] <=
           widened(twin->mode.latency_start_ms, twin->mode.latency_step_ms, twin->mode.latency_max_ms, times);
}

static uint32_t apart(const struct twin *twin, uint32_t a, uint32_t b) {
    return (uint32_t)abs(twin->day->tickets[a].rating - twin->day->tickets[b].rating);
}

static bool is_overdue(const struct twin *twin, uint32_t ticket, uint32_t now_ms) {
    return now_ms - twin->day->tickets[ticket].entered_ms >= twin->mode.timeout_ms;
}

/* What candidates are sorted by: distance, then who came first. */
struct order {
    const struct twin *twin;
    uint32_t seed;
};

static int nearer(const void *a, const void *b, void *ctx) {
    const struct order *order = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint32_t to_x = apart(order->twin, order->seed, x), to_y = apart(order->twin, order->seed, y);
    if (to_x != to_y) return to_x < to_y ? -1 : 1;
    return (x > y) - (x < y);
}

/* candidates_find lists all who could play with a ticket in a region, the nearest first; returns how many. */
static uint32_t candidates_find(struct twin *twin, uint32_t seed, uint32_t region, uint32_t now_ms) {
    uint32_t count = 0, window = window_of(twin, seed, now_ms);
    for (uint32_t i = 0; i < twin->waiting_count; i++) {
        uint32_t ticket = twin->waiting[i], distance = apart(twin, seed, ticket);
        if (ticket == seed || distance > window || is_overdue(twin, ticket, now_ms)) continue;
        if (distance > window_of(twin, ticket, now_ms) || !reaches(twin, ticket, region, now_ms)) continue;
        twin->candidates[count++] = ticket;
    }
    struct order order = {twin, seed};
    qsort_r(twin->candidates, count, sizeof *twin->candidates, nearer, &order);
    return count;
}

static bool group_takes(const struct twin *twin, const struct group *group, uint32_t ticket, uint32_t now_ms) {
    uint32_t window = window_of(twin, ticket, now_ms);
    if (group->players + twin->day->tickets[ticket].count > twin->mode.teams * twin->mode.team_size) return false;
    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t distance = apart(twin, group->tickets[i], ticket);
        if (distance > window || distance > window_of(twin, group->tickets[i], now_ms)) return false;
    }
    return true;
}

static void group_add(const struct twin *twin, struct group *group, uint32_t ticket) {
    group->tickets[group->count++] = ticket;
    group->players += twin->day->tickets[ticket].count;
}

/* group_fill adds candidates, the nearest first; one that leaves no teams, or unbalanced ones, is passed over. Returns the
 * gap between teams, INFINITY when there were not enough. */
static double group_fill(struct twin *twin, struct group *group, uint32_t candidates, uint32_t now_ms) {
    uint32_t whole = twin->mode.teams * twin->mode.team_size;
    for (uint32_t i = 0; group->players < whole && i < candidates; i++) {
        if (!group_takes(twin, group, twin->candidates[i], now_ms)) continue;
        struct group tried = *group;
        group_add(twin, &tried, twin->candidates[i]);
        double gap = group_gap(twin, &tried);
        if (gap > twin->mode.balance_max) continue;
        *group = tried;
        if (group->players == whole) return gap;
    }
    return group->players == whole ? group_gap(twin, group) : INFINITY;
}

static uint32_t group_spread(const struct twin *twin, const struct group *group) {
    uint32_t spread = 0;
    for (uint32_t i = 0; i < group->count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (apart(twin, group->tickets[i], group->tickets[j]) > spread)
                spread = apart(twin, group->tickets[i], group->tickets[j]);
    return spread;
}

static void leave(struct twin *twin, uint32_t ticket) {
    uint32_t place = twin->place[ticket], last = twin->waiting[--twin->waiting_count];
    twin->waiting[place] = last;
    twin->place[last] = place;
    twin->place[ticket] = NOT_WAITING;
}

/* attempt forms the closest match with a ticket in it, over all regions that it reaches. */
static void attempt(struct twin *twin, uint32_t seed, uint32_t now_ms) {
    struct group best = {.count = 0};
    double best_gap = INFINITY;
    for (uint32_t region = 0; region < DAY_REGIONS; region++) {
        if (!reaches(twin, seed, region, now_ms)) continue;
        struct group group = {.count = 0};
        group_add(twin, &group, seed);
        double gap = group_fill(twin, &group, candidates_find(twin, seed, region, now_ms), now_ms);
        if (isinf(gap) || gap > twin->mode.balance_max) continue;
        if (best.count > 0 && group_spread(twin, &best) <= group_spread(twin, &group)) continue;
        best = group;
        best_gap = gap;
    }
    if (best.count == 0) return;
    for (uint32_t i = 0; i < best.count; i++) leave(twin, best.tickets[i]);
    outcome_match(twin->outcome, twin->day, best.tickets, best.count, (uint32_t)best_gap, now_ms);
}

/* --- a day */

static void try_later(struct twin *twin, uint32_t ticket, uint32_t now_ms) {
    twin->due_ms[ticket] = now_ms + twin->mode.window_every_ms;
    twin->again[(twin->again_first + twin->again_count++) % twin->day->ticket_count] = ticket;
}

/* try_again goes on with the ticket that is due first. */
static void try_again(struct twin *twin) {
    uint32_t ticket = twin->again[twin->again_first], now_ms = twin->due_ms[ticket];
    twin->again_first = (twin->again_first + 1) % twin->day->ticket_count;
    twin->again_count--;
    if (twin->place[ticket] == NOT_WAITING) return;
    if (is_overdue(twin, ticket, now_ms)) {
        leave(twin, ticket);
        twin->outcome->timed_out++;
        return;
    }
    attempt(twin, ticket, now_ms);
    if (twin->place[ticket] != NOT_WAITING) try_later(twin, ticket, now_ms);
}

static void enter(struct twin *twin, uint32_t ticket) {
    uint32_t now_ms = twin->day->tickets[ticket].entered_ms;
    twin->place[ticket] = twin->waiting_count;
    twin->waiting[twin->waiting_count++] = ticket;
    attempt(twin, ticket, now_ms);
    if (twin->place[ticket] != NOT_WAITING) try_later(twin, ticket, now_ms);
}

static void play(struct twin *twin) {
    for (uint32_t next = 0; next < twin->day->ticket_count || twin->again_count > 0;) {
        bool has_due = twin->again_count > 0;
        uint32_t due_ms = has_due ? twin->due_ms[twin->again[twin->again_first]] : 0;
        bool is_next = next < twin->day->ticket_count && (!has_due || twin->day->tickets[next].entered_ms < due_ms);
        if (!is_next && due_ms > DAY_MS) return;
        if (is_next)
            enter(twin, next++);
        else
            try_again(twin);
    }
}

static uint32_t scaled(uint32_t points, double scale) {
    return (uint32_t)fmin(round(points * scale), MODE_POINTS_MAX);
}

int twin_run(const struct day *day, double scale, struct outcome *outcome) {
    size_t room = (size_t)day->ticket_count + 1;
    uint32_t *memory = calloc(5 * room, sizeof *memory);
    if (!memory) return MARCH_ERR_SYSTEM;
    struct twin twin = {.day = day,
                        .mode = day->mode,
                        .outcome = outcome,
                        .waiting = memory,
                        .place = memory + room,
                        .due_ms = memory + 2 * room,
                        .again = memory + 3 * room,
                        .candidates = memory + 4 * room};
    twin.mode.window_start = scaled(day->mode.window_start, scale);
    twin.mode.window_step = scaled(day->mode.window_step, scale);
    twin.mode.window_max = scaled(day->mode.window_max, scale);
    play(&twin);
    free(memory);
    return 0;
}

static int run_and_sum_up(const struct day *day, double scale, struct outcome_summary *summary) {
    struct outcome outcome;
    int result = outcome_init(&outcome, day);
    if (result != 0) return result;
    result = twin_run(day, scale, &outcome);
    if (result == 0) outcome_sum_up(&outcome, day, summary);
    outcome_deinit(&outcome);
    return result;
}

int twin_run_at_wait(const struct day *day, double wait_s, double *scale, struct outcome_summary *summary) {
    double low = -SCALE_LOG2_MAX, high = SCALE_LOG2_MAX; /* wider windows, shorter waits */
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;
        *scale = exp2(middle);
        int result = run_and_sum_up(day, *scale, summary);
        if (result != 0) return result;
        if (fabs(summary->ended_mean_s - wait_s) <= 0.005 * wait_s) break;
        if (summary->ended_mean_s > wait_s)
            low = middle;
        else
            high = middle;
    }
    return 0;
}
