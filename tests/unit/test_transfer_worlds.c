/* Players on their way between zones in a world in small: zones that hold nothing but numbers, and do as the real ones;
 * pipes that lose what is in them; connections that are lost and zones that die when a seed says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/transfer.h"

#define ZONES       4
#define PLAYERS     4
#define GENERATIONS 64 /* sessions of one player, one after another */
#define BODIES      (PLAYERS * GENERATIONS)
#define PIPE_MAX    1024
#define SEEDS       100
#define STEPS       2000

enum kind { ACTIVATE, DONE, RESTORED, DETACH, ATTACH, REROUTE, ANSWER, FORGOTTEN };

struct note {
    enum kind kind;
    uint64_t session;
    uint32_t attachment, value; /* value: a target, or the result of an answer */
};

struct pipe {
    unsigned head, count;
    struct note notes[PIPE_MAX];
};

struct small_zone {
    uint64_t incarnation; /* 0: dead */
    bool is_up;
    struct pipe in, out;
    uint32_t sim[BODIES], frozen[BODIES]; /* attachments */
    bool left[BODIES];                    /* detached by the gateway */
};

struct world {
    struct session_table sessions;
    struct transfer_table table;
    struct mono now;
    struct small_zone zones[ZONES];
    unsigned owners[PLAYERS];
    bool untold[BODIES]; /* its session ended while no zone could be told */
    uint64_t random, next_incarnation;
    bool is_quiet;
};

static uint32_t draw(struct world *w, uint32_t below) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 33) % below;
}

static unsigned body_of(uint64_t session) {
    return (unsigned)(((session >> 32) - 1) * PLAYERS + (uint32_t)session);
}

static void put(struct pipe *pipe, struct note note) {
    assert_in_range(pipe->count, 0, PIPE_MAX - 1);
    pipe->notes[(pipe->head + pipe->count++) % PIPE_MAX] = note;
}

static struct note pop(struct pipe *pipe) {
    pipe->count--;
    return pipe->notes[pipe->head++ % PIPE_MAX];
}

/* The gateway's handlers. */

static uint64_t small_incarnation(void *context, unsigned zone) {
    const struct world *w = context;
    return zone < ZONES && w->zones[zone].is_up ? w->zones[zone].incarnation : 0;
}

static int small_put(struct world *w, unsigned zone, struct note note) {
    if (!w->zones[zone].is_up) return MARCH_ERR_NOT_FOUND;
    if (!w->is_quiet && draw(w, 8) == 0) return MARCH_ERR_FULL;
    put(&w->zones[zone].in, note);
    return 0;
}

static int small_activate(void *context, unsigned zone, const struct wire_carried *carried) {
    return small_put(context, zone, (struct note){ACTIVATE, carried->session, carried->attachment, 0});
}

static int small_routed(void *context, unsigned zone, const struct wire_routed *out) {
    enum kind kind = out->result == WIRE_ROUTED_DONE ? DONE : RESTORED;
    return small_put(context, zone, (struct note){kind, out->session, out->attachment, 0});
}

static void small_detach(void *context, unsigned zone, uint64_t session, uint32_t reason) {
    struct small_zone *z = &((struct world *)context)->zones[zone];
    (void)reason;
    z->left[body_of(session)] = true;
    if (z->is_up) put(&z->in, (struct note){DETACH, session, 0, 0});
}

/* heir is the owner of a player's place, or whoever lives. */
static uint8_t heir(const struct world *w, uint32_t player) {
    unsigned zone = w->owners[player];
    while (w->zones[zone].incarnation == 0) zone = (zone + 1) % ZONES;
    return (uint8_t)zone;
}

static uint8_t small_successor(void *context, const struct wire_carried *carried) {
    return heir(context, (uint32_t)carried->session);
}

static void small_goes_on(void *context, struct session *session) {
    (void)context, (void)session;
}

/* What a zone does. */

static void zone_takes(struct world *w, unsigned zone, struct note note) {
    struct small_zone *z = &w->zones[zone];
    unsigned body = body_of(note.session);
    uint32_t a = note.attachment, *sim = &z->sim[body], *frozen = &z->frozen[body];
    if (note.kind == ATTACH && *sim <= a) {
        *sim = a, *frozen = 0;
        put(&z->out, (struct note){ATTACH, note.session, a, 0});
    } else if (note.kind == ACTIVATE) {
        bool has_had = *sim >= a || *frozen >= a, is_full = !has_had && draw(w, 4) == 0;
        if (!has_had && !is_full) *sim = a, *frozen = 0;
        put(&z->out, (struct note){ANSWER, note.session, a, is_full ? WIRE_ACTIVATE_FULL : WIRE_ACTIVATED});
    } else if (note.kind == DONE && *frozen == a) {
        *frozen = 0;
        put(&z->out, (struct note){FORGOTTEN, note.session, a, 0});
    } else if (note.kind == RESTORED && *frozen > 0 && *frozen < a) {
        *sim = a, *frozen = 0;
    } else if (note.kind == DETACH) {
        *sim = *frozen = 0;
    }
}

