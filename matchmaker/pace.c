#include "matchmaker/pace.h"

#define STEP_NS (PACE_MS * NS_PER_MS)

uint32_t pace_take(struct pace *pace, uint64_t player, struct mono now) {
    uint64_t place = (player * 0x9e3779b97f4a7c15u >> 32) % PACE_PLACES;
    uint64_t *free_at_ns = &pace->places[place].free_at_ns;
    if (pace->places[place].player != player || *free_at_ns < now.ns) *free_at_ns = now.ns;
    pace->places[place].player = player;
    uint64_t next_ns = *free_at_ns + STEP_NS;
    if (next_ns <= now.ns + PACE_BURST * STEP_NS) {
        *free_at_ns = next_ns;
        return 0;
    }
    return (uint32_t)((next_ns - now.ns - PACE_BURST * STEP_NS + NS_PER_S - 1) / NS_PER_S);
}
