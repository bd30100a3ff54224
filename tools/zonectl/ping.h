/* ping.h: asks a private PostgreSQL or Redis whether it is ready, without waiting.
 *
 *     idle ──start──► connecting ──► asking ──► idle, with the answer
 *                         └── deadline, error ──► idle, "no"
 *
 * PostgreSQL is ready when it takes a connection and has a database for each shard; those that it lacks are created. Redis
 * is ready when it answers PING. The caller polls the descriptor and passes the time; nothing here blocks but the connection
 * to a unix socket, which the kernel decides at once.
 */
#ifndef MARCH_ZONECTL_PING_H
#define MARCH_ZONECTL_PING_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include <hiredis/hiredis.h>
#include <libpq-fe.h>

#include "common/clock.h"
#include "common/error.h"
#include "tools/zonectl/private_server.h"

#define PING_DEADLINE_MS 2000

enum ping_answer { PING_PENDING = 0, PING_YES = 1, PING_NO = 2 };

enum ping_state { PING_IDLE = 0, PING_CONNECTING, PING_ASKING };

/* Zero is idle. */
struct ping {
    enum ping_state state;
    enum private_server server;
    uint32_t databases;
    struct mono deadline;
    PGconn *postgres;
    bool creating; /* the query under way is CREATE DATABASE */
    PostgresPollingStatusType wants;
    redisContext *redis;
};

/* ping_start asks the server in `folder`; only when idle. `databases` is the number of shards. MARCH_ERR_SYSTEM when nothing
 * listens there. */
must_check int ping_start(struct ping *p, enum private_server server, const char *folder, uint32_t databases,
                          struct mono now);

/* ping_poll fills in what is to be waited for; false when idle. */
bool ping_poll(const struct ping *p, struct pollfd *out);

/* ping_step goes on and returns the answer once, after which it is idle; PING_PENDING when idle. */
enum ping_answer ping_step(struct ping *p, struct mono now);

/* ping_stop gives up what is under way; safe when idle. */
void ping_stop(struct ping *p);

#endif
