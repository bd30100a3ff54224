/* test_peers_value.c: two shards with real ledgers over two real databases, joined by a real edge. Players of the one trade
 * with players of the other while a process or a database dies at each step; whatever dies, each trade ends once.
 *
 * A process that dies is one that is let go of without a word, its transaction under way left to itself, and is opened
 * again; a database dies by SIGKILL. Clients repeat what was not answered, under the same key, as they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>
#include <sodium.h>

#include "common/config.h"
#include "common/item_kinds.h"
#include "common/shard.h"
#include "persist/migrate.h"
#include "persist/peers.h"
#include "tests/unit/value_harness.h"

enum { SHARDS = 2, GIVEN_GEMS = 2, GIVEN_GOLD = 3, WANTED_HERBS = 4, WANTED_GOLD = 7, LOOT = 10 };

/* What has been seen to happen on a shard since its process began. */
struct seen {
    uint32_t created, closed; /* transfers */
    uint32_t changed;         /* accounts */
    uint32_t done, failed;    /* notices of trades */
};

struct shard {
    struct pg_fixture database;
    struct pg *pg;
    struct value *value;
    struct peers *peers;
    struct seen seen;
};

static struct {
    struct ev_loop *loop;
    char folder[64];
    struct config config;
    struct config_persist persists[SHARDS];
    struct shard shards[SHARDS];
    uint64_t next_player, next_key;
} w;

#define UNTIL(condition) harness_until(&w, condition)

/* --- shards */

static void changed(void *ctx, const struct value_change *change) {
    (void)change;
    ((struct shard *)ctx)->seen.changed++;
}

static void notice(void *ctx, const struct ledger_notice *notice) {
    struct shard *shard = ctx;
    shard->seen.done += notice->type == LEDGER_NOTICE_TRADE_DONE;
    shard->seen.failed += notice->type == LEDGER_NOTICE_TRADE_FAILED;
}

static void created(void *ctx, const struct ledger_transfer *transfer) {
    struct shard *shard = ctx;
    shard->seen.created++;
    peers_created(shard->peers, transfer);
}

static void closed(void *ctx, uint64_t transfer) {
    struct shard *shard = ctx;
    shard->seen.closed++;
    peers_closed(shard->peers, transfer);
}

static void started(void *ctx) {
    peers_started(((struct shard *)ctx)->peers);
}

static void message(void *ctx, uint64_t player, const uint8_t *bytes, size_t len) {
    (void)ctx, (void)player, (void)bytes, (void)len;
}

static void forget(void *ctx, uint64_t transfer) {
    (void)ctx, (void)transfer;
}

static void open_shard(uint32_t index) {
    static uint64_t incarnation;
    incarnation++;
    struct shard *shard = &w.shards[index];
    struct shard_state state;
    char error[256];
    if (shard_open(shard->database.uri, index, SHARDS, HARNESS_PATIENCE_MS, &state, error, sizeof error))
        fail_msg("%s", error);
    const struct pg_config pg = {
        .name = "value", .uri = shard->database.uri, .connections = 1, .seed = index, .connect_ms = 1000};
    assert_int_equal(pg_create(w.loop, &pg, &shard->pg), 0);
    const struct value_config value = {
        .shard_index = index, .shard_count = SHARDS, .epoch = (uint64_t)state.epoch, .deadline_ms = 1000};
    const struct value_hooks hooks = {.ctx = shard,
                                      .changed = changed,
                                      .notice = notice,
                                      .transfer_created = created,
                                      .transfer_closed = closed,
                                      .started = started};
    shard->value = value_create(w.loop, shard->pg, &value, &hooks);
    struct peers_config peers = {
        .config = &w.config,
        .shard_index = index,
        .run_dir = w.folder,
        .hello = {.role = WIRE_ROLE_PERSIST, .index = index, .shard_count = SHARDS, .incarnation = incarnation},
        .value = shard->value,
        .ctx = shard,
        .message = message,
        .forget = forget};
    snprintf(peers.hello.name, sizeof peers.hello.name, "%s", w.persists[index].name);
    if (peers_open(&shard->peers, w.loop, &peers, error, sizeof error)) fail_msg("%s", error);
    shard->seen = (struct seen){0};
}

