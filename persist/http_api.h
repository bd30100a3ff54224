/* http_api.h: the HTTP API of a shard: reads, audits and flags as JSON. persist/HTTP.md says what each route answers.
 *
 * Opens the process's endpoint (common/http.h), with the plain routes that it is given besides, and answers its deferred
 * requests on the loop. Each answer has an ETag made of its body; those that come from the cache tell their Age. Errors are
 * {"error": {"code", "message"}}: 400 for what makes no sense, 404, 307 with Location (or 421 where the address is not
 * known) for what is at home on another shard, 503 with Retry-After where a server is away or too much is asked, or with the
 * code "disabled" where the flag is off, 504 past the deadline.
 *
 * At most HTTP_API_CONNECTIONS_MAX connections and HTTP_DEFERRED_MAX requests at a time; HTTP_API_TURN_MAX are begun in one
 * turn of the loop.
 */
#ifndef MARCH_PERSIST_HTTP_API_H
#define MARCH_PERSIST_HTTP_API_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/http.h"

#define HTTP_API_CONNECTIONS_MAX 256
#define HTTP_API_TURN_MAX        32
#define HTTP_API_PAGE            50 /* rows of a page, unless asked for otherwise; READS_PAGE_MAX at most */

struct ev_loop;
struct reads;
struct audit;
struct flags;
struct abroad;
struct http_api;

struct http_api_config {
    struct ev_loop *loop;
    const char *listen;
    const struct metrics *metrics;
    const struct health *health;
    const struct http_route *routes; /* plain ones: "/status"; copied */
    size_t route_count;
    struct reads *reads;
    struct flags *flags;   /* NULL: all are on, and can't be set */
    struct audit *audit;   /* NULL: no audits */
    struct abroad *abroad; /* NULL: the only shard */
    uint32_t shard_index;
    bool (*is_region)(void *ctx, const char *region); /* NULL: any may be */
    void *ctx;
};

struct http_api_stats {
    struct http_stats http;
    uint64_t answered[6]; /* by hundreds of the status: answered[2] are 200 to 299 */
};

/* http_api_open binds, serves and copies the configuration; as http_open it tells what failed in `error`. */
must_check int http_api_open(struct http_api **out, const struct http_api_config *config, char *error, size_t error_size);

const struct addr *http_api_address(const struct http_api *api);

/* http_api_close ends the endpoint. Close what answers first (reads, audit): what is not answered by then gets 503. What
 * plain routes read must still be there. NULL is fine. */
void http_api_close(struct http_api *api);

struct http_api_stats http_api_stats_get(struct http_api *api);

/* http_api_pattern returns the pattern of route `index` and its method, NULL past the last: for tests of HTTP.md. */
const char *http_api_pattern(size_t index, enum http_method *method);

#endif
