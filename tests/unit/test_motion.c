/* Motion against a real PostgreSQL and Redis: what is newer, what is durable, write-behind and its watermark, loads,
 * recovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist/grants.h"
#include "persist/motion.h"
#include "tests/unit/journal_fixture.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"
#include "tests/unit/redis_fixture.h"

static struct pg_fixture server;
static struct journal_fixture f;
static struct harness harness;
static struct motion *motion;
static struct grants *grants;
static int64_t epoch;
static struct mono now;
static struct hot *hot_store; /* NULL where there is no Redis */
static struct {
    uint32_t count, players, refuse;
    struct wire_player_state last;
} hot;

/* --- the world around it */

static int start_server(void **state) {
    (void)state;
    pg_fixture_open(&server, NULL);
    epoch = pg_fixture_migrate(&server);
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    pg_fixture_close(&server);
    return 0;
}

static uint32_t take_hot(void *ctx, const struct wire_player_state *states, uint32_t count) {
    (void)ctx;
    hot.count++;
    if (hot.refuse) return 0;
    hot.players += count;
    hot.last = states[count - 1];
    return count;
}

static int read_hot(void *ctx, const uint64_t *players, uint32_t count, hot_done done, void *done_ctx) {
    (void)ctx;
    return hot_store ? hot_read(hot_store, players, count, done, done_ctx) : MARCH_ERR_UNAVAILABLE;
}

static int apply_later(void *ctx, uint64_t position, const struct wire_loot_grant *grant) {
    (void)ctx, (void)position, (void)grant;
    return 0;
}

static int replay(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    (void)ctx;
    if (type == GRANTS_RECORD) return grants_replay(grants, position, bytes, len);
    return motion_replay(motion, position, bytes, len);
}

static uint64_t reach(void *ctx) {
    (void)ctx;
    return grants_watermark(grants);
}

static void open_motion(uint64_t applied, uint32_t batch_rows) {
    struct pg_config pool = {.name = "primary", .uri = server.uri, .connections = 3};
    harness_open(&harness, &pool);
    assert_int_equal(journal_open(&f.config, &f.journal, f.error, sizeof f.error), 0);
    struct grants_config granting = {.journal = f.journal, .apply = apply_later};
    assert_int_equal(grants_create(&granting, &grants), 0);
    struct motion_config config = {.journal = f.journal,
                                   .pg = harness.pg,
                                   .reach = reach,
                                   .epoch = epoch,
                                   .players_max = 2000,
                                   .flush_ms = 5000,
                                   .hot_ms = 1000,
                                   .batch_rows = batch_rows,
                                   .seed = 42,
                                   .hot = take_hot,
                                   .hot_read = read_hot};
    assert_int_equal(motion_create(&config, &motion), 0);
    assert_int_equal(journal_recover(f.journal, applied, replay, NULL, f.error, sizeof f.error), 0);
    now = mono_now();
    motion_flush(motion, now); /* nothing yet: the next is due in flush_ms */
    harness_until(&harness, pg_is_available(harness.pg));
}

static void close_motion(void) {
    harness_close(&harness);
    motion_destroy(motion);
    grants_destroy(grants);
    journal_close(f.journal);
    f.journal = NULL;
}

static int open_all(void **state) {
    (void)state;
    memset(&hot, 0, sizeof hot);
    pg_fixture_execute(&server, "truncate player_state; update watermark set journal_id = null, position = 0");
    journal_fixture_init(&f);
    open_motion(0, 100);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    close_motion();
    journal_fixture_deinit(&f);
    return 0;
}

static struct wire_player_state make_state(uint64_t player, uint64_t session_epoch, uint64_t tick) {
    return (struct wire_player_state){.player = player,
                                      .session_epoch = session_epoch,
                                      .tick = tick,
                                      .experience = 10 * tick,
                                      .x = (int32_t)tick * 100,
                                      .y = -(int32_t)player,
                                      .yaw = 65535,
                                      .level = 3,
                                      .hit_points = 77};
}

