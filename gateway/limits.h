/* limits.h: rate limits of the gateway: token buckets, and a table of them for the networks of strangers.
 *
 * A bucket is one number, the time at which it will be full again (the "generic cell rate algorithm"): taking moves it one
 * interval on, and is refused when that would be further ahead than the burst allows.
 *
 * The table limits packets of senders that have no session, by network (/24 of IPv4, /48 of IPv6) and all together, before
 * anything is decrypted. Its size is fixed: sets of four, chosen by SipHash under a secret key. In a full set the newcomer
 * takes the place of the network that has been quiet longest, with that network's debt: so however many networks a flood
 * claims to come from, a set of four lets no more through than four networks. What a flood of forged addresses costs is
 * bounded by the limit for all.
 */
#ifndef MARCH_GATEWAY_LIMITS_H
#define MARCH_GATEWAY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/error.h"

#define LIMITS_SECRET_BYTES 16

struct bucket {
    uint64_t full_at_ns; /* zero: full */
};

struct bucket_rate {
    uint64_t interval_ns; /* zero: no limit */
    uint64_t burst_ns;
};

/* bucket_rate_of makes a rate of `per_s` a second and `burst` at once; per_s 0 means no limit. */
struct bucket_rate bucket_rate_of(uint32_t per_s, uint32_t burst);

/* bucket_debt_ns returns how far ahead of `now` the bucket is, 0 when it is full. */
static inline uint64_t bucket_debt_ns(const struct bucket *bucket, struct mono now) {
    return bucket->full_at_ns > now.ns ? bucket->full_at_ns - now.ns : 0;
}

/* bucket_has tells whether bucket_take would succeed. */
static inline bool bucket_has(const struct bucket *bucket, const struct bucket_rate *rate, struct mono now) {
    return rate->interval_ns == 0 || bucket_debt_ns(bucket, now) + rate->interval_ns <= rate->burst_ns;
}

/* bucket_take takes one, or returns false and takes nothing. */
static inline bool bucket_take(struct bucket *bucket, const struct bucket_rate *rate, struct mono now) {
    if (!bucket_has(bucket, rate, now)) return false;
    bucket->full_at_ns = now.ns + bucket_debt_ns(bucket, now) + rate->interval_ns;
    return true;
}

struct limits_config {
    uint32_t networks_max;  /* 1 to 2^20, rounded up to a power of two */
    uint32_t network_per_s; /* packets without a session, for each network; 0: no limit */
    uint32_t network_burst;
    uint32_t strangers_per_s; /* the same for all networks together; 0: no limit */
    uint32_t strangers_burst;
};

struct limits_entry {
    uint64_t network; /* hash; two networks share one with a chance of 2^-64 */
    struct bucket bucket;
};

struct limits {
    struct limits_entry *entries;
    uint32_t set_mask; /* sets - 1 */
    struct bucket_rate network_rate;
    struct bucket_rate strangers_rate;
    struct bucket strangers;
    uint8_t secret[LIMITS_SECRET_BYTES];
};

enum limits_verdict { LIMITS_PASS = 0, LIMITS_NETWORK, LIMITS_STRANGERS, LIMITS_VERDICT_COUNT };

/* limits_config_default sets 65,536 networks, 500 a second with a burst of 2,000 each, 50,000 a second for all. */
void limits_config_default(struct limits_config *config);

/* limits_create allocates the table; MARCH_ERR_SYSTEM without memory. */
must_check int limits_create(struct limits *limits, const struct limits_config *config,
                             const uint8_t secret[LIMITS_SECRET_BYTES]);
void limits_destroy(struct limits *limits);

/* limits_take counts one packet from a sender without a session and says whether it may be worked on. */
enum limits_verdict limits_take(struct limits *limits, const struct addr *from, struct mono now);

#endif
