/* zone.c: zonectl zone split, zonectl zone merge. Has the matchmaker cut a partition of the world in two, or make one of
 * two.
 */
#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"
#include "tools/zonectl/world.h"

struct arguments {
    const char *run_dir;
    const char *words[3]; /* the command and what it is about */
    unsigned count;
    bool json;
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static bool is_split(const struct arguments *a) {
    return a->count == 2 && strcmp(a->words[0], "split") == 0;
}

static bool is_merge(const struct arguments *a) {
    return a->count == 3 && strcmp(a->words[0], "merge") == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case ARGP_KEY_ARG:
        if (a->count == 3) argp_usage(state);
        a->words[a->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!is_split(a) && !is_merge(a)) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "split ZONE|PARTITION\nmerge A B",
    "Cuts a partition of the world in two halves, of which a spare zone gets the second; or makes B part of A, whose zone "
    "then has both. A and B are partitions, or zones, which stand for their partition with the most players. The command "
    "returns when it was decided; players are handed over meanwhile, which `zonectl zones` shows.\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

static void print(const struct arguments *a, const json_t *answer) {
    if (a->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (is_split(a)) {
        printf("partition %" PRIu64 " is split: its other half is partition %" PRIu64 "\n", world_count(answer, "partition"),
               world_count(answer, "new"));
    } else {
        printf("partition %" PRIu64 " is being made part of partition %" PRIu64 "\n", world_count(answer, "merged"),
               world_count(answer, "partition"));
    }
}

int verb_zone(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    struct world world;
    char path[128];
    json_t *answer = NULL;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    if (world_path(path, sizeof(path), a.words[0], a.words[1], a.words[2]) != 0) {
        fprintf(stderr, "zonectl: expected a zone or the number of a partition\n");
        return EXIT_CODE_USAGE;
    }
    int code = world_open(&world, a.run_dir);
    if (code == EXIT_CODE_OK) code = world_ask(&world, path, "", &answer);
    if (code == EXIT_CODE_OK) print(&a, answer);
    json_decref(answer);
    world_close(&world);
    return code;
}
