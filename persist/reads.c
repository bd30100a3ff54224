/* reads.c: see reads.h: the cache, and loading all but profiles and boards. */
#include "persist/reads.h"

#include <ev.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/shard.h"
#include "persist/reads_core.h"
#include "persist/reads_rows.h"
#include "persist/value.h"

_Static_assert(READS_KIND_COUNT <= CACHE_KINDS_MAX, "each has its times");
_Static_assert(READS_NAME_MAX <= CACHE_TEXT_MAX, "names are keys");

/* --- life */

static struct cache *create_cache(const struct reads_config *config) {
    uint32_t ttl_ms = config->ttl_ms ? config->ttl_ms : READS_TTL_MS;
    struct cache_config cache = {.entries_max = config->entries_max ? config->entries_max : READS_ENTRIES_MAX,
                                 .bytes_max = READS_BYTES_MAX,
                                 .loads_max = READS_LOADS_MAX,
                                 .waiters_max = 2 * READS_ASKED_MAX,
                                 .stale_ms = READS_STALE_MS};
    for (unsigned kind = 0; kind < READS_KIND_COUNT; kind++)
        cache.kinds[kind] = (struct cache_times){ttl_ms, READS_NEGATIVE_MS};
    cache.kinds[READS_KIND_FOREIGN] = (struct cache_times){READS_FOREIGN_TTL_MS, READS_FOREIGN_TTL_MS};
    cache.kinds[READS_KIND_FOREIGN_NAME] = (struct cache_times){ttl_ms, READS_FOREIGN_TTL_MS};
    cache.kinds[READS_KIND_DAILY].ttl_ms = READS_DAILY_TTL_MS;
    cache.kinds[READS_KIND_BOARD] = (struct cache_times){READS_BOARD_TTL_MS, READS_BOARD_TTL_MS};
    randombytes_buf(cache.secret, sizeof cache.secret);
    return cache_create(&cache);
}

static void on_names_filled(void *ctx) {
    reads_warm_up(ctx);
}

struct reads *reads_create(const struct reads_config *config) {
    CHECK(config->shard_count > 0 && config->shard_index < config->shard_count);
    struct reads *reads = calloc(1, sizeof *reads);
    if (!reads) return NULL;
    reads->config = *config;
    if (!reads->config.warm_max) reads->config.warm_max = READS_WARM_MAX;
    pg_params_init(&reads->params);
    reads->cache = create_cache(config);
    reads->names = names_create(config->loop, config->pg, on_names_filled, reads);
    reads->foreign = calloc(config->shard_count, sizeof *reads->foreign);
    int result = pool_init(&reads->fetches, READS_LOADS_MAX, sizeof(struct reads_fetch));
    if (reads->cache && reads->names && reads->foreign && result == 0) return reads;
    reads_destroy(reads);
    return NULL;
}

static void end_ask(struct reads_ask *ask, int error, const struct cache_value *value) {
    struct reads *reads = ask->reads;
    if (ask->before) {
        ask->before->next = ask->next;
    } else {
        reads->asks = ask->next;
    }
    if (ask->next) ask->next->before = ask->before;
    reads->stats.asked--;
    ask->end(ask, error, value);
    free(ask);
}

void reads_destroy(struct reads *reads) {
    if (!reads) return;
    if (reads->config.abroad) abroad_abort(reads->config.abroad);
    reads->closing = true;
    cache_destroy(reads->cache);
    while (reads->asks) end_ask(reads->asks, MARCH_ERR_UNAVAILABLE, NULL);
    names_destroy(reads->names);
    pool_deinit(&reads->fetches);
    pg_params_deinit(&reads->params);
    free(reads->foreign);
    free(reads);
}

void reads_start(struct reads *reads) {
    names_start(reads->names);
}

/* --- asking the cache */

struct reads_meta reads_meta_of(const struct cache_value *value) {
    return (struct reads_meta){value->stale, value->age_ms};
}

struct reads_ask *reads_ask_create(struct reads *reads, void (*end)(struct reads_ask *, int, const struct cache_value *),
                                   void *ctx, uint64_t id) {
    struct reads_ask *ask = NULL;
    if (reads->stats.asked < READS_ASKED_MAX && !reads->closing) ask = malloc(sizeof *ask);
    if (!ask) {
        reads->stats.refused++;
        return NULL;
    }
    *ask = (struct reads_ask){.next = reads->asks, .reads = reads, .ctx = ctx, .id = id, .end = end};
    if (ask->next) ask->next->before = ask;
    reads->asks = ask;
    reads->stats.asked++;
    return ask;
}

