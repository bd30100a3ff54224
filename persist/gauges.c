#include "persist/gauges.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/metric_table.h"
#include "common/text.h"
#include "persist/service_parts.h"

#define SERIES_SPARE 16 /* histograms, and the registry's own */

/* Everything that is told, as read on the loop's thread. */
struct shown {
    struct journal_stats journal;
    struct motion_stats motion;
    struct grants_stats grants;
    struct pg_stats pg, read_pg, look_pg, upkeep_pg;
    struct redis_stats redis;
    struct sessions_stats sessions;
    struct boards_stats boards;
    struct hot_stats hot;
    struct stream_stats stream;
    struct invalidate_stats invalidate;
    struct value_stats value;
    struct peers_stats peers;
    struct roster_stats roster;
    struct reads_stats reads;
    struct upkeep_stats upkeep;
    struct zones_stats zones;
    struct fences_stats fences;
    struct documents_stats documents;
    struct match_keep_stats matches;
    struct clients_stats clients;
    struct commands_stats commands;
    struct http_api_stats http;
    uint64_t grants_lost, scores_dropped;
    uint32_t journal_fill_permille;
    bool journal_alarm, journal_full;
};

#define COUNTER   METRIC_COUNTER
#define GAUGE     METRIC_GAUGE
#define AT(field) METRIC_AT(struct shown, field)

/* What is told of each pool. */
#define POOL(name, stats)                                                                                                   \
    {COUNTER, "march_persist_postgres_jobs_total", "pool=\"" name "\"", "Jobs for PostgreSQL", AT(stats.jobs)},             \
        {COUNTER, "march_persist_postgres_done_total", "pool=\"" name "\"", "Jobs committed", AT(stats.done)},              \
        {COUNTER, "march_persist_postgres_unavailable_total", "pool=\"" name "\"", "Jobs refused or surely not done",       \
         AT(stats.unavailable)},                                                                                            \
        {COUNTER, "march_persist_postgres_unknown_total", "pool=\"" name "\"", "Jobs whose outcome is unknown",             \
         AT(stats.unknown)},                                                                                                \
        {COUNTER, "march_persist_postgres_conflicts_total", "pool=\"" name "\"", "Jobs rolled back by a conflict",          \
         AT(stats.conflicts)},                                                                                              \
        {COUNTER, "march_persist_postgres_invalid_total", "pool=\"" name "\"", "Jobs refused by the server",                \
         AT(stats.invalid)},                                                                                                \
        {COUNTER, "march_persist_postgres_full_total", "pool=\"" name "\"", "Jobs refused: too many wait", AT(stats.full)}, \
        {COUNTER, "march_persist_postgres_tripped_total", "pool=\"" name "\"", "Jobs refused by the circuit breaker",       \
         AT(stats.tripped)},                                                                                                \
        {COUNTER, "march_persist_postgres_retries_total", "pool=\"" name "\"", "Reads sent again", AT(stats.retries)},      \
        {COUNTER, "march_persist_postgres_connects_total", "pool=\"" name "\"", "Connections made", AT(stats.connects)},    \
        {COUNTER, "march_persist_postgres_connect_failures_total", "pool=\"" name "\"", "Connections that failed",          \
         AT(stats.connect_failures)},                                                                                       \
        {COUNTER, "march_persist_postgres_losses_total", "pool=\"" name "\"", "Connections lost", AT(stats.losses)},        \
        {GAUGE, "march_persist_postgres_connections", "pool=\"" name "\"", "Connections that are ready", AT(stats.ready)},  \
        {GAUGE, "march_persist_postgres_queued", "pool=\"" name "\"", "Jobs that wait", AT(stats.queued)}, {                \
        GAUGE, "march_persist_postgres_breaker", "pool=\"" name "\"", "The circuit breaker: 0 closed, 1 open, 2 half-open", \
            AT(stats.breaker)                                                                                               \
    }

#define GROUPS_HELP  "Groups of documents that the matchmaker has kept together"
#define SETTLED_HELP "Players who were asked to be settled, by what became of it"

