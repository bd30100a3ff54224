/* desk.h: where players ask for matches: tickets, parties, matches and what comes of them, whichever way they ask.
 *
 *   ticket  ENTERING ──rated, document durable──► in the queue (queue.h) ──matched──► an instance (instances.h)
 *   match   instance over ──► teams ranked, ratings made ──► each player settled by its persist, once ──► result kept,
 * closed
 *
 * Sans-I/O. It owns the queue, and uses keep and instances. A ticket belongs to its players: it lives on whether anybody is
 * connected or not, and after a restart of the matchmaker it is back in the queue with the time that it waited. Its document
 * stays until somebody has come to its match, and that of an instance counts for more: so after a crash a player waits or
 * has a match, never both and never neither.
 *
 * A match that nobody can come to, for its zone has no room for it or died, has its tickets wait again with the time that
 * they waited (desk_held.c). Who leaves a match leaves it for good, by himself or by being away for long from one that
 * others may join: he gains nothing, is rated as having lost, and may queue again when the match is over; his place is
 * filled where the mode says so.
 *
 * Ratings are those that persist had when the ticket entered; it is not asked for those that the desk has settled itself,
 * the newest million of them (rating_cache.h). Nobody has two matches at once, so they are the ratings that the result
 * changes. A ticket of a party is of its leader, who alone may enter and cancel it. Who was asked and declines or is silent
 * loses his ticket; a member of a party takes the party's ticket along.
 *
 * What persist can't settle within a second, as while it is away, is *owed*: it is kept, settled when that can be,
 * and keeps nobody from the next match, which takes the rating that is owed (desk_debts.c).
 *
 * A party ends when its players have. Who asks nothing for an hour (by a message or a request), and neither waits nor plays,
 * leaves his party; after a restart the hour begins anew. Invitations end after a minute, are as many as the party has
 * places, and where there are too many in all the oldest of the party that invites most is taken back, or who invites most
 * is refused.
 *
 * Modes and templates are given as whole sets, and may be given anew at any time: tickets of a mode that is gone end as
 * UNKNOWN_MODE, tickets of a mode that changed go on under it with the time they waited.
 *
 * What a player is told is told by on_tell, as the message for a client; the same state is what desk_ticket and so on return
 * for HTTP. Every change of a ticket raises desk_ticket_version, so that a long poll knows when to answer.
 *
 * Limits: DESK_TICKETS_MAX, and DESK_RECENT_MAX tickets that ended and can still be asked for. Events come from within the
 * calls; their receiver must not call the desk.
 */
#ifndef MARCH_MATCHMAKER_DESK_H
#define MARCH_MATCHMAKER_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "matchmaker/instances.h"
#include "matchmaker/keep.h"
#include "matchmaker/mode_file.h"
#include "matchmaker/queue.h"
#include "matchmaker/rating.h"
#include "matchmaker/template_file.h"
#include "schemas/wire.h"

#define DESK_TICKETS_MAX (1u << 20)
#define DESK_RECENT_MAX  65536
#define DESK_PARTY_MAX   QUEUE_PARTY_MAX

struct desk_config {
    struct keep *keep; /* these two outlive it */
    struct instances *instances;
    uint32_t region_count; /* 1 to QUEUE_REGIONS_MAX */
    char regions[QUEUE_REGIONS_MAX][WIRE_NAME_MAX + 1];
    uint32_t tickets_max;
    uint32_t season;
    uint64_t seed;
    void (*on_tell)(void *context, uint64_t player, const struct wire_server_message *message);
    void (*on_change)(void *context, uint64_t ticket); /* desk_ticket says something else from now on */
    void *context;
};

struct desk_request {
    uint64_t player; /* who asks: the leader, where it is a party */
    const char *mode;
    uint32_t roles; /* by bit; 0: any */
    uint32_t latency_count;
    const struct desk_latency {
        uint32_t region;
        uint16_t ms;
    } * latencies; /* regions not named: QUEUE_UNREACHABLE_MS; none named: all are near */
    uint32_t avoid_count;
    const uint64_t *avoid;
};

/* A ticket as its players may see it. */
struct desk_ticket {
    uint64_t id, version, player;
    char mode[WIRE_MODE_NAME_MAX + 1];
    char region[WIRE_NAME_MAX + 1];
    enum wire_ticket_state state;
    enum wire_ticket_reason reason;
    uint64_t entered_ms; /* Unix time */
    uint32_t waited_ms, estimate_ms, position, queued, window, ready_ms;
    uint32_t instance; /* MATCHED */
    uint32_t player_count;
    uint64_t players[DESK_PARTY_MAX];
    bool is_ready[DESK_PARTY_MAX];
    uint32_t teams[DESK_PARTY_MAX]; /* MATCHED */
    int32_t rating;
    bool is_provisional;
};

struct desk_party {
    uint64_t leader; /* 0: none */
    uint64_t mark;   /* of keep.h: from then on it would survive as it is */
    uint32_t member_count, invited_count;
    uint64_t members[DESK_PARTY_MAX], invited[DESK_PARTY_MAX];
};

