/* Players on their way between zones, as their gateway sees it: each arrow by itself, then made-up zones that do as the real
 * ones, with connections that are lost and zones that die when a seed says so. */
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

#define SLOTS    8
#define ZONES    4
#define SAID_MAX 64

enum said_kind { ACTIVATE, DONE, RESTORED, DETACH };

struct said {
    enum said_kind kind;
    unsigned zone;
    uint64_t session;
    uint32_t attachment;
};

struct fixture {
    struct session_table sessions;
    struct transfer_table table;
    struct mono now;
    uint64_t incarnations[ZONES]; /* 0: can't be told */
    bool is_full[ZONES];
    uint8_t successor;
    unsigned said_count, goes_on, waits;
    struct said said[SAID_MAX];
    bool ends_it; /* goes_on ends the session */
};

static uint64_t incarnation(void *context, unsigned zone) {
    return zone < ZONES ? ((struct fixture *)context)->incarnations[zone] : 0;
}

static int say(struct fixture *f, enum said_kind kind, unsigned zone, uint64_t session, uint32_t attachment) {
    if (kind != DETACH && f->incarnations[zone] == 0) return MARCH_ERR_NOT_FOUND;
    if (kind != DETACH && f->is_full[zone]) return MARCH_ERR_FULL;
    assert_in_range(f->said_count, 0, SAID_MAX - 1);
    f->said[f->said_count++] = (struct said){kind, zone, session, attachment};
    return 0;
}

static int activate(void *context, unsigned zone, const struct wire_carried *carried) {
    assert_int_equal(carried->target, zone);
    return say(context, ACTIVATE, zone, carried->session, carried->attachment);
}

static int routed(void *context, unsigned zone, const struct wire_routed *out) {
    return say(context, out->result == WIRE_ROUTED_DONE ? DONE : RESTORED, zone, out->session, out->attachment);
}

static void detach(void *context, unsigned zone, uint64_t session, uint32_t reason) {
    (void)reason;
    (void)say(context, DETACH, zone, session, 0);
}

static uint8_t successor(void *context, const struct wire_carried *carried) {
    (void)carried;
    return ((struct fixture *)context)->successor;
}

static void goes_on(void *context, struct session *session) {
    struct fixture *f = context;
    f->goes_on++;
    if (!f->ends_it) return;
    (void)transfer_session_ended(&f->table, session);
    session_close(&f->sessions, session);
}

static void waits(void *context, struct session *session) {
    assert_int_equal(session->state, SESSION_WAITING);
    ((struct fixture *)context)->waits++;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(session_table_create(&f->sessions, SLOTS), 0);
    struct transfer_handlers handlers = {f, incarnation, activate, routed, detach, successor, goes_on, waits};
    assert_int_equal(transfer_init(&f->table, &f->sessions, &handlers), 0);
    for (unsigned i = 0; i < ZONES; i++) f->incarnations[i] = 10 + i;
    f->now = (struct mono){NS_PER_S};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    transfer_deinit(&f->table);
    session_table_destroy(&f->sessions);
    free(f);
    return 0;
}

/* playing opens a session that zone 0 has under attachment 5. */
static struct session *playing(struct fixture *f, uint32_t index) {
    struct session *session = session_open(&f->sessions, index, 1, 1000 + index, 0);
    session_move(&f->sessions, session, SESSION_ATTACHING);
    session_move(&f->sessions, session, SESSION_PLAYING);
    session->attachments = 5;
    session->has_input = true;
    session->newest_input_seq = 77;
    return session;
}

static struct wire_carried carried_of(const struct fixture *f, const struct session *session, uint32_t attachment,
                                      uint32_t target) {
    return (struct wire_carried){.session = session_handle(&f->sessions, session),
                                 .player = session->player,
                                 .attachment = attachment,
                                 .target = target,
                                 .newest_seq = 70,
                                 .input_flags = WIRE_CARRIED_ANY};
}

static void reroute(struct fixture *f, unsigned zone, const struct session *session, uint32_t attachment, uint32_t target) {
    struct wire_carried carried = carried_of(f, session, attachment, target);
    transfer_reroute(&f->table, zone, &carried, f->now);
}

