/* test_desk.c: tickets, parties, matches and results, one rule at a time. */
#include "tests/unit/desk_fixture.h"

/* --- tickets */

static void test_desk_ticket_is_told_once_it_is_durable(void **state) {
    (void)state;
    struct world *w = world_new(2);
    uint64_t ticket;
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_NONE);
    assert_int_equal(desk_ticket_of(w->desk, 1), ticket);
    assert_false(desk_ticket_is_durable(w->desk, ticket));
    assert_int_equal(w->told[1].tickets, 0);
    world_settle(w);
    assert_true(desk_ticket_is_durable(w->desk, ticket));
    assert_int_equal(w->told[1].tickets, 1);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(w->told[1].ticket.ticket, ticket);
    assert_string_equal(w->told[1].ticket.mode, "duel");
    assert_int_equal(w->told[1].ticket.position, 1);
    assert_int_equal(w->told[1].ticket.queued, 1);
    assert_int_equal(w->changes, 1);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    struct desk_ticket t = world_ticket(w, ticket);
    assert_int_equal(t.rating, 1500);
    assert_true(t.is_provisional);
    assert_string_equal(t.region, "north");
    world_free(w);
}

static void test_desk_requests_beyond_the_rules_are_refused(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const struct desk_latency far = {0, 2000}, wrong = {2, 10};
    struct desk_request request = {.player = 1, .mode = "duel", .latency_count = 1, .latencies = &far};
    uint64_t ticket;
    assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_INVALID);
    request.latencies = &wrong;
    assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_INVALID);
    assert_int_equal(world_enter(w, 0, "duel", NULL), WIRE_REASON_INVALID);
    assert_int_equal(world_enter(w, 1, "chess", NULL), WIRE_REASON_UNKNOWN_MODE);
    (void)world_queue(w, 1, "arena");
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_EXISTS);
    world_party(w, 2, 3);
    assert_int_equal(world_enter(w, 2, "duel", NULL), WIRE_REASON_INVALID); /* no parties there */
    assert_int_equal(world_enter(w, 3, "arena", NULL), WIRE_REASON_NOT_LEADER);
    assert_int_equal(desk_stats_get(w->desk).refused[WIRE_REASON_INVALID], 4);
    assert_int_equal(desk_stats_get(w->desk).tickets, 1);
    world_free(w);
}

static void test_desk_match_is_launched_where_its_players_are_near(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const struct desk_latency latencies[2] = {{0, 90}, {1, 20}};
    const uint64_t third = 3;
    uint64_t ticket;
    uint32_t id;
    for (uint64_t player = 1; player <= 2; player++) {
        const struct desk_request request = {.player = player, .mode = "duel", .latency_count = 2, .latencies = latencies};
        assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_NONE);
        world_settle(w);
    }
    assert_int_equal(fake_at(w->instances, world_ticket(w, ticket).instance)->region, 1);
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], &third, 1, w->now, w->wall_ms, &id), 0);
    assert_int_equal(fake_at(w->instances, id)->region, INSTANCES_ANYWHERE);
    world_free(w);
}

static void test_desk_full_refuses_tickets(void **state) {
    (void)state;
    struct world *w = world_new(0);
    for (uint64_t player = 1; player <= WORLD_TICKETS; player++)
        assert_int_equal(world_enter(w, player, "crypt", NULL), WIRE_REASON_NONE);
    assert_int_equal(world_enter(w, WORLD_TICKETS + 1, "crypt", NULL), WIRE_REASON_FULL);
    world_free(w);
}

static void test_desk_without_an_answer_is_unavailable_after_three_seconds(void **state) {
    (void)state;
    struct world *w = world_new(1);
    model_lose(w->model, w->keep, 0);
    uint64_t ticket;
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_NONE);
    world_step(w, 2999);
    assert_int_equal(w->told[1].tickets, 0);
    world_step(w, 1);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_ENDED);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_UNAVAILABLE);
    assert_int_equal(desk_ticket_of(w->desk, 1), 0);
    world_settle(w);
    assert_int_equal(w->told[1].tickets, 1);
    /* The same where the rating came, and what is kept did not. */
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_NONE);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
    assert_true(model_take(w->model, w->keep, 0));
    world_step(w, 3000);
    assert_int_equal(w->told[1].tickets, 2);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_UNAVAILABLE);
    world_settle(w);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    assert_int_equal(w->told[1].tickets, 2);
    world_free(w);
}

static void test_desk_before_all_is_recalled_is_unavailable(void **state) {
    (void)state;
    struct world *w = world_new(1);
    world_restart(w);
    const uint64_t player = 1;
    uint64_t ticket;
    uint32_t id;
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_UNAVAILABLE);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 2, w->now), WIRE_REASON_UNAVAILABLE);
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], &player, 1, w->now, w->wall_ms, &id),
                     MARCH_ERR_UNAVAILABLE);
    world_settle(w);
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_NONE);
    world_free(w);
}

