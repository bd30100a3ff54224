/* Files of modes: each kind of mistake, with the line and key its error must name; folders; and the files that ship. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matchmaker/mode_file.h"
#include "tests/unit/yaml_fixture.h"

/* A good mode. */
static const char *const GOOD[] = {
    /* 1 */ "name: raid",
    /* 2 */ "teams: 2",
    /* 3 */ "team_size: 8",
    /* 4 */ "max_party: 4",
    /* 5 */ "window_start: 120",
    /* 6 */ "window_step: 60",
    /* 7 */ "window_every_ms: 1500",
    /* 8 */ "window_max: 900",
    /* 9 */ "latency_start_ms: 30",
    /* 10 */ "latency_step_ms: 15",
    /* 11 */ "latency_max_ms: 90",
    /* 12 */ "balance_max: 80",
    /* 13 */ "timeout_ms: 45000",
    /* 14 */ "ready_ms: 12000",
    /* 15 */ "backfill: true",
    /* 16 */ "roles:",
    /* 17 */ "  - {name: tank, per_team: 2}",
    /* 18 */ "  - name: healer",
    /* 19 */ "    per_team: 6",
    /* 20 */ "instance: gorge",
};
static const struct yaml_good GOOD_TEXT = {GOOD, sizeof GOOD / sizeof GOOD[0]};

static struct mode parse_good(const char *text) {
    char error[MODE_ERROR_SIZE] = "";
    struct mode mode;
    if (mode_file_parse("good.yaml", text, strlen(text), &mode, error, sizeof error) != 0) fail_msg("%s", error);
    return mode;
}

static void expect_error_of(const char *text, size_t len, const char *expected) {
    char error[MODE_ERROR_SIZE] = "";
    struct mode mode, before;
    memset(&mode, 0x5a, sizeof mode);
    memset(&before, 0x5a, sizeof before);
    int result = mode_file_parse("m.yaml", text, len, &mode, error, sizeof error);
    if (result != MARCH_ERR_INVALID || strcmp(error, expected) != 0)
        fail_msg("result %d\n  found    %s\n  expected %s", result, error, expected);
    assert_memory_equal(&mode, &before, sizeof mode);
}

static void expect_error(const char *text, const char *expected) {
    expect_error_of(text, strlen(text), expected);
}

static void test_mode_file_good_text_is_filled(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    yaml_compose(&GOOD_TEXT, text, 0, NULL);
    struct mode mode = parse_good(text);
    assert_string_equal(mode.name, "raid");
    assert_int_equal(mode.teams, 2);
    assert_int_equal(mode.team_size, 8);
    assert_int_equal(mode.max_party, 4);
    assert_int_equal(mode.window_start, 120);
    assert_int_equal(mode.window_step, 60);
    assert_int_equal(mode.window_every_ms, 1500);
    assert_int_equal(mode.window_max, 900);
    assert_int_equal(mode.latency_start_ms, 30);
    assert_int_equal(mode.latency_step_ms, 15);
    assert_int_equal(mode.latency_max_ms, 90);
    assert_int_equal(mode.balance_max, 80);
    assert_int_equal(mode.timeout_ms, 45000);
    assert_int_equal(mode.ready_ms, 12000);
    assert_true(mode.backfill);
    assert_string_equal(mode.instance, "gorge");
    assert_int_equal(mode.role_count, 2);
    assert_string_equal(mode.roles[0].name, "tank");
    assert_int_equal(mode.roles[0].per_team, 2);
    assert_string_equal(mode.roles[1].name, "healer");
    assert_int_equal(mode.roles[1].per_team, 6);
}

static void test_mode_file_what_is_left_out_has_its_default(void **state) {
    (void)state;
    struct mode mode = parse_good("{name: m, teams: 8, team_size: 16}");
    assert_int_equal(mode.max_party, 16);
    assert_int_equal(mode.window_start, 200);
    assert_int_equal(mode.window_step, 50);
    assert_int_equal(mode.window_every_ms, 2000);
    assert_int_equal(mode.window_max, 1000);
    assert_int_equal(mode.latency_start_ms, 60);
    assert_int_equal(mode.latency_step_ms, 20);
    assert_int_equal(mode.latency_max_ms, 200);
    assert_int_equal(mode.balance_max, 150);
    assert_int_equal(mode.timeout_ms, 60000);
    assert_int_equal(mode.ready_ms, 0);
    assert_int_equal(mode.role_count, 0);
    assert_false(mode.backfill);
    assert_string_equal(mode.instance, "");
}

