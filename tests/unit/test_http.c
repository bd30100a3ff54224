/* test_http.c: the endpoint over real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/http.h"

#define REPLY_SIZE 65536

struct fixture {
    struct metrics *metrics;
    struct health health;
    struct http *http;
    int status_result; /* what the extra route answers with, when negative */
    char reply[REPLY_SIZE];
};

static int render_status(void *context, char *buf, size_t size) {
    const struct fixture *fixture = context;
    if (fixture->status_result < 0) return fixture->status_result;
    return snprintf(buf, size, "{\"players\":3}");
}

static int open_fixture(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->metrics = metrics_create(4, "test");
    counter_add(metrics_counter(fixture->metrics, "march_test_things_total", "Things.", NULL), 9);
    health_init(&fixture->health, mono_now());
    const struct http_route routes[] = {{"/status", "application/json", render_status, fixture}};
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .metrics = fixture->metrics,
                                         .health = &fixture->health,
                                         .routes = routes,
                                         .route_count = 1};
    char error[256] = "";
    if (http_open(&fixture->http, &options, error, sizeof error) != 0) fail_msg("%s", error);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    http_close(fixture->http);
    metrics_destroy(fixture->metrics);
    free(fixture);
    return 0;
}

static int dial(const struct fixture *fixture) {
    struct sockaddr_storage address;
    socklen_t len = addr_to_sockaddr(http_address(fixture->http), &address);
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    struct timeval timeout = {.tv_sec = 10};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

/* ask sends a request and reads to the end; returns the status, 0 when nothing was answered. */
static int ask(struct fixture *fixture, const char *request) {
    int fd = dial(fixture);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    size_t len = 0;
    ssize_t count;
    while ((count = recv(fd, fixture->reply + len, REPLY_SIZE - 1 - len, 0)) > 0) len += (size_t)count;
    fixture->reply[len] = '\0';
    close(fd);
    int status = 0;
    if (sscanf(fixture->reply, "HTTP/1.1 %d", &status) != 1) return 0;
    return status;
}

static int get(struct fixture *fixture, const char *path) {
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    return ask(fixture, request);
}

static void test_http_metrics_are_served_as_text(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/metrics"), 200);
    assert_non_null(strstr(fixture->reply, "text/plain; version=0.0.4"));
    assert_non_null(strstr(fixture->reply, "\nmarch_test_things_total 9\n"));
}

static void test_http_health_follows_the_heartbeat(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/health"), 200);
    struct mono now = mono_now();
    health_beat(&fixture->health, (struct mono){now.ns - HEALTH_STALL_NS});
    assert_int_equal(get(fixture, "/health"), 503);
    health_beat(&fixture->health, mono_now());
    assert_int_equal(get(fixture, "/health"), 200);
}

static void test_http_ready_needs_to_be_said_and_alive(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/ready"), 503);
    health_set_ready(&fixture->health, true);
    assert_int_equal(get(fixture, "/ready"), 200);
    health_beat(&fixture->health, (struct mono){mono_now().ns - HEALTH_STALL_NS});
    assert_int_equal(get(fixture, "/ready"), 503);
    health_beat(&fixture->health, mono_now());
    health_set_ready(&fixture->health, false);
    assert_int_equal(get(fixture, "/ready"), 503);
}

static void test_http_route_renders_or_fails_with_500(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/status"), 200);
    assert_non_null(strstr(fixture->reply, "application/json"));
    assert_non_null(strstr(fixture->reply, "\r\n\r\n{\"players\":3}"));
    fixture->status_result = MARCH_ERR_FULL;
    assert_int_equal(get(fixture, "/status"), 500);
}

/* Probes and scrapers add what they like, also what an API would refuse. */
static void test_http_plain_paths_ignore_the_query(void **state) {
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/health", "/ready", "/metrics", "/status"};
    static const char *const queries[] = {"?", "?t=123", "?a=1&a=2", "?=", "?%zz", "?a&b&c&d&e&f&g&h&i&j"};
    health_set_ready(&fixture->health, true);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        for (size_t k = 0; k < sizeof queries / sizeof *queries; k++) {
            char path[64], request[256];
            snprintf(path, sizeof path, "%s%s", paths[i], queries[k]);
            assert_int_equal(get(fixture, path), 200);
            snprintf(request, sizeof request, "PUT %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
            assert_int_equal(ask(fixture, request), 405);
        }
    }
    assert_int_equal(get(fixture, "/health//x?t=123"), 400); /* a path is as strict as ever */
    assert_int_equal(get(fixture, "/health/?t=123"), 400);
    assert_int_equal(get(fixture, "/healthy?t=123"), 404);
}

static void test_http_other_paths_and_methods_are_refused(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/"), 404);
    assert_int_equal(get(fixture, "/metrics/../etc/passwd"), 404);
    assert_int_equal(ask(fixture, "HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
    assert_null(strstr(fixture->reply, "ok"));
    assert_int_equal(ask(fixture, "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"),
                     405);
    assert_non_null(strstr(fixture->reply, "Allow: GET, HEAD"));
}

/* A connection more than allowed waits in the backlog until another ends. */
static void test_http_connections_are_limited(void **state) {
    struct fixture *fixture = *state;
    int fds[HTTP_CONNECTIONS_MAX];
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) fds[i] = dial(fixture);
    int one_more = dial(fixture);
    const char *request = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_int_equal(send(one_more, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    struct pollfd waiting = {.fd = one_more, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 100), 0); /* an answer takes a millisecond */
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) close(fds[i]);
    assert_int_equal(poll(&waiting, 1, 10000), 1);
    char reply[13] = "";
    assert_int_equal(recv(one_more, reply, 12, MSG_WAITALL), 12);
    assert_string_equal(reply, "HTTP/1.1 200");
    close(one_more);
}

static void test_http_address_in_use_or_bad_is_named(void **state) {
    struct fixture *fixture = *state;
    char listen[ADDR_TEXT_MAX];
    addr_format(http_address(fixture->http), listen);
    struct http_options options = {.listen = listen, .metrics = fixture->metrics, .health = &fixture->health};
    char error[256] = "";
    struct http *http;
    assert_int_equal(http_open(&http, &options, error, sizeof error), MARCH_ERR_SYSTEM);
    assert_null(http);
    assert_non_null(strstr(error, listen));
    assert_non_null(strstr(error, "Address already in use"));
    options.listen = "localhost:80";
    assert_int_equal(http_open(&http, &options, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "localhost:80"));
    options.listen = "[::1]:0";
    assert_int_equal(http_open(&http, &options, error, sizeof error), 0);
    assert_true(http_address(http)->port != 0);
    http_close(http);
    http_close(NULL);
}

#define WITH_HTTP(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HTTP(test_http_metrics_are_served_as_text),      WITH_HTTP(test_http_health_follows_the_heartbeat),
        WITH_HTTP(test_http_plain_paths_ignore_the_query),    WITH_HTTP(test_http_ready_needs_to_be_said_and_alive),
        WITH_HTTP(test_http_route_renders_or_fails_with_500), WITH_HTTP(test_http_other_paths_and_methods_are_refused),
        WITH_HTTP(test_http_connections_are_limited),         WITH_HTTP(test_http_address_in_use_or_bad_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
