/* test_front_matches.c: tickets, parties, matches, boards and instances over HTTP: what is taken, what is refused, and who
 * waits for what. */
#include "tests/unit/front_served.h"

#define JSON   SERVED_JSON
#define LATE_S (FRONT_POLL_S + 10)

/* --- shorthands */

static void format_id(uint64_t id, char text[24]) {
    snprintf(text, 24, "%" PRIu64, id);
}

/* enter queues a name, and tells the ticket. */
static void enter(struct served *s, const char *name, const char *mode, char ticket[24]) {
    char body[128];
    snprintf(body, sizeof body, "{\"name\": \"%s\", \"mode\": \"%s\"}", name, mode);
    served_expect(s, "POST", "/v1/tickets", JSON, body, 201, "");
    snprintf(ticket, 24, "%s", served_text(s, "ticket"));
}

static const char *of_ticket(const char *ticket, const char *tail) {
    static char path[128];
    snprintf(path, sizeof path, "/v1/tickets/%s%s", ticket, tail);
    return path;
}

static const char *state_of(struct served *s, const char *name, const char *ticket) {
    char tail[64];
    snprintf(tail, sizeof tail, "?name=%s", name);
    served_expect(s, "GET", of_ticket(ticket, tail), NULL, NULL, 200, "");
    return served_text(s, "state");
}

/* hold sends a request that the front door takes, and does not answer yet; returns the socket. */
static int hold(struct served *s, const char *method, const char *target, const char *body) {
    uint32_t before = front_stats_get(s->front).http.waiting;
    int fd = served_send(s, method, target, body ? JSON : NULL, body);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    for (int turns = 0; turns<20; turns += front_stats_get(s->front).http.waiting> before) {
        assert_false(mono_reached(mono_now(), deadline));
        assert_int_equal(poll(&readable, 1, 1), 0);
        served_turn(s);
    }
    return fd;
}

/* pass has time pass for those who wait, and for nobody else. */
static void pass(struct served *s, uint64_t seconds) {
    front_step(s->front, mono_add_ms(mono_now(), seconds * 1000));
}

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
    assert_string_equal(state_of(s, "b", "current"), "waiting"); /* who did not say avoids nobody, and is near */
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
    enter(s, "a", "lonely", ticket);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"duel\"}", 409, "exists");
    assert_string_equal(state_of(s, "a", ticket), "waiting");
    assert_string_equal(state_of(s, "a", "current"), "waiting");
    served_expect(s, "GET", of_ticket(ticket, "?name=b"), NULL, NULL, 404, "not_found");
    served_expect(s, "GET", of_ticket("current", "?name=b"), NULL, NULL, 404, "not_found");
    served_expect(s, "DELETE", of_ticket(ticket, "?name=b"), NULL, NULL, 404, "not_found");
    served_expect(s, "PUT", of_ticket(ticket, "/ready"), JSON, "{\"name\": \"b\", \"ready\": true}", 404, "not_found");
    static const char *const others[] = {"0", "1", "99999999999999999999", "x", "-1", "Current"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        served_expect(s, "GET", of_ticket(others[i], "?name=a"), NULL, NULL, 404, "not_found");
    served_expect(s, "GET", of_ticket(ticket, ""), NULL, NULL, 401, "unauthenticated");
    served_expect(s, "DELETE", of_ticket(ticket, "?name=a"), NULL, NULL, 200, "");
    assert_string_equal(served_text(s, "state"), "ended");
    assert_string_equal(served_text(s, "reason"), "cancelled");
    served_expect(s, "DELETE", of_ticket(ticket, "?name=a"), NULL, NULL, 404, "not_found");
    assert_string_equal(state_of(s, "a", ticket), "ended"); /* it can still be asked for */
    served_expect(s, "GET", of_ticket("current", "?name=a"), NULL, NULL, 404, "not_found");
}

