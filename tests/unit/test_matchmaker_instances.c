/* test_matchmaker_instances.c: the life of an instance, each end of it, and what is left when zones or the matchmaker die.
 */
#include "tests/unit/instances_fixture.h"

/* all_in tells how many of `count` players from `first` on are in an instance. */
static uint32_t all_in(const struct fixture *f, uint64_t first, uint32_t count, uint32_t id) {
    uint32_t in = 0;
    for (uint32_t k = 0; k < count; k++) in += f->players[first + k].instance == id;
    return in;
}

static uint32_t begin(struct fixture *f, const struct template *t, uint64_t first, uint32_t count) {
    uint32_t id;
    assert_int_equal(fixture_launch(f, t, first, count, &id), 0);
    fixture_pass(f, 50);
    assert_int_equal(fixture_view(f, id).stage, INSTANCE_RUNNING);
    assert_int_equal(all_in(f, first, count, id), count);
    return id;
}

static uint32_t documents(const struct fixture *f) {
    uint32_t count = 0;
    for (struct model_document *d = f->model->documents; d; d = d->hh.next) count += d->len > 0 && d->id.key < UINT32_MAX;
    return count;
}

static struct fixture *ready(uint32_t blocks) {
    struct fixture *f = fixture_create(blocks, FIXTURE_CELLS);
    fixture_pass(f, 100);
    return f;
}

static void over(struct fixture *f, uint32_t id, uint32_t goal) {
    struct fixture_run *run = fixture_run_any(f, id);
    assert_non_null(run);
    run->phase = WIRE_PHASE_OVER;
    run->goal = goal;
    run->scores[1] = 7;
}

static void gone(struct fixture *f, uint32_t id) {
    struct instance_view view;
    fixture_pass(f, 400);
    assert_int_equal(f->over[id], 1);
    assert_int_equal(f->gone[id], 1);
    assert_false(instances_view(f->instances, id, &view));
    assert_int_equal(documents(f), 0);
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++) assert_int_equal(f->players[p].instance, 0);
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++) assert_int_equal(instances_of_player(f->instances, p), 0);
}

static void test_instance_lives(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    t.time_limit_s = 60;
    uint32_t id = begin(f, &t, 1, 4);
    assert_int_equal(id, 1);
    assert_int_equal(f->running[id], 1);
    assert_int_equal(f->came[id], 4);
    struct instance_view view = fixture_view(f, id);
    assert_int_equal(view.slot, 1);
    assert_int_equal(view.ends_at_ms, view.started_ms + 60000);
    assert_int_equal(view.note_len, 6);
    assert_memory_equal(view.note, "a note", 6);
    assert_int_equal(view.members[1].kills, 3);
    assert_true(view.members[1].is_present && view.members[1].has_come);
    over(f, id, WIRE_GOAL_KILLS);
    gone(f, id);
    assert_int_equal(f->last.end, INSTANCE_END_GOAL);
    assert_int_equal(f->last.goal, WIRE_GOAL_KILLS);
    assert_int_equal(f->last.scores[1], 7);
    assert_int_equal(f->last.member_count, 4);
    assert_true(f->last_members[3].has_come);
    fixture_destroy(f);
    (void)state;
}

static void test_nothing_is_told_before_it_is_durable(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id;
    f->is_held = true;
    assert_int_equal(fixture_launch(f, &t, 1, 2, &id), 0);
    fixture_pass(f, 500);
    assert_int_equal(fixture_view(f, id).stage, INSTANCE_LAUNCHING);
    assert_int_equal(f->zones[1].orders, 0);
    f->is_held = false;
    fixture_pass(f, 50);
    assert_int_equal(all_in(f, 1, 2, id), 2);
    f->is_held = true;
    over(f, id, WIRE_GOAL_CLEARED);
    fixture_pass(f, 500);
    assert_int_equal(f->over[id], 0);
    assert_int_equal(all_in(f, 1, 2, id), 2);
    f->is_held = false;
    gone(f, id);
    fixture_destroy(f);
    (void)state;
}

