/* sim.h: a zone without sockets, clock or threads: sessions and inputs in, batches out.
 *
 * Between ticks the shell tells what the gateways said: sim_attach, sim_detach, sim_input, sim_ack, sim_message, and what
 * persist said: sim_effect, and the matchmaker: sim_instance_orders, in the order it came. A tick is sim_begin, then the
 * phases in the order of the enum; sim_tick does both. What neighbours say comes between ticks as well: sim_peer_take,
 * sim_peer_lost. The shell runs the phases itself where it times them. After the tick, output(s) hold what each gateway is
 * to be sent.
 *
 *   inputs     each player's next command goes to the rules
 *   rules      instances, timers, creatures' minds
 *   movement   positions += velocities, then the grid is rebuilt
 *   combat     strikes and shots
 *   publish    events become messages; views get the state of every entity
 *   snapshots  of the clients whose turn it is: they are spread over the ticks
 *
 * Ticks are numbered from the Unix epoch. When numbers are left out (the zone was late, or runs at a lower rate), movement
 * covers them, up to SIM_STEP_MAX at once, so that prediction stays exact.
 *
 * The state is a function of the configuration and the calls with the ticks; sim_hash tells two states apart. Snapshots and
 * their acks are not part of it. With a recorder all that bears on the state is recorded as it comes.
 *
 * Limits: gateways_max edges, players_max players, entities_max entities, session indices below sessions_max. What passes
 * them is refused with a result, and counted. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_SIM_H
#define MARCH_ZONE_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire.h"
#include "zone/entities.h"
#include "zone/game.h"
#include "zone/ghosts.h"
#include "zone/grid.h"
#include "zone/migration.h"
#include "zone/output.h"
#include "zone/record.h"
#include "zone/sightings.h"
#include "zone/territory.h"
#include "zone/venues.h"
#include "zone/view.h"

#define SIM_STEP_MAX      4     /* ticks that one step may cover */
#define SIM_GATEWAYS_MAX  16    /* as CONFIG_GATEWAYS_MAX */
#define SIM_THINK_TICKS   12    /* each creature thinks five times a second, where nothing is overloaded */
#define SIM_SAY_TICKS     30    /* a player speaks twice a second at most, */
#define SIM_PRESENCES_MAX 16384 /* players in instances that are told of */
#define SIM_SAY_BURST     4     /* or as often at once: what a bad network held back comes together */

struct sim_config {
    char name[WIRE_NAME_MAX + 1];
    uint16_t zone_index;
    uint16_t incarnation;  /* goes into entity ids */
    struct wire_rect rect; /* the partition that it has at first; all 0: none, it is a spare */
    uint64_t seed;
    uint64_t start_tick;
    uint32_t creatures; /* of that partition */
    uint32_t players_max;
    uint32_t entities_max;
    uint32_t gateways_max;
    uint32_t sessions_max; /* of one gateway */
    uint32_t tick_hz;
    uint32_t snapshot_hz;
    uint32_t snapshot_bytes_max;
    uint32_t view_radius_m;
    uint32_t view_max;
    struct cells cells; /* how blocks are cut */
    bool snapshots;     /* false: none are built (replay) */
};

/* The dials of overload. */
struct sim_load {
    uint32_t snapshot_every; /* 1: the full rate, 2: half */
    uint32_t view_percent;   /* of the radius */
    uint32_t think_ticks;    /* each creature thinks once in so many */
};

enum sim_phase {
    SIM_PHASE_INPUTS = 0,
    SIM_PHASE_RULES = 1,
    SIM_PHASE_MOVEMENT = 2,
    SIM_PHASE_COMBAT = 3,
    SIM_PHASE_PUBLISH = 4,
    SIM_PHASE_SNAPSHOTS = 5,
    SIM_PHASE_COUNT = 6
};

/* Why a zone says that it does not have a session. */
enum sim_detach_reason {
    SIM_DETACH_UNKNOWN = 1,
    SIM_DETACH_STALE = 2 /* the player has a newer session */
};

