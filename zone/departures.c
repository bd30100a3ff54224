#include "zone/departures.h"

#include "zone/hash.h"

/* place_of returns where an entity stands, DEPARTURES_MAX: nowhere. */
static uint32_t place_of(const struct departures *d, uint64_t entity) {
    uint32_t i = entity != 0 ? 0 : DEPARTURES_MAX;
    while (i < DEPARTURES_MAX && d->items[i].entity != entity) i++;
    return i;
}

const struct departure *departures_find(const struct departures *d, uint64_t entity) {
    uint32_t i = place_of(d, entity);
    return i < DEPARTURES_MAX ? &d->items[i] : NULL;
}

/* Takes what waits for an entity. */
static uint32_t take_waiting(struct departures *d, uint64_t entity) {
    uint32_t taken = 0, kept = 0;
    for (uint32_t i = 0; i < d->waiting_count; i++) {
        if (d->waiting[i].attacker == entity) {
            d->taken[taken++] = d->waiting[i];
        } else {
            d->waiting[kept++] = d->waiting[i];
        }
    }
    d->waiting_count = kept;
    return taken;
}

/* make_place returns a place for one more: where nobody is, or the oldest that is gone. */
static uint32_t make_place(struct departures *d) {
    for (uint32_t i = 0; i < DEPARTURES_MAX && d->items[d->next].is_on_its_way; i++)
        d->next = (d->next + 1) % DEPARTURES_MAX;
    uint32_t place = d->next;
    d->next = (d->next + 1) % DEPARTURES_MAX;
    return place;
}

uint32_t departures_leave(struct departures *d, uint64_t entity, uint32_t target) {
    uint32_t known = place_of(d, entity);
    struct departure *place = &d->items[known < DEPARTURES_MAX ? known : make_place(d)];
    uint32_t lost = place->is_on_its_way ? take_waiting(d, place->entity) : 0;
    *place = (struct departure){.entity = entity, .target = target, .is_on_its_way = true};
    return lost;
}

bool departures_keep(struct departures *d, const struct wire_outcome *outcome) {
    if (d->waiting_count == DEPARTURES_WAITING_MAX) return false;
    d->waiting[d->waiting_count++] = *outcome;
    return true;
}

uint32_t departures_end(struct departures *d, uint64_t entity, bool is_at_target, const struct wire_outcome **waited) {
    uint32_t place = place_of(d, entity);
    *waited = d->taken;
    if (place == DEPARTURES_MAX) return 0;
    if (is_at_target) {
        d->items[place].is_on_its_way = false;
    } else {
        d->items[place] = (struct departure){0};
    }
    return take_waiting(d, entity);
}

uint64_t departures_hash(const struct departures *d, uint64_t hash) {
    if (d->next != 0) hash = hash_word(hash, d->next);
    for (uint32_t i = 0; i < DEPARTURES_MAX; i++) {
        const struct departure *p = &d->items[i];
        if (p->entity != 0) hash = hash_pair(hash_word(hash, p->entity), (int32_t)p->target, p->is_on_its_way);
    }
    for (uint32_t i = 0; i < d->waiting_count; i++) {
        const struct wire_outcome *o = &d->waiting[i];
        hash = hash_word(hash, o->attacker);
        hash = hash_word(hash, (uint64_t)o->experience << 32 | o->instance);
        hash = hash_word(hash, (uint64_t)o->killed << 48 | (uint64_t)o->hops << 32 | o->team);
    }
    return hash;
}
