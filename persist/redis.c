/* redis.c: see redis.h. */
#include "persist/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "persist/redis_link.h"

#define TICK_S        0.005 /* how exactly deadlines are kept */
#define SHA_BYTES     40
#define RETRY_BASE_MS 20

struct script {
    const char *source;
    char sha[SHA_BYTES + 1]; /* "" until the server has told it */
};

/* A command without an answer yet. */
struct pending {
    redis_done done; /* NULL: nobody waits (any more) */
    void *ctx;
    struct mono sent, deadline;
    bool counted; /* its end was told to the breaker */
    /* of a script that may have to be sent again; bytes NULL where not */
    unsigned script;
    uint32_t key_count, arg_count;
    char *bytes;
    size_t len;
};

struct watch {
    redis_watcher watcher;
    void *ctx;
};

struct redis {
    struct ev_loop *loop;
    struct redis_link link;
    struct breaker breaker;
    struct histogram *latency;
    struct pending *ring; /* oldest first */
    uint32_t head, tail, mask, in_flight_max;
    struct mono next_deadline; /* not later than the first in the ring */
    ev_timer tick;
    struct script scripts[REDIS_SCRIPTS_MAX];
    unsigned script_count;
    struct watch watches[REDIS_WATCHERS_MAX];
    unsigned watch_count;
    struct redis_request request; /* for commands of our own */
    struct redis_stats stats;
};

static uint32_t in_flight(const struct redis *redis) {
    return redis->tail - redis->head;
}

static void tell_watchers(struct redis *redis, bool available) {
    for (unsigned i = 0; i < redis->watch_count; i++) redis->watches[i].watcher(redis->watches[i].ctx, available);
}

/* settle ends a command that has left the ring. */
static void settle(struct redis *redis, struct pending *pending, int error, const struct redisReply *reply) {
    free(pending->bytes);
    if (error == 0) redis->stats.answers++;
    if (error == MARCH_ERR_INVALID) redis->stats.refusals++;
    if (error == MARCH_ERR_UNAVAILABLE) redis->stats.unavailable++;
    if (error == MARCH_ERR_EXPIRED && pending->done) redis->stats.unknown++;
    if (pending->done) pending->done(pending->ctx, error, reply);
}

/* admit tells whether a command may be submitted now. */
static int admit(struct redis *redis, struct mono now) {
    if (redis->link.state != REDIS_LINK_READY) {
        redis->stats.unavailable++;
        return MARCH_ERR_UNAVAILABLE;
    }
    if (in_flight(redis) == redis->in_flight_max) {
        redis->stats.full++;
        return MARCH_ERR_FULL;
    }
    if (!breaker_admit(&redis->breaker, now)) {
        redis->stats.unavailable++;
        return MARCH_ERR_UNAVAILABLE;
    }
    return 0;
}

static void push(struct redis *redis, const struct pending *pending) {
    if (redis->head == redis->tail || pending->deadline.ns < redis->next_deadline.ns)
        redis->next_deadline = pending->deadline;
    redis->ring[redis->tail++ & redis->mask] = *pending;
    redis->stats.commands++;
    if (!ev_is_active(&redis->tick)) ev_timer_again(redis->loop, &redis->tick);
}

/* submit sends a request behind `head` and takes over what `pending` holds; on error it is still the caller's. */
static int submit(struct redis *redis, const char *head, size_t head_len, uint32_t head_count,
                  const struct redis_request *request, const struct pending *pending) {
    if (request->error) return request->error;
    int error = admit(redis, pending->sent);
    if (error) return error;
    error = redis_link_send(&redis->link, head, head_len, head_count, request);
    if (error) {
        breaker_success(&redis->breaker); /* nothing was asked of it; what was let through has ended */
        redis->stats.full++;
        return error;
    }
    push(redis, pending);
    return 0;
}

int redis_send(struct redis *redis, const struct redis_request *request, uint32_t deadline_ms, redis_done done, void *ctx) {
    struct mono now = mono_now();
    struct pending pending = {.done = done, .ctx = ctx, .sent = now, .deadline = mono_add_ms(now, deadline_ms)};
    return submit(redis, NULL, 0, 0, request, &pending);
}

