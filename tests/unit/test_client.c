/* The client library against the real netcode server and channel, over a simulated network. */
#include "schemas/wire.h"
#include "tests/unit/client_fixture.h"

#include <math.h>

static const struct march_config defaults;

static void test_client_connects_and_takes_its_leave(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_DISCONNECTED);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_NONE);
    assert_int_equal(march_client_server_address(f->client).family, 0);
    uint8_t token[MARCH_TOKEN_BYTES];
    fixture_token(f, 1, token);
    assert_int_equal(march_client_connect(f->client, token, f->now.ns, fixture_wall_s(f)), 0);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_CONNECTING);
    struct march_address address = march_client_server_address(f->client);
    assert_int_equal(address.family, 4);
    assert_int_equal(address.port, 40000);
    assert_memory_equal(address.bytes, "\xcb\0\x71\1", 4);
    assert_int_equal(march_client_send(f->client, f->now.ns, token, 1), MARCH_CLIENT_NOT_FOUND);
    fixture_run(f, 500);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_CONNECTED);
    assert_true(f->connected);

    march_client_disconnect(f->client);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_DISCONNECTED);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_REQUESTED);
    fixture_run(f, 100);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_REQUESTED);
    assert_true(f->client_left);

    fixture_token(f, 2, token); /* and again, with all that was known forgotten */
    assert_int_equal(march_client_connect(f->client, token, f->now.ns, fixture_wall_s(f)), 0);
    struct march_entity entities[8];
    struct march_stats stats;
    march_client_stats(f->client, &stats);
    assert_int_equal(march_client_entities(f->client, f->now.ns, entities, 8), 0);
    assert_int_equal(stats.entities, 0);
    fixture_run(f, 500);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_CONNECTED);
    assert_int_equal(march_client_entities(f->client, f->now.ns, entities, 8), FIXTURE_ENTITIES);
    fixture_destroy(f);
}

/* What is shown is two snapshots old; the own entity of the newest one is ahead of that, where the server had it. */
static void test_client_own_entity_is_that_of_the_newest_snapshot(void **state) {
    (void)state;
    struct march_entity own, entities[8];
    struct fixture *f = fixture_create(&defaults);
    assert_false(march_client_own(f->client, &own));
    fixture_connect(f);
    fixture_run(f, 1000);
    unsigned ahead = 0;
    for (unsigned i = 0; i < 200; i++) {
        fixture_step(f);
        assert_true(march_client_own(f->client, &own));
        assert_true(own.id == f->own_id && own.own);
        assert_int_equal(march_client_entities(f->client, f->now.ns, entities, 8), FIXTURE_ENTITIES);
        bool is_known = false; /* it is where it was at the tick of a snapshot of the last 60 ms */
        uint32_t now = FIXTURE_TICK_AT_0 + (uint32_t)fixture_tick(f);
        for (uint32_t tick = now - 4; tick != now + 1; tick++) {
            struct net_state at = fixture_entity(0, tick);
            is_known = is_known || hypotf(own.x_m - (float)at.x / 64, own.y_m - (float)at.y / 64) < 0.01f;
        }
        assert_true(is_known);
        ahead += hypotf(own.x_m - entities[0].x_m, own.y_m - entities[0].y_m) > 0.1f;
    }
    assert_true(ahead > 100);
    fixture_destroy(f);
}

static void test_client_ends_of_a_session_have_reasons(void **state) {
    (void)state;
    uint8_t token[MARCH_TOKEN_BYTES];
    struct fixture *f = fixture_create(&defaults);
    fixture_token(f, 1, token);
    assert_int_equal(march_client_connect(f->client, token, f->now.ns, fixture_wall_s(f) + 30), MARCH_CLIENT_EXPIRED);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_EXPIRED);
    token[0] ^= 1;
    assert_int_equal(march_client_connect(f->client, token, f->now.ns, fixture_wall_s(f)), MARCH_CLIENT_INVALID);

    fixture_connect(f);
    struct netcode_sink sink = fixture_sink(f);
    netcode_server_disconnect(f->server, f->slot, &sink);
    f->connected = false;
    fixture_run(f, 100);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_DISCONNECTED);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_SERVER);

    fixture_connect(f);
    f->mute = true;
    fixture_run(f, 3200);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_TIMED_OUT);

    fixture_run(f, 61000); /* the server has forgotten the session, too */
    fixture_token(f, 3, token);
    assert_int_equal(march_client_connect(f->client, token, f->now.ns, fixture_wall_s(f)), 0);
    fixture_run(f, 3200);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_NO_ANSWER);
    fixture_destroy(f);
}

