/* The edges of a persist to zones, over a real bus with a zone played by the test, a real journal and a real PostgreSQL:
 * who is heard, what is acknowledged and when, what is loaded, granted and told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bus.h"
#include "common/edge_url.h"
#include "common/item_kinds.h"
#include "persist/grants.h"
#include "persist/journal.h"
#include "persist/motion.h"
#include "persist/zones.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

#define KEPT_MAX 64

static const uint64_t PLAYER = 8, EPOCH = 100;

static struct pg_fixture fixture;
static struct config_zone zone_entries[2] = {{.name = "zone-0"}, {.name = "zone-1"}};
static struct config_persist persist_entries[1] = {{.name = "persist-0"}};

struct world {
    char run_dir[64];
    struct config config;
    struct harness harness;
    struct journal *journal;
    struct grants *grants;
    struct motion *motion;
    struct flags flags;
    struct zones *zones;
    struct bus_edge *zone;
    uint32_t index; /* which zone speaks */
    uint64_t incarnation;
    struct bus_edge *other; /* of the zone that does not, and its lease */
    uint64_t other_epoch;
    struct wire_builder *builder;
    uint64_t seq, lease_epoch;
    uint64_t experience; /* as told last */
    unsigned applied;    /* grants */
    bool is_frozen;      /* the journal is not looked after: nothing becomes durable */
    /* what the zone got */
    bool greeted;
    uint32_t reports, lease_result, resends;
    uint64_t lease_told, durable_seq;
    struct wire_player_loaded loaded[KEPT_MAX];
    struct wire_grant_answer granted[KEPT_MAX];
    struct wire_player_effect effects[KEPT_MAX];
    struct wire_player_load stale[KEPT_MAX];
    uint32_t stale_attachments[KEPT_MAX];
    uint32_t loaded_count, granted_count, effect_count, stale_count;
};

static int apply(void *ctx, uint64_t position, const struct wire_loot_grant *grant) {
    struct world *w = ctx;
    (void)grant;
    w->applied++;
    grants_applied(w->grants, position);
    return 0;
}

static void on_experience(void *ctx, uint64_t player, uint64_t experience) {
    struct world *w = ctx;
    (void)player;
    w->experience = experience;
}

/* --- the zone's side */

static void zone_dial(struct world *w) {
    char url[EDGE_URL_SIZE];
    assert_int_equal(edge_url(&w->config, w->run_dir, EDGE_PERSIST_ZONE, 0, w->index, url, sizeof url), 0);
    struct bus_edge_config bus = {.url = url,
                                  .role = BUS_DIAL,
                                  .local_name = zone_entries[w->index].name,
                                  .peer_name = "persist-0",
                                  .frame_max_bytes = WIRE_BUS_BYTES_MAX,
                                  .queue_max_bytes = WIRE_BUS_BYTES_MAX};
    assert_int_equal(bus_edge_open(&w->zone, &bus, mono_now()), 0);
}

static void take_report(struct world *w, const struct wire_persist_report *r) {
    w->reports++;
    w->durable_seq = r->durable_seq;
    w->resends += r->resend;
    if (r->lease_result != WIRE_LEASE_NONE) {
        w->lease_result = r->lease_result;
        w->lease_told = r->lease_epoch;
    }
    for (uint32_t i = 0; i < r->loaded_count; i++) w->loaded[w->loaded_count++] = r->loaded[i];
    for (uint32_t i = 0; i < r->granted_count; i++) w->granted[w->granted_count++] = r->granted[i];
    for (uint32_t i = 0; i < r->effect_count; i++) w->effects[w->effect_count++] = r->effects[i];
    for (uint32_t i = 0; i < r->stale_count; i++) {
        w->stale_attachments[w->stale_count] = r->stale_attachments[i];
        w->stale[w->stale_count++] = r->stale[i];
    }
}

static void zone_receive(struct world *w) {
    const uint8_t *bytes;
    size_t len;
    bus_update(w->zone, mono_now());
    while (bus_receive(w->zone, &bytes, &len) == 0) {
        struct wire_bus_view view;
        assert_int_equal(wire_bus_open(bytes, len, &view), 0);
        if (view.kind == WIRE_BUS_HELLO) w->greeted = view.hello.role == WIRE_ROLE_PERSIST;
        if (view.kind == WIRE_BUS_PERSIST_REPORT) take_report(w, &view.persist_report);
        bus_release(w->zone);
    }
}

/* A turn of both sides. */
static bool turn(struct world *w) {
    if (!w->is_frozen) {
        journal_update(w->journal, mono_now());
        zones_durable(w->zones);
        grants_update(w->grants);
    }
    motion_update(w->motion, mono_now());
    zone_receive(w);
    return true;
}

