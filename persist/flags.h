/* flags.h: subsystems that an operator can switch off while the shard runs.
 *
 * Kept in RUN/NAME.flags, one `name on` or `name off` a line, so that a restart keeps them and a database that is away does
 * not matter: that may be just when they are needed. What the file does not name is on. Each shard has its own.
 *
 * A file that can't be understood is an error at the start, told with its line. One thread, that of the loop.
 */
#ifndef MARCH_PERSIST_FLAGS_H
#define MARCH_PERSIST_FLAGS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

enum flag {
    FLAG_ITEMS = 0,   /* inventories: move, stack, split, use, drop */
    FLAG_TRADE = 1,   /* between two players */
    FLAG_AUCTION = 2, /* list, bid, buy */
    FLAG_GUILD = 3,
    FLAG_LOOT = 4,   /* what zones grant; refused for good while off */
    FLAG_BOARDS = 5, /* leaderboards, written and read */
    FLAG_READS = 6,  /* HTTP reads but the operator's own */
    FLAG_COUNT = 7
};

struct flags {
    bool is_on[FLAG_COUNT];
    char path[PATH_MAX];
};

/* flags_open reads RUN_DIR/NAME.flags; without the file everything is on. MARCH_ERR_INVALID, MARCH_ERR_SYSTEM with a line in
 * `error`. */
must_check int flags_open(struct flags *flags, const char *run_dir, const char *name, char *error, size_t error_size);

static inline bool flags_is_on(const struct flags *flags, enum flag flag) {
    return flags->is_on[flag];
}

/* flags_name returns the name of a flag; flags_find the flag of a name, MARCH_ERR_NOT_FOUND when there is none. */
const char *flags_name(enum flag flag);
must_check int flags_find(const char *name, enum flag *flag);

/* flags_set switches a subsystem and writes the file. MARCH_ERR_SYSTEM when it can't be written: nothing has changed then.
 */
must_check int flags_set(struct flags *flags, enum flag flag, bool is_on, char *error, size_t error_size);

#endif