static const struct metric_row rows[] = {
    {COUNTER, "march_persist_journal_records_total", NULL, "Records appended to the journal", AT(journal.records)},
    {COUNTER, "march_persist_journal_refused_total", NULL, "Records refused because the journal was full",
     AT(journal.refused)},
    {COUNTER, "march_persist_journal_blocks_total", NULL, "Blocks made durable", AT(journal.blocks)},
    {COUNTER, "march_persist_journal_raw_bytes_total", NULL, "Bytes of records made durable", AT(journal.raw_bytes)},
    {COUNTER, "march_persist_journal_stored_bytes_total", NULL, "Bytes written for them", AT(journal.stored_bytes)},
    {COUNTER, "march_persist_journal_stalls_total", NULL, "Blocks that waited for the next segment", AT(journal.stalls)},
    {COUNTER, "march_persist_journal_no_space_total", NULL, "Times that no segment could be had", AT(journal.no_space)},
    {GAUGE, "march_persist_journal_segments", NULL, "Segments of the journal", AT(journal.segments)},
    {GAUGE, "march_persist_journal_used_bytes", NULL, "Bytes of segments in use", AT(journal.used_bytes)},
    {GAUGE, "march_persist_journal_fill_permille", NULL, "How much of journal_bytes_max is used", AT(journal_fill_permille)},
    {GAUGE, "march_persist_journal_alarm", NULL,
     "1 while more than half of journal_bytes_max is used, or the disk has no room for a segment", AT(journal_alarm)},
    {GAUGE, "march_persist_journal_full", NULL, "1 while the journal takes no records", AT(journal_full)},
    {COUNTER, "march_persist_motion_reported_total", NULL, "States that zones reported", AT(motion.reported)},
    {COUNTER, "march_persist_motion_journaled_total", NULL, "States journaled", AT(motion.journaled)},
    {COUNTER, "march_persist_motion_stale_epoch_total", NULL, "States refused: of a session that is over",
     AT(motion.stale_epoch)},
    {COUNTER, "march_persist_motion_stale_tick_total", NULL, "States refused: older than what is known",
     AT(motion.stale_tick)},
    {COUNTER, "march_persist_motion_invalid_total", NULL, "States refused: out of range", AT(motion.invalid)},
    {COUNTER, "march_persist_motion_refused_total", NULL, "States refused: too many players", AT(motion.refused)},
    {COUNTER, "march_persist_motion_coalesced_total", NULL, "States kept in memory alone, the journal being full",
     AT(motion.coalesced)},
    {COUNTER, "march_persist_motion_replayed_total", NULL, "Records of the journal at the start", AT(motion.replayed)},
    {COUNTER, "march_persist_motion_flushes_total", NULL, "Flushes to PostgreSQL", AT(motion.flushes)},
    {COUNTER, "march_persist_motion_flush_failures_total", NULL, "Flushes that failed", AT(motion.flush_failures)},
    {COUNTER, "march_persist_motion_rows_total", NULL, "Rows of motion written", AT(motion.rows)},
    {COUNTER, "march_persist_motion_hot_total", NULL, "States given to Redis", AT(motion.hot)},
    {COUNTER, "march_persist_motion_loads_total", NULL, "Players asked for", AT(motion.loads)},
    {COUNTER, "march_persist_motion_load_hits_total", NULL, "Of these, answered from memory", AT(motion.load_hits)},
    {COUNTER, "march_persist_motion_load_hot_total", NULL, "Of these, answered by what Redis had, PostgreSQL being away",
     AT(motion.load_hot)},
    {COUNTER, "march_persist_motion_load_failures_total", NULL, "Of these, not answered", AT(motion.load_failures)},
    {COUNTER, "march_persist_motion_evicted_total", NULL, "Players dropped from memory", AT(motion.evicted)},
    {GAUGE, "march_persist_motion_players", NULL, "Players in memory", AT(motion.players)},
    {GAUGE, "march_persist_motion_dirty", NULL, "Players that PostgreSQL has an older state of", AT(motion.dirty)},
    {GAUGE, "march_persist_motion_unjournaled", NULL, "Players whose state only memory has", AT(motion.unjournaled)},
    {COUNTER, "march_persist_grants_added_total", NULL, "Loot taken", AT(grants.added)},
    {COUNTER, "march_persist_grants_refused_total", NULL, "Loot refused for want of room", AT(grants.refused)},
    {COUNTER, "march_persist_grants_replayed_total", NULL, "Loot taken from the journal at the start", AT(grants.replayed)},
    {COUNTER, "march_persist_grants_applied_total", NULL, "Loot that PostgreSQL has", AT(grants.applied)},
    {COUNTER, "march_persist_grants_retries_total", NULL, "Loot tried again", AT(grants.retries)},
    {COUNTER, "march_persist_grants_lost_total", NULL, "Loot that its player had no room for, all of it or a part",
     AT(grants_lost)},
    {GAUGE, "march_persist_grants_waiting", NULL, "Loot that PostgreSQL does not have yet", AT(grants.waiting)},
    POOL("primary", pg),
    POOL("reads", read_pg),
    POOL("lookups", look_pg),
    POOL("upkeep", upkeep_pg),
    {COUNTER, "march_persist_redis_commands_total", NULL, "Commands for Redis", AT(redis.commands)},
    {COUNTER, "march_persist_redis_answers_total", NULL, "Commands answered", AT(redis.answers)},
    {COUNTER, "march_persist_redis_refusals_total", NULL, "Commands refused by the server", AT(redis.refusals)},
    {COUNTER, "march_persist_redis_unavailable_total", NULL, "Commands refused at once", AT(redis.unavailable)},
    {COUNTER, "march_persist_redis_unknown_total", NULL, "Commands whose outcome is unknown", AT(redis.unknown)},
    {COUNTER, "march_persist_redis_full_total", NULL, "Commands refused: too many in flight", AT(redis.full)},
    {COUNTER, "march_persist_redis_connects_total", NULL, "Connections made", AT(redis.connects)},
    {COUNTER, "march_persist_redis_losses_total", NULL, "Connections lost", AT(redis.losses)},
    {COUNTER, "march_persist_redis_connect_failures_total", NULL, "Connections that failed", AT(redis.connect_failures)},
    {GAUGE, "march_persist_redis_available", NULL, "1 while Redis can be used", AT(redis.available)},
    {GAUGE, "march_persist_redis_in_flight", NULL, "Commands under way", AT(redis.in_flight)},
    {GAUGE, "march_persist_redis_breaker", NULL, "The circuit breaker: 0 closed, 1 open, 2 half-open", AT(redis.breaker)},
    {COUNTER, "march_persist_sessions_claims_total", NULL, "Sessions claimed", AT(sessions.claims)},
    {COUNTER, "march_persist_sessions_repeats_total", NULL, "Claims that were repeated", AT(sessions.repeats)},
    {COUNTER, "march_persist_sessions_takeovers_total", NULL, "Claims that ended another session", AT(sessions.takeovers)},
    {COUNTER, "march_persist_sessions_tokens_used_total", NULL, "Claims refused: their token was used",
     AT(sessions.tokens_used)},
    {COUNTER, "march_persist_sessions_unavailable_total", NULL, "Claims that could not be decided",
     AT(sessions.unavailable)},
    {COUNTER, "march_persist_sessions_full_total", NULL, "Claims refused: too many", AT(sessions.full)},
    {COUNTER, "march_persist_sessions_expired_total", NULL, "Sessions that were not refreshed", AT(sessions.expired)},
    {COUNTER, "march_persist_sessions_stale_total", NULL, "Refreshes of sessions that are over", AT(sessions.stale)},
    {COUNTER, "march_persist_sessions_refresh_failures_total", NULL, "Batches of refreshes that a store did not take",
     AT(sessions.refresh_failures)},
    {COUNTER, "march_persist_sessions_token_overflows_total", NULL, "Tokens that memory had no room for",
     AT(sessions.token_overflows)},
    {COUNTER, "march_persist_sessions_decided_total", "store=\"redis\"", "Claims by who decided them",
     AT(sessions.by_redis)},
    {COUNTER, "march_persist_sessions_decided_total", "store=\"postgres\"", "Claims by who decided them",
     AT(sessions.by_pg)},
    {COUNTER, "march_persist_sessions_decided_total", "store=\"memory\"", "Claims by who decided them",
     AT(sessions.by_memory)},
    {GAUGE, "march_persist_sessions", NULL, "Sessions", AT(sessions.sessions)},
    {COUNTER, "march_persist_boards_updates_total", NULL, "Scores taken", AT(boards.updates)},
    {COUNTER, "march_persist_boards_full_total", NULL, "Scores refused", AT(boards.full)},
    {COUNTER, "march_persist_boards_redis_failures_total", NULL, "Batches of scores that Redis did not take",
     AT(boards.redis_failures)},
    {COUNTER, "march_persist_boards_pg_failures_total", NULL, "Batches of scores that PostgreSQL did not take",
     AT(boards.pg_failures)},
    {COUNTER, "march_persist_boards_rebuilds_total", NULL, "Times that boards were rebuilt", AT(boards.rebuilds)},
    {COUNTER, "march_persist_boards_reads_total", NULL, "Reads of boards", AT(boards.reads)},
    {COUNTER, "march_persist_boards_read_failures_total", NULL, "Reads of boards that failed", AT(boards.read_failures)},
    {GAUGE, "march_persist_boards_pending", NULL, "Scores that wait", AT(boards.pending)},
    {COUNTER, "march_persist_hot_written_total", NULL, "States written to Redis", AT(hot.written)},
    {COUNTER, "march_persist_hot_write_failures_total", NULL, "States that Redis did not take", AT(hot.write_failures)},
    {COUNTER, "march_persist_stream_published_total", NULL, "Events published", AT(stream.published)},
    {COUNTER, "march_persist_stream_failures_total", NULL, "Pages of events that failed", AT(stream.failures)},
    {GAUGE, "march_persist_stream_lag_events", NULL, "Events in the outbox when it was last read", AT(stream.lag)},
    {GAUGE, "march_persist_stream_lag_ms", NULL, "Age of the oldest of these", AT(stream.lag_ms)},
    {COUNTER, "march_persist_invalidations_published_total", NULL, "Invalidations published", AT(invalidate.published)},
    {COUNTER, "march_persist_invalidations_received_total", NULL, "Invalidations received", AT(invalidate.received)},
    {GAUGE, "march_persist_invalidations_listening", NULL, "1 while invalidations are heard", AT(invalidate.listening)},
    {COUNTER, "march_persist_value_submitted_total", NULL, "Commands of value", AT(value.submitted)},
    {COUNTER, "march_persist_value_answered_total", NULL, "Commands answered", AT(value.answered)},
    {COUNTER, "march_persist_value_repeated_total", NULL, "Commands answered as the first time", AT(value.repeated)},
    {COUNTER, "march_persist_value_batches_total", NULL, "Batches of commands", AT(value.batches)},
    {COUNTER, "march_persist_value_stored_total", NULL, "Batches stored", AT(value.stored)},
    {COUNTER, "march_persist_value_events_total", NULL, "Events of value", AT(value.events)},
    {COUNTER, "march_persist_value_conflicts_total", NULL, "Batches taken back by a conflict", AT(value.conflicts)},
    {COUNTER, "march_persist_value_key_conflicts_total", NULL, "Batches taken back by a known key", AT(value.key_conflicts)},
    {COUNTER, "march_persist_value_unknown_outcomes_total", NULL, "Batches whose outcome had to be read back",
     AT(value.unknown_outcomes)},
    {COUNTER, "march_persist_value_failures_total", NULL, "Batches that failed", AT(value.failures)},
    {COUNTER, "march_persist_value_refused_busy_total", NULL, "Commands refused: too many wait", AT(value.refused_busy)},
    {COUNTER, "march_persist_value_refused_unavailable_total", NULL, "Commands refused: PostgreSQL is away",
     AT(value.refused_unavailable)},
    {COUNTER, "march_persist_value_expired_total", NULL, "Commands past their deadline", AT(value.expired)},
    {COUNTER, "march_persist_value_evicted_total", NULL, "Rows dropped from memory", AT(value.evicted)},
    {COUNTER, "march_persist_value_loads_total", NULL, "Loads of rows", AT(value.loads)},
    {GAUGE, "march_persist_value_queued", NULL, "Commands that wait", AT(value.queued)},
    {GAUGE, "march_persist_value_queued_guild", NULL, "Commands of guilds that wait for their window",
     AT(value.queued_guild)},
    {GAUGE, "march_persist_value_cached_rows", NULL, "Accounts and guilds in memory", AT(value.cached_rows)},
    {GAUGE, "march_persist_value_resident_trades", NULL, "Open trades", AT(value.resident_trades)},
    {GAUGE, "march_persist_value_resident_auctions", NULL, "Open auctions", AT(value.resident_auctions)},
    {GAUGE, "march_persist_value_resident_transfers", NULL, "Transfers to other shards under way",
     AT(value.resident_transfers)},
    {COUNTER, "march_persist_peers_offers_sent_total", NULL, "Transfers offered to other shards", AT(peers.offers_sent)},
    {COUNTER, "march_persist_peers_offers_received_total", NULL, "Transfers offered by other shards",
     AT(peers.offers_received)},
    {COUNTER, "march_persist_peers_answers_sent_total", NULL, "Answers to other shards", AT(peers.answers_sent)},
    {COUNTER, "march_persist_peers_answers_received_total", NULL, "Answers of other shards", AT(peers.answers_received)},
    {COUNTER, "march_persist_peers_notices_dropped_total", NULL, "Notices to players of other shards that were dropped",
     AT(peers.notices_dropped)},
    {COUNTER, "march_persist_peers_bad_total", NULL, "Messages of other shards that were malformed or out of place",
     AT(peers.bad)},
    {GAUGE, "march_persist_peers_up", NULL, "Other shards that are connected", AT(peers.up)},
    {GAUGE, "march_persist_transfers_outstanding", NULL, "Transfers that no shard has answered", AT(peers.outstanding)},
    {COUNTER, "march_persist_players_seen_total", NULL, "Sessions begun by players", AT(roster.seen)},
    {COUNTER, "march_persist_players_written_total", NULL, "Rows of players written", AT(roster.written)},
    {COUNTER, "march_persist_players_dropped_total", NULL, "Players not noted for want of room", AT(roster.dropped)},
    {COUNTER, "march_persist_reads_queries_total", NULL, "Queries of reads", AT(reads.queries)},
    {COUNTER, "march_persist_reads_query_failures_total", NULL, "Queries of reads that failed", AT(reads.query_failures)},
    {COUNTER, "march_persist_reads_refused_total", NULL, "Reads refused: too many", AT(reads.refused)},
    {COUNTER, "march_persist_reads_names_denied_total", NULL, "Names that the filter knew nobody has",
     AT(reads.names_denied)},
    {COUNTER, "march_persist_zones_reports_total", NULL, "Reports of zones", AT(zones.reports)},
    {COUNTER, "march_persist_zones_reports_stale_total", NULL, "Reports of zones without the lease",
     AT(zones.reports_stale)},
    {COUNTER, "march_persist_zones_bad_total", NULL, "Messages of zones that were malformed or out of place", AT(zones.bad)},
    {COUNTER, "march_persist_zones_states_total", NULL, "States in reports", AT(zones.states)},
    {COUNTER, "march_persist_zones_states_stale_total", NULL, "States of sessions that are over", AT(zones.states_stale)},
    {COUNTER, "march_persist_zones_states_passed_total", NULL, "States of players that another zone goes on with",
     AT(zones.states_passed)},
    {COUNTER, "march_persist_zones_fenced_total", NULL, "Zones taken for dead, whose reports are refused",
     AT(zones.leases.fenced)},
    {COUNTER, "march_persist_zones_unacknowledged_total", NULL, "Reports that could not be kept", AT(zones.unacknowledged)},
    {COUNTER, "march_persist_zones_resends_total", NULL, "Times that a zone was asked for all its states",
     AT(zones.resends)},
    {COUNTER, "march_persist_zones_loads_total", NULL, "Players that zones asked for", AT(zones.loads)},
    {COUNTER, "march_persist_zones_loads_refused_total", NULL, "Of these, refused for want of room",
     AT(zones.loads_refused)},
    {COUNTER, "march_persist_zones_grants_total", NULL, "Loot that zones granted", AT(zones.grants)},
    {COUNTER, "march_persist_zones_grants_again_total", NULL, "Loot that zones are to grant again", AT(zones.grants_again)},
    {COUNTER, "march_persist_zones_grants_refused_total", NULL, "Loot refused for good", AT(zones.grants_refused)},
    {COUNTER, "march_persist_zones_effects_total", NULL, "Effects of items told to zones", AT(zones.effects)},
    {COUNTER, "march_persist_zones_effects_lost_total", NULL, "Effects whose player is in no zone", AT(zones.effects_lost)},
    {COUNTER, "march_persist_zones_dropped_total", NULL, "Reports to zones that the bus had no room for", AT(zones.dropped)},
    {GAUGE, "march_persist_zones_up", NULL, "Zones that are connected", AT(zones.up)},
    {GAUGE, "march_persist_zones_players", NULL, "Players in zones", AT(zones.players)},
    {COUNTER, "march_persist_leases_granted_total", NULL, "Leases given under a new epoch", AT(zones.leases.granted)},
    {COUNTER, "march_persist_leases_kept_total", NULL, "Leases given again to their owner", AT(zones.leases.kept)},
    {COUNTER, "march_persist_leases_stale_total", NULL, "Claims of owners that lost their lease", AT(zones.leases.stale)},
    {COUNTER, "march_persist_leases_failures_total", NULL, "Claims that PostgreSQL did not answer",
     AT(zones.leases.failures)},
    {COUNTER, "march_persist_fences_asked_total", NULL, "Fences that the matchmaker asked for", AT(fences.asked)},
    {COUNTER, "march_persist_fences_done_total", NULL, "Fences answered as done", AT(fences.done)},
    {COUNTER, "march_persist_fences_unavailable_total", NULL, "Fences that can't be done now: they are asked for again",
     AT(fences.unavailable)},
    {COUNTER, "march_persist_document_groups_total", "state=\"put\"", GROUPS_HELP, AT(documents.put)},
    {COUNTER, "march_persist_document_groups_total", "state=\"durable\"", GROUPS_HELP, AT(documents.durable)},
    {COUNTER, "march_persist_document_groups_total", "state=\"replayed\"", GROUPS_HELP, AT(documents.replayed)},
    {COUNTER, "march_persist_documents_stored_total", NULL, "Documents of the matchmaker that went into PostgreSQL",
     AT(documents.stored)},
    {COUNTER, "march_persist_documents_transactions_total", NULL, "Transactions of these", AT(documents.transactions)},
    {COUNTER, "march_persist_documents_failures_total", NULL, "Transactions of these that have to be done again",
     AT(documents.failures)},
    {GAUGE, "march_persist_documents_waiting", NULL, "Documents that PostgreSQL does not have yet", AT(documents.waiting)},
    {GAUGE, "march_persist_documents_waiting_bytes", NULL, "Bytes of these", AT(documents.bytes)},
    {COUNTER, "march_persist_match_failures_total", NULL, "Transactions and reads of matches that have to be done again",
     AT(matches.failures)},
    {COUNTER, "march_persist_match_documents_read_total", NULL, "Documents recalled or read", AT(matches.reads)},
    {COUNTER, "march_persist_ratings_read_total", NULL, "Ratings looked up", AT(matches.lookups)},
    {COUNTER, "march_persist_match_settled_total", "result=\"ok\"", SETTLED_HELP, AT(matches.settled)},
    {COUNTER, "march_persist_match_settled_total", "result=\"refused\"", SETTLED_HELP, AT(matches.settles_refused)},
    {GAUGE, "march_persist_match_settling", NULL, "Players whose match is being settled", AT(matches.settling)},
    {GAUGE, "march_persist_match_waiting_bytes", NULL, "Bytes of what the matchmaker asked for that wait",
     AT(matches.waiting_bytes)},
    {COUNTER, "march_persist_clients_claims_total", NULL, "Claims of gateways", AT(clients.claims)},
    {COUNTER, "march_persist_clients_claims_refused_total", NULL, "Claims refused", AT(clients.claims_refused)},
    {COUNTER, "march_persist_clients_claims_unavailable_total", NULL, "Claims to be made again",
     AT(clients.claims_unavailable)},
    {COUNTER, "march_persist_clients_refreshes_total", NULL, "Refreshes of sessions", AT(clients.refreshes)},
    {COUNTER, "march_persist_clients_ends_total", NULL, "Sessions ended by gateways", AT(clients.ends)},
    {COUNTER, "march_persist_clients_ended_total", NULL, "Sessions ended here", AT(clients.ended)},
    {COUNTER, "march_persist_clients_commands_total", NULL, "Commands of clients", AT(clients.commands)},
    {COUNTER, "march_persist_clients_commands_bad_total", NULL, "Commands that were malformed", AT(clients.commands_bad)},
    {COUNTER, "march_persist_clients_commands_stale_total", NULL, "Commands of sessions that are over",
     AT(clients.commands_stale)},
    {COUNTER, "march_persist_clients_messages_total", NULL, "Messages to clients", AT(clients.messages)},
    {COUNTER, "march_persist_clients_dropped_total", NULL, "Messages to gateways that the bus had no room for",
     AT(clients.dropped)},
    {COUNTER, "march_persist_clients_bad_total", NULL, "Messages of gateways that were malformed or out of place",
     AT(clients.bad)},
    {GAUGE, "march_persist_gateways_up", NULL, "Gateways that are connected", AT(clients.up)},
    {COUNTER, "march_persist_commands_busy_total", NULL, "Commands refused: too many are asked", AT(commands.busy)},
    {GAUGE, "march_persist_commands_asked", NULL, "Commands that are not answered yet", AT(commands.asked)},
    {COUNTER, "march_persist_command_results_total", "status=\"ok\"", "Commands answered, by status",
     AT(commands.by_status[0])},
    {COUNTER, "march_persist_command_results_total", "status=\"not_found\"", "Commands answered, by status",
     AT(commands.by_status[1])},
    {COUNTER, "march_persist_command_results_total", "status=\"conflict\"", "Commands answered, by status",
     AT(commands.by_status[2])},
    {COUNTER, "march_persist_command_results_total", "status=\"not_enough\"", "Commands answered, by status",
     AT(commands.by_status[3])},
    {COUNTER, "march_persist_command_results_total", "status=\"no_room\"", "Commands answered, by status",
     AT(commands.by_status[4])},
    {COUNTER, "march_persist_command_results_total", "status=\"forbidden\"", "Commands answered, by status",
     AT(commands.by_status[5])},
    {COUNTER, "march_persist_command_results_total", "status=\"invalid\"", "Commands answered, by status",
     AT(commands.by_status[6])},
    {COUNTER, "march_persist_command_results_total", "status=\"expired\"", "Commands answered, by status",
     AT(commands.by_status[7])},
    {COUNTER, "march_persist_command_results_total", "status=\"unavailable\"", "Commands answered, by status",
     AT(commands.by_status[8])},
    {COUNTER, "march_persist_command_results_total", "status=\"busy\"", "Commands answered, by status",
     AT(commands.by_status[9])},
    {COUNTER, "march_persist_command_results_total", "status=\"journal_full\"", "Commands answered, by status",
     AT(commands.by_status[10])},
    {COUNTER, "march_persist_command_results_total", "status=\"disabled\"", "Commands answered, by status",
     AT(commands.by_status[11])},
    {COUNTER, "march_persist_command_results_total", "status=\"exists\"", "Commands answered, by status",
     AT(commands.by_status[12])},
    {COUNTER, "march_persist_upkeep_runs_total", "task=\"create\"", "Tasks of upkeep done", AT(upkeep.runs[0])},
    {COUNTER, "march_persist_upkeep_failures_total", "task=\"create\"", "Tasks of upkeep that failed",
     AT(upkeep.failures[0])},
    {COUNTER, "march_persist_upkeep_runs_total", "task=\"fold\"", "Tasks of upkeep done", AT(upkeep.runs[1])},
    {COUNTER, "march_persist_upkeep_failures_total", "task=\"fold\"", "Tasks of upkeep that failed", AT(upkeep.failures[1])},
    {COUNTER, "march_persist_upkeep_runs_total", "task=\"stats\"", "Tasks of upkeep done", AT(upkeep.runs[2])},
    {COUNTER, "march_persist_upkeep_failures_total", "task=\"stats\"", "Tasks of upkeep that failed",
     AT(upkeep.failures[2])},
    {COUNTER, "march_persist_upkeep_runs_total", "task=\"clean\"", "Tasks of upkeep done", AT(upkeep.runs[3])},
    {COUNTER, "march_persist_upkeep_failures_total", "task=\"clean\"", "Tasks of upkeep that failed",
     AT(upkeep.failures[3])},
    {COUNTER, "march_persist_upkeep_runs_total", "task=\"close\"", "Tasks of upkeep done", AT(upkeep.runs[4])},
    {COUNTER, "march_persist_upkeep_failures_total", "task=\"close\"", "Tasks of upkeep that failed",
     AT(upkeep.failures[4])},
    {COUNTER, "march_persist_http_answers_total", "class=\"2xx\"", "HTTP answers, by hundreds of the status",
     AT(http.answered[2])},
    {COUNTER, "march_persist_http_answers_total", "class=\"3xx\"", "HTTP answers, by hundreds of the status",
     AT(http.answered[3])},
    {COUNTER, "march_persist_http_answers_total", "class=\"4xx\"", "HTTP answers, by hundreds of the status",
     AT(http.answered[4])},
    {COUNTER, "march_persist_http_answers_total", "class=\"5xx\"", "HTTP answers, by hundreds of the status",
     AT(http.answered[5])},
    {COUNTER, "march_persist_http_full_total", NULL, "HTTP requests refused: too many", AT(http.http.full)},
    {COUNTER, "march_persist_http_expired_total", NULL, "HTTP requests not answered in time", AT(http.http.expired)},
    {COUNTER, "march_persist_scores_dropped_total", NULL, "Scores that boards had no room for", AT(scores_dropped)},
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

struct gauges {
    struct service *service;
    struct metrics *metrics;
    struct shown shown;
    struct histogram *histograms[GAUGES_HISTOGRAM_COUNT];
    union metric_series series[ROW_COUNT];
    struct metric_gauge *ready, *postgres, *flags[FLAG_COUNT];
};

static const struct {
    const char *name, *help;
} histograms[GAUGES_HISTOGRAM_COUNT] = {
    [GAUGES_COMMIT] = {"march_persist_journal_commit_seconds", "From the write of a block until it is durable"},
    [GAUGES_FLUSH] = {"march_persist_motion_flush_seconds", "Time of a flush of motion"},
    [GAUGES_POSTGRES] = {"march_persist_postgres_seconds", "Time of a job of the pool that writes"},
    [GAUGES_REDIS] = {"march_persist_redis_seconds", "Time of a command of Redis"},
};

static void register_all(struct gauges *g) {
    struct metrics *m = g->metrics;
    for (unsigned i = 0; i < GAUGES_HISTOGRAM_COUNT; i++)
        g->histograms[i] = metrics_histogram(m, histograms[i].name, histograms[i].help, NULL, METRIC_UNIT_NS);
    metric_table_register(m, rows, ROW_COUNT, g->series);
    g->ready = metrics_gauge(m, "march_persist_ready", "1 once the journal is recovered and everything is open", NULL);
    g->postgres = metrics_gauge(m, "march_persist_postgres_available", "1 while PostgreSQL can be used", NULL);
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        char labels[METRICS_LABELS_MAX];
        snprintf(labels, sizeof labels, "subsystem=\"%s\"", flags_name((enum flag)i));
        g->flags[i] = metrics_gauge(m, "march_persist_subsystem_on", "1 unless the subsystem is switched off", labels);
    }
}

