/* test_instances_random.c: whatever happens, in any order, each instance that was kept is over and gone in the end.
 *
 * A seed draws launches, joins, leaves, ends, deaths and drains of zones, lost orders, silent zones, broken connections, a
 * slow persist and restarts of the matchmaker. At any time nobody is a member twice and no cell is used twice. In the end
 * everybody is home, no document is left and every cell is free. MARCH_SEED and MARCH_STEPS take the place of the seeds and
 * their length.
 */
#include <stdio.h>

#include "tests/unit/instances_fixture.h"

#define SEEDS  20
#define STEPS  6000
#define BLOCKS 2

struct trial {
    struct fixture *f;
    uint64_t random;
    bool kept[FIXTURE_IDS];
    uint32_t launched, refused;
};

static uint32_t draw(struct trial *t, uint32_t below) {
    t->random = t->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(t->random >> 33) % below;
}

/* drawn draws an instance that there is; 0 where there is none. */
static uint32_t drawn(struct trial *t, struct instance_view *view) {
    uint32_t count = instances_count(t->f->instances);
    if (count == 0) return 0;
    instances_nth(t->f->instances, draw(t, count), view);
    return view->id;
}

static uint32_t draw_members(struct trial *t, struct wire_instance_member *members, bool *is_free) {
    uint32_t count = draw(t, 7), made = 0;
    *is_free = true;
    for (uint32_t k = 0; k < count; k++) {
        uint64_t player = 1 + draw(t, 60);
        bool is_new = true;
        for (uint32_t other = 0; other < made; other++) is_new &= members[other].player != player;
        if (!is_new) continue;
        *is_free &= instances_of_player(t->f->instances, player) == 0;
        members[made++] = (struct wire_instance_member){.player = player, .team = draw(t, 2)};
    }
    return made;
}

static void launch(struct trial *t) {
    struct wire_instance_member members[8];
    struct template template = fixture_template();
    bool is_free;
    uint32_t id;
    template.crash = draw(t, 2) == 0 ? TEMPLATE_CRASH_RETURN : TEMPLATE_CRASH_RESTART;
    template.checkpoints = draw(t, 2) == 0;
    template.time_limit_s = draw(t, 3) == 0 ? 5 + draw(t, 20) : 0;
    struct instances_launch launch = {.template = &template, .team_count = 2, .members = members};
    launch.member_count = draw_members(t, members, &is_free);
    int error = instances_launch(t->f->instances, &launch, t->f->now, fixture_wall(t->f), &id);
    assert_true(error == 0 || error == MARCH_ERR_FULL || error == MARCH_ERR_EXISTS);
    assert_int_equal(error == MARCH_ERR_EXISTS, !is_free);
    if (error) {
        t->refused++;
        return;
    }
    assert_false(t->kept[id]);
    t->launched++;
    const struct instance_view view = fixture_view(t->f, id);
    uint64_t freed = t->f->cell_freed_ms[view.block & 7][view.cell];
    assert_true(freed == 0 || fixture_ms(t->f) - freed >= INSTANCES_REST_MS);
}

static void join(struct trial *t) {
    struct wire_instance_member members[8];
    struct instance_view view;
    bool is_free;
    if (drawn(t, &view) == 0) return;
    uint32_t count = draw_members(t, members, &is_free);
    int error = instances_join(t->f->instances, view.id, members, count, t->f->now);
    if (view.stage == INSTANCE_OVER) {
        assert_int_equal(error, MARCH_ERR_NOT_FOUND);
    } else if (count <= view.template->capacity - view.member_count) {
        assert_true(error == (is_free ? 0 : MARCH_ERR_EXISTS) || error == MARCH_ERR_FULL);
    }
}

static void leave(struct trial *t) {
    struct instance_view view;
    if (drawn(t, &view) == 0 || view.member_count == 0) return;
    int error = instances_leave(t->f->instances, view.id, view.members[draw(t, view.member_count)].player);
    assert_int_equal(error, view.stage == INSTANCE_OVER ? MARCH_ERR_NOT_FOUND : 0);
}

