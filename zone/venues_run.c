/* venues_run.c: what instances do: one look at who is there, then waves, goals and ends. */
#include "common/step.h"
#include "schemas/cells.h"
#include "zone/angle.h"
#include "zone/venues_inner.h"

#define BODY_RADIUS ROOM_BODY
#define SPOT_FREE   0xffff

/* --- places */

static int32_t within(int64_t position, int32_t min_m, int32_t max_m) {
    int64_t min = (int64_t)min_m * 65536 + BODY_RADIUS, max = (int64_t)max_m * 65536 - BODY_RADIUS;
    return (int32_t)(position < min ? min : position > max ? max : position);
}

/* Picks a place at a spot, or where that is NULL anywhere within the walls. */
static void pick_place(const struct venue *item, const struct wire_instance_spot *spot, struct rng *rng, int32_t *x,
                       int32_t *y) {
    const struct wire_rect *r = &item->rect;
    if (!spot) {
        *x = rng_between(rng, r->min_x * 65536 + BODY_RADIUS, r->max_x * 65536 - BODY_RADIUS);
        *y = rng_between(rng, r->min_y * 65536 + BODY_RADIUS, r->max_y * 65536 - BODY_RADIUS);
        return;
    }
    uint16_t angle = (uint16_t)rng_below(rng, 65536);
    int64_t far = rng_between(rng, 0, spot->radius_m * 256); /* 1/256 m */
    *x = within((int64_t)(r->min_x + spot->x_m) * 65536 + far * angle_cos(angle) / 64, r->min_x, r->max_x);
    *y = within((int64_t)(r->min_y + spot->y_m) * 65536 + far * angle_sin(angle) / 64, r->min_y, r->max_y);
}

/* Returns the n-th spot of a team, in turn; NULL when it has none. */
static const struct wire_instance_spot *spot_of(const struct venue *item, uint32_t team, uint32_t n) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < item->order.spot_count; i++) count += item->spots[i].team == team;
    if (count == 0) return NULL;
    uint32_t left = n % count;
    for (uint32_t i = 0;; i++) {
        if (item->spots[i].team == team && left-- == 0) return &item->spots[i];
    }
}

/* --- strays: whoever is in a block, or was on the way to one, without an instance that runs there */

/* is_lost tells whether an entity has been astray for too long. */
static bool is_lost(struct venues *in, uint64_t tick, uint16_t index) {
    const struct entities *e = in->config.entities;
    const struct territory *t = in->config.territory;
    const struct wire_directory_partition *p = directory_at(&t->directory, e->x[index], e->y[index]);
    struct stray *s = &in->strays[index];
    if (p && p->owner != t->slot && p->former == t->slot) return false; /* it is being handed over */
    bool is_known = s->since_tick != 0 && s->id == e->id[index] && tick < s->seen_tick + in->config.tick_hz;
    if (!is_known) *s = (struct stray){.id = e->id[index], .since_tick = tick};
    s->seen_tick = tick;
    if (!p || p->owner != t->slot) return tick >= s->since_tick + venues_ticks(in, VENUES_STUCK_MS);
    if (in->complete_tick == 0) return false;
    uint64_t since = s->since_tick > in->complete_tick ? s->since_tick : in->complete_tick;
    return tick >= since + venues_ticks(in, VENUES_STRAY_MS);
}

static void send_home(struct venues *in, uint16_t index) {
    game_go_home(in->config.game, index);
    in->strays[index].since_tick = 0;
    in->stats.homes++;
    STEP("zone.went_home");
}

/* --- the look */

/* What came to its end by itself is seen for a while, also when it is ordered to end meanwhile. */
static bool goes_home(const struct venues *in, const struct venue *item, uint64_t tick) {
    if (item->phase == WIRE_PHASE_OVER) return tick >= item->over_tick + venues_ticks(in, VENUES_OVER_MS);
    return item->order.state == WIRE_INSTANCE_END;
}

static void revive(struct venues *in, struct venue *item, uint16_t index, const struct game_guest *guest) {
    int32_t x, y;
    uint32_t team = guest->team > 0 ? guest->team - 1u : SPOT_FREE - 1u;
    pick_place(item, spot_of(item, team, rng_below(&item->rng, WIRE_INSTANCE_SPOTS_MAX)), &item->rng, &x, &y);
    game_revive(in->config.game, index, x, y);
}

