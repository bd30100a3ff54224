/* redis_server.h: what a private Redis is started with; see private_server.h.
 *
 * It appends each write to a file, synced every second: killed, it loses nothing; with the power, a second. Nothing in Redis
 * is a truth of its own, so that is more than enough. Memory is bounded by REDIS_MEMORY; at the limit writes are refused.
 */
#ifndef MARCH_ZONECTL_REDIS_SERVER_H
#define MARCH_ZONECTL_REDIS_SERVER_H

#include "common/error.h"
#include "tools/zonectl/private_server.h"

#define REDIS_MEMORY "1gb"

/* redis_server_exec becomes the server. Returns only when it can't, with a line in `error`. */
must_check int redis_server_exec(int folder_fd, char error[PRIVATE_SERVER_ERROR_SIZE]);

#endif
