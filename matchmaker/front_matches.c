/* front_matches.c: matches, their results, leaderboards and modes over HTTP; instances for those who may launch them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "matchmaker/desk.h"
#include "matchmaker/front_inner.h"
#include "matchmaker/launch_request.h"
#include "matchmaker/match_json.h"

#define ANSWER_MS  2000
#define BOARD_ROWS 20
#define CURRENT    "current" /* in the place of a match: the one that the caller is in */

static const struct problem NO_MATCH = {404, "not_found", "no such match", 0};
static const struct problem UNAVAILABLE = {503, "unavailable", "what keeps this is away", 1};

/* --- a match */

/* wait_for_result has a result read; it is answered by front_result. */
static struct problem wait_for_result(struct front *f, const struct http_request *request, uint64_t id) {
    struct front_wait wait = {
        .request = request, .kind = FRONT_WAIT_RESULT, .key = id, .until = mono_add_ms(mono_now(), ANSWER_MS)};
    if (keep_read(f->config.keep, WIRE_DOCUMENT_RESULT, id) != 0 || !front_wait_add(f, &wait)) return UNAVAILABLE;
    return (struct problem){0};
}

void front_get_match(struct front *f, const struct http_request *request) {
    struct front_ask ask;
    struct instance_view view;
    uint64_t id;
    struct problem problem = front_read(f, request, NULL, 0, NULL, &ask);
    front_forget(&ask);
    if (!problem.status && (!front_id(request->parameters[0], &id) || id > UINT32_MAX)) problem = NO_MATCH;
    if (!problem.status && instances_view(f->config.instances, (uint32_t)id, &view)) {
        front_reply(f, request, 200, instance_json(&view));
        return;
    }
    if (!problem.status) problem = wait_for_result(f, request, id);
    if (problem.status) front_reply_problem(f, request, &problem);
}

void front_result(struct front *f, uint64_t id, const uint8_t *bytes, uint32_t len) {
    const struct http_request *request;
    struct desk_result result;
    while ((request = front_wait_take(f, FRONT_WAIT_RESULT, id))) {
        if (len > 0 && desk_result_read(bytes, len, &result) == 0) {
            front_reply(f, request, 200, result_json(&result));
        } else {
            front_reply_problem(f, request, &NO_MATCH);
        }
    }
}

/* --- boards and modes: for anybody */

void front_get_board(struct front *f, const struct http_request *request) {
    static const char *const arguments[] = {"limit", "season", NULL};
    uint64_t limit = 0, season = 0;
    struct problem problem = front_read_query(f, request, arguments);
    if (!problem.status) problem = front_number(f, request, "limit", 1, WIRE_BOARD_PAGE_MAX, BOARD_ROWS, &limit);
    if (!problem.status)
        problem = front_number(f, request, "season", 1, UINT32_MAX, f->config.config->persist.season, &season);
    const char *mode = request->parameters[0];
    if (!problem.status && !mode_set_find(desk_modes(f->config.desk), mode))
        problem = front_reason_problem(WIRE_REASON_UNKNOWN_MODE);
    struct front_wait wait = {.request = request,
                              .kind = FRONT_WAIT_BOARD,
                              .key = ++f->page_request,
                              .version = season,
                              .until = mono_add_ms(mono_now(), ANSWER_MS)};
    if (!problem.status && keep_page(f->config.keep, wait.key, mode, (uint32_t)season, (uint32_t)limit) != 0)
        problem = UNAVAILABLE;
    if (!problem.status && !front_wait_add(f, &wait)) problem = UNAVAILABLE;
    if (problem.status) front_reply_problem(f, request, &problem);
}

void front_page(struct front *f, uint64_t page_request, const struct wire_page_row *rows, uint32_t count, bool is_whole) {
    for (uint32_t i = 0; i < f->wait_count; i++) {
        const struct front_wait *wait = &f->waits[i];
        if (wait->kind != FRONT_WAIT_BOARD || wait->key != page_request) continue;
        uint32_t season = (uint32_t)wait->version;
        const struct http_request *request = front_wait_take(f, FRONT_WAIT_BOARD, page_request);
        front_reply(f, request, 200, board_json(request->parameters[0], season, rows, count, is_whole));
        return;
    }
}

void front_get_modes(struct front *f, const struct http_request *request) {
    const struct mode_set *modes = desk_modes(f->config.desk);
    struct problem problem = front_read_query(f, request, NULL);
    if (problem.status) {
        front_reply_problem(f, request, &problem);
        return;
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < modes->count; i++)
        if (modes->modes[i].instance[0] != '\0') json_array_append_new(list, mode_json(&modes->modes[i]));
    front_reply(f, request, 200, json_pack("{s:o}", "modes", list));
}

/* --- instances, for those who may */

static const struct problem NOT_ALLOWED = {403, "not_allowed", "the token's scope has no instances", 0};

static struct problem launch_problem(int result) {
    switch (result) {
    case 0: return (struct problem){0};
    case MARCH_ERR_EXISTS: return (struct problem){409, "in_a_match", "a player is in a match", 0};
    case MARCH_ERR_FULL: return (struct problem){503, "full", "no place for an instance is free", 5};
    case MARCH_ERR_UNAVAILABLE: return UNAVAILABLE;
    default: return front_bad_request("more players than the template has room for, or one twice");
    }
}