static void on_cached(void *ctx, int error, const struct cache_value *value) {
    end_ask(ctx, error ? error : value->bytes ? 0 : MARCH_ERR_NOT_FOUND, error || !value->bytes ? NULL : value);
}

static void fetch(struct reads *reads, const struct cache_key *key, struct handle load);

void reads_ask_cache(struct reads_ask *ask, const struct cache_key *key) {
    struct reads *reads = ask->reads;
    struct cache_value value;
    struct handle load;
    switch (cache_get(reads->cache, key, mono_now(), on_cached, ask, &value, &load)) {
    case CACHE_HIT: on_cached(ask, 0, &value); break;
    case CACHE_LOAD: fetch(reads, key, load); break;
    case CACHE_WAIT: break;
    default: on_cached(ask, MARCH_ERR_FULL, NULL);
    }
}

void reads_loaded(struct reads *reads, struct handle load, const void *bytes, size_t len) {
    if (!reads->closing) cache_loaded(reads->cache, load, bytes, len, mono_now());
}

void reads_failed(struct reads *reads, struct handle load, int error) {
    if (!reads->closing) cache_failed(reads->cache, load, error, mono_now());
}

/* --- queries */

void reads_note_change(struct reads *reads, uint64_t id) {
    reads->changed[id % READS_CHANGED_SLOTS] = mono_now();
}

bool reads_has_changed(const struct reads *reads, uint64_t id) {
    struct mono changed = reads->changed[id % READS_CHANGED_SLOTS];
    return changed.ns != 0 && !mono_reached(mono_now(), mono_add_ms(changed, READS_LAG_MS));
}

int reads_query(struct reads *reads, const struct pg_call *calls, unsigned count, bool fresh, pg_done done, void *ctx) {
    reads->stats.queries++;
    struct pg *pg = reads->config.pg;
    if (reads->config.primary && (fresh || !pg_is_available(pg))) pg = reads->config.primary;
    int error = pg_run(pg, calls, count, PG_READ, READS_DEADLINE_MS, done, ctx);
    if (error) reads->stats.query_failures++;
    return error;
}

int reads_query_failed(struct reads *reads, const struct pg_reply *reply) {
    if (!reply->error) return 0;
    reads->stats.query_failures++;
    bool away = reply->error == MARCH_ERR_UNAVAILABLE || reply->error == MARCH_ERR_EXPIRED;
    if (!away)
        log_warn("reads.refused", "statement=%s sqlstate=%s", reply->failed ? reply->failed->name : "", reply->sqlstate);
    return away ? reply->error : MARCH_ERR_INVALID;
}

static struct reads_fetch take_fetch(struct reads_fetch *fetched) {
    struct reads_fetch copy = *fetched;
    struct pool *pool = &copy.reads->fetches;
    size_t index = (size_t)((unsigned char *)fetched - pool->objects) / pool->object_bytes;
    pool_give(pool, pool_handle(pool, (uint32_t)index));
    return copy;
}

static void loaded_json(const struct reads_fetch *f, char *json, size_t len) {
    if (json) {
        reads_loaded(f->reads, f->load, json, len);
    } else {
        reads_failed(f->reads, f->load, MARCH_ERR_INVALID);
    }
    free(json);
}

/* loaded_row ends a load by what reading its rows came to. */
static void loaded_row(const struct reads_fetch *f, int error, const void *bytes, size_t len) {
    if (error == MARCH_ERR_NOT_FOUND) {
        reads_loaded(f->reads, f->load, NULL, 0);
    } else if (error) {
        log_warn("reads.bad_row", "kind=%d id=%" PRIu64, (int)f->kind, f->id);
        reads_failed(f->reads, f->load, MARCH_ERR_INVALID);
    } else {
        reads_loaded(f->reads, f->load, bytes, len);
    }
}

static size_t guild_bytes(const struct reads_guild *guild) {
    return offsetof(struct reads_guild, members) + guild->member_count * sizeof *guild->members;
}

