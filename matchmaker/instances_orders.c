/* instances_orders.c: what zones are told. */
#include <string.h>

#include "common/check.h"
#include "common/step.h"
#include "matchmaker/instances_inner.h"

#define Q16 65536

/* block_of returns the index of a block that a zone has; INSTANCES_NONE where it has none. */
static uint32_t block_of(const struct instances *i, uint32_t slot) {
    for (uint32_t b = 0; b < i->block_count; b++)
        if (instances_same_life(i->blocks[b].owner, (struct instances_life){slot, i->slots[slot].incarnation})) return b;
    return INSTANCES_NONE;
}

/* --- instances */

static bool has_room(const struct wire_instance_orders *o, const struct instance *n) {
    return o->instance_count < WIRE_INSTANCES_MAX && o->wave_count + n->template.wave_count <= WIRE_MATCH_ITEMS_MAX &&
           o->spot_count + n->template.spot_count <= WIRE_MATCH_ITEMS_MAX &&
           o->box_count + n->template.box_count <= WIRE_MATCH_ITEMS_MAX &&
           o->member_count + n->member_count <= WIRE_MATCH_ITEMS_MAX;
}

/* add_parts adds what an order that runs points to. */
static void add_parts(struct instances *i, uint32_t index, struct wire_instance_order *order) {
    const struct instance *n = instances_at(i, index);
    const struct template *t = &n->template;
    struct instances_message *m = &i->message;
    order->wave_count = t->wave_count;
    order->spot_count = t->spot_count;
    order->box_count = t->box_count;
    order->member_count = n->member_count;
    memcpy(m->waves + m->orders.wave_count, t->waves, t->wave_count * sizeof *t->waves);
    memcpy(m->spots + m->orders.spot_count, t->spots, t->spot_count * sizeof *t->spots);
    memcpy(m->boxes + m->orders.box_count, t->boxes, t->box_count * sizeof *t->boxes);
    for (uint32_t k = 0; k < n->member_count; k++) {
        const struct instance_member *member = &i->members[index * WIRE_INSTANCE_PLAYERS_MAX + k];
        m->members[m->orders.member_count + k] =
            (struct wire_instance_member){.player = member->player, .team = member->team};
    }
    m->orders.wave_count += t->wave_count;
    m->orders.spot_count += t->spot_count;
    m->orders.box_count += t->box_count;
    m->orders.member_count += n->member_count;
}

static void add_order(struct instances *i, uint32_t index) {
    const struct instance *n = instances_at(i, index);
    const struct template *t = &n->template;
    struct instances_message *m = &i->message;
    bool is_over = n->stage == INSTANCE_OVER;
    struct wire_instance_order order = {.seed = n->seed,
                                        .ends_at_ms = n->ends_at_ms,
                                        .id = n->id,
                                        .block = i->blocks[n->block].id,
                                        .cell = n->cell,
                                        .state = is_over ? WIRE_INSTANCE_END : WIRE_INSTANCE_RUN,
                                        .version = n->version,
                                        .side_m = t->side_m,
                                        .goals = t->goals,
                                        .kills = t->kills,
                                        .lives = t->lives,
                                        .rise_ms = t->rise_ms,
                                        .empty_ms = t->empty_s * 1000,
                                        .team_count = n->team_count,
                                        .run = n->restarts,
                                        .wave = n->first_wave,
                                        .first_wave = m->orders.wave_count,
                                        .first_spot = m->orders.spot_count,
                                        .first_box = m->orders.box_count,
                                        .first_member = m->orders.member_count};
    memcpy(order.scores, n->first_scores, sizeof order.scores);
    if (!is_over) add_parts(i, index, &order);
    m->indexes[m->orders.instance_count] = index;
    m->instances[m->orders.instance_count++] = order;
}

