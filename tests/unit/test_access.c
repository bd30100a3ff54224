/* test_access.c: what tools find in a run directory, and the tokens they mint with it. Runs in the root of the project. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/access.h"

static const char *const FILES[] = {"cluster.yaml", "connect.key", "gateway-0.udp"};

struct fixture {
    char dir[64];
    char error[ACCESS_ERROR_SIZE];
    struct access access;
};

static void write_text(const struct fixture *f, const char *name, const char *text, mode_t mode) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_int_equal(file_write(path, text, strlen(text), mode, (char[512]){0}, 512), 0);
}

static int set_up(void **state) {
    char target[PATH_MAX];
    char link[128];
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/test_access.XXXXXX");
    if (mkdtemp(f->dir) == NULL || realpath("deploy/config/cluster.yaml", target) == NULL) return -1;
    snprintf(link, sizeof(link), "%s/cluster.yaml", f->dir);
    write_text(f, "connect.key", "0123456789abcdef0123456789abcdef", 0600);
    write_text(f, "gateway-0.udp", "127.0.0.1:4000\n[::1]:4001\n", 0600);
    *state = f;
    return symlink(target, link);
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", f->dir, FILES[i]);
        unlink(path);
    }
    rmdir(f->dir);
    free(f);
    return 0;
}

static int open_access(struct fixture *f) {
    return access_open(&f->access, f->dir, f->error, sizeof(f->error));
}

static void test_access_run_directory_is_read(void **state) {
    struct fixture *f = *state;
    assert_int_equal(open_access(f), 0);
    assert_int_equal(f->access.gateway_count, 1);
    assert_int_equal(f->access.gateways[0].count, 2);
    assert_int_equal(f->access.gateways[0].addresses[0].port, 4000);
    assert_int_equal(f->access.gateways[0].addresses[1].family, ADDR_IPV6);
    assert_int_equal(f->access.token_lifetime_s, 30);
    assert_int_equal(access_gateway_find(&f->access, "gateway-0"), 0);
    assert_int_equal(access_gateway_find(&f->access, "gateway-1"), MARCH_ERR_NOT_FOUND);
}

static void test_access_mints_after_the_second_of_the_gateways_start(void **state) {
    struct fixture *f = *state;
    struct stat st;
    char path[128];
    snprintf(path, sizeof(path), "%s/gateway-0.udp", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(open_access(f), 0);
    assert_int_equal(f->access.mint_from_s, (uint64_t)st.st_mtime + NETCODE_TOKEN_SLACK_S + 1);
}

static void test_access_token_names_the_family_asked_for(void **state) {
    struct fixture *f = *state;
    uint8_t token[NETCODE_TOKEN_BYTES];
    struct netcode_token_public read;
    assert_int_equal(open_access(f), 0);
    assert_int_equal(access_mint(&f->access, token, 7, 0, ADDR_IPV6, 1000, 30), 0);
    assert_int_equal(netcode_token_read_public(&read, token, sizeof(token)), 0);
    assert_int_equal(read.server_count, 1);
    assert_int_equal(read.servers[0].port, 4001);
    assert_int_equal(read.create_s, 1000);
    assert_int_equal(read.expire_s, 1030);
    assert_int_equal(access_mint(&f->access, token, 7, 0, ADDR_NONE, 1000, 30), 0);
    assert_int_equal(netcode_token_read_public(&read, token, sizeof(token)), 0);
    assert_int_equal(read.server_count, 2);
}

static void test_access_token_that_can_not_be_is_refused(void **state) {
    struct fixture *f = *state;
    uint8_t token[NETCODE_TOKEN_BYTES];
    write_text(f, "gateway-0.udp", "127.0.0.1:4000\n", 0600);
    assert_int_equal(open_access(f), 0);
    assert_int_equal(access_mint(&f->access, token, 7, 0, ADDR_IPV6, 1000, 30), MARCH_ERR_INVALID);
    assert_int_equal(access_mint(&f->access, token, 7, 1, ADDR_IPV4, 1000, 30), MARCH_ERR_INVALID);
    assert_int_equal(access_mint(&f->access, token, 7, 0, ADDR_IPV4, 1000, 0), MARCH_ERR_INVALID);
}

static void test_access_without_addresses_is_not_found(void **state) {
    struct fixture *f = *state;
    write_text(f, "gateway-0.udp", "\n", 0600);
    assert_int_equal(open_access(f), MARCH_ERR_NOT_FOUND);
    assert_non_null(strstr(f->error, "no cluster runs there"));
    snprintf(f->error, sizeof(f->error), "%s", "");
    struct access access;
    assert_int_equal(access_open(&access, "/tmp/there/is/none", f->error, sizeof(f->error)), MARCH_ERR_NOT_FOUND);
}

static void test_access_damaged_files_are_refused(void **state) {
    struct fixture *f = *state;
    write_text(f, "gateway-0.udp", "localhost:4000\n", 0600);
    assert_int_equal(open_access(f), MARCH_ERR_INVALID);
    assert_non_null(strstr(f->error, "gateway-0.udp"));
    char many[CONFIG_ADDRESSES_MAX * 16 + 17] = "";
    for (int i = 0; i <= CONFIG_ADDRESSES_MAX; i++) strcat(many, "127.0.0.1:4000\n");
    write_text(f, "gateway-0.udp", many, 0600);
    assert_int_equal(open_access(f), MARCH_ERR_FULL);
    write_text(f, "connect.key", "0123456789abcdef0123456789abcdef", 0644);
    assert_int_equal(open_access(f), MARCH_ERR_INVALID);
    assert_non_null(strstr(f->error, "connect.key"));
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_access_run_directory_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_access_mints_after_the_second_of_the_gateways_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_access_token_names_the_family_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_access_token_that_can_not_be_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_access_without_addresses_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_access_damaged_files_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
