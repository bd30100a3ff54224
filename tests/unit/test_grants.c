/* Loot on its way: offered once durable, in order, until applied; the watermark waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist/grants.h"
#include "tests/unit/journal_fixture.h"

#define OFFERS_MAX 4096

static struct journal_fixture f;
static struct grants *grants;
static struct {
    uint64_t positions[OFFERS_MAX], keys[OFFERS_MAX];
    unsigned count;
    bool away, at_once;
} offered;

static int take_offer(void *ctx, uint64_t position, const struct wire_loot_grant *grant) {
    (void)ctx;
    if (offered.away) return MARCH_ERR_UNAVAILABLE;
    offered.positions[offered.count] = position;
    offered.keys[offered.count++] = grant->key;
    if (offered.at_once) grants_applied(grants, position);
    return 0;
}

static void create(void) {
    struct grants_config config = {.journal = f.journal, .apply = take_offer};
    assert_int_equal(grants_create(&config, &grants), 0);
}

static int open_all(void **state) {
    (void)state;
    memset(&offered, 0, sizeof offered);
    journal_fixture_init(&f);
    assert_int_equal(journal_fixture_start(&f, 0), 0);
    create();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    grants_destroy(grants);
    journal_fixture_deinit(&f);
    return 0;
}

static uint64_t add(uint64_t key) {
    struct wire_loot_grant grant = {.player = 7, .key = key, .gold = 3};
    uint64_t position;
    assert_int_equal(grants_add(grants, &grant, &position), 0);
    return position;
}

static void test_grants_are_offered_when_durable_and_in_order(void **state) {
    (void)state;
    for (uint64_t key = 1; key <= 3; key++) assert_int_equal(add(key), key);
    grants_update(grants);
    assert_int_equal(offered.count, 0);
    assert_int_equal(journal_wait(f.journal), 0);
    grants_update(grants);
    grants_update(grants);
    assert_int_equal(offered.count, 3);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(offered.keys[i], i + 1);
}

static void test_grants_watermark_stays_below_the_oldest_unapplied(void **state) {
    (void)state;
    assert_true(grants_watermark(grants) == UINT64_MAX);
    for (uint64_t key = 1; key <= 3; key++) add(key);
    assert_int_equal(grants_watermark(grants), 0);
    assert_int_equal(journal_wait(f.journal), 0);
    grants_update(grants);
    grants_applied(grants, 2);
    assert_int_equal(grants_watermark(grants), 0);
    grants_applied(grants, 1);
    assert_int_equal(grants_watermark(grants), 2);
    grants_applied(grants, 3);
    assert_true(grants_watermark(grants) == UINT64_MAX);
}

static void test_grants_sent_again_are_journaled_once(void **state) {
    (void)state;
    assert_int_equal(add(5), 1);
    assert_int_equal(add(6), 2);
    assert_int_equal(add(5), 1);
    assert_int_equal(journal_appended(f.journal), 2);
    assert_int_equal(journal_wait(f.journal), 0);
    offered.at_once = true;
    grants_update(grants);
    assert_int_equal(offered.count, 2);
    assert_int_equal(add(5), 3); /* who applies it knows the key */
}

static void test_grants_refused_or_unknown_are_offered_again(void **state) {
    (void)state;
    for (uint64_t key = 1; key <= 3; key++) add(key);
    assert_int_equal(journal_wait(f.journal), 0);
    offered.away = true;
    grants_update(grants);
    assert_int_equal(offered.count, 0);
    offered.away = false;
    grants_update(grants);
    grants_retry(grants, 2);
    grants_applied(grants, 3);
    grants_update(grants);
    assert_int_equal(offered.count, 4);
    assert_int_equal(offered.positions[3], 2);
    assert_int_equal(grants_stats_get(grants).applying, 2);
}

static int replay(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    (void)ctx;
    assert_int_equal(type, GRANTS_RECORD);
    return grants_replay(grants, position, bytes, len);
}