static void test_desk_cancel_is_told_once_durable_and_is_final(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "duel");
    assert_int_equal(desk_cancel(w->desk, ticket, 2, w->now), WIRE_REASON_NOT_LEADER);
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NOT_FOUND);
    assert_int_equal(w->told[1].tickets, 1);
    world_settle(w);
    assert_int_equal(w->told[1].tickets, 2);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_ENDED);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_CANCELLED);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_ENDED);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    (void)world_queue(w, 2, "duel");
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_WAITING);
    world_free(w);
}

static void test_desk_cancelled_before_it_was_durable_is_told_of_the_end_alone(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket;
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_NONE);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0));
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    assert_true(model_tell(w->model, w->keep, 0)); /* it is durable now, its end is not */
    world_step(w, 1);
    assert_int_equal(w->told[1].tickets, 0);
    world_settle(w);
    assert_int_equal(w->told[1].tickets, 1);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_CANCELLED);
    world_free(w);
}

static void test_desk_time_out_ends_a_ticket(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "duel");
    world_step(w, 59000);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_WAITING);
    world_step(w, 2000);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_TIMED_OUT);
    assert_int_equal(desk_stats_get(w->desk).ended[QUEUE_TIMED_OUT], 1);
    world_free(w);
}

static void test_desk_ticket_of_long_ago_is_forgotten(void **state) {
    (void)state;
    struct world *w = world_new(0);
    uint64_t first = world_queue(w, 1, "crypt");
    for (uint32_t i = 0; i <= DESK_RECENT_MAX; i++) {
        assert_true(i == DESK_RECENT_MAX || i == 0 || world_ticket(w, first).state == WIRE_TICKET_ENDED);
        assert_int_equal(desk_cancel(w->desk, desk_ticket_of(w->desk, 1), 1, w->now), WIRE_REASON_NONE);
        assert_int_equal(world_enter(w, 1, "crypt", NULL), WIRE_REASON_NONE);
        keep_step(w->keep, w->now);
    }
    struct desk_ticket t;
    assert_false(desk_ticket_get(w->desk, first, w->now, w->wall_ms, &t));
    world_free(w);
}

static void test_desk_rating_of_persist_is_what_is_queued_with(void **state) {
    (void)state;
    struct world *w = world_new(2);
    struct wire_rating *rating = &model_rating(w->model, 1, "duel")->rating;
    rating->mu = 30;
    rating->sigma = 2;
    rating->season = w->season;
    rating->rated_at_s = w->wall_ms / 1000;
    uint64_t ticket = world_queue(w, 1, "duel");
    assert_int_equal(world_ticket(w, ticket).rating, 1800);
    assert_false(world_ticket(w, ticket).is_provisional);
    rating = &model_rating(w->model, 2, "duel")->rating; /* of a season before: half way back, and less sure */
    rating->mu = 45;
    rating->sigma = 2;
    rating->season = w->season - 1;
    rating->rated_at_s = w->wall_ms / 1000 - 86400;
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    ticket = world_queue(w, 2, "duel");
    struct rating seasoned = rating_after_season(&RATING_RULES, (struct rating){45, 2});
    assert_int_equal(world_ticket(w, ticket).rating, rating_points(seasoned));
    assert_int_not_equal(world_ticket(w, ticket).rating, 2700);
    world_free(w);
}

/* --- ready checks */

static void test_desk_ready_check_asks_tells_and_matches(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "arena");
    for (uint64_t player = 1; player <= 4; player++) {
        assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_ASKED);
        assert_in_range(w->told[player].ticket.ready_ms, 4900, 5000);
        assert_int_equal(desk_answer(w->desk, player, true, w->now), WIRE_REASON_NONE);
    }
    assert_int_equal(desk_answer(w->desk, 1, true, w->now), WIRE_REASON_NOT_FOUND);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_ASKED);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[1].ticket.instance, 1);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_STARTING);
    world_free(w);
}

static void test_desk_decline_and_silence_cost_one_ticket_only(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "arena");
    world_step(w, 1000);
    assert_int_equal(desk_answer(w->desk, 2, false, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(w->told[2].ticket.reason, WIRE_REASON_DECLINED);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    assert_in_range(w->told[1].ticket.waited_ms, 0, 100); /* not while it was asked */
    (void)world_queue(w, 2, "arena");
    assert_int_equal(w->told[4].ticket.state, WIRE_TICKET_ASKED);
    for (uint64_t player = 1; player <= 3; player++)
        assert_int_equal(desk_answer(w->desk, player, true, w->now), WIRE_REASON_NONE);
    world_step(w, 5100);
    world_settle(w);
    assert_int_equal(w->told[4].ticket.reason, WIRE_REASON_SILENT);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    world_free(w);
}

/* --- parties */

static void test_desk_party_grows_is_kept_and_passes_on(void **state) {
    (void)state;
    struct world *w = world_new(1);
    world_party(w, 1, 2);
    world_party(w, 1, 3);
    assert_int_equal(w->told[3].party.leader, 1);
    assert_int_equal(w->told[2].party.member_count, 3);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 1));
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_INVITE, 4, w->now), WIRE_REASON_NOT_LEADER);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 3, w->now), WIRE_REASON_EXISTS);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_LEAVE, 0, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(w->told[1].party.leader, 0);
    assert_int_equal(w->told[3].party.leader, 2);
    assert_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 1));
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 2));
    world_restart(w);
    world_settle(w);
    struct desk_party party = desk_party_of(w->desk, 3);
    assert_int_equal(party.leader, 2);
    assert_int_equal(party.member_count, 2);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_REMOVE, 3, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(desk_party_of(w->desk, 2).leader, 0); /* one is no party */
    assert_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 2));
    assert_int_equal(desk_stats_get(w->desk).parties, 0);
    world_free(w);
}

