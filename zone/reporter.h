/* reporter.h: the zone's ends of its edges to persist, one link (link.h) for each shard. What is told stands in book.h; here
 * is how it goes.
 *
 * The zone dials. Once UP it claims the lease of its slot (its name), then reports: what players are every report_ms,
 * what can't wait (attaches, players that left) with the tick. Each connection begins with everything that was not answered,
 * so a persist that comes back misses nothing; the lease is claimed again under the epoch that the zone has.
 *
 *   no lease ──claim──► asked ──HELD──► held        asked ──UNAVAILABLE──► no lease, claimed again after REPORTER_CLAIM_MS
 *                         └────STALE──► stale: a newer zone has the slot. Nothing is told any more; play goes on
 *                                       unheard, until the process is stopped.
 *
 * Nothing blocks. While a persist is away play goes on and everything is kept as book.h says; attaches of its players wait.
 * Without persists in the configuration there are no edges, and players begin anew each time.
 *
 * Limits: LINK_RECEIVES_MAX messages of each persist are taken in a tick, the rest waits in the bus. A report that the
 * bus refuses is counted and made again at the next tick.
 */
#ifndef MARCH_ZONE_REPORTER_H
#define MARCH_ZONE_REPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "schemas/link.h"
#include "schemas/wire.h"
#include "zone/book.h"
#include "zone/sim.h"

#define REPORTER_SHARDS_MAX 16
#define REPORTER_CLAIM_MS   1000

enum reporter_lease {
    REPORTER_LEASE_NONE = 0,
    REPORTER_LEASE_ASKED = 1,
    REPORTER_LEASE_HELD = 2,
    REPORTER_LEASE_STALE = 3,
    REPORTER_LEASE_COUNT = 4
};

struct reporter;

/* reporter_open dials every persist of `config` for zone `zone_index`. `hello` is what the zone says of itself; `key` is the
 * cluster key, NULL with ipc. Config and sim outlive the reporter. On failure `error` holds a line that names the address.
 */
must_check int reporter_open(struct reporter **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                             const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct mono now,
                             char *error, size_t error_size);
void reporter_close(struct reporter *reporter);

/* reporter_receive runs the edges and takes in what came. Before each tick. */
void reporter_receive(struct reporter *reporter, struct mono now);

/* reporter_send reports what is due. After each tick. */
void reporter_send(struct reporter *reporter, uint64_t tick, struct mono now);

/* reporter_book is where the edges to gateways say who comes and goes. */
struct book *reporter_book(const struct reporter *reporter);

uint32_t reporter_count(const struct reporter *reporter);
const struct link *reporter_link(const struct reporter *reporter, uint32_t shard);
enum reporter_lease reporter_lease(const struct reporter *reporter, uint32_t shard);

/* reporter_has_leases tells whether each persist has given this zone the lease of its slot, now or at any time before. */
bool reporter_has_leases(const struct reporter *reporter);

/* reporter_stats returns the sums over all shards; bad ones include the bus's. */
struct link_stats reporter_stats(const struct reporter *reporter);

#endif
