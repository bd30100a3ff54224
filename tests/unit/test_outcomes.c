/* test_outcomes.c: what a player gains in one zone while it goes from another to a third reaches it once. */
#include <stdlib.h>

#include "tests/unit/venues_fixture.h"

enum { ZONES = 3, GAIN = 7, LIMBO_TICKS = FX_HZ };

struct told {
    struct wire_outcome items[DEPARTURES_WAITING_MAX];
    uint32_t count;
};

struct world {
    struct sim *sims[ZONES];
    struct sightings *sightings[ZONES];
    struct told *told; /* from zone to zone, in the newest tick */
    struct wire_carried carried;
    uint64_t entity, tick;
    uint64_t before; /* experience */
};

/* Player 1 is at zone 0. */
static struct world begin(void) {
    struct world w = {.told = calloc((size_t)ZONES * ZONES, sizeof *w.told), .tick = FX_START_TICK};
    for (uint16_t i = 0; i < ZONES; i++) {
        w.sims[i] = fx_sim(i);
        w.sightings[i] = sightings_create(i, 512);
    }
    uint16_t index = fx_attach(w.sims[0], 1);
    w.entity = w.sims[0]->entities->id[index];
    w.before = game_character(w.sims[0]->game, index).experience;
    return w;
}

static void end(struct world *w) {
    for (uint32_t i = 0; i < ZONES; i++) {
        sightings_destroy(w->sightings[i]);
        sim_destroy(w->sims[i]);
    }
    free(w->told);
}

/* Only outcomes go from zone to zone: nobody's ghost lasts. */
static void tick(struct world *w) {
    w->tick++;
    for (uint32_t to = 0; to < ZONES; to++) {
        for (uint32_t from = 0; from < ZONES; from++) {
            struct told *told = &w->told[from * ZONES + to];
            struct wire_peer_batch batch = {.tick = w->tick, .outcomes = told->items, .outcome_count = told->count};
            if (from != to) sim_peer_take(w->sims[to], from, &batch);
        }
    }
    for (uint32_t from = 0; from < ZONES; from++) {
        output_clear(sim_output(w->sims[from], 0));
        sim_tick(w->sims[from], w->tick);
        for (uint32_t to = 0; to < ZONES; to++) {
            struct wire_peer_batch batch = {0};
            if (from == to) continue;
            sim_look(w->sims[from], w->sightings[to], to, &batch);
            struct told *told = &w->told[from * ZONES + to];
            told->count = batch.outcome_count;
            memcpy(told->items, batch.outcomes, told->count * sizeof *told->items);
            sim_told(w->sims[from], to);
        }
        sim_looked(w->sims[from]);
    }
}

static void run(struct world *w, uint32_t ticks) {
    while (ticks-- > 0) tick(w);
}

static void leave(struct world *w, uint32_t from, uint32_t to) {
    sim_export(w->sims[from], sim_slot(w->sims[from], 0, 1), to, &w->carried);
}

static void arrive(struct world *w, uint32_t at) {
    uint32_t slot;
    assert_int_equal(sim_import(w->sims[at], 0, &w->carried, &slot), 0);
}

static void go(struct world *w, uint32_t from, uint32_t to) {
    leave(w, from, to);
    arrive(w, to);
    sim_gone(w->sims[from], w->entity);
}

static void gain_after(struct world *w, uint32_t at, uint32_t hops) {
    struct wire_outcome outcome = {
        .attacker = w->entity, .target = 1, .experience = GAIN, .killed = 1, .hops = (uint16_t)hops};
    struct wire_peer_batch batch = {.tick = w->tick, .outcomes = &outcome, .outcome_count = 1};
    sim_peer_take(w->sims[at], (at + 1) % ZONES, &batch);
}

static void gain(struct world *w, uint32_t at) {
    gain_after(w, at, 0);
}

