/* front.h: the front door: the HTTP API for players and studios, on an address of its own. Answered on the loop, in JSON.
 *
 *   POST   /v1/sessions               who is it? -> a connect token for the gateways that are least loaded
 *   POST   /v1/tickets                a player, or the leader of a party, queues for a mode
 *   GET    /v1/tickets/{ticket}       what became of it; with wait_s when there is something new
 *   DELETE /v1/tickets/{ticket}       cancels it
 *   PUT    /v1/tickets/{ticket}/ready answers a ready check
 *   GET    /v1/party                  and POST .../invitations, POST .../members, DELETE .../members/{player}
 *   GET    /v1/matches/{match}        one that runs, or its result
 *   GET    /v1/leaderboards/{mode}
 *   GET    /v1/modes
 *   POST   /v1/instances              and DELETE .../{match}: for callers whose token has the scope `instances`
 *   GET    /v1/openapi.yaml           schemas/openapi.yaml, which says all that is asked and answered
 *
 * besides /health and /ready. Who asks shows a token that the studio has signed (common/jwt.h) whose `sub` is the player's
 * id; or in dev mode a name, which is always the same player's. All errors are {"error": {"code", "message"}}.
 *
 * {ticket} may be `current`, the caller's: a look at it also tells the match that it became, until he may queue again.
 * Nobody is told that something is done before it would survive a restart: tickets, parties, launches and ends wait for
 * that, and after KEEP_PATIENCE_MS are refused as `unavailable`; an instance that is refused so is ended.
 *
 * Limits: those of http.h for a public endpoint, FRONT_CONNECTIONS_MAX, and pace.h for each player. At most FRONT_TURN_MAX
 * requests are answered in one turn of the loop, which takes 5 ms at worst: deaths of processes are noticed on the same
 * loop. FRONT_WAITS_MAX requests wait for something; who comes beyond is answered at once. No TLS: beyond one machine it
 * stands behind a proxy that has it.
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
#include "matchmaker/desk.h"

#define FRONT_CONNECTIONS_MAX 1024
#define FRONT_WAITS_MAX       768
#define FRONT_POLL_S          30 /* that a look at a ticket may wait */
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
    struct desk *desk;
    struct instances *instances;
    struct keep *keep;
};

struct front_stats {
    uint64_t sessions; /* let in */
    uint64_t done;     /* 200, 201: those among them */
    uint64_t bad;      /* malformed requests: 400, 415 */
    uint64_t missing;  /* 404, 409 */
    uint64_t refused;  /* 401, 403 */
    uint64_t limited;  /* 429 */
    uint64_t unready;  /* 503 */
    struct http_stats http;
};

/* front_open opens the front door of a configuration that has one. All that the config names outlives it. On failure `error`
 * holds a line. sodium_init() must have run. */
must_check int front_open(struct front **out, const struct front_config *config, char *error, size_t error_size);
const struct addr *front_address(const struct front *front);
struct front_stats front_stats_get(const struct front *front);
/* front_step lets time pass: who waits too long is answered. */
void front_step(struct front *front, struct mono now);

/* What it waits for: a ticket has changed (answered in the next step, and callable from within the desk), a result was read
 * (len 0: there is none), a page of a board is there. */
void front_ticket_changed(struct front *front, uint64_t ticket);
void front_result(struct front *front, uint64_t match, const uint8_t *bytes, uint32_t len);
void front_page(struct front *front, uint64_t request, const struct wire_page_row *rows, uint32_t count, bool is_whole);

/* front_close: NULL is fine. */
void front_close(struct front *front);

/* front_player_of returns the player that a name of dev mode is: from 2^62 on, where no other ids are. */
uint64_t front_player_of(const char *name);

#endif
