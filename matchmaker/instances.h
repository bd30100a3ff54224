/* instances.h: the instances that run: where, who is to be in them, and how they end.
 *
 *     LAUNCHING ──document durable──► STARTING ──its zone runs it──► RUNNING ──its zone says so, or an order──► OVER
 *                                        ▲                             │                                        │
 *                                        └── crash: restart ───────────┤ its zone died                          │
 *                                                                      └── crash: return ──► OVER, as lost      │
 *                                                  gone ◄──everybody is home, what it was worth is settled──────┘
 *
 * Sans-I/O. It takes a cell of a block (cells.h) and tells the zone that owns it to run an instance there, again and again
 * until the zone says that it does. Of the zones with a cell free those of the match's region come first, then those of no
 * region; among them who is busy for the least share of a tick, by steps of INSTANCES_BUSY_STEP; of equals who has the
 * fewest players and creatures. A report is a second old, so what was launched since counts as busy, too, by a rule of
 * thumb. A zone that drains, or is busy for INSTANCES_BUSY_MAX, gets none. Players travel to it by an order to all zones:
 * whoever simulates a player has it go, as a handoff (zone/handoff.h). Nothing here moves anybody; it only repeats what is
 * wanted until reports say that it is so. Who has not come after INSTANCES_TRAVEL_MS is absent, and may still come while it
 * runs; nobody travels to what is over. A player is a member of one instance at most.
 *
 * Players carry where they came from themselves, so they go home from an instance that is over, unknown to its zone, or
 * whose zone died, whatever is known here.
 *
 * What a zone reports and is not known here is told to end: it was over where its block went, and the block was given back.
 *
 * A zone has died with an instance when the block has another owner, or its owner another incarnation, that does not report
 * it. One that was handed over (a drain) is told to the new owner with the wave and scores of the newest report, for the
 * case that its former one, which tells the new one itself, dies.
 *
 * A document of each instance is kept (keep.h): after a restart of the matchmaker it is found again, and goes on. A cell
 * rests for INSTANCES_REST_MS before it is used again, but for restarts of the matchmaker.
 *
 * Limits: INSTANCES_MAX, INSTANCES_MEMBERS_MAX, and the cells that there are. Events come from within the calls; their
 * receiver may call instances_launch, _join, _end and _close.
 */
#ifndef MARCH_MATCHMAKER_INSTANCES_H
#define MARCH_MATCHMAKER_INSTANCES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "matchmaker/keep.h"
#include "matchmaker/template.h"
#include "schemas/cells.h"
#include "schemas/directory.h"
#include "schemas/wire.h"

#define INSTANCES_MAX         4096
#define INSTANCES_MEMBERS_MAX 65536 /* of all of them together */
#define INSTANCES_TRAVEL_MS   30000
#define INSTANCES_REPEAT_MS   250 /* an order or a travel that is not taken is told again after this */
#define INSTANCES_REST_MS     10000
#define INSTANCES_NOTE_MAX    2048 /* bytes of a launcher's own that are kept with an instance */
#define INSTANCES_BUSY_STEP   50   /* thousandths of a tick: what is closer to each other is noise */
#define INSTANCES_BUSY_MAX    900
#define INSTANCES_ANYWHERE    UINT32_MAX /* no region */

enum instance_stage {
    INSTANCE_LAUNCHING = 0,
    INSTANCE_STARTING = 1,
    INSTANCE_RUNNING = 2,
    INSTANCE_OVER = 3,
    INSTANCE_STAGE_COUNT
};

enum instance_end {
    INSTANCE_END_GOAL = 0, /* as `goal` says; 0: its time was up */
    INSTANCE_END_ORDERED = 1,
    INSTANCE_END_LOST = 2,    /* its zone died, and it is not to be restarted */
    INSTANCE_END_REFUSED = 3, /* the zone has no room for it */
    INSTANCE_END_COUNT
};

struct instance_member {
    uint64_t player;
    uint32_t team;
    bool is_present, has_come; /* is there now; ever was */
    uint16_t kills, deaths;
    uint16_t flags; /* of enum wire_presence_flag, as of the newest report */
};

/* An instance as it is; pointers are good until the next call. */
struct instance_view {
    uint32_t id;
    enum instance_stage stage;
    enum instance_end end;           /* OVER */
    const struct template *template; /* scaled, as it was launched */
    uint32_t block, cell, slot;      /* slot: WIRE_SLOT_NONE while the block has no owner */
    uint32_t goal, wave, creatures, players, slowed, restarts;
    uint32_t scores[WIRE_TEAMS_MAX];
    uint32_t team_count, member_count;
    const struct instance_member *members;
    uint64_t started_ms, lasted_ms; /* Unix time of the launch */
    uint64_t ends_at_ms;            /* Unix time; 0: no limit */
    const uint8_t *note;
    uint32_t note_len;
};

