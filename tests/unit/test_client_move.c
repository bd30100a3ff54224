/* test_client_move.c: a client that its gateway sends to another one, over a simulated network. */
#include "common/bytes.h"
#include "schemas/wire.h"
#include "tests/unit/client_fixture.h"
#include "tools/client/client_move.h"

#include <math.h>

#define RECONNECT_KIND 17 /* of ServerMessage's bodies */
#define NOBODY         3  /* last byte of an address that nobody has */

static const struct march_config defaults;

/* Two gateways; the client is the first one's. */
struct pair {
    struct fixture *a, *b;
    bool reaches_b;
};

static struct pair pair_create(void) {
    struct pair p = {.a = fixture_create(&defaults), .reaches_b = true};
    p.b = fixture_create_at(&defaults, "203.0.113.2:40000", p.a->client);
    p.b->stream = p.a->stream = 1; /* each session counts from 1: the number alone tells nothing */
    fixture_connect(p.a);
    p.b->now = p.a->now;
    p.b->ticks_done = p.a->ticks_done;
    return p;
}

static void pair_destroy(struct pair *p) {
    fixture_destroy(p->b);
    fixture_destroy(p->a);
}

static struct fixture *at(struct pair *p, const struct march_address *address) {
    return address->bytes[3] == 1 ? p->a : p->b;
}

static void pair_sends(void *context, const uint8_t *packet, size_t len) {
    struct pair *p = context;
    struct march_address address = march_client_server_address(p->a->client);
    struct fixture *f = at(p, &address);
    assert_true(march_client_is_server(p->a->client, &address));
    if (address.bytes[3] == NOBODY) return;
    if (f == p->a || p->reaches_b) fixture_fly(f, false, packet, len);
}

static void pair_step(struct pair *p) {
    fixture_step_server(p->a);
    fixture_step_server(p->b);
    march_client_update(p->a->client, p->a->now.ns, pair_sends, p);
}

/* reconnect_bytes writes the message by hand. */
static size_t reconnect_bytes(uint8_t *bytes, const uint8_t *token, uint32_t within_ms) {
    static const uint8_t head[44] = {
        16, 0, 0,  0, 0, 0, 0, 0,              /* root table at 16 */
        8,  0, 12, 0, 7, 0, 8, 0,              /* its vtable, at 8 */
        8,  0, 0,  0, 0, 0, 0, RECONNECT_KIND, /* at 16: body type at 23 */
        12, 0, 0,  0,                          /* body 12 further, at 36 */
        8,  0, 12, 0, 4, 0, 8, 0,              /* vtable of Reconnect, at 28 */
        8,  0, 0,  0, 8, 0, 0, 0,              /* at 36: token 8 further, at 48 */
    };
    memcpy(bytes, head, sizeof(head));
    store_le(bytes + 44, within_ms, 4);
    store_le(bytes + 48, MARCH_TOKEN_BYTES, 4);
    memcpy(bytes + 52, token, MARCH_TOKEN_BYTES);
    return 52 + MARCH_TOKEN_BYTES;
}

static void ask_to_go(struct pair *p, uint32_t within_ms) {
    uint8_t token[MARCH_TOKEN_BYTES], bytes[64 + MARCH_TOKEN_BYTES];
    fixture_token(p->b, 1, token);
    assert_int_equal(channel_send(&p->a->channel, p->a->now, bytes, reconnect_bytes(bytes, token, within_ms)), 0);
}

static void ask_to_go_to_nobody(struct pair *p, uint32_t within_ms) {
    p->b->server_addr.bytes[3] = NOBODY;
    ask_to_go(p, within_ms);
    p->b->server_addr.bytes[3] = 2;
}

static void close_session(struct fixture *f) {
    struct netcode_sink sink = fixture_sink(f);
    netcode_server_disconnect(f->server, f->slot, &sink);
    f->connected = false;
}

/* next_event returns the kind of the next event, or 0; a move's outcome goes to *moved. */
static enum march_event_kind next_event(struct pair *p, struct march_moved *moved) {
    struct march_event event;
    if (march_client_next_event(p->a->client, &event) < 0) return MARCH_EVENT_OTHER;
    if (event.kind == MARCH_EVENT_MOVED) *moved = event.moved;
    if (event.kind == MARCH_EVENT_RECONNECT) assert_non_null(event.reconnect.token);
    return event.kind;
}

