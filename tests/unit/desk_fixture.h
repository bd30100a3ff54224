/* desk_fixture.h: a desk with a clock of its own, instances that a test has in its hands, and a persist that may fail.
 *
 * The instances are a stand-in for instances.h: they are kept by keep.h as the real ones are, and found again after a
 * restart; what zones would say, a test says by fake_run, fake_come, fake_end and fake_home.
 */
#ifndef MARCH_TESTS_UNIT_DESK_FIXTURE_H
#define MARCH_TESTS_UNIT_DESK_FIXTURE_H

#include <stdio.h>

#include "common/check.h"
#include "matchmaker/desk.h"
#include "tests/unit/persist_model.h"

#define FAKE_MAX         8192 /* instances, ever */
#define WORLD_PLAYERS    8192
#define WORLD_TICKETS    2048
#define WORLD_FIRST_WALL 1700000000000ULL

struct fake_document { /* what is kept of an instance; then members, then the note */
    uint32_t id, stage, end, goal, team_count, member_count, note_len, is_closed;
    uint32_t scores[WIRE_TEAMS_MAX];
    uint64_t started_ms;
    char template_name[TEMPLATE_NAME_SIZE];
};

struct fake_instance {
    struct fake_document d;
    bool is_there;
    uint32_t region; /* that it was launched for */
    struct template template;
    struct instance_member members[WIRE_INSTANCE_PLAYERS_MAX];
    uint8_t note[INSTANCES_NOTE_MAX];
};

struct instances {
    struct keep *keep;
    struct world *world;
    uint32_t cells, next_id; /* cells: that are free */
    bool is_join_full;       /* nobody can join now */
    struct fake_instance *list;
};

struct world_told {
    struct wire_ticket_state_message ticket;
    struct wire_party_state party;
    struct wire_match_state match;
    uint32_t tickets, parties, matches, over;
};

struct world {
    struct persist_model *model; /* NULL: all is durable at once */
    struct keep *keep;
    struct instances *instances;
    struct desk *desk;
    struct mode_set modes;
    struct template_set templates;
    struct mono now;
    uint64_t wall_ms, first_version;
    uint32_t season, next_instance; /* ids of instances are never used again */
    struct world_told told[WORLD_PLAYERS];
    uint64_t tickets[WORLD_PLAYERS]; /* for a test to remember */
    uint64_t changes;
    void (*on_launch)(struct world *world, const struct fake_instance *instance, uint32_t first); /* members from first on */
    void (*on_told)(struct world *world, uint64_t player, const struct wire_server_message *message);
    void *context;
};

/* --- instances.h */

static inline struct fake_instance *fake_at(const struct instances *i, uint32_t id) {
    return id > 0 && id < i->next_id && i->list[id].is_there ? &i->list[id] : NULL;
}

static inline struct instance_view fake_view(const struct fake_instance *f) {
    struct instance_view view = {.id = f->d.id,
                                 .stage = (enum instance_stage)f->d.stage,
                                 .end = (enum instance_end)f->d.end,
                                 .template = &f->template,
                                 .goal = f->d.goal,
                                 .team_count = f->d.team_count,
                                 .member_count = f->d.member_count,
                                 .members = f->members,
                                 .started_ms = f->d.started_ms,
                                 .lasted_ms = 1234,
                                 .note = f->note,
                                 .note_len = f->d.note_len};
    memcpy(view.scores, f->d.scores, sizeof view.scores);
    return view;
}

static inline int fake_put(struct instances *i, const struct fake_instance *f) {
    static uint8_t bytes[WIRE_DOCUMENT_BYTES_MAX];
    uint32_t len = 0, members = f->d.member_count * (uint32_t)sizeof *f->members;
    assert_true(sizeof f->d + members + f->d.note_len <= sizeof bytes);
    memcpy(bytes, &f->d, sizeof f->d);
    len += (uint32_t)sizeof f->d;
    memcpy(bytes + len, f->members, members);
    len += members;
    memcpy(bytes + len, f->note, f->d.note_len);
    return keep_put(i->keep, WIRE_DOCUMENT_INSTANCE, f->d.id, bytes, len + f->d.note_len);
}

