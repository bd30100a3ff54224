/* http.c: see http.h. */
#include "common/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/text.h"

#define CONNECTION_MEMORY_BYTES 8192 /* for a request's headers; longer ones are answered with 431 */

struct http {
    struct MHD_Daemon *daemon;
    struct addr address;
    const struct metrics *metrics;
    const struct health *health;
    struct http_route routes[HTTP_ROUTES_MAX];
    size_t route_count;
    char body[HTTP_BODY_MAX]; /* shared by all requests: one thread answers them one by one */
};

struct reply {
    unsigned status;
    const char *content_type;
    size_t len;
};

static struct reply reply_text(struct http *http, unsigned status, const char *line) {
    struct text text;
    text_init(&text, http->body, sizeof http->body);
    text_append(&text, "%s\n", line);
    return (struct reply){status, "text/plain; charset=utf-8", text.len};
}

static struct reply reply_rendered(struct http *http, const char *content_type, int len) {
    if (len < 0) return reply_text(http, MHD_HTTP_INTERNAL_SERVER_ERROR, march_error_text(len));
    CHECK((size_t)len <= sizeof http->body);
    return (struct reply){MHD_HTTP_OK, content_type, (size_t)len};
}

static struct reply reply_if(struct http *http, bool good, const char *yes, const char *no) {
    return reply_text(http, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, good ? yes : no);
}

static struct reply answer(struct http *http, const char *path) {
    struct mono now = mono_now();
    if (strcmp(path, "/metrics") == 0)
        return reply_rendered(http, "text/plain; version=0.0.4; charset=utf-8",
                              metrics_render(http->metrics, http->body, sizeof http->body));
    if (strcmp(path, "/health") == 0)
        return reply_if(http, health_is_alive(http->health, now), "ok", "the loop has stalled");
    if (strcmp(path, "/ready") == 0) return reply_if(http, health_is_ready(http->health, now), "ready", "not ready");
    for (size_t i = 0; i < http->route_count; i++) {
        const struct http_route *route = &http->routes[i];
        if (strcmp(path, route->path) == 0)
            return reply_rendered(http, route->content_type, route->render(route->context, http->body, sizeof http->body));
    }
    return reply_text(http, MHD_HTTP_NOT_FOUND, "not found");
}

/* on_request is libmicrohttpd's handler; an upload is answered at its headers, which ends the connection. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request) {
    (void)version, (void)upload, (void)upload_size, (void)request;
    struct http *http = context;
    bool allowed = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    struct reply reply =
        allowed ? answer(http, path) : reply_text(http, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered");
    struct MHD_Response *response = MHD_create_response_from_buffer(reply.len, http->body, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (!allowed) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* start_daemon starts the thread with every signal blocked, so that signals reach the loop, whose wait they must end. */
static struct MHD_Daemon *start_daemon(struct http *http) {
    struct sockaddr_storage address;
    addr_to_sockaddr(&http->address, &address);
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    if (http->address.family == ADDR_IPV6) flags |= MHD_USE_IPv6;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = 0;
    struct MHD_Daemon *daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static void check_routes(const struct http_options *options) {
    CHECK(options->route_count <= HTTP_ROUTES_MAX && options->metrics && options->health);
    for (size_t i = 0; i < options->route_count; i++)
        CHECK(options->routes[i].path[0] == '/' && options->routes[i].render && options->routes[i].content_type);
}

int http_open(struct http **out, const struct http_options *options, char *error, size_t error_size) {
    *out = NULL;
    check_routes(options);
    struct http *http = calloc(1, sizeof *http);
    if (!http) {
        snprintf(error, error_size, "%s: cannot serve HTTP: out of memory", options->listen);
        return MARCH_ERR_SYSTEM;
    }
    http->metrics = options->metrics;
    http->health = options->health;
    http->route_count = options->route_count;
    for (size_t i = 0; i < options->route_count; i++) http->routes[i] = options->routes[i];
    int result = MARCH_ERR_INVALID;
    if (addr_parse(&http->address, options->listen) != 0) {
        snprintf(error, error_size, "%s: cannot serve HTTP: expected an address like 127.0.0.1:0", options->listen);
        goto fail;
    }
    result = MARCH_ERR_SYSTEM;
    http->daemon = start_daemon(http);
    if (!http->daemon) {
        snprintf(error, error_size, "%s: cannot serve HTTP: %s", options->listen, errno ? strerror(errno) : "refused");
        goto fail;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    CHECK(info != NULL);
    http->address.port = info->port;
    *out = http;
    return 0;
fail:
    http_close(http);
    return result;
}

const struct addr *http_address(const struct http *http) {
    return &http->address;
}

void http_close(struct http *http) {
    if (!http) return;
    if (http->daemon) MHD_stop_daemon(http->daemon);
    free(http);
}