static void test_ticket_is_answered_when_it_would_survive(void **state) {
    struct served *s = *state;
    s->hall.is_held = true;
    int fd = hold(s, "POST", "/v1/tickets", "{\"name\": \"a\", \"mode\": \"duel\"}");
    s->hall.is_held = false;
    assert_int_equal(served_read(s, fd), 201);
    assert_string_equal(served_text(s, "state"), "waiting");
    s->hall.is_held = true;
    fd = hold(s, "POST", "/v1/tickets", "{\"name\": \"b\", \"mode\": \"lonely\"}");
    pass(s, 3);
    served_turn(s);
    pass(s, 5);
    assert_int_equal(served_read(s, fd), 503);
    assert_string_equal(served_code(s), "unavailable");
    assert_non_null(strstr(s->asked.text, "Retry-After: 1\r\n"));
}

/* --- long polls */

static int poll_ticket(struct served *s, const char *name, const char *ticket, int wait_s) {
    char tail[96];
    (void)state_of(s, name, ticket);
    snprintf(tail, sizeof tail, "?name=%s&wait_s=%d&version=%" JSON_INTEGER_FORMAT, name, wait_s,
             json_integer_value(json_object_get(s->json, "version")));
    return hold(s, "GET", of_ticket(ticket, tail), NULL);
}

static void test_poll_is_answered_when_something_changes(void **state) {
    struct served *s = *state;
    char a[24], b[24];
    enter(s, "a", "duel", a);
    int fds[2] = {poll_ticket(s, "a", a, FRONT_POLL_S), poll_ticket(s, "a", a, FRONT_POLL_S)};
    enter(s, "b", "duel", b);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(served_read(s, fds[i]), 200);
        assert_string_equal(served_text(s, "state"), "matched");
    }
    int fd = served_send(s, "GET", of_ticket(a, "?name=a&wait_s=30&version=0"), NULL, NULL); /* old news are told at once */
    assert_int_equal(served_read(s, fd), 200);
    fd = served_send(s, "GET", of_ticket(a, "?name=a&wait_s=30"), NULL, NULL); /* no more comes of it */
    assert_int_equal(served_read(s, fd), 200);
}

static void test_poll_is_answered_at_its_deadline(void **state) {
    struct served *s = *state;
    char ticket[24];
    enter(s, "a", "lonely", ticket);
    int fd = poll_ticket(s, "a", ticket, 7);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    pass(s, 5);
    assert_int_equal(poll(&readable, 1, 50), 0);
    pass(s, 7);
    assert_int_equal(served_read(s, fd), 200);
    assert_string_equal(served_text(s, "state"), "waiting");
    static const char *const wrong[] = {"&wait_s=31", "&wait_s=x", "&wait_s=-1", "&version=-1", "&version=", "&colour=red"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char tail[64];
        snprintf(tail, sizeof tail, "?name=a%s", wrong[i]);
        served_expect(s, "GET", of_ticket(ticket, tail), NULL, NULL, 400, "bad_request");
    }
}

static void test_poll_of_a_ticket_that_is_cancelled_says_so(void **state) {
    struct served *s = *state;
    char ticket[24];
    enter(s, "a", "lonely", ticket);
    int fd = poll_ticket(s, "a", ticket, FRONT_POLL_S);
    served_expect(s, "DELETE", of_ticket("current", "?name=a"), NULL, NULL, 200, "");
    assert_int_equal(served_read(s, fd), 200);
    assert_string_equal(served_text(s, "reason"), "cancelled");
}

static void test_poll_beyond_the_limit_is_answered_at_once(void **state) {
    struct served *s = *state;
    char ticket[24], tail[96];
    static int fds[FRONT_WAITS_MAX];
    enter(s, "a", "lonely", ticket);
    (void)state_of(s, "a", ticket);
    snprintf(tail, sizeof tail, "?name=a&wait_s=30&version=%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(s->json, "version")));
    for (uint32_t i = 0; i < FRONT_WAITS_MAX; i++) {
        fds[i] = served_send(s, "GET", of_ticket(ticket, tail), NULL, NULL);
        served_turn(s);
    }
    served_expect(s, "GET", of_ticket(ticket, "?name=a"), NULL, NULL, 200, ""); /* behind all of them */
    assert_int_equal(served_ask(s, "GET", of_ticket(ticket, tail), NULL, NULL), 200);
    assert_string_equal(served_text(s, "state"), "waiting");
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"b\", \"mode\": \"duel\"}", 503, "busy");
    served_expect(s, "GET", "/v1/leaderboards/duel", NULL, NULL, 503, "unavailable");
    served_expect(s, "GET", "/v1/matches/77?name=a", NULL, NULL, 503, "unavailable");
    pass(s, LATE_S);
    for (uint32_t i = 0; i < FRONT_WAITS_MAX; i++) assert_int_equal(served_read(s, fds[i]), 200);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"b\", \"mode\": \"duel\"}", 201, "");
}

