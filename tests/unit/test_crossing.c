/* test_crossing.c: who is in an instance goes to the zone that its block was given to once that runs the instance. */
#include <stdlib.h>

#include "tests/unit/venues_fixture.h"
#include "zone/book.h"
#include "zone/crossing.h"

/* Zone 0, three players of which are in instance 5; zone 1 is played by hand. */
struct border {
    struct fx_venue venue;
    struct config config;
    struct directory directory;
    struct book *book;
    struct neighbours *alone; /* no links */
    struct crossing *crossing;
    struct sightings *sightings;
};

static struct mono now_of(const struct border *b) {
    return (struct mono){sim_now(b->venue.sim) * NS_PER_S / FX_HZ};
}

static void run_ms(struct border *b, uint32_t ms) {
    for (uint32_t i = 0; i < ms * FX_HZ / 1000; i++) {
        fx_run(b->venue.sim, 1);
        crossing_tick(b->crossing, now_of(b));
    }
}

static uint64_t offered(const struct border *b) {
    return handoff_stats(crossing_handoff(b->crossing))->offered;
}

static int set_up(void **state) {
    struct border *b = calloc(1, sizeof *b);
    struct config none = {.zones_count = 1};
    struct wire_hello hello = {.name = "zone-0", .role = WIRE_ROLE_ZONE, .incarnation = 1, .tick_hz = FX_HZ};
    char error[200];
    fx_open(&b->venue);
    fx_go(&b->venue);
    b->config = (struct config){.zones_count = 2, .limits.link_dead_s = 60};
    b->book = book_create(b->venue.sim, 0, 0);
    b->crossing = crossing_create(&b->config, b->venue.sim, b->book);
    b->sightings = sightings_create(1, 512);
    assert_true(b->book && b->crossing && b->sightings);
    b->directory = fx_directory(3, 1, 0);
    int result =
        neighbours_open(&b->alone, &none, 0, "/", &hello, NULL, b->venue.sim, &b->directory, now_of(b), error, sizeof error);
    assert_int_equal(result, 0);
    struct neighbours_hooks hooks = crossing_hooks(b->crossing, b->alone);
    hooks.up(hooks.context, 1);
    crossing_gateway_up(b->crossing, 0, now_of(b));
    run_ms(b, FX_BEGUN_MS);
    assert_int_equal(sim_set_directory(b->venue.sim, &b->directory), 0);
    *state = b;
    return 0;
}

static int tear_down(void **state) {
    struct border *b = *state;
    crossing_destroy(b->crossing);
    neighbours_close(b->alone);
    book_destroy(b->book);
    sightings_destroy(b->sightings);
    fx_close(&b->venue);
    free(b);
    return 0;
}

/* answer has zone 1 say that it has what it was told. */
static void answer(struct border *b) {
    struct wire_peer_batch told = {.reset = true};
    sim_look(b->venue.sim, b->sightings, 1, &told);
    assert_int_equal(told.instance_count, 1);
    struct wire_instance_taken taken = {.id = 5, .serial = told.instances[0].serial};
    struct wire_peer_batch batch = {.instances_taken = &taken, .instance_taken_count = 1, .tick = sim_now(b->venue.sim)};
    sim_peer_take(b->venue.sim, 1, &batch);
}

static void test_crossing_guests_go_once_their_instance_runs_there(void **state) {
    struct border *b = *state;
    run_ms(b, 1000);
    assert_int_equal(offered(b), 0);
    answer(b);
    run_ms(b, 50);
    assert_int_equal(offered(b), 3);
}

/* What is told further does not keep them: somebody dies all the time. */
static void test_crossing_guests_go_while_more_is_told(void **state) {
    struct border *b = *state;
    run_ms(b, 1000);
    answer(b);
    fx_kill(b->venue.sim, b->venue.a, b->venue.c);
    run_ms(b, 50);
    assert_int_equal(offered(b), 3);
}

/* Drained, kept after all, and drained again. */
static void test_crossing_guests_wait_for_each_drain(void **state) {
    struct border *b = *state;
    answer(b);
    struct directory back = fx_directory(4, 0, 1), again = fx_directory(5, 1, 0);
    assert_int_equal(sim_set_directory(b->venue.sim, &back), 0);
    run_ms(b, 100);
    assert_int_equal(sim_set_directory(b->venue.sim, &again), 0);
    run_ms(b, 100);
    assert_int_equal(offered(b), 0);
}

static void test_crossing_guests_wait_for_nobody_for_ever(void **state) {
    struct border *b = *state;
    run_ms(b, VENUES_LEFT_MS - 500);
    assert_int_equal(offered(b), 0);
    run_ms(b, 1000);
    assert_true(offered(b) >= 3);
}

static void test_crossing_who_stands_in_no_instance_goes_at_once(void **state) {
    struct border *b = *state;
    game_go_home(b->venue.sim->game, b->venue.a);
    struct directory all = fx_directory(4, 1, 0);
    all.partitions[0].owner = 1;
    all.partitions[0].former = 0;
    assert_int_equal(sim_set_directory(b->venue.sim, &all), 0);
    run_ms(b, 50);
    assert_int_equal(offered(b), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_crossing_guests_go_once_their_instance_runs_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crossing_guests_go_while_more_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crossing_guests_wait_for_each_drain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crossing_guests_wait_for_nobody_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crossing_who_stands_in_no_instance_goes_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
