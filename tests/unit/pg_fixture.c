#include "tests/unit/pg_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "persist/migrate.h"

#define TEMPLATE     "build/pg_with_database"
#define MEMORY       "/dev/shm"   /* a file system in memory: the thousand small files of a server cost much on a disk */
#define MEMORY_MIN   (1ull << 30) /* bytes to be free there: of what tests at the same time fill */
#define PATIENCE_MS  30000
#define CHILDREN_MAX 128
#define ARGS_MAX     40

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("pg_fixture: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The server refuses to run as root. */
static const struct passwd *server_user(void) {
    if (geteuid() != 0) return NULL;
    const struct passwd *user = getpwnam("postgres");
    if (!user) fail("there is no user postgres");
    return user;
}

static void program_path(const char *name, char *buf, size_t size) {
    glob_t found;
    char pattern[64];
    snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc == 0) fail("%s is not installed", name);
    snprintf(buf, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

/* Starts a program as the server's user, with its output in a file. A daemon gets SIGQUIT, an immediate shutdown, when we
 * die. */
static pid_t spawn(const char *const *args, const char *log_path, bool as_server, bool daemon) {
    const struct passwd *user = as_server ? server_user() : NULL;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) fail("fork: %s", strerror(errno));
    if (pid > 0) return pid;
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log >= 0) dup2(log, 1), dup2(log, 2);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0) dup2(null, 0);
    if (user && (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    setenv("LC_ALL", "C", 1);
    if (daemon) {
        setpgid(0, 0); /* Ctrl-C is for the test */
        prctl(PR_SET_PDEATHSIG, SIGQUIT);
        if (getppid() != parent) _exit(125);
    }
    if (chdir("/") != 0) _exit(126);
    execv(args[0], (char *const *)(uintptr_t)args);
    _exit(127);
}

pid_t pg_fixture_spawn(const char *const *args, const char *log_path) {
    return spawn(args, log_path, true, true);
}

static void await(pid_t pid, const char *what) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) fail("waitpid: %s", strerror(errno));
    if (what && status != 0) fail("%s ended with status 0x%x", what, (unsigned)status);
}

static void run(const char *const *args, const char *log_path, bool as_server) {
    await(spawn(args, log_path, as_server, false), args[0]);
}

static void run_tool(const char *log_path, const char *tool, const char *option, const char *from, const char *to) {
    run((const char *const[]){tool, option, from, to, NULL}, log_path, false);
}

void pg_fixture_uri(const struct pg_fixture *fixture, const char *database, char *buf, size_t size) {
    snprintf(buf, size, "postgresql://march@/%s?host=%s", database, fixture->fixture_path);
}

void pg_fixture_launch(struct pg_fixture *fixture) {
    char postgres[128], data[96], log_path[96], sockets[128], settings[sizeof fixture->settings];
    program_path("postgres", postgres, sizeof postgres);
    snprintf(data, sizeof data, "%s/data", fixture->fixture_path);
    snprintf(log_path, sizeof log_path, "%s/log", fixture->fixture_path);
    snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", fixture->fixture_path);
    memcpy(settings, fixture->settings, sizeof settings);
    const char *args[ARGS_MAX] = {postgres,
                                  "-D",
                                  data,
                                  "-c",
                                  "listen_addresses=",
                                  "-c",
                                  sockets,
                                  "-c",
                                  "fsync=off",
                                  "-c",
                                  "max_connections=40",
                                  "-c",
                                  "log_checkpoints=off"};
    int count = 13;
    char *rest = NULL;
    for (char *word = strtok_r(settings, " ", &rest); word && count < ARGS_MAX - 1; word = strtok_r(NULL, " ", &rest))
        args[count++] = word;
    fixture->server = spawn(args, log_path, true, true);
}

