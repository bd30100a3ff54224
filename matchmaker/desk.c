/* desk.c: modes, time, and what the queue tells. */
#include "matchmaker/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "matchmaker/desk_inner.h"

/* --- lists of tickets */

static void link_ticket(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    struct desk_list *list = &d->lists[t->list];
    t->link = (struct desk_link){.next = DESK_NONE, .previous = list->last};
    if (list->last == DESK_NONE) {
        list->first = index;
    } else {
        desk_live_at(d, list->last)->link.next = index;
    }
    list->last = index;
}

static void unlink_ticket(struct desk *d, const struct desk_live *t) {
    struct desk_list *list = &d->lists[t->list];
    if (t->link.previous == DESK_NONE) {
        list->first = t->link.next;
    } else {
        desk_live_at(d, t->link.previous)->link.next = t->link.next;
    }
    if (t->link.next == DESK_NONE) {
        list->last = t->link.previous;
    } else {
        desk_live_at(d, t->link.next)->link.previous = t->link.previous;
    }
}

void desk_list_put(struct desk *d, uint32_t index, enum desk_list_kind kind) {
    struct desk_live *t = desk_live_at(d, index);
    if (t->list != DESK_LIST_NONE) unlink_ticket(d, t);
    t->list = (uint8_t)kind;
    if (t->list != DESK_LIST_NONE) link_ticket(d, index);
}

/* --- creating */

static uint32_t players_max(const struct desk *d) {
    return 2 * d->config.tickets_max; /* of parties on the way to a match few are full */
}

static uint32_t power_of_two(uint32_t least) {
    uint32_t size = 1;
    while (size < least) size *= 2;
    return size;
}

static int create_maps(struct desk *d) {
    const struct desk_config *c = &d->config;
    int error = player_map_create(&d->of_player, players_max(d), c->seed);
    if (!error) error = player_map_create(&d->ids, c->tickets_max + DESK_RECENT_MAX, c->seed);
    if (!error) error = player_map_create(&d->partied, DESK_PARTIED_MAX, c->seed);
    if (!error) error = player_map_create(&d->invited, DESK_INVITES_MAX, c->seed);
    if (!error) error = player_map_create(&d->by_id, INSTANCES_MAX, c->seed);
    if (!error) error = player_map_create(&d->debtors, DESK_DEBTS_MAX, c->seed);
    if (!error) error = player_map_create(&d->seated, DESK_SEATED_MAX, c->seed);
    if (!error) error = rating_cache_create(&d->ratings, c->seed);
    return error;
}

static int create_tables(struct desk *d) {
    int error = create_maps(d);
    if (!error) error = pool_init(&d->tickets, d->config.tickets_max, sizeof(struct desk_live));
    if (!error) error = pool_init(&d->members, players_max(d), sizeof(struct desk_member));
    if (!error) error = pool_init(&d->avoids, d->config.tickets_max, sizeof(struct desk_avoid));
    if (!error) error = pool_init(&d->parties, DESK_PARTIES_MAX, sizeof(struct desk_group));
    if (!error) error = pool_init(&d->matches, INSTANCES_MAX, sizeof(struct desk_match));
    if (!error) error = ring_init(&d->unerased, power_of_two(d->config.tickets_max), sizeof(uint64_t));
    if (!error) error = ring_init(&d->dues, DESK_DUES_MAX, sizeof(struct desk_due));
    if (!error) error = pool_init(&d->debts, DESK_DEBTS_MAX, sizeof(struct desk_debt));
    if (!error) error = timer_wheel_create(&d->party_timers, DESK_PARTIES_MAX, 0);
    d->changed = calloc(d->config.tickets_max, sizeof *d->changed);
    d->recents = calloc(DESK_RECENT_MAX, sizeof *d->recents);
    return error || !d->changed || !d->recents ? MARCH_ERR_SYSTEM : 0;
}

