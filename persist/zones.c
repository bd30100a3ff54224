#include "persist/zones.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <uthash.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"
#include "common/pool.h"
#include "common/shard.h"
#include "common/step.h"
#include "persist/grants.h"
#include "persist/journal.h"
#include "persist/ledger_rows.h"
#include "persist/motion.h"
#include "schemas/link.h"

#define UPDATE_S 0.02

/* What a zone is to be told with the next message. */
struct zone_outbox {
    bool is_due; /* there is something besides the arrays */
    bool resend;
    enum wire_lease_result lease;
    uint64_t lease_epoch;
    uint32_t loaded_count, granted_count, effect_count, stale_count;
    struct wire_player_loaded loaded[WIRE_REPORT_LOADS_MAX];
    struct wire_grant_answer granted[WIRE_REPORT_GRANTS_MAX];
    struct wire_player_effect effects[WIRE_REPORT_EFFECTS_MAX];
    struct wire_player_load stale[WIRE_REPORT_LOADS_MAX];
    uint32_t stale_attachments[WIRE_REPORT_LOADS_MAX];
};

/* A report that waits to be durable. */
struct ack {
    uint64_t seq, position;
};

struct zone {
    struct zones *zones;
    uint32_t index;
    struct link link;
    ev_io readable;
    uint64_t durable_seq;
    bool is_behind; /* a report was not kept: nothing is acknowledged until the zone sent all again */
    struct ack acks[ZONES_ACKS_MAX];
    uint32_t ack_first, ack_count;
    struct zone_outbox outbox;
};

/* Where a player is. */
struct whereabouts {
    uint64_t player;
    uint64_t experience; /* as last seen */
    uint64_t session_epoch;
    uint32_t attachment;
    uint32_t zone;
    UT_hash_handle hh;
};

struct waiting_grant {
    uint64_t player, key, position;
    uint64_t incarnation; /* of the zone */
    uint32_t zone;
};

/* A load that motion answers. */
struct load {
    struct handle handle;
    struct zones *zones;
    uint64_t incarnation;
    uint32_t zone;
};

struct zones {
    struct zones_config config;
    struct ev_loop *loop;
    struct wire_builder *builder;
    struct leases *leases;
    struct pool loads;
    struct whereabouts *players;
    struct waiting_grant *grants; /* a ring */
    uint32_t grant_first, grant_count;
    struct wire_player_load *stale;   /* scratch, of a report */
    struct wire_player_state *states; /* the same: those that are taken, */
    uint32_t *attachments;            /* and theirs */
    struct zones_stats stats;
    ev_timer timer;
    ev_prepare prepare;
    uint32_t count;
    struct zone *zones[CONFIG_ZONES_MAX];
};

/* --- sending */

static bool has_something(const struct zone_outbox *box) {
    return box->is_due || box->loaded_count + box->granted_count + box->effect_count + box->stale_count > 0;
}

static void empty(struct zone_outbox *box) {
    box->is_due = box->resend = false;
    box->lease = WIRE_LEASE_NONE;
    box->loaded_count = box->granted_count = box->effect_count = box->stale_count = 0;
}

/* Where the bus refuses, all of it waits on. */
static void flush(struct zone *zone) {
    struct zone_outbox *box = &zone->outbox;
    if (zone->link.state != LINK_UP || !has_something(box)) return;
    struct wire_persist_report report = {.lease_epoch = box->lease_epoch,
                                         .lease_result = box->lease,
                                         .durable_seq = zone->durable_seq,
                                         .resend = box->resend,
                                         .loaded = box->loaded,
                                         .granted = box->granted,
                                         .effects = box->effects,
                                         .stale = box->stale,
                                         .stale_attachments = box->stale_attachments,
                                         .loaded_count = box->loaded_count,
                                         .granted_count = box->granted_count,
                                         .effect_count = box->effect_count,
                                         .stale_count = box->stale_count};
    struct wire_bytes bytes;
    int error = wire_persist_report_pack(zone->zones->builder, &report, &bytes);
    CHECK(error == 0);
    if (link_send(&zone->link, bytes)) {
        zone->zones->stats.dropped++;
        return;
    }
    empty(box);
}

