/* value_batch.c: a batch from its commands to their answers, and everything that can go wrong on the way. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/value_state.h"

#define ROUNDS_MAX        8 /* loads of a batch: a guild's leader that leaves needs 3 */
#define LOAD_DEADLINE_MS  5000
#define START_DEADLINE_MS 30000

static void set_state(struct value *value, enum value_state state) {
    CHECK(value->state != VALUE_FENCED);
    value->state = state;
}

/* run submits the job that is now under way; there is never more than one. */
static int run(struct value *value, const struct pg_call *calls, unsigned count, enum pg_mode mode, uint32_t deadline_ms,
               pg_done done) {
    CHECK(value->jobs == 0);
    value->job_at = mono_now();
    int error = pg_run(value->pg, calls, count, mode, deadline_ms, done, value);
    if (error == 0) value->jobs = 1;
    return error;
}

/* came_back tells whether anybody still waits for a job's reply. */
static bool came_back(struct value *value) {
    value->jobs = 0;
    if (!value->destroyed) return true;
    value_destroy(value);
    return false;
}

/* --- failures */

/* wait_a_while stops trying until the back-off is over. */
static void wait_a_while(struct value *value, enum value_state state) {
    set_state(value, state);
    ev_timer_stop(value->loop, &value->retry);
    ev_timer_set(&value->retry, backoff_next_ms(&value->backoff) / 1000.0, 0);
    ev_timer_start(value->loop, &value->retry);
}

/* put_back returns the batch to the front of the queue. With `status` other than OK those with a deadline, clients that is,
 * are answered instead; grants and transfers wait. */
static void put_back(struct value *value, enum ledger_status status, bool check_keys) {
    uint32_t count = value->batch_count;
    value->batch_count = value->applied_count = 0;
    for (uint32_t i = count; i > 0; i--) {
        struct value_pending *pending = value->batch[i - 1];
        pending->check_key = pending->check_key || check_keys;
        if (pending->answered || (status != LEDGER_OK && pending->deadline_ns != 0))
            value_end(value, pending, status);
        else
            value_requeue(value, pending);
    }
}

static void fence(struct value *value) {
    if (value->state == VALUE_FENCED) return;
    log_error("value.fenced", "epoch=%" PRIu64 " action=\"nothing is stored any more\"", value->config.epoch);
    value->state = VALUE_FENCED;
    ledger_clear(value->ledger);
    for (uint32_t i = 0; i < value->batch_count; i++) value_end(value, value->batch[i], LEDGER_UNAVAILABLE);
    value->batch_count = value->applied_count = 0;
    value_refuse_all(value);
    if (value->hooks.fenced) value->hooks.fenced(value->hooks.ctx);
}

/* give_up ends the batch because the database surely did nothing and will not for a while. */
static void give_up(struct value *value) {
    value->stats.failures++;
    put_back(value, LEDGER_UNAVAILABLE, false);
    value_refuse_reads(value);
    wait_a_while(value, VALUE_WAITING);
}

/* start_over forgets everything, for it can't be trusted, and begins with the first load. */
static void start_over(struct value *value) {
    ledger_clear(value->ledger);
    due_clear(&value->due);
    set_state(value, VALUE_STARTING);
    value_start(value);
}

/* --- the first load */

static void due_of_row(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    struct value *value = ctx;
    bool is_auction = key->type == LEDGER_ROW_AUCTION;
    uint64_t at_ms = is_auction ? body->auction.ends_ms : body->trade.expires_ms;
    due_push(&value->due, (struct due_entry){.at_ms = at_ms, .id = key->id, .is_auction = is_auction});
}

static void started(struct value *value) {
    due_clear(&value->due);
    ledger_each(value->ledger, LEDGER_ROW_TRADE, due_of_row, value);
    ledger_each(value->ledger, LEDGER_ROW_AUCTION, due_of_row, value);
    backoff_reset(&value->backoff);
    value->was_started = true;
    set_state(value, VALUE_IDLE);
    if (value->hooks.started) value->hooks.started(value->hooks.ctx);
    value_pump(value);
}