/* --- ready checks */

static void test_check_is_answered_by_each(void **state) {
    struct served *s = *state;
    char a[24], b[24];
    enter(s, "a", "check", a);
    served_expect(s, "PUT", of_ticket(a, "/ready"), JSON, "{\"name\": \"a\", \"ready\": true}", 409, "not_asked");
    enter(s, "b", "check", b);
    assert_string_equal(state_of(s, "a", a), "asked");
    assert_in_range(json_integer_value(json_object_get(s->json, "ready_within_ms")), 1, 60000);
    static const char *const wrong[] = {"{\"name\": \"a\"}", "{\"name\": \"a\", \"ready\": 1}",
                                        "{\"name\": \"a\", \"ready\": \"true\"}", "{\"name\": \"a\", \"ready\": null}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        served_expect(s, "PUT", of_ticket(a, "/ready"), JSON, wrong[i], 400, "bad_request");
    served_expect(s, "PUT", of_ticket(a, "/ready"), JSON, "{\"name\": \"a\", \"ready\": true}", 200, "");
    assert_true(json_is_true(json_object_get(json_array_get(json_object_get(s->json, "players"), 0), "ready")));
    served_expect(s, "PUT", of_ticket("current", "/ready"), JSON, "{\"name\": \"b\", \"ready\": false}", 200, "");
    assert_string_equal(served_text(s, "reason"), "declined");
    assert_string_equal(state_of(s, "a", a), "waiting");
    enter(s, "c", "check", b);
    served_expect(s, "PUT", of_ticket(b, "/ready"), JSON, "{\"name\": \"c\", \"ready\": true}", 200, "");
    served_expect(s, "PUT", of_ticket(a, "/ready"), JSON, "{\"name\": \"a\", \"ready\": true}", 200, "");
    assert_string_equal(state_of(s, "c", b), "matched");
    assert_string_equal(state_of(s, "a", a), "matched");
}

/* --- parties */

static void expect_party(struct served *s, const char *name, uint64_t leader, uint32_t members, uint32_t invited) {
    char path[64], id[24];
    snprintf(path, sizeof path, "/v1/party?name=%s", name);
    format_id(leader, id);
    served_expect(s, "GET", path, NULL, NULL, 200, "");
    assert_string_equal(served_text(s, "leader"), leader ? id : "");
    assert_int_equal(json_array_size(json_object_get(s->json, "members")), members);
    assert_int_equal(json_array_size(json_object_get(s->json, "invited")), invited);
}

static void party_act(struct served *s, const char *path, const char *name, const char *member, uint64_t id, int status,
                      const char *code) {
    char body[128];
    snprintf(body, sizeof body, "{\"name\": \"%s\", \"%s\": \"%" PRIu64 "\"}", name, member, id);
    served_expect(s, "POST", path, JSON, body, status, code);
}

static void test_party_comes_together_and_apart(void **state) {
    struct served *s = *state;
    char path[96], ticket[24];
    const uint64_t a = front_player_of("a"), b = front_player_of("b"), c = front_player_of("c");
    expect_party(s, "a", 0, 0, 0);
    party_act(s, "/v1/party/members", "b", "leader", a, 404, "not_found");
    party_act(s, "/v1/party/invitations", "a", "player", b, 200, "");
    party_act(s, "/v1/party/invitations", "a", "player", c, 200, "");
    party_act(s, "/v1/party/invitations", "a", "player", a, 400, "bad_request");
    party_act(s, "/v1/party/invitations", "a", "player", 0, 400, "bad_request");
    party_act(s, "/v1/party/invitations", "a", "leader", b, 400, "bad_request");
    party_act(s, "/v1/party/members", "b", "leader", a, 200, "");
    party_act(s, "/v1/party/members", "c", "leader", a, 200, "");
    expect_party(s, "b", a, 3, 0);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"b\", \"mode\": \"raid\"}", 403, "not_leader");
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"raid\"}", 400, "bad_request"); /* 3 of 2 */
    snprintf(path, sizeof path, "/v1/party/members/%" PRIu64 "?name=b", c);
    served_expect(s, "DELETE", path, NULL, NULL, 403, "not_leader");
    snprintf(path, sizeof path, "/v1/party/members/%" PRIu64 "?name=a", c);
    served_expect(s, "DELETE", path, NULL, NULL, 200, "");
    expect_party(s, "c", 0, 0, 0);
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"raid\"}", 201, "");
    assert_int_equal(json_array_size(json_object_get(s->json, "players")), 2);
    snprintf(ticket, sizeof ticket, "%s", served_text(s, "ticket"));
    assert_string_equal(state_of(s, "b", ticket), "matched");
    served_expect(s, "DELETE", "/v1/party/members/x?name=a", NULL, NULL, 404, "not_found");
    snprintf(path, sizeof path, "/v1/party/members/%" PRIu64 "?name=b", b);
    served_expect(s, "DELETE", path, NULL, NULL, 200, "");
    expect_party(s, "b", 0, 0, 0);
    served_expect(s, "DELETE", path, NULL, NULL, 404, "not_found");
}

