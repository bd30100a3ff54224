/* supervisor.c: see supervisor.h. */
#include "tools/zonectl/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/file.h"
#include "tools/zonectl/cluster_status.h"
#include "tools/zonectl/control.h"
#include "tools/zonectl/orphans.h"
#include "tools/zonectl/process.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/scrape.h"
#include "tools/zonectl/view.h"

#define FDS_MAX    (2 + 2 * CLUSTER_PROCESSES_MAX + PRIVATE_SERVER_COUNT)
#define REASON_MAX (CHILD_LOG_LINE_MAX + 256)

enum phase { PHASE_STARTING = 0, PHASE_RUNNING, PHASE_STOPPING, PHASE_OVER };

/* What a request asked, in the low bits of its tag; above it the process, above that its pid. */
enum question { QUESTION_READY = 0, QUESTION_METRICS = 1, QUESTION_COUNT = 2 };

struct supervisor {
    struct supervisor_options options;
    enum phase phase;
    enum role stopping_role; /* in stopping */
    struct mono deadline;    /* of starting, or of the role that is stopping */
    struct mono next_probe;
    struct mono next_show;
    unsigned signals;        /* that asked to end */
    bool failed;             /* did not come up */
    char reason[REASON_MAX]; /* for who waits until it is ready */
    int signal_fd;
    int control_fd;
    int ready_fd;
    bool changed; /* cluster.json is out of date */
    struct view view;
    struct scraper *scraper;
    struct cluster_status status;
    uint32_t count;
    struct process processes[CLUSTER_PROCESSES_MAX];
    char bots_text[16];
    char pid_text[16];
};

static uint32_t deaths_max(const struct supervisor *s) {
    return s->phase == PHASE_STARTING ? SUPERVISOR_START_DEATHS_MAX : SUPERVISOR_DEATHS_MAX;
}

/* --- set-up */

static int add_process(struct supervisor *s, enum role role, const char *name, const char *program) {
    CHECK(s->count < CLUSTER_PROCESSES_MAX);
    struct process *p = &s->processes[s->count];
    *p = (struct process){.role = role, .pidfd = -1, .log = {.fd = -1, .pipe = {-1, -1}}};
    s->count++;
    snprintf(p->name, sizeof(p->name), "%s", name);
    snprintf(p->program, sizeof(p->program), "%s/%s", s->options.bin_dir, program);
    figures_none(&p->figures);
    lifecycle_init(&p->life, mono_now());
    char file[CONFIG_NAME_SIZE + 8];
    char path[PATH_MAX];
    snprintf(file, sizeof(file), "log/%s", name);
    if (run_dir_path(path, s->options.run_dir, file, ".log") != 0) return MARCH_ERR_INVALID;
    return child_log_open(&p->log, path, CHILD_LOG_BYTES_MAX);
}

static void set_args(struct process *p, ...) {
    va_list args;
    va_start(args, p);
    unsigned count = 0;
    p->args[count++] = p->program;
    for (char *arg; (arg = va_arg(args, char *)) != NULL;) {
        CHECK(count < PROCESS_ARGS_MAX);
        p->args[count++] = arg;
    }
    va_end(args);
    p->args[count] = NULL;
}

static int add_server(struct supervisor *s, enum role role, const char *name) {
    int result = add_process(s, role, name, role_text(role));
    struct process *p = &s->processes[s->count - 1];
    const char *level = s->options.log_level == NULL ? "info" : s->options.log_level;
    set_args(p, "--config", s->options.config_path, "--name", p->name, "--run-dir", s->options.run_dir, "--log-level", level,
             role == ROLE_PERSIST && s->options.new_journal ? "--new-journal" : NULL, NULL);
    return result;
}

static int add_bots(struct supervisor *s) {
    int result = add_process(s, ROLE_BOTS, "bots", "swarm");
    bool lasting = s->options.config->persists_count > 0; /* there is something to own */
    snprintf(s->bots_text, sizeof(s->bots_text), "%" PRIu32, s->options.bots);
    set_args(&s->processes[s->count - 1], "--clients", s->bots_text, "--duration", "0", "--run-dir", s->options.run_dir,
             "--behaviour", lasting ? "live" : "roam", "--reconnect", NULL);
    return result;
}

static enum private_server server_of(enum role role) {
    CHECK(role_is_store(role));
    return role == ROLE_REDIS ? PRIVATE_REDIS : PRIVATE_POSTGRES;
}

