/* front_tickets.c: tickets over HTTP: a player, or the leader of a party, queues for a mode and hears what comes of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "matchmaker/desk.h"
#include "matchmaker/front_inner.h"
#include "matchmaker/match_json.h"

#define CURRENT      "current" /* in the place of a ticket's id: the caller's */
#define LOCATION_MAX 64
#define ANY_VERSION  UINT64_MAX /* whatever the ticket's is, it is another */

static const struct problem FINE = {0};
static const struct problem NO_TICKET = {404, "not_found", "no such ticket of this player", 0};

struct problem front_reason_problem(enum wire_ticket_reason reason) {
    static const struct problem problems[WIRE_REASON_COUNT] = {
        [WIRE_REASON_CANCELLED] = {409, "cancelled", "it was cancelled", 0},
        [WIRE_REASON_TIMED_OUT] = {409, "timed_out", "it has timed out", 0},
        [WIRE_REASON_DECLINED] = {409, "declined", "it was declined", 0},
        [WIRE_REASON_SILENT] = {409, "silent", "somebody did not say that he is ready", 0},
        [WIRE_REASON_UNKNOWN_MODE] = {404, "unknown_mode", "there is no such mode", 0},
        [WIRE_REASON_INVALID] = {400, "bad_request", "not within the limits of the mode, or of a party", 0},
        [WIRE_REASON_EXISTS] = {409, "exists", "a player has a ticket already", 0},
        [WIRE_REASON_BUSY] = {409, "in_a_match", "a player is in a match", 0},
        [WIRE_REASON_NOT_LEADER] = {403, "not_leader", "that is for the leader of the party", 0},
        [WIRE_REASON_UNAVAILABLE] = {503, "unavailable", "what keeps this is away", 1},
        [WIRE_REASON_FULL] = {503, "full", "too many", 5},
        [WIRE_REASON_NOT_FOUND] = {404, "not_found", "no such ticket, party or invitation", 0},
    };
    return problems[reason];
}

/* --- to enter */

static struct problem read_roles(const struct mode *mode, const json_t *list, uint32_t *roles) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        uint32_t at = 0;
        while (name && at < mode->role_count && strcmp(mode->roles[at].name, name) != 0) at++;
        if (!name || at == mode->role_count) return front_bad_request("a role that the mode does not have");
        *roles |= 1u << at;
    }
    return FINE;
}

static struct problem read_latencies(const struct front *f, json_t *object, struct desk_latency *latencies,
                                     uint32_t *count) {
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        uint32_t region = regions_find(&f->regions, name);
        if (region == REGIONS_NONE) return (struct problem){400, "unknown_region", "no gateway is of that region", 0};
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) >= QUEUE_UNREACHABLE_MS)
            return front_bad_request("a latency is a number of milliseconds");
        CHECK(*count < QUEUE_REGIONS_MAX); /* each is there once */
        latencies[(*count)++] = (struct desk_latency){.region = region, .ms = (uint16_t)json_integer_value(value)};
    }
    return FINE;
}

static struct problem read_avoid(const json_t *list, uint64_t *avoid, uint32_t *count) {
    if (json_array_size(list) > QUEUE_AVOID_MAX) return front_bad_request("too many players to avoid");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !front_id(text, &avoid[*count])) return front_bad_request("a player is a number in a string");
        ++*count;
    }
    return FINE;
}

/* enter makes a ticket; it is answered when it would survive a restart. */
static struct problem enter(struct front *f, const struct http_request *request, const struct front_ask *ask,
                            const json_t *mode_name, const json_t *roles, json_t *latencies, const json_t *avoided) {
    const struct mode *mode = mode_set_find(desk_modes(f->config.desk), json_string_value(mode_name));
    if (!mode) return front_reason_problem(WIRE_REASON_UNKNOWN_MODE);
    struct desk_latency latency[QUEUE_REGIONS_MAX];
    uint64_t avoid[QUEUE_AVOID_MAX], ticket;
    struct desk_request wish = {.player = ask->player, .mode = mode->name, .latencies = latency, .avoid = avoid};
    struct problem problem = read_roles(mode, roles, &wish.roles);
    if (!problem.status) problem = read_latencies(f, latencies, latency, &wish.latency_count);
    if (!problem.status) problem = read_avoid(avoided, avoid, &wish.avoid_count);
    if (problem.status) return problem;
    struct mono now = mono_now();
    struct front_wait wait = {
        .request = request, .kind = FRONT_WAIT_CREATED, .player = ask->player, .until = mono_add_ms(now, KEEP_PATIENCE_MS)};
    problem = front_wait_room(f);
    if (problem.status) return problem;
    enum wire_ticket_reason reason = desk_enter(f->config.desk, &wish, now, wall_now_ns() / NS_PER_MS, &ticket);
    if (reason != WIRE_REASON_NONE) return front_reason_problem(reason);
    wait.key = ticket;
    if (!front_ticket_due(f, &wait, false)) CHECK(front_wait_add(f, &wait));
    return FINE;
}

