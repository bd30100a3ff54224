/* queue_fixture.h: a queue with a clock of its own, which holds every event against a naive model.
 *
 * The model knows each ticket's players, ratings, roles, latencies, avoided players and the time that it has waited; what a
 * match may be is said here once more, plainly.
 */
#ifndef MARCH_TESTS_UNIT_QUEUE_FIXTURE_H
#define MARCH_TESTS_UNIT_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "matchmaker/queue.h"

#define MODEL_TICKETS_MAX   20000 /* ever */
#define MODEL_PLAYERS_MAX   4096  /* ids from 1 on */
#define MODEL_BACKFILLS_MAX 4096  /* ever */
#define MODEL_LATE_MS       16    /* of a timer, after a step */
#define MODEL_STEP_MS       500   /* at most; a ticket may be matched before its time-out in a step that both come in */

enum model_state { MODEL_NEW = 0, MODEL_WAITING = 1, MODEL_ASKED = 2, MODEL_ENDED = 3 };

struct model_ticket {
    enum model_state state;
    enum queue_end end;
    struct handle handle; /* null until the queue has named it */
    struct queue_request request;
    struct queue_player players[QUEUE_PARTY_MAX];
    uint64_t avoid[QUEUE_AVOID_MAX];
    bool is_ready[QUEUE_PARTY_MAX];
    uint64_t entered_ms, asked_ms, match;
    uint8_t team, roles[QUEUE_PARTY_MAX]; /* ASKED: what it would play */
};

struct model_backfill {
    struct handle handle;
    struct queue_wanted wanted; /* `free`: now */
    uint64_t since_ms, match;
    uint64_t players[MODE_PLAYERS_MAX], avoid[QUEUE_BACKFILL_AVOID];
    uint32_t player_count;
    bool is_open;
};

struct queue_fixture {
    struct queue *queue;
    struct mono now;
    uint64_t now_ms;
    struct mode modes[QUEUE_MODES_MAX];
    struct queue_config config;
    struct model_ticket tickets[MODEL_TICKETS_MAX];
    uint32_t ticket_count;
    uint32_t ticket_of[MODEL_PLAYERS_MAX]; /* + 1; 0: none */
    struct model_backfill backfills[MODEL_BACKFILLS_MAX];
    uint32_t backfill_count;
    uint64_t matches, asked, returned, joined;
    uint64_t ended[QUEUE_END_COUNT];
    struct queue_match last; /* asked or matched */
    uint32_t declined;       /* ticket + 1 that is being ended by its player: by decline or cancel */
    enum queue_end declined_by;
    bool is_closing; /* a backfill */
};

static inline uint32_t fixture_waited(const struct queue_fixture *f, const struct model_ticket *t) {
    return (uint32_t)((t->state == MODEL_ASKED ? t->asked_ms : f->now_ms) - t->entered_ms);
}

static inline int32_t fixture_rating(const struct model_ticket *t) {
    int32_t sum = 0, best = INT32_MIN;
    for (uint32_t i = 0; i < t->request.player_count; i++) {
        sum += t->players[i].rating;
        if (t->players[i].rating > best) best = t->players[i].rating;
    }
    return (sum / (int32_t)t->request.player_count + best) / 2;
}

static inline uint32_t fixture_reach(uint32_t start, uint32_t step, uint32_t max, uint32_t steps) {
    uint64_t reach = start + (uint64_t)step * steps;
    return reach > max ? max : (uint32_t)reach;
}

static inline uint32_t fixture_window(const struct mode *mode, uint64_t waited_ms) {
    return fixture_reach(mode->window_start, mode->window_step, mode->window_max,
                         (uint32_t)(waited_ms / mode->window_every_ms));
}

static inline uint32_t fixture_latency(const struct mode *mode, uint64_t waited_ms) {
    return fixture_reach(mode->latency_start_ms, mode->latency_step_ms, mode->latency_max_ms,
                         (uint32_t)(waited_ms / mode->window_every_ms));
}

static inline struct model_ticket *fixture_ticket_of(struct queue_fixture *f, uint64_t player) {
    assert_in_range(player, 1, MODEL_PLAYERS_MAX - 1);
    assert_true(f->ticket_of[player] != 0);
    return &f->tickets[f->ticket_of[player] - 1];
}

static inline void fixture_name(struct model_ticket *t, struct handle handle) {
    if (handle_is_null(t->handle)) t->handle = handle;
    assert_true(handle_equal(t->handle, handle));
}

static inline bool fixture_avoids(const struct model_ticket *t, uint64_t player) {
    for (uint32_t i = 0; i < t->request.avoid_count; i++)
        if (t->avoid[i] == player) return true;
    return false;
}

