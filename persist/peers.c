#include "persist/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/pool.h"
#include "common/shard.h"
#include "persist/courier.h"
#include "persist/transfer_bytes.h"
#include "persist/value.h"
#include "schemas/link.h"

#define UPDATE_S       0.02
#define ERRANDS_MAX    1024 /* commands for peers under way; what is beyond is offered again */
#define ANSWERS_MAX    WIRE_TRANSFERS_MAX
#define NOTICES_MAX    WIRE_TRANSFERS_MAX
#define BLOB_BYTES_MAX (64u << 10)

_Static_assert(TRANSFER_BYTES_MAX <= WIRE_TRANSFER_PAYLOAD_MAX, "a transfer fits one payload");

/* What is to be told to a peer with the next message. Offers are not kept here: the courier has them. */
struct outbox {
    uint32_t answer_count, done_count, notice_count, blob_len;
    struct wire_transfer_answer answers[ANSWERS_MAX];
    struct wire_transfer_done dones[ANSWERS_MAX];
    struct wire_notice notices[NOTICES_MAX];
    uint8_t blob[BLOB_BYTES_MAX];
};

struct peer {
    struct peers *peers;
    uint32_t shard;
    struct link link;
    struct courier *courier;
    struct outbox outbox;
    ev_io readable;
};

struct peers {
    struct peers_config config;
    struct ev_loop *loop;
    struct wire_builder *builder;
    struct peers_stats stats;
    struct pool errands;
    ev_timer timer;
    uint32_t count; /* of shards; the one of our own index is unused */
    struct peer *peers[CONFIG_PERSISTS_MAX];
};

/* A command under way for a peer. Value calls back for each, or is closed before us. */
struct errand {
    struct handle handle;
    struct peer *peer;
    uint64_t transfer;
    bool is_offer;  /* TRANSFER_IN; else TRANSFER_DONE */
    bool is_credit; /* an offer that has no way back: it waits for room */
};

/* --- sending */

static void add_offers(struct peer *peer, struct mono now, struct wire_transfer offers[WIRE_TRANSFERS_MAX],
                       struct wire_shard_transfers *out, uint8_t *blob) {
    uint64_t id;
    while (out->offer_count < WIRE_TRANSFERS_MAX && out->blob_len + TRANSFER_BYTES_MAX <= BLOB_BYTES_MAX &&
           courier_next(peer->courier, now, &id) == 0) {
        const struct ledger_transfer *transfer = value_transfer(peer->peers->config.value, id);
        if (!transfer) { /* forgotten since: its end is on the way */
            courier_remove(peer->courier, id);
            continue;
        }
        size_t len = transfer_write(transfer, blob + out->blob_len);
        offers[out->offer_count++] = (struct wire_transfer){.id = id, .offset = out->blob_len, .len = (uint32_t)len};
        out->blob_len += (uint32_t)len;
    }
}

/* Sends what waits. Where the bus refuses, answers wait on, and offers come again by themselves. */
static void flush(struct peer *peer, struct mono now) {
    struct outbox *box = &peer->outbox;
    struct wire_transfer offers[WIRE_TRANSFERS_MAX];
    struct wire_shard_transfers out = {.offers = offers,
                                       .answers = box->answers,
                                       .answer_count = box->answer_count,
                                       .dones = box->dones,
                                       .done_count = box->done_count,
                                       .notices = box->notices,
                                       .notice_count = box->notice_count,
                                       .blob = box->blob,
                                       .blob_len = box->blob_len};
    if (peer->link.state != LINK_UP) return;
    add_offers(peer, now, offers, &out, box->blob);
    if (out.offer_count + out.answer_count + out.done_count + out.notice_count == 0) return;
    struct wire_bytes bytes;
    int error = wire_shard_transfers_pack(peer->peers->builder, &out, &bytes);
    CHECK(error == 0);
    if (link_send(&peer->link, bytes) != 0) return;
    struct peers_stats *stats = &peer->peers->stats;
    stats->offers_sent += out.offer_count;
    stats->answers_sent += out.answer_count;
    stats->notices_sent += out.notice_count;
    box->answer_count = box->done_count = box->notice_count = box->blob_len = 0;
}

