/* value.c: queues, reads, clocks. value_batch.c has what is done with them. */
#include "persist/value.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/check.h"
#include "common/shard.h"
#include "persist/value_state.h"

#define ROWS_DEFAULT   65536
#define TICK_S         0.05
#define EXPIRIES_MAX   64 /* ends of trades and auctions that are queued in one tick */
#define BACKOFF_MS     50
#define BACKOFF_CAP_MS 1000

uint64_t value_wall_ms(const struct value *value) {
    return (uint64_t)(ev_now(value->loop) * 1000.0);
}

/* --- queues */

void value_enqueue(struct value *value, struct value_pending *pending) {
    if (pending->is_guild) {
        DL_APPEND(value->guild, pending);
        value->guild_count++;
    } else {
        DL_APPEND(value->prompt, pending);
        value->prompt_count++;
    }
}

void value_requeue(struct value *value, struct value_pending *pending) {
    DL_PREPEND(value->prompt, pending); /* its window is over */
    value->prompt_count++;
}

void value_open_window(struct value *value) {
    if (!value->guild) return;
    struct mono ends = mono_add_ms(value->guild->at, value->config.guild_window_ms);
    if (value->guild_count >= LEDGER_BATCH_MAX || mono_reached(mono_now(), ends)) value->guild_open = value->guild_count;
}

struct value_pending *value_take(struct value *value) {
    struct value_pending *pending = value->guild_open > 0 ? value->guild : value->prompt;
    if (pending && pending == value->guild) {
        DL_DELETE(value->guild, pending);
        value->guild_count--;
        value->guild_open--;
    } else if (pending) {
        DL_DELETE(value->prompt, pending);
        value->prompt_count--;
    }
    return pending;
}

void value_refuse_all(struct value *value) {
    struct value_pending *pending;
    value->guild_open = value->guild_count;
    while ((pending = value_take(value)) != NULL) value_end(value, pending, LEDGER_UNAVAILABLE);
    value_refuse_reads(value);
}

void value_answer(struct value *value, struct value_pending *pending, const struct ledger_result *result) {
    if (pending->answered) return;
    pending->answered = true;
    uint64_t took_ns = mono_since_ns(mono_now(), pending->at);
    histogram_record(pending->is_guild ? &value->guild_ns : &value->command_ns, took_ns);
    value->stats.answered++;
    value->stats.repeated += result->repeated;
    value->stats.by_status[result->status]++;
    if (pending->done) pending->done(pending->ctx, result);
}

void value_end(struct value *value, struct value_pending *pending, enum ledger_status status) {
    struct ledger_result result = {.status = status};
    value_answer(value, pending, &result);
    free(pending);
}

/* --- submitting */

static enum value_subsystem subsystem_of(enum ledger_verb verb) {
    if (verb >= LEDGER_TRADE_OFFER && verb <= LEDGER_TRADE_CANCEL) return VALUE_TRADE;
    if (verb >= LEDGER_AUCTION_LIST && verb <= LEDGER_AUCTION_CANCEL) return VALUE_AUCTION;
    if (verb >= LEDGER_GUILD_CREATE && verb <= LEDGER_GUILD_INFO) return VALUE_GUILD;
    return verb == LEDGER_GRANT ? VALUE_LOOT : VALUE_ITEMS;
}

/* is_from_client tells who must be answered soon; loot and transfers wait until they are done. */
static bool is_from_client(const struct ledger_command *command) {
    return command->domain == LEDGER_DOMAIN_CLIENT || command->domain == LEDGER_DOMAIN_OPERATOR;
}

static enum ledger_status admit(struct value *value, const struct ledger_command *command) {
    if (command->domain == LEDGER_DOMAIN_NONE || !ledger_command_valid(value->ledger, command)) return LEDGER_INVALID;
    bool is_durable = command->domain == LEDGER_DOMAIN_LOOT; /* acknowledged to its zone, whatever is off by now */
    if (command->verb < LEDGER_TRADE_EXPIRE && !is_durable && value->hooks.enabled &&
        !value->hooks.enabled(value->hooks.ctx, subsystem_of(command->verb)))
        return LEDGER_DISABLED;
    if (value->state == VALUE_FENCED) return LEDGER_UNAVAILABLE;
    if (is_from_client(command) && (!value->was_started || !pg_is_available(value->pg))) return LEDGER_UNAVAILABLE;
    if (value->prompt_count + value->guild_count + value->batch_count >= VALUE_QUEUE_MAX) return LEDGER_BUSY;
    return LEDGER_OK;
}

