/* test_front_tickets.c: tickets over HTTP: what is taken, what is refused, and who waits for what. */
#include "tests/unit/front_served.h"

#define JSON   SERVED_JSON
#define LATE_S (FRONT_POLL_S + 10)

/* --- tickets */

static void test_ticket_is_what_was_asked_for(void **state) {
    struct served *s = *state;
    char path[64];
    served_expect(s, "POST", "/v1/tickets", JSON,
                  "{\"name\": \"a\", \"mode\": \"raid\", \"roles\": [\"healer\"], \"avoid\": [\"7\", \"8\", \"9\", \"10\"], "
                  "\"latency_ms\": {\"main\": 30, \"east\": 65534}}",
                  201, "");
    snprintf(path, sizeof path, "Location: /v1/tickets/%s\r\n", served_text(s, "ticket"));
    assert_non_null(strstr(s->asked.text, path));
    assert_string_equal(served_text(s, "state"), "waiting");
    assert_string_equal(served_text(s, "mode"), "raid");
    assert_int_equal(json_integer_value(json_object_get(s->json, "position")), 1);
    assert_int_equal(json_integer_value(json_object_get(s->json, "queued")), 1);
    assert_int_equal(json_array_size(json_object_get(s->json, "players")), 1);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"b\", \"mode\": \"raid\", \"roles\": [\"healer\"]}", 201, "");
    assert_string_equal(served_text(s, "state"), "waiting"); /* two healers are no raid */
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"c\", \"mode\": \"raid\"}", 201, "");
    assert_string_equal(served_state(s, "b", "current"), "waiting"); /* who did not say avoids nobody, and is near */
}

static void test_ticket_bodies_that_are_wrong_are_told_apart(void **state) {
    struct served *s = *state;
    static const struct {
        const char *members;
        int status;
        const char *code;
    } cases[] = {
        {"", 400, "bad_request"},
        {", \"mode\": 7", 400, "bad_request"},
        {", \"mode\": null", 400, "bad_request"},
        {", \"mode\": \"chess\"", 404, "unknown_mode"},
        {", \"mode\": \"nowhere\"", 404, "unknown_mode"},
        {", \"mode\": \"duel\", \"colour\": \"red\"", 400, "bad_request"},
        {", \"mode\": \"duel\", \"region\": \"east\"", 400, "bad_request"},
        {", \"mode\": \"duel\", \"roles\": [\"tank\"]", 400, "bad_request"},
        {", \"mode\": \"raid\", \"roles\": [\"damage\"]", 400, "bad_request"},
        {", \"mode\": \"raid\", \"roles\": [0]", 400, "bad_request"},
        {", \"mode\": \"raid\", \"roles\": \"tank\"", 400, "bad_request"},
        {", \"mode\": \"duel\", \"latency_ms\": {\"west\": 10}", 400, "unknown_region"},
        {", \"mode\": \"duel\", \"latency_ms\": {\"main\": -1}", 400, "bad_request"},
        {", \"mode\": \"duel\", \"latency_ms\": {\"main\": 65535}", 400, "bad_request"},
        {", \"mode\": \"duel\", \"latency_ms\": {\"main\": 1.5}", 400, "bad_request"},
        {", \"mode\": \"duel\", \"latency_ms\": [30]", 400, "bad_request"},
        {", \"mode\": \"duel\", \"avoid\": [7]", 400, "bad_request"},
        {", \"mode\": \"duel\", \"avoid\": [\"07\"]", 400, "bad_request"},
        {", \"mode\": \"duel\", \"avoid\": [\"0\"]", 400, "bad_request"},
        {", \"mode\": \"duel\", \"avoid\": [\"9223372036854775808\"]", 400, "bad_request"},
        {", \"mode\": \"duel\", \"avoid\": [\"1\", \"2\", \"3\", \"4\", \"5\"]", 400, "bad_request"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"name\": \"n%zu\"%s}", i, cases[i].members);
        served_expect(s, "POST", "/v1/tickets", JSON, body, cases[i].status, cases[i].code);
    }
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"mode\": \"duel\"}", 401, "unauthenticated");
    served_expect(s, "POST", "/v1/tickets", NULL, "{\"name\": \"a\", \"mode\": \"duel\"}", 415, "not_json");
    served_expect(s, "POST", "/v1/tickets", NULL, NULL, 400, "bad_request");
    served_expect(s, "POST", "/v1/tickets?name=a", JSON, "{\"mode\": \"duel\"}", 400, "bad_request");
    assert_int_equal(desk_stats_get(s->hall.desk).tickets, 0);
}

