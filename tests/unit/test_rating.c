/* Ratings: numbers of OpenSkill, the paper's equations worked out in another way, what must not matter, and simulated
 * players whose true skill is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "matchmaker/rating.h"
#include "zone/rng.h"

#define TEAMS   RATING_TEAMS_MAX
#define PLAYERS RATING_TEAM_SIZE_MAX

/* A match on the stack: teams and the players they point to. */
struct match {
    struct rating players[TEAMS][PLAYERS];
    struct rating_team teams[TEAMS];
    uint32_t count;
};

static struct rating_rules rules_of_paper(void) {
    struct rating_rules rules = RATING_RULES;
    rules.drift = 0;
    return rules;
}

/* match_init makes teams of starters that came in in the order they stand. */
static void match_init(struct match *match, uint32_t count, const uint32_t *sizes) {
    struct rating_rules rules = RATING_RULES;
    match->count = count;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < sizes[i]; j++) match->players[i][j] = rules.start;
        match->teams[i] = (struct rating_team){match->players[i], sizes[i], i};
    }
}

static void match_copy(struct match *to, const struct match *from) {
    *to = *from;
    for (uint32_t i = 0; i < to->count; i++) to->teams[i].players = to->players[i];
}

static void rate(const struct rating_rules *rules, struct match *match) {
    assert_int_equal(rating_update(rules, match->teams, match->count), 0);
}

#define assert_near(found, expected, tolerance)                                                                             \
    do {                                                                                                                    \
        double found_ = (found), expected_ = (expected);                                                                    \
        if (!(fabs(found_ - expected_) <= (tolerance))) fail_msg("found %.15g, expected %.15g", found_, expected_);         \
    } while (0)

static void assert_rating(struct rating found, double mu, double sigma) {
    assert_near(found.mu, mu, 1e-9);
    assert_near(found.sigma, sigma, 1e-9);
}

/* --- numbers of others */

/* Of the tests of openskill.js, Plackett-Luce. */
static void test_rating_free_for_all_gives_the_numbers_of_openskill(void **state) {
    (void)state;
    static const struct rating expected[4][5] = {
        {{27.63523138347365, 8.065506316323548}, {22.36476861652635, 8.065506316323548}},
        {{27.868876552746237, 8.204837030780652},
         {25.717219138186557, 8.057829747583874},
         {21.413904309067206, 8.057829747583874}},
        {{27.795084971874736, 8.263160757613477},
         {26.552824984374855, 8.179213704945203},
         {24.68943500312503, 8.083731307186588},
         {20.96265504062538, 8.083731307186588}},
        {{27.666666666666668, 8.290556877154474},
         {26.833333333333332, 8.240145629781066},
         {25.72222222222222, 8.179996679645559},
         {24.055555555555557, 8.111796013701358},
         {20.72222222222222, 8.111796013701358}},
    };
    struct rating_rules rules = rules_of_paper();
    for (uint32_t count = 2; count <= 5; count++) {
        struct match match;
        match_init(&match, count, (const uint32_t[]){1, 1, 1, 1, 1});
        rate(&rules, &match);
        for (uint32_t i = 0; i < count; i++)
            assert_rating(match.players[i][0], expected[count - 2][i].mu, expected[count - 2][i].sigma);
    }
}

static void test_rating_teams_give_the_numbers_of_openskill(void **state) {
    (void)state;
    struct rating_rules rules = rules_of_paper();
    struct match match;
    match_init(&match, 3, (const uint32_t[]){3, 1, 2});
    rate(&rules, &match);
    for (uint32_t j = 0; j < 3; j++) assert_rating(match.players[0][j], 25.939870821784513, 8.247641552260456);
    assert_rating(match.players[1][0], 27.21366020491262, 8.274321317985242);
    for (uint32_t j = 0; j < 2; j++) assert_rating(match.players[2][j], 21.84646897330287, 8.213058173195341);

    match_init(&match, 2, (const uint32_t[]){2, 2});
    match.players[0][1] = (struct rating){32.444, 5.123};
    match.players[1][0] = (struct rating){43.381, 2.421};
    match.players[1][1] = (struct rating){25.188, 6.211};
    rate(&rules, &match);
    assert_rating(match.players[0][0], 28.669648436582808, 8.071520788025197);
    assert_rating(match.players[0][1], 33.83086971107981, 5.062772998705765);
    assert_rating(match.players[1][0], 43.071274808241974, 2.4166900452721256);
    assert_rating(match.players[1][1], 23.149503312339064, 6.1378606973362135);
}

