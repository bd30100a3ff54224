/* library.h: the modes and templates of two folders, taken over anew whenever files in them change.
 *
 *     a file changes ──LIBRARY_SETTLE_MS of quiet──► both folders are read ──all good, hook agrees──► they are what holds
 *                                                                         └─anything wrong──► what held holds on
 *
 * Both or neither: a mode and its template may change together. A folder's path may be "": it has nothing then. The hook is
 * asked before new ones are taken over, when they differ from those that hold; where it refuses nothing changes. What is
 * wrong is logged, once for each error, and kept for whoever looks. A folder that goes away is waited for, each
 * LIBRARY_RETRY_MS; another that comes under its name is read.
 *
 * Reading is on the loop's thread: some milliseconds for the most and largest files that there may be.
 */
#ifndef MARCH_MATCHMAKER_LIBRARY_H
#define MARCH_MATCHMAKER_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "matchmaker/mode_file.h"
#include "matchmaker/template_file.h"

#define LIBRARY_SETTLE_MS     200
#define LIBRARY_SETTLE_MAX_MS 2000 /* a folder in which something changes all the time is read as often */
#define LIBRARY_RETRY_MS      1000
#define LIBRARY_ERROR_SIZE    YAML_ERROR_SIZE

struct ev_loop;
struct library;

struct library_config {
    struct ev_loop *loop;
    const char *modes, *templates; /* paths of folders; copied */
    /* Takes these over, or returns an error with a line in `error` and goes on with what it had. */
    int (*changed)(void *context, const struct mode_set *modes, const struct template_set *templates, char *error,
                   size_t error_size);
    void *context;
};

struct library_stats {
    uint64_t changes;  /* taken over, the first included */
    uint64_t failures; /* not taken over */
};

/* library_open reads both folders and has the hook take them over; watches them from then on. On failure `error` holds the
 * line that says what is wrong. */
must_check int library_open(struct library **out, const struct library_config *config, char *error, size_t error_size);
/* library_close: NULL is fine. */
void library_close(struct library *library);

/* library_reload reads the folders now. On failure nothing has changed and `error` holds a line. */
must_check int library_reload(struct library *library, char *error, size_t error_size);

/* What holds; valid until the loop runs on. */
const struct mode_set *library_modes(const struct library *library);
const struct template_set *library_templates(const struct library *library);

/* library_error returns why the newest files were not taken over; "" when they were. */
const char *library_error(const struct library *library);
struct library_stats library_stats_get(const struct library *library);

#endif
