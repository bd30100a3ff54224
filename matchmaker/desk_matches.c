/* desk_matches.c: matches in their instances: launched, joined, left. */
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "common/step.h"
#include "matchmaker/desk_inner.h"

/* --- records */

struct desk_match *desk_match_of(const struct desk *d, uint32_t id) {
    uint32_t index = player_map_find(&d->by_id, id);
    return index == PLAYER_MAP_NONE ? NULL : pool_at(&d->matches, index);
}

bool desk_is_seated(const struct desk *d, uint64_t player) {
    return player_map_find(&d->seated, player) != PLAYER_MAP_NONE;
}

struct desk_match *desk_match_seating(const struct desk *d, uint64_t player) {
    uint32_t index = player_map_find(&d->seated, player);
    return index == PLAYER_MAP_NONE ? NULL : pool_at(&d->matches, index);
}

/* seat: after a restart what a player left before the match that it is in now may be found, too. */
static void seat(struct desk *d, uint64_t player, uint32_t index) {
    const struct desk_match *other = desk_match_seating(d, player), *m = pool_at(&d->matches, index);
    if (other && other->id > m->id) return;
    if (other) player_map_remove(&d->seated, player);
    player_map_add(&d->seated, player, index);
}

static void unseat(struct desk *d, uint64_t player, uint32_t index) {
    if (player_map_find(&d->seated, player) == index) player_map_remove(&d->seated, player);
}

static bool has_seat(const struct desk_note *note, uint64_t player) {
    for (uint32_t i = 0; i < note->seat_count; i++)
        if (note->seats[i].player == player) return true;
    return false;
}

static void add_joined(struct desk *d, struct desk_match *m, const struct desk_joined *joined) {
    if (has_seat(&m->note, joined->player) || m->joined_count == MODE_PLAYERS_MAX) return;
    m->joined[m->joined_count++] = *joined;
    seat(d, joined->player, player_map_find(&d->by_id, m->id));
}

struct desk_match *desk_match_take(struct desk *d, const struct instance_view *view) {
    struct desk_match *m = desk_match_of(d, view->id);
    if (m) return m;
    struct handle handle = pool_take(&d->matches);
    m = pool_get(&d->matches, handle);
    CHECK(m); /* there are no more than instances */
    m->id = view->id;
    player_map_add(&d->by_id, m->id, handle.index);
    if (view->note_len == 0 || desk_read_note(view->note, view->note_len, &m->note) != 0) m->note = (struct desk_note){0};
    for (uint32_t i = 0; i < view->member_count; i++) m->has_begun |= view->members[i].has_come;
    m->is_let_go = desk_is_void(view) && view->member_count == 0;
    for (uint32_t i = 0; i < m->note.seat_count && !m->is_let_go; i++) seat(d, m->note.seats[i].player, handle.index);
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct desk_joined joined = {.player = view->members[i].player, .team = (uint8_t)view->members[i].team};
        add_joined(d, m, &joined);
    }
    return m;
}

/* ticket_of returns the ticket by which a player came into a match; 0 where that is not known. */
static uint64_t ticket_of(const struct desk_match *m, uint64_t player) {
    for (uint32_t i = 0; i < m->note.seat_count; i++)
        if (m->note.seats[i].player == player) return m->note.seats[i].ticket;
    for (uint32_t i = 0; i < m->joined_count; i++)
        if (m->joined[i].player == player) return m->joined[i].ticket;
    return 0;
}

uint32_t desk_match_of_player(const struct desk *d, uint64_t player, uint64_t *ticket) {
    uint32_t index = player_map_find(&d->seated, player);
    const struct desk_match *m = index == PLAYER_MAP_NONE ? NULL : pool_at(&d->matches, index);
    *ticket = m ? ticket_of(m, player) : 0;
    return m ? m->id : instances_of_player(d->config.instances, player);
}

void desk_match_close(struct desk *d, struct desk_match *m) {
    uint32_t index = player_map_find(&d->by_id, m->id);
    m->is_closed = true;
    for (uint32_t i = 0; i < m->note.seat_count; i++) unseat(d, m->note.seats[i].player, index);
    for (uint32_t i = 0; i < m->joined_count; i++) unseat(d, m->joined[i].player, index);
}

