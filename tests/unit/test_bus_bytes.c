/* test_bus_bytes.c: what an edge makes of bytes that did not come from an edge: frames that a man in the middle has changed,
 * kept and repeated, parts of frames, and streams that are not ours. */
#include "tests/unit/bus_pair.h"

#include "common/bus_session.h"
#include "common/bus_stream.h"
#include "common/bytes.h"

#define BUFFER_BYTES (4 * MESSAGE_MAX)

/* One socket, and what came from it. */
struct plain {
    int fd;
    size_t len;
    uint8_t bytes[BUFFER_BYTES];
};

static struct sockaddr_un ipc_address(const struct pair *p) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", p->listen_url + strlen("ipc://"));
    return address;
}

static void plain_close(struct plain *s) {
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    s->len = 0;
}

/* plain_read takes what is there; false when the other side has ended the stream. */
static bool plain_read(struct plain *s) {
    for (;;) {
        ssize_t count = recv(s->fd, s->bytes + s->len, sizeof s->bytes - s->len, MSG_DONTWAIT);
        if (count < 0) return errno == EAGAIN;
        if (count == 0) return false;
        s->len += (size_t)count;
    }
}

static void plain_write(struct plain *s, const void *bytes, size_t len) {
    assert_int_equal(send(s->fd, bytes, len, MSG_NOSIGNAL), len);
}

/* frame_size returns the size on the wire of the first frame that came, 0 while it is not whole. */
static size_t frame_size(const struct plain *s, size_t *frame_len) {
    if (s->len < BUS_STREAM_PREFIX_BYTES) return 0;
    *frame_len = (size_t)load_le(s->bytes, 4);
    assert_memory_equal(s->bytes + 4, "bus1", 4);
    size_t size = (BUS_STREAM_PREFIX_BYTES + *frame_len + 7) / 8 * 8;
    return s->len >= size ? size : 0;
}

static void plain_drop(struct plain *s, size_t size) {
    s->len -= size;
    memmove(s->bytes, s->bytes + size, s->len);
}

/* Man in the middle: forwards frames between the edges, and can keep, repeat and change them. Where one side goes it waits
 * for it to come back, and keeps the other. */
struct middle {
    struct plain to_gateway, to_zone;
    int listener;
    struct sockaddr_in zone_address;
    struct plain kept; /* the newest frame from gateway to zone, where `keep` */
    bool keep;
    int flips_left;
};

static struct sockaddr_in tcp_address(const char *url) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    return address;
}

