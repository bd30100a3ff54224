/* status.c: zonectl status. Reads what the supervisor published and asks the processes for the rest. */
#include <argp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "tools/zonectl/cluster_status.h"
#include "tools/zonectl/published.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/scrape.h"
#include "tools/zonectl/supervisor.h"
#include "tools/zonectl/terminal.h"
#include "tools/zonectl/verb.h"
#include "tools/zonectl/world.h"

#define WATCH_MS 1000

/* What a request asked, in the low bits of its tag; above it the process. */
enum question { QUESTION_READY = 0, QUESTION_METRICS = 1, QUESTION_WORLD = 2, QUESTION_BITS = 2 };

struct arguments {
    const char *run_dir;
    bool json;
    bool watch;
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {"watch", 'w', NULL, 0, "Show it again every second, with rates, until the cluster ends or Ctrl-C", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'w': a->watch = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS, parse, NULL, "Tells what runs in a run directory and how it does.\v" VERB_EXIT_CODES, NULL, NULL, NULL};

struct poller {
    const char *run_dir;
    struct scraper *scraper;
    struct cluster_status status;
    json_t *world;                     /* the matchmaker's; NULL: there is none, or it does not answer */
    pid_t pids[CLUSTER_PROCESSES_MAX]; /* whose past is kept: another process has another past */
    struct figures_past past[CLUSTER_PROCESSES_MAX];
};

static void ask(struct poller *p, uint32_t index) {
    const struct process_status *process = &p->status.processes[index];
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    uint8_t *bytes;
    size_t len;
    if (process->role == ROLE_BOTS || role_is_store(process->role) ||
        run_dir_path(path, p->run_dir, process->name, ".http") != 0)
        return;
    if (file_read(path, CONFIG_ADDRESS_SIZE - 1, &bytes, &len, error, sizeof(error)) != 0) return;
    bytes[strcspn((char *)bytes, "\n")] = '\0';
    uint64_t tag = (uint64_t)index << QUESTION_BITS;
    (void)!scraper_get(p->scraper, (char *)bytes, "/ready", SUPERVISOR_DEADLINE_MS, tag | QUESTION_READY);
    (void)!scraper_get(p->scraper, (char *)bytes, "/metrics", SUPERVISOR_DEADLINE_MS, tag | QUESTION_METRICS);
    if (process->role == ROLE_MATCHMAKER)
        (void)!scraper_get(p->scraper, (char *)bytes, "/status", SUPERVISOR_DEADLINE_MS, tag | QUESTION_WORLD);
    free(bytes);
}

static void take_answers(struct poller *p) {
    struct scrape_result answer;
    while (scraper_next(p->scraper, &answer)) {
        uint32_t index = (uint32_t)(answer.tag >> QUESTION_BITS);
        enum question question = (enum question)(answer.tag & ((1u << QUESTION_BITS) - 1));
        struct process_status *process = &p->status.processes[index];
        if (question == QUESTION_READY) process->ready = answer.http_status == 200;
        if (question == QUESTION_METRICS && answer.http_status == 200)
            figures_read(&process->figures, &p->past[index], answer.body, mono_now());
        if (question == QUESTION_WORLD && answer.http_status == 200)
            p->world = json_loadb(answer.body, answer.body_len, 0, NULL);
    }
}

/* poll_cluster fills p->status; an exit code, with the reason on standard error. */
static int poll_cluster(struct poller *p) {
    char error[RUN_DIR_ERROR_SIZE];
    int code = published_read(&p->status, p->run_dir, error);
    if (code != EXIT_CODE_OK) {
        fprintf(stderr, "zonectl: %s\n", error);
        return code;
    }
    json_decref(p->world);
    p->world = NULL;
    for (uint32_t i = 0; i < p->status.count; i++) {
        if (p->pids[i] != p->status.processes[i].pid) p->past[i].known = false;
        p->pids[i] = p->status.processes[i].pid;
        if (p->pids[i] != 0) ask(p, i);
    }
    while (scraper_busy(p->scraper)) {
        take_answers(p);
        if (scraper_busy(p->scraper)) scraper_wait(p->scraper, NULL, 0, SUPERVISOR_DEADLINE_MS);
    }
    return cluster_status_ready(&p->status) ? EXIT_CODE_OK : EXIT_CODE_NOT_READY;
}

static void print(const struct poller *p, bool as_json) {
    uint64_t now_ms = wall_now_ns() / NS_PER_MS;
    if (!as_json) {
        cluster_status_print(&p->status, stdout, now_ms);
        if (p->world != NULL) world_print(p->world, stdout);
    } else {
        json_t *json = cluster_status_json(&p->status, now_ms);
        if (p->world != NULL) json_object_set(json, "world", p->world);
        json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(json);
    }
    fflush(stdout);
}

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static int watch(struct poller *p, bool as_json) {
    bool on_screen = isatty(STDOUT_FILENO) && !as_json;
    int code = EXIT_CODE_OK;
    struct terminal terminal;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    terminal_take(&terminal);
    while (stop == 0 && (code == EXIT_CODE_OK || code == EXIT_CODE_NOT_READY)) {
        code = poll_cluster(p);
        if (code != EXIT_CODE_OK && code != EXIT_CODE_NOT_READY) break;
        if (on_screen) printf("\x1b[H\x1b[J");
        print(p, as_json);
        poll(NULL, 0, WATCH_MS);
    }
    terminal_give_back(&terminal);
    return stop != 0 ? EXIT_CODE_OK : code;
}

int verb_status(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    struct poller *p = calloc(1, sizeof(*p));
    int code = EXIT_CODE_FAILED;
    if (p != NULL) p->scraper = scraper_create();
    if (p == NULL || p->scraper == NULL) {
        fprintf(stderr, "zonectl: cannot start the HTTP client\n");
    } else {
        p->run_dir = a.run_dir;
        code = a.watch ? watch(p, a.json) : poll_cluster(p);
        if (!a.watch && (code == EXIT_CODE_OK || code == EXIT_CODE_NOT_READY)) print(p, a.json);
    }
    if (p != NULL) {
        scraper_destroy(p->scraper);
        json_decref(p->world);
    }
    free(p);
    return code;
}