static struct value_pending *pending_create(struct value *value, const struct ledger_command *command, value_done done,
                                            void *ctx) {
    struct value_pending *pending = calloc(1, sizeof(*pending));
    CHECK(pending);
    pending->command = *command;
    pending->done = done;
    pending->ctx = ctx;
    pending->at = mono_now();
    if (is_from_client(command)) pending->deadline_ns = mono_add_ms(pending->at, value->config.deadline_ms).ns;
    pending->is_guild = subsystem_of(command->verb) == VALUE_GUILD;
    pending->check_key = command->verb == LEDGER_TRANSFER_IN; /* done twice, items would be there twice, not only answered */
    return pending;
}

enum ledger_status value_submit(struct value *value, const struct ledger_command *command, value_done done, void *ctx) {
    enum ledger_status status = admit(value, command);
    value->stats.submitted++;
    value->stats.refused_busy += status == LEDGER_BUSY;
    value->stats.refused_unavailable += status == LEDGER_UNAVAILABLE;
    if (status != LEDGER_OK) return status;
    struct value_pending *pending = pending_create(value, command, done, ctx);
    value_enqueue(value, pending);
    if (!pending->is_guild || value->guild_count >= LEDGER_BATCH_MAX) {
        value_kick(value);
    } else if (!ev_is_active(&value->window)) {
        ev_timer_set(&value->window, value->config.guild_window_ms / 1000.0, 0);
        ev_timer_start(value->loop, &value->window);
    }
    return LEDGER_OK;
}

/* --- forgetting */

static void forget_later(struct value *value, struct ledger_key key) {
    if (value->forget_count < VALUE_FORGET_MAX) value->forget[value->forget_count] = key;
    if (value->forget_count <= VALUE_FORGET_MAX) value->forget_count++;
}

void value_forget(struct value *value, enum ledger_owner_kind owner_kind, uint64_t owner) {
    CHECK(owner_kind == LEDGER_OWNER_PLAYER || owner_kind == LEDGER_OWNER_GUILD);
    if (owner_kind == LEDGER_OWNER_GUILD) forget_later(value, (struct ledger_key){.type = LEDGER_ROW_GUILD, .id = owner});
    forget_later(value, (struct ledger_key){.type = LEDGER_ROW_ACCOUNT, .owner_kind = owner_kind, .id = owner});
    value_forget_now(value);
}

/* --- reads */

static void read_answer(struct value_read *read, enum ledger_status status, const struct ledger_holding *holding,
                        const struct ledger_guild *guild) {
    if (read->account_done) read->account_done(read->ctx, status, holding);
    if (read->guild_done) read->guild_done(read->ctx, status == LEDGER_OK && !guild ? LEDGER_NOT_FOUND : status, guild);
}

/* read_try answers a read whose row is known. */
static bool read_try(struct value *value, struct value_read *read) {
    bool known = false;
    if (read->type == LEDGER_ROW_ACCOUNT) {
        const struct ledger_holding *holding = ledger_account(value->ledger, read->owner_kind, read->id, &known);
        if (known) read_answer(read, LEDGER_OK, holding, NULL);
    } else {
        const struct ledger_guild *guild = ledger_guild(value->ledger, read->id, &known);
        if (known) read_answer(read, LEDGER_OK, NULL, guild);
    }
    return known;
}

static void read_remove(struct value *value, struct value_read *read) {
    DL_DELETE(value->reads, read);
    value->read_count--;
}

void value_answer_reads(struct value *value) {
    for (struct value_read *read = value->reads, *next; read; read = next) {
        next = read->next;
        if (read_try(value, read)) {
            next = read->next; /* its callback may have added one */
            read_remove(value, read);
            free(read);
            continue;
        }
        struct ledger_need need = {.key = {.id = read->id, .type = read->type, .owner_kind = read->owner_kind}};
        value_load_add(&value->load, &need);
    }
}

static void read_refuse(struct value *value, struct value_read *read) {
    read_remove(value, read);
    read_answer(read, LEDGER_UNAVAILABLE, NULL, NULL);
    free(read);
}

void value_refuse_reads(struct value *value) {
    for (uint32_t count = value->read_count; count > 0; count--) read_refuse(value, value->reads);
}

static void read_submit(struct value *value, struct value_read wanted) {
    if (value->was_started && value->state != VALUE_STARTING && value->state != VALUE_FENCED && read_try(value, &wanted))
        return;
    if (value->state == VALUE_FENCED || !pg_is_available(value->pg)) {
        read_answer(&wanted, LEDGER_UNAVAILABLE, NULL, NULL);
        return;
    }
    if (value->read_count >= VALUE_READS_MAX) {
        read_answer(&wanted, LEDGER_BUSY, NULL, NULL);
        return;
    }
    struct value_read *read = malloc(sizeof(*read));
    CHECK(read);
    *read = wanted;
    read->deadline_ns = mono_add_ms(mono_now(), value->config.deadline_ms).ns;
    DL_APPEND(value->reads, read);
    value->read_count++;
    value_kick(value);
}