/* add_store runs this program, which becomes the server. */
static int add_store(struct supervisor *s, enum role role) {
    int result = add_process(s, role, role_text(role), "zonectl");
    struct process *p = &s->processes[s->count - 1];
    snprintf(s->pid_text, sizeof(s->pid_text), "%d", (int)getpid());
    set_args(p, "serve", p->name, "--run-dir", s->options.run_dir, "--parent", s->pid_text, NULL);
    return result;
}

static int add_processes(struct supervisor *s) {
    const struct config *config = s->options.config;
    int result = 0;
    if (s->options.private_postgres) result = add_store(s, ROLE_POSTGRES);
    if (s->options.private_redis && result == 0) result = add_store(s, ROLE_REDIS);
    for (uint32_t i = 0; i < config->persists_count && result == 0; i++)
        result = add_server(s, ROLE_PERSIST, config->persists[i].name);
    if (config_has_matchmaker(config) && result == 0) result = add_server(s, ROLE_MATCHMAKER, config->matchmaker.name);
    for (uint32_t i = 0; i < config->zones_count && result == 0; i++)
        result = add_server(s, ROLE_ZONE, config->zones[i].name);
    for (uint32_t i = 0; i < config->gateways_count && result == 0; i++)
        result = add_server(s, ROLE_GATEWAY, config->gateways[i].name);
    if (s->options.bots > 0 && result == 0) result = add_bots(s);
    return result;
}

/* open_signals makes the signals that concern us readable; process.c undoes the blocking for the processes. */
static int open_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --- what the outside is told */

static void update_status(struct supervisor *s, struct mono now) {
    uint64_t now_ms = wall_now_ns() / NS_PER_MS;
    struct cluster_status *status = &s->status;
    snprintf(status->cluster, sizeof(status->cluster), "%s", s->options.config->cluster.name);
    status->supervisor = getpid();
    status->count = s->count;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct process *p = &s->processes[i];
        struct process_status *out = &status->processes[i];
        snprintf(out->name, sizeof(out->name), "%s", p->name);
        out->role = p->role;
        out->state = p->life.state;
        out->pid = p->pid;
        out->restarts = p->life.restarts;
        out->ready = p->life.state == LIFECYCLE_READY;
        out->started_ms = p->pid == 0 ? 0 : now_ms - mono_since_ns(now, p->life.started) / NS_PER_MS;
        out->figures = p->figures;
    }
}

/* publish replaces cluster.json when something in it has changed. */
static void publish(struct supervisor *s) {
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    if (!s->changed || run_dir_path(path, s->options.run_dir, "cluster", ".json") != 0) return;
    s->changed = false;
    json_t *json = cluster_status_json(&s->status, wall_now_ns() / NS_PER_MS);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (text == NULL || file_write(path, text, strlen(text), 0600, error, sizeof(error)) != 0)
        view_say(&s->view, "cannot write %s", path);
    free(text);
    json_decref(json);
}

static void show(struct supervisor *s, struct mono now) {
    if (!s->changed && !mono_reached(now, s->next_show)) return;
    s->next_show = mono_add_ms(now, 1000);
    update_status(s, now);
    publish(s);
    view_show(&s->view, &s->status, now);
}

/* tell_ready answers who waits for the cluster to come up. */
static void tell_ready(struct supervisor *s) {
    if (s->ready_fd < 0) return;
    if (s->reason[0] != '\0') dprintf(s->ready_fd, "%s\n", s->reason);
    close(s->ready_fd);
    s->ready_fd = -1;
}

/* --- phases */

static void stop_role(struct supervisor *s, enum role role, struct mono now) {
    s->stopping_role = role;
    s->deadline = mono_add_ms(now, (uint64_t)role_stop_s(role) * 1000);
    for (uint32_t i = 0; i < s->count; i++) {
        struct process *p = &s->processes[i];
        if (p->role != role) continue;
        lifecycle_stop(&p->life);
        process_signal(p, role_stop_signal(role));
    }
    s->changed = true;
}

static void stop(struct supervisor *s, struct mono now) {
    if (s->phase >= PHASE_STOPPING) return;
    s->phase = PHASE_STOPPING;
    for (uint32_t i = 0; i < s->count; i++) /* what does not run will not be started any more */
        if (!lifecycle_running(&s->processes[i].life)) lifecycle_stop(&s->processes[i].life);
    stop_role(s, ROLE_BOTS, now);
}

