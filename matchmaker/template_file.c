/* template_file.c: see template_file.h. A new key is a field in template.h, a line in a schema and a line in RULES here. */
#include "matchmaker/template_file.h"

#include <cyaml/cyaml.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/item_kinds.h"
#include "common/yaml_folder.h"
#include "matchmaker/template_inner.h"

#define NEEDED   CYAML_FLAG_DEFAULT
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define STRICT   CYAML_FLAG_STRICT
#define LIST     (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

#define RADIUS_M_MAX   256
#define TEAM_CREATURES 0xffff /* in an order: the team of spots at which creatures stand */

/* --- which keys there are, and of what type */

static const cyaml_strval_t GOAL_NAMES[GOALS_MAX] = {{"cleared", WIRE_GOAL_CLEARED},
                                                     {"kills", WIRE_GOAL_KILLS},
                                                     {"last_team", WIRE_GOAL_LAST_TEAM},
                                                     {"lost", WIRE_GOAL_LOST},
                                                     {"empty", WIRE_GOAL_EMPTY}};
static const cyaml_strval_t CRASH_NAMES[] = {{"return", TEMPLATE_CRASH_RETURN}, {"restart", TEMPLATE_CRASH_RESTART}};

static const cyaml_schema_value_t GOAL = {CYAML_VALUE_ENUM(STRICT, enum wire_instance_goal, GOAL_NAMES, GOALS_MAX)};

static const cyaml_schema_field_t WAVE_FIELDS[] = {
    CYAML_FIELD_UINT("creatures", NEEDED, struct wave_source, creatures),
    CYAML_FIELD_UINT("after_s", OPTIONAL, struct wave_source, after_s),
    CYAML_FIELD_BOOL("overlaps", OPTIONAL, struct wave_source, overlaps),
    CYAML_FIELD_UINT("health_percent", OPTIONAL, struct wave_source, health_percent),
    CYAML_FIELD_UINT("damage_percent", OPTIONAL, struct wave_source, damage_percent),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t SPOT_FIELDS[] = {
    CYAML_FIELD_UINT("x_m", NEEDED, struct spot_source, x_m),
    CYAML_FIELD_UINT("y_m", NEEDED, struct spot_source, y_m),
    CYAML_FIELD_UINT("radius_m", OPTIONAL, struct spot_source, radius_m),
    CYAML_FIELD_UINT("team", OPTIONAL, struct spot_source, team),
    CYAML_FIELD_BOOL("creatures", OPTIONAL, struct spot_source, creatures),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t METRE = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t)};

static const cyaml_schema_field_t BOX_FIELDS[] = {
    CYAML_FIELD_SEQUENCE("x_m", CYAML_FLAG_POINTER, struct box_source, x_m, &METRE, 2, 2),
    CYAML_FIELD_SEQUENCE("y_m", CYAML_FLAG_POINTER, struct box_source, y_m, &METRE, 2, 2),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t SCALING_FIELDS[] = {
    CYAML_FIELD_UINT("players", OPTIONAL, struct template_scaling, players),
    CYAML_FIELD_UINT("creatures_percent", OPTIONAL, struct template_scaling, creatures_percent),
    CYAML_FIELD_UINT("health_percent", OPTIONAL, struct template_scaling, health_percent),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t REWARD_FIELDS[] = {
    CYAML_FIELD_UINT("gold", OPTIONAL, struct reward_source, gold),
    CYAML_FIELD_STRING("item", OPTIONAL, struct reward_source, item, 0),
    CYAML_FIELD_UINT("count", OPTIONAL, struct reward_source, count),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t WAVE = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct wave_source, WAVE_FIELDS)};
static const cyaml_schema_value_t SPOT = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct spot_source, SPOT_FIELDS)};
static const cyaml_schema_value_t BOX = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct box_source, BOX_FIELDS)};

