#include "zone/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/check.h"

#define HAND_OVER_BYTES (64u * 1024)
#define HAND_OVER_TICKS 60

/* The tick thread owns `writer` and the buffer it writes to. A full buffer becomes `pending` under the lock, and is then the
 * writing thread's until that sets `pending` to NULL. The tick thread never waits: it tries the lock, and tries again a
 * tick later. */
struct recorder {
    int fd;
    uint32_t hash_every;
    struct byte_writer writer;
    size_t block_start; /* in the writer */
    uint32_t ticks_held;
    bool stopped;
    uint8_t *buffers[2];
    unsigned active;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    const uint8_t *pending;
    size_t pending_len;
    bool closing;
    bool failed; /* a write went wrong */
};

uint32_t record_check(const uint8_t *bytes, size_t len) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++) hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

/* --- the writing thread */

static bool write_all(int fd, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void *write_pending(void *context) {
    struct recorder *r = context;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!r->pending && !r->closing) pthread_cond_wait(&r->wake, &r->lock);
        if (!r->pending) break;
        const uint8_t *bytes = r->pending;
        size_t len = r->pending_len;
        pthread_mutex_unlock(&r->lock);
        bool written = write_all(r->fd, bytes, len);
        pthread_mutex_lock(&r->lock);
        if (!written) r->failed = true;
        r->pending = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* --- opening and closing */

static void begin_block(struct recorder *r) {
    r->block_start = r->writer.len;
    write_uint(&r->writer, 0, RECORD_BLOCK_HEADER); /* filled in when the block ends */
    write_uint(&r->writer, 0, 8);                   /* tick */
    write_uint(&r->writer, 0, 8);                   /* hash */
    write_uint(&r->writer, 0, 1);
}

static bool write_header(struct recorder *r, const struct record_header *header) {
    uint8_t bytes[RECORD_HEADER_BYTES];
    struct byte_writer w = {.bytes = bytes, .size = sizeof bytes};
    write_bytes(&w, "MARCHREC", 8);
    write_uint(&w, RECORD_VERSION, 4);
    write_uint(&w, header->hash_every, 4);
    write_uint(&w, header->config_digest, 8);
    write_uint(&w, header->seed, 8);
    write_uint(&w, header->start_tick, 8);
    write_uint(&w, header->zone_index, 2);
    write_uint(&w, header->incarnation, 2);
    write_uint(&w, 0, 4);
    CHECK(w.len == sizeof bytes && !w.overflow);
    return write_all(r->fd, bytes, sizeof bytes);
}

static void recorder_free(struct recorder *r) {
    if (r->fd >= 0) close(r->fd);
    free(r->buffers[0]);
    free(r->buffers[1]);
    free(r);
}

int recorder_open(const char *path, const struct record_header *header, struct recorder **out) {
    CHECK(header->hash_every >= 1);
    *out = NULL;
    struct recorder *r = calloc(1, sizeof *r);
    if (!r) return MARCH_ERR_SYSTEM;
    r->hash_every = header->hash_every;
    r->buffers[0] = malloc(RECORD_BUFFER_BYTES);
    r->buffers[1] = malloc(RECORD_BUFFER_BYTES);
    r->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    if (r->fd < 0 || !r->buffers[0] || !r->buffers[1] || !write_header(r, header) ||
        pthread_create(&r->thread, NULL, write_pending, r)) {
        int error = errno;
        recorder_free(r);
        errno = error;
        return MARCH_ERR_SYSTEM;
    }
    r->writer = (struct byte_writer){.bytes = r->buffers[0], .size = RECORD_BUFFER_BYTES};
    begin_block(r);
    *out = r;
    return 0;
}

/* Gives whole blocks to the writing thread, which must be idle, and carries on in the other buffer. */
static void hand_over(struct recorder *r) {
    r->pending = r->buffers[r->active];
    r->pending_len = r->block_start;
    r->active ^= 1;
    r->writer = (struct byte_writer){.bytes = r->buffers[r->active], .size = RECORD_BUFFER_BYTES};
    r->ticks_held = 0;
    pthread_cond_signal(&r->wake);
}

int recorder_close(struct recorder *r) {
    if (!r) return 0;
    pthread_mutex_lock(&r->lock);
    r->closing = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    bool written = write_all(r->fd, r->buffers[r->active], r->block_start) && !r->failed;
    int result = !written ? MARCH_ERR_SYSTEM : r->stopped ? MARCH_ERR_FULL : 0;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->wake);
    recorder_free(r);
    return result;
}

bool recorder_stopped(const struct recorder *r) {
    return r->stopped;
}

/* --- events */

static void begin_event(struct recorder *r, enum record_event type, uint32_t gateway, uint64_t session) {
    write_uint(&r->writer, type, 1);
    write_uint(&r->writer, gateway, 1);
    write_uint(&r->writer, session, 8);
}

