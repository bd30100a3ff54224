/* template_file.c: see template_file.h. A new key is a field in template.h, a line in a schema and a line in RULES here. */
#include "matchmaker/template_file.h"

#include <cyaml/cyaml.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/item_kinds.h"
#include "common/text.h"
#include "common/yaml_folder.h"

#define NEEDED   CYAML_FLAG_DEFAULT
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define STRICT   CYAML_FLAG_STRICT
#define LIST     (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

#define GOALS_MAX      5
#define ITEM_NAME_SIZE 32
#define RADIUS_M_MAX   256
#define TEAM_CREATURES 0xffff     /* in an order: the team of spots at which creatures stand */
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

struct reward_source {
    uint32_t gold, count;
    char item[ITEM_NAME_SIZE];
};

struct source {
    struct template template;
    enum wire_instance_goal *ends;
    struct wave_source *waves;
    struct spot_source *spots;
    uint32_t ends_count, waves_count, spots_count;
    struct reward_source win, lose;
};

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
    INTEGER_RULE("scaling.players", 1, TEMPLATE_CAPACITY_MAX, 1),
    INTEGER_RULE("scaling.creatures_percent", 0, TEMPLATE_PERCENT_MAX, 0),
    INTEGER_RULE("scaling.health_percent", 0, TEMPLATE_PERCENT_MAX, 0),
    REWARD_RULES("win"),
    REWARD_RULES("lose"),
};

/* --- relations between values */

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

static int check_relations(struct yaml_relations *r) {
    const struct source *source = r->data;
    const struct template *t = &source->template;
    int result = check_ends(r, source);
    if (result == 0) result = check_waves(r, source);
    if (result == 0) result = check_spots(r, source);
    if (result == 0) result = check_reward(r, "win", &source->win);
    if (result == 0) result = check_reward(r, "lose", &source->lose);
    if (result == 0 && t->checkpoints && t->crash != TEMPLATE_CRASH_RESTART)
        result = fail_at(r, r->root, "", "checkpoints", "%s where crash is not restart, found true", "false");
    return result;
}

static const struct yaml_format FORMAT = {
    &SOURCE, {RULES, sizeof RULES / sizeof RULES[0]}, TEMPLATE_FILE_BYTES_MAX, check_relations};

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
    out->win = reward_take(&source->win);
    out->lose = reward_take(&source->lose);
}

/* A template as a source again, with the lists that libcyaml would have taken memory for. */
struct opened {
    struct source source;
    enum wire_instance_goal ends[GOALS_MAX];
    struct wave_source waves[WIRE_INSTANCE_WAVES_MAX];
    struct spot_source spots[WIRE_INSTANCE_SPOTS_MAX];
};

static struct reward_source reward_open(const struct template_reward *reward) {
    struct reward_source source = {.gold = reward->gold, .count = reward->item_count};
    const struct item_kind_info *item = item_kind_find(reward->item_kind);
    if (item) snprintf(source.item, sizeof source.item, "%s", item->name);
    return source;
}

/* open_template is the reverse of take. */
static void open_template(const struct template *template, struct opened *out) {
    *out = (struct opened){.source = {.template = *template,
                                      .ends = out->ends,
                                      .waves = out->waves,
                                      .spots = out->spots,
                                      .waves_count = template->wave_count,
                                      .spots_count = template->spot_count,
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
