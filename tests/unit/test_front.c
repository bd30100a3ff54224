/* test_front.c: the front door over real sockets: who is let in, and what is said to the others. */
#include <ev.h>
#include <jansson.h>
#include <poll.h>

#include "matchmaker/front.h"
#include "matchmaker/pace.h"
#include "tests/unit/front_fixture.h"
#include "tests/unit/http_ask.h"

#define PATIENCE_MS 20000
#define JSON        "Content-Type: application/json\r\n"
#define SECRET      "thirty-two bytes to sign with..."

static const char DEV[] = "matchmaker: {name: m, front: {address: \"127.0.0.1:0\", auth: dev}}\n";
static const char HMAC[] =
    "matchmaker: {name: m, front: {address: \"127.0.0.1:0\", auth: hmac, keys: [a.key, b.key], audience: world}}\n";

struct fixture {
    struct front_fixture front_fixture;
    struct ev_loop *loop;
    struct health health;
    struct front *front;
    struct http_asked asked;
    json_t *json; /* of the last answer; NULL when it was none */
};

static int open_fixture(void **state, const char *matchmaker) {
    struct fixture *f = calloc(1, sizeof *f);
    char error[512];
    *state = f;
    front_fixture_open(&f->front_fixture, matchmaker);
    front_fixture_write(&f->front_fixture, "a.key", "another key of thirty-two bytes.", 32);
    front_fixture_write(&f->front_fixture, "b.key", SECRET, 32);
    f->loop = ev_loop_new(EVFLAG_AUTO);
    health_init(&f->health, mono_now());
    const struct front_config config = {.loop = f->loop,
                                        .config_path = f->front_fixture.config_path,
                                        .config = f->front_fixture.config,
                                        .run_dir = f->front_fixture.run_dir,
                                        .health = &f->health,
                                        .atlas = f->front_fixture.atlas};
    if (front_open(&f->front, &config, error, sizeof error) != 0) fail_msg("%s", error);
    return 0;
}

static int open_dev(void **state) {
    return open_fixture(state, DEV);
}

static int open_hmac(void **state) {
    return open_fixture(state, HMAC);
}

static int close_fixture(void **state) {
    struct fixture *f = *state;
    json_decref(f->json);
    front_close(f->front);
    ev_loop_destroy(f->loop);
    front_fixture_close(&f->front_fixture);
    free(f);
    return 0;
}

/* --- asking */

static int ask(struct fixture *f, const char *headers, const char *body) {
    int fd = http_ask_method(front_address(f->front), "POST", "/v1/sessions", headers, body);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    while (poll(&readable, 1, 1) == 0) {
        assert_false(mono_reached(mono_now(), deadline));
        ev_run(f->loop, EVRUN_NOWAIT);
    }
    json_decref(f->json);
    int status = http_ask_read(fd, &f->asked);
    f->json = json_loads(f->asked.body, 0, NULL);
    return status;
}

static void expect(struct fixture *f, const char *headers, const char *body, int status, const char *code) {
    const char *got = "", *message = "";
    int answered = ask(f, headers, body);
    json_unpack(f->json, "{s:{s:s, s:s}}", "error", "code", &got, "message", &message);
    if (answered != status || strcmp(got, code) != 0)
        fail_msg("%s%s: %d %s, expected %d %s", headers ? headers : "", body ? body : "", answered, f->asked.body, status,
                 code);
    assert_true(status == 201 || message[0] != '\0');
}

static const char *player(const struct fixture *f) {
    return json_string_value(json_object_get(f->json, "player"));
}

/* --- in dev mode */

