/* test_static_world.c: the part of a map that a zone has: what it is told of its own rectangles is all that stands there,
 * and a border that moves reads and frees what differs, no more. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/unit/map_fixture.h"
#include "zone/static_world.h"

#define BOXES   4000
#define REACH_M 1000
#define MARGIN  M(40)
#define WAIT_MS 20000

static struct map_fixture f;
static struct static_world *world;
static struct map_box boxes[BOXES], found[2 * BOXES];
static struct map_file file; /* the naive twin reads all of it */
static uint64_t version;

static int set_up(void **state) {
    (void)state;
    struct rng rng = {11};
    map_fixture_init(&f);
    for (uint32_t i = 0; i < BOXES; i++) boxes[i] = map_fixture_box(&rng, REACH_M);
    if (map_fixture_pack(&f, boxes, BOXES) != 0 || map_fixture_open(&f, &file) != 0) return -1;
    version = 0;
    return static_world_open(&world, f.path, MARGIN, f.error, sizeof f.error);
}

static int tear_down(void **state) {
    (void)state;
    static_world_close(world);
    map_file_close(&file);
    map_fixture_deinit(&f);
    return 0;
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void ask(struct territory *t, const struct wire_rect *rects, uint32_t count) {
    version++;
    struct directory d = {.version = version, .partition_count = count};
    for (uint32_t i = 0; i < count; i++)
        d.partitions[i] = (struct wire_directory_partition){
            .id = i, .rect = rects[i], .owner = i % 2 ? 9 : 3, .former = i % 2 ? 3 : WIRE_SLOT_NONE};
    territory_set(t, &d, 3);
    (void)static_world_follow(world, t);
}

/* settle follows the territory until all is there. */
static void settle(const struct territory *t) {
    for (int i = 0; i < WAIT_MS && !static_world_is_settled(world); i++) {
        (void)static_world_follow(world, t);
        if (!static_world_is_settled(world)) pause_ms(1);
    }
    assert_true(static_world_is_settled(world));
}

static void follow(struct territory *t, const struct wire_rect *rects, uint32_t count) {
    ask(t, rects, count);
    settle(t);
}

static bool touches(const struct map_box *box, const struct grid_rect *r) {
    return box->x_min < r->x_max && box->x_max > r->x_min && box->y_min < r->y_max && box->y_max > r->y_min;
}

static int compare(const void *a, const void *b) {
    return map_box_compare(a, b);
}

/* expect_boxes compares what the world says of a rectangle with a walk over the whole list, which is in order. */
static void expect_boxes(struct grid_rect rect) {
    uint32_t count = static_world_boxes(world, rect, found, 2 * BOXES), at = 0;
    qsort(found, count, sizeof *found, compare);
    for (uint32_t i = 0; i < BOXES; i++) {
        if (!touches(&boxes[i], &rect)) continue;
        if (at >= count || map_box_compare(&found[at], &boxes[i]) != 0) fail_msg("box %u is missing, or there twice", i);
        at++;
    }
    assert_int_equal(at, count);
}

static bool is_near(uint32_t chunk, const struct wire_rect *rects, uint32_t count) {
    int32_t x = ((int32_t)map_column(chunk) - 512) * 64, y = ((int32_t)map_row(chunk) - 512) * 64;
    for (uint32_t i = 0; i < count; i++)
        if (x < rects[i].max_x + 40 && x + 64 > rects[i].min_x - 40 && y < rects[i].max_y + 40 &&
            y + 64 > rects[i].min_y - 40)
            return true;
    return false;
}

/* expect_chunks compares the sums with a walk over the whole index; returns how many chunks are needed. */
static uint32_t expect_chunks(const struct wire_rect *rects, uint32_t count) {
    uint32_t chunks = 0;
    uint64_t stored = 0;
    for (uint32_t i = 0; i < file.header.chunk_count; i++) {
        if (!is_near(file.entries[i].chunk, rects, count)) continue;
        chunks++;
        stored += file.entries[i].count;
    }
    const struct static_world_stats *stats = static_world_stats(world);
    assert_int_equal(stats->chunks, chunks);
    assert_int_equal(stats->boxes, stored);
    assert_int_equal(stats->chunks_read - stats->chunks_freed, chunks);
    assert_int_equal(stats->chunks_failed, 0);
    return chunks;
}

static void test_static_world_boxes_of_a_rectangle_are_those_of_a_walk_over_all(void **state) {
    (void)state;
    struct territory t = {0};
    struct rng rng = {5};
    for (int round = 0; round < 10; round++) {
        struct wire_rect rects[3];
        for (int i = 0; i < 3; i++) {
            int32_t x = rng_between(&rng, -REACH_M, REACH_M - 300), y = rng_between(&rng, -REACH_M, REACH_M - 300);
            rects[i] = (struct wire_rect){x, y, x + rng_between(&rng, 1, 300), y + rng_between(&rng, 1, 300)};
        }
        follow(&t, rects, 3);
        (void)expect_chunks(rects, 3);
        for (int i = 0; i < 30; i++) { /* within what is needed */
            const struct wire_rect *r = &rects[i % 3];
            int32_t x = rng_between(&rng, M(r->min_x - 40), M(r->max_x + 40) - 1),
                    y = rng_between(&rng, M(r->min_y - 40), M(r->max_y + 40) - 1);
            expect_boxes((struct grid_rect){x, y, rng_between(&rng, x + 1, M(r->max_x + 40)),
                                            rng_between(&rng, y + 1, M(r->max_y + 40))});
        }
    }
}

static void test_static_world_border_that_moves_reads_and_frees_what_differs(void **state) {
    (void)state;
    struct territory t = {0};
    const struct static_world_stats *stats = static_world_stats(world);
    struct wire_rect whole = {-512, -512, 512, 512}, half = {-512, -512, 0, 512}, none[1] = {{0}};
    follow(&t, &whole, 1);
    uint32_t all = expect_chunks(&whole, 1);
    assert_int_equal(stats->chunks_read, all);
    follow(&t, &half, 1); /* split: nothing is read */
    uint32_t kept = expect_chunks(&half, 1);
    assert_true(kept < all);
    assert_int_equal(stats->chunks_read, all);
    assert_int_equal(stats->chunks_freed, all - kept);
    expect_boxes((struct grid_rect){M(-512), M(-512), 0, M(512)});
    follow(&t, &whole, 1); /* merged: the other half is read, and no more */
    assert_int_equal(stats->chunks_read, all + (all - kept));
    expect_boxes((struct grid_rect){M(-512), M(-512), M(512), M(512)});
    follow(&t, none, 0); /* drained */
    assert_int_equal(stats->chunks, 0);
    assert_int_equal(stats->boxes, 0);
    assert_int_equal(static_world_boxes(world, (struct grid_rect){M(-512), M(-512), M(512), M(512)}, found, 1), 0);
}

static void test_static_world_same_version_asks_for_nothing(void **state) {
    (void)state;
    struct territory t = {0};
    struct wire_rect rect = {0, 0, 100, 100};
    assert_true(static_world_is_settled(world));
    follow(&t, &rect, 1);
    uint64_t read = static_world_stats(world)->chunks_read;
    for (int i = 0; i < 100; i++) assert_false(static_world_follow(world, &t));
    assert_true(static_world_is_settled(world));
    assert_int_equal(static_world_stats(world)->chunks_read, read);
}

/* Directories may come faster than parts are read; the last one counts. Each shares most with the one before. */
static void test_static_world_newest_of_many_territories_is_what_is_there(void **state) {
    (void)state;
    struct territory t = {0};
    struct rng rng = {3};
    struct wire_rect rect = {0, 0, 1, 1};
    for (int i = 0; i < 3000; i++) {
        int32_t x = rng_between(&rng, -400, 0), y = rng_between(&rng, -400, 0);
        rect = (struct wire_rect){x, y, x + 400, y + 400};
        ask(&t, &rect, 1);
        if (i % 500 == 0) settle(&t);
        for (int wait = rng_between(&rng, 0, 3); wait > 0; wait--) sched_yield();
    }
    settle(&t);
    (void)expect_chunks(&rect, 1);
    expect_boxes((struct grid_rect){M(rect.min_x), M(rect.min_y), M(rect.max_x), M(rect.max_y)});
}

static void test_static_world_stores_no_more_than_there_is_room_for(void **state) {
    (void)state;
    struct territory t = {0};
    struct wire_rect rect = {-300, -300, 300, 300};
    struct grid_rect all = {M(-300), M(-300), M(300), M(300)};
    follow(&t, &rect, 1);
    uint32_t count = static_world_boxes(world, all, found, 2 * BOXES);
    assert_true(count > 10);
    struct map_box first[11];
    memset(&first[10], 0x5a, sizeof first[10]);
    assert_int_equal(static_world_boxes(world, all, first, 10), count);
    assert_memory_equal(first, found, 10 * sizeof first[0]);
    assert_int_equal(first[10].x_min, 0x5a5a5a5a);
    assert_int_equal(static_world_boxes(world, all, NULL, 0), count);
    assert_int_equal(static_world_boxes(world, (struct grid_rect){0, 0, 0, 0}, NULL, 0), 0);
}

static void test_static_world_file_with_another_in_its_place_is_read_on(void **state) {
    (void)state;
    struct territory t = {0};
    struct wire_rect rect = {-300, -300, 300, 300};
    assert_int_equal(file_write(f.path, "none", 4, 0600, f.error, sizeof f.error), 0);
    follow(&t, &rect, 1);
    (void)expect_chunks(&rect, 1);
}

static void test_static_world_chunk_changed_in_place_is_left_out_and_read_when_it_is_mended(void **state) {
    (void)state;
    struct territory t = {0};
    struct wire_rect rect = {-300, -300, 300, 300};
    const struct static_world_stats *stats = static_world_stats(world);
    uint32_t index = 0;
    while (!is_near(file.entries[index].chunk, &rect, 1)) index++;
    size_t offset = map_boxes_offset(&file.header, file.entries[index].first);
    FILE *out = fopen(f.path, "r+");
    assert_true(out && fseek(out, (long)offset, SEEK_SET) == 0 && fputc(f.bytes[offset] ^ 1, out) != EOF &&
                fflush(out) == 0);
    follow(&t, &rect, 1);
    assert_int_equal(stats->chunks_failed, 1);
    uint32_t chunks = stats->chunks;
    assert_true(fseek(out, (long)offset, SEEK_SET) == 0 && fputc(f.bytes[offset], out) != EOF && fclose(out) == 0);
    follow(&t, &rect, 1);
    assert_int_equal(stats->chunks_failed, 1);
    assert_int_equal(stats->chunks, chunks + 1);
    expect_boxes((struct grid_rect){M(-300), M(-300), M(300), M(300)});
}

static void test_static_world_file_that_is_cut_while_it_is_open_ends_nobody(void **state) {
    (void)state;
    struct territory t = {0};
    struct wire_rect rect = {-REACH_M, -REACH_M, REACH_M, REACH_M};
    assert_int_equal(truncate(f.path, (off_t)map_boxes_offset(&file.header, file.header.stored_count / 2)), 0);
    follow(&t, &rect, 1);
    const struct static_world_stats *stats = static_world_stats(world);
    assert_true(stats->chunks > 0 && stats->chunks_failed > 0);
    assert_int_equal(stats->chunks + stats->chunks_failed, file.header.chunk_count);
}

static void test_static_world_broken_file_is_not_opened(void **state) {
    (void)state;
    struct static_world *other;
    f.bytes[f.len - 1] ^= 1;
    map_fixture_put(&f, f.bytes, f.len);
    assert_int_equal(static_world_open(&other, f.path, MARGIN, f.error, sizeof f.error), MARCH_ERR_INVALID);
    assert_null(other);
    assert_non_null(strstr(f.error, "world.map: offset "));
    assert_int_equal(static_world_open(&other, f.dir, MARGIN, f.error, sizeof f.error), MARCH_ERR_SYSTEM);
}

static void test_static_world_closes_while_much_is_asked_for(void **state) {
    (void)state;
    struct territory t = {0};
    struct wire_rect rect = {-REACH_M, -REACH_M, REACH_M, REACH_M};
    for (int i = 0; i < 30; i++) {
        struct static_world *kept = world;
        assert_int_equal(static_world_open(&world, f.path, MARGIN, f.error, sizeof f.error), 0);
        ask(&t, &rect, 1);
        for (int n = 0; n < i; n++) (void)static_world_follow(world, &t);
        rect.max_x -= 10;
        ask(&t, &rect, 1);
        static_world_close(world);
        world = kept;
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_static_world_boxes_of_a_rectangle_are_those_of_a_walk_over_all),
        CASE(test_static_world_border_that_moves_reads_and_frees_what_differs),
        CASE(test_static_world_same_version_asks_for_nothing),
        CASE(test_static_world_newest_of_many_territories_is_what_is_there),
        CASE(test_static_world_stores_no_more_than_there_is_room_for),
        CASE(test_static_world_file_with_another_in_its_place_is_read_on),
        CASE(test_static_world_chunk_changed_in_place_is_left_out_and_read_when_it_is_mended),
        CASE(test_static_world_file_that_is_cut_while_it_is_open_ends_nobody),
        CASE(test_static_world_broken_file_is_not_opened),
        CASE(test_static_world_closes_while_much_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
