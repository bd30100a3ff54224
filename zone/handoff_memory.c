#include "zone/handoff_inner.h"

/* --- visits */

struct visit *handoff_find_visit(struct handoff *h, struct mono now, uint64_t entity) {
    for (uint32_t i = 0; i < HANDOFF_VISITS_MAX; i++) {
        struct visit *v = &h->visits[i];
        if (v->entity == entity && !mono_reached(now, v->until)) return v;
    }
    return NULL;
}

void handoff_remember(struct handoff *h, struct mono now, const struct wire_carried *c, uint32_t attachment, bool was_here) {
    struct visit *v = handoff_find_visit(h, now, c->entity);
    if (!v) {
        v = &h->visits[h->visit_next++ % HANDOFF_VISITS_MAX];
        h->stats.visits_lost += v->entity != 0 && !mono_reached(now, v->until);
    }
    *v = (struct visit){.entity = c->entity,
                        .player = c->player,
                        .session_epoch = c->session_epoch,
                        .tick = c->tick,
                        .attachment = attachment,
                        .was_here = was_here,
                        .until = mono_add_ms(now, HANDOFF_TOMB_MS)};
}

/* is_past tells whether a visit says of an attachment that a greater one has been: here, or where it was refused some time
 * after this one. */
static bool is_past(const struct visit *v, uint64_t epoch, uint32_t attachment) {
    return is_newer(v->session_epoch, v->attachment, epoch, v->was_here ? attachment : attachment + 1);
}

bool handoff_answer_again(const struct visit *v, const struct wire_carried *c, uint32_t *result) {
    bool has_epoch = c->session_epoch != 0;
    bool is_new =
        has_epoch ? is_newer(c->session_epoch, c->attachment + 1, v->session_epoch, v->attachment) : c->tick > v->tick;
    bool was_past = has_epoch ? is_past(v, c->session_epoch, c->attachment) : v->was_here || c->tick < v->tick;
    *result = was_past ? WIRE_GIVEN : WIRE_GIVE_REFUSED;
    return !is_new;
}

/* --- who has gone */

struct gone *handoff_find_gone(struct handoff *h, uint64_t player) {
    for (uint32_t i = 0; i < HANDOFF_GONE_MAX; i++)
        if (h->gone[i].player == player) return &h->gone[i];
    return NULL;
}

void handoff_note_gone(struct handoff *h, const struct flight *f) {
    struct gone *gone = handoff_find_gone(h, f->carried.player);
    if (!gone) gone = &h->gone[h->gone_next++ % HANDOFF_GONE_MAX];
    *gone = (struct gone){.player = f->carried.player,
                          .session_epoch = f->carried.session_epoch,
                          .target = f->target,
                          .until = mono_add_ms(h->now, HANDOFF_GONE_MS)};
}

void handoff_note_here(struct handoff *h, uint64_t player) {
    struct gone *gone = handoff_find_gone(h, player);
    if (gone) gone->player = 0;
}

/* --- promises */

/* find_tomb returns the promise about a player of a session, or where a new one goes. */
static struct tomb *find_tomb(struct handoff *h, struct mono now, uint64_t player, uint64_t epoch) {
    struct tomb *open = NULL;
    for (uint32_t i = 0; i < h->tomb_count; i++) {
        struct tomb *t = &h->tombs[i];
        if (t->player != 0 && mono_reached(now, t->until)) *t = (struct tomb){0};
        if (t->player == player && t->session_epoch == epoch) return t;
        if (t->player == 0) open = t;
    }
    if (open) return open;
    if (h->tomb_count < HANDOFF_TOMBS_MAX) return &h->tombs[h->tomb_count++];
    h->stats.tombs_lost++;
    h->tombs[h->tomb_next] = (struct tomb){0};
    open = &h->tombs[h->tomb_next];
    h->tomb_next = (h->tomb_next + 1) % HANDOFF_TOMBS_MAX;
    return open;
}

void handoff_promise(struct handoff *h, struct mono now, const struct wire_query *query) {
    struct tomb *t = find_tomb(h, now, query->player, query->session_epoch);
    bool is_known = t->player != 0;
    uint32_t attachment = query->attachment + 1;
    if (is_known && t->attachment > attachment) attachment = t->attachment;
    *t = (struct tomb){.player = query->player,
                       .session_epoch = query->session_epoch,
                       .attachment = attachment,
                       .until = mono_add_ms(now, HANDOFF_TOMB_MS)};
    h->stats.tombs += !is_known;
}

bool handoff_is_promised(const struct handoff *h, struct mono now, uint64_t player, uint64_t epoch, uint32_t attachment) {
    for (uint32_t i = 0; i < h->tomb_count; i++) {
        const struct tomb *t = &h->tombs[i];
        if (t->player == player && t->session_epoch == epoch && !mono_reached(now, t->until))
            return attachment <= t->attachment;
    }
    return false;
}

/* --- all of it */

bool handoff_has_had(const struct handoff *h, struct mono now, uint64_t player, uint64_t epoch, uint32_t attachment) {
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    if (w->by_player(w->context, player, &p) && is_newer(p.session_epoch, p.attachment, epoch, attachment)) return true;
    for (uint32_t i = 0; i < h->count; i++) {
        const struct wire_carried *c = &h->flights[i].carried;
        if (is_frozen(&h->flights[i]) && c->player == player && is_newer(c->session_epoch, c->attachment, epoch, attachment))
            return true;
    }
    for (uint32_t i = 0; i < HANDOFF_VISITS_MAX && epoch != 0; i++) {
        const struct visit *v = &h->visits[i];
        if (v->entity != 0 && v->player == player && !mono_reached(now, v->until) && is_past(v, epoch, attachment))
            return true;
    }
    return false;
}
