#include "common/step.h"

#ifdef MARCH_STEPS

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ORDER_MAX 128

/* The one thing that is no part of a context: steps are passed where there is none that knows of the run directory. */
static struct {
    char path[PATH_MAX], at[PATH_MAX]; /* path: empty when there is nobody to give orders */
    char order[ORDER_MAX];             /* the newest */
    unsigned left;                     /* of its SKIP */
} steps;

/* path_fits writes RUN/steps and what follows. */
static bool path_fits(char out[PATH_MAX], const char *run_dir, const char *process, const char *suffix) {
    int len = snprintf(out, PATH_MAX, "%s/steps/%s%s", run_dir, process, suffix);
    return len > 0 && len < PATH_MAX;
}

void step_begin(const char *run_dir, const char *process) {
    bool fits = path_fits(steps.path, run_dir, "", "") && access(steps.path, X_OK) == 0;
    fits = fits && path_fits(steps.at, run_dir, process, ".at") && path_fits(steps.path, run_dir, process, "");
    if (!fits) steps.path[0] = '\0';
}

/* read_order reads the order that lies there; false when there is none. */
static bool read_order(char order[ORDER_MAX]) {
    int fd = open(steps.path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t len = read(fd, order, ORDER_MAX - 1);
    close(fd);
    if (len <= 0) return false;
    order[len] = '\0';
    return true;
}

void step_pass(const char *name) {
    char order[ORDER_MAX], step[ORDER_MAX];
    unsigned skip;
    if (steps.path[0] == '\0' || !read_order(order)) return;
    if (sscanf(order, "%127s %u", step, &skip) != 2 || strcmp(step, name) != 0) return;
    if (strcmp(order, steps.order) != 0) {
        memcpy(steps.order, order, sizeof order);
        steps.left = skip;
    }
    if (steps.left-- > 0) return;
    if (rename(steps.path, steps.at) == 0) raise(SIGSTOP);
}

#endif
