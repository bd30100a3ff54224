#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/listen.h"

struct fixture {
    char path[64];
    char error[CONFIG_ERROR_SIZE];
    struct listen listen;
    char *addresses[2];
    char *public_addresses[1];
    struct config_gateway gateway;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    static char v4[] = "127.0.0.1:0", v6[] = "[::1]:0", public_address[] = "203.0.113.7:40000";
    snprintf(f->path, sizeof f->path, "/tmp/march-listen-%d.bound", (int)getpid());
    f->addresses[0] = v4;
    f->addresses[1] = v6;
    f->public_addresses[0] = public_address;
    f->gateway = (struct config_gateway){.name = "gateway-0", .listen_addresses = f->addresses, .listen_count = 2};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    listen_close(&f->listen);
    unlink(f->path);
    free(f);
    return 0;
}

static void open_and_remember(struct fixture *f) {
    assert_int_equal(listen_open(&f->listen, &f->gateway, -1, f->path, f->error, sizeof f->error), 0);
    assert_int_equal(listen_remember(&f->listen, f->path, f->error, sizeof f->error), 0);
}

static void test_listen_restart_keeps_its_ports(void **state) {
    struct fixture *f = *state;
    open_and_remember(f);
    struct listen first = f->listen;
    assert_int_equal(first.count, 2);
    assert_true(first.bound[0].port != 0 && first.bound[1].port != 0);
    listen_close(&f->listen);
    open_and_remember(f);
    assert_memory_equal(f->listen.bound, first.bound, sizeof first.bound);
    assert_memory_equal(f->listen.public_addrs, first.public_addrs, sizeof first.public_addrs);
}

static void test_listen_remembered_port_in_use_takes_another(void **state) {
    struct fixture *f = *state;
    open_and_remember(f);
    struct listen first = f->listen; /* stays open */
    open_and_remember(f);
    assert_true(f->listen.bound[0].port != first.bound[0].port);
    listen_close(&first);
}

static void test_listen_named_port_in_use_is_an_error_with_the_address(void **state) {
    struct fixture *f = *state;
    char text[ADDR_TEXT_MAX];
    open_and_remember(f);
    struct listen first = f->listen;
    f->addresses[0] = (char *)addr_format(&first.bound[0], text);
    assert_int_equal(listen_open(&f->listen, &f->gateway, -1, f->path, f->error, sizeof f->error), MARCH_ERR_EXISTS);
    assert_non_null(strstr(f->error, text));
    assert_non_null(strstr(f->error, "in use"));
    assert_int_equal(f->listen.count, 0);
    assert_int_equal(listen_open(&f->listen, &f->gateway, first.bound[1].port, f->path, f->error, sizeof f->error),
                     MARCH_ERR_EXISTS);
    listen_close(&first);
}

static void *close_later(void *fd) {
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    close(*(int *)fd);
    return NULL;
}

static void test_listen_waits_for_a_predecessor_that_is_closing(void **state) {
    struct fixture *f = *state;
    pthread_t thread;
    f->gateway.listen_count = 1;
    open_and_remember(f);
    struct listen first = f->listen;
    assert_int_equal(pthread_create(&thread, NULL, close_later, &first.fds[0]), 0);
    open_and_remember(f);
    assert_int_equal(f->listen.bound[0].port, first.bound[0].port);
    pthread_join(thread, NULL);
}

static void test_listen_garbage_in_file_is_ignored(void **state) {
    struct fixture *f = *state;
    FILE *file = fopen(f->path, "w");
    fputs("nonsense\n127.0.0.1:99999\n\n127.0.0.2:1\n", file);
    fclose(file);
    open_and_remember(f);
    assert_int_equal(f->listen.count, 2);
}

static void test_listen_public_addresses_are_those_of_the_configuration(void **state) {
    static char any[] = "0.0.0.0:0";
    struct fixture *f = *state;
    f->addresses[0] = any;
    assert_int_equal(listen_open(&f->listen, &f->gateway, -1, f->path, f->error, sizeof f->error), MARCH_ERR_INVALID);
    assert_non_null(strstr(f->error, "public"));
    f->gateway.public_addresses = f->public_addresses;
    f->gateway.public_count = 1;
    open_and_remember(f);
    assert_int_equal(f->listen.public_count, 1);
    assert_int_equal(listen_publish(&f->listen, f->path, f->error, sizeof f->error), 0);
    char line[64];
    FILE *file = fopen(f->path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "203.0.113.7:40000\n");
    fclose(file);
    assert_int_equal(f->listen.public_addrs[0].port, 40000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_listen_restart_keeps_its_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listen_remembered_port_in_use_takes_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listen_named_port_in_use_is_an_error_with_the_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listen_waits_for_a_predecessor_that_is_closing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listen_garbage_in_file_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listen_public_addresses_are_those_of_the_configuration, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
