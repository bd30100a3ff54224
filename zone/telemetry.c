#include "zone/telemetry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"

#define SERIES_MAX 192

/* Counters that mirror what is counted elsewhere. */
enum counter {
    TICKS,
    MISSED,
    ATTACHED,
    REFUSED,
    DETACHED,
    INPUTS,
    REPEATED,
    UNKNOWN,
    MESSAGES,
    MESSAGES_BAD,
    SAYS_LIMITED,
    DEATHS,
    SNAPSHOTS,
    SNAPSHOT_BYTES,
    UPDATES,
    FULL_UPDATES,
    DEFERRED,
    LOST,
    CUT,
    VIEWS_FULL,
    ACKS_UNKNOWN,
    NO_ROOM,
    OUTPUT_DROPPED,
    BATCHES_RECEIVED,
    BATCHES_SENT,
    BATCH_BYTES,
    SENDS_REFUSED,
    BUS_BAD,
    BUS_LOST,
    BUS_TIMEOUTS,
    GATEWAY_LOSSES,
    GATEWAY_RESTARTS,
    GATEWAYS_EXPIRED,
    EFFECTS,
    REPORTS,
    REPORTS_REFUSED,
    REPORTED_STATES,
    PERSIST_BAD,
    PERSIST_LOSSES,
    PERSIST_RESTARTS,
    ATTACHES_WAITED,
    ATTACHES_EXPIRED,
    ATTACHES_FULL,
    ATTACHES_STALE,
    SESSIONS_ENDED,
    DEPARTED_LOST,
    GRANTS,
    GRANTS_ANSWERED,
    GRANTS_LOST,
    GRANTS_REFUSED,
    ANSWERS_UNKNOWN,
    GHOSTS_TOLD,
    GHOSTS_NO_ROOM,
    GHOSTS_LIMBO_ENDED,
    HITS_SENT,
    HITS_TAKEN,
    HITS_LOST,
    OUTCOMES_PASSED_ON,
    OUTCOMES_LOST,
    CREATURES_BORN,
    TRAVELS,
    HOMECOMINGS,
    STRAYS,
    ORDERS_REFUSED,
    ORDERS_DELAYED,
    TOLD_ON,
    HEARD_OF,
    SLOWINGS,
    PEER_BATCHES_SENT,
    PEER_BATCHES_REFUSED,
    PEER_UNHEARD,
    PEER_BAD,
    PEER_LOSSES,
    HANDOFFS_OFFERED,
    HANDOFFS_FROZEN,
    HANDOFFS_DONE,
    HANDOFFS_RESTORED,
    HANDOFFS_ASKED,
    HANDOFFS_GIVEN,
    HANDOFFS_CANCELLED,
    HANDOFFS_REFUSED,
    GIVES_REFUSED,
    ATTACHES_SENT_ON,
    HANDOFFS_SILENT,
    HANDOFFS_LOST,
    HANDOFFS_FULL,
    HANDOFF_ANSWERS_LOST,
    HANDOFF_TOMBS_LOST,
    HANDOFF_VISITS_LOST,
    ARRIVED,
    ARRIVALS_REFUSED,
    ARRIVALS_EXPIRED,
    ORPHANED,
    LINK_DEAD_EXPIRED,
    RESUMED,
    CREATURES_HANDED_OVER,
    CREATURES_TAKEN,
    CREATURES_BACK,
    CREATURES_REFUSED,
    CREATURES_REPEATED,
    CREATURES_DELAYED,
    CREATURE_ANSWERS_NO_ROOM,
    MAP_CHUNKS_READ,
    MAP_CHUNKS_FAILED,
    COUNTER_COUNT
};

