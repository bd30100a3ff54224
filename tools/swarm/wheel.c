/* wheel.c: see wheel.h. */
#include "tools/swarm/wheel.h"

#include <stdlib.h>

int wheel_init(struct wheel *w, uint32_t count, uint64_t now_ms) {
    w->now_ms = now_ms;
    w->next = malloc(count * sizeof(*w->next));
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++) w->heads[i] = WHEEL_NONE;
    return w->next == NULL ? MARCH_ERR_SYSTEM : 0;
}

void wheel_deinit(struct wheel *w) {
    free(w->next);
    w->next = NULL;
}

void wheel_add(struct wheel *w, uint32_t client, uint64_t at_ms) {
    if (at_ms <= w->now_ms) at_ms = w->now_ms + 1;
    if (at_ms >= w->now_ms + WHEEL_SLOTS) at_ms = w->now_ms + WHEEL_SLOTS - 1;
    uint32_t *head = &w->heads[at_ms % WHEEL_SLOTS];
    w->next[client] = *head;
    *head = client;
}

uint32_t wheel_take(struct wheel *w, uint64_t now_ms) {
    for (;; w->now_ms++) {
        uint32_t *head = &w->heads[w->now_ms % WHEEL_SLOTS];
        uint32_t client = *head;
        if (client != WHEEL_NONE) {
            *head = w->next[client];
            return client;
        }
        if (w->now_ms >= now_ms) return WHEEL_NONE;
    }
}