/* --- matches */

/* match has two play a duel; returns its number. */
static uint32_t match(struct served *s, const char *a, const char *b) {
    char ticket[24];
    enter(s, a, "duel", ticket);
    enter(s, b, "duel", ticket);
    assert_string_equal(state_of(s, b, ticket), "matched");
    return (uint32_t)strtoul(served_text(s, "match"), NULL, 10);
}

/* await_match asks for a match until it is in a state. */
static void await_match(struct served *s, uint32_t id, const char *wanted) {
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    char path[64];
    snprintf(path, sizeof path, "/v1/matches/%" PRIu32 "?name=anybody", id);
    do {
        assert_false(mono_reached(mono_now(), deadline));
        served_expect(s, "GET", path, NULL, NULL, 200, "");
    } while (strcmp(served_text(s, "state"), wanted) != 0);
}

static void test_match_runs_and_becomes_a_result(void **state) {
    struct served *s = *state;
    uint32_t id = match(s, "a", "b");
    await_match(s, id, "running");
    json_t *player = json_array_get(json_object_get(s->json, "players"), 1);
    assert_true(json_is_true(json_object_get(player, "present")));
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"duel\"}", 409, "in_a_match");
    front_hall_finish(&s->hall, id);
    await_match(s, id, "settled");
    assert_string_equal(served_text(s, "end"), "goal");
    assert_string_equal(served_text(s, "goal"), "kills");
    assert_string_equal(served_text(s, "mode"), "duel");
    int64_t gold = 0;
    for (size_t i = 0; i < 2; i++) {
        player = json_array_get(json_object_get(s->json, "players"), i);
        gold += json_integer_value(json_object_get(player, "gold"));
        assert_int_equal(json_is_true(json_object_get(player, "won")),
                         json_integer_value(json_object_get(player, "team")) == 0);
    }
    assert_int_equal(gold, 50);
}

static void test_match_that_there_is_not(void **state) {
    struct served *s = *state;
    static const char *const ids[] = {"0", "1", "77", "4294967296", "x", "-1", "07"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char path[64];
        snprintf(path, sizeof path, "/v1/matches/%s?name=a", ids[i]);
        served_expect(s, "GET", path, NULL, NULL, 404, "not_found");
    }
    served_expect(s, "GET", "/v1/matches/77", NULL, NULL, 401, "unauthenticated");
    s->hall.is_held = true;
    int fds[2] = {hold(s, "GET", "/v1/matches/77?name=a", NULL), hold(s, "GET", "/v1/matches/77?name=b", NULL)};
    pass(s, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(served_read(s, fds[i]), 503);
        assert_string_equal(served_code(s), "unavailable");
    }
}

/* --- boards and modes */

