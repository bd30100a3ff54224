#include "zone/neighbours.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"

struct neighbour {
    struct neighbours *all;
    uint32_t slot;
    struct link link;
    struct sightings *sightings;
    bool is_heard;         /* UP, and listed in the directory */
    uint64_t heard_before; /* incarnation */
    bool begins;           /* the next batch is to say so */
};

struct neighbours {
    struct sim *sim;
    const struct directory *directory;
    struct neighbours_hooks hooks;
    struct wire_builder *builder;
    uint32_t own_slot;
    struct neighbours_stats stats;
    uint32_t count;
    struct neighbour neighbours[CONFIG_ZONES_MAX];
};

/* --- who is there */

static void came(struct neighbour *n) {
    const struct neighbours_hooks *hooks = &n->all->hooks;
    uint64_t incarnation = n->link.peer.incarnation;
    bool is_same = n->heard_before == incarnation;
    if (!is_same && n->heard_before != 0 && hooks->dead) hooks->dead(hooks->context, n->slot, n->heard_before);
    n->is_heard = n->begins = true;
    n->heard_before = incarnation;
    sightings_reset(n->sightings);
    sim_peer_up(n->all->sim, n->slot, is_same);
    if (hooks->up) hooks->up(hooks->context, n->slot);
}

static void went(struct neighbour *n) {
    const struct neighbours_hooks *hooks = &n->all->hooks;
    n->is_heard = false;
    sim_peer_lost(n->all->sim, n->slot);
    if (hooks->lost) hooks->lost(hooks->context, n->slot);
}

/* look_who compares with what the directory says by now. */
static void look_who(struct neighbour *n) {
    bool is_heard = n->link.state == LINK_UP && directory_hears(n->all->directory, n->slot, n->link.peer.incarnation);
    if (!is_heard && n->is_heard) went(n);
    if (n->heard_before != 0 && !directory_hears(n->all->directory, n->slot, n->heard_before)) {
        const struct neighbours_hooks *hooks = &n->all->hooks;
        uint64_t dead = n->heard_before;
        n->heard_before = 0;
        sim_peer_dead(n->all->sim, n->slot);
        if (hooks->dead) hooks->dead(hooks->context, n->slot, dead);
    }
    if (is_heard && !n->is_heard) came(n);
}

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same, (void)now;
    look_who(context);
}

static void lost(void *context, struct mono now) {
    (void)now;
    look_who(context);
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    struct neighbour *n = context;
    const struct neighbours_hooks *hooks = &n->all->hooks;
    if (!n->is_heard) {
        n->all->stats.unheard++;
        return;
    }
    n->all->stats.batches_taken++;
    if (view->peer.reset) sightings_again(n->sightings);
    sim_peer_take(n->all->sim, n->slot, &view->peer);
    if (hooks->take) hooks->take(hooks->context, n->slot, &view->peer, now);
}

void neighbours_receive(struct neighbours *all, struct mono now) {
    for (uint32_t i = 0; i < all->count; i++) {
        struct neighbour *n = &all->neighbours[i];
        link_update(&n->link, now);
        look_who(n);
        link_receive(&n->link, now);
    }
}

/* --- what they are told */

static bool is_empty(const struct wire_peer_batch *b) {
    return b->ghost_count + b->gone_count + b->hit_count + b->outcome_count + b->offer_count + b->offer_answer_count +
               b->query_count + b->query_answer_count + b->creature_count + b->taken_count + b->effect_count +
               b->speech_count + b->give_count + b->given_count + b->instance_count + b->instance_taken_count ==
           0;
}

static void send_to(struct neighbours *all, struct neighbour *n) {
    struct wire_peer_batch batch = {.reset = n->begins};
    sim_look(all->sim, n->sightings, n->slot, &batch);
    if (all->hooks.fill) all->hooks.fill(all->hooks.context, n->slot, &batch);
    bool is_sent = is_empty(&batch) && !n->begins;
    if (!is_sent) {
        struct wire_bytes bytes;
        is_sent = wire_peer_batch_pack(all->builder, &batch, &bytes) == 0 && link_send(&n->link, bytes) == 0;
        all->stats.batches_sent += is_sent;
        all->stats.batches_refused += !is_sent;
    }
    n->begins = !is_sent;
    if (is_sent) sim_told(all->sim, n->slot);
    if (!is_sent) sightings_reset(n->sightings);
    if (all->hooks.sent) all->hooks.sent(all->hooks.context, n->slot, is_sent);
}

