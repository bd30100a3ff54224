/* bench_zone.c: how long a tick of one zone takes, without sockets. JSON on stdout.
 *
 *   field   1,000 players and 1,000 creatures on 409 m x 409 m: each player sees about 60 within 40 m
 *   crowd   1,000 players on 40 m x 40 m, all of them in everybody's view
 *
 * Players send 20 inputs a second, turn about once a second, and now and then strike or shoot; every snapshot is
 * acknowledged 100 ms later. A tick is all that the zone's thread does but for nng: inputs and acks taken in, the phases of
 * the simulation, the batch packed. Times are of the thread's CPU, since the machine may be busy with other things;
 * `wall_max` is of the clock.
 *
 * usage: bench_zone [seconds, 20 by default]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/histogram.h"
#include "zone/rng.h"
#include "zone/sim.h"

enum { PLAYERS = 1000, TICK_HZ = 60, INPUT_TICKS = 3, ACK_TICKS = 6, WARM_UP_TICKS = 300, START_TICK = 1000000 };

struct scenario {
    const char *name;
    int32_t side_m;
    uint32_t view_radius_m;
    uint32_t creatures;
};

/* An acknowledgement on its way. */
struct ack {
    uint64_t session;
    uint16_t seq;
};

struct bench {
    struct sim *sim;
    struct wire_builder *builder;
    struct rng rng;
    struct wire_input_command commands[PLAYERS];
    struct ack acks[ACK_TICKS][PLAYERS];
    uint32_t ack_count[ACK_TICKS];
    struct histogram tick, receive, phases[SIM_PHASE_COUNT], pack, hash;
    uint64_t wall_max_ns, batch_bytes, snapshots;
};

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t lap(struct histogram *h, uint64_t *at) {
    uint64_t now = cpu_ns(), took = now - *at;
    histogram_record(h, took);
    *at = now;
    return took;
}

/* A player's next command: mostly the last one. */
static struct wire_input_command next_command(struct bench *b, uint32_t player) {
    struct wire_input_command *c = &b->commands[player];
    if (rng_below(&b->rng, 20) == 0) {
        c->move = (uint8_t)(rng_below(&b->rng, 3) | rng_below(&b->rng, 3) << 2);
        c->aim = (uint16_t)rng_below(&b->rng, 65536);
    }
    uint32_t dice = rng_below(&b->rng, 20);
    c->buttons = dice == 0 ? 1 : dice == 1 ? 2 : 0;
    return *c;
}

static void receive(struct bench *b, uint64_t tick) {
    for (uint32_t p = (uint32_t)(tick % INPUT_TICKS); p < PLAYERS; p += INPUT_TICKS) {
        struct wire_input input = {.session = p, .newest_seq = (uint16_t)(tick / INPUT_TICKS), .count = 1};
        input.commands[0] = next_command(b, p);
        sim_input(b->sim, 0, &input);
    }
    uint32_t turn = (uint32_t)(tick % ACK_TICKS);
    for (uint32_t i = 0; i < b->ack_count[turn]; i++) sim_ack(b->sim, 0, b->acks[turn][i].session, b->acks[turn][i].seq);
}

static void pack(struct bench *b, uint64_t tick) {
    struct output *output = sim_output(b->sim, 0);
    struct wire_zone_batch batch = output_batch(output, tick);
    struct wire_bytes bytes;
    int error = wire_zone_batch_pack(b->builder, &batch, &bytes);
    CHECK(error == 0);
    b->batch_bytes += bytes.len;
    b->snapshots += output->snapshot_count;
    uint32_t turn = (uint32_t)(tick % ACK_TICKS);
    b->ack_count[turn] = output->snapshot_count;
    for (uint32_t i = 0; i < output->snapshot_count; i++) {
        b->acks[turn][i] = (struct ack){output->snapshots[i].session, output->snapshots[i].snapshot_seq};
    }
    output_clear(output);
}

static void run_tick(struct bench *b, uint64_t tick) {
    struct mono wall = mono_now();
    uint64_t at = cpu_ns(), total = 0;
    receive(b, tick);
    total += lap(&b->receive, &at);
    sim_begin(b->sim, tick);
    for (unsigned phase = 0; phase < SIM_PHASE_COUNT; phase++) {
        sim_run(b->sim, (enum sim_phase)phase);
        total += lap(&b->phases[phase], &at);
    }
    pack(b, tick);
    total += lap(&b->pack, &at);
    histogram_record(&b->tick, total);
    uint64_t wall_ns = mono_since_ns(mono_now(), wall);
    if (wall_ns > b->wall_max_ns) b->wall_max_ns = wall_ns;
    at = cpu_ns();
    volatile uint64_t hash = sim_hash(b->sim);
    (void)hash;
    lap(&b->hash, &at);
}