static const cyaml_schema_field_t FIELDS[] = {
    CYAML_FIELD_STRING("name", NEEDED, struct source, template.name, 1),
    CYAML_FIELD_UINT("side_m", NEEDED, struct source, template.side_m),
    CYAML_FIELD_UINT("capacity", NEEDED, struct source, template.capacity),
    CYAML_FIELD_UINT("time_limit_s", OPTIONAL, struct source, template.time_limit_s),
    CYAML_FIELD_SEQUENCE("ends", LIST, struct source, ends, &GOAL, 1, GOALS_MAX),
    CYAML_FIELD_UINT("kills", OPTIONAL, struct source, template.kills),
    CYAML_FIELD_UINT("lives", OPTIONAL, struct source, template.lives),
    CYAML_FIELD_UINT("rise_ms", OPTIONAL, struct source, template.rise_ms),
    CYAML_FIELD_UINT("empty_s", OPTIONAL, struct source, template.empty_s),
    CYAML_FIELD_SEQUENCE("waves", LIST, struct source, waves, &WAVE, 1, WIRE_INSTANCE_WAVES_MAX),
    CYAML_FIELD_SEQUENCE("spots", LIST, struct source, spots, &SPOT, 1, WIRE_INSTANCE_SPOTS_MAX),
    CYAML_FIELD_SEQUENCE("map", LIST, struct source, map, &BOX, 0, WIRE_INSTANCE_BOXES_MAX),
    CYAML_FIELD_MAPPING("scaling", OPTIONAL, struct source, template.scaling, SCALING_FIELDS),
    CYAML_FIELD_MAPPING("win", OPTIONAL, struct source, win, REWARD_FIELDS),
    CYAML_FIELD_MAPPING("lose", OPTIONAL, struct source, lose, REWARD_FIELDS),
    CYAML_FIELD_ENUM("crash", OPTIONAL | STRICT, struct source, template.crash, CRASH_NAMES, 2),
    CYAML_FIELD_BOOL("checkpoints", OPTIONAL, struct source, template.checkpoints),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t SOURCE = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct source, FIELDS)};

/* --- ranges and defaults */

#define INTEGER_RULE(path, min, max, fallback)                                                                              \
    { path, YAML_FORM_INTEGER, min, max, fallback, NULL }
#define REWARD_RULES(path)                                                                                                  \
    INTEGER_RULE(path ".gold", 0, TEMPLATE_GOLD_MAX, 0), {path ".item", YAML_FORM_TEXT, 0, ITEM_NAME_SIZE - 1, 0, NULL},    \
        INTEGER_RULE(path ".count", 1, TEMPLATE_ITEMS_MAX, COUNT_ONE)

static const struct yaml_rule RULES[] = {
    {"name", YAML_FORM_NAME, 1, TEMPLATE_NAME_SIZE - 1, 0, NULL},
    INTEGER_RULE("side_m", TEMPLATE_SIDE_MIN_M, TEMPLATE_SIDE_MAX_M, 0),
    INTEGER_RULE("capacity", 1, TEMPLATE_CAPACITY_MAX, 0),
    INTEGER_RULE("time_limit_s", 0, TEMPLATE_TIME_S_MAX, 0),
    INTEGER_RULE("kills", 0, TEMPLATE_KILLS_MAX, 0),
    INTEGER_RULE("lives", 0, TEMPLATE_LIVES_MAX, 0),
    INTEGER_RULE("rise_ms", 0, TEMPLATE_TIME_S_MAX * 1000, 5000),
    INTEGER_RULE("empty_s", 1, TEMPLATE_TIME_S_MAX, 60),
    INTEGER_RULE("waves[].creatures", 1, TEMPLATE_CREATURES_MAX, 0),
    INTEGER_RULE("waves[].after_s", 0, TEMPLATE_TIME_S_MAX, 0),
    INTEGER_RULE("waves[].health_percent", 1, TEMPLATE_PERCENT_MAX, 100),
    INTEGER_RULE("waves[].damage_percent", 0, TEMPLATE_PERCENT_MAX, 100),
    INTEGER_RULE("spots[].x_m", 0, TEMPLATE_SIDE_MAX_M, 0),
    INTEGER_RULE("spots[].y_m", 0, TEMPLATE_SIDE_MAX_M, 0),
    INTEGER_RULE("spots[].radius_m", 0, RADIUS_M_MAX, 2),
    INTEGER_RULE("spots[].team", 0, WIRE_TEAMS_MAX - 1, TEAM_NONE),
    INTEGER_RULE("map[].x_m[]", 0, TEMPLATE_SIDE_MAX_M, 0),
    INTEGER_RULE("map[].y_m[]", 0, TEMPLATE_SIDE_MAX_M, 0),
    INTEGER_RULE("scaling.players", 1, TEMPLATE_CAPACITY_MAX, 1),
    INTEGER_RULE("scaling.creatures_percent", 0, TEMPLATE_PERCENT_MAX, 0),
    INTEGER_RULE("scaling.health_percent", 0, TEMPLATE_PERCENT_MAX, 0),
    REWARD_RULES("win"),
    REWARD_RULES("lose"),
};

