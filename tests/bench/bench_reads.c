/* bench_reads: what reads (persist/reads.h) take: against a private PostgreSQL, in the loop's own process.
 *
 * One line a figure, `name value unit`: an inventory of ITEMS items from the cache; one that must be loaded, one at a time;
 * a profile of many that are asked for together; and an inventory from the cache over HTTP, a connection kept.
 */
#include <arpa/inet.h>
#include <ev.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/histogram.h"
#include "common/log.h"
#include "persist/http_api.h"
#include "persist/pg.h"
#include "persist/reads.h"
#include "tests/unit/pg_fixture.h"

#define PLAYERS 4000 /* who ask at once: fewer than READS_ASKED_MAX */
#define ITEMS   20
#define CACHED  200000
#define ASKED   20000

struct bench {
    struct ev_loop *loop;
    struct reads *reads;
    struct addr http;
    struct histogram times;
    struct mono sent_at;
    uint64_t player;
    unsigned left;
    ev_async done;
};

static void ask_inventory(struct bench *b);

static void on_inventory(void *ctx, int error, const struct reads_inventory *inventory, struct reads_meta meta) {
    struct bench *b = ctx;
    (void)meta;
    CHECK(error == 0 && inventory->item_count == ITEMS);
    histogram_record(&b->times, mono_since_ns(mono_now(), b->sent_at));
}

static void on_loaded(void *ctx, int error, const struct reads_inventory *inventory, struct reads_meta meta) {
    struct bench *b = ctx;
    on_inventory(b, error, inventory, meta);
    if (--b->left == 0) {
        ev_break(b->loop, EVBREAK_ALL);
    } else {
        ask_inventory(b);
    }
}

static void ask_inventory(struct bench *b) {
    b->sent_at = mono_now();
    reads_inventory(b->reads, ++b->player, on_loaded, b);
}

static void on_profiles(void *ctx, const struct reads_profile_result *results, uint32_t count) {
    struct bench *b = ctx;
    CHECK(count == READS_PROFILES_MAX && results[0].error == 0);
    if (--b->left == 0) ev_break(b->loop, EVBREAK_ALL);
}

static double bench_profiles(struct bench *b) {
    uint64_t players[READS_PROFILES_MAX];
    struct mono begin = mono_now();
    b->left = PLAYERS / READS_PROFILES_MAX;
    for (uint64_t first = 1; first < PLAYERS; first += READS_PROFILES_MAX) {
        for (uint64_t i = 0; i < READS_PROFILES_MAX; i++) players[i] = first + i;
        reads_profiles(b->reads, players, READS_PROFILES_MAX, false, on_profiles, b);
    }
    if (b->left > 0) ev_run(b->loop, 0);
    return PLAYERS * 1e9 / (double)mono_since_ns(mono_now(), begin);
}

/* read_answer reads one answer: headers, then as much as Content-Length says. */
static void read_answer(int fd) {
    static char buf[65536];
    size_t len = 0, wanted = 0;
    while (wanted == 0 || len < wanted) {
        ssize_t count = recv(fd, buf + len, sizeof buf - 1 - len, 0);
        CHECK(count > 0);
        len += (size_t)count;
        buf[len] = '\0';
        const char *end = strstr(buf, "\r\n\r\n"), *length = strstr(buf, "Content-Length: ");
        if (end && length) wanted = (size_t)(end - buf) + 4 + strtoul(length + 16, NULL, 10);
    }
    CHECK(strncmp(buf, "HTTP/1.1 200", 12) == 0);
}

static void *ask_http(void *ctx) {
    struct bench *b = ctx;
    struct sockaddr_storage address;
    socklen_t len = addr_to_sockaddr(&b->http, &address);
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, len) == 0);
    for (unsigned i = 0; i < ASKED; i++) {
        char request[128];
        int size =
            snprintf(request, sizeof request, "GET /v1/players/%u/inventory HTTP/1.1\r\nHost: x\r\n\r\n", 1 + i % 100);
        struct mono begin = mono_now();
        CHECK(send(fd, request, (size_t)size, MSG_NOSIGNAL) == size);
        read_answer(fd);
        histogram_record(&b->times, mono_since_ns(mono_now(), begin));
    }
    close(fd);
    ev_async_send(b->loop, &b->done);
    return NULL;
}

