/* resolve.h: host names looked up off the loop.
 *
 * getaddrinfo blocks, for many seconds where no name server answers. So a thread of its own makes the lookup and then makes
 * a descriptor readable. What was found is kept for RESOLVE_KEEP_MS. Addresses in digits need no lookup.
 *
 * Limits: one lookup at a time for each resolver, hence one thread; RESOLVE_ADDRESSES_MAX addresses of a name. A lookup has
 * no deadline, the caller has: one that is late is kept for the next question. The owner may close the resolver in the
 * middle of a lookup; the thread then frees it. All calls from one thread.
 */
#ifndef MARCH_COMMON_RESOLVE_H
#define MARCH_COMMON_RESOLVE_H

#include <stdbool.h>

#include "common/clock.h"
#include "common/error.h"

#define RESOLVE_NAME_MAX      255 /* bytes, as DNS has it */
#define RESOLVE_ADDRESSES_MAX 8
#define RESOLVE_ADDRESS_SIZE  80 /* of an IPv6 address with its scope, and '\0' */
#define RESOLVE_KEEP_MS       5000

struct resolved {
    unsigned count;
    char addresses[RESOLVE_ADDRESSES_MAX][RESOLVE_ADDRESS_SIZE]; /* in digits, in the order of preference */
};

struct resolver;

/* resolver_create returns a resolver that does nothing yet, NULL when the system refuses. */
struct resolver *resolver_create(void);

/* resolver_close ends it; NULL is fine. */
void resolver_close(struct resolver *resolver);

/* resolver_ask gives the addresses of `name`: 0 at once where they are known. MARCH_ERR_EMPTY when a lookup is under way:
 * ask again when resolver_fd is readable. MARCH_ERR_FULL while it is of another name, MARCH_ERR_INVALID for a name that is
 * too long, MARCH_ERR_NOT_FOUND when there are none (the next question looks again), MARCH_ERR_SYSTEM without a thread. */
must_check int resolver_ask(struct resolver *resolver, const char *name, struct mono now, struct resolved *out);

/* resolver_fd is readable when a lookup has ended, until resolver_ask was called. */
int resolver_fd(const struct resolver *resolver);

/* resolve_is_address tells whether `name` is an IPv4 or IPv6 address in digits. */
bool resolve_is_address(const char *name);

#endif