/* play_until_moved plays for up to `ms`, with an eye on the view; returns whether an event told of the move's end. */
static bool play_until_moved(struct pair *p, unsigned ms, struct march_moved *moved) {
    struct march_entity before[8], after[8];
    assert_int_equal(march_client_entities(p->a->client, p->a->now.ns, before, 8), FIXTURE_ENTITIES);
    for (unsigned i = 0; i < ms; i++) {
        pair_step(p);
        assert_int_equal(march_client_entities(p->a->client, p->a->now.ns, after, 8), FIXTURE_ENTITIES);
        for (unsigned e = 0; e < FIXTURE_ENTITIES; e++) {
            assert_int_equal(after[e].id, before[e].id);
            assert_true(hypotf(after[e].x_m - before[e].x_m, after[e].y_m - before[e].y_m) < 0.25f);
        }
        memcpy(before, after, sizeof(before));
        if (next_event(p, moved) == MARCH_EVENT_MOVED) return true;
    }
    return false;
}

static void test_client_move_is_told_once_the_own_entity_is_known(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    p.b->absent = 1; /* the first snapshots told it, and were lost */
    ask_to_go(&p, 5000);
    for (unsigned i = 0; i < 1000; i++) {
        pair_step(&p);
        assert_int_not_equal(next_event(&p, &moved), MARCH_EVENT_MOVED);
    }
    assert_int_equal(march_client_server_address(p.a->client).bytes[3], 2);
    p.b->absent = 0;
    bool is_told = false;
    for (unsigned i = 0; i < 100 && !is_told; i++) {
        pair_step(&p);
        is_told = next_event(&p, &moved) == MARCH_EVENT_MOVED;
    }
    assert_true(is_told && moved.moved && moved.same_entity);
    pair_destroy(&p);
}

static void test_client_moves_to_another_gateway_while_it_plays(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    struct march_stats stats;
    struct march_input input = {.move_x = 1};
    march_client_input(p.a->client, &input);
    ask_to_go(&p, 5000);
    assert_true(play_until_moved(&p, 1000, &moved));
    assert_true(moved.moved && moved.same_entity && moved.tries == 1);
    assert_true(moved.took_ns < 300 * NS_PER_MS);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    assert_true(p.a->client_left && p.b->connected);
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_CONNECTED);
    assert_int_equal(march_client_server_address(p.a->client).bytes[3], 2);
    assert_int_equal(p.b->input.commands[0].move, FRAME_MOVE(1, 0)); /* what the player does went on */
    assert_int_equal(p.b->inputs[1].move, FRAME_MOVE(1, 0));
    march_client_stats(p.a->client, &stats);
    assert_true(stats.moves == 1 && stats.moves_failed == 0 && stats.blinks == 0);
    assert_true(stats.gap_max_ns < 60 * NS_PER_MS);
    assert_int_equal(stats.stream_changes, 1);

    uint8_t message[] = "after";
    assert_int_equal(march_client_send(p.a->client, p.a->now.ns, message, sizeof(message)), 0);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    assert_int_equal(channel_next_message(&p.b->channel, message, FRAME_MESSAGE_BYTES_MAX), sizeof(message));
    pair_destroy(&p);
}

/* Who never asked for a match looks for none: the message of the test above is the first of its session. */
static void test_client_that_has_moved_looks_for_its_ticket(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    struct wire_client_message message;
    static uint8_t bytes[FRAME_MESSAGE_BYTES_MAX];
    assert_int_equal(march_client_enter(p.a->client, p.a->now.ns, &(struct march_wish){.mode = "duel"}), 0);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    int len = channel_next_message(&p.a->channel, bytes, sizeof bytes);
    assert_true(len > 0 && wire_client_message_read(bytes, (size_t)len, &message) == 0);
    assert_string_equal(message.enter.mode, "duel");
    ask_to_go(&p, 5000);
    assert_true(play_until_moved(&p, 1000, &moved) && moved.moved);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    len = channel_next_message(&p.b->channel, bytes, sizeof bytes);
    assert_true(len > 0 && wire_client_message_read(bytes, (size_t)len, &message) == 0);
    assert_true(message.kind == WIRE_CLIENT_TICKET && message.ticket == WIRE_TICKET_LOOK);
    assert_int_equal(channel_next_message(&p.b->channel, bytes, sizeof bytes), MARCH_ERR_EMPTY);
    pair_destroy(&p);
}

