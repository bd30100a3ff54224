/* bench_boards: a board of a million players, against a private Redis.
 *
 *   bench_boards [PLAYERS]
 *
 * One line a figure, `name value unit`: updates of random players a second, from boards_raise to Redis' answer; what
 * redis-benchmark does with pipelined ZADDs of single scores to as large a set in the same server; their ratio; the time of
 * one rank with neighbours at a time, alone and while updates flow; the time of a rebuild from PostgreSQL, a player.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/boards.h"
#include "tests/unit/store_fixture.h"

#define UPDATES     300000
#define ROUNDS      5 /* turn by turn, so that both see the machine in the same moods; medians */
#define READS       5000
#define BURST       20000 /* updates between two turns of the loop: those of a tick of many zones */
#define PIPELINE    64
#define FILL_SCORES 10

struct bench {
    struct store_fixture stores;
    struct boards *boards;
    struct histogram reads;
    struct mono asked_at;
    unsigned answers;
    uint64_t players, random;
};

static uint64_t next_random(struct bench *bench) {
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random;
}

static double seconds_since(struct mono start) {
    return (double)mono_since_ns(mono_now(), start) / 1e9;
}

/* drain runs until no more than `pending` updates wait. */
static void drain(struct bench *bench, uint32_t pending) {
    while (boards_stats_get(bench->boards).pending > pending) {
        boards_flush(bench->boards);
        ev_run(bench->stores.loop, EVRUN_ONCE);
    }
}

static void raise_score(struct bench *bench, uint64_t player, int64_t score) {
    CHECK(boards_raise(bench->boards, BOARD_GOLD, "main", player, score) == 0);
}

/* fill puts every player on the board once. */
static void fill(struct bench *bench) {
    for (uint64_t player = 1; player <= bench->players; player++) {
        raise_score(bench, player, (int64_t)(next_random(bench) % 1000000));
        if (player % BURST == 0) drain(bench, BURST);
    }
    drain(bench, 0);
}

/* update raises random players' scores above all before, and returns how many a second Redis had taken. */
static double update(struct bench *bench, int round) {
    uint64_t sent = boards_stats_get(bench->boards).redis_scores;
    struct mono start = mono_now();
    for (unsigned i = 0; i < UPDATES; i++) {
        raise_score(bench, 1 + next_random(bench) % bench->players,
                    (round + 1) * (int64_t)1000000 + (int64_t)(next_random(bench) % 1000000));
        if (i % BURST == 0) drain(bench, 2 * BURST);
    }
    drain(bench, 0);
    return (double)(boards_stats_get(bench->boards).redis_scores - sent) / seconds_since(start);
}

/* benchmark lets redis-benchmark do the same with a command for each `scores`; returns how many commands a second. */
static double benchmark(struct bench *bench, unsigned commands, unsigned scores) {
    char command[1024], line[256];
    double rate = 0;
    int len = snprintf(command, sizeof command,
                       "redis-benchmark -s %s/socket -n %u -r %" PRIu64 " -c 4 -P %d --csv 2>/dev/null ZADD floor",
                       bench->stores.redis_server.path, commands, bench->players, PIPELINE);
    for (unsigned i = 0; i < scores; i++)
        len += snprintf(command + len, sizeof command - (size_t)len, " __rand_int__ element:__rand_int__");
    CHECK((size_t)len < sizeof command);
    FILE *output = popen(command, "r");
    CHECK(output);
    while (fgets(line, sizeof line, output)) {
        const char *value = strstr(line, "\",\"");
        if (value && strtod(value + 3, NULL) > 0) rate = strtod(value + 3, NULL);
    }
    CHECK(pclose(output) == 0 && rate > 0);
    return rate;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[ROUNDS]) {
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void compare_updates(struct bench *bench) {
    double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS];
    (void)benchmark(bench, (unsigned)bench->players * 3 / FILL_SCORES, FILL_SCORES); /* fills its set, all but a twentieth */
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = update(bench, i);
        theirs[i] = benchmark(bench, UPDATES, 1);
        ratios[i] = ours[i] / theirs[i];
    }
    printf("updates_per_s %.0f scores/s\n", median(ours));
    printf("redis_benchmark_zadd_per_s %.0f scores/s\n", median(theirs));
    printf("updates_ratio %.2f x\n", median(ratios));
}

