/* http.c: see http.h. The thread owns everything of libmicrohttpd and runs it by hand (an external poll loop), so that it
 * can also wait for answers and deadlines, and resume connections itself. */
#include "common/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/check.h"
#include "common/http_desk.h"
#include "common/text.h"

#define CONNECTION_MEMORY_BYTES 8192 /* for a request's headers; longer ones are answered with 431 */
#define TURN_MS                 50   /* how exact deadlines are */
#define SWEEP_MS                500
#define SWALLOWED_BYTES_MAX     (16 * HTTP_UPLOAD_MAX) /* of a body that is too large, before the connection is cut */

/* A connection's time to send its next request and to read the answer. */
struct line {
    int fd; /* -1: free */
    bool suspended;
    bool is_ended;  /* made room, and is not closed yet */
    uint64_t order; /* by when the wait for its next request began */
    struct mono deadline;
};

struct http {
    struct MHD_Daemon *daemon;
    struct http_desk *desk;
    pthread_t thread;
    bool thread_runs;
    atomic_bool stop; /* relaxed: http_desk_wake follows it, and the descriptor orders them */
    struct addr address;
    const struct metrics *metrics;
    const struct health *health;
    struct http_route routes[HTTP_ROUTES_MAX];
    size_t route_count;
    struct http_deferred_route *deferred;
    size_t deferred_count;
    struct line *lines;
    uint32_t connections_max;
    uint32_t connected; /* lines that are not free */
    uint64_t order;     /* the last that was given */
    bool is_public;
    atomic_uint_least64_t ended; /* relaxed: a count */
    bool room_made;              /* in this turn: a connection was closed */
    struct mono now;             /* of this turn of the thread */
    struct mono next_sweep;      /* of the lines */
    char body[HTTP_BODY_MAX];    /* shared by all requests: one thread answers them one by one */
};

/* What is about to be sent. */
struct reply {
    struct http_answer answer; /* its body is http->body or a slot's */
    const char *allow;         /* for 405 */
};

/* --- the bodies */

static struct reply reply_of(unsigned status, const char *content_type, const char *body, size_t len) {
    return (struct reply){{.status = status, .content_type = content_type, .body = body, .body_len = len, .age_s = -1},
                          NULL};
}

static struct reply reply_text(struct http *http, unsigned status, const char *line) {
    struct text text;
    text_init(&text, http->body, sizeof http->body);
    text_append(&text, "%s\n", line);
    return reply_of(status, "text/plain; charset=utf-8", http->body, text.len);
}

/* reply_error tells an error: in JSON where the process has an API, else as a line. `message` needs no escapes. */
static struct reply reply_error(struct http *http, unsigned status, const char *code, const char *message) {
    if (http->deferred_count == 0) return reply_text(http, status, message);
    struct text text;
    text_init(&text, http->body, sizeof http->body);
    text_append(&text, "{\"error\": {\"code\": \"%s\", \"message\": \"%s\"}}\n", code, message);
    return reply_of(status, "application/json", http->body, text.len);
}

