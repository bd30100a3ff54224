/* test_venues_carry.c: instances whose block changes hands between two zones. */
#include "tests/unit/venues_pair.h"

/* Players and creatures go over one by one, while the wave runs; then it runs on where it was. */
static void test_instances_run_on_where_their_block_goes(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct sim *from = p.sides[0].sim, *to = p.sides[1].sim;
    for (uint64_t player = 1; player <= 3; player++) fx_attach(from, player);
    struct fx_orders o;
    fx_begin(&o);
    struct wire_instance_order *order = fx_order(&o, 5, 1);
    order->goals = WIRE_GOAL_CLEARED | WIRE_GOAL_LOST | WIRE_GOAL_LAST_TEAM | WIRE_GOAL_EMPTY;
    order->lives = 2;
    o.orders.is_complete = true;
    fx_wave(&o, 1);
    fx_wave(&o, 6);
    fx_wave(&o, 2);
    for (uint64_t player = 1; player <= 3; player++)
        fx_travel(&o, player, 5, player == 3, fx_x(1, 5 * (int32_t)player), M(5));
    sim_instance_orders(from, &o.orders);
    sim_instance_orders(to, &o.orders); /* not its block yet */
    assert_int_equal(fx_status(to, 5).id, 0);
    pair_run_ms(&p, FX_BEGUN_MS);
    fx_kill_creatures(from, 5, fx_index(from, 1), 1);
    fx_kill(from, fx_index(from, 2), fx_index(from, 3));
    pair_run_ms(&p, FX_LOOK_MS);
    assert_int_equal(fx_creatures(from, 5), 6);
    fx_kill_creatures(from, 5, fx_index(from, 1), 2);

    struct directory drained = fx_directory(3, 1, 0);
    order->wave = 1;
    order->scores[1] = 1;
    order->version = 2;
    pair_directory(&p, &drained);
    sim_instance_orders(to, &o.orders);
    pair_run_ms(&p, 1000);
    assert_int_equal(fx_status(from, 5).id, 0);
    for (uint64_t player = 1; player <= 3; player++) {
        pair_run_ms(&p, player < 3 ? 700 : 11000); /* however long that takes */
        pair_hand_over(&p, 0, player);
    }
    pair_run_ms(&p, 1000);
    assert_int_equal(fx_creatures(from, 5), 0);
    assert_int_equal(fx_creatures(to, 5), 4);
    struct directory settled = fx_directory(4, 1, WIRE_SLOT_NONE);
    pair_directory(&p, &settled);
    pair_run_ms(&p, 3000);
    struct wire_instance_status s = fx_status(to, 5);
    assert_true(s.phase == WIRE_PHASE_RUNNING && s.wave == 1 && s.creatures == 4 && s.players == 3 && s.scores[1] == 1);
    assert_true(fx_presence(to, 2).deaths == 1 && fx_presence(to, 3).kills == 1);
    assert_int_equal(sim_instances_stats(to)->spawned, 0);
    fx_kill_creatures(to, 5, fx_index(to, 1), 4);
    pair_run_ms(&p, FX_LOOK_MS);
    assert_int_equal(fx_creatures(to, 5), 2); /* the third wave */
    fx_kill_creatures(to, 5, fx_index(to, 1), 2);
    pair_run_ms(&p, FX_LOOK_MS);
    assert_int_equal(fx_status(to, 5).goal, WIRE_GOAL_CLEARED);
    pair_run_ms(&p, 6000);
    fx_assert_home(to, fx_index(to, 3));
    pair_destroy(&p);
}

/* walk has one go along x for a second. */
static void walk(struct pair *p, uint32_t side, uint64_t player, int8_t x) {
    struct sim *sim = p->sides[side].sim;
    for (uint32_t i = 0; i < FX_HZ; i++) {
        game_input(sim->game, fx_index(sim, player), (struct game_input){.move_x = x});
        pair_tick(p);
    }
}

