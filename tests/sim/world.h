/* world.h: a whole cluster in one process, out of the real machines that decide who has what, on a made-up network, clock,
 * disk and database, with players who walk, and faults. What a seed draws is all there is to a run, so it can be run again.
 *
 *   network.c     connections: delay, loss, partition; what is on its way when they end
 *   process.c     who lives, is stopped or slow; turns
 *   zone.c        a zone around handoff.h and book.h: what crossing.c, neighbours.c and registrar.c do, in small
 *   body.c        players in a zone, as sim.h has them for book.h: where they stand, inputs, loot
 *   reporter.c    a zone's reports to persist
 *   gateway.c     a gateway around transfer.h, session.h, compass.h: what routing.c, admission.c and guide.c do
 *   packets.c     between gateways and clients: channel.h on both sides, packets lost, late and twice
 *   sight.c       view.h in zones, snapshot.h in clients, and what a client must see
 *   matchmaker.c  the atlas, told and asked; an operator
 *   shard.c       a persist around motion.h and grants.h: what zones.c, leases.c and sessions.c do
 *   disk.c        journal.h on a made-up disk, which keeps what was durable
 *   database.c    pg.h on a made-up PostgreSQL, which is away, loses answers and what it need not keep
 *   client.c      players: log in, walk, go to another gateway
 *   faults.c      what goes wrong
 *   check.c       what must hold after each step, and when all is quiet
 *   run.c         a run of a seed; main.c: many
 *
 * Limits are the constants here; a run that passes one fails. One world at a time, no threads.
 */
#ifndef MARCH_TESTS_SIM_WORLD_H
#define MARCH_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/snapshot.h"
#include "gateway/compass.h"
#include "gateway/transfer.h"
#include "matchmaker/atlas.h"
#include "persist/grants.h"
#include "persist/journal.h"
#include "persist/motion.h"
#include "persist/pg.h"
#include "schemas/directory.h"
#include "zone/book.h"
#include "zone/handoff.h"
#include "zone/input.h"
#include "zone/view.h"

#define SLOTS    5
#define RECTS    3 /* slots that have a part of the world in the beginning; the others are spares */
#define GATEWAYS 2
#define SHARDS   2
#define PLAYERS  5
#define FIRST_ID 101 /* of players; some are of each shard */

#define NODE_GATEWAY    SLOTS
#define NODE_MATCHMAKER (NODE_GATEWAY + GATEWAYS)
#define NODE_SHARD      (NODE_MATCHMAKER + 1)
#define NODES           (NODE_SHARD + SHARDS)

#define STEP_MS      5
#define BUSY_MS      12000 /* of a run, with faults */
#define SETTLE_MS    9000  /* and without */
#define TICK_MS      20    /* of a zone */
#define MATCH_MS     20    /* a turn of the matchmaker */
#define REPORT_MS    100   /* to the matchmaker */
#define STATE_MS     200   /* to persist */
#define CLAIM_MS     300   /* between two claims of a lease */
#define SNAPSHOT_MS  40
#define RECONNECT_MS 500
#define SILENCE_MS   700
#define HEARTBEAT_MS 250 /* without anything a connection is lost */
#define KEEP_MS      1500
#define LINK_DEAD_MS 3000
#define LEFT_MAX     64  /* detaches that a gateway remembers */
#define PIPE_MAX     512 /* messages */
#define VERSIONS_MAX 1024
#define DEAD_MAX     64    /* incarnations that a shard has fenced */
#define SIDE_M       48    /* the world is RECTS * SIDE_M wide */
#define SPLITS_MAX   SLOTS /* partitions */
#define OWNERS_MAX   4096
#define PARCELS_MAX  1024 /* reports between zones and persists that are under way */
#define STATES_MAX   32   /* of a report */
#define GRANTS_MOST  64
#define LOADS_MAX    64
#define WAITING_MAX  256 /* loot that a persist has not made durable yet */
#define ACKS_MAX     64
#define SENT_MAX     256  /* states that a zone has reported */
#define RECORDS_MAX  8192 /* of a journal in a run */
#define JOBS_MAX     64   /* of a database */
#define LOOT_MAX     1024
#define DATAGRAM_MAX 384
#define DATAGRAMS    32 /* on their way to a player, and as many from it */
#define TICKS_KEPT   256
#define WINDOW       256 /* inputs that a state remembers */
#define NOBODY       UINT32_MAX

/* --- messages; those of a batch are read in the order of these */

