/* Modes and templates that change while somebody watches: taken over whole or not at all, and the reason kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "matchmaker/library.h"
#include "tests/unit/yaml_fixture.h"

#define WAIT_S 20.

struct fixture {
    struct ev_loop *loop;
    struct library *library;
    char root[64], modes[96], templates[96];
    char error[LIBRARY_ERROR_SIZE];
    uint32_t calls;           /* of the hook */
    const char *refused_mode; /* the hook refuses sets with one of this name */
    ev_timer guard;
};

static int on_changed(void *context, const struct mode_set *modes, const struct template_set *templates, char *error,
                      size_t error_size) {
    struct fixture *f = context;
    (void)templates;
    f->calls++;
    if (!f->refused_mode || !mode_set_find(modes, f->refused_mode)) return 0;
    snprintf(error, error_size, "mode %s is not wanted", f->refused_mode);
    return MARCH_ERR_INVALID;
}

static void on_guard(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)timer, (void)events;
    fail_msg("what was waited for did not come");
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->root, sizeof f->root, "/tmp/march-library-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->modes, sizeof f->modes, "%s/modes", f->root);
    snprintf(f->templates, sizeof f->templates, "%s/templates", f->root);
    assert_int_equal(mkdir(f->modes, 0700) | mkdir(f->templates, 0700), 0);
    yaml_put(f->modes, "a.yaml", "{name: first, teams: 1, team_size: 1}");
    yaml_put(f->templates, "a.yaml", "{name: cave, side_m: 16, capacity: 1, ends: [empty]}");
    f->loop = ev_loop_new(EVFLAG_AUTO);
    ev_timer_init(&f->guard, on_guard, WAIT_S, 0.);
    ev_timer_start(f->loop, &f->guard);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    library_close(f->library);
    ev_timer_stop(f->loop, &f->guard);
    ev_loop_destroy(f->loop);
    yaml_remove(f->modes);
    yaml_remove(f->templates);
    rmdir(f->root);
    free(f);
    return 0;
}

static int try_open(struct fixture *f, const char *modes, const char *templates) {
    const struct library_config config = {
        .loop = f->loop, .modes = modes, .templates = templates, .changed = on_changed, .context = f};
    return library_open(&f->library, &config, f->error, sizeof f->error);
}

static void open_library(struct fixture *f) {
    if (try_open(f, f->modes, f->templates) != 0) fail_msg("%s", f->error);
}

static void wait_changes(struct fixture *f, uint64_t changes) {
    while (library_stats_get(f->library).changes < changes) ev_run(f->loop, EVRUN_ONCE);
    assert_int_equal(library_stats_get(f->library).changes, changes);
}

static void wait_error(struct fixture *f, const char *part) {
    while (!strstr(library_error(f->library), part)) ev_run(f->loop, EVRUN_ONCE);
}

static void test_library_open_takes_both_folders_over(void **state) {
    struct fixture *f = *state;
    open_library(f);
    assert_int_equal(f->calls, 1);
    assert_non_null(mode_set_find(library_modes(f->library), "first"));
    assert_int_equal(template_set_find(library_templates(f->library), "cave")->version, 1);
    assert_string_equal(library_error(f->library), "");
}

static void test_library_open_tells_what_is_wrong(void **state) {
    struct fixture *f = *state;
    f->refused_mode = "first";
    assert_int_equal(try_open(f, f->modes, f->templates), MARCH_ERR_INVALID);
    assert_string_equal(f->error, "mode first is not wanted");
    f->refused_mode = NULL;
    yaml_put(f->templates, "b.yaml", "name: crypt\nside_m: large\n");
    assert_int_equal(try_open(f, f->modes, f->templates), MARCH_ERR_INVALID);
    assert_non_null(strstr(f->error, "/templates/b.yaml:2: side_m: expected an integer from 16 to 512, found \"large\""));
    assert_int_equal(try_open(f, f->root, ""), MARCH_ERR_INVALID); /* no *.yaml in it */
    assert_null(f->library);
}

static void test_library_of_no_folders_is_empty(void **state) {
    struct fixture *f = *state;
    assert_int_equal(try_open(f, "", ""), 0);
    assert_int_equal(f->calls, 1);
    assert_int_equal(library_modes(f->library)->count + library_templates(f->library)->count, 0);
}

