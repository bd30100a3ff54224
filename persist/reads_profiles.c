/* reads_profiles.c: profiles, one or many, of this shard and of others. Those that are asked for together are loaded
 * together: one query, and one request to each other shard. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/shard.h"
#include "common/text.h"
#include "persist/reads_core.h"
#include "persist/reads_json.h"
#include "persist/reads_rows.h"

/* --- calls of reads_profiles */

struct batch;

struct slot {
    struct batch *batch;
    struct reads_ask *ask;
};

struct batch {
    struct reads *reads;
    reads_profiles_done done;
    void *ctx;
    uint32_t count, left;
    struct slot slots[READS_PROFILES_MAX];
    struct reads_profile_result results[READS_PROFILES_MAX];
};

static void finish_one(struct batch *batch) {
    if (--batch->left > 0) return;
    batch->done(batch->ctx, batch->results, batch->count);
    free(batch);
}

static void add_live(const struct reads *reads, struct reads_profile *profile) {
    struct reads_live live;
    if (!reads->config.live || !reads_is_home(reads, profile->player)) return;
    if (!reads->config.live(reads->config.ctx, profile->player, &live)) return;
    profile->experience = live.experience;
    profile->level = live.level;
    profile->online = live.online;
}

static void end_profile(struct reads_ask *ask, int error, const struct cache_value *value) {
    struct slot *slot = ask->ctx;
    struct batch *batch = slot->batch;
    struct reads_profile_result *result = &batch->results[slot - batch->slots];
    result->error = error;
    if (value) {
        CHECK(value->len == sizeof result->profile);
        memcpy(&result->profile, value->bytes, sizeof result->profile);
        result->meta = reads_meta_of(value);
        add_live(batch->reads, &result->profile);
    }
    finish_one(batch);
}

static void ask_one(struct batch *batch, uint32_t index, bool local) {
    struct reads *reads = batch->reads;
    struct reads_profile_result *result = &batch->results[index];
    uint64_t player = result->profile.player;
    bool home = reads_is_home(reads, player);
    result->error = MARCH_ERR_NOT_FOUND;
    if (player_id_valid(player) && (home || (!local && reads->config.abroad))) {
        struct slot *slot = &batch->slots[index];
        *slot = (struct slot){batch, reads_ask_create(reads, end_profile, slot, player)};
        result->error = MARCH_ERR_FULL;
        if (slot->ask) {
            reads_ask_cache(slot->ask, &(struct cache_key){home ? READS_KIND_PROFILE : READS_KIND_FOREIGN, player, NULL});
            return;
        }
    }
    finish_one(batch);
}

void reads_profiles(struct reads *reads, const uint64_t *players, uint32_t count, bool local, reads_profiles_done done,
                    void *ctx) {
    CHECK(count > 0 && count <= READS_PROFILES_MAX);
    struct batch *batch = malloc(sizeof *batch);
    if (!batch) {
        static const struct reads_profile_result none[READS_PROFILES_MAX];
        done(ctx, none, 0);
        return;
    }
    *batch = (struct batch){.reads = reads, .done = done, .ctx = ctx, .count = count, .left = count + 1};
    for (uint32_t i = 0; i < count; i++) batch->results[i].profile.player = players[i];
    for (uint32_t i = 0; i < count; i++) ask_one(batch, i, local);
    finish_one(batch); /* so that it is there until all were asked */
    reads_flush_profiles(reads);
}

/* --- loading those of this shard */

struct profile_load {
    struct reads *reads;
    uint32_t shard; /* of the others */
    struct reads_queue queue;
};

void reads_queue_profile(struct reads *reads, enum reads_kind kind, uint64_t player, struct handle load) {
    struct reads_queue *queue = kind == READS_KIND_PROFILE ? &reads->queue : &reads->foreign[reads_home(reads, player)];
    if (queue->count == READS_PROFILES_MAX) reads_flush_profiles(reads);
    queue->players[queue->count] = player;
    queue->loads[queue->count++] = load;
}

static void fail_all(struct profile_load *load, int error) {
    for (uint32_t i = 0; i < load->queue.count; i++) reads_failed(load->reads, load->queue.loads[i], error);
    free(load);
}

