/* zones.c: zonectl zones. Tells who has which part of the world, as the matchmaker sees it. */
#include <argp.h>
#include <stdbool.h>

#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"
#include "tools/zonectl/world.h"

struct arguments {
    const char *run_dir;
    bool json;
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print what the matchmaker answers, for programs", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS, parse, NULL, "Tells who has which part of the world: partitions, owners, players.\v" VERB_EXIT_CODES,
    NULL,    NULL,  NULL};

int verb_zones(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    struct world world;
    json_t *status = NULL;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    int code = world_open(&world, a.run_dir);
    if (code == EXIT_CODE_OK) code = world_ask(&world, "/status", NULL, &status);
    if (code == EXIT_CODE_OK && a.json) {
        json_dumpf(status, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
    } else if (code == EXIT_CODE_OK) {
        world_print(status, stdout);
    }
    json_decref(status);
    world_close(&world);
    return code;
}