/* --- the paper's equations, by another way */

/* match_draw makes a match of 2 to 8 teams of different sizes, with ties. */
static void match_draw(struct match *match, struct rng *rng) {
    match->count = 2 + rng_below(rng, TEAMS - 1);
    for (uint32_t i = 0; i < match->count; i++) {
        match->teams[i] = (struct rating_team){match->players[i], 1 + rng_below(rng, PLAYERS), rng_below(rng, match->count)};
        for (uint32_t j = 0; j < match->teams[i].count; j++)
            match->players[i][j] = (struct rating){rng_between(rng, 1000, 4000) / 100.0, rng_between(rng, 50, 900) / 100.0};
    }
}

static double team_mu(const struct rating_team *team) {
    double sum = 0;
    for (uint32_t j = 0; j < team->count; j++) sum += team->players[j].mu;
    return sum;
}

static double team_variance(const struct rating_team *team) {
    double sum = 0;
    for (uint32_t j = 0; j < team->count; j++) sum += team->players[j].sigma * team->players[j].sigma;
    return sum;
}

/* log_likelihood of the result, of teams of strengths theta: Plackett-Luce, with the geometric mean over ties. */
static double log_likelihood(const struct match *match, const double *theta, double c) {
    double sum = 0;
    for (uint32_t q = 0; q < match->count; q++) {
        double below = 0, tied = 0;
        for (uint32_t s = 0; s < match->count; s++) {
            if (match->teams[s].rank >= match->teams[q].rank) below += exp((theta[s] - theta[q]) / c);
            if (match->teams[s].rank == match->teams[q].rank) tied += 1;
        }
        sum -= log(below) / tied;
    }
    return sum;
}

/* The paper's update of a team is its variance times the slope of the log-likelihood, and its variance less its square times
 * the bend and gamma; both are taken here by small steps, without the derivatives of Algorithm 4. */
static void expect_by_steps(const struct rating_rules *rules, const struct match *before, struct match *expected) {
    double theta[TEAMS], c = 0, step = 1e-2;
    for (uint32_t i = 0; i < before->count; i++) {
        theta[i] = team_mu(&before->teams[i]);
        c += team_variance(&before->teams[i]) + rules->beta * rules->beta;
    }
    c = sqrt(c);
    double middle = log_likelihood(before, theta, c);
    for (uint32_t i = 0; i < before->count; i++) {
        double mu = theta[i];
        theta[i] = mu + step;
        double above = log_likelihood(before, theta, c);
        theta[i] = mu - step;
        double under = log_likelihood(before, theta, c);
        theta[i] = mu;
        double slope = (above - under) / (2 * step), bend = (2 * middle - above - under) / (step * step);
        double gamma = sqrt(team_variance(&before->teams[i])) / c;
        for (uint32_t j = 0; j < before->teams[i].count; j++) {
            const struct rating *player = &before->players[i][j];
            double variance = player->sigma * player->sigma;
            expected->players[i][j].mu = player->mu + variance * slope;
            expected->players[i][j].sigma = sqrt(variance * fmax(1 - variance * gamma * bend, rules->kappa));
        }
    }
}

static void test_rating_any_match_follows_the_likelihood(void **state) {
    (void)state;
    struct rating_rules rules = rules_of_paper();
    struct rng rng = {11};
    for (int round = 0; round < 500; round++) {
        struct match match, expected;
        match_draw(&match, &rng);
        match_copy(&expected, &match);
        expect_by_steps(&rules, &match, &expected);
        rate(&rules, &match);
        for (uint32_t i = 0; i < match.count; i++) {
            for (uint32_t j = 0; j < match.teams[i].count; j++) {
                assert_near(match.players[i][j].mu, expected.players[i][j].mu, 1e-4);
                assert_near(match.players[i][j].sigma, expected.players[i][j].sigma, 1e-4);
            }
        }
    }
}

