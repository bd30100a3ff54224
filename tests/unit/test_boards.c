/* test_boards.c: boards against a naive twin, and through the loss of either store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "persist/boards.h"
#include "tests/unit/store_fixture.h"

#define PLAYERS 300
#define SEASON  3

static const char *const regions[] = {"main", "east", "west"};

struct bed {
    struct store_fixture stores;
    struct boards *boards;
    unsigned answers;
    int error;
    uint32_t count;
    uint64_t total;
    struct board_entry entries[BOARDS_PAGE_MAX], self;
    struct board_entry twin[PLAYERS]; /* the naive board: the player's number - 1 is the index */
};

static void start_boards(struct bed *bed) {
    struct boards_config config = {.redis = bed->stores.redis,
                                   .pg = bed->stores.pg,
                                   .shard_epoch = bed->stores.shard_epoch,
                                   .season = SEASON,
                                   .flush_ms = 20};
    assert_int_equal(boards_open(&bed->boards, bed->stores.loop, &config), 0);
}

static void bed_open(struct bed *bed, bool with_pg) {
    memset(bed, 0, sizeof *bed);
    store_fixture_open(&bed->stores, with_pg);
    start_boards(bed);
}

static void bed_close(struct bed *bed) {
    store_fixture_disconnect(&bed->stores);
    boards_close(bed->boards);
    store_fixture_close(&bed->stores);
}

static void on_page(void *ctx, int error, const struct board_page *page) {
    struct bed *bed = ctx;
    bed->answers++;
    bed->error = error;
    if (page == NULL) return;
    bed->count = page->count;
    bed->total = page->total;
    bed->self = page->self;
    if (page->count > 0) memcpy(bed->entries, page->entries, page->count * sizeof *page->entries);
}

/* settle runs until nothing waits in memory and the boards are there. */
static void settle(struct bed *bed) {
    for (int i = 0; i < 2000; i++) {
        store_fixture_run(&bed->stores, 5);
        struct boards_stats stats = boards_stats_get(bed->boards);
        if (stats.pending == 0 && !stats.rebuilding) return;
    }
    fail_msg("does not settle");
}

static int read_top(struct bed *bed, const char *region, uint32_t from, uint32_t count) {
    unsigned before = bed->answers;
    int error = boards_top(bed->boards, BOARD_GOLD, 0, region, from, count, on_page, bed);
    if (error) return error;
    assert_true(store_fixture_await(&bed->stores, &bed->answers, before + 1));
    return bed->error;
}

static int read_place(struct bed *bed, const char *region, uint64_t player, int64_t score, uint32_t around) {
    unsigned before = bed->answers;
    int error = boards_place(bed->boards, BOARD_GOLD, 0, region, player, score, around, on_page, bed);
    if (error) return error;
    assert_true(store_fixture_await(&bed->stores, &bed->answers, before + 1));
    return bed->error;
}

static int read_around(struct bed *bed, const char *region, uint64_t player, uint32_t around) {
    unsigned before = bed->answers;
    int error = boards_around(bed->boards, BOARD_GOLD, 0, region, player, around, on_page, bed);
    if (error) return error;
    assert_true(store_fixture_await(&bed->stores, &bed->answers, before + 1));
    return bed->error;
}

/* await_boards runs until the boards can be read, for scores that the database does not take. */
static void await_boards(struct bed *bed) {
    for (int i = 0; i < 2000; i++) {
        if (!boards_stats_get(bed->boards).rebuilding && read_top(bed, NULL, 1, 1) == 0) return;
        store_fixture_run(&bed->stores, 5);
    }
    fail_msg("the boards do not come back");
}

static const char *region_of(uint64_t player) {
    return regions[player % 3];
}

/* raise_random raises scores, few of them equal, and the twin's with them. */
static void raise_random(struct bed *bed, unsigned rounds, unsigned *seed) {
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t player = 1 + (uint64_t)rand_r(seed) % PLAYERS;
        int64_t score = rand_r(seed) % 500;
        assert_int_equal(boards_raise(bed->boards, BOARD_GOLD, region_of(player), player, score), 0);
        struct board_entry *entry = &bed->twin[player - 1];
        if (entry->player == 0 || score > entry->score) *entry = (struct board_entry){.player = player, .score = score};
    }
}

