/* bench_queue: a queue in which a million tickets wait.
 *
 *   bench_queue [TICKETS]
 *
 * One line a figure, `name value unit`. Teams are 5 against 5, ratings normal (1500, 350), three regions, windows of 100
 * points. Rates are by the processor time of the thread, so that others on the machine count little; p50 and p99 are by the
 * clock, and with its two readings.
 *
 *   enqueue_cancel   a ticket enters, another of random age is cancelled; each is an operation. The mode has roles, and
 * those who wait all want the same one: they stay, and every entry tries a match in vain.
 *   ..._held         the same in a mode that is held: nothing is tried.
 *   ..._stuck        the same with tanks enough, and one healer in the whole queue where a match wants two.
 *   ..._vain         the same with no roles and windows of 0 points, so that an entry looks at as many tickets as it may,
 * 84, of which three or so have its rating: the worst that a try can cost. match_10         matches of 10 formed out of a
 * million who could all play, by tries of random tickets. The queue is filled up after each BATCH, not in the time.
 * enter_10_match   the same, with the ten entries that follow a match in the time. ticket_bytes     all memory of the queue,
 * a ticket
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/check.h"
#include "common/histogram.h"
#include "matchmaker/queue.h"

#define OPERATIONS 2000000
#define MATCHES    100000
#define BATCH      500 /* of matches or of entries, between two looks at the clock */
#define REGIONS    3
#define SPARE      1000 /* tickets */

enum { OPEN = 0, HELD = 1, STUCK = 2, VAIN = 3, PLAIN = 4, MODES = 5 };

struct bench {
    struct queue *queue;
    struct mono now; /* virtual */
    uint32_t tickets, count;
    struct handle *handles; /* by index of the ticket; some are stale */
    struct queue_player players[BATCH * 10];
    uint64_t next_player, random, matches, gap;
};

static uint64_t next_random(struct bench *bench) {
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random;
}

/* The sum of four draws is near enough to normal. */
static int32_t rating(struct bench *bench) {
    int32_t sum = 0;
    for (int i = 0; i < 4; i++) sum += (int32_t)(next_random(bench) % 1213);
    return sum - 2 * 1213 + 1500;
}

static void on_event(void *ctx, const struct queue_event *event) {
    struct bench *bench = ctx;
    if (event->kind != QUEUE_EVENT_MATCHED) return;
    bench->matches++;
    bench->count -= event->match->seat_count;
    bench->gap += event->match->gap;
}

static struct mode mode_of(bool has_roles) {
    struct mode mode = {.name = "bench",
                        .teams = 2,
                        .team_size = 5,
                        .max_party = 5,
                        .window_start = 100,
                        .window_step = 50,
                        .window_max = 500,
                        .window_every_ms = 5000,
                        .latency_start_ms = 80,
                        .latency_step_ms = 20,
                        .latency_max_ms = 200,
                        .balance_max = 60,
                        .timeout_ms = MODE_TIME_MS_MAX};
    mode.role_count = has_roles ? 3 : 0;
    mode.roles[0] = (struct mode_role){"tank", 1};
    mode.roles[1] = (struct mode_role){"healer", 1};
    mode.roles[2] = (struct mode_role){"damage", 3};
    return mode;
}

static uint64_t processor_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* draw_players prepares a batch: what it costs to draw them is not in any figure. */
static void draw_players(struct bench *bench, uint32_t mode, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t far = next_random(bench);
        uint32_t roles = mode == STUCK && next_random(bench) % 3 == 0 ? 1 : 4;
        bench->players[i] = (struct queue_player){.id = bench->next_player++, .rating = rating(bench), .roles = roles};
        for (uint32_t region = 0; region < REGIONS; region++)
            bench->players[i].latency_ms[region] =
                (uint16_t)(region == far % REGIONS ? 20 + far / 8 % 40 : 60 + far / 512 % 100);
    }
}

static void enter(struct bench *bench, uint32_t mode, const struct queue_player *player) {
    const struct queue_request request = {.mode = mode, .player_count = 1, .players = player};
    struct handle ticket;
    bench->count++;
    CHECK(queue_enter(bench->queue, &request, bench->now, &ticket) == 0);
    bench->handles[ticket.index] = ticket;
}

static struct handle random_ticket(struct bench *bench) {
    return bench->handles[next_random(bench) % bench->tickets];
}

/* fill enters a million in five seconds, so that they are not all of one age. */
static void fill(struct bench *bench, uint32_t mode) {
    while (bench->count < bench->tickets) {
        draw_players(bench, mode, 1);
        enter(bench, mode, &bench->players[0]);
        if (bench->count % 200 == 0) bench->now = mono_add_ms(bench->now, 1);
    }
}

static void empty(struct bench *bench) {
    for (uint32_t i = 0; i < bench->tickets + SPARE; i++) (void)!queue_cancel(bench->queue, bench->handles[i], bench->now);
    bench->count = 0;
}

static uint64_t enter_and_cancel(struct bench *bench, uint32_t mode) {
    struct handle others[BATCH];
    draw_players(bench, mode, BATCH);
    for (uint32_t i = 0; i < BATCH; i++) others[i] = random_ticket(bench);
    uint64_t start = processor_ns();
    for (uint32_t i = 0; i < BATCH; i++) {
        enter(bench, mode, &bench->players[i]);
        if (queue_cancel(bench->queue, others[i], bench->now) == 0) bench->count--;
    }
    return processor_ns() - start;
}

