/* Value while the server dies, stands still, is written to by others, or belongs to a newer persist: every acknowledged
 * command is there exactly once, none is half there, the books add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/item_kinds.h"
#include "common/shard.h"
#include "tests/unit/value_harness.h"

static struct pg_fixture fixture;
static struct value_harness harness;
static uint64_t epoch;

enum { PLAYERS = 20, ROUNDS = 8, COMMANDS = 150 };

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    epoch = (uint64_t)pg_fixture_migrate(&fixture);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static int each(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "truncate accounts, items, commands, trades, auctions, guilds, guild_members, "
                                 "guild_invites, transfers, events, outbox");
    value_harness_open(&harness, fixture.uri, (struct value_config){.epoch = epoch, .deadline_ms = 400});
    harness_until(&harness.pool, harness.started);
    return 0;
}

static int after_each(void **state) {
    (void)state;
    value_harness_close(&harness);
    assert_int_equal(value_harness_differences(&fixture), 0);
    return 0;
}

static struct ledger_command gift(uint64_t player, uint64_t key, enum ledger_domain domain) {
    return (struct ledger_command){
        .verb = LEDGER_GRANT, .domain = domain, .player = player, .key = key, .kind = ITEM_KIND_GEM, .count = 2, .gold = 3};
}

static bool is_definite(const struct value_answer *answer) {
    enum ledger_status status = answer->result.status;
    return status != LEDGER_UNAVAILABLE && status != LEDGER_BUSY && status != LEDGER_CONFLICT;
}

/* run_a_bit lets the loop come round so many times. */
static void run_a_bit(uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++) {
        ev_run(harness.pool.loop, EVRUN_NOWAIT);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

/* insist repeats a command with its key until the answer is definite. */
static struct ledger_result insist(const struct ledger_command *command, struct value_answer *answer) {
    harness_until(&harness.pool, answer->done);
    while (!is_definite(answer)) {
        harness_until(&harness.pool, pg_is_available(harness.pool.pg));
        *answer = (struct value_answer){.done = true, .result = value_harness_run(&harness, command)};
    }
    return answer->result;
}

static void test_value_faults_server_killed_in_mid_batch_does_each_command_once(void **state) {
    (void)state;
    static struct ledger_command commands[COMMANDS];
    static struct value_answer answers[COMMANDS];
    uint64_t expected = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < COMMANDS; i++) {
            enum ledger_domain domain = i % 3 ? LEDGER_DOMAIN_CLIENT : LEDGER_DOMAIN_LOOT; /* loot waits by itself */
            commands[i] = gift(1 + i % PLAYERS, 1 + round * COMMANDS + i, domain);
            value_harness_submit(&harness, &commands[i], &answers[i]);
            if (i % 50 == 49) run_a_bit(round);
        }
        pg_fixture_crash(&fixture);
        run_a_bit(round * 2);
        pg_fixture_start(&fixture);
        for (uint32_t i = 0; i < COMMANDS; i++) {
            struct ledger_result result = insist(&commands[i], &answers[i]);
            assert_int_equal(result.status, LEDGER_OK);
            struct value_answer answer;
            value_harness_submit(&harness, &commands[i], &answer);
            struct ledger_result again = insist(&commands[i], &answer);
            assert_true(again.repeated);
            assert_int_equal(again.object, result.object);
        }
        expected += COMMANDS;
        assert_int_equal(pg_fixture_number(&fixture, "select count(*) from commands where status = 0"), expected);
        assert_int_equal(pg_fixture_number(&fixture, "select sum(gold)::bigint from accounts"), 3 * expected);
        assert_int_equal(pg_fixture_number(&fixture, "select sum(count)::bigint from items"), 2 * expected);
        assert_int_equal(value_harness_differences(&fixture), 0);
    }
    print_message("unknown outcomes: %d, found done: %d\n", (int)value_stats(harness.value)->unknown_outcomes,
                  (int)value_stats(harness.value)->repeated - ROUNDS * COMMANDS);
    assert_true(value_stats(harness.value)->unknown_outcomes > 0);
}

