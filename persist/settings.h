/* settings.h: what a persist is told: the command line, and in the run directory where its databases are.
 *
 *     RUN/NAME.postgres   a libpq URI of the database; perhaps a second line, of a replica to read from
 *     RUN/NAME.redis      the address of a Redis, as of redis_address.h
 *
 * `zonectl up` writes the two files, for they may hold passwords: they are never logged.
 */
#ifndef MARCH_PERSIST_SETTINGS_H
#define MARCH_PERSIST_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/launch.h"

#define SETTINGS_ADDRESS_SIZE 1024

struct settings {
    struct launch launch;
    const char *shard; /* "I/N"; NULL: not given */
    bool new_journal;  /* go on without the journal that the database was fed from */
};

struct stores {
    char postgres[SETTINGS_ADDRESS_SIZE];
    char replica[SETTINGS_ADDRESS_SIZE]; /* "": none */
    char redis[SETTINGS_ADDRESS_SIZE];
};

/* settings_parse reads the command line; what is wrong with it ends the program with a message and exit code 64. */
void settings_parse(struct settings *settings, int argc, char **argv);

/* settings_shard_is tells whether "I/N" names shard `index` of `count`. */
bool settings_shard_is(const char *text, uint32_t index, uint32_t count);

/* settings_stores reads the two files. MARCH_ERR_NOT_FOUND, MARCH_ERR_INVALID or MARCH_ERR_SYSTEM with a line in `error`. */
must_check int settings_stores(const char *run_dir, const char *name, struct stores *out, char *error, size_t error_size);

#endif