/* end_loaded gives each player that was asked for its row, or nothing. */
static void end_loaded(struct profile_load *load, const PGresult *result) {
    struct reads *reads = load->reads;
    int rows = pg_rows(result);
    struct reads_profile *profiles = calloc((size_t)rows + 1, sizeof *profiles);
    int error = profiles ? 0 : MARCH_ERR_FULL;
    for (int row = 0; !error && row < rows; row++) error = reads_row_profile(result, row, &profiles[row]);
    if (error) {
        log_warn("reads.bad_profile", "error=%s", march_error_text(error));
        free(profiles);
        fail_all(load, error);
        return;
    }
    for (uint32_t i = 0; i < load->queue.count; i++) {
        const struct reads_profile *found = NULL;
        for (int row = 0; !found && row < rows; row++)
            if (profiles[row].player == load->queue.players[i]) found = &profiles[row];
        reads_loaded(reads, load->queue.loads[i], found, sizeof *found);
    }
    free(profiles);
    free(load);
}

static void on_profiles(void *ctx, const struct pg_reply *reply) {
    struct profile_load *load = ctx;
    int error = reads_query_failed(load->reads, reply);
    if (error) {
        fail_all(load, error);
    } else {
        end_loaded(load, reply->results[0]);
    }
}

static void load_home(struct profile_load *load) {
    struct reads *reads = load->reads;
    bool fresh = false;
    for (uint32_t i = 0; i < load->queue.count; i++) fresh = fresh || reads_has_changed(reads, load->queue.players[i]);
    pg_params_reset(&reads->params);
    pg_params_u64_array(&reads->params, load->queue.players, load->queue.count);
    const struct pg_call call = {&READS_PROFILES, &reads->params};
    int error = reads_query(reads, &call, 1, fresh, on_profiles, load);
    if (error) fail_all(load, error);
}

/* --- loading those of other shards */

static void end_foreign(struct profile_load *load, const char *body, size_t len) {
    struct reads_profile_result results[READS_PROFILES_MAX];
    uint32_t count = load->queue.count;
    for (uint32_t i = 0; i < count; i++)
        results[i] = (struct reads_profile_result){MARCH_ERR_INVALID, {.player = load->queue.players[i]}, {0}};
    if (reads_json_read_profiles(body, len, results, count) != 0)
        log_warn("reads.bad_answer", "shard=%" PRIu32, load->shard);
    for (uint32_t i = 0; i < count; i++) {
        int error = results[i].error;
        if (error && error != MARCH_ERR_NOT_FOUND) {
            reads_failed(load->reads, load->queue.loads[i], error);
        } else {
            reads_loaded(load->reads, load->queue.loads[i], error ? NULL : &results[i].profile, sizeof results[i].profile);
        }
    }
    free(load);
}

static void on_foreign(void *ctx, int error, unsigned status, const char *body, size_t len) {
    struct profile_load *load = ctx;
    if (!error && status != 200) error = MARCH_ERR_UNAVAILABLE;
    if (error) {
        fail_all(load, error);
    } else {
        end_foreign(load, body, len);
    }
}

static void load_foreign(struct profile_load *load) {
    char target[READS_URL_MAX];
    struct text text;
    text_init(&text, target, sizeof target);
    for (uint32_t i = 0; i < load->queue.count; i++)
        text_append(&text, "%s%" PRIu64, i == 0 ? "/v1/players?local=1&ids=" : ",", load->queue.players[i]);
    CHECK(text_finish(&text) > 0);
    load->reads->stats.foreign++;
    int error = abroad_get(load->reads->config.abroad, load->shard, target, READS_DEADLINE_MS, on_foreign, load);
    if (error) fail_all(load, error);
}

static struct profile_load *take_queue(struct reads *reads, struct reads_queue *queue, uint32_t shard) {
    struct profile_load *load = malloc(sizeof *load);
    if (load) *load = (struct profile_load){reads, shard, *queue};
    struct reads_queue failed = *queue;
    queue->count = 0;
    for (uint32_t i = 0; !load && i < failed.count; i++) reads_failed(reads, failed.loads[i], MARCH_ERR_FULL);
    return load;
}

