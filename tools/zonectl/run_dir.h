/* run_dir.h: the folder in which a cluster lives, seen by who starts and ends it.
 *
 *     cluster.lock   held by the supervisor while it lives, its pid inside
 *     cluster.yaml   link to the configuration
 *     cluster.json   what runs, see cluster_status.h
 *     cluster.sock   where the supervisor takes requests, see control.h
 *     cluster.key    secret of the processes among themselves, 32 bytes
 *     connect.key    secret that connect tokens are minted with, 32 bytes
 *     ipc/           sockets between processes
 *     log/           one file for each process, and zonectl.log
 *     NAME.http, NAME.udp, NAME.pid   written by the processes
 *
 * The folder is private (0700): whoever may enter it is the operator. The lock goes with the process that holds it, however
 * that ends, so a stale one can't be. Open file description locks are used because they can be asked about without being
 * taken.
 */
#ifndef MARCH_ZONECTL_RUN_DIR_H
#define MARCH_ZONECTL_RUN_DIR_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"

#define RUN_DIR_DEFAULT    "run"
#define RUN_DIR_ERROR_SIZE (2 * PATH_MAX + 256) /* two paths fit */

/* run_dir_path writes RUN/`name``suffix`; MARCH_ERR_INVALID when that is too long. */
must_check int run_dir_path(char out[PATH_MAX], const char *run_dir, const char *name, const char *suffix);

/* run_dir_lock creates the folder and takes its lock; the lock's descriptor is returned and released by close. The error is
 * MARCH_ERR_EXISTS when a cluster runs there, whose supervisor is told in the text. */
must_check int run_dir_lock(const char *run_dir, char error[RUN_DIR_ERROR_SIZE]);

/* run_dir_lock_sign writes our pid into the lock file. */
must_check int run_dir_lock_sign(int lock_fd);

/* run_dir_prepare makes folders and keys that are missing and the link to the configuration. */
must_check int run_dir_prepare(const char *run_dir, const char *config_path, char error[RUN_DIR_ERROR_SIZE]);

/* run_dir_forget removes what process `name` published, so that nobody asks at an address of its last run. */
void run_dir_forget(const char *run_dir, const char *name);

/* run_dir_supervisor returns the pid of the supervisor of the cluster that runs there; MARCH_ERR_NOT_FOUND when none does.
 */
must_check int run_dir_supervisor(const char *run_dir, pid_t *pid);

#endif
