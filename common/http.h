/* http.h: an HTTP endpoint of a process: /metrics, /health, /ready and what else it registers.
 *
 * libmicrohttpd serves on one thread of its own, so the loop is never disturbed. There are two kinds of routes. A plain
 * route renders its body on that thread, from what is safe to read there, whatever the query: probes and scrapers add what
 * they like. A deferred route is answered by the loop: its connection is suspended, the request waits in a bounded queue
 * whose descriptor wakes the loop, and the loop answers when it can, from its own thread. A deferred request that is not
 * answered by its deadline gets 504, whatever the loop does; one that finds the loop with http_options.deferred_max requests
 * already gets 503 with Retry-After.
 *
 * GET and HEAD, and PUT, POST and DELETE where a deferred route allows it. A request has a target of at most HTTP_TARGET_MAX
 * bytes (414), a body of at most HTTP_UPLOAD_MAX (413), a Content-Type and Authorization of at most HTTP_HEADER_MAX (431)
 * and HTTP_REQUEST_S to come in and be read, or it is cut off; a connection is dropped after HTTP_IDLE_S of silence, and
 * those above the limit wait in the backlog. An answer has at most HTTP_BODY_MAX bytes (500). An answer with an ETag that
 * the request's If-None-Match names becomes 304. Meant for loopback or a private network: no TLS, no authentication of its
 * own.
 *
 * An endpoint that strangers may reach is `is_public`. It has no /metrics, and nobody can hold all its connections: where
 * one in HTTP_SPARE_SHARE is left, the one that has been longest without a whole request is ended for each that comes. So
 * somebody who holds requests half-sent is in nobody's way who sends his at once.
 */
#ifndef MARCH_COMMON_HTTP_H
#define MARCH_COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/error.h"
#include "common/health.h"
#include "common/http_target.h"
#include "common/metrics.h"

#define HTTP_CONNECTIONS_MAX 32 /* unless asked for otherwise */
#define HTTP_IDLE_S          5
#define HTTP_REQUEST_S       10 /* from a connection's start, or its last answer, to the next; waiting for the loop apart */
#define HTTP_BODY_MAX        (1024 * 1024)
#define HTTP_UPLOAD_MAX      4096
#define HTTP_HEADER_MAX      3072
#define HTTP_SPARE_SHARE     8 /* of the connections of a public endpoint */
#define HTTP_ROUTES_MAX      8
#define HTTP_DEFERRED_MAX    128  /* requests that the loop has, unless asked for otherwise */
#define HTTP_DEADLINE_MS     2000 /* for the loop's answer, unless a route has its own */
#define HTTP_ETAG_SIZE       32

struct http;

enum http_method {
    HTTP_GET = 0,
    HTTP_PUT = 1,
    HTTP_POST = 2,
    HTTP_DELETE = 3,
    HTTP_METHOD_COUNT = 4
}; /* HEAD is GET to all but the HTTP thread */

/* Writes the body into `buf` and returns its length, or a negative error, which is answered with 500. Runs on the HTTP
 * thread: it may read only what is safe to read there, such as metrics. */
typedef int (*http_render)(void *context, char *buf, size_t size);

struct http_route {
    const char *path; /* "/status"; the string outlives the endpoint */
    const char *content_type;
    http_render render;
    void *context;
};

/* A route that the loop answers. */
struct http_deferred_route {
    const char *pattern; /* "/v1/players/{}/inventory": `{}` is one segment; the string outlives the endpoint */
    enum http_method method;
    uint32_t deadline_ms; /* 0 for HTTP_DEADLINE_MS */
    bool ignores_query;   /* the loop gets no arguments, and a malformed query is none */
};

/* What the loop is asked, as decoded text: valid UTF-8 without controls, ending in zero. Read-only, and the loop's from
 * http_take until http_reply. */
struct http_request {
    struct http_target target;
    const char *parameters[HTTP_PARAMETERS_MAX]; /* what stood for the pattern's `{}` */
    uint32_t route;                              /* index in http_options.deferred */
    enum http_method method;
    char content_type[HTTP_HEADER_MAX + 1]; /* headers as they came; "" for none */
    char authorization[HTTP_HEADER_MAX + 1];
    size_t body_len;
    char body[HTTP_UPLOAD_MAX + 1]; /* raw, any bytes; a zero follows */
};

/* What a request is answered with. The body is copied. 401 asks for a bearer token (RFC 6750). */
struct http_answer {
    uint32_t status;
    const char *content_type; /* a constant */
    const char *body;
    size_t body_len;
    char etag[HTTP_ETAG_SIZE]; /* with its quotes; "" for none, and then no cache may keep the answer */
    int32_t age_s;             /* for the Age header; negative for none */
    uint32_t retry_after_s;    /* for Retry-After; 0 for none */
    const char *location;      /* for Location; copied; NULL for none */
};

struct http_options {
    const char *listen; /* "127.0.0.1:0" */
    const struct metrics *metrics;
    const struct health *health;
    const struct http_route *routes; /* copied */
    size_t route_count;
    const struct http_deferred_route *deferred; /* copied; where there are any, errors are told in JSON */
    size_t deferred_count;
    uint32_t deferred_max;    /* 0 for HTTP_DEFERRED_MAX */
    uint32_t connections_max; /* 0 for HTTP_CONNECTIONS_MAX */
    bool is_public;           /* and then `metrics` is NULL */
};

struct http_stats {
    uint64_t deferred; /* requests handed to the loop */
    uint64_t full;     /* refused with 503: the loop has too many */
    uint64_t expired;  /* answered with 504 */
    uint64_t late;     /* answers that came after that */
    uint64_t ended;    /* connections that made room for others */
    uint32_t waiting;  /* with the loop now, or in its queue */
};

/* http_open binds and starts the thread. Metrics and health must outlive it. On failure `error` holds a line that names the
 * address and the result is MARCH_ERR_INVALID for a bad address, else MARCH_ERR_SYSTEM. */
must_check int http_open(struct http **out, const struct http_options *options, char *error, size_t error_size);

/* http_address returns the bound address, with the port that was chosen where 0 was asked for. */
const struct addr *http_address(const struct http *http);

/* http_fd returns the descriptor that is readable while requests wait for the loop. */
int http_fd(const struct http *http);

/* http_take returns the next request that waits; MARCH_ERR_EMPTY when there is none, and then http_fd is no longer readable.
 * Every request that was taken must be answered with http_reply, once, and before http_close. */
must_check int http_take(struct http *http, const struct http_request **request);

/* http_reply answers a request, which is no longer the caller's afterwards. An answer that comes too late, or to a client
 * that is gone, is dropped. */
void http_reply(struct http *http, const struct http_request *request, const struct http_answer *answer);

/* http_stats copies the counts; from any thread. */
void http_stats(struct http *http, struct http_stats *stats);

/* http_close stops the thread and closes every connection; NULL is fine. */
void http_close(struct http *http);

#endif