void value_account(struct value *value, enum ledger_owner_kind owner_kind, uint64_t owner, value_account_done done,
                   void *ctx) {
    CHECK(done);
    CHECK(owner_kind == LEDGER_OWNER_PLAYER || owner_kind == LEDGER_OWNER_GUILD);
    read_submit(value,
                (struct value_read){
                    .type = LEDGER_ROW_ACCOUNT, .owner_kind = owner_kind, .id = owner, .account_done = done, .ctx = ctx});
}

void value_guild(struct value *value, uint64_t guild, value_guild_done done, void *ctx) {
    CHECK(done);
    read_submit(value, (struct value_read){.type = LEDGER_ROW_GUILD, .id = guild, .guild_done = done, .ctx = ctx});
}

const struct ledger_trade *value_trade(struct value *value, uint64_t trade) {
    return ledger_trade(value->ledger, trade);
}

const struct ledger_auction *value_auction(struct value *value, uint64_t auction) {
    return ledger_auction(value->ledger, auction);
}

const struct ledger_transfer *value_transfer(struct value *value, uint64_t transfer) {
    return ledger_transfer(value->ledger, transfer);
}

struct transfer_visit {
    void (*visit)(void *ctx, const struct ledger_transfer *transfer);
    void *ctx;
};

static void visit_transfer(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    const struct transfer_visit *visit = ctx;
    (void)key;
    visit->visit(visit->ctx, &body->transfer);
}

void value_each_transfer(struct value *value, void (*visit)(void *ctx, const struct ledger_transfer *transfer), void *ctx) {
    struct transfer_visit all = {.visit = visit, .ctx = ctx};
    ledger_each(value->ledger, LEDGER_ROW_TRANSFER, visit_transfer, &all);
}

bool value_is_started(const struct value *value) {
    return value->was_started && value->state != VALUE_STARTING && value->state != VALUE_FENCED;
}

/* --- clocks */

void value_kick(struct value *value) {
    if (!ev_is_active(&value->kick)) ev_timer_start(value->loop, &value->kick);
}

static void on_kick(struct ev_loop *loop, struct ev_timer *timer, int events) {
    struct value *value = timer->data;
    (void)loop, (void)events;
    ev_timer_set(&value->kick, 0, 0);
    value_pump(value);
}

static void on_window(struct ev_loop *loop, struct ev_timer *timer, int events) {
    (void)events;
    struct value *value = timer->data;
    value_pump(value);
    if (!value->guild) return;
    uint64_t ends = mono_add_ms(value->guild->at, value->config.guild_window_ms).ns, now = mono_now().ns;
    double left_s = ends > now ? (double)(ends - now) / NS_PER_S : 0.001; /* a batch is under way: look again */
    ev_timer_set(&value->window, left_s, 0);
    ev_timer_start(loop, &value->window);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *timer, int events) {
    struct value *value = timer->data;
    (void)loop, (void)events;
    if (value->state == VALUE_STARTING) value_start(value);
    if (value->state == VALUE_WAITING) {
        value->state = VALUE_IDLE;
        value_pump(value);
    }
}

static bool is_late(uint64_t deadline_ns, struct mono now) {
    return deadline_ns != 0 && now.ns >= deadline_ns;
}

/* expire_list answers those in a queue that are past their deadline. */
static void expire_list(struct value *value, struct value_pending **list, uint32_t *count, struct mono now) {
    struct value_pending *late = NULL;
    for (struct value_pending *pending = *list, *next; pending; pending = next) {
        next = pending->next;
        if (!is_late(pending->deadline_ns, now)) continue;
        DL_DELETE(*list, pending);
        (*count)--;
        DL_APPEND(late, pending);
    }
    while (late) {
        struct value_pending *pending = late;
        DL_DELETE(late, pending);
        value->stats.expired++;
        value_end(value, pending, LEDGER_UNAVAILABLE);
    }
}

static void expire_all(struct value *value, struct mono now) {
    static const struct ledger_result unavailable = {.status = LEDGER_UNAVAILABLE};
    value->guild_open = 0;
    expire_list(value, &value->prompt, &value->prompt_count, now);
    expire_list(value, &value->guild, &value->guild_count, now);
    for (uint32_t i = 0; i < value->batch_count; i++) {
        struct value_pending *pending = value->batch[i];
        if (pending->answered || !is_late(pending->deadline_ns, now)) continue;
        value->stats.expired++;
        value_answer(value, pending, &unavailable);
    }
    while (value->reads && is_late(value->reads->deadline_ns, now)) read_refuse(value, value->reads);
}

