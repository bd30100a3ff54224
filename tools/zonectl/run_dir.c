/* run_dir.c: see run_dir.h. */
#include "tools/zonectl/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"

static int fail_system(const char *path, const char *what, char error[RUN_DIR_ERROR_SIZE]) {
    snprintf(error, RUN_DIR_ERROR_SIZE, "%s: cannot %s: %s", path, what, strerror(errno));
    return MARCH_ERR_SYSTEM;
}

int run_dir_path(char out[PATH_MAX], const char *run_dir, const char *name, const char *suffix) {
    int len = snprintf(out, PATH_MAX, "%s/%s%s", run_dir, name, suffix);
    return len < 0 || len >= PATH_MAX ? MARCH_ERR_INVALID : 0;
}

/* make_folder creates a private folder, or takes an existing one and closes it to others. */
static int make_folder(const char *path, char error[RUN_DIR_ERROR_SIZE]) {
    if (mkdir(path, 0700) == 0) return 0;
    if (errno != EEXIST) return fail_system(path, "create the folder", error);
    struct stat st;
    if (stat(path, &st) != 0) return fail_system(path, "look at the folder", error);
    if (!S_ISDIR(st.st_mode)) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "%s: expected a folder", path);
        return MARCH_ERR_INVALID;
    }
    if ((st.st_mode & 077) != 0 && chmod(path, 0700) != 0) return fail_system(path, "close the folder to others", error);
    return 0;
}

static pid_t read_pid(int fd) {
    char text[16] = "";
    if (pread(fd, text, sizeof(text) - 1, 0) <= 0) return 0;
    long pid = strtol(text, NULL, 10);
    return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

int run_dir_lock(const char *run_dir, char error[RUN_DIR_ERROR_SIZE]) {
    char path[PATH_MAX];
    int result = make_folder(run_dir, error);
    if (result != 0) return result;
    if (run_dir_path(path, run_dir, "cluster", ".lock") != 0) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "the path of the run directory is too long");
        return MARCH_ERR_INVALID;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail_system(path, "open", error);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return fd;
    if (errno != EAGAIN && errno != EACCES) {
        result = fail_system(path, "lock", error);
    } else {
        snprintf(error, RUN_DIR_ERROR_SIZE,
                 "a cluster runs in %s already (supervisor pid %d); end it with: zonectl down --run-dir %s", run_dir,
                 (int)read_pid(fd), run_dir);
        result = MARCH_ERR_EXISTS;
    }
    close(fd);
    return result;
}

int run_dir_lock_sign(int lock_fd) {
    char text[16];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, text, (size_t)len, 0) != len) return MARCH_ERR_SYSTEM;
    return 0;
}

/* make_key creates a key file when there is none; one that is there is checked as the processes will. */
static int make_key(const char *run_dir, const char *name, char error[RUN_DIR_ERROR_SIZE]) {
    char path[PATH_MAX];
    uint8_t key[FILE_KEY_BYTES];
    if (run_dir_path(path, run_dir, name, ".key") != 0) return MARCH_ERR_INVALID;
    int result = file_read_key(path, key, error, RUN_DIR_ERROR_SIZE);
    if (result != MARCH_ERR_NOT_FOUND) return result;
    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key)) return fail_system(path, "draw a key", error);
    return file_write(path, key, sizeof(key), 0600, error, RUN_DIR_ERROR_SIZE);
}

static int link_config(const char *run_dir, const char *config_path, char error[RUN_DIR_ERROR_SIZE]) {
    char target[PATH_MAX];
    char path[PATH_MAX];
    if (run_dir_path(path, run_dir, "cluster", ".yaml") != 0) return MARCH_ERR_INVALID;
    if (realpath(config_path, target) == NULL) return fail_system(config_path, "find", error);
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISLNK(there.st_mode)) { /* somebody's file, not our link */
        if (strcmp(realpath(path, (char[PATH_MAX]){0}), target) == 0) return 0;
        snprintf(error, RUN_DIR_ERROR_SIZE, "%s: in the way of the link to %s", path, target);
        return MARCH_ERR_EXISTS;
    }
    if (unlink(path) != 0 && errno != ENOENT) return fail_system(path, "remove", error);
    if (symlink(target, path) != 0) return fail_system(path, "link the configuration", error);
    return 0;
}

int run_dir_prepare(const char *run_dir, const char *config_path, char error[RUN_DIR_ERROR_SIZE]) {
    static const char *const folders[] = {"ipc", "log"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (run_dir_path(path, run_dir, folders[i], "") != 0) return MARCH_ERR_INVALID;
        int result = make_folder(path, error);
        if (result != 0) return result;
    }
    int result = make_key(run_dir, "cluster", error);
    if (result == 0) result = make_key(run_dir, "connect", error);
    if (result == 0) result = link_config(run_dir, config_path, error);
    return result;
}

void run_dir_forget(const char *run_dir, const char *name) {
    static const char *const suffixes[] = {".http", ".udp", ".pid", ".front"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (run_dir_path(path, run_dir, name, suffixes[i]) == 0) (void)unlink(path);
}

int run_dir_supervisor(const char *run_dir, pid_t *pid) {
    char path[PATH_MAX];
    if (run_dir_path(path, run_dir, "cluster", ".lock") != 0) return MARCH_ERR_NOT_FOUND;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return MARCH_ERR_NOT_FOUND;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    *pid = held ? read_pid(fd) : 0;
    close(fd);
    return *pid > 0 ? 0 : MARCH_ERR_NOT_FOUND;
}
