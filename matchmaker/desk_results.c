/* desk_results.c: what matches come to: ranks, ratings, settlements.
 *
 * All of it follows from the note of the match and its last report, so a matchmaker that begins anew comes to the same, and
 * persist does it once. Who was to play from the start is rated with its team, whether it came or not; who has left for
 * good, as if its team had been the last; who joined later, or played without a mode, is not. Who came, and has not left, is
 * rewarded. What ended by no goal of its own (lost,
 * refused, ordered) rates and rewards nobody.
 */
#include <string.h>

#include "common/check.h"
#include "common/step.h"
#include "matchmaker/desk_inner.h"

/* --- ranks */

static bool lives(const struct instance_view *view, uint32_t team) {
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct instance_member *member = &view->members[i];
        if (member->team == team && member->is_present && !(member->flags & WIRE_PRESENCE_OUT)) return true;
    }
    return false;
}

static bool is_better(const struct instance_view *view, uint32_t a, uint32_t b) {
    if (view->goal == WIRE_GOAL_CLEARED || view->goal == WIRE_GOAL_LOST || view->end != INSTANCE_END_GOAL) return false;
    if (view->goal == WIRE_GOAL_LAST_TEAM && lives(view, a) != lives(view, b)) return lives(view, a);
    return view->scores[a] > view->scores[b];
}

static void rank_teams(const struct instance_view *view, struct desk_result *result) {
    for (uint32_t a = 0; a < result->team_count; a++) {
        result->scores[a] = view->scores[a];
        for (uint32_t b = 0; b < result->team_count; b++) result->ranks[a] += is_better(view, b, a);
    }
}

/* has_won: where all are equal nobody has, unless it was all of them against creatures. */
static bool has_won(const struct desk_result *result, uint32_t team) {
    if (result->end != INSTANCE_END_GOAL || team >= result->team_count) return false;
    if (result->goal == WIRE_GOAL_CLEARED) return true;
    if (result->goal == WIRE_GOAL_LOST || result->goal == WIRE_GOAL_EMPTY || result->ranks[team] != 0) return false;
    for (uint32_t i = 0; i < result->team_count; i++)
        if (result->ranks[i] != 0) return true;
    return false;
}

/* --- players */

static const struct instance_member *member_of(const struct instance_view *view, uint64_t player) {
    for (uint32_t i = 0; i < view->member_count; i++)
        if (view->members[i].player == player) return &view->members[i];
    return NULL;
}

static void add_player(const struct instance_view *view, struct desk_result *result, uint64_t player, uint32_t team,
                       int32_t points) {
    const struct instance_member *member = member_of(view, player);
    if (result->player_count == WIRE_INSTANCE_PLAYERS_MAX) return;
    struct desk_result_player *p = &result->players[result->player_count++];
    *p = (struct desk_result_player){.player = player, .team = team, .points_before = points, .points_after = points};
    p->has_left = !member && !desk_is_void(view);
    if (!member) return;
    p->is_won = has_won(result, team);
    p->kills = member->kills;
    p->deaths = member->deaths;
    p->has_come = member->has_come;
    if (!p->has_come || result->end != INSTANCE_END_GOAL) return;
    const struct template_reward *reward = p->is_won ? &view->template->win : &view->template->lose;
    p->gold = reward->gold;
    p->item_kind = reward->item_kind;
    p->item_count = reward->item_count;
}

static void add_players(const struct desk_note *note, const struct instance_view *view, struct desk_result *result) {
    for (uint32_t i = 0; i < note->seat_count; i++)
        add_player(view, result, note->seats[i].player, note->seats[i].team, rating_points(note->seats[i].before));
    for (uint32_t i = 0; i < view->member_count; i++) {
        bool is_seated = false;
        for (uint32_t k = 0; k < note->seat_count; k++) is_seated |= note->seats[k].player == view->members[i].player;
        if (!is_seated) add_player(view, result, view->members[i].player, view->members[i].team, 0);
    }
}

/* --- ratings */