static struct motion_receipt receipt;
static struct wire_player_load stale[WIRE_REPORT_STATES_MAX];

static int report(uint64_t player, uint64_t session_epoch, uint64_t tick) {
    struct wire_player_state state = make_state(player, session_epoch, tick);
    return motion_report(motion, &state, 1, stale, &receipt, now);
}

/* A flush over a connection that died with an earlier server fails, and goes again. */
static void flush(void) {
    assert_int_equal(journal_wait(f.journal), 0);
    harness_until(&harness, (motion_flush(motion, now), motion_is_clean(motion)));
}

static int64_t number(const char *sql) {
    return pg_fixture_number(&server, sql);
}

struct answer {
    unsigned count;
    enum wire_load_result result;
    struct wire_player_state state;
};

static void keep_answer(void *ctx, enum wire_load_result result, const struct wire_player_state *state) {
    struct answer *answer = ctx;
    answer->count++;
    answer->result = result;
    answer->state = *state;
}

static struct answer load(uint64_t player, uint64_t session_epoch) {
    struct answer answer = {0};
    assert_int_equal(motion_load(motion, player, session_epoch, keep_answer, &answer, now), 0);
    motion_update(motion, now);
    harness_until(&harness, answer.count > 0);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.state.player, player);
    return answer;
}

/* --- reports */

static void test_motion_report_is_acknowledged_at_its_journal_position(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(receipt.position, 1);
    assert_int_equal(journal_durable(f.journal), 0);
    assert_int_equal(report(2, 5, 10), 0);
    assert_int_equal(receipt.position, 2);
    assert_int_equal(journal_wait(f.journal), 0);
    assert_int_equal(motion_find(motion, 1)->x, 1000);
    assert_null(motion_find(motion, 3));
}

static void test_motion_older_tick_is_refused_and_counted(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(report(1, 5, 9), 0);
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(receipt.position, 1); /* the one that is known covers it */
    assert_int_equal(receipt.stale_count, 0);
    assert_int_equal(motion_stats_get(motion).stale_tick, 2);
    assert_int_equal(motion_find(motion, 1)->tick, 10);
    assert_int_equal(journal_appended(f.journal), 1);
}

static void test_motion_session_that_is_over_is_refused_and_named(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(report(1, 6, 3), 0);
    assert_int_equal(motion_find(motion, 1)->tick, 3);
    assert_int_equal(report(1, 5, 11), 0);
    assert_int_equal(receipt.stale_count, 1);
    assert_int_equal(stale[0].player, 1);
    assert_int_equal(stale[0].session_epoch, 5);
    assert_int_equal(motion_find(motion, 1)->tick, 3);
}

static void test_motion_look_ends_no_session(void **state) {
    (void)state;
    struct answer answer = {0};
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(motion_look(motion, 1, 6, keep_answer, &answer, now), 0);
    motion_update(motion, now);
    harness_until(&harness, answer.count > 0);
    assert_true(answer.result == WIRE_LOAD_KNOWN && answer.state.tick == 10 && answer.state.session_epoch == 6);
    assert_int_equal(report(1, 5, 11), 0);
    assert_int_equal(receipt.stale_count, 0);
    assert_int_equal(load(1, 6).state.tick, 11);
    assert_int_equal(report(1, 5, 12), 0);
    assert_int_equal(receipt.stale_count, 1);
    assert_int_equal(motion_look(motion, 1, 5, keep_answer, &answer, now), 0);
    assert_int_equal(answer.result, WIRE_LOAD_STALE);
}

static void test_motion_state_out_of_range_is_refused(void **state) {
    (void)state;
    assert_int_equal(report(0, 5, 10), 0);
    assert_int_equal(report(1, UINT64_MAX, 10), 0);
    assert_int_equal(motion_stats_get(motion).invalid, 2);
    assert_int_equal(motion_stats_get(motion).players, 0);
}