#define WAIT_FOR(w, condition) harness_until(&(w)->harness, turn(w) && (condition))

static void zone_send(struct world *w, const struct wire_bytes *bytes) {
    WAIT_FOR(w, bus_connected(w->zone));
    assert_int_equal(bus_send(w->zone, bytes->data, bytes->len), 0);
}

static void zone_greet(struct world *w, uint64_t incarnation) {
    struct wire_hello hello = {.role = WIRE_ROLE_ZONE, .incarnation = incarnation, .index = w->index, .tick_hz = 60};
    snprintf(hello.name, sizeof hello.name, "%s", zone_entries[w->index].name);
    uint32_t up = zones_stats(w->zones).up;
    w->greeted = false;
    w->incarnation = incarnation;
    struct wire_bytes bytes;
    assert_int_equal(wire_hello_pack(w->builder, &hello, &bytes), 0);
    zone_send(w, &bytes);
    WAIT_FOR(w, w->greeted && zones_stats(w->zones).up == up + 1);
}

static void say(struct world *w, struct wire_zone_report report) {
    struct wire_bytes bytes;
    snprintf(report.partition, sizeof report.partition, "%s", zone_entries[w->index].name);
    report.lease_epoch = w->lease_epoch;
    report.seq = ++w->seq;
    assert_int_equal(wire_zone_report_pack(w->builder, &report, &bytes), 0);
    uint64_t before = zones_stats(w->zones).reports;
    zone_send(w, &bytes);
    WAIT_FOR(w, zones_stats(w->zones).reports > before);
}

static void claim(struct world *w) {
    w->lease_result = WIRE_LEASE_NONE;
    say(w, (struct wire_zone_report){.claims_lease = true});
    WAIT_FOR(w, w->lease_result != WIRE_LEASE_NONE);
    if (w->lease_result == WIRE_LEASE_HELD) w->lease_epoch = w->lease_told;
}

static void load(struct world *w, uint64_t player, uint64_t epoch) {
    struct wire_player_load one = {player, epoch};
    uint32_t before = w->loaded_count;
    say(w, (struct wire_zone_report){.loads = &one, .load_count = 1});
    WAIT_FOR(w, w->loaded_count > before);
}

static struct wire_player_state state_of(uint64_t player, uint64_t tick, uint64_t experience) {
    return (struct wire_player_state){
        .player = player, .session_epoch = EPOCH, .tick = tick, .experience = experience, .level = 1, .hit_points = 50};
}

/* --- the world */

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    char path[128], error[512];
    snprintf(w->run_dir, sizeof w->run_dir, "/tmp/march-zones-XXXXXX");
    assert_non_null(mkdtemp(w->run_dir));
    snprintf(path, sizeof path, "%s/ipc", w->run_dir);
    assert_int_equal(mkdir(path, 0700), 0);
    w->config = (struct config){.zones = zone_entries, .zones_count = 2, .persists = persist_entries, .persists_count = 1};
    w->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    assert_int_equal(flags_open(&w->flags, w->run_dir, "persist-0", error, sizeof error), 0);
    int64_t fence = pg_fixture_migrate(&fixture);
    pg_fixture_execute(&fixture, "delete from player_state");
    harness_open(&w->harness, &(struct pg_config){.name = "primary", .uri = fixture.uri, .connections = 2});
    snprintf(path, sizeof path, "%s/journal", w->run_dir);
    const struct journal_config journal = {
        .dir = path, .segment_bytes = JOURNAL_SEGMENT_BYTES_MIN, .bytes_max = 2 * JOURNAL_SEGMENT_BYTES_MIN};
    assert_int_equal(journal_open(&journal, &w->journal, error, sizeof error), 0);
    assert_int_equal(journal_recover(w->journal, 0, NULL, NULL, error, sizeof error), 0);
    assert_int_equal(grants_create(&(struct grants_config){.journal = w->journal, .apply = apply, .ctx = w}, &w->grants), 0);
    const struct motion_config motion = {
        .journal = w->journal, .pg = w->harness.pg, .epoch = fence, .players_max = 1024, .flush_ms = 60000, .hot_ms = 60000};
    assert_int_equal(motion_create(&motion, &w->motion), 0);
    const struct zones_config zones = {
        .config = &w->config,
        .run_dir = w->run_dir,
        .hello = {.name = "persist-0", .role = WIRE_ROLE_PERSIST, .incarnation = 5, .shard_count = 1},
        .pg = w->harness.pg,
        .fence = fence,
        .journal = w->journal,
        .motion = w->motion,
        .grants = w->grants,
        .flags = &w->flags,
        .ctx = w,
        .experience = on_experience};
    assert_int_equal(zones_open(&w->zones, w->harness.loop, &zones, error, sizeof error), 0);
    zone_dial(w);
    zone_greet(w, (uint64_t)time(NULL) << 20 | (uint64_t)getpid());
    claim(w);
    assert_int_equal(w->lease_result, WIRE_LEASE_HELD);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    char command[128];
    bus_edge_close(w->zone);
    pg_destroy(w->harness.pg);
    zones_close(w->zones);
    motion_destroy(w->motion);
    grants_destroy(w->grants);
    journal_close(w->journal);
    ev_loop_destroy(w->harness.loop);
    wire_builder_destroy(w->builder);
    snprintf(command, sizeof command, "rm -r '%s'", w->run_dir);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static int open_database(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    return 0;
}

