/* instances_fixture.h: instances with a clock of their own, a persist that can be held up, and zones that are as plain as
 * can be: they run what they are ordered, have players travel at once, and report all of it each turn.
 *
 * Slot 0 is of the world, where everybody is at home; the others own blocks. What a turn sends and takes is judged here.
 */
#ifndef MARCH_TESTS_UNIT_INSTANCES_FIXTURE_H
#define MARCH_TESTS_UNIT_INSTANCES_FIXTURE_H

#include "tests/unit/persist_model.h"

#include "matchmaker/instances.h"

#define FIXTURE_SLOTS   4
#define FIXTURE_PLAYERS 400 /* ids from 1 on */
#define FIXTURE_IDS     65536
#define FIXTURE_CELLS   8
#define FIXTURE_SIDE_M  64
#define FIXTURE_TURN_MS 10

struct fixture_run {
    uint32_t id, version, block, phase, goal, wave;
    uint32_t scores[WIRE_TEAMS_MAX];
    uint32_t first_wave, member_count;
    uint32_t box_count;
    struct wire_instance_box box; /* the first */
    uint64_t told_ms, lasted_ms;
};

struct fixture_zone {
    bool is_alive, is_connected, is_deaf, is_mute; /* deaf: orders are lost; mute: it does not report */
    bool refuses, is_complete;
    uint64_t incarnation;
    struct fixture_run runs[64];
    uint32_t run_count;
    uint32_t orders, travels, messages; /* that were told */
};

struct fixture_player {
    uint32_t slot; /* that simulates it; WIRE_SLOT_NONE: it is away */
    uint32_t instance, block;
};

struct fixture {
    struct persist_model *model;
    struct keep *keep;
    struct instances *instances;
    struct mono now;
    struct directory directory;
    struct fixture_zone zones[FIXTURE_SLOTS];
    struct fixture_player players[FIXTURE_PLAYERS + 1];
    bool is_held; /* persist makes nothing durable */
    bool is_open; /* what is over is not closed by itself */
    uint64_t incarnation, lives;
    uint32_t regions[FIXTURE_SLOTS], region; /* of zones, from the next start on; of what is launched */
    uint32_t running[FIXTURE_IDS], came[FIXTURE_IDS], over[FIXTURE_IDS], gone[FIXTURE_IDS];
    uint32_t over_of_life[FIXTURE_IDS], gone_of_life[FIXTURE_IDS];
    uint32_t recalled_badly;
    struct instance_view last; /* of the newest OVER */
    struct instance_member last_members[WIRE_INSTANCE_PLAYERS_MAX];
    uint64_t cell_freed_ms[CONFIG_BLOCKS_MAX][FIXTURE_CELLS];
};

static inline uint64_t fixture_ms(const struct fixture *f) {
    return f->now.ns / NS_PER_MS;
}

static inline uint64_t fixture_wall(const struct fixture *f) {
    return 1700000000000 + fixture_ms(f);
}

static void fixture_event(void *context, enum instances_event_kind kind, const struct instance_view *view, uint64_t player) {
    struct fixture *f = context;
    assert_true(view->id > 0 && view->id < FIXTURE_IDS);
    assert_int_equal(f->gone_of_life[view->id], 0);
    if (kind == INSTANCES_RUNNING) f->running[view->id]++;
    if (kind == INSTANCES_CAME) {
        assert_int_equal(instances_of_player(f->instances, player), view->id);
        f->came[view->id]++;
    }
    if (kind == INSTANCES_OVER) {
        assert_int_equal(view->stage, INSTANCE_OVER);
        assert_int_equal(f->over_of_life[view->id]++, 0);
        assert_non_null(model_document(f->model, WIRE_DOCUMENT_INSTANCE, view->id));
        f->over[view->id]++;
        f->last = *view;
        memcpy(f->last_members, view->members, view->member_count * sizeof *view->members);
        if (!f->is_open) instances_close(f->instances, view->id);
    }
    if (kind == INSTANCES_GONE) {
        assert_true(f->over_of_life[view->id] == 1);
        for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++) assert_int_not_equal(f->players[p].instance, view->id);
        f->gone[view->id]++;
        f->gone_of_life[view->id]++;
        f->cell_freed_ms[view->block & 7][view->cell] = fixture_ms(f);
    }
}

