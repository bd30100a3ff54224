/* test_bus_probe.c: nng that ends connections, and nng whose thread for that is held up, by a callback that does not return.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/bus_probe.h"

#define PATIENCE_MS 10000

static sem_t entered, leave;

static void hold(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    (void)pipe, (void)event, (void)arg;
    sem_post(&entered);
    sem_wait(&leave);
}

/* hold_up loses a connection whose end is not let go on. */
static void hold_up(nng_socket ends[2]) {
    sem_init(&entered, 0, 0);
    sem_init(&leave, 0, 0);
    assert_int_equal(nng_pair0_open(&ends[0]), 0);
    assert_int_equal(nng_pair0_open(&ends[1]), 0);
    assert_int_equal(nng_pipe_notify(ends[0], NNG_PIPE_EV_REM_POST, hold, NULL), 0);
    assert_int_equal(nng_listen(ends[0], "inproc://held", NULL, 0), 0);
    nng_dialer dialer;
    assert_int_equal(nng_dial(ends[1], "inproc://held", &dialer, 0), 0);
    nng_msg *message;
    assert_int_equal(nng_msg_alloc(&message, 1), 0);
    assert_int_equal(nng_sendmsg(ends[1], message, 0), 0); /* connected on both sides */
    assert_int_equal(nng_recvmsg(ends[0], &message, 0), 0);
    nng_pipe pipe = nng_msg_get_pipe(message);
    nng_msg_free(message);
    assert_int_equal(nng_dialer_close(dialer), 0);
    (void)nng_pipe_close(pipe);
    sem_wait(&entered);
}

static enum bus_probe_answer ask(struct bus_probe *probe) {
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    enum bus_probe_answer answer;
    while ((answer = bus_probe_step(probe)) == BUS_PROBE_PENDING) {
        assert_false(mono_reached(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
    return answer;
}

static void test_bus_probe_of_a_healthy_process_says_so_each_time(void **state) {
    (void)state;
    struct bus_probe probe = {.state = BUS_PROBE_IDLE};
    for (int i = 0; i < 3; i++) assert_int_equal(ask(&probe), BUS_PROBE_HEALTHY);
    bus_probe_close(&probe);
    bus_probe_close(&probe);
}

static void test_bus_probe_of_a_stuck_process_says_so(void **state) {
    (void)state;
    nng_socket ends[2];
    struct bus_probe probe = {.state = BUS_PROBE_IDLE};
    hold_up(ends);
    assert_int_equal(ask(&probe), BUS_PROBE_STUCK);
    for (int i = 0; i < 8; i++) sem_post(&leave);
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    while (bus_probe_step(&probe) != BUS_PROBE_HEALTHY) {
        assert_false(mono_reached(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
    bus_probe_close(&probe);
    nng_close(ends[1]);
    nng_close(ends[0]);
}

/* A child, since it ends: with an edge whose peer never came, and nng held up. */
static void test_bus_edge_in_a_stuck_process_ends_it(void **state) {
    (void)state;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        nng_socket ends[2];
        char url[] = "ipc:///tmp/test_bus_probe.XXXXXX";
        int fd = mkstemp(url + 6);
        if (fd < 0 || unlink(url + 6) != 0) _exit(1);
        struct bus_edge *edge;
        struct mono now = mono_now();
        struct bus_edge_config config = {.url = url,
                                         .role = BUS_DIAL,
                                         .local_name = "a",
                                         .peer_name = "b",
                                         .frame_max_bytes = 4096,
                                         .queue_max_bytes = 4096};
        hold_up(ends);
        if (bus_edge_open(&edge, &config, now) != 0) _exit(2);
        for (int ms = 0; ms < 12000; ms += 10) {
            poll(NULL, 0, 10);
            bus_update(edge, mono_now());
        }
        _exit(3);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), BUS_STUCK_EXIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_edge_in_a_stuck_process_ends_it), /* first: forks before nng has threads */
        cmocka_unit_test(test_bus_probe_of_a_healthy_process_says_so_each_time),
        cmocka_unit_test(test_bus_probe_of_a_stuck_process_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