void front_create_ticket(struct front *f, const struct http_request *request) {
    json_t *mode, *roles, *latencies, *avoid;
    const struct front_member members[] = {{"mode", JSON_STRING, true, &mode},
                                           {"roles", JSON_ARRAY, false, &roles},
                                           {"latency_ms", JSON_OBJECT, false, &latencies},
                                           {"avoid", JSON_ARRAY, false, &avoid}};
    struct front_ask ask;
    struct problem problem = front_read_change(f, request, members, 4, &ask);
    if (!problem.status) problem = enter(f, request, &ask, mode, roles, latencies, avoid);
    if (problem.status) front_reply_problem(f, request, &problem);
    front_forget(&ask);
}

/* --- to look */

static bool is_of(const struct desk_ticket *ticket, uint64_t player) {
    for (uint32_t i = 0; i < ticket->player_count; i++)
        if (ticket->players[i] == player) return true;
    return false;
}

/* find_ticket finds the ticket that the path names, where it is one of the player's. */
static bool find_ticket(const struct front *f, const struct http_request *request, uint64_t player,
                        struct desk_ticket *ticket) {
    uint64_t id;
    const char *text = request->parameters[0];
    bool is_current = strcmp(text, CURRENT) == 0;
    if (is_current) id = desk_ticket_of(f->config.desk, player);
    if (!is_current && !front_id(text, &id)) return false;
    return desk_ticket_get(f->config.desk, id, mono_now(), wall_now_ns() / NS_PER_MS, ticket) && is_of(ticket, player);
}

static json_t *shown(const struct front *f, const struct desk_ticket *ticket) {
    struct instance_view match;
    bool is_there = ticket->instance != 0 && instances_view(f->config.instances, ticket->instance, &match);
    return ticket_json(ticket, is_there ? &match : NULL);
}

bool front_ticket_due(struct front *f, const struct front_wait *wait, bool is_late) {
    struct desk_ticket ticket;
    if (!desk_ticket_get(f->config.desk, wait->key, mono_now(), wall_now_ns() / NS_PER_MS, &ticket)) {
        front_reply_problem(f, wait->request, &NO_TICKET);
        return true;
    }
    if (!desk_ticket_is_durable(f->config.desk, wait->key)) return false;
    if (wait->kind == FRONT_WAIT_CREATED) {
        char location[LOCATION_MAX];
        if (ticket.state == WIRE_TICKET_ENDED && ticket.reason == WIRE_REASON_UNAVAILABLE) {
            struct problem problem = front_reason_problem(ticket.reason);
            front_reply_problem(f, wait->request, &problem);
            return true;
        }
        snprintf(location, sizeof location, "/v1/tickets/%" PRIu64, ticket.id);
        front_reply_created(f, wait->request, location, shown(f, &ticket));
        return true;
    }
    if (ticket.version == wait->version && !is_late) return false;
    front_reply(f, wait->request, 200, shown(f, &ticket));
    return true;
}

/* wait_for_ticket answers with a ticket once it has another version that would survive, or is told after `ms` that nothing
 * is new; at once where too many wait. */
static void wait_for_ticket(struct front *f, const struct http_request *request, uint64_t ticket, uint64_t version,
                            uint64_t ms) {
    const struct front_wait wait = {.request = request,
                                    .kind = FRONT_WAIT_TICKET,
                                    .key = ticket,
                                    .version = version,
                                    .until = mono_add_ms(mono_now(), ms)};
    if (front_ticket_due(f, &wait, false) || front_wait_add(f, &wait)) return;
    struct problem problem = front_wait_room(f);
    if (!front_ticket_due(f, &wait, true)) front_reply_problem(f, request, &problem);
}

