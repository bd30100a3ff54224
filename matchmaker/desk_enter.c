/* desk_enter.c: how a ticket comes about: what is asked for, the ratings of its players; and what they say of it. */
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "matchmaker/desk_inner.h"

#define ID_STEPS 4096 /* ids of a millisecond; so an id stays below 2^53, which JSON can say */

/* --- ratings */

/* rating_now is what a rating of persist is worth today. */
static struct rating rating_now(const struct desk *d, const struct wire_rating *told) {
    struct rating rating = {told->mu, told->sigma};
    if (!(rating.sigma > 0 && rating.sigma <= RATING_SIGMA_MAX && rating.mu >= -RATING_MU_MAX && rating.mu <= RATING_MU_MAX))
        return RATING_RULES.start;
    if (told->season < d->config.season) rating = rating_after_season(&RATING_RULES, rating);
    uint64_t now_s = d->wall_ms / 1000;
    return rating_after_idle(&RATING_RULES, rating, now_s > told->rated_at_s ? now_s - told->rated_at_s : 0);
}

/* is_known tells whether a player's rating need not be asked for: persist had it from here, or is owed it. */
static bool is_known(const struct desk *d, uint64_t player, uint32_t mode, struct wire_rating *rating) {
    return desk_debt_rating(d, player, d->modes.modes[mode].name, rating) ||
           rating_cache_find(&d->ratings, player, mode, rating);
}

void desk_rating_settled(struct desk *d, const struct wire_settle *s) {
    const struct mode *mode = mode_set_find(&d->modes, s->mode);
    if (!(s->flags & WIRE_SETTLE_RATED) || !mode) return;
    const struct wire_rating rating = {
        .player = s->player, .mu = s->mu, .sigma = s->sigma, .season = s->season, .rated_at_s = d->wall_ms / 1000};
    rating_cache_put(&d->ratings, (uint32_t)(mode - d->modes.modes), &rating);
}

static void rate(struct desk *d, struct desk_live *t, struct desk_member *member, const struct wire_rating *rating) {
    member->is_rated = true;
    desk_member_rate(member, rating_now(d, rating));
    t->unrated--;
}

/* rated puts a ticket whose players are all rated into the queue; that it is kept need not be awaited, for a match would
 * erase it together with keeping its instance. */
static void rated(struct desk *d, uint32_t index) {
    struct desk_live *t = desk_live_at(d, index);
    desk_ticket_sum_up(d, t);
    keep_cut(d->config.keep);
    uint32_t len = desk_write_ticket(d, t, d->bytes);
    if (keep_put_new(d->config.keep, WIRE_DOCUMENT_TICKET, t->id, d->bytes, len)) {
        desk_ticket_drop(d, index, WIRE_REASON_UNAVAILABLE);
        return;
    }
    keep_cut(d->config.keep);
    t->is_kept = true;
    t->mark = keep_mark(d->config.keep);
    desk_due(d, DESK_DUE_TICKET, t->id, t->mark);
    desk_ticket_begin(d, index);
}

void desk_rating(struct desk *d, const struct wire_rating *rating, struct mono now, uint64_t wall_ms) {
    desk_advance(d, now, wall_ms);
    uint32_t index = desk_ticket_at(d, rating->player);
    if (index == DESK_NONE) return;
    struct desk_live *t = desk_live_at(d, index);
    if (t->stage != DESK_ENTERING || strcmp(rating->mode, d->modes.modes[t->mode].name) != 0) return;
    struct desk_member *member = &t->leader;
    while (member->player != rating->player) member = desk_member_after(d, member);
    if (member->is_rated) return;
    if (rating->result != WIRE_MATCH_OK) {
        desk_ticket_drop(d, index, WIRE_REASON_INVALID);
    } else {
        struct wire_rating known;
        rate(d, t, member, is_known(d, rating->player, t->mode, &known) ? &known : rating);
        if (t->unrated == 0) rated(d, index);
    }
    desk_finish(d);
}

/* --- entered */

static uint64_t new_id(struct desk *d) {
    if (d->next_id < d->wall_ms * ID_STEPS) d->next_id = d->wall_ms * ID_STEPS;
    return d->next_id++;
}

/* is_sound tells whether a request is within a mode's limits, before anybody is asked for ratings. */
static bool is_sound(const struct desk *d, const struct desk_request *request, const struct mode *mode, uint32_t count) {
    uint32_t roles = (1u << mode->role_count) - 1;
    if (count > mode->max_party || request->avoid_count > QUEUE_AVOID_MAX) return false;
    if (mode->role_count > 0 && request->roles != 0 && (request->roles & roles) == 0) return false;
    for (uint32_t i = 0; i < request->avoid_count; i++)
        if (!player_id_valid(request->avoid[i])) return false;
    bool is_near = request->latency_count == 0;
    for (uint32_t i = 0; i < request->latency_count; i++) {
        if (request->latencies[i].region >= d->config.region_count) return false;
        is_near |= request->latencies[i].ms <= MODE_LATENCY_MS_MAX;
    }
    return is_near;
}

static enum wire_ticket_reason reason_of_players(const struct desk *d, const uint64_t *players, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (desk_ticket_at(d, players[i]) != DESK_NONE && !desk_is_seated(d, players[i])) return WIRE_REASON_EXISTS;
    for (uint32_t i = 0; i < count; i++)
        if (desk_is_seated(d, players[i]) || instances_of_player(d->config.instances, players[i]) != 0)
            return WIRE_REASON_BUSY;
    return WIRE_REASON_NONE;
}

