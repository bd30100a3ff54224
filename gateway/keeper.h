/* keeper.h: the way to one persist, which keeps the players of one shard: the link (link.h), what waits to be told, and
 * which commands it has not answered yet.
 *
 * Whoever owns it tells a persist that is UP, again, of each session and each claim: it may be another incarnation.
 *
 * Commands. Each command that keeper_command took is answered: by persist, or else by the handler `unanswered`, when the
 * connection ends or KEEPER_ANSWER_MS have passed. What persist did with it is unknown then, which is what the client is
 * told by UNAVAILABLE. At most KEEPER_WAITING_MAX are under way.
 *
 * Limits. What is told is flushed when the owner says so. A full array refuses with MARCH_ERR_FULL: claims and refreshes
 * are tried again by the owner, commands are refused to the client. Ends go through a ring of the newest KEEPER_ENDS_MAX;
 * one that is lost lets its session expire at persist. Nothing blocks or allocates after keeper_open.
 */
#ifndef MARCH_GATEWAY_KEEPER_H
#define MARCH_GATEWAY_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/clock.h"
#include "common/error.h"
#include "schemas/link.h"
#include "schemas/wire.h"

#define KEEPER_CLAIMS_MAX        256 /* a flush; a gateway that is back does not ask for all at once */
#define KEEPER_REFRESHES_MAX     1024
#define KEEPER_COMMANDS_MAX      512
#define KEEPER_BLOB_BYTES        (64 * 1024)
#define KEEPER_ENDS_MAX          1024
#define KEEPER_WAITING_MAX       4096 /* a persist that answers within 100 ms is asked 40,000 times a second */
#define KEEPER_ANSWER_MS         15000
#define KEEPER_RECEIVES_PER_POLL 16

#define KEEPER_BYTES_MAX                                                                                                    \
    (WIRE_PERSIST_OVERHEAD_MAX + KEEPER_CLAIMS_MAX * sizeof(struct wire_session_claim) +                                    \
     (KEEPER_REFRESHES_MAX + KEEPER_ENDS_MAX) * sizeof(struct wire_session_ref) +                                           \
     KEEPER_COMMANDS_MAX * sizeof(struct wire_session_command) + KEEPER_BLOB_BYTES)
_Static_assert(KEEPER_BYTES_MAX <= WIRE_BUS_BYTES_MAX, "a full batch fits one bus message");
_Static_assert(KEEPER_COMMANDS_MAX <= KEEPER_WAITING_MAX, "a full batch may wait for its answers");

struct keeper_handlers {
    void *context;
    void (*up)(void *context, unsigned shard);
    void (*lost)(void *context, unsigned shard);
    /* Pointers hold during the call. */
    void (*sessions)(void *context, unsigned shard, const struct wire_persist_sessions *sessions);
    /* A command of the session will not be answered by persist. */
    void (*unanswered)(void *context, uint64_t session, uint64_t key);
};

struct keeper_config {
    unsigned shard; /* given to the handlers; what the persist must say that it is */
    unsigned shard_count;
    char region[WIRE_NAME_MAX + 1];
    struct wire_hello hello;
    struct bus_edge_config bus;
    struct wire_builder *builder; /* shared: for KEEPER_BYTES_MAX or more */
    struct keeper_handlers handlers;
};

struct keeper_stats {
    uint64_t ends_lost;
    uint64_t commands_sent;
    uint64_t commands_unanswered; /* when the connection ended, or in time */
};

/* A command that persist has not answered; key 0: nothing. */
struct keeper_waiting {
    uint64_t session, key;
    uint64_t until_ns;
};

struct keeper {
    struct keeper_config config;
    struct link link;
    struct keeper_stats stats;
    uint32_t claim_count, refresh_count, command_count, blob_len;
    uint64_t ends_total, ends_told; /* the newest are ends[] */
    uint32_t waiting_head, waiting_count;
    struct wire_session_claim claims[KEEPER_CLAIMS_MAX];
    struct wire_session_ref refreshes[KEEPER_REFRESHES_MAX];
    struct wire_session_command commands[KEEPER_COMMANDS_MAX];
    struct wire_session_ref ends[KEEPER_ENDS_MAX], ends_out[KEEPER_ENDS_MAX];
    struct keeper_waiting waiting[KEEPER_WAITING_MAX];
    uint8_t blob[KEEPER_BLOB_BYTES];
};

/* keeper_open opens the link; errors as of link_open. The keeper must not move in memory afterwards. The owner takes what
 * came with link_receive: when the link's edge can be read. */
must_check int keeper_open(struct keeper *keeper, const struct keeper_config *config, struct mono now, char *error,
                           size_t error_size);
void keeper_close(struct keeper *keeper);

/* keeper_update runs the link and gives up commands that were not answered in time: call it each time round the loop. */
void keeper_update(struct keeper *keeper, struct mono now);

/* keeper_flush sends what waits, if there is anything; keeper_waits tells whether there is. */
void keeper_flush(struct keeper *keeper);
bool keeper_waits(const struct keeper *keeper);

/* What persist is to be told. MARCH_ERR_NOT_FOUND while it is not UP, MARCH_ERR_FULL where there is no room. */
must_check int keeper_claim(struct keeper *keeper, const struct wire_session_claim *claim);
must_check int keeper_refresh(struct keeper *keeper, const struct wire_session_ref *ref);

/* keeper_command takes a copy of a command's packed ClientMessage, of at most WIRE_CLIENT_BYTES_MAX bytes. */
must_check int keeper_command(struct keeper *keeper, struct mono now, const struct wire_session_ref *ref, uint64_t key,
                              const uint8_t *bytes, size_t len);

/* keeper_end keeps an end until it can be told. */
void keeper_end(struct keeper *keeper, const struct wire_session_ref *ref);

/* keeper_answered notes that persist has answered a command; no effect when it was given up before. */
void keeper_answered(struct keeper *keeper, uint64_t session, uint64_t key);

#endif