#define SIM_PEER_ITEMS_MAX 1024 /* hits and outcomes for all neighbours in a tick: more are lost, and counted */
#define SIM_HIT_HOPS_MAX   3    /* of outcomes, too */

struct sim_stats {
    uint64_t attached;
    uint64_t attach_refused;
    uint64_t detached;
    uint64_t inputs;
    uint64_t inputs_repeated; /* packets with nothing new */
    uint64_t sessions_unknown;
    uint64_t messages;
    uint64_t messages_bad; /* malformed */
    uint64_t says_limited;
    uint64_t deaths;
    uint64_t loots;
    uint64_t effects;
    uint64_t creatures_born;     /* when partitions came */
    uint64_t travels;            /* players that went to an instance */
    uint64_t exported, imported; /* players */
    uint64_t hits_sent, hits_taken, hits_passed_on, hits_lost;
    uint64_t outcomes_taken, outcomes_kept, outcomes_passed_on, outcomes_lost; /* kept: until a flight has ended */
    uint64_t snapshots;
    uint64_t snapshots_no_room;
};

/* Who sits in a slot. Slots are below players_max, and a player keeps its slot for as long as it is in the zone. */
struct sim_player {
    uint64_t session, player, entity;
    uint32_t gateway; /* SIM_GATEWAY_NONE: link-dead, and session means nothing */
    uint32_t slot;
    uint32_t attachment;
};

#define SIM_SLOT_NONE    UINT32_MAX
#define SIM_GATEWAY_NONE UINT32_MAX
#define SIM_NO_GATEWAY   0xff /* the same where it is kept */

/* Who is told at once what would otherwise be gone at the end of a tick; either may be NULL. They may look into the sim and
 * change nothing. */
struct sim_watcher {
    void *context;
    void (*left)(void *context, uint32_t slot); /* the player in the slot is about to leave */
    void (*loot)(void *context, uint64_t player, const struct game_event *event); /* who may be in another zone */
};

struct sim;

/* sim_create returns NULL when there is no memory or the configuration can't be (creatures and players beyond
 * entities_max, a rectangle out of the world). */
struct sim *sim_create(const struct sim_config *config);
void sim_destroy(struct sim *sim);

/* sim_set_recorder makes the sim tell a recorder everything from now on; NULL ends it. */
void sim_set_recorder(struct sim *sim, struct recorder *recorder);

void sim_set_watcher(struct sim *sim, const struct sim_watcher *watcher);
const struct sim_watcher *sim_watcher_of(const struct sim *sim);

/* sim_set_directory gives the sim another version of the world, between ticks: what it owns may come and go. Creatures that
 * a partition lost are born anew where the directory says so. Allocates a grid. */
must_check int sim_set_directory(struct sim *sim, const struct directory *directory);

const struct territory *sim_territory(const struct sim *sim);

/* --- between ticks. `gateway` is below gateways_max. The result of an attach goes into the gateway's output. */

/* sim_attach gives a session a player. Again for the same session: the same player. A session whose index is in use by an
 * older generation takes its place. `attachment` is the gateway's count for this session: a new view takes its low bits for
 * the name of its stream, so two views in a row never share one. A new player comes as `character`, NULL for one that never
 * played. Returns the player's entity id, 0 when refused. */
uint64_t sim_attach(struct sim *sim, uint32_t gateway, uint64_t session, uint64_t player, uint32_t attachment,
                    const struct game_character *character);

/* sim_refuse answers an attach that the shell itself refuses. */
void sim_refuse(struct sim *sim, uint32_t gateway, uint64_t session, enum wire_attach_result result);
void sim_detach(struct sim *sim, uint32_t gateway, uint64_t session);
void sim_input(struct sim *sim, uint32_t gateway, const struct wire_input *input);
void sim_ack(struct sim *sim, uint32_t gateway, uint64_t session, uint16_t snapshot_seq);
void sim_message(struct sim *sim, uint32_t gateway, uint64_t session, const uint8_t *bytes, size_t len);