int desk_create(struct desk **desk, const struct desk_config *config, struct mono now) {
    *desk = NULL;
    if (config->region_count < 1 || config->region_count > QUEUE_REGIONS_MAX || config->tickets_max < 1 ||
        config->tickets_max > DESK_TICKETS_MAX)
        return MARCH_ERR_INVALID;
    struct desk *d = calloc(1, sizeof *d);
    if (!d) return MARCH_ERR_SYSTEM;
    d->config = *config;
    d->began = d->now = now;
    d->next_id = 1;
    d->cancel_reason = WIRE_REASON_CANCELLED;
    for (uint32_t i = 0; i < DESK_LIST_KIND_COUNT; i++) d->lists[i] = (struct desk_list){DESK_NONE, DESK_NONE};
    for (uint32_t i = 0; i <= DESK_PARTY_MAX; i++) d->crowds[i] = (struct desk_list){DESK_NONE, DESK_NONE};
    if (create_tables(d)) {
        desk_destroy(d);
        return MARCH_ERR_SYSTEM;
    }
    *desk = d;
    return 0;
}

void desk_destroy(struct desk *d) {
    if (!d) return;
    queue_destroy(d->queue);
    free(d->recents);
    free(d->changed);
    timer_wheel_destroy(&d->party_timers);
    pool_deinit(&d->debts);
    ring_deinit(&d->dues);
    ring_deinit(&d->unerased);
    pool_deinit(&d->matches);
    pool_deinit(&d->parties);
    pool_deinit(&d->avoids);
    pool_deinit(&d->members);
    pool_deinit(&d->tickets);
    rating_cache_destroy(&d->ratings);
    player_map_destroy(&d->seated);
    player_map_destroy(&d->debtors);
    player_map_destroy(&d->by_id);
    player_map_destroy(&d->invited);
    player_map_destroy(&d->partied);
    player_map_destroy(&d->ids);
    player_map_destroy(&d->of_player);
    free(d);
}

void desk_advance(struct desk *d, struct mono now, uint64_t wall_ms) {
    if (now.ns > d->now.ns) d->now = now;
    d->now_ms = (int64_t)(mono_since_ns(d->now, d->began) / NS_PER_MS);
    d->wall_ms = wall_ms;
}

/* --- what the queue tells */

static void on_asked(struct desk *d, const struct queue_match *match) {
    uint32_t last = DESK_NONE;
    for (uint32_t i = 0; i < match->seat_count; i++) {
        uint32_t index = desk_ticket_at(d, match->seats[i].player);
        if (index == last) continue;
        last = index;
        struct desk_live *t = desk_live_at(d, index);
        t->stage = DESK_ASKED;
        t->asked_ms = (uint32_t)d->now_ms;
        desk_changed(d, index);
    }
}

static void on_returned(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    t->since_ms += (uint32_t)d->now_ms - t->asked_ms;
    t->stage = DESK_WAITING;
    desk_changed(d, index);
}

static enum wire_ticket_reason reason_of(const struct desk *d, enum queue_end end) {
    switch (end) {
    case QUEUE_TIMED_OUT: return WIRE_REASON_TIMED_OUT;
    case QUEUE_DECLINED: return WIRE_REASON_DECLINED;
    case QUEUE_SILENT: return WIRE_REASON_SILENT;
    default: return d->cancel_reason;
    }
}

static void on_event(void *context, const struct queue_event *event) {
    struct desk *d = context;
    uint32_t index = event->player_count > 0 ? desk_ticket_at(d, event->players[0]) : DESK_NONE;
    switch (event->kind) {
    case QUEUE_EVENT_ASKED: on_asked(d, event->match); break;
    case QUEUE_EVENT_MATCHED:
        if (handle_is_null(event->match->backfill)) {
            desk_match_launch(d, event->match);
        } else {
            desk_match_join(d, event->match);
        }
        break;
    case QUEUE_EVENT_RETURNED: on_returned(d, index); break;
    case QUEUE_EVENT_ENDED:
        if (reason_of(d, event->end) != WIRE_REASON_NONE) desk_ticket_end(d, index, reason_of(d, event->end), 0, NULL);
        break;
    case QUEUE_EVENT_KIND_COUNT: break;
    }
}

/* --- modes */

static int create_queue(struct desk *d, const struct mode_set *modes, struct queue **queue) {
    const struct queue_config config = {.mode_count = modes->count,
                                        .region_count = d->config.region_count,
                                        .modes = modes->modes,
                                        .tickets_max = d->config.tickets_max,
                                        .players_max = players_max(d),
                                        .checks_max = DESK_CHECKS_MAX,
                                        .backfills_max = INSTANCES_MAX,
                                        .first_match = 1,
                                        .seed = d->config.seed,
                                        .on_event = on_event,
                                        .ctx = d};
    *queue = NULL;
    return modes->count > 0 ? queue_create(queue, &config, d->now) : 0;
}

