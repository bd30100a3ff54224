/* test_front_instances.c: instances over HTTP: launched and ended by those who may. */
#include "tests/unit/front_served.h"

#define JSON SERVED_JSON

/* --- launched */

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
    served_await_match(s, id, "running");
    served_expect(s, "POST", "/v1/instances", JSON, "{\"name\": \"gm\", \"template\": \"hall\", \"players\": [\"8\"]}", 409,
                  "in_a_match");
    snprintf(path, sizeof path, "/v1/instances/%" PRIu32 "?name=gm", id);
    served_expect(s, "DELETE", path, NULL, NULL, 200, "");
    served_expect(s, "DELETE", path, NULL, NULL, 404, "not_found");
    served_await_match(s, id, "settled");
    assert_string_equal(served_text(s, "end"), "ordered");
    served_expect(s, "DELETE", "/v1/instances/x?name=gm", NULL, NULL, 404, "not_found");
    served_expect(s, "DELETE", "/v1/instances/4294967297?name=gm", NULL, NULL, 404, "not_found");
}

static void test_instance_is_launched_for_a_party_and_a_region(void **state) {
    struct served *s = *state;
    struct instance_view view;
    assert_int_equal(desk_party(s->hall.desk, 8, WIRE_PARTY_INVITE, 7, mono_now()), WIRE_REASON_NONE);
    assert_int_equal(desk_party(s->hall.desk, 7, WIRE_PARTY_JOIN, 8, mono_now()), WIRE_REASON_NONE);
    served_expect(s, "POST", "/v1/instances", JSON,
                  "{\"name\": \"gm\", \"template\": \"hall\", \"party\": \"7\", \"region\": \"east\"}", 201, "");
    assert_true(instances_view(s->hall.instances, (uint32_t)strtoul(served_text(s, "match"), NULL, 10), &view));
    assert_int_equal(view.member_count, 2);
    assert_true(view.members[0].player == 8 && view.members[1].player == 7);
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
        {", \"template\": \"hall\", \"party\": 7", 400, "bad_request"},
        {", \"template\": \"hall\", \"party\": \"ann\"", 400, "bad_request"},
        {", \"template\": \"hall\", \"party\": \"7\", \"players\": [\"7\"]", 400, "bad_request"},
        {", \"template\": \"hall\", \"party\": \"7\"", 404, "no_party"},
        {", \"template\": \"hall\", \"region\": 1", 400, "bad_request"},
        {", \"template\": \"hall\", \"region\": \"west\"", 400, "unknown_region"},
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

static void test_instance_is_launched_and_ended_once_that_would_survive(void **state) {
    struct served *s = *state;
    char path[64];
    served_expect_kept(s, "POST", "/v1/instances", "{\"name\": \"gm\", \"template\": \"hall\", \"players\": [\"7\"]}", 201);
    uint32_t id = (uint32_t)strtoul(served_text(s, "match"), NULL, 10);
    snprintf(path, sizeof path, "/v1/instances/%" PRIu32 "?name=gm", id);
    served_await_match(s, id, "running");
    served_expect_kept(s, "DELETE", path, NULL, 200);
    assert_string_equal(served_text(s, "state"), "over");
    served_await_match(s, id, "settled");
}

static void test_instance_that_is_refused_is_not_launched(void **state) {
    struct served *s = *state;
    static const char body[] = "{\"name\": \"gm\", \"template\": \"hall\", \"players\": [\"7\"]}";
    served_expect_late(s, "POST", "/v1/instances", body);
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    for (; instances_count(s->hall.instances) > 0; served_turn(s)) assert_false(mono_reached(mono_now(), deadline));
    assert_int_equal(s->hall.run_count, 0); /* no zone has heard of it */
    served_expect(s, "POST", "/v1/instances", JSON, body, 201, "");
    char path[64];
    snprintf(path, sizeof path, "/v1/instances/%s?name=gm", served_text(s, "match"));
    served_expect_late(s, "DELETE", path, NULL);
}

/* --- with tokens */

static void test_instances_are_for_those_whose_scope_says_so(void **state) {
    struct served *s = *state;
    static const char body[] = "{\"template\": \"hall\"}";
    static const char *const scopes[] = {"", ",\"scope\":\"\"", ",\"scope\":\"instance\"", ",\"scope\":\"instances2 play\""};
    char headers[2048], claims[128];
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        snprintf(claims, sizeof claims, SERVED_WORLD "%s", scopes[i]);
        served_authorize(SERVED_SECRET, "7", 60, claims, headers);
        served_expect(s, "POST", "/v1/instances", headers, body, 403, "not_allowed");
        served_expect(s, "DELETE", "/v1/instances/1", headers, NULL, 403, "not_allowed");
    }
    served_authorize(SERVED_SECRET, "8", 60, SERVED_WORLD ",\"scope\":\"play instances\"", headers);
    served_expect(s, "POST", "/v1/instances", headers, body, 201, "");
    served_expect(s, "DELETE", "/v1/instances/1", headers, NULL, 200, "");
    served_authorize("a key that nobody here has known", "8", 60, SERVED_WORLD ",\"scope\":\"instances\"", headers);
    served_expect(s, "POST", "/v1/instances", headers, body, 401, "bad_token");
    served_authorize(SERVED_SECRET, "8", -60, SERVED_WORLD ",\"scope\":\"instances\"", headers);
    served_expect(s, "POST", "/v1/instances", headers, body, 401, "expired_token");
}

int main(void) {
#define dev(name)  cmocka_unit_test_setup_teardown(name, served_open_dev, served_close)
#define hmac(name) cmocka_unit_test_setup_teardown(name, served_open_hmac, served_close)
    const struct CMUnitTest tests[] = {
        dev(test_instance_is_launched_and_ended),
        dev(test_instance_is_launched_for_a_party_and_a_region),
        dev(test_instance_bodies_that_are_wrong_are_told_apart),
        dev(test_instance_keys_may_be_anything),
        dev(test_instance_is_launched_and_ended_once_that_would_survive),
        dev(test_instance_that_is_refused_is_not_launched),
        dev(test_instances_are_no_more_than_there_are_places),
        hmac(test_instances_are_for_those_whose_scope_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
