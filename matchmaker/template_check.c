/* template_check.c: what a file of a template says of several values together: none of it contradicts another. */
#include <inttypes.h>
#include <stdio.h>

#include "common/item_kinds.h"
#include "common/text.h"
#include "matchmaker/template_inner.h"
#include "schemas/room.h"

#define PATH_SIZE 32

/* fail_at is yaml_relations_fail at a key of a mapping, `path`.`key`; at the mapping where the key was left out. */
#define fail_at(r, mapping, path, key, expected, ...)                                                                       \
    yaml_relations_fail(r, yaml_child_near(mapping, key), "%s%s%s: expected " expected, path, *(path) ? "." : "", key,      \
                        __VA_ARGS__)

static bool ends_by(const struct source *source, enum wire_instance_goal goal) {
    for (uint32_t i = 0; i < source->ends_count; i++)
        if (source->ends[i] == goal) return true;
    return false;
}

/* An instance ends for sure, and each way to end it can come. */
static int check_ends(struct yaml_relations *r, const struct source *source) {
    const struct template *t = &source->template;
    const struct yaml_node *ends = yaml_child_near(r->root, "ends");
    for (uint32_t i = 0; i < source->ends_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (source->ends[i] == source->ends[j])
                return yaml_relations_fail(r, yaml_entry(ends, i), "ends[%" PRIu32 "]: expected each once, found one again",
                                           i);
    if (t->time_limit_s == 0 && !ends_by(source, WIRE_GOAL_EMPTY))
        return fail_at(r, r->root, "", "ends", "empty among them where there is no time_limit_s, found %s",
                       source->ends_count == 0 ? "none" : "others alone");
    if (ends_by(source, WIRE_GOAL_CLEARED) && source->waves_count == 0)
        return fail_at(r, r->root, "", "waves", "at least one where it ends by %s, found none", "cleared");
    if (ends_by(source, WIRE_GOAL_LOST) && t->lives == 0)
        return fail_at(r, r->root, "", "lives", "at least 1 where it ends by %s, found 0", "lost");
    if (ends_by(source, WIRE_GOAL_KILLS) != (t->kills > 0))
        return fail_at(r, r->root, "", "kills", "%s, found %" PRIu32,
                       t->kills == 0 ? "at least 1 where it ends by kills" : "none where it does not end by kills",
                       t->kills);
    return 0;
}

/* scaled returns what a number of the waves is at most: with everybody there who may be. */
static uint64_t scaled(const struct template *t, uint32_t value, uint32_t percent) {
    return template_scaled(value, percent, t->scaling.players, t->capacity);
}

static int check_wave(struct yaml_relations *r, const struct source *source, uint32_t index, uint64_t *at_once) {
    const struct template *t = &source->template;
    const struct wave_source *wave = &source->waves[index];
    const struct yaml_node *node = yaml_entry(yaml_child(r->root, "waves"), index);
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "waves[%" PRIu32 "]", index);
    if (index == 0 && wave->overlaps)
        return fail_at(r, node, path, "overlaps", "%s for the first wave, found true", "false");
    if (!wave->overlaps) *at_once = 0;
    *at_once += scaled(t, wave->creatures, t->scaling.creatures_percent);
    if (*at_once > TEMPLATE_CREATURES_MAX)
        return fail_at(r, node, path, "creatures",
                       "at most %d at once, with waves that overlap and scaling for capacity = %" PRIu32
                       " players, found %" PRIu64,
                       TEMPLATE_CREATURES_MAX, t->capacity, *at_once);
    uint64_t health = scaled(t, wave->health_percent, t->scaling.health_percent);
    if (health > TEMPLATE_PERCENT_MAX)
        return fail_at(r, node, path, "health_percent",
                       "at most %d, with scaling for capacity = %" PRIu32 " players, found %" PRIu64, TEMPLATE_PERCENT_MAX,
                       t->capacity, health);
    return 0;
}

static int check_waves(struct yaml_relations *r, const struct source *source) {
    uint64_t at_once = 0;
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < source->waves_count; i++) result = check_wave(r, source, i, &at_once);
    return result;
}

static int check_spot(struct yaml_relations *r, const struct source *source, uint32_t index) {
    const struct spot_source *spot = &source->spots[index];
    const struct yaml_node *node = yaml_entry(yaml_child(r->root, "spots"), index);
    uint32_t side_m = source->template.side_m;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "spots[%" PRIu32 "]", index);
    if ((spot->team != TEAM_NONE) == spot->creatures)
        return fail_at(r, node, path, "team", "a team or creatures: true, found %s", spot->creatures ? "both" : "neither");
    if (spot->x_m < spot->radius_m || spot->x_m + spot->radius_m > side_m)
        return fail_at(r, node, path, "x_m", "a place that is radius_m within side_m = %" PRIu32 ", found %" PRIu32, side_m,
                       spot->x_m);
    if (spot->y_m < spot->radius_m || spot->y_m + spot->radius_m > side_m)
        return fail_at(r, node, path, "y_m", "a place that is radius_m within side_m = %" PRIu32 ", found %" PRIu32, side_m,
                       spot->y_m);
    return 0;
}

