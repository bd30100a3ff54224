/* child_log.h: the log file of one process, bounded in size.
 *
 * A process writes its standard error into a pipe; the supervisor moves the bytes to RUN/log/NAME.log and so knows the last
 * error when the process dies. At CHILD_LOG_BYTES_MAX the file becomes NAME.log.1 (the one before is lost) and a new one
 * begins. The write end does not block: a process whose pipe is full (the supervisor hangs) loses log lines, never time.
 * Bytes that the disk refuses are lost and counted.
 */
#ifndef MARCH_ZONECTL_CHILD_LOG_H
#define MARCH_ZONECTL_CHILD_LOG_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CHILD_LOG_BYTES_MAX (10u << 20)
#define CHILD_LOG_LINE_MAX  512 /* kept of a line; the file gets all of it */

struct child_log {
    char path[PATH_MAX];
    int fd;      /* of the file */
    int pipe[2]; /* read, write */
    uint64_t file_bytes;
    uint64_t bytes_max;
    uint64_t lost_bytes;
    size_t line_len;
    char line[CHILD_LOG_LINE_MAX];       /* being received */
    char last_line[CHILD_LOG_LINE_MAX];  /* last that was not empty */
    char last_error[CHILD_LOG_LINE_MAX]; /* last that tells an error */
};

/* child_log_open appends to the file at `path` and makes the pipe. MARCH_ERR_SYSTEM with errno. */
must_check int child_log_open(struct child_log *log, const char *path, uint64_t bytes_max);

/* child_log_close is safe on a log that was never opened, when it is zero but for descriptors of -1, and twice. */
void child_log_close(struct child_log *log);

/* child_log_forget drops what is remembered of the last run. */
void child_log_forget(struct child_log *log);

/* child_log_drain moves what is in the pipe to the file, at most a pipe full. */
void child_log_drain(struct child_log *log);

/* child_log_append writes bytes to the file as if the process had. */
void child_log_append(struct child_log *log, const char *bytes, size_t len);

/* child_log_reason returns the last error line, else the last line, else an empty string. */
const char *child_log_reason(const struct child_log *log);

#endif