static void answer(struct fixture *f, unsigned zone, uint64_t handle, uint32_t attachment, uint32_t result) {
    transfer_activated(&f->table, zone, &(struct wire_activated){handle, attachment, result}, f->now);
}

static void answer_of(struct fixture *f, unsigned zone, const struct session *session, uint32_t attachment,
                      uint32_t result) {
    answer(f, zone, session_handle(&f->sessions, session), attachment, result);
}

static void forget(struct fixture *f, unsigned zone, const struct session *session, uint32_t attachment) {
    transfer_forgotten(&f->table, zone, &(struct wire_routed){session_handle(&f->sessions, session), attachment, 0});
}

#define ASSERT_SAID(f, i, kind_, zone_, attachment_)                                                                        \
    do {                                                                                                                    \
        assert_true((i) < (f)->said_count);                                                                                 \
        assert_int_equal((f)->said[i].kind, kind_);                                                                         \
        assert_int_equal((f)->said[i].zone, zone_);                                                                         \
        assert_int_equal((f)->said[i].attachment, attachment_);                                                             \
    } while (0)

#define ASSERT_SESSION(session, state_, route_, attachments_)                                                               \
    do {                                                                                                                    \
        assert_int_equal((session)->state, state_);                                                                         \
        assert_int_equal((session)->route, route_);                                                                         \
        assert_int_equal((session)->attachments, attachments_);                                                             \
    } while (0)

static struct session *moving(struct fixture *f) {
    struct session *session = playing(f, 0);
    reroute(f, 0, session, 5, 1);
    ASSERT_SESSION(session, SESSION_MOVING, 1, 6);
    return session;
}

static void lose(struct fixture *f, unsigned zone) {
    f->incarnations[zone] = 0;
    transfer_zone_lost(&f->table, zone);
}

static void bring_up(struct fixture *f, unsigned zone, uint64_t as) {
    f->incarnations[zone] = as;
    transfer_zone_up(&f->table, zone, as, f->now);
}

static void test_transfer_player_is_activated_and_its_source_forgets(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    assert_int_equal(session->newest_input_seq, 70); /* the client's next packet brings again what the source had not */
    ASSERT_SAID(f, 0, ACTIVATE, 1, 6);
    assert_true(transfer_takes_input(&f->table, session));
    answer_of(f, 1, session, 6, WIRE_ACTIVATED);
    ASSERT_SESSION(session, SESSION_PLAYING, 1, 6);
    ASSERT_SAID(f, 1, DONE, 0, 5);
    assert_int_not_equal(session->transfer, 0); /* messages wait */
    forget(f, 0, session, 4);
    forget(f, 1, session, 5);
    assert_int_not_equal(session->transfer, 0);
    forget(f, 0, session, 5);
    assert_int_equal(session->transfer, 0);
    assert_int_equal(f->goes_on, 2);
    assert_int_equal(transfer_count(&f->table), 0);
    assert_int_equal(f->said_count, 2);
    assert_int_equal(f->table.stats.done, 1);
}

static void test_transfer_player_without_inputs_takes_the_first_whole(void **state) {
    struct fixture *f = *state;
    struct session *session = playing(f, 0);
    struct wire_carried carried = carried_of(f, session, 5, 1);
    carried.input_flags = 0;
    transfer_reroute(&f->table, 0, &carried, f->now);
    assert_false(session->has_input);
}

static void test_transfer_reroutes_that_are_late_or_repeated(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    reroute(f, 0, session, 5, 1); /* under way: not answered */
    assert_int_equal(f->said_count, 1);
    reroute(f, 0, session, 4, 1);
    ASSERT_SAID(f, 1, DONE, 0, 4);
    reroute(f, 2, session, 5, 1); /* never had it: it may forget it */
    ASSERT_SAID(f, 2, DONE, 2, 5);
    answer_of(f, 1, session, 6, WIRE_ACTIVATED);
    reroute(f, 0, session, 5, 1);
    ASSERT_SAID(f, 4, DONE, 0, 5);
    forget(f, 0, session, 5);
    reroute(f, 0, session, 5, 1);
    ASSERT_SAID(f, 5, DONE, 0, 5);
    ASSERT_SESSION(session, SESSION_PLAYING, 1, 6);
    assert_int_equal(f->table.stats.started, 1);
    assert_int_equal(f->table.stats.stale, 4);
}

