/* match_json.c: see match_json.h. */
#include "matchmaker/match_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/check.h"
#include "common/item_kinds.h"

json_t *id_json(uint64_t id) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, id);
    return json_string(text);
}

static json_t *ids_json(const uint64_t *ids, uint32_t count) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) json_array_append_new(list, id_json(ids[i]));
    return list;
}

static json_t *scores_json(const uint32_t *scores, uint32_t count) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) json_array_append_new(list, json_integer(scores[i]));
    return list;
}

static void set_number(json_t *object, const char *name, uint64_t value) {
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* --- names */

const char *goal_name(uint32_t goal) {
    switch ((enum wire_instance_goal)goal) {
    case WIRE_GOAL_CLEARED: return "cleared";
    case WIRE_GOAL_KILLS: return "kills";
    case WIRE_GOAL_LAST_TEAM: return "last_team";
    case WIRE_GOAL_LOST: return "lost";
    case WIRE_GOAL_EMPTY: return "empty";
    }
    return "time";
}

const char *instance_stage_name(enum instance_stage stage) {
    static const char *const names[INSTANCE_STAGE_COUNT] = {"launching", "starting", "running", "over"};
    CHECK(stage < INSTANCE_STAGE_COUNT);
    return names[stage];
}

const char *instance_end_name(enum instance_end end) {
    static const char *const names[INSTANCE_END_COUNT] = {"goal", "ordered", "crashed", "refused"};
    CHECK(end < INSTANCE_END_COUNT);
    return names[end];
}

const char *ticket_reason_name(enum wire_ticket_reason reason) {
    static const char *const names[WIRE_REASON_COUNT] = {
        "none",   "cancelled",  "timed_out",  "declined",    "silent", "unknown_mode", "bad_request",
        "exists", "in_a_match", "not_leader", "unavailable", "full",   "not_found",
    };
    CHECK(reason < WIRE_REASON_COUNT);
    return names[reason];
}

/* --- tickets and parties */

static json_t *ticket_player_json(const struct desk_ticket *t, uint32_t i) {
    json_t *player = json_pack("{s:o}", "player", id_json(t->players[i]));
    if (t->state == WIRE_TICKET_ASKED) json_object_set_new(player, "ready", json_boolean(t->is_ready[i]));
    if (t->state == WIRE_TICKET_MATCHED) set_number(player, "team", t->teams[i]);
    return player;
}

static void set_place(json_t *json, const struct instance_view *v) {
    json_object_set_new(json, "template", json_string(v->template->name));
    json_object_set_new(json, "match_state", json_string(instance_stage_name(v->stage)));
}

json_t *ticket_json(const struct desk_ticket *t, const struct instance_view *match) {
    static const char *const states[WIRE_TICKET_STATE_COUNT] = {"ended", "waiting", "asked", "matched", "ended"};
    json_t *players = json_array();
    for (uint32_t i = 0; i < t->player_count; i++) json_array_append_new(players, ticket_player_json(t, i));
    json_t *json = json_pack("{s:o, s:I, s:s, s:s, s:I, s:I, s:i, s:b, s:o}", "ticket", id_json(t->id), "version",
                             (json_int_t)t->version, "mode", t->mode, "state", states[t->state], "entered_at_ms",
                             (json_int_t)t->entered_ms, "waited_ms", (json_int_t)t->waited_ms, "rating", (int)t->rating,
                             "provisional", (int)t->is_provisional, "players", players);
    if (!json) return NULL;
    if (t->state == WIRE_TICKET_WAITING) {
        set_number(json, "position", t->position);
        set_number(json, "queued", t->queued);
        set_number(json, "window", t->window);
        if (t->estimate_ms > 0) set_number(json, "estimate_ms", t->estimate_ms);
    }
    if (t->region[0] != '\0') json_object_set_new(json, "region", json_string(t->region));
    if (t->state == WIRE_TICKET_ASKED) set_number(json, "ready_within_ms", t->ready_ms);
    if (t->state == WIRE_TICKET_MATCHED) json_object_set_new(json, "match", id_json(t->instance));
    if (t->state == WIRE_TICKET_MATCHED && match) set_place(json, match);
    if (t->state == WIRE_TICKET_ENDED) json_object_set_new(json, "reason", json_string(ticket_reason_name(t->reason)));
    return json;
}

json_t *seat_json(const struct instance_view *v, uint64_t player) {
    json_t *players = json_array();
    for (uint32_t i = 0; i < v->member_count; i++)
        if (v->members[i].player == player)
            json_array_append_new(
                players, json_pack("{s:o, s:I}", "player", id_json(player), "team", (json_int_t)v->members[i].team));
    json_t *json = json_pack("{s:s, s:o, s:o}", "state", "matched", "match", id_json(v->id), "players", players);
    if (json) set_place(json, v);
    return json;
}

json_t *party_json(const struct desk_party *p) {
    json_t *leader = p->leader ? id_json(p->leader) : json_null();
    return json_pack("{s:o, s:o, s:o}", "leader", leader, "members", ids_json(p->members, p->member_count), "invited",
                     ids_json(p->invited, p->invited_count));
}

/* --- matches */

static json_t *member_json(const struct instance_member *m) {
    json_t *json = json_pack("{s:o, s:I, s:b, s:I, s:I}", "player", id_json(m->player), "team", (json_int_t)m->team,
                             "present", (int)m->is_present, "kills", (json_int_t)m->kills, "deaths", (json_int_t)m->deaths);
    return json;
}

json_t *instance_json(const struct instance_view *v) {
    json_t *players = json_array();
    for (uint32_t i = 0; i < v->member_count; i++) json_array_append_new(players, member_json(&v->members[i]));
    json_t *json =
        json_pack("{s:o, s:s, s:I, s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "match", id_json(v->id), "template",
                  v->template->name, "template_version", (json_int_t)v->template->version, "state",
                  instance_stage_name(v->stage), "wave", (json_int_t)v->wave, "waves", (json_int_t)v->template->wave_count,
                  "creatures", (json_int_t)v->creatures, "scores", scores_json(v->scores, v->team_count), "started_at_ms",
                  (json_int_t)v->started_ms, "restarts", (json_int_t)v->restarts, "players", players);
    if (json && v->slowed > 1) set_number(json, "slowed", v->slowed);
    if (json && v->ends_at_ms) set_number(json, "ends_at_ms", v->ends_at_ms);
    if (json && v->stage == INSTANCE_OVER) {
        json_object_set_new(json, "end", json_string(instance_end_name(v->end)));
        if (v->end == INSTANCE_END_GOAL) json_object_set_new(json, "goal", json_string(goal_name(v->goal)));
    }
    return json;
}

static json_t *result_player_json(const struct desk_result_player *p, bool is_rated) {
    json_t *json = json_pack("{s:o, s:I, s:b, s:b, s:b, s:I, s:I, s:I}", "player", id_json(p->player), "team",
                             (json_int_t)p->team, "came", (int)p->has_come, "left", (int)p->has_left, "won", (int)p->is_won,
                             "kills", (json_int_t)p->kills, "deaths", (json_int_t)p->deaths, "gold", (json_int_t)p->gold);
    if (!json) return NULL;
    const struct item_kind_info *item = item_kind_find(p->item_kind);
    if (item)
        json_object_set_new(json, "item", json_pack("{s:s, s:I}", "kind", item->name, "count", (json_int_t)p->item_count));
    if (is_rated) {
        json_object_set_new(json, "rating_before", json_integer(p->points_before));
        json_object_set_new(json, "rating", json_integer(p->points_after));
    }
    return json;
}

json_t *result_json(const struct desk_result *r) {
    bool is_rated = r->mode[0] != '\0' && r->team_count > 1 && r->end == INSTANCE_END_GOAL;
    json_t *players = json_array();
    for (uint32_t i = 0; i < r->player_count; i++)
        json_array_append_new(players, result_player_json(&r->players[i], is_rated));
    json_t *json =
        json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:o}", "match", id_json(r->instance), "template",
                  r->template_name, "state", "settled", "end", instance_end_name(r->end), "scores",
                  scores_json(r->scores, r->team_count), "ranks", scores_json(r->ranks, r->team_count), "started_at_ms",
                  (json_int_t)r->started_ms, "lasted_ms", (json_int_t)r->lasted_ms, "players", players);
    if (json && r->mode[0]) json_object_set_new(json, "mode", json_string(r->mode));
    if (json && r->end == INSTANCE_END_GOAL) json_object_set_new(json, "goal", json_string(goal_name(r->goal)));
    return json;
}

