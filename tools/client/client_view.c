#include "tools/client/client_view.h"

#include <math.h>

#include "common/check.h"

#define TICKS_WRAP   4294967296.0
#define CLOCK_SMOOTH 16 /* snapshots over which the clock is smoothed */
#define RATE_SMOOTH  8  /* and the interval */

void client_view_init(struct client_view *view, uint32_t tick_hz) {
    *view = (struct client_view){.tick_hz = tick_hz};
}

static double ticks_since_base(const struct client_view *view, struct mono now) {
    return (double)mono_since_ns(now, view->base) / (double)NS_PER_S * view->tick_hz;
}

static double relative(const struct client_view *view, uint32_t tick) {
    return (double)(int32_t)(tick - view->base_tick);
}

static void measure_interval(struct client_view *view, double tick, uint16_t seq) {
    uint16_t steps = (uint16_t)(seq - view->newest_seq);
    if (steps == 0 || tick <= view->newest) return;
    double interval = (tick - view->newest) / steps;
    if (interval > CLIENT_VIEW_INTERVAL_MAX) interval = CLIENT_VIEW_INTERVAL_MAX;
    view->interval += view->interval == 0 ? interval : (interval - view->interval) / RATE_SMOOTH;
}

static void begin(struct client_view *view, struct mono now, const struct snapshot_header *header) {
    view->base = now;
    view->base_tick = header->tick;
    view->newest = 0;
    view->ahead = 0;
    view->shown = -INFINITY;
}

bool client_view_snapshot(struct client_view *view, struct mono now, const struct snapshot_header *header, bool fresh) {
    if (view->snapshots++ == 0) begin(view, now, header);
    double tick = relative(view, header->tick);
    double error = tick - ticks_since_base(view, now) - view->ahead;
    bool restarts = fabs(error) > CLIENT_VIEW_RESTART_TICKS;
    if (restarts) {
        begin(view, now, header);
    } else {
        if (!fresh) measure_interval(view, tick, header->seq);
        view->ahead += error / CLOCK_SMOOTH;
        view->newest = tick;
    }
    view->newest_seq = header->seq;
    return restarts;
}

double client_view_at(const struct client_view *view, struct mono now) {
    double at = ticks_since_base(view, now) + view->ahead - CLIENT_VIEW_DELAY * view->interval;
    double limit = view->newest + CLIENT_VIEW_AHEAD_TICKS;
    if (at > limit) at = limit;
    return at > view->shown ? at : view->shown;
}

void client_view_show(struct client_view *view, double at) {
    if (at > view->shown) view->shown = at;
}

double client_view_tick(const struct client_view *view, double at) {
    double tick = fmod(view->base_tick + at, TICKS_WRAP);
    if (tick >= 0) return tick;
    tick += TICKS_WRAP;
    return tick < TICKS_WRAP ? tick : 0; /* rounded up, just below the wrap */
}

/* --- one entity */

/* The states on either side of a moment; either may be missing. Old versions that were never overwritten have old ticks, so
 * the nearest tick decides and not the version. */
struct neighbours {
    const struct net_state *before; /* newest state at or before the moment */
    const struct net_state *after;  /* oldest state after it */
    double before_tick, after_tick;
};

static void consider(struct neighbours *found, const struct client_view *view, const struct net_state *state, double at) {
    double tick = relative(view, state->tick);
    if (tick <= at && tick > found->before_tick) {
        found->before = state;
        found->before_tick = tick;
    } else if (tick > at && tick < found->after_tick) {
        found->after = state;
        found->after_tick = tick;
    }
}

static struct neighbours find_neighbours(const struct client_view *view, const struct snapshot_slot *slot,
                                         const struct client_past_entity *past, double at) {
    struct neighbours found = {NULL, NULL, -INFINITY, INFINITY};
    for (unsigned version = 0; slot != NULL && version < SNAPSHOT_VERSIONS; version++)
        if (slot->known >> version & 1) consider(&found, view, &slot->states[version], at);
    for (unsigned i = 0; past != NULL && i < past->count; i++) consider(&found, view, &past->states[i], at);
    return found;
}

/* course returns where a state's velocity takes a coordinate (1/64 m) in so many ticks; both ways. */
static double course(int32_t position, int16_t velocity, double ticks) {
    return position + velocity * ticks / (1 << NET_PREDICTION_SHIFT);
}

static uint16_t blend_yaw(uint8_t from, uint8_t to, double part) {
    int8_t turn = (int8_t)(uint8_t)(to - from);
    return (uint16_t)((int32_t)from * 256 + (int32_t)(turn * 256 * part));
}

/* blend moves an entity that is at `before` into `after`; part is 0 to 1. */
static void blend(const struct neighbours *n, double start, double part, struct client_view_entity *out, double *x,
                  double *y) {
    double from_x = course(n->before->x, n->before->vx, start - n->before_tick);
    double from_y = course(n->before->y, n->before->vy, start - n->before_tick);
    if (hypot(n->after->x - from_x, n->after->y - from_y) > CLIENT_VIEW_JUMP_M * NET_POSITION_PER_M) return;
    *x = from_x + (n->after->x - from_x) * part;
    *y = from_y + (n->after->y - from_y) * part;
    out->yaw = blend_yaw(n->before->yaw, n->after->yaw, part);
}

void client_view_entity(const struct client_view *view, const struct snapshot_slot *slot,
                        const struct client_past_entity *past, double at, struct client_view_entity *out) {
    struct neighbours n = find_neighbours(view, slot, past, at);
    const struct net_state *state = n.before != NULL ? n.before : n.after;
    CHECK(state != NULL); /* each has a state at least, and each state is before or after */
    double ticks = at - relative(view, state->tick);
    double x = course(state->x, state->vx, ticks);
    double y = course(state->y, state->vy, ticks);
    double metres_per_s = view->tick_hz / (double)(NET_POSITION_PER_M << NET_PREDICTION_SHIFT);
    *out = (struct client_view_entity){.vx_m_s = state->vx * metres_per_s,
                                       .vy_m_s = state->vy * metres_per_s,
                                       .yaw = (uint16_t)(state->yaw << 8),
                                       .kind = state->kind,
                                       .health = state->health,
                                       .action = state->action};
    if (n.before != NULL && n.after != NULL) {
        double start = fmax(n.before_tick, n.after_tick - view->interval);
        if (at > start) blend(&n, start, (at - start) / (n.after_tick - start), out, &x, &y);
    }
    out->x_m = x / NET_POSITION_PER_M;
    out->y_m = y / NET_POSITION_PER_M;
}
