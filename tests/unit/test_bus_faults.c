/* test_bus_faults.c: edges whose peers are other processes, which are killed, stopped and left under traffic, and edges that
 * are opened and closed under it. This program is also the peer, where it is told so:
 *
 *   test_bus_faults peer URL listen|dial    floods whoever it is connected with, and takes what comes, until it is killed
 */
#include "tests/unit/bus_pair.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/check.h"

#define KILLS          20
#define NOTICE_MAX_MS  1000 /* of a death: a fifth of what silence would take, on a busy machine */
#define CHANGES        150
#define PEER_QUEUE_MAX (8 * MESSAGE_MAX)
#define PEER_MESSAGES  64 /* that it sends in one go */

extern char **environ;

/* --- the peer */

static int run_peer(const char *url, const char *role) {
    bool listens = strcmp(role, "listen") == 0;
    struct bus_edge_config config = config_of(url, listens ? BUS_LISTEN : BUS_DIAL, "peer", "tester");
    config.queue_max_bytes = PEER_QUEUE_MAX;
    struct bus_edge *edge;
    if (bus_edge_open(&edge, &config, mono_now()) != 0) return 1;
    static uint8_t bytes[MESSAGE_MAX];
    for (uint32_t n = 0;; n++) {
        poll(&(struct pollfd){.fd = bus_edge_fd(edge), .events = POLLIN}, 1, 1);
        bus_update(edge, mono_now());
        const uint8_t *got;
        size_t len;
        while (bus_receive(edge, &got, &len) == 0) bus_release(edge);
        for (uint32_t i = 0; i < PEER_MESSAGES; i++)
            if (bus_send(edge, bytes, 1 + (n * 7919 + i * 104729) % MESSAGE_MAX) != 0) break;
    }
}

/* --- the tester */

struct tester {
    struct pair steady; /* beside it all: two edges that nobody disturbs */
    uint32_t said;
    char url[128];
    struct bus_edge_config config;
    struct bus_edge *edge;
    pid_t peer;
    const char *peer_role;
    uint64_t received;
};

static void peer_start(struct tester *t) {
    char *argv[] = {"test_bus_faults", "peer", t->url, (char *)(uintptr_t)t->peer_role, NULL};
    assert_int_equal(posix_spawn(&t->peer, "/proc/self/exe", NULL, NULL, argv, environ), 0);
}

static void peer_kill(struct tester *t) {
    assert_int_equal(kill(t->peer, SIGKILL), 0);
    assert_int_equal(waitpid(t->peer, NULL, 0), t->peer);
}

static void edge_open(struct tester *t) {
    assert_int_equal(bus_edge_open(&t->edge, &t->config, mono_now()), 0);
}

static void setup(struct tester *t, bool tcp, bool listens) {
    memset(t, 0, sizeof *t);
    pair_init(&t->steady, false);
    pair_open(&t->steady);
    connect_pair(&t->steady);
    if (tcp) {
        tcp_url(t->url);
    } else {
        snprintf(t->url, sizeof t->url, "ipc://%s/peer", t->steady.directory);
    }
    t->config = config_of(t->url, listens ? BUS_LISTEN : BUS_DIAL, "tester", "peer");
    t->peer_role = listens ? "dial" : "listen";
}

static void teardown(struct tester *t) {
    assert_int_equal(bus_generation(t->steady.zone), 1);
    assert_int_equal(bus_generation(t->steady.gateway), 1);
    assert_int_equal(statistics(t->steady.zone).gaps, 0);
    char path[128];
    snprintf(path, sizeof path, "%s/peer", t->steady.directory);
    unlink(path);
    pair_deinit(&t->steady);
}

/* turn is one turn of the loop: with the peer, in both directions, and one message between the steady ones. */
static void turn(struct tester *t) {
    if (t->edge) {
        poll(&(struct pollfd){.fd = bus_edge_fd(t->edge), .events = POLLIN}, 1, 1);
        bus_update(t->edge, mono_now());
        const uint8_t *bytes;
        size_t len;
        for (int i = 0; i < 16 && bus_receive(t->edge, &bytes, &len) == 0; i++) {
            t->received++;
            bus_release(t->edge);
        }
        static const uint8_t reply[5000];
        (void)!bus_send(t->edge, reply, sizeof reply);
    }
    t->steady.now = mono_now();
    t->said++;
    drain(t->steady.gateway);
    assert_int_equal(bus_send(t->steady.gateway, &t->said, sizeof t->said), 0);
    expect_message(&t->steady, t->steady.zone, &t->said, sizeof t->said);
}

