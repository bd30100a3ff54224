#include "zone/reporter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"

_Static_assert(REPORTER_SHARDS_MAX >= CONFIG_PERSISTS_MAX, "a zone has an edge to each persist");

struct shard {
    struct reporter *reporter;
    struct link link;
    uint32_t index;
    enum reporter_lease lease;
    uint64_t lease_epoch; /* held, or held before the connection was lost; 0: never */
    struct mono claim_at;
    uint64_t seq; /* of the report sent last, to this incarnation */
};

struct reporter {
    struct book *book;
    struct wire_builder *builder;
    uint64_t report_ms;
    struct mono report_at;
    uint32_t count;
    struct shard shards[REPORTER_SHARDS_MAX];
};

/* --- receiving */

static const char *partition_of(const struct shard *shard) {
    return shard->link.config.hello.name;
}

static void up(void *context, bool is_same, struct mono now) {
    struct shard *shard = context;
    if (!is_same) shard->seq = 0;
    shard->claim_at = now;
    book_resend(shard->reporter->book, shard->index);
}

static void lost(void *context, struct mono now) {
    (void)now;
    struct shard *shard = context;
    if (shard->lease != REPORTER_LEASE_STALE) shard->lease = REPORTER_LEASE_NONE;
}

static void take_lease(struct shard *shard, const struct wire_persist_report *report, struct mono now) {
    if (report->lease_result == WIRE_LEASE_NONE || shard->lease == REPORTER_LEASE_STALE) return;
    if (report->lease_result == WIRE_LEASE_HELD) {
        if (shard->lease != REPORTER_LEASE_HELD)
            log_info("lease.held", "persist=%s partition=%s epoch=%" PRIu64, shard->link.name, partition_of(shard),
                     report->lease_epoch);
        shard->lease = REPORTER_LEASE_HELD;
        shard->lease_epoch = report->lease_epoch;
        book_lease(shard->reporter->book, shard->index, report->lease_epoch);
    } else if (report->lease_result == WIRE_LEASE_STALE) {
        shard->lease = REPORTER_LEASE_STALE;
        log_error("lease.stale", "persist=%s partition=%s epoch=%" PRIu64 " newer=%" PRIu64, shard->link.name,
                  partition_of(shard), shard->lease_epoch, report->lease_epoch);
    } else {
        shard->lease = REPORTER_LEASE_NONE;
        shard->claim_at = mono_add_ms(now, REPORTER_CLAIM_MS);
    }
}

static void take_report(void *context, const struct wire_bus_view *view, struct mono now) {
    struct shard *shard = context;
    take_lease(shard, &view->persist_report, now);
    book_take(shard->reporter->book, shard->index, &view->persist_report, now);
}

void reporter_receive(struct reporter *reporter, struct mono now) {
    for (uint32_t s = 0; s < reporter->count; s++) {
        link_update(&reporter->shards[s].link, now);
        link_receive(&reporter->shards[s].link, now);
    }
    book_expire(reporter->book, now);
}

/* --- opening */

static int open_shard(struct shard *shard, const struct link_config *link, const struct config *config, uint32_t zone,
                      const char *run_dir, struct mono now, char *error, size_t error_size) {
    char url[EDGE_URL_SIZE];
    struct link_config own = *link;
    own.peer.shard = shard->index;
    own.bus.url = url;
    own.bus.peer_name = config->persists[shard->index].name;
    own.handlers.context = shard;
    int result = edge_url(config, run_dir, EDGE_PERSIST_ZONE, shard->index, zone, url, sizeof url);
    if (result) {
        snprintf(error, error_size, "no address for the edge to %s: the run directory's path is too long",
                 own.bus.peer_name);
        return result;
    }
    return link_open(&shard->link, &own, now, error, error_size);
}

