/* limits.c: see limits.h. */
#include "gateway/limits.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define WAYS 4u

_Static_assert(sizeof(struct limits_entry) * WAYS == 64, "a set is a cache line");
_Static_assert(LIMITS_SECRET_BYTES == crypto_shorthash_KEYBYTES, "SipHash-2-4");

struct bucket_rate bucket_rate_of(uint32_t per_s, uint32_t burst) {
    if (per_s == 0) return (struct bucket_rate){0};
    uint64_t interval_ns = NS_PER_S / per_s;
    if (interval_ns == 0) interval_ns = 1;
    return (struct bucket_rate){.interval_ns = interval_ns, .burst_ns = interval_ns * (burst > 0 ? burst : 1)};
}

void limits_config_default(struct limits_config *config) {
    *config = (struct limits_config){.networks_max = 65536,
                                     .network_per_s = 500,
                                     .network_burst = 2000,
                                     .strangers_per_s = 50000,
                                     .strangers_burst = 50000};
}

int limits_create(struct limits *limits, const struct limits_config *config, const uint8_t secret[LIMITS_SECRET_BYTES]) {
    CHECK(config->networks_max >= 1 && config->networks_max <= 1u << 20);
    uint32_t sets = 1;
    while (sets * WAYS < config->networks_max) sets *= 2;
    *limits = (struct limits){.set_mask = sets - 1,
                              .network_rate = bucket_rate_of(config->network_per_s, config->network_burst),
                              .strangers_rate = bucket_rate_of(config->strangers_per_s, config->strangers_burst)};
    memcpy(limits->secret, secret, LIMITS_SECRET_BYTES);
    size_t size = sets * WAYS * sizeof(limits->entries[0]);
    limits->entries = aligned_alloc(64, size);
    if (limits->entries == NULL) return MARCH_ERR_SYSTEM;
    memset(limits->entries, 0, size);
    return 0;
}

void limits_destroy(struct limits *limits) {
    free(limits->entries);
    *limits = (struct limits){0};
}

/* find_bucket returns the network's bucket, in a full set the one of the network that was quiet longest. */
static struct bucket *find_bucket(struct limits *limits, const struct addr *from) {
    struct addr prefix = addr_prefix(from);
    uint64_t network;
    crypto_shorthash((uint8_t *)&network, (const uint8_t *)&prefix, sizeof(prefix), limits->secret);
    struct limits_entry *set = limits->entries + (network & limits->set_mask) * WAYS;
    struct limits_entry *quietest = &set[0];
    for (uint32_t way = 0; way < WAYS; way++) {
        if (set[way].network == network) return &set[way].bucket;
        if (set[way].bucket.full_at_ns < quietest->bucket.full_at_ns) quietest = &set[way];
    }
    quietest->network = network; /* the debt stays, see limits.h */
    return &quietest->bucket;
}

enum limits_verdict limits_take(struct limits *limits, const struct addr *from, struct mono now) {
    if (!bucket_take(find_bucket(limits, from), &limits->network_rate, now)) return LIMITS_NETWORK;
    if (!bucket_take(&limits->strangers, &limits->strangers_rate, now)) return LIMITS_STRANGERS;
    return LIMITS_PASS;
}