/* What a match came to; kept as a document. */
struct desk_result {
    uint32_t instance;
    char template_name[TEMPLATE_NAME_SIZE], mode[WIRE_MODE_NAME_MAX + 1];
    enum instance_end end;
    uint32_t goal, team_count, player_count;
    uint64_t started_ms, lasted_ms;
    uint32_t scores[WIRE_TEAMS_MAX], ranks[WIRE_TEAMS_MAX];
    struct desk_result_player {
        uint64_t player;
        uint32_t team;
        uint16_t kills, deaths;
        bool has_come, is_won, has_left; /* has_left: for good, before it was over */
        int32_t points_before, points_after;
        uint32_t gold, item_kind, item_count;
    } players[WIRE_INSTANCE_PLAYERS_MAX];
};

struct desk_stats {
    uint64_t entered, refused[WIRE_REASON_COUNT], ended[QUEUE_END_COUNT], matches, left, settled, results;
    uint32_t tickets, parties, settling, owed; /* owed: to players, of matches that are forgotten already */
};

struct desk;

must_check int desk_create(struct desk **desk, const struct desk_config *config, struct mono now);
void desk_destroy(struct desk *desk);

/* desk_set_modes gives it modes and templates. MARCH_ERR_INVALID, with nothing changed and a line in `error`, where a mode
 * names a template that is not there or has not the room for its players. */
must_check int desk_set_modes(struct desk *desk, const struct mode_set *modes, const struct template_set *templates,
                              struct mono now, char *error, size_t error_size);

/* --- from keep and instances: their handlers pass on to these */

void desk_recalled(struct desk *desk, const struct wire_document *document, const uint8_t *bytes, uint64_t wall_ms);
void desk_ready(struct desk *desk, struct mono now, uint64_t wall_ms);
void desk_rating(struct desk *desk, const struct wire_rating *rating, struct mono now, uint64_t wall_ms);
void desk_settled(struct desk *desk, uint64_t match, uint64_t player, bool is_done);
void desk_instance(struct desk *desk, enum instances_event_kind kind, const struct instance_view *view, uint64_t player,
                   struct mono now, uint64_t wall_ms);

/* desk_step lets time pass, some milliseconds' worth at most; true when more is due at once. */
bool desk_step(struct desk *desk, struct mono now, uint64_t wall_ms);

/* --- what players want. The reason why not, WIRE_REASON_NONE where it is done. */

enum wire_ticket_reason desk_enter(struct desk *desk, const struct desk_request *request, struct mono now, uint64_t wall_ms,
                                   uint64_t *ticket);
enum wire_ticket_reason desk_cancel(struct desk *desk, uint64_t ticket, uint64_t player, struct mono now);
enum wire_ticket_reason desk_answer(struct desk *desk, uint64_t player, bool is_ready, struct mono now);
/* desk_leave takes a player out of the match that it is in, for good: it goes home. NOT_FOUND where there is none. */
enum wire_ticket_reason desk_leave(struct desk *desk, uint64_t player, struct mono now);
enum wire_ticket_reason desk_party(struct desk *desk, uint64_t player, enum wire_party_verb verb, uint64_t other,
                                   struct mono now);

/* desk_message does what a player in the world asks by a reliable message, and tells it what came of it. */
void desk_message(struct desk *desk, uint64_t player, const struct wire_client_message *message, struct mono now,
                  uint64_t wall_ms);

/* desk_launch launches an instance for an authorised caller: of a template, with overrides applied by the caller, for a
 * region or INSTANCES_ANYWHERE. Tickets of its players are matched by it: they end when somebody has come, and wait on with
 * the time that they waited where nobody can, or the launch is taken back (instances_end). One that others are in, too,
 * ends. The errors of instances_launch. */
must_check int desk_launch(struct desk *desk, const struct template *template, uint32_t region, const uint64_t *players,
                           uint32_t count, struct mono now, uint64_t wall_ms, uint32_t *id);

/* --- looking in */

/* desk_ticket_get finds a ticket by id, also one that ended not long ago; desk_ticket_of by player, one that lives.
 * `is_durable`: it would survive a restart, and may be shown. */
bool desk_ticket_get(const struct desk *desk, uint64_t ticket, struct mono now, uint64_t wall_ms, struct desk_ticket *out);
uint64_t desk_ticket_of(const struct desk *desk, uint64_t player);
bool desk_ticket_is_durable(const struct desk *desk, uint64_t ticket);
/* desk_match_of_player returns the instance of the match that keeps a player from queueing, also while what it came to is
 * settled; 0: none. `ticket`: by which he came into it, 0 where there is none that is still known. */
uint32_t desk_match_of_player(const struct desk *desk, uint64_t player, uint64_t *ticket);
struct desk_party desk_party_of(const struct desk *desk, uint64_t player);
const struct template_set *desk_templates(const struct desk *desk);
const struct mode_set *desk_modes(const struct desk *desk);

/* desk_result_read reads a result's document. */
must_check int desk_result_read(const uint8_t *bytes, uint32_t len, struct desk_result *result);
struct desk_stats desk_stats_get(const struct desk *desk);

#endif
