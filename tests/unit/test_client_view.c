/* What a client shows between snapshots, entity by entity. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/client/client_view.h"

#define TICK_NS (NS_PER_S / 50)

/* A view at 50 ticks a second that has had snapshots every 5 ticks, from tick 1,000 to 1,100 at the time they are about. */
static struct client_view view;

static struct mono time_of(double tick) {
    return (struct mono){(uint64_t)((tick + 500) * TICK_NS)};
}

static void take(double arrival_tick, uint32_t tick, uint16_t seq) {
    struct snapshot_header header = {.seq = seq, .tick = tick};
    (void)client_view_snapshot(&view, time_of(arrival_tick), &header, false);
}

static int setup(void **state) {
    (void)state;
    client_view_init(&view, 50);
    for (uint32_t i = 0; i <= 20; i++) take(1000 + i * 5, 1000 + i * 5, (uint16_t)(65530 + i));
    return 0;
}

/* slot_of makes a slot of two states; tick 1,080 moves along x at 32 units (half a metre) a tick. */
static struct snapshot_slot slot_of(int32_t later_x, uint8_t yaw, uint8_t later_yaw) {
    struct snapshot_slot slot = {.id = 1, .known = 0xc, .newest = 3};
    slot.states[2] = (struct net_state){.x = 100, .y = 0, .vx = 1024, .tick = 1080, .yaw = yaw, .health = 9};
    slot.states[3] = (struct net_state){.x = later_x, .y = 64, .vx = 0, .tick = 1090, .yaw = later_yaw, .health = 8};
    return slot;
}

static struct client_view_entity entity_at(const struct snapshot_slot *slot, double tick) {
    struct client_view_entity entity;
    client_view_entity(&view, slot, NULL, tick - view.base_tick, &entity);
    return entity;
}

static void assert_near(double a, double b) {
    if (fabs(a - b) > 1e-6) print_error("%f is not %f\n", a, b);
    assert_true(fabs(a - b) <= 1e-6);
}

static void test_client_view_runs_two_intervals_behind(void **state) {
    (void)state;
    assert_near(client_view_tick(&view, client_view_at(&view, time_of(1100))), 1090);
    assert_near(client_view_tick(&view, client_view_at(&view, time_of(1103.5))), 1093.5);
}

static void test_client_view_interval_is_measured_over_gaps(void **state) {
    (void)state;
    take(1110, 1110, 65530 + 22 - 65536); /* one was lost */
    take(1125, 1125, 65530 + 25 - 65536); /* two were */
    assert_near(view.interval, 5);
}

static void test_client_view_stops_without_snapshots_and_never_goes_back(void **state) {
    (void)state;
    double limit = client_view_at(&view, time_of(1200));
    assert_near(client_view_tick(&view, limit), 1100 + CLIENT_VIEW_AHEAD_TICKS);
    client_view_show(&view, limit);
    assert_near(client_view_at(&view, time_of(1100)), limit);
    client_view_show(&view, limit - 1);
    assert_near(client_view_at(&view, time_of(1100)), limit);
}

static void test_client_view_clock_adjusts_slowly_and_restarts_when_far_off(void **state) {
    (void)state;
    take(1121, 1105, 15); /* 16 ticks late: a jam, not another clock */
    assert_near(client_view_tick(&view, client_view_at(&view, time_of(1115))), 1104);
    take(1122, 5000, 16);
    assert_near(view.interval, 5);
    assert_near(client_view_tick(&view, client_view_at(&view, time_of(1122))), 4990);
}

static void test_client_view_follows_the_course_then_blends(void **state) {
    (void)state;
    struct snapshot_slot slot = slot_of(420, 0, 0); /* on its course it would be at 420 */
    assert_near(entity_at(&slot, 1082).x_m, 164 / 64.0);
    assert_near(entity_at(&slot, 1082).vx_m_s, 25);
    assert_near(entity_at(&slot, 1085).y_m, 0);
    assert_near(entity_at(&slot, 1087.5).y_m, 0.5); /* half of the last interval */
    assert_near(entity_at(&slot, 1087.5).x_m, (260 + 80) / 64.0);
    assert_int_equal(entity_at(&slot, 1089.9).health, 9);
    assert_int_equal(entity_at(&slot, 1090).health, 8);
    assert_near(entity_at(&slot, 1099).x_m, 420 / 64.0);
    assert_near(entity_at(&slot, 1078).x_m, 36 / 64.0); /* before it was known: its course, backwards */
}

static void test_client_view_does_not_blend_a_jump(void **state) {
    (void)state;
    struct snapshot_slot slot = slot_of(420 + 64 * 9, 0, 0);
    assert_near(entity_at(&slot, 1089).x_m, (100 + 9 * 32) / 64.0);
    assert_near(entity_at(&slot, 1090).x_m, (420 + 64 * 9) / 64.0);
}

static void test_client_view_turns_the_short_way(void **state) {
    (void)state;
    struct snapshot_slot slot = slot_of(420, 250, 10);
    assert_int_equal(entity_at(&slot, 1084).yaw, 250 << 8);
    assert_int_equal(entity_at(&slot, 1087.5).yaw, 2 << 8);
}

static void test_client_view_old_version_does_not_count_as_recent(void **state) {
    (void)state;
    struct snapshot_slot slot = slot_of(420, 0, 0);
    slot.known |= 1 << 4; /* the next version number, from sixteen versions ago */
    slot.states[4] = (struct net_state){.x = 9999, .tick = 1010};
    assert_near(entity_at(&slot, 1082).x_m, 164 / 64.0);
    assert_near(entity_at(&slot, 1095).x_m, 420 / 64.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_client_view_runs_two_intervals_behind, setup),
        cmocka_unit_test_setup(test_client_view_interval_is_measured_over_gaps, setup),
        cmocka_unit_test_setup(test_client_view_stops_without_snapshots_and_never_goes_back, setup),
        cmocka_unit_test_setup(test_client_view_clock_adjusts_slowly_and_restarts_when_far_off, setup),
        cmocka_unit_test_setup(test_client_view_follows_the_course_then_blends, setup),
        cmocka_unit_test_setup(test_client_view_does_not_blend_a_jump, setup),
        cmocka_unit_test_setup(test_client_view_turns_the_short_way, setup),
        cmocka_unit_test_setup(test_client_view_old_version_does_not_count_as_recent, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
