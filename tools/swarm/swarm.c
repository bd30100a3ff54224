/* swarm.c: see swarm.h. Set-up, phases and the loop; what a single bot does is in bot.c. */
#include "tools/swarm/swarm.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tools/swarm/ledger_file.h"
#include "tools/swarm/swarm_inner.h"

_Static_assert(CONFIG_VIEW_MAX <= MARCH_ENTITIES_MAX, "a client has room for any view");

#define HUGE_PAGE_BYTES (2u << 20)
#define HEAP_BLOCK_MAX  (32 << 20) /* the most that glibc takes for M_MMAP_THRESHOLD */

static double cpu_now_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void take_rtt(void *context, uint64_t rtt_ns) {
    struct swarm *s = context;
    histogram_record(&s->recent_rtt_ns, rtt_ns);
    if (s->phase == SWARM_PLAY) histogram_record(&s->report->rtt_ns, rtt_ns);
}

/* --- phases */

static void set_mark(struct bot *bot) {
    struct march_stats stats;
    march_client_stats(bot->client, &stats);
    bot->mark = (struct mark){.snapshots = stats.snapshots,
                              .bytes_up = stats.bytes_up,
                              .bytes_down = stats.bytes_down,
                              .packets_up = stats.packets_up,
                              .packets_down = stats.packets_down,
                              .packets_refused = stats.packets_refused,
                              .snapshots_refused = stats.snapshots_refused};
    bot->marked = true;
}

static void begin_play(struct swarm *s) {
    s->phase = SWARM_PLAY;
    s->play_begun = s->now;
    s->phase_end = mono_add_ms(s->now, (uint64_t)s->options.duration_s * 1000);
    s->play_cpu_s = cpu_now_s();
    for (uint32_t i = 0; i < s->options.clients; i++)
        if (s->bots[i].state == BOT_PLAYING) set_mark(&s->bots[i]);
}