static size_t inventory_bytes(const struct reads_inventory *inventory) {
    return offsetof(struct reads_inventory, items) + inventory->item_count * sizeof *inventory->items;
}

static void on_reply(void *ctx, const struct pg_reply *reply) {
    struct reads_fetch f = take_fetch(ctx);
    int error = reads_query_failed(f.reads, reply);
    if (error) {
        reads_failed(f.reads, f.load, error);
        return;
    }
    PGresult *const *results = reply->results;
    struct reads_guild guild;
    struct reads_inventory inventory;
    uint64_t id;
    size_t len = 0;
    char *json;
    switch (f.kind) {
    case READS_KIND_GUILD:
        error = reads_row_guild(results[0], results[1], &guild);
        loaded_row(&f, error, &guild, error ? 0 : guild_bytes(&guild));
        break;
    case READS_KIND_INVENTORY:
        error = reads_row_inventory(f.id, results[0], results[1], &inventory);
        loaded_row(&f, error, &inventory, error ? 0 : inventory_bytes(&inventory));
        break;
    case READS_KIND_AUCTIONS:
        json = reads_row_auctions(results[0], &len);
        loaded_json(&f, json, len);
        break;
    case READS_KIND_DAILY:
        json = reads_row_daily(results[0], &len);
        loaded_json(&f, json, len);
        break;
    default: /* names */
        error = reads_row_id(results[0], &id);
        if (error == MARCH_ERR_NOT_FOUND && names_is_complete(f.reads->names)) f.reads->stats.names_wrong++;
        loaded_row(&f, error, &id, sizeof id);
    }
}

/* changed_id names what a key is of to reads_note_change: names by how they begin, all pages of auctions as one. */
static uint64_t changed_id(const struct cache_key *key) {
    if (key->kind == READS_KIND_AUCTIONS) return 0;
    return key->kind == READS_KIND_NAME || key->kind == READS_KIND_GUILD_NAME ? (uint64_t)(unsigned char)key->text[0]
                                                                              : key->id;
}

/* send_query runs one or two statements with the parameters that stand in reads->params. */
static void send_query(struct reads *reads, const struct cache_key *key, struct handle load,
                       const struct pg_statement *first, const struct pg_statement *second) {
    struct reads_fetch *f = pool_get(&reads->fetches, pool_take(&reads->fetches));
    CHECK(f != NULL); /* there are as many as loads */
    *f = (struct reads_fetch){reads, load, (enum reads_kind)key->kind, key->id};
    const struct pg_call calls[] = {{first, &reads->params}, {second, &reads->params}};
    int error = reads_query(reads, calls, second ? 2 : 1, reads_has_changed(reads, changed_id(key)), on_reply, f);
    if (error) reads_failed(reads, take_fetch(f).load, error);
}

/* --- guilds and inventories by value.h */

static int error_of(enum ledger_status status) {
    return status == LEDGER_OK          ? 0
           : status == LEDGER_NOT_FOUND ? MARCH_ERR_NOT_FOUND
           : status == LEDGER_BUSY      ? MARCH_ERR_FULL
                                        : MARCH_ERR_UNAVAILABLE;
}

static void on_account(void *ctx, enum ledger_status status, const struct ledger_holding *holding) {
    struct reads_fetch f = take_fetch(ctx);
    int error = error_of(status);
    if (error) {
        reads_failed(f.reads, f.load, error);
        return;
    }
    struct reads_inventory inventory = {.player = f.id};
    if (holding) {
        CHECK(holding->item_count <= LEDGER_ACCOUNT_ITEMS_MAX);
        inventory.gold = holding->gold;
        inventory.version = holding->version;
        inventory.item_count = holding->item_count;
        for (uint32_t i = 0; i < holding->item_count; i++) inventory.items[i] = holding->items[i];
    }
    reads_loaded(f.reads, f.load, &inventory, inventory_bytes(&inventory));
}

