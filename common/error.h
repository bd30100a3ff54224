/* error.h: the one error enum of the project.
 *
 * Functions that can fail return 0 (or a count) or one of these, negative. `bool` is for questions only.
 */
#ifndef MARCH_COMMON_ERROR_H
#define MARCH_COMMON_ERROR_H

#define must_check __attribute__((warn_unused_result))

enum march_error {
    MARCH_OK = 0,
    MARCH_ERR_INVALID = -1,      /* malformed bytes or arguments */
    MARCH_ERR_FULL = -2,         /* a bounded queue, pool or buffer has no room */
    MARCH_ERR_EMPTY = -3,        /* nothing there yet */
    MARCH_ERR_CRYPTO = -4,       /* a seal did not open */
    MARCH_ERR_REPLAY = -5,       /* seen before */
    MARCH_ERR_EXPIRED = -6,      /* too late */
    MARCH_ERR_NOT_FOUND = -7,    /* no such thing */
    MARCH_ERR_EXISTS = -8,       /* it is there already */
    MARCH_ERR_SYSTEM = -9,       /* the operating system refused; errno says why */
    MARCH_ERR_UNSUPPORTED = -10, /* not available on this machine */
    MARCH_ERR_UNAVAILABLE = -11, /* a server that is needed does not answer */
    MARCH_ERR_CONFLICT = -12,    /* somebody else changed it meanwhile: read again */
    MARCH_ERR_FENCED = -13       /* a newer owner has taken over */
};

/* march_error_text returns a static, lower-case description of an error; never NULL. */
const char *march_error_text(int error);

#endif
