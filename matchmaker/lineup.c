/* lineup.c: see lineup.h. */
#include "matchmaker/lineup.h"

#include <string.h>

#include "common/check.h"

uint32_t lineup_places(const struct mode *mode, uint8_t places[MODE_ROLES_MAX]) {
    memset(places, 0, MODE_ROLES_MAX);
    places[0] = (uint8_t)mode->team_size;
    for (uint32_t i = 0; i < mode->role_count; i++) places[i] = (uint8_t)mode->roles[i].per_team;
    return mode->role_count > 0 ? mode->role_count : 1;
}

/* slack_of sums the places up, for each set of roles. */
static void slack_of(const uint8_t places[MODE_ROLES_MAX], int8_t slack[LINEUP_SETS]) {
    for (uint32_t set = 0; set < LINEUP_SETS; set++) {
        slack[set] = 0;
        for (uint32_t role = 0; role < MODE_ROLES_MAX; role++)
            if (set >> role & 1) slack[set] = (int8_t)(slack[set] + places[role]);
    }
}

/* Sets that are full shut out whoever plays nothing outside of them. */
static uint32_t classes_of(const struct lineup_side *side) {
    uint32_t shut = 0;
    if (side->free == 0) return 0;
    for (uint32_t set = 1; set < LINEUP_SETS; set++) {
        if (side->slack[set] > 0) continue;
        for (uint32_t mask = set; mask != 0; mask = (mask - 1) & set) shut |= 1u << lineup_class(1, mask);
    }
    uint32_t alone = ((1u << (LINEUP_SETS - 1)) - 1) & ~shut;
    return alone | ((1u << (side->free - 1)) - 1) << (LINEUP_SETS - 1);
}

uint32_t lineup_rests(uint32_t classes) {
    uint32_t sizes = (classes & ((1u << (LINEUP_SETS - 1)) - 1)) != 0, rests = 1;
    sizes |= classes >> (LINEUP_SETS - 1) << 1; /* bit i: size i + 1 */
    for (uint32_t size = 1; size <= MODE_TEAM_SIZE_MAX; size++)
        for (uint32_t sum = size; sizes >> (size - 1) & 1 && sum <= MODE_TEAM_SIZE_MAX; sum += size) rests |= rests << size;
    return rests & ((1u << (MODE_TEAM_SIZE_MAX + 1)) - 1);
}

void lineup_begin(struct lineup *l, uint32_t rests, bool has_roles) {
    l->side_count = l->unit_count = l->free = l->classes = 0;
    l->rests = rests;
    l->has_roles = has_roles;
}

struct lineup_side lineup_side_of(const uint8_t places[MODE_ROLES_MAX]) {
    struct lineup_side side = {0};
    slack_of(places, side.slack);
    side.size = side.free = (uint8_t)side.slack[LINEUP_SETS - 1];
    CHECK(side.size <= MODE_TEAM_SIZE_MAX);
    side.classes = classes_of(&side);
    return side;
}

void lineup_add_side(struct lineup *l, const uint8_t places[MODE_ROLES_MAX]) {
    CHECK(l->side_count < MODE_TEAMS_MAX);
    struct lineup_side *side = &l->sides[l->side_count++];
    *side = lineup_side_of(places);
    l->classes |= side->classes;
    l->free += side->free;
}

void lineup_mask(struct lineup_unit *unit, uint32_t mask) {
    CHECK(mask > 0 && mask < LINEUP_SETS);
    for (uint32_t set = 0; set < LINEUP_SETS; set++) unit->within[set] = (uint8_t)(unit->within[set] + ((mask & ~set) == 0));
}

bool lineup_fits(const struct lineup_side *side, const struct lineup_unit *unit) {
    if (side->free < unit->count) return false;
    int lacking = 0;
    for (uint32_t set = 0; set < LINEUP_SETS; set++) lacking |= side->slack[set] < unit->within[set];
    return !lacking;
}

/* worth returns how well a unit that fits goes to a side: the greater, the better. */
static int32_t worth(const struct lineup *l, const struct lineup_side *side, const struct lineup_unit *unit) {
    int32_t room = 0;
    if (!l->has_roles) return -side->free;
    for (uint32_t set = 0; set < LINEUP_SETS; set++) room += side->slack[set] * unit->within[set];
    return room;
}

/* best_side returns the side that a unit goes to, or LINEUP_NONE. */
static uint32_t best_side(const struct lineup *l, const struct lineup_unit *unit) {
    uint32_t best = LINEUP_NONE;
    int32_t most = 0;
    for (uint32_t i = 0; i < l->side_count; i++) {
        const struct lineup_side *side = &l->sides[i];
        if (!lineup_fits(side, unit) || !(l->rests >> (side->free - unit->count) & 1)) continue;
        int32_t value = worth(l, side, unit);
        if (best != LINEUP_NONE && (value < most || (value == most && side->sum >= l->sides[best].sum))) continue;
        best = i;
        most = value;
    }
    return best;
}

/* take and give move a unit's weight; the list of units is the caller's. */
static void take(struct lineup_side *side, const struct lineup_unit *unit) {
    side->free = (uint8_t)(side->free - unit->count);
    side->sum += unit->sum;
    for (uint32_t set = 0; set < LINEUP_SETS; set++) side->slack[set] = (int8_t)(side->slack[set] - unit->within[set]);
}

static void give(struct lineup_side *side, const struct lineup_unit *unit) {
    side->free = (uint8_t)(side->free + unit->count);
    side->sum -= unit->sum;
    for (uint32_t set = 0; set < LINEUP_SETS; set++) side->slack[set] = (int8_t)(side->slack[set] + unit->within[set]);
}

