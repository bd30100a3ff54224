/* replay.h: running a recording (zone/record.h) again.
 *
 * The file is checked as any input from outside: lengths, checks and fields before use; what does not hold is
 * MARCH_ERR_INVALID with the offset of the block. An incomplete last block is not an error, but said (`truncated`).
 */
#ifndef MARCH_ZONE_REPLAY_H
#define MARCH_ZONE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "zone/record.h"
#include "zone/sim.h"

struct replay;

struct replay_result {
    uint64_t ticks;  /* run */
    uint64_t hashes; /* compared */
    bool truncated;  /* the file ends in the middle of a block */
    bool differs;    /* the first difference: */
    uint64_t differs_tick;
    uint64_t expected_hash, hash;
    uint64_t bad_offset; /* with MARCH_ERR_INVALID: of the block that does not hold */
};

/* replay_open opens a recording and reads its header. MARCH_ERR_SYSTEM leaves errno; MARCH_ERR_INVALID: not a recording, or
 * of another version. */
must_check int replay_open(const char *path, struct record_header *header, struct replay **out);
void replay_close(struct replay *replay);

/* replay_run drives a new sim, created as the header says, through the recording, up to its end or the first difference. */
must_check int replay_run(struct replay *replay, struct sim *sim, struct replay_result *result);

/* replay_block runs one block's body; for replay_run and tests. */
must_check int replay_block(struct sim *sim, uint32_t gateways_max, const uint8_t *body, size_t len, uint64_t last_tick,
                            struct replay_result *result);

#endif