static const struct {
    const char *name, *help;
} counters[COUNTER_COUNT] = {
    [TICKS] = {"march_zone_ticks_total", "Ticks run"},
    [MISSED] = {"march_zone_ticks_missed_total", "Ticks left out because it was too late for them"},
    [ATTACHED] = {"march_zone_attached_total", "Sessions given a player"},
    [REFUSED] = {"march_zone_attach_refused_total", "Sessions refused: the zone is full"},
    [DETACHED] = {"march_zone_detached_total", "Players that left"},
    [INPUTS] = {"march_zone_inputs_total", "Input packets of players"},
    [REPEATED] = {"march_zone_inputs_repeated_total", "Input packets with nothing new"},
    [UNKNOWN] = {"march_zone_sessions_unknown_total", "Things said of sessions that the zone does not have"},
    [MESSAGES] = {"march_zone_messages_total", "Reliable messages of clients"},
    [MESSAGES_BAD] = {"march_zone_messages_bad_total", "Reliable messages that were malformed"},
    [SAYS_LIMITED] = {"march_zone_says_limited_total", "Speech dropped for coming too fast"},
    [DEATHS] = {"march_zone_deaths_total", "Players that died"},
    [SNAPSHOTS] = {"march_zone_snapshots_total", "Snapshots built"},
    [SNAPSHOT_BYTES] = {"march_zone_snapshot_bytes_total", "Bytes of snapshots"},
    [UPDATES] = {"march_zone_snapshot_updates_total", "Entity updates in snapshots"},
    [FULL_UPDATES] = {"march_zone_snapshot_updates_full_total", "Entity updates without a baseline"},
    [DEFERRED] = {"march_zone_snapshot_updates_deferred_total", "Entity updates that waited for room in a later snapshot"},
    [LOST] = {"march_zone_snapshots_lost_total", "Snapshots taken for lost"},
    [CUT] = {"march_zone_snapshots_cut_total", "Snapshots cut short: too much in flight to the client"},
    [VIEWS_FULL] = {"march_zone_views_full_total", "Snapshots in which an entity in sight found no slot"},
    [ACKS_UNKNOWN] = {"march_zone_acks_unknown_total", "Acknowledgements of snapshots that were not in flight"},
    [NO_ROOM] = {"march_zone_snapshots_no_room_total", "Snapshots left out because the batch was full"},
    [OUTPUT_DROPPED] = {"march_zone_output_dropped_total", "Results, messages and snapshots without room in a batch"},
    [BATCHES_RECEIVED] = {"march_zone_batches_received_total", "Batches from gateways"},
    [BATCHES_SENT] = {"march_zone_batches_sent_total", "Batches to gateways"},
    [BATCH_BYTES] = {"march_zone_batches_sent_bytes_total", "Bytes of batches to gateways"},
    [SENDS_REFUSED] = {"march_zone_batches_refused_total", "Batches that the bus had no room for"},
    [BUS_BAD] = {"march_zone_bus_messages_bad_total", "Messages from gateways that were malformed or out of place"},
    [BUS_LOST] = {"march_zone_bus_messages_lost_total", "Messages to or from gateways that a lost connection took along"},
    [BUS_TIMEOUTS] = {"march_zone_bus_timeouts_total", "Connections to gateways given up for silence"},
    [GATEWAY_LOSSES] = {"march_zone_gateway_losses_total", "Connections to gateways that ended"},
    [GATEWAY_RESTARTS] = {"march_zone_gateway_restarts_total",
                          "Times that a gateway came back as another, and what players it had became link-dead"},
    [GATEWAYS_EXPIRED] = {"march_zone_gateways_expired_total",
                          "Times that a gateway's players became link-dead for its absence"},
    [EFFECTS] = {"march_zone_effects_total", "Effects of items on players"},
    [REPORTS] = {"march_zone_reports_total", "Reports to persist"},
    [REPORTS_REFUSED] = {"march_zone_reports_refused_total", "Reports that the bus had no room for"},
    [REPORTED_STATES] = {"march_zone_reported_states_total", "States of players in reports"},
    [PERSIST_BAD] = {"march_zone_persist_messages_bad_total", "Messages from persist that were malformed or out of place"},
    [PERSIST_LOSSES] = {"march_zone_persist_losses_total", "Connections to persist that ended"},
    [PERSIST_RESTARTS] = {"march_zone_persist_restarts_total", "Times that a persist came back as another"},
    [ATTACHES_WAITED] = {"march_zone_attaches_waited_total", "Attaches that asked persist for the player"},
    [ATTACHES_EXPIRED] = {"march_zone_attaches_expired_total", "Attaches refused because persist did not answer"},
    [ATTACHES_FULL] = {"march_zone_attaches_full_total", "Attaches refused because too many waited for persist"},
    [ATTACHES_STALE] = {"march_zone_attaches_stale_total", "Attaches refused because the player has a newer session"},
    [SESSIONS_ENDED] = {"march_zone_sessions_ended_total", "Players let go because they have a newer session"},
    [DEPARTED_LOST] = {"march_zone_departed_lost_total", "Last states of players given up for lack of room"},
    [GRANTS] = {"march_zone_grants_total", "Loot granted"},
    [GRANTS_ANSWERED] = {"march_zone_grants_answered_total", "Loot that persist answered for"},
    [GRANTS_LOST] = {"march_zone_grants_lost_total", "Loot given up for lack of room"},
    [GRANTS_REFUSED] = {"march_zone_grants_refused_total", "Loot that persist refused for good"},
    [ANSWERS_UNKNOWN] = {"march_zone_persist_answers_unknown_total", "Answers of persist to nothing that is asked now"},
    [GHOSTS_TOLD] = {"march_zone_ghosts_told_total", "Updates of ghosts taken from neighbours"},
    [GHOSTS_NO_ROOM] = {"march_zone_ghosts_no_room_total", "Updates of ghosts for which there was no room"},
    [GHOSTS_LIMBO_ENDED] = {"march_zone_ghosts_forsaken_total", "Ghosts that no zone told of any more"},
    [HITS_SENT] = {"march_zone_hits_sent_total", "Hits on ghosts, told to their zones"},
    [HITS_TAKEN] = {"march_zone_hits_taken_total", "Hits told by neighbours"},
    [HITS_LOST] = {"march_zone_hits_lost_total", "Hits on what nobody has any more, or for lack of room"},
    [OUTCOMES_PASSED_ON] = {"march_zone_outcomes_passed_on_total", "Gains of who is at another zone by now, told there"},
    [OUTCOMES_LOST] = {"march_zone_outcomes_lost_total", "Gains of whom nobody has any more, or for lack of room"},
    [CREATURES_BORN] = {"march_zone_creatures_born_total", "Creatures made for partitions that lacked them"},
    [TRAVELS] = {"march_zone_travels_total", "Players that went to an instance"},
    [HOMECOMINGS] = {"march_zone_homecomings_total", "Players that went home from an instance"},
    [STRAYS] = {"march_zone_strays_total", "Those of them whose instance does not run here"},
    [ORDERS_REFUSED] = {"march_zone_instances_refused_total", "Instances that were refused"},
    [ORDERS_DELAYED] = {"march_zone_instances_delayed_total", "Orders passed over: no room even to refuse them"},
    [TOLD_ON] = {"march_zone_instances_told_on_total", "Instances that the zone with their block now was told of"},
    [HEARD_OF] = {"march_zone_instances_heard_total", "Instances that their former zone told of"},
    [SLOWINGS] = {"march_zone_instance_slowings_total", "Times that an instance's creatures were to think less often"},
    [PEER_BATCHES_SENT] = {"march_zone_peer_batches_sent_total", "Batches to neighbours"},
    [PEER_BATCHES_REFUSED] = {"march_zone_peer_batches_refused_total", "Batches to neighbours that the bus had no room for"},
    [PEER_UNHEARD] = {"march_zone_peer_batches_unheard_total", "Batches of zones that the directory does not list"},
    [PEER_BAD] = {"march_zone_peer_messages_bad_total", "Messages from neighbours that were malformed or out of place"},
    [PEER_LOSSES] = {"march_zone_peer_losses_total", "Connections to neighbours that ended"},
    [HANDOFFS_OFFERED] = {"march_zone_handoffs_offered_total", "Players offered to other zones"},
    [HANDOFFS_FROZEN] = {"march_zone_handoffs_frozen_total", "Players let go of on their way to another zone"},
    [HANDOFFS_DONE] = {"march_zone_handoffs_done_total", "Players that another zone has taken over"},
    [HANDOFFS_RESTORED] = {"march_zone_handoffs_restored_total", "Players let go of that came back"},
    [HANDOFFS_ASKED] = {"march_zone_handoffs_asked_total", "Questions to a zone about a player that it may have"},
    [HANDOFFS_GIVEN] = {"march_zone_handoffs_given_total", "Link-dead players that another zone has taken over"},
    [HANDOFFS_CANCELLED] = {"march_zone_handoffs_cancelled_total", "Handoffs given up before the player was let go of"},
    [HANDOFFS_REFUSED] = {"march_zone_handoffs_refused_total", "Offers that the other zone refused"},
    [GIVES_REFUSED] = {"march_zone_gives_refused_total", "Link-dead players that another zone had no room for"},
    [ATTACHES_SENT_ON] = {"march_zone_attaches_sent_on_total", "Attaches of players that had just gone to another zone"},
    [HANDOFFS_SILENT] = {"march_zone_handoffs_silent_total", "Offers without an answer in time"},
    [HANDOFFS_LOST] = {"march_zone_handoffs_lost_total", "Players that found no room where they had been: must stay 0"},
    [HANDOFFS_FULL] = {"march_zone_handoffs_full_total", "Times that a player was not offered: too many were under way"},
    [HANDOFF_ANSWERS_LOST] = {"march_zone_handoff_answers_lost_total",
                              "Answers to other zones without room in a batch: they ask again"},
    [HANDOFF_TOMBS_LOST] = {"march_zone_handoff_tombs_lost_total",
                            "Promises to refuse a player that were given up for lack of room"},
    [HANDOFF_VISITS_LOST] = {"march_zone_handoff_visits_lost_total",
                             "What was remembered of link-dead players from other zones, given up for lack of room"},
    [ARRIVED] = {"march_zone_arrived_total", "Players taken over from other zones"},
    [ARRIVALS_REFUSED] = {"march_zone_arrivals_refused_total", "Players from other zones without room, or too late"},
    [ARRIVALS_EXPIRED] = {"march_zone_arrivals_expired_total", "Places kept for players of other zones that did not come"},
    [ORPHANED] = {"march_zone_gateway_deaths_total", "Times that a gateway's players became link-dead"},
    [LINK_DEAD_EXPIRED] = {"march_zone_link_dead_expired_total", "Link-dead players that left"},
    [RESUMED] = {"march_zone_resumed_total", "Players that went on under a newer session"},
    [CREATURES_HANDED_OVER] = {"march_zone_creatures_handed_over_total", "Creatures that another zone has taken"},
    [CREATURES_TAKEN] = {"march_zone_creatures_taken_total", "Creatures taken from other zones"},
    [CREATURES_BACK] = {"march_zone_creatures_back_total", "Creatures that could not be handed over"},
    [CREATURES_REFUSED] = {"march_zone_creatures_refused_total", "Creatures of other zones for which there was no room"},
    [CREATURES_REPEATED] = {"march_zone_creatures_repeated_total", "Creatures carried again that had been taken before"},
    [CREATURES_DELAYED] = {"march_zone_creatures_delayed_ticks_total",
                           "Ticks in which a creature had to wait for room under way"},
    [CREATURE_ANSWERS_NO_ROOM] = {"march_zone_creature_answers_no_room_total",
                                  "Creatures of other zones not answered for lack of room: they are carried again"},
    [MAP_CHUNKS_READ] = {"march_zone_map_chunks_read_total", "Chunks of the map read"},
    [MAP_CHUNKS_FAILED] = {"march_zone_map_chunks_failed_total", "Chunks of the map that could not be read: must stay 0"},
};

