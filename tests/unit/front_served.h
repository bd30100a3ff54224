/* front_served.h: a front door with all that it stands before, on a loop of a test's own, and somebody who asks. */
#ifndef MARCH_TESTS_UNIT_FRONT_SERVED_H
#define MARCH_TESTS_UNIT_FRONT_SERVED_H

#include "tests/unit/front_fixture.h"

#include <ev.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>

#include "tests/unit/front_hall.h"
#include "tests/unit/http_ask.h"

#define SERVED_PATIENCE_MS 20000
#define SERVED_SECRET      "thirty-two bytes to sign with..."
#define SERVED_OTHER       "another key of thirty-two bytes."
#define SERVED_WORLD       ",\"aud\":\"world\""
#define SERVED_JSON        "Content-Type: application/json\r\n"
#define SERVED_DEV         "matchmaker: {name: m, front: {address: \"127.0.0.1:0\", auth: dev}}\n"
#define SERVED_HMAC                                                                                                         \
    "matchmaker: {name: m, front: {address: \"127.0.0.1:0\", auth: hmac, keys: [a.key, b.key], audience: world}}\n"

struct served {
    struct front_fixture front_fixture;
    struct front_hall hall;
    struct ev_loop *loop;
    struct health health;
    struct front *front;
    struct http_asked asked;
    json_t *json; /* of the last answer; NULL when it was none */
};

static inline struct front_config served_config(struct served *s) {
    return (struct front_config){.loop = s->loop,
                                 .config_path = s->front_fixture.config_path,
                                 .config = s->front_fixture.config,
                                 .run_dir = s->front_fixture.run_dir,
                                 .health = &s->health,
                                 .atlas = s->front_fixture.atlas,
                                 .desk = s->hall.desk,
                                 .instances = s->hall.instances,
                                 .keep = s->hall.keep};
}

static inline int served_open(void **state, const char *matchmaker) {
    struct served *s = calloc(1, sizeof *s);
    char error[512];
    assert_non_null(s);
    *state = s;
    front_fixture_open(&s->front_fixture, matchmaker);
    front_fixture_write(&s->front_fixture, "a.key", SERVED_OTHER, 32);
    front_fixture_write(&s->front_fixture, "b.key", SERVED_SECRET, 32);
    s->loop = ev_loop_new(EVFLAG_AUTO);
    health_init(&s->health, mono_now());
    front_hall_open(&s->hall, s->front_fixture.config);
    const struct front_config config = served_config(s);
    if (front_open(&s->front, &config, error, sizeof error) != 0) fail_msg("%s", error);
    s->hall.front = s->front;
    front_hall_turn(&s->hall, mono_now());
    assert_true(keep_is_ready(s->hall.keep));
    return 0;
}

static inline int served_open_dev(void **state) {
    return served_open(state, SERVED_DEV);
}

static inline int served_open_hmac(void **state) {
    return served_open(state, SERVED_HMAC);
}

/* served_shut closes the front door alone. */
static inline void served_shut(struct served *s) {
    front_close(s->front);
    s->front = s->hall.front = NULL;
}

static inline int served_close(void **state) {
    struct served *s = *state;
    json_decref(s->json);
    served_shut(s);
    front_hall_close(&s->hall);
    ev_loop_destroy(s->loop);
    front_fixture_close(&s->front_fixture);
    free(s);
    return 0;
}

/* --- asking */

static inline void served_turn(struct served *s) {
    ev_run(s->loop, EVRUN_NOWAIT);
    front_hall_turn(&s->hall, mono_now());
}

static inline int served_send(const struct served *s, const char *method, const char *target, const char *headers,
                              const char *body) {
    return http_ask_method(front_address(s->front), method, target, headers, body);
}

/* served_read has an answer come, and returns its status. */
static inline int served_read(struct served *s, int fd) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    while (poll(&readable, 1, 1) == 0) {
        assert_false(mono_reached(mono_now(), deadline));
        served_turn(s);
    }
    json_decref(s->json);
    int status = http_ask_read(fd, &s->asked);
    s->json = json_loads(s->asked.body, 0, NULL);
    return status;
}

static inline int served_ask(struct served *s, const char *method, const char *target, const char *headers,
                             const char *body) {
    return served_read(s, served_send(s, method, target, headers, body));
}

static inline const char *served_code(const struct served *s) {
    const char *code = "";
    json_unpack(s->json, "{s:{s:s}}", "error", "code", &code);
    return code;
}

/* served_expect asks, and looks at the status and, of an error, at its code. */
static inline void served_expect(struct served *s, const char *method, const char *target, const char *headers,
                                 const char *body, int status, const char *code) {
    const char *message = "";
    int answered = served_ask(s, method, target, headers, body);
    json_unpack(s->json, "{s:{s:s}}", "error", "message", &message);
    if (answered != status || strcmp(served_code(s), code) != 0)
        fail_msg("%s %s %s%s: %d %s, expected %d %s", method, target, headers ? headers : "", body ? body : "", answered,
                 s->asked.body, status, code);
    assert_true(status < 300 || message[0] != '\0');
}

