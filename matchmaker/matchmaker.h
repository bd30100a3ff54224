/* matchmaker.h: a running matchmaker: atlas, edges, HTTP and the front door on one libev loop.
 *
 *     matchmaker_open    edges and endpoints are there; RUN/NAME.http, RUN/NAME.front and RUN/NAME.pid are written
 *     matchmaker_run     the loop, until told to stop
 *     matchmaker_close   closes everything
 *
 * Each turn of the loop takes what came, steps the atlas, and tells everybody what is new. It is ready when every partition
 * of the world has, or had, an owner. One thread, but for those of HTTP. Nothing is kept on a disk.
 */
#ifndef MARCH_MATCHMAKER_MATCHMAKER_H
#define MARCH_MATCHMAKER_MATCHMAKER_H

#include <signal.h>
#include <stddef.h>

#include "common/addr.h"
#include "common/config.h"
#include "common/error.h"
#include "common/launch.h"
#include "matchmaker/atlas.h"

#define MATCHMAKER_ERROR_SIZE 1024

struct matchmaker;

/* matchmaker_open opens the matchmaker of a configuration. Command line and config outlive it. On failure `error` holds a
 * line. */
must_check int matchmaker_open(struct matchmaker **out, const struct launch *launch, const struct config *config,
                               char *error, size_t error_size);

/* matchmaker_turn does what can be done now and returns; matchmaker_run goes on until `*stopping` is set. */
void matchmaker_turn(struct matchmaker *matchmaker);
void matchmaker_run(struct matchmaker *matchmaker, const volatile sig_atomic_t *stopping);

/* matchmaker_close: NULL is fine. */
void matchmaker_close(struct matchmaker *matchmaker);

const struct addr *matchmaker_address(const struct matchmaker *matchmaker);
const struct atlas *matchmaker_atlas(const struct matchmaker *matchmaker);

#endif