struct telemetry {
    struct metrics *metrics;
    const char *name;
    struct histogram *tick, *wake, *phases[TELEMETRY_PHASE_COUNT];
    struct metric_counter *counters[COUNTER_COUNT];
    struct metric_gauge *instances, *guests, *beasts, *slowed;
    struct metric_gauge *players, *entities, *level, *gateways, *number, *recording, *persists, *pending, *departed, *grants,
        *stale, *ghosts, *neighbours, *directory, *partitions, *under_way, *link_dead, *doubted, *map_chunks, *map_boxes;
    char map[MAP_TEXT_SIZE]; /* hash of the map in hex; empty: there is none */
};

static const char *phase_name(uint32_t phase) {
    if (phase == TELEMETRY_RECEIVE) return "receive";
    if (phase == TELEMETRY_RECORD) return "record";
    if (phase == TELEMETRY_SEND) return "send";
    return sim_phase_name((enum sim_phase)(phase - TELEMETRY_SIM));
}

static void register_all(struct telemetry *t) {
    struct metrics *m = t->metrics;
    t->tick = metrics_histogram(m, "march_zone_tick_seconds", "Time that a tick took", NULL, METRIC_UNIT_NS);
    t->wake = metrics_histogram(m, "march_zone_wake_delay_seconds", "How late the tick thread woke", NULL, METRIC_UNIT_NS);
    for (uint32_t p = 0; p < TELEMETRY_PHASE_COUNT; p++) {
        char labels[METRICS_LABELS_MAX];
        snprintf(labels, sizeof labels, "phase=\"%s\"", phase_name(p));
        t->phases[p] =
            metrics_histogram(m, "march_zone_phase_seconds", "Time of each phase of a tick", labels, METRIC_UNIT_NS);
    }
    for (uint32_t c = 0; c < COUNTER_COUNT; c++)
        t->counters[c] = metrics_counter(m, counters[c].name, counters[c].help, NULL);
    t->players = metrics_gauge(m, "march_zone_players", "Players in the zone", NULL);
    t->instances = metrics_gauge(m, "march_zone_instances", "Instances that run", NULL);
    t->slowed = metrics_gauge(m, "march_zone_instances_slowed", "Instances whose creatures think less often", NULL);
    t->guests = metrics_gauge(m, "march_zone_instance_players", "Players in instances", NULL);
    t->beasts = metrics_gauge(m, "march_zone_instance_creatures", "Living creatures in instances", NULL);
    t->entities = metrics_gauge(m, "march_zone_entities", "Entities in the zone", NULL);
    t->level =
        metrics_gauge(m, "march_zone_overload_level", "What the zone does without: 0 nothing, 5 every second tick", NULL);
    t->gateways = metrics_gauge(m, "march_zone_gateways_up", "Gateways connected", NULL);
    t->number = metrics_gauge(m, "march_zone_tick", "Number of the newest tick", NULL);
    t->recording = metrics_gauge(m, "march_zone_recording", "1 while a recording is written", NULL);
    t->persists = metrics_gauge(m, "march_zone_persists_held", "Persists that gave this zone the lease of its slot", NULL);
    t->pending = metrics_gauge(m, "march_zone_attaches_waiting", "Attaches that wait for persist", NULL);
    t->departed = metrics_gauge(m, "march_zone_departed_waiting", "Last states of players that are not durable", NULL);
    t->grants = metrics_gauge(m, "march_zone_grants_waiting", "Loot that persist has not answered for", NULL);
    t->under_way = metrics_gauge(m, "march_zone_handoffs", "Players on their way to other zones", NULL);
    t->link_dead = metrics_gauge(m, "march_zone_link_dead",
                                 "Players without a session: their gateway is dead, or they are being taken over", NULL);
    t->doubted = metrics_gauge(m, "march_zone_link_dead_in_doubt", "Link-dead players that are not handed over", NULL);
    t->ghosts = metrics_gauge(m, "march_zone_ghosts", "Entities of other zones that are shown here", NULL);
    t->neighbours = metrics_gauge(m, "march_zone_neighbours_up", "Zones connected, and listed in the directory", NULL);
    t->directory = metrics_gauge(m, "march_zone_directory_version", "Version of the directory", NULL);
    t->partitions = metrics_gauge(m, "march_zone_partitions", "Partitions of the world that this zone owns", NULL);
    t->map_chunks = metrics_gauge(m, "march_zone_map_chunks", "Chunks of the map that the zone has", NULL);
    t->map_boxes = metrics_gauge(m, "march_zone_map_boxes", "Static boxes in these, counted in each that they touch", NULL);
    t->stale = metrics_gauge(m, "march_zone_leases_stale", "Persists for which a newer zone has the slot", NULL);
}

