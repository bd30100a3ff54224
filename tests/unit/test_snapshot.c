/* The snapshot codec: exact bytes, the edges of its size classes, and what the reader refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/snapshot.h"
#include "tests/unit/protocol_doc.h"

#define SIZE 2048

/* The entities of the document's examples. */
static const struct net_state own_100 = {640, -1280, 0, 0, 100, 1, 64, 255, 0};
static const struct net_state orc_100 = {1000, 2000, -150, 96, 100, 2, 200, 180, 3};
static const struct net_state orc_103 = {990, 2003, 120, -90, 103, 2, 17, 180, 3};
#define OWN_ID 0x0001000200000007u
#define ORC_ID 0x0001000200000009u

static size_t write_all(uint8_t *bytes, size_t size, struct snapshot_header header, const uint16_t *removals,
                        uint32_t removal_count, const struct snapshot_update *updates, uint32_t update_count) {
    struct snapshot_writer w;
    snapshot_write_begin(&w, bytes, size, &header);
    snapshot_write_removals(&w, removals, removal_count);
    snapshot_write_update_count(&w, update_count);
    for (uint32_t i = 0; i < update_count; i++) snapshot_write_update(&w, &updates[i]);
    return snapshot_write_finish(&w);
}

static size_t write_first(uint8_t *bytes) {
    struct snapshot_update updates[] = {{.slot = 0, .version = 1, .id = OWN_ID, .state = own_100},
                                        {.slot = 5, .version = 1, .id = ORC_ID, .state = orc_100}};
    return write_all(bytes, SIZE, (struct snapshot_header){.stream = 3, .seq = 768, .input_ack = 40, .tick = 100}, NULL, 0,
                     updates, 2);
}

static size_t write_second(uint8_t *bytes) {
    struct snapshot_update update = {.slot = 5, .version = 2, .distance = 1, .state = orc_103, .baseline = &orc_100};
    uint16_t removal = 2;
    return write_all(bytes, SIZE, (struct snapshot_header){.stream = 3, .seq = 769, .input_ack = 43, .tick = 103}, &removal,
                     1, &update, 1);
}

static void assert_slot(const struct snapshot_table *table, uint32_t slot, uint64_t id, const struct net_state *state) {
    const struct snapshot_slot *seen = &table->slots[slot];
    assert_true(seen->id == id);
    assert_memory_equal(&seen->states[seen->newest], state, sizeof(*state));
}

static void test_snapshot_document_examples_decode_and_encode(void **state) {
    (void)state;
    uint8_t first[SIZE], second[SIZE], bytes[SIZE];
    size_t first_len = protocol_doc_hex("snapshot-full", first, SIZE);
    size_t second_len = protocol_doc_hex("snapshot-delta", second, SIZE);
    struct snapshot_table *table = snapshot_table_create(64);

    assert_int_equal(snapshot_table_read(table, first, first_len), 0);
    assert_true(table->fresh);
    assert_int_equal(table->change_count, 2);
    assert_int_equal(table->header.stream, 3);
    assert_int_equal(table->header.seq, 768);
    assert_int_equal(table->header.tick, 100);
    assert_int_equal(table->header.input_ack, 40);
    assert_slot(table, 0, OWN_ID, &own_100);
    assert_slot(table, 5, ORC_ID, &orc_100);

    assert_int_equal(snapshot_table_read(table, second, second_len), 0);
    assert_false(table->fresh);
    assert_int_equal(table->change_count, 1);
    assert_int_equal(table->removal_count, 1);
    assert_int_equal(table->removals[0], 2);
    assert_slot(table, 5, ORC_ID, &orc_103);
    snapshot_table_destroy(table);

    assert_int_equal(write_first(bytes), first_len);
    assert_memory_equal(bytes, first, first_len);
    assert_int_equal(write_second(bytes), second_len);
    assert_memory_equal(bytes, second, second_len);
}

/* --- round trips */

