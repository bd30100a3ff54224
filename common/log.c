/* log.c: see log.h. Formats into a buffer on the stack and hands it to the kernel in one write. */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"

_Atomic int log_threshold = LOG_LEVEL_INFO;

/* The sink. The process name is written once, by log_init, before other threads start. */
static _Atomic int sink_fd = STDERR_FILENO;
static char sink_process[32] = "-";

static const char *const LEVEL_NAMES[LOG_LEVEL_COUNT] = {"debug", "info", "warn", "error"};

/* A line being built; `cut` once something did not fit. */
struct line {
    char bytes[LOG_LINE_MAX];
    size_t len;
    bool cut;
};

/* Room kept at the end of a line for what log_write appends after the caller's values, and the line feed. */
#define LINE_TAIL_BYTES 24

void log_init(const char *process, enum log_level level) {
    snprintf(sink_process, sizeof sink_process, "%s", process);
    log_set_level(level);
}

void log_set_level(enum log_level level) {
    CHECK(level >= LOG_LEVEL_DEBUG && level < LOG_LEVEL_COUNT);
    atomic_store_explicit(&log_threshold, (int)level, memory_order_relaxed); /* relaxed: see LOG_AT_ */
}

void log_set_fd(int fd) {
    atomic_store_explicit(&sink_fd, fd, memory_order_relaxed); /* relaxed: a plain number, publishes nothing else */
}

int log_level_parse(const char *text, enum log_level *level) {
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(text, LEVEL_NAMES[i]) != 0) continue;
        *level = (enum log_level)i;
        return 0;
    }
    return MARCH_ERR_INVALID;
}

static bool byte_is_plain(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.:/@+-[]%,", c));
}

static bool text_is_plain(const char *text) {
    if (!*text) return false;
    for (; *text; text++)
        if (!byte_is_plain((unsigned char)*text)) return false;
    return true;
}

/* escape writes one byte of a quoted value into `out` and returns how many bytes it took, at most 4. Bytes of UTF-8 pass. */
static size_t escape(unsigned char c, char out[5]) {
    if (c == '"' || c == '\\') return (size_t)snprintf(out, 5, "\\%c", c);
    if (c == '\n') return (size_t)snprintf(out, 5, "\\n");
    if (c < 0x20 || c == 0x7f) return (size_t)snprintf(out, 5, "\\x%02x", (unsigned)c);
    out[0] = (char)c;
    return 1;
}

const char *log_quote(char *buf, size_t size, const char *text) {
    CHECK(size >= 8);
    if (!text) text = "";
    if (text_is_plain(text) && strlen(text) < size) return memcpy(buf, text, strlen(text) + 1);
    size_t len = 0;
    buf[len++] = '"';
    for (; *text; text++) {
        char escaped[5];
        size_t count = escape((unsigned char)*text, escaped);
        /* After this byte there must be room for the dots, unless it is the last one, for the quote and for the end. */
        if (len + count + (text[1] ? 3 : 0) + 2 > size) {
            memcpy(buf + len, "...", 3);
            len += 3;
            break;
        }
        memcpy(buf + len, escaped, count);
        len += count;
    }
    buf[len++] = '"';
    buf[len] = '\0';
    return buf;
}

/* Relaxed throughout: the counters guard no other data. Two threads that open a window at the same moment may let a line
 * more pass, or count one twice; that is a fair price for a log without a lock. */
bool log_site_admit(struct log_site *site, uint64_t now_s, uint32_t *suppressed, bool *last) {
    *suppressed = 0;
    *last = false;
    if (atomic_load_explicit(&site->second, memory_order_relaxed) != now_s) {
        atomic_store_explicit(&site->second, now_s, memory_order_relaxed);
        atomic_store_explicit(&site->lines, 0, memory_order_relaxed);
    }
    uint32_t line = atomic_fetch_add_explicit(&site->lines, 1, memory_order_relaxed);
    if (line >= LOG_SITE_LINES_MAX) {
        atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
        return false;
    }
    *suppressed = atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed);
    *last = line == LOG_SITE_LINES_MAX - 1;
    return true;
}

__attribute__((format(printf, 2, 0))) static void line_append_list(struct line *line, const char *format, va_list args) {
    size_t room = sizeof line->bytes - LINE_TAIL_BYTES - line->len;
    int count = vsnprintf(line->bytes + line->len, room, format, args);
    if (count < 0) return;
    line->cut |= (size_t)count >= room;
    line->len += (size_t)count < room ? (size_t)count : room - 1;
}

__attribute__((format(printf, 2, 3))) static void line_append(struct line *line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    line_append_list(line, format, args);
    va_end(args);
}

static void line_begin(struct line *line, enum log_level level, const char *event) {
    struct timespec ts;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &utc);
    line->len = 0;
    line->cut = false;
    line_append(line, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ level=%s proc=%s msg=\"%s\"", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ts.tv_nsec / 1000000, LEVEL_NAMES[level],
                sink_process, event);
}

static void line_put_tail(struct line *line, const char *text) {
    size_t count = strlen(text);
    memcpy(line->bytes + line->len, text, count);
    line->len += count;
}

static void line_end(struct line *line, bool last) {
    while (line->len > 0 && line->bytes[line->len - 1] == ' ') line->len--;
    for (size_t i = 0; i < line->len; i++) {
        unsigned char c = (unsigned char)line->bytes[i];
        if (c < 0x20 || c == 0x7f) line->bytes[i] = '?';
    }
    _Static_assert(sizeof " cut=1 limited=1\n" <= LINE_TAIL_BYTES, "the tail of a line always fits");
    if (line->cut) line_put_tail(line, " cut=1");
    if (last) line_put_tail(line, " limited=1");
    line_put_tail(line, "\n");
    int fd = atomic_load_explicit(&sink_fd, memory_order_relaxed); /* relaxed: see log_set_fd */
    int saved_errno = errno;
    ssize_t written = write(fd, line->bytes, line->len);
    (void)written; /* a lost line is the stated behaviour */
    errno = saved_errno;
}

void log_write(struct log_site *site, enum log_level level, const char *event, const char *format, ...) {
    uint32_t suppressed;
    bool last;
    if (!log_site_admit(site, mono_now().ns / NS_PER_S, &suppressed, &last)) return;
    struct line line;
    if (suppressed > 0) {
        line_begin(&line, LOG_LEVEL_WARN, "log.suppressed");
        line_append(&line, " event=%s lines=%u", event, suppressed);
        line_end(&line, false);
    }
    line_begin(&line, level, event);
    va_list args;
    va_start(args, format);
    line_append_list(&line, format, args);
    va_end(args);
    line_end(&line, last);
}