static int compare_rates(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* count_bots sums up what the bots that played to the end met. Rates of snapshots are ranked exactly: a target is near. */
static void count_bots(struct swarm *s) {
    struct report *r = s->report;
    uint32_t count = 0;
    uint64_t bytes_up = 0;
    uint64_t bytes_down = 0;
    for (uint32_t i = 0; i < s->options.clients; i++) {
        const struct mark *from = &s->bots[i].mark;
        struct march_stats stats;
        if (!s->bots[i].marked) continue;
        march_client_stats(s->bots[i].client, &stats);
        r->packets_refused += stats.packets_refused - from->packets_refused;
        r->snapshots_refused += stats.snapshots_refused - from->snapshots_refused;
        r->packets_up += stats.packets_up - from->packets_up;
        r->packets_down += stats.packets_down - from->packets_down;
        bytes_up += stats.bytes_up - from->bytes_up;
        bytes_down += stats.bytes_down - from->bytes_down;
        s->rates[count++] = (double)(stats.snapshots - from->snapshots) / r->played_s;
    }
    if (count == 0) return;
    qsort(s->rates, count, sizeof(*s->rates), compare_rates);
    r->snapshot_hz_p1 = s->rates[count / 100];
    r->snapshot_hz_p50 = s->rates[count / 2];
    r->bytes_up_per_s = (double)bytes_up / r->played_s / count;
    r->bytes_down_per_s = (double)bytes_down / r->played_s / count;
}

/* settle counts what the bots have, and gives up what was not answered. */
static void settle(struct swarm *s) {
    for (uint32_t i = 0; i < s->market.count; i++) {
        const struct march_inventory *inventory = s->market.dealers[i].inventory;
        for (uint32_t k = 0; k < inventory->count; k++) s->report->items += inventory->items[k].count;
        s->report->gold += inventory->gold;
        bot_give_up(s, i);
    }
}

static void begin_leave(struct swarm *s) {
    struct report *r = s->report;
    settle(s);
    if (s->phase == SWARM_PLAY) {
        r->played_s = (double)mono_since_ns(s->now, s->play_begun) / (double)NS_PER_S;
        r->cpu_s = cpu_now_s() - s->play_cpu_s;
        if (r->played_s > 0) count_bots(s);
    }
    for (uint32_t i = 0; i < s->options.clients; i++) {
        struct march_stats stats;
        march_client_stats(s->bots[i].client, &stats);
        r->blinks += stats.blinks;
        r->unconnected += !s->bots[i].connected_once;
    }
    const struct udp_pool_stats *pool = udp_pool_stats(s->pool);
    r->unsent = pool->unsent;
    r->strangers = pool->strangers;
    s->phase = SWARM_LEAVE;
    s->phase_end = mono_add_ms(s->now, SWARM_GOODBYE_MS);
    for (uint32_t i = 0; i < s->options.clients; i++)
        if (march_client_state(s->bots[i].client) == MARCH_CLIENT_CONNECTED) march_client_disconnect(s->bots[i].client);
}

/* all_heard tells whether no bot that plays waits to hear itself. */
static bool all_heard(const struct swarm *s) {
    for (uint32_t i = 0; s->options.say_hz > 0 && i < s->options.clients; i++)
        if (s->bots[i].state == BOT_PLAYING && s->bots[i].speech.expected < s->bots[i].speech.said) return false;
    return true;
}

/* all_answered tells whether no command of a bot is under way. */
static bool all_answered(const struct swarm *s) {
    for (uint32_t i = 0; i < s->market.count; i++)
        if (s->market.dealers[i].order.state != ORDER_NONE) return false;
    return true;
}

static void step_play(struct swarm *s) {
    bool over = s->options.duration_s > 0 && mono_reached(s->now, s->phase_end);
    over = over || (s->options.crossings > 0 && s->report->continuity.crossings.count >= s->options.crossings);
    bool empty = s->playing == 0 && s->waiting == 0;
    if (!s->ending && (over || empty || *s->options.stop != 0)) {
        s->ending = true;
        s->phase_end = mono_add_ms(s->now, all_answered(s) ? SWARM_LISTEN_MS : SWARM_SETTLE_MS);
    }
    if (s->ending && ((all_heard(s) && all_answered(s)) || mono_reached(s->now, s->phase_end))) begin_leave(s);
}

static bool step_phase(struct swarm *s) {
    if (s->phase == SWARM_RAMP && s->waiting == 0) begin_play(s);
    if (s->phase == SWARM_RAMP && *s->options.stop != 0) begin_leave(s);
    if (s->phase == SWARM_PLAY) step_play(s);
    return s->phase != SWARM_LEAVE || !mono_reached(s->now, s->phase_end);
}

static void show_progress(struct swarm *s) {
    if (!mono_reached(s->now, s->next_progress)) return;
    bool forever = s->options.duration_s == 0;
    s->next_progress = mono_add_ms(s->now, (forever ? SWARM_PROGRESS_LONG_S : SWARM_PROGRESS_S) * 1000);
    fprintf(stderr, "%6.1f s  %s  %u of %u play, %" PRIu64 " dropped, round trip p50 %.1f ms p99 %.1f ms\n",
            (double)mono_since_ns(s->now, s->begun) / (double)NS_PER_S, s->phase == SWARM_RAMP ? "connecting" : "playing   ",
            s->playing, s->options.clients, s->report->disconnected,
            (double)histogram_quantile(&s->recent_rtt_ns, 0.5) / (double)NS_PER_MS,
            (double)histogram_quantile(&s->recent_rtt_ns, 0.99) / (double)NS_PER_MS);
    histogram_reset(&s->recent_rtt_ns);
    if (s->ledger != NULL) fflush(s->ledger);
}

static void write_timeline(struct swarm *s) {
    if (s->phase == SWARM_LEAVE || !continuity_due(&s->continuity, s->now)) return;
    for (uint32_t i = 0; i < s->options.clients; i++)
        if (s->bots[i].state != BOT_GONE) continuity_silence(&s->continuity, &s->bots[i].continuity, s->now);
    const struct report *r = s->report;
    struct continuity_line line = {.t_s = (double)mono_since_ns(s->now, s->begun) / (double)NS_PER_S,
                                   .playing = s->playing,
                                   .disconnected = r->disconnected,
                                   .reconnects = r->reconnects,
                                   .resumed = r->resumed,
                                   .moves = r->moves};
    continuity_write(&s->continuity, s->now, &line);
}

/* refresh reads the run directory again while bots want to connect: a gateway may have come back at another address. */
static void refresh(struct swarm *s) {
    char error[ACCESS_ERROR_SIZE];
    struct access access;
    if ((s->options.duration_s > 0 && !s->options.reconnects) || s->waiting == 0 || s->options.run_dir == NULL ||
        !mono_reached(s->now, s->next_refresh))
        return;
    s->next_refresh = mono_add_ms(s->now, SWARM_RETRY_MS);
    if (access_open(&access, s->options.run_dir, error, sizeof(error)) == 0) s->options.access = access;
}

/* --- loop */

static void wait_for_slot(struct swarm *s) {
    bool busy = s->options.clients * s->options.rate_hz >= SWARM_BUSY_PER_S;
    if (!busy) {
        udp_pool_receive(s->pool, 1, bot_take_packet, s);
        return;
    }
    uint64_t next_ns = (swarm_now_ms(s) + 1) * NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(next_ns / NS_PER_S), .tv_nsec = (long)(next_ns % NS_PER_S)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    s->now = mono_now();
    udp_pool_receive(s->pool, 0, bot_take_packet, s);
}

static void loop(struct swarm *s) {
    do {
        s->now = mono_now();
        s->wall_s = wall_now_s();
        for (uint32_t i; (i = wheel_take(&s->wheel, swarm_now_ms(s))) != WHEEL_NONE;) bot_look_at(s, i);
        udp_pool_flush(s->pool);
        show_progress(s);
        write_timeline(s);
        refresh(s);
        wait_for_slot(s);
        s->now = mono_now();
        udp_pool_flush(s->pool);
    } while (step_phase(s));
}

/* The memory of thousands of clients is walked packet by packet, each time another's, so with pages of 4 KiB every access
 * misses the TLB as well. What is on the heap beyond `from` gets huge pages instead. */
static void use_huge_pages(char *from) {
    uintptr_t first = ((uintptr_t)from + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    uintptr_t end = (uintptr_t)sbrk(0);
    if (end > first) (void)madvise((void *)first, end - first, MADV_HUGEPAGE); /* where there are none, 4 KiB do */
}

static int add_bots(struct swarm *s) {
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_MAX); /* clients go on the heap, one beside the other */
    char *heap = sbrk(0);
    const struct swarm_options *o = &s->options;
    struct march_config config = {.input_hz = o->rate_hz,
                                  .tick_hz = o->access.tick_hz,
                                  .entities_max = o->access.view_max,
                                  .message_bytes_max = 3072,
                                  .message_blocks = swarm_deals(s) ? 32 : 8,
                                  .rtt = take_rtt,
                                  .rtt_context = s,
                                  .gap = bot_take_gap,
                                  .gap_context = s};
    for (uint32_t i = 0; i < o->clients; i++) {
        struct bot *bot = &s->bots[i];
        bot->client = march_client_create(&config);
        if (bot->client == NULL) return MARCH_ERR_SYSTEM;
        mind_init(&bot->mind, o->seed + i);
        bot->mind.borders = &s->options.borders;
        if (s->queuers != NULL) queuer_init(&s->queuers[i], i, o->clients, o->player_base + 1, o->party_size);
        bot->mind.is_close = s->options.is_close;
        if (swarm_deals(s)) {
            s->market.dealers[i].player = o->player_base + i + 1;
            s->market.dealers[i].inventory = march_client_inventory(bot->client);
        }
        bot->due_us = s->now.ns / NS_PER_US + (uint64_t)i * 1000000 / o->ramp_per_s;
        wheel_add(&s->wheel, i, bot->due_us / 1000);
    }
    use_huge_pages(heap);
    s->waiting = o->clients;
    return 0;
}

static const struct addr *first_address(const struct swarm_options *o) {
    if (o->server.family != ADDR_NONE) return &o->server;
    for (uint32_t i = 0; i < o->access.gateway_count; i++)
        for (uint32_t j = 0; j < o->access.gateways[i].count; j++)
            if (o->access.gateways[i].addresses[j].family == o->family) return &o->access.gateways[i].addresses[j];
    return NULL;
}

static int open_all(struct swarm *s) {
    const struct swarm_options *o = &s->options;
    const struct addr *server = first_address(o);
    if (server == NULL) {
        errno = EADDRNOTAVAIL;
        return MARCH_ERR_SYSTEM;
    }
    s->bots = calloc(o->clients, sizeof(*s->bots));
    s->seen = calloc(MARCH_ENTITIES_MAX, sizeof(*s->seen));
    s->rates = calloc(o->clients, sizeof(*s->rates));
    s->builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    if (s->bots == NULL || s->seen == NULL || s->rates == NULL || s->builder == NULL ||
        wheel_init(&s->wheel, o->clients, swarm_now_ms(s)) != 0)
        return MARCH_ERR_SYSTEM;
    if (o->behaviour == BEHAVIOUR_MATCHMAKING && (s->queuers = calloc(o->clients, sizeof(*s->queuers))) == NULL)
        return MARCH_ERR_SYSTEM;
    if (swarm_deals(s) && market_init(&s->market, o->clients) != 0) return MARCH_ERR_SYSTEM;
    if (o->ledger_path != NULL && (s->ledger = fopen(o->ledger_path, "we")) == NULL) return MARCH_ERR_SYSTEM;
    if (continuity_open(&s->continuity, &s->report->continuity, o->timeline_path, o->timeline_ms, s->now) != 0)
        return MARCH_ERR_SYSTEM;
    int result = udp_pool_open(&s->pool, o->clients, o->sockets, o->address_base, server);
    return result == 0 ? add_bots(s) : result;
}

static void close_all(struct swarm *s) {
    for (uint32_t i = 0; s->bots != NULL && i < s->options.clients; i++) march_client_destroy(s->bots[i].client);
    udp_pool_close(s->pool);
    wheel_deinit(&s->wheel);
    wire_builder_destroy(s->builder);
    market_deinit(&s->market);
    free(s->queuers);
    free(s->bots);
    free(s->seen);
    free(s->rates);
}

int swarm_run(const struct swarm_options *options, struct report *report, char *error, size_t error_size) {
    struct swarm *s = calloc(1, sizeof(*s));
    if (s == NULL) return MARCH_ERR_SYSTEM;
    s->options = *options;
    s->report = report;
    report->clients = options->clients;
    s->now = s->begun = s->next_progress = mono_now();
    s->period_us = 1000000 / options->rate_hz;
    int result = open_all(s);
    if (result == 0)
        loop(s);
    else
        snprintf(error, error_size, "cannot set up %u clients: %s", options->clients, strerror(errno));
    close_all(s);
    if (continuity_close(&s->continuity) != 0) {
        snprintf(error, error_size, "cannot write %s: %s", options->timeline_path, strerror(errno));
        result = MARCH_ERR_SYSTEM;
    }
    if (ledger_file_close(s->ledger) != 0) {
        snprintf(error, error_size, "cannot write %s: %s", options->ledger_path, strerror(errno));
        result = MARCH_ERR_SYSTEM;
    }
    free(s);
    return result;
}