static void test_desk_invitation_ends_after_a_minute(void **state) {
    (void)state;
    struct world *w = world_new(1);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_JOIN, 1, w->now), WIRE_REASON_NOT_FOUND);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 2, w->now), WIRE_REASON_NONE);
    assert_int_equal(w->told[2].party.invited_by, 1);
    world_step(w, 30000);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 2, w->now), WIRE_REASON_NONE); /* again */
    world_step(w, 30001);
    assert_int_equal(w->told[2].party.invited_by, 1);
    world_step(w, 30000);
    assert_int_equal(w->told[2].party.invited_by, 0);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_JOIN, 1, w->now), WIRE_REASON_NOT_FOUND);
    assert_int_equal(desk_stats_get(w->desk).parties, 0);
    world_free(w);
}

static void test_desk_party_has_room_for_so_many(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 2; player <= DESK_PARTY_MAX; player++) world_party(w, 1, player);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 99, w->now), WIRE_REASON_FULL);
    assert_int_equal(desk_party_of(w->desk, 1).member_count, DESK_PARTY_MAX);
    world_free(w);
}

static void test_desk_party_plays_together_and_loses_its_ticket_when_it_changes(void **state) {
    (void)state;
    struct world *w = world_new(1);
    world_party(w, 1, 2);
    uint64_t ticket = world_queue(w, 1, "siege");
    assert_int_equal(desk_ticket_of(w->desk, 2), ticket);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(desk_cancel(w->desk, ticket, 2, w->now), WIRE_REASON_NOT_LEADER);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_LEAVE, 0, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_CANCELLED);
    assert_int_equal(w->told[2].ticket.reason, WIRE_REASON_CANCELLED);
    world_party(w, 1, 2);
    (void)world_queue(w, 1, "siege");
    (void)world_queue(w, 3, "siege");
    (void)world_queue(w, 4, "siege");
    assert_int_equal(w->told[1].match.instance, 1);
    assert_int_equal(w->told[1].match.team, w->told[2].match.team);
    assert_int_equal(w->told[3].match.team, w->told[4].match.team);
    assert_int_not_equal(w->told[1].match.team, w->told[3].match.team);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_LEAVE, 0, w->now), WIRE_REASON_NONE); /* the match goes on */
    world_settle(w);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_INSTANCE, 1));
    world_free(w);
}

/* --- matches */

/* duel has two players in an instance that runs, both there; returns its id. */
static uint32_t duel(struct world *w) {
    (void)world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    uint32_t id = w->told[1].match.instance;
    assert_int_not_equal(id, 0);
    fake_run(w, id);
    fake_come_all(w, id);
    return id;
}

static void test_desk_match_is_kept_and_its_tickets_erased_in_one(void **state) {
    (void)state;
    struct world *w = world_new(1);
    (void)world_queue(w, 1, "duel");
    uint64_t transactions = w->model->transactions;
    uint64_t ticket;
    assert_int_equal(world_enter(w, 2, "duel", &ticket), WIRE_REASON_NONE);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_false(desk_ticket_is_durable(w->desk, ticket));
    assert_int_equal(w->told[1].matches + w->told[2].tickets, 0);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0));
    assert_int_equal(w->model->transactions, transactions + 1);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_INSTANCE, 1));
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    assert_true(model_tell(w->model, w->keep, 0));
    world_step(w, 0);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[2].match.phase, WIRE_MATCH_STARTING);
    assert_string_equal(w->told[2].match.template_name, "hall");
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_BUSY);
    world_free(w);
}

/* check_whole: whoever is kept as a member of an instance is not kept as one who waits. */
static void check_whole(void *context) {
    struct world *w = context;
    for (uint64_t id = 1; id < w->next_instance; id++) {
        struct fake_instance f = {0};
        if (!fake_read(&f, model_document(w->model, WIRE_DOCUMENT_INSTANCE, id))) continue;
        for (uint32_t k = 0; k < f.d.member_count; k++)
            assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, w->tickets[f.members[k].player]));
    }
}