struct telemetry *telemetry_create(const char *name) {
    struct telemetry *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->name = name;
    t->metrics = metrics_create(SERIES_MAX, name);
    if (!t->metrics) {
        free(t);
        return NULL;
    }
    register_all(t);
    return t;
}

void telemetry_destroy(struct telemetry *t) {
    if (!t) return;
    metrics_destroy(t->metrics);
    free(t);
}

void telemetry_set_map(struct telemetry *t, const struct map_header *map) {
    map_hash_text(map->hash, t->map);
}

const struct metrics *telemetry_metrics(const struct telemetry *t) {
    return t->metrics;
}

void telemetry_woke(struct telemetry *t, uint64_t late_ns) {
    histogram_record(t->wake, late_ns);
}

void telemetry_phase(struct telemetry *t, enum telemetry_phase phase, uint64_t ns) {
    histogram_record(t->phases[phase], ns);
}

void telemetry_tick(struct telemetry *t, uint64_t ns) {
    histogram_record(t->tick, ns);
    counter_inc(t->counters[TICKS]);
}

/* --- mirroring */

static void mirror_instances(struct telemetry *t, const struct sim *sim) {
    const struct venues_stats *s = sim_instances_stats(sim);
    counter_set(t->counters[TRAVELS], sim_stats(sim)->travels);
    counter_set(t->counters[HOMECOMINGS], s->homes);
    counter_set(t->counters[STRAYS], s->strays);
    counter_set(t->counters[ORDERS_REFUSED], s->orders_refused);
    counter_set(t->counters[ORDERS_DELAYED], s->orders_delayed);
    counter_set(t->counters[TOLD_ON], s->told_on);
    counter_set(t->counters[HEARD_OF], s->heard);
    counter_set(t->counters[SLOWINGS], s->slowings);
    gauge_set(t->instances, s->running);
    gauge_set(t->slowed, s->slowed);
    gauge_set(t->guests, s->players);
    gauge_set(t->beasts, s->creatures);
}

