/* wire.h: the messages of bus.fbs and client.fbs as plain C. Those from and to persist stand in wire_persist.h, those by
 * which zones are one world in wire_world.h, those of matches in wire_match.h.
 *
 * Packing goes through a `wire_builder`, which owns one buffer, made at creation and never grown: the bytes it hands out are
 * valid until the next pack. A message that would not fit is refused with MARCH_ERR_FULL, so a caller asks
 * wire_gateway_batch_bytes or wire_zone_batch_bytes before it adds more to a batch.
 *
 * Reading verifies everything before it hands anything out: the FlatBuffers structure, lengths of names and texts, UTF-8,
 * and for batches that every offset and len lies in the blob and every input count in its array. So a reader indexes without
 * checks. Batches are read in place: pointers go into the bytes given, which must be 8-aligned and outlive the view.
 * Messages of clients are copied out, and may be at any alignment.
 *
 * The structs of batches are the FlatBuffers structs of bus.fbs byte for byte; `reserved` fields are zero.
 * Limits stand below. A reader refuses what passes them with MARCH_ERR_INVALID; in a pack it is our own bug, and aborts.
 */
#ifndef MARCH_SCHEMAS_WIRE_H
#define MARCH_SCHEMAS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire_match.h"
#include "schemas/wire_persist.h"
#include "schemas/wire_value.h"
#include "schemas/wire_world.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_BUS_BYTES_MAX      (1u << 20) /* a packed BusMessage: a tick of 2,000 snapshots of half a packet */
#define WIRE_BATCH_OVERHEAD_MAX 256        /* bytes of a packed batch beside its arrays and blob */
#define WIRE_CLIENT_BYTES_MAX   1024       /* a packed ServerMessage or ClientMessage: one fragment */
#define WIRE_SERVER_BYTES_MAX   3072       /* a packed ServerMessage with a Reconnect: three fragments */
#define WIRE_TOKEN_BYTES        2048       /* a connect token */
#define WIRE_TEXT_MAX           200        /* bytes of what a player says */
#define WIRE_INPUT_COMMANDS_MAX 8

/* --- bus: gateway to zone */

struct wire_attach { /* Join of bus.fbs */
    uint64_t session, player;
    uint64_t session_epoch; /* of the player's session, as persist gave it; 0 in a cluster without persist */
    uint32_t attachment;    /* 1 for the session's first, one more each time: names the stream of its snapshots */
    uint32_t reserved;
};

/* Why a gateway has a session detached. */
enum wire_detach_reason {
    WIRE_DETACH_LEFT = 0,
    WIRE_DETACH_TAKEN_OVER = 1 /* by a newer session of the player, which is about to attach: it stays till then */
};

struct wire_detach {
    uint64_t session;
    uint32_t reason; /* to a zone: enum wire_detach_reason; of a zone: enum sim_detach_reason of sim.h */
    uint32_t reserved;
};

struct wire_input {
    uint64_t session;
    uint32_t view_tick;
    uint16_t newest_seq;
    uint8_t count; /* 1 to 8; commands[0] is the newest */
    uint8_t reserved;
    struct wire_input_command commands[WIRE_INPUT_COMMANDS_MAX];
};

struct wire_ack {
    uint64_t session;
    uint16_t snapshot_seq;
    uint16_t reserved0;
    uint32_t reserved1;
};

/* A batch is read in the order of its arrays. An array with count 0 may be NULL. */
struct wire_gateway_batch {
    const struct wire_attach *attaches;
    const struct wire_carried *activates; /* players that another zone has let go of */
    const struct wire_routed *routed;
    const struct wire_detach *detaches;
    const struct wire_input *inputs;
    const struct wire_ack *acks;
    const struct wire_message *messages;
    const uint8_t *blob;
    uint32_t attach_count, activate_count, routed_count, detach_count, input_count, ack_count, message_count, blob_len;
};

/* --- bus: zone to gateway */

