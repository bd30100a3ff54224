/* test_http_deferred.c: requests that the loop answers, over real sockets; the test is the loop. */
#include <poll.h>
#include <pthread.h>

#include "tests/unit/http_serve.h"

#define DEFERRED_MAX 4
#define SHORT_MS     200

enum { ROUTE_THING = 0, ROUTE_SET_THING = 1, ROUTE_LIST = 2, ROUTE_SHORT = 3, ROUTE_DROP_THING = 4 };

static const struct http_deferred_route deferred[] = {
    {"/v1/things/{}", HTTP_GET, 0, false},    {"/v1/things/{}", HTTP_PUT, 0, false},    {"/v1/things", HTTP_GET, 0, false},
    {"/v1/short", HTTP_GET, SHORT_MS, false}, {"/v1/things/{}", HTTP_DELETE, 0, false}, {"/v1/any", HTTP_GET, 0, true},
};

struct fixture {
    struct metrics *metrics;
    struct health health;
    struct http *http;
    struct http_asked asked;
};

static int open_fixture(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->metrics = metrics_create(4, "test");
    health_init(&f->health, mono_now());
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .metrics = f->metrics,
                                         .health = &f->health,
                                         .deferred = deferred,
                                         .deferred_count = sizeof deferred / sizeof *deferred,
                                         .deferred_max = DEFERRED_MAX};
    char error[256] = "";
    if (http_open(&f->http, &options, error, sizeof error) != 0) fail_msg("%s", error);
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *f = *state;
    http_close(f->http);
    metrics_destroy(f->metrics);
    free(f);
    return 0;
}

static int send_to(struct fixture *f, const char *method, const char *target, const char *headers, const char *body) {
    return http_ask_method(http_address(f->http), method, target, headers, body);
}

static int refused(struct fixture *f, const char *method, const char *target, const char *body) {
    return http_ask_read(send_to(f, method, target, NULL, body), &f->asked);
}

static const struct http_request *take(struct fixture *f) {
    return http_serve_take(f->http);
}

static void reply(struct fixture *f, const struct http_request *request, unsigned status, const char *body,
                  const char *etag) {
    http_serve_reply(f->http, request, status, body, etag);
}

static struct http_stats stats_of(struct fixture *f) {
    struct http_stats stats;
    http_stats(f->http, &stats);
    return stats;
}

static void test_deferred_request_reaches_the_loop_and_its_answer_the_client(void **state) {
    struct fixture *f = *state;
    int fd = send_to(f, "GET", "/v1/things/a%2Fb%20c?page=2&kind=x+y", NULL, NULL);
    const struct http_request *request = take(f);
    assert_int_equal(request->route, ROUTE_THING);
    assert_int_equal(request->method, HTTP_GET);
    assert_string_equal(request->parameters[0], "a/b c");
    assert_string_equal(http_target_argument(&request->target, "page"), "2");
    assert_string_equal(http_target_argument(&request->target, "kind"), "x y");
    assert_null(http_target_argument(&request->target, "count"));
    assert_int_equal(stats_of(f).waiting, 1);
    struct http_answer answer = {.status = 307,
                                 .content_type = "application/json",
                                 .body = "{}",
                                 .body_len = 2,
                                 .age_s = 12,
                                 .location = "http://127.0.0.1:1/v1/things/1"};
    http_reply(f->http, request, &answer);
    assert_int_equal(http_ask_read(fd, &f->asked), 307);
    assert_non_null(strstr(f->asked.text, "Location: http://127.0.0.1:1/v1/things/1\r\n"));
    assert_non_null(strstr(f->asked.text, "Age: 12\r\n"));
    assert_non_null(strstr(f->asked.text, "Content-Type: application/json\r\n"));
    assert_string_equal(f->asked.body, "{}");
    struct http_stats stats = stats_of(f);
    assert_int_equal(stats.deferred, 1);
    assert_int_equal(stats.waiting, 0);
}

