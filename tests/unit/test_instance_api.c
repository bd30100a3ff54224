/* What operators may ask of instances, over a desk and instances that are made up: they remember what they were asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "matchmaker/instance_api.h"
#include "matchmaker/keep.h"
#include "tests/unit/yaml_fixture.h"

#define NAMED ((uint64_t)1 << 62)
#define CONFIG                                                                                                              \
    "cluster: {protocol_id: 1}\ngateways: [{name: g, listen: [\"0.0.0.0:1\"]}]\n"                                           \
    "zones: [{name: zone-0, rect: {x_m: 0, y_m: 0, width_m: 1, height_m: 1}}]\n"
#define TEMPLATE "{name: cave, side_m: 32, capacity: 3, ends: [empty], waves: [{creatures: 4}], win: {gold: 5}}"

struct desk {
    int result; /* of a launch */
    struct template launched;
    uint64_t players[TEMPLATE_CAPACITY_MAX];
    uint32_t player_count;
    struct desk_party party;
    uint32_t region;
};

struct instances {
    uint32_t count; /* ids are from 1 on */
    enum instance_stage stage;
    struct template template;
    struct instance_member members[2];
    uint32_t ended;
    bool is_kept;
};

struct desk_party desk_party_of(const struct desk *desk, uint64_t player) {
    return player == desk->party.leader ? desk->party : (struct desk_party){0};
}

int desk_launch(struct desk *desk, const struct template *template, uint32_t region, const uint64_t *players, uint32_t count,
                struct mono now, uint64_t wall_ms, uint32_t *id) {
    (void)now, (void)wall_ms;
    desk->region = region;
    desk->launched = *template;
    desk->player_count = count;
    memcpy(desk->players, players, count * sizeof *players);
    *id = 2;
    return desk->result;
}

bool instances_is_kept(const struct instances *instances, uint32_t id) {
    return id == 0 || instances->is_kept;
}

uint32_t instances_count(const struct instances *instances) {
    return instances->count;
}

bool instances_view(const struct instances *instances, uint32_t id, struct instance_view *view) {
    if (id == 0 || id > instances->count) return false;
    *view = (struct instance_view){.id = id,
                                   .stage = instances->stage,
                                   .template = &instances->template,
                                   .cell = 7,
                                   .wave = 1,
                                   .creatures = 9,
                                   .slowed = 4,
                                   .team_count = 2,
                                   .scores = {4, 6},
                                   .member_count = 2,
                                   .members = instances->members};
    return true;
}

void instances_nth(const struct instances *instances, uint32_t n, struct instance_view *view) {
    assert_true(instances_view(instances, (n + 1) % instances->count + 1, view)); /* in no order */
}

int instances_end(struct instances *instances, uint32_t id) {
    instances->ended = id;
    return 0;
}

struct instances_stats instances_stats_get(const struct instances *instances) {
    return (struct instances_stats){.running = instances->count, .members = 2, .cells_free = 5};
}

struct fixture {
    struct ev_loop *loop;
    struct config *config;
    char folder[64];
    struct desk desk;
    struct instances instances;
    struct instance_api api;
};

static uint64_t player_of(const char *name) {
    return NAMED | (uint64_t)name[0];
}

static int agree(void *context, const struct mode_set *modes, const struct template_set *templates, char *error,
                 size_t error_size) {
    (void)context, (void)modes, (void)templates, (void)error, (void)error_size;
    return 0;
}

