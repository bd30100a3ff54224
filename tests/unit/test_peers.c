/* test_peers.c: two shards over a real edge, each with a ledger of one fact: which transfers it sent and which it took.
 *
 * value.h is played by the test: commands are answered when it says so, and a shard may die between any two steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>
#include <sodium.h>
#include <unistd.h>

#include "common/config.h"
#include "common/shard.h"
#include "persist/peers.h"
#include "persist/value.h"

#define COMMANDS_MAX 64
#define PATIENCE_S   10

struct command {
    struct ledger_command command;
    value_done done;
    void *ctx;
};

/* The value of one shard: what it has promised to send, what it was sent, and commands that wait for their answer. */
struct value {
    bool has_transfer, is_busy;
    struct ledger_transfer transfer;
    uint32_t taken, accepted, refused; /* commands done: TRANSFER_IN that had an effect, TRANSFER_DONE */
    enum ledger_status verdict;        /* of the shard about what it is sent */
    bool has_verdict;                  /* given before: the same again */
    uint32_t command_count;
    struct command commands[COMMANDS_MAX];
};

struct shard {
    struct value value;
    struct peers *peers;
    uint64_t forgotten;
    uint64_t noticed_player;
    char notice[32];
};

struct world {
    char folder[64];
    struct config config;
    struct config_persist persists[2];
    struct ev_loop *loop;
    struct shard shards[2];
};

static struct world w;

/* --- value.h */

enum ledger_status value_submit(struct value *value, const struct ledger_command *command, value_done done, void *ctx) {
    if (value->is_busy) return LEDGER_BUSY;
    assert_true(value->command_count < COMMANDS_MAX);
    value->commands[value->command_count++] = (struct command){*command, done, ctx};
    return LEDGER_OK;
}

const struct ledger_transfer *value_transfer(struct value *value, uint64_t transfer) {
    return value->has_transfer && value->transfer.id == transfer ? &value->transfer : NULL;
}

void value_each_transfer(struct value *value, void (*visit)(void *ctx, const struct ledger_transfer *transfer), void *ctx) {
    if (value->has_transfer) visit(ctx, &value->transfer);
}

bool value_is_started(const struct value *value) {
    (void)value;
    return true;
}

/* Does and answers what waits. */
static void commit(struct shard *shard) {
    struct value *value = &shard->value;
    for (uint32_t i = 0; i < value->command_count; i++) {
        struct command *c = &value->commands[i];
        struct ledger_result result = {.status = value->verdict};
        if (c->command.verb == LEDGER_TRANSFER_IN) {
            value->taken += value->verdict == LEDGER_OK && !value->has_verdict;
            value->has_verdict = true;
        } else {
            assert_int_equal(c->command.verb, LEDGER_TRANSFER_DONE);
            bool is_known = value_transfer(value, c->command.object) != NULL;
            result.status = is_known ? LEDGER_OK : LEDGER_NOT_FOUND;
            value->accepted += is_known && c->command.accepted;
            value->refused += is_known && !c->command.accepted;
            value->has_transfer = false;
            if (is_known) peers_closed(shard->peers, c->command.object);
        }
        c->done(c->ctx, &result);
    }
    value->command_count = 0;
}

/* --- the world */

static void message(void *ctx, uint64_t player, const uint8_t *bytes, size_t len) {
    struct shard *shard = ctx;
    assert_true(len < sizeof shard->notice);
    shard->noticed_player = player;
    memcpy(shard->notice, bytes, len);
}

static void forget(void *ctx, uint64_t transfer) {
    struct shard *shard = ctx;
    shard->forgotten = transfer;
}

static void open_shard(uint32_t index) {
    static uint64_t incarnation = 1;
    struct shard *shard = &w.shards[index];
    char error[256];
    struct peers_config config = {.config = &w.config,
                                  .shard_index = index,
                                  .run_dir = w.folder,
                                  .hello = {.role = WIRE_ROLE_PERSIST, .index = index, .shard_count = 2},
                                  .value = &shard->value,
                                  .ctx = shard,
                                  .message = message,
                                  .forget = forget};
    config.hello.incarnation = incarnation++;
    snprintf(config.hello.name, sizeof config.hello.name, "%s", w.persists[index].name);
    if (peers_open(&shard->peers, w.loop, &config, error, sizeof error)) fail_msg("%s", error);
    peers_started(shard->peers);
}