/* The former zone has its walls for as long as somebody is there, the new one from its order on. */
static void test_instances_walls_stand_where_their_block_goes(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct sim *from = p.sides[0].sim, *to = p.sides[1].sim;
    for (uint64_t player = 1; player <= 2; player++) fx_attach(from, player);
    struct fx_orders o;
    fx_begin(&o);
    struct wire_instance_order *order = fx_order(&o, 5, 1);
    fx_box(&o, 20, 5, 21, 30);
    for (uint64_t player = 1; player <= 2; player++) fx_travel(&o, player, 5, 0, fx_x(1, 18), M(10));
    sim_instance_orders(from, &o.orders);
    pair_run_ms(&p, FX_LOOK_MS);
    struct directory drained = fx_directory(3, 1, 0);
    pair_directory(&p, &drained);
    order->version = 2;
    sim_instance_orders(to, &o.orders);
    pair_hand_over(&p, 0, 1);
    walk(&p, 1, 1, 1);
    walk(&p, 0, 2, 1);
    assert_int_equal(to->entities->x[fx_index(to, 1)], fx_x(1, 19) + ROOM_BODY);
    assert_int_equal(from->entities->x[fx_index(from, 2)], fx_x(1, 19) + ROOM_BODY);
    pair_hand_over(&p, 0, 2);
    struct directory settled = fx_directory(4, 1, WIRE_SLOT_NONE);
    pair_directory(&p, &settled);
    walk(&p, 1, 2, 1);
    assert_int_equal(to->entities->x[fx_index(to, 2)], fx_x(1, 19) + ROOM_BODY);
    pair_destroy(&p);
}

/* Who is told to travel to a place that is solid, by a zone that does not know it, comes in beside it. */
static void test_instances_who_arrives_where_a_wall_is_stands_beside_it(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct sim *from = p.sides[0].sim, *to = p.sides[1].sim;
    struct directory d = fx_directory(3, 1, WIRE_SLOT_NONE);
    pair_directory(&p, &d);
    fx_attach(from, 1);
    struct fx_orders o;
    fx_begin(&o);
    fx_order(&o, 5, 1);
    fx_box(&o, 20, 5, 24, 30);
    fx_travel(&o, 1, 5, 0, fx_x(1, 21), M(10));
    sim_instance_orders(to, &o.orders);
    sim_instance_orders(from, &o.orders);
    pair_hand_over(&p, 0, 1);
    assert_int_equal(to->entities->x[fx_index(to, 1)], fx_x(1, 19) + ROOM_BODY);
    pair_destroy(&p);
}

/* A zone that has no room for a traveller, or does not answer, keeps it from nothing for long. */
static void test_instances_who_is_not_taken_goes_home(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    struct directory d = fx_directory(3, 1, WIRE_SLOT_NONE);
    assert_int_equal(sim_set_directory(f.sim, &d), 0);
    fx_go(&f);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    fx_run_ms(f.sim, 9000);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    fx_run_ms(f.sim, 1500);
    fx_assert_home(f.sim, f.a);
    fx_close(&f);
}

/* What its former zone can't let go of does not keep an instance from going on. */
static void test_instances_do_not_wait_for_a_hand_over_for_ever(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    struct directory d = fx_directory(3, 0, 1);
    assert_int_equal(sim_set_directory(f.sim, &d), 0);
    fx_wave(&f.orders, 3);
    fx_go(&f);
    fx_run_ms(f.sim, 10500);
    assert_int_equal(fx_creatures(f.sim, 5), 0);
    fx_run_ms(f.sim, 1500);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_close(&f);
}

/* How long one waited before it was taken, and came back, does not count. */
static void test_instances_who_travels_again_waits_anew(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    struct directory d = fx_directory(3, 1, WIRE_SLOT_NONE);
    assert_int_equal(sim_set_directory(f.sim, &d), 0);
    fx_go(&f);
    fx_run_ms(f.sim, 9000);
    game_go_home(f.sim->game, f.a);
    fx_run_ms(f.sim, 5000);
    fx_go(&f);
    fx_run_ms(f.sim, 9000);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    fx_close(&f);
}

