/* Files of templates: each kind of mistake, with the line and key its error must name; overrides by the same rules; scaling;
 * folders with their versions; and the files that ship, which the modes that ship name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/item_kinds.h"
#include "matchmaker/mode_file.h"
#include "matchmaker/template_file.h"
#include "tests/unit/yaml_fixture.h"

/* A good template. */
static const char *const GOOD[] = {
    /* 1 */ "name: cave",
    /* 2 */ "side_m: 64",
    /* 3 */ "capacity: 6",
    /* 4 */ "time_limit_s: 900",
    /* 5 */ "ends: [cleared, kills, last_team, lost, empty]",
    /* 6 */ "kills: 15",
    /* 7 */ "lives: 2",
    /* 8 */ "rise_ms: 2500",
    /* 9 */ "empty_s: 45",
    /* 10 */ "waves:",
    /* 11 */ "  - {creatures: 5, after_s: 7}",
    /* 12 */ "  - {creatures: 9, overlaps: true, health_percent: 150, damage_percent: 80}",
    /* 13 */ "spots:",
    /* 14 */ "  - {x_m: 10, y_m: 20, radius_m: 3, team: 1}",
    /* 15 */ "  - {x_m: 50, y_m: 60, creatures: true}",
    /* 16 */ "scaling:",
    /* 17 */ "  players: 2",
    /* 18 */ "  creatures_percent: 40",
    /* 19 */ "  health_percent: 15",
    /* 20 */ "win: {gold: 300, item: healing potion, count: 4}",
    /* 21 */ "lose: {item: gem}",
    /* 22 */ "crash: restart",
    /* 23 */ "checkpoints: true",
    /* 24 */ "map:",
    /* 25 */ "  - {x_m: [20, 24], y_m: [0, 40]}",
    /* 26 */ "  - {x_m: [0, 64], y_m: [45, 46]}",
};

static const struct yaml_good GOOD_TEXT = {GOOD, sizeof GOOD / sizeof GOOD[0]};

static struct template parse_good(const char *text) {
    char error[TEMPLATE_ERROR_SIZE] = "";
    struct template template;
    if (template_file_parse("good.yaml", text, strlen(text), &template, error, sizeof error) != 0) fail_msg("%s", error);
    return template;
}

static struct template good(void) {
    char text[YAML_FIXTURE_TEXT_SIZE];
    yaml_compose(&GOOD_TEXT, text, 0, NULL);
    return parse_good(text);
}

static void expect_error(const char *text, const char *expected) {
    char error[TEMPLATE_ERROR_SIZE] = "";
    struct template template, before;
    memset(&template, 0x5a, sizeof template);
    memset(&before, 0x5a, sizeof before);
    int result = template_file_parse("t.yaml", text, strlen(text), &template, error, sizeof error);
    if (result != MARCH_ERR_INVALID || strcmp(error, expected) != 0)
        fail_msg("result %d\n  found    %s\n  expected %s", result, error, expected);
    assert_memory_equal(&template, &before, sizeof template);
}

