/* log.h: one key=value line per event on standard error.
 *
 *     ts=2026-11-21T06:18:00.123Z level=info proc=zone-0 msg="session.opened" player=12 addr=127.0.0.1:4000
 *
 * The sink is the project's one global besides the signal flag. Each line is a single write(2), so lines of several threads
 * and processes never mix. A line is at most LOG_LINE_MAX bytes; a longer one is cut and ends in ` cut=1`. Control bytes are
 * replaced by '?'. Each call site may write LOG_SITE_LINES_MAX lines a second: the last of them carries ` limited=1`, and
 * the first line of the site in a later second is preceded by a line that tells how many were suppressed. A line that can't
 * be written is lost: a log must not stop a tick.
 */
#ifndef MARCH_COMMON_LOG_H
#define MARCH_COMMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define LOG_LINE_MAX       1024
#define LOG_SITE_LINES_MAX 10
#define LOG_QUOTED_MAX     256

enum log_level { LOG_LEVEL_DEBUG = 0, LOG_LEVEL_INFO = 1, LOG_LEVEL_WARN = 2, LOG_LEVEL_ERROR = 3, LOG_LEVEL_COUNT = 4 };

/* What a call site remembers; zero is its start. Shared by threads, so an atomic each. */
struct log_site {
    _Atomic uint64_t second;     /* of the window that is counted, on the monotonic clock */
    _Atomic uint32_t lines;      /* in this window, written or not */
    _Atomic uint32_t suppressed; /* since the last line that was written */
};

/* The level below which nothing is written. Only log_set_level writes it. */
extern _Atomic int log_threshold;

/* log_init names the process in every line and sets the level. Before it the name is "-" and the level info. */
void log_init(const char *process, enum log_level level);

void log_set_level(enum log_level level);

/* log_set_fd sends lines to `fd` instead of standard error; the caller keeps the descriptor open. */
void log_set_fd(int fd);

/* log_level_parse reads "debug", "info", "warn" or "error". MARCH_ERR_INVALID for anything else. */
must_check int log_level_parse(const char *text, enum log_level *level);

/* log_quote writes `text` as a value: bare when it is a plain word, else in double quotes with \" \\ \n \xNN escapes; what
 * doesn't fit is replaced by "...". `size` is at least 8. Returns `buf`. */
const char *log_quote(char *buf, size_t size, const char *text);

/* LOG_QUOTE is log_quote into a temporary that lives to the end of the enclosing block, for use among the arguments. */
#define LOG_QUOTE(text) log_quote((char[LOG_QUOTED_MAX]){0}, LOG_QUOTED_MAX, (text))

/* log_site_admit counts a line of a site and tells whether it may be written. `suppressed` gets how many lines were not
 * written since the last one that was, non-zero only when the line is admitted; `last` tells that it is the last of its
 * second. */
bool log_site_admit(struct log_site *site, uint64_t now_s, uint32_t *suppressed, bool *last);

/* log_write is what the macros call; `format` begins with a space. */
void log_write(struct log_site *site, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* log_info("session.opened", "player=%" PRIu64, player): the format must be a literal and may be left out. Values that come
 * from outside go through LOG_QUOTE. */
#define log_debug(event, ...) LOG_AT_(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_AT_(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_AT_(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT_(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/* Relaxed: the level guards no other data, and a line more or less around a change of level does no harm. */
#define LOG_AT_(level, event, ...)                                                                                          \
    do {                                                                                                                    \
        static struct log_site log_site_;                                                                                   \
        if ((int)(level) >= atomic_load_explicit(&log_threshold, memory_order_relaxed))                                     \
            log_write(&log_site_, level, event, " " __VA_ARGS__);                                                           \
    } while (0)

#endif
