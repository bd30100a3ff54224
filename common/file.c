/* file.c: see file.h. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* fail_system writes what errno says about `path`. */
static int fail_system(const char *path, const char *what, char *error, size_t error_size) {
    int result = errno == ENOENT ? MARCH_ERR_NOT_FOUND : MARCH_ERR_SYSTEM;
    snprintf(error, error_size, "%s: cannot %s: %s", path, what, strerror(errno));
    return result;
}

/* read_full reads up to `size` bytes, fewer only at the end of the file; -1 on error. */
static ssize_t read_full(int fd, uint8_t *bytes, size_t size) {
    size_t len = 0;
    while (len < size) {
        ssize_t count = read(fd, bytes + len, size - len);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        if (count == 0) break;
        len += (size_t)count;
    }
    return (ssize_t)len;
}

static int write_full(int fd, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t count = write(fd, bytes, len);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        bytes += count;
        len -= (size_t)count;
    }
    return 0;
}

/* open_regular opens a regular file for reading. Non-blocking, so that a pipe in its place can't hang us. */
static int open_regular(const char *path, struct stat *status, char *error, size_t error_size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail_system(path, "open", error, error_size);
    if (fstat(fd, status) == 0 && S_ISREG(status->st_mode)) return fd;
    snprintf(error, error_size, "%s: expected a regular file", path);
    close(fd);
    return MARCH_ERR_SYSTEM;
}

int file_read(const char *path, size_t max, uint8_t **bytes, size_t *len, char *error, size_t error_size) {
    struct stat status;
    int fd = open_regular(path, &status, error, error_size);
    if (fd < 0) return fd;
    /* One byte more than allowed tells a file that is too large, whatever fstat said; one more is for the final zero. */
    size_t size = (uint64_t)status.st_size < max ? (size_t)status.st_size : max;
    uint8_t *buf = malloc(size + 2);
    ssize_t count = buf ? read_full(fd, buf, size + 1) : -1;
    int result = 0;
    if (count < 0) {
        result = fail_system(path, "read", error, error_size);
    } else if ((size_t)count > size) {
        snprintf(error, error_size, "%s: expected at most %zu bytes", path, max);
        result = MARCH_ERR_FULL;
    }
    close(fd);
    if (result != 0) {
        free(buf);
        return result;
    }
    buf[count] = 0;
    *bytes = buf;
    *len = (size_t)count;
    return 0;
}

/* write_temporary fills a new file at `path`; on failure nothing is left there. */
static int write_temporary(const char *path, const void *bytes, size_t len, mode_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return -1;
    int result = fchmod(fd, mode); /* whatever the umask */
    if (result == 0) result = write_full(fd, bytes, len);
    if (result == 0) result = fsync(fd);
    int saved_errno = errno;
    close(fd);
    if (result != 0) unlink(path);
    errno = saved_errno;
    return result;
}

int file_write(const char *path, const void *bytes, size_t len, mode_t mode, char *error, size_t error_size) {
    char temporary[PATH_MAX];
    int count = snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, (int)getpid());
    if (count < 0 || (size_t)count >= sizeof temporary) {
        snprintf(error, error_size, "%s: path too long", path);
        return MARCH_ERR_SYSTEM;
    }
    unlink(temporary); /* of a process of the same number that died halfway */
    int result = 0;
    if (write_temporary(temporary, bytes, len, mode) != 0) {
        result = fail_system(path, "write", error, error_size);
    } else if (rename(temporary, path) != 0) {
        result = fail_system(path, "rename", error, error_size);
        unlink(temporary);
    }
    return result == MARCH_ERR_NOT_FOUND ? MARCH_ERR_SYSTEM : result;
}

static int check_key_file(const char *path, const struct stat *status, char *error, size_t error_size) {
    if (status->st_mode & (S_IRWXG | S_IRWXO)) {
        snprintf(error, error_size, "%s: expected a key that only its owner can read (mode 0600), found mode %04o", path,
                 (unsigned)(status->st_mode & 07777));
        return MARCH_ERR_INVALID;
    }
    if (status->st_uid != geteuid() && status->st_uid != 0) {
        snprintf(error, error_size, "%s: expected a key owned by user %u or root, found user %u", path, (unsigned)geteuid(),
                 (unsigned)status->st_uid);
        return MARCH_ERR_INVALID;
    }
    return 0;
}

int file_read_key(const char *path, uint8_t key[FILE_KEY_BYTES], char *error, size_t error_size) {
    struct stat status;
    int fd = open_regular(path, &status, error, error_size);
    if (fd < 0) return fd;
    int result = check_key_file(path, &status, error, error_size);
    uint8_t buf[FILE_KEY_BYTES + 1];
    if (result == 0) {
        ssize_t count = read_full(fd, buf, sizeof buf);
        if (count < 0) {
            result = fail_system(path, "read", error, error_size);
        } else if (count != FILE_KEY_BYTES) {
            snprintf(error, error_size, "%s: expected a key of %d bytes, found %lld", path, FILE_KEY_BYTES,
                     (long long)status.st_size);
            result = MARCH_ERR_INVALID;
        } else {
            memcpy(key, buf, FILE_KEY_BYTES);
        }
        explicit_bzero(buf, sizeof buf);
    }
    close(fd);
    return result;
}