static void run(struct peers *peers) {
    struct mono now = mono_now();
    for (uint32_t i = 0; i < peers->count; i++) {
        if (!peers->peers[i]) continue;
        link_update(&peers->peers[i]->link, now);
        link_receive(&peers->peers[i]->link, now);
        flush(peers->peers[i], now);
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    run(timer->data);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct peer *peer = io->data;
    struct mono now = mono_now();
    link_update(&peer->link, now);
    link_receive(&peer->link, now);
    flush(peer, now);
}

/* --- receiving. Commands that get no answer now are not answered: the peer asks again. */

/* is_decided tells whether a status ends the matter: for an end of ours only that it is done, now or before. */
static bool is_decided(const struct errand *errand, enum ledger_status status) {
    if (!errand->is_offer) return status == LEDGER_OK || status == LEDGER_NOT_FOUND;
    return status != LEDGER_UNAVAILABLE && status != LEDGER_BUSY && status != LEDGER_JOURNAL_FULL &&
           status != LEDGER_DISABLED && !(errand->is_credit && status == LEDGER_NO_ROOM);
}

static void answered(void *ctx, const struct ledger_result *result) {
    struct errand *errand = ctx;
    struct outbox *box = &errand->peer->outbox;
    if (is_decided(errand, result->status)) {
        if (errand->is_offer && box->answer_count < ANSWERS_MAX)
            box->answers[box->answer_count++] = (struct wire_transfer_answer){errand->transfer, result->status, 0};
        if (!errand->is_offer && box->done_count < ANSWERS_MAX)
            box->dones[box->done_count++] = (struct wire_transfer_done){errand->transfer};
    }
    ev_feed_event(errand->peer->peers->loop, &errand->peer->readable, EV_READ); /* sent in this turn of the loop */
    pool_give(&errand->peer->peers->errands, errand->handle);
}

static void submit(struct peer *peer, const struct ledger_command *command, uint64_t transfer, bool is_offer) {
    struct pool *errands = &peer->peers->errands;
    struct handle handle = pool_take(errands);
    struct errand *errand = pool_get(errands, handle);
    if (!errand) return;
    *errand = (struct errand){.handle = handle,
                              .peer = peer,
                              .transfer = transfer,
                              .is_offer = is_offer,
                              .is_credit = command->transfer.purpose == LEDGER_PURPOSE_CREDIT};
    if (value_submit(peer->peers->config.value, command, answered, errand) != LEDGER_OK) pool_give(errands, handle);
}

static void take_offer(struct peer *peer, const struct wire_transfer *offer, const uint8_t *blob) {
    struct peers *peers = peer->peers;
    struct ledger_transfer transfer;
    if (transfer_read(blob + offer->offset, offer->len, &transfer) != 0 || transfer.id != offer->id ||
        shard_of_id(offer->id) != peer->shard || transfer.dest_shard != peers->config.shard_index) {
        peers->stats.bad++;
        return;
    }
    peers->stats.offers_received++;
    struct ledger_command command;
    ledger_transfer_command(&transfer, &command);
    submit(peer, &command, offer->id, true);
}

static void take_answer(struct peer *peer, const struct wire_transfer_answer *answer) {
    struct peers *peers = peer->peers;
    const struct ledger_transfer *transfer = value_transfer(peers->config.value, answer->id);
    if (shard_of_id(answer->id) != peers->config.shard_index || answer->result >= LEDGER_STATUS_COUNT ||
        (transfer && transfer->dest_shard != peer->shard)) {
        peers->stats.bad++;
        return;
    }
    peers->stats.answers_received++;
    if (!transfer) { /* done before: the answer has crossed with our done, or that was lost; unless none is loaded yet */
        if (value_is_started(peers->config.value) && peer->outbox.done_count < ANSWERS_MAX)
            peer->outbox.dones[peer->outbox.done_count++] = (struct wire_transfer_done){answer->id};
        return;
    }
    struct ledger_command command;
    ledger_done_command(transfer, answer->result == LEDGER_OK, &command);
    submit(peer, &command, answer->id, false);
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct peer *peer = context;
    struct peers *peers = peer->peers;
    const struct wire_shard_transfers *in = &view->shard_transfers;
    for (uint32_t i = 0; i < in->offer_count; i++) take_offer(peer, &in->offers[i], in->blob);
    for (uint32_t i = 0; i < in->answer_count; i++) take_answer(peer, &in->answers[i]);
    for (uint32_t i = 0; i < in->done_count; i++) {
        if (shard_of_id(in->dones[i].id) == peer->shard) peers->config.forget(peers->config.ctx, in->dones[i].id);
    }
    for (uint32_t i = 0; i < in->notice_count; i++) {
        const struct wire_notice *notice = &in->notices[i];
        peers->stats.notices_received++;
        peers->config.message(peers->config.ctx, notice->player, in->blob + notice->offset, notice->len);
    }
}

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same;
    struct peer *peer = context;
    courier_hurry(peer->courier, now);
}

/* What waited for the peer is answered again when it asks again. */
static void lost(void *context, struct mono now) {
    (void)now;
    struct peer *peer = context;
    struct outbox *box = &peer->outbox;
    peer->peers->stats.notices_dropped += box->notice_count;
    box->answer_count = box->done_count = box->notice_count = box->blob_len = 0;
}

/* --- opening */

