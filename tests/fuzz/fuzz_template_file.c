/* fuzz_template_file.c: any bytes as a template of instances. Either they are refused with one line that names the file, or
 * the template keeps the limits that instances rely on, also for as many players as it takes. What follows a zero byte are
 * overrides, KEY=VALUE in a line each: they are refused and change nothing, or the template keeps its limits. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/item_kinds.h"
#include "matchmaker/template_file.h"
#include "schemas/room.h"

static void check_line(const char *error) {
    CHECK(strlen(error) > 12);
    for (const char *c = error; *c; c++) CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_waves(const struct template *t) {
    uint32_t at_once = 0;
    CHECK(t->wave_count <= WIRE_INSTANCE_WAVES_MAX);
    for (uint32_t i = 0; i < t->wave_count; i++) {
        const struct wire_instance_wave *wave = &t->waves[i];
        at_once = wave->creatures + (wave->overlaps ? at_once : 0);
        CHECK(wave->creatures >= 1 && at_once <= TEMPLATE_CREATURES_MAX);
        CHECK(wave->after_ms <= TEMPLATE_TIME_S_MAX * 1000 && wave->overlaps <= 1);
        CHECK(wave->health_percent >= 1 && wave->health_percent <= TEMPLATE_PERCENT_MAX);
        CHECK(wave->damage_percent <= TEMPLATE_PERCENT_MAX);
    }
}

static void check_spots(const struct template *t) {
    CHECK(t->spot_count <= WIRE_INSTANCE_SPOTS_MAX);
    for (uint32_t i = 0; i < t->spot_count; i++) {
        const struct wire_instance_spot *spot = &t->spots[i];
        CHECK(spot->x_m >= spot->radius_m && (uint32_t)spot->x_m + spot->radius_m <= t->side_m);
        CHECK(spot->y_m >= spot->radius_m && (uint32_t)spot->y_m + spot->radius_m <= t->side_m);
        CHECK(spot->team < WIRE_TEAMS_MAX || spot->team == 0xffff);
    }
}

static void check_boxes(const struct template *t) {
    CHECK(t->box_count <= WIRE_INSTANCE_BOXES_MAX);
    struct room room;
    const struct wire_rect rect = {0, 0, (int32_t)t->side_m, (int32_t)t->side_m};
    CHECK(room_make(&room, rect, t->boxes, t->box_count) == 0 && room.count == t->box_count);
    CHECK(room_is_free(&room, room.entry_x, room.entry_y));
    for (uint32_t i = 0; i < t->spot_count; i++)
        for (int32_t corner = 0; corner < 4; corner++) {
            const struct wire_instance_spot *spot = &t->spots[i];
            CHECK(room_is_free(&room, (spot->x_m + (corner & 1 ? 1 : -1) * spot->radius_m) * 65536,
                               (spot->y_m + (corner & 2 ? 1 : -1) * spot->radius_m) * 65536));
        }
}

static void check_reward(const struct template_reward *reward) {
    CHECK(reward->gold <= TEMPLATE_GOLD_MAX && reward->item_count <= TEMPLATE_ITEMS_MAX);
    CHECK((reward->item_kind == 0) == (reward->item_count == 0));
    CHECK(reward->item_kind == 0 || item_kind_find(reward->item_kind));
}

static void check_template(const struct template *t) {
    CHECK(t->name[0] && memchr(t->name, '\0', TEMPLATE_NAME_SIZE));
    CHECK(t->side_m >= TEMPLATE_SIDE_MIN_M && t->side_m <= TEMPLATE_SIDE_MAX_M);
    CHECK(t->capacity >= 1 && t->capacity <= TEMPLATE_CAPACITY_MAX && t->time_limit_s <= TEMPLATE_TIME_S_MAX);
    CHECK(t->time_limit_s > 0 || t->goals & WIRE_GOAL_EMPTY);
    CHECK(t->goals < 2 * WIRE_GOAL_EMPTY && (t->kills > 0) == ((t->goals & WIRE_GOAL_KILLS) != 0));
    CHECK(t->kills <= TEMPLATE_KILLS_MAX && t->lives <= TEMPLATE_LIVES_MAX && t->rise_ms <= TEMPLATE_TIME_S_MAX * 1000);
    CHECK(t->empty_s >= 1 && t->empty_s <= TEMPLATE_TIME_S_MAX);
    CHECK(t->crash == TEMPLATE_CRASH_RESTART || (t->crash == TEMPLATE_CRASH_RETURN && !t->checkpoints));
    check_waves(t);
    check_spots(t);
    check_boxes(t);
    check_reward(&t->win);
    check_reward(&t->lose);
    struct template scaled = *t;
    template_scale(&scaled, t->capacity);
    check_waves(&scaled);
}

static void set_one(struct template *t, char *line) {
    char error[TEMPLATE_ERROR_SIZE] = "";
    struct template before = *t;
    char *value = strchr(line, '=');
    if (!value) return;
    *value++ = '\0';
    if (template_override(t, line, value, error, sizeof error) == 0) {
        check_template(t);
    } else {
        check_line(error);
        CHECK(memcmp(t, &before, sizeof before) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char error[TEMPLATE_ERROR_SIZE] = "";
    struct template t;
    const uint8_t *zero = len > 0 ? memchr(bytes, 0, len) : NULL;
    size_t text_len = zero ? (size_t)(zero - bytes) : len;
    if (template_file_parse("fuzz.yaml", (const char *)bytes, text_len, &t, error, sizeof error) != 0) {
        CHECK(strncmp(error, "fuzz.yaml:", 10) == 0);
        check_line(error);
        return 0;
    }
    check_template(&t);
    if (!zero) return 0;
    char *lines = strndup((const char *)zero + 1, len - text_len - 1), *rest = lines;
    for (char *line; (line = strsep(&rest, "\n"));) set_one(&t, line);
    free(lines);
    return 0;
}
