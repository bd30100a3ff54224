/* service_start.c: what a shard does before it has its parts: it waits for PostgreSQL, and recovers the journal. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "persist/pg_uri.h"
#include "persist/service.h"
#include "persist/service_parts.h"

#define MIGRATE_MS     30000 /* once the database answers at all */
#define PING_S         "1"   /* to find out whether it does; the loop beats in between */
#define MIGRATE_SAY_MS 5000

/* --- places */

static int path_of(const struct service *s, char *out, size_t size, const char *suffix, char *error, size_t error_size) {
    int len = snprintf(out, size, "%s/%s.%s", s->settings->launch.run_dir, s->entry->name, suffix);
    if (len > 0 && (size_t)len < size) return 0;
    snprintf(error, error_size, "%s: path too long", s->settings->launch.run_dir);
    return MARCH_ERR_INVALID;
}

int service_publish(const struct service *s, const char *suffix, const char *text, char *error, size_t error_size) {
    char path[PATH_MAX];
    int result = path_of(s, path, sizeof path, suffix, error, error_size);
    return result ? result : file_write(path, text, strlen(text), 0600, error, error_size);
}

int service_publish_address(const struct service *s, const struct addr *address, char *error, size_t error_size) {
    char text[ADDR_TEXT_MAX];
    addr_format(address, text);
    return service_publish(s, "http", text, error, error_size);
}

/* --- waiting for PostgreSQL */

/* While there is no database there is an endpoint of its own, so that the supervisor and the operator see the process. */
static int open_waiting_room(struct service *s, char *error, size_t error_size) {
    const struct http_route status = {
        .path = "/status", .content_type = "application/json", .render = gauges_status, .context = s->gauges};
    const struct http_options options = {.listen = s->entry->http,
                                         .metrics = gauges_metrics(s->gauges),
                                         .health = &s->health,
                                         .routes = &status,
                                         .route_count = 1};
    int result = http_open(&s->waiting_room, &options, error, error_size);
    return result ? result : service_publish_address(s, http_address(s->waiting_room), error, error_size);
}

static bool database_answers(const struct service *s) {
    char uri[PG_URI_MAX];
    bool prepared;
    if (pg_uri_split(s->stores.postgres, uri, &prepared)) return true; /* shard_open says what is wrong with it */
    const char *const keys[] = {"dbname", "connect_timeout", NULL};
    const char *const values[] = {uri, PING_S, NULL};
    return PQpingParams(keys, values, 1) == PQPING_OK;
}

static int open_shard(struct service *s, struct shard_state *shard, char *error, size_t error_size) {
    if (!database_answers(s)) {
        snprintf(error, error_size, "no answer");
        return MARCH_ERR_UNAVAILABLE;
    }
    return shard_open(s->stores.postgres, s->index, s->config->persists_count, MIGRATE_MS, shard, error, error_size);
}

int service_await_database(struct service *s, struct shard_state *shard, char *error, size_t error_size) {
    struct mono said = {0};
    for (;;) {
        int result = open_shard(s, shard, error, error_size);
        if (result != MARCH_ERR_UNAVAILABLE) return result;
        if (*s->stopping) return result;
        struct mono now = mono_now();
        health_beat(&s->health, now);
        if (said.ns == 0 || mono_since_ns(now, said) > MIGRATE_SAY_MS * NS_PER_MS) {
            log_warn("postgres.awaited", "error=%s", LOG_QUOTE(error));
            said = now;
        }
        char reason[SERVICE_ERROR_SIZE];
        if (!s->waiting_room && (result = open_waiting_room(s, reason, sizeof reason)) != 0) {
            snprintf(error, error_size, "%s", reason);
            return result;
        }
        usleep(100000);
    }
}

/* --- the journal */

struct recovery {
    struct service *service;
    uint64_t motion, grants, documents;
};

static int replay(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    struct recovery *r = ctx;
    health_beat(&r->service->health, mono_now());
    if (type == MOTION_RECORD) {
        r->motion++;
        return motion_replay(r->service->motion, position, bytes, len);
    }
    if (type == GRANTS_RECORD) {
        r->grants++;
        return grants_replay(r->service->grants, position, bytes, len);
    }
    if (type == DOCUMENTS_RECORD) {
        r->documents++;
        return documents_replay(r->service->documents, position, bytes, len);
    }
    return MARCH_ERR_UNSUPPORTED;
}

int service_open_journal(struct service *s, char *error, size_t error_size) {
    char parent[PATH_MAX], dir[PATH_MAX];
    const struct config_persistence *p = &s->config->persist;
    int len = p->journal_dir[0] ? snprintf(parent, sizeof parent, "%s", p->journal_dir)
                                : snprintf(parent, sizeof parent, "%s/journal", s->settings->launch.run_dir);
    if (len > 0 && (size_t)len < sizeof parent) len = snprintf(dir, sizeof dir, "%s/%s", parent, s->entry->name);
    if (len <= 0 || (size_t)len >= sizeof dir) {
        snprintf(error, error_size, "%s: path of the journal too long", s->settings->launch.run_dir);
        return MARCH_ERR_INVALID;
    }
    if (mkdir(parent, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "%s: %s", parent, strerror(errno));
        return MARCH_ERR_SYSTEM;
    }
    const struct journal_config config = {.dir = dir,
                                          .segment_bytes = p->journal_segment_bytes,
                                          .bytes_max = p->journal_bytes_max,
                                          .commit_ns = gauges_histogram(s->gauges, GAUGES_COMMIT)};
    return journal_open(&config, &s->journal, error, error_size);
}

int service_recover(struct service *s, const struct shard_state *shard, char *error, size_t error_size) {
    struct recovery r = {.service = s};
    bool known = memcmp(journal_id(s->journal), shard->journal_id, PG_UUID_BYTES) == 0;
    if (!known && shard->journal_position > 0) {
        if (!s->settings->new_journal) {
            snprintf(
                error, error_size,
                "the database was fed from another journal, up to position %" PRIu64
                "; bring that one back (persist.journal_dir, RUN/journal), or go on without what only it has: --new-journal",
                shard->journal_position);
            return MARCH_ERR_INVALID;
        }
        log_warn("journal.new", "database_position=%" PRIu64 " effect=\"what only the old journal had is lost\"",
                 shard->journal_position);
    }
    uint64_t applied = known ? shard->journal_position : 0;
    struct mono begin = mono_now();
    int result = journal_recover(s->journal, applied, replay, &r, error, error_size);
    if (result) return result;
    struct journal_stats stats = journal_stats_get(s->journal);
    log_info("journal.recovered",
             "records=%" PRIu64 " states=%" PRIu64 " grants=%" PRIu64 " documents=%" PRIu64 " cut_bytes=%" PRIu64
             " after=%" PRIu64 " ms=%" PRIu64,
             stats.recovered, r.motion, r.grants, r.documents, stats.cut_bytes, applied,
             (uint64_t)(mono_since_ns(mono_now(), begin) / NS_PER_MS));
    return 0;
}
