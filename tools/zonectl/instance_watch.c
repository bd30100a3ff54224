/* instance_watch.c: see instance_watch.h. */
#include "tools/zonectl/instance_watch.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"
#include "tools/zonectl/verb.h"

#define LINE_SIZE 512

struct watch {
    struct world *world;
    uint64_t id;
    bool as_json, is_terminal;
    bool is_known; /* it was there once */
    char said[LINE_SIZE];
    struct mono answered_at;
};

const char *instance_since(uint64_t wall_ms, char out[INSTANCE_SINCE_SIZE]) {
    uint64_t now_ms = wall_now_ns() / NS_PER_MS;
    uint64_t s = now_ms > wall_ms ? (now_ms - wall_ms) / 1000 : 0;
    if (s < 3600) {
        snprintf(out, INSTANCE_SINCE_SIZE, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
    } else {
        snprintf(out, INSTANCE_SINCE_SIZE, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
    }
    return out;
}

/* --- what is told */

/* why_over says how it ended, in words. */
static const char *why_over(const json_t *instance) {
    static const struct {
        const char *end, *goal, *words;
    } table[] = {
        {"goal", "cleared", "all waves are dead"},
        {"goal", "kills", "a team has its kills"},
        {"goal", "last_team", "one team is left"},
        {"goal", "lost", "nobody is left"},
        {"goal", "empty", "nobody was in it any more"},
        {"goal", "time", "its time was up"},
        {"ordered", "", "it was ended"},
        {"crashed", "", "its process died"},
        {"refused", "", "the zone has no room for it"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(world_text(instance, "end"), table[i].end) == 0 &&
            strcmp(world_text(instance, "goal"), table[i].goal) == 0)
            return table[i].words;
    return world_text(instance, "end");
}

static size_t count_present(const json_t *instance) {
    size_t i, count = 0;
    json_t *player;
    json_array_foreach(json_object_get(instance, "players"), i, player) if (json_is_true(json_object_get(player, "present")))
        count++;
    return count;
}

/* describe writes what is told when it changes. */
static void describe(const json_t *instance, struct text *out) {
    size_t i;
    json_t *score;
    const json_t *scores = json_object_get(instance, "scores");
    text_append(out, "%s %s: %s", world_text(instance, "template"), world_text(instance, "match"),
                world_text(instance, "state"));
    if (strcmp(world_text(instance, "state"), "over") == 0) text_append(out, ": %s", why_over(instance));
    if (world_count(instance, "waves") > 0)
        text_append(out, ", %" PRIu64 " of %" PRIu64 " waves over", world_count(instance, "wave"),
                    world_count(instance, "waves"));
    text_append(out, ", players %zu of %zu", count_present(instance), json_array_size(json_object_get(instance, "players")));
    if (json_array_size(scores) > 1) text_append(out, ", scores ");
    json_array_foreach(scores, i, score) if (json_array_size(scores) > 1)
        text_append(out, "%s%" PRId64, i > 0 ? ":" : "", (int64_t)json_integer_value(score));
    if (world_count(instance, "slowed") > 1)
        text_append(out, ", creatures think in every %" PRIu64 ". turn: they took too long",
                    world_count(instance, "slowed"));
    if (world_count(instance, "restarts") > 0)
        text_append(out, ", restarted %" PRIu64 " times", world_count(instance, "restarts"));
}

/* say_terminal keeps one line, with what changes all the time. */
static void say_terminal(const struct watch *w, const json_t *instance) {
    char since[INSTANCE_SINCE_SIZE];
    printf("\r%s, %" PRIu64 " creatures, %s\033[K", w->said, world_count(instance, "creatures"),
           instance_since(world_count(instance, "started_at_ms"), since));
}

static void say(struct watch *w, const json_t *instance) {
    char line[LINE_SIZE];
    struct text text;
    text_init(&text, line, sizeof line);
    describe(instance, &text);
    bool is_new = strcmp(line, w->said) != 0;
    memcpy(w->said, line, sizeof line);
    if (w->is_terminal) {
        say_terminal(w, instance);
    } else if (is_new && w->as_json) {
        json_dumpf(instance, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (is_new) {
        puts(line);
    }
    fflush(stdout);
}

/* --- following */

static int leave(const struct watch *w, const char *why) {
    if (w->is_terminal && w->said[0] != '\0') putchar('\n');
    if (!why) return EXIT_CODE_OK;
    fprintf(stderr, "zonectl: instance %" PRIu64 ": %s\n", w->id, why);
    return EXIT_CODE_FAILED;
}

/* take tells what was answered; true when there is no more to come. */
static bool take(struct watch *w, long status, const json_t *instance, int *code) {
    if (status == 200) {
        w->is_known = true;
        w->answered_at = mono_now();
        say(w, instance);
        const char *end = world_text(instance, "end");
        bool is_bad = strcmp(end, "crashed") == 0 || strcmp(end, "refused") == 0;
        if (strcmp(world_text(instance, "state"), "over") != 0) return false;
        *code = leave(w, is_bad ? why_over(instance) : NULL);
        return true;
    }
    bool is_away = status == 0 || status >= 500;
    if (is_away && mono_since_ns(mono_now(), w->answered_at) <= INSTANCE_WATCH_ABSENCE_S * NS_PER_S) return false;
    *code = leave(w, is_away       ? "the matchmaker does not answer any more"
                     : w->is_known ? NULL /* over, settled and forgotten between two looks */
                                   : "there is no such instance");
    return true;
}

int instance_watch(struct world *world, uint64_t id, bool as_json) {
    struct watch w = {.world = world,
                      .id = id,
                      .as_json = as_json,
                      .is_terminal = !as_json && isatty(STDOUT_FILENO),
                      .answered_at = mono_now()};
    char path[64], error[WORLD_ERROR_SIZE];
    int code = EXIT_CODE_OK;
    snprintf(path, sizeof path, "/v1/instances/%" PRIu64, id);
    for (;; poll(NULL, 0, INSTANCE_WATCH_ASK_MS)) {
        json_t *instance;
        long status = world_try(world, path, NULL, &instance, error);
        bool is_done = take(&w, status, instance, &code);
        json_decref(instance);
        if (is_done) return code;
    }
}