/* --- what was counted */

/* Three players in instance 5 of zone 0, of which player 3 is of team 1; the matchmaker knows of no score. */
struct match {
    struct pair p;
    struct sim *from, *to;
    struct fx_orders o;
    struct wire_instance_order *order;
};

static void begin_match(struct match *m) {
    m->p = pair_create();
    m->from = m->p.sides[0].sim;
    m->to = m->p.sides[1].sim;
    for (uint64_t player = 1; player <= 3; player++) fx_attach(m->from, player);
    fx_begin(&m->o);
    m->order = fx_order(&m->o, 5, 1);
    m->order->goals = WIRE_GOAL_KILLS | WIRE_GOAL_LAST_TEAM;
    m->order->kills = 100;
    for (uint64_t player = 1; player <= 3; player++)
        fx_travel(&m->o, player, 5, player == 3, fx_x(1, 15 * (int32_t)player), M(5));
    sim_instance_orders(m->from, &m->o.orders);
    pair_run_ms(&m->p, 3000);
    m->o.orders.travel_count = 0;
}

static void score(struct match *m, struct sim *sim, uint64_t dead, uint64_t by) {
    fx_kill(sim, fx_index(sim, dead), fx_index(sim, by));
    pair_tick(&m->p);
    game_revive(sim->game, fx_index(sim, dead), fx_x(1, 30), M(30));
}

static void hand(struct match *m, uint64_t version, uint32_t owner, uint32_t former) {
    struct directory d = fx_directory(version, owner, former);
    pair_directory(&m->p, &d);
    m->order->version = (uint32_t)version;
}

/* change_hands has the block go to a zone, and players 1 and 3 after it. */
static void change_hands(struct match *m, uint64_t version, uint32_t owner) {
    hand(m, version, owner, 1 - owner);
    sim_instance_orders(m->p.sides[owner].sim, &m->o.orders);
    pair_hand_over(&m->p, 1 - owner, 1);
    pair_hand_over(&m->p, 1 - owner, 3);
    pair_run_ms(&m->p, 500);
}

/* Up to the last tick before its block goes, and by who is not handed over yet. */
static void test_instances_scores_are_the_same_after_a_drain(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    m.p.loses = true;
    score(&m, m.from, 3, 1);
    score(&m, m.from, 2, 3);
    sim_detach(m.from, 0, 2); /* who left has what it had when it comes again */
    score(&m, m.from, 3, 1);
    struct wire_instance_status before = fx_status(m.from, 5);
    assert_true(before.scores[0] == 2 && before.scores[1] == 1);
    hand(&m, 3, 1, 0);
    score(&m, m.from, 1, 3);
    pair_run_ms(&m.p, 500);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 1); /* it was not ordered there yet */
    sim_instance_orders(m.to, &m.o.orders);
    pair_run_ms(&m.p, 500);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 0);
    assert_int_equal(fx_status(m.to, 5).scores[1], 2);
    score(&m, m.from, 3, 1);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 1);
    pair_hand_over(&m.p, 0, 1);
    pair_hand_over(&m.p, 0, 3);
    score(&m, m.to, 1, 3);
    pair_run_ms(&m.p, 500);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 0);
    hand(&m, 4, 1, WIRE_SLOT_NONE);
    fx_attach(m.to, 2);
    fx_travel(&m.o, 2, 5, 0, fx_x(1, 30), M(5));
    sim_instance_orders(m.to, &m.o.orders);
    pair_run_ms(&m.p, 2000);
    struct wire_instance_status after = fx_status(m.to, 5);
    assert_true(after.phase == WIRE_PHASE_RUNNING && after.scores[0] == 3 && after.scores[1] == 3);
    assert_true(after.lasted_ms > before.lasted_ms);
    assert_true(fx_presence(m.to, 1).kills == 3 && fx_presence(m.to, 1).deaths == 2);
    assert_true(fx_presence(m.to, 2).kills == 0 && fx_presence(m.to, 2).deaths == 1);
    assert_true(fx_presence(m.to, 3).kills == 3 && fx_presence(m.to, 3).deaths == 3);
    sim_detach(m.to, 0, 3); /* two teams were seen, also where only one was here when it came */
    pair_run_ms(&m.p, FX_LOOK_MS);
    assert_int_equal(fx_status(m.to, 5).goal, WIRE_GOAL_LAST_TEAM);
    pair_destroy(&m.p);
}

