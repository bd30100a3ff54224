/* library.c: see library.h. */
#include "matchmaker/library.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/log.h"

/* A file that was written, came, went or was renamed; and the folder itself. */
#define WATCHED                                                                                                             \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct library {
    struct library_config config;
    char modes_path[PATH_MAX], templates_path[PATH_MAX];
    struct mode_set modes;
    struct template_set templates;
    struct library_stats stats;
    char error[LIBRARY_ERROR_SIZE];
    int fd;
    ev_io io;
    ev_timer settle;
    ev_tstamp dirty_since; /* the first change that is not read yet; 0: none */
};

/* What was read, before it holds. */
struct draft {
    struct mode_set modes;
    struct template_set templates;
};

/* --- taking over */

static int read_folders(const struct library *l, struct draft *draft, char *error, size_t error_size) {
    int result = 0;
    if (l->modes_path[0]) result = mode_file_load_folder(l->modes_path, &draft->modes, error, error_size);
    if (result == 0 && l->templates_path[0])
        result = template_file_load_folder(l->templates_path, &l->templates, &draft->templates, error, error_size);
    return result;
}

/* take_over makes a draft what holds, if it is something else. Padding may tell two apart that are the same; then the same
 * is taken over again. */
static int take_over(struct library *l, const struct draft *draft, char *error, size_t error_size) {
    bool is_first = l->stats.changes == 0;
    if (!is_first && memcmp(&draft->modes, &l->modes, sizeof l->modes) == 0 &&
        memcmp(&draft->templates, &l->templates, sizeof l->templates) == 0)
        return 0;
    int result = l->config.changed(l->config.context, &draft->modes, &draft->templates, error, error_size);
    if (result != 0) return result;
    l->modes = draft->modes;
    l->templates = draft->templates;
    l->stats.changes++;
    log_info("library.changed", "modes=%" PRIu32 " templates=%" PRIu32, l->modes.count, l->templates.count);
    return 0;
}

/* read_anew reads and takes over; the error is kept, and told when it is another. */
static int read_anew(struct library *l) {
    char error[LIBRARY_ERROR_SIZE] = "";
    struct draft *draft = calloc(1, sizeof *draft);
    int result = draft ? read_folders(l, draft, error, sizeof error) : MARCH_ERR_SYSTEM;
    if (result == 0) result = take_over(l, draft, error, sizeof error);
    if (!draft) snprintf(error, sizeof error, "out of memory");
    free(draft);
    if (result != 0) l->stats.failures++;
    if (result != 0 && strcmp(error, l->error) != 0) log_error("library.refused", "error=%s", LOG_QUOTE(error));
    if (result == 0 && l->error[0]) log_info("library.good", "failures=%" PRIu64, l->stats.failures);
    memcpy(l->error, error, sizeof l->error);
    return result;
}

/* --- watching */

static bool watch_folder(const struct library *l, const char *path) {
    return path[0] == '\0' || inotify_add_watch(l->fd, path, WATCHED) >= 0;
}

static void settle_in(struct library *l, ev_tstamp seconds) {
    ev_timer_stop(l->config.loop, &l->settle);
    ev_timer_set(&l->settle, seconds, 0.);
    ev_timer_start(l->config.loop, &l->settle);
}

/* refresh watches, which does nothing where that is done already, then reads: so no change is missed between the two. */
static int refresh(struct library *l) {
    l->dirty_since = 0;
    ev_timer_stop(l->config.loop, &l->settle);
    bool is_watched = watch_folder(l, l->modes_path) && watch_folder(l, l->templates_path);
    int result = read_anew(l);
    if (!is_watched) settle_in(l, LIBRARY_RETRY_MS / 1e3);
    return result;
}

static void on_settled(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    (void)!refresh(timer->data);
}

/* on_change waits for quiet; what changed does not matter, both folders are read. */
static void on_change(struct ev_loop *loop, ev_io *io, int events) {
    (void)events;
    struct library *l = io->data;
    char bytes[4096] __attribute__((aligned(_Alignof(struct inotify_event))));
    while (read(l->fd, bytes, sizeof bytes) > 0) continue;
    ev_tstamp now = ev_now(loop);
    if (l->dirty_since == 0) l->dirty_since = now;
    ev_tstamp left = l->dirty_since + LIBRARY_SETTLE_MAX_MS / 1e3 - now;
    settle_in(l, left < LIBRARY_SETTLE_MS / 1e3 ? (left > 0 ? left : 0) : LIBRARY_SETTLE_MS / 1e3);
}

/* --- life */

static int take_path(char out[PATH_MAX], const char *path, char *error, size_t error_size) {
    if ((size_t)snprintf(out, PATH_MAX, "%s", path) < PATH_MAX) return 0;
    snprintf(error, error_size, "%.64s...: path too long", path);
    return MARCH_ERR_INVALID;
}

static int open_watch(struct library *l, char *error, size_t error_size) {
    l->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (l->fd < 0) {
        snprintf(error, error_size, "cannot watch folders: %s", strerror(errno));
        return MARCH_ERR_SYSTEM;
    }
    ev_io_init(&l->io, on_change, l->fd, EV_READ);
    ev_timer_init(&l->settle, on_settled, 0., 0.);
    l->io.data = l->settle.data = l;
    ev_io_start(l->config.loop, &l->io);
    int result = refresh(l);
    if (result != 0) snprintf(error, error_size, "%s", l->error);
    return result;
}

int library_open(struct library **out, const struct library_config *config, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct library *l = calloc(1, sizeof *l);
    if (!l) return MARCH_ERR_SYSTEM;
    l->config = *config;
    l->fd = -1;
    int result = take_path(l->modes_path, config->modes, error, error_size);
    if (result == 0) result = take_path(l->templates_path, config->templates, error, error_size);
    if (result == 0) result = open_watch(l, error, error_size);
    if (result != 0) {
        library_close(l);
        return result;
    }
    *out = l;
    return 0;
}

void library_close(struct library *l) {
    if (!l) return;
    if (l->fd >= 0) {
        ev_io_stop(l->config.loop, &l->io);
        ev_timer_stop(l->config.loop, &l->settle);
        close(l->fd);
    }
    free(l);
}

int library_reload(struct library *l, char *error, size_t error_size) {
    int result = refresh(l);
    if (result != 0) snprintf(error, error_size, "%s", l->error);
    return result;
}

/* --- looking in */

const struct mode_set *library_modes(const struct library *l) {
    return &l->modes;
}

const struct template_set *library_templates(const struct library *l) {
    return &l->templates;
}

const char *library_error(const struct library *l) {
    return l->error;
}

struct library_stats library_stats_get(const struct library *l) {
    return l->stats;
}
