/* Leases against a real PostgreSQL: who gets a slot's, who keeps it, who is refused, and what holds while it is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/leases.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

enum { ZONE = 3 };

static struct pg_fixture fixture;
static int64_t fence;

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    fence = pg_fixture_migrate(&fixture);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

struct world {
    struct harness harness;
    struct leases *leases;
    unsigned answers;
    uint32_t index;
    uint64_t incarnation, epoch;
    int error;
};

static void on_answer(void *ctx, uint32_t index, uint64_t incarnation, int error, uint64_t epoch) {
    struct world *w = ctx;
    w->answers++;
    w->index = index;
    w->incarnation = incarnation;
    w->error = error;
    w->epoch = epoch;
}

static void open_world(struct world *w) {
    *w = (struct world){0};
    harness_open(&w->harness, &(struct pg_config){.name = "primary", .uri = fixture.uri, .connections = 1});
    w->leases = leases_create(w->harness.pg, fence, on_answer, w);
    assert_non_null(w->leases);
}

static void close_world(struct world *w) {
    pg_destroy(w->harness.pg);
    leases_destroy(w->leases);
    ev_loop_destroy(w->harness.loop);
}

static int claim(struct world *w, uint64_t incarnation, uint64_t held) {
    unsigned before = w->answers;
    assert_int_equal(leases_claim(w->leases, &(struct lease_claim){ZONE, "zone-3", incarnation, held}), 0);
    harness_until(&w->harness, w->answers > before);
    assert_int_equal(w->index, ZONE);
    assert_true(w->incarnation == incarnation);
    return w->error;
}

static void test_leases_rise_with_each_new_owner(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_false(leases_check(w.leases, ZONE, 7, 0));
    assert_int_equal(claim(&w, 7, 0), 0);
    assert_int_equal(w.epoch, 1);
    assert_true(leases_check(w.leases, ZONE, 7, 1));
    assert_int_equal(claim(&w, 8, 0), 0);
    assert_int_equal(w.epoch, 2);
    assert_false(leases_check(w.leases, ZONE, 7, 1)); /* the zone that was replaced */
    assert_false(leases_check(w.leases, ZONE, 7, 2));
    assert_true(leases_check(w.leases, ZONE, 8, 2));
    assert_int_equal(leases_stats_get(w.leases).granted, 2);
    assert_int_equal(leases_stats_get(w.leases).refused, 3);
    close_world(&w);
}

static void test_leases_are_kept_by_their_owner_over_a_restart(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(claim(&w, 7, 0), 0);
    close_world(&w);
    open_world(&w);
    assert_false(leases_check(w.leases, ZONE, 7, 1)); /* not before it was claimed here */
    assert_int_equal(claim(&w, 7, 1), 0);
    assert_int_equal(w.epoch, 1);
    assert_int_equal(leases_stats_get(w.leases).kept, 1);
    assert_int_equal(claim(&w, 7, 0), 0); /* it never heard the answer */
    assert_int_equal(w.epoch, 1);
    close_world(&w);
}

static void test_leases_that_were_lost_are_stale(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(claim(&w, 7, 0), 0);
    assert_int_equal(claim(&w, 8, 0), 0);
    assert_int_equal(claim(&w, 7, 1), MARCH_ERR_FENCED);
    assert_int_equal(w.epoch, 2);
    assert_int_equal(leases_stats_get(w.leases).stale, 1);
    close_world(&w);
}

static void test_leases_of_a_lost_table_go_on_above_what_was_held(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(claim(&w, 7, 41), 0);
    assert_int_equal(w.epoch, 42);
    close_world(&w);
}

static void test_leases_hold_for_who_has_them_while_the_database_is_away(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(claim(&w, 7, 0), 0);
    pg_fixture_stop(&fixture);
    assert_int_equal(claim(&w, 7, 1), 0);
    assert_int_equal(w.epoch, 1);
    assert_int_equal(claim(&w, 8, 0), MARCH_ERR_UNAVAILABLE);
    assert_int_equal(claim(&w, 7, 0), MARCH_ERR_UNAVAILABLE);
    assert_true(leases_check(w.leases, ZONE, 7, 1));
    pg_fixture_start(&fixture);
    harness_until(&w.harness, pg_is_available(w.harness.pg));
    assert_int_equal(claim(&w, 8, 0), 0);
    assert_int_equal(w.epoch, 2);
    close_world(&w);
}

