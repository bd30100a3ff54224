/* hot.h: the newest state of players in Redis: where a player who is loaded is looked for while PostgreSQL is away
 * (motion.h: memory, then PostgreSQL, then this).
 *
 * `march:hot:{player}` is one value with an expiry:
 *
 *     offset  bytes  field                        little-endian
 *          0      1  version: 1
 *          1      1  flags
 *          2      2  yaw
 *          4      2  level
 *          6      2  hit points
 *          8      4  x, Q16.16 metres
 *         12      4  y
 *         16      8  player
 *         24      8  session epoch
 *         32      8  tick
 *         40      8  experience
 *
 * A copy only: it may be older than the journal and the database, so who reads compares session epoch and tick. Losing it
 * loses nothing. A value of another length, version or player counts as not there.
 *
 * Limits: HOT_READ_MAX players a read; the limits of redis.h. hot_write stops at the first that Redis does not take.
 */
#ifndef MARCH_PERSIST_HOT_H
#define MARCH_PERSIST_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/redis.h"
#include "schemas/wire_persist.h"

#define HOT_STATE_BYTES 48
#define HOT_READ_MAX    2048 /* players of one hot_read */
#define HOT_READS_MAX   1024 /* reads under way */
#define HOT_DEADLINE_MS 500

struct hot;

/* `states` are those that were found, in the order asked for. error: 0, MARCH_ERR_UNAVAILABLE or MARCH_ERR_EXPIRED. */
typedef void (*hot_done)(void *ctx, int error, const struct wire_player_state *states, uint32_t count);

struct hot_stats {
    uint64_t written, write_failures; /* states */
    uint64_t reads, found, malformed; /* reads; states */
};

/* hot_open: values expire `expiry_s` after they were written. MARCH_ERR_SYSTEM without memory. hot_close: only after
 * redis_close, which ends what is under way. */
must_check int hot_open(struct hot **out, struct redis *redis, uint32_t expiry_s);
void hot_close(struct hot *hot);

/* hot_write sends states, pipelined, and does not wait. Returns how many were taken, from the first on; fewer than `count`
 * while Redis is away or busy: drop them, newer ones will come. */
uint32_t hot_write(struct hot *hot, const struct wire_player_state *states, uint32_t count);

/* hot_read reads the states of `count` players, 1 to HOT_READ_MAX. Returns MARCH_ERR_UNAVAILABLE or MARCH_ERR_FULL without
 * a call of `done`. */
must_check int hot_read(struct hot *hot, const uint64_t *players, uint32_t count, hot_done done, void *ctx);

struct hot_stats hot_stats_get(const struct hot *hot);

/* hot_encode and hot_decode: the value above. hot_decode: MARCH_ERR_INVALID. */
void hot_encode(const struct wire_player_state *state, uint8_t out[HOT_STATE_BYTES]);
must_check int hot_decode(const uint8_t *bytes, size_t len, struct wire_player_state *out);

#endif