static void test_board_is_paged(void **state) {
    struct served *s = *state;
    served_expect(s, "GET", "/v1/leaderboards/duel?limit=2&season=3", NULL, NULL, 200, "");
    json_t *rows = json_object_get(s->json, "rows");
    assert_int_equal(json_array_size(rows), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 1), "rank")), 2);
    assert_true(json_is_true(json_object_get(s->json, "complete")));
    assert_int_equal(json_integer_value(json_object_get(s->json, "season")), 3);
    served_expect(s, "GET", "/v1/leaderboards/duel", NULL, NULL, 200, "");
    assert_int_equal(json_array_size(json_object_get(s->json, "rows")), 20);
    static const char *const wrong[] = {"limit=0", "limit=101", "limit=x", "season=0", "season=4294967296"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char path[64];
        snprintf(path, sizeof path, "/v1/leaderboards/duel?%s", wrong[i]);
        served_expect(s, "GET", path, NULL, NULL, 400, "bad_request");
    }
    served_expect(s, "GET", "/v1/leaderboards/chess", NULL, NULL, 404, "unknown_mode");
}

static void test_board_is_waited_for(void **state) {
    struct served *s = *state;
    s->hall.is_held = true;
    int fd = hold(s, "GET", "/v1/leaderboards/duel", NULL);
    s->hall.is_held = false;
    assert_int_equal(served_read(s, fd), 200);
    s->hall.is_held = true;
    fd = hold(s, "GET", "/v1/leaderboards/duel", NULL);
    pass(s, 3);
    assert_int_equal(served_read(s, fd), 503);
    model_lose(s->hall.model, s->hall.keep, 0);
    served_expect(s, "GET", "/v1/leaderboards/duel", NULL, NULL, 200, "");
    assert_true(json_is_false(json_object_get(s->json, "complete")));
}

static void test_modes_are_listed(void **state) {
    struct served *s = *state;
    served_expect(s, "GET", "/v1/modes", NULL, NULL, 200, "");
    json_t *modes = json_object_get(s->json, "modes");
    assert_int_equal(json_array_size(modes), 4); /* nowhere can't be queued for */
    json_t *raid = json_array_get(modes, 2);
    assert_string_equal(json_string_value(json_object_get(raid, "mode")), "raid");
    assert_int_equal(json_array_size(json_object_get(raid, "roles")), 2);
}

/* --- instances */

static void test_instance_is_launched_and_ended(void **state) {
    struct served *s = *state;
    char path[64], location[64];
    served_expect(s, "POST", "/v1/instances", JSON,
                  "{\"name\": \"gm\", \"template\": \"hall\", \"players\": [\"7\", \"8\"], \"set\": {\"kills\": 9, "
                  "\"win.gold\": \"4\", \"checkpoints\": true}}",
                  201, "");
    uint32_t id = (uint32_t)strtoul(served_text(s, "match"), NULL, 10);
    snprintf(location, sizeof location, "Location: /v1/matches/%" PRIu32 "\r\n", id);
    assert_non_null(strstr(s->asked.text, location));
    struct instance_view view;
    assert_true(instances_view(s->hall.instances, id, &view));
    assert_int_equal(view.template->kills, 9);
    assert_int_equal(view.template->win.gold, 4);
    assert_true(view.template->checkpoints);
    await_match(s, id, "running");
    served_expect(s, "POST", "/v1/instances", JSON, "{\"name\": \"gm\", \"template\": \"hall\", \"players\": [\"8\"]}", 409,
                  "in_a_match");
    snprintf(path, sizeof path, "/v1/instances/%" PRIu32 "?name=gm", id);
    served_expect(s, "DELETE", path, NULL, NULL, 200, "");
    served_expect(s, "DELETE", path, NULL, NULL, 404, "not_found");
    await_match(s, id, "settled");
    assert_string_equal(served_text(s, "end"), "ordered");
    served_expect(s, "DELETE", "/v1/instances/x?name=gm", NULL, NULL, 404, "not_found");
    served_expect(s, "DELETE", "/v1/instances/4294967297?name=gm", NULL, NULL, 404, "not_found");
}

