/* journal.c: gathering, committing, releasing.
 *
 * Records gather in a ring of blocks. The oldest is sealed into a flight's frame as soon as a flight is free, and written
 * where the last one ended, by one direct write with RWF_DSYNC: into space that was written before, that is the shortest way
 * to a durable block (one request to the disk; no journal of the file system, no second call for fdatasync). A new segment
 * is begun when no flight is under way, so that only the newest can ever be torn; its header goes with its first block.
 *
 * Two flights: while one is under way the next can already follow, which takes half a commit's time off the p99.
 */
#include "persist/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/journal_dir.h"
#include "persist/journal_io.h"
#include "persist/journal_replay.h"
#include "persist/journal_space.h"

#define IN_FLIGHT_DEFAULT 2
_Static_assert(JOURNAL_IN_FLIGHT_MAX + 2 <= JOURNAL_OPS_MAX, "blocks, a segment being made, one being removed");

struct gathered {
    uint8_t *bytes;
    uint32_t len, count;
    uint64_t first;
};

enum flight_state { FLIGHT_FREE = 0, FLIGHT_SEALED = 1, FLIGHT_WRITING = 2, FLIGHT_DURABLE = 3, FLIGHT_STATE_COUNT = 4 };

struct flight {
    uint8_t *bytes; /* a page for the segment's header, then the frame */
    struct journal_block block;
    enum flight_state state;
    size_t len; /* of the write */
    struct mono began;
};

struct journal {
    struct journal_config config;
    struct journal_dir dir; /* its segments: all that hold records, the current one last where there is one */
    struct journal_io *io;
    struct journal_space space;
    struct journal_codec *codec;
    struct gathered gathered[JOURNAL_BLOCKS_MAX]; /* a ring */
    uint32_t gathered_head, gathered_count;       /* the newest takes records */
    struct flight flights[JOURNAL_IN_FLIGHT_MAX]; /* a ring of in_flight_max */
    uint32_t flight_head, flight_count;
    int fd;          /* of the current segment, -1 where there is none */
    uint64_t offset; /* of the next block in it */
    uint32_t next_index;
    uint64_t appended, durable, released;
    uint64_t closed_bytes; /* of the segments but the current */
    bool recovered, stalled, removing, at_limit;
    struct journal_stats stats;
};

/* --- open and close */

static int config_check(const struct journal_config *config, char *error, size_t error_size) {
    uint64_t segment = config->segment_bytes;
    if (segment < JOURNAL_SEGMENT_BYTES_MIN || segment > JOURNAL_SEGMENT_BYTES_MAX || segment % JOURNAL_PAGE != 0) {
        snprintf(error, error_size, "segment_bytes: %llu, expected a multiple of %u from %u to %u",
                 (unsigned long long)segment, JOURNAL_PAGE, JOURNAL_SEGMENT_BYTES_MIN, JOURNAL_SEGMENT_BYTES_MAX);
        return MARCH_ERR_INVALID;
    }
    /* Half of what the table of segments holds: those of earlier starts may be shorter. */
    if (config->bytes_max < 2 * segment || config->bytes_max / segment > JOURNAL_SEGMENTS_MAX / 2) {
        snprintf(error, error_size, "bytes_max: %llu, expected 2 to %d segments of %llu",
                 (unsigned long long)config->bytes_max, JOURNAL_SEGMENTS_MAX / 2, (unsigned long long)segment);
        return MARCH_ERR_INVALID;
    }
    if (config->in_flight_max <= JOURNAL_IN_FLIGHT_MAX) return 0;
    snprintf(error, error_size, "in_flight_max: %u, expected at most %d", config->in_flight_max, JOURNAL_IN_FLIGHT_MAX);
    return MARCH_ERR_INVALID;
}

static int memory_open(struct journal *j) {
    for (int i = 0; i < JOURNAL_BLOCKS_MAX; i++) {
        j->gathered[i].bytes = malloc(JOURNAL_BLOCK_BYTES_MAX);
        if (!j->gathered[i].bytes) return MARCH_ERR_SYSTEM;
    }
    for (unsigned i = 0; i < j->config.in_flight_max; i++) {
        j->flights[i].bytes = aligned_alloc(JOURNAL_PAGE, JOURNAL_PAGE + JOURNAL_FRAME_MAX);
        if (!j->flights[i].bytes) return MARCH_ERR_SYSTEM;
    }
    j->codec = journal_codec_create();
    return j->codec ? 0 : MARCH_ERR_SYSTEM;
}

static bool has_id(const struct journal *j) {
    static const uint8_t none[JOURNAL_ID_BYTES];
    return memcmp(j->dir.id, none, sizeof none) != 0;
}

