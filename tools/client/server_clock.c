#include "tools/client/server_clock.h"

#include <math.h>

#include "common/error.h"

#define TICKS_WRAP 4294967296.0

void server_clock_init(struct server_clock *clock, uint32_t tick_hz) {
    *clock = (struct server_clock){.tick_hz = tick_hz};
}

bool server_clock_ping(struct server_clock *clock, struct mono now, uint32_t *client_us) {
    if (!mono_reached(now, clock->ping_due)) return false;
    clock->pings++;
    clock->ping_due = mono_add_ms(now, clock->pings < SERVER_CLOCK_SAMPLES ? SERVER_CLOCK_FAST_MS : SERVER_CLOCK_SLOW_MS);
    *client_us = (uint32_t)(now.ns / NS_PER_US);
    return true;
}

static void find_best(struct server_clock *clock) {
    uint32_t count = clock->pongs < SERVER_CLOCK_SAMPLES ? clock->pongs : SERVER_CLOCK_SAMPLES;
    clock->best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (clock->samples[i].rtt_ns < clock->samples[clock->best].rtt_ns) clock->best = i;
    }
}

int server_clock_pong(struct server_clock *clock, struct mono now, const struct frame_pong *pong) {
    uint64_t rtt_ns = (uint64_t)((uint32_t)(now.ns / NS_PER_US) - pong->client_us) * NS_PER_US;
    if (rtt_ns > SERVER_CLOCK_RTT_MAX * NS_PER_S || rtt_ns > now.ns || clock->pings == 0) return MARCH_ERR_INVALID;
    struct server_clock_sample *sample = &clock->samples[clock->pongs % SERVER_CLOCK_SAMPLES];
    sample->rtt_ns = rtt_ns;
    sample->at = (struct mono){now.ns - rtt_ns / 2};
    sample->tick = pong->tick_low;
    sample->fraction = pong->tick_fraction / 65536.0;
    clock->pongs++;
    clock->rtt_ns = clock->pongs == 1 ? rtt_ns : clock->rtt_ns - clock->rtt_ns / 8 + rtt_ns / 8;
    find_best(clock);
    return MARCH_OK;
}

double server_clock_tick(const struct server_clock *clock, struct mono now) {
    if (clock->pongs == 0) return 0;
    const struct server_clock_sample *sample = &clock->samples[clock->best];
    double since_s = (double)mono_since_ns(now, sample->at) / (double)NS_PER_S;
    return fmod(sample->tick + sample->fraction + since_s * clock->tick_hz, TICKS_WRAP);
}
