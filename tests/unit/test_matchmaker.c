/* test_matchmaker.c: a whole matchmaker over real edges and HTTP, with zones, gateways and persists that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <jansson.h>
#include <poll.h>
#include <sys/stat.h>

#include "matchmaker/matchmaker.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/http_ask.h"

#define ZONES    3 /* the last is a spare */
#define GATEWAYS 2
#define PERSISTS 2
#define WAIT_MS  20000

static const char TEXT[] =
    "cluster: {protocol_id: 1}\n"
    "gateways: [{name: gateway-0, listen: [\"127.0.0.1:0\"]}, {name: gateway-1, listen: [\"127.0.0.1:0\"]}]\n"
    "zones:\n"
    "  - {name: zone-0, rect: {x_m: 0, y_m: 0, width_m: 512, height_m: 512}}\n"
    "  - {name: zone-1, rect: {x_m: 512, y_m: 0, width_m: 512, height_m: 512}}\n"
    "  - {name: zone-2}\n"
    "persists: [{name: persist-0}, {name: persist-1}]\n"
    "matchmaker: {name: matchmaker-0, reconnect_ms: 300, silence_ms: 5000}\n";

struct cluster {
    char run_dir[64];
    struct config *config;
    struct launch launch;
    struct matchmaker *matchmaker;
    uint64_t incarnations;
    struct fake_peer zones[ZONES], gateways[GATEWAYS], persists[PERSISTS];
};

static void open_matchmaker(struct cluster *c) {
    char error[MATCHMAKER_ERROR_SIZE];
    if (matchmaker_open(&c->matchmaker, &c->launch, c->config, error, sizeof error) != 0) fail_msg("%s", error);
}

static void start(struct cluster *c, enum wire_role role, uint32_t index) {
    struct fake_peer *peer = role == WIRE_ROLE_ZONE      ? &c->zones[index]
                             : role == WIRE_ROLE_GATEWAY ? &c->gateways[index]
                                                         : &c->persists[index];
    fake_peer_close(peer);
    fake_peer_open(peer, c->config, c->run_dir, role, index, 1000 + ++c->incarnations);
}

static int setup(void **state) {
    struct cluster *c = calloc(1, sizeof *c);
    char error[CONFIG_ERROR_SIZE], path[80];
    *state = c;
    snprintf(c->run_dir, sizeof c->run_dir, "/tmp/march-mm-XXXXXX");
    if (!mkdtemp(c->run_dir)) return -1;
    snprintf(path, sizeof path, "%s/ipc", c->run_dir);
    mkdir(path, 0700);
    if (config_parse("test.yaml", TEXT, strlen(TEXT), &c->config, error, sizeof error) != 0) fail_msg("%s", error);
    c->launch = (struct launch){.name = "matchmaker-0", .run_dir = c->run_dir, .cpu = CONFIG_CPU_NONE};
    open_matchmaker(c);
    for (uint32_t i = 0; i < PERSISTS; i++) start(c, WIRE_ROLE_PERSIST, i);
    for (uint32_t i = 0; i < GATEWAYS; i++) start(c, WIRE_ROLE_GATEWAY, i);
    for (uint32_t i = 0; i < ZONES; i++) start(c, WIRE_ROLE_ZONE, i);
    return 0;
}

static int forget(const char *path, const struct stat *stat, int flag, struct FTW *ftw) {
    (void)stat, (void)flag, (void)ftw;
    return remove(path);
}

static int teardown(void **state) {
    struct cluster *c = *state;
    for (uint32_t i = 0; i < ZONES; i++) fake_peer_close(&c->zones[i]);
    for (uint32_t i = 0; i < GATEWAYS; i++) fake_peer_close(&c->gateways[i]);
    for (uint32_t i = 0; i < PERSISTS; i++) fake_peer_close(&c->persists[i]);
    matchmaker_close(c->matchmaker);
    config_free(c->config);
    nftw(c->run_dir, forget, 8, FTW_DEPTH | FTW_PHYS);
    free(c);
    return 0;
}

/* --- running it all on one thread */