static void test_desk_more_matches_than_a_message_takes_are_each_whole(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->instances->cells = 0;
    for (uint64_t player = 1; player <= 1800; player++)
        assert_int_equal(world_enter(w, player, "duel", &w->tickets[player]), WIRE_REASON_NONE);
    world_settle(w);
    w->model->on_transaction = check_whole;
    w->model->context = w;
    uint64_t before = w->model->transactions;
    w->instances->cells = 900; /* 2700 documents */
    for (uint32_t i = 0; i < 12; i++) world_step(w, 100);
    world_settle(w);
    assert_int_equal(desk_stats_get(w->desk).matches, 900);
    assert_true(w->model->transactions > before + 1);
    for (uint64_t player = 1; player <= 1800; player++) assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_MATCHED);
    world_free(w);
}

static void test_desk_places_filled_beyond_a_message_are_each_whole(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 1200; player++)
        assert_int_equal(world_enter(w, player, "siege", &w->tickets[player]), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(desk_stats_get(w->desk).matches, 300);
    for (uint32_t id = 1; id <= 300; id++) {
        fake_run(w, id);
        for (uint32_t k = 0; k < 2; k++) fake_come(w, id, w->instances->list[id].members[k].player);
    }
    world_step(w, 1000);
    w->instances->cells = 0; /* nobody who comes now is matched anew */
    for (uint64_t player = 1201; player <= 1800; player++)
        assert_int_equal(world_enter(w, player, "siege", &w->tickets[player]), WIRE_REASON_NONE);
    world_settle(w);
    w->model->on_transaction = check_whole;
    w->model->context = w;
    for (uint64_t key = 1; key <= 1001; key++) { /* so that a message ends between a join and its erasure, if it can */
        assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_RESULT, key), 0);
        keep_cut(w->keep);
    }
    world_step(w, 30000); /* those who were away have left */
    w->instances->cells = 1;
    for (uint32_t i = 0; i < 25; i++) world_step(w, 100);
    world_settle(w);
    for (uint64_t player = 1201; player <= 1800; player++)
        assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_MATCHED);
    world_free(w);
}

static void test_desk_no_cell_free_has_them_wait_on(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t first = world_queue(w, 1, "duel");
    world_step(w, 5000);
    w->instances->cells = 0;
    uint64_t second = world_queue(w, 2, "duel");
    assert_int_equal(world_ticket(w, first).state, WIRE_TICKET_WAITING);
    assert_int_equal(world_ticket(w, second).state, WIRE_TICKET_WAITING);
    assert_in_range(world_ticket(w, first).waited_ms, 5000, 5100);
    world_step(w, 2000);
    assert_int_equal(world_ticket(w, first).state, WIRE_TICKET_WAITING);
    w->instances->cells = 1;
    for (uint32_t i = 0; i < 12; i++) world_step(w, 100);
    world_settle(w);
    assert_int_equal(world_ticket(w, first).state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[2].match.instance, 1);
    world_free(w);
}

static void test_desk_cell_gone_while_they_are_asked_has_them_wait_on(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "arena");
    w->instances->cells = 0;
    for (uint64_t player = 1; player <= 4; player++)
        assert_int_equal(desk_answer(w->desk, player, true, w->now), WIRE_REASON_NONE);
    world_settle(w);
    for (uint64_t player = 1; player <= 4; player++) {
        assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_WAITING);
        assert_int_not_equal(desk_ticket_of(w->desk, player), 0);
    }
    w->instances->cells = 5;
    world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_ASKED);
    world_free(w);
}

static void test_desk_result_rates_rewards_and_closes(void **state) {
    (void)state;
    struct world *w = world_new(2);
    uint32_t id = duel(w);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_RUNNING);
    uint32_t team = w->told[1].match.team;
    w->instances->list[id].d.scores[team] = 5;
    w->instances->list[id].d.scores[1 - team] = 2;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    assert_int_equal(w->told[1].over, 0);
    assert_false(w->instances->list[id].d.is_closed);
    world_settle(w);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_OVER);
    assert_int_equal(w->told[1].match.gold, 100);
    assert_int_equal(w->told[1].match.item_kind, 2);
    assert_int_equal(w->told[2].match.gold, 10);
    struct rating ratings[2] = {RATING_RULES.start, RATING_RULES.start};
    struct rating_team teams[2] = {{&ratings[0], 1, 0}, {&ratings[1], 1, 1}};
    assert_int_equal(rating_update(&RATING_RULES, teams, 2), 0);
    const struct wire_settle *winner = &model_settled(w->model, id, 1)->settle;
    assert_true(winner->mu > ratings[0].mu - 0.001 && winner->mu < ratings[0].mu + 0.001);
    assert_true(winner->sigma > ratings[0].sigma - 0.001 && winner->sigma < ratings[0].sigma + 0.001);
    assert_int_equal(winner->is_won, 1);
    assert_int_equal(winner->season, w->season);
    assert_int_equal(winner->flags, WIRE_SETTLE_RATED);
    assert_string_equal(winner->mode, "duel");
    assert_int_equal(w->told[1].match.points, rating_points(ratings[0]));
    assert_int_equal(w->told[2].match.points, rating_points(ratings[1]));
    assert_true(w->instances->list[id].d.is_closed);
    const struct model_document *kept = model_document(w->model, WIRE_DOCUMENT_RESULT, id);
    struct desk_result result;
    assert_non_null(kept);
    assert_int_equal(desk_result_read(kept->bytes, kept->len, &result), 0);
    assert_int_equal(result.player_count, 2);
    assert_int_equal(result.players[0].points_before, 1500);
    assert_int_equal(result.ranks[team], 0);
    assert_int_equal(result.ranks[1 - team], 1);
    assert_int_equal(result.players[0].kills, 3);
    assert_string_equal(result.mode, "duel");
    for (uint32_t len = 0; len < kept->len; len++) assert_int_not_equal(desk_result_read(kept->bytes, len, &result), 0);
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_BUSY); /* not home yet */
    fake_home(w, id);
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_NONE);
    world_free(w);
}

