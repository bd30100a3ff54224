/* guide.h: the way to the matchmaker, which says who has which part of the world: the link (link.h), the directories that
 * come over it, and the report of this gateway.
 *
 * The first report of a connection carries the newest directory that this gateway knows, so that a matchmaker that is new
 * goes on from what there was. A report goes at once when the matchmaker is up, then every GUIDE_REPORT_MS: it is the
 * heartbeat. While the matchmaker is away, the newest directory holds. One that the bus has no room for is tried again.
 *
 * Asks are what players want of the matchmaker, gathered and sent at most every GUIDE_FLUSH_MS; tells are its messages to
 * players. What was asked and not answered when the connection ends is forgotten: the client asks again.
 *
 * Limits. GUIDE_ASKS_MAX and GUIDE_BLOB_BYTES wait at most; beyond that an ask is refused with MARCH_ERR_FULL, and while the
 * matchmaker is away with MARCH_ERR_NOT_FOUND. Nothing blocks or allocates after guide_open.
 */
#ifndef MARCH_GATEWAY_GUIDE_H
#define MARCH_GATEWAY_GUIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/clock.h"
#include "common/error.h"
#include "schemas/directory.h"
#include "schemas/link.h"

#define GUIDE_REPORT_MS  100
#define GUIDE_FLUSH_MS   2
#define GUIDE_ASKS_MAX   512
#define GUIDE_BLOB_BYTES (64 * 1024)

#define GUIDE_BYTES_MAX (WIRE_MATCH_OVERHEAD_MAX + GUIDE_ASKS_MAX * sizeof(struct wire_player_ask) + GUIDE_BLOB_BYTES)
_Static_assert(GUIDE_ASKS_MAX <= WIRE_MATCH_ITEMS_MAX && GUIDE_BLOB_BYTES <= WIRE_MATCH_BLOB_MAX,
               "as many as a reader takes");

struct guide_handlers {
    void *context;
    /* Pointers hold during the call. */
    void (*directory)(void *context, const struct wire_directory *directory);
    void (*tells)(void *context, const struct wire_gateway_tells *tells);
};

struct guide_config {
    struct wire_hello hello;
    struct bus_edge_config bus;
    struct wire_builder *builder; /* shared: for GUIDE_BYTES_MAX or more */
    struct guide_handlers handlers;
};

struct guide_stats {
    uint64_t reports, directories, asks_sent;
};

struct guide {
    struct guide_config config;
    struct link link;
    bool is_first; /* no report has gone over this connection */
    struct mono report_at;
    struct mono flush_at; /* next */
    struct guide_stats stats;
    uint32_t ask_count, blob_len;
    struct wire_player_ask asks[GUIDE_ASKS_MAX];
    uint8_t blob[GUIDE_BLOB_BYTES];
};

/* guide_open opens the link; errors as of link_open. The guide must not move in memory afterwards. */
must_check int guide_open(struct guide *guide, const struct guide_config *config, struct mono now, char *error,
                          size_t error_size);
void guide_close(struct guide *guide);

/* guide_update runs the link and reports when it is time to: each turn. `directory` is the newest that is known. */
void guide_update(struct guide *guide, const struct directory *directory, uint32_t sessions, uint32_t moving,
                  struct mono now);

/* guide_ask takes a copy of what the player of a session asks, a packed ClientMessage. */
must_check int guide_ask(struct guide *guide, const struct wire_session_ref *ref, const uint8_t *bytes, size_t len);

/* guide_flush sends the asks that wait, at most every GUIDE_FLUSH_MS; guide_waits tells whether there are any. */
void guide_flush(struct guide *guide, struct mono now);
bool guide_waits(const struct guide *guide);

#endif
