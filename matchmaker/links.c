#include "matchmaker/links.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/step.h"

#define ENDS_MAX (CONFIG_ZONES_MAX + CONFIG_GATEWAYS_MAX + CONFIG_PERSISTS_MAX)

enum end_kind { END_ZONE = 0, END_GATEWAY = 1, END_PERSIST = 2 };

struct end {
    struct links *links;
    enum end_kind kind;
    uint32_t index; /* in the configuration */
    struct link link;
    ev_io readable;
    uint64_t told; /* version; 0: none over this connection */
    uint32_t fence_count;
    struct wire_fence fences[WIRE_FENCES_MAX]; /* asked for last */
    struct mono fences_at;
};

struct links {
    struct links_config config;
    struct ev_loop *loop;
    struct wire_builder *builder;
    uint32_t count;
    struct end *ends; /* zones, gateways, persists */
};

/* --- receiving */

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same;
    struct end *end = context;
    struct atlas *atlas = end->links->config.atlas;
    end->told = 0;
    end->fence_count = 0;
    if (end->kind == END_ZONE) atlas_worker_up(atlas, end->index, end->link.peer.incarnation, now);
    if (end->kind == END_GATEWAY) atlas_gateway_up(atlas, end->index, end->link.peer.incarnation, now);
}

static void lost(void *context, struct mono now) {
    struct end *end = context;
    if (end->kind == END_ZONE) atlas_worker_lost(end->links->config.atlas, end->index, now);
    if (end->kind == END_GATEWAY) atlas_gateway_lost(end->links->config.atlas, end->index, now);
}

static void take_fences(struct end *end, const struct wire_fences *fences) {
    for (uint32_t i = 0; i < fences->count; i++)
        if (fences->fences[i].result == WIRE_FENCE_DONE)
            atlas_fenced(end->links->config.atlas, end->index, &fences->fences[i]);
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    struct end *end = context;
    struct atlas *atlas = end->links->config.atlas;
    switch (end->kind) {
    case END_ZONE: atlas_worker_report(atlas, end->index, &view->worker_report, now); break;
    case END_GATEWAY: atlas_gateway_report(atlas, end->index, &view->gateway_report, now); break;
    case END_PERSIST: take_fences(end, &view->fences);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct end *end = io->data;
    struct mono now = mono_now();
    link_update(&end->link, now);
    link_receive(&end->link, now);
}

void links_update(struct links *links, struct mono now) {
    for (uint32_t i = 0; i < links->count; i++) {
        link_update(&links->ends[i].link, now);
        link_receive(&links->ends[i].link, now);
    }
}

/* --- sending */

static void tell_directory(struct end *end) {
    const struct atlas *atlas = end->links->config.atlas;
    if (atlas->phase != ATLAS_RUNNING || atlas->told.version <= end->told) return;
    struct wire_directory view = directory_view(&atlas->told);
    struct wire_bytes bytes;
    int error = wire_directory_pack(end->links->builder, &view, &bytes);
    CHECK(error == 0);
    if (link_send(&end->link, bytes) != 0) return;
    end->told = view.version;
    STEP("matchmaker.told");
}

static void tell_fences(struct end *end, struct mono now) {
    struct wire_fence fences[WIRE_FENCES_MAX];
    uint32_t count = atlas_fences(end->links->config.atlas, end->index, fences);
    bool is_new = count != end->fence_count || memcmp(fences, end->fences, count * sizeof *fences) != 0;
    if (count == 0) end->fence_count = 0;
    if (count == 0 || (!is_new && !mono_reached(now, end->fences_at))) return;
    struct wire_bytes bytes;
    int error = wire_fences_pack(end->links->builder, &(struct wire_fences){.fences = fences, .count = count}, &bytes);
    CHECK(error == 0);
    if (link_send(&end->link, bytes) != 0) return;
    end->fence_count = count;
    memcpy(end->fences, fences, count * sizeof *fences);
    end->fences_at = mono_add_ms(now, LINKS_FENCES_MS);
    STEP("matchmaker.fence_asked");
}

void links_flush(struct links *links, struct mono now) {
    for (uint32_t i = 0; i < links->count; i++) {
        struct end *end = &links->ends[i];
        if (end->link.state != LINK_UP) continue;
        if (end->kind == END_PERSIST) {
            tell_fences(end, now);
        } else {
            tell_directory(end);
        }
    }
}

/* --- opening */

static int end_url(const struct end *end, char *url) {
    const struct links_config *c = &end->links->config;
    switch (end->kind) {
    case END_ZONE: return edge_url(c->config, c->run_dir, EDGE_MATCHMAKER_ZONE, 0, end->index, url, EDGE_URL_SIZE);
    case END_GATEWAY: return edge_url(c->config, c->run_dir, EDGE_MATCHMAKER_GATEWAY, 0, end->index, url, EDGE_URL_SIZE);
    case END_PERSIST: break;
    }
    return edge_url(c->config, c->run_dir, EDGE_PERSIST_MATCHMAKER, end->index, 0, url, EDGE_URL_SIZE);
}

static struct link_peer end_peer(const struct end *end) {
    static const struct link_peer peers[] = {
        [END_ZONE] = {.role = WIRE_ROLE_ZONE, .kind = WIRE_BUS_WORKER_REPORT},
        [END_GATEWAY] = {.role = WIRE_ROLE_GATEWAY, .kind = WIRE_BUS_GATEWAY_REPORT},
        [END_PERSIST] = {.role = WIRE_ROLE_PERSIST, .kind = WIRE_BUS_FENCES_DONE},
    };
    struct link_peer peer = peers[end->kind];
    if (end->kind == END_PERSIST) {
        peer.shard = end->index;
        peer.shard_count = end->links->config.config->persists_count;
    }
    return peer;
}

static int open_end(struct links *links, enum end_kind kind, uint32_t index, const char *name, char *error,
                    size_t error_size) {
    struct end *end = &links->ends[links->count++];
    *end = (struct end){.links = links, .kind = kind, .index = index};
    char url[EDGE_URL_SIZE];
    int result = end_url(end, url);
    if (result) {
        snprintf(error, error_size, "no address for the edge to %s: %s", name, march_error_text(result));
        return result;
    }
    struct link_config link = {.hello = links->config.hello,
                               .peer = end_peer(end),
                               .bus = {.url = url,
                                       .role = kind == END_PERSIST ? BUS_DIAL : BUS_LISTEN,
                                       .peer_name = name,
                                       .key = links->config.key,
                                       .queue_max_bytes = links->config.config->bus.queue_bytes_max},
                               .builder = links->builder,
                               .handlers = {.context = end, .up = up, .lost = lost, .message = take}};
    result = link_open(&end->link, &link, mono_now(), error, error_size);
    if (result) return result;
    ev_io_init(&end->readable, on_readable, bus_edge_fd(end->link.edge), EV_READ);
    end->readable.data = end;
    ev_io_start(links->loop, &end->readable);
    return 0;
}

static int open_ends(struct links *links, char *error, size_t error_size) {
    const struct config *config = links->config.config;
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < config->zones_count; i++)
        result = open_end(links, END_ZONE, i, config->zones[i].name, error, error_size);
    for (uint32_t i = 0; result == 0 && i < config->gateways_count; i++)
        result = open_end(links, END_GATEWAY, i, config->gateways[i].name, error, error_size);
    for (uint32_t i = 0; result == 0 && i < config->persists_count; i++)
        result = open_end(links, END_PERSIST, i, config->persists[i].name, error, error_size);
    return result;
}

