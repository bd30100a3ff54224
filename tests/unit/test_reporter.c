/* The zone's edges to persist over a real bus, against a persist played by the test: lease, loads, reports, loot, effects,
 * and what happens when persist goes away and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/edge_url.h"
#include "common/item_kinds.h"
#include "tests/unit/scripted_load.h"
#include "zone/reporter.h"

#define ATTEMPTS_MAX 5000 /* of a millisecond each */
#define KEPT_MAX     4096

static const uint64_t SESSION = 3ULL << 32 | 5, PLAYER = 8, EPOCH = 100;

static struct config_gateway gateways[1] = {{.name = "gateway-0", .max_clients = 64}};
static struct config_zone zones[1] = {{.name = "zone-0"}};
static struct config_persist persists[1] = {{.name = "persist-0"}};

struct fixture {
    char run_dir[64];
    struct config config;
    struct sim *sim;
    struct reporter *reporter;
    struct book *book;
    struct bus_edge *persist;
    struct wire_builder *builder;
    uint64_t tick;
    uint64_t ahead_ns; /* the test's clock is ahead by this */
    /* what persist got */
    struct wire_hello hello;
    uint64_t seq, lease_epoch;
    uint32_t claims, reports;
    struct wire_player_load loads[KEPT_MAX];
    struct wire_player_state states[KEPT_MAX];
    uint32_t attachments[KEPT_MAX];
    struct wire_loot_grant grants[KEPT_MAX];
    uint32_t load_count, state_count, grant_count;
};

static struct mono test_now(const struct fixture *f) {
    return mono_add_ns(mono_now(), f->ahead_ns);
}