/* A party is whole, in one team, its players in the order in which they came. Returns the ticket of the seat. */
static inline struct model_ticket *fixture_check_party(struct queue_fixture *f, const struct queue_match *m,
                                                       uint32_t first) {
    struct model_ticket *t = fixture_ticket_of(f, m->seats[first].player);
    fixture_name(t, m->seats[first].ticket);
    assert_true(first + t->request.player_count <= m->seat_count);
    for (uint32_t i = 0; i < t->request.player_count; i++) {
        const struct queue_seat *seat = &m->seats[first + i];
        assert_true(seat->player == t->players[i].id && seat->rating == t->players[i].rating);
        assert_true(handle_equal(seat->ticket, t->handle) && seat->team == m->seats[first].team);
        if (f->modes[m->mode].role_count > 0) assert_true(t->players[i].roles >> seat->role & 1);
        if (f->modes[m->mode].role_count == 0) assert_int_equal(seat->role, 0);
    }
    return t;
}

/* Windows, latency and avoided players, of each two tickets, the same one too. */
static inline void fixture_check_pair(struct queue_fixture *f, const struct queue_match *m, const struct model_ticket *a,
                                      const struct model_ticket *b) {
    const struct mode *mode = &f->modes[m->mode];
    int32_t gap = abs(fixture_rating(a) - fixture_rating(b));
    assert_true(gap <= (int32_t)fixture_window(mode, fixture_waited(f, a)));
    for (uint32_t i = 0; i < b->request.player_count; i++) {
        assert_true(b->players[i].latency_ms[m->region] <= fixture_latency(mode, fixture_waited(f, b)));
        if (a != b) assert_false(fixture_avoids(a, b->players[i].id));
    }
}

static inline void fixture_check_teams(struct queue_fixture *f, const struct queue_match *m) {
    const struct mode *mode = &f->modes[m->mode];
    int32_t sums[MODE_TEAMS_MAX] = {0}, low = INT32_MAX, high = INT32_MIN;
    uint32_t sizes[MODE_TEAMS_MAX] = {0}, roles[MODE_TEAMS_MAX][MODE_ROLES_MAX] = {{0}};
    for (uint32_t i = 0; i < m->seat_count; i++) {
        assert_true(m->seats[i].team < mode->teams);
        sums[m->seats[i].team] += m->seats[i].rating;
        sizes[m->seats[i].team]++;
        roles[m->seats[i].team][m->seats[i].role]++;
    }
    for (uint32_t team = 0; team < mode->teams; team++) {
        assert_int_equal(sizes[team], mode->team_size);
        for (uint32_t role = 0; role < mode->role_count; role++)
            assert_int_equal(roles[team][role], mode->roles[role].per_team);
        if (sums[team] < low) low = sums[team];
        if (sums[team] > high) high = sums[team];
    }
    assert_true(high - low <= (int32_t)(mode->balance_max * mode->team_size));
    assert_int_equal(m->gap, ((uint32_t)(high - low) + mode->team_size - 1) / mode->team_size);
}

static inline struct model_backfill *fixture_backfill_of(struct queue_fixture *f, uint64_t match) {
    for (uint32_t i = 0; i < f->backfill_count; i++)
        if (f->backfills[i].match == match) return &f->backfills[i];
    fail_msg("a backfill that nobody opened");
    return NULL;
}

static inline void fixture_check_joining(struct queue_fixture *f, const struct queue_match *m,
                                         const struct model_ticket *t) {
    struct model_backfill *b = fixture_backfill_of(f, m->id);
    const struct mode *mode = &f->modes[m->mode];
    uint32_t team = m->seats[0].team;
    int32_t gap = abs(fixture_rating(t) - b->wanted.target[team]);
    assert_true(b->is_open && m->region == b->wanted.region && m->mode == b->wanted.mode);
    assert_int_equal(m->seat_count, t->request.player_count);
    assert_true(gap <= (int32_t)fixture_window(mode, fixture_waited(f, t)));
    assert_true(gap <= (int32_t)fixture_window(mode, f->now_ms - b->since_ms));
    fixture_check_pair(f, m, t, t);
    for (uint32_t i = 0; i < b->player_count; i++) assert_false(fixture_avoids(t, b->players[i]));
    for (uint32_t i = 0; i < m->seat_count; i++) {
        assert_true(b->wanted.free[team][m->seats[i].role]-- > 0);
        for (uint32_t k = 0; k < b->wanted.avoid_count; k++) assert_true(b->avoid[k] != m->seats[i].player);
        b->players[b->player_count++] = m->seats[i].player;
    }
}