static void test_desk_draw_rates_and_nobody_wins(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = duel(w);
    fake_end(w, id, INSTANCE_END_GOAL, 0);
    world_settle(w);
    for (uint64_t player = 1; player <= 2; player++) {
        const struct wire_settle *settle = &model_settled(w->model, id, player)->settle;
        assert_int_equal(settle->is_won, 0);
        assert_int_equal(settle->gold, 10);
        assert_true(settle->sigma < RATING_RULES.start.sigma);
    }
    world_free(w);
}

static void test_desk_last_team_wins_whatever_the_scores(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = duel(w);
    struct fake_instance *f = &w->instances->list[id];
    f->d.scores[f->members[0].team] = 9;
    f->members[0].flags = WIRE_PRESENCE_DEAD | WIRE_PRESENCE_OUT;
    uint64_t loser = f->members[0].player;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_LAST_TEAM);
    world_settle(w);
    assert_int_equal(model_settled(w->model, id, loser)->settle.is_won, 0);
    assert_int_equal(model_settled(w->model, id, 3 - loser)->settle.is_won, 1);
    world_free(w);
}

static void test_desk_cleared_dungeon_rewards_and_rates_nobody(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "crypt");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player); /* 4 never comes */
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_CLEARED);
    world_settle(w);
    for (uint64_t player = 1; player <= 3; player++) {
        assert_int_equal(model_settled(w->model, 1, player)->settle.flags, 0);
        assert_int_equal(w->told[player].match.gold, 100);
        assert_int_equal(w->told[player].match.points, 0);
    }
    assert_null(model_settled(w->model, 1, 4));
    assert_int_equal(w->told[4].over, 1);
    assert_true(w->instances->list[1].d.is_closed);
    world_free(w);
}

static void test_desk_who_never_came_is_rated_with_his_team_and_gets_nothing(void **state) {
    (void)state;
    struct world *w = world_new(1);
    (void)world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    fake_run(w, 1);
    fake_come(w, 1, 1);
    w->instances->list[1].d.scores[w->told[1].match.team] = 1;
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    const struct wire_settle *absent = &model_settled(w->model, 1, 2)->settle;
    assert_true(absent->flags == WIRE_SETTLE_RATED && absent->mu < 25 && absent->gold == 0);
    world_free(w);
}

static void test_desk_lost_instance_settles_nothing_and_closes(void **state) {
    (void)state;
    for (uint32_t end = INSTANCE_END_ORDERED; end < INSTANCE_END_COUNT; end++) {
        struct world *w = world_new(1);
        uint32_t id = duel(w);
        w->instances->list[id].d.scores[0] = 5;
        fake_end(w, id, (enum instance_end)end, 0);
        world_settle(w);
        assert_int_equal(w->model->settled_count, 0);
        assert_int_equal(w->told[1].over + w->told[2].over, 2);
        assert_non_null(model_document(w->model, WIRE_DOCUMENT_RESULT, id));
        assert_true(w->instances->list[id].d.is_closed);
        world_free(w);
    }
}

static void test_desk_refused_settlement_closes_all_the_same(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->model->refused = 2;
    uint32_t id = duel(w);
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(w->told[2].over, 1);
    assert_int_equal(w->told[2].match.gold, 0);
    assert_true(w->instances->list[id].d.is_closed);
    world_free(w);
}

static void test_desk_result_after_a_restart_is_the_same(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = duel(w);
    w->instances->list[id].d.scores[1] = 5;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0)); /* and the answer is lost */
    struct wire_settle before = model_settled(w->model, id, 1)->settle;
    world_restart(w);
    world_settle(w);
    world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->model->settled_count, 2);
    assert_true(w->model->settled_again >= 2);
    assert_memory_equal(&before, &model_settled(w->model, id, 1)->settle, sizeof before);
    assert_int_equal(w->told[1].over, 1);
    assert_true(w->instances->list[id].d.is_closed);
    world_free(w);
}