static void open_keep(struct fixture *f, uint32_t shards) {
    const struct keep_config config = {.shard_count = shards, .first_version = 1};
    keep_destroy(f->api.keep);
    assert_int_equal(keep_create(&f->api.keep, &config), 0);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    char error[CONFIG_ERROR_SIZE];
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/march-api-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    yaml_put(f->folder, "a.yaml", TEMPLATE);
    f->loop = ev_loop_new(EVFLAG_AUTO);
    if (config_parse("c.yaml", CONFIG, strlen(CONFIG), &f->config, error, sizeof error) != 0) fail_msg("%s", error);
    f->api =
        (struct instance_api){.config = f->config, .desk = &f->desk, .instances = &f->instances, .player_of = player_of};
    open_keep(f, 0);
    const struct library_config library = {.loop = f->loop, .modes = "", .templates = f->folder, .changed = agree};
    if (library_open(&f->api.designs, &library, error, sizeof error) != 0) fail_msg("%s", error);
    f->instances.template = *template_set_find(library_templates(f->api.designs), "cave");
    f->instances.members[0] = (struct instance_member){.player = 11, .is_present = true, .kills = 3};
    f->instances.members[1] = (struct instance_member){.player = INT64_MAX, .team = 1};
    f->instances.stage = INSTANCE_RUNNING;
    f->instances.count = 2;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    library_close(f->api.designs);
    keep_destroy(f->api.keep);
    config_free(f->config);
    ev_loop_destroy(f->loop);
    yaml_remove(f->folder);
    free(f);
    return 0;
}

/* ask finds the route and returns what it answers. */
static json_t *ask(struct fixture *f, enum http_method method, const char *pattern, const char *parameter, const char *body,
                   unsigned status) {
    struct http_request *request = calloc(1, sizeof *request);
    assert_non_null(request);
    request->parameters[0] = parameter;
    request->body_len = strlen(body);
    memcpy(request->body, body, request->body_len);
    struct instance_answer answer = {0};
    for (int i = 0; i < INSTANCE_API_ROUTES; i++)
        if (INSTANCE_ROUTES[i].method == method && strcmp(INSTANCE_ROUTES[i].pattern, pattern) == 0)
            answer = INSTANCE_ROUTES[i].answer(&f->api, request, (struct mono){0}, 1000);
    if (answer.status != status) fail_msg("%s %s: %u, expected %u", pattern, body, answer.status, status);
    assert_non_null(answer.json);
    free(request);
    return answer.json;
}

static const char *text_at(json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    assert_non_null(text);
    return text;
}

static json_int_t number_at(json_t *json, const char *key) {
    assert_true(json_is_integer(json_object_get(json, key)));
    return json_integer_value(json_object_get(json, key));
}

static json_t *launch(struct fixture *f, const char *body, unsigned status) {
    return ask(f, HTTP_POST, "/v1/instances", NULL, body, status);
}

static void test_instance_api_lists_the_newest_first(void **state) {
    struct fixture *f = *state;
    json_t *answer = ask(f, HTTP_GET, "/v1/instances", NULL, "", 200);
    json_t *list = json_object_get(answer, "instances");
    assert_int_equal(json_array_size(list), 2);
    json_t *first = json_array_get(list, 0);
    assert_string_equal(text_at(first, "match"), "2");
    assert_string_equal(text_at(first, "template"), "cave");
    assert_string_equal(text_at(first, "state"), "running");
    assert_string_equal(text_at(first, "zone"), "zone-0");
    assert_int_equal(number_at(first, "players"), 2);
    assert_int_equal(number_at(first, "present"), 1);
    assert_int_equal(number_at(answer, "left_out"), 0);
    json_decref(answer);
    f->instances.count = INSTANCE_API_LIST_MAX + 3;
    answer = ask(f, HTTP_GET, "/v1/instances", NULL, "", 200);
    list = json_object_get(answer, "instances");
    assert_int_equal(json_array_size(list), INSTANCE_API_LIST_MAX);
    assert_string_equal(text_at(json_array_get(list, INSTANCE_API_LIST_MAX - 1), "match"), "4");
    assert_int_equal(number_at(answer, "left_out"), 3);
    char *text = json_dumps(answer, JSON_COMPACT);
    assert_true(strlen(text) < HTTP_BODY_MAX);
    free(text);
    json_decref(answer);
}

static void test_instance_api_tells_one_with_its_players(void **state) {
    struct fixture *f = *state;
    json_t *answer = ask(f, HTTP_GET, "/v1/instances/{}", "1", "", 200);
    json_t *players = json_object_get(answer, "players");
    assert_int_equal(json_array_size(players), 2);
    assert_string_equal(text_at(json_array_get(players, 1), "player"), "9223372036854775807");
    assert_int_equal(number_at(answer, "cell"), 7);
    assert_int_equal(number_at(answer, "creatures"), 9);
    assert_int_equal(number_at(answer, "slowed"), 4);
    json_decref(answer);
    static const char *const unknown[] = {"3", "0", "x", "-1", "4294967297", ""};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        json_decref(ask(f, HTTP_GET, "/v1/instances/{}", unknown[i], "", 404));
}