static const struct yaml_mistake MISTAKES[] = {
    /* missing */
    {1, NULL, "m.yaml:1: name: missing, expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long"},
    {2, NULL, "m.yaml:1: teams: missing, expected an integer from 1 to 8"},
    {3, NULL, "m.yaml:1: team_size: missing, expected an integer from 1 to 16"},
    {19, NULL, "m.yaml:18: roles[1].per_team: missing, expected an integer from 1 to 16"},
    /* unknown */
    {6, "window_stp: 60",
     "m.yaml:6: window_stp: unknown key, expected one of name, teams, team_size, max_party, window_start, window_step, "
     "window_every_ms, window_max, latency_start_ms, latency_step_ms, latency_max_ms, balance_max, timeout_ms, ready_ms, "
     "roles, backfill, instance"},
    {17, "  - {name: tank, per_team: 2, count: 3}",
     "m.yaml:17: roles[0].count: unknown key, expected one of name, per_team"},
    {6, "teams: 2", "m.yaml:6: doubled key: teams"},
    /* wrong kind */
    {1, "name: Raid!",
     "m.yaml:1: name: expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long, found \"Raid!\""},
    {1, "name: [raid]",
     "m.yaml:1: name: expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long, found a list of 1"},
    {5, "window_start: 12.5", "m.yaml:5: window_start: expected an integer from 0 to 10000, found \"12.5\""},
    {5, "window_start: ", "m.yaml:5: window_start: expected an integer from 0 to 10000, found \"\""},
    {15, "backfill: yes", "m.yaml:15: backfill: expected true or false, found \"yes\""},
    {17, "  - tank", "m.yaml:17: roles[0]: expected a mapping, found \"tank\""},
    {20, "instance: ''",
     "m.yaml:20: instance: expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long, found \"\""},
    /* out of range */
    {1, "name: a123456789-123456789-123456789-1",
     "m.yaml:1: name: expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long, found "
     "\"a123456789-123456789-123456789-1\""},
    {2, "teams: 0", "m.yaml:2: teams: expected an integer from 1 to 8, found \"0\""},
    {2, "teams: 9", "m.yaml:2: teams: expected an integer from 1 to 8, found \"9\""},
    {3, "team_size: 17", "m.yaml:3: team_size: expected an integer from 1 to 16, found \"17\""},
    {4, "max_party: 0", "m.yaml:4: max_party: expected an integer from 1 to 16, found \"0\""},
    {5, "window_start: -1", "m.yaml:5: window_start: expected an integer from 0 to 10000, found \"-1\""},
    {6, "window_step: 10001", "m.yaml:6: window_step: expected an integer from 0 to 10000, found \"10001\""},
    {7, "window_every_ms: 99", "m.yaml:7: window_every_ms: expected an integer from 100 to 3600000, found \"99\""},
    {8, "window_max: 10001", "m.yaml:8: window_max: expected an integer from 0 to 10000, found \"10001\""},
    {10, "latency_step_ms: 1001", "m.yaml:10: latency_step_ms: expected an integer from 0 to 1000, found \"1001\""},
    {11, "latency_max_ms: 1001", "m.yaml:11: latency_max_ms: expected an integer from 0 to 1000, found \"1001\""},
    {12, "balance_max: 10001", "m.yaml:12: balance_max: expected an integer from 0 to 10000, found \"10001\""},
    {13, "timeout_ms: 0", "m.yaml:13: timeout_ms: expected an integer from 1 to 3600000, found \"0\""},
    {13, "timeout_ms: 4294967296", "m.yaml:13: timeout_ms: expected an integer from 1 to 3600000, found \"4294967296\""},
    {14, "ready_ms: 3600001", "m.yaml:14: ready_ms: expected an integer from 0 to 3600000, found \"3600001\""},
    {19, "    per_team: 0", "m.yaml:19: roles[1].per_team: expected an integer from 1 to 16, found \"0\""},
    {19, "    per_team: 6\n  - {name: a, per_team: 1}\n  - {name: b, per_team: 1}\n  - {name: c, per_team: 1}",
     "m.yaml:17: roles: expected a list of 1 to 4 entries, found a list of 5"},
    /* relations */
    {4, "max_party: 9", "m.yaml:4: max_party: expected at most team_size = 8, found 9"},
    {5, "window_start: 901", "m.yaml:5: window_start: expected at most window_max = 900, found 901"},
    {8, "window_max: 119", "m.yaml:5: window_start: expected at most window_max = 119, found 120"},
    {5, "window_max: 99", "m.yaml:8: doubled key: window_max"},
    {9, "latency_start_ms: 91", "m.yaml:9: latency_start_ms: expected at most latency_max_ms = 90, found 91"},
    {18, "  - name: tank", "m.yaml:18: roles[1].name: expected a name used once, found \"tank\" again"},
    {19, "    per_team: 5", "m.yaml:17: roles: expected per_team to add up to team_size = 8, found 7"},
    {19, "    per_team: 7", "m.yaml:17: roles: expected per_team to add up to team_size = 8, found 9"},
};

static void test_mode_file_mistakes_are_named_by_line_and_key(void **state) {
    (void)state;
    yaml_expect_mistakes(&GOOD_TEXT, MISTAKES, sizeof MISTAKES / sizeof MISTAKES[0], expect_error);
    expect_error("name: m\nteams: 2\nteam_size: 2\nwindow_max: 50\n", /* against a default: at the document */
                 "m.yaml:1: window_start: expected at most window_max = 50, found 200");
}

