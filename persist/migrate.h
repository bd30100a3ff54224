/* migrate.h: the schema of the database, and the shard's row in it.
 *
 * The files of schemas/sql are in the program. migrate_run applies those that the database has not, in order, each in a
 * transaction together with its line in `schema_migrations` (number, name, checksum), all under an advisory lock, so that
 * several that start at once wait for each other. A database that has one which the program does not know, or one with
 * another checksum, is refused: it belongs to another version.
 *
 * For start-up: these calls block, up to their deadline. Errors come with a line of text that never holds the URI.
 */
#ifndef MARCH_PERSIST_MIGRATE_H
#define MARCH_PERSIST_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/pg_params.h"

struct migration {
    int number; /* 1, 2, 3 ... without gaps */
    const char *name;
    const char *sql;
};

extern const struct migration MIGRATIONS[];
extern const unsigned MIGRATION_COUNT;

/* What persist must know of its shard when it starts. */
struct shard_state {
    int64_t epoch;    /* of this start: goes to march_fence */
    uint64_t next_id; /* counter of the next id */
    uint8_t journal_id[PG_UUID_BYTES];
    uint64_t journal_position; /* what is below it is in the database */
    uint32_t applied;          /* migrations that were applied now */
};

/* migrate_run applies `count` migrations to the database at `uri`, and tells in `applied` how many were new. It waits for a
 * server that is starting or does not answer yet, `deadline_ms` in all. MARCH_ERR_UNAVAILABLE past that; MARCH_ERR_CONFLICT
 * for a database of another version; MARCH_ERR_INVALID when a statement was refused. */
must_check int migrate_run(const char *uri, const struct migration *migrations, unsigned count, uint32_t deadline_ms,
                           uint32_t *applied, char *error, size_t error_size);

/* shard_open migrates, makes the shard's row where there is none (with a new journal id), checks that the database is that
 * of shard `shard_index` of `shard_count` (MARCH_ERR_CONFLICT otherwise), raises its epoch, and makes partitions of events
 * from today on. A pooler of which the URI says nothing (pg_uri.h) is refused: MARCH_ERR_UNSUPPORTED. Transactions of an
 * earlier epoch that are still under way are waited for, and ended when they take longer than a second. */
must_check int shard_open(const char *uri, uint32_t shard_index, uint32_t shard_count, uint32_t deadline_ms,
                          struct shard_state *out, char *error, size_t error_size);

#endif
