#include "zone/reporter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"

_Static_assert(REPORTER_SHARDS_MAX >= CONFIG_PERSISTS_MAX, "a zone has an edge to each persist");

struct link {
    struct bus_edge *bus;
    const char *persist;
    uint32_t shard;
    enum reporter_state state;
    uint32_t generation;  /* of the connection we said Hello on */
    uint64_t incarnation; /* of the persist that was UP last; 0: none yet */
    enum reporter_lease lease;
    uint64_t lease_epoch; /* held, or held before the connection was lost; 0: never */
    struct mono claim_at;
    uint64_t seq; /* of the report sent last, to this incarnation */
    struct reporter_stats stats;
};

struct reporter {
    struct book *book;
    struct wire_hello hello;
    struct wire_builder *builder;
    uint64_t report_ms;
    struct mono report_at;
    uint32_t count;
    struct link links[REPORTER_SHARDS_MAX];
};

/* --- opening */

static int open_link(struct reporter *reporter, struct link *link, const struct config *config, const char *url,
                     const uint8_t *key, struct mono now, char *error, size_t error_size) {
    size_t queue_bytes =
        config->bus.queue_bytes_max > BUS_FRAME_BYTES_MAX ? config->bus.queue_bytes_max : BUS_FRAME_BYTES_MAX;
    struct bus_edge_config bus = {.url = url,
                                  .role = BUS_DIAL,
                                  .local_name = reporter->hello.name,
                                  .peer_name = link->persist,
                                  .key = key,
                                  .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                  .queue_max_bytes = queue_bytes};
    int result = bus_edge_open(&link->bus, &bus, now);
    if (result)
        snprintf(error, error_size, "%s: can't dial: %s", url,
                 result == MARCH_ERR_SYSTEM ? strerror(errno) : march_error_text(result));
    return result;
}

