/* instance_api.h: the part of the operators' endpoint (operator_api.h) that is about instances, and what they are made of.
 *
 *   GET  /v1/instances            those that there are, in short, the newest first
 *   GET  /v1/instances/ID         one, with its players and where it runs
 *   POST /v1/instances            launches one: {"template", "players": [..] or "party", "set": {KEY: VALUE, ..}, "region"}
 *   PUT  /v1/instances/ID/end     ends one now
 *   GET  /v1/templates            /v1/modes: those that hold, and the "error" of newer files that were not taken over
 *   PUT  /v1/reload               reads the files now; 409 with the line that says what is wrong
 *
 * A player is an id as a text; in dev mode any other text is a name. "party" stands for the members of that player's party.
 * Zones of the "region" are preferred, where one is named; it is that of a gateway.
 * Errors are 400 for what can't be, 404 for what there is not, 409 where a player is in an instance, 503 while what was kept
 * is not read yet, or no cell is free. What changes an instance is answered once that would survive (instance_api_settle),
 * after KEEP_PATIENCE_MS with 503.
 *
 * Limits: INSTANCE_API_LIST_MAX in a list; how many more there are is "left_out".
 */
#ifndef MARCH_MATCHMAKER_INSTANCE_API_H
#define MARCH_MATCHMAKER_INSTANCE_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/http.h"
#include "matchmaker/desk.h"
#include "matchmaker/library.h"

#define INSTANCE_API_LIST_MAX 2048 /* they fit into HTTP_BODY_MAX */

struct instance_api {
    const struct config *config;
    struct keep *keep; /* these outlive it */
    struct desk *desk;
    struct instances *instances;
    struct library *designs;
    uint64_t (*player_of)(const char *name); /* in dev mode; NULL: names are nobody's */
};

/* What a request is answered with. */
struct instance_answer {
    unsigned status;
    json_t *json;     /* the receiver's; NULL when memory was short */
    uint32_t changed; /* the instance that was, if not 0 */
    bool is_launch;
};

struct instance_route {
    const char *pattern;
    enum http_method method;
    struct instance_answer (*answer)(const struct instance_api *api, const struct http_request *request, struct mono now,
                                     uint64_t wall_ms);
};

/* instance_api_settle tells whether an answer may be given: what it says would survive. It becomes 503 where that `is_late`,
 * and then nothing is launched. */
bool instance_api_settle(const struct instance_api *api, struct instance_answer *answer, bool is_late);

/* instance_api_status tells in short how it all is, for /status; the caller's, NULL when memory is short. */
json_t *instance_api_status(const struct instance_api *api);

#define INSTANCE_API_ROUTES 7
extern const struct instance_route INSTANCE_ROUTES[INSTANCE_API_ROUTES];

#endif