static void journal_free(struct journal *j) {
    if (j->space.zeros) journal_space_deinit(&j->space);
    journal_io_close(j->io);
    journal_codec_destroy(j->codec);
    for (int i = 0; i < JOURNAL_BLOCKS_MAX; i++) free(j->gathered[i].bytes);
    for (int i = 0; i < JOURNAL_IN_FLIGHT_MAX; i++) free(j->flights[i].bytes);
    if (j->fd >= 0) close(j->fd);
    journal_dir_close(&j->dir);
    free(j);
}

int journal_open(const struct journal_config *config, struct journal **out, char *error, size_t error_size) {
    int result = config_check(config, error, error_size);
    if (result) return result;
    struct journal *j = calloc(1, sizeof *j);
    if (!j) {
        snprintf(error, error_size, "%s: out of memory", config->dir);
        return MARCH_ERR_SYSTEM;
    }
    j->config = *config;
    j->config.dir = NULL;
    if (j->config.in_flight_max == 0) j->config.in_flight_max = IN_FLIGHT_DEFAULT;
    j->fd = -1;
    result = journal_dir_open(&j->dir, config->dir, error, error_size);
    if (!result) {
        result = memory_open(j);
        if (!result) result = journal_io_open(config->plain_io, &j->io);
        if (!result) result = journal_space_init(&j->space, j->io, j->dir.fd, config->segment_bytes);
        if (!result && !has_id(j) && getrandom(j->dir.id, JOURNAL_ID_BYTES, 0) != JOURNAL_ID_BYTES)
            result = MARCH_ERR_SYSTEM;
        if (result) snprintf(error, error_size, "%s: %s", config->dir, strerror(errno));
    }
    if (result) {
        journal_free(j);
        return result;
    }
    *out = j;
    return 0;
}

int journal_recover(struct journal *j, uint64_t applied, journal_record_fn record, void *ctx, char *error,
                    size_t error_size) {
    CHECK(!j->recovered);
    struct journal_replay_result replayed;
    uint32_t newest = j->dir.count > 0 ? j->dir.segments[j->dir.count - 1].index : 0;
    int result = journal_replay(&j->dir, applied, record, ctx, &replayed, error, error_size);
    if (result) return result;
    j->appended = j->durable = replayed.last;
    j->next_index = newest + 1;
    j->stats.recovered = replayed.records;
    j->stats.cut_bytes = replayed.cut_bytes;
    for (uint32_t i = 0; i < j->dir.count; i++) j->closed_bytes += j->dir.segments[i].bytes;
    j->recovered = true;
    journal_release(j, applied);
    return 0;
}

void journal_close(struct journal *j) {
    if (!j) return;
    if (j->recovered && journal_wait(j) != 0)
        log_error("journal.unfinished", "appended=%" PRIu64 " durable=%" PRIu64, j->appended, j->durable);
    uint64_t tag;
    int64_t result;
    while (j->io && journal_io_count(j->io) > 0) { /* a segment made ahead, or removed */
        journal_io_wait(j->io);
        while (journal_io_next(j->io, &tag, &result)) {
            if (tag >= JOURNAL_SPACE_TAG) (void)journal_space_complete(&j->space, tag, result, mono_now());
        }
    }
    journal_free(j);
}

/* --- space */

static uint64_t left_in_segment(const struct journal *j) {
    return j->fd >= 0 ? j->config.segment_bytes - j->offset : 0;
}

static bool is_at_limit(const struct journal *j) {
    if (j->dir.count + 1 >= JOURNAL_SEGMENTS_MAX) return true; /* thousands of starts without a release */
    uint64_t current = j->fd >= 0 ? j->config.segment_bytes : 0;
    if (j->fd < 0 && j->dir.count <= 1) return false; /* one of an earlier start, which can't go before it has a successor */
    return j->closed_bytes + current + j->config.segment_bytes > j->config.bytes_max;
}

/* has_room tells whether a block of `raw_len` bytes more would find room for sure, however badly it all compresses. */
static bool has_room(const struct journal *j, size_t raw_len) {
    if (journal_space_ready(&j->space) || !(j->space.is_short || is_at_limit(j))) return true;
    uint64_t need = journal_block_bound(raw_len);
    for (uint32_t i = 0; i < j->gathered_count; i++)
        need += journal_block_bound(j->gathered[(j->gathered_head + i) % JOURNAL_BLOCKS_MAX].len);
    for (uint32_t i = 0; i < j->flight_count; i++) {
        const struct flight *flight = &j->flights[(j->flight_head + i) % j->config.in_flight_max];
        if (flight->state == FLIGHT_SEALED) need += flight->block.size;
    }
    return need <= left_in_segment(j);
}

bool journal_is_full(const struct journal *j) {
    return !has_room(j, JOURNAL_RECORD_BYTES_MAX + JOURNAL_RECORD_HEADER);
}