static void middle_open(struct middle *m, struct pair *p) {
    memset(m, 0, sizeof *m);
    m->to_gateway.fd = m->to_zone.fd = -1;
    m->zone_address = tcp_address(p->listen_url);
    tcp_url(p->dial_url);
    struct sockaddr_in address = tcp_address(p->dial_url);
    m->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(setsockopt(m->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(m->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(m->listener, 4), 0);
}

static void middle_close(struct middle *m) {
    plain_close(&m->to_gateway);
    plain_close(&m->to_zone);
    close(m->listener);
}

static void dial_zone(struct middle *m) {
    m->to_zone.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(m->to_zone.fd, (struct sockaddr *)&m->zone_address, sizeof m->zone_address) != 0) plain_close(&m->to_zone);
}

static void tamper(struct middle *m, size_t size, size_t frame_len) {
    if (m->keep) {
        memcpy(m->kept.bytes, m->to_gateway.bytes, size);
        m->kept.len = size;
    }
    if (m->flips_left == 0) return;
    m->to_gateway.bytes[BUS_STREAM_PREFIX_BYTES + frame_len - 1 - (size_t)m->flips_left] ^= 1;
    m->flips_left--;
}

static void middle_turn(void *context) {
    struct middle *m = context;
    if (m->to_gateway.fd < 0) m->to_gateway.fd = accept(m->listener, NULL, NULL);
    if (m->to_zone.fd < 0) dial_zone(m);
    if (m->to_gateway.fd < 0 || m->to_zone.fd < 0) return;
    bool gateway_lives = plain_read(&m->to_gateway), zone_lives = plain_read(&m->to_zone);
    size_t size, frame_len;
    while (zone_lives && (size = frame_size(&m->to_gateway, &frame_len)) > 0) {
        tamper(m, size, frame_len);
        plain_write(&m->to_zone, m->to_gateway.bytes, size);
        plain_drop(&m->to_gateway, size);
    }
    while (gateway_lives && (size = frame_size(&m->to_zone, &frame_len)) > 0) {
        plain_write(&m->to_gateway, m->to_zone.bytes, size);
        plain_drop(&m->to_zone, size);
    }
    if (!gateway_lives) plain_close(&m->to_gateway);
    if (!zone_lives) plain_close(&m->to_zone);
}

static void open_through_middle(struct pair *p, struct middle *m) {
    pair_init(p, true);
    middle_open(m, p);
    p->between = middle_turn;
    p->context = m;
    pair_open(p);
    connect_pair(p);
}

static struct middle middle; /* large */

static void test_bus_flipped_frame_is_refused_and_counted(void **state) {
    (void)state;
    struct pair p;
    open_through_middle(&p, &middle);
    middle.flips_left = 3;
    for (int i = 0; i < 3; i++) assert_int_equal(bus_send(p.gateway, "flipped", 7), 0);
    WAIT_UNTIL(&p, statistics(p.zone).bad_frames == 3, drain_both(&p));
    assert_int_equal(bus_send(p.gateway, "whole", 5), 0);
    expect_message(&p, p.zone, "whole", 5);
    assert_int_equal(statistics(p.zone).gaps, 3);
    middle_close(&middle);
    pair_deinit(&p);
}

static void test_bus_replayed_frame_is_refused_and_counted(void **state) {
    (void)state;
    struct pair p;
    open_through_middle(&p, &middle);
    middle.keep = true;
    assert_int_equal(bus_send(p.gateway, "pay 5", 5), 0);
    expect_message(&p, p.zone, "pay 5", 5);
    middle.keep = false;
    for (int i = 0; i < 4; i++) /* replayed, and reflected */
        plain_write(i % 2 ? &middle.to_gateway : &middle.to_zone, middle.kept.bytes, middle.kept.len);
    WAIT_UNTIL(&p, statistics(p.zone).stale_frames == 2 && statistics(p.gateway).stale_frames == 2, drain_both(&p));

    bus_edge_close(p.zone); /* nor does the next life of the receiver take it, though the gateway's connection lasts */
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    WAIT_UNTIL(&p, bus_connected(p.zone) && bus_connected(p.gateway), drain_both(&p));
    plain_write(&middle.to_zone, middle.kept.bytes, middle.kept.len);
    WAIT_UNTIL(&p, statistics(p.zone).stale_frames == 1, drain_both(&p));
    assert_int_equal(bus_send(p.gateway, "pay 6", 5), 0);
    expect_message(&p, p.zone, "pay 6", 5);
    middle_close(&middle);
    pair_deinit(&p);
}

/* A gateway on a plain socket, which keeps to the protocol as far as the tests let it. */
struct bare {
    struct plain socket;
    struct bus_frame_codec codec;
    struct bus_session session;
};

static void bare_dial(struct bare *b, const struct pair *p) {
    memset(b, 0, sizeof *b);
    assert_int_equal(bus_frame_codec_init(&b->codec, NULL, "gateway-0", "zone-0", MESSAGE_MAX), 0);
    bus_session_init(&b->session, &b->codec);
    bus_session_restart(&b->session, true);
    struct sockaddr_un address = ipc_address(p);
    b->socket.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(b->socket.fd, (struct sockaddr *)&address, sizeof address), 0);
}

/* prefixed lays a frame of `len` bytes out in `out`, where it is at 8 already, and returns its size. */
static size_t prefixed(uint8_t *out, size_t len) {
    size_t size = (BUS_STREAM_PREFIX_BYTES + len + 7) / 8 * 8;
    store_le(out, len, 4);
    memcpy(out + 4, "bus1", 4);
    memset(out + BUS_STREAM_PREFIX_BYTES + len, 0, size - BUS_STREAM_PREFIX_BYTES - len);
    return size;
}

/* bare_turn takes greetings and answers them; false when the edge has ended the stream. */
static bool bare_turn(struct bare *b) {
    bool lives = plain_read(&b->socket);
    size_t size, frame_len, len;
    const uint8_t *message;
    while ((size = frame_size(&b->socket, &frame_len)) > 0) {
        assert_int_equal(
            bus_session_receive(&b->session, b->socket.bytes + BUS_STREAM_PREFIX_BYTES, frame_len, &message, &len),
            MARCH_ERR_EMPTY);
        plain_drop(&b->socket, size);
    }
    if (lives && b->session.greeting_due) {
        uint8_t greeting[128] = {0};
        plain_write(&b->socket, greeting, prefixed(greeting, bus_session_greet(&b->session, greeting + 8)));
    }
    return lives;
}

static void bare_connect(struct bare *b, struct pair *p) {
    bare_dial(b, p);
    WAIT_UNTIL(p, bus_connected(p->zone) && b->session.open, (assert_true(bare_turn(b)), drain(p->zone)));
}

static void bare_close(struct bare *b) {
    plain_close(&b->socket);
    bus_frame_codec_deinit(&b->codec);
}

static struct bare bare; /* large */

