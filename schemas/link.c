#include "schemas/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"

_Static_assert(WIRE_BUS_BYTES_MAX <= BUS_FRAME_BYTES_MAX, "a full message fits one frame of the bus");

int link_open(struct link *link, const struct link_config *config, struct mono now, char *error, size_t error_size) {
    *link = (struct link){.config = *config};
    snprintf(link->name, sizeof link->name, "%s", config->bus.peer_name);
    if (config->receives_max == 0) link->config.receives_max = LINK_RECEIVES_MAX;
    struct bus_edge_config bus = config->bus;
    bus.local_name = config->hello.name;
    bus.frame_max_bytes = BUS_FRAME_BYTES_MAX;
    if (bus.queue_max_bytes < BUS_FRAME_BYTES_MAX) bus.queue_max_bytes = BUS_FRAME_BYTES_MAX;
    int result = bus_edge_open(&link->edge, &bus, now);
    if (result) {
        const char *why = result == MARCH_ERR_EXISTS   ? "the address is in use"
                          : result == MARCH_ERR_SYSTEM ? strerror(errno)
                                                       : march_error_text(result);
        snprintf(error, error_size, "%s: can't %s: %s", bus.url, bus.role == BUS_LISTEN ? "listen" : "dial", why);
    }
    return result;
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

static void leave(struct link *link, struct mono now) {
    if (link->state == LINK_AWAY) return;
    bool was_up = link->state == LINK_UP;
    link_move(link, LINK_AWAY);
    if (!was_up) return;
    link->stats.losses++;
    log_warn("peer.lost", "peer=%s", link->name);
    const struct link_handlers *handlers = &link->config.handlers;
    if (handlers->lost) handlers->lost(handlers->context, now);
}

/* Says Hello on a new connection; where the bus refuses, the next update tries again. */
static void greet(struct link *link) {
    const struct link_handlers *handlers = &link->config.handlers;
    if (handlers->greeting) handlers->greeting(handlers->context, &link->config.hello);
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
    if (!connected || bus_generation(link->edge) != link->generation) leave(link, now);
    if (connected && link->state == LINK_AWAY) greet(link);
}

static bool is_expected(const struct link *link, const struct wire_hello *hello) {
    const struct link_peer *peer = &link->config.peer;
    if (hello->role != peer->role || strcmp(hello->name, link->name) != 0) return false;
    return peer->role != WIRE_ROLE_PERSIST || (hello->index == peer->shard && hello->shard_count == peer->shard_count);
}

static void take_hello(struct link *link, const struct wire_hello *hello, struct mono now) {
    if (link->state != LINK_GREETING || !is_expected(link, hello)) {
        link->stats.bad++;
        log_warn("peer.hello_bad", "peer=%s state=%s name=%s role=%d index=%u shards=%u", link->name,
                 link_state_name(link->state), hello->name, (int)hello->role, hello->index, hello->shard_count);
        return;
    }
    bool is_same = hello->incarnation == link->peer.incarnation;
    link->stats.restarts += !is_same && link->peer.incarnation != 0;
    link->peer = *hello;
    link_move(link, LINK_UP);
    log_info("peer.up", "peer=%s incarnation=%016" PRIx64 " same=%d", link->name, hello->incarnation, is_same);
    link->config.handlers.up(link->config.handlers.context, is_same, now);
}

static bool is_sent_by(const struct link_peer *peer, enum wire_bus_kind kind) {
    return kind == peer->kind || kind == peer->also; /* no message is of kind 0 */
}

static void take_message(struct link *link, const uint8_t *bytes, size_t len, struct mono now) {
    struct wire_bus_view view;
    if (wire_bus_open(bytes, len, &view) != 0) {
        link->stats.bad++;
        log_warn("peer.message_bad", "peer=%s bytes=%zu", link->name, len);
    } else if (view.kind == WIRE_BUS_HELLO) {
        take_hello(link, &view.hello, now);
    } else if (is_sent_by(&link->config.peer, view.kind) && link->state == LINK_UP) {
        link->stats.received++;
        link->config.handlers.message(link->config.handlers.context, &view, now);
    } else {
        link->stats.bad++;
    }
}

void link_receive(struct link *link, struct mono now) {
    const uint8_t *bytes;
    size_t len;
    for (unsigned i = 0; i < link->config.receives_max && bus_receive(link->edge, &bytes, &len) == 0; i++) {
        if (bus_generation(link->edge) != link->generation) link_update(link, now); /* the first of a new connection */
        take_message(link, bytes, len, now);
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

const char *link_state_name(enum link_state state) {
    static const char *const names[LINK_STATE_COUNT] = {"away", "greeting", "up"};
    return names[state];
}