/* make_ahead keeps the next segment twice as far filled as the current one, while no block is on its way, which would wait
 * for the same disk; else one and a half times as far. It hurries when it is waited for. */
static void make_ahead(struct journal *j, struct mono now) {
    if (j->space.ahead == JOURNAL_AHEAD_NONE && is_at_limit(j)) {
        if (j->fd >= 0 && left_in_segment(j) > JOURNAL_FRAME_MAX) return;
        if (!j->at_limit) j->stats.no_space++;
        j->at_limit = true;
        return;
    }
    j->at_limit = false;
    uint64_t lead = j->flight_count > 0 ? j->offset / 2 : j->offset + JOURNAL_FILL_BYTES;
    uint64_t target = j->fd < 0 || j->stalled ? j->config.segment_bytes : j->offset + lead;
    journal_space_make(&j->space, j->next_index, target, now);
}

/* remove_released removes the oldest segment when it is not needed: its successor holds something durable. */
static void remove_released(struct journal *j) {
    const struct journal_dir *dir = &j->dir;
    if (j->removing || dir->count < 2) return;
    uint64_t next_first = dir->segments[1].first;
    if (next_first > j->released + 1 || next_first > j->durable) return;
    j->removing = journal_space_remove(&j->space, dir->segments[0].index, dir->segments[0].bytes == j->config.segment_bytes);
}

static void removed(struct journal *j) {
    struct journal_dir *dir = &j->dir;
    j->removing = false;
    j->closed_bytes -= dir->segments[0].bytes;
    memmove(dir->segments, dir->segments + 1, --dir->count * sizeof *dir->segments);
    j->stats.released++;
}

void journal_release(struct journal *j, uint64_t position) {
    CHECK(position <= j->durable);
    if (position > j->released) j->released = position;
}

/* --- committing */

/* rotate begins the segment that was made ahead. Its header is written in front of its first block. */
static void rotate(struct journal *j) {
    struct journal_dir *dir = &j->dir;
    CHECK(dir->count < JOURNAL_SEGMENTS_MAX);
    if (j->fd >= 0) {
        close(j->fd);
        dir->segments[dir->count - 1].bytes = j->config.segment_bytes;
        j->closed_bytes += j->config.segment_bytes;
    }
    dir->segments[dir->count++] = (struct journal_segment){.index = j->space.index, .first = j->durable + 1};
    j->fd = journal_space_take(&j->space);
    j->offset = 0;
    j->next_index++;
    j->stalled = false;
}

static void seal(struct journal *j, struct flight *flight) {
    struct gathered *oldest = &j->gathered[j->gathered_head];
    flight->block = (struct journal_block){
        .first = oldest->first, .durable = j->durable, .raw_len = oldest->len, .count = oldest->count};
    journal_block_seal(j->codec, &flight->block, oldest->bytes, flight->bytes + JOURNAL_PAGE);
    flight->state = FLIGHT_SEALED;
    oldest->len = oldest->count = 0;
    j->gathered_head = (j->gathered_head + 1) % JOURNAL_BLOCKS_MAX;
    j->gathered_count--;
}

/* flight_next returns the flight that is to be written next, sealing the oldest gathered block; NULL when there is none. */
static struct flight *flight_next(struct journal *j) {
    if (j->flight_count > 0) {
        struct flight *newest = &j->flights[(j->flight_head + j->flight_count - 1) % j->config.in_flight_max];
        if (newest->state == FLIGHT_SEALED) return newest;
    }
    if (j->gathered_count == 0 || j->flight_count == j->config.in_flight_max) return NULL;
    struct flight *flight = &j->flights[(j->flight_head + j->flight_count++) % j->config.in_flight_max];
    seal(j, flight);
    return flight;
}

/* place finds room for the flight; false when it must wait for what is under way, or for the next segment. */
static bool place(struct journal *j, const struct flight *flight) {
    if (flight->block.size <= left_in_segment(j)) return true;
    if (j->flight_count > 1) return false;
    if (journal_space_ready(&j->space)) {
        rotate(j);
        return true;
    }
    j->stats.stalls += !j->stalled;
    j->stalled = true;
    return false;
}

static bool commit_next(struct journal *j, struct mono now) {
    struct flight *flight = flight_next(j);
    if (!flight || !place(j, flight)) return false;
    const uint8_t *bytes = flight->bytes + JOURNAL_PAGE;
    flight->len = flight->block.size;
    if (j->offset == 0) {
        const struct journal_segment *segment = &j->dir.segments[j->dir.count - 1];
        struct journal_segment_header header = {.index = segment->index, .first = segment->first};
        memcpy(header.id, j->dir.id, JOURNAL_ID_BYTES);
        journal_segment_encode(flight->bytes, &header);
        bytes = flight->bytes;
        flight->len += JOURNAL_PAGE;
    }
    flight->state = FLIGHT_WRITING;
    flight->began = now;
    struct journal_op op = {.kind = JOURNAL_OP_COMMIT, .fd = j->fd, .bytes = bytes, .offset = j->offset, .len = flight->len};
    j->offset += flight->len;
    journal_io_submit(j->io, &op, (uint64_t)(flight - j->flights));
    return true;
}