static void play(struct trial *t) {
    struct fixture_zone *z = &t->f->zones[1 + draw(t, FIXTURE_SLOTS - 1)];
    if (z->run_count == 0) return;
    struct fixture_run *run = &z->runs[draw(t, z->run_count)];
    if (run->phase != WIRE_PHASE_RUNNING) return;
    run->wave++;
    run->scores[draw(t, 2)]++;
    if (draw(t, 4) == 0) run->phase = WIRE_PHASE_OVER;
    if (run->phase == WIRE_PHASE_OVER) run->goal = WIRE_GOAL_CLEARED;
}

static uint32_t draw_alive(struct trial *t) {
    uint32_t slot = 1 + draw(t, FIXTURE_SLOTS - 1);
    return t->f->zones[slot].is_alive ? slot : WIRE_SLOT_NONE;
}

static void change_world(struct trial *t) {
    struct fixture *f = t->f;
    uint32_t slot = 1 + draw(t, FIXTURE_SLOTS - 1), block = draw(t, BLOCKS), to = draw_alive(t);
    uint32_t owner = f->directory.partitions[1 + block].owner;
    switch (draw(t, 10)) {
    case 0: fixture_zone_die(f, slot); break;
    case 1:
    case 2:
    case 3:
        if (!f->zones[slot].is_alive) fixture_zone_rise(f, slot);
        break;
    case 4:
    case 5:
    case 6:
        if (owner == WIRE_SLOT_NONE && to != WIRE_SLOT_NONE) fixture_own(f, block, to);
        break;
    case 7:
        if (to != WIRE_SLOT_NONE && to != owner) fixture_own(f, block, to);
        break;
    case 8: fixture_disconnect(f, slot); break;
    default: fixture_connect(f, slot); break;
    }
}

static void trouble(struct trial *t) {
    struct fixture *f = t->f;
    struct fixture_zone *z = &f->zones[draw(t, FIXTURE_SLOTS)];
    struct fixture_player *p = &f->players[1 + draw(t, 60)];
    switch (draw(t, 7)) {
    case 0: z->is_deaf = draw(t, 2) == 0; break;
    case 1: z->is_mute = draw(t, 2) == 0; break;
    case 2: z->refuses = draw(t, 4) == 0; break;
    case 3: f->is_held = draw(t, 3) == 0; break;
    case 4: model_lose(f->model, f->keep, 0); break;
    default: *p = (struct fixture_player){.slot = draw(t, 3) == 0 ? WIRE_SLOT_NONE : 0}; break;
    }
}

static void act(struct trial *t) {
    uint32_t what = draw(t, 1000);
    struct instance_view view;
    if (what < 60) launch(t);
    if (what >= 60 && what < 75) join(t);
    if (what >= 75 && what < 90) leave(t);
    if (what >= 90 && what < 130) play(t);
    if (what >= 130 && what < 135 && drawn(t, &view) != 0) (void)!instances_end(t->f->instances, view.id);
    if (what >= 135 && what < 150) change_world(t);
    if (what >= 165 && what < 190) trouble(t);
    if (what == 999) fixture_restart(t->f);
}

/* judge looks whether anybody is a member twice, or a cell used twice; and notes what is kept. */
static void judge(struct trial *t) {
    struct fixture *f = t->f;
    bool used[BLOCKS][FIXTURE_CELLS] = {0};
    uint32_t running = 0;
    for (uint32_t k = 0; k < instances_count(f->instances); k++) {
        struct instance_view view;
        instances_nth(f->instances, k, &view);
        running += view.stage == INSTANCE_RUNNING;
        assert_false(used[view.block & 7][view.cell]);
        used[view.block & 7][view.cell] = true;
        for (uint32_t m = 0; m < view.member_count; m++)
            assert_int_equal(instances_of_player(f->instances, view.members[m].player), view.id);
        if (model_document(f->model, WIRE_DOCUMENT_INSTANCE, view.id)) t->kept[view.id] = true;
    }
    assert_int_equal(f->recalled_badly, 0);
    assert_int_equal(instances_stats_get(f->instances).running, running);
}