static void persist_listen(struct fixture *f) {
    char url[EDGE_URL_SIZE];
    assert_int_equal(edge_url(&f->config, f->run_dir, EDGE_PERSIST_ZONE, 0, 0, url, sizeof url), 0);
    struct bus_edge_config bus = {.url = url,
                                  .role = BUS_LISTEN,
                                  .local_name = "persist-0",
                                  .peer_name = "zone-0",
                                  .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                  .queue_max_bytes = BUS_FRAME_BYTES_MAX};
    assert_int_equal(bus_edge_open(&f->persist, &bus, test_now(f)), 0);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->run_dir, sizeof f->run_dir, "/tmp/march-report-XXXXXX");
    assert_non_null(mkdtemp(f->run_dir));
    char ipc[128];
    snprintf(ipc, sizeof ipc, "%s/ipc", f->run_dir);
    assert_int_equal(mkdir(ipc, 0700), 0);
    f->config = (struct config){.gateways = gateways, .gateways_count = 1, .zones = zones, .zones_count = 1};
    f->config.persists = persists, f->config.persists_count = 1;
    f->config.persist.report_ms = 20;
    struct sim_config sim = script_config();
    sim.gateways_max = 1;
    f->sim = sim_create(&sim);
    f->tick = SCRIPT_START_TICK;
    f->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    char error[200];
    struct wire_hello hello = {.name = "zone-0", .role = WIRE_ROLE_ZONE, .incarnation = 99, .tick_hz = 60};
    assert_int_equal(
        reporter_open(&f->reporter, &f->config, 0, f->run_dir, &hello, NULL, f->sim, test_now(f), error, sizeof error), 0);
    f->book = reporter_book(f->reporter);
    persist_listen(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    reporter_close(f->reporter);
    bus_edge_close(f->persist);
    sim_destroy(f->sim);
    wire_builder_destroy(f->builder);
    char path[128];
    snprintf(path, sizeof path, "%s/ipc/persist-0.zone-0", f->run_dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/ipc", f->run_dir);
    rmdir(path);
    rmdir(f->run_dir);
    free(f);
    return 0;
}

static void take_report(struct fixture *f, const struct wire_zone_report *r) {
    assert_string_equal(r->partition, "zone-0");
    assert_true(r->seq == f->seq + 1); /* none is missing */
    f->seq = r->seq;
    f->lease_epoch = r->lease_epoch;
    f->claims += r->claims_lease;
    f->reports += !r->claims_lease;
    assert_true(f->load_count + r->load_count <= KEPT_MAX && f->state_count + r->state_count <= KEPT_MAX);
    assert_true(f->grant_count + r->grant_count <= KEPT_MAX);
    for (uint32_t i = 0; i < r->load_count; i++) f->loads[f->load_count++] = r->loads[i];
    for (uint32_t i = 0; i < r->state_count; i++) {
        f->attachments[f->state_count] = r->attachments[i];
        f->states[f->state_count++] = r->states[i];
    }
    for (uint32_t i = 0; i < r->grant_count; i++) f->grants[f->grant_count++] = r->grants[i];
}

static void persist_receive(struct fixture *f) {
    const uint8_t *bytes;
    size_t len;
    bus_update(f->persist, test_now(f));
    while (bus_receive(f->persist, &bytes, &len) == 0) {
        struct wire_bus_view view;
        assert_int_equal(wire_bus_open(bytes, len, &view), 0);
        if (view.kind == WIRE_BUS_HELLO) f->hello = view.hello;
        if (view.kind == WIRE_BUS_ZONE_REPORT) take_report(f, &view.zone_report);
        bus_release(f->persist);
    }
}

/* A turn of both sides: a tick of the zone, then a millisecond. */
static void turn(struct fixture *f) {
    reporter_receive(f->reporter, test_now(f));
    sim_tick(f->sim, ++f->tick);
    reporter_send(f->reporter, f->tick, test_now(f));
    if (f->persist) persist_receive(f);
    usleep(1000);
}

#define WAIT_FOR(f, condition)                                                                                              \
    do {                                                                                                                    \
        for (int attempt_ = 0; attempt_ < ATTEMPTS_MAX && !(condition); attempt_++) turn(f);                                \
        assert_true(condition);                                                                                             \
    } while (0)

static void turns(struct fixture *f, unsigned count) {
    while (count-- > 0) turn(f);
}

static void persist_say(struct fixture *f, const struct wire_persist_report *report) {
    struct wire_bytes bytes;
    uint64_t before = reporter_stats(f->reporter).received;
    assert_int_equal(wire_persist_report_pack(f->builder, report, &bytes), 0);
    assert_int_equal(bus_send(f->persist, bytes.data, bytes.len), 0);
    WAIT_FOR(f, reporter_stats(f->reporter).received > before);
}

static void persist_greet(struct fixture *f, uint64_t incarnation) {
    struct wire_hello hello = {.name = "persist-0", .role = WIRE_ROLE_PERSIST, .incarnation = incarnation, .shard_count = 1};
    struct wire_bytes bytes;
    assert_int_equal(wire_hello_pack(f->builder, &hello, &bytes), 0);
    WAIT_FOR(f, bus_connected(f->persist));
    assert_int_equal(bus_send(f->persist, bytes.data, bytes.len), 0);
    WAIT_FOR(f, reporter_link(f->reporter, 0)->state == LINK_UP);
}

/* Persist comes up as an incarnation and gives the lease. */
static void persist_up(struct fixture *f, uint64_t incarnation, uint64_t epoch) {
    f->seq = 0;
    uint32_t claims = f->claims;
    persist_greet(f, incarnation);
    WAIT_FOR(f, f->claims > claims);
    persist_say(f, &(struct wire_persist_report){.lease_epoch = epoch, .lease_result = WIRE_LEASE_HELD});
    assert_int_equal(reporter_lease(f->reporter, 0), REPORTER_LEASE_HELD);
}

/* Persist is killed: its socket goes, and comes back. */
static void persist_restart(struct fixture *f, uint64_t incarnation, uint64_t epoch) {
    bus_edge_close(f->persist);
    f->persist = NULL;
    WAIT_FOR(f, reporter_link(f->reporter, 0)->state == LINK_AWAY);
    persist_listen(f);
    persist_up(f, incarnation, epoch);
}

static void attach(struct fixture *f, uint64_t session, uint64_t player, uint64_t epoch) {
    struct wire_attach a = {.session = session, .player = player, .session_epoch = epoch, .attachment = 1};
    book_attach(f->book, 0, &a, test_now(f));
}

static void answer_load(struct fixture *f, uint64_t player, uint64_t epoch, enum wire_load_result result) {
    struct wire_player_loaded loaded = {.state = {.player = player, .session_epoch = epoch}, .result = result};
    loaded.state.x = 7 * 65536, loaded.state.y = 9 * 65536, loaded.state.hit_points = 33, loaded.state.experience = 350;
    persist_say(f, &(struct wire_persist_report){.loaded = &loaded, .loaded_count = 1});
}

/* A player in the zone, as persist knows it. */
static uint32_t join(struct fixture *f, uint64_t session, uint64_t player, uint64_t epoch) {
    uint32_t loads = f->load_count;
    attach(f, session, player, epoch);
    WAIT_FOR(f, f->load_count > loads);
    assert_true(f->loads[loads].player == player && f->loads[loads].session_epoch == epoch);
    answer_load(f, player, epoch, WIRE_LOAD_KNOWN);
    uint32_t slot = sim_slot(f->sim, 0, session);
    assert_int_not_equal(slot, SIM_SLOT_NONE);
    return slot;
}

static struct wire_attached last_answer(struct fixture *f) {
    const struct output *o = sim_output(f->sim, 0);
    assert_true(o->attached_count > 0);
    return o->attached[o->attached_count - 1];
}

static void kill_one(struct fixture *f, uint32_t slot) {
    struct game_event event = {.type = GAME_EVENT_LOOT, .gold = 3, .item_kind = ITEM_KIND_HERB, .item_count = 2};
    sim_watcher_of(f->sim)->loot(f->book, sim_player_in(f->sim, slot).player, &event);
}

static void test_reporter_claims_the_lease_then_loads_and_restores(void **state) {
    struct fixture *f = *state;
    attach(f, SESSION, PLAYER, EPOCH);
    assert_true(book_holds(f->book, 0, SESSION));
    turns(f, 50);
    assert_int_equal(f->load_count, 0); /* not before the lease */
    persist_up(f, 1, 41);
    assert_string_equal(f->hello.name, "zone-0");
    WAIT_FOR(f, f->load_count == 1);
    assert_true(f->lease_epoch == 41);
    assert_int_equal(sim_players(f->sim), 0);
    answer_load(f, PLAYER, EPOCH, WIRE_LOAD_KNOWN);
    assert_false(book_holds(f->book, 0, SESSION));
    struct game_character c = sim_character(f->sim, sim_slot(f->sim, 0, SESSION));
    assert_true(c.x == 7 * 65536 && c.y == 9 * 65536 && c.hit_points <= 33 && c.experience == 350 && c.level == 3);
    assert_int_equal(last_answer(f).result, WIRE_ATTACHED);
    turns(f, 100);
    assert_int_equal(f->load_count, 1); /* asked once */
}

static void test_reporter_new_player_begins_anew(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    attach(f, SESSION, PLAYER, EPOCH);
    WAIT_FOR(f, f->load_count == 1);
    answer_load(f, PLAYER, EPOCH, WIRE_LOAD_NEW);
    assert_int_equal(sim_character(f->sim, sim_slot(f->sim, 0, SESSION)).experience, 0);
}

static void test_reporter_states_are_reported_when_they_change_and_only_then(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    WAIT_FOR(f, f->state_count >= 1);
    assert_true(f->states[0].player == PLAYER && f->states[0].session_epoch == EPOCH && f->states[0].tick > 0);
    uint16_t index = sim_entities(f->sim)->alive[sim_entities(f->sim)->count - 1];
    for (int i = 0; i < 3; i++) {
        sim_entities(f->sim)->x[index] += 65536;
        int32_t x = sim_entities(f->sim)->x[index];
        WAIT_FOR(f, f->states[f->state_count - 1].x == x);
    }
    assert_int_equal(sim_character(f->sim, slot).x, f->states[f->state_count - 1].x);
}

static void test_reporter_last_state_is_kept_until_durable(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    join(f, SESSION, PLAYER, EPOCH);
    book_detach(f->book, 0, &(struct wire_detach){.session = SESSION});
    WAIT_FOR(f, f->state_count > 0 && (f->states[f->state_count - 1].flags & WIRE_STATE_LEFT));
    uint64_t seq = f->seq;
    persist_say(f, &(struct wire_persist_report){.durable_seq = seq - 1});
    assert_int_equal(book_departed(f->book), 1);
    f->state_count = 0;
    persist_restart(f, 2, 2);
    WAIT_FOR(f, f->state_count == 1); /* sent again */
    assert_true(f->states[0].player == PLAYER && f->states[0].flags == WIRE_STATE_LEFT);
    persist_say(f, &(struct wire_persist_report){.durable_seq = f->seq});
    assert_int_equal(book_departed(f->book), 0);
}

static void test_reporter_state_goes_before_the_load_of_the_same_player(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    join(f, SESSION, PLAYER, EPOCH);
    f->state_count = f->load_count = 0;
    book_detach(f->book, 0, &(struct wire_detach){.session = SESSION});
    attach(f, SESSION + 1, PLAYER, EPOCH + 1); /* the same player again, by a newer session */
    uint32_t reports = f->reports;
    WAIT_FOR(f, f->load_count == 1);
    assert_true(f->state_count == 1 && f->states[0].flags == WIRE_STATE_LEFT);
    assert_int_equal(f->reports, reports + 1); /* in one report, whose states are read first */
}

static void test_reporter_player_that_is_here_goes_on_under_a_newer_session(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    uint64_t entity = sim_player_in(f->sim, slot).entity;
    turns(f, 100);
    f->state_count = f->load_count = 0;
    attach(f, SESSION + 1, PLAYER, EPOCH + 1);
    assert_int_equal(sim_slot(f->sim, 0, SESSION), SIM_SLOT_NONE);
    assert_int_equal(sim_output(f->sim, 0)->detached[0].reason, SIM_DETACH_STALE);
    assert_int_equal(sim_slot(f->sim, 0, SESSION + 1), slot);
    assert_true(last_answer(f).result == WIRE_ATTACHED && last_answer(f).entity == entity);
    WAIT_FOR(f, f->state_count > 0); /* told under the new epoch, though nothing else has changed */
    assert_true(f->states[0].session_epoch == EPOCH + 1 && f->states[0].flags == 0);
    assert_int_equal(f->load_count, 0);
    book_orphan(f->book, 0);
    attach(f, SESSION + 2, PLAYER, EPOCH + 2);
    assert_true(sim_player_in(f->sim, slot).entity == entity);
    assert_int_equal(book_stats(f->book)->resumed, 2);
}

static void test_reporter_player_that_is_taken_over_waits_for_the_newer_session(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    uint64_t entity = sim_player_in(f->sim, slot).entity;
    book_detach(f->book, 0, &(struct wire_detach){.session = SESSION, .reason = WIRE_DETACH_TAKEN_OVER});
    assert_int_equal(sim_player_in(f->sim, slot).gateway, SIM_GATEWAY_NONE);
    assert_int_equal(book_departed(f->book), 0);
    attach(f, SESSION + 1, PLAYER, EPOCH + 1);
    assert_true(last_answer(f).result == WIRE_ATTACHED && last_answer(f).entity == entity);
    attach(f, SESSION + 2, PLAYER + 1, EPOCH); /* one that waits for persist has nothing that could stay */
    book_detach(f->book, 0, &(struct wire_detach){.session = SESSION + 2, .reason = WIRE_DETACH_TAKEN_OVER});
    assert_int_equal(book_pending(f->book), 0);
    assert_int_equal(sim_players(f->sim), 1);
}

static void test_reporter_player_that_is_handed_over_has_not_left(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    struct wire_carried carried;
    sim_export(f->sim, slot, 9, &carried);
    book_depart(f->book, slot);
    assert_int_equal(book_departed(f->book), 0);
    carried.session_epoch = EPOCH;
    carried.attachment = 12;
    carried.tick = sim_now(f->sim) + 5000; /* of a zone whose clock is ahead */
    assert_int_equal(sim_import(f->sim, 0, &carried, &slot), 0);
    book_arrive(f->book, slot, &carried);
    f->state_count = 0;
    WAIT_FOR(f, f->state_count > 0);
    assert_true(f->states[0].tick == carried.tick + 1 && f->states[0].session_epoch == EPOCH);
    assert_int_equal(f->attachments[0], 12);
    uint32_t attachments[] = {12, 13};
    struct wire_player_load stale = {PLAYER, EPOCH};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(sim_players(f->sim), 1);
        persist_say(f,
                    &(struct wire_persist_report){.stale = &stale, .stale_attachments = &attachments[i], .stale_count = 1});
    }
    assert_int_equal(sim_players(f->sim), 0);
}