static void kill_shard(uint32_t index) {
    struct shard *shard = &w.shards[index];
    value_destroy(shard->value);
    peers_close(shard->peers);
    pg_destroy(shard->pg);
}

static int setup(void **state) {
    (void)state;
    snprintf(w.folder, sizeof w.folder, "/tmp/test_peers_value.XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    char command[128];
    snprintf(command, sizeof command, "mkdir -p %s/ipc", w.folder);
    assert_int_equal(system(command), 0);
    w.config = (struct config){.persists = w.persists, .persists_count = SHARDS, .bus.queue_bytes_max = 1 << 20};
    w.loop = ev_loop_new(EVFLAG_AUTO);
    w.next_player = w.next_key = 1;
    for (uint32_t i = 0; i < SHARDS; i++) snprintf(w.persists[i].name, sizeof w.persists[i].name, "persist-%u", i);
    for (uint32_t i = 0; i < SHARDS; i++) {
        pg_fixture_open(&w.shards[i].database, NULL);
        open_shard(i);
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    for (uint32_t i = 0; i < SHARDS; i++) kill_shard(i);
    ev_loop_destroy(w.loop);
    for (uint32_t i = 0; i < SHARDS; i++) pg_fixture_close(&w.shards[i].database);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", w.folder);
    return system(command);
}

/* --- players */

static uint64_t new_player(uint32_t shard) {
    while (shard_of_player(w.next_player, SHARDS) != shard) w.next_player++;
    return w.next_player++;
}

static void submit(const struct ledger_command *command, struct value_answer *answer) {
    struct shard *shard = &w.shards[shard_of_player(command->player, SHARDS)];
    *answer = (struct value_answer){0};
    enum ledger_status status = value_submit(shard->value, command, value_harness_keep, answer);
    if (status != LEDGER_OK) *answer = (struct value_answer){.done = true, .result = {.status = status}};
}

static bool is_definite(const struct value_answer *answer) {
    return answer->done && answer->result.status != LEDGER_UNAVAILABLE && answer->result.status != LEDGER_BUSY;
}

/* Does a command under a key, again and again until the answer holds. */
static struct ledger_result insist(struct ledger_command command) {
    struct value_answer answer = {0};
    if (command.domain == LEDGER_DOMAIN_NONE) command.domain = LEDGER_DOMAIN_CLIENT;
    if (command.key == 0) command.key = w.next_key++;
    while (!is_definite(&answer)) {
        struct shard *shard = &w.shards[shard_of_player(command.player, SHARDS)];
        UNTIL(value_is_started(shard->value) && pg_is_available(shard->pg));
        submit(&command, &answer);
        UNTIL(answer.done);
    }
    return answer.result;
}

static uint64_t loot(uint64_t player, uint32_t kind) {
    struct ledger_result result = insist((struct ledger_command){
        .verb = LEDGER_GRANT, .domain = LEDGER_DOMAIN_LOOT, .player = player, .kind = kind, .count = LOOT, .gold = LOOT});
    assert_int_equal(result.status, LEDGER_OK);
    return result.object;
}

static int64_t number(uint32_t shard, const char *format, uint64_t player, uint32_t kind) {
    char sql[256];
    snprintf(sql, sizeof sql, format, player, kind);
    return pg_fixture_number(&w.shards[shard].database, sql);
}

static void assert_has(uint32_t shard, uint64_t player, int64_t gold, int64_t gems, int64_t herbs) {
    const char *count =
        "select coalesce(sum(count), 0)::bigint from items where owner_kind = 1 and owner = %lu and kind = %u";
    assert_int_equal(number(shard, "select gold from accounts where owner_kind = 1 and owner = %lu and %u = 0", player, 0),
                     gold);
    assert_int_equal(number(shard, count, player, ITEM_KIND_GEM), gems);
    assert_int_equal(number(shard, count, player, ITEM_KIND_HERB), herbs);
}

static bool is_at_rest(const struct shard *shard) {
    return value_is_started(shard->value) && value_stats(shard->value)->resident_transfers == 0 &&
           peers_stats(shard->peers).outstanding == 0;
}

/* Nothing is on its way, each shard's books are right, and what left one has come to the other. */
static void assert_at_rest(void) {
    int64_t abroad = 0;
    UNTIL(is_at_rest(&w.shards[0]) && is_at_rest(&w.shards[1]));
    for (uint32_t i = 0; i < SHARDS; i++) {
        const struct pg_fixture *database = &w.shards[i].database;
        assert_int_equal(pg_fixture_number(database, "select count(*) from transfers"), 0);
        assert_int_equal(pg_fixture_number(database, "select count(*) from accounts where owner_kind = 4"), 0);
        assert_int_equal(value_harness_differences(database), 0);
        abroad += pg_fixture_number(
            database, "select coalesce(sum(delta * (item_kind + 1)), 0)::bigint from event_entries where owner_kind = 5");
    }
    assert_int_equal(abroad, 0);
}

/* --- a trade: the one of shard 1 offers, the one of shard 0 accepts */

struct trade {
    uint64_t offerer, accepter, id;
    struct ledger_command accept;
};

static struct trade begin_trade(void) {
    struct trade t = {.offerer = new_player(1), .accepter = new_player(0)};
    uint64_t gems = loot(t.offerer, ITEM_KIND_GEM), herbs = loot(t.accepter, ITEM_KIND_HERB);
    struct ledger_command offer = {.verb = LEDGER_TRADE_OFFER,
                                   .player = t.offerer,
                                   .other = t.accepter,
                                   .gold = GIVEN_GOLD,
                                   .price = WANTED_GOLD,
                                   .give_count = 1,
                                   .want_count = 1,
                                   .give = {{.id = gems, .count = GIVEN_GEMS}},
                                   .want = {{.id = herbs, .count = WANTED_HERBS}}};
    struct ledger_result result = insist(offer);
    assert_int_equal(result.status, LEDGER_OK);
    t.id = result.object;
    t.accept = (struct ledger_command){.verb = LEDGER_TRADE_ACCEPT,
                                       .domain = LEDGER_DOMAIN_CLIENT,
                                       .key = w.next_key++,
                                       .player = t.accepter,
                                       .object = t.id,
                                       .gold = WANTED_GOLD,
                                       .give_count = 1,
                                       .give = {{.id = herbs, .count = WANTED_HERBS}}};
    UNTIL(peers_stats(w.shards[0].peers).up == 1 && peers_stats(w.shards[1].peers).up == 1);
    return t;
}

static void assert_done(const struct trade *t) {
    assert_has(1, t->offerer, LOOT - GIVEN_GOLD + WANTED_GOLD, LOOT - GIVEN_GEMS, WANTED_HERBS);
    assert_has(0, t->accepter, LOOT - WANTED_GOLD + GIVEN_GOLD, GIVEN_GEMS, LOOT - WANTED_HERBS);
    assert_int_equal(number(1, "select count(*) from trades where id = %lu and %u = 0", t->id, 0), 0);
}

static void assert_as_before(const struct trade *t) {
    assert_has(1, t->offerer, LOOT, LOOT, 0);
    assert_has(0, t->accepter, LOOT, 0, LOOT);
}

/* The steps in their order; 0 and 1 are the shards as above. */
enum step {
    STEP_ASKED = 0,           /* the command waits at 0 */
    STEP_UNDER_WAY = 1,       /* its transaction has been sent */
    STEP_SIDE_STORED = 2,     /* the accepter's side is in escrow */
    STEP_SIDE_OFFERED = 3,    /* 1 has heard of it */
    STEP_DECIDED = 4,         /* 1 has stored the trade; what is given is in escrow */
    STEP_ANSWERED = 5,        /* 0 has heard so */
    STEP_SIDE_CLOSED = 6,     /* and has stored the end */
    STEP_CREDIT_OFFERED = 7,  /* 0 has heard of what is given */
    STEP_CREDIT_ANSWERED = 8, /* 0 has stored it, 1 has heard so */
    STEP_CREDIT_CLOSED = 9,   /* and has stored the end */
    STEP_COUNT = 10
};

/* Counts from before the trade. */
struct base {
    struct seen seen[SHARDS];
    struct peers_stats peers[SHARDS];
};

static struct base note_base(void) {
    struct base base;
    for (uint32_t i = 0; i < SHARDS; i++) {
        base.seen[i] = w.shards[i].seen;
        base.peers[i] = peers_stats(w.shards[i].peers);
    }
    return base;
}

static bool has_come(enum step step, const struct base *base) {
    struct peers_stats at0 = peers_stats(w.shards[0].peers), at1 = peers_stats(w.shards[1].peers);
    const struct seen *seen0 = &w.shards[0].seen, *seen1 = &w.shards[1].seen;
    switch (step) {
    case STEP_ASKED: return true;
    case STEP_UNDER_WAY: return true;
    case STEP_SIDE_STORED: return seen0->created > base->seen[0].created;
    case STEP_SIDE_OFFERED: return at1.offers_received > base->peers[1].offers_received;
    case STEP_DECIDED: return seen1->created > base->seen[1].created;
    case STEP_ANSWERED: return at0.answers_received > base->peers[0].answers_received;
    case STEP_SIDE_CLOSED: return seen0->closed > base->seen[0].closed;
    case STEP_CREDIT_OFFERED: return at0.offers_received > base->peers[0].offers_received;
    case STEP_CREDIT_ANSWERED: return at1.answers_received > base->peers[1].answers_received;
    case STEP_CREDIT_CLOSED: return seen1->closed > base->seen[1].closed;
    case STEP_COUNT: break;
    }
    fail();
    return false;
}

static void advance_to(enum step step, const struct base *base) {
    for (int turn = 0; step == STEP_UNDER_WAY && turn < 2; turn++) ev_run(w.loop, EVRUN_NOWAIT);
    if (!has_come(step, base)) UNTIL(has_come(step, base));
}

static void strike(uint32_t victim, bool is_database) {
    if (is_database) {
        pg_fixture_crash(&w.shards[victim].database);
        for (int turn = 0; turn < 5; turn++) ev_run(w.loop, EVRUN_NOWAIT);
        pg_fixture_start(&w.shards[victim].database);
    } else {
        kill_shard(victim);
        for (int turn = 0; turn < 5; turn++) ev_run(w.loop, EVRUN_NOWAIT);
        open_shard(victim);
    }
}

/* --- tests */

static void test_peers_value_trade_ends_once_whoever_dies_at_whatever_step(void **state) {
    (void)state;
    static const uint32_t database_at_work[STEP_COUNT] = {0, 0, 0, 1, 1, 0, 0, 0, 1, 1};
    for (enum step step = STEP_ASKED; step < STEP_COUNT; step++) {
        for (uint32_t i = 0; i <= SHARDS; i++) {
            struct trade t = begin_trade();
            struct base base = note_base();
            struct value_answer *answer = test_calloc(1, sizeof *answer); /* nobody writes to it once its process is dead */
            submit(&t.accept, answer);
            advance_to(step, &base);
            strike(i < SHARDS ? i : database_at_work[step], i == SHARDS);
            struct ledger_result result = insist(t.accept);
            assert_int_equal(result.status, LEDGER_OK);
            assert_at_rest();
            assert_done(&t);
            assert_true(insist(t.accept).repeated);
            test_free(answer);
        }
    }
}

static void test_peers_value_refused_side_comes_back_once_whoever_dies(void **state) {
    (void)state;
    static const enum step steps[] = {STEP_SIDE_STORED, STEP_SIDE_OFFERED, STEP_ANSWERED, STEP_SIDE_CLOSED};
    for (uint32_t i = 0; i < SHARDS * sizeof steps / sizeof steps[0]; i++) {
        struct trade t = begin_trade();
        assert_int_equal(
            insist((struct ledger_command){.verb = LEDGER_TRADE_CANCEL, .player = t.offerer, .object = t.id}).status,
            LEDGER_OK);
        struct base base = note_base();
        struct value_answer *answer = test_calloc(1, sizeof *answer);
        submit(&t.accept, answer);
        advance_to(steps[i / SHARDS], &base);
        strike(i % SHARDS, false);
        assert_int_equal(insist(t.accept).status, LEDGER_OK); /* its side was sent; what came of it is told by a notice */
        assert_at_rest();
        assert_as_before(&t);
        test_free(answer);
    }
}

static void test_peers_value_accepter_hears_that_a_trade_has_failed(void **state) {
    (void)state;
    struct trade t = begin_trade();
    struct ledger_command cancel = {.verb = LEDGER_TRADE_CANCEL, .player = t.offerer, .object = t.id};
    assert_int_equal(insist(cancel).status, LEDGER_OK);
    uint32_t failed = w.shards[0].seen.failed;
    assert_int_equal(insist(t.accept).status, LEDGER_OK);
    UNTIL(w.shards[0].seen.failed == failed + 1);
    assert_at_rest();
    assert_as_before(&t);
}

static void test_peers_value_accepter_brings_what_is_not_wanted_and_keeps_it(void **state) {
    (void)state;
    struct trade t = begin_trade();
    struct ledger_command less = t.accept;
    less.key = w.next_key++;
    less.gold--;
    uint32_t failed = w.shards[0].seen.failed;
    assert_int_equal(insist(less).status, LEDGER_OK);
    UNTIL(w.shards[0].seen.failed == failed + 1);
    assert_at_rest();
    assert_as_before(&t);
    assert_int_equal(insist(t.accept).status, LEDGER_OK); /* the offer stands */
    assert_at_rest();
    assert_done(&t);
}

static uint64_t list_gems(uint64_t seller) {
    struct ledger_result result = insist((struct ledger_command){.verb = LEDGER_AUCTION_LIST,
                                                                 .player = seller,
                                                                 .item = loot(seller, ITEM_KIND_GEM),
                                                                 .gold = 1,
                                                                 .price = 9,
                                                                 .duration_ms = 60000});
    assert_int_equal(result.status, LEDGER_OK);
    return result.object;
}

static enum ledger_status pay(enum ledger_verb verb, uint64_t player, uint64_t auction, int64_t gold) {
    return insist((struct ledger_command){.verb = verb, .player = player, .object = auction, .gold = gold}).status;
}

static void test_peers_value_auction_takes_bids_from_abroad_and_gives_them_back(void **state) {
    (void)state;
    uint64_t seller = new_player(1), first = new_player(0), second = new_player(0);
    uint64_t auction = list_gems(seller);
    (void)loot(first, ITEM_KIND_HERB);
    (void)loot(second, ITEM_KIND_HERB);
    assert_int_equal(pay(LEDGER_AUCTION_BID, first, auction, 4), LEDGER_OK);
    assert_at_rest();
    assert_has(0, first, LOOT - 4, 0, LOOT);
    assert_int_equal(pay(LEDGER_AUCTION_BID, second, auction, 4), LEDGER_OK); /* not more than the first: comes back */
    assert_at_rest();
    assert_has(0, second, LOOT, 0, LOOT);
    assert_int_equal(pay(LEDGER_AUCTION_BUY, second, auction, 9), LEDGER_OK);
    assert_at_rest();
    assert_has(0, first, LOOT, 0, LOOT);
    assert_has(0, second, LOOT - 9, LOOT, LOOT);
    assert_has(1, seller, LOOT + 9, 0, 0);
}

static void test_peers_value_guilds_and_trades_of_another_shard_are_forbidden_there(void **state) {
    (void)state;
    uint64_t leader = new_player(1), stranger = new_player(0);
    struct ledger_result guild =
        insist((struct ledger_command){.verb = LEDGER_GUILD_CREATE, .player = leader, .text = "wolves"});
    assert_int_equal(guild.status, LEDGER_OK);
    struct ledger_command invite = {.verb = LEDGER_GUILD_INVITE, .player = leader, .other = stranger};
    assert_int_equal(insist(invite).status, LEDGER_FORBIDDEN);
    struct ledger_command join = {.verb = LEDGER_GUILD_JOIN, .player = stranger, .object = guild.object};
    assert_int_equal(insist(join).status, LEDGER_FORBIDDEN);
    struct trade t = begin_trade();
    struct ledger_command cancel = {.verb = LEDGER_TRADE_CANCEL, .player = t.accepter, .object = t.id};
    assert_int_equal(insist(cancel).status, LEDGER_FORBIDDEN);
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers_value_trade_ends_once_whoever_dies_at_whatever_step),
        cmocka_unit_test(test_peers_value_refused_side_comes_back_once_whoever_dies),
        cmocka_unit_test(test_peers_value_accepter_hears_that_a_trade_has_failed),
        cmocka_unit_test(test_peers_value_accepter_brings_what_is_not_wanted_and_keeps_it),
        cmocka_unit_test(test_peers_value_auction_takes_bids_from_abroad_and_gives_them_back),
        cmocka_unit_test(test_peers_value_guilds_and_trades_of_another_shard_are_forbidden_there),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
