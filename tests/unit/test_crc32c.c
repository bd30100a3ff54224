/* CRC-32C against the vectors of RFC 3720, B.4, and against a naive twin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crc32c.h"

static uint32_t naive(uint32_t crc, const uint8_t *bytes, size_t len) {
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static void check(const uint8_t *bytes, size_t len, uint32_t expected) {
    assert_int_equal(crc32c(0, bytes, len), expected);
    assert_int_equal(crc32c_portable(0, bytes, len), expected);
    assert_int_equal(naive(0, bytes, len), expected);
}

static void test_crc32c_known_bytes_give_known_sums(void **state) {
    (void)state;
    uint8_t bytes[32] = {0};
    check(bytes, 32, 0x8a9136aa);
    memset(bytes, 0xff, 32);
    check(bytes, 32, 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++) bytes[i] = i;
    check(bytes, 32, 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
    check(bytes, 32, 0x113fdb5c);
    check((const uint8_t *)"123456789", 9, 0xe3069283);
    check(bytes, 0, 0);
}

static void test_crc32c_any_length_alignment_and_split_agrees_with_twin(void **state) {
    (void)state;
    uint8_t bytes[300];
    srand(7);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rand();
    for (size_t start = 0; start < 9; start++) {
        for (size_t len = 0; len < 280; len += 3) {
            uint32_t expected = naive(0, bytes + start, len);
            assert_int_equal(crc32c(0, bytes + start, len), expected);
            assert_int_equal(crc32c_portable(0, bytes + start, len), expected);
            size_t half = len / 2;
            uint32_t first = crc32c(0, bytes + start, half);
            assert_int_equal(crc32c(first, bytes + start + half, len - half), expected);
            assert_int_equal(crc32c_portable(first, bytes + start + half, len - half), expected);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_known_bytes_give_known_sums),
        cmocka_unit_test(test_crc32c_any_length_alignment_and_split_agrees_with_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
