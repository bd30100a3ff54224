/* access.h: what a tool needs to join a running cluster, found in its run directory.
 *
 * RUN/cluster.yaml (a link to the configuration) gives the protocol and the lifetime of tokens, RUN/connect.key the key to
 * mint them with, RUN/GATEWAY.udp the addresses that each gateway's clients use. Read whole when asked; gateways come and
 * go, so read it again before reconnecting.
 */
#ifndef MARCH_COMMON_ACCESS_H
#define MARCH_COMMON_ACCESS_H

#include <stdint.h>

#include "common/addr.h"
#include "common/config.h"
#include "common/error.h"
#include "common/file.h"
#include "common/netcode_token.h"

#define ACCESS_ERROR_SIZE CONFIG_ERROR_SIZE

struct access_gateway {
    char name[CONFIG_NAME_SIZE];
    uint32_t count;
    struct addr addresses[CONFIG_ADDRESSES_MAX];
};

struct access {
    uint64_t protocol_id;
    uint32_t token_lifetime_s; /* the one that gateways count on: a shorter one may look older than a gateway's start */
    int32_t timeout_s;
    uint64_t
        mint_from_s; /* a gateway ignores tokens that may be older than its start, so none is minted before this second */
    uint32_t view_max;
    uint32_t tick_hz;
    uint32_t gateway_count;
    struct access_gateway gateways[CONFIG_GATEWAYS_MAX];
    uint8_t key[FILE_KEY_BYTES];
};

/* access_open reads the run directory. MARCH_ERR_NOT_FOUND when no gateway has published an address there, other errors as
 * config_load and file_read_key; `error` then says what is wrong. */
must_check int access_open(struct access *access, const char *run_dir, char *error, size_t error_size);

/* access_read_gateway reads RUN/NAME.udp, which a gateway writes at its start, into `gateway`, which has a name; without
 * that file it has no addresses. `*mint_from_s` is raised to the first second of a token that this gateway takes. */
must_check int access_read_gateway(struct access_gateway *gateway, const char *run_dir, uint64_t *mint_from_s, char *error,
                                   size_t error_size);

/* access_gateway_find returns the index of a gateway, MARCH_ERR_NOT_FOUND when it has no addresses. */
must_check int access_gateway_find(const struct access *access, const char *name);

/* access_mint makes a token for `player` whose servers are the addresses of one gateway, of `family` only unless it is
 * ADDR_NONE. MARCH_ERR_INVALID when there is none of that family or the lifetime is 0. sodium_init() must have run. */
must_check int access_mint(const struct access *access, uint8_t token[NETCODE_TOKEN_BYTES], uint64_t player,
                           uint32_t gateway, uint8_t family, uint64_t now_s, uint32_t lifetime_s);

#endif