static void test_client_inputs_survive_loss_and_short_presses(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    f->loss_percent = 20;
    uint16_t first = f->input_ack;
    for (int i = 0; i < 100; i++) {
        struct march_input input = {.move_x = (int8_t)(i % 3 - 1), .move_y = 100, .aim = (uint16_t)i};
        input.buttons = i % 10 == 0 ? MARCH_BUTTON_SHOOT : 0;
        march_client_input(f->client, &input); /* pressed, and let go before the next sample */
        input.buttons = 0;
        march_client_input(f->client, &input);
        fixture_run(f, 50);
    }
    f->loss_percent = 0;
    fixture_run(f, 200);
    unsigned seen = 0, shots = 0;
    for (uint16_t seq = (uint16_t)(first + 1); seq <= f->input_ack; seq++) {
        seen += f->input_seen[seq];
        shots += f->inputs[seq].buttons == MARCH_BUTTON_SHOOT;
        if (seq > first + 10) assert_int_equal(f->inputs[seq].move >> 2, 2);
    }
    assert_in_range(f->input_ack - first, 100, 106);
    assert_in_range(seen, f->input_ack - first - 1u, f->input_ack - first);
    assert_in_range(shots, 9, 10);
    assert_int_equal(f->input.count, 4);
    struct march_stats stats;
    march_client_stats(f->client, &stats);
    assert_in_range(stats.inputs_sent, f->input_ack, f->input_ack + 1u);
    assert_true(stats.loss_up > 0.05f);
    fixture_destroy(f);
}

/* errors_of_view compares what the client shows over `ms` with where the entities were, and returns the greatest distance.
 */
static double errors_of_view(struct fixture *f, unsigned ms) {
    double worst = 0, last = 0;
    for (unsigned i = 0; i < ms; i++) {
        struct march_entity entities[8];
        fixture_step(f);
        if (i % 7 != 0) continue;
        assert_int_equal(march_client_entities(f->client, f->now.ns, entities, 8), FIXTURE_ENTITIES);
        double shown = march_client_view_tick(f->client, f->now.ns) - FIXTURE_TICK_AT_0;
        if (shown < 0) shown += 4294967296.0;
        assert_true(shown >= last); /* never back in time */
        last = shown;
        unsigned found = 0;
        for (unsigned i_seen = 0; i_seen < FIXTURE_ENTITIES; i_seen++) {
            const struct march_entity *seen = &entities[i_seen];
            unsigned e = (unsigned)(seen->id - 100);
            assert_in_range(e, 0, FIXTURE_ENTITIES - 1);
            found |= 1u << e;
            struct net_state at = fixture_entity(e, FIXTURE_TICK_AT_0 + (uint32_t)shown);
            double part = shown - (uint32_t)shown;
            double x = (at.x + at.vx * part / 32) / 64, y = (at.y + at.vy * part / 32) / 64;
            assert_true(seen->own == (e == 0) && (e == 0) == (i_seen == 0));
            assert_int_equal(seen->kind, e + 1);
            assert_int_equal(seen->health, 200);
            worst = fmax(worst, hypot((double)seen->x_m - x, (double)seen->y_m - y));
        }
        assert_int_equal(found, (1u << FIXTURE_ENTITIES) - 1); /* each once */
    }
    return worst;
}

static void test_client_entities_move_as_they_did(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    assert_true(errors_of_view(f, 3000) < 0.1); /* at 18.75 m/s round corners */
    double behind = FIXTURE_TICK_AT_0 + fixture_tick(f) - 4294967296.0 - march_client_view_tick(f->client, f->now.ns);
    assert_true(behind > 6 && behind < 11); /* two intervals of 3 ticks, and the way of 20 ms */
    struct march_stats stats;
    march_client_stats(f->client, &stats);
    assert_int_equal(stats.snapshot_interval_ticks, FIXTURE_EVERY);
    assert_int_equal(stats.entities, FIXTURE_ENTITIES);
    assert_int_equal(stats.packets_refused, 0);
    fixture_destroy(f);
}

