/* test_behaviour.c: what bots do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/swarm/behaviour.h"

static struct march_entity body(float x, float y, uint8_t health, bool own) {
    return (struct march_entity){.x_m = x, .y_m = y, .health = health, .own = own};
}

static void test_behaviour_roam_takes_every_direction(void **state) {
    (void)state;
    struct mind mind;
    bool seen[3][3] = {{false}};
    mind_init(&mind, 1);
    for (int i = 0; i < 1000; i++) {
        struct march_input input = behaviour_decide(BEHAVIOUR_ROAM, &mind, NULL, 0);
        assert_true(input.move_x >= -1 && input.move_x <= 1 && input.move_y >= -1 && input.move_y <= 1);
        seen[input.move_x + 1][input.move_y + 1] = true;
    }
    for (int i = 0; i < 9; i++) assert_true(seen[i / 3][i % 3]);
}

static void test_behaviour_crowd_walks_to_its_goal(void **state) {
    (void)state;
    struct mind mind;
    mind_init(&mind, 1);
    mind.goal_x_m = 100;
    mind.goal_y_m = 50;
    struct march_entity own = body(0, 50, 255, true);
    struct march_input input = behaviour_decide(BEHAVIOUR_CROWD, &mind, &own, 1);
    assert_int_equal(input.move_x, 1);
    assert_int_equal(input.move_y, 0);
    assert_int_equal(input.aim, 0);
    own = body(150, 100, 255, true);
    input = behaviour_decide(BEHAVIOUR_CROWD, &mind, &own, 1);
    assert_int_equal(input.move_x, -1);
    assert_int_equal(input.move_y, -1);
    assert_int_equal(input.aim, 0xa000);
}

static void test_behaviour_fight_goes_for_the_nearest_that_lives(void **state) {
    (void)state;
    struct mind mind;
    mind_init(&mind, 1);
    struct march_entity entities[] = {body(0, 0, 255, true), body(0, 5, 0, false), body(0, -10, 9, false),
                                      body(20, 0, 9, false)};
    struct march_input input = behaviour_decide(BEHAVIOUR_FIGHT, &mind, entities, 4);
    assert_int_equal(input.move_x, 0);
    assert_int_equal(input.move_y, -1);
    assert_int_equal(input.aim, 0xc000);
    assert_int_equal(input.buttons, MARCH_BUTTON_SHOOT);
    entities[2].y_m = -1;
    input = behaviour_decide(BEHAVIOUR_FIGHT, &mind, entities, 4);
    assert_int_equal(input.move_y, 0);
    assert_int_equal(input.buttons, MARCH_BUTTON_STRIKE);
}

static void test_behaviour_without_own_entity_roams(void **state) {
    (void)state;
    struct mind mind;
    mind_init(&mind, 1);
    struct march_entity other = body(1, 0, 255, false);
    struct march_input input = behaviour_decide(BEHAVIOUR_FIGHT, &mind, &other, 1);
    assert_int_equal(input.buttons, 0);
}

static void test_behaviour_seed_decides_everything(void **state) {
    (void)state;
    struct mind a;
    struct mind b;
    mind_init(&a, 5);
    mind_init(&b, 5);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(behaviour_wait_ms(BEHAVIOUR_ROAM, &a), behaviour_wait_ms(BEHAVIOUR_ROAM, &b));
        assert_int_equal(behaviour_decide(BEHAVIOUR_ROAM, &a, NULL, 0).aim,
                         behaviour_decide(BEHAVIOUR_ROAM, &b, NULL, 0).aim);
    }
}

static void test_behaviour_parse_knows_each_name(void **state) {
    (void)state;
    assert_int_equal(behaviour_parse("roam"), BEHAVIOUR_ROAM);
    assert_int_equal(behaviour_parse("crowd"), BEHAVIOUR_CROWD);
    assert_int_equal(behaviour_parse("fight"), BEHAVIOUR_FIGHT);
    assert_int_equal(behaviour_parse("dance"), BEHAVIOUR_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_behaviour_roam_takes_every_direction),
        cmocka_unit_test(test_behaviour_crowd_walks_to_its_goal),
        cmocka_unit_test(test_behaviour_fight_goes_for_the_nearest_that_lives),
        cmocka_unit_test(test_behaviour_without_own_entity_roams),
        cmocka_unit_test(test_behaviour_seed_decides_everything),
        cmocka_unit_test(test_behaviour_parse_knows_each_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
