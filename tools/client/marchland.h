/* marchland.h: the client library of Marchland. One header, plain C, no dependency but libsodium.
 *
 * The library connects to a world with a connect token, sends the player's input, and keeps a table of what the player sees.
 * It starts no thread, reads no clock and allocates nothing after march_client_create: the caller passes the time in and
 * calls it from one thread. Many clients may live in one process.
 *
 * Two ways to use it:
 *
 *   with a socket of its own                          with yours (sans-I/O)
 *     c = march_client_create(&config)                  c = march_client_create(&config)
 *     march_client_connect(c, token, now_ns, wall_s)    march_client_connect(c, token, now_ns, wall_s)
 *     march_client_open(c)                              open a UDP socket
 *     each frame:                                       each frame:
 *       march_client_input(c, &input)                     for each datagram: march_client_receive(c, now_ns, bytes, len)
 *       march_client_poll(c, now_ns)                      march_client_input(c, &input)
 *       march_client_entities(c, now_ns, out, max)        march_client_update(c, now_ns, send, context)
 *     march_client_disconnect(c)                          march_client_entities(c, now_ns, out, max)
 *     march_client_poll(c, now_ns)                      march_client_disconnect(c), march_client_update(...)
 *     march_client_destroy(c)                           march_client_destroy(c)
 *
 * Time: now_ns is any monotonic clock, in nanoseconds, that never goes back; wall_s is seconds since the Unix epoch and
 * only tells whether a token has expired; 0 skips that. Call poll or update at least as often as inputs are sent (20 times a
 * second by default); 60 times a second, or once a rendered frame, is right.
 *
 * Space: metres as float, relative to the origin that the configuration names; angles are 1/65536 turns, counter-clockwise
 * from +x.
 *
 * Errors: functions that can fail return 0 (or a count) or a negative enum march_client_error; march_error_text() says it in
 * words. Nothing that arrives from the network can make the library crash, allocate or wait: what is malformed is dropped
 * and counted.
 */
#ifndef MARCHLAND_H
#define MARCHLAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MARCH_TOKEN_BYTES  2048  /* a netcode 1.02 connect token */
#define MARCH_PACKET_MAX   1300  /* no datagram of the protocol is longer */
#define MARCH_MESSAGE_MAX  65536 /* bytes of a reliable message */
#define MARCH_ENTITIES_MAX 1024  /* entities in view */
#define MARCH_INPUT_HZ_MAX 60
#define MARCH_CLIENT_API   1 /* rises when this header changes incompatibly */

enum march_client_error {
    MARCH_CLIENT_INVALID = -1,   /* an argument or a token is malformed */
    MARCH_CLIENT_FULL = -2,      /* no room now: try again later */
    MARCH_CLIENT_EMPTY = -3,     /* nothing there yet */
    MARCH_CLIENT_EXPIRED = -6,   /* the token has expired */
    MARCH_CLIENT_NOT_FOUND = -7, /* not connected, or no socket */
    MARCH_CLIENT_SYSTEM = -9     /* the operating system refused; errno says why */
};

enum march_client_state {
    MARCH_CLIENT_DISCONNECTED = 0, /* march_client_connect starts; march_client_reason says why it ended */
    MARCH_CLIENT_CONNECTING = 1,
    MARCH_CLIENT_CONNECTED = 2
};

/* Why a client is disconnected. */
enum march_client_reason {
    MARCH_REASON_NONE = 0,      /* never connected, or still is */
    MARCH_REASON_REQUESTED = 1, /* march_client_disconnect */
    MARCH_REASON_SERVER = 2,    /* the server ended the session */
    MARCH_REASON_TIMED_OUT = 3, /* connected, then nothing heard for the token's time-out */
    MARCH_REASON_NO_ANSWER = 4, /* no server of the token answered */
    MARCH_REASON_DENIED = 5,    /* the last server of the token is full */
    MARCH_REASON_EXPIRED = 6    /* the token expired before the connection stood */
};

