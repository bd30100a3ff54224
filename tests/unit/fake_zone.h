/* fake_zone.h: the other end of a real bus edge, for tests of the gateway: keeps what it was told, says what it is asked to.
 */
#ifndef MARCH_TESTS_UNIT_FAKE_ZONE_H
#define MARCH_TESTS_UNIT_FAKE_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/bus.h"
#include "common/check.h"
#include "common/clock.h"
#include "schemas/wire.h"

#define FAKE_KEPT_MAX 4096

struct fake_zone {
    char url[128];
    struct bus_edge *edge;
    struct wire_builder *builder;
    uint64_t incarnation;
    uint32_t greeted;
    bool attaches_all; /* answers each attach */
    uint32_t attach_result, attach_elsewhere;
    char name[WIRE_NAME_MAX + 1];
    struct wire_hello hello; /* the gateway's newest */
    unsigned hellos, batches;
    struct wire_attach attaches[FAKE_KEPT_MAX];
    struct wire_detach detaches[FAKE_KEPT_MAX];
    struct wire_input inputs[FAKE_KEPT_MAX];
    struct wire_ack acks[FAKE_KEPT_MAX];
    bool activates_all; /* answers each activate, with activate_result */
    uint32_t activate_result;
    struct wire_carried activates[FAKE_KEPT_MAX];
    struct wire_routed routed[FAKE_KEPT_MAX];
    unsigned activate_count, routed_count;
    unsigned attach_count, detach_count, input_count, ack_count, message_count;
    uint8_t message[1 << 16]; /* the newest */
    uint32_t message_len;
    uint64_t message_session;
};

static inline void fake_zone_open(struct fake_zone *z, const char *dir, const char *name, uint64_t incarnation) {
    snprintf(z->url, sizeof z->url, "ipc://%s/%s.ipc", dir, name);
    struct bus_edge_config config = {.url = z->url,
                                     .role = BUS_LISTEN,
                                     .local_name = name,
                                     .peer_name = "gateway-0",
                                     .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                     .queue_max_bytes = 4 * BUS_FRAME_BYTES_MAX};
    if (!z->builder) z->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    z->incarnation = incarnation;
    snprintf(z->name, sizeof z->name, "%s", name);
    z->greeted = 0;
    CHECK(z->builder && bus_edge_open(&z->edge, &config, mono_now()) == 0);
}

static inline void fake_zone_close(struct fake_zone *z) {
    bus_edge_close(z->edge);
    z->edge = NULL;
}

static inline void fake_zone_free(struct fake_zone *z) {
    fake_zone_close(z);
    wire_builder_destroy(z->builder);
    z->builder = NULL;
}

static inline void fake_zone_send(struct fake_zone *z, const struct wire_zone_batch *batch) {
    struct wire_bytes bytes;
    CHECK(wire_zone_batch_pack(z->builder, batch, &bytes) == 0);
    CHECK(bus_send(z->edge, bytes.data, bytes.len) == 0);
}

static inline void fake_zone_greet(struct fake_zone *z) {
    struct wire_hello hello = {.role = WIRE_ROLE_ZONE, .incarnation = z->incarnation, .tick_hz = 60};
    struct wire_bytes bytes;
    snprintf(hello.name, sizeof hello.name, "%s", z->name);
    CHECK(wire_hello_pack(z->builder, &hello, &bytes) == 0);
    if (bus_send(z->edge, bytes.data, bytes.len) == 0) z->greeted = bus_generation(z->edge);
}

static inline void fake_zone_answer(struct fake_zone *z, const struct wire_gateway_batch *b) {
    struct wire_attached attached[64];
    for (uint32_t i = 0; i < b->attach_count; i++) {
        attached[i] = (struct wire_attached){.session = b->attaches[i].session,
                                             .entity = b->attaches[i].player,
                                             .result = z->attach_result,
                                             .zone = z->attach_elsewhere};
    }
    struct wire_zone_batch answer = {.attached = attached, .attached_count = b->attach_count};
    if (b->attach_count > 0) fake_zone_send(z, &answer);
}

static inline void fake_zone_activated(struct fake_zone *z, const struct wire_carried *carried) {
    struct wire_activated activated = {carried->session, carried->attachment, z->activate_result};
    fake_zone_send(z, &(struct wire_zone_batch){.activated = &activated, .activated_count = 1});
}

#define FAKE_KEEP(what, count, from, from_count)                                                                            \
    for (uint32_t i_ = 0; i_ < (from_count) && z->count < FAKE_KEPT_MAX; i_++) z->what[z->count++] = (from)[i_]

static inline void fake_zone_take(struct fake_zone *z, const struct wire_gateway_batch *b) {
    z->batches++;
    FAKE_KEEP(attaches, attach_count, b->attaches, b->attach_count);
    FAKE_KEEP(activates, activate_count, b->activates, b->activate_count);
    FAKE_KEEP(routed, routed_count, b->routed, b->routed_count);
    FAKE_KEEP(detaches, detach_count, b->detaches, b->detach_count);
    FAKE_KEEP(inputs, input_count, b->inputs, b->input_count);
    FAKE_KEEP(acks, ack_count, b->acks, b->ack_count);
    for (uint32_t i = 0; i < b->message_count; i++) {
        z->message_count++;
        z->message_session = b->messages[i].session;
        z->message_len = b->messages[i].len;
        memcpy(z->message, b->blob + b->messages[i].offset, z->message_len);
    }
    for (uint32_t i = 0; z->activates_all && i < b->activate_count; i++) fake_zone_activated(z, &b->activates[i]);
    if (z->attaches_all) fake_zone_answer(z, b);
}

/* fake_zone_update runs the edge and takes what came. Nothing while it is closed. */
static inline void fake_zone_update(struct fake_zone *z) {
    if (!z->edge) return;
    bus_update(z->edge, mono_now());
    const uint8_t *bytes;
    size_t len;
    while (bus_receive(z->edge, &bytes, &len) == 0) {
        struct wire_bus_view view;
        CHECK(wire_bus_open(bytes, len, &view) == 0);
        if (view.kind == WIRE_BUS_HELLO) {
            z->hello = view.hello;
            z->hellos++;
        } else {
            fake_zone_take(z, &view.gateway);
        }
        bus_release(z->edge);
    }
    if (bus_connected(z->edge) && z->greeted != bus_generation(z->edge)) fake_zone_greet(z);
}

#endif
