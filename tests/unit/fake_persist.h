/* fake_persist.h: the other end of a real bus edge, for tests of the gateway: keeps what it was told, answers as it is asked
 * to.
 */
#ifndef MARCH_TESTS_UNIT_FAKE_PERSIST_H
#define MARCH_TESTS_UNIT_FAKE_PERSIST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/bus.h"
#include "common/check.h"
#include "common/clock.h"
#include "schemas/wire.h"

#define FAKE_PERSIST_KEPT_MAX 256

struct fake_persist {
    char url[128];
    struct bus_edge *edge;
    struct wire_builder *builder;
    uint64_t incarnation;
    uint32_t greeted;
    bool is_mute;                        /* answers no claim */
    uint32_t result;                     /* of claims */
    uint32_t shard;                      /* that it says it is */
    struct wire_session_claimed claimed; /* what answers carry beside session, player and result; the epoch rises */
    char region[WIRE_NAME_MAX + 1];
    unsigned claim_count, refresh_count, command_count, end_count;
    struct wire_session_claim claims[FAKE_PERSIST_KEPT_MAX];
    struct wire_session_ref refreshes[FAKE_PERSIST_KEPT_MAX], ends[FAKE_PERSIST_KEPT_MAX];
    struct wire_session_command commands[FAKE_PERSIST_KEPT_MAX];
    struct wire_client_message command; /* the newest */
};

static inline void fake_persist_open(struct fake_persist *p, const char *dir, uint64_t incarnation) {
    snprintf(p->url, sizeof p->url, "ipc://%s/persist-0.ipc", dir);
    struct bus_edge_config config = {.url = p->url,
                                     .role = BUS_LISTEN,
                                     .local_name = "persist-0",
                                     .peer_name = "gateway-0",
                                     .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                     .queue_max_bytes = 4 * BUS_FRAME_BYTES_MAX};
    if (!p->builder) p->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    p->incarnation = incarnation;
    p->greeted = 0;
    CHECK(p->builder && bus_edge_open(&p->edge, &config, mono_now()) == 0);
}

static inline void fake_persist_close(struct fake_persist *p) {
    bus_edge_close(p->edge);
    p->edge = NULL;
}

static inline void fake_persist_free(struct fake_persist *p) {
    fake_persist_close(p);
    wire_builder_destroy(p->builder);
    p->builder = NULL;
}

static inline void fake_persist_send(struct fake_persist *p, const struct wire_persist_sessions *sessions) {
    struct wire_bytes bytes;
    CHECK(wire_persist_sessions_pack(p->builder, sessions, &bytes) == 0);
    CHECK(bus_send(p->edge, bytes.data, bytes.len) == 0);
}

/* fake_persist_tell sends a client a message. */
static inline void fake_persist_tell(struct fake_persist *p, uint64_t session, const struct wire_server_message *message) {
    struct wire_bytes packed;
    uint8_t copy[WIRE_CLIENT_BYTES_MAX];
    CHECK(wire_server_message_pack(p->builder, message, &packed) == 0);
    memcpy(copy, packed.data, packed.len);
    struct wire_message out = {.session = session, .len = (uint32_t)packed.len};
    fake_persist_send(p, &(struct wire_persist_sessions){
                             .messages = &out, .message_count = 1, .blob = copy, .blob_len = (uint32_t)packed.len});
}

static inline void fake_persist_greet(struct fake_persist *p) {
    struct wire_hello hello = {.name = "persist-0",
                               .role = WIRE_ROLE_PERSIST,
                               .incarnation = p->incarnation,
                               .index = p->shard,
                               .shard_count = p->shard + 1};
    struct wire_bytes bytes;
    CHECK(wire_hello_pack(p->builder, &hello, &bytes) == 0);
    if (bus_send(p->edge, bytes.data, bytes.len) == 0) p->greeted = bus_generation(p->edge);
}

static inline void fake_persist_answer(struct fake_persist *p, const struct wire_session_claim *claim) {
    struct wire_session_claimed claimed = p->claimed;
    claimed.session = claim->session;
    claimed.player = claim->player;
    claimed.result = p->result;
    claimed.session_epoch = ++p->claimed.session_epoch;
    fake_persist_send(p, &(struct wire_persist_sessions){.claimed = &claimed, .claimed_count = 1});
}

#define FAKE_PERSIST_KEEP(what, count, from, from_count)                                                                    \
    for (uint32_t i_ = 0; i_ < (from_count) && p->count < FAKE_PERSIST_KEPT_MAX; i_++) p->what[p->count++] = (from)[i_]

static inline void fake_persist_take(struct fake_persist *p, const struct wire_gateway_claims *c) {
    memcpy(p->region, c->region, sizeof p->region);
    FAKE_PERSIST_KEEP(claims, claim_count, c->claims, c->claim_count);
    FAKE_PERSIST_KEEP(refreshes, refresh_count, c->refreshes, c->refresh_count);
    FAKE_PERSIST_KEEP(ends, end_count, c->ends, c->end_count);
    FAKE_PERSIST_KEEP(commands, command_count, c->commands, c->command_count);
    for (uint32_t i = 0; i < c->command_count; i++)
        CHECK(wire_client_message_read(c->blob + c->commands[i].offset, c->commands[i].len, &p->command) == 0);
    for (uint32_t i = 0; !p->is_mute && i < c->claim_count; i++) fake_persist_answer(p, &c->claims[i]);
}

/* fake_persist_update runs the edge and takes what came. Nothing while it is closed. */
static inline void fake_persist_update(struct fake_persist *p) {
    if (!p->edge) return;
    bus_update(p->edge, mono_now());
    const uint8_t *bytes;
    size_t len;
    while (bus_receive(p->edge, &bytes, &len) == 0) {
        struct wire_bus_view view;
        CHECK(wire_bus_open(bytes, len, &view) == 0);
        if (view.kind == WIRE_BUS_GATEWAY_CLAIMS) fake_persist_take(p, &view.gateway_claims);
        bus_release(p->edge);
    }
    if (bus_connected(p->edge) && p->greeted != bus_generation(p->edge)) fake_persist_greet(p);
}

#endif