/* fake_read reads what is kept of an instance, but for its note; false where nothing is. */
static inline bool fake_read(struct fake_instance *f, const struct model_document *d) {
    if (!d) return false;
    memcpy(&f->d, d->bytes, sizeof f->d);
    memcpy(f->members, d->bytes + sizeof f->d, f->d.member_count * sizeof *f->members);
    return true;
}

static inline bool fake_is_member(const struct fake_instance *f, uint64_t player) {
    for (uint32_t k = 0; k < f->d.member_count; k++)
        if (f->members[k].player == player) return true;
    return false;
}

uint32_t instances_of_player(const struct instances *i, uint64_t player) {
    for (uint32_t id = 1; id < i->next_id; id++)
        if (i->list[id].is_there && fake_is_member(&i->list[id], player)) return id;
    return 0;
}

static inline int fake_add(struct instances *i, struct fake_instance *f, const struct wire_instance_member *members,
                           uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        if (instances_of_player(i, members[k].player) != 0) return MARCH_ERR_EXISTS;
    if (f->d.member_count + count > f->template.capacity) return MARCH_ERR_INVALID;
    for (uint32_t k = 0; k < count; k++)
        f->members[f->d.member_count++] = (struct instance_member){.player = members[k].player, .team = members[k].team};
    return 0;
}

int instances_launch(struct instances *i, const struct instances_launch *launch, struct mono now, uint64_t wall_ms,
                     uint32_t *id) {
    (void)now;
    assert_true(i->next_id < FAKE_MAX);
    struct fake_instance *f = &i->list[i->next_id];
    *f = (struct fake_instance){.template = *launch->template, .region = launch->region};
    f->d = (struct fake_document){
        .id = i->next_id, .team_count = launch->team_count, .note_len = launch->note_len, .started_ms = wall_ms};
    memcpy(f->d.template_name, launch->template->name, sizeof f->d.template_name);
    if (launch->note_len > 0) memcpy(f->note, launch->note, launch->note_len);
    int error = fake_add(i, f, launch->members, launch->member_count);
    if (error) return error;
    if (i->cells == 0 || fake_put(i, f) != 0) return MARCH_ERR_FULL;
    i->cells--;
    f->is_there = true;
    *id = i->next_id++;
    i->world->next_instance = i->next_id;
    if (i->world->on_launch) i->world->on_launch(i->world, f, 0);
    return 0;
}

int instances_join(struct instances *i, uint32_t id, const struct wire_instance_member *members, uint32_t count,
                   struct mono now) {
    (void)now;
    struct fake_instance *f = fake_at(i, id);
    if (!f || f->d.stage == INSTANCE_OVER) return MARCH_ERR_NOT_FOUND;
    if (i->is_join_full) return MARCH_ERR_FULL;
    uint32_t first = f->d.member_count;
    int error = fake_add(i, f, members, count);
    if (error) return error;
    if (fake_put(i, f) != 0) {
        f->d.member_count = first;
        return MARCH_ERR_FULL;
    }
    if (i->world->on_launch) i->world->on_launch(i->world, f, first);
    return 0;
}

int instances_leave(struct instances *i, uint32_t id, uint64_t player) {
    struct fake_instance *f = fake_at(i, id);
    for (uint32_t k = 0; f && k < f->d.member_count; k++) {
        if (f->members[k].player != player) continue;
        f->members[k] = f->members[--f->d.member_count];
        return fake_put(i, f);
    }
    return MARCH_ERR_NOT_FOUND;
}

int instances_release(struct instances *i, uint32_t id) {
    struct fake_instance *f = fake_at(i, id);
    if (!f || f->d.stage != INSTANCE_OVER) return MARCH_ERR_NOT_FOUND;
    uint32_t count = f->d.member_count;
    f->d.member_count = 0;
    int error = fake_put(i, f);
    if (error) f->d.member_count = count;
    return error;
}