enum wire_attach_result {
    WIRE_ATTACHED = 0,
    WIRE_ATTACH_FULL = 1, /* the zone has no room */
    WIRE_ATTACH_BAD_SESSION = 2,
    WIRE_ATTACH_UNAVAILABLE = 3, /* what the player has can't be told now: attach again */
    WIRE_ATTACH_STALE = 4,       /* the player has a newer session */
    WIRE_ATTACH_ELSEWHERE = 5,   /* another zone has the player: attach there */
    WIRE_ATTACH_COUNT = 6
};

struct wire_attached {
    uint64_t session;
    uint64_t entity;
    uint32_t result; /* enum wire_attach_result */
    uint32_t zone;   /* slot, of WIRE_ATTACH_ELSEWHERE */
};

struct wire_snapshot {
    uint64_t session;
    uint32_t offset;
    uint16_t len;
    uint16_t snapshot_seq;
};

/* Read in the order of its arrays, as that of a gateway. */
struct wire_zone_batch {
    uint64_t tick;
    const struct wire_attached *attached;
    const struct wire_activated *activated;
    const struct wire_message *messages;
    const struct wire_snapshot *snapshots;
    const struct wire_message
        *returned; /* of clients, for players that are frozen or gone: for the zone that has them now */
    const struct wire_carried *reroutes; /* players that this zone has frozen, for the zone `target` */
    const struct wire_routed *forgotten; /* DONE was read: nothing is returned any more */
    const struct wire_detach *detached;
    const uint8_t *blob;
    uint32_t attached_count, activated_count, message_count, snapshot_count, returned_count, reroute_count, forgotten_count,
        detached_count, blob_len;
};

/* --- bus: both ways */

enum wire_role { WIRE_ROLE_GATEWAY = 1, WIRE_ROLE_ZONE = 2, WIRE_ROLE_PERSIST = 3, WIRE_ROLE_MATCHMAKER = 4 };

struct wire_hello {
    char name[WIRE_NAME_MAX + 1];
    enum wire_role role;
    uint64_t incarnation;  /* random at each start of a process, never 0 */
    uint32_t index;        /* of the process among its kind; a persist's shard */
    uint32_t tick_hz;      /* 0 but from a zone */
    struct wire_rect rect; /* all 0 but from a zone */
    uint32_t shard_count;  /* 0 but from a persist, whose index is below it */
};

enum wire_bus_kind {
    WIRE_BUS_HELLO = 1,
    WIRE_BUS_GATEWAY_BATCH = 2,
    WIRE_BUS_ZONE_BATCH = 3,
    WIRE_BUS_ZONE_REPORT = 4,
    WIRE_BUS_PERSIST_REPORT = 5,
    WIRE_BUS_GATEWAY_CLAIMS = 6,
    WIRE_BUS_PERSIST_SESSIONS = 7,
    WIRE_BUS_SHARD_TRANSFERS = 8,
    WIRE_BUS_DIRECTORY = 9,
    WIRE_BUS_WORKER_REPORT = 10,
    WIRE_BUS_GATEWAY_REPORT = 11,
    WIRE_BUS_FENCES = 12,
    WIRE_BUS_FENCES_DONE = 13,
    WIRE_BUS_PEER_BATCH = 14,
    WIRE_BUS_MATCH_ASK = 15,
    WIRE_BUS_MATCH_TOLD = 16,
    WIRE_BUS_INSTANCE_ORDERS = 17,
    WIRE_BUS_INSTANCE_REPORT = 18,
    WIRE_BUS_GATEWAY_ASKS = 19,
    WIRE_BUS_GATEWAY_TELLS = 20
};

