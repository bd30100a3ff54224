#include "matchmaker/tally.h"

#include <stdlib.h>

#include "common/metric_table.h"

#define SERIES_SPARE 8 /* the histogram, and the registry's own */

/* Everything that is told. */
struct shown {
    struct atlas_stats atlas;
    struct links_stats links;
    struct front_stats front;
    struct hall_stats hall;
    uint64_t version;
    uint32_t worker_states[WIRE_WORKER_STATE_COUNT];
    uint32_t gateway_states[WIRE_GATEWAY_DRAINING + 1];
    uint32_t partitions, unowned, handing, unfenced, draining, ready;
};

#define COUNTER       METRIC_COUNTER
#define GAUGE         METRIC_GAUGE
#define AT(field)     METRIC_AT(struct shown, field)
#define STATE_HELP    "Workers by what the directory says of them"
#define GATEWAYS_HELP "Gateways by what the directory says of them"
#define DEATHS_HELP   "Processes that were found dead"
#define LINKS_HELP    "Processes that are connected"
#define ENDED_HELP    "Tickets that ended, by why"
#define REFUSED_HELP  "Tickets that were refused, or dropped, by why"
#define OVER_HELP     "Instances that are over, by why"
#define FRONT_HELP    "Requests to the front door by what became of them"
static const struct metric_row rows[] = {
    {GAUGE, "march_matchmaker_ready", NULL, "1 once every partition has had an owner", AT(ready)},
    {GAUGE, "march_matchmaker_directory_version", NULL, "Newest version of the directory", AT(version)},
    {COUNTER, "march_matchmaker_versions_total", NULL, "Versions of the directory made", AT(atlas.versions)},
    {COUNTER, "march_matchmaker_deaths_total", "role=\"zone\"", DEATHS_HELP, AT(atlas.worker_deaths)},
    {COUNTER, "march_matchmaker_deaths_total", "role=\"gateway\"", DEATHS_HELP, AT(atlas.gateway_deaths)},
    {COUNTER, "march_matchmaker_takeovers_total", NULL, "Partitions that got an owner having had none", AT(atlas.takeovers)},
    {COUNTER, "march_matchmaker_drains_total", NULL, "Drains that were asked for", AT(atlas.drains)},
    {COUNTER, "march_matchmaker_splits_total", NULL, "Partitions split", AT(atlas.splits)},
    {COUNTER, "march_matchmaker_merges_total", NULL, "Partitions merged", AT(atlas.merges)},
    {COUNTER, "march_matchmaker_fences_total", NULL, "Incarnations that every shard has fenced", AT(atlas.fences)},
    {COUNTER, "march_matchmaker_refused_total", NULL, "Incarnations that came back after they were dropped",
     AT(atlas.refused_workers)},
    {GAUGE, "march_matchmaker_workers", "state=\"away\"", STATE_HELP, AT(worker_states[WIRE_WORKER_AWAY])},
    {GAUGE, "march_matchmaker_workers", "state=\"spare\"", STATE_HELP, AT(worker_states[WIRE_WORKER_SPARE])},
    {GAUGE, "march_matchmaker_workers", "state=\"active\"", STATE_HELP, AT(worker_states[WIRE_WORKER_ACTIVE])},
    {GAUGE, "march_matchmaker_workers", "state=\"leaving\"", STATE_HELP, AT(worker_states[WIRE_WORKER_LEAVING])},
    {GAUGE, "march_matchmaker_gateways", "state=\"away\"", GATEWAYS_HELP, AT(gateway_states[WIRE_GATEWAY_AWAY])},
    {GAUGE, "march_matchmaker_gateways", "state=\"up\"", GATEWAYS_HELP, AT(gateway_states[WIRE_GATEWAY_UP])},
    {GAUGE, "march_matchmaker_gateways", "state=\"draining\"", GATEWAYS_HELP, AT(gateway_states[WIRE_GATEWAY_DRAINING])},
    {GAUGE, "march_matchmaker_partitions", NULL, "Partitions of the world", AT(partitions)},
    {GAUGE, "march_matchmaker_partitions_unowned", NULL, "Partitions that nobody simulates", AT(unowned)},
    {GAUGE, "march_matchmaker_partitions_handing_over", NULL, "Partitions with a former owner", AT(handing)},
    {GAUGE, "march_matchmaker_unfenced", NULL, "Dead incarnations that some shard has not fenced", AT(unfenced)},
    {GAUGE, "march_matchmaker_draining", NULL, "Zones and gateways that are drained or are being drained", AT(draining)},
    {GAUGE, "march_matchmaker_connected", "role=\"zone\"", LINKS_HELP, AT(links.zones_up)},
    {GAUGE, "march_matchmaker_connected", "role=\"gateway\"", LINKS_HELP, AT(links.gateways_up)},
    {GAUGE, "march_matchmaker_connected", "role=\"persist\"", LINKS_HELP, AT(links.persists_up)},
    {COUNTER, "march_matchmaker_messages_received_total", NULL, "Messages taken", AT(links.received)},
    {COUNTER, "march_matchmaker_messages_bad_total", NULL, "Messages dropped: malformed, or not that peer's to say",
     AT(links.bad)},
    {COUNTER, "march_matchmaker_messages_sent_total", NULL, "Messages sent", AT(links.sent)},
    {COUNTER, "march_matchmaker_messages_refused_total", NULL, "Messages that the bus had no room for, sent later",
     AT(links.refused)},
    {COUNTER, "march_matchmaker_tells_total", NULL, "Messages to players", AT(links.tells)},
    {COUNTER, "march_matchmaker_tells_lost_total", NULL, "Messages to players that no gateway could take",
     AT(links.tells_lost)},
    {COUNTER, "march_matchmaker_connections_lost_total", NULL, "Connections that ended", AT(links.losses)},
    {COUNTER, "march_matchmaker_front_sessions_total", NULL, "Players that were let in", AT(front.sessions)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"done\"", FRONT_HELP, AT(front.done)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"bad\"", FRONT_HELP, AT(front.bad)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"missing\"", FRONT_HELP, AT(front.missing)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"refused\"", FRONT_HELP, AT(front.refused)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"limited\"", FRONT_HELP, AT(front.limited)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"unready\"", FRONT_HELP, AT(front.unready)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"busy\"", FRONT_HELP, AT(front.http.full)},
    {COUNTER, "march_matchmaker_front_requests_total", "answer=\"timeout\"", FRONT_HELP, AT(front.http.expired)},
    {COUNTER, "march_matchmaker_front_connections_ended_total", NULL, "Connections that made room for others",
     AT(front.http.ended)},
    {GAUGE, "march_matchmaker_tickets", NULL, "Tickets that live", AT(hall.desk.tickets)},
    {GAUGE, "march_matchmaker_parties", NULL, "Parties", AT(hall.desk.parties)},
    {COUNTER, "march_matchmaker_tickets_entered_total", NULL, "Tickets that came", AT(hall.desk.entered)},
    {COUNTER, "march_matchmaker_tickets_ended_total", "end=\"matched\"", ENDED_HELP, AT(hall.desk.ended[QUEUE_MATCHED])},
    {COUNTER, "march_matchmaker_tickets_ended_total", "end=\"cancelled\"", ENDED_HELP, AT(hall.desk.ended[QUEUE_CANCELLED])},
    {COUNTER, "march_matchmaker_tickets_ended_total", "end=\"timed_out\"", ENDED_HELP, AT(hall.desk.ended[QUEUE_TIMED_OUT])},
    {COUNTER, "march_matchmaker_tickets_ended_total", "end=\"declined\"", ENDED_HELP, AT(hall.desk.ended[QUEUE_DECLINED])},
    {COUNTER, "march_matchmaker_tickets_ended_total", "end=\"silent\"", ENDED_HELP, AT(hall.desk.ended[QUEUE_SILENT])},
    {COUNTER, "march_matchmaker_matches_total", NULL, "Matches that were made", AT(hall.desk.matches)},
    {COUNTER, "march_matchmaker_results_total", NULL, "Matches that were settled", AT(hall.desk.results)},
    {GAUGE, "march_matchmaker_instances", NULL, "Instances that run, or are about to", AT(hall.instances.running)},
    {GAUGE, "march_matchmaker_cells_free", NULL, "Places for instances that are free", AT(hall.instances.cells_free)},
    {COUNTER, "march_matchmaker_instances_launched_total", NULL, "Instances that were launched",
     AT(hall.instances.launched)},
    {COUNTER, "march_matchmaker_instances_over_total", "end=\"goal\"", OVER_HELP,
     AT(hall.instances.over[INSTANCE_END_GOAL])},
    {COUNTER, "march_matchmaker_instances_over_total", "end=\"ordered\"", OVER_HELP,
     AT(hall.instances.over[INSTANCE_END_ORDERED])},
    {COUNTER, "march_matchmaker_instances_over_total", "end=\"crashed\"", OVER_HELP,
     AT(hall.instances.over[INSTANCE_END_LOST])},
    {COUNTER, "march_matchmaker_instances_over_total", "end=\"refused\"", OVER_HELP,
     AT(hall.instances.over[INSTANCE_END_REFUSED])},
    {COUNTER, "march_matchmaker_instance_restarts_total", NULL, "Instances whose zone died, that were begun anew",
     AT(hall.instances.restarts)},
    {COUNTER, "march_matchmaker_players_arrived_total", NULL, "Players that came to an instance",
     AT(hall.instances.arrived)},
    {COUNTER, "march_matchmaker_players_absent_total", NULL, "Players that did not come in time", AT(hall.instances.absent)},
    {GAUGE, "march_matchmaker_documents_pending", NULL, "Documents that are not known to be kept yet",
     AT(hall.keep.pending)},
    {COUNTER, "march_matchmaker_tickets_refused_total", "reason=\"unavailable\"", REFUSED_HELP,
     AT(hall.desk.refused[WIRE_REASON_UNAVAILABLE])},
    {COUNTER, "march_matchmaker_tickets_refused_total", "reason=\"full\"", REFUSED_HELP,
     AT(hall.desk.refused[WIRE_REASON_FULL])},
    {GAUGE, "march_matchmaker_matches_settling", NULL, "Matches that are over and not settled", AT(hall.desk.settling)},
    {COUNTER, "march_matchmaker_settled_total", NULL, "Players who have what a match was worth", AT(hall.desk.settled)},
    {GAUGE, "march_matchmaker_questions", NULL, "Questions to persist under way", AT(hall.keep.asks)},
    {COUNTER, "march_matchmaker_questions_again_total", NULL, "Questions that persist could not answer then",
     AT(hall.keep.again)},
    {COUNTER, "march_matchmaker_keep_refused_total", NULL, "Documents and questions that there was no room for",
     AT(hall.keep.refused)},
    {COUNTER, "march_matchmaker_documents_kept_total", NULL, "Documents that were kept", AT(hall.keep.durable)},
    {COUNTER, "march_matchmaker_library_changes_total", NULL, "Times that modes and templates were taken over",
     AT(hall.designs.changes)},
    {COUNTER, "march_matchmaker_library_failures_total", NULL, "Times that they were not, for a mistake in them",
     AT(hall.designs.failures)},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

struct tally {
    struct metrics *metrics;
    struct histogram *step_ns;
    union metric_series series[ROW_COUNT];
};

struct tally *tally_create(const char *name) {
    struct tally *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    g->metrics = metrics_create(ROW_COUNT + SERIES_SPARE, name);
    if (!g->metrics) {
        free(g);
        return NULL;
    }
    metric_table_register(g->metrics, rows, ROW_COUNT, g->series);
    g->step_ns =
        metrics_histogram(g->metrics, "march_matchmaker_step_seconds", "Time of a step of the atlas", NULL, METRIC_UNIT_NS);
    return g;
}

void tally_destroy(struct tally *g) {
    if (!g) return;
    metrics_destroy(g->metrics);
    free(g);
}

const struct metrics *tally_metrics(const struct tally *g) {
    return g->metrics;
}

struct histogram *tally_step_ns(struct tally *g) {
    return g->step_ns;
}

static void count_processes(struct shown *shown, const struct atlas *a) {
    for (uint32_t i = 0; i < a->told.worker_count; i++) {
        shown->worker_states[a->told.workers[i].state % WIRE_WORKER_STATE_COUNT]++;
        shown->unfenced += a->workers[i].unfenced != 0;
        shown->draining += a->workers[i].is_draining;
    }
    for (uint32_t i = 0; i < a->told.gateway_count; i++) {
        shown->gateway_states[a->told.gateways[i].state % (WIRE_GATEWAY_DRAINING + 1)]++;
        shown->draining += a->gateways[i].is_draining;
    }
}

void tally_mirror(struct tally *g, const struct atlas *a, const struct links *links, const struct front *front,
                  const struct hall *hall) {
    struct shown shown = {.atlas = a->stats,
                          .links = links_stats_get(links),
                          .version = a->told.version,
                          .partitions = a->told.partition_count,
                          .ready = atlas_is_ready(a)};
    if (front) shown.front = front_stats_get(front);
    shown.hall = hall_stats_get(hall);
    count_processes(&shown, a);
    for (uint32_t i = 0; i < a->told.partition_count; i++) {
        shown.unowned += a->told.partitions[i].owner == WIRE_SLOT_NONE;
        shown.handing += a->told.partitions[i].former != WIRE_SLOT_NONE;
    }
    metric_table_mirror(rows, ROW_COUNT, &shown, g->series);
}