/* Given back halfway, and drained again: what each scored counts once. */
static void test_instances_scores_are_the_same_after_a_drain_that_is_taken_back(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    m.p.loses = true;
    score(&m, m.from, 3, 1);
    change_hands(&m, 3, 1);
    score(&m, m.to, 3, 1);
    score(&m, m.to, 3, 1);
    change_hands(&m, 4, 0);
    assert_int_equal(fx_status(m.from, 5).scores[0], 3);
    score(&m, m.from, 3, 1);
    m.order->scores[0] = 3;
    change_hands(&m, 5, 1);
    hand(&m, 6, 1, WIRE_SLOT_NONE);
    pair_run_ms(&m.p, 500);
    assert_int_equal(fx_status(m.to, 5).scores[0], 4);
    assert_int_equal(fx_presence(m.to, 1).kills, 4);
    assert_int_equal(fx_status(m.from, 5).id, 0);
    pair_destroy(&m.p);
}

/* What ended just before its block went has ended. */
static void test_instances_that_are_over_are_over_where_their_block_goes(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    sim_detach(m.from, 0, 3);
    pair_run_ms(&m.p, FX_LOOK_MS);
    assert_int_equal(fx_status(m.from, 5).phase, WIRE_PHASE_OVER);
    hand(&m, 3, 1, 0);
    sim_instance_orders(m.to, &m.o.orders);
    pair_run_ms(&m.p, 500);
    assert_int_equal(fx_status(m.to, 5).phase, WIRE_PHASE_OVER);
    assert_int_equal(fx_status(m.to, 5).goal, WIRE_GOAL_LAST_TEAM);
    pair_destroy(&m.p);
}

/* It was begun again after its zone was lost: what is left of before is answered, so that nobody waits, and does not count.
 */
static void test_instances_begun_again_hear_nothing_of_before(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    score(&m, m.from, 3, 1);
    hand(&m, 3, 1, 0);
    m.order->run = 1;
    m.order->scores[0] = 7; /* a checkpoint */
    sim_instance_orders(m.to, &m.o.orders);
    pair_run_ms(&m.p, 500);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 0);
    assert_int_equal(fx_status(m.to, 5).scores[0], 7);
    pair_destroy(&m.p);
}

/* A zone that never answers holds nothing up for ever. */
static void test_instances_in_flight_are_given_up_after_a_while(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    hand(&m, 3, 1, 0);
    pair_run_ms(&m.p, VENUES_LEFT_MS - 500);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 1);
    pair_run_ms(&m.p, 1000);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 0);
    pair_destroy(&m.p);
}

/* Who orders it there is away for long: its players stay, and what they score meanwhile counts. */
static void test_instances_scores_wait_for_a_late_order(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    score(&m, m.from, 3, 1);
    hand(&m, 3, 1, 0);
    score(&m, m.from, 1, 3);
    pair_run_ms(&m.p, VENUES_LEFT_MS - 1000);
    score(&m, m.from, 3, 1);
    assert_true(sim_instances_keep(m.from, fx_index(m.from, 1)));
    sim_instance_orders(m.to, &m.o.orders);
    pair_run_ms(&m.p, 500);
    assert_false(sim_instances_keep(m.from, fx_index(m.from, 1)));
    pair_hand_over(&m.p, 0, 1);
    pair_hand_over(&m.p, 0, 3);
    score(&m, m.to, 3, 1);
    pair_run_ms(&m.p, 500);
    assert_int_equal(sim_instances_in_flight(m.from, CELLS_BLOCK_BIT), 0);
    hand(&m, 4, 1, WIRE_SLOT_NONE);
    pair_run_ms(&m.p, 500);
    struct wire_instance_status after = fx_status(m.to, 5);
    assert_true(after.phase == WIRE_PHASE_RUNNING && after.scores[0] == 3 && after.scores[1] == 1);
    pair_destroy(&m.p);
}

