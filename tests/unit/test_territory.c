/* test_territory.c: the world as one zone sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zone/territory.h"

#define M(metres) ((int32_t)((metres)*65536))

/* A world in the form of an L: 1 owns the corner, 2 has the arm to the right and 1 still hands it over, nobody the arm
 * above. */
static struct directory l_shape(void) {
    return (struct directory){
        .version = 5,
        .partition_count = 3,
        .partitions = {{.id = 0, .rect = {0, 0, 100, 100}, .owner = 1, .former = WIRE_SLOT_NONE},
                       {.id = 1, .rect = {100, 0, 200, 100}, .owner = 2, .former = 1},
                       {.id = 2, .rect = {0, 100, 100, 200}, .owner = WIRE_SLOT_NONE, .former = WIRE_SLOT_NONE}}};
}

static void test_territory_places_have_owners_up_to_the_edge_of_the_world(void **state) {
    (void)state;
    struct directory d = l_shape();
    struct territory t;
    territory_set(&t, &d, 1);
    static const struct {
        double x, y;
        bool is_world;
        uint32_t owner;
    } cases[] = {{0, 0, true, 1},
                 {99.9, 99.9, true, 1},
                 {100, 0, true, 2},
                 {199.9, 99, true, 2},
                 {200, 50, false, WIRE_SLOT_NONE},
                 {50, 150, true, WIRE_SLOT_NONE},
                 {150, 150, false, WIRE_SLOT_NONE},
                 {-0.1, 0, false, WIRE_SLOT_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(territory_is_world(&t, M(cases[i].x), M(cases[i].y)), cases[i].is_world);
        assert_int_equal(territory_owner(&t, M(cases[i].x), M(cases[i].y)), cases[i].owner);
    }
    assert_false(t.is_whole);
}

static void test_territory_reaches_over_what_is_own_and_what_is_handed_over(void **state) {
    (void)state;
    struct directory d = l_shape();
    struct territory t;
    struct grid_rect rect;
    territory_set(&t, &d, 1);
    assert_true(territory_reach(&t, M(10), &rect));
    assert_true(rect.x_min == M(-10) && rect.y_min == M(-10) && rect.x_max == M(210) && rect.y_max == M(110));
    territory_set(&t, &d, 2);
    assert_true(territory_reach(&t, 0, &rect));
    assert_true(rect.x_min == M(100) && rect.x_max == M(200));
    territory_set(&t, &d, 3);
    assert_false(territory_reach(&t, M(10), &rect));
}

static void test_territory_parts_are_what_is_own_and_what_is_handed_over_grown(void **state) {
    (void)state;
    struct directory d = l_shape();
    struct territory t;
    struct grid_rect parts[WIRE_PARTITIONS_MAX];
    territory_set(&t, &d, 1);
    assert_int_equal(territory_parts(&t, M(10), parts), 2);
    assert_true(parts[0].x_min == M(-10) && parts[0].y_min == M(-10) && parts[0].x_max == M(110) &&
                parts[0].y_max == M(110));
    assert_true(parts[1].x_min == M(90) && parts[1].y_min == M(-10) && parts[1].x_max == M(210) && parts[1].y_max == M(110));
    territory_set(&t, &d, 3);
    assert_int_equal(territory_parts(&t, M(10), parts), 0);
}

static void test_territory_at_the_ends_of_the_plane_does_not_overflow(void **state) {
    (void)state;
    struct directory d = {.partition_count = 1, .partitions = {{.rect = {-32768, -32768, 32767, 32767}, .owner = 0}}};
    struct territory t;
    struct grid_rect rect;
    territory_set(&t, &d, 0);
    assert_true(t.is_whole && territory_is_world(&t, INT32_MIN, INT32_MIN));
    assert_true(territory_reach(&t, M(100), &rect));
    assert_true(rect.x_min == INT32_MIN && rect.x_max == INT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_territory_places_have_owners_up_to_the_edge_of_the_world),
        cmocka_unit_test(test_territory_reaches_over_what_is_own_and_what_is_handed_over),
        cmocka_unit_test(test_territory_parts_are_what_is_own_and_what_is_handed_over_grown),
        cmocka_unit_test(test_territory_at_the_ends_of_the_plane_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