static void test_client_moves_though_its_old_session_ends_first(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    p.b->still = true; /* connected, and nothing to be seen yet */
    ask_to_go(&p, 5000);
    assert_false(play_until_moved(&p, 200, &moved));
    assert_true(p.b->connected);
    close_session(p.a); /* the world has taken the player over */
    assert_false(play_until_moved(&p, 100, &moved));
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_CONNECTING);
    assert_int_equal(march_client_reason(p.a->client), MARCH_REASON_NONE);
    p.b->still = false;
    assert_true(play_until_moved(&p, 200, &moved));
    assert_true(moved.moved && moved.same_entity);
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_CONNECTED);
    pair_destroy(&p);
}

static void test_client_that_has_moved_takes_nothing_of_the_old_gateway(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    struct march_stats stats;
    p.b->still = true;
    ask_to_go(&p, 5000);
    assert_false(play_until_moved(&p, 200, &moved));
    p.b->still = false;
    for (unsigned i = 0; i < 200; i++) { /* the client has no time to take its leave, and hears both */
        fixture_step_server(p.a);
        fixture_step_server(p.b);
    }
    march_client_stats(p.a->client, &stats);
    assert_true(stats.stream_changes == 1 && stats.packets_late > 0);
    assert_true(stats.moves == 1 && stats.packets_refused == 0);
    assert_int_equal(march_client_server_address(p.a->client).bytes[3], 2);
    pair_destroy(&p);
}

static void test_client_move_over_a_bad_network_arrives(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct pair p = pair_create();
        struct march_moved moved = {0};
        p.a->seed = seed;
        p.b->seed = seed + 1000;
        p.a->loss_percent = p.b->loss_percent = 15;
        p.a->jitter_ms = p.b->jitter_ms = 40;
        p.a->duplicate_percent = p.b->duplicate_percent = 5;
        ask_to_go(&p, 10000);
        for (unsigned i = 0; i < 10000 && !moved.moved; i++) {
            pair_step(&p);
            (void)next_event(&p, &moved);
        }
        if (!moved.moved) print_error("seed %u\n", seed);
        assert_true(moved.moved && moved.same_entity);
        pair_destroy(&p);
    }
}

static void test_client_tries_so_often_and_then_stays(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    struct march_stats stats;
    p.reaches_b = false;
    ask_to_go(&p, 30000);
    assert_true(play_until_moved(&p, CLIENT_MOVE_TRIES * (3000 + CLIENT_MOVE_PAUSE_MS) + 500, &moved));
    assert_true(!moved.moved && moved.tries == CLIENT_MOVE_TRIES);
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_CONNECTED);
    march_client_stats(p.a->client, &stats);
    assert_true(stats.moves == 0 && stats.moves_failed == 1);

    ask_to_go(&p, 1000); /* a time that ends before the tries do */
    assert_true(play_until_moved(&p, 1500, &moved));
    assert_true(!moved.moved && moved.tries == 1);

    p.reaches_b = true; /* asked once more, with a token that is good */
    ask_to_go(&p, 0);
    assert_true(play_until_moved(&p, 1000, &moved));
    assert_true(moved.moved);
    pair_destroy(&p);
}

static void test_client_whose_gateway_ends_before_it_has_moved_is_disconnected(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved = {.moved = true};
    p.reaches_b = false;
    ask_to_go(&p, 1000);
    for (unsigned i = 0; i < 200; i++) {
        pair_step(&p);
        (void)next_event(&p, &moved);
    }
    close_session(p.a);
    for (unsigned i = 0; i < 300; i++) pair_step(&p);
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_CONNECTING);
    for (unsigned i = 0; i < 1000; i++) pair_step(&p);
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_DISCONNECTED);
    assert_int_equal(march_client_reason(p.a->client), MARCH_REASON_SERVER);
    assert_int_equal(next_event(&p, &moved), MARCH_EVENT_MOVED);
    assert_false(moved.moved);
    pair_destroy(&p);
}

/* play_until_lost plays until the client is disconnected, for up to `ms`; returns how many it took. A move's outcome goes to
 * *moved. */