/* fail_start ends a cluster that did not come up. */
static void fail_start(struct supervisor *s, const struct process *p, const char *what, struct mono now) {
    const char *said = child_log_reason(&p->log);
    snprintf(s->reason, sizeof(s->reason), "%s %s%s%s", p->name, what, said[0] == '\0' ? "" : ": ", said);
    s->failed = true;
    view_say(&s->view, "cluster did not come up: %s", s->reason);
    stop(s, now);
}

static bool role_running(const struct supervisor *s, enum role role) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->processes[i].role == role && lifecycle_running(&s->processes[i].life)) return true;
    return false;
}

static void step_starting(struct supervisor *s, struct mono now) {
    for (uint32_t i = 0; i < s->count; i++) {
        const struct process *p = &s->processes[i];
        if (p->role == ROLE_BOTS || p->life.state == LIFECYCLE_READY) continue;
        if (mono_reached(now, s->deadline)) fail_start(s, p, "is not ready in time", now);
        return;
    }
    s->phase = PHASE_RUNNING;
    view_say(&s->view, "cluster %s is ready: %u processes, run directory %s", s->options.config->cluster.name, s->count,
             s->options.run_dir);
    tell_ready(s);
}

/* Roles of which nothing runs are passed over at once: no event would come of them. */
static void step_stopping(struct supervisor *s, struct mono now) {
    while (!role_running(s, s->stopping_role)) {
        if (s->stopping_role + 1 == ROLE_COUNT) {
            s->phase = PHASE_OVER;
            return;
        }
        stop_role(s, s->stopping_role + 1, now);
    }
    if (!mono_reached(now, s->deadline)) return;
    s->deadline = mono_add_ms(now, (uint64_t)role_stop_s(s->stopping_role) * 1000);
    for (uint32_t i = 0; i < s->count; i++) {
        struct process *p = &s->processes[i];
        if (p->role != s->stopping_role || !lifecycle_running(&p->life)) continue;
        view_say(&s->view, "%s did not end within %u s and is killed", p->name, role_stop_s(p->role));
        process_signal(p, SIGKILL);
    }
}

/* --- processes */

/* held tells whether a process that is due has to wait: while a cluster comes up, for those that it needs. */
static bool held(const struct supervisor *s, const struct process *p) {
    if (s->phase != PHASE_STARTING) return false;
    if (p->role == ROLE_BOTS) return true;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct process *other = &s->processes[i];
        bool needed =
            role_is_store(other->role) ? !role_is_store(p->role) : other->role == ROLE_PERSIST && p->role < ROLE_PERSIST;
        if (needed && other->life.state != LIFECYCLE_READY) return true;
    }
    return false;
}

static void say_first_start(struct supervisor *s, const struct process *p) {
    char folder[PATH_MAX];
    char error[PRIVATE_SERVER_ERROR_SIZE];
    if (p->role != ROLE_POSTGRES || private_server_folder(folder, s->options.run_dir, PRIVATE_POSTGRES, error) != 0) return;
    if (private_server_is_new(folder)) view_say(&s->view, "setting up PostgreSQL in %s, this once", folder);
}

static void start_due(struct supervisor *s, struct mono now) {
    for (uint32_t i = 0; i < s->count; i++) {
        struct process *p = &s->processes[i];
        if (!lifecycle_due(&p->life, now) || held(s, p)) continue;
        say_first_start(s, p);
        run_dir_forget(s->options.run_dir, p->name);
        if (process_start(p, now, deaths_max(s)) != 0) view_say(&s->view, "%s: cannot start: %s", p->name, strerror(errno));
        if (p->role == ROLE_BOTS) lifecycle_probed(&p->life, p->pid != 0); /* has nothing to ask */
        s->changed = true;
    }
}

static const char *end_text(const struct process_end *end, char *buf, size_t size) {
    if (end->signal != 0)
        snprintf(buf, size, "died of signal %d (%s)", end->signal, strsignal(end->signal));
    else
        snprintf(buf, size, "exited with code %d", end->code);
    return buf;
}