static void test_ticket_is_its_players_alone(void **state) {
    struct served *s = *state;
    char ticket[24];
    served_enter(s, "a", "lonely", ticket);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"duel\"}", 409, "exists");
    assert_string_equal(served_state(s, "a", ticket), "waiting");
    assert_string_equal(served_state(s, "a", "current"), "waiting");
    served_expect(s, "GET", served_ticket_path(ticket, "?name=b"), NULL, NULL, 404, "not_found");
    served_expect(s, "GET", served_ticket_path("current", "?name=b"), NULL, NULL, 404, "not_found");
    served_expect(s, "DELETE", served_ticket_path(ticket, "?name=b"), NULL, NULL, 404, "not_found");
    served_expect(s, "PUT", served_ticket_path(ticket, "/ready"), JSON, "{\"name\": \"b\", \"ready\": true}", 404,
                  "not_found");
    static const char *const others[] = {"0", "1", "99999999999999999999", "x", "-1", "Current"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        served_expect(s, "GET", served_ticket_path(others[i], "?name=a"), NULL, NULL, 404, "not_found");
    served_expect(s, "GET", served_ticket_path(ticket, ""), NULL, NULL, 401, "unauthenticated");
    served_expect(s, "DELETE", served_ticket_path(ticket, "?name=a"), NULL, NULL, 200, "");
    assert_string_equal(served_text(s, "state"), "ended");
    assert_string_equal(served_text(s, "reason"), "cancelled");
    served_expect(s, "DELETE", served_ticket_path(ticket, "?name=a"), NULL, NULL, 404, "not_found");
    assert_string_equal(served_state(s, "a", ticket), "ended"); /* it can still be asked for */
    served_expect(s, "GET", served_ticket_path("current", "?name=a"), NULL, NULL, 404, "not_found");
}

static void test_ticket_is_answered_when_it_would_survive(void **state) {
    struct served *s = *state;
    s->hall.is_held = true;
    int fd = served_hold(s, "POST", "/v1/tickets", "{\"name\": \"a\", \"mode\": \"duel\"}");
    s->hall.is_held = false;
    assert_int_equal(served_read(s, fd), 201);
    assert_string_equal(served_text(s, "state"), "waiting");
    s->hall.is_held = true;
    fd = served_hold(s, "POST", "/v1/tickets", "{\"name\": \"b\", \"mode\": \"lonely\"}");
    served_pass(s, 3);
    served_turn(s);
    served_pass(s, 5);
    assert_int_equal(served_read(s, fd), 503);
    assert_string_equal(served_code(s), "unavailable");
    assert_non_null(strstr(s->asked.text, "Retry-After: 1\r\n"));
}

static void test_ticket_has_ended_once_that_would_survive(void **state) {
    struct served *s = *state;
    char ticket[24];
    served_enter(s, "a", "lonely", ticket);
    served_expect_kept(s, "DELETE", "/v1/tickets/current?name=a", NULL, 200);
    assert_string_equal(served_text(s, "reason"), "cancelled");
    served_enter(s, "b", "lonely", ticket);
    served_expect_late(s, "DELETE", "/v1/tickets/current?name=b", NULL);
    served_enter(s, "c", "check", ticket);
    served_enter(s, "d", "check", ticket);
    served_expect_kept(s, "PUT", served_ticket_path(ticket, "/ready"), "{\"name\": \"d\", \"ready\": false}", 200);
    assert_string_equal(served_text(s, "reason"), "declined");
    s->hall.is_held = true; /* what is not kept needs not be waited for */
    served_expect(s, "GET", "/v1/tickets/current?name=c", NULL, NULL, 200, "");
}

static void test_ticket_is_matched_once_that_would_survive(void **state) {
    struct served *s = *state;
    char a[24], b[24], path[96];
    served_enter(s, "a", "check", a);
    served_enter(s, "b", "check", b);
    served_expect(s, "PUT", served_ticket_path(a, "/ready"), JSON, "{\"name\": \"a\", \"ready\": true}", 200, "");
    s->hall.is_held = true;
    snprintf(path, sizeof path, "/v1/tickets/%s/ready", b);
    int fds[2] = {served_hold(s, "PUT", path, "{\"name\": \"b\", \"ready\": true}")};
    fds[1] = served_hold(s, "GET", served_ticket_path(a, "?name=a"), NULL);
    s->hall.is_held = false;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(served_read(s, fds[i]), 200);
        assert_string_equal(served_text(s, "state"), "matched");
    }
}