/* --- where players are */

static struct whereabouts *find(const struct zones *zones, uint64_t player) {
    struct whereabouts *found;
    HASH_FIND(hh, zones->players, &player, sizeof player, found);
    return found;
}

static void say_stale(struct zone *zone, uint64_t player, uint64_t session_epoch, uint32_t attachment) {
    struct zone_outbox *box = &zone->outbox;
    if (box->stale_count == WIRE_REPORT_LOADS_MAX) return; /* it reports it again, and is told then */
    box->stale_attachments[box->stale_count] = attachment;
    box->stale[box->stale_count++] = (struct wire_player_load){.player = player, .session_epoch = session_epoch};
}

/* A zone that has the player, too, under an older session or attachment is told, for it may have nothing to report of it:
 * who is link-dead stands still. */
static void place(struct zones *zones, uint32_t zone, const struct wire_player_state *state, uint32_t attachment) {
    struct whereabouts *w = find(zones, state->player);
    if (state->flags & WIRE_STATE_LEFT) {
        if (!w || w->zone != zone) return;
        HASH_DEL(zones->players, w);
        free(w);
        return;
    }
    bool is_new = w == NULL;
    if (w && w->zone != zone) say_stale(zones->zones[w->zone], state->player, state->session_epoch, attachment);
    if (is_new) {
        w = malloc(sizeof *w);
        CHECK(w);
        w->player = state->player;
        HASH_ADD(hh, zones->players, player, sizeof w->player, w);
    }
    if (is_new || w->experience != state->experience)
        zones->config.experience(zones->config.ctx, state->player, state->experience);
    w->experience = state->experience;
    w->session_epoch = state->session_epoch;
    w->attachment = attachment;
    w->zone = zone;
}

/* Forgets the players of a zone process that is gone. */
static void displace(struct zones *zones, uint32_t zone) {
    struct whereabouts *next = NULL;
    for (struct whereabouts *w = zones->players; w; w = next) {
        next = w->hh.next;
        if (w->zone != zone) continue;
        HASH_DEL(zones->players, w);
        free(w);
    }
}

bool zones_find(const struct zones *zones, uint64_t player, uint16_t *zone) {
    const struct whereabouts *w = find(zones, player);
    if (!w || zones->zones[w->zone]->link.state != LINK_UP) return false;
    *zone = (uint16_t)w->zone;
    return true;
}

void zones_effect(struct zones *zones, uint64_t player, uint32_t kind, uint32_t amount) {
    const struct whereabouts *w = find(zones, player);
    struct zone_outbox *box = w ? &zones->zones[w->zone]->outbox : NULL;
    if (!box || box->effect_count == WIRE_REPORT_EFFECTS_MAX) {
        zones->stats.effects_lost++;
        return;
    }
    zones->stats.effects++;
    box->effects[box->effect_count++] = (struct wire_player_effect){.player = player, .kind = kind, .amount = amount};
}

/* --- leases */

static void lease_answered(void *ctx, uint32_t index, uint64_t incarnation, int error, uint64_t epoch) {
    struct zones *zones = ctx;
    struct zone *zone = zones->zones[index];
    if (zone->link.peer.incarnation != incarnation) return; /* the zone has been replaced meanwhile, and claims again */
    struct zone_outbox *box = &zone->outbox;
    box->is_due = true;
    box->lease_epoch = epoch;
    box->lease = error == 0 ? WIRE_LEASE_HELD : error == MARCH_ERR_FENCED ? WIRE_LEASE_STALE : WIRE_LEASE_UNAVAILABLE;
    if (error != MARCH_ERR_UNAVAILABLE)
        log_info(error ? "lease.stale" : "lease.held", "partition=%s epoch=%" PRIu64,
                 zones->config.config->zones[index].name, epoch);
}

