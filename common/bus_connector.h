/* bus_connector.h: makes connected streams for an edge, one after the other: dials until it is heard, or accepts.
 *
 *   WAITING ── due, none wanted before ──► TRYING ── done ──► WAITING, with a stream or without
 *
 * A dialler tries again after 10 to 500 ms, longer each time, until it is told that a connection was proven; each try has a
 * dialler of nng of its own, and is given up after CONNECTOR_TRY_MAX_MS. A listener accepts one connection at a time, when
 * it is asked to; those who come meanwhile wait in the system's backlog.
 *
 * One owner; a callback of nng touches one atomic, and raises the notifier. Nothing blocks.
 */
#ifndef MARCH_COMMON_BUS_CONNECTOR_H
#define MARCH_COMMON_BUS_CONNECTOR_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/notifier.h"

#define CONNECTOR_PAUSE_MIN_MS 10
#define CONNECTOR_PAUSE_MAX_MS 500
#define CONNECTOR_TRY_MAX_MS   3000 /* a host that does not answer is tried for minutes by tcp, ever more rarely */

struct bus_connector {
    char *url;
    struct notifier *notifier;
    nng_stream_dialer *dialer;     /* of the try of now or the last one; or */
    nng_stream_listener *listener; /* NULL: dials */
    nng_aio *aio;
    bool is_trying;
    atomic_bool is_done;
    struct mono due, give_up; /* the next try; the end of this one */
    struct backoff backoff;
};

/* bus_connector_open begins to listen, where `listens`. Returns 0 or an error of nng. bus_connector_close: fine twice, and
 * after an open that failed. */
must_check int bus_connector_open(struct bus_connector *c, const char *url, bool listens, struct notifier *notifier);
void bus_connector_close(struct bus_connector *c);

/* bus_connector_take returns the next connected stream, which is the caller's then, or NULL; and sees to it that one is
 * being made. Called when none is there, again and again. */
nng_stream *bus_connector_take(struct bus_connector *c, struct mono now);

/* bus_connector_proven: the last stream led to the right peer, so the next try may be at once. */
void bus_connector_proven(struct bus_connector *c);

#endif
