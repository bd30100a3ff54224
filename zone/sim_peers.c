/* sim_peers.c: what zones that are neighbours do to each other's simulations. */
#include <string.h>

#include "common/check.h"
#include "common/utf8.h"
#include "zone/sim_inner.h"

static void note_hit(struct sim *sim, uint32_t slot, const struct wire_hit *hit) {
    struct peer_news *news = &sim->news;
    if (news->hit_count == SIM_PEER_ITEMS_MAX) {
        sim->stats.hits_lost++;
        return;
    }
    news->hit_slots[news->hit_count] = (uint8_t)slot;
    news->hits[news->hit_count++] = *hit;
}

/* A hit is done where its target is simulated. One that was handed over meanwhile is passed on to where it is now. */
static void take_hit(struct sim *sim, uint32_t slot, const struct wire_hit *hit) {
    const struct entities *e = sim->entities;
    uint16_t index = entities_find(e, hit->target);
    if (index != ENTITY_NONE && entities_is_own(e, index)) {
        sim->stats.hits_taken++;
        game_struck(sim->game, index,
                    (struct game_striker){.id = hit->attacker, .player = hit->attacker_player, .zone = slot}, hit->damage);
    } else if (index != ENTITY_NONE && hit->hops < SIM_HIT_HOPS_MAX) {
        struct wire_hit further = *hit;
        further.hops++;
        sim->stats.hits_passed_on++;
        note_hit(sim, e->ghost_of[index], &further);
    } else {
        sim->stats.hits_lost++;
    }
}

static void note_outcome(struct sim *sim, uint32_t slot, const struct wire_outcome *outcome) {
    struct peer_news *news = &sim->news;
    if (news->outcome_count == SIM_PEER_ITEMS_MAX) {
        sim->stats.outcomes_lost++;
        return;
    }
    news->outcome_slots[news->outcome_count] = (uint8_t)slot;
    news->outcomes[news->outcome_count++] = *outcome;
}

static void pass_on(struct sim *sim, uint32_t slot, const struct wire_outcome *outcome) {
    if (outcome->hops >= SIM_HIT_HOPS_MAX) {
        sim->stats.outcomes_lost++;
        return;
    }
    struct wire_outcome further = *outcome;
    further.hops++;
    sim->stats.outcomes_passed_on++;
    note_outcome(sim, slot, &further);
}

static void give(struct sim *sim, uint16_t index, const struct wire_outcome *outcome) {
    sim->stats.outcomes_taken++;
    if (outcome->experience > 0) game_gain(sim->game, index, outcome->experience);
    struct game_guest killer = game_guest(sim->game, index);
    if (!outcome->killed || outcome->instance == 0 || killer.instance != outcome->instance) return;
    game_killed(sim->game, index);
    venues_killed(sim->instances, sim->tick, index, outcome->team);
}

static void keep(struct sim *sim, const struct wire_outcome *outcome) {
    bool is_kept = departures_keep(&sim->departures, outcome);
    sim->stats.outcomes_kept += is_kept;
    sim->stats.outcomes_lost += !is_kept;
}

/* An outcome is for whichever zone has its attacker: it is given out here, or waits where the attacker is on its way. Else
 * `slot` is where the attacker is as far as is known here, WIRE_SLOT_NONE: nowhere. */
static bool settle(struct sim *sim, const struct wire_outcome *outcome, uint32_t *slot) {
    const struct entities *e = sim->entities;
    uint16_t index = entities_find(e, outcome->attacker);
    if (index != ENTITY_NONE && entities_is_own(e, index)) {
        bool is_player = sim->slot_of_entity[index] != SLOT_NONE;
        if (is_player) give(sim, index, outcome);
        sim->stats.outcomes_lost += !is_player;
        return true;
    }
    const struct departure *departure = departures_find(&sim->departures, outcome->attacker);
    if (departure && departure->is_on_its_way) {
        keep(sim, outcome);
        return true;
    }
    *slot = index != ENTITY_NONE ? e->ghost_of[index] : departure ? departure->target : WIRE_SLOT_NONE;
    return false;
}