/* A team whose last one left on the way was there all the same. */
static void test_instances_know_where_their_block_goes_who_was_there(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    hand(&m, 3, 1, 0);
    sim_detach(m.from, 0, 3);
    sim_instance_orders(m.to, &m.o.orders);
    pair_hand_over(&m.p, 0, 1);
    pair_run_ms(&m.p, 3000);
    assert_int_equal(fx_status(m.to, 5).phase, WIRE_PHASE_RUNNING); /* somebody may be on the way still */
    hand(&m, 4, 1, WIRE_SLOT_NONE);
    pair_run_ms(&m.p, 2000);
    assert_int_equal(fx_status(m.to, 5).goal, WIRE_GOAL_LAST_TEAM);
    pair_destroy(&m.p);
}

/* begin_apart has the block on its way, and player 3 there already. */
static void begin_apart(struct match *m) {
    begin_match(m);
    hand(m, 3, 1, 0);
    sim_instance_orders(m->to, &m->o.orders);
    pair_hand_over(&m->p, 0, 3);
    pair_run_ms(&m->p, 500);
}

/* Who hits and who dies may be in two zones meanwhile, and either way round. */
static void test_instances_count_kills_from_zone_to_zone(void **state) {
    (void)state;
    struct match m;
    begin_apart(&m);
    const uint64_t at_from = m.from->entities->id[fx_index(m.from, 1)], at_to = m.to->entities->id[fx_index(m.to, 3)];
    struct wire_hit hits[2] = {{.target = at_to, .attacker = at_from, .attacker_player = 1, .damage = 1000},
                               {.target = at_from, .attacker = at_to, .attacker_player = 3, .damage = 1000}};
    pair_tick(&m.p);
    sim_peer_take(m.to, 0, &(struct wire_peer_batch){.hits = &hits[0], .hit_count = 1, .tick = m.p.tick});
    pair_run_ms(&m.p, 100);
    sim_peer_take(m.from, 1, &(struct wire_peer_batch){.hits = &hits[1], .hit_count = 1, .tick = m.p.tick});
    pair_run_ms(&m.p, 500);
    assert_true(fx_presence(m.from, 1).kills == 1 && fx_presence(m.from, 1).deaths == 1);
    assert_true(fx_presence(m.to, 3).kills == 1 && fx_presence(m.to, 3).deaths == 1);
    assert_true(fx_status(m.to, 5).scores[0] == 1 && fx_status(m.to, 5).scores[1] == 1);
    pair_destroy(&m.p);
}

/* strike has player 1 kill player 3, as the zone that player 1 is at tells the one where player 3 is. */
static void strike(struct match *m, uint64_t killer) {
    struct wire_hit hit = {
        .target = m->to->entities->id[fx_index(m->to, 3)], .attacker = killer, .attacker_player = 1, .damage = 1000};
    sim_peer_take(m->to, 0, &(struct wire_peer_batch){.hits = &hit, .hit_count = 1, .tick = m->p.tick});
}