int reporter_open(struct reporter **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                  const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct mono now, char *error,
                  size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct reporter *reporter = calloc(1, sizeof *reporter);
    if (!reporter) return MARCH_ERR_SYSTEM;
    *reporter = (struct reporter){.report_ms = config->persist.report_ms, .report_at = now};
    reporter->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    reporter->book = book_create(sim, zone_index, config->persists_count);
    int result = reporter->builder && reporter->book ? 0 : MARCH_ERR_SYSTEM;
    struct link_config link = {
        .hello = *hello,
        .peer = {.role = WIRE_ROLE_PERSIST, .kind = WIRE_BUS_PERSIST_REPORT, .shard_count = config->persists_count},
        .bus = {.role = BUS_DIAL, .key = key, .queue_max_bytes = config->bus.queue_bytes_max},
        .builder = reporter->builder,
        .handlers = {.up = up, .lost = lost, .message = take_report}};
    while (result == 0 && reporter->count < config->persists_count) {
        struct shard *shard = &reporter->shards[reporter->count];
        *shard = (struct shard){.reporter = reporter, .index = reporter->count++};
        result = open_shard(shard, &link, config, zone_index, run_dir, now, error, error_size);
    }
    if (result) {
        reporter_close(reporter);
        return result;
    }
    *out = reporter;
    return 0;
}

void reporter_close(struct reporter *reporter) {
    if (!reporter) return;
    for (uint32_t s = 0; s < reporter->count; s++) link_close(&reporter->shards[s].link);
    book_destroy(reporter->book);
    wire_builder_destroy(reporter->builder);
    free(reporter);
}

/* --- sending */

static bool send_report(struct shard *shard, struct wire_zone_report *report) {
    memcpy(report->partition, partition_of(shard), sizeof report->partition);
    report->lease_epoch = shard->lease_epoch;
    report->seq = shard->seq + 1;
    struct wire_bytes bytes;
    int error = wire_zone_report_pack(shard->reporter->builder, report, &bytes);
    CHECK(error == 0);
    if (link_send(&shard->link, bytes)) return false;
    shard->seq++;
    return true;
}

static void claim(struct shard *shard) {
    if (send_report(shard, &(struct wire_zone_report){.claims_lease = true})) shard->lease = REPORTER_LEASE_ASKED;
}

static void send_shard(struct shard *shard, uint64_t tick, struct mono now, bool regular) {
    if (shard->link.state != LINK_UP) return;
    if (shard->lease == REPORTER_LEASE_NONE && mono_reached(now, shard->claim_at)) claim(shard);
    if (shard->lease != REPORTER_LEASE_HELD || (!regular && !book_is_urgent(shard->reporter->book, shard->index, now)))
        return;
    struct wire_zone_report report = {0};
    if (!book_report(shard->reporter->book, shard->index, tick, now, regular, &report)) return;
    if (send_report(shard, &report)) book_reported(shard->reporter->book, shard->seq);
}

void reporter_send(struct reporter *reporter, uint64_t tick, struct mono now) {
    bool regular = mono_reached(now, reporter->report_at);
    if (regular) reporter->report_at = mono_add_ms(now, reporter->report_ms);
    for (uint32_t s = 0; s < reporter->count; s++) send_shard(&reporter->shards[s], tick, now, regular);
}

/* --- looking in */

struct book *reporter_book(const struct reporter *reporter) {
    return reporter->book;
}

uint32_t reporter_count(const struct reporter *reporter) {
    return reporter->count;
}

const struct link *reporter_link(const struct reporter *reporter, uint32_t shard) {
    CHECK(shard < reporter->count);
    return &reporter->shards[shard].link;
}

enum reporter_lease reporter_lease(const struct reporter *reporter, uint32_t shard) {
    CHECK(shard < reporter->count);
    return reporter->shards[shard].lease;
}

bool reporter_has_leases(const struct reporter *reporter) {
    bool has = true;
    for (uint32_t s = 0; s < reporter->count; s++) has &= reporter->shards[s].lease_epoch != 0;
    return has;
}

struct link_stats reporter_stats(const struct reporter *reporter) {
    struct link_stats sum = {0};
    for (uint32_t s = 0; s < reporter->count; s++) {
        const struct link_stats *one = &reporter->shards[s].link.stats;
        struct bus_statistics bus;
        bus_statistics_read(reporter->shards[s].link.edge, &bus);
        sum.sent += one->sent;
        sum.refused += one->refused;
        sum.received += one->received;
        sum.bad += one->bad + bus.bad_frames + bus.stale_frames;
        sum.losses += one->losses;
        sum.restarts += one->restarts;
    }
    return sum;
}