static void test_template_file_good_text_is_filled(void **state) {
    (void)state;
    struct template t = good();
    assert_string_equal(t.name, "cave");
    assert_int_equal(t.version, 1);
    assert_int_equal(t.side_m, 64);
    assert_int_equal(t.capacity, 6);
    assert_int_equal(t.time_limit_s, 900);
    assert_int_equal(t.goals, WIRE_GOAL_CLEARED | WIRE_GOAL_KILLS | WIRE_GOAL_LAST_TEAM | WIRE_GOAL_LOST | WIRE_GOAL_EMPTY);
    assert_int_equal(t.kills, 15);
    assert_int_equal(t.lives, 2);
    assert_int_equal(t.rise_ms, 2500);
    assert_int_equal(t.empty_s, 45);
    static const struct wire_instance_wave waves[] = {{5, 7000, 0, 100, 100, 0}, {9, 0, 1, 150, 80, 0}};
    assert_int_equal(t.wave_count, 2);
    assert_memory_equal(t.waves, waves, sizeof waves);
    static const struct wire_instance_spot spots[] = {{10, 20, 3, 1}, {50, 60, 2, 0xffff}};
    assert_int_equal(t.spot_count, 2);
    assert_memory_equal(t.spots, spots, sizeof spots);
    static const struct wire_instance_box boxes[] = {{20, 0, 24, 40}, {0, 45, 64, 46}};
    assert_int_equal(t.box_count, 2);
    assert_memory_equal(t.boxes, boxes, sizeof boxes);
    assert_int_equal(t.scaling.players, 2);
    assert_int_equal(t.scaling.creatures_percent, 40);
    assert_int_equal(t.scaling.health_percent, 15);
    assert_int_equal(t.win.gold, 300);
    assert_int_equal(t.win.item_kind, ITEM_KIND_HEALING_POTION);
    assert_int_equal(t.win.item_count, 4);
    assert_int_equal(t.lose.gold, 0);
    assert_int_equal(t.lose.item_kind, ITEM_KIND_GEM);
    assert_int_equal(t.lose.item_count, 1);
    assert_int_equal(t.crash, TEMPLATE_CRASH_RESTART);
    assert_true(t.checkpoints);
}

static void test_template_file_what_is_left_out_has_its_default(void **state) {
    (void)state;
    struct template t = parse_good("{name: t, side_m: 16, capacity: 128, time_limit_s: 86400}");
    assert_int_equal(t.goals, 0);
    assert_int_equal(t.kills, 0);
    assert_int_equal(t.lives, 0);
    assert_int_equal(t.rise_ms, 5000);
    assert_int_equal(t.empty_s, 60);
    assert_int_equal(t.wave_count, 0);
    assert_int_equal(t.spot_count, 0);
    assert_int_equal(t.box_count, 0);
    assert_int_equal(t.scaling.players, 1);
    assert_int_equal(t.scaling.creatures_percent, 0);
    assert_int_equal(t.win.gold + t.win.item_kind + t.win.item_count, 0);
    assert_int_equal(t.crash, TEMPLATE_CRASH_RETURN);
    assert_false(t.checkpoints);
    t = parse_good("{name: t, side_m: 512, capacity: 1, ends: [empty]}");
    assert_int_equal(t.time_limit_s, 0);
}

