/* mode_file.c: see mode_file.h. A new key is a field in mode.h, a line in a schema and a line in RULES here. */
#include "matchmaker/mode_file.h"

#include <cyaml/cyaml.h>
#include <inttypes.h>
#include <string.h>

#include "common/yaml_folder.h"

#define NEEDED   CYAML_FLAG_DEFAULT
#define OPTIONAL CYAML_FLAG_OPTIONAL

/* What libcyaml fills: it takes memory for lists. */
struct source {
    struct mode mode;
    struct mode_role *roles;
    uint32_t roles_count;
};

static const cyaml_schema_field_t ROLE_FIELDS[] = {
    CYAML_FIELD_STRING("name", NEEDED, struct mode_role, name, 1),
    CYAML_FIELD_UINT("per_team", NEEDED, struct mode_role, per_team),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t ROLE = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct mode_role, ROLE_FIELDS)};

static const cyaml_schema_field_t FIELDS[] = {
    CYAML_FIELD_STRING("name", NEEDED, struct source, mode.name, 1),
    CYAML_FIELD_UINT("teams", NEEDED, struct source, mode.teams),
    CYAML_FIELD_UINT("team_size", NEEDED, struct source, mode.team_size),
    CYAML_FIELD_UINT("max_party", OPTIONAL, struct source, mode.max_party),
    CYAML_FIELD_UINT("window_start", OPTIONAL, struct source, mode.window_start),
    CYAML_FIELD_UINT("window_step", OPTIONAL, struct source, mode.window_step),
    CYAML_FIELD_UINT("window_every_ms", OPTIONAL, struct source, mode.window_every_ms),
    CYAML_FIELD_UINT("window_max", OPTIONAL, struct source, mode.window_max),
    CYAML_FIELD_UINT("latency_start_ms", OPTIONAL, struct source, mode.latency_start_ms),
    CYAML_FIELD_UINT("latency_step_ms", OPTIONAL, struct source, mode.latency_step_ms),
    CYAML_FIELD_UINT("latency_max_ms", OPTIONAL, struct source, mode.latency_max_ms),
    CYAML_FIELD_UINT("balance_max", OPTIONAL, struct source, mode.balance_max),
    CYAML_FIELD_UINT("timeout_ms", OPTIONAL, struct source, mode.timeout_ms),
    CYAML_FIELD_UINT("ready_ms", OPTIONAL, struct source, mode.ready_ms),
    CYAML_FIELD_SEQUENCE("roles", CYAML_FLAG_POINTER | OPTIONAL, struct source, roles, &ROLE, 1, MODE_ROLES_MAX),
    CYAML_FIELD_BOOL("backfill", OPTIONAL, struct source, mode.backfill),
    CYAML_FIELD_STRING("instance", OPTIONAL, struct source, mode.instance, 1),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t SOURCE = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct source, FIELDS)};

#define NAME_RULE(path)                                                                                                     \
    { path, YAML_FORM_NAME, 1, MODE_NAME_SIZE - 1, 0, NULL }
#define INTEGER_RULE(path, min, max, fallback)                                                                              \
    { path, YAML_FORM_INTEGER, min, max, fallback, NULL }

#define PARTY_ANY 0 /* as many as a team has; not a number that a file may say */

static const struct yaml_rule RULES[] = {
    NAME_RULE("name"),
    INTEGER_RULE("teams", 1, MODE_TEAMS_MAX, 0),
    INTEGER_RULE("team_size", 1, MODE_TEAM_SIZE_MAX, 0),
    INTEGER_RULE("max_party", 1, MODE_TEAM_SIZE_MAX, PARTY_ANY),
    INTEGER_RULE("window_start", 0, MODE_POINTS_MAX, 200),
    INTEGER_RULE("window_step", 0, MODE_POINTS_MAX, 50),
    INTEGER_RULE("window_every_ms", MODE_EVERY_MS_MIN, MODE_TIME_MS_MAX, 2000),
    INTEGER_RULE("window_max", 0, MODE_POINTS_MAX, 1000),
    INTEGER_RULE("latency_start_ms", 0, MODE_LATENCY_MS_MAX, 60),
    INTEGER_RULE("latency_step_ms", 0, MODE_LATENCY_MS_MAX, 20),
    INTEGER_RULE("latency_max_ms", 0, MODE_LATENCY_MS_MAX, 200),
    INTEGER_RULE("balance_max", 0, MODE_POINTS_MAX, 150),
    INTEGER_RULE("timeout_ms", 1, MODE_TIME_MS_MAX, MODE_TIMEOUT_MS),
    INTEGER_RULE("ready_ms", 0, MODE_TIME_MS_MAX, 0),
    NAME_RULE("roles[].name"),
    INTEGER_RULE("roles[].per_team", 1, MODE_TEAM_SIZE_MAX, 0),
    NAME_RULE("instance"),
};

