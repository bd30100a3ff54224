/* http_target.h: what a request line asks for: a path in segments and the arguments of its query, decoded.
 *
 * Pure and strict: escapes are decoded once, after the target is cut at `/`, `?`, `&` and `=`, so that an escaped one is
 * data. Refused are empty segments, bad escapes, text that is not UTF-8 or holds control characters, an argument twice, and
 * more of anything than the limits say. `+` in a query is a blank.
 */
#ifndef MARCH_COMMON_HTTP_TARGET_H
#define MARCH_COMMON_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define HTTP_TARGET_MAX     3072 /* bytes of path and query: a hundred ids fit */
#define HTTP_SEGMENTS_MAX   8
#define HTTP_ARGUMENTS_MAX  8
#define HTTP_PARAMETERS_MAX 4 /* `{}` in a pattern */

struct http_argument {
    const char *name;
    const char *value; /* "" when there is no `=` */
};

struct http_target {
    char bytes[HTTP_TARGET_MAX + 1]; /* what the rest points into */
    const char *segments[HTTP_SEGMENTS_MAX];
    uint32_t segment_count;
    struct http_argument arguments[HTTP_ARGUMENTS_MAX];
    uint32_t argument_count;
    bool has_path; /* the segments hold, even where the query does not */
};

/* http_target_parse takes "/a/b?c=d" apart. MARCH_ERR_FULL when it is over a limit, MARCH_ERR_INVALID when it is malformed.
 */
must_check int http_target_parse(struct http_target *target, const char *text, size_t len);

/* http_target_argument returns the value of a query's argument, NULL when it is not there. */
const char *http_target_argument(const struct http_target *target, const char *name);

/* http_target_matches tells whether the path is that of a pattern as "/v1/players/{}/inventory", in which `{}` stands for
 * one segment of any content; these are put into `parameters` (at most HTTP_PARAMETERS_MAX, a promise of the pattern). */
bool http_target_matches(const struct http_target *target, const char *pattern, const char *parameters[HTTP_PARAMETERS_MAX]);

#endif
