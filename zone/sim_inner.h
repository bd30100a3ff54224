/* sim_inner.h: inside of the simulation: its state, and what sim.c, sim_instances.c, sim_peers.c and sim_travel.c lend each
 * other. Nothing
 * outside these files includes it.
 */
#ifndef MARCH_ZONE_SIM_INNER_H
#define MARCH_ZONE_SIM_INNER_H

#include "zone/departures.h"
#include "zone/input.h"
#include "zone/sim.h"

#define SLOT_NONE 0xffff

/* One player. What the inputs phase reads stands first. */
struct player {
    uint64_t session;
    uint64_t id;
    struct input_queue inputs;
    uint64_t speech_tick; /* until when what it said uses up its share */
    uint32_t view_radius; /* 1/64 m, as the client asked */
    uint32_t attachment;  /* of its session: names the view's stream */
    uint16_t index;       /* of its entity */
    uint8_t gateway;      /* SIM_NO_GATEWAY: link-dead */
    uint16_t came_from;   /* slot of the zone that it came from, at arrived_tick; what was said there then it has heard */
    uint64_t arrived_tick;
    bool is_urgent; /* the next tick builds a snapshot for it, whoever's turn it is */
};

/* What neighbours are to be told of a tick, beside ghosts. */
struct peer_news {
    struct wire_hit hits[SIM_PEER_ITEMS_MAX];
    struct wire_outcome outcomes[SIM_PEER_ITEMS_MAX];
    struct wire_speech speeches[SIM_PEER_ITEMS_MAX];
    uint8_t blob[WIRE_PEER_BLOB_MAX];
    uint8_t hit_slots[SIM_PEER_ITEMS_MAX], outcome_slots[SIM_PEER_ITEMS_MAX];
    uint32_t hit_count, outcome_count, speech_count, blob_len;
    uint32_t outcomes_told;                       /* of outcomes: those that are on their way */
    struct wire_hit hits_for[SIM_PEER_ITEMS_MAX]; /* one neighbour's, in turn */
    struct wire_outcome outcomes_for[SIM_PEER_ITEMS_MAX];
};

/* Players by slot; `slot_of` finds the slot of a session by the index in its low half. */
struct sim {
    struct sim_config config;
    struct sim_load load;
    uint64_t tick, last_tick;
    uint32_t step; /* ticks that this tick covers */

    struct territory territory;
    struct {
        uint32_t id;
        uint64_t respawn;
    } settled[WIRE_PARTITIONS_MAX]; /* partitions whose loss of creatures was made good */
    uint32_t settled_count;

    struct entities *entities;
    struct grid *grid;
    struct game *game;
    struct ghosts *ghosts;
    struct migration *migration;
    struct departures departures;
    struct venues *instances;
    struct views *views;
    struct view_entity *published;

    struct player *players;
    uint16_t *active; /* slots in use, the first active_count */
    uint16_t *active_at;
    uint16_t *free_slots; /* the first players_max - active_count */
    uint32_t active_count;
    uint16_t *slot_of_entity;
    uint16_t *slot_of[SIM_GATEWAYS_MAX];

    struct output *outputs[SIM_GATEWAYS_MAX];
    bool connected[SIM_GATEWAYS_MAX];
    struct wire_builder *builder;
    struct recorder *recorder;
    struct sim_watcher watcher;
    struct sim_stats stats;
    struct peer_news news;

    uint16_t *travellers; /* slots by player, open addressing: while orders are taken */
    uint32_t travellers_mask;
    struct wire_instance_status *statuses; /* of the newest report */
    struct wire_presence *presences;
    struct venues_pace *paces; /* of the newest judgement */
    struct game_meter meter;   /* now_ns NULL: there is no clock */
};

/* sim_slot_entry returns where the slot of a session stands, by the index in its low half; NULL for an index that none has.
 */
uint16_t *sim_slot_entry(struct sim *sim, uint32_t gateway, uint64_t session);

static inline uint32_t sim_slot_of(const struct sim *sim, const struct player *p) {
    return (uint32_t)(p - sim->players);
}

/* sim_seat gives an entity a player's slot, SLOT_NONE when all are taken; sim_unseat frees it, and leaves the entity. */
uint16_t sim_seat(struct sim *sim, const struct player *player);
void sim_unseat(struct sim *sim, struct player *p);

/* sim_remove_player lets a player leave the world; its watcher is told. */
void sim_remove_player(struct sim *sim, struct player *p);

/* sim_hear lets every player in earshot of a place in a zone hear, but for those who have just come from that zone. */
void sim_hear(struct sim *sim, uint32_t zone, int32_t x, int32_t y, const struct wire_heard *heard);

/* sim_welcome tells a player who it is, and what it has become. */
void sim_welcome(struct sim *sim, const struct player *p);

bool sim_instances_create(struct sim *sim);
void sim_instances_destroy(struct sim *sim);

/* sim_give_back gives a player that has come what it gained on its way. */
void sim_give_back(struct sim *sim, uint16_t index);

/* sim_note_hits and sim_note_outcomes keep what a tick has for neighbours; before the game's events are cleared. Outcomes of
 * who has come here meanwhile are given out, before events are told. */
void sim_note_hits(struct sim *sim);
void sim_note_outcomes(struct sim *sim);

#endif
