/* wire_persist.h: the bus messages from and to persist as plain C. wire.h includes this and says what holds for all: how
 * messages are packed and read, who owns the bytes, what a reader has verified.
 *
 * A reader has verified structure, names, and that every offset and len lies in the blob. It has not judged ids, epochs,
 * kinds and results: whoever takes an item judges it alone, so that one bad item does not cost the others of its message.
 *
 *   zone -> persist      wire_zone_report        lease, loads, states, loot: every 200 ms and when there is something to ask
 *   persist -> zone      wire_persist_report     lease, what is durable, loaded players, answered loot, effects of items
 *   gateway -> persist   wire_gateway_claims     sessions claimed, kept, ended; commands of clients
 *   persist -> gateway   wire_persist_sessions   answers to claims, messages to clients, sessions that ended
 *   persist <-> persist  wire_shard_transfers    transfers between shards, notices to players
 *
 * Limits: the *_MAX below are what a sender puts into one message at most, so that it stays below WIRE_BUS_BYTES_MAX; what
 * is left goes into the next.
 */
#ifndef MARCH_SCHEMAS_WIRE_PERSIST_H
#define MARCH_SCHEMAS_WIRE_PERSIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_NAME_MAX             31  /* bytes of a process's, zone's, partition's or region's name */
#define WIRE_PERSIST_OVERHEAD_MAX 256 /* bytes of a packed message beside its arrays and blob */
#define WIRE_REPORT_STATES_MAX    8192
#define WIRE_REPORT_LOADS_MAX     2048
#define WIRE_REPORT_GRANTS_MAX    2048
#define WIRE_REPORT_EFFECTS_MAX   2048
#define WIRE_CLAIMS_MAX           1024
#define WIRE_TRANSFERS_MAX        256
#define WIRE_TRANSFER_PAYLOAD_MAX 2048

struct wire_builder;

struct wire_bytes {
    const uint8_t *data;
    size_t len;
};

struct wire_message { /* blob[offset .. offset + len) is one reliable message of this session */
    uint64_t session;
    uint32_t offset, len;
};

/* --- zone to persist */

enum wire_state_flag { WIRE_STATE_LEFT = 1 /* the player has left the zone, and this is its last state here */ };

struct wire_player_state {
    uint64_t player;
    uint64_t session_epoch;
    uint64_t tick; /* of the zone when this was true */
    uint64_t experience;
    int32_t x, y; /* Q16.16 metres, world coordinates */
    uint16_t yaw; /* 65536 to the turn */
    uint16_t level;
    uint16_t hit_points; /* 0: dead */
    uint16_t flags;      /* enum wire_state_flag */
};

struct wire_player_load {
    uint64_t player;
    uint64_t session_epoch;
};

struct wire_loot_grant {
    uint64_t player;
    uint64_t key; /* entity id of what was killed: a grant that is sent again has the same */
    uint64_t gold;
    uint32_t item_kind; /* 0: none */
    uint32_t item_count;
};

struct wire_zone_report {
    char partition[WIRE_NAME_MAX + 1]; /* the name of its slot, whose lease it claims */
    uint64_t lease_epoch;              /* 0: none yet */
    uint64_t seq;                      /* rises by one with each report to one incarnation of a persist, from 1 */
    bool claims_lease;
    const struct wire_player_load *loads;
    const struct wire_player_state *states;
    const struct wire_loot_grant *grants;
    const uint32_t *attachments; /* of the states, one each; NULL: all 0 */
    uint32_t load_count, state_count, grant_count;
};

/* --- persist to zone */

enum wire_lease_result {
    WIRE_LEASE_NONE = 0, /* nothing said of the lease in this report */
    WIRE_LEASE_HELD = 1,
    WIRE_LEASE_STALE = 2,      /* a newer owner has the slot: nothing of this zone is taken any more */
    WIRE_LEASE_UNAVAILABLE = 3 /* can't be told now; claim again */
};

