/* postgres_server.c: see postgres_server.h. */
#include "tools/zonectl/postgres_server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER_PATH_SIZE 64 /* "/proc/self/fd/N/data.new" */
#define FTW_FDS_MAX      16

/* Durable, small, and quick to notice that a client is gone. */
static const char SETTINGS[] = "\n# --- of Marchland, written once: change what you like\n"
                               "fsync = on\n"
                               "synchronous_commit = on\n"
                               "shared_buffers = 128MB\n"
                               "max_connections = 100\n"
                               "wal_compression = on\n"
                               "max_wal_size = 1GB\n"
                               "min_wal_size = 512MB\n"
                               "checkpoint_timeout = 5min\n"
                               "jit = off\n"
                               "client_connection_check_interval = 1s\n"
                               "idle_in_transaction_session_timeout = 60s\n"
                               "log_destination = 'stderr'\n"
                               "logging_collector = off\n"
                               "log_checkpoints = off\n"
                               "log_line_prefix = '%m [%p] '\n";

static int fail(char error[PRIVATE_SERVER_ERROR_SIZE], const char *what) {
    snprintf(error, PRIVATE_SERVER_ERROR_SIZE, "%s: %s", what, strerror(errno));
    return MARCH_ERR_SYSTEM;
}

/* find_programs looks for the folder of PostgreSQL's programs, of its newest version; Debian keeps them off the path. */
static int find_programs(char out[PATH_MAX], char error[PRIVATE_SERVER_ERROR_SIZE]) {
    static const char *const patterns[] = {"/usr/lib/postgresql/15/bin/initdb", "/usr/lib/postgresql/*/bin/initdb",
                                           "/usr/local/pgsql/bin/initdb", "/usr/bin/initdb"};
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        glob_t found;
        bool any = glob(patterns[i], 0, NULL, &found) == 0 && found.gl_pathc > 0;
        if (any)
            snprintf(out, PATH_MAX, "%.*s", (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - strlen("/initdb")),
                     found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
        if (any) return 0;
    }
    snprintf(error, PRIVATE_SERVER_ERROR_SIZE, "PostgreSQL's server is not installed: no %s", patterns[0]);
    return MARCH_ERR_NOT_FOUND;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

/* run_initdb waits for initdb, whose words go to the log. */
static int run_initdb(const char *programs, const char *data, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    char program[PATH_MAX];
    snprintf(program, sizeof(program), "%.*s/initdb", PATH_MAX - 16, programs);
    char *const args[] = {program,
                          "-D",
                          (char *)data,
                          "-U",
                          POSTGRES_SUPERUSER,
                          "-A",
                          "trust",
                          "-E",
                          "UTF8",
                          "--locale=C.UTF-8",
                          "--no-instructions",
                          NULL};
    pid_t pid = fork();
    if (pid < 0) return fail(error, "cannot fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(program, args);
        _exit(127);
    }
    int status;
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    snprintf(error, PRIVATE_SERVER_ERROR_SIZE, "%.*s failed, its reason is above", PATH_MAX - 16, program);
    return MARCH_ERR_SYSTEM;
}

static int add_settings(const char *data, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    char path[FOLDER_PATH_SIZE + 32];
    snprintf(path, sizeof(path), "%s/postgresql.conf", data);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) return fail(error, path);
    bool written = write(fd, SETTINGS, sizeof(SETTINGS) - 1) == (ssize_t)sizeof(SETTINGS) - 1 && fsync(fd) == 0;
    int result = written ? 0 : fail(error, path);
    close(fd);
    return result;
}

/* make_data makes the data folder beside its place, so that a half-made one is never taken for whole. */
static int make_data(int folder_fd, const char *programs, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    char data[FOLDER_PATH_SIZE];
    if (faccessat(folder_fd, "data", F_OK, 0) == 0) return 0;
    snprintf(data, sizeof(data), "/proc/self/fd/%d/data.new", folder_fd);
    if (nftw(data, remove_one, FTW_FDS_MAX, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return fail(error, "postgres/data.new");
    int result = run_initdb(programs, data, error);
    if (result == 0) result = add_settings(data, error);
    if (result != 0) return result;
    if (renameat(folder_fd, "data.new", folder_fd, "data") != 0 || fsync(folder_fd) != 0)
        return fail(error, "postgres/data");
    return 0;
}

/* Whoever wrote these is dead (orphans.h): a number of a process in them may be anybody's by now. */
static void remove_leftovers(int folder_fd) {
    static const char *const names[] = {"data/postmaster.pid", POSTGRES_SOCKET, POSTGRES_SOCKET ".lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) (void)unlinkat(folder_fd, names[i], 0);
}

int postgres_server_exec(int folder_fd, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    char programs[PATH_MAX];
    char program[PATH_MAX];
    char folder[FOLDER_PATH_SIZE];
    char data[FOLDER_PATH_SIZE];
    int result = find_programs(programs, error);
    if (result == 0) result = make_data(folder_fd, programs, error);
    if (result != 0) return result;
    remove_leftovers(folder_fd);
    snprintf(program, sizeof(program), "%.*s/postgres", PATH_MAX - 16, programs);
    snprintf(folder, sizeof(folder), "/proc/self/fd/%d", folder_fd);
    snprintf(data, sizeof(data), "/proc/self/fd/%d/data", folder_fd);
    char *const args[] = {
        program, "-D", data, "-k", folder, "-p", "5432", "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700",
        NULL};
    execv(program, args);
    return fail(error, program);
}
