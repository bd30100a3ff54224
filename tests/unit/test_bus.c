/* test_bus.c: edges over real sockets, ipc and tcp: what they carry, what they refuse, how connections come and go. */
#include "tests/unit/bus_pair.h"

#define DEATHS  12
#define CALLERS 500

static const uint8_t OTHER_KEY[32] = {3, 2, 1};

static void echo_sizes(bool tcp) {
    struct pair p;
    pair_init(&p, tcp);
    pair_open(&p);
    connect_pair(&p);
    static const size_t sizes[] = {1, 7, 255, 256, 1024, 32768, MESSAGE_MAX};
    static uint8_t bytes[MESSAGE_MAX];
    size_t count = sizeof sizes / sizeof *sizes;
    for (size_t i = 0; i < 2 * count; i++) {
        size_t len = sizes[i % count];
        fill(bytes, len, i >= count);
        assert_int_equal(bus_send(p.gateway, bytes, len), 0);
        expect_message(&p, p.zone, bytes, len);
        assert_int_equal(bus_send(p.zone, bytes, len), 0);
        expect_message(&p, p.gateway, bytes, len);
    }
    struct bus_statistics s = statistics(p.gateway);
    assert_int_equal(s.sent_frames, 14);
    assert_int_equal(s.received_frames, 14);
    assert_int_equal(s.received_bytes, s.sent_bytes);
    assert_int_equal(s.bad_frames + s.stale_frames + s.gaps, 0);
    assert_int_equal(s.connections, 1);
    assert_true(tcp ? s.wire_sent_bytes < s.sent_bytes : s.wire_sent_bytes > s.sent_bytes); /* half of it compresses */
    pair_deinit(&p);
}

static void test_bus_ipc_echoes_every_size(void **state) {
    (void)state;
    echo_sizes(false);
}

static void test_bus_tcp_echoes_every_size(void **state) {
    (void)state;
    echo_sizes(true);
}

static void test_bus_without_peer_refuses_to_send(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    update(&p);
    assert_false(bus_connected(p.zone));
    assert_int_equal(bus_generation(p.zone), 0);
    assert_int_equal(bus_send(p.zone, "x", 1), MARCH_ERR_NOT_FOUND);
    pair_deinit(&p);
}

static void test_bus_length_outside_limits_is_refused(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    static uint8_t bytes[MESSAGE_MAX + 1];
    assert_int_equal(bus_send(p.gateway, bytes, 0), MARCH_ERR_INVALID);
    assert_int_equal(bus_send(p.gateway, bytes, MESSAGE_MAX + 1), MARCH_ERR_INVALID);
    pair_deinit(&p);
}

static void reconnect(bool tcp) {
    struct pair p;
    pair_init(&p, tcp);
    pair_open(&p);
    connect_pair(&p);
    for (uint32_t life = 2; life <= 4; life++) {
        bus_edge_close(p.zone);
        p.zone = NULL;
        WAIT_UNTIL(&p, !bus_connected(p.gateway), drain(p.gateway));
        assert_int_equal(bus_send(p.gateway, "lost", 4), MARCH_ERR_NOT_FOUND);
        assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
        connect_pair(&p);
        assert_true(bus_generation(p.gateway) >= life);
        assert_int_equal(bus_send(p.gateway, &life, sizeof life), 0);
        expect_message(&p, p.zone, &life, sizeof life);
    }
    pair_deinit(&p);
}

static void test_bus_ipc_peer_reopened_connects_again(void **state) {
    (void)state;
    reconnect(false);
}

static void test_bus_tcp_peer_reopened_connects_again(void **state) {
    (void)state;
    reconnect(true);
}