static void test_desk_launch_takes_players_out_of_the_queue(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const uint64_t players[3] = {1, 2, 3};
    uint32_t id;
    (void)world_queue(w, 1, "duel");
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], players, 3, w->now, w->wall_ms, &id), 0);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_BUSY);
    assert_int_equal(w->instances->list[id].d.team_count, 3); /* all against all */
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], players, 3, w->now, w->wall_ms, &id),
                     MARCH_ERR_EXISTS);
    fake_run(w, id);
    fake_come_all(w, id);
    w->instances->list[id].d.scores[1] = 4;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(w->told[2].match.gold, 100);
    assert_int_equal(model_settled(w->model, id, 2)->settle.flags, 0);
    assert_string_equal(model_settled(w->model, id, 2)->settle.mode, "");
    const uint64_t twice[2] = {7, 7};
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], twice, 2, w->now, w->wall_ms, &id), MARCH_ERR_INVALID);
    world_free(w);
}

/* --- backfill */

static void test_desk_place_of_who_left_is_filled(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "siege");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player);
    uint32_t team = w->told[4].match.team;
    (void)world_queue(w, 5, "siege");
    world_step(w, 1000);
    world_step(w, 20000);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_WAITING);
    world_step(w, 12000);
    world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[5].match.instance, 1);
    assert_int_equal(w->told[5].match.team, team);
    assert_int_equal(world_enter(w, 4, "siege", NULL), WIRE_REASON_BUSY); /* until that match is settled */
    (void)world_queue(w, 6, "siege");
    world_step(w, 5000);
    assert_int_equal(w->told[6].ticket.state, WIRE_TICKET_WAITING); /* one place was free */
    fake_come(w, 1, 5);
    w->instances->list[1].d.scores[team] = 3;
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(model_settled(w->model, 1, 5)->settle.flags, 0); /* rewarded, not rated */
    assert_int_equal(model_settled(w->model, 1, 5)->settle.gold, 100);
    assert_int_equal(model_settled(w->model, 1, 4)->settle.flags, WIRE_SETTLE_RATED);
    assert_int_equal(model_settled(w->model, 1, 4)->settle.gold, 0);
    assert_int_equal(world_enter(w, 4, "siege", NULL), WIRE_REASON_NONE);
    world_free(w);
}

static void test_desk_place_is_filled_once_there_is_room_to_keep_it(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "siege");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player);
    (void)world_queue(w, 5, "siege");
    w->instances->is_join_full = true;
    for (uint32_t second = 0; second < 34; second++) world_step(w, 1000);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_WAITING);
    w->instances->is_join_full = false;
    for (uint32_t second = 0; second < 3; second++) world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[5].match.instance, 1);
    world_free(w);
}

static void test_desk_match_that_is_over_takes_nobody_in(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "siege");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player);
    world_step(w, 1000);
    world_step(w, 31000);
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    (void)world_queue(w, 5, "siege");
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_WAITING);
    world_free(w);
}

/* --- modes */

static void test_desk_modes_that_make_no_sense_change_nothing(void **state) {
    (void)state;
    struct world *w = world_new(1);
    char error[MODE_ERROR_SIZE] = "";
    struct mode_set modes = w->modes;
    snprintf(modes.modes[1].instance, sizeof modes.modes[1].instance, "%s", "cave");
    assert_int_equal(desk_set_modes(w->desk, &modes, &w->templates, w->now, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "arena"));
    modes = w->modes;
    modes.modes[1].team_size = 5;
    assert_int_equal(desk_set_modes(w->desk, &modes, &w->templates, w->now, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "10 players"));
    assert_int_equal(desk_modes(w->desk)->modes[1].team_size, 2);
    world_free(w);
}

static void test_desk_modes_anew_keep_tickets_with_the_time_they_waited(void **state) {
    (void)state;
    struct world *w = world_new(1);
    char error[MODE_ERROR_SIZE];
    uint64_t duel_ticket = world_queue(w, 1, "duel"), siege_ticket = world_queue(w, 2, "siege");
    for (uint64_t player = 3; player <= 6; player++) (void)world_queue(w, player, "arena");
    assert_int_equal(w->told[3].ticket.state, WIRE_TICKET_ASKED);
    world_step(w, 3000);
    struct mode_set modes = {.count = 2, .modes = {w->modes.modes[1], w->modes.modes[0]}};
    modes.modes[1].timeout_ms = 30000;
    assert_int_equal(desk_set_modes(w->desk, &modes, &w->templates, w->now, error, sizeof error), 0);
    world_settle(w);
    assert_int_equal(w->told[2].ticket.reason, WIRE_REASON_UNKNOWN_MODE);
    assert_int_equal(world_ticket(w, siege_ticket).state, WIRE_TICKET_ENDED);
    assert_int_equal(world_ticket(w, duel_ticket).state, WIRE_TICKET_WAITING);
    assert_in_range(world_ticket(w, duel_ticket).waited_ms, 3000, 3200);
    assert_int_equal(w->told[3].ticket.state, WIRE_TICKET_ASKED); /* again */
    world_step(w, 27500);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_TIMED_OUT);
    world_free(w);
}

/* --- restarts */