struct gauges *gauges_create(struct service *service) {
    struct gauges *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    g->service = service;
    g->metrics = metrics_create(ROW_COUNT + GAUGES_HISTOGRAM_COUNT + FLAG_COUNT + SERIES_SPARE, service->entry->name);
    if (!g->metrics) {
        free(g);
        return NULL;
    }
    register_all(g);
    return g;
}

void gauges_destroy(struct gauges *g) {
    if (!g) return;
    metrics_destroy(g->metrics);
    free(g);
}

const struct metrics *gauges_metrics(const struct gauges *g) {
    return g->metrics;
}

struct histogram *gauges_histogram(const struct gauges *g, enum gauges_histogram which) {
    CHECK((unsigned)which < GAUGES_HISTOGRAM_COUNT);
    return g->histograms[which];
}

/* --- mirroring */

static void read_all(const struct service *s, struct shown *shown) {
    double fill = journal_fill(s->journal);
    struct journal_stats journal = journal_stats_get(s->journal);
    *shown = (struct shown){.journal = journal,
                            .motion = motion_stats_get(s->motion),
                            .grants = grants_stats_get(s->grants),
                            .pg = pg_stats_get(s->pg),
                            .read_pg = pg_stats_get(s->read_pg),
                            .look_pg = pg_stats_get(s->look_pg),
                            .upkeep_pg = pg_stats_get(s->upkeep_pg),
                            .redis = redis_stats_get(s->redis),
                            .sessions = sessions_stats_get(s->sessions),
                            .boards = boards_stats_get(s->boards),
                            .hot = hot_stats_get(s->hot),
                            .stream = stream_stats_get(s->stream),
                            .invalidate = invalidate_stats_get(s->invalidate),
                            .value = *value_stats(s->value),
                            .peers = peers_stats(s->peers),
                            .roster = roster_stats(s->roster),
                            .reads = reads_stats_get(s->reads),
                            .upkeep = upkeep_stats_get(s->upkeep),
                            .zones = zones_stats(s->zones),
                            .fences = fences_stats(s->fences),
                            .documents = documents_stats_get(s->documents),
                            .matches = match_keep_stats_get(s->matches),
                            .clients = clients_stats(s->clients),
                            .commands = commands_stats(s->commands),
                            .http = http_api_stats_get(s->http),
                            .grants_lost = s->grants_lost,
                            .scores_dropped = s->scores_dropped,
                            .journal_fill_permille = (uint32_t)(fill * 1000),
                            .journal_alarm = fill > GAUGES_ALARM_FILL || journal.is_short,
                            .journal_full = journal_is_full(s->journal)};
}