int zones_fence(struct zones *zones, const struct wire_fence *fence, lease_fenced fenced, void *ctx) {
    if (fence->slot >= zones->count) return MARCH_ERR_INVALID;
    return leases_fence(zones->leases, zones->config.config->zones[fence->slot].name, fence, fenced, ctx);
}

static void claim_lease(struct zone *zone, const struct wire_zone_report *report) {
    struct lease_claim claim = {.index = zone->index,
                                .name = zone->zones->config.config->zones[zone->index].name,
                                .incarnation = zone->link.peer.incarnation,
                                .held = report->lease_epoch};
    if (leases_claim(zone->zones->leases, &claim) == 0) return;
    zone->outbox.is_due = true; /* another claim of it is under way: try again */
    zone->outbox.lease = WIRE_LEASE_UNAVAILABLE;
}

/* --- states */

static void acknowledge(struct zone *zone) {
    uint64_t durable = journal_durable(zone->zones->config.journal), before = zone->durable_seq;
    while (zone->ack_count > 0 && zone->acks[zone->ack_first].position <= durable) {
        zone->durable_seq = zone->acks[zone->ack_first].seq;
        zone->ack_first = (zone->ack_first + 1) % ZONES_ACKS_MAX;
        zone->ack_count--;
    }
    if (zone->durable_seq != before) zone->outbox.is_due = true;
}

static void await_durable(struct zone *zone, uint64_t seq, uint64_t position) {
    if (zone->is_behind) return;
    if (zone->ack_count == ZONES_ACKS_MAX) zone->ack_count--; /* acknowledged together with this one */
    zone->acks[(zone->ack_first + zone->ack_count++) % ZONES_ACKS_MAX] = (struct ack){seq, position};
}

/* was_passed tells whether another zone has the player under a greater attachment of the same session. */
static bool was_passed(const struct zone *zone, const struct wire_player_state *state, uint32_t attachment) {
    const struct whereabouts *w = find(zone->zones, state->player);
    return w && w->zone != zone->index && w->session_epoch == state->session_epoch && w->attachment > attachment;
}

/* Gathers those of a report that this zone has still to say; returns how many. */
static uint32_t gather_states(struct zone *zone, const struct wire_zone_report *report) {
    struct zones *zones = zone->zones;
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->state_count && i < WIRE_REPORT_STATES_MAX; i++) {
        const struct wire_player_state *state = &report->states[i];
        uint32_t attachment = report->attachments ? report->attachments[i] : 0;
        if (was_passed(zone, state, attachment)) {
            zones->stats.states_passed++;
            say_stale(zone, state->player, state->session_epoch, find(zones, state->player)->attachment);
            continue;
        }
        zones->attachments[count] = attachment;
        zones->states[count++] = *state;
    }
    return count;
}

static void take_states(struct zone *zone, const struct wire_zone_report *report) {
    struct zones *zones = zone->zones;
    struct motion_receipt receipt = {0};
    const struct wire_player_state *states = zones->states;
    uint32_t count = gather_states(zone, report);
    int error = 0;
    STEP("persist.reported");
    if (count > 0) error = motion_report(zones->config.motion, states, count, zones->stale, &receipt, mono_now());
    zones->stats.states += count;
    zones->stats.states_stale += receipt.stale_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_player_state *newest = motion_find(zones->config.motion, states[i].player);
        if (newest && newest->session_epoch <= states[i].session_epoch)
            place(zones, zone->index, &states[i], zones->attachments[i]);
    }
    for (uint32_t i = 0; i < receipt.stale_count; i++)
        say_stale(zone, zones->stale[i].player, zones->stale[i].session_epoch, UINT32_MAX);
    if (error) {
        zones->stats.unacknowledged++;
        zone->is_behind = true;
        zone->ack_count = 0;
    } else {
        await_durable(zone, report->seq, receipt.position);
    }
}

