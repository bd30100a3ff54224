#include "persist/settings.h"

#include <argp.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/version.h"

enum { KEY_SHARD = 256, KEY_NEW_JOURNAL };

static const struct argp_option table[] = {
    {"shard", KEY_SHARD, "I/N", 0, "Refuse to start unless the configuration makes this shard I of N, from 0", 0},
    {"new-journal", KEY_NEW_JOURNAL, NULL, 0,
     "Start although the database was fed from another journal than the one here: what only that one has is lost", 0},
    {0},
};

static bool is_shard(const char *text) {
    uint32_t index, count;
    int len = -1;
    return sscanf(text, "%" SCNu32 "/%" SCNu32 "%n", &index, &count, &len) == 2 && text[len] == '\0' && index < count;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct settings *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &s->launch; break;
    case KEY_SHARD:
        if (!is_shard(arg)) argp_error(state, "--shard: expected I/N, as in 0/2, found %s", arg);
        s->shard = arg;
        break;
    case KEY_NEW_JOURNAL: s->new_journal = true; break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void settings_parse(struct settings *settings, int argc, char **argv) {
    *settings = (struct settings){0};
    const struct argp_child children[] = {{.argp = &launch_argp}, {0}};
    const struct argp argp = {.options = table,
                              .parser = parse,
                              .children = children,
                              .doc = "Keeps what lasts of one shard of a Marchland cluster: players, and what they have."};
    launch_parse(&argp, "persist " MARCH_VERSION, argc, argv, settings);
}

bool settings_shard_is(const char *text, uint32_t index, uint32_t count) {
    char expected[32];
    snprintf(expected, sizeof expected, "%" PRIu32 "/%" PRIu32, index, count);
    return strcmp(text, expected) == 0;
}

/* --- where the databases are */

/* Copies the next line into `out`, and says where the one after it begins. */
static int take_line(const char **text, char out[SETTINGS_ADDRESS_SIZE]) {
    size_t len = strcspn(*text, "\n");
    if (len >= SETTINGS_ADDRESS_SIZE) return MARCH_ERR_INVALID;
    memcpy(out, *text, len);
    out[len] = '\0';
    *text += len + ((*text)[len] == '\n');
    return 0;
}

static int read_lines(const char *run_dir, const char *name, const char *suffix, char *first, char *second, char *error,
                      size_t error_size) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s.%s", run_dir, name, suffix);
    if (len < 0 || (size_t)len >= sizeof path) {
        snprintf(error, error_size, "%s: path too long", run_dir);
        return MARCH_ERR_INVALID;
    }
    uint8_t *bytes;
    size_t size;
    int result = file_read(path, 4 * SETTINGS_ADDRESS_SIZE, &bytes, &size, error, error_size);
    if (result) return result;
    const char *text = (const char *)bytes;
    result = take_line(&text, first);
    if (!result && second) result = take_line(&text, second);
    if (result || !*first || *text || strlen((const char *)bytes) != size) {
        snprintf(error, error_size, "%s: expected %s of at most %d bytes", path, second ? "one or two lines" : "one line",
                 SETTINGS_ADDRESS_SIZE - 1);
        result = MARCH_ERR_INVALID;
    }
    free(bytes);
    return result;
}

int settings_stores(const char *run_dir, const char *name, struct stores *out, char *error, size_t error_size) {
    int result = read_lines(run_dir, name, "postgres", out->postgres, out->replica, error, error_size);
    return result ? result : read_lines(run_dir, name, "redis", out->redis, NULL, error, error_size);
}
