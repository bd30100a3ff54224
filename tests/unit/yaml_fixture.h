/* yaml_fixture.h: good texts with one line replaced, and folders of files, for tests of what is read from YAML. */
#ifndef MARCH_TESTS_YAML_FIXTURE_H
#define MARCH_TESTS_YAML_FIXTURE_H

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/error.h"

#define YAML_FIXTURE_TEXT_SIZE 8192

/* A good text, one value a line, so that a case can replace a line and know its number. */
struct yaml_good {
    const char *const *lines;
    size_t count;
};

/* A line (from 1) that is replaced, NULL leaves it out; and the error that then is found. */
struct yaml_mistake {
    size_t line;
    const char *replacement;
    const char *error;
};

/* yaml_compose writes the good text with a line replaced; line 0: as it is. */
static inline void yaml_compose(const struct yaml_good *good, char text[YAML_FIXTURE_TEXT_SIZE], size_t line,
                                const char *replacement) {
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < good->count; i++) {
        const char *source = i + 1 == line ? replacement : good->lines[i];
        if (source) len += (size_t)snprintf(text + len, YAML_FIXTURE_TEXT_SIZE - len, "%s\n", source);
        CHECK(len < YAML_FIXTURE_TEXT_SIZE);
    }
}

/* yaml_expect_mistakes has each mistake made, and its error looked for. */
static inline void yaml_expect_mistakes(const struct yaml_good *good, const struct yaml_mistake *mistakes, size_t count,
                                        void (*expect_error)(const char *text, const char *error)) {
    for (size_t i = 0; i < count; i++) {
        char text[YAML_FIXTURE_TEXT_SIZE];
        yaml_compose(good, text, mistakes[i].line, mistakes[i].replacement);
        expect_error(text, mistakes[i].error);
    }
}

/* --- folders */

/* yaml_put writes a file, as an editor does that does not replace it. */
static inline void yaml_put(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    int written = fputs(text, file), closed = fclose(file);
    CHECK(written >= 0 && closed == 0);
}

static inline void yaml_drop(const char *folder, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK(unlink(path) == 0);
}

/* yaml_remove removes a folder with its files. */
static inline void yaml_remove(const char *folder) {
    DIR *files = opendir(folder);
    CHECK(files != NULL);
    for (struct dirent *entry; (entry = readdir(files));)
        if (entry->d_type == DT_REG) yaml_drop(folder, entry->d_name);
    closedir(files);
    CHECK(rmdir(folder) == 0);
}

#endif