static void test_transfer_of_a_session_that_is_gone_is_detached(void **state) {
    struct fixture *f = *state;
    struct wire_carried carried = {.session = 3, .attachment = 5, .target = 1};
    transfer_reroute(&f->table, 0, &carried, f->now);
    ASSERT_SAID(f, 0, DETACH, 0, 0);
    carried.session = UINT64_MAX;
    transfer_reroute(&f->table, 0, &carried, f->now);
    ASSERT_SAID(f, 1, DETACH, 0, 0);
    assert_int_equal(f->table.stats.unknown, 2);
}

/* The answer of the first activation was lost, and the player is on its way again. */
static void test_transfer_next_reroute_of_the_target_ends_the_first(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    reroute(f, 1, session, 6, 2);
    ASSERT_SAID(f, 1, DONE, 0, 5);
    ASSERT_SAID(f, 2, ACTIVATE, 2, 7);
    ASSERT_SESSION(session, SESSION_MOVING, 2, 7);
    answer_of(f, 1, session, 6, WIRE_ACTIVATED); /* late */
    ASSERT_SESSION(session, SESSION_MOVING, 2, 7);
    answer_of(f, 2, session, 7, WIRE_ACTIVATED);
    ASSERT_SAID(f, 3, DONE, 1, 6);
    assert_int_equal(transfer_count(&f->table), 1);
}

static void test_transfer_to_who_cannot_be_told_is_restored_at_once(void **state) {
    static const uint32_t targets[] = {3, 0, ZONES, WIRE_SLOT_NONE, SESSION_ROUTES_MAX};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        assert_int_equal(setup(state), 0);
        struct fixture *f = *state;
        f->incarnations[3] = 0;
        struct session *session = playing(f, 0);
        reroute(f, 0, session, 5, targets[i]);
        ASSERT_SESSION(session, SESSION_PLAYING, 0, 6);
        ASSERT_SAID(f, 0, RESTORED, 0, 6);
        assert_int_equal(session->newest_input_seq, 70);
        assert_int_equal(f->table.stats.refused, 1);
        assert_int_equal(transfer_count(&f->table), 0);
        teardown(state);
    }
    assert_int_equal(setup(state), 0);
}

static void test_transfer_refused_by_the_target_goes_back(void **state) {
    struct fixture *f = *state;
    static const uint32_t results[] = {WIRE_ACTIVATE_FULL, WIRE_ACTIVATE_REFUSED, 99};
    for (uint32_t i = 0; i < 3; i++) {
        struct session *session = playing(f, i);
        reroute(f, 0, session, 5, 1);
        answer_of(f, 1, session, 6, results[i]);
        ASSERT_SESSION(session, SESSION_PLAYING, 0, 7);
        ASSERT_SAID(f, 2 * i + 1, RESTORED, 0, 7);
        assert_int_equal(session->transfer, 0);
    }
    assert_int_equal(f->table.stats.restored, 3);
    assert_int_equal(transfer_count(&f->table), 0);
}

static void test_transfer_refused_waits_where_its_source_is_another_incarnation(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    lose(f, 0);
    bring_up(f, 0, 99);
    f->successor = 2;
    answer_of(f, 1, session, 6, WIRE_ACTIVATE_FULL);
    ASSERT_SESSION(session, SESSION_WAITING, 2, 6);
    assert_int_equal(f->sessions.waiting_counts[2], 1);
    assert_int_equal(f->waits, 1);
    assert_int_equal(f->said_count, 1); /* nothing to the source */
    assert_int_equal(transfer_count(&f->table), 0);
}

/* It has the player still, frozen: it goes on with that when it is attached anew. */
static void test_transfer_refused_waits_for_a_source_that_is_lost(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    f->successor = 2;
    lose(f, 0);
    answer_of(f, 1, session, 6, WIRE_ACTIVATE_FULL);
    ASSERT_SESSION(session, SESSION_WAITING, 0, 6);
    assert_int_equal(f->sessions.waiting_counts[0], 1);
    assert_int_equal(f->waits, 1);
    bring_up(f, 0, 10);
    reroute(f, 0, session, 5, 1); /* DONE would have it forget the player before the attach comes */
    assert_int_equal(f->said_count, 1);
    ASSERT_SESSION(session, SESSION_WAITING, 0, 6);
    reroute(f, 3, session, 5, 1);
    ASSERT_SAID(f, 1, DONE, 3, 5);
}

