/* peers.h: the other shards: transfers of value to and from them, and notices to their players.
 *
 * Each pair of persists shares one edge; the one of the greater index dials. What a shard sends abroad lies in escrow there,
 * as a row, until the other shard has answered:
 *
 *     source                                      destination
 *     contents → escrow, transfer row (commit)
 *     ── offer, again and again ────────────────► TRANSFER_IN under the transfer's id: taken or refused, once (commit)
 *     TRANSFER_DONE: escrow gone or given  ◄───── answer
 *       back, row gone (commit)
 *     ── done ──────────────────────────────────► the answer may be forgotten
 *
 * Each step is one transaction, each message may be lost or come twice, and each side may die between any two: what is not
 * answered is offered again (courier.h), and what was answered is answered the same. So a transfer happens once or not at
 * all, and nothing is in two places or none.
 *
 * An offer that can't be decided now (queue full, database away, no room for a credit) gets no answer. Offers of transfers
 * that are not the peer's to make, or not for us, are refused to be read, and counted.
 *
 * Notices are best effort: one lost is one that a player does not see until he asks.
 */
#ifndef MARCH_PERSIST_PEERS_H
#define MARCH_PERSIST_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "persist/ledger.h"
#include "schemas/wire.h"

struct ev_loop;
struct value;
struct peers;

struct peers_config {
    const struct config *config;
    uint32_t shard_index;
    const char *run_dir;
    struct wire_hello hello;
    const uint8_t *key; /* the cluster key, NULL with ipc */
    struct value *value;
    void *ctx;
    void (*message)(void *ctx, uint64_t player, const uint8_t *bytes, size_t len); /* a packed ServerMessage for a player */
    void (*forget)(void *ctx, uint64_t transfer); /* the answer to a transfer of domain 3 is not needed any more */
};

struct peers_stats {
    uint64_t offers_sent, offers_received, answers_sent, answers_received, notices_sent, notices_received;
    uint64_t notices_dropped; /* the peer is away, or what waits for it is full */
    uint64_t bad;             /* malformed, or not that peer's to say */
    uint32_t outstanding;     /* transfers that no destination has answered */
    uint32_t up;              /* peers that are connected */
};

/* peers_open opens the edges to all other shards of the configuration. On failure `error` holds a line. */
must_check int peers_open(struct peers **out, struct ev_loop *loop, const struct peers_config *config, char *error,
                          size_t error_size);

/* peers_close ends the edges; after value_destroy, which drops the commands that would call back. NULL is fine. */
void peers_close(struct peers *peers);

/* peers_started offers what was under way before this process began; peers_created what has just begun; peers_closed ends
 * the offers: call them from the hooks of value.h. */
void peers_started(struct peers *peers);
void peers_created(struct peers *peers, const struct ledger_transfer *transfer);
void peers_closed(struct peers *peers, uint64_t transfer);

/* peers_notice sends a packed ServerMessage to a player of another shard. */
void peers_notice(struct peers *peers, uint64_t player, const uint8_t *bytes, size_t len);

struct peers_stats peers_stats(const struct peers *peers);

#endif