/* move_over has every ticket come into the new queue, under the mode of its name. */
static void move_over(struct desk *d, const struct mode_set *modes) {
    for (uint32_t index = 0; index < d->tickets.capacity && pool_count(&d->tickets) > 0; index++) {
        struct desk_live *t = desk_live_at(d, index);
        if (!t) continue;
        const struct mode *mode = mode_set_find(modes, d->modes.modes[t->mode].name);
        bool is_played = mode && mode->instance[0] != 0;
        if (t->stage != DESK_ENTERING && t->stage != DESK_HELD) desk_ticket_return(d, index);
        if (is_played) {
            t->mode = (uint8_t)(mode - modes->modes);
        } else if (t->stage == DESK_HELD) {
            desk_held_end(d, index);
        } else {
            desk_ticket_end(d, index, WIRE_REASON_UNKNOWN_MODE, 0, NULL);
        }
    }
}

int desk_set_modes(struct desk *d, const struct mode_set *modes, const struct template_set *templates, struct mono now,
                   char *error, size_t error_size) {
    struct queue *queue;
    desk_advance(d, now, d->wall_ms);
    int unserved = template_set_serves(templates, modes, error, error_size);
    if (unserved) return unserved;
    bool is_same = modes->count == d->modes.count && memcmp(modes, &d->modes, sizeof *modes) == 0;
    if (!is_same) {
        int failed = create_queue(d, modes, &queue);
        if (failed) {
            snprintf(error, error_size, "modes: %s", march_error_text(failed));
            return failed;
        }
        move_over(d, modes);
        queue_destroy(d->queue);
        d->queue = queue;
        d->held_modes = 0;
        memset(d->rest_until_ms, 0, sizeof d->rest_until_ms);
        desk_matches_unlink(d);
        rating_cache_clear(&d->ratings);
    }
    d->modes = *modes;
    d->templates = *templates;
    desk_finish(d);
    return 0;
}

/* --- recall */

void desk_recalled(struct desk *d, const struct wire_document *document, const uint8_t *bytes, uint64_t wall_ms) {
    switch (document->kind) {
    case WIRE_DOCUMENT_TICKET: desk_ticket_recall(d, document->key, bytes, document->len, wall_ms); break;
    case WIRE_DOCUMENT_PARTY: desk_party_recall(d, document->key, bytes, document->len); break;
    case WIRE_DOCUMENT_INSTANCE:
        /* One that can't be read is of a build that is no more: it is left alone. */
        if (document->key & DESK_DEBT_BIT) {
            desk_debt_recall(d, document->key, bytes, document->len);
        } else {
            (void)!instances_recall(d->config.instances, document->key, bytes, document->len);
        }
        break;
    }
}

void desk_ready(struct desk *d, struct mono now, uint64_t wall_ms) {
    desk_advance(d, now, wall_ms);
    d->is_ready = true;
    desk_tickets_ready(d);
    d->looked_ms = d->now_ms - DESK_LOOK_MS; /* those that are over are settled in the next step */
    for (uint32_t i = 0; i < instances_count(d->config.instances); i++) {
        struct instance_view view;
        instances_nth(d->config.instances, i, &view);
        (void)desk_match_take(d, &view);
    }
    desk_held_ready(d);
    desk_finish(d);
}

/* --- time */

/* hold stops all modes while there is nowhere to play, or too much is on its way to persist, and each that rests. */
static void hold(struct desk *d) {
    bool is_held = d->now_ms < d->held_until_ms || !instances_has_room(d->config.instances) ||
                   keep_stats_get(d->config.keep).pending > DESK_PENDING_MAX;
    for (uint32_t i = 0; i < d->modes.count && d->queue; i++) {
        bool is_mode_held = is_held || d->now_ms < d->rest_until_ms[i];
        if (is_mode_held == (d->held_modes >> i & 1)) continue;
        d->held_modes ^= 1u << i;
        queue_hold(d->queue, i, is_mode_held);
    }
}

void desk_hold_if_full(struct desk *d) {
    if (!d->is_full) return;
    d->held_until_ms = d->now_ms + DESK_HOLD_MS;
    hold(d);
}

