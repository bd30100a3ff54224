/* bench_zone.c: how long a tick of one zone takes, without sockets. JSON on stdout.
 *
 *   field   1,000 players and 1,000 creatures on 409 m x 409 m: each player sees about 60 within 40 m
 *   crowd   1,000 players on 40 m x 40 m, all of them in everybody's view
 *   border  the field with another zone beyond each of two sides, once without and once with 200 ghosts near it, which
 *           turn as often as players do; the neighbours are told of what stands near. Target: ghosts cost at most a tenth
 *   instances_30, instances_60
 *           200 instances of 5 players, 20 creatures and 16 boxes each in one block, at 30 and at 60 ticks a
 *           second; the creatures are too hardy to die. Target: no tick over its time on one core
 *
 * Players send 20 inputs a second, turn about once a second, and now and then strike or shoot; every snapshot is
 * acknowledged 100 ms later; 30 of each where there are 30 ticks. A tick is all that the zone's thread does but for nng:
 * inputs and acks taken in, the phases of the simulation, the batch packed. Times are of the thread's CPU, since the machine
 * may be busy with other things; `wall_max` is of the clock.
 *
 * usage: bench_zone [seconds, 20 by default] ["instances": those alone]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/histogram.h"
#include "common/net_state.h"
#include "schemas/cells.h"
#include "zone/rng.h"
#include "zone/sightings.h"
#include "zone/sim.h"

enum { NEIGHBOURS = 2, GHOSTS_MAX = 100 /* of each */, TURN_TICKS = 60, GHOST_SPEED = 188 };
enum { PLAYERS = 1000, TICK_HZ = 60, INPUT_HZ = 20, ACKS_HZ = 10, ACK_TICKS = 6, WARM_UP_TICKS = 300, START_TICK = 1000000 };

enum { INSTANCES = 200, INSTANCE_PLAYERS = PLAYERS / INSTANCES, INSTANCE_CREATURES = 20, INSTANCE_BOXES = 16 };
enum { CELL_M = 40, PITCH_M = 96, BLOCK_X = 1000, CELLS = 256, HARDY_PERCENT = 50000 };

struct scenario {
    const char *name;
    int32_t side_m;
    uint32_t view_radius_m;
    uint32_t creatures;
    uint32_t ghosts; /* of each neighbour */
    bool has_neighbours;
    bool has_instances;
    uint32_t tick_hz; /* 0: TICK_HZ */
};

/* A zone beyond a side: above the field, or to its right. */
struct neighbour {
    struct sightings *sightings;
    struct wire_ghost ghosts[GHOSTS_MAX], told[GHOSTS_MAX];
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
    struct histogram tick, receive, phases[SIM_PHASE_COUNT], pack, look, hash;
    const struct scenario *scenario;
    struct neighbour neighbours[NEIGHBOURS];
    uint32_t tick_hz;
    uint64_t wall_max_ns, total_ns, batch_bytes, snapshots, late_ticks;
    struct views_stats before;
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
    uint32_t every = b->tick_hz / INPUT_HZ;
    for (uint32_t p = (uint32_t)(tick % every); p < PLAYERS; p += every) {
        struct wire_input input = {.session = p, .newest_seq = (uint16_t)(tick / every), .count = 1};
        input.commands[0] = next_command(b, p);
        sim_input(b->sim, 0, &input);
    }
    uint32_t turn = (uint32_t)(tick % (b->tick_hz / ACKS_HZ));
    for (uint32_t i = 0; i < b->ack_count[turn]; i++) sim_ack(b->sim, 0, b->acks[turn][i].session, b->acks[turn][i].seq);
}

/* --- neighbours */

static void open_neighbours(struct bench *b) {
    const struct scenario *s = b->scenario;
    struct directory d = {.version = 2, .is_fixed = true, .partition_count = 1 + NEIGHBOURS};
    d.partitions[0] = (struct wire_directory_partition){
        .epoch = 1, .respawn = 1, .rect = {0, 0, s->side_m, s->side_m}, .former = WIRE_SLOT_NONE, .creatures = s->creatures};
    for (uint32_t n = 0; n < NEIGHBOURS; n++) {
        int32_t x = n == 0 ? s->side_m : 0, y = n == 0 ? 0 : s->side_m;
        d.partitions[1 + n] = (struct wire_directory_partition){
            .epoch = 1, .rect = {x, y, x + s->side_m, y + s->side_m}, .id = 1 + n, .owner = 1 + n, .former = WIRE_SLOT_NONE};
        b->neighbours[n].sightings = sightings_create(1 + n, PLAYERS + s->creatures + NEIGHBOURS * GHOSTS_MAX);
        CHECK(b->neighbours[n].sightings != NULL);
        for (uint32_t i = 0; i < s->ghosts; i++) {
            struct wire_ghost *g = &b->neighbours[n].ghosts[i];
            int32_t beyond = (s->side_m + 1 + (int32_t)rng_below(&b->rng, s->view_radius_m - 2)) * 65536;
            int32_t along = (int32_t)rng_below(&b->rng, (uint32_t)s->side_m) * 65536;
            *g = (struct wire_ghost){.id = (uint64_t)(1 + n) << 48 | (i + 1),
                                     .x = n == 0 ? beyond : along,
                                     .y = n == 0 ? along : beyond,
                                     .kind = GAME_KIND_PLAYER,
                                     .health = 255};
        }
    }
    CHECK(sim_set_directory(b->sim, &d) == 0);
}

