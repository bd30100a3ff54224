/* clients.h: the edges to gateways: sessions are claimed, kept and ended, commands come in, messages go out.
 *
 * A claim is decided by sessions.h; then motion.h is asked where the player was, and whether a zone has it still, so that
 * the gateway finds its zone. Where one has it, under the older session, it goes on there as it is; until it does, what that
 * zone reports is taken. A claim that can't be decided now, or whose player can't be read, is answered UNAVAILABLE: the
 * gateway claims again.
 *
 * A command is handed on when it comes from the player's present session; one of a session that this process does not know
 * yet (it has just started) makes it known, as a refresh does.
 *
 * What a turn of the loop has for a gateway goes out in one message. Limits: in each the *_MAX of wire_persist.h, and
 * CLIENTS_BLOB_BYTES; what has no room is sent at once and more is begun; what the bus has no room for is dropped and
 * counted: a client that hears nothing asks again.
 */
#ifndef MARCH_PERSIST_CLIENTS_H
#define MARCH_PERSIST_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "persist/sessions.h"
#include "schemas/wire.h"

#define CLIENTS_BLOB_BYTES   (256u << 10)
#define CLIENTS_MESSAGES_MAX 4096

struct ev_loop;
struct motion;
struct clients;

/* Whom to answer: a session of a gateway process. */
struct client {
    uint64_t player;
    struct session_holder holder;
};

struct clients_config {
    const struct config *config;
    uint32_t shard_index;
    const char *run_dir;
    struct wire_hello hello;
    const uint8_t *key; /* the cluster key, NULL with ipc */
    struct sessions *sessions;
    struct motion *motion;
    void *ctx;
    void (*command)(void *ctx, const struct client *client, const struct wire_command *command);
    void (*seen)(void *ctx, uint64_t player, const char *region);    /* a player has begun a session */
    bool (*whereabouts)(void *ctx, uint64_t player, uint16_t *zone); /* false: no zone has it, as far as is known */
};

struct clients_stats {
    uint64_t claims, claims_refused, claims_unavailable;
    uint64_t refreshes, ends, ended;
    uint64_t commands, commands_bad, commands_stale; /* stale: of a session that is over */
    uint64_t messages;
    uint64_t dropped; /* messages of the bus that it had no room for */
    uint64_t bad;     /* malformed, or not a gateway's to say */
    uint32_t up;      /* gateways that are connected */
};

must_check int clients_open(struct clients **out, struct ev_loop *loop, const struct clients_config *config, char *error,
                            size_t error_size);
/* clients_close: after sessions and motion, which call back. NULL is fine. */
void clients_close(struct clients *clients);

/* clients_tell sends a message to a session; clients_tell_player to whatever session the player has, and returns whether it
 * has one; clients_tell_bytes the same with a message that is packed. */
void clients_tell(struct clients *clients, const struct client *client, const struct wire_server_message *message);
bool clients_tell_player(struct clients *clients, uint64_t player, const struct wire_server_message *message);
bool clients_tell_bytes(struct clients *clients, uint64_t player, const uint8_t *bytes, size_t len);

/* clients_ended tells a gateway that a session of its is over. */
void clients_ended(struct clients *clients, const struct session_entry *entry, enum wire_ended_reason reason);

/* clients_region returns the region of the player's session, NULL when it has none. */
const char *clients_region(const struct clients *clients, uint64_t player);

struct clients_stats clients_stats(const struct clients *clients);

#endif
