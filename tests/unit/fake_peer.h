/* fake_peer.h: a zone, gateway or persist as a matchmaker sees it: the other end of a real edge, which says and does what it
 * is asked to. Zones and gateways report every FAKE_PEER_REPORT_MS, with the directory that they hold in the first report of
 * a connection; persists answer fences.
 */
#ifndef MARCH_TESTS_UNIT_FAKE_PEER_H
#define MARCH_TESTS_UNIT_FAKE_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/edge_url.h"
#include "schemas/directory.h"
#include "schemas/link.h"
#include "schemas/wire.h"

#define FAKE_PEER_REPORT_MS 50
#define FAKE_PEER_HOLDS_MAX 16

struct fake_peer {
    struct link link;
    struct wire_builder *builder;
    enum wire_role role;
    bool is_silent, has_reported;
    struct mono report_at;
    struct directory held;
    unsigned directories; /* that came */
    struct wire_worker_report report;
    struct wire_hold holds[FAKE_PEER_HOLDS_MAX];
    uint32_t sessions;
    uint32_t fence_result;           /* of a persist: enum wire_fence_result */
    unsigned fences;                 /* of one incarnation that came */
    struct wire_fence fence;         /* the newest */
    unsigned others;                 /* fences of all others that came */
    unsigned tells, orders, asks;    /* to players by way of a gateway; to a zone; to a persist */
    uint64_t told_player, asked_seq; /* of the newest */
    struct wire_server_message told; /* the newest */
    struct wire_travel travel;       /* the first of the newest orders */
};

static inline void fake_peer_up(void *context, bool is_same, struct mono now) {
    (void)is_same;
    struct fake_peer *p = context;
    p->has_reported = false;
    p->report_at = now;
}

static inline void fake_peer_answer(struct fake_peer *p, const struct wire_fences *fences) {
    struct wire_fence done[WIRE_FENCES_MAX];
    for (uint32_t i = 0; i < fences->count; i++) {
        bool is_of_one = fences->fences[i].kind == WIRE_FENCE_ONE;
        if (is_of_one) p->fence = fences->fences[i];
        p->fences += is_of_one;
        p->others += !is_of_one;
        done[i] = fences->fences[i];
        done[i].result = p->fence_result;
    }
    struct wire_bytes bytes;
    CHECK(wire_fences_done_pack(p->builder, &(struct wire_fences){.fences = done, .count = fences->count}, &bytes) == 0);
    CHECK(link_send(&p->link, bytes) == 0);
}

/* What is about matches is noted; who wants it answered does so. */
static inline void fake_peer_note(struct fake_peer *p, const struct wire_bus_view *view) {
    if (view->kind == WIRE_BUS_INSTANCE_ORDERS) {
        if (view->instance_orders.travel_count > 0) p->travel = view->instance_orders.travels[0];
        p->orders++;
    } else if (view->kind == WIRE_BUS_MATCH_ASK) {
        p->asked_seq = view->match_ask.seq;
        p->asks++;
    }
    for (uint32_t i = 0; view->kind == WIRE_BUS_GATEWAY_TELLS && i < view->gateway_tells.tell_count; i++) {
        const struct wire_player_tell *tell = &view->gateway_tells.tells[i];
        p->told_player = tell->player;
        CHECK(wire_server_message_read(view->gateway_tells.blob + tell->offset, tell->len, &p->told) == 0);
        p->tells++;
    }
}

static inline void fake_peer_take(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct fake_peer *p = context;
    if (view->kind == WIRE_BUS_GATEWAY_TELLS || view->kind == WIRE_BUS_INSTANCE_ORDERS || view->kind == WIRE_BUS_MATCH_ASK) {
        fake_peer_note(p, view);
        return;
    }
    if (view->kind == WIRE_BUS_FENCES) {
        if (!p->is_silent) fake_peer_answer(p, &view->fences);
        return;
    }
    p->directories++;
    (void)directory_take(&p->held, &view->directory); /* one that is new to a connection may be known */
}