static void close_neighbours(struct bench *b) {
    for (uint32_t n = 0; n < NEIGHBOURS; n++) sightings_destroy(b->neighbours[n].sightings);
}

/* Ghosts walk to and fro, and turn as often as players do; they are told of when they do. */
static void hear(struct bench *b, uint64_t tick) {
    for (uint32_t n = 0; n < NEIGHBOURS; n++) {
        struct neighbour *neighbour = &b->neighbours[n];
        struct wire_peer_batch batch = {.tick = tick, .ghosts = neighbour->told};
        for (uint32_t i = (uint32_t)(tick % TURN_TICKS); i < b->scenario->ghosts; i += TURN_TICKS) {
            struct wire_ghost *g = &neighbour->ghosts[i];
            g->x += g->vx * TURN_TICKS * (1 << NET_VELOCITY_SHIFT);
            g->vx = g->vx > 0 ? -GHOST_SPEED : GHOST_SPEED;
            g->yaw = g->vx > 0 ? 0 : 128;
            neighbour->told[batch.ghost_count++] = *g;
        }
        if (batch.ghost_count > 0) sim_peer_take(b->sim, 1 + n, &batch);
    }
}

static void tell(struct bench *b) {
    for (uint32_t n = 0; n < NEIGHBOURS; n++) {
        struct wire_peer_batch batch = {0};
        struct wire_bytes bytes;
        sim_look(b->sim, b->neighbours[n].sightings, 1 + n, &batch);
        int error = wire_peer_batch_pack(b->builder, &batch, &bytes);
        CHECK(error == 0);
    }
    sim_looked(b->sim);
}

/* --- instances */

static struct wire_directory_partition block_of(void) {
    const int32_t side = CELLS / CELLS_PER_ROW * PITCH_M;
    return (struct wire_directory_partition){
        .epoch = 1, .rect = {BLOCK_X, 0, BLOCK_X + side, side}, .id = CELLS_BLOCK_BIT, .former = WIRE_SLOT_NONE};
}

static void order_one(const struct cells *cells, uint32_t n, struct wire_instance_orders *o,
                      struct wire_instance_order *instances, struct wire_instance_wave *waves,
                      struct wire_instance_member *members, struct wire_travel *travels) {
    struct wire_directory_partition block = block_of();
    struct wire_rect r = cells_rect(cells, &block, n);
    waves[n] =
        (struct wire_instance_wave){.creatures = INSTANCE_CREATURES, .health_percent = HARDY_PERCENT, .damage_percent = 100};
    instances[n] = (struct wire_instance_order){.seed = n,
                                                .id = 1 + n,
                                                .block = CELLS_BLOCK_BIT,
                                                .cell = n,
                                                .state = WIRE_INSTANCE_RUN,
                                                .version = 1,
                                                .side_m = CELL_M,
                                                .goals = WIRE_GOAL_CLEARED | WIRE_GOAL_EMPTY,
                                                .rise_ms = 3000,
                                                .empty_ms = 60000,
                                                .team_count = 1,
                                                .first_wave = n,
                                                .wave_count = 1,
                                                .box_count = INSTANCE_BOXES,
                                                .first_member = n * INSTANCE_PLAYERS,
                                                .member_count = INSTANCE_PLAYERS};
    for (uint32_t i = 0; i < INSTANCE_PLAYERS; i++) {
        uint64_t player = n * INSTANCE_PLAYERS + i;
        members[player] = (struct wire_instance_member){.player = player};
        travels[player] = (struct wire_travel){.player = player,
                                               .x = (r.min_x + CELL_M / 2 + (int32_t)i) * 65536,
                                               .y = (r.min_y + CELL_M / 2) * 65536,
                                               .instance = 1 + n};
    }
    o->instance_count++;
    o->wave_count++;
    o->member_count += INSTANCE_PLAYERS;
    o->travel_count += INSTANCE_PLAYERS;
}