static void on_guild(void *ctx, enum ledger_status status, const struct ledger_guild *from) {
    struct reads_fetch f = take_fetch(ctx);
    int error = error_of(status);
    if (error && error != MARCH_ERR_NOT_FOUND) {
        reads_failed(f.reads, f.load, error);
        return;
    }
    if (error || !from) {
        reads_loaded(f.reads, f.load, NULL, 0);
        return;
    }
    struct reads_guild guild = {.guild = f.id, .leader = from->leader, .version = from->version};
    memcpy(guild.name, from->name, sizeof from->name);
    guild.member_count = from->member_count;
    memcpy(guild.members, from->members, from->member_count * sizeof *from->members);
    reads_loaded(f.reads, f.load, &guild, guild_bytes(&guild));
}

static void fetch_value(struct reads *reads, const struct cache_key *key, struct handle load) {
    struct reads_fetch *f = pool_get(&reads->fetches, pool_take(&reads->fetches));
    CHECK(f != NULL);
    *f = (struct reads_fetch){reads, load, (enum reads_kind)key->kind, key->id};
    if (key->kind == READS_KIND_GUILD) {
        value_guild(reads->config.value, key->id, on_guild, f);
    } else {
        value_account(reads->config.value, LEDGER_OWNER_PLAYER, key->id, on_account, f);
    }
}

/* --- what is loaded how */

static void fetch_auctions(struct reads *reads, const struct cache_key *key, struct handle load) {
    unsigned kind = 0, count = 0;
    CHECK(sscanf(key->text, "%u/%u", &kind, &count) == 2);
    pg_params_int8(&reads->params, (int64_t)key->id);
    pg_params_int4(&reads->params, (int32_t)count);
    if (kind) pg_params_int4(&reads->params, (int32_t)kind);
    send_query(reads, key, load, kind ? &READS_AUCTIONS_KIND : &READS_AUCTIONS, NULL);
}

static void fetch(struct reads *reads, const struct cache_key *key, struct handle load) {
    pg_params_reset(&reads->params);
    bool by_value = reads->config.value && value_is_started(reads->config.value);
    switch ((enum reads_kind)key->kind) {
    case READS_KIND_PROFILE:
    case READS_KIND_FOREIGN: reads_queue_profile(reads, (enum reads_kind)key->kind, key->id, load); break;
    case READS_KIND_FOREIGN_NAME: reads_fetch_foreign_name(reads, load, key->text); break;
    case READS_KIND_NAME:
    case READS_KIND_GUILD_NAME:
        pg_params_text(&reads->params, key->text, strlen(key->text));
        send_query(reads, key, load, key->kind == READS_KIND_NAME ? &READS_NAME : &READS_GUILD_NAME, NULL);
        break;
    case READS_KIND_INVENTORY:
    case READS_KIND_GUILD:
        if (by_value) {
            fetch_value(reads, key, load);
            break;
        }
        pg_params_int8(&reads->params, (int64_t)key->id);
        if (key->kind == READS_KIND_GUILD) {
            send_query(reads, key, load, &READS_GUILD, &READS_GUILD_MEMBERS);
        } else {
            send_query(reads, key, load, &READS_ACCOUNT, &READS_ITEMS);
        }
        break;
    case READS_KIND_AUCTIONS: fetch_auctions(reads, key, load); break;
    case READS_KIND_DAILY:
        pg_params_int4(&reads->params, (int32_t)key->id);
        send_query(reads, key, load, &READS_DAILY, NULL);
        break;
    case READS_KIND_BOARD: reads_fetch_board(reads, load, key); break;
    default: CHECK(false);
    }
}

/* --- names */

static void end_id(struct reads_ask *ask, int error, const struct cache_value *value) {
    uint64_t id = 0;
    if (value) memcpy(&id, value->bytes, sizeof id);
    ask->done.id(ask->ctx, error, id);
}

static void ask_name(struct reads *reads, enum reads_kind kind, const char *name,
                     void (*end)(struct reads_ask *, int, const struct cache_value *), reads_id_done done, void *ctx) {
    struct reads_ask *ask = reads_ask_create(reads, end, ctx, 0);
    if (!ask) {
        done(ctx, MARCH_ERR_FULL, 0);
        return;
    }
    ask->done.id = done;
    memcpy(ask->name, name, strlen(name) + 1);
    reads_ask_cache(ask, &(struct cache_key){.kind = kind, .text = ask->name});
}

/* end_local_name goes on to the other shards where this one does not know a name. */
static void end_local_name(struct reads_ask *ask, int error, const struct cache_value *value) {
    if (error == MARCH_ERR_NOT_FOUND) {
        ask_name(ask->reads, READS_KIND_FOREIGN_NAME, ask->name, end_id, ask->done.id, ask->ctx);
    } else {
        end_id(ask, error, value);
    }
}

