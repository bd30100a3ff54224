/* test_control.c: requests to a supervisor over its socket, and what is no request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/zonectl/control.h"

/* A path that is longer than a socket's address may be. */
static int setup(void **state) {
    char *dir = calloc(1, 256);
    *state = dir;
    snprintf(dir, 256, "/tmp/march-control-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    size_t len = strlen(dir);
    dir[len] = '/';
    memset(dir + len + 1, 'x', 120);
    return mkdir(dir, 0700);
}

static int teardown(void **state) {
    char *dir = *state, *slash = strrchr(dir, '/');
    rmdir(dir);
    *slash = '\0';
    rmdir(dir);
    free(dir);
    return 0;
}

struct asker {
    const char *dir;
    enum control_verb verb;
    const char *name;
    int result;
    char why[CONTROL_BYTES_MAX];
};

static void *ask(void *context) {
    struct asker *a = context;
    a->result = control_ask(a->dir, a->verb, a->name, a->why);
    return NULL;
}

static void exchange(int fd, struct asker *asker, const char *why_not, struct control_request *request) {
    pthread_t thread;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(pthread_create(&thread, NULL, ask, asker), 0);
    assert_int_equal(poll(&readable, 1, 10000), 1);
    assert_true(control_take(fd, request));
    control_answer(fd, request, why_not);
    pthread_join(thread, NULL);
}

static void test_control_request_is_taken_and_answered(void **state) {
    int fd = control_open(*state);
    assert_true(fd >= 0);
    static const enum control_verb verbs[] = {CONTROL_START, CONTROL_STOP, CONTROL_RESTART};
    for (size_t i = 0; i < 3; i++) {
        struct control_request request;
        struct asker asker = {.dir = *state, .verb = verbs[i], .name = "zone-4"};
        exchange(fd, &asker, NULL, &request);
        assert_int_equal(asker.result, 0);
        assert_int_equal(request.verb, verbs[i]);
        assert_string_equal(request.name, "zone-4");
        exchange(fd, &asker, "it does not run", &request);
        assert_int_equal(asker.result, MARCH_ERR_INVALID);
        assert_string_equal(asker.why, "it does not run");
        assert_false(control_take(fd, &request));
    }
    control_close(fd, *state);
}

static void test_control_without_a_supervisor_fails(void **state) {
    char why[CONTROL_BYTES_MAX];
    assert_int_equal(control_ask(*state, CONTROL_START, "zone-4", why), MARCH_ERR_UNAVAILABLE);
    int fd = control_open(*state);
    int again = control_open(*state); /* what is left of another is replaced */
    assert_true(fd >= 0 && again >= 0);
    close(fd);
    control_close(again, *state);
    assert_int_equal(control_open("/tmp/march-there-is-no-such-folder"), MARCH_ERR_SYSTEM);
    control_close(-1, *state);
}

static void test_control_drops_what_is_no_request(void **state) {
    static const char *const bad[] = {
        "", "start", "start ", "startzone-4", " start a", "end zone-4", "stop 0123456789012345678901234567890123456789"};
    int fd = control_open(*state);
    int from = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    socklen_t len = sizeof to;
    char link[64];
    struct control_request request;
    /* the folder's name is too long for an address, so the test, too, goes by way of a descriptor */
    snprintf(link, sizeof link, "/tmp/march-control-link-%d", (int)getpid());
    assert_int_equal(symlink(*state, link), 0);
    int path_len = snprintf(to.sun_path, sizeof to.sun_path, "%s/cluster.sock", link);
    assert_true(path_len > 0 && (size_t)path_len < sizeof to.sun_path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(sendto(from, bad[i], strlen(bad[i]), 0, (struct sockaddr *)&to, len) >= 0);
    char huge[4 * CONTROL_BYTES_MAX] = "start zone-4";
    memset(huge + 12, 'x', sizeof huge - 12);
    assert_true(sendto(from, huge, sizeof huge, 0, (struct sockaddr *)&to, len) > 0);
    assert_true(sendto(from, "start a\0b", 9, 0, (struct sockaddr *)&to, len) > 0);
    assert_false(control_take(fd, &request));
    assert_true(sendto(from, "stop zone-4", 11, 0, (struct sockaddr *)&to, len) > 0);
    assert_true(control_take(fd, &request));
    control_answer(fd, &request, NULL); /* to nobody: the sender has no address */
    unlink(link);
    close(from);
    control_close(fd, *state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_control_request_is_taken_and_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_without_a_supervisor_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_drops_what_is_no_request, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
