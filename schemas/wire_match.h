/* wire_match.h: the bus messages of matches and instances as plain C. wire.h includes this and says what holds for all: how
 * messages are packed and read, who owns the bytes, what a reader has verified.
 *
 *   matchmaker -> persist   wire_match_ask           documents to keep, ratings to look up, players to settle, boards
 *   persist -> matchmaker   wire_match_told          what is durable, and the answers
 *   matchmaker -> zone      wire_instance_orders     instances that it is to run, players that are to travel to some
 *   zone -> matchmaker      wire_instance_report     how its instances are, and who is in them: whole, each time
 *   gateway -> matchmaker   wire_gateway_asks        what players in the world want of the matchmaker
 *   matchmaker -> gateway   wire_gateway_tells       messages to players, wherever they are
 *
 * A *document* is a few bytes that the matchmaker finds again after a restart: a ticket, a party, an instance, a result. Its
 * first shard keeps them all, so that what belongs together is kept, or erased, in one transaction.
 *
 * A reader has verified structure, names, that counts are within the *_MAX below, that every offset and len, and every
 * range of waves, spots, boxes or members, lies in what it points into, that teams of players are below WIRE_TEAMS_MAX, and
 * that ratings are numbers. What a range is of is never NULL. It has not judged ids, kinds, states and results. Waves,
 * spots, members and players that are present have no limit but that of a message.
 */
#ifndef MARCH_SCHEMAS_WIRE_MATCH_H
#define MARCH_SCHEMAS_WIRE_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire_persist.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_MATCH_OVERHEAD_MAX   1024 /* bytes of a packed message beside its arrays and blob */
#define WIRE_MATCH_ITEMS_MAX      2048 /* of each kind in one message */
#define WIRE_MATCH_BLOB_MAX       (256 * 1024)
#define WIRE_DOCUMENT_BYTES_MAX   8192
#define WIRE_MODE_NAME_MAX        31
#define WIRE_TEAMS_MAX            8
#define WIRE_INSTANCES_MAX        1024 /* in one message */
#define WIRE_INSTANCE_WAVES_MAX   16   /* of one instance */
#define WIRE_INSTANCE_SPOTS_MAX   32
#define WIRE_INSTANCE_BOXES_MAX   64
#define WIRE_INSTANCE_PLAYERS_MAX 128
#define WIRE_BOARD_PAGE_MAX       100
#define WIRE_PARTY_MEMBERS_MAX    16
#define WIRE_ENTER_LATENCIES_MAX  8
#define WIRE_ENTER_AVOID_MAX      4

/* --- matchmaker to persist */

enum wire_document_kind {
    WIRE_DOCUMENT_TICKET = 1,
    WIRE_DOCUMENT_PARTY = 2,
    WIRE_DOCUMENT_INSTANCE = 3, /* or what is left of one, beyond the keys of 32 bits */
    WIRE_DOCUMENT_RESULT = 4    /* kept for a month, and never recalled: it is read by its key */
};

/* NEW: nobody was ever told of this key, over no connection. So if it is erased soon, no database need hear of it. */
enum wire_document_flag { WIRE_DOCUMENT_NEW = 1 };

struct wire_document { /* blob[offset .. offset + len) is what is kept; len 0: it is erased, or there is none */
    uint64_t key;
    uint64_t version; /* rises; an older one never replaces a newer */
    uint32_t kind;    /* enum wire_document_kind */
    uint32_t offset, len;
    uint32_t flags; /* enum wire_document_flag */
};

struct wire_rating_lookup { /* asked of the player's shard */
    uint64_t player;
    char mode[WIRE_MODE_NAME_MAX + 1];
};

/* What a player has of a match; done once, however often it is asked. Told to the player's shard. */
enum wire_settle_flag { WIRE_SETTLE_RATED = 1 /* mu and sigma are its rating from now on */ };