static void test_motion_full_table_refuses_new_players_only(void **state) {
    (void)state;
    for (uint64_t player = 1; player <= 2000; player++) assert_int_equal(report(player, 5, 1), 0);
    assert_int_equal(report(2001, 5, 1), MARCH_ERR_FULL);
    assert_int_equal(report(2000, 5, 2), 0);
    assert_int_equal(motion_stats_get(motion).refused, 1);
}

static void test_motion_player_who_left_is_dropped_once_written(void **state) {
    (void)state;
    struct wire_player_state left = make_state(1, 5, 10);
    left.flags = WIRE_STATE_LEFT;
    assert_int_equal(motion_report(motion, &left, 1, stale, &receipt, now), 0);
    motion_update(motion, mono_add_ms(now, 1));
    assert_int_equal(motion_stats_get(motion).players, 1);
    flush();
    motion_update(motion, mono_add_ms(now, 2));
    assert_int_equal(motion_stats_get(motion).players, 0);
    struct answer answer = load(1, 6);
    assert_int_equal(answer.result, WIRE_LOAD_KNOWN);
    assert_int_equal(answer.state.flags, 0);
    assert_int_equal(answer.state.session_epoch, 6);
}

/* --- write-behind */

static void test_motion_flush_writes_newest_rows_and_the_watermark(void **state) {
    (void)state;
    for (uint64_t tick = 1; tick <= 4; tick++) {
        for (uint64_t player = 1; player <= 950; player++) assert_int_equal(report(player, 5, tick), 0);
    }
    flush();
    assert_int_equal(number("select count(*) from player_state"), 950);
    assert_int_equal(number("select count(*) from player_state where tick = 4 and x = 400 and y = -player and yaw = 65535"
                            " and level = 3 and hit_points = 77 and experience = 40 and session_epoch = 5 and flags = 0"),
                     950);
    assert_int_equal(number("select position from watermark"), 3800);
    struct motion_stats stats = motion_stats_get(motion);
    assert_int_equal(stats.rows, 950);
    assert_int_equal(stats.rows_newer, 0);
    assert_int_equal(stats.watermark, 3800);
    assert_int_equal(stats.dirty, 0);
    flush();
    assert_int_equal(motion_stats_get(motion).flushes, 1); /* nothing to do */
}

static void test_motion_flush_never_overwrites_a_newer_row(void **state) {
    (void)state;
    pg_fixture_execute(&server, "insert into player_state values (1, 9, 1, 0, 7, 7, 0, 1, 1), (2, 5, 11, 0, 7, 7, 0, 1, 1)");
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(report(2, 5, 10), 0);
    assert_int_equal(report(3, 5, 10), 0);
    flush();
    assert_int_equal(number("select count(*) from player_state where x = 7"), 2);
    assert_int_equal(motion_stats_get(motion).rows_newer, 2);
    struct answer answer = load(1, 9);
    assert_int_equal(answer.result, WIRE_LOAD_KNOWN);
    assert_int_equal(answer.state.x, 7);
}

static void test_motion_state_that_changes_during_a_flush_stays_dirty(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(journal_wait(f.journal), 0);
    motion_flush(motion, now);
    assert_int_equal(report(1, 5, 11), 0);
    harness_until(&harness, motion_stats_get(motion).flushes == 1);
    assert_int_equal(number("select tick from player_state"), 10);
    assert_int_equal(number("select position from watermark"), 1);
    assert_int_equal(motion_stats_get(motion).dirty, 1);
    flush();
    assert_int_equal(number("select tick from player_state"), 11);
    assert_int_equal(number("select position from watermark"), 2);
}

static void test_motion_flush_comes_every_flush_ms(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    motion_update(motion, mono_add_ms(now, 4900));
    assert_true(motion_stats_get(motion).dirty == 1);
    motion_update(motion, mono_add_ms(now, 5100));
    harness_until(&harness, motion_is_clean(motion));
    assert_int_equal(motion_stats_get(motion).flushes, 1);
}