static void test_front_name_gets_a_connect_token(void **state) {
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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

static void test_front_player_who_asks_too_often_is_told_when_to_come_back(void **state) {
    struct fixture *f = *state;
    int status = 201;
    for (int i = 0; i < 10 * PACE_BURST && status == 201; i++) status = ask(f, JSON, "{\"name\": \"hasty\"}");
    assert_int_equal(status, 429);
    assert_non_null(strstr(f->asked.text, "Retry-After: 1\r\n"));
    expect(f, JSON, "{\"name\": \"patient\"}", 201, "");
}

static void test_front_says_why_nobody_comes_in(void **state) {
    struct fixture *f = *state;
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

/* --- with tokens */

static size_t append_base64(char *out, size_t size, const void *bytes, size_t len) {
    sodium_bin2base64(out, size, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return strlen(out);
}

/* sign makes a token that expires after `ttl_s`; `more` is put behind its other claims. */
static void sign(const char *key, const char *subject, int ttl_s, const char *more, char token[1024]) {
    static const char header[] = "{\"alg\":\"HS256\"}";
    char claims[512];
    uint8_t signature[crypto_auth_hmacsha256_BYTES];
    snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":%lld%s}", subject, (long long)wall_now_s() + ttl_s, more);
    size_t len = append_base64(token, 1024, header, strlen(header));
    token[len++] = '.';
    len += append_base64(token + len, 1024 - len, claims, strlen(claims));
    crypto_auth_hmacsha256(signature, (uint8_t *)token, len, (const uint8_t *)key);
    token[len++] = '.';
    append_base64(token + len, 1024 - len, signature, sizeof signature);
}

#define WORLD ",\"aud\":\"world\""

static void expect_token(struct fixture *f, const char *token, int status, const char *code) {
    char headers[2048], body[2048];
    snprintf(headers, sizeof headers, "Authorization: bearer %s\r\n", token);
    snprintf(body, sizeof body, "{\"token\": \"%s\"}", token);
    expect(f, headers, NULL, status, code);
    expect(f, JSON, body, status, code);
    snprintf(headers, sizeof headers, JSON "Authorization: Bearer %s\r\n", token);
    expect(f, headers, body, 400, "bad_request"); /* one will do */
}

static void test_front_token_lets_its_subject_in(void **state) {
    struct fixture *f = *state;
    char token[1024];
    sign(SECRET, "9223372036854775807", 60, WORLD, token);
    expect_token(f, token, 201, "");
    sign("another key of thirty-two bytes.", "7", 60, WORLD, token);
    expect(f, JSON "Authorization: Bearer x\r\n", "{\"region\": \"east\"}", 401, "bad_token");
    char headers[2048];
    snprintf(headers, sizeof headers, JSON "Authorization: Bearer %s\r\n", token);
    expect(f, headers, "{\"region\": \"east\"}", 201, "");
    assert_string_equal(player(f), "7");
    assert_string_equal(json_string_value(json_array_get(json_object_get(f->json, "gateways"), 0)), "127.0.0.1:4001");
}

static void test_front_tokens_that_are_wrong_are_refused(void **state) {
    struct fixture *f = *state;
    char token[1024];
    sign("a key that nobody here has known", "7", 60, WORLD, token);
    expect_token(f, token, 401, "bad_token");
    assert_non_null(strstr(f->asked.text, "HTTP/1.1 400"));
    sign(SECRET, "7", -60, WORLD, token);
    expect_token(f, token, 401, "expired_token");
    sign(SECRET, "7", 60, "", token);
    expect_token(f, token, 401, "bad_token");
    sign(SECRET, "7", 60, ",\"aud\":\"elsewhere\"", token);
    expect_token(f, token, 401, "bad_token");
    static const char *const subjects[] = {"0",   "07", "-7", "+7", " 7", "7 ", "", "alice", "9223372036854775808",
                                           "1e3", "0x7"};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        sign(SECRET, subjects[i], 60, WORLD, token);
        expect_token(f, token, 403, "not_a_player");
    }
    expect(f, JSON, "{\"name\": \"alice\"}", 403, "not_dev_mode");
    expect(f, "Authorization: Basic YTpi\r\n", NULL, 401, "unauthenticated");
    assert_non_null(strstr(f->asked.text, "WWW-Authenticate: Bearer\r\n"));
    expect(f, "Authorization: Bearer\r\n", NULL, 401, "unauthenticated");
}

static void test_front_does_not_open_without_its_keys(void **state) {
    struct fixture *f = *state;
    char error[512], path[128];
    struct front *front;
    const struct front_config config = {.loop = f->loop,
                                        .config_path = f->front_fixture.config_path,
                                        .config = f->front_fixture.config,
                                        .run_dir = f->front_fixture.run_dir,
                                        .health = &f->health,
                                        .atlas = f->front_fixture.atlas};
    front_fixture_write(&f->front_fixture, "b.key", "short", 5);
    assert_int_equal(front_open(&front, &config, error, sizeof error), MARCH_ERR_INVALID);
    snprintf(path, sizeof path, "%s/b.key: ", f->front_fixture.run_dir);
    assert_non_null(strstr(error, path));
    front_close(front);
}

int main(void) {
#define dev(name)  cmocka_unit_test_setup_teardown(name, open_dev, close_fixture)
#define hmac(name) cmocka_unit_test_setup_teardown(name, open_hmac, close_fixture)
    const struct CMUnitTest tests[] = {
        dev(test_front_name_gets_a_connect_token),
        cmocka_unit_test(test_front_name_is_always_the_same_player),
        dev(test_front_bad_requests_are_told_apart),
        dev(test_front_player_who_asks_too_often_is_told_when_to_come_back),
        dev(test_front_says_why_nobody_comes_in),
        hmac(test_front_token_lets_its_subject_in),
        hmac(test_front_tokens_that_are_wrong_are_refused),
        hmac(test_front_does_not_open_without_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