static void test_client_entities_over_a_bad_network_stay_near(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    f->loss_percent = 10;
    f->duplicate_percent = 5;
    f->jitter_ms = 60; /* snapshots overtake each other */
    assert_true(errors_of_view(f, 10000) < 2.5);
    struct march_stats stats;
    march_client_stats(f->client, &stats);
    assert_int_equal(stats.snapshots_refused, 0);
    assert_true(stats.packets_late > 0 && stats.packets_refused > 0); /* refused: the duplicates */
    assert_true(stats.loss_down > 0.05f && stats.loss_down < 0.5f);
    assert_true(f->snapshots_acked > 100 && f->snapshots_acked <= stats.snapshots);
    fixture_destroy(f);
}

static void note_gap(void *context, const struct march_gap *gap) {
    struct march_gap *greatest = context;
    if (gap->changed) *greatest = *gap;
}

static void test_client_crosses_into_another_zone_without_a_seam(void **state) {
    (void)state;
    struct march_gap gap = {0};
    struct march_config config = {.gap = note_gap, .gap_context = &gap};
    struct fixture *f = fixture_create(&config);
    struct march_stats stats;
    f->stream = 255; /* the next one is 0 */
    fixture_connect(f);
    for (unsigned crossing = 1; crossing <= 3; crossing++) {
        f->stream++;
        f->slot_shift++;
        f->snapshot_seq = (uint16_t)(crossing * 30000);
        f->absent = crossing == 3 ? 0xf : 0xc; /* what the new zone has room for later; in the end, anything at all */
        assert_true(errors_of_view(f, crossing == 1 ? 60 : 200) < 0.1); /* the second comes before the first has filled */
    }
    f->absent = 0;
    assert_true(errors_of_view(f, 2000) < 0.1);
    march_client_stats(f->client, &stats);
    assert_int_equal(stats.stream_changes, 3);
    assert_int_equal(stats.blinks, 0);
    assert_int_equal(stats.entities, FIXTURE_ENTITIES);
    assert_true(gap.changed && gap.ticks == FIXTURE_EVERY);
    assert_in_range(gap.ns, 48 * NS_PER_MS, 52 * NS_PER_MS);
    assert_int_equal(stats.change_gap_max_ticks, FIXTURE_EVERY);
    assert_in_range(stats.change_gap_max_ns, 48 * NS_PER_MS, 52 * NS_PER_MS);
    fixture_destroy(f);
}

static void test_client_keeps_what_was_in_view_for_a_while(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    struct march_entity seen[8];
    struct march_stats stats;
    fixture_connect(f);
    f->stream++;
    f->absent = 0xc;
    assert_true(errors_of_view(f, 450) < 0.1); /* all are there, and move on */
    fixture_run(f, 150);
    assert_int_equal(march_client_entities(f->client, f->now.ns, seen, 8), 2);
    f->absent = 0x8; /* one comes back, too late not to be missed */
    fixture_run(f, 200);
    assert_int_equal(march_client_entities(f->client, f->now.ns, seen, 8), 3);
    fixture_run(f, 1200);
    f->absent = 0; /* and one so late that it may have been away */
    fixture_run(f, 200);
    assert_int_equal(march_client_entities(f->client, f->now.ns, seen, 8), FIXTURE_ENTITIES);
    march_client_stats(f->client, &stats);
    assert_int_equal(stats.blinks, 1);
    assert_true(errors_of_view(f, 500) < 0.1);
    fixture_destroy(f);
}

/* greatest_step returns how far any entity moves in a millisecond of `ms`; all are to be there. */
static float greatest_step(struct fixture *f, unsigned ms) {
    struct march_entity before[8], after[8];
    float greatest = 0;
    assert_int_equal(march_client_entities(f->client, f->now.ns, before, 8), FIXTURE_ENTITIES);
    for (unsigned i = 0; i < ms; i++) {
        fixture_step(f);
        assert_int_equal(march_client_entities(f->client, f->now.ns, after, 8), FIXTURE_ENTITIES);
        assert_true(after[0].own);
        for (unsigned a = 0; a < FIXTURE_ENTITIES; a++)
            for (unsigned b = 0; b < FIXTURE_ENTITIES; b++)
                if (after[a].id == before[b].id)
                    greatest = fmaxf(greatest, hypotf(after[a].x_m - before[b].x_m, after[a].y_m - before[b].y_m));
        memcpy(before, after, sizeof(before));
    }
    return greatest;
}

