/* lineup.h: who would play on which side: tickets seated one by one, then balanced.
 *
 * A unit is a ticket: one player or a party, which stays on one side. A unit goes to the fullest side that has room for it,
 * so that the others stay open for large parties; balance comes after, by swaps of units of equal size.
 *
 * Roles by Hall's theorem: players with masks of roles can all be given one of the side's roles exactly if, for each set of
 * roles, those who can play nothing outside of it are no more than it has places. There are 16 sets of 4 roles, so a side
 * keeps for each what is left: its slack. Nobody is given a role before the side is full, and none is ever taken back.
 *
 * Pure: no memory but the caller's, no pointers kept. A mode without roles is one with a role that everybody plays.
 */
#ifndef MARCH_MATCHMAKER_LINEUP_H
#define MARCH_MATCHMAKER_LINEUP_H

#include <stdbool.h>
#include <stdint.h>

#include "matchmaker/mode.h"

#define LINEUP_SETS      (1u << MODE_ROLES_MAX) /* of roles; the empty one is not used */
#define LINEUP_SWAPS_MAX 32                     /* of a balancing: each makes the widest gap narrower */
#define LINEUP_NONE      UINT32_MAX

/* Units of a class fit the same sides: players alone by their mask of roles, 1 to 15; parties by their size, 2 to 16, though
 * they may differ in roles. */
#define LINEUP_CLASSES (LINEUP_SETS - 1 + MODE_TEAM_SIZE_MAX - 1)
_Static_assert(LINEUP_CLASSES <= 32, "a set of classes is a word");

struct lineup_unit {
    uint32_t ticket; /* the caller's */
    int32_t sum;     /* of its players' ratings, points */
    uint8_t count;   /* of its players */
    uint8_t side;
    uint8_t within[LINEUP_SETS]; /* by set of roles: how many of its players play nothing else */
};

struct lineup_side {
    int32_t sum;
    uint8_t size, free; /* players */
    uint8_t unit_count;
    uint8_t units[MODE_TEAM_SIZE_MAX];
    int8_t slack[LINEUP_SETS];
    uint32_t classes; /* that fit, by bit; a party's roles are not looked at */
};

struct lineup {
    uint32_t side_count, unit_count, free; /* free: players, of all sides */
    uint32_t classes;                      /* that fit some side */
    uint32_t rests;                        /* free places that a side may be left with, by bit */
    bool has_roles;
    struct lineup_side sides[MODE_TEAMS_MAX];
    struct lineup_unit units[MODE_PLAYERS_MAX];
};

/* lineup_places sets how many of each role a team of the mode has, and returns how many roles there are, at least 1. */
uint32_t lineup_places(const struct mode *mode, uint8_t places[MODE_ROLES_MAX]);

/* lineup_class returns the class of a unit whose first player has `mask`, 1 to 15. */
static inline uint32_t lineup_class(uint32_t count, uint32_t mask) {
    return count == 1 ? mask - 1 : LINEUP_SETS - 1 + count - 2;
}

/* lineup_rests returns the sums, up to 16, of sizes of units of `classes`, by bit. */
uint32_t lineup_rests(uint32_t classes);

/* lineup_begin makes an empty lineup, of units whose sizes sum up to `rests`, as of lineup_rests; lineup_side_of a side with
 * so many places of each role; lineup_add_side adds such a side. */
void lineup_begin(struct lineup *lineup, uint32_t rests, bool has_roles);
struct lineup_side lineup_side_of(const uint8_t places[MODE_ROLES_MAX]);
void lineup_add_side(struct lineup *lineup, const uint8_t places[MODE_ROLES_MAX]);

/* lineup_mask adds a player's mask, 1 to 15, to a unit whose `within` was zero before the first. */
void lineup_mask(struct lineup_unit *unit, uint32_t mask);

/* lineup_fits tells whether a side has room for a unit, and its roles. */
bool lineup_fits(const struct lineup_side *side, const struct lineup_unit *unit);

/* lineup_seat adds a unit to the fullest side that it fits, among equals to that of the least sum; false when it fits none.
 */
bool lineup_seat(struct lineup *lineup, const struct lineup_unit *unit);

/* lineup_unseat takes unit `index` out; the last unit gets its index. */
void lineup_unseat(struct lineup *lineup, uint32_t index);

/* lineup_balance swaps units until the means of no two sides differ by more than a swap can mend; the lineup must be full,
 * its sides of one size. Returns the widest gap left, in points, rounded up. */
uint32_t lineup_balance(struct lineup *lineup);

/* lineup_roles gives each of `count` players, at most 16, one of the roles of its mask, within `places`, which it takes
 * from. False when it can't be, which a lineup rules out. */
bool lineup_roles(uint8_t places[MODE_ROLES_MAX], const uint8_t masks[], uint8_t roles[], uint32_t count);

#endif
