/* snapshot.h: what a client sees of the world, as bits: the writer for zones, the reader for clients.
 *
 * A client sees entities in numbered slots. Slot 0 is its own entity. An update of a slot carries a version, one more than
 * the slot's last (mod 16), and is either full, or the difference to an older version that the client has acknowledged,
 * predicted to the tick of the snapshot. Whoever writes keeps two rules, and then nothing that is lost can do harm:
 *   - a baseline is a version the client has acknowledged, at most SNAPSHOT_VERSIONS - 1 versions back, so that it stands
 *     in the client's table still;
 *   - a removal is repeated until a snapshot with it is acknowledged, and the slot stays empty until then.
 * Snapshots reach the reader in order: one that is late counts as lost, and so does one that is refused. A stream number
 * that differs from the last one's says that another view begins (another zone, or the same after a crash): the reader
 * forgets its table first. Numbers of streams rise, modulo 256: what comes late from a stream that has ended is refused.
 *
 *     u8 stream | u16 seq | u32 tick | u16 input ack | gamma(removals + 1), each gamma(slot gap) | gamma(updates + 1), each:
 *         gamma(slot gap) | version 4 | gamma(distance + 1) | full or delta body
 *
 * schemas/PROTOCOL.md has the bit table. Limits: SNAPSHOT_SLOTS_MAX slots; coordinates of 22 bits (the whole Q16.16
 * world). The reader checks everything and takes a snapshot as a whole or not at all. Nothing allocates after create.
 */
#ifndef MARCH_COMMON_SNAPSHOT_H
#define MARCH_COMMON_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bits.h"
#include "common/error.h"
#include "common/net_state.h"

#define SNAPSHOT_SLOTS_MAX    1024
#define SNAPSHOT_VERSIONS     16 /* of each slot, kept by the client */
#define SNAPSHOT_HEADER_BYTES 9
#define SNAPSHOT_STREAMS_LATE 8 /* a stream whose number is less by so many at most has ended; by more, it is new */

/* Greatest sizes in bits: what is left in the packet must hold them before an update is begun. */
#define SNAPSHOT_GAP_BITS_MAX   21
#define SNAPSHOT_DELTA_BITS_MAX (SNAPSHOT_GAP_BITS_MAX + 4 + 9 + 2 + 44 + 3 + 34 + 8 + 2 + 16)
#define SNAPSHOT_FULL_BITS_MAX  (SNAPSHOT_GAP_BITS_MAX + 4 + 1 + 64 + 8 + 44 + 34 + 24)

/* All removals of SNAPSHOT_SLOTS_MAX slots together: no gap costs more than 1.5 bits for each slot it spans. */
#define SNAPSHOT_REMOVALS_BYTES_MAX ((SNAPSHOT_GAP_BITS_MAX + SNAPSHOT_SLOTS_MAX * 3 / 2 + 7) / 8)

struct snapshot_header {
    uint8_t stream;
    uint16_t seq;
    uint16_t input_ack; /* newest input of this client that the zone has applied */
    uint32_t tick;      /* low 32 bits */
};

/* --- writing, in this order: begin, removals, update count, updates, finish */

struct snapshot_update {
    uint16_t slot;
    uint8_t version;                  /* mod 16 */
    uint8_t distance;                 /* of the baseline, in versions: 1 to 15; 0 = full */
    uint64_t id;                      /* told when full */
    struct net_state state;           /* state.tick is the snapshot's tick */
    const struct net_state *baseline; /* when not full */
};

struct snapshot_writer {
    struct bit_writer bits;
    uint32_t tick;
    uint32_t next_slot; /* least slot the next entry may have */
};

/* snapshot_write_begin starts a snapshot in `size` bytes. */
void snapshot_write_begin(struct snapshot_writer *w, uint8_t *bytes, size_t size, const struct snapshot_header *header);

/* snapshot_write_removals writes the whole list of removals: ascending slots. */
void snapshot_write_removals(struct snapshot_writer *w, const uint16_t *slots, uint32_t count);

/* snapshot_write_update_count says how many updates follow; they come in ascending order of slots. */
void snapshot_write_update_count(struct snapshot_writer *w, uint32_t count);
void snapshot_write_update(struct snapshot_writer *w, const struct snapshot_update *update);

/* snapshot_write_finish returns the length in bytes; 0 when it did not fit. */
size_t snapshot_write_finish(struct snapshot_writer *w);

/* snapshot_update_bits returns what an update costs, without the code of its slot gap. */
uint32_t snapshot_update_bits(const struct snapshot_update *update, uint32_t tick);

/* --- reading */

/* What the client knows of one slot. Empty when id is 0. The current state is states[newest]. */
struct snapshot_slot {
    uint64_t id;
    uint16_t known; /* bit v: states[v] holds version v */
    uint8_t newest;
    struct net_state states[SNAPSHOT_VERSIONS];
};

/* One update of the last snapshot read. */
struct snapshot_change {
    uint16_t slot;
    uint8_t version;
    bool full;   /* the slot may have a new tenant: see id */
    uint64_t id; /* of the entity, also when not full */
    struct net_state state;
};

/* The client's table. `slots_used` bounds the slots that have ever been filled since the last reset. */
struct snapshot_table {
    uint32_t slots_max;
    uint32_t slots_used;
    bool any;                      /* a snapshot has been read */
    bool fresh;                    /* the last one began a stream: whatever was known before is gone */
    struct snapshot_header header; /* of the last one */
    struct snapshot_header parsed; /* of the one that is to be applied */
    uint32_t change_count;
    uint32_t removal_count; /* removals repeat: of slots that were empty already, too */
    struct snapshot_change *changes;
    uint16_t *removals;
    struct snapshot_slot *slots;
};

/* snapshot_table_create makes a table of `slots_max` slots, 1 to SNAPSHOT_SLOTS_MAX; NULL when there is no memory. Slots
 * that are never used cost address space only. */
struct snapshot_table *snapshot_table_create(uint32_t slots_max);
void snapshot_table_destroy(struct snapshot_table *table);

/* snapshot_table_reset forgets everything: for a new session. */
void snapshot_table_reset(struct snapshot_table *table);

/* snapshot_table_end_stream has the next snapshot begin a stream, whatever its number: it comes from another session. */
void snapshot_table_end_stream(struct snapshot_table *table);

/* snapshot_table_read takes in one snapshot and lists what changed in changes[] and removals[]. On an error the table is
 * as before, and the packet must NOT be acknowledged. MARCH_ERR_INVALID: malformed, or built on a baseline that is not
 * here. MARCH_ERR_REPLAY: of the same stream, and not newer than the last; or of a stream that has ended. */
must_check int snapshot_table_read(struct snapshot_table *table, const uint8_t *bytes, size_t len);

/* The same in two steps, for who wants to see the table as it was: parse checks a snapshot and lists what it changes, with
 * `fresh` set, and apply does it. Nothing may come between them that changes the table. */
must_check int snapshot_table_parse(struct snapshot_table *table, const uint8_t *bytes, size_t len);
void snapshot_table_apply(struct snapshot_table *table);

#endif
