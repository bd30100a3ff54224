/* operator_api.h: the matchmaker's HTTP endpoint: what it knows, and operators' commands. Answered on the loop, in JSON.
 *
 *   GET  /status                  status.h
 *   GET  /directory               the newest version
 *   PUT  /v1/drain/NAME           body on or off: a zone or a gateway
 *   PUT  /v1/split/WHAT           WHAT: the id of a partition, or a zone, of which the partition with the most players is
 *   PUT  /v1/merge/INTO/FROM      the same; FROM becomes part of INTO
 *
 * and those of instance_api.h, if it has one; besides /health, /ready and /metrics. A command is answered with {"done":
 * true} and the "name" or "partition" that it was about, once it was decided, or with {"error": {"code", "message"}}: 404
 * for what there is not, 400 for a body that is neither and for any query, 503 while the matchmaker gathers, 409 where it
 * can't be. The codes are those of atlas_answer_code. What it begins is seen in /status. Meant for loopback or a private
 * network, as common/http.h says.
 */
#ifndef MARCH_MATCHMAKER_OPERATOR_API_H
#define MARCH_MATCHMAKER_OPERATOR_API_H

#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "common/http.h"
#include "matchmaker/atlas.h"
#include "matchmaker/instance_api.h"
#include "matchmaker/links.h"

#define OPERATOR_API_TURN_MAX  32 /* requests that are answered in one turn of the loop */
#define OPERATOR_API_WAITS_MAX 64 /* that wait until what they changed would survive; who comes beyond gets 503 */

struct ev_loop;
struct operator_api;

struct operator_api_config {
    struct ev_loop *loop;
    const struct config *config;
    const struct metrics *metrics;
    const struct health *health;
    struct atlas *atlas;
    const struct links *links;
    const struct instance_api *instances; /* NULL: its routes are not there */
};

must_check int operator_api_open(struct operator_api **out, const struct operator_api_config *config, char *error,
                                 size_t error_size);
const struct addr *operator_api_address(const struct operator_api *api);
/* operator_api_step answers who waits, where that can be: each turn. */
void operator_api_step(struct operator_api *api, struct mono now);
/* operator_api_close: NULL is fine. */
void operator_api_close(struct operator_api *api);

#endif