/* The journal has room again: the zone is to say everything that was not kept. */
static void catch_up(struct zone *zone) {
    if (!zone->is_behind || journal_is_full(zone->zones->config.journal)) return;
    zone->is_behind = false;
    zone->outbox.is_due = zone->outbox.resend = true;
    zone->zones->stats.resends++;
}

/* --- loads */

static void say_loaded(struct zone *zone, const struct wire_player_state *state, enum wire_load_result result) {
    struct zone_outbox *box = &zone->outbox;
    if (box->loaded_count == WIRE_REPORT_LOADS_MAX) { /* the zone's own patience ends it */
        zone->zones->stats.loads_refused++;
        return;
    }
    box->loaded[box->loaded_count++] = (struct wire_player_loaded){.state = *state, .result = result};
}

static void loaded(void *ctx, enum wire_load_result result, const struct wire_player_state *state) {
    struct load *load = ctx;
    struct zones *zones = load->zones;
    struct zone *zone = zones->zones[load->zone];
    if (zone->link.state == LINK_UP && zone->link.peer.incarnation == load->incarnation) {
        say_loaded(zone, state, result);
        if (result == WIRE_LOAD_KNOWN || result == WIRE_LOAD_NEW) {
            struct wire_player_state here = *state;
            here.flags = 0;
            place(zones, zone->index, &here, 0); /* what it was attached under is told with its first report */
        }
    }
    pool_give(&zones->loads, load->handle);
    STEP("persist.load_answered");
}

static void take_load(struct zone *zone, const struct wire_player_load *asked) {
    struct zones *zones = zone->zones;
    struct wire_player_state nobody = {.player = asked->player, .session_epoch = asked->session_epoch};
    zones->stats.loads++;
    STEP("persist.load_asked");
    if (!player_id_valid(asked->player) ||
        shard_of_player(asked->player, zones->config.config->persists_count) != zones->config.shard_index) {
        zones->stats.bad++;
        return;
    }
    struct handle handle = pool_take(&zones->loads);
    struct load *load = pool_get(&zones->loads, handle);
    if (load) {
        *load = (struct load){handle, zones, zone->link.peer.incarnation, zone->index};
        if (motion_load(zones->config.motion, asked->player, asked->session_epoch, loaded, load, mono_now()) == 0) return;
        pool_give(&zones->loads, handle);
    }
    zones->stats.loads_refused++;
    say_loaded(zone, &nobody, WIRE_LOAD_UNAVAILABLE);
}

/* --- loot */

static void say_granted(struct zone *zone, uint64_t player, uint64_t key, enum wire_grant_result result) {
    struct zone_outbox *box = &zone->outbox;
    if (box->granted_count == WIRE_REPORT_GRANTS_MAX) return; /* the zone sends it again after a while */
    box->granted[box->granted_count++] = (struct wire_grant_answer){.player = player, .key = key, .result = result};
}

static void take_grant(struct zone *zone, const struct wire_loot_grant *grant) {
    struct zones *zones = zone->zones;
    zones->stats.grants++;
    if (!player_id_valid(grant->player) ||
        shard_of_player(grant->player, zones->config.config->persists_count) != zones->config.shard_index ||
        grant->gold > LEDGER_GOLD_MAX || !flags_is_on(zones->config.flags, FLAG_LOOT)) {
        zones->stats.grants_refused++;
        say_granted(zone, grant->player, grant->key, WIRE_GRANT_REFUSED);
        return;
    }
    uint64_t position;
    if (zones->grant_count == ZONES_GRANTS_MAX || grants_add(zones->config.grants, grant, &position)) {
        zones->stats.grants_again++;
        say_granted(zone, grant->player, grant->key, WIRE_GRANT_AGAIN);
        return;
    }
    zones->grants[(zones->grant_first + zones->grant_count++) % ZONES_GRANTS_MAX] =
        (struct waiting_grant){.player = grant->player,
                               .key = grant->key,
                               .position = position,
                               .incarnation = zone->link.peer.incarnation,
                               .zone = zone->index};
}