void desk_match_forget(struct desk *d, uint32_t id) {
    struct desk_match *m = desk_match_of(d, id);
    if (!m) return;
    uint32_t index = player_map_find(&d->by_id, id);
    if (d->queue) queue_backfill_close(d->queue, m->backfill, d->now);
    if (!m->is_closed) desk_match_close(d, m);
    player_map_remove(&d->by_id, id);
    pool_give(&d->matches, pool_handle(&d->matches, index));
}

/* --- tickets of a match */

/* ticket_at returns the ticket of the seat `first`, its teams, and how many seats it has. */
static uint32_t ticket_at(const struct desk *d, const struct queue_match *match, uint32_t first, uint8_t *teams,
                          uint32_t *count) {
    uint32_t index = desk_ticket_at(d, match->seats[first].player);
    CHECK(index != DESK_NONE);
    *count = desk_live_at(d, index)->count;
    for (uint32_t i = 0; i < *count; i++) teams[i] = match->seats[first + i].team;
    return index;
}

static void end_tickets(struct desk *d, const struct queue_match *match, uint32_t instance) {
    uint8_t teams[DESK_PARTY_MAX];
    for (uint32_t i = 0, count; i < match->seat_count; i += count) {
        uint32_t index = ticket_at(d, match, i, teams, &count);
        desk_live_at(d, index)->region = (uint8_t)match->region;
        desk_ticket_end(d, index, WIRE_REASON_NONE, instance, teams);
    }
}

static bool is_busy(const struct desk *d, const struct queue_match *match, uint32_t first, uint32_t count) {
    for (uint32_t i = first; i < first + count; i++) {
        uint64_t player = match->seats[i].player;
        if (desk_is_seated(d, player) || instances_of_player(d->config.instances, player) != 0) return true;
    }
    return false;
}

/* turn_away has the tickets of a match that is not to be come back, but those who could never be in it. */
static void turn_away(struct desk *d, const struct queue_match *match, int error) {
    uint8_t teams[DESK_PARTY_MAX];
    bool is_some = false;
    for (uint32_t i = 0, count; i < match->seat_count; i += count) {
        uint32_t index = ticket_at(d, match, i, teams, &count);
        bool is_out = error == MARCH_ERR_INVALID || (error == MARCH_ERR_EXISTS && is_busy(d, match, i, count));
        is_some |= is_out;
        if (is_out) {
            desk_ticket_end(d, index, error == MARCH_ERR_INVALID ? WIRE_REASON_INVALID : WIRE_REASON_BUSY, 0, NULL);
        } else {
            desk_ticket_return(d, index);
        }
    }
    if (!is_some) d->is_full = true; /* the same match would be tried again at once */
}

static void members_of(const struct queue_match *match, struct wire_instance_member *members) {
    for (uint32_t i = 0; i < match->seat_count; i++)
        members[i] = (struct wire_instance_member){.player = match->seats[i].player, .team = match->seats[i].team};
}

/* --- launched */

static struct rating rating_of(const struct desk *d, uint64_t player) {
    const struct desk_member *member = &desk_live_at(d, desk_ticket_at(d, player))->leader;
    while (member->player != player) member = desk_member_after(d, member);
    return desk_member_rating(member);
}

static void note_of(const struct desk *d, const struct queue_match *match, struct desk_note *note) {
    const struct mode *mode = &d->modes.modes[match->mode];
    note->season = d->config.season;
    note->region = match->region;
    note->seat_count = match->seat_count;
    memcpy(note->mode, mode->name, sizeof note->mode);
    for (uint32_t i = 0; i < match->seat_count; i++) {
        const struct queue_seat *s = &match->seats[i];
        note->seats[i] =
            (struct desk_seat){s->player, desk_ticket_of(d, s->player), rating_of(d, s->player), s->team, s->role};
    }
}

