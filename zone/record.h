/* record.h: what happened to a zone, written so that it can happen again.
 *
 * A recording is a header and a block per tick: all that came in before the tick, then its number, and every `hash_every`
 * ticks the hash of the state after it. zone/replay.h runs it. All numbers are little endian.
 *
 *   header, 48 bytes
 *     0  8  "MARCHREC"
 *     8  4  version, 8
 *    12  4  hash_every: ticks whose number it divides carry a hash
 *    16  8  digest of the configuration of the zone
 *    24  8  seed
 *    32  8  start tick
 *    40  2  zone index
 *    42  2  incarnation
 *    44  4  zero
 *   block
 *     0  4  n: length of the body, 17 to RECORD_BODY_MAX
 *     4  4  FNV-1a of the body
 *     8  8  tick
 *    16  8  hash, zero where there is none
 *    24  1  1: has a hash
 *    25  .. events, to the end of the body; each a type and
 *             1 attach   gateway 1, session 8, player 8, played before 1; where it did:
 *                        x 4, y 4, yaw 2, hit points 2, experience 8
 *             2 detach   gateway 1, session 8
 *             3 input    gateway 1, session 8, view tick 4, newest seq 2, count 1, count x (move 1, buttons 1, aim 2)
 *             4 message  gateway 1, session 8, length 2, bytes
 *             5 load     think ticks 4
 *             6 effect   gateway 1, session 8, kind 4, amount 4
 *             7 directory  version 8, count 1, count x (id 4, owner 4, former 4, creatures 4, epoch 8, respawn 8, rectangle
 * 4 x 4)
 *             8 arrive   gateway 1 (255: none), the player as in wire_carried
 *             9 depart   slot 2, target 1
 *            10 peer     slot 1, tick 8, reset 1, count 2 of ghosts, gone, hits, outcomes, creatures, taken,
 *                        instances, members, instances taken, then these as in wire_world.h
 *            11 peer lost  slot 1
 *            12 peer up    slot 1, the incarnation that was there before 1
 *            13 peer dead  slot 1
 *            14 orphan   gateway 1
 *            15 remove   slot 2
 *            16 rebind   slot 2, gateway 1, session 8, attachment 4
 *            17 vanish   entity 8
 *            18 cut      gateway 1, session 8
 *            19 orders   complete 1, count 4 of instances, waves, spots, boxes, members, travels, then
 *                        these as in wire_match.h
 *            20 orders renewed
 *            21 pace     instance 4, pace 1
 *            22 gone     entity 8
 *
 * A file may end in the middle of a block, as a killed process leaves it: that block does not count.
 *
 * The tick only copies into memory; a thread writes to the file. There are two buffers of RECORD_BUFFER_BYTES; when the disk
 * is slower than that lasts (seconds), recording stops, says so once, and leaves a file that ends with a whole tick.
 */
#ifndef MARCH_ZONE_RECORD_H
#define MARCH_ZONE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/directory.h"
#include "schemas/wire.h"
#include "zone/game.h"

#define RECORD_VERSION      8
#define RECORD_HEADER_BYTES 48
#define RECORD_BLOCK_HEADER 8
#define RECORD_BODY_MIN     17
#define RECORD_PEER_BYTES   27 /* of a peer's event after its slot, when it tells of nothing */
#define RECORD_BODY_MAX     (4u << 20)
#define RECORD_BUFFER_BYTES (RECORD_BODY_MAX + RECORD_BLOCK_HEADER)

