/* behaviour.h: what a bot does, from what it sees.
 *
 *     stand   stands where it came in
 *     roam    wanders, with a turn about once a second
 *     crowd   walks to the middle of its zone and mills about there
 *     fight   chases the nearest creature or player in view, strikes and shoots; roams when there is none
 *     loot    the same with creatures alone, and tidies what it gets (dealer.h has what these four ask for)
 *     trade   wanders, and trades with the other bots
 *     guild   wanders, and is busy with guilds
 *     live    fights creatures, trades and is in guilds
 *     commute walks between far places of the world, without a rest; where borders are given, to and fro across the
 *             nearest one, just far enough for another zone to take it over
 *     matchmaking  wanders in the world, and asks for matches (queuer.h); beyond the world, where matches are, it fights:
 *             creatures first, and players where there are none. Where something is in its way it walks aside for a while
 *
 * Pure: a random state, a time and entities in, an input out.
 */
#ifndef MARCH_SWARM_BEHAVIOUR_H
#define MARCH_SWARM_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/client/marchland.h"

enum behaviour {
    BEHAVIOUR_ROAM = 0,
    BEHAVIOUR_CROWD,
    BEHAVIOUR_FIGHT,
    BEHAVIOUR_LOOT, /* from here on bots deal in things of value */
    BEHAVIOUR_TRADE,
    BEHAVIOUR_GUILD,
    BEHAVIOUR_LIVE,
    BEHAVIOUR_COMMUTE,
    BEHAVIOUR_STAND,
    BEHAVIOUR_MATCHMAKING,
    BEHAVIOUR_COUNT
};

#define BEHAVIOUR_STRIKE_M 1.8f /* nearer than the reach of a strike, so that it lands */
#define BEHAVIOUR_SHOOT_M  25.0f
#define BEHAVIOUR_CREATURE 2    /* the kind of what is hunted for loot */
#define BEHAVIOUR_STUCK_M  0.2f /* who walks and comes no farther until it thinks again has met something solid */
#define BEHAVIOUR_CROWD_M  6.0f /* where walking to the middle ends */

#define BEHAVIOUR_BEYOND_M    4.5f /* behind a border, where a commuter turns: more than the hysteresis of 2 m */
#define BEHAVIOUR_CLOSE_M     2.5f /* the same where as many crossings are wanted as can be */
#define BEHAVIOUR_ARRIVED_M   3.0f /* from a far place */
#define BEHAVIOUR_EDGE_M      10   /* that far places keep from the world's edge */
#define BEHAVIOUR_BORDERS_MAX 16

/* A line between zones: x = at_m or y = at_m. */
struct border {
    bool is_x;
    int32_t at_m;
};

struct borders {
    uint32_t count;
    struct border borders[BEHAVIOUR_BORDERS_MAX];
};

/* Where one was when it last thought, and which way it goes around what is in its way. */
struct mind_detour {
    float x_m, y_m;
    bool was_walking;
    uint32_t left; /* thoughts */
    int8_t move_x, move_y;
};

struct mind {
    uint64_t random;                            /* never 0 */
    float goal_x_m, goal_y_m;                   /* of the crowd and of commuters */
    bool has_goal;                              /* of commuters */
    int8_t side;                                /* of the border that a commuter walks to: -1, 1; 0: it has not begun */
    int32_t min_x_m, min_y_m, max_x_m, max_y_m; /* the world, as the server told; all 0: it has not */
    bool is_close;                              /* turns close behind borders */
    const struct borders *borders;              /* for commuters; NULL or none: far places */
    struct mind_detour detour;                  /* in matches */
};

/* borders_parse reads "x=512,y=512"; false where it is not so, or they are too many. */
bool borders_parse(struct borders *borders, const char *text);

void mind_init(struct mind *mind, uint64_t seed);

/* mind_draw returns a number from 0 to below - 1; 0 when below is 0. */
uint32_t mind_draw(struct mind *mind, uint32_t below);

/* mind_enter tells where the world is, and its middle. */
void mind_enter(struct mind *mind, const struct march_welcome *welcome);

/* mind_is_beyond tells whether a place is outside of the world, as far as that is known. */
bool mind_is_beyond(const struct mind *mind, const struct march_entity *entity);

/* behaviour_deals tells whether bots of it deal in things of value. */
bool behaviour_deals(enum behaviour behaviour);

/* behaviour_sees tells whether the behaviour looks at entities; 1: at its own only. */
size_t behaviour_sees(enum behaviour behaviour);

/* behaviour_wait_ms returns when to decide again. */
uint64_t behaviour_wait_ms(enum behaviour behaviour, struct mind *mind);

/* behaviour_decide returns what to do now. `entities` has the own one first, if it is known. */
struct march_input behaviour_decide(enum behaviour behaviour, struct mind *mind, const struct march_entity *entities,
                                    size_t count);

/* behaviour_parse returns BEHAVIOUR_COUNT for an unknown name. */
enum behaviour behaviour_parse(const char *text);

#endif