static void start_done(void *ctx, const struct pg_reply *reply) {
    struct value *value = ctx;
    if (!came_back(value)) return;
    int error = reply->error;
    if (error == MARCH_ERR_FENCED) {
        fence(value);
        return;
    }
    if (error == 0) error = value_load_enter_all(reply, value->ledger, &value->stored_id);
    if (error == 0) {
        started(value);
        return;
    }
    log_warn("value.load_failed", "error=\"%s\" message=%s", march_error_text(error), LOG_QUOTE(reply->message));
    ledger_clear(value->ledger);
    wait_a_while(value, VALUE_STARTING);
}

void value_start(struct value *value) {
    CHECK(value->state == VALUE_STARTING);
    if (value->jobs > 0) return;
    value_load_build_all(&value->load, value->config.epoch);
    int error = run(value, value->load.calls, value->load.call_count, PG_TRANSACTION, START_DEADLINE_MS, start_done);
    if (error != 0) wait_a_while(value, VALUE_STARTING);
}

/* --- told */

static void tell_changes(struct value *value) {
    const struct value_hooks *hooks = &value->hooks;
    for (uint32_t i = 0; i < ledger_change_count(value->ledger); i++) {
        struct ledger_change change = ledger_change_at(value->ledger, i);
        switch (change.key.type) {
        case LEDGER_ROW_ACCOUNT:
            if (change.key.owner_kind > LEDGER_OWNER_GUILD || !hooks->changed) break;
            hooks->changed(hooks->ctx, &(struct value_change){.owner_kind = (enum ledger_owner_kind)change.key.owner_kind,
                                                              .owner = change.key.id,
                                                              .before = change.before ? &change.before->account : NULL,
                                                              .after = change.after ? &change.after->account : NULL});
            break;
        case LEDGER_ROW_TRADE:
        case LEDGER_ROW_AUCTION:
            if (!change.before && change.after) due_of_row(value, &change.key, change.after);
            break;
        case LEDGER_ROW_TRANSFER:
            if (!change.before && change.after && hooks->transfer_created)
                hooks->transfer_created(hooks->ctx, &change.after->transfer);
            if (change.before && !change.after && hooks->transfer_closed) hooks->transfer_closed(hooks->ctx, change.key.id);
            break;
        default: break;
        }
    }
}

static void tell_notices(struct value *value) {
    uint32_t count = 0;
    const struct ledger_notice *notices = ledger_notices(value->ledger, &count);
    for (uint32_t i = 0; i < count && value->hooks.notice; i++) value->hooks.notice(value->hooks.ctx, &notices[i]);
    for (uint32_t i = 0; i < ledger_change_count(value->ledger) && value->hooks.guild_changed; i++) {
        struct ledger_change change = ledger_change_at(value->ledger, i);
        if (change.key.type == LEDGER_ROW_GUILD) value->hooks.guild_changed(value->hooks.ctx, change.key.id);
    }
}

/* after_expiry looks at what became of an end that was due: who had no room is tried again later. */
static void after_expiry(struct value *value, const struct value_pending *pending) {
    enum ledger_verb verb = pending->command.verb;
    enum ledger_status status = pending->result.status;
    if (verb != LEDGER_TRADE_EXPIRE && verb != LEDGER_AUCTION_EXPIRE) return;
    if (status == LEDGER_OK || status == LEDGER_NOT_FOUND) return;
    uint64_t later_ms = status == LEDGER_CONFLICT ? 1000 : 60000;
    due_push(&value->due, (struct due_entry){.at_ms = value_wall_ms(value) + later_ms,
                                             .id = pending->command.object,
                                             .is_auction = verb == LEDGER_AUCTION_EXPIRE});
}

