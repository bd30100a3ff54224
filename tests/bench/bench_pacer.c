/* bench_pacer.c: how late a zone's ticks begin. Runs the pacer for a number of seconds (argument, default 10) with nothing
 * to do in a tick, as cyclictest does, and prints the quantiles of the delay from due to awake as one JSON line. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/histogram.h"
#include "zone/pacer.h"

#define TICK_HZ 60

int main(int argc, char **argv) {
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    if (seconds < 1 || seconds > 3600) {
        fprintf(stderr, "usage: bench_pacer [SECONDS], from 1 to 3600\n");
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    int awake_fd = pacer_keep_awake(); /* as a zone with a core of its own does, and as cyclictest does */
    static struct histogram late_ns;
    struct pacer pacer;
    pacer_init(&pacer, TICK_HZ, mono_now(), wall_now_ns());
    for (long i = 0; i < seconds * TICK_HZ; i++) {
        struct mono due = pacer_due(&pacer);
        struct mono woken = pacer_wait(due, false);
        histogram_record(&late_ns, mono_since_ns(woken, due));
        pacer_begin(&pacer, woken);
    }
    printf("{\"wakeup_p50_us\": %.1f, \"wakeup_p99_us\": %.1f, \"wakeup_max_us\": %.1f}\n",
           (double)histogram_quantile(&late_ns, 0.5) / 1e3, (double)histogram_quantile(&late_ns, 0.99) / 1e3,
           (double)histogram_max(&late_ns) / 1e3);
    if (awake_fd >= 0) close(awake_fd);
    return 0;
}