static void take_outcome(struct sim *sim, const struct wire_outcome *outcome) {
    uint32_t slot;
    if (settle(sim, outcome, &slot)) return;
    if (slot != WIRE_SLOT_NONE) {
        pass_on(sim, slot, outcome);
    } else {
        sim->stats.outcomes_lost++;
    }
}

void sim_give_back(struct sim *sim, uint16_t index) {
    const struct wire_outcome *waited;
    uint32_t count = departures_end(&sim->departures, sim->entities->id[index], false, &waited);
    for (uint32_t i = 0; i < count; i++) give(sim, index, &waited[i]);
}

void sim_gone(struct sim *sim, uint64_t entity) {
    if (sim->recorder) recorder_gone(sim->recorder, entity);
    const struct departure *departure = departures_find(&sim->departures, entity);
    if (!departure) return;
    const struct wire_outcome *waited;
    uint32_t count = departures_end(&sim->departures, entity, true, &waited);
    for (uint32_t i = 0; i < count; i++) pass_on(sim, departure->target, &waited[i]);
}

static void take_speech(struct sim *sim, uint32_t slot, const struct wire_speech *speech, const uint8_t *blob) {
    struct wire_heard heard = {.entity = speech->speaker, .player = speech->player};
    const char *text = (const char *)blob + speech->offset;
    if (!utf8_text_valid(text, speech->len, WIRE_TEXT_MAX)) return;
    memcpy(heard.text, text, speech->len);
    sim_hear(sim, slot, speech->x, speech->y, &heard);
}

void sim_peer_take(struct sim *sim, uint32_t slot, const struct wire_peer_batch *b) {
    CHECK(slot < WIRE_WORKERS_MAX && slot != sim->config.zone_index);
    if (sim->recorder) recorder_peer(sim->recorder, slot, b);
    if (b->reset) ghosts_reset(sim->ghosts, slot, sim->tick);
    if (b->reset) migration_again(sim->migration, slot); /* what it has answered is not told again: answers come below */
    ghosts_take(sim->ghosts, slot, b->tick, sim->tick, b->ghosts, b->ghost_count);
    ghosts_take_gone(sim->ghosts, slot, sim->tick, b->gone, b->gone_count);
    for (uint32_t i = 0; i < b->hit_count; i++) take_hit(sim, slot, &b->hits[i]);
    for (uint32_t i = 0; i < b->outcome_count; i++) take_outcome(sim, &b->outcomes[i]);
    migration_take(sim->migration, slot, sim->tick, b->creatures, b->creature_count);
    migration_take_answers(sim->migration, slot, sim->tick, b->taken, b->taken_count);
    venues_peer_take(sim->instances, slot, sim->tick, b);
    for (uint32_t i = 0; i < b->speech_count; i++) take_speech(sim, slot, &b->speeches[i], b->blob);
}

void sim_peer_up(struct sim *sim, uint32_t slot, bool is_same) {
    CHECK(slot < WIRE_WORKERS_MAX && slot != sim->config.zone_index);
    if (sim->recorder) recorder_peer_up(sim->recorder, slot, is_same);
    if (!is_same) migration_lose(sim->migration, slot, sim->tick);
    migration_open(sim->migration, slot, sim->tick);
}

void sim_peer_lost(struct sim *sim, uint32_t slot) {
    CHECK(slot < WIRE_WORKERS_MAX);
    if (sim->recorder) recorder_peer_lost(sim->recorder, slot);
    ghosts_reset(sim->ghosts, slot, sim->tick);
    migration_close(sim->migration, slot);
}