static void test_transfer_lost_target_is_told_again_when_it_is_back(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    lose(f, 1);
    transfer_update(&f->table, f->now);
    assert_int_equal(f->said_count, 1);
    assert_false(transfer_takes_input(&f->table, session));
    bring_up(f, 1, 11);
    ASSERT_SAID(f, 1, ACTIVATE, 1, 6);
    answer_of(f, 1, session, 6, WIRE_ACTIVATED);
    ASSERT_SAID(f, 2, DONE, 0, 5);
}

static void test_transfer_dead_target_gives_back(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    lose(f, 1);
    bring_up(f, 1, 50); /* as another incarnation */
    ASSERT_SESSION(session, SESSION_PLAYING, 0, 7);
    ASSERT_SAID(f, 1, RESTORED, 0, 7);
    reroute(f, 0, session, 7, 2);
    transfer_zone_dead(&f->table, 2, 12, f->now); /* alive */
    ASSERT_SESSION(session, SESSION_MOVING, 2, 8);
    f->incarnations[2] = 0;
    transfer_zone_dead(&f->table, 2, 0, f->now);
    ASSERT_SESSION(session, SESSION_PLAYING, 0, 9);
    ASSERT_SAID(f, 3, RESTORED, 0, 9);
    answer_of(f, 2, session, 8, WIRE_ACTIVATED); /* late */
    ASSERT_SESSION(session, SESSION_PLAYING, 0, 9);
}

static void test_transfer_lost_source_is_owed_nothing(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    lose(f, 0);
    ASSERT_SESSION(session, SESSION_MOVING, 1, 6);
    answer_of(f, 1, session, 6, WIRE_ACTIVATED);
    assert_int_equal(session->transfer, 0);
    assert_int_equal(f->said_count, 1);
    bring_up(f, 0, 10);
    reroute(f, 0, session, 5, 1);
    ASSERT_SAID(f, 1, DONE, 0, 5);
    reroute(f, 1, session, 6, 2); /* and a source that is lost behind DONE has nothing to return */
    answer_of(f, 2, session, 7, WIRE_ACTIVATED);
    assert_int_not_equal(session->transfer, 0);
    lose(f, 1);
    assert_int_equal(session->transfer, 0);
}

static void test_transfer_what_has_no_room_is_told_later(void **state) {
    struct fixture *f = *state;
    struct session *session = playing(f, 0);
    f->is_full[1] = f->is_full[0] = true;
    reroute(f, 0, session, 5, 1);
    assert_false(transfer_takes_input(&f->table, session)); /* or they would be lost */
    transfer_update(&f->table, f->now);
    assert_int_equal(f->said_count, 0);
    f->is_full[1] = false;
    transfer_update(&f->table, f->now);
    ASSERT_SAID(f, 0, ACTIVATE, 1, 6);
    answer_of(f, 1, session, 6, WIRE_ACTIVATED);
    reroute(f, 0, session, 5, 1);
    assert_int_equal(f->said_count, 1);
    f->is_full[0] = false;
    transfer_update(&f->table, f->now);
    ASSERT_SAID(f, 1, DONE, 0, 5);
    forget(f, 0, session, 5);
    f->is_full[1] = true;
    reroute(f, 1, session, 6, 2);
    answer_of(f, 2, session, 7, WIRE_ACTIVATE_FULL);
    ASSERT_SESSION(session, SESSION_PLAYING, 1, 8);
    reroute(f, 1, session, 6, 2); /* again, before RESTORED could be told: DONE would be the end of it */
    assert_int_equal(f->said_count, 3);
    assert_int_not_equal(session->transfer, 0);
    f->is_full[1] = false;
    transfer_update(&f->table, f->now);
    ASSERT_SAID(f, 3, RESTORED, 1, 8);
    assert_int_equal(transfer_count(&f->table), 0);
    f->is_full[1] = true;
    reroute(f, 1, session, 8, 1); /* neither to be moved nor to be answered: as if it had not come */
    ASSERT_SESSION(session, SESSION_PLAYING, 1, 8);
    assert_int_equal(f->table.stats.unanswered, 1);
}