/* TURN_UNTIL turns until a condition holds, and returns how long that took. */
#define TURN_UNTIL(t, condition)                                                                                            \
    ({                                                                                                                      \
        struct mono begin_ = mono_now();                                                                                    \
        while (!(condition)) {                                                                                              \
            if (mono_since_ns(mono_now(), begin_) > PATIENCE_MS * NS_PER_MS) fail_msg("waited in vain for %s", #condition); \
            turn(t);                                                                                                        \
        }                                                                                                                   \
        mono_since_ns(mono_now(), begin_) / NS_PER_MS;                                                                      \
    })

/* A peer that is killed is missed at once, wherever it was in its traffic; its successor is found. */
static void kill_many(bool tcp, bool listens) {
    struct tester t;
    setup(&t, tcp, listens);
    edge_open(&t);
    peer_start(&t);
    uint64_t slowest_ms = 0;
    for (uint32_t i = 1; i <= KILLS; i++) {
        uint64_t wanted = t.received + 1 + i * 37 % 200;
        TURN_UNTIL(&t, bus_connected(t.edge) && t.received >= wanted);
        uint32_t generation = bus_generation(t.edge);
        peer_kill(&t);
        uint64_t took_ms = TURN_UNTIL(&t, !bus_connected(t.edge) || bus_generation(t.edge) != generation);
        if (took_ms > slowest_ms) slowest_ms = took_ms;
        assert_true(took_ms < NOTICE_MAX_MS);
        peer_start(&t);
    }
    print_message("%d deaths, the slowest noticed after %u ms\n", KILLS, (unsigned)slowest_ms);
    assert_int_equal(statistics(t.edge).bad_frames + statistics(t.edge).gaps, 0);
    assert_int_equal(statistics(t.edge).timeouts, 0);
    bus_edge_close(t.edge);
    peer_kill(&t);
    teardown(&t);
}

static void test_bus_ipc_dialler_that_is_killed_is_missed_at_once(void **state) {
    (void)state;
    kill_many(false, true);
}

static void test_bus_ipc_listener_that_is_killed_is_missed_at_once(void **state) {
    (void)state;
    kill_many(false, false);
}

static void test_bus_tcp_dialler_that_is_killed_is_missed_at_once(void **state) {
    (void)state;
    kill_many(true, true);
}

static void test_bus_tcp_listener_that_is_killed_is_missed_at_once(void **state) {
    (void)state;
    kill_many(true, false);
}

static unsigned count_descriptors(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* An edge can be closed at any moment: before the peer is there, while it is greeted, in the middle of its messages. */
static void change_many(bool tcp, bool listens) {
    struct tester t;
    setup(&t, tcp, listens);
    peer_start(&t);
    unsigned before = count_descriptors();
    for (uint32_t i = 0; i < CHANGES; i++) {
        edge_open(&t);
        if (i % 8 == 7) TURN_UNTIL(&t, bus_connected(t.edge));
        if (i % 8 == 3) TURN_UNTIL(&t, t.received >= 20);
        for (uint32_t turns = i % 5; turns > 0; turns--) turn(&t);
        struct mono begin = mono_now();
        bus_edge_close(t.edge);
        assert_true(mono_since_ns(mono_now(), begin) < NOTICE_MAX_MS * NS_PER_MS);
        t.edge = NULL;
        t.received = 0;
    }
    TURN_UNTIL(&t, count_descriptors() <= before); /* nng closes them on a thread of its own */
    edge_open(&t);
    TURN_UNTIL(&t, t.received >= 20);
    bus_edge_close(t.edge);
    peer_kill(&t);
    teardown(&t);
}

static void test_bus_ipc_listeners_come_and_go_under_traffic(void **state) {
    (void)state;
    change_many(false, true);
}

static void test_bus_ipc_diallers_come_and_go_under_traffic(void **state) {
    (void)state;
    change_many(false, false);
}

static void test_bus_tcp_listeners_come_and_go_under_traffic(void **state) {
    (void)state;
    change_many(true, true);
}

static void test_bus_tcp_diallers_come_and_go_under_traffic(void **state) {
    (void)state;
    change_many(true, false);
}

/* A peer that is stopped for a while loses nothing; one that stays stopped is given up, and comes back. */
static void test_bus_stopped_peer_goes_on_or_comes_back(void **state) {
    (void)state;
    struct tester t;
    setup(&t, false, true);
    edge_open(&t);
    peer_start(&t);
    TURN_UNTIL(&t, t.received >= 100);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(kill(t.peer, SIGSTOP), 0);
        for (int turns = 0; turns < 100; turns++) turn(&t); /* its last messages are taken, and our queue fills */
        assert_int_equal(kill(t.peer, SIGCONT), 0);
        uint64_t wanted = t.received + 500;
        TURN_UNTIL(&t, t.received >= wanted);
    }
    assert_int_equal(bus_generation(t.edge), 1);
    assert_int_equal(statistics(t.edge).gaps, 0);

    assert_int_equal(kill(t.peer, SIGSTOP), 0);
    const uint8_t *bytes;
    size_t len;
    struct mono now = mono_now();
    while (bus_connected(t.edge)) {
        now = mono_add_ms(now, 100);
        bus_update(t.edge, now);
        while (bus_receive(t.edge, &bytes, &len) == 0) bus_release(t.edge);
        poll(NULL, 0, 1);
    }
    assert_int_equal(statistics(t.edge).timeouts, 1);
    assert_int_equal(kill(t.peer, SIGCONT), 0);
    uint64_t wanted = t.received + 100;
    TURN_UNTIL(&t, t.received >= wanted);
    assert_true(bus_generation(t.edge) >= 2);
    bus_edge_close(t.edge);
    peer_kill(&t);
    teardown(&t);
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "peer") == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        return run_peer(argv[2], argv[3]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_ipc_dialler_that_is_killed_is_missed_at_once),
        cmocka_unit_test(test_bus_ipc_listener_that_is_killed_is_missed_at_once),
        cmocka_unit_test(test_bus_tcp_dialler_that_is_killed_is_missed_at_once),
        cmocka_unit_test(test_bus_tcp_listener_that_is_killed_is_missed_at_once),
        cmocka_unit_test(test_bus_ipc_listeners_come_and_go_under_traffic),
        cmocka_unit_test(test_bus_ipc_diallers_come_and_go_under_traffic),
        cmocka_unit_test(test_bus_tcp_listeners_come_and_go_under_traffic),
        cmocka_unit_test(test_bus_tcp_diallers_come_and_go_under_traffic),
        cmocka_unit_test(test_bus_stopped_peer_goes_on_or_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
