#include "common/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* `name` and `found` are the thread's from its start until `done`. */
struct resolver {
    atomic_int holders; /* the owner, and a thread */
    atomic_bool done;
    bool running;
    int fd;
    struct mono found_at; /* 0: nothing is known */
    char name[RESOLVE_NAME_MAX + 1];
    struct resolved found;
};

/* Acquire and release: who frees it sees all that the other wrote. */
static void release(struct resolver *resolver) {
    if (atomic_fetch_sub_explicit(&resolver->holders, 1, memory_order_acq_rel) > 1) return;
    close(resolver->fd);
    free(resolver);
}

static void look_up(const char *name, int flags, struct resolved *out) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list = NULL;
    out->count = 0;
    if (getaddrinfo(name, NULL, &hints, &list) != 0) return;
    for (const struct addrinfo *info = list; info && out->count < RESOLVE_ADDRESSES_MAX; info = info->ai_next)
        if (getnameinfo(info->ai_addr, info->ai_addrlen, out->addresses[out->count], RESOLVE_ADDRESS_SIZE, NULL, 0,
                        NI_NUMERICHOST) == 0)
            out->count++;
    freeaddrinfo(list);
}

static void *run(void *arg) {
    struct resolver *resolver = arg;
    look_up(resolver->name, AI_ADDRCONFIG, &resolver->found);
    atomic_store_explicit(&resolver->done, true, memory_order_release); /* after `found` */
    (void)!write(resolver->fd, &(uint64_t){1}, sizeof(uint64_t));
    release(resolver);
    return NULL;
}

/* Every signal is blocked in the thread, so that signals reach the loop, whose wait they must end. */
static int start(struct resolver *resolver) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) return MARCH_ERR_SYSTEM;
    atomic_store_explicit(&resolver->done, false, memory_order_relaxed); /* the thread does not run yet */
    atomic_fetch_add_explicit(&resolver->holders, 1, memory_order_relaxed);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    resolver->running = pthread_create(&thread, &attributes, run, resolver) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (resolver->running) return MARCH_ERR_EMPTY;
    atomic_fetch_sub_explicit(&resolver->holders, 1, memory_order_relaxed);
    return MARCH_ERR_SYSTEM;
}

struct resolver *resolver_create(void) {
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver) return NULL;
    atomic_init(&resolver->holders, 1);
    resolver->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolver->fd >= 0) return resolver;
    free(resolver);
    return NULL;
}

void resolver_close(struct resolver *resolver) {
    if (resolver) release(resolver);
}

/* Takes over what a lookup found; false while it is under way. The event comes after `done`, so one that is left of an
 * earlier lookup is taken before looking: else the caller would be woken for nothing, again and again. */
static bool finish(struct resolver *resolver, struct mono now) {
    uint64_t count;
    if (!resolver->running) return true;
    (void)!read(resolver->fd, &count, sizeof count);
    if (!atomic_load_explicit(&resolver->done, memory_order_acquire)) return false; /* then `found` is ours */
    resolver->running = false;
    resolver->found_at = now;
    return true;
}

int resolver_ask(struct resolver *resolver, const char *name, struct mono now, struct resolved *out) {
    if (strlen(name) > RESOLVE_NAME_MAX) return MARCH_ERR_INVALID;
    look_up(name, AI_NUMERICHOST, out);
    if (out->count > 0) return 0;
    bool same = strcmp(name, resolver->name) == 0;
    if (!finish(resolver, now)) return same ? MARCH_ERR_EMPTY : MARCH_ERR_FULL;
    bool fresh = resolver->found_at.ns != 0 && mono_since_ns(now, resolver->found_at) < RESOLVE_KEEP_MS * NS_PER_MS;
    if (same && fresh) {
        *out = resolver->found;
        if (out->count == 0) resolver->found_at.ns = 0;
        return out->count > 0 ? 0 : MARCH_ERR_NOT_FOUND;
    }
    snprintf(resolver->name, sizeof resolver->name, "%s", name);
    resolver->found_at.ns = 0;
    return start(resolver);
}

int resolver_fd(const struct resolver *resolver) {
    return resolver->fd;
}

bool resolve_is_address(const char *name) {
    struct resolved found;
    look_up(name, AI_NUMERICHOST, &found);
    return found.count > 0;
}
