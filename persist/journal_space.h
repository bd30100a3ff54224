/* journal_space.h: the segment made ahead, and segments removed, one operation of each at a time.
 *
 *     none -> opening -> allocating -> filling -> syncing -> naming -> ready -> (taken) none
 *               '------------'-----------'----------'-> short: no room; the file is removed, tried again later -> none
 *
 * A ready segment has all its blocks on the disk, as zeros, and a durable name: writing into it allocates nothing. It is
 * filled in pieces, no further than the journal asks, so that filling spreads over the time that the current segment takes
 * to fill. Running out of space, quota, descriptors or memory is a want of room; any other error is fatal (journal_fatal).
 */
#ifndef MARCH_PERSIST_JOURNAL_SPACE_H
#define MARCH_PERSIST_JOURNAL_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "persist/journal_dir.h"
#include "persist/journal_io.h"

#define JOURNAL_FILL_BYTES (256u << 10) /* a piece of zeros: short enough not to hold a commit up */

/* Tags of the operations; the journal's own are those of its flights. */
#define JOURNAL_SPACE_TAG  JOURNAL_IN_FLIGHT_MAX
#define JOURNAL_AHEAD_TAG  JOURNAL_SPACE_TAG
#define JOURNAL_REMOVE_TAG (JOURNAL_SPACE_TAG + 1)

enum journal_ahead {
    JOURNAL_AHEAD_NONE = 0,
    JOURNAL_AHEAD_OPENING = 1,
    JOURNAL_AHEAD_ALLOCATING = 2,
    JOURNAL_AHEAD_FILLING = 3,
    JOURNAL_AHEAD_SYNCING = 4,
    JOURNAL_AHEAD_NAMING = 5, /* the directory is synced */
    JOURNAL_AHEAD_READY = 6,
    JOURNAL_AHEAD_SHORT = 7, /* there was no room: the file is being removed */
    JOURNAL_AHEAD_COUNT = 8
};

struct journal_space {
    struct journal_io *io;
    int dir_fd;
    uint64_t segment_bytes;
    uint8_t *zeros;
    enum journal_ahead ahead;
    bool ahead_busy; /* an operation is under way */
    bool is_short;   /* the last attempt found no room */
    bool direct;     /* O_DIRECT works here */
    int fd;
    uint32_t index;
    uint64_t filled;
    char name[JOURNAL_NAME_SIZE];
    struct mono retry_at;
    uint64_t shortages; /* count */
    bool removing;
    char removing_name[JOURNAL_NAME_SIZE];
};

/* journal_fatal logs that the journal can't go on, and aborts. `error` is of errno's kind. */
__attribute__((noreturn, cold)) void journal_fatal(const char *what, const char *name, int error);

must_check int journal_space_init(struct journal_space *space, struct journal_io *io, int dir_fd, uint64_t segment_bytes);

/* journal_space_deinit closes and removes a segment that was made ahead. Nothing may be under way. Fine twice. */
void journal_space_deinit(struct journal_space *space);

/* journal_space_make begins, or goes on with, segment `index`: filled up to `fill_bytes` at least. */
void journal_space_make(struct journal_space *space, uint32_t index, uint64_t fill_bytes, struct mono now);

/* journal_space_take gives the ready segment away; the descriptor is the caller's. */
int journal_space_take(struct journal_space *space);

/* journal_space_remove begins to remove a segment's file. False while another removal is under way. */
bool journal_space_remove(struct journal_space *space, uint32_t index);

/* journal_space_complete takes the completion of an operation whose tag is JOURNAL_SPACE_TAG or greater. Returns true when a
 * removal is done. */
bool journal_space_complete(struct journal_space *space, uint64_t tag, int64_t result, struct mono now);

static inline bool journal_space_ready(const struct journal_space *space) {
    return space->ahead == JOURNAL_AHEAD_READY;
}

#endif
