/* test_front.c: the front door over real sockets: who is let in, and what is said to the others. */
#include <sys/resource.h>

#include "matchmaker/pace.h"
#include "tests/unit/front_served.h"

#define JSON  SERVED_JSON
#define WORLD SERVED_WORLD

/* --- asking */

static int ask(struct served *f, const char *headers, const char *body) {
    return served_ask(f, "POST", "/v1/sessions", headers, body);
}

static void expect(struct served *f, const char *headers, const char *body, int status, const char *code) {
    served_expect(f, "POST", "/v1/sessions", headers, body, status, code);
}

static const char *player(const struct served *f) {
    return served_text(f, "player");
}

/* --- in dev mode */

static void test_front_name_gets_a_connect_token(void **state) {
    struct served *f = *state;
    uint8_t token[NETCODE_TOKEN_BYTES];
    struct netcode_token_public public;
    const char *text, *expires, *first;
    json_t *gateways;
    size_t len;
    uint64_t before_s = wall_now_s();
    assert_int_equal(ask(f, JSON, "{\"name\": \"alice\"}"), 201);
    assert_int_equal(
        json_unpack(f->json, "{s:s, s:s, s:o}", "connect_token", &text, "expires_at", &expires, "gateways", &gateways), 0);
    assert_int_equal(
        sodium_base642bin(token, sizeof token, text, strlen(text), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
    assert_int_equal(len, sizeof token);
    uint64_t id = front_fixture_player(&f->front_fixture, token, &public);
    assert_int_equal(id, front_player_of("alice"));
    assert_true(id >> 62 == 1);
    assert_int_equal(id, strtoull(player(f), NULL, 10));
    assert_true(public.create_s >= before_s && public.create_s <= wall_now_s());
    struct tm tm = {0};
    assert_non_null(strptime(expires, "%Y-%m-%dT%H:%M:%SZ", &tm));
    assert_int_equal(timegm(&tm), public.expire_s);
    assert_int_equal(json_array_size(gateways), public.server_count);
    first = json_string_value(json_array_get(gateways, 0));
    assert_string_equal(first, "127.0.0.1:4000");
    assert_non_null(strstr(f->asked.text, "Cache-Control: no-store"));
}

static void test_front_name_is_always_the_same_player(void **state) {
    (void)state;
    assert_int_equal(front_player_of("alice"), front_player_of("alice"));
    assert_int_not_equal(front_player_of("alice"), front_player_of("bob"));
    assert_int_equal(front_player_of("alice"), 7068674052656051561); /* over versions, too: worlds remember him */
}

static void test_front_bad_requests_are_told_apart(void **state) {
    struct served *f = *state;
    static const struct {
        const char *headers, *body;
        int status;
        const char *code;
    } cases[] = {
        {NULL, NULL, 401, "unauthenticated"},
        {JSON, "{}", 401, "unauthenticated"},
        {JSON, "{\"region\": \"east\"}", 401, "unauthenticated"},
        {NULL, "{\"name\": \"a\"}", 415, "not_json"},
        {"Content-Type: application/x-www-form-urlencoded\r\n", "{\"name\": \"a\"}", 415, "not_json"},
        {"Content-Type: application/jsonx\r\n", "{\"name\": \"a\"}", 415, "not_json"},
        {"Content-Type: Application/JSON; charset=utf-8\r\n", "{\"name\": \"a\"}", 201, ""},
        {JSON, "{\"name\": \"a\", \"region\": \"east\"}", 201, ""},
        {JSON, "{\"name\": \"a\", \"region\": \"west\"}", 400, "unknown_region"},
        {JSON, "{\"name\": \"a\", \"name\": \"b\"}", 400, "bad_request"},
        {JSON, "{\"name\": \"a\", \"admin\": true}", 400, "bad_request"},
        {JSON, "{\"name\": 1}", 400, "bad_request"},
        {JSON, "{\"name\": null}", 400, "bad_request"},
        {JSON, "{\"name\": \"\"}", 400, "bad_request"},
        {JSON, "{\"name\": \"a\\u0000\"}", 400, "bad_request"},
        {JSON, "{\"name\": \"a\\n\"}", 400, "bad_request"},
        {JSON, "{\"name\": \"\xff\"}", 400, "bad_request"},
        {JSON, "{\"name\": \"123456789012345678901234567890123\"}", 400, "bad_request"},
        {JSON, "{\"name\": \"a\"", 400, "bad_request"},
        {JSON, "{\"name\": \"a\"} x", 400, "bad_request"},
        {JSON, "[]", 400, "bad_request"},
        {JSON, "\"alice\"", 400, "bad_request"},
        {JSON, "{\"name\": \"a\", \"token\": \"a.b.c\"}", 400, "bad_request"},
        {JSON, "{\"token\": \"a.b.c\"}", 403, "dev_mode"},
        {"Authorization: Bearer a.b.c\r\n", NULL, 403, "dev_mode"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(f, cases[i].headers, cases[i].body, cases[i].status, cases[i].code);
    struct front_stats stats = front_stats_get(f->front);
    assert_int_equal(stats.sessions, 2);
    assert_int_equal(stats.refused, 5);
    assert_int_equal(stats.sessions + stats.refused + stats.bad, sizeof cases / sizeof *cases);
}

static const char *said(const struct served *f) {
    const char *message = "";
    json_unpack(f->json, "{s:{s:s}}", "error", "message", &message);
    return message;
}

/* Every route says what it does not know: an argument of the query, a member of the body. */
static void test_front_names_what_it_does_not_know(void **state) {
    struct served *f = *state;
    static const struct {
        const char *method, *path, *body;
    } asks[] = {
        {"POST", "/v1/sessions", "{\"name\": \"a\"%s}"},
        {"POST", "/v1/tickets", "{\"name\": \"a\", \"mode\": \"duel\"%s}"},
        {"GET", "/v1/tickets/current", NULL},
        {"DELETE", "/v1/tickets/current", NULL},
        {"PUT", "/v1/tickets/current/ready", "{\"name\": \"a\", \"ready\": true%s}"},
        {"GET", "/v1/party", NULL},
        {"POST", "/v1/party/invitations", "{\"name\": \"a\", \"player\": \"8\"%s}"},
        {"POST", "/v1/party/members", "{\"name\": \"a\", \"leader\": \"8\"%s}"},
        {"DELETE", "/v1/party/members/7", NULL},
        {"GET", "/v1/matches/1", NULL},
        {"GET", "/v1/leaderboards/duel", NULL},
        {"GET", "/v1/modes", NULL},
        {"POST", "/v1/instances", "{\"name\": \"a\", \"template\": \"hall\"%s}"},
        {"DELETE", "/v1/instances/1", NULL},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        char path[128], body[256] = "";
        snprintf(path, sizeof path, "%s?colo%%C3%%BCr=red", asks[i].path);
        if (asks[i].body) snprintf(body, sizeof body, asks[i].body, "");
        served_expect(f, asks[i].method, path, JSON, asks[i].body ? body : NULL, 400, "bad_request");
        assert_string_equal(said(f), "the query has an argument that is not known: colo\xc3\xbcr");
        if (!asks[i].body) continue;
        snprintf(body, sizeof body, asks[i].body, ", \"si\\nze\": 3");
        served_expect(f, asks[i].method, asks[i].path, JSON, body, 400, "bad_request");
        assert_string_equal(said(f), "the body has a member that is not known: si?ze");
        snprintf(path, sizeof path, "%s?name=a", asks[i].path); /* with a body the name is in it */
        served_expect(f, asks[i].method, path, JSON, "{}", 400, "bad_request");
    }
    assert_int_equal(front_stats_get(f->front).done, 0);
}

static void test_front_says_what_was_expected(void **state) {
    struct served *f = *state;
    served_expect(f, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": 7}", 400, "bad_request");
    assert_string_equal(said(f), "a member of the body is of another type: mode");
    served_expect(f, "POST", "/v1/tickets", JSON, "{\"name\": \"a\"}", 400, "bad_request");
    assert_string_equal(said(f), "the body lacks a member that is needed: mode");
    served_expect(f, "GET", "/v1/leaderboards/duel?limit=many", NULL, NULL, 400, "bad_request");
    assert_string_equal(said(f), "limit: expected a number from 1 to 100");
    char path[512] = "/v1/modes?";
    memset(path + 10, 'x', 400);
    served_expect(f, "GET", path, NULL, NULL, 400, "bad_request");
    assert_true(strlen(said(f)) < 192);
}

static void test_front_player_who_asks_too_often_is_told_when_to_come_back(void **state) {
    struct served *f = *state;
    int status = 201;
    for (int i = 0; i < 10 * PACE_BURST && status == 201; i++) status = ask(f, JSON, "{\"name\": \"hasty\"}");
    assert_int_equal(status, 429);
    assert_non_null(strstr(f->asked.text, "Retry-After: 1\r\n"));
    expect(f, JSON, "{\"name\": \"patient\"}", 201, "");
}

static void test_front_says_why_nobody_comes_in(void **state) {
    struct served *f = *state;
    struct atlas *atlas = f->front_fixture.atlas;
    atlas->phase = ATLAS_GATHERING;
    expect(f, JSON, "{\"name\": \"a\"}", 503, "starting");
    assert_non_null(strstr(f->asked.text, "Retry-After: 1\r\n"));
    atlas->phase = ATLAS_RUNNING;
    for (int i = 0; i < FRONT_GATEWAYS; i++) atlas->gateways[i].sessions = 100;
    expect(f, JSON, "{\"name\": \"a\"}", 503, "full");
    for (int i = 0; i < FRONT_GATEWAYS; i++) atlas->told.gateways[i].state = WIRE_GATEWAY_DRAINING;
    expect(f, JSON, "{\"name\": \"a\"}", 503, "no_gateway");
    assert_int_equal(front_stats_get(f->front).unready, 3);
}

/* --- where to */

static const char *first_gateway(struct served *f, const char *body) {
    expect(f, JSON, body, 201, "");
    return json_string_value(json_array_get(json_object_get(f->json, "gateways"), 0));
}

static void test_front_sends_to_the_least_loaded_gateway_and_back_to_it(void **state) {
    struct served *f = *state;
    struct atlas_gateway *gateways = f->front_fixture.atlas->gateways;
    gateways[0].sessions = 60;
    assert_string_equal(first_gateway(f, "{\"name\": \"alice\"}"), "127.0.0.1:4001");
    gateways[1].sessions = 65;
    assert_string_equal(first_gateway(f, "{\"name\": \"alice\"}"), "127.0.0.1:4001"); /* who reconnects */
    assert_string_equal(first_gateway(f, "{\"name\": \"bob\"}"), "127.0.0.1:4000");
    gateways[1].sessions = 80;
    assert_string_equal(first_gateway(f, "{\"name\": \"alice\"}"), "127.0.0.1:4000"); /* it is clearly fuller */
    assert_string_equal(first_gateway(f, "{\"name\": \"carol\", \"region\": \"east\"}"), "127.0.0.1:4001");
    assert_string_equal(first_gateway(f, "{\"name\": \"dave\", \"region\": \"main\"}"), "127.0.0.1:4000");
    gateways[1].is_draining = true;
    assert_string_equal(first_gateway(f, "{\"name\": \"carol\", \"region\": \"east\"}"), "127.0.0.1:4000");
}

/* --- with tokens */

static void expect_token(struct served *f, const char *token, int status, const char *code) {
    char headers[2048], body[2048];
    snprintf(headers, sizeof headers, "Authorization: bearer %s\r\n", token);
    snprintf(body, sizeof body, "{\"token\": \"%s\"}", token);
    expect(f, headers, NULL, status, code);
    expect(f, JSON, body, status, code);
    snprintf(headers, sizeof headers, JSON "Authorization: Bearer %s\r\n", token);
    expect(f, headers, body, 400, "bad_request"); /* one will do */
}

static void test_front_token_lets_its_subject_in(void **state) {
    struct served *f = *state;
    char token[1024];
    served_sign(SERVED_SECRET, "9223372036854775807", 60, WORLD, token);
    expect_token(f, token, 201, "");
    served_sign(SERVED_OTHER, "7", 60, WORLD, token);
    expect(f, JSON "Authorization: Bearer x\r\n", "{\"region\": \"east\"}", 401, "bad_token");
    char headers[2048];
    snprintf(headers, sizeof headers, JSON "Authorization: Bearer %s\r\n", token);
    expect(f, headers, "{\"region\": \"east\"}", 201, "");
    assert_string_equal(player(f), "7");
    assert_string_equal(json_string_value(json_array_get(json_object_get(f->json, "gateways"), 0)), "127.0.0.1:4001");
}

static void test_front_tokens_that_are_wrong_are_refused(void **state) {
    struct served *f = *state;
    char token[1024];
    served_sign("a key that nobody here has known", "7", 60, WORLD, token);
    expect_token(f, token, 401, "bad_token");
    assert_non_null(strstr(f->asked.text, "HTTP/1.1 400"));
    served_sign(SERVED_SECRET, "7", -60, WORLD, token);
    expect_token(f, token, 401, "expired_token");
    served_sign(SERVED_SECRET, "7", 60, "", token);
    expect_token(f, token, 401, "bad_token");
    served_sign(SERVED_SECRET, "7", 60, ",\"aud\":\"elsewhere\"", token);
    expect_token(f, token, 401, "bad_token");
    static const char *const subjects[] = {"0",   "07", "-7", "+7", " 7", "7 ", "", "alice", "9223372036854775808",
                                           "1e3", "0x7"};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        served_sign(SERVED_SECRET, subjects[i], 60, WORLD, token);
        expect_token(f, token, 403, "not_a_player");
    }
    expect(f, JSON, "{\"name\": \"alice\"}", 403, "not_dev_mode");
    expect(f, "Authorization: Basic YTpi\r\n", NULL, 401, "unauthenticated");
    assert_non_null(strstr(f->asked.text, "WWW-Authenticate: Bearer\r\n"));
    expect(f, "Authorization: Bearer\r\n", NULL, 401, "unauthenticated");
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
    served_authorize("a key that nobody here has known", "7", 60, SERVED_WORLD, stranger);
    served_authorize(SERVED_SECRET, "7", -60, SERVED_WORLD, expired);
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

static void test_front_does_not_open_without_its_keys(void **state) {
    struct served *f = *state;
    char error[512], path[128];
    struct front *front;
    const struct front_config config = served_config(f);
    front_fixture_write(&f->front_fixture, "b.key", "short", 5);
    assert_int_equal(front_open(&front, &config, error, sizeof error), MARCH_ERR_INVALID);
    snprintf(path, sizeof path, "%s/b.key: ", f->front_fixture.run_dir);
    assert_non_null(strstr(error, path));
    front_close(front);
}

static void test_front_has_files_for_all_its_connections(void **state) {
    (void)state;
    struct rlimit before, limit;
    void *served;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    served_open_dev(&served);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur > FRONT_CONNECTIONS_MAX || limit.rlim_cur == limit.rlim_max);
    served_close(&served);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void) {
#define dev(name)  cmocka_unit_test_setup_teardown(name, served_open_dev, served_close)
#define hmac(name) cmocka_unit_test_setup_teardown(name, served_open_hmac, served_close)
    const struct CMUnitTest tests[] = {
        dev(test_front_name_gets_a_connect_token),
        cmocka_unit_test(test_front_name_is_always_the_same_player),
        dev(test_front_bad_requests_are_told_apart),
        dev(test_front_names_what_it_does_not_know),
        dev(test_front_says_what_was_expected),
        dev(test_front_player_who_asks_too_often_is_told_when_to_come_back),
        dev(test_front_says_why_nobody_comes_in),
        dev(test_front_sends_to_the_least_loaded_gateway_and_back_to_it),
        hmac(test_front_token_lets_its_subject_in),
        hmac(test_front_tokens_that_are_wrong_are_refused),
        hmac(test_nothing_is_done_without_a_good_token),
        hmac(test_front_does_not_open_without_its_keys),
        cmocka_unit_test(test_front_has_files_for_all_its_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