static void test_client_nothing_jumps_where_the_next_zone_counts_other_ticks(void **state) {
    (void)state;
    static const uint32_t skews[] = {5, 1000000, 0u - 2000000, 0x80000000};
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    float still = greatest_step(f, 1000);
    assert_true(still > 0.01f && still < 0.05f);
    for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
        f->stream++;
        f->slot_shift++;
        f->tick_skew += skews[i];
        f->absent = 0xc;
        float worst = greatest_step(f, 300);
        f->absent = 0;
        worst = fmaxf(worst, greatest_step(f, 700));
        if (worst > 0.25f) print_error("ticks %u further: a step of %f m\n", skews[i], (double)worst);
        assert_true(worst <= 0.25f);
    }
    fixture_destroy(f);
}

static void test_client_that_is_another_entity_now_sees_itself_once(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    struct march_entity seen[8];
    fixture_connect(f);
    f->stream++;
    f->own_id = 7;
    f->absent = 0x8;
    fixture_run(f, 100);
    assert_int_equal(march_client_entities(f->client, f->now.ns, seen, 8), FIXTURE_ENTITIES);
    assert_int_equal(seen[0].id, 7);
    for (unsigned i = 0; i < FIXTURE_ENTITIES; i++) assert_int_equal(seen[i].own, i == 0);
    f->stream++;
    f->absent = 0x1; /* not in the view yet: it is where it was, and first */
    fixture_run(f, 100);
    assert_int_equal(march_client_entities(f->client, f->now.ns, seen, 8), FIXTURE_ENTITIES);
    assert_true(seen[0].id == 7 && seen[0].own);
    fixture_destroy(f);
}

static void test_client_drops_what_is_late_of_the_zone_before(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    struct march_stats before, after;
    fixture_connect(f);
    f->stream++;
    fixture_run(f, 200);
    march_client_stats(f->client, &before);
    uint16_t acked = f->snapshots_acked;
    f->stream--; /* in packets that are newer: the gateway has mixed it up */
    f->absent = 0xe;
    fixture_run(f, 200);
    march_client_stats(f->client, &after);
    assert_in_range(after.snapshots_refused - before.snapshots_refused, 3, 4);
    assert_int_equal(after.entities, FIXTURE_ENTITIES);
    assert_int_equal(after.stream_changes, 1);
    assert_in_range(f->snapshots_acked - acked, 1, 2); /* those that were on their way */
    f->stream++;
    f->absent = 0;
    f->jitter_ms = 70; /* and where only the way was mixed up */
    f->stream++;
    assert_true(errors_of_view(f, 1000) < 2.5);
    march_client_stats(f->client, &after);
    assert_int_equal(after.stream_changes, 2);
    fixture_destroy(f);
}

static void test_client_without_snapshots_goes_on_for_a_while_and_stops(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    f->mute = true;
    fixture_run(f, 60);
    struct march_entity first[4], second[4];
    assert_int_equal(march_client_entities(f->client, f->now.ns, first, 4), 4);
    fixture_run(f, 200);
    assert_int_equal(march_client_entities(f->client, f->now.ns, second, 4), 4);
    float moved = second[2].x_m - first[2].x_m; /* 128 * 60 / 2048 = 3.75 m/s */
    assert_true(fabsf(first[2].vx_m_s - 3.75f) < 1e-4f);
    assert_true(fabsf(moved - 0.75f) < 0.05f);
    fixture_run(f, 1000);
    march_client_entities(f->client, f->now.ns, first, 4);
    fixture_run(f, 300);
    march_client_entities(f->client, f->now.ns, second, 4);
    assert_true(first[2].x_m == second[2].x_m);
    f->mute = false;
    fixture_run(f, 1000);
    assert_true(errors_of_view(f, 500) < 0.1);
    fixture_destroy(f);
}

static void test_client_clock_knows_the_servers_tick(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    assert_true(march_client_server_tick(f->client, f->now.ns) == 0);
    f->jitter_ms = 30;
    fixture_connect(f);
    fixture_run(f, 2000);
    double error = march_client_server_tick(f->client, f->now.ns) + 4294967296.0 - (FIXTURE_TICK_AT_0 + fixture_tick(f));
    assert_true(fabs(error) < 0.7); /* half the jitter of the best of eight */
    struct march_stats stats;
    march_client_stats(f->client, &stats);
    assert_in_range(stats.ping_ns, 40 * NS_PER_MS, 110 * NS_PER_MS);
    uint32_t view_tick = f->input.view_tick;
    double behind = march_client_server_tick(f->client, f->now.ns) - view_tick;
    assert_true(behind > 6 && behind < 16);
    fixture_destroy(f);
}