void recorder_attach(struct recorder *r, uint32_t gateway, uint64_t session, uint64_t player,
                     const struct game_character *character) {
    if (r->stopped) return;
    begin_event(r, RECORD_EVENT_ATTACH, gateway, session);
    write_uint(&r->writer, player, 8);
    write_uint(&r->writer, character != NULL, 1);
    if (!character) return;
    write_uint(&r->writer, (uint32_t)character->x, 4);
    write_uint(&r->writer, (uint32_t)character->y, 4);
    write_uint(&r->writer, character->yaw, 2);
    write_uint(&r->writer, character->hit_points, 2);
    write_uint(&r->writer, character->experience, 8);
}

void recorder_detach(struct recorder *r, uint32_t gateway, uint64_t session) {
    if (r->stopped) return;
    begin_event(r, RECORD_EVENT_DETACH, gateway, session);
}

void recorder_cut(struct recorder *r, uint32_t gateway, uint64_t session) {
    if (r->stopped) return;
    begin_event(r, RECORD_EVENT_CUT, gateway, session);
}

void recorder_input(struct recorder *r, uint32_t gateway, const struct wire_input *input) {
    if (r->stopped) return;
    begin_event(r, RECORD_EVENT_INPUT, gateway, input->session);
    write_uint(&r->writer, input->view_tick, 4);
    write_uint(&r->writer, input->newest_seq, 2);
    write_uint(&r->writer, input->count, 1);
    for (uint32_t i = 0; i < input->count; i++) {
        write_uint(&r->writer, input->commands[i].move, 1);
        write_uint(&r->writer, input->commands[i].buttons, 1);
        write_uint(&r->writer, input->commands[i].aim, 2);
    }
}

void recorder_message(struct recorder *r, uint32_t gateway, uint64_t session, const uint8_t *bytes, size_t len) {
    if (r->stopped) return;
    CHECK(len <= UINT16_MAX);
    begin_event(r, RECORD_EVENT_MESSAGE, gateway, session);
    write_uint(&r->writer, len, 2);
    write_bytes(&r->writer, bytes, len);
}

void recorder_effect(struct recorder *r, uint32_t gateway, uint64_t session, uint32_t kind, uint32_t amount) {
    if (r->stopped) return;
    begin_event(r, RECORD_EVENT_EFFECT, gateway, session);
    write_uint(&r->writer, kind, 4);
    write_uint(&r->writer, amount, 4);
}

void recorder_directory(struct recorder *r, const struct directory *d) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_DIRECTORY, 1);
    write_uint(&r->writer, d->version, 8);
    write_uint(&r->writer, d->partition_count, 1);
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_directory_partition *p = &d->partitions[i];
        write_uint(&r->writer, p->id, 4);
        write_uint(&r->writer, p->owner, 4);
        write_uint(&r->writer, p->former, 4);
        write_uint(&r->writer, p->creatures, 4);
        write_uint(&r->writer, p->epoch, 8);
        write_uint(&r->writer, p->respawn, 8);
        write_uint(&r->writer, (uint32_t)p->rect.min_x, 4);
        write_uint(&r->writer, (uint32_t)p->rect.min_y, 4);
        write_uint(&r->writer, (uint32_t)p->rect.max_x, 4);
        write_uint(&r->writer, (uint32_t)p->rect.max_y, 4);
    }
}

static void write_items(struct recorder *r, const void *items, size_t size, uint32_t count) {
    if (count > 0) write_bytes(&r->writer, items, size * count);
}

void recorder_peer(struct recorder *r, uint32_t slot, const struct wire_peer_batch *b) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_PEER, 1);
    write_uint(&r->writer, slot, 1);
    write_uint(&r->writer, b->tick, 8);
    write_uint(&r->writer, b->reset, 1);
    write_uint(&r->writer, b->ghost_count, 2);
    write_uint(&r->writer, b->gone_count, 2);
    write_uint(&r->writer, b->hit_count, 2);
    write_uint(&r->writer, b->outcome_count, 2);
    write_uint(&r->writer, b->creature_count, 2);
    write_uint(&r->writer, b->taken_count, 2);
    write_uint(&r->writer, b->instance_count, 2);
    write_uint(&r->writer, b->member_count, 2);
    write_uint(&r->writer, b->instance_taken_count, 2);
    write_items(r, b->ghosts, sizeof *b->ghosts, b->ghost_count);
    write_items(r, b->gone, sizeof *b->gone, b->gone_count);
    write_items(r, b->hits, sizeof *b->hits, b->hit_count);
    write_items(r, b->outcomes, sizeof *b->outcomes, b->outcome_count);
    write_items(r, b->creatures, sizeof *b->creatures, b->creature_count);
    write_items(r, b->taken, sizeof *b->taken, b->taken_count);
    write_items(r, b->instances, sizeof *b->instances, b->instance_count);
    write_items(r, b->members, sizeof *b->members, b->member_count);
    write_items(r, b->instances_taken, sizeof *b->instances_taken, b->instance_taken_count);
}