static void test_motion_end_waits_for_no_flush_ms(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(journal_wait(f.journal), 0);
    motion_flush(motion, now);
    assert_false(motion_is_clean(motion));
    assert_int_equal(report(1, 5, 11), 0); /* while that is under way, to which it comes too late */
    assert_int_equal(report(2, 5, 10), 0);
    assert_int_equal(journal_wait(f.journal), 0);
    harness_until(&harness, (motion_finish(motion, now), motion_is_clean(motion)));
    assert_int_equal(number("select tick from player_state where player = 1"), 11);
    assert_int_equal(number("select count(*) from player_state"), 2);
    assert_int_equal(number("select position from watermark"), 3);
}

static void test_motion_watermark_waits_for_unapplied_grants(void **state) {
    (void)state;
    struct wire_loot_grant grant = {.player = 1, .key = 99, .gold = 5};
    uint64_t position;
    assert_int_equal(report(1, 5, 1), 0);
    assert_int_equal(grants_add(grants, &grant, &position), 0);
    assert_int_equal(report(1, 5, 2), 0);
    flush();
    assert_int_equal(number("select position from watermark"), 1);
    grants_update(grants);
    grants_applied(grants, position);
    flush();
    assert_int_equal(number("select position from watermark"), 3);
}

static void test_motion_waits_while_the_database_is_away(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    pg_fixture_stop(&server);
    assert_int_equal(journal_wait(f.journal), 0);
    motion_flush(motion, now);
    harness_until(&harness, motion_stats_get(motion).flush_failures > 0);
    assert_int_equal(report(1, 5, 11), 0);
    assert_int_equal(report(2, 5, 10), 0);
    assert_int_equal(motion_stats_get(motion).dirty, 2);
    pg_fixture_start(&server);
    harness_until(&harness, pg_is_available(harness.pg));
    flush();
    assert_int_equal(number("select tick from player_state where player = 1"), 11);
    assert_int_equal(number("select position from watermark"), 3);
}

/* The last transaction of a flush waits for a lock when the server goes down: what the others committed may be lost. */
static void test_motion_flush_that_fails_late_sends_everything_again(void **state) {
    (void)state;
    struct wire_player_state one = make_state(1, 5, 10);
    for (one.player = 1; one.player <= 350; one.player++) {
        one.flags = one.player % 2 ? WIRE_STATE_LEFT : 0;
        assert_int_equal(motion_report(motion, &one, 1, stale, &receipt, now), 0);
    }
    PGconn *blocker = PQconnectdb(server.uri);
    PQclear(PQexec(blocker, "begin; select from watermark for update"));
    assert_int_equal(journal_wait(f.journal), 0);
    motion_flush(motion, now);
    harness_until(&harness, motion_stats_get(motion).rows == 300);
    motion_update(motion, mono_add_ms(now, 1)); /* nobody who left is forgotten yet */
    assert_int_equal(motion_stats_get(motion).players, 350);
    pg_fixture_stop(&server);
    harness_until(&harness, motion_stats_get(motion).flush_failures > 0);
    PQfinish(blocker);
    assert_int_equal(motion_stats_get(motion).dirty, 350);
    assert_int_equal(motion_stats_get(motion).watermark, 0);
    pg_fixture_start(&server);
    harness_until(&harness, pg_is_available(harness.pg));
    flush();
    assert_int_equal(number("select count(*) from player_state where tick = 10"), 350);
    assert_int_equal(number("select position from watermark"), 350);
}

static unsigned fenced;

static void count_fenced(void *ctx) {
    (void)ctx;
    fenced++;
}