static uint64_t has(const struct world *w, uint32_t at) {
    const struct sim *sim = w->sims[at];
    return game_character(sim->game, entities_find(sim->entities, w->entity)).experience - w->before;
}

static uint64_t lost(const struct world *w) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ZONES; i++) sum += sim_stats(w->sims[i])->outcomes_lost;
    return sum;
}

/* What the target was sent was written down before. */
static void test_outcomes_of_who_is_on_its_way_wait_and_go_after_it(void **state) {
    (void)state;
    struct world w = begin();
    leave(&w, 0, 1);
    gain(&w, 0);
    run(&w, LIMBO_TICKS);
    gain(&w, 0);
    arrive(&w, 1);
    run(&w, 5);
    assert_int_equal(has(&w, 1), 0);
    assert_int_equal(sim_stats(w.sims[0])->outcomes_kept, 2);
    sim_gone(w.sims[0], w.entity);
    run(&w, 5);
    assert_int_equal(has(&w, 1), 2 * GAIN);
    gain(&w, 0); /* as late as that */
    run(&w, LIMBO_TICKS);
    assert_int_equal(has(&w, 1), 3 * GAIN);
    assert_int_equal(lost(&w), 0);
    end(&w);
}

static void test_outcomes_of_who_comes_back_are_its_own_once(void **state) {
    (void)state;
    struct world w = begin();
    leave(&w, 0, 1);
    gain(&w, 0);
    arrive(&w, 0);
    assert_int_equal(has(&w, 0), GAIN);
    run(&w, LIMBO_TICKS);
    assert_int_equal(has(&w, 0), GAIN);
    go(&w, 0, 1);
    run(&w, LIMBO_TICKS);
    assert_int_equal(has(&w, 1), GAIN);
    assert_int_equal(lost(&w), 0);
    end(&w);
}

static void test_outcomes_follow_who_has_gone_on_twice(void **state) {
    (void)state;
    struct world w = begin();
    go(&w, 0, 1);
    run(&w, LIMBO_TICKS); /* its ghosts are no more */
    go(&w, 1, 2);
    run(&w, LIMBO_TICKS);
    gain(&w, 0);
    run(&w, 5);
    assert_int_equal(has(&w, 2), GAIN);
    assert_int_equal(sim_stats(w.sims[0])->outcomes_passed_on + sim_stats(w.sims[1])->outcomes_passed_on, 2);
    leave(&w, 2, 0);
    gain(&w, 1); /* to where it has just left */
    run(&w, LIMBO_TICKS);
    arrive(&w, 0);
    sim_gone(w.sims[2], w.entity);
    run(&w, 5);
    assert_int_equal(has(&w, 0), 2 * GAIN);
    assert_int_equal(lost(&w), 0);
    end(&w);
}

static void test_outcomes_are_lost_and_counted_after_too_many_hops(void **state) {
    (void)state;
    struct world w = begin();
    go(&w, 0, 1);
    gain_after(&w, 0, SIM_HIT_HOPS_MAX - 1);
    run(&w, 5);
    assert_int_equal(has(&w, 1), GAIN);
    gain_after(&w, 0, SIM_HIT_HOPS_MAX);
    run(&w, 5);
    assert_int_equal(has(&w, 1), GAIN);
    assert_int_equal(lost(&w), 1);
    leave(&w, 1, 2); /* also where it waited */
    gain_after(&w, 1, SIM_HIT_HOPS_MAX);
    arrive(&w, 2);
    sim_gone(w.sims[1], w.entity);
    run(&w, 5);
    assert_int_equal(has(&w, 2), GAIN);
    assert_int_equal(lost(&w), 2);
    end(&w);
}

static void test_outcomes_of_who_is_no_more_are_lost_and_counted(void **state) {
    (void)state;
    struct world w = begin();
    leave(&w, 0, 1);
    gain(&w, 0);
    sim_vanish(w.sims[0], w.entity);
    assert_int_equal(lost(&w), 1);
    gain(&w, 0);
    gain(&w, 2); /* where it never was */
    assert_int_equal(lost(&w), 3);
    end(&w);
}