static const struct yaml_mistake MISTAKES[] = {
    /* missing */
    {1, NULL, "t.yaml:1: name: missing, expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long"},
    {2, NULL, "t.yaml:1: side_m: missing, expected an integer from 16 to 512"},
    {3, NULL, "t.yaml:1: capacity: missing, expected an integer from 1 to 128"},
    {11, "  - {after_s: 7}", "t.yaml:11: waves[0].creatures: missing, expected an integer from 1 to 256"},
    {15, "  - {x_m: 50, creatures: true}", "t.yaml:15: spots[1].y_m: missing, expected an integer from 0 to 512"},
    /* unknown */
    {7, "lifes: 2",
     "t.yaml:7: lifes: unknown key, expected one of name, side_m, capacity, time_limit_s, ends, kills, lives, rise_ms, "
     "empty_s, waves, spots, map, scaling, win, lose, crash, checkpoints"},
    {12, "  - {creatures: 9, after_ms: 1}",
     "t.yaml:12: waves[1].after_ms: unknown key, expected one of creatures, after_s, overlaps, health_percent, "
     "damage_percent"},
    {21, "lose: {silver: 1}", "t.yaml:21: lose.silver: unknown key, expected one of gold, item, count"},
    {5, "ends: [cleared, won]", "t.yaml:5: ends[1]: expected one of cleared, kills, last_team, lost, empty, found \"won\""},
    {22, "crash: reboot", "t.yaml:22: crash: expected one of return, restart, found \"reboot\""},
    /* wrong kind, out of range */
    {5, "ends: cleared", "t.yaml:5: ends: expected a list of 1 to 5 entries, found \"cleared\""},
    {5, "ends: []", "t.yaml:5: ends: expected a list of 1 to 5 entries, found a list of 0"},
    {2, "side_m: 15", "t.yaml:2: side_m: expected an integer from 16 to 512, found \"15\""},
    {2, "side_m: 513", "t.yaml:2: side_m: expected an integer from 16 to 512, found \"513\""},
    {3, "capacity: 0", "t.yaml:3: capacity: expected an integer from 1 to 128, found \"0\""},
    {3, "capacity: 129", "t.yaml:3: capacity: expected an integer from 1 to 128, found \"129\""},
    {4, "time_limit_s: 86401", "t.yaml:4: time_limit_s: expected an integer from 0 to 86400, found \"86401\""},
    {6, "kills: 10001", "t.yaml:6: kills: expected an integer from 0 to 10000, found \"10001\""},
    {7, "lives: 1001", "t.yaml:7: lives: expected an integer from 0 to 1000, found \"1001\""},
    {8, "rise_ms: 86400001", "t.yaml:8: rise_ms: expected an integer from 0 to 86400000, found \"86400001\""},
    {9, "empty_s: 0", "t.yaml:9: empty_s: expected an integer from 1 to 86400, found \"0\""},
    {11, "  - {creatures: 257}", "t.yaml:11: waves[0].creatures: expected an integer from 1 to 256, found \"257\""},
    {11, "  - {creatures: 1, health_percent: 0}",
     "t.yaml:11: waves[0].health_percent: expected an integer from 1 to 10000, found \"0\""},
    {14, "  - {x_m: 10, y_m: 20, team: 8}", "t.yaml:14: spots[0].team: expected an integer from 0 to 7, found \"8\""},
    {17, "  players: 0", "t.yaml:17: scaling.players: expected an integer from 1 to 128, found \"0\""},
    {20, "win: {gold: 1000001}", "t.yaml:20: win.gold: expected an integer from 0 to 1000000, found \"1000001\""},
    {20, "win: {item: gem, count: 0}", "t.yaml:20: win.count: expected an integer from 1 to 1000, found \"0\""},
    /* relations */
    {5, "ends: [cleared, lost, cleared]", "t.yaml:5: ends[2]: expected each once, found one again"},
    {6, "kills: 0", "t.yaml:6: kills: expected at least 1 where it ends by kills, found 0"},
    {6, NULL, "t.yaml:1: kills: expected at least 1 where it ends by kills, found 0"},
    {5, "ends: [empty]", "t.yaml:6: kills: expected none where it does not end by kills, found 15"},
    {7, NULL, "t.yaml:1: lives: expected at least 1 where it ends by lost, found 0"},
    {11, "  - {creatures: 1, overlaps: true}",
     "t.yaml:11: waves[0].overlaps: expected false for the first wave, found true"},
    {11, "  - {creatures: 99}",
     "t.yaml:11: waves[0].creatures: expected at most 256 at once, with waves that overlap and scaling for capacity = 6 "
     "players, found 257"},
    {11, "  - {creatures: 90}", /* 234, and 23 of the next, which overlaps */
     "t.yaml:12: waves[1].creatures: expected at most 256 at once, with waves that overlap and scaling for capacity = 6 "
     "players, found 257"},
    {19, "  health_percent: 10000",
     "t.yaml:11: waves[0].health_percent: expected at most 10000, with scaling for capacity = 6 players, found 40100"},
    {14, "  - {x_m: 10, y_m: 20}", "t.yaml:14: spots[0].team: expected a team or creatures: true, found neither"},
    {14, "  - {x_m: 10, y_m: 20, team: 0, creatures: true}",
     "t.yaml:14: spots[0].team: expected a team or creatures: true, found both"},
    {14, "  - {x_m: 61, y_m: 20, radius_m: 4, team: 0}",
     "t.yaml:14: spots[0].x_m: expected a place that is radius_m within side_m = 64, found 61"},
    {14, "  - {x_m: 10, y_m: 3, radius_m: 4, team: 0}",
     "t.yaml:14: spots[0].y_m: expected a place that is radius_m within side_m = 64, found 3"},
    {2, "side_m: 61", "t.yaml:15: spots[1].y_m: expected a place that is radius_m within side_m = 61, found 60"},
    {20, "win: {item: gems}",
     "t.yaml:20: win.item: expected one of healing potion, herb, ore, sword, bow, armour, gem, found \"gems\""},
    {21, "lose: {count: 2}", "t.yaml:21: lose.count: expected none without an item, found one"},
    /* the map */
    {25, "  - {x_m: [20, 24]}", "t.yaml:25: map[0].y_m: missing, expected a list of 2 to 2 entries"},
    {25, "  - {x_m: [20, 24], y_m: [0, 40], z_m: [0, 3]}", "t.yaml:25: map[0].z_m: unknown key, expected one of x_m, y_m"},
    {25, "  - {x_m: 20, y_m: [0, 40]}", "t.yaml:25: map[0].x_m: expected a list of 2 to 2 entries, found \"20\""},
    {25, "  - {x_m: [20], y_m: [0, 40]}", "t.yaml:25: map[0].x_m: expected a list of 2 to 2 entries, found a list of 1"},
    {25, "  - {x_m: [20, 22, 24], y_m: [0, 40]}",
     "t.yaml:25: map[0].x_m: expected a list of 2 to 2 entries, found a list of 3"},
    {26, "  - {x_m: [0, 64], y_m: [45, 45.5]}",
     "t.yaml:26: map[1].y_m[1]: expected an integer from 0 to 512, found \"45.5\""},
    {26, "  - {x_m: [-1, 64], y_m: [45, 46]}", "t.yaml:26: map[1].x_m[0]: expected an integer from 0 to 512, found \"-1\""},
    {26, "  - {x_m: [0, 65], y_m: [45, 46]}",
     "t.yaml:26: map[1].x_m: expected a lesser metre and a greater one, up to side_m = 64, found 0 and 65"},
    {25, "  - {x_m: [20, 20], y_m: [0, 40]}",
     "t.yaml:25: map[0].x_m: expected a lesser metre and a greater one, up to side_m = 64, found 20 and 20"},
    {25, "  - {x_m: [20, 24], y_m: [40, 0]}",
     "t.yaml:25: map[0].y_m: expected a lesser metre and a greater one, up to side_m = 64, found 40 and 0"},
    {25, "  - {x_m: [8, 12], y_m: [18, 22]}", /* around it */
     "t.yaml:14: spots[0].x_m: expected a place that is more than radius_m = 3 away from what is solid, along x or y, found "
     "map[0]"},
    {25, "  - {x_m: [13, 24], y_m: [0, 40]}", /* within half a metre */
     "t.yaml:14: spots[0].x_m: expected a place that is more than radius_m = 3 away from what is solid, along x or y, found "
     "map[0]"},
    {15, "  - {x_m: 50, y_m: 43, creatures: true}",
     "t.yaml:15: spots[1].x_m: expected a place that is more than radius_m = 2 away from what is solid, along x or y, found "
     "map[1]"},
    {22, NULL, "t.yaml:22: checkpoints: expected false where crash is not restart, found true"},
};