void reads_flush_profiles(struct reads *reads) {
    if (reads->queue.count > 0) {
        struct profile_load *load = take_queue(reads, &reads->queue, reads->config.shard_index);
        if (load) load_home(load);
    }
    for (uint32_t shard = 0; shard < reads->config.shard_count; shard++) {
        if (reads->foreign[shard].count == 0) continue;
        struct profile_load *load = take_queue(reads, &reads->foreign[shard], shard);
        if (load) load_foreign(load);
    }
}

/* --- names of other shards */

struct name_load {
    struct reads *reads;
    struct handle load;
    uint32_t left;
    uint64_t player; /* 0: not found yet */
    int error;       /* of a shard that did not say */
};

static void finish_name(struct name_load *name) {
    if (--name->left > 0) return;
    if (name->player) {
        reads_loaded(name->reads, name->load, &name->player, sizeof name->player);
    } else if (name->error) {
        reads_failed(name->reads, name->load, name->error);
    } else {
        reads_loaded(name->reads, name->load, NULL, 0);
    }
    free(name);
}

static void on_foreign_name(void *ctx, int error, unsigned status, const char *body, size_t len) {
    struct name_load *name = ctx;
    json_t *json = !error && status == 200 ? json_loadb(body, len, 0, NULL) : NULL;
    json_int_t player = json_integer_value(json_object_get(json, "player"));
    json_decref(json);
    if (player > 0) {
        name->player = (uint64_t)player;
    } else if (error || status != 404) {
        name->error = error ? error : MARCH_ERR_UNAVAILABLE;
    }
    finish_name(name);
}

void reads_fetch_foreign_name(struct reads *reads, struct handle load, const char *text) {
    struct name_load *name = malloc(sizeof *name);
    if (!name) {
        reads_failed(reads, load, MARCH_ERR_FULL);
        return;
    }
    *name = (struct name_load){reads, load, 1, 0, 0};
    char target[64 + 3 * READS_NAME_MAX] = "/v1/players?local=1&name=";
    struct text at = {.bytes = target, .size = sizeof target, .len = strlen(target)};
    for (; *text != '\0'; text++) text_append(&at, "%%%02X", (unsigned char)*text);
    CHECK(!at.overflow);
    for (uint32_t shard = 0; shard < reads->config.shard_count; shard++) {
        if (shard == reads->config.shard_index) continue;
        reads->stats.foreign++;
        int error = abroad_get(reads->config.abroad, shard, target, READS_DEADLINE_MS, on_foreign_name, name);
        if (error) {
            name->error = error;
        } else {
            name->left++;
        }
    }
    finish_name(name);
}

/* --- warming up */

static void nobody(void *ctx, int error, const struct cache_value *value) {
    (void)ctx, (void)error, (void)value;
}

static void on_seen(void *ctx, const struct pg_reply *reply) {
    struct reads *reads = ctx;
    if (reads_query_failed(reads, reply) != 0) return;
    int rows = pg_rows(reply->results[0]);
    for (int row = rows; row-- > 0;) { /* the last seen come in last, so they stay longest */
        struct reads_profile profile;
        struct cache_value value;
        struct handle load;
        if (reads_row_profile(reply->results[0], row, &profile) != 0) return;
        const struct cache_key key = {READS_KIND_PROFILE, profile.player, NULL};
        if (reads_has_changed(reads, profile.player)) continue; /* maybe after the query */
        if (cache_get(reads->cache, &key, mono_now(), nobody, NULL, &value, &load) == CACHE_LOAD)
            reads_loaded(reads, load, &profile, sizeof profile);
    }
    reads->stats.warm = true;
    log_info("reads.warm", "profiles=%d", rows);
}

void reads_warm_up(struct reads *reads) {
    pg_params_reset(&reads->params);
    pg_params_int4(&reads->params, (int32_t)reads->config.warm_max);
    const struct pg_call call = {&READS_SEEN, &reads->params};
    if (reads_query(reads, &call, 1, false, on_seen, reads) != 0) log_warn("reads.cold", "the database is away");
}