static void mirror_sim(struct telemetry *t, struct sim *sim) {
    const struct sim_stats *s = sim_stats(sim);
    const struct views_stats *v = sim_views_stats(sim);
    counter_set(t->counters[ATTACHED], s->attached);
    counter_set(t->counters[REFUSED], s->attach_refused);
    counter_set(t->counters[DETACHED], s->detached);
    counter_set(t->counters[INPUTS], s->inputs);
    counter_set(t->counters[REPEATED], s->inputs_repeated);
    counter_set(t->counters[UNKNOWN], s->sessions_unknown);
    counter_set(t->counters[MESSAGES], s->messages);
    counter_set(t->counters[MESSAGES_BAD], s->messages_bad);
    counter_set(t->counters[SAYS_LIMITED], s->says_limited);
    counter_set(t->counters[DEATHS], s->deaths);
    counter_set(t->counters[SNAPSHOTS], s->snapshots);
    counter_set(t->counters[NO_ROOM], s->snapshots_no_room);
    counter_set(t->counters[SNAPSHOT_BYTES], v->bytes);
    counter_set(t->counters[UPDATES], v->updates);
    counter_set(t->counters[FULL_UPDATES], v->full_updates);
    counter_set(t->counters[DEFERRED], v->deferred);
    counter_set(t->counters[LOST], v->lost);
    counter_set(t->counters[CUT], v->log_full);
    counter_set(t->counters[VIEWS_FULL], v->slots_full);
    counter_set(t->counters[ACKS_UNKNOWN], v->unknown_acks);
    uint64_t dropped = 0;
    for (uint32_t g = 0; g < sim_gateways(sim); g++) dropped += sim_output(sim, g)->dropped;
    counter_set(t->counters[OUTPUT_DROPPED], dropped);
    gauge_set(t->players, sim_players(sim));
    gauge_set(t->entities, sim_entities(sim)->count);
}

