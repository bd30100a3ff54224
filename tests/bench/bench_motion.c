/* bench_motion: motion behind a PostgreSQL of its own (fsync on, otherwise as `zonectl up` sets a private one).
 *
 *   bench_motion [PLAYERS]
 *
 * - Flush: all PLAYERS (100,000) dirty, over rows that are there, against binary COPY of the same rows by libpq into an
 * empty table of the same definition (but with full pages), on one connection, COPY then flush, five rounds, medians. The
 * first flush, into an empty table, is told beside it.
 * - Writes avoided: 10,000 players, four updates a second each, a minute of motion's own time: rows against updates.
 * - Load of one player who is not in memory, one after the other; of 10,000 players at once, from asked to answered.
 * - Reports a second, from motion_report until all of them are durable, as fast as it goes.
 * - Recovery of PLAYERS: rows in PostgreSQL, and in the journal what five seconds leave, 20 updates of each; from opening
 * the journal until every player has been loaded.
 *
 * The journal lies in the current folder. One JSON object.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/journal.h"
#include "persist/motion.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

#define ROUNDS          5
#define FLUSH_MS        5000
#define UPDATE_MS       250
#define UPDATES_BETWEEN (FLUSH_MS / UPDATE_MS)
#define ACTIVE          10000
#define ACTIVE_S        60
#define SINGLE_LOADS    2000
#define REPORT          2000

struct bench {
    struct pg_fixture server;
    struct harness harness;
    int64_t epoch;
    char journal_dir[64];
    struct journal *journal;
    struct motion *motion;
    uint32_t players;
    uint64_t tick;
    uint64_t answered, known;
};

static double since_s(struct mono begin) {
    return (double)mono_since_ns(mono_now(), begin) / 1e9;
}

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double quantile(double *values, size_t count, double q) {
    qsort(values, count, sizeof *values, by_value);
    return values[(size_t)((double)(count - 1) * q)];
}

/* --- the parts */

static int replay(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    struct bench *b = ctx;
    CHECK(type == MOTION_RECORD);
    return motion_replay(b->motion, position, bytes, len);
}

static void open_motion(struct bench *b, uint64_t applied) {
    struct journal_config journal = {.dir = b->journal_dir, .segment_bytes = 64 << 20, .bytes_max = 1 << 30};
    char error[JOURNAL_ERROR_BYTES];
    CHECK(journal_open(&journal, &b->journal, error, sizeof error) == 0);
    struct motion_config config = {.journal = b->journal,
                                   .pg = b->harness.pg,
                                   .epoch = b->epoch,
                                   .players_max = 4 * b->players,
                                   .flush_ms = FLUSH_MS,
                                   .hot_ms = 1000,
                                   .deadline_ms = 60000,
                                   .seed = 42};
    CHECK(motion_create(&config, &b->motion) == 0);
    int result = journal_recover(b->journal, applied, replay, b, error, sizeof error);
    if (result) fprintf(stderr, "%s\n", error);
    CHECK(result == 0);
}

static void close_motion(struct bench *b) {
    motion_destroy(b->motion);
    journal_close(b->journal);
}

static void open_pool(struct bench *b) {
    struct pg_config pool = {.name = "primary", .uri = b->server.uri, .connections = 4};
    harness_open(&b->harness, &pool);
    harness_until(&b->harness, pg_stats_get(b->harness.pg).ready == 4);
}

static struct wire_player_state state_of(struct bench *b, uint32_t player) {
    return (struct wire_player_state){.player = player * 7919ull,
                                      .session_epoch = 1790000000000 + player,
                                      .tick = b->tick,
                                      .experience = player * 3ull,
                                      .x = (int32_t)(player * 65536 + b->tick * 1000),
                                      .y = -(int32_t)player,
                                      .yaw = (uint16_t)(player * 31),
                                      .level = 3,
                                      .hit_points = 100};
}

/* report_all reports players 1 to `count` once more; what the journal can't take at once waits for the disk. */
static void report_all(struct bench *b, uint32_t count, struct mono now) {
    static struct wire_player_state states[REPORT];
    static struct wire_player_load stale[REPORT];
    b->tick++;
    for (uint32_t first = 1; first <= count; first += REPORT) {
        uint32_t some = count + 1 - first < REPORT ? count + 1 - first : REPORT;
        for (uint32_t i = 0; i < some; i++) states[i] = state_of(b, first + i);
        struct motion_receipt receipt;
        while (motion_report(b->motion, states, some, stale, &receipt, now) != 0) CHECK(journal_wait(b->journal) == 0);
        journal_update(b->journal, mono_now());
    }
}

