/* desk_tells.c: what players are told, and when.
 *
 * A ticket that is put or erased is told once that is durable (desk_due); whatever else becomes of one that is durable, when
 * the call ends in which it came about (desk_changed).
 */
#include <string.h>

#include "common/check.h"
#include "common/step.h"
#include "matchmaker/desk_inner.h"

static void tell(struct desk *d, uint64_t player, const struct wire_server_message *message) {
    d->config.on_tell(d->config.context, player, message);
}

/* --- tickets */

/* message_of is what all players of a ticket are told of it; `team` is a player's own. */
static struct wire_server_message message_of(const struct desk_ticket *t) {
    struct wire_server_message message = {.kind = WIRE_SERVER_TICKET,
                                          .ticket = {.ticket = t->id,
                                                     .state = t->state,
                                                     .reason = t->reason,
                                                     .waited_ms = t->waited_ms,
                                                     .estimate_ms = t->estimate_ms,
                                                     .position = t->position,
                                                     .queued = t->queued,
                                                     .window = t->window,
                                                     .ready_ms = t->ready_ms,
                                                     .instance = t->instance}};
    memcpy(message.ticket.mode, t->mode, sizeof message.ticket.mode);
    return message;
}

void desk_tell_ticket(struct desk *d, uint64_t id) {
    struct desk_ticket t;
    struct instance_view view;
    if (!desk_ticket_get(d, id, d->now, d->wall_ms, &t)) return;
    struct wire_server_message message = message_of(&t);
    bool is_matched = t.state == WIRE_TICKET_MATCHED && instances_view(d->config.instances, t.instance, &view);
    for (uint32_t i = 0; i < t.player_count; i++) {
        message.ticket.team = t.teams[i];
        tell(d, t.players[i], &message);
        if (is_matched) desk_tell_match(d, t.players[i], t.teams[i], &view, NULL);
    }
    d->config.on_change(d->config.context, id);
}

void desk_tell_refused(struct desk *d, uint64_t player, const char *mode, enum wire_ticket_reason reason) {
    struct wire_server_message message = {.kind = WIRE_SERVER_TICKET, .ticket = {.reason = reason}};
    size_t len = strnlen(mode, WIRE_MODE_NAME_MAX);
    memcpy(message.ticket.mode, mode, len);
    tell(d, player, &message);
}

/* --- parties and matches */

/* invited_by returns who invites a player to his party; 0: nobody. */
static uint64_t invited_by(const struct desk *d, uint64_t player) {
    uint32_t index = player_map_find(&d->invited, player);
    const struct desk_group *party = index == PLAYER_MAP_NONE ? NULL : pool_at(&d->parties, index);
    return party ? party->members[0] : 0;
}

void desk_tell_party(struct desk *d, uint64_t player, enum wire_ticket_reason reason) {
    struct desk_party party = desk_party_of(d, player);
    struct wire_server_message message = {.kind = WIRE_SERVER_PARTY,
                                          .party = {.leader = party.leader,
                                                    .invited_by = invited_by(d, player),
                                                    .reason = reason,
                                                    .member_count = party.member_count}};
    memcpy(message.party.members, party.members, party.member_count * sizeof *party.members);
    tell(d, player, &message);
}

static enum wire_match_phase phase_of(enum instance_stage stage) {
    if (stage == INSTANCE_OVER) return WIRE_MATCH_OVER;
    return stage == INSTANCE_RUNNING ? WIRE_MATCH_RUNNING : WIRE_MATCH_STARTING;
}

void desk_tell_match(struct desk *d, uint64_t player, uint32_t team, const struct instance_view *view,
                     const struct desk_gain *gain) {
    struct wire_server_message message = {.kind = WIRE_SERVER_MATCH,
                                          .match = {.instance = view->id,
                                                    .phase = phase_of(view->stage),
                                                    .goal = view->goal,
                                                    .wave = view->wave,
                                                    .team = team,
                                                    .team_count = view->team_count}};
    size_t len = strnlen(view->template->name, WIRE_MODE_NAME_MAX);
    memcpy(message.match.template_name, view->template->name, len);
    memcpy(message.match.scores, view->scores, sizeof message.match.scores);
    if (gain) {
        message.match.gold = gain->settle.gold;
        message.match.item_kind = gain->settle.item_kind;
        message.match.item_count = gain->settle.item_count;
        message.match.points = gain->points;
    }
    tell(d, player, &message);
}

void desk_tell_now(struct desk *d, uint64_t player) {
    uint32_t index = desk_ticket_at(d, player), instance = instances_of_player(d->config.instances, player);
    struct instance_view view;
    if (index != DESK_NONE) {
        if (keep_is_durable(d->config.keep, desk_live_at(d, index)->mark)) desk_changed(d, index);
    } else if (instance != 0 && instances_view(d->config.instances, instance, &view)) {
        for (uint32_t i = 0; i < view.member_count; i++)
            if (view.members[i].player == player) desk_tell_match(d, player, view.members[i].team, &view, NULL);
    } else {
        desk_tell_refused(d, player, "", d->is_ready ? WIRE_REASON_NONE : WIRE_REASON_UNAVAILABLE);
    }
}

/* --- when */

void desk_changed(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    t->version++;
    if (t->is_changed) return;
    CHECK(d->changed_count < d->config.tickets_max); /* none is taken in a call after one has changed */
    t->is_changed = true;
    d->changed[d->changed_count++] = index;
}

void desk_due(struct desk *d, enum desk_due_kind kind, uint64_t key, uint64_t mark) {
    struct desk_due *due = ring_push(&d->dues);
    if (due) *due = (struct desk_due){mark, key, kind};
}

static void tell_due_ticket(struct desk *d, uint64_t id) {
    uint32_t index = player_map_find(&d->ids, id);
    if (index == PLAYER_MAP_NONE || !desk_ticket_is_durable(d, id)) return;
    if (index & DESK_RECENT_BIT) {
        if (d->recents[index & ~DESK_RECENT_BIT].is_told) return;
        d->recents[index & ~DESK_RECENT_BIT].is_told = true;
    } else {
        struct desk_live *t = desk_live_at(d, index);
        if (t->stage != DESK_HELD) STEP("matchmaker.ticket_kept");
        if (t->list == DESK_LIST_UNCONFIRMED) desk_list_put(d, index, DESK_LIST_NONE);
        t->is_confirmed = true;
    }
    desk_tell_ticket(d, id);
}

void desk_tells_flush(struct desk *d) {
    for (uint32_t i = 0; i < d->changed_count; i++) {
        struct desk_live *t = desk_live_at(d, d->changed[i]);
        if (!t || !t->is_changed) continue; /* it has ended */
        t->is_changed = false;
        if (keep_is_durable(d->config.keep, t->mark)) desk_tell_ticket(d, t->id);
    }
    d->changed_count = 0;
    const struct desk_due *due;
    while ((due = ring_at(&d->dues, 0)) && keep_is_durable(d->config.keep, due->mark)) {
        struct desk_due now = *due;
        (void)ring_pop(&d->dues);
        switch (now.kind) {
        case DESK_DUE_TICKET: tell_due_ticket(d, now.key); break;
        case DESK_DUE_PARTY: desk_tell_party(d, now.key, WIRE_REASON_NONE); break;
        case DESK_DUE_NOW: desk_tell_now(d, now.key); break;
        }
    }
}
