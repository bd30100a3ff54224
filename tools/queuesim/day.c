/* day.c: see day.h. */
#include "tools/queuesim/day.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

#define SKILL_MEAN      1500.0
#define SKILL_DEVIATION 500.0
#define PARTY_DEVIATION 200.0 /* of friends from one another: part of the above */
#define EVENING_PART    0.8 /* how far the rate swings around its mean: nine times as many in the evening as in the morning */
#define FLEXIBLE_PART   0.2 /* of players, who can play one more role */

/* Where players live, and what they measure to the regions' servers, before what is their own: 5 to 45 ms. */
static const double REGION_PART[DAY_REGIONS] = {0.5, 0.3, 0.2};
static const double REGION_EVENING[DAY_REGIONS] = {20.0 / 24, 2.0 / 24, 12.0 / 24};
static const uint32_t REGION_MS[DAY_REGIONS][DAY_REGIONS] = {{5, 85, 140}, {85, 5, 110}, {140, 110, 5}};

static const double PARTY_PART[] = {0.6, 0.2, 0.1, 0.05, 0.05}; /* of tickets, of 1 player, of 2, ... */
#define PARTY_MAX ((uint32_t)(sizeof PARTY_PART / sizeof PARTY_PART[0]))

struct draw {
    uint64_t state;
};

/* SplitMix64; from 0 to 1, without either. */
static double draw_unit(struct draw *draw) {
    uint64_t z = draw->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return ((double)((z ^ (z >> 31)) >> 12) + 0.5) * 0x1p-52;
}

static uint32_t draw_below(struct draw *draw, uint32_t bound) {
    return (uint32_t)(draw_unit(draw) * bound);
}

static double draw_normal(struct draw *draw) {
    double radius = sqrt(-2 * log(draw_unit(draw)));
    return radius * cos(2 * PI * draw_unit(draw));
}

/* draw_weighted returns an index, by weights that add up to 1. */
static uint32_t draw_weighted(struct draw *draw, const double *weights, uint32_t count) {
    double left = draw_unit(draw);
    uint32_t i = 0;
    while (i + 1 < count && left >= weights[i]) left -= weights[i++];
    return i;
}

/* region_rates fills how much of the day's mean rate comes from each region at a time, and returns the sum. */
static double region_rates(double time_ms, double rates[DAY_REGIONS]) {
    double sum = 0;
    for (uint32_t r = 0; r < DAY_REGIONS; r++) {
        rates[r] = REGION_PART[r] * (1 + EVENING_PART * cos(2 * PI * (time_ms / DAY_MS - REGION_EVENING[r])));
        sum += rates[r];
    }
    return sum;
}

/* draw_main_role: who comes alone wants to do what most in a team do, more than is needed of it. */
static uint32_t draw_main_role(struct draw *draw, const struct mode *mode) {
    double weights[MODE_ROLES_MAX], sum = 0;
    for (uint32_t i = 0; i < mode->role_count; i++) sum += weights[i] = pow(mode->roles[i].per_team, 1.25);
    for (uint32_t i = 0; i < mode->role_count; i++) weights[i] /= sum;
    return draw_weighted(draw, weights, mode->role_count);
}

/* draw_roles gives a party roles that a team has room for, and some of them one more. */
static void draw_roles(struct draw *draw, const struct mode *mode, struct queue_player *players, uint32_t count) {
    uint32_t left[MODE_ROLES_MAX];
    for (uint32_t i = 0; i < mode->role_count; i++) left[i] = mode->roles[i].per_team;
    for (uint32_t j = 0; mode->role_count > 0 && j < count; j++) {
        uint32_t role = draw_main_role(draw, mode);
        while (left[role] == 0) role = (role + 1) % mode->role_count;
        left[role]--;
        players[j].roles = 1u << role;
        if (draw_unit(draw) < FLEXIBLE_PART) players[j].roles |= 1u << draw_below(draw, mode->role_count);
    }
}