static void test_template_file_mistakes_are_named_by_line_and_key(void **state) {
    (void)state;
    yaml_expect_mistakes(&GOOD_TEXT, MISTAKES, sizeof MISTAKES / sizeof MISTAKES[0], expect_error);
    expect_error("{name: t, side_m: 16, capacity: 1}",
                 "t.yaml:1: ends: expected empty among them where there is no time_limit_s, found none");
    expect_error("name: t\nside_m: 16\ncapacity: 1\nends: [last_team]\n",
                 "t.yaml:4: ends: expected empty among them where there is no time_limit_s, found others alone");
    expect_error("{name: t, side_m: 16, capacity: 1, ends: [empty, cleared]}",
                 "t.yaml:1: waves: expected at least one where it ends by cleared, found none");
    expect_error("name: t\nside_m: 16\ncapacity: 1\nends: [empty]\nmap:\n  - {x_m: [0, 9], y_m: [0, 16]}\n"
                 "  - {x_m: [9, 16], y_m: [0, 16]}\n",
                 "t.yaml:6: map: expected a metre to stand on somewhere, found all of the room solid");
}

static void test_template_file_waves_after_each_other_are_not_at_once(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    yaml_compose(&GOOD_TEXT, text, 12, "  - {creatures: 98}\n  - {creatures: 98}");
    assert_int_equal(parse_good(text).wave_count, 3);
}