static void test_instance_api_ends_what_is_not_over(void **state) {
    struct fixture *f = *state;
    json_decref(ask(f, HTTP_PUT, "/v1/instances/{}/end", "3", "", 404));
    f->instances.stage = INSTANCE_OVER;
    json_decref(ask(f, HTTP_PUT, "/v1/instances/{}/end", "1", "", 409));
    assert_int_equal(f->instances.ended, 0);
    f->instances.stage = INSTANCE_STARTING;
    json_t *answer = ask(f, HTTP_PUT, "/v1/instances/{}/end", "1", "", 200);
    assert_string_equal(text_at(answer, "match"), "1");
    assert_int_equal(f->instances.ended, 1);
    json_decref(answer);
}

static void test_instance_api_launches_with_what_is_set(void **state) {
    struct fixture *f = *state;
    json_t *answer = launch(f,
                            "{\"template\": \"cave\", \"players\": [\"11\", \"ann\", \"9223372036854775807\"],"
                            " \"set\": {\"win.gold\": 70, \"waves[0].creatures\": \"8\"}}",
                            201);
    assert_string_equal(text_at(answer, "match"), "2");
    assert_int_equal(f->desk.player_count, 3);
    assert_true(f->desk.players[0] == 11 && f->desk.players[1] == (NAMED | 'a') && f->desk.players[2] == INT64_MAX);
    assert_int_equal(f->desk.launched.win.gold, 70);
    assert_int_equal(f->desk.launched.waves[0].creatures, 8);
    assert_int_equal(template_set_find(library_templates(f->api.designs), "cave")->win.gold, 5);
    json_decref(answer);
}

static void test_instance_api_launches_for_a_party_and_a_region(void **state) {
    struct fixture *f = *state;
    f->desk.party = (struct desk_party){.leader = NAMED | 'b', .member_count = 2, .members = {NAMED | 'b', 12}};
    json_decref(launch(f, "{\"template\": \"cave\", \"party\": \"bob\"}", 201));
    assert_int_equal(f->desk.player_count, 2);
    assert_true(f->desk.players[0] == (NAMED | 'b') && f->desk.players[1] == 12);
    json_decref(launch(f, "{\"template\": \"cave\", \"party\": \"12\"}", 404));
    json_decref(launch(f, "{\"template\": \"cave\"}", 201));
    assert_int_equal(f->desk.player_count, 0);
    assert_int_equal(f->desk.region, INSTANCES_ANYWHERE);
    json_decref(launch(f, "{\"template\": \"cave\", \"region\": \"main\"}", 201));
    assert_int_equal(f->desk.region, 0);
}

