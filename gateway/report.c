#include "gateway/report.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"
#include "gateway/netcode_drop.h"
#include "gateway/udp_socket.h"

#define SERIES_MAX (216 + 8 * SESSION_ROUTES_MAX + 2 * CONFIG_PERSISTS_MAX)

/* Counters of struct gateway_stats, as they are. */
static const struct {
    const char *name, *help;
    size_t offset;
} stats_table[] = {
    {"march_gateway_packets_in_total", "Session packets taken from clients", offsetof(struct gateway_stats, packets_in)},
    {"march_gateway_packets_out_total", "Session packets sent to clients", offsetof(struct gateway_stats, packets_out)},
    {"march_gateway_packets_unsealed_total", "Session packets whose client was gone",
     offsetof(struct gateway_stats, packets_unsealed)},
    {"march_gateway_inputs_stale_total", "Input frames with nothing new", offsetof(struct gateway_stats, inputs_stale)},
    {"march_gateway_snapshots_total", "Snapshots sent on to clients", offsetof(struct gateway_stats, snapshots_out)},
    {"march_gateway_snapshots_unknown_total", "Snapshots for sessions that were gone or waiting",
     offsetof(struct gateway_stats, snapshots_unknown)},
    {"march_gateway_snapshots_unconfirmed_total", "Snapshots for clients that had sent nothing yet",
     offsetof(struct gateway_stats, snapshots_unconfirmed)},
    {"march_gateway_snapshots_long_total", "Snapshots too long for a packet",
     offsetof(struct gateway_stats, snapshots_long)},
    {"march_gateway_messages_up_total", "Reliable messages to zones", offsetof(struct gateway_stats, messages_up)},
    {"march_gateway_messages_down_total", "Reliable messages to clients", offsetof(struct gateway_stats, messages_down)},
    {"march_gateway_messages_unknown_total", "Messages from zones for sessions that were gone or waiting",
     offsetof(struct gateway_stats, messages_unknown)},
    {"march_gateway_returned_total", "Messages of clients that followed them to another zone",
     offsetof(struct gateway_stats, returned)},
    {"march_gateway_returned_dropped_total", "Messages of clients that could not follow them",
     offsetof(struct gateway_stats, returned_dropped)},
    {"march_gateway_batches_unheard_total", "Batches of zones that the directory does not list",
     offsetof(struct gateway_stats, batches_unheard)},
    {"march_gateway_pings_total", "Pings of clients", offsetof(struct gateway_stats, pings)},
    {"march_gateway_attached_total", "Sessions that a zone took", offsetof(struct gateway_stats, attached)},
    {"march_gateway_claims_total", "Sessions claimed from persist, each time", offsetof(struct gateway_stats, claims)},
    {"march_gateway_claimed_total", "Sessions that persist granted", offsetof(struct gateway_stats, claimed)},
    {"march_gateway_claims_unknown_total", "Answers to claims of sessions that had gone",
     offsetof(struct gateway_stats, claims_unknown)},
    {"march_gateway_refreshes_total", "Sessions kept at persist, each time", offsetof(struct gateway_stats, refreshes)},
    {"march_gateway_refreshes_missed_total", "Sessions not kept in time: persist away or batch full",
     offsetof(struct gateway_stats, refreshes_missed)},
    {"march_gateway_commands_total", "Commands of clients", offsetof(struct gateway_stats, commands)},
    {"march_gateway_asks_total", "What clients asked of the matchmaker", offsetof(struct gateway_stats, asks)},
    {"march_gateway_asks_refused_total", "Of that, what the gateway answered itself: not now",
     offsetof(struct gateway_stats, asks_refused)},
    {"march_gateway_tells_total", "Messages of the matchmaker to clients", offsetof(struct gateway_stats, tells)},
    {"march_gateway_tells_unknown_total", "Messages of the matchmaker to players without a session here",
     offsetof(struct gateway_stats, tells_unknown)},
    {"march_gateway_turns_total", "Turns of the loop", offsetof(struct gateway_stats, turns)},
};
#define STATS_COUNT (sizeof stats_table / sizeof stats_table[0])