struct wire_settle {
    uint64_t match; /* with the player it is the key */
    uint64_t player;
    double mu, sigma;
    uint64_t gold;
    uint32_t item_kind, item_count; /* 0: none */
    uint32_t season;
    int32_t points;  /* for the mode's leaderboard, as rating_points_proven says */
    uint16_t flags;  /* enum wire_settle_flag */
    uint16_t is_won; /* 0 or 1 */
    uint32_t reserved;
    char mode[WIRE_MODE_NAME_MAX + 1]; /* "": of no mode, nothing is rated */
};

struct wire_page_ask { /* the best of a mode, of this shard's players */
    uint64_t request;
    uint32_t season, count; /* 1 to WIRE_BOARD_PAGE_MAX */
    char mode[WIRE_MODE_NAME_MAX + 1];
};

struct wire_match_ask {                    /* read in the order of its arrays */
    uint64_t seq;                          /* of this message over this connection, from 1 */
    bool recalls;                          /* all documents but results, once, before anything of this message */
    const struct wire_document *documents; /* one transaction */
    const struct wire_document *reads;     /* kind and key of documents that are wanted */
    const struct wire_rating_lookup *lookups;
    const struct wire_settle *settles;
    const struct wire_page_ask *pages;
    const uint8_t *blob;
    uint32_t document_count, read_count, lookup_count, settle_count, page_count, blob_len;
};

/* --- persist to matchmaker */

enum wire_match_result {
    WIRE_MATCH_OK = 0,
    WIRE_MATCH_UNAVAILABLE = 1, /* can't be told now: ask again */
    WIRE_MATCH_REFUSED = 2      /* never will be: no player of this shard, no such item */
};

struct wire_rating {
    uint64_t player;
    double mu, sigma;     /* 0 and 0: it has none in this mode yet */
    uint64_t rated_at_s;  /* Unix time of the last result */
    uint32_t season;      /* of the last result */
    uint32_t played, won; /* in that season */
    uint32_t result;      /* enum wire_match_result */
    char mode[WIRE_MODE_NAME_MAX + 1];
};

struct wire_settled {
    uint64_t match, player;
    uint32_t result; /* enum wire_match_result */
    uint32_t reserved;
};

struct wire_page_row {
    uint64_t request, player;
    int64_t points;
    uint32_t played, won;
    char name[WIRE_NAME_MAX + 1]; /* "" for none */
};

struct wire_page_end {
    uint64_t request;
    uint32_t result; /* enum wire_match_result */
    uint32_t reserved;
};

struct wire_match_told {
    uint64_t durable_seq;                  /* documents of all asks up to this one are durable */
    bool is_recalled;                      /* all that was to be recalled has been told, in this message or before */
    const struct wire_document *documents; /* recalled; one of key 0 tells a version alone, that of what was erased last */
    const struct wire_document *reads;     /* that were asked for; len 0: there is none */
    const struct wire_rating *ratings;
    const struct wire_settled *settled;
    const struct wire_page_row *rows; /* best first */
    const struct wire_page_end *ends; /* of pages whose rows have all been told */
    const uint8_t *blob;
    uint32_t document_count, read_count, rating_count, settled_count, row_count, end_count, blob_len;
};

/* --- matchmaker to zone */

enum wire_instance_state {
    WIRE_INSTANCE_RUN = 1,
    WIRE_INSTANCE_END = 2 /* everybody in it goes home, and it is forgotten */
};

/* What ends an instance, besides the order to end it. */
enum wire_instance_goal {
    WIRE_GOAL_CLEARED = 1,   /* all waves are dead */
    WIRE_GOAL_KILLS = 2,     /* a team has killed so many players of others */
    WIRE_GOAL_LAST_TEAM = 4, /* one team alone has somebody who lives or may rise */
    WIRE_GOAL_LOST = 8,      /* nobody lives or may rise */
    WIRE_GOAL_EMPTY = 16     /* nobody has been in it for empty_ms */
};

struct wire_instance_wave {
    uint32_t creatures;
    uint32_t after_ms; /* since the wave before was dead, or began where `overlaps` */
    uint16_t overlaps; /* 1: it does not wait for the end of the one before */
    uint16_t health_percent, damage_percent;
    uint16_t reserved;
};

