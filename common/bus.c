#include "common/bus.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/transport/ipc/ipc.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bus_probe.h"
#include "common/bus_session.h"
#include "common/check.h"
#include "common/log.h"

#define NNG_SEND_MESSAGES    8  /* in nng beyond the one on its way: keeps the pipe busy between two updates */
#define NNG_RECEIVE_MESSAGES 16 /* a quarter second of a zone's batches; then the peer's queue fills */
#define REDIAL_MIN_MS        10
#define REDIAL_MAX_MS        500
#define DIALLER_MS           2000 /* without a connection, after which the dialler is replaced, see start_again */
#define LISTENER_MS          3000 /* the same of a listener: a dialler has had its chance */
#define TROUBLE_MS           6000 /* without a session: is it nng? longer than silence is borne */
#define CLOSE_MAX_S          1
#define DISCARD_MAX          1024 /* frames without a message that one bus_receive takes off */
#define SILENCE_STEP_MAX_MS  200  /* a longer pause between two updates was ours, and is not held against the peer */

/* What nng's callbacks tell: the pipe of now in the low half (0: none), in the high half a count of its changes. */
typedef _Atomic uint64_t pipe_word;

struct bus_edge {
    nng_socket socket;
    enum bus_role role;
    char *url;
    nng_dialer dialler; /* by the role, one of these two */
    nng_listener listener;
    uint64_t away_ns;    /* without a connection, since one of them was made */
    uint64_t trouble_ns; /* without a session, or with one that was given up and does not end */
    bool given_up;       /* the pipe of now was closed for silence */
    struct bus_probe probe;
    int fd;
    pipe_word pipe;
    uint64_t pipe_seen; /* the word that the session stands on */
    struct bus_frame_codec codec;
    struct bus_session session;
    size_t message_max_bytes, queue_max_bytes;
    nng_msg *queue[BUS_QUEUE_MESSAGES_MAX]; /* ring */
    uint32_t queue_first, queue_count;
    size_t queue_bytes;
    nng_msg *held; /* the message that bus_receive handed out */
    struct mono updated;
    uint64_t silent_ns, unsent_ns; /* since something valid came; since something was sent */
    uint64_t valid_seen, sent_seen;
    uint64_t frames_sent; /* of every type */
    struct bus_statistics statistics;
};

static uint32_t pipe_id(uint64_t word) {
    return (uint32_t)word;
}

/* pipe_changed runs on a thread of nng, which serialises the callbacks of a socket: a load and a store are enough. Release
 * pairs with the acquire in observe_pipe. nng also reports the end of pipes that it refused: those are not ours. */
static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    struct bus_edge *edge = arg;
    uint64_t word = atomic_load_explicit(&edge->pipe, memory_order_relaxed);
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    if (event != NNG_PIPE_EV_ADD_POST && pipe_id(word) != id) return;
    uint64_t changes = (word >> 32) + 1;
    atomic_store_explicit(&edge->pipe, changes << 32 | (event == NNG_PIPE_EV_ADD_POST ? id : 0), memory_order_release);
}

/* --- opening and closing */

/* failure turns an error of nng into ours, and errno. */
static int failure(int nng_error) {
    if (nng_error == NNG_EADDRINUSE) return MARCH_ERR_EXISTS;
    if (nng_error == NNG_EADDRINVAL || nng_error == NNG_EINVAL) return MARCH_ERR_INVALID;
    errno = nng_error & NNG_ESYSERR     ? nng_error & ~NNG_ESYSERR
            : nng_error == NNG_ENOMEM   ? ENOMEM
            : nng_error == NNG_EPERM    ? EACCES
            : nng_error == NNG_ENOENT   ? ENOENT
            : nng_error == NNG_ENOFILES ? EMFILE
                                        : EIO;
    return MARCH_ERR_SYSTEM;
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool config_valid(const struct bus_edge_config *c) {
    bool tcp = starts_with(c->url, "tcp://"), ipc = starts_with(c->url, "ipc://");
    return (ipc || (tcp && c->key)) && (c->role == BUS_LISTEN || c->role == BUS_DIAL) && c->frame_max_bytes > 0 &&
           c->frame_max_bytes <= BUS_FRAME_BYTES_MAX && c->queue_max_bytes >= c->frame_max_bytes;
}

static int set_options(struct bus_edge *edge, const struct bus_edge_config *c) {
    nng_socket s = edge->socket;
    int error = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, edge->message_max_bytes + BUS_FRAME_OVERHEAD_BYTES);
    if (!error) error = nng_socket_set_int(s, NNG_OPT_SENDBUF, NNG_SEND_MESSAGES);
    if (!error) error = nng_socket_set_int(s, NNG_OPT_RECVBUF, NNG_RECEIVE_MESSAGES);
    if (!error) error = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, REDIAL_MIN_MS);
    if (!error) error = nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, REDIAL_MAX_MS);
    if (!error && starts_with(c->url, "tcp://")) error = nng_socket_set_bool(s, NNG_OPT_TCP_KEEPALIVE, true);
    if (!error) error = nng_pipe_notify(s, NNG_PIPE_EV_ADD_POST, pipe_changed, edge);
    if (!error) error = nng_pipe_notify(s, NNG_PIPE_EV_REM_POST, pipe_changed, edge);
    if (!error) error = nng_socket_get_int(s, NNG_OPT_RECVFD, &edge->fd);
    return error;
}

