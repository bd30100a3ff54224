/* test_addr.c: addresses: text, socket addresses, prefixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/addr.h"

static struct addr parsed(const char *text) {
    struct addr a;
    assert_int_equal(addr_parse(&a, text), 0);
    return a;
}

static void test_addr_good_text_round_trips(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
        uint8_t family;
    } cases[] = {
        {"1.2.3.4:5", "1.2.3.4:5", ADDR_IPV4},
        {"255.255.255.255:65535", "255.255.255.255:65535", ADDR_IPV4},
        {"0.0.0.0:0", "0.0.0.0:0", ADDR_IPV4},
        {"[::1]:40000", "[::1]:40000", ADDR_IPV6},
        {"[2001:db8:0:0:0:0:0:1]:7", "[2001:db8::1]:7", ADDR_IPV6},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", ADDR_IPV6},
        {"[::ffff:10.1.2.3]:9", "10.1.2.3:9", ADDR_IPV4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a = parsed(cases[i].in), again;
        char text[ADDR_TEXT_MAX];
        assert_int_equal(a.family, cases[i].family);
        assert_string_equal(addr_format(&a, text), cases[i].out);
        struct sockaddr_storage sa;
        socklen_t len = addr_to_sockaddr(&a, &sa);
        assert_int_equal(addr_from_sockaddr(&again, (struct sockaddr *)&sa, len), 0);
        assert_true(addr_equal(&a, &again));
        assert_int_equal(addr_from_sockaddr(&again, (struct sockaddr *)&sa, len - 1), MARCH_ERR_INVALID);
    }
}

static void test_addr_bad_text_is_refused(void **state) {
    (void)state;
    static const char *cases[] = {
        "",           "1.2.3.4",     "1.2.3.4:",   "1.2.3.4:65536",
        "1.2.3.4:1x", "1.2.3.4:-1",  "1.2.3.4:1 ", "1.2.3.4:0000001",
        "1.2.3:4",    "256.0.0.1:1", "::1:80",     "[::1]",
        "[::1]:",     "[::1]80",     "[::1:80",    "[1.2.3.4]:5",
        ":1",         "[]:1",        "host.org:1", "[11111111111111111111111111111111111111111111111111111111111111]:1"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a;
        assert_int_equal(addr_parse(&a, cases[i]), MARCH_ERR_INVALID);
    }
}

static void test_addr_prefix_keeps_network_only(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"10.1.2.3:4", "10.1.2.200:9", true},
        {"10.1.2.3:4", "10.1.3.3:4", false},
        {"[2001:db8:1:2::3]:4", "[2001:db8:1:ffff::9]:8", true},
        {"[2001:db8:1:2::3]:4", "[2001:db8:2:2::3]:4", false},
        {"[a01:200::]:4", "10.1.2.0:4", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a = parsed(cases[i].a), b = parsed(cases[i].b);
        struct addr pa = addr_prefix(&a), pb = addr_prefix(&b);
        assert_int_equal(addr_equal(&pa, &pb), cases[i].same);
    }
}

static void test_addr_loopback_is_of_this_machine(void **state) {
    (void)state;
    static const char *const ours[] = {"127.0.0.1:1", "127.255.255.255:0", "[::1]:2", "[::ffff:127.0.0.1]:3"};
    static const char *const others[] = {"0.0.0.0:1", "128.0.0.1:1", "126.0.0.1:1", "[::]:1", "[::2]:1", "[100::1]:1"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        struct addr a = parsed(ours[i]);
        assert_true(addr_is_loopback(&a));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct addr a = parsed(others[i]);
        assert_false(addr_is_loopback(&a));
    }
    assert_false(addr_is_loopback(&(struct addr){0}));
}

static void test_addr_other_families_are_refused(void **state) {
    (void)state;
    struct sockaddr_storage sa = {.ss_family = AF_UNIX};
    struct addr a;
    char text[ADDR_TEXT_MAX];
    assert_int_equal(addr_from_sockaddr(&a, (struct sockaddr *)&sa, sizeof(sa)), MARCH_ERR_INVALID);
    assert_string_equal(addr_format(&(struct addr){0}, text), "none");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addr_good_text_round_trips),      cmocka_unit_test(test_addr_bad_text_is_refused),
        cmocka_unit_test(test_addr_prefix_keeps_network_only),  cmocka_unit_test(test_addr_loopback_is_of_this_machine),
        cmocka_unit_test(test_addr_other_families_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
