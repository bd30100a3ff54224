/* wire_world.h: the bus messages by which zones are one world, as plain C: the directory, reports to the matchmaker, fences,
 * what zones tell their neighbours, and players on their way from zone to zone. wire.h includes this and says what holds for
 * all: how messages are packed and read, who owns the bytes, what a reader has verified.
 *
 *   matchmaker -> gateway, zone   wire_directory        who has which part of the world, whole at each change
 *   zone -> matchmaker            wire_worker_report    what it has and how busy it is: the heartbeat
 *   gateway -> matchmaker         wire_gateway_report   the same of a gateway
 *   matchmaker -> persist         wire_fences           incarnations of zones that are not to be heard any more
 *   persist -> matchmaker         wire_fences           as WIRE_BUS_FENCES_DONE: what became of them
 *   zone <-> zone                 wire_peer_batch       ghosts, hits, offers, creatures: once a tick
 *
 * A reader has verified structure, that names and places fit, that counts are within the *_MAX below, and that rectangles
 * are not empty. It has not judged ids, slots, epochs and results: whoever takes an item judges it alone.
 */
#ifndef MARCH_SCHEMAS_WIRE_WORLD_H
#define MARCH_SCHEMAS_WIRE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire_match.h"
#include "schemas/wire_persist.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_WORKERS_MAX         64 /* slots: as CONFIG_ZONES_MAX */
#define WIRE_PARTITIONS_MAX      128
#define WIRE_DIRECTORY_GATES_MAX 16 /* as CONFIG_GATEWAYS_MAX */
#define WIRE_SLOT_NONE           UINT32_MAX
#define WIRE_FENCES_MAX          64
#define WIRE_CARRIED_INPUTS_MAX  8
#define WIRE_CARRIED_RULES_BYTES 72  /* what the rules of a game may take along of an entity */
#define WIRE_CARRIED_MAX         256 /* players in one batch */
#define WIRE_PEER_GHOSTS_MAX     8192
#define WIRE_PEER_ITEMS_MAX      1024 /* of each other kind in one batch */
#define WIRE_PEER_INSTANCES_MAX  64   /* on their way, in one batch */
#define WIRE_PEER_OVERHEAD_MAX   1024
#define WIRE_PEER_BLOB_MAX       (64 * 1024)

struct wire_rect { /* metres; min is inside, max is not */
    int32_t min_x, min_y, max_x, max_y;
};

/* --- the directory */

enum wire_worker_state {
    WIRE_WORKER_AWAY = 0,
    WIRE_WORKER_SPARE = 1,
    WIRE_WORKER_ACTIVE = 2,  /* owns a partition */
    WIRE_WORKER_LEAVING = 3, /* owns none, and hands over what it still has */
    WIRE_WORKER_STATE_COUNT = 4
};

struct wire_directory_worker { /* by slot */
    uint64_t incarnation;      /* may be heard unless AWAY: then it is dead and not fenced everywhere yet. 0: none */
    uint32_t state;            /* enum wire_worker_state */
    uint32_t players;
};

struct wire_directory_partition {
    uint64_t epoch;   /* version of the directory in which the owner got it */
    uint64_t respawn; /* version in which its creatures were lost: the owner brings them up to their number, once */
    struct wire_rect rect;
    uint32_t id;
    uint32_t owner;     /* slot; WIRE_SLOT_NONE: nobody, it waits for a spare */
    uint32_t former;    /* slot that still hands over what stands in it; WIRE_SLOT_NONE: none */
    uint32_t creatures; /* whose home it is */
};

enum wire_gateway_state { WIRE_GATEWAY_AWAY = 0, WIRE_GATEWAY_UP = 1, WIRE_GATEWAY_DRAINING = 2 };

struct wire_directory_gateway { /* by index in the configuration */
    uint64_t incarnation;       /* 0: none */
    uint32_t state;             /* enum wire_gateway_state */
    uint32_t sessions;
};

struct wire_directory {
    uint64_t version; /* 0: there is none */
    const struct wire_directory_worker *workers;
    const struct wire_directory_partition *partitions;
    const struct wire_directory_gateway *gateways;
    uint32_t worker_count, partition_count, gateway_count;
};

/* --- to the matchmaker */

struct wire_hold { /* what a worker has in a partition, its own or not yet handed over */
    uint32_t partition, players, creatures, in_flight;
};

struct wire_worker_report {
    struct wire_directory directory; /* the newest it has, in the first report of a connection; else version 0 */
    uint64_t version;                /* of the newest it has */
    uint32_t players, creatures;
    uint32_t busy_us; /* of a tick, on average over the last second */
    uint64_t late_ticks;
    const struct wire_hold *holds;
    uint32_t hold_count;
};

struct wire_gateway_report {
    struct wire_directory directory;
    uint64_t version;
    uint32_t sessions;
    uint32_t moving; /* sessions between two zones */
};

/* --- matchmaker and persist */

enum wire_fence_kind {
    WIRE_FENCE_ONE = 0,   /* this incarnation */
    WIRE_FENCE_OTHERS = 1 /* whoever else has a lease of the slot; incarnation 0: whoever has one */
};

