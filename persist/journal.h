/* journal.h: records that survive, in the order in which they came.
 *
 * An append-only log in a directory of its own. Each record has a position: 1 for the first ever, one more each time.
 * journal_append only puts a record into memory. journal_update writes what has gathered as one block (a group commit) and
 * learns what has become durable; while a block is on its way the next one gathers. Nothing blocks but journal_open,
 * journal_recover and journal_close. JOURNAL.md has the bytes.
 *
 *     journal_open -> journal_recover -> { journal_append, journal_update, journal_durable, journal_release }
 *         -> journal_close
 *
 * Space: segments of `segment_bytes`, each allocated and filled with zeros before it is used, and the next one while the
 * current one fills; out of a segment that was released where there is one. So a commit changes no metadata of the file
 * system and never meets a full disk. When the next segment can't be had, because of `bytes_max` or because the disk is
 * full, the journal fills what it has, then is *full*: it refuses records, tries again every JOURNAL_RETRY_MS, and goes on
 * by itself once something was released or space returned.
 *
 * Failures: a block that can't be written or synced is fatal: the kernel may have dropped what it could not write, so no
 * later success would mean anything. It is logged as `journal.failed`, and the process aborts; recovery tells what is there.
 *
 * Recovery: a block that was on its way when the process died may be there or not, in part or whole; it was never
 * acknowledged, and is cut off. Whatever else is not as written is an error that names file, offset and what was expected:
 * the journal is then left as it is, for an operator to judge.
 *
 * One thread. A lock file keeps other processes out of the directory.
 */
#ifndef MARCH_PERSIST_JOURNAL_H
#define MARCH_PERSIST_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/histogram.h"

#define JOURNAL_ID_BYTES          16
#define JOURNAL_RECORD_BYTES_MAX  4096         /* far more than any record needs; a block holds a hundred of them */
#define JOURNAL_BLOCK_BYTES_MAX   (512u << 10) /* records of a block, before compression: two full reports of a zone */
#define JOURNAL_BLOCKS_MAX        16           /* gathered and not yet durable: 8 MiB, half a second at the greatest rate */
#define JOURNAL_SEGMENT_BYTES_MIN (2u << 20)   /* some blocks, however large */
#define JOURNAL_SEGMENT_BYTES_MAX (256u << 20) /* recovery reads a segment at once */
#define JOURNAL_SEGMENTS_MAX      4096
#define JOURNAL_IN_FLIGHT_MAX     4 /* blocks on their way to the disk */
#define JOURNAL_RETRY_MS          500
#define JOURNAL_ERROR_BYTES       512 /* room that the text of any error fits in */

struct journal_config {
    const char *dir;             /* created where it is not there; its parent must be. Copied */
    uint64_t segment_bytes;      /* JOURNAL_SEGMENT_BYTES_MIN to _MAX, a multiple of 4096 */
    uint64_t bytes_max;          /* of all segments; at least two, at most JOURNAL_SEGMENTS_MAX of them */
    unsigned in_flight_max;      /* 1 to JOURNAL_IN_FLIGHT_MAX; 0 is 2 */
    bool plain_io;               /* blocking calls, as where the kernel has no io_uring for us */
    struct histogram *commit_ns; /* from the write of a block until it is durable; NULL for none */
};

/* Counts since journal_open, and what is now. */
struct journal_stats {
    uint64_t records;      /* appended */
    uint64_t refused;      /* journal_append said MARCH_ERR_FULL */
    uint64_t blocks;       /* durable */
    uint64_t raw_bytes;    /* of records in these blocks */
    uint64_t stored_bytes; /* written for them */
    uint64_t recovered;    /* records given to the callback of journal_recover */
    uint64_t cut_bytes;    /* of a torn tail that recovery cut off */
    uint64_t released;     /* segments removed */
    uint64_t stalls;       /* a block had to wait because the next segment was not ready */
    uint64_t no_space;     /* attempts to get a segment that met bytes_max or a full disk */
    uint32_t segments;     /* files now, the one made ahead left out */
    uint64_t used_bytes;   /* in these */
    bool is_short;         /* there was no room for the next segment: what the current one has left is all there is */
};

struct journal;

/* journal_open locks the directory and reads which segments there are. `error` gets a line of text when it fails:
 * MARCH_ERR_EXISTS when another process has the journal, MARCH_ERR_INVALID when a segment is not what it should be,
 * MARCH_ERR_SYSTEM when the system refused. */
must_check int journal_open(const struct journal_config *config, struct journal **out, char *error, size_t error_size);

/* journal_close waits until all that was appended is durable (unless the journal is full), and frees everything. NULL is
 * fine. */
void journal_close(struct journal *journal);

/* journal_id names this journal: random bytes, made with the directory. A position means nothing without it. */
const uint8_t *journal_id(const struct journal *journal);

/* A record that was found. `bytes` is valid during the call. A negative return stops the recovery and is its result. */
typedef int (*journal_record_fn)(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len);

/* journal_recover calls `record` for each record after position `applied` (0 for all), in order, and cuts a torn tail. To be
 * called once, before the first append. Errors, with text: MARCH_ERR_INVALID when what is there is broken, or ends before
 * `applied`; MARCH_ERR_SYSTEM; or what `record` returned. */
must_check int journal_recover(struct journal *journal, uint64_t applied, journal_record_fn record, void *ctx, char *error,
                               size_t error_size);

/* journal_append takes a record, 1 to JOURNAL_RECORD_BYTES_MAX bytes, and tells its position. It does no I/O: the record is
 * in memory only until journal_durable says otherwise. MARCH_ERR_FULL when the journal is full (journal_is_full), or when
 * JOURNAL_BLOCKS_MAX blocks wait for the disk; nothing was taken then. */
must_check int journal_append(struct journal *journal, uint16_t type, const void *bytes, size_t len, uint64_t *position);

/* journal_update commits what has gathered and takes completions. To be called when journal_fd is readable, after every
 * bout of appends, and at least every 100 ms. */
void journal_update(struct journal *journal, struct mono now);

/* journal_fd becomes readable when there is something for journal_update. It stays the same until journal_close. */
int journal_fd(const struct journal *journal);

/* journal_wait blocks until everything appended is durable; for tests and for the end. MARCH_ERR_FULL when the journal is
 * full meanwhile. */
must_check int journal_wait(struct journal *journal);

/* journal_appended returns the position of the newest record, journal_durable the one up to which all are durable. */
uint64_t journal_appended(const struct journal *journal);
uint64_t journal_durable(const struct journal *journal);

/* journal_release says that records up to and with `position` are not needed any more: segments that hold nothing else are
 * removed. The newest segment always stays, so that positions go on where they were. Going back is ignored. */
void journal_release(struct journal *journal, uint64_t position);

/* journal_fill returns how much of bytes_max is used, 0 to 1: the alarm is at 0.5. */
double journal_fill(const struct journal *journal);

/* journal_is_full tells whether a record would be refused now for want of space. */
bool journal_is_full(const struct journal *journal);

struct journal_stats journal_stats_get(const struct journal *journal);

#endif
