/* journal_replay.h: recovery: reads a directory's segments in order, hands out the records, and cuts the torn tail. Blocks.
 */
#ifndef MARCH_PERSIST_JOURNAL_REPLAY_H
#define MARCH_PERSIST_JOURNAL_REPLAY_H

#include "persist/journal_dir.h"

struct journal_replay_result {
    uint64_t last;      /* position of the newest record; 0 when there never was one */
    uint64_t records;   /* handed out */
    uint64_t cut_bytes; /* of the torn tail */
};

/* journal_replay does what journal_recover says. */
must_check int journal_replay(struct journal_dir *dir, uint64_t applied, journal_record_fn record, void *ctx,
                              struct journal_replay_result *result, char *error, size_t error_size);

#endif