static void calm(struct trial *t) {
    struct fixture *f = t->f;
    f->is_held = false;
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++) {
        if (!f->zones[slot].is_alive) fixture_zone_rise(f, slot);
        f->zones[slot].is_deaf = f->zones[slot].is_mute = f->zones[slot].refuses = false;
        fixture_connect(f, slot);
    }
    for (uint32_t block = 0; block < BLOCKS; block++)
        if (f->directory.partitions[1 + block].owner == WIRE_SLOT_NONE) fixture_own(f, block, 1 + block);
    for (uint32_t p = 1; p <= 60; p++)
        if (f->players[p].slot == WIRE_SLOT_NONE) f->players[p].slot = 0;
    fixture_pass(f, 5000);
    judge(t);
}

/* finish: with the world calm everybody who is to be somewhere is there; then all of it ends. */
static void finish(struct trial *t) {
    struct fixture *f = t->f;
    struct instance_view view;
    calm(t);
    for (uint32_t k = 0; k < instances_count(f->instances); k++) {
        instances_nth(f->instances, k, &view);
        assert_true(view.stage == INSTANCE_RUNNING);
        for (uint32_t m = 0; m < view.member_count; m++) assert_true(view.members[m].is_present);
    }
    while (instances_count(f->instances) > 0) {
        for (uint32_t k = 0; k < instances_count(f->instances); k++) {
            instances_nth(f->instances, k, &view);
            if (view.stage != INSTANCE_OVER) assert_int_equal(instances_end(f->instances, view.id), 0);
        }
        fixture_pass(f, 1000);
    }
    fixture_pass(f, INSTANCES_REST_MS + 100);
    assert_int_equal(instances_stats_get(f->instances).cells_free, BLOCKS * FIXTURE_CELLS);
    assert_int_equal(instances_stats_get(f->instances).members, 0);
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++)
        for (uint32_t k = 0; k < f->zones[slot].run_count; k++) {
            const struct fixture_run *left = &f->zones[slot].runs[k];
            assert_true(left->phase == WIRE_PHASE_ENDED || !fixture_owns(f, slot, left->block));
        }
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++) assert_int_equal(f->players[p].instance, 0);
    for (uint32_t id = 1; id < FIXTURE_IDS; id++) {
        assert_null(model_document(f->model, WIRE_DOCUMENT_INSTANCE, id));
        if (t->kept[id]) assert_true(f->over[id] >= 1 && f->gone[id] >= 1);
    }
}

static void run(uint64_t seed, uint32_t steps) {
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->random = seed;
    t->f = fixture_create(BLOCKS, FIXTURE_CELLS);
    fixture_pass(t->f, 100);
    for (uint32_t step = 0; step < steps; step++) {
        act(t);
        fixture_turn(t->f);
        judge(t);
    }
    finish(t);
    assert_true(steps < STEPS || t->launched > 20);
    fixture_destroy(t->f);
    free(t);
}

static void test_every_instance_ends_whatever_happens(void **state) {
    const char *seed = getenv("MARCH_SEED"), *steps = getenv("MARCH_STEPS");
    uint32_t count = steps ? (uint32_t)strtoul(steps, NULL, 10) : STEPS;
    for (uint64_t k = 1; k <= SEEDS; k++) {
        uint64_t chosen = seed ? strtoull(seed, NULL, 10) : k;
        print_message("MARCH_SEED=%llu\n", (unsigned long long)chosen);
        run(chosen, count);
        if (seed) break;
    }
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_instance_ends_whatever_happens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