enum kind {
    ATTACHED,
    ACTIVATED,
    SNAPSHOT,
    REROUTE,
    FORGOTTEN,
    DETACHED,
    ATTACH,
    ACTIVATE,
    ROUTED,
    DETACH,
    INPUT,
    ACK,
    OFFER,
    OFFER_ANSWER,
    QUERY,
    QUERY_ANSWER,
    GIVE,
    GIVEN,
    WORKER_REPORT,
    GATEWAY_REPORT,
    DIRECTORY,
    FENCE,
    FENCED,
    ZONE_REPORT,
    PERSIST_REPORT,
    CLAIM,
    REFRESH,
    CLAIMED,
    TAKEN_OVER
};

struct message {
    uint64_t deliver_ms;
    uint32_t batch;
    enum kind kind;
    union {
        struct wire_attach attach; /* also CLAIM, REFRESH, TAKEN_OVER */
        struct wire_attached attached;
        struct wire_carried carried;
        struct wire_activated activated;
        struct wire_routed routed;
        struct wire_offer offer;
        struct wire_offer_answer offer_answer;
        struct wire_query query;
        struct wire_give give;
        struct wire_given given;
        struct wire_input input;
        struct wire_fence fence;
        struct wire_detach detach;
        uint64_t session;
        uint32_t version; /* place in world.versions */
        uint64_t parcel;  /* number of a report in world.parcels */
        struct {
            uint64_t session;
            uint16_t seq;
        } ack;
        struct {
            uint64_t session;
            uint16_t seq, len;
            uint8_t bytes[VIEW_BYTES_MIN];
        } snapshot;
        struct {
            uint32_t held, players, hold_count; /* held: as version, NOBODY where none is told */
            uint64_t version;
            struct wire_hold holds[SPLITS_MAX];
        } report;
        struct {
            struct wire_attach asked;
            bool is_known;
            int32_t x, y;
            uint32_t zone; /* that has it, or NOBODY */
        } claimed;
    };
};

/* A report, from a zone to a persist or back; the arrays are those that it names. */
struct parcel {
    uint64_t number;
    struct wire_zone_report up;
    struct wire_persist_report down;
    struct wire_player_load loads[STATES_MAX];
    struct wire_player_state states[STATES_MAX];
    uint32_t attachments[STATES_MAX];
    struct wire_loot_grant grants[GRANTS_MOST];
    struct wire_player_loaded loaded[STATES_MAX];
    struct wire_grant_answer granted[GRANTS_MOST];
};

/* --- the network */

enum way_state { WAY_NONE = 0, WAY_OPENING, WAY_OPEN, WAY_BROKEN };

struct pipe { /* from one node to another */
    struct message list[PIPE_MAX];
    uint32_t head, count, unsent; /* the last `unsent` are not flushed */
    uint32_t batch;
    uint64_t last_ms; /* when the newest will come */
};

struct end {
    bool is_up;
    uint64_t due_ms; /* when it comes up, or notices the loss; 0: neither */
    uint64_t peer;   /* incarnation at the other end */
};

struct connection {
    uint32_t nodes[2];
    enum way_state state;
    uint64_t open_ms;
    uint64_t blocked_ms; /* nothing goes through until then */
    uint64_t since_ms;   /* since when; 0: it is not blocked */
    struct end ends[2];
};

/* --- processes */

struct process {
    bool is_alive;
    uint64_t incarnation;
    uint64_t start_ms;             /* when a dead one is started */
    uint64_t turn_ms;              /* its next turn */
    uint64_t stopped_ms, since_ms; /* it does nothing until then, and since when */
    uint64_t slow_ms;              /* its turns take longer until then */
};

struct body { /* a player that a zone simulates */
    bool is_here;
    uint32_t gateway; /* HANDOFF_GATEWAY_NONE: it is link-dead, */
    uint64_t dead_ms; /* since then */
    uint64_t session;
    uint32_t attachment;
    uint16_t generation; /* of its entity's index */
    int32_t x, y;        /* metres */
    uint64_t entity;
    struct input_queue inputs;
    uint64_t applied;         /* inputs that this state is made of; travels, and lasts as its experience */
    uint8_t seen[WINDOW / 8]; /* the newest of them, as bits */
};
_Static_assert(WINDOW / 8 + sizeof(uint64_t) <= WIRE_CARRIED_RULES_BYTES, "what a state is made of travels in its rules");

enum lease { LEASE_NONE = 0, LEASE_ASKED, LEASE_HELD };

struct sent { /* a state that was reported, until it is known to be durable */
    uint64_t seq, epoch, tick;
    uint32_t shard, player;
};