/* The gateway sends without anyone reading until it is refused. What it was promised arrives, in order. */
static void test_bus_full_queue_refuses_and_keeps_order(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    static uint8_t bytes[MESSAGE_MAX];
    uint32_t sent = 0;
    for (; sent < 10000; sent++) {
        memcpy(bytes, &sent, sizeof sent);
        if (bus_send(p.gateway, bytes, sizeof bytes) != 0) break;
    }
    assert_in_range(sent, 1, 9999);
    assert_int_equal(bus_send(p.gateway, bytes, sizeof bytes), MARCH_ERR_FULL);
    struct bus_statistics s = statistics(p.gateway);
    assert_int_equal(s.dropped_full, 2);
    assert_int_equal(s.sent_frames, sent);
    assert_true(s.queue_messages > 0 && s.queue_bytes <= p.gateway_config.queue_max_bytes + BUS_FRAME_OVERHEAD_BYTES);
    for (uint32_t i = 0; i < sent; i++) {
        memcpy(bytes, &i, sizeof i);
        expect_message(&p, p.zone, bytes, sizeof bytes);
    }
    WAIT_UNTIL(&p, statistics(p.gateway).queue_messages == 0, drain_both(&p)); /* sent is told by another thread */
    assert_int_equal(statistics(p.gateway).queue_bytes, 0);
    assert_int_equal(statistics(p.zone).gaps, 0);
    pair_deinit(&p);
}

/* Message `n` of a flow: its length and content follow from n, over every size in a hundred thousand messages or so. */
static size_t flow_message(uint8_t *bytes, uint32_t n, size_t len_max) {
    size_t len = sizeof n + n * 7919 % (len_max + 1 - sizeof n);
    memset(bytes, (int)n, len);
    memcpy(bytes, &n, sizeof n);
    return len;
}

static void flow_check(const uint8_t *got, size_t got_len, uint32_t n, size_t len_max) {
    static uint8_t bytes[MESSAGE_MAX];
    assert_int_equal(got_len, flow_message(bytes, n, len_max));
    assert_memory_equal(got, bytes, got_len);
}

/* flow_send sends as much as goes, flow_receive takes up to `most`. */
static void flow_send(struct bus_edge *edge, uint32_t *sent, uint32_t end, size_t len_max) {
    static uint8_t bytes[MESSAGE_MAX];
    for (; *sent < end; (*sent)++)
        if (bus_send(edge, bytes, flow_message(bytes, *sent, len_max)) != 0) return;
}

static void flow_receive(struct bus_edge *edge, uint32_t *received, uint32_t most, size_t len_max) {
    const uint8_t *got;
    size_t len;
    for (; most > 0 && bus_receive(edge, &got, &len) == 0; most--) {
        flow_check(got, len, (*received)++, len_max);
        bus_release(edge);
    }
}

/* Both directions at once, and readers that take a few at a time: every ring runs full, wraps and starts again. */
static void flow_both_ways(bool tcp, size_t len_max, uint32_t count) {
    struct pair p;
    pair_init(&p, tcp);
    pair_open(&p);
    connect_pair(&p);
    uint32_t sent[2] = {0}, received[2] = {0};
    uint32_t turn = 0;
    WAIT_UNTIL(&p, received[0] == count && received[1] == count,
               (flow_send(p.gateway, &sent[0], count, len_max), flow_send(p.zone, &sent[1], count, len_max),
                flow_receive(p.zone, &received[0], ++turn % 7 * 5, len_max),
                flow_receive(p.gateway, &received[1], turn % 5 * 9, len_max)));
    assert_int_equal(statistics(p.zone).gaps + statistics(p.gateway).gaps, 0);
    assert_int_equal(bus_generation(p.zone), 1);
    pair_deinit(&p);
}

static void test_bus_messages_of_every_size_flow_both_ways(void **state) {
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        flow_both_ways(tcp, 300, 40000);
        flow_both_ways(tcp, 5000, 10000);
        flow_both_ways(tcp, MESSAGE_MAX, 1500);
    }
}

/* A reader that stops: what is on its way has a limit, the sender is refused, and when it goes on nothing is missing. */
static void test_bus_reader_that_stops_holds_the_sender_up(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    uint32_t sent = 0, received = 0;
    for (int stop = 0; stop < 5; stop++) {
        uint32_t before = received;
        WAIT_UNTIL(
            &p, statistics(p.gateway).queue_messages == BUS_QUEUE_MESSAGES_MAX, /* small ones: their number is the limit */
            (flow_send(p.gateway, &sent, UINT32_MAX, 100), drain(p.gateway)));
        assert_int_equal(bus_send(p.gateway, "x", 1), MARCH_ERR_FULL);
        assert_in_range(sent - before, BUS_QUEUE_MESSAGES_MAX, 20000);
        uint32_t end = sent;
        WAIT_UNTIL(&p, received == end && statistics(p.gateway).queue_messages == 0,
                   (flow_receive(p.zone, &received, 100, 100), drain(p.gateway)));
    }
    assert_int_equal(statistics(p.zone).gaps, 0);
    assert_int_equal(bus_generation(p.zone), 1);
    pair_deinit(&p);
}

