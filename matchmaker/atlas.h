/* atlas.h: decides who has which part of the world: what becomes a new version of the directory, and when.
 *
 * Sans-I/O. Whoever owns it tells what happened (connections, reports, answers to fences, operators' commands), then calls
 * atlas_step, which judges, moves partitions, and says whether there is a new version.
 *
 *     GATHERING ──all workers have reported, or ATLAS_GATHER_MS after the first──► RUNNING
 *
 * It begins with the newest directory that anybody holds, and goes on from there; with that of the configuration where
 * nobody holds one. Nothing is kept on a disk.
 *
 * Who holds a newer one may be away just then, and have a part of the world by it. So every slot is OPEN at first:
 *
 *     open ──every shard has fenced all of it but the incarnation that is admitted, and that one was heard──► closed
 *
 * A worker reports only once each shard has given it a lease, so whoever was ever given something can be fenced by who has
 * the leases, known or not. Who has a partition by the directory that was gone on from keeps it; nobody is given one that he
 * does not have, and no command to zones is taken, until all slots are closed. Who comes later with a partition by a version
 * between the one that was gone on from and the first of this atlas is dead. Without shards there is nothing to fence by:
 * slots close at once, and an owner that is not heard while gathering may go on beside the next one until it hears of that.
 *
 * An incarnation of a worker:
 *
 *     reported ──admitted──► listed ──connection lost──► missing ──within reconnect_ms──► listed
 *        no report for silence_ms, not back within reconnect_ms, or another incarnation in its slot:
 *        listed, missing ──► dead ──every shard has fenced it──► gone
 *
 * A dead one is AWAY from the next version on, never heard again, and its partitions have no owner until each shard has
 * fenced it; then spares take them. As long as it is not fenced the directory names its incarnation beside AWAY, so that an
 * atlas that begins anew knows. Its slot's next incarnation is admitted when it is fenced. Gateways are judged alike, but
 * need no fence, and may come back.
 *
 * A partition passes from one worker to another, when it drains, splits or merges, in two steps: the new owner has it at
 * once, the `former` one hands over what it still has, and reports when nothing is left. Until then it can't pass on, except
 * back.
 *
 * Blocks (schemas/cells.h) are partitions like others, but nobody's at first: spares take them, as many as no part of the
 * world waits for. They are never split, merged, or given to a worker that has something already, unless it drains there
 * with the rest of what another has. Blocks that the configuration has and the directory gone on from does not are added;
 * others stay as they are.
 *
 * Not kept over a restart: marks of workers that were drained wholly (they are spares again), which partitions were being
 * merged (they stay two, of one owner), and dead incarnations that never learned that they had been listed: against those
 * the fences of the shards hold still.
 *
 * Limits: those of wire_world.h. Time in which nobody called atlas_step, past ATLAS_PAUSE_MS, is held against nobody.
 */
#ifndef MARCH_MATCHMAKER_ATLAS_H
#define MARCH_MATCHMAKER_ATLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "schemas/directory.h"
#include "schemas/wire.h"

#define ATLAS_GATHER_MS 1500
#define ATLAS_PAUSE_MS  100
#define ATLAS_DEAD_MAX  8  /* dead incarnations of a slot that are remembered: one that is back must have been stopped */
#define ATLAS_SIDE_M    16 /* least side that a split leaves */
#define ATLAS_NONE      UINT32_MAX

/* What a directory of somebody else may say. */
#define ATLAS_METRES_MAX    32768
#define ATLAS_CREATURES_MAX (CONFIG_ENTITIES_MAX * CONFIG_ZONES_MAX)
#define ATLAS_VERSION_MAX   ((uint64_t)INT64_MAX)

_Static_assert(WIRE_WORKERS_MAX <= 64 && CONFIG_PERSISTS_MAX <= 32, "sets of slots and of shards are bits of a word");

/* When partitions are split and merged without being told. */
struct atlas_balance {
    bool is_on;
    uint32_t split_percent; /* of a tick that its worker is busy: from here on a partition is split */
    uint32_t merge_percent; /* what the workers of two partitions together may be busy for them to be merged */
    uint64_t hold_ms;       /* it must have been so */
    uint64_t pause_ms;      /* from one change to the next */
    int32_t side_m;         /* least side that a split leaves */
};

