/* test_queue.c: the rules of the queue, one by one; every match is held against the model of the fixture, too. */
#include "tests/unit/queue_fixture.h"

static const struct mode_role ROLES[] = {{"tank", 1}, {"healer", 1}, {"damage", 3}};

static struct mode five_with_roles(void) {
    struct mode mode = fixture_mode(2, 5);
    memcpy(mode.roles, ROLES, sizeof ROLES);
    mode.role_count = 3;
    return mode;
}

static struct mode asking(struct mode mode) {
    mode.ready_ms = 10000;
    return mode;
}

static struct queue_fixture *one(struct mode mode) {
    return fixture_create(&mode, 1, 1);
}

/* party enters `count` players of ids from `first` on, of one rating. */
static uint32_t party(struct queue_fixture *f, uint64_t first, uint32_t count, int32_t rating, uint32_t roles) {
    struct model_ticket t = {.request = {.player_count = count}};
    uint32_t index;
    for (uint32_t i = 0; i < count; i++)
        t.players[i] = (struct queue_player){.id = first + i, .rating = rating, .roles = roles};
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    return index;
}

static void test_queue_request_beyond_limits_is_refused(void **state) {
    (void)state;
    struct queue_fixture *f = one(five_with_roles());
    uint32_t index;
    struct model_ticket good = {.request = {.player_count = 2}};
    for (uint32_t i = 0; i < QUEUE_PARTY_MAX; i++) good.players[i] = (struct queue_player){.id = 10 + i, .roles = 7};
    struct model_ticket bad = good;
    bad.request.mode = 1;
    assert_int_equal(fixture_enter(f, &bad, &index), MARCH_ERR_INVALID);
    bad = good;
    bad.request.player_count = 0;
    assert_int_equal(fixture_enter(f, &bad, &index), MARCH_ERR_INVALID);
    bad.request.player_count = 6;
    assert_int_equal(fixture_enter(f, &bad, &index), MARCH_ERR_INVALID);
    bad = good;
    bad.players[1].roles = 8;
    assert_int_equal(fixture_enter(f, &bad, &index), MARCH_ERR_INVALID);
    bad = good;
    bad.players[1].id = bad.players[0].id;
    assert_int_equal(fixture_enter(f, &bad, &index), MARCH_ERR_INVALID);
    bad = good;
    bad.players[1].latency_ms[0] = QUEUE_UNREACHABLE_MS;
    assert_int_equal(fixture_enter(f, &bad, &index), MARCH_ERR_INVALID);
    bad = good;
    bad.request.waited_ms = 60001;
    assert_int_equal(fixture_enter(f, &bad, &index), MARCH_ERR_INVALID);
    assert_int_equal(fixture_enter(f, &good, &index), 0);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_config_beyond_limits_is_refused(void **state) {
    (void)state;
    struct queue *queue;
    struct mode good = five_with_roles(), modes[3] = {good, good, good};
    modes[0].max_party = 6;
    modes[1].roles[2].per_team = 2;
    modes[2].window_every_ms = MODE_EVERY_MS_MIN - 1;
    for (int i = 0; i < 3; i++) {
        struct queue_config config = {.mode_count = 1,
                                      .region_count = 1,
                                      .modes = &modes[i],
                                      .tickets_max = 1,
                                      .players_max = 1,
                                      .checks_max = 1,
                                      .backfills_max = 1,
                                      .on_event = fixture_on_event};
        assert_int_equal(queue_create(&queue, &config, (struct mono){0}), MARCH_ERR_INVALID);
        config.modes = &good;
        config.players_max = 0;
        assert_int_equal(queue_create(&queue, &config, (struct mono){0}), MARCH_ERR_INVALID);
    }
    queue_destroy(NULL);
}

static void test_queue_player_has_one_ticket(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 5));
    uint32_t first = party(f, 1, 3, 1500, 0), index;
    struct model_ticket t = {.request = {.player_count = 2}, .players = {{.id = 9}, {.id = 3}}};
    assert_int_equal(fixture_enter(f, &t, &index), MARCH_ERR_EXISTS);
    assert_true(handle_is_null(queue_find(f->queue, 9)));
    assert_int_equal(fixture_cancel(f, first), 0);
    assert_int_equal(fixture_cancel(f, first), MARCH_ERR_NOT_FOUND);
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_full_refuses_and_takes_again(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(8, 16));
    queue_hold(f->queue, 0, true);
    for (uint64_t player = 1; player <= 1000; player++) fixture_solo(f, player, 1500, 0);
    struct model_ticket t = {.request = {.player_count = 1}, .players = {{.id = 2000}}};
    uint32_t index;
    assert_int_equal(fixture_enter(f, &t, &index), MARCH_ERR_FULL);
    assert_int_equal(fixture_cancel(f, 500), 0);
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_matches_when_the_last_enters(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 5));
    for (uint64_t player = 1; player <= 9; player++) fixture_solo(f, player, 1400 + 10 * (int32_t)player, 0);
    assert_int_equal(f->matches, 0);
    fixture_solo(f, 10, 1450, 0);
    assert_int_equal(f->matches, 1);
    assert_true(f->last.id == 1000000 && f->last.gap <= 4);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_window_must_cover_from_both_sides(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 1));
    fixture_solo(f, 1, 1000, 0);
    fixture_step(f, 5000); /* takes 200 points now */
    fixture_solo(f, 2, 1150, 0);
    assert_int_equal(f->matches, 0);
    fixture_step(f, 1900);
    assert_int_equal(f->matches, 0);
    fixture_step(f, 200); /* 150 of the younger one is just enough */
    assert_int_equal(f->matches, 1);
    fixture_destroy(f);
}