/* Why the session layer refused a packet; netcode's reasons are beside them under the same name. */
static const struct {
    const char *reason;
    size_t offset;
} drop_table[] = {
    {"session_malformed", offsetof(struct gateway_stats, packets_malformed)},
    {"session_replay", offsetof(struct gateway_stats, packets_replayed)},
    {"session_late", offsetof(struct gateway_stats, packets_late)},
};
#define DROPS_COUNT (sizeof drop_table / sizeof drop_table[0])

/* Sums over routes, buses, sockets. */
enum sum {
    DATAGRAMS_IN,
    DATAGRAMS_OUT,
    BYTES_IN,
    BYTES_OUT,
    TRUNCATED,
    SOCKET_ERRORS,
    BUFFERS_EXHAUSTED,
    COMPLETIONS_OVERFLOW,
    KERNEL_DROPS,
    SENDS_FULL,
    SENDS_REFUSED,
    BUS_SENT,
    BUS_RECEIVED,
    BUS_SENT_BYTES,
    BUS_RECEIVED_BYTES,
    BUS_BAD,
    BUS_LOST,
    BUS_TIMEOUTS,
    BUS_FLUSHES_REFUSED,
    INPUTS,
    INPUTS_MERGED,
    INPUTS_DROPPED,
    ACKS,
    ACKS_DROPPED,
    ZONE_LOSSES,
    PERSIST_SENT,
    PERSIST_RECEIVED,
    PERSIST_BAD,
    PERSIST_FLUSHES_REFUSED,
    PERSIST_LOSSES,
    PERSIST_ENDS_LOST,
    COMMANDS_SENT,
    COMMANDS_UNANSWERED,
    RECONNECTS,
    TRANSFERS_STARTED,
    TRANSFERS_DONE,
    TRANSFERS_RESTORED,
    TRANSFERS_LOST,
    TRANSFERS_REFUSED,
    TRANSFERS_STALE,
    TRANSFERS_UNKNOWN,
    TRANSFERS_UNANSWERED,
    GUIDE_REPORTS,
    GUIDE_DIRECTORIES,
    GUIDE_LOSSES,
    ASKS_SENT,
    SUM_COUNT
};

