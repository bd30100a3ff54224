/* instance_api.c: see instance_api.h. */
#include "matchmaker/instance_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/option.h"
#include "matchmaker/launch_request.h"
#include "matchmaker/match_json.h"
#include "matchmaker/regions.h"

/* --- answers */

static struct instance_answer fail(unsigned status, const char *code, const char *message) {
    return (struct instance_answer){.status = status,
                                    .json = json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message)};
}

static const struct instance_answer FINE = {0};

static struct instance_answer no_instance(void) {
    return fail(404, "not_found", "there is no such instance");
}

/* Before it knows what ran when it ended it can't say what there is. */
static struct instance_answer check_ready(const struct instance_api *api) {
    if (keep_is_ready(api->keep)) return FINE;
    return fail(503, "starting", "the matchmaker reads what it kept, and does not know its instances yet");
}

/* --- instances */

static const char *zone_of(const struct instance_api *api, uint32_t slot) {
    return slot < api->config->zones_count ? api->config->zones[slot].name : "";
}

/* short_json tells an instance without its players. */
static json_t *short_json(const struct instance_api *api, const struct instance_view *view) {
    json_t *json = instance_json(view);
    uint32_t present = 0;
    for (uint32_t i = 0; i < view->member_count; i++) present += view->members[i].is_present;
    if (!json) return NULL;
    json_object_set_new(json, "players", json_integer(view->member_count));
    json_object_set_new(json, "present", json_integer(present));
    json_object_set_new(json, "zone", json_string(zone_of(api, view->slot)));
    return json;
}

static json_t *long_json(const struct instance_api *api, const struct instance_view *view) {
    json_t *json = instance_json(view);
    json_t *place = json_pack("{s:s, s:I, s:I, s:I}", "zone", zone_of(api, view->slot), "block", (json_int_t)view->block,
                              "cell", (json_int_t)view->cell, "lasted_ms", (json_int_t)view->lasted_ms);
    if (json) json_object_update(json, place);
    json_decref(place);
    return json;
}

struct listed {
    uint32_t id, n;
};

static int newest_first(const void *a, const void *b) {
    const struct listed *left = a, *right = b;
    return left->id < right->id ? 1 : left->id > right->id ? -1 : 0;
}

static struct instance_answer tell_instances(const struct instance_api *api, const struct http_request *request,
                                             struct mono now, uint64_t wall_ms) {
    (void)request, (void)now, (void)wall_ms;
    struct listed listed[INSTANCES_MAX];
    struct instance_view view;
    struct instance_answer refused = check_ready(api);
    if (refused.status) return refused;
    uint32_t count = instances_count(api->instances);
    CHECK(count <= INSTANCES_MAX);
    for (uint32_t n = 0; n < count; n++) {
        instances_nth(api->instances, n, &view);
        listed[n] = (struct listed){.id = view.id, .n = n};
    }
    qsort(listed, count, sizeof *listed, newest_first);
    uint32_t told = count < INSTANCE_API_LIST_MAX ? count : INSTANCE_API_LIST_MAX;
    json_t *list = json_array();
    for (uint32_t i = 0; i < told; i++) {
        instances_nth(api->instances, listed[i].n, &view);
        json_array_append_new(list, short_json(api, &view));
    }
    return (struct instance_answer){
        .status = 200, .json = json_pack("{s:o, s:I}", "instances", list, "left_out", (json_int_t)(count - told))};
}

static bool find_instance(const struct instance_api *api, const struct http_request *request, struct instance_view *view) {
    uint64_t id;
    return option_number_parse(request->parameters[0], 1, UINT32_MAX, &id) == 0 &&
           instances_view(api->instances, (uint32_t)id, view);
}

static struct instance_answer tell_instance(const struct instance_api *api, const struct http_request *request,
                                            struct mono now, uint64_t wall_ms) {
    (void)now, (void)wall_ms;
    struct instance_view view;
    struct instance_answer refused = check_ready(api);
    if (refused.status) return refused;
    if (!find_instance(api, request, &view)) return no_instance();
    return (struct instance_answer){.status = 200, .json = long_json(api, &view)};
}

static struct instance_answer end_instance(const struct instance_api *api, const struct http_request *request,
                                           struct mono now, uint64_t wall_ms) {
    (void)now, (void)wall_ms;
    struct instance_view view;
    struct instance_answer refused = check_ready(api);
    if (refused.status) return refused;
    if (!find_instance(api, request, &view)) return no_instance();
    uint32_t id = view.id;
    if (view.stage == INSTANCE_OVER || instances_end(api->instances, id) != 0)
        return fail(409, "over", "the instance is over already");
    log_info("command.end", "instance=%" PRIu32, id);
    return (struct instance_answer){
        .status = 200, .json = json_pack("{s:b, s:o}", "done", 1, "match", id_json(id)), .changed = id};
}

/* --- launching */