void desk_match_launch(struct desk *d, const struct queue_match *match) {
    const struct mode *mode = &d->modes.modes[match->mode];
    struct wire_instance_member members[MODE_PLAYERS_MAX];
    struct desk_note note = {0};
    uint8_t bytes[INSTANCES_NOTE_MAX];
    members_of(match, members);
    note_of(d, match, &note);
    const struct instances_launch launch = {.template = template_set_find(&d->templates, mode->instance),
                                            .region = match->region,
                                            .team_count = mode->teams,
                                            .member_count = match->seat_count,
                                            .members = members,
                                            .note = bytes,
                                            .note_len = desk_write_note(&note, bytes)};
    struct instance_view view;
    uint32_t id;
    keep_cut(d->config.keep);
    int error = d->is_full ? MARCH_ERR_FULL : instances_launch(d->config.instances, &launch, d->now, d->wall_ms, &id);
    if (error) {
        turn_away(d, match, error);
        return;
    }
    d->stats.matches++;
    keep_cut(d->config.keep);
    STEP("matchmaker.match_made");
    bool is_there = instances_view(d->config.instances, id, &view);
    CHECK(is_there);
    struct desk_match *m = desk_match_take(d, &view);
    for (uint32_t i = 0; i < m->note.seat_count; i++) m->note.seats[i].ticket = note.seats[i].ticket;
    desk_hold_tickets(d, match);
}

void desk_match_join(struct desk *d, const struct queue_match *match) {
    struct wire_instance_member members[MODE_PLAYERS_MAX];
    struct desk_joined joined[MODE_PLAYERS_MAX];
    struct desk_match *m = desk_match_of(d, (uint32_t)match->id);
    members_of(match, members);
    for (uint32_t i = 0; i < match->seat_count; i++)
        joined[i] = (struct desk_joined){match->seats[i].player, desk_ticket_of(d, match->seats[i].player),
                                         match->seats[i].team, match->seats[i].role};
    keep_cut(d->config.keep);
    int error = !m || m->is_over ? MARCH_ERR_NOT_FOUND
                                 : instances_join(d->config.instances, m->id, members, match->seat_count, d->now);
    if (error) {
        if (m && error == MARCH_ERR_FULL) m->is_to_reopen = true;
        if (m && error != MARCH_ERR_FULL) m->is_barred = true;
        turn_away(d, match, error == MARCH_ERR_EXISTS ? error : MARCH_ERR_NOT_FOUND);
        return;
    }
    end_tickets(d, match, m->id); /* together with the document of the instance */
    keep_cut(d->config.keep);
    for (uint32_t i = 0; i < match->seat_count; i++) add_joined(d, m, &joined[i]);
}

static bool are_players(const struct desk *d, const uint64_t *players, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!player_id_valid(players[i])) return false;
        for (uint32_t k = 0; k < i; k++)
            if (players[k] == players[i]) return false;
    }
    return d->is_ready;
}

/* teams_of returns how many teams fight: all against all where somebody is to win, one where it is them against creatures.
 */
static uint32_t teams_of(const struct template *template, uint32_t players) {
    if (!(template->goals & (WIRE_GOAL_KILLS | WIRE_GOAL_LAST_TEAM))) return 1;
    return players < 2 ? 2 : players > WIRE_TEAMS_MAX ? WIRE_TEAMS_MAX : players;
}

int desk_launch(struct desk *d, const struct template *template, uint32_t region, const uint64_t *players, uint32_t count,
                struct mono now, uint64_t wall_ms, uint32_t *id) {
    struct wire_instance_member members[WIRE_INSTANCE_PLAYERS_MAX];
    struct instance_view view;
    uint32_t teams = teams_of(template, count);
    desk_advance(d, now, wall_ms);
    if (!d->is_ready) return MARCH_ERR_UNAVAILABLE;
    if (count > template->capacity || !are_players(d, players, count)) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < count; i++) {
        members[i] = (struct wire_instance_member){.player = players[i], .team = i % teams};
        if (desk_is_seated(d, players[i])) return MARCH_ERR_EXISTS;
    }
    const struct instances_launch launch = {
        .template = template, .region = region, .team_count = teams, .member_count = count, .members = members};
    keep_cut(d->config.keep);
    int error = instances_launch(d->config.instances, &launch, d->now, d->wall_ms, id);
    if (error) return error;
    keep_cut(d->config.keep);
    bool is_there = instances_view(d->config.instances, *id, &view);
    CHECK(is_there);
    const struct desk_match *m = desk_match_take(d, &view);
    for (uint32_t i = 0; i < count; i++) desk_hold_launched(d, m, players[i]);
    desk_finish(d);
    return 0;
}

/* --- left */