/* ring_bytes adds up what the rings of this process hold in memory; a page that both mappings have used counts twice. */
static size_t ring_bytes(void) {
    FILE *file = fopen("/proc/self/smaps", "r");
    assert_non_null(file);
    char line[512];
    bool is_ring = false;
    size_t sum = 0, kib, begin, end;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%zx-%zx ", &begin, &end) == 2) is_ring = strstr(line, "march-ring") != NULL;
        if (is_ring && sscanf(line, "Rss: %zu kB", &kib) == 1) sum += kib * 1024;
    }
    fclose(file);
    return sum;
}

/* Of the megabytes that an edge has for large messages one of small messages touches little. */
static void test_bus_small_messages_stay_in_few_pages(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    p.zone_config.frame_max_bytes = p.gateway_config.frame_max_bytes = BUS_FRAME_BYTES_MAX;
    p.zone_config.queue_max_bytes = p.gateway_config.queue_max_bytes = 8 * BUS_FRAME_BYTES_MAX;
    pair_open(&p);
    connect_pair(&p);
    static uint8_t bytes[1000];
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(bus_send(p.gateway, bytes, sizeof bytes), 0);
        expect_message(&p, p.zone, bytes, sizeof bytes);
        WAIT_UNTIL(&p, statistics(p.gateway).queue_messages == 0, drain_both(&p));
    }
    assert_in_range(ring_bytes(), 1, 128 * 1024);
    pair_deinit(&p);
}

/* A process that was stopped for a minute does not take that for its peer's silence. */
static void test_bus_own_pause_is_not_held_against_the_peer(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    for (int i = 0; i < 20; i++) {
        p.now = mono_add_ms(p.now, 60000);
        update(&p);
    }
    assert_int_equal(statistics(p.zone).timeouts + statistics(p.gateway).timeouts, 0);
    assert_int_equal(bus_send(p.gateway, "still", 5), 0);
    expect_message(&p, p.zone, "still", 5);
    assert_int_equal(bus_generation(p.zone), 1);
    pair_deinit(&p);
}

/* The descriptor can be polled: it says that something came, as long as it has not been looked at. */
static void test_bus_descriptor_is_readable_until_all_is_taken(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    struct pollfd wait = {.fd = bus_edge_fd(p.zone), .events = POLLIN};
    const uint8_t *bytes;
    size_t len;
    for (int i = 0; i < 200; i++) {
        drain(p.zone);
        for (int n = 0; n < 3; n++) assert_int_equal(bus_send(p.gateway, &n, sizeof n), 0);
        for (int taken = 0; taken < 3; taken++) {
            assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
            if (bus_receive(p.zone, &bytes, &len) == 0) {
                assert_memory_equal(bytes, &taken, sizeof taken);
                bus_release(p.zone);
            } else {
                taken--; /* raised for the message before this one */
            }
        }
    }
    WAIT_UNTIL(&p, poll(&wait, 1, 0) == 0, drain_both(&p));
    pair_deinit(&p);
}

static void send_until_full(struct bus_edge *edge) {
    static const uint8_t bytes[MESSAGE_MAX];
    while (bus_send(edge, bytes, sizeof bytes) == 0) continue;
}

/* The zone hangs until the gateway has given it up. What was on its way and in the queue never reaches the next connection.
 */
static void test_bus_messages_of_a_lost_connection_are_dropped(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    struct bus_edge *zone = p.zone;
    p.zone = NULL;
    WAIT_UNTIL(&p, !bus_connected(p.gateway),
               (send_until_full(p.gateway), drain(p.gateway), p.now = mono_add_ms(p.now, 100)));
    assert_true(statistics(p.gateway).dropped_closed > 0);
    assert_int_equal(statistics(p.gateway).queue_messages, 0);
    uint64_t sent = statistics(p.gateway).sent_frames;
    p.zone = zone;
    WAIT_UNTIL(&p, bus_generation(p.zone) >= 2 && bus_connected(p.zone) && bus_connected(p.gateway),
               (drain(p.gateway), drain_old(p.zone)));
    assert_true(statistics(p.zone).received_frames + statistics(p.gateway).dropped_closed <= sent);
    assert_int_equal(bus_send(p.gateway, "new", 3), 0);
    expect_message(&p, p.zone, "new", 3);
    pair_deinit(&p);
}