static void test_instance_bodies_that_are_wrong_are_told_apart(void **state) {
    struct served *s = *state;
    static const struct {
        const char *members;
        int status;
        const char *code;
    } cases[] = {
        {"", 400, "bad_request"},
        {", \"template\": 7", 400, "bad_request"},
        {", \"template\": \"cathedral\"", 404, "unknown_template"},
        {", \"template\": \"hall\", \"mode\": \"duel\"", 400, "bad_request"},
        {", \"template\": \"hall\", \"players\": [7]", 400, "bad_request"},
        {", \"template\": \"hall\", \"players\": [\"07\"]", 400, "bad_request"},
        {", \"template\": \"hall\", \"players\": [\"0\"]", 400, "bad_request"},
        {", \"template\": \"hall\", \"players\": \"7\"", 400, "bad_request"},
        {", \"template\": \"hall\", \"players\": [\"7\", \"7\"]", 400, "bad_request"},
        {", \"template\": \"hall\", \"players\": [\"1\", \"2\", \"3\", \"4\", \"5\"]", 400, "bad_request"},
        {", \"template\": \"hall\", \"set\": {\"colour\": 1}", 400, "bad_request"},
        {", \"template\": \"hall\", \"set\": {\"kills\": -1}", 400, "bad_request"},
        {", \"template\": \"hall\", \"set\": {\"kills\": null}", 400, "bad_request"},
        {", \"template\": \"hall\", \"set\": {\"kills\": 1.5}", 400, "bad_request"},
        {", \"template\": \"hall\", \"set\": {\"capacity\": 129}", 400, "bad_request"},
        {", \"template\": \"hall\", \"set\": [\"kills\"]", 400, "bad_request"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"name\": \"n%zu\"%s}", i, cases[i].members);
        served_expect(s, "POST", "/v1/instances", JSON, body, cases[i].status, cases[i].code);
    }
    assert_int_equal(instances_count(s->hall.instances), 0);
}

/* What is wrong is told with the key or value in it, however long that is and wherever it is cut. */
static void test_instance_keys_may_be_anything(void **state) {
    struct served *s = *state;
    static const char *const values[] = {"null", "1", "\"%s\""};
    for (size_t i = 0; i < sizeof values / sizeof *values * 4; i++) {
        char long_text[2048] = "", value[4096], body[8192];
        for (size_t len = i % 4; len < 1600; len += 2) memcpy(long_text + len, "\xc3\xa9", 3);
        memset(long_text, 'x', i % 4);
        snprintf(value, sizeof value, values[i / 4], long_text);
        snprintf(body, sizeof body, "{\"name\": \"n%zu\", \"template\": \"hall\", \"set\": {\"%s\": %s}}", i,
                 i / 4 == 2 ? "kills" : long_text, value);
        served_expect(s, "POST", "/v1/instances", JSON, body, 400, "bad_request");
    }
}

static void test_instances_are_no_more_than_there_are_places(void **state) {
    struct served *s = *state;
    for (int i = 0; i < FRONT_HALL_CELLS; i++)
        served_expect(s, "POST", "/v1/instances", JSON, "{\"name\": \"gm\", \"template\": \"hall\"}", 201, "");
    served_expect(s, "POST", "/v1/instances", JSON, "{\"name\": \"gm\", \"template\": \"hall\"}", 503, "full");
    assert_non_null(strstr(s->asked.text, "Retry-After: 5\r\n"));
}

/* --- with tokens */

static void authorization(const char *key, const char *subject, int ttl_s, const char *more, char headers[2048]) {
    char token[1024];
    served_sign(key, subject, ttl_s, more, token);
    snprintf(headers, 2048, JSON "Authorization: Bearer %s\r\n", token);
}

static void test_instances_are_for_those_whose_scope_says_so(void **state) {
    struct served *s = *state;
    static const char body[] = "{\"template\": \"hall\"}";
    static const char *const scopes[] = {"", ",\"scope\":\"\"", ",\"scope\":\"instance\"", ",\"scope\":\"instances2 play\""};
    char headers[2048], claims[128];
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        snprintf(claims, sizeof claims, SERVED_WORLD "%s", scopes[i]);
        authorization(SERVED_SECRET, "7", 60, claims, headers);
        served_expect(s, "POST", "/v1/instances", headers, body, 403, "not_allowed");
        served_expect(s, "DELETE", "/v1/instances/1", headers, NULL, 403, "not_allowed");
    }
    authorization(SERVED_SECRET, "8", 60, SERVED_WORLD ",\"scope\":\"play instances\"", headers);
    served_expect(s, "POST", "/v1/instances", headers, body, 201, "");
    served_expect(s, "DELETE", "/v1/instances/1", headers, NULL, 200, "");
    authorization("a key that nobody here has known", "8", 60, SERVED_WORLD ",\"scope\":\"instances\"", headers);
    served_expect(s, "POST", "/v1/instances", headers, body, 401, "bad_token");
    authorization(SERVED_SECRET, "8", -60, SERVED_WORLD ",\"scope\":\"instances\"", headers);
    served_expect(s, "POST", "/v1/instances", headers, body, 401, "expired_token");
}