static void test_instance_is_not_forgotten_before_it_is_settled(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id = begin(f, &t, 1, 2);
    f->is_open = true;
    assert_int_equal(instances_end(f->instances, id), 0);
    assert_int_equal(instances_end(f->instances, id), MARCH_ERR_NOT_FOUND);
    fixture_pass(f, 5000);
    assert_int_equal(f->last.end, INSTANCE_END_ORDERED);
    assert_int_equal(all_in(f, 1, 2, id), 0);
    assert_int_equal(f->gone[id], 0);
    assert_int_equal(documents(f), 1);
    instances_close(f->instances, id);
    gone(f, id);
    fixture_destroy(f);
    (void)state;
}

static void test_instance_waits_until_everybody_is_home(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id = begin(f, &t, 1, 2);
    f->players[1].slot = 2; /* somebody still has it */
    f->zones[2].is_mute = false;
    assert_int_equal(instances_end(f->instances, id), 0);
    fixture_pass(f, 100);
    f->zones[2].is_complete = false;
    assert_int_equal(f->over[id], 1);
    fixture_pass(f, 1000);
    assert_int_equal(f->gone[id], 0);
    f->players[1] = (struct fixture_player){0};
    gone(f, id);
    fixture_destroy(f);
    (void)state;
}

static void test_zone_refuses(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id;
    f->zones[1].refuses = true;
    assert_int_equal(fixture_launch(f, &t, 1, 2, &id), 0);
    gone(f, id);
    assert_int_equal(f->last.end, INSTANCE_END_REFUSED);
    assert_int_equal(f->running[id], 0);
    fixture_destroy(f);
    (void)state;
}

static void test_members_of_what_was_refused_are_free_at_once(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t first, second;
    f->zones[1].refuses = f->is_open = true;
    assert_int_equal(fixture_launch(f, &t, 1, 2, &first), 0);
    assert_int_equal(instances_release(f->instances, first), MARCH_ERR_NOT_FOUND);
    fixture_pass(f, 500);
    assert_int_equal(f->over[first], 1);
    assert_int_equal(fixture_launch(f, &t, 1, 2, &second), MARCH_ERR_EXISTS);
    assert_int_equal(instances_release(f->instances, first), 0);
    assert_int_equal(instances_of_player(f->instances, 1), 0);
    f->zones[1].refuses = false;
    assert_int_equal(fixture_launch(f, &t, 1, 2, &second), 0);
    fixture_pass(f, 100);
    fixture_restart(f); /* both are found, and each player is a member of one */
    fixture_pass(f, 3000);
    assert_int_equal(f->recalled_badly, 0);
    assert_int_equal(instances_of_player(f->instances, 1), second);
    assert_int_equal(all_in(f, 1, 2, second), 2);
    fixture_destroy(f);
    (void)state;
}

static void test_time_is_up_without_a_zone(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    t.time_limit_s = 20;
    uint32_t id = begin(f, &t, 1, 2);
    fixture_zone_die(f, 1);
    fixture_pass(f, 23000);
    assert_int_equal(f->over[id], 0);
    fixture_pass(f, 3000);
    assert_int_equal(f->last.end, INSTANCE_END_GOAL);
    assert_int_equal(f->last.goal, 0);
    gone(f, id);
    fixture_destroy(f);
    (void)state;
}

