/* test_desk_tickets.c: tickets and ready checks, modes that change, and what is asked by messages. */
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
    const uint64_t nobody[2] = {7, 0}, beyond[1] = {(uint64_t)INT64_MAX + 1};
    request = (struct desk_request){.player = 1, .mode = "duel", .avoid_count = 2, .avoid = nobody};
    assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_INVALID);
    request = (struct desk_request){.player = 1, .mode = "duel", .avoid_count = 1, .avoid = beyond};
    assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_INVALID);
    assert_int_equal(world_enter(w, 0, "duel", NULL), WIRE_REASON_INVALID);
    assert_int_equal(world_enter(w, 1, "chess", NULL), WIRE_REASON_UNKNOWN_MODE);
    (void)world_queue(w, 1, "arena");
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_EXISTS);
    world_party(w, 2, 3);
    assert_int_equal(world_enter(w, 2, "duel", NULL), WIRE_REASON_INVALID); /* no parties there */
    assert_int_equal(world_enter(w, 3, "arena", NULL), WIRE_REASON_NOT_LEADER);
    assert_int_equal(desk_stats_get(w->desk).refused[WIRE_REASON_INVALID], 6);
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
    assert_int_equal(
        desk_launch(w->desk, &w->templates.templates[0], INSTANCES_ANYWHERE, &third, 1, w->now, w->wall_ms, &id), 0);
    assert_int_equal(fake_at(w->instances, id)->region, INSTANCES_ANYWHERE);
    const uint64_t fourth = 4;
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], 1, &fourth, 1, w->now, w->wall_ms, &id), 0);
    assert_int_equal(fake_at(w->instances, id)->region, 1);
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

/* As often as there are places, and once more. */
static void test_desk_whom_a_ticket_avoids_is_forgotten_with_it(void **state) {
    (void)state;
    struct world *w = world_new(0);
    const uint64_t avoid = 2;
    const struct desk_request request = {.player = 1, .mode = "duel", .avoid_count = 1, .avoid = &avoid};
    uint64_t ticket;
    for (uint32_t i = 0; i <= WORLD_TICKETS; i++) {
        assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_NONE);
        world_step(w, 1);
        assert_int_equal(world_ticket(w, ticket).position, 1);
        assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    }
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
    uint64_t waits = world_queue(w, 9, "siege");
    world_restart(w);
    assert_int_equal(desk_cancel(w->desk, waits, 9, w->now), WIRE_REASON_UNAVAILABLE);
    const uint64_t player = 1;
    const struct wire_client_message look = {.kind = WIRE_CLIENT_TICKET, .ticket = WIRE_TICKET_LOOK};
    uint64_t ticket;
    uint32_t id;
    desk_message(w->desk, 1, &look, w->now, w->wall_ms);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_UNAVAILABLE); /* nobody is told that there is none */
    assert_int_equal(desk_cancel(w->desk, 1, 1, w->now), WIRE_REASON_UNAVAILABLE);
    assert_int_equal(desk_answer(w->desk, 1, true, w->now), WIRE_REASON_UNAVAILABLE);
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_UNAVAILABLE);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 2, w->now), WIRE_REASON_UNAVAILABLE);
    assert_int_equal(
        desk_launch(w->desk, &w->templates.templates[0], INSTANCES_ANYWHERE, &player, 1, w->now, w->wall_ms, &id),
        MARCH_ERR_UNAVAILABLE);
    world_settle(w);
    desk_message(w->desk, 1, &look, w->now, w->wall_ms);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_NONE);
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

static void test_desk_modes_anew_keep_no_ticket_that_is_never_durable(void **state) {
    (void)state;
    struct world *w = world_new(1);
    char error[MODE_ERROR_SIZE];
    uint64_t ticket;
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_NONE);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
    assert_true(model_take(w->model, w->keep, 0)); /* it is rated, and in the queue */
    w->modes.modes[0].timeout_ms = 30000;
    assert_int_equal(desk_set_modes(w->desk, &w->modes, &w->templates, w->now, error, sizeof error), 0);
    world_step(w, 2999);
    assert_int_equal(world_ticket(w, ticket).position, 1); /* again */
    world_step(w, 1);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_UNAVAILABLE);
    assert_int_equal(desk_ticket_of(w->desk, 1), 0);
    world_free(w);
}

/* --- messages */

static struct wire_client_message ticket_message(enum wire_ticket_verb verb) {
    return (struct wire_client_message){.kind = WIRE_CLIENT_TICKET, .ticket = verb};
}

static void test_desk_message_tells_where_a_player_is_near_and_whom_he_avoids(void **state) {
    (void)state;
    struct world *w = world_new(1);
    struct wire_client_message message = {.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel", .latency_count = 2}};
    message.enter.latencies[0] = (struct wire_latency){"west", 1};
    message.enter.latencies[1] = (struct wire_latency){"north", 90};
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_INVALID); /* there is no west */
    message.enter.latencies[0] = (struct wire_latency){"south", 20};
    message.enter.avoid_count = 1;
    message.enter.avoid[0] = 2;
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    world_settle(w);
    assert_string_equal(world_ticket(w, w->told[1].ticket.ticket).region, "south");
    message.enter.avoid_count = 0;
    desk_message(w->desk, 2, &message, w->now, w->wall_ms);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_WAITING);
    desk_message(w->desk, 3, &message, w->now, w->wall_ms);
    world_settle(w);
    assert_int_equal(w->told[3].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(fake_at(w->instances, w->told[3].ticket.instance)->region, 1);
    world_free(w);
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
    (void)world_duel(w);
    w->told[1] = (struct world_told){0};
    message = ticket_message(WIRE_TICKET_LOOK);
    desk_message(w->desk, 1, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_RUNNING);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_match_is_launched_where_its_players_are_near),
        cmocka_unit_test(test_desk_ticket_is_told_once_it_is_durable),
        cmocka_unit_test(test_desk_requests_beyond_the_rules_are_refused),
        cmocka_unit_test(test_desk_match_is_launched_where_its_players_are_near),
        cmocka_unit_test(test_desk_full_refuses_tickets),
        cmocka_unit_test(test_desk_whom_a_ticket_avoids_is_forgotten_with_it),
        cmocka_unit_test(test_desk_without_an_answer_is_unavailable_after_three_seconds),
        cmocka_unit_test(test_desk_before_all_is_recalled_is_unavailable),
        cmocka_unit_test(test_desk_cancel_is_told_once_durable_and_is_final),
        cmocka_unit_test(test_desk_cancelled_before_it_was_durable_is_told_of_the_end_alone),
        cmocka_unit_test(test_desk_time_out_ends_a_ticket),
        cmocka_unit_test(test_desk_ticket_of_long_ago_is_forgotten),
        cmocka_unit_test(test_desk_rating_of_persist_is_what_is_queued_with),
        cmocka_unit_test(test_desk_ready_check_asks_tells_and_matches),
        cmocka_unit_test(test_desk_decline_and_silence_cost_one_ticket_only),
        cmocka_unit_test(test_desk_modes_that_make_no_sense_change_nothing),
        cmocka_unit_test(test_desk_modes_anew_keep_tickets_with_the_time_they_waited),
        cmocka_unit_test(test_desk_modes_anew_keep_no_ticket_that_is_never_durable),
        cmocka_unit_test(test_desk_message_tells_where_a_player_is_near_and_whom_he_avoids),
        cmocka_unit_test(test_desk_messages_do_what_http_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
