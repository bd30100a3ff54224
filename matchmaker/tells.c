#include "matchmaker/tells.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/shard.h"

struct place {
    uint64_t player; /* 0: nobody */
    uint32_t gateway;
};

struct batch {
    uint32_t count, blob_len;
    struct wire_player_tell items[TELLS_MAX];
    uint8_t blob[TELLS_BLOB_BYTES];
};

struct tells {
    uint32_t gateway_count;
    struct place *places;  /* TELLS_PLAYERS_MAX */
    struct batch *batches; /* one for each gateway */
};

int tells_create(struct tells **out, uint32_t gateway_count) {
    *out = NULL;
    struct tells *tells = calloc(1, sizeof *tells);
    if (!tells) return MARCH_ERR_SYSTEM;
    tells->gateway_count = gateway_count;
    tells->places = calloc(TELLS_PLAYERS_MAX, sizeof *tells->places);
    tells->batches = calloc(gateway_count, sizeof *tells->batches);
    if (!tells->places || !tells->batches) {
        tells_destroy(tells);
        return MARCH_ERR_SYSTEM;
    }
    *out = tells;
    return 0;
}

void tells_destroy(struct tells *tells) {
    if (!tells) return;
    free(tells->places);
    free(tells->batches);
    free(tells);
}

static struct place *place_of(const struct tells *tells, uint64_t player) {
    return &tells->places[shard_of_player(player, TELLS_PLAYERS_MAX)];
}

void tells_heard(struct tells *tells, uint64_t player, uint32_t gateway) {
    CHECK(gateway < tells->gateway_count);
    *place_of(tells, player) = (struct place){.player = player, .gateway = gateway};
}

uint32_t tells_where(const struct tells *tells, uint64_t player) {
    const struct place *place = place_of(tells, player);
    return player != 0 && place->player == player ? place->gateway : TELLS_NOWHERE;
}

int tells_add(struct tells *tells, uint32_t gateway, uint64_t player, struct wire_bytes message) {
    CHECK(gateway < tells->gateway_count);
    struct batch *batch = &tells->batches[gateway];
    if (batch->count == TELLS_MAX || message.len > TELLS_BLOB_BYTES - batch->blob_len) return MARCH_ERR_FULL;
    memcpy(batch->blob + batch->blob_len, message.data, message.len);
    batch->items[batch->count++] =
        (struct wire_player_tell){.player = player, .offset = batch->blob_len, .len = (uint32_t)message.len};
    batch->blob_len += (uint32_t)message.len;
    return 0;
}

bool tells_fill(const struct tells *tells, uint32_t gateway, struct wire_gateway_tells *out) {
    CHECK(gateway < tells->gateway_count);
    const struct batch *batch = &tells->batches[gateway];
    *out = (struct wire_gateway_tells){
        .tells = batch->items, .blob = batch->blob, .tell_count = batch->count, .blob_len = batch->blob_len};
    return batch->count > 0;
}

void tells_clear(struct tells *tells, uint32_t gateway) {
    CHECK(gateway < tells->gateway_count);
    tells->batches[gateway].count = tells->batches[gateway].blob_len = 0;
}