static void test_launch_is_refused(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template(), large = t, small = t;
    uint32_t id;
    struct wire_instance_member members[3] = {{.player = 1}, {.player = 2}, {.player = 1}};
    struct instances_launch launch = {.template = &t, .team_count = 1, .member_count = 3, .members = members};
#define REFUSED(code) assert_int_equal(instances_launch(f->instances, &launch, f->now, 0, &id), code)
    REFUSED(MARCH_ERR_INVALID); /* twice the same player */
    members[2] = (struct wire_instance_member){.player = 3, .team = 1};
    REFUSED(MARCH_ERR_INVALID); /* no such team */
    members[2] = (struct wire_instance_member){.player = 0};
    REFUSED(MARCH_ERR_INVALID);
    members[2] = (struct wire_instance_member){.player = 3};
    launch.team_count = 0;
    REFUSED(MARCH_ERR_INVALID);
    launch.team_count = WIRE_TEAMS_MAX + 1;
    REFUSED(MARCH_ERR_INVALID);
    launch.team_count = 1;
    launch.note_len = INSTANCES_NOTE_MAX + 1;
    REFUSED(MARCH_ERR_INVALID);
    launch.note_len = 0;
    large.side_m = FIXTURE_SIDE_M + 1;
    launch.template = &large;
    REFUSED(MARCH_ERR_INVALID);
    small.capacity = 2;
    launch.template = &small;
    REFUSED(MARCH_ERR_INVALID);
    launch.template = &t;
    REFUSED(0);
    REFUSED(MARCH_ERR_EXISTS);
    fixture_pass(f, 50);
    fixture_zone_die(f, 1);
    launch.member_count = 0;
    REFUSED(MARCH_ERR_FULL); /* no zone */
    fixture_zone_rise(f, 1);
    REFUSED(MARCH_ERR_FULL); /* it has no block */
    fixture_own(f, 0, 1);
    fixture_disconnect(f, 1);
    REFUSED(MARCH_ERR_FULL); /* it is not up */
    fixture_connect(f, 1);
    REFUSED(0);
#undef REFUSED
    fixture_destroy(f);
    f = fixture_create(1, 0);
    fixture_pass(f, 100);
    assert_int_equal(fixture_launch(f, &t, 1, 1, &id), MARCH_ERR_FULL);
    fixture_destroy(f);
    (void)state;
}

static void test_cells_rest(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id, cells = 0;
    for (uint32_t k = 0; k < FIXTURE_CELLS; k++) {
        assert_int_equal(fixture_launch(f, &t, 1 + k, 1, &id), 0);
        cells |= 1u << fixture_view(f, id).cell;
    }
    assert_int_equal(cells, (1u << FIXTURE_CELLS) - 1);
    assert_int_equal(fixture_launch(f, &t, 100, 1, &id), MARCH_ERR_FULL);
    fixture_pass(f, 100);
    assert_int_equal(instances_stats_get(f->instances).cells_free, 0);
    assert_int_equal(instances_end(f->instances, 3), 0);
    fixture_pass(f, 500);
    assert_int_equal(f->gone[3], 1);
    assert_int_equal(fixture_launch(f, &t, 100, 1, &id), MARCH_ERR_FULL);
    fixture_pass(f, INSTANCES_REST_MS - 600);
    assert_int_equal(fixture_launch(f, &t, 100, 1, &id), MARCH_ERR_FULL);
    fixture_pass(f, 600);
    assert_int_equal(fixture_launch(f, &t, 100, 1, &id), 0);
    assert_int_equal(id, FIXTURE_CELLS + 1);
    fixture_destroy(f);
    (void)state;
}

static void test_least_loaded_block_is_taken(void **state) {
    struct fixture *f = ready(2);
    struct template t = fixture_template();
    uint32_t first = begin(f, &t, 1, 10), second = begin(f, &t, 20, 2), third = begin(f, &t, 30, 2);
    assert_int_not_equal(fixture_view(f, first).block, fixture_view(f, second).block);
    assert_int_equal(fixture_view(f, third).block, fixture_view(f, second).block); /* 12 against 20 */
    uint32_t fourth = begin(f, &t, 40, 2);
    assert_int_equal(fixture_view(f, fourth).block, fixture_view(f, first).block); /* 20 against 24 */
    fixture_destroy(f);
    (void)state;
}

static void test_travel_is_told_until_everybody_is_there(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id;
    f->players[2].slot = WIRE_SLOT_NONE; /* away */
    assert_int_equal(fixture_launch(f, &t, 1, 2, &id), 0);
    fixture_pass(f, 50);
    assert_int_equal(f->came[id], 1);
    uint32_t before = f->zones[0].travels;
    fixture_pass(f, 2000);
    assert_in_range(f->zones[0].travels - before, 7, 9);
    assert_true(f->zones[3].travels > 0); /* all zones */
    assert_int_equal(instances_stats_get(f->instances).absent, 0);
    fixture_pass(f, INSTANCES_TRAVEL_MS);
    assert_int_equal(instances_stats_get(f->instances).absent, 1);
    before = f->zones[0].travels;
    fixture_pass(f, 8000);
    assert_in_range(f->zones[0].travels - before, 3, 5); /* slowly now */
    f->players[2].slot = 0;
    fixture_pass(f, 2100);
    assert_int_equal(all_in(f, 1, 2, id), 2);
    before = f->zones[0].travels;
    fixture_pass(f, 3000);
    assert_int_equal(f->zones[0].travels, before); /* nobody travels */
    f->players[1] = (struct fixture_player){.slot = 0};
    fixture_pass(f, 2300);
    assert_int_equal(all_in(f, 1, 2, id), 2); /* who was lost comes again */
    assert_int_equal(f->came[id], 2);
    fixture_destroy(f);
    (void)state;
}

