/* server.h: a running zone: the simulation with its clock, bus, metrics and recording around it.
 *
 * server_run is the loop: wait for the tick, take in, simulate, record, send, judge the time it took. One thread does all of
 * it; others are nng's, that of HTTP, and that which writes a recording.
 */
#ifndef MARCH_ZONE_SERVER_H
#define MARCH_ZONE_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"
#include "common/error.h"
#include "zone/options.h"

#define SERVER_ERROR_SIZE 512

struct server;

/* server_open makes zone `zone_index` of a configuration ready to run: edges listening, HTTP bound, NAME.http and NAME.pid
 * written to the run directory. Options and config outlive it. On failure `error` holds a line. */
must_check int server_open(struct server **out, const struct options *options, const struct config *config,
                           uint32_t zone_index, char *error, size_t error_size);

/* server_run runs ticks until `*stopping` is set; false where it ended because others have taken this zone for dead. */
bool server_run(struct server *server, const volatile sig_atomic_t *stopping);

void server_close(struct server *server);

#endif
