#include "matchmaker/links.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/step.h"
#include "matchmaker/tells.h"

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
    struct tells *tells;
    uint64_t told_count, tells_lost;
};

static struct end *end_at(const struct links *links, enum end_kind kind, uint32_t index) {
    const struct config *config = links->config.config;
    uint32_t first[] = {0, config->zones_count, config->zones_count + config->gateways_count};
    CHECK(first[kind] + index < links->count && links->ends[first[kind] + index].kind == kind);
    return &links->ends[first[kind] + index];
}

/* --- receiving */

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same;
    struct end *end = context;
    struct atlas *atlas = end->links->config.atlas;
    const struct links_handlers *h = &end->links->config.handlers;
    uint64_t incarnation = end->link.peer.incarnation;
    end->told = 0;
    end->fence_count = 0;
    switch (end->kind) {
    case END_ZONE:
        atlas_worker_up(atlas, end->index, incarnation, now);
        if (h->zone_up) h->zone_up(h->context, end->index, incarnation, now);
        break;
    case END_GATEWAY: atlas_gateway_up(atlas, end->index, incarnation, now); break;
    case END_PERSIST:
        if (h->persist_up) h->persist_up(h->context, end->index, now);
    }
}

static void lost(void *context, struct mono now) {
    struct end *end = context;
    struct atlas *atlas = end->links->config.atlas;
    const struct links_handlers *h = &end->links->config.handlers;
    switch (end->kind) {
    case END_ZONE:
        atlas_worker_lost(atlas, end->index, now);
        if (h->zone_lost) h->zone_lost(h->context, end->index, now);
        break;
    case END_GATEWAY:
        atlas_gateway_lost(atlas, end->index, now);
        tells_clear(end->links->tells, end->index);
        break;
    case END_PERSIST:
        if (h->persist_lost) h->persist_lost(h->context, end->index, now);
    }
}

static void take_fences(struct end *end, const struct wire_fences *fences) {
    for (uint32_t i = 0; i < fences->count; i++)
        if (fences->fences[i].result == WIRE_FENCE_DONE)
            atlas_fenced(end->links->config.atlas, end->index, &fences->fences[i]);
}

static void take_asks(struct end *end, const struct wire_gateway_asks *asks, struct mono now) {
    const struct links_handlers *h = &end->links->config.handlers;
    for (uint32_t i = 0; i < asks->ask_count; i++) tells_heard(end->links->tells, asks->asks[i].player, end->index);
    if (h->asks) h->asks(h->context, end->index, asks, now);
}

