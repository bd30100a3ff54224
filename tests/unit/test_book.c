/* The books of a zone without sockets: the gate that players who come in pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/scripted_load.h"
#include "zone/book.h"

static const struct mono NOW = {.ns = 1000000000};
static const struct wire_attach FIRST = {.session = 1, .player = 11, .session_epoch = 5, .attachment = 1};
static const struct wire_attach SECOND = {.session = 2, .player = 12, .session_epoch = 6, .attachment = 1};

static enum wire_attach_result gate(void *context) {
    return *(const enum wire_attach_result *)context;
}

static struct sim *create_sim(void) {
    struct sim_config config = script_config();
    config.creatures = 0;
    config.players_max = 4;
    struct sim *sim = sim_create(&config);
    assert_non_null(sim);
    return sim;
}

static enum wire_attach_result last_answer(struct sim *sim) {
    const struct output *o = sim_output(sim, 0);
    assert_true(o->attached_count > 0);
    return o->attached[o->attached_count - 1].result;
}

static void test_book_guards_who_comes_in(void **state) {
    (void)state;
    struct sim *sim = create_sim();
    struct book *book = book_create(sim, 0, 0);
    assert_non_null(book);
    enum wire_attach_result may = WIRE_ATTACHED;
    book_guard(book, gate, &may);
    book_attach(book, 0, &FIRST, NOW);
    assert_int_equal(last_answer(sim), WIRE_ATTACHED);
    may = WIRE_ATTACH_FULL;
    book_attach(book, 0, &SECOND, NOW);
    assert_int_equal(last_answer(sim), WIRE_ATTACH_FULL);
    may = WIRE_ATTACH_UNAVAILABLE;
    book_attach(book, 0, &SECOND, NOW);
    assert_int_equal(last_answer(sim), WIRE_ATTACH_UNAVAILABLE);
    book_attach(book, 0, &FIRST, NOW); /* is here, and asks again */
    assert_int_equal(last_answer(sim), WIRE_ATTACHED);
    assert_int_equal(sim_players(sim), 1);
    may = WIRE_ATTACHED;
    book_attach(book, 0, &SECOND, NOW);
    assert_int_equal(last_answer(sim), WIRE_ATTACHED);
    book_destroy(book);
    sim_destroy(sim);
}

static void test_book_guards_who_waited_for_persist(void **state) {
    (void)state;
    struct sim *sim = create_sim();
    struct book *book = book_create(sim, 0, 1);
    assert_non_null(book);
    enum wire_attach_result may = WIRE_ATTACHED;
    book_guard(book, gate, &may);
    book_attach(book, 0, &FIRST, NOW);
    struct wire_zone_report asked;
    assert_true(book_report(book, 0, 1, NOW, false, &asked));
    assert_int_equal(asked.load_count, 1);
    book_reported(book, 1);
    may = WIRE_ATTACH_FULL;
    struct wire_player_loaded loaded = {.state = {.player = FIRST.player, .session_epoch = FIRST.session_epoch},
                                        .result = WIRE_LOAD_NEW};
    struct wire_persist_report answer = {.loaded = &loaded, .loaded_count = 1};
    book_take(book, 0, &answer, NOW);
    assert_int_equal(last_answer(sim), WIRE_ATTACH_FULL);
    assert_int_equal(sim_players(sim), 0);
    assert_int_equal(book_pending(book), 0);
    book_destroy(book);
    sim_destroy(sim);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_book_guards_who_comes_in),
        cmocka_unit_test(test_book_guards_who_waited_for_persist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
