/* option.h: numbers on command lines, for tools that parse them with argp. */
#ifndef MARCH_COMMON_OPTION_H
#define MARCH_COMMON_OPTION_H

#include <argp.h>
#include <stdint.h>

#include "common/error.h"

/* option_number_parse reads a decimal number from `min` to `max`, nothing before or after it. MARCH_ERR_INVALID otherwise.
 */
must_check int option_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* option_number is option_number_parse that ends the program with argp's usage error where it fails. */
uint64_t option_number(const struct argp_state *state, const char *name, const char *text, uint64_t min, uint64_t max);

#endif
