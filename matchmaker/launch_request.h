/* launch_request.h: an instance that somebody wants launched, as both HTTP interfaces take it in JSON:
 *
 *   {"template": "crypt", "players": ["7", "8"], "set": {"time_limit_s": 60}}
 */
#ifndef MARCH_MATCHMAKER_LAUNCH_REQUEST_H
#define MARCH_MATCHMAKER_LAUNCH_REQUEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "matchmaker/template_file.h"

struct launch_request {
    struct template template; /* with what was set */
    uint32_t player_count;
    uint64_t players[TEMPLATE_CAPACITY_MAX];
};

/* launch_request_read takes a template's name, a list of ids of players and an object of keys to set; the last two may be
 * NULL. MARCH_ERR_NOT_FOUND for a template that is not there, MARCH_ERR_INVALID for what can't be, with a line in `error`.
 */
must_check int launch_request_read(const struct template_set *templates, const char *name, const json_t *players,
                                   json_t *set, struct launch_request *launch, char *error, size_t error_size);

#endif
