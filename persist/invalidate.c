/* invalidate.c: see invalidate.h. */
#include "persist/invalidate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/redis_link.h"

#define MESSAGE_MAX 80
#define ORIGIN_MAX  24
#define DEADLINE_MS 1000
#define CONNECT_MS  2000

static const char *const names[INVALIDATE_KIND_COUNT] = {"all", "player", "inventory", "guild", "auction", "name"};

struct subscriber {
    invalidate_fn fn;
    void *ctx;
};

struct invalidate {
    struct redis *redis;
    struct redis_link link; /* subscribed */
    struct redis_request request;
    char origin[ORIGIN_MAX];
    struct subscriber subscribers[INVALIDATE_SUBSCRIBERS_MAX];
    unsigned subscriber_count;
    bool subscribed, was_subscribed; /* now; ever */
    bool owes_all;                   /* something could not be published */
    bool answered;                   /* since the last ping */
    ev_timer ping;
    struct invalidate_stats stats;
};

static void tell(struct invalidate *invalidate, enum invalidate_kind kind, uint64_t id) {
    invalidate->stats.all += kind == INVALIDATE_ALL;
    for (unsigned i = 0; i < invalidate->subscriber_count; i++)
        invalidate->subscribers[i].fn(invalidate->subscribers[i].ctx, kind, id);
}

static void say(struct invalidate *invalidate, const char *verb, const char *argument) {
    redis_request_reset(&invalidate->request);
    redis_request_text(&invalidate->request, verb);
    if (argument) redis_request_text(&invalidate->request, argument);
    if (redis_link_send(&invalidate->link, NULL, 0, 0, &invalidate->request) != 0)
        redis_link_drop(&invalidate->link, "no room for a word to it");
}

static void on_ready(void *ctx) {
    struct invalidate *invalidate = ctx;
    say(invalidate, "SUBSCRIBE", INVALIDATE_CHANNEL);
    invalidate->answered = true;
    ev_timer_again(invalidate->link.loop, &invalidate->ping);
}

static void on_lost(void *ctx) {
    struct invalidate *invalidate = ctx;
    invalidate->subscribed = false;
    ev_timer_stop(invalidate->link.loop, &invalidate->ping);
}

static void on_ping(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)events;
    struct invalidate *invalidate = watcher->data;
    if (!invalidate->answered) {
        redis_link_drop(&invalidate->link, "the subscription does not answer");
        return;
    }
    invalidate->answered = false;
    say(invalidate, "PING", NULL);
}

static enum invalidate_kind kind_of(const char *name) {
    unsigned kind = 0;
    while (kind < INVALIDATE_KIND_COUNT && strcmp(names[kind], name) != 0) kind++;
    return (enum invalidate_kind)kind;
}

/* take_message reads "KIND ID ORIGIN". */
static void take_message(struct invalidate *invalidate, const struct redisReply *message) {
    char text[MESSAGE_MAX], name[16], origin[ORIGIN_MAX];
    uint64_t id;
    int end = 0;
    bool good = message->type == REDIS_REPLY_STRING && message->len > 0 && message->len < MESSAGE_MAX;
    if (good) {
        memcpy(text, message->str, (size_t)message->len);
        text[message->len] = '\0';
        good = strlen(text) == (size_t)message->len &&
               sscanf(text, "%15s %20" SCNu64 " %23s%n", name, &id, origin, &end) == 3 && text[end] == '\0' &&
               kind_of(name) < INVALIDATE_KIND_COUNT;
    }
    if (!good) {
        invalidate->stats.malformed++;
        return;
    }
    if (strcmp(origin, invalidate->origin) == 0) return;
    invalidate->stats.received++;
    tell(invalidate, kind_of(name), id);
}

static bool is_word(const struct redisReply *reply, const char *word) {
    return reply && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, word) == 0;
}

