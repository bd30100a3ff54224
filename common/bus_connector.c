#include "common/bus_connector.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

/* done runs on a thread of nng. Release pairs with the acquire in bus_connector_take: the result is seen with it. */
static void done(void *arg) {
    struct bus_connector *c = arg;
    atomic_store_explicit(&c->is_done, true, memory_order_release);
    notifier_raise(c->notifier);
}

static bool is_tcp(const struct bus_connector *c) {
    return strncmp(c->url, "tcp://", 6) == 0;
}

static int listen_at(struct bus_connector *c) {
    int error = nng_stream_listener_alloc(&c->listener, c->url);
    if (!error && is_tcp(c)) error = nng_stream_listener_set_bool(c->listener, NNG_OPT_TCP_NODELAY, true);
    if (!error && is_tcp(c)) error = nng_stream_listener_set_bool(c->listener, NNG_OPT_TCP_KEEPALIVE, true);
    if (!error && !is_tcp(c)) error = nng_stream_listener_set_int(c->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    return error ? error : nng_stream_listener_listen(c->listener);
}

/* dialer_renew makes the dialler of the next try. The last one's may still have something to do with one that was given up.
 */
static int dialer_renew(struct bus_connector *c) {
    nng_stream_dialer_free(c->dialer);
    c->dialer = NULL;
    int error = nng_stream_dialer_alloc(&c->dialer, c->url);
    if (!error && is_tcp(c)) error = nng_stream_dialer_set_bool(c->dialer, NNG_OPT_TCP_NODELAY, true);
    if (!error && is_tcp(c)) error = nng_stream_dialer_set_bool(c->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    return error;
}

int bus_connector_open(struct bus_connector *c, const char *url, bool listens, struct notifier *notifier) {
    *c = (struct bus_connector){.notifier = notifier, .url = strdup(url)};
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    backoff_init(&c->backoff, CONNECTOR_PAUSE_MIN_MS, CONNECTOR_PAUSE_MAX_MS, seed);
    if (!c->url) return NNG_ENOMEM;
    int error = nng_aio_alloc(&c->aio, done, c);
    if (!error) error = listens ? listen_at(c) : dialer_renew(c);
    if (error) bus_connector_close(c);
    return error;
}

/* result returns the stream of a try that is done, or NULL. */
static nng_stream *result(struct bus_connector *c) {
    c->is_trying = false;
    return nng_aio_result(c->aio) == 0 ? nng_aio_get_output(c->aio, 0) : NULL;
}

void bus_connector_close(struct bus_connector *c) {
    if (c->aio) nng_aio_stop(c->aio); /* waits for the callback */
    if (c->is_trying) nng_stream_free(result(c));
    nng_stream_dialer_free(c->dialer);
    nng_stream_listener_free(c->listener);
    nng_aio_free(c->aio);
    free(c->url);
    *c = (struct bus_connector){0};
}

static void try_again_later(struct bus_connector *c, struct mono now) {
    c->due = mono_add_ms(now, backoff_next_ms(&c->backoff));
}

static void begin(struct bus_connector *c, struct mono now) {
    if (!c->listener && dialer_renew(c) != 0) {
        try_again_later(c, now);
        return;
    }
    c->is_trying = true;
    c->give_up = mono_add_ms(now, CONNECTOR_TRY_MAX_MS);
    atomic_store_explicit(&c->is_done, false, memory_order_relaxed); /* nothing is under way; beginning it orders this */
    if (c->listener) {
        nng_stream_listener_accept(c->listener, c->aio);
    } else {
        nng_stream_dialer_dial(c->dialer, c->aio);
    }
}

nng_stream *bus_connector_take(struct bus_connector *c, struct mono now) {
    nng_stream *stream = NULL;
    if (c->is_trying && atomic_load_explicit(&c->is_done, memory_order_acquire)) {
        stream = result(c);
        if (!stream || !c->listener) try_again_later(c, now);
    } else if (c->is_trying && !c->listener && mono_reached(now, c->give_up)) {
        nng_aio_cancel(c->aio); /* which is done soon */
    }
    if (!stream && !c->is_trying && mono_reached(now, c->due)) begin(c, now);
    return stream;
}

void bus_connector_proven(struct bus_connector *c) {
    backoff_reset(&c->backoff);
    c->due = (struct mono){0};
}
