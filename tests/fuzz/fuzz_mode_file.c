/* fuzz_mode_file.c: any bytes as a mode of play. Either they are refused with one line that names the file, or the mode
 * keeps the limits that the queue relies on. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/check.h"
#include "matchmaker/mode_file.h"

static void check_refused(const char *error) {
    CHECK(strncmp(error, "fuzz.yaml:", 10) == 0);
    CHECK(strlen(error) > 12);
    for (const char *c = error; *c; c++) CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_roles(const struct mode *mode) {
    uint32_t players = 0;
    CHECK(mode->role_count <= MODE_ROLES_MAX);
    for (uint32_t i = 0; i < mode->role_count; i++) {
        CHECK(mode->roles[i].name[0] && memchr(mode->roles[i].name, '\0', MODE_NAME_SIZE));
        CHECK(mode->roles[i].per_team >= 1);
        players += mode->roles[i].per_team;
    }
    CHECK(mode->role_count == 0 || players == mode->team_size);
}

static void check_loaded(const struct mode *mode) {
    CHECK(mode->name[0] && memchr(mode->name, '\0', MODE_NAME_SIZE));
    CHECK(mode->teams >= 1 && mode->teams <= MODE_TEAMS_MAX);
    CHECK(mode->team_size >= 1 && mode->team_size <= MODE_TEAM_SIZE_MAX);
    CHECK(mode->max_party >= 1 && mode->max_party <= mode->team_size);
    CHECK(mode->window_start <= mode->window_max && mode->window_max <= MODE_POINTS_MAX);
    CHECK(mode->window_step <= MODE_POINTS_MAX && mode->balance_max <= MODE_POINTS_MAX);
    CHECK(mode->window_every_ms >= MODE_EVERY_MS_MIN && mode->window_every_ms <= MODE_TIME_MS_MAX);
    CHECK(mode->latency_start_ms <= mode->latency_max_ms && mode->latency_max_ms <= MODE_LATENCY_MS_MAX);
    CHECK(mode->latency_step_ms <= MODE_LATENCY_MS_MAX);
    CHECK(mode->timeout_ms >= 1 && mode->timeout_ms <= MODE_TIME_MS_MAX && mode->ready_ms <= MODE_TIME_MS_MAX);
    check_roles(mode);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char error[MODE_ERROR_SIZE] = "";
    struct mode mode;
    if (mode_file_parse("fuzz.yaml", (const char *)bytes, len, &mode, error, sizeof error) == 0)
        check_loaded(&mode);
    else
        check_refused(error);
    return 0;
}
