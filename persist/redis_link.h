/* redis_link.h: one connection to a Redis that is kept up.
 *
 *     down --timer--> connecting --connected--> greeting --all answered--> ready
 *       ^                 |                        |                        |
 *       +---- back-off with jitter, told once by `lost` if it was ready ----+
 *
 * The greeting is AUTH, SELECT, INFO server, and ROLE where a Sentinel named the server: it must be a master. With a
 * Sentinel address each connection begins with a question to the next Sentinel. The whole way to ready has a deadline.
 *
 * Bytes to send wait in a buffer and go out in one write before the loop sleeps; replies are parsed by hiredis' reader.
 * hiredis' own asynchronous layer is not used: it asserts on replies that it does not expect, and a server's bytes must not
 * be able to end us.
 *
 * Limits: `out_bytes_max` waiting bytes (MARCH_ERR_FULL), replies of REDIS_REPLY_BYTES_MAX bytes and
 * REDIS_REPLY_ELEMENTS_MAX elements an array (the connection is dropped). Host names are looked up off the loop (resolve.h),
 * and the first address is taken. One thread, that of the loop. Callbacks may call anything here but redis_link_close.
 */
#ifndef MARCH_PERSIST_REDIS_LINK_H
#define MARCH_PERSIST_REDIS_LINK_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "common/backoff.h"
#include "common/error.h"
#include "common/resolve.h"
#include "persist/redis_address.h"
#include "persist/redis_request.h"

#define REDIS_REPLY_BYTES_MAX    (64u << 20)
#define REDIS_REPLY_ELEMENTS_MAX (1u << 18)
#define REDIS_RUN_ID_MAX         40

enum redis_link_state {
    REDIS_LINK_DOWN = 0,
    REDIS_LINK_CONNECTING = 1,
    REDIS_LINK_GREETING = 2,
    REDIS_LINK_READY = 3,
    REDIS_LINK_STATE_COUNT = 4
};

struct redis_link_events {
    void (*ready)(void *ctx);
    void (*reply)(void *ctx, const struct redisReply *reply); /* while ready; freed after the call */
    void (*lost)(void *ctx);                                  /* it was ready */
    void (*failed)(void *ctx);                                /* it did not become ready */
};

struct redis_link_config {
    const struct redis_address *address; /* copied */
    size_t out_bytes_max;
    uint32_t connect_ms; /* from the beginning to ready */
    uint32_t retry_base_ms, retry_cap_ms;
    uint64_t seed; /* of the jitter */
    const struct redis_link_events *events;
    void *ctx;
};

struct redis_link {
    struct ev_loop *loop;
    struct redis_address address;
    const struct redis_link_events *events;
    void *ctx;
    enum redis_link_state state;
    bool asking;       /* the other side is a Sentinel */
    bool named;        /* `target` came from a Sentinel */
    bool in_event;     /* a callback runs */
    uint32_t sentinel; /* index of the next to ask */
    struct redis_host target;
    uint32_t greeting; /* answers that are to come */
    uint32_t generation;
    int fd;                    /* -1: none; while connecting, the host is being looked up */
    struct resolver *resolver; /* NULL until a name had to be looked up */
    struct redisReader *reader;
    struct redisReplyObjectFunctions functions; /* of the reader */
    struct redis_request request;               /* of the greeting */
    char *out;
    size_t out_head, out_len, out_size, out_bytes_max;
    uint32_t connect_ms;
    struct backoff backoff;
    ev_io readable, writable;
    ev_prepare flush;
    ev_timer timer;                      /* down: the next try; on the way to ready: the deadline */
    char run_id[REDIS_RUN_ID_MAX + 1];   /* of the server, "" where it did not say; a restarted server has another */
    uint64_t connects, losses, failures; /* since the start */
};

/* redis_link_open begins to connect. MARCH_ERR_SYSTEM when memory is short. The link must stay where it is. */
must_check int redis_link_open(struct redis_link *link, struct ev_loop *loop, const struct redis_link_config *config);

/* redis_link_close ends the connection without a word to anybody; fine twice. */
void redis_link_close(struct redis_link *link);

/* redis_link_send appends a request, with `head` (encoded arguments, `head_count` of them) before its arguments. Only while
 * ready. MARCH_ERR_FULL when too much waits. */
must_check int redis_link_send(struct redis_link *link, const char *head, size_t head_len, uint32_t head_count,
                               const struct redis_request *request);

/* redis_link_drop ends the connection as if it had been lost: `lost` or `failed` is called, then it connects anew after the
 * back-off. `why` goes into the log. */
void redis_link_drop(struct redis_link *link, const char *why);

#endif
