/* journal_dir.c: lock, list, read and cut. */
#include "persist/journal_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE  0700
#define FILE_MODE 0600
#define ID_ZERO   ((const uint8_t[JOURNAL_ID_BYTES]){0})

void journal_segment_name(char name[JOURNAL_NAME_SIZE], uint32_t index) {
    snprintf(name, JOURNAL_NAME_SIZE, "%08" PRIu32 ".journal", index);
}

static int system_error(const struct journal_dir *dir, const char *name, const char *what, char *error, size_t error_size) {
    snprintf(error, error_size, "%s/%s: %s: %s", dir->path, name, what, strerror(errno));
    return MARCH_ERR_SYSTEM;
}

int journal_fault_text(const struct journal_dir *dir, uint32_t index, const struct journal_fault *fault, char *error,
                       size_t error_size) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(name, index);
    snprintf(error, error_size,
             "%s/%s: offset %" PRIu64 ": %s is %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64 ")", dir->path,
             name, fault->offset, fault->what, fault->found, fault->found, fault->expected, fault->expected);
    return MARCH_ERR_INVALID;
}

/* --- lock */

static int lock(struct journal_dir *dir, char *error, size_t error_size) {
    if (mkdir(dir->path, DIR_MODE) != 0 && errno != EEXIST) return system_error(dir, "", "mkdir", error, error_size);
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0) return system_error(dir, "", "open", error, error_size);
    dir->lock_fd = openat(dir->fd, JOURNAL_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (dir->lock_fd < 0) return system_error(dir, JOURNAL_LOCK_NAME, "open", error, error_size);
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return system_error(dir, JOURNAL_LOCK_NAME, "flock", error, error_size);
    snprintf(error, error_size, "%s: another process has this journal open", dir->path);
    return MARCH_ERR_EXISTS;
}

/* --- list */

static uint32_t index_of(const char *name) {
    char expected[JOURNAL_NAME_SIZE];
    unsigned long index = strtoul(name, NULL, 10);
    if (index == 0 || index > JOURNAL_INDEX_MAX) return 0;
    journal_segment_name(expected, (uint32_t)index);
    return strcmp(name, expected) == 0 ? (uint32_t)index : 0;
}

static int by_index(const void *a, const void *b) {
    const struct journal_segment *left = a, *right = b;
    return (left->index > right->index) - (left->index < right->index);
}

static int list(struct journal_dir *dir, char *error, size_t error_size) {
    dir->segments = calloc(JOURNAL_SEGMENTS_MAX, sizeof *dir->segments);
    int fd = dup(dir->fd);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (!dir->segments || !entries) {
        if (fd >= 0 && !entries) close(fd);
        if (entries) closedir(entries);
        return system_error(dir, "", "opendir", error, error_size);
    }
    const struct dirent *entry;
    bool many = false;
    while ((entry = readdir(entries)) && !many) {
        uint32_t index = index_of(entry->d_name);
        if (index == 0) continue;
        many = dir->count == JOURNAL_SEGMENTS_MAX;
        if (!many) dir->segments[dir->count++].index = index;
    }
    closedir(entries);
    if (many) {
        snprintf(error, error_size, "%s: more than %d segments", dir->path, JOURNAL_SEGMENTS_MAX);
        return MARCH_ERR_INVALID;
    }
    qsort(dir->segments, dir->count, sizeof *dir->segments, by_index);
    return 0;
}

/* --- headers */

static int read_page(const struct journal_dir *dir, struct journal_segment *segment, uint8_t page[JOURNAL_PAGE], size_t *len,
                     char *error, size_t error_size) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(name, segment->index);
    int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return system_error(dir, name, "open", error, error_size);
    struct stat stat;
    ssize_t got = fstat(fd, &stat) == 0 ? pread(fd, page, JOURNAL_PAGE, 0) : -1;
    int result = got < 0 ? system_error(dir, name, "read", error, error_size) : 0;
    close(fd);
    if (result) return result;
    segment->bytes = (uint64_t)stat.st_size;
    *len = (size_t)got;
    return 0;
}

static int id_check(struct journal_dir *dir, const struct journal_segment *segment,
                    const struct journal_segment_header *header, char *error, size_t error_size) {
    if (memcmp(dir->id, ID_ZERO, JOURNAL_ID_BYTES) == 0) memcpy(dir->id, header->id, JOURNAL_ID_BYTES);
    struct journal_fault fault = {.what = "index in the segment header", .expected = segment->index, .found = header->index};
    if (header->index != segment->index) return journal_fault_text(dir, segment->index, &fault, error, error_size);
    if (memcmp(dir->id, header->id, JOURNAL_ID_BYTES) == 0) return 0;
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(name, segment->index);
    snprintf(error, error_size, "%s/%s: is of another journal than the segments before it", dir->path, name);
    return MARCH_ERR_INVALID;
}