/* Writes one update against a baseline that the table has, reads it back, and compares. Returns its bits without the gap. */
static uint32_t round_trip(const struct net_state *baseline, const struct net_state *now) {
    uint8_t bytes[SIZE];
    struct snapshot_table *table = snapshot_table_create(8);
    struct snapshot_update first = {.slot = 3, .version = 15, .id = 77, .state = *baseline};
    size_t len = write_all(bytes, SIZE, (struct snapshot_header){.tick = baseline->tick}, NULL, 0, &first, 1);
    assert_int_equal(snapshot_table_read(table, bytes, len), 0);
    assert_slot(table, 3, 77, baseline);

    struct snapshot_update delta = {.slot = 3, .version = 0, .distance = 1, .state = *now, .baseline = baseline};
    len = write_all(bytes, SIZE, (struct snapshot_header){.seq = 1, .tick = now->tick}, NULL, 0, &delta, 1);
    uint32_t bits = snapshot_update_bits(&delta, now->tick);
    assert_true(bits + SNAPSHOT_GAP_BITS_MAX <= SNAPSHOT_DELTA_BITS_MAX);
    assert_int_equal(len, (SNAPSHOT_HEADER_BYTES * 8 + 1 + 3 + 5 + bits + 7) / 8); /* no removals, 1 update, gap of 4 */
    assert_int_equal(snapshot_table_read(table, bytes, len), 0);
    assert_slot(table, 3, 77, now);
    snapshot_table_destroy(table);
    return bits;
}

static void test_snapshot_position_classes_have_their_edges(void **state) {
    (void)state;
    static const struct {
        int32_t dx, dy;
        uint32_t bits;
    } cases[] = {
        {0, 0, 0},    {31, -32, 12}, {-32, 31, 12},   {32, 0, 20},     {0, -33, 20},
        {511, 0, 20}, {-512, 0, 20}, {512, 0, 44},    {0, -513, 44},   {1 << 20, -(1 << 20), 44},
        {1, 0, 12},   {0, -1, 12},   {-511, 511, 20}, {-10000, 3, 44},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net_state before = {5000, -7000, 64, -32, 1000, 1, 2, 3, 4}, now = before;
        now.tick = 1010;
        now.x += 20 + cases[i].dx; /* prediction: 64 * 10 >> 5 */
        now.y += -10 + cases[i].dy;
        assert_int_equal(round_trip(&before, &now), 4 + 3 + 2 + 3 + cases[i].bits);
    }
}

static void test_snapshot_velocity_classes_have_their_edges(void **state) {
    (void)state;
    static const struct {
        int16_t vx, vy;
        uint32_t bits;
    } cases[] = {
        {0, 0, 2},     {1, 0, 20},     {255, -256, 20},
        {256, 0, 26},  {0, -257, 26},  {2047, -2048, 26},
        {2048, 0, 34}, {0, -2049, 34}, {INT16_MIN, INT16_MAX, 34},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net_state before = {0, 0, 7, 7, 50, 1, 2, 3, 4}, now = before;
        now.vx = cases[i].vx;
        now.vy = cases[i].vy;
        assert_int_equal(round_trip(&before, &now), 4 + 3 + 2 + 3 + cases[i].bits);
    }
}

static void test_snapshot_flags_carry_only_what_changed(void **state) {
    (void)state;
    struct net_state before = {0, 0, 0, 0, 50, 1, 2, 3, 4}, now = before;
    assert_int_equal(round_trip(&before, &now), 12);
    now.yaw = 255;
    assert_int_equal(round_trip(&before, &now), 12 + 8);
    now.health = 0;
    assert_int_equal(round_trip(&before, &now), 12 + 8 + 2 + 8);
    now.action = 255;
    assert_int_equal(round_trip(&before, &now), 12 + 8 + 2 + 16);
    now = before;
    now.action = 9;
    assert_int_equal(round_trip(&before, &now), 12 + 2 + 8);
}

static void test_snapshot_walker_that_turns_costs_under_60_bits(void **state) {
    (void)state;
    struct net_state before = {64000, 64000, 205, 0, 200, 1, 0, 255, 1}, now = before; /* 6 m/s */
    now.tick = 260;
    now.x += (205 * 57 >> 5) + 2; /* three ticks ago it turned right */
    now.y += 205 * 3 >> 5;
    now.vx = 0;
    now.vy = 205;
    now.yaw = 64;
    assert_true(round_trip(&before, &now) + 7 <= 60); /* with a gap of 8 to 15 slots */
}