/* --- what must not matter, and what must hold */

static void test_rating_order_of_teams_and_players_does_not_matter(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    struct rng rng = {12};
    for (int round = 0; round < 500; round++) {
        struct match match, turned;
        match_draw(&match, &rng);
        turned.count = match.count;
        for (uint32_t i = 0; i < match.count; i++) {
            uint32_t at = match.count - 1 - i, players = match.teams[i].count;
            turned.teams[at] = (struct rating_team){turned.players[at], players, 7 * match.teams[i].rank + 3};
            for (uint32_t j = 0; j < players; j++) turned.players[at][players - 1 - j] = match.players[i][j];
        }
        rate(&rules, &match);
        rate(&rules, &turned);
        for (uint32_t i = 0; i < match.count; i++) {
            for (uint32_t j = 0; j < match.teams[i].count; j++) {
                struct rating same = turned.players[match.count - 1 - i][match.teams[i].count - 1 - j];
                assert_rating(match.players[i][j], same.mu, same.sigma);
            }
        }
    }
}

/* What some gain others lose, each measured by its own variance; and a result makes everybody surer. */
static void test_rating_gains_and_losses_cancel_and_sigma_falls(void **state) {
    (void)state;
    struct rating_rules rules = rules_of_paper();
    struct rng rng = {13};
    for (int round = 0; round < 500; round++) {
        struct match match, before;
        match_draw(&match, &rng);
        match_copy(&before, &match);
        rate(&rules, &match);
        double sum = 0;
        for (uint32_t i = 0; i < match.count; i++) {
            double variance = before.players[i][0].sigma * before.players[i][0].sigma;
            sum += (match.players[i][0].mu - before.players[i][0].mu) / variance;
            for (uint32_t j = 0; j < match.teams[i].count; j++) {
                assert_true(match.players[i][j].sigma > 0);
                assert_true(match.players[i][j].sigma <= before.players[i][j].sigma);
            }
        }
        assert_near(sum, 0, 1e-12);
    }
}

static void test_rating_tie_of_equals_moves_nobody(void **state) {
    (void)state;
    struct rating_rules rules = rules_of_paper();
    struct match match;
    match_init(&match, 8, (const uint32_t[]){1, 1, 1, 1, 1, 1, 1, 1});
    for (uint32_t i = 0; i < 8; i++) match.teams[i].rank = 4;
    rate(&rules, &match);
    for (uint32_t i = 0; i < 8; i++) {
        assert_near(match.players[i][0].mu, 25, 1e-12);
        assert_true(match.players[i][0].sigma < 25.0 / 3);
    }
}

static void test_rating_tie_draws_the_better_and_the_worse_together(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    struct match match;
    match_init(&match, 2, (const uint32_t[]){1, 1});
    match.players[0][0].mu = 30;
    match.teams[0].rank = match.teams[1].rank = 1;
    rate(&rules, &match);
    assert_true(match.players[0][0].mu < 30);
    assert_true(match.players[1][0].mu > 25);
}

static void test_rating_surprise_moves_more_than_what_was_expected(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    double gain[2];
    for (uint32_t upset = 0; upset < 2; upset++) {
        struct match match;
        match_init(&match, 2, (const uint32_t[]){1, 1});
        match.players[upset][0].mu = 32;
        double before = match.players[0][0].mu;
        rate(&rules, &match);
        gain[upset] = match.players[0][0].mu - before;
    }
    assert_true(gain[0] > 0);
    assert_true(gain[1] > 1.5 * gain[0]);
}

static void test_rating_newcomer_moves_more_than_a_known_team_mate(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    struct match match;
    match_init(&match, 2, (const uint32_t[]){2, 2});
    match.players[0][1].sigma = 2;
    rate(&rules, &match);
    assert_true(match.players[0][0].mu - 25 > 10 * (match.players[0][1].mu - 25));
    assert_true(match.players[0][1].mu > 25);
}

