/* bench_desk: how soon a ticket that completes a match is announced, while many wait.
 *
 *   bench_desk [TICKETS [SECONDS]]
 *
 * One line a figure, `name value unit`. TICKETS (100,000) wait all the time: they all want to play the same role, in teams
 * of a tank, a healer and three others. ENTERS_PER_S more come, of ten two tanks and two healers; what was matched in a
 * second is filled up after it. What is kept is durable at once, and an instance is a stand-in that runs for RUN_MS.
 *
 *   announce_p50, _p99, _max   from the moment at which a ticket should enter to the message to its player that there is a
 *                              match, for those that completed one; the loop turns as fast as it can, on the clock of the
 *                              system, so others on the machine count
 *   work_p50, _p99             processor time between its entry and the message
 *   entry_us                   processor time of an entry and a turn: with ratings, queue, matches and their results
 *   ticket_bytes               resident memory of the process that came with the tickets, when all wait, divided by them
 *   resident_mb                all of it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/histogram.h"
#include "matchmaker/desk.h"

#define ENTERS_PER_S 2000
#define RUN_MS       1000
#define RUNS         4096 /* instances, a ring */
#define TANK         1u
#define HEALER       2u
#define OTHER        4u

struct run {
    uint32_t id;
    bool is_closed;
    uint64_t ends_ms;
    uint32_t count;
    struct instance_member members[10];
    uint8_t note[INSTANCES_NOTE_MAX];
    uint32_t note_len;
};

struct instances {
    struct run runs[RUNS]; /* of id n: n % RUNS */
    uint32_t first, next;  /* those that are there */
    uint32_t come;         /* from here on nobody has come */
    struct template template;
};

struct bench {
    struct keep *keep;
    struct desk *desk;
    struct instances *instances;
    struct mono now;
    uint64_t wall_ms, random, next_player, entering; /* entering: the player whose entry is being measured */
    struct mono due;
    uint64_t matched, tickets;
    struct histogram announced, worked;
    uint64_t began_ns; /* of processor time: when it entered */
};

static struct bench bench = {.random = 88172645463325252ULL, .next_player = 1};
static struct instances instances = {.first = 1, .next = 1, .come = 1};

static uint64_t cpu_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t resident_bytes(void) {
    unsigned long long pages;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%*u %llu", &pages) == 1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t next_random(void) {
    bench.random ^= bench.random << 13;
    bench.random ^= bench.random >> 7;
    bench.random ^= bench.random << 17;
    return bench.random;
}

/* --- a stand-in for instances.h */

static struct run *run_of(const struct instances *i, uint32_t id) {
    return id >= i->first && id < i->next ? (struct run *)&i->runs[id % RUNS] : NULL;
}

static struct instance_view view_of(const struct instances *i, const struct run *r) {
    return (struct instance_view){.id = r->id,
                                  .stage = INSTANCE_OVER,
                                  .end = INSTANCE_END_GOAL,
                                  .template = &i->template,
                                  .team_count = 2,
                                  .scores = {1, 2},
                                  .member_count = r->count,
                                  .members = r->members,
                                  .note = r->note,
                                  .note_len = r->note_len};
}

int instances_launch(struct instances *i, const struct instances_launch *launch, struct mono now, uint64_t wall_ms,
                     uint32_t *id) {
    (void)now;
    if (i->next - i->first == RUNS) return MARCH_ERR_FULL;
    struct run *r = &i->runs[i->next % RUNS];
    *r = (struct run){.id = *id = i->next++, .ends_ms = wall_ms + RUN_MS, .count = launch->member_count};
    r->note_len = launch->note_len;
    memcpy(r->note, launch->note, launch->note_len);
    for (uint32_t k = 0; k < launch->member_count; k++)
        r->members[k] = (struct instance_member){
            .player = launch->members[k].player, .team = launch->members[k].team, .is_present = true};
    return keep_put(bench.keep, WIRE_DOCUMENT_INSTANCE, r->id, r, sizeof *r);
}

bool instances_view(const struct instances *i, uint32_t id, struct instance_view *view) {
    const struct run *r = run_of(i, id);
    if (r) *view = view_of(i, r);
    return r != NULL;
}

void instances_close(struct instances *i, uint32_t id) {
    struct run *r = run_of(i, id);
    if (r) r->is_closed = true;
}