static void test_bus_oversize_frame_ends_the_connection_only(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    p.gateway_config.frame_max_bytes = 2 * MESSAGE_MAX; /* a peer that does not keep to the limit */
    pair_open(&p);
    connect_pair(&p);
    static uint8_t bytes[2 * MESSAGE_MAX];
    assert_int_equal(bus_send(p.gateway, bytes, sizeof bytes), 0);
    WAIT_UNTIL(&p, bus_generation(p.zone) >= 2 && bus_connected(p.zone) && bus_connected(p.gateway), drain_both(&p));
    assert_int_equal(bus_send(p.gateway, bytes, MESSAGE_MAX), 0);
    expect_message(&p, p.zone, bytes, MESSAGE_MAX);
    pair_deinit(&p);
}

static void test_bus_peer_with_another_key_never_connects(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, true);
    p.gateway_config.key = OTHER_KEY;
    pair_open(&p);
    WAIT_UNTIL(&p, statistics(p.zone).bad_frames > 0 && statistics(p.gateway).bad_frames > 0, drain_both(&p));
    assert_false(bus_connected(p.zone) || bus_connected(p.gateway));
    /* and is turned out after a while, so that it does not hold the place of the right one */
    WAIT_UNTIL(&p, statistics(p.zone).timeouts > 0, (drain_both(&p), p.now = mono_add_ms(p.now, 100)));
    bus_edge_close(p.gateway);
    p.gateway_config.key = KEY;
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    connect_pair(&p);
    pair_deinit(&p);
}

static void test_bus_silent_peer_is_given_up(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    struct bus_edge *zone = p.zone;
    p.zone = NULL; /* the zone's thread hangs */
    WAIT_UNTIL(&p, !bus_connected(p.gateway), (drain(p.gateway), p.now = mono_add_ms(p.now, 100)));
    assert_int_equal(statistics(p.gateway).timeouts, 1);
    p.zone = zone; /* and goes on */
    WAIT_UNTIL(&p, bus_generation(p.gateway) >= 2 && bus_connected(p.gateway) && bus_connected(p.zone), drain_both(&p));
    pair_deinit(&p);
}

static void test_bus_idle_connection_is_kept_alive(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, true);
    pair_open(&p);
    connect_pair(&p);
    struct mono start = p.now;
    uint64_t received = statistics(p.zone).wire_received_bytes;
    while (mono_since_ns(p.now, start) < 3 * BUS_SILENCE_MAX_MS * NS_PER_MS) {
        for (int i = 0; i < BUS_KEEP_ALIVE_MS / 100; i++) {
            p.now = mono_add_ms(p.now, 100);
            update(&p);
        }
        WAIT_UNTIL(&p, statistics(p.zone).wire_received_bytes > received, drain_both(&p));
        received = statistics(p.zone).wire_received_bytes;
    }
    assert_int_equal(bus_generation(p.zone), 1);
    assert_int_equal(statistics(p.zone).timeouts, 0);
    pair_deinit(&p);
}

/* listen_bare listens at the pair's ipc address, without nng. */
static int listen_bare(const struct pair *p) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", p->listen_url + strlen("ipc://"));
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* await_connection lets real time pass until both ends know each other. */
static void await_connection(struct pair *p) {
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    while (!bus_connected(p->gateway) || !bus_connected(p->zone)) {
        assert_false(mono_reached(p->now, deadline));
        poll(NULL, 0, 1);
        p->now = mono_now();
        update(p);
        drain_both(p);
    }
}

