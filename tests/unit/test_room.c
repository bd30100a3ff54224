/* test_room.c: what stands in a room: edges by table, and drawn rooms against a naive twin that looks at many places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "schemas/room.h"
#include "zone/rng.h"

#define M(metres) ((int32_t)((metres)*65536))

static const struct wire_rect RECT = {1000, -2000, 1032, -1968};

/* Places are given in metres from the least corner. */
static int32_t x_at(double m) {
    return RECT.min_x * 65536 + M(m);
}

static int32_t y_at(double m) {
    return RECT.min_y * 65536 + M(m);
}

static struct room room_of(const struct wire_instance_box *boxes, uint32_t count) {
    struct room room;
    assert_int_equal(room_make(&room, RECT, boxes, count), 0);
    return room;
}

static void test_room_walk_ends_where_a_box_begins(void **state) {
    (void)state;
    static const struct wire_instance_box boxes[] = {{10, 10, 12, 20}, {14, 15, 16, 16}};
    struct room room = room_of(boxes, 2);
    static const struct {
        double x, y, to, ends;
    } along_x[] = {
        {5, 15, 8, 8},     {5, 15, 9.5, 9.5},     {5, 15, 9.75, 9.5},  {5, 15, 30, 9.5},     {9.5, 15, 11, 9.5},
        {9.5, 15, 9, 9},   {20, 12, 5, 12.5},     {20, 15.5, 5, 16.5}, {5, 9.5, 30, 30},     {5, 9.5625, 30, 9.5},
        {5, 20.5, 30, 30}, {5, 20.4375, 30, 9.5}, {13, 12, 30, 30},    {12.5, 15, 30, 13.5},
    };
    for (size_t i = 0; i < sizeof along_x / sizeof *along_x; i++) {
        int32_t to = room_walk_x(&room, x_at(along_x[i].x), y_at(along_x[i].y), x_at(along_x[i].to));
        if (to != x_at(along_x[i].ends)) fail_msg("%zu: ends at %f", i, (to - x_at(0)) / 65536.0);
    }
    assert_int_equal(room_walk_y(&room, x_at(11), y_at(2), y_at(30)), y_at(9.5));
    assert_int_equal(room_walk_y(&room, x_at(11), y_at(30), y_at(2)), y_at(20.5));
    assert_int_equal(room_walk_y(&room, x_at(9.5), y_at(2), y_at(30)), y_at(30));
    assert_int_equal(room_walk_y(&room, x_at(15), y_at(30), y_at(2)), y_at(16.5));
}