struct zone {
    uint32_t slot, held; /* held: place of the newest directory it has, NOBODY: none */
    struct directory directory;
    bool is_listed, is_new; /* is_new: nothing was told to the matchmaker in this connection */
    uint64_t report_ms, state_ms, snapshot_ms;
    struct handoff *handoff;
    struct book *book;
    struct views *views;
    struct grid *grid;
    struct sim_watcher watcher;
    struct body bodies[PLAYERS];
    struct {
        enum lease lease;
        uint64_t epoch; /* held, or held before the connection was lost */
        uint64_t claim_ms;
        uint64_t seq, peer; /* of the newest report, to this incarnation */
    } shards[SHARDS];
    struct sent sent[SENT_MAX];
    uint32_t sent_count;
    struct {
        bool is_heard;
        uint64_t before; /* incarnation that was heard */
    } peers[SLOTS];
    struct {
        uint64_t before; /* incarnation that was connected last */
        uint64_t alive;  /* incarnation whose players are here */
        uint64_t lost_ms;
    } gateways[GATEWAYS];
};

struct gateway {
    uint32_t index, held;
    bool is_new;
    uint64_t report_ms;
    struct session_table sessions;
    struct transfer_table transfers;
    struct compass compass;
    struct {
        struct wire_detach list[LEFT_MAX];
        uint64_t total, told;
        uint64_t incarnation; /* that was connected last */
    } left[SLOTS];
};

struct matchmaker {
    struct atlas atlas;
    uint32_t newest; /* place in world.versions */
    uint32_t told[NODES];
    uint64_t fences_ms;
};

struct load { /* that motion.h answers */
    bool is_used;
    uint32_t shard, zone;
    uint64_t incarnation;
};

/* What a persist has in memory. */
struct shard {
    struct motion *motion;
    struct grants *grants;
    uint64_t epoch;
    struct load loads[LOADS_MAX];
    struct {
        bool is_here;
        uint64_t epoch;
        uint32_t attachment, zone;
    } where[PLAYERS];
    struct {
        uint64_t incarnation, durable_seq;
        bool is_behind;
        uint32_t ack_count;
        struct {
            uint64_t seq, position;
        } acks[ACKS_MAX];
        struct parcel outbox;
        bool is_due;
    } zones[SLOTS];
    struct {
        uint64_t player, key, position, incarnation;
        uint32_t zone;
    } waiting[WAITING_MAX];
    uint32_t waiting_count;
};

struct record {
    uint16_t type, len;
    uint8_t bytes[sizeof(struct wire_player_state)];
};

/* A journal. Up to `durable` a crash leaves it; up to `flying` it may. */
struct journal {
    uint64_t appended, flying, durable, released;
    uint64_t done_ms, full_ms;
    struct record records[RECORDS_MAX]; /* by position - 1 */
};

struct job {                                            /* of a database */
    bool is_used, is_orphan, is_load, is_lazy, is_last; /* orphan: who sent it is dead */
    uint64_t due_ms, epoch, watermark;
    uint32_t count;
    struct wire_player_state rows[PLAYERS]; /* of a load only the players */
    struct wire_loot_grant grant;           /* player 0: none */
    void (*done)(void *ctx, const struct pg_reply *reply);
    void *ctx;
    uint64_t position;
};

struct pg {         /* the database of a shard, and what a crash of it leaves */
    uint64_t epoch; /* of the persist that may write */
    uint64_t away_ms;
    uint64_t failed_ms; /* when a job of reading or writing was last refused, or its answer lost */
    struct tables {
        bool is_there[PLAYERS];
        struct wire_player_state rows[PLAYERS];
        uint64_t watermark;
    } now, safe;
    uint64_t gold[PLAYERS];
    struct {
        uint64_t owner, epoch;
    } leases[SLOTS];
    uint32_t dead_count;
    struct wire_fence dead[DEAD_MAX];
    uint32_t job_count;
    struct job jobs[JOBS_MAX];
};

/* Who is logged in, of all shards: a Redis, which is always there. And what is known of a player, to check. */
struct login {
    uint64_t given;   /* epoch of the newest login */
    uint32_t gateway; /* node, and session, of the newest login */
    uint64_t session;
    uint64_t durable_epoch, durable_tick; /* newest state that a zone was told to be durable */
};

struct loot { /* that a zone has granted */
    struct wire_loot_grant grant;
    bool is_applied, is_durable; /* durable: its zone was told so */
};

struct datagram {
    uint64_t deliver_ms, session;
    uint32_t gateway;
    uint16_t len; /* 0: free */
    uint8_t bytes[DATAGRAM_MAX];
};

