/* drain_wait.c: see drain_wait.h. */
#include "tools/zonectl/drain_wait.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "tools/zonectl/verb.h"

/* What is left of a zone or gateway at a moment. */
struct left {
    bool is_gateway;
    uint64_t players; /* or sessions */
    uint64_t creatures, in_flight;
    bool is_done, is_away, is_forgotten;
};

struct wait {
    struct world *world;
    const char *name;
    bool quiet;
    struct mono begun, said_at, answered_at;
    struct left said;
};

int drain_switch(struct world *world, const char *name, bool on) {
    char path[128];
    json_t *answer;
    if (world_path(path, sizeof(path), "drain", name, NULL) != 0) {
        fprintf(stderr, "zonectl: expected the name of a zone or gateway, found %s\n", name);
        return EXIT_CODE_USAGE;
    }
    int code = world_ask(world, path, on ? "on" : "off", &answer);
    json_decref(answer);
    return code;
}

static void read_zone(const json_t *zone, struct left *out) {
    const json_t *left = json_object_get(zone, "left");
    bool has_none =
        json_array_size(json_object_get(zone, "partitions")) == 0 && json_array_size(json_object_get(zone, "leaving")) == 0;
    *out = (struct left){.players = world_count(left, "players"),
                         .creatures = world_count(left, "creatures"),
                         .in_flight = world_count(left, "in_flight"),
                         .is_done = has_none,
                         .is_away = strcmp(world_text(zone, "state"), "away") == 0,
                         .is_forgotten = !has_none && !json_is_true(json_object_get(zone, "draining"))};
}

static void read_gateway(const json_t *gateway, struct left *out) {
    bool is_draining = json_is_true(json_object_get(gateway, "draining"));
    *out = (struct left){.is_gateway = true,
                         .players = world_count(gateway, "sessions"),
                         .is_done = is_draining && world_count(gateway, "sessions") == 0,
                         .is_away = strcmp(world_text(gateway, "state"), "away") == 0,
                         .is_forgotten = !is_draining};
}

/* ask finds out what is left; false when the matchmaker does not answer, or only gathers. */
static bool ask(const struct wait *w, struct left *out) {
    char error[WORLD_ERROR_SIZE];
    json_t *status;
    bool known = world_try(w->world, "/status", NULL, &status, error) == 200;
    known = known && strcmp(world_text(status, "state"), "running") == 0;
    json_t *zone = known ? world_find(status, "workers", w->name) : NULL;
    json_t *gateway = known ? world_find(status, "gateways", w->name) : NULL;
    if (zone != NULL) read_zone(zone, out);
    if (gateway != NULL) read_gateway(gateway, out);
    json_decref(status);
    return zone != NULL || gateway != NULL;
}

static void say(struct wait *w, const struct left *left, struct mono now) {
    uint64_t elapsed_ns = mono_since_ns(now, w->said_at);
    if (w->quiet || (w->said_at.ns != 0 && elapsed_ns < DRAIN_WAIT_SAY_MS * NS_PER_MS)) return;
    const char *what = left->is_gateway ? "sessions" : "players";
    printf("%s: %" PRIu64 " %s", w->name, left->players, what);
    if (!left->is_gateway) printf(", %" PRIu64 " creatures, %" PRIu64 " under way", left->creatures, left->in_flight);
    printf(" left");
    if (w->said_at.ns != 0 && left->players <= w->said.players)
        printf(", %.1f %s/s", (double)(w->said.players - left->players) * 1e9 / (double)elapsed_ns, what);
    putchar('\n');
    fflush(stdout);
    w->said = *left;
    w->said_at = now;
}

static int fail(const struct wait *w, const char *what, int code) {
    fprintf(stderr, "zonectl: %s: %s\n", w->name, what);
    return code;
}

int drain_wait(struct world *world, const char *name, uint32_t timeout_s, bool quiet, double *seconds) {
    struct mono now = mono_now();
    struct wait w = {.world = world, .name = name, .quiet = quiet, .begun = now, .answered_at = now};
    for (;; poll(NULL, 0, DRAIN_WAIT_ASK_MS)) {
        struct left left = {0};
        bool known = ask(&w, &left);
        now = mono_now();
        *seconds = (double)mono_since_ns(now, w.begun) / (double)NS_PER_S;
        if (known) {
            w.answered_at = now;
            if (left.is_away) return fail(&w, "died while it was being drained", EXIT_CODE_FAILED);
            if (left.is_done) return EXIT_CODE_OK;
            if (left.is_forgotten && drain_switch(world, name, true) != EXIT_CODE_OK) return EXIT_CODE_FAILED;
            say(&w, &left, now);
        } else if (mono_since_ns(now, w.answered_at) > DRAIN_WAIT_ABSENCE_S * NS_PER_S) {
            return fail(&w, "the matchmaker does not answer any more", EXIT_CODE_FAILED);
        }
        if (timeout_s != 0 && *seconds >= timeout_s)
            return fail(&w, "is not drained in time, and goes on; take it back with: zonectl undrain", EXIT_CODE_TIMEOUT);
    }
}