static void take_death(struct supervisor *s, struct process *p, const struct process_end *end, struct mono now) {
    char ending[96];
    end_text(end, ending, sizeof(ending));
    if (s->phase == PHASE_STOPPING) lifecycle_stop(&p->life); /* its role's turn has not come, and need not */
    bool to_begin_anew = p->is_asked && p->life.state != LIFECYCLE_STOPPING;
    if (to_begin_anew) lifecycle_stop(&p->life); /* which is no death */
    lifecycle_died(&p->life, now, deaths_max(s));
    if (to_begin_anew) lifecycle_revive(&p->life, now);
    p->is_asked = false;
    figures_none(&p->figures);
    s->changed = true;
    const char *said = child_log_reason(&p->log);
    const char *colon = said[0] == '\0' ? "" : ": ";
    switch (p->life.state) {
    case LIFECYCLE_STOPPED:
        if (s->phase == PHASE_RUNNING) view_say(&s->view, "%s (pid %d) %s and stays down", p->name, (int)end->pid, ending);
        if (s->phase != PHASE_RUNNING && (end->signal != 0 || end->code != 0))
            view_say(&s->view, "%s (pid %d) %s while ending%s%s", p->name, (int)end->pid, ending, colon, said);
        break;
    case LIFECYCLE_FAILED:
        view_say(&s->view, "%s (pid %d) %s, %u quick deaths in a row: given up%s%s", p->name, (int)end->pid, ending,
                 p->life.quick_deaths, colon, said);
        if (s->phase == PHASE_STARTING) fail_start(s, p, ending, now);
        break;
    default:
        view_say(&s->view, "%s (pid %d) %s, restarting in %" PRIu64 " ms%s%s", p->name, (int)end->pid, ending,
                 (uint64_t)(mono_since_ns(p->life.next_start, now) / NS_PER_MS), colon, said);
    }
}

/* learn_http finds out where a process answers; it writes the file when it listens. */
static bool learn_http(struct supervisor *s, struct process *p) {
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    uint8_t *bytes;
    size_t len;
    if (p->http[0] != '\0') return true;
    if (run_dir_path(path, s->options.run_dir, p->name, ".http") != 0) return false;
    if (file_read(path, sizeof(p->http) - 1, &bytes, &len, error, sizeof(error)) != 0) return false;
    snprintf(p->http, sizeof(p->http), "%.*s", (int)strcspn((char *)bytes, "\n"), (char *)bytes);
    free(bytes);
    return p->http[0] != '\0';
}

/* take_readiness notes what a process says of itself, or what its silence means. */
static void take_readiness(struct supervisor *s, struct process *p, bool ready, struct mono now) {
    enum lifecycle_state before = p->life.state;
    lifecycle_probed(&p->life, ready);
    if (p->life.state == before) return;
    s->changed = true;
    if (s->phase == PHASE_STARTING && ready) s->deadline = mono_add_ms(now, SUPERVISOR_START_S * 1000);
    if (s->phase == PHASE_RUNNING)
        view_say(&s->view, "%s (pid %d) is %s", p->name, (int)p->pid, ready ? "ready" : "not ready any more");
}

static void probe_store(struct supervisor *s, struct process *p, struct mono now) {
    char folder[PATH_MAX];
    char error[PRIVATE_SERVER_ERROR_SIZE];
    enum private_server server = server_of(p->role);
    if (p->ping.state != PING_IDLE) return;
    if (private_server_folder(folder, s->options.run_dir, server, error) != 0 ||
        ping_start(&p->ping, server, folder, s->options.config->persists_count, now) != 0)
        take_readiness(s, p, false, now);
}

static void probe(struct supervisor *s, struct mono now) {
    if (s->phase == PHASE_STOPPING || !mono_reached(now, s->next_probe)) return;
    bool all_ready = true;
    for (uint32_t i = 0; i < s->count; i++) {
        struct process *p = &s->processes[i];
        all_ready = all_ready && (p->life.state == LIFECYCLE_READY || p->life.state == LIFECYCLE_STOPPED);
        if (role_is_store(p->role) && lifecycle_running(&p->life)) {
            probe_store(s, p, now);
            continue;
        }
        if (p->role == ROLE_BOTS || !lifecycle_running(&p->life) || p->asked || !learn_http(s, p)) continue;
        uint64_t tag = (uint64_t)p->pid << 16 | i << 1;
        p->asked = scraper_get(s->scraper, p->http, "/ready", SUPERVISOR_DEADLINE_MS, tag | QUESTION_READY) == 0;
        if (!s->options.quiet && s->phase == PHASE_RUNNING)
            (void)!scraper_get(s->scraper, p->http, "/metrics", SUPERVISOR_DEADLINE_MS, tag | QUESTION_METRICS);
    }
    s->next_probe = mono_add_ms(now, all_ready ? SUPERVISOR_PROBE_MS : SUPERVISOR_PROBE_START_MS);
}

