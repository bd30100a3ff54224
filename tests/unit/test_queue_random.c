/* test_queue_random.c: whatever is done to the queue, in any order, no ticket is lost, and every match is one that may be.
 *
 * A seed draws what happens: tickets of players and parties in four modes, cancels, answers, backfills, holds, time. The
 * fixture's model judges each event. In the end everybody has one end, and the queue is as empty as it was. MARCH_SEED and
 * MARCH_STEPS take the place of the seeds and their length.
 */
#include "tests/unit/queue_fixture.h"

#define SEEDS   12
#define STEPS   6000
#define PLAYERS 260
#define REGIONS 3
#define MODES   4

struct trial {
    struct queue_fixture *f;
    uint64_t random;
};

static uint32_t draw(struct trial *t, uint32_t below) {
    t->random = t->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(t->random >> 33) % below;
}

static void make_modes(struct mode modes[MODES]) {
    const struct mode_role roles[] = {{"tank", 1}, {"healer", 1}, {"damage", 3}};
    modes[0] = fixture_mode(2, 1);
    modes[1] = fixture_mode(2, 5);
    memcpy(modes[1].roles, roles, sizeof roles);
    modes[1].role_count = 3;
    modes[1].ready_ms = 8000;
    modes[1].backfill = true;
    modes[2] = fixture_mode(3, 4);
    modes[2].balance_max = 60;
    modes[2].backfill = true;
    modes[3] = fixture_mode(1, 4);
    modes[3].roles[0] = (struct mode_role){"guard", 1};
    modes[3].roles[1] = (struct mode_role){"scout", 3};
    modes[3].role_count = 2;
    modes[3].ready_ms = 3000;
    for (int i = 0; i < MODES; i++) modes[i].timeout_ms = 20000;
}

static void enter(struct trial *t) {
    struct model_ticket ticket = {.request = {.mode = draw(t, MODES)}};
    uint32_t party = t->f->modes[ticket.request.mode].max_party, index, home = draw(t, REGIONS);
    int32_t rating = 1000 + (int32_t)(draw(t, 300) + draw(t, 300) + draw(t, 300));
    ticket.request.player_count = draw(t, 3) == 0 ? 1 + draw(t, party) : 1;
    ticket.request.avoid_count = draw(t, 4) == 0 ? draw(t, QUEUE_AVOID_MAX + 1) : 0;
    if (draw(t, 10) == 0) ticket.request.waited_ms = draw(t, 20001);
    for (uint32_t i = 0; i < ticket.request.avoid_count; i++) ticket.avoid[i] = 1 + draw(t, PLAYERS);
    uint64_t taken = draw(t, 20) == 0 ? 0 : 1; /* sometimes it does not look who has a ticket already */
    for (uint32_t i = 0; i < ticket.request.player_count; i++) {
        struct queue_player *player = &ticket.players[i];
        player->id = 1 + draw(t, PLAYERS);
        if (taken && t->f->ticket_of[player->id] != 0) return;
        for (uint32_t k = 0; k < i; k++)
            if (ticket.players[k].id == player->id) return;
        player->rating = rating + (int32_t)draw(t, 100);
        player->roles = 1 + draw(t, 7);
        if ((player->roles & 3) == 0 && ticket.request.mode == 3) player->roles |= 2;
        for (uint32_t region = 0; region < REGIONS; region++)
            player->latency_ms[region] = (uint16_t)(region == home ? 10 + draw(t, 60) : 40 + draw(t, 160));
    }
    bool is_new = true;
    for (uint32_t i = 0; i < ticket.request.player_count; i++) is_new &= t->f->ticket_of[ticket.players[i].id] == 0;
    assert_int_equal(fixture_enter(t->f, &ticket, &index), is_new ? 0 : MARCH_ERR_EXISTS);
}

static void cancel(struct trial *t) {
    if (t->f->ticket_count == 0) return;
    uint32_t recent = t->f->ticket_count < 80 ? t->f->ticket_count : 80;
    uint32_t index = t->f->ticket_count - 1 - draw(t, recent);
    bool has_ended = t->f->tickets[index].state == MODEL_ENDED;
    assert_int_equal(fixture_cancel(t->f, index), has_ended ? MARCH_ERR_NOT_FOUND : 0);
    assert_true(has_ended || t->f->tickets[index].end == QUEUE_CANCELLED);
}

static void answer(struct trial *t) {
    uint64_t player = 1 + draw(t, PLAYERS);
    uint32_t ticket = t->f->ticket_of[player];
    bool is_asked = ticket != 0 && t->f->tickets[ticket - 1].state == MODEL_ASKED;
    assert_int_equal(fixture_answer(t->f, player, draw(t, 12) != 0), is_asked ? 0 : MARCH_ERR_NOT_FOUND);
}

static void open_backfill(struct trial *t) {
    struct queue_wanted wanted = {.mode = 1 + draw(t, 2), .region = draw(t, REGIONS)};
    const struct mode *mode = &t->f->modes[wanted.mode];
    uint64_t players[2] = {1 + draw(t, PLAYERS), 1 + draw(t, PLAYERS)},
             avoid[2] = {1 + draw(t, PLAYERS), 1 + draw(t, PLAYERS)};
    uint32_t index;
    if (t->f->backfill_count == MODEL_BACKFILLS_MAX) return;
    wanted.match = 1 + t->f->backfill_count;
    wanted.player_count = wanted.avoid_count = draw(t, 3);
    wanted.players = players;
    wanted.avoid = avoid;
    for (uint32_t team = 0; team < mode->teams; team++) {
        wanted.target[team] = 1200 + (int32_t)draw(t, 400);
        for (uint32_t role = 0; role == 0 || role < mode->role_count; role++) wanted.free[team][role] = draw(t, 2);
    }
    int error = fixture_backfill(t->f, &wanted, &index);
    assert_true(error == 0 || error == MARCH_ERR_INVALID || error == MARCH_ERR_FULL);
}