static void look_at_member(struct venues *in, uint64_t tick, struct venue *item, uint16_t index,
                           const struct game_guest *guest) {
    in->strays[index].since_tick = 0;
    if (goes_home(in, item, tick)) {
        send_home(in, index);
        return;
    }
    bool may_rise = item->order.lives == 0 || guest->deaths < item->order.lives;
    game_fence(in->config.game, index, (uint16_t)(item->rect.max_x - item->rect.min_x));
    item->count.players++;
    item->count.teams_seen |= 1u << guest->team;
    if (guest->is_alive || may_rise) item->count.teams_in |= 1u << guest->team;
    bool is_due = tick >= guest->died_tick + venues_ticks(in, item->order.rise_ms);
    if (!guest->is_alive && may_rise && is_due && item->phase == WIRE_PHASE_RUNNING) revive(in, item, index, guest);
}

static bool is_in_block(const struct territory *t, int32_t x, int32_t y) {
    const struct grid_rect *w = &t->world;
    if (t->cells.per_block == 0 || (x >= w->x_min && x < w->x_max && y >= w->y_min && y < w->y_max)) return false;
    const struct wire_directory_partition *p = directory_at(&t->directory, x, y);
    return p && cells_is_block(p->id);
}

/* Returns the instance that a guest is part of here, NULL when it does not run here. */
static struct venue *host_of(const struct venues *in, uint32_t id) {
    struct venue *item = venues_find(in, id);
    bool runs = item && !item->is_left && (item->phase == WIRE_PHASE_RUNNING || item->phase == WIRE_PHASE_OVER);
    return runs ? item : NULL;
}

/* member_of returns what an instance has of a player, NULL where it does not list it. */
static struct venue_member *member_of(const struct venues *in, struct venue *item, uint16_t index) {
    uint64_t player = in->config.player_of(in->config.context, index);
    uint32_t i = 0;
    while (i < item->order.member_count && item->members[i].player != player) i++;
    return i < item->order.member_count ? &item->members[i] : NULL;
}

/* count has who left and came again go on with what was counted before: it has no more lives by that. What was before is
 * not known for as long as a former zone may have to tell it. */
static void count(const struct venues *in, uint64_t tick, const struct venue *item, struct venue_member *m, uint16_t index,
                  struct game_guest *guest) {
    if (!guest->is_recounted && !item->is_heard && venues_is_coming(in, item, tick)) return;
    game_recount(in->config.game, index, m->kills, m->deaths);
    *guest = game_guest(in->config.game, index);
    if (guest->kills > m->kills) m->kills = guest->kills;
    if (guest->deaths > m->deaths) m->deaths = guest->deaths;
}

static void look_at_player(struct venues *in, uint64_t tick, uint16_t index) {
    const struct entities *e = in->config.entities;
    struct game_guest guest = game_guest(in->config.game, index);
    if (guest.instance == 0 && !is_in_block(in->config.territory, e->x[index], e->y[index])) return;
    in->stats.players++;
    struct venue *item = host_of(in, guest.instance), *known = venues_find(in, guest.instance);
    struct venue_member *member = item ? member_of(in, item, index) : NULL;
    if (member) count(in, tick, item, member, index, &guest);
    if (item && (member || goes_home(in, item, tick))) {
        look_at_member(in, tick, item, index, &guest);
    } else if (known && known->phase == WIRE_PHASE_ENDED) {
        send_home(in, index);
    } else if (is_lost(in, tick, index)) {
        in->stats.strays++;
        send_home(in, index);
    }
}

static void look_at_creature(struct venues *in, uint64_t tick, uint16_t index) {
    struct game_guest guest = game_guest(in->config.game, index);
    in->world_creatures += guest.instance == 0;
    if (guest.instance == 0) return;
    struct venue *item = host_of(in, guest.instance);
    bool is_over = item && (item->phase != WIRE_PHASE_RUNNING || item->order.state == WIRE_INSTANCE_END);
    bool is_rotten = !guest.is_alive && tick >= guest.died_tick + venues_ticks(in, VENUES_CORPSE_MS);
    if (is_over || is_rotten || (!item && is_lost(in, tick, index))) {
        in->strays[index].since_tick = 0;
        game_dismiss(in->config.game, index);
        return;
    }
    if (!item || !guest.is_alive || guest.wave >= item->order.wave_count) return;
    game_fence(in->config.game, index, (uint16_t)(item->rect.max_x - item->rect.min_x));
    game_pace(in->config.game, index, (uint8_t)item->pace);
    in->stats.creatures++;
    item->count.creatures++;
    item->count.living[guest.wave]++;
    if (guest.wave < item->started) return;
    item->started = guest.wave + 1u; /* it began where the creature came from */
    item->spawned = item->waves[guest.wave].creatures;
    item->wave_tick = tick;
}

