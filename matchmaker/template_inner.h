/* template_inner.h: inside of files of templates: what a file becomes before it is a template, and what template_file.c and
 * template_check.c lend each other. Nothing outside these files includes it.
 */
#ifndef MARCH_MATCHMAKER_TEMPLATE_INNER_H
#define MARCH_MATCHMAKER_TEMPLATE_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/yaml_load.h"
#include "matchmaker/template.h"

#define GOALS_MAX      5
#define ITEM_NAME_SIZE 32
#define TEAM_NONE      UINT32_MAX /* left out; not a number that a file may say */
#define COUNT_ONE      0          /* the same: one of an item */

/* What libcyaml fills: it takes memory for lists. */
struct wave_source {
    uint32_t creatures, after_s, health_percent, damage_percent;
    bool overlaps;
};

struct spot_source {
    uint32_t x_m, y_m, radius_m, team;
    bool creatures;
};

/* As in a map file: from, to. */
struct box_source {
    uint32_t *x_m, *y_m;
    uint32_t x_m_count, y_m_count;
};

struct reward_source {
    uint32_t gold, count;
    char item[ITEM_NAME_SIZE];
};

struct source {
    struct template template;
    enum wire_instance_goal *ends;
    struct wave_source *waves;
    struct spot_source *spots;
    struct box_source *map;
    uint32_t ends_count, waves_count, spots_count, map_count;
    struct reward_source win, lose;
};

/* template_boxes writes the boxes of a map, and returns how many. */
uint32_t template_boxes(const struct source *source, struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX]);

/* template_check checks relations between values; `data` is a struct source. */
int template_check(struct yaml_relations *relations);

#endif
