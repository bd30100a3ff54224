/* token_history.h: the connect tokens a gateway has seen, so that each admits one session.
 *
 * A token is named by the MAC of its sealed part. It is pending for the first address and port it came from (a client may
 * repeat its request), and consumed once a session was opened with it. Entries live until the token expires: a full history
 * refuses new tokens and never forgets a live one.
 */
#ifndef MARCH_GATEWAY_TOKEN_HISTORY_H
#define MARCH_GATEWAY_TOKEN_HISTORY_H

#include <stdint.h>

#include "common/addr.h"
#include "common/error.h"
#include "common/netcode_token.h"
#include "gateway/index_pool.h"
#include "gateway/key_map.h"

enum token_state {
    TOKEN_NEW = 0,
    TOKEN_PENDING, /* seen before from this very address and port */
    TOKEN_USED,    /* consumed, or pending for somebody else */
    TOKEN_STATE_COUNT
};

struct token_entry {
    uint8_t mac[NETCODE_MAC_BYTES];
    struct addr from;
    uint8_t consumed;
    uint64_t expire_s; /* Unix time; zero: free */
};

struct token_history {
    struct key_map map; /* MAC → entry */
    struct token_entry *entries;
    struct index_pool pool;
};

/* token_history_create allocates room for count_max tokens; MARCH_ERR_SYSTEM without memory. */
must_check int token_history_create(struct token_history *history, uint32_t count_max,
                                    const uint8_t secret[KEY_MAP_SECRET_BYTES]);
void token_history_destroy(struct token_history *history);

/* token_history_look says what is known of a token that comes from an address. */
enum token_state token_history_look(const struct token_history *history, const uint8_t mac[NETCODE_MAC_BYTES],
                                    const struct addr *from);

/* token_history_add makes a new token pending for `from` until expire_s (not 0); MARCH_ERR_FULL or MARCH_ERR_EXISTS. */
must_check int token_history_add(struct token_history *history, const uint8_t mac[NETCODE_MAC_BYTES],
                                 const struct addr *from, uint64_t expire_s);

/* token_history_consume marks a token as used up; no effect on one that has expired and was forgotten. */
void token_history_consume(struct token_history *history, const uint8_t mac[NETCODE_MAC_BYTES]);

/* token_history_sweep visits entries in proportion to the time since the last call, all in half a second, and forgets those
 * that expired at or before now_s. */
void token_history_sweep(struct token_history *history, uint64_t elapsed_ns, uint64_t now_s);

static inline uint32_t token_history_count(const struct token_history *history) {
    return index_pool_used(&history->pool);
}

#endif
