/* behaviour.c: see behaviour.h. */
#include "tools/swarm/behaviour.h"

#include <math.h>
#include <string.h>

#include "common/check.h"

static const char *const texts[] = {"roam", "crowd", "fight", "loot", "trade", "guild", "live"};
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
    case BEHAVIOUR_LIVE: return MARCH_ENTITIES_MAX;
    case BEHAVIOUR_CROWD: return 1;
    default: return 0;
    }
}

uint64_t behaviour_wait_ms(enum behaviour behaviour, struct mind *mind) {
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

struct march_input behaviour_decide(enum behaviour behaviour, struct mind *mind, const struct march_entity *entities,
                                    size_t count) {
    CHECK((unsigned)behaviour < BEHAVIOUR_COUNT);
    if (count == 0 || !entities[0].own) return roam(mind);
    switch (behaviour) {
    case BEHAVIOUR_CROWD: return crowd(mind, &entities[0]);
    case BEHAVIOUR_FIGHT: return fight(mind, entities, count, 0);
    case BEHAVIOUR_LOOT:
    case BEHAVIOUR_LIVE: return fight(mind, entities, count, BEHAVIOUR_CREATURE);
    default: return roam(mind);
    }
}

bool behaviour_deals(enum behaviour behaviour) {
    return behaviour >= BEHAVIOUR_LOOT && behaviour < BEHAVIOUR_COUNT;
}

enum behaviour behaviour_parse(const char *text) {
    enum behaviour behaviour = BEHAVIOUR_ROAM;
    while (behaviour < BEHAVIOUR_COUNT && strcmp(text, texts[behaviour]) != 0) behaviour++;
    return behaviour;
}