static void test_mode_file_text_that_is_no_mapping_is_refused(void **state) {
    (void)state;
    static char large[MODE_FILE_BYTES_MAX + 1];
    memset(large, '#', sizeof large);
    expect_error("", "m.yaml:1: expected a mapping, found nothing");
    expect_error("duel", "m.yaml:1: expected a mapping, found \"duel\"");
    expect_error("- a\n", "m.yaml:1: expected a mapping, found a list of 1");
    expect_error_of(large, sizeof large, "m.yaml:1: expected at most 16384 bytes, found 16385");
}

/* --- folders */

static void expect_folder_error(const char *folder, int expected_result, const char *expected) {
    static struct mode_set set, before;
    memset(&set, 0x5a, sizeof set);
    memset(&before, 0x5a, sizeof before);
    char error[MODE_ERROR_SIZE] = "";
    assert_int_equal(mode_file_load_folder(folder, &set, error, sizeof error), expected_result);
    if (!strstr(error, expected)) fail_msg("found %s\n  expected %s", error, expected);
    assert_memory_equal(&set, &before, sizeof set);
}

static void test_mode_file_folder_is_read_whole_or_not_at_all(void **state) {
    (void)state;
    char folder[] = "/tmp/march-modes-XXXXXX", error[MODE_ERROR_SIZE] = "";
    static struct mode_set set;
    assert_non_null(mkdtemp(folder));
    expect_folder_error(folder, MARCH_ERR_INVALID, "expected at least one file *.yaml, found none");
    yaml_put(folder, "b.yaml", "{name: second, teams: 1, team_size: 1}");
    yaml_put(folder, "a.yaml", "{name: first, teams: 1, team_size: 2}");
    yaml_put(folder, ".a.yaml", "what an editor left");
    yaml_put(folder, "a.yaml~", "as this");
    if (mode_file_load_folder(folder, &set, error, sizeof error) != 0) fail_msg("%s", error);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.modes[0].name, "first");
    assert_ptr_equal(mode_set_find(&set, "second"), &set.modes[1]);
    assert_null(mode_set_find(&set, "third"));

    yaml_put(folder, "c.yaml", "name: third\nteams: 1\n");
    expect_folder_error(folder, MARCH_ERR_INVALID, "/c.yaml:1: team_size: missing, expected an integer from 1 to 16");
    yaml_put(folder, "c.yaml", "{name: first, teams: 1, team_size: 1}");
    expect_folder_error(folder, MARCH_ERR_INVALID, "/c.yaml: name: expected a name used once, found \"first\" again");
    for (int i = 0; i < MODE_FILES_MAX - 2; i++) {
        char name[32], text[64];
        snprintf(name, sizeof name, "m%02d.yaml", i);
        snprintf(text, sizeof text, "{name: m%02d, teams: 1, team_size: 1}", i);
        yaml_put(folder, name, text);
    }
    expect_folder_error(folder, MARCH_ERR_FULL, "expected at most 32 files *.yaml, found 33");
    yaml_drop(folder, "c.yaml");
    if (mode_file_load_folder(folder, &set, error, sizeof error) != 0) fail_msg("%s", error);
    assert_int_equal(set.count, MODE_FILES_MAX);

    yaml_remove(folder);
    expect_folder_error(folder, MARCH_ERR_SYSTEM, "cannot read: No such file or directory");
}

static void test_mode_file_shipped_modes_load(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t teams, team_size, roles;
        const char *instance;
    } expected[] = {{"arena", 2, 5, 0, "arena"},
                    {"duel", 2, 1, 0, "duel"},
                    {"dungeon", 1, 5, 3, "crypt"},
                    {"free-for-all", 8, 1, 0, "free-for-all"}};
    char error[MODE_ERROR_SIZE] = "";
    static struct mode_set set;
    if (mode_file_load_folder("deploy/config/modes", &set, error, sizeof error) != 0) fail_msg("%s", error);
    assert_int_equal(set.count, sizeof expected / sizeof expected[0]);
    for (uint32_t i = 0; i < set.count; i++) {
        assert_string_equal(set.modes[i].name, expected[i].name);
        assert_int_equal(set.modes[i].teams, expected[i].teams);
        assert_int_equal(set.modes[i].team_size, expected[i].team_size);
        assert_int_equal(set.modes[i].role_count, expected[i].roles);
        assert_string_equal(set.modes[i].instance, expected[i].instance);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mode_file_good_text_is_filled),
        cmocka_unit_test(test_mode_file_what_is_left_out_has_its_default),
        cmocka_unit_test(test_mode_file_mistakes_are_named_by_line_and_key),
        cmocka_unit_test(test_mode_file_text_that_is_no_mapping_is_refused),
        cmocka_unit_test(test_mode_file_folder_is_read_whole_or_not_at_all),
        cmocka_unit_test(test_mode_file_shipped_modes_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