/* sim_effect does to a player what an item does that it used (game_effect). */
void sim_effect(struct sim *sim, uint32_t gateway, uint64_t session, uint32_t kind, uint32_t amount);

/* sim_cut makes the player of a session link-dead, as sim_orphan does with all of a gateway. */
void sim_cut(struct sim *sim, uint32_t gateway, uint64_t session);

/* sim_orphan makes all players of a gateway link-dead: they stand still and are told nothing; what the gateway was to be
 * told is forgotten. sim_remove lets the player in a slot leave the world; the watcher is told where `is_told`. */
void sim_orphan(struct sim *sim, uint32_t gateway);
void sim_remove(struct sim *sim, uint32_t slot, bool is_told);

/* sim_rebind gives the player in a slot, link-dead or not, to another session, as an attach would: it is welcomed, under a
 * new view. False where the session's index can't be. */
bool sim_rebind(struct sim *sim, uint32_t slot, uint32_t gateway, uint64_t session, uint32_t attachment);

/* --- players that go to another zone and come from there (handoff.h) */

/* sim_hurry has the next tick build a snapshot for a player: the last one of its view here. */
void sim_hurry(struct sim *sim, uint32_t slot);

/* sim_export writes down all of a player but its session epoch and target, and makes its entity a ghost of the zone in slot
 * `target`. The watcher is not told. Between ticks. */
void sim_export(struct sim *sim, uint32_t slot, uint32_t target, struct wire_carried *out);

/* sim_import brings a player in, in the place of its ghost where there is one, under its session at `gateway` or
 * (SIM_GATEWAY_NONE) link-dead, and stores its slot. What was before under the session's index leaves. The next tick builds
 * a snapshot for it. MARCH_ERR_FULL where there is no room, MARCH_ERR_INVALID for what can't be. */
must_check int sim_import(struct sim *sim, uint32_t gateway, const struct wire_carried *carried, uint32_t *slot);

/* sim_vanish removes the ghost of a player that was exported and ended. */
void sim_vanish(struct sim *sim, uint64_t entity);

/* sim_gone says that a player that was exported is at its target: what it gained on its way is passed on. */
void sim_gone(struct sim *sim, uint64_t entity);

/* sim_set_connected tells whether snapshots for a gateway are worth building; at first they are. */
void sim_set_connected(struct sim *sim, uint32_t gateway, bool connected);

void sim_set_load(struct sim *sim, struct sim_load load);

/* --- zones that are neighbours. `slot` is theirs. */

/* sim_peer_up: a connection begins; `is_same`: to the incarnation that was there before. */
void sim_peer_up(struct sim *sim, uint32_t slot, bool is_same);

/* sim_peer_take does what a neighbour tells after one of its ticks: ghosts, hits on our entities, what ours gained there,
 * creatures that come over and answers about ours, speech. */
void sim_peer_take(struct sim *sim, uint32_t slot, const struct wire_peer_batch *batch);

/* sim_peer_lost says that a neighbour is away, or begins anew: its ghosts go on for a moment, then they are gone. */
void sim_peer_lost(struct sim *sim, uint32_t slot);

/* sim_peer_dead says that the incarnation that was there will not be heard again: creatures on their way there come back. */
void sim_peer_dead(struct sim *sim, uint32_t slot);

/* sim_look fills in what a neighbour is to be told after a tick: ghosts and gone, hits, outcomes, creatures, speeches. The
 * arrays are the sim's and the sightings', valid until the next look. sim_told: that is on its way; creatures that could not
 * be sent are told again, outcomes are lost, and counted. */
void sim_look(struct sim *sim, struct sightings *sightings, uint32_t slot, struct wire_peer_batch *batch);
void sim_told(struct sim *sim, uint32_t slot);

