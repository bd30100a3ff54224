/* instances_inner.h: what the parts of the instances share. Not for others.
 *
 *   instances.c          what is asked: launches, joins, ends; and what is seen
 *   instances_table.c    instances, members, cells and travels: kept, counted, found
 *   instances_document.c an instance as bytes, and back
 *   instances_world.c    who owns a block, what zones report, and what follows from it
 *   instances_step.c     what waits for time, or until something is durable
 *   instances_orders.c   what zones are told
 */
#ifndef MARCH_MATCHMAKER_INSTANCES_INNER_H
#define MARCH_MATCHMAKER_INSTANCES_INNER_H

#include "common/pool.h"
#include "matchmaker/instances.h"
#include "matchmaker/player_map.h"

#define INSTANCES_NONE          UINT32_MAX
#define INSTANCES_RESTARTS_MAX  3
#define INSTANCES_IDS           1024 /* reserved at once */
#define INSTANCES_KEEP_MS       1000 /* what may be lost in a crash is kept no later than so */
#define INSTANCES_RECALL_MS     2000 /* an owner has so long to report what it ran before this process began */
#define INSTANCES_LATE_MS       5000 /* after the time limit, for the zone to say so itself */
#define INSTANCES_LOAD_BUSY     5    /* players and creatures that take about a thousandth of a tick */
#define INSTANCES_PLACED_MS     500  /* half of what was launched so long ago is taken to be in a zone's report */
#define INSTANCES_STRANGERS_MAX 16   /* of a zone, told to end at once; more of them with its next report */
#define INSTANCES_SLOW          8    /* a slow travel is told in one of so many turns */

/* A zone process: nobody else has both. */
struct instances_life {
    uint32_t slot;        /* WIRE_SLOT_NONE: nobody */
    uint64_t incarnation; /* 0: nobody */
};

/* A member beside what others see of it; both at the same index, WIRE_INSTANCE_PLAYERS_MAX for each instance. */
struct instances_place {
    uint32_t slot;           /* that reports it, while it is present */
    uint64_t reported_by;    /* serial of the newest report with it */
    uint32_t next, previous; /* of those that the same slot reports */
    uint32_t travel;         /* index + 1 in `travels`; 0: it does not travel */
    uint64_t opened;         /* travel: in which turn of `travel_serial` */
    uint64_t until_ns;       /* from then on it travels slowly */
    bool is_absent;          /* that was counted */
};

struct instance {
    uint32_t id;
    enum instance_stage stage;
    enum instance_end end;
    uint32_t live;  /* index in `live` */
    uint32_t block; /* index in `blocks` */
    uint32_t cell, load;
    uint32_t goal, wave, creatures, players, slowed, restarts, team_count, member_count, note_len;
    uint32_t scores[WIRE_TEAMS_MAX];
    uint32_t first_wave, first_scores[WIRE_TEAMS_MAX]; /* what is ordered to begin with */
    uint64_t seed, started_ms, ends_at_ms, lasted_ms;

    uint32_t version;           /* of what is ordered */
    uint64_t mark;              /* of the document that must be durable before it is */
    bool needs_put;             /* that document is not even put */
    uint64_t keep_ns;           /* what changed besides is put then; 0: nothing did */
    struct instances_life life; /* that it is ordered of */
    bool has_run;               /* some zone did run it */
    bool is_reported;           /* `life` does, as it is ordered now */
    bool was_told;              /* somebody may know of it */
    bool is_recalled;           /* `life` is of before a restart: who owns the block now says first what it has */
    bool is_told_over, is_closed, has_ended; /* has_ended: its zone says that nobody is in it */
    uint64_t recall_ns;                      /* how long that is waited for; 0: since nobody can say yet */
    uint64_t reported_by;                    /* serial of the newest report with it */
    uint64_t told_over;                      /* connection over which it was told, */
    uint32_t told_version;                   /* which version, */
    struct mono told_at;                     /* and when last */
    struct template template;
    uint8_t note[INSTANCES_NOTE_MAX];
};

struct instances_block {
    uint32_t id;
    bool is_listed; /* in the directory */
    struct wire_directory_partition partition;
    struct instances_life owner;
    uint32_t instances, load, next_cell;
};

/* What a zone says that it runs, and was forgotten here: it went on where its block was given back to. */
struct instances_stranger {
    uint32_t id, version;
};

/* A cell is free from a time on. */
#define INSTANCES_CELL_TAKEN UINT64_MAX

struct instances_slot {
    bool is_up, is_draining;
    uint32_t busy, placed; /* placed: players and creatures of instances that were launched of late */
    bool is_complete_due;  /* it owns a block of which it was not told that it knows all */
    uint64_t incarnation;
    uint64_t connection; /* never the same again */
    uint64_t report;     /* serial of its newest over this connection; 0: none */
    uint32_t present;    /* the first of the members that it reports */
    uint32_t cursor;     /* travels: where the turn goes on; 0: it is over */
    uint64_t turn;
    struct mono turn_at;    /* when the next one begins */
    uint64_t travel_serial; /* what was opened up to then was told */
    struct instances_stranger strangers[INSTANCES_STRANGERS_MAX];
    uint32_t stranger_count; /* that are to be told to end */
};