/* --- the matchmaker's life */

static void fixture_recalled(void *context, const struct wire_document *document, const uint8_t *bytes) {
    struct fixture *f = context;
    assert_int_equal(document->kind, WIRE_DOCUMENT_INSTANCE);
    if (instances_recall(f->instances, document->key, bytes, document->len)) f->recalled_badly++;
}
static void fixture_ready(void *context) {
    (void)context;
}
static void fixture_rating(void *context, const struct wire_rating *rating) {
    (void)context, (void)rating;
}
static void fixture_settled(void *context, uint64_t match, uint64_t player, bool is_done) {
    (void)context, (void)match, (void)player, (void)is_done;
}
static void fixture_read(void *context, uint32_t kind, uint64_t key, const uint8_t *bytes, uint32_t len) {
    (void)context, (void)kind, (void)key, (void)bytes, (void)len;
}
static void fixture_page(void *context, uint64_t request, const struct wire_page_row *rows, uint32_t count, bool is_whole) {
    (void)context, (void)request, (void)rows, (void)count, (void)is_whole;
}

static inline void fixture_connect(struct fixture *f, uint32_t slot) {
    struct fixture_zone *z = &f->zones[slot];
    if (!z->is_alive || z->is_connected) return;
    z->is_connected = true;
    z->is_complete = false;
    instances_zone_up(f->instances, slot, z->incarnation, f->now);
}

static inline void fixture_disconnect(struct fixture *f, uint32_t slot) {
    if (!f->zones[slot].is_connected) return;
    f->zones[slot].is_connected = false;
    instances_zone_lost(f->instances, slot);
}

static inline void fixture_start(struct fixture *f, uint32_t cells) {
    struct keep_config keep = {.shard_count = 1, .first_version = ++f->lives * 1000000};
    keep.handlers = (struct keep_handlers){.context = f,
                                           .recalled = fixture_recalled,
                                           .ready = fixture_ready,
                                           .rating = fixture_rating,
                                           .settled = fixture_settled,
                                           .read = fixture_read,
                                           .page = fixture_page};
    struct instances_config config = {.cells = {cells, FIXTURE_SIDE_M, 200}, .seed = 7, .on_event = fixture_event};
    assert_int_equal(keep_create(&f->keep, &keep), 0);
    config.keep = f->keep;
    config.context = f;
    memcpy(config.regions, f->regions, sizeof f->regions);
    assert_int_equal(instances_create(&f->instances, &config), 0);
    memset(f->over_of_life, 0, sizeof f->over_of_life);
    memset(f->gone_of_life, 0, sizeof f->gone_of_life);
    memset(f->cell_freed_ms, 0, sizeof f->cell_freed_ms);
    model_connect(f->model, f->keep, 0);
    instances_directory(f->instances, &f->directory, f->now);
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++) fixture_connect(f, slot);
}

static inline void fixture_stop(struct fixture *f) {
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++) f->zones[slot].is_connected = false;
    model_drop(f->model, 0);
    instances_destroy(f->instances);
    keep_destroy(f->keep);
    f->instances = NULL;
}

static inline void fixture_restart(struct fixture *f) {
    fixture_stop(f);
    fixture_start(f, FIXTURE_CELLS);
}

/* --- the world */

static inline void fixture_tell_directory(struct fixture *f) {
    f->directory.version++;
    if (f->instances) instances_directory(f->instances, &f->directory, f->now);
}

/* fixture_own gives a block to somebody else, with those who are in it. */
static inline void fixture_own(struct fixture *f, uint32_t block, uint32_t slot) {
    struct wire_directory_partition *p = &f->directory.partitions[1 + block];
    for (uint32_t k = 1; k <= FIXTURE_PLAYERS; k++)
        if (f->players[k].instance != 0 && f->players[k].block == p->id && f->players[k].slot == p->owner)
            f->players[k].slot = slot;
    p->former = p->owner;
    p->owner = slot;
    if (slot != WIRE_SLOT_NONE) f->zones[slot].is_complete = false;
    fixture_tell_directory(f);
}

