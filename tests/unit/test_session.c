/* Sessions and what is collected for their zone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/batch.h"
#include "gateway/session.h"

#define SLOTS 8

struct fixture {
    struct session_table table;
    struct batch batch;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(session_table_create(&f->table, SLOTS), 0);
    batch_clear(&f->batch);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    session_table_destroy(&f->table);
    session_table_destroy(&f->table);
    free(f);
    return 0;
}

/* An input frame whose commands can be told apart: command of sequence s aims at s. */
static struct frame_input frame_of(uint16_t newest_seq, uint8_t count) {
    struct frame_input frame = {.count = count, .newest_seq = newest_seq, .view_tick = 100u + newest_seq};
    for (unsigned i = 0; i < count; i++) frame.commands[i].aim = (uint16_t)(newest_seq - i);
    return frame;
}

static void assert_commands(const struct wire_input *input, uint16_t newest_seq, unsigned count) {
    assert_int_equal(input->newest_seq, newest_seq);
    assert_int_equal(input->count, count);
    for (unsigned i = 0; i < count; i++) assert_int_equal(input->commands[i].aim, (uint16_t)(newest_seq - i));
}

static void test_session_handle_of_reused_slot_finds_nothing(void **state) {
    struct fixture *f = *state;
    struct session *session = session_open(&f->table, 3, 7, 1001, 0);
    uint64_t handle = session_handle(&f->table, session);
    assert_ptr_equal(session_find(&f->table, handle), session);
    session_close(&f->table, session);
    assert_null(session_find(&f->table, handle));
    session_open(&f->table, 3, 8, 1002, 0);
    assert_null(session_find(&f->table, handle));
    assert_null(session_find(&f->table, (uint64_t)7 << 32 | SLOTS));
    assert_null(session_find(&f->table, UINT64_MAX));
}

static void test_session_that_is_claimed_waits_for_its_zone(void **state) {
    struct fixture *f = *state;
    struct session *session = session_open_claiming(&f->table, 3, 7, 1001);
    assert_int_equal(f->table.state_counts[SESSION_CLAIMING], 1);
    assert_int_equal(f->table.waiting_counts[0], 0);
    session_claimed(&f->table, session, 99, 2);
    assert_true(session->epoch == 99 && session->route == 2 && session->state == SESSION_WAITING);
    assert_int_equal(f->table.waiting_counts[2], 1);
    session_close(&f->table, session);
    session = session_open_claiming(&f->table, 3, 8, 1001);
    session_close(&f->table, session);
    assert_int_equal(f->table.state_counts[SESSION_FREE], SLOTS);
}

static void test_session_counts_follow_every_move(void **state) {
    struct fixture *f = *state;
    struct session *a = session_open(&f->table, 0, 1, 1, 2), *b = session_open(&f->table, 1, 1, 2, 2);
    assert_int_equal(f->table.waiting_counts[2], 2);
    session_move(&f->table, a, SESSION_ATTACHING);
    session_move(&f->table, a, SESSION_PLAYING);
    session_move(&f->table, b, SESSION_ATTACHING);
    assert_int_equal(f->table.waiting_counts[2], 0);
    assert_int_equal(f->table.state_counts[SESSION_PLAYING], 1);
    assert_int_equal(f->table.state_counts[SESSION_ATTACHING], 1);
    session_move(&f->table, a, SESSION_WAITING);
    assert_int_equal(f->table.waiting_counts[2], 1);
    session_close(&f->table, a);
    session_close(&f->table, b);
    assert_int_equal(f->table.waiting_counts[2], 0);
    assert_int_equal(f->table.state_counts[SESSION_FREE], SLOTS);
}