struct atlas_config {
    uint32_t worker_count, gateway_count, shard_count;
    uint64_t reconnect_ms, silence_ms;
    uint32_t tick_us;
    struct atlas_balance balance;
    struct directory initial; /* as of directory_initial */
};

enum atlas_phase { ATLAS_GATHERING = 0, ATLAS_RUNNING = 1 };

/* The newest process of a slot, or of a gateway, that connected. */
struct atlas_peer {
    uint64_t incarnation; /* 0: none yet */
    bool is_linked;
    bool has_reported; /* over the connection of now, or the last */
    bool was_listed;   /* by the directory that it held when it first reported */
    bool is_ahead;     /* has a partition by a directory that came too late to be gone on from */
    struct mono heard_at;
};

struct atlas_worker {
    struct atlas_peer peer;
    uint64_t admitted;    /* incarnation that may be heard; 0: none */
    uint64_t unfenced;    /* dead, and some shard has not fenced it; 0: none */
    uint32_t fenced_by;   /* shards, by bit */
    uint64_t kept;        /* while its slot is open: whom shards are to let have its lease; 0: nobody */
    uint32_t closed_by;   /* shards, by bit, that let nobody else */
    bool is_draining;     /* gets no partition until it is undrained */
    struct mono since;    /* when the drain was asked for */
    uint32_t since_count; /* players that it had then */
    uint64_t over_at;     /* balance: since when it is too busy, in ns; 0: it is not */
    uint64_t dead[ATLAS_DEAD_MAX];
    uint32_t dead_count; /* ever */
    /* what it reported last */
    uint64_t version, late_ticks;
    uint32_t players, creatures, busy_us, hold_count;
    struct wire_hold holds[WIRE_PARTITIONS_MAX];
};

struct atlas_gateway {
    struct atlas_peer peer;
    uint64_t admitted;
    bool is_draining;
    struct mono since;
    uint32_t since_count;
    uint64_t version;
    uint32_t sessions, moving;
};

enum atlas_handing { ATLAS_HANDING_NONE = 0, ATLAS_HANDING_DRAIN = 1, ATLAS_HANDING_SPLIT = 2, ATLAS_HANDING_MERGE = 3 };

/* What is known of a partition besides the directory's entry of the same index. */
struct atlas_partition {
    uint64_t waits;             /* slots, by bit, to be fenced before it gets an owner */
    uint64_t calm_at;           /* balance: since when it could be merged, in ns; 0: it can't */
    uint32_t lost_by;           /* slot whose death took its owner, or ATLAS_NONE */
    uint32_t into;              /* id of the partition that it is merged into, or ATLAS_NONE */
    enum atlas_handing handing; /* why there is a former owner */
    bool is_new, is_lost;       /* since the last version: has a new owner, lost its creatures */
};

struct atlas_stats {
    uint64_t versions, worker_deaths, gateway_deaths, takeovers, drains, splits, merges, fences, refused_workers;
};

struct atlas {
    struct atlas_config config;
    enum atlas_phase phase;
    struct directory told; /* the newest version; version 0: none yet */
    struct directory draft;
    struct directory held; /* the newest that came while gathering */
    uint64_t newest;       /* version that anybody has */
    uint64_t first;        /* version that this atlas made; 0: none yet */
    uint64_t open;         /* slots, by bit, that may have an owner which this atlas does not know of */
    struct mono first_at;  /* while gathering: the first worker's report; 0: none */
    struct mono stepped_at;
    uint64_t balanced_at; /* the last change, in ns */
    struct atlas_worker workers[WIRE_WORKERS_MAX];
    struct atlas_gateway gateways[WIRE_DIRECTORY_GATES_MAX];
    struct atlas_partition partitions[WIRE_PARTITIONS_MAX]; /* beside draft.partitions */
    struct atlas_stats stats;
};