static void test_nothing_is_done_without_a_good_token(void **state) {
    struct served *s = *state;
    static const struct {
        const char *method, *path, *body;
    } asks[] = {
        {"POST", "/v1/tickets", "{\"mode\": \"duel\"}"},
        {"GET", "/v1/tickets/current", NULL},
        {"DELETE", "/v1/tickets/current", NULL},
        {"PUT", "/v1/tickets/current/ready", "{\"ready\": true}"},
        {"GET", "/v1/party", NULL},
        {"POST", "/v1/party/invitations", "{\"player\": \"8\"}"},
        {"POST", "/v1/party/members", "{\"leader\": \"8\"}"},
        {"DELETE", "/v1/party/members/7", NULL},
        {"GET", "/v1/matches/1", NULL},
        {"POST", "/v1/instances", "{\"template\": \"hall\"}"},
        {"DELETE", "/v1/instances/1", NULL},
    };
    char stranger[2048], expired[2048];
    authorization("a key that nobody here has known", "7", 60, SERVED_WORLD, stranger);
    authorization(SERVED_SECRET, "7", -60, SERVED_WORLD, expired);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        served_expect(s, asks[i].method, asks[i].path, stranger, asks[i].body, 401, "bad_token");
        served_expect(s, asks[i].method, asks[i].path, expired, asks[i].body, 401, "expired_token");
        served_expect(s, asks[i].method, asks[i].path, JSON, asks[i].body, 401, "unauthenticated");
    }
    assert_int_equal(desk_stats_get(s->hall.desk).entered, 0);
    assert_int_equal(desk_stats_get(s->hall.desk).parties, 0);
    served_expect(s, "GET", "/v1/modes", NULL, NULL, 200, ""); /* for anybody */
    served_expect(s, "GET", "/v1/leaderboards/duel", NULL, NULL, 200, "");
}

/* --- in the end */

static void test_front_closes_while_some_wait(void **state) {
    struct served *s = *state;
    char ticket[24];
    enter(s, "a", "lonely", ticket);
    int ticket_fd = poll_ticket(s, "a", ticket, FRONT_POLL_S);
    s->hall.is_held = true;
    int board_fd = hold(s, "GET", "/v1/leaderboards/duel", NULL);
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
#define dev(name)  cmocka_unit_test_setup_teardown(name, served_open_dev, served_close)
#define hmac(name) cmocka_unit_test_setup_teardown(name, served_open_hmac, served_close)
    const struct CMUnitTest tests[] = {
        dev(test_ticket_is_what_was_asked_for),
        dev(test_ticket_bodies_that_are_wrong_are_told_apart),
        dev(test_ticket_is_its_players_alone),
        dev(test_ticket_is_answered_when_it_would_survive),
        dev(test_poll_is_answered_when_something_changes),
        dev(test_poll_is_answered_at_its_deadline),
        dev(test_poll_of_a_ticket_that_is_cancelled_says_so),
        dev(test_poll_beyond_the_limit_is_answered_at_once),
        dev(test_check_is_answered_by_each),
        dev(test_party_comes_together_and_apart),
        dev(test_match_runs_and_becomes_a_result),
        dev(test_match_that_there_is_not),
        dev(test_board_is_paged),
        dev(test_board_is_waited_for),
        dev(test_modes_are_listed),
        dev(test_instance_is_launched_and_ended),
        dev(test_instance_bodies_that_are_wrong_are_told_apart),
        dev(test_instance_keys_may_be_anything),
        dev(test_instances_are_no_more_than_there_are_places),
        hmac(test_instances_are_for_those_whose_scope_says_so),
        hmac(test_nothing_is_done_without_a_good_token),
        dev(test_front_closes_while_some_wait),
        dev(test_front_slows_down_a_player_who_changes_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