static void turn(struct cluster *c) {
    if (c->matchmaker) matchmaker_turn(c->matchmaker);
    for (uint32_t i = 0; i < ZONES; i++) fake_peer_update(&c->zones[i]);
    for (uint32_t i = 0; i < GATEWAYS; i++) fake_peer_update(&c->gateways[i]);
    for (uint32_t i = 0; i < PERSISTS; i++) fake_peer_update(&c->persists[i]);
    poll(NULL, 0, 1);
}

/* until runs until something is so. */
#define until(c, condition)                                                                                                 \
    do {                                                                                                                    \
        struct mono deadline_ = mono_add_ms(mono_now(), WAIT_MS);                                                           \
        while (!(condition)) {                                                                                              \
            turn(c);                                                                                                        \
            if (mono_reached(mono_now(), deadline_)) fail_msg("%s: not in time", #condition);                               \
        }                                                                                                                   \
    } while (0)

static void pass(struct cluster *c, uint64_t ms) {
    struct mono end = mono_add_ms(mono_now(), ms);
    until(c, mono_reached(mono_now(), end));
}

static json_t *ask(struct cluster *c, const char *method, const char *path, const char *body, int status) {
    struct http_asked *asked = malloc(sizeof *asked);
    int fd = http_ask_method(matchmaker_address(c->matchmaker), method, path, NULL, body);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    until(c, poll(&readable, 1, 0) == 1);
    int got = http_ask_read(fd, asked);
    if (got != status) fail_msg("%s %s: %d, expected %d: %s", method, path, got, status, asked->body);
    json_t *json = json_loads(asked->body, 0, NULL);
    free(asked);
    return json;
}

static void expect(struct cluster *c, const char *path, const char *body, int status, const char *code) {
    json_t *json = ask(c, "PUT", path, body, status);
    const char *got = NULL;
    assert_non_null(json);
    if (code) {
        assert_int_equal(json_unpack(json, "{s:{s:s}}", "error", "code", &got), 0);
        assert_string_equal(got, code);
    } else {
        assert_true(json_is_true(json_object_get(json, "done")));
    }
    json_decref(json);
}

static uint32_t owner(const struct fake_peer *p, uint32_t id) {
    const struct wire_directory_partition *partition = directory_find(&p->held, id);
    return partition ? partition->owner : WIRE_SLOT_NONE;
}

static uint32_t former(const struct fake_peer *p, uint32_t id) {
    const struct wire_directory_partition *partition = directory_find(&p->held, id);
    return partition ? partition->former : WIRE_SLOT_NONE;
}

static void begin(struct cluster *c) {
    until(c, owner(&c->gateways[0], 1) == 1 && owner(&c->gateways[1], 1) == 1 && owner(&c->zones[2], 1) == 1 &&
                 c->gateways[0].held.gateways[1].state == WIRE_GATEWAY_UP);
}

/* --- tests */

static void test_matchmaker_tells_everybody_the_directory(void **state) {
    struct cluster *c = *state;
    begin(c);
    json_t *json = ask(c, "GET", "/directory", NULL, 200);
    assert_true((uint64_t)json_integer_value(json_object_get(json, "version")) ==
                matchmaker_atlas(c->matchmaker)->told.version);
    assert_int_equal(json_array_size(json_object_get(json, "partitions")), 2);
    json_decref(json);
    json = ask(c, "GET", "/status?t=123&%zz", NULL, 200); /* as with every process */
    const char *name, *status, *owner_name;
    int ready;
    json_t *workers, *partitions;
    assert_int_equal(json_unpack(json, "{s:s, s:b, s:o, s:o}", "state", &status, "ready", &ready, "workers", &workers,
                                 "partitions", &partitions),
                     0);
    assert_string_equal(status, "running");
    assert_true(ready);
    assert_int_equal(json_unpack(json_array_get(workers, 2), "{s:s, s:s}", "name", &name, "state", &status), 0);
    assert_string_equal(name, "zone-2");
    assert_string_equal(status, "spare");
    assert_int_equal(json_unpack(json_array_get(partitions, 1), "{s:s, s:n}", "owner", &owner_name, "former"), 0);
    assert_string_equal(owner_name, "zone-1");
    json_decref(json);
}

static void test_matchmaker_files_and_metrics_are_there(void **state) {
    struct cluster *c = *state;
    char path[96];
    begin(c);
    snprintf(path, sizeof path, "%s/matchmaker-0.http", c->run_dir);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(path, sizeof path, "%s/matchmaker-0.pid", c->run_dir);
    assert_int_equal(access(path, R_OK), 0);
    pass(c, 600); /* until it was mirrored */
    struct http_asked *asked = malloc(sizeof *asked);
    assert_int_equal(http_ask_read(http_ask_method(matchmaker_address(c->matchmaker), "GET", "/metrics", NULL, NULL), asked),
                     200);
    assert_non_null(strstr(asked->body, "march_matchmaker_workers{state=\"active\"} 2"));
    assert_non_null(strstr(asked->body, "march_matchmaker_ready 1"));
    assert_non_null(strstr(asked->body, "march_matchmaker_connected{role=\"persist\"} 2"));
    assert_int_equal(http_ask_read(http_ask_method(matchmaker_address(c->matchmaker), "GET", "/ready", NULL, NULL), asked),
                     200);
    free(asked);
}

static void test_matchmaker_fences_a_dead_zone_before_a_spare_takes_over(void **state) {
    struct cluster *c = *state;
    begin(c);
    uint64_t dead = c->zones[0].link.config.hello.incarnation;
    c->persists[1].fence_result = WIRE_FENCE_UNAVAILABLE;
    fake_peer_close(&c->zones[0]);
    until(c, c->persists[0].fences == 1 && c->persists[1].fences > 3);
    assert_true(c->persists[1].fence.incarnation == dead && c->persists[1].fence.slot == 0);
    assert_int_equal(owner(&c->zones[1], 0), WIRE_SLOT_NONE);
    assert_false(directory_hears(&c->zones[1].held, 0, dead));
    c->persists[1].fence_result = WIRE_FENCE_DONE;
    until(c, owner(&c->zones[1], 0) == 2 && owner(&c->zones[2], 0) == 2);
    assert_int_equal(c->persists[0].fences, 1);
}

static void test_matchmaker_fences_by_a_persist_that_comes_late(void **state) {
    struct cluster *c = *state;
    begin(c);
    fake_peer_close(&c->persists[0]);
    pass(c, 100);
    fake_peer_close(&c->zones[1]);
    until(c, c->persists[1].fences == 1);
    pass(c, 500);
    assert_int_equal(owner(&c->zones[0], 1), WIRE_SLOT_NONE);
    start(c, WIRE_ROLE_PERSIST, 0);
    until(c, owner(&c->zones[0], 1) == 2);
}

static void test_matchmaker_that_is_restarted_goes_on(void **state) {
    struct cluster *c = *state;
    begin(c);
    expect(c, "/v1/drain/zone-0", "on", 200, NULL);
    c->zones[0].holds[0] = (struct wire_hold){.partition = 0, .players = 3};
    c->zones[0].report.hold_count = 1;
    until(c, owner(&c->gateways[0], 0) == 2 && owner(&c->zones[0], 0) == 2 && owner(&c->zones[2], 0) == 2);
    uint64_t version = matchmaker_atlas(c->matchmaker)->told.version;
    matchmaker_close(c->matchmaker);
    c->matchmaker = NULL;
    pass(c, 200);
    open_matchmaker(c);
    until(c, matchmaker_atlas(c->matchmaker)->phase == ATLAS_RUNNING);
    pass(c, 1000);
    assert_true(matchmaker_atlas(c->matchmaker)->told.version >= version);
    assert_int_equal(owner(&c->gateways[0], 0), 2);
    assert_int_equal(former(&c->gateways[0], 0), 0);
    c->zones[0].report.hold_count = 0;
    until(c, former(&c->gateways[0], 0) == WIRE_SLOT_NONE);
}

static void test_matchmaker_drains_and_undrains_by_http(void **state) {
    struct cluster *c = *state;
    begin(c);
    c->zones[1].report.players = 40;
    c->zones[1].holds[0] = (struct wire_hold){.partition = 1, .players = 40, .in_flight = 2};
    c->zones[1].report.hold_count = 1;
    pass(c, 200);
    expect(c, "/v1/drain/zone-1", "on", 200, NULL);
    until(c, owner(&c->zones[0], 1) == 2);
    json_t *json = ask(c, "GET", "/status", NULL, 200);
    int players, in_flight, from;
    double since_s;
    assert_int_equal(json_unpack(json_array_get(json_object_get(json, "workers"), 1), "{s:{s:i, s:i}, s:{s:i, s:f}}", "left",
                                 "players", &players, "in_flight", &in_flight, "drain", "from", &from, "since_s", &since_s),
                     0);
    assert_true(players == 40 && in_flight == 2 && from == 40);
    json_decref(json);
    expect(c, "/v1/drain/zone-0", "on", 409, "no_spare");
    expect(c, "/v1/drain/zone-1", "off", 200, NULL);
    until(c, owner(&c->zones[0], 1) == 1 && former(&c->zones[0], 1) == WIRE_SLOT_NONE);
    expect(c, "/v1/drain/zone-1", "off", 409, "not_draining");
    expect(c, "/v1/drain/gateway-1", "on", 200, NULL);
    until(c, c->gateways[1].held.gateways[1].state == WIRE_GATEWAY_DRAINING);
    expect(c, "/v1/drain/gateway-0", "on", 409, "last_gateway");
    expect(c, "/v1/drain/gateway-1", "off", 200, NULL);
    until(c, c->gateways[1].held.gateways[1].state == WIRE_GATEWAY_UP);
}

static void test_matchmaker_splits_and_merges_by_http(void **state) {
    struct cluster *c = *state;
    begin(c);
    pass(c, 200); /* until everybody has said that he knows the version */
    expect(c, "/v1/split/zone-0", "", 200, NULL);
    until(c, owner(&c->zones[1], 2) == 2 && former(&c->zones[1], 2) == WIRE_SLOT_NONE);
    assert_int_equal(c->zones[1].held.partition_count, 3);
    expect(c, "/v1/split/1", "", 409, "no_spare");
    expect(c, "/v1/merge/0/1", "", 409, "apart");
    expect(c, "/v1/merge/zone-0/2", "", 200, NULL);
    until(c, c->zones[1].held.partition_count == 2);
}

static void test_matchmaker_refuses_what_makes_no_sense(void **state) {
    struct cluster *c = *state;
    expect(c, "/v1/drain/zone-0", "on", 503, "starting");
    begin(c);
    static const struct {
        const char *path, *body;
        int status;
        const char *code;
    } table[] = {
        {"/v1/drain/zone-9", "on", 404, "not_found"},
        {"/v1/drain/zone-0", "maybe", 400, "bad_request"},
        {"/v1/drain/zone-0", "", 400, "bad_request"},
        {"/v1/split/zone-2", "", 409, "owns_nothing"},
        {"/v1/split/77", "", 404, "not_found"},
        {"/v1/split/4294967295", "", 404, "not_found"},
        {"/v1/split/1x", "", 404, "not_found"},
        {"/v1/merge/0/0", "", 409, "same"},
        {"/v1/merge/zone-0/zone-9", "", 404, "not_found"},
        {"/v1/merge/0", "", 404, "not_found"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        expect(c, table[i].path, table[i].body, table[i].status, table[i].code);
    json_decref(ask(c, "GET", "/v1/drain/zone-0", NULL, 405));
}

int main(void) {
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(test_matchmaker_tells_everybody_the_directory),
        test(test_matchmaker_files_and_metrics_are_there),
        test(test_matchmaker_fences_a_dead_zone_before_a_spare_takes_over),
        test(test_matchmaker_fences_by_a_persist_that_comes_late),
        test(test_matchmaker_that_is_restarted_goes_on),
        test(test_matchmaker_drains_and_undrains_by_http),
        test(test_matchmaker_splits_and_merges_by_http),
        test(test_matchmaker_refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