/* A player comes from another zone under `epoch`; returns its slot. */
static uint32_t arrive(struct fixture *f, uint64_t session, uint64_t epoch, uint32_t attachment) {
    struct wire_carried carried = {.session = session,
                                   .player = PLAYER,
                                   .session_epoch = epoch,
                                   .entity = 77,
                                   .attachment = attachment,
                                   .kind = GAME_KIND_PLAYER};
    uint32_t slot;
    assert_int_equal(sim_import(f->sim, 0, &carried, &slot), 0);
    book_arrive(f->book, slot, &carried);
    return slot;
}

static void test_reporter_player_that_comes_while_its_attach_waits_is_there_once(void **state) {
    struct fixture *f = *state;
    const struct {
        uint64_t session, epoch; /* of the one that comes */
        uint32_t attachment, attached;
        enum wire_attach_result result; /* of the attach, whose attachment is 1 */
    } cases[] = {{SESSION + 1, EPOCH - 1, 5, 1, WIRE_ATTACHED},
                 {SESSION + 1, EPOCH + 1, 5, 5, WIRE_ATTACH_STALE},
                 {SESSION, EPOCH, 0, 1, WIRE_ATTACHED}};
    persist_up(f, 1, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->load_count = 0;
        attach(f, SESSION, PLAYER, EPOCH);
        WAIT_FOR(f, f->load_count > 0);
        uint32_t slot = arrive(f, cases[i].session, cases[i].epoch, cases[i].attachment);
        struct wire_player_loaded loaded = {.state = {.player = PLAYER, .session_epoch = EPOCH}, .result = WIRE_LOAD_KNOWN};
        book_take(f->book, 0, &(struct wire_persist_report){.loaded = &loaded, .loaded_count = 1}, test_now(f));
        assert_int_equal(last_answer(f).result, cases[i].result);
        assert_int_equal(sim_players(f->sim), 1);
        assert_int_equal(sim_player_in(f->sim, slot).attachment, cases[i].attached);
        assert_int_equal(sim_slot(f->sim, 0, SESSION), cases[i].result == WIRE_ATTACHED ? slot : SIM_SLOT_NONE);
        book_depart(f->book, slot);
        sim_remove(f->sim, slot, false);
    }
}