static void test_transfer_full_table_restores(void **state) {
    struct fixture *f = *state;
    f->table.pool.free_count = 1;
    struct session *a = playing(f, 0), *b = playing(f, 1);
    reroute(f, 0, a, 5, 1);
    reroute(f, 0, b, 5, 1);
    ASSERT_SESSION(a, SESSION_MOVING, 1, 6);
    ASSERT_SESSION(b, SESSION_PLAYING, 0, 6);
    ASSERT_SAID(f, 1, RESTORED, 0, 6);
}

static void test_transfer_source_that_never_forgets_is_waited_for_a_second(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    answer_of(f, 1, session, 6, WIRE_ACTIVATED);
    f->now = mono_add_ms(f->now, TRANSFER_FORGET_MS - 1);
    transfer_update(&f->table, f->now);
    assert_int_not_equal(session->transfer, 0);
    f->now = mono_add_ms(f->now, TRANSFER_LOOK_MS + 2);
    transfer_update(&f->table, f->now);
    assert_int_equal(session->transfer, 0);
}

/* Sessions that wait are their zone's still, until another is told: a zone is back, and its reroutes come before our
 * attaches.
 */
static void test_transfer_from_waiting_session_is_taken(void **state) {
    struct fixture *f = *state;
    struct session *session = playing(f, 0);
    session_move(&f->sessions, session, SESSION_WAITING);
    session_reroute(&f->sessions, session, 3);
    reroute(f, 0, session, 5, 1);
    ASSERT_SESSION(session, SESSION_MOVING, 1, 6);
    assert_int_equal(f->sessions.waiting_counts[3] + f->sessions.waiting_counts[0], 0);
    answer_of(f, 1, session, 6, WIRE_ACTIVATE_FULL);
    session_move(&f->sessions, session, SESSION_WAITING);
    session_move(&f->sessions, session, SESSION_ATTACHING); /* with an attach on its way */
    session->attachments = 8;
    reroute(f, 0, session, 7, 1);
    ASSERT_SAID(f, 2, DONE, 0, 7);
    ASSERT_SESSION(session, SESSION_ATTACHING, 0, 8);
}

static uint8_t end(struct fixture *f, struct session *session) {
    uint8_t zone = transfer_session_ended(&f->table, session);
    session_close(&f->sessions, session);
    return zone;
}

static void test_transfer_session_that_ends_meanwhile(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    uint64_t handle = session_handle(&f->sessions, session);
    assert_int_equal(end(f, session), 1); /* the target's to detach, behind the activate */
    struct wire_carried carried = {.session = handle, .attachment = 5, .target = 1};
    transfer_reroute(&f->table, 0, &carried, f->now);
    assert_int_equal(f->said_count, 1); /* the answer will come */
    session = playing(f, 0);            /* the slot's next session is another */
    session->generation++;
    answer(f, 1, handle, 6, WIRE_ACTIVATED);
    ASSERT_SAID(f, 1, DONE, 0, 5);
    assert_int_equal(transfer_count(&f->table), 0);
    assert_int_equal(session->transfer, 0);
    assert_int_equal(end(f, session), 0);

    session = moving(f); /* the target does not take it */
    handle = session_handle(&f->sessions, session);
    assert_int_equal(end(f, session), 1);
    answer(f, 1, handle, 6, WIRE_ACTIVATE_FULL);
    ASSERT_SAID(f, 3, DETACH, 0, 0);

    session = moving(f); /* the target is lost after that, or before */
    assert_int_equal(end(f, session), 1);
    lose(f, 1);
    ASSERT_SAID(f, 5, DETACH, 0, 0);
    bring_up(f, 1, 11);
    session = moving(f);
    lose(f, 1);
    assert_int_equal(end(f, session), 1);
    ASSERT_SAID(f, 7, DETACH, 0, 0);
    bring_up(f, 1, 11);

    f->is_full[1] = true; /* the target never heard of it */
    session = moving(f);
    assert_int_equal(end(f, session), 0);
    f->is_full[1] = false;
    transfer_update(&f->table, f->now);
    assert_int_equal(f->said_count, 8);
    assert_int_equal(transfer_count(&f->table), 0);
}