enum wire_load_result {
    WIRE_LOAD_KNOWN = 0,
    WIRE_LOAD_NEW = 1,        /* never seen before: the zone chooses where it begins */
    WIRE_LOAD_STALE = 2,      /* the session epoch is over */
    WIRE_LOAD_UNAVAILABLE = 3 /* can't be read now; ask again */
};

struct wire_player_loaded {
    struct wire_player_state state; /* unless KNOWN only player and session_epoch */
    uint32_t result;                /* enum wire_load_result */
    uint32_t reserved;
};

enum wire_grant_result {
    WIRE_GRANT_DURABLE = 0, /* the player gets it, whatever falls over */
    WIRE_GRANT_AGAIN = 1,   /* not taken now (the journal is full); send it again */
    WIRE_GRANT_REFUSED = 2  /* never will be */
};

struct wire_grant_answer {
    uint64_t player, key;
    uint32_t result; /* enum wire_grant_result */
    uint32_t reserved;
};

struct wire_player_effect { /* of an item that was used; kinds are those of common/item_kinds.h */
    uint64_t player;
    uint32_t kind, amount;
};

struct wire_persist_report {
    uint64_t lease_epoch;
    uint32_t lease_result; /* enum wire_lease_result */
    uint64_t durable_seq;  /* states of reports up to this one are durable */
    bool resend;           /* some states could not be kept when they came: every state is to be sent again */
    const struct wire_player_loaded *loaded;
    const struct wire_grant_answer *granted;
    const struct wire_player_effect *effects;
    const struct wire_player_load *stale; /* reported under a session epoch that is over, or handed over: let go of */
    const uint32_t *stale_attachments;    /* one each: only simulations under a lower one are meant; NULL: all of them */
    uint32_t loaded_count, granted_count, effect_count, stale_count;
};

/* --- gateway to persist */

struct wire_session_claim {
    uint64_t session, player;
    uint64_t token_lo, token_hi; /* hash of the connect token, which is used up by this claim */
    uint64_t token_expires_s;    /* Unix time */
};

struct wire_session_ref { /* refreshes tell a persist that has started again of all that it knew */
    uint64_t session, player, session_epoch;
};

struct wire_session_command { /* blob[offset .. offset + len) is a packed ClientMessage, not yet verified */
    uint64_t session, player, session_epoch;
    uint32_t offset, len;
};

struct wire_gateway_claims { /* read in the order of its arrays */
    char region[WIRE_NAME_MAX + 1];
    const struct wire_session_claim *claims;
    const struct wire_session_ref *refreshes;
    const struct wire_session_command *commands;
    const struct wire_session_ref *ends;
    const uint8_t *blob;
    uint32_t claim_count, refresh_count, command_count, end_count, blob_len;
};

/* --- persist to gateway */

enum wire_claim_result {
    WIRE_CLAIM_OK = 0,
    WIRE_CLAIM_TOKEN_USED = 1,
    WIRE_CLAIM_UNAVAILABLE = 2, /* can't be decided now; claim again */
    WIRE_CLAIM_REFUSED = 3      /* not a player of this shard, or no player id at all */
};

enum wire_claimed_flag {
    WIRE_CLAIMED_POSITION_KNOWN = 1,
    WIRE_CLAIMED_ZONE_KNOWN = 2 /* a zone has the player: it goes on there, as it is */
};

struct wire_session_claimed {
    uint64_t session, player, session_epoch;
    int32_t x, y;    /* Q16.16 metres, where the player was */
    uint32_t result; /* enum wire_claim_result */
    uint16_t flags;  /* enum wire_claimed_flag */
    uint16_t zone;   /* slot */
};

enum wire_ended_reason {
    WIRE_ENDED_TAKEN_OVER = 1, /* the player began another session */
    WIRE_ENDED_EXPIRED = 2,    /* it was not refreshed in time */
    WIRE_ENDED_OPERATOR = 3
};

