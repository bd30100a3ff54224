/* instances_world.c: who owns a block, what zones report, and what follows from it. */
#include <string.h>

#include "common/check.h"
#include "common/step.h"
#include "matchmaker/instances_inner.h"

#define NOBODY ((struct instances_life){.slot = WIRE_SLOT_NONE})

/* --- who runs an instance */

static bool is_alive(const struct instances *i, struct instances_life life) {
    return life.incarnation != 0 && instances_same_life(i->lives[life.slot], life);
}

/* assign has an instance ordered of somebody else, who is not known to have it. */
static void assign(struct instances *i, uint32_t index, struct instances_life life) {
    struct instance *n = instances_at(i, index);
    n->life = life;
    n->is_reported = n->is_recalled = false;
    n->told_over = 0;
    i->wants_order[index] = true;
    instances_travel_all(i, index);
}

/* hand_over: its former zone lives, and hands over who is in it. It goes on as it was. */
static void hand_over(struct instances *i, uint32_t index, struct instances_life life) {
    struct instance *n = instances_at(i, index);
    n->first_wave = n->wave;
    memcpy(n->first_scores, n->scores, sizeof n->scores);
    assign(i, index, life);
    instances_change(i, index);
}

/* begin_again forgets what a zone that died made of it, but for a checkpoint. */
static void begin_again(struct instances *i, uint32_t index) {
    struct instance *n = instances_at(i, index);
    if (!n->template.checkpoints) {
        n->wave = 0;
        memset(n->scores, 0, sizeof n->scores);
    }
    n->first_wave = n->wave;
    memcpy(n->first_scores, n->scores, sizeof n->scores);
    n->lasted_ms = n->creatures = n->players = n->slowed = 0;
    for (uint32_t k = 0; k < n->member_count; k++) {
        struct instance_member *m = &i->members[index * WIRE_INSTANCE_PLAYERS_MAX + k];
        m->flags = 0;
        if (!n->template.checkpoints) m->kills = m->deaths = 0;
    }
}

static void crash(struct instances *i, uint32_t index, struct instances_life owner) {
    struct instance *n = instances_at(i, index);
    if (n->template.crash == TEMPLATE_CRASH_RETURN || n->restarts == INSTANCES_RESTARTS_MAX) {
        assign(i, index, owner);
        instances_finish(i, index, INSTANCE_END_LOST);
        return;
    }
    n->restarts++;
    i->stats.restarts++;
    i->stats.running -= n->stage == INSTANCE_RUNNING;
    n->stage = INSTANCE_STARTING;
    begin_again(i, index);
    assign(i, index, owner);
    instances_change(i, index);
}

/* is_awaited tells whether the owner of a block may still say that it runs an instance of before a restart. */
static bool is_awaited(struct instances *i, struct instance *n, uint32_t index) {
    const struct instances_block *b = &i->blocks[n->block];
    i->wants_step[index] = true;
    if (b->owner.incarnation == 0 || !i->slots[b->owner.slot].is_up) return true;
    if (n->recall_ns == 0) n->recall_ns = mono_add_ms(i->now, INSTANCES_RECALL_MS).ns;
    return i->now.ns < n->recall_ns;
}

void instances_check_owner(struct instances *i, uint32_t index) {
    struct instance *n = instances_at(i, index);
    const struct instances_block *b = &i->blocks[n->block];
    if (i->directory_version == 0) return;
    if (!b->is_listed && n->stage != INSTANCE_OVER) {
        assign(i, index, NOBODY);
        instances_finish(i, index, INSTANCE_END_LOST);
    } else if (n->stage == INSTANCE_OVER || n->life.incarnation == 0 || !n->has_run) {
        if (!instances_same_life(n->life, b->owner)) assign(i, index, b->owner);
    } else if (instances_same_life(n->life, b->owner)) {
        n->is_recalled = false;
    } else if (n->is_recalled && is_awaited(i, n, index)) {
        return;
    } else if (!is_alive(i, n->life)) {
        crash(i, index, b->owner);
    } else if (b->owner.incarnation != 0) {
        hand_over(i, index, b->owner);
    }
    i->wants_step[index] = true;
}

/* --- the directory */

static void take_block(struct instances *i, const struct directory *d, const struct wire_directory_partition *p) {
    uint32_t index = instances_block(i, p->id);
    if (index == INSTANCES_NONE) return;
    struct instances_block *b = &i->blocks[index];
    struct instances_life owner = NOBODY;
    if (p->owner < d->worker_count && d->workers[p->owner].state != WIRE_WORKER_AWAY)
        owner = (struct instances_life){p->owner, d->workers[p->owner].incarnation};
    if (owner.incarnation == 0) owner = NOBODY;
    if (owner.incarnation != 0 && !(b->is_listed && instances_same_life(b->owner, owner)))
        i->slots[owner.slot].is_complete_due = true;
    b->is_listed = true;
    b->partition = *p;
    b->owner = owner;
}