static void landed(struct journal *j, struct flight *flight, int64_t result, struct mono now) {
    CHECK(flight->state == FLIGHT_WRITING);
    if (result != (int64_t)flight->len) {
        char name[JOURNAL_NAME_SIZE];
        journal_segment_name(name, j->dir.segments[j->dir.count - 1].index);
        journal_fatal("write", name, result < 0 ? (int)-result : EIO);
    }
    flight->state = FLIGHT_DURABLE;
    if (j->config.commit_ns) histogram_record(j->config.commit_ns, mono_since_ns(now, flight->began));
    while (j->flight_count > 0 && j->flights[j->flight_head].state == FLIGHT_DURABLE) {
        struct flight *oldest = &j->flights[j->flight_head];
        oldest->state = FLIGHT_FREE;
        j->durable = oldest->block.first + oldest->block.count - 1;
        j->stats.blocks++;
        j->stats.raw_bytes += oldest->block.raw_len;
        j->stats.stored_bytes += oldest->len;
        j->flight_head = (j->flight_head + 1) % j->config.in_flight_max;
        j->flight_count--;
    }
}

void journal_update(struct journal *j, struct mono now) {
    CHECK(j->recovered);
    uint64_t tag;
    int64_t result;
    bool again;
    do { /* plain operations complete at once */
        again = false;
        while (journal_io_next(j->io, &tag, &result)) {
            again = true;
            if (tag < JOURNAL_SPACE_TAG) {
                landed(j, &j->flights[tag], result, now);
            } else if (journal_space_complete(&j->space, tag, result, now)) {
                removed(j);
            }
        }
        while (commit_next(j, now)) continue;
        remove_released(j);
        make_ahead(j, now);
    } while (again);
}

int journal_wait(struct journal *j) {
    for (;;) {
        journal_update(j, mono_now());
        if (j->durable == j->appended) return 0;
        if (journal_io_count(j->io) == 0 && (j->space.is_short || is_at_limit(j))) return MARCH_ERR_FULL;
        if (journal_io_count(j->io) > 0) journal_io_wait(j->io);
    }
}

/* --- appending */

/* room_to_gather returns the block that takes `size` bytes more, NULL when the ring is full. */
static struct gathered *room_to_gather(struct journal *j, size_t size) {
    if (j->gathered_count > 0) {
        struct gathered *newest = &j->gathered[(j->gathered_head + j->gathered_count - 1) % JOURNAL_BLOCKS_MAX];
        if (newest->len + size <= JOURNAL_BLOCK_BYTES_MAX) return newest;
    }
    if (j->gathered_count == JOURNAL_BLOCKS_MAX) return NULL;
    struct gathered *next = &j->gathered[(j->gathered_head + j->gathered_count++) % JOURNAL_BLOCKS_MAX];
    next->first = j->appended + 1;
    return next;
}

int journal_append(struct journal *j, uint16_t type, const void *bytes, size_t len, uint64_t *position) {
    CHECK(j->recovered && len > 0 && len <= JOURNAL_RECORD_BYTES_MAX);
    size_t size = journal_record_size(len);
    struct gathered *block = has_room(j, size) ? room_to_gather(j, size) : NULL;
    if (!block) {
        j->stats.refused++;
        return MARCH_ERR_FULL;
    }
    journal_record_put(block->bytes + block->len, type, bytes, len);
    block->len += (uint32_t)size;
    block->count++;
    *position = ++j->appended;
    j->stats.records++;
    return 0;
}

/* --- questions */

const uint8_t *journal_id(const struct journal *j) {
    return j->dir.id;
}

int journal_fd(const struct journal *j) {
    return journal_io_fd(j->io);
}

uint64_t journal_appended(const struct journal *j) {
    return j->appended;
}

uint64_t journal_durable(const struct journal *j) {
    return j->durable;
}

static uint64_t used_bytes(const struct journal *j) {
    return j->closed_bytes + (j->fd >= 0 ? j->offset : 0);
}

double journal_fill(const struct journal *j) {
    double fill = (double)used_bytes(j) / (double)j->config.bytes_max;
    return fill < 1.0 ? fill : 1.0;
}

struct journal_stats journal_stats_get(const struct journal *j) {
    struct journal_stats stats = j->stats;
    stats.no_space += j->space.shortages;
    stats.segments = j->dir.count;
    stats.used_bytes = used_bytes(j);
    stats.is_short = j->space.is_short;
    return stats;
}