/* march_rtt_fn is told each round trip: from an input's first sending to the arrival of the first snapshot made with it. */
typedef void (*march_rtt_fn)(void *context, uint64_t rtt_ns);

/* march_send_fn sends one datagram to march_client_server_address. `packet` is valid during the call only. */
typedef void (*march_send_fn)(void *context, const uint8_t *packet, size_t len);

/* Fields that are 0 take the default in brackets. */
struct march_config {
    uint32_t input_hz;          /* input packets a second, 1 to MARCH_INPUT_HZ_MAX [20] */
    uint32_t input_repeat;      /* inputs in each packet, the newest and those before it, 1 to 8 [4] */
    uint32_t tick_hz;           /* of the server [60] */
    uint32_t entities_max;      /* slots of the view; at least the server's view_max, at most MARCH_ENTITIES_MAX [1024] */
    uint32_t message_bytes_max; /* longest message taken, 1 to MARCH_MESSAGE_MAX [65536] */
    uint32_t message_blocks;    /* KiB for messages under way, half each way; a half must exceed the longest message [256] */
    float origin_x_m, origin_y_m; /* world coordinates that entities' positions are relative to [0, 0] */
    march_rtt_fn rtt;             /* called from march_client_receive and march_client_poll; may be NULL */
    void *rtt_context;
};

struct march_address {
    uint8_t family;    /* 4 or 6; 0: none */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4 */
    uint16_t port;
};

#define MARCH_BUTTON_STRIKE 1u
#define MARCH_BUTTON_SHOOT  2u

struct march_input {
    int8_t move_x, move_y; /* -1, 0 or 1 */
    uint16_t aim;          /* 1/65536 turn */
    uint8_t buttons;       /* MARCH_BUTTON_*; one pressed between two packets is not missed, however short */
};

struct march_entity {
    uint64_t id; /* unique in the cluster, the same for all clients, for the entity's life */
    float x_m, y_m;
    float vx_m_s, vy_m_s;
    uint16_t yaw;   /* 1/65536 turn */
    uint8_t kind;   /* the game's number of what it is */
    uint8_t health; /* of 255 */
    uint8_t action; /* the game's number of what it is doing */
    bool own;       /* the player's own */
};

struct march_stats {
    uint64_t packets_up, packets_down;
    uint64_t bytes_up, bytes_down; /* of UDP payload */
    uint64_t packets_refused;      /* arrived, but not ours, damaged, replayed or malformed */
    uint64_t packets_late;         /* arrived after a newer one, and dropped for that */
    uint64_t snapshots;            /* taken */
    uint64_t snapshots_refused;    /* could not be decoded */
    uint64_t inputs_sent;          /* not counting repetitions */
    uint64_t messages_sent, messages_received;
    uint64_t rtt_ns;                  /* newest sample, input to snapshot; 0: none yet */
    uint64_t ping_ns;                 /* smoothed round trip of pings, without the server's tick; 0: none yet */
    float loss_up, loss_down;         /* 0 to 1: of late; since the connection began */
    uint32_t entities;                /* in view */
    uint32_t snapshot_interval_ticks; /* measured; 0: none yet */
};

struct march_client;

/* march_client_create allocates a client. NULL when the configuration is out of range or there is no memory. */
struct march_client *march_client_create(const struct march_config *config);

/* march_client_destroy frees it and closes its socket; says nothing to the server. NULL is fine. */
void march_client_destroy(struct march_client *client);

/* march_client_connect starts to connect with a token, from whatever state; a former session is forgotten. Each token admits
 * one session. Returns 0, MARCH_CLIENT_INVALID or MARCH_CLIENT_EXPIRED. */
int march_client_connect(struct march_client *client, const uint8_t token[MARCH_TOKEN_BYTES], uint64_t now_ns,
                         uint64_t wall_s);

/* march_client_disconnect ends the session: the next update or poll says so to the server (several times, since it may be
 * lost), and the client can then be destroyed or connected again. */
