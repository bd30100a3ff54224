/* bench_sessions: claims and look-ups of sessions, against a private Redis.
 *
 *   bench_sessions [SESSIONS]
 *
 * One line a figure, `name value unit`: claims a second with many under way; one claim at a time; a look-up in memory, as
 * each command makes it; a look-up that memory does not know, in Redis, one at a time and while claims are under way;
 * keeping sessions alive, a second.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/sessions.h"
#include "tests/unit/store_fixture.h"

#define SINGLES 20000
#define LOOKUPS 2000000
#define WINDOW  512

struct bench {
    struct store_fixture stores;
    struct sessions *sessions;
    struct histogram claims, finds;
    struct mono asked_at;
    unsigned answers, found;
    uint64_t count, now_ms;
};

static double seconds_since(struct mono start) {
    return (double)mono_since_ns(mono_now(), start) / 1e9;
}

static void on_claimed(void *ctx, const struct session_claim *claim, const struct session_claimed *claimed) {
    struct bench *bench = ctx;
    (void)claim;
    CHECK(claimed->result == SESSION_OK);
    histogram_record(&bench->claims, mono_since_ns(mono_now(), bench->asked_at));
    bench->answers++;
}

static void on_found(void *ctx, int error, const struct session_entry *entry) {
    struct bench *bench = ctx;
    CHECK(error == 0 && entry->epoch > 0);
    histogram_record(&bench->finds, mono_since_ns(mono_now(), bench->asked_at));
    bench->found++;
}

static void claim(struct bench *bench, uint64_t player, uint64_t session) {
    struct session_claim c = {.player = player,
                              .holder = {.session = session, .incarnation = 5, .gateway = (uint32_t)(session % 4)},
                              .token_lo = session * 0x9e3779b97f4a7c15ULL + 1,
                              .token_hi = session,
                              .token_expires_s = bench->now_ms / 1000 + 30};
    CHECK(sessions_claim(bench->sessions, &c, bench->now_ms, on_claimed, bench) == 0);
}

static void await(struct bench *bench, const unsigned *count, unsigned wanted) {
    while (*count < wanted) ev_run(bench->stores.loop, EVRUN_ONCE);
}

static void open_sessions(struct bench *bench) {
    struct sessions_config config = {
        .redis = bench->stores.redis, .sessions_max = SESSIONS_MAX, .ttl_ms = 600000, .now_ms = bench->now_ms};
    CHECK(sessions_open(&bench->sessions, &config) == 0);
}

static void print_times(const char *name, const struct histogram *times) {
    printf("%s_p50 %.1f us\n", name, (double)histogram_quantile(times, 0.5) / 1e3);
    printf("%s_p99 %.1f us\n", name, (double)histogram_quantile(times, 0.99) / 1e3);
}

static void measure_claims(struct bench *bench) {
    struct mono start = mono_now();
    bench->asked_at = start;
    for (uint64_t player = 1; player <= bench->count; player++) {
        claim(bench, player, player);
        if (player > WINDOW) await(bench, &bench->answers, (unsigned)(player - WINDOW));
    }
    await(bench, &bench->answers, (unsigned)bench->count);
    printf("claims_per_s %.0f claims/s\n", (double)bench->count / seconds_since(start));
    histogram_reset(&bench->claims);
    for (unsigned i = 0; i < SINGLES; i++) { /* takeovers */
        bench->asked_at = mono_now();
        claim(bench, 1 + i % bench->count, bench->count + 1 + i);
        await(bench, &bench->answers, (unsigned)bench->count + 1 + i);
    }
    print_times("takeover", &bench->claims);
}

static void measure_memory(struct bench *bench) {
    uint64_t player = 1, sum = 0;
    struct mono start = mono_now();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        player = player * 6364136223846793005ULL + 1442695040888963407ULL;
        const struct session_entry *entry = sessions_lookup(bench->sessions, 1 + (player >> 33) % bench->count);
        CHECK(entry);
        sum += entry->epoch;
    }
    CHECK(sum > 0);
    printf("lookup_memory %.1f ns\n", seconds_since(start) * 1e9 / LOOKUPS);
}

static void measure_refreshes(struct bench *bench) {
    struct mono start = mono_now();
    for (uint64_t player = 1; player <= bench->count; player++) {
        const struct session_entry entry = *sessions_lookup(bench->sessions, player);
        sessions_refresh(bench->sessions, player, entry.epoch, &entry.holder, bench->now_ms);
        if (player % 10000 == 0) sessions_flush(bench->sessions);
        while (redis_stats_get(bench->stores.redis).in_flight > 300) ev_run(bench->stores.loop, EVRUN_ONCE);
    }
    sessions_flush(bench->sessions);
    while (redis_stats_get(bench->stores.redis).in_flight > 0) ev_run(bench->stores.loop, EVRUN_ONCE);
    printf("refresh_failures %llu batches\n", (unsigned long long)sessions_stats_get(bench->sessions).refresh_failures);
    printf("refreshes_per_s %.0f sessions/s\n", (double)bench->count / seconds_since(start));
}

/* measure_finds looks sessions up that only Redis knows, with `claims` new ones under way at each. */
static void measure_finds(struct bench *bench, const char *name, unsigned claims) {
    static uint64_t session = 1ULL << 40;
    histogram_reset(&bench->finds);
    for (unsigned i = 0; i < SINGLES; i++) {
        unsigned found = bench->found;
        for (unsigned k = 0; k < claims; k++, session++) claim(bench, (1ULL << 40) + session % 100000, session);
        bench->asked_at = mono_now();
        sessions_find(bench->sessions, 1 + i * 7 % bench->count, on_found, bench);
        await(bench, &bench->found, found + 1);
    }
    while (redis_stats_get(bench->stores.redis).in_flight > 0) ev_run(bench->stores.loop, EVRUN_ONCE);
    print_times(name, &bench->finds);
}

int main(int argc, char **argv) {
    static struct bench bench;
    bench.count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    if (bench.count < 1000 || bench.count > SESSIONS_MAX / 2) {
        fprintf(stderr, "usage: bench_sessions [SESSIONS, 1000 to %u]\n", SESSIONS_MAX / 2);
        return 2;
    }
    log_init("bench", LOG_LEVEL_ERROR);
    bench.now_ms = wall_now_ns() / NS_PER_MS;
    store_fixture_open(&bench.stores, false);
    open_sessions(&bench);
    measure_claims(&bench);
    measure_memory(&bench);
    measure_refreshes(&bench);
    sessions_close(bench.sessions); /* nothing is under way; the next one knows nothing */
    open_sessions(&bench);
    measure_finds(&bench, "lookup_redis", 0);
    measure_finds(&bench, "lookup_redis_under_claims", 8);
    store_fixture_disconnect(&bench.stores);
    sessions_close(bench.sessions);
    store_fixture_close(&bench.stores);
    return 0;
}