static const struct yaml_format FORMAT = {
    &SOURCE, {RULES, sizeof RULES / sizeof RULES[0]}, TEMPLATE_FILE_BYTES_MAX, template_check};

/* --- what was filled, and a template */

static struct template_reward reward_take(const struct reward_source *source) {
    struct template_reward reward = {.gold = source->gold};
    const struct item_kind_info *item = item_kind_named(source->item);
    if (!item) return reward;
    reward.item_kind = item->kind;
    reward.item_count = source->count == COUNT_ONE ? 1 : source->count;
    return reward;
}

/* take makes a template of a source. */
static void take(const struct source *source, struct template *out) {
    *out = source->template;
    out->goals = 0;
    for (uint32_t i = 0; i < source->ends_count; i++) out->goals |= source->ends[i];
    out->wave_count = source->waves_count;
    for (uint32_t i = 0; i < source->waves_count; i++) {
        const struct wave_source *wave = &source->waves[i];
        out->waves[i] = (struct wire_instance_wave){.creatures = wave->creatures,
                                                    .after_ms = wave->after_s * 1000,
                                                    .overlaps = wave->overlaps,
                                                    .health_percent = (uint16_t)wave->health_percent,
                                                    .damage_percent = (uint16_t)wave->damage_percent};
    }
    out->spot_count = source->spots_count;
    for (uint32_t i = 0; i < source->spots_count; i++) {
        const struct spot_source *spot = &source->spots[i];
        out->spots[i] = (struct wire_instance_spot){.x_m = (uint16_t)spot->x_m,
                                                    .y_m = (uint16_t)spot->y_m,
                                                    .radius_m = (uint16_t)spot->radius_m,
                                                    .team = spot->creatures ? TEAM_CREATURES : (uint16_t)spot->team};
    }
    out->box_count = template_boxes(source, out->boxes);
    out->win = reward_take(&source->win);
    out->lose = reward_take(&source->lose);
}

/* A template as a source again, with the lists that libcyaml would have taken memory for. */
struct opened {
    struct source source;
    enum wire_instance_goal ends[GOALS_MAX];
    struct wave_source waves[WIRE_INSTANCE_WAVES_MAX];
    struct spot_source spots[WIRE_INSTANCE_SPOTS_MAX];
    struct box_source boxes[WIRE_INSTANCE_BOXES_MAX];
    uint32_t sides[WIRE_INSTANCE_BOXES_MAX][2][2]; /* of a box: x and y, from and to */
};

static struct reward_source reward_open(const struct template_reward *reward) {
    struct reward_source source = {.gold = reward->gold, .count = reward->item_count};
    const struct item_kind_info *item = item_kind_find(reward->item_kind);
    if (item) snprintf(source.item, sizeof source.item, "%s", item->name);
    return source;
}

static void open_boxes(const struct template *template, struct opened *out) {
    for (uint32_t i = 0; i < template->box_count; i++) {
        const struct wire_instance_box *box = &template->boxes[i];
        uint32_t *x_m = out->sides[i][0], *y_m = out->sides[i][1];
        x_m[0] = box->x_min_m;
        x_m[1] = box->x_max_m;
        y_m[0] = box->y_min_m;
        y_m[1] = box->y_max_m;
        out->boxes[i] = (struct box_source){.x_m = x_m, .y_m = y_m, .x_m_count = 2, .y_m_count = 2};
    }
}

