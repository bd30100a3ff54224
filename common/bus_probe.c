/* bus_probe.c: see bus_probe.h. */
#include "common/bus_probe.h"

#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <unistd.h>

/* pipe_changed runs on threads of nng, one callback of a socket at a time. Release pairs with the acquire in bus_probe_step.
 */
static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    struct bus_probe *probe = arg;
    uint32_t id = event == NNG_PIPE_EV_ADD_POST ? (uint32_t)nng_pipe_id(pipe) : 0;
    atomic_store_explicit(&probe->pipe, id, memory_order_release);
}

static bool open_ends(struct bus_probe *probe) {
    char url[64];
    snprintf(url, sizeof url, "inproc://march-probe-%d-%p", (int)getpid(), (void *)probe);
    if (nng_pair0_open(&probe->ends[0]) != 0) return false;
    if (nng_pair0_open(&probe->ends[1]) != 0) {
        nng_close(probe->ends[0]);
        return false;
    }
    probe->is_open = true;
    return nng_pipe_notify(probe->ends[0], NNG_PIPE_EV_ADD_POST, pipe_changed, probe) == 0 &&
           nng_pipe_notify(probe->ends[0], NNG_PIPE_EV_REM_POST, pipe_changed, probe) == 0 &&
           nng_listen(probe->ends[0], url, NULL, 0) == 0 && nng_dial(probe->ends[1], url, NULL, NNG_FLAG_NONBLOCK) == 0;
}

/* count_wait adds the time since the step before to what was waited, unless this process did nothing for so long. */
static void count_wait(struct bus_probe *probe) {
    struct mono now = mono_now();
    uint64_t step_ns = mono_since_ns(now, probe->stepped);
    probe->waited_ns += step_ns < BUS_PROBE_STEP_MS * NS_PER_MS ? step_ns : BUS_PROBE_STEP_MS * NS_PER_MS;
    probe->stepped = now;
}

enum bus_probe_answer bus_probe_step(struct bus_probe *probe) {
    if (!probe->is_open && !open_ends(probe)) return BUS_PROBE_PENDING;
    count_wait(probe);
    uint32_t pipe = atomic_load_explicit(&probe->pipe, memory_order_acquire);
    switch (probe->state) {
    case BUS_PROBE_IDLE: probe->state = BUS_PROBE_CONNECTING; break;
    case BUS_PROBE_CONNECTING:
        if (pipe == 0) break;
        probe->state = BUS_PROBE_CLOSING;
        probe->waited_ns = 0;
        probe->closed = pipe;
        nng_pipe_close((nng_pipe){pipe});
        break;
    case BUS_PROBE_CLOSING:
        if (pipe != probe->closed) {
            probe->state = BUS_PROBE_IDLE;
            return BUS_PROBE_HEALTHY;
        }
        if (probe->waited_ns >= BUS_PROBE_MS * NS_PER_MS) return BUS_PROBE_STUCK;
    }
    return BUS_PROBE_PENDING;
}

void bus_probe_close(struct bus_probe *probe) {
    if (!probe->is_open) return;
    probe->is_open = false;
    nng_close(probe->ends[1]);
    nng_close(probe->ends[0]);
}