static void test_snapshot_corners_of_the_world_survive(void **state) {
    (void)state;
    struct net_state before = {NET_POSITION_MIN, NET_POSITION_MAX, INT16_MIN, INT16_MAX, 0, 255, 255, 255, 255};
    struct net_state now = before;
    now.tick = NET_PREDICTION_TICKS_MAX; /* predicted far outside of the world */
    assert_int_equal(round_trip(&before, &now), 12 + 44);
    now.tick = 0x80000000u; /* so old that it counts as not older at all */
    assert_int_equal(round_trip(&before, &now), 12);
    now.x = NET_POSITION_MAX;
    now.y = NET_POSITION_MIN;
    assert_int_equal(round_trip(&before, &now), 12 + 44);
}

static void test_snapshot_update_bits_full_bounded_by_its_maximum(void **state) {
    (void)state;
    struct snapshot_update update = {.id = UINT64_MAX, .state = {0, 0, INT16_MAX, 0, 0, 0, 0, 0, 0}};
    assert_int_equal(snapshot_update_bits(&update, 0) + SNAPSHOT_GAP_BITS_MAX, SNAPSHOT_FULL_BITS_MAX);
}

static void test_snapshot_removals_of_any_slots_fit_their_maximum(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    for (uint32_t stride = 1; stride <= SNAPSHOT_SLOTS_MAX; stride++) {
        uint16_t slots[SNAPSHOT_SLOTS_MAX];
        uint32_t count = 0;
        for (uint32_t slot = stride - 1; slot < SNAPSHOT_SLOTS_MAX; slot += stride) slots[count++] = (uint16_t)slot;
        size_t len = write_all(bytes, SIZE, (struct snapshot_header){.seq = 1}, slots, count, NULL, 0);
        assert_in_range(len, SNAPSHOT_HEADER_BYTES + 1, SNAPSHOT_HEADER_BYTES + SNAPSHOT_REMOVALS_BYTES_MAX + 1);
        struct snapshot_table *table = snapshot_table_create(SNAPSHOT_SLOTS_MAX);
        assert_int_equal(snapshot_table_read(table, bytes, len), 0);
        assert_int_equal(table->removal_count, count);
        assert_memory_equal(table->removals, slots, count * sizeof(slots[0]));
        snapshot_table_destroy(table);
    }
}

static void test_snapshot_writer_without_room_says_so(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    size_t len = write_first(bytes);
    struct snapshot_update update = {.slot = 0, .version = 1, .id = OWN_ID, .state = own_100};
    for (size_t size = 0; size < len; size++) {
        struct snapshot_update both[] = {update, {.slot = 5, .version = 1, .id = ORC_ID, .state = orc_100}};
        assert_int_equal(write_all(bytes, size, (struct snapshot_header){.seq = 1}, NULL, 0, both, 2), 0);
    }
}

/* --- the table over time */

static void test_snapshot_newer_tenant_forgets_the_older_ones_versions(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    struct snapshot_table *table = snapshot_table_create(64);
    assert_int_equal(snapshot_table_read(table, bytes, write_first(bytes)), 0);
    struct snapshot_update tenant = {.slot = 5, .version = 9, .id = 1234, .state = own_100};
    struct snapshot_header header = {.stream = 3, .seq = 769, .tick = 101};
    assert_int_equal(snapshot_table_read(table, bytes, write_all(bytes, SIZE, header, NULL, 0, &tenant, 1)), 0);
    assert_true(table->changes[0].full);
    assert_int_equal(table->slots[5].known, 1 << 9);

    struct snapshot_update stale = {.slot = 5, .version = 2, .distance = 1, .state = orc_100, .baseline = &orc_100};
    header.seq++;
    size_t len = write_all(bytes, SIZE, header, NULL, 0, &stale, 1);
    assert_int_equal(snapshot_table_read(table, bytes, len), MARCH_ERR_INVALID);
    snapshot_table_destroy(table);
}

