/* lifecycle.h: when a supervised process is started, restarted and given up.
 *
 *     waiting ──due──► starting ──ready──► ready          any of them ──stop──► stopping ──died──► stopped
 *        ▲                │                  │
 *        └──────died──────┴──────────────────┘            waiting ──too many quick deaths──► failed
 *
 * A death is quick when the process lived less than LIFECYCLE_QUICK_MS. Each quick death in a row doubles the wait before
 * the next start, from LIFECYCLE_BACKOFF_FIRST_MS to LIFECYCLE_BACKOFF_MAX_MS; as many as `deaths_max` in a row end in
 * `failed`. From stopped and failed only lifecycle_revive leads away. Sans-I/O: the supervisor starts the process and tells
 * what happened.
 */
#ifndef MARCH_ZONECTL_LIFECYCLE_H
#define MARCH_ZONECTL_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

#define LIFECYCLE_QUICK_MS         5000
#define LIFECYCLE_BACKOFF_FIRST_MS 50
#define LIFECYCLE_BACKOFF_MAX_MS   1000

enum lifecycle_state {
    LIFECYCLE_WAITING = 0, /* to be started at `next_start` */
    LIFECYCLE_STARTING,    /* runs, not ready */
    LIFECYCLE_READY,       /* runs and says that it is ready */
    LIFECYCLE_STOPPING,    /* was asked to end */
    LIFECYCLE_STOPPED,     /* ended as it was asked to */
    LIFECYCLE_FAILED,      /* given up */
    LIFECYCLE_COUNT
};

struct lifecycle {
    enum lifecycle_state state;
    struct mono started;    /* of the present run, in starting, ready and stopping */
    struct mono next_start; /* in waiting */
    uint32_t restarts;      /* runs after the first */
    uint32_t quick_deaths;  /* in a row */
    bool ran;               /* was started at least once */
};

/* lifecycle_init makes a process that is due at once. */
void lifecycle_init(struct lifecycle *l, struct mono now);

/* lifecycle_due tells whether the process is to be started now. */
bool lifecycle_due(const struct lifecycle *l, struct mono now);

/* lifecycle_running tells whether there is a process. */
bool lifecycle_running(const struct lifecycle *l);

/* lifecycle_started notes a start; only when it is due. */
void lifecycle_started(struct lifecycle *l, struct mono now);

/* lifecycle_probed notes what the process says of itself; ignored unless it is starting or ready. */
void lifecycle_probed(struct lifecycle *l, bool ready);

/* lifecycle_stop asks for the end: stopping when it runs, stopped at once when not. A failed process stays failed. */
void lifecycle_stop(struct lifecycle *l);

/* lifecycle_revive makes a process that is stopped or failed due at once; no effect on others. */
void lifecycle_revive(struct lifecycle *l, struct mono now);

/* lifecycle_died notes the end of the process; only when it runs. */
void lifecycle_died(struct lifecycle *l, struct mono now, uint32_t deaths_max);

/* lifecycle_backoff_ms returns the wait before a start that follows `quick_deaths` quick deaths in a row, at least one. */
uint64_t lifecycle_backoff_ms(uint32_t quick_deaths);

const char *lifecycle_state_text(enum lifecycle_state state);

/* lifecycle_state_parse finds a state by its text; LIFECYCLE_COUNT when there is none. */
enum lifecycle_state lifecycle_state_parse(const char *text);

#endif
