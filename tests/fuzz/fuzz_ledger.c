/* fuzz_ledger.c: commands of every kind on two shards; what must always hold is checked after each. */
#include "tests/unit/ledger_world.h"

#define STEPS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct world *world = world_create();
    struct world_bytes bytes = {data, data + size};
    for (uint32_t i = 0; i < STEPS_MAX && bytes.at < bytes.end; i++) world_step(world, &bytes);
    world_settle(world);
    world_destroy(world);
    return 0;
}
