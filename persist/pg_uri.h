/* pg_uri.h: our own parameter in a PostgreSQL URI.
 *
 * `march_prepared=off` among the parameters of a URI (or in a keyword string) says that the server can't keep prepared
 * statements, as pgBouncer in transaction mode can't. libpq knows nothing of it, so it is taken out.
 */
#ifndef MARCH_PERSIST_PG_URI_H
#define MARCH_PERSIST_PG_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define PG_URI_MAX 1024 /* with its '\0' */

/* pg_uri_split copies `uri` without our parameter into `out` (PG_URI_MAX bytes) and tells in `prepared` what it said; on
 * where it says nothing. MARCH_ERR_FULL when it is too long, MARCH_ERR_INVALID for a value that is neither on nor off or a
 * URI that libpq does not understand. */
must_check int pg_uri_split(const char *uri, char out[PG_URI_MAX], bool *prepared);

/* pg_uri_tells_prepared tells whether our parameter is in `uri`. */
bool pg_uri_tells_prepared(const char *uri);

#endif