static void test_room_sees_past_corners_and_not_through(void **state) {
    (void)state;
    static const struct wire_instance_box boxes[] = {{10, 10, 12, 20}};
    struct room room = room_of(boxes, 1);
    static const struct {
        double x, y, to_x, to_y;
        bool sees;
    } table[] = {
        {5, 15, 20, 15, false}, {20, 15, 5, 15, false}, {5, 15, 10, 15, true},       {5, 15, 10.0625, 15, false},
        {11, 5, 11, 25, false}, {11, 5, 11, 10, true},  {5, 10, 20, 10, true},       {5, 10.0625, 20, 10.0625, false},
        {10, 5, 10, 25, true},  {8, 12, 12, 8, true},   {8, 12.25, 12.25, 8, false}, {14, 22, 10, 18, false},
        {5, 2, 20, 2, true},    {9, 9, 13, 21, false},  {9, 9, 9, 9, true},          {0, 0, 32, 32, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool sees = room_sees(&room, x_at(table[i].x), y_at(table[i].y), x_at(table[i].to_x), y_at(table[i].to_y));
        if (sees != table[i].sees) fail_msg("%zu: %s", i, sees ? "sees" : "does not see");
    }
}

static void test_room_leave_takes_the_nearest_way_within_the_walls(void **state) {
    (void)state;
    static const struct wire_instance_box boxes[] = {{10, 10, 12, 20}, {12, 14, 18, 15}, {0, 24, 3, 32}};
    struct room room = room_of(boxes, 3);
    static const struct {
        double x, y, to_x, to_y;
    } table[] = {
        {9.5, 15, 9.5, 15},    {10, 15, 9.5, 15},     {12, 18, 12.5, 18}, {11, 10, 11, 9.5},
        {12, 14.5, 9.5, 14.5}, {13, 14.75, 13, 15.5}, {1, 30, 3.5, 30},   {0.5, 24.5, 0.5, 23.5},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int32_t x = x_at(table[i].x), y = y_at(table[i].y);
        room_leave(&room, &x, &y);
        if (x != x_at(table[i].to_x) || y != y_at(table[i].to_y))
            fail_msg("%zu: at %f, %f", i, (x - x_at(0)) / 65536.0, (y - y_at(0)) / 65536.0);
    }
}

static void test_room_leave_where_all_ways_are_shut_is_to_the_entry(void **state) {
    (void)state;
    static const struct wire_instance_box cross[] = {{0, 15, 32, 17}, {15, 0, 17, 32}, {0, 0, 9, 15}};
    struct room room = room_of(cross, 3);
    int32_t x = x_at(16), y = y_at(16);
    room_leave(&room, &x, &y);
    assert_true(x == x_at(9.5) && y == y_at(0.5));
}

static void test_room_without_a_place_to_stand_is_none(void **state) {
    (void)state;
    static const struct wire_instance_box solid[] = {{0, 0, 20, 32}, {20, 0, 32, 20}, {20, 20, 32, 32}};
    struct room room;
    assert_int_equal(room_make(&room, RECT, solid, 3), MARCH_ERR_INVALID);
    static const struct wire_instance_box hole[] = {{0, 0, 20, 32}, {21, 0, 32, 32}, {20, 0, 21, 7}, {20, 8, 21, 32}};
    room = room_of(hole, 4);
    assert_true(room.entry_x == x_at(20.5) && room.entry_y == y_at(7.5));
    static const struct wire_instance_box beyond[] = {{33, 0, 40, 32}, {8, 4, 8, 9}, {9, 9, 4, 4}, {0, 31, 65535, 65535}};
    room = room_of(beyond, 4); /* what has no extent within it is nothing */
    assert_int_equal(room.count, 1);
    assert_int_equal(room_walk_y(&room, x_at(30), y_at(5), y_at(31.5)), y_at(30.5));
}

static void test_room_at_the_end_of_the_plane_is_one(void **state) {
    (void)state;
    static const struct wire_rect rects[] = {{-32768, -32768, -32736, -32736}, {32735, 32735, 32767, 32767}};
    static const struct wire_instance_box boxes[] = {{0, 4, 3, 9}, {29, 0, 32, 32}};
    for (uint32_t i = 0; i < 2; i++) {
        struct room room;
        assert_int_equal(room_make(&room, rects[i], boxes, 2), 0);
        int32_t x = rects[i].min_x * 65536, y = rects[i].min_y * 65536;
        assert_int_equal(room_walk_x(&room, x + M(20), y + M(6), x + M(1)), x + M(3.5));
        assert_int_equal(room_walk_x(&room, x + M(20), y + M(6), x + M(31)), x + M(28.5));
        assert_false(room_sees(&room, x + M(1), y + M(2), x + M(1), y + M(12)));
    }
}

/* --- at random */

static uint16_t draw(struct rng *rng, uint32_t below) {
    return (uint16_t)rng_below(rng, below);
}

static uint32_t draw_boxes(struct rng *rng, struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX]) {
    uint32_t count = rng_below(rng, 17);
    for (uint32_t i = 0; i < count; i++) {
        struct wire_instance_box *b = &boxes[i];
        b->x_min_m = draw(rng, 31);
        b->y_min_m = draw(rng, 31);
        b->x_max_m = (uint16_t)(b->x_min_m + 1 + draw(rng, 6));
        b->y_max_m = (uint16_t)(b->y_min_m + 1 + draw(rng, 6));
    }
    return count;
}