void instances_close(struct instances *i, uint32_t id) {
    struct fake_instance *f = fake_at(i, id);
    if (f) f->d.is_closed = true;
}

bool instances_view(const struct instances *i, uint32_t id, struct instance_view *view) {
    const struct fake_instance *f = fake_at(i, id);
    if (f) *view = fake_view(f);
    return f != NULL;
}

uint32_t instances_count(const struct instances *i) {
    uint32_t count = 0;
    for (uint32_t id = 1; id < i->next_id; id++) count += i->list[id].is_there;
    return count;
}

void instances_nth(const struct instances *i, uint32_t n, struct instance_view *view) {
    uint32_t id = 0;
    for (uint32_t seen = 0; seen <= n;) seen += i->list[++id].is_there;
    *view = fake_view(&i->list[id]);
}

bool instances_has_room(const struct instances *i) {
    return i->cells > 0;
}

int instances_recall(struct instances *i, uint64_t key, const uint8_t *bytes, uint32_t len) {
    struct fake_instance *f = &i->list[key];
    assert_true(key < FAKE_MAX && len >= sizeof f->d && !f->is_there);
    memcpy(&f->d, bytes, sizeof f->d);
    memcpy(f->members, bytes + sizeof f->d, f->d.member_count * sizeof *f->members);
    memcpy(f->note, bytes + sizeof f->d + f->d.member_count * sizeof *f->members, f->d.note_len);
    const struct template *template = template_set_find(&i->world->templates, f->d.template_name);
    assert_non_null(template);
    f->template = *template;
    f->d.is_closed = false;
    f->is_there = true;
    if (key >= i->next_id) i->next_id = (uint32_t)key + 1;
    if (i->cells > 0) i->cells--;
    return 0;
}

/* --- what zones say */

static inline void fake_tell(struct world *w, uint32_t id, enum instances_event_kind kind, uint64_t player) {
    struct instance_view view = fake_view(fake_at(w->instances, id));
    desk_instance(w->desk, kind, &view, player, w->now, w->wall_ms);
}

static inline void fake_run(struct world *w, uint32_t id) {
    fake_at(w->instances, id)->d.stage = INSTANCE_RUNNING;
    fake_tell(w, id, INSTANCES_RUNNING, 0);
}

static inline void fake_come(struct world *w, uint32_t id, uint64_t player) {
    struct fake_instance *f = fake_at(w->instances, id);
    for (uint32_t k = 0; k < f->d.member_count; k++) {
        if (f->members[k].player != player) continue;
        f->members[k].is_present = f->members[k].has_come = true;
        f->members[k].kills = 3;
        fake_tell(w, id, INSTANCES_CAME, player);
    }
}

static inline void fake_come_all(struct world *w, uint32_t id) {
    for (uint32_t k = 0; k < fake_at(w->instances, id)->d.member_count; k++)
        fake_come(w, id, fake_at(w->instances, id)->members[k].player);
}

static inline void fake_end(struct world *w, uint32_t id, enum instance_end end, uint32_t goal) {
    struct fake_instance *f = fake_at(w->instances, id);
    f->d.stage = INSTANCE_OVER;
    f->d.end = end;
    f->d.goal = goal;
    (void)!fake_put(w->instances, f);
    fake_tell(w, id, INSTANCES_OVER, 0);
}

/* fake_home forgets an instance that was closed, as when everybody is home. */
static inline void fake_home(struct world *w, uint32_t id) {
    struct fake_instance *f = fake_at(w->instances, id);
    if (!f || !f->d.is_closed || keep_erase(w->keep, WIRE_DOCUMENT_INSTANCE, id) != 0) return;
    fake_tell(w, id, INSTANCES_GONE, 0);
    f->is_there = false;
    w->instances->cells++;
}

/* --- what the desk says */