/* Positions rise but for grants that came twice, which then wait a little for those before them. */
static void acknowledge_grants(struct zones *zones) {
    uint64_t durable = journal_durable(zones->config.journal);
    while (zones->grant_count > 0 && zones->grants[zones->grant_first].position <= durable) {
        const struct waiting_grant *w = &zones->grants[zones->grant_first];
        struct zone *zone = zones->zones[w->zone];
        if (zone->outbox.granted_count == WIRE_REPORT_GRANTS_MAX) return;
        if (zone->link.peer.incarnation == w->incarnation) say_granted(zone, w->player, w->key, WIRE_GRANT_DURABLE);
        zones->grant_first = (zones->grant_first + 1) % ZONES_GRANTS_MAX;
        zones->grant_count--;
    }
}

void zones_durable(struct zones *zones) {
    acknowledge_grants(zones);
    for (uint32_t i = 0; i < zones->count; i++) acknowledge(zones->zones[i]);
}

/* --- receiving */

static void take_report(struct zone *zone, const struct wire_zone_report *report) {
    struct zones *zones = zone->zones;
    zones->stats.reports++;
    if (strcmp(report->partition, zones->config.config->zones[zone->index].name) != 0) {
        zones->stats.bad++;
        return;
    }
    if (report->claims_lease) {
        claim_lease(zone, report);
        await_durable(zone, report->seq, 0);
        return;
    }
    if (!leases_check(zones->leases, zone->index, zone->link.peer.incarnation, report->lease_epoch)) {
        zones->stats.reports_stale++;
        zone->outbox.is_due = true;
        zone->outbox.lease = WIRE_LEASE_STALE;
        zone->outbox.lease_epoch = leases_epoch(zones->leases, zone->index);
        return;
    }
    take_states(zone, report);
    for (uint32_t i = 0; i < report->load_count; i++) take_load(zone, &report->loads[i]);
    for (uint32_t i = 0; i < report->grant_count; i++) take_grant(zone, &report->grants[i]);
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    take_report(context, &view->zone_report);
}

/* The zone begins with all that was not acknowledged, so what waited for it is nothing now. */
static void up(void *context, bool is_same, struct mono now) {
    (void)now;
    struct zone *zone = context;
    empty(&zone->outbox);
    zone->ack_count = 0;
    zone->is_behind = false;
    zone->durable_seq = 0;
    if (!is_same) displace(zone->zones, zone->index);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct zone *zone = io->data;
    struct mono now = mono_now();
    link_update(&zone->link, now);
    link_receive(&zone->link, now);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct zones *zones = timer->data;
    struct mono now = mono_now();
    for (uint32_t i = 0; i < zones->count; i++) {
        struct zone *zone = zones->zones[i];
        link_update(&zone->link, now);
        link_receive(&zone->link, now);
        catch_up(zone);
    }
}

/* Before the loop sleeps: what this turn has to tell goes out in one message each. */
static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events) {
    (void)loop, (void)events;
    struct zones *zones = prepare->data;
    for (uint32_t i = 0; i < zones->count; i++) flush(zones->zones[i]);
}

/* --- opening */

