/* stores.h: where the databases of a cluster are.
 *
 * Each persist (shard) has a PostgreSQL database, perhaps a replica of it to read from, and a Redis database. They are the
 * user's own, given as lists of URIs in the order of the persists, or private servers (private_server.h). A list is
 * separated by commas or lines; a comma within a URI of several hosts does not separate, since no scheme follows it. `@FILE`
 * takes the list out of a file, so that no secret stands on a command line.
 *
 * What each persist is to use is written to RUN/NAME.postgres (a line for the database, then perhaps one for the replica)
 * and RUN/NAME.redis, readable by their owner alone. URIs may hold passwords: they go nowhere else, and messages name an
 * entry of a list by its number.
 */
#ifndef MARCH_ZONECTL_STORES_H
#define MARCH_ZONECTL_STORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "tools/zonectl/run_dir.h"

#define STORES_URI_SIZE  1024
#define STORES_LIST_MAX  (CONFIG_PERSISTS_MAX * STORES_URI_SIZE) /* bytes of a list */
#define STORES_CONNECT_S 5                                       /* for a check whether a server is there */
#define STORES_POSTGRES  "MARCH_POSTGRES"
#define STORES_REPLICAS  "MARCH_POSTGRES_REPLICA"
#define STORES_REDIS     "MARCH_REDIS"

/* One list, entries in the order of the persists; count 0 where none was given. */
struct store_list {
    uint32_t count;
    char uris[CONFIG_PERSISTS_MAX][STORES_URI_SIZE];
};

struct stores {
    struct store_list postgres, replicas, redis;
};

/* What the user said; NULL for nothing, then the environment counts. */
struct stores_options {
    const char *postgres, *replicas, *redis;
};

/* store_list_parse reads "URI,URI", "URI\nURI" or "@FILE". `name` is for the error line. */
must_check int store_list_parse(struct store_list *out, const char *name, const char *text, char error[RUN_DIR_ERROR_SIZE]);

/* stores_read takes options or environment, which is then cleaned of them, and checks that each list has an entry for each
 * persist and that a database answers behind each. Blocks for at most STORES_CONNECT_S an entry. MARCH_ERR_INVALID or
 * MARCH_ERR_UNAVAILABLE with a line in `error`. */
must_check int stores_read(struct stores *out, const struct stores_options *options, const struct config *config,
                           char error[RUN_DIR_ERROR_SIZE]);

/* stores_publish writes the files of each persist; private servers stand in for lists that are empty. */
must_check int stores_publish(const struct stores *stores, const char *run_dir, const struct config *config,
                              char error[RUN_DIR_ERROR_SIZE]);

#endif