static int compare(const void *x, const void *y) {
    const struct board_entry *a = x, *b = y;
    char s[24], t[24];
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    snprintf(s, sizeof s, "%" PRIu64, a->player);
    snprintf(t, sizeof t, "%" PRIu64, b->player);
    return -strcmp(s, t);
}

/* naive returns the twin's board of a region, or of all. */
static uint32_t naive(const struct bed *bed, const char *region, struct board_entry out[PLAYERS]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < PLAYERS; i++) {
        if (bed->twin[i].player == 0 || (region && strcmp(region_of(bed->twin[i].player), region) != 0)) continue;
        out[count++] = bed->twin[i];
    }
    qsort(out, count, sizeof *out, compare);
    for (uint32_t i = 0; i < count; i++) out[i].rank = i + 1;
    return count;
}

static void check_entries(const struct bed *bed, const struct board_entry *expected, uint32_t count) {
    assert_int_equal(bed->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(bed->entries[i].player, expected[i].player);
        assert_int_equal(bed->entries[i].score, expected[i].score);
        assert_int_equal(bed->entries[i].rank, expected[i].rank);
    }
}

/* check_all compares every region and all together with the twin. */
static void check_all(struct bed *bed) {
    struct board_entry expected[PLAYERS];
    for (unsigned i = 0; i < 4; i++) {
        const char *region = i < 3 ? regions[i] : NULL;
        uint32_t count = naive(bed, region, expected);
        assert_int_equal(read_top(bed, region, 1, 1000), 0);
        assert_int_equal(bed->total, count);
        check_entries(bed, expected, count);
    }
}

static void test_boards_tops_are_those_of_a_naive_twin(void **state) {
    (void)state;
    struct bed bed;
    struct board_entry expected[PLAYERS];
    unsigned seed = 5;
    bed_open(&bed, false);
    settle(&bed);
    assert_int_equal(read_top(&bed, NULL, 1, 10), 0);
    assert_int_equal(bed.count, 0);
    for (int round = 0; round < 5; round++) {
        raise_random(&bed, 400, &seed);
        settle(&bed);
        check_all(&bed);
    }
    uint32_t count = naive(&bed, "east", expected);
    assert_int_equal(read_top(&bed, "east", 11, 20), 0);
    check_entries(&bed, expected + 10, 20);
    assert_int_equal(read_top(&bed, "east", count, 20), 0);
    check_entries(&bed, expected + count - 1, 1);
    naive(&bed, NULL, expected);
    assert_int_equal(read_top(&bed, NULL, 91, 10), 0);
    check_entries(&bed, expected + 90, 10);
    assert_int_equal(read_top(&bed, "nowhere", 1, 10), 0);
    assert_int_equal(bed.count, 0);
    assert_int_equal(read_top(&bed, NULL, 1, 1001), MARCH_ERR_INVALID);
    assert_int_equal(read_top(&bed, NULL, 0, 10), MARCH_ERR_INVALID);
    assert_true(boards_stats_get(bed.boards).coalesced > 0);
    bed_close(&bed);
}

static void test_boards_ranks_and_neighbours(void **state) {
    (void)state;
    struct bed bed;
    struct board_entry expected[PLAYERS];
    unsigned seed = 7;
    bed_open(&bed, false);
    raise_random(&bed, 2000, &seed);
    settle(&bed);
    for (unsigned of = 0; of < 2; of++) {
        const char *region = of == 0 ? "main" : NULL;
        uint32_t count = naive(&bed, region, expected);
        for (uint32_t i = 0; i < count; i += 7) {
            assert_int_equal(read_around(&bed, region, expected[i].player, 3), 0);
            uint32_t first = i < 3 ? 0 : i - 3, last = i + 3 < count ? i + 3 : count - 1;
            check_entries(&bed, expected + first, last - first + 1);
            assert_int_equal(bed.self.rank, i + 1);
            assert_int_equal(bed.self.score, expected[i].score);
            assert_int_equal(bed.total, count);
        }
    }
    assert_int_equal(read_around(&bed, NULL, 100000, 3), MARCH_ERR_NOT_FOUND);
    assert_int_equal(read_around(&bed, "east", 3, 3), MARCH_ERR_NOT_FOUND); /* of another region */
    bed_close(&bed);
}