static uint64_t rtt_samples, rtt_least, rtt_most;

static void note_rtt(void *context, uint64_t rtt_ns) {
    assert_ptr_equal(context, &rtt_samples);
    rtt_samples++;
    if (rtt_ns < rtt_least) rtt_least = rtt_ns;
    if (rtt_ns > rtt_most) rtt_most = rtt_ns;
}

static void test_client_rtt_is_from_input_to_its_snapshot(void **state) {
    (void)state;
    struct march_config config = {.rtt = note_rtt, .rtt_context = &rtt_samples};
    struct fixture *f = fixture_create(&config);
    rtt_samples = 0;
    rtt_most = 0;
    rtt_least = UINT64_MAX;
    fixture_connect(f);
    fixture_run(f, 5000);
    assert_in_range(rtt_samples, 95, 112);
    assert_in_range(rtt_least, 40 * NS_PER_MS, 42 * NS_PER_MS + 50 * NS_PER_MS);
    assert_in_range(rtt_most, rtt_least, 40 * NS_PER_MS + 52 * NS_PER_MS);
    fixture_destroy(f);
}

static void test_client_messages_cross_a_bad_network_in_order(void **state) {
    (void)state;
    enum { MESSAGES = 40 };
    static uint8_t bytes[MARCH_MESSAGE_MAX], gateway_bytes[MARCH_MESSAGE_MAX];
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    f->loss_percent = 10;
    f->duplicate_percent = 5;
    f->jitter_ms = 30;
    unsigned up_sent = 0, down_sent = 0, up = 0, down = 0;
    for (unsigned ms = 0; ms < 30000 && (up < MESSAGES || down < MESSAGES); ms++) {
        fixture_step(f);
        size_t up_len = up_sent == 20 ? MARCH_MESSAGE_MAX : 10u + up_sent * 50;
        size_t down_len = down_sent == 10 ? MARCH_MESSAGE_MAX : 20u + down_sent * 50;
        memset(bytes, (int)up_sent, up_len);
        if (up_sent < MESSAGES && march_client_send(f->client, f->now.ns, bytes, up_len) == 0) up_sent++;
        memset(bytes, (int)down_sent, down_len);
        if (down_sent < MESSAGES && channel_send(&f->channel, f->now, bytes, down_len) == 0) down_sent++;
        const uint8_t *message;
        int len = march_client_next_message(f->client, &message);
        if (len >= 0) {
            assert_int_equal(len, down == 10 ? MARCH_MESSAGE_MAX : 20 + down * 50);
            assert_int_equal(message[0], down);
            assert_int_equal(message[len - 1], down);
            down++;
        }
        len = channel_next_message(&f->channel, gateway_bytes, sizeof(gateway_bytes));
        if (len >= 0) {
            assert_int_equal(len, up == 20 ? MARCH_MESSAGE_MAX : 10 + up * 50);
            assert_int_equal(gateway_bytes[len - 1], up);
            up++;
        }
    }
    assert_int_equal(up, MESSAGES);
    assert_int_equal(down, MESSAGES);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_CONNECTED);
    fixture_destroy(f);
}

static void test_client_bad_snapshots_are_refused_and_not_acknowledged(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    fixture_run(f, 200);
    f->garbage = true;
    fixture_run(f, 100);
    uint16_t acked = f->snapshots_acked;
    struct march_stats before, after;
    march_client_stats(f->client, &before);
    fixture_run(f, 1000);
    march_client_stats(f->client, &after);
    assert_int_equal(f->snapshots_acked, acked);
    assert_int_equal(after.snapshots, before.snapshots);
    assert_in_range(after.snapshots_refused - before.snapshots_refused, 19, 21);
    f->garbage = false;
    assert_true(errors_of_view(f, 200) < 30); /* until the view has passed the gap */
    assert_true(errors_of_view(f, 500) < 0.1);
    assert_true(f->snapshots_acked > acked);
    fixture_destroy(f);
}