int links_open(struct links **out, struct ev_loop *loop, const struct links_config *config, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct links *links = calloc(1, sizeof *links);
    if (!links) return MARCH_ERR_SYSTEM;
    links->config = *config;
    links->loop = loop;
    links->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    links->ends = calloc(ENDS_MAX, sizeof *links->ends); /* they never move: links must not */
    int result = links->builder && links->ends ? open_ends(links, error, error_size) : MARCH_ERR_SYSTEM;
    if (result) {
        links_close(links);
        return result;
    }
    *out = links;
    return 0;
}

void links_close(struct links *links) {
    if (!links) return;
    for (uint32_t i = 0; i < links->count; i++) {
        if (links->ends[i].link.edge) ev_io_stop(links->loop, &links->ends[i].readable);
        link_close(&links->ends[i].link);
    }
    wire_builder_destroy(links->builder);
    free(links->ends);
    free(links);
}

/* --- looking in */

static bool is_up(const struct links *links, uint32_t at) {
    CHECK(at < links->count);
    return links->ends[at].link.state == LINK_UP;
}

bool links_zone_is_up(const struct links *links, uint32_t slot) {
    return is_up(links, slot);
}

bool links_gateway_is_up(const struct links *links, uint32_t index) {
    return is_up(links, links->config.config->zones_count + index);
}

bool links_persist_is_up(const struct links *links, uint32_t shard) {
    return is_up(links, links->config.config->zones_count + links->config.config->gateways_count + shard);
}

struct links_stats links_stats_get(const struct links *links) {
    struct links_stats sum = {0};
    for (uint32_t i = 0; i < links->count; i++) {
        const struct end *end = &links->ends[i];
        const struct link_stats *one = &end->link.stats;
        uint32_t *up_count[] = {&sum.zones_up, &sum.gateways_up, &sum.persists_up};
        *up_count[end->kind] += end->link.state == LINK_UP;
        sum.received += one->received;
        sum.bad += one->bad;
        sum.sent += one->sent;
        sum.refused += one->refused;
        sum.losses += one->losses;
    }
    return sum;
}