static void test_queue_window_stops_at_its_widest(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 1));
    fixture_solo(f, 1, 1000, 0);
    fixture_solo(f, 2, 1401, 0);
    fixture_step(f, 59990);
    assert_int_equal(f->matches, 0);
    fixture_step(f, 30);
    assert_int_equal(f->ended[QUEUE_TIMED_OUT], 2);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_party_rating_is_between_mean_and_best(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 5));
    struct model_ticket t = {.request = {.player_count = 3}, .players = {{.id = 1}, {.id = 2}, {.id = 3}}};
    struct queue_view view;
    uint32_t index;
    t.players[0].rating = 1000;
    t.players[1].rating = 1300;
    t.players[2].rating = 2000;
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    assert_int_equal(queue_view_get(f->queue, f->tickets[0].handle, f->now, &view), 0);
    assert_int_equal(view.rating, 1716);
    fixture_destroy(f);
}

static void test_queue_party_sizes_are_packed(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 5));
    party(f, 1, 3, 1500, 0);
    party(f, 11, 3, 1500, 0);
    party(f, 21, 3, 1500, 0);
    party(f, 31, 2, 1500, 0);
    assert_int_equal(f->matches, 0);
    party(f, 41, 2, 1500, 0);
    assert_int_equal(f->matches, 1);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_unbalanced_match_is_not_formed(void **state) {
    (void)state;
    struct mode mode = fixture_mode(2, 2);
    mode.balance_max = 40;
    struct queue_fixture *f = one(mode);
    party(f, 1, 2, 1500, 0);
    party(f, 3, 2, 1541, 0);
    assert_int_equal(f->matches, 0);
    fixture_solo(f, 5, 1550, 0);
    fixture_solo(f, 6, 1525, 0); /* 3 points from the party of 1541 */
    assert_int_equal(f->matches, 1);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_unbalanced_match_is_mended(void **state) {
    (void)state;
    struct mode mode = fixture_mode(2, 1);
    mode.balance_max = 1;
    struct queue_fixture *f = one(mode);
    for (uint32_t i = 0; i < QUEUE_MENDS_MAX; i++) fixture_solo(f, 1 + i, 1474 + 5 * (int32_t)i, 0);
    fixture_solo(f, 100, 1500, 0);
    assert_int_equal(f->matches, 0);
    fixture_solo(f, 101, 1499, 0); /* the others, of the same bucket, have waited longer */
    assert_int_equal(f->matches, 1);
    assert_true(queue_stats_get(f->queue).mends >= QUEUE_MENDS_MAX);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_roles_are_filled(void **state) {
    (void)state;
    struct queue_fixture *f = one(five_with_roles());
    for (uint64_t player = 1; player <= 20; player++) fixture_solo(f, player, 1500, 4);
    fixture_solo(f, 21, 1500, 3); /* tank or healer */
    fixture_solo(f, 22, 1500, 3);
    fixture_solo(f, 23, 1500, 1);
    assert_int_equal(f->matches, 0);
    fixture_solo(f, 24, 1500, 7);
    assert_int_equal(f->matches, 1);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_rare_role_is_found_behind_many_others(void **state) {
    (void)state;
    struct queue_fixture *f = one(five_with_roles());
    for (uint64_t player = 1; player <= 900; player++) fixture_solo(f, player, 1500, 4);
    struct queue_stats before = queue_stats_get(f->queue);
    assert_int_equal(before.looked, 0); /* nobody is looked at without a healer */
    fixture_solo(f, 901, 1500, 1);
    fixture_solo(f, 902, 1510, 1);
    fixture_solo(f, 903, 1490, 2);
    fixture_solo(f, 904, 1500, 2);
    assert_int_equal(f->matches, 1);
    fixture_destroy(f);
}

static void test_queue_try_looks_at_no_more_than_it_may(void **state) {
    (void)state;
    struct mode mode = fixture_mode(2, 5);
    mode.window_start = mode.window_max = 0; /* nobody of a bucket takes many others of it */
    struct queue_fixture *f = fixture_create(&mode, 1, 3);
    for (uint64_t player = 1; player <= 900; player++) fixture_solo(f, player, 1472 + (int32_t)(player % 31), 0);
    uint64_t before = queue_stats_get(f->queue).looked;
    fixture_solo(f, 901, 1480, 0);
    assert_int_equal(queue_stats_get(f->queue).looked - before, QUEUE_LOOK_BASE + QUEUE_LOOK_PER_PLAYER * 10);
    assert_int_equal(f->matches, 0);
    fixture_destroy(f);
}

static void test_queue_avoided_players_are_not_met(void **state) {
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        struct queue_fixture *f = one(fixture_mode(2, 1));
        struct model_ticket t = {.request = {.player_count = 1, .avoid_count = 2}, .avoid = {7, 2}};
        uint32_t index;
        t.players[0] = (struct queue_player){.id = 1, .rating = 1500};
        if (turn == 0) assert_int_equal(fixture_enter(f, &t, &index), 0);
        fixture_solo(f, 2, 1500, 0);
        if (turn == 1) assert_int_equal(fixture_enter(f, &t, &index), 0);
        fixture_step(f, 30000);
        assert_int_equal(f->matches, 0);
        fixture_solo(f, 3, 1500, 0);
        assert_int_equal(f->matches, 1);
        fixture_destroy(f);
    }
}

static void test_queue_region_is_one_that_all_reach(void **state) {
    (void)state;
    struct mode mode = fixture_mode(2, 1);
    struct queue_fixture *f = fixture_create(&mode, 1, 3);
    struct model_ticket a = {.request = {.player_count = 1}}, b = a;
    uint32_t index;
    a.players[0] = (struct queue_player){.id = 1, .latency_ms = {20, 90, 300}};
    b.players[0] = (struct queue_player){.id = 2, .latency_ms = {300, 50, 20}};
    assert_int_equal(fixture_enter(f, &a, &index), 0);
    assert_int_equal(fixture_enter(f, &b, &index), 0);
    fixture_step(f, 3990); /* the first takes 80 ms now */
    assert_int_equal(f->matches, 0);
    fixture_step(f, 32);
    assert_int_equal(f->matches, 1);
    assert_int_equal(f->last.region, 1);
    fixture_destroy(f);
}

static void test_queue_far_player_is_listed_when_the_limit_allows(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 1));
    struct model_ticket t = {.request = {.player_count = 1}};
    uint32_t index;
    t.players[0] = (struct queue_player){.id = 1, .latency_ms = {99}};
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    fixture_solo(f, 2, 0, 0);
    fixture_step(f, 3900);
    assert_int_equal(f->matches, 0);
    fixture_step(f, 132);
    assert_int_equal(f->matches, 1);
    fixture_destroy(f);
}

