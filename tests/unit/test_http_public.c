/* test_http_public.c: an endpoint that strangers may reach: what it does not tell, and that nobody can hold all of it. */
#include "tests/unit/http_serve.h"

#define CONNECTIONS_MAX 32

static const struct http_deferred_route deferred[] = {{"/v1/things", HTTP_POST, 0, false},
                                                      {"/v1/things", HTTP_GET, 0, false}};

struct fixture {
    struct health health;
    struct http *http;
    struct http_asked asked;
};

static int open_fixture(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    health_init(&f->health, mono_now());
    const struct http_options options = {.listen = "127.0.0.1:0",
                                         .health = &f->health,
                                         .deferred = deferred,
                                         .deferred_count = sizeof deferred / sizeof *deferred,
                                         .connections_max = CONNECTIONS_MAX,
                                         .is_public = true};
    char error[256] = "";
    if (http_open(&f->http, &options, error, sizeof error) != 0) fail_msg("%s", error);
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *f = *state;
    http_close(f->http);
    free(f);
    return 0;
}

static int send_to(struct fixture *f, const char *method, const char *target, const char *headers, const char *body) {
    return http_ask_method(http_address(f->http), method, target, headers, body);
}

static int ask(struct fixture *f, const char *method, const char *target) {
    return http_ask_read(send_to(f, method, target, NULL, NULL), &f->asked);
}

static const struct http_request *take(struct fixture *f) {
    return http_serve_take(f->http);
}

static void reply(struct fixture *f, const struct http_request *request, uint32_t status) {
    http_serve_reply(f->http, request, status, "{}", NULL);
}

static void test_public_post_reaches_the_loop_with_its_headers(void **state) {
    struct fixture *f = *state;
    int fd =
        send_to(f, "POST", "/v1/things", "Content-Type: application/json\r\nauthorization: Bearer x.y.z\r\n", "{\"a\":1}");
    const struct http_request *request = take(f);
    assert_int_equal(request->method, HTTP_POST);
    assert_int_equal(request->route, 0);
    assert_string_equal(request->content_type, "application/json");
    assert_string_equal(request->authorization, "Bearer x.y.z");
    assert_string_equal(request->body, "{\"a\":1}");
    reply(f, request, 201);
    assert_int_equal(http_ask_read(fd, &f->asked), 201);
    assert_null(strstr(f->asked.text, "WWW-Authenticate"));
    fd = send_to(f, "POST", "/v1/things", NULL, NULL);
    request = take(f);
    assert_string_equal(request->content_type, "");
    assert_string_equal(request->authorization, "");
    reply(f, request, 401);
    assert_int_equal(http_ask_read(fd, &f->asked), 401);
    assert_non_null(strstr(f->asked.text, "WWW-Authenticate: Bearer\r\n"));
}

static void test_public_has_no_metrics(void **state) {
    struct fixture *f = *state;
    assert_int_equal(ask(f, "GET", "/metrics"), 404);
    assert_int_equal(ask(f, "POST", "/metrics"), 404);
    assert_int_equal(ask(f, "GET", "/health"), 200);
    assert_int_equal(ask(f, "POST", "/health"), 405);
    assert_int_equal(ask(f, "PUT", "/v1/things"), 405);
    assert_non_null(strstr(f->asked.text, "Allow: GET, HEAD, POST\r\n"));
}

static void test_public_header_that_is_too_long_is_refused(void **state) {
    struct fixture *f = *state;
    char header[HTTP_HEADER_MAX + 64] = "Authorization: ";
    size_t name_len = strlen(header);
    memset(header + name_len, 'x', HTTP_HEADER_MAX + 1);
    strcpy(header + name_len + HTTP_HEADER_MAX + 1, "\r\n");
    assert_int_equal(http_ask_read(send_to(f, "POST", "/v1/things", header, NULL), &f->asked), 431);
    assert_non_null(strstr(f->asked.body, "\"too_long\""));
    strcpy(header + name_len + HTTP_HEADER_MAX, "\r\n");
    int fd = send_to(f, "POST", "/v1/things", header, NULL);
    const struct http_request *request = take(f);
    assert_int_equal(strlen(request->authorization), HTTP_HEADER_MAX);
    reply(f, request, 200);
    assert_int_equal(http_ask_read(fd, &f->asked), 200);
}

/* Half-sent requests on far more connections than there are; each is the oldest when its turn comes. */
static void test_public_half_sent_requests_hold_up_nobody(void **state) {
    struct fixture *f = *state;
    int fds[3 * CONNECTIONS_MAX];
    const int count = sizeof fds / sizeof *fds;
    for (int i = 0; i < count; i++)
        fds[i] = http_ask_send(http_address(f->http), "POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    struct mono begin = mono_now();
    for (int i = 0; i < 10; i++) assert_int_equal(ask(f, "GET", "/health"), 200);
    assert_true(mono_since_ns(mono_now(), begin) < (uint64_t)HTTP_IDLE_S * NS_PER_S / 2); /* nobody had to give up */
    struct http_stats stats;
    http_stats(f->http, &stats);
    assert_true(stats.ended >= (uint64_t)(count - CONNECTIONS_MAX));
    char byte;
    assert_int_equal(recv(fds[0], &byte, 1, 0), 0); /* the first was ended without an answer */
    for (int i = 0; i < count; i++) close(fds[i]);
}

static void test_public_request_that_waits_for_the_loop_is_not_ended(void **state) {
    struct fixture *f = *state;
    int waiting = send_to(f, "GET", "/v1/things", NULL, NULL);
    const struct http_request *request = take(f);
    int fds[2 * CONNECTIONS_MAX];
    for (int i = 0; i < 2 * CONNECTIONS_MAX; i++) fds[i] = http_ask_dial(http_address(f->http));
    assert_int_equal(ask(f, "GET", "/health"), 200);
    reply(f, request, 200);
    assert_int_equal(http_ask_read(waiting, &f->asked), 200);
    for (int i = 0; i < 2 * CONNECTIONS_MAX; i++) close(fds[i]);
}

/* Connections that the server has closed linger in the kernel; a process that is restarted gets its address all the same. */
static void test_public_address_is_had_again_at_once(void **state) {
    struct fixture *f = *state;
    char listen[ADDR_TEXT_MAX], error[256] = "";
    for (int i = 0; i < 5; i++) assert_int_equal(ask(f, "GET", "/health"), 200);
    const struct addr *address = http_address(f->http);
    addr_format(address, listen);
    int idle = http_ask_dial(address);
    http_close(f->http);
    const struct http_options options = {.listen = listen, .health = &f->health, .is_public = true};
    if (http_open(&f->http, &options, error, sizeof error) != 0) fail_msg("%s", error);
    assert_int_equal(ask(f, "GET", "/health"), 200);
    close(idle);
}

#define WITH_HTTP(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HTTP(test_public_post_reaches_the_loop_with_its_headers),
        WITH_HTTP(test_public_has_no_metrics),
        WITH_HTTP(test_public_header_that_is_too_long_is_refused),
        WITH_HTTP(test_public_half_sent_requests_hold_up_nobody),
        WITH_HTTP(test_public_request_that_waits_for_the_loop_is_not_ended),
        WITH_HTTP(test_public_address_is_had_again_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