/* on_reply: subscribed, pong, or a message. */
static void on_reply(void *ctx, const struct redisReply *reply) {
    struct invalidate *invalidate = ctx;
    const struct redisReply *word = redis_reply_item(reply, 0);
    invalidate->answered = true;
    if (is_word(word, "message") && reply->elements == 3) {
        take_message(invalidate, reply->element[2]);
    } else if (is_word(word, "subscribe")) {
        invalidate->subscribed = true;
        if (invalidate->was_subscribed) tell(invalidate, INVALIDATE_ALL, 0);
        invalidate->was_subscribed = true;
    } else if (!is_word(word, "pong")) {
        redis_link_drop(&invalidate->link, reply->type == REDIS_REPLY_ERROR ? reply->str : "no answer of a subscription");
    }
}

static void on_published(void *ctx, int error, const struct redisReply *reply) {
    struct invalidate *invalidate = ctx;
    (void)reply;
    if (error == 0) return;
    invalidate->stats.not_published++;
    invalidate->owes_all = true;
}

/* publish tells the others; false when that can't be, now. */
static bool publish(struct invalidate *invalidate, enum invalidate_kind kind, uint64_t id) {
    redis_request_reset(&invalidate->request);
    redis_request_text(&invalidate->request, "PUBLISH");
    redis_request_text(&invalidate->request, INVALIDATE_CHANNEL);
    redis_request_key(&invalidate->request, "%s %" PRIu64 " %s", names[kind], id, invalidate->origin);
    return redis_send(invalidate->redis, &invalidate->request, DEADLINE_MS, on_published, invalidate) == 0;
}

/* pay tells the others that all is stale, where something could not be published. */
static void pay(struct invalidate *invalidate) {
    if (!invalidate->owes_all) return;
    invalidate->owes_all = !publish(invalidate, INVALIDATE_ALL, 0);
}

static void on_available(void *ctx, bool available) {
    if (available) pay(ctx);
}

void invalidate_publish(struct invalidate *invalidate, enum invalidate_kind kind, uint64_t id) {
    CHECK((unsigned)kind < INVALIDATE_KIND_COUNT);
    tell(invalidate, kind, id);
    pay(invalidate);
    if (publish(invalidate, kind, id)) {
        invalidate->stats.published++;
        return;
    }
    invalidate->stats.not_published++;
    invalidate->owes_all = true;
}

void invalidate_subscribe(struct invalidate *invalidate, invalidate_fn fn, void *ctx) {
    CHECK(invalidate->subscriber_count < INVALIDATE_SUBSCRIBERS_MAX);
    invalidate->subscribers[invalidate->subscriber_count++] = (struct subscriber){fn, ctx};
}

int invalidate_open(struct invalidate **out, struct ev_loop *loop, struct redis *redis, const char *address, uint64_t seed) {
    static const struct redis_link_events events = {on_ready, on_reply, on_lost, NULL};
    struct redis_address parsed;
    int error = redis_address_parse(&parsed, address);
    if (error) return error;
    struct invalidate *invalidate = calloc(1, sizeof *invalidate);
    if (invalidate == NULL) return MARCH_ERR_SYSTEM;
    invalidate->redis = redis;
    snprintf(invalidate->origin, sizeof invalidate->origin, "%016" PRIx64, seed);
    redis_request_init(&invalidate->request);
    ev_init(&invalidate->ping, on_ping);
    invalidate->ping.repeat = INVALIDATE_PING_MS / 1e3;
    invalidate->ping.data = invalidate;
    struct redis_link_config link = {.address = &parsed,
                                     .out_bytes_max = 1u << 16,
                                     .connect_ms = CONNECT_MS,
                                     .retry_base_ms = 20,
                                     .retry_cap_ms = 2000,
                                     .seed = seed,
                                     .events = &events,
                                     .ctx = invalidate};
    error = redis_link_open(&invalidate->link, loop, &link);
    if (error) {
        free(invalidate);
        return error;
    }
    redis_watch(redis, on_available, invalidate);
    *out = invalidate;
    return 0;
}

void invalidate_close(struct invalidate *invalidate) {
    if (invalidate == NULL) return;
    ev_timer_stop(invalidate->link.loop, &invalidate->ping);
    redis_link_close(&invalidate->link);
    redis_request_deinit(&invalidate->request);
    free(invalidate);
}

struct invalidate_stats invalidate_stats_get(const struct invalidate *invalidate) {
    struct invalidate_stats stats = invalidate->stats;
    stats.listening = invalidate->subscribed;
    return stats;
}
