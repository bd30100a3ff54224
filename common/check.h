/* check.h: assertions that stay on in release.
 *
 * They guard against our own bugs only. What comes from the wire, from files or from operators is checked at run time and
 * answered with an error.
 */
#ifndef MARCH_COMMON_CHECK_H
#define MARCH_COMMON_CHECK_H

/* check_failed prints file, line and condition on stderr and aborts. */
__attribute__((noreturn, cold)) void check_failed(const char *file, int line, const char *condition);

#define CHECK(condition) (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#endif