static void test_reporter_older_session_is_refused(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    join(f, SESSION, PLAYER, EPOCH);
    attach(f, SESSION + 1, PLAYER, EPOCH - 1);
    assert_int_equal(last_answer(f).result, WIRE_ATTACH_STALE);
    assert_int_not_equal(sim_slot(f->sim, 0, SESSION), SIM_SLOT_NONE);
    attach(f, SESSION + 2, PLAYER + 1, EPOCH);
    WAIT_FOR(f, f->load_count == 2);
    answer_load(f, PLAYER + 1, EPOCH, WIRE_LOAD_STALE);
    assert_int_equal(last_answer(f).result, WIRE_ATTACH_STALE);
    struct wire_player_load stale = {PLAYER, EPOCH};
    persist_say(f, &(struct wire_persist_report){.stale = &stale, .stale_count = 1});
    assert_int_equal(sim_players(f->sim), 0);
}

static void test_reporter_attach_without_answer_is_refused_in_the_end(void **state) {
    struct fixture *f = *state;
    attach(f, SESSION, PLAYER, EPOCH);
    turns(f, 5);
    assert_true(book_holds(f->book, 0, SESSION));
    f->ahead_ns += BOOK_PENDING_MS * NS_PER_MS;
    turn(f);
    assert_false(book_holds(f->book, 0, SESSION));
    assert_int_equal(last_answer(f).result, WIRE_ATTACH_UNAVAILABLE);
}

