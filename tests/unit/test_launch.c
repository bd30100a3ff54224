/* test_launch.c: the options that every process has, alone and beside those of its own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/launch.h"

struct own {
    int extra;
    struct launch launch;
};

static error_t parse_own(int key, char *arg, struct argp_state *state) {
    struct own *own = state->input;
    (void)arg;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &own->launch;
    } else if (key == 'x') {
        own->extra++;
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void test_launch_options_have_defaults(void **state) {
    (void)state;
    struct launch launch;
    char *argv[] = {"it", "--config", "c.yaml", "-n", "zone-0", NULL};
    launch_parse(&launch_argp, "it 1", 5, argv, &launch);
    assert_string_equal(launch.config, "c.yaml");
    assert_string_equal(launch.name, "zone-0");
    assert_string_equal(launch.run_dir, "run");
    assert_false(launch.has_cpu);
    assert_int_equal(launch.cpu, CONFIG_CPU_NONE);
    assert_int_equal(launch.log_level, LOG_LEVEL_INFO);
}

static void test_launch_options_stand_beside_a_process_s_own(void **state) {
    (void)state;
    static const struct argp_option options[] = {{"extra", 'x', NULL, 0, "Own", 0}, {0}};
    const struct argp_child children[] = {{.argp = &launch_argp}, {0}};
    const struct argp argp = {.options = options, .parser = parse_own, .children = children};
    struct own own = {0};
    char *argv[] = {"it", "-x", "-c", "c", "-n", "n", "-d", "/run", "--cpu=3", "-x", "--log-level", "error", NULL};
    launch_parse(&argp, "it 1", 12, argv, &own);
    assert_int_equal(own.extra, 2);
    assert_string_equal(own.launch.run_dir, "/run");
    assert_true(own.launch.has_cpu);
    assert_int_equal(own.launch.cpu, 3);
    assert_int_equal(own.launch.log_level, LOG_LEVEL_ERROR);
    char *none[] = {"it", "-c", "c", "-n", "n", "-p", "-1", NULL};
    launch_parse(&argp, "it 1", 7, none, &own);
    assert_true(own.launch.has_cpu);
    assert_int_equal(own.launch.cpu, CONFIG_CPU_NONE);
}

static void test_launch_signals_set_the_flag(void **state) {
    (void)state;
    const volatile sig_atomic_t *stopping = launch_catch_signals();
    assert_int_equal(*stopping, 0);
    raise(SIGPIPE);
    assert_int_equal(*stopping, 0);
    raise(SIGTERM);
    assert_int_equal(*stopping, 1);
}

static void test_launch_without_a_configuration_is_told(void **state) {
    (void)state;
    const struct launch launch = {.config = "/no/such/file", .name = "it", .log_level = LOG_LEVEL_INFO};
    assert_null(launch_begin(&launch));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launch_options_have_defaults),
        cmocka_unit_test(test_launch_options_stand_beside_a_process_s_own),
        cmocka_unit_test(test_launch_signals_set_the_flag),
        cmocka_unit_test(test_launch_without_a_configuration_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
