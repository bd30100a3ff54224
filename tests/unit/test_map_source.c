/* test_map_source.c: maps as people write them, each mistake with its line, and what zonectl map tells of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/map_fixture.h"
#include "tools/zonectl/map_source.h"
#include "tools/zonectl/map_view.h"

#define BOX "{x_m: [0, 1], y_m: [2, 3], z_m: [4, 5]}"

static struct map_box *parse(const char *text, uint32_t *count) {
    char error[512];
    struct map_box *boxes;
    if (map_source_parse("m.yaml", (const uint8_t *)text, strlen(text), &boxes, count, error, sizeof error) != 0)
        fail_msg("%s", error);
    return boxes;
}

static void test_map_source_metres_become_fixed_point(void **state) {
    (void)state;
    uint32_t count;
    struct map_box *boxes = parse("# two\nboxes:\n  - {x_m: [-32768, 32767], y_m: [-0.5, +.25], z_m: [0, 0.00002]}\n"
                                  "  - z_m: [-1e1, 2.5E0]\n    y_m:\n      - 3\n      - 4\n    x_m: [0.1, 0.2]\n",
                                  &count);
    assert_int_equal(count, 2);
    struct map_box expected[] = {{INT32_MIN, -32768, 0, 32767 * 65536, 16384, 1},
                                 {6554, 3 * 65536, -10 * 65536, 13107, 4 * 65536, 163840}};
    assert_memory_equal(boxes, expected, sizeof expected);
    free(boxes);
    boxes = parse("boxes: []", &count);
    assert_int_equal(count, 0);
    free(boxes);
}

static void test_map_source_json_is_read_as_well(void **state) {
    (void)state;
    uint32_t count;
    struct map_box *boxes =
        parse("{\n\t\"boxes\": [\n\t\t{\"x_m\": [0, 1], \"y_m\": [2, 3],\t\"z_m\": [4, 5.5]}\n\t]\n}\n", &count);
    assert_int_equal(count, 1);
    struct map_box expected = {0, 2 << 16, 4 << 16, 1 << 16, 3 << 16, 11 << 15};
    assert_memory_equal(boxes, &expected, sizeof expected);
    free(boxes);
}

static void test_map_source_mistakes_are_told_with_line_and_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "m.yaml:1: expected a mapping with the key boxes, found the end of the file"},
        {"[]", "m.yaml:1: expected a mapping with the key boxes, found a list"},
        {"walls: []", "m.yaml:1: expected the key boxes, found \"walls\""},
        {"boxes: 5", "m.yaml:1: boxes: expected a list, found \"5\""},
        {"boxes:\n- " BOX "\n- 7\n", "m.yaml:3: boxes[1]: expected a mapping, found \"7\""},
        {"boxes:\n- {x_m: [0, 1], y_m: [2, 3]}\n", "m.yaml:2: boxes[0]: expected x_m, y_m and z_m, found no z_m"},
        {"boxes:\n- {x: [0, 1]}\n", "m.yaml:2: boxes[0]: expected one of x_m, y_m, z_m, found \"x\""},
        {"boxes:\n- {x_m: [0, 1], x_m: [0, 1]}\n", "m.yaml:2: boxes[0]: expected each key once, found x_m again"},
        {"boxes:\n- {x_m: 5}\n", "m.yaml:2: boxes[0].x_m: expected a list of two numbers, found \"5\""},
        {"boxes:\n- {x_m: [5]}\n",
         "m.yaml:2: boxes[0].x_m: expected two numbers of metres from -32768 to 32767, found its end"},
        {"boxes:\n- {x_m: [5, 6, 7]}\n", "m.yaml:2: boxes[0].x_m: expected no more than two numbers, found \"7\""},
        {"boxes:\n- {x_m: [5, '6']}\n",
         "m.yaml:2: boxes[0].x_m: expected two numbers of metres from -32768 to 32767, found \"6\""},
        {"boxes:\n- {x_m: [5, 6m]}\n",
         "m.yaml:2: boxes[0].x_m: expected two numbers of metres from -32768 to 32767, found \"6m\""},
        {"boxes:\n- {x_m: [5, nan]}\n",
         "m.yaml:2: boxes[0].x_m: expected two numbers of metres from -32768 to 32767, found \"nan\""},
        {"boxes:\n- {x_m: [5, 1e999]}\n",
         "m.yaml:2: boxes[0].x_m: expected two numbers of metres from -32768 to 32767, found \"1e999\""},
        {"boxes:\n- {x_m: [5, 32767.5]}\n",
         "m.yaml:2: boxes[0].x_m: expected two numbers of metres from -32768 to 32767, found \"32767.5\""},
        {"boxes:\n- {x_m: [5, ]}\n",
         "m.yaml:2: boxes[0].x_m: expected two numbers of metres from -32768 to 32767, found its end"},
        {"boxes:\n- {x_m: [5,\n  5.000001]}\n",
         "m.yaml:3: boxes[0].x_m: expected the second number to be greater, found \"5.000001\""},
        {"boxes:\n- &a " BOX "\n- *a\n", "m.yaml:3: boxes[1]: expected a mapping, found an alias"},
        {"boxes: []\nmore: 1\n", "m.yaml:2: expected no other key than boxes, found \"more\""},
        {"boxes: []\n---\nboxes: []\n", "m.yaml:2: expected the end of the file, found another document"},
        {"boxes:\n- {x_m: [0, 1\n", "m.yaml:3: not YAML: did not find expected ',' or ']'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[512] = "";
        struct map_box *boxes;
        uint32_t count;
        int result = map_source_parse("m.yaml", (const uint8_t *)cases[i].text, strlen(cases[i].text), &boxes, &count, error,
                                      sizeof error);
        if (result != MARCH_ERR_INVALID || strcmp(error, cases[i].error) != 0)
            fail_msg("%s\n  found    %s\n  expected %s", cases[i].text, error, cases[i].error);
        assert_null(boxes);
    }
}

static void test_map_source_shipped_example_packs(void **state) {
    (void)state;
    struct map_fixture f;
    struct map_box *boxes;
    struct map_file file;
    uint32_t count;
    map_fixture_init(&f);
    if (map_source_read("deploy/maps/example.yaml", &boxes, &count, f.error, sizeof f.error) != 0) fail_msg("%s", f.error);
    assert_int_equal(map_fixture_pack(&f, boxes, count), 0);
    assert_int_equal(map_fixture_open(&f, &file), 0);
    assert_int_equal(file.header.box_count, count);
    map_file_close(&file);
    free(boxes);
    assert_int_equal(map_source_read("no.yaml", &boxes, &count, f.error, sizeof f.error), MARCH_ERR_NOT_FOUND);
    map_fixture_deinit(&f);
}

static double bound(const json_t *map, const char *axis, size_t side) {
    return json_real_value(json_array_get(json_object_get(json_object_get(map, "bounds"), axis), side));
}

static void test_map_view_tells_bounds_and_draws_what_is_there(void **state) {
    (void)state;
    struct map_fixture f;
    struct map_overview overview;
    char error[MAP_VIEW_ERROR_SIZE];
    map_fixture_init(&f);
    struct map_box boxes[12] = {{M(-70), M(1), 0, M(-69), M(2), M(3)}, {M(10), M(70), M(-1), M(11), M(80.5), M(2)}};
    for (int32_t i = 2; i < 12; i++) boxes[i] = (struct map_box){M(129), M(1), i, M(130), M(2), i + 1};
    assert_int_equal(map_fixture_pack(&f, boxes, 12), 0);
    json_t *map = map_view(f.path, &overview, error);
    assert_non_null(map);
    assert_int_equal(json_integer_value(json_object_get(map, "boxes")), 12);
    assert_int_equal(json_integer_value(json_object_get(map, "chunks")), 3);
    assert_int_equal(json_integer_value(json_object_get(map, "fullest")), 10);
    assert_int_equal(strlen(json_string_value(json_object_get(map, "hash"))), 32);
    assert_true(bound(map, "x_m", 0) == -70 && bound(map, "x_m", 1) == 130 && bound(map, "y_m", 1) == 80.5 &&
                bound(map, "z_m", 0) == -1);
    assert_int_equal(overview.chunks, 1);
    assert_true(overview.x_min_m == -128 && overview.y_min_m == 0);
    assert_int_equal(overview.rows, 2);
    assert_string_equal(overview.letters[0], "..1..");
    assert_string_equal(overview.letters[1], "1...#");
    json_decref(map);
    struct map_box wide[] = {{INT32_MIN, 0, 0, INT32_MAX, 1, 1}};
    assert_int_equal(map_fixture_pack(&f, wide, 1), 0);
    json_decref(map_view(f.path, &overview, error));
    assert_int_equal(overview.chunks, 16);
    assert_int_equal(overview.columns, MAP_VIEW_COLUMNS);
    assert_int_equal(overview.rows, 1);
    assert_int_equal(map_fixture_pack(&f, NULL, 0), 0);
    map = map_view(f.path, &overview, error);
    assert_true(json_is_null(json_object_get(map, "bounds")));
    assert_int_equal(overview.rows, 0);
    json_decref(map);
    map_fixture_put(&f, f.bytes, f.len - 1);
    assert_null(map_view(f.path, &overview, error));
    assert_non_null(strstr(error, "world.map: offset 0: expected size of the header 64 (0x40), found 63"));
    map_fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_source_metres_become_fixed_point),
        cmocka_unit_test(test_map_source_json_is_read_as_well),
        cmocka_unit_test(test_map_source_mistakes_are_told_with_line_and_place),
        cmocka_unit_test(test_map_source_shipped_example_packs),
        cmocka_unit_test(test_map_view_tells_bounds_and_draws_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
