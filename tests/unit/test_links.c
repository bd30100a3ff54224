/* test_links.c: what the matchmaker's edges do for matches, with zones, gateways and persists that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#include "matchmaker/links.h"
#include "matchmaker/tells.h"
#include "tests/unit/fake_peer.h"

#define WAIT_MS 20000
#define PLAYER  7

static const char TEXT[] =
    "cluster: {protocol_id: 1}\n"
    "gateways: [{name: gateway-0, listen: [\"127.0.0.1:0\"]}, {name: gateway-1, listen: [\"127.0.0.1:0\"]}]\n"
    "zones: [{name: zone-0, rect: {x_m: 0, y_m: 0, width_m: 512, height_m: 512}}, {name: zone-1}]\n"
    "persists: [{name: persist-0}, {name: persist-1}]\n"
    "matchmaker: {name: matchmaker-0, reconnect_ms: 300, silence_ms: 5000}\n";

struct fixture {
    char run_dir[64];
    struct config *config;
    struct ev_loop *loop;
    struct atlas atlas;
    struct links *links;
    struct fake_peer zones[2], gateways[2], persists[2];
    /* what the handlers were told */
    unsigned zone_ups[2], zone_losses[2], persist_ups[2], persist_losses[2], reports, tolds, asks;
    uint64_t incarnation; /* of the zone that came up last */
    uint32_t from;        /* who said the newest */
    uint64_t durable_seq, asker;
    struct wire_presence presence;
    struct wire_client_message asked;
};

static void zone_up(void *context, uint32_t slot, uint64_t incarnation, struct mono now) {
    (void)now;
    struct fixture *f = context;
    f->zone_ups[slot]++;
    f->incarnation = incarnation;
}

static void zone_lost(void *context, uint32_t slot, struct mono now) {
    (void)now;
    ((struct fixture *)context)->zone_losses[slot]++;
}

static void persist_up(void *context, uint32_t shard, struct mono now) {
    (void)now;
    ((struct fixture *)context)->persist_ups[shard]++;
}

static void persist_lost(void *context, uint32_t shard, struct mono now) {
    (void)now;
    ((struct fixture *)context)->persist_losses[shard]++;
}

static void asks(void *context, uint32_t gateway, const struct wire_gateway_asks *asks, struct mono now) {
    (void)now;
    struct fixture *f = context;
    f->from = gateway;
    for (uint32_t i = 0; i < asks->ask_count; i++) {
        f->asks++;
        f->asker = asks->asks[i].player;
        assert_int_equal(wire_client_message_read(asks->blob + asks->asks[i].offset, asks->asks[i].len, &f->asked), 0);
    }
}

static void report(void *context, uint32_t slot, const struct wire_instance_report *report, struct mono now) {
    (void)now;
    struct fixture *f = context;
    f->reports++;
    f->from = slot;
    f->presence = report->players[0];
}

static void told(void *context, uint32_t shard, const struct wire_match_told *told, struct mono now) {
    (void)now;
    struct fixture *f = context;
    f->tolds++;
    f->from = shard;
    f->durable_seq = told->durable_seq;
}

static void open_links(struct fixture *f, bool has_handlers) {
    char error[512];
    struct links_config config = {.config = f->config,
                                  .run_dir = f->run_dir,
                                  .hello = {.name = "matchmaker-0", .role = WIRE_ROLE_MATCHMAKER, .incarnation = 9},
                                  .atlas = &f->atlas};
    if (has_handlers) {
        config.handlers = (struct links_handlers){.context = f,
                                                  .zone_up = zone_up,
                                                  .zone_lost = zone_lost,
                                                  .persist_up = persist_up,
                                                  .persist_lost = persist_lost,
                                                  .asks = asks,
                                                  .report = report,
                                                  .told = told};
    }
    if (links_open(&f->links, f->loop, &config, error, sizeof error) != 0) fail_msg("%s", error);
}

