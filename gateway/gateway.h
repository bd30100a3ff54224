/* gateway.h: everything a gateway's loop works on, and one turn of it.
 *
 *   clients ──UDP──► io ──► netcode ──► upstream ──► route ──bus──► zone
 *   clients ◄──UDP── sender ◄── netcode ◄── downstream ◄── route ◄──bus── zone
 *                                             admission ◄──► keeper ◄──bus──► persist
 *                                      routing, matches ◄──► guide ◄──bus──► matchmaker
 *
 * gateway_turn is the loop's body: named phases, each timed. upstream.c is what packets of clients do, downstream.c what
 * zones and time do, admission.c what persist does, matches.c what the matchmaker says to players, routing.c what the
 * directory means and drain.c what it asks for. One thread; nothing is allocated, locked or waited for between two sleeps.
 *
 * Two lists keep the work of a turn in proportion to what there is to do. `due` holds sessions that are to be sent a packet
 * for a reason other than a snapshot: a ping to answer, a message, an acknowledgement. At most GATEWAY_DUE_PER_TURN are
 * served in a turn, the rest in the next. `active` holds sessions with reliable messages under way, looked at every
 * GATEWAY_ACTIVE_MS for what must be sent again. Each session is in each list at most once, so both are as long as the
 * table.
 *
 * Latency. A snapshot leaves in the turn in which its batch arrived. A ping is answered in the turn in which it came:
 * waiting for a snapshot to carry the answer would save one packet in ten and blur what the client measures. Inputs wait at
 * most until the flush before the next tick.
 */
#ifndef MARCH_GATEWAY_GATEWAY_H
#define MARCH_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "common/histogram.h"
#include "gateway/compass.h"
#include "gateway/drain.h"
#include "gateway/guide.h"
#include "gateway/io.h"
#include "gateway/keeper.h"
#include "gateway/netcode_server.h"
#include "gateway/route.h"
#include "gateway/sender.h"
#include "gateway/session.h"
#include "gateway/transfer.h"

#define GATEWAY_DUE_PER_TURN 512
#define GATEWAY_ACTIVE_MS    5
#define GATEWAY_ATTACH_SCAN  1024            /* slots looked at for sessions to attach, each turn and zone */
#define GATEWAY_ACK_MS       200             /* a client that hears nothing else is acknowledged this often */
#define GATEWAY_STRIKES_MAX  1000            /* malformed session packets after which a client is disconnected */
#define GATEWAY_SLEEP_NS     (5 * NS_PER_MS) /* longest sleep: time-outs and keep-alives need no finer grain */

/* Under load a turn waits a little for more to do: a wake-up costs as much as a datagram. */
#define GATEWAY_BUSY_EVENTS     8 /* in the turn before */
#define GATEWAY_COALESCE_EVENTS 32
#define GATEWAY_COALESCE_NS     (500 * NS_PER_US)

#define GATEWAY_ZONE_MESSAGE_MAX 64 /* bytes of a packed ZoneStatus */

/* Why a session ended. Zones are told whether it was taken over. */
enum session_end {
    SESSION_END_LEFT = 0,
    SESSION_END_TIMED_OUT,
    SESSION_END_MALFORMED, /* too many malformed packets */
    SESSION_END_SLOW,      /* its reliable messages found no room */
    SESSION_END_STALLED,   /* it held blocks for reliable messages without progress */
    SESSION_END_REFUSED,   /* the zone did not take it */
    SESSION_END_ZONE,      /* the zone ended it */
    SESSION_END_SHUTDOWN,
    SESSION_END_TAKEN_OVER, /* the player came in again, here or at another gateway */
    SESSION_END_TOKEN_USED, /* by a session of another gateway */
    SESSION_END_UNCLAIMED,  /* persist did not take the player, or no longer keeps its session */
    SESSION_END_CLAIM_LATE, /* persist did not answer in time */
    SESSION_END_COUNT
};

enum gateway_phase {
    GATEWAY_PHASE_WAIT = 0, /* asleep */
    GATEWAY_PHASE_RECEIVE,  /* datagrams and batches of zones */
    GATEWAY_PHASE_UPDATE,   /* time-outs, keep-alives, connections, transfers */
    GATEWAY_PHASE_ADMIT,    /* players that come, and are kept */
    GATEWAY_PHASE_ATTACH,
    GATEWAY_PHASE_DUE,
    GATEWAY_PHASE_FLUSH,
    GATEWAY_PHASE_COUNT
};