static void test_session_that_moves_keeps_the_counts(void **state) {
    struct fixture *f = *state;
    struct session *session = session_open(&f->table, 0, 1, 1, 2);
    session_reroute(&f->table, session, 3); /* while it waits */
    assert_int_equal(f->table.waiting_counts[2], 0);
    assert_int_equal(f->table.waiting_counts[3], 1);
    session_move(&f->table, session, SESSION_MOVING); /* let go of before it was attached anew */
    session_reroute(&f->table, session, 4);
    assert_int_equal(f->table.waiting_counts[3] + f->table.waiting_counts[4], 0);
    session_move(&f->table, session, SESSION_WAITING);
    assert_int_equal(f->table.waiting_counts[4], 1);
    session_move(&f->table, session, SESSION_MOVING);
    session_move(&f->table, session, SESSION_PLAYING);
    session_move(&f->table, session, SESSION_MOVING);
    assert_int_equal(f->table.state_counts[SESSION_MOVING], 1);
    session_close(&f->table, session);
    assert_int_equal(f->table.state_counts[SESSION_FREE], SLOTS);
}

static void test_session_repeated_inputs_are_taken_once(void **state) {
    /* frames in the order of arrival, and what each should bring */
    static const struct {
        uint16_t newest_seq;
        uint8_t count, fresh;
    } cases[] = {
        {65533, 4, 4}, /* the first: all of it */
        {65533, 4, 0}, /* again */
        {65535, 8, 2}, /* two new ones, six repeated */
        {65534, 8, 0}, /* overtaken on the way */
        {1, 8, 2},     /* over the wrap */
        {20, 8, 8},    /* after a long gap: what there is */
        {5, 8, 0},
    };
    struct fixture *f = *state;
    struct session *session = session_open(&f->table, 0, 1, 1, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frame_input frame = frame_of(cases[i].newest_seq, cases[i].count);
        struct wire_input input;
        int result = session_take_input(&f->table, session, &frame, &input);
        assert_int_equal(result, cases[i].fresh > 0 ? 0 : MARCH_ERR_EMPTY);
        if (result != 0) continue;
        assert_commands(&input, cases[i].newest_seq, cases[i].fresh);
        assert_int_equal(input.session, session_handle(&f->table, session));
        assert_int_equal(input.view_tick, frame.view_tick);
    }
}

static struct wire_input input_of(uint64_t session, uint16_t newest_seq, uint8_t count) {
    struct wire_input input = {.session = session, .newest_seq = newest_seq, .count = count};
    for (unsigned i = 0; i < count; i++) input.commands[i].aim = (uint16_t)(newest_seq - i);
    return input;
}

static void add(struct fixture *f, struct batch_place *place, uint64_t session, uint16_t newest_seq, uint8_t count) {
    struct wire_input input = input_of(session, newest_seq, count);
    assert_int_equal(batch_input(&f->batch, place, &input), 0);
}

static void test_batch_inputs_of_one_session_are_merged_newest_first(void **state) {
    struct fixture *f = *state;
    struct batch_place a = {0}, b = {0};
    add(f, &a, 1, 10, 3);
    add(f, &b, 2, 50, 1);
    add(f, &a, 1, 12, 2);
    assert_int_equal(f->batch.input_count, 2);
    assert_commands(&f->batch.inputs[0], 12, 5);
    add(f, &a, 1, 18, 6); /* more than fit: the oldest go */
    assert_commands(&f->batch.inputs[0], 18, 8);
    add(f, &a, 1, 30, 2); /* after a gap: only the new ones are in sequence */
    assert_commands(&f->batch.inputs[0], 30, 2);
    assert_commands(&f->batch.inputs[1], 50, 1);
    assert_int_equal(f->batch.inputs_merged, 3);
}

static void test_batch_place_is_void_after_clear(void **state) {
    struct fixture *f = *state;
    struct batch_place a = {0}, b = {0};
    add(f, &a, 1, 10, 1);
    batch_clear(&f->batch);
    assert_true(batch_is_empty(&f->batch));
    add(f, &b, 2, 20, 1);
    add(f, &a, 1, 11, 1);
    assert_int_equal(f->batch.input_count, 2);
    assert_commands(&f->batch.inputs[0], 20, 1);
    assert_commands(&f->batch.inputs[1], 11, 1);
}