void pg_fixture_start(struct pg_fixture *fixture) {
    pg_fixture_launch(fixture);
    char uri[160];
    pg_fixture_uri(fixture, "postgres", uri, sizeof uri);
    struct mono limit = mono_add_ms(mono_now(), PATIENCE_MS);
    while (PQping(uri) != PQPING_OK) {
        if (waitpid(fixture->server, NULL, WNOHANG) == fixture->server)
            fail("the server ended; see %s/log", fixture->fixture_path);
        if (mono_reached(mono_now(), limit)) fail("the server does not start; see %s/log", fixture->fixture_path);
        pause_ms(5);
    }
}

/* The server and its processes; each of those is in a session of its own, so there is no group to signal. */
static int list_processes(pid_t server, pid_t *pids) {
    char path[64];
    int count = 0;
    pids[count++] = server;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", server, server);
    FILE *file = fopen(path, "re");
    if (!file) return count;
    while (count < CHILDREN_MAX && fscanf(file, "%d", &pids[count]) == 1) count++;
    fclose(file);
    return count;
}

static bool is_gone(pid_t pid) {
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void end(struct pg_fixture *fixture, int signal_to_server, bool children) {
    if (fixture->server <= 0) return;
    pid_t pids[CHILDREN_MAX];
    int count = list_processes(fixture->server, pids);
    for (int i = 0; i < (children ? count : 1); i++) (void)kill(pids[i], i == 0 ? signal_to_server : SIGKILL);
    await(fixture->server, NULL);
    struct mono limit = mono_add_ms(mono_now(), PATIENCE_MS);
    for (int i = 1; i < count; i++)
        while (!is_gone(pids[i]) && !mono_reached(mono_now(), limit)) pause_ms(2);
    fixture->server = 0;
}

/* Who turns fsync on means a disk. */
static bool belongs_in_memory(const char *settings) {
    struct statvfs memory;
    return (!settings || !strstr(settings, "fsync=on")) && access(MEMORY, W_OK) == 0 && statvfs(MEMORY, &memory) == 0 &&
           (unsigned long long)memory.f_bavail * memory.f_frsize >= MEMORY_MIN;
}

/* make_folder makes what a server lies in, and the name of its log. */
static void make_folder(struct pg_fixture *fixture, const char *settings, char *log_path, size_t size) {
    *fixture = (struct pg_fixture){0};
    snprintf(fixture->fixture_path, sizeof fixture->fixture_path, "%s/march-pg-XXXXXX",
             belongs_in_memory(settings) ? MEMORY : "/tmp");
    snprintf(fixture->settings, sizeof fixture->settings, "%s", settings ? settings : "");
    if (!mkdtemp(fixture->fixture_path)) fail("mkdtemp: %s", strerror(errno));
    const struct passwd *user = server_user();
    if (chmod(fixture->fixture_path, 0755) != 0 || (user && chown(fixture->fixture_path, user->pw_uid, user->pw_gid) != 0))
        fail("%s: %s", fixture->fixture_path, strerror(errno));
    snprintf(log_path, size, "%s/log", fixture->fixture_path);
    int log = open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (log < 0 || (user && fchown(log, user->pw_uid, user->pw_gid) != 0)) fail("%s: %s", log_path, strerror(errno));
    close(log);
}

void pg_fixture_replicate(struct pg_fixture *replica, const struct pg_fixture *primary) {
    char program[128], data[96], log_path[96];
    make_folder(replica, primary->settings, log_path, sizeof log_path);
    snprintf(data, sizeof data, "%s/data", replica->fixture_path);
    program_path("pg_basebackup", program, sizeof program);
    run((const char *const[]){program, "-R", "-c", "fast", "-X", "stream", "--no-sync", "-U", "march", "-h",
                              primary->fixture_path, "-D", data, NULL},
        log_path, true);
    pg_fixture_start(replica);
    pg_fixture_uri(replica, PG_FIXTURE_DATABASE, replica->uri, sizeof replica->uri);
}

/* Makes a data folder with the empty database PG_FIXTURE_DATABASE, and keeps it as the template. */
static void make_template(struct pg_fixture *fixture, const char *data, const char *log_path, const char *path) {
    char initdb[128], partial[4300];
    program_path("initdb", initdb, sizeof initdb);
    run((const char *const[]){initdb, "--no-sync", "-A", "trust", "-U", "march", "-E", "UTF8", "--locale=C",
                              "--wal-segsize=4", "-D", data, NULL},
        log_path, true);
    pg_fixture_start(fixture);
    pg_fixture_uri(fixture, "postgres", fixture->uri, sizeof fixture->uri);
    pg_fixture_execute(fixture, "create database " PG_FIXTURE_DATABASE);
    end(fixture, SIGINT, false);
    snprintf(partial, sizeof partial, "%s.new", path);
    run_tool(log_path, "/bin/rm", "-rf", partial, path);
    run_tool(log_path, "/bin/cp", "-a", data, partial);
    if (rename(partial, path) != 0) fail("rename %s: %s", partial, strerror(errno));
}

/* Fills `data` with a copy of the template, which the first one makes. */
static void make_data(struct pg_fixture *fixture, const char *data, const char *log_path) {
    (void)mkdir("build", 0755);
    int lock = open(TEMPLATE ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        fail("%s.lock: %s (run tests in the project's folder)", TEMPLATE, strerror(errno));
    char here[4096], path[4200];
    if (!getcwd(here, sizeof here)) fail("getcwd: %s", strerror(errno));
    snprintf(path, sizeof path, "%s/" TEMPLATE, here);
    if (access(TEMPLATE "/PG_VERSION", F_OK) == 0) {
        run_tool(log_path, "/bin/cp", "-a", path, data);
    } else {
        make_template(fixture, data, log_path, path);
    }
    close(lock);
}

void pg_fixture_open(struct pg_fixture *fixture, const char *settings) {
    char data[96], log_path[96];
    make_folder(fixture, settings, log_path, sizeof log_path);
    snprintf(data, sizeof data, "%s/data", fixture->fixture_path);
    make_data(fixture, data, log_path);
    pg_fixture_start(fixture);
    pg_fixture_uri(fixture, PG_FIXTURE_DATABASE, fixture->uri, sizeof fixture->uri);
}

int64_t pg_fixture_migrate(struct pg_fixture *fixture) {
    struct shard_state state;
    char error[256];
    if (shard_open(fixture->uri, 0, 1, PATIENCE_MS, &state, error, sizeof error) != 0) fail("shard_open: %s", error);
    return state.epoch;
}

void pg_fixture_crash(struct pg_fixture *fixture) {
    end(fixture, SIGKILL, true);
}

void pg_fixture_stop(struct pg_fixture *fixture) {
    end(fixture, SIGQUIT, false);
}

void pg_fixture_close(struct pg_fixture *fixture) {
    if (fixture->fixture_path[0] == '\0') return;
    pg_fixture_thaw(fixture);
    pg_fixture_stop(fixture);
    run_tool("/dev/null", "/bin/rm", "-rf", "--", fixture->fixture_path);
    fixture->fixture_path[0] = '\0';
}

static void signal_all(const struct pg_fixture *fixture, int number) {
    if (fixture->server <= 0) return;
    pid_t pids[CHILDREN_MAX];
    int count = list_processes(fixture->server, pids);
    for (int i = 0; i < count; i++) (void)kill(pids[i], number);
}

void pg_fixture_freeze(struct pg_fixture *fixture) {
    signal_all(fixture, SIGSTOP);
}

void pg_fixture_thaw(struct pg_fixture *fixture) {
    signal_all(fixture, SIGCONT);
}

static int64_t execute(const struct pg_fixture *fixture, const char *sql) {
    PGconn *conn = PQconnectdb(fixture->uri);
    if (PQstatus(conn) != CONNECTION_OK) fail("%s", PQerrorMessage(conn));
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail("%s: %s", sql, PQerrorMessage(conn));
    int64_t number = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    PQfinish(conn);
    return number;
}

void pg_fixture_execute(const struct pg_fixture *fixture, const char *sql) {
    (void)execute(fixture, sql);
}

int64_t pg_fixture_number(const struct pg_fixture *fixture, const char *sql) {
    return execute(fixture, sql);
}