/* What a body may have; values are the body's. */
struct wish {
    const char *template, *party, *region;
    const json_t *players;
    json_t *set;
};

static bool take_member(struct wish *wish, const char *key, json_t *value) {
    if (strcmp(key, "template") == 0) return (wish->template = json_string_value(value)) != NULL;
    if (strcmp(key, "party") == 0) return (wish->party = json_string_value(value)) != NULL;
    if (strcmp(key, "region") == 0) return (wish->region = json_string_value(value)) != NULL;
    if (strcmp(key, "players") == 0) return json_is_array(wish->players = value);
    if (strcmp(key, "set") == 0) return json_is_object(wish->set = value);
    return false;
}

static struct instance_answer read_wish(json_t *body, struct wish *wish) {
    const char *key;
    json_t *value;
    *wish = (struct wish){0};
    json_object_foreach(body, key, value) {
        if (!take_member(wish, key, value))
            return fail(400, "bad_request",
                        "expected template, party and region, which are texts, players, which is a list, and set, which is "
                        "an object");
    }
    if (!wish->template) return fail(400, "bad_request", "expected a JSON object with a template");
    if (wish->party && wish->players) return fail(400, "bad_request", "expected players or a party, not both");
    return FINE;
}

static bool find_player(const struct instance_api *api, const char *text, uint64_t *player) {
    if (!text || text[0] == '\0') return false;
    if (option_number_parse(text, 1, INT64_MAX, player) == 0) return true;
    if (api->player_of) *player = api->player_of(text);
    return api->player_of != NULL;
}

static struct instance_answer no_player(void) {
    return fail(400, "bad_request", "players: expected ids as texts, or names in dev mode");
}

/* read_players makes ids of players or of a party's members; `*ids` is the caller's. */
static struct instance_answer read_players(const struct instance_api *api, const struct wish *wish, json_t **ids) {
    size_t i;
    json_t *value;
    uint64_t player;
    *ids = json_array();
    json_array_foreach(wish->players, i, value) {
        if (!find_player(api, json_string_value(value), &player)) return no_player();
        json_array_append_new(*ids, id_json(player));
    }
    if (!wish->party) return FINE;
    if (!find_player(api, wish->party, &player)) return no_player();
    const struct desk_party party = desk_party_of(api->desk, player);
    if (party.leader == 0) return fail(404, "no_party", "the player is in no party");
    for (uint32_t n = 0; n < party.member_count; n++) json_array_append_new(*ids, id_json(party.members[n]));
    return FINE;
}

static struct instance_answer read_region(const struct instance_api *api, const struct wish *wish, uint32_t *region) {
    *region = INSTANCES_ANYWHERE;
    if (!wish->region) return FINE;
    const struct regions regions = regions_of(api->config);
    uint32_t found = regions_find(&regions, wish->region);
    if (found == REGIONS_NONE) return fail(400, "unknown_region", "no gateway is of that region");
    *region = found;
    return FINE;
}

static struct instance_answer launch_now(const struct instance_api *api, const struct launch_request *launch,
                                         uint32_t region, struct mono now, uint64_t wall_ms) {
    uint32_t id;
    struct instance_view view;
    int result = desk_launch(api->desk, &launch->template, region, launch->players, launch->player_count, now, wall_ms, &id);
    if (result == MARCH_ERR_EXISTS) return fail(409, "in_a_match", "a player is in an instance already");
    if (result == MARCH_ERR_FULL) return fail(503, "full", "no cell is free for another instance");
    if (result == MARCH_ERR_INVALID)
        return fail(400, "bad_request", "more players than the template has room for, one twice, or too large for a cell");
    if (result != 0 || !instances_view(api->instances, id, &view)) return fail(503, "unavailable", march_error_text(result));
    log_info("command.launch", "instance=%" PRIu32 " template=%s players=%" PRIu32, id, launch->template.name,
             launch->player_count);
    return (struct instance_answer){.status = 201, .json = long_json(api, &view), .changed = id, .is_launch = true};
}

static struct instance_answer launch_wish(const struct instance_api *api, const struct wish *wish, struct mono now,
                                          uint64_t wall_ms) {
    char error[TEMPLATE_ERROR_SIZE] = "";
    struct launch_request launch;
    json_t *ids = NULL;
    uint32_t region;
    struct instance_answer answer = read_region(api, wish, &region);
    if (!answer.status) answer = read_players(api, wish, &ids);
    int result = answer.status ? 0
                               : launch_request_read(library_templates(api->designs), wish->template, ids, wish->set,
                                                     &launch, error, sizeof error);
    json_decref(ids);
    if (answer.status) return answer;
    if (result == MARCH_ERR_NOT_FOUND) return fail(404, "unknown_template", error);
    if (result != 0) return fail(400, "bad_request", error);
    return launch_now(api, &launch, region, now, wall_ms);
}

