/* orphans.h: processes that a killed database server left in its folder.
 *
 * Every process of PostgreSQL and Redis works in its server's data folder, so whoever has its current directory there
 * belongs to that server, whatever its parent and its process group are. Who calls this holds the lock of the run directory:
 * the server has no other owner, so what is left of it may be killed. Bounded by ORPHANS_WAIT_MS.
 */
#ifndef MARCH_ZONECTL_ORPHANS_H
#define MARCH_ZONECTL_ORPHANS_H

#include "common/error.h"

#define ORPHANS_WAIT_MS 5000

/* orphans_kill kills every process but ours that works in `folder`, an absolute path without links, or below it, and waits
 * until they are gone. MARCH_ERR_EXPIRED when one is still there in the end; MARCH_ERR_SYSTEM with errno when /proc can't be
 * read. */
must_check int orphans_kill(const char *folder);

#endif
