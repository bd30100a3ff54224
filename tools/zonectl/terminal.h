/* terminal.h: takes Ctrl-C for this program alone.
 *
 * Started by make, zonectl shares make's process group: Ctrl-C would interrupt both, and make would report an error however
 * cleanly the cluster ends. So on a terminal it becomes the foreground group of its own, as a shell makes of each command,
 * and gives the terminal back in the end. Where it already leads its group (started by a shell) or there is no terminal,
 * nothing changes.
 */
#ifndef MARCH_ZONECTL_TERMINAL_H
#define MARCH_ZONECTL_TERMINAL_H

#include <sys/types.h>

struct terminal {
    pid_t group; /* that had the terminal; 0: not taken */
};

void terminal_take(struct terminal *terminal);
void terminal_give_back(const struct terminal *terminal);

#endif