/* Players of elsewhere, many with the scores that are there, stand where they would if they were on the board. */
static void test_boards_place_is_that_of_a_player_who_was_there(void **state) {
    (void)state;
    struct bed bed;
    struct board_entry all[PLAYERS], with[PLAYERS + 1];
    unsigned seed = 9;
    bed_open(&bed, false);
    settle(&bed);
    assert_int_equal(read_place(&bed, NULL, 5, 3, 2), 0); /* nobody is there */
    assert_int_equal(bed.self.rank, 1);
    assert_int_equal(bed.total, 0);
    assert_int_equal(bed.count, 1);
    raise_random(&bed, 2000, &seed);
    settle(&bed);
    for (unsigned round = 0; round < 100; round++) {
        const char *region = round % 4 < 3 ? regions[round % 4] : NULL;
        uint32_t count = naive(&bed, region, all), at = 0, around = round % 5;
        const struct board_entry own = {.player = PLAYERS + 1 + (uint64_t)rand_r(&seed) % 5000,
                                        .score =
                                            round % 3 ? all[(uint32_t)rand_r(&seed) % count].score : rand_r(&seed) % 510};
        memcpy(with, all, count * sizeof *all);
        with[count] = own;
        qsort(with, count + 1, sizeof *with, compare);
        for (uint32_t i = 0; i <= count; i++) with[i].rank = i + 1;
        while (with[at].player != own.player) at++;
        assert_int_equal(read_place(&bed, region, own.player, own.score, around), 0);
        assert_int_equal(bed.self.rank, at + 1);
        assert_int_equal(bed.total, count);
        uint32_t first = at < around ? 0 : at - around, last = at + around < count ? at + around : count;
        check_entries(&bed, with + first, last - first + 1);
    }
    assert_int_equal(read_place(&bed, NULL, 5000, -1, 2), MARCH_ERR_INVALID);
    assert_int_equal(read_place(&bed, NULL, 5000, BOARDS_SCORE_MAX + 1, 2), MARCH_ERR_INVALID);
    assert_int_equal(read_place(&bed, NULL, 5000, 1, BOARDS_AROUND_MAX + 1), MARCH_ERR_INVALID);
    bed_close(&bed);
}

/* Players are dealt to lists at random, which have those who are near, as shards give them. */
static void test_boards_nearest_of_lists(void **state) {
    (void)state;
    enum { LISTS = 5 };
    struct board_entry all[PLAYERS], parts[LISTS][PLAYERS], out[2 * BOARDS_AROUND_MAX + 1];
    unsigned seed = 21;
    for (unsigned round = 0; round < 200; round++) {
        uint32_t total = 1 + (uint32_t)rand_r(&seed) % PLAYERS, at = (uint32_t)rand_r(&seed) % total, around = round % 8;
        for (uint32_t i = 0; i < total; i++) all[i] = (struct board_entry){i + 1, rand_r(&seed) % 20, 0};
        qsort(all, total, sizeof *all, compare);
        for (uint32_t i = 0; i < total; i++) all[i].rank = i + 1;
        const struct board_entry *lists[LISTS];
        uint32_t counts[LISTS] = {0}, before[LISTS] = {0};
        for (uint32_t i = 0; i < total; i++) {
            uint32_t list = (uint32_t)rand_r(&seed) % LISTS;
            if (i < at) before[list]++;
            parts[list][counts[list]++] = all[i];
        }
        for (uint32_t i = 0; i < LISTS; i++) {
            uint32_t skip = before[i] > around ? before[i] - around : 0, end = before[i] + around + 1;
            counts[i] = (counts[i] < end ? counts[i] : end) - skip;
            lists[i] = parts[i] + skip;
        }
        uint32_t first = at < around ? 0 : at - around, last = at + around < total ? at + around : total - 1;
        assert_int_equal(boards_nearest(lists, counts, LISTS, &all[at], around, out), last - first + 1);
        for (uint32_t i = 0; i <= last - first; i++) {
            assert_int_equal(out[i].player, all[first + i].player);
            assert_int_equal(out[i].rank, all[first + i].rank);
        }
    }
    const struct board_entry a[] = {{1, 50, 0}, {7, 30, 0}, {2, 20, 0}}, b[] = {{1, 40, 0}, {2, 10, 0}, {7, 5, 0}};
    const struct board_entry *lists[] = {a, b};
    const struct board_entry self = {7, 30, 3};
    assert_int_equal(boards_nearest(lists, (const uint32_t[]){3, 3}, 2, &self, 4, out), 3); /* nobody twice */
    static const uint64_t expected[] = {1, 7, 2}, ranks[] = {2, 3, 4};
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(out[i].player, expected[i]);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(out[i].rank, ranks[i]);
}

