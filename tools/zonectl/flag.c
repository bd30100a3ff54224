/* flag.c: zonectl flag. Shows and switches the subsystems of every persist of a running cluster. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/shards.h"
#include "tools/zonectl/verb.h"

#define NAME_MAX_BYTES 32

struct arguments {
    const char *run_dir;
    const char *name;
    const char *state;
    bool json;
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static bool argument_is_good(const struct arguments *a) {
    if (a->name == NULL) return true;
    size_t len = strspn(a->name, "abcdefghijklmnopqrstuvwxyz_-");
    if (len == 0 || len > NAME_MAX_BYTES || a->name[len] != '\0' || a->state == NULL) return false;
    return strcmp(a->state, "on") == 0 || strcmp(a->state, "off") == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) argp_usage(state);
        *(state->arg_num == 0 ? &a->name : &a->state) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!argument_is_good(a)) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "\nNAME on|off",
    "Shows which subsystems are on, or switches one, in every persist. Kept over restarts.\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

static void print(const struct shards *shards, bool as_json) {
    json_t *all = json_object();
    for (uint32_t i = 0; i < shards->count; i++) {
        json_t *flags = json_object_get(shards->answers[i], "flags");
        const char *name;
        json_t *is_on;
        json_object_set(all, shards->names[i], flags);
        if (!as_json) printf("%s:", shards->names[i]);
        json_object_foreach(flags, name, is_on) if (!as_json) printf(" %s %s", name, json_is_true(is_on) ? "on" : "OFF");
        if (!as_json) putchar('\n');
    }
    if (as_json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
}

int verb_flag(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    struct shards shards;
    char path[64] = "/v1/flags";
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    if (a.name != NULL) snprintf(path, sizeof(path), "/v1/flags/%.*s", NAME_MAX_BYTES, a.name);
    int code = shards_open(&shards, a.run_dir);
    if (code == EXIT_CODE_OK) code = shards_ask(&shards, a.run_dir, SHARDS_ALL, path, a.state);
    if (code == EXIT_CODE_OK && a.name != NULL) code = shards_ask(&shards, a.run_dir, SHARDS_ALL, "/v1/flags", NULL);
    if (code == EXIT_CODE_OK) print(&shards, a.json);
    shards_close(&shards);
    return code;
}