static void test_reporter_load_that_persist_cannot_answer_is_asked_again(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    attach(f, SESSION, PLAYER, EPOCH);
    WAIT_FOR(f, f->load_count == 1);
    answer_load(f, PLAYER, EPOCH, WIRE_LOAD_UNAVAILABLE);
    assert_true(book_holds(f->book, 0, SESSION));
    WAIT_FOR(f, f->load_count == 2);
    answer_load(f, PLAYER, EPOCH, WIRE_LOAD_KNOWN);
    assert_int_equal(sim_players(f->sim), 1);
}

static void test_reporter_detach_ends_what_waits(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    for (uint32_t i = 0; i < 3; i++) attach(f, SESSION + i, PLAYER + i, EPOCH);
    book_detach(f->book, 0, &(struct wire_detach){.session = SESSION});
    assert_false(book_holds(f->book, 0, SESSION));
    assert_true(book_holds(f->book, 0, SESSION + 1) && book_holds(f->book, 0, SESSION + 2));
    WAIT_FOR(f, f->load_count == 2);
    book_orphan(f->book, 0);
    assert_int_equal(book_pending(f->book), 0);
    answer_load(f, PLAYER + 1, EPOCH, WIRE_LOAD_KNOWN);
    assert_int_equal(sim_players(f->sim), 0);
    assert_int_equal(book_stats(f->book)->answers_unknown, 1);
}

