/* child_log.c: see child_log.h. */
#include "tools/zonectl/child_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20) /* asked for; the kernel may give less */
#define READ_BYTES 16384

static int open_file(struct child_log *log) {
    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;
    if (log->fd < 0 || fstat(log->fd, &st) != 0) return MARCH_ERR_SYSTEM;
    log->file_bytes = (uint64_t)st.st_size;
    return 0;
}

int child_log_open(struct child_log *log, const char *path, uint64_t bytes_max) {
    *log = (struct child_log){.fd = -1, .pipe = {-1, -1}, .bytes_max = bytes_max};
    if (snprintf(log->path, sizeof(log->path), "%s", path) >= (int)sizeof(log->path)) {
        errno = ENAMETOOLONG;
        return MARCH_ERR_SYSTEM;
    }
    if (open_file(log) != 0 || pipe2(log->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        child_log_close(log);
        return MARCH_ERR_SYSTEM;
    }
    (void)fcntl(log->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
    return 0;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void child_log_close(struct child_log *log) {
    int saved = errno;
    close_fd(&log->fd);
    close_fd(&log->pipe[0]);
    close_fd(&log->pipe[1]);
    errno = saved;
}

void child_log_forget(struct child_log *log) {
    log->line_len = 0;
    log->last_line[0] = '\0';
    log->last_error[0] = '\0';
}

static void rotate(struct child_log *log) {
    char old[PATH_MAX + 2];
    snprintf(old, sizeof(old), "%s.1", log->path);
    close_fd(&log->fd);
    (void)rename(log->path, old);
    (void)open_file(log); /* on failure every write fails and is counted */
}

static void write_file(struct child_log *log, const char *bytes, size_t len) {
    if (log->file_bytes > 0 && log->file_bytes + len > log->bytes_max) rotate(log);
    ssize_t written = write(log->fd, bytes, len);
    if (written < 0) written = 0;
    log->file_bytes += (uint64_t)written;
    log->lost_bytes += len - (size_t)written;
}

static void end_line(struct child_log *log) {
    log->line[log->line_len] = '\0';
    if (log->line_len == 0) return;
    log->line_len = 0;
    memcpy(log->last_line, log->line, sizeof(log->line));
    static const char *const signs[] = {"level=error", "ERROR:", "FATAL:", "PANIC:"}; /* ours, sanitizers', PostgreSQL's */
    bool error = false;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) error = error || strstr(log->line, signs[i]) != NULL;
    if (error) memcpy(log->last_error, log->line, sizeof(log->line));
}

void child_log_append(struct child_log *log, const char *bytes, size_t len) {
    write_file(log, bytes, len);
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            end_line(log);
        else if (log->line_len < CHILD_LOG_LINE_MAX - 1)
            log->line[log->line_len++] = bytes[i];
    }
}

void child_log_drain(struct child_log *log) {
    char bytes[READ_BYTES];
    for (size_t total = 0; total < PIPE_BYTES;) {
        ssize_t len = read(log->pipe[0], bytes, sizeof(bytes));
        if (len <= 0) return;
        child_log_append(log, bytes, (size_t)len);
        total += (size_t)len;
    }
}

const char *child_log_reason(const struct child_log *log) {
    return log->last_error[0] != '\0' ? log->last_error : log->last_line;
}
