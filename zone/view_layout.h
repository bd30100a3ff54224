/* view_layout.h: how views lie in memory; for view.c and interest.c only.
 *
 * A zone builds some 40,000 snapshots a second out of views that together don't fit in any cache, so what counts is how many
 * cache lines one build touches. Every build reads the record of every entity in view: those are 28 bytes each, one after
 * the other, and hold all that deciding takes. Baselines (28 bytes more) are read only for what is written or acknowledged.
 *
 * A view is one page of header, flights and log, and a page for each 64 slots. The log prefers its front, so that its later
 * pages are touched only by views with much in flight. Slots are filled from the lowest.
 */
#ifndef MARCH_ZONE_VIEW_LAYOUT_H
#define MARCH_ZONE_VIEW_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "zone/view.h"

#define VIEW_CHUNK_SLOTS 64
#define VIEW_CHUNKS_MAX  (VIEW_SLOTS_MAX / VIEW_CHUNK_SLOTS)
#define VIEW_PAGE_BYTES  4096

enum view_record_flag { VIEW_MUST_SEND = 1, VIEW_NEVER_SENT = 2 };

/* Hot: what the client was told last of the entity in a slot. */
struct view_record {
    struct net_state sent;
    uint16_t entity; /* index */
    uint16_t generation;
    uint16_t priority; /* gathered since the last update */
    uint8_t flags;
};
_Static_assert(sizeof(struct view_record) == 28, "two to a cache line and a bit");

/* Cold: the newest version the client has acknowledged. Versions count on through the tenants of a slot. */
struct view_baseline {
    struct net_state state;
    uint16_t removal_seq;   /* of the first snapshot that told the removal, while the slot is being removed */
    uint8_t version;        /* of `state`, when there is one */
    uint8_t newest_version; /* sent */
    uint8_t tenant;         /* counts the entities that have had this slot */
    bool known;             /* the client has acknowledged `version` */
};
_Static_assert(sizeof(struct view_baseline) == 28, "see above");

struct view_chunk {
    _Alignas(VIEW_PAGE_BYTES) uint64_t occupied; /* bit s: slot s has an entity */
    uint64_t removing;                           /* bit s: slot s is empty, and the client may not know */
    struct view_record records[VIEW_CHUNK_SLOTS];
    struct view_baseline baselines[VIEW_CHUNK_SLOTS];
};
_Static_assert(sizeof(struct view_chunk) == VIEW_PAGE_BYTES, "a chunk is a page");

/* An update in flight: becomes the slot's baseline when its snapshot is acknowledged. */
struct view_log_entry {
    uint16_t slot;
    uint8_t version;
    uint8_t tenant;
    int32_t x, y;
    int16_t vx, vy;
    uint8_t kind, yaw, health, action;
};
_Static_assert(sizeof(struct view_log_entry) == 20, "the log is written with every update");

/* A snapshot in flight; its updates are log_count entries of the log from log_begin. */
struct view_flight {
    uint32_t tick;
    uint16_t log_begin;
    uint16_t log_count;
    bool in_flight;
};

/* Flights are found by seq % VIEW_SNAPSHOTS_MAX; none older than oldest_seq is in flight. */
struct view {
    uint16_t next_seq;
    uint16_t oldest_seq;
    uint16_t log_end;        /* where the newest flight's entries end */
    uint16_t chunks_used;    /* chunks from here on were never touched */
    uint16_t in_view;        /* occupied slots */
    uint16_t removing_count; /* slots being removed */
    uint8_t stream;
    struct view_flight flights[VIEW_SNAPSHOTS_MAX];
    struct view_log_entry log[VIEW_LOG_MAX];
    struct view_chunk chunks[]; /* slots_max / 64, rounded up */
};
_Static_assert(VIEW_LOG_MAX <= UINT16_MAX && VIEW_SNAPSHOTS_MAX < 128, "the log's indices and versions in flight fit");
_Static_assert(65536 % VIEW_SNAPSHOTS_MAX == 0, "a flight is found by its sequence number across the wrap");

/* The places of all entities, in the order of the grid's items: a scan for who is near reads them in rows. */
struct view_places {
    int32_t *x, *y;
    uint32_t tick;
    bool ready;
};

struct views {
    struct views_config config;
    struct views_stats stats;
    struct view_places places;
    uint8_t *arena;
    size_t arena_bytes;
    size_t view_bytes;
    /* scratch of one build */
    uint64_t *present;                 /* bit e: entity e has a slot; all zero between builds */
    uint64_t needed[VIEW_CHUNKS_MAX];  /* bit s: slot s needs an update */
    uint16_t removals[VIEW_SLOTS_MAX]; /* slots */
    uint16_t order[VIEW_SLOTS_MAX];    /* slots by priority */
};

#endif
