/* pg_job.h: a job of a pool (pg.h) with all that it needs, in one piece of memory. Internal to pg. */
#ifndef MARCH_PERSIST_PG_JOB_H
#define MARCH_PERSIST_PG_JOB_H

#include "common/clock.h"
#include "persist/pg.h"

struct pg_job_call {
    const struct pg_statement *statement;
    unsigned param_count;
    const char *const *values;
    const int *lengths;
    PGresult *result;
};

struct pg_job {
    struct pg_job *next;
    enum pg_mode mode;
    unsigned count; /* of calls; 0 is the pool's own question to a new connection */
    unsigned tries; /* times sent */
    struct mono submitted, deadline;
    pg_done done;
    void *ctx;
    size_t bytes; /* of parameters */

    /* while it is in flight */
    unsigned prepare_count; /* statements prepared ahead of it, their places in the pool's table follow */
    uint16_t prepares[PG_CALLS_MAX];
    unsigned prepared, synced, answered; /* results read so far; of prepares, their Syncs, calls */
    PGresult *refusal;                   /* the first error that the server said */
    const struct pg_statement *failed;

    struct pg_job_call calls[];
};

struct pg_job_queue {
    struct pg_job *head, *tail;
    unsigned count;
};

/* pg_job_create copies calls; NULL when memory is short. */
struct pg_job *pg_job_create(const struct pg_call *calls, unsigned count);
void pg_job_destroy(struct pg_job *job);

/* pg_job_rewind forgets what was answered, so that it can be sent again. */
void pg_job_rewind(struct pg_job *job);

/* pg_job_refuse keeps the first error of a job and takes the result over. */
void pg_job_refuse(struct pg_job *job, PGresult *result, const struct pg_statement *statement);

/* pg_job_reply calls back and frees the job. `error` 0 hands the results over. */
void pg_job_reply(struct pg_job *job, int error, const char *message);

void pg_job_push(struct pg_job_queue *queue, struct pg_job *job);
void pg_job_push_front(struct pg_job_queue *queue, struct pg_job *job);
struct pg_job *pg_job_pop(struct pg_job_queue *queue);

#endif
