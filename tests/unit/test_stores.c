/* test_stores.c: lists of the databases of a cluster, and what its persists are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "tools/zonectl/stores.h"

static const char HOSTS[] = "postgresql://u:p@a:1,b:2/d";

static void test_store_list_separators_are_told_from_hosts(void **state) {
    (void)state;
    struct store_list *list = calloc(1, sizeof(*list));
    char error[RUN_DIR_ERROR_SIZE];
    char text[256];
    snprintf(text, sizeof(text), "%s, \n", HOSTS);
    assert_int_equal(store_list_parse(list, "x", text, error), 0);
    assert_int_equal(list->count, 1);
    assert_string_equal(list->uris[0], HOSTS);
    snprintf(text, sizeof(text), "%s,%s\n\n  sentinel://h:1,g:2/m \r\nunix:///s,t?db=1", HOSTS, HOSTS);
    assert_int_equal(store_list_parse(list, "x", text, error), 0);
    assert_int_equal(list->count, 4);
    assert_string_equal(list->uris[1], HOSTS);
    assert_string_equal(list->uris[2], "sentinel://h:1,g:2/m");
    assert_string_equal(list->uris[3], "unix:///s,t?db=1");
    free(list);
}

static void test_store_list_bad_texts_are_refused_without_quoting_them(void **state) {
    (void)state;
    struct store_list *list = calloc(1, sizeof(*list));
    char error[RUN_DIR_ERROR_SIZE];
    char *many = calloc(1, STORES_LIST_MAX);
    assert_int_equal(store_list_parse(list, "x", "", error), MARCH_ERR_INVALID);
    assert_string_equal(error, "x: expected a list of URIs, found none");
    assert_int_equal(store_list_parse(list, "x", " ,\n", error), MARCH_ERR_INVALID);
    assert_int_equal(store_list_parse(list, "x", "a://b\nsecret", error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "x: entry 2: expected"));
    assert_null(strstr(error, "secret"));
    for (int i = 0; i <= CONFIG_PERSISTS_MAX; i++) strcat(many, "a://b,"); /* one too many */
    assert_int_equal(store_list_parse(list, "x", many, error), MARCH_ERR_INVALID);
    memset(many, 'b', STORES_URI_SIZE);
    memcpy(many, "a://", 4);
    many[STORES_URI_SIZE] = '\0';
    assert_int_equal(store_list_parse(list, "x", many, error), MARCH_ERR_INVALID);
    many[STORES_URI_SIZE - 1] = '\0';
    assert_int_equal(store_list_parse(list, "x", many, error), 0);
    assert_int_equal(store_list_parse(list, "x", "@no/such", error), MARCH_ERR_NOT_FOUND);
    assert_string_equal(error, "x: no/such: cannot open: No such file or directory");
    free(many);
    free(list);
}

static void expect_file(const char *folder, const char *name, const char *text) {
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    uint8_t *bytes;
    size_t len;
    struct stat st;
    assert_int_equal(run_dir_path(path, folder, name, ""), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(file_read(path, 4096, &bytes, &len, error, sizeof(error)), 0);
    assert_string_equal((char *)bytes, text);
    free(bytes);
    assert_int_equal(unlink(path), 0);
}

static void test_stores_publish_writes_given_and_private_places(void **state) {
    (void)state;
    char folder[] = "/tmp/march stores XXXXXX";
    char error[RUN_DIR_ERROR_SIZE];
    char expected[256];
    struct stores *stores = calloc(1, sizeof(*stores));
    struct config_persist persists[] = {{.name = "p0"}, {.name = "p1"}};
    struct config config = {.persists = persists, .persists_count = 2};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(store_list_parse(&stores->postgres, "x", "postgresql:///a,postgresql:///b", error), 0);
    assert_int_equal(store_list_parse(&stores->replicas, "x", "postgresql:///c,postgresql:///d", error), 0);
    assert_int_equal(stores_publish(stores, folder, &config, error), 0);
    expect_file(folder, "p0.postgres", "postgresql:///a\npostgresql:///c\n");
    expect_file(folder, "p1.postgres", "postgresql:///b\npostgresql:///d\n");
    snprintf(expected, sizeof(expected), "unix://%s/redis/redis.sock?db=1\n", folder);
    expect_file(folder, "p1.redis", expected);
    stores->postgres.count = stores->replicas.count = 0;
    assert_int_equal(stores_publish(stores, folder, &config, error), 0);
    snprintf(expected, sizeof(expected), "postgresql:///march_1?user=march&host=/tmp/march%%20stores%%20%s/postgres\n",
             strrchr(folder, ' ') + 1);
    expect_file(folder, "p1.postgres", expected);
    expect_file(folder, "p0.redis",
                (snprintf(expected, sizeof(expected), "unix://%s/redis/redis.sock?db=0\n", folder), expected));
    (void)unlink((snprintf(expected, sizeof(expected), "%s/p0.postgres", folder), expected));
    (void)unlink((snprintf(expected, sizeof(expected), "%s/p1.redis", folder), expected));
    assert_int_equal(rmdir(folder), 0);
    free(stores);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_list_separators_are_told_from_hosts),
        cmocka_unit_test(test_store_list_bad_texts_are_refused_without_quoting_them),
        cmocka_unit_test(test_stores_publish_writes_given_and_private_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