static void test_transfer_session_that_ends_when_it_goes_on(void **state) {
    struct fixture *f = *state;
    struct session *session = moving(f);
    f->ends_it = true;
    answer_of(f, 1, session, 6, WIRE_ACTIVATED);
    assert_int_equal(transfer_count(&f->table), 0);
    session = moving(f);
    reroute(f, 1, session, 6, 2); /* ends within the reroute */
    assert_int_equal(session->state, SESSION_FREE);
    assert_int_equal(f->said[f->said_count - 1].kind, DETACH);
    assert_int_equal(transfer_count(&f->table), 0);
}

/* --- a world in small: zones that hold nothing but numbers, and pipes that lose what is in them */

#define PLAYERS     4
#define GENERATIONS 64 /* sessions of one player, one after another */
#define BODIES      (PLAYERS * GENERATIONS)
#define PIPE_MAX    1024
#define SEEDS       100
#define STEPS       2000

enum said_by { ATTACH = DETACH + 1, REROUTE, ANSWER, FORGOTTEN };

struct note {
    unsigned kind; /* enum said_kind or said_by */
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
    struct fixture base;
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
    unsigned kind = out->result == WIRE_ROUTED_DONE ? DONE : RESTORED;
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
    struct fixture *f = &w->base;
    struct session *session = session_find(&f->sessions, note.session);
    if (note.kind == ATTACH) {
        bool is_its = session && session->state == SESSION_ATTACHING && session->route == zone;
        if (is_its && session->attachments == note.attachment) session_move(&f->sessions, session, SESSION_PLAYING);
    } else if (note.kind == REROUTE) {
        struct wire_carried carried = {.session = note.session, .attachment = note.attachment, .target = note.value};
        transfer_reroute(&f->table, zone, &carried, f->now);
    } else if (note.kind == ANSWER) {
        answer(f, zone, note.session, note.attachment, note.value);
    } else {
        transfer_forgotten(&f->table, zone, &(struct wire_routed){note.session, note.attachment, 0});
    }
}

static void gateway_attaches(struct world *w) {
    for (uint32_t i = 0; i < PLAYERS; i++) {
        struct session *session = session_at(&w->base.sessions, i);
        if (!session || session->state != SESSION_WAITING || !w->zones[session->route].is_up) continue;
        uint64_t handle = session_handle(&w->base.sessions, session);
        put(&w->zones[session->route].in, (struct note){ATTACH, handle, ++session->attachments, 0});
        session_move(&w->base.sessions, session, SESSION_ATTACHING);
    }
}

static void sessions_wait(struct world *w, unsigned zone, bool is_dead) {
    for (uint32_t i = 0; i < PLAYERS; i++) {
        struct session *session = session_at(&w->base.sessions, i);
        if (!session || session->route != zone || session->state == SESSION_MOVING) continue;
        if (session->state >= SESSION_ATTACHING) session_move(&w->base.sessions, session, SESSION_WAITING);
        if (is_dead) session_reroute(&w->base.sessions, session, heir(w, i));
    }
}

/* What befalls them. */

static void cut(struct world *w, unsigned zone) {
    struct small_zone *z = &w->zones[zone];
    if (!z->is_up) return;
    z->is_up = false;
    z->in.count = z->out.count = 0;
    transfer_zone_lost(&w->base.table, zone);
    sessions_wait(w, zone, false);
}

static void join(struct world *w, unsigned zone) {
    struct small_zone *z = &w->zones[zone];
    if (z->is_up || z->incarnation == 0) return;
    z->is_up = true;
    zone_asks_again(w, zone);
    transfer_zone_up(&w->base.table, zone, z->incarnation, w->base.now);
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
    transfer_zone_dead(&w->base.table, zone, 0, w->base.now);
}