static void test_reporter_everything_unanswered_goes_to_a_new_incarnation(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 7);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    attach(f, SESSION + 1, PLAYER + 1, EPOCH);
    kill_one(f, slot);
    WAIT_FOR(f, f->load_count == 2 && f->grant_count == 1);
    struct wire_loot_grant first = f->grants[0];
    assert_true(first.player == PLAYER && first.gold == 3 && first.item_kind == ITEM_KIND_HERB && first.item_count == 2);
    assert_true(first.key == ((uint64_t)7 << 32));
    persist_say(f, &(struct wire_persist_report){.durable_seq = f->seq});
    f->load_count = f->state_count = f->grant_count = 0;
    persist_restart(f, 2, 7);
    WAIT_FOR(f, f->load_count == 1 && f->state_count >= 1 && f->grant_count == 1);
    assert_true(f->loads[0].player == PLAYER + 1 && f->states[0].player == PLAYER);
    assert_memory_equal(&f->grants[0], &first, sizeof first); /* the same key */
    assert_int_equal(reporter_stats(f->reporter).restarts, 1);
}

/* Its state stands before those of who stays, in the same report or not. */
static bool has_left(const struct fixture *f, uint64_t player) {
    for (uint32_t i = 0; i < f->state_count; i++)
        if (f->states[i].player == player && f->states[i].flags == WIRE_STATE_LEFT) return true;
    return false;
}

static void test_reporter_states_go_again_when_persist_asks(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    join(f, SESSION, PLAYER, EPOCH);
    join(f, SESSION + 1, PLAYER + 1, EPOCH);
    book_detach(f->book, 0, &(struct wire_detach){.session = SESSION + 1});
    WAIT_FOR(f, has_left(f, PLAYER + 1));
    turns(f, 100);
    f->state_count = 0;
    persist_say(f, &(struct wire_persist_report){.resend = true});
    WAIT_FOR(f, f->state_count >= 2);
    assert_true(f->states[0].player == PLAYER + 1 && f->states[1].player == PLAYER);
}

static void test_reporter_grant_is_kept_until_answered(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    kill_one(f, slot);
    kill_one(f, slot);
    WAIT_FOR(f, f->grant_count == 2);
    assert_true(f->grants[0].key != f->grants[1].key);
    struct wire_grant_answer answers[] = {{PLAYER, f->grants[1].key, WIRE_GRANT_DURABLE, 0},
                                          {PLAYER, f->grants[0].key, WIRE_GRANT_AGAIN, 0},
                                          {PLAYER, f->grants[1].key, WIRE_GRANT_DURABLE, 0},
                                          {PLAYER, f->grants[1].key + 1, WIRE_GRANT_DURABLE, 0}};
    persist_say(f, &(struct wire_persist_report){.granted = answers, .granted_count = 4});
    assert_int_equal(book_grants(f->book), 1);
    assert_int_equal(book_stats(f->book)->answers_unknown, 2);
    WAIT_FOR(f, f->grant_count == 3);
    assert_true(f->grants[2].key == f->grants[0].key);
    answers[1].result = WIRE_GRANT_REFUSED;
    persist_say(f, &(struct wire_persist_report){.granted = &answers[1], .granted_count = 1});
    assert_int_equal(book_grants(f->book), 0);
    assert_int_equal(book_stats(f->book)->grants_refused, 1);
}