/* A match out of tickets that wait. */
static inline void fixture_check_match(struct queue_fixture *f, const struct queue_match *m) {
    struct model_ticket *tickets[MODE_PLAYERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->seat_count; i += tickets[count++]->request.player_count) {
        tickets[count] = fixture_check_party(f, m, i);
        assert_true(tickets[count]->state == MODEL_NEW || tickets[count]->state == MODEL_WAITING);
        assert_int_equal(tickets[count]->request.mode, m->mode);
        for (uint32_t k = 0; k < count; k++) assert_true(tickets[k] != tickets[count]);
    }
    if (!handle_is_null(m->backfill)) {
        assert_int_equal(count, 1);
        fixture_check_joining(f, m, tickets[0]);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < count; k++) fixture_check_pair(f, m, tickets[i], tickets[k]);
    fixture_check_teams(f, m);
}

static inline void fixture_end(struct queue_fixture *f, struct model_ticket *t, enum queue_end end) {
    assert_true(t->state != MODEL_ENDED);
    t->state = MODEL_ENDED;
    t->end = end;
    f->ended[end]++;
    for (uint32_t i = 0; i < t->request.player_count; i++) f->ticket_of[t->players[i].id] = 0;
}

static inline void fixture_on_asked(struct queue_fixture *f, const struct queue_match *m) {
    assert_true(f->modes[m->mode].ready_ms > 0);
    fixture_check_match(f, m);
    for (uint32_t i = 0, count; i < m->seat_count; i += count) {
        struct model_ticket *t = fixture_ticket_of(f, m->seats[i].player);
        count = t->request.player_count;
        t->state = MODEL_ASKED;
        t->asked_ms = f->now_ms;
        t->match = m->id;
        t->team = m->seats[i].team;
        for (uint32_t k = 0; k < count; k++) t->roles[k] = m->seats[i + k].role;
        memset(t->is_ready, 0, sizeof t->is_ready);
    }
    f->asked++;
}

static inline void fixture_on_matched(struct queue_fixture *f, const struct queue_match *m) {
    bool was_asked = f->modes[m->mode].ready_ms > 0;
    if (!was_asked) fixture_check_match(f, m);
    for (uint32_t i = 0, count; i < m->seat_count; i += count) {
        struct model_ticket *t = fixture_check_party(f, m, i);
        count = t->request.player_count;
        if (was_asked) assert_true(t->state == MODEL_ASKED && t->match == m->id);
        for (uint32_t k = 0; k < count && was_asked; k++) assert_true(t->is_ready[k]);
        fixture_end(f, t, QUEUE_MATCHED);
    }
    f->matches += handle_is_null(m->backfill);
    f->joined += !handle_is_null(m->backfill);
}

static inline bool fixture_all_ready(const struct model_ticket *t) {
    for (uint32_t i = 0; i < t->request.player_count; i++)
        if (!t->is_ready[i]) return false;
    return true;
}

/* A ticket leaves a match that is not to be; a place in a backfill is free again. */
static inline void fixture_leave(struct queue_fixture *f, struct model_ticket *t) {
    for (uint32_t i = 0; i < f->backfill_count; i++) {
        struct model_backfill *b = &f->backfills[i];
        if (b->match != t->match) continue;
        for (uint32_t k = 0; k < t->request.player_count; k++) {
            b->wanted.free[t->team][t->roles[k]]++;
            for (uint32_t p = 0; p < b->player_count; p++)
                if (b->players[p] == t->players[k].id) b->players[p] = b->players[--b->player_count];
        }
    }
    t->entered_ms += f->now_ms - t->asked_ms;
}

static inline void fixture_on_returned(struct queue_fixture *f, const struct queue_event *e) {
    struct model_ticket *t = fixture_ticket_of(f, e->players[0]);
    const struct mode *mode = &f->modes[e->mode];
    bool is_over = f->now_ms >= t->asked_ms + mode->ready_ms;
    assert_true(t->state == MODEL_ASKED);
    assert_true(f->declined != (uint32_t)(t - f->tickets) + 1);
    if (f->declined == 0 && !f->is_closing) assert_true(is_over && fixture_all_ready(t));
    assert_int_equal(e->waited_ms, t->asked_ms - t->entered_ms);
    fixture_leave(f, t);
    t->state = MODEL_WAITING;
    f->returned++;
}