struct wire_session_ended {
    uint64_t session, player, session_epoch;
    uint32_t reason; /* enum wire_ended_reason */
    uint32_t reserved;
};

struct wire_persist_sessions { /* read in the order of its arrays; each message is a packed ServerMessage */
    const struct wire_session_claimed *claimed;
    const struct wire_message *messages;
    const struct wire_session_ended *ended;
    const uint8_t *blob;
    uint32_t claimed_count, message_count, ended_count, blob_len;
};

/* --- persist to persist */

struct wire_transfer { /* blob[offset .. offset + len) is what travels */
    uint64_t id;
    uint32_t offset, len;
};

struct wire_transfer_answer {
    uint64_t id;
    uint32_t result; /* a status of a command, as in client.fbs: 0 accepted */
    uint32_t reserved;
};

struct wire_transfer_done { /* the source has forgotten the transfer: it is never offered again */
    uint64_t id;
};

struct wire_notice { /* blob[offset .. offset + len) is a packed ServerMessage for a player of the other shard */
    uint64_t player;
    uint32_t offset, len;
};

struct wire_shard_transfers {
    const struct wire_transfer *offers;
    const struct wire_transfer_answer *answers;
    const struct wire_transfer_done *dones;
    const struct wire_notice *notices;
    const uint8_t *blob;
    uint32_t offer_count, answer_count, done_count, notice_count, blob_len;
};

/* --- packing: as of wire_gateway_batch_pack */

must_check int wire_zone_report_pack(struct wire_builder *builder, const struct wire_zone_report *report,
                                     struct wire_bytes *out);
must_check int wire_persist_report_pack(struct wire_builder *builder, const struct wire_persist_report *report,
                                        struct wire_bytes *out);
must_check int wire_gateway_claims_pack(struct wire_builder *builder, const struct wire_gateway_claims *claims,
                                        struct wire_bytes *out);
must_check int wire_persist_sessions_pack(struct wire_builder *builder, const struct wire_persist_sessions *sessions,
                                          struct wire_bytes *out);
must_check int wire_shard_transfers_pack(struct wire_builder *builder, const struct wire_shard_transfers *transfers,
                                         struct wire_bytes *out);

/* Each returns an upper bound of the packed size; cheap. */

static inline size_t wire_zone_report_bytes(const struct wire_zone_report *r) {
    return WIRE_PERSIST_OVERHEAD_MAX + r->load_count * sizeof *r->loads + r->state_count * sizeof *r->states +
           r->grant_count * sizeof *r->grants + r->state_count * sizeof *r->attachments;
}

static inline size_t wire_persist_report_bytes(const struct wire_persist_report *r) {
    return WIRE_PERSIST_OVERHEAD_MAX + r->loaded_count * sizeof *r->loaded + r->granted_count * sizeof *r->granted +
           r->effect_count * sizeof *r->effects + r->stale_count * (sizeof *r->stale + sizeof *r->stale_attachments);
}

static inline size_t wire_gateway_claims_bytes(const struct wire_gateway_claims *c) {
    return WIRE_PERSIST_OVERHEAD_MAX + c->claim_count * sizeof *c->claims + c->refresh_count * sizeof *c->refreshes +
           c->command_count * sizeof *c->commands + c->end_count * sizeof *c->ends + c->blob_len;
}

static inline size_t wire_persist_sessions_bytes(const struct wire_persist_sessions *s) {
    return WIRE_PERSIST_OVERHEAD_MAX + s->claimed_count * sizeof *s->claimed + s->message_count * sizeof *s->messages +
           s->ended_count * sizeof *s->ended + s->blob_len;
}

static inline size_t wire_shard_transfers_bytes(const struct wire_shard_transfers *t) {
    return WIRE_PERSIST_OVERHEAD_MAX + t->offer_count * sizeof *t->offers + t->answer_count * sizeof *t->answers +
           t->done_count * sizeof *t->dones + t->notice_count * sizeof *t->notices + t->blob_len;
}

#ifdef __cplusplus
}
#endif

#endif
