/* bench_instances: a thousand instances of 5 players in the blocks of four zones, without persist.
 *
 * One line a figure, `name value unit`, by the processor time of the thread.
 *
 *   launch   an instance is launched, its document packed and put
 *   step     a step with 1,000 that run and nothing to do
 *   fill     what a zone is to be told then, which is nothing
 *   report   a zone's report of its 250 instances and 1,250 players, as each zone sends it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "matchmaker/instances.h"

#define ZONES     4
#define INSTANCES 1000
#define PLAYERS   5
#define ROUNDS    20000

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void on_event(void *context, enum instances_event_kind kind, const struct instance_view *view, uint64_t player) {
    (void)context, (void)kind, (void)view, (void)player;
}

static struct instances *make(struct keep *keep) {
    static struct directory d = {.version = 1, .worker_count = ZONES, .partition_count = ZONES};
    struct instances_config config = {
        .cells = {INSTANCES / ZONES + 6, 64, 200}, .keep = keep, .seed = 1, .on_event = on_event};
    struct instances *i;
    CHECK(instances_create(&i, &config) == 0);
    for (uint32_t z = 0; z < ZONES; z++) {
        d.workers[z] = (struct wire_directory_worker){.incarnation = z + 1, .state = WIRE_WORKER_ACTIVE};
        d.partitions[z] = (struct wire_directory_partition){
            .id = CELLS_BLOCK_BIT | z, .owner = z, .rect = {0, 4000 * (int32_t)z, 3200, 4000}};
    }
    instances_directory(i, &d, (struct mono){1});
    for (uint32_t z = 0; z < ZONES; z++) instances_zone_up(i, z, z + 1, (struct mono){1});
    return i;
}

static void launch_all(struct instances *i, struct mono now) {
    struct template t = {.name = "bench", .version = 1, .side_m = 60, .capacity = PLAYERS, .wave_count = 3, .spot_count = 4};
    struct wire_instance_member members[PLAYERS];
    struct instances_launch launch = {.template = &t, .team_count = 1, .member_count = PLAYERS, .members = members};
    uint32_t id;
    for (uint32_t n = 0; n < INSTANCES; n++) {
        for (uint32_t k = 0; k < PLAYERS; k++) members[k] = (struct wire_instance_member){.player = 1 + n * PLAYERS + k};
        CHECK(instances_launch(i, &launch, now, 1700000000000, &id) == 0);
    }
}

/* report_of makes what a zone says of all that it was given. */
static void report_of(struct instances *i, uint32_t zone, struct wire_instance_status *statuses,
                      struct wire_presence *players, struct wire_instance_report *report) {
    *report = (struct wire_instance_report){.instances = statuses, .players = players};
    for (uint32_t n = 0; n < instances_count(i); n++) {
        struct instance_view view;
        instances_nth(i, n, &view);
        if (view.slot != zone) continue;
        statuses[report->instance_count++] =
            (struct wire_instance_status){.id = view.id, .version = 1, .phase = WIRE_PHASE_RUNNING};
        for (uint32_t k = 0; k < view.member_count; k++)
            players[report->player_count++] = (struct wire_presence){.player = view.members[k].player, .instance = view.id};
    }
}

int main(void) {
    static struct wire_instance_status statuses[INSTANCES];
    static struct wire_presence players[INSTANCES * PLAYERS];
    struct wire_instance_report report;
    struct wire_instance_orders orders;
    struct keep *keep;
    struct keep_config keep_config = {.first_version = 1};
    struct mono now = {NS_PER_S};
    CHECK(keep_create(&keep, &keep_config) == 0);
    struct instances *i = make(keep);
    uint64_t began = cpu_ns();
    launch_all(i, now);
    printf("launch %.0f instances/s\n", INSTANCES * 1e9 / (double)(cpu_ns() - began));
    instances_step(i, now, 1700000000000);
    for (uint32_t z = 0; z < ZONES; z++) {
        while (instances_fill(i, z, now, &orders)) instances_sent(i, z, now);
        report_of(i, z, statuses, players, &report);
        instances_report(i, z, &report, now);
    }
    CHECK(instances_stats_get(i).running == INSTANCES && instances_stats_get(i).arrived == INSTANCES * PLAYERS);
    for (int n = 0; n < 4; n++) instances_step(i, now = mono_add_ms(now, 1000), 1700000000000);
    began = cpu_ns();
    for (uint32_t n = 0; n < ROUNDS; n++) instances_step(i, now = mono_add_ms(now, 1), 1700000000000);
    printf("step %.0f ns\n", (double)(cpu_ns() - began) / ROUNDS);
    began = cpu_ns();
    for (uint32_t n = 0; n < ROUNDS; n++) (void)!instances_fill(i, 0, now, &orders);
    printf("fill %.0f ns\n", (double)(cpu_ns() - began) / ROUNDS);
    report_of(i, 0, statuses, players, &report);
    began = cpu_ns();
    for (uint32_t n = 0; n < ROUNDS / 20; n++) instances_report(i, 0, &report, now);
    printf("report %.1f us\n", (double)(cpu_ns() - began) / (ROUNDS / 20) / 1000);
    instances_destroy(i);
    keep_destroy(keep);
    return 0;
}