void sim_peer_dead(struct sim *sim, uint32_t slot) {
    CHECK(slot < WIRE_WORKERS_MAX && slot != sim->config.zone_index);
    if (sim->recorder) recorder_peer_dead(sim->recorder, slot);
    migration_lose(sim->migration, slot, sim->tick);
}

/* Players' hits and what others gained go to whichever zones have those they concern. */
void sim_note_hits(struct sim *sim) {
    const struct entities *e = sim->entities;
    uint32_t count;
    const struct game_hit *hits = game_hits(sim->game, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t slot = sim->slot_of_entity[hits[i].attacker];
        struct wire_hit hit = {.target = e->id[hits[i].target],
                               .attacker = e->id[hits[i].attacker],
                               .attacker_player = slot != SLOT_NONE ? sim->players[slot].id : 0,
                               .damage = hits[i].damage};
        sim->stats.hits_sent++;
        note_hit(sim, e->ghost_of[hits[i].target], &hit);
    }
}

/* Who has no ghost here is looked for at the zone that told of its hit. */
void sim_note_outcomes(struct sim *sim) {
    uint32_t count, slot;
    const struct game_outcome *outcomes = game_outcomes(sim->game, &count);
    sim->stats.outcomes_lost += game_outcomes_lost(sim->game);
    for (uint32_t i = 0; i < count; i++) {
        struct wire_outcome outcome = {.attacker = outcomes[i].attacker,
                                       .target = outcomes[i].target,
                                       .experience = outcomes[i].experience,
                                       .killed = outcomes[i].killed,
                                       .instance = outcomes[i].instance,
                                       .team = outcomes[i].team};
        if (settle(sim, &outcome, &slot)) continue;
        note_outcome(sim, slot != WIRE_SLOT_NONE ? slot : outcomes[i].zone, &outcome);
    }
}

void sim_look(struct sim *sim, struct sightings *sightings, uint32_t slot, struct wire_peer_batch *batch) {
    struct peer_news *news = &sim->news;
    struct sightings_world world = {.entities = sim->entities,
                                    .grid = sim->grid,
                                    .territory = &sim->territory,
                                    .tick = sim->tick,
                                    .view_radius = (int32_t)sim->config.view_radius_m * 65536};
    batch->tick = sim->tick;
    sightings_look(sightings, &world, batch);
    for (uint32_t i = 0; i < news->hit_count; i++) {
        if (news->hit_slots[i] == slot) news->hits_for[batch->hit_count++] = news->hits[i];
    }
    for (uint32_t i = 0; i < news->outcome_count; i++) {
        if (news->outcome_slots[i] == slot) news->outcomes_for[batch->outcome_count++] = news->outcomes[i];
    }
    migration_tell(sim->migration, slot, batch);
    venues_tell(sim->instances, slot, sim->tick, batch);
    batch->hits = news->hits_for;
    batch->outcomes = news->outcomes_for;
    batch->speeches = news->speeches;
    batch->speech_count = news->speech_count;
    batch->blob = news->blob;
    batch->blob_len = news->blob_len;
}

void sim_told(struct sim *sim, uint32_t slot) {
    struct peer_news *news = &sim->news;
    for (uint32_t i = 0; i < news->outcome_count; i++) news->outcomes_told += news->outcome_slots[i] == slot;
    migration_told(sim->migration, slot);
}

void sim_looked(struct sim *sim) {
    struct peer_news *news = &sim->news;
    sim->stats.outcomes_lost += news->outcome_count - news->outcomes_told;
    news->hit_count = news->outcome_count = news->outcomes_told = news->speech_count = news->blob_len = 0;
}

const struct migration_stats *sim_migration_stats(const struct sim *sim) {
    return migration_stats(sim->migration);
}

uint32_t sim_in_flight(const struct sim *sim, struct wire_rect rect) {
    return migration_in_flight(sim->migration, rect);
}

const struct ghosts_stats *sim_ghosts_stats(const struct sim *sim) {
    return ghosts_stats(sim->ghosts);
}