static int open_zone(struct zones *zones, uint32_t index, char *error, size_t error_size) {
    const struct zones_config *config = &zones->config;
    char url[EDGE_URL_SIZE];
    int result = edge_url(config->config, config->run_dir, EDGE_PERSIST_ZONE, config->shard_index, index, url, sizeof url);
    if (result) {
        snprintf(error, error_size, "no address for the edge to %s: %s", config->config->zones[index].name,
                 march_error_text(result));
        return result;
    }
    struct zone *zone = calloc(1, sizeof *zone);
    if (!zone) return MARCH_ERR_SYSTEM;
    zones->zones[index] = zone;
    zones->count = index + 1;
    zone->zones = zones;
    zone->index = index;
    struct link_config link = {.hello = config->hello,
                               .peer = {.role = WIRE_ROLE_ZONE, .kind = WIRE_BUS_ZONE_REPORT},
                               .bus = {.url = url,
                                       .role = BUS_LISTEN,
                                       .peer_name = config->config->zones[index].name,
                                       .key = config->key,
                                       .queue_max_bytes = config->config->bus.queue_bytes_max},
                               .builder = zones->builder,
                               .handlers = {.context = zone, .up = up, .message = take}};
    result = link_open(&zone->link, &link, mono_now(), error, error_size);
    if (result) return result;
    ev_io_init(&zone->readable, on_readable, bus_edge_fd(zone->link.edge), EV_READ);
    zone->readable.data = zone;
    ev_io_start(zones->loop, &zone->readable);
    return 0;
}

static int create(struct zones *zones) {
    int result = pool_init(&zones->loads, MOTION_LOADS_MAX, sizeof(struct load));
    zones->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    zones->leases = leases_create(zones->config.pg, zones->config.fence, lease_answered, zones);
    zones->grants = calloc(ZONES_GRANTS_MAX, sizeof *zones->grants);
    zones->stale = calloc(WIRE_REPORT_STATES_MAX, sizeof *zones->stale);
    zones->states = calloc(WIRE_REPORT_STATES_MAX, sizeof *zones->states);
    zones->attachments = calloc(WIRE_REPORT_STATES_MAX, sizeof *zones->attachments);
    bool has_all = zones->builder && zones->leases && zones->grants && zones->stale && zones->states && zones->attachments;
    return result == 0 && has_all ? 0 : MARCH_ERR_SYSTEM;
}

int zones_open(struct zones **out, struct ev_loop *loop, const struct zones_config *config, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct zones *zones = calloc(1, sizeof *zones);
    if (!zones) return MARCH_ERR_SYSTEM;
    zones->config = *config;
    zones->loop = loop;
    ev_timer_init(&zones->timer, on_timer, UPDATE_S, UPDATE_S);
    ev_prepare_init(&zones->prepare, on_prepare);
    zones->timer.data = zones->prepare.data = zones;
    int result = create(zones);
    for (uint32_t i = 0; result == 0 && i < config->config->zones_count; i++)
        result = open_zone(zones, i, error, error_size);
    if (result) {
        zones_close(zones);
        return result;
    }
    ev_timer_start(loop, &zones->timer);
    ev_prepare_start(loop, &zones->prepare);
    *out = zones;
    return 0;
}

void zones_close(struct zones *zones) {
    if (!zones) return;
    ev_timer_stop(zones->loop, &zones->timer);
    ev_prepare_stop(zones->loop, &zones->prepare);
    for (uint32_t i = 0; i < zones->count; i++) {
        struct zone *zone = zones->zones[i];
        if (zone->link.edge) ev_io_stop(zones->loop, &zone->readable);
        link_close(&zone->link);
        displace(zones, i);
        free(zone);
    }
    leases_destroy(zones->leases);
    wire_builder_destroy(zones->builder);
    pool_deinit(&zones->loads);
    free(zones->grants);
    free(zones->stale);
    free(zones->states);
    free(zones->attachments);
    free(zones);
}

struct zones_stats zones_stats(const struct zones *zones) {
    struct zones_stats stats = zones->stats;
    for (uint32_t i = 0; i < zones->count; i++) {
        stats.up += zones->zones[i]->link.state == LINK_UP;
        stats.bad += zones->zones[i]->link.stats.bad;
    }
    stats.players = HASH_COUNT(zones->players);
    stats.leases = leases_stats_get(zones->leases);
    return stats;
}