static void test_queue_times_out_with_an_answer(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 2));
    party(f, 1, 2, 1500, 0);
    fixture_step(f, 59999);
    assert_int_equal(f->ended[QUEUE_TIMED_OUT], 0);
    fixture_step(f, MODEL_LATE_MS + 1);
    assert_int_equal(f->ended[QUEUE_TIMED_OUT], 1);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_ticket_comes_back_with_its_time(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 1));
    struct model_ticket t = {.request = {.player_count = 1, .waited_ms = 50000}};
    struct queue_view view;
    uint32_t index;
    t.players[0] = (struct queue_player){.id = 1, .rating = 1500};
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    assert_int_equal(queue_view_get(f->queue, f->tickets[0].handle, f->now, &view), 0);
    assert_true(view.window == 400 && view.waited_ms == 50000);
    fixture_step(f, 10000 + MODEL_LATE_MS);
    assert_int_equal(f->ended[QUEUE_TIMED_OUT], 1);
    fixture_destroy(f);
}

static void test_queue_timeout_past_the_wheel_is_kept(void **state) {
    (void)state;
    struct mode mode = fixture_mode(2, 1);
    mode.timeout_ms = MODE_TIME_MS_MAX;
    mode.window_every_ms = MODE_TIME_MS_MAX;
    struct queue_fixture *f = one(mode);
    fixture_solo(f, 1, 1500, 0);
    fixture_step(f, MODE_TIME_MS_MAX - 1);
    assert_int_equal(f->ended[QUEUE_TIMED_OUT], 0);
    fixture_step(f, MODEL_LATE_MS + 1);
    assert_int_equal(f->ended[QUEUE_TIMED_OUT], 1);
    fixture_destroy(f);
}