static void mirror_edges(struct telemetry *t, const struct edges *edges) {
    struct link_stats sum = {0};
    uint64_t bytes_sent = 0, bus_lost = 0, bus_timeouts = 0, expired = 0;
    int64_t up = 0;
    for (uint32_t g = 0; g < edges_count(edges); g++) {
        const struct link *link = edges_link(edges, g);
        const struct link_stats *s = &link->stats;
        struct bus_statistics bus;
        bus_statistics_read(link->edge, &bus);
        sum.received += s->received;
        sum.sent += s->sent;
        sum.refused += s->refused;
        sum.bad += s->bad + bus.bad_frames + bus.stale_frames;
        sum.losses += s->losses;
        sum.restarts += s->restarts;
        bytes_sent += bus.sent_bytes;
        bus_lost += bus.dropped_closed + bus.gaps;
        bus_timeouts += bus.timeouts;
        expired += edges_expired(edges, g);
        up += link->state == LINK_UP;
    }
    counter_set(t->counters[BATCHES_RECEIVED], sum.received);
    counter_set(t->counters[BATCHES_SENT], sum.sent);
    counter_set(t->counters[BATCH_BYTES], bytes_sent);
    counter_set(t->counters[SENDS_REFUSED], sum.refused);
    counter_set(t->counters[BUS_BAD], sum.bad);
    counter_set(t->counters[BUS_LOST], bus_lost);
    counter_set(t->counters[BUS_TIMEOUTS], bus_timeouts);
    counter_set(t->counters[GATEWAY_LOSSES], sum.losses);
    counter_set(t->counters[GATEWAY_RESTARTS], sum.restarts);
    counter_set(t->counters[GATEWAYS_EXPIRED], expired);
    gauge_set(t->gateways, up);
}

static void mirror_book(struct telemetry *t, const struct book *book) {
    const struct book_stats *s = book_stats(book);
    counter_set(t->counters[EFFECTS], s->effects);
    counter_set(t->counters[RESUMED], s->resumed);
    counter_set(t->counters[REPORTED_STATES], s->states_reported);
    counter_set(t->counters[ATTACHES_WAITED], s->attaches_waited);
    counter_set(t->counters[ATTACHES_EXPIRED], s->attaches_expired);
    counter_set(t->counters[ATTACHES_FULL], s->attaches_full);
    counter_set(t->counters[ATTACHES_STALE], s->attaches_stale);
    counter_set(t->counters[SESSIONS_ENDED], s->sessions_ended);
    counter_set(t->counters[DEPARTED_LOST], s->departed_lost);
    counter_set(t->counters[GRANTS], s->grants);
    counter_set(t->counters[GRANTS_ANSWERED], s->grants_answered);
    counter_set(t->counters[GRANTS_LOST], s->grants_lost);
    counter_set(t->counters[GRANTS_REFUSED], s->grants_refused);
    counter_set(t->counters[ANSWERS_UNKNOWN], s->answers_unknown);
    gauge_set(t->pending, book_pending(book));
    gauge_set(t->departed, book_departed(book));
    gauge_set(t->grants, book_grants(book));
}