static void test_reporter_loot_of_before_the_lease_is_named_by_it(void **state) {
    struct fixture *f = *state;
    struct game_event event = {.type = GAME_EVENT_LOOT, .gold = 3};
    sim_watcher_of(f->sim)->loot(f->book, PLAYER, &event);
    persist_up(f, 1, 6);
    WAIT_FOR(f, f->grant_count == 1);
    assert_int_equal(f->grants[0].key >> 32 & 0xffff, 6);
    persist_restart(f, 2, 7); /* it stays what it was first told under */
    f->grant_count = 0;
    WAIT_FOR(f, f->grant_count == 1);
    assert_int_equal(f->grants[0].key >> 32 & 0xffff, 6);
}

static void test_reporter_grant_without_an_answer_is_sent_again(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    kill_one(f, join(f, SESSION, PLAYER, EPOCH));
    WAIT_FOR(f, f->grant_count == 1);
    struct wire_zone_report report = {0};
    (void)book_report(f->book, 0, 1, test_now(f), true, &report);
    assert_int_equal(report.grant_count, 0);
    (void)book_report(f->book, 0, 1, mono_add_ms(test_now(f), BOOK_ANSWER_MS), true, &report);
    assert_int_equal(report.grant_count, 1);
    assert_int_equal(report.grants[0].key, f->grants[0].key);
}

static void test_reporter_grants_beyond_the_list_cost_the_oldest(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    for (uint32_t i = 0; i < BOOK_GRANTS_MAX + 3; i++) kill_one(f, slot);
    assert_int_equal(book_stats(f->book)->grants_lost, 3);
    assert_int_equal(book_grants(f->book), BOOK_GRANTS_MAX);
    WAIT_FOR(f, f->grant_count == BOOK_GRANTS_MAX);
    assert_int_equal((uint32_t)f->grants[0].key, 3);
}

static void test_reporter_departed_beyond_the_table_cost_the_oldest(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    for (uint32_t i = 0; i < 3; i++) {
        join(f, SESSION, PLAYER + i, EPOCH);
        book_detach(f->book, 0, &(struct wire_detach){.session = SESSION});
    }
    assert_int_equal(book_departed(f->book), 3);
    assert_int_equal(book_stats(f->book)->departed_lost, 0);
    join(f, SESSION, PLAYER, EPOCH);
    uint32_t slot = sim_slot(f->sim, 0, SESSION);
    for (uint32_t i = 0; i < BOOK_DEPARTED_MAX; i++) sim_watcher_of(f->sim)->left(f->book, slot);
    assert_int_equal(book_departed(f->book), BOOK_DEPARTED_MAX);
    assert_int_equal(book_stats(f->book)->departed_lost, 3);
}

static void test_reporter_effect_heals_the_player(void **state) {
    struct fixture *f = *state;
    persist_up(f, 1, 1);
    uint32_t slot = join(f, SESSION, PLAYER, EPOCH);
    struct wire_player_effect effects[] = {{PLAYER, ITEM_EFFECT_HEAL, 50}, {PLAYER + 1, ITEM_EFFECT_HEAL, 50}};
    persist_say(f, &(struct wire_persist_report){.effects = effects, .effect_count = 2});
    assert_true(sim_character(f->sim, slot).hit_points > 33);
    assert_int_equal(book_stats(f->book)->effects, 1);
    assert_int_equal(book_stats(f->book)->answers_unknown, 1);
}