static void test_who_is_out_or_left_is_not_sent_again(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id = begin(f, &t, 1, 3);
    struct wire_presence presence[3] = {{.player = 1, .instance = id, .flags = WIRE_PRESENCE_OUT},
                                        {.player = 2, .instance = id},
                                        {.player = 3, .instance = id}};
    struct wire_instance_status status = {.id = id, .version = 2, .phase = WIRE_PHASE_RUNNING};
    struct wire_instance_report report = {.instances = &status, .players = presence, .instance_count = 1, .player_count = 3};
    assert_int_equal(instances_leave(f->instances, id, 2), 0);
    assert_int_equal(instances_leave(f->instances, id, 2), MARCH_ERR_NOT_FOUND);
    assert_int_equal(instances_of_player(f->instances, 2), 0);
    fixture_pass(f, 50);
    assert_int_equal(f->players[2].instance, 0);
    instances_report(f->instances, 1, &report, f->now);
    report.player_count = 0;
    uint32_t before = f->zones[0].travels;
    f->zones[1].is_mute = true;
    instances_report(f->instances, 1, &report, f->now);
    f->players[1] = f->players[2] = f->players[3] = (struct fixture_player){.slot = 1};
    fixture_pass(f, 300);
    assert_true(f->zones[0].travels > before);
    assert_int_equal(all_in(f, 1, 2, id), 0);
    assert_int_equal(f->players[3].instance, id);
    assert_int_equal(fixture_view(f, id).member_count, 2);
    assert_int_equal(fixture_run_any(f, id)->member_count, 2);
    fixture_destroy(f);
    (void)state;
}

static void test_join(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id = begin(f, &t, 1, 2), other = begin(f, &t, 10, 1);
    struct wire_instance_member members[16] = {{.player = 5}, {.player = 6, .team = 1}};
    assert_int_equal(instances_join(f->instances, id, members, 2, f->now), 0);
    fixture_pass(f, 50);
    assert_int_equal(all_in(f, 5, 2, id), 2);
    assert_int_equal(fixture_run_any(f, id)->member_count, 4);
    assert_int_equal(f->running[id], 1);
    assert_int_equal(instances_join(f->instances, other, members, 2, f->now), MARCH_ERR_EXISTS);
    for (uint32_t k = 0; k < 16; k++) members[k] = (struct wire_instance_member){.player = 100 + k};
    assert_int_equal(instances_join(f->instances, id, members, 13, f->now), MARCH_ERR_INVALID);
    assert_int_equal(instances_join(f->instances, 99, members, 1, f->now), MARCH_ERR_NOT_FOUND);
    assert_int_equal(instances_join(f->instances, id, members, 12, f->now), 0);
    fixture_restart(f);
    fixture_pass(f, 50);
    assert_int_equal(fixture_view(f, id).member_count, 4); /* that was not durable */
    assert_int_equal(instances_join(f->instances, id, members, 12, f->now), 0);
    fixture_pass(f, 50);
    fixture_restart(f);
    fixture_pass(f, 50);
    assert_int_equal(fixture_view(f, id).member_count, 16);
    assert_int_equal(instances_end(f->instances, id), 0);
    assert_int_equal(instances_join(f->instances, id, members, 1, f->now), MARCH_ERR_NOT_FOUND);
    fixture_destroy(f);
    (void)state;
}