static struct reply reply_rendered(struct http *http, const char *content_type, int len) {
    if (len < 0) return reply_error(http, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal", march_error_text(len));
    CHECK((size_t)len <= sizeof http->body);
    return reply_of(MHD_HTTP_OK, content_type, http->body, (size_t)len);
}

static struct reply reply_if(struct http *http, bool good, const char *yes, const char *no) {
    return reply_text(http, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, good ? yes : no);
}

/* --- routes */

/* answer_plain answers what this thread can; false when it is no such path. */
static bool answer_plain(struct http *http, const struct http_target *target, struct reply *reply) {
    const char *none[HTTP_PARAMETERS_MAX];
    if (http->metrics && http_target_matches(target, "/metrics", none)) {
        *reply = reply_rendered(http, "text/plain; version=0.0.4; charset=utf-8",
                                metrics_render(http->metrics, http->body, sizeof http->body));
        return true;
    }
    if (http_target_matches(target, "/health", none)) {
        *reply = reply_if(http, health_is_alive(http->health, http->now), "ok", "the loop has stalled");
        return true;
    }
    if (http_target_matches(target, "/ready", none)) {
        *reply = reply_if(http, health_is_ready(http->health, http->now), "ready", "not ready");
        return true;
    }
    for (size_t i = 0; i < http->route_count; i++) {
        const struct http_route *route = &http->routes[i];
        if (!http_target_matches(target, route->path, none)) continue;
        *reply = reply_rendered(http, route->content_type, route->render(route->context, http->body, sizeof http->body));
        return true;
    }
    return false;
}

/* find_deferred puts the route and its parameters into the request. It returns a bit for each method that the path has, 0
 * when there is no such path. */
static unsigned find_deferred(const struct http *http, struct http_request *request, bool *found) {
    unsigned methods = 0;
    *found = false;
    for (uint32_t i = 0; i < http->deferred_count; i++) {
        const char *parameters[HTTP_PARAMETERS_MAX] = {0};
        if (!http_target_matches(&request->target, http->deferred[i].pattern, parameters)) continue;
        methods |= 1U << http->deferred[i].method;
        if (*found || http->deferred[i].method != request->method) continue;
        *found = true;
        request->route = i;
        memcpy(request->parameters, parameters, sizeof parameters);
    }
    return methods;
}

static struct reply reply_not_allowed(struct http *http, unsigned methods) {
    static const char *const allow[1 << HTTP_METHOD_COUNT] = {"GET, HEAD",
                                                              "GET, HEAD",
                                                              "PUT",
                                                              "GET, HEAD, PUT",
                                                              "POST",
                                                              "GET, HEAD, POST",
                                                              "PUT, POST",
                                                              "GET, HEAD, PUT, POST",
                                                              "DELETE",
                                                              "GET, HEAD, DELETE",
                                                              "PUT, DELETE",
                                                              "GET, HEAD, PUT, DELETE",
                                                              "POST, DELETE",
                                                              "GET, HEAD, POST, DELETE",
                                                              "PUT, POST, DELETE",
                                                              "GET, HEAD, PUT, POST, DELETE"};
    struct reply reply = methods <= 1U << HTTP_GET
                             ? reply_error(http, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "only GET and HEAD are answered")
                             : reply_error(http, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "this path has no such method");
    reply.allow = allow[methods];
    return reply;
}

static struct reply reply_unparsed(struct http *http, int result) {
    if (result == MARCH_ERR_FULL)
        return reply_error(http, MHD_HTTP_URI_TOO_LONG, "too_long", "the path or query is too long or has too many parts");
    return reply_error(http, MHD_HTTP_BAD_REQUEST, "bad_request", "the path or query is malformed");
}

static struct reply reply_full(struct http *http) {
    struct reply reply = reply_error(http, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", "too many requests wait for an answer");
    reply.answer.retry_after_s = 1;
    return reply;
}

/* --- sending */

/* names_etag tells whether an If-None-Match lists the tag, by the weak comparison of RFC 9110, 13.1.2. */
static bool names_etag(const char *header, const char *etag) {
    size_t len = strlen(etag);
    for (const char *at = header; at && *at != '\0';) {
        at += strspn(at, " \t,");
        if (at[0] == '*') return true;
        if (strncmp(at, "W/", 2) == 0) at += 2;
        size_t end = strcspn(at, ",");
        size_t trimmed = end;
        while (trimmed > 0 && (at[trimmed - 1] == ' ' || at[trimmed - 1] == '\t')) trimmed--;
        if (trimmed == len && memcmp(at, etag, len) == 0) return true;
        at += end;
    }
    return false;
}

static void add_number(struct MHD_Response *response, const char *name, uint32_t value) {
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    MHD_add_response_header(response, name, text);
}

static void add_headers(struct MHD_Response *response, const struct reply *reply) {
    const struct http_answer *answer = &reply->answer;
    bool tagged = answer->etag[0] != '\0';
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, tagged ? "no-cache" : "no-store");
    if (tagged) MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, answer->etag);
    if (answer->age_s >= 0) add_number(response, MHD_HTTP_HEADER_AGE, (uint32_t)answer->age_s);
    if (answer->retry_after_s > 0) add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, answer->retry_after_s);
    if (answer->location) MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, answer->location);
    if (reply->allow) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
    if (answer->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, const struct reply *reply) {
    const struct http_answer *answer = &reply->answer;
    unsigned status = answer->status;
    size_t len = answer->body_len;
    const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    if (status == MHD_HTTP_OK && answer->etag[0] != '\0' && known && names_etag(known, answer->etag)) {
        status = MHD_HTTP_NOT_MODIFIED;
        len = 0;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)answer->body, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    add_headers(response, reply);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_answer(struct http *http, const struct http_slot *slot, struct MHD_Connection *connection) {
    struct reply reply = {slot->answer, NULL};
    if (slot->expired) {
        reply = reply_error(http, MHD_HTTP_GATEWAY_TIMEOUT, "timeout", "the answer took too long");
    } else if (!slot->answer.body) {
        reply = reply_error(http, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal", "out of memory");
    }
    return send_reply(connection, &reply);
}

/* --- requests */

static struct line *line_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void restart_line(struct http *http, struct line *line) {
    line->suspended = line->is_ended = false;
    line->order = ++http->order;
    line->deadline = mono_add_ms(http->now, HTTP_REQUEST_S * 1000);
}

/* defer hands a request to the loop and suspends its connection; http->thread resumes it. */
static enum MHD_Result defer(struct http *http, struct http_slot *slot, struct MHD_Connection *connection) {
    uint32_t deadline_ms = http->deferred[slot->request.route].deadline_ms;
    if (deadline_ms == 0) deadline_ms = HTTP_DEADLINE_MS;
    if (http_desk_submit(http->desk, slot, mono_add_ms(http->now, deadline_ms)) != 0) {
        struct reply reply = reply_full(http);
        return send_reply(connection, &reply);
    }
    struct line *line = line_of(connection);
    if (line) line->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

/* add_body collects an upload. What is too large is read on for a while, because a client listens only when it has sent. */
static enum MHD_Result add_body(struct http_slot *slot, const char *upload, size_t *upload_size) {
    size_t count = *upload_size;
    *upload_size = 0;
    if (slot->too_large || count > HTTP_UPLOAD_MAX - slot->request.body_len) {
        slot->too_large = true;
        slot->request.body_len += count;
        return slot->request.body_len > SWALLOWED_BYTES_MAX ? MHD_NO : MHD_YES;
    }
    memcpy(slot->request.body + slot->request.body_len, upload, count);
    slot->request.body_len += count;
    return MHD_YES;
}

/* copy_header writes a header, "" where it was not sent; false when it is too long. */
static bool copy_header(struct MHD_Connection *connection, const char *name, char out[HTTP_HEADER_MAX + 1]) {
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    int len = snprintf(out, HTTP_HEADER_MAX + 1, "%s", value ? value : "");
    return len >= 0 && len <= HTTP_HEADER_MAX;
}

/* route_plain answers a request that the loop has no route for. */
static enum MHD_Result route_plain(struct http *http, const struct http_slot *slot, struct MHD_Connection *connection,
                                   bool method_known) {
    const struct http_request *request = &slot->request;
    struct reply reply;
    if (!request->target.has_path || !answer_plain(http, &request->target, &reply)) {
        reply = slot->parse_result != 0 ? reply_unparsed(http, slot->parse_result)
                                        : reply_error(http, MHD_HTTP_NOT_FOUND, "not_found", "not found");
    } else if (!method_known || request->method != HTTP_GET) {
        reply = reply_not_allowed(http, 0);
    }
    return send_reply(connection, &reply);
}

/* route answers a complete request, or defers it. */
static enum MHD_Result route(struct http *http, struct http_slot *slot, struct MHD_Connection *connection,
                             bool method_known) {
    struct http_request *request = &slot->request;
    struct reply reply;
    bool found = false;
    unsigned methods = request->target.has_path ? find_deferred(http, request, &found) : 0;
    if (methods == 0) return route_plain(http, slot, connection, method_known);
    if (found && http->deferred[request->route].ignores_query) {
        request->target.argument_count = 0;
        slot->parse_result = 0;
    }
    if (slot->parse_result != 0) {
        reply = reply_unparsed(http, slot->parse_result);
    } else if (!method_known || !found) {
        reply = reply_not_allowed(http, methods);
    } else if (slot->too_large) {
        reply = reply_error(http, MHD_HTTP_CONTENT_TOO_LARGE, "too_large", "the body is too large");
    } else if (!copy_header(connection, MHD_HTTP_HEADER_CONTENT_TYPE, request->content_type) ||
               !copy_header(connection, MHD_HTTP_HEADER_AUTHORIZATION, request->authorization)) {
        reply = reply_error(http, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "too_long", "a header is too long");
    } else {
        request->body[request->body_len] = '\0';
        return defer(http, slot, connection);
    }
    return send_reply(connection, &reply);
}

static bool read_method(const char *method, enum http_method *out) {
    *out = HTTP_GET;
    if (strcmp(method, MHD_HTTP_METHOD_PUT) == 0) *out = HTTP_PUT;
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0) *out = HTTP_POST;
    if (strcmp(method, MHD_HTTP_METHOD_DELETE) == 0) *out = HTTP_DELETE;
    return *out != HTTP_GET || strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* takes_body tells at a request's headers whether its body is to be read: an upload that is not wanted is answered at once,
 * which ends the connection. */
static bool takes_body(struct http *http, struct http_slot *slot, struct MHD_Connection *connection, bool method_known) {
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    slot->too_large = length && strtoull(length, NULL, 10) > HTTP_UPLOAD_MAX;
    bool found = false;
    if (slot->parse_result == 0 && method_known) find_deferred(http, &slot->request, &found);
    return (found || slot->request.method == HTTP_GET) && method_known && !slot->too_large;
}

/* on_request is libmicrohttpd's handler. It is called at the headers, for each piece of the body, at its end, and again when
 * a suspended connection was resumed. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request) {
    (void)version, (void)path;
    struct http *http = context;
    struct http_slot *slot = *request;
    if (!slot) {
        struct reply reply = reply_full(http);
        return send_reply(connection, &reply);
    }
    if (slot->stage == HTTP_STAGE_DONE) return send_answer(http, slot, connection);
    bool method_known = read_method(method, &slot->request.method);
    if (!slot->seen_headers) {
        slot->seen_headers = true;
        if (takes_body(http, slot, connection, method_known)) return MHD_YES;
    } else if (*upload_size > 0) {
        return add_body(slot, upload, upload_size);
    }
    return route(http, slot, connection, method_known);
}

/* on_target sees the request line as it came, and begins the request. Its result is on_request's `request`. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection) {
    struct http *http = context;
    struct http_slot *slot = http_desk_open(http->desk, connection);
    if (slot) slot->parse_result = http_target_parse(&slot->request.target, target, strlen(target));
    return slot;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)code;
    struct http *http = context;
    struct line *line = line_of(connection);
    if (line) restart_line(http, line);
    if (*request) http_desk_release(http->desk, *request);
    *request = NULL;
}

/* make_room ends the connection that is longest without a whole request, where few are left. */
static void make_room(struct http *http) {
    struct line *oldest = NULL;
    if (http->connected + http->connections_max / HTTP_SPARE_SHARE < http->connections_max) return;
    for (uint32_t i = 0; i < http->connections_max; i++) {
        struct line *line = &http->lines[i];
        if (line->fd < 0 || line->suspended || line->is_ended) continue;
        if (!oldest || line->order < oldest->order) oldest = line;
    }
    if (!oldest) return;
    shutdown(oldest->fd, SHUT_RDWR);
    oldest->is_ended = true;
    atomic_fetch_add_explicit(&http->ended, 1, memory_order_relaxed);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct http *http = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct line *line = *socket_context;
        if (line) line->fd = -1;
        http->connected -= line != NULL;
        *socket_context = NULL;
        http->room_made = true;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (uint32_t i = 0; info && i < http->connections_max; i++) {
        if (http->lines[i].fd >= 0) continue;
        http->lines[i].fd = info->connect_fd;
        restart_line(http, &http->lines[i]);
        *socket_context = &http->lines[i];
        http->connected++;
        if (http->is_public) make_room(http);
        return;
    }
}

/* --- the thread */

/* sweep_lines cuts off connections that take too long to send a request or to read an answer, however busy they keep. */
static void sweep_lines(struct http *http) {
    if (!mono_reached(http->now, http->next_sweep)) return;
    http->next_sweep = mono_add_ms(http->now, SWEEP_MS);
    for (uint32_t i = 0; i < http->connections_max; i++) {
        struct line *line = &http->lines[i];
        if (line->fd >= 0 && !line->suspended && mono_reached(http->now, line->deadline)) shutdown(line->fd, SHUT_RDWR);
    }
}

/* resume_answered lets libmicrohttpd call on_request again for what the loop answered or what expired. */
static void resume_answered(struct http *http) {
    for (struct http_slot *slot; (slot = http_desk_collect(http->desk, http->now)) != NULL;) {
        struct line *line = line_of(slot->connection);
        if (line) restart_line(http, line);
        MHD_resume_connection(slot->connection);
    }
}

/* turn_ms returns how long the thread may sleep: for ever when nobody is connected. */
static int turn_ms(struct http *http) {
    int longest = -1;
    for (uint32_t i = 0; i < http->connections_max && longest != TURN_MS; i++)
        if (http->lines[i].fd >= 0) longest = http->lines[i].suspended ? TURN_MS : SWEEP_MS;
    MHD_UNSIGNED_LONG_LONG wanted;
    bool asked = MHD_get_timeout(http->daemon, &wanted) == MHD_YES;
    return asked && wanted < (unsigned)longest ? (int)wanted : longest;
}

static void *run(void *context) {
    struct http *http = context;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CHECK(info != NULL);
    struct pollfd fds[] = {{.fd = info->epoll_fd, .events = POLLIN},
                           {.fd = http_desk_answered_fd(http->desk), .events = POLLIN}};
    while (!atomic_load_explicit(&http->stop, memory_order_relaxed)) {
        (void)!poll(fds, 2, turn_ms(http));
        http->now = mono_now();
        resume_answered(http);
        do {
            http->room_made = false;
            MHD_run(http->daemon); /* once more after a close: only then does it listen again when it was full */
        } while (http->room_made);
        sweep_lines(http);
    }
    return NULL;
}

/* --- opening and closing */

/* Every signal is blocked in the thread, so that signals reach the loop, whose wait they must end. */
static int start_thread(struct http *http) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&http->thread, NULL, run, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    http->thread_runs = result == 0;
    errno = result;
    return result == 0 ? 0 : MARCH_ERR_SYSTEM;
}

static struct MHD_Daemon *start_daemon(struct http *http) {
    struct sockaddr_storage address;
    addr_to_sockaddr(&http->address, &address);
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (http->address.family == ADDR_IPV6) flags |= MHD_USE_IPv6;
    errno = 0;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)http->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

static void check_routes(const struct http_options *options) {
    CHECK(options->route_count <= HTTP_ROUTES_MAX && options->is_public == !options->metrics && options->health);
    for (size_t i = 0; i < options->route_count; i++)
        CHECK(options->routes[i].path[0] == '/' && options->routes[i].render && options->routes[i].content_type);
    for (size_t i = 0; i < options->deferred_count; i++)
        CHECK(options->deferred[i].pattern[0] == '/' && options->deferred[i].method < HTTP_METHOD_COUNT);
}

static int create(struct http **out, const struct http_options *options) {
    struct http *http = calloc(1, sizeof *http);
    *out = http;
    if (!http) return MARCH_ERR_SYSTEM;
    http->metrics = options->metrics;
    http->health = options->health;
    http->route_count = options->route_count;
    for (size_t i = 0; i < options->route_count; i++) http->routes[i] = options->routes[i];
    http->deferred = calloc(options->deferred_count + 1, sizeof *http->deferred);
    if (!http->deferred) return MARCH_ERR_SYSTEM;
    for (size_t i = 0; i < options->deferred_count; i++) http->deferred[i] = options->deferred[i];
    http->deferred_count = options->deferred_count;
    http->now = mono_now();
    http->is_public = options->is_public;
    http->connections_max = options->connections_max ? options->connections_max : HTTP_CONNECTIONS_MAX;
    http->lines = calloc(http->connections_max, sizeof *http->lines);
    if (!http->lines) return MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; i < http->connections_max; i++) http->lines[i].fd = -1;
    uint32_t deferred_max = options->deferred_max ? options->deferred_max : HTTP_DEFERRED_MAX;
    uint32_t held = options->deferred_count > 0 ? deferred_max : 0; /* by the loop after their connections went */
    return http_desk_create(&http->desk, http->connections_max + held, deferred_max);
}

int http_open(struct http **out, const struct http_options *options, char *error, size_t error_size) {
    *out = NULL;
    check_routes(options);
    struct http *http;
    int result = create(&http, options);
    if (result != 0) {
        snprintf(error, error_size, "%s: cannot serve HTTP: out of memory or descriptors", options->listen);
        goto fail;
    }
    result = MARCH_ERR_INVALID;
    if (addr_parse(&http->address, options->listen) != 0) {
        snprintf(error, error_size, "%s: cannot serve HTTP: expected an address like 127.0.0.1:0", options->listen);
        goto fail;
    }
    result = MARCH_ERR_SYSTEM;
    http->daemon = start_daemon(http);
    if (!http->daemon || start_thread(http) != 0) {
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

int http_fd(const struct http *http) {
    return http_desk_queued_fd(http->desk);
}

int http_take(struct http *http, const struct http_request **request) {
    return http_desk_take(http->desk, request);
}

void http_reply(struct http *http, const struct http_request *request, const struct http_answer *answer) {
    http_desk_answer(http->desk, request, answer);
}

void http_stats(struct http *http, struct http_stats *stats) {
    http_desk_stats(http->desk, stats);
    stats->ended = atomic_load_explicit(&http->ended, memory_order_relaxed);
}

void http_close(struct http *http) {
    if (!http) return;
    if (http->thread_runs) {
        atomic_store_explicit(&http->stop, true, memory_order_relaxed);
        http_desk_wake(http->desk);
        pthread_join(http->thread, NULL);
    }
    if (http->daemon) {
        http->now = (struct mono){UINT64_MAX}; /* every request that waits has expired, so that no connection is suspended */
        resume_answered(http);
        MHD_stop_daemon(http->daemon);
    }
    http_desk_destroy(http->desk);
    free(http->deferred);
    free(http->lines);
    free(http);
}
