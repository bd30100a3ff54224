/* netcode_drop.c: see netcode_drop.h. */
#include "gateway/netcode_drop.h"

#include <stddef.h>

#include "common/check.h"

const char *netcode_drop_name(enum netcode_drop drop) {
    static const char *const names[NETCODE_DROP_COUNT] = {
        [NETCODE_DROP_NONE] = "none",
        [NETCODE_DROP_EMPTY] = "empty",
        [NETCODE_DROP_MALFORMED] = "malformed",
        [NETCODE_DROP_WRONG_TYPE] = "wrong_type",
        [NETCODE_DROP_UNKNOWN_ADDR] = "unknown_addr",
        [NETCODE_DROP_NETWORK_RATE] = "network_rate",
        [NETCODE_DROP_STRANGERS_RATE] = "strangers_rate",
        [NETCODE_DROP_TOKEN_EXPIRED] = "token_expired",
        [NETCODE_DROP_TOKEN_EARLY] = "token_early",
        [NETCODE_DROP_TOKEN_BEFORE_START] = "token_before_start",
        [NETCODE_DROP_TOKEN_USED] = "token_used",
        [NETCODE_DROP_TOKEN_HISTORY_FULL] = "token_history_full",
        [NETCODE_DROP_TOKEN_CRYPTO] = "token_crypto",
        [NETCODE_DROP_TOKEN_INVALID] = "token_invalid",
        [NETCODE_DROP_TOKEN_OTHER_SERVER] = "token_other_server",
        [NETCODE_DROP_ADDR_CONNECTED] = "addr_connected",
        [NETCODE_DROP_CLIENT_CONNECTED] = "client_connected",
        [NETCODE_DROP_PENDING_FULL] = "pending_full",
        [NETCODE_DROP_SERVER_FULL] = "server_full",
        [NETCODE_DROP_SERVER_CLOSED] = "server_closed",
        [NETCODE_DROP_REPLAY] = "replay",
        [NETCODE_DROP_CRYPTO] = "crypto",
        [NETCODE_DROP_FORGED_BUDGET] = "forged_budget",
        [NETCODE_DROP_LENGTH] = "length",
        [NETCODE_DROP_CHALLENGE] = "challenge",
        [NETCODE_DROP_SESSION_RATE] = "session_rate",
    };
    CHECK(drop < NETCODE_DROP_COUNT && names[drop] != NULL);
    return names[drop];
}