static const struct {
    const char *name, *help;
} sum_table[SUM_COUNT] = {
    [DATAGRAMS_IN] = {"march_gateway_datagrams_in_total", "Datagrams received"},
    [DATAGRAMS_OUT] = {"march_gateway_datagrams_out_total", "Datagrams sent"},
    [BYTES_IN] = {"march_gateway_in_bytes_total", "Bytes of datagrams received"},
    [BYTES_OUT] = {"march_gateway_out_bytes_total", "Bytes of datagrams sent"},
    [TRUNCATED] = {"march_gateway_datagrams_truncated_total", "Datagrams longer than any packet"},
    [SOCKET_ERRORS] = {"march_gateway_socket_errors_total", "Receives that failed"},
    [BUFFERS_EXHAUSTED] = {"march_gateway_buffers_exhausted_total", "Times that all receive buffers were in use"},
    [COMPLETIONS_OVERFLOW] = {"march_gateway_completions_overflow_total", "Times that the completion queue overflowed"},
    [KERNEL_DROPS] = {"march_gateway_kernel_drops_total", "Datagrams that the kernel dropped: socket buffer full"},
    [SENDS_FULL] = {"march_gateway_sends_full_total", "Datagrams dropped: the socket's send buffer was full"},
    [SENDS_REFUSED] = {"march_gateway_sends_refused_total", "Datagrams that the kernel refused to send"},
    [BUS_SENT] = {"march_gateway_bus_batches_sent_total", "Batches to zones"},
    [BUS_RECEIVED] = {"march_gateway_bus_batches_received_total", "Batches from zones"},
    [BUS_SENT_BYTES] = {"march_gateway_bus_sent_bytes_total", "Bytes of messages to zones"},
    [BUS_RECEIVED_BYTES] = {"march_gateway_bus_received_bytes_total", "Bytes of messages from zones"},
    [BUS_BAD] = {"march_gateway_bus_messages_bad_total", "Messages from zones that were malformed or out of place"},
    [BUS_LOST] = {"march_gateway_bus_messages_lost_total", "Messages to or from zones that a lost connection took along"},
    [BUS_TIMEOUTS] = {"march_gateway_bus_timeouts_total", "Connections to zones given up for silence"},
    [BUS_FLUSHES_REFUSED] = {"march_gateway_bus_flushes_refused_total", "Batches that the bus had no room for yet"},
    [INPUTS] = {"march_gateway_inputs_total", "Inputs sent to zones"},
    [INPUTS_MERGED] = {"march_gateway_inputs_merged_total", "Inputs merged with one that waited for the same flush"},
    [INPUTS_DROPPED] = {"march_gateway_inputs_dropped_total", "Inputs dropped: zone away or batch full"},
    [ACKS] = {"march_gateway_acks_total", "Acknowledgements of snapshots sent to zones"},
    [ACKS_DROPPED] = {"march_gateway_acks_dropped_total", "Acknowledgements dropped: zone away or batch full"},
    [ZONE_LOSSES] = {"march_gateway_zone_losses_total", "Connections to zones that ended"},
    [PERSIST_SENT] = {"march_gateway_persist_batches_sent_total", "Batches to persist"},
    [PERSIST_RECEIVED] = {"march_gateway_persist_batches_received_total", "Batches from persist"},
    [PERSIST_BAD] = {"march_gateway_persist_messages_bad_total", "Messages from persist, malformed or out of place"},
    [PERSIST_FLUSHES_REFUSED] = {"march_gateway_persist_flushes_refused_total", "Batches that the bus had no room for yet"},
    [PERSIST_LOSSES] = {"march_gateway_persist_losses_total", "Connections to persist that ended"},
    [PERSIST_ENDS_LOST] = {"march_gateway_persist_ends_lost_total", "Ended sessions that persist was not told of in time"},
    [COMMANDS_SENT] = {"march_gateway_commands_sent_total", "Commands of clients sent to persist"},
    [COMMANDS_UNANSWERED] = {"march_gateway_commands_unanswered_total", "Commands that persist did not answer"},
    [RECONNECTS] = {"march_gateway_reconnects_total", "Clients that were sent to other gateways, each time"},
    [TRANSFERS_STARTED] = {"march_gateway_transfers_started_total", "Players that began to move to another zone"},
    [TRANSFERS_DONE] = {"march_gateway_transfers_done_total", "Players that another zone has taken"},
    [TRANSFERS_RESTORED] = {"march_gateway_transfers_restored_total", "Players that came back to the zone they left"},
    [TRANSFERS_LOST] = {"march_gateway_transfers_lost_total", "Players whose two zones were lost while they moved"},
    [TRANSFERS_REFUSED] = {"march_gateway_transfers_refused_total", "Players that could not begin to move"},
    [TRANSFERS_STALE] = {"march_gateway_transfers_stale_total", "Reroutes that were late or repeated"},
    [TRANSFERS_UNKNOWN] = {"march_gateway_transfers_unknown_total", "Reroutes and answers of what was gone"},
    [TRANSFERS_UNANSWERED] = {"march_gateway_transfers_unanswered_total", "Reroutes dropped: no room to answer"},
    [GUIDE_REPORTS] = {"march_gateway_matchmaker_reports_total", "Reports to the matchmaker"},
    [GUIDE_DIRECTORIES] = {"march_gateway_matchmaker_directories_total", "Directories from the matchmaker"},
    [GUIDE_LOSSES] = {"march_gateway_matchmaker_losses_total", "Connections to the matchmaker that ended"},
    [ASKS_SENT] = {"march_gateway_asks_sent_total", "What clients asked, sent to the matchmaker"},
};

/* What a gateway answers to commands by itself. */
static const struct {
    enum wire_command_status status;
    const char *name;
} refusals[] = {{WIRE_STATUS_UNAVAILABLE, "unavailable"}, {WIRE_STATUS_BUSY, "busy"}, {WIRE_STATUS_DISABLED, "disabled"}};

struct report {
    struct metrics *metrics;
    const char *name;
    struct gateway *gateway;
    struct metric_counter *stats[STATS_COUNT], *drops[DROPS_COUNT], *sums[SUM_COUNT];
    struct metric_counter *netcode_drops[NETCODE_DROP_COUNT], *ended[SESSION_END_COUNT];
    struct metric_counter *accepted;
    struct metric_gauge *sessions[SESSION_STATE_COUNT];
    struct metric_gauge *zone_states[SESSION_ROUTES_MAX], *zone_queues[SESSION_ROUTES_MAX];
    struct metric_counter *refused[WIRE_STATUS_COUNT]; /* NULL for statuses that are not the gateway's */
    struct metric_gauge *persist_states[CONFIG_PERSISTS_MAX], *commands_waiting[CONFIG_PERSISTS_MAX];
    struct metric_gauge *draining, *transfers, *directory_version,
        *matchmaker_state; /* the last one NULL without a matchmaker */
    struct metric_gauge *pending, *tokens, *blocks;
};