/* add_strangers ends what is not known; any block of the zone does to say so. */
static void add_strangers(struct instances *i, uint32_t slot) {
    const struct instances_slot *s = &i->slots[slot];
    struct instances_message *m = &i->message;
    uint32_t block = block_of(i, slot);
    for (uint32_t k = 0; k < s->stranger_count && block != INSTANCES_NONE; k++) {
        m->indexes[m->orders.instance_count] = INSTANCES_NONE;
        m->instances[m->orders.instance_count++] = (struct wire_instance_order){.id = s->strangers[k].id,
                                                                                .block = i->blocks[block].id,
                                                                                .state = WIRE_INSTANCE_END,
                                                                                .version = s->strangers[k].version + 1};
    }
}

/* fill_orders returns whether all that runs in the slot's blocks was told over this connection, or is in the message. */
static bool fill_orders(struct instances *i, uint32_t slot) {
    const struct instances_slot *s = &i->slots[slot];
    const struct instances_life life = {slot, s->incarnation};
    bool is_complete = true;
    for (uint32_t k = 0; k < pool_count(&i->pool); k++) {
        uint32_t index = i->live[k];
        if (!i->wants_order[index]) continue;
        const struct instance *n = instances_at(i, index);
        if (!instances_same_life(i->blocks[n->block].owner, life) || n->stage == INSTANCE_LAUNCHING) continue;
        if (n->stage == INSTANCE_OVER && !n->was_told) continue;
        bool is_told = n->told_over == s->connection;
        bool is_due = !is_told || n->told_version != n->version ||
                      mono_since_ns(i->now, n->told_at) >= INSTANCES_REPEAT_MS * NS_PER_MS;
        bool is_ready = instances_same_life(n->life, life) && instances_is_durable(i, n);
        if (is_due && is_ready && has_room(&i->message.orders, n)) {
            add_order(i, index);
        } else {
            is_complete &= is_told;
        }
    }
    return is_complete;
}

/* --- travels */

/* place_of spreads those of a team over its spots; in the middle of the walls where it has none. */
static void place_of(const struct instances *i, uint32_t member, struct wire_travel *travel) {
    const struct instance *n = instances_at(i, member / WIRE_INSTANCE_PLAYERS_MAX);
    const struct template *t = &n->template;
    uint32_t count = 0, spots[WIRE_INSTANCE_SPOTS_MAX];
    uint64_t random = (travel->player ^ n->seed) * 0x9e3779b97f4a7c15ULL;
    struct wire_instance_spot spot = {.x_m = (uint16_t)(t->side_m / 2), .y_m = (uint16_t)(t->side_m / 2)};
    for (uint32_t k = 0; k < t->spot_count; k++)
        if (t->spots[k].team == travel->team) spots[count++] = k;
    if (count > 0) spot = t->spots[spots[member % count]];
    int32_t reach = spot.radius_m * Q16, most = ((int32_t)t->side_m - 1) * Q16;
    int32_t x = spot.x_m * Q16 + (int32_t)((int64_t)(random >> 48) * 2 * reach / Q16) - reach;
    int32_t y = spot.y_m * Q16 + (int32_t)((int64_t)(random >> 32 & 0xffff) * 2 * reach / Q16) - reach;
    struct wire_rect cell = cells_rect(&i->config.cells, &i->blocks[n->block].partition, n->cell);
    travel->x = cell.min_x * Q16 + (x < Q16 ? Q16 : x > most ? most : x);
    travel->y = cell.min_y * Q16 + (y < Q16 ? Q16 : y > most ? most : y);
}

static void add_travel(struct instances *i, uint32_t member) {
    struct instances_message *m = &i->message;
    struct wire_travel *travel = &m->travels[m->orders.travel_count++];
    *travel = (struct wire_travel){.player = i->members[member].player,
                                   .instance = instances_at(i, member / WIRE_INSTANCE_PLAYERS_MAX)->id,
                                   .team = i->members[member].team};
    place_of(i, member, travel);
}

