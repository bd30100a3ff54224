#include "persist/fences.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <ev.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"
#include "common/step.h"
#include "persist/match_keep.h"
#include "persist/zones.h"
#include "schemas/link.h"

#define UPDATE_S     0.02
#define RECEIVES_MAX 4 /* of up to a megabyte, between two looks at the room that there is */

struct fences {
    struct fences_config config;
    struct ev_loop *loop;
    struct wire_builder *builder;
    bool has_link;
    struct link link;
    ev_io readable;
    ev_timer timer;
    ev_prepare prepare;
    struct wire_fence answers[WIRE_FENCES_MAX];
    uint32_t answer_count;
    struct fences_stats stats;
};

/* --- answers */

static void answer(struct fences *fences, const struct wire_fence *fence, enum wire_fence_result result) {
    fences->stats.done += result == WIRE_FENCE_DONE;
    fences->stats.unavailable += result != WIRE_FENCE_DONE;
    if (fences->answer_count == WIRE_FENCES_MAX) return;
    fences->answers[fences->answer_count] = *fence;
    fences->answers[fences->answer_count++].result = result;
}

static void fenced(void *ctx, const struct wire_fence *fence, int error) {
    if (error == 0)
        log_info("zone.fenced", "slot=%u incarnation=%016" PRIx64 " others=%d", fence->slot, fence->incarnation,
                 fence->kind == WIRE_FENCE_OTHERS);
    answer(ctx, fence, error == 0 ? WIRE_FENCE_DONE : WIRE_FENCE_UNAVAILABLE);
}

static bool is_sound(const struct wire_fence *fence) {
    return fence->kind == WIRE_FENCE_OTHERS || (fence->kind == WIRE_FENCE_ONE && fence->incarnation != 0);
}

static void flush_fences(struct fences *fences) {
    if (fences->answer_count == 0) return;
    struct wire_fences out = {.fences = fences->answers, .count = fences->answer_count};
    struct wire_bytes bytes;
    int error = wire_fences_done_pack(fences->builder, &out, &bytes);
    CHECK(error == 0);
    if (link_send(&fences->link, bytes) != 0) return;
    fences->answer_count = 0;
    STEP("persist.fence_answered");
}

static void flush_matches(struct fences *fences) {
    struct wire_match_told told;
    struct wire_bytes bytes;
    while (match_keep_fill(fences->config.matches, &told)) {
        int error = wire_match_told_pack(fences->builder, &told, &bytes);
        CHECK(error == 0);
        if (link_send(&fences->link, bytes) != 0) return;
        match_keep_told(fences->config.matches);
    }
}

static void flush(struct fences *fences) {
    if (fences->link.state != LINK_UP) return;
    flush_fences(fences);
    flush_matches(fences);
}

/* --- what comes */

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct fences *fences = context;
    if (view->kind == WIRE_BUS_MATCH_ASK) {
        match_keep_ask(fences->config.matches, &view->match_ask);
        return;
    }
    for (uint32_t i = 0; i < view->fences.count; i++) {
        const struct wire_fence *fence = &view->fences.fences[i];
        fences->stats.asked++;
        STEP("persist.fence_asked");
        if (!is_sound(fence) || zones_fence(fences->config.zones, fence, fenced, fences) != 0)
            answer(fences, fence, WIRE_FENCE_UNAVAILABLE);
    }
}

/* What waited was for another connection: it is asked for again. */
static void up(void *context, bool is_same, struct mono now) {
    (void)is_same, (void)now;
    struct fences *fences = context;
    fences->answer_count = 0;
    match_keep_begin(fences->config.matches);
}

/* Without room for more what comes is left in the bus, and looked for by the timer alone. */
static void receive(struct fences *fences) {
    link_update(&fences->link, mono_now());
    if (match_keep_has_room(fences->config.matches)) {
        ev_io_start(fences->loop, &fences->readable);
        link_receive(&fences->link, mono_now());
    } else {
        ev_io_stop(fences->loop, &fences->readable);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    receive(io->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    receive(timer->data);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events) {
    (void)loop, (void)events;
    flush(prepare->data);
}

/* --- opening */

static int open_link(struct fences *fences, char *error, size_t error_size) {
    const struct fences_config *c = &fences->config;
    char url[EDGE_URL_SIZE];
    int result = edge_url(c->config, c->run_dir, EDGE_PERSIST_MATCHMAKER, c->shard_index, 0, url, sizeof url);
    if (result) {
        snprintf(error, error_size, "no address for the edge to %s: %s", c->config->matchmaker.name,
                 march_error_text(result));
        return result;
    }
    struct link_config link = {.hello = c->hello,
                               .peer = {.role = WIRE_ROLE_MATCHMAKER, .kind = WIRE_BUS_FENCES, .also = WIRE_BUS_MATCH_ASK},
                               .receives_max = RECEIVES_MAX,
                               .bus = {.url = url,
                                       .role = BUS_LISTEN,
                                       .peer_name = c->config->matchmaker.name,
                                       .key = c->key,
                                       .queue_max_bytes = c->config->bus.queue_bytes_max},
                               .builder = fences->builder,
                               .handlers = {.context = fences, .up = up, .message = take}};
    fences->has_link = true;
    result = link_open(&fences->link, &link, mono_now(), error, error_size);
    if (result) return result;
    ev_io_init(&fences->readable, on_readable, bus_edge_fd(fences->link.edge), EV_READ);
    ev_timer_init(&fences->timer, on_timer, UPDATE_S, UPDATE_S);
    ev_prepare_init(&fences->prepare, on_prepare);
    fences->readable.data = fences->timer.data = fences->prepare.data = fences;
    ev_io_start(fences->loop, &fences->readable);
    ev_timer_start(fences->loop, &fences->timer);
    ev_prepare_start(fences->loop, &fences->prepare);
    return 0;
}

int fences_open(struct fences **out, struct ev_loop *loop, const struct fences_config *config, char *error,
                size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct fences *fences = calloc(1, sizeof *fences);
    if (!fences) return MARCH_ERR_SYSTEM;
    *fences = (struct fences){.config = *config, .loop = loop};
    fences->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    int result = fences->builder ? 0 : MARCH_ERR_SYSTEM;
    if (result == 0 && config_has_matchmaker(config->config)) result = open_link(fences, error, error_size);
    if (result) {
        fences_close(fences);
        return result;
    }
    *out = fences;
    return 0;
}

void fences_close(struct fences *fences) {
    if (!fences) return;
    if (ev_is_active(&fences->timer)) {
        ev_io_stop(fences->loop, &fences->readable);
        ev_timer_stop(fences->loop, &fences->timer);
        ev_prepare_stop(fences->loop, &fences->prepare);
    }
    if (fences->has_link) link_close(&fences->link);
    wire_builder_destroy(fences->builder);
    free(fences);
}

struct fences_stats fences_stats(const struct fences *fences) {
    return fences->stats;
}