/* forget_presence: a zone that is dead simulates nobody. */
static void forget_presence(struct instances *i, uint32_t slot) {
    while (i->slots[slot].present != INSTANCES_NONE) {
        uint32_t member = i->slots[slot].present;
        instances_present(i, member, WIRE_SLOT_NONE);
        instances_travel(i, member);
        i->wants_step[member / WIRE_INSTANCE_PLAYERS_MAX] = true;
    }
}

void instances_directory(struct instances *i, const struct directory *d, struct mono now) {
    i->now = now;
    i->directory_version = d->version;
    for (uint32_t slot = 0; slot < WIRE_WORKERS_MAX; slot++) {
        bool is_heard = slot < d->worker_count && d->workers[slot].state != WIRE_WORKER_AWAY;
        i->lives[slot] = (struct instances_life){slot, is_heard ? d->workers[slot].incarnation : 0};
        if (i->lives[slot].incarnation != i->slots[slot].incarnation) forget_presence(i, slot);
    }
    for (uint32_t b = 0; b < i->block_count; b++) {
        bool is_listed = false;
        for (uint32_t p = 0; p < d->partition_count; p++) is_listed |= d->partitions[p].id == i->blocks[b].id;
        if (is_listed) continue;
        i->blocks[b].is_listed = false;
        i->blocks[b].owner = NOBODY;
    }
    for (uint32_t p = 0; p < d->partition_count; p++)
        if (cells_is_block(d->partitions[p].id)) take_block(i, d, &d->partitions[p]);
    for (uint32_t k = 0; k < pool_count(&i->pool); k++) instances_check_owner(i, i->live[k]);
}

/* --- zones */

void instances_zone_up(struct instances *i, uint32_t slot, uint64_t incarnation, struct mono now) {
    CHECK(slot < WIRE_WORKERS_MAX);
    struct instances_slot *s = &i->slots[slot];
    i->now = now;
    if (s->incarnation != incarnation) forget_presence(i, slot);
    *s = (struct instances_slot){.is_up = true,
                                 .is_complete_due = true,
                                 .incarnation = incarnation,
                                 .connection = ++i->serial,
                                 .present = s->present,
                                 .busy = s->busy,
                                 .is_draining = s->is_draining};
    for (uint32_t k = 0; k < pool_count(&i->pool); k++)
        i->wants_order[i->live[k]] |= i->blocks[instances_at(i, i->live[k])->block].owner.slot == slot;
    if (i->message.slot == slot) i->message.slot = WIRE_SLOT_NONE;
}

void instances_zone_lost(struct instances *i, uint32_t slot) {
    CHECK(slot < WIRE_WORKERS_MAX);
    i->slots[slot].is_up = false;
    if (i->message.slot == slot) i->message.slot = WIRE_SLOT_NONE;
}

void instances_zone_load(struct instances *i, uint32_t slot, uint32_t busy, bool is_draining) {
    CHECK(slot < WIRE_WORKERS_MAX);
    i->slots[slot].busy = busy;
    i->slots[slot].is_draining = is_draining;
}

/* --- reports */

/* take_numbers takes how it goes; what it came to is not changed any more. */
static void take_numbers(struct instances *i, uint32_t index, const struct wire_instance_status *status) {
    struct instance *n = instances_at(i, index);
    if (status->wave != n->wave && n->template.checkpoints) instances_put_later(i, index, 0);
    n->wave = status->wave;
    n->creatures = status->creatures;
    n->players = status->players;
    n->slowed = status->slowed;
    n->lasted_ms = status->lasted_ms;
    n->goal = status->phase == WIRE_PHASE_OVER ? status->goal : 0;
    memcpy(n->scores, status->scores, sizeof n->scores);
}

/* run: its zone runs it. Nobody travels to it before that knows its newest members. */
static void run(struct instances *i, uint32_t index, bool is_newest) {
    struct instance *n = instances_at(i, index);
    bool is_first = !n->has_run, is_anew = n->stage != INSTANCE_RUNNING;
    if (!is_anew && n->is_reported == is_newest) return;
    for (uint32_t k = 0; k < n->member_count && is_anew; k++)
        i->places[index * WIRE_INSTANCE_PLAYERS_MAX + k].until_ns = mono_add_ms(i->now, INSTANCES_TRAVEL_MS).ns;
    i->stats.running += is_anew;
    n->stage = INSTANCE_RUNNING;
    n->is_reported = is_newest;
    n->has_run = true;
    if (is_anew) instances_put_later(i, index, INSTANCES_KEEP_MS);
    instances_travel_all(i, index);
    if (!is_first) return;
    instances_tell(i, INSTANCES_RUNNING, index, 0);
    STEP("matchmaker.instance_running");
}