static double flush_s(struct bench *b) {
    CHECK(journal_wait(b->journal) == 0);
    struct mono begin = mono_now();
    motion_flush(b->motion, begin);
    harness_until(&b->harness, motion_is_clean(b->motion));
    double elapsed = since_s(begin);
    CHECK(motion_stats_get(b->motion).flush_failures == 0);
    return elapsed;
}

/* --- COPY */

static void put(uint8_t **at, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) *(*at)++ = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static void put_field(uint8_t **at, uint64_t value, size_t bytes) {
    put(at, bytes, 4);
    put(at, value, bytes);
}

/* copy_s copies the players' rows as PostgreSQL's binary COPY has them; the bytes are made before the time begins. */
static double copy_s(struct bench *b) {
    static const char SIGNATURE[] = "PGCOPY\n\377\r\n\0";
    uint8_t *bytes = malloc(32 + b->players * 128ull), *at = bytes;
    CHECK(bytes != NULL);
    memcpy(at, SIGNATURE, 11);
    at += 11;
    put(&at, 0, 8);
    for (uint32_t player = 1; player <= b->players; player++) {
        struct wire_player_state s = state_of(b, player);
        put(&at, 10, 2);
        put_field(&at, s.player, 8);
        put_field(&at, s.session_epoch, 8);
        put_field(&at, s.tick, 8);
        put_field(&at, s.experience, 8);
        put_field(&at, (uint32_t)s.x, 4);
        put_field(&at, (uint32_t)s.y, 4);
        put_field(&at, s.yaw, 4);
        put_field(&at, s.level, 4);
        put_field(&at, s.hit_points, 4);
        put_field(&at, s.flags, 4);
    }
    put(&at, 0xffff, 2);
    pg_fixture_execute(&b->server, "set client_min_messages = warning; drop table if exists copied; create table copied "
                                   "(like player_state including all)");
    PGconn *connection = PQconnectdb(b->server.uri);
    CHECK(PQstatus(connection) == CONNECTION_OK);
    struct mono begin = mono_now();
    PQclear(PQexec(connection, "copy copied from stdin (format binary)"));
    for (uint8_t *next = bytes; next < at; next += 65536)
        CHECK(PQputCopyData(connection, (char *)next, (int)(at - next < 65536 ? at - next : 65536)) == 1);
    CHECK(PQputCopyEnd(connection, NULL) == 1);
    PGresult *result = PQgetResult(connection);
    CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
    double elapsed = since_s(begin);
    PQclear(result);
    PQfinish(connection);
    free(bytes);
    CHECK(pg_fixture_number(&b->server, "select count(*) from copied") == b->players);
    return elapsed;
}

/* --- the figures */

static void bench_flush(struct bench *b) {
    double copies[ROUNDS], flushes[ROUNDS];
    report_all(b, b->players, mono_now());
    double first = flush_s(b);
    for (int i = 0; i < ROUNDS; i++) {
        copies[i] = copy_s(b);
        report_all(b, b->players, mono_now());
        flushes[i] = flush_s(b);
    }
    CHECK(pg_fixture_number(&b->server, "select count(*) from player_state") == b->players);
    double copy = quantile(copies, ROUNDS, 0.5), flush = quantile(flushes, ROUNDS, 0.5);
    printf("{\"copy_rows_per_s\":%.0f,\"flush_rows_per_s\":%.0f,\"first_flush_rows_per_s\":%.0f,\"flush_ratio\":%.3f,",
           b->players / copy, b->players / flush, b->players / first, copy / flush);
}

/* Time is motion's own, so a minute takes as long as its work; each flush ends before the time goes on. */
static void bench_avoided(struct bench *b) {
    struct mono now = mono_add_ms(mono_now(), FLUSH_MS);
    motion_update(b->motion, now);
    struct motion_stats before = motion_stats_get(b->motion);
    uint64_t jobs = pg_stats_get(b->harness.pg).jobs;
    for (unsigned ms = 0; ms < ACTIVE_S * 1000; ms += UPDATE_MS) {
        now = mono_add_ms(now, UPDATE_MS);
        report_all(b, ACTIVE, now);
        CHECK(journal_wait(b->journal) == 0);
        motion_update(b->motion, now);
        harness_until(&b->harness, motion_is_clean(b->motion) || motion_stats_get(b->motion).dirty == ACTIVE);
    }
    struct motion_stats after = motion_stats_get(b->motion);
    double updates = (double)(after.reported - before.reported), rows = (double)(after.rows - before.rows);
    printf("\"updates\":%.0f,\"rows\":%.0f,\"transactions\":%llu,\"writes_avoided_percent\":%.2f,", updates, rows,
           (unsigned long long)(pg_stats_get(b->harness.pg).jobs - jobs), 100.0 * (1.0 - rows / updates));
}

static void count_answer(void *ctx, enum wire_load_result result, const struct wire_player_state *state) {
    struct bench *b = ctx;
    (void)state;
    b->answered++;
    b->known += result == WIRE_LOAD_KNOWN;
}