/* Also where it comes back, and goes again. */
static void test_instances_count_kills_of_who_is_on_its_way(void **state) {
    (void)state;
    for (uint32_t is_return = 0; is_return < 2; is_return++) {
        struct match m;
        struct wire_carried carried;
        uint32_t slot;
        begin_match(&m);
        hand(&m, 3, 1, 0);
        sim_instance_orders(m.to, &m.o.orders);
        pair_hand_over(&m.p, 0, 3);
        pair_run_ms(&m.p, 500);
        sim_export(m.from, sim_slot(m.from, 0, 1), 1, &carried);
        strike(&m, carried.entity);
        pair_run_ms(&m.p, 500);
        assert_int_equal(sim_stats(m.from)->outcomes_kept, 1);
        assert_int_equal(fx_status(m.to, 5).scores[0], 0);
        assert_int_equal(sim_import(is_return ? m.from : m.to, 0, &carried, &slot), 0);
        if (is_return) pair_hand_over(&m.p, 0, 1);
        if (!is_return) sim_gone(m.from, carried.entity);
        pair_run_ms(&m.p, 500);
        assert_int_equal(fx_presence(m.to, 1).kills, 1);
        assert_int_equal(fx_status(m.to, 5).scores[0], 1);
        hand(&m, 4, 1, WIRE_SLOT_NONE);
        pair_run_ms(&m.p, 500);
        assert_int_equal(fx_status(m.to, 5).scores[0], 1);
        pair_destroy(&m.p);
    }
}

/* Its hit came before it did: what it kills is its own, and counts once. */
static void test_instances_count_kills_of_who_has_come_meanwhile(void **state) {
    (void)state;
    struct match m;
    begin_apart(&m);
    strike(&m, m.from->entities->id[fx_index(m.from, 1)]);
    pair_hand_over(&m.p, 0, 1);
    pair_run_ms(&m.p, 500);
    assert_int_equal(fx_presence(m.to, 1).kills, 1);
    assert_int_equal(fx_status(m.to, 5).scores[0], 1);
    pair_destroy(&m.p);
}

/* Its time is up while it changes hands. */
static void test_instances_end_with_the_scores_of_before_their_block_went(void **state) {
    (void)state;
    struct match m;
    begin_match(&m);
    score(&m, m.from, 3, 1);
    hand(&m, 3, 1, 0);
    m.order->ends_at_ms = m.p.tick * 1000 / FX_HZ;
    sim_instance_orders(m.to, &m.o.orders);
    fx_run_ms(m.to, FX_LOOK_MS); /* it hears nothing for so long */
    m.p.tick = sim_now(m.to);
    for (uint32_t i = 0; i < FX_HZ && fx_status(m.to, 5).phase != WIRE_PHASE_OVER; i++) pair_tick(&m.p);
    assert_int_equal(fx_status(m.to, 5).phase, WIRE_PHASE_OVER);
    assert_int_equal(fx_status(m.to, 5).scores[0], 1);
    pair_destroy(&m.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances_run_on_where_their_block_goes),
        cmocka_unit_test(test_instances_walls_stand_where_their_block_goes),
        cmocka_unit_test(test_instances_who_arrives_where_a_wall_is_stands_beside_it),
        cmocka_unit_test(test_instances_who_is_not_taken_goes_home),
        cmocka_unit_test(test_instances_do_not_wait_for_a_hand_over_for_ever),
        cmocka_unit_test(test_instances_who_travels_again_waits_anew),
        cmocka_unit_test(test_instances_scores_are_the_same_after_a_drain),
        cmocka_unit_test(test_instances_scores_are_the_same_after_a_drain_that_is_taken_back),
        cmocka_unit_test(test_instances_that_are_over_are_over_where_their_block_goes),
        cmocka_unit_test(test_instances_begun_again_hear_nothing_of_before),
        cmocka_unit_test(test_instances_in_flight_are_given_up_after_a_while),
        cmocka_unit_test(test_instances_scores_wait_for_a_late_order),
        cmocka_unit_test(test_instances_know_where_their_block_goes_who_was_there),
        cmocka_unit_test(test_instances_count_kills_from_zone_to_zone),
        cmocka_unit_test(test_instances_count_kills_of_who_is_on_its_way),
        cmocka_unit_test(test_instances_count_kills_of_who_has_come_meanwhile),
        cmocka_unit_test(test_instances_end_with_the_scores_of_before_their_block_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
