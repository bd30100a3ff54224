/* keep.c: see keep.h. */
#include "matchmaker/keep.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "matchmaker/keep_asks.h"
#include "matchmaker/keep_log.h"
#include "matchmaker/keep_pages.h"
#include "matchmaker/player_map.h"

/* Kinds that are recalled: of each the keys that were told, as a connection may end in the middle of it. */
#define RECALLED_KINDS WIRE_DOCUMENT_RESULT

struct keep_shard {
    bool is_up, recalls; /* recalls: what is kept was asked for over this connection */
    uint64_t seq;        /* of the newest message that was sent over it */
};

struct keep {
    struct keep_config config;
    struct keep_shard shards[CONFIG_PERSISTS_MAX];
    bool is_ready, is_begun; /* is_begun: where there are no shards, that was told */
    struct mono now;
    struct player_map recalled[RECALLED_KINDS];
    struct keep_log log;
    struct keep_asks asks;
    struct keep_pages pages;
    struct keep_page page; /* what is being told */
    struct keep_stats stats;
};

/* --- creating */

static void forget_recalled(struct keep *k) {
    for (uint32_t i = 0; i < RECALLED_KINDS; i++) player_map_destroy(&k->recalled[i]);
}

static int create_parts(struct keep *k) {
    uint32_t shards = k->config.shard_count > 0 ? k->config.shard_count : 1;
    int error = keep_log_init(&k->log, k->config.first_version);
    if (!error) error = keep_asks_init(&k->asks, shards);
    if (!error) error = keep_pages_init(&k->pages, k->config.shard_count);
    k->is_ready = k->config.shard_count == 0;
    for (uint32_t i = WIRE_DOCUMENT_TICKET; i < RECALLED_KINDS && !error && !k->is_ready; i++)
        error = player_map_create(&k->recalled[i], KEEP_RECALLED_MAX, k->config.first_version);
    return error;
}

int keep_create(struct keep **keep, const struct keep_config *config) {
    CHECK(config->shard_count <= CONFIG_PERSISTS_MAX);
    *keep = NULL;
    struct keep *k = calloc(1, sizeof *k);
    if (!k) return MARCH_ERR_SYSTEM;
    k->config = *config;
    if (create_parts(k)) {
        keep_destroy(k);
        return MARCH_ERR_SYSTEM;
    }
    *keep = k;
    return 0;
}

void keep_destroy(struct keep *k) {
    if (!k) return;
    forget_recalled(k);
    keep_pages_deinit(&k->pages);
    keep_asks_deinit(&k->asks);
    keep_log_deinit(&k->log);
    free(k);
}

/* --- what is kept */

static int add(struct keep *k, enum wire_document_kind kind, uint64_t key, uint32_t flags, const void *bytes, uint32_t len) {
    if (!k->is_ready) return MARCH_ERR_UNAVAILABLE;
    int error = keep_log_add(&k->log, (uint32_t)kind, key, flags, bytes, len);
    if (error) k->stats.refused++;
    if (!error && k->config.shard_count == 0) keep_log_all(&k->log);
    return error;
}

static int put(struct keep *k, enum wire_document_kind kind, uint64_t key, uint32_t flags, const void *bytes, uint32_t len) {
    if (len == 0 || len > WIRE_DOCUMENT_BYTES_MAX) return MARCH_ERR_INVALID;
    int error = add(k, kind, key, flags, bytes, len);
    if (!error) k->stats.put++;
    return error;
}

int keep_put(struct keep *k, enum wire_document_kind kind, uint64_t key, const void *bytes, uint32_t len) {
    return put(k, kind, key, 0, bytes, len);
}

int keep_put_new(struct keep *k, enum wire_document_kind kind, uint64_t key, const void *bytes, uint32_t len) {
    return put(k, kind, key, WIRE_DOCUMENT_NEW, bytes, len);
}

int keep_erase(struct keep *k, enum wire_document_kind kind, uint64_t key) {
    int error = add(k, kind, key, 0, NULL, 0);
    if (!error) k->stats.erased++;
    return error;
}

void keep_cut(struct keep *k) {
    keep_log_cut(&k->log);
}

uint64_t keep_mark(const struct keep *k) {
    return k->log.head;
}

bool keep_is_durable(const struct keep *k, uint64_t mark) {
    return k->log.acked >= mark;
}

bool keep_is_ready(const struct keep *k) {
    return k->is_ready;
}

/* --- what is asked */

static int ask(struct keep *k, uint32_t shard, enum keep_ask_kind kind, const struct wire_settle *settle) {
    int error = keep_asks_add(&k->asks, shard, kind, settle);
    if (error) {
        k->stats.refused++;
    } else {
        k->stats.asked++;
    }
    return error;
}

