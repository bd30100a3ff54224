#include "persist/flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/file.h"
#include "common/log.h"
#include "common/text.h"

#define FILE_BYTES_MAX 4096

static const char *const names[FLAG_COUNT] = {
    [FLAG_ITEMS] = "items", [FLAG_TRADE] = "trade",   [FLAG_AUCTION] = "auction", [FLAG_GUILD] = "guild",
    [FLAG_LOOT] = "loot",   [FLAG_BOARDS] = "boards", [FLAG_READS] = "reads"};

const char *flags_name(enum flag flag) {
    CHECK((unsigned)flag < FLAG_COUNT);
    return names[flag];
}

int flags_find(const char *name, enum flag *flag) {
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *flag = (enum flag)i;
        return 0;
    }
    return MARCH_ERR_NOT_FOUND;
}

/* Takes one line; it may be changed. */
static int take_line(struct flags *flags, char *line) {
    char *value = strchr(line, ' ');
    if (!value) return MARCH_ERR_INVALID;
    *value++ = '\0';
    bool is_on = strcmp(value, "on") == 0;
    enum flag flag;
    if ((!is_on && strcmp(value, "off") != 0) || flags_find(line, &flag)) return MARCH_ERR_INVALID;
    flags->is_on[flag] = is_on;
    return 0;
}

static int take_file(struct flags *flags, char *text, char *error, size_t error_size) {
    unsigned number = 0;
    for (char *line = text, *end; *line; line = end) {
        end = strchr(line, '\n');
        if (end) *end++ = '\0';
        if (!end) end = line + strlen(line);
        number++;
        if (take_line(flags, line) == 0) continue;
        snprintf(error, error_size, "%s:%u: expected a subsystem's name and on or off", flags->path, number);
        return MARCH_ERR_INVALID;
    }
    return 0;
}

int flags_open(struct flags *flags, const char *run_dir, const char *name, char *error, size_t error_size) {
    for (unsigned i = 0; i < FLAG_COUNT; i++) flags->is_on[i] = true;
    int len = snprintf(flags->path, sizeof flags->path, "%s/%s.flags", run_dir, name);
    if (len < 0 || (size_t)len >= sizeof flags->path) {
        snprintf(error, error_size, "%s: path too long", run_dir);
        return MARCH_ERR_INVALID;
    }
    uint8_t *bytes;
    size_t size;
    int result = file_read(flags->path, FILE_BYTES_MAX, &bytes, &size, error, error_size);
    if (result == MARCH_ERR_NOT_FOUND) return 0;
    if (result) return result;
    result = take_file(flags, (char *)bytes, error, error_size);
    free(bytes);
    for (unsigned i = 0; result == 0 && i < FLAG_COUNT; i++) {
        if (!flags->is_on[i]) log_warn("flag.off", "subsystem=%s", names[i]);
    }
    return result;
}

int flags_set(struct flags *flags, enum flag flag, bool is_on, char *error, size_t error_size) {
    CHECK((unsigned)flag < FLAG_COUNT);
    bool before = flags->is_on[flag];
    flags->is_on[flag] = is_on;
    char bytes[FILE_BYTES_MAX];
    struct text text;
    text_init(&text, bytes, sizeof bytes);
    for (unsigned i = 0; i < FLAG_COUNT; i++) text_append(&text, "%s %s\n", names[i], flags->is_on[i] ? "on" : "off");
    int len = text_finish(&text);
    CHECK(len > 0);
    int result = file_write(flags->path, bytes, (size_t)len, 0600, error, error_size);
    if (result) {
        flags->is_on[flag] = before;
    } else if (is_on != before) {
        log_warn("flag.switched", "subsystem=%s on=%d", names[flag], is_on);
    }
    return result;
}
