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
 * The world is simulated by many zones behind several gateways, and neither shows: when another zone takes the player over,
 * what was in view stays, and moves on, until the new zone has shown it. When a gateway is to go it says so, and the library
 * moves to another one while it plays on (MARCH_EVENT_MOVED). While it does so there are two servers: packets go to the one
 * that march_client_server_address names during a call of march_send_fn, and come from both (march_client_is_server).
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
#define MARCH_CLIENT_API   2 /* rises when this header changes incompatibly */

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
    MARCH_REASON_EXPIRED = 6,   /* the token expired before the connection stood */
    MARCH_REASON_TAKEN_OVER = 7 /* the server ended the session: the player came in elsewhere */
};

/* march_rtt_fn is told each round trip: from an input's first sending to the arrival of the first snapshot made with it. */
typedef void (*march_rtt_fn)(void *context, uint64_t rtt_ns);

/* The time between two snapshots. */
struct march_gap {
    uint64_t ns;    /* between their arrivals */
    uint32_t ticks; /* between what they show; as int32_t less than 0 where another zone's clock is behind */
    bool first;     /* of a connection: there is none before it, and no time */
    bool changed;   /* the second began another view: of another zone, of the same after a crash, or in another session */
};

/* march_gap_fn is told of each snapshot taken. */
typedef void (*march_gap_fn)(void *context, const struct march_gap *gap);

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
    march_gap_fn gap; /* as rtt; may be NULL */
    void *gap_context;
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
    uint32_t entities;                /* in view by the newest snapshots; what is kept of a view before is shown beyond */
    uint32_t snapshot_interval_ticks; /* measured; 0: none yet */
    uint64_t stream_changes;          /* times that another view went on; this and the next ones: since create */
    uint64_t gap_max_ns;              /* greatest time between two snapshots; not across march_client_connect */
    uint64_t change_gap_max_ns;       /* the same where the view changed */
    uint32_t change_gap_max_ticks;    /* by the server's ticks */
    uint64_t blinks;                  /* entities that were gone when the view changed, and came back within a second */
    uint64_t moves, moves_failed;     /* to another gateway, as it was asked to */
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
 * servers; and from packet to packet while the client moves to another gateway, so ask it for each. */
struct march_address march_client_server_address(const struct march_client *client);

/* march_client_is_server tells whether packets from there are to be passed to march_client_receive; others must not be. */
bool march_client_is_server(const struct march_client *client, const struct march_address *address);

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
 * between snapshots and on along their course where none came (for 250 ms). When another zone's view begins, what was seen
 * before goes on likewise until it is in that view, for 500 ms at most. The own entity, when there is one, comes first.
 * Returns their number. */
size_t march_client_entities(struct march_client *client, uint64_t now_ns, struct march_entity *out, size_t max);

/* march_client_own fills in the player's own entity as the newest snapshot has it, whatever the view shows by now; false
 * before the first one. May be called from a march_gap_fn. */
bool march_client_own(const struct march_client *client, struct march_entity *out);

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

/* --- things of value: commands, and what the server tells; PROTOCOL.md section 4 says what each verb does --- */

#define MARCH_INVENTORY_MAX     128 /* slots */
#define MARCH_TRADE_MAX         8   /* items on a side */
#define MARCH_CHANGE_MAX        30  /* items added and updated in one message */
#define MARCH_REMOVED_MAX       16
#define MARCH_ROWS_MAX          32 /* members of a guild or rows of a board in one message */
#define MARCH_NAME_SIZE         32 /* bytes of a name with the final zero */
#define MARCH_TEXT_SIZE         201
#define MARCH_COMMAND_TEXT_SIZE 64

