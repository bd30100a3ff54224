/* bench_journal: motion through the journal on one core.
 *
 *   bench_journal [SECONDS [IN_FLIGHT]]
 *
 * 50,000 players of 16 zones, each zone reporting its players four times a second: 200,000 updates/s in 64 reports, evenly
 * spread. First as fast as it goes, for SECONDS. Then at that pace: from the first append of a report until all of it is
 * durable, against write and fdatasync of the same bytes (the journal's blocks as stored) to a file of its own, at the same
 * pace, alone: the two take turns of half a second, so that a disk that changes its mood does so to both. In the current
 * folder, which should lie on the disk that is meant. One JSON object.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/check.h"
#include "persist/journal.h"
#include "persist/motion.h"

#define ZONES         16
#define ZONE_PLAYERS  3125
#define REPORT_HZ     4
#define REPORT_GAP_NS (NS_PER_S / (ZONES * REPORT_HZ))
#define TURN_REPORTS  (ZONES * REPORT_HZ / 2)
#define SAMPLES_MAX   65536

struct bench {
    char dir[32], journal_dir[48];
    struct journal *journal;
    struct wire_player_state players[ZONES][ZONE_PLAYERS];
    uint64_t rng, tick;
    size_t stored[SAMPLES_MAX]; /* bytes that the journal wrote for each report of the paced part */
    double journal_ms[SAMPLES_MAX], floor_ms[SAMPLES_MAX];
    unsigned count;
};

static uint32_t rng_next(struct bench *b) {
    b->rng ^= b->rng << 13, b->rng ^= b->rng >> 7, b->rng ^= b->rng << 17;
    return (uint32_t)(b->rng >> 16);
}

static void players_init(struct bench *b) {
    b->rng = 88172645463325252;
    for (unsigned zone = 0; zone < ZONES; zone++) {
        for (unsigned i = 0; i < ZONE_PLAYERS; i++) {
            b->players[zone][i] = (struct wire_player_state){.player = 1 + rng_next(b) % 1000000,
                                                             .session_epoch = 1790000000000 + rng_next(b) % 3600000,
                                                             .x = (int32_t)(rng_next(b) % (1000 << 16)),
                                                             .y = (int32_t)(rng_next(b) % (1000 << 16)),
                                                             .experience = rng_next(b) % 100000,
                                                             .level = (uint16_t)(1 + rng_next(b) % 20),
                                                             .hit_points = 100};
        }
    }
}

/* players_move does what a quarter of a second of play does: nearly all walk, some turn, some are hit or learn. */
static void players_move(struct bench *b, unsigned zone) {
    for (unsigned i = 0; i < ZONE_PLAYERS; i++) {
        struct wire_player_state *player = &b->players[zone][i];
        player->tick = b->tick;
        player->x += (int32_t)(rng_next(b) % 131072) - 65536;
        player->y += (int32_t)(rng_next(b) % 131072) - 65536;
        uint32_t chance = rng_next(b);
        if (chance % 4 == 0) player->yaw = (uint16_t)(chance >> 8);
        if (chance % 16 == 1) player->hit_points = (uint16_t)(chance >> 8 & 127);
        if (chance % 32 == 2) player->experience += 10;
    }
    b->tick++;
}

static uint64_t cpu_ns(void) {
    struct rusage use;
    getrusage(RUSAGE_THREAD, &use);
    return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * NS_PER_S +
           (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * NS_PER_US;
}

static int no_record(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    (void)ctx, (void)position, (void)type, (void)bytes, (void)len;
    return 0;
}

static void open_all(struct bench *b, unsigned in_flight) {
    snprintf(b->dir, sizeof b->dir, "bench_journal.XXXXXX");
    CHECK(mkdtemp(b->dir) != NULL);
    snprintf(b->journal_dir, sizeof b->journal_dir, "%s/journal", b->dir);
    struct journal_config config = {
        .dir = b->journal_dir, .segment_bytes = 64 << 20, .bytes_max = 1 << 30, .in_flight_max = in_flight};
    char error[JOURNAL_ERROR_BYTES];
    int result = journal_open(&config, &b->journal, error, sizeof error);
    if (!result) result = journal_recover(b->journal, 0, no_record, NULL, error, sizeof error);
    if (result) fprintf(stderr, "%s\n", error);
    CHECK(result == 0);
}

static void close_all(struct bench *b) {
    journal_close(b->journal);
    DIR *entries = opendir(b->journal_dir);
    CHECK(entries != NULL);
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        if (entry->d_name[0] != '.') CHECK(unlinkat(dirfd(entries), entry->d_name, 0) == 0);
    }
    closedir(entries);
    CHECK(rmdir(b->journal_dir) == 0 && rmdir(b->dir) == 0);
}

/* turn lets the journal work until `until`, or until it has something new when that is sooner. */
static void turn(struct bench *b, struct mono until) {
    uint64_t left = mono_since_ns(until, mono_now());
    struct timespec patience = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
    struct pollfd poll = {.fd = journal_fd(b->journal), .events = POLLIN};
    (void)ppoll(&poll, 1, &patience, NULL);
    journal_update(b->journal, mono_now());
    journal_release(b->journal, journal_durable(b->journal));
}