/* Backwards: whoever is removed is replaced in the list by the last one, which was looked at. */
static void look(struct venues *in, uint64_t tick) {
    const struct entities *e = in->config.entities;
    in->stats.players = in->stats.creatures = in->world_creatures = 0;
    for (uint32_t i = 0; i < in->count; i++)
        in->items[i].count = (struct instance_count){.teams_seen = in->items[i].count.teams_seen};
    for (uint32_t i = e->count; i-- > 0;) {
        uint16_t index = e->alive[i];
        if (!entities_is_own(e, index)) continue;
        if (e->kind[index] == GAME_KIND_PLAYER) {
            look_at_player(in, tick, index);
        } else {
            look_at_creature(in, tick, index);
        }
    }
}

/* --- waves */

static void spawn_some(struct venues *in, struct venue *item) {
    uint32_t n = item->started - 1;
    const struct wire_instance_wave *wave = &item->waves[n];
    for (; item->spawned < wave->creatures; item->spawned++) {
        struct rng rng = {item->order.seed ^ ((uint64_t)(n + 1) << 32 | item->spawned)}; /* the same in any zone */
        struct game_spawn spawn = {.instance = item->order.id,
                                   .wave = (uint8_t)n,
                                   .health_percent = wave->health_percent,
                                   .damage_percent = wave->damage_percent};
        pick_place(item, spot_of(item, SPOT_FREE, item->spawned), &rng, &spawn.x, &spawn.y);
        uint16_t index;
        if (game_spawn(in->config.game, &spawn, &index)) return; /* the rest comes when there is room */
        in->stats.spawned++;
        item->count.creatures++;
        item->count.living[n]++;
    }
}

static bool is_all_there(const struct venue *item) {
    return item->started == 0 || item->spawned >= item->waves[item->started - 1].creatures;
}

/* A wave is over when all of it was there and is dead, and all waves before it. */
static void end_waves(struct venue *item, uint64_t tick) {
    uint32_t before = item->wave;
    while (item->wave < item->started && item->count.living[item->wave] == 0 &&
           (item->wave + 1 < item->started || is_all_there(item)))
        item->wave++;
    if (item->wave > before && item->wave == item->started) item->dead_tick = tick;
}

static bool is_due(const struct venues *in, const struct venue *item, uint64_t tick) {
    const struct wire_instance_wave *next = &item->waves[item->started];
    if (!is_all_there(item) || (!next->overlaps && item->wave < item->started)) return false;
    uint64_t from = next->overlaps && item->started > 0 ? item->wave_tick : item->dead_tick;
    return tick >= from + venues_ticks(in, next->after_ms);
}

static void run_waves(struct venues *in, struct venue *item, uint64_t tick) {
    if (item->started > item->wave) spawn_some(in, item);
    while (item->started < item->order.wave_count && is_due(in, item, tick)) {
        item->started++;
        item->spawned = 0;
        item->wave_tick = tick;
        spawn_some(in, item);
    }
}

/* --- goals */

static bool has_kills(const struct venue *item) {
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) {
        if (item->order.kills > 0 && venues_score(item, i) >= item->order.kills) return true;
    }
    return false;
}

/* Who is in an instance is known where none is still at its former zone, however long that takes. */
#define GOALS_OF_PRESENCE (WIRE_GOAL_LAST_TEAM | WIRE_GOAL_LOST | WIRE_GOAL_EMPTY)

static bool is_whole(const struct venues *in, const struct venue *item) {
    const struct wire_directory_partition *block = venues_block(in, item->order.block);
    return block && block->former == WIRE_SLOT_NONE;
}

/* Returns which of its goals an instance has reached, 0: none. */
static uint32_t goal_of(const struct venues *in, const struct venue *item, uint64_t tick) {
    const struct instance_count *c = &item->count;
    bool is_one = (c->teams_in & (c->teams_in - 1)) == 0, were_two = (c->teams_seen & (c->teams_seen - 1)) != 0;
    const struct {
        uint32_t goal;
        bool is_reached;
    } goals[] = {
        {WIRE_GOAL_CLEARED, item->wave >= item->order.wave_count},
        {WIRE_GOAL_KILLS, has_kills(item)},
        {WIRE_GOAL_LAST_TEAM, is_one && were_two},
        {WIRE_GOAL_LOST, c->teams_seen != 0 && c->teams_in == 0},
        {WIRE_GOAL_EMPTY, c->players == 0 && tick >= item->seen_tick + venues_ticks(in, item->order.empty_ms)},
    };
    uint32_t asked = is_whole(in, item) ? item->order.goals : item->order.goals & ~(uint32_t)GOALS_OF_PRESENCE;
    for (unsigned i = 0; i < sizeof goals / sizeof *goals; i++) {
        if ((asked & goals[i].goal) && goals[i].is_reached) return goals[i].goal;
    }
    return 0;
}