static int start(struct bus_edge *edge) {
    if (edge->role == BUS_DIAL) return nng_dial(edge->socket, edge->url, &edge->dialler, NNG_FLAG_NONBLOCK);
    int error = nng_listener_create(&edge->listener, edge->socket, edge->url);
    if (error) return error;
    if (starts_with(edge->url, "ipc://")) error = nng_listener_set_int(edge->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (!error) error = nng_listener_start(edge->listener, 0);
    if (error) (void)nng_listener_close(edge->listener);
    return error;
}

int bus_edge_open(struct bus_edge **out, const struct bus_edge_config *config, struct mono now) {
    *out = NULL;
    if (!config_valid(config)) return MARCH_ERR_INVALID;
    if (sodium_init() < 0) return MARCH_ERR_UNSUPPORTED;
    struct bus_edge *edge = calloc(1, sizeof *edge);
    if (!edge) return MARCH_ERR_SYSTEM;
    edge->role = config->role;
    edge->url = strdup(config->url);
    if (!edge->url) {
        free(edge);
        return MARCH_ERR_SYSTEM;
    }
    edge->updated = now;
    edge->message_max_bytes = config->frame_max_bytes;
    edge->queue_max_bytes = config->queue_max_bytes;
    bool tcp = starts_with(config->url, "tcp://");
    size_t unpacked_max = edge->message_max_bytes > BUS_FRAME_ID_BYTES ? edge->message_max_bytes : BUS_FRAME_ID_BYTES;
    int error =
        bus_frame_codec_init(&edge->codec, tcp ? config->key : NULL, config->local_name, config->peer_name, unpacked_max);
    if (error) goto free_edge;
    bus_session_init(&edge->session, &edge->codec);
    int nng_error = nng_pair0_open(&edge->socket);
    if (nng_error) goto deinit_codec;
    nng_error = set_options(edge, config);
    if (!nng_error) nng_error = start(edge);
    if (nng_error) goto close_socket;
    *out = edge;
    return 0;

close_socket:
    nng_close(edge->socket);
deinit_codec:
    error = failure(nng_error);
    bus_frame_codec_deinit(&edge->codec);
free_edge:
    free(edge->url);
    free(edge);
    return error;
}

/* queue_clear frees what is queued and returns how many messages that were. */
static uint32_t queue_clear(struct bus_edge *edge) {
    uint32_t count = edge->queue_count;
    for (; edge->queue_count > 0; edge->queue_count--) {
        nng_msg_free(edge->queue[edge->queue_first]);
        edge->queue_first = (edge->queue_first + 1) % BUS_QUEUE_MESSAGES_MAX;
    }
    edge->queue_bytes = 0;
    return count;
}

/* close_socket runs on a thread of its own, see bus_edge_close. */
static void *close_socket(void *arg) {
    struct bus_edge *edge = arg;
    nng_close(edge->socket); /* waits for the callbacks */
    bus_probe_close(&edge->probe);
    return NULL;
}

/* nng 1.5.2 loses an operation when a pipe is closed between two parts of a message that it receives, and then waits for it
 * for ever, with all closing of pipes in this process. So closing has a limit; past it nng keeps what it may still touch. */
void bus_edge_close(struct bus_edge *edge) {
    if (!edge) return;
    bus_release(edge);
    queue_clear(edge);
    bus_frame_codec_deinit(&edge->codec);
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += CLOSE_MAX_S;
    pthread_t thread;
    if (pthread_create(&thread, NULL, close_socket, edge) != 0) return;
    if (pthread_timedjoin_np(thread, NULL, &limit) != 0) {
        pthread_detach(thread);
        return;
    }
    free(edge->url);
    free(edge);
}

int bus_edge_fd(const struct bus_edge *edge) {
    return edge->fd;
}

/* --- sending */

/* push gives a frame to nng; true where nng has taken it, or can't ever. */
static bool push(struct bus_edge *edge, nng_msg *msg) {
    size_t len = nng_msg_len(msg);
    int error = nng_sendmsg(edge->socket, msg, NNG_FLAG_NONBLOCK);
    if (error == NNG_EAGAIN) return false;
    if (error) {
        nng_msg_free(msg);
        edge->statistics.dropped_closed++;
        return true;
    }
    edge->frames_sent++;
    edge->statistics.wire_sent_bytes += len;
    return true;
}

static void queue_push(struct bus_edge *edge) {
    while (edge->queue_count > 0) {
        nng_msg *msg = edge->queue[edge->queue_first];
        size_t len = nng_msg_len(msg);
        if (!push(edge, msg)) return;
        edge->queue_first = (edge->queue_first + 1) % BUS_QUEUE_MESSAGES_MAX;
        edge->queue_count--;
        edge->queue_bytes -= len;
    }
}

static bool queue_has_room(const struct bus_edge *edge, size_t len) {
    return edge->queue_count < BUS_QUEUE_MESSAGES_MAX && edge->queue_bytes + len <= edge->queue_max_bytes;
}

/* submit sends a sealed frame, or queues it behind those that wait. There is room. */
static void submit(struct bus_edge *edge, nng_msg *msg) {
    if (edge->queue_count == 0 && push(edge, msg)) return;
    edge->queue[(edge->queue_first + edge->queue_count++) % BUS_QUEUE_MESSAGES_MAX] = msg;
    edge->queue_bytes += nng_msg_len(msg);
}

/* frame_alloc returns a message of nng with room for a frame; NULL without memory. */
static nng_msg *frame_alloc(size_t message_len) {
    nng_msg *msg;
    return nng_msg_alloc(&msg, message_len + BUS_FRAME_OVERHEAD_BYTES) ? NULL : msg;
}

static void submit_sealed(struct bus_edge *edge, nng_msg *msg, size_t frame_len) {
    nng_msg_chop(msg, nng_msg_len(msg) - frame_len);
    submit(edge, msg);
}

static void greet(struct bus_edge *edge) {
    if (!edge->session.greeting_due || !queue_has_room(edge, BUS_FRAME_ID_BYTES)) return;
    nng_msg *msg = frame_alloc(BUS_FRAME_ID_BYTES);
    if (msg) submit_sealed(edge, msg, bus_session_greet(&edge->session, nng_msg_body(msg)));
}

int bus_send(struct bus_edge *edge, const void *bytes, size_t len) {
    if (len == 0 || len > edge->message_max_bytes) return MARCH_ERR_INVALID;
    if (!edge->session.open) return MARCH_ERR_NOT_FOUND;
    queue_push(edge);
    nng_msg *msg = queue_has_room(edge, len) ? frame_alloc(len) : NULL;
    if (!msg) {
        edge->statistics.dropped_full++;
        return MARCH_ERR_FULL;
    }
    submit_sealed(edge, msg, bus_session_seal(&edge->session, bytes, len, nng_msg_body(msg)));
    edge->statistics.sent_frames++;
    edge->statistics.sent_bytes += len;
    return 0;
}

/* --- the connection */

/* observe_pipe closes the session when nng's pipe has come or gone. */
static void observe_pipe(struct bus_edge *edge) {
    uint64_t word = atomic_load_explicit(&edge->pipe, memory_order_acquire);
    if (word == edge->pipe_seen) return;
    edge->pipe_seen = word;
    edge->given_up = false;
    edge->silent_ns = edge->unsent_ns = 0;
    bus_session_restart(&edge->session, pipe_id(word) != 0);
    edge->statistics.dropped_closed += queue_clear(edge);
}

/* watch counts silence in both directions: keeps the connection alive, or gives it up. */
static void watch(struct bus_edge *edge, struct mono now) {
    uint64_t step_ns = mono_since_ns(now, edge->updated);
    if (step_ns > SILENCE_STEP_MAX_MS * NS_PER_MS) step_ns = SILENCE_STEP_MAX_MS * NS_PER_MS;
    edge->silent_ns = edge->session.valid_frames != edge->valid_seen ? 0 : edge->silent_ns + step_ns;
    edge->unsent_ns = edge->frames_sent != edge->sent_seen ? 0 : edge->unsent_ns + step_ns;
    edge->valid_seen = edge->session.valid_frames;
    edge->sent_seen = edge->frames_sent;

    uint64_t limit_ms = edge->session.open ? BUS_SILENCE_MAX_MS : BUS_GREETING_MAX_MS;
    if (edge->silent_ns >= limit_ms * NS_PER_MS) {
        nng_pipe_close((nng_pipe){pipe_id(edge->pipe_seen)});
        edge->statistics.timeouts++;
        edge->given_up = true;
        edge->silent_ns = 0; /* once more only after another such time, if nng has not ended the pipe by then */
    }
    if (edge->session.open && edge->queue_count == 0 && edge->unsent_ns >= BUS_KEEP_ALIVE_MS * NS_PER_MS) {
        nng_msg *msg = frame_alloc(0);
        if (msg) submit_sealed(edge, msg, bus_session_seal(&edge->session, NULL, 0, nng_msg_body(msg)));
    }
}

/* start_again replaces a dialler or listener that has had no connection for long. Those of nng 1.5.2 give up for ever when
 * the peer dies in the moment in which it connects: dialer.c and listener.c take the EPIPE of their greeting for their own
 * end. New ones cost nothing where the peer is only away. */
static void start_again(struct bus_edge *edge, struct mono now) {
    uint64_t step_ns = mono_since_ns(now, edge->updated);
    edge->away_ns += step_ns < SILENCE_STEP_MAX_MS * NS_PER_MS ? step_ns : SILENCE_STEP_MAX_MS * NS_PER_MS;
    if (edge->away_ns < (edge->role == BUS_DIAL ? DIALLER_MS : LISTENER_MS) * NS_PER_MS) return;
    edge->away_ns = 0;
    edge->statistics.restarts++;
    (void)(edge->role == BUS_DIAL ? nng_dialer_close(edge->dialler) : nng_listener_close(edge->listener));
    (void)start(edge); /* what fails now, as an address still in use, is tried again */
}

/* check_nng ends the process when nng can't end connections any more (bus_probe.h): it would go on for ever without the
 * peers that it has lost. Who starts it again finds it whole. */
static void check_nng(struct bus_edge *edge, struct mono now) {
    uint64_t step_ns = mono_since_ns(now, edge->updated);
    if (edge->session.open && !edge->given_up) {
        edge->trouble_ns = 0;
        if (edge->probe.state == BUS_PROBE_IDLE) return;
    }
    edge->trouble_ns += step_ns < SILENCE_STEP_MAX_MS * NS_PER_MS ? step_ns : SILENCE_STEP_MAX_MS * NS_PER_MS;
    if (edge->probe.state == BUS_PROBE_IDLE && edge->trouble_ns < TROUBLE_MS * NS_PER_MS) return;
    enum bus_probe_answer answer = bus_probe_step(&edge->probe);
    if (answer == BUS_PROBE_HEALTHY) edge->trouble_ns = 0;
    if (answer != BUS_PROBE_STUCK) return;
    log_error("bus.stuck", "effect=%s", LOG_QUOTE("nng can't end connections any more; this process ends"));
    _exit(BUS_STUCK_EXIT);
}

void bus_update(struct bus_edge *edge, struct mono now) {
    observe_pipe(edge);
    check_nng(edge, now);
    if (pipe_id(edge->pipe_seen) != 0) {
        queue_push(edge);
        greet(edge);
        watch(edge, now);
        edge->away_ns = 0;
    } else {
        start_again(edge, now);
    }
    edge->updated = now;
}

bool bus_connected(const struct bus_edge *edge) {
    return edge->session.open;
}

uint32_t bus_generation(const struct bus_edge *edge) {
    return edge->session.generation;
}

/* --- receiving */

/* take gives one frame to the session; 0 where it carries a message. */
static int take(struct bus_edge *edge, nng_msg *msg, const uint8_t **bytes, size_t *len) {
    struct bus_session *session = &edge->session;
    observe_pipe(edge);
    bool was_open = session->open;
    edge->statistics.wire_received_bytes += nng_msg_len(msg);
    int error = bus_session_receive(session, nng_msg_body(msg), nng_msg_len(msg), bytes, len);
    if (was_open && !session->open) edge->statistics.dropped_closed += queue_clear(edge);
    greet(edge);
    return error;
}

int bus_receive(struct bus_edge *edge, const uint8_t **bytes, size_t *len) {
    CHECK(!edge->held);
    for (int i = 0; i < DISCARD_MAX; i++) {
        nng_msg *msg;
        if (nng_recvmsg(edge->socket, &msg, NNG_FLAG_NONBLOCK)) return MARCH_ERR_EMPTY;
        if (take(edge, msg, bytes, len) == 0) {
            edge->held = msg;
            edge->statistics.received_frames++;
            edge->statistics.received_bytes += *len;
            return 0;
        }
        nng_msg_free(msg);
    }
    return MARCH_ERR_EMPTY;
}

void bus_release(struct bus_edge *edge) {
    if (edge->held) nng_msg_free(edge->held);
    edge->held = NULL;
}

void bus_statistics_read(const struct bus_edge *edge, struct bus_statistics *out) {
    *out = edge->statistics;
    out->bad_frames = edge->session.bad_frames;
    out->stale_frames = edge->session.stale_frames;
    out->gaps = edge->session.gaps;
    out->connections = edge->session.generation;
    out->queue_messages = edge->queue_count;
    out->queue_bytes = edge->queue_bytes;
}