static void zone_lets_go(struct world *w, unsigned zone) {
    struct small_zone *z = &w->zones[zone];
    for (unsigned body = 0; body < BODIES; body++) {
        unsigned player = body % PLAYERS, target = w->owners[player];
        if (z->sim[body] == 0 || target == zone || w->zones[target].incarnation == 0) continue;
        z->frozen[body] = z->sim[body];
        z->sim[body] = 0;
        uint64_t session = (uint64_t)(body / PLAYERS + 1) << 32 | player;
        put(&z->out, (struct note){REROUTE, session, z->frozen[body], target});
    }
}

/* zone_asks_again sends the reroutes that nobody has answered. */
static void zone_asks_again(struct world *w, unsigned zone) {
    struct small_zone *z = &w->zones[zone];
    for (unsigned body = 0; body < BODIES; body++) {
        uint64_t session = (uint64_t)(body / PLAYERS + 1) << 32 | body % PLAYERS;
        if (z->frozen[body] > 0) put(&z->out, (struct note){REROUTE, session, z->frozen[body], w->owners[body % PLAYERS]});
    }
}

/* What the gateway does beside transfer.c. */

static void gateway_takes(struct world *w, unsigned zone, struct note note) {
    struct session *session = session_find(&w->sessions, note.session);
    if (note.kind == ATTACH) {
        bool is_its = session && session->state == SESSION_ATTACHING && session->route == zone;
        if (is_its && session->attachments == note.attachment) session_move(&w->sessions, session, SESSION_PLAYING);
    } else if (note.kind == REROUTE) {
        struct wire_carried carried = {.session = note.session, .attachment = note.attachment, .target = note.value};
        transfer_reroute(&w->table, zone, &carried, w->now);
    } else if (note.kind == ANSWER) {
        struct wire_activated answer = {.session = note.session, .attachment = note.attachment, .result = note.value};
        transfer_activated(&w->table, zone, &answer, w->now);
    } else {
        transfer_forgotten(&w->table, zone, &(struct wire_routed){note.session, note.attachment, 0});
    }
}

static void gateway_attaches(struct world *w) {
    for (uint32_t i = 0; i < PLAYERS; i++) {
        struct session *session = session_at(&w->sessions, i);
        if (!session || session->state != SESSION_WAITING || !w->zones[session->route].is_up) continue;
        uint64_t handle = session_handle(&w->sessions, session);
        put(&w->zones[session->route].in, (struct note){ATTACH, handle, ++session->attachments, 0});
        session_move(&w->sessions, session, SESSION_ATTACHING);
    }
}

static void sessions_wait(struct world *w, unsigned zone, bool is_dead) {
    for (uint32_t i = 0; i < PLAYERS; i++) {
        struct session *session = session_at(&w->sessions, i);
        if (!session || session->route != zone || session->state == SESSION_MOVING) continue;
        if (session->state >= SESSION_ATTACHING) session_move(&w->sessions, session, SESSION_WAITING);
        if (is_dead) session_reroute(&w->sessions, session, heir(w, i));
    }
}

/* What befalls them. */

static void cut(struct world *w, unsigned zone) {
    struct small_zone *z = &w->zones[zone];
    if (!z->is_up) return;
    z->is_up = false;
    z->in.count = z->out.count = 0;
    transfer_zone_lost(&w->table, zone);
    sessions_wait(w, zone, false);
}

static void join(struct world *w, unsigned zone) {
    struct small_zone *z = &w->zones[zone];
    if (z->is_up || z->incarnation == 0) return;
    z->is_up = true;
    zone_asks_again(w, zone);
    transfer_zone_up(&w->table, zone, z->incarnation, w->now);
    if (draw(w, 2) == 0) gateway_attaches(w); /* or they come behind the zone's first batch */
    for (unsigned body = 0; body < BODIES; body++)
        if (z->left[body]) put(&z->in, (struct note){DETACH, (uint64_t)(body / PLAYERS + 1) << 32 | body % PLAYERS, 0, 0});
}

static void die(struct world *w, unsigned zone) {
    struct small_zone *z = &w->zones[zone];
    unsigned alive = 0;
    for (unsigned i = 0; i < ZONES; i++) alive += w->zones[i].incarnation != 0;
    if (z->incarnation == 0 || alive == 1) return;
    if (draw(w, 2) == 0) cut(w, zone);
    memset(z, 0, sizeof *z);
    sessions_wait(w, zone, true);
    transfer_zone_dead(&w->table, zone, 0, w->now);
}