static void test_library_changed_files_are_taken_over_together(void **state) {
    struct fixture *f = *state;
    open_library(f);
    yaml_put(f->modes, "b.yaml", "{name: second, teams: 1, team_size: 2, instance: cave}");
    yaml_put(f->templates, "a.yaml", "{name: cave, side_m: 16, capacity: 2, ends: [empty]}");
    wait_changes(f, 2);
    assert_int_equal(f->calls, 2);
    assert_string_equal(mode_set_find(library_modes(f->library), "second")->instance, "cave");
    assert_int_equal(template_set_find(library_templates(f->library), "cave")->capacity, 2);
    assert_int_equal(template_set_find(library_templates(f->library), "cave")->version, 2);
    yaml_drop(f->modes, "a.yaml");
    wait_changes(f, 3);
    assert_null(mode_set_find(library_modes(f->library), "first"));
    yaml_put(f->templates, "a.yaml", "{name: cave, side_m: 16, capacity: 3, ends: [empty]}");
    wait_changes(f, 4);
    assert_int_equal(template_set_find(library_templates(f->library), "cave")->version, 3);
}

static void test_library_bad_file_changes_nothing_until_it_is_good(void **state) {
    struct fixture *f = *state;
    open_library(f);
    yaml_put(f->modes, "b.yaml", "{name: second, teams: 1, team_size: 1}");
    yaml_put(f->templates, "a.yaml", "{name: cave, side_m: 16, capacity: 2, ends: [emty]}");
    wait_error(f, "/templates/a.yaml:1: ends[0]: expected one of cleared, kills, last_team, lost, empty, found \"emty\"");
    assert_int_equal(f->calls, 1);
    assert_null(mode_set_find(library_modes(f->library), "second"));
    assert_int_equal(template_set_find(library_templates(f->library), "cave")->capacity, 1);
    assert_int_equal(library_stats_get(f->library).failures, 1);
    yaml_put(f->templates, "a.yaml", "{name: cave, side_m: 16, capacity: 2, ends: [empty]}");
    wait_changes(f, 2);
    assert_string_equal(library_error(f->library), "");
    assert_non_null(mode_set_find(library_modes(f->library), "second"));
}

static void test_library_what_the_hook_refuses_changes_nothing(void **state) {
    struct fixture *f = *state;
    open_library(f);
    f->refused_mode = "second";
    yaml_put(f->modes, "b.yaml", "{name: second, teams: 1, team_size: 1}");
    wait_error(f, "mode second is not wanted");
    assert_int_equal(library_modes(f->library)->count, 1);
    f->refused_mode = NULL;
    assert_int_equal(library_reload(f->library, f->error, sizeof f->error), 0);
    assert_int_equal(library_modes(f->library)->count, 2);
    assert_string_equal(library_error(f->library), "");
}

static void test_library_reload_of_the_same_asks_nobody(void **state) {
    struct fixture *f = *state;
    open_library(f);
    yaml_put(f->modes, "a.yaml", "name: first # as it was\nteams: 1\nteam_size: 1\n");
    assert_int_equal(library_reload(f->library, f->error, sizeof f->error), 0);
    assert_int_equal(f->calls, 1);
    yaml_put(f->modes, "a.yaml", "name: [first]\n");
    assert_int_equal(library_reload(f->library, f->error, sizeof f->error), MARCH_ERR_INVALID);
    assert_non_null(strstr(f->error, "/modes/a.yaml:1: name: expected a name"));
    assert_string_equal(library_error(f->library), f->error);
}

static void test_library_folder_that_is_replaced_is_watched_again(void **state) {
    struct fixture *f = *state;
    char away[128];
    open_library(f);
    snprintf(away, sizeof away, "%s/away", f->root);
    assert_int_equal(rename(f->modes, away), 0);
    wait_error(f, "/modes: cannot read: No such file or directory");
    assert_non_null(mode_set_find(library_modes(f->library), "first"));
    assert_int_equal(mkdir(f->modes, 0700), 0);
    yaml_put(f->modes, "a.yaml", "{name: second, teams: 1, team_size: 1}");
    wait_changes(f, 2);
    yaml_put(f->modes, "a.yaml", "{name: third, teams: 1, team_size: 1}");
    wait_changes(f, 3);
    assert_non_null(mode_set_find(library_modes(f->library), "third"));
    yaml_remove(away);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_library_open_takes_both_folders_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_library_open_tells_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_library_of_no_folders_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_library_changed_files_are_taken_over_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_library_bad_file_changes_nothing_until_it_is_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_library_what_the_hook_refuses_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_library_reload_of_the_same_asks_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_library_folder_that_is_replaced_is_watched_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
