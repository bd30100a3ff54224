/* front_hall.h: what the front door stands before: a desk, instances and what is kept, over a persist and a zone that do as
 * a test wants. The zone runs what it is ordered, and everybody is there at once.
 *
 * Modes: duel (2 x 1), check (the same, but asks), raid (2 against creatures, with roles), and lonely (2 x 2), for which
 * a test has too few players; and one that is played nowhere.
 * The template `hall` has room for 4.
 */
#ifndef MARCH_TESTS_UNIT_FRONT_HALL_H
#define MARCH_TESTS_UNIT_FRONT_HALL_H

#include <stdio.h>

#include "matchmaker/desk.h"
#include "matchmaker/front.h"
#include "matchmaker/regions.h"
#include "tests/unit/persist_model.h"

#define FRONT_HALL_CELLS 4
#define FRONT_HALL_RUNS  16

struct front_hall_run {
    uint32_t id, version, phase, goal, member_count;
    uint64_t members[WIRE_INSTANCE_PLAYERS_MAX];
};

struct front_hall {
    struct persist_model *model;
    struct keep *keep;
    struct instances *instances;
    struct desk *desk;
    struct front *front; /* NULL until there is one */
    struct mode_set modes;
    struct template_set templates;
    struct directory directory;
    struct front_hall_run runs[FRONT_HALL_RUNS];
    uint32_t run_count;
    bool is_held; /* persist answers nothing */
};

static inline uint64_t front_hall_wall_ms(void) {
    return wall_now_ns() / NS_PER_MS;
}

/* --- one to the other, as hall.c */

static inline void front_hall_recalled(void *context, const struct wire_document *document, const uint8_t *bytes) {
    desk_recalled(((struct front_hall *)context)->desk, document, bytes, front_hall_wall_ms());
}

static inline void front_hall_ready(void *context) {
    desk_ready(((struct front_hall *)context)->desk, mono_now(), front_hall_wall_ms());
}

static inline void front_hall_rating(void *context, const struct wire_rating *rating) {
    desk_rating(((struct front_hall *)context)->desk, rating, mono_now(), front_hall_wall_ms());
}

static inline void front_hall_settled(void *context, uint64_t match, uint64_t player, bool is_done) {
    desk_settled(((struct front_hall *)context)->desk, match, player, is_done);
}

static inline void front_hall_read(void *context, uint32_t kind, uint64_t key, const uint8_t *bytes, uint32_t len) {
    assert_int_equal(kind, WIRE_DOCUMENT_RESULT);
    front_result(((struct front_hall *)context)->front, key, bytes, len);
}

static inline void front_hall_page(void *context, uint64_t request, const struct wire_page_row *rows, uint32_t count,
                                   bool is_whole) {
    front_page(((struct front_hall *)context)->front, request, rows, count, is_whole);
}

static inline void front_hall_event(void *context, enum instances_event_kind kind, const struct instance_view *view,
                                    uint64_t player) {
    desk_instance(((struct front_hall *)context)->desk, kind, view, player, mono_now(), front_hall_wall_ms());
}

static inline void front_hall_tell(void *context, uint64_t player, const struct wire_server_message *message) {
    (void)context, (void)player, (void)message;
}

static inline void front_hall_change(void *context, uint64_t ticket) {
    const struct front_hall *h = context;
    if (h->front) front_ticket_changed(h->front, ticket);
}

/* --- life */

static inline void front_hall_mode(struct front_hall *h, const char *text) {
    char error[MODE_ERROR_SIZE];
    if (mode_file_parse("mode", text, strlen(text), &h->modes.modes[h->modes.count++], error, sizeof error) != 0)
        fail_msg("%s", error);
}

static inline void front_hall_library(struct front_hall *h) {
    static const char hall[] =
        "{name: hall, side_m: 60, capacity: 4, ends: [kills, empty], kills: 3, crash: restart, win: {gold: 50}}";
    char error[TEMPLATE_ERROR_SIZE];
    front_hall_mode(h, "{name: duel, instance: hall, teams: 2, team_size: 1}");
    front_hall_mode(h, "{name: check, instance: hall, teams: 2, team_size: 1, ready_ms: 60000}");
    front_hall_mode(h, "{name: raid, instance: hall, teams: 1, team_size: 2, roles: [{name: tank, per_team: 1}, "
                       "{name: healer, per_team: 1}]}");
    front_hall_mode(h, "{name: lonely, instance: hall, teams: 2, team_size: 2}");
    front_hall_mode(h, "{name: nowhere, teams: 2, team_size: 1}");
    if (template_file_parse("hall", hall, strlen(hall), &h->templates.templates[0], error, sizeof error) != 0)
        fail_msg("%s", error);
    h->templates.templates[0].version = h->templates.count = 1;
    if (desk_set_modes(h->desk, &h->modes, &h->templates, mono_now(), error, sizeof error) != 0) fail_msg("%s", error);
}

