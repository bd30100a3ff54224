/* sim_travel.c: players that go to another zone, come from there, lose their gateway, or get another session. */
#include <string.h>

#include "common/check.h"
#include "common/net_state.h"
#include "zone/sim_inner.h"

_Static_assert(INPUT_QUEUE_MAX == WIRE_CARRIED_INPUTS_MAX, "an input queue travels as it is");

static void stand_still(struct sim *sim, struct player *p) {
    input_init(&p->inputs, sim->tick);
    game_input(sim->game, p->index, (struct game_input){.aim = (uint16_t)(sim->entities->yaw[p->index] << 8)});
}

static void make_link_dead(struct sim *sim, struct player *p) {
    *sim_slot_entry(sim, p->gateway, p->session) = SLOT_NONE;
    p->gateway = SIM_NO_GATEWAY;
    stand_still(sim, p);
}

void sim_cut(struct sim *sim, uint32_t gateway, uint64_t session) {
    CHECK(gateway < sim->config.gateways_max);
    if (sim->recorder) recorder_cut(sim->recorder, gateway, session);
    uint32_t slot = sim_slot(sim, gateway, session);
    if (slot != SIM_SLOT_NONE) make_link_dead(sim, &sim->players[slot]);
}

void sim_orphan(struct sim *sim, uint32_t gateway) {
    CHECK(gateway < sim->config.gateways_max);
    if (sim->recorder) recorder_orphan(sim->recorder, gateway);
    for (uint32_t i = 0; i < sim->active_count; i++) {
        struct player *p = &sim->players[sim->active[i]];
        if (p->gateway == gateway) make_link_dead(sim, p);
    }
    output_clear(sim->outputs[gateway]);
}

void sim_remove(struct sim *sim, uint32_t slot, bool is_told) {
    CHECK(sim_is_seated(sim, slot));
    if (sim->recorder) recorder_remove(sim->recorder, slot);
    struct sim_watcher watcher = sim->watcher;
    if (!is_told) sim->watcher.left = NULL;
    sim_remove_player(sim, &sim->players[slot]);
    sim->watcher = watcher;
}

/* Takes the index of a session from whoever has it. */
static bool clear_entry(struct sim *sim, uint32_t gateway, uint64_t session) {
    const uint16_t *entry = sim_slot_entry(sim, gateway, session);
    if (!entry) return false;
    if (*entry != SLOT_NONE) sim_remove_player(sim, &sim->players[*entry]);
    return true;
}

bool sim_rebind(struct sim *sim, uint32_t slot, uint32_t gateway, uint64_t session, uint32_t attachment) {
    CHECK(slot < sim->config.players_max && gateway < sim->config.gateways_max);
    if (sim->recorder) recorder_rebind(sim->recorder, slot, gateway, session, attachment);
    struct player *p = &sim->players[slot];
    if (p->gateway != SIM_NO_GATEWAY) *sim_slot_entry(sim, p->gateway, p->session) = SLOT_NONE;
    p->gateway = SIM_NO_GATEWAY;
    if (!clear_entry(sim, gateway, session)) return false;
    *sim_slot_entry(sim, gateway, session) = (uint16_t)slot;
    p->session = session;
    p->gateway = (uint8_t)gateway;
    p->attachment = attachment;
    p->is_urgent = true;
    input_init(&p->inputs, sim->tick);
    view_reset(sim->views, slot, (uint8_t)attachment);
    output_attached(sim->outputs[gateway], session, sim->entities->id[p->index], WIRE_ATTACHED);
    sim_welcome(sim, p);
    return true;
}

void sim_hurry(struct sim *sim, uint32_t slot) {
    CHECK(slot < sim->config.players_max);
    sim->players[slot].is_urgent = true;
}

/* --- from zone to zone */

static void write_inputs(const struct input_queue *q, struct wire_carried *c) {
    c->arrived_tick = q->arrived_tick;
    c->applied_tick = q->applied_tick;
    c->newest_seq = q->newest_seq;
    c->applied_seq = q->applied_seq;
    c->aim = q->aim;
    c->interval_q8 = q->interval_q8;
    c->input_count = q->count;
    c->input_flags = (uint8_t)((q->any ? WIRE_CARRIED_ANY : 0) | (q->idle ? WIRE_CARRIED_IDLE : 0));
    memcpy(c->commands, q->commands, q->count * sizeof c->commands[0]);
    memcpy(c->seqs, q->seqs, q->count * sizeof c->seqs[0]);
}

static void read_inputs(struct input_queue *q, const struct wire_carried *c) {
    *q = (struct input_queue){.count = c->input_count,
                              .any = (c->input_flags & WIRE_CARRIED_ANY) != 0,
                              .idle = (c->input_flags & WIRE_CARRIED_IDLE) != 0,
                              .newest_seq = c->newest_seq,
                              .applied_seq = c->applied_seq,
                              .aim = c->aim,
                              .interval_q8 = c->interval_q8,
                              .arrived_tick = c->arrived_tick,
                              .applied_tick = c->applied_tick};
    memcpy(q->commands, c->commands, c->input_count * sizeof q->commands[0]);
    memcpy(q->seqs, c->seqs, c->input_count * sizeof q->seqs[0]);
}