/* It waits for what was scored before, which its former zone tells within a moment. */
static bool is_late(const struct venues *in, const struct venue *item, uint64_t tick) {
    bool is_complete = item->is_heard || !venues_is_coming(in, item, tick);
    return item->order.ends_at_ms != 0 && is_complete && tick * 1000 / in->config.tick_hz >= item->order.ends_at_ms;
}

static void run(struct venues *in, struct venue *item, uint64_t tick) {
    if (venues_is_coming(in, item, tick)) item->settle_tick = tick + venues_ticks(in, VENUES_SETTLE_MS);
    bool is_settled = tick >= item->settle_tick;
    if (item->count.players > 0 || !is_settled || !is_whole(in, item)) item->seen_tick = tick;
    if (is_settled) end_waves(item, tick);
    if (is_settled) run_waves(in, item, tick);
    item->goal = is_settled ? goal_of(in, item, tick) : 0;
    if (item->goal == 0 && !is_late(in, item, tick)) return;
    item->phase = WIRE_PHASE_OVER;
    item->over_tick = tick;
    item->reserved = 0;
    STEP("zone.instance_over");
}

/* step moves one on after a look; true: it is to be forgotten. */
static bool step(struct venues *in, struct venue *item, uint64_t tick) {
    if (item->is_left) return false;
    if (item->order.state == WIRE_INSTANCE_END) {
        if (item->phase == WIRE_PHASE_RUNNING) item->over_tick = tick;
        if (item->count.players == 0) item->phase = WIRE_PHASE_ENDED;
        item->reserved = 0;
    } else if (item->phase == WIRE_PHASE_RUNNING) {
        run(in, item, tick);
    }
    return item->phase == WIRE_PHASE_ENDED && tick >= item->heard_tick + venues_ticks(in, VENUES_ENDED_MS);
}

void venues_update(struct venues *in, uint64_t tick) {
    if (tick < in->look_tick) return;
    in->look_tick = tick + in->config.tick_hz / VENUES_LOOKS_PER_S;
    if (in->config.territory->cells.per_block == 0) return;
    look(in, tick);
    in->stats.running = in->stats.slowed = 0;
    for (uint32_t i = in->count; i-- > 0;) {
        if (step(in, &in->items[i], tick)) {
            venues_remove(in, i);
        } else {
            in->stats.running += in->items[i].phase == WIRE_PHASE_RUNNING;
            in->stats.slowed += in->items[i].phase == WIRE_PHASE_RUNNING && in->items[i].pace > 1;
        }
    }
}

/* note_counts counts what a guest did or suffered at once: it may leave before the next look. */
static void note_counts(const struct venues *in, uint64_t tick, struct venue *item, uint16_t index) {
    struct venue_member *m = member_of(in, item, index);
    struct game_guest guest = game_guest(in->config.game, index);
    if (m && guest.instance == item->order.id) count(in, tick, item, m, index, &guest);
}

/* Also where the block is another zone's by now: who is still here fights on. Returns NULL where nothing is counted. */
static struct venue *note(struct venues *in, uint64_t tick, uint16_t index) {
    struct venue *item = venues_find(in, game_guest(in->config.game, index).instance);
    if (!item || item->phase != WIRE_PHASE_RUNNING) return NULL;
    item->carry.serial++;
    in->has_news |= item->is_left;
    note_counts(in, tick, item, index);
    return item;
}

void venues_killed(struct venues *in, uint64_t tick, uint16_t killer, uint32_t team) {
    struct game_guest k = game_guest(in->config.game, killer);
    struct venue *item = note(in, tick, killer);
    if (item && k.team > 0 && k.team != team) item->scores.own[k.team - 1]++;
}

void venues_died(struct venues *in, uint64_t tick, uint16_t index, uint64_t by) {
    const struct entities *e = in->config.entities;
    struct game_guest dead = game_guest(in->config.game, index);
    uint16_t killer = entities_find(e, by);
    if (!note(in, tick, index) || killer == ENTITY_NONE || e->kind[killer] != GAME_KIND_PLAYER) return;
    bool is_here = entities_is_own(e, killer) && game_guest(in->config.game, killer).instance == dead.instance;
    if (is_here) venues_killed(in, tick, killer, dead.team);
}
