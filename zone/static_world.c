#include "zone/static_world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/map_file.h"

#define ERROR_SIZE 512

struct chunk {
    uint32_t number, count;
    struct map_box *boxes; /* shared by the parts that have the chunk */
};

/* What a zone has at a time. Nothing of it changes once it is done. */
struct part {
    uint32_t count;
    uint64_t boxes;
    uint64_t read, failed; /* chunks, for this part */
    struct chunk chunks[]; /* by number */
};

struct demand {
    uint64_t serial; /* of the demands; 0: none yet */
    uint32_t count;
    struct grid_rect rects[WIRE_PARTITIONS_MAX];
};

struct static_world {
    struct map_file file;
    int32_t margin;
    pthread_t thread;
    bool is_running; /* the thread was started */

    /* the tick thread's */
    struct part *current; /* NULL: nothing */
    struct demand wanted;
    bool is_asked;    /* what is wanted was told to the reading thread */
    uint64_t version; /* of the directory that was last followed; 0, as of none */
    uint64_t taken;   /* serial of the demand that was answered last */
    struct static_world_stats stats;

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct demand asked;
    struct part *done;
    uint64_t done_serial;
    struct part *retired;
    bool closing;

    /* the reading thread's */
    struct part *newest;
    uint64_t newest_serial;
    uint8_t needed[MAP_CHUNKS_MAX / 8]; /* a bit for each chunk of the plane */
};

/* --- the reading thread */

static void mark_needed(struct static_world *w, const struct grid_rect *rect) {
    struct map_area area = map_area_of(rect->x_min, rect->y_min, rect->x_max, rect->y_max);
    for (uint32_t row = area.row_first; row <= area.row_last; row++)
        for (uint32_t column = area.column_first; column <= area.column_last; column++)
            w->needed[map_chunk(row, column) / 8] |= (uint8_t)(1u << map_chunk(row, column) % 8);
}

static bool is_needed(const struct static_world *w, uint32_t chunk) {
    return w->needed[chunk / 8] >> chunk % 8 & 1;
}

static struct map_box *read_chunk(const struct static_world *w, uint32_t index) {
    char error[ERROR_SIZE] = "out of memory";
    struct map_box *boxes = malloc(w->file.entries[index].count * sizeof *boxes);
    if (boxes && map_file_read(&w->file, index, boxes, error, sizeof error) == 0) return boxes;
    log_error("map.chunk_failed", "error=%s", LOG_QUOTE(error));
    free(boxes);
    return NULL;
}

static struct part *part_create(const struct static_world *w) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->file.header.chunk_count; i++) count += is_needed(w, w->file.entries[i].chunk);
    struct part *part = malloc(sizeof *part + count * sizeof part->chunks[0]);
    if (part) *part = (struct part){.count = 0};
    return part;
}

/* build makes the part that is needed; chunks that `before` has are taken from it. */
static struct part *build(const struct static_world *w, const struct part *before) {
    struct part *part = part_create(w);
    if (!part) return NULL;
    uint32_t at = 0; /* in the part before */
    for (uint32_t i = 0; i < w->file.header.chunk_count; i++) {
        const struct map_entry *entry = &w->file.entries[i];
        if (!is_needed(w, entry->chunk)) continue;
        while (before && at < before->count && before->chunks[at].number < entry->chunk) at++;
        struct chunk chunk = {.number = entry->chunk, .count = entry->count};
        if (before && at < before->count && before->chunks[at].number == entry->chunk) {
            chunk.boxes = before->chunks[at].boxes;
        } else {
            chunk.boxes = read_chunk(w, i);
            part->read += chunk.boxes != NULL;
            part->failed += chunk.boxes == NULL;
        }
        if (!chunk.boxes) continue;
        part->chunks[part->count++] = chunk;
        part->boxes += chunk.count;
    }
    return part;
}

/* part_free frees a part with the chunks that `kept` does not share. */
static void part_free(struct part *part, const struct part *kept) {
    if (!part) return;
    uint32_t at = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        while (kept && at < kept->count && kept->chunks[at].number < part->chunks[i].number) at++;
        bool is_shared = kept && at < kept->count && kept->chunks[at].number == part->chunks[i].number;
        if (!is_shared) free(part->chunks[i].boxes);
    }
    free(part);
}

/* answer reads what is asked for. Without memory for it the part before stays. */
static struct part *answer(struct static_world *w, const struct demand *demand) {
    memset(w->needed, 0, sizeof w->needed);
    for (uint32_t i = 0; i < demand->count; i++) mark_needed(w, &demand->rects[i]);
    struct part *part = build(w, w->newest);
    if (!part) log_error("map.no_memory", "effect=%s", LOG_QUOTE("the part of the map stays as it was"));
    if (part) w->newest = part;
    w->newest_serial = demand->serial;
    return part;
}