struct client {
    uint32_t gateway; /* NOBODY: it has no session */
    uint32_t generations[GATEWAYS];
    uint64_t login_ms, packet_ms, asked_ms, heard_ms;
    uint16_t seq;
    uint8_t moves[FRAME_COMMANDS_MAX]; /* of its newest inputs */
    int32_t goal_x, goal_y;
    int32_t x, y;     /* where a zone saw it last */
    uint16_t applied; /* newest input, by whichever zone */
    uint64_t lived;   /* epoch of the session under which a zone had it last */
    uint64_t sent;    /* inputs, ever */
    bool is_moving;   /* to another gateway, without having left its zone */
    uint64_t session; /* its gateway's name for it */
    struct channel channel;
    struct snapshot_table *table;
    uint32_t tick;      /* of the newest snapshot of this session, */
    uint16_t input_ack; /* and what it says */
    bool has_seen;
    uint64_t dark_ms; /* nothing that it sends arrives until then */
    struct datagram down[DATAGRAMS], up[DATAGRAMS];
    uint32_t down_lost, up_lost; /* in a row */
};

/* --- what goes wrong in a run, beside walks, drains, splits and merges */

struct weather {
    bool is_calm; /* nothing but delay, and packets that are lost one by one */
    bool cuts, deaths, stops, full, leaves;
    uint32_t delay_ms; /* at most */
};

struct world {
    uint64_t seed, random, ms, incarnations;
    bool is_loud, is_quiet;
    bool is_mortal; /* somebody may die in this run, or be taken for dead */
    struct weather weather;
    struct process processes[NODES];
    struct zone zones[SLOTS];
    struct gateway gateways[GATEWAYS];
    struct matchmaker matchmaker;
    struct shard shards[SHARDS];
    struct journal journals[SHARDS];
    struct pg databases[SHARDS];
    struct login logins[PLAYERS];
    struct loot loot[LOOT_MAX];
    uint32_t loot_count;
    uint64_t loot_made, entities, parcel_count;
    struct client clients[PLAYERS];
    struct net_state shown[SLOTS][PLAYERS][TICKS_KEPT]; /* what zones have shown, by tick */
    struct connection connections[NODES * NODES];
    uint32_t connection_count;
    struct connection *between[NODES][NODES];
    uint32_t version_count;
    struct { /* who had a partition last, by its id */
        uint32_t slot;
        uint64_t incarnation;
    } owners[OWNERS_MAX];
    struct { /* what was seen in this run, to show that it happens */
        uint64_t crossings, restored, link_dead, given, given_again, asked, deaths, fences, takeovers, moves, stale,
            versions, replayed, loot, snapshots;
    } seen;
    struct pipe pipes[NODES][NODES]; /* from here on large, and not emptied for each run */
    struct directory versions[VERSIONS_MAX];
    struct parcel parcels[PARCELS_MAX];
    struct block_pool blocks; /* of clients' channels */
};

extern struct world W;

/* --- run.c */

/* fail_run ends the run: the seed and what is wrong are printed. */
__attribute__((noreturn, format(printf, 1, 2))) void fail_run(const char *format, ...);
__attribute__((format(printf, 1, 2))) void trace(const char *format, ...);
uint32_t draw(uint32_t below);
bool chance(uint32_t in); /* one in so many */
struct mono now(void);
bool run_seed(uint64_t seed, bool is_loud); /* false: it failed */

static inline uint32_t player_of(uint64_t id) {
    return (uint32_t)(id - FIRST_ID);
}
static inline uint64_t id_of(uint32_t player) {
    return FIRST_ID + player;
}

/* --- network.c */

void network_init(void);
void network_step(void);
/* network_send puts a message into the batch of `from` to `to`; false where there is no connection. */
bool network_send(uint32_t from, uint32_t to, const struct message *message);
/* network_take_back drops what is not flushed of DETACHED of a session. */
void network_take_back(uint32_t from, uint32_t to, uint64_t session);
void network_flush(uint32_t from);
/* network_deliver gives a node what has come for it. */
void network_deliver(uint32_t to);
void network_cut(uint32_t a, uint32_t b, uint32_t notice_ms);
void network_block(uint32_t a, uint32_t b, uint32_t ms);
void network_heal(void);
bool network_is_up(uint32_t from, uint32_t to);
uint64_t network_peer(uint32_t from, uint32_t to); /* incarnation; 0: the connection is not up */

/* --- process.c */

void process_start(uint32_t node);
void process_die(uint32_t node);
void process_step(void);
bool process_runs(uint32_t node); /* it lives, and is not stopped */
void process_up(uint32_t node, uint32_t peer);
void process_lost(uint32_t node, uint32_t peer);
void process_take(uint32_t node, uint32_t from, const struct message *message);
const char *process_name(uint32_t node);

