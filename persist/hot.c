/* hot.c: see hot.h. */
#include "persist/hot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

#define VERSION    1
#define EXPIRY_MAX (30u * 86400)

struct hot {
    struct redis *redis;
    uint32_t expiry_s;
    uint32_t reads_under_way;
    struct redis_request request;
    struct wire_player_state states[HOT_READ_MAX]; /* of the read that is being answered */
    struct hot_stats stats;
};

struct reading {
    struct hot *hot;
    hot_done done;
    void *ctx;
    uint32_t count;
    uint64_t players[];
};

_Static_assert(sizeof(struct wire_player_state) == HOT_STATE_BYTES, "a new field of the state belongs into the value, too");

void hot_encode(const struct wire_player_state *state, uint8_t out[HOT_STATE_BYTES]) {
    out[0] = VERSION;
    out[1] = (uint8_t)state->flags;
    store_le(out + 2, state->yaw, 2);
    store_le(out + 4, state->level, 2);
    store_le(out + 6, state->hit_points, 2);
    store_le(out + 8, (uint32_t)state->x, 4);
    store_le(out + 12, (uint32_t)state->y, 4);
    store_le(out + 16, state->player, 8);
    store_le(out + 24, state->session_epoch, 8);
    store_le(out + 32, state->tick, 8);
    store_le(out + 40, state->experience, 8);
}

int hot_decode(const uint8_t *bytes, size_t len, struct wire_player_state *out) {
    if (len != HOT_STATE_BYTES || bytes[0] != VERSION) return MARCH_ERR_INVALID;
    *out = (struct wire_player_state){.flags = bytes[1],
                                      .yaw = (uint16_t)load_le(bytes + 2, 2),
                                      .level = (uint16_t)load_le(bytes + 4, 2),
                                      .hit_points = (uint16_t)load_le(bytes + 6, 2),
                                      .x = (int32_t)load_le(bytes + 8, 4),
                                      .y = (int32_t)load_le(bytes + 12, 4),
                                      .player = load_le(bytes + 16, 8),
                                      .session_epoch = load_le(bytes + 24, 8),
                                      .tick = load_le(bytes + 32, 8),
                                      .experience = load_le(bytes + 40, 8)};
    return 0;
}

int hot_open(struct hot **out, struct redis *redis, uint32_t expiry_s) {
    struct hot *hot = calloc(1, sizeof *hot);
    if (hot == NULL) return MARCH_ERR_SYSTEM;
    hot->redis = redis;
    hot->expiry_s = expiry_s < 1 ? 1 : expiry_s < EXPIRY_MAX ? expiry_s : EXPIRY_MAX;
    redis_request_init(&hot->request);
    *out = hot;
    return 0;
}

void hot_close(struct hot *hot) {
    if (hot == NULL) return;
    redis_request_deinit(&hot->request);
    free(hot);
}

static struct redis_request *begin(struct hot *hot, const char *verb) {
    redis_request_reset(&hot->request);
    redis_request_text(&hot->request, verb);
    return &hot->request;
}

static void add_key(struct redis_request *request, uint64_t player) {
    redis_request_key(request, "march:hot:%" PRIu64, player);
}

static void on_written(void *ctx, int error, const struct redisReply *reply) {
    struct hot *hot = ctx;
    (void)reply;
    if (error)
        hot->stats.write_failures++;
    else
        hot->stats.written++;
}

uint32_t hot_write(struct hot *hot, const struct wire_player_state *states, uint32_t count) {
    uint8_t value[HOT_STATE_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        struct redis_request *request = begin(hot, "SET");
        hot_encode(&states[i], value);
        add_key(request, states[i].player);
        redis_request_bytes(request, value, sizeof value);
        redis_request_text(request, "EX");
        redis_request_u64(request, hot->expiry_s);
        if (redis_send(hot->redis, request, HOT_DEADLINE_MS, on_written, hot) == 0) continue;
        hot->stats.write_failures += count - i;
        return i;
    }
    return count;
}

/* take_states fills hot->states with what a reply holds, in the order of the question. */
static uint32_t take_states(struct hot *hot, const struct reading *reading, const struct redisReply *reply) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < reading->count; i++) {
        const struct redisReply *item = redis_reply_item(reply, i);
        struct wire_player_state *state = &hot->states[found];
        if (item == NULL || item->type != REDIS_REPLY_STRING) continue;
        if (hot_decode((const uint8_t *)item->str, (size_t)item->len, state) == 0 && state->player == reading->players[i])
            found++;
        else
            hot->stats.malformed++;
    }
    hot->stats.found += found;
    return found;
}

static void on_read(void *ctx, int error, const struct redisReply *reply) {
    struct reading *reading = ctx;
    struct hot *hot = reading->hot;
    if (error == MARCH_ERR_INVALID) error = MARCH_ERR_UNAVAILABLE;
    uint32_t count = error ? 0 : take_states(hot, reading, reply);
    hot->reads_under_way--;
    reading->done(reading->ctx, error, hot->states, count);
    free(reading);
}

int hot_read(struct hot *hot, const uint64_t *players, uint32_t count, hot_done done, void *ctx) {
    if (count < 1 || count > HOT_READ_MAX) return MARCH_ERR_INVALID;
    if (hot->reads_under_way == HOT_READS_MAX) return MARCH_ERR_FULL;
    struct reading *reading = malloc(sizeof *reading + count * sizeof players[0]);
    if (reading == NULL) return MARCH_ERR_SYSTEM;
    *reading = (struct reading){hot, done, ctx, count};
    memcpy(reading->players, players, count * sizeof players[0]);
    struct redis_request *request = begin(hot, "MGET");
    for (uint32_t i = 0; i < count; i++) add_key(request, players[i]);
    int error = redis_send(hot->redis, request, HOT_DEADLINE_MS, on_read, reading);
    if (error) {
        free(reading);
        return error;
    }
    hot->reads_under_way++;
    hot->stats.reads++;
    return 0;
}

struct hot_stats hot_stats_get(const struct hot *hot) {
    return hot->stats;
}