/* time_each is the same with a look at the clock before and after each. */
static void time_each(struct bench *bench, uint32_t mode, struct histogram *times) {
    draw_players(bench, mode, BATCH);
    for (uint32_t i = 0; i < BATCH; i++) {
        struct handle other = random_ticket(bench);
        struct mono start = mono_now();
        enter(bench, mode, &bench->players[i]);
        struct mono between = mono_now();
        if (queue_cancel(bench->queue, other, bench->now) == 0) bench->count--;
        struct mono end = mono_now();
        histogram_record(times, mono_since_ns(between, start));
        histogram_record(times, mono_since_ns(end, between));
    }
}

static void entries(struct bench *bench, uint32_t mode, const char *name) {
    static struct histogram times;
    uint64_t ns = 0, operations = 0;
    histogram_reset(&times);
    if (mode == STUCK) {
        draw_players(bench, mode, 1);
        bench->players[0].roles = 2;
        enter(bench, mode, &bench->players[0]);
    }
    fill(bench, mode);
    for (; operations < OPERATIONS; operations += 2 * BATCH) {
        ns += enter_and_cancel(bench, mode);
        fill(bench, mode);
    }
    for (uint32_t i = 0; i < OPERATIONS / 4; i += 2 * BATCH) {
        time_each(bench, mode, &times);
        fill(bench, mode);
    }
    printf("%s_per_s %.0f operations/s\n", name, (double)operations / ((double)ns / 1e9));
    printf("%s_p50 %.2f us\n", name, (double)histogram_quantile(&times, 0.5) / 1e3);
    printf("%s_p99 %.2f us\n", name, (double)histogram_quantile(&times, 0.99) / 1e3);
    fflush(stdout);
    empty(bench);
}

/* form tries tickets at random until BATCH matches are formed, of which `tries` gets how many it took. */
static uint64_t form(struct bench *bench, uint64_t *tries) {
    uint64_t wanted = bench->matches + BATCH, start = processor_ns();
    for (; bench->matches < wanted; ++*tries) (void)queue_attempt(bench->queue, random_ticket(bench), bench->now);
    return processor_ns() - start;
}

static uint64_t refill(struct bench *bench) {
    uint32_t missing = bench->tickets - bench->count;
    CHECK(missing == BATCH * 10);
    draw_players(bench, PLAIN, missing);
    queue_hold(bench->queue, PLAIN, true);
    uint64_t start = processor_ns();
    for (uint32_t i = 0; i < missing; i++) enter(bench, PLAIN, &bench->players[i]);
    uint64_t ns = processor_ns() - start;
    queue_hold(bench->queue, PLAIN, false);
    return ns;
}

static void matches(struct bench *bench) {
    uint64_t form_ns = 0, refill_ns = 0, tries = 0;
    bench->matches = bench->gap = 0;
    queue_hold(bench->queue, PLAIN, true);
    fill(bench, PLAIN);
    queue_hold(bench->queue, PLAIN, false);
    while (bench->matches < MATCHES) {
        form_ns += form(bench, &tries);
        refill_ns += refill(bench);
    }
    printf("match_10_per_s %.0f matches/s\n", (double)bench->matches / ((double)form_ns / 1e9));
    printf("enter_10_match_per_s %.0f matches/s\n", (double)bench->matches / ((double)(form_ns + refill_ns) / 1e9));
    printf("match_10_tries %.2f tries\n", (double)tries / (double)bench->matches);
    printf("match_10_gap %.1f points\n", (double)bench->gap / (double)bench->matches);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static struct bench bench = {.random = 88172645463325252ULL, .next_player = 1};
    bench.tickets = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    if (bench.tickets < 100000 || bench.tickets > 8000000) {
        fprintf(stderr, "usage: bench_queue [TICKETS]\n");
        return 2;
    }
    struct mode modes[MODES] = {mode_of(true), mode_of(true), mode_of(true), mode_of(false), mode_of(false)};
    modes[VAIN].window_start = 0;
    modes[VAIN].window_max = 0;
    const struct queue_config config = {.mode_count = MODES,
                                        .region_count = REGIONS,
                                        .modes = modes,
                                        .tickets_max = bench.tickets + SPARE,
                                        .players_max = bench.tickets + SPARE,
                                        .checks_max = 1,
                                        .backfills_max = 1,
                                        .on_event = on_event,
                                        .ctx = &bench};
    bench.handles = calloc(bench.tickets + SPARE, sizeof *bench.handles);
    CHECK(bench.handles && queue_create(&bench.queue, &config, bench.now) == 0);
    queue_hold(bench.queue, HELD, true);
    entries(&bench, OPEN, "enqueue_cancel");
    entries(&bench, HELD, "enqueue_cancel_held");
    entries(&bench, STUCK, "enqueue_cancel_stuck");
    entries(&bench, VAIN, "enqueue_cancel_vain");
    matches(&bench);
    printf("ticket_bytes %.1f bytes\n", (double)queue_memory_bytes(bench.queue) / bench.tickets);
    queue_destroy(bench.queue);
    free(bench.handles);
    return 0;
}
