/* up.c: zonectl up. Checks the configuration, prepares the run directory, and becomes the supervisor, in the foreground or
 * as a daemon. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"
#include "common/option.h"
#include "tools/zonectl/private_server.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/stores.h"
#include "tools/zonectl/supervisor.h"
#include "tools/zonectl/terminal.h"
#include "tools/zonectl/verb.h"

#define CONFIG_DEFAULT "deploy/config/cluster.yaml"
#define BOTS_MAX       20000
#define BOTS_CONFIG    UINT64_MAX

struct arguments {
    const char *config;
    const char *run_dir;
    const char *log_level;
    struct stores_options stores;
    uint64_t bots;
    bool detach;
    bool new_journal;
};

enum { KEY_POSTGRES = 256, KEY_REPLICA, KEY_REDIS, KEY_NEW_JOURNAL };

static const struct argp_option OPTIONS[] = {
    {"config", 'c', "FILE", 0, "Configuration of the cluster [" CONFIG_DEFAULT "]", 0},
    {"run-dir", 'r', "DIR", 0,
     "Folder for keys, sockets and logs, created when missing; one cluster each [" RUN_DIR_DEFAULT "]", 0},
    {"bots", 'b', "N", 0, "Also run N bots that play; `config` takes the configuration's dev.bots [0]", 0},
    {"log-level", 'l', "LEVEL", 0, "What zones, gateways and persists log: debug, info, warn or error [info]", 0},
    {"postgres", KEY_POSTGRES, "URIS", 0,
     "PostgreSQL databases of your own, one for each persist, separated by commas; @FILE takes them out of a file, and so "
     "keeps "
     "passwords off the command line, as does the environment: MARCH_POSTGRES. Otherwise a private server is run in "
     "DIR/postgres",
     0},
    {"postgres-replica", KEY_REPLICA, "URIS", 0, "Replicas of these to read from, in the same way (MARCH_POSTGRES_REPLICA)",
     0},
    {"redis", KEY_REDIS, "URIS", 0,
     "Redis databases of your own, in the same way (MARCH_REDIS). Otherwise a private server is run in DIR/redis", 0},
    {"new-journal", KEY_NEW_JOURNAL, NULL, 0,
     "Go on although the databases were fed from other journals than those here: what only the old ones have is lost", 0},
    {"detach", 'd', NULL, 0, "Return when the cluster is ready, and let it run", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'c': a->config = arg; return 0;
    case 'r': a->run_dir = arg; return 0;
    case 'b':
        a->bots = strcmp(arg, "config") == 0 ? BOTS_CONFIG : option_number(state, "--bots", arg, 0, BOTS_MAX);
        return 0;
    case 'l':
        if (log_level_parse(arg, &(enum log_level){0}) != 0)
            argp_error(state, "--log-level: expected debug, info, warn or error, found \"%s\"", arg);
        a->log_level = arg;
        return 0;
    case 'd': a->detach = true; return 0;
    case KEY_NEW_JOURNAL: a->new_journal = true; return 0;
    case KEY_POSTGRES: a->stores.postgres = arg; return 0;
    case KEY_REPLICA: a->stores.replicas = arg; return 0;
    case KEY_REDIS: a->stores.redis = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    NULL,
    "Starts the database servers, persists, matchmaker, zones and gateways of a configuration, restarts "
    "those that die, and ends them all on Ctrl-C or SIGTERM."
    "\v" VERB_EXIT_CODES,
    NULL,
    NULL,
    NULL};

/* bin_dir finds the folder of this program: the other programs are beside it. */
static bool bin_dir(char out[PATH_MAX]) {
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (len <= 0) return false;
    out[len] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL) *slash = '\0';
    return slash != NULL;
}