/* finish ends a batch that is stored, or that had nothing to store. What was not applied goes back to the queue. */
static void finish(struct value *value) {
    uint32_t events = 0, applied = value->applied_count;
    struct value_pending *done[LEDGER_BATCH_MAX];
    ledger_commit(value->ledger);
    (void)ledger_events(value->ledger, &events);
    value->stats.events += events;
    value->tries = 0;
    for (uint32_t i = 0; i < applied; i++) done[i] = value->batch[i];
    for (uint32_t i = value->batch_count; i > applied; i--) value_requeue(value, value->batch[i - 1]);
    value->batch_count = value->applied_count = 0;
    tell_changes(value);
    tell_notices(value);
    for (uint32_t i = 0; i < applied; i++) {
        after_expiry(value, done[i]);
        value_answer(value, done[i], &done[i]->result);
        free(done[i]);
    }
    if (events > 0 && value->hooks.committed) value->hooks.committed(value->hooks.ctx, events);
    value->stats.evicted += ledger_trim(value->ledger);
    if (value->singles > 0) value->singles--;
    set_state(value, VALUE_IDLE);
    value_pump(value);
}

/* --- storing */

/* conflicted tries the batch again from the beginning, up to the limit; then clients are told, and the rest waits. */
static void conflicted(struct value *value) {
    value->stats.conflicts++;
    if (++value->tries < VALUE_TRIES_MAX) {
        put_back(value, LEDGER_OK, true);
    } else {
        value->tries = 0;
        put_back(value, LEDGER_CONFLICT, true);
    }
    start_over(value);
}

/* refused is a mistake of ours, or of what one command says: commands are done one by one, and the one is not done. */
static void refused(struct value *value, const struct pg_reply *reply) {
    log_error("value.refused", "sqlstate=%s statement=%s commands=%" PRIu32 " message=%s", reply->sqlstate,
              reply->failed ? reply->failed->name : "-", value->applied_count, LOG_QUOTE(reply->message));
    value->stats.failures++;
    ledger_rollback(value->ledger);
    if (value->applied_count > 1) {
        value->singles = value->applied_count;
        put_back(value, LEDGER_OK, false);
        set_state(value, VALUE_IDLE);
        value_pump(value);
        return;
    }
    if (value->singles > 0) value->singles--;
    struct value_pending *guilty = value->batch[0];
    uint32_t count = value->batch_count;
    value->batch_count = value->applied_count = 0;
    for (uint32_t i = count; i > 1; i--) value_requeue(value, value->batch[i - 1]);
    value_end(value, guilty, LEDGER_UNAVAILABLE);
    wait_a_while(value, VALUE_WAITING);
}

static void plan(struct value *value);

static void store_done(void *ctx, const struct pg_reply *reply) {
    struct value *value = ctx;
    if (!came_back(value)) return;
    CHECK(value->state == VALUE_STORING);
    histogram_record(&value->store_ns, mono_since_ns(mono_now(), value->job_at));
    switch (reply->error) {
    case 0:
        value->stats.stored++;
        value->stored_id = value->next_stored_id;
        backoff_reset(&value->backoff);
        finish(value);
        break;
    case MARCH_ERR_EXISTS:
        if (!value_store_is_key_conflict(reply) || ++value->tries >= VALUE_TRIES_MAX) {
            conflicted(value);
            break;
        }
        value->stats.key_conflicts++;
        ledger_rollback(value->ledger);
        for (uint32_t i = 0; i < value->batch_count; i++) value->batch[i]->check_key = true;
        value->rounds = value->applied_count = 0;
        plan(value);
        break;
    case MARCH_ERR_CONFLICT: conflicted(value); break;
    case MARCH_ERR_FENCED: fence(value); break;
    case MARCH_ERR_EXPIRED:
        value->stats.unknown_outcomes++;
        log_warn("value.outcome_unknown", "commands=%" PRIu32, value->applied_count);
        put_back(value, LEDGER_OK, true);
        start_over(value);
        break;
    case MARCH_ERR_INVALID: refused(value, reply); break;
    default: ledger_rollback(value->ledger); give_up(value);
    }
}

/* --- applying */

