/* bench_snapshot.c: what a snapshot costs: bytes a second for a client, and nanoseconds a build. JSON on stdout.
 *
 * Three worlds of walkers that turn at random; every client's snapshots are acknowledged 100 ms later, none is lost:
 *   bandwidth  one client, 30 entities in view besides its own, each turns once a second; 20 Hz
 *   field      2,500 entities over 0.5 km2, a client for 2,000 of them, some 60 in view, some 8 updates a snapshot
 *   crowd      1,000 clients on one square, each sees all
 * Bytes on the wire add the session header (8), the frame header (3) and netcode's sealing (20) to each packet; UDP and IP
 * headers are left out. The full state to compare with is what FlatBuffers takes for the same entities in each snapshot:
 * a vector of structs (24 bytes: id, place, velocity, kind, yaw, health, action) or of tables (36), and 28 around them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tests/unit/view_fixture.h"

enum {
    BYTES_MAX = 1100,
    PACKET_OVERHEAD = 8 + 3 + 20,
    FLATBUFFERS_OVERHEAD = 28,
    STRUCT_BYTES = 24,
    TABLE_BYTES = 36,
    TICK_HZ = 60,
    TICKS_APART = 3, /* 20 Hz */
    ACK_DELAY = 2    /* snapshots: 100 ms */
};

struct world_config {
    const char *name;
    uint32_t entities, clients, side_m, radius_m, turn_ticks, ticks;
};

struct figures {
    uint64_t builds, bytes, updates, deferred, in_view;
    uint64_t build_ns, ack_ns;
    uint64_t view_bytes; /* resident, of one view */
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* the machine may be busy with other things */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t resident_bytes(void) {
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%llu %llu", &size, &resident) != 2) resident = 0;
    if (file) fclose(file);
    return resident * 4096;
}

static void build_one(struct fixture *f, struct views *views, uint32_t client, const struct world_config *config,
                      struct figures *figures) {
    struct view_request request = fixture_request(f, client, config->radius_m);
    struct view_result result;
    uint8_t bytes[BYTES_MAX];
    view_build(views, client, &f->world, &request, bytes, sizeof(bytes), &result);
    figures->builds++;
    figures->bytes += result.len;
    figures->updates += result.updates;
    figures->deferred += result.deferred;
    figures->in_view += result.in_view;
}

/* Runs the ticks from..to; what came before has warmed up the views. */
static struct figures run(struct fixture *f, struct views *views, const struct world_config *config, uint32_t from,
                          uint32_t to) {
    struct figures figures = {0};
    for (uint32_t tick = from; tick < to; tick++) {
        fixture_step(f);
        for (uint32_t e = 0; e < config->entities; e++) {
            if (fixture_random(f, config->turn_ticks) == 0) fixture_turn(f, e);
        }
        fixture_publish(f);
        uint32_t first = tick % TICKS_APART;
        uint64_t start = now_ns();
        for (uint32_t c = first; c < config->clients; c += TICKS_APART) build_one(f, views, c, config, &figures);
        uint64_t built = now_ns();
        uint16_t seq = (uint16_t)(tick / TICKS_APART - ACK_DELAY);
        for (uint32_t c = first; c < config->clients; c += TICKS_APART) view_ack(views, c, seq);
        figures.ack_ns += now_ns() - built;
        figures.build_ns += built - start;
    }
    return figures;
}

static struct figures run_world(const struct world_config *config) {
    struct fixture *f = fixture_create(config->entities, config->side_m, 7);
    struct views_config views_config = {.clients_max = config->clients,
                                        .entities_max = config->entities,
                                        .slots_max = VIEW_SLOTS_MAX,
                                        .error_near_max = 4,
                                        .error_far_max = 8,
                                        .yaw_error_max = 4};
    struct views *views = views_create(&views_config);
    for (uint32_t e = 0; e < config->entities; e++) fixture_spawn_anywhere(f, e);
    uint64_t before = resident_bytes();
    (void)run(f, views, config, 0, 300);
    struct figures figures = run(f, views, config, 300, 300 + config->ticks);
    figures.view_bytes = (resident_bytes() - before) / config->clients;
    views_destroy(views);
    fixture_destroy(f);
    return figures;
}

static void print_bandwidth(const struct figures *figures) {
    double hz = (double)TICK_HZ / TICKS_APART, entities = (double)figures->in_view / (double)figures->builds;
    double payload = (double)figures->bytes / (double)figures->builds;
    double structs = entities * STRUCT_BYTES + FLATBUFFERS_OVERHEAD, tables = entities * TABLE_BYTES + FLATBUFFERS_OVERHEAD;
    double wire = (payload + PACKET_OVERHEAD) * hz;
    printf("  \"bandwidth\": {\"in_view\": %.1f, \"updates_per_snapshot\": %.2f, \"payload_bytes_per_snapshot\": %.1f,\n",
           entities, (double)figures->updates / (double)figures->builds, payload);
    printf("    \"wire_bytes_per_second\": %.0f, \"full_tables_bytes_per_second\": %.0f, \"full_structs_bytes_per_second\": "
           "%.0f,\n",
           wire, (tables + PACKET_OVERHEAD) * hz, (structs + PACKET_OVERHEAD) * hz);
    printf("    \"less_than_tables_percent\": %.2f, \"less_than_structs_percent\": %.2f, "
           "\"payload_less_than_structs_percent\": %.2f},\n",
           100 - 100 * wire / ((tables + PACKET_OVERHEAD) * hz), 100 - 100 * wire / ((structs + PACKET_OVERHEAD) * hz),
           100 - 100 * payload / structs);
}

static void print_cost(const char *name, const struct figures *figures, const char *end) {
    double builds = (double)figures->builds;
    printf("  \"%s\": {\"builds\": %" PRIu64 ", \"in_view\": %.1f, \"updates_per_snapshot\": %.2f, \"deferred\": %" PRIu64
           ",\n    \"bytes_per_snapshot\": %.1f, \"ns_per_build\": %.0f, \"ns_per_ack\": %.0f, \"bytes_per_view\": %" PRIu64
           "}%s\n",
           name, figures->builds, (double)figures->in_view / builds, (double)figures->updates / builds, figures->deferred,
           (double)figures->bytes / builds, (double)figures->build_ns / builds, (double)figures->ack_ns / builds,
           figures->view_bytes, end);
}

int main(void) {
    const struct world_config bandwidth = {"bandwidth", 31, 1, 60, 100, 60, 60 * 60};
    const struct world_config field = {"field", 2500, 2000, 732, 64, 22, 300};
    const struct world_config crowd = {"crowd", 1000, 1000, 80, 120, 60, 300};
    struct figures figures = run_world(&bandwidth);
    printf("{\n");
    print_bandwidth(&figures);
    figures = run_world(&field);
    print_cost(field.name, &figures, ",");
    figures = run_world(&crowd);
    print_cost(crowd.name, &figures, "");
    printf("}\n");
    return 0;
}
