/* config.h: the one YAML file that describes a cluster.
 *
 * Every process reads the same file and picks its own entry by name. The file is checked strictly: unknown and doubled keys,
 * wrong types, values out of range, missing keys, overlapping zones and doubled names are errors, told in one line:
 *
 *     deploy/config/cluster.yaml:14: zones[2].rect.width_m: expected an integer from 1 to 65535, found "abc"
 *
 * Limits: CONFIG_FILE_BYTES_MAX of text, the *_MAX below for lists. Anchors, aliases and tags are refused. What a key means,
 * its default and its range stand in deploy/config/cluster.yaml and in the tables at the top of config.c.
 */
#ifndef MARCH_COMMON_CONFIG_H
#define MARCH_COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CONFIG_FILE_BYTES_MAX (256 * 1024)
#define CONFIG_GATEWAYS_MAX   16
#define CONFIG_ZONES_MAX      64
#define CONFIG_PERSISTS_MAX   16 /* shards */
#define CONFIG_ADDRESSES_MAX  8
#define CONFIG_KEYS_MAX       4  /* of the front door: one, and others while they are replaced */
#define CONFIG_NAME_SIZE      32 /* bytes with the final zero */
#define CONFIG_ADDRESS_SIZE   64
#define CONFIG_FOLDER_SIZE    512
#define CONFIG_FILE_SIZE      512
#define CONFIG_TEXT_SIZE      128
#define CONFIG_ERROR_SIZE     512 /* enough for any error line of a path of usual length */

/* What a zone's views can do; zone/setup.c asserts that they can. */
#define CONFIG_ENTITIES_MAX       65535
#define CONFIG_VIEW_RADIUS_M_MAX  450
#define CONFIG_VIEW_MAX           1024
#define CONFIG_SNAPSHOT_BYTES_MIN 256
#define CONFIG_SNAPSHOT_BYTES_MAX 1150

/* What a journal can do; persist/journal.h has the reasons. */
#define CONFIG_SEGMENT_BYTES_UNIT 4096
#define CONFIG_SEGMENT_BYTES_MIN  (2 << 20)
#define CONFIG_SEGMENT_BYTES_MAX  (256 << 20)
#define CONFIG_JOURNAL_BYTES_MIN  (8 << 20)
#define CONFIG_JOURNAL_BYTES_MAX  ((uint64_t)1 << 39)

/* What can be set aside for instances; common/blocks.h says where. */
#define CONFIG_BLOCKS_MAX 8
#define CONFIG_CELLS_MAX  1024 /* of a block */

/* The plane: positions are 32-bit numbers of 2^-16 m. */
#define CONFIG_METRES_MIN (-32768)
#define CONFIG_METRES_MAX 32767

#define CONFIG_CPU_NONE (-1) /* not pinned to a core */

enum config_io { CONFIG_IO_AUTO = 0, CONFIG_IO_URING = 1, CONFIG_IO_EPOLL = 2, CONFIG_IO_COUNT = 3 };

/* Who may ask for a session: in dev mode whoever gives a name; else who has a token signed with one of the keys. */
enum config_auth { CONFIG_AUTH_DEV = 0, CONFIG_AUTH_ED25519 = 1, CONFIG_AUTH_HMAC = 2, CONFIG_AUTH_COUNT = 3 };

enum config_transport { CONFIG_TRANSPORT_IPC = 0, CONFIG_TRANSPORT_TCP = 1, CONFIG_TRANSPORT_COUNT = 2 };

struct config_gateway {
    char name[CONFIG_NAME_SIZE];
    char **listen_addresses; /* "127.0.0.1:0", "[::1]:0": UDP addresses to bind, port 0 for any */
    uint32_t listen_count;
    char **public_addresses; /* addresses that clients are told; the bound ones where the list is empty */
    uint32_t public_count;
    char http[CONFIG_ADDRESS_SIZE];
    uint32_t max_clients;
    int32_t cpu; /* core to pin the loop to, or CONFIG_CPU_NONE */
    enum config_io io;
    char region[CONFIG_NAME_SIZE]; /* whose boards its players are on */
};

/* Whole metres; x_m and y_m are the least corner. Zones meet but don't overlap; all lie in the plane. */
struct config_rect {
    int32_t x_m, y_m;
    int32_t width_m, height_m;
};

/* A slot for a process that simulates. Each rectangle is a partition of the world, which its slot has at first. */
struct config_zone {
    char name[CONFIG_NAME_SIZE];
    struct config_rect rect; /* no width: none, the slot is a spare at first */
    uint64_t seed;
    uint32_t creatures;
    uint32_t max_players;
    uint32_t max_entities; /* players and creatures included */
    int32_t cpu;
    bool spin;                     /* spin the last half millisecond before a tick: only where the core is the zone's own */
    char region[CONFIG_NAME_SIZE]; /* whose matches it is preferred for; "": of none */
    char http[CONFIG_ADDRESS_SIZE];
    char bus_host[CONFIG_ADDRESS_SIZE]; /* with transport tcp: where the zone listens for its edges */
    uint32_t bus_port;
};

/* One shard of what lasts; its index in the list is the index of the shard. */
struct config_persist {
    char name[CONFIG_NAME_SIZE];
    char http[CONFIG_ADDRESS_SIZE];
    int32_t cpu;
    char bus_host[CONFIG_ADDRESS_SIZE]; /* with transport tcp: where it listens for its edges */
    uint32_t bus_port;
};