bool front_instance_due(struct front *f, const struct front_wait *wait, bool is_late) {
    struct instance_view view;
    uint32_t id = (uint32_t)wait->key;
    bool is_launch = wait->kind == FRONT_WAIT_LAUNCHED;
    if (!instances_is_kept(f->config.instances, id)) {
        if (is_late && is_launch) (void)!instances_end(f->config.instances, id); /* who is refused has not launched it */
        return false;
    }
    if (!instances_view(f->config.instances, id, &view)) {
        front_reply_problem(f, wait->request, &NO_MATCH);
    } else if (is_launch) {
        char location[32];
        snprintf(location, sizeof location, "/v1/matches/%" PRIu32, id);
        front_reply_created(f, wait->request, location, instance_json(&view));
    } else {
        front_reply(f, wait->request, 200, instance_json(&view));
    }
    return true;
}

/* wait_for_instance answers once what was asked of an instance would survive. There is room for it. */
static void wait_for_instance(struct front *f, const struct http_request *request, enum front_wait_kind kind, uint32_t id) {
    const struct front_wait wait = {
        .request = request, .kind = kind, .key = id, .until = mono_add_ms(mono_now(), KEEP_PATIENCE_MS)};
    if (!front_instance_due(f, &wait, false)) CHECK(front_wait_add(f, &wait));
}

void front_leave_match(struct front *f, const struct http_request *request) {
    struct front_ask ask;
    struct problem problem = front_read_change(f, request, NULL, 0, &ask);
    uint32_t id = problem.status ? 0 : instances_of_player(f->config.instances, ask.player);
    if (!problem.status && (strcmp(request->parameters[0], CURRENT) != 0 || id == 0)) problem = NO_MATCH;
    if (!problem.status) problem = front_wait_room(f);
    if (!problem.status) problem = front_reason_problem(desk_leave(f->config.desk, ask.player, mono_now()));
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        wait_for_instance(f, request, FRONT_WAIT_CHANGED, id);
    }
    front_forget(&ask);
}

/* What a body of a launch may have; NULL: it is not there. */
struct launch_body {
    json_t *template, *players, *party, *set, *region;
};

static struct problem read_region(const struct front *f, const struct launch_body *body, uint32_t *region) {
    *region = INSTANCES_ANYWHERE;
    if (!body->region) return (struct problem){0};
    uint32_t found = regions_find(&f->regions, json_string_value(body->region));
    if (found == REGIONS_NONE) return (struct problem){400, "unknown_region", "no gateway is of that region", 0};
    *region = found;
    return (struct problem){0};
}

/* read_players has who is named in it, or is in the party of who is; `*players` is the caller's, and NULL where that is
 * nobody. */
static struct problem read_players(const struct front *f, const struct launch_body *body, json_t **players) {
    uint64_t player;
    *players = NULL;
    if (body->players && body->party) return front_bad_request("expected players or a party, not both");
    if (!body->party) {
        *players = json_incref(body->players);
        return (struct problem){0};
    }
    if (!front_id(json_string_value(body->party), &player))
        return front_bad_request("party: expected the id of a player who is in it");
    const struct desk_party party = desk_party_of(f->config.desk, player);
    if (party.leader == 0) return (struct problem){404, "no_party", "the player is in no party", 0};
    json_t *shown = party_json(&party);
    *players = json_incref(json_object_get(shown, "members"));
    json_decref(shown);
    return (struct problem){0};
}

static void launch(struct front *f, const struct http_request *request, const struct launch_body *body) {
    struct launch_request wanted;
    uint32_t id, region;
    char error[TEMPLATE_ERROR_SIZE];
    json_t *players = NULL;
    struct problem problem = read_region(f, body, &region);
    if (!problem.status) problem = read_players(f, body, &players);
    int result = problem.status ? 0
                                : launch_request_read(desk_templates(f->config.desk), json_string_value(body->template),
                                                      players, body->set, &wanted, error, sizeof error);
    json_decref(players);
    if (result == MARCH_ERR_NOT_FOUND) problem = (struct problem){404, "unknown_template", error, 0};
    if (result == MARCH_ERR_INVALID) problem = front_bad_request(error);
    if (!problem.status) problem = front_wait_room(f);
    if (!problem.status)
        problem = launch_problem(desk_launch(f->config.desk, &wanted.template, region, wanted.players, wanted.player_count,
                                             mono_now(), wall_now_ns() / NS_PER_MS, &id));
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        wait_for_instance(f, request, FRONT_WAIT_LAUNCHED, id);
    }
}

void front_launch(struct front *f, const struct http_request *request) {
    struct front_ask ask;
    struct launch_body body;
    const struct front_member members[] = {{"template", JSON_STRING, true, &body.template},
                                           {"players", JSON_ARRAY, false, &body.players},
                                           {"party", JSON_STRING, false, &body.party},
                                           {"set", JSON_OBJECT, false, &body.set},
                                           {"region", JSON_STRING, false, &body.region}};
    struct problem problem = front_read_change(f, request, members, sizeof members / sizeof *members, &ask);
    if (!problem.status && !ask.may_launch) problem = NOT_ALLOWED;
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        launch(f, request, &body);
    }
    front_forget(&ask);
}

void front_end_instance(struct front *f, const struct http_request *request) {
    struct front_ask ask;
    uint64_t id = 0;
    struct problem problem = front_read_change(f, request, NULL, 0, &ask);
    if (!problem.status && !ask.may_launch) problem = NOT_ALLOWED;
    if (!problem.status) problem = front_wait_room(f);
    if (!problem.status &&
        (!front_id(request->parameters[0], &id) || id > UINT32_MAX || instances_end(f->config.instances, (uint32_t)id) != 0))
        problem = NO_MATCH;
    if (problem.status) {
        front_reply_problem(f, request, &problem);
    } else {
        wait_for_instance(f, request, FRONT_WAIT_CHANGED, (uint32_t)id);
    }
    front_forget(&ask);
}
