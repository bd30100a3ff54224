/* pg_uri.h: our own parameter in a PostgreSQL URI.
 *
 * `march_prepared=off` among the parameters of a URI (or in a keyword string) says that the server can't keep prepared
 * statements, as pgBouncer in transaction mode can't. libpq knows nothing of it, so it is taken out.
 */
#ifndef MARCH_PERSIST_PG_URI_H
#define MARCH_PERSIST_PG_URI_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/resolve.h"

#define PG_URI_MAX 1024 /* with its '\0' */

/* pg_uri_split copies `uri` without our parameter into `out` (PG_URI_MAX bytes) and tells in `prepared` what it said; on
 * where it says nothing. MARCH_ERR_FULL when it is too long, MARCH_ERR_INVALID for a value that is neither on nor off or a
 * URI that libpq does not understand. */
must_check int pg_uri_split(const char *uri, char out[PG_URI_MAX], bool *prepared);

/* pg_uri_host tells whether connecting to `uri` (without our parameter) needs a lookup, and of which name. Not for sockets
 * and addresses, nor where `hostaddr` is given, nor for a list of several hosts: libpq looks their names up by itself, with
 * a blocking call. */
bool pg_uri_host(const char *uri, char host[RESOLVE_NAME_MAX + 1]);

/* pg_uri_connect begins to connect, to one of the addresses of `host` where there is one that was looked up, else NULL. NULL
 * when memory is short. */
PGconn *pg_uri_connect(const char *uri, const char *host, const struct resolved *found);

/* pg_uri_tells_prepared tells whether our parameter is in `uri`. */
bool pg_uri_tells_prepared(const char *uri);

#endif