void march_client_disconnect(struct march_client *client);

enum march_client_state march_client_state(const struct march_client *client);
enum march_client_reason march_client_reason(const struct march_client *client);

/* march_client_reason_text returns a static, lower-case description; never NULL. */
const char *march_client_reason_text(enum march_client_reason reason);

/* --- packets, sans-I/O --- */

/* march_client_server_address returns where packets go now. It changes while connecting, when the token names several
 * servers. Packets from elsewhere must not be passed to march_client_receive. */
struct march_address march_client_server_address(const struct march_client *client);

/* march_client_receive takes a datagram from the server. It is decrypted in place. Returns 0, or negative when it was
 * dropped (and counted): an answer for curiosity, nothing has to be done. */
int march_client_receive(struct march_client *client, uint64_t now_ns, uint8_t *packet, size_t len);

/* march_client_update does what is due: handshake, inputs, acknowledgements, messages, keep-alives, time-outs. It calls
 * `send` for each datagram, 0 to about 35 times. */
void march_client_update(struct march_client *client, uint64_t now_ns, march_send_fn send, void *context);

/* --- packets, with a socket of the library's own (socket.c) --- */

/* march_client_open opens a non-blocking UDP socket, of the family of the server's address; call it after connect. Returns
 * 0, MARCH_CLIENT_NOT_FOUND without a server address or MARCH_CLIENT_SYSTEM. */
int march_client_open(struct march_client *client);

/* march_client_poll receives what has arrived, and updates. Never waits. Returns the number of datagrams received, or
 * MARCH_CLIENT_NOT_FOUND without a socket. */
int march_client_poll(struct march_client *client, uint64_t now_ns);

/* march_client_close closes the socket; march_client_destroy does, too. */
void march_client_close(struct march_client *client);

/* march_client_fd returns the socket, to wait for with poll(2); -1 without one. */
int march_client_fd(const struct march_client *client);

/* --- play --- */

/* march_client_input sets what the player does; it holds until set again. Directions are clamped to -1, 0, 1. */
void march_client_input(struct march_client *client, const struct march_input *input);

/* march_client_entities fills `out` with up to `max` entities in view as they were two snapshots ago, moving smoothly
 * between snapshots and on along their course where none came (for 250 ms). The own entity, when there is one, comes first.
 * Returns their number. */
size_t march_client_entities(struct march_client *client, uint64_t now_ns, struct march_entity *out, size_t max);

/* march_client_server_tick returns the server's tick now, as estimated from pings, with its fraction; 0 before the first.
 * Low 32 bits count: it wraps with them. */
double march_client_server_tick(const struct march_client *client, uint64_t now_ns);

/* march_client_view_tick returns the tick that march_client_entities shows at now_ns, with its fraction; 0 before the second
 * snapshot. Sent with inputs, so that the server judges a shot by what the player saw. */
double march_client_view_tick(const struct march_client *client, uint64_t now_ns);

/* --- messages: reliable, in order; their content is schemas/client.fbs --- */

/* march_client_send queues a message of 1 to MARCH_MESSAGE_MAX bytes. Returns 0, MARCH_CLIENT_INVALID, MARCH_CLIENT_FULL
 * (try again later) or MARCH_CLIENT_NOT_FOUND when not connected. */
int march_client_send(struct march_client *client, uint64_t now_ns, const uint8_t *bytes, size_t len);

/* march_client_next_message gives the next message, in order. *bytes is valid until the next call of any function of this
 * client. Returns its length, or MARCH_CLIENT_EMPTY. */
int march_client_next_message(struct march_client *client, const uint8_t **bytes);

/* --- figures --- */

void march_client_stats(const struct march_client *client, struct march_stats *out);

/* march_error_text returns a static, lower-case description of an error; never NULL. */
const char *march_error_text(int error);

#ifdef __cplusplus
}
#endif

#endif
