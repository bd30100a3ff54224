/* session.h: the players of a gateway, one session for each netcode slot, under the slot's index and generation.
 *
 *   FREE ──open──► CLAIMING ──claimed──► WAITING ──attach sent──► ATTACHING ──attached──► PLAYING ──rerouted──► MOVING
 *     └───open, in a cluster without persist──►▲                      │                     │  ▲─activated, restored─┘ │
 *                                              └───── zone lost ──────┴─────────────────────┴──── both zones lost ─────┘
 *                                                                                                     any ──close──► FREE
 *
 * CLAIMING: persist has not said yet that the player may be here, nor where it is. WAITING: the zone is away, or has not
 * been told of the player yet. MOVING: its zone has let go of the player for another, which `route` is already (transfer.h);
 * a zone that lets go may also do so of a session that waits for it or is attached to it anew. A session keeps its channel
 * whatever its zone does, so clients never notice which process simulates them.
 *
 * What is touched for each packet lies in `struct session`, one cache line; the channel, 1.7 KB, lies in an array beside it.
 * Pages of channels that were never used cost no memory. The table is sized once and belongs to the loop's thread.
 */
#ifndef MARCH_GATEWAY_SESSION_H
#define MARCH_GATEWAY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/block_pool.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/frame.h"
#include "gateway/batch.h"
#include "gateway/limits.h"

#define SESSION_ROUTES_MAX      64
#define SESSION_SEND_BLOCKS_MAX 96   /* blocks of messages to one client: the longest message, and half as much behind it */
#define SESSION_BLOCKS_SPARE    4096 /* blocks beside one for each session */

enum session_state {
    SESSION_FREE = 0,
    SESSION_CLAIMING,
    SESSION_WAITING,
    SESSION_ATTACHING, /* from here on the zone knows it */
    SESSION_PLAYING,
    SESSION_MOVING,
    SESSION_STATE_COUNT
};

struct session {
    _Alignas(64) uint64_t player;
    uint32_t generation;
    uint8_t state; /* enum session_state; changed by session_move alone */
    uint8_t route;
    bool has_input : 1;      /* newest_input_seq holds */
    bool is_due : 1;         /* in the gateway's queue of sessions to send to */
    bool is_active : 1;      /* in the gateway's list of sessions with messages under way */
    bool has_ping : 1;       /* ping_client_us waits for its answer */
    bool is_heard : 1;       /* the client has sent a packet, so that packets to it can be sealed */
    bool told_lost : 1;      /* the client knows that its zone is away */
    bool told_reconnect : 1; /* the client was asked to go to another gateway */
    uint16_t newest_input_seq;
    uint16_t transfer; /* number of its entry in transfer.h, from 1; 0: none. While it has one its messages wait */
    uint32_t ping_client_us;
    uint32_t sent_ms;     /* when the last packet went out, low 32 bits of milliseconds */
    uint32_t strikes;     /* malformed packets */
    uint32_t attachments; /* times that a zone was told of it */
    struct batch_place input_place;
    uint64_t epoch;         /* as persist gave it; 0: none */
    struct bucket commands; /* to persist, and what is asked of the matchmaker */
};
_Static_assert(sizeof(struct session) == 64, "one cache line");

struct session_table {
    struct session *sessions;
    struct channel *channels;
    uint32_t size;
    uint32_t state_counts[SESSION_STATE_COUNT];
    uint32_t waiting_counts[SESSION_ROUTES_MAX]; /* sessions in WAITING, by route */
    struct channel_config channel_config;
    struct block_pool blocks;
};

/* session_table_create makes room for `size` sessions. MARCH_ERR_SYSTEM without memory. */
must_check int session_table_create(struct session_table *table, uint32_t size);
void session_table_destroy(struct session_table *table);

/* session_open starts a session in a free slot, in state WAITING. */
struct session *session_open(struct session_table *table, uint32_t index, uint32_t generation, uint64_t player,
                             uint8_t route);

/* session_open_claiming starts one in state CLAIMING; session_claimed lets it wait for its zone. */
struct session *session_open_claiming(struct session_table *table, uint32_t index, uint32_t generation, uint64_t player);
void session_claimed(struct session_table *table, struct session *session, uint64_t epoch, uint8_t route);

/* session_reroute changes the zone of a session, in any state. */
void session_reroute(struct session_table *table, struct session *session, uint8_t route);

/* session_close ends it, from any state but FREE. */
void session_close(struct session_table *table, struct session *session);

/* session_move is the one place where a state changes; a move that the picture above does not have is a bug. */
void session_move(struct session_table *table, struct session *session, enum session_state state);

/* session_handle is the session's name on the bus: index in the low half, generation in the high half. */
static inline uint32_t session_index(const struct session_table *table, const struct session *session) {
    return (uint32_t)(session - table->sessions);
}

static inline uint64_t session_handle(const struct session_table *table, const struct session *session) {
    return (uint64_t)session->generation << 32 | session_index(table, session);
}

/* session_at returns the session of a slot, NULL when there is none. */
static inline struct session *session_at(const struct session_table *table, uint32_t index) {
    if (index >= table->size || table->sessions[index].state == SESSION_FREE) return NULL;
    return &table->sessions[index];
}

/* session_find returns the session of a handle from the bus, NULL when it is gone. */
static inline struct session *session_find(const struct session_table *table, uint64_t handle) {
    struct session *session = session_at(table, (uint32_t)handle);
    return session && session->generation == handle >> 32 ? session : NULL;
}

static inline struct channel *session_channel(const struct session_table *table, const struct session *session) {
    return &table->channels[session - table->sessions];
}

/* session_take_input copies what a frame brings that no frame brought before into `out`, for the zone. Clients repeat their
 * last inputs in each packet, so a lost packet loses none. MARCH_ERR_EMPTY when nothing is new. */
must_check int session_take_input(const struct session_table *table, struct session *session,
                                  const struct frame_input *frame, struct wire_input *out);

const char *session_state_name(enum session_state state);

#endif
