/* map_fixture.h: maps of random boxes in a file of a fresh folder, for tests. */
#ifndef MARCH_TESTS_MAP_FIXTURE_H
#define MARCH_TESTS_MAP_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/file.h"
#include "common/map_file.h"
#include "common/map_pack.h"
#include "zone/rng.h"

#define M(metres) ((int32_t)((metres)*65536))

struct map_fixture {
    char dir[64], path[96];
    char error[512];
    uint8_t *bytes; /* of the file */
    size_t len;
};

static inline void map_fixture_init(struct map_fixture *f) {
    *f = (struct map_fixture){.bytes = NULL};
    snprintf(f->dir, sizeof f->dir, "%s/march-map-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(f->dir) != NULL);
    snprintf(f->path, sizeof f->path, "%s/world.map", f->dir);
}

static inline void map_fixture_deinit(struct map_fixture *f) {
    free(f->bytes);
    unlink(f->path);
    CHECK(rmdir(f->dir) == 0);
}

/* map_fixture_put makes these the bytes of the file. */
static inline void map_fixture_put(struct map_fixture *f, const void *bytes, size_t len) {
    CHECK(file_write(f->path, bytes, len, 0600, f->error, sizeof f->error) == 0);
}

/* map_fixture_pack makes the file of a list, which it sorts; the result is that of map_pack. */
static inline int map_fixture_pack(struct map_fixture *f, struct map_box *boxes, uint32_t count) {
    free(f->bytes);
    int result = map_pack(boxes, count, &f->bytes, &f->len, f->error, sizeof f->error);
    if (result == 0) map_fixture_put(f, f->bytes, f->len);
    return result;
}

/* map_fixture_open opens and verifies the file; the first error, with its text in f->error. */
static inline int map_fixture_open(struct map_fixture *f, struct map_file *file) {
    int result = map_file_open(file, f->path, f->error, sizeof f->error);
    if (result == 0) result = map_file_verify(file, f->error, sizeof f->error);
    if (result != 0) map_file_close(file);
    return result;
}

/* map_fixture_box draws a box within `reach_m` of the origin, most of them small, some over several chunks. */
static inline struct map_box map_fixture_box(struct rng *rng, int32_t reach_m) {
    int32_t size_m = rng_below(rng, 8) == 0 ? reach_m / 4 + 1 : 3;
    int32_t x = rng_between(rng, -M(reach_m), M(reach_m - size_m)), y = rng_between(rng, -M(reach_m), M(reach_m - size_m));
    int32_t z = rng_between(rng, M(-10), M(10));
    int32_t x_max = x + rng_between(rng, 1, M(size_m)), y_max = y + rng_between(rng, 1, M(size_m));
    return (struct map_box){x, y, z, x_max, y_max, z + rng_between(rng, 1, M(5))};
}

#endif