/* apply does the batch in memory, up to a command that needs rows which showed only now. */
static void apply(struct value *value) {
    struct ledger_need needs[LEDGER_NEEDS_MAX];
    uint64_t now_ms = value_wall_ms(value);
    ledger_begin(value->ledger);
    for (value->applied_count = 0; value->applied_count < value->batch_count; value->applied_count++) {
        struct value_pending *pending = value->batch[value->applied_count];
        if (ledger_needs(value->ledger, &pending->command, needs) > 0) break;
        (void)ledger_apply(value->ledger, &pending->command, now_ms, &pending->result);
    }
    value->next_stored_id = ledger_next_id(value->ledger);
    if (value->next_stored_id <= value->stored_id) value->next_stored_id = value->stored_id + 1;
    ledger_set_next_id(value->ledger, value->next_stored_id);
    const struct pg_call *calls = NULL;
    unsigned count =
        value_store_build(value->store, value->ledger, value->config.epoch, value->stored_id, value->next_stored_id, &calls);
    if (value->applied_count > 0) {
        value->stats.batches++;
        histogram_record(&value->batch_commands, value->applied_count);
    }
    if (count == 0) {
        finish(value);
        return;
    }
    set_state(value, VALUE_STORING);
    if (run(value, calls, count, PG_TRANSACTION, value->config.deadline_ms, store_done) == 0) return;
    ledger_rollback(value->ledger);
    give_up(value);
}

/* --- loading */

static void load_done(void *ctx, const struct pg_reply *reply) {
    struct value *value = ctx;
    if (!came_back(value)) return;
    CHECK(value->state == VALUE_LOADING);
    histogram_record(&value->load_ns, mono_since_ns(mono_now(), value->job_at));
    int error = reply->error;
    if (error == 0) error = value_load_enter(&value->load, reply, value->ledger);
    if (error != 0) {
        log_warn("value.load_failed", "error=\"%s\" message=%s", march_error_text(error), LOG_QUOTE(reply->message));
        give_up(value);
        return;
    }
    for (uint32_t i = 0; i < value->batch_count; i++) value->batch[i]->check_key = false;
    plan(value);
}

/* plan lists what the batch and the reads lack. */
static void plan(struct value *value) {
    struct ledger_need needs[LEDGER_NEEDS_MAX];
    value_load_reset(&value->load);
    value_answer_reads(value);
    for (uint32_t i = 0; i < value->batch_count; i++) {
        const struct ledger_command *command = &value->batch[i]->command;
        if (value->batch[i]->check_key && command->domain != LEDGER_DOMAIN_NONE)
            value_load_add_answer(&value->load, command->domain, command->player, command->key);
        unsigned count = ledger_needs(value->ledger, command, needs);
        for (unsigned j = 0; j < count; j++) value_load_add(&value->load, &needs[j]);
        if (count == 0 && value->rounds == 0) value->stats.cached++;
    }
    if (value_load_count(&value->load) == 0 || value->rounds == ROUNDS_MAX) {
        apply(value);
        return;
    }
    value->rounds++;
    value_load_build(&value->load);
    value->stats.loads++;
    value->stats.rows_loaded += value_load_count(&value->load);
    set_state(value, VALUE_LOADING);
    if (run(value, value->load.calls, value->load.call_count, PG_READ, LOAD_DEADLINE_MS, load_done) != 0) give_up(value);
}

void value_forget_now(struct value *value) {
    if (value->state != VALUE_IDLE && value->state != VALUE_WAITING) return;
    bool all = value->forget_count > VALUE_FORGET_MAX;
    uint32_t count = all ? 0 : value->forget_count;
    value->forget_count = 0;
    if (all) {
        start_over(value);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_key key = value->forget[i];
        ledger_forget(value->ledger, &key);
        if (key.type == LEDGER_ROW_ACCOUNT && value->hooks.forgotten)
            value->hooks.forgotten(value->hooks.ctx, (enum ledger_owner_kind)key.owner_kind, key.id);
    }
}

void value_pump(struct value *value) {
    if (value->forget_count > 0) value_forget_now(value);
    if (value->state != VALUE_IDLE) return;
    uint32_t limit = value->singles > 0 ? 1 : LEDGER_BATCH_MAX;
    value->rounds = value->batch_count = 0;
    value_open_window(value);
    while (value->batch_count < limit) {
        struct value_pending *pending = value_take(value);
        if (!pending) break;
        value->batch[value->batch_count++] = pending;
    }
    if (value->batch_count > 0 || value->reads) plan(value);
}