enum wire_fence_result { WIRE_FENCE_DONE = 0, WIRE_FENCE_UNAVAILABLE = 1 /* ask again */ };

struct wire_fence {
    uint64_t incarnation;
    uint16_t slot;
    uint16_t kind;   /* enum wire_fence_kind */
    uint32_t result; /* of the answer: enum wire_fence_result */
};

struct wire_fences {
    const struct wire_fence *fences;
    uint32_t count;
};

/* --- players from zone to zone, by way of their gateway */

struct wire_input_command {
    uint8_t move, buttons;
    uint16_t aim;
};

enum wire_carried_input_flag { WIRE_CARRIED_ANY = 1, WIRE_CARRIED_IDLE = 2 };

struct wire_carried {
    uint64_t session, player, session_epoch, entity;
    uint64_t tick; /* the last one that the source simulated */
    uint64_t speech_tick;
    uint64_t arrived_tick, applied_tick; /* of the input queue */
    int32_t x, y;                        /* Q16.16 metres, world coordinates */
    uint32_t attachment;                 /* from the source its own, from the gateway the one that begins */
    uint32_t target;                     /* slot */
    uint32_t view_radius;                /* 1/64 m */
    int16_t vx, vy;                      /* 2^-11 m a tick */
    uint8_t kind, yaw, health, action;
    uint16_t newest_seq, applied_seq, aim, interval_q8; /* this and what follows: the input queue */
    uint8_t input_count;                                /* 0 to WIRE_CARRIED_INPUTS_MAX, oldest first */
    uint8_t input_flags;                                /* enum wire_carried_input_flag */
    uint16_t source;                                    /* slot that let go of it */
    struct wire_input_command commands[WIRE_CARRIED_INPUTS_MAX];
    uint16_t seqs[WIRE_CARRIED_INPUTS_MAX];
    uint8_t rules[WIRE_CARRIED_RULES_BYTES];
};

/* What the gateway did with a player that a zone let go of. */
enum wire_routed_result {
    WIRE_ROUTED_DONE = 0,     /* another zone has it: forget it */
    WIRE_ROUTED_RESTORED = 1, /* it stays with you, under a new attachment */
    WIRE_ROUTED_COUNT = 2
};

struct wire_routed {
    uint64_t session;
    uint32_t attachment; /* DONE: the one that ended; RESTORED: the one that begins */
    uint32_t result;     /* enum wire_routed_result */
};

enum wire_activated_result {
    WIRE_ACTIVATED = 0,
    WIRE_ACTIVATE_FULL = 1,    /* no room */
    WIRE_ACTIVATE_REFUSED = 2, /* promised not to, or the player has a newer session */
    WIRE_ACTIVATED_COUNT = 3
};

struct wire_activated {
    uint64_t session;
    uint32_t attachment;
    uint32_t result; /* enum wire_activated_result */
};

/* --- zone to zone */

struct wire_ghost { /* an entity that the other zone can see, at the tick of the batch */
    uint64_t id;
    int32_t x, y;
    int16_t vx, vy;
    uint8_t kind, yaw, health, action;
};

enum wire_gone_reason {
    WIRE_GONE_AWAY = 1,  /* it died out, left the world, or can't be seen from there any more */
    WIRE_GONE_HANDED = 2 /* another zone has it now, which tells of it itself */
};

struct wire_ghost_gone {
    uint64_t id;
    uint32_t reason; /* enum wire_gone_reason */
    uint32_t reserved;
};

struct wire_hit {
    uint64_t target, attacker;
    uint64_t attacker_player; /* 0: a creature */
    uint32_t damage;
    uint32_t hops; /* times that it was passed on */
};

struct wire_outcome {
    uint64_t attacker, target;
    uint32_t experience;
    uint16_t killed;         /* 1: by this hit */
    uint16_t hops;           /* times that it was passed on */
    uint32_t instance, team; /* of a player that was killed in an instance, where it is not 0: which, and its team + 1 */
};

struct wire_offer {
    uint64_t entity, player, session_epoch;
};

enum wire_offer_result { WIRE_OFFER_ACCEPTED = 0, WIRE_OFFER_FULL = 1, WIRE_OFFER_NOT_MINE = 2 };

struct wire_offer_answer {
    uint64_t entity;
    uint32_t result; /* enum wire_offer_result */
    uint32_t reserved;
};

enum wire_query_result { WIRE_QUERY_YES = 0, WIRE_QUERY_NO = 1 /* and a promise to refuse it */ };

struct wire_query {
    uint64_t player, session_epoch;
    uint32_t attachment;
    uint32_t result; /* of the answer: enum wire_query_result */
};

/* A link-dead player, whom no gateway can take along. */
struct wire_give {
    struct wire_carried carried; /* goes on under attachment + 1 */
    uint32_t link_dead_ms;       /* for how long it has been */
    uint32_t reserved;
};

enum wire_given_result { WIRE_GIVEN = 0, WIRE_GIVE_REFUSED = 1 /* and a promise not to take this one later */ };