static void test_motion_of_a_shard_that_was_taken_over_stops(void **state) {
    (void)state;
    struct motion_config config = {.journal = f.journal,
                                   .pg = harness.pg,
                                   .epoch = epoch - 1,
                                   .players_max = 10,
                                   .flush_ms = 5000,
                                   .fenced = count_fenced};
    struct motion *old;
    assert_int_equal(motion_create(&config, &old), 0);
    struct wire_player_state one = make_state(1, 5, 10);
    assert_int_equal(motion_report(old, &one, 1, stale, &receipt, now), 0);
    motion_flush(old, now);
    harness_until(&harness, fenced > 0);
    motion_flush(old, now);
    assert_false(motion_is_clean(old));
    assert_int_equal(fenced, 1);
    assert_int_equal(number("select count(*) from player_state"), 0);
    motion_destroy(old);
}

static void test_motion_at_a_full_journal_is_kept_and_not_acknowledged(void **state) {
    (void)state;
    close_motion();
    f.config.bytes_max = 2 * JOURNAL_FIXTURE_SEGMENT;
    open_motion(0, 100);
    while (journal_fixture_append(&f, 4000) == 0) {
        int result = journal_wait(f.journal);
        assert_true(result == 0 || result == MARCH_ERR_FULL);
    }
    while (report(1, 5, journal_appended(f.journal)) == 0) continue;
    uint64_t tick = journal_appended(f.journal);
    assert_int_equal(report(2, 5, tick), MARCH_ERR_FULL);
    assert_int_equal(report(2, 5, tick), MARCH_ERR_FULL);
    assert_int_equal(motion_stats_get(motion).unjournaled, 2);
    flush(); /* PostgreSQL has them now, and the journal is released */
    assert_int_equal(motion_stats_get(motion).unjournaled, 0);
    assert_int_equal(report(2, 5, tick), 0);
    assert_true(receipt.position <= journal_durable(f.journal));
    assert_int_equal(number("select count(*) from player_state"), 2);
    for (int i = 0; i < 10000 && journal_is_full(f.journal); i++) {
        journal_update(f.journal, mono_now());
        usleep(100);
    }
    assert_int_equal(report(2, 5, tick + 1), 0);
}

/* --- Redis */

static void test_motion_hot_states_go_out_every_hot_ms(void **state) {
    (void)state;
    for (uint64_t player = 1; player <= 1500; player++) assert_int_equal(report(player, 5, 1), 0);
    motion_update(motion, now);
    assert_int_equal(hot.players, 1500);
    assert_int_equal(report(7, 5, 2), 0);
    assert_int_equal(report(7, 5, 3), 0);
    motion_update(motion, mono_add_ms(now, 500));
    assert_int_equal(hot.players, 1500);
    hot.refuse = 1;
    motion_update(motion, mono_add_ms(now, 1000));
    hot.refuse = 0;
    motion_update(motion, mono_add_ms(now, 2000));
    assert_int_equal(hot.players, 1501);
    assert_int_equal(hot.last.tick, 3);
    assert_int_equal(hot.count, 4);
}

/* --- loads and recovery */

static void test_motion_load_finds_row_newcomer_and_memory(void **state) {
    (void)state;
    pg_fixture_execute(&server, "insert into player_state values (1, 5, 10, 999, -7, 8, 65535, 4, 50)");
    struct answer answer = load(1, 6);
    assert_int_equal(answer.result, WIRE_LOAD_KNOWN);
    assert_int_equal(answer.state.x, -7);
    assert_int_equal(answer.state.experience, 999);
    assert_int_equal(answer.state.yaw, 65535);
    assert_int_equal(answer.state.session_epoch, 6);
    assert_int_equal(load(2, 6).result, WIRE_LOAD_NEW);
    assert_int_equal(load(2, 6).result, WIRE_LOAD_NEW);
    assert_int_equal(motion_stats_get(motion).load_hits, 1);
    assert_int_equal(report(2, 6, 1), 0);
    assert_int_equal(load(2, 7).result, WIRE_LOAD_KNOWN);
}

static void test_motion_load_ends_older_sessions(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    assert_int_equal(load(1, 6).result, WIRE_LOAD_KNOWN);
    assert_int_equal(report(1, 5, 11), 0);
    assert_int_equal(receipt.stale_count, 1);
    assert_int_equal(load(1, 5).result, WIRE_LOAD_STALE);
    assert_int_equal(report(1, 6, 1), 0);
    assert_int_equal(motion_find(motion, 1)->tick, 1);
}