/* rate_as writes the ratings after a match, seat by seat, where one team is the last whatever it did, or none is; false
 * where nobody is rated. */
static bool rate_as(const struct desk_note *note, const struct desk_result *result, uint32_t last, struct rating *after) {
    struct rating ratings[MODE_TEAMS_MAX][MODE_PLAYERS_MAX];
    struct rating_team teams[MODE_TEAMS_MAX] = {{0}};
    uint32_t places[MODE_PLAYERS_MAX];
    bool has_come = false;
    if (result->end != INSTANCE_END_GOAL || result->team_count < 2 || note->seat_count == 0) return false;
    for (uint32_t i = 0; i < note->seat_count; i++) {
        const struct desk_seat *seat = &note->seats[i];
        if (seat->team >= result->team_count) return false;
        places[i] = teams[seat->team].count++;
        ratings[seat->team][places[i]] = seat->before;
        has_come |= result->players[i].has_come;
    }
    for (uint32_t i = 0; i < result->team_count; i++) {
        teams[i].players = ratings[i];
        teams[i].rank = i == last ? result->team_count : result->ranks[i];
    }
    if (!has_come || rating_update(&RATING_RULES, teams, result->team_count) != 0) return false;
    for (uint32_t i = 0; i < note->seat_count; i++) after[i] = ratings[note->seats[i].team][places[i]];
    return true;
}

static bool rate(const struct desk_note *note, const struct desk_result *result, struct rating *after) {
    struct rating left[MODE_PLAYERS_MAX];
    if (!rate_as(note, result, WIRE_TEAMS_MAX, after)) return false;
    for (uint32_t team = 0; team < result->team_count; team++) {
        bool has_left = false;
        for (uint32_t i = 0; i < note->seat_count; i++)
            has_left |= result->players[i].has_left && note->seats[i].team == team;
        if (!has_left || !rate_as(note, result, team, left)) continue;
        for (uint32_t i = 0; i < note->seat_count; i++)
            if (result->players[i].has_left && note->seats[i].team == team) after[i] = left[i];
    }
    return true;
}

static void settle_rating(struct desk_gain *gain, struct desk_result_player *p, struct rating after) {
    gain->settle.mu = after.mu;
    gain->settle.sigma = after.sigma;
    gain->settle.points = rating_points_proven(after);
    gain->settle.flags = WIRE_SETTLE_RATED;
    gain->points = p->points_after = rating_points(after);
}

uint32_t desk_result_make(const struct desk_note *note, const struct instance_view *view, struct desk_result *result,
                          struct desk_gain *gains) {
    struct rating after[MODE_PLAYERS_MAX];
    uint32_t count = 0;
    *result = (struct desk_result){.instance = view->id,
                                   .end = view->end,
                                   .goal = view->goal,
                                   .team_count = view->team_count,
                                   .started_ms = view->started_ms,
                                   .lasted_ms = view->lasted_ms};
    memcpy(result->template_name, view->template->name, sizeof result->template_name);
    memcpy(result->mode, note->mode, sizeof result->mode);
    rank_teams(view, result);
    add_players(note, view, result);
    bool is_rated = rate(note, result, after);
    for (uint32_t i = 0; i < result->player_count; i++) {
        struct desk_result_player *p = &result->players[i];
        bool is_rewarded = p->has_come && result->end == INSTANCE_END_GOAL, has_seat = i < note->seat_count;
        if (!is_rewarded && !(is_rated && has_seat)) continue;
        struct desk_gain *gain = &gains[count++];
        *gain = (struct desk_gain){.team = p->team};
        gain->settle = (struct wire_settle){.match = view->id,
                                            .player = p->player,
                                            .gold = p->gold,
                                            .item_kind = p->item_kind,
                                            .item_count = p->item_count,
                                            .season = note->season,
                                            .is_won = p->is_won};
        memcpy(gain->settle.mode, note->mode, sizeof gain->settle.mode);
        if (is_rated && has_seat) settle_rating(gain, p, after[i]);
    }
    return count;
}

/* --- settling */