enum march_verb {
    MARCH_VERB_INVENTORY = 1,
    MARCH_VERB_MOVE = 2,
    MARCH_VERB_STACK = 3,
    MARCH_VERB_SPLIT = 4,
    MARCH_VERB_USE = 5,
    MARCH_VERB_DROP = 6,
    MARCH_VERB_TRADE_OFFER = 7,
    MARCH_VERB_TRADE_ACCEPT = 8,
    MARCH_VERB_TRADE_CANCEL = 9,
    MARCH_VERB_AUCTION_LIST = 10,
    MARCH_VERB_AUCTION_BID = 11,
    MARCH_VERB_AUCTION_BUY = 12,
    MARCH_VERB_AUCTION_CANCEL = 13,
    MARCH_VERB_GUILD_CREATE = 14,
    MARCH_VERB_GUILD_INVITE = 15,
    MARCH_VERB_GUILD_JOIN = 16,
    MARCH_VERB_GUILD_LEAVE = 17,
    MARCH_VERB_GUILD_KICK = 18,
    MARCH_VERB_GUILD_RANK = 19,
    MARCH_VERB_GUILD_DEPOSIT = 20,
    MARCH_VERB_GUILD_WITHDRAW = 21,
    MARCH_VERB_GUILD_INFO = 22,
    MARCH_VERB_BOARD = 23,
    MARCH_VERB_PROFILE = 24,
    MARCH_VERB_COUNT
};

enum march_status {
    MARCH_STATUS_OK = 0,
    MARCH_STATUS_NOT_FOUND = 1,
    MARCH_STATUS_CONFLICT = 2, /* a version was not the one that holds: look at the inventory again */
    MARCH_STATUS_NOT_ENOUGH = 3,
    MARCH_STATUS_NO_ROOM = 4,
    MARCH_STATUS_FORBIDDEN = 5,
    MARCH_STATUS_INVALID = 6,
    MARCH_STATUS_EXPIRED = 7,
    MARCH_STATUS_UNAVAILABLE = 8, /* this and the next two: not known to be done; repeat it with the same key */
    MARCH_STATUS_BUSY = 9,
    MARCH_STATUS_JOURNAL_FULL = 10,
    MARCH_STATUS_DISABLED = 11,
    MARCH_STATUS_EXISTS = 12,
    MARCH_STATUS_COUNT
};

struct march_item {
    uint64_t id;
    uint32_t kind, count;
    uint32_t version;
    uint16_t slot;
};

struct march_item_ref {
    uint64_t id;
    uint32_t version;
    uint32_t count; /* 0: the whole stack */
};

struct march_command { /* fields that the verb does not name are 0 */
    uint64_t key;      /* names the command; the same when it is repeated. 0: march_client_command draws one */
    uint64_t player;
    uint64_t item, other_item;
    uint64_t object; /* a trade, an auction or a guild */
    uint64_t gold, price;
    uint32_t version, other_version;
    uint32_t count;
    uint32_t duration_s;
    uint16_t slot;
    uint8_t verb; /* enum march_verb */
    uint8_t rank;
    uint8_t give_count, want_count;
    struct march_item_ref give[MARCH_TRADE_MAX], want[MARCH_TRADE_MAX];
    char text[MARCH_COMMAND_TEXT_SIZE];
};

/* What is in the player's inventory, as far as the server has told. */
struct march_inventory {
    bool whole;       /* all of it was told: after a command INVENTORY, which a session does well to begin with */
    uint64_t version; /* rises with each change */
    uint64_t gold;
    uint32_t count;
    struct march_item items[MARCH_INVENTORY_MAX]; /* in no order */
};

/* Kinds are the numbers of the bodies of ServerMessage. */
enum march_event_kind {
    MARCH_EVENT_OTHER = 0, /* of a newer server, or malformed */
    MARCH_EVENT_WELCOME = 1,
    MARCH_EVENT_ZONE = 2,
    MARCH_EVENT_HEARD = 3,
    MARCH_EVENT_DIED = 4,
    MARCH_EVENT_RESPAWNED = 5,
    MARCH_EVENT_RESULT = 6,
    MARCH_EVENT_INVENTORY = 7,
    MARCH_EVENT_TRADE_OFFERED = 8,
    MARCH_EVENT_TRADE_CLOSED = 9,
    MARCH_EVENT_GUILD_INVITED = 10,
    MARCH_EVENT_GUILD = 11,
    MARCH_EVENT_AUCTION = 12,
    MARCH_EVENT_BOARD = 13,
    MARCH_EVENT_PROFILE = 14,
    MARCH_EVENT_PROGRESS = 15,
    MARCH_EVENT_ENDED = 16,
    MARCH_EVENT_RECONNECT = 17, /* the gateway is to go; the library sees to it, nothing has to be done */
    MARCH_EVENT_TICKET = 18,
    MARCH_EVENT_PARTY = 19,
    MARCH_EVENT_MATCH = 20,
    MARCH_EVENT_MOVED = 256 /* of the library itself: a move to another gateway has ended. It has no bytes */
};