int reporter_open(struct reporter **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                  const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct mono now, char *error,
                  size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct reporter *reporter = calloc(1, sizeof *reporter);
    if (!reporter) return MARCH_ERR_SYSTEM;
    *reporter = (struct reporter){.hello = *hello, .report_ms = config->persist.report_ms, .report_at = now};
    reporter->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    reporter->book = book_create(sim, zone_index, config->persists_count);
    int result = reporter->builder && reporter->book ? 0 : MARCH_ERR_SYSTEM;
    for (uint32_t s = 0; result == 0 && s < config->persists_count; s++) {
        struct link *link = &reporter->links[s];
        *link = (struct link){.persist = config->persists[s].name, .shard = s};
        char url[EDGE_URL_SIZE];
        result = edge_url(config, run_dir, EDGE_PERSIST_ZONE, s, zone_index, url, sizeof url);
        if (result) {
            snprintf(error, error_size, "no address for the edge to %s: the run directory's path is too long",
                     link->persist);
        } else {
            result = open_link(reporter, link, config, url, key, now, error, error_size);
        }
        reporter->count += result == 0;
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
    for (uint32_t s = 0; s < reporter->count; s++) bus_edge_close(reporter->links[s].bus);
    book_destroy(reporter->book);
    wire_builder_destroy(reporter->builder);
    free(reporter);
}

/* --- connections */

/* The one place where the state of a link changes. */
static void link_move(struct link *link, enum reporter_state state) {
    static const bool allowed[REPORTER_STATE_COUNT][REPORTER_STATE_COUNT] = {
        [REPORTER_AWAY] = {[REPORTER_GREETING] = true},
        [REPORTER_GREETING] = {[REPORTER_UP] = true, [REPORTER_AWAY] = true},
        [REPORTER_UP] = {[REPORTER_AWAY] = true},
    };
    CHECK(allowed[link->state][state]);
    link->state = state;
}

static void lose(struct link *link) {
    bool was_up = link->state == REPORTER_UP;
    link_move(link, REPORTER_AWAY);
    if (link->lease != REPORTER_LEASE_STALE) link->lease = REPORTER_LEASE_NONE;
    if (!was_up) return;
    link->stats.losses++;
    log_warn("persist.lost", "persist=%s", link->persist);
}

/* Says Hello on a new connection; where the bus refuses, the next update tries again. */
static void greet(struct reporter *reporter, struct link *link) {
    struct wire_bytes bytes;
    int error = wire_hello_pack(reporter->builder, &reporter->hello, &bytes);
    CHECK(error == 0);
    if (bus_send(link->bus, bytes.data, bytes.len)) return;
    link->generation = bus_generation(link->bus);
    link_move(link, REPORTER_GREETING);
}

static void update(struct reporter *reporter, struct link *link, struct mono now) {
    bus_update(link->bus, now);
    bool connected = bus_connected(link->bus);
    if (link->state != REPORTER_AWAY && (!connected || bus_generation(link->bus) != link->generation)) lose(link);
    if (connected && link->state == REPORTER_AWAY) greet(reporter, link);
}

static void take_hello(struct reporter *reporter, struct link *link, const struct wire_hello *hello, struct mono now) {
    if (link->state != REPORTER_GREETING || hello->role != WIRE_ROLE_PERSIST || strcmp(hello->name, link->persist) != 0 ||
        hello->index != link->shard || hello->shard_count != reporter->count) {
        link->stats.messages_bad++;
        log_warn("persist.hello_bad", "persist=%s shard=%u shards=%u", link->persist, hello->index, hello->shard_count);
        return;
    }
    if (hello->incarnation != link->incarnation) {
        link->stats.incarnations += link->incarnation != 0;
        link->seq = 0;
    }
    link->incarnation = hello->incarnation;
    link->claim_at = now;
    book_resend(reporter->book, link->shard);
    link_move(link, REPORTER_UP);
    log_info("persist.up", "persist=%s incarnation=%016" PRIx64, link->persist, hello->incarnation);
}

/* --- receiving */

static void take_lease(struct reporter *reporter, struct link *link, const struct wire_persist_report *report,
                       struct mono now) {
    if (report->lease_result == WIRE_LEASE_NONE || link->lease == REPORTER_LEASE_STALE) return;
    if (report->lease_result == WIRE_LEASE_HELD) {
        if (link->lease != REPORTER_LEASE_HELD)
            log_info("lease.held", "persist=%s partition=%s epoch=%" PRIu64, link->persist, reporter->hello.name,
                     report->lease_epoch);
        link->lease = REPORTER_LEASE_HELD;
        link->lease_epoch = report->lease_epoch;
        book_lease(reporter->book, link->shard, report->lease_epoch);
    } else if (report->lease_result == WIRE_LEASE_STALE) {
        link->lease = REPORTER_LEASE_STALE;
        log_error("lease.stale", "persist=%s partition=%s epoch=%" PRIu64 " newer=%" PRIu64, link->persist,
                  reporter->hello.name, link->lease_epoch, report->lease_epoch);
    } else {
        link->lease = REPORTER_LEASE_NONE;
        link->claim_at = mono_add_ms(now, REPORTER_CLAIM_MS);
    }
}

static void take_message(struct reporter *reporter, struct link *link, const uint8_t *bytes, size_t len, struct mono now) {
    struct wire_bus_view view;
    if (wire_bus_open(bytes, len, &view)) {
        link->stats.messages_bad++;
        log_warn("persist.message_bad", "persist=%s bytes=%zu", link->persist, len);
    } else if (view.kind == WIRE_BUS_HELLO) {
        take_hello(reporter, link, &view.hello, now);
    } else if (view.kind == WIRE_BUS_PERSIST_REPORT && link->state == REPORTER_UP) {
        link->stats.reports_received++;
        take_lease(reporter, link, &view.persist_report, now);
        book_take(reporter->book, link->shard, &view.persist_report, now);
    } else {
        link->stats.messages_bad++;
    }
}

static void receive(struct reporter *reporter, struct link *link, struct mono now) {
    for (uint32_t i = 0; i < REPORTER_RECEIVES_MAX; i++) {
        const uint8_t *bytes;
        size_t len;
        if (bus_receive(link->bus, &bytes, &len)) return;
        if (bus_generation(link->bus) != link->generation) update(reporter, link, now); /* the first of a new connection */
        take_message(reporter, link, bytes, len, now);
        bus_release(link->bus);
    }
}

void reporter_receive(struct reporter *reporter, struct mono now) {
    for (uint32_t s = 0; s < reporter->count; s++) {
        update(reporter, &reporter->links[s], now);
        receive(reporter, &reporter->links[s], now);
    }
    book_expire(reporter->book, now);
}

/* --- sending */

static bool send_report(struct reporter *reporter, struct link *link, struct wire_zone_report *report) {
    memcpy(report->partition, reporter->hello.name, sizeof report->partition);
    report->lease_epoch = link->lease_epoch;
    report->seq = link->seq + 1;
    struct wire_bytes bytes;
    int error = wire_zone_report_pack(reporter->builder, report, &bytes);
    CHECK(error == 0);
    if (bus_send(link->bus, bytes.data, bytes.len)) {
        link->stats.sends_refused++;
        return false;
    }
    link->seq++;
    link->stats.reports_sent++;
    return true;
}

static void claim(struct reporter *reporter, struct link *link) {
    if (send_report(reporter, link, &(struct wire_zone_report){.claims_lease = true})) link->lease = REPORTER_LEASE_ASKED;
}

static void send_link(struct reporter *reporter, struct link *link, uint64_t tick, struct mono now, bool regular) {
    if (link->state != REPORTER_UP) return;
    if (link->lease == REPORTER_LEASE_NONE && mono_reached(now, link->claim_at)) claim(reporter, link);
    if (link->lease != REPORTER_LEASE_HELD || (!regular && !book_is_urgent(reporter->book, link->shard, now))) return;
    struct wire_zone_report report = {0};
    if (!book_report(reporter->book, link->shard, tick, now, regular, &report)) return;
    if (send_report(reporter, link, &report)) book_reported(reporter->book, link->seq);
}

void reporter_send(struct reporter *reporter, uint64_t tick, struct mono now) {
    bool regular = mono_reached(now, reporter->report_at);
    if (regular) reporter->report_at = mono_add_ms(now, reporter->report_ms);
    for (uint32_t s = 0; s < reporter->count; s++) send_link(reporter, &reporter->links[s], tick, now, regular);
}

/* --- looking in */

struct book *reporter_book(const struct reporter *reporter) {
    return reporter->book;
}

uint32_t reporter_count(const struct reporter *reporter) {
    return reporter->count;
}

enum reporter_state reporter_state(const struct reporter *reporter, uint32_t shard) {
    CHECK(shard < reporter->count);
    return reporter->links[shard].state;
}

enum reporter_lease reporter_lease(const struct reporter *reporter, uint32_t shard) {
    CHECK(shard < reporter->count);
    return reporter->links[shard].lease;
}

struct reporter_stats reporter_stats(const struct reporter *reporter) {
    struct reporter_stats sum = {0};
    for (uint32_t s = 0; s < reporter->count; s++) {
        const struct reporter_stats *one = &reporter->links[s].stats;
        struct bus_statistics bus;
        bus_statistics_read(reporter->links[s].bus, &bus);
        sum.reports_sent += one->reports_sent;
        sum.reports_received += one->reports_received;
        sum.sends_refused += one->sends_refused;
        sum.messages_bad += one->messages_bad + bus.bad_frames + bus.stale_frames;
        sum.losses += one->losses;
        sum.incarnations += one->incarnations;
    }
    return sum;
}
