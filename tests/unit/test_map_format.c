/* test_map_format.c: maps: from boxes to a file and back, the document's example, and every way to break one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "tests/unit/hex_doc.h"
#include "tests/unit/map_fixture.h"

#define DOC "common/MAP.md"

static struct map_fixture f;

static int set_up(void **state) {
    (void)state;
    map_fixture_init(&f);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    map_fixture_deinit(&f);
    return 0;
}

static void expect_sound(struct map_file *file) {
    if (map_fixture_open(&f, file) != 0) fail_msg("%s", f.error);
}

static bool touches_chunk(const struct map_box *box, uint32_t chunk) {
    int64_t x = ((int64_t)map_column(chunk) - 512) * M(64), y = ((int64_t)map_row(chunk) - 512) * M(64);
    return box->x_min < x + M(64) && box->x_max > x && box->y_min < y + M(64) && box->y_max > y;
}

/* expect_all compares the file with the list that it was made of, box by box and chunk by chunk. */
static void expect_all(const struct map_box *boxes, uint32_t count) {
    struct map_file file;
    struct map_box *read = malloc(MAP_BOXES_MAX * sizeof *read);
    expect_sound(&file);
    uint32_t stored = 0, least = 0;
    for (uint32_t i = 0; i < file.header.chunk_count; i++) {
        const struct map_entry *entry = &file.entries[i];
        assert_int_equal(map_file_read(&file, i, read, f.error, sizeof f.error), 0);
        uint32_t expected = 0;
        for (uint32_t b = 0; b < count; b++) expected += touches_chunk(&boxes[b], entry->chunk);
        assert_int_equal(entry->count, expected);
        for (uint32_t b = 0; b < entry->count; b++) assert_true(touches_chunk(&read[b], entry->chunk));
        stored += entry->count;
        assert_true(entry->chunk >= least);
        least = entry->chunk + 1;
    }
    assert_int_equal(stored, file.header.stored_count);
    assert_int_equal(file.header.box_count, count);
    map_file_close(&file);
    free(read);
}

static void test_map_format_random_boxes_come_back_by_chunk(void **state) {
    (void)state;
    static struct map_box boxes[300];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rng rng = {seed};
        uint32_t count = (uint32_t)(rng_below(&rng, 300));
        for (uint32_t i = 0; i < count; i++) boxes[i] = map_fixture_box(&rng, 400);
        assert_int_equal(map_fixture_pack(&f, boxes, count), 0);
        expect_all(boxes, count);
    }
}

static void test_map_format_same_boxes_give_the_same_bytes_in_any_order(void **state) {
    (void)state;
    struct rng rng = {7};
    struct map_box boxes[40], shuffled[60];
    for (uint32_t i = 0; i < 40; i++) boxes[i] = map_fixture_box(&rng, 200);
    for (uint32_t i = 0; i < 60; i++) shuffled[i] = boxes[39 - i % 40]; /* and some of them twice */
    assert_int_equal(map_fixture_pack(&f, boxes, 40), 0);
    uint8_t *bytes = f.bytes;
    size_t len = f.len;
    f.bytes = NULL;
    assert_int_equal(map_fixture_pack(&f, shuffled, 60), 0);
    assert_int_equal(f.len, len);
    assert_memory_equal(f.bytes, bytes, len);
    boxes[3].z_max++;
    assert_int_equal(map_fixture_pack(&f, boxes, 40), 0);
    assert_memory_not_equal(f.bytes + MAP_HASH_OFFSET, bytes + MAP_HASH_OFFSET, MAP_HASH_BYTES);
    free(bytes);
}

