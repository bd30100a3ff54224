#include "zone/pacer.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"

void pacer_init(struct pacer *pacer, uint32_t tick_hz, struct mono now, uint64_t wall_ns) {
    CHECK(tick_hz >= 1);
    *pacer = (struct pacer){
        .tick_hz = tick_hz, .stride = 1, .offset_ns = (int64_t)(wall_ns - now.ns), .tick = tick_at(wall_ns, tick_hz)};
}

void pacer_follow(struct pacer *pacer, struct mono now, uint64_t wall_ns) {
    int64_t error = (int64_t)(wall_ns - now.ns) - pacer->offset_ns;
    const int64_t most = (int64_t)PACER_SLEW_NS;
    pacer->offset_ns += error > most ? most : error < -most ? -most : error;
}

void pacer_set_stride(struct pacer *pacer, uint32_t stride) {
    CHECK(stride >= 1 && stride <= PACER_STRIDE_MAX);
    pacer->stride = stride;
}

static uint64_t due_tick(const struct pacer *pacer) {
    return pacer->tick / pacer->stride * pacer->stride + pacer->stride;
}

struct mono pacer_due(const struct pacer *pacer) {
    return (struct mono){tick_start_ns(due_tick(pacer), pacer->tick_hz) - (uint64_t)pacer->offset_ns};
}

uint64_t pacer_at(const struct pacer *pacer, struct mono now) {
    return tick_at(now.ns + (uint64_t)pacer->offset_ns, pacer->tick_hz);
}

uint64_t pacer_begin(struct pacer *pacer, struct mono now) {
    uint64_t due = due_tick(pacer), current = pacer_at(pacer, now) / pacer->stride * pacer->stride;
    pacer->tick = due;
    if (current > due) {
        pacer->missed += (current - due) / pacer->stride;
        pacer->tick = current;
    }
    return pacer->tick;
}

struct mono pacer_wait(struct mono due, bool spin) {
    struct mono now = mono_now();
    uint64_t until_ns = due.ns - (spin ? PACER_SPIN_NS : 0);
    if (now.ns < until_ns) {
        struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) return mono_now();
        now = mono_now();
    }
    while (now.ns < due.ns) {
        __builtin_ia32_pause();
        now = mono_now();
    }
    return now;
}

int pacer_keep_awake(void) {
    const int32_t latency_us = 0;
    int fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, &latency_us, sizeof latency_us) == sizeof latency_us) return fd;
    int saved = errno;
    if (fd >= 0) close(fd);
    errno = saved;
    return MARCH_ERR_SYSTEM;
}
