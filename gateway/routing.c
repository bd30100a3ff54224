#include "gateway/routing.h"

#include <inttypes.h>

#include "common/check.h"
#include "common/log.h"
#include "common/step.h"
#include "gateway/stream.h"

bool routing_hears(const struct gateway *g, unsigned zone) {
    const struct link *link = &g->routes[zone]->link;
    return link->state == LINK_UP && directory_hears(&g->compass.directory, zone, link->peer.incarnation);
}

/* A directory may name slots that this gateway has no route to: another configuration's. */
static uint8_t route_of_slot(const struct gateway *g, uint32_t slot) {
    return (uint8_t)(slot % g->route_count);
}

uint8_t routing_spawn(const struct gateway *g, uint64_t player) {
    return route_of_slot(g, compass_spawn(&g->compass, player));
}

uint8_t routing_at(const struct gateway *g, int32_t x, int32_t y, uint64_t player) {
    return route_of_slot(g, compass_at(&g->compass, x, y, player));
}

/* --- zones that are dead or lost */

/* pass_on has sessions that wait for a zone that is dead, or never came, and owns nothing wait for the one that has their
 * place now. One whose connection alone is lost still has them. */
static void pass_on(struct gateway *g, unsigned zone) {
    const struct directory *d = &g->compass.directory;
    bool is_alive = directory_hears(d, zone, g->routes[zone]->link.peer.incarnation);
    if (g->sessions.waiting_counts[zone] == 0 || directory_owns(d, zone) || is_alive) return;
    for (uint32_t i = 0; i < g->sessions.size && g->sessions.waiting_counts[zone] > 0; i++) {
        struct session *session = session_at(&g->sessions, i);
        if (!session || session->route != zone || session->state != SESSION_WAITING) continue;
        session_reroute(&g->sessions, session, route_of_slot(g, compass_successor(&g->compass, zone, session->player)));
    }
}

void routing_zone_silent(struct gateway *g, unsigned zone) {
    for (uint32_t i = 0; i < g->sessions.size; i++) {
        struct session *session = session_at(&g->sessions, i);
        if (!session || session->route != zone || session->state < SESSION_ATTACHING || session->state == SESSION_MOVING)
            continue;
        session_move(&g->sessions, session, SESSION_WAITING);
        channel_forget_snapshots(session_channel(&g->sessions, session)); /* the next view's may have the same numbers */
        if (!session->told_lost) downstream_zone_status(g, session, WIRE_ZONE_LOST);
    }
    pass_on(g, zone);
}

void routing_refused(struct gateway *g, struct session *session) {
    unsigned zone = session->route;
    session_move(&g->sessions, session, SESSION_WAITING);
    if (directory_owns(&g->compass.directory, zone)) return;
    session_reroute(&g->sessions, session, route_of_slot(g, compass_successor(&g->compass, zone, session->player)));
}

void routing_elsewhere(struct gateway *g, struct session *session, unsigned zone) {
    session_move(&g->sessions, session, SESSION_WAITING);
    session_reroute(&g->sessions, session, (uint8_t)zone);
    if (routing_hears(g, zone)) return;
    if (!session->told_lost) downstream_zone_status(g, session, WIRE_ZONE_LOST);
    pass_on(g, zone);
}

/* --- versions of the directory */

static void zone_changed(struct gateway *g, unsigned zone) {
    const struct directory *d = &g->compass.directory;
    bool is_dead = !directory_hears(d, zone, g->routes[zone]->link.peer.incarnation);
    if (is_dead && g->routes[zone]->link.state == LINK_UP) routing_zone_silent(g, zone);
    transfer_zone_dead(&g->transfers, zone, zone < d->worker_count ? d->workers[zone].incarnation : 0, g->now);
}

/* place_anew places those that came before there was a directory. */
static void place_anew(struct gateway *g) {
    for (uint32_t i = 0; i < g->sessions.size; i++) {
        struct session *session = session_at(&g->sessions, i);
        if (session && session->state == SESSION_WAITING)
            session_reroute(&g->sessions, session, routing_spawn(g, session->player));
    }
}

void routing_directory(void *context, const struct wire_directory *directory) {
    struct gateway *g = context;
    bool is_first = g->compass.directory.version == 0;
    if (!compass_take(&g->compass, directory)) return;
    log_info("directory.taken", "version=%" PRIu64 " partitions=%u", directory->version, directory->partition_count);
    STEP("gateway.directory");
    if (is_first) place_anew(g);
    for (unsigned i = 0; i < g->route_count; i++) zone_changed(g, i);
    for (unsigned i = 0; i < g->route_count; i++) pass_on(g, i);
}

/* --- for transfers */

static uint64_t incarnation(void *context, unsigned zone) {
    const struct gateway *g = context;
    return zone < g->route_count && routing_hears(g, zone) ? g->routes[zone]->link.peer.incarnation : 0;
}

static int activate(void *context, unsigned zone, const struct wire_carried *carried) {
    return route_activate(((struct gateway *)context)->routes[zone], carried);
}

static int routed(void *context, unsigned zone, const struct wire_routed *out) {
    return route_routed(((struct gateway *)context)->routes[zone], out);
}

static void detach(void *context, unsigned zone, uint64_t session, uint32_t reason) {
    route_detach(((struct gateway *)context)->routes[zone], session, reason);
}

static uint8_t successor(void *context, const struct wire_carried *carried) {
    return routing_at(context, carried->x, carried->y, carried->player);
}

static void goes_on(void *context, struct session *session) {
    struct gateway *g = context;
    uint64_t handle = session_handle(&g->sessions, session);
    if (session->state != SESSION_PLAYING) return;
    if (session->told_lost) downstream_zone_status(g, session, WIRE_ZONE_BACK);
    session = session_find(&g->sessions, handle); /* a full channel ends it */
    if (session) upstream_messages(g, session);
}

static void waits(void *context, struct session *session) {
    struct gateway *g = context;
    if (!session->told_lost) downstream_zone_status(g, session, WIRE_ZONE_LOST);
}

struct transfer_handlers routing_transfers(struct gateway *g) {
    return (struct transfer_handlers){.context = g,
                                      .incarnation = incarnation,
                                      .activate = activate,
                                      .routed = routed,
                                      .detach = detach,
                                      .successor = successor,
                                      .goes_on = goes_on,
                                      .waits = waits};
}