/* Of what a peer sends, its link has let through what end_peer says. */
static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    struct end *end = context;
    struct atlas *atlas = end->links->config.atlas;
    const struct links_handlers *h = &end->links->config.handlers;
    switch (view->kind) {
    case WIRE_BUS_WORKER_REPORT: atlas_worker_report(atlas, end->index, &view->worker_report, now); break;
    case WIRE_BUS_GATEWAY_REPORT: atlas_gateway_report(atlas, end->index, &view->gateway_report, now); break;
    case WIRE_BUS_FENCES_DONE: take_fences(end, &view->fences); break;
    case WIRE_BUS_GATEWAY_ASKS: take_asks(end, &view->gateway_asks, now); break;
    case WIRE_BUS_INSTANCE_REPORT:
        if (h->report) h->report(h->context, end->index, &view->instance_report, now);
        break;
    case WIRE_BUS_MATCH_TOLD:
        if (h->told) h->told(h->context, end->index, &view->match_told, now);
        break;
    default: CHECK(!"a kind that the link lets through");
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

/* flush_tells sends what waits for a gateway; where the bus refuses it goes on waiting. */
static void flush_tells(struct end *end) {
    struct tells *tells = end->links->tells;
    struct wire_gateway_tells view;
    struct wire_bytes bytes;
    if (!tells_fill(tells, end->index, &view)) return;
    CHECK(wire_gateway_tells_pack(end->links->builder, &view, &bytes) == 0);
    if (link_send(&end->link, bytes) == 0) tells_clear(tells, end->index);
}

/* tell_by puts a packed message into a gateway's batch; a full one is sent first. */
static void tell_by(struct links *links, struct end *end, uint64_t player, const uint8_t *message, size_t len) {
    const struct wire_bytes bytes = {message, len};
    int result = tells_add(links->tells, end->index, player, bytes);
    if (result != 0) {
        flush_tells(end);
        result = tells_add(links->tells, end->index, player, bytes);
    }
    links->tells_lost += result != 0;
}

void links_tell(struct links *links, uint64_t player, const struct wire_server_message *message) {
    uint8_t copy[WIRE_CLIENT_BYTES_MAX]; /* the builder packs batches, too */
    struct wire_bytes bytes;
    CHECK(wire_server_message_pack(links->builder, message, &bytes) == 0 && bytes.len <= sizeof copy);
    memcpy(copy, bytes.data, bytes.len);
    uint32_t where = tells_where(links->tells, player);
    bool is_known = where != TELLS_NOWHERE && links_gateway_is_up(links, where);
    uint32_t told = 0;
    for (uint32_t i = 0; i < links->config.config->gateways_count; i++) {
        if (!links_gateway_is_up(links, i) || (is_known && i != where)) continue;
        tell_by(links, end_at(links, END_GATEWAY, i), player, copy, bytes.len);
        told++;
    }
    links->told_count++;
    links->tells_lost += told == 0;
}

int links_order(struct links *links, uint32_t slot, const struct wire_instance_orders *orders) {
    struct wire_bytes bytes;
    int result = wire_instance_orders_pack(links->builder, orders, &bytes);
    return result ? result : link_send(&end_at(links, END_ZONE, slot)->link, bytes);
}

int links_ask(struct links *links, uint32_t shard, const struct wire_match_ask *ask) {
    struct wire_bytes bytes;
    int result = wire_match_ask_pack(links->builder, ask, &bytes);
    return result ? result : link_send(&end_at(links, END_PERSIST, shard)->link, bytes);
}

void links_flush(struct links *links, struct mono now) {
    for (uint32_t i = 0; i < links->count; i++) {
        struct end *end = &links->ends[i];
        if (end->link.state != LINK_UP) continue;
        if (end->kind == END_PERSIST) {
            tell_fences(end, now);
        } else {
            tell_directory(end);
            if (end->kind == END_GATEWAY) flush_tells(end);
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
        [END_ZONE] = {.role = WIRE_ROLE_ZONE, .kind = WIRE_BUS_WORKER_REPORT, .also = WIRE_BUS_INSTANCE_REPORT},
        [END_GATEWAY] = {.role = WIRE_ROLE_GATEWAY, .kind = WIRE_BUS_GATEWAY_REPORT, .also = WIRE_BUS_GATEWAY_ASKS},
        [END_PERSIST] = {.role = WIRE_ROLE_PERSIST, .kind = WIRE_BUS_FENCES_DONE, .also = WIRE_BUS_MATCH_TOLD},
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
    int result =
        links->builder && links->ends ? tells_create(&links->tells, config->config->gateways_count) : MARCH_ERR_SYSTEM;
    if (!result) result = open_ends(links, error, error_size);
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
    tells_destroy(links->tells);
    free(links->ends);
    free(links);
}

/* --- looking in */

bool links_zone_is_up(const struct links *links, uint32_t slot) {
    return end_at(links, END_ZONE, slot)->link.state == LINK_UP;
}

bool links_gateway_is_up(const struct links *links, uint32_t index) {
    return end_at(links, END_GATEWAY, index)->link.state == LINK_UP;
}

bool links_persist_is_up(const struct links *links, uint32_t shard) {
    return end_at(links, END_PERSIST, shard)->link.state == LINK_UP;
}

struct links_stats links_stats_get(const struct links *links) {
    struct links_stats sum = {.tells = links->told_count, .tells_lost = links->tells_lost};
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