/* load_all loads players `first` to `last` and waits for all. */
static void load_all(struct bench *b, uint32_t first, uint32_t last) {
    b->answered = b->known = 0;
    for (uint32_t player = first; player <= last;) {
        if (motion_load(b->motion, player * 7919ull, 1790000000000 + player, count_answer, b, mono_now()) == 0) {
            player++;
            continue;
        }
        motion_update(b->motion, mono_now());
        ev_run(b->harness.loop, EVRUN_ONCE);
    }
    struct mono limit = mono_add_ms(mono_now(), 30000);
    while (b->answered < last + 1 - first && !mono_reached(mono_now(), limit)) {
        motion_update(b->motion, mono_now());
        ev_run(b->harness.loop, b->answered < last + 1 - first ? EVRUN_ONCE : EVRUN_NOWAIT);
    }
    CHECK(b->known == last + 1 - first);
}

static void bench_load(struct bench *b) {
    double ms[SINGLE_LOADS];
    load_all(b, b->players, b->players); /* statements are prepared now */
    for (uint32_t i = 0; i < SINGLE_LOADS; i++) {
        struct mono begin = mono_now();
        load_all(b, 1 + i, 1 + i);
        ms[i] = since_s(begin) * 1e3;
    }
    struct mono begin = mono_now();
    load_all(b, SINGLE_LOADS + 1, SINGLE_LOADS + ACTIVE);
    CHECK(motion_stats_get(b->motion).load_hits == 0);
    printf("\"load_one_p50_ms\":%.3f,\"load_one_p99_ms\":%.3f,\"load_10000_ms\":%.1f,", quantile(ms, SINGLE_LOADS, 0.5),
           quantile(ms, SINGLE_LOADS, 0.99), since_s(begin) * 1e3);
}

static void bench_recovery(struct bench *b) {
    uint64_t applied = motion_stats_get(b->motion).watermark;
    struct mono begin = mono_now();
    for (int i = 0; i < UPDATES_BETWEEN; i++) report_all(b, b->players, mono_now());
    CHECK(journal_wait(b->journal) == 0);
    printf("\"reported_durable_per_s\":%.0f,", (double)UPDATES_BETWEEN * b->players / since_s(begin));
    close_motion(b);
    begin = mono_now();
    open_motion(b, applied);
    double replayed = since_s(begin);
    load_all(b, 1, b->players);
    double all = since_s(begin);
    struct motion_stats stats = motion_stats_get(b->motion);
    CHECK(stats.replayed == (uint64_t)UPDATES_BETWEEN * b->players);
    printf("\"recovered_players\":%u,\"recovered_deltas\":%llu,\"replay_s\":%.3f,\"recovery_s\":%.3f}\n", b->players,
           (unsigned long long)stats.replayed, replayed, all);
}

/* --- all of it */

static void folder_make(struct bench *b) {
    snprintf(b->journal_dir, sizeof b->journal_dir, "bench_motion.XXXXXX");
    CHECK(mkdtemp(b->journal_dir) != NULL);
}

static void folder_remove(const struct bench *b) {
    DIR *entries = opendir(b->journal_dir);
    CHECK(entries != NULL);
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        if (entry->d_name[0] != '.') CHECK(unlinkat(dirfd(entries), entry->d_name, 0) == 0);
    }
    closedir(entries);
    CHECK(rmdir(b->journal_dir) == 0);
}

int main(int argc, char **argv) {
    static struct bench b = {.players = 100000};
    if (argc > 1) b.players = (uint32_t)atoi(argv[1]);
    if (b.players < SINGLE_LOADS + ACTIVE || b.players > 1000000) return 2;
    log_set_level(LOG_LEVEL_WARN);
    folder_make(&b);
    pg_fixture_open(&b.server, "-c fsync=on -c synchronous_commit=on -c shared_buffers=128MB -c wal_compression=on"
                               " -c max_wal_size=1GB -c full_page_writes=on");
    b.epoch = pg_fixture_migrate(&b.server);
    open_pool(&b);
    open_motion(&b, 0);
    bench_flush(&b);
    bench_avoided(&b);
    (void)flush_s(&b);
    uint64_t watermark = motion_stats_get(b.motion).watermark;
    close_motion(&b);
    open_motion(&b, watermark); /* an empty memory */
    bench_load(&b);
    report_all(&b, 1, mono_now());
    (void)flush_s(&b);
    bench_recovery(&b);
    harness_until(&b.harness, motion_is_clean(b.motion)); /* the first flush after a start */
    harness_close(&b.harness);
    close_motion(&b);
    pg_fixture_close(&b.server);
    folder_remove(&b);
    return 0;
}
