/* private_server.c: see private_server.h. What concerns one of the two alone is in postgres_server.c and redis_server.c. */
#include "tools/zonectl/private_server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "tools/zonectl/orphans.h"
#include "tools/zonectl/postgres_server.h"
#include "tools/zonectl/redis_server.h"

static const char *const names[] = {"postgres", "redis"};
static const char *const sockets[] = {POSTGRES_SOCKET, REDIS_SOCKET};
_Static_assert(sizeof(names) / sizeof(names[0]) == PRIVATE_SERVER_COUNT, "a name for each server");
_Static_assert(sizeof(sockets) / sizeof(sockets[0]) == PRIVATE_SERVER_COUNT, "a socket for each server");

__attribute__((format(printf, 2, 3))) static int fail(char error[PRIVATE_SERVER_ERROR_SIZE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error, PRIVATE_SERVER_ERROR_SIZE, format, args);
    va_end(args);
    return MARCH_ERR_SYSTEM;
}

const char *private_server_name(enum private_server server) {
    CHECK((unsigned)server < PRIVATE_SERVER_COUNT);
    return names[server];
}

enum private_server private_server_parse(const char *name) {
    enum private_server server = PRIVATE_POSTGRES;
    while (server < PRIVATE_SERVER_COUNT && strcmp(name, names[server]) != 0) server++;
    return server;
}

int private_server_folder(char out[PATH_MAX], const char *run_dir, enum private_server server,
                          char error[PRIVATE_SERVER_ERROR_SIZE]) {
    char path[PATH_MAX];
    if (realpath(run_dir, path) == NULL) return fail(error, "%s: cannot find: %s", run_dir, strerror(errno));
    int len = snprintf(out, PATH_MAX, "%s/%s", path, private_server_name(server));
    if (len < PATH_MAX && (size_t)len + 1 + strlen(sockets[server]) <= PRIVATE_SERVER_SOCKET_MAX) return 0;
    (void)fail(error,
               "%.3000s: the path of this run directory is too long for a socket in it: %s/%s has %zu bytes, expected "
               "at most %d",
               path, names[server], sockets[server], (size_t)len + 1 + strlen(sockets[server]), PRIVATE_SERVER_SOCKET_MAX);
    return MARCH_ERR_INVALID;
}

bool private_server_is_new(const char *folder) {
    char path[PATH_MAX];
    struct stat st;
    return snprintf(path, sizeof(path), "%s/data", folder) >= (int)sizeof(path) || stat(path, &st) != 0;
}

/* find_user finds the user to become; it stays ours when we are not root. */
static int find_user(enum private_server server, struct passwd *out, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    *out = (struct passwd){.pw_uid = geteuid(), .pw_gid = getegid()};
    if (out->pw_uid != 0) return 0;
    const struct passwd *user = getpwnam(names[server]);
    if (user == NULL)
        return fail(error, "there is no user called %s, which root runs this server as; its Debian package makes one",
                    names[server]);
    out->pw_uid = user->pw_uid;
    out->pw_gid = user->pw_gid;
    return 0;
}

/* open_folder makes the folder, hands it to the user and opens it for the server to inherit. */
static int open_folder(const char *folder, const struct passwd *user, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return fail(error, "%s: cannot create: %s", folder, strerror(errno));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0) return fail(error, "%s: cannot open: %s", folder, strerror(errno));
    if (fchmod(fd, 0700) == 0 && (geteuid() != 0 || fchown(fd, user->pw_uid, user->pw_gid) == 0)) return fd;
    (void)fail(error, "%s: cannot take: %s", folder, strerror(errno));
    close(fd);
    return MARCH_ERR_SYSTEM;
}

/* drop_root takes on the user; the tie to the parent is lost with a change of user, and made again. */
static int drop_root(const struct passwd *user, pid_t parent, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
                           setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0))
        return fail(error, "cannot become user %u: %s", (unsigned)user->pw_uid, strerror(errno));
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) return fail(error, "the supervisor is gone");
    return 0;
}

int private_server_become(const char *run_dir, enum private_server server, pid_t parent,
                          char error[PRIVATE_SERVER_ERROR_SIZE]) {
    char folder[PATH_MAX];
    struct passwd user = {0};
    int result = private_server_folder(folder, run_dir, server, error);
    if (result == 0) result = find_user(server, &user, error);
    if (result != 0) return result;
    if (orphans_kill(folder) != 0)
        return fail(error, "%s: processes of a former server are still there after %d ms", folder, ORPHANS_WAIT_MS);
    int fd = open_folder(folder, &user, error);
    if (fd < 0) return fd;
    umask(077);
    if (chdir("/") != 0) return fail(error, "cannot enter /: %s", strerror(errno));
    result = drop_root(&user, parent, error);
    if (result != 0) return result;
    if (server == PRIVATE_REDIS) return redis_server_exec(fd, error);
    return postgres_server_exec(fd, error);
}