static void close_backfill(struct trial *t) {
    if (t->f->backfill_count > 0) fixture_backfill_close(t->f, draw(t, t->f->backfill_count));
}

static void act(struct trial *t) {
    uint32_t what = draw(t, 1000);
    if (what < 500) enter(t);
    if (what >= 500 && what < 540) cancel(t);
    if (what >= 540 && what < 960) answer(t);
    if (what >= 960 && what < 970) open_backfill(t);
    if (what >= 970 && what < 975) close_backfill(t);
    if (what == 975) queue_hold(t->f->queue, draw(t, MODES), true);
    if (what >= 976) queue_hold(t->f->queue, draw(t, MODES), false);
}

static void finish(struct trial *t) {
    struct queue_fixture *f = t->f;
    for (uint32_t i = 0; i < f->backfill_count; i++) fixture_backfill_close(f, i);
    for (int i = 0; i < 80; i++) fixture_step(f, 500);
    fixture_check_all(f);
    uint64_t ended = 0;
    for (uint32_t end = 0; end < QUEUE_END_COUNT; end++) {
        if (f->ended[end] == 0) fail_msg("no ticket ended as %u", end);
        ended += f->ended[end];
    }
    assert_int_equal(ended, f->ticket_count);
    struct queue_stats stats = queue_stats_get(f->queue);
    assert_int_equal(stats.tickets + stats.players + stats.checks_open + stats.backfills_open, 0);
    assert_true(f->joined > 0 && f->returned > 0);
}

static void try_seed(uint64_t seed, unsigned steps) {
    struct mode modes[MODES];
    struct trial t = {.random = seed * 0x9e3779b97f4a7c15ULL};
    make_modes(modes);
    t.f = fixture_create(modes, MODES, REGIONS);
    for (unsigned i = 0; i < steps; i++) {
        act(&t);
        if (draw(&t, 3) == 0) fixture_step(t.f, draw(&t, 200));
        if (i % 64 == 0) fixture_check_all(t.f);
    }
    finish(&t);
    struct queue_stats stats = queue_stats_get(t.f->queue);
    fprintf(stderr, "seed %llu: %u tickets, %llu matches, %llu asked, %llu joined, %llu unbalanced\n",
            (unsigned long long)seed, t.f->ticket_count, (unsigned long long)t.f->matches, (unsigned long long)t.f->asked,
            (unsigned long long)t.f->joined, (unsigned long long)stats.unbalanced);
    fixture_destroy(t.f);
}

static void test_queue_keeps_its_rules_whatever_happens(void **state) {
    (void)state;
    const char *seed = getenv("MARCH_SEED"), *steps = getenv("MARCH_STEPS");
    unsigned count = steps ? (unsigned)strtoul(steps, NULL, 10) : STEPS;
    if (seed) {
        try_seed(strtoull(seed, NULL, 10), count);
        return;
    }
    for (uint64_t i = 1; i <= SEEDS; i++) try_seed(i, count);
}

/* --- duels: what a search of everybody finds, the queue has found */

static bool take_each_other(struct queue_fixture *f, const struct model_ticket *a, const struct model_ticket *b) {
    struct queue_view views[2];
    assert_int_equal(queue_view_get(f->queue, a->handle, f->now, &views[0]), 0);
    assert_int_equal(queue_view_get(f->queue, b->handle, f->now, &views[1]), 0);
    int32_t gap = abs(views[0].rating - views[1].rating);
    if (gap > (int32_t)views[0].window || gap > (int32_t)views[1].window) return false;
    if (fixture_avoids(a, b->players[0].id) || fixture_avoids(b, a->players[0].id)) return false;
    for (uint32_t region = 0; region < REGIONS; region++)
        if ((uint32_t)(a->players[0].latency_ms[region] + 3) / 4 * 4 <= views[0].latency_ms &&
            (uint32_t)(b->players[0].latency_ms[region] + 3) / 4 * 4 <= views[1].latency_ms)
            return true;
    return false;
}

static void test_queue_leaves_no_two_who_take_each_other(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct mode modes[MODES];
        make_modes(modes);
        modes[0].window_start = 10;
        modes[0].window_max = 80;
        modes[0].window_step = 5;
        struct trial t = {.f = fixture_create(modes, 1, REGIONS), .random = seed * 77};
        for (int step = 0; step < 1500; step++) {
            struct model_ticket ticket = {.request = {.player_count = 1, .avoid_count = draw(&t, 2)}};
            uint32_t index;
            ticket.players[0] = (struct queue_player){.id = 1 + draw(&t, PLAYERS), .rating = (int32_t)draw(&t, 2000)};
            ticket.avoid[0] = 1 + draw(&t, PLAYERS);
            for (uint32_t r = 0; r < REGIONS; r++) ticket.players[0].latency_ms[r] = (uint16_t)draw(&t, 200);
            if (t.f->ticket_of[ticket.players[0].id] == 0) assert_int_equal(fixture_enter(t.f, &ticket, &index), 0);
            fixture_step(t.f, draw(&t, 300));
            for (uint32_t i = 0; i < t.f->ticket_count; i++)
                for (uint32_t k = 0; k < i && t.f->tickets[i].state == MODEL_WAITING; k++)
                    if (t.f->tickets[k].state == MODEL_WAITING)
                        assert_false(take_each_other(t.f, &t.f->tickets[i], &t.f->tickets[k]));
        }
        assert_true(t.f->matches > 100);
        fixture_destroy(t.f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_keeps_its_rules_whatever_happens),
        cmocka_unit_test(test_queue_leaves_no_two_who_take_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