struct wire_given {
    uint64_t entity, session_epoch;
    uint32_t attachment; /* of the give */
    uint32_t result;     /* enum wire_given_result */
};

struct wire_carried_creature {
    uint64_t id, tick;
    int32_t x, y;
    int16_t vx, vy;
    uint8_t kind, yaw, health, action;
    uint8_t rules[WIRE_CARRIED_RULES_BYTES];
};

enum wire_taken_result { WIRE_TAKEN = 0, WIRE_TAKEN_FULL = 1 };

struct wire_creature_taken {
    uint64_t id;
    uint32_t result; /* enum wire_taken_result */
    uint32_t tick;   /* low bits of the tick it was carried with, which tells one journey from the next */
};

/* An instance whose block is another zone's by now, as it stands where it was. */
struct wire_carried_instance {
    uint64_t began_tick, over_tick, wave_tick, dead_tick;
    uint64_t rng;
    uint32_t id, run; /* as ordered */
    uint32_t serial;  /* rises with each change */
    uint32_t phase;   /* enum wire_instance_phase: RUNNING or OVER */
    uint32_t goal;
    uint32_t wave, started, spawned; /* waves that are over, that began; creatures of the newest */
    uint32_t teams_seen;             /* bits */
    uint32_t base[WIRE_TEAMS_MAX],
        own[WIRE_TEAMS_MAX];             /* scores by team: of before it came to the zone that tells, and of there */
    uint32_t first_member, member_count; /* of whom something was counted, in the array of the batch */
    uint32_t reserved;
};

struct wire_carried_member {
    uint64_t player;
    uint16_t kills, deaths;
    uint32_t reserved;
};

struct wire_instance_taken {
    uint32_t id, serial;
};

struct wire_speech {
    uint64_t speaker, player;
    int32_t x, y;
    uint32_t offset, len;
};

/* A batch is read in the order of its arrays. An array with count 0 may be NULL. */
struct wire_peer_batch {
    uint64_t tick;
    bool reset; /* forget what ghosts were told before; who sends it may not have heard what it was told until now */
    const struct wire_ghost *ghosts;
    const struct wire_ghost_gone *gone;
    const struct wire_hit *hits;
    const struct wire_outcome *outcomes;
    const struct wire_offer *offers;
    const struct wire_offer_answer *offer_answers;
    const struct wire_query *queries, *query_answers;
    const struct wire_carried_creature *creatures;
    const struct wire_creature_taken *taken;
    const struct wire_player_effect *effects;
    const struct wire_speech *speeches;
    const uint8_t *blob;
    const struct wire_give *gives;
    const struct wire_given *given;
    const struct wire_carried_instance *instances;
    const struct wire_carried_member *members;
    const struct wire_instance_taken *instances_taken;
    uint32_t ghost_count, gone_count, hit_count, outcome_count, offer_count, offer_answer_count, query_count,
        query_answer_count, creature_count, taken_count, effect_count, speech_count, blob_len, give_count, given_count,
        instance_count, member_count, instance_taken_count;
};

/* --- packing: as the packs of wire.h. Counts past the *_MAX are our own bug, and abort. */

struct wire_builder;

must_check int wire_directory_pack(struct wire_builder *builder, const struct wire_directory *directory,
                                   struct wire_bytes *out);
must_check int wire_worker_report_pack(struct wire_builder *builder, const struct wire_worker_report *report,
                                       struct wire_bytes *out);
must_check int wire_gateway_report_pack(struct wire_builder *builder, const struct wire_gateway_report *report,
                                        struct wire_bytes *out);
must_check int wire_fences_pack(struct wire_builder *builder, const struct wire_fences *fences, struct wire_bytes *out);
must_check int wire_fences_done_pack(struct wire_builder *builder, const struct wire_fences *fences, struct wire_bytes *out);
must_check int wire_peer_batch_pack(struct wire_builder *builder, const struct wire_peer_batch *batch,
                                    struct wire_bytes *out);

/* wire_peer_batch_bytes returns an upper bound of the packed size; cheap. */
static inline size_t wire_peer_batch_bytes(const struct wire_peer_batch *b) {
    return WIRE_PEER_OVERHEAD_MAX + b->ghost_count * sizeof *b->ghosts + b->gone_count * sizeof *b->gone +
           b->hit_count * sizeof *b->hits + b->outcome_count * sizeof *b->outcomes + b->offer_count * sizeof *b->offers +
           b->offer_answer_count * sizeof *b->offer_answers + b->query_count * sizeof *b->queries +
           b->query_answer_count * sizeof *b->query_answers + b->creature_count * sizeof *b->creatures +
           b->taken_count * sizeof *b->taken + b->effect_count * sizeof *b->effects + b->speech_count * sizeof *b->speeches +
           b->blob_len + b->give_count * sizeof *b->gives + b->given_count * sizeof *b->given +
           b->instance_count * sizeof *b->instances + b->member_count * sizeof *b->members +
           b->instance_taken_count * sizeof *b->instances_taken;
}

#ifdef __cplusplus
}
#endif

#endif
