#include "zone/registrar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "common/edge_url.h"
#include "common/log.h"
#include "common/step.h"
#include "zone/hash.h"

struct registrar {
    struct sim *sim;
    uint32_t slot;
    uint64_t incarnation;
    bool has_link;
    struct link link;
    struct wire_builder *builder;
    struct mono report_at;
    bool is_new;              /* nothing was reported over this connection */
    bool is_new_of_instances; /* the same */
    struct mono look_at;      /* at instances, */
    struct mono repeat_at;    /* which are reported at the latest */
    uint64_t told;            /* digest of what was reported of them */
    bool is_listed, is_replaced;
    bool is_changed; /* the sim has not been told yet */
    struct directory directory;
    struct wire_hold holds[WIRE_PARTITIONS_MAX];
};

/* --- what comes */

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same;
    struct registrar *r = context;
    r->is_new = r->is_new_of_instances = true;
    r->report_at = r->look_at = now;
    sim_instances_renew(r->sim);
}

static void look_for_ourselves(struct registrar *r) {
    bool is_listed = directory_hears(&r->directory, r->slot, r->incarnation);
    if (r->is_listed && !is_listed && !r->is_replaced) {
        log_error("zone.replaced", "version=%" PRIu64, r->directory.version);
        r->is_replaced = true;
    }
    r->is_listed |= is_listed;
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct registrar *r = context;
    if (view->kind == WIRE_BUS_INSTANCE_ORDERS) {
        sim_instance_orders(r->sim, &view->instance_orders);
        return;
    }
    if (!directory_take(&r->directory, &view->directory)) return;
    r->is_changed = true;
    look_for_ourselves(r);
}

int registrar_receive(struct registrar *r, struct mono now) {
    if (r->has_link) {
        link_update(&r->link, now);
        link_receive(&r->link, now);
    }
    if (!r->is_changed) return 0;
    r->is_changed = false;
    log_info("directory", "version=%" PRIu64 " partitions=%u owns=%d", r->directory.version, r->directory.partition_count,
             directory_owns(&r->directory, r->slot));
    STEP("zone.directory");
    return sim_set_directory(r->sim, &r->directory);
}

/* --- what goes */

static struct wire_hold *hold_at(struct registrar *r, uint32_t count, const struct entities *e, uint16_t index) {
    const struct wire_directory_partition *p = directory_at(&r->directory, e->x[index], e->y[index]);
    uint32_t i = 0;
    while (p && i < count && r->holds[i].partition != p->id) i++;
    return p && i < count ? &r->holds[i] : NULL;
}

/* Counts what is simulated here in each partition that is of interest to this zone, or has something of it. */
static uint32_t count_holds(struct registrar *r, const struct registrar_load *load, struct wire_worker_report *report) {
    const struct entities *e = sim_entities(r->sim);
    uint32_t count = r->directory.partition_count;
    for (uint32_t i = 0; i < count; i++) r->holds[i] = (struct wire_hold){.partition = r->directory.partitions[i].id};
    for (uint32_t i = 0; i < e->count; i++) {
        uint16_t index = e->alive[i];
        if (!entities_is_own(e, index)) continue;
        bool is_player = e->kind[index] == GAME_KIND_PLAYER;
        struct wire_hold *hold = hold_at(r, count, e, index);
        report->players += is_player;
        report->creatures += !is_player;
        if (hold) hold->players += is_player;
        if (hold) hold->creatures += !is_player;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct wire_hold hold = r->holds[i];
        hold.in_flight = sim_in_flight(r->sim, r->directory.partitions[i].rect) +
                         sim_instances_in_flight(r->sim, r->directory.partitions[i].id);
        if (load->crossing) hold.in_flight += crossing_in_flight(load->crossing, &r->directory.partitions[i]);
        if (hold.players + hold.creatures + hold.in_flight > 0) r->holds[kept++] = hold;
    }
    return kept;
}

static void report_worker(struct registrar *r, const struct registrar_load *load, struct mono now) {
    struct wire_worker_report report = {
        .version = r->directory.version, .busy_us = load->busy_us, .late_ticks = load->late_ticks, .holds = r->holds};
    report.hold_count = count_holds(r, load, &report);
    if (r->is_new) report.directory = directory_view(&r->directory);
    struct wire_bytes bytes;
    if (wire_worker_report_pack(r->builder, &report, &bytes) != 0 || link_send(&r->link, bytes) != 0) return;
    r->is_new = false;
    r->report_at = mono_add_ms(now, REGISTRAR_REPORT_MS);
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i + 8 <= len; i += 8) hash = hash_word(hash, load_le(at + i, 8));
    return hash;
}

