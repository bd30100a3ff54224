/* fake_matchmaker.h: the other end of a real bus edge, for tests of the gateway: keeps the reports, says what it is asked
 * to.
 */
#ifndef MARCH_TESTS_UNIT_FAKE_MATCHMAKER_H
#define MARCH_TESTS_UNIT_FAKE_MATCHMAKER_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/bus.h"
#include "common/check.h"
#include "common/clock.h"
#include "schemas/directory.h"
#include "schemas/wire.h"

struct fake_matchmaker {
    char url[128];
    struct bus_edge *edge;
    struct wire_builder *builder;
    uint64_t incarnation;
    uint32_t greeted;
    unsigned reports, held;            /* reports that carried a directory */
    struct wire_gateway_report report; /* the newest; its pointers don't hold */
    uint64_t held_version;
    unsigned asks, batches;           /* of players; messages with such */
    struct wire_player_ask ask;       /* the newest, */
    struct wire_client_message asked; /* and what it says */
};

static inline void fake_matchmaker_open(struct fake_matchmaker *m, const char *dir, uint64_t incarnation) {
    snprintf(m->url, sizeof m->url, "ipc://%s/matchmaker.ipc", dir);
    struct bus_edge_config config = {.url = m->url,
                                     .role = BUS_LISTEN,
                                     .local_name = "matchmaker-0",
                                     .peer_name = "gateway-0",
                                     .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                     .queue_max_bytes = 4 * BUS_FRAME_BYTES_MAX};
    if (!m->builder) m->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    m->incarnation = incarnation;
    m->greeted = 0;
    CHECK(m->builder && bus_edge_open(&m->edge, &config, mono_now()) == 0);
}

static inline void fake_matchmaker_close(struct fake_matchmaker *m) {
    bus_edge_close(m->edge);
    m->edge = NULL;
}

static inline void fake_matchmaker_free(struct fake_matchmaker *m) {
    fake_matchmaker_close(m);
    wire_builder_destroy(m->builder);
    m->builder = NULL;
}

static inline void fake_matchmaker_send(struct fake_matchmaker *m, const struct directory *directory) {
    struct wire_directory view = directory_view(directory);
    struct wire_bytes bytes;
    CHECK(wire_directory_pack(m->builder, &view, &bytes) == 0);
    CHECK(bus_send(m->edge, bytes.data, bytes.len) == 0);
}

static inline void fake_matchmaker_greet(struct fake_matchmaker *m) {
    struct wire_hello hello = {.name = "matchmaker-0", .role = WIRE_ROLE_MATCHMAKER, .incarnation = m->incarnation};
    struct wire_bytes bytes;
    CHECK(wire_hello_pack(m->builder, &hello, &bytes) == 0);
    if (bus_send(m->edge, bytes.data, bytes.len) == 0) m->greeted = bus_generation(m->edge);
}

/* fake_matchmaker_tell tells a player something, by way of this gateway. */
static inline void fake_matchmaker_tell(struct fake_matchmaker *m, uint64_t player,
                                        const struct wire_server_message *message) {
    struct wire_bytes bytes;
    CHECK(wire_server_message_pack(m->builder, message, &bytes) == 0);
    uint8_t blob[WIRE_CLIENT_BYTES_MAX]; /* the builder is used again */
    memcpy(blob, bytes.data, bytes.len);
    struct wire_player_tell tell = {.player = player, .len = (uint32_t)bytes.len};
    struct wire_gateway_tells tells = {.tells = &tell, .tell_count = 1, .blob = blob, .blob_len = (uint32_t)bytes.len};
    CHECK(wire_gateway_tells_pack(m->builder, &tells, &bytes) == 0);
    CHECK(bus_send(m->edge, bytes.data, bytes.len) == 0);
}

static inline void fake_matchmaker_take_asks(struct fake_matchmaker *m, const struct wire_gateway_asks *asks) {
    m->batches++;
    for (uint32_t i = 0; i < asks->ask_count; i++) {
        m->ask = asks->asks[i];
        CHECK(wire_client_message_read(asks->blob + m->ask.offset, m->ask.len, &m->asked) == 0);
        m->asks++;
    }
}

/* fake_matchmaker_update runs the edge and takes what came. Nothing while it is closed. */
static inline void fake_matchmaker_update(struct fake_matchmaker *m) {
    if (!m->edge) return;
    bus_update(m->edge, mono_now());
    const uint8_t *bytes;
    size_t len;
    while (bus_receive(m->edge, &bytes, &len) == 0) {
        struct wire_bus_view view;
        CHECK(wire_bus_open(bytes, len, &view) == 0);
        if (view.kind == WIRE_BUS_GATEWAY_REPORT) {
            m->report = view.gateway_report;
            m->reports++;
            m->held += m->report.directory.version > 0;
            if (m->report.directory.version > 0) m->held_version = m->report.directory.version;
        }
        if (view.kind == WIRE_BUS_GATEWAY_ASKS) fake_matchmaker_take_asks(m, &view.gateway_asks);
        bus_release(m->edge);
    }
    if (bus_connected(m->edge) && m->greeted != bus_generation(m->edge)) fake_matchmaker_greet(m);
}

#endif