static void test_motion_load_of_many_comes_in_few_queries(void **state) {
    (void)state;
    pg_fixture_execute(&server, "insert into player_state select n, 5, n, n, n, n, 0, 1, 1 from generate_series(1, 1500) n");
    uint64_t jobs = pg_stats_get(harness.pg).jobs;
    static struct answer answers[1500];
    memset(answers, 0, sizeof answers);
    for (uint64_t player = 1; player <= 1500; player++)
        assert_int_equal(motion_load(motion, player, 6, keep_answer, &answers[player - 1], now), 0);
    motion_update(motion, now);
    harness_until(&harness, answers[1499].count == 1);
    assert_int_equal(pg_stats_get(harness.pg).jobs - jobs, 1);
    for (unsigned i = 0; i < 1500; i++) {
        assert_int_equal(answers[i].result, WIRE_LOAD_KNOWN);
        assert_int_equal(answers[i].state.tick, i + 1);
    }
}

static void test_motion_load_without_database_answers_from_the_journal(void **state) {
    (void)state;
    assert_int_equal(report(1, 5, 10), 0);
    pg_fixture_stop(&server);
    assert_int_equal(load(1, 6).result, WIRE_LOAD_KNOWN);
    assert_int_equal(load(2, 6).result, WIRE_LOAD_UNAVAILABLE);
    assert_int_equal(motion_stats_get(motion).load_failures, 1);
    pg_fixture_start(&server);
    harness_until(&harness, pg_is_available(harness.pg));
}

/* What Redis has stands in for rows that can't be asked for, and gives way to them when they can. */
static void test_motion_load_without_database_answers_from_redis(void **state) {
    (void)state;
    struct redis_fixture redis_server;
    struct redis *redis;
    redis_fixture_open(&redis_server, NULL);
    struct redis_config config = {.address = redis_server.uri, .seed = 1};
    assert_int_equal(redis_open(&redis, harness.loop, &config), 0);
    assert_int_equal(redis_ready_within(redis, HARNESS_PATIENCE_MS), 0);
    assert_int_equal(hot_open(&hot_store, redis, 60), 0);
    const struct wire_player_state states[] = {make_state(1, 5, 10), make_state(2, 5, 20), make_state(3, 5, 29),
                                               make_state(5, UINT64_MAX, 1), make_state(7, 5, 40)};
    assert_int_equal(hot_write(hot_store, states, 5), 5);
    harness_until(&harness, hot_stats_get(hot_store).written == 5);
    pg_fixture_execute(&server, "insert into player_state values (2, 7, 1, 0, 4242, 0, 0, 1, 1)");
    assert_int_equal(report(3, 5, 30), 0);
    assert_int_equal(report(7, 4, 60), 0); /* of an older session, when the newest state was not in memory any more */
    pg_fixture_stop(&server);

    struct answer answer = load(1, 6);
    assert_int_equal(answer.result, WIRE_LOAD_KNOWN);
    assert_int_equal(answer.state.x, 1000);
    assert_int_equal(answer.state.session_epoch, 6);
    assert_int_equal(report(1, 5, 11), 0); /* of the session before */
    assert_int_equal(receipt.stale_count, 1);
    assert_int_equal(load(3, 6).state.tick, 30); /* memory is newer */
    assert_int_equal(load(2, 6).state.tick, 20);
    assert_int_equal(load(7, 6).state.tick, 40);
    assert_int_equal(load(4, 6).result, WIRE_LOAD_UNAVAILABLE);
    assert_int_equal(load(5, 6).result, WIRE_LOAD_UNAVAILABLE);
    assert_int_equal(motion_stats_get(motion).load_hot, 3);
    assert_int_equal(motion_stats_get(motion).load_failures, 2);
    redis_fixture_kill(&redis_server);
    harness_until(&harness, !redis_is_available(redis));
    assert_int_equal(load(6, 6).result, WIRE_LOAD_UNAVAILABLE);

    pg_fixture_start(&server);
    harness_until(&harness, pg_is_available(harness.pg));
    assert_int_equal(load(2, 8).state.x, 4242); /* the row is newer */
    flush();
    assert_int_equal(number("select count(*) from player_state where player = 2 and session_epoch = 7"), 1);
    assert_int_equal(number("select count(*) from player_state where player = 1"), 0); /* nobody has reported that */
    redis_close(redis);
    hot_close(hot_store);
    hot_store = NULL;
    redis_fixture_close(&redis_server);
}

