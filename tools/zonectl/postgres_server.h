/* postgres_server.h: what a private PostgreSQL is started with; see private_server.h.
 *
 * Its settings stand at the end of data/postgresql.conf, written when the data folder is made, and are the operator's from
 * then on. Where it listens is given on its command line.
 */
#ifndef MARCH_ZONECTL_POSTGRES_SERVER_H
#define MARCH_ZONECTL_POSTGRES_SERVER_H

#include "common/error.h"
#include "tools/zonectl/private_server.h"

/* postgres_server_exec makes the data folder where there is none in the folder behind `folder_fd`, removes what a killed
 * server left, and becomes the server. Returns only when it can't, with a line in `error`. */
must_check int postgres_server_exec(int folder_fd, char error[PRIVATE_SERVER_ERROR_SIZE]);

#endif
