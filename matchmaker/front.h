/* front.h: the front door: the HTTP API for players and studios, on an address of its own. Answered on the loop, in JSON.
 *
 *   POST /v1/sessions        who is it? -> a connect token for the gateways that are least loaded
 *   GET  /v1/openapi.yaml    schemas/openapi.yaml, which says all that is asked and answered
 *
 * besides /health and /ready. Who asks shows a token that the studio has signed (common/jwt.h) whose `sub` is the player's
 * id; or in dev mode a name, which is always the same player's. All errors are {"error": {"code", "message"}}.
 *
 * Limits: those of http.h for a public endpoint, FRONT_CONNECTIONS_MAX, and pace.h for each player. At most FRONT_TURN_MAX
 * requests are answered in one turn of the loop, which takes 5 ms at worst: deaths of processes are noticed on the same
 * loop. No TLS: beyond one machine it stands behind a proxy that has it.
 */
#ifndef MARCH_MATCHMAKER_FRONT_H
#define MARCH_MATCHMAKER_FRONT_H

#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "common/health.h"
#include "common/http.h"
#include "matchmaker/atlas.h"

#define FRONT_CONNECTIONS_MAX 256
#define FRONT_TURN_MAX        32
#define FRONT_NAME_MAX        32 /* bytes of a name in dev mode */

struct ev_loop;
struct front;

struct front_config {
    struct ev_loop *loop;
    const char *config_path; /* whose folder the keys' names begin at */
    const struct config *config;
    const char *run_dir;
    const struct health *health;
    const struct atlas *atlas;
};

struct front_stats {
    uint64_t sessions; /* 201 */
    uint64_t bad;      /* malformed requests: 400, 415 */
    uint64_t refused;  /* 401, 403 */
    uint64_t limited;  /* 429 */
    uint64_t unready;  /* 503 */
    struct http_stats http;
};

/* front_open opens the front door of a configuration that has one. Config and atlas outlive it. On failure `error` holds a
 * line. sodium_init() must have run. */
must_check int front_open(struct front **out, const struct front_config *config, char *error, size_t error_size);
const struct addr *front_address(const struct front *front);
struct front_stats front_stats_get(const struct front *front);
/* front_close: NULL is fine. */
void front_close(struct front *front);

/* front_player_of returns the player that a name of dev mode is: from 2^62 on, where no other ids are. */
uint64_t front_player_of(const char *name);

#endif