static void test_template_file_map_may_touch_walls_and_spots_may_come_near(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    yaml_compose(&GOOD_TEXT, text, 25, "  - {x_m: [14, 64], y_m: [0, 40]}\n  - {x_m: [0, 20], y_m: [24, 64]}");
    assert_int_equal(parse_good(text).box_count, 3);
    assert_int_equal(parse_good("{name: t, side_m: 16, capacity: 1, ends: [empty], map: []}").box_count, 0);
}

static void test_template_file_map_has_as_many_boxes_as_an_order(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE] = "name: t\nside_m: 16\ncapacity: 1\nends: [empty]\nmap:\n";
    for (uint32_t i = 0; i < WIRE_INSTANCE_BOXES_MAX; i++) strcat(text, "  - {x_m: [0, 1], y_m: [0, 1]}\n");
    assert_int_equal(parse_good(text).box_count, WIRE_INSTANCE_BOXES_MAX);
    strcat(text, "  - {x_m: [0, 1], y_m: [0, 1]}\n");
    expect_error(text, "t.yaml:6: map: expected a list of 0 to 64 entries, found a list of 65");
}

/* --- scaling */

static void test_template_scale_grows_with_each_player_beyond(void **state) {
    (void)state;
    static const struct {
        uint32_t players, creatures[2], health[2];
    } table[] = {
        {0, {5, 9}, {100, 150}},  {1, {5, 9}, {100, 150}},   {2, {5, 9}, {100, 150}},
        {3, {7, 12}, {115, 172}}, {6, {13, 23}, {160, 240}},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct template t = good();
        template_scale(&t, table[i].players);
        for (uint32_t w = 0; w < 2; w++) {
            assert_int_equal(t.waves[w].creatures, table[i].creatures[w]);
            assert_int_equal(t.waves[w].health_percent, table[i].health[w]);
        }
        assert_int_equal(t.waves[1].damage_percent, 80);
    }
    struct template t = good();
    t.scaling.creatures_percent = t.scaling.health_percent = TEMPLATE_PERCENT_MAX;
    template_scale(&t, TEMPLATE_CAPACITY_MAX);
    assert_int_equal(t.waves[0].creatures, TEMPLATE_CREATURES_MAX);
    assert_int_equal(t.waves[0].health_percent, TEMPLATE_PERCENT_MAX);
}

/* --- overrides */

static void override(struct template *t, const char *key, const char *value) {
    char error[TEMPLATE_ERROR_SIZE] = "";
    if (template_override(t, key, value, error, sizeof error) != 0) fail_msg("%s=%s: %s", key, value, error);
}

static void test_template_override_sets_one_value(void **state) {
    (void)state;
    struct template t = good(), expected = t;
    t.version = expected.version = 7;
    override(&t, "time_limit_s", "60");
    override(&t, "win.gold", "0x10");
    override(&t, "win.item", "sword");
    override(&t, "lose.count", "12");
    override(&t, "waves[1].creatures", "1");
    override(&t, "waves[0].after_s", "3");
    override(&t, "spots[0].team", "0");
    override(&t, "scaling.players", "6");
    override(&t, "checkpoints", "false");
    override(&t, "crash", "return");
    expected.time_limit_s = 60;
    expected.win.gold = 16;
    expected.win.item_kind = ITEM_KIND_SWORD;
    expected.lose.item_count = 12;
    expected.waves[1].creatures = 1;
    expected.waves[0].after_ms = 3000;
    expected.spots[0].team = 0;
    expected.scaling.players = 6;
    expected.checkpoints = false;
    expected.crash = TEMPLATE_CRASH_RETURN;
    assert_memory_equal(&t, &expected, sizeof t);
}