static void test_zone_dies_players_return(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    t.crash = TEMPLATE_CRASH_RETURN;
    uint32_t id = begin(f, &t, 1, 4);
    fixture_zone_die(f, 1);
    gone(f, id);
    assert_int_equal(f->last.end, INSTANCE_END_LOST);
    fixture_destroy(f);
    (void)state;
}

static void restart_after_death(bool checkpoints) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    t.checkpoints = checkpoints;
    uint32_t id = begin(f, &t, 1, 4);
    for (uint32_t restarts = 0; restarts < 4; restarts++) {
        uint32_t slot = 1 + restarts % 2;
        struct fixture_run *run = fixture_run_any(f, id);
        assert_non_null(run);
        run->wave++;
        run->scores[0] = run->wave;
        fixture_pass(f, 50);
        uint32_t version = run->version;
        fixture_zone_die(f, slot);
        fixture_pass(f, 50);
        if (restarts == 3) break;
        assert_int_equal(fixture_view(f, id).stage, INSTANCE_STARTING);
        assert_int_equal(all_in(f, 1, 4, id), 0);
        fixture_own(f, 0, 3 - slot);
        fixture_zone_rise(f, slot);
        fixture_pass(f, 100);
        run = fixture_run_any(f, id);
        assert_non_null(run);
        assert_int_equal(run->first_wave, checkpoints ? restarts + 1 : 0);
        assert_int_equal(run->scores[0], checkpoints ? restarts + 1 : 0);
        assert_true(run->version > version);
        assert_int_equal(all_in(f, 1, 4, id), 4);
        assert_int_equal(fixture_view(f, id).restarts, restarts + 1);
    }
    gone(f, id);
    assert_int_equal(f->last.end, INSTANCE_END_LOST);
    assert_int_equal(f->running[id], 1);
    fixture_destroy(f);
}

static void test_zone_dies_instance_begins_again(void **state) {
    restart_after_death(false);
    (void)state;
}

static void test_zone_dies_instance_goes_on_at_its_checkpoint(void **state) {
    restart_after_death(true);
    (void)state;
}

static void test_drain_hands_over(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    t.crash = TEMPLATE_CRASH_RETURN;
    uint32_t id = begin(f, &t, 1, 4);
    fixture_run_any(f, id)->wave = 1;
    fixture_run_any(f, id)->scores[0] = 5;
    fixture_pass(f, 50);
    fixture_own(f, 0, 2);
    fixture_pass(f, 100);
    assert_int_equal(fixture_view(f, id).stage, INSTANCE_RUNNING);
    assert_int_equal(fixture_view(f, id).slot, 2);
    assert_int_equal(fixture_view(f, id).restarts, 0);
    assert_int_equal(fixture_run_any(f, id)->first_wave, 1);
    assert_int_equal(fixture_run_any(f, id)->scores[0], 5);
    assert_int_equal(all_in(f, 1, 4, id), 4);
    fixture_zone_die(f, 1);
    fixture_pass(f, 100);
    assert_int_equal(f->over[id], 0);
    over(f, id, WIRE_GOAL_CLEARED);
    gone(f, id);
    assert_int_equal(f->came[id], 4);
    fixture_destroy(f);
    (void)state;
}

/* It ended where its block went, and the block is given back: the zone that had let go of it has it still. */
static void test_what_was_forgotten_ends_where_it_still_runs(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id = begin(f, &t, 1, 4);
    fixture_own(f, 0, 2);
    fixture_pass(f, 100);
    over(f, id, WIRE_GOAL_CLEARED);
    gone(f, id);
    assert_int_equal(fixture_run_of(&f->zones[1], id)->phase, WIRE_PHASE_RUNNING);
    f->zones[1].is_deaf = true;
    fixture_own(f, 0, 1);
    fixture_pass(f, 100);
    assert_int_equal(fixture_run_of(&f->zones[1], id)->phase, WIRE_PHASE_RUNNING);
    f->zones[1].is_deaf = false; /* told again with each report */
    fixture_pass(f, 50);
    assert_int_equal(fixture_run_of(&f->zones[1], id)->phase, WIRE_PHASE_ENDED);
    uint32_t before = f->zones[1].orders;
    fixture_pass(f, 1000);
    assert_int_equal(f->zones[1].orders, before);
    fixture_destroy(f);
    (void)state;
}