static int open_peer(struct peers *peers, uint32_t shard, char *error, size_t error_size) {
    const struct peers_config *config = &peers->config;
    bool dials = config->shard_index > shard;
    uint32_t listener = dials ? shard : config->shard_index;
    uint32_t dialler = dials ? config->shard_index : shard;
    char url[EDGE_URL_SIZE];
    int result = edge_url(config->config, config->run_dir, EDGE_PERSIST_PERSIST, listener, dialler, url, sizeof url);
    if (result) {
        snprintf(error, error_size, "no address for the edge to shard %u: %s", shard, march_error_text(result));
        return result;
    }
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer || !(peer->courier = courier_create())) {
        free(peer);
        snprintf(error, error_size, "out of memory");
        return MARCH_ERR_SYSTEM;
    }
    peers->peers[shard] = peer;
    peer->peers = peers;
    peer->shard = shard;
    struct link_config link = {
        .hello = config->hello,
        .peer = {.role = WIRE_ROLE_PERSIST, .kind = WIRE_BUS_SHARD_TRANSFERS, .shard = shard, .shard_count = peers->count},
        .bus = {.url = url,
                .role = dials ? BUS_DIAL : BUS_LISTEN,
                .peer_name = config->config->persists[shard].name,
                .key = config->key,
                .queue_max_bytes = config->config->bus.queue_bytes_max},
        .builder = peers->builder,
        .handlers = {.context = peer, .up = up, .lost = lost, .message = take}};
    result = link_open(&peer->link, &link, mono_now(), error, error_size);
    if (result) return result;
    ev_io_init(&peer->readable, on_readable, bus_edge_fd(peer->link.edge), EV_READ);
    peer->readable.data = peer;
    ev_io_start(peers->loop, &peer->readable);
    return 0;
}

int peers_open(struct peers **out, struct ev_loop *loop, const struct peers_config *config, char *error, size_t error_size) {
    *out = NULL;
    struct peers *peers = calloc(1, sizeof *peers);
    if (!peers || pool_init(&peers->errands, ERRANDS_MAX, sizeof(struct errand)) != 0) {
        free(peers);
        snprintf(error, error_size, "out of memory");
        return MARCH_ERR_SYSTEM;
    }
    peers->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    peers->config = *config;
    peers->loop = loop;
    peers->count = config->config->persists_count;
    ev_timer_init(&peers->timer, on_timer, 0, UPDATE_S);
    peers->timer.data = peers;
    ev_timer_start(loop, &peers->timer);
    for (uint32_t shard = 0; shard < peers->count; shard++) {
        if (shard == config->shard_index) continue;
        int result = open_peer(peers, shard, error, error_size);
        if (result) {
            peers_close(peers);
            return result;
        }
    }
    *out = peers;
    return 0;
}

void peers_close(struct peers *peers) {
    if (!peers) return;
    ev_timer_stop(peers->loop, &peers->timer);
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = peers->peers[i];
        if (!peer) continue;
        if (peer->link.edge) ev_io_stop(peers->loop, &peer->readable);
        link_close(&peer->link);
        courier_destroy(peer->courier);
        free(peer);
    }
    wire_builder_destroy(peers->builder);
    pool_deinit(&peers->errands);
    free(peers);
}

/* --- from value and players */

static void add(void *ctx, const struct ledger_transfer *transfer) {
    peers_created(ctx, transfer);
}

void peers_started(struct peers *peers) {
    value_each_transfer(peers->config.value, add, peers);
}

void peers_created(struct peers *peers, const struct ledger_transfer *transfer) {
    struct peer *peer = transfer->dest_shard < peers->count ? peers->peers[transfer->dest_shard] : NULL;
    CHECK(peer); /* the ledger makes none to itself or beyond the count */
    courier_add(peer->courier, transfer->id, mono_now());
    ev_feed_event(peers->loop, &peer->readable, EV_READ); /* offered in this turn of the loop */
}

void peers_closed(struct peers *peers, uint64_t transfer) {
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->peers[i]) courier_remove(peers->peers[i]->courier, transfer);
    }
}

void peers_notice(struct peers *peers, uint64_t player, const uint8_t *bytes, size_t len) {
    struct peer *peer = peers->peers[shard_of_player(player, peers->count)];
    if (!peer) return;
    struct outbox *box = &peer->outbox;
    if (peer->link.state != LINK_UP || box->notice_count == NOTICES_MAX || len > BLOB_BYTES_MAX - box->blob_len) {
        peers->stats.notices_dropped++;
        return;
    }
    memcpy(box->blob + box->blob_len, bytes, len);
    box->notices[box->notice_count++] = (struct wire_notice){player, box->blob_len, (uint32_t)len};
    box->blob_len += (uint32_t)len;
}

struct peers_stats peers_stats(const struct peers *peers) {
    struct peers_stats stats = peers->stats;
    for (uint32_t i = 0; i < peers->count; i++) {
        if (!peers->peers[i]) continue;
        stats.outstanding += courier_count(peers->peers[i]->courier);
        stats.up += peers->peers[i]->link.state == LINK_UP;
        stats.bad += peers->peers[i]->link.stats.bad;
    }
    return stats;
}