static void test_client_strange_datagrams_are_counted(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    fixture_connect(f);
    struct march_stats stats;
    uint8_t bytes[MARCH_PACKET_MAX];
    for (size_t len = 0; len < sizeof(bytes); len++) {
        randombytes_buf(bytes, len);
        assert_true(march_client_receive(f->client, f->now.ns + 1, bytes, len) < 0);
    }
    march_client_stats(f->client, &stats);
    assert_int_equal(stats.packets_refused, sizeof(bytes));
    fixture_run(f, 100);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_CONNECTED);
    fixture_destroy(f);
}

/* The sanitizer tells of every allocation; without it there is nobody to ask. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *)) __attribute__((weak));

static bool counting;
static unsigned allocations;

static void on_malloc(const volatile void *memory, size_t size) {
    (void)memory;
    (void)size;
    if (counting) allocations++;
}

static void on_free(const volatile void *memory) {
    on_malloc(memory, 0);
}

static void test_client_allocates_nothing_after_create(void **state) {
    (void)state;
    if (__sanitizer_install_malloc_and_free_hooks == NULL) skip();
    assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
    counting = true;
    void *volatile memory = malloc(1);
    free(memory);
    assert_int_equal(allocations, 2); /* it does count */
    counting = false;
    allocations = 0;
    static uint8_t message[MARCH_MESSAGE_MAX];
    const uint8_t *got;
    struct fixture *f = fixture_create(&defaults);
    counting = true;
    fixture_connect(f);
    assert_int_equal(march_client_send(f->client, f->now.ns, message, sizeof(message)), 0);
    assert_int_equal(channel_send(&f->channel, f->now, message, sizeof(message)), 0);
    assert_true(errors_of_view(f, 2000) < 0.1);
    assert_int_equal(march_client_next_message(f->client, &got), sizeof(message));
    march_client_disconnect(f->client);
    fixture_run(f, 100);
    counting = false;
    assert_int_equal(allocations, 0);
    fixture_destroy(f);
}

static void test_client_config_out_of_range_is_refused(void **state) {
    (void)state;
    static const struct march_config bad[] = {
        {.input_hz = 61},
        {.input_repeat = 9},
        {.tick_hz = 1001},
        {.entities_max = 1025},
        {.message_bytes_max = 65537},
        {.message_blocks = 129},
        {.message_bytes_max = 1024, .message_blocks = 3},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) assert_null(march_client_create(&bad[i]));
    struct march_config small = {.message_bytes_max = 1024, .message_blocks = 4, .entities_max = 1};
    struct march_client *client = march_client_create(&small);
    assert_non_null(client);
    march_client_destroy(client);
    march_client_destroy(NULL);
}

/* tell sends the client a message of wire.h as soon as there is room. */
static void tell(struct fixture *f, struct wire_builder *builder, const struct wire_server_message *message) {
    struct wire_bytes bytes;
    assert_int_equal(wire_server_message_pack(builder, message, &bytes), 0);
    for (unsigned ms = 0; channel_send(&f->channel, f->now, bytes.data, bytes.len) != 0; ms++) {
        assert_true(ms < 10000);
        fixture_step(f);
    }
}

static void test_client_inventory_follows_differences_over_a_bad_network(void **state) {
    (void)state;
    enum { CHANGES = 60 };
    struct fixture *f = fixture_create(&defaults);
    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    fixture_connect(f);
    f->loss_percent = 10;
    f->duplicate_percent = 5;
    f->jitter_ms = 30;
    for (uint64_t i = 1; i <= CHANGES; i++) { /* each change adds an item, counts the one before up and takes another */
        struct wire_server_message m = {.kind = WIRE_SERVER_INVENTORY_DIFF};
        m.inventory = (struct wire_inventory_diff){.reset = i == 1, .version = i, .gold = 10 * i, .added_count = 1};
        m.inventory.added[0] = (struct wire_item){.id = i, .kind = 2, .count = 1, .version = 1};
        m.inventory.updated_count = i > 1;
        m.inventory.updated[0] = (struct wire_item){.id = i - 1, .kind = 2, .count = 2, .version = 2};
        m.inventory.removed_count = i > 5;
        m.inventory.removed[0] = i - 5;
        tell(f, builder, &m);
    }
    const struct march_inventory *inventory = march_client_inventory(f->client);
    struct march_event event;
    for (unsigned ms = 0; ms < 30000 && inventory->version < CHANGES; ms++) {
        fixture_step(f);
        uint64_t before = inventory->version;
        if (march_client_next_event(f->client, &event) < 0) continue;
        assert_int_equal(event.kind, MARCH_EVENT_INVENTORY);
        assert_int_equal(inventory->version, before + 1);
    }
    assert_true(inventory->whole && inventory->version == CHANGES && inventory->gold == 10 * CHANGES);
    assert_int_equal(inventory->count, 5);
    for (uint32_t i = 0; i < inventory->count; i++) {
        assert_in_range(inventory->items[i].id, CHANGES - 4, CHANGES);
        assert_int_equal(inventory->items[i].count, inventory->items[i].id == CHANGES ? 1 : 2);
    }
    wire_builder_destroy(builder);
    fixture_destroy(f);
}