static void take_answers(struct supervisor *s, struct mono now) {
    struct scrape_result answer;
    while (scraper_next(s->scraper, &answer)) {
        struct process *p = &s->processes[answer.tag >> 1 & 0x7fff];
        if (p->pid != (pid_t)(answer.tag >> 16)) continue; /* of a former run */
        if (answer.tag % QUESTION_COUNT == QUESTION_METRICS) {
            if (answer.http_status == 200) figures_read(&p->figures, &p->past, answer.body, now);
            continue;
        }
        p->asked = false;
        take_readiness(s, p, answer.http_status == 200, now);
    }
}

/* --- loop */

static void take_signals(struct supervisor *s, struct mono now) {
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (s->signals++ == 0) {
            view_say(&s->view, "ending the cluster (%s)", strsignal((int)info.ssi_signo));
            snprintf(s->reason, sizeof(s->reason), "%s", s->phase == PHASE_STARTING ? "ended before it was ready" : "");
            stop(s, now);
        } else {
            view_say(&s->view, "killing what still runs");
            for (uint32_t i = 0; i < s->count; i++) process_signal(&s->processes[i], SIGKILL);
        }
    }
}

/* --- what operators ask */

static struct process *find_process(struct supervisor *s, const char *name) {
    for (uint32_t i = 0; i < s->count; i++)
        if (strcmp(s->processes[i].name, name) == 0) return &s->processes[i];
    return NULL;
}

/* ask_to_end has it killed when it does not end in its role's time. */
static void ask_to_end(struct supervisor *s, struct process *p, struct mono now) {
    p->is_asked = true;
    p->kill_at = mono_add_ms(now, (uint64_t)role_stop_s(p->role) * 1000);
    process_signal(p, role_stop_signal(p->role));
    s->changed = true;
}

static const char *obey(struct supervisor *s, const struct control_request *request, struct mono now) {
    struct process *p = find_process(s, request->name);
    if (s->phase != PHASE_RUNNING) return s->phase == PHASE_STARTING ? "the cluster is starting" : "the cluster is ending";
    if (p == NULL) return "there is no such process";
    view_say(&s->view, "%s is to %s", p->name, control_verb_text(request->verb));
    switch (request->verb) {
    case CONTROL_START:
        lifecycle_revive(&p->life, now);
        s->changed = true;
        break;
    case CONTROL_STOP:
        lifecycle_stop(&p->life);
        ask_to_end(s, p, now);
        break;
    default:
        if (!lifecycle_running(&p->life)) return "it does not run";
        ask_to_end(s, p, now);
    }
    return NULL;
}

static void take_requests(struct supervisor *s, struct mono now) {
    struct control_request request;
    while (control_take(s->control_fd, &request)) control_answer(s->control_fd, &request, obey(s, &request, now));
}

static void kill_slow(struct supervisor *s, struct mono now) {
    for (uint32_t i = 0; i < s->count; i++) {
        struct process *p = &s->processes[i];
        if (!p->is_asked || !lifecycle_running(&p->life) || !mono_reached(now, p->kill_at)) continue;
        view_say(&s->view, "%s did not end within %u s and is killed", p->name, role_stop_s(p->role));
        process_signal(p, SIGKILL);
        p->kill_at = mono_add_ms(now, (uint64_t)role_stop_s(p->role) * 1000);
    }
}

/* wait_ms returns how long nothing is to be done unless something happens. */
static int wait_ms(const struct supervisor *s, struct mono now) {
    uint64_t ns = mono_since_ns(s->next_show, now);
    if (s->phase < PHASE_STOPPING && mono_since_ns(s->next_probe, now) < ns) ns = mono_since_ns(s->next_probe, now);
    if (s->phase == PHASE_STOPPING && mono_since_ns(s->deadline, now) < ns) ns = mono_since_ns(s->deadline, now);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct lifecycle *life = &s->processes[i].life;
        if (life->state != LIFECYCLE_WAITING || held(s, &s->processes[i])) continue;
        if (mono_since_ns(life->next_start, now) < ns) ns = mono_since_ns(life->next_start, now);
    }
    return (int)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void wait_for_events(struct supervisor *s, struct mono now) {
    struct pollfd fds[FDS_MAX];
    unsigned count = 0;
    fds[count++] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = s->control_fd, .events = POLLIN};
    for (uint32_t i = 0; i < s->count; i++) {
        fds[count++] = (struct pollfd){.fd = s->processes[i].log.pipe[0], .events = POLLIN};
        if (s->processes[i].pidfd >= 0) fds[count++] = (struct pollfd){.fd = s->processes[i].pidfd, .events = POLLIN};
        if (ping_poll(&s->processes[i].ping, &fds[count])) count++;
    }
    scraper_wait(s->scraper, fds, count, wait_ms(s, now));
}