/* --- registering */

static const char *label(char labels[METRICS_LABELS_MAX], const char *key, const char *value) {
    snprintf(labels, METRICS_LABELS_MAX, "%s=\"%s\"", key, value);
    return labels;
}

static void register_counters(struct report *r) {
    char labels[METRICS_LABELS_MAX];
    for (size_t i = 0; i < STATS_COUNT; i++)
        r->stats[i] = metrics_counter(r->metrics, stats_table[i].name, stats_table[i].help, NULL);
    for (size_t i = 0; i < SUM_COUNT; i++)
        r->sums[i] = metrics_counter(r->metrics, sum_table[i].name, sum_table[i].help, NULL);
    static const char drops[] = "march_gateway_drops_total", drops_help[] = "Packets of clients that were dropped";
    for (size_t i = 0; i < DROPS_COUNT; i++)
        r->drops[i] = metrics_counter(r->metrics, drops, drops_help, label(labels, "reason", drop_table[i].reason));
    for (int i = NETCODE_DROP_NONE + 1; i < NETCODE_DROP_COUNT; i++) {
        const char *name = netcode_drop_name((enum netcode_drop)i);
        r->netcode_drops[i] = metrics_counter(r->metrics, drops, drops_help, label(labels, "reason", name));
    }
    for (int i = 0; i < SESSION_END_COUNT; i++) {
        r->ended[i] = metrics_counter(r->metrics, "march_gateway_sessions_ended_total", "Sessions that ended",
                                      label(labels, "reason", session_end_name((enum session_end)i)));
    }
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        r->refused[refusals[i].status] =
            metrics_counter(r->metrics, "march_gateway_commands_refused_total", "Commands that the gateway answered itself",
                            label(labels, "status", refusals[i].name));
    }
    r->accepted = metrics_counter(r->metrics, "march_gateway_sessions_total", "Sessions that began", NULL);
}

static void register_gauges(struct report *r) {
    char labels[METRICS_LABELS_MAX];
    for (int i = SESSION_CLAIMING; i < SESSION_STATE_COUNT; i++) {
        r->sessions[i] = metrics_gauge(r->metrics, "march_gateway_sessions", "Sessions",
                                       label(labels, "state", session_state_name((enum session_state)i)));
    }
    for (unsigned i = 0; i < r->gateway->route_count; i++) {
        (void)label(labels, "zone", r->gateway->routes[i]->link.name);
        r->zone_states[i] = metrics_gauge(r->metrics, "march_gateway_zone_state", "0 away, 1 greeting, 2 up", labels);
        r->zone_queues[i] = metrics_gauge(r->metrics, "march_gateway_bus_queue_bytes", "Bytes that wait for a zone", labels);
    }
    for (unsigned i = 0; i < r->gateway->keeper_count; i++) {
        (void)label(labels, "persist", r->gateway->keepers[i]->link.name);
        r->persist_states[i] = metrics_gauge(r->metrics, "march_gateway_persist_state", "0 away, 1 greeting, 2 up", labels);
        r->commands_waiting[i] =
            metrics_gauge(r->metrics, "march_gateway_commands_waiting", "Commands not answered yet", labels);
    }
    r->transfers = metrics_gauge(r->metrics, "march_gateway_transfers", "Players between two zones, or hardly there", NULL);
    r->draining = metrics_gauge(r->metrics, "march_gateway_draining", "1 while its clients are sent to others", NULL);
    r->directory_version =
        metrics_gauge(r->metrics, "march_gateway_directory_version", "Of the newest directory; 0: none", NULL);
    if (r->gateway->guide) {
        r->matchmaker_state = metrics_gauge(r->metrics, "march_gateway_matchmaker_state", "0 away, 1 greeting, 2 up", NULL);
    }
    r->pending = metrics_gauge(r->metrics, "march_gateway_handshakes", "Clients that were sent a challenge", NULL);
    r->tokens = metrics_gauge(r->metrics, "march_gateway_tokens", "Connect tokens remembered", NULL);
    r->blocks = metrics_gauge(r->metrics, "march_gateway_blocks", "Blocks that reliable messages hold", NULL);
}

