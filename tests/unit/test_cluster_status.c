/* test_cluster_status.c: what is told of a cluster, and how it is read back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/zonectl/cluster_status.h"

#define NOW_MS 1000000

static struct cluster_status two_processes(void) {
    struct cluster_status status = {.cluster = "march", .supervisor = 7, .count = 2};
    status.processes[0] = (struct process_status){.name = "zone-0",
                                                  .role = ROLE_ZONE,
                                                  .state = LIFECYCLE_READY,
                                                  .pid = 8,
                                                  .restarts = 3,
                                                  .started_ms = NOW_MS - 1500,
                                                  .ready = true};
    status.processes[1] = (struct process_status){.name = "gateway-0", .role = ROLE_GATEWAY, .state = LIFECYCLE_WAITING};
    for (uint32_t i = 0; i < status.count; i++) figures_none(&status.processes[i].figures);
    return status;
}

static void test_cluster_status_json_round_trips(void **state) {
    (void)state;
    struct cluster_status status = two_processes();
    struct cluster_status back;
    json_t *json = cluster_status_json(&status, NOW_MS);
    assert_int_equal(cluster_status_parse(&back, json), 0);
    assert_string_equal(back.cluster, "march");
    assert_int_equal(back.supervisor, 7);
    assert_int_equal(back.count, 2);
    assert_string_equal(back.processes[0].name, "zone-0");
    assert_int_equal(back.processes[0].role, ROLE_ZONE);
    assert_int_equal(back.processes[0].pid, 8);
    assert_int_equal(back.processes[0].restarts, 3);
    assert_int_equal(back.processes[0].started_ms, NOW_MS - 1500);
    assert_true(back.processes[0].ready);
    assert_int_equal(back.processes[1].state, LIFECYCLE_WAITING);
    assert_false(back.processes[1].ready);
    json_decref(json);
}

static void test_cluster_status_json_tells_known_figures_only(void **state) {
    (void)state;
    struct cluster_status status = two_processes();
    status.processes[0].figures.players = 12;
    json_t *json = cluster_status_json(&status, NOW_MS);
    const json_t *zone = json_array_get(json_object_get(json, "processes"), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "players")), 12);
    assert_int_equal(json_integer_value(json_object_get(zone, "players")), 12);
    assert_true(json_real_value(json_object_get(zone, "uptime_s")) == 1.5);
    assert_null(json_object_get(zone, "sessions"));
    assert_true(json_is_false(json_object_get(json, "ready")));
    json_decref(json);
}

static void test_cluster_status_parse_refuses_what_it_did_not_write(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"cluster\": \"a\", \"supervisor_pid\": 1, \"processes\": [{\"name\": \"b\"}]}",
        "{\"cluster\": \"a\", \"supervisor_pid\": \"1\", \"processes\": []}",
        "{\"cluster\": \"0123456789012345678901234567890123456789\", \"supervisor_pid\": 1, \"processes\": []}",
        "{\"cluster\": \"a\", \"supervisor_pid\": 1, \"processes\": [{\"name\": \"b\", \"role\": \"cook\", \"state\": "
        "\"ready\","
        "\"pid\": 1, \"restarts\": 0, \"started_ms\": 1}]}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cluster_status status;
        json_t *json = json_loads(texts[i], 0, NULL);
        assert_non_null(json);
        if (cluster_status_parse(&status, json) != MARCH_ERR_INVALID) fail_msg("taken: %s", texts[i]);
        json_decref(json);
    }
}

static void test_cluster_status_print_has_a_line_for_each_process(void **state) {
    (void)state;
    struct cluster_status status = two_processes();
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    unsigned lines = cluster_status_print(&status, out, NOW_MS);
    fclose(out);
    unsigned counted = 0;
    for (size_t i = 0; i < len; i++) counted += text[i] == '\n';
    assert_int_equal(lines, counted);
    assert_non_null(strstr(text, "zone-0"));
    assert_non_null(strstr(text, "1 of 2 ready"));
    free(text);
}

static void test_cluster_status_without_those_that_were_stopped_is_ready(void **state) {
    (void)state;
    struct cluster_status status = two_processes();
    assert_false(cluster_status_ready(&status));
    status.processes[1].state = LIFECYCLE_STOPPED;
    assert_true(cluster_status_ready(&status));
    status.processes[0].state = LIFECYCLE_STOPPED;
    status.processes[0].ready = false;
    assert_false(cluster_status_ready(&status)); /* nothing runs */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster_status_without_those_that_were_stopped_is_ready),
        cmocka_unit_test(test_cluster_status_json_round_trips),
        cmocka_unit_test(test_cluster_status_json_tells_known_figures_only),
        cmocka_unit_test(test_cluster_status_parse_refuses_what_it_did_not_write),
        cmocka_unit_test(test_cluster_status_print_has_a_line_for_each_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