static void test_rating_drift_is_added_before_a_match(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES, still = rules_of_paper();
    struct match match, moved;
    match_init(&match, 3, (const uint32_t[]){2, 1, 3});
    match.players[0][1] = (struct rating){30, 0.5};
    match_copy(&moved, &match);
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t j = 0; j < moved.teams[i].count; j++)
            moved.players[i][j].sigma = hypot(moved.players[i][j].sigma, rules.drift);
    rate(&rules, &match);
    rate(&still, &moved);
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t j = 0; j < match.teams[i].count; j++)
            assert_rating(match.players[i][j], moved.players[i][j].mu, moved.players[i][j].sigma);
}

/* Last of eight, and far less sure than the others: the formula would leave no variance at all. */
static void test_rating_match_leaves_a_part_of_the_variance(void **state) {
    (void)state;
    struct rating_rules rules = rules_of_paper();
    struct match match;
    match_init(&match, 8, (const uint32_t[]){1, 1, 1, 1, 1, 1, 1, 1});
    for (uint32_t i = 0; i < 7; i++) match.players[i][0].sigma = 0.01;
    match.players[7][0].sigma = RATING_SIGMA_MAX;
    rate(&rules, &match);
    assert_near(match.players[7][0].sigma, RATING_SIGMA_MAX * sqrt(rules.kappa), 1e-9);
}

static void test_rating_single_team_is_left_as_it_is(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    struct match match;
    match_init(&match, 1, (const uint32_t[]){5});
    rate(&rules, &match);
    for (uint32_t j = 0; j < 5; j++) assert_rating(match.players[0][j], 25, 25.0 / 3);
}

static void test_rating_out_of_bounds_is_refused_and_changes_nothing(void **state) {
    (void)state;
    static const struct rating bad[] = {{NAN, 8},
                                        {INFINITY, 8},
                                        {25, 0},
                                        {25, -1},
                                        {25, NAN},
                                        {25, INFINITY},
                                        {-2 * RATING_MU_MAX, 8},
                                        {25, 2 * RATING_SIGMA_MAX}};
    struct rating_rules rules = RATING_RULES;
    struct match match;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        match_init(&match, 2, (const uint32_t[]){2, 2});
        match.players[1][1] = bad[i];
        assert_int_equal(rating_update(&rules, match.teams, 2), MARCH_ERR_INVALID);
        assert_rating(match.players[0][0], 25, 25.0 / 3);
    }
    match_init(&match, 2, (const uint32_t[]){2, 2});
    assert_int_equal(rating_update(&rules, match.teams, 0), MARCH_ERR_INVALID);
    assert_int_equal(rating_update(&rules, match.teams, RATING_TEAMS_MAX + 1), MARCH_ERR_INVALID);
    match.teams[1].count = 0;
    assert_int_equal(rating_update(&rules, match.teams, 2), MARCH_ERR_INVALID);
    match.teams[1].count = RATING_TEAM_SIZE_MAX + 1;
    assert_int_equal(rating_update(&rules, match.teams, 2), MARCH_ERR_INVALID);
    assert_rating(match.players[0][0], 25, 25.0 / 3);
}

static void test_rating_extremes_stay_numbers(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    for (uint32_t upset = 0; upset < 2; upset++) {
        struct match match;
        match_init(&match, 8, (const uint32_t[]){16, 16, 16, 16, 16, 16, 16, 16});
        for (uint32_t i = 0; i < 8; i++)
            for (uint32_t j = 0; j < 16; j++)
                match.players[i][j] =
                    (struct rating){(i == 7 * upset ? 1 : -1) * RATING_MU_MAX / 2, j % 2 ? 1e-6 : RATING_SIGMA_MAX};
        rate(&rules, &match);
        for (uint32_t i = 0; i < 8; i++) {
            for (uint32_t j = 0; j < 16; j++) {
                assert_true(isfinite(match.players[i][j].mu));
                assert_true(match.players[i][j].sigma > 0);
                assert_true(match.players[i][j].sigma <= RATING_SIGMA_MAX + 1);
            }
        }
    }
}

/* --- time, seasons, points */