void recorder_peer_lost(struct recorder *r, uint32_t slot) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_PEER_LOST, 1);
    write_uint(&r->writer, slot, 1);
}

void recorder_peer_up(struct recorder *r, uint32_t slot, bool is_same) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_PEER_UP, 1);
    write_uint(&r->writer, slot, 1);
    write_uint(&r->writer, is_same, 1);
}

void recorder_peer_dead(struct recorder *r, uint32_t slot) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_PEER_DEAD, 1);
    write_uint(&r->writer, slot, 1);
}

void recorder_arrive(struct recorder *r, uint32_t gateway, const struct wire_carried *carried) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_ARRIVE, 1);
    write_uint(&r->writer, gateway, 1);
    write_bytes(&r->writer, carried, sizeof *carried);
}

void recorder_depart(struct recorder *r, uint32_t slot, uint32_t target) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_DEPART, 1);
    write_uint(&r->writer, slot, 2);
    write_uint(&r->writer, target, 1);
}

void recorder_orphan(struct recorder *r, uint32_t gateway) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_ORPHAN, 1);
    write_uint(&r->writer, gateway, 1);
}

void recorder_remove(struct recorder *r, uint32_t slot) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_REMOVE, 1);
    write_uint(&r->writer, slot, 2);
}

void recorder_rebind(struct recorder *r, uint32_t slot, uint32_t gateway, uint64_t session, uint32_t attachment) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_REBIND, 1);
    write_uint(&r->writer, slot, 2);
    write_uint(&r->writer, gateway, 1);
    write_uint(&r->writer, session, 8);
    write_uint(&r->writer, attachment, 4);
}

void recorder_vanish(struct recorder *r, uint64_t entity) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_VANISH, 1);
    write_uint(&r->writer, entity, 8);
}

void recorder_gone(struct recorder *r, uint64_t entity) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_GONE, 1);
    write_uint(&r->writer, entity, 8);
}

void recorder_orders(struct recorder *r, const struct wire_instance_orders *o) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_ORDERS, 1);
    write_uint(&r->writer, o->is_complete, 1);
    write_uint(&r->writer, o->instance_count, 4);
    write_uint(&r->writer, o->wave_count, 4);
    write_uint(&r->writer, o->spot_count, 4);
    write_uint(&r->writer, o->box_count, 4);
    write_uint(&r->writer, o->member_count, 4);
    write_uint(&r->writer, o->travel_count, 4);
    write_items(r, o->instances, sizeof *o->instances, o->instance_count);
    write_items(r, o->waves, sizeof *o->waves, o->wave_count);
    write_items(r, o->spots, sizeof *o->spots, o->spot_count);
    write_items(r, o->boxes, sizeof *o->boxes, o->box_count);
    write_items(r, o->members, sizeof *o->members, o->member_count);
    write_items(r, o->travels, sizeof *o->travels, o->travel_count);
}

void recorder_orders_renewed(struct recorder *r) {
    if (!r->stopped) write_uint(&r->writer, RECORD_EVENT_ORDERS_RENEWED, 1);
}

void recorder_pace(struct recorder *r, uint32_t instance, uint32_t pace) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_PACE, 1);
    write_uint(&r->writer, instance, 4);
    write_uint(&r->writer, pace, 1);
}

void recorder_load(struct recorder *r, uint32_t think_ticks) {
    if (r->stopped) return;
    write_uint(&r->writer, RECORD_EVENT_LOAD, 1);
    write_uint(&r->writer, think_ticks, 4);
}

bool recorder_wants_hash(const struct recorder *r, uint64_t tick) {
    return !r->stopped && tick % r->hash_every == 0;
}

void recorder_tick(struct recorder *r, uint64_t tick, bool hashed, uint64_t hash) {
    if (r->stopped) return;
    if (r->writer.overflow) { /* the tick that did not fit is left out */
        r->stopped = true;
        return;
    }
    uint8_t *block = r->writer.bytes + r->block_start, *body = block + RECORD_BLOCK_HEADER;
    size_t len = r->writer.len - r->block_start - RECORD_BLOCK_HEADER;
    store_le(body, tick, 8);
    store_le(body + 8, hash, 8);
    body[16] = hashed;
    store_le(block, len, 4);
    store_le(block + 4, record_check(body, len), 4);
    r->block_start = r->writer.len;
    r->ticks_held++;

    bool due = r->writer.len >= HAND_OVER_BYTES || r->ticks_held >= HAND_OVER_TICKS;
    if (due && pthread_mutex_trylock(&r->lock) == 0) {
        if (r->failed) r->stopped = true;
        if (!r->pending) hand_over(r);
        pthread_mutex_unlock(&r->lock);
    }
    begin_block(r);
}
