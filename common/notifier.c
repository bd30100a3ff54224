#include "common/notifier.h"

#include <sys/eventfd.h>
#include <unistd.h>

int notifier_init(struct notifier *notifier) {
    atomic_init(&notifier->raised, false);
    notifier->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return notifier->fd >= 0 ? 0 : MARCH_ERR_SYSTEM;
}

void notifier_deinit(struct notifier *notifier) {
    if (notifier->fd >= 0) close(notifier->fd);
    notifier->fd = -1;
}

/* Sequentially consistent, here and in notifier_lower: one publishes and then finds the flag up, the other takes it down and
 * then looks. One of the two must see what the other did. The fence is for his looks, whatever their order is. */
void notifier_raise(struct notifier *notifier) {
    if (!atomic_exchange_explicit(&notifier->raised, true, memory_order_seq_cst)) (void)!eventfd_write(notifier->fd, 1);
}

bool notifier_lower(struct notifier *notifier) {
    eventfd_t count;
    if (!atomic_load_explicit(&notifier->raised, memory_order_relaxed))
        return false; /* the look before this one was enough */
    /* Another thread is about to write: it stays up, and wakes the owner once more. */
    if (eventfd_read(notifier->fd, &count) != 0) return false;
    atomic_store_explicit(&notifier->raised, false, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    return true;
}