static void test_leases_of_a_persist_that_was_taken_over_are_not_given(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    int64_t newer = pg_fixture_migrate(&fixture);
    assert_int_equal(claim(&w, 7, 0), MARCH_ERR_UNAVAILABLE);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from leases"), 0);
    close_world(&w);
    fence = newer;
}

static void test_leases_take_one_claim_at_a_time(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(claim(&w, 7, 0), 0); /* the connection is there */
    const struct lease_claim next = {ZONE, "zone-3", 8, 0}, other = {ZONE + 1, "zone-4", 8, 0};
    assert_int_equal(leases_claim(w.leases, &next), 0);
    assert_int_equal(leases_claim(w.leases, &next), MARCH_ERR_FULL);
    assert_int_equal(leases_claim(w.leases, &other), 0);
    harness_until(&w.harness, w.answers == 3);
    close_world(&w);
}

static void on_fenced(void *ctx, const struct wire_fence *done, int error) {
    on_answer(ctx, done->slot, done->incarnation, error, 0);
}

static int do_fence(struct world *w, uint64_t incarnation, enum wire_fence_kind kind) {
    unsigned before = w->answers;
    const struct wire_fence asked = {.slot = ZONE, .incarnation = incarnation, .kind = (uint16_t)kind};
    assert_int_equal(leases_fence(w->leases, "zone-3", &asked, on_fenced, w), 0);
    harness_until(&w->harness, w->answers > before);
    assert_true(w->index == ZONE && w->incarnation == incarnation);
    return w->error;
}

static int take_from(struct world *w, uint64_t incarnation) {
    return do_fence(w, incarnation, WIRE_FENCE_ONE);
}

static int take_from_others(struct world *w, uint64_t kept) {
    return do_fence(w, kept, WIRE_FENCE_OTHERS);
}

static void test_leases_of_a_fenced_owner_are_nobodys_until_the_next_claims(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(claim(&w, 7, 0), 0);
    assert_int_equal(take_from(&w, 7), 0);
    assert_false(leases_check(w.leases, ZONE, 7, 1));
    assert_int_equal(claim(&w, 7, 0), MARCH_ERR_FENCED); /* it has woken up */
    assert_int_equal(claim(&w, 7, 1), MARCH_ERR_FENCED);
    assert_int_equal(take_from(&w, 7), 0); /* asked again */
    assert_int_equal(claim(&w, 8, 0), 0);
    assert_int_equal(w.epoch, 3);
    assert_int_equal(take_from(&w, 7), 0); /* and late: the one of now keeps it */
    assert_true(leases_check(w.leases, ZONE, 8, 3));
    assert_int_equal(pg_fixture_number(&fixture, "select epoch from leases"), 3);
    close_world(&w);
}

static void test_leases_are_never_given_to_who_was_fenced_without_one(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(take_from(&w, 7), 0); /* there is no row at all */
    close_world(&w);
    open_world(&w); /* remembers nothing */
    assert_int_equal(claim(&w, 7, 0), MARCH_ERR_FENCED);
    assert_int_equal(claim(&w, 7, 3), MARCH_ERR_FENCED);
    assert_int_equal(claim(&w, 8, 0), 0);
    assert_int_equal(w.epoch, 1);
    assert_int_equal(take_from(&w, 9), 0); /* the row is another's */
    assert_true(leases_check(w.leases, ZONE, 8, 1));
    close_world(&w);
    open_world(&w);
    assert_int_equal(claim(&w, 9, 0), MARCH_ERR_FENCED);
    assert_int_equal(claim(&w, 8, 1), 0);
    assert_int_equal(w.epoch, 1);
    /* One whose claim was written behind its fence: the row is his, and nothing is. */
    pg_fixture_execute(&fixture, "insert into fences (owner) values ('zone-3/0000000000000008')");
    assert_int_equal(claim(&w, 8, 1), MARCH_ERR_FENCED);
    assert_false(leases_check(w.leases, ZONE, 8, 1));
    close_world(&w);
}

static void test_leases_of_all_others_are_nobodys(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(take_from_others(&w, 0), 0); /* there is no row */
    assert_int_equal(claim(&w, 7, 0), 0);
    assert_int_equal(take_from_others(&w, 7), 0); /* there is none but it */
    assert_true(leases_check(w.leases, ZONE, 7, 1));
    assert_int_equal(take_from_others(&w, 8), 0);
    assert_false(leases_check(w.leases, ZONE, 7, 1));
    assert_int_equal(claim(&w, 7, 1), MARCH_ERR_FENCED);
    close_world(&w);
    open_world(&w);
    assert_int_equal(claim(&w, 7, 1), MARCH_ERR_FENCED); /* nor from a persist that was started since */
    assert_int_equal(claim(&w, 9, 0), 0);                /* one that never had one */
    assert_int_equal(w.epoch, 3);
    assert_int_equal(take_from_others(&w, 0), 0);
    assert_int_equal(take_from_others(&w, 0), 0); /* asked again */
    assert_false(leases_check(w.leases, ZONE, 9, 3));
    assert_int_equal(claim(&w, 10, 0), 0);
    assert_int_equal(w.epoch, 5);
    close_world(&w);
}

