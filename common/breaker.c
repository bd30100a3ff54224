#include "common/breaker.h"

#define FAILURES_MAX     5
#define COOL_DOWN_MS     200
#define COOL_DOWN_CAP_MS 5000
#define PROBE_MS         5000

static uint32_t or_default(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

void breaker_init(struct breaker *breaker, const struct breaker_config *config, uint64_t seed) {
    *breaker = (struct breaker){.config = {.failures_max = or_default(config->failures_max, FAILURES_MAX),
                                           .cool_down_ms = or_default(config->cool_down_ms, COOL_DOWN_MS),
                                           .cool_down_cap_ms = or_default(config->cool_down_cap_ms, COOL_DOWN_CAP_MS),
                                           .probe_ms = or_default(config->probe_ms, PROBE_MS)}};
    struct breaker_config *set = &breaker->config;
    if (set->cool_down_cap_ms < set->cool_down_ms) set->cool_down_cap_ms = set->cool_down_ms;
    backoff_init(&breaker->backoff, set->cool_down_ms, set->cool_down_cap_ms, seed);
}

static void open_breaker(struct breaker *breaker, struct mono now) {
    breaker->state = BREAKER_OPEN;
    breaker->probing = false;
    breaker->until = mono_add_ms(now, backoff_next_ms(&breaker->backoff));
    breaker->opens++;
}

bool breaker_admit(struct breaker *breaker, struct mono now) {
    if (breaker->state == BREAKER_CLOSED) return true;
    if (breaker->state == BREAKER_OPEN) {
        if (!mono_reached(now, breaker->until)) return false;
        breaker_hint(breaker);
    }
    if (breaker->probing && !mono_reached(now, breaker->until)) return false;
    breaker->probing = true;
    breaker->until = mono_add_ms(now, breaker->config.probe_ms);
    return true;
}

void breaker_success(struct breaker *breaker) {
    breaker->state = BREAKER_CLOSED;
    breaker->failures = 0;
    breaker->probing = false;
    backoff_reset(&breaker->backoff);
}

/* Failures while it is open are of calls that were made before. */
void breaker_failure(struct breaker *breaker, struct mono now) {
    if (breaker->failures < UINT32_MAX) breaker->failures++;
    if (breaker->state == BREAKER_HALF_OPEN ||
        (breaker->state == BREAKER_CLOSED && breaker->failures >= breaker->config.failures_max))
        open_breaker(breaker, now);
}

void breaker_hint(struct breaker *breaker) {
    if (breaker->state != BREAKER_OPEN) return;
    breaker->state = BREAKER_HALF_OPEN;
    breaker->probing = false;
}