static void forget_figures(struct bench *b) {
    histogram_reset(&b->tick);
    histogram_reset(&b->receive);
    histogram_reset(&b->pack);
    histogram_reset(&b->hash);
    for (unsigned p = 0; p < SIM_PHASE_COUNT; p++) histogram_reset(&b->phases[p]);
    b->wall_max_ns = b->batch_bytes = b->snapshots = 0;
}

static void print_times(const char *name, const struct histogram *h) {
    printf("\"%s\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, (double)histogram_quantile(h, 0.5) / 1e6,
           (double)histogram_quantile(h, 0.99) / 1e6, (double)histogram_max(h) / 1e6);
}

static void print_scenario(const struct scenario *s, const struct bench *b, const struct views_stats *before,
                           uint32_t ticks) {
    const struct views_stats *v = sim_views_stats(b->sim);
    double builds = (double)(v->builds - before->builds);
    printf("\"%s\":{\"players\":%d,\"creatures\":%u,\"ticks\":%u,", s->name, PLAYERS, s->creatures, ticks);
    print_times("tick_ms", &b->tick);
    printf(",\"wall_max_ms\":%.3f,\"snapshots_per_tick\":%.1f,\"snapshot_bytes\":%.1f,\"updates_per_snapshot\":%.1f,"
           "\"deferred_per_snapshot\":%.1f,\"batch_kb_per_tick\":%.1f,\"deaths\":%" PRIu64 ",\"phases_ms\":{",
           (double)b->wall_max_ns / 1e6, (double)b->snapshots / ticks, (double)(v->bytes - before->bytes) / builds,
           (double)(v->updates - before->updates) / builds, (double)(v->deferred - before->deferred) / builds,
           (double)b->batch_bytes / ticks / 1024, sim_stats(b->sim)->deaths);
    print_times("receive", &b->receive);
    for (unsigned p = 0; p < SIM_PHASE_COUNT; p++) {
        printf(",");
        print_times(sim_phase_name((enum sim_phase)p), &b->phases[p]);
    }
    printf(",");
    print_times("pack", &b->pack);
    printf(",");
    print_times("hash", &b->hash);
    printf("}}");
}

static void run_scenario(const struct scenario *s, uint32_t ticks) {
    struct sim_config config = {.name = "bench",
                                .rect = {0, 0, s->side_m, s->side_m},
                                .seed = 1,
                                .start_tick = START_TICK,
                                .creatures = s->creatures,
                                .players_max = PLAYERS,
                                .entities_max = PLAYERS + s->creatures,
                                .gateways_max = 1,
                                .sessions_max = PLAYERS,
                                .tick_hz = TICK_HZ,
                                .snapshot_hz = 20,
                                .snapshot_bytes_max = 1100,
                                .view_radius_m = s->view_radius_m,
                                .view_max = 1024,
                                .snapshots = true};
    struct bench *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    b->sim = sim_create(&config);
    b->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    CHECK(b->sim != NULL && b->builder != NULL);
    for (uint32_t p = 0; p < PLAYERS; p++) {
        b->commands[p].move = 5;
        sim_attach(b->sim, 0, p, p, 1, NULL);
    }
    uint64_t tick = START_TICK;
    for (uint32_t i = 0; i < WARM_UP_TICKS; i++) run_tick(b, ++tick);
    forget_figures(b);
    struct views_stats before = *sim_views_stats(b->sim);
    for (uint32_t i = 0; i < ticks; i++) run_tick(b, ++tick);
    print_scenario(s, b, &before, ticks);
    wire_builder_destroy(b->builder);
    sim_destroy(b->sim);
    free(b);
}

int main(int argc, char **argv) {
    uint32_t seconds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20;
    if (seconds < 1) seconds = 1;
    const struct scenario field = {.name = "field", .side_m = 409, .view_radius_m = 40, .creatures = 1000};
    const struct scenario crowd = {.name = "crowd", .side_m = 40, .view_radius_m = 60};
    printf("{\"bench\":\"zone\",");
    run_scenario(&field, seconds * TICK_HZ);
    printf(",");
    run_scenario(&crowd, seconds * TICK_HZ);
    printf("}\n");
    return 0;
}