/* send_script sends a script by hash, or by text where the server may not have it. */
static int send_script(struct redis *redis, const struct pending *pending, bool by_text) {
    const struct script *script = &redis->scripts[pending->script];
    struct redis_request head, body = {.bytes = pending->bytes, .len = pending->len, .count = pending->arg_count};
    redis_request_init(&head);
    redis_request_text(&head, by_text ? "EVAL" : "EVALSHA");
    redis_request_text(&head, by_text ? script->source : script->sha);
    redis_request_u64(&head, pending->key_count);
    int error = head.error;
    if (!error) error = submit(redis, head.bytes, head.len, head.count, &body, pending);
    redis_request_deinit(&head);
    return error;
}

int redis_eval(struct redis *redis, unsigned script, uint32_t key_count, const struct redis_request *request,
               uint32_t deadline_ms, redis_done done, void *ctx) {
    CHECK(script < redis->script_count);
    if (request->error) return request->error;
    if (redis->link.state != REDIS_LINK_READY) return admit(redis, mono_now());
    struct mono now = mono_now();
    struct pending pending = {.done = done,
                              .ctx = ctx,
                              .sent = now,
                              .deadline = mono_add_ms(now, deadline_ms),
                              .script = script,
                              .key_count = key_count,
                              .arg_count = request->count,
                              .len = request->len,
                              .bytes = malloc(request->len + 1)};
    if (pending.bytes == NULL) return MARCH_ERR_SYSTEM;
    if (request->len > 0) memcpy(pending.bytes, request->bytes, request->len);
    int error = send_script(redis, &pending, redis->scripts[script].sha[0] == '\0');
    if (error) free(pending.bytes);
    return error;
}

/* error_of returns what an error of the server means for who asked. */
static int error_of(const struct redisReply *reply) {
    static const char *const cannot[] = {"LOADING", "READONLY", "MASTERDOWN", "OOM", "BUSY", "NOREPLICAS", "MISCONF"};
    for (size_t i = 0; i < sizeof cannot / sizeof *cannot; i++) {
        size_t len = strlen(cannot[i]);
        if (strncmp(reply->str, cannot[i], len) == 0 && (reply->str[len] == ' ' || reply->str[len] == '\0'))
            return MARCH_ERR_UNAVAILABLE;
    }
    return MARCH_ERR_INVALID;
}

/* try_again sends a script that the server did not know by its text; false when it can't. */
static bool try_again(struct redis *redis, struct pending *pending) {
    redis->stats.reloads++;
    struct pending again = *pending;
    again.counted = false;
    return send_script(redis, &again, true) == 0;
}

static void on_reply(void *ctx, const struct redisReply *reply) {
    struct redis *redis = ctx;
    if (in_flight(redis) == 0) {
        redis_link_drop(&redis->link, reply->type == REDIS_REPLY_ERROR ? reply->str : "a reply that nobody asked for");
        return;
    }
    struct pending pending = redis->ring[redis->head++ & redis->mask];
    if (in_flight(redis) == 0) ev_timer_stop(redis->loop, &redis->tick);
    if (pending.counted)
        breaker_hint(&redis->breaker); /* late, but alive */
    else
        breaker_success(&redis->breaker);
    if (reply->type != REDIS_REPLY_ERROR) {
        if (redis->latency) histogram_record(redis->latency, mono_since_ns(mono_now(), pending.sent));
        settle(redis, &pending, 0, reply);
        return;
    }
    bool unknown_script = pending.bytes != NULL && strncmp(reply->str, "NOSCRIPT", 8) == 0;
    if (unknown_script && pending.done && try_again(redis, &pending)) return;
    int error = unknown_script ? MARCH_ERR_UNAVAILABLE : error_of(reply);
    log_warn("redis.refused", "address=%s error=%s", LOG_QUOTE(redis->link.address.label), LOG_QUOTE(reply->str));
    settle(redis, &pending, error, error == MARCH_ERR_INVALID ? reply : NULL);
    if (strncmp(reply->str, "READONLY", 8) == 0) redis_link_drop(&redis->link, "it is a replica now");
}