static void test_deferred_route_that_ignores_the_query_has_none(void **state) {
    struct fixture *f = *state;
    static const char *const targets[] = {"/v1/any", "/v1/any?t=123", "/v1/any?a&a", "/v1/any?%zz"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        int fd = send_to(f, "GET", targets[i], NULL, NULL);
        const struct http_request *request = take(f);
        assert_int_equal(request->target.argument_count, 0);
        reply(f, request, 200, "{}", NULL);
        assert_int_equal(http_ask_read(fd, &f->asked), 200);
    }
    assert_int_equal(refused(f, "PUT", "/v1/any?t=123", NULL), 405);
    assert_int_equal(refused(f, "GET", "/v1/any//x?t=123", NULL), 400);
    assert_int_equal(refused(f, "GET", "/v1/things?a&a", NULL), 400); /* as any other */
    assert_int_equal(refused(f, "GET", "/v1/things/7?%zz", NULL), 400);
}

static void test_deferred_put_brings_its_body(void **state) {
    struct fixture *f = *state;
    int fd = send_to(f, "PUT", "/v1/things/7", NULL, "on");
    const struct http_request *request = take(f);
    assert_int_equal(request->route, ROUTE_SET_THING);
    assert_int_equal(request->method, HTTP_PUT);
    assert_int_equal(request->body_len, 2);
    assert_string_equal(request->body, "on");
    reply(f, request, 200, "{}", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
    assert_non_null(strstr(f->asked.text, "Cache-Control: no-store"));

    fd = http_ask_send(http_address(f->http), "PUT /v1/things/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                              "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    request = take(f);
    assert_string_equal(request->body, "abcde");
    reply(f, request, 200, "{}", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
}

static void test_deferred_delete_is_a_route_of_its_own(void **state) {
    struct fixture *f = *state;
    int fd = send_to(f, "DELETE", "/v1/things/7", NULL, "");
    const struct http_request *request = take(f);
    assert_int_equal(request->route, ROUTE_DROP_THING);
    assert_int_equal(request->method, HTTP_DELETE);
    reply(f, request, 200, "{}", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
    assert_int_equal(refused(f, "DELETE", "/v1/things", ""), 405);
}

static void test_deferred_body_that_is_too_large_is_refused(void **state) {
    struct fixture *f = *state;
    char body[HTTP_UPLOAD_MAX + 2];
    memset(body, 'x', sizeof body);
    body[HTTP_UPLOAD_MAX + 1] = '\0';
    assert_int_equal(refused(f, "PUT", "/v1/things/7", body), 413);
    assert_non_null(strstr(f->asked.body, "\"code\": \"too_large\""));
    body[HTTP_UPLOAD_MAX] = '\0';
    int fd = send_to(f, "PUT", "/v1/things/7", NULL, body);
    const struct http_request *request = take(f);
    assert_int_equal(request->body_len, HTTP_UPLOAD_MAX);
    reply(f, request, 200, "{}", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);

    fd = http_ask_send(http_address(f->http), "PUT /v1/things/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                              "Transfer-Encoding: chunked\r\n\r\n");
    char chunk[1100];
    int len = snprintf(chunk, sizeof chunk, "400\r\n%.1024s\r\n", body);
    for (int i = 0; i < 8; i++) (void)!send(fd, chunk, (size_t)len, MSG_NOSIGNAL);
    (void)!send(fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
    assert_int_equal(http_ask_read(fd, &f->asked), 413);
    fd = http_ask_send(http_address(f->http), "PUT /v1/things/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                              "Transfer-Encoding: chunked\r\n\r\n");
    ssize_t sent = 0;
    for (int i = 0; i < 100000 && sent >= 0; i++) sent = send(fd, chunk, (size_t)len, MSG_NOSIGNAL); /* it never ends */
    assert_true(sent < 0);
    close(fd);
    assert_int_equal(stats_of(f).deferred, 1);
}

static void test_deferred_bad_targets_and_methods_are_refused_in_json(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *method, *target;
        int status;
        const char *code;
    } cases[] = {
        {"GET", "/v1/other", 404, "not_found"},
        {"GET", "/v1/things/1/2", 404, "not_found"},
        {"GET", "/v1//things", 400, "bad_request"},
        {"GET", "/v1/things/", 400, "bad_request"},
        {"GET", "/v1/things/%zz", 400, "bad_request"},
        {"GET", "/v1/things/%00", 400, "bad_request"},
        {"GET", "/v1/things/%ff", 400, "bad_request"},
        {"GET", "/v1/things/%0d%0aSet-Cookie:x", 400, "bad_request"},
        {"GET", "/v1/things?a=1&a=2", 400, "bad_request"},
        {"GET", "/a/b/c/d/e/f/g/h/i", 414, "too_long"},
        {"GET", "/v1/things?a&b&c&d&e&f&g&h&i", 414, "too_long"},
        {"PUT", "/v1/things", 405, "method"},
        {"POST", "/v1/things/1", 405, "method"},
        {"DELETE", "/v1/things", 405, "method"},
        {"PUT", "/metrics", 405, "method"},
        {"PUT", "/v1/other", 404, "not_found"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(refused(f, cases[i].method, cases[i].target, NULL), cases[i].status);
        char code[64];
        snprintf(code, sizeof code, "{\"error\": {\"code\": \"%s\", \"message\": \"", cases[i].code);
        if (strncmp(f->asked.body, code, strlen(code)) != 0) fail_msg("%s: %s", cases[i].target, f->asked.body);
    }
    assert_int_equal(refused(f, "POST", "/v1/things/1", NULL), 405);
    assert_non_null(strstr(f->asked.text, "Allow: GET, HEAD, PUT, DELETE\r\n"));
    char target[HTTP_TARGET_MAX + 2];
    memset(target, 'x', sizeof target);
    memcpy(target, "/v1/things/", 11);
    target[HTTP_TARGET_MAX + 1] = '\0';
    assert_int_equal(refused(f, "GET", target, NULL), 414);
    char huge[7000];
    memset(huge, 'x', sizeof huge);
    huge[0] = '/';
    huge[sizeof huge - 1] = '\0';
    assert_int_equal(refused(f, "GET", huge, NULL), 414);
    assert_int_equal(stats_of(f).deferred, 0);
    int fd = send_to(f, "GET", target, NULL, NULL);
    http_ask_read(fd, &f->asked);
    target[HTTP_TARGET_MAX] = '\0'; /* just short enough */
    fd = send_to(f, "GET", target, NULL, NULL);
    reply(f, take(f), 200, "{}", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
}

static void test_deferred_etag_that_is_known_is_not_modified(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *header;
        int status;
    } cases[] = {
        {"If-None-Match: \"a1\"\r\n", 304},   {"If-None-Match: \"b\", W/\"a1\" , \"c\"\r\n", 304},
        {"If-None-Match: *\r\n", 304},        {"If-None-Match: \"a\"\r\n", 200},
        {"If-None-Match: \"a12\"\r\n", 200},  {"If-None-Match: ,,,\r\n", 200},
        {"If-None-Match: W/\"a1\"\r\n", 304}, {"", 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = send_to(f, "GET", "/v1/things", cases[i].header, NULL);
        reply(f, take(f), 200, "[1]", "\"a1\"");
        assert_int_equal(http_ask_read(fd, &f->asked), cases[i].status);
        assert_non_null(strstr(f->asked.text, "ETag: \"a1\"\r\n"));
        assert_non_null(strstr(f->asked.text, "Cache-Control: no-cache\r\n"));
        assert_string_equal(f->asked.body, cases[i].status == 200 ? "[1]" : "");
    }
    int fd = send_to(f, "GET", "/v1/things", "If-None-Match: \"a1\"\r\n", NULL);
    reply(f, take(f), 404, "{}", "\"a1\""); /* an error is always told */
    assert_int_equal(http_ask_read(fd, &f->asked), 404);
    fd = send_to(f, "HEAD", "/v1/things", NULL, NULL);
    reply(f, take(f), 200, "[1]", "\"a1\"");
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
    assert_non_null(strstr(f->asked.text, "Content-Length: 3\r\n"));
    assert_string_equal(f->asked.body, "");
}

static void test_deferred_request_past_its_deadline_is_a_timeout(void **state) {
    struct fixture *f = *state;
    int fd = send_to(f, "GET", "/v1/short", NULL, NULL); /* never taken */
    assert_int_equal(http_ask_read(fd, &f->asked), 504);
    assert_non_null(strstr(f->asked.body, "\"code\": \"timeout\""));
    assert_int_equal(stats_of(f).waiting, 0);

    fd = send_to(f, "GET", "/v1/short", NULL, NULL);
    const struct http_request *request = take(f);
    assert_int_equal(http_ask_read(fd, &f->asked), 504);
    assert_int_equal(stats_of(f).waiting, 1);
    assert_string_equal(request->target.segments[1], "short"); /* it is still the loop's to read */
    reply(f, request, 200, "late", NULL);
    struct http_stats stats = stats_of(f);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.expired, 2);
    assert_int_equal(stats.late, 1);
    const struct http_request *none;
    assert_int_equal(http_take(f->http, &none), MARCH_ERR_EMPTY);
}

static void test_deferred_queue_that_is_full_is_told_with_retry_after(void **state) {
    struct fixture *f = *state;
    int fds[DEFERRED_MAX];
    for (int i = 0; i < DEFERRED_MAX; i++) fds[i] = send_to(f, "GET", "/v1/things", NULL, NULL);
    const struct http_request *requests[DEFERRED_MAX];
    for (int i = 0; i < DEFERRED_MAX; i++) requests[i] = take(f);
    assert_int_equal(refused(f, "GET", "/v1/things", NULL), 503);
    assert_non_null(strstr(f->asked.text, "Retry-After: 1\r\n"));
    assert_non_null(strstr(f->asked.body, "\"code\": \"busy\""));
    assert_int_equal(refused(f, "GET", "/health", NULL), 200); /* which needs no loop */
    for (int i = DEFERRED_MAX; i-- > 0;) reply(f, requests[i], 200, "{}", NULL);
    for (int i = 0; i < DEFERRED_MAX; i++) assert_int_equal(http_ask_read(fds[i], &f->asked), 200);
    int fd = send_to(f, "GET", "/v1/things", NULL, NULL);
    reply(f, take(f), 200, "{}", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
    assert_int_equal(stats_of(f).full, 1);
}

/* A client that goes while its request is with the loop costs nothing but the work. */
static void test_deferred_client_that_is_gone_leaves_no_trace(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 10 * DEFERRED_MAX; i++) {
        close(send_to(f, "GET", "/v1/things", NULL, NULL));
        reply(f, take(f), 200, "{}", NULL);
    }
    int fd = send_to(f, "GET", "/v1/things", NULL, NULL);
    reply(f, take(f), 200, "{}", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
    assert_int_equal(stats_of(f).waiting, 0);
}

static void test_deferred_requests_follow_each_other_on_one_connection(void **state) {
    struct fixture *f = *state;
    int fd = http_ask_send(http_address(f->http), "GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n"
                                                  "GET /v1/things/2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const struct http_request *request = take(f);
    assert_int_equal(request->route, ROUTE_LIST);
    reply(f, request, 200, "[first]", NULL);
    request = take(f);
    assert_int_equal(request->route, ROUTE_THING);
    reply(f, request, 200, "[second]", NULL);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
    assert_non_null(strstr(f->asked.text, "[first]"));
    assert_non_null(strstr(f->asked.text, "[second]"));
}

/* A client that sends a byte now and then is never idle; it is cut off all the same. */
static void test_deferred_client_that_drips_is_cut_off(void **state) {
    struct fixture *f = *state;
    int fd = http_ask_send(http_address(f->http), "GET /v1/things HTTP/1.1\r\nX: ");
    struct pollfd closed = {.fd = fd, .events = POLLIN};
    int drips = 0;
    while (poll(&closed, 1, 1000) == 0) {
        assert_true(++drips < 2 * HTTP_REQUEST_S);
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
    }
    assert_true(drips >= HTTP_IDLE_S); /* it was not idle */
    close(fd);
    assert_int_equal(refused(f, "GET", "/metrics", NULL), 200);
}

static void test_deferred_close_ends_requests_that_wait(void **state) {
    struct fixture *f = *state;
    int fds[DEFERRED_MAX];
    for (int i = 0; i < DEFERRED_MAX; i++) fds[i] = send_to(f, "GET", "/v1/things", NULL, NULL);
    reply(f, take(f), 200, "{}", NULL);
    (void)take(f);
    struct pollfd waiting = {.fd = http_fd(f->http), .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 20000), 1);
    http_close(f->http);
    f->http = NULL;
    for (int i = 0; i < DEFERRED_MAX; i++) close(fds[i]);
}

#define ASKERS       8
#define ASKER_ROUNDS 200

static void *ask_again_and_again(void *context) {
    struct fixture *f = context;
    struct http_asked *asked = malloc(sizeof *asked);
    intptr_t good = 0;
    for (int i = 0; asked && i < ASKER_ROUNDS; i++) {
        int status = http_ask_read(send_to(f, "GET", "/v1/things", NULL, NULL), asked);
        if (status == 200 || status == 503) good++;
    }
    free(asked);
    return (void *)good;
}

static void test_deferred_many_clients_are_all_answered(void **state) {
    struct fixture *f = *state;
    pthread_t askers[ASKERS];
    for (int i = 0; i < ASKERS; i++) assert_int_equal(pthread_create(&askers[i], NULL, ask_again_and_again, f), 0);
    struct pollfd waiting = {.fd = http_fd(f->http), .events = POLLIN};
    struct http_stats stats = {0};
    while (stats.deferred + stats.full < ASKERS * ASKER_ROUNDS || stats.waiting > 0) {
        const struct http_request *request;
        while (http_take(f->http, &request) == 0) reply(f, request, 200, "{}", NULL);
        (void)!poll(&waiting, 1, 10);
        stats = stats_of(f);
    }
    for (int i = 0; i < ASKERS; i++) {
        void *good;
        assert_int_equal(pthread_join(askers[i], &good), 0);
        assert_int_equal((intptr_t)good, ASKER_ROUNDS);
    }
}

#define WITH_HTTP(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HTTP(test_deferred_request_reaches_the_loop_and_its_answer_the_client),
        WITH_HTTP(test_deferred_put_brings_its_body),
        WITH_HTTP(test_deferred_route_that_ignores_the_query_has_none),
        WITH_HTTP(test_deferred_delete_is_a_route_of_its_own),
        WITH_HTTP(test_deferred_body_that_is_too_large_is_refused),
        WITH_HTTP(test_deferred_bad_targets_and_methods_are_refused_in_json),
        WITH_HTTP(test_deferred_etag_that_is_known_is_not_modified),
        WITH_HTTP(test_deferred_request_past_its_deadline_is_a_timeout),
        WITH_HTTP(test_deferred_queue_that_is_full_is_told_with_retry_after),
        WITH_HTTP(test_deferred_client_that_is_gone_leaves_no_trace),
        WITH_HTTP(test_deferred_requests_follow_each_other_on_one_connection),
        WITH_HTTP(test_deferred_client_that_drips_is_cut_off),
        WITH_HTTP(test_deferred_close_ends_requests_that_wait),
        WITH_HTTP(test_deferred_many_clients_are_all_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