/* The process dies: its commands get no answer, its rows stay. */
static void kill_shard(uint32_t index) {
    peers_close(w.shards[index].peers);
    w.shards[index].peers = NULL;
    w.shards[index].value.command_count = 0;
}

static int setup(void **state) {
    (void)state;
    memset(&w, 0, sizeof w);
    snprintf(w.folder, sizeof w.folder, "/tmp/test_peers.XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    char path[128];
    snprintf(path, sizeof path, "mkdir -p %s/ipc", w.folder);
    assert_int_equal(system(path), 0);
    w.config = (struct config){.persists = w.persists, .persists_count = 2, .bus.queue_bytes_max = 1 << 20};
    snprintf(w.persists[0].name, sizeof w.persists[0].name, "persist-0");
    snprintf(w.persists[1].name, sizeof w.persists[1].name, "persist-1");
    w.loop = ev_loop_new(EVFLAG_AUTO);
    for (uint32_t i = 0; i < 2; i++) open_shard(i);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 2; i++) peers_close(w.shards[i].peers);
    ev_loop_destroy(w.loop);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", w.folder);
    return system(command);
}

#define WAIT_FOR(condition)                                                                                                 \
    do {                                                                                                                    \
        ev_tstamp start = ev_time();                                                                                        \
        while (!(condition)) {                                                                                              \
            if (ev_time() - start > PATIENCE_S) fail_msg("waited in vain: %s", #condition);                                 \
            ev_run(w.loop, EVRUN_ONCE);                                                                                     \
        }                                                                                                                   \
    } while (0)

/* A bid of player 3 in an auction of shard 1, or gold for player 3 who is at home there. */
static uint64_t begin_transfer(enum ledger_purpose purpose) {
    struct shard *source = &w.shards[0];
    bool credit = purpose == LEDGER_PURPOSE_CREDIT;
    source->value.transfer = (struct ledger_transfer){.id = shard_id(0, 5),
                                                      .player = credit ? 0 : 3,
                                                      .other = credit ? 3 : 0,
                                                      .gold = 10,
                                                      .dest_shard = 1,
                                                      .purpose = purpose};
    source->value.has_transfer = true;
    peers_created(source->peers, &source->value.transfer);
    return source->value.transfer.id;
}

static void wait_both_up(void) {
    WAIT_FOR(peers_stats(w.shards[0].peers).up == 1 && peers_stats(w.shards[1].peers).up == 1);
}

/* --- tests */

static void test_peers_accepted_transfer_is_done_once_and_forgotten(void **state) {
    (void)state;
    wait_both_up();
    uint64_t id = begin_transfer(LEDGER_PURPOSE_CREDIT);
    WAIT_FOR(w.shards[1].value.command_count == 1);
    const struct ledger_command *in = &w.shards[1].value.commands[0].command;
    assert_int_equal(in->domain, LEDGER_DOMAIN_TRANSFER);
    assert_int_equal(in->key, id);
    assert_int_equal(in->player, 3);
    assert_int_equal(in->transfer.gold, 10);
    commit(&w.shards[1]);
    WAIT_FOR(w.shards[0].value.command_count == 1);
    commit(&w.shards[0]);
    WAIT_FOR(w.shards[1].forgotten == id);
    assert_int_equal(w.shards[0].value.accepted, 1);
    assert_int_equal(w.shards[1].value.taken, 1);
    assert_int_equal(peers_stats(w.shards[0].peers).outstanding, 0);
}

static void test_peers_refused_transfer_is_given_back(void **state) {
    (void)state;
    w.shards[1].value.verdict = LEDGER_NO_ROOM;
    begin_transfer(LEDGER_PURPOSE_AUCTION_BID);
    WAIT_FOR(w.shards[1].value.command_count == 1);
    commit(&w.shards[1]);
    WAIT_FOR(w.shards[0].value.command_count == 1);
    assert_int_equal(w.shards[0].value.commands[0].command.player, 3);
    commit(&w.shards[0]);
    assert_int_equal(w.shards[0].value.refused, 1);
    assert_int_equal(w.shards[1].value.taken, 0);
}

/* There is nobody at the source to give it back to. */
static void test_peers_credit_without_room_is_offered_again(void **state) {
    (void)state;
    w.shards[1].value.verdict = LEDGER_NO_ROOM;
    begin_transfer(LEDGER_PURPOSE_CREDIT);
    WAIT_FOR(w.shards[1].value.command_count == 1);
    commit(&w.shards[1]);
    w.shards[1].value.has_verdict = false;
    w.shards[1].value.verdict = LEDGER_OK;
    WAIT_FOR(w.shards[1].value.command_count == 1);
    assert_int_equal(peers_stats(w.shards[0].peers).answers_received, 0);
    commit(&w.shards[1]);
    WAIT_FOR(w.shards[0].value.command_count >= 1);
    commit(&w.shards[0]);
    assert_int_equal(w.shards[0].value.accepted, 1);
}

static void test_peers_undecided_offer_comes_again(void **state) {
    (void)state;
    w.shards[1].value.verdict = LEDGER_UNAVAILABLE;
    w.shards[1].value.is_busy = true;
    begin_transfer(LEDGER_PURPOSE_AUCTION_BID);
    WAIT_FOR(peers_stats(w.shards[1].peers).offers_received == 1);
    w.shards[1].value.is_busy = false;
    WAIT_FOR(w.shards[1].value.command_count == 1);
    commit(&w.shards[1]); /* unavailable: no answer */
    w.shards[1].value.has_verdict = false;
    w.shards[1].value.verdict = LEDGER_OK;
    WAIT_FOR(w.shards[1].value.command_count == 1);
    assert_int_equal(peers_stats(w.shards[0].peers).answers_received, 0);
    commit(&w.shards[1]);
    WAIT_FOR(w.shards[0].value.command_count >= 1);
    commit(&w.shards[0]);
    assert_int_equal(w.shards[0].value.accepted, 1);
}

/* Either side dies at each step; whatever was stored stays, and the transfer ends once. */
static void test_peers_deaths_at_each_step_end_the_transfer_once(void **state) {
    (void)state;
    for (unsigned step = 0; step < 4; step++) {
        for (uint32_t victim = 0; victim < 2; victim++) {
            memset(&w.shards[0].value, 0, sizeof w.shards[0].value);
            memset(&w.shards[1].value, 0, sizeof w.shards[1].value);
            wait_both_up();
            begin_transfer(LEDGER_PURPOSE_AUCTION_BID);
            if (step >= 1) WAIT_FOR(w.shards[1].value.command_count > 0);
            if (step >= 2) commit(&w.shards[1]);
            if (step >= 3) WAIT_FOR(w.shards[0].value.command_count > 0);
            kill_shard(victim);
            open_shard(victim);
            while (w.shards[0].value.has_transfer) {
                WAIT_FOR(w.shards[0].value.command_count + w.shards[1].value.command_count > 0);
                commit(&w.shards[1]);
                commit(&w.shards[0]);
            }
            assert_int_equal(w.shards[1].value.taken, 1);
            assert_int_equal(w.shards[0].value.accepted, 1);
        }
    }
}

static void test_peers_offer_that_is_not_the_peers_is_refused(void **state) {
    (void)state;
    wait_both_up();
    struct value *value = &w.shards[0].value;
    value->transfer = (struct ledger_transfer){
        .id = shard_id(1, 5), .player = 3, .gold = 10, .dest_shard = 1, .purpose = LEDGER_PURPOSE_CREDIT};
    value->has_transfer = true;
    peers_created(w.shards[0].peers, &value->transfer);
    WAIT_FOR(peers_stats(w.shards[1].peers).bad == 1);
    assert_int_equal(w.shards[1].value.command_count, 0);
}

static void test_peers_notice_reaches_the_players_shard(void **state) {
    (void)state;
    uint64_t player = 1;
    while (shard_of_player(player, 2) != 1) player++;
    peers_notice(w.shards[0].peers, player, (const uint8_t *)"early", 5);
    assert_int_equal(peers_stats(w.shards[0].peers).notices_dropped, 1); /* not connected yet */
    wait_both_up();
    peers_notice(w.shards[0].peers, player, (const uint8_t *)"hello", 5);
    WAIT_FOR(w.shards[1].noticed_player == player);
    assert_string_equal(w.shards[1].notice, "hello");
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_peers_accepted_transfer_is_done_once_and_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peers_refused_transfer_is_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peers_credit_without_room_is_offered_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peers_undecided_offer_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peers_deaths_at_each_step_end_the_transfer_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peers_offer_that_is_not_the_peers_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peers_notice_reaches_the_players_shard, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