/* fake_peer_open is a new process, the one of that index and role. */
static inline void fake_peer_open(struct fake_peer *p, const struct config *config, const char *run_dir, enum wire_role role,
                                  uint32_t index, uint64_t incarnation) {
    *p = (struct fake_peer){.role = role, .builder = wire_builder_create(WIRE_BUS_BYTES_MAX)};
    const char *name = role == WIRE_ROLE_ZONE      ? config->zones[index].name
                       : role == WIRE_ROLE_GATEWAY ? config->gateways[index].name
                                                   : config->persists[index].name;
    char url[EDGE_URL_SIZE], error[256];
    int result = role == WIRE_ROLE_ZONE      ? edge_url(config, run_dir, EDGE_MATCHMAKER_ZONE, 0, index, url, sizeof url)
                 : role == WIRE_ROLE_GATEWAY ? edge_url(config, run_dir, EDGE_MATCHMAKER_GATEWAY, 0, index, url, sizeof url)
                                             : edge_url(config, run_dir, EDGE_PERSIST_MATCHMAKER, index, 0, url, sizeof url);
    struct link_config link = {.hello = {.role = role, .incarnation = incarnation, .index = index},
                               .peer = {.role = WIRE_ROLE_MATCHMAKER,
                                        .kind = role == WIRE_ROLE_PERSIST ? WIRE_BUS_FENCES : WIRE_BUS_DIRECTORY,
                                        .also = role == WIRE_ROLE_PERSIST ? WIRE_BUS_MATCH_ASK
                                                : role == WIRE_ROLE_ZONE  ? WIRE_BUS_INSTANCE_ORDERS
                                                                          : WIRE_BUS_GATEWAY_TELLS},
                               .bus = {.url = url,
                                       .role = role == WIRE_ROLE_PERSIST ? BUS_LISTEN : BUS_DIAL,
                                       .peer_name = config->matchmaker.name,
                                       .queue_max_bytes = 4 << 20},
                               .builder = p->builder,
                               .handlers = {.context = p, .up = fake_peer_up, .message = fake_peer_take}};
    snprintf(link.hello.name, sizeof link.hello.name, "%s", name);
    if (role == WIRE_ROLE_PERSIST) link.hello.shard_count = config->persists_count;
    CHECK(result == 0 && p->builder && link_open(&p->link, &link, mono_now(), error, sizeof error) == 0);
}

static inline void fake_peer_close(struct fake_peer *p) {
    if (p->link.edge) link_close(&p->link);
    wire_builder_destroy(p->builder);
    p->builder = NULL;
}

static inline void fake_peer_report(struct fake_peer *p) {
    struct wire_directory held = {0};
    if (!p->has_reported) held = directory_view(&p->held);
    struct wire_bytes bytes;
    p->report.directory = held;
    p->report.version = p->held.version;
    p->report.holds = p->holds;
    struct wire_gateway_report gateway = {.directory = held, .version = p->held.version, .sessions = p->sessions};
    CHECK((p->role == WIRE_ROLE_ZONE ? wire_worker_report_pack(p->builder, &p->report, &bytes)
                                     : wire_gateway_report_pack(p->builder, &gateway, &bytes)) == 0);
    if (link_send(&p->link, bytes) == 0) p->has_reported = true;
}

/* fake_peer_send sends what it has packed with its builder. */
static inline void fake_peer_send(struct fake_peer *p, struct wire_bytes bytes) {
    CHECK(link_send(&p->link, bytes) == 0);
}

/* fake_peer_update runs the edge, takes what came and reports. Nothing while it is closed. */
static inline void fake_peer_update(struct fake_peer *p) {
    if (!p->builder) return;
    struct mono now = mono_now();
    link_update(&p->link, now);
    link_receive(&p->link, now);
    if (p->role == WIRE_ROLE_PERSIST || p->is_silent || p->link.state != LINK_UP || !mono_reached(now, p->report_at)) return;
    p->report_at = mono_add_ms(now, FAKE_PEER_REPORT_MS);
    fake_peer_report(p);
}

#endif
