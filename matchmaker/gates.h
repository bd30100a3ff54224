/* gates.h: lets players in: picks gateways that are up, and mints the connect tokens for them.
 *
 * A gateway counts whose state in the directory is UP, that nobody has asked to drain, whose addresses are known, and which
 * takes tokens already (each refuses those that may be older than its start). How many players it has is what it reported
 * last, and those besides who were sent to it in about the last second and may not be in that report. Where a player was
 * sent to last is remembered in GATES_PLAYERS places, without chains, for as long as the matchmaker runs.
 *
 * Addresses are those in RUN/NAME.udp, where the gateway is on this machine, else the public ones of the configuration;
 * looked at again every GATES_LOOK_MS, and where the gateway is another process than before. On the loop: a look reads one
 * small file of each gateway.
 */
#ifndef MARCH_MATCHMAKER_GATES_H
#define MARCH_MATCHMAKER_GATES_H

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "common/netcode_token.h"
#include "matchmaker/atlas.h"

#define GATES_LOOK_MS 1000
#define GATES_PLAYERS 65536

struct gates;

struct gates_config {
    const struct config *config;
    const char *run_dir;
    const struct atlas *atlas;
};

enum gates_answer {
    GATES_DONE = 0,
    GATES_STARTING = 1, /* the world is not there yet, or no gateway takes tokens yet */
    GATES_NONE = 2,     /* no gateway is up */
    GATES_FULL = 3,     /* all are */
    GATES_ANSWER_COUNT = 4
};

/* What a player comes in with. */
struct gates_pass {
    uint8_t token[NETCODE_TOKEN_BYTES];
    uint64_t expires_s; /* Unix time */
    uint32_t address_count;
    struct addr addresses[NETCODE_TOKEN_SERVERS_MAX]; /* as in the token, the best gateway's first */
};

/* gates_open reads RUN/connect.key; on failure `error` holds a line. sodium_init() must have run. */
must_check int gates_open(struct gates **out, const struct gates_config *config, char *error, size_t error_size);
/* gates_close: NULL is fine. */
void gates_close(struct gates *gates);

/* gates_admit fills `pass` for a player where it is GATES_DONE; gateways of `region`, which may be NULL, come first. */
enum gates_answer gates_admit(struct gates *gates, uint64_t player, const char *region, struct mono now, uint64_t wall_s,
                              struct gates_pass *pass);

#endif