/* --- what processes are made of: begin and end of a life, a turn, a connection, a message */

void zone_begin(uint32_t slot);
void zone_end(uint32_t slot);
void zone_turn(uint32_t slot);
void zone_up(uint32_t slot, uint32_t peer);
void zone_lost(uint32_t slot, uint32_t peer);
void zone_take(uint32_t slot, uint32_t from, const struct message *message);

/* --- body.c */

struct sim *body_sim(struct zone *zone); /* as book.h knows it */
uint64_t body_tick(void);
void body_write(const struct zone *zone, uint32_t player, struct wire_carried *out);
void body_read(struct zone *zone, uint32_t gateway, const struct wire_carried *carried);
void body_drop(struct zone *zone, uint32_t player, bool is_told);
void body_input(struct zone *zone, uint32_t gateway, const struct wire_input *input);
void body_tick_all(struct zone *zone);
struct loot *loot_find(uint64_t player, uint64_t key); /* of the same shard: keys are a shard's */
void loot_named(const struct wire_loot_grant *grant);  /* a zone has given loot its key */

/* --- reporter.c */

void reporter_up(struct zone *zone, uint32_t shard, bool is_same);
void reporter_lost(struct zone *zone, uint32_t shard);
void reporter_take(struct zone *zone, uint32_t shard, const struct parcel *parcel);
void reporter_turn(struct zone *zone);

/* parcel_send sends a report, which is copied with its arrays; false where there is no connection. */
bool parcel_send(uint32_t from, uint32_t to, const struct parcel *parcel);
const struct parcel *parcel_of(const struct message *message);

/* --- sight.c */

void sight_begin(struct zone *zone);
void sight_end(struct zone *zone);
void sight_show(struct zone *zone); /* snapshots to all that are here */
void sight_forget(struct client *client);
/* sight_take checks a snapshot that a client got; false: it is late, and must not be acknowledged. */
bool sight_take(uint32_t player, const uint8_t *bytes, size_t len);

/* --- packets.c */

void packets_begin(uint32_t player, uint32_t gateway, uint64_t session);
void packets_end(uint32_t player);
void packets_step(void);
void packets_input(uint32_t player, const struct frame_input *input);
void packets_snapshot(struct gateway *gateway, struct session *session, const struct message *message);

void gateway_begin(uint32_t index);
void gateway_end(uint32_t index);
void gateway_turn(uint32_t index);
void gateway_up(uint32_t index, uint32_t peer);
void gateway_lost(uint32_t index, uint32_t peer);
void gateway_take(uint32_t index, uint32_t from, const struct message *message);
void gateway_login(uint32_t index, uint32_t player);
void gateway_leave(uint32_t index, uint32_t player);
struct session *gateway_session(uint32_t index, uint32_t player);
void gateway_packet(uint32_t index, struct session *session, const uint8_t *bytes, size_t len);

void matchmaker_begin(void);
void matchmaker_turn(void);
void matchmaker_up(uint32_t peer);
void matchmaker_lost(uint32_t peer);
void matchmaker_take(uint32_t from, const struct message *message);
void matchmaker_command(void);
void matchmaker_drain(uint32_t slot);
void matchmaker_undrain(void);

void shard_begin(uint32_t shard);
void shard_end(uint32_t shard);
void shard_turn(uint32_t shard);
void shard_up(uint32_t shard, uint32_t peer);
void shard_granted(uint32_t shard, uint64_t position, int error);
void shard_take(uint32_t shard, uint32_t from, const struct message *message);
uint32_t shard_node(uint32_t player);
bool shard_has_fenced(uint32_t shard, uint32_t slot, uint64_t incarnation);

/* --- disk.c: the rest is journal.h */

void disk_crash(struct journal *journal);
void disk_recover(struct journal *journal, uint64_t applied, struct motion *motion, struct grants *grants);

/* --- database.c: the rest is pg.h */

void database_step(struct pg *database);
void database_crash(struct pg *database);
void database_forget(struct pg *database); /* its persist has died: nobody hears answers */
/* database_grant books loot; shard_granted is told the outcome. False: not now. */
bool database_grant(struct pg *database, uint64_t epoch, uint64_t position, const struct wire_loot_grant *grant);

void client_step(void);
void client_gateway_died(uint32_t index);

void faults_step(void);

void check_step(void);
void check_version(const struct directory *before, const struct directory *after);
void check_quiet(void);

#endif
