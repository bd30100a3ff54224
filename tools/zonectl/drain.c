/* drain.c: zonectl drain, zonectl undrain. Takes a zone or gateway out of use, and back. */
#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/option.h"
#include "tools/zonectl/drain_wait.h"
#include "tools/zonectl/gaps.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"

#define TIMEOUT_S_MAX 86400

struct arguments {
    const char *run_dir;
    const char *name;
    bool json;
    bool wait;
    uint32_t timeout_s;
};

#define COMMON_OPTIONS                                                                                                      \
    {"json", 'j', NULL, 0, "Print an object when it is done, for programs", 0}, {                                           \
        "run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0                                   \
    }

static const struct argp_option DRAIN_OPTIONS[] = {
    COMMON_OPTIONS,
    {"wait", 'w', NULL, 0, "Wait until nothing is left, tell how it goes, and for how long players were between zones", 0},
    {"timeout", 't', "S", 0, "Wait no longer than S seconds; 0 waits for ever [0]", 0},
    {0},
};

static const struct argp_option UNDRAIN_OPTIONS[] = {COMMON_OPTIONS, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case 'w': a->wait = true; return 0;
    case 't':
        a->timeout_s = (uint32_t)option_number(state, "--timeout", arg, 0, TIMEOUT_S_MAX);
        a->wait = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_usage(state);
        a->name = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->name == NULL) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp DRAIN_ARGP = {
    DRAIN_OPTIONS,
    parse,
    "ZONE|GATEWAY",
    "Takes a zone or gateway out of use. The parts of the world that a zone has go to spare zones, and its players with "
    "them, "
    "who notice nothing; it stays out of use until it is undrained or restarted. A gateway takes no new sessions, and has "
    "its clients log in elsewhere.\v--timeout waits, too; what was begun goes on when the time is over.\n\n" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

static const struct argp UNDRAIN_ARGP = {
    UNDRAIN_OPTIONS,
    parse,
    "ZONE|GATEWAY",
    "Takes a zone or gateway back into use. A zone that is still handing over keeps what it has and gets back the rest; one "
    "that has handed over everything is a spare.\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

static void print(const struct arguments *a, bool on) {
    if (a->json)
        printf("{\"name\": \"%s\", \"state\": \"%s\"}\n", a->name, on ? "draining" : "in use");
    else
        printf("%s is %s\n", a->name, on ? "being drained" : "in use again");
}

static void print_drained(const struct arguments *a, double seconds, const struct gaps_figures *gaps) {
    const char *format = a->json ? ", \"gap_ms\": {\"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}"
                                 : ", between zones for p50 %.1f, p99 %.1f, at most %.1f ms";
    printf(a->json ? "{\"name\": \"%s\", \"state\": \"drained\", \"seconds\": %.3f, \"moved\": %" PRIu64
                   : "%s is drained, after %.1f s; %" PRIu64 " players changed zones",
           a->name, seconds, gaps->players);
    if (gaps->players > 0) printf(format, gaps->p50_ms, gaps->p99_ms, gaps->max_ms);
    printf(a->json ? "}\n" : "\n");
}

static int wait_and_measure(struct world *world, const struct arguments *a) {
    double seconds;
    struct gaps *before = gaps_begin(world);
    if (before == NULL) return EXIT_CODE_FAILED;
    int code = drain_switch(world, a->name, true);
    if (code == EXIT_CODE_OK) code = drain_wait(world, a->name, a->timeout_s, a->json, &seconds);
    struct gaps_figures gaps = gaps_end(before, world);
    if (code == EXIT_CODE_OK) print_drained(a, seconds, &gaps);
    return code;
}

static int run(const struct arguments *a, bool on) {
    struct world world;
    int code = world_open(&world, a->run_dir);
    if (code == EXIT_CODE_OK && a->wait) {
        code = wait_and_measure(&world, a);
    } else if (code == EXIT_CODE_OK) {
        code = drain_switch(&world, a->name, on);
        if (code == EXIT_CODE_OK) print(a, on);
    }
    world_close(&world);
    return code;
}

int verb_drain(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    argp_parse(&DRAIN_ARGP, argc, argv, 0, NULL, &a);
    return run(&a, true);
}

int verb_undrain(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    argp_parse(&UNDRAIN_ARGP, argc, argv, 0, NULL, &a);
    return run(&a, false);
}
