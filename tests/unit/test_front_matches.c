/* test_front_matches.c: matches, boards and modes over HTTP. */
#include "tests/unit/front_served.h"

#define JSON SERVED_JSON

/* --- matches */

static void test_match_runs_and_becomes_a_result(void **state) {
    struct served *s = *state;
    uint32_t id = served_match(s, "a", "b");
    served_await_match(s, id, "running");
    json_t *player = json_array_get(json_object_get(s->json, "players"), 1);
    assert_true(json_is_true(json_object_get(player, "present")));
    served_expect(s, "POST", "/v1/tickets", JSON, "{\"name\": \"a\", \"mode\": \"duel\"}", 409, "in_a_match");
    front_hall_finish(&s->hall, id);
    served_await_match(s, id, "settled");
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

/* expect_none: a name has nothing, and may queue. */
static void expect_none(struct served *s, const char *name) {
    served_expect(s, "GET", served_ticket_path("current?name=", name), NULL, NULL, 404, "not_found");
}

static void test_match_is_current_until_one_may_queue_again(void **state) {
    struct served *s = *state;
    uint32_t id = served_match(s, "a", "b");
    char match[24], ticket[24];
    snprintf(match, sizeof match, "%" PRIu32, id);
    served_await_match(s, id, "running");
    assert_string_equal(served_state(s, "a", "current"), "matched");
    assert_string_equal(served_text(s, "match"), match);
    assert_string_equal(served_text(s, "match_state"), "running");
    assert_string_equal(served_text(s, "template"), "hall");
    assert_string_equal(served_text(s, "mode"), "duel");
    snprintf(ticket, sizeof ticket, "%s", served_text(s, "ticket"));
    assert_string_equal(served_state(s, "a", ticket), "matched"); /* the same by its number */
    served_expect(s, "DELETE", "/v1/tickets/current?name=a", NULL, NULL, 404, "not_found");
    expect_none(s, "c");
    front_hall_finish(&s->hall, id);
    served_await_match(s, id, "settled");
    expect_none(s, "a");
    assert_string_equal(served_state(s, "a", ticket), "matched");
    assert_string_equal(served_text(s, "match_state"), ""); /* its result can be asked for */
    served_enter(s, "a", "duel", ticket);
    assert_string_equal(served_state(s, "a", "current"), "waiting");
}

static void test_match_without_a_ticket_is_current_as_well(void **state) {
    struct served *s = *state;
    char body[128], id[24];
    snprintf(body, sizeof body, "{\"name\": \"gm\", \"template\": \"hall\", \"players\": [\"%" PRIu64 "\"]}",
             front_player_of("a"));
    served_expect(s, "POST", "/v1/instances", JSON, body, 201, "");
    snprintf(id, sizeof id, "%s", served_text(s, "match"));
    assert_string_equal(served_state(s, "a", "current"), "matched");
    assert_string_equal(served_text(s, "match"), id);
    assert_string_equal(served_text(s, "template"), "hall");
    assert_null(json_object_get(s->json, "ticket"));
    json_t *player = json_array_get(json_object_get(s->json, "players"), 0);
    assert_int_equal(json_integer_value(json_object_get(player, "team")), 0);
    expect_none(s, "gm");
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
    int fds[2] = {served_hold(s, "GET", "/v1/matches/77?name=a", NULL),
                  served_hold(s, "GET", "/v1/matches/77?name=b", NULL)};
    served_pass(s, 3);
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
    static const char *const wrong[] = {"limit=0",           "limit=101",  "limit=x", "season=0",
                                        "season=4294967296", "colour=red", "name=a",  "limit=2&mode=duel"};
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
    int fd = served_hold(s, "GET", "/v1/leaderboards/duel", NULL);
    s->hall.is_held = false;
    assert_int_equal(served_read(s, fd), 200);
    s->hall.is_held = true;
    fd = served_hold(s, "GET", "/v1/leaderboards/duel", NULL);
    served_pass(s, 3);
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

int main(void) {
#define dev(name) cmocka_unit_test_setup_teardown(name, served_open_dev, served_close)
    const struct CMUnitTest tests[] = {
        dev(test_match_runs_and_becomes_a_result),
        dev(test_match_is_current_until_one_may_queue_again),
        dev(test_match_without_a_ticket_is_current_as_well),
        dev(test_match_that_there_is_not),
        dev(test_board_is_paged),
        dev(test_board_is_waited_for),
        dev(test_modes_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