static void on_rank(void *ctx, int error, const struct board_page *page) {
    struct bench *bench = ctx;
    CHECK(error == 0 && page->self.rank > 0);
    histogram_record(&bench->reads, mono_since_ns(mono_now(), bench->asked_at));
    bench->answers++;
}

/* read_ranks asks one at a time, with `updates` raised before each; the medians of rounds, for others use the machine. */
static void read_ranks(struct bench *bench, const char *name, unsigned updates) {
    double p50[ROUNDS], p99[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        histogram_reset(&bench->reads);
        for (unsigned i = 0; i < READS; i++) {
            unsigned before = bench->answers;
            for (unsigned k = 0; k < updates; k++)
                raise_score(bench, 1 + next_random(bench) % bench->players, (int64_t)2e9 + i);
            bench->asked_at = mono_now();
            CHECK(boards_around(bench->boards, BOARD_GOLD, 0, "main", 1 + next_random(bench) % bench->players, 5, on_rank,
                                bench) == 0);
            while (bench->answers == before) ev_run(bench->stores.loop, EVRUN_ONCE);
        }
        p50[round] = (double)histogram_quantile(&bench->reads, 0.5) / 1e3;
        p99[round] = (double)histogram_quantile(&bench->reads, 0.99) / 1e3;
    }
    printf("%s_p50 %.1f us\n", name, median(p50));
    printf("%s_p99 %.1f us\n", name, median(p99));
    drain(bench, 0);
}

/* rebuild loses the boards and lets them be built from a full table of scores. */
static void rebuild(struct bench *bench) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "insert into scores (board, season, player, region, score) "
             "select 'gold', 1, i, 'main', i %% 1000 from generate_series(1, %" PRIu64
             ") i on conflict (board, season, player) do nothing",
             bench->players);
    pg_fixture_execute(&bench->stores.pg_server, sql);
    store_fixture_lose_redis(&bench->stores);
    store_fixture_restore_redis(&bench->stores);
    struct mono start = mono_now();
    uint64_t before = boards_stats_get(bench->boards).rebuilt_scores;
    while (boards_stats_get(bench->boards).rebuilding) ev_run(bench->stores.loop, EVRUN_ONCE);
    double rate = (double)(boards_stats_get(bench->boards).rebuilt_scores - before) / seconds_since(start);
    printf("rebuild_per_s %.0f scores/s\n", rate);
}

static void open_boards(struct bench *bench, bool durable) {
    struct boards_config config = {.redis = bench->stores.redis,
                                   .pg = durable ? bench->stores.pg : NULL,
                                   .shard_epoch = bench->stores.shard_epoch,
                                   .season = 1};
    CHECK(boards_open(&bench->boards, bench->stores.loop, &config) == 0);
    while (boards_stats_get(bench->boards).rebuilding) ev_run(bench->stores.loop, EVRUN_ONCE);
}

int main(int argc, char **argv) {
    static struct bench bench = {.random = 88172645463325252ULL};
    bench.players = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    if (bench.players == 0 || bench.players > 10000000) {
        fprintf(stderr, "usage: bench_boards [PLAYERS]\n");
        return 2;
    }
    log_init("bench", LOG_LEVEL_ERROR);
    store_fixture_open(&bench.stores, true);
    open_boards(&bench, false); /* Redis alone is measured */
    fill(&bench);
    compare_updates(&bench);
    read_ranks(&bench, "rank", 0);
    read_ranks(&bench, "rank_under_updates", 10);
    fflush(stdout);
    redis_close(bench.stores.redis);
    boards_close(bench.boards);
    struct redis_config config = {.address = bench.stores.redis_server.uri, .seed = 2, .retry_cap_ms = 50};
    CHECK(redis_open(&bench.stores.redis, bench.stores.loop, &config) == 0);
    CHECK(redis_ready_within(bench.stores.redis, 10000) == 0);
    open_boards(&bench, true);
    rebuild(&bench);
    store_fixture_disconnect(&bench.stores);
    boards_close(bench.boards);
    store_fixture_close(&bench.stores);
    return 0;
}