static void test_queue_held_mode_forms_no_match(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 1));
    queue_hold(f->queue, 0, true);
    fixture_solo(f, 1, 1500, 0);
    fixture_solo(f, 2, 1500, 0);
    fixture_step(f, 10000);
    assert_int_equal(f->matches, 0);
    queue_hold(f->queue, 0, false);
    fixture_step(f, 2000 + MODEL_LATE_MS);
    assert_int_equal(f->matches, 1);
    fixture_destroy(f);
}

/* --- ready checks */

static void test_queue_match_is_when_all_are_ready(void **state) {
    (void)state;
    struct queue_fixture *f = one(asking(fixture_mode(2, 2)));
    party(f, 1, 2, 1500, 0);
    assert_int_equal(fixture_answer(f, 1, true), MARCH_ERR_NOT_FOUND);
    party(f, 3, 2, 1500, 0);
    assert_int_equal(f->asked, 1);
    for (uint64_t player = 1; player <= 4; player++) {
        assert_int_equal(f->matches, 0);
        assert_int_equal(fixture_answer(f, player, true), 0);
        if (player < 4) assert_int_equal(fixture_answer(f, player, true), 0); /* said twice */
    }
    assert_int_equal(f->matches, 1);
    assert_int_equal(fixture_answer(f, 1, true), MARCH_ERR_NOT_FOUND);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_decline_costs_one_ticket(void **state) {
    (void)state;
    struct queue_fixture *f = one(asking(fixture_mode(2, 2)));
    party(f, 1, 2, 1500, 0);
    fixture_step(f, 7000);
    fixture_solo(f, 3, 1500, 0);
    fixture_solo(f, 4, 1500, 0);
    fixture_step(f, 5000);
    assert_int_equal(fixture_answer(f, 1, true), 0);
    assert_int_equal(fixture_answer(f, 4, false), 0);
    assert_int_equal(f->ended[QUEUE_DECLINED], 1);
    assert_int_equal(f->returned, 2);
    assert_int_equal(fixture_waited(f, &f->tickets[0]), 7000); /* not the time in which it was asked */
    fixture_check_all(f);
    fixture_solo(f, 5, 1500, 0);
    assert_int_equal(f->asked, 2);
    fixture_destroy(f);
}

static void test_queue_silence_costs_those_who_said_nothing(void **state) {
    (void)state;
    struct queue_fixture *f = one(asking(fixture_mode(2, 2)));
    party(f, 1, 2, 1500, 0);
    fixture_solo(f, 3, 1500, 0);
    fixture_solo(f, 4, 1500, 0);
    assert_int_equal(fixture_answer(f, 1, true), 0); /* its mate says nothing */
    assert_int_equal(fixture_answer(f, 3, true), 0);
    fixture_step(f, 9999);
    assert_int_equal(f->returned, 0);
    fixture_step(f, 1 + MODEL_LATE_MS);
    assert_int_equal(f->ended[QUEUE_SILENT], 2);
    assert_int_equal(f->returned, 1);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_cancel_while_asked_is_final(void **state) {
    (void)state;
    struct queue_fixture *f = one(asking(fixture_mode(2, 1)));
    fixture_solo(f, 1, 1500, 0);
    fixture_solo(f, 2, 1500, 0);
    assert_int_equal(f->asked, 1);
    assert_int_equal(fixture_cancel(f, 0), 0);
    assert_int_equal(f->ended[QUEUE_CANCELLED], 1);
    assert_int_equal(f->returned, 1);
    fixture_solo(f, 1, 1500, 0); /* anew */
    assert_int_equal(f->asked, 2);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_who_returns_is_in_front(void **state) {
    (void)state;
    struct queue_fixture *f = one(asking(fixture_mode(2, 1)));
    fixture_solo(f, 1, 1500, 0);
    fixture_solo(f, 2, 1500, 0); /* both asked */
    queue_hold(f->queue, 0, true);
    fixture_solo(f, 3, 1500, 0);
    assert_int_equal(fixture_answer(f, 2, false), 0);
    queue_hold(f->queue, 0, false);
    fixture_solo(f, 4, 1500, 0);
    assert_int_equal(f->asked, 2);
    assert_int_equal(f->tickets[0].state, MODEL_ASKED);
    assert_int_equal(f->tickets[2].state, MODEL_WAITING);
    fixture_destroy(f);
}

static void test_queue_without_a_free_check_forms_no_match(void **state) {
    (void)state;
    struct queue_fixture *f = one(asking(fixture_mode(2, 1)));
    for (uint64_t player = 1; player <= 102; player++) fixture_solo(f, player, 1500, 0);
    assert_int_equal(f->asked, 50);
    assert_int_equal(queue_stats_get(f->queue).checks_open, 50);
    assert_true(queue_stats_get(f->queue).checks_full > 0);
    fixture_check_all(f);
    assert_int_equal(fixture_answer(f, 1, true), 0);
    assert_int_equal(fixture_answer(f, 2, true), 0);
    fixture_step(f, 2000 + MODEL_LATE_MS);
    assert_int_equal(f->asked, 51);
    fixture_destroy(f);
}

/* --- backfill */

static struct mode backfilled(struct mode mode) {
    mode.backfill = true;
    return mode;
}

static void test_queue_backfill_takes_who_waits_and_who_comes(void **state) {
    (void)state;
    struct queue_fixture *f = one(backfilled(five_with_roles()));
    fixture_solo(f, 1, 1500, 4);
    fixture_solo(f, 2, 1500, 1);
    fixture_solo(f, 3, 1900, 2);
    struct queue_wanted wanted = {.match = 5, .free = {{0, 1, 1}, {1, 0, 0}}, .target = {1490, 1520}};
    uint32_t index;
    assert_int_equal(fixture_backfill(f, &wanted, &index), 0);
    assert_int_equal(f->joined, 2);
    assert_int_equal(queue_stats_get(f->queue).backfills_open, 1);
    fixture_solo(f, 4, 1500, 6);
    assert_int_equal(f->joined, 3);
    assert_true(f->last.id == 5 && f->last.seats[0].team == 0 && f->last.seats[0].role == 1);
    assert_int_equal(queue_stats_get(f->queue).backfills_open, 0);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_backfill_place_is_free_again_after_a_decline(void **state) {
    (void)state;
    struct queue_fixture *f = one(backfilled(asking(fixture_mode(2, 2))));
    struct queue_wanted wanted = {.match = 5, .free = {{1}}, .target = {1500, 1500}};
    uint32_t index;
    assert_int_equal(fixture_backfill(f, &wanted, &index), 0);
    fixture_solo(f, 1, 1500, 0);
    fixture_solo(f, 2, 1500, 0);
    assert_int_equal(f->asked, 1);
    assert_int_equal(fixture_answer(f, 1, false), 0);
    assert_int_equal(f->asked, 2);
    assert_int_equal(f->tickets[1].state, MODEL_ASKED);
    assert_int_equal(fixture_answer(f, 2, true), 0);
    assert_int_equal(f->joined, 1);
    assert_int_equal(queue_stats_get(f->queue).backfills_open, 0);
    fixture_check_all(f);
    fixture_destroy(f);
}

static void test_queue_backfill_closed_gives_back_who_is_asked(void **state) {
    (void)state;
    struct queue_fixture *f = one(backfilled(asking(fixture_mode(2, 2))));
    struct queue_wanted wanted = {.match = 5, .free = {{2}, {1}}, .target = {1500, 1500}};
    uint32_t index;
    assert_int_equal(fixture_backfill(f, &wanted, &index), 0);
    for (uint64_t player = 1; player <= 3; player++) fixture_solo(f, player, 1500, 0);
    assert_int_equal(f->asked, 3);
    fixture_backfill_close(f, index);
    assert_int_equal(f->returned, 3);
    assert_int_equal(queue_stats_get(f->queue).checks_open, 0);
    fixture_check_all(f);
    fixture_backfill_close(f, index);
    fixture_destroy(f);
}

static void test_queue_backfill_respects_avoided_players(void **state) {
    (void)state;
    struct queue_fixture *f = one(backfilled(fixture_mode(2, 2)));
    uint64_t players[] = {50, 51, 52}, avoid[] = {1};
    struct queue_wanted wanted = {.match = 5, .free = {{1}}, .target = {1500}, .players = players, .avoid = avoid};
    wanted.player_count = 3;
    wanted.avoid_count = 1;
    uint32_t index;
    fixture_solo(f, 1, 1500, 0);
    struct model_ticket t = {.request = {.player_count = 1, .avoid_count = 1}, .players = {{.id = 2}}, .avoid = {51}};
    t.players[0].rating = 1500;
    assert_int_equal(fixture_enter(f, &t, &index), 0);
    assert_int_equal(fixture_backfill(f, &wanted, &index), 0);
    assert_int_equal(f->joined, 0);
    fixture_solo(f, 3, 1500, 0);
    assert_int_equal(f->joined, 1);
    fixture_destroy(f);
}

static void test_queue_backfill_beyond_limits_is_refused(void **state) {
    (void)state;
    struct queue_fixture *f = one(backfilled(fixture_mode(2, 2)));
    struct queue_wanted wanted = {.match = 5};
    uint32_t index;
    assert_int_equal(fixture_backfill(f, &wanted, &index), MARCH_ERR_INVALID);
    wanted.free[0][0] = 3;
    assert_int_equal(fixture_backfill(f, &wanted, &index), MARCH_ERR_INVALID);
    wanted.free[0][0] = 1;
    wanted.free[0][1] = 1;
    assert_int_equal(fixture_backfill(f, &wanted, &index), MARCH_ERR_INVALID);
    wanted.free[0][1] = 0;
    wanted.player_count = 4;
    assert_int_equal(fixture_backfill(f, &wanted, &index), MARCH_ERR_INVALID);
    wanted.player_count = 0;
    for (int i = 0; i < 20; i++) assert_int_equal(fixture_backfill(f, &wanted, &index), 0);
    assert_int_equal(fixture_backfill(f, &wanted, &index), MARCH_ERR_FULL);
    fixture_destroy(f);
    f = one(fixture_mode(2, 2));
    assert_int_equal(fixture_backfill(f, &wanted, &index), MARCH_ERR_INVALID);
    fixture_destroy(f);
}

/* --- progress */

static void test_queue_position_and_estimate_are_told(void **state) {
    (void)state;
    struct queue_fixture *f = one(fixture_mode(2, 1));
    struct queue_view view;
    queue_hold(f->queue, 0, true);
    for (uint64_t player = 1; player <= 5; player++) {
        fixture_solo(f, player, (int32_t)(player * 600), 0);
        fixture_step(f, 1000);
    }
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(queue_view_get(f->queue, f->tickets[i].handle, f->now, &view), 0);
        assert_true(view.position == i + 1 && view.queued == 5 && view.estimate_ms == 0);
    }
    assert_int_equal(fixture_cancel(f, 1), 0);
    assert_int_equal(queue_view_get(f->queue, f->tickets[4].handle, f->now, &view), 0);
    assert_int_equal(view.position, 4);
    queue_hold(f->queue, 0, false);
    fixture_solo(f, 6, 3000, 0); /* meets the fifth, who waited for 1 s, at once */
    assert_int_equal(f->matches, 1);
    for (uint64_t player = 7; player <= 8; player++) { /* of the same group of ratings, and of another */
        uint32_t index = fixture_solo(f, player, player == 7 ? 2850 : 100, 0);
        assert_int_equal(queue_view_get(f->queue, f->tickets[index].handle, f->now, &view), 0);
        assert_int_equal(view.estimate_ms, 500);
    }
    fixture_destroy(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_request_beyond_limits_is_refused),
        cmocka_unit_test(test_queue_config_beyond_limits_is_refused),
        cmocka_unit_test(test_queue_player_has_one_ticket),
        cmocka_unit_test(test_queue_full_refuses_and_takes_again),
        cmocka_unit_test(test_queue_matches_when_the_last_enters),
        cmocka_unit_test(test_queue_window_must_cover_from_both_sides),
        cmocka_unit_test(test_queue_window_stops_at_its_widest),
        cmocka_unit_test(test_queue_party_rating_is_between_mean_and_best),
        cmocka_unit_test(test_queue_party_sizes_are_packed),
        cmocka_unit_test(test_queue_unbalanced_match_is_not_formed),
        cmocka_unit_test(test_queue_unbalanced_match_is_mended),
        cmocka_unit_test(test_queue_roles_are_filled),
        cmocka_unit_test(test_queue_rare_role_is_found_behind_many_others),
        cmocka_unit_test(test_queue_try_looks_at_no_more_than_it_may),
        cmocka_unit_test(test_queue_avoided_players_are_not_met),
        cmocka_unit_test(test_queue_region_is_one_that_all_reach),
        cmocka_unit_test(test_queue_far_player_is_listed_when_the_limit_allows),
        cmocka_unit_test(test_queue_times_out_with_an_answer),
        cmocka_unit_test(test_queue_ticket_comes_back_with_its_time),
        cmocka_unit_test(test_queue_timeout_past_the_wheel_is_kept),
        cmocka_unit_test(test_queue_held_mode_forms_no_match),
        cmocka_unit_test(test_queue_match_is_when_all_are_ready),
        cmocka_unit_test(test_queue_decline_costs_one_ticket),
        cmocka_unit_test(test_queue_silence_costs_those_who_said_nothing),
        cmocka_unit_test(test_queue_cancel_while_asked_is_final),
        cmocka_unit_test(test_queue_who_returns_is_in_front),
        cmocka_unit_test(test_queue_without_a_free_check_forms_no_match),
        cmocka_unit_test(test_queue_backfill_takes_who_waits_and_who_comes),
        cmocka_unit_test(test_queue_backfill_place_is_free_again_after_a_decline),
        cmocka_unit_test(test_queue_backfill_closed_gives_back_who_is_asked),
        cmocka_unit_test(test_queue_backfill_respects_avoided_players),
        cmocka_unit_test(test_queue_backfill_beyond_limits_is_refused),
        cmocka_unit_test(test_queue_position_and_estimate_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