/* What becomes of a command: done, or why it was refused. */
enum atlas_answer {
    ATLAS_DONE = 0,
    ATLAS_STARTING = 1, /* it gathers, or a slot is open */
    ATLAS_UNKNOWN = 2,
    ATLAS_AWAY = 3,
    ATLAS_NO_SPARE = 4,
    ATLAS_NOT_DRAINING = 5,
    ATLAS_UNOWNED = 6,
    ATLAS_BUSY = 7,
    ATLAS_DRAINING = 8,
    ATLAS_TOO_SMALL = 9,
    ATLAS_TOO_MANY = 10,
    ATLAS_SAME = 11,
    ATLAS_APART = 12,
    ATLAS_LAST_GATEWAY = 13,
    ATLAS_OWNS_NOTHING = 14,
    ATLAS_BLOCK = 15,
    ATLAS_ANSWER_COUNT = 16
};

void atlas_init(struct atlas *atlas, const struct atlas_config *config, struct mono now);

/* What happened to a connection. Indices are those of the configuration. */
void atlas_worker_up(struct atlas *atlas, uint32_t slot, uint64_t incarnation, struct mono now);
void atlas_worker_lost(struct atlas *atlas, uint32_t slot, struct mono now);
void atlas_worker_report(struct atlas *atlas, uint32_t slot, const struct wire_worker_report *report, struct mono now);
void atlas_gateway_up(struct atlas *atlas, uint32_t index, uint64_t incarnation, struct mono now);
void atlas_gateway_lost(struct atlas *atlas, uint32_t index, struct mono now);
void atlas_gateway_report(struct atlas *atlas, uint32_t index, const struct wire_gateway_report *report, struct mono now);

/* atlas_fences lists what a shard is to fence and has not, one of each slot at most; returns how many. Send it again until
 * it is empty. */
uint32_t atlas_fences(const struct atlas *atlas, uint32_t shard, struct wire_fence fences[WIRE_FENCES_MAX]);
/* atlas_fenced notes that a shard has fenced; what was not asked for is ignored. */
void atlas_fenced(struct atlas *atlas, uint32_t shard, const struct wire_fence *fence);

/* Commands. What they change is in the version of the next atlas_step; partitions are named by their ids. Draining what is
 * drained already is DONE. atlas_split takes the half with the greater coordinates off, along the longer side; atlas_merge
 * makes `from` part of `into`. */
enum atlas_answer atlas_drain(struct atlas *atlas, uint32_t slot, struct mono now);
enum atlas_answer atlas_undrain(struct atlas *atlas, uint32_t slot);
enum atlas_answer atlas_split(struct atlas *atlas, uint32_t id);
enum atlas_answer atlas_merge(struct atlas *atlas, uint32_t into, uint32_t from);
enum atlas_answer atlas_drain_gateway(struct atlas *atlas, uint32_t index, struct mono now);
enum atlas_answer atlas_undrain_gateway(struct atlas *atlas, uint32_t index);

/* atlas_answer_code and atlas_answer_text return a word for programs, and what is said after a name and a colon. */
const char *atlas_answer_code(enum atlas_answer answer);
const char *atlas_answer_text(enum atlas_answer answer);

/* atlas_step judges and moves; true when atlas->told is a new version, for everybody. `unix_ms` is the Unix time: a version
 * is never below it. At least every 50 ms, after what has come was told. */
bool atlas_step(struct atlas *atlas, struct mono now, uint64_t unix_ms);

/* --- looking in */

/* atlas_is_ready tells whether the world is there: every partition but blocks has, or had once, an owner. */
bool atlas_is_ready(const struct atlas *atlas);

/* atlas_left sums up what a worker still holds of partitions that it has handed over or is to. */
struct wire_hold atlas_left(const struct atlas *atlas, uint32_t slot);

/* atlas_busiest returns the id of the partition of a slot with the most players, one of the world where it has any, or
 * ATLAS_NONE. */
uint32_t atlas_busiest(const struct atlas *atlas, uint32_t slot);

/* atlas_hold returns what a worker said that it has in a partition; all 0 when it said nothing. */
struct wire_hold atlas_hold(const struct atlas *atlas, uint32_t slot, uint32_t id);

#endif
