#include "common/bus_stream.h"

#include <string.h>

#include "common/bus_frame.h"
#include "common/bytes.h"
#include "common/check.h"

#define ALIGN_BYTES     8
#define MARK            0x31737562u /* "bus1" */
#define IN_BYTES_MIN    (64 * 1024)
#define RECEIVE_MIN     4096        /* less room is not worth a call */
#define RESTART_MIN     (32 * 1024) /* half of a first-level cache; a ring used little stays within twice that */
#define RESUME_FRACTION 4

static size_t padded(size_t frame_len) {
    return (BUS_STREAM_PREFIX_BYTES + frame_len + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
}

int bus_stream_init(struct bus_stream *s, struct notifier *notifier, size_t frame_max_bytes, size_t queue_max_bytes) {
    *s = (struct bus_stream){.notifier = notifier, .frame_max_bytes = frame_max_bytes, .queue_max_bytes = queue_max_bytes};
    /* Twice a frame: whatever part of one is there, when the whole ones are released the rest of it has room. */
    size_t in_bytes = 2 * padded(frame_max_bytes);
    int error = byte_ring_init(&s->in, in_bytes > IN_BYTES_MIN ? in_bytes : IN_BYTES_MIN);
    if (!error) error = byte_ring_init(&s->out, padded(queue_max_bytes));
    if (error) bus_stream_deinit(s);
    return error;
}

void bus_stream_deinit(struct bus_stream *s) {
    (void)bus_stream_close(s);
    byte_ring_deinit(&s->in);
    byte_ring_deinit(&s->out);
}

/* end tells the owner, who closes the stream. Release pairs with the acquire in bus_stream_ended, for `is_broken`. */
static void end(struct bus_stream *s) {
    atomic_store_explicit(&s->ended, true, memory_order_release);
    notifier_raise(s->notifier);
}

/* submit begins an operation over a piece of a ring. */
static void submit(nng_stream *stream, void (*operation)(nng_stream *, nng_aio *), nng_aio *aio, uint8_t *bytes,
                   size_t len) {
    nng_iov piece = {.iov_buf = bytes, .iov_len = len};
    int error = nng_aio_set_iov(aio, 1, &piece);
    CHECK(error == 0);
    operation(stream, aio);
}

/* --- sending */

/* send_rest leaves what waits to nng. Of whoever holds `sending`. */
static void send_rest(struct bus_stream *s, size_t len) {
    submit(s->stream, nng_stream_send, s->send_later, byte_ring_at(&s->out, byte_ring_head(&s->out)), len);
}

/* sent runs on a thread of nng: goes on until nothing waits. After an error `sending` stays held: nothing more is sent. */
static void sent(void *arg) {
    struct bus_stream *s = arg;
    if (nng_aio_result(s->send_later) != 0) {
        end(s);
        return;
    }
    byte_ring_take(&s->out, nng_aio_count(s->send_later));
    size_t waiting;
    while ((waiting = byte_ring_waiting(&s->out)) == 0) {
        /* The owner puts and then asks for `sending`; here it is given back before the last look. Sequentially consistent,
         * so that either he gets it or his frame is seen. */
        atomic_store_explicit(&s->sending, false, memory_order_seq_cst);
        atomic_thread_fence(memory_order_seq_cst);
        if (byte_ring_waiting(&s->out) == 0) return;
        if (atomic_exchange_explicit(&s->sending, true, memory_order_seq_cst)) return;
    }
    send_rest(s, waiting);
}

/* try_send sends what the socket has room for, without another thread; 0 where it has none. False: the stream is over. */
static bool try_send(struct bus_stream *s, size_t len, size_t *count) {
    submit(s->stream, nng_stream_send, s->send_now, byte_ring_at(&s->out, byte_ring_head(&s->out)), len);
    nng_aio_cancel(s->send_now); /* does nothing where it is done */
    nng_aio_wait(s->send_now);
    int error = nng_aio_result(s->send_now);
    *count = error ? 0 : nng_aio_count(s->send_now);
    return error == 0 || error == NNG_ECANCELED;
}

/* send_waiting is the owner's, while he holds `sending`. A call that takes a part only has filled the socket. */
static void send_waiting(struct bus_stream *s) {
    size_t waiting = byte_ring_waiting(&s->out), count;
    if (!try_send(s, waiting, &count)) {
        end(s);
        return;
    }
    byte_ring_take(&s->out, count);
    if (count < waiting) {
        send_rest(s, waiting - count);
        return;
    }
    atomic_store_explicit(&s->sending, false, memory_order_release); /* hands the head over to a callback that asks for it */
}

/* forget_sent takes the frames off the list that have gone. */
static void forget_sent(struct bus_stream *s) {
    uint64_t head = byte_ring_head(&s->out);
    while (s->frames_count > 0 && s->frame_ends[s->frames_first] <= head) {
        s->frames_first = (s->frames_first + 1) % BUS_STREAM_FRAMES_MAX;
        s->frames_count--;
    }
}

uint32_t bus_stream_queue(const struct bus_stream *s, size_t *bytes) {
    uint64_t head = byte_ring_head(&s->out);
    *bytes = (size_t)(byte_ring_tail(&s->out) - head);
    uint32_t gone = 0;
    while (gone < s->frames_count && s->frame_ends[(s->frames_first + gone) % BUS_STREAM_FRAMES_MAX] <= head) gone++;
    return s->frames_count - gone;
}

uint8_t *bus_stream_room(struct bus_stream *s, size_t len_max) {
    forget_sent(s);
    size_t waiting = byte_ring_waiting(&s->out);
    if (s->frames_count == BUS_STREAM_FRAMES_MAX) return NULL;
    if (waiting > 0 && waiting + padded(len_max) > s->queue_max_bytes) return NULL;
    CHECK(len_max <= s->queue_max_bytes && s->stream);
    /* Acquire, to see what a callback did that held it before. */
    if (!s->is_claimed) s->is_claimed = !atomic_exchange_explicit(&s->sending, true, memory_order_acquire);
    if (s->is_claimed && byte_ring_waiting(&s->out) == 0) byte_ring_rewind(&s->out);
    return byte_ring_at(&s->out, byte_ring_tail(&s->out)) + BUS_STREAM_PREFIX_BYTES;
}

void bus_stream_send(struct bus_stream *s, size_t len) {
    uint8_t *at = byte_ring_at(&s->out, byte_ring_tail(&s->out));
    size_t size = padded(len);
    store_le(at, len, 4);
    store_le(at + 4, MARK, 4);
    memset(at + BUS_STREAM_PREFIX_BYTES + len, 0, size - BUS_STREAM_PREFIX_BYTES - len);
    byte_ring_put(&s->out, size);
    s->frame_ends[(s->frames_first + s->frames_count++) % BUS_STREAM_FRAMES_MAX] = byte_ring_tail(&s->out);
    /* Sequentially consistent after the put, see sent. */
    if (!s->is_claimed && atomic_exchange_explicit(&s->sending, true, memory_order_seq_cst)) return;
    s->is_claimed = false;
    send_waiting(s);
}

/* --- receiving */

static uint64_t received_to(const struct bus_stream *s) {
    /* Relaxed: of whoever may receive, and that right is handed over by `is_paused`. The owner's other looks are guesses. */
    return atomic_load_explicit(&s->received, memory_order_relaxed);
}

static void set_received(struct bus_stream *s, uint64_t position) {
    atomic_store_explicit(&s->received, position, memory_order_relaxed);
}

static size_t receive_room(const struct bus_stream *s) {
    return s->in.size - (size_t)(received_to(s) - byte_ring_head(&s->in));
}

/* restart goes back to the ring's first byte where that is worth it: nothing but whole frames is there, and they leave room
 * before them. So a ring in which little waits stays in the same few pages. A prefix of zeros tells the owner to follow: no
 * frame that came has one. */
static void restart(struct bus_stream *s) {
    uint64_t position = received_to(s), head = byte_ring_head(&s->in), tail = byte_ring_tail(&s->in);
    uint64_t lap = s->in.size;
    if (position != tail || position % lap == 0 || head / lap != position / lap || head % lap < RESTART_MIN) return;
    memset(byte_ring_at(&s->in, position), 0, BUS_STREAM_PREFIX_BYTES);
    set_received(s, position + lap - position % lap);
    byte_ring_put(&s->in, (size_t)(lap - position % lap));
}

/* receive_on begins the next receive, or pauses: of whoever may. */
static void receive_on(struct bus_stream *s) {
    do {
        restart(s);
        size_t room = receive_room(s);
        if (room >= RECEIVE_MIN) {
            submit(s->stream, nng_stream_recv, s->receive, byte_ring_at(&s->in, received_to(s)), room);
            return;
        }
        /* The owner releases and then looks whether it is paused; here it is said before the last look. Sequentially
         * consistent, so that one of the two goes on; release and acquire hand `received` over. */
        atomic_store_explicit(&s->is_paused, true, memory_order_seq_cst);
        atomic_thread_fence(memory_order_seq_cst);
    } while (receive_room(s) >= s->in.size / RESUME_FRACTION &&
             atomic_exchange_explicit(&s->is_paused, false, memory_order_seq_cst));
}

/* frame_size reads a prefix: the frame's size on the wire with it; 0 where it can't be one. */
static size_t frame_size(const struct bus_stream *s, const uint8_t *prefix) {
    uint64_t len = load_le(prefix, 4);
    bool is_frame = load_le(prefix + 4, 4) == MARK && len >= BUS_FRAME_HEADER_BYTES && len <= s->frame_max_bytes;
    return is_frame ? padded((size_t)len) : 0;
}

/* hand_over gives the owner the whole frames that have come; false where something is no frame. */
static bool hand_over(struct bus_stream *s) {
    uint64_t begin = byte_ring_tail(&s->in), tail = begin, end = received_to(s);
    size_t size = 0;
    while (end - tail >= BUS_STREAM_PREFIX_BYTES) {
        size = frame_size(s, byte_ring_at(&s->in, tail));
        if (size == 0 || size > end - tail) break;
        tail += size;
    }
    bool is_good = end - tail < BUS_STREAM_PREFIX_BYTES || size > 0;
    if (tail == begin) return is_good;
    byte_ring_put(&s->in, (size_t)(tail - begin));
    notifier_raise(s->notifier);
    return is_good;
}

/* came runs on a thread of nng when bytes have come, or no more will. */
static void came(void *arg) {
    struct bus_stream *s = arg;
    if (nng_aio_result(s->receive) == 0) {
        set_received(s, received_to(s) + nng_aio_count(s->receive));
        if (hand_over(s)) {
            receive_on(s);
            return;
        }
        s->is_broken = true;
    }
    end(s);
}

/* give_back frees room in the ring, and goes on receiving where that has paused and there is enough. */
static void give_back(struct bus_stream *s, size_t count) {
    byte_ring_take(&s->in, count);
    /* Sequentially consistent after the take, see receive_on. */
    if (!atomic_load_explicit(&s->is_paused, memory_order_seq_cst)) return;
    if (receive_room(s) < s->in.size / RESUME_FRACTION) return;
    if (atomic_exchange_explicit(&s->is_paused, false, memory_order_seq_cst)) receive_on(s);
}

uint8_t *bus_stream_frame(struct bus_stream *s, size_t *len) {
    CHECK(s->taken == 0);
    while (byte_ring_waiting(&s->in) > 0) {
        uint64_t head = byte_ring_head(&s->in);
        uint8_t *prefix = byte_ring_at(&s->in, head);
        *len = (size_t)load_le(prefix, 4);
        if (*len > 0) {
            s->taken = padded(*len);
            return prefix + BUS_STREAM_PREFIX_BYTES;
        }
        give_back(s, s->in.size - (size_t)(head % s->in.size)); /* restart was here */
    }
    return NULL;
}

void bus_stream_release(struct bus_stream *s) {
    size_t taken = s->taken;
    s->taken = 0;
    if (taken > 0) give_back(s, taken);
}

bool bus_stream_has_frame(const struct bus_stream *s) {
    return byte_ring_waiting(&s->in) > 0;
}

/* --- opening and closing */

static void free_operations(struct bus_stream *s) {
    nng_aio_free(s->receive);
    nng_aio_free(s->send_now);
    nng_aio_free(s->send_later);
    s->receive = s->send_now = s->send_later = NULL;
}

int bus_stream_open(struct bus_stream *s, nng_stream *stream) {
    CHECK(!s->stream);
    int error = nng_aio_alloc(&s->receive, came, s);
    if (!error) error = nng_aio_alloc(&s->send_now, NULL, NULL);
    if (!error) error = nng_aio_alloc(&s->send_later, sent, s);
    if (error) {
        free_operations(s);
        nng_stream_free(stream);
        return MARCH_ERR_SYSTEM;
    }
    s->stream = stream;
    s->is_broken = s->is_claimed = false;
    byte_ring_clear(&s->in);
    byte_ring_clear(&s->out);
    set_received(s, byte_ring_tail(&s->in));
    /* Relaxed: no operation is under way, and beginning one orders it. */
    atomic_store_explicit(&s->ended, false, memory_order_relaxed);
    atomic_store_explicit(&s->sending, false, memory_order_relaxed);
    atomic_store_explicit(&s->is_paused, false, memory_order_relaxed);
    receive_on(s);
    return 0;
}

uint32_t bus_stream_close(struct bus_stream *s) {
    CHECK(s->taken == 0);
    if (!s->stream) return 0;
    nng_stream_close(s->stream);
    nng_aio_stop(s->receive);
    nng_aio_stop(s->send_later);
    free_operations(s);
    nng_stream_free(s->stream);
    s->stream = NULL;
    size_t bytes;
    uint32_t unsent = bus_stream_queue(s, &bytes);
    byte_ring_clear(&s->in);
    byte_ring_clear(&s->out);
    s->frames_count = s->frames_first = 0;
    atomic_store_explicit(&s->ended, false, memory_order_relaxed); /* no other thread is there any more */
    return unsent;
}

bool bus_stream_is_open(const struct bus_stream *s) {
    return s->stream != NULL;
}

/* Acquire pairs with the release in end. */
bool bus_stream_ended(const struct bus_stream *s) {
    return atomic_load_explicit(&s->ended, memory_order_acquire);
}