/* sim_looked forgets what was to be told: after every neighbour had its look. */
void sim_looked(struct sim *sim);

/* --- instances (venues.h) */

/* sim_instance_orders does what the matchmaker orders. A player that is to travel, is here and in no instance yet goes there
 * at once, as far as the place is known. sim_instances_renew: a connection to the matchmaker begins. */
void sim_instance_orders(struct sim *sim, const struct wire_instance_orders *orders);
void sim_instances_renew(struct sim *sim);

/* sim_instance_report fills in what the matchmaker is to be told; the arrays are the sim's, valid until the next report. */
void sim_instance_report(struct sim *sim, struct wire_instance_report *report);

/* sim_set_clock lends a clock of the time that this thread ran, by which it is measured how long creatures of instances
 * think; NULL: nothing is. sim_instances_judge, every BUDGET_WINDOW ticks, between ticks: has those think less often that
 * took more than their budget (budget.h). sim_instance_pace does so for one; false where there is no such instance. */
void sim_set_clock(struct sim *sim, uint64_t (*now_ns)(void));
void sim_instances_judge(struct sim *sim, uint32_t tick_us);
bool sim_instance_pace(struct sim *sim, uint32_t id, uint32_t pace);

/* sim_instances_in_flight counts the instances of a block that was handed over which its new zone is still to be told of. */
uint32_t sim_instances_in_flight(const struct sim *sim, uint32_t block);

/* sim_instances_keep tells whether a player stays here for now, though its place is another zone's (venues_keeps). */
bool sim_instances_keep(const struct sim *sim, uint16_t index);
const struct venues_stats *sim_instances_stats(const struct sim *sim);

/* --- a tick */

/* sim_begin starts tick `tick`, which is past the last. */
void sim_begin(struct sim *sim, uint64_t tick);
void sim_run(struct sim *sim, enum sim_phase phase);
void sim_tick(struct sim *sim, uint64_t tick);

/* sim_end tells the recorder that the tick is over. sim_tick does it too. */
void sim_end(struct sim *sim);

const char *sim_phase_name(enum sim_phase phase);

/* --- looking in */

struct output *sim_output(struct sim *sim, uint32_t gateway);
uint64_t sim_now(const struct sim *sim); /* the newest tick */
uint64_t sim_hash(const struct sim *sim);
uint32_t sim_players(const struct sim *sim);
uint32_t sim_players_max(const struct sim *sim);
uint32_t sim_sessions_max(const struct sim *sim);

/* sim_slot returns the slot of a session, SIM_SLOT_NONE when it has none. */
uint32_t sim_slot(const struct sim *sim, uint32_t gateway, uint64_t session);

/* sim_player_nth tells of the n-th player, n below sim_players; sim_player_in of the one in a slot that is in use. */
struct sim_player sim_player_nth(const struct sim *sim, uint32_t n);
struct sim_player sim_player_in(const struct sim *sim, uint32_t slot);

/* sim_is_seated tells whether a player is in a slot, sim_entity_of the index of its entity. */
bool sim_is_seated(const struct sim *sim, uint32_t slot);
uint16_t sim_entity_of(const struct sim *sim, uint32_t slot);

/* sim_character tells what would have to be kept of the player in a slot. */
struct game_character sim_character(const struct sim *sim, uint32_t slot);
uint32_t sim_gateways(const struct sim *sim);

/* sim_entities is for tests and benchmarks, which may place entities between ticks. */
struct entities *sim_entities(struct sim *sim);
const struct sim_stats *sim_stats(const struct sim *sim);
const struct ghosts_stats *sim_ghosts_stats(const struct sim *sim);
const struct migration_stats *sim_migration_stats(const struct sim *sim);

/* sim_in_flight counts creatures that left a rectangle for other zones and are not known to have arrived. */
uint32_t sim_in_flight(const struct sim *sim, struct wire_rect rect);
const struct views_stats *sim_views_stats(const struct sim *sim);

#endif