static void test_outcomes_that_find_no_room_are_lost_and_counted(void **state) {
    (void)state;
    struct world w = begin();
    leave(&w, 0, 1);
    for (uint32_t i = 0; i < DEPARTURES_WAITING_MAX + 2; i++) gain(&w, 0);
    assert_int_equal(lost(&w), 2);
    arrive(&w, 0);
    assert_int_equal(has(&w, 0), (uint64_t)DEPARTURES_WAITING_MAX * GAIN);
    end(&w);
}

/* No neighbour is there to hear it. */
static void test_outcomes_that_nobody_hears_are_counted(void **state) {
    (void)state;
    struct world w = begin();
    go(&w, 0, 1);
    gain(&w, 0);
    sim_tick(w.sims[0], ++w.tick);
    sim_looked(w.sims[0]);
    assert_int_equal(lost(&w), 1);
    gain(&w, 0);
    sim_tick(w.sims[0], ++w.tick);
    struct wire_peer_batch batch = {0};
    sim_look(w.sims[0], w.sightings[1], 1, &batch); /* and it can't be sent */
    sim_looked(w.sims[0]);
    assert_int_equal(batch.outcome_count, 1);
    assert_int_equal(lost(&w), 2);
    end(&w);
}

/* hit_on_a_creature makes a creature in a zone, and a hit of the player that kills it. */
static struct wire_hit hit_on_a_creature(const struct world *w, struct sim *sim) {
    const struct game_spawn spawn = {.x = M(5), .y = M(5), .health_percent = 100, .damage_percent = 100};
    uint16_t creature;
    assert_int_equal(game_spawn(sim->game, &spawn, &creature), 0);
    return (struct wire_hit){
        .target = sim->entities->id[creature], .attacker = w->entity, .attacker_player = 1, .damage = 1000};
}

/* A hit arrives after its attacker. */
static void test_outcomes_of_who_has_come_meanwhile_are_given_out_at_once(void **state) {
    (void)state;
    struct world w = begin();
    struct sim *sim = w.sims[1];
    struct wire_hit hit = hit_on_a_creature(&w, sim);
    leave(&w, 0, 1);
    sim_peer_take(sim, 0, &(struct wire_peer_batch){.tick = w.tick, .hits = &hit, .hit_count = 1});
    arrive(&w, 1);
    sim_gone(w.sims[0], w.entity);
    run(&w, 5);
    assert_int_equal(has(&w, 1), CREATURE_EXPERIENCE);
    assert_int_equal(lost(&w), 0);
    end(&w);
}

/* Nothing is seen of the attacker where it hits: the zone that tells of the hit knows. */
static void test_outcomes_of_strangers_go_where_their_hit_came_from(void **state) {
    (void)state;
    struct world w = begin();
    struct sim *sim = w.sims[1];
    struct wire_hit hit = hit_on_a_creature(&w, sim);
    sim_peer_take(sim, 0, &(struct wire_peer_batch){.tick = w.tick, .hits = &hit, .hit_count = 1});
    run(&w, 5);
    assert_int_equal(has(&w, 0), CREATURE_EXPERIENCE);
    end(&w);
}

/* --- any order of flights and gains */

struct journey_of_one {
    uint32_t at, to;     /* at ZONES: on its way to `to` */
    uint32_t from;       /* where it left last */
    bool is_owed[ZONES]; /* zones that are still to be told that it is at its target */
    bool was_at[ZONES];
};

