/* rating.h: how good a player is, and how sure that is, from the results of matches.
 *
 * The Plackett-Luce model of Weng and Lin, "A Bayesian Approximation Method for Online Ranking", JMLR 12 (2011), 267-300,
 * Algorithm 4, which OpenSkill made common. A player is a normal distribution, mu and sigma; a team is the sum of its
 * players; a match is a ranking of 2 to RATING_TEAMS_MAX teams, ties allowed, so that duels, teams and free-for-all are one
 * thing.
 *
 * Why not the pairs of Algorithm 1 (Bradley-Terry, full pair)? For two teams both give the same, ties included. Of more it
 * takes each pair for a match of its own, and is sure too soon: 1,000 simulated players of true skills that deviate by 4.2,
 * after 5 free-for-alls of 8 against others near them, had a sigma of 3.4 and an error of 13.2; with Plackett-Luce 7.9 and
 * 2.8. Both had them in nearly the same order (correlation with the truth 0.88 and 0.85, and 0.99 after 200).
 *
 * Pure functions of their arguments: no state, no memory taken, nothing read but the arguments. A team that lacks players is
 * rated as one that was expected to lose.
 */
#ifndef MARCH_MATCHMAKER_RATING_H
#define MARCH_MATCHMAKER_RATING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define RATING_TEAMS_MAX     8
#define RATING_TEAM_SIZE_MAX 16
#define RATING_MU_MAX        1e6 /* to either side of 0 */
#define RATING_SIGMA_MAX     1e3
#define RATING_POINTS_MAX    10000
#define RATING_POINTS_START  1500 /* of a mu of 25, where everybody starts */
#define RATING_POINTS_PER_MU 60

struct rating {
    double mu;    /* the mean */
    double sigma; /* the standard deviation, above 0 */
};

/* What a studio may turn. RATING_RULES has the values of the paper where it gives one, else ours. */
struct rating_rules {
    struct rating start;      /* of a player without results */
    double beta;              /* how much a player's play varies from match to match */
    double kappa;             /* the least part of a variance that one match leaves */
    double drift;             /* sigma of what skill changes from match to match: keeps ratings from setting hard */
    double provisional_sigma; /* a player is provisional above it */
    double idle_sigma_a_day;  /* sigma of what skill changes in a day away */
    double idle_sigma_max;    /* time away makes nobody less sure than that */
    double season_keep;       /* part of the distance from the start's mu that a new season leaves, 0 to 1 */
    double season_sigma;      /* sigma of what a new season changes; nobody is less sure than at the start */
};

/* Provisional is who played less than about 13 duels, 37 free-for-alls of 8, or 47 matches of 5 against 5. After 100 days
 * away a sigma of 2 is 3.6. */
#define RATING_RULES                                                                                                        \
    ((struct rating_rules){.start = {25, 25.0 / 3},                                                                         \
                           .beta = 25.0 / 6,                                                                                \
                           .kappa = 1e-4,                                                                                   \
                           .drift = 25.0 / 300,                                                                             \
                           .provisional_sigma = 6,                                                                          \
                           .idle_sigma_a_day = 0.3,                                                                         \
                           .idle_sigma_max = 6.5,                                                                           \
                           .season_keep = 0.75,                                                                             \
                           .season_sigma = 3})

/* A team in a result. Of two teams that with the lower rank did better; those of the same rank tied. */
struct rating_team {
    struct rating *players;
    uint32_t count; /* of players, 1 to RATING_TEAM_SIZE_MAX */
    uint32_t rank;
};

/* rating_update rates the players of a match by its result, in place. The order of teams, and of players in them, decides
 * nothing but the last bits. A single team has nobody to compare it with, so nothing changes. MARCH_ERR_INVALID, with
 * nothing changed, for no team or more than RATING_TEAMS_MAX, a team without players or with too many, or a rating that is
 * not a number within the limits above. */
must_check int rating_update(const struct rating_rules *rules, const struct rating_team *teams, uint32_t count);

/* rating_after_idle returns the rating after time away: sigma grows as of a random walk, up to the rules' limit; two spans
 * give what their sum gives. */
struct rating rating_after_idle(const struct rating_rules *rules, struct rating rating, uint64_t idle_s);

/* rating_after_season returns the rating at the start of a new season: nearer to the mean, and less sure. */
struct rating rating_after_season(const struct rating_rules *rules, struct rating rating);

/* rating_is_provisional tells whether too few results are in for the rating to be shown or ranked. */
bool rating_is_provisional(const struct rating_rules *rules, struct rating rating);

/* rating_points returns mu as the number that queues and players see: RATING_POINTS_START for 25, RATING_POINTS_PER_MU more
 * for each one above, rounded, from 0 to RATING_POINTS_MAX. */
int32_t rating_points(struct rating rating);

/* rating_points_proven returns the points of mu - 3 sigma, which 99.9 % of such players are above: for leaderboards, where
 * luck in few matches must not lead. */
int32_t rating_points_proven(struct rating rating);

#endif