static bool is_on_turn(const struct instances *i, const struct instances_slot *s, uint32_t member) {
    return i->now.ns < i->places[member].until_ns || (s->turn + member) % INSTANCES_SLOW == 0;
}

static void end_turn(const struct instances *i, struct instances_slot *s) {
    s->cursor = 0;
    s->turn++;
    s->turn_at = mono_add_ms(i->now, INSTANCES_REPEAT_MS);
}

/* fill_travels adds all that travel when their turn is, and those that are new at any time. */
static void fill_travels(struct instances *i, uint32_t slot) {
    struct instances_slot *s = &i->slots[slot];
    struct instances_message *m = &i->message;
    m->is_turn = s->cursor > 0 || mono_reached(i->now, s->turn_at);
    m->cursor = 0;
    m->travel_serial = i->travel_serial;
    if (!m->is_turn && s->travel_serial == i->travel_serial) return;
    uint32_t k = m->is_turn ? s->cursor : 0;
    for (; k < i->travel_count && m->orders.travel_count < WIRE_MATCH_ITEMS_MAX; k++) {
        uint32_t member = i->travels[k];
        bool is_new = i->places[member].opened > s->travel_serial;
        if (is_new || (m->is_turn && is_on_turn(i, s, member))) add_travel(i, member);
    }
    if (k < i->travel_count) m->cursor = k;
    if (m->is_turn && m->orders.travel_count == 0) end_turn(i, s);
}

static void travels_sent(struct instances *i, struct instances_slot *s) {
    const struct instances_message *m = &i->message;
    if (m->is_turn) {
        s->cursor = m->cursor;
        if (m->cursor == 0 && m->orders.travel_count > 0) end_turn(i, s);
    } else if (m->cursor > 0) {
        s->turn_at = i->now; /* there are more new ones than go into a message */
    }
    if (m->cursor == 0) s->travel_serial = m->travel_serial;
}

/* --- messages */

bool instances_fill(struct instances *i, uint32_t slot, struct mono now, struct wire_instance_orders *orders) {
    CHECK(slot < WIRE_WORKERS_MAX);
    struct instances_slot *s = &i->slots[slot];
    struct instances_message *m = &i->message;
    i->now = now;
    m->slot = WIRE_SLOT_NONE;
    if (!s->is_up || !keep_is_ready(i->config.keep)) return false;
    m->orders = (struct wire_instance_orders){.instances = m->instances,
                                              .waves = m->waves,
                                              .spots = m->spots,
                                              .boxes = m->boxes,
                                              .members = m->members,
                                              .travels = m->travels};
    add_strangers(i, slot);
    m->orders.is_complete = fill_orders(i, slot) && block_of(i, slot) != INSTANCES_NONE;
    fill_travels(i, slot);
    bool is_worth = m->orders.instance_count > 0 || m->orders.travel_count > 0;
    if (!is_worth && !(m->orders.is_complete && s->is_complete_due)) return false;
    m->slot = slot;
    *orders = m->orders;
    return true;
}

void instances_sent(struct instances *i, uint32_t slot, struct mono now) {
    struct instances_slot *s = &i->slots[slot];
    struct instances_message *m = &i->message;
    CHECK(m->slot == slot);
    i->now = now;
    s->stranger_count = 0;
    for (uint32_t k = 0; k < m->orders.instance_count; k++) {
        if (m->indexes[k] == INSTANCES_NONE) continue;
        struct instance *n = instances_at(i, m->indexes[k]);
        n->told_over = s->connection;
        n->told_version = n->version;
        n->told_at = now;
        n->was_told = true;
    }
    if (m->orders.is_complete) s->is_complete_due = false;
    travels_sent(i, s);
    m->slot = WIRE_SLOT_NONE;
    if (m->orders.instance_count > 0) STEP("matchmaker.instance_ordered");
    if (m->orders.travel_count > 0) STEP("matchmaker.travel_told");
}
