#include "persist/pg_job.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static size_t round_up(size_t size) {
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* The job, its calls, then the pointers to values, their lengths, and their bytes. */
struct pg_job *pg_job_create(const struct pg_call *calls, unsigned count) {
    size_t value_count = 0, byte_count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!calls[i].params) continue;
        value_count += calls[i].params->count;
        byte_count += calls[i].params->len;
    }
    size_t head = round_up(sizeof(struct pg_job) + count * sizeof(struct pg_job_call));
    size_t pointers = round_up(value_count * sizeof(char *)), lengths = round_up(value_count * sizeof(int));
    uint8_t *memory = malloc(head + pointers + lengths + byte_count);
    if (!memory) return NULL;
    struct pg_job *job = (struct pg_job *)(void *)memory;
    memset(job, 0, head);
    const char **value = (const char **)(void *)(memory + head);
    int *length = (int *)(void *)(memory + head + pointers);
    uint8_t *bytes = memory + head + pointers + lengths;
    job->count = count;
    job->bytes = byte_count;
    for (unsigned i = 0; i < count; i++) {
        const struct pg_params *params = calls[i].params;
        unsigned params_count = params ? params->count : 0;
        job->calls[i] = (struct pg_job_call){calls[i].statement, params_count, value, length, NULL};
        for (unsigned k = 0; k < params_count; k++) {
            *length++ = params->lengths[k];
            *value++ = (const char *)bytes + params->offsets[k];
        }
        if (params && params->len > 0) memcpy(bytes, params->bytes, params->len);
        bytes += params ? params->len : 0;
    }
    return job;
}

void pg_job_rewind(struct pg_job *job) {
    for (unsigned i = 0; i < job->count; i++) {
        PQclear(job->calls[i].result);
        job->calls[i].result = NULL;
    }
    PQclear(job->refusal);
    job->refusal = NULL;
    job->failed = NULL;
    job->prepare_count = job->prepared = job->synced = job->answered = 0;
}

void pg_job_destroy(struct pg_job *job) {
    if (!job) return;
    pg_job_rewind(job);
    free(job);
}

void pg_job_refuse(struct pg_job *job, PGresult *result, const struct pg_statement *statement) {
    if (job->refusal) {
        PQclear(result);
        return;
    }
    job->refusal = result;
    job->failed = statement;
}

static const char *result_field(const PGresult *result, int code) {
    const char *text = result ? PQresultErrorField(result, code) : NULL;
    return text ? text : "";
}

void pg_job_reply(struct pg_job *job, int error, const char *message) {
    PGresult *results[PG_CALLS_MAX];
    for (unsigned i = 0; i < job->count; i++) results[i] = job->calls[i].result;
    const char *said = result_field(job->refusal, PG_DIAG_MESSAGE_PRIMARY);
    struct pg_reply reply = {.error = error,
                             .sqlstate = result_field(job->refusal, PG_DIAG_SQLSTATE),
                             .message = *said ? said : message,
                             .failed = job->failed,
                             .results = error == 0 ? results : NULL,
                             .count = error == 0 ? job->count : 0};
    if (job->done) job->done(job->ctx, &reply);
    pg_job_destroy(job);
}

void pg_job_push(struct pg_job_queue *queue, struct pg_job *job) {
    job->next = NULL;
    if (queue->tail)
        queue->tail->next = job;
    else
        queue->head = job;
    queue->tail = job;
    queue->count++;
}

void pg_job_push_front(struct pg_job_queue *queue, struct pg_job *job) {
    job->next = queue->head;
    queue->head = job;
    if (!queue->tail) queue->tail = job;
    queue->count++;
}

struct pg_job *pg_job_pop(struct pg_job_queue *queue) {
    struct pg_job *job = queue->head;
    if (!job) return NULL;
    CHECK(queue->count > 0);
    queue->head = job->next;
    if (!queue->head) queue->tail = NULL;
    queue->count--;
    job->next = NULL;
    return job;
}
