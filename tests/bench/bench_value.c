/* bench_value.c: what value does in a second, against pgbench doing the same one by one, and how soon it answers. Usage:
 * bench_value [SECONDS]. A private PostgreSQL, fsync on; both load the same server in turn, twice.
 *
 * A round is a grant (a gem onto a stack, and gold), the offer of a trade (an item and gold for an item), and its
 * acceptance, which swaps both: three commands, three transactions. pgbench has one client, which does what a server without
 * batches would: it passes the fence, locks and reads the same rows, updates and inserts the same rows, among them the
 * command's key, the event with its entries and the outbox, by prepared statements, and commits. Figures count commands.
 *
 * Value has a thousand players that each await their answer before the next command. Inventories are asked for by a clock
 * meanwhile, and the time counts from when the clock meant it. Guild actions come by a clock too, beside some loot.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/item_kinds.h"
#include "tests/unit/value_harness.h"

enum {
    PAIRS = 500,
    PLAYERS = 2 * PAIRS,
    TURNS = 2,
    COMMANDS_A_ROUND = 3,
    GUILDS = 100,
    GUILD_GAP_US = 4000,
    LOOT_GAP_US = 2000,
    READ_GAP_US = 1000
};

static const char script[] =
    "\\set a random(1, 500) * 2 - 1\n"
    "\\set b :a + 1\n"
    "\\set key random(1, 9000000000000000000)\n"
    "begin;\n"
    "select march_fence(:epoch);\n"
    "select gold as ga from accounts where owner_kind = 1 and owner = :a for update \\gset\n"
    "select id as gem from items where owner_kind = 1 and owner = :a and kind = 7 for update \\gset\n"
    "update items set count = count + 1, version = version + 1 where id = :gem;\n"
    "update accounts set gold = gold + 1, version = version + 1 where owner_kind = 1 and owner = :a;\n"
    "update shard set next_id = next_id + 1 returning next_id as event \\gset\n"
    "insert into commands (domain, player, key, status, object) values (2, :a, :key, 0, :gem);\n"
    "insert into events (id, player, type, domain, key, detail) values (:event, :a, 32, 2, :key, jsonb_build_object("
    "'object', :gem::bigint, 'other', 0, 'entries', jsonb_build_array(jsonb_build_array(1, :a::bigint, 0, 0, 1), "
    "jsonb_build_array(1, :a::bigint, :gem::bigint, 7, 1), jsonb_build_array(8, 0, 0, 0, -1), jsonb_build_array(8, 0, 0, 7, "
    "-1))));\n"
    "insert into outbox values (:event);\n"
    "commit;\n"
    "begin;\n"
    "select march_fence(:epoch);\n"
    "select gold as ga from accounts where owner_kind = 1 and owner = :a for update \\gset\n"
    "select id as ia, version as va from items where owner_kind = 1 and owner = :a and kind = 3 for update \\gset\n"
    "select id as ib, version as vb from items where owner_kind = 1 and owner = :b and kind = 3 for update \\gset\n"
    "update shard set next_id = next_id + 2 returning next_id as event, next_id - 1 as trade \\gset\n"
    "insert into trades (id, offerer, accepter, give, want, give_gold, want_gold, expires_at, version) values (:trade, :a, "
    ":b, "
    "jsonb_build_array(jsonb_build_array(:ia::bigint, :va::bigint, 1, 3)), jsonb_build_array(jsonb_build_array(:ib::bigint, "
    ":vb::bigint, 1, 3)), 1, 0, "
    "now() + interval '5 min', 1);\n"
    "insert into commands (domain, player, key, status, object) values (1, :a, :key, 0, :trade);\n"
    "insert into events (id, player, other, type, domain, key, detail) values (:event, :a, :b, 7, 1, :key, "
    "jsonb_build_object('object', :trade::bigint, 'other', :b::bigint, 'entries', jsonb_build_array()));\n"
    "insert into outbox values (:event);\n"
    "commit;\n"
    "begin;\n"
    "select march_fence(:epoch);\n"
    "select version as vt from trades where id = :trade for update \\gset\n"
    "select gold as ga from accounts where owner_kind = 1 and owner = :a for update \\gset\n"
    "select gold as gb from accounts where owner_kind = 1 and owner = :b for update \\gset\n"
    "select id as ia, slot as sa from items where owner_kind = 1 and owner = :a and kind = 3 for update \\gset\n"
    "select id as ib, slot as sb from items where owner_kind = 1 and owner = :b and kind = 3 for update \\gset\n"
    "update items set owner = :b, slot = :sb, version = version + 1 where id = :ia;\n"
    "update items set owner = :a, slot = :sa, version = version + 1 where id = :ib;\n"
    "update accounts set gold = gold - 1, version = version + 1 where owner_kind = 1 and owner = :a;\n"
    "update accounts set gold = gold + 1, version = version + 1 where owner_kind = 1 and owner = :b;\n"
    "delete from trades where id = :trade;\n"
    "update shard set next_id = next_id + 1 returning next_id as event \\gset\n"
    "insert into commands (domain, player, key, status, object) values (1, :b, :key, 0, 0);\n"
    "insert into events (id, player, other, type, domain, key, detail) values (:event, :b, :a, 8, 1, :key, "
    "jsonb_build_object('object', :trade::bigint, 'other', :a::bigint, 'entries', jsonb_build_array(jsonb_build_array(1, "
    ":a::bigint, 0, 0, -1), "
    "jsonb_build_array(1, :a::bigint, :ia::bigint, 3, -1), jsonb_build_array(1, :a::bigint, :ib::bigint, 3, 1), "
    "jsonb_build_array(1, :b::bigint, 0, 0, 1), "
    "jsonb_build_array(1, :b::bigint, :ib::bigint, 3, -1), jsonb_build_array(1, :b::bigint, :ia::bigint, 3, 1))));\n"
    "insert into outbox values (:event);\n"
    "commit;\n";

struct bench;

struct pair {
    struct bench *bench;
    uint64_t a, b;
    uint64_t item_a, item_b;
    uint64_t trade;
    uint32_t step;
};

struct bench {
    struct value_harness harness;
    struct pair pairs[PAIRS];
    bool stop;
    uint32_t busy; /* commands under way */
    uint64_t done, failed;
    uint64_t key;
    struct histogram read_ns;
};

