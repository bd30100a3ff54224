/* A tick's block of a recording, as raw bytes: whatever it says, it runs or is refused, the same way twice. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "tests/unit/scripted_load.h"
#include "zone/replay.h"

#define BODY_MAX 4096

static uint64_t run(const uint8_t *body, size_t len, int *error) {
    struct sim_config config = script_config();
    config.creatures = 8;
    config.players_max = 8;
    config.entities_max = 16;
    config.cells = (struct cells){.per_block = 20, .side_m = 32, .pitch_m = 88};
    config.snapshots = false;
    struct sim *sim = sim_create(&config);
    CHECK(sim != NULL);
    struct replay_result result = {0};
    *error = replay_block(sim, 2, body, len, SCRIPT_START_TICK, &result);
    uint64_t hash = sim_hash(sim);
    sim_destroy(sim);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t body[BODY_MAX];
    if (size < RECORD_BODY_MIN || size > sizeof body) return 0;
    memcpy(body, data, size);
    store_le(body, SCRIPT_START_TICK + 1, 8);
    int first, second;
    uint64_t hash = run(body, size, &first);
    CHECK(hash == run(body, size, &second) && first == second);
    return 0;
}
