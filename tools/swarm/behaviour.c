/* behaviour.c: see behaviour.h. */
#include "tools/swarm/behaviour.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static const char *const texts[] = {"roam",  "crowd", "fight",   "loot",  "trade",
                                    "guild", "live",  "commute", "stand", "matchmaking"};
_Static_assert(sizeof(texts) / sizeof(texts[0]) == BEHAVIOUR_COUNT, "a text for each behaviour");

void mind_init(struct mind *mind, uint64_t seed) {
    *mind = (struct mind){.random = (seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
}

/* xorshift64* */
uint32_t mind_draw(struct mind *mind, uint32_t below) {
    mind->random ^= mind->random >> 12;
    mind->random ^= mind->random << 25;
    mind->random ^= mind->random >> 27;
    uint32_t high = (uint32_t)(mind->random * 0x2545f4914f6cdd1dULL >> 32);
    return (uint32_t)((uint64_t)high * below >> 32);
}

size_t behaviour_sees(enum behaviour behaviour) {
    switch (behaviour) {
    case BEHAVIOUR_FIGHT:
    case BEHAVIOUR_LOOT:
    case BEHAVIOUR_LIVE:
    case BEHAVIOUR_MATCHMAKING: return MARCH_ENTITIES_MAX;
    case BEHAVIOUR_CROWD:
    case BEHAVIOUR_COMMUTE: return 1;
    default: return 0;
    }
}

uint64_t behaviour_wait_ms(enum behaviour behaviour, struct mind *mind) {
    if (behaviour == BEHAVIOUR_COMMUTE) return 100 + mind_draw(mind, 50);
    return behaviour_sees(behaviour) > 1 ? 200 + mind_draw(mind, 100) : 500 + mind_draw(mind, 1000);
}

static uint16_t angle_of(float x, float y) {
    return (uint16_t)(int32_t)lrintf(atan2f(y, x) * (32768.0f / (float)M_PI));
}

/* steer walks in the direction nearest to (x, y) of the eight there are. */
static struct march_input steer(float x, float y) {
    float least = 0.41421356f * fmaxf(fabsf(x), fabsf(y)); /* tan of an eighth of a half turn */
    return (struct march_input){.move_x = (int8_t)((x > least) - (x < -least)),
                                .move_y = (int8_t)((y > least) - (y < -least)),
                                .aim = angle_of(x, y)};
}

static struct march_input roam(struct mind *mind) {
    uint32_t direction = mind_draw(mind, 9);
    return (struct march_input){.move_x = (int8_t)((int)(direction % 3) - 1),
                                .move_y = (int8_t)((int)(direction / 3) - 1),
                                .aim = (uint16_t)mind_draw(mind, 65536)};
}

static struct march_input crowd(struct mind *mind, const struct march_entity *own) {
    float x = mind->goal_x_m - own->x_m;
    float y = mind->goal_y_m - own->y_m;
    return hypotf(x, y) < BEHAVIOUR_CROWD_M ? roam(mind) : steer(x, y);
}

/* --- commuters */

bool borders_parse(struct borders *borders, const char *text) {
    *borders = (struct borders){0};
    do {
        if ((text[0] != 'x' && text[0] != 'y') || text[1] != '=' || borders->count == BEHAVIOUR_BORDERS_MAX) return false;
        char *end;
        errno = 0;
        long at_m = strtol(text + 2, &end, 10);
        if (end == text + 2 || errno != 0 || at_m < INT16_MIN || at_m > INT16_MAX) return false;
        if (*end != ',' && *end != '\0') return false;
        borders->borders[borders->count++] = (struct border){.is_x = text[0] == 'x', .at_m = (int32_t)at_m};
        text = *end == ',' ? end + 1 : NULL;
    } while (text != NULL);
    return true;
}

void mind_enter(struct mind *mind, const struct march_welcome *welcome) {
    mind->min_x_m = welcome->min_x_m;
    mind->min_y_m = welcome->min_y_m;
    mind->max_x_m = welcome->max_x_m;
    mind->max_y_m = welcome->max_y_m;
    mind->goal_x_m = ((float)welcome->min_x_m + (float)welcome->max_x_m) / 2;
    mind->goal_y_m = ((float)welcome->min_y_m + (float)welcome->max_y_m) / 2;
    mind->has_goal = false;
}

bool mind_is_beyond(const struct mind *mind, const struct march_entity *entity) {
    if (mind->max_x_m <= mind->min_x_m) return false;
    return entity->x_m < (float)mind->min_x_m || entity->x_m >= (float)mind->max_x_m || entity->y_m < (float)mind->min_y_m ||
           entity->y_m >= (float)mind->max_y_m;
}

static float draw_between(struct mind *mind, int32_t min, int32_t max) {
    int32_t edge = max - min > 4 * BEHAVIOUR_EDGE_M ? BEHAVIOUR_EDGE_M : 0;
    uint32_t range = max - edge > min + edge ? (uint32_t)(max - edge - (min + edge)) : 0;
    return (float)(min + edge) + (float)mind_draw(mind, range + 1);
}

/* draw_far_place picks a place; of a few, the one that is the farthest off. */
static void draw_far_place(struct mind *mind, const struct march_entity *own) {
    float farthest_m = -1;
    for (unsigned i = 0; i < 3; i++) {
        float x = draw_between(mind, mind->min_x_m, mind->max_x_m);
        float y = draw_between(mind, mind->min_y_m, mind->max_y_m);
        float distance_m = hypotf(x - own->x_m, y - own->y_m);
        if (distance_m <= farthest_m) continue;
        farthest_m = distance_m;
        mind->goal_x_m = x;
        mind->goal_y_m = y;
    }
    mind->has_goal = true;
}

static struct march_input travel(struct mind *mind, const struct march_entity *own) {
    if (!mind->has_goal || hypotf(mind->goal_x_m - own->x_m, mind->goal_y_m - own->y_m) < BEHAVIOUR_ARRIVED_M)
        draw_far_place(mind, own);
    return steer(mind->goal_x_m - own->x_m, mind->goal_y_m - own->y_m);
}

static const struct border *nearest_border(const struct borders *borders, const struct march_entity *own) {
    const struct border *nearest = NULL;
    float least_m = INFINITY;
    for (uint32_t i = 0; i < borders->count; i++) {
        const struct border *border = &borders->borders[i];
        float distance_m = fabsf((border->is_x ? own->x_m : own->y_m) - (float)border->at_m);
        if (distance_m >= least_m) continue;
        least_m = distance_m;
        nearest = border;
    }
    return nearest;
}

/* pass_border walks across the nearest border, and turns once it is far enough beyond. */
static struct march_input pass_border(struct mind *mind, const struct march_entity *own) {
    const struct border *border = nearest_border(mind->borders, own);
    float beyond_m = (border->is_x ? own->x_m : own->y_m) - (float)border->at_m;
    if (mind->side == 0) mind->side = beyond_m < 0 ? 1 : -1;
    float turn_m = mind->is_close ? BEHAVIOUR_CLOSE_M : BEHAVIOUR_BEYOND_M;
    if (beyond_m * (float)mind->side > turn_m) mind->side = (int8_t)-mind->side;
    return border->is_x ? steer(mind->side, 0) : steer(0, mind->side);
}

/* wander is for those who don't know where they are: any direction, but none to stand in. */
static struct march_input wander(struct mind *mind) {
    struct march_input input = roam(mind);
    if (input.move_x == 0 && input.move_y == 0) input.move_x = 1;
    return input;
}

static struct march_input commute(struct mind *mind, const struct march_entity *own) {
    if (mind->borders != NULL && mind->borders->count > 0) return pass_border(mind, own);
    return mind->max_x_m > mind->min_x_m && mind->max_y_m > mind->min_y_m ? travel(mind, own) : wander(mind);
}

/* --- fighters */

/* fight goes for what lives and is of a kind; 0: of any. */
static struct march_input fight(struct mind *mind, const struct march_entity *entities, size_t count, uint8_t kind) {
    const struct march_entity *own = &entities[0];
    const struct march_entity *target = NULL;
    float nearest_m = INFINITY;
    for (size_t i = 1; i < count; i++) {
        float distance_m = hypotf(entities[i].x_m - own->x_m, entities[i].y_m - own->y_m);
        if (entities[i].health == 0 || distance_m >= nearest_m || (kind != 0 && entities[i].kind != kind)) continue;
        nearest_m = distance_m;
        target = &entities[i];
    }
    if (target == NULL) return roam(mind);
    struct march_input input = steer(target->x_m - own->x_m, target->y_m - own->y_m);
    if (nearest_m < BEHAVIOUR_STRIKE_M) {
        input.move_x = input.move_y = 0;
        input.buttons = MARCH_BUTTON_STRIKE;
    } else if (nearest_m < BEHAVIOUR_SHOOT_M) {
        input.buttons = MARCH_BUTTON_SHOOT;
    }
    return input;
}

/* go_around walks some way to any side once what was wanted leads nowhere. */
static struct march_input go_around(struct mind *mind, const struct march_entity *own, struct march_input input) {
    struct mind_detour *d = &mind->detour;
    if (d->was_walking && hypotf(own->x_m - d->x_m, own->y_m - d->y_m) < BEHAVIOUR_STUCK_M) {
        struct march_input aside = wander(mind);
        d->move_x = aside.move_x;
        d->move_y = aside.move_y;
        d->left = 3 + mind_draw(mind, 6);
    }
    if (d->left > 0 && input.buttons != MARCH_BUTTON_STRIKE) {
        d->left--;
        input.move_x = d->move_x;
        input.move_y = d->move_y;
    }
    d->x_m = own->x_m;
    d->y_m = own->y_m;
    d->was_walking = input.move_x != 0 || input.move_y != 0;
    return input;
}

/* play_match fights where matches are. Players may be of the own team, so creatures come first. */
static struct march_input play_match(struct mind *mind, const struct march_entity *entities, size_t count) {
    if (!mind_is_beyond(mind, &entities[0])) return roam(mind);
    for (size_t i = 1; i < count; i++)
        if (entities[i].kind == BEHAVIOUR_CREATURE && entities[i].health > 0)
            return go_around(mind, &entities[0], fight(mind, entities, count, BEHAVIOUR_CREATURE));
    return go_around(mind, &entities[0], fight(mind, entities, count, 0));
}

struct march_input behaviour_decide(enum behaviour behaviour, struct mind *mind, const struct march_entity *entities,
                                    size_t count) {
    CHECK((unsigned)behaviour < BEHAVIOUR_COUNT);
    if (behaviour == BEHAVIOUR_STAND) return (struct march_input){0};
    if (count == 0 || !entities[0].own) return behaviour == BEHAVIOUR_COMMUTE ? wander(mind) : roam(mind);
    switch (behaviour) {
    case BEHAVIOUR_COMMUTE: return commute(mind, &entities[0]);
    case BEHAVIOUR_CROWD: return crowd(mind, &entities[0]);
    case BEHAVIOUR_FIGHT: return fight(mind, entities, count, 0);
    case BEHAVIOUR_LOOT:
    case BEHAVIOUR_LIVE: return fight(mind, entities, count, BEHAVIOUR_CREATURE);
    case BEHAVIOUR_MATCHMAKING: return play_match(mind, entities, count);
    default: return roam(mind);
    }
}

bool behaviour_deals(enum behaviour behaviour) {
    return behaviour >= BEHAVIOUR_LOOT && behaviour <= BEHAVIOUR_LIVE;
}

enum behaviour behaviour_parse(const char *text) {
    enum behaviour behaviour = BEHAVIOUR_ROAM;
    while (behaviour < BEHAVIOUR_COUNT && strcmp(text, texts[behaviour]) != 0) behaviour++;
    return behaviour;
}
