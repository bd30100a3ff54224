/* timer_wheel.c: see timer_wheel.h. */
#include "matchmaker/timer_wheel.h"

#include <stdlib.h>

#include "common/check.h"
#include "matchmaker/table_memory.h"

_Static_assert((TIMER_WHEEL_SLOTS & (TIMER_WHEEL_SLOTS - 1)) == 0, "a tick's slot is its low bits");

static uint32_t slot_of(const struct timer_wheel *w, uint64_t tick) {
    return w->item_count + (uint32_t)(tick & (TIMER_WHEEL_SLOTS - 1));
}

int timer_wheel_create(struct timer_wheel *w, uint32_t item_count, uint64_t now_ms) {
    CHECK(item_count > 0 && item_count < TIMER_WHEEL_NONE - TIMER_WHEEL_SLOTS);
    *w = (struct timer_wheel){.item_count = item_count, .tick = now_ms / TIMER_WHEEL_TICK_MS};
    w->links = table_memory_take((size_t)item_count + TIMER_WHEEL_SLOTS, sizeof *w->links);
    if (!w->links) return MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; i < item_count + TIMER_WHEEL_SLOTS; i++) w->links[i] = (struct timer_link){i, i};
    return 0;
}

void timer_wheel_destroy(struct timer_wheel *w) {
    free(w->links);
    *w = (struct timer_wheel){0};
}

void timer_wheel_disarm(struct timer_wheel *w, uint32_t item) {
    CHECK(item < w->item_count);
    struct timer_link *link = &w->links[item];
    w->links[link->previous].next = link->next;
    w->links[link->next].previous = link->previous;
    *link = (struct timer_link){item, item};
}

void timer_wheel_arm(struct timer_wheel *w, uint32_t item, uint64_t due_ms) {
    timer_wheel_disarm(w, item);
    uint64_t tick = (due_ms + TIMER_WHEEL_TICK_MS - 1) / TIMER_WHEEL_TICK_MS;
    if (tick <= w->tick) tick = w->tick + 1;
    if (tick - w->tick >= TIMER_WHEEL_SLOTS) tick = w->tick + TIMER_WHEEL_SLOTS - 1;
    uint32_t slot = slot_of(w, tick), last = w->links[slot].previous;
    w->links[item] = (struct timer_link){slot, last};
    w->links[last].next = item;
    w->links[slot].previous = item;
}

uint32_t timer_wheel_take(struct timer_wheel *w, uint64_t now_ms) {
    uint64_t now_tick = now_ms / TIMER_WHEEL_TICK_MS;
    for (;;) {
        uint32_t slot = slot_of(w, w->tick), item = w->links[slot].next;
        if (item != slot) {
            timer_wheel_disarm(w, item);
            return item;
        }
        if (w->tick >= now_tick) return TIMER_WHEEL_NONE;
        w->tick++;
    }
}