struct march_welcome {
    uint64_t entity, player;
    char zone[MARCH_NAME_SIZE];
    uint16_t tick_hz, snapshot_hz, view_radius_m;
    int32_t min_x_m, min_y_m, max_x_m, max_y_m; /* the zone's piece of the world */
};

struct march_heard {
    uint64_t entity, player;
    char text[MARCH_TEXT_SIZE];
};

struct march_result {
    uint64_t key;
    uint64_t object; /* what the command made */
    uint8_t status;  /* enum march_status */
};

struct march_change {
    uint64_t guild; /* 0: of the player's own inventory, which has taken it in; else of this guild's bank */
    uint64_t version, gold;
    bool reset; /* the first part of all of it */
    bool more;  /* the next one goes on */
    uint8_t added_count, updated_count, removed_count;
    struct march_item items[MARCH_CHANGE_MAX]; /* those added, then those updated */
    uint64_t removed[MARCH_REMOVED_MAX];
};

struct march_trade {
    uint64_t trade;
    uint64_t offerer, accepter;
    uint64_t give_gold, want_gold; /* given and wanted by the offerer */
    uint32_t expires_in_s;
    uint8_t give_count, want_count;
    struct march_item give[MARCH_TRADE_MAX], want[MARCH_TRADE_MAX];
};

struct march_trade_closed {
    uint64_t trade;
    uint8_t outcome; /* 1 done, 2 cancelled, 3 expired, 4 failed */
};

struct march_guild_invited {
    uint64_t guild, by;
    char name[MARCH_NAME_SIZE];
};

struct march_member {
    uint64_t player;
    uint8_t rank; /* 0 member, 1 officer, 2 leader */
};

struct march_guild {
    uint64_t guild; /* 0: in none */
    uint64_t version;
    char name[MARCH_NAME_SIZE];
    uint8_t rank; /* the player's own */
    uint32_t members_total, member_first;
    uint32_t member_count;
    struct march_member members[MARCH_ROWS_MAX];
};

struct march_auction {
    uint64_t auction, seller;
    uint64_t min_bid, buyout;
    uint64_t bid, bidder;
    uint32_t ends_in_s;
    uint8_t phase; /* 1 open, 2 sold, 3 expired, 4 cancelled */
    struct march_item item;
};

struct march_board_row {
    uint64_t player, score;
    uint32_t rank;
};

struct march_board {
    char board[MARCH_NAME_SIZE], region[MARCH_NAME_SIZE];
    uint32_t season, total;
    uint32_t row_count;
    struct march_board_row rows[MARCH_ROWS_MAX];
};

struct march_profile {
    uint64_t player, guild, experience;
    char name[MARCH_NAME_SIZE], region[MARCH_NAME_SIZE], guild_name[MARCH_NAME_SIZE];
    uint16_t level;
    bool online;
};

struct march_progress {
    uint64_t experience;
    uint16_t level;
};

struct march_reconnect {
    const uint8_t *token; /* MARCH_TOKEN_BYTES, valid as the message is; NULL: none */
    uint32_t within_ms;   /* the old gateway waits for so long; 0: it does not say */
};

/* Of matches: see below. */

#define MARCH_PARTY_MAX 16
#define MARCH_TEAMS_MAX 8

enum march_ticket_state {
    MARCH_TICKET_NONE = 0, /* there is no ticket, or what was asked was refused: `reason` */
    MARCH_TICKET_WAITING = 1,
    MARCH_TICKET_ASKED = 2, /* say within ready_ms that the player is ready */
    MARCH_TICKET_MATCHED = 3,
    MARCH_TICKET_ENDED = 4, /* without a match: `reason` */
    MARCH_TICKET_STATE_COUNT
};