/* A clock that means to act at fixed times, however late it is. */
struct pace {
    struct ev_timer timer;
    struct mono meant;
    uint64_t gap_ns;
    void (*act)(struct bench *bench, struct mono meant);
    struct bench *bench;
};

static uint64_t fresh_key(struct bench *bench) {
    return bench->key += 0x9e3779b97f4a7c15;
}

/* --- pgbench */

/* run_pgbench returns how many commands a second it did. */
static double run_pgbench(const struct pg_fixture *fixture, uint64_t epoch, int seconds) {
    char path[] = "/tmp/bench_value_XXXXXX", command[512], line[256];
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, script, sizeof(script) - 1) != (ssize_t)sizeof(script) - 1) abort();
    close(fd);
    snprintf(command, sizeof(command), "pgbench -n -M prepared -c 1 -T %d -D epoch=%" PRIu64 " -f %s '%s' 2>&1", seconds,
             epoch, path, fixture->uri);
    FILE *out = popen(command, "r");
    double tps = 0;
    while (out && fgets(line, sizeof(line), out)) {
        if (strstr(line, "ERROR") || strstr(line, "error")) fprintf(stderr, "pgbench: %s", line);
        (void)sscanf(line, "tps = %lf", &tps);
    }
    if (!out || pclose(out) != 0 || tps == 0) fprintf(stderr, "pgbench failed\n"), exit(1);
    unlink(path);
    return tps * COMMANDS_A_ROUND;
}

/* --- rounds of commands */

static void next_step(struct pair *pair);

static void step_done(void *ctx, const struct ledger_result *result) {
    struct pair *pair = ctx;
    struct bench *bench = pair->bench;
    bench->busy--;
    if (result->status != LEDGER_OK) {
        bench->failed++;
        fprintf(stderr, "step %u: status %d\n", pair->step, (int)result->status);
        return;
    }
    bench->done++;
    if (pair->step == 1) pair->trade = result->object;
    if (pair->step == 2) {
        uint64_t kept = pair->item_a;
        pair->item_a = pair->item_b;
        pair->item_b = kept;
    }
    pair->step = (pair->step + 1) % COMMANDS_A_ROUND;
    if (!bench->stop) next_step(pair);
}

static void next_step(struct pair *pair) {
    struct bench *bench = pair->bench;
    struct ledger_command command = {.domain = LEDGER_DOMAIN_CLIENT, .player = pair->a, .key = fresh_key(bench)};
    switch (pair->step) {
    case 0:
        command.verb = LEDGER_GRANT;
        command.domain = LEDGER_DOMAIN_LOOT;
        command.kind = ITEM_KIND_GEM;
        command.count = 1;
        command.gold = 1;
        break;
    case 1:
        command.verb = LEDGER_TRADE_OFFER;
        command.other = pair->b;
        command.gold = 1;
        command.give_count = command.want_count = 1;
        command.give[0].id = pair->item_a;
        command.want[0].id = pair->item_b;
        break;
    default:
        command.verb = LEDGER_TRADE_ACCEPT;
        command.player = pair->b;
        command.object = pair->trade;
    }
    if (value_submit(bench->harness.value, &command, step_done, pair) != LEDGER_OK) abort();
    bench->busy++;
}