static unsigned play_until_lost(struct pair *p, unsigned ms, struct march_moved *moved) {
    unsigned took = 0;
    for (; took < ms && march_client_state(p->a->client) != MARCH_CLIENT_DISCONNECTED; took++) {
        pair_step(p);
        (void)next_event(p, moved);
    }
    return took;
}

static void test_client_whose_new_gateway_dies_is_disconnected_by_one_time_out(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved = {.moved = true};
    p.b->still = true;
    ask_to_go(&p, 30000);
    assert_false(play_until_moved(&p, 200, &moved));
    assert_true(p.b->connected);
    close_session(p.a); /* the new gateway has claimed the player, */
    p.b->mute = true;   /* and is killed */
    p.reaches_b = false;
    assert_in_range(play_until_lost(&p, 30000, &moved), 2900, 3100); /* the token's time-out is 3 s */
    assert_int_equal(march_client_reason(p.a->client), MARCH_REASON_SERVER);
    assert_true(!moved.moved && moved.tries == 1);
    pair_destroy(&p);
}

static void test_client_whose_gateway_ends_between_tries_is_disconnected(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved = {.moved = true};
    p.reaches_b = false;
    ask_to_go(&p, 30000);
    assert_false(play_until_moved(&p, 3000 + CLIENT_MOVE_PAUSE_MS / 2 + 50, &moved));
    close_session(p.a);
    assert_in_range(play_until_lost(&p, 30000, &moved), 1, 100);
    assert_true(!moved.moved && moved.tries == 1);
    pair_destroy(&p);
}

static void test_client_whose_gateway_ends_while_it_tries_again_is_disconnected(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved = {.moved = true};
    ask_to_go_to_nobody(&p, 30000);
    assert_false(play_until_moved(&p, 3000 + CLIENT_MOVE_PAUSE_MS + 500, &moved));
    close_session(p.a);
    assert_in_range(play_until_lost(&p, 30000, &moved), 1, 100);
    assert_true(!moved.moved && moved.tries == 2);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    fixture_connect(p.a); /* with a fresh token it is in again */
    pair_destroy(&p);
}

static void test_client_whose_gateway_ends_as_it_says_so_moves(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved = {0};
    ask_to_go(&p, 5000);
    for (unsigned i = 0; i < 100; i++) pair_step(&p); /* the message has come, and was not looked at */
    close_session(p.a);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    assert_true(play_until_moved(&p, 1000, &moved));
    assert_true(moved.moved && moved.tries == 1);
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_CONNECTED);
    pair_destroy(&p);
}

static void test_client_that_is_told_again_goes_by_the_newer_token(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    ask_to_go_to_nobody(&p, 30000);
    assert_false(play_until_moved(&p, 500, &moved));
    ask_to_go(&p, 30000);
    assert_true(play_until_moved(&p, 500, &moved));
    assert_true(moved.moved && moved.same_entity && moved.tries == 1);
    pair_destroy(&p);
}

static void test_client_that_is_told_again_goes_on_where_it_was_answered(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    p.b->still = true;
    ask_to_go(&p, 30000);
    assert_false(play_until_moved(&p, 300, &moved));
    assert_true(p.b->connected);
    ask_to_go_to_nobody(&p, 30000);
    assert_false(play_until_moved(&p, 300, &moved));
    p.b->still = false;
    assert_true(play_until_moved(&p, 200, &moved));
    assert_true(moved.moved && moved.tries == 1);
    pair_destroy(&p);
}

static void test_client_that_is_told_again_at_its_last_try_tries_again(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    p.b->still = true;
    p.reaches_b = false;
    ask_to_go(&p, 30000);
    assert_false(play_until_moved(&p, (CLIENT_MOVE_TRIES - 1) * (3000 + CLIENT_MOVE_PAUSE_MS), &moved));
    p.reaches_b = true;
    assert_false(play_until_moved(&p, 300, &moved));
    assert_true(p.b->connected);
    ask_to_go(&p, 30000);
    assert_false(play_until_moved(&p, 100, &moved));
    p.reaches_b = false;
    assert_false(play_until_moved(&p, 3000, &moved));
    p.reaches_b = true;
    p.b->still = false;
    assert_true(play_until_moved(&p, 4000, &moved));
    assert_true(moved.moved && moved.tries > 1);
    pair_destroy(&p);
}

