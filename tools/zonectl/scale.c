/* scale.c: zonectl scale spares N. Starts or stops processes of zones that have no part of the world, until N of them are
 * there to take over. What can be started is what the configuration has: a slot whose process was stopped before. */
#include <argp.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/option.h"
#include "tools/zonectl/control.h"
#include "tools/zonectl/drain_wait.h"
#include "tools/zonectl/published.h"
#include "tools/zonectl/verb.h"
#include "tools/zonectl/world.h"

#define WAIT_S 60
#define ASK_MS 200

struct arguments {
    const char *run_dir;
    uint32_t spares;
    bool json;
};

/* The slots of the configuration, as they are now. */
struct slots {
    uint32_t spare_count, stopped_count;
    const char *spares[CONFIG_ZONES_MAX]; /* run, or are about to, and have nothing */
    const char *stopped[CONFIG_ZONES_MAX];
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object when it is done, for programs", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1 || (state->arg_num == 0 && strcmp(arg, "spares") != 0)) argp_usage(state);
        if (state->arg_num == 1) a->spares = (uint32_t)option_number(state, "spares", arg, 0, CONFIG_ZONES_MAX);
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num != 2) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "spares N",
    "Has N spare zones run, which take over from zones that die or are drained, and what is split off. They are started and "
    "stopped among the zones of the configuration; a zone that has a part of the world is left alone.\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

/* is_spare tells whether a zone that runs, or will, has nothing; one that was drained is out of use, and no spare. */
static bool is_spare(const json_t *zone) {
    return json_array_size(json_object_get(zone, "partitions")) == 0 &&
           json_array_size(json_object_get(zone, "leaving")) == 0 && !json_is_true(json_object_get(zone, "draining"));
}

static int look(struct world *world, struct slots *out) {
    struct cluster_status published;
    char error[RUN_DIR_ERROR_SIZE];
    json_t *status;
    *out = (struct slots){0};
    int code = published_read(&published, world->run_dir, error);
    if (code != EXIT_CODE_OK) {
        fprintf(stderr, "zonectl: %s\n", error);
        return code;
    }
    code = world_ask(world, "/status", NULL, &status);
    for (uint32_t i = 0; code == EXIT_CODE_OK && i < world->config->zones_count; i++) {
        const char *name = world->config->zones[i].name;
        const struct process_status *process = published_find(&published, name);
        bool is_down = process != NULL && (process->state == LIFECYCLE_STOPPED || process->state == LIFECYCLE_FAILED);
        if (is_down) out->stopped[out->stopped_count++] = name;
        if (process != NULL && !is_down && process->state != LIFECYCLE_STOPPING &&
            is_spare(world_find(status, "workers", name)))
            out->spares[out->spare_count++] = name;
    }
    json_decref(status);
    return code;
}

static int command(const struct world *world, enum control_verb verb, const char *name) {
    char why[CONTROL_BYTES_MAX];
    if (control_ask(world->run_dir, verb, name, why) == 0) return EXIT_CODE_OK;
    fprintf(stderr, "zonectl: cannot %s %s: %s\n", control_verb_text(verb), name, why);
    return EXIT_CODE_FAILED;
}

/* await waits until a zone is there, or is gone, in the eyes of the matchmaker. */
static int await(struct world *world, const char *name, bool up) {
    struct mono deadline = mono_add_ms(mono_now(), WAIT_S * 1000);
    while (!mono_reached(mono_now(), deadline)) {
        char error[WORLD_ERROR_SIZE];
        json_t *status;
        (void)world_try(world, "/status", NULL, &status, error);
        const char *state = world_text(world_find(status, "workers", name), "state");
        bool is_there = *state != '\0' && (strcmp(state, "away") != 0) == up;
        json_decref(status);
        if (is_there) return EXIT_CODE_OK;
        poll(NULL, 0, ASK_MS);
    }
    fprintf(stderr, "zonectl: %s did not %s within %d s\n", name, up ? "register" : "end", WAIT_S);
    return EXIT_CODE_TIMEOUT;
}

/* retire stops a spare. It is drained first, so that it is given nothing meanwhile. */
static int retire(struct world *world, const char *name) {
    double seconds;
    int code = drain_switch(world, name, true);
    if (code == EXIT_CODE_OK) code = drain_wait(world, name, WAIT_S, true, &seconds);
    if (code == EXIT_CODE_OK) code = command(world, CONTROL_STOP, name);
    return code == EXIT_CODE_OK ? await(world, name, false) : code;
}

static int scale(struct world *world, const struct arguments *a, struct slots *slots) {
    int code = look(world, slots);
    if (code != EXIT_CODE_OK) return code;
    if (a->spares > slots->spare_count + slots->stopped_count) {
        fprintf(stderr,
                "zonectl: %" PRIu32 " spares are more than there can be: %" PRIu32 " run and %" PRIu32
                " more can be started; the configuration has %" PRIu32 " zones\n",
                a->spares, slots->spare_count, slots->stopped_count, world->config->zones_count);
        return EXIT_CODE_FAILED;
    }
    uint32_t before = slots->spare_count;
    for (uint32_t i = before; i > a->spares && code == EXIT_CODE_OK; i--) code = retire(world, slots->spares[i - 1]);
    for (uint32_t i = before; i < a->spares && code == EXIT_CODE_OK; i++)
        code = command(world, CONTROL_START, slots->stopped[i - before]);
    for (uint32_t i = before; i < a->spares && code == EXIT_CODE_OK; i++)
        code = await(world, slots->stopped[i - before], true);
    return code;
}

int verb_scale(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    struct world world;
    struct slots slots = {0};
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    int code = world_open(&world, a.run_dir);
    if (code == EXIT_CODE_OK) code = scale(&world, &a, &slots);
    if (code == EXIT_CODE_OK && a.json)
        printf("{\"spares\": %" PRIu32 ", \"before\": %" PRIu32 "}\n", a.spares, slots.spare_count);
    else if (code == EXIT_CODE_OK)
        printf("%" PRIu32 " spares run, %" PRIu32 " before\n", a.spares, slots.spare_count);
    world_close(&world);
    return code;
}