/* open_template is the reverse of take. */
static void open_template(const struct template *template, struct opened *out) {
    *out = (struct opened){.source = {.template = *template,
                                      .ends = out->ends,
                                      .waves = out->waves,
                                      .spots = out->spots,
                                      .map = out->boxes,
                                      .waves_count = template->wave_count,
                                      .spots_count = template->spot_count,
                                      .map_count = template->box_count,
                                      .win = reward_open(&template->win),
                                      .lose = reward_open(&template->lose)}};
    for (uint32_t i = 0; i < GOALS_MAX; i++)
        if (template->goals & (uint32_t)GOAL_NAMES[i].val)
            out->ends[out->source.ends_count++] = (enum wire_instance_goal)GOAL_NAMES[i].val;
    for (uint32_t i = 0; i < template->wave_count; i++) {
        const struct wire_instance_wave *wave = &template->waves[i];
        out->waves[i] = (struct wave_source){.creatures = wave->creatures,
                                             .after_s = wave->after_ms / 1000,
                                             .health_percent = wave->health_percent,
                                             .damage_percent = wave->damage_percent,
                                             .overlaps = wave->overlaps != 0};
    }
    for (uint32_t i = 0; i < template->spot_count; i++) {
        const struct wire_instance_spot *spot = &template->spots[i];
        bool creatures = spot->team == TEAM_CREATURES;
        out->spots[i] = (struct spot_source){.x_m = spot->x_m,
                                             .y_m = spot->y_m,
                                             .radius_m = spot->radius_m,
                                             .team = creatures ? TEAM_NONE : spot->team,
                                             .creatures = creatures};
    }
    open_boxes(template, out);
}

int template_override(struct template *template, const char *key, const char *value, char *error, size_t error_size) {
    struct opened opened;
    if (strcmp(key, "name") == 0) {
        snprintf(error, error_size, "name: expected another key, an instance keeps the name of its template");
        return MARCH_ERR_INVALID;
    }
    open_template(template, &opened);
    int result = yaml_change(&FORMAT, &opened.source, key, value, error, error_size);
    if (result == 0) take(&opened.source, template);
    return result;
}

/* --- loading */

/* finish makes a template of what was filled, and frees that. */
static void finish(struct source *source, struct template *out) {
    take(source, out);
    out->version = 1;
    yaml_unload(&FORMAT, source);
}

int template_file_parse(const char *path, const char *bytes, size_t len, struct template *out, char *error,
                        size_t error_size) {
    void *data;
    int result = yaml_load(&FORMAT, path, bytes, len, &data, error, error_size);
    if (result == 0) finish(data, out);
    return result;
}

int template_file_load(const char *path, struct template *out, char *error, size_t error_size) {
    void *data;
    int result = yaml_load_file(&FORMAT, path, &data, error, error_size);
    if (result == 0) finish(data, out);
    return result;
}

/* --- folders */

static int load_thing(const char *path, void *out, char *error, size_t error_size) {
    return template_file_load(path, out, error, error_size);
}

_Static_assert(offsetof(struct template, name) == 0, "a folder's things begin with their names");
static const struct yaml_folder FOLDER = {sizeof(struct template), TEMPLATE_FILES_MAX, load_thing};

/* count_version gives a template its version after the one of its name that was there before. */
static void count_version(struct template *template, const struct template_set *before) {
    const struct template *old = before ? template_set_find(before, template->name) : NULL;
    if (!old) return;
    template->version = old->version;
    if (memcmp(template, old, sizeof *template) != 0) template->version++;
}

int template_file_load_folder(const char *folder, const struct template_set *before, struct template_set *out, char *error,
                              size_t error_size) {
    struct template_set set = {.count = 0};
    int result = yaml_folder_load(&FOLDER, folder, set.templates, &set.count, error, error_size);
    if (result != 0) return result;
    for (uint32_t i = 0; i < set.count; i++) count_version(&set.templates[i], before);
    *out = set;
    return 0;
}

const struct template *template_set_find(const struct template_set *set, const char *name) {
    return yaml_folder_find(&FOLDER, set->templates, set->count, name);
}

static int serves(const struct template_set *set, const struct mode *mode, char *error, size_t error_size) {
    const struct template *template = template_set_find(set, mode->instance);
    if (!template) {
        snprintf(error, error_size, "mode %s: instance: expected a template, found no \"%s\"", mode->name, mode->instance);
        return MARCH_ERR_INVALID;
    }
    uint32_t players = mode->teams * mode->team_size;
    if (template->capacity >= players) return 0;
    snprintf(error, error_size, "mode %s: instance: expected room for %" PRIu32 " players, template %s has it for %" PRIu32,
             mode->name, players, template->name, template->capacity);
    return MARCH_ERR_INVALID;
}

int template_set_serves(const struct template_set *set, const struct mode_set *modes, char *error, size_t error_size) {
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < modes->count; i++)
        if (modes->modes[i].instance[0]) result = serves(set, &modes->modes[i], error, error_size);
    return result;
}