void desk_finish(struct desk *d) {
    desk_hold_if_full(d);
    d->is_full = false;
    desk_tells_flush(d);
}

bool desk_step(struct desk *d, struct mono now, uint64_t wall_ms) {
    desk_advance(d, now, wall_ms);
    bool is_more = false;
    if (d->is_ready && d->queue) {
        hold(d);
        is_more = queue_step(d->queue, d->now);
        desk_hold_if_full(d);
        desk_tickets_step(d);
        is_more |= d->lists[DESK_LIST_COMING].first != DESK_NONE;
    }
    desk_parties_step(d);
    desk_matches_step(d);
    desk_debts_step(d);
    desk_finish(d);
    return is_more;
}

/* --- asked by players in the world */

_Static_assert(WIRE_ENTER_LATENCIES_MAX == QUEUE_REGIONS_MAX && WIRE_ENTER_AVOID_MAX == QUEUE_AVOID_MAX,
               "a message asks for as much as a request");

/* region_of returns a region's number; one that there is not is beyond them, and then the request is refused. */
static uint32_t region_of(const struct desk *d, const char *name) {
    uint32_t region = 0;
    while (region < d->config.region_count && strcmp(d->config.regions[region], name) != 0) region++;
    return region;
}

static void message_enter(struct desk *d, uint64_t player, const struct wire_queue_enter *enter) {
    struct desk_latency latencies[WIRE_ENTER_LATENCIES_MAX];
    for (uint32_t i = 0; i < enter->latency_count; i++)
        latencies[i] = (struct desk_latency){region_of(d, enter->latencies[i].region), enter->latencies[i].ms};
    const struct desk_request request = {.player = player,
                                         .mode = enter->mode,
                                         .roles = enter->roles,
                                         .latency_count = enter->latency_count,
                                         .latencies = latencies,
                                         .avoid_count = enter->avoid_count,
                                         .avoid = enter->avoid};
    uint64_t ticket;
    enum wire_ticket_reason reason = desk_enter(d, &request, d->now, d->wall_ms, &ticket);
    if (reason != WIRE_REASON_NONE && ticket == 0) desk_tell_refused(d, player, enter->mode, reason);
}

static void message_ticket(struct desk *d, uint64_t player, enum wire_ticket_verb verb) {
    enum wire_ticket_reason reason = WIRE_REASON_NONE;
    switch (verb) {
    case WIRE_TICKET_CANCEL: reason = desk_cancel(d, desk_ticket_of(d, player), player, d->now); break;
    case WIRE_TICKET_READY:
    case WIRE_TICKET_DECLINE: reason = desk_answer(d, player, verb == WIRE_TICKET_READY, d->now); break;
    case WIRE_TICKET_LEAVE: reason = desk_leave(d, player, d->now); break;
    case WIRE_TICKET_LOOK:
    case WIRE_TICKET_VERB_COUNT: desk_tell_now(d, player); break;
    }
    if (reason != WIRE_REASON_NONE) desk_tell_refused(d, player, "", reason);
}

void desk_message(struct desk *d, uint64_t player, const struct wire_client_message *message, struct mono now,
                  uint64_t wall_ms) {
    desk_advance(d, now, wall_ms);
    desk_party_heard(d, player);
    enum wire_ticket_reason reason = WIRE_REASON_NONE;
    switch (message->kind) {
    case WIRE_CLIENT_ENTER: message_enter(d, player, &message->enter); break;
    case WIRE_CLIENT_TICKET: message_ticket(d, player, message->ticket); break;
    case WIRE_CLIENT_PARTY:
        reason = desk_party(d, player, message->party.verb, message->party.player, now);
        if (reason != WIRE_REASON_NONE || message->party.verb == WIRE_PARTY_LOOK) desk_tell_party(d, player, reason);
        break;
    default: break;
    }
    desk_finish(d);
}

/* --- looking in */

const struct template_set *desk_templates(const struct desk *d) {
    return &d->templates;
}

const struct mode_set *desk_modes(const struct desk *d) {
    return &d->modes;
}

struct desk_stats desk_stats_get(const struct desk *d) {
    struct desk_stats stats = d->stats;
    stats.tickets = pool_count(&d->tickets);
    stats.parties = pool_count(&d->parties);
    stats.owed = pool_count(&d->debts);
    return stats;
}
