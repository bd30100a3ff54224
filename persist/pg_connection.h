/* pg_connection.h: one connection of a pool (pg.h): connects, sends jobs, reads answers. Internal to pg.
 *
 *     IDLE --open--> CONNECTING --(libpq)--> ASKING --(first answer)--> READY --retire--> RETIRING --(drained)--+
 *      ^ |                |                    |                        |                                     |
 *      | +----------------+--- lost, refused, late ---------------------+--> lost() of the owner <------------+
 *      +------------------------------------ closed -------------------------/
 *
 * A job in flight is, on the wire: a Parse and a Sync for each statement that this connection has not prepared yet; then
 * Bind and Execute of each call, and a Sync. The Parses are apart so that what is refused takes no other statement with it.
 *
 * The owner decides when to open, and what becomes of jobs that were in flight.
 */
#ifndef MARCH_PERSIST_PG_CONNECTION_H
#define MARCH_PERSIST_PG_CONNECTION_H

#include "common/resolve.h"
#include "persist/pg_job.h"

enum pg_connection_state {
    PG_IDLE = 0,
    PG_CONNECTING = 1,
    PG_ASKING = 2, /* whether the server behind it answers */
    PG_READY = 3,
    PG_RETIRING = 4, /* takes no more jobs: a plan went stale, or the server became read-only */
    PG_BROKEN = 5,   /* sending failed: lost() follows from the loop */
    PG_CONNECTION_STATE_COUNT = 6
};

#define PG_WORDS_BYTES 128

struct pg_connection;

/* What the owner is told. `job` is taken out of flight before. */
struct pg_connection_events {
    void *ctx;
    void (*ready)(void *ctx, struct pg_connection *connection);
    void (*answered)(void *ctx, struct pg_connection *connection, struct pg_job *job); /* and its refusal, if any */
    /* No longer of use; the owner must call pg_connection_close, and sees to the jobs that this returns. */
    void (*lost)(void *ctx, struct pg_connection *connection, const char *why);
};

struct pg_statement_table {
    const struct pg_statement *slots[2 * PG_STATEMENTS_MAX]; /* open addressing by address; the slot is the name */
    unsigned count;
};

struct pg_connection {
    struct ev_loop *loop;
    struct pg_connection_events events;
    struct pg_statement_table *statements; /* of the pool; NULL: nothing is prepared */
    uint32_t statement_ms;
    const char *uri;           /* of the last open */
    struct resolver *resolver; /* NULL until a name had to be looked up */
    PGconn *conn;              /* CONNECTING: NULL while its host is looked up */
    enum pg_connection_state state;
    bool made; /* was READY since it was opened */
    ev_io io;
    ev_timer timer;                /* connecting takes too long; or lost() is due */
    struct pg_job_queue in_flight; /* in the order sent; the first is being answered */
    uint64_t prepared[2 * PG_STATEMENTS_MAX / 64];
    char last_words[PG_WORDS_BYTES]; /* why the server ends the connection */
};

void pg_connection_init(struct pg_connection *connection, struct ev_loop *loop, const struct pg_connection_events *events,
                        struct pg_statement_table *statements, uint32_t statement_ms);

/* pg_connection_deinit frees what is left, after pg_connection_close. */
void pg_connection_deinit(struct pg_connection *connection);

/* pg_connection_open begins to connect; `uri` must stay. lost() comes from the loop where that does not work within
 * `connect_ms`. */
void pg_connection_open(struct pg_connection *connection, const char *uri, uint32_t connect_ms);

/* pg_connection_close ends it, whatever it does, and returns the jobs that were in flight, the oldest first. */
struct pg_job_queue pg_connection_close(struct pg_connection *connection);

/* pg_connection_send puts a job in flight; only when READY. */
void pg_connection_send(struct pg_connection *connection, struct pg_job *job);

#endif
