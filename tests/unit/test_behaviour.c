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
    assert_int_equal(behaviour_parse("commute"), BEHAVIOUR_COMMUTE);
    assert_false(behaviour_deals(BEHAVIOUR_COMMUTE));
    assert_int_equal(behaviour_parse("dance"), BEHAVIOUR_COUNT);
}

/* walk moves a body by a tick of 50 ms at 5 m/s, and returns what it decided. */
static struct march_input walk(struct mind *mind, struct march_entity *own) {
    struct march_input input = behaviour_decide(BEHAVIOUR_COMMUTE, mind, own, 1);
    own->x_m += 0.25f * (float)input.move_x;
    own->y_m += 0.25f * (float)input.move_y;
    return input;
}

static void test_behaviour_stand_stands(void **state) {
    (void)state;
    struct mind mind;
    mind_init(&mind, 1);
    assert_int_equal(behaviour_parse("stand"), BEHAVIOUR_STAND);
    assert_false(behaviour_deals(BEHAVIOUR_STAND));
    struct march_entity own = {.own = true, .health = 100};
    for (int i = 0; i < 100; i++) {
        struct march_input input = behaviour_decide(BEHAVIOUR_STAND, &mind, &own, (size_t)(i % 2));
        assert_int_equal(input.move_x | input.move_y | input.buttons, 0);
    }
}

static void test_behaviour_commuter_never_stands_and_sees_the_world(void **state) {
    (void)state;
    struct mind mind;
    struct march_welcome welcome = {.min_x_m = -500, .min_y_m = -500, .max_x_m = 500, .max_y_m = 500};
    struct march_entity own = body(-100, 300, 255, true);
    unsigned quarters = 0, middle_passed = 0;
    mind_init(&mind, 3);
    for (unsigned i = 0; i < 1000; i++) { /* before it is told where it is, and without a body */
        struct march_input input = behaviour_decide(BEHAVIOUR_COMMUTE, &mind, &own, i % 2);
        assert_true(input.move_x != 0 || input.move_y != 0);
    }
    mind_enter(&mind, &welcome);
    for (unsigned i = 0; i < 100000; i++) {
        bool was_west = own.x_m < 0;
        struct march_input input = walk(&mind, &own);
        assert_true(input.move_x != 0 || input.move_y != 0);
        assert_true(own.x_m >= -500 && own.x_m <= 500 && own.y_m >= -500 && own.y_m <= 500);
        quarters |= 1u << ((own.x_m < 0) + 2 * (own.y_m < 0));
        middle_passed += was_west != (own.x_m < 0);
    }
    assert_int_equal(quarters, 0xf);
    assert_true(middle_passed > 20); /* a way of about 500 m takes 100 s, and there are 5,000 s */
}

static void test_behaviour_commuter_crosses_the_nearest_border_and_turns(void **state) {
    (void)state;
    struct mind mind;
    struct borders borders;
    struct march_entity own = body(480, 100, 255, true);
    unsigned crossed = 0;
    float least = 1000, most = 0;
    assert_true(borders_parse(&borders, "x=512,y=512"));
    mind_init(&mind, 3);
    mind.borders = &borders;
    for (unsigned i = 0; i < 2000; i++) {
        bool was_west = own.x_m < 512;
        struct march_input input = walk(&mind, &own);
        assert_true(input.move_x != 0 && input.move_y == 0);
        crossed += was_west != (own.x_m < 512);
        if (crossed > 0 && own.x_m < least) least = own.x_m;
        if (own.x_m > most) most = own.x_m;
    }
    assert_in_range(crossed, 40, 60); /* 10 m to and 10 m fro, at 5 m/s, for 100 s */
    assert_true(least < 509 && least > 506);
    assert_true(most > 515 && most < 518);
}

static void test_behaviour_close_commuter_turns_sooner_and_still_beyond_the_hysteresis(void **state) {
    (void)state;
    struct mind mind;
    struct borders borders;
    struct march_entity own = body(511, 100, 255, true);
    float least = 1000, most = 0;
    assert_true(borders_parse(&borders, "x=512"));
    mind_init(&mind, 3);
    mind.borders = &borders;
    mind.is_close = true;
    for (unsigned i = 0; i < 2000; i++) {
        (void)walk(&mind, &own);
        if (own.x_m < least) least = own.x_m;
        if (own.x_m > most) most = own.x_m;
    }
    assert_true(least < 510 && least > 509);
    assert_true(most > 514 && most < 515);
}