/* What a message that is being made points to. */
struct instances_message {
    uint32_t slot; /* WIRE_SLOT_NONE: there is none */
    bool is_turn;  /* travels are those of a turn, not only new ones */
    uint32_t cursor;
    uint64_t travel_serial;
    struct wire_instance_orders orders;
    struct wire_instance_order instances[WIRE_INSTANCES_MAX];
    struct wire_instance_wave waves[WIRE_MATCH_ITEMS_MAX];
    struct wire_instance_spot spots[WIRE_MATCH_ITEMS_MAX];
    struct wire_instance_box boxes[WIRE_MATCH_ITEMS_MAX];
    struct wire_instance_member members[WIRE_MATCH_ITEMS_MAX];
    struct wire_travel travels[WIRE_MATCH_ITEMS_MAX];
    uint32_t indexes[WIRE_INSTANCES_MAX]; /* of the instances */
};

struct instances {
    struct instances_config config;
    struct mono now;
    uint64_t serial; /* of connections and reports */
    uint32_t next_id, ids_end;
    struct pool pool;         /* struct instance */
    uint32_t *live;           /* indexes of those that there are */
    bool *wants_step;         /* by index: the step looks at it */
    bool *wants_order;        /* by index: its zone was not told over this connection, or is not seen to do it */
    struct player_map by_id;  /* index */
    struct player_map member; /* by player: its index */
    struct instance_member *members;
    struct instances_place *places;
    uint32_t *travels; /* members that are to travel, in no order */
    uint32_t travel_count;
    uint64_t travel_serial;
    uint64_t swept_ns;  /* when all were looked at */
    uint64_t halved_ns; /* what was placed of late */
    uint64_t directory_version;
    struct instances_life lives[WIRE_WORKERS_MAX]; /* who may be heard, by slot */
    struct instances_block blocks[CONFIG_BLOCKS_MAX];
    uint32_t block_count;
    uint64_t *cells; /* per_block for each block: free since, ns */
    struct instances_slot slots[WIRE_WORKERS_MAX];
    struct instances_message message;
    uint8_t document[WIRE_DOCUMENT_BYTES_MAX];
    struct instances_stats stats;
};

static inline struct instance *instances_at(const struct instances *i, uint32_t index) {
    return pool_at(&i->pool, index);
}

static inline bool instances_same_life(struct instances_life a, struct instances_life b) {
    return a.slot == b.slot && a.incarnation == b.incarnation;
}

/* --- instances.c */

void instances_tell(struct instances *instances, enum instances_event_kind kind, uint32_t index, uint64_t player);

/* --- instances_table.c */

/* instances_new takes room for an instance in a block and cell that are free; INSTANCES_NONE where there is none. */
uint32_t instances_new(struct instances *instances, uint32_t id, uint32_t block, uint32_t cell);
void instances_free(struct instances *instances, uint32_t index);
uint32_t instances_find(const struct instances *instances, uint32_t id);

/* instances_load sets what it weighs in its block. */
void instances_load(struct instances *instances, uint32_t index);

/* instances_block returns the index of a block, also one that was unknown; INSTANCES_NONE where there are too many. */
uint32_t instances_block(struct instances *instances, uint32_t id);

/* instances_take_cell finds the block of the zone that is best for an instance of a region, and a free cell of it. */
bool instances_take_cell(const struct instances *instances, uint32_t region, uint32_t *block, uint32_t *cell);
uint32_t instances_cells_free(const struct instances *instances); /* of blocks whose zone takes instances */

/* instances_placed notes that a zone has got a new instance, of which its reports say nothing yet. */
void instances_placed(struct instances *instances, uint32_t index);
void instances_placed_step(struct instances *instances);
uint64_t *instances_cell(const struct instances *instances, uint32_t block, uint32_t cell);

void instances_member_add(struct instances *instances, uint32_t index, uint64_t player, uint32_t team);
void instances_member_remove(struct instances *instances, uint32_t member);

/* instances_present says who reports a member, WIRE_SLOT_NONE: nobody. */
void instances_present(struct instances *instances, uint32_t member, uint32_t slot);

/* instances_travel has a member travel, or not, as it is to be. */
void instances_travel(struct instances *instances, uint32_t member);
void instances_travel_all(struct instances *instances, uint32_t index);

/* --- instances_document.c */

uint32_t instances_write(struct instances *instances, uint32_t index); /* into `document` */

/* instances_put keeps an instance as it is now; nothing of it is told before that is durable. */
void instances_put(struct instances *instances, uint32_t index);

/* instances_put_later keeps it after a while, and nothing waits for it. */
void instances_put_later(struct instances *instances, uint32_t index, uint64_t after_ms);
must_check int instances_reserve_ids(struct instances *instances, uint32_t end);

/* --- instances_world.c */

/* instances_check_owner looks whether who runs an instance still does. */
void instances_check_owner(struct instances *instances, uint32_t index);

/* --- instances_step.c */

/* instances_finish makes it over; the event comes when that is durable. */
void instances_finish(struct instances *instances, uint32_t index, enum instance_end end);

/* instances_is_durable tells whether what is ordered would survive. */
bool instances_is_durable(const struct instances *instances, const struct instance *instance);

/* instances_change orders something else from now on, once that is durable. */
void instances_change(struct instances *instances, uint32_t index);

#endif