static void step(struct world *w, struct journey_of_one *j, struct rng *rng) {
    if (j->at < ZONES && rng_below(rng, 4) == 0) {
        j->from = j->at;
        j->to = (j->at + 1 + rng_below(rng, ZONES - 1)) % ZONES;
        leave(w, j->from, j->to);
        j->at = ZONES;
    } else if (j->at == ZONES && rng_below(rng, 4) == 0) {
        bool is_return = rng_below(rng, 3) == 0;
        j->at = is_return ? j->from : j->to;
        if (!is_return && j->is_owed[j->at]) sim_gone(w->sims[j->at], w->entity); /* as make_way has it */
        j->is_owed[j->at] = false;
        arrive(w, j->at);
        if (!is_return) j->is_owed[j->from] = true;
        j->was_at[j->at] = true;
    }
    for (uint32_t i = 0; i < ZONES; i++) {
        if (!j->is_owed[i] || rng_below(rng, 3) != 0) continue;
        sim_gone(w->sims[i], w->entity);
        j->is_owed[i] = false;
    }
}

static void test_outcomes_are_given_out_once_or_counted_as_lost(void **state) {
    (void)state;
    uint64_t most_lost = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w = begin();
        struct journey_of_one j = {.was_at = {true}};
        struct rng rng = {seed};
        uint64_t gained = 0;
        for (uint32_t i = 0; i < 400; i++) {
            step(&w, &j, &rng);
            uint32_t at = rng_below(&rng, ZONES);
            if (j.was_at[at]) gain(&w, at);
            gained += j.was_at[at];
            tick(&w);
        }
        if (j.at == ZONES) arrive(&w, j.at = j.to);
        for (uint32_t i = 0; i < ZONES; i++) sim_gone(w.sims[i], w.entity);
        run(&w, 10);
        if (has(&w, j.at) + GAIN * lost(&w) != GAIN * gained) print_message("seed %d\n", (int)seed);
        assert_int_equal(has(&w, j.at) + GAIN * lost(&w), GAIN * gained);
        if (lost(&w) > most_lost) most_lost = lost(&w);
        end(&w);
    }
    assert_true(most_lost < 100); /* of some 390: those that ran after it in vain */
}

/* --- what is known of who left */

static void test_departures_that_are_gone_make_room_for_new_ones(void **state) {
    (void)state;
    struct departures *d = calloc(1, sizeof *d);
    const struct wire_outcome *waited, outcome = {.attacker = 1};
    for (uint64_t id = 1; id <= DEPARTURES_MAX; id++) assert_int_equal(departures_leave(d, id, 3), 0);
    assert_true(departures_keep(d, &outcome));
    assert_int_equal(departures_end(d, 2, true, &waited), 0);
    assert_int_equal(departures_leave(d, 5000, 4), 0);
    assert_null(departures_find(d, 2));
    assert_true(departures_find(d, 1)->is_on_its_way && departures_find(d, 5000)->target == 4);
    for (uint64_t id = 3; id <= DEPARTURES_MAX; id++) assert_int_equal(departures_leave(d, 6000 + id, 4), 0);
    assert_int_equal(departures_leave(d, 9000, 4), 1); /* more are on their way than can be: the oldest loses */
    assert_null(departures_find(d, 1));
    assert_null(departures_find(d, 0));
    free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes_of_who_is_on_its_way_wait_and_go_after_it),
        cmocka_unit_test(test_outcomes_of_who_comes_back_are_its_own_once),
        cmocka_unit_test(test_outcomes_follow_who_has_gone_on_twice),
        cmocka_unit_test(test_outcomes_are_lost_and_counted_after_too_many_hops),
        cmocka_unit_test(test_outcomes_of_who_is_no_more_are_lost_and_counted),
        cmocka_unit_test(test_outcomes_that_find_no_room_are_lost_and_counted),
        cmocka_unit_test(test_outcomes_that_nobody_hears_are_counted),
        cmocka_unit_test(test_outcomes_of_who_has_come_meanwhile_are_given_out_at_once),
        cmocka_unit_test(test_outcomes_of_strangers_go_where_their_hit_came_from),
        cmocka_unit_test(test_outcomes_are_given_out_once_or_counted_as_lost),
        cmocka_unit_test(test_departures_that_are_gone_make_room_for_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
