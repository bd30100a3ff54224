/* http.h: a process's HTTP endpoint: /metrics, /health, /ready and what else it registers.
 *
 * libmicrohttpd serves on one thread of its own, so the loop is never disturbed. Only GET and HEAD. At most
 * HTTP_CONNECTIONS_MAX connections, each dropped after HTTP_IDLE_S of silence; a body is at most HTTP_BODY_MAX bytes. More
 * of either is refused (closed, or 500). Meant for loopback or a private network: no TLS, no authentication.
 */
#ifndef MARCH_COMMON_HTTP_H
#define MARCH_COMMON_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/error.h"
#include "common/health.h"
#include "common/metrics.h"

#define HTTP_CONNECTIONS_MAX 32
#define HTTP_IDLE_S          5
#define HTTP_BODY_MAX        (1024 * 1024)
#define HTTP_ROUTES_MAX      8

struct http;

/* Writes the body into `buf` and returns its length, or a negative error, which is answered with 500. Runs on the HTTP
 * thread: it may read only what is safe to read there, such as metrics. */
typedef int (*http_render)(void *context, char *buf, size_t size);

struct http_route {
    const char *path; /* "/status"; the string outlives the endpoint */
    const char *content_type;
    http_render render;
    void *context;
};

struct http_options {
    const char *listen; /* "127.0.0.1:0" */
    const struct metrics *metrics;
    const struct health *health;
    const struct http_route *routes; /* copied */
    size_t route_count;
};

/* http_open binds and starts the thread. Metrics and health must outlive it. On failure `error` holds a line that names the
 * address and the result is MARCH_ERR_INVALID for a bad address, else MARCH_ERR_SYSTEM. */
must_check int http_open(struct http **out, const struct http_options *options, char *error, size_t error_size);

/* http_address returns the bound address, with the port that was chosen where 0 was asked for. */
const struct addr *http_address(const struct http *http);

/* http_close stops the thread and closes every connection; NULL is fine. */
void http_close(struct http *http);

#endif