static void test_motion_after_a_crash_is_what_rows_and_journal_say(void **state) {
    (void)state;
    for (uint64_t player = 1; player <= 300; player++) assert_int_equal(report(player, 5, 1), 0);
    flush();
    for (uint64_t player = 101; player <= 200; player++) assert_int_equal(report(player, 5, 2), 0);
    assert_int_equal(journal_wait(f.journal), 0);
    close_motion(); /* without a flush */
    assert_int_equal(number("select max(tick) from player_state"), 1);
    open_motion((uint64_t)number("select position from watermark"), 100);
    assert_int_equal(motion_stats_get(motion).replayed, 100);
    for (uint64_t player = 1; player <= 300; player++)
        assert_int_equal(load(player, 6).state.tick, player > 100 && player <= 200 ? 2 : 1);
    flush();
    assert_int_equal(number("select count(*) from player_state where tick = 2"), 100);
    assert_int_equal(number("select position from watermark"), 400);
}

static void test_motion_replayed_from_the_beginning_does_no_harm(void **state) {
    (void)state;
    for (uint64_t tick = 1; tick <= 3; tick++) {
        assert_int_equal(report(1, 5, tick), 0);
        flush();
    }
    close_motion();
    pg_fixture_execute(&server, "update player_state set session_epoch = 6, tick = 1, x = 4242");
    open_motion(0, 100); /* as when the database could not be asked for the watermark */
    assert_int_equal(load(1, 7).state.x, 4242);
    flush();
    assert_int_equal(number("select x from player_state"), 4242);
    assert_int_equal(number("select position from watermark"), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_motion_report_is_acknowledged_at_its_journal_position),
        TEST(test_motion_older_tick_is_refused_and_counted),
        TEST(test_motion_session_that_is_over_is_refused_and_named),
        TEST(test_motion_look_ends_no_session),
        TEST(test_motion_state_out_of_range_is_refused),
        TEST(test_motion_full_table_refuses_new_players_only),
        TEST(test_motion_player_who_left_is_dropped_once_written),
        TEST(test_motion_flush_writes_newest_rows_and_the_watermark),
        TEST(test_motion_flush_never_overwrites_a_newer_row),
        TEST(test_motion_state_that_changes_during_a_flush_stays_dirty),
        TEST(test_motion_flush_comes_every_flush_ms),
        TEST(test_motion_end_waits_for_no_flush_ms),
        TEST(test_motion_watermark_waits_for_unapplied_grants),
        TEST(test_motion_waits_while_the_database_is_away),
        TEST(test_motion_flush_that_fails_late_sends_everything_again),
        TEST(test_motion_of_a_shard_that_was_taken_over_stops),
        TEST(test_motion_at_a_full_journal_is_kept_and_not_acknowledged),
        TEST(test_motion_hot_states_go_out_every_hot_ms),
        TEST(test_motion_load_finds_row_newcomer_and_memory),
        TEST(test_motion_load_ends_older_sessions),
        TEST(test_motion_load_of_many_comes_in_few_queries),
        TEST(test_motion_load_without_database_answers_from_the_journal),
        TEST(test_motion_load_without_database_answers_from_redis),
        TEST(test_motion_after_a_crash_is_what_rows_and_journal_say),
        TEST(test_motion_replayed_from_the_beginning_does_no_harm),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