static bool surely_absent(struct reads *reads, enum name_kind kind, const char *name) {
    bool absent = !names_may_exist(reads->names, kind, name);
    if (absent) reads->stats.names_denied++;
    return absent;
}

void reads_player_named(struct reads *reads, const char *name, bool local, reads_id_done done, void *ctx) {
    size_t len = strlen(name);
    bool foreign = !local && reads->config.abroad && reads->config.shard_count > 1;
    if (len == 0 || len > READS_NAME_MAX) {
        done(ctx, MARCH_ERR_NOT_FOUND, 0);
    } else if (!surely_absent(reads, NAME_PLAYER, name)) {
        ask_name(reads, READS_KIND_NAME, name, foreign ? end_local_name : end_id, done, ctx);
    } else if (foreign) {
        ask_name(reads, READS_KIND_FOREIGN_NAME, name, end_id, done, ctx);
    } else {
        done(ctx, MARCH_ERR_NOT_FOUND, 0);
    }
}

void reads_guild_named(struct reads *reads, const char *name, reads_id_done done, void *ctx) {
    size_t len = strlen(name);
    if (len == 0 || len > READS_NAME_MAX || surely_absent(reads, NAME_GUILD, name)) {
        done(ctx, MARCH_ERR_NOT_FOUND, 0);
    } else {
        ask_name(reads, READS_KIND_GUILD_NAME, name, end_id, done, ctx);
    }
}

/* --- the rest */

static void end_inventory(struct reads_ask *ask, int error, const struct cache_value *value) {
    struct reads_inventory inventory;
    struct reads_meta meta = {0};
    if (value) {
        memcpy(&inventory, value->bytes, value->len);
        meta = reads_meta_of(value);
    }
    ask->done.inventory(ask->ctx, error, value ? &inventory : NULL, meta);
}

void reads_inventory(struct reads *reads, uint64_t player, reads_inventory_done done, void *ctx) {
    struct reads_ask *ask = reads_is_home(reads, player) ? reads_ask_create(reads, end_inventory, ctx, player) : NULL;
    if (!ask) {
        done(ctx, reads_is_home(reads, player) ? MARCH_ERR_FULL : MARCH_ERR_NOT_FOUND, NULL, (struct reads_meta){0});
        return;
    }
    ask->done.inventory = done;
    reads_ask_cache(ask, &(struct cache_key){.kind = READS_KIND_INVENTORY, .id = player});
}

static void end_guild(struct reads_ask *ask, int error, const struct cache_value *value) {
    struct reads_guild guild;
    struct reads_meta meta = {0};
    if (value) {
        memcpy(&guild, value->bytes, value->len);
        meta = reads_meta_of(value);
    }
    ask->done.guild(ask->ctx, error, value ? &guild : NULL, meta);
}

void reads_guild(struct reads *reads, uint64_t guild, reads_guild_done done, void *ctx) {
    struct reads_ask *ask = reads_ask_create(reads, end_guild, ctx, guild);
    if (!ask) {
        done(ctx, MARCH_ERR_FULL, NULL, (struct reads_meta){0});
        return;
    }
    ask->done.guild = done;
    reads_ask_cache(ask, &(struct cache_key){.kind = READS_KIND_GUILD, .id = guild});
}

static void end_json(struct reads_ask *ask, int error, const struct cache_value *value) {
    struct reads_meta meta = {0};
    if (value) meta = reads_meta_of(value);
    ask->done.json(ask->ctx, error, value ? value->bytes : NULL, value ? value->len : 0, meta);
}

static void ask_json(struct reads *reads, const struct cache_key *key, reads_json_done done, void *ctx) {
    struct reads_ask *ask = reads_ask_create(reads, end_json, ctx, key->id);
    if (!ask) {
        done(ctx, MARCH_ERR_FULL, NULL, 0, (struct reads_meta){0});
        return;
    }
    ask->done.json = done;
    reads_ask_cache(ask, key);
}