static void test_value_faults_frozen_server_answers_by_the_deadline_and_once(void **state) {
    (void)state;
    struct ledger_command command = gift(1, 1, LEDGER_DOMAIN_CLIENT), loot = gift(1, 2, LEDGER_DOMAIN_LOOT);
    struct value_answer answer, loot_answer;
    (void)value_harness_player(&harness, 1);
    pg_fixture_freeze(&fixture);
    struct mono begin = mono_now();
    value_harness_submit(&harness, &command, &answer);
    value_harness_submit(&harness, &loot, &loot_answer);
    harness_until(&harness.pool, answer.done);
    assert_int_equal(answer.result.status, LEDGER_UNAVAILABLE);
    assert_true(mono_since_ns(mono_now(), begin) < 1500 * NS_PER_MS);
    harness_until(&harness.pool, value_stats(harness.value)->unknown_outcomes == 1);
    pg_fixture_thaw(&fixture);
    assert_int_equal(insist(&command, &answer).status, LEDGER_OK);
    harness_until(&harness.pool, loot_answer.done);
    assert_int_equal(loot_answer.result.status, LEDGER_OK);
    assert_int_equal(value_harness_player(&harness, 1).gold, 6);
    assert_int_equal(pg_fixture_number(&fixture, "select gold from accounts"), 6);
}

static void test_value_faults_foreign_writer_is_noticed_and_read(void **state) {
    (void)state;
    struct ledger_command command = gift(1, 1, LEDGER_DOMAIN_CLIENT);
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_OK);
    pg_fixture_execute(&fixture, "update accounts set version = version + 5");
    command.key = 2;
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_OK);
    assert_int_equal(value_stats(harness.value)->conflicts, 1);
    assert_int_equal(value_harness_player(&harness, 1).version, 7);
    pg_fixture_execute(&fixture, "update items set version = version + 5");
    command.key = 3;
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_OK);
    pg_fixture_execute(&fixture, "update shard set next_id = next_id + 100");
    command.key = 4;
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_OK);
    assert_int_equal(value_stats(harness.value)->conflicts, 3);
    assert_int_equal(pg_fixture_number(&fixture, "select gold from accounts"), 12);
}

static void test_value_faults_conflict_that_stays_is_answered_after_three_tries(void **state) {
    (void)state;
    struct ledger_command command = gift(1, 1, LEDGER_DOMAIN_CLIENT), loot = gift(1, 2, LEDGER_DOMAIN_LOOT);
    struct value_answer answer, loot_answer;
    pg_fixture_execute(&fixture, "create function always() returns trigger language plpgsql as $$ begin "
                                 "raise exception 'always' using errcode = 'MV001'; end $$;"
                                 "create trigger always before insert on accounts execute function always()");
    value_harness_submit(&harness, &command, &answer);
    value_harness_submit(&harness, &loot, &loot_answer);
    harness_until(&harness.pool, answer.done);
    assert_int_equal(answer.result.status, LEDGER_CONFLICT);
    assert_int_equal(value_stats(harness.value)->conflicts, VALUE_TRIES_MAX);
    assert_false(loot_answer.done); /* loot is never given up */
    pg_fixture_execute(&fixture, "drop trigger always on accounts; drop function always()");
    harness_until(&harness.pool, loot_answer.done);
    assert_int_equal(loot_answer.result.status, LEDGER_OK);
    assert_int_equal(pg_fixture_number(&fixture, "select gold from accounts"), 3);
}

