/* front_parties.c: parties over HTTP: who queues together. */
#include <inttypes.h>
#include <stdio.h>

#include "matchmaker/desk.h"
#include "matchmaker/front_inner.h"
#include "matchmaker/match_json.h"

static void reply_party(struct front *f, const struct http_request *request, uint64_t player) {
    struct desk_party party = desk_party_of(f->config.desk, player);
    front_reply(f, request, 200, party_json(&party));
}

bool front_party_due(struct front *f, const struct front_wait *wait) {
    if (!keep_is_durable(f->config.keep, wait->version)) return false;
    reply_party(f, wait->request, wait->player);
    return true;
}

/* wait_for_party answers with a player's party once a mark is durable. */
static void wait_for_party(struct front *f, const struct http_request *request, uint64_t player, uint64_t mark) {
    const struct front_wait wait = {.request = request,
                                    .kind = FRONT_WAIT_PARTY,
                                    .version = mark,
                                    .player = player,
                                    .until = mono_add_ms(mono_now(), KEEP_PATIENCE_MS)};
    if (front_party_due(f, &wait) || front_wait_add(f, &wait)) return;
    struct problem problem = front_wait_room(f);
    front_reply_problem(f, request, &problem);
}

/* act does what a request asks of the player's party, and answers with what that is then, when it would survive. */
static void act(struct front *f, const struct http_request *request, uint64_t player, enum wire_party_verb verb,
                uint64_t other) {
    uint64_t before = keep_mark(f->config.keep);
    struct problem problem = front_wait_room(f);
    if (!problem.status) problem = front_reason_problem(desk_party(f->config.desk, player, verb, other, mono_now()));
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        uint64_t mark = keep_mark(f->config.keep);
        wait_for_party(f, request, player, mark == before ? 0 : mark); /* invitations are not kept */
    }
}

void front_get_party(struct front *f, const struct http_request *request) {
    struct front_ask ask;
    struct problem problem = front_read_kept(f, request, NULL, 0, NULL, &ask);
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        (void)desk_party(f->config.desk, ask.player, WIRE_PARTY_LOOK, 0, mono_now()); /* who looks has not left it */
        wait_for_party(f, request, ask.player, desk_party_of(f->config.desk, ask.player).mark);
    }
    front_forget(&ask);
}

/* Reads a body with one player in it, and does it. */
static void act_on(struct front *f, const struct http_request *request, const char *member, enum wire_party_verb verb) {
    json_t *value;
    const struct front_member members[] = {{member, JSON_STRING, true, &value}};
    struct front_ask ask;
    uint64_t other = 0;
    struct problem problem = front_read_change(f, request, members, 1, &ask);
    if (!problem.status && !front_id(json_string_value(value), &other))
        problem = front_bad_request("a player is a number in a string");
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        act(f, request, ask.player, verb, other);
    }
    front_forget(&ask);
}

void front_invite(struct front *f, const struct http_request *request) {
    act_on(f, request, "player", WIRE_PARTY_INVITE);
}

void front_join_party(struct front *f, const struct http_request *request) {
    act_on(f, request, "leader", WIRE_PARTY_JOIN);
}

void front_leave_party(struct front *f, const struct http_request *request) {
    struct front_ask ask;
    uint64_t other = 0;
    struct problem problem = front_read_change(f, request, NULL, 0, &ask);
    if (!problem.status && !front_id(request->parameters[0], &other))
        problem = (struct problem){404, "not_found", "no such player", 0};
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        act(f, request, ask.player, other == ask.player ? WIRE_PARTY_LEAVE : WIRE_PARTY_REMOVE, other);
    }
    front_forget(&ask);
}