static bool twin_is_solid(const struct wire_instance_box *boxes, uint32_t count, int32_t x, int32_t y, int32_t grown) {
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_instance_box *b = &boxes[i];
        if (x > x_at(b->x_min_m) - grown && x < x_at(b->x_max_m) + grown && y > y_at(b->y_min_m) - grown &&
            y < y_at(b->y_max_m) + grown)
            return true;
    }
    return false;
}

/* Walks in steps of a sixteenth, of which all edges are multiples. */
static int32_t twin_walk(const struct wire_instance_box *boxes, uint32_t count, int32_t x, int32_t y, int32_t to) {
    int32_t step = to > x ? M(0.0625) : -M(0.0625);
    while (x != to && !twin_is_solid(boxes, count, x + step, y, ROOM_BODY)) x += step;
    return x;
}

/* Looks at a place each hundredth, in boxes that are so much larger. */
static bool twin_sees(const struct wire_instance_box *boxes, uint32_t count, const int32_t from[2], const int32_t to[2],
                      int32_t grown) {
    for (int64_t i = 0; i <= 4500; i++)
        if (twin_is_solid(boxes, count, (int32_t)(from[0] + (to[0] - (int64_t)from[0]) * i / 4500),
                          (int32_t)(from[1] + (to[1] - (int64_t)from[1]) * i / 4500), grown))
            return false;
    return true;
}

static int32_t draw_place(struct rng *rng, int32_t origin) {
    return origin + M(0.5) + (int32_t)rng_below(rng, 31 * 16 + 1) * M(0.0625);
}

static void test_room_drawn_is_as_a_naive_twin_says(void **state) {
    (void)state;
    struct rng rng = {20};
    uint32_t blocked = 0, hidden = 0;
    for (uint32_t round = 0; round < 3000; round++) {
        struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX];
        uint32_t count = draw_boxes(&rng, boxes);
        struct room room = room_of(boxes, count);
        int32_t x = draw_place(&rng, x_at(0)), y = draw_place(&rng, y_at(0)), to_x = draw_place(&rng, x_at(0)),
                to_y = draw_place(&rng, y_at(0));
        assert_int_equal(room_is_free(&room, x, y), !twin_is_solid(boxes, count, x, y, ROOM_BODY));
        room_leave(&room, &x, &y);
        assert_true(room_is_free(&room, x, y) && room_is_free(&room, room.entry_x, room.entry_y));
        assert_in_range(x - x_at(0), M(0.5), M(31.5));
        assert_in_range(y - y_at(0), M(0.5), M(31.5));
        int32_t end = room_walk_x(&room, x, y, to_x);
        if (end != twin_walk(boxes, count, x, y, to_x)) fail_msg("round %u", round);
        assert_true(room_is_free(&room, end, y));
        assert_true(room_is_free(&room, end, room_walk_y(&room, end, y, to_y)));
        bool sees = room_sees(&room, x, y, to_x, to_y);
        assert_int_equal(sees, room_sees(&room, to_x, to_y, x, y));
        const int32_t from[2] = {x, y}, to[2] = {to_x, to_y};
        if (sees && !twin_sees(boxes, count, from, to, -M(0.01))) fail_msg("round %u: sees through", round);
        if (!sees && twin_sees(boxes, count, from, to, M(0.02))) fail_msg("round %u: does not see", round);
        blocked += end != to_x;
        hidden += !sees;
    }
    assert_true(blocked > 500 && hidden > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_walk_ends_where_a_box_begins),
        cmocka_unit_test(test_room_sees_past_corners_and_not_through),
        cmocka_unit_test(test_room_leave_takes_the_nearest_way_within_the_walls),
        cmocka_unit_test(test_room_leave_where_all_ways_are_shut_is_to_the_entry),
        cmocka_unit_test(test_room_without_a_place_to_stand_is_none),
        cmocka_unit_test(test_room_at_the_end_of_the_plane_is_one),
        cmocka_unit_test(test_room_drawn_is_as_a_naive_twin_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
