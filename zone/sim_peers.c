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
static void take_hit(struct sim *sim, const struct wire_hit *hit) {
    const struct entities *e = sim->entities;
    uint16_t index = entities_find(e, hit->target);
    if (index != ENTITY_NONE && entities_is_own(e, index)) {
        sim->stats.hits_taken++;
        game_struck(sim->game, index, (struct game_striker){.id = hit->attacker, .player = hit->attacker_player},
                    hit->damage);
    } else if (index != ENTITY_NONE && hit->hops < SIM_HIT_HOPS_MAX) {
        struct wire_hit further = *hit;
        further.hops++;
        sim->stats.hits_passed_on++;
        note_hit(sim, e->ghost_of[index], &further);
    } else {
        sim->stats.hits_lost++;
    }
}

static void take_outcome(struct sim *sim, const struct wire_outcome *outcome) {
    uint16_t index = entities_find(sim->entities, outcome->attacker);
    if (index == ENTITY_NONE || !entities_is_own(sim->entities, index) || sim->slot_of_entity[index] == SLOT_NONE) return;
    if (outcome->experience > 0) game_gain(sim->game, index, outcome->experience);
    struct game_guest killer = game_guest(sim->game, index);
    if (!outcome->killed || outcome->instance == 0 || killer.instance != outcome->instance) return;
    game_killed(sim->game, index);
    venues_killed(sim->instances, sim->tick, index, outcome->team);
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
    for (uint32_t i = 0; i < b->hit_count; i++) take_hit(sim, &b->hits[i]);
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

void sim_note_outcomes(struct sim *sim) {
    struct peer_news *news = &sim->news;
    uint32_t count;
    const struct game_outcome *outcomes = game_outcomes(sim->game, &count);
    for (uint32_t i = 0; i < count && news->outcome_count < SIM_PEER_ITEMS_MAX; i++) {
        uint16_t attacker = entities_find(sim->entities, outcomes[i].attacker);
        if (attacker == ENTITY_NONE) continue;
        news->outcome_slots[news->outcome_count] = sim->entities->ghost_of[attacker];
        news->outcomes[news->outcome_count++] = (struct wire_outcome){.attacker = outcomes[i].attacker,
                                                                      .target = outcomes[i].target,
                                                                      .experience = outcomes[i].experience,
                                                                      .killed = outcomes[i].killed,
                                                                      .instance = outcomes[i].instance,
                                                                      .team = outcomes[i].team};
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
    migration_told(sim->migration, slot);
}

void sim_looked(struct sim *sim) {
    sim->news.hit_count = sim->news.outcome_count = sim->news.speech_count = sim->news.blob_len = 0;
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