static void draw_players(struct draw *draw, const struct mode *mode, struct queue_player *players, uint32_t count,
                         uint32_t region) {
    double own = count > 1 ? PARTY_DEVIATION : 0;
    double shared = SKILL_MEAN + sqrt(SKILL_DEVIATION * SKILL_DEVIATION - own * own) * draw_normal(draw);
    for (uint32_t j = 0; j < count; j++) {
        double rating = fmax(0, fmin(round(shared + own * draw_normal(draw)), MODE_POINTS_MAX));
        players[j].rating = (int32_t)rating;
        uint32_t line_ms = draw_below(draw, 41);
        for (uint32_t r = 0; r < DAY_REGIONS; r++) players[j].latency_ms[r] = (uint16_t)(REGION_MS[region][r] + line_ms);
        for (uint32_t r = DAY_REGIONS; r < QUEUE_REGIONS_MAX; r++) players[j].latency_ms[r] = QUEUE_UNREACHABLE_MS;
    }
    draw_roles(draw, mode, players, count);
}

/* ticket_sum_up sets what a ticket has from its players. */
static void ticket_sum_up(struct day_ticket *ticket, const struct queue_player *players) {
    int32_t sum = 0, best = players[0].rating;
    for (uint32_t j = 0; j < ticket->count; j++) {
        sum += players[j].rating;
        if (players[j].rating > best) best = players[j].rating;
        for (uint32_t r = 0; r < DAY_REGIONS; r++)
            if (players[j].latency_ms[r] > ticket->latency_ms[r]) ticket->latency_ms[r] = players[j].latency_ms[r];
    }
    ticket->rating = (sum / (int32_t)ticket->count + best) / 2;
}

static void add_ticket(struct day *day, struct draw *draw, double time_ms, uint32_t region) {
    uint32_t count = 1 + draw_weighted(draw, PARTY_PART, PARTY_MAX);
    if (count > day->mode.max_party) count = day->mode.max_party;
    struct day_ticket *ticket = &day->tickets[day->ticket_count];
    *ticket = (struct day_ticket){.entered_ms = (uint32_t)time_ms, .first = day->player_count, .count = count};
    struct queue_player *players = &day->players[day->player_count];
    draw_players(draw, &day->mode, players, count, region);
    for (uint32_t j = 0; j < count; j++) {
        day->ticket_of[day->player_count] = day->ticket_count;
        players[j].id = ++day->player_count;
    }
    ticket_sum_up(ticket, players);
    day->ticket_count++;
}

int day_init(struct day *day, const struct mode *mode, uint32_t tickets, uint64_t seed) {
    *day = (struct day){.mode = *mode};
    uint32_t room = tickets + 10 * (uint32_t)sqrt(tickets) + 100; /* ten deviations above the mean */
    day->tickets = calloc(room, sizeof *day->tickets);
    day->players = calloc((size_t)room * PARTY_MAX, sizeof *day->players);
    day->ticket_of = calloc((size_t)room * PARTY_MAX, sizeof *day->ticket_of);
    if (!day->tickets || !day->players || !day->ticket_of) {
        day_deinit(day);
        return MARCH_ERR_SYSTEM;
    }
    struct draw draw = {seed};
    double rate_max = (1 + EVENING_PART) * tickets / DAY_MS, rates[DAY_REGIONS];
    for (double now = 0; day->ticket_count < room;) { /* thinned from a process of the greatest rate */
        now -= log(draw_unit(&draw)) / rate_max;
        if (now >= DAY_MS) break;
        double rate = region_rates(now, rates);
        if (draw_unit(&draw) * (1 + EVENING_PART) >= rate) continue;
        for (uint32_t r = 0; r < DAY_REGIONS; r++) rates[r] /= rate;
        add_ticket(day, &draw, now, draw_weighted(&draw, rates, DAY_REGIONS));
    }
    return 0;
}

void day_deinit(struct day *day) {
    free(day->tickets);
    free(day->players);
    free(day->ticket_of);
    *day = (struct day){0};
}