static inline void fixture_zone_begin(struct fixture *f, uint32_t slot) {
    f->zones[slot] = (struct fixture_zone){.is_alive = true, .incarnation = ++f->incarnation};
    f->directory.workers[slot] =
        (struct wire_directory_worker){.incarnation = f->zones[slot].incarnation, .state = WIRE_WORKER_ACTIVE};
}

/* fixture_zone_die: whoever it simulates is at home in the world again, if that is not what died. */
static inline void fixture_zone_die(struct fixture *f, uint32_t slot) {
    fixture_disconnect(f, slot);
    f->zones[slot].is_alive = false;
    f->zones[slot].run_count = 0;
    f->directory.workers[slot].state = WIRE_WORKER_AWAY;
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++)
        if (f->players[p].slot == slot) f->players[p] = (struct fixture_player){0};
    for (uint32_t b = 0; b < f->directory.partition_count; b++)
        if (f->directory.partitions[b].owner == slot) f->directory.partitions[b].owner = WIRE_SLOT_NONE;
    fixture_tell_directory(f);
}

static inline void fixture_zone_rise(struct fixture *f, uint32_t slot) {
    fixture_zone_begin(f, slot);
    fixture_tell_directory(f);
    fixture_connect(f, slot);
}

static inline struct fixture *fixture_create(uint32_t blocks, uint32_t cells) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->model = model_create(1, 3);
    f->now = (struct mono){NS_PER_S};
    f->directory.version = 1;
    f->directory.worker_count = FIXTURE_SLOTS;
    f->directory.partition_count = 1 + blocks;
    f->directory.partitions[0] = (struct wire_directory_partition){.rect = {0, 0, 1000, 1000}, .former = WIRE_SLOT_NONE};
    for (uint32_t b = 0; b < blocks; b++)
        f->directory.partitions[1 + b] =
            (struct wire_directory_partition){.id = CELLS_BLOCK_BIT | b,
                                              .owner = 1 + b,
                                              .former = WIRE_SLOT_NONE,
                                              .rect = {2000, 4000 * (int32_t)b, 2000 + 16 * 200, 4000 * (int32_t)b + 200}};
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++) fixture_zone_begin(f, slot);
    fixture_start(f, cells);
    return f;
}

static inline void fixture_destroy(struct fixture *f) {
    fixture_stop(f);
    model_destroy(f->model);
    free(f);
}

/* --- zones */

static inline struct fixture_run *fixture_run_of(struct fixture_zone *z, uint32_t id) {
    for (uint32_t k = 0; k < z->run_count; k++)
        if (z->runs[k].id == id) return &z->runs[k];
    return NULL;
}

static inline bool fixture_owns(const struct fixture *f, uint32_t slot, uint32_t block) {
    const struct wire_directory_partition *p = directory_find(&f->directory, block);
    return p && p->owner == slot;
}

/* fixture_send_others_home: who is in an instance and no member of it any more. */
static inline void fixture_send_others_home(struct fixture *f, uint32_t slot, const struct wire_instance_orders *o,
                                            const struct wire_instance_order *order) {
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++) {
        bool is_member = f->players[p].instance != order->id || f->players[p].slot != slot;
        for (uint32_t k = 0; k < order->member_count && !is_member; k++)
            is_member = o->members[order->first_member + k].player == p;
        if (!is_member) f->players[p] = (struct fixture_player){0};
    }
}