static void keep_result(struct desk *d, struct desk_match *m, const struct instance_view *view) {
    struct desk_gain gains[WIRE_INSTANCE_PLAYERS_MAX];
    (void)desk_result_make(&m->note, view, &d->result, gains);
    uint32_t len = desk_write_result(&d->result, d->bytes);
    keep_cut(d->config.keep);
    m->is_result_kept = keep_put(d->config.keep, WIRE_DOCUMENT_RESULT, m->id, d->bytes, len) == 0;
    keep_cut(d->config.keep);
    d->stats.results += m->is_result_kept;
}

/* close_settled lets an instance go that there is nothing left to do for. */
static void close_settled(struct desk *d, struct desk_match *m) {
    bool is_held = !m->has_begun && !m->is_let_go;
    if (!m->is_result_kept || m->done_count < m->gain_count || is_held || m->is_closed) return;
    d->stats.settling--;
    desk_match_close(d, m);
    instances_close(d->config.instances, m->id);
    STEP("matchmaker.match_settled");
}

static bool gains_something(const struct desk_match *m, uint64_t player) {
    for (uint32_t i = 0; i < m->gain_count; i++)
        if (m->gains[i].settle.player == player) return true;
    return false;
}

static void begin(struct desk *d, struct desk_match *m, const struct instance_view *view) {
    m->is_over = true;
    m->over_ms = d->now_ms;
    d->stats.settling++;
    if (!desk_is_void(view)) desk_held_begun(d, m);
    if (d->queue) queue_backfill_close(d->queue, m->backfill, d->now);
    m->gain_count = desk_result_make(&m->note, view, &d->result, m->gains);
    for (uint32_t i = 0; i < view->member_count; i++)
        if (!gains_something(m, view->members[i].player))
            desk_tell_match(d, view->members[i].player, view->members[i].team, view, NULL);
}

/* settle asks for what a player gains, or has it owed: where that takes long, or something of a match before is owed. */
static void settle(struct desk *d, struct desk_match *m, const struct instance_view *view, uint32_t at) {
    struct desk_gain *gain = &m->gains[at];
    bool is_owed = desk_debt_find(d, gain->settle.player, 0);
    if (gain->is_done) return;
    if (!is_owed && !gain->is_asked) gain->is_asked = keep_settle(d->config.keep, &gain->settle) == 0;
    if (!is_owed && d->now_ms - m->over_ms < DESK_SETTLE_MS) return;
    if (desk_debt_add(d, m, at) != 0) return;
    gain->is_done = true;
    m->done_count++;
    desk_tell_match(d, gain->settle.player, gain->team, view, NULL);
}

void desk_match_over(struct desk *d, struct desk_match *m, const struct instance_view *view) {
    if (m->is_closed) return;
    if (!m->is_over) begin(d, m, view);
    if (!m->is_result_kept) keep_result(d, m, view);
    if (m->is_result_kept && !m->has_begun && !m->is_let_go) desk_held_return(d, m);
    for (uint32_t i = 0; i < m->gain_count && m->is_result_kept; i++) settle(d, m, view, i);
    close_settled(d, m);
}

void desk_settled(struct desk *d, uint64_t match, uint64_t player, bool is_done) {
    struct desk_match *m = match <= UINT32_MAX ? desk_match_of(d, (uint32_t)match) : NULL;
    struct instance_view view;
    if (desk_debt_settled(d, match, player, is_done)) return;
    if (!m || !m->is_over || m->is_closed || !instances_view(d->config.instances, m->id, &view)) return;
    for (uint32_t i = 0; i < m->gain_count; i++) {
        struct desk_gain *gain = &m->gains[i];
        if (gain->settle.player != player || gain->is_done) continue;
        gain->is_done = true;
        m->done_count++;
        d->stats.settled += is_done;
        if (is_done) desk_rating_settled(d, &gain->settle);
        desk_tell_match(d, player, gain->team, &view, is_done ? gain : NULL);
    }
    close_settled(d, m);
    desk_finish(d);
}
