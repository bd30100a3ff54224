/* rollout.c: zonectl rollout restart. Restarts processes one after the other, each only when the one before is back, so that
 * the game goes on: a zone is drained before, and so is a gateway where there is another. */
#include <argp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/option.h"
#include "tools/zonectl/control.h"
#include "tools/zonectl/drain_wait.h"
#include "tools/zonectl/published.h"
#include "tools/zonectl/verb.h"
#include "tools/zonectl/world.h"

#define TIMEOUT_S     300
#define TIMEOUT_S_MAX 86400
#define ASK_MS        100

struct arguments {
    const char *run_dir;
    const char *what;
    uint32_t timeout_s; /* of each step */
    bool json;
};

struct rollout {
    const struct arguments *arguments;
    struct world world;
    struct cluster_status published;
    json_t *done; /* steps */
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object in the end, for programs", 0},
    {"timeout", 't', "S", 0, "For each drain, and for each process to be back [300]", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static bool is_kind(const char *text) {
    static const char *const kinds[] = {"zones", "gateways", "matchmaker", "persists", "all"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(text, kinds[i]) == 0) return true;
    return false;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case 't': a->timeout_s = (uint32_t)option_number(state, "--timeout", arg, 1, TIMEOUT_S_MAX); return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0 && strcmp(arg, "restart") == 0) return 0;
        if (state->arg_num != 1 || !is_kind(arg)) argp_usage(state);
        a->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num == 0) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "restart [zones|gateways|matchmaker|persists|all]",
    "Restarts processes one after the other [all]: persists, the matchmaker, zones, gateways. A zone is drained first, for "
    "which there must be a spare; a gateway, too, unless it is the only one. Each must be registered and ready again before "
    "the next; the first that fails ends it.\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

__attribute__((format(printf, 3, 4))) static void say(const struct rollout *r, const char *name, const char *format, ...) {
    va_list args;
    if (r->arguments->json) return;
    va_start(args, format);
    printf("%s: ", name);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static int complain(const char *name, const char *what, int code) {
    fprintf(stderr, "zonectl: %s: %s; the rollout ends here\n", name, what);
    return code;
}

/* --- what there is */

/* look returns the process of a name as the supervisor sees it now, NULL with the reason told. */
static const struct process_status *look(struct rollout *r, const char *name) {
    char error[RUN_DIR_ERROR_SIZE];
    if (published_read(&r->published, r->arguments->run_dir, error) != EXIT_CODE_OK) {
        fprintf(stderr, "zonectl: %s\n", error);
        return NULL;
    }
    const struct process_status *process = published_find(&r->published, name);
    if (process == NULL) (void)complain(name, "the supervisor has no such process", EXIT_CODE_FAILED);
    return process;
}

/* incarnation_of writes what the matchmaker knows a zone or gateway by; "" when it does not. */
static bool incarnation_of(struct rollout *r, const char *list, const char *name, char out[32]) {
    char error[WORLD_ERROR_SIZE];
    json_t *status;
    bool known = world_try(&r->world, "/status", NULL, &status, error) == 200;
    const json_t *entry = world_find(status, list, name);
    bool is_away = strcmp(world_text(entry, "state"), "away") == 0;
    snprintf(out, 32, "%s", is_away ? "" : world_text(entry, "incarnation"));
    json_decref(status);
    return known;
}

/* is_registered tells whether the matchmaker has the process that took the place of `before`. */
static bool is_registered(struct rollout *r, const char *list, const char *name, const char *before) {
    char error[WORLD_ERROR_SIZE], now[32];
    json_t *status;
    if (list == NULL || strcmp(list, "persists") == 0) {
        bool running = world_try(&r->world, "/status", NULL, &status, error) == 200 &&
                       strcmp(world_text(status, "state"), "running") == 0;
        const json_t *entry = list == NULL ? NULL : world_find(status, list, name);
        bool connected = list == NULL || json_is_true(json_object_get(entry, "connected"));
        json_decref(status);
        return running && connected;
    }
    return incarnation_of(r, list, name, now) && now[0] != '\0' && strcmp(now, before) != 0;
}

/* --- a step */

/* await_back waits for another process under the name, which is ready and registered. */
static int await_back(struct rollout *r, const char *list, const char *name, pid_t pid, const char *before,
                      double *seconds) {
    struct mono begun = mono_now();
    for (;; poll(NULL, 0, ASK_MS)) {
        const struct process_status *process = look(r, name);
        if (process == NULL) return EXIT_CODE_FAILED;
        *seconds = (double)mono_since_ns(mono_now(), begun) / (double)NS_PER_S;
        if (process->state == LIFECYCLE_FAILED)
            return complain(name, "died again and again, and was given up: see its log", EXIT_CODE_FAILED);
        if (process->pid != 0 && process->pid != pid && process->state == LIFECYCLE_READY &&
            is_registered(r, list, name, before))
            return EXIT_CODE_OK;
        if (*seconds >= r->arguments->timeout_s) return complain(name, "is not back in time", EXIT_CODE_TIMEOUT);
    }
}

static int restart(struct rollout *r, const char *list, const char *name, double drain_s) {
    char why[CONTROL_BYTES_MAX], before[32] = "";
    double seconds = 0;
    const struct process_status *process = look(r, name);
    if (process == NULL) return EXIT_CODE_FAILED;
    pid_t pid = process->pid;
    if (list != NULL) (void)incarnation_of(r, list, name, before);
    say(r, name, "restarting");
    if (control_ask(r->arguments->run_dir, CONTROL_RESTART, name, why) != 0) return complain(name, why, EXIT_CODE_FAILED);
    int code = await_back(r, list, name, pid, before, &seconds);
    if (code != EXIT_CODE_OK) return code;
    say(r, name, "back after %.1f s", seconds);
    json_array_append_new(r->done, json_pack("{s:s, s:f, s:f}", "name", name, "drain_s", drain_s, "restart_s", seconds));
    return EXIT_CODE_OK;
}

/* is_down tells whether an operator has stopped it. */
static bool is_down(struct rollout *r, const char *name) {
    const struct process_status *process = look(r, name);
    bool down = process != NULL && process->state == LIFECYCLE_STOPPED;
    if (down) say(r, name, "is stopped, and stays so");
    return down;
}

static int drain_and_restart(struct rollout *r, const char *list, const char *name) {
    double seconds;
    say(r, name, "draining");
    int code = drain_switch(&r->world, name, true);
    if (code != EXIT_CODE_OK) return complain(name, "cannot be drained", code);
    code = drain_wait(&r->world, name, r->arguments->timeout_s, r->arguments->json, &seconds);
    if (code != EXIT_CODE_OK) return complain(name, "was not restarted", code);
    say(r, name, "drained after %.1f s", seconds);
    return restart(r, list, name, seconds);
}

static int roll_persists(struct rollout *r) {
    const struct config *config = r->world.config;
    int code = EXIT_CODE_OK;
    for (uint32_t i = 0; i < config->persists_count && code == EXIT_CODE_OK; i++)
        code = restart(r, "persists", config->persists[i].name, 0);
    return code;
}

static int roll_zones(struct rollout *r) {
    const struct config *config = r->world.config;
    int code = EXIT_CODE_OK;
    for (uint32_t i = 0; i < config->zones_count && code == EXIT_CODE_OK; i++)
        if (!is_down(r, config->zones[i].name)) code = drain_and_restart(r, "workers", config->zones[i].name);
    return code;
}

static int roll_gateways(struct rollout *r) {
    const struct config *config = r->world.config;
    int code = EXIT_CODE_OK;
    if (config->gateways_count == 1) {
        say(r, config->gateways[0].name, "is the only gateway: its players have to log in again");
        return restart(r, "gateways", config->gateways[0].name, 0);
    }
    for (uint32_t i = 0; i < config->gateways_count && code == EXIT_CODE_OK; i++)
        code = drain_and_restart(r, "gateways", config->gateways[i].name);
    return code;
}

static int roll(struct rollout *r) {
    const char *what = r->arguments->what;
    bool all = strcmp(what, "all") == 0;
    int code = EXIT_CODE_OK;
    if (all || strcmp(what, "persists") == 0) code = roll_persists(r);
    if (code == EXIT_CODE_OK && (all || strcmp(what, "matchmaker") == 0))
        code = restart(r, NULL, r->world.config->matchmaker.name, 0);
    if (code == EXIT_CODE_OK && (all || strcmp(what, "zones") == 0)) code = roll_zones(r);
    if (code == EXIT_CODE_OK && (all || strcmp(what, "gateways") == 0)) code = roll_gateways(r);
    return code;
}

int verb_rollout(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT, .what = "all", .timeout_s = TIMEOUT_S};
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    struct rollout *r = calloc(1, sizeof(*r));
    if (r == NULL) return EXIT_CODE_FAILED;
    r->arguments = &a;
    r->done = json_array();
    int code = world_open(&r->world, a.run_dir);
    bool opened = code == EXIT_CODE_OK;
    if (opened) code = roll(r);
    if (opened && a.json) {
        json_t *json = json_pack("{s:b, s:O}", "done", code == EXIT_CODE_OK, "restarted", r->done);
        json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(json);
    } else if (code == EXIT_CODE_OK) {
        printf("%zu processes were restarted\n", json_array_size(r->done));
    }
    json_decref(r->done);
    world_close(&r->world);
    free(r);
    return code;
}