/* --- clocks */

static void on_pace(struct ev_loop *loop, struct ev_timer *timer, int events) {
    struct pace *pace = timer->data;
    (void)loop, (void)events;
    for (struct mono now = mono_now(); mono_reached(now, pace->meant); pace->meant = mono_add_ns(pace->meant, pace->gap_ns))
        pace->act(pace->bench, pace->meant);
}

static void pace_start(struct pace *pace, struct bench *bench, uint64_t gap_us,
                       void (*act)(struct bench *bench, struct mono meant)) {
    *pace = (struct pace){.meant = mono_now(), .gap_ns = gap_us * NS_PER_US, .act = act, .bench = bench};
    ev_init(&pace->timer, on_pace);
    ev_timer_set(&pace->timer, 0, (double)gap_us / 1e6);
    pace->timer.data = pace;
    ev_timer_start(bench->harness.pool.loop, &pace->timer);
}

static void read_done(void *ctx, enum ledger_status status, const struct ledger_holding *holding) {
    bool *good = ctx;
    *good = status == LEDGER_OK && holding;
}

static void read_one(struct bench *bench, struct mono meant) {
    bool good = false;
    value_account(bench->harness.value, LEDGER_OWNER_PLAYER, 1 + fresh_key(bench) % PLAYERS, read_done, &good);
    if (!good) abort(); /* all are cached */
    histogram_record(&bench->read_ns, mono_since_ns(mono_now(), meant));
}

static void count_done(void *ctx, const struct ledger_result *result) {
    struct bench *bench = ctx;
    bench->busy--;
    bench->done++;
    bench->failed += result->status != LEDGER_OK;
}

static void submit_counted(struct bench *bench, struct ledger_command command) {
    if (value_submit(bench->harness.value, &command, count_done, bench) != LEDGER_OK) abort();
    bench->busy++;
}

static void guild_one(struct bench *bench, struct mono meant) {
    uint64_t key = fresh_key(bench);
    (void)meant;
    submit_counted(bench, (struct ledger_command){.verb = LEDGER_GUILD_DEPOSIT,
                                                  .domain = LEDGER_DOMAIN_CLIENT,
                                                  .player = 1 + key % GUILDS,
                                                  .key = key,
                                                  .gold = 1});
}

static void loot_one(struct bench *bench, struct mono meant) {
    uint64_t key = fresh_key(bench);
    (void)meant;
    submit_counted(
        bench, (struct ledger_command){
                   .verb = LEDGER_GRANT, .domain = LEDGER_DOMAIN_LOOT, .player = 1 + key % PLAYERS, .key = key, .gold = 1});
}

/* --- phases */

static void open_value(struct bench *bench, const struct pg_fixture *fixture, uint64_t epoch) {
    value_harness_open(&bench->harness, fixture->uri, (struct value_config){.epoch = epoch, .deadline_ms = 20000});
    harness_until(&bench->harness.pool, bench->harness.started);
}

/* see_items learns which item each player has to trade, and warms the cache. */
static void see_items(struct bench *bench) {
    for (uint32_t i = 0; i < PAIRS; i++) {
        struct pair *pair = &bench->pairs[i];
        *pair = (struct pair){.bench = bench, .a = 2 * i + 1, .b = 2 * i + 2};
        for (uint32_t side = 0; side < 2; side++) {
            struct value_harness_view view = value_harness_player(&bench->harness, pair->a + side);
            for (uint32_t j = 0; j < view.item_count; j++)
                if (view.items[j].kind == ITEM_KIND_ORE) *(side ? &pair->item_b : &pair->item_a) = view.items[j].id;
        }
    }
}

/* equip gives every player a gem, an item to trade, and gold. */
static void equip(struct bench *bench) {
    static const uint32_t kinds[] = {ITEM_KIND_GEM, ITEM_KIND_ORE};
    for (uint64_t player = 1; player <= PLAYERS; player++)
        for (uint32_t i = 0; i < 2; i++)
            submit_counted(bench, (struct ledger_command){.verb = LEDGER_GRANT,
                                                          .domain = LEDGER_DOMAIN_LOOT,
                                                          .player = player,
                                                          .key = fresh_key(bench),
                                                          .kind = kinds[i],
                                                          .count = 1,
                                                          .gold = 1000});
    harness_until(&bench->harness.pool, bench->busy == 0);
}