/* A place of an instance, from its least corner. Teams come in at those of their number; creatures stand at those of team
 * 0xffff, in turn; anywhere where there is none. */
struct wire_instance_spot {
    uint16_t x_m, y_m, radius_m, team;
};

/* A solid box in an instance's room, metres from its least corner; the far sides are not part of it. */
struct wire_instance_box {
    uint16_t x_min_m, y_min_m, x_max_m, y_max_m;
};

struct wire_instance_member {
    uint64_t player;
    uint32_t team; /* from 0 */
    uint32_t reserved;
};

struct wire_instance_order {
    uint64_t seed;
    uint64_t ends_at_ms; /* Unix time; 0: it has no limit */
    uint32_t id;         /* from 1, never used again */
    uint32_t block;      /* id of the partition, */
    uint32_t cell;       /* and which part of it */
    uint32_t state;      /* enum wire_instance_state */
    uint32_t version;    /* rises with each change of what is ordered */
    uint32_t side_m;     /* walls are so far from the cell's least corner */
    uint32_t goals;      /* of enum wire_instance_goal */
    uint32_t kills;      /* of GOAL_KILLS */
    uint32_t lives;      /* of a player; 0: no end of them */
    uint32_t rise_ms;    /* how long one is dead */
    uint32_t empty_ms;
    uint32_t team_count;
    uint32_t wave;                   /* to begin with: those before are over */
    uint32_t scores[WIRE_TEAMS_MAX]; /* to begin with */
    uint32_t first_wave, wave_count; /* in the arrays of the message */
    uint32_t first_spot, spot_count;
    uint32_t first_box, box_count;
    uint32_t first_member, member_count;
    uint32_t run; /* how often it was begun again: what is left of one before is nothing to this one */
};

/* A player is to go to an instance, wherever it is now; a zone that simulates it has it go. Told to all zones, again and
 * again, until the player is there. Who is in an instance already is left where it is. */
struct wire_travel {
    uint64_t player;
    int32_t x, y; /* Q16.16 metres */
    uint32_t instance;
    uint32_t team;
};

struct wire_instance_orders {
    bool is_complete; /* all that runs in the zone's blocks was told over this connection, in this message or before */
    const struct wire_instance_order *instances;
    const struct wire_instance_wave *waves;
    const struct wire_instance_spot *spots;
    const struct wire_instance_box *boxes;
    const struct wire_instance_member *members;
    const struct wire_travel *travels;
    uint32_t instance_count, wave_count, spot_count, box_count, member_count, travel_count;
};

/* --- zone to matchmaker */

enum wire_instance_phase {
    WIRE_PHASE_RUNNING = 1,
    WIRE_PHASE_OVER = 2,    /* by `goal`, 0: by time */
    WIRE_PHASE_REFUSED = 3, /* no room for it, or it makes no sense */
    WIRE_PHASE_ENDED = 4    /* as ordered: nobody is in it any more. Told until the order is not told any more */
};

struct wire_instance_status {
    uint64_t lasted_ms;
    uint32_t id;
    uint32_t version;            /* of the newest order that was taken */
    uint32_t phase;              /* enum wire_instance_phase */
    uint32_t goal;               /* OVER: which one */
    uint32_t wave;               /* waves that are over */
    uint32_t creatures, players; /* that live; that are there */
    uint32_t scores[WIRE_TEAMS_MAX];
    uint32_t slowed; /* its creatures think in one of so many of their turns, for they take too long; 1: in each */
};

enum wire_presence_flag { WIRE_PRESENCE_DEAD = 1, WIRE_PRESENCE_OUT = 2 /* has no life left */ };

struct wire_presence {
    uint64_t player;
    uint32_t instance;
    uint16_t kills, deaths;
    uint16_t flags; /* enum wire_presence_flag */
    uint16_t team;
    uint32_t reserved;
};

