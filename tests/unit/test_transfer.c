/* Players on their way between zones, as their gateway sees it: each arrow by itself. */
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
    (void)say(context, DETACH, zone, session, reason);
}

static uint8_t successor(void *context, const struct wire_carried *carried) {
    (void)carried;
    return ((struct fixture *)context)->successor;
}

static void goes_on(void *context, struct session *session) {
    struct fixture *f = context;
    f->goes_on++;
    if (!f->ends_it) return;
    (void)transfer_session_ended(&f->table, session, WIRE_DETACH_LEFT);
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
    uint8_t zone = transfer_session_ended(&f->table, session, WIRE_DETACH_LEFT);
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

    session = moving(f); /* it was taken over: the source, which has it again, hears that, too */
    handle = session_handle(&f->sessions, session);
    assert_int_equal(transfer_session_ended(&f->table, session, WIRE_DETACH_TAKEN_OVER), 1);
    session_close(&f->sessions, session);
    answer(f, 1, handle, 6, WIRE_ACTIVATE_FULL);
    ASSERT_SAID(f, 9, DETACH, 0, WIRE_DETACH_TAKEN_OVER);

    f->is_full[1] = true; /* the target never heard of it */
    session = moving(f);
    assert_int_equal(end(f, session), 0);
    f->is_full[1] = false;
    transfer_update(&f->table, f->now);
    assert_int_equal(f->said_count, 10);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
