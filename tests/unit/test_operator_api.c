/* test_operator_api.c: what operators do to instances over HTTP is answered once it would survive. */
#include "tests/unit/front_served.h"

#include "matchmaker/operator_api.h"
#include "matchmaker/tally.h"
#include "tests/unit/yaml_fixture.h"

#define HALL "{name: hall, side_m: 60, capacity: 4, ends: [kills, empty], kills: 3}"

struct operated {
    struct served *served; /* what it stands before; its front door is not asked */
    char folder[64];
    struct library *designs;
    struct instance_api instances;
    struct tally *tally;
    struct operator_api *api;
};

static int agree(void *context, const struct mode_set *modes, const struct template_set *templates, char *error,
                 size_t error_size) {
    (void)context, (void)modes, (void)templates, (void)error, (void)error_size;
    return 0;
}

static int setup(void **state) {
    struct operated *o = calloc(1, sizeof *o);
    char error[CONFIG_ERROR_SIZE];
    assert_non_null(o);
    void *served;
    assert_int_equal(served_open_dev(&served), 0);
    o->served = served;
    snprintf(o->folder, sizeof o->folder, "/tmp/march-operator-XXXXXX");
    assert_non_null(mkdtemp(o->folder));
    yaml_put(o->folder, "hall.yaml", HALL);
    struct served *s = o->served;
    const struct library_config library = {.loop = s->loop, .modes = "", .templates = o->folder, .changed = agree};
    if (library_open(&o->designs, &library, error, sizeof error) != 0) fail_msg("%s", error);
    o->instances = (struct instance_api){.config = s->front_fixture.config,
                                         .keep = s->hall.keep,
                                         .desk = s->hall.desk,
                                         .instances = s->hall.instances,
                                         .designs = o->designs};
    assert_non_null(o->tally = tally_create("matchmaker-0"));
    const struct operator_api_config config = {.loop = s->loop,
                                               .config = s->front_fixture.config,
                                               .metrics = tally_metrics(o->tally),
                                               .health = &s->health,
                                               .atlas = s->front_fixture.atlas,
                                               .instances = &o->instances};
    if (operator_api_open(&o->api, &config, error, sizeof error) != 0) fail_msg("%s", error);
    *state = o;
    return 0;
}

static int teardown(void **state) {
    struct operated *o = *state;
    void *served = o->served;
    operator_api_close(o->api);
    tally_destroy(o->tally);
    library_close(o->designs);
    yaml_remove(o->folder);
    served_close(&served);
    free(o);
    return 0;
}

static int send_to(const struct operated *o, const char *method, const char *target, const char *body) {
    return http_ask_method(operator_api_address(o->api), method, target, NULL, body);
}

/* turn has time pass for those who wait, too. */
static void turn(struct operated *o, uint64_t ms) {
    served_turn(o->served);
    operator_api_step(o->api, mono_add_ms(mono_now(), ms));
}

/* hold sends what is not answered for as long as persist does not say that it is kept. */
static int hold(struct operated *o, const char *method, const char *target, const char *body) {
    uint64_t before = keep_mark(o->served->hall.keep);
    o->served->hall.is_held = true;
    int fd = send_to(o, method, target, body);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    for (int turns = 0; turns < 20; turns += keep_mark(o->served->hall.keep) != before) {
        assert_false(mono_reached(mono_now(), deadline));
        assert_int_equal(poll(&readable, 1, 1), 0);
        turn(o, 0);
    }
    return fd;
}

static int read_from(struct operated *o, int fd) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    for (; poll(&readable, 1, 1) == 0; turn(o, 0)) assert_false(mono_reached(mono_now(), deadline));
    json_decref(o->served->json);
    int status = http_ask_read(fd, &o->served->asked);
    o->served->json = json_loads(o->served->asked.body, 0, NULL);
    return status;
}

static int ask(struct operated *o, const char *method, const char *target, const char *body) {
    return read_from(o, send_to(o, method, target, body));
}

static int kept(struct operated *o, const char *method, const char *target, const char *body) {
    int fd = hold(o, method, target, body);
    o->served->hall.is_held = false;
    return read_from(o, fd);
}

static void end_path(const struct operated *o, char path[64]) {
    snprintf(path, 64, "/v1/instances/%s/end", served_text(o->served, "match"));
}

static void test_operator_launches_and_ends_what_would_survive(void **state) {
    struct operated *o = *state;
    char path[64];
    assert_int_equal(kept(o, "POST", "/v1/instances", "{\"template\": \"hall\", \"players\": [\"7\"]}"), 201);
    end_path(o, path);
    assert_int_equal(kept(o, "PUT", path, ""), 200);
    assert_true(json_is_true(json_object_get(o->served->json, "done")));
    assert_int_equal(ask(o, "PUT", path, ""), 409);
}

static void test_operator_is_refused_where_it_would_not(void **state) {
    struct operated *o = *state;
    char path[64];
    int fd = hold(o, "POST", "/v1/instances", "{\"template\": \"hall\"}");
    turn(o, KEEP_PATIENCE_MS);
    assert_int_equal(read_from(o, fd), 503);
    assert_string_equal(served_code(o->served), "unavailable");
    o->served->hall.is_held = false;
    struct mono deadline = mono_add_ms(mono_now(), SERVED_PATIENCE_MS);
    for (; instances_count(o->served->hall.instances) > 0; turn(o, 0)) assert_false(mono_reached(mono_now(), deadline));
    assert_int_equal(o->served->hall.run_count, 0); /* no zone has heard of it */
    assert_int_equal(ask(o, "POST", "/v1/instances", "{\"template\": \"hall\"}"), 201);
    end_path(o, path);
    fd = hold(o, "PUT", path, "");
    turn(o, KEEP_PATIENCE_MS);
    assert_int_equal(read_from(o, fd), 503);
}

static void test_operator_who_waits_is_answered_when_it_closes(void **state) {
    struct operated *o = *state;
    int fd = hold(o, "POST", "/v1/instances", "{\"template\": \"hall\"}");
    operator_api_close(o->api);
    o->api = NULL;
    (void)http_ask_read(fd, &o->served->asked); /* it is told so, or the connection ends */
    assert_true(o->served->asked.status == 0 || o->served->asked.status == 503);
}

static void test_operator_asks_without_a_query(void **state) {
    struct operated *o = *state;
    static const char *const paths[] = {"/v1/instances?limit=1", "/directory?x", "/v1/instances/1?name=a", "/v1/modes?x=y"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(ask(o, "GET", paths[i], NULL), 400);
        assert_string_equal(served_code(o->served), "bad_request");
    }
    assert_int_equal(ask(o, "GET", "/v1/instances", NULL), 200);
}

int main(void) {
#define operated(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        operated(test_operator_launches_and_ends_what_would_survive),
        operated(test_operator_is_refused_where_it_would_not),
        operated(test_operator_who_waits_is_answered_when_it_closes),
        operated(test_operator_asks_without_a_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