static void leave_and_come(struct world *w, uint32_t player) {
    struct fixture *f = &w->base;
    struct session *session = session_at(&f->sessions, player);
    uint64_t handle = session_handle(&f->sessions, session);
    if (session->generation == GENERATIONS) return;
    bool is_told = session->state >= SESSION_ATTACHING;
    uint8_t zone = transfer_session_ended(&f->table, session);
    w->untold[body_of(handle)] = !is_told;
    if (is_told) small_detach(w, zone, handle, 0);
    uint32_t generation = session->generation + 1;
    session_close(&f->sessions, session);
    session_open(&f->sessions, player, generation, 1000 + player, heir(w, player));
}

static void step(struct world *w) {
    unsigned zone = draw(w, ZONES);
    struct small_zone *z = &w->zones[zone];
    w->base.now = mono_add_ms(w->base.now, 1);
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
    transfer_update(&w->base.table, w->base.now);
}

static unsigned sims_of(const struct world *w, unsigned body) {
    unsigned sims = 0;
    for (unsigned i = 0; i < ZONES; i++) sims += w->zones[i].sim[body] > 0;
    return sims;
}

static void check_quiet(const struct world *w, uint64_t seed) {
    if (transfer_count(&w->base.table) != 0) fail_msg("seed %d: something is under way for ever", (int)seed);
    for (uint32_t i = 0; i < PLAYERS; i++) {
        const struct session *session = session_at(&w->base.sessions, i);
        unsigned body = body_of(session_handle(&w->base.sessions, session));
        bool is_right = session->state == SESSION_PLAYING && session->route == w->owners[i] && sims_of(w, body) == 1;
        if (!is_right || w->zones[session->route].sim[body] != session->attachments)
            fail_msg("seed %d: player %u is %s in zone %u, and in %u zones", (int)seed, i,
                     session_state_name((enum session_state)session->state), session->route, sims_of(w, body));
    }
    for (unsigned body = 0; body < BODIES; body++) {
        const struct session *session = session_at(&w->base.sessions, body % PLAYERS);
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
    assert_int_equal(session_table_create(&w->base.sessions, PLAYERS), 0);
    assert_int_equal(transfer_init(&w->base.table, &w->base.sessions, &handlers), 0);
    for (unsigned i = 0; i < ZONES; i++) {
        w->zones[i].incarnation = w->next_incarnation++;
        join(w, i);
    }
    for (uint32_t i = 0; i < PLAYERS; i++) session_open(&w->base.sessions, i, 1, 1000 + i, 0);
    for (unsigned i = 0; i < STEPS; i++) {
        step(w);
        for (unsigned body = 0; body < BODIES; body++)
            if (sims_of(w, body) > 1) fail_msg("seed %d, step %u: body %u is in two zones", (int)seed, i, body);
    }
    w->is_quiet = true;
    for (unsigned i = 0; i < 2 * TRANSFER_FORGET_MS + 2000; i++) step(w);
    check_quiet(w, seed);
    transfer_deinit(&w->base.table);
    session_table_destroy(&w->base.sessions);
}

static void test_transfer_worlds_of_many_faults_come_to_rest(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    uint64_t done = 0, restored = 0, lost = 0, refused = 0, stale = 0, unknown = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_world(w, seed);
        const struct transfer_stats *stats = &w->base.table.stats;
        done += stats->done, restored += stats->restored, lost += stats->lost;
        refused += stats->refused, stale += stats->stale, unknown += stats->unknown;
    }
    assert_true(done > 1000 && restored > 100 && lost > 10 && refused > 10 && stale > 10 &&
                unknown > 10); /* it all came up */
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transfer_player_is_activated_and_its_source_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_player_without_inputs_takes_the_first_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_reroutes_that_are_late_or_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_of_a_session_that_is_gone_is_detached, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_next_reroute_of_the_target_ends_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_to_who_cannot_be_told_is_restored_at_once, NULL, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_refused_by_the_target_goes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_refused_waits_where_its_source_is_another_incarnation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_transfer_refused_waits_for_a_source_that_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_lost_target_is_told_again_when_it_is_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_dead_target_gives_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_lost_source_is_owed_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_what_has_no_room_is_told_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_full_table_restores, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_source_that_never_forgets_is_waited_for_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_from_waiting_session_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_session_that_ends_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transfer_session_that_ends_when_it_goes_on, setup, teardown),
        cmocka_unit_test(test_transfer_worlds_of_many_faults_come_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