struct instances_launch {
    const struct template *template; /* copied, and scaled to the members */
    uint32_t region;                 /* whose zones are preferred, or INSTANCES_ANYWHERE */
    uint32_t team_count;             /* 1 to WIRE_TEAMS_MAX */
    uint32_t member_count;           /* 0 to the template's capacity */
    const struct wire_instance_member *members;
    const uint8_t *note;
    uint32_t note_len;
};

enum instances_event_kind {
    INSTANCES_RUNNING = 0, /* its zone runs it, for the first time */
    INSTANCES_CAME = 1,    /* `player` is there, for the first time */
    INSTANCES_OVER = 2,    /* the last report of it stands in the view: settle it, then instances_close */
    INSTANCES_GONE = 3,    /* it is forgotten after this */
};

struct instances_config {
    struct cells cells;
    struct keep *keep; /* outlives it */
    uint64_t seed;
    uint32_t regions[WIRE_WORKERS_MAX]; /* of zones, by slot, or INSTANCES_ANYWHERE */
    void (*on_event)(void *context, enum instances_event_kind kind, const struct instance_view *view, uint64_t player);
    void *context;
};

struct instances_stats {
    uint64_t launched, over[INSTANCE_END_COUNT], restarts, travels, arrived, absent;
    uint32_t running, members, cells_free; /* cells_free: where something can be launched now */
};

struct instances;

must_check int instances_create(struct instances **instances, const struct instances_config *config);
void instances_destroy(struct instances *instances);

/* instances_recall takes a document of before a restart; MARCH_ERR_INVALID for one that can't be read. Before any launch. */
must_check int instances_recall(struct instances *instances, uint64_t key, const uint8_t *bytes, uint32_t len);

/* instances_launch stores the id. MARCH_ERR_EXISTS: a player is a member of another; MARCH_ERR_FULL: no cell is free;
 * MARCH_ERR_INVALID: beyond the limits, or the template is larger than a cell. */
must_check int instances_launch(struct instances *instances, const struct instances_launch *launch, struct mono now,
                                uint64_t wall_ms, uint32_t *id);

/* instances_join adds members to one that is not over; the errors of launch, MARCH_ERR_NOT_FOUND where it is, or unknown. */
must_check int instances_join(struct instances *instances, uint32_t id, const struct wire_instance_member *members,
                              uint32_t count, struct mono now);

/* instances_leave takes a member out for good: it goes home. */
must_check int instances_leave(struct instances *instances, uint32_t id, uint64_t player);

/* instances_end ends one now. MARCH_ERR_NOT_FOUND where it is over, or unknown. */
must_check int instances_end(struct instances *instances, uint32_t id);

/* instances_close says that what it was worth is settled: once everybody is home it is forgotten. */
void instances_close(struct instances *instances, uint32_t id);

/* instances_release takes all members out of one that is over, where none of them has come or will: they may be members of
 * another at once. MARCH_ERR_NOT_FOUND; MARCH_ERR_FULL, and nothing is changed. */
must_check int instances_release(struct instances *instances, uint32_t id);

/* --- the world */

void instances_directory(struct instances *instances, const struct directory *directory, struct mono now);
void instances_zone_up(struct instances *instances, uint32_t slot, uint64_t incarnation, struct mono now);
void instances_zone_lost(struct instances *instances, uint32_t slot);

/* instances_zone_load says how busy a zone is, in thousandths of a tick, and whether it drains. */
void instances_zone_load(struct instances *instances, uint32_t slot, uint32_t busy, bool is_draining);
void instances_report(struct instances *instances, uint32_t slot, const struct wire_instance_report *report,
                      struct mono now);
void instances_step(struct instances *instances, struct mono now, uint64_t wall_ms);

/* instances_fill says what a zone is to be told now, false where that is nothing; valid until instances_sent. */
bool instances_fill(struct instances *instances, uint32_t slot, struct mono now, struct wire_instance_orders *orders);
void instances_sent(struct instances *instances, uint32_t slot, struct mono now);

/* --- looking in */

/* instances_is_kept tells whether what was last asked of an instance would survive; so it is of one that is not there. */
bool instances_is_kept(const struct instances *instances, uint32_t id);
bool instances_view(const struct instances *instances, uint32_t id, struct instance_view *view);
uint32_t instances_of_player(const struct instances *instances, uint64_t player); /* 0: none */
uint32_t instances_count(const struct instances *instances);
void instances_nth(const struct instances *instances, uint32_t n, struct instance_view *view); /* n below the count */
/* instances_has_room tells whether something can be launched now. */
bool instances_has_room(const struct instances *instances);

struct instances_stats instances_stats_get(const struct instances *instances);

#endif