static inline void fixture_take_order(struct fixture *f, uint32_t slot, const struct wire_instance_orders *o,
                                      const struct wire_instance_order *order) {
    struct fixture_zone *z = &f->zones[slot];
    struct fixture_run *run = fixture_run_of(z, order->id);
    assert_true(fixture_owns(f, slot, order->block));
    assert_true(order->id != 0 && order->cell < FIXTURE_CELLS &&
                order->first_member + order->member_count <= o->member_count);
    assert_true(order->first_wave + order->wave_count <= o->wave_count &&
                order->first_spot + order->spot_count <= o->spot_count &&
                order->first_box + order->box_count <= o->box_count);
    bool is_kept = model_document(f->model, WIRE_DOCUMENT_INSTANCE, order->id) != NULL; /* it would survive */
    assert_true(is_kept || (run && order->state == WIRE_INSTANCE_END));
    if (!run) {
        assert_true(z->run_count < 64);
        run = &z->runs[z->run_count++];
        *run =
            (struct fixture_run){.id = order->id, .block = order->block, .phase = WIRE_PHASE_RUNNING, .wave = order->wave};
        run->first_wave = order->wave;
        run->box_count = order->box_count;
        run->box = o->boxes[order->first_box];
        memcpy(run->scores, order->scores, sizeof run->scores);
        if (z->refuses) run->phase = WIRE_PHASE_REFUSED;
    }
    run->told_ms = fixture_ms(f);
    if (order->version < run->version) return;
    run->version = order->version;
    run->member_count = order->member_count;
    if (order->state != WIRE_INSTANCE_END) {
        fixture_send_others_home(f, slot, o, order);
        return;
    }
    run->phase = WIRE_PHASE_ENDED;
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++)
        if (f->players[p].instance == order->id && f->players[p].slot == slot) f->players[p] = (struct fixture_player){0};
}

static inline void fixture_take_travel(struct fixture *f, uint32_t slot, const struct wire_travel *travel) {
    struct fixture_player *p = &f->players[travel->player];
    struct cells cells = {FIXTURE_CELLS, FIXTURE_SIDE_M, 200};
    uint32_t cell;
    struct instance_view view;
    assert_true(instances_view(f->instances, travel->instance, &view));
    const struct wire_directory_partition *block = directory_find(&f->directory, view.block);
    assert_true(block && cells_at(&cells, block, travel->x, travel->y, &cell) && cell == view.cell);
    assert_int_equal(instances_of_player(f->instances, travel->player), travel->instance);
    if (p->slot != slot || p->instance != 0 || block->owner == WIRE_SLOT_NONE) return;
    *p = (struct fixture_player){block->owner, travel->instance, block->id};
}

static inline void fixture_deliver(struct fixture *f, uint32_t slot) {
    struct fixture_zone *z = &f->zones[slot];
    struct wire_instance_orders orders;
    for (uint32_t guard = 0; instances_fill(f->instances, slot, f->now, &orders); guard++) {
        assert_true(guard < 64);
        z->messages++;
        z->orders += orders.instance_count;
        z->travels += orders.travel_count;
        for (uint32_t k = 0; k < orders.instance_count && !z->is_deaf; k++)
            fixture_take_order(f, slot, &orders, &orders.instances[k]);
        for (uint32_t k = 0; k < orders.travel_count && !z->is_deaf; k++) fixture_take_travel(f, slot, &orders.travels[k]);
        if (orders.is_complete) z->is_complete = true;
        instances_sent(f->instances, slot, f->now);
    }
}

/* fixture_keeps: what a zone hands over it has until that is done, for the block may be given back. */
static inline bool fixture_keeps(const struct fixture *f, uint32_t slot, uint32_t block) {
    const struct wire_directory_partition *p = directory_find(&f->directory, block);
    return p && (p->owner == slot || p->former == slot);
}

/* fixture_tidy: who is in an instance that its zone knows not, though it knows all, goes home. */
static inline void fixture_tidy(struct fixture *f, uint32_t slot) {
    struct fixture_zone *z = &f->zones[slot];
    for (uint32_t k = 0; k < z->run_count;) {
        bool is_stale = !fixture_keeps(f, slot, z->runs[k].block) ||
                        (z->runs[k].phase == WIRE_PHASE_ENDED && fixture_ms(f) - z->runs[k].told_ms > 2000);
        if (is_stale) {
            z->runs[k] = z->runs[--z->run_count];
        } else {
            k++;
        }
    }
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++) {
        struct fixture_player *player = &f->players[p];
        if (player->slot != slot || player->instance == 0) continue;
        const struct fixture_run *run = fixture_run_of(z, player->instance);
        if (run ? run->phase == WIRE_PHASE_ENDED : z->is_complete) *player = (struct fixture_player){0};
    }
}