static void test_borders_parse_takes_lines_and_nothing_else(void **state) {
    (void)state;
    static const char *const bad[] = {"",       "512",  "x512",    "z=1",      "x=",    "x=1,",
                                      "x=1y=2", "x=1 ", "x=40000", "x=1,,y=2", "x=1.5", "x=-40000"};
    struct borders borders;
    assert_true(borders_parse(&borders, "y=-64,x=+512"));
    assert_int_equal(borders.count, 2);
    assert_true(!borders.borders[0].is_x && borders.borders[0].at_m == -64);
    assert_true(borders.borders[1].is_x && borders.borders[1].at_m == 512);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) assert_false(borders_parse(&borders, bad[i]));
    assert_true(borders_parse(&borders, "x=1,x=2,x=3,x=4,x=5,x=6,x=7,x=8,x=9,x=1,x=2,x=3,x=4,x=5,x=6,x=7"));
    assert_false(borders_parse(&borders, "x=1,x=2,x=3,x=4,x=5,x=6,x=7,x=8,x=9,x=1,x=2,x=3,x=4,x=5,x=6,x=7,x=8"));
}

static void test_behaviour_matchmaking_fights_beyond_the_world_alone(void **state) {
    (void)state;
    struct mind mind;
    mind_init(&mind, 1);
    struct march_entity seen[3] = {body(50, 50, 255, true), body(51, 50, 255, false), body(50, 55, 255, false)};
    seen[1].kind = 1;
    seen[2].kind = BEHAVIOUR_CREATURE;
    assert_false(mind_is_beyond(&mind, &seen[0])); /* it is not known where the world is */
    mind_enter(&mind, &(struct march_welcome){.min_x_m = 0, .min_y_m = 0, .max_x_m = 100, .max_y_m = 100});
    for (int i = 0; i < 100; i++)
        assert_int_equal(behaviour_decide(BEHAVIOUR_MATCHMAKING, &mind, seen, 3).buttons, 0); /* at peace */
    for (int i = 0; i < 3; i++) seen[i].x_m += 100; /* just beyond: the edge is outside */
    assert_true(mind_is_beyond(&mind, &(struct march_entity){.x_m = 100, .y_m = 50}));
    assert_true(mind_is_beyond(&mind, &(struct march_entity){.x_m = 50, .y_m = -1}));
    assert_false(mind_is_beyond(&mind, &(struct march_entity){.x_m = 0, .y_m = 99.9f}));
    struct march_input input = behaviour_decide(BEHAVIOUR_MATCHMAKING, &mind, seen, 3);
    assert_true(input.buttons == MARCH_BUTTON_SHOOT && input.move_x == 0 && input.move_y == 1); /* the creature */
    seen[2].health = 0;
    input = behaviour_decide(BEHAVIOUR_MATCHMAKING, &mind, seen, 3);
    assert_int_equal(input.buttons, MARCH_BUTTON_STRIKE); /* the player beside it */
    assert_int_equal(behaviour_parse("matchmaking"), BEHAVIOUR_MATCHMAKING);
}

/* A wall of 10 m stands between it and what it fights, at x = 110. */
static void test_behaviour_matchmaking_goes_around_what_is_in_its_way(void **state) {
    (void)state;
    struct mind mind;
    mind_init(&mind, 1);
    mind_enter(&mind, &(struct march_welcome){.min_x_m = 0, .min_y_m = 0, .max_x_m = 100, .max_y_m = 100});
    struct march_entity seen[2] = {body(105, 50, 255, true), body(130, 50, 255, false)};
    seen[1].kind = BEHAVIOUR_CREATURE;
    uint32_t thoughts = 0;
    for (; thoughts < 1000; thoughts++) {
        struct march_input input = behaviour_decide(BEHAVIOUR_MATCHMAKING, &mind, seen, 2);
        if (input.buttons == MARCH_BUTTON_STRIKE) break;
        float x = seen[0].x_m + 1.4f * input.move_x, y = seen[0].y_m + 1.4f * input.move_y;
        bool is_shut = y > 45 && y < 55;
        if (!is_shut || (seen[0].x_m < 110) == (x < 110)) seen[0].x_m = x;
        seen[0].y_m = y;
    }
    assert_in_range(thoughts, 20, 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_behaviour_roam_takes_every_direction),
        cmocka_unit_test(test_behaviour_crowd_walks_to_its_goal),
        cmocka_unit_test(test_behaviour_fight_goes_for_the_nearest_that_lives),
        cmocka_unit_test(test_behaviour_without_own_entity_roams),
        cmocka_unit_test(test_behaviour_seed_decides_everything),
        cmocka_unit_test(test_behaviour_stand_stands),
        cmocka_unit_test(test_behaviour_commuter_never_stands_and_sees_the_world),
        cmocka_unit_test(test_behaviour_commuter_crosses_the_nearest_border_and_turns),
        cmocka_unit_test(test_behaviour_close_commuter_turns_sooner_and_still_beyond_the_hysteresis),
        cmocka_unit_test(test_borders_parse_takes_lines_and_nothing_else),
        cmocka_unit_test(test_behaviour_parse_knows_each_name),
        cmocka_unit_test(test_behaviour_matchmaking_fights_beyond_the_world_alone),
        cmocka_unit_test(test_behaviour_matchmaking_goes_around_what_is_in_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