static void test_desk_ticket_comes_back_with_the_time_it_waited(void **state) {
    (void)state;
    struct world *w = world_new(2);
    struct wire_rating *rating = &model_rating(w->model, 1, "arena")->rating;
    *rating = (struct wire_rating){.player = 1, .mu = 30, .sigma = 2, .season = w->season, .mode = "arena"};
    rating->rated_at_s = w->wall_ms / 1000;
    world_party(w, 1, 2);
    const struct desk_latency latencies[1] = {{1, 40}};
    const uint64_t avoid[1] = {9};
    const struct desk_request request = {
        .player = 1, .mode = "arena", .latency_count = 1, .latencies = latencies, .avoid_count = 1, .avoid = avoid};
    uint64_t ticket, lost;
    assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_NONE);
    world_settle(w);
    struct desk_ticket before = world_ticket(w, ticket);
    assert_int_equal(world_enter(w, 3, "arena", &lost), WIRE_REASON_NONE);
    world_step(w, 10000);
    world_restart(w);
    w->now = mono_add_ms(w->now, 2000); /* while it is away */
    w->wall_ms += 2000;
    world_settle(w);
    struct desk_ticket after = world_ticket(w, ticket);
    assert_int_equal(after.state, WIRE_TICKET_WAITING);
    assert_in_range(after.waited_ms, before.waited_ms + 12000, before.waited_ms + 12100);
    assert_int_equal(after.entered_ms, before.entered_ms);
    assert_int_equal(after.rating, before.rating);
    assert_int_equal(after.player_count, 2);
    assert_string_equal(after.region, "south");
    assert_int_equal(desk_ticket_of(w->desk, 2), ticket);
    assert_int_equal(desk_ticket_of(w->desk, 3), 0); /* nobody was told of that one */
    assert_true(world_queue(w, 3, "arena") > ticket);
    world_free(w);
}

static void test_desk_players_in_instances_are_known_after_a_restart(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = duel(w);
    world_settle(w);
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_BUSY);
    fake_come_all(w, id);
    w->instances->list[id].d.scores[1] = 5;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(w->model->settled_count, 2);
    assert_string_equal(model_settled(w->model, id, 1)->settle.mode, "duel");
    world_free(w);
}

static void test_desk_ticket_of_who_is_in_an_instance_ends_after_a_restart(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const uint64_t player = 1;
    uint32_t id;
    uint64_t ticket = world_queue(w, player, "duel");
    struct model_document kept = *model_document(w->model, WIRE_DOCUMENT_TICKET, ticket);
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], &player, 1, w->now, w->wall_ms, &id), 0);
    world_settle(w);
    /* As if it had died between the two. */
    const struct wire_document back = {.kind = WIRE_DOCUMENT_TICKET, .key = ticket, .version = UINT32_MAX, .len = kept.len};
    model_keep(w->model, &back, kept.bytes);
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).reason, WIRE_REASON_BUSY);
    assert_int_equal(desk_ticket_of(w->desk, player), 0);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    world_free(w);
}

static void test_desk_ticket_whose_mode_is_gone_after_a_restart_ends(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "siege");
    w->modes.count = 3;
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).reason, WIRE_REASON_UNKNOWN_MODE);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_UNKNOWN_MODE);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    world_free(w);
}

static void test_desk_tickets_whose_mode_is_not_played_after_a_restart_end(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t tickets[] = {world_queue(w, 1, "siege"), world_queue(w, 2, "siege")};
    w->modes.modes[3].instance[0] = '\0';
    w->modes.modes[3].team_size = w->modes.modes[3].max_party = 1; /* the two would be a match */
    world_restart(w);
    world_settle(w);
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(world_ticket(w, tickets[i]).reason, WIRE_REASON_UNKNOWN_MODE);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, tickets[0]));
    world_free(w);
}

static void test_desk_documents_of_nonsense_are_left_alone(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "duel");
    struct model_document *d = model_document(w->model, WIRE_DOCUMENT_TICKET, ticket);
    world_restart(w);
    for (uint32_t len = 1; len < d->len; len++) {
        const struct wire_document cut = {.kind = WIRE_DOCUMENT_TICKET, .key = len, .len = len};
        desk_recalled(w->desk, &cut, d->bytes, w->wall_ms);
    }
    assert_int_equal(desk_stats_get(w->desk).tickets, 0);
    for (uint32_t kind = WIRE_DOCUMENT_TICKET; kind <= WIRE_DOCUMENT_PARTY; kind++) {
        for (uint32_t seed = 1; seed < 2000; seed++) {
            uint8_t bytes[DESK_PARTY_MAX];
            for (uint32_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(model_random(w->model) >> 8);
            bytes[0] = 1;
            const struct wire_document any = {.kind = kind, .key = seed, .len = (uint32_t)(seed % sizeof bytes)};
            desk_recalled(w->desk, &any, bytes, w->wall_ms);
        }
    }
    world_free(w);
}

/* --- messages */

static struct wire_client_message ticket_message(enum wire_ticket_verb verb) {
    return (struct wire_client_message){.kind = WIRE_CLIENT_TICKET, .ticket = verb};
}