int instances_join(struct instances *i, uint32_t id, const struct wire_instance_member *members, uint32_t count,
                   struct mono now) {
    (void)i, (void)id, (void)members, (void)count, (void)now;
    return MARCH_ERR_NOT_FOUND;
}

int instances_leave(struct instances *i, uint32_t id, uint64_t player) {
    (void)i, (void)id, (void)player;
    return MARCH_ERR_NOT_FOUND;
}

int instances_release(struct instances *i, uint32_t id) {
    (void)i, (void)id;
    return MARCH_ERR_NOT_FOUND;
}

int instances_recall(struct instances *i, uint64_t key, const uint8_t *bytes, uint32_t len) {
    (void)i, (void)key, (void)bytes, (void)len;
    return MARCH_ERR_INVALID;
}

uint32_t instances_of_player(const struct instances *i, uint64_t player) {
    (void)i, (void)player;
    return 0;
}

uint32_t instances_count(const struct instances *i) {
    return i->next - i->first;
}

void instances_nth(const struct instances *i, uint32_t n, struct instance_view *view) {
    *view = view_of(i, &i->runs[(i->first + n) % RUNS]);
}

bool instances_has_room(const struct instances *i) {
    return i->next - i->first < RUNS;
}

static void come(void) {
    for (; instances.come < instances.next; instances.come++) {
        struct run *r = run_of(&instances, instances.come);
        for (uint32_t k = 0; k < r->count; k++) r->members[k].has_come = true;
        struct instance_view view = view_of(&instances, r);
        desk_instance(bench.desk, INSTANCES_CAME, &view, view.members[0].player, bench.now, bench.wall_ms);
    }
}

static void end_runs(void) {
    for (uint32_t id = instances.first; id < instances.next; id++) {
        struct run *r = run_of(&instances, id);
        struct instance_view view = view_of(&instances, r);
        if (r->ends_ms > bench.wall_ms) break;
        if (!r->is_closed) desk_instance(bench.desk, INSTANCES_OVER, &view, 0, bench.now, bench.wall_ms);
    }
    for (struct run *r; (r = run_of(&instances, instances.first)) && r->is_closed; instances.first++) {
        struct instance_view view = view_of(&instances, r);
        desk_instance(bench.desk, INSTANCES_GONE, &view, 0, bench.now, bench.wall_ms);
    }
}

/* --- what is told */

static void on_tell(void *context, uint64_t player, const struct wire_server_message *message) {
    (void)context;
    if (message->kind != WIRE_SERVER_TICKET || message->ticket.state != WIRE_TICKET_MATCHED) return;
    bench.matched++;
    bench.tickets--;
    if (player != bench.entering) return;
    histogram_record(&bench.announced, mono_since_ns(mono_now(), bench.due));
    histogram_record(&bench.worked, cpu_ns() - bench.began_ns);
}

static void on_change(void *context, uint64_t ticket) {
    (void)context, (void)ticket;
}

static void on_ready(void *context) {
    (void)context;
    desk_ready(bench.desk, bench.now, bench.wall_ms);
}

static void on_rating(void *context, const struct wire_rating *rating) {
    (void)context;
    desk_rating(bench.desk, rating, bench.now, bench.wall_ms);
}

static void on_settled(void *context, uint64_t match, uint64_t player, bool is_done) {
    (void)context;
    desk_settled(bench.desk, match, player, is_done);
}

/* --- the loop */

static void turn(void) {
    bench.now = mono_now();
    bench.wall_ms = wall_now_ns() / NS_PER_MS;
    keep_step(bench.keep, bench.now);
    come();
    end_runs();
    (void)desk_step(bench.desk, bench.now, bench.wall_ms); /* one in a turn, as the matchmaker does */
}

static void enter(uint32_t roles) {
    uint64_t ticket;
    const struct desk_request request = {.player = bench.next_player++, .mode = "raid", .roles = roles};
    CHECK(desk_enter(bench.desk, &request, bench.now, bench.wall_ms, &ticket) == WIRE_REASON_NONE);
    bench.tickets++;
}

static void fill(uint64_t tickets) {
    while (bench.tickets < tickets) {
        for (uint32_t i = 0; i < 1000 && bench.tickets < tickets; i++) enter(OTHER);
        turn();
    }
}