struct wire_bus_view {
    enum wire_bus_kind kind;
    union {
        struct wire_hello hello;
        struct wire_gateway_batch gateway;
        struct wire_zone_batch zone;
        struct wire_zone_report zone_report;
        struct wire_persist_report persist_report;
        struct wire_gateway_claims gateway_claims;
        struct wire_persist_sessions persist_sessions;
        struct wire_shard_transfers shard_transfers;
        struct wire_directory directory;
        struct wire_worker_report worker_report;
        struct wire_gateway_report gateway_report;
        struct wire_fences fences; /* also of FENCES_DONE */
        struct wire_peer_batch peer;
        struct wire_match_ask match_ask;
        struct wire_match_told match_told;
        struct wire_instance_orders instance_orders;
        struct wire_instance_report instance_report;
        struct wire_gateway_asks gateway_asks;
        struct wire_gateway_tells gateway_tells;
    };
};

/* --- client messages */

enum wire_zone_state { WIRE_ZONE_LOST = 1, WIRE_ZONE_BACK = 2 };

enum wire_server_kind {
    WIRE_SERVER_WELCOME = 1,
    WIRE_SERVER_ZONE_STATUS = 2,
    WIRE_SERVER_HEARD = 3,
    WIRE_SERVER_DIED = 4,
    WIRE_SERVER_RESPAWNED = 5,
    WIRE_SERVER_COMMAND_RESULT = 6, /* this and the rest are those of wire_value.h */
    WIRE_SERVER_INVENTORY_DIFF = 7,
    WIRE_SERVER_TRADE_OFFERED = 8,
    WIRE_SERVER_TRADE_CLOSED = 9,
    WIRE_SERVER_GUILD_INVITED = 10,
    WIRE_SERVER_GUILD_STATE = 11,
    WIRE_SERVER_AUCTION_STATE = 12,
    WIRE_SERVER_BOARD_ROWS = 13,
    WIRE_SERVER_PROFILE = 14,
    WIRE_SERVER_PROGRESS = 15,
    WIRE_SERVER_ENDED = 16,
    WIRE_SERVER_RECONNECT = 17,
    WIRE_SERVER_TICKET = 18, /* this and the rest are those of wire_match.h */
    WIRE_SERVER_PARTY = 19,
    WIRE_SERVER_MATCH = 20
};

struct wire_welcome {
    uint64_t entity, player;
    char zone[WIRE_NAME_MAX + 1];
    uint16_t tick_hz, snapshot_hz, view_radius_m;
    struct wire_rect rect;
};

struct wire_heard {
    uint64_t entity, player;
    char text[WIRE_TEXT_MAX + 1]; /* utf8_text_valid (common/utf8.h), 1 to WIRE_TEXT_MAX bytes */
};

struct wire_reconnect {
    uint32_t within_ms; /* 0: it is not said */
    uint8_t token[WIRE_TOKEN_BYTES];
};

struct wire_server_message {
    enum wire_server_kind kind;
    union {
        struct wire_welcome welcome;
        enum wire_zone_state zone_state;
        struct wire_heard heard;
        uint64_t died_by; /* entity; 0: nobody */
        struct wire_command_result result;
        struct wire_inventory_diff inventory;
        struct wire_trade_offered trade_offered;
        struct wire_trade_closed trade_closed;
        struct wire_guild_invited guild_invited;
        struct wire_guild_state guild;
        struct wire_auction_state auction;
        struct wire_board_rows board;
        struct wire_profile profile;
        struct wire_progress progress;
        enum wire_end_reason ended;
        struct wire_reconnect reconnect;
        struct wire_ticket_state_message ticket;
        struct wire_party_state party;
        struct wire_match_state match;
    };
};

enum wire_client_kind {
    WIRE_CLIENT_SAY = 1,
    WIRE_CLIENT_VIEWPORT = 2,
    WIRE_CLIENT_RESPAWN = 3,
    WIRE_CLIENT_COMMAND = 4,
    WIRE_CLIENT_ENTER = 5, /* this and the rest are those of wire_match.h, for the matchmaker */
    WIRE_CLIENT_TICKET = 6,
    WIRE_CLIENT_PARTY = 7
};

struct wire_client_message {
    enum wire_client_kind kind;
    union {
        char say[WIRE_TEXT_MAX + 1]; /* as heard.text */
        uint16_t viewport_radius_m;
        struct wire_command command;
        struct wire_queue_enter enter;
        enum wire_ticket_verb ticket;
        struct wire_party_ask party;
    };
};

