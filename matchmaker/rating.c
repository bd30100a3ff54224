/* rating.c: see rating.h. The names of the paper in brackets. */
#include "matchmaker/rating.h"

#include <math.h>

#define DAY_S 86400.0

/* A team as one player: the sum of its own. */
struct sum {
    double mu;       /* [mu_i] */
    double variance; /* [sigma_i^2] */
};

static double square(double x) {
    return x * x;
}

static bool rating_is_valid(const struct rating *r) {
    return fabs(r->mu) <= RATING_MU_MAX && r->sigma > 0 && r->sigma <= RATING_SIGMA_MAX; /* false for NaN */
}

static bool teams_are_valid(const struct rating_team *teams, uint32_t count) {
    if (count < 1 || count > RATING_TEAMS_MAX) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (teams[i].count < 1 || teams[i].count > RATING_TEAM_SIZE_MAX) return false;
        for (uint32_t j = 0; j < teams[i].count; j++)
            if (!rating_is_valid(&teams[i].players[j])) return false;
    }
    return true;
}

/* variance_before is that of a player who is about to play. */
static double variance_before(const struct rating_rules *rules, const struct rating *player) {
    return square(player->sigma) + square(rules->drift);
}

static struct sum team_sum(const struct rating_rules *rules, const struct rating_team *team) {
    struct sum sum = {0, 0};
    for (uint32_t j = 0; j < team->count; j++) {
        sum.mu += team->players[j].mu;
        sum.variance += variance_before(rules, &team->players[j]);
    }
    return sum;
}

/* What the ranking says of a team: the first two derivatives of its log-likelihood. */
struct evidence {
    double slope; /* [Omega_i c / sigma_i^2] */
    double bend;  /* [Delta_i c^2 / (sigma_i^2 gamma)] */
};

/* team_evidence follows the ranking as a row of draws: each team in turn was drawn as the best of those not above it [C_q].
 * Team i had a part in its own draw and in those of teams above; tied teams [A_q] share theirs. The sum holds i itself, as
 * exp(0): it is never 0, and where it overflows the chance is 0, as it should be. */
static struct evidence team_evidence(const struct rating_team *teams, const struct sum *sums, uint32_t count, double c,
                                     uint32_t i) {
    struct evidence evidence = {0, 0};
    for (uint32_t q = 0; q < count; q++) {
        if (teams[q].rank > teams[i].rank) continue;
        double sum = 0, tied = 0;
        for (uint32_t s = 0; s < count; s++) {
            if (teams[s].rank >= teams[q].rank) sum += exp((sums[s].mu - sums[i].mu) / c);
            if (teams[s].rank == teams[q].rank) tied++;
        }
        double chance = 1 / sum; /* [p_iq] */
        evidence.slope += ((i == q ? 1 : 0) - chance) / tied;
        evidence.bend += chance * (1 - chance) / tied;
    }
    return evidence;
}

/* player_move changes a player by the part of the team's variance that is the player's: equations (43) and (44). */
static void player_move(const struct rating_rules *rules, struct rating *player, struct evidence evidence, struct sum team,
                        double c) {
    double variance = variance_before(rules, player);
    double gamma = sqrt(team.variance) / c; /* slows the fall of sigma down; the choice of the paper */
    player->mu += variance / c * evidence.slope;
    player->sigma = sqrt(variance * fmax(1 - variance / square(c) * gamma * evidence.bend, rules->kappa));
}

int rating_update(const struct rating_rules *rules, const struct rating_team *teams, uint32_t count) {
    if (!teams_are_valid(teams, count)) return MARCH_ERR_INVALID;
    if (count == 1) return 0;
    struct sum sums[RATING_TEAMS_MAX];
    double c = 0;
    for (uint32_t i = 0; i < count; i++) {
        sums[i] = team_sum(rules, &teams[i]);
        c += sums[i].variance + square(rules->beta);
    }
    c = sqrt(c);
    for (uint32_t i = 0; i < count; i++) {
        struct evidence evidence = team_evidence(teams, sums, count, c, i);
        for (uint32_t j = 0; j < teams[i].count; j++) player_move(rules, &teams[i].players[j], evidence, sums[i], c);
    }
    return 0;
}

/* grow returns sigma with a variance added, up to a limit; never less than it was. */
static double grow(double sigma, double variance, double limit) {
    return fmax(sigma, fmin(sqrt(square(sigma) + variance), limit));
}

struct rating rating_after_idle(const struct rating_rules *rules, struct rating rating, uint64_t idle_s) {
    double variance = square(rules->idle_sigma_a_day) * ((double)idle_s / DAY_S);
    return (struct rating){rating.mu, grow(rating.sigma, variance, rules->idle_sigma_max)};
}

struct rating rating_after_season(const struct rating_rules *rules, struct rating rating) {
    return (struct rating){rules->start.mu + rules->season_keep * (rating.mu - rules->start.mu),
                           grow(rating.sigma, square(rules->season_sigma), rules->start.sigma)};
}

bool rating_is_provisional(const struct rating_rules *rules, struct rating rating) {
    return rating.sigma > rules->provisional_sigma;
}

static int32_t points(double mu) {
    double exact = RATING_POINTS_START + RATING_POINTS_PER_MU * (mu - 25);
    return (int32_t)round(fmax(0, fmin(exact, RATING_POINTS_MAX)));
}

int32_t rating_points(struct rating rating) {
    return points(rating.mu);
}

int32_t rating_points_proven(struct rating rating) {
    return points(rating.mu - 3 * rating.sigma);
}
