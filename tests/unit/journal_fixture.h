/* journal_fixture.h: a journal in a temporary folder, and what a recovery gave back. */
#ifndef MARCH_TESTS_JOURNAL_FIXTURE_H
#define MARCH_TESTS_JOURNAL_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "persist/journal.h"

#define JOURNAL_FIXTURE_SEGMENT JOURNAL_SEGMENT_BYTES_MIN

struct journal_fixture {
    char dir[64];
    char error[JOURNAL_ERROR_BYTES];
    struct journal_config config;
    struct journal *journal;
    uint64_t seen_first, seen_last, seen_count; /* by the last recovery */
    uint64_t seen_bad;                          /* records that are not what was appended */
};

/* journal_fixture_record makes the bytes of the record at `position`: its number, then noise, so that nothing compresses. */
static inline size_t journal_fixture_record(uint64_t position, uint8_t *bytes, size_t len) {
    uint64_t z = position * 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < len; i++) {
        z ^= z << 13, z ^= z >> 7, z ^= z << 17;
        bytes[i] = (uint8_t)z;
    }
    memcpy(bytes, &position, len < 8 ? len : 8);
    return len;
}

static inline int journal_fixture_seen(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    struct journal_fixture *f = ctx;
    uint8_t expected[JOURNAL_RECORD_BYTES_MAX];
    journal_fixture_record(position, expected, len);
    if (memcmp(bytes, expected, len) != 0 || type != position % 7) f->seen_bad++;
    if (f->seen_count == 0) f->seen_first = position;
    if (f->seen_count > 0 && position != f->seen_last + 1) f->seen_bad++;
    f->seen_last = position;
    f->seen_count++;
    return 0;
}

static inline void journal_fixture_init(struct journal_fixture *f) {
    *f = (struct journal_fixture){0};
    snprintf(f->dir, sizeof f->dir, "%s/march-journal-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(f->dir) != NULL);
    f->config = (struct journal_config){
        .dir = f->dir, .segment_bytes = JOURNAL_FIXTURE_SEGMENT, .bytes_max = 8 * JOURNAL_FIXTURE_SEGMENT};
}

/* journal_fixture_empty removes the files of the folder. */
static inline void journal_fixture_empty(const char *path) {
    DIR *entries = opendir(path);
    CHECK(entries != NULL);
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        if (entry->d_name[0] != '.') CHECK(unlinkat(dirfd(entries), entry->d_name, 0) == 0);
    }
    closedir(entries);
}

/* journal_fixture_start opens and recovers; the result is the first error, with its text in f->error. */
static inline int journal_fixture_start(struct journal_fixture *f, uint64_t applied) {
    f->seen_first = f->seen_last = f->seen_count = f->seen_bad = 0;
    f->error[0] = '\0';
    int result = journal_open(&f->config, &f->journal, f->error, sizeof f->error);
    if (result) return result;
    result = journal_recover(f->journal, applied, journal_fixture_seen, f, f->error, sizeof f->error);
    if (result == 0) return 0;
    journal_close(f->journal);
    f->journal = NULL;
    return result;
}

static inline void journal_fixture_stop(struct journal_fixture *f) {
    journal_close(f->journal);
    f->journal = NULL;
}

static inline void journal_fixture_deinit(struct journal_fixture *f) {
    journal_fixture_stop(f);
    journal_fixture_empty(f->dir);
    CHECK(rmdir(f->dir) == 0);
}

/* journal_fixture_append appends one record of `len` bytes. */
static inline int journal_fixture_append(struct journal_fixture *f, size_t len) {
    uint8_t bytes[JOURNAL_RECORD_BYTES_MAX];
    uint64_t position = journal_appended(f->journal) + 1, got = 0;
    journal_fixture_record(position, bytes, len);
    int result = journal_append(f->journal, (uint16_t)(position % 7), bytes, len, &got);
    if (result == 0) CHECK(got == position);
    return result;
}

/* journal_fixture_commit appends `count` records and waits until they are durable. */
static inline int journal_fixture_commit(struct journal_fixture *f, unsigned count, size_t len) {
    for (unsigned i = 0; i < count; i++) {
        int result = journal_fixture_append(f, len);
        if (result) return result;
    }
    return journal_wait(f->journal);
}

static inline void journal_fixture_path(const struct journal_fixture *f, unsigned index, char path[96]) {
    snprintf(path, 96, "%s/%08u.journal", f->dir, index);
}

/* journal_fixture_load and _store read and write a file whole. */
static inline size_t journal_fixture_load(const char *path, uint8_t *bytes, size_t size) {
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t len = read(fd, bytes, size);
    CHECK(len >= 0);
    close(fd);
    return (size_t)len;
}

static inline void journal_fixture_store(const char *path, const uint8_t *bytes, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

#endif