static inline void fixture_report(struct fixture *f, uint32_t slot) {
    struct fixture_zone *z = &f->zones[slot];
    struct wire_instance_status statuses[64];
    struct wire_presence presences[FIXTURE_PLAYERS];
    struct wire_instance_report report = {.instances = statuses, .players = presences};
    for (uint32_t k = 0; k < z->run_count; k++) {
        struct fixture_run *run = &z->runs[k];
        if (!fixture_owns(f, slot, run->block)) continue;
        if (run->phase == WIRE_PHASE_RUNNING) run->lasted_ms += FIXTURE_TURN_MS;
        struct wire_instance_status *status = &statuses[report.instance_count++];
        *status = (struct wire_instance_status){.id = run->id,
                                                .version = run->version,
                                                .phase = run->phase,
                                                .goal = run->goal,
                                                .wave = run->wave,
                                                .lasted_ms = run->lasted_ms};
        memcpy(status->scores, run->scores, sizeof status->scores);
    }
    for (uint32_t p = 1; p <= FIXTURE_PLAYERS; p++)
        if (f->players[p].slot == slot && f->players[p].instance != 0)
            presences[report.player_count++] =
                (struct wire_presence){.player = p, .instance = f->players[p].instance, .kills = 3};
    instances_report(f->instances, slot, &report, f->now);
}

/* --- time */

static inline void fixture_turn(struct fixture *f) {
    f->now = mono_add_ms(f->now, FIXTURE_TURN_MS);
    keep_step(f->keep, f->now);
    model_connect(f->model, f->keep, 0);
    while (model_take(f->model, f->keep, 0) || (!f->is_held && model_work(f->model, 0)) ||
           model_tell(f->model, f->keep, 0)) {
    }
    instances_step(f->instances, f->now, fixture_wall(f));
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++)
        if (f->zones[slot].is_connected) fixture_deliver(f, slot);
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++) {
        if (f->zones[slot].is_alive) fixture_tidy(f, slot);
        if (f->zones[slot].is_connected && !f->zones[slot].is_mute) fixture_report(f, slot);
    }
}

static inline void fixture_pass(struct fixture *f, uint64_t ms) {
    for (uint64_t until = fixture_ms(f) + ms; fixture_ms(f) < until;) fixture_turn(f);
}

/* --- shorthands */

static inline struct template fixture_template(void) {
    struct template t = {.name = "test",
                         .version = 1,
                         .side_m = 60,
                         .capacity = 16,
                         .wave_count = 2,
                         .spot_count = 2,
                         .box_count = 1,
                         .scaling = {.players = 1},
                         .crash = TEMPLATE_CRASH_RESTART};
    t.waves[0] = (struct wire_instance_wave){.creatures = 5, .health_percent = 100, .damage_percent = 100};
    t.waves[1] = (struct wire_instance_wave){.creatures = 9, .health_percent = 120, .damage_percent = 100};
    t.spots[0] = (struct wire_instance_spot){2, 2, 6, 0};
    t.spots[1] = (struct wire_instance_spot){57, 57, 3, 1};
    t.boxes[0] = (struct wire_instance_box){20, 10, 22, 50};
    return t;
}

/* fixture_launch launches `t` for `count` players from `first` on, in two teams in turn. */
static inline int fixture_launch(struct fixture *f, const struct template *t, uint64_t first, uint32_t count, uint32_t *id) {
    struct wire_instance_member members[WIRE_INSTANCE_PLAYERS_MAX];
    struct instances_launch launch = {.template = t,
                                      .region = f->region,
                                      .team_count = 2,
                                      .member_count = count,
                                      .members = members,
                                      .note = (const uint8_t *)"a note",
                                      .note_len = 6};
    for (uint32_t k = 0; k < count; k++) members[k] = (struct wire_instance_member){.player = first + k, .team = k % 2};
    return instances_launch(f->instances, &launch, f->now, fixture_wall(f), id);
}

static inline struct instance_view fixture_view(struct fixture *f, uint32_t id) {
    struct instance_view view;
    assert_true(instances_view(f->instances, id, &view));
    return view;
}

static inline struct fixture_run *fixture_run_any(struct fixture *f, uint32_t id) {
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; slot++) {
        struct fixture_run *run = fixture_run_of(&f->zones[slot], id);
        if (run && f->zones[slot].is_alive && fixture_owns(f, slot, run->block)) return run;
    }
    return NULL;
}

#endif
