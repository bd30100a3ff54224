/* matches.h: all of the matchmaker that is about matches, put together: keep, instances, desk and library.
 *
 *   what came (links.h) ──► keep, instances, desk ──matches_step: time passes──► matches_fill: what is due goes out
 *
 * The library's files are the desk's modes and templates, from the start on and whenever they change. What the desk tells
 * players goes out by links, what HTTP waits for to the front door. A ticket that completes a match, a document that became
 * durable, a report: what follows from any of them goes out in the same turn of the loop.
 *
 * Limits: those of its parts, MATCHES_TICKETS_MAX; MATCHES_STEPS_MAX steps of the desk in a turn, the next turn goes on.
 */
#ifndef MARCH_MATCHMAKER_MATCHES_H
#define MARCH_MATCHMAKER_MATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "matchmaker/atlas.h"
#include "matchmaker/desk.h"
#include "matchmaker/instance_api.h"
#include "matchmaker/links.h"

#define MATCHES_TICKETS_MAX  (1u << 18)
#define MATCHES_STEPS_MAX    4
#define MATCHES_MESSAGES_MAX 8 /* to a peer in a turn */

struct ev_loop;
struct front;
struct matches;

struct matches_config {
    struct ev_loop *loop;
    const char *config_path; /* whose folder those of modes and templates begin at */
    const struct config *config;
    const struct atlas *atlas;
};

struct matches_stats {
    struct desk_stats desk;
    struct instances_stats instances;
    struct keep_stats keep;
    uint64_t asked; /* by players in the world */
};

/* matches_open reads modes and templates; on failure `error` holds the line that says what is wrong. */
must_check int matches_open(struct matches **out, const struct matches_config *config, char *error, size_t error_size);
/* matches_close: NULL is fine. */
void matches_close(struct matches *matches);

/* What links call; and whom matches call: `links` before the loop runs, `front` where there is one. */
struct links_handlers matches_handlers(struct matches *matches);
void matches_attach(struct matches *matches, struct links *links, struct front *front);

/* matches_step lets time pass, after the atlas's step; true when more is due at once. */
bool matches_step(struct matches *matches, struct mono now, uint64_t wall_ms);

/* matches_fill sends shards and zones what they are to be told. */
void matches_fill(struct matches *matches, struct mono now);

/* What HTTP looks into. */
const struct instance_api *matches_api(const struct matches *matches);
struct matches_stats matches_stats_get(const struct matches *matches);

#endif