static void test_matchmaker_restarts_at_each_stage(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id;
    f->is_held = true;
    assert_int_equal(fixture_launch(f, &t, 1, 4, &id), 0);
    fixture_pass(f, 50);
    f->is_held = false;
    fixture_restart(f); /* it never was */
    fixture_pass(f, 50);
    assert_int_equal(instances_count(f->instances), 0);
    f->zones[1].is_deaf = true;
    assert_int_equal(fixture_launch(f, &t, 1, 4, &id), 0);
    fixture_pass(f, 50);
    fixture_restart(f); /* STARTING */
    f->zones[1].is_deaf = false;
    fixture_pass(f, 50);
    assert_int_equal(fixture_view(f, id).stage, INSTANCE_RUNNING);
    assert_int_equal(all_in(f, 1, 4, id), 4);
    assert_memory_equal(fixture_view(f, id).note, "a note", 6);
    assert_int_equal(fixture_view(f, id).template->waves[1].health_percent, 120);
    assert_int_equal(fixture_view(f, id).template->spots[1].x_m, 57);
    assert_int_equal(fixture_view(f, id).template->box_count, 1);
    assert_memory_equal(fixture_view(f, id).template->boxes, t.boxes, sizeof t.boxes[0]);
    assert_int_equal(fixture_run_any(f, id)->box_count, 1);
    assert_memory_equal(&fixture_run_any(f, id)->box, t.boxes, sizeof t.boxes[0]);
    fixture_pass(f, 1500);
    fixture_restart(f); /* RUNNING */
    fixture_pass(f, 50);
    assert_int_equal(all_in(f, 1, 4, id), 4);
    assert_int_equal(fixture_run_any(f, id)->version, 1);
    assert_int_equal(f->running[id], 1);
    assert_int_equal(f->came[id], 4);
    f->is_open = true;
    over(f, id, WIRE_GOAL_KILLS);
    fixture_pass(f, 500);
    assert_int_equal(f->over[id], 1);
    f->is_open = false;
    fixture_restart(f); /* OVER, and not settled */
    fixture_pass(f, 500);
    assert_int_equal(f->over[id], 2);
    assert_int_equal(f->last.goal, WIRE_GOAL_KILLS);
    assert_int_equal(f->last.scores[1], 7);
    assert_int_equal(f->last_members[0].kills, 3);
    assert_int_equal(f->gone[id], 1);
    uint32_t next;
    fixture_pass(f, INSTANCES_REST_MS);
    assert_int_equal(fixture_launch(f, &t, 1, 4, &next), 0);
    assert_true(next > id);
    assert_int_equal(f->recalled_badly, 0);
    fixture_destroy(f);
    (void)state;
}

static void test_zone_died_while_the_matchmaker_was_away(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template(), back = t;
    back.crash = TEMPLATE_CRASH_RETURN;
    uint32_t id = begin(f, &t, 1, 4), other = begin(f, &back, 10, 4);
    fixture_pass(f, 1500);
    fixture_stop(f);
    fixture_zone_die(f, 1);
    fixture_own(f, 0, 2);
    fixture_start(f, FIXTURE_CELLS);
    fixture_pass(f, 200);
    assert_int_equal(f->last.end, INSTANCE_END_LOST);
    assert_int_equal(f->last.id, other);
    assert_int_equal(all_in(f, 1, 4, id), 4);
    assert_true(fixture_view(f, id).restarts == 1);
    fixture_destroy(f);
    (void)state;
}

static void test_zone_knows_when_it_was_told_all(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    assert_true(f->zones[1].is_complete); /* of nothing */
    assert_false(f->zones[2].is_complete);
    uint32_t id = begin(f, &t, 1, 2);
    fixture_disconnect(f, 1);
    fixture_pass(f, 50);
    f->is_held = true;
    assert_int_equal(instances_leave(f->instances, id, 2), 0); /* what is ordered now is not durable */
    fixture_connect(f, 1);
    fixture_pass(f, 300);
    assert_false(f->zones[1].is_complete);
    f->is_held = false;
    fixture_pass(f, 30);
    assert_true(f->zones[1].is_complete);
    uint32_t before = f->zones[1].messages;
    fixture_pass(f, 1000);
    assert_int_equal(f->zones[1].messages, before); /* there is nothing to say */
    fixture_own(f, 0, 2);
    fixture_pass(f, 50);
    assert_true(f->zones[2].is_complete);
    fixture_destroy(f);
    (void)state;
}