static inline void fixture_on_ended(struct queue_fixture *f, const struct queue_event *e) {
    struct model_ticket *t = fixture_ticket_of(f, e->players[0]);
    const struct mode *mode = &f->modes[e->mode];
    uint32_t index = (uint32_t)(t - f->tickets);
    switch (e->end) {
    case QUEUE_CANCELLED: assert_true(f->declined == index + 1 && f->declined_by == QUEUE_CANCELLED); break;
    case QUEUE_DECLINED:
        assert_true(f->declined == index + 1 && f->declined_by == QUEUE_DECLINED && t->state == MODEL_ASKED);
        break;
    case QUEUE_TIMED_OUT: assert_true(t->state == MODEL_WAITING && fixture_waited(f, t) >= mode->timeout_ms); break;
    case QUEUE_SILENT:
        assert_true(t->state == MODEL_ASKED && f->now_ms >= t->asked_ms + mode->ready_ms && !fixture_all_ready(t));
        break;
    default: fail_msg("an end that is no end");
    }
    assert_int_equal(e->waited_ms, fixture_waited(f, t));
    if (t->state == MODEL_ASKED) fixture_leave(f, t);
    fixture_end(f, t, e->end);
}

static inline void fixture_on_event(void *ctx, const struct queue_event *e) {
    struct queue_fixture *f = ctx;
    if (e->match) {
        f->last = *e->match;
        assert_int_equal(e->mode, e->match->mode);
    } else {
        struct model_ticket *t = fixture_ticket_of(f, e->players[0]);
        fixture_name(t, e->ticket);
        assert_true(e->player_count == t->request.player_count && e->mode == t->request.mode);
        for (uint32_t i = 0; i < e->player_count; i++) assert_true(e->players[i] == t->players[i].id);
    }
    switch (e->kind) {
    case QUEUE_EVENT_ASKED: fixture_on_asked(f, e->match); break;
    case QUEUE_EVENT_MATCHED: fixture_on_matched(f, e->match); break;
    case QUEUE_EVENT_RETURNED: fixture_on_returned(f, e); break;
    case QUEUE_EVENT_ENDED: fixture_on_ended(f, e); break;
    default: fail_msg("an unknown event");
    }
}

/* --- using it */

static inline struct mode fixture_mode(uint32_t teams, uint32_t team_size) {
    return (struct mode){.name = "test",
                         .teams = teams,
                         .team_size = team_size,
                         .max_party = team_size,
                         .window_start = 100,
                         .window_step = 50,
                         .window_max = 400,
                         .window_every_ms = 2000,
                         .latency_start_ms = 60,
                         .latency_step_ms = 20,
                         .latency_max_ms = 200,
                         .balance_max = 400,
                         .timeout_ms = 60000};
}

static inline struct queue_fixture *fixture_create(const struct mode *modes, uint32_t mode_count, uint32_t regions) {
    struct queue_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->now = (struct mono){77 * NS_PER_S};
    f->config = (struct queue_config){.mode_count = mode_count,
                                      .region_count = regions,
                                      .modes = f->modes,
                                      .tickets_max = 1000,
                                      .players_max = 1500,
                                      .checks_max = 50,
                                      .backfills_max = 20,
                                      .first_match = 1000000,
                                      .on_event = fixture_on_event,
                                      .ctx = f};
    memcpy(f->modes, modes, mode_count * sizeof *modes);
    assert_int_equal(queue_create(&f->queue, &f->config, f->now), 0);
    return f;
}

static inline void fixture_destroy(struct queue_fixture *f) {
    queue_destroy(f->queue);
    free(f);
}

static inline void fixture_step(struct queue_fixture *f, uint64_t ms) {
    f->now = mono_add_ms(f->now, ms);
    f->now_ms += ms;
    while (queue_step(f->queue, f->now)) {
    }
}

/* fixture_enter enters what `t` says, which is copied; returns the error, and the model's index in *index. */
static inline int fixture_enter(struct queue_fixture *f, const struct model_ticket *from, uint32_t *index) {
    assert_true(f->ticket_count < MODEL_TICKETS_MAX);
    *index = f->ticket_count;
    struct model_ticket *t = &f->tickets[f->ticket_count];
    *t = *from;
    t->request.players = t->players;
    t->request.avoid = t->avoid;
    t->entered_ms = f->now_ms - t->request.waited_ms;
    uint32_t before[QUEUE_PARTY_MAX];
    for (uint32_t i = 0; i < t->request.player_count; i++) {
        before[i] = f->ticket_of[t->players[i].id];
        f->ticket_of[t->players[i].id] = *index + 1;
    }
    struct handle handle;
    int error = queue_enter(f->queue, &t->request, f->now, &handle);
    if (error) {
        for (uint32_t i = t->request.player_count; i-- > 0;) f->ticket_of[t->players[i].id] = before[i];
        return error;
    }
    f->ticket_count++;
    fixture_name(t, handle);
    if (t->state == MODEL_NEW) t->state = MODEL_WAITING;
    return 0;
}

