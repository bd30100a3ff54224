/* client_view.h: the world between snapshots: what a player is shown at a moment.
 *
 * The view runs two snapshot intervals behind the newest snapshot, so that there is nearly always a snapshot on either side
 * of it, and even where one was lost. Its clock follows the arrival of snapshots smoothly, and never goes back.
 *
 * An entity between two of its states follows the course of the earlier, and blends into the later one during the last
 * interval before it: snapshots leave out entities whose course the client predicts rightly, so that is what the server
 * saw. Past its newest state an entity keeps its course, up to CLIENT_VIEW_AHEAD_TICKS past the newest snapshot. A jump
 * longer than CLIENT_VIEW_JUMP_M (a respawn) is not blended. Where a stream began, the states before it are those of the
 * entity's past (client_past.h), so an entity moves across the seam as it does anywhere.
 */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_VIEW_H
#define MARCH_TOOLS_CLIENT_CLIENT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/snapshot.h"
#include "tools/client/client_past.h"

#define CLIENT_VIEW_AHEAD_TICKS   15 /* 250 ms */
#define CLIENT_VIEW_JUMP_M        8
#define CLIENT_VIEW_DELAY         2 /* snapshot intervals behind the newest */
#define CLIENT_VIEW_INTERVAL_MAX  60
#define CLIENT_VIEW_RESTART_TICKS 30 /* a clock that is off by more is set anew instead of adjusted */

/* Ticks inside are relative to `base_tick`, so that they neither wrap nor lose precision. */
struct client_view {
    uint32_t tick_hz;
    uint32_t snapshots; /* seen since init */
    uint32_t base_tick;
    uint16_t newest_seq;
    struct mono base;
    double newest;   /* tick of the newest snapshot */
    double ahead;    /* newest tick minus ticks passed since `base`, smoothed */
    double interval; /* ticks between snapshots, smoothed; 0: not known */
    double shown;    /* latest tick that was shown */
};

/* An entity at a moment. */
struct client_view_entity {
    double x_m, y_m;
    double vx_m_s, vy_m_s;
    uint16_t yaw; /* 1/65536 turn */
    uint8_t kind, health, action;
};

void client_view_init(struct client_view *view, uint32_t tick_hz);

/* client_view_snapshot is told the header of each snapshot taken, and whether it began a stream. Returns whether the clock
 * was set anew: what was shown last and what is shown now are then of different times. */
bool client_view_snapshot(struct client_view *view, struct mono now, const struct snapshot_header *header, bool fresh);

/* client_view_at returns the relative tick to show at `now`; never less than client_view_show was told last. */
double client_view_at(const struct client_view *view, struct mono now);

/* client_view_show remembers that this tick was shown. */
void client_view_show(struct client_view *view, double at);

/* client_view_tick returns a relative tick as the server numbers it, low 32 bits, with its fraction. */
double client_view_tick(const struct client_view *view, double at);

/* client_view_entity fills *out with the entity of a slot that isn't empty, at a relative tick; with the past that the slot
 * took over, if any, or without a slot (NULL) with its past alone. */
void client_view_entity(const struct client_view *view, const struct snapshot_slot *slot,
                        const struct client_past_entity *past, double at, struct client_view_entity *out);

#endif