static void test_instance_api_refuses_what_cannot_be_launched(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *body;
        unsigned status;
        const char *code, *message; /* part of it */
    } table[] = {
        {"", 400, "bad_request", "expected a JSON object"},
        {"[]", 400, "bad_request", "expected a JSON object"},
        {"{\"template\": \"cave\"", 400, "bad_request", "expected a JSON object"},
        {"{\"players\": []}", 400, "bad_request", "a template"},
        {"{\"template\": 1}", 400, "bad_request", "which are texts"},
        {"{\"template\": \"cave\", \"team\": 1}", 400, "bad_request", "which are texts"},
        {"{\"template\": \"cave\", \"players\": \"11\"}", 400, "bad_request", "which is a list"},
        {"{\"template\": \"cave\", \"players\": [11]}", 400, "bad_request", "ids as texts"},
        {"{\"template\": \"cave\", \"players\": [\"\"]}", 400, "bad_request", "ids as texts"},
        {"{\"template\": \"cave\", \"players\": [], \"party\": \"b\"}", 400, "bad_request", "not both"},
        {"{\"template\": \"cave\", \"players\": [\"1\", \"2\", \"3\", \"4\"]}", 400, "bad_request", "at most 3"},
        {"{\"template\": \"cave\", \"region\": \"moon\"}", 400, "unknown_region", "no gateway"},
        {"{\"template\": \"cave\", \"region\": 7}", 400, "bad_request", "region"},
        {"{\"template\": \"cav\"}", 404, "unknown_template", "no template"},
        {"{\"template\": \"cave\", \"set\": {\"win.silver\": 1}}", 400, "bad_request", "win.silver: unknown key"},
        {"{\"template\": \"cave\", \"set\": {\"win.gold\": \"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9"
         "\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\"
         "u00e9"
         "\\u00e9\\u00e9\\u00e9a\\u00e9\\u00e9\"}}",
         400, "bad_request", "win.gold: expected an integer from 0 to 1000000, found"},
    };
    f->desk.result = MARCH_ERR_SYSTEM; /* it is not asked */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        json_t *answer = launch(f, table[i].body, table[i].status);
        json_t *error = json_object_get(answer, "error");
        assert_string_equal(text_at(error, "code"), table[i].code);
        if (!strstr(text_at(error, "message"), table[i].message)) fail_msg("found %s", text_at(error, "message"));
        json_decref(answer);
    }
    f->api.player_of = NULL;
    json_decref(launch(f, "{\"template\": \"cave\", \"players\": [\"ann\"]}", 400));
    f->desk.result = MARCH_ERR_EXISTS;
    json_decref(launch(f, "{\"template\": \"cave\"}", 409));
    f->desk.result = MARCH_ERR_FULL;
    json_decref(launch(f, "{\"template\": \"cave\"}", 503));
    f->desk.result = MARCH_ERR_INVALID;
    json_decref(launch(f, "{\"template\": \"cave\"}", 400));
}

static void test_instance_api_knows_nothing_before_all_was_recalled(void **state) {
    struct fixture *f = *state;
    open_keep(f, 1);
    json_decref(ask(f, HTTP_GET, "/v1/instances", NULL, "", 503));
    json_decref(ask(f, HTTP_GET, "/v1/instances/{}", "1", "", 503));
    json_decref(ask(f, HTTP_PUT, "/v1/instances/{}/end", "1", "", 503));
    json_decref(launch(f, "{\"template\": \"cave\"}", 503));
    assert_int_equal(f->instances.ended, 0);
    json_decref(ask(f, HTTP_GET, "/v1/templates", NULL, "", 200));
}

static void test_instance_api_reload_tells_what_is_wrong(void **state) {
    struct fixture *f = *state;
    yaml_put(f->folder, "a.yaml", "{name: cave, side_m: 32, capacity: 4, ends: [empty]}");
    json_t *answer = ask(f, HTTP_PUT, "/v1/reload", NULL, "", 200);
    assert_int_equal(number_at(answer, "templates"), 1);
    json_decref(answer);
    answer = ask(f, HTTP_GET, "/v1/templates", NULL, "", 200);
    json_t *cave = json_array_get(json_object_get(answer, "templates"), 0);
    assert_int_equal(number_at(cave, "capacity"), 4);
    assert_int_equal(number_at(cave, "version"), 2);
    assert_string_equal(text_at(answer, "error"), "");
    json_decref(answer);
    yaml_put(f->folder, "a.yaml", "{name: cave, side_m: 32, capacity: 0, ends: [empty]}");
    answer = ask(f, HTTP_PUT, "/v1/reload", NULL, "", 409);
    assert_non_null(strstr(text_at(json_object_get(answer, "error"), "message"), "/a.yaml:1: capacity: expected"));
    json_decref(answer);
    answer = ask(f, HTTP_GET, "/v1/modes", NULL, "", 200);
    assert_non_null(strstr(text_at(answer, "error"), "/a.yaml:1: capacity: expected"));
    json_decref(answer);
    answer = instance_api_status(&f->api);
    assert_int_equal(number_at(answer, "cells_free"), 5);
    assert_int_equal(number_at(answer, "file_failures"), 1);
    json_decref(answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_instance_api_lists_the_newest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_api_tells_one_with_its_players, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_api_ends_what_is_not_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_api_launches_with_what_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_api_launches_for_a_party_and_a_region, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_api_refuses_what_cannot_be_launched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_api_knows_nothing_before_all_was_recalled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instance_api_reload_tells_what_is_wrong, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