/* fill writes into a new ticket what was asked for. */
static void fill(struct desk *d, struct desk_live *t, const struct desk_request *request, uint32_t mode) {
    t->mode = (uint8_t)mode;
    t->version = 1;
    t->mark = UINT64_MAX;
    t->entered_ms = d->wall_ms;
    t->since_ms = t->began_ms = (uint32_t)d->now_ms;
    t->unrated = t->count;
    t->roles = request->roles != 0 ? (uint8_t)request->roles : UINT8_MAX;
    desk_ticket_avoid(d, t, request->avoid, request->avoid_count);
    for (uint32_t i = 0; i < QUEUE_REGIONS_MAX; i++)
        t->latency[i] = request->latency_count > 0 || i >= d->config.region_count ? QUEUE_FAR : 0;
    for (uint32_t i = 0; i < request->latency_count; i++)
        t->latency[request->latencies[i].region] = queue_latency(request->latencies[i].ms);
}

/* ask_for_ratings asks for those that are not known; false where no more can be asked for. */
static bool ask_for_ratings(struct desk *d, struct desk_live *t) {
    for (struct desk_member *member = &t->leader; member; member = desk_member_after(d, member)) {
        struct wire_rating known;
        if (is_known(d, member->player, t->mode, &known)) {
            rate(d, t, member, &known);
        } else if (keep_lookup(d->config.keep, member->player, d->modes.modes[t->mode].name) != 0) {
            return false;
        }
    }
    return true;
}

static enum wire_ticket_reason enter(struct desk *d, const struct desk_request *request, uint64_t *ticket) {
    const struct mode *mode = mode_set_find(&d->modes, request->mode);
    uint64_t players[DESK_PARTY_MAX];
    if (!d->is_ready || !d->queue) return WIRE_REASON_UNAVAILABLE;
    if (!mode || mode->instance[0] == 0) return WIRE_REASON_UNKNOWN_MODE;
    if (!player_id_valid(request->player)) return WIRE_REASON_INVALID;
    uint32_t count = desk_party_members(d, request->player, players);
    if (count == 0) return WIRE_REASON_NOT_LEADER;
    if (!is_sound(d, request, mode, count)) return WIRE_REASON_INVALID;
    enum wire_ticket_reason reason = reason_of_players(d, players, count);
    if (reason != WIRE_REASON_NONE) return reason;
    uint32_t index = desk_ticket_take(d, players, count, new_id(d));
    if (index == DESK_NONE) return WIRE_REASON_FULL;
    struct desk_live *t = desk_live_at(d, index);
    fill(d, t, request, (uint32_t)(mode - d->modes.modes));
    desk_list_put(d, index, DESK_LIST_UNCONFIRMED);
    *ticket = t->id;
    if (!ask_for_ratings(d, t)) {
        desk_ticket_end(d, index, WIRE_REASON_UNAVAILABLE, 0, NULL);
        return WIRE_REASON_UNAVAILABLE;
    }
    if (t->unrated == 0) rated(d, index);
    return WIRE_REASON_NONE;
}

enum wire_ticket_reason desk_enter(struct desk *d, const struct desk_request *request, struct mono now, uint64_t wall_ms,
                                   uint64_t *ticket) {
    desk_advance(d, now, wall_ms);
    desk_party_heard(d, request->player);
    *ticket = 0;
    enum wire_ticket_reason reason = enter(d, request, ticket);
    d->stats.entered += reason == WIRE_REASON_NONE;
    d->stats.refused[reason] += reason != WIRE_REASON_NONE;
    desk_finish(d);
    return reason;
}

enum wire_ticket_reason desk_cancel(struct desk *d, uint64_t ticket, uint64_t player, struct mono now) {
    desk_advance(d, now, d->wall_ms);
    desk_party_heard(d, player);
    if (!d->is_ready) return WIRE_REASON_UNAVAILABLE; /* it may be that of a match */
    uint32_t index = player_map_find(&d->ids, ticket);
    if (index == PLAYER_MAP_NONE || index & DESK_RECENT_BIT || desk_live_at(d, index)->stage == DESK_HELD)
        return WIRE_REASON_NOT_FOUND;
    if (desk_live_at(d, index)->leader.player != player) return WIRE_REASON_NOT_LEADER;
    desk_ticket_drop(d, index, WIRE_REASON_CANCELLED);
    desk_finish(d);
    return WIRE_REASON_NONE;
}

enum wire_ticket_reason desk_answer(struct desk *d, uint64_t player, bool is_ready, struct mono now) {
    desk_advance(d, now, d->wall_ms);
    desk_party_heard(d, player);
    if (!d->is_ready) return WIRE_REASON_UNAVAILABLE;
    uint32_t index = desk_ticket_at(d, player);
    if (index == DESK_NONE || desk_live_at(d, index)->stage != DESK_ASKED) return WIRE_REASON_NOT_FOUND;
    int error = queue_answer(d->queue, player, is_ready, d->now);
    CHECK(error == 0);
    bool is_asked = desk_ticket_at(d, player) == index && desk_live_at(d, index)->stage == DESK_ASKED;
    if (is_asked) desk_changed(d, index); /* the others see who is ready */
    desk_finish(d);
    return WIRE_REASON_NONE;
}
