/* process.c: see process.h. */
#include "tools/zonectl/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"

struct role_facts {
    const char *text;
    int stop_signal;
    unsigned stop_s;
};

static const struct role_facts role_facts[] = {
    {"bots", SIGTERM, 5},     {"gateway", SIGTERM, 5}, {"matchmaker", SIGTERM, 5}, {"zone", SIGTERM, 5},
    {"persist", SIGTERM, 10}, {"redis", SIGTERM, 10},  {"postgres", SIGINT, 30},
};
_Static_assert(sizeof(role_facts) / sizeof(role_facts[0]) == ROLE_COUNT, "facts for each role");

/* become runs in the new process and does not return. Only async-signal-safe calls. */
__attribute__((noreturn)) static void become(const struct process *p, pid_t supervisor) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) _exit(127); /* it died before the line above */
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTTOU, SIG_DFL);
    signal(SIGTSTP, SIG_DFL);
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(p->log.pipe[1], 1) < 0 || dup2(p->log.pipe[1], 2) < 0) _exit(127);
    execv(p->program, p->args);
    dprintf(2, "level=error msg=\"exec failed\" program=%s error=\"%s\"\n", p->program, strerror(errno));
    _exit(127);
}

int process_start(struct process *p, struct mono now, uint32_t deaths_max) {
    child_log_forget(&p->log);
    figures_none(&p->figures);
    p->past = (struct figures_past){.known = false};
    p->http[0] = '\0';
    p->asked = false;
    p->is_asked = false;
    ping_stop(&p->ping);
    lifecycle_started(&p->life, now);
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0) become(p, supervisor);
    int pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
    if (pidfd < 0) {
        int saved = errno;
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        lifecycle_died(&p->life, now, deaths_max);
        errno = saved;
        return MARCH_ERR_SYSTEM;
    }
    p->pid = pid;
    p->pidfd = pidfd;
    return 0;
}

void process_signal(struct process *p, int signal) {
    if (p->pidfd >= 0) (void)pidfd_send_signal(p->pidfd, signal, NULL, 0);
}

bool process_reap(struct process *p, struct process_end *end) {
    siginfo_t info = {.si_pid = 0};
    if (p->pidfd < 0 || waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return false;
    bool left = info.si_code == CLD_EXITED;
    *end = (struct process_end){.code = left ? info.si_status : 0, .signal = left ? 0 : info.si_status, .pid = p->pid};
    child_log_drain(&p->log);
    ping_stop(&p->ping);
    close(p->pidfd);
    p->pidfd = -1;
    p->pid = 0;
    return true;
}

const char *role_text(enum role role) {
    CHECK((unsigned)role < ROLE_COUNT);
    return role_facts[role].text;
}

bool role_is_store(enum role role) {
    return role == ROLE_REDIS || role == ROLE_POSTGRES;
}

int role_stop_signal(enum role role) {
    CHECK((unsigned)role < ROLE_COUNT);
    return role_facts[role].stop_signal;
}

unsigned role_stop_s(enum role role) {
    CHECK((unsigned)role < ROLE_COUNT);
    return role_facts[role].stop_s;
}

enum role role_parse(const char *text) {
    enum role role = ROLE_BOTS;
    while (role < ROLE_COUNT && strcmp(text, role_facts[role].text) != 0) role++;
    return role;
}