static inline void front_hall_zone(struct front_hall *h) {
    h->directory = (struct directory){.version = 1, .worker_count = 1, .partition_count = 1};
    h->directory.workers[0] = (struct wire_directory_worker){.incarnation = 1, .state = WIRE_WORKER_ACTIVE};
    h->directory.partitions[0] = (struct wire_directory_partition){
        .id = CELLS_BLOCK_BIT, .former = WIRE_SLOT_NONE, .rect = {2000, 0, 2000 + 16 * 200, 200}};
    instances_directory(h->instances, &h->directory, mono_now());
    instances_zone_up(h->instances, 0, 1, mono_now());
}

static inline void front_hall_open(struct front_hall *h, const struct config *config) {
    struct keep_config keep = {.shard_count = 1, .first_version = 1};
    keep.handlers = (struct keep_handlers){.context = h,
                                           .recalled = front_hall_recalled,
                                           .ready = front_hall_ready,
                                           .rating = front_hall_rating,
                                           .settled = front_hall_settled,
                                           .read = front_hall_read,
                                           .page = front_hall_page};
    struct instances_config instances = {
        .cells = {FRONT_HALL_CELLS, 64, 200}, .seed = 7, .on_event = front_hall_event, .context = h};
    struct desk_config desk = {
        .tickets_max = 64, .season = 1, .seed = 7, .on_tell = front_hall_tell, .on_change = front_hall_change, .context = h};
    struct regions regions = regions_of(config);
    desk.region_count = regions.count;
    for (uint32_t i = 0; i < regions.count; i++) snprintf(desk.regions[i], sizeof desk.regions[i], "%s", regions.names[i]);
    h->model = model_create(1, 5);
    assert_int_equal(keep_create(&h->keep, &keep), 0);
    desk.keep = instances.keep = h->keep;
    assert_int_equal(instances_create(&h->instances, &instances), 0);
    desk.instances = h->instances;
    assert_int_equal(desk_create(&h->desk, &desk, mono_now()), 0);
    front_hall_library(h);
    front_hall_zone(h);
}

static inline void front_hall_close(struct front_hall *h) {
    desk_destroy(h->desk);
    instances_destroy(h->instances);
    keep_destroy(h->keep);
    model_destroy(h->model);
}

/* --- the zone */

static inline struct front_hall_run *front_hall_find(struct front_hall *h, uint32_t id) {
    for (uint32_t i = 0; i < h->run_count; i++)
        if (h->runs[i].id == id) return &h->runs[i];
    assert_true(h->run_count < FRONT_HALL_RUNS);
    h->runs[h->run_count] = (struct front_hall_run){.id = id, .phase = WIRE_PHASE_RUNNING};
    return &h->runs[h->run_count++];
}

static inline void front_hall_take(struct front_hall *h, const struct wire_instance_orders *orders) {
    for (uint32_t i = 0; i < orders->instance_count; i++) {
        const struct wire_instance_order *order = &orders->instances[i];
        struct front_hall_run *run = front_hall_find(h, order->id);
        run->version = order->version;
        run->member_count = order->state == WIRE_INSTANCE_END ? 0 : order->member_count;
        if (order->state == WIRE_INSTANCE_END) run->phase = WIRE_PHASE_ENDED;
        for (uint32_t k = 0; k < run->member_count; k++) run->members[k] = orders->members[order->first_member + k].player;
    }
}

static inline void front_hall_report(struct front_hall *h) {
    struct wire_instance_status statuses[FRONT_HALL_RUNS];
    struct wire_presence players[FRONT_HALL_RUNS * 4];
    struct wire_instance_report report = {.instances = statuses, .players = players};
    for (uint32_t i = 0; i < h->run_count; i++) {
        const struct front_hall_run *run = &h->runs[i];
        statuses[report.instance_count++] = (struct wire_instance_status){
            .id = run->id, .version = run->version, .phase = run->phase, .goal = run->goal, .scores = {3, 1}};
        for (uint32_t k = 0; k < run->member_count; k++)
            players[report.player_count++] = (struct wire_presence){.player = run->members[k], .instance = run->id};
    }
    instances_report(h->instances, 0, &report, mono_now());
}

/* front_hall_finish has a match end as the zone sees it: the first team has won. */
static inline void front_hall_finish(struct front_hall *h, uint32_t id) {
    struct front_hall_run *run = front_hall_find(h, id);
    run->phase = WIRE_PHASE_OVER;
    run->goal = WIRE_GOAL_KILLS;
}

/* --- a turn; what is due at `now` is answered */

static inline void front_hall_turn(struct front_hall *h, struct mono now) {
    struct wire_instance_orders orders;
    keep_step(h->keep, mono_now());
    if (!h->is_held) model_connect(h->model, h->keep, 0);
    while (!h->is_held && (model_take(h->model, h->keep, 0) || model_work(h->model, 0) || model_tell(h->model, h->keep, 0)))
        ;
    while (desk_step(h->desk, mono_now(), front_hall_wall_ms()))
        ;
    instances_step(h->instances, mono_now(), front_hall_wall_ms());
    while (instances_fill(h->instances, 0, mono_now(), &orders)) {
        front_hall_take(h, &orders);
        instances_sent(h->instances, 0, mono_now());
    }
    front_hall_report(h);
    if (h->front) front_step(h->front, now);
}

#endif