static int run(struct supervisor_options *options, int lock_fd) {
    if (run_dir_lock_sign(lock_fd) != 0) {
        fprintf(stderr, "zonectl: cannot write the lock file: %s\n", strerror(errno));
        return EXIT_CODE_FAILED;
    }
    struct terminal terminal;
    terminal_take(&terminal);
    int result = supervisor_run(options);
    terminal_give_back(&terminal);
    return result == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

/* become_daemon leaves terminal and session; standard streams go nowhere, the supervisor has its log. */
static void become_daemon(void) {
    int null_fd = open("/dev/null", O_RDWR);
    (void)setsid();
    for (int fd = 0; fd <= 2 && null_fd >= 0; fd++) (void)dup2(null_fd, fd);
    if (null_fd > 2) close(null_fd);
}

/* wait_for_daemon passes on why the cluster did not come up; the pipe ends without a word when it did. */
static int wait_for_daemon(int fd) {
    char reason[2048];
    size_t len = 0;
    ssize_t count;
    while (len < sizeof(reason) - 1 && (count = read(fd, reason + len, sizeof(reason) - 1 - len)) > 0) len += (size_t)count;
    reason[len] = '\0';
    if (len == 0) return EXIT_CODE_OK;
    fprintf(stderr, "zonectl: the cluster did not come up: %s", reason);
    return EXIT_CODE_FAILED;
}

static int detach(struct supervisor_options *options, int lock_fd) {
    int fds[2];
    fflush(stdout);
    if (pipe2(fds, O_CLOEXEC) != 0) return EXIT_CODE_FAILED;
    pid_t pid = fork();
    if (pid < 0) {
        fprintf(stderr, "zonectl: cannot fork: %s\n", strerror(errno));
        return EXIT_CODE_FAILED;
    }
    if (pid > 0) {
        close(fds[1]);
        int code = wait_for_daemon(fds[0]);
        if (code != EXIT_CODE_OK) (void)waitpid(pid, NULL, 0); /* it is about to end, and nothing is to be left running */
        pid_t alive;
        if (code == EXIT_CODE_OK && run_dir_supervisor(options->run_dir, &alive) != 0) {
            fprintf(stderr, "zonectl: the supervisor died while the cluster came up, see %s/log/zonectl.log\n",
                    options->run_dir);
            code = EXIT_CODE_FAILED;
        }
        if (code == EXIT_CODE_OK)
            printf("cluster is ready, supervisor pid %d, run directory %s\n", (int)pid, options->run_dir);
        return code;
    }
    close(fds[0]);
    become_daemon();
    options->quiet = true;
    options->ready_fd = fds[1];
    return run(options, lock_fd);
}

/* prepare_stores finds out where the databases are, and tells the persists. */
static int prepare_stores(const struct arguments *a, const struct config *config, struct supervisor_options *options,
                          char error[RUN_DIR_ERROR_SIZE]) {
    struct stores *stores = calloc(1, sizeof(*stores));
    if (stores == NULL) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "out of memory");
        return MARCH_ERR_SYSTEM;
    }
    int result = stores_read(stores, &a->stores, config, error);
    if (result == 0) result = stores_publish(stores, a->run_dir, config, error);
    options->private_postgres = config->persists_count > 0 && stores->postgres.count == 0;
    options->private_redis = config->persists_count > 0 && stores->redis.count == 0;
    explicit_bzero(stores, sizeof(*stores));
    free(stores);
    return result;
}

int verb_up(int argc, char **argv) {
    struct arguments a = {.config = CONFIG_DEFAULT, .run_dir = RUN_DIR_DEFAULT};
    char bin[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    struct config *config = NULL;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    if (!bin_dir(bin)) {
        fprintf(stderr, "zonectl: cannot find the folder of its own program\n");
        return EXIT_CODE_FAILED;
    }
    struct supervisor_options options = {.bin_dir = bin, .run_dir = a.run_dir, .config_path = a.config, .ready_fd = -1};
    int lock_fd = -1;
    int result = config_load(a.config, &config, error, sizeof(error));
    if (result == 0) result = lock_fd = run_dir_lock(a.run_dir, error);
    if (result >= 0) result = run_dir_prepare(a.run_dir, a.config, error);
    if (result >= 0) result = prepare_stores(&a, config, &options, error);
    int code = result == MARCH_ERR_EXISTS && lock_fd == MARCH_ERR_EXISTS ? EXIT_CODE_RUNNING : EXIT_CODE_FAILED;
    if (result < 0) {
        fprintf(stderr, "zonectl: %s\n", error);
    } else {
        options.config = config;
        options.log_level = a.log_level;
        options.new_journal = a.new_journal;
        options.bots = a.bots == BOTS_CONFIG ? config->dev.bots : (uint32_t)a.bots;
        code = a.detach ? detach(&options, lock_fd) : run(&options, lock_fd);
    }
    if (lock_fd >= 0) close(lock_fd); /* a daemon shares it and holds the lock on */
    config_free(config);
    return code;
}