static inline void world_on_tell(void *context, uint64_t player, const struct wire_server_message *message) {
    struct world *w = context;
    assert_in_range(player, 1, WORLD_PLAYERS - 1);
    struct world_told *told = &w->told[player];
    switch (message->kind) {
    case WIRE_SERVER_TICKET:
        told->ticket = message->ticket;
        told->tickets++;
        break;
    case WIRE_SERVER_PARTY:
        told->party = message->party;
        told->parties++;
        break;
    case WIRE_SERVER_MATCH:
        told->match = message->match;
        told->matches++;
        told->over += message->match.phase == WIRE_MATCH_OVER;
        break;
    default: fail();
    }
    if (w->on_told) w->on_told(w, player, message);
}

static inline void world_on_change(void *context, uint64_t ticket) {
    struct world *w = context;
    assert_true(ticket != 0);
    w->changes++;
}

static inline void world_recalled(void *context, const struct wire_document *document, const uint8_t *bytes) {
    struct world *w = context;
    desk_recalled(w->desk, document, bytes, w->wall_ms);
}

static inline void world_ready(void *context) {
    struct world *w = context;
    desk_ready(w->desk, w->now, w->wall_ms);
}

static inline void world_rating(void *context, const struct wire_rating *rating) {
    struct world *w = context;
    desk_rating(w->desk, rating, w->now, w->wall_ms);
}

static inline void world_settled(void *context, uint64_t match, uint64_t player, bool is_done) {
    desk_settled(((struct world *)context)->desk, match, player, is_done);
}

static inline void world_read(void *context, uint32_t kind, uint64_t key, const uint8_t *bytes, uint32_t len) {
    (void)context, (void)kind, (void)key, (void)bytes, (void)len;
}

static inline void world_page(void *context, uint64_t request, const struct wire_page_row *rows, uint32_t count,
                              bool is_whole) {
    (void)context, (void)request, (void)rows, (void)count, (void)is_whole;
}

/* --- the world */

static inline struct mode world_mode(const char *name, uint32_t teams, uint32_t team_size, uint32_t ready_ms) {
    struct mode mode = {.teams = teams,
                        .team_size = team_size,
                        .max_party = team_size,
                        .window_start = 3000,
                        .window_max = 3000,
                        .window_every_ms = 1000,
                        .latency_start_ms = 500,
                        .latency_max_ms = 500,
                        .balance_max = MODE_POINTS_MAX,
                        .timeout_ms = 60000,
                        .ready_ms = ready_ms};
    snprintf(mode.name, sizeof mode.name, "%s", name);
    snprintf(mode.instance, sizeof mode.instance, "%s", "hall");
    return mode;
}

static inline void world_begin(struct world *w) {
    const struct keep_config keep = {.shard_count = w->model ? w->model->shard_count : 0,
                                     .first_version = w->first_version += 1000000,
                                     .handlers = {.context = w,
                                                  .recalled = world_recalled,
                                                  .ready = world_ready,
                                                  .rating = world_rating,
                                                  .settled = world_settled,
                                                  .read = world_read,
                                                  .page = world_page}};
    assert_int_equal(keep_create(&w->keep, &keep), 0);
    w->instances = calloc(1, sizeof *w->instances);
    assert_non_null(w->instances);
    *w->instances = (struct instances){.keep = w->keep, .world = w, .cells = 1000, .next_id = w->next_instance};
    w->instances->list = calloc(FAKE_MAX, sizeof *w->instances->list);
    assert_non_null(w->instances->list);
    const struct desk_config desk = {.keep = w->keep,
                                     .instances = w->instances,
                                     .region_count = 2,
                                     .regions = {"north", "south"},
                                     .tickets_max = WORLD_TICKETS,
                                     .season = w->season,
                                     .seed = 7,
                                     .on_tell = world_on_tell,
                                     .on_change = world_on_change,
                                     .context = w};
    char error[MODE_ERROR_SIZE];
    assert_int_equal(desk_create(&w->desk, &desk, w->now), 0);
    assert_int_equal(desk_set_modes(w->desk, &w->modes, &w->templates, w->now, error, sizeof error), 0);
}

static inline void world_end(struct world *w) {
    desk_destroy(w->desk);
    free(w->instances->list);
    free(w->instances);
    keep_destroy(w->keep);
}