static void on_done(struct ev_loop *loop, ev_async *async, int events) {
    (void)async, (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static double bench_http(struct bench *b) {
    pthread_t thread;
    ev_async_init(&b->done, on_done);
    ev_async_start(b->loop, &b->done);
    histogram_reset(&b->times);
    struct mono begin = mono_now();
    CHECK(pthread_create(&thread, NULL, ask_http, b) == 0);
    ev_run(b->loop, 0);
    CHECK(pthread_join(thread, NULL) == 0);
    ev_async_stop(b->loop, &b->done);
    return ASKED * 1e9 / (double)mono_since_ns(mono_now(), begin);
}

static void print_times(const struct bench *b, const char *name) {
    printf("%s_p50 %.1f us\n", name, (double)histogram_quantile(&b->times, 0.5) / 1e3);
    printf("%s_p99 %.1f us\n", name, (double)histogram_quantile(&b->times, 0.99) / 1e3);
}

static void fill(const struct pg_fixture *fixture) {
    char sql[512];
    snprintf(
        sql, sizeof sql,
        "insert into players (player, name) select n, 'player ' || n from generate_series(1, %d) n;"
        "insert into accounts select 1, n, 100, 1 from generate_series(1, %d) n;"
        "insert into items select n * 100 + s, 1, n, s, 4, 1, 1 from generate_series(1, %d) n, generate_series(0, %d) s;"
        "analyze",
        PLAYERS, PLAYERS, PLAYERS, ITEMS - 1);
    pg_fixture_execute(fixture, sql);
}

static void run(struct bench *b) {
    b->left = PLAYERS;
    ask_inventory(b);
    ev_run(b->loop, 0);
    print_times(b, "reads_inventory_loaded");
    histogram_reset(&b->times);
    for (unsigned i = 0; i < CACHED; i++) {
        b->sent_at = mono_now();
        reads_inventory(b->reads, 1 + i % PLAYERS, on_inventory, b);
    }
    print_times(b, "reads_inventory_cached");
    printf("reads_profiles_loaded %.0f /s\n", bench_profiles(b));
    double asked = bench_http(b);
    print_times(b, "reads_inventory_http");
    printf("reads_inventory_http %.0f /s\n", asked);
}

int main(void) {
    struct bench b = {.loop = ev_loop_new(EVFLAG_AUTO)};
    struct pg_fixture fixture;
    CHECK(sodium_init() >= 0);
    log_set_level(LOG_LEVEL_ERROR);
    pg_fixture_open(&fixture, NULL);
    (void)pg_fixture_migrate(&fixture);
    fill(&fixture);
    struct pg *pg;
    CHECK(pg_create(b.loop, &(struct pg_config){.name = "reads", .uri = fixture.uri, .connections = 2, .seed = 1}, &pg) ==
          0);
    while (!pg_is_available(pg)) ev_run(b.loop, EVRUN_ONCE);
    b.reads = reads_create(&(struct reads_config){.loop = b.loop, .pg = pg, .shard_count = 1, .ttl_ms = 600000});
    struct metrics *metrics = metrics_create(4, "bench");
    struct health health;
    health_init(&health, mono_now());
    struct http_api *api;
    char error[256];
    const struct http_api_config config = {
        .loop = b.loop, .listen = "127.0.0.1:0", .metrics = metrics, .health = &health, .reads = b.reads};
    CHECK(http_api_open(&api, &config, error, sizeof error) == 0);
    b.http = *http_api_address(api);
    run(&b);
    pg_destroy(pg);
    reads_destroy(b.reads);
    http_api_close(api);
    metrics_destroy(metrics);
    ev_loop_destroy(b.loop);
    pg_fixture_close(&fixture);
    return 0;
}