/* --- modes and boards */

json_t *mode_json(const struct mode *m) {
    json_t *roles = json_array();
    for (uint32_t i = 0; i < m->role_count; i++)
        json_array_append_new(
            roles, json_pack("{s:s, s:I}", "name", m->roles[i].name, "per_team", (json_int_t)m->roles[i].per_team));
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "mode", m->name, "teams", (json_int_t)m->teams, "team_size",
                     (json_int_t)m->team_size, "max_party", (json_int_t)m->max_party, "timeout_ms",
                     (json_int_t)m->timeout_ms, "ready_ms", (json_int_t)m->ready_ms, "backfill", (int)m->backfill, "roles",
                     roles);
}

json_t *board_json(const char *mode, uint32_t season, const struct wire_page_row *rows, uint32_t count, bool is_whole) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_t *row =
            json_pack("{s:I, s:o, s:I, s:I, s:I}", "rank", (json_int_t)i + 1, "player", id_json(rows[i].player), "points",
                      (json_int_t)rows[i].points, "played", (json_int_t)rows[i].played, "won", (json_int_t)rows[i].won);
        if (row && rows[i].name[0]) json_object_set_new(row, "name", json_string(rows[i].name));
        json_array_append_new(list, row);
    }
    return json_pack("{s:s, s:I, s:b, s:o}", "mode", mode, "season", (json_int_t)season, "complete", (int)is_whole, "rows",
                     list);
}