static void test_value_faults_one_refused_command_does_not_take_others_with_it(void **state) {
    (void)state;
    static struct value_answer answers[40];
    pg_fixture_execute(&fixture, "alter table accounts add constraint poison check (owner <> 13)");
    for (uint32_t i = 0; i < 40; i++) {
        struct ledger_command command = gift(1 + i, 1 + i, LEDGER_DOMAIN_CLIENT);
        value_harness_submit(&harness, &command, &answers[i]);
    }
    for (uint32_t i = 0; i < 40; i++) {
        harness_until(&harness.pool, answers[i].done);
        assert_int_equal(answers[i].result.status, i == 12 ? LEDGER_UNAVAILABLE : LEDGER_OK);
    }
    pg_fixture_execute(&fixture, "alter table accounts drop constraint poison");
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from accounts"), 39);
}

static void test_value_faults_server_away_is_told_at_once_and_loot_waits(void **state) {
    (void)state;
    struct ledger_command command = gift(1, 1, LEDGER_DOMAIN_CLIENT), loot = gift(1, 2, LEDGER_DOMAIN_LOOT);
    struct value_answer answer, loot_answer;
    pg_fixture_stop(&fixture);
    harness_until(&harness.pool, !pg_is_available(harness.pool.pg));
    struct mono begin = mono_now();
    value_harness_submit(&harness, &command, &answer);
    assert_true(answer.done);
    assert_int_equal(answer.result.status, LEDGER_UNAVAILABLE);
    assert_true(mono_since_ns(mono_now(), begin) < 20 * NS_PER_MS);
    struct value_harness_view view = value_harness_player(&harness, 7);
    assert_int_equal(view.status, LEDGER_UNAVAILABLE);
    value_harness_submit(&harness, &loot, &loot_answer);
    assert_false(loot_answer.done);
    static struct value_answer many[VALUE_QUEUE_MAX];
    uint32_t busy = 0;
    for (uint32_t i = 0; i < VALUE_QUEUE_MAX; i++) {
        loot.key = 100 + i;
        value_harness_submit(&harness, &loot, &many[i]);
        busy += many[i].done && many[i].result.status == LEDGER_BUSY;
    }
    assert_true(busy >= 1 && busy < 10);
    pg_fixture_start(&fixture);
    harness_until(&harness.pool, loot_answer.done);
    for (uint32_t i = 0; i < VALUE_QUEUE_MAX; i++) harness_until(&harness.pool, many[i].done);
    assert_int_equal(loot_answer.result.status, LEDGER_OK);
    uint32_t given = 0;
    for (uint32_t i = 0; i < VALUE_QUEUE_MAX; i++) given += many[i].result.status == LEDGER_OK;
    assert_int_equal(pg_fixture_number(&fixture, "select gold from accounts"), 3 * (given + 1));
}

static void test_value_faults_newer_epoch_fences_for_good(void **state) {
    (void)state;
    struct ledger_command command = gift(1, 1, LEDGER_DOMAIN_CLIENT);
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_OK);
    epoch = (uint64_t)pg_fixture_number(&fixture, "select march_raise_epoch()");
    command.key = 2;
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_UNAVAILABLE);
    assert_true(harness.fenced);
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_UNAVAILABLE);
    assert_int_equal(value_harness_player(&harness, 1).status, LEDGER_UNAVAILABLE);
    assert_int_equal(pg_fixture_number(&fixture, "select gold from accounts"), 3);
    value_harness_close(&harness);
    value_harness_open(&harness, fixture.uri, (struct value_config){.epoch = epoch});
    harness_until(&harness.pool, harness.started);
    assert_int_equal(value_harness_run(&harness, &command).status, LEDGER_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each, after_each)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_value_faults_server_killed_in_mid_batch_does_each_command_once),
        TEST(test_value_faults_frozen_server_answers_by_the_deadline_and_once),
        TEST(test_value_faults_foreign_writer_is_noticed_and_read),
        TEST(test_value_faults_conflict_that_stays_is_answered_after_three_tries),
        TEST(test_value_faults_one_refused_command_does_not_take_others_with_it),
        TEST(test_value_faults_server_away_is_told_at_once_and_loot_waits),
        TEST(test_value_faults_newer_epoch_fences_for_good),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