static void test_grants_not_applied_come_back_from_the_journal(void **state) {
    (void)state;
    for (uint64_t key = 1; key <= 5; key++) add(key);
    assert_int_equal(journal_wait(f.journal), 0);
    journal_close(f.journal);
    grants_destroy(grants);
    assert_int_equal(journal_open(&f.config, &f.journal, f.error, sizeof f.error), 0);
    create();
    assert_int_equal(journal_recover(f.journal, 2, replay, NULL, f.error, sizeof f.error), 0);
    assert_int_equal(grants_stats_get(grants).replayed, 3);
    assert_int_equal(grants_watermark(grants), 2);
    grants_update(grants);
    assert_int_equal(offered.count, 3);
    assert_int_equal(offered.keys[0], 3);
}

static void test_grants_at_their_limit_are_refused_and_flow_again(void **state) {
    (void)state;
    uint64_t position;
    struct wire_loot_grant grant = {.player = 9};
    for (uint32_t i = 0; i < GRANTS_MAX; i++) {
        grant.key = i;
        assert_int_equal(grants_add(grants, &grant, &position), 0);
    }
    grant.key = GRANTS_MAX;
    assert_int_equal(grants_add(grants, &grant, &position), MARCH_ERR_FULL);
    grant.key = 17;
    assert_int_equal(grants_add(grants, &grant, &position), 0); /* known already */
    assert_int_equal(journal_wait(f.journal), 0);
    offered.at_once = true;
    for (uint32_t applied = 0; applied < GRANTS_MAX; applied += offered.count) {
        offered.count = 0;
        grants_update(grants);
        assert_true(offered.count > 0 && offered.count <= GRANTS_APPLYING_MAX);
        assert_int_equal(offered.keys[0], applied);
    }
    assert_int_equal(grants_stats_get(grants).waiting, 0);
    add(1);
}

static void test_grants_replay_takes_more_than_may_wait(void **state) {
    (void)state;
    struct wire_loot_grant grant = {.player = 3};
    uint64_t count = 2 * GRANTS_MAX + 5;
    for (grant.key = 1; grant.key <= count; grant.key++) {
        uint64_t position;
        while (journal_append(f.journal, GRANTS_RECORD, &grant, sizeof grant, &position) != 0)
            assert_int_equal(journal_wait(f.journal), 0);
        assert_int_equal(grants_replay(grants, position, (const uint8_t *)&grant, sizeof grant), 0);
    }
    assert_int_equal(journal_wait(f.journal), 0);
    assert_int_equal(grants_stats_get(grants).waiting, count);
    assert_int_equal(grants_watermark(grants), 0);
    uint64_t position;
    assert_int_equal(grants_add(grants, &grant, &position), MARCH_ERR_FULL);
    offered.at_once = true;
    for (uint64_t applied = 0; applied < count; applied += offered.count) {
        offered.count = 0;
        grants_update(grants);
        assert_true(offered.count > 0);
        assert_int_equal(offered.keys[0], applied + 1);
    }
    assert_true(grants_watermark(grants) == UINT64_MAX);
    assert_int_equal(grants_add(grants, &grant, &position), 0);
}

static void test_grants_bad_record_is_refused(void **state) {
    (void)state;
    struct wire_loot_grant grant = {.player = 0};
    uint64_t position;
    assert_int_equal(grants_add(grants, &grant, &position), MARCH_ERR_INVALID);
    assert_int_equal(grants_replay(grants, 1, (const uint8_t *)&grant, sizeof grant), MARCH_ERR_INVALID);
    assert_int_equal(grants_replay(grants, 1, (const uint8_t *)&grant, sizeof grant - 1), MARCH_ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_grants_are_offered_when_durable_and_in_order),
        TEST(test_grants_watermark_stays_below_the_oldest_unapplied),
        TEST(test_grants_sent_again_are_journaled_once),
        TEST(test_grants_refused_or_unknown_are_offered_again),
        TEST(test_grants_not_applied_come_back_from_the_journal),
        TEST(test_grants_at_their_limit_are_refused_and_flow_again),
        TEST(test_grants_replay_takes_more_than_may_wait),
        TEST(test_grants_bad_record_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