/* append_report appends a zone's report; what does not fit now waits for the disk. */
static uint64_t append_report(struct bench *b, unsigned zone) {
    uint64_t position = 0;
    for (unsigned i = 0; i < ZONE_PLAYERS; i++) {
        while (journal_append(b->journal, MOTION_RECORD, &b->players[zone][i], sizeof b->players[zone][i], &position) != 0)
            turn(b, mono_add_ms(mono_now(), 100));
    }
    return position;
}

/* --- as fast as it goes */

static void run_flat_out(struct bench *b, unsigned seconds) {
    struct mono begin = mono_now(), end = mono_add_ms(begin, seconds * 1000);
    uint64_t cpu = cpu_ns(), moving = 0, before = journal_durable(b->journal);
    for (unsigned zone = 0; mono_since_ns(end, mono_now()) > 0; zone = (zone + 1) % ZONES) {
        uint64_t start = cpu_ns();
        players_move(b, zone);
        moving += cpu_ns() - start;
        append_report(b, zone);
        journal_update(b->journal, mono_now());
        journal_release(b->journal, journal_durable(b->journal));
    }
    CHECK(journal_wait(b->journal) == 0);
    double elapsed_s = (double)mono_since_ns(mono_now(), begin) / 1e9;
    double updates = (double)(journal_durable(b->journal) - before);
    struct journal_stats stats = journal_stats_get(b->journal);
    printf("{\"updates_per_s\":%.0f,\"cpu_us_per_update\":%.3f,\"stored_bytes_per_update\":%.1f,\"stalls\":%llu,",
           updates / elapsed_s, (double)(cpu_ns() - cpu - moving) / updates / 1e3, (double)stats.stored_bytes / updates,
           (unsigned long long)stats.stalls);
}

/* --- at the pace of the players */

static void run_journal(struct bench *b) {
    struct mono due = mono_now();
    for (unsigned i = 0; i < TURN_REPORTS; i++) {
        players_move(b, i % ZONES);
        while (mono_since_ns(due, mono_now()) > 0) turn(b, due);
        uint64_t stored = journal_stats_get(b->journal).stored_bytes;
        struct mono begin = mono_now();
        uint64_t position = append_report(b, i % ZONES);
        journal_update(b->journal, mono_now());
        while (journal_durable(b->journal) < position) turn(b, mono_add_ms(mono_now(), 100));
        b->journal_ms[b->count + i] = (double)mono_since_ns(mono_now(), begin) / 1e6;
        b->stored[b->count + i] = journal_stats_get(b->journal).stored_bytes - stored;
        due = mono_add_ns(due, REPORT_GAP_NS);
    }
}

static void run_floor(struct bench *b, int fd, const uint8_t *noise) {
    struct mono due = mono_now();
    for (unsigned i = 0; i < TURN_REPORTS; i++) {
        uint64_t left = mono_since_ns(due, mono_now());
        struct timespec gap = {.tv_nsec = (long)left};
        nanosleep(&gap, NULL);
        struct mono begin = mono_now();
        CHECK(write(fd, noise, b->stored[b->count + i]) == (ssize_t)b->stored[b->count + i] && fdatasync(fd) == 0);
        b->floor_ms[b->count + i] = (double)mono_since_ns(mono_now(), begin) / 1e6;
        due = mono_add_ns(due, REPORT_GAP_NS);
    }
}

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double quantile(double *values, unsigned count, double q) {
    qsort(values, count, sizeof *values, by_value);
    return values[(unsigned)((double)(count - 1) * q)];
}

static void run_paced(struct bench *b, unsigned seconds) {
    static uint8_t noise[1 << 20];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)rng_next(b);
    char path[64];
    snprintf(path, sizeof path, "%s/floor", b->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    uint64_t cpu = 0;
    for (unsigned i = 0; i < 2 * seconds && b->count + TURN_REPORTS <= SAMPLES_MAX; i++) {
        uint64_t start = cpu_ns();
        run_journal(b);
        cpu += cpu_ns() - start;
        run_floor(b, fd, noise);
        b->count += TURN_REPORTS;
    }
    close(fd);
    unlink(path);
    double ours = quantile(b->journal_ms, b->count, 0.99), bare = quantile(b->floor_ms, b->count, 0.99);
    printf("\"paced_updates_per_s\":%d,\"reports\":%u,\"cpu_share\":%.3f,\"durable_p50_ms\":%.3f,\"durable_p99_ms\":%.3f,"
           "\"floor_p50_ms\":%.3f,\"floor_p99_ms\":%.3f,\"p99_ratio\":%.3f}\n",
           ZONES * ZONE_PLAYERS * REPORT_HZ, b->count, (double)cpu / 1e9 / (b->count / (double)(ZONES * REPORT_HZ)),
           quantile(b->journal_ms, b->count, 0.5), ours, quantile(b->floor_ms, b->count, 0.5), bare, ours / bare);
}

int main(int argc, char **argv) {
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
    unsigned in_flight = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    if (seconds == 0 || seconds > 300) return 2;
    struct bench *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    players_init(b);
    open_all(b, in_flight);
    run_flat_out(b, seconds);
    run_paced(b, seconds);
    close_all(b);
    free(b);
    return 0;
}