static struct instance_answer launch_instance(const struct instance_api *api, const struct http_request *request,
                                              struct mono now, uint64_t wall_ms) {
    struct wish wish;
    struct instance_answer answer = check_ready(api);
    if (answer.status) return answer;
    json_t *body = json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, NULL);
    answer = read_wish(body, &wish);
    if (!answer.status) answer = launch_wish(api, &wish, now, wall_ms);
    json_decref(body);
    return answer;
}

/* --- templates and modes */

static json_t *ends_json(uint32_t goals) {
    json_t *list = json_array();
    for (uint32_t goal = WIRE_GOAL_CLEARED; goal <= WIRE_GOAL_EMPTY; goal <<= 1)
        if (goals & goal) json_array_append_new(list, json_string(goal_name(goal)));
    return list;
}

static json_t *template_json(const struct template *t) {
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:s, s:b}", "name", t->name, "version",
                     (json_int_t)t->version, "side_m", (json_int_t)t->side_m, "capacity", (json_int_t)t->capacity,
                     "time_limit_s", (json_int_t)t->time_limit_s, "ends", ends_json(t->goals), "kills", (json_int_t)t->kills,
                     "lives", (json_int_t)t->lives, "waves", (json_int_t)t->wave_count, "crash",
                     t->crash == TEMPLATE_CRASH_RESTART ? "restart" : "return", "checkpoints", (int)t->checkpoints);
}

static struct instance_answer tell_templates(const struct instance_api *api, const struct http_request *request,
                                             struct mono now, uint64_t wall_ms) {
    (void)request, (void)now, (void)wall_ms;
    const struct template_set *set = library_templates(api->designs);
    json_t *list = json_array();
    for (uint32_t i = 0; i < set->count; i++) json_array_append_new(list, template_json(&set->templates[i]));
    return (struct instance_answer){
        .status = 200, .json = json_pack("{s:o, s:s}", "templates", list, "error", library_error(api->designs))};
}

static struct instance_answer tell_modes(const struct instance_api *api, const struct http_request *request, struct mono now,
                                         uint64_t wall_ms) {
    (void)request, (void)now, (void)wall_ms;
    const struct mode_set *set = library_modes(api->designs);
    json_t *list = json_array();
    for (uint32_t i = 0; i < set->count; i++) {
        json_t *mode = mode_json(&set->modes[i]);
        if (mode) json_object_set_new(mode, "instance", json_string(set->modes[i].instance));
        json_array_append_new(list, mode);
    }
    return (struct instance_answer){.status = 200,
                                    .json = json_pack("{s:o, s:s}", "modes", list, "error", library_error(api->designs))};
}

static struct instance_answer reload(const struct instance_api *api, const struct http_request *request, struct mono now,
                                     uint64_t wall_ms) {
    (void)request, (void)now, (void)wall_ms;
    char error[LIBRARY_ERROR_SIZE];
    int result = library_reload(api->designs, error, sizeof error);
    log_info("command.reload", "done=%d", result == 0);
    if (result != 0) return fail(409, "bad_file", error);
    return (struct instance_answer){.status = 200,
                                    .json = json_pack("{s:b, s:I, s:I}", "done", 1, "modes",
                                                      (json_int_t)library_modes(api->designs)->count, "templates",
                                                      (json_int_t)library_templates(api->designs)->count)};
}

/* --- answers that wait */

bool instance_api_settle(const struct instance_api *api, struct instance_answer *answer, bool is_late) {
    if (instances_is_kept(api->instances, answer->changed)) return true;
    if (!is_late) return false;
    if (answer->is_launch) (void)!instances_end(api->instances, answer->changed); /* who is refused has not launched it */
    json_decref(answer->json);
    *answer = fail(503, "unavailable", "what keeps instances is away");
    return true;
}

json_t *instance_api_status(const struct instance_api *api) {
    const struct instances_stats i = instances_stats_get(api->instances);
    const struct library_stats l = library_stats_get(api->designs);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "running", (json_int_t)i.running, "members",
                     (json_int_t)i.members, "cells_free", (json_int_t)i.cells_free, "modes",
                     (json_int_t)library_modes(api->designs)->count, "templates",
                     (json_int_t)library_templates(api->designs)->count, "file_changes", (json_int_t)l.changes,
                     "file_failures", (json_int_t)l.failures, "file_error", library_error(api->designs));
}

const struct instance_route INSTANCE_ROUTES[INSTANCE_API_ROUTES] = {
    {"/v1/instances", HTTP_GET, tell_instances},
    {"/v1/instances/{}", HTTP_GET, tell_instance},
    {"/v1/instances", HTTP_POST, launch_instance},
    {"/v1/instances/{}/end", HTTP_PUT, end_instance},
    {"/v1/templates", HTTP_GET, tell_templates},
    {"/v1/modes", HTTP_GET, tell_modes},
    {"/v1/reload", HTTP_PUT, reload},
};
