/* http_desk.h: where the HTTP thread lays down requests for the loop, and the loop its answers. Used by http.c alone.
 *
 * A slot belongs to a connection from the first line of its request until it is answered, and to the loop from
 * http_desk_take until http_desk_answer. The two ends are independent: past its deadline a connection is answered without
 * the loop, and the slot is free once both let go. So there are slots for every connection and for every request that the
 * loop may hold besides.
 *
 *     FREE -> OPEN -> QUEUED -> TAKEN -> DONE -> FREE
 *                       `--------'------> DONE (expired)
 *
 * One mutex guards the stages, the lists and the counts, for a few instructions at a time. What a slot holds is passed on
 * with its stage, so it needs no guard of its own. Both sides are woken by an eventfd.
 */
#ifndef MARCH_COMMON_HTTP_DESK_H
#define MARCH_COMMON_HTTP_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/http.h"

enum http_stage {
    HTTP_STAGE_FREE = 0,
    HTTP_STAGE_OPEN = 1,   /* the connection's */
    HTTP_STAGE_QUEUED = 2, /* waits for the loop */
    HTTP_STAGE_TAKEN = 3,  /* the loop works on it */
    HTTP_STAGE_DONE = 4,   /* answered or expired; the connection's again */
    HTTP_STAGE_COUNT = 5
};

struct http_slot {
    struct http_request request;
    struct http_answer answer; /* its bytes are the slot's own, freed with it */
    enum http_stage stage;
    bool loop_holds;      /* taken and not answered, even if expired since */
    bool connection_gone; /* waits for the loop's answer only to be free */
    bool expired;
    struct mono deadline;
    struct http_slot *next; /* in the free list, the queue or the list of those done */
    void *connection;       /* the HTTP thread's */
    int parse_result;       /* the HTTP thread's: of the target */
    bool too_large;         /* the HTTP thread's: the body */
    bool seen_headers;      /* the HTTP thread's */
};

struct http_desk;

/* http_desk_create makes `slots` slots, of which the loop holds at most `deferred_max`; MARCH_ERR_SYSTEM without memory. */
must_check int http_desk_create(struct http_desk **out, uint32_t slots, uint32_t deferred_max);
void http_desk_destroy(struct http_desk *desk);

/* The HTTP thread's side. http_desk_open returns a slot with nothing in it but `connection`, NULL when none is free. */
struct http_slot *http_desk_open(struct http_desk *desk, void *connection);
/* http_desk_submit queues an open slot for the loop; MARCH_ERR_FULL, counted, when the loop has deferred_max already. */
must_check int http_desk_submit(struct http_desk *desk, struct http_slot *slot, struct mono deadline);
/* http_desk_collect returns a slot that was answered, or has expired by `now`; NULL when there is none. */
struct http_slot *http_desk_collect(struct http_desk *desk, struct mono now);
/* http_desk_release ends the connection's hold on a slot. */
void http_desk_release(struct http_desk *desk, struct http_slot *slot);
int http_desk_answered_fd(const struct http_desk *desk);
/* http_desk_wake makes http_desk_answered_fd readable. */
void http_desk_wake(struct http_desk *desk);

/* The loop's side; see http.h. */
int http_desk_queued_fd(const struct http_desk *desk);
must_check int http_desk_take(struct http_desk *desk, const struct http_request **request);
void http_desk_answer(struct http_desk *desk, const struct http_request *request, const struct http_answer *answer);

void http_desk_stats(struct http_desk *desk, struct http_stats *stats);

#endif