/* header_read learns what segment `at` begins with. Only the last may be unused or torn. */
static int header_read(struct journal_dir *dir, uint32_t at, char *error, size_t error_size) {
    struct journal_segment *segment = &dir->segments[at];
    uint8_t page[JOURNAL_PAGE] = {0};
    size_t len = 0;
    int result = read_page(dir, segment, page, &len, error, error_size);
    if (result) return result;
    struct journal_segment_header header;
    struct journal_fault fault;
    result = journal_segment_decode(page, len, &header, &fault);
    bool last = at + 1 == dir->count;
    if (result == 0) {
        segment->first = header.first;
        return id_check(dir, segment, &header, error, error_size);
    }
    if (result == MARCH_ERR_EMPTY && last) return journal_dir_cut(dir, at, 0, error, error_size);
    if (result == MARCH_ERR_INVALID && last) return 0; /* journal_recover judges what is behind it */
    (void)journal_fault_text(dir, segment->index, &fault, error, error_size);
    return result == MARCH_ERR_EMPTY ? MARCH_ERR_INVALID : result;
}

int journal_dir_open(struct journal_dir *dir, const char *path, char *error, size_t error_size) {
    *dir = (struct journal_dir){.fd = -1, .lock_fd = -1};
    if (strlen(path) >= sizeof dir->path) {
        snprintf(error, error_size, "%s: longer than %zu bytes", path, sizeof dir->path - 1);
        return MARCH_ERR_INVALID;
    }
    snprintf(dir->path, sizeof dir->path, "%s", path);
    int result = lock(dir, error, error_size);
    if (!result) result = list(dir, error, error_size);
    /* From the newest on: a segment that was made ahead is gone before the one before it is judged. */
    for (uint32_t at = dir->count; !result && at > 0; at--) result = header_read(dir, at - 1, error, error_size);
    if (result) journal_dir_close(dir);
    return result;
}

void journal_dir_close(struct journal_dir *dir) {
    free(dir->segments);
    dir->segments = NULL;
    dir->count = 0;
    if (dir->lock_fd >= 0) close(dir->lock_fd);
    if (dir->fd >= 0) close(dir->fd);
    dir->lock_fd = dir->fd = -1;
}

/* --- one segment */

static int read_all(int fd, uint8_t *bytes, size_t len) {
    size_t got = 0;
    while (got < len) {
        ssize_t count = pread(fd, bytes + got, len - got, (off_t)got);
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = EIO; /* it was this long a moment ago, and it is ours */
        if (count <= 0) return MARCH_ERR_SYSTEM;
        got += (size_t)count;
    }
    return 0;
}

int journal_dir_read(const struct journal_dir *dir, const struct journal_segment *segment, uint8_t **bytes, size_t *len,
                     char *error, size_t error_size) {
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(name, segment->index);
    if (segment->bytes > JOURNAL_SEGMENT_BYTES_MAX) {
        snprintf(error, error_size, "%s/%s: %" PRIu64 " bytes, expected at most %u", dir->path, name, segment->bytes,
                 JOURNAL_SEGMENT_BYTES_MAX);
        return MARCH_ERR_INVALID;
    }
    int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return system_error(dir, name, "open", error, error_size);
    *len = (size_t)segment->bytes;
    *bytes = malloc(*len + 1);
    int result = *bytes && read_all(fd, *bytes, *len) == 0 ? 0 : system_error(dir, name, "read", error, error_size);
    if (result) free(*bytes);
    close(fd);
    return result;
}

static int truncate_durably(const struct journal_dir *dir, const char *name, uint64_t bytes) {
    int fd = openat(dir->fd, name, O_RDWR | O_CLOEXEC);
    if (fd < 0) return MARCH_ERR_SYSTEM;
    int result = ftruncate(fd, (off_t)bytes) == 0 && fsync(fd) == 0 ? 0 : MARCH_ERR_SYSTEM;
    int saved = errno;
    close(fd);
    errno = saved;
    return result;
}

int journal_dir_cut(struct journal_dir *dir, uint32_t at, uint64_t bytes, char *error, size_t error_size) {
    struct journal_segment *segment = &dir->segments[at];
    char name[JOURNAL_NAME_SIZE];
    journal_segment_name(name, segment->index);
    if (bytes > 0) {
        segment->bytes = bytes;
        int result = truncate_durably(dir, name, bytes);
        return result ? system_error(dir, name, "truncate", error, error_size) : 0;
    }
    if (unlinkat(dir->fd, name, 0) != 0 || fsync(dir->fd) != 0) return system_error(dir, name, "unlink", error, error_size);
    memmove(segment, segment + 1, (dir->count - at - 1) * sizeof *segment);
    dir->count--;
    return 0;
}