struct report *report_create(const char *name, struct gateway *gateway) {
    struct report *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->name = name;
    r->gateway = gateway;
    r->metrics = metrics_create(SERIES_MAX, name);
    if (!r->metrics) {
        free(r);
        return NULL;
    }
    register_counters(r);
    register_gauges(r);
    char labels[METRICS_LABELS_MAX];
    for (int i = 0; i < GATEWAY_PHASE_COUNT; i++) {
        gateway->phases[i] =
            metrics_histogram(r->metrics, "march_gateway_phase_seconds", "Time of each phase of a turn",
                              label(labels, "phase", gateway_phase_name((enum gateway_phase)i)), METRIC_UNIT_NS);
    }
    gateway->transfers.latency =
        metrics_histogram(r->metrics, "march_gateway_transfer_seconds",
                          "From a zone's letting go of a player until another has it", NULL, METRIC_UNIT_NS);
    return r;
}

void report_destroy(struct report *r) {
    if (!r) return;
    metrics_destroy(r->metrics);
    free(r);
}

const struct metrics *report_metrics(const struct report *r) {
    return r->metrics;
}

/* --- mirroring */

static void mirror_stats(struct report *r) {
    const struct gateway *g = r->gateway;
    const char *base = (const char *)&g->stats;
    for (size_t i = 0; i < STATS_COUNT; i++) counter_set(r->stats[i], *(const uint64_t *)(base + stats_table[i].offset));
    for (size_t i = 0; i < DROPS_COUNT; i++) counter_set(r->drops[i], *(const uint64_t *)(base + drop_table[i].offset));
    for (int i = 0; i < SESSION_END_COUNT; i++) counter_set(r->ended[i], g->stats.ended[i]);
    for (int i = SESSION_CLAIMING; i < SESSION_STATE_COUNT; i++) gauge_set(r->sessions[i], g->sessions.state_counts[i]);
    struct netcode_server_stats netcode;
    netcode_server_stats(g->netcode, &netcode);
    for (int i = NETCODE_DROP_NONE + 1; i < NETCODE_DROP_COUNT; i++) {
        counter_set(r->netcode_drops[i], netcode.drops_total[i]);
    }
    counter_set(r->accepted, netcode.accepted_total);
    gauge_set(r->pending, netcode.pending);
    gauge_set(r->tokens, netcode.tokens);
    gauge_set(r->blocks, g->sessions.blocks.taken);
}

static void sum_sockets(const struct gateway *g, uint64_t sums[SUM_COUNT]) {
    const struct io_stats *io = io_stats(g->io);
    sums[DATAGRAMS_IN] = io->datagrams;
    sums[BYTES_IN] = io->bytes;
    sums[TRUNCATED] = io->truncated;
    sums[SOCKET_ERRORS] = io->socket_errors;
    sums[BUFFERS_EXHAUSTED] = io->buffers_exhausted;
    sums[COMPLETIONS_OVERFLOW] = io->completions_overflow;
    for (unsigned i = 0; i < g->socket_count; i++) {
        const struct sender_stats *sender = &g->senders[i]->stats;
        sums[DATAGRAMS_OUT] += sender->datagrams;
        sums[BYTES_OUT] += sender->bytes;
        sums[SENDS_FULL] += sender->refused_full;
        sums[SENDS_REFUSED] += sender->refused_other;
        sums[KERNEL_DROPS] += udp_socket_kernel_drops(g->sockets[i]);
    }
}