static void take_events(struct supervisor *s, struct mono now) {
    take_signals(s, now);
    take_requests(s, now);
    for (uint32_t i = 0; i < s->count; i++) {
        struct process_end end;
        child_log_drain(&s->processes[i].log);
        if (process_reap(&s->processes[i], &end)) take_death(s, &s->processes[i], &end, now);
        enum ping_answer answer = ping_step(&s->processes[i].ping, now);
        if (answer != PING_PENDING) take_readiness(s, &s->processes[i], answer == PING_YES, now);
    }
    take_answers(s, now);
}

static void loop(struct supervisor *s) {
    while (s->phase != PHASE_OVER) {
        struct mono now = mono_now();
        if (s->phase == PHASE_STARTING) step_starting(s, now);
        if (s->phase == PHASE_STOPPING) step_stopping(s, now);
        if (s->phase < PHASE_STOPPING) start_due(s, now);
        if (s->phase == PHASE_RUNNING) kill_slow(s, now);
        probe(s, now);
        show(s, now);
        if (s->phase == PHASE_OVER) break;
        wait_for_events(s, now);
        take_events(s, mono_now());
    }
}

static int open_all(struct supervisor *s) {
    char path[PATH_MAX];
    s->view.log.fd = s->view.log.pipe[0] = s->view.log.pipe[1] = -1;
    if (run_dir_path(path, s->options.run_dir, "log/zonectl", ".log") != 0) return MARCH_ERR_INVALID;
    if (view_open(&s->view, path, s->options.quiet) != 0) return MARCH_ERR_SYSTEM;
    s->signal_fd = open_signals();
    s->scraper = scraper_create();
    s->control_fd = control_open(s->options.run_dir);
    if (s->signal_fd < 0 || s->control_fd < 0 || s->scraper == NULL) return MARCH_ERR_SYSTEM;
    return add_processes(s);
}

/* end_orphans ends what a killed database server may have left: nothing is to run when we are gone. */
static void end_orphans(const struct supervisor *s, const struct process *p) {
    char folder[PATH_MAX];
    char error[PRIVATE_SERVER_ERROR_SIZE];
    if (role_is_store(p->role) && private_server_folder(folder, s->options.run_dir, server_of(p->role), error) == 0)
        (void)!orphans_kill(folder);
}

static void close_all(struct supervisor *s) {
    char path[PATH_MAX];
    for (uint32_t i = 0; i < s->count; i++) {
        end_orphans(s, &s->processes[i]);
        ping_stop(&s->processes[i].ping);
        child_log_close(&s->processes[i].log);
        run_dir_forget(s->options.run_dir, s->processes[i].name);
    }
    if (run_dir_path(path, s->options.run_dir, "cluster", ".json") == 0) (void)unlink(path);
    scraper_destroy(s->scraper);
    if (s->signal_fd >= 0) close(s->signal_fd);
    control_close(s->control_fd, s->options.run_dir);
    view_close(&s->view);
}

int supervisor_run(const struct supervisor_options *options) {
    struct supervisor *s = calloc(1, sizeof(*s));
    if (s == NULL) return MARCH_ERR_SYSTEM;
    s->options = *options;
    s->ready_fd = options->ready_fd;
    s->signal_fd = s->control_fd = -1;
    s->changed = true;
    s->deadline = mono_add_ms(mono_now(), SUPERVISOR_START_S * 1000);
    int result = open_all(s);
    if (result == 0) {
        loop(s);
        if (s->failed) result = MARCH_ERR_SYSTEM;
        if (result == 0) view_say(&s->view, "cluster has ended");
    } else {
        snprintf(s->reason, sizeof(s->reason), "cannot set up in %s: %s", options->run_dir, strerror(errno));
        fprintf(stderr, "zonectl: %s\n", s->reason);
    }
    tell_ready(s);
    close_all(s);
    free(s);
    return result;
}
