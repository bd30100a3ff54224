/* motion_state.h: what the files of motion share: motion.c (reports, memory, Redis), motion_flush.c (write-behind) and
 * motion_load.c (loads).
 */
#ifndef MARCH_PERSIST_MOTION_STATE_H
#define MARCH_PERSIST_MOTION_STATE_H

#include "persist/motion.h"
#include "persist/motion_table.h"
#include "persist/pg.h"

#define MOTION_BATCHES_MAX    4    /* transactions of a flush under way at once */
#define MOTION_LOAD_ROWS      2000 /* players of one query */
#define MOTION_LOAD_JOBS_MAX  8    /* queries under way at once */
#define MOTION_BATCH_ROWS_MAX 20000

/* What was sent of an entry: it is clean afterwards if it is still that. */
struct motion_sent {
    uint32_t index;
    uint64_t epoch, tick;
};

struct motion_batch {
    struct motion *motion;
    struct motion_sent *sent; /* room for batch_rows */
    uint32_t count;
    bool busy;
    bool last; /* carries the watermark */
    bool lazy; /* its commit does not wait for the disk */
};

struct motion_flush {
    bool busy;
    bool failed;
    uint32_t left;       /* of the dirty queue, still to be sent */
    uint64_t reached;    /* the watermark when all is committed */
    uint32_t serial;     /* of this flush */
    uint32_t lazy_count; /* batches that were committed without waiting for the disk */
    unsigned busy_batches;
    struct mono began;
    struct mono next;
    struct motion_batch batches[MOTION_BATCHES_MAX];
};

_Static_assert(MOTION_LOAD_ROWS <= HOT_READ_MAX, "who PostgreSQL did not answer for is one read of Redis");

struct motion_waiting {
    uint64_t player, epoch;
    motion_loaded done;
    void *ctx;
    bool is_look;
};

struct motion_load_job {
    struct motion *motion;
    struct motion_waiting *waiting; /* room for MOTION_LOAD_ROWS */
    uint64_t *players;              /* of these, what Redis is asked for */
    uint32_t count;
    bool busy;
};

struct motion_loads {
    struct motion_waiting *ring; /* MOTION_LOADS_MAX */
    uint32_t head, count;
    uint32_t busy_jobs;
    struct motion_load_job jobs[MOTION_LOAD_JOBS_MAX];
};

struct motion {
    struct motion_config config;
    struct motion_table table;
    struct motion_flush flush;
    struct motion_loads loads;
    struct pg_params params[3]; /* fence, columns, watermark: reused */
    struct mono now;            /* of the last call that told it */
    struct mono hot_next;
    uint32_t sweep; /* the entry that is looked at next */
    bool is_fenced;
    bool claimed; /* the watermark's row names our journal */
    struct motion_stats stats;
};

/* motion_is_newer tells whether (epoch, tick) is newer than the entry's state. */
static inline bool motion_is_newer(const struct motion_entry *entry, uint64_t epoch, uint64_t tick) {
    if (!entry->known) return true;
    return epoch != entry->state.session_epoch ? epoch > entry->state.session_epoch : tick > entry->state.tick;
}

/* motion_is_valid tells whether a state can be stored. */
bool motion_is_valid(const struct wire_player_state *state);

/* motion_stop is told that the fence refused us. */
void motion_stop(struct motion *motion);

must_check int motion_flush_init(struct motion *motion);
void motion_flush_deinit(struct motion *motion);
void motion_flush_update(struct motion *motion);

must_check int motion_loads_init(struct motion *motion);
void motion_loads_deinit(struct motion *motion);
void motion_loads_update(struct motion *motion);

#endif
