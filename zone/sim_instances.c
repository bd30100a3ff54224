/* sim_instances.c: what the matchmaker orders of a zone's instances, players that travel there, and what it is told. */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/step.h"
#include "schemas/cells.h"
#include "zone/sim_inner.h"

_Static_assert(WIRE_MATCH_OVERHEAD_MAX + WIRE_INSTANCES_MAX * sizeof(struct wire_instance_status) +
                       SIM_PRESENCES_MAX * sizeof(struct wire_presence) <=
                   WIRE_BUS_BYTES_MAX,
               "a report fits in a message");

static uint64_t player_of(void *context, uint16_t index) {
    const struct sim *sim = context;
    uint16_t slot = sim->slot_of_entity[index];
    return slot != SLOT_NONE ? sim->players[slot].id : 0;
}

bool sim_instances_create(struct sim *sim) {
    struct venues_config config = {.entities = sim->entities,
                                   .game = sim->game,
                                   .territory = &sim->territory,
                                   .tick_hz = sim->config.tick_hz,
                                   .players_max = sim->config.players_max,
                                   .player_of = player_of,
                                   .context = sim};
    sim->instances = venues_create(&config);
    uint32_t size = 4;
    while (size < 2 * sim->config.players_max) size *= 2;
    sim->travellers_mask = size - 1;
    sim->travellers = calloc(size, sizeof *sim->travellers);
    sim->statuses = calloc(WIRE_INSTANCES_MAX, sizeof *sim->statuses);
    sim->presences = calloc(sim->config.players_max, sizeof *sim->presences);
    sim->paces = calloc(WIRE_INSTANCES_MAX, sizeof *sim->paces);
    return sim->instances && sim->travellers && sim->statuses && sim->presences && sim->paces;
}

void sim_instances_destroy(struct sim *sim) {
    venues_destroy(sim->instances);
    free(sim->travellers);
    free(sim->statuses);
    free(sim->presences);
    free(sim->paces);
}

/* --- travels */

static uint16_t *traveller_entry(const struct sim *sim, uint64_t player) {
    uint64_t at = player * 0x9fb21c651e98df25ULL >> 32;
    for (;; at++) {
        uint16_t *entry = &sim->travellers[at & sim->travellers_mask];
        if (*entry == SLOT_NONE || sim->players[*entry].id == player) return entry;
    }
}

/* Makes the slots of players be found by id, for as long as none comes or goes. */
static void index_players(struct sim *sim) {
    memset(sim->travellers, 0xff, (sim->travellers_mask + 1) * sizeof *sim->travellers);
    for (uint32_t i = 0; i < sim->active_count; i++) *traveller_entry(sim, sim->players[sim->active[i]].id) = sim->active[i];
}

/* is_somewhere tells whether a place is in a cell, as far as is known here, that somebody has. */
static bool is_somewhere(const struct sim *sim, int32_t x, int32_t y) {
    const struct territory *t = &sim->territory;
    const struct wire_directory_partition *p = directory_at(&t->directory, x, y);
    uint32_t cell;
    return p && cells_is_block(p->id) && p->owner != WIRE_SLOT_NONE && cells_at(&t->cells, p, x, y, &cell);
}

/* Who is frozen is in no slot: it travels from where it goes. */
static void travel(struct sim *sim, const struct wire_travel *travel) {
    uint16_t slot = *traveller_entry(sim, travel->player);
    if (slot == SLOT_NONE || travel->instance == 0 || !is_somewhere(sim, travel->x, travel->y)) return;
    struct player *p = &sim->players[slot];
    if (game_guest(sim->game, p->index).instance != 0) return;
    game_travel(sim->game, p->index, travel->instance, travel->team, travel->x, travel->y);
    p->is_urgent = true;
    sim->stats.travels++;
    STEP("zone.travelled");
}

void sim_instance_orders(struct sim *sim, const struct wire_instance_orders *orders) {
    if (sim->recorder) recorder_orders(sim->recorder, orders);
    venues_take(sim->instances, sim->tick, orders);
    if (orders->travel_count > 0) index_players(sim);
    for (uint32_t i = 0; i < orders->travel_count; i++) travel(sim, &orders->travels[i]);
}

void sim_instances_renew(struct sim *sim) {
    if (sim->recorder) recorder_orders_renewed(sim->recorder);
    venues_renew(sim->instances);
}

/* --- how long creatures think */

static void spent(void *context, uint32_t instance, uint64_t ns) {
    venues_spent(context, instance, ns);
}

void sim_set_clock(struct sim *sim, uint64_t (*now_ns)(void)) {
    sim->meter = (struct game_meter){.now_ns = now_ns, .spent = spent, .context = sim->instances};
}

bool sim_instance_pace(struct sim *sim, uint32_t id, uint32_t pace) {
    if (!venues_pace(sim->instances, id, pace)) return false;
    if (sim->recorder) recorder_pace(sim->recorder, id, pace);
    return true;
}

void sim_instances_judge(struct sim *sim, uint32_t tick_us) {
    uint32_t count = venues_judge(sim->instances, tick_us, sim->paces);
    for (uint32_t i = 0; i < count; i++) CHECK(sim_instance_pace(sim, sim->paces[i].id, sim->paces[i].pace));
}

/* --- the report */

static struct wire_presence presence_of(const struct sim *sim, const struct player *p, const struct game_guest *guest) {
    bool is_out = !guest->is_alive && venues_is_out(sim->instances, guest);
    return (struct wire_presence){
        .player = p->id,
        .instance = guest->instance,
        .kills = guest->kills,
        .deaths = guest->deaths,
        .flags = (uint16_t)((guest->is_alive ? 0 : WIRE_PRESENCE_DEAD) | (is_out ? WIRE_PRESENCE_OUT : 0)),
        .team = guest->team > 0 ? (uint16_t)(guest->team - 1) : 0};
}

void sim_instance_report(struct sim *sim, struct wire_instance_report *report) {
    *report = (struct wire_instance_report){.instances = sim->statuses, .players = sim->presences};
    report->instance_count = venues_report(sim->instances, sim->tick, sim->statuses);
    for (uint32_t i = 0; i < sim->active_count && report->player_count < SIM_PRESENCES_MAX; i++) {
        const struct player *p = &sim->players[sim->active[i]];
        struct game_guest guest = game_guest(sim->game, p->index);
        if (guest.instance != 0) sim->presences[report->player_count++] = presence_of(sim, p, &guest);
    }
}

uint32_t sim_instances_in_flight(const struct sim *sim, uint32_t block) {
    return venues_in_flight(sim->instances, sim->tick, block);
}

bool sim_instances_keep(const struct sim *sim, uint16_t index) {
    return venues_keeps(sim->instances, sim->tick, game_guest(sim->game, index).instance);
}

const struct venues_stats *sim_instances_stats(const struct sim *sim) {
    return venues_stats(sim->instances);
}
