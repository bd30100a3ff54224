/* front_inner.h: inside of the front door: what its files lend each other. Nothing outside front*.c includes it. */
#ifndef MARCH_MATCHMAKER_FRONT_INNER_H
#define MARCH_MATCHMAKER_FRONT_INNER_H

#include <ev.h>
#include <jansson.h>

#include "common/jwt.h"
#include "matchmaker/front.h"
#include "matchmaker/gates.h"
#include "matchmaker/pace.h"
#include "matchmaker/regions.h"

#define FRONT_SAID_SIZE 192

/* What is wrong with a request: the HTTP status, and a code for programs. No status: nothing. A message that names something
 * of the request is good until the next one. */
struct problem {
    unsigned status;
    const char *code, *message;
    uint32_t retry_s;
};

/* A member that a body may have, besides token and name; `value` is NULL where it is not there. */
struct front_member {
    const char *name;
    json_type type; /* JSON_TRUE for either */
    bool is_needed;
    json_t **value;
};

/* Who asks, and what: texts and values are the request's or the body's, which front_forget lets go of. */
struct front_ask {
    json_t *body; /* NULL: none */
    const char *token, *name;
    uint64_t player;
    bool may_launch;
};

/* A request that is answered later. */
enum front_wait_kind {
    FRONT_WAIT_CREATED = 0, /* until the ticket would survive */
    FRONT_WAIT_TICKET = 1,  /* until another version of it would */
    FRONT_WAIT_RESULT = 2,
    FRONT_WAIT_BOARD = 3,
    FRONT_WAIT_PARTY = 4,    /* until a mark is durable: `version` */
    FRONT_WAIT_LAUNCHED = 5, /* until the instance would survive */
    FRONT_WAIT_CHANGED = 6   /* until what was changed of it would */
};

struct front_wait {
    const struct http_request *request;
    enum front_wait_kind kind;
    uint64_t key, version, player;
    struct mono until;
    bool is_due; /* it has changed since */
};

struct front {
    struct front_config config;
    struct http *http;
    struct gates *gates;
    struct regions regions;
    struct jwt_verifier verifier; /* not in dev mode */
    struct front_stats stats;
    struct pace pace, match_pace; /* for sessions; for all else that changes something */
    struct front_wait waits[FRONT_WAITS_MAX];
    uint32_t wait_count;
    uint64_t page_request; /* the last one */
    char said[FRONT_SAID_SIZE];
    ev_io io;
};

static inline struct problem front_bad_request(const char *message) {
    return (struct problem){400, "bad_request", message, 0};
}

/* --- answers; `json` is taken, NULL means that memory was short */

void front_reply(struct front *front, const struct http_request *request, unsigned status, json_t *json);
void front_reply_created(struct front *front, const struct http_request *request, const char *location, json_t *json);
void front_reply_problem(struct front *front, const struct http_request *request, const struct problem *problem);

/* --- what is asked (front_ask.c) */

/* front_read reads a body and who asks; `arguments` are those that the query may have, ending in NULL. In the end
 * front_forget whatever comes of it. */
struct problem front_read(struct front *front, const struct http_request *request, const struct front_member *members,
                          uint32_t count, const char *const *arguments, struct front_ask *ask);
void front_forget(struct front_ask *ask);

/* front_read_query looks at a query alone, of who may be anybody. */
struct problem front_read_query(struct front *front, const struct http_request *request, const char *const *arguments);

/* front_read_kept is front_read of what nobody can answer before all that was kept is recalled. */
struct problem front_read_kept(struct front *front, const struct http_request *request, const struct front_member *members,
                               uint32_t count, const char *const *arguments, struct front_ask *ask);

/* front_read_change is front_read_kept of what changes something, which a player may do so often and no more. */
struct problem front_read_change(struct front *front, const struct http_request *request, const struct front_member *members,
                                 uint32_t count, struct front_ask *ask);

/* front_id reads a number of 64 bits as text; false for anything else, and for 0. */
bool front_id(const char *text, uint64_t *id);

/* front_number reads an argument of the query; `fallback` where it is not there. */
struct problem front_number(struct front *front, const struct http_request *request, const char *name, uint64_t min,
                            uint64_t max, uint64_t fallback, uint64_t *number);

/* --- later (front_waits.c). False where too many wait. */

bool front_wait_add(struct front *front, const struct front_wait *wait);

/* front_wait_room is asked before something is done that may have to be waited for. */
struct problem front_wait_room(const struct front *front);

/* front_wait_take removes the first request that waits for this, and returns it; NULL where there is none. */
const struct http_request *front_wait_take(struct front *front, enum front_wait_kind kind, uint64_t key);

/* --- the routes */

void front_create_session(struct front *front, const struct http_request *request);

void front_create_ticket(struct front *front, const struct http_request *request);
void front_get_ticket(struct front *front, const struct http_request *request);
void front_delete_ticket(struct front *front, const struct http_request *request);
void front_answer_check(struct front *front, const struct http_request *request);

/* front_ticket_due, front_party_due and front_instance_due answer who waits for such, where there is something to say that
 * would survive, of a ticket also where nothing is new but `is_late`; true where they did. */
bool front_ticket_due(struct front *front, const struct front_wait *wait, bool is_late);

bool front_party_due(struct front *front, const struct front_wait *wait);
void front_get_party(struct front *front, const struct http_request *request);
void front_invite(struct front *front, const struct http_request *request);
void front_join_party(struct front *front, const struct http_request *request);
void front_leave_party(struct front *front, const struct http_request *request);

bool front_instance_due(struct front *front, const struct front_wait *wait, bool is_late);
void front_get_match(struct front *front, const struct http_request *request);
void front_leave_match(struct front *front, const struct http_request *request);
void front_get_board(struct front *front, const struct http_request *request);
void front_get_modes(struct front *front, const struct http_request *request);
void front_launch(struct front *front, const struct http_request *request);
void front_end_instance(struct front *front, const struct http_request *request);

/* front_reason_problem is what a refusal of the desk is over HTTP. */
struct problem front_reason_problem(enum wire_ticket_reason reason);

#endif