static void open_instances(struct bench *b) {
    static struct wire_instance_order instances[INSTANCES];
    static struct wire_instance_wave waves[INSTANCES];
    static struct wire_instance_member members[PLAYERS];
    static struct wire_travel travels[PLAYERS];
    static struct wire_instance_box boxes[INSTANCE_BOXES]; /* all have the same */
    struct wire_instance_orders o = {.is_complete = true,
                                     .instances = instances,
                                     .waves = waves,
                                     .boxes = boxes,
                                     .box_count = INSTANCE_BOXES,
                                     .members = members,
                                     .travels = travels};
    for (uint16_t i = 0; i < INSTANCE_BOXES; i++) {
        uint16_t x = (uint16_t)(4 + i % 4 * 9), y = (uint16_t)(4 + i / 4 * 9);
        boxes[i] = (struct wire_instance_box){x, y, (uint16_t)(x + 3), (uint16_t)(y + 1)};
    }
    struct directory d = {.version = 2, .is_fixed = true, .partition_count = 2};
    d.partitions[0] = (struct wire_directory_partition){
        .epoch = 1, .rect = {0, 0, b->scenario->side_m, b->scenario->side_m}, .former = WIRE_SLOT_NONE};
    d.partitions[1] = block_of();
    CHECK(sim_set_directory(b->sim, &d) == 0);
    sim_tick(b->sim, sim_now(b->sim) + 1);
    output_clear(sim_output(b->sim, 0));
    for (uint32_t n = 0; n < INSTANCES; n++)
        order_one(&sim_territory(b->sim)->cells, n, &o, instances, waves, members, travels);
    sim_instance_orders(b->sim, &o);
    CHECK(sim_stats(b->sim)->travels == PLAYERS);
}

/* Instances and their reports as the registrar makes them. */
static void report(struct bench *b) {
    struct wire_instance_report r;
    struct wire_bytes bytes;
    sim_instance_report(b->sim, &r);
    int error = wire_instance_report_pack(b->builder, &r, &bytes);
    CHECK(error == 0 && r.instance_count == INSTANCES && r.player_count == PLAYERS);
}

/* --- a tick */

static void pack(struct bench *b, uint64_t tick) {
    struct output *output = sim_output(b->sim, 0);
    struct wire_zone_batch batch = output_batch(output, tick);
    struct wire_bytes bytes;
    int error = wire_zone_batch_pack(b->builder, &batch, &bytes);
    CHECK(error == 0);
    b->batch_bytes += bytes.len;
    b->snapshots += output->snapshot_count;
    uint32_t turn = (uint32_t)(tick % (b->tick_hz / ACKS_HZ));
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
    if (b->scenario->has_neighbours) hear(b, tick - 1);
    total += lap(&b->receive, &at);
    sim_begin(b->sim, tick);
    for (unsigned phase = 0; phase < SIM_PHASE_COUNT; phase++) {
        sim_run(b->sim, (enum sim_phase)phase);
        total += lap(&b->phases[phase], &at);
    }
    pack(b, tick);
    total += lap(&b->pack, &at);
    if (b->scenario->has_neighbours) tell(b);
    if (b->scenario->has_instances && tick % (b->tick_hz / ACKS_HZ) == 0) report(b);
    total += lap(&b->look, &at);
    histogram_record(&b->tick, total);
    b->total_ns += total;
    uint64_t wall_ns = mono_since_ns(mono_now(), wall);
    if (wall_ns > b->wall_max_ns) b->wall_max_ns = wall_ns;
    b->late_ticks += wall_ns > NS_PER_S / b->tick_hz;
    at = cpu_ns();
    volatile uint64_t hash = sim_hash(b->sim);
    (void)hash;
    lap(&b->hash, &at);
}

static void forget_figures(struct bench *b) {
    histogram_reset(&b->tick);
    histogram_reset(&b->receive);
    histogram_reset(&b->pack);
    histogram_reset(&b->look);
    histogram_reset(&b->hash);
    for (unsigned p = 0; p < SIM_PHASE_COUNT; p++) histogram_reset(&b->phases[p]);
    b->wall_max_ns = b->total_ns = b->batch_bytes = b->snapshots = b->late_ticks = 0;
}

static void print_times(const char *name, const struct histogram *h) {
    printf("\"%s\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, (double)histogram_quantile(h, 0.5) / 1e6,
           (double)histogram_quantile(h, 0.99) / 1e6, (double)histogram_max(h) / 1e6);
}