static void test_snapshot_same_tenant_told_in_full_keeps_its_versions(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    struct snapshot_table *table = snapshot_table_create(64);
    assert_int_equal(snapshot_table_read(table, bytes, write_first(bytes)), 0);
    struct snapshot_update again = {.slot = 5, .version = 2, .id = ORC_ID, .state = orc_103};
    struct snapshot_header header = {.stream = 3, .seq = 769, .tick = 103};
    assert_int_equal(snapshot_table_read(table, bytes, write_all(bytes, SIZE, header, NULL, 0, &again, 1)), 0);
    assert_int_equal(table->slots[5].known, 1 << 1 | 1 << 2);
    snapshot_table_destroy(table);
}

static void test_snapshot_other_stream_empties_the_table(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    struct snapshot_table *table = snapshot_table_create(64);
    assert_int_equal(snapshot_table_read(table, bytes, write_first(bytes)), 0);
    struct snapshot_header header = {.stream = 4, .seq = 5, .tick = 103};
    struct snapshot_update delta = {.slot = 5, .version = 2, .distance = 1, .state = orc_103, .baseline = &orc_100};
    size_t len = write_all(bytes, SIZE, header, NULL, 0, &delta, 1);
    assert_int_equal(snapshot_table_read(table, bytes, len), MARCH_ERR_INVALID); /* builds on what is gone */
    assert_slot(table, 5, ORC_ID, &orc_100);

    struct snapshot_update full = {.slot = 1, .version = 1, .id = 99, .state = own_100};
    len = write_all(bytes, SIZE, header, NULL, 0, &full, 1);
    assert_int_equal(snapshot_table_read(table, bytes, len), 0); /* though 5 is older than 768 */
    assert_true(table->fresh);
    assert_int_equal(table->slots[0].id, 0);
    assert_int_equal(table->slots[5].id, 0);
    assert_int_equal(table->slots_used, 2);
    snapshot_table_destroy(table);
}

static void test_snapshot_of_a_stream_that_has_ended_is_refused(void **state) {
    (void)state;
    static const struct {
        uint8_t last, next;
        int result;
    } cases[] = {
        {4, 3, MARCH_ERR_REPLAY}, {0, 255, MARCH_ERR_REPLAY}, {9, 1, MARCH_ERR_REPLAY}, {9, 0, 0}, {255, 0, 0}, {3, 131, 0}};
    struct snapshot_update full = {.slot = 1, .version = 1, .id = 99, .state = own_100};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[SIZE];
        struct snapshot_table *table = snapshot_table_create(8);
        struct snapshot_header header = {.stream = cases[i].last, .seq = 5};
        assert_int_equal(snapshot_table_read(table, bytes, write_all(bytes, SIZE, header, NULL, 0, &full, 1)), 0);
        header = (struct snapshot_header){.stream = cases[i].next, .seq = 6};
        size_t len = write_all(bytes, SIZE, header, NULL, 0, NULL, 0);
        assert_int_equal(snapshot_table_read(table, bytes, len), cases[i].result);
        assert_int_equal(table->slots[1].id, cases[i].result == 0 ? 0 : 99);
        snapshot_table_end_stream(table); /* in another session numbers mean nothing */
        assert_int_equal(snapshot_table_read(table, bytes, len), 0);
        assert_true(table->fresh);
        assert_int_equal(table->slots[1].id, 0);
        snapshot_table_destroy(table);
    }
}

