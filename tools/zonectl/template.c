/* template.c: zonectl template, zonectl mode. Checks what designers write, needing no cluster; lists what a cluster has. */
#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/yaml_folder.h"
#include "matchmaker/mode_file.h"
#include "matchmaker/template_file.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"
#include "tools/zonectl/world.h"

struct arguments {
    const char *run_dir;
    const char *command;
    const char *templates; /* of a check of modes: folder, NULL: which there are is not known */
    char **paths;          /* of check */
    int path_count;
    bool json;
};

/* What is written in files of one kind. */
struct kind {
    const char *list; /* in what the matchmaker answers; its path, too */
    uint32_t files_max;
    /* What is in a file, for programs; NULL, with a line in `error`. */
    json_t *(*load)(const char *path, char error[YAML_ERROR_SIZE]);
    /* What a folder's files together have wrong. */
    int (*load_folder)(const struct arguments *a, const char *folder, char error[YAML_ERROR_SIZE]);
    void (*print_head)(void);
    void (*print_row)(const json_t *entry);
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static const struct argp_option MODE_OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {"templates", 't', "FOLDER", 0, "Check: the templates that modes of a folder name must be in this one", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case 't': a->templates = arg; return 0;
    case ARGP_KEY_ARGS:
        a->command = state->argv[state->next];
        a->paths = state->argv + state->next + 1;
        a->path_count = state->argc - state->next - 1;
        return 0;
    case ARGP_KEY_END:
        if (!a->command || strcmp(a->command, a->path_count > 0 ? "check" : "list") != 0) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* --- templates */

static json_t *load_template(const char *path, char error[YAML_ERROR_SIZE]) {
    struct template t;
    if (template_file_load(path, &t, error, YAML_ERROR_SIZE) != 0) return NULL;
    return json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", t.name, "capacity", (int)t.capacity, "side_m", (int)t.side_m,
                     "waves", (int)t.wave_count, "time_limit_s", (int)t.time_limit_s);
}

static int load_templates(const struct arguments *a, const char *folder, char error[YAML_ERROR_SIZE]) {
    (void)a;
    static struct template_set set;
    return template_file_load_folder(folder, NULL, &set, error, YAML_ERROR_SIZE);
}

static void print_template_head(void) {
    printf("%-20s %7s %8s %6s %6s %10s\n", "template", "version", "players", "side", "waves", "time limit");
}

static void print_template(const json_t *t) {
    printf("%-20.31s %7" PRIu64 " %8" PRIu64 " %4" PRIu64 " m %6" PRIu64 " %8" PRIu64 " s\n", world_text(t, "name"),
           world_count(t, "version"), world_count(t, "capacity"), world_count(t, "side_m"), world_count(t, "waves"),
           world_count(t, "time_limit_s"));
}

static const struct kind TEMPLATES = {"templates",    TEMPLATE_FILES_MAX,  load_template,
                                      load_templates, print_template_head, print_template};

static const struct argp TEMPLATE_ARGP = {
    OPTIONS,
    parse,
    "check FILE|FOLDER...\nlist",
    "Checks templates of instances, each file or every *.yaml of a folder, and tells what is wrong by line and key; or "
    "lists "
    "those that a cluster has. deploy/config/instances/crypt.yaml explains the keys.\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

/* --- modes */

static json_t *load_mode(const char *path, char error[YAML_ERROR_SIZE]) {
    struct mode m;
    if (mode_file_load(path, &m, error, YAML_ERROR_SIZE) != 0) return NULL;
    return json_pack("{s:s, s:i, s:i, s:s}", "name", m.name, "teams", (int)m.teams, "team_size", (int)m.team_size,
                     "instance", m.instance);
}

static int load_modes(const struct arguments *a, const char *folder, char error[YAML_ERROR_SIZE]) {
    static struct mode_set modes;
    static struct template_set templates;
    int result = mode_file_load_folder(folder, &modes, error, YAML_ERROR_SIZE);
    if (result != 0 || !a->templates) return result;
    result = template_file_load_folder(a->templates, NULL, &templates, error, YAML_ERROR_SIZE);
    return result == 0 ? template_set_serves(&templates, &modes, error, YAML_ERROR_SIZE) : result;
}

static void print_mode_head(void) {
    printf("%-20s %6s %9s %-20s\n", "mode", "teams", "team size", "instance");
}

static void print_mode(const json_t *m) {
    const char *instance = world_text(m, "instance");
    printf("%-20.31s %6" PRIu64 " %9" PRIu64 " %-20.31s\n", world_text(m, "mode"), world_count(m, "teams"),
           world_count(m, "team_size"), *instance == '\0' ? "-" : instance);
}

static const struct kind MODES = {"modes", MODE_FILES_MAX, load_mode, load_modes, print_mode_head, print_mode};

static const struct argp MODE_ARGP = {
    MODE_OPTIONS,
    parse,
    "check FILE|FOLDER...\nlist",
    "Checks modes of play, each file or every *.yaml of a folder, and tells what is wrong by line and key; or lists those "
    "that a cluster has. deploy/config/modes/duel.yaml explains the keys.\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

/* --- checking */

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* note adds what came of a file or folder: `entry` is taken, NULL where there is an error. */
static void note(json_t *files, const char *path, json_t *entry, const char *error) {
    bool is_good = entry != NULL;
    json_t *file = is_good ? entry : json_pack("{s:s}", "error", error);
    json_object_set_new(file, "file", json_string(path));
    json_object_set_new(file, "good", json_boolean(is_good));
    size_t len = strlen(path);
    if (!is_good && strncmp(error, path, len) == 0 && error[len] == ':' && strtol(error + len + 1, NULL, 10) > 0)
        json_object_set_new(file, "line", json_integer(strtol(error + len + 1, NULL, 10)));
    json_array_append_new(files, file);
}

/* check_file adds what came of a file; false where it is bad. */
static bool check_file(const struct kind *kind, const char *path, json_t *files) {
    char error[YAML_ERROR_SIZE] = "";
    json_t *entry = kind->load(path, error);
    bool is_good = entry != NULL;
    note(files, path, entry, error);
    return is_good;
}

/* check_folder checks each file; where all are good, whether they go together. */
static bool check_folder(const struct kind *kind, const struct arguments *a, const char *folder, json_t *out) {
    char error[YAML_ERROR_SIZE] = "";
    struct yaml_files files;
    bool is_good = true;
    int result = yaml_files_list(folder, kind->files_max, &files, error, sizeof error);
    for (uint32_t i = 0; i < files.count; i++) is_good = check_file(kind, files.paths[i], out) && is_good;
    yaml_files_free(&files);
    if (result == 0 && is_good) result = kind->load_folder(a, folder, error);
    if (result != 0) note(out, folder, NULL, error);
    return result == 0 && is_good;
}

static void print_files(const struct kind *kind, const json_t *files) {
    size_t i;
    json_t *file;
    json_array_foreach(files, i, file) {
        if (json_is_true(json_object_get(file, "good")))
            printf("%s: good: %.*s %s\n", world_text(file, "file"), (int)strlen(kind->list) - 1, kind->list,
                   world_text(file, "name"));
        else
            fprintf(stderr, "%s\n", world_text(file, "error"));
    }
}

static int check(const struct kind *kind, const struct arguments *a) {
    json_t *files = json_array();
    bool is_good = true;
    for (int i = 0; i < a->path_count; i++) {
        bool each =
            is_folder(a->paths[i]) ? check_folder(kind, a, a->paths[i], files) : check_file(kind, a->paths[i], files);
        is_good = each && is_good;
    }
    if (a->json) {
        json_t *all = json_pack("{s:b, s:O}", "good", (int)is_good, "files", files);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    } else {
        print_files(kind, files);
    }
    json_decref(files);
    return is_good ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

/* --- listing */

static void print_list(const struct kind *kind, const json_t *answer) {
    size_t i;
    json_t *entry;
    kind->print_head();
    json_array_foreach(json_object_get(answer, kind->list), i, entry) kind->print_row(entry);
    const char *error = world_text(answer, "error");
    if (*error != '\0') printf("not taken over: %s\n", error);
}

static int list(const struct kind *kind, const struct arguments *a) {
    struct world world;
    char path[32];
    json_t *answer = NULL;
    snprintf(path, sizeof path, "/v1/%s", kind->list);
    int code = world_open(&world, a->run_dir);
    if (code == EXIT_CODE_OK) code = world_ask(&world, path, NULL, &answer);
    if (code == EXIT_CODE_OK && a->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (code == EXIT_CODE_OK) {
        print_list(kind, answer);
    }
    json_decref(answer);
    world_close(&world);
    return code;
}

static int run(const struct kind *kind, const struct argp *argp, int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    argp_parse(argp, argc, argv, 0, NULL, &a);
    return a.path_count > 0 ? check(kind, &a) : list(kind, &a);
}

int verb_template(int argc, char **argv) {
    return run(&TEMPLATES, &TEMPLATE_ARGP, argc, argv);
}

int verb_mode(int argc, char **argv) {
    return run(&MODES, &MODE_ARGP, argc, argv);
}
