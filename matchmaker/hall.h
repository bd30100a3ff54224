/* hall.h: matches in a matchmaker: the desk, what it keeps, the instances and the library, on the process's loop and edges.
 *
 *   edges ──told, report, asks──► keep, instances, desk ──► what is due: asks, orders, messages to players
 *
 * Without modes, templates or blocks in the configuration it is there all the same, and nobody can queue.
 *
 * hall_step each turn after the edges were received, and before they are flushed: so a ticket that completes a match is
 * announced in the turn in which it came. All that the config names outlives it.
 */
#ifndef MARCH_MATCHMAKER_HALL_H
#define MARCH_MATCHMAKER_HALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "matchmaker/desk.h"
#include "matchmaker/front.h"
#include "matchmaker/instance_api.h"
#include "matchmaker/links.h"

#define HALL_TICKETS_MAX (1u << 20) /* tables take 12 MB with a hundred tickets, 360 MB with a million */

struct hall;

struct hall_config {
    struct ev_loop *loop;
    const char *config_path; /* whose folder the folders' names begin at */
    const struct config *config;
    const struct atlas *atlas;
};

struct hall_stats {
    struct keep_stats keep;
    struct instances_stats instances;
    struct desk_stats desk;
    struct library_stats designs;
};

/* hall_open reads modes and templates; on failure `error` holds the line that says what is wrong. */
must_check int hall_open(struct hall **out, const struct hall_config *config, char *error, size_t error_size);
/* hall_close: NULL is fine. After the edges, which call its handlers. */
void hall_close(struct hall *hall);

/* hall_handlers are for links_open; hall_connect gives it the edges, and the front door or NULL, before the loop runs; and
 * NULL for both before they are closed. */
struct links_handlers hall_handlers(struct hall *hall);
void hall_connect(struct hall *hall, struct links *links, struct front *front);

/* hall_step is true when more is due at once. */
bool hall_step(struct hall *hall, struct mono now);

/* --- looking in */

struct desk *hall_desk(struct hall *hall);
struct instances *hall_instances(struct hall *hall);
struct keep *hall_keep(struct hall *hall);
const struct instance_api *hall_api(const struct hall *hall);
struct hall_stats hall_stats_get(const struct hall *hall);

#endif