/* stream has tickets come, each at its time, and turns after each. */
static void stream(uint32_t count) {
    struct mono began = mono_now();
    for (uint32_t i = 0; i < count; i++) {
        bench.due = mono_add_ns(began, i * (NS_PER_S / ENTERS_PER_S));
        while (!mono_reached(mono_now(), bench.due)) turn();
        uint64_t draw = next_random() % 10;
        bench.now = mono_now();
        bench.entering = bench.next_player;
        bench.began_ns = cpu_ns();
        enter(draw < 2 ? TANK : draw < 4 ? HEALER : OTHER);
        turn();
    }
}

static void begin(uint64_t tickets) {
    static struct mode_set modes = {.count = 1};
    static struct template_set templates = {.count = 1};
    char error[MODE_ERROR_SIZE];
    modes.modes[0] = (struct mode){.name = "raid",
                                   .teams = 2,
                                   .team_size = 5,
                                   .max_party = 5,
                                   .window_start = 1000,
                                   .window_max = 1000,
                                   .window_every_ms = 5000,
                                   .latency_max_ms = 200,
                                   .latency_start_ms = 200,
                                   .balance_max = 1000,
                                   .timeout_ms = MODE_TIME_MS_MAX,
                                   .roles = {{"tank", 1}, {"healer", 1}, {"other", 3}},
                                   .role_count = 3,
                                   .instance = "cave"};
    templates.templates[0] = (struct template){.name = "cave", .version = 1, .side_m = 64, .capacity = 10};
    instances.template = templates.templates[0];
    const struct keep_config keep = {.first_version = 1,
                                     .handlers = {.ready = on_ready, .rating = on_rating, .settled = on_settled}};
    const struct desk_config desk = {.instances = &instances,
                                     .region_count = 1,
                                     .regions = {"here"},
                                     .tickets_max = (uint32_t)tickets + 2 * ENTERS_PER_S,
                                     .seed = 7,
                                     .on_tell = on_tell,
                                     .on_change = on_change};
    struct desk_config with_keep = desk;
    CHECK(keep_create(&bench.keep, &keep) == 0);
    with_keep.keep = bench.keep;
    bench.now = mono_now();
    CHECK(desk_create(&bench.desk, &with_keep, bench.now) == 0);
    CHECK(desk_set_modes(bench.desk, &modes, &templates, bench.now, error, sizeof error) == 0);
    turn();
}

/* burst measures what entries cost, as fast as they go. */
static void burst(void) {
    uint64_t before = cpu_ns();
    for (uint32_t i = 0; i < ENTERS_PER_S; i++) {
        uint64_t draw = next_random() % 10;
        enter(draw < 2 ? TANK : draw < 4 ? HEALER : OTHER);
        turn();
    }
    printf("entry_us %.1f us\n", (double)(cpu_ns() - before) / ENTERS_PER_S / 1e3);
}

int main(int argc, char **argv) {
    uint64_t tickets = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    uint32_t seconds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10;
    if (tickets < 1000 || tickets > DESK_TICKETS_MAX - 2 * ENTERS_PER_S || seconds < 1 || seconds > 600) {
        fprintf(stderr, "usage: bench_desk [TICKETS [SECONDS]]\n");
        return 2;
    }
    bench.instances = &instances;
    begin(tickets);
    uint64_t before = resident_bytes();
    fill(tickets);
    printf("ticket_bytes %.1f bytes\n", (double)(resident_bytes() - before) / (double)tickets);
    printf("resident_mb %.1f MB\n", (double)resident_bytes() / 1e6);
    for (uint32_t i = 0; i < seconds; i++) {
        stream(ENTERS_PER_S);
        bench.entering = 0;
        fill(tickets);
    }
    printf("matched_tickets %llu tickets\n", (unsigned long long)bench.matched);
    printf("announce_p50 %.3f ms\n", (double)histogram_quantile(&bench.announced, 0.5) / 1e6);
    printf("announce_p99 %.3f ms\n", (double)histogram_quantile(&bench.announced, 0.99) / 1e6);
    printf("announce_max %.3f ms\n", (double)histogram_max(&bench.announced) / 1e6);
    printf("work_p50 %.1f us\n", (double)histogram_quantile(&bench.worked, 0.5) / 1e3);
    printf("work_p99 %.1f us\n", (double)histogram_quantile(&bench.worked, 0.99) / 1e3);
    burst();
    desk_destroy(bench.desk);
    keep_destroy(bench.keep);
    return 0;
}
