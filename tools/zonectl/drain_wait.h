/* drain_wait.h: asks for the drain of a zone or gateway, and waits until it has nothing left. For verbs: blocks, and tells
 * what is wrong on standard error.
 */
#ifndef MARCH_ZONECTL_DRAIN_WAIT_H
#define MARCH_ZONECTL_DRAIN_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/zonectl/world.h"

#define DRAIN_WAIT_ASK_MS    250
#define DRAIN_WAIT_SAY_MS    1000
#define DRAIN_WAIT_ABSENCE_S 30 /* of the matchmaker, which may be restarted meanwhile */

/* drain_switch begins a drain, or takes it back; an exit code. */
int drain_switch(struct world *world, const char *name, bool on);

/* drain_wait waits until what is being drained has no player, creature or session left, and tells how it goes every
 * DRAIN_WAIT_SAY_MS unless it is to be quiet. `timeout_s` of 0: for ever. EXIT_CODE_TIMEOUT, EXIT_CODE_FAILED when it died
 * meanwhile, or there is no matchmaker any more. `seconds` is how long it took. A matchmaker that was restarted and has
 * forgotten the drain is told again. */
int drain_wait(struct world *world, const char *name, uint32_t timeout_s, bool quiet, double *seconds);

#endif