static inline void world_step(struct world *w, uint64_t ms) {
    w->now = mono_add_ms(w->now, ms);
    w->wall_ms += ms;
    keep_step(w->keep, w->now);
    while (desk_step(w->desk, w->now, w->wall_ms)) continue;
}

/* world_settle has all that is on its way arrive. */
static inline void world_settle(struct world *w) {
    for (uint32_t quiet = 0; quiet < 3; quiet++) {
        for (uint32_t shard = 0; w->model && shard < w->model->shard_count; shard++) {
            model_connect(w->model, w->keep, shard);
            while (model_take(w->model, w->keep, shard) || model_work(w->model, shard) ||
                   model_tell(w->model, w->keep, shard))
                quiet = 0;
        }
        world_step(w, 1);
    }
}

/* world_new has modes duel (asks nobody), arena (2 x 2, asks), crypt (4 against creatures), siege (2 x 2, backfill), and a
 * template with room for 8. */
static inline struct world *world_new(uint32_t shard_count) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->now = (struct mono){1000 * NS_PER_S};
    w->wall_ms = WORLD_FIRST_WALL;
    w->season = 3;
    w->next_instance = 1;
    if (shard_count > 0) w->model = model_create(shard_count, 1);
    w->modes = (struct mode_set){.count = 4,
                                 .modes = {world_mode("duel", 2, 1, 0), world_mode("arena", 2, 2, 5000),
                                           world_mode("crypt", 1, 4, 0), world_mode("siege", 2, 2, 0)}};
    w->modes.modes[3].backfill = true;
    w->templates.count = 1;
    w->templates.templates[0] = (struct template){.name = "hall",
                                                  .version = 1,
                                                  .side_m = 64,
                                                  .capacity = 8,
                                                  .goals = WIRE_GOAL_KILLS,
                                                  .win = {.gold = 100, .item_kind = 2, .item_count = 1},
                                                  .lose = {.gold = 10}};
    world_begin(w);
    world_settle(w);
    assert_true(keep_is_ready(w->keep));
    return w;
}

static inline void world_free(struct world *w) {
    world_end(w);
    if (w->model) model_destroy(w->model);
    free(w);
}

/* world_restart is the death of the matchmaker: what was not durable is lost. */
static inline void world_restart(struct world *w) {
    for (uint32_t shard = 0; w->model && shard < w->model->shard_count; shard++) model_lose(w->model, w->keep, shard);
    world_end(w);
    world_begin(w);
}

static inline enum wire_ticket_reason world_enter(struct world *w, uint64_t player, const char *mode, uint64_t *ticket) {
    const struct desk_request request = {.player = player, .mode = mode};
    uint64_t id;
    return desk_enter(w->desk, &request, w->now, w->wall_ms, ticket ? ticket : &id);
}

/* world_queue enters, and waits until that is durable. */
static inline uint64_t world_queue(struct world *w, uint64_t player, const char *mode) {
    uint64_t ticket;
    assert_int_equal(world_enter(w, player, mode, &ticket), WIRE_REASON_NONE);
    world_settle(w);
    return ticket;
}

static inline void world_party(struct world *w, uint64_t leader, uint64_t other) {
    assert_int_equal(desk_party(w->desk, leader, WIRE_PARTY_INVITE, other, w->now), WIRE_REASON_NONE);
    assert_int_equal(desk_party(w->desk, other, WIRE_PARTY_JOIN, leader, w->now), WIRE_REASON_NONE);
    world_settle(w);
}

static inline struct desk_ticket world_ticket(const struct world *w, uint64_t ticket) {
    struct desk_ticket t;
    assert_true(desk_ticket_get(w->desk, ticket, w->now, w->wall_ms, &t));
    return t;
}

/* world_duel has two players in an instance that runs, both there; returns its id. */
static inline uint32_t world_duel(struct world *w) {
    (void)world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    uint32_t id = w->told[1].match.instance;
    assert_int_not_equal(id, 0);
    fake_run(w, id);
    fake_come_all(w, id);
    return id;
}

#endif