/* take_stranger: it was over and nobody was in it, so it is to end there, too. Before a restart is over nothing is known. */
static void take_stranger(struct instances *i, uint32_t slot, const struct wire_instance_status *status) {
    struct instances_slot *s = &i->slots[slot];
    if (!keep_is_ready(i->config.keep) || status->phase == WIRE_PHASE_ENDED) return;
    if (s->stranger_count == INSTANCES_STRANGERS_MAX) return;
    s->strangers[s->stranger_count++] = (struct instances_stranger){status->id, status->version};
}

/* take_status takes what the owner of the block says. An order that is newer than what it knows is told again. */
static void take_status(struct instances *i, uint32_t slot, const struct wire_instance_status *status) {
    uint32_t index = instances_find(i, status->id);
    if (index == INSTANCES_NONE) {
        take_stranger(i, slot, status);
        return;
    }
    struct instance *n = instances_at(i, index);
    struct instances_life life = {slot, i->slots[slot].incarnation};
    if (!instances_same_life(i->blocks[n->block].owner, life) || n->stage == INSTANCE_LAUNCHING) return;
    n->reported_by = i->slots[slot].report;
    if (!instances_same_life(n->life, life)) {
        if (!n->is_recalled) return;
        assign(i, index, life);
        instances_put_later(i, index, INSTANCES_KEEP_MS);
    }
    bool is_over = n->stage == INSTANCE_OVER;
    i->wants_order[index] = status->version != n->version || (is_over && status->phase != WIRE_PHASE_ENDED) ||
                            n->told_over != i->slots[slot].connection;
    i->wants_step[index] = true;
    if (is_over) {
        n->has_ended |= status->phase == WIRE_PHASE_ENDED;
        n->players = status->players;
        return;
    }
    take_numbers(i, index, status);
    if (status->phase == WIRE_PHASE_RUNNING) run(i, index, status->version == n->version);
    if (status->phase == WIRE_PHASE_OVER) {
        instances_finish(i, index, INSTANCE_END_GOAL);
        STEP("matchmaker.instance_over");
    }
    if (status->phase == WIRE_PHASE_REFUSED) instances_finish(i, index, INSTANCE_END_REFUSED);
}

/* miss looks at those that the report of a block's owner does not show. */
static void miss(struct instances *i, uint32_t slot) {
    struct instances_life life = {slot, i->slots[slot].incarnation};
    for (uint32_t k = 0; k < pool_count(&i->pool); k++) {
        uint32_t index = i->live[k];
        struct instance *n = instances_at(i, index);
        if (n->reported_by == i->slots[slot].report || !instances_same_life(i->blocks[n->block].owner, life)) continue;
        i->wants_order[index] = !n->has_ended;
        if (!n->is_recalled) continue;
        n->recall_ns = i->now.ns;
        instances_check_owner(i, index);
    }
}

static void take_presence(struct instances *i, uint32_t slot, const struct wire_presence *presence) {
    uint32_t member = presence->player == 0 ? PLAYER_MAP_NONE : player_map_find(&i->member, presence->player);
    if (member == PLAYER_MAP_NONE) return;
    uint32_t index = member / WIRE_INSTANCE_PLAYERS_MAX;
    struct instance *n = instances_at(i, index);
    struct instance_member *m = &i->members[member];
    if (n->id != presence->instance) return;
    i->places[member].reported_by = i->slots[slot].report;
    instances_present(i, member, slot);
    if (n->stage != INSTANCE_OVER) {
        m->kills = presence->kills;
        m->deaths = presence->deaths;
        m->flags = presence->flags;
    }
    instances_travel(i, member);
    if (m->has_come || n->stage == INSTANCE_OVER) return;
    m->has_come = true;
    i->stats.arrived++;
    instances_put_later(i, index, INSTANCES_KEEP_MS);
    instances_tell(i, INSTANCES_CAME, index, presence->player);
}

/* miss_players: who was there and is not reported any more is not there. */
static void miss_players(struct instances *i, uint32_t slot) {
    uint32_t next;
    for (uint32_t member = i->slots[slot].present; member != INSTANCES_NONE; member = next) {
        next = i->places[member].next;
        if (i->places[member].reported_by == i->slots[slot].report) continue;
        instances_present(i, member, WIRE_SLOT_NONE);
        instances_travel(i, member);
        i->wants_step[member / WIRE_INSTANCE_PLAYERS_MAX] = true;
    }
}

void instances_report(struct instances *i, uint32_t slot, const struct wire_instance_report *report, struct mono now) {
    CHECK(slot < WIRE_WORKERS_MAX);
    i->now = now;
    struct instances_slot *s = &i->slots[slot];
    if (!s->is_up || !instances_same_life(i->lives[slot], (struct instances_life){slot, s->incarnation})) return;
    s->report = ++i->serial;
    s->stranger_count = 0;
    for (uint32_t k = 0; k < report->instance_count; k++) take_status(i, slot, &report->instances[k]);
    for (uint32_t k = 0; k < report->player_count; k++) take_presence(i, slot, &report->players[k]);
    miss_players(i, slot);
    miss(i, slot);
}
