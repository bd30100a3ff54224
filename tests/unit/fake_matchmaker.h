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
        bus_release(m->edge);
    }
    if (bus_connected(m->edge) && m->greeted != bus_generation(m->edge)) fake_matchmaker_greet(m);
}

#endif