static void sum_routes(const struct report *r, uint64_t sums[SUM_COUNT]) {
    for (unsigned i = 0; i < r->gateway->route_count; i++) {
        const struct route *route = r->gateway->routes[i];
        struct bus_statistics bus;
        bus_statistics_read(route->link.edge, &bus);
        sums[BUS_SENT] += route->link.stats.sent;
        sums[BUS_RECEIVED] += route->link.stats.received;
        sums[BUS_SENT_BYTES] += bus.sent_bytes;
        sums[BUS_RECEIVED_BYTES] += bus.received_bytes;
        sums[BUS_BAD] += route->link.stats.bad + bus.bad_frames + bus.stale_frames;
        sums[BUS_LOST] += bus.dropped_closed + bus.gaps;
        sums[BUS_TIMEOUTS] += bus.timeouts;
        sums[BUS_FLUSHES_REFUSED] += route->link.stats.refused;
        sums[INPUTS] += route->stats.inputs_sent;
        sums[INPUTS_MERGED] += route->batch.inputs_merged;
        sums[INPUTS_DROPPED] += route->stats.inputs_dropped;
        sums[ACKS] += route->stats.acks_sent;
        sums[ACKS_DROPPED] += route->stats.acks_dropped;
        sums[ZONE_LOSSES] += route->link.stats.losses;
        gauge_set(r->zone_states[i], route->link.state);
        gauge_set(r->zone_queues[i], (int64_t)bus.queue_bytes);
    }
}

static void sum_keepers(const struct report *r, uint64_t sums[SUM_COUNT]) {
    for (unsigned i = 0; i < r->gateway->keeper_count; i++) {
        const struct keeper *keeper = r->gateway->keepers[i];
        struct bus_statistics bus;
        bus_statistics_read(keeper->link.edge, &bus);
        sums[PERSIST_SENT] += keeper->link.stats.sent;
        sums[PERSIST_RECEIVED] += keeper->link.stats.received;
        sums[PERSIST_BAD] += keeper->link.stats.bad + bus.bad_frames + bus.stale_frames;
        sums[PERSIST_FLUSHES_REFUSED] += keeper->link.stats.refused;
        sums[PERSIST_LOSSES] += keeper->link.stats.losses;
        sums[PERSIST_ENDS_LOST] += keeper->stats.ends_lost;
        sums[COMMANDS_SENT] += keeper->stats.commands_sent;
        sums[COMMANDS_UNANSWERED] += keeper->stats.commands_unanswered;
        gauge_set(r->persist_states[i], keeper->link.state);
        gauge_set(r->commands_waiting[i], keeper->waiting_count);
    }
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        counter_set(r->refused[refusals[i].status], r->gateway->stats.commands_refused[refusals[i].status]);
    }
}

static void sum_world(const struct report *r, uint64_t sums[SUM_COUNT]) {
    const struct gateway *g = r->gateway;
    const struct transfer_stats *transfers = &g->transfers.stats;
    sums[RECONNECTS] = g->drain.told;
    sums[TRANSFERS_STARTED] = transfers->started;
    sums[TRANSFERS_DONE] = transfers->done;
    sums[TRANSFERS_RESTORED] = transfers->restored;
    sums[TRANSFERS_LOST] = transfers->lost;
    sums[TRANSFERS_REFUSED] = transfers->refused;
    sums[TRANSFERS_STALE] = transfers->stale;
    sums[TRANSFERS_UNKNOWN] = transfers->unknown;
    sums[TRANSFERS_UNANSWERED] = transfers->unanswered;
    gauge_set(r->draining, g->drain.is_draining);
    gauge_set(r->transfers, transfer_count(&g->transfers));
    gauge_set(r->directory_version, (int64_t)g->compass.directory.version);
    if (!g->guide) return;
    sums[GUIDE_REPORTS] = g->guide->stats.reports;
    sums[GUIDE_DIRECTORIES] = g->guide->stats.directories;
    sums[GUIDE_LOSSES] = g->guide->link.stats.losses;
    sums[ASKS_SENT] = g->guide->stats.asks_sent;
    gauge_set(r->matchmaker_state, g->guide->link.state);
}

void report_mirror(struct report *r) {
    uint64_t sums[SUM_COUNT] = {0};
    mirror_stats(r);
    sum_sockets(r->gateway, sums);
    sum_routes(r, sums);
    sum_keepers(r, sums);
    sum_world(r, sums);
    for (int i = 0; i < SUM_COUNT; i++) counter_set(r->sums[i], sums[i]);
}

/* --- /status */

static void append_sessions(struct text *text, const struct report *r) {
    int64_t total = 0;
    text_append(text, "\"sessions\":{");
    for (int i = SESSION_CLAIMING; i < SESSION_STATE_COUNT; i++) {
        int64_t count = gauge_value(r->sessions[i]);
        text_append(text, "\"%s\":%" PRId64 ",", session_state_name((enum session_state)i), count);
        total += count;
    }
    text_append(text, "\"total\":%" PRId64 ",\"max\":%u},", total, r->gateway->sessions.size);
}