/* submit_due makes commands of ends that have come. */
static void submit_due(struct value *value) {
    struct due_entry entry;
    for (uint32_t i = 0; i < EXPIRIES_MAX && value->state != VALUE_STARTING && value->state != VALUE_FENCED; i++) {
        if (!due_pop(&value->due, value_wall_ms(value), &entry)) return;
        bool is_there = entry.is_auction ? ledger_auction(value->ledger, entry.id) != NULL
                                         : ledger_trade(value->ledger, entry.id) != NULL;
        if (!is_there) continue;
        struct ledger_command command = {.verb = entry.is_auction ? LEDGER_AUCTION_EXPIRE : LEDGER_TRADE_EXPIRE,
                                         .object = entry.id};
        value_enqueue(value, pending_create(value, &command, NULL, NULL));
        value_kick(value);
    }
}

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int events) {
    struct value *value = timer->data;
    (void)loop, (void)events;
    expire_all(value, mono_now());
    submit_due(value);
}

/* --- life */

static void begin_timer(struct value *value, struct ev_timer *timer,
                        void (*callback)(struct ev_loop *, struct ev_timer *, int)) {
    ev_init(timer, callback);
    ev_timer_set(timer, 0, 0);
    timer->data = value;
}

static void set_defaults(struct value_config *config) {
    if (config->guild_window_ms == 0) config->guild_window_ms = VALUE_GUILD_WINDOW_MS;
    if (config->deadline_ms == 0) config->deadline_ms = VALUE_DEADLINE_MS;
    if (config->rows_max == 0) config->rows_max = ROWS_DEFAULT;
}

struct value *value_create(struct ev_loop *loop, struct pg *pg, const struct value_config *config,
                           const struct value_hooks *hooks) {
    struct value *value = calloc(1, sizeof(*value));
    if (!value) return NULL;
    value->loop = loop;
    value->pg = pg;
    value->config = *config;
    set_defaults(&value->config);
    if (hooks) value->hooks = *hooks;
    struct ledger_config ledger = {config->shard_index, config->shard_count, value->config.rows_max};
    value->ledger = ledger_create(&ledger);
    value->store = value_store_create();
    value_load_init(&value->load);
    backoff_init(&value->backoff, BACKOFF_MS, BACKOFF_CAP_MS, mono_now().ns);
    begin_timer(value, &value->kick, on_kick);
    begin_timer(value, &value->window, on_window);
    begin_timer(value, &value->retry, on_retry);
    begin_timer(value, &value->tick, on_tick);
    if (!value->ledger || !value->store) {
        value_destroy(value);
        return NULL;
    }
    ev_timer_set(&value->tick, TICK_S, TICK_S);
    ev_timer_start(loop, &value->tick);
    value->state = VALUE_STARTING;
    value_start(value);
    return value;
}

static void drop_list(struct value_pending **list) {
    struct value_pending *pending, *next;
    DL_FOREACH_SAFE(*list, pending, next) {
        DL_DELETE(*list, pending);
        free(pending);
    }
}

/* drop_all lets go of everything but the memory that a job under way will come back to. */
static void drop_all(struct value *value) {
    struct ev_timer *timers[] = {&value->kick, &value->window, &value->retry, &value->tick};
    for (unsigned i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) ev_timer_stop(value->loop, timers[i]);
    drop_list(&value->prompt);
    drop_list(&value->guild);
    for (uint32_t i = 0; i < value->batch_count; i++) free(value->batch[i]);
    value->batch_count = 0;
    for (struct value_read *read = value->reads, *next; read; read = next) {
        next = read->next;
        free(read);
    }
    value->reads = NULL;
}

void value_destroy(struct value *value) {
    if (!value) return;
    drop_all(value);
    value->destroyed = true;
    if (value->jobs > 0) return;
    ledger_destroy(value->ledger);
    value_store_destroy(value->store);
    value_load_deinit(&value->load);
    due_deinit(&value->due);
    free(value);
}

const struct value_stats *value_stats(struct value *value) {
    struct value_stats *stats = &value->stats;
    stats->queued = value->prompt_count + value->batch_count;
    stats->queued_guild = value->guild_count;
    stats->waiting_reads = value->read_count;
    stats->cached_rows = ledger_row_count(value->ledger);
    stats->resident_trades = ledger_resident_count(value->ledger, LEDGER_ROW_TRADE);
    stats->resident_auctions = ledger_resident_count(value->ledger, LEDGER_ROW_AUCTION);
    stats->resident_transfers = ledger_resident_count(value->ledger, LEDGER_ROW_TRANSFER);
    stats->batch_commands = &value->batch_commands;
    stats->load_ns = &value->load_ns;
    stats->store_ns = &value->store_ns;
    stats->command_ns = &value->command_ns;
    stats->guild_ns = &value->guild_ns;
    return stats;
}
