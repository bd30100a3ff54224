/* client_move.h: a client moves to another gateway without leaving the world.
 *
 * A gateway that is to go sends `Reconnect`: a token for others. The session that plays goes on, and beside it
 *
 *   NONE ──Reconnect──► WANTED ──► UNDER_WAY ──first snapshot of the new session──► NONE, in the new session
 *            ▲             ▲           │ denied, no answer, ended: after CLIENT_MOVE_PAUSE_MS again
 *            └─────────────┴───────────┘ CLIENT_MOVE_TRIES times, only within the time that the gateway gave, and only while
 *                                        the old session lasts: it is then all there is, and without it the client is
 *                                        disconnected, and free to come in with a fresh token
 *
 * A gateway may say so again, with a token that counts from there on: the one before may have become worthless.
 *
 * The old session may end while that is so: the world takes the player over into the new one a moment before its first
 * snapshot. The application is told how it ended by an event. What it sent in the old session, and has no answer to, may be
 * lost, as with any connection that ends. Pure but for the two sessions in struct march_client.
 */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_MOVE_H
#define MARCH_TOOLS_CLIENT_CLIENT_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/netcode_token.h"
#include "tools/client/marchland.h"

#define CLIENT_MOVE_TRIES      3
#define CLIENT_MOVE_PAUSE_MS   250
#define CLIENT_MOVE_WITHIN_MS  10000 /* where the gateway gives no time */
#define CLIENT_MOVE_LONGEST_MS 30000 /* a token lives no longer */

enum client_move_state { CLIENT_MOVE_NONE = 0, CLIENT_MOVE_WANTED, CLIENT_MOVE_UNDER_WAY };

struct client_move {
    enum client_move_state state;
    uint32_t tries;
    struct mono begun, due, until; /* due: of the next try */
    uint64_t own;                  /* entity that the player had */
    bool is_unsure;                /* it has moved, and no snapshot has told its entity yet */
    bool ended;                    /* an event is to be told */
    struct march_moved outcome;
    uint64_t moves, failures;
    uint8_t token[NETCODE_TOKEN_BYTES];
};

struct march_client;

/* client_move_reset forgets a move that is under way: the application connects or leaves. */
void client_move_reset(struct march_client *client);

/* client_move_hear looks at a message that was received, in the session that plays or in the former one. True when the
 * application need not see it: that its old session ends, when it moves. */
bool client_move_hear(struct march_client *client, bool is_former, const uint8_t *bytes, size_t len);

/* client_move_update starts, repeats and gives up. */
void client_move_update(struct march_client *client, struct mono now);

/* client_move_finish is for the first snapshot of the new session: it plays, and the old one leaves. */
void client_move_finish(struct march_client *client, struct mono now);

/* client_move_recognise is for each snapshot. `own` is the player's entity by it; 0: not told yet. The move's event waits
 * for that. */
void client_move_recognise(struct march_client *client, uint64_t own);

#endif
