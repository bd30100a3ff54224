/* journal_space.c: see the states in the header; `step` begins what a state does, journal_space_complete moves on. */
#include "persist/journal_space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"

void journal_fatal(const char *what, const char *name, int error) {
    log_error("journal.failed", "operation=%s file=%s error=%s", what, LOG_QUOTE(name), LOG_QUOTE(strerror(error)));
    abort();
}

static bool remove_file(const struct journal_space *space, const char *name) {
    return unlinkat(space->dir_fd, name, 0) == 0 || errno == ENOENT;
}

int journal_space_init(struct journal_space *space, struct journal_io *io, int dir_fd, uint64_t segment_bytes) {
    *space = (struct journal_space){.io = io, .dir_fd = dir_fd, .segment_bytes = segment_bytes, .direct = true, .fd = -1};
    space->zeros = aligned_alloc(JOURNAL_PAGE, JOURNAL_FILL_BYTES);
    if (!space->zeros) return MARCH_ERR_SYSTEM;
    memset(space->zeros, 0, JOURNAL_FILL_BYTES);
    return remove_file(space, JOURNAL_AHEAD_NAME) && remove_file(space, JOURNAL_SPARE_NAME) ? 0 : MARCH_ERR_SYSTEM;
}

void journal_space_deinit(struct journal_space *space) {
    CHECK(!space->ahead_busy && !space->removing);
    if (space->fd >= 0) close(space->fd);
    /* What stays is removed by the next start. */
    if (space->fd >= 0) (void)!remove_file(space, space->ahead == JOURNAL_AHEAD_READY ? space->name : JOURNAL_AHEAD_NAME);
    if (space->has_spare) (void)!remove_file(space, JOURNAL_SPARE_NAME);
    space->has_spare = false;
    space->fd = -1;
    space->ahead = JOURNAL_AHEAD_NONE;
    free(space->zeros);
    space->zeros = NULL;
}

/* --- making a segment */

static struct journal_op rename_op(const struct journal_space *space, const char *name, const char *new_name) {
    return (struct journal_op){.kind = JOURNAL_OP_RENAME, .fd = space->dir_fd, .name = name, .new_name = new_name};
}

static struct journal_op step_op(const struct journal_space *space) {
    uint64_t left = space->segment_bytes - space->filled;
    switch (space->ahead) {
    case JOURNAL_AHEAD_OPENING:
        return (struct journal_op){.kind = JOURNAL_OP_OPEN,
                                   .fd = space->dir_fd,
                                   .name = JOURNAL_AHEAD_NAME,
                                   .open_flags = O_RDWR | O_CREAT | O_CLOEXEC | (space->direct ? O_DIRECT : 0)};
    case JOURNAL_AHEAD_ALLOCATING:
        return (struct journal_op){.kind = JOURNAL_OP_ALLOCATE, .fd = space->fd, .len = space->segment_bytes};
    case JOURNAL_AHEAD_FILLING:
        return (struct journal_op){.kind = JOURNAL_OP_WRITE,
                                   .fd = space->fd,
                                   .bytes = space->zeros,
                                   .offset = space->filled,
                                   .len = left < JOURNAL_FILL_BYTES ? left : JOURNAL_FILL_BYTES};
    case JOURNAL_AHEAD_SYNCING: return (struct journal_op){.kind = JOURNAL_OP_SYNC, .fd = space->fd};
    case JOURNAL_AHEAD_NAMING: return rename_op(space, JOURNAL_AHEAD_NAME, space->name);
    case JOURNAL_AHEAD_RECYCLING: return rename_op(space, JOURNAL_SPARE_NAME, JOURNAL_AHEAD_NAME);
    case JOURNAL_AHEAD_NAMED:
    case JOURNAL_AHEAD_RECYCLED: return (struct journal_op){.kind = JOURNAL_OP_SYNC, .fd = space->dir_fd};
    case JOURNAL_AHEAD_SHORT:
        return (struct journal_op){.kind = JOURNAL_OP_REMOVE, .fd = space->dir_fd, .name = JOURNAL_AHEAD_NAME};
    case JOURNAL_AHEAD_NONE:
    case JOURNAL_AHEAD_READY:
    case JOURNAL_AHEAD_COUNT: break;
    }
    CHECK(false); /* nothing to do in the other states */
    return (struct journal_op){0};
}

static void step(struct journal_space *space, enum journal_ahead state) {
    space->ahead = state;
    struct journal_op op = step_op(space);
    space->ahead_busy = true;
    journal_io_submit(space->io, &op, JOURNAL_AHEAD_TAG);
}

void journal_space_make(struct journal_space *space, uint32_t index, uint64_t fill_bytes, struct mono now) {
    if (space->ahead_busy) return;
    if (space->ahead == JOURNAL_AHEAD_NONE && now.ns >= space->retry_at.ns) {
        space->index = index;
        space->filled = 0;
        journal_segment_name(space->name, index);
        step(space, space->has_spare ? JOURNAL_AHEAD_RECYCLING : JOURNAL_AHEAD_OPENING);
    } else if (space->ahead == JOURNAL_AHEAD_FILLING && space->filled < fill_bytes) {
        step(space, JOURNAL_AHEAD_FILLING);
    }
}

