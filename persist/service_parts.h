/* service_parts.h: inside of the service: everything that a shard consists of. service_start.c waits for
 * PostgreSQL and recovers the journal, service.c opens, runs and closes the rest, gauges.c tells of it. Nothing else
 * includes it.
 */
#ifndef MARCH_PERSIST_SERVICE_PARTS_H
#define MARCH_PERSIST_SERVICE_PARTS_H

#include <signal.h>
#include <stdbool.h>

#include <ev.h>

#include "common/config.h"
#include "common/health.h"
#include "common/http.h"
#include "common/pool.h"
#include "persist/abroad.h"
#include "persist/audit.h"
#include "persist/boards.h"
#include "persist/clients.h"
#include "persist/commands.h"
#include "persist/documents.h"
#include "persist/fences.h"
#include "persist/flags.h"
#include "persist/gauges.h"
#include "persist/grants.h"
#include "persist/hot.h"
#include "persist/http_api.h"
#include "persist/invalidate.h"
#include "persist/journal.h"
#include "persist/match_keep.h"
#include "persist/migrate.h"
#include "persist/motion.h"
#include "persist/peers.h"
#include "persist/pg.h"
#include "persist/pg_listen.h"
#include "persist/reads.h"
#include "persist/redis.h"
#include "persist/roster.h"
#include "persist/sessions.h"
#include "persist/settings.h"
#include "persist/stream.h"
#include "persist/upkeep.h"
#include "persist/value.h"
#include "persist/zones.h"

struct service;

/* A grant that value has. */
struct applying {
    struct handle handle;
    struct service *service;
    uint64_t position;
    uint64_t player, key;
};

struct service {
    const struct settings *settings;
    const struct config *config;
    const struct config_persist *entry;
    uint32_t index;
    const volatile sig_atomic_t *stopping;
    struct stores stores;
    struct flags flags;
    struct wire_hello hello;
    uint8_t key[32]; /* of the cluster, with tcp */
    bool has_key;
    bool is_fenced;
    uint64_t seed;

    struct ev_loop *loop;
    ev_timer turn;
    ev_io journal_readable;
    ev_prepare prepare;
    uint64_t turns;
    bool postgres_was_there, redis_was_there; /* when that was last said */
    struct health health;
    struct gauges *gauges;
    struct http *waiting_room; /* NULL once there is a database */
    struct http_api *http;

    struct pg *pg, *read_pg, *look_pg, *upkeep_pg;
    struct redis *redis;
    struct journal *journal;
    struct motion *motion;
    struct grants *grants;
    struct documents *documents;
    struct pool applying;
    struct hot *hot;
    struct sessions *sessions;
    struct boards *boards;
    struct stream *stream;
    struct invalidate *invalidate;
    struct value *value;
    struct peers *peers;
    struct roster *roster;
    struct reads *reads;
    struct audit *audit;
    struct abroad *abroad;
    struct upkeep *upkeep;
    struct pg_listen *listen;
    struct zones *zones;
    struct match_keep *matches;
    struct fences *fences;
    struct clients *clients;
    struct commands *commands;

    uint64_t grants_lost;    /* loot that its player had no room for, all of it or a part */
    uint64_t scores_dropped; /* boards had no room for them now */
    uint64_t transfers_forgotten;
};

/* service_publish writes RUN/NAME.suffix; service_publish_address that of the HTTP endpoint. */
must_check int service_publish(const struct service *s, const char *suffix, const char *text, char *error,
                               size_t error_size);
must_check int service_publish_address(const struct service *s, const struct addr *address, char *error, size_t error_size);

/* service_await_database waits until the database answers and has been migrated; MARCH_ERR_UNAVAILABLE when it is to stop
 * before. Health beats meanwhile, and there is an endpoint that says so. */
must_check int service_await_database(struct service *s, struct shard_state *shard, char *error, size_t error_size);

/* service_open_journal opens the journal; service_recover hands what the database lacks of it to motion, grants and
 * documents. */
must_check int service_open_journal(struct service *s, char *error, size_t error_size);
must_check int service_recover(struct service *s, const struct shard_state *shard, char *error, size_t error_size);

#endif