enum record_event {
    RECORD_EVENT_ATTACH = 1,
    RECORD_EVENT_DETACH = 2,
    RECORD_EVENT_INPUT = 3,
    RECORD_EVENT_MESSAGE = 4,
    RECORD_EVENT_LOAD = 5,
    RECORD_EVENT_EFFECT = 6,
    RECORD_EVENT_DIRECTORY = 7,
    RECORD_EVENT_ARRIVE = 8,
    RECORD_EVENT_DEPART = 9,
    RECORD_EVENT_PEER = 10,
    RECORD_EVENT_PEER_LOST = 11,
    RECORD_EVENT_PEER_UP = 12,
    RECORD_EVENT_PEER_DEAD = 13,
    RECORD_EVENT_ORPHAN = 14,
    RECORD_EVENT_REMOVE = 15,
    RECORD_EVENT_REBIND = 16,
    RECORD_EVENT_VANISH = 17,
    RECORD_EVENT_CUT = 18,
    RECORD_EVENT_ORDERS = 19,
    RECORD_EVENT_ORDERS_RENEWED = 20,
    RECORD_EVENT_PACE = 21,
    RECORD_EVENT_GONE = 22
};

struct record_header {
    uint32_t hash_every;
    uint64_t config_digest;
    uint64_t seed;
    uint64_t start_tick;
    uint16_t zone_index;
    uint16_t incarnation;
};

struct recorder;

/* recorder_open creates the file, which must not exist, and starts the writing thread. MARCH_ERR_SYSTEM leaves errno. */
must_check int recorder_open(const char *path, const struct record_header *header, struct recorder **out);

/* recorder_close writes what is left and frees the recorder. Returns 0 when all of the run is in the file, MARCH_ERR_FULL
 * when recording stopped early, MARCH_ERR_SYSTEM when the file could not be written. NULL is fine. */
int recorder_close(struct recorder *recorder);

/* recorder_stopped tells that recording has stopped early. */
bool recorder_stopped(const struct recorder *recorder);

void recorder_attach(struct recorder *recorder, uint32_t gateway, uint64_t session, uint64_t player,
                     const struct game_character *character);
void recorder_detach(struct recorder *recorder, uint32_t gateway, uint64_t session);
void recorder_input(struct recorder *recorder, uint32_t gateway, const struct wire_input *input);
void recorder_message(struct recorder *recorder, uint32_t gateway, uint64_t session, const uint8_t *bytes, size_t len);
void recorder_effect(struct recorder *recorder, uint32_t gateway, uint64_t session, uint32_t kind, uint32_t amount);
void recorder_directory(struct recorder *recorder, const struct directory *directory);
void recorder_peer(struct recorder *recorder, uint32_t slot, const struct wire_peer_batch *batch);
void recorder_peer_lost(struct recorder *recorder, uint32_t slot);
void recorder_peer_up(struct recorder *recorder, uint32_t slot, bool is_same);
void recorder_peer_dead(struct recorder *recorder, uint32_t slot);
void recorder_arrive(struct recorder *recorder, uint32_t gateway, const struct wire_carried *carried);
void recorder_depart(struct recorder *recorder, uint32_t slot, uint32_t target);
void recorder_orphan(struct recorder *recorder, uint32_t gateway);
void recorder_cut(struct recorder *recorder, uint32_t gateway, uint64_t session);
void recorder_remove(struct recorder *recorder, uint32_t slot);
void recorder_rebind(struct recorder *recorder, uint32_t slot, uint32_t gateway, uint64_t session, uint32_t attachment);
void recorder_vanish(struct recorder *recorder, uint64_t entity);
void recorder_gone(struct recorder *recorder, uint64_t entity);
void recorder_orders(struct recorder *recorder, const struct wire_instance_orders *orders);
void recorder_orders_renewed(struct recorder *recorder);
void recorder_pace(struct recorder *recorder, uint32_t instance, uint32_t pace);
void recorder_load(struct recorder *recorder, uint32_t think_ticks);

/* recorder_wants_hash tells whether this tick's block is to carry a hash. */
bool recorder_wants_hash(const struct recorder *recorder, uint64_t tick);

/* recorder_tick ends a tick's block. */
void recorder_tick(struct recorder *recorder, uint64_t tick, bool hashed, uint64_t hash);

/* record_check is the FNV-1a of a block's body. */
uint32_t record_check(const uint8_t *bytes, size_t len);

#endif