static int close_database(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

/* --- tests */

static void test_zones_report_under_another_epoch_is_not_heard(void **state) {
    struct world *w = *state;
    struct wire_player_state one = state_of(PLAYER, 7, 20);
    w->lease_epoch--;
    w->lease_result = WIRE_LEASE_NONE;
    say(w, (struct wire_zone_report){.states = &one, .state_count = 1});
    WAIT_FOR(w, w->lease_result == WIRE_LEASE_STALE);
    assert_int_equal(w->lease_told, w->lease_epoch + 1);
    assert_int_equal(zones_stats(w->zones).reports_stale, 1);
    assert_null(motion_find(w->motion, PLAYER));
}

static void test_zones_players_are_new_then_known_as_reported(void **state) {
    struct world *w = *state;
    load(w, PLAYER, EPOCH);
    assert_int_equal(w->loaded[0].result, WIRE_LOAD_NEW);
    assert_int_equal(zones_stats(w->zones).players, 1);
    struct wire_player_state one = state_of(PLAYER, 7, 20);
    say(w, (struct wire_zone_report){.states = &one, .state_count = 1});
    assert_int_equal(w->experience, 20);
    load(w, PLAYER, EPOCH + 1);
    assert_int_equal(w->loaded[1].result, WIRE_LOAD_KNOWN);
    assert_true(w->loaded[1].state.experience == 20 && w->loaded[1].state.session_epoch == EPOCH + 1);
}

/* A player who leaves and joins in one report is loaded as it left. */
static void test_zones_states_are_taken_before_loads(void **state) {
    struct world *w = *state;
    load(w, PLAYER, EPOCH);
    struct wire_player_state last = state_of(PLAYER, 9, 60);
    struct wire_player_load again = {PLAYER, EPOCH + 1};
    last.flags = WIRE_STATE_LEFT;
    say(w, (struct wire_zone_report){.states = &last, .state_count = 1, .loads = &again, .load_count = 1});
    WAIT_FOR(w, w->loaded_count == 2);
    assert_true(w->loaded[1].state.experience == 60);
}

static void test_zones_reports_are_acknowledged_when_durable(void **state) {
    struct world *w = *state;
    load(w, PLAYER, EPOCH);
    WAIT_FOR(w, w->durable_seq == w->seq);
    uint64_t before = w->durable_seq;
    w->is_frozen = true;
    for (uint64_t tick = 1; tick <= 3; tick++) {
        struct wire_player_state one = state_of(PLAYER, tick, 20);
        say(w, (struct wire_zone_report){.states = &one, .state_count = 1});
    }
    for (int i = 0; i < 20; i++) {
        ev_run(w->harness.loop, EVRUN_NOWAIT);
        turn(w);
        usleep(1000);
    }
    assert_int_equal(w->durable_seq, before);
    w->is_frozen = false;
    WAIT_FOR(w, w->durable_seq == w->seq);
}

static void test_zones_states_of_an_older_session_are_told_back(void **state) {
    struct world *w = *state;
    load(w, PLAYER, EPOCH + 5);
    struct wire_player_state one = state_of(PLAYER, 7, 20);
    say(w, (struct wire_zone_report){.states = &one, .state_count = 1});
    WAIT_FOR(w, w->stale_count == 1);
    assert_true(w->stale[0].player == PLAYER && w->stale[0].session_epoch == EPOCH);
}

static void test_zones_loot_is_answered_when_durable_and_applied_once(void **state) {
    struct world *w = *state;
    struct wire_loot_grant grants[2] = {{.player = PLAYER, .key = 71, .gold = 5},
                                        {.player = PLAYER, .key = 72, .item_kind = ITEM_KIND_HERB, .item_count = 1}};
    w->is_frozen = true;
    say(w, (struct wire_zone_report){.grants = grants, .grant_count = 2});
    assert_int_equal(w->granted_count, 0);
    w->is_frozen = false;
    WAIT_FOR(w, w->granted_count == 2);
    assert_true(w->granted[0].key == 71 && w->granted[0].result == WIRE_GRANT_DURABLE);
    assert_int_equal(w->applied, 2);
}

static void test_zones_loot_is_refused_while_switched_off_and_of_nobody(void **state) {
    struct world *w = *state;
    struct wire_loot_grant grants[2] = {{.player = 0, .key = 71, .gold = 5}, {.player = PLAYER, .key = 72, .gold = 5}};
    struct wire_loot_grant too_much = {.player = PLAYER, .key = 70, .gold = UINT64_MAX};
    say(w, (struct wire_zone_report){.grants = &too_much, .grant_count = 1});
    WAIT_FOR(w, w->granted_count == 1);
    assert_int_equal(w->granted[0].result, WIRE_GRANT_REFUSED);
    w->granted_count = 0;
    say(w, (struct wire_zone_report){.grants = grants, .grant_count = 1});
    WAIT_FOR(w, w->granted_count == 1);
    assert_int_equal(w->granted[0].result, WIRE_GRANT_REFUSED);
    w->flags.is_on[FLAG_LOOT] = false;
    say(w, (struct wire_zone_report){.grants = grants + 1, .grant_count = 1});
    WAIT_FOR(w, w->granted_count == 2);
    assert_int_equal(w->granted[1].result, WIRE_GRANT_REFUSED);
    assert_int_equal(w->applied, 0);
}

static void test_zones_effects_go_where_the_player_is(void **state) {
    struct world *w = *state;
    uint16_t zone = 99;
    assert_false(zones_find(w->zones, PLAYER, &zone));
    zones_effect(w->zones, PLAYER, ITEM_EFFECT_HEAL, 50);
    assert_int_equal(zones_stats(w->zones).effects_lost, 1);
    load(w, PLAYER, EPOCH);
    zones_effect(w->zones, PLAYER, ITEM_EFFECT_HEAL, 50);
    WAIT_FOR(w, w->effect_count == 1);
    assert_true(w->effects[0].player == PLAYER && w->effects[0].amount == 50);
    assert_true(zones_find(w->zones, PLAYER, &zone) && zone == w->index);
    struct wire_player_state left = state_of(PLAYER, 7, 0);
    left.flags = WIRE_STATE_LEFT;
    say(w, (struct wire_zone_report){.states = &left, .state_count = 1});
    assert_int_equal(zones_stats(w->zones).players, 0);
    assert_false(zones_find(w->zones, PLAYER, &zone));
}

/* Until even a small record finds no room, however long one waits. */
static void fill_journal(struct world *w) {
    uint8_t filler[JOURNAL_RECORD_BYTES_MAX];
    uint64_t position;
    srand(1);
    for (size_t len = sizeof filler, refused = 0; len >= 16;) {
        for (size_t i = 0; i < len; i++) filler[i] = (uint8_t)rand(); /* so that nothing is compressed away */
        refused = journal_append(w->journal, 99, filler, len, &position) ? refused + 1 : 0;
        journal_update(w->journal, mono_now());
        if (refused > 0) usleep(1000);
        if (refused < 50) continue;
        refused = 0;
        len /= 4;
    }
}

static void test_zones_ask_for_everything_again_after_a_full_journal(void **state) {
    struct world *w = *state;
    load(w, PLAYER, EPOCH);
    uint64_t acknowledged = w->seq;
    WAIT_FOR(w, w->durable_seq == acknowledged);
    fill_journal(w);
    struct wire_player_state one = state_of(PLAYER, 7, 20);
    say(w, (struct wire_zone_report){.states = &one, .state_count = 1});
    assert_int_equal(zones_stats(w->zones).unacknowledged, 1);
    assert_int_equal(w->durable_seq, acknowledged);
    assert_int_equal(w->resends, 0);
    journal_release(w->journal, journal_durable(w->journal));
    WAIT_FOR(w, w->resends == 1);
    one.tick++;
    say(w, (struct wire_zone_report){.states = &one, .state_count = 1});
    WAIT_FOR(w, w->durable_seq == w->seq);
}

/* Has another zone speak from now on. */
static void speak_as(struct world *w, uint32_t index) {
    if (w->index != index) {
        struct bus_edge *edge = w->zone;
        uint64_t epoch = w->lease_epoch;
        w->zone = w->other;
        w->lease_epoch = w->other_epoch;
        w->index = index;
        w->other = edge;
        w->other_epoch = epoch;
    }
    if (w->zone) return;
    zone_dial(w);
    zone_greet(w, 77);
    claim(w);
}

/* A zone says of a player what it is told to, under an attachment. */
static void say_as(struct world *w, uint32_t index, struct wire_player_state state, uint32_t attachment) {
    speak_as(w, index);
    say(w, (struct wire_zone_report){.states = &state, .attachments = &attachment, .state_count = 1});
}

static void test_zones_player_is_where_the_newest_attachment_is(void **state) {
    struct world *w = *state;
    say_as(w, 0, state_of(PLAYER, 10, 1), 3);
    say_as(w, 1, state_of(PLAYER, 11, 2), 4); /* handed over */
    assert_int_equal(w->stale_count, 0);
    zones_effect(w->zones, PLAYER, 1, 50);
    WAIT_FOR(w, w->effect_count == 1);
    say_as(w, 0, state_of(PLAYER, 99, 7), 3); /* the old one's last, late */
    WAIT_FOR(w, w->stale_count == 2);         /* once for the one that has it, once for this */
    assert_true(w->stale[1].player == PLAYER && w->stale[1].session_epoch == EPOCH && w->stale_attachments[1] == 4);
    assert_int_equal(motion_find(w->motion, PLAYER)->experience, 2);
    assert_int_equal(zones_stats(w->zones).states_passed, 1);
    say_as(w, 0, state_of(PLAYER, 100, 8), 5); /* and back again */
    assert_int_equal(motion_find(w->motion, PLAYER)->experience, 8);
    zones_effect(w->zones, PLAYER, 1, 51);
    WAIT_FOR(w, w->effect_count == 2);
    bus_edge_close(w->other);
}

/* Who is link-dead stands still, so a zone that has it, too, has nothing to report of it. */
static void test_zones_former_zone_is_told_though_it_reports_nothing(void **state) {
    struct world *w = *state;
    say_as(w, 0, state_of(PLAYER, 10, 1), 3);
    say_as(w, 1, state_of(PLAYER, 11, 2), 4);
    speak_as(w, 0);
    WAIT_FOR(w, w->stale_count == 1);
    assert_true(w->stale[0].player == PLAYER && w->stale[0].session_epoch == EPOCH && w->stale_attachments[0] == 4);
    load(w, PLAYER, EPOCH + 1); /* it comes back under a newer session, and its place is this zone's by now */
    speak_as(w, 1);
    WAIT_FOR(w, w->stale_count == 2);
    assert_true(w->stale[1].player == PLAYER && w->stale[1].session_epoch == EPOCH + 1);
    bus_edge_close(w->other);
}

static void on_fenced(void *ctx, const struct wire_fence *fence, int error) {
    *(int *)ctx = fence->slot == 0 ? error : -1000;
}

static void test_zones_fenced_is_told_that_it_is_stale(void **state) {
    struct world *w = *state;
    int error = 1;
    const struct wire_fence nowhere = {.slot = 9, .incarnation = 1}, fence = {.incarnation = w->incarnation};
    assert_int_equal(zones_fence(w->zones, &nowhere, on_fenced, &error), MARCH_ERR_INVALID);
    assert_int_equal(zones_fence(w->zones, &fence, on_fenced, &error), 0);
    WAIT_FOR(w, error != 1);
    assert_int_equal(error, 0);
    w->lease_result = WIRE_LEASE_NONE;
    struct wire_player_state one = state_of(PLAYER, 10, 1);
    say(w, (struct wire_zone_report){.states = &one, .state_count = 1});
    WAIT_FOR(w, w->lease_result == WIRE_LEASE_STALE);
    assert_null(motion_find(w->motion, PLAYER));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_zones_report_under_another_epoch_is_not_heard),
        TEST(test_zones_players_are_new_then_known_as_reported),
        TEST(test_zones_states_are_taken_before_loads),
        TEST(test_zones_reports_are_acknowledged_when_durable),
        TEST(test_zones_states_of_an_older_session_are_told_back),
        TEST(test_zones_loot_is_answered_when_durable_and_applied_once),
        TEST(test_zones_loot_is_refused_while_switched_off_and_of_nobody),
        TEST(test_zones_effects_go_where_the_player_is),
        TEST(test_zones_ask_for_everything_again_after_a_full_journal),
        TEST(test_zones_player_is_where_the_newest_attachment_is),
        TEST(test_zones_former_zone_is_told_though_it_reports_nothing),
        TEST(test_zones_fenced_is_told_that_it_is_stale),
    };
    return cmocka_run_group_tests(tests, open_database, close_database);
}