static void on_sha(void *ctx, int error, const struct redisReply *reply) {
    struct script *script = ctx;
    if (error || reply->type != REDIS_REPLY_STRING || reply->len != SHA_BYTES) return;
    memcpy(script->sha, reply->str, SHA_BYTES + 1);
}

/* load_script asks the server to keep a script and for its hash. Until it answers the script goes by its text. */
static void load_script(struct redis *redis, struct script *script) {
    redis_request_reset(&redis->request);
    redis_request_text(&redis->request, "SCRIPT");
    redis_request_text(&redis->request, "LOAD");
    redis_request_text(&redis->request, script->source);
    int error = redis_send(redis, &redis->request, 1000, on_sha, script);
    if (error) log_warn("redis.script_not_loaded", "error=\"%s\"", march_error_text(error));
}

static void on_ready(void *ctx) {
    struct redis *redis = ctx;
    breaker_hint(&redis->breaker);
    breaker_success(&redis->breaker); /* the greeting was answered */
    for (unsigned i = 0; i < redis->script_count; i++) load_script(redis, &redis->scripts[i]);
    tell_watchers(redis, true);
}

/* abandon ends all that is in flight: nobody will answer it. */
static void abandon(struct redis *redis) {
    ev_timer_stop(redis->loop, &redis->tick);
    while (in_flight(redis) > 0) {
        struct pending pending = redis->ring[redis->head++ & redis->mask];
        settle(redis, &pending, MARCH_ERR_EXPIRED, NULL);
    }
}

static void on_lost(void *ctx) {
    struct redis *redis = ctx;
    breaker_failure(&redis->breaker, mono_now());
    abandon(redis);
    tell_watchers(redis, false);
}

static void on_failed(void *ctx) {
    struct redis *redis = ctx;
    breaker_failure(&redis->breaker, mono_now());
}

/* expire ends those past their deadline; they keep their place in the ring, for their answers may still come. */
static void expire(struct redis *redis, struct mono now) {
    struct mono next = {UINT64_MAX};
    uint32_t end = redis->tail;
    for (uint32_t i = redis->head; i != end && redis->link.state == REDIS_LINK_READY; i++) {
        struct pending *pending = &redis->ring[i & redis->mask];
        if (pending->counted) continue;
        if (!mono_reached(now, pending->deadline)) {
            if (pending->deadline.ns < next.ns) next = pending->deadline;
            continue;
        }
        redis_done done = pending->done;
        pending->done = NULL;
        pending->counted = true;
        breaker_failure(&redis->breaker, now);
        if (done == NULL) continue;
        redis->stats.unknown++;
        done(pending->ctx, MARCH_ERR_EXPIRED, NULL);
    }
    if (redis->tail == end) redis->next_deadline = next; /* else: what was pushed meanwhile has set it, not later */
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)events;
    struct redis *redis = watcher->data;
    struct mono now = mono_now();
    if (mono_reached(now, redis->next_deadline)) expire(redis, now);
    if (in_flight(redis) == 0) return;
    const struct pending *oldest = &redis->ring[redis->head & redis->mask];
    if (mono_reached(now, mono_add_ms(oldest->deadline, REDIS_STALL_MS)))
        redis_link_drop(&redis->link, "the server does not answer");
}