void sim_export(struct sim *sim, uint32_t slot, uint32_t target, struct wire_carried *out) {
    CHECK(slot < sim->config.players_max && target < WIRE_WORKERS_MAX);
    if (sim->recorder) recorder_depart(sim->recorder, slot, target);
    struct player *p = &sim->players[slot];
    const struct entities *e = sim->entities;
    uint16_t n = p->index;
    *out = (struct wire_carried){.session = p->session,
                                 .player = p->id,
                                 .entity = e->id[n],
                                 .tick = sim->tick,
                                 .speech_tick = p->speech_tick,
                                 .x = e->x[n],
                                 .y = e->y[n],
                                 .attachment = p->attachment,
                                 .target = target,
                                 .source = (uint16_t)sim->config.zone_index,
                                 .view_radius = p->view_radius,
                                 .vx = e->vx[n],
                                 .vy = e->vy[n],
                                 .kind = e->kind[n],
                                 .yaw = e->yaw[n],
                                 .health = e->health[n],
                                 .action = e->action[n]};
    write_inputs(&p->inputs, out);
    game_carry(sim->game, n, out->rules);
    sim_unseat(sim, p);
    ghosts_leave(sim->ghosts, n, target, sim->tick);
    sim->stats.outcomes_lost += departures_leave(&sim->departures, out->entity, target);
    sim->stats.exported++;
}

/* Finds the entity that a player comes as: its ghost's, or a new one. */
static int take_body(struct sim *sim, const struct wire_carried *c, uint16_t *index) {
    struct entities *e = sim->entities;
    *index = entities_find(e, c->entity);
    if (*index != ENTITY_NONE && (entities_is_own(e, *index) || e->kind[*index] != c->kind)) return MARCH_ERR_INVALID;
    if (*index == ENTITY_NONE) return entities_spawn_as(e, c->entity, ENTITY_OWN, c->kind, c->x, c->y, index);
    ghosts_own(sim->ghosts, *index);
    return 0;
}

/* What was true at another tick is brought to ours, so that the next one goes on from there. */
static void place_body(struct sim *sim, const struct wire_carried *c, uint16_t n) {
    struct entities *e = sim->entities;
    e->x[n] = c->x;
    e->y[n] = c->y;
    e->vx[n] = c->vx;
    e->vy[n] = c->vy;
    e->yaw[n] = c->yaw;
    e->health[n] = c->health;
    e->action[n] = c->action;
}

int sim_import(struct sim *sim, uint32_t gateway, const struct wire_carried *c, uint32_t *slot) {
    if (sim->recorder) recorder_arrive(sim->recorder, gateway, c);
    bool has_gateway = gateway != SIM_GATEWAY_NONE;
    if (c->kind != GAME_KIND_PLAYER || c->entity == 0 || !territory_is_world(&sim->territory, c->x, c->y) ||
        (has_gateway && !clear_entry(sim, gateway, c->session)))
        return MARCH_ERR_INVALID;
    if (sim->active_count == sim->config.players_max) return MARCH_ERR_FULL;
    uint32_t most = sim->config.view_radius_m * NET_POSITION_PER_M;
    struct player player = {.session = c->session,
                            .id = c->player,
                            .speech_tick = c->speech_tick,
                            .view_radius = c->view_radius < NET_POSITION_PER_M ? NET_POSITION_PER_M
                                           : c->view_radius > most             ? most
                                                                               : c->view_radius,
                            .attachment = c->attachment,
                            .came_from = c->source,
                            .arrived_tick = sim->tick,
                            .gateway = has_gateway ? (uint8_t)gateway : SIM_NO_GATEWAY,
                            .is_urgent = true};
    read_inputs(&player.inputs, c);
    int error = take_body(sim, c, &player.index);
    if (error) return error;
    place_body(sim, c, player.index);
    error = game_arrive(sim->game, player.index, c->rules);
    CHECK(error == 0); /* only creatures may lack room */
    *slot = sim_seat(sim, &player);
    if (!has_gateway) stand_still(sim, &sim->players[*slot]);
    sim_give_back(sim, player.index);
    sim->stats.imported++;
    return 0;
}

void sim_vanish(struct sim *sim, uint64_t entity) {
    if (sim->recorder) recorder_vanish(sim->recorder, entity);
    const struct wire_outcome *waited;
    sim->stats.outcomes_lost += departures_end(&sim->departures, entity, false, &waited);
    uint16_t index = entities_find(sim->entities, entity);
    if (index != ENTITY_NONE && !entities_is_own(sim->entities, index)) ghosts_vanish(sim->ghosts, index);
}
