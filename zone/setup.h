/* setup.h: from the cluster's configuration to that of one zone's simulation. */
#ifndef MARCH_ZONE_SETUP_H
#define MARCH_ZONE_SETUP_H

#include <stdint.h>

#include "common/config.h"
#include "zone/sim.h"

/* What a start of a zone decides. */
struct setup_start {
    uint64_t seed;
    uint64_t tick;
    uint16_t incarnation;
};

/* setup_sim returns the configuration of zone `zone_index`. Where a matchmaker says what zones have, it begins with nothing:
 * what the configuration gives it may be another's since, with its creatures. */
struct sim_config setup_sim(const struct config *config, uint32_t zone_index, struct setup_start start);

/* setup_digest returns a hash of all in a simulation's configuration that bears on its state, but for what a recording's
 * header has itself (seed, start tick, incarnation). */
uint64_t setup_digest(const struct sim_config *config);

#endif