/* is_beside tells whether what one may stand on, from and to, ends before something solid begins, or begins behind it. Who
 * stands there needs half a metre more. */
static bool is_beside(const uint32_t solid[2], uint32_t from_m, uint32_t to_m) {
    return solid[0] > to_m || solid[1] < from_m;
}

/* check_clear: players and creatures come in anywhere within radius_m of x_m and y_m, along both. */
static int check_clear(struct yaml_relations *r, const struct source *source, uint32_t index) {
    const struct spot_source *spot = &source->spots[index];
    for (uint32_t i = 0; i < source->map_count; i++) {
        const struct box_source *box = &source->map[i];
        if (is_beside(box->x_m, spot->x_m - spot->radius_m, spot->x_m + spot->radius_m) ||
            is_beside(box->y_m, spot->y_m - spot->radius_m, spot->y_m + spot->radius_m))
            continue;
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "spots[%" PRIu32 "]", index);
        return fail_at(r, yaml_entry(yaml_child(r->root, "spots"), index), path, "x_m",
                       "a place that is more than radius_m = %" PRIu32
                       " away from what is solid, along x or y, found map[%" PRIu32 "]",
                       spot->radius_m, i);
    }
    return 0;
}

static int check_side(struct yaml_relations *r, const struct yaml_node *node, const char *path, const char *key,
                      const uint32_t side[2], uint32_t side_m) {
    if (side[0] < side[1] && side[1] <= side_m) return 0;
    return fail_at(r, node, path, key,
                   "a lesser metre and a greater one, up to side_m = %" PRIu32 ", found %" PRIu32 " and %" PRIu32, side_m,
                   side[0], side[1]);
}

static int check_boxes(struct yaml_relations *r, const struct source *source) {
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < source->map_count; i++) {
        const struct yaml_node *node = yaml_entry(yaml_child(r->root, "map"), i);
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "map[%" PRIu32 "]", i);
        result = check_side(r, node, path, "x_m", source->map[i].x_m, source->template.side_m);
        if (result == 0) result = check_side(r, node, path, "y_m", source->map[i].y_m, source->template.side_m);
    }
    return result;
}

uint32_t template_boxes(const struct source *source, struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX]) {
    for (uint32_t i = 0; i < source->map_count; i++) {
        const struct box_source *box = &source->map[i];
        boxes[i] = (struct wire_instance_box){.x_min_m = (uint16_t)box->x_m[0],
                                              .y_min_m = (uint16_t)box->y_m[0],
                                              .x_max_m = (uint16_t)box->x_m[1],
                                              .y_max_m = (uint16_t)box->y_m[1]};
    }
    return source->map_count;
}

/* check_map: where there are no spots one comes in anywhere, so somewhere must be free. */
static int check_map(struct yaml_relations *r, const struct source *source) {
    struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX];
    int32_t side_m = (int32_t)source->template.side_m;
    struct room room;
    int result = check_boxes(r, source);
    for (uint32_t i = 0; result == 0 && i < source->spots_count; i++) result = check_clear(r, source, i);
    if (result == 0 && room_make(&room, (struct wire_rect){0, 0, side_m, side_m}, boxes, template_boxes(source, boxes)) != 0)
        result = fail_at(r, r->root, "", "map", "%s somewhere, found all of the room solid", "a metre to stand on");
    return result;
}

static int check_spots(struct yaml_relations *r, const struct source *source) {
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < source->spots_count; i++) result = check_spot(r, source, i);
    return result;
}

static int check_reward(struct yaml_relations *r, const char *key, const struct reward_source *reward) {
    const struct yaml_node *node = yaml_child_near(r->root, key);
    if (reward->item[0] == '\0')
        return reward->count == COUNT_ONE ? 0 : fail_at(r, node, key, "count", "%s without an item, found one", "none");
    if (item_kind_named(reward->item)) return 0;
    char names[256];
    struct text text;
    text_init(&text, names, sizeof names);
    for (uint32_t kind = 1; kind < ITEM_KIND_COUNT; kind++)
        text_append(&text, "%s%s", kind > 1 ? ", " : "", item_kind_find(kind)->name);
    return fail_at(r, node, key, "item", "one of %s, found \"%s\"", names, reward->item);
}

int template_check(struct yaml_relations *r) {
    const struct source *source = r->data;
    const struct template *t = &source->template;
    int result = check_ends(r, source);
    if (result == 0) result = check_waves(r, source);
    if (result == 0) result = check_spots(r, source);
    if (result == 0) result = check_map(r, source);
    if (result == 0) result = check_reward(r, "win", &source->win);
    if (result == 0) result = check_reward(r, "lose", &source->lose);
    if (result == 0 && t->checkpoints && t->crash != TEMPLATE_CRASH_RESTART)
        result = fail_at(r, r->root, "", "checkpoints", "%s where crash is not restart, found true", "false");
    return result;
}
