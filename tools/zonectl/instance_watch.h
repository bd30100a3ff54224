/* instance_watch.h: follows an instance until it is over. For verbs: blocks, and tells what is wrong on standard error.
 *
 * On a terminal one line is kept up to date; elsewhere a line is written for each change of its state, wave, players and
 * scores, or for programs an object in a line.
 */
#ifndef MARCH_ZONECTL_INSTANCE_WATCH_H
#define MARCH_ZONECTL_INSTANCE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/zonectl/world.h"

#define INSTANCE_WATCH_ASK_MS    250
#define INSTANCE_WATCH_ABSENCE_S 30 /* of the matchmaker, which may be restarted meanwhile */

/* instance_watch follows an instance. EXIT_CODE_OK when it is over, however it came out; EXIT_CODE_FAILED when there is none
 * of that id, its process died or refused it, or there is no matchmaker any more. */
int instance_watch(struct world *world, uint64_t id, bool as_json);

/* instance_since writes how long ago a moment was, "1:23:45" without leading zeros. */
#define INSTANCE_SINCE_SIZE 24
const char *instance_since(uint64_t wall_ms, char out[INSTANCE_SINCE_SIZE]);

#endif