static void mirror_reporter(struct telemetry *t, const struct reporter *reporter) {
    struct link_stats s = reporter_stats(reporter);
    counter_set(t->counters[REPORTS], s.sent);
    counter_set(t->counters[REPORTS_REFUSED], s.refused);
    counter_set(t->counters[PERSIST_BAD], s.bad);
    counter_set(t->counters[PERSIST_LOSSES], s.losses);
    counter_set(t->counters[PERSIST_RESTARTS], s.restarts);
    int64_t held = 0, stale = 0;
    for (uint32_t i = 0; i < reporter_count(reporter); i++) {
        held += reporter_lease(reporter, i) == REPORTER_LEASE_HELD;
        stale += reporter_lease(reporter, i) == REPORTER_LEASE_STALE;
    }
    gauge_set(t->persists, held);
    gauge_set(t->stale, stale);
}

static void mirror_neighbours(struct telemetry *t, struct sim *sim, const struct neighbours *neighbours) {
    const struct sim_stats *s = sim_stats(sim);
    const struct ghosts_stats *g = sim_ghosts_stats(sim);
    struct neighbours_stats n = neighbours_stats(neighbours);
    struct link_stats links = neighbours_link_stats(neighbours);
    counter_set(t->counters[GHOSTS_TOLD], g->told);
    counter_set(t->counters[GHOSTS_NO_ROOM], g->no_room);
    counter_set(t->counters[GHOSTS_LIMBO_ENDED], g->limbo_ended);
    counter_set(t->counters[HITS_SENT], s->hits_sent);
    counter_set(t->counters[HITS_TAKEN], s->hits_taken);
    counter_set(t->counters[HITS_LOST], s->hits_lost);
    counter_set(t->counters[OUTCOMES_PASSED_ON], s->outcomes_passed_on);
    counter_set(t->counters[OUTCOMES_LOST], s->outcomes_lost);
    counter_set(t->counters[CREATURES_BORN], s->creatures_born);
    counter_set(t->counters[PEER_BATCHES_SENT], n.batches_sent);
    counter_set(t->counters[PEER_BATCHES_REFUSED], n.batches_refused);
    counter_set(t->counters[PEER_UNHEARD], n.unheard);
    counter_set(t->counters[PEER_BAD], links.bad);
    counter_set(t->counters[PEER_LOSSES], links.losses);
    const struct migration_stats *m = sim_migration_stats(sim);
    counter_set(t->counters[CREATURES_HANDED_OVER], m->finished);
    counter_set(t->counters[CREATURES_TAKEN], m->taken);
    counter_set(t->counters[CREATURES_BACK], m->back);
    counter_set(t->counters[CREATURES_REFUSED], m->refused);
    counter_set(t->counters[CREATURES_REPEATED], m->repeated);
    counter_set(t->counters[CREATURES_DELAYED], m->delayed);
    counter_set(t->counters[CREATURE_ANSWERS_NO_ROOM], m->answers_no_room);
    gauge_set(t->ghosts, sim_entities(sim)->ghost_count);
    gauge_set(t->neighbours, neighbours_count(neighbours));
}

static void mirror_crossing(struct telemetry *t, const struct crossing *crossing) {
    const struct handoff_stats *h = handoff_stats(crossing_handoff(crossing));
    const struct crossing_stats *c = crossing_stats(crossing);
    counter_set(t->counters[HANDOFFS_OFFERED], h->offered);
    counter_set(t->counters[HANDOFFS_FROZEN], h->frozen);
    counter_set(t->counters[HANDOFFS_DONE], h->done);
    counter_set(t->counters[HANDOFFS_RESTORED], h->restored + h->link_dead);
    counter_set(t->counters[HANDOFFS_ASKED], h->asked);
    counter_set(t->counters[HANDOFFS_GIVEN], h->given);
    counter_set(t->counters[HANDOFFS_CANCELLED], h->cancelled);
    counter_set(t->counters[HANDOFFS_REFUSED], h->refused);
    counter_set(t->counters[GIVES_REFUSED], h->give_refused);
    counter_set(t->counters[ATTACHES_SENT_ON], h->sent_on);
    counter_set(t->counters[HANDOFFS_SILENT], h->silent);
    counter_set(t->counters[HANDOFFS_LOST], h->lost);
    counter_set(t->counters[HANDOFFS_FULL], h->flights_full);
    counter_set(t->counters[HANDOFF_ANSWERS_LOST], h->answers_lost);
    counter_set(t->counters[HANDOFF_TOMBS_LOST], h->tombs_lost);
    counter_set(t->counters[HANDOFF_VISITS_LOST], h->visits_lost);
    counter_set(t->counters[ARRIVED], h->arrived + h->gives_taken);
    counter_set(t->counters[ARRIVALS_REFUSED], h->arrived_full + h->arrived_refused + h->gives_refused);
    counter_set(t->counters[ARRIVALS_EXPIRED], h->reservations_expired);
    counter_set(t->counters[ORPHANED], c->orphaned);
    counter_set(t->counters[LINK_DEAD_EXPIRED], c->expired);
    gauge_set(t->under_way, handoff_count(crossing_handoff(crossing)));
    gauge_set(t->link_dead, crossing_link_dead(crossing));
    gauge_set(t->doubted, handoff_doubts(crossing_handoff(crossing)));
}

