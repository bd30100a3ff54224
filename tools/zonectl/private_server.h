/* private_server.h: PostgreSQL and Redis servers of a cluster's own, in RUN/postgres and RUN/redis.
 *
 * They listen on a unix socket in their folder and nowhere else. The folder is private to the user that the server runs as,
 * so whoever can reach the socket is that user or root, and nobody is asked for a password.
 *
 * Started by root, a server runs as the user that its Debian package made (PostgreSQL refuses to run as root). That user
 * often can't reach the folder by its path: RUN is private, and so may be the folders above it, as /root is. So the server
 * inherits a descriptor of its folder and is told the path /proc/self/fd/N: such a link leads straight to the folder, and
 * what lies above is not looked at. The server needs no capability and no folder is opened to others. Clients, which are
 * root then, use the real path.
 *
 * A server that was killed may leave processes, a lock file and a socket; before a start they are removed (orphans.h). What
 * it has committed it finds again by its own recovery.
 *
 * PostgreSQL's data folder is made once, under another name, and renamed when it is whole.
 */
#ifndef MARCH_ZONECTL_PRIVATE_SERVER_H
#define MARCH_ZONECTL_PRIVATE_SERVER_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

#define PRIVATE_SERVER_SOCKET_MAX 107 /* bytes of a unix socket's path */
#define PRIVATE_SERVER_ERROR_SIZE (PATH_MAX + 256)

#define POSTGRES_SUPERUSER "march"
#define POSTGRES_SOCKET    ".s.PGSQL.5432"
#define POSTGRES_DATABASE  "march_%u" /* of a shard, by its index */
#define REDIS_SOCKET       "redis.sock"
#define REDIS_DATABASES    16 /* one for each shard */

enum private_server { PRIVATE_POSTGRES = 0, PRIVATE_REDIS = 1, PRIVATE_SERVER_COUNT = 2 };

/* private_server_name returns "postgres" or "redis": its folder in RUN, its log, its user. */
const char *private_server_name(enum private_server server);

/* private_server_parse returns PRIVATE_SERVER_COUNT for any other text. */
enum private_server private_server_parse(const char *name);

/* private_server_folder writes the absolute path of the server's folder in `run_dir`, which exists. MARCH_ERR_INVALID when
 * the socket in it would have too long a path, MARCH_ERR_SYSTEM otherwise, with a line in `error`. */
must_check int private_server_folder(char out[PATH_MAX], const char *run_dir, enum private_server server,
                                     char error[PRIVATE_SERVER_ERROR_SIZE]);

/* private_server_is_new tells whether PostgreSQL's data is still to be made in its folder. */
bool private_server_is_new(const char *folder);

/* private_server_become turns this process into the server, which ends with process `parent`. Returns only when that fails,
 * with a line in `error`. */
must_check int private_server_become(const char *run_dir, enum private_server server, pid_t parent,
                                     char error[PRIVATE_SERVER_ERROR_SIZE]);

#endif