void reads_auctions(struct reads *reads, uint32_t item_kind, uint64_t after, uint32_t count, reads_json_done done,
                    void *ctx) {
    CHECK(count > 0 && count <= READS_PAGE_MAX + 1 && item_kind <= INT32_MAX && after <= INT64_MAX);
    char text[32];
    snprintf(text, sizeof text, "%u/%u", item_kind, count);
    ask_json(reads, &(struct cache_key){READS_KIND_AUCTIONS, after, text}, done, ctx);
}

void reads_daily(struct reads *reads, uint32_t days, reads_json_done done, void *ctx) {
    CHECK(days > 0 && days <= READS_DAYS_MAX);
    ask_json(reads, &(struct cache_key){READS_KIND_DAILY, days, NULL}, done, ctx);
}

/* --- changes */

static void drop(struct reads *reads, enum reads_kind kind, uint64_t id, const char *text) {
    const struct cache_key key = {kind, id, text};
    cache_invalidate(reads->cache, &key);
    reads_note_change(reads, changed_id(&key));
}

void reads_player_changed(struct reads *reads, uint64_t player) {
    drop(reads, READS_KIND_PROFILE, player, NULL);
    drop(reads, READS_KIND_FOREIGN, player, NULL);
}

void reads_account_changed(struct reads *reads, uint32_t owner_kind, uint64_t owner) {
    if (owner_kind != LEDGER_OWNER_PLAYER) return;
    drop(reads, READS_KIND_INVENTORY, owner, NULL);
    drop(reads, READS_KIND_PROFILE, owner, NULL); /* which tells the guild */
}

void reads_guild_changed(struct reads *reads, uint64_t guild) {
    drop(reads, READS_KIND_GUILD, guild, NULL);
}

void reads_auctions_changed(struct reads *reads) {
    cache_invalidate_kind(reads->cache, READS_KIND_AUCTIONS);
    reads_note_change(reads, 0);
}

void reads_all_changed(struct reads *reads) {
    cache_clear(reads->cache);
}

void reads_player_created(struct reads *reads, uint64_t player, const char *name) {
    names_add(reads->names, NAME_PLAYER, name);
    reads_player_changed(reads, player);
    if (strlen(name) <= READS_NAME_MAX) drop(reads, READS_KIND_NAME, 0, name);
}

void reads_guild_created(struct reads *reads, uint64_t guild, const char *name) {
    names_add(reads->names, NAME_GUILD, name);
    reads_guild_changed(reads, guild);
    if (strlen(name) <= READS_NAME_MAX) drop(reads, READS_KIND_GUILD_NAME, 0, name);
}

static uint64_t id_of(const char *text) {
    char *end;
    uint64_t id = strtoull(text, &end, 10);
    return *end == '\0' && end != text ? id : 0;
}

bool reads_heard(struct reads *reads, const char *payload) {
    const char *blank = strchr(payload, ' ');
    size_t len = blank ? (size_t)(blank - payload) : strlen(payload);
    uint64_t id = blank ? id_of(blank + 1) : 0;
    if (len == 3 && strncmp(payload, "all", len) == 0) {
        reads_all_changed(reads);
    } else if (len == 7 && strncmp(payload, "auction", len) == 0) {
        reads_auctions_changed(reads);
    } else if (id && len == 6 && strncmp(payload, "player", len) == 0) {
        if (reads->config.value) value_forget(reads->config.value, LEDGER_OWNER_PLAYER, id);
        reads_account_changed(reads, LEDGER_OWNER_PLAYER, id);
        reads_player_changed(reads, id);
    } else if (id && len == 5 && strncmp(payload, "guild", len) == 0) {
        if (reads->config.value) value_forget(reads->config.value, LEDGER_OWNER_GUILD, id);
        reads_guild_changed(reads, id);
    } else {
        return false;
    }
    return true;
}

/* --- small things */

uint32_t reads_home(const struct reads *reads, uint64_t player) {
    return shard_of_player(player, reads->config.shard_count);
}

bool reads_is_home(const struct reads *reads, uint64_t player) {
    return player_id_valid(player) && reads_home(reads, player) == reads->config.shard_index;
}

struct reads_stats reads_stats_get(const struct reads *reads) {
    struct reads_stats stats = reads->stats;
    stats.cache = *cache_stats(reads->cache);
    stats.names = names_count(reads->names);
    stats.names_complete = names_is_complete(reads->names);
    return stats;
}