/* --- packing */

/* wire_builder_create returns a builder for messages of up to `bytes_max` packed bytes, at most WIRE_BUS_BYTES_MAX. Pages
 * that are never used cost no memory. */
struct wire_builder *wire_builder_create(size_t bytes_max);
void wire_builder_destroy(struct wire_builder *builder);

/* Each pack returns 0 and the bytes, or MARCH_ERR_FULL where they would not fit; of the messages of clients only Reconnect
 * needs a builder for more than WIRE_CLIENT_BYTES_MAX. The bytes are 8-aligned, and valid until
 * the builder's next pack. */
must_check int wire_hello_pack(struct wire_builder *builder, const struct wire_hello *hello, struct wire_bytes *out);
must_check int wire_gateway_batch_pack(struct wire_builder *builder, const struct wire_gateway_batch *batch,
                                       struct wire_bytes *out);
must_check int wire_zone_batch_pack(struct wire_builder *builder, const struct wire_zone_batch *batch,
                                    struct wire_bytes *out);
must_check int wire_server_message_pack(struct wire_builder *builder, const struct wire_server_message *message,
                                        struct wire_bytes *out);
must_check int wire_client_message_pack(struct wire_builder *builder, const struct wire_client_message *message,
                                        struct wire_bytes *out);

/* wire_gateway_batch_bytes and wire_zone_batch_bytes return an upper bound of the packed size; cheap. */
static inline size_t wire_gateway_batch_bytes(const struct wire_gateway_batch *b) {
    return WIRE_BATCH_OVERHEAD_MAX + b->attach_count * sizeof *b->attaches + b->activate_count * sizeof *b->activates +
           b->routed_count * sizeof *b->routed + b->detach_count * sizeof *b->detaches + b->input_count * sizeof *b->inputs +
           b->ack_count * sizeof *b->acks + b->message_count * sizeof *b->messages + b->blob_len;
}

static inline size_t wire_zone_batch_bytes(const struct wire_zone_batch *b) {
    return WIRE_BATCH_OVERHEAD_MAX + b->attached_count * sizeof *b->attached + b->snapshot_count * sizeof *b->snapshots +
           b->message_count * sizeof *b->messages + b->detached_count * sizeof *b->detached +
           b->activated_count * sizeof *b->activated + b->reroute_count * sizeof *b->reroutes +
           b->returned_count * sizeof *b->returned + b->forgotten_count * sizeof *b->forgotten + b->blob_len;
}

/* --- reading */

/* wire_bus_open verifies a BusMessage and fills a view whose pointers go into `bytes`. Returns MARCH_ERR_INVALID for
 * malformed or misaligned bytes, MARCH_ERR_UNSUPPORTED for a kind of message that this build does not know. */
must_check int wire_bus_open(const uint8_t *bytes, size_t len, struct wire_bus_view *view);

/* wire_server_message_read and wire_client_message_read verify a message and copy it out. Errors as of wire_bus_open. */
must_check int wire_server_message_read(const uint8_t *bytes, size_t len, struct wire_server_message *message);
must_check int wire_client_message_read(const uint8_t *bytes, size_t len, struct wire_client_message *message);

/* wire_client_message_match_kind returns 0 and the kind of a message that is well-formed and for the matchmaker;
 * MARCH_ERR_NOT_FOUND for any other. */
must_check int wire_client_message_match_kind(const uint8_t *bytes, size_t len, enum wire_client_kind *kind);

/* wire_client_message_command_key returns 0 and the key of a message that is a well-formed Command;
 * wire_server_message_result_key those of a CommandResult. MARCH_ERR_NOT_FOUND for any other message, well-formed or not. */
must_check int wire_client_message_command_key(const uint8_t *bytes, size_t len, uint64_t *key);
must_check int wire_server_message_result_key(const uint8_t *bytes, size_t len, uint64_t *key);

#ifdef __cplusplus
}
#endif

#endif