static inline const char *served_text(const struct served *s, const char *member) {
    const char *text = json_string_value(json_object_get(s->json, member));
    return text ? text : "";
}

/* --- tokens */

static inline size_t served_base64(char *out, size_t size, const void *bytes, size_t len) {
    sodium_bin2base64(out, size, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return strlen(out);
}

/* served_sign makes a token that expires after `ttl_s`; `more` is put behind its other claims. */
static inline void served_sign(const char *key, const char *subject, int ttl_s, const char *more, char token[1024]) {
    static const char header[] = "{\"alg\":\"HS256\"}";
    char claims[512];
    uint8_t signature[crypto_auth_hmacsha256_BYTES];
    snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":%lld%s}", subject, (long long)wall_now_s() + ttl_s, more);
    size_t len = served_base64(token, 1024, header, strlen(header));
    token[len++] = '.';
    len += served_base64(token + len, 1024 - len, claims, strlen(claims));
    crypto_auth_hmacsha256(signature, (uint8_t *)token, len, (const uint8_t *)key);
    token[len++] = '.';
    served_base64(token + len, 1024 - len, signature, sizeof signature);
}

/* --- shorthands */

/* served_hold sends a request that the front door takes, and does not answer yet; returns the socket. */
static inline int served_hold(struct served *s, const char *method, const char *target, const char *body) {
    uint32_t before = front_stats_get(s->front).http.waiting;
    int fd = served_send(s, method, target, body ? SERVED_JSON : NULL, body);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    for (int turns = 0; turns < 20;) {
        assert_false(mono_reached(mono_now(), deadline));
        assert_int_equal(poll(&readable, 1, 1), 0);
        served_turn(s);
        if (front_stats_get(s->front).http.waiting > before) turns++;
    }
    return fd;
}

/* served_pass has time pass for those who wait, and for nobody else. */
static inline void served_pass(struct served *s, uint64_t seconds) {
    front_step(s->front, mono_add_ms(mono_now(), seconds * 1000));
}

/* served_expect_kept asks what is answered once it would survive: not before persist says so, with 503 where it does not. */
static inline void served_expect_kept(struct served *s, const char *method, const char *target, const char *body,
                                      int status) {
    s->hall.is_held = true;
    int fd = served_hold(s, method, target, body);
    s->hall.is_held = false;
    if (served_read(s, fd) != status) fail_msg("%s %s: %s", method, target, s->asked.text);
}

static inline void served_expect_late(struct served *s, const char *method, const char *target, const char *body) {
    s->hall.is_held = true;
    int fd = served_hold(s, method, target, body);
    served_pass(s, KEEP_PATIENCE_MS / 1000 - 1);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 50), 0);
    served_pass(s, KEEP_PATIENCE_MS / 1000);
    assert_int_equal(served_read(s, fd), 503);
    assert_string_equal(served_code(s), "unavailable");
    assert_non_null(strstr(s->asked.text, "Retry-After: 1\r\n"));
    s->hall.is_held = false;
}

/* served_enter queues a name, and tells the ticket. */
static inline void served_enter(struct served *s, const char *name, const char *mode, char ticket[24]) {
    char body[128];
    snprintf(body, sizeof body, "{\"name\": \"%s\", \"mode\": \"%s\"}", name, mode);
    served_expect(s, "POST", "/v1/tickets", SERVED_JSON, body, 201, "");
    snprintf(ticket, 24, "%s", served_text(s, "ticket"));
}

static inline const char *served_ticket_path(const char *ticket, const char *tail) {
    static char path[160];
    snprintf(path, sizeof path, "/v1/tickets/%s%s", ticket, tail);
    return path;
}

static inline const char *served_state(struct served *s, const char *name, const char *ticket) {
    char tail[64];
    snprintf(tail, sizeof tail, "?name=%s", name);
    served_expect(s, "GET", served_ticket_path(ticket, tail), NULL, NULL, 200, "");
    return served_text(s, "state");
}

/* served_match has two play a duel; returns its number. */
static inline uint32_t served_match(struct served *s, const char *a, const char *b) {
    char ticket[24];
    served_enter(s, a, "duel", ticket);
    served_enter(s, b, "duel", ticket);
    assert_string_equal(served_state(s, b, ticket), "matched");
    return (uint32_t)strtoul(served_text(s, "match"), NULL, 10);
}

/* served_await_match asks for a match until it is in a state. */
static inline void served_await_match(struct served *s, uint32_t id, const char *wanted) {
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    char path[64];
    snprintf(path, sizeof path, "/v1/matches/%" PRIu32 "?name=anybody", id);
    do {
        assert_false(mono_reached(mono_now(), deadline));
        served_expect(s, "GET", path, NULL, NULL, 200, "");
    } while (strcmp(served_text(s, "state"), wanted) != 0);
}

static inline void served_authorize(const char *key, const char *subject, int ttl_s, const char *more, char headers[2048]) {
    char token[1024];
    served_sign(key, subject, ttl_s, more, token);
    snprintf(headers, 2048, SERVED_JSON "Authorization: Bearer %s\r\n", token);
}

#endif