/* fixture_solo enters a player with a rating and roles, next to every region. */
static inline uint32_t fixture_solo(struct queue_fixture *f, uint64_t player, int32_t rating, uint32_t roles) {
    struct model_ticket t = {.request = {.player_count = 1}};
    uint32_t index;
    t.players[0] = (struct queue_player){.id = player, .rating = rating, .roles = roles};
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    return index;
}

/* fixture_backfill opens what `wanted` says, or returns the error. */
static inline int fixture_backfill(struct queue_fixture *f, const struct queue_wanted *wanted, uint32_t *index) {
    *index = f->backfill_count;
    assert_true(f->backfill_count < MODEL_BACKFILLS_MAX);
    struct model_backfill *b = &f->backfills[f->backfill_count++];
    *b = (struct model_backfill){.wanted = *wanted, .since_ms = f->now_ms, .match = wanted->match, .is_open = true};
    for (uint32_t i = 0; i < wanted->player_count && wanted->players; i++)
        b->players[b->player_count++] = wanted->players[i];
    for (uint32_t i = 0; i < wanted->avoid_count; i++) b->avoid[i] = wanted->avoid[i];
    int error = queue_backfill_open(f->queue, wanted, f->now, &b->handle);
    if (error) f->backfill_count--;
    return error;
}

static inline void fixture_backfill_close(struct queue_fixture *f, uint32_t index) {
    f->backfills[index].is_open = false;
    f->is_closing = true;
    queue_backfill_close(f->queue, f->backfills[index].handle, f->now);
    f->is_closing = false;
}

static inline int fixture_answer(struct queue_fixture *f, uint64_t player, bool is_ready) {
    uint32_t ticket = f->ticket_of[player];
    if (ticket != 0 && is_ready)
        for (uint32_t i = 0; i < f->tickets[ticket - 1].request.player_count; i++)
            f->tickets[ticket - 1].is_ready[i] |= f->tickets[ticket - 1].players[i].id == player;
    if (!is_ready) {
        f->declined = ticket;
        f->declined_by = QUEUE_DECLINED;
    }
    int error = queue_answer(f->queue, player, is_ready, f->now);
    f->declined = 0;
    return error;
}

static inline int fixture_cancel(struct queue_fixture *f, uint32_t index) {
    f->declined = index + 1;
    f->declined_by = QUEUE_CANCELLED;
    int error = queue_cancel(f->queue, f->tickets[index].handle, f->now);
    f->declined = 0;
    return error;
}

/* Every ticket that has not ended is there, as the model has it, and no other. */
static inline void fixture_check_all(struct queue_fixture *f) {
    uint32_t tickets = 0, players = 0;
    for (uint32_t i = 0; i < f->ticket_count; i++) {
        const struct model_ticket *t = &f->tickets[i];
        struct queue_view view;
        int error = queue_view_get(f->queue, t->handle, f->now, &view);
        if (t->state == MODEL_ENDED) {
            assert_int_equal(error, MARCH_ERR_NOT_FOUND);
            continue;
        }
        assert_int_equal(error, 0);
        assert_int_equal(view.state, t->state == MODEL_ASKED ? QUEUE_ASKED : QUEUE_WAITING);
        assert_int_equal(view.player_count, t->request.player_count);
        assert_int_equal(view.waited_ms, fixture_waited(f, t));
        assert_int_equal(view.rating, fixture_rating(t));
        assert_true(view.waited_ms <= f->modes[t->request.mode].timeout_ms + MODEL_STEP_MS);
        for (uint32_t k = 0; k < view.player_count; k++) {
            assert_true(view.players[k] == t->players[k].id);
            assert_true(handle_equal(queue_find(f->queue, view.players[k]), t->handle));
            if (t->state == MODEL_ASKED) assert_int_equal(view.is_ready[k], t->is_ready[k]);
        }
        tickets++;
        players += view.player_count;
    }
    struct queue_stats stats = queue_stats_get(f->queue);
    assert_int_equal(stats.tickets, tickets);
    assert_int_equal(stats.players, players);
    assert_int_equal(stats.matches, f->matches);
    for (uint32_t end = 0; end < QUEUE_END_COUNT; end++) assert_int_equal(stats.ended[end], f->ended[end]);
}

#endif