static void print_scenario(const struct bench *b, uint32_t ticks) {
    const struct scenario *s = b->scenario;
    const struct views_stats *v = sim_views_stats(b->sim), *before = &b->before;
    double builds = (double)(v->builds - before->builds);
    printf("\"%s\":{\"players\":%d,\"creatures\":%u,\"ghosts\":%u,\"instances\":%u,\"ticks\":%u,\"late_ticks\":%" PRIu64 ",",
           s->name, PLAYERS, s->has_instances ? sim_instances_stats(b->sim)->creatures : s->creatures,
           sim_entities(b->sim)->ghost_count, sim_instances_stats(b->sim)->running, ticks, b->late_ticks);
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
    print_times("look", &b->look);
    printf(",");
    print_times("hash", &b->hash);
    printf("}}");
}

static struct bench *bench_create(const struct scenario *s) {
    struct sim_config config = {.name = "bench",
                                .rect = {0, 0, s->side_m, s->side_m},
                                .seed = 1,
                                .start_tick = START_TICK,
                                .creatures = s->creatures,
                                .players_max = PLAYERS,
                                .entities_max = PLAYERS + s->creatures + NEIGHBOURS * GHOSTS_MAX +
                                                (s->has_instances ? INSTANCES * INSTANCE_CREATURES : 0),
                                .gateways_max = 1,
                                .sessions_max = PLAYERS,
                                .tick_hz = s->tick_hz ? s->tick_hz : TICK_HZ,
                                .snapshot_hz = 20,
                                .snapshot_bytes_max = 1100,
                                .view_radius_m = s->view_radius_m,
                                .view_max = 1024,
                                .cells = {CELLS, CELL_M, PITCH_M},
                                .snapshots = true};
    struct bench *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    b->scenario = s;
    b->tick_hz = config.tick_hz;
    b->sim = sim_create(&config);
    b->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    CHECK(b->sim != NULL && b->builder != NULL);
    for (uint32_t p = 0; p < PLAYERS; p++) {
        b->commands[p].move = 5;
        sim_attach(b->sim, 0, p, p, 1, NULL);
    }
    if (s->has_neighbours) open_neighbours(b);
    if (s->has_instances) open_instances(b);
    for (uint32_t i = 0; i < WARM_UP_TICKS; i++) run_tick(b, sim_now(b->sim) + 1);
    forget_figures(b);
    b->before = *sim_views_stats(b->sim);
    return b;
}

static void bench_destroy(struct bench *b) {
    close_neighbours(b);
    wire_builder_destroy(b->builder);
    sim_destroy(b->sim);
    free(b);
}

static void run_ticks(struct bench *b, uint32_t ticks) {
    for (uint32_t i = 0; i < ticks; i++) run_tick(b, sim_now(b->sim) + 1);
}

static void run_scenario(const struct scenario *s, uint32_t seconds) {
    struct bench *b = bench_create(s);
    run_ticks(b, seconds * b->tick_hz);
    print_scenario(b, seconds * b->tick_hz);
    bench_destroy(b);
}

/* In turns of half a second, so that whatever else the machine does concerns both. */
static void run_border(uint32_t seconds) {
    struct scenario without = {
        .name = "border", .side_m = 409, .view_radius_m = 40, .creatures = 1000, .has_neighbours = true};
    struct scenario with = without;
    with.name = "border_ghosts";
    with.ghosts = GHOSTS_MAX;
    struct bench *a = bench_create(&without), *b = bench_create(&with);
    for (uint32_t i = 0; i < 2 * seconds; i++) {
        run_ticks(a, TICK_HZ / 2);
        run_ticks(b, TICK_HZ / 2);
    }
    print_scenario(a, seconds * TICK_HZ);
    printf(",");
    print_scenario(b, seconds * TICK_HZ);
    printf(",\"ghosts_cost_percent\":%.1f", 100 * ((double)b->total_ns / (double)a->total_ns - 1));
    bench_destroy(a);
    bench_destroy(b);
}

int main(int argc, char **argv) {
    uint32_t seconds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20;
    if (seconds < 1) seconds = 1;
    const struct scenario field = {.name = "field", .side_m = 409, .view_radius_m = 40, .creatures = 1000};
    const struct scenario crowd = {.name = "crowd", .side_m = 40, .view_radius_m = 60};
    struct scenario instances = {
        .name = "instances_30", .side_m = 409, .view_radius_m = CELL_M, .has_instances = true, .tick_hz = 30};
    printf("{\"bench\":\"zone\",");
    if (argc <= 2) {
        run_scenario(&field, seconds);
        printf(",");
        run_scenario(&crowd, seconds);
        printf(",");
        run_border(seconds);
        printf(",");
    }
    run_scenario(&instances, seconds);
    printf(",");
    instances.name = "instances_60";
    instances.tick_hz = 60;
    run_scenario(&instances, seconds);
    printf("}\n");
    return 0;
}
