/* view.c: see view.h. */
#include "tools/zonectl/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EVENT_MAX 1024

int view_open(struct view *v, const char *log_path, bool quiet) {
    *v = (struct view){.terminal = !quiet && isatty(STDOUT_FILENO), .quiet = quiet};
    return child_log_open(&v->log, log_path, CHILD_LOG_BYTES_MAX);
}

void view_close(struct view *v) {
    fflush(stdout);
    child_log_close(&v->log);
}

/* erase takes the table off the terminal: up to its first line, clear to the end of the screen. */
static void erase(struct view *v) {
    if (v->lines > 0) printf("\x1b[%uA\x1b[J", v->lines);
    v->lines = 0;
}

void view_say(struct view *v, const char *format, ...) {
    char text[EVENT_MAX];
    char stamp[32];
    time_t now = time(NULL);
    struct tm tm;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
    child_log_append(&v->log, stamp, strlen(stamp));
    child_log_append(&v->log, " ", 1);
    child_log_append(&v->log, text, strlen(text));
    child_log_append(&v->log, "\n", 1);
    if (v->quiet) return;
    erase(v);
    printf("%s %s\n", stamp + sizeof("2000-01-01"), text);
    fflush(stdout);
}

/* fits tells whether the table is lower than the terminal: what has scrolled away can't be redrawn. */
static bool fits(const struct cluster_status *status) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && status->count + 3 < size.ws_row;
}

/* draw writes the table, or one line where it does not fit; the terminal cuts long lines meanwhile. */
static void draw(struct view *v, const struct cluster_status *status) {
    printf("\x1b[?7l");
    if (fits(status)) {
        v->lines = cluster_status_print(status, stdout, wall_now_ns() / NS_PER_MS);
    } else {
        cluster_status_print_short(status, stdout);
        v->lines = 1;
    }
    printf("\x1b[?7h");
}

void view_show(struct view *v, const struct cluster_status *status, struct mono now) {
    if (v->quiet) return;
    if (v->terminal) {
        erase(v);
        draw(v, status);
    } else if (mono_reached(now, v->next_summary)) {
        v->next_summary = mono_add_ms(now, VIEW_SUMMARY_S * 1000);
        cluster_status_print_short(status, stdout);
    }
    fflush(stdout);
}