void neighbours_send(struct neighbours *all) {
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->neighbours[i].is_heard) send_to(all, &all->neighbours[i]);
    }
    sim_looked(all->sim);
}

/* --- opening */

static int open_neighbour(struct neighbour *n, const struct link_config *link, const struct config *config,
                          const char *run_dir, struct mono now, char *error, size_t error_size) {
    char url[EDGE_URL_SIZE];
    struct link_config own = *link;
    uint32_t zone = n->all->own_slot, lower = zone < n->slot ? zone : n->slot, greater = zone < n->slot ? n->slot : zone;
    own.bus.role = zone == lower ? BUS_LISTEN : BUS_DIAL;
    own.bus.url = url;
    own.bus.peer_name = config->zones[n->slot].name;
    own.handlers.context = n;
    int result = edge_url(config, run_dir, EDGE_ZONE_ZONE, lower, greater, url, sizeof url);
    if (result) {
        snprintf(error, error_size,
                 "no address for the edge to %s: the run directory's path is too long, or the port too great",
                 own.bus.peer_name);
        return result;
    }
    n->sightings = sightings_create(n->slot, config->zones[zone].max_entities);
    if (!n->sightings) return MARCH_ERR_SYSTEM;
    return link_open(&n->link, &own, now, error, error_size);
}

int neighbours_open(struct neighbours **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                    const struct wire_hello *hello, const uint8_t *key, struct sim *sim, const struct directory *directory,
                    struct mono now, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct neighbours *all = calloc(1, sizeof *all);
    if (!all) return MARCH_ERR_SYSTEM;
    *all = (struct neighbours){.sim = sim, .directory = directory, .own_slot = zone_index};
    all->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    struct link_config link = {.hello = *hello,
                               .peer = {.role = WIRE_ROLE_ZONE, .kind = WIRE_BUS_PEER_BATCH},
                               .bus = {.key = key, .queue_max_bytes = config->bus.queue_bytes_max},
                               .builder = all->builder,
                               .receives_max = NEIGHBOURS_RECEIVES_MAX,
                               .handlers = {.up = up, .lost = lost, .message = take}};
    int result = all->builder ? 0 : MARCH_ERR_SYSTEM;
    for (uint32_t slot = 0; result == 0 && slot < config->zones_count; slot++) {
        if (slot == zone_index) continue;
        struct neighbour *n = &all->neighbours[all->count++];
        *n = (struct neighbour){.all = all, .slot = slot};
        result = open_neighbour(n, &link, config, run_dir, now, error, error_size);
    }
    if (result) {
        neighbours_close(all);
        return result;
    }
    *out = all;
    return 0;
}

void neighbours_close(struct neighbours *all) {
    if (!all) return;
    for (uint32_t i = 0; i < all->count; i++) {
        link_close(&all->neighbours[i].link);
        sightings_destroy(all->neighbours[i].sightings);
    }
    wire_builder_destroy(all->builder);
    free(all);
}

void neighbours_set_hooks(struct neighbours *all, const struct neighbours_hooks *hooks) {
    all->hooks = *hooks;
}

/* --- looking in */

uint64_t neighbours_incarnation(const struct neighbours *all, uint32_t slot) {
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->neighbours[i].slot == slot) return all->neighbours[i].heard_before;
    }
    return 0;
}

uint32_t neighbours_count(const struct neighbours *all) {
    uint32_t up = 0;
    for (uint32_t i = 0; i < all->count; i++) up += all->neighbours[i].is_heard;
    return up;
}

struct neighbours_stats neighbours_stats(const struct neighbours *all) {
    return all->stats;
}

struct link_stats neighbours_link_stats(const struct neighbours *all) {
    struct link_stats sum = {0};
    for (uint32_t i = 0; i < all->count; i++) {
        const struct link_stats *one = &all->neighbours[i].link.stats;
        sum.sent += one->sent;
        sum.refused += one->refused;
        sum.received += one->received;
        sum.bad += one->bad;
        sum.losses += one->losses;
        sum.restarts += one->restarts;
    }
    return sum;
}
