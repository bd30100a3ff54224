/* option.c: see option.h. */
#include "common/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

int option_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    char *end;
    if (*text < '0' || *text > '9') return MARCH_ERR_INVALID; /* strtoull would take signs and spaces */
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *out >= min && *out <= max ? 0 : MARCH_ERR_INVALID;
}

uint64_t option_number(const struct argp_state *state, const char *name, const char *text, uint64_t min, uint64_t max) {
    uint64_t value = 0;
    if (option_number_parse(text, min, max, &value) != 0)
        argp_error(state, "%s: expected a number from %" PRIu64 " to %" PRIu64 ", found \"%s\"", name, min, max, text);
    return value;
}