static void warn_of_journal(const struct shown *before, const struct shown *now) {
    if (now->journal_alarm && !before->journal_alarm)
        log_error("journal.filling", "fill_permille=%u no_room_on_disk=%d full=%d", now->journal_fill_permille,
                  now->journal.is_short, now->journal_full);
    if (now->journal_full && !before->journal_full)
        log_error("journal.full", "used_bytes=%" PRIu64, now->journal.used_bytes);
    if (!now->journal_alarm && before->journal_alarm)
        log_info("journal.relieved", "fill_permille=%u", now->journal_fill_permille);
}

void gauges_mirror(struct gauges *g) {
    struct shown before = g->shown;
    read_all(g->service, &g->shown);
    warn_of_journal(&before, &g->shown);
    metric_table_mirror(rows, ROW_COUNT, &g->shown, g->series);
    gauge_set(g->ready, 1);
    gauge_set(g->postgres, pg_is_available(g->service->pg));
    for (unsigned i = 0; i < FLAG_COUNT; i++) gauge_set(g->flags[i], flags_is_on(&g->service->flags, (enum flag)i));
}

/* --- /status: on the HTTP thread, from the metrics alone */

static void append_times(struct text *text, const char *key, const struct histogram *h) {
    text_append(text, "\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f},", key, (double)histogram_quantile(h, 0.5) / 1e3,
                (double)histogram_quantile(h, 0.99) / 1e3, (double)histogram_max(h) / 1e3);
}