static void append_zones(struct text *text, const struct report *r) {
    text_append(text, "\"zones\":[");
    for (unsigned i = 0; i < r->gateway->route_count; i++) {
        text_append(text, "%s{\"name\":\"%s\",\"state\":\"%s\",\"queue_bytes\":%" PRId64 "}", i > 0 ? "," : "",
                    r->gateway->routes[i]->link.name, link_state_name((enum link_state)gauge_value(r->zone_states[i])),
                    gauge_value(r->zone_queues[i]));
    }
    text_append(text, "],");
}

static void append_persists(struct text *text, const struct report *r) {
    text_append(text, "\"persists\":[");
    for (unsigned i = 0; i < r->gateway->keeper_count; i++) {
        text_append(text, "%s{\"name\":\"%s\",\"state\":\"%s\",\"commands_waiting\":%" PRId64 "}", i > 0 ? "," : "",
                    r->gateway->keepers[i]->link.name, link_state_name((enum link_state)gauge_value(r->persist_states[i])),
                    gauge_value(r->commands_waiting[i]));
    }
    text_append(text, "],");
}

static void append_world(struct text *text, const struct report *r) {
    const struct histogram *latency = r->gateway->transfers.latency;
    text_append(text, "\"draining\":%s,", gauge_value(r->draining) ? "true" : "false");
    text_append(text, "\"directory\":{\"version\":%" PRId64 ",\"matchmaker\":\"%s\"},", gauge_value(r->directory_version),
                r->matchmaker_state ? link_state_name((enum link_state)gauge_value(r->matchmaker_state)) : "none");
    text_append(text, "\"transfers\":{\"in_flight\":%" PRId64 ",\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f},",
                gauge_value(r->transfers), (double)histogram_quantile(latency, 0.5) / 1e3,
                (double)histogram_quantile(latency, 0.99) / 1e3, (double)histogram_max(latency) / 1e3);
}

static void append_counters(struct text *text, const struct report *r) {
    const size_t prefix = sizeof "march_gateway_" - 1;
    text_append(text, "\"counters\":{");
    for (size_t i = 0; i < STATS_COUNT; i++)
        text_append(text, "\"%s\":%" PRIu64 ",", stats_table[i].name + prefix, counter_value(r->stats[i]));
    for (int i = 0; i < SUM_COUNT; i++)
        text_append(text, "\"%s\":%" PRIu64 ",", sum_table[i].name + prefix, counter_value(r->sums[i]));
    text_append(text, "\"sessions_total\":%" PRIu64 "},\"drops\":{", counter_value(r->accepted));
    for (size_t i = 0; i < DROPS_COUNT; i++)
        text_append(text, "\"%s\":%" PRIu64 ",", drop_table[i].reason, counter_value(r->drops[i]));
    for (int i = NETCODE_DROP_NONE + 1; i < NETCODE_DROP_COUNT; i++) {
        text_append(text, "%s\"%s\":%" PRIu64, i > NETCODE_DROP_NONE + 1 ? "," : "", netcode_drop_name((enum netcode_drop)i),
                    counter_value(r->netcode_drops[i]));
    }
    text_append(text, "},");
}

/* What it reads of the gateway itself never changes after its creation: names, numbers of zones and slots. */
int report_status(void *context, char *buf, size_t size) {
    const struct report *r = context;
    struct text text;
    text_init(&text, buf, size);
    text_append(&text, "{\"gateway\":\"%s\",\"io\":\"%s\",", r->name, io_back_end_name(r->gateway->io));
    append_sessions(&text, r);
    append_zones(&text, r);
    append_persists(&text, r);
    append_world(&text, r);
    append_counters(&text, r);
    text_append(&text, "\"phases_us\":{");
    for (int i = 0; i < GATEWAY_PHASE_COUNT; i++) {
        const struct histogram *h = r->gateway->phases[i];
        text_append(&text, "%s\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", i > 0 ? "," : "",
                    gateway_phase_name((enum gateway_phase)i), (double)histogram_quantile(h, 0.5) / 1e3,
                    (double)histogram_quantile(h, 0.99) / 1e3, (double)histogram_max(h) / 1e3);
    }
    text_append(&text, "}}\n");
    return text_finish(&text);
}