static void run_for(struct bench *bench, int seconds) {
    struct mono end = mono_add_ms(mono_now(), (uint64_t)seconds * 1000);
    while (!mono_reached(mono_now(), end)) ev_run(bench->harness.pool.loop, EVRUN_ONCE);
}

/* run_value returns how many commands a second it did. */
static double run_value(struct bench *bench, int seconds) {
    struct pace reads;
    see_items(bench);
    bench->done = 0;
    bench->stop = false;
    struct mono begin = mono_now();
    pace_start(&reads, bench, READ_GAP_US, read_one);
    for (uint32_t i = 0; i < PAIRS; i++) next_step(&bench->pairs[i]);
    run_for(bench, seconds);
    uint64_t done = bench->done;
    double took_s = (double)mono_since_ns(mono_now(), begin) / 1e9;
    bench->stop = true;
    ev_timer_stop(bench->harness.pool.loop, &reads.timer);
    harness_until(&bench->harness.pool, bench->busy == 0);
    return (double)done / took_s;
}

static double run_guilds(struct bench *bench, int seconds) {
    struct pace guilds, loot;
    for (uint64_t player = 1; player <= GUILDS; player++) {
        struct ledger_command command = {
            .verb = LEDGER_GUILD_CREATE, .domain = LEDGER_DOMAIN_CLIENT, .player = player, .key = fresh_key(bench)};
        snprintf(command.text, sizeof(command.text), "Guild %" PRIu64, player);
        submit_counted(bench, command);
    }
    harness_until(&bench->harness.pool, bench->busy == 0);
    histogram_reset(value_stats(bench->harness.value)->guild_ns);
    pace_start(&guilds, bench, GUILD_GAP_US, guild_one);
    pace_start(&loot, bench, LOOT_GAP_US, loot_one);
    run_for(bench, seconds);
    ev_timer_stop(bench->harness.pool.loop, &guilds.timer);
    ev_timer_stop(bench->harness.pool.loop, &loot.timer);
    harness_until(&bench->harness.pool, bench->busy == 0);
    return (double)histogram_quantile(value_stats(bench->harness.value)->guild_ns, 0.99) / 1e6;
}

int main(int argc, char **argv) {
    int seconds = argc > 1 ? atoi(argv[1]) : 4;
    static struct bench bench;
    struct pg_fixture fixture;
    double singly = 0, batched = 0, batch_commands = 0, store_ms = 0, command_ms = 0;
    pg_fixture_open(&fixture, "-c fsync=on");
    uint64_t epoch = (uint64_t)pg_fixture_migrate(&fixture);
    open_value(&bench, &fixture, epoch);
    equip(&bench);
    value_harness_close(&bench.harness);
    for (int turn = 0; turn < TURNS; turn++) { /* each time anew: pgbench writes behind its back */
        singly += run_pgbench(&fixture, epoch, seconds) / TURNS;
        open_value(&bench, &fixture, epoch);
        batched += run_value(&bench, seconds) / TURNS;
        const struct value_stats *stats = value_stats(bench.harness.value);
        batch_commands += (double)histogram_quantile(stats->batch_commands, 0.5) / TURNS;
        store_ms += (double)histogram_quantile(stats->store_ns, 0.5) / 1e6 / TURNS;
        command_ms += (double)histogram_quantile(stats->command_ns, 0.99) / 1e6 / TURNS;
        value_harness_close(&bench.harness);
    }
    open_value(&bench, &fixture, epoch);
    double guild_ms = run_guilds(&bench, seconds);
    value_harness_close(&bench.harness);
    int64_t wrong = value_harness_differences(&fixture);
    pg_fixture_close(&fixture);
    printf("value_commands %.0f 1/s\n", batched);
    printf("value_pgbench %.0f 1/s\n", singly);
    printf("value_commands_ratio %.2f x\n", batched / singly);
    printf("value_batch_p50 %.0f commands\n", batch_commands);
    printf("value_store_p50 %.2f ms\n", store_ms);
    printf("value_command_p99 %.2f ms\n", command_ms);
    printf("value_inventory_p99 %.3f ms\n", (double)histogram_quantile(&bench.read_ns, 0.99) / 1e6);
    printf("value_guild_p99 %.1f ms\n", guild_ms);
    printf("value_differences %" PRId64 " rows\n", wrong);
    return bench.failed || wrong ? 1 : 0;
}
