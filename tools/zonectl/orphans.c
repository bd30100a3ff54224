/* orphans.c: see orphans.h. */
#include "tools/zonectl/orphans.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "common/clock.h"

#define RETRY_MS 5

/* works_in tells whether the current directory of a process is `folder` or below it. */
static bool works_in(pid_t pid, const char *folder) {
    char link[32];
    char cwd[PATH_MAX];
    size_t folder_len = strlen(folder);
    snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
    ssize_t len = readlink(link, cwd, sizeof(cwd) - 1);
    if (len < 0) return false; /* gone, or somebody else's */
    cwd[len] = '\0';
    return strncmp(cwd, folder, folder_len) == 0 && (cwd[folder_len] == '\0' || cwd[folder_len] == '/');
}

/* kill_one looks again after it has a descriptor, since the number of a process that ended may be given to another. */
static void kill_one(pid_t pid, const char *folder) {
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) return;
    if (works_in(pid, folder)) (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    close(pidfd);
}

/* kill_all returns how many there were, or MARCH_ERR_SYSTEM. */
static int kill_all(const char *folder) {
    DIR *proc = opendir("/proc");
    int count = 0;
    if (proc == NULL) return MARCH_ERR_SYSTEM;
    for (const struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid() || !works_in(pid, folder)) continue;
        kill_one(pid, folder);
        count++;
    }
    closedir(proc);
    return count;
}

int orphans_kill(const char *folder) {
    struct mono deadline = mono_add_ms(mono_now(), ORPHANS_WAIT_MS);
    for (;;) {
        int count = kill_all(folder);
        if (count <= 0) return count;
        if (mono_reached(mono_now(), deadline)) return MARCH_ERR_EXPIRED;
        poll(NULL, 0, RETRY_MS);
    }
}
