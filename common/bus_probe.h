/* bus_probe.h: asks whether nng can still end connections in this process.
 *
 * nng 1.5.2 ends all connections of a process on one thread. When a connection is closed between two parts of a message that
 * comes in, as happens when the peer is killed with messages under way, that thread may wait for ever for the rest of it.
 * From then on no connection of this process ends, and none that was lost comes back. Nothing within the process can repair
 * that.
 *
 * A probe is a connection of the process with itself, which is closed: its end is reported, or it is not.
 *
 *     idle ──step──► connecting ──► closing ──► idle, healthy
 *                                      └── BUS_PROBE_MS ──► stuck, for good
 *
 * It reads the clock itself: what it waits for are nng's threads, which keep real time. A pause of the whole process is not
 * taken for theirs. One thread; callbacks of nng touch one atomic.
 */
#ifndef MARCH_COMMON_BUS_PROBE_H
#define MARCH_COMMON_BUS_PROBE_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

#define BUS_PROBE_MS      3000 /* to end: a thousand times what it takes */
#define BUS_PROBE_STEP_MS 200  /* between two steps, at most, to count as waiting */

enum bus_probe_answer { BUS_PROBE_PENDING = 0, BUS_PROBE_HEALTHY = 1, BUS_PROBE_STUCK = 2 };

enum bus_probe_state { BUS_PROBE_IDLE = 0, BUS_PROBE_CONNECTING, BUS_PROBE_CLOSING };

/* Zero is idle. Must stay where it is while it is open. */
struct bus_probe {
    enum bus_probe_state state;
    bool is_open;
    nng_socket ends[2];
    _Atomic uint32_t pipe; /* of the first end; 0: none. Another one follows at once */
    uint32_t closed;
    struct mono stepped;
    uint64_t waited_ns;
};

/* bus_probe_step begins a probe or goes on with it; PENDING until it knows, and while its own connection can't be made. */
enum bus_probe_answer bus_probe_step(struct bus_probe *probe);

/* bus_probe_close may wait as long as nng does: only where it is healthy. */
void bus_probe_close(struct bus_probe *probe);

#endif