static void leave_and_come(struct world *w, uint32_t player) {
    struct session *session = session_at(&w->sessions, player);
    uint64_t handle = session_handle(&w->sessions, session);
    if (session->generation == GENERATIONS) return;
    bool is_told = session->state >= SESSION_ATTACHING;
    uint8_t zone = transfer_session_ended(&w->table, session, WIRE_DETACH_LEFT);
    w->untold[body_of(handle)] = !is_told;
    if (is_told) small_detach(w, zone, handle, 0);
    uint32_t generation = session->generation + 1;
    session_close(&w->sessions, session);
    session_open(&w->sessions, player, generation, 1000 + player, heir(w, player));
}

static void step(struct world *w) {
    unsigned zone = draw(w, ZONES);
    struct small_zone *z = &w->zones[zone];
    w->now = mono_add_ms(w->now, 1);
    uint32_t fate = w->is_quiet ? 99 : draw(w, 100);
    if (fate < 2) cut(w, zone);
    if (fate == 2) die(w, zone);
    if (fate == 3) leave_and_come(w, draw(w, PLAYERS));
    if (fate >= 4 && fate < 8) w->owners[draw(w, PLAYERS)] = zone;
    if (z->incarnation == 0 && draw(w, 10) == 0) z->incarnation = w->next_incarnation++;
    if (draw(w, 10) == 0) join(w, zone);
    if (z->is_up && z->in.count > 0) zone_takes(w, zone, pop(&z->in));
    if (z->is_up && z->out.count > 0) gateway_takes(w, zone, pop(&z->out));
    if (z->is_up && draw(w, 4) == 0) zone_lets_go(w, zone);
    if (z->is_up && draw(w, w->is_quiet ? 20 : 200) == 0) zone_asks_again(w, zone);
    gateway_attaches(w);
    transfer_update(&w->table, w->now);
}

static unsigned sims_of(const struct world *w, unsigned body) {
    unsigned sims = 0;
    for (unsigned i = 0; i < ZONES; i++) sims += w->zones[i].sim[body] > 0;
    return sims;
}

static void check_quiet(const struct world *w, uint64_t seed) {
    if (transfer_count(&w->table) != 0) fail_msg("seed %d: something is under way for ever", (int)seed);
    for (uint32_t i = 0; i < PLAYERS; i++) {
        const struct session *session = session_at(&w->sessions, i);
        unsigned body = body_of(session_handle(&w->sessions, session));
        bool is_right = session->state == SESSION_PLAYING && session->route == w->owners[i] && sims_of(w, body) == 1;
        if (!is_right || w->zones[session->route].sim[body] != session->attachments)
            fail_msg("seed %d: player %u is %s in zone %u, and in %u zones", (int)seed, i,
                     session_state_name((enum session_state)session->state), session->route, sims_of(w, body));
    }
    for (unsigned body = 0; body < BODIES; body++) {
        const struct session *session = session_at(&w->sessions, body % PLAYERS);
        bool is_gone = body / PLAYERS + 1 < session->generation;
        if (is_gone && !w->untold[body] && sims_of(w, body) > 0) fail_msg("seed %d: body %u was left", (int)seed, body);
        for (unsigned i = 0; i < ZONES; i++)
            if (w->zones[i].frozen[body] > 0) fail_msg("seed %d: body %u is frozen for ever", (int)seed, body);
    }
}

static void run_world(struct world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    w->random = seed * 0x9e3779b97f4a7c15u;
    w->next_incarnation = 1;
    struct transfer_handlers handlers = {
        w, small_incarnation, small_activate, small_routed, small_detach, small_successor, small_goes_on, small_goes_on};
    assert_int_equal(session_table_create(&w->sessions, PLAYERS), 0);
    assert_int_equal(transfer_init(&w->table, &w->sessions, &handlers), 0);
    for (unsigned i = 0; i < ZONES; i++) {
        w->zones[i].incarnation = w->next_incarnation++;
        join(w, i);
    }
    for (uint32_t i = 0; i < PLAYERS; i++) session_open(&w->sessions, i, 1, 1000 + i, 0);
    for (unsigned i = 0; i < STEPS; i++) {
        step(w);
        for (unsigned body = 0; body < BODIES; body++)
            if (sims_of(w, body) > 1) fail_msg("seed %d, step %u: body %u is in two zones", (int)seed, i, body);
    }
    w->is_quiet = true;
    for (unsigned i = 0; i < 2 * TRANSFER_FORGET_MS + 2000; i++) step(w);
    check_quiet(w, seed);
    transfer_deinit(&w->table);
    session_table_destroy(&w->sessions);
}

static void test_transfer_worlds_of_many_faults_come_to_rest(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    uint64_t done = 0, restored = 0, lost = 0, refused = 0, stale = 0, unknown = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_world(w, seed);
        const struct transfer_stats *stats = &w->table.stats;
        done += stats->done, restored += stats->restored, lost += stats->lost;
        refused += stats->refused, stale += stats->stale, unknown += stats->unknown;
    }
    assert_true(done > 1000 && restored > 100 && lost > 10 && refused > 10 && stale > 10 &&
                unknown > 10); /* it all came up */
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer_worlds_of_many_faults_come_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