static void mirror_directory(struct telemetry *t, const struct directory *directory, uint32_t slot) {
    int64_t owned = 0;
    for (uint32_t i = 0; i < directory->partition_count; i++) owned += directory->partitions[i].owner == slot;
    gauge_set(t->directory, (int64_t)directory->version);
    gauge_set(t->partitions, owned);
}

static void mirror_map(struct telemetry *t, const struct static_world *statics) {
    const struct static_world_stats *s = static_world_stats(statics);
    counter_set(t->counters[MAP_CHUNKS_READ], s->chunks_read);
    counter_set(t->counters[MAP_CHUNKS_FAILED], s->chunks_failed);
    gauge_set(t->map_chunks, s->chunks);
    gauge_set(t->map_boxes, (int64_t)s->boxes);
}

void telemetry_mirror(struct telemetry *t, const struct telemetry_source *source) {
    mirror_sim(t, source->sim);
    mirror_instances(t, source->sim);
    mirror_edges(t, source->edges);
    mirror_reporter(t, source->reporter);
    mirror_book(t, reporter_book(source->reporter));
    if (source->neighbours) mirror_neighbours(t, source->sim, source->neighbours);
    if (source->crossing) mirror_crossing(t, source->crossing);
    if (source->statics) mirror_map(t, source->statics);
    mirror_directory(t, &sim_territory(source->sim)->directory, sim_territory(source->sim)->slot);
    counter_set(t->counters[MISSED], source->pacer->missed);
    gauge_set(t->number, (int64_t)source->pacer->tick);
    gauge_set(t->level, source->overload->level);
    gauge_set(t->recording, source->recording);
}

/* --- /status */

static void append_times(struct text *text, const char *key, const struct histogram *h) {
    text_append(text, "\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f},", key, (double)histogram_quantile(h, 0.5) / 1e3,
                (double)histogram_quantile(h, 0.99) / 1e3, (double)histogram_max(h) / 1e3);
}

int telemetry_status(void *context, char *buf, size_t size) {
    const struct telemetry *t = context;
    struct text text;
    text_init(&text, buf, size);
    text_append(&text, "{\"zone\":\"%s\",\"tick\":%" PRId64 ",\"players\":%" PRId64 ",\"entities\":%" PRId64 ",", t->name,
                gauge_value(t->number), gauge_value(t->players), gauge_value(t->entities));
    text_append(&text,
                "\"gateways_up\":%" PRId64 ",\"overload_level\":%" PRId64 ",\"recording\":%s,"
                "\"persists_held\":%" PRId64 ",\"ghosts\":%" PRId64 ",\"neighbours_up\":%" PRId64
                ",\"directory_version\":%" PRId64 ",\"partitions\":%" PRId64 ",\"handoffs\":%" PRId64
                ",\"link_dead\":%" PRId64 ",",
                gauge_value(t->gateways), gauge_value(t->level), gauge_value(t->recording) ? "true" : "false",
                gauge_value(t->persists), gauge_value(t->ghosts), gauge_value(t->neighbours), gauge_value(t->directory),
                gauge_value(t->partitions), gauge_value(t->under_way), gauge_value(t->link_dead));
    if (t->map[0])
        text_append(&text, "\"map\":{\"hash\":\"%s\",\"chunks\":%" PRId64 ",\"boxes\":%" PRId64 "},", t->map,
                    gauge_value(t->map_chunks), gauge_value(t->map_boxes));
    else
        text_append(&text, "\"map\":null,");
    append_times(&text, "tick_us", t->tick);
    append_times(&text, "wake_delay_us", t->wake);
    text_append(&text, "\"phases_us\":{");
    for (uint32_t p = 0; p < TELEMETRY_PHASE_COUNT; p++) append_times(&text, phase_name(p), t->phases[p]);
    text.len--; /* the last comma */
    text_append(&text, "},\"counters\":{");
    for (uint32_t c = 0; c < COUNTER_COUNT; c++) {
        const char *name = counters[c].name + sizeof "march_zone_" - 1;
        text_append(&text, "\"%s\":%" PRIu64 ",", name, counter_value(t->counters[c]));
    }
    text.len--;
    text_append(&text, "}}\n");
    return text_finish(&text);
}
