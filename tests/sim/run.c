/* run.c: a run of one seed: a world is made, what its weather holds happens to it, then all gets well and must become quiet.
 * See world.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/world.h"

struct world W;
static sigjmp_buf failed;

void fail_run(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "seed %llu at %llu ms: ", (unsigned long long)W.seed, (unsigned long long)W.ms);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    siglongjmp(failed, 1);
}

/* A check that fails in what is tested ends the run as well. */
static void on_abort(int signal_number) {
    (void)signal_number;
    fail_run("aborted");
}

void trace(const char *format, ...) {
    if (!W.is_loud) return;
    va_list args;
    va_start(args, format);
    printf("%6llu ", (unsigned long long)W.ms);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

uint32_t draw(uint32_t below) {
    W.random = W.random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(W.random >> 33) % below;
}

bool chance(uint32_t in) {
    return draw(in) == 0;
}

struct mono now(void) {
    return (struct mono){(W.ms + 1000) * NS_PER_MS};
}

/* of each four seeds one is calm, one has bad connections, one deaths, and one everything */
static struct weather weather_of(uint64_t seed) {
    switch (seed % 4) {
    case 0: return (struct weather){.is_calm = true, .delay_ms = 1 + draw(15)};
    case 1: return (struct weather){.cuts = true, .full = chance(2), .delay_ms = 1 + draw(40)};
    case 2:
        return (struct weather){
            .cuts = chance(2), .deaths = true, .full = chance(2), .leaves = true, .delay_ms = 1 + draw(40)};
    default:
        return (struct weather){
            .cuts = true, .deaths = true, .stops = true, .full = chance(2), .leaves = true, .delay_ms = 1 + draw(60)};
    }
}

static void begin(uint64_t seed, bool is_loud) {
    memset(&W, 0, offsetof(struct world, pipes));
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        struct pipe *pipe = &W.pipes[i / NODES][i % NODES];
        pipe->head = pipe->count = pipe->unsent = pipe->batch = 0;
    }
    W.seed = seed;
    W.random = seed * 0x9e3779b97f4a7c15u + 1;
    W.is_loud = is_loud;
    W.weather = weather_of(seed);
    W.is_mortal = W.weather.deaths || W.weather.stops;
    if (!W.blocks.blocks && block_pool_init(&W.blocks, PLAYERS) != 0) fail_run("there is no memory");
    network_init();
    for (uint32_t node = 0; node < NODES; node++) process_start(node);
    for (uint32_t n = 0; n < PLAYERS; n++) {
        W.clients[n].gateway = NOBODY;
        W.clients[n].login_ms = 500 + draw(2000);
    }
}

static void end(void) {
    for (uint32_t z = 0; z < SLOTS; z++)
        if (W.processes[z].is_alive) zone_end(z);
    for (uint32_t g = 0; g < GATEWAYS; g++)
        if (W.processes[NODE_GATEWAY + g].is_alive) gateway_end(g);
    for (uint32_t s = 0; s < SHARDS; s++) shard_end(s);
    for (uint32_t n = 0; n < PLAYERS; n++) snapshot_table_destroy(W.clients[n].table);
}

static void step(void) {
    W.ms += STEP_MS;
    bool is_network_first = chance(2); /* one that was stopped may read before it hears of what is lost */
    if (is_network_first) network_step();
    process_step();
    if (!is_network_first) network_step();
    for (uint32_t s = 0; s < SHARDS; s++) database_step(&W.databases[s]);
    packets_step();
    client_step();
    check_step();
}

/* settle: nothing goes wrong any more. */
static void settle(void) {
    W.is_quiet = true;
    W.weather.cuts = W.weather.deaths = W.weather.stops = W.weather.full = false;
    W.weather.delay_ms = 10;
    network_heal();
    for (uint32_t i = 0; i < NODES; i++)
        if (W.processes[i].stopped_ms > W.ms) W.processes[i].stopped_ms = W.ms;
    for (uint64_t until = W.ms + SETTLE_MS; W.ms < until;) {
        if (W.ms % 500 == 0) matchmaker_undrain();
        step();
    }
}

bool run_seed(uint64_t seed, bool is_loud) {
    signal(SIGABRT, on_abort);
    if (sigsetjmp(failed, 1) != 0) { /* what the run held is not given back: it may be anything */
        trace("failed");
        return false;
    }
    begin(seed, is_loud);
    while (W.ms < BUSY_MS) {
        if (W.ms > 2500) faults_step();
        step();
    }
    settle();
    check_quiet();
    end();
    return true;
}