static void test_client_command_reaches_the_server_and_keeps_its_key(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    struct march_command command = {.verb = MARCH_VERB_USE, .item = 5, .version = 2};
    assert_int_equal(march_client_command(f->client, f->now.ns, &command), MARCH_CLIENT_NOT_FOUND);
    fixture_connect(f);
    uint64_t key = command.key;
    assert_int_not_equal(key, 0);
    assert_int_equal(march_client_command(f->client, f->now.ns, &command), 0);
    uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
    int len = -1;
    for (unsigned ms = 0; ms < 1000 && len < 0; ms++) {
        fixture_step(f);
        len = channel_next_message(&f->channel, bytes, sizeof(bytes));
    }
    struct wire_client_message message;
    assert_true(len > 0);
    assert_int_equal(wire_client_message_read(bytes, (size_t)len, &message), 0);
    assert_true(message.kind == WIRE_CLIENT_COMMAND && message.command.key == key && message.command.item == 5);
    fixture_destroy(f);
}

static void test_client_that_was_taken_over_says_so(void **state) {
    (void)state;
    struct fixture *f = fixture_create(&defaults);
    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    fixture_connect(f);
    tell(f, builder, &(struct wire_server_message){.kind = WIRE_SERVER_ENDED, .ended = WIRE_END_TAKEN_OVER});
    fixture_run(f, 200);
    struct march_event event;
    assert_true(march_client_next_event(f->client, &event) > 0);
    assert_int_equal(event.kind, MARCH_EVENT_ENDED);
    struct netcode_sink sink = fixture_sink(f);
    netcode_server_disconnect(f->server, f->slot, &sink);
    f->connected = false;
    for (unsigned ms = 0; ms < 1000 && march_client_state(f->client) == MARCH_CLIENT_CONNECTED; ms++) fixture_step(f);
    assert_int_equal(march_client_reason(f->client), MARCH_REASON_TAKEN_OVER);
    wire_builder_destroy(builder);
    fixture_destroy(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_connects_and_takes_its_leave),
        cmocka_unit_test(test_client_own_entity_is_that_of_the_newest_snapshot),
        cmocka_unit_test(test_client_ends_of_a_session_have_reasons),
        cmocka_unit_test(test_client_inputs_survive_loss_and_short_presses),
        cmocka_unit_test(test_client_entities_move_as_they_did),
        cmocka_unit_test(test_client_entities_over_a_bad_network_stay_near),
        cmocka_unit_test(test_client_crosses_into_another_zone_without_a_seam),
        cmocka_unit_test(test_client_keeps_what_was_in_view_for_a_while),
        cmocka_unit_test(test_client_nothing_jumps_where_the_next_zone_counts_other_ticks),
        cmocka_unit_test(test_client_that_is_another_entity_now_sees_itself_once),
        cmocka_unit_test(test_client_drops_what_is_late_of_the_zone_before),
        cmocka_unit_test(test_client_without_snapshots_goes_on_for_a_while_and_stops),
        cmocka_unit_test(test_client_clock_knows_the_servers_tick),
        cmocka_unit_test(test_client_rtt_is_from_input_to_its_snapshot),
        cmocka_unit_test(test_client_messages_cross_a_bad_network_in_order),
        cmocka_unit_test(test_client_inventory_follows_differences_over_a_bad_network),
        cmocka_unit_test(test_client_command_reaches_the_server_and_keeps_its_key),
        cmocka_unit_test(test_client_that_was_taken_over_says_so),
        cmocka_unit_test(test_client_bad_snapshots_are_refused_and_not_acknowledged),
        cmocka_unit_test(test_client_strange_datagrams_are_counted),
        cmocka_unit_test(test_client_allocates_nothing_after_create),
        cmocka_unit_test(test_client_config_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
