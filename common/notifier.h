/* notifier.h: a descriptor that any thread can make readable, and its one owner unreadable again.
 *
 * For an owner who polls: others raise it when there is something for him; he lowers it, looks at everything, and sleeps. It
 * costs a call of the system only when it changes: while it is up, raising it is one atomic instruction.
 */
#ifndef MARCH_COMMON_NOTIFIER_H
#define MARCH_COMMON_NOTIFIER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/error.h"

struct notifier {
    int fd; /* an eventfd: to be polled, never read or closed by others */
    atomic_bool raised;
};

/* notifier_init opens the descriptor; MARCH_ERR_SYSTEM with errno. notifier_deinit closes it. */
must_check int notifier_init(struct notifier *notifier);
void notifier_deinit(struct notifier *notifier);

/* notifier_raise makes the descriptor readable. Any thread. */
void notifier_raise(struct notifier *notifier);

/* notifier_lower makes it unreadable; only the owner. Returns whether it was up: then he looks once more before he sleeps,
 * because what was done before it came down has not raised it again. */
bool notifier_lower(struct notifier *notifier);

#endif