struct gateway_stats {
    uint64_t packets_in;        /* session packets taken */
    uint64_t packets_out;       /* session packets sealed */
    uint64_t packets_malformed; /* not of the session layer */
    uint64_t packets_replayed;  /* sequence seen before */
    uint64_t packets_late;      /* older than the window */
    uint64_t packets_unsealed;  /* written, but the client had not confirmed or was gone */
    uint64_t inputs_stale;      /* nothing new in them */
    uint64_t snapshots_out;
    uint64_t snapshots_unknown;     /* for a session that is gone or not playing */
    uint64_t snapshots_unconfirmed; /* for a client that has sent nothing yet */
    uint64_t snapshots_long;        /* did not fit a packet */
    uint64_t messages_up, messages_down;
    uint64_t returned;         /* messages of clients that followed them to another zone */
    uint64_t returned_dropped; /* their session was gone or waiting, or the batch full */
    uint64_t batches_unheard;  /* of incarnations that the directory does not list */
    uint64_t messages_unknown; /* from a zone, for a session that is gone or not playing */
    uint64_t pings;
    uint64_t attached;
    uint64_t claims, claimed; /* asked of persist; granted */
    uint64_t claims_unknown;  /* answered for a session that had gone */
    uint64_t refreshes, refreshes_missed;
    uint64_t commands;                            /* of clients, for persist */
    uint64_t commands_refused[WIRE_STATUS_COUNT]; /* answered by the gateway itself, by status */
    uint64_t asks;                                /* of clients, for the matchmaker */
    uint64_t asks_refused;                        /* answered by the gateway itself */
    uint64_t tells;                               /* of the matchmaker, to clients */
    uint64_t tells_unknown;                       /* to players without a session here */
    uint64_t ended[SESSION_END_COUNT];
    uint64_t turns;
};

struct gateway_config {
    struct netcode_server_config netcode;
    enum io_back_end io;
    unsigned io_buffers;
    unsigned socket_count;
    int sockets[IO_SOCKETS_MAX]; /* become the gateway's */
    uint32_t tick_hz;
    uint64_t flush_lead_ns; /* before each tick */
    struct wire_hello hello;
    unsigned route_count;                             /* 1 to SESSION_ROUTES_MAX */
    struct bus_edge_config buses[SESSION_ROUTES_MAX]; /* one for each zone */
    unsigned keeper_count;                            /* 0 to CONFIG_PERSISTS_MAX: shards of persist */
    struct bus_edge_config keeper_buses[CONFIG_PERSISTS_MAX];
    char region[WIRE_NAME_MAX + 1];
    struct directory directory; /* to begin with: version 0 where there is a matchmaker to tell */
    bool has_guide;
    struct bus_edge_config guide_bus;
    struct drain_config drain;
};

/* Sessions in the order in which they are to be looked at. */
struct session_queue {
    uint32_t *indices;
    uint32_t head, count, size;
};

struct gateway {
    struct mono now;
    uint64_t wall_ns;
    uint64_t flush_lead_ns;
    struct mono flush_at; /* routes next */
    struct io *io;
    struct netcode_server *netcode;
    struct netcode_sink sink;
    struct netcode_event event;
    struct session_table sessions;
    struct session_queue due, active;
    struct mono active_at; /* next look at the active sessions */
    bool is_busy;          /* the last turn had much to do */
    unsigned route_count;
    struct route *routes[SESSION_ROUTES_MAX];
    struct compass compass;
    uint32_t index; /* of this gateway */
    struct drain drain;
    struct guide *guide; /* NULL without a matchmaker */
    struct transfer_table transfers;
    uint32_t attach_cursors[SESSION_ROUTES_MAX];
    unsigned keeper_count;
    struct keeper *keepers[CONFIG_PERSISTS_MAX];
    struct admission_claim *claims; /* by slot; NULL without persist */
    uint32_t tell_cursors[CONFIG_PERSISTS_MAX];
    uint32_t refresh_cursor;
    struct mono claims_at, refresh_at, keepers_flush_at; /* next */
    unsigned socket_count;
    int sockets[IO_SOCKETS_MAX];
    struct sender *senders[IO_SOCKETS_MAX];
    struct wire_builder *builder;
    uint32_t tick_hz;
    uint8_t zone_lost[GATEWAY_ZONE_MESSAGE_MAX], zone_back[GATEWAY_ZONE_MESSAGE_MAX];
    size_t zone_lost_len, zone_back_len;
    struct gateway_stats stats;
    struct histogram *phases[GATEWAY_PHASE_COUNT]; /* where phases are recorded, each may be NULL */
};

/* gateway_create opens everything; the sockets are the gateway's from then on, also when it fails. Returns the error of what
 * could not be opened, and names it in `error`. */
must_check int gateway_create(struct gateway **out, const struct gateway_config *config, struct mono now, uint64_t wall_ns,
                              char *error, size_t error_size);

/* gateway_destroy tells every client that it is disconnected, flushes and closes. */
void gateway_destroy(struct gateway *gateway);

/* gateway_turn sleeps until there is something to do, at most GATEWAY_SLEEP_NS, and does it. MARCH_ERR_SYSTEM when the
 * kernel refuses to wait, which nothing can mend. */
must_check int gateway_turn(struct gateway *gateway);

/* gateway_routes_up returns how many zones are connected, gateway_keepers_up how many persists. */
unsigned gateway_routes_up(const struct gateway *gateway);
unsigned gateway_keepers_up(const struct gateway *gateway);

/* gateway_has_directory tells whether it is known who has the world. */
bool gateway_has_directory(const struct gateway *gateway);

const char *gateway_phase_name(enum gateway_phase phase);
const char *session_end_name(enum session_end end);

#endif