static void test_template_override_of_a_bad_value_changes_nothing(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *error;
    } table[] = {
        {"name", "other", "name: expected another key, an instance keeps the name of its template"},
        {"gold", "1",
         "gold: unknown key, expected one of name, side_m, capacity, time_limit_s, ends, kills, lives, rise_ms, empty_s, "
         "waves, spots, map, scaling, win, lose, crash, checkpoints"},
        {"", "1", "expected the key of one value"},
        {"win.silver", "1", "win.silver: unknown key, expected one of gold, item, count"},
        {"win", "1", "win: expected the key of one value"},
        {"win.gold.x", "1", "win.gold: expected the key of one value, found \".x\" after it"},
        {"win.gold", "", "win.gold: expected an integer from 0 to 1000000, found \"\""},
        {"win.gold", "1000001", "win.gold: expected an integer from 0 to 1000000, found \"1000001\""},
        {"win.gold", "1\n2", "win.gold: expected an integer from 0 to 1000000, found \"1?2\""},
        {"win.item", "gold", "win.item: expected one of healing potion, herb, ore, sword, bow, armour, gem, found \"gold\""},
        {"ends", "lost", "ends: expected the key of one value, in an entry below [5]"},
        {"ends[0]", "lost", "ends: expected the key of one value, in an entry below [5]"},
        {"waves", "1", "waves: expected the key of one value, in an entry below [2]"},
        {"waves[2].creatures", "1", "waves: expected the key of one value, in an entry below [2]"},
        {"waves[-1].creatures", "1", "waves: expected the key of one value, in an entry below [2]"},
        {"waves[0]", "1", "waves: expected the key of one value, in an entry below [2]"},
        {"waves[0].creatures", "91",
         "waves[1].creatures: expected at most 256 at once, with waves that overlap and scaling for capacity = 6 players, "
         "found 259"},
        {"map[0].x_m", "3", "map[0].x_m: expected the key of one value, in an entry below [2]"},
        {"map[0].x_m[0]", "3", "map[0].x_m: expected the key of one value, in an entry below [2]"},
        {"map", "1", "map: expected the key of one value, in an entry below [2]"},
        {"spots[0].radius_m", "10",
         "spots[0].x_m: expected a place that is more than radius_m = 10 away from what is solid, along x or y, found "
         "map[0]"},
        {"crash", "restarts", "crash: expected one of return, restart, found \"restarts\""},
        {"crash", "return", "checkpoints: expected false where crash is not restart, found true"},
        {"lives", "0", "lives: expected at least 1 where it ends by lost, found 0"},
        {"side_m", "32", "spots[1].x_m: expected a place that is radius_m within side_m = 32, found 50"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char error[TEMPLATE_ERROR_SIZE] = "";
        struct template t = good(), before = t;
        assert_int_equal(template_override(&t, table[i].key, table[i].value, error, sizeof error), MARCH_ERR_INVALID);
        assert_string_equal(error, table[i].error);
        assert_memory_equal(&t, &before, sizeof t);
    }
}

/* --- folders */

static void load_folder(const char *folder, const struct template_set *before, struct template_set *set) {
    char error[TEMPLATE_ERROR_SIZE] = "";
    if (template_file_load_folder(folder, before, set, error, sizeof error) != 0) fail_msg("%s", error);
}