static void test_batch_full_arrays_refuse(void **state) {
    struct fixture *f = *state;
    const struct wire_attach attach = {.session = 1, .player = 1, .attachment = 1};
    for (unsigned i = 0; i < BATCH_ATTACHES_MAX; i++) assert_int_equal(batch_attach(&f->batch, &attach), 0);
    assert_int_equal(batch_attach(&f->batch, &attach), MARCH_ERR_FULL);
    const struct wire_carried carried = {.session = 1, .attachment = 1};
    for (unsigned i = 0; i < BATCH_ACTIVATES_MAX; i++) assert_int_equal(batch_activate(&f->batch, &carried), 0);
    assert_int_equal(batch_activate(&f->batch, &carried), MARCH_ERR_FULL);
    const struct wire_routed routed = {.session = 1, .attachment = 1};
    for (unsigned i = 0; i < BATCH_ROUTED_MAX; i++) assert_int_equal(batch_routed(&f->batch, &routed), 0);
    assert_int_equal(batch_routed(&f->batch, &routed), MARCH_ERR_FULL);
    for (unsigned i = 0; i < BATCH_DETACHES_MAX; i++) assert_int_equal(batch_detach(&f->batch, i, 0), 0);
    assert_int_equal(batch_detach(&f->batch, 1, 0), MARCH_ERR_FULL);
    for (unsigned i = 0; i < BATCH_ACKS_MAX; i++) assert_int_equal(batch_ack(&f->batch, i, 1), 0);
    assert_int_equal(batch_ack(&f->batch, 1, 1), MARCH_ERR_FULL);
    struct batch_place first = {0};
    add(f, &first, 0, 10, 1);
    for (unsigned i = 1; i < BATCH_INPUTS_MAX; i++) add(f, &(struct batch_place){0}, i, 10, 1);
    struct wire_input input = input_of(BATCH_INPUTS_MAX, 1, 1);
    assert_int_equal(batch_input(&f->batch, &(struct batch_place){0}, &input), MARCH_ERR_FULL);
    add(f, &first, 0, 11, 1); /* who is in already still gets the newest in */
    assert_commands(&f->batch.inputs[0], 11, 2);
    assert_true(batch_bytes(&f->batch) <= BATCH_BYTES_MAX);
}

static void test_batch_longest_messages_fit_until_blob_is_full(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < BATCH_BLOB_BYTES / FRAME_MESSAGE_BYTES_MAX; i++) {
        uint8_t *room = batch_message_room(&f->batch);
        assert_non_null(room);
        memset(room, (int)i, FRAME_MESSAGE_BYTES_MAX);
        batch_message_commit(&f->batch, i, FRAME_MESSAGE_BYTES_MAX);
    }
    assert_null(batch_message_room(&f->batch));
    assert_int_equal(f->batch.messages[1].offset, FRAME_MESSAGE_BYTES_MAX);
    assert_int_equal(f->batch.blob[FRAME_MESSAGE_BYTES_MAX], 1);
}

static void test_batch_full_of_everything_packs(void **state) {
    struct fixture *f = *state;
    test_batch_full_arrays_refuse(state);
    test_batch_longest_messages_fit_until_blob_is_full(state);
    struct wire_builder *builder = wire_builder_create(BATCH_BYTES_MAX);
    struct wire_gateway_batch view = batch_view(&f->batch);
    struct wire_bytes bytes;
    struct wire_bus_view opened;
    assert_int_equal(wire_gateway_batch_pack(builder, &view, &bytes), 0);
    assert_int_equal(wire_bus_open(bytes.data, bytes.len, &opened), 0);
    assert_int_equal(opened.gateway.activate_count, BATCH_ACTIVATES_MAX);
    assert_int_equal(opened.gateway.routed_count, BATCH_ROUTED_MAX);
    assert_int_equal(opened.gateway.input_count, BATCH_INPUTS_MAX);
    assert_int_equal(opened.gateway.blob_len, BATCH_BLOB_BYTES);
    wire_builder_destroy(builder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_session_handle_of_reused_slot_finds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_counts_follow_every_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_that_moves_keeps_the_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_that_is_claimed_waits_for_its_zone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_repeated_inputs_are_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_inputs_of_one_session_are_merged_newest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_place_is_void_after_clear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_full_arrays_refuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_longest_messages_fit_until_blob_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_full_of_everything_packs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
