#include "schemas/link.h"

#include <inttypes.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"

int link_open(struct link *link, const struct link_config *config, struct mono now) {
    *link = (struct link){.config = *config};
    return bus_edge_open(&link->edge, &config->bus, now);
}

void link_close(struct link *link) {
    bus_edge_close(link->edge);
    link->edge = NULL;
}

/* link_move is the one place where the state changes. */
static void link_move(struct link *link, enum link_state state) {
    static const bool allowed[LINK_STATE_COUNT][LINK_STATE_COUNT] = {
        [LINK_AWAY] = {[LINK_GREETING] = true},
        [LINK_GREETING] = {[LINK_UP] = true, [LINK_AWAY] = true},
        [LINK_UP] = {[LINK_AWAY] = true},
    };
    CHECK(allowed[link->state][state]);
    link->state = state;
}

static void leave(struct link *link) {
    if (link->state == LINK_AWAY) return;
    bool was_up = link->state == LINK_UP;
    link_move(link, LINK_AWAY);
    if (!was_up) return;
    link->stats.losses++;
    log_warn("peer.lost", "peer=%s", link->config.bus.peer_name);
    link->config.handlers.lost(link->config.handlers.context);
}

/* Says Hello on a new connection; where the bus refuses, the next update tries again. */
static void greet(struct link *link) {
    struct wire_bytes bytes;
    int error = wire_hello_pack(link->config.builder, &link->config.hello, &bytes);
    CHECK(error == 0);
    if (bus_send(link->edge, bytes.data, bytes.len) != 0) return;
    link->generation = bus_generation(link->edge);
    link_move(link, LINK_GREETING);
}

void link_update(struct link *link, struct mono now) {
    bus_update(link->edge, now);
    bool connected = bus_connected(link->edge);
    if (!connected || bus_generation(link->edge) != link->generation) leave(link);
    if (connected && link->state == LINK_AWAY) greet(link);
}

static void take_hello(struct link *link, const struct wire_hello *hello) {
    if (link->state != LINK_GREETING || hello->role != link->config.peer_role ||
        strcmp(hello->name, link->config.bus.peer_name) != 0) {
        link->stats.bad++;
        return;
    }
    bool is_same = hello->incarnation == link->peer.incarnation;
    link->peer = *hello;
    link_move(link, LINK_UP);
    log_info("peer.up", "peer=%s incarnation=%016" PRIx64 " same=%d", link->config.bus.peer_name, hello->incarnation,
             is_same);
    link->config.handlers.up(link->config.handlers.context, is_same);
}

static void take_message(struct link *link, const uint8_t *bytes, size_t len) {
    struct wire_bus_view view;
    if (wire_bus_open(bytes, len, &view) != 0) {
        link->stats.bad++;
        log_warn("peer.message_bad", "peer=%s bytes=%zu", link->config.bus.peer_name, len);
    } else if (view.kind == WIRE_BUS_HELLO) {
        take_hello(link, &view.hello);
    } else if (link->state == LINK_UP) {
        link->stats.received++;
        link->config.handlers.message(link->config.handlers.context, &view);
    } else {
        link->stats.bad++;
    }
}

void link_receive(struct link *link, struct mono now) {
    const uint8_t *bytes;
    size_t len;
    for (unsigned i = 0; i < LINK_RECEIVES_MAX && bus_receive(link->edge, &bytes, &len) == 0; i++) {
        if (bus_generation(link->edge) != link->generation) link_update(link, now); /* the first of a new connection */
        take_message(link, bytes, len);
        bus_release(link->edge);
    }
}

int link_send(struct link *link, struct wire_bytes bytes) {
    if (link->state != LINK_UP) return MARCH_ERR_NOT_FOUND;
    int result = bus_send(link->edge, bytes.data, bytes.len);
    if (result == 0) link->stats.sent++;
    if (result != 0) link->stats.refused++;
    return result;
}