static void test_rating_idle_player_becomes_less_sure_up_to_a_limit(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    const uint64_t day = 86400;
    struct rating known = {40, 2};
    struct rating away = rating_after_idle(&rules, known, 100 * day);
    assert_rating(away, 40, sqrt(4 + 100 * 0.09));
    struct rating twice = rating_after_idle(&rules, rating_after_idle(&rules, known, 30 * day), 70 * day);
    assert_rating(twice, away.mu, away.sigma);
    assert_rating(rating_after_idle(&rules, known, 0), 40, 2);
    assert_rating(rating_after_idle(&rules, known, UINT64_MAX), 40, rules.idle_sigma_max);
    assert_true(rating_is_provisional(&rules, rating_after_idle(&rules, known, 1000 * day)));
    assert_rating(rating_after_idle(&rules, rules.start, 100 * day), 25, 25.0 / 3); /* the limit lowers nobody */
}

static void test_rating_season_draws_to_the_mean_and_keeps_the_order(void **state) {
    (void)state;
    struct rating_rules rules = RATING_RULES;
    assert_rating(rating_after_season(&rules, (struct rating){45, 2}), 40, sqrt(13));
    assert_rating(rating_after_season(&rules, (struct rating){5, 8}), 10, 25.0 / 3);
    assert_rating(rating_after_season(&rules, (struct rating){5, 9}), 10, 9);
    assert_rating(rating_after_season(&rules, rules.start), 25, 25.0 / 3);
    rules.season_keep = 0;
    assert_rating(rating_after_season(&rules, (struct rating){45, 2}), 25, sqrt(13));
}

