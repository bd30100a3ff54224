/* desk_debts.c: what players have of matches, and could not be settled yet.
 *
 *   match over ──not settled in DESK_SETTLE_MS, or something is owed already──► owed: a document of its own
 *                                 settled, or refused for good ◄──asked of persist──┘
 *
 * The match is forgotten meanwhile, and its players may queue again. A matchmaker that begins anew finds what is owed, and
 * knows by it what the match came to where that is there, too. A player's debts are asked for in the order of the matches,
 * DESK_DEBTS_ASKED of all players at once.
 */
#include <string.h>

#include "matchmaker/desk_inner.h"

_Static_assert(WIRE_INSTANCE_PLAYERS_MAX <= 128, "a gain's number has seven bits in the key of its document");

static struct desk_debt *debt_at(const struct desk *d, uint32_t index) {
    return pool_at(&d->debts, index);
}

/* first_of returns the first debt of a player, DESK_NONE. */
static uint32_t first_of(const struct desk *d, uint64_t player) {
    uint32_t index = player_map_find(&d->debtors, player);
    return index == PLAYER_MAP_NONE ? DESK_NONE : index;
}

static void set_first(struct desk *d, uint64_t player, uint32_t index) {
    if (first_of(d, player) != DESK_NONE) player_map_remove(&d->debtors, player);
    if (index != DESK_NONE) player_map_add(&d->debtors, player, index);
}

/* link_debt puts a debt where its match belongs. */
static void link_debt(struct desk *d, uint32_t index) {
    struct desk_debt *debt = debt_at(d, index);
    uint32_t before = DESK_NONE, at = first_of(d, debt->settle.player);
    for (; at != DESK_NONE && debt_at(d, at)->settle.match < debt->settle.match; at = debt_at(d, at)->next) before = at;
    debt->next = at;
    if (before == DESK_NONE) {
        set_first(d, debt->settle.player, index);
    } else {
        debt_at(d, before)->next = index;
    }
}

/* ask asks for a debt whose turn it is. */
static void ask(struct desk *d, struct desk_debt *debt) {
    if (debt->is_asked || d->debts_asked >= DESK_DEBTS_ASKED) return;
    debt->is_asked = keep_settle(d->config.keep, &debt->settle) == 0;
    d->debts_asked += debt->is_asked;
}

int desk_debt_add(struct desk *d, const struct desk_match *m, uint32_t gain) {
    uint64_t key = DESK_DEBT_BIT | (uint64_t)m->id << 7 | gain;
    const struct wire_settle *settle = &m->gains[gain].settle;
    if (desk_debt_find(d, settle->player, settle->match)) return 0; /* of before a restart */
    if (d->debts.free_count == 0) return MARCH_ERR_FULL;
    uint32_t len = desk_write_debt(settle, d->bytes);
    if (keep_put(d->config.keep, WIRE_DOCUMENT_INSTANCE, key, d->bytes, len) != 0) return MARCH_ERR_FULL;
    uint32_t index = pool_take(&d->debts).index;
    *debt_at(d, index) = (struct desk_debt){.settle = *settle, .key = key, .is_asked = m->gains[gain].is_asked};
    d->debts_asked += m->gains[gain].is_asked;
    link_debt(d, index);
    return 0;
}

void desk_debt_recall(struct desk *d, uint64_t key, const uint8_t *bytes, uint32_t len) {
    struct wire_settle settle;
    if (desk_read_debt(bytes, len, &settle) || desk_debt_find(d, settle.player, settle.match)) return;
    struct handle handle = pool_take(&d->debts);
    if (handle_is_null(handle)) return;
    *debt_at(d, handle.index) = (struct desk_debt){.settle = settle, .key = key};
    link_debt(d, handle.index);
}

/* --- settled */

bool desk_debt_settled(struct desk *d, uint64_t match, uint64_t player, bool is_done) {
    uint32_t before = DESK_NONE, at = first_of(d, player);
    for (; at != DESK_NONE && debt_at(d, at)->settle.match != match; at = debt_at(d, at)->next) before = at;
    if (at == DESK_NONE) return false;
    struct desk_debt *debt = debt_at(d, at);
    if (keep_erase(d->config.keep, WIRE_DOCUMENT_INSTANCE, debt->key) != 0) {
        d->debts_asked -= debt->is_asked; /* it is asked for again, until there is room to forget it */
        debt->is_asked = false;
        return true;
    }
    uint32_t next = debt->next;
    d->debts_asked -= debt->is_asked;
    d->stats.settled += is_done;
    if (is_done) desk_rating_settled(d, &debt->settle);
    if (before == DESK_NONE) {
        set_first(d, player, next);
    } else {
        debt_at(d, before)->next = next;
    }
    pool_give(&d->debts, pool_handle(&d->debts, at));
    if (before == DESK_NONE && next != DESK_NONE) ask(d, debt_at(d, next));
    return true;
}

void desk_debts_step(struct desk *d) {
    if (!d->is_ready || d->now_ms - d->owed_ms < DESK_LOOK_MS) return;
    d->owed_ms = d->now_ms;
    for (uint32_t i = 0; i < d->debts.capacity && pool_count(&d->debts) > 0; i++) {
        struct desk_debt *debt = debt_at(d, i);
        if (debt && first_of(d, debt->settle.player) == i) ask(d, debt);
    }
}

/* --- looking in */

bool desk_debt_find(const struct desk *d, uint64_t player, uint64_t match) {
    for (uint32_t at = first_of(d, player); at != DESK_NONE; at = debt_at(d, at)->next)
        if (match == 0 || debt_at(d, at)->settle.match == match) return true;
    return false;
}

bool desk_debt_rating(const struct desk *d, uint64_t player, const char *mode, struct wire_rating *rating) {
    bool is_found = false;
    for (uint32_t at = first_of(d, player); at != DESK_NONE; at = debt_at(d, at)->next) {
        const struct wire_settle *s = &debt_at(d, at)->settle;
        if (!(s->flags & WIRE_SETTLE_RATED) || strcmp(s->mode, mode) != 0) continue;
        *rating = (struct wire_rating){
            .player = player, .mu = s->mu, .sigma = s->sigma, .season = s->season, .rated_at_s = d->wall_ms / 1000};
        is_found = true;
    }
    return is_found;
}