static void test_boards_merge_of_lists(void **state) {
    (void)state;
    const struct board_entry a[] = {{1, 50, 0}, {2, 30, 0}, {3, 30, 0}}, b[] = {{9, 40, 0}, {10, 30, 0}, {2, 20, 0}};
    const struct board_entry *lists[] = {a, b, NULL};
    const uint32_t counts[] = {3, 3, 0};
    struct board_entry out[8];
    static const uint64_t expected[] = {1, 9, 2, 3, 10}; /* of 2 the better line; ties by text, descending */
    assert_int_equal(boards_merge(lists, counts, 3, out, 8), 5);
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(out[i].player, expected[i]);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(out[i].rank, i + 1);
    assert_int_equal(boards_merge(lists, counts, 3, out, 2), 2);
    assert_int_equal(boards_merge(lists, counts, 0, out, 2), 0);
}

static void test_boards_scores_only_rise_and_are_judged(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, true);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "main", 3, 100), 0);
    settle(&bed);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "main", 3, 50), 0);
    settle(&bed);
    assert_int_equal(read_around(&bed, "main", 3, 0), 0);
    assert_int_equal(bed.self.score, 100);
    assert_int_equal(
        pg_fixture_number(&bed.stores.pg_server, "select score from scores where board = 'gold' and season = 3"), 100);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "main", 3, BOARDS_SCORE_MAX), 0);
    settle(&bed);
    assert_int_equal(read_around(&bed, "main", 3, 0), 0);
    assert_true(bed.self.score == BOARDS_SCORE_MAX);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "main", 3, BOARDS_SCORE_MAX + 1), MARCH_ERR_INVALID);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "main", 3, -1), MARCH_ERR_INVALID);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "main", 0, 1), MARCH_ERR_INVALID);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "a region", 3, 1), MARCH_ERR_INVALID);
    assert_int_equal(boards_raise(bed.boards, BOARD_GOLD, "", 3, 1), MARCH_ERR_INVALID);
    char region[24];
    int error = 0;
    for (int i = 0; i < BOARDS_REGIONS_MAX && error == 0; i++) {
        snprintf(region, sizeof region, "region-%d", i);
        error = boards_raise(bed.boards, BOARD_GOLD, region, 4, i);
    }
    assert_int_equal(error, MARCH_ERR_FULL);
    bed_close(&bed);
}

/* Redis is killed again and again while scores rise: what was raised is all there in the end, from PostgreSQL. */
static void test_boards_are_rebuilt_when_redis_was_lost(void **state) {
    (void)state;
    struct bed bed;
    unsigned seed = 11;
    bed_open(&bed, true);
    raise_random(&bed, 500, &seed);
    settle(&bed);
    for (unsigned round = 0; round < 5; round++) {
        raise_random(&bed, 200, &seed);
        store_fixture_run(&bed.stores, round * 7); /* some are in flight, some in one store only */
        store_fixture_lose_redis(&bed.stores);
        assert_int_equal(read_top(&bed, NULL, 1, 10), MARCH_ERR_UNAVAILABLE);
        raise_random(&bed, 50, &seed);
        store_fixture_restore_redis(&bed.stores);
        for (unsigned i = 0; i < 10; i++) {
            raise_random(&bed, 20, &seed); /* while it is rebuilt */
            store_fixture_run(&bed.stores, i);
        }
        settle(&bed);
        check_all(&bed);
    }
    assert_true(boards_stats_get(bed.boards).rebuilds >= 5);
    assert_int_equal(redis_fixture_number(&bed.stores.redis_server, "EXISTS march:board:gold:3:main:0:new"), 0);
    bed_close(&bed);
}

