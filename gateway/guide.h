/* guide.h: the way to the matchmaker, which says who has which part of the world: the link (link.h), the directories that
 * come over it, and the report of this gateway.
 *
 * The first report of a connection carries the newest directory that this gateway knows, so that a matchmaker that is new
 * goes on from what there was. A report goes at once when the matchmaker is up, then every GUIDE_REPORT_MS: it is the
 * heartbeat. While the matchmaker is away, the newest directory holds. One that the bus has no room for is tried again.
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

#define GUIDE_REPORT_MS 100

struct guide_handlers {
    void *context;
    void (*directory)(void *context, const struct wire_directory *directory); /* pointers hold during the call */
};

struct guide_config {
    struct wire_hello hello;
    struct bus_edge_config bus;
    struct wire_builder *builder; /* shared */
    struct guide_handlers handlers;
};

struct guide_stats {
    uint64_t reports, directories;
};

struct guide {
    struct guide_config config;
    struct link link;
    bool is_first; /* no report has gone over this connection */
    struct mono report_at;
    struct guide_stats stats;
};

/* guide_open opens the link; errors as of link_open. The guide must not move in memory afterwards. */
must_check int guide_open(struct guide *guide, const struct guide_config *config, struct mono now, char *error,
                          size_t error_size);
void guide_close(struct guide *guide);

/* guide_update runs the link and reports when it is time to: each turn. `directory` is the newest that is known. */
void guide_update(struct guide *guide, const struct directory *directory, uint32_t sessions, uint32_t moving,
                  struct mono now);

#endif