static void test_map_format_edges_of_chunks_and_of_the_plane_hold(void **state) {
    (void)state;
    static const struct {
        struct map_box box;
        uint32_t chunks, first;
    } cases[] = {
        {{0, 0, 0, 1, 1, 1}, 1, 512 << 10 | 512},
        {{0, 0, 0, M(64), M(64), 1}, 1, 512 << 10 | 512},
        {{0, 0, 0, M(64) + 1, M(64), 1}, 2, 512 << 10 | 512},
        {{-1, -1, -1, 1, 1, 1}, 4, 511 << 10 | 511},
        {{INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN + 1, INT32_MIN + 1, INT32_MIN + 1}, 1, 0},
        {{INT32_MAX - 1, INT32_MAX - 1, 0, INT32_MAX, INT32_MAX, INT32_MAX}, 1, MAP_CHUNKS_MAX - 1},
        {{INT32_MIN, 0, 0, INT32_MAX, 1, 1}, 1024, 512 << 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct map_box box = cases[i].box;
        struct map_file file;
        assert_int_equal(map_fixture_pack(&f, &box, 1), 0);
        expect_sound(&file);
        assert_int_equal(file.header.chunk_count, cases[i].chunks);
        assert_int_equal(file.entries[0].chunk, cases[i].first);
        map_file_close(&file);
    }
    struct map_file file;
    assert_int_equal(map_fixture_pack(&f, NULL, 0), 0);
    expect_sound(&file);
    assert_int_equal(f.len, MAP_HEADER_BYTES);
    map_file_close(&file);
}

static void test_map_format_limits_are_told(void **state) {
    (void)state;
    struct map_box *boxes = malloc((MAP_BOXES_MAX + 1) * sizeof *boxes);
    for (int32_t i = 0; i <= (int32_t)MAP_BOXES_MAX; i++)
        boxes[i] = (struct map_box){M(-64), M(64), i, M(-63), M(65), i + 1};
    assert_int_equal(map_fixture_pack(&f, boxes, MAP_BOXES_MAX), 0);
    struct map_file file;
    expect_sound(&file);
    map_file_close(&file);
    assert_int_equal(map_fixture_pack(&f, boxes, MAP_BOXES_MAX + 1), MARCH_ERR_FULL);
    assert_string_equal(f.error, "expected at most 4096 boxes in a square of 64 m, found more in that from x -64 m, y 64 m");
    for (int32_t i = 0; i < 17; i++) boxes[i] = (struct map_box){INT32_MIN, INT32_MIN, i, INT32_MAX, INT32_MAX, i + 1};
    assert_int_equal(map_fixture_pack(&f, boxes, 17), MARCH_ERR_FULL);
    assert_string_equal(f.error, "expected at most 16777216 boxes in all chunks together, found 17825792");
    free(boxes);
}

static void pack_small(void) {
    struct map_box boxes[] = {
        {M(-1), M(-1), 0, M(1), M(1), M(3)}, {M(10), M(20), M(1), M(11), M(22), M(2)}, {M(200), 0, 0, M(201), 1, 1}};
    assert_int_equal(map_fixture_pack(&f, boxes, 3), 0);
}

/* expect_refused puts the bytes and expects an error that names file and place. */
static void expect_refused(const void *bytes, size_t len, const char *what) {
    struct map_file file;
    map_fixture_put(&f, bytes, len);
    int result = map_fixture_open(&f, &file);
    if (result == 0) fail_msg("%s was not noticed", what);
    assert_true(result == MARCH_ERR_INVALID || result == MARCH_ERR_UNSUPPORTED);
    char begin[128];
    snprintf(begin, sizeof begin, "%s: offset ", f.path);
    if (strncmp(f.error, begin, strlen(begin)) != 0 || !strstr(f.error, "expected ") || !strstr(f.error, ", found "))
        fail_msg("%s: %s", what, f.error);
}

static void test_map_format_file_cut_or_grown_anywhere_is_refused(void **state) {
    (void)state;
    pack_small();
    char what[64];
    for (size_t len = 0; len < f.len; len++) {
        snprintf(what, sizeof what, "%zu of %zu bytes", len, f.len);
        expect_refused(f.bytes, len, what);
    }
    uint8_t *longer = calloc(1, f.len + 1);
    memcpy(longer, f.bytes, f.len);
    expect_refused(longer, f.len + 1, "a byte more");
    free(longer);
}

static void test_map_format_every_flipped_bit_is_refused(void **state) {
    (void)state;
    pack_small();
    char what[64];
    for (size_t bit = 0; bit < 8 * f.len; bit++) {
        f.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        snprintf(what, sizeof what, "bit %zu of byte %zu", bit % 8, bit / 8);
        expect_refused(f.bytes, f.len, what);
        f.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* mend has the file say what is in it: CRCs and hash. */
static void mend(void) {
    struct map_header header;
    struct map_fault fault;
    assert_int_equal(map_header_decode(f.bytes, f.len, f.len, &header, &fault), 0);
    struct map_entry *entries = (struct map_entry *)(void *)(f.bytes + MAP_HEADER_BYTES);
    for (uint32_t i = 0; i < header.chunk_count; i++)
        if (map_boxes_offset(&header, entries[i].first) + entries[i].count * sizeof(struct map_box) <= f.len)
            entries[i].crc =
                crc32c(0, f.bytes + map_boxes_offset(&header, entries[i].first), entries[i].count * sizeof(struct map_box));
    crypto_generichash(header.hash, MAP_HASH_BYTES, f.bytes + MAP_HEADER_BYTES, f.len - MAP_HEADER_BYTES, NULL, 0);
    map_header_encode(f.bytes, &header, entries);
}

static void test_map_format_what_no_packer_writes_is_refused_behind_good_crcs(void **state) {
    (void)state;
    static const struct {
        bool in_boxes;
        size_t offset; /* from the begin of the index, or of the boxes */
        uint32_t value;
        const char *error;
    } cases[] = {
        {false, 16, 0, "expected number of the chunk, at least"},
        {false, 16 * 4, MAP_CHUNKS_MAX, "expected number of the chunk, at least"},
        {false, 4, 1, "expected first box of the chunk 0 (0x0), found 1"},
        {false, 8, 0, "expected count of the chunk's boxes, at most 4096 (0x1000), found 0"},
        {false, 8, MAP_BOXES_MAX + 1, "expected count of the chunk's boxes, at most 4096 (0x1000), found 4097"},
        {false, 16 * 4, 512 << 10 | 516, "expected a box that touches chunk 524804 (0x80204), found 524803"},
        {false, 16 * 4, 513 << 10 | 515, "expected a box that touches chunk 525827 (0x80603), found 524803"},
        {false, 0, 511 << 10 | 510, "expected a box that touches chunk 523774 (0x7fdfe), found 523775"},
        {false, 0, 510 << 10 | 511, "expected a box that touches chunk 522751 (0x7f9ff), found 523775"},
        {true, 24 * 4, 0xfffd0000, "expected a box that follows the one of x"},
        {true, 12, 0xffff0000, "expected far side of the box, more than 4294901760 (0xffff0000), found 4294901760"},
        {true, 20, 0, "expected far side of the box, more than 0 (0x0), found 0"},
        {true, 12, 0xffff8000, "expected count of boxes in chunks 4 (0x4), found 6"}, /* not in all of its chunks */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pack_small();
        uint32_t chunks = (uint32_t)load_le(f.bytes + 32, 4);
        assert_int_equal(chunks, 5);
        size_t base = MAP_HEADER_BYTES + (cases[i].in_boxes ? chunks * sizeof(struct map_entry) : 0);
        store_le(f.bytes + base + cases[i].offset, cases[i].value, 4);
        mend();
        expect_refused(f.bytes, f.len, cases[i].error);
        if (!strstr(f.error, cases[i].error)) fail_msg("expected %s\n   found %s", cases[i].error, f.error);
    }
}

static void test_map_format_hash_of_another_map_is_refused(void **state) {
    (void)state;
    struct map_header header;
    struct map_fault fault;
    pack_small();
    assert_int_equal(map_header_decode(f.bytes, f.len, f.len, &header, &fault), 0);
    header.hash[0] ^= 1;
    map_header_encode(f.bytes, &header, (const struct map_entry *)(const void *)(f.bytes + MAP_HEADER_BYTES));
    expect_refused(f.bytes, f.len, "another hash");
    assert_non_null(strstr(f.error, "offset 16: expected hash "));
}

static void test_map_format_header_beyond_the_limits_is_refused(void **state) {
    (void)state;
    static const struct {
        size_t offset;
        uint32_t value;
        const char *error;
    } cases[] = {
        {32, MAP_CHUNKS_MAX + 1, "offset 32: expected count of chunks, at most 1048576 (0x100000), found 1048577"},
        {40, MAP_STORED_MAX + 1,
         "offset 40: expected count of boxes in chunks, at most 16777216 (0x1000000), found 16777217"},
        {36, 7, "offset 36: expected count of boxes, at most 6 (0x6), found 7"},
        {60, 1, "offset 60: expected zero of the header 0 (0x0), found 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pack_small();
        store_le(f.bytes + cases[i].offset, cases[i].value, 4);
        expect_refused(f.bytes, f.len, cases[i].error);
        if (!strstr(f.error, cases[i].error)) fail_msg("expected %s\n   found %s", cases[i].error, f.error);
    }
}

static void test_map_format_other_version_is_told_from_damage(void **state) {
    (void)state;
    struct map_file file;
    pack_small();
    store_le(f.bytes + 8, 2, 4);
    map_fixture_put(&f, f.bytes, f.len);
    assert_int_equal(map_fixture_open(&f, &file), MARCH_ERR_UNSUPPORTED);
    assert_non_null(strstr(f.error, "world.map: offset 8: expected version of the map 1 (0x1), found 2 (0x2)"));
    map_fixture_put(&f, "cluster:\n  name: marchland, and so on; this is no map, but long enough for one", 78);
    assert_int_equal(map_fixture_open(&f, &file), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "world.map: offset 0: expected magic of the map"));
    unlink(f.path);
    assert_int_equal(map_fixture_open(&f, &file), MARCH_ERR_NOT_FOUND);
    assert_non_null(strstr(f.error, "world.map: cannot open: No such file or directory"));
    assert_int_equal(map_file_open(&file, f.dir, f.error, sizeof f.error), MARCH_ERR_SYSTEM);
    assert_non_null(strstr(f.error, ": expected a regular file"));
}

static void test_map_format_document_example_is_what_its_boxes_pack_to(void **state) {
    (void)state;
    uint8_t bytes[1024];
    size_t len = hex_doc_read(DOC, "map", bytes, sizeof bytes);
    struct map_box boxes[] = {{M(-2), M(-2), 0, M(2), M(2), M(3)}, {M(10), M(20.5), M(-1), M(12), M(21), M(1)}};
    assert_int_equal(map_fixture_pack(&f, boxes, 2), 0);
    assert_int_equal(len, f.len);
    assert_memory_equal(bytes, f.bytes, len);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_map_format_random_boxes_come_back_by_chunk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_same_boxes_give_the_same_bytes_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_edges_of_chunks_and_of_the_plane_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_limits_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_file_cut_or_grown_anywhere_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_every_flipped_bit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_what_no_packer_writes_is_refused_behind_good_crcs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_hash_of_another_map_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_header_beyond_the_limits_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_other_version_is_told_from_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_format_document_example_is_what_its_boxes_pack_to, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