static uint32_t shard_of(const struct keep *k, uint64_t player) {
    return k->config.shard_count > 0 ? shard_of_player(player, k->config.shard_count) : 0;
}

/* name_of makes a question of the names that it goes by. */
static struct wire_settle name_of(uint64_t match, uint64_t player, const char *mode) {
    struct wire_settle name = {.match = match, .player = player};
    size_t len = strnlen(mode, WIRE_MODE_NAME_MAX);
    memcpy(name.mode, mode, len);
    return name;
}

int keep_lookup(struct keep *k, uint64_t player, const char *mode) {
    struct wire_settle name = name_of(0, player, mode);
    return ask(k, shard_of(k, player), KEEP_ASK_LOOKUP, &name);
}

int keep_settle(struct keep *k, const struct wire_settle *settle) {
    return ask(k, shard_of(k, settle->player), KEEP_ASK_SETTLE, settle);
}

int keep_read(struct keep *k, enum wire_document_kind kind, uint64_t key) {
    struct wire_settle name = name_of((uint64_t)kind, key, "");
    return ask(k, 0, KEEP_ASK_READ, &name);
}

int keep_page(struct keep *k, uint64_t request, const char *mode, uint32_t season, uint32_t count) {
    if (request == 0 || count < 1 || count > WIRE_BOARD_PAGE_MAX) return MARCH_ERR_INVALID;
    struct wire_page_ask page = {.request = request, .season = season, .count = count};
    memcpy(page.mode, name_of(0, 0, mode).mode, sizeof page.mode);
    int error = keep_pages_add(&k->pages, &page);
    if (error) k->stats.refused++;
    return error;
}

/* --- the way to the shards */

void keep_shard_up(struct keep *k, uint32_t shard) {
    CHECK(shard < k->config.shard_count);
    if (k->shards[shard].is_up) keep_shard_lost(k, shard);
    k->shards[shard] = (struct keep_shard){.is_up = true};
    keep_pages_up(&k->pages, shard);
}

void keep_shard_lost(struct keep *k, uint32_t shard) {
    CHECK(shard < k->config.shard_count);
    k->shards[shard] = (struct keep_shard){0};
    if (shard == 0) keep_log_lost(&k->log);
    keep_asks_lost(&k->asks, shard);
    keep_pages_lost(&k->pages, shard);
}

bool keep_fill(struct keep *k, uint32_t shard, struct wire_match_ask *out) {
    CHECK(shard < k->config.shard_count);
    const struct keep_shard *s = &k->shards[shard];
    if (shard == 0) keep_log_cut(&k->log);
    if (!s->is_up) return false;
    *out = (struct wire_match_ask){.seq = s->seq + 1};
    out->recalls = shard == 0 && !k->is_ready && !s->recalls;
    bool is_worth = out->recalls;
    if (shard == 0) is_worth |= keep_log_fill(&k->log, out);
    is_worth |= keep_asks_fill(&k->asks, shard, out);
    is_worth |= keep_pages_fill(&k->pages, shard, out);
    return is_worth;
}

void keep_sent(struct keep *k, uint32_t shard) {
    struct keep_shard *s = &k->shards[shard];
    CHECK(s->is_up);
    s->seq++;
    if (shard == 0) {
        s->recalls = true;
        keep_log_sent(&k->log, s->seq);
    }
    keep_asks_sent(&k->asks, shard);
    keep_pages_sent(&k->pages, shard);
}

/* --- what they say */

/* recall tells a document once, though it may come once for each connection. Versions go on above all that it hears of. */
static void recall(struct keep *k, const struct wire_document *d, const uint8_t *blob) {
    if (d->version >= k->log.version) k->log.version = d->version + 1; /* a clock that was set back */
    if (d->len == 0 || d->kind < 1 || d->kind >= RECALLED_KINDS || d->key == 0) return;
    struct player_map *told = &k->recalled[d->kind];
    if (told->count == told->count_max) k->stats.refused++;
    if (told->count == told->count_max || player_map_find(told, d->key) != PLAYER_MAP_NONE) return;
    player_map_add(told, d->key, 0);
    k->config.handlers.recalled(k->config.handlers.context, d, blob + d->offset);
}

static void take_recalled(struct keep *k, const struct wire_match_told *told) {
    if (k->is_ready || !k->shards[0].recalls) return;
    for (uint32_t i = 0; i < told->document_count; i++) recall(k, &told->documents[i], told->blob);
    if (!told->is_recalled) return;
    forget_recalled(k);
    k->is_ready = true;
    k->config.handlers.ready(k->config.handlers.context);
}