static void test_client_that_leaves_while_it_moves_leaves_both(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    p.b->still = true;
    ask_to_go(&p, 5000);
    assert_false(play_until_moved(&p, 300, &moved));
    assert_true(p.b->connected);
    march_client_disconnect(p.a->client);
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_DISCONNECTED);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    assert_true(p.a->client_left && p.b->client_left);
    assert_int_equal(march_client_reason(p.a->client), MARCH_REASON_REQUESTED);
    pair_destroy(&p);
}

static void test_client_hands_out_what_came_before_it_moved_first(void **state) {
    (void)state;
    struct pair p = pair_create();
    const uint8_t *message;
    uint8_t old[] = "old", new[] = "new";
    ask_to_go(&p, 5000);
    assert_int_equal(channel_send(&p.a->channel, p.a->now, old, sizeof(old)), 0);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    assert_true(march_client_next_message(p.a->client, &message) > MARCH_TOKEN_BYTES); /* and it moves */
    for (unsigned i = 0; i < 500; i++) pair_step(&p);
    assert_true(p.b->connected && p.a->client_left);
    assert_int_equal(channel_send(&p.b->channel, p.b->now, new, sizeof(new)), 0);
    for (unsigned i = 0; i < 100; i++) pair_step(&p);
    assert_int_equal(march_client_next_message(p.a->client, &message), sizeof(old));
    assert_string_equal((const char *)message, "old");
    assert_int_equal(march_client_next_message(p.a->client, &message), sizeof(new));
    assert_string_equal((const char *)message, "new");
    assert_int_equal(march_client_next_message(p.a->client, &message), MARCH_CLIENT_EMPTY);
    pair_destroy(&p);
}

static void test_client_malformed_token_is_no_reason_to_go(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct march_moved moved;
    uint8_t token[MARCH_TOKEN_BYTES] = {0}, bytes[64 + MARCH_TOKEN_BYTES];
    size_t len = reconnect_bytes(bytes, token, 1000);
    assert_int_equal(channel_send(&p.a->channel, p.a->now, bytes, len), 0);
    assert_true(play_until_moved(&p, 500, &moved));
    assert_false(moved.moved);
    store_le(bytes + 48, MARCH_TOKEN_BYTES - 1, 4); /* none at all */
    assert_int_equal(channel_send(&p.a->channel, p.a->now, bytes, len), 0);
    struct march_event event;
    for (unsigned i = 0; i < 500; i++) {
        pair_step(&p);
        if (march_client_next_event(p.a->client, &event) >= 0)
            assert_true(event.kind == MARCH_EVENT_RECONNECT && event.reconnect.token == NULL);
    }
    assert_int_equal(march_client_state(p.a->client), MARCH_CLIENT_CONNECTED);
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_moves_to_another_gateway_while_it_plays),
        cmocka_unit_test(test_client_move_is_told_once_the_own_entity_is_known),
        cmocka_unit_test(test_client_that_has_moved_looks_for_its_ticket),
        cmocka_unit_test(test_client_moves_though_its_old_session_ends_first),
        cmocka_unit_test(test_client_that_has_moved_takes_nothing_of_the_old_gateway),
        cmocka_unit_test(test_client_move_over_a_bad_network_arrives),
        cmocka_unit_test(test_client_tries_so_often_and_then_stays),
        cmocka_unit_test(test_client_whose_gateway_ends_before_it_has_moved_is_disconnected),
        cmocka_unit_test(test_client_whose_new_gateway_dies_is_disconnected_by_one_time_out),
        cmocka_unit_test(test_client_whose_gateway_ends_between_tries_is_disconnected),
        cmocka_unit_test(test_client_whose_gateway_ends_while_it_tries_again_is_disconnected),
        cmocka_unit_test(test_client_whose_gateway_ends_as_it_says_so_moves),
        cmocka_unit_test(test_client_that_is_told_again_goes_by_the_newer_token),
        cmocka_unit_test(test_client_that_is_told_again_at_its_last_try_tries_again),
        cmocka_unit_test(test_client_that_is_told_again_goes_on_where_it_was_answered),
        cmocka_unit_test(test_client_that_leaves_while_it_moves_leaves_both),
        cmocka_unit_test(test_client_hands_out_what_came_before_it_moved_first),
        cmocka_unit_test(test_client_malformed_token_is_no_reason_to_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
