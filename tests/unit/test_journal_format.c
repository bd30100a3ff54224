/* The journal's bytes: the worked example of JOURNAL.md, round trips, and every bit of a block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist/journal_format.h"
#include "tests/unit/hex_doc.h"
#include "tests/unit/journal_fixture.h"

#define DOC "persist/JOURNAL.md"

static struct journal_codec *codec;
static uint8_t raw[JOURNAL_BLOCK_BYTES_MAX], back[JOURNAL_BLOCK_BYTES_MAX], frame[JOURNAL_FRAME_MAX];
static struct journal_fault fault;

static int open_codec(void **state) {
    (void)state;
    codec = journal_codec_create();
    return codec ? 0 : -1;
}

static int close_codec(void **state) {
    (void)state;
    journal_codec_destroy(codec);
    return 0;
}

/* fill puts records of `len` bytes, the first at `position`, and seals them. `same` makes them compress. */
static struct journal_block fill(uint64_t position, uint32_t count, size_t len, bool same) {
    struct journal_block block = {.first = position, .durable = position - 1, .count = count};
    uint8_t bytes[JOURNAL_RECORD_BYTES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        journal_fixture_record(same ? 1 : position + i, bytes, len);
        journal_record_put(raw + block.raw_len, (uint16_t)i, bytes, len);
        block.raw_len += (uint32_t)journal_record_size(len);
    }
    journal_block_seal(codec, &block, raw, frame);
    return block;
}

static void assert_comes_back(const struct journal_block *sealed) {
    struct journal_block block;
    assert_int_equal(journal_block_decode(frame, sealed->size, &block, &fault), 0);
    assert_true(block.first == sealed->first && block.durable == sealed->durable && block.size == sealed->size);
    assert_true(block.raw_len == sealed->raw_len && block.count == sealed->count && block.encoding == sealed->encoding);
    assert_int_equal(journal_block_open(codec, frame, &block, back, &fault), 0);
    assert_memory_equal(back, raw, block.raw_len);
    const uint8_t *next = back;
    for (uint32_t i = 0; i < block.count; i++) {
        uint16_t type;
        size_t len;
        (void)journal_record_get(&next, &type, &len);
        assert_int_equal(type, (uint16_t)i);
    }
    assert_ptr_equal(next, back + block.raw_len);
}

static void test_journal_format_block_of_any_size_comes_back(void **state) {
    (void)state;
    static const struct {
        uint32_t count;
        size_t len;
    } cases[] = {{1, 1}, {1, JOURNAL_RECORD_BYTES_MAX}, {79, 48}, {80, 48}, {10000, 48}, {JOURNAL_RECORDS_MAX, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int same = 0; same < 2; same++) {
            struct journal_block block = fill(1000, cases[i].count, cases[i].len, same);
            assert_true(block.size <= journal_block_bound(block.raw_len));
            assert_comes_back(&block);
        }
    }
}

static void test_journal_format_compresses_only_where_it_saves_a_page(void **state) {
    (void)state;
    assert_int_equal(fill(1, 10, 48, true).encoding, JOURNAL_RAW);
    assert_int_equal(fill(1, 1000, 48, true).encoding, JOURNAL_ZSTD);
    assert_int_equal(fill(1, 100, 4000, false).encoding, JOURNAL_RAW);
}

/* check_every_bit flips each bit of the sealed block: none is taken for whole. */
static void check_every_bit(const struct journal_block *sealed) {
    for (uint32_t bit = 0; bit < 8 * sealed->size; bit++) {
        struct journal_block block;
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (journal_block_decode(frame, sealed->size, &block, &fault) == 0) fail_msg("bit %u was not noticed", bit);
        assert_true(fault.offset < JOURNAL_BLOCK_HEADER && fault.what != NULL && fault.expected != fault.found);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_comes_back(sealed);
}

static void test_journal_format_every_flipped_bit_is_noticed(void **state) {
    (void)state;
    struct journal_block block = fill(77, 5, 48, false);
    check_every_bit(&block);
    block = fill(77, 400, 48, true);
    assert_int_equal(block.encoding, JOURNAL_ZSTD);
    check_every_bit(&block);
}

static void test_journal_format_block_cut_anywhere_is_noticed(void **state) {
    (void)state;
    struct journal_block block = fill(77, 400, 48, false), out;
    for (size_t len = 0; len < block.size; len++)
        assert_int_equal(journal_block_decode(frame, len, &out, &fault), MARCH_ERR_INVALID);
}

static void test_journal_format_every_flipped_bit_of_a_segment_header_is_noticed(void **state) {
    (void)state;
    uint8_t page[JOURNAL_PAGE];
    struct journal_segment_header header = {.id = {1, 2, 3}, .index = 4, .first = 5}, out;
    journal_segment_encode(page, &header);
    assert_int_equal(journal_segment_decode(page, sizeof page, &out, &fault), 0);
    assert_memory_equal(out.id, header.id, sizeof out.id);
    assert_true(out.index == header.index && out.first == header.first);
    for (uint32_t bit = 0; bit < 8 * JOURNAL_PAGE; bit++) {
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(journal_segment_decode(page, sizeof page, &out, &fault), MARCH_ERR_INVALID);
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 1; len < sizeof page; len++)
        assert_int_equal(journal_segment_decode(page, len, &out, &fault), MARCH_ERR_INVALID);
    memset(page, 0, sizeof page);
    assert_int_equal(journal_segment_decode(page, sizeof page, &out, &fault), MARCH_ERR_EMPTY);
}

static void test_journal_format_document_example_decodes(void **state) {
    (void)state;
    uint8_t page[JOURNAL_PAGE] = {0};
    size_t len = hex_doc_read(DOC, "segment", page, sizeof page);
    assert_int_equal(len, 44);
    struct journal_segment_header header;
    assert_int_equal(journal_segment_decode(page, sizeof page, &header, &fault), 0);
    assert_int_equal(header.index, 3);
    assert_int_equal(header.first, 1000);
    assert_int_equal(header.id[0], 0xa0);
    assert_int_equal(header.id[15], 0xaf);
    memset(page, 0, sizeof page);
    assert_true(hex_doc_read(DOC, "block", page, sizeof page) > JOURNAL_BLOCK_HEADER);
    struct journal_block block;
    assert_int_equal(journal_block_decode(page, sizeof page, &block, &fault), 0);
    assert_int_equal(block.first, 1000);
    assert_int_equal(block.durable, 998);
    assert_int_equal(block.count, 2);
    assert_int_equal(block.encoding, JOURNAL_RAW);
    assert_int_equal(journal_block_open(codec, page, &block, back, &fault), 0);
    const uint8_t *next = back;
    uint16_t type;
    const uint8_t *record = journal_record_get(&next, &type, &len);
    assert_int_equal(type, 1);
    assert_int_equal(len, 5);
    assert_memory_equal(record, "march", 5);
    record = journal_record_get(&next, &type, &len);
    assert_int_equal(type, 2);
    assert_memory_equal(record, "land", len);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_format_block_of_any_size_comes_back),
        cmocka_unit_test(test_journal_format_compresses_only_where_it_saves_a_page),
        cmocka_unit_test(test_journal_format_every_flipped_bit_is_noticed),
        cmocka_unit_test(test_journal_format_block_cut_anywhere_is_noticed),
        cmocka_unit_test(test_journal_format_every_flipped_bit_of_a_segment_header_is_noticed),
        cmocka_unit_test(test_journal_format_document_example_decodes),
    };
    return cmocka_run_group_tests(tests, open_codec, close_codec);
}