/* A connection that was cut costs nothing: the same Redis has what it had, and what it did not answer is sent again. */
static void test_boards_same_redis_is_not_rebuilt(void **state) {
    (void)state;
    struct bed bed;
    unsigned seed = 13;
    bed_open(&bed, true);
    settle(&bed);
    uint64_t rebuilds = boards_stats_get(bed.boards).rebuilds;
    for (unsigned round = 0; round < 10; round++) {
        raise_random(&bed, 300, &seed);
        boards_flush(bed.boards);
        if (round % 2) ev_run(bed.stores.loop, EVRUN_NOWAIT);
        redis_fixture_do(&bed.stores.redis_server, "CLIENT KILL TYPE normal");
        store_fixture_run(&bed.stores, 5);
    }
    settle(&bed);
    await_boards(&bed); /* all may have been stored before the last cut */
    check_all(&bed);
    assert_int_equal(boards_stats_get(bed.boards).rebuilds, rebuilds);
    redis_close(bed.stores.redis); /* a persist that starts anew finds regions and boards as they are */
    boards_close(bed.boards);
    struct redis_config config = {.address = bed.stores.redis_server.uri, .seed = 2};
    assert_int_equal(redis_open(&bed.stores.redis, bed.stores.loop, &config), 0);
    assert_int_equal(redis_ready_within(bed.stores.redis, 10000), 0);
    start_boards(&bed);
    settle(&bed);
    check_all(&bed);
    assert_int_equal(boards_stats_get(bed.boards).rebuilds, 0);
    bed_close(&bed);
}

/* Scores that the database has not taken are in no page of a rebuild: memory brings them. A fence refuses writes only. */
static void test_boards_rebuild_brings_what_the_database_lacks(void **state) {
    (void)state;
    struct bed bed = {0};
    unsigned seed = 23;
    store_fixture_open(&bed.stores, true);
    bed.stores.shard_epoch += 1000;
    start_boards(&bed);
    raise_random(&bed, 300, &seed);
    while (boards_stats_get(bed.boards).redis_scores < 100) store_fixture_run(&bed.stores, 5);
    await_boards(&bed);
    store_fixture_run(&bed.stores, 100);
    check_all(&bed);
    store_fixture_lose_redis(&bed.stores);
    store_fixture_restore_redis(&bed.stores);
    await_boards(&bed);
    store_fixture_run(&bed.stores, 100);
    check_all(&bed);
    assert_int_equal(pg_fixture_number(&bed.stores.pg_server, "select count(*) from scores"), 0);
    bed_close(&bed);
}

static void test_boards_emptied_redis_is_noticed(void **state) {
    (void)state;
    struct bed bed;
    unsigned seed = 19;
    bed_open(&bed, true);
    raise_random(&bed, 300, &seed);
    settle(&bed);
    uint64_t rebuilds = boards_stats_get(bed.boards).rebuilds;
    redis_fixture_do(&bed.stores.redis_server, "FLUSHALL");
    while (boards_stats_get(bed.boards).rebuilds == rebuilds) store_fixture_run(&bed.stores, 5);
    settle(&bed);
    check_all(&bed);
    bed_close(&bed);
}

static void test_boards_wait_for_a_database_that_is_away(void **state) {
    (void)state;
    struct bed bed;
    unsigned seed = 17;
    bed_open(&bed, true);
    settle(&bed);
    pg_fixture_stop(&bed.stores.pg_server);
    raise_random(&bed, 300, &seed);
    store_fixture_run(&bed.stores, 300);
    check_all(&bed); /* Redis has them */
    assert_true(boards_stats_get(bed.boards).pending > 0);
    store_fixture_lose_redis(&bed.stores);
    store_fixture_restore_redis(&bed.stores);
    store_fixture_run(&bed.stores, 100);
    pg_fixture_start(&bed.stores.pg_server);
    settle(&bed);
    check_all(&bed);
    assert_int_equal(pg_fixture_number(&bed.stores.pg_server, "select count(*) from scores"), bed.total);
    bed_close(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boards_tops_are_those_of_a_naive_twin),
        cmocka_unit_test(test_boards_ranks_and_neighbours),
        cmocka_unit_test(test_boards_place_is_that_of_a_player_who_was_there),
        cmocka_unit_test(test_boards_merge_of_lists),
        cmocka_unit_test(test_boards_nearest_of_lists),
        cmocka_unit_test(test_boards_scores_only_rise_and_are_judged),
        cmocka_unit_test(test_boards_are_rebuilt_when_redis_was_lost),
        cmocka_unit_test(test_boards_same_redis_is_not_rebuilt),
        cmocka_unit_test(test_boards_rebuild_brings_what_the_database_lacks),
        cmocka_unit_test(test_boards_emptied_redis_is_noticed),
        cmocka_unit_test(test_boards_wait_for_a_database_that_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
