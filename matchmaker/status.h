/* status.h: the atlas in JSON, under the names of the configuration: for operators and zonectl.
 *
 * Versions are numbers; incarnations are 16 digits, hexadecimal. Who has no owner or former owner has null.
 */
#ifndef MARCH_MATCHMAKER_STATUS_H
#define MARCH_MATCHMAKER_STATUS_H

#include <jansson.h>

#include "common/clock.h"
#include "common/config.h"
#include "matchmaker/atlas.h"
#include "matchmaker/desk.h"
#include "matchmaker/links.h"

/* status_json returns everything: version, workers, partitions, gateways, persists, drains with what is left. Both return a
 * new object, NULL when memory is short. */
json_t *status_json(const struct atlas *atlas, const struct links *links, const struct config *config, struct mono now);

/* status_directory returns the newest version as everybody was told. */
json_t *status_directory(const struct atlas *atlas, const struct config *config);

/* status_matches tells in short of tickets, matches and what is not durable yet. */
json_t *status_matches(const struct desk *desk, const struct keep *keep);

#endif