struct wire_instance_report {
    const struct wire_instance_status *instances;
    const struct wire_presence *players; /* who is simulated here, in any instance */
    uint32_t instance_count, player_count;
};

/* --- gateway and matchmaker */

struct wire_player_ask { /* blob[offset .. offset + len) is a packed ClientMessage, not yet verified */
    uint64_t session, player, session_epoch;
    uint32_t offset, len;
};

struct wire_gateway_asks {
    const struct wire_player_ask *asks;
    const uint8_t *blob;
    uint32_t ask_count, blob_len;
};

struct wire_player_tell { /* blob[offset .. offset + len) is a packed ServerMessage */
    uint64_t player;      /* a gateway without a session of it drops this */
    uint32_t offset, len;
};

struct wire_gateway_tells {
    const struct wire_player_tell *tells;
    const uint8_t *blob;
    uint32_t tell_count, blob_len;
};

/* --- messages of and to clients, about matches */

/* Enter queues for a mode with one's party. */
struct wire_queue_enter {
    char mode[WIRE_MODE_NAME_MAX + 1];
    uint32_t roles; /* by bit of the mode's; 0: any */
    uint32_t latency_count, avoid_count;
    struct wire_latency {
        char region[WIRE_NAME_MAX + 1];
        uint16_t ms;
    } latencies[WIRE_ENTER_LATENCIES_MAX]; /* none: all regions are near; those not named are out of reach */
    uint64_t avoid[WIRE_ENTER_AVOID_MAX];
};

enum wire_ticket_verb {
    WIRE_TICKET_LOOK = 0,
    WIRE_TICKET_CANCEL = 1,
    WIRE_TICKET_READY = 2,
    WIRE_TICKET_DECLINE = 3,
    WIRE_TICKET_LEAVE = 4, /* the match, for good */
    WIRE_TICKET_VERB_COUNT
};

enum wire_party_verb {
    WIRE_PARTY_LOOK = 0,
    WIRE_PARTY_INVITE = 1, /* `player`; who has no party leads a new one */
    WIRE_PARTY_JOIN = 2,   /* that of `player`, who invited */
    WIRE_PARTY_LEAVE = 3,
    WIRE_PARTY_REMOVE = 4, /* `player`, by the leader */
    WIRE_PARTY_VERB_COUNT
};

struct wire_party_ask {
    enum wire_party_verb verb;
    uint64_t player;
};

enum wire_ticket_state {
    WIRE_TICKET_NONE = 0, /* there is no ticket, or the request was refused: `reason` */
    WIRE_TICKET_WAITING = 1,
    WIRE_TICKET_ASKED = 2,   /* say whether you are ready */
    WIRE_TICKET_MATCHED = 3, /* `instance` is where the match is */
    WIRE_TICKET_ENDED = 4,   /* without a match: `reason` */
    WIRE_TICKET_STATE_COUNT
};

enum wire_ticket_reason {
    WIRE_REASON_NONE = 0,
    WIRE_REASON_CANCELLED = 1,
    WIRE_REASON_TIMED_OUT = 2,
    WIRE_REASON_DECLINED = 3,
    WIRE_REASON_SILENT = 4,
    WIRE_REASON_UNKNOWN_MODE = 5,
    WIRE_REASON_INVALID = 6,      /* beyond the mode's limits */
    WIRE_REASON_EXISTS = 7,       /* a player has a ticket */
    WIRE_REASON_BUSY = 8,         /* a player is in an instance */
    WIRE_REASON_NOT_LEADER = 9,   /* of the party */
    WIRE_REASON_UNAVAILABLE = 10, /* not now: ask again */
    WIRE_REASON_FULL = 11,
    WIRE_REASON_NOT_FOUND = 12,
    WIRE_REASON_COUNT
};

struct wire_ticket_state_message {
    uint64_t ticket;
    char mode[WIRE_MODE_NAME_MAX + 1];
    enum wire_ticket_state state;
    enum wire_ticket_reason reason;
    uint32_t waited_ms, estimate_ms, position, queued, window;
    uint32_t ready_ms; /* ASKED: within so long */
    uint32_t instance; /* MATCHED */
    uint32_t team;
};