int journal_space_take(struct journal_space *space) {
    CHECK(space->ahead == JOURNAL_AHEAD_READY);
    int fd = space->fd;
    space->fd = -1;
    space->ahead = JOURNAL_AHEAD_NONE;
    return fd;
}

/* --- completions */

static bool is_want_of_room(int error) {
    return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE || error == ENOMEM;
}

static void give_up(struct journal_space *space, struct mono now) {
    space->is_short = true;
    space->shortages++;
    space->retry_at = mono_add_ms(now, JOURNAL_RETRY_MS);
    if (space->fd >= 0) close(space->fd);
    space->fd = -1;
    step(space, JOURNAL_AHEAD_SHORT);
}

static void opened(struct journal_space *space, int64_t result, struct mono now) {
    if (result == -EINVAL && space->direct) { /* a file system without O_DIRECT */
        space->direct = false;
        step(space, JOURNAL_AHEAD_OPENING);
    } else if (result < 0) {
        if (!is_want_of_room((int)-result)) journal_fatal("open", space->name, (int)-result);
        give_up(space, now);
    } else {
        space->fd = (int)result;
        step(space, JOURNAL_AHEAD_ALLOCATING);
    }
}

static void filled(struct journal_space *space, int64_t result, struct mono now) {
    if (result <= 0 || result % JOURNAL_PAGE != 0) { /* part of a page: the disk is full within it */
        if (result < 0 && !is_want_of_room((int)-result)) journal_fatal("fill", space->name, (int)-result);
        give_up(space, now);
        return;
    }
    space->filled += (uint64_t)result;
    if (space->filled == space->segment_bytes) step(space, JOURNAL_AHEAD_SYNCING);
}

static void ahead_complete(struct journal_space *space, int64_t result, struct mono now) {
    space->ahead_busy = false;
    int error = result < 0 ? (int)-result : 0;
    switch (space->ahead) {
    case JOURNAL_AHEAD_OPENING: opened(space, result, now); return;
    case JOURNAL_AHEAD_ALLOCATING:
        if (error && error != EOPNOTSUPP && error != ENOSYS) { /* without fallocate the zeros allocate */
            if (!is_want_of_room(error)) journal_fatal("allocate", space->name, error);
            give_up(space, now);
            return;
        }
        space->ahead = JOURNAL_AHEAD_FILLING; /* goes on as far as it is asked to */
        return;
    case JOURNAL_AHEAD_FILLING: filled(space, result, now); return;
    case JOURNAL_AHEAD_SYNCING:
        if (error) journal_fatal("sync", space->name, error);
        step(space, JOURNAL_AHEAD_NAMING);
        return;
    case JOURNAL_AHEAD_NAMING:
        if (!error) {
            step(space, JOURNAL_AHEAD_NAMED);
            return;
        }
        if (!is_want_of_room(error)) journal_fatal("rename", space->name, error);
        give_up(space, now);
        return;
    case JOURNAL_AHEAD_NAMED:
        if (error) journal_fatal("sync", ".", error);
        space->ahead = JOURNAL_AHEAD_READY;
        space->is_short = false;
        return;
    case JOURNAL_AHEAD_RECYCLING:
        if (error && is_want_of_room(error)) {
            give_up(space, now);
            return;
        }
        if (error && error != ENOENT) journal_fatal("rename", JOURNAL_SPARE_NAME, error);
        space->has_spare = false;
        step(space, JOURNAL_AHEAD_RECYCLED);
        return;
    case JOURNAL_AHEAD_RECYCLED:
        if (error) journal_fatal("sync", ".", error);
        step(space, JOURNAL_AHEAD_OPENING);
        return;
    case JOURNAL_AHEAD_SHORT:
        if (error && error != ENOENT) journal_fatal("remove", JOURNAL_AHEAD_NAME, error);
        space->ahead = JOURNAL_AHEAD_NONE;
        return;
    case JOURNAL_AHEAD_NONE:
    case JOURNAL_AHEAD_READY:
    case JOURNAL_AHEAD_COUNT: break;
    }
    CHECK(false); /* nothing was under way */
}

static void begin_removal(struct journal_space *space, bool keeps) {
    struct journal_op op = {.kind = JOURNAL_OP_REMOVE, .fd = space->dir_fd, .name = space->removing_name};
    if (keeps) op = rename_op(space, space->removing_name, JOURNAL_SPARE_NAME);
    space->removing = true;
    space->keeping = keeps;
    journal_io_submit(space->io, &op, JOURNAL_REMOVE_TAG);
}

bool journal_space_remove(struct journal_space *space, uint32_t index, bool is_whole) {
    if (space->removing) return false;
    journal_segment_name(space->removing_name, index);
    begin_removal(space, is_whole && !space->has_spare);
    return true;
}

/* A removal is not synced by itself: a segment that comes back after a power cut is one that may be read or not. The next
 * segment's NAMED syncs it, or RECYCLED where it is overwritten. */
bool journal_space_complete(struct journal_space *space, uint64_t tag, int64_t result, struct mono now) {
    if (tag == JOURNAL_AHEAD_TAG) {
        ahead_complete(space, result, now);
        return false;
    }
    if (space->keeping && result < 0) { /* no room for the other name, perhaps */
        begin_removal(space, false);
        return false;
    }
    if (result < 0 && result != -ENOENT) journal_fatal("remove", space->removing_name, (int)-result);
    space->has_spare |= space->keeping;
    space->removing = false;
    return true;
}