static void append_row(struct text *text, const struct gauges *g, unsigned i) {
    const char *name = rows[i].name + sizeof "march_persist_" - 1;
    const char *label = rows[i].labels ? strchr(rows[i].labels, '"') + 1 : "";
    text_append(text, "\"%s%s%.*s\":", name, rows[i].labels ? "." : "", (int)strcspn(label, "\""), label);
    if (rows[i].kind == COUNTER) {
        text_append(text, "%" PRIu64 ",", counter_value(g->series[i].counter));
    } else {
        text_append(text, "%" PRId64 ",", gauge_value(g->series[i].gauge));
    }
}

int gauges_status(void *context, char *buf, size_t size) {
    const struct gauges *g = context;
    struct text text;
    text_init(&text, buf, size);
    bool ready = gauge_value(g->ready) != 0;
    text_append(&text, "{\"persist\":\"%s\",\"shard\":%u,\"state\":\"%s\",\"postgres\":%s,", g->service->entry->name,
                g->service->index, ready ? "ready" : "waiting for PostgreSQL", gauge_value(g->postgres) ? "true" : "false");
    append_times(&text, "journal_commit_us", g->histograms[GAUGES_COMMIT]);
    append_times(&text, "motion_flush_us", g->histograms[GAUGES_FLUSH]);
    append_times(&text, "postgres_us", g->histograms[GAUGES_POSTGRES]);
    append_times(&text, "redis_us", g->histograms[GAUGES_REDIS]);
    text_append(&text, "\"counters\":{");
    for (unsigned i = 0; i < ROW_COUNT; i++) append_row(&text, g, i);
    text.len--; /* the last comma */
    text_append(&text, "}}\n");
    return text_finish(&text);
}