/* see_classes looks which classes fit after a side has changed. */
static void see_classes(struct lineup *l, struct lineup_side *side) {
    side->classes = classes_of(side);
    l->classes = 0;
    for (uint32_t i = 0; i < l->side_count; i++) l->classes |= l->sides[i].classes;
}

bool lineup_seat(struct lineup *l, const struct lineup_unit *unit) {
    uint32_t to = best_side(l, unit);
    if (to == LINEUP_NONE) return false;
    struct lineup_side *side = &l->sides[to];
    l->units[l->unit_count] = *unit;
    l->units[l->unit_count].side = (uint8_t)to;
    side->units[side->unit_count++] = (uint8_t)l->unit_count++;
    take(side, unit);
    l->free -= unit->count;
    see_classes(l, side);
    return true;
}

/* place_of returns where in its side's list unit `index` is. */
static uint8_t *place_of(struct lineup *l, uint32_t index) {
    uint8_t *place = l->sides[l->units[index].side].units;
    while (*place != index) place++;
    return place;
}

void lineup_unseat(struct lineup *l, uint32_t index) {
    CHECK(index < l->unit_count);
    struct lineup_side *side = &l->sides[l->units[index].side];
    give(side, &l->units[index]);
    l->free += l->units[index].count;
    *place_of(l, index) = side->units[--side->unit_count];
    if (index != --l->unit_count) {
        *place_of(l, l->unit_count) = (uint8_t)index;
        l->units[index] = l->units[l->unit_count];
    }
    see_classes(l, side);
}

/* swap_fits tells whether the sides' roles allow that two units change places. */
static bool swap_fits(const struct lineup_side *a, const struct lineup_unit *u, const struct lineup_side *b,
                      const struct lineup_unit *v) {
    int lacking = 0;
    for (uint32_t set = 0; set < LINEUP_SETS; set++)
        lacking |= (a->slack[set] + u->within[set] < v->within[set]) | (b->slack[set] + v->within[set] < u->within[set]);
    return !lacking;
}

static void swap(struct lineup *l, uint32_t a, uint32_t a_at, uint32_t b, uint32_t b_at) {
    struct lineup_side *from = &l->sides[a], *to = &l->sides[b];
    struct lineup_unit *u = &l->units[from->units[a_at]], *v = &l->units[to->units[b_at]];
    give(from, u);
    give(to, v);
    take(from, v);
    take(to, u);
    uint8_t index = from->units[a_at];
    from->units[a_at] = to->units[b_at];
    to->units[b_at] = index;
    u->side = (uint8_t)b;
    v->side = (uint8_t)a;
}

/* narrow makes the gap between the strongest and the weakest side as narrow as one swap can; false when none helps. */
static bool narrow(struct lineup *l, uint32_t strong, uint32_t weak) {
    const struct lineup_side *a = &l->sides[strong], *b = &l->sides[weak];
    int32_t gap = a->sum - b->sum, best = gap;
    uint32_t best_a = 0, best_b = 0;
    for (uint32_t i = 0; i < a->unit_count; i++) {
        const struct lineup_unit *u = &l->units[a->units[i]];
        for (uint32_t j = 0; j < b->unit_count; j++) {
            const struct lineup_unit *v = &l->units[b->units[j]];
            int32_t left = gap - 2 * (u->sum - v->sum);
            if (left < 0) left = -left;
            if (u->count != v->count || left >= best || !swap_fits(a, u, b, v)) continue;
            best = left;
            best_a = i;
            best_b = j;
        }
    }
    if (best == gap) return false;
    swap(l, strong, best_a, weak, best_b);
    return true;
}

uint32_t lineup_balance(struct lineup *l) {
    CHECK(l->free == 0 && l->side_count > 0);
    uint32_t strong, weak;
    for (int swaps = 0;; swaps++) {
        strong = weak = 0;
        for (uint32_t i = 1; i < l->side_count; i++) {
            CHECK(l->sides[i].size == l->sides[0].size);
            if (l->sides[i].sum > l->sides[strong].sum) strong = i;
            if (l->sides[i].sum < l->sides[weak].sum) weak = i;
        }
        if (swaps == LINEUP_SWAPS_MAX || !narrow(l, strong, weak)) break;
    }
    uint32_t gap = (uint32_t)(l->sides[strong].sum - l->sides[weak].sum), size = l->sides[0].size;
    return (gap + size - 1) / size;
}

/* can tells whether those of `masks` that have no role yet can all be given one. */
static bool can(const uint8_t places[MODE_ROLES_MAX], const uint8_t masks[], const bool given[], uint32_t count) {
    struct lineup_side side = {.free = MODE_TEAM_SIZE_MAX};
    struct lineup_unit rest = {0};
    slack_of(places, side.slack);
    for (uint32_t i = 0; i < count; i++)
        if (!given[i]) lineup_mask(&rest, masks[i]);
    return lineup_fits(&side, &rest);
}

bool lineup_roles(uint8_t places[MODE_ROLES_MAX], const uint8_t masks[], uint8_t roles[], uint32_t count) {
    bool given[MODE_TEAM_SIZE_MAX] = {0};
    CHECK(count <= MODE_TEAM_SIZE_MAX);
    for (uint32_t i = 0; i < count; i++) {
        given[i] = true;
        uint8_t role = 0;
        for (; role < MODE_ROLES_MAX; role++) {
            if (!(masks[i] >> role & 1) || places[role] == 0) continue;
            places[role]--;
            if (can(places, masks, given, count)) break;
            places[role]++;
        }
        if (role == MODE_ROLES_MAX) return false;
        roles[i] = role;
    }
    return true;
}