static void test_bus_frame_in_parts_arrives_whole(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    bare_connect(&bare, &p);
    static uint8_t message[300], wire[2][512];
    fill(message, sizeof message, true);
    size_t sizes[2];
    for (int i = 0; i < 2; i++)
        sizes[i] = prefixed(wire[i], bus_session_seal(&bare.session, message, 300 - 7 * (size_t)i, wire[i] + 8));
    for (size_t i = 0; i + 1 < sizes[0]; i++) { /* one by one: there is no message before the last */
        plain_write(&bare.socket, wire[0] + i, 1);
        update(&p);
        drain(p.zone);
    }
    static uint8_t rest[1024]; /* the last byte of one, the first half of the next */
    rest[0] = wire[0][sizes[0] - 1];
    memcpy(rest + 1, wire[1], sizes[1]);
    plain_write(&bare.socket, rest, 1 + sizes[1] / 2);
    expect_message(&p, p.zone, message, 300);
    drain(p.zone);
    plain_write(&bare.socket, rest + 1 + sizes[1] / 2, sizes[1] - sizes[1] / 2);
    expect_message(&p, p.zone, message, 293);
    bare_close(&bare);
    pair_deinit(&p);
}

/* What is written after the greetings ends the connection, is counted, and does no harm to the next. */
static void ends_connection(const void *bytes, size_t len) {
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    bare_connect(&bare, &p);
    plain_write(&bare.socket, bytes, len);
    WAIT_UNTIL(&p, !bare_turn(&bare), drain(p.zone));
    assert_false(bus_connected(p.zone));
    assert_int_equal(statistics(p.zone).bad_frames, 1);
    bare_close(&bare);
    bare_connect(&bare, &p);
    assert_int_equal(bus_generation(p.zone), 2);
    assert_int_equal(statistics(p.zone).bad_frames, 1);
    bare_close(&bare);
    pair_deinit(&p);
}

static void test_bus_length_out_of_bounds_ends_the_connection_only(void **state) {
    (void)state;
    static const uint32_t lengths[] = {0, BUS_FRAME_HEADER_BYTES - 1, MESSAGE_MAX + BUS_FRAME_OVERHEAD_BYTES + 1,
                                       UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t prefix[8];
        store_le(prefix, lengths[i], 4);
        memcpy(prefix + 4, "bus1", 4);
        ends_connection(prefix, sizeof prefix);
    }
}

static void test_bus_garbage_ends_the_connection_only(void **state) {
    (void)state;
    static uint8_t garbage[40000];
    fill(garbage, sizeof garbage, true);
    ends_connection(garbage, sizeof garbage);
    ends_connection("GET / HTTP/1.1\r\n\r\n", 18);
}

/* Frames of the right form that no session is in are refused one by one; the connection lasts. */
static void test_bus_frames_of_garbage_are_counted(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    bare_connect(&bare, &p);
    uint8_t wire[128];
    for (size_t len = BUS_FRAME_HEADER_BYTES; len < 100; len++) {
        fill(wire + 8, len, true);
        plain_write(&bare.socket, wire, prefixed(wire, len));
    }
    WAIT_UNTIL(&p, statistics(p.zone).bad_frames == 100 - BUS_FRAME_HEADER_BYTES, drain(p.zone));
    assert_true(bus_connected(p.zone));
    bare_close(&bare);
    pair_deinit(&p);
}

/* What a peer says before it goes is heard, though it has gone. */
static void test_bus_last_words_are_received(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    bare_connect(&bare, &p);
    uint8_t wire[128];
    for (uint32_t i = 0; i < 100; i++) {
        size_t size = prefixed(wire, bus_session_seal(&bare.session, &i, sizeof i, wire + 8));
        plain_write(&bare.socket, wire, size);
    }
    bare_close(&bare);
    for (uint32_t i = 0; i < 100; i++) expect_message(&p, p.zone, &i, sizeof i);
    WAIT_UNTIL(&p, !bus_connected(p.zone), drain(p.zone));
    pair_deinit(&p);
}

/* Whoever connects while a peer is there is not heard, and does not disturb; when the peer goes, it is served. */
static void test_bus_newcomer_waits_until_the_peer_has_gone(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p);
    bare_dial(&bare, &p);
    static uint8_t garbage[1000];
    plain_write(&bare.socket, garbage, sizeof garbage);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(bus_send(p.gateway, &i, sizeof i), 0);
        expect_message(&p, p.zone, &i, sizeof i);
    }
    bare_close(&bare);
    assert_int_equal(bus_generation(p.zone), 1);
    assert_int_equal(statistics(p.zone).bad_frames, 0);
    bare_dial(&bare, &p);
    bus_edge_close(p.gateway);
    p.gateway = NULL;
    WAIT_UNTIL(&p, bare.session.open && bus_generation(p.zone) == 2, (bare_turn(&bare), drain(p.zone)));
    assert_int_equal(bus_generation(p.zone), 2);
    bare_close(&bare);
    pair_deinit(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_flipped_frame_is_refused_and_counted),
        cmocka_unit_test(test_bus_replayed_frame_is_refused_and_counted),
        cmocka_unit_test(test_bus_frame_in_parts_arrives_whole),
        cmocka_unit_test(test_bus_length_out_of_bounds_ends_the_connection_only),
        cmocka_unit_test(test_bus_garbage_ends_the_connection_only),
        cmocka_unit_test(test_bus_frames_of_garbage_are_counted),
        cmocka_unit_test(test_bus_last_words_are_received),
        cmocka_unit_test(test_bus_newcomer_waits_until_the_peer_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