/* --- long polls */

static int poll_ticket(struct served *s, const char *name, const char *ticket, int wait_s) {
    char tail[96];
    (void)served_state(s, name, ticket);
    snprintf(tail, sizeof tail, "?name=%s&wait_s=%d&version=%" JSON_INTEGER_FORMAT, name, wait_s,
             json_integer_value(json_object_get(s->json, "version")));
    return served_hold(s, "GET", served_ticket_path(ticket, tail), NULL);
}

static void test_poll_is_answered_when_something_changes(void **state) {
    struct served *s = *state;
    char a[24], b[24];
    served_enter(s, "a", "duel", a);
    int fds[2] = {poll_ticket(s, "a", a, FRONT_POLL_S), poll_ticket(s, "a", a, FRONT_POLL_S)};
    served_enter(s, "b", "duel", b);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(served_read(s, fds[i]), 200);
        assert_string_equal(served_text(s, "state"), "matched");
    }
    int fd = served_send(s, "GET", served_ticket_path(a, "?name=a&wait_s=30&version=0"), NULL,
                         NULL); /* old news are told at once */
    assert_int_equal(served_read(s, fd), 200);
    fd = served_send(s, "GET", served_ticket_path(a, "?name=a&wait_s=30"), NULL, NULL); /* no more comes of it */
    assert_int_equal(served_read(s, fd), 200);
}

static void test_poll_is_answered_at_its_deadline(void **state) {
    struct served *s = *state;
    char ticket[24];
    served_enter(s, "a", "lonely", ticket);
    int fd = poll_ticket(s, "a", ticket, 7);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    served_pass(s, 5);
    assert_int_equal(poll(&readable, 1, 50), 0);
    served_pass(s, 7);
    assert_int_equal(served_read(s, fd), 200);
    assert_string_equal(served_text(s, "state"), "waiting");
    static const char *const wrong[] = {"&wait_s=31", "&wait_s=x", "&wait_s=-1", "&version=-1", "&version=", "&colour=red"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char tail[64];
        snprintf(tail, sizeof tail, "?name=a%s", wrong[i]);
        served_expect(s, "GET", served_ticket_path(ticket, tail), NULL, NULL, 400, "bad_request");
    }
}

static void test_poll_of_a_ticket_that_is_cancelled_says_so(void **state) {
    struct served *s = *state;
    char ticket[24];
    served_enter(s, "a", "lonely", ticket);
    int fd = poll_ticket(s, "a", ticket, FRONT_POLL_S);
    served_expect(s, "DELETE", served_ticket_path("current", "?name=a"), NULL, NULL, 200, "");
    assert_int_equal(served_read(s, fd), 200);
    assert_string_equal(served_text(s, "reason"), "cancelled");
}

static void test_poll_beyond_the_limit_is_answered_at_once(void **state) {
    struct served *s = *state;
    char ticket[24], tail[96];
    static int fds[FRONT_WAITS_MAX];
    served_enter(s, "a", "lonely", ticket);
    (void)served_state(s, "a", ticket);
    snprintf(tail, sizeof tail, "?name=a&wait_s=30&version=%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(s->json, "version")));
    for (uint32_t i = 0; i < FRONT_WAITS_MAX; i++) {
        fds[i] = served_send(s, "GET", served_ticket_path(ticket, tail), NULL, NULL);
        served_turn(s);
    }
    served_expect(s, "GET", served_ticket_path(ticket, "?name=a"), NULL, NULL, 200, ""); /* behind all of them */
    assert_int_equal(served_ask(s, "GET", served_ticket_path(ticket, tail), NULL, NULL), 200);
    assert_string_equal(served_text(s, "state"), "waiting");
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"b\", \"mode\": \"duel\"}", 503, "busy");
    served_expect(s, "GET", "/v1/leaderboards/duel", NULL, NULL, 503, "unavailable");
    served_expect(s, "GET", "/v1/matches/77?name=a", NULL, NULL, 503, "unavailable");
    served_pass(s, LATE_S);
    for (uint32_t i = 0; i < FRONT_WAITS_MAX; i++) assert_int_equal(served_read(s, fds[i]), 200);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"b\", \"mode\": \"duel\"}", 201, "");
}