static void test_snapshot_not_newer_is_refused_across_the_wrap(void **state) {
    (void)state;
    static const struct {
        uint16_t last, next;
        int result;
    } cases[] = {{10, 10, MARCH_ERR_REPLAY},   {10, 9, MARCH_ERR_REPLAY}, {10, 11, 0}, {65535, 0, 0},
                 {0, 65535, MARCH_ERR_REPLAY}, {100, 100 + 32767, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[SIZE];
        struct snapshot_table *table = snapshot_table_create(4);
        size_t len = write_all(bytes, SIZE, (struct snapshot_header){.seq = cases[i].last}, NULL, 0, NULL, 0);
        assert_int_equal(snapshot_table_read(table, bytes, len), 0);
        len = write_all(bytes, SIZE, (struct snapshot_header){.seq = cases[i].next}, NULL, 0, NULL, 0);
        assert_int_equal(snapshot_table_read(table, bytes, len), cases[i].result);
        snapshot_table_destroy(table);
    }
}

/* --- what is refused, and that it changes nothing */

struct broken {
    const char *what;
    uint8_t bytes[SIZE];
    size_t len;
};

static void begin_broken(struct bit_writer *w, struct broken *broken, uint32_t removals) {
    memset(broken->bytes, 0, sizeof(broken->bytes));
    bit_writer_init(w, broken->bytes, SIZE);
    bits_write(w, 3, 8);
    bits_write(w, 769, 16);
    bits_write(w, 103, 32);
    bits_write(w, 0, 16);
    bits_write_gamma(w, removals + 1);
}

/* Writes an update of slot gap - 1 that changes nothing against version 1. */
static void write_null_delta(struct bit_writer *w, uint32_t gap, uint32_t distance_code, uint32_t version) {
    bits_write_gamma(w, gap);
    bits_write(w, version, 4);
    bits_write_gamma(w, distance_code);
    bits_write(w, 0, 5);
}

static void assert_refused(struct bit_writer *w, struct broken *broken, const char *what) {
    uint8_t good[SIZE];
    struct snapshot_table *table = snapshot_table_create(64);
    assert_int_equal(snapshot_table_read(table, good, write_first(good)), 0);
    struct snapshot_slot before[64];
    memcpy(before, table->slots, sizeof(before));
    struct snapshot_header header = table->header;
    if (w) broken->len = bit_writer_finish(w);
    if (snapshot_table_read(table, broken->bytes, broken->len) != MARCH_ERR_INVALID) fail_msg("%s was taken", what);
    assert_memory_equal(before, table->slots, sizeof(before));
    assert_memory_equal(&header, &table->header, sizeof(header));
    assert_int_equal(table->change_count, 0);
    assert_int_equal(table->removal_count, 0);
    snapshot_table_destroy(table);
}

static void test_snapshot_reader_broken_slots_are_refused(void **state) {
    (void)state;
    struct broken broken;
    struct bit_writer w;
    begin_broken(&w, &broken, 1);
    bits_write_gamma(&w, 65);
    bits_write_gamma(&w, 1);
    assert_refused(&w, &broken, "a removal beyond the slots");
    begin_broken(&w, &broken, 66);
    assert_refused(&w, &broken, "more removals than slots");
    begin_broken(&w, &broken, 1);
    bits_write_gamma(&w, 6);
    bits_write_gamma(&w, 2);
    write_null_delta(&w, 6, 2, 2);
    assert_refused(&w, &broken, "a slot removed and updated");
    begin_broken(&w, &broken, 0);
    bits_write_gamma(&w, 2);
    write_null_delta(&w, 65, 2, 2);
    assert_refused(&w, &broken, "an update beyond the slots");
    begin_broken(&w, &broken, 0);
    bits_write(&w, 0, 20);
    assert_refused(&w, &broken, "a number that does not end");
    begin_broken(&w, &broken, 0);
    bits_write_gamma(&w, 67);
    assert_refused(&w, &broken, "more updates than slots");
}

static void test_snapshot_reader_broken_bodies_are_refused(void **state) {
    (void)state;
    struct broken broken;
    struct bit_writer w;
    begin_broken(&w, &broken, 0);
    bits_write_gamma(&w, 2);
    write_null_delta(&w, 6, 3, 2);
    assert_refused(&w, &broken, "a baseline that is not here");
    begin_broken(&w, &broken, 0);
    bits_write_gamma(&w, 2);
    write_null_delta(&w, 3, 2, 2);
    assert_refused(&w, &broken, "a delta for an empty slot");
    begin_broken(&w, &broken, 0);
    bits_write_gamma(&w, 2);
    write_null_delta(&w, 6, 17, 1);
    assert_refused(&w, &broken, "a baseline 16 versions back");
    begin_broken(&w, &broken, 0);
    bits_write_gamma(&w, 2);
    bits_write_gamma(&w, 1);
    bits_write(&w, 2, 4);
    bits_write_gamma(&w, 1);
    for (int i = 0; i < 2; i++) bits_write(&w, 0, 32);
    for (int i = 0; i < 3; i++) bits_write(&w, 0, 26);
    assert_refused(&w, &broken, "an id of 0");
    broken.len = 0;
    assert_refused(NULL, &broken, "nothing");
}

static void test_snapshot_reader_outside_of_the_world_is_refused(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    struct snapshot_table *table = snapshot_table_create(4);
    struct snapshot_update edge = {.slot = 0, .version = 1, .id = 5, .state = {NET_POSITION_MAX, 0, 32, 0, 1, 0, 0, 0, 0}};
    size_t len = write_all(bytes, SIZE, (struct snapshot_header){.tick = 1}, NULL, 0, &edge, 1);
    assert_int_equal(snapshot_table_read(table, bytes, len), 0);
    struct bit_writer w;
    bit_writer_init(&w, bytes, SIZE);
    bits_write(&w, 0, 8);
    bits_write(&w, 1, 16);
    bits_write(&w, 2, 32); /* one tick on, it has left the world */
    bits_write(&w, 0, 16);
    bits_write_gamma(&w, 1);
    bits_write_gamma(&w, 2);
    write_null_delta(&w, 1, 2, 2);
    len = bit_writer_finish(&w);
    assert_int_equal(snapshot_table_read(table, bytes, len), MARCH_ERR_INVALID);
    snapshot_table_destroy(table);
}

static void test_snapshot_reader_cut_or_padded_is_refused(void **state) {
    (void)state;
    struct broken broken;
    size_t len = write_second(broken.bytes);
    for (broken.len = 0; broken.len < len; broken.len++) assert_refused(NULL, &broken, "a part");
    broken.bytes[len] = 0;
    broken.len = len + 1;
    assert_refused(NULL, &broken, "a byte too many");
    broken.len = len;
    broken.bytes[len - 1] |= 0x80;
    assert_refused(NULL, &broken, "padding that is not zero");
}

static void test_snapshot_table_create_refuses_limits_out_of_range(void **state) {
    (void)state;
    assert_null(snapshot_table_create(0));
    assert_null(snapshot_table_create(SNAPSHOT_SLOTS_MAX + 1));
    snapshot_table_destroy(NULL);
}

static void test_snapshot_table_reset_takes_any_sequence_again(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    struct snapshot_table *table = snapshot_table_create(64);
    assert_int_equal(snapshot_table_read(table, bytes, write_first(bytes)), 0);
    snapshot_table_reset(table);
    assert_int_equal(table->slots[0].id, 0);
    assert_int_equal(snapshot_table_read(table, bytes, write_first(bytes)), 0);
    assert_true(table->fresh);
    snapshot_table_destroy(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_document_examples_decode_and_encode),
        cmocka_unit_test(test_snapshot_position_classes_have_their_edges),
        cmocka_unit_test(test_snapshot_velocity_classes_have_their_edges),
        cmocka_unit_test(test_snapshot_flags_carry_only_what_changed),
        cmocka_unit_test(test_snapshot_walker_that_turns_costs_under_60_bits),
        cmocka_unit_test(test_snapshot_corners_of_the_world_survive),
        cmocka_unit_test(test_snapshot_update_bits_full_bounded_by_its_maximum),
        cmocka_unit_test(test_snapshot_removals_of_any_slots_fit_their_maximum),
        cmocka_unit_test(test_snapshot_writer_without_room_says_so),
        cmocka_unit_test(test_snapshot_newer_tenant_forgets_the_older_ones_versions),
        cmocka_unit_test(test_snapshot_same_tenant_told_in_full_keeps_its_versions),
        cmocka_unit_test(test_snapshot_other_stream_empties_the_table),
        cmocka_unit_test(test_snapshot_of_a_stream_that_has_ended_is_refused),
        cmocka_unit_test(test_snapshot_not_newer_is_refused_across_the_wrap),
        cmocka_unit_test(test_snapshot_reader_broken_slots_are_refused),
        cmocka_unit_test(test_snapshot_reader_broken_bodies_are_refused),
        cmocka_unit_test(test_snapshot_reader_outside_of_the_world_is_refused),
        cmocka_unit_test(test_snapshot_reader_cut_or_padded_is_refused),
        cmocka_unit_test(test_snapshot_table_create_refuses_limits_out_of_range),
        cmocka_unit_test(test_snapshot_table_reset_takes_any_sequence_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