static void take_rating(struct keep *k, uint32_t shard, const struct wire_rating *rating) {
    struct wire_settle name = name_of(0, rating->player, rating->mode);
    if (rating->result == WIRE_MATCH_UNAVAILABLE) {
        k->stats.again++;
        keep_asks_put_off(&k->asks, shard, KEEP_ASK_LOOKUP, &name, mono_add_ms(k->now, KEEP_AGAIN_MS));
    } else if (keep_asks_answered(&k->asks, shard, KEEP_ASK_LOOKUP, &name)) {
        k->stats.answered++;
        k->config.handlers.rating(k->config.handlers.context, rating);
    }
}

static void take_settled(struct keep *k, uint32_t shard, const struct wire_settled *settled) {
    struct wire_settle name = name_of(settled->match, settled->player, "");
    if (settled->result == WIRE_MATCH_UNAVAILABLE) {
        k->stats.again++;
        keep_asks_put_off(&k->asks, shard, KEEP_ASK_SETTLE, &name, mono_add_ms(k->now, KEEP_AGAIN_MS));
    } else if (keep_asks_answered(&k->asks, shard, KEEP_ASK_SETTLE, &name)) {
        k->stats.answered++;
        k->config.handlers.settled(k->config.handlers.context, settled->match, settled->player,
                                   settled->result == WIRE_MATCH_OK);
    }
}

static void take_read(struct keep *k, uint32_t shard, const struct wire_document *read, const uint8_t *blob) {
    struct wire_settle name = name_of(read->kind, read->key, "");
    if (!keep_asks_answered(&k->asks, shard, KEEP_ASK_READ, &name)) return;
    k->stats.answered++;
    k->config.handlers.read(k->config.handlers.context, read->kind, read->key, read->len > 0 ? blob + read->offset : NULL,
                            read->len);
}

static void tell_pages(struct keep *k) {
    while (keep_pages_done(&k->pages, &k->page))
        k->config.handlers.page(k->config.handlers.context, k->page.ask.request, k->page.rows, k->page.row_count,
                                k->page.is_whole);
}

void keep_told(struct keep *k, uint32_t shard, const struct wire_match_told *told) {
    CHECK(shard < k->config.shard_count);
    if (!k->shards[shard].is_up) return;
    if (shard == 0) {
        keep_log_durable(&k->log, told->durable_seq);
        take_recalled(k, told);
    }
    for (uint32_t i = 0; i < told->read_count; i++) take_read(k, shard, &told->reads[i], told->blob);
    for (uint32_t i = 0; i < told->rating_count; i++) take_rating(k, shard, &told->ratings[i]);
    for (uint32_t i = 0; i < told->settled_count; i++) take_settled(k, shard, &told->settled[i]);
    for (uint32_t i = 0; i < told->row_count; i++) keep_pages_row(&k->pages, shard, &told->rows[i]);
    for (uint32_t i = 0; i < told->end_count; i++) keep_pages_end(&k->pages, shard, &told->ends[i]);
    tell_pages(k);
}

/* --- time */

/* answer says what is so where nobody keeps anything. */
static void answer(struct keep *k, const struct keep_ask *q) {
    const struct keep_handlers *h = &k->config.handlers;
    struct wire_rating rating = {.player = q->settle.player};
    switch (q->kind) {
    case KEEP_ASK_LOOKUP:
        memcpy(rating.mode, q->settle.mode, sizeof rating.mode);
        h->rating(h->context, &rating);
        break;
    case KEEP_ASK_SETTLE: h->settled(h->context, q->settle.match, q->settle.player, true); break;
    case KEEP_ASK_READ: h->read(h->context, (uint32_t)q->settle.match, q->settle.player, NULL, 0); break;
    }
}

static void answer_all(struct keep *k) {
    if (!k->is_begun) k->config.handlers.ready(k->config.handlers.context);
    k->is_begun = true;
    struct keep_ask q;
    while (keep_asks_take(&k->asks, 0, &q)) answer(k, &q);
}

void keep_step(struct keep *k, struct mono now) {
    k->now = now;
    keep_asks_step(&k->asks, now);
    if (k->config.shard_count == 0) answer_all(k);
    tell_pages(k);
}

struct keep_stats keep_stats_get(const struct keep *k) {
    struct keep_stats stats = k->stats;
    stats.durable = k->log.acked;
    stats.pending = (uint32_t)(k->log.head - k->log.acked);
    stats.asks = pool_count(&k->asks.pool);
    return stats;
}
