/* journal_space.h: the segment made ahead, and segments removed, one operation of each at a time.
 *
 *     none -> opening -> allocating -> filling -> syncing -> naming -> named -> ready -> (taken) none
 *       |       ^ '----------'-----------'----------'--------'-> short: no room; the file is removed, tried again later ->
 * none
 *       '-> recycling -> recycled
 *
 * A ready segment has all its blocks on the disk, as zeros, and a durable name: writing into it allocates nothing. It is
 * filled in pieces, no further than the journal asks, so that filling spreads over the time that the current segment takes
 * to fill. Until it is filled it has a name that is not a segment's, JOURNAL_AHEAD_NAME.
 *
 * A segment that is removed may be kept as JOURNAL_SPARE_NAME, one at a time, and is what the next one is made of: giving
 * its space back would hold commits up, on a file system that discards it for as long as that takes (80 ms for 64 MB). Its
 * records are overwritten only when it is durable that it has its old name no more. Running out of space, quota, descriptors
 * or memory is a want of room; any other error is fatal (journal_fatal).
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

#define JOURNAL_AHEAD_NAME "ahead"
#define JOURNAL_SPARE_NAME "spare"
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
    JOURNAL_AHEAD_NAMING = 5,
    JOURNAL_AHEAD_NAMED = 6, /* the directory is synced */
    JOURNAL_AHEAD_READY = 7,
    JOURNAL_AHEAD_SHORT = 8, /* there was no room: the file is being removed */
    JOURNAL_AHEAD_RECYCLING = 9,
    JOURNAL_AHEAD_RECYCLED = 10, /* the directory is synced */
    JOURNAL_AHEAD_COUNT = 11
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
    bool has_spare;
    int fd;
    uint32_t index;
    uint64_t filled;
    char name[JOURNAL_NAME_SIZE];
    struct mono retry_at;
    uint64_t shortages;     /* count */
    bool removing, keeping; /* keeping: what is removed becomes the spare one */
    char removing_name[JOURNAL_NAME_SIZE];
};

/* journal_fatal logs that the journal can't go on, and aborts. `error` is of errno's kind. */
__attribute__((noreturn, cold)) void journal_fatal(const char *what, const char *name, int error);

/* journal_space_init removes what an earlier start left. */
must_check int journal_space_init(struct journal_space *space, struct journal_io *io, int dir_fd, uint64_t segment_bytes);

/* journal_space_deinit closes and removes a segment that was made ahead, and a spare one. Nothing may be under way. Fine
 * twice. */
void journal_space_deinit(struct journal_space *space);

/* journal_space_make begins, or goes on with, segment `index`: filled up to `fill_bytes` at least. */
void journal_space_make(struct journal_space *space, uint32_t index, uint64_t fill_bytes, struct mono now);

/* journal_space_take gives the ready segment away; the descriptor is the caller's. */
int journal_space_take(struct journal_space *space);

/* journal_space_remove begins to remove a segment's file, or to keep it where there is no spare one; `is_whole`: it has all
 * its bytes. False while another removal is under way. */
bool journal_space_remove(struct journal_space *space, uint32_t index, bool is_whole);

/* journal_space_complete takes the completion of an operation whose tag is JOURNAL_SPACE_TAG or greater. Returns true when a
 * removal is done. */
bool journal_space_complete(struct journal_space *space, uint64_t tag, int64_t result, struct mono now);

static inline bool journal_space_ready(const struct journal_space *space) {
    return space->ahead == JOURNAL_AHEAD_READY;
}

#endif
