/* test_budget.c: when the creatures of an instance think less often, and when as often again; and that a zone does so. */
#include "tests/unit/venues_fixture.h"
#include "zone/budget.h"

#define MEASURED (BUDGET_WINDOW / BUDGET_SAMPLE)

static uint32_t judge(struct budget *b, uint32_t pace, uint32_t us_a_tick) {
    b->spent_ns = (uint64_t)us_a_tick * 1000 * MEASURED;
    return budget_judge(b, pace, 100);
}

static void test_budget_is_passed_step_by_step(void **state) {
    (void)state;
    struct budget b = {0};
    assert_int_equal(judge(&b, 1, 100), 1);
    assert_int_equal(judge(&b, 1, 101), 2);
    assert_int_equal(judge(&b, 2, 5000), 4);
    assert_int_equal(judge(&b, 4, 5000), 8);
    assert_int_equal(judge(&b, 8, 5000), 8);
}

static void test_budget_is_given_back_after_a_while_of_little(void **state) {
    (void)state;
    struct budget b = {0};
    for (uint32_t i = 1; i < BUDGET_PATIENCE; i++) assert_int_equal(judge(&b, 8, 39), 8);
    assert_int_equal(judge(&b, 8, 41), 8); /* twice that is nearly all of it */
    for (uint32_t i = 1; i < BUDGET_PATIENCE; i++) assert_int_equal(judge(&b, 8, 39), 8);
    assert_int_equal(judge(&b, 8, 39), 4);
    assert_int_equal(judge(&b, 4, 39), 4);
    for (uint32_t i = 0; i < 10 * BUDGET_PATIENCE; i++) assert_int_equal(judge(&b, 1, 0), 1);
}

static void test_budget_of_none_is_never_passed(void **state) {
    (void)state;
    struct budget b = {.spent_ns = UINT32_MAX};
    assert_int_equal(budget_judge(&b, 4, 0), 1);
}

/* --- in a zone */

/* A clock that goes on by so much whenever somebody looks at it. */
static uint64_t clock_ns, step_ns;

static uint64_t look_at_clock(void) {
    return clock_ns += step_ns;
}

/* Instances 5 and 6, of 20 creatures each. */
static void begin(struct fx_venue *f) {
    fx_open(f);
    fx_wave(&f->orders, 20);
    fx_order(&f->orders, 6, 3);
    fx_wave(&f->orders, 20);
    sim_instance_orders(f->sim, &f->orders.orders);
    sim_set_clock(f->sim, look_at_clock);
    clock_ns = step_ns = 0;
    fx_run_ms(f->sim, FX_BEGUN_MS);
}

static void windows(struct fx_venue *f, uint32_t count, uint32_t think_us) {
    for (uint32_t i = 0; i < count; i++) {
        fx_run(f->sim, BUDGET_WINDOW);
        sim_instances_judge(f->sim, think_us);
    }
}

/* thoughts counts the turns in which the creatures of an instance made up their minds, by what they bite at. */
static uint32_t thoughts(struct fx_venue *f, uint32_t instance, uint32_t ticks) {
    uint32_t count = 0;
    for (uint32_t t = 0; t < ticks; t++) {
        for (uint32_t n = 0; n < game_creatures(f->sim->game); n++)
            f->sim->game->creatures[n].chasing = true; /* a mind that finds nobody to chase says so */
        fx_run(f->sim, 1);
        for (uint32_t n = 0; n < game_creatures(f->sim->game); n++) {
            const struct creature *c = &f->sim->game->creatures[n];
            count += !c->chasing && game_guest(f->sim->game, c->index).instance == instance;
        }
    }
    return count;
}

static void test_budget_slows_the_minds_of_an_instance_and_of_no_other(void **state) {
    (void)state;
    struct fx_venue f;
    begin(&f);
    step_ns = 1000000;
    windows(&f, 1, 1);
    sim_instance_pace(f.sim, 6, 1); /* that one is innocent */
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).slowed, 2);
    assert_int_equal(fx_status(f.sim, 6).slowed, 1);
    assert_int_equal(sim_instances_stats(f.sim)->slowed, 1);
    uint32_t slow = thoughts(&f, 5, 600), others = thoughts(&f, 6, 600);
    assert_in_range(slow, others * 40 / 100, others * 60 / 100);
    windows(&f, 4, 1);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).slowed, BUDGET_PACE_MAX);
    step_ns = 0;
    windows(&f, 3 * BUDGET_PATIENCE + 1, 1);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).slowed, 1);
    assert_int_equal(sim_instances_stats(f.sim)->slowed, 0);
    fx_close(&f);
}

/* Without a clock nothing is measured: so it is where a recording is run again. */
static void test_budget_needs_a_clock(void **state) {
    (void)state;
    struct fx_venue f;
    begin(&f);
    step_ns = 1000000;
    sim_set_clock(f.sim, NULL);
    windows(&f, 3, 1);
    assert_int_equal(fx_status(f.sim, 5).slowed, 1);
    fx_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_is_passed_step_by_step),
        cmocka_unit_test(test_budget_is_given_back_after_a_while_of_little),
        cmocka_unit_test(test_budget_of_none_is_never_passed),
        cmocka_unit_test(test_budget_slows_the_minds_of_an_instance_and_of_no_other),
        cmocka_unit_test(test_budget_needs_a_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
