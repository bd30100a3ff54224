/* instance.c: zonectl instance launch, list, watch, end. Has the matchmaker run instances, and tells how they are. */
#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/option.h"
#include "tools/zonectl/instance_watch.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"
#include "tools/zonectl/world.h"

#define SETS_MAX 32

struct arguments {
    const char *run_dir;
    const char *words[2]; /* the command and what it is about */
    unsigned count;
    char *players, *party, *region; /* of launch, as the rest */
    char *sets[SETS_MAX];
    unsigned set_count;
    bool wait, json;
    uint64_t id; /* of watch and end */
};

static const struct argp_option OPTIONS[] = {
    {"players", 'p', "A,B,...", 0, "Launch: who is to be in it: ids, or names where the front door is in dev mode", 0},
    {"party", 'P', "PLAYER", 0, "Launch: those who are in this player's party", 0},
    {"region", 'R', "NAME", 0, "Launch: a zone of this region runs it where there is one [any]", 0},
    {"set", 's', "KEY=VALUE", 0,
     "Launch: what is to be otherwise than in the template, as time_limit_s=60 or win.gold=5; may be given again", 0},
    {"wait", 'w', NULL, 0, "Launch: follow it until it is over, as watch does", 0},
    {"json", 'j', NULL, 0, "Print an object, for programs; watch prints one in a line for each change", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static bool is_command(const struct arguments *a, const char *name) {
    return a->count > 0 && strcmp(a->words[0], name) == 0;
}

/* arguments_are_good takes the id of watch and end. */
static bool arguments_are_good(struct arguments *a) {
    bool has_options = a->players || a->party || a->region || a->set_count > 0 || a->wait;
    if (is_command(a, "launch")) return a->count == 2 && !(a->players && a->party);
    if (is_command(a, "list")) return a->count == 1 && !has_options;
    if (!is_command(a, "watch") && !is_command(a, "end")) return false;
    return a->count == 2 && !has_options && option_number_parse(a->words[1], 1, UINT32_MAX, &a->id) == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'p': a->players = arg; return 0;
    case 'P': a->party = arg; return 0;
    case 'R': a->region = arg; return 0;
    case 's':
        if (a->set_count == SETS_MAX || !strchr(arg, '=')) argp_error(state, "expected at most %d KEY=VALUE", SETS_MAX);
        a->sets[a->set_count++] = arg;
        return 0;
    case 'w': a->wait = true; return 0;
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case ARGP_KEY_ARG:
        if (a->count == 2) argp_usage(state);
        a->words[a->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!arguments_are_good(a)) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "launch TEMPLATE\nlist\nwatch ID\nend ID",
    "Launches an instance of a template and has players brought there; lists those that there are; follows one until it is "
    "over; ends one, whose players go back to where they came from. `zonectl template list` lists the templates.\v"
    "Watch, and launch that waits, exit with 1 when the process of the instance died or had no room for "
    "it. " VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

static void print_json(const json_t *json) {
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

/* --- launching */

/* wish_json makes what is asked for; takes the arguments apart. */
static json_t *wish_json(struct arguments *a) {
    json_t *wish = json_pack("{s:s}", "template", a->words[1]);
    if (a->party) json_object_set_new(wish, "party", json_string(a->party));
    if (a->region) json_object_set_new(wish, "region", json_string(a->region));
    if (a->players) {
        json_t *players = json_array();
        for (char *rest = a->players, *player; (player = strsep(&rest, ","));)
            if (*player != '\0') json_array_append_new(players, json_string(player));
        json_object_set_new(wish, "players", players);
    }
    json_t *set = json_object();
    for (unsigned i = 0; i < a->set_count; i++) {
        char *value = strchr(a->sets[i], '=');
        *value++ = '\0';
        json_object_set_new(set, a->sets[i], json_string(value));
    }
    json_object_set_new(wish, "set", set);
    return wish;
}

static int launch(struct arguments *a, struct world *world) {
    json_t *wish = wish_json(a), *answer;
    char *body = json_dumps(wish, JSON_COMPACT);
    json_decref(wish);
    int code = world_post(world, "/v1/instances", body, &answer);
    free(body);
    if (code != EXIT_CODE_OK) return code;
    uint64_t id = strtoull(world_text(answer, "match"), NULL, 10);
    if (a->json && !a->wait) print_json(answer);
    if (!a->json) printf("instance %" PRIu64 " of %s is launched\n", id, world_text(answer, "template"));
    fflush(stdout);
    json_decref(answer);
    return a->wait ? instance_watch(world, id, a->json) : EXIT_CODE_OK;
}

/* --- listing */

static void print_instance(const json_t *instance) {
    char waves[32], players[32], slowed[32] = "-", since[INSTANCE_SINCE_SIZE];
    const char *zone = world_text(instance, "zone");
    snprintf(waves, sizeof waves, "%" PRIu64 "/%" PRIu64, world_count(instance, "wave"), world_count(instance, "waves"));
    snprintf(players, sizeof players, "%" PRIu64 "/%" PRIu64, world_count(instance, "present"),
             world_count(instance, "players"));
    if (world_count(instance, "slowed") > 1)
        snprintf(slowed, sizeof slowed, "1/%" PRIu64, world_count(instance, "slowed")); /* of creatures' turns */
    printf("%-10s %-20.31s %-10s %-14.14s %7s %9" PRIu64 " %6s %8s %9s\n", world_text(instance, "match"),
           world_text(instance, "template"), world_text(instance, "state"), *zone == '\0' ? "-" : zone, waves,
           world_count(instance, "creatures"), slowed, players,
           instance_since(world_count(instance, "started_at_ms"), since));
}

static int list(const struct arguments *a, struct world *world) {
    json_t *answer, *instance;
    size_t i;
    int code = world_ask(world, "/v1/instances", NULL, &answer);
    if (code != EXIT_CODE_OK) return code;
    if (a->json) {
        print_json(answer);
    } else {
        printf("%-10s %-20s %-10s %-14s %7s %9s %6s %8s %9s\n", "instance", "template", "state", "zone", "waves",
               "creatures", "slowed", "players", "since");
        json_array_foreach(json_object_get(answer, "instances"), i, instance) print_instance(instance);
        uint64_t left_out = world_count(answer, "left_out");
        if (left_out > 0) printf("and %" PRIu64 " more\n", left_out);
    }
    json_decref(answer);
    return EXIT_CODE_OK;
}

static int end(const struct arguments *a, struct world *world) {
    char path[64];
    json_t *answer;
    snprintf(path, sizeof path, "/v1/instances/%" PRIu64 "/end", a->id);
    int code = world_ask(world, path, "", &answer);
    if (code != EXIT_CODE_OK) return code;
    if (a->json) {
        print_json(answer);
    } else {
        printf("instance %" PRIu64 " is being ended\n", a->id);
    }
    json_decref(answer);
    return EXIT_CODE_OK;
}

int verb_instance(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    struct world world;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    int code = world_open(&world, a.run_dir);
    if (code == EXIT_CODE_OK && is_command(&a, "launch")) code = launch(&a, &world);
    if (code == EXIT_CODE_OK && is_command(&a, "list")) code = list(&a, &world);
    if (code == EXIT_CODE_OK && is_command(&a, "watch")) code = instance_watch(&world, a.id, a.json);
    if (code == EXIT_CODE_OK && is_command(&a, "end")) code = end(&a, &world);
    world_close(&world);
    return code;
}
