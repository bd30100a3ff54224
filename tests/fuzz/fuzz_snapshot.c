/* fuzz_snapshot.c: hostile snapshots, and round trips.
 *
 * The first byte picks the mode. Even: the rest is a sequence of snapshots, each after its length in one byte, read into one
 * table; what was refused must have changed nothing, what was taken must lie inside the world. Odd: the rest is taken for
 * states, written against each other as a zone would, and must read back the same.
 */
#include <stdlib.h>
#include <string.h>

#include "common/snapshot.h"

#define SLOTS 64

static void check_world(const struct snapshot_table *table) {
    CHECK(table->slots_used <= SLOTS);
    for (uint32_t i = 0; i < table->change_count; i++) {
        const struct snapshot_change *change = &table->changes[i];
        const struct net_state *state = &change->state;
        CHECK(state->x >= NET_POSITION_MIN && state->x <= NET_POSITION_MAX);
        CHECK(state->y >= NET_POSITION_MIN && state->y <= NET_POSITION_MAX);
        CHECK(i == 0 || change->slot > table->changes[i - 1].slot);
        const struct snapshot_slot *slot = &table->slots[change->slot];
        CHECK(slot->id == change->id && slot->id != 0 && slot->newest == change->version);
        CHECK(memcmp(&slot->states[slot->newest], state, sizeof(*state)) == 0);
    }
    for (uint32_t i = 0; i < SLOTS; i++) CHECK((table->slots[i].id == 0) == (table->slots[i].known == 0));
}

static void read_hostile(const uint8_t *data, size_t size) {
    struct snapshot_table *table = snapshot_table_create(SLOTS);
    static struct snapshot_slot before[SLOTS];
    while (size > 1) {
        size_t len = data[0] < size - 1 ? data[0] : size - 1;
        memcpy(before, table->slots, sizeof(before));
        struct snapshot_header header = table->header;
        if (snapshot_table_read(table, data + 1, len) != 0) {
            CHECK(memcmp(before, table->slots, sizeof(before)) == 0);
            CHECK(memcmp(&header, &table->header, sizeof(header)) == 0);
            CHECK(table->change_count == 0 && table->removal_count == 0);
        }
        check_world(table);
        data += 1 + len;
        size -= 1 + len;
    }
    snapshot_table_destroy(table);
}

/* Takes bytes for a state; places are folded into the world. */
static struct net_state take_state(const uint8_t **data, size_t *size) {
    struct net_state state = {0};
    size_t len = *size < sizeof(state) ? *size : sizeof(state);
    memcpy(&state, *data, len);
    *data += len;
    *size -= len;
    state.x %= NET_POSITION_MAX;
    state.y %= NET_POSITION_MAX;
    return state;
}

/* One slot lives through the states; each is told against one of the last 15, as `distance` says, or in full. */
static void round_trip(const uint8_t *data, size_t size) {
    struct snapshot_table *table = snapshot_table_create(SLOTS);
    struct net_state history[SNAPSHOT_VERSIONS];
    uint8_t bytes[64];
    for (uint32_t n = 0; size > 1; n++) {
        uint32_t distance = data[0] % SNAPSHOT_VERSIONS;
        data++, size--;
        if (distance > n) distance = 0;
        struct net_state now = take_state(&data, &size);
        now.kind = n == 0 || distance == 0 ? now.kind : history[(n - distance) % SNAPSHOT_VERSIONS].kind;
        struct snapshot_update update = {.slot = 7,
                                         .version = n % SNAPSHOT_VERSIONS,
                                         .distance = (uint8_t)distance,
                                         .id = 1,
                                         .state = now,
                                         .baseline = &history[(n - distance) % SNAPSHOT_VERSIONS]};
        struct snapshot_writer w;
        struct snapshot_header header = {.seq = (uint16_t)n, .tick = now.tick};
        snapshot_write_begin(&w, bytes, sizeof(bytes), &header);
        snapshot_write_removals(&w, NULL, 0);
        snapshot_write_update_count(&w, 1);
        size_t start = bits_written(&w.bits);
        snapshot_write_update(&w, &update);
        CHECK(bits_written(&w.bits) - start == snapshot_update_bits(&update, now.tick) + 7); /* gap of 8 */
        size_t len = snapshot_write_finish(&w);
        CHECK(len > 0);
        CHECK(snapshot_table_read(table, bytes, len) == 0);
        CHECK(table->change_count == 1 && memcmp(&table->changes[0].state, &now, sizeof(now)) == 0);
        check_world(table);
        history[n % SNAPSHOT_VERSIONS] = now;
    }
    snapshot_table_destroy(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    if (data[0] & 1) {
        round_trip(data + 1, size - 1);
    } else {
        read_hostile(data + 1, size - 1);
    }
    return 0;
}
