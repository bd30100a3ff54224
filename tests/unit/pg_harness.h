/* pg_harness.h: a pool on a loop of its own, for tests: submit, run the loop until it is answered, look at the answer. */
#ifndef MARCH_TESTS_UNIT_PG_HARNESS_H
#define MARCH_TESTS_UNIT_PG_HARNESS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "persist/pg.h"

#define HARNESS_PATIENCE_MS 20000

struct harness_answer {
    bool done;
    int error;
    char sqlstate[6];
    char message[256];
    unsigned count;
    int64_t numbers[PG_CALLS_MAX]; /* first field of the first row of each result, where it is an int8 */
};

struct harness {
    struct ev_loop *loop;
    struct pg *pg;
};

static inline void harness_keep(void *ctx, const struct pg_reply *reply) {
    struct harness_answer *answer = ctx;
    answer->done = true;
    answer->error = reply->error;
    answer->count = reply->count;
    snprintf(answer->sqlstate, sizeof answer->sqlstate, "%s", reply->sqlstate);
    snprintf(answer->message, sizeof answer->message, "%s", reply->message);
    for (unsigned i = 0; i < reply->count; i++) {
        struct pg_row row = pg_row_at(reply->results[i], 0);
        answer->numbers[i] = pg_row_int8(&row, 0);
    }
}

static inline void harness_open(struct harness *harness, const struct pg_config *config) {
    harness->loop = ev_loop_new(EVFLAG_AUTO);
    if (pg_create(harness->loop, config, &harness->pg) != 0) abort();
}

static inline void harness_close(struct harness *harness) {
    pg_destroy(harness->pg);
    ev_loop_destroy(harness->loop);
}

static inline void harness_wake(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)timer, (void)events;
}

/* harness_until runs the loop until the expression is true; stops the program when that takes too long. */
#define harness_until(harness, condition)                                                                                   \
    do {                                                                                                                    \
        struct mono limit_ = mono_add_ms(mono_now(), HARNESS_PATIENCE_MS);                                                  \
        ev_timer wake_;                                                                                                     \
        ev_timer_init(&wake_, harness_wake, 0.01, 0.01);                                                                    \
        ev_timer_start((harness)->loop, &wake_);                                                                            \
        while (!(condition)) {                                                                                              \
            if (mono_reached(mono_now(), limit_)) {                                                                         \
                fprintf(stderr, "%s:%d: never: %s\n", __FILE__, __LINE__, #condition);                                      \
                abort();                                                                                                    \
            }                                                                                                               \
            ev_run((harness)->loop, EVRUN_ONCE);                                                                            \
        }                                                                                                                   \
        ev_timer_stop((harness)->loop, &wake_);                                                                             \
    } while (0)

/* harness_submit submits calls; the answer comes while the loop runs. */
static inline void harness_submit(struct harness *harness, const struct pg_call *calls, unsigned count, enum pg_mode mode,
                                  uint32_t deadline_ms, struct harness_answer *answer) {
    *answer = (struct harness_answer){0};
    int error = pg_run(harness->pg, calls, count, mode, deadline_ms, harness_keep, answer);
    if (error != 0) *answer = (struct harness_answer){.done = true, .error = error};
}

/* harness_run submits calls and waits for the answer. */
static inline struct harness_answer harness_run(struct harness *harness, const struct pg_call *calls, unsigned count,
                                                enum pg_mode mode) {
    struct harness_answer answer;
    harness_submit(harness, calls, count, mode, HARNESS_PATIENCE_MS, &answer);
    harness_until(harness, answer.done);
    return answer;
}

#endif