/* Whichever of the two the database sees first. */
static void test_leases_claimed_while_all_others_are_fenced_are_claimed_again(void **state) {
    (void)state;
    for (int is_first = 0; is_first < 2; is_first++) {
        pg_fixture_execute(&fixture, "delete from leases; delete from fences");
        struct world w;
        open_world(&w);
        assert_int_equal(claim(&w, 7, 0), 0);
        const struct lease_claim again = {ZONE, "zone-3", 7, 1};
        const struct wire_fence others = {.slot = ZONE, .incarnation = 8, .kind = WIRE_FENCE_OTHERS};
        unsigned before = w.answers;
        if (is_first) assert_int_equal(leases_claim(w.leases, &again), 0);
        assert_int_equal(leases_fence(w.leases, "zone-3", &others, on_fenced, &w), 0);
        if (!is_first) assert_int_equal(leases_claim(w.leases, &again), 0);
        harness_until(&w.harness, w.answers == before + 2);
        assert_false(leases_check(w.leases, ZONE, 7, 1));
        assert_int_equal(leases_stats_get(w.leases).failures, 1);
        assert_int_equal(leases_stats_get(w.leases).stale, 0);
        assert_int_equal(claim(&w, 7, 1), MARCH_ERR_FENCED);
        assert_int_equal(claim(&w, 8, 0), 0);
        close_world(&w);
    }
}

static void test_leases_of_who_is_kept_are_claimed_meanwhile(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    const struct wire_fence others = {.slot = ZONE, .incarnation = 7, .kind = WIRE_FENCE_OTHERS};
    assert_int_equal(leases_fence(w.leases, "zone-3", &others, on_fenced, &w), 0);
    assert_int_equal(leases_fence(w.leases, "zone-3", &others, on_fenced, &w), MARCH_ERR_FULL);
    assert_int_equal(leases_claim(w.leases, &(struct lease_claim){ZONE, "zone-3", 7, 0}), 0);
    harness_until(&w.harness, w.answers == 2);
    assert_true(leases_check(w.leases, ZONE, 7, 1));
    close_world(&w);
}

static void test_leases_are_not_heard_from_the_moment_that_a_fence_is_asked_for(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "delete from leases; delete from fences");
    struct world w;
    open_world(&w);
    assert_int_equal(claim(&w, 7, 0), 0);
    pg_fixture_stop(&fixture);
    assert_int_equal(take_from(&w, 7), MARCH_ERR_UNAVAILABLE);
    assert_false(leases_check(w.leases, ZONE, 7, 1));
    assert_int_equal(claim(&w, 7, 1), MARCH_ERR_FENCED);
    pg_fixture_start(&fixture);
    harness_until(&w.harness, pg_is_available(w.harness.pg));
    assert_int_equal(take_from(&w, 7), 0);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leases_rise_with_each_new_owner),
        cmocka_unit_test(test_leases_are_kept_by_their_owner_over_a_restart),
        cmocka_unit_test(test_leases_that_were_lost_are_stale),
        cmocka_unit_test(test_leases_of_a_lost_table_go_on_above_what_was_held),
        cmocka_unit_test(test_leases_hold_for_who_has_them_while_the_database_is_away),
        cmocka_unit_test(test_leases_of_a_persist_that_was_taken_over_are_not_given),
        cmocka_unit_test(test_leases_take_one_claim_at_a_time),
        cmocka_unit_test(test_leases_of_a_fenced_owner_are_nobodys_until_the_next_claims),
        cmocka_unit_test(test_leases_are_never_given_to_who_was_fenced_without_one),
        cmocka_unit_test(test_leases_of_all_others_are_nobodys),
        cmocka_unit_test(test_leases_claimed_while_all_others_are_fenced_are_claimed_again),
        cmocka_unit_test(test_leases_of_who_is_kept_are_claimed_meanwhile),
        cmocka_unit_test(test_leases_are_not_heard_from_the_moment_that_a_fence_is_asked_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