struct wire_party_state {
    uint64_t leader;                /* 0: there is no party */
    uint64_t invited_by;            /* who invites this player to his own; 0: nobody */
    enum wire_ticket_reason reason; /* why what was asked was not done */
    uint32_t member_count;
    uint64_t members[WIRE_PARTY_MEMBERS_MAX];
};

enum wire_match_phase { WIRE_MATCH_STARTING = 1, WIRE_MATCH_RUNNING = 2, WIRE_MATCH_OVER = 3, WIRE_MATCH_PHASE_COUNT };

struct wire_match_state {
    char template_name[WIRE_MODE_NAME_MAX + 1];
    uint32_t instance;
    enum wire_match_phase phase;
    uint32_t goal, wave, team, team_count;
    uint32_t scores[WIRE_TEAMS_MAX];
    uint64_t gold; /* OVER: what this player gains */
    uint32_t item_kind, item_count;
    int32_t points; /* OVER: the rating from now on; 0 where nothing is rated */
};

/* --- packing: as of wire_gateway_batch_pack */

must_check int wire_match_ask_pack(struct wire_builder *builder, const struct wire_match_ask *ask, struct wire_bytes *out);
must_check int wire_match_told_pack(struct wire_builder *builder, const struct wire_match_told *told,
                                    struct wire_bytes *out);
must_check int wire_instance_orders_pack(struct wire_builder *builder, const struct wire_instance_orders *orders,
                                         struct wire_bytes *out);
must_check int wire_instance_report_pack(struct wire_builder *builder, const struct wire_instance_report *report,
                                         struct wire_bytes *out);
must_check int wire_gateway_asks_pack(struct wire_builder *builder, const struct wire_gateway_asks *asks,
                                      struct wire_bytes *out);
must_check int wire_gateway_tells_pack(struct wire_builder *builder, const struct wire_gateway_tells *tells,
                                       struct wire_bytes *out);

/* Each returns an upper bound of the packed size; cheap. */

static inline size_t wire_match_ask_bytes(const struct wire_match_ask *a) {
    return WIRE_MATCH_OVERHEAD_MAX + a->document_count * sizeof *a->documents + a->read_count * sizeof *a->reads +
           a->lookup_count * sizeof *a->lookups + a->settle_count * sizeof *a->settles + a->page_count * sizeof *a->pages +
           a->blob_len;
}

static inline size_t wire_match_told_bytes(const struct wire_match_told *t) {
    return WIRE_MATCH_OVERHEAD_MAX + t->document_count * sizeof *t->documents + t->read_count * sizeof *t->reads +
           t->rating_count * sizeof *t->ratings + t->settled_count * sizeof *t->settled + t->row_count * sizeof *t->rows +
           t->end_count * sizeof *t->ends + t->blob_len;
}

static inline size_t wire_instance_orders_bytes(const struct wire_instance_orders *o) {
    return WIRE_MATCH_OVERHEAD_MAX + o->instance_count * sizeof *o->instances + o->wave_count * sizeof *o->waves +
           o->spot_count * sizeof *o->spots + o->box_count * sizeof *o->boxes + o->member_count * sizeof *o->members +
           o->travel_count * sizeof *o->travels;
}

static inline size_t wire_instance_report_bytes(const struct wire_instance_report *r) {
    return WIRE_MATCH_OVERHEAD_MAX + r->instance_count * sizeof *r->instances + r->player_count * sizeof *r->players;
}

static inline size_t wire_gateway_asks_bytes(const struct wire_gateway_asks *a) {
    return WIRE_MATCH_OVERHEAD_MAX + a->ask_count * sizeof *a->asks + a->blob_len;
}

static inline size_t wire_gateway_tells_bytes(const struct wire_gateway_tells *t) {
    return WIRE_MATCH_OVERHEAD_MAX + t->tell_count * sizeof *t->tells + t->blob_len;
}

#ifdef __cplusplus
}
#endif

#endif