enum march_ticket_reason {
    MARCH_TICKET_NO_REASON = 0,
    MARCH_TICKET_CANCELLED = 1,
    MARCH_TICKET_TIMED_OUT = 2, /* nobody was found */
    MARCH_TICKET_DECLINED = 3,  /* this and the next: by somebody of the ticket */
    MARCH_TICKET_SILENT = 4,
    MARCH_TICKET_UNKNOWN_MODE = 5,
    MARCH_TICKET_INVALID = 6,
    MARCH_TICKET_EXISTS = 7,       /* a player has a ticket */
    MARCH_TICKET_BUSY = 8,         /* a player is in a match */
    MARCH_TICKET_NOT_LEADER = 9,   /* of the party */
    MARCH_TICKET_UNAVAILABLE = 10, /* not now: ask again after a while */
    MARCH_TICKET_FULL = 11,
    MARCH_TICKET_NOT_FOUND = 12,
    MARCH_TICKET_REASON_COUNT
};

enum march_match_phase { MARCH_MATCH_STARTING = 1, MARCH_MATCH_RUNNING = 2, MARCH_MATCH_OVER = 3 };

struct march_ticket {
    uint64_t ticket;
    char mode[MARCH_NAME_SIZE];
    uint8_t state;  /* enum march_ticket_state */
    uint8_t reason; /* enum march_ticket_reason */
    uint32_t waited_ms, estimate_ms;
    uint32_t position, queued; /* among those who wait for this mode */
    uint32_t window;           /* points of rating that others may be away */
    uint32_t ready_ms;         /* ASKED */
    uint32_t instance, team;   /* MATCHED: where the match is; team is less than MARCH_TEAMS_MAX */
};

struct march_party {
    uint64_t leader;     /* 0: there is no party */
    uint64_t invited_by; /* 0: nobody invites the player */
    uint8_t reason;      /* why what was asked was not done */
    uint32_t member_count;
    uint64_t members[MARCH_PARTY_MAX];
};

struct march_match {
    char template_name[MARCH_NAME_SIZE];
    uint32_t instance;
    uint8_t phase; /* enum march_match_phase */
    uint32_t goal; /* OVER: what ended it, as PROTOCOL.md says */
    uint32_t wave; /* waves that are over */
    uint32_t team; /* the player's, less than MARCH_TEAMS_MAX */
    uint32_t team_count;
    uint32_t scores[MARCH_TEAMS_MAX];
    uint64_t gold; /* OVER: this and the rest are what the player gains */
    uint32_t item_kind, item_count;
    int32_t points; /* its rating from now on; 0 where nothing is rated */
};

struct march_moved {
    bool moved;       /* else it plays on where it was, as long as that lasts */
    bool same_entity; /* the player's entity is the one that it was; else, as in worlds without persist, a new one */
    uint32_t tries;
    uint64_t took_ns; /* since it was asked to; of this, the world stood still for no longer than march_stats has it */
};

struct march_event {
    enum march_event_kind kind;
    const uint8_t *bytes; /* the message; valid until the next call of any function of this client */
    size_t len;
    union {
        struct march_welcome welcome;
        bool zone_back; /* else it is away, and nothing moves */
        struct march_heard heard;
        uint64_t died_by;
        struct march_result result;
        struct march_change change;
        struct march_trade trade;
        struct march_trade_closed trade_closed;
        struct march_guild_invited invited;
        struct march_guild guild;
        struct march_auction auction;
        struct march_board board;
        struct march_profile profile;
        struct march_progress progress;
        uint8_t ended; /* 1 taken over, 2 token used, 3 refused, 4 unavailable */
        struct march_reconnect reconnect;
        struct march_moved moved;
        struct march_ticket ticket;
        struct march_party party;
        struct march_match match;
    };
};

/* march_client_next_event gives the next message, decoded, and keeps the inventory up to date by it. Returns the message's
 * length (1 for an event of the library itself), or MARCH_CLIENT_EMPTY. It and march_client_next_message take from one
 * queue: use one of them, in each frame, since a gateway that is to go says so in a message. After MARCH_EVENT_MOVED what
 * was sent and not answered may be lost: commands may be repeated with their keys. */