static void test_desk_messages_do_what_http_does(void **state) {
    (void)state;
    struct world *w = world_new(1);
    struct wire_client_message message = {.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "chess"}};
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_NONE);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_UNKNOWN_MODE);
    assert_string_equal(w->told[1].ticket.mode, "chess");
    message = (struct wire_client_message){.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel"}};
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    message = ticket_message(WIRE_TICKET_LOOK);
    w->told[1] = (struct world_told){0};
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    message = ticket_message(WIRE_TICKET_READY);
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_NOT_FOUND);
    message = ticket_message(WIRE_TICKET_CANCEL);
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_CANCELLED);
    message = ticket_message(WIRE_TICKET_LOOK);
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_NONE);
    message = (struct wire_client_message){.kind = WIRE_CLIENT_PARTY, .party = {WIRE_PARTY_INVITE, 2}};
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[2].party.invited_by, 1);
    message.party = (struct wire_party_ask){WIRE_PARTY_LEAVE, 0};
    desk_message(w->desk, 2, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[2].party.reason, WIRE_REASON_NOT_FOUND);
    (void)duel(w);
    w->told[1] = (struct world_told){0};
    message = ticket_message(WIRE_TICKET_LOOK);
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_RUNNING);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_ticket_is_told_once_it_is_durable),
        cmocka_unit_test(test_desk_requests_beyond_the_rules_are_refused),
        cmocka_unit_test(test_desk_match_is_launched_where_its_players_are_near),
        cmocka_unit_test(test_desk_full_refuses_tickets),
        cmocka_unit_test(test_desk_without_an_answer_is_unavailable_after_three_seconds),
        cmocka_unit_test(test_desk_before_all_is_recalled_is_unavailable),
        cmocka_unit_test(test_desk_cancel_is_told_once_durable_and_is_final),
        cmocka_unit_test(test_desk_cancelled_before_it_was_durable_is_told_of_the_end_alone),
        cmocka_unit_test(test_desk_time_out_ends_a_ticket),
        cmocka_unit_test(test_desk_ticket_of_long_ago_is_forgotten),
        cmocka_unit_test(test_desk_rating_of_persist_is_what_is_queued_with),
        cmocka_unit_test(test_desk_ready_check_asks_tells_and_matches),
        cmocka_unit_test(test_desk_decline_and_silence_cost_one_ticket_only),
        cmocka_unit_test(test_desk_party_grows_is_kept_and_passes_on),
        cmocka_unit_test(test_desk_invitation_ends_after_a_minute),
        cmocka_unit_test(test_desk_party_has_room_for_so_many),
        cmocka_unit_test(test_desk_party_plays_together_and_loses_its_ticket_when_it_changes),
        cmocka_unit_test(test_desk_match_is_kept_and_its_tickets_erased_in_one),
        cmocka_unit_test(test_desk_more_matches_than_a_message_takes_are_each_whole),
        cmocka_unit_test(test_desk_places_filled_beyond_a_message_are_each_whole),
        cmocka_unit_test(test_desk_no_cell_free_has_them_wait_on),
        cmocka_unit_test(test_desk_cell_gone_while_they_are_asked_has_them_wait_on),
        cmocka_unit_test(test_desk_result_rates_rewards_and_closes),
        cmocka_unit_test(test_desk_draw_rates_and_nobody_wins),
        cmocka_unit_test(test_desk_last_team_wins_whatever_the_scores),
        cmocka_unit_test(test_desk_cleared_dungeon_rewards_and_rates_nobody),
        cmocka_unit_test(test_desk_who_never_came_is_rated_with_his_team_and_gets_nothing),
        cmocka_unit_test(test_desk_lost_instance_settles_nothing_and_closes),
        cmocka_unit_test(test_desk_refused_settlement_closes_all_the_same),
        cmocka_unit_test(test_desk_result_after_a_restart_is_the_same),
        cmocka_unit_test(test_desk_launch_takes_players_out_of_the_queue),
        cmocka_unit_test(test_desk_place_of_who_left_is_filled),
        cmocka_unit_test(test_desk_place_is_filled_once_there_is_room_to_keep_it),
        cmocka_unit_test(test_desk_match_that_is_over_takes_nobody_in),
        cmocka_unit_test(test_desk_modes_that_make_no_sense_change_nothing),
        cmocka_unit_test(test_desk_modes_anew_keep_tickets_with_the_time_they_waited),
        cmocka_unit_test(test_desk_ticket_comes_back_with_the_time_it_waited),
        cmocka_unit_test(test_desk_players_in_instances_are_known_after_a_restart),
        cmocka_unit_test(test_desk_ticket_of_who_is_in_an_instance_ends_after_a_restart),
        cmocka_unit_test(test_desk_ticket_whose_mode_is_gone_after_a_restart_ends),
        cmocka_unit_test(test_desk_tickets_whose_mode_is_not_played_after_a_restart_end),
        cmocka_unit_test(test_desk_documents_of_nonsense_are_left_alone),
        cmocka_unit_test(test_desk_messages_do_what_http_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