/* --- relations between values */

static int check_at_most(struct yaml_relations *r, const char *key, uint32_t value, const char *limit_key, uint32_t limit) {
    if (value <= limit) return 0;
    return yaml_relations_fail(r, yaml_child_near(r->root, key), "%s: expected at most %s = %" PRIu32 ", found %" PRIu32,
                               key, limit_key, limit, value);
}

static int check_roles(struct yaml_relations *r, const struct source *source) {
    const struct yaml_node *list = yaml_child(r->root, "roles");
    uint32_t players = 0;
    for (uint32_t i = 0; i < source->roles_count; i++) {
        players += source->roles[i].per_team;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(source->roles[i].name, source->roles[j].name) == 0)
                return yaml_relations_fail(r, yaml_child(yaml_entry(list, i), "name"),
                                           "roles[%" PRIu32 "].name: expected a name used once, found \"%s\" again", i,
                                           source->roles[i].name);
    }
    if (source->roles_count == 0 || players == source->mode.team_size) return 0;
    return yaml_relations_fail(r, list, "roles: expected per_team to add up to team_size = %" PRIu32 ", found %" PRIu32,
                               source->mode.team_size, players);
}

static int check_relations(struct yaml_relations *r) {
    const struct source *source = r->data;
    const struct mode *mode = &source->mode;
    int result = check_at_most(r, "max_party", mode->max_party, "team_size", mode->team_size);
    if (result == 0) result = check_at_most(r, "window_start", mode->window_start, "window_max", mode->window_max);
    if (result == 0)
        result = check_at_most(r, "latency_start_ms", mode->latency_start_ms, "latency_max_ms", mode->latency_max_ms);
    if (result == 0) result = check_roles(r, source);
    return result;
}

/* --- loading */

static const struct yaml_format FORMAT = {
    &SOURCE, {RULES, sizeof RULES / sizeof RULES[0]}, MODE_FILE_BYTES_MAX, check_relations};

/* take makes a mode of what was filled, and frees that. */
static void take(struct source *source, struct mode *out) {
    *out = source->mode;
    if (out->max_party == PARTY_ANY) out->max_party = out->team_size;
    out->role_count = source->roles_count;
    for (uint32_t i = 0; i < source->roles_count; i++) out->roles[i] = source->roles[i];
    yaml_unload(&FORMAT, source);
}

int mode_file_parse(const char *path, const char *bytes, size_t len, struct mode *out, char *error, size_t error_size) {
    void *data;
    int result = yaml_load(&FORMAT, path, bytes, len, &data, error, error_size);
    if (result == 0) take(data, out);
    return result;
}

int mode_file_load(const char *path, struct mode *out, char *error, size_t error_size) {
    void *data;
    int result = yaml_load_file(&FORMAT, path, &data, error, error_size);
    if (result == 0) take(data, out);
    return result;
}

/* --- folders */

static int load_thing(const char *path, void *out, char *error, size_t error_size) {
    return mode_file_load(path, out, error, error_size);
}

_Static_assert(offsetof(struct mode, name) == 0, "a folder's things begin with their names");
static const struct yaml_folder FOLDER = {sizeof(struct mode), MODE_FILES_MAX, load_thing};

int mode_file_load_folder(const char *folder, struct mode_set *out, char *error, size_t error_size) {
    struct mode_set set = {.count = 0};
    int result = yaml_folder_load(&FOLDER, folder, set.modes, &set.count, error, error_size);
    if (result == 0) *out = set;
    return result;
}

const struct mode *mode_set_find(const struct mode_set *set, const char *name) {
    return yaml_folder_find(&FOLDER, set->modes, set->count, name);
}