static void test_reporter_lease_unavailable_is_claimed_again_and_stale_is_not(void **state) {
    struct fixture *f = *state;
    persist_greet(f, 1);
    WAIT_FOR(f, f->claims == 1);
    persist_say(f, &(struct wire_persist_report){.lease_result = WIRE_LEASE_UNAVAILABLE});
    turns(f, 20);
    assert_int_equal(f->claims, 1);
    f->ahead_ns += REPORTER_CLAIM_MS * NS_PER_MS;
    WAIT_FOR(f, f->claims == 2);
    persist_say(f, &(struct wire_persist_report){.lease_epoch = 9, .lease_result = WIRE_LEASE_STALE});
    attach(f, SESSION, PLAYER, EPOCH);
    f->ahead_ns += REPORTER_CLAIM_MS * NS_PER_MS;
    turns(f, 50);
    assert_int_equal(reporter_lease(f->reporter, 0), REPORTER_LEASE_STALE);
    assert_int_equal(f->claims, 2);
    assert_int_equal(f->load_count, 0);
}

static void test_reporter_has_leases_once_they_were_given(void **state) {
    struct fixture *f = *state;
    assert_false(reporter_has_leases(f->reporter));
    persist_greet(f, 1);
    WAIT_FOR(f, f->claims == 1);
    persist_say(f, &(struct wire_persist_report){.lease_result = WIRE_LEASE_UNAVAILABLE});
    assert_false(reporter_has_leases(f->reporter));
    persist_restart(f, 2, 7);
    assert_true(reporter_has_leases(f->reporter));
    bus_edge_close(f->persist);
    f->persist = NULL;
    WAIT_FOR(f, reporter_link(f->reporter, 0)->state == LINK_AWAY);
    assert_true(reporter_has_leases(f->reporter)); /* it is claimed again under its epoch */
    persist_listen(f);
}

static void test_reporter_persist_of_another_shard_is_refused(void **state) {
    struct fixture *f = *state;
    struct wire_hello hello = {.name = "persist-0", .role = WIRE_ROLE_PERSIST, .incarnation = 1, .shard_count = 2};
    struct wire_bytes bytes;
    assert_int_equal(wire_hello_pack(f->builder, &hello, &bytes), 0);
    WAIT_FOR(f, bus_connected(f->persist));
    assert_int_equal(bus_send(f->persist, bytes.data, bytes.len), 0);
    WAIT_FOR(f, reporter_stats(f->reporter).bad == 1);
    assert_int_not_equal(reporter_link(f->reporter, 0)->state, LINK_UP);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_reporter_claims_the_lease_then_loads_and_restores),
        TEST(test_reporter_new_player_begins_anew),
        TEST(test_reporter_states_are_reported_when_they_change_and_only_then),
        TEST(test_reporter_last_state_is_kept_until_durable),
        TEST(test_reporter_state_goes_before_the_load_of_the_same_player),
        TEST(test_reporter_player_that_is_here_goes_on_under_a_newer_session),
        TEST(test_reporter_player_that_is_taken_over_waits_for_the_newer_session),
        TEST(test_reporter_player_that_is_handed_over_has_not_left),
        TEST(test_reporter_player_that_comes_while_its_attach_waits_is_there_once),
        TEST(test_reporter_older_session_is_refused),
        TEST(test_reporter_attach_without_answer_is_refused_in_the_end),
        TEST(test_reporter_load_that_persist_cannot_answer_is_asked_again),
        TEST(test_reporter_detach_ends_what_waits),
        TEST(test_reporter_everything_unanswered_goes_to_a_new_incarnation),
        TEST(test_reporter_states_go_again_when_persist_asks),
        TEST(test_reporter_grant_is_kept_until_answered),
        TEST(test_reporter_loot_of_before_the_lease_is_named_by_it),
        TEST(test_reporter_grant_without_an_answer_is_sent_again),
        TEST(test_reporter_grants_beyond_the_list_cost_the_oldest),
        TEST(test_reporter_departed_beyond_the_table_cost_the_oldest),
        TEST(test_reporter_effect_heals_the_player),
        TEST(test_reporter_lease_unavailable_is_claimed_again_and_stale_is_not),
        TEST(test_reporter_has_leases_once_they_were_given),
        TEST(test_reporter_persist_of_another_shard_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