static void test_template_file_versions_rise_with_changes(void **state) {
    (void)state;
    static struct template_set first, second, third;
    char folder[] = "/tmp/march-templates-XXXXXX";
    assert_non_null(mkdtemp(folder));
    yaml_put(folder, "a.yaml", "{name: first, side_m: 16, capacity: 1, ends: [empty]}");
    yaml_put(folder, "b.yaml", "{name: second, side_m: 16, capacity: 1, ends: [empty]}");
    load_folder(folder, NULL, &first);
    assert_int_equal(first.count, 2);
    assert_int_equal(template_set_find(&first, "first")->version, 1);
    assert_null(template_set_find(&first, "third"));
    yaml_put(folder, "a.yaml", "name: first # as it was\nside_m: 16\ncapacity: 1\nends: [empty]\n");
    yaml_put(folder, "b.yaml", "{name: second, side_m: 16, capacity: 2, ends: [empty]}");
    yaml_put(folder, "c.yaml", "{name: third, side_m: 16, capacity: 1, ends: [empty]}");
    load_folder(folder, &first, &second);
    assert_int_equal(template_set_find(&second, "first")->version, 1);
    assert_int_equal(template_set_find(&second, "second")->version, 2);
    assert_int_equal(template_set_find(&second, "third")->version, 1);
    yaml_put(folder, "a.yaml", "{name: first, side_m: 16, capacity: 1, ends: [empty], checkpoints: true, crash: restart}");
    load_folder(folder, &second, &third);
    assert_int_equal(template_set_find(&third, "first")->version, 2);
    assert_int_equal(template_set_find(&third, "second")->version, 2);
    yaml_remove(folder);
}

static void test_template_file_folder_with_a_bad_file_changes_nothing(void **state) {
    (void)state;
    static struct template_set set, before;
    char folder[] = "/tmp/march-templates-XXXXXX", error[TEMPLATE_ERROR_SIZE] = "";
    assert_non_null(mkdtemp(folder));
    yaml_put(folder, "a.yaml", "{name: first, side_m: 16, capacity: 1, ends: [empty]}");
    yaml_put(folder, "b.yaml", "name: second\nside_m: 16\ncapacity: many\nends: [empty]\n");
    memset(&set, 0x5a, sizeof set);
    memset(&before, 0x5a, sizeof before);
    assert_int_equal(template_file_load_folder(folder, NULL, &set, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "/b.yaml:3: capacity: expected an integer from 1 to 128, found \"many\""));
    assert_memory_equal(&set, &before, sizeof set);
    yaml_remove(folder);
}

static void test_template_file_shipped_templates_are_what_shipped_modes_need(void **state) {
    (void)state;
    static struct template_set templates;
    static struct mode_set modes;
    char error[MODE_ERROR_SIZE] = "";
    load_folder("deploy/config/instances", NULL, &templates);
    if (mode_file_load_folder("deploy/config/modes", &modes, error, sizeof error) != 0) fail_msg("%s", error);
    for (uint32_t i = 0; i < modes.count; i++) {
        const struct template *t = template_set_find(&templates, modes.modes[i].instance);
        assert_non_null(t);
        assert_int_equal(t->capacity, modes.modes[i].teams * modes.modes[i].team_size);
    }
    const struct template *crypt = template_set_find(&templates, "crypt");
    assert_int_equal(crypt->goals, WIRE_GOAL_CLEARED | WIRE_GOAL_LOST | WIRE_GOAL_EMPTY);
    assert_int_equal(crypt->wave_count, 4);
    assert_true(crypt->checkpoints);
    assert_true(crypt->box_count > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template_file_good_text_is_filled),
        cmocka_unit_test(test_template_file_what_is_left_out_has_its_default),
        cmocka_unit_test(test_template_file_mistakes_are_named_by_line_and_key),
        cmocka_unit_test(test_template_file_waves_after_each_other_are_not_at_once),
        cmocka_unit_test(test_template_file_map_may_touch_walls_and_spots_may_come_near),
        cmocka_unit_test(test_template_file_map_has_as_many_boxes_as_an_order),
        cmocka_unit_test(test_template_scale_grows_with_each_player_beyond),
        cmocka_unit_test(test_template_override_sets_one_value),
        cmocka_unit_test(test_template_override_of_a_bad_value_changes_nothing),
        cmocka_unit_test(test_template_file_versions_rise_with_changes),
        cmocka_unit_test(test_template_file_folder_with_a_bad_file_changes_nothing),
        cmocka_unit_test(test_template_file_shipped_templates_are_what_shipped_modes_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
