/* fences.h: the edge to the matchmaker: incarnations of zones that it takes for dead, or does not know of, are fenced
 * (leases.h), so that another zone may have what they had; and what it asks of matches (match_keep.h).
 *
 * A fence that is asked for again is done again, which changes nothing. What can't be done now is answered UNAVAILABLE, and
 * the matchmaker asks again. Answers gather until the loop sleeps.
 *
 * Limits: WIRE_FENCES_MAX answers wait; more are left out, and asked for again. One thread. Without a matchmaker in the
 * configuration there is nothing.
 */
#ifndef MARCH_PERSIST_FENCES_H
#define MARCH_PERSIST_FENCES_H

#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "schemas/wire.h"

struct ev_loop;
struct fences;
struct match_keep;
struct zones;

struct fences_config {
    const struct config *config;
    uint32_t shard_index;
    const char *run_dir;
    struct wire_hello hello;
    const uint8_t *key; /* the cluster key, NULL with ipc */
    struct zones *zones;
    struct match_keep *matches;
};

struct fences_stats {
    uint64_t asked, done, unavailable;
};

/* fences_open listens for the matchmaker. Zones and matches outlive it. On failure `error` holds a line that names the
 * address. */
must_check int fences_open(struct fences **out, struct ev_loop *loop, const struct fences_config *config, char *error,
                           size_t error_size);

/* fences_close: after the pool, which calls back. NULL is fine. */
void fences_close(struct fences *fences);

struct fences_stats fences_stats(const struct fences *fences);

#endif
