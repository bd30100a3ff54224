#include "common/map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_system(const char *path, const char *what, char *error, size_t error_size) {
    int result = errno == ENOENT ? MARCH_ERR_NOT_FOUND : MARCH_ERR_SYSTEM;
    snprintf(error, error_size, "%s: cannot %s: %s", path, what, strerror(errno));
    return result;
}

/* read_at reads exactly `len` bytes; fewer are told as a fault. */
static int read_at(const struct map_file *f, uint64_t offset, void *bytes, size_t len, char *error, size_t error_size) {
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(f->fd, (uint8_t *)bytes + got, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_system(f->path, "read", error, error_size);
        if (n == 0) {
            struct map_fault fault = {offset + got, "size of the file, at least", offset + len, offset + got};
            map_fault_text(f->path, &fault, error, error_size);
            return MARCH_ERR_INVALID;
        }
        got += (size_t)n;
    }
    return 0;
}

/* open_regular opens a regular file. Non-blocking, so that a pipe in its place can't hang us. */
static int open_regular(struct map_file *f, uint64_t *bytes, char *error, size_t error_size) {
    struct stat status;
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0) return fail_system(f->path, "open", error, error_size);
    if (fstat(f->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(error, error_size, "%s: expected a regular file", f->path);
        return MARCH_ERR_SYSTEM;
    }
    *bytes = (uint64_t)status.st_size;
    return 0;
}

static int read_index(struct map_file *f, const uint8_t head[MAP_HEADER_BYTES], char *error, size_t error_size) {
    size_t len = f->header.chunk_count * sizeof *f->entries;
    struct map_fault fault;
    f->entries = malloc(len + 1);
    if (!f->entries) return fail_system(f->path, "read", error, error_size);
    int result = read_at(f, MAP_HEADER_BYTES, f->entries, len, error, error_size);
    if (result != 0) return result;
    result = map_index_check(head, &f->header, f->entries, &fault);
    if (result != 0) map_fault_text(f->path, &fault, error, error_size);
    return result;
}

static int open_all(struct map_file *f, char *error, size_t error_size) {
    uint8_t head[MAP_HEADER_BYTES];
    uint64_t bytes = 0;
    struct map_fault fault;
    int result = open_regular(f, &bytes, error, error_size);
    size_t len = bytes < sizeof head ? (size_t)bytes : sizeof head;
    if (result == 0) result = read_at(f, 0, head, len, error, error_size);
    if (result != 0) return result;
    result = map_header_decode(head, len, bytes, &f->header, &fault);
    if (result == 0) return read_index(f, head, error, error_size);
    map_fault_text(f->path, &fault, error, error_size);
    return result;
}

int map_file_open(struct map_file *f, const char *path, char *error, size_t error_size) {
    *f = (struct map_file){.fd = -1, .path = strdup(path)};
    if (!f->path) return fail_system(path, "open", error, error_size);
    int result = open_all(f, error, error_size);
    if (result != 0) map_file_close(f);
    return result;
}

void map_file_close(struct map_file *f) {
    if (f->fd >= 0) close(f->fd);
    free(f->entries);
    free(f->path);
    *f = (struct map_file){.fd = -1};
}

int map_file_read(const struct map_file *f, uint32_t index, struct map_box *boxes, char *error, size_t error_size) {
    const struct map_entry *entry = &f->entries[index];
    uint64_t offset = map_boxes_offset(&f->header, entry->first);
    struct map_fault fault;
    int result = read_at(f, offset, boxes, entry->count * sizeof *boxes, error, error_size);
    if (result != 0) return result;
    result = map_chunk_check(&f->header, entry, boxes, &fault);
    if (result != 0) map_fault_text(f->path, &fault, error, error_size);
    return result;
}

/* --- all of it */

static int check_all(const struct map_file *f, const struct map_totals *totals, const uint8_t hash[MAP_HASH_BYTES],
                     char *error, size_t error_size) {
    struct map_fault fault;
    int result = map_totals_check(totals, &f->header, &fault);
    if (result != 0) {
        map_fault_text(f->path, &fault, error, error_size);
        return result;
    }
    if (memcmp(hash, f->header.hash, MAP_HASH_BYTES) == 0) return 0;
    snprintf(error, error_size, "%s: offset %u: expected hash %s, found %s", f->path, MAP_HASH_OFFSET,
             map_hash_text(hash, (char[MAP_TEXT_SIZE]){0}), map_hash_text(f->header.hash, (char[MAP_TEXT_SIZE]){0}));
    return MARCH_ERR_INVALID;
}

int map_file_verify(const struct map_file *f, char *error, size_t error_size) {
    crypto_generichash_state state;
    uint8_t hash[MAP_HASH_BYTES];
    struct map_totals totals = {0};
    struct map_box *boxes = malloc(MAP_BOXES_MAX * sizeof *boxes);
    if (!boxes || sodium_init() < 0) {
        snprintf(error, error_size, "%s: cannot check: out of memory", f->path);
        free(boxes);
        return MARCH_ERR_SYSTEM;
    }
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)f->entries, f->header.chunk_count * sizeof *f->entries);
    int result = 0;
    for (uint32_t i = 0; i < f->header.chunk_count && result == 0; i++) {
        result = map_file_read(f, i, boxes, error, error_size);
        if (result != 0) break;
        crypto_generichash_update(&state, (const uint8_t *)boxes, f->entries[i].count * sizeof *boxes);
        map_totals_add(&totals, &f->entries[i], boxes);
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    free(boxes);
    return result != 0 ? result : check_all(f, &totals, hash, error, error_size);
}