enum wire_ticket_reason desk_leave(struct desk *d, uint64_t player, struct mono now) {
    desk_advance(d, now, d->wall_ms);
    desk_party_heard(d, player);
    if (!d->is_ready || keep_stats_get(d->config.keep).pending > DESK_PENDING_MAX) return WIRE_REASON_UNAVAILABLE;
    uint32_t id = instances_of_player(d->config.instances, player), index = desk_ticket_at(d, player);
    keep_cut(d->config.keep);
    if (id == 0 || instances_leave(d->config.instances, id, player) != 0) return WIRE_REASON_NOT_FOUND;
    struct desk_match *m = desk_match_of(d, id);
    CHECK(m);
    m->is_to_reopen = true;
    if (index != DESK_NONE && desk_live_at(d, index)->count == 1)
        desk_held_end(d, index); /* a party's is the others', too */
    keep_cut(d->config.keep);
    desk_due(d, DESK_DUE_NOW, player, keep_mark(d->config.keep));
    d->stats.left++;
    desk_finish(d);
    return WIRE_REASON_NONE;
}

/* --- places that became free */

static int64_t away_since(const struct desk_match *m, uint64_t player, int64_t now_ms) {
    for (uint32_t i = 0; i < m->away_count; i++)
        if (m->away[i].player == player) return m->away[i].since_ms;
    return now_ms;
}

/* let_go takes out who has been away for long, and tells whether there was somebody. */
static bool let_go(struct desk *d, struct desk_match *m, const struct instance_view *view) {
    uint64_t left[WIRE_INSTANCE_PLAYERS_MAX];
    struct desk_away away[MODE_PLAYERS_MAX] = {{0}};
    uint32_t left_count = 0, away_count = 0;
    for (uint32_t i = 0; i < view->member_count && i < MODE_PLAYERS_MAX; i++) {
        if (view->members[i].is_present) continue;
        uint64_t player = view->members[i].player;
        int64_t since_ms = away_since(m, player, d->now_ms);
        if (d->now_ms - since_ms < DESK_ABSENT_MS) {
            away[away_count++] = (struct desk_away){player, since_ms};
        } else {
            left[left_count++] = player;
        }
    }
    m->away_count = away_count;
    memcpy(m->away, away, away_count * sizeof *away);
    for (uint32_t i = 0; i < left_count; i++)
        if (instances_leave(d->config.instances, m->id, left[i]) != 0) m->is_barred = true;
    return left_count > 0;
}

static uint32_t role_of(const struct desk_match *m, uint64_t player) {
    for (uint32_t i = 0; i < m->note.seat_count; i++)
        if (m->note.seats[i].player == player) return m->note.seats[i].role;
    for (uint32_t i = 0; i < m->joined_count; i++)
        if (m->joined[i].player == player) return m->joined[i].role;
    return 0;
}

/* take_place takes a player's place, or another of the team where that is not known any more. */
static void take_place(uint32_t *free, uint32_t role) {
    for (uint32_t i = 0; i < MODE_ROLES_MAX && free[role] == 0; i++) role = i;
    if (free[role] > 0) free[role]--;
}

/* set_targets wishes for players like those of the team who were there from the start. */
static void set_targets(const struct desk_match *m, struct queue_wanted *wanted) {
    int32_t sums[MODE_TEAMS_MAX] = {0}, counts[MODE_TEAMS_MAX] = {0}, sum = 0;
    for (uint32_t i = 0; i < m->note.seat_count; i++) {
        int32_t points = rating_points(m->note.seats[i].before);
        sums[m->note.seats[i].team] += points;
        counts[m->note.seats[i].team]++;
        sum += points;
    }
    int32_t mean = m->note.seat_count > 0 ? sum / (int32_t)m->note.seat_count : RATING_POINTS_START;
    for (uint32_t i = 0; i < MODE_TEAMS_MAX; i++) wanted->target[i] = counts[i] > 0 ? sums[i] / counts[i] : mean;
}