/* --- ready checks */

static void test_check_is_answered_by_each(void **state) {
    struct served *s = *state;
    char a[24], b[24];
    served_enter(s, "a", "check", a);
    served_expect(s, "PUT", served_ticket_path(a, "/ready"), JSON, "{\"name\": \"a\", \"ready\": true}", 409, "not_asked");
    served_enter(s, "b", "check", b);
    assert_string_equal(served_state(s, "a", a), "asked");
    assert_in_range(json_integer_value(json_object_get(s->json, "ready_within_ms")), 1, 60000);
    static const char *const wrong[] = {"{\"name\": \"a\"}", "{\"name\": \"a\", \"ready\": 1}",
                                        "{\"name\": \"a\", \"ready\": \"true\"}", "{\"name\": \"a\", \"ready\": null}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        served_expect(s, "PUT", served_ticket_path(a, "/ready"), JSON, wrong[i], 400, "bad_request");
    served_expect(s, "PUT", served_ticket_path(a, "/ready"), JSON, "{\"name\": \"a\", \"ready\": true}", 200, "");
    assert_true(json_is_true(json_object_get(json_array_get(json_object_get(s->json, "players"), 0), "ready")));
    served_expect(s, "PUT", served_ticket_path("current", "/ready"), JSON, "{\"name\": \"b\", \"ready\": false}", 200, "");
    assert_string_equal(served_text(s, "reason"), "declined");
    assert_string_equal(served_state(s, "a", a), "waiting");
    served_enter(s, "c", "check", b);
    served_expect(s, "PUT", served_ticket_path(b, "/ready"), JSON, "{\"name\": \"c\", \"ready\": true}", 200, "");
    served_expect(s, "PUT", served_ticket_path(a, "/ready"), JSON, "{\"name\": \"a\", \"ready\": true}", 200, "");
    assert_string_equal(served_state(s, "c", b), "matched");
    assert_string_equal(served_state(s, "a", a), "matched");
}

/* --- in the end */

static void test_front_closes_while_some_wait(void **state) {
    struct served *s = *state;
    char ticket[24];
    served_enter(s, "a", "lonely", ticket);
    int ticket_fd = poll_ticket(s, "a", ticket, FRONT_POLL_S);
    s->hall.is_held = true;
    int board_fd = served_hold(s, "GET", "/v1/leaderboards/duel", NULL);
    served_shut(s);
    static struct http_asked asked;
    (void)http_ask_read(ticket_fd, &asked); /* it is told so, or the connection ends */
    assert_true(asked.status == 0 || asked.status == 503);
    (void)http_ask_read(board_fd, &asked);
    assert_true(asked.status == 0 || asked.status == 503);
}

static void test_front_slows_down_a_player_who_changes_too_much(void **state) {
    struct served *s = *state;
    int status = 200;
    for (int i = 0; i < 100 && status == 200; i++)
        status = served_ask(s, "POST", "/v1/party/invitations", JSON, "{\"name\": \"hasty\", \"player\": \"7\"}");
    assert_int_equal(status, 429);
    served_expect(s, "GET", "/v1/party?name=hasty", NULL, NULL, 200, ""); /* he may look */
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"hasty\", \"mode\": \"duel\"}", 429, "too_many");
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"patient\", \"mode\": \"duel\"}", 201, "");
}

int main(void) {
#define dev(name) cmocka_unit_test_setup_teardown(name, served_open_dev, served_close)
    const struct CMUnitTest tests[] = {
        dev(test_ticket_is_what_was_asked_for),
        dev(test_ticket_bodies_that_are_wrong_are_told_apart),
        dev(test_ticket_is_its_players_alone),
        dev(test_ticket_is_answered_when_it_would_survive),
        dev(test_ticket_has_ended_once_that_would_survive),
        dev(test_ticket_is_matched_once_that_would_survive),
        dev(test_poll_is_answered_when_something_changes),
        dev(test_poll_is_answered_at_its_deadline),
        dev(test_poll_of_a_ticket_that_is_cancelled_says_so),
        dev(test_poll_beyond_the_limit_is_answered_at_once),
        dev(test_check_is_answered_by_each),
        dev(test_front_closes_while_some_wait),
        dev(test_front_slows_down_a_player_who_changes_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