int redis_open(struct redis **out, struct ev_loop *loop, const struct redis_config *config) {
    static const struct redis_link_events events = {on_ready, on_reply, on_lost, on_failed};
    struct redis_address address;
    int error = redis_address_parse(&address, config->address);
    if (error) return error;
    uint32_t most = config->in_flight_max ? config->in_flight_max : 16384, size = 1;
    CHECK(most <= REDIS_IN_FLIGHT_MAX);
    while (size < most) size *= 2;
    struct redis *redis = calloc(1, sizeof *redis);
    if (redis == NULL) return MARCH_ERR_SYSTEM;
    *redis = (struct redis){.loop = loop, .latency = config->latency, .mask = size - 1, .in_flight_max = most};
    breaker_init(&redis->breaker, &config->breaker, config->seed);
    redis_request_init(&redis->request);
    ev_init(&redis->tick, on_tick);
    redis->tick.repeat = TICK_S;
    redis->tick.data = redis;
    struct redis_link_config link = {.address = &address,
                                     .out_bytes_max = config->out_bytes_max ? config->out_bytes_max : 32u << 20,
                                     .connect_ms = config->connect_ms ? config->connect_ms : 2000,
                                     .retry_base_ms = RETRY_BASE_MS,
                                     .retry_cap_ms = config->retry_cap_ms ? config->retry_cap_ms : 2000,
                                     .seed = config->seed,
                                     .events = &events,
                                     .ctx = redis};
    redis->ring = calloc(size, sizeof *redis->ring);
    error = redis->ring ? redis_link_open(&redis->link, loop, &link) : MARCH_ERR_SYSTEM;
    if (error) {
        free(redis->ring);
        free(redis);
        return error;
    }
    *out = redis;
    return 0;
}

void redis_close(struct redis *redis) {
    if (redis == NULL) return;
    redis->watch_count = 0;
    redis_link_close(&redis->link);
    abandon(redis);
    redis_request_deinit(&redis->request);
    free(redis->ring);
    free(redis);
}

void redis_watch(struct redis *redis, redis_watcher watcher, void *ctx) {
    CHECK(redis->watch_count < REDIS_WATCHERS_MAX);
    redis->watches[redis->watch_count++] = (struct watch){watcher, ctx};
}

bool redis_is_available(const struct redis *redis) {
    return redis->link.state == REDIS_LINK_READY && redis->breaker.state != BREAKER_OPEN;
}

const char *redis_run_id(const struct redis *redis) {
    return redis->link.run_id;
}

unsigned redis_script(struct redis *redis, const char *source) {
    CHECK(redis->script_count < REDIS_SCRIPTS_MAX);
    struct script *script = &redis->scripts[redis->script_count];
    *script = (struct script){.source = source};
    if (redis->link.state == REDIS_LINK_READY) load_script(redis, script);
    return redis->script_count++;
}

static void on_ready_timeout(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)events;
    (void)watcher;
    ev_break(loop, EVBREAK_ONE);
}

int redis_ready_within(struct redis *redis, uint32_t ms) {
    ev_timer patience;
    ev_timer_init(&patience, on_ready_timeout, ms / 1e3, 0);
    ev_timer_start(redis->loop, &patience);
    while (!redis_is_available(redis) && ev_is_active(&patience)) ev_run(redis->loop, EVRUN_ONCE);
    ev_timer_stop(redis->loop, &patience);
    return redis_is_available(redis) ? 0 : MARCH_ERR_EXPIRED;
}

struct redis_stats redis_stats_get(const struct redis *redis) {
    struct redis_stats stats = redis->stats;
    stats.connects = redis->link.connects;
    stats.losses = redis->link.losses;
    stats.connect_failures = redis->link.failures;
    stats.breaker_opens = redis->breaker.opens;
    stats.breaker = redis->breaker.state;
    stats.in_flight = in_flight(redis);
    stats.available = redis_is_available(redis);
    return stats;
}

const struct redisReply *redis_reply_item(const struct redisReply *reply, size_t index) {
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || index >= reply->elements) return NULL;
    return reply->element[index];
}

bool redis_reply_u64(const struct redisReply *reply, uint64_t *out) {
    if (reply == NULL) return false;
    if (reply->type == REDIS_REPLY_INTEGER) {
        *out = (uint64_t)reply->integer;
        return reply->integer >= 0;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len < 1 || reply->len > 20) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < (size_t)reply->len; i++) {
        unsigned digit = (unsigned)(reply->str[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool redis_reply_i64(const struct redisReply *reply, int64_t *out) {
    if (reply == NULL) return false;
    if (reply->type == REDIS_REPLY_INTEGER) {
        *out = reply->integer;
        return true;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len < 1) return false;
    bool negative = reply->str[0] == '-';
    struct redisReply digits = *reply;
    digits.str += negative;
    digits.len -= negative;
    uint64_t value;
    if (!redis_reply_u64(&digits, &value) || value > (uint64_t)INT64_MAX) return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}
