/* journal.c: zonectl journal. Tells what is in the journals of a cluster, whether it runs or not. */
#include <argp.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "tools/zonectl/journal_view.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"

struct arguments {
    const char *run_dir;
    const char *dir;
    bool json;
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {"run-dir", 'r', "DIR", 0,
     "Run directory of the cluster whose journals are read when no folder is given [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_usage(state);
        a->dir = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "[FOLDER]",
    "Reads the segments of a journal: positions, records by type, and what is wrong with them. Changes nothing. A torn "
    "tail, as a "
    "crash leaves it, is no fault; in a journal that is in use the newest block may look like one."
    "\vExit codes: 0 a recovery would take them, 1 one is broken or can't be read, 2 wrong usage.",
    NULL,
    NULL,
    NULL};

static void print_segment(const json_t *segment) {
    const char *state = json_string_value(json_object_get(segment, "state"));
    const char *error = json_string_value(json_object_get(segment, "error"));
    const char *type;
    json_t *count;
    printf("  %s  %-6s", json_string_value(json_object_get(segment, "file")), state);
    if (json_object_get(segment, "first") != NULL)
        printf("  positions %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
               " blocks, %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " bytes",
               json_integer_value(json_object_get(segment, "first")), json_integer_value(json_object_get(segment, "last")),
               json_integer_value(json_object_get(segment, "blocks")),
               json_integer_value(json_object_get(segment, "used_bytes")),
               json_integer_value(json_object_get(segment, "bytes")));
    json_object_foreach(json_object_get(segment, "records"), type, count)
        printf(", %" JSON_INTEGER_FORMAT " %s", json_integer_value(count), type);
    printf("%s%s\n", error == NULL ? "" : "  ", error == NULL ? "" : error);
}

static void print_journal(const json_t *journal) {
    const json_t *segments = json_object_get(journal, "segments");
    printf("%s: %s, positions %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT "\n",
           json_string_value(json_object_get(journal, "dir")),
           json_is_true(json_object_get(journal, "sound")) ? "sound" : "BROKEN",
           json_integer_value(json_object_get(journal, "first")), json_integer_value(json_object_get(journal, "last")));
    for (size_t i = 0; i < json_array_size(segments); i++) print_segment(json_array_get(segments, i));
}

/* view_one reads a journal into the list; an exit code. */
static int view_one(json_t *list, const char *dir) {
    char error[JOURNAL_VIEW_ERROR_SIZE];
    json_t *journal = journal_view(dir, error);
    if (journal == NULL) {
        fprintf(stderr, "zonectl: %s\n", error);
        return EXIT_CODE_FAILED;
    }
    json_array_append_new(list, journal);
    return json_is_true(json_object_get(journal, "sound")) ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

/* view_cluster reads the journals of every persist of the configuration that the run directory was last used with. */
static int view_cluster(json_t *list, const char *run_dir) {
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    struct config *config;
    int code = EXIT_CODE_OK;
    if (run_dir_path(path, run_dir, "cluster", ".yaml") != 0 || config_load(path, &config, error, sizeof(error)) != 0) {
        fprintf(stderr, "zonectl: no cluster was ever run in %s\n", run_dir);
        return EXIT_CODE_FAILED;
    }
    for (uint32_t i = 0; i < config->persists_count; i++) {
        const char *own = config->persist.journal_dir;
        const char *base = own[0] != '\0' ? own : run_dir;
        if (run_dir_path(path, base, own[0] != '\0' ? "" : "journal/", config->persists[i].name) != 0) continue;
        if (view_one(list, path) != EXIT_CODE_OK) code = EXIT_CODE_FAILED;
    }
    config_free(config);
    return code;
}

int verb_journal(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    json_t *list = json_array();
    int code = a.dir != NULL ? view_one(list, a.dir) : view_cluster(list, a.run_dir);
    for (size_t i = 0; i < json_array_size(list) && !a.json; i++) print_journal(json_array_get(list, i));
    if (a.json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return code;
}
