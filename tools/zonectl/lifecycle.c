/* lifecycle.c: see lifecycle.h. */
#include "tools/zonectl/lifecycle.h"

#include <string.h>

#include "common/check.h"

static const char *const state_texts[] = {"waiting", "starting", "ready", "stopping", "stopped", "failed"};
_Static_assert(sizeof(state_texts) / sizeof(state_texts[0]) == LIFECYCLE_COUNT, "a text for each state");

void lifecycle_init(struct lifecycle *l, struct mono now) {
    *l = (struct lifecycle){.state = LIFECYCLE_WAITING, .next_start = now};
}

bool lifecycle_due(const struct lifecycle *l, struct mono now) {
    return l->state == LIFECYCLE_WAITING && mono_reached(now, l->next_start);
}

bool lifecycle_running(const struct lifecycle *l) {
    return l->state == LIFECYCLE_STARTING || l->state == LIFECYCLE_READY || l->state == LIFECYCLE_STOPPING;
}

void lifecycle_started(struct lifecycle *l, struct mono now) {
    CHECK(lifecycle_due(l, now));
    l->state = LIFECYCLE_STARTING;
    l->started = now;
    l->restarts += l->ran;
    l->ran = true;
}

void lifecycle_probed(struct lifecycle *l, bool ready) {
    if (l->state != LIFECYCLE_STARTING && l->state != LIFECYCLE_READY) return;
    l->state = ready ? LIFECYCLE_READY : LIFECYCLE_STARTING;
}

void lifecycle_stop(struct lifecycle *l) {
    if (l->state == LIFECYCLE_WAITING) l->state = LIFECYCLE_STOPPED;
    if (lifecycle_running(l)) l->state = LIFECYCLE_STOPPING;
}

void lifecycle_revive(struct lifecycle *l, struct mono now) {
    if (l->state != LIFECYCLE_STOPPED && l->state != LIFECYCLE_FAILED) return;
    l->state = LIFECYCLE_WAITING;
    l->next_start = now;
    l->quick_deaths = 0;
}

uint64_t lifecycle_backoff_ms(uint32_t quick_deaths) {
    CHECK(quick_deaths > 0);
    uint64_t wait_ms = LIFECYCLE_BACKOFF_FIRST_MS;
    for (uint32_t i = 1; i < quick_deaths && wait_ms < LIFECYCLE_BACKOFF_MAX_MS; i++) wait_ms *= 2;
    return wait_ms < LIFECYCLE_BACKOFF_MAX_MS ? wait_ms : LIFECYCLE_BACKOFF_MAX_MS;
}

void lifecycle_died(struct lifecycle *l, struct mono now, uint32_t deaths_max) {
    CHECK(lifecycle_running(l));
    if (l->state == LIFECYCLE_STOPPING) {
        l->state = LIFECYCLE_STOPPED;
        return;
    }
    bool quick = mono_since_ns(now, l->started) < LIFECYCLE_QUICK_MS * NS_PER_MS;
    l->quick_deaths = quick ? l->quick_deaths + 1 : 0;
    if (l->quick_deaths >= deaths_max) {
        l->state = LIFECYCLE_FAILED;
        return;
    }
    l->state = LIFECYCLE_WAITING;
    l->next_start = quick ? mono_add_ms(now, lifecycle_backoff_ms(l->quick_deaths)) : now;
}

const char *lifecycle_state_text(enum lifecycle_state state) {
    CHECK((unsigned)state < LIFECYCLE_COUNT);
    return state_texts[state];
}

enum lifecycle_state lifecycle_state_parse(const char *text) {
    enum lifecycle_state state = LIFECYCLE_WAITING;
    while (state < LIFECYCLE_COUNT && strcmp(text, state_texts[state]) != 0) state++;
    return state;
}