/* Where players and studios ask for sessions. */
struct config_front {
    char address[CONFIG_ADDRESS_SIZE]; /* empty: there is none */
    enum config_auth auth;
    char **key_files; /* see config_beside */
    uint32_t key_count;
    char issuer[CONFIG_TEXT_SIZE];   /* what a token's `iss` must be; empty: anything */
    char audience[CONFIG_TEXT_SIZE]; /* what must be in its `aud`; empty: anything */
};

/* Who gives partitions to zones. Without one each zone keeps the rectangle of its slot for ever. */
struct config_matchmaker {
    char name[CONFIG_NAME_SIZE]; /* empty: there is none */
    char http[CONFIG_ADDRESS_SIZE];
    int32_t cpu;
    char bus_host[CONFIG_ADDRESS_SIZE]; /* with transport tcp: where it listens for its edges */
    uint32_t bus_port;
    uint32_t reconnect_ms;                 /* after the end of its connection a process is dead */
    uint32_t silence_ms;                   /* without a report a process is dead */
    bool balance;                          /* split what is busy, and merge it again when it is not */
    uint32_t split_percent, merge_percent; /* of a tick that a zone is busy; that two together are */
    uint32_t balance_hold_s;               /* it must have been so for */
    uint32_t balance_pause_s;              /* between two changes */
    uint32_t split_min_m;                  /* least side of what is left */
    struct config_front front;
    char modes[CONFIG_FOLDER_SIZE]; /* folder, see config_beside; empty: there are none */
};

/* Parts of the plane beside the world, in which instances are (schemas/cells.h). */
struct config_instances {
    uint32_t blocks;
    uint32_t cells; /* of each */
    uint32_t side_m;
    uint32_t think_us;                  /* of a tick, for the creatures of one; 0: no end of it */
    char templates[CONFIG_FOLDER_SIZE]; /* folder, see config_beside; empty: there are none */
};

/* What all shards keep to. */
struct config_persistence {
    uint32_t report_ms; /* between two reports of a zone */
    uint32_t flush_ms;  /* between two flushes of motion to PostgreSQL */
    uint32_t hot_ms;    /* the same to Redis */
    uint64_t journal_bytes_max;
    uint64_t journal_segment_bytes;
    char journal_dir[CONFIG_FOLDER_SIZE]; /* empty: RUN/journal; a persist's journal is the folder of its name in there */
    uint32_t session_ttl_s;
    uint32_t idempotency_keep_h;
    uint32_t events_keep_days;
    uint32_t season; /* of the boards */
    uint32_t guild_window_ms;
    uint32_t cache_entries_max;
    uint32_t cache_ttl_ms;
};

struct config_world {
    uint32_t tick_hz;
    uint32_t snapshot_hz;
    uint32_t view_radius_m;
    uint32_t snapshot_budget_bytes;
    uint32_t view_max;          /* entities tracked for one client */
    char map[CONFIG_FILE_SIZE]; /* file of what stands in it, see config_beside; empty: nothing does */
};

struct config_bus {
    enum config_transport transport;
    uint32_t queue_bytes_max; /* waiting for one edge */
    uint32_t flush_lead_us;
};

struct config_limits {
    uint32_t prefix_packets_per_s; /* from one /24 or /48, before any decryption */
    uint32_t prefix_burst;
    uint32_t player_packets_per_s;
    uint32_t player_burst;
    uint32_t connect_token_max_s; /* greatest lifetime of a connect token */
    uint32_t client_timeout_s;
    uint32_t link_dead_s; /* a player whose gateway died stays in the world */
};

struct config_dev {
    uint32_t bots;
};

struct config_cluster {
    char name[CONFIG_NAME_SIZE];
    uint64_t protocol_id;
};

struct config {
    struct config_cluster cluster;
    struct config_gateway *gateways;
    uint32_t gateways_count;
    struct config_zone *zones;
    uint32_t zones_count;
    struct config_persist *persists; /* none: a world that forgets */
    uint32_t persists_count;
    struct config_persistence persist;
    struct config_matchmaker matchmaker;
    struct config_instances instances;
    struct config_world world;
    struct config_bus bus;
    struct config_limits limits;
    struct config_dev dev;
};

/* config_load reads and checks a file. On success `*out` is the caller's, to be freed with config_free. Otherwise `*out` is
 * NULL, `error` holds one line without a line feed, and the result is MARCH_ERR_INVALID, or MARCH_ERR_SYSTEM when the file
 * can't be read. */
must_check int config_load(const char *path, struct config **out, char *error, size_t error_size);

/* config_parse is config_load for bytes in memory; `path` is only for the error line. */
must_check int config_parse(const char *path, const char *bytes, size_t len, struct config **out, char *error,
                            size_t error_size);

/* config_beside writes where a file is that a configuration names: a relative path begins at the folder of the
 * configuration's own file, `path`, behind links. MARCH_ERR_SYSTEM when that can't be found, MARCH_ERR_INVALID when `out` is
 * too small, with a line in `error`. */
must_check int config_beside(const char *path, const char *name, char *out, size_t size, char *error, size_t error_size);

/* config_free frees a configuration; NULL is fine. */
void config_free(struct config *config);

/* config_gateway_find returns the entry of that name, NULL when there is none. */
const struct config_gateway *config_gateway_find(const struct config *config, const char *name);
static inline bool config_has_front(const struct config *config) {
    return config->matchmaker.front.address[0] != '\0';
}

static inline bool config_has_matchmaker(const struct config *config) {
    return config->matchmaker.name[0] != '\0';
}

static inline bool config_zone_is_spare(const struct config_zone *zone) {
    return zone->rect.width_m == 0;
}

const struct config_zone *config_zone_find(const struct config *config, const char *name);
const struct config_persist *config_persist_find(const struct config *config, const char *name);

#endif