static void turn(struct fixture *f) {
    links_update(f->links, mono_now());
    atlas_step(&f->atlas, mono_now(), wall_now_ns() / NS_PER_MS);
    links_flush(f->links, mono_now());
    for (int i = 0; i < 2; i++) {
        fake_peer_update(&f->zones[i]);
        fake_peer_update(&f->gateways[i]);
        fake_peer_update(&f->persists[i]);
    }
    poll(NULL, 0, 1);
}

#define until(f, condition)                                                                                                 \
    do {                                                                                                                    \
        struct mono deadline_ = mono_add_ms(mono_now(), WAIT_MS);                                                           \
        while (!(condition)) {                                                                                              \
            turn(f);                                                                                                        \
            if (mono_reached(mono_now(), deadline_)) fail_msg("%s: not in time", #condition);                               \
        }                                                                                                                   \
    } while (0)

static bool all_up(const struct fixture *f) {
    struct links_stats stats = links_stats_get(f->links);
    bool is_so = stats.zones_up == 2 && stats.gateways_up == 2 && stats.persists_up == 2;
    for (int i = 0; i < 2; i++) {
        is_so = is_so && f->zones[i].link.state == LINK_UP && f->gateways[i].link.state == LINK_UP &&
                f->persists[i].link.state == LINK_UP;
    }
    return is_so;
}

static int setup_with(void **state, bool has_handlers) {
    struct fixture *f = calloc(1, sizeof *f);
    char error[CONFIG_ERROR_SIZE], path[80];
    *state = f;
    snprintf(f->run_dir, sizeof f->run_dir, "/tmp/march-links-XXXXXX");
    if (!mkdtemp(f->run_dir)) return -1;
    snprintf(path, sizeof path, "%s/ipc", f->run_dir);
    mkdir(path, 0700);
    if (config_parse("test.yaml", TEXT, strlen(TEXT), &f->config, error, sizeof error) != 0) fail_msg("%s", error);
    struct atlas_config atlas = {
        .worker_count = 2, .gateway_count = 2, .shard_count = 2, .reconnect_ms = 300, .silence_ms = 5000, .tick_us = 16666};
    directory_initial(&atlas.initial, f->config);
    atlas_init(&f->atlas, &atlas, mono_now());
    f->loop = ev_loop_new(EVFLAG_NOENV);
    open_links(f, has_handlers);
    for (uint32_t i = 0; i < 2; i++) {
        fake_peer_open(&f->zones[i], f->config, f->run_dir, WIRE_ROLE_ZONE, i, 100 + i);
        fake_peer_open(&f->gateways[i], f->config, f->run_dir, WIRE_ROLE_GATEWAY, i, 200 + i);
        fake_peer_open(&f->persists[i], f->config, f->run_dir, WIRE_ROLE_PERSIST, i, 300 + i);
    }
    until(f, all_up(f));
    return 0;
}

static int setup(void **state) {
    return setup_with(state, true);
}

static int setup_without_handlers(void **state) {
    return setup_with(state, false);
}

static int forget(const char *path, const struct stat *stat, int flag, struct FTW *ftw) {
    (void)stat, (void)flag, (void)ftw;
    return remove(path);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        fake_peer_close(&f->zones[i]);
        fake_peer_close(&f->gateways[i]);
        fake_peer_close(&f->persists[i]);
    }
    links_close(f->links);
    ev_loop_destroy(f->loop);
    config_free(f->config);
    nftw(f->run_dir, forget, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* --- what comes */

static void ask_by(struct fake_peer *gateway, uint64_t player) {
    struct wire_client_message message = {.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel"}};
    struct wire_bytes bytes;
    uint8_t blob[WIRE_CLIENT_BYTES_MAX];
    CHECK(wire_client_message_pack(gateway->builder, &message, &bytes) == 0);
    memcpy(blob, bytes.data, bytes.len);
    struct wire_player_ask ask = {.session = 1, .player = player, .session_epoch = 2, .len = (uint32_t)bytes.len};
    struct wire_gateway_asks asks = {.asks = &ask, .ask_count = 1, .blob = blob, .blob_len = ask.len};
    CHECK(wire_gateway_asks_pack(gateway->builder, &asks, &bytes) == 0);
    fake_peer_send(gateway, bytes);
}

static void report_by(struct fake_peer *zone, uint64_t player) {
    struct wire_presence presence = {.player = player, .instance = 3, .team = 1};
    struct wire_bytes bytes;
    CHECK(wire_instance_report_pack(zone->builder, &(struct wire_instance_report){.players = &presence, .player_count = 1},
                                    &bytes) == 0);
    fake_peer_send(zone, bytes);
}

static void tell_by(struct fake_peer *persist, uint64_t seq) {
    struct wire_bytes bytes;
    CHECK(wire_match_told_pack(persist->builder, &(struct wire_match_told){.durable_seq = seq}, &bytes) == 0);
    fake_peer_send(persist, bytes);
}

static void test_links_peers_that_come_and_go_are_told(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) assert_true(f->zone_ups[i] == 1 && f->persist_ups[i] == 1);
    fake_peer_close(&f->zones[1]);
    fake_peer_close(&f->persists[0]);
    until(f, f->zone_losses[1] == 1 && f->persist_losses[0] == 1);
    fake_peer_open(&f->zones[1], f->config, f->run_dir, WIRE_ROLE_ZONE, 1, 555);
    fake_peer_open(&f->persists[0], f->config, f->run_dir, WIRE_ROLE_PERSIST, 0, 556);
    until(f, f->zone_ups[1] == 2 && f->persist_ups[0] == 2);
    assert_int_equal(f->incarnation, 555);
    assert_true(f->zone_losses[0] == 0 && f->persist_losses[1] == 0);
}

static void test_links_what_peers_say_of_matches_comes_to_the_handlers(void **state) {
    struct fixture *f = *state;
    ask_by(&f->gateways[1], PLAYER);
    until(f, f->asks == 1);
    assert_true(f->from == 1 && f->asker == PLAYER && f->asked.kind == WIRE_CLIENT_ENTER);
    report_by(&f->zones[0], PLAYER);
    until(f, f->reports == 1);
    assert_true(f->from == 0 && f->presence.player == PLAYER && f->presence.instance == 3);
    tell_by(&f->persists[1], 42);
    until(f, f->tolds == 1);
    assert_true(f->from == 1 && f->durable_seq == 42);
    struct links_stats stats = links_stats_get(f->links);
    assert_int_equal(stats.bad, 0);
}

static void test_links_without_handlers_takes_it_all_the_same(void **state) {
    struct fixture *f = *state;
    uint64_t before = links_stats_get(f->links).received;
    ask_by(&f->gateways[0], PLAYER);
    report_by(&f->zones[0], PLAYER);
    tell_by(&f->persists[0], 1);
    until(f, links_stats_get(f->links).received >= before + 3);
    fake_peer_close(&f->zones[0]);
    fake_peer_close(&f->persists[0]);
    until(f, !links_zone_is_up(f->links, 0) && !links_persist_is_up(f->links, 0));
    assert_int_equal(links_stats_get(f->links).bad, 0);
}

static void test_links_peer_may_say_only_its_own(void **state) {
    struct fixture *f = *state;
    report_by(&f->gateways[0], PLAYER);
    ask_by(&f->zones[0], PLAYER);
    tell_by(&f->zones[1], 1);
    until(f, links_stats_get(f->links).bad == 3);
    assert_true(f->asks == 0 && f->reports == 0 && f->tolds == 0);
}

/* --- what goes */

static const struct wire_server_message matched = {.kind = WIRE_SERVER_TICKET,
                                                   .ticket = {.ticket = 9, .state = WIRE_TICKET_MATCHED, .instance = 3}};

static void test_links_player_is_told_where_it_asked_last(void **state) {
    struct fixture *f = *state;
    ask_by(&f->gateways[1], PLAYER);
    until(f, f->asks == 1);
    links_tell(f->links, PLAYER, &matched);
    until(f, f->gateways[1].tells == 1);
    assert_true(f->gateways[1].told_player == PLAYER && f->gateways[1].told.ticket.instance == 3);
    ask_by(&f->gateways[0], PLAYER);
    until(f, f->asks == 2);
    links_tell(f->links, PLAYER, &matched);
    links_tell(f->links, PLAYER + 1, &matched); /* that one goes to both, behind what went before */
    until(f, f->gateways[0].told_player == PLAYER + 1 && f->gateways[1].told_player == PLAYER + 1);
    assert_int_equal(f->gateways[0].tells, 2);
    assert_int_equal(f->gateways[1].tells, 2);
}

static void test_links_what_waited_for_a_gateway_that_is_lost_is_not_told_later(void **state) {
    struct fixture *f = *state;
    links_tell(f->links, PLAYER, &matched);
    fake_peer_close(&f->gateways[0]);
    for (int i = 0; i < WAIT_MS && links_gateway_is_up(f->links, 0); i++) {
        links_update(f->links, mono_now());
        poll(NULL, 0, 1);
    }
    fake_peer_open(&f->gateways[0], f->config, f->run_dir, WIRE_ROLE_GATEWAY, 0, 222);
    until(f, all_up(f));
    links_tell(f->links, PLAYER + 1, &matched);
    until(f, f->gateways[0].told_player == PLAYER + 1);
    assert_int_equal(f->gateways[0].tells, 1);
}

static void test_links_player_not_heard_or_of_a_gateway_away_is_told_by_all(void **state) {
    struct fixture *f = *state;
    links_tell(f->links, PLAYER, &matched);
    until(f, f->gateways[0].tells == 1 && f->gateways[1].tells == 1);
    ask_by(&f->gateways[1], PLAYER);
    until(f, f->asks == 1);
    fake_peer_close(&f->gateways[1]);
    until(f, !links_gateway_is_up(f->links, 1));
    links_tell(f->links, PLAYER, &matched);
    until(f, f->gateways[0].tells == 2);
    assert_int_equal(links_stats_get(f->links).tells_lost, 0);
    fake_peer_close(&f->gateways[0]);
    until(f, !links_gateway_is_up(f->links, 0));
    links_tell(f->links, PLAYER, &matched);
    struct links_stats stats = links_stats_get(f->links);
    assert_true(stats.tells == 3 && stats.tells_lost == 1);
}

static void test_links_more_than_a_batch_is_told_in_order(void **state) {
    struct fixture *f = *state;
    struct wire_server_message message = matched;
    ask_by(&f->gateways[0], PLAYER);
    until(f, f->asks == 1);
    for (unsigned i = 0; i < TELLS_MAX + 5; i++) {
        message.ticket.ticket = i;
        links_tell(f->links, PLAYER, &message);
    }
    until(f, f->gateways[0].tells == TELLS_MAX + 5);
    assert_int_equal(f->gateways[0].told.ticket.ticket, TELLS_MAX + 4);
    assert_int_equal(links_stats_get(f->links).tells_lost, 0);
}

static void test_links_orders_and_asks_go_to_the_one_they_are_for(void **state) {
    struct fixture *f = *state;
    struct wire_travel travel = {.player = PLAYER, .instance = 3};
    struct wire_instance_orders orders = {.travels = &travel, .travel_count = 1};
    assert_int_equal(links_order(f->links, 1, &orders), 0);
    assert_int_equal(links_ask(f->links, 1, &(struct wire_match_ask){.seq = 5}), 0);
    until(f, f->zones[1].orders == 1 && f->persists[1].asks == 1);
    assert_true(f->zones[1].travel.player == PLAYER && f->persists[1].asked_seq == 5);
    assert_true(f->zones[0].orders == 0 && f->persists[0].asks == 0);
    fake_peer_close(&f->zones[1]);
    until(f, !links_zone_is_up(f->links, 1));
    assert_int_equal(links_order(f->links, 1, &orders), MARCH_ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_links_peers_that_come_and_go_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_what_peers_say_of_matches_comes_to_the_handlers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_without_handlers_takes_it_all_the_same, setup_without_handlers, teardown),
        cmocka_unit_test_setup_teardown(test_links_peer_may_say_only_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_player_is_told_where_it_asked_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_what_waited_for_a_gateway_that_is_lost_is_not_told_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_links_player_not_heard_or_of_a_gateway_away_is_told_by_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_more_than_a_batch_is_told_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_orders_and_asks_go_to_the_one_they_are_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