/* All of it but how long they have lasted. */
static uint64_t digest_of(const struct wire_instance_report *report) {
    uint64_t hash = hash_word(HASH_START, report->instance_count);
    for (uint32_t i = 0; i < report->instance_count; i++) {
        struct wire_instance_status status = report->instances[i];
        status.lasted_ms = 0;
        hash = hash_bytes(hash, &status, sizeof status);
    }
    return hash_bytes(hash, report->players, report->player_count * sizeof *report->players);
}

static void report_instances(struct registrar *r, struct mono now) {
    struct wire_instance_report report;
    struct wire_bytes bytes;
    r->look_at = mono_add_ms(now, REGISTRAR_INSTANCES_MS);
    sim_instance_report(r->sim, &report);
    uint64_t digest = digest_of(&report);
    bool is_due = report.instance_count + report.player_count > 0 && mono_reached(now, r->repeat_at);
    if (!is_due && !r->is_new_of_instances && digest == r->told) return;
    if (wire_instance_report_pack(r->builder, &report, &bytes) != 0 || link_send(&r->link, bytes) != 0) return;
    r->is_new_of_instances = false;
    r->told = digest;
    r->repeat_at = mono_add_ms(now, REGISTRAR_REPORT_MS);
}

void registrar_send(struct registrar *r, const struct registrar_load *load, struct mono now) {
    if (!r->has_link || r->link.state != LINK_UP) return;
    if (mono_reached(now, r->report_at)) report_worker(r, load, now);
    if (mono_reached(now, r->look_at)) report_instances(r, now);
}

/* --- opening */

static int open_link(struct registrar *r, const struct config *config, const char *run_dir, const struct wire_hello *hello,
                     const uint8_t *key, struct mono now, char *error, size_t error_size) {
    char url[EDGE_URL_SIZE];
    int result = edge_url(config, run_dir, EDGE_MATCHMAKER_ZONE, 0, r->slot, url, sizeof url);
    if (result) {
        snprintf(error, error_size,
                 "no address for the edge to %s: the run directory's path is too long, or the port too great",
                 config->matchmaker.name);
        return result;
    }
    struct link_config link = {
        .hello = *hello,
        .peer = {.role = WIRE_ROLE_MATCHMAKER, .kind = WIRE_BUS_DIRECTORY, .also = WIRE_BUS_INSTANCE_ORDERS},
        .bus = {.role = BUS_DIAL, .url = url, .key = key, .queue_max_bytes = config->bus.queue_bytes_max},
        .builder = r->builder,
        .handlers = {.context = r, .up = up, .message = take}};
    link.bus.peer_name = config->matchmaker.name;
    r->has_link = true;
    return link_open(&r->link, &link, now, error, error_size);
}

int registrar_open(struct registrar **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                   const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct mono now, char *error,
                   size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct registrar *r = calloc(1, sizeof *r);
    if (!r) return MARCH_ERR_SYSTEM;
    *r = (struct registrar){.sim = sim, .slot = zone_index, .incarnation = hello->incarnation};
    r->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    int result = r->builder ? 0 : MARCH_ERR_SYSTEM;
    if (result == 0 && config_has_matchmaker(config)) {
        result = open_link(r, config, run_dir, hello, key, now, error, error_size);
    } else if (result == 0) {
        directory_initial(&r->directory, config);
        r->is_changed = true;
    }
    if (result) {
        registrar_close(r);
        return result;
    }
    *out = r;
    return 0;
}

void registrar_close(struct registrar *r) {
    if (!r) return;
    if (r->has_link) link_close(&r->link);
    wire_builder_destroy(r->builder);
    free(r);
}

/* --- looking in */

const struct directory *registrar_directory(const struct registrar *r) {
    return &r->directory;
}

bool registrar_is_replaced(const struct registrar *r) {
    return r->is_replaced;
}

const struct link *registrar_link(const struct registrar *r) {
    return r->has_link ? &r->link : NULL;
}