static void test_rating_points_round_and_stay_in_range(void **state) {
    (void)state;
    static const struct {
        double mu;
        int32_t points;
    } cases[] = {{25, 1500},      {26, 1560}, {25.0083, 1500}, {25.0084, 1501}, {24.9917, 1500},
                 {24.9916, 1499}, {0, 0},     {-1e6, 0},       {166, 9960},     {1e6, 10000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(rating_points((struct rating){cases[i].mu, 1}), cases[i].points);
    assert_int_equal(rating_points_proven((struct rating){25, 25.0 / 3}), 0);
    assert_int_equal(rating_points_proven((struct rating){35, 2}), 1500 + 60 * 4);
}

/* --- players whose true skill is known */

#define PEOPLE 240

struct people {
    struct rating ratings[PEOPLE];
    double skills[PEOPLE];
    struct rng rng;
};

static double draw_normal(struct rng *rng) {
    double sum = 0;
    for (int i = 0; i < 12; i++) sum += (double)(rng_next(rng) >> 11) * 0x1p-53;
    return sum - 6;
}

static void people_init(struct people *people, const struct rating_rules *rules, uint64_t seed) {
    people->rng.state = seed;
    for (int i = 0; i < PEOPLE; i++) {
        people->ratings[i] = rules->start;
        people->skills[i] = 25 + rules->beta * draw_normal(&people->rng);
    }
}

/* people_match rates one match of players drawn by their place in `order`, who play as well as they are, give or take beta.
 */
static void people_match(struct people *people, const struct rating_rules *rules, const uint32_t *order, uint32_t teams,
                         uint32_t size) {
    struct match match = {.count = teams};
    double played[TEAMS] = {0};
    for (uint32_t i = 0; i < teams * size; i++) {
        match.players[i / size][i % size] = people->ratings[order[i]];
        played[i / size] += people->skills[order[i]] + rules->beta * draw_normal(&people->rng);
    }
    for (uint32_t i = 0; i < teams; i++) {
        match.teams[i] = (struct rating_team){match.players[i], size, 0};
        for (uint32_t q = 0; q < teams; q++) match.teams[i].rank += played[q] > played[i];
    }
    rate(rules, &match);
    for (uint32_t i = 0; i < teams * size; i++) people->ratings[order[i]] = match.players[i / size][i % size];
}

/* people_play lets everybody play once, against anybody. */
static void people_play(struct people *people, const struct rating_rules *rules, uint32_t teams, uint32_t size) {
    uint32_t order[PEOPLE] = {0};
    for (uint32_t i = 0; i < PEOPLE; i++) {
        uint32_t at = rng_below(&people->rng, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (uint32_t i = 0; i + teams * size <= PEOPLE; i += teams * size) people_match(people, rules, order + i, teams, size);
}

/* people_correlation tells how well ratings order the skills: 1 is perfectly. */
static double people_correlation(const struct people *people) {
    double mu = 0, skill = 0, cross = 0, mu2 = 0, skill2 = 0;
    for (int i = 0; i < PEOPLE; i++) {
        mu += people->ratings[i].mu / PEOPLE;
        skill += people->skills[i] / PEOPLE;
    }
    for (int i = 0; i < PEOPLE; i++) {
        double a = people->ratings[i].mu - mu, b = people->skills[i] - skill;
        cross += a * b;
        mu2 += a * a;
        skill2 += b * b;
    }
    return cross / sqrt(mu2 * skill2);
}

static double people_provisional(const struct people *people, const struct rating_rules *rules) {
    double count = 0;
    for (int i = 0; i < PEOPLE; i++) count += rating_is_provisional(rules, people->ratings[i]);
    return count / PEOPLE;
}

static void test_rating_simulated_players_end_in_the_order_of_their_skill(void **state) {
    (void)state;
    static const struct {
        uint32_t teams, size, matches;
        double correlation;    /* at least */
        uint32_t half_settled; /* the match after which half are not provisional any more */
    } cases[] = {
        {2, 1, 20, 0.87, 13}, {2, 1, 100, 0.96, 13}, {2, 5, 100, 0.85, 47}, {8, 1, 60, 0.96, 37}, {4, 3, 100, 0.93, 42}};
    struct rating_rules rules = RATING_RULES;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct people people;
        people_init(&people, &rules, 100 + i);
        uint32_t half_settled = 0;
        for (uint32_t played = 1; played <= cases[i].matches; played++) {
            people_play(&people, &rules, cases[i].teams, cases[i].size);
            if (half_settled == 0 && people_provisional(&people, &rules) <= 0.5) half_settled = played;
        }
        double found = people_correlation(&people);
        if (found < cases[i].correlation || half_settled + 1 < cases[i].half_settled ||
            half_settled > cases[i].half_settled + 1)
            fail_msg("case %zu, seed %zu: correlation %.3f, half settled after %u; expected %.2f, %u", i, 100 + i, found,
                     half_settled, cases[i].correlation, cases[i].half_settled);
        assert_true(people_provisional(&people, &rules) < 0.01);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rating_free_for_all_gives_the_numbers_of_openskill),
        cmocka_unit_test(test_rating_teams_give_the_numbers_of_openskill),
        cmocka_unit_test(test_rating_any_match_follows_the_likelihood),
        cmocka_unit_test(test_rating_order_of_teams_and_players_does_not_matter),
        cmocka_unit_test(test_rating_gains_and_losses_cancel_and_sigma_falls),
        cmocka_unit_test(test_rating_tie_of_equals_moves_nobody),
        cmocka_unit_test(test_rating_tie_draws_the_better_and_the_worse_together),
        cmocka_unit_test(test_rating_surprise_moves_more_than_what_was_expected),
        cmocka_unit_test(test_rating_newcomer_moves_more_than_a_known_team_mate),
        cmocka_unit_test(test_rating_drift_is_added_before_a_match),
        cmocka_unit_test(test_rating_match_leaves_a_part_of_the_variance),
        cmocka_unit_test(test_rating_single_team_is_left_as_it_is),
        cmocka_unit_test(test_rating_out_of_bounds_is_refused_and_changes_nothing),
        cmocka_unit_test(test_rating_extremes_stay_numbers),
        cmocka_unit_test(test_rating_idle_player_becomes_less_sure_up_to_a_limit),
        cmocka_unit_test(test_rating_season_draws_to_the_mean_and_keeps_the_order),
        cmocka_unit_test(test_rating_points_round_and_stay_in_range),
        cmocka_unit_test(test_rating_simulated_players_end_in_the_order_of_their_skill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