/* One part is built at a time: the next when that was taken, and the one before it is freed. */
static void *run(void *context) {
    struct static_world *w = context;
    struct demand demand;
    pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        if (w->retired) {
            struct part *retired = w->retired;
            w->retired = NULL;
            pthread_mutex_unlock(&w->lock);
            part_free(retired, w->newest);
            pthread_mutex_lock(&w->lock);
        } else if (w->asked.serial != w->newest_serial && !w->done) {
            demand = w->asked;
            pthread_mutex_unlock(&w->lock);
            struct part *part = answer(w, &demand);
            pthread_mutex_lock(&w->lock);
            w->done = part;
            w->done_serial = demand.serial;
        } else {
            pthread_cond_wait(&w->wake, &w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* --- opening */

int static_world_open(struct static_world **out, const char *path, int32_t margin, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "%s: out of memory", path);
    struct static_world *w = calloc(1, sizeof *w);
    if (!w) return MARCH_ERR_SYSTEM;
    w->margin = margin;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    int result = map_file_open(&w->file, path, error, error_size);
    if (result == 0) result = map_file_verify(&w->file, error, error_size);
    if (result == 0) {
        w->is_running = pthread_create(&w->thread, NULL, run, w) == 0;
        if (!w->is_running) snprintf(error, error_size, "%s: cannot start the thread that reads it", path);
        result = w->is_running ? 0 : MARCH_ERR_SYSTEM;
    }
    if (result != 0) {
        static_world_close(w);
        return result;
    }
    *out = w;
    return 0;
}

static void stop_thread(struct static_world *w) {
    if (!w->is_running) return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

void static_world_close(struct static_world *w) {
    if (!w) return;
    stop_thread(w);
    part_free(w->retired, w->newest);
    if (w->current != w->newest) part_free(w->current, w->newest);
    part_free(w->newest, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    map_file_close(&w->file);
    free(w);
}

/* --- the tick thread */

static void want(struct static_world *w, const struct territory *territory) {
    w->version = territory->directory.version;
    w->wanted.count = territory_parts(territory, w->margin, w->wanted.rects);
    w->wanted.serial++;
    w->is_asked = false;
}

/* take makes a part the current one; the one before is retired. Returns false where there is none. */
static bool take(struct static_world *w) {
    w->taken = w->done_serial;
    if (!w->done) return false;
    struct part *part = w->done;
    w->done = NULL;
    w->retired = w->current;
    w->stats.chunks_freed += w->stats.chunks + part->read - part->count;
    w->stats.chunks_read += part->read;
    w->stats.chunks_failed += part->failed;
    w->stats.chunks = part->count;
    w->stats.boxes = part->boxes;
    w->current = part;
    return true;
}

bool static_world_is_settled(const struct static_world *w) {
    return w->taken == w->wanted.serial;
}

bool static_world_follow(struct static_world *w, const struct territory *territory) {
    if (territory->directory.version != w->version) want(w, territory); /* version 0 says nothing of the world yet */
    if (static_world_is_settled(w) || pthread_mutex_trylock(&w->lock) != 0) return false;
    bool is_changed = take(w);
    if (!w->is_asked) w->asked = w->wanted;
    w->is_asked = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    return is_changed;
}

/* --- looking in */

/* find returns the first chunk whose number is not below. */
static uint32_t find(const struct part *part, uint32_t number) {
    uint32_t low = 0, high = part->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (part->chunks[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool touches(const struct map_box *box, const struct grid_rect *rect) {
    return box->x_min < rect->x_max && box->x_max > rect->x_min && box->y_min < rect->y_max && box->y_max > rect->y_min;
}

static uint32_t greater(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* is_first tells whether a chunk is the least of those in an area that a box touches: there it is told of. */
static bool is_first(const struct map_box *box, struct map_area area, uint32_t chunk) {
    struct map_area own = map_area_of_box(box);
    return chunk == map_chunk(greater(own.row_first, area.row_first), greater(own.column_first, area.column_first));
}

uint32_t static_world_boxes(const struct static_world *w, struct grid_rect rect, struct map_box *out, uint32_t max) {
    const struct part *part = w->current;
    uint32_t count = 0;
    if (!part || rect.x_min >= rect.x_max || rect.y_min >= rect.y_max) return 0;
    struct map_area area = map_area_of(rect.x_min, rect.y_min, rect.x_max, rect.y_max);
    for (uint32_t row = area.row_first; row <= area.row_last; row++) {
        uint32_t last = map_chunk(row, area.column_last);
        for (uint32_t i = find(part, map_chunk(row, area.column_first)); i < part->count && part->chunks[i].number <= last;
             i++) {
            const struct chunk *chunk = &part->chunks[i];
            for (uint32_t b = 0; b < chunk->count; b++) {
                const struct map_box *box = &chunk->boxes[b];
                if (!touches(box, &rect) || !is_first(box, area, chunk->number)) continue;
                if (count < max) out[count] = *box;
                count++;
            }
        }
    }
    return count;
}

const struct static_world_stats *static_world_stats(const struct static_world *w) {
    return &w->stats;
}

const struct map_header *static_world_header(const struct static_world *w) {
    return &w->file.header;
}