static void test_orders_are_told_again(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id;
    f->zones[1].is_deaf = true;
    assert_int_equal(fixture_launch(f, &t, 1, 2, &id), 0);
    fixture_pass(f, 2000);
    assert_in_range(f->zones[1].orders, 7, 9);
    f->zones[1].is_deaf = false;
    fixture_pass(f, INSTANCES_REPEAT_MS + 50);
    assert_int_equal(all_in(f, 1, 2, id), 2);
    f->zones[1].is_deaf = true;
    assert_int_equal(instances_end(f->instances, id), 0);
    fixture_pass(f, 1000);
    assert_int_equal(f->gone[id], 0);
    struct wire_instance_status status = {.id = id, .version = 2, .phase = WIRE_PHASE_RUNNING};
    struct wire_instance_report report = {.instances = &status, .instance_count = 1};
    f->zones[1].is_mute = true;
    instances_report(f->instances, 1, &report, f->now); /* it knows the order, and somebody is still in it */
    uint32_t before = f->zones[1].orders;
    fixture_pass(f, 1000);
    assert_in_range(f->zones[1].orders - before, 3, 5);
    f->zones[1].is_deaf = f->zones[1].is_mute = false;
    gone(f, id);
    fixture_destroy(f);
    (void)state;
}

static void test_documents_that_cannot_be_read(void **state) {
    struct fixture *f = ready(1);
    struct template t = fixture_template();
    uint32_t id = begin(f, &t, 1, 4);
    const struct model_document *d = model_document(f->model, WIRE_DOCUMENT_INSTANCE, id);
    assert_int_equal(instances_recall(f->instances, id, d->bytes, d->len), MARCH_ERR_INVALID); /* it is there */
    fixture_stop(f);
    fixture_start(f, FIXTURE_CELLS);
    for (uint32_t len = 0; len < d->len; len++)
        assert_int_equal(instances_recall(f->instances, id, d->bytes, len), MARCH_ERR_INVALID);
    assert_int_equal(instances_recall(f->instances, id + 1, d->bytes, d->len), MARCH_ERR_INVALID);
    assert_int_equal(instances_count(f->instances), 0);
    assert_int_equal(instances_recall(f->instances, id, d->bytes, d->len), 0);
    fixture_destroy(f);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instance_lives),
        cmocka_unit_test(test_nothing_is_told_before_it_is_durable),
        cmocka_unit_test(test_instance_is_not_forgotten_before_it_is_settled),
        cmocka_unit_test(test_instance_waits_until_everybody_is_home),
        cmocka_unit_test(test_zone_refuses),
        cmocka_unit_test(test_members_of_what_was_refused_are_free_at_once),
        cmocka_unit_test(test_time_is_up_without_a_zone),
        cmocka_unit_test(test_launch_is_refused),
        cmocka_unit_test(test_cells_rest),
        cmocka_unit_test(test_least_loaded_block_is_taken),
        cmocka_unit_test(test_travel_is_told_until_everybody_is_there),
        cmocka_unit_test(test_who_is_out_or_left_is_not_sent_again),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_zone_dies_players_return),
        cmocka_unit_test(test_zone_dies_instance_begins_again),
        cmocka_unit_test(test_zone_dies_instance_goes_on_at_its_checkpoint),
        cmocka_unit_test(test_drain_hands_over),
        cmocka_unit_test(test_what_was_forgotten_ends_where_it_still_runs),
        cmocka_unit_test(test_matchmaker_restarts_at_each_stage),
        cmocka_unit_test(test_zone_died_while_the_matchmaker_was_away),
        cmocka_unit_test(test_zone_knows_when_it_was_told_all),
        cmocka_unit_test(test_orders_are_told_again),
        cmocka_unit_test(test_documents_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