/* A peer that dies in the moment in which it is dialled: nng's own dialler would sooner or later give up for ever. */
static void test_bus_peer_that_dies_when_dialled_is_dialled_again(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    for (int i = 0; i < DEATHS; i++) {
        struct pollfd wait = {.fd = listen_bare(&p), .events = POLLIN};
        struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
        while (poll(&wait, 1, i % 2 == 0 ? 0 : 20) == 0) {
            assert_false(mono_reached(mono_now(), deadline));
            bus_update(p.gateway, mono_now());
        }
        close(wait.fd);
    }
    p.now = mono_now();
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    await_connection(&p);
    pair_deinit(&p);
}

/* The same from the other side: those who connect are gone before they are greeted. */
static void test_bus_listener_whose_peers_die_when_they_connect_goes_on(void **state) {
    (void)state;
    struct pair p;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pair_init(&p, false);
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", p.listen_url + strlen("ipc://"));
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    for (int i = 0; i < CALLERS; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fd, (struct sockaddr *)&address, sizeof address); /* refused where the backlog is full */
        close(fd);
        if (i % 3 == 0) update(&p);
    }
    p.now = mono_now();
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    await_connection(&p);
    pair_deinit(&p);
}

/* Hours without a peer: then it is there, and is found at once. */
static void test_bus_peer_that_was_away_is_dialled_when_it_comes(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    for (int minutes = 0; minutes < 200; minutes++) {
        p.now = mono_add_ms(p.now, 60000);
        bus_update(p.gateway, p.now);
    }
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    WAIT_UNTIL(&p, bus_connected(p.zone) && bus_connected(p.gateway), (drain_both(&p), p.now = mono_add_ms(p.now, 1)));
    assert_int_equal(bus_generation(p.gateway), 1);
    pair_deinit(&p);
}

static void test_bus_bad_configuration_is_refused(void **state) {
    (void)state;
    struct bus_edge *edge;
    struct mono now = mono_now();
    struct bus_edge_config good = config_of("tcp://127.0.0.1:1", BUS_DIAL, "a", "b"), c = good;
    c.key = NULL; /* never unsealed over tcp */
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.url = "ws://127.0.0.1:1";
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.peer_name = "a";
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.local_name = "a name of 32 bytes is one too long";
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.queue_max_bytes = 1;
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.frame_max_bytes = BUS_FRAME_BYTES_MAX + 1;
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    bus_edge_close(NULL);
}

static void test_bus_address_in_use_is_said(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, true);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    struct bus_edge *second;
    assert_int_equal(bus_edge_open(&second, &p.zone_config, p.now), MARCH_ERR_EXISTS);
    pair_deinit(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_ipc_echoes_every_size),
        cmocka_unit_test(test_bus_tcp_echoes_every_size),
        cmocka_unit_test(test_bus_without_peer_refuses_to_send),
        cmocka_unit_test(test_bus_length_outside_limits_is_refused),
        cmocka_unit_test(test_bus_ipc_peer_reopened_connects_again),
        cmocka_unit_test(test_bus_tcp_peer_reopened_connects_again),
        cmocka_unit_test(test_bus_full_queue_refuses_and_keeps_order),
        cmocka_unit_test(test_bus_messages_of_every_size_flow_both_ways),
        cmocka_unit_test(test_bus_reader_that_stops_holds_the_sender_up),
        cmocka_unit_test(test_bus_small_messages_stay_in_few_pages),
        cmocka_unit_test(test_bus_own_pause_is_not_held_against_the_peer),
        cmocka_unit_test(test_bus_descriptor_is_readable_until_all_is_taken),
        cmocka_unit_test(test_bus_messages_of_a_lost_connection_are_dropped),
        cmocka_unit_test(test_bus_oversize_frame_ends_the_connection_only),
        cmocka_unit_test(test_bus_peer_with_another_key_never_connects),
        cmocka_unit_test(test_bus_silent_peer_is_given_up),
        cmocka_unit_test(test_bus_idle_connection_is_kept_alive),
        cmocka_unit_test(test_bus_peer_that_dies_when_dialled_is_dialled_again),
        cmocka_unit_test(test_bus_listener_whose_peers_die_when_they_connect_goes_on),
        cmocka_unit_test(test_bus_peer_that_was_away_is_dialled_when_it_comes),
        cmocka_unit_test(test_bus_bad_configuration_is_refused),
        cmocka_unit_test(test_bus_address_in_use_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
