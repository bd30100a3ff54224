/* test_desk_memory.c: what a ticket that waits takes of the process's memory, in all. */
#include <unistd.h>

#include "tests/unit/desk_fixture.h"

#define TICKETS      400000
#define FEW          100
#define TICKET_BYTES 248 /* of a million each takes 223: with fewer, pages of 2 MB that tables end in count for more */
#define FEW_BYTES    (8u << 20)

static uint64_t resident(void) {
    unsigned long long pages;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %llu", &pages), 1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void on_tell(void *context, uint64_t player, const struct wire_server_message *message) {
    (void)context, (void)player, (void)message;
}

/* begin has a desk of as many tickets as there may be, and a mode in which half of the players want a role that nobody
 * plays. */
static void begin(struct world *w) {
    const struct desk_config config = {.keep = w->keep,
                                       .instances = w->instances,
                                       .region_count = 1,
                                       .regions = {"north"},
                                       .tickets_max = DESK_TICKETS_MAX,
                                       .seed = 7,
                                       .on_tell = on_tell,
                                       .on_change = world_on_change,
                                       .context = w};
    char error[MODE_ERROR_SIZE];
    struct mode *mode = &w->modes.modes[3];
    mode->role_count = 2;
    mode->roles[0] = (struct mode_role){"healer", 1};
    mode->roles[1] = (struct mode_role){"other", 1};
    mode->timeout_ms = MODE_TIME_MS_MAX;
    desk_destroy(w->desk);
    assert_int_equal(desk_create(&w->desk, &config, w->now), 0);
    assert_int_equal(desk_set_modes(w->desk, &w->modes, &w->templates, w->now, error, sizeof error), 0);
    desk_ready(w->desk, w->now, w->wall_ms);
}

static void fill(struct world *w, uint64_t first, uint64_t last) {
    for (uint64_t player = first; player <= last; player++) {
        uint64_t ticket;
        const struct desk_request request = {.player = player, .mode = "siege", .roles = 2};
        assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_NONE);
        if (player % 1000 == 0 || player == last) world_step(w, 1);
    }
}

static void test_desk_memory_of_a_ticket_is_small(void **state) {
    (void)state;
    struct world *w = world_new(0);
    begin(w);
    uint64_t none = resident();
    fill(w, 1, FEW);
    uint64_t few = resident();
    fill(w, FEW + 1, TICKETS);
    uint64_t many = resident();
    struct desk_ticket t = world_ticket(w, desk_ticket_of(w->desk, TICKETS));
    assert_int_equal(t.state, WIRE_TICKET_WAITING);
    assert_int_equal(t.queued, TICKETS);
    print_message("%.1f MB for the first %d, %.1f bytes each for all %d\n", (double)(few - none) / 1e6, FEW,
                  (double)(many - none) / TICKETS, TICKETS);
    assert_true(few - none <= FEW_BYTES);
    assert_true(many - none <= (uint64_t)TICKETS * TICKET_BYTES);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_memory_of_a_ticket_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
