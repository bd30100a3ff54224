/* netcode_drop.h: why the gateway dropped a packet; each reason has a counter in the metrics. */
#ifndef MARCH_GATEWAY_NETCODE_DROP_H
#define MARCH_GATEWAY_NETCODE_DROP_H

enum netcode_drop {
    NETCODE_DROP_NONE = 0,
    NETCODE_DROP_EMPTY,          /* empty datagram */
    NETCODE_DROP_MALFORMED,      /* can't be a packet of this protocol */
    NETCODE_DROP_WRONG_TYPE,     /* not a packet for a server, or not now */
    NETCODE_DROP_UNKNOWN_ADDR,   /* encrypted, from an address without keys */
    NETCODE_DROP_NETWORK_RATE,   /* its network sends too many packets without a session */
    NETCODE_DROP_STRANGERS_RATE, /* all networks together do */
    NETCODE_DROP_TOKEN_EXPIRED,
    NETCODE_DROP_TOKEN_EARLY,        /* expires later than a token may */
    NETCODE_DROP_TOKEN_BEFORE_START, /* may have been used before this start */
    NETCODE_DROP_TOKEN_USED,
    NETCODE_DROP_TOKEN_HISTORY_FULL,
    NETCODE_DROP_TOKEN_CRYPTO,       /* not sealed with our connect key */
    NETCODE_DROP_TOKEN_INVALID,      /* sealed, but its content can't be */
    NETCODE_DROP_TOKEN_OTHER_SERVER, /* does not name this server */
    NETCODE_DROP_ADDR_CONNECTED,     /* handshake packet from an address that has a session */
    NETCODE_DROP_CLIENT_CONNECTED,   /* the client id has a session: event->slot says which */
    NETCODE_DROP_PENDING_FULL,
    NETCODE_DROP_SERVER_FULL,   /* the client was sent "denied" */
    NETCODE_DROP_SERVER_CLOSED, /* the same: the gateway is to go */
    NETCODE_DROP_REPLAY,        /* sequence seen before or too old */
    NETCODE_DROP_CRYPTO,        /* does not open */
    NETCODE_DROP_FORGED_BUDGET, /* not tried: too many did not open before */
    NETCODE_DROP_LENGTH,        /* opened, but has not the length of its type */
    NETCODE_DROP_CHALLENGE,     /* challenge token is not ours, or for another client or token */
    NETCODE_DROP_SESSION_RATE,  /* the session sends too many payloads */
    NETCODE_DROP_COUNT
};

/* netcode_drop_name returns a reason's name for metrics, like "token_expired". */
const char *netcode_drop_name(enum netcode_drop drop);

#endif
