/* redis_fixture.c: see redis_fixture.h. */
#include "tests/unit/redis_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "common/clock.h"

#define PATIENCE_MS 20000
#define ARGS_MAX    40

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("redis_fixture: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

static const struct passwd *server_user(void) {
    if (geteuid() != 0) return NULL;
    const struct passwd *user = getpwnam("redis");
    if (!user) user = getpwnam("nobody");
    if (!user) fail("there is neither a user redis nor nobody");
    return user;
}

static void become(const struct redis_fixture *fixture, const struct passwd *user, pid_t parent) {
    char log_path[80];
    snprintf(log_path, sizeof log_path, "%s/log", fixture->path);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log >= 0) dup2(log, 1), dup2(log, 2);
    if (null >= 0) dup2(null, 0);
    if (user && (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    setpgid(0, 0); /* Ctrl-C is for the test */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(fixture->path) != 0) _exit(125);
}

static redisContext *try_connect(const struct redis_fixture *fixture) {
    char socket_path[80];
    snprintf(socket_path, sizeof socket_path, "%s/socket", fixture->path);
    redisContext *context = redisConnectUnix(socket_path);
    if (context && !context->err) return context;
    if (context) redisFree(context);
    return NULL;
}

/* execute becomes the server. */
static void execute(struct redis_fixture *fixture) {
    char socket_path[80], config[80], settings[sizeof fixture->settings], *rest = NULL;
    snprintf(socket_path, sizeof socket_path, "%s/socket", fixture->path);
    memcpy(settings, fixture->settings, sizeof settings);
    const char *args[ARGS_MAX] = {"redis-server",
                                  "--port",
                                  "0",
                                  "--unixsocket",
                                  socket_path,
                                  "--unixsocketperm",
                                  "777",
                                  "--save",
                                  "",
                                  "--appendonly",
                                  "no",
                                  "--daemonize",
                                  "no"};
    int count = 13;
    for (char *word = strtok_r(settings, " ", &rest); word && count < ARGS_MAX - 1; word = strtok_r(NULL, " ", &rest))
        args[count++] = word;
    snprintf(config, sizeof config, "%s/sentinel.conf", fixture->path);
    const char *sentinel[] = {"redis-server", config, "--sentinel", NULL};
    execvp(args[0], (char *const *)(uintptr_t)(fixture->sentinel ? sentinel : args));
    _exit(127);
}

void redis_fixture_start(struct redis_fixture *fixture) {
    const struct passwd *user = server_user();
    pid_t parent = getpid();
    fixture->server = fork();
    if (fixture->server < 0) fail("fork: %s", strerror(errno));
    if (fixture->server == 0) {
        become(fixture, user, parent);
        execute(fixture);
    }
    struct mono limit = mono_add_ms(mono_now(), PATIENCE_MS);
    for (;;) {
        redisContext *context = try_connect(fixture);
        if (context) {
            redisFree(context);
            return;
        }
        if (waitpid(fixture->server, NULL, WNOHANG) == fixture->server) fail("the server ended; see %s/log", fixture->path);
        if (mono_reached(mono_now(), limit)) fail("the server does not start; see %s/log", fixture->path);
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
}

static void make_folder(struct redis_fixture *fixture) {
    *fixture = (struct redis_fixture){.path = "/tmp/march-redis-XXXXXX"};
    if (!mkdtemp(fixture->path)) fail("mkdtemp: %s", strerror(errno));
    const struct passwd *user = server_user();
    if (chmod(fixture->path, 0755) != 0 || (user && chown(fixture->path, user->pw_uid, user->pw_gid) != 0))
        fail("%s: %s", fixture->path, strerror(errno));
    snprintf(fixture->uri, sizeof fixture->uri, "unix://%s/socket", fixture->path);
}

void redis_fixture_open(struct redis_fixture *fixture, const char *settings) {
    make_folder(fixture);
    snprintf(fixture->settings, sizeof fixture->settings, "%s", settings ? settings : "");
    redis_fixture_start(fixture);
}

void redis_fixture_open_sentinel(struct redis_fixture *fixture, int port, int master_port) {
    const struct passwd *user = server_user();
    char path[80];
    make_folder(fixture);
    fixture->sentinel = true;
    snprintf(path, sizeof path, "%s/sentinel.conf", fixture->path);
    FILE *config = fopen(path, "we"); /* the Sentinel writes there, too */
    if (!config) fail("%s: %s", path, strerror(errno));
    fprintf(config,
            "port %d\nunixsocket %s/socket\nunixsocketperm 777\nsentinel monitor main 127.0.0.1 %d 1\n"
            "sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 2000\n",
            port, fixture->path, master_port);
    fclose(config);
    if (user && chown(path, user->pw_uid, user->pw_gid) != 0) fail("%s: %s", path, strerror(errno));
    redis_fixture_start(fixture);
}

int redis_fixture_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        fail("no port: %s", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

void redis_fixture_kill(struct redis_fixture *fixture) {
    if (fixture->server <= 0) return;
    (void)kill(fixture->server, SIGKILL);
    while (waitpid(fixture->server, NULL, 0) < 0)
        if (errno != EINTR) fail("waitpid: %s", strerror(errno));
    fixture->server = 0;
}

void redis_fixture_close(struct redis_fixture *fixture) {
    static const char *const files[] = {"socket", "log", "sentinel.conf", "dump.rdb"};
    char path[96];
    if (fixture->path[0] == '\0') return;
    redis_fixture_kill(fixture);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", fixture->path, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(fixture->path);
    fixture->path[0] = '\0';
}

void redis_fixture_freeze(struct redis_fixture *fixture) {
    if (kill(fixture->server, SIGSTOP) != 0) fail("SIGSTOP: %s", strerror(errno));
}

void redis_fixture_thaw(struct redis_fixture *fixture) {
    if (kill(fixture->server, SIGCONT) != 0) fail("SIGCONT: %s", strerror(errno));
}

static redisReply *run(const struct redis_fixture *fixture, const char *command) {
    redisContext *context = try_connect(fixture);
    if (!context) fail("no connection");
    char words[512], *rest = NULL;
    const char *args[ARGS_MAX];
    int count = 0;
    snprintf(words, sizeof words, "%s", command);
    for (char *word = strtok_r(words, " ", &rest); word && count < ARGS_MAX; word = strtok_r(NULL, " ", &rest))
        args[count++] = word;
    redisReply *reply = redisCommandArgv(context, count, args, NULL);
    if (!reply) fail("%s: %s", command, context->errstr);
    if (reply->type == REDIS_REPLY_ERROR) fail("%s: %s", command, reply->str);
    redisFree(context);
    return reply;
}

void redis_fixture_do(const struct redis_fixture *fixture, const char *command) {
    freeReplyObject(run(fixture, command));
}

int64_t redis_fixture_number(const struct redis_fixture *fixture, const char *command) {
    redisReply *reply = run(fixture, command);
    int64_t number = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
                     : reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10)
                                                         : 0;
    freeReplyObject(reply);
    return number;
}

const char *redis_fixture_text(const struct redis_fixture *fixture, const char *command, char *buf, uint32_t size) {
    redisReply *reply = run(fixture, command);
    snprintf(buf, size, "%s", reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ? reply->str : "");
    freeReplyObject(reply);
    return buf;
}