/* answer_match answers who has no ticket that lives, but a match, where he asks for what he has. */
static bool answer_match(struct front *f, const struct http_request *request, uint64_t player) {
    struct instance_view match;
    struct desk_ticket ticket;
    uint64_t id;
    if (strcmp(request->parameters[0], CURRENT) != 0) return false;
    uint32_t instance = desk_match_of_player(f->config.desk, player, &id);
    if (instance == 0 || !instances_view(f->config.instances, instance, &match)) return false;
    if (desk_ticket_get(f->config.desk, id, mono_now(), wall_now_ns() / NS_PER_MS, &ticket)) {
        wait_for_ticket(f, request, id, ANY_VERSION, KEEP_PATIENCE_MS);
        return true;
    }
    if (match.stage == INSTANCE_LAUNCHING) return false; /* it might be forgotten again */
    front_reply(f, request, 200, seat_json(&match, player));
    return true;
}

void front_get_ticket(struct front *f, const struct http_request *request) {
    static const char *const arguments[] = {"wait_s", "version", NULL};
    struct front_ask ask;
    struct desk_ticket ticket;
    uint64_t wait_s, version;
    struct problem problem = front_read_kept(f, request, NULL, 0, arguments, &ask);
    if (!problem.status) problem = front_number(f, request, "wait_s", 0, FRONT_POLL_S, 0, &wait_s);
    if (!problem.status) problem = front_number(f, request, "version", 0, INT64_MAX, 0, &version);
    bool is_found = !problem.status && find_ticket(f, request, ask.player, &ticket);
    front_forget(&ask);
    if (!problem.status && !is_found && answer_match(f, request, ask.player)) return;
    if (!problem.status && !is_found) problem = NO_TICKET;
    if (problem.status) {
        front_reply_problem(f, request, &problem);
        return;
    }
    bool is_over = ticket.state == WIRE_TICKET_ENDED || ticket.state == WIRE_TICKET_MATCHED;
    if (wait_s == 0 || is_over) {
        wait_for_ticket(f, request, ticket.id, ANY_VERSION, KEEP_PATIENCE_MS);
    } else {
        wait_for_ticket(f, request, ticket.id, version, wait_s * 1000);
    }
}

/* --- to answer, to leave */

/* finish answers with the ticket as it is then, when that would survive. */
static void finish(struct front *f, const struct http_request *request, struct problem problem, uint64_t ticket) {
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        wait_for_ticket(f, request, ticket, ANY_VERSION, KEEP_PATIENCE_MS);
    }
}

void front_delete_ticket(struct front *f, const struct http_request *request) {
    struct front_ask ask;
    struct desk_ticket ticket = {0};
    struct problem problem = front_read_change(f, request, NULL, 0, &ask);
    if (!problem.status) problem = front_wait_room(f);
    if (!problem.status && !find_ticket(f, request, ask.player, &ticket)) problem = NO_TICKET;
    if (!problem.status) problem = front_reason_problem(desk_cancel(f->config.desk, ticket.id, ask.player, mono_now()));
    finish(f, request, problem, ticket.id);
    front_forget(&ask);
}

void front_answer_check(struct front *f, const struct http_request *request) {
    json_t *ready;
    const struct front_member members[] = {{"ready", JSON_TRUE, true, &ready}};
    struct front_ask ask;
    struct desk_ticket ticket = {0};
    struct problem problem = front_read_change(f, request, members, 1, &ask);
    if (!problem.status) problem = front_wait_room(f);
    if (!problem.status && !find_ticket(f, request, ask.player, &ticket)) problem = NO_TICKET;
    if (!problem.status && ticket.state != WIRE_TICKET_ASKED)
        problem = (struct problem){409, "not_asked", "nobody asks whether this ticket is ready", 0};
    if (!problem.status)
        problem = front_reason_problem(desk_answer(f->config.desk, ask.player, json_is_true(ready), mono_now()));
    finish(f, request, problem, ticket.id);
    front_forget(&ask);
}