static void open_places(struct desk *d, struct desk_match *m, const struct mode *mode, const struct instance_view *view) {
    uint64_t players[WIRE_INSTANCE_PLAYERS_MAX];
    struct queue_wanted wanted = {.match = m->id,
                                  .mode = (uint32_t)(mode - d->modes.modes),
                                  .region = m->note.region < d->config.region_count ? m->note.region : 0,
                                  .player_count = view->member_count,
                                  .players = players};
    uint32_t places = 0;
    for (uint32_t team = 0; team < mode->teams; team++) {
        wanted.free[team][0] = mode->role_count == 0 ? mode->team_size : 0;
        for (uint32_t role = 0; role < mode->role_count; role++) wanted.free[team][role] = mode->roles[role].per_team;
    }
    for (uint32_t i = 0; i < view->member_count; i++) {
        players[i] = view->members[i].player;
        if (view->members[i].team < mode->teams) take_place(wanted.free[view->members[i].team], role_of(m, players[i]));
    }
    for (uint32_t team = 0; team < MODE_TEAMS_MAX; team++)
        for (uint32_t role = 0; role < MODE_ROLES_MAX; role++) places += wanted.free[team][role];
    if (places == 0 || m->note.seat_count + m->joined_count + places > WIRE_INSTANCE_PLAYERS_MAX) return;
    set_targets(m, &wanted);
    if (queue_backfill_open(d->queue, &wanted, d->now, &m->backfill) != 0) m->is_barred = true;
}

static bool is_deserted(const struct instance_view *view) {
    for (uint32_t i = 0; i < view->member_count; i++)
        if (view->members[i].is_present) return false;
    return true;
}

static void close_places(struct desk *d, struct desk_match *m) {
    queue_backfill_close(d->queue, m->backfill, d->now);
    m->backfill = (struct handle){0};
}

/* look sees to it that a match which runs, and may be joined, asks for players where it lacks some; one that nobody is in
 * comes to its end. */
static void look(struct desk *d, struct desk_match *m, struct instance_view *view) {
    const struct mode *mode = mode_set_find(&d->modes, m->note.mode);
    bool is_closed = m->is_barred || is_deserted(view);
    if (is_closed) close_places(d, m);
    if (!mode || !mode->backfill || is_closed) return;
    bool has_left = let_go(d, m, view);
    if (!has_left && !m->is_to_reopen && !handle_is_null(m->backfill)) return;
    m->is_to_reopen = false;
    close_places(d, m);
    if (instances_view(d->config.instances, m->id, view)) open_places(d, m, mode, view);
}

void desk_matches_unlink(struct desk *d) {
    for (uint32_t i = 0; i < d->matches.capacity && pool_count(&d->matches) > 0; i++) {
        struct desk_match *m = pool_at(&d->matches, i);
        if (m) m->backfill = (struct handle){0};
    }
}

void desk_matches_step(struct desk *d) {
    if (!d->is_ready || d->now_ms - d->looked_ms < DESK_LOOK_MS) return;
    d->looked_ms = d->now_ms;
    for (uint32_t i = 0; i < d->matches.capacity && pool_count(&d->matches) > 0; i++) {
        struct desk_match *m = pool_at(&d->matches, i);
        struct instance_view view;
        if (!m || m->is_closed || !instances_view(d->config.instances, m->id, &view)) continue;
        if (view.stage == INSTANCE_OVER) {
            desk_match_over(d, m, &view);
        } else if (view.stage == INSTANCE_RUNNING && d->queue) {
            look(d, m, &view);
        }
    }
}

/* --- what their zones say */

static void tell_running(struct desk *d, const struct instance_view *view, uint64_t player) {
    for (uint32_t i = 0; i < view->member_count; i++)
        if (player == 0 || view->members[i].player == player)
            desk_tell_match(d, view->members[i].player, view->members[i].team, view, NULL);
}

void desk_instance(struct desk *d, enum instances_event_kind kind, const struct instance_view *view, uint64_t player,
                   struct mono now, uint64_t wall_ms) {
    desk_advance(d, now, wall_ms);
    switch (kind) {
    case INSTANCES_RUNNING: tell_running(d, view, 0); break;
    case INSTANCES_CAME:
        desk_party_heard(d, player);
        desk_held_begun(d, desk_match_take(d, view));
        tell_running(d, view, player);
        break;
    case INSTANCES_OVER: desk_match_over(d, desk_match_take(d, view), view); break;
    case INSTANCES_GONE: desk_match_forget(d, view->id); break;
    }
    desk_finish(d);
}
