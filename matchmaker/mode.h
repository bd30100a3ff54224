/* mode.h: what a mode of play asks of a match: how many teams of how many, how fair, how near, and how long to wait for it.
 *
 * A plain value. Whoever makes one keeps it within the limits below, as mode_file does for files and a test for its own.
 * Ratings are in the points of rating_points(); a window is a distance in them, to either side of a ticket's own.
 */
#ifndef MARCH_MATCHMAKER_MODE_H
#define MARCH_MATCHMAKER_MODE_H

#include <stdbool.h>
#include <stdint.h>

#define MODE_NAME_SIZE      32 /* with the final zero */
#define MODE_TEAMS_MAX      8
#define MODE_TEAM_SIZE_MAX  16
#define MODE_PLAYERS_MAX    (MODE_TEAMS_MAX * MODE_TEAM_SIZE_MAX)
#define MODE_ROLES_MAX      4
#define MODE_POINTS_MAX     10000 /* of windows and balance: wider than any two ratings are apart */
#define MODE_TIMEOUT_MS     60000 /* where a mode says nothing else */
#define MODE_TIME_MS_MAX    3600000
#define MODE_EVERY_MS_MIN   100 /* a wider window is tried no more often */
#define MODE_LATENCY_MS_MAX 1000

/* A part that somebody plays in a team, and how many of them a team has. */
struct mode_role {
    char name[MODE_NAME_SIZE];
    uint32_t per_team; /* 1 to team_size */
};

struct mode {
    char name[MODE_NAME_SIZE]; /* a-z, 0-9 and '-', from a letter on */
    uint32_t teams;            /* 1 to MODE_TEAMS_MAX */
    uint32_t team_size;        /* 1 to MODE_TEAM_SIZE_MAX */
    uint32_t max_party;        /* players who queue together, 1 to team_size */

    /* A ticket takes others within window_start points at first, within window_step more after each window_every_ms, and
     * never beyond window_max. */
    uint32_t window_start, window_step, window_max; /* points; start <= max <= MODE_POINTS_MAX */
    uint32_t window_every_ms;                       /* MODE_EVERY_MS_MIN to MODE_TIME_MS_MAX */

    /* The same for the way to the region of the match; it widens at the same moments. */
    uint32_t latency_start_ms, latency_step_ms, latency_max_ms; /* start <= max <= MODE_LATENCY_MS_MAX */

    uint32_t balance_max; /* points that the mean ratings of two teams of a match may differ by */
    uint32_t timeout_ms;  /* then a ticket is answered that there is no match; 1 to MODE_TIME_MS_MAX */
    uint32_t ready_ms;    /* to say that one is ready; 0: nobody is asked */

    struct mode_role roles[MODE_ROLES_MAX]; /* names differ; per_team add up to team_size */
    uint32_t role_count;                    /* 0: anybody plays anything */
    bool backfill;                          /* may players join a match that runs? */
    char instance[MODE_NAME_SIZE];          /* the template (template.h) that matches are played in; "": none are */
};

#endif