int march_client_next_event(struct march_client *client, struct march_event *event);

/* march_client_command asks for something. command->key is drawn where it is 0. The answer is an event RESULT with that key;
 * a command that was answered UNAVAILABLE, BUSY or JOURNAL_FULL, or not at all before the connection ended, may be repeated
 * with its key, and is done at most once. Errors as of march_client_send. */
int march_client_command(struct march_client *client, uint64_t now_ns, struct march_command *command);

/* march_client_inventory returns the player's inventory; valid until the next event is taken. */
const struct march_inventory *march_client_inventory(const struct march_client *client);

/* --- matches ---
 *
 * A player enters the queue of a mode, alone or with a party, and has a ticket until there is a match. Each of these calls
 * is answered by an event TICKET or PARTY, and such events come by themselves whenever something changes. The ticket is the
 * player's: it outlives the session, and another session is told of it when it looks. When a match was found the player is
 * taken to its place, outside of the world's rectangle, and back when it is over: what is in view changes as where another
 * zone takes over, and events MATCH tell how it goes.
 *
 * Errors as of march_client_send. What is not answered within some seconds, or with UNAVAILABLE, is to be asked again. After
 * MARCH_EVENT_MOVED the library has looked for the ticket, where any of this was used before. */

enum march_ticket_verb {
    MARCH_TICKET_LOOK = 0,
    MARCH_TICKET_CANCEL = 1,
    MARCH_TICKET_READY = 2,
    MARCH_TICKET_DECLINE = 3,
    MARCH_TICKET_LEAVE = 4, /* the match, for good */
    MARCH_TICKET_VERB_COUNT
};

enum march_party_verb {
    MARCH_PARTY_LOOK = 0,
    MARCH_PARTY_INVITE = 1, /* `player`; who has no party leads a new one */
    MARCH_PARTY_JOIN = 2,   /* that of `player`, who invited */
    MARCH_PARTY_LEAVE = 3,
    MARCH_PARTY_REMOVE = 4, /* `player`, by the leader */
    MARCH_PARTY_VERB_COUNT
};

#define MARCH_LATENCIES_MAX 8
#define MARCH_AVOID_MAX     4

/* What a player queues for. Names are 1 to 31 bytes. */
struct march_wish {
    const char *mode;
    uint32_t roles; /* a bit for each role of the mode that the player would play; 0: any */
    uint32_t latency_count;
    const struct march_latency {
        const char *region;
        uint16_t ms;
    } * latencies; /* none: all regions are near; else those that are not named are out of reach */
    uint32_t avoid_count;
    const uint64_t *avoid; /* players whom it does not want to play with */
};

/* march_client_enter queues with one's party. Of each region that the player might play in, a wish tells the round trip to
 * its gateways. MARCH_TICKET_INVALID is the answer where there is no such region, or none is near enough for any mode. */
int march_client_enter(struct march_client *client, uint64_t now_ns, const struct march_wish *wish);

/* march_client_ticket looks for the ticket, cancels it, answers whether the player is ready, or leaves the match: that is
 * answered by a TICKET without one, the way home follows, and what the player is rated with is told when the match is over.
 */
int march_client_ticket(struct march_client *client, uint64_t now_ns, enum march_ticket_verb verb);

/* march_client_party does something about a party; `player` is 0 where the verb names none. */
int march_client_party(struct march_client *client, uint64_t now_ns, enum march_party_verb verb, uint64_t player);

/* march_ticket_state_text and march_ticket_reason_text return a static, lower-case text; never NULL. */
const char *march_ticket_state_text(unsigned state);
const char *march_ticket_reason_text(unsigned reason);

/* march_status_text returns a static, lower-case word; march_verb_text, too. Never NULL. */
const char *march_status_text(unsigned status);
const char *march_verb_text(unsigned verb);

/* --- figures --- */

void march_client_stats(const struct march_client *client, struct march_stats *out);

/* march_error_text returns a static, lower-case description of an error; never NULL. */
const char *march_error_text(int error);

#ifdef __cplusplus
}
#endif

#endif
