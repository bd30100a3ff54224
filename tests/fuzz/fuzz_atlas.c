/* fuzz_atlas.c: an atlas that is told anything by its peers, in any order: it never fails, and whatever it makes of it is a
 * directory without overlaps, whose owners are heard. */
#include <string.h>

#include "common/check.h"
#include "matchmaker/atlas.h"
#include "schemas/cells.h"

#define WORKERS  5
#define GATEWAYS 2
#define SHARDS   2
#define STEP_MS  40

struct input {
    const uint8_t *bytes;
    size_t left;
};

static uint32_t take(struct input *in, size_t len) {
    uint32_t value = 0;
    if (len > in->left) len = in->left;
    memcpy(&value, in->bytes, len);
    in->bytes += len;
    in->left -= len;
    return value;
}

static struct atlas_config config_of(struct input *in) {
    struct atlas_config config = {.worker_count = WORKERS,
                                  .gateway_count = GATEWAYS,
                                  .shard_count = take(in, 1) % (SHARDS + 1),
                                  .reconnect_ms = 200,
                                  .silence_ms = 500,
                                  .tick_us = 16667,
                                  .balance = {.is_on = take(in, 1) & 1,
                                              .split_percent = 50,
                                              .merge_percent = 20,
                                              .hold_ms = 100,
                                              .pause_ms = 100,
                                              .side_m = 16}};
    config.initial =
        (struct directory){.version = 1, .worker_count = WORKERS, .gateway_count = GATEWAYS, .partition_count = 3};
    for (uint32_t i = 0; i < 3; i++)
        config.initial.partitions[i] =
            (struct wire_directory_partition){.epoch = 1,
                                              .respawn = 1,
                                              .rect = {(int32_t)i * 100, 0, (int32_t)i * 100 + 100, 90},
                                              .id = i,
                                              .owner = i,
                                              .former = WIRE_SLOT_NONE,
                                              .creatures = 50};
    config.initial.partitions[config.initial.partition_count++] = (struct wire_directory_partition){
        .rect = {500, 0, 600, 100}, .id = CELLS_BLOCK_BIT, .owner = WIRE_SLOT_NONE, .former = WIRE_SLOT_NONE};
    return config;
}

/* draw_directory makes one of raw bytes: what wire.h lets through. */
static void draw_directory(struct input *in, struct directory *d) {
    *d = (struct directory){.version = take(in, 4) | (uint64_t)take(in, 1) << 56};
    d->worker_count = take(in, 1) % (WORKERS + 3);
    d->gateway_count = take(in, 1) % (GATEWAYS + 2);
    d->partition_count = take(in, 1) % 5;
    for (uint32_t i = 0; i < d->worker_count; i++)
        d->workers[i] = (struct wire_directory_worker){.incarnation = take(in, 1) % 4, .state = take(in, 1)};
    for (uint32_t i = 0; i < d->gateway_count; i++)
        d->gateways[i] = (struct wire_directory_gateway){.incarnation = take(in, 1) % 4, .state = take(in, 1)};
    for (uint32_t i = 0; i < d->partition_count; i++) {
        int32_t x = (int16_t)take(in, 2), y = (int16_t)take(in, 2);
        struct wire_directory_partition *p = &d->partitions[i];
        *p = (struct wire_directory_partition){.epoch = take(in, 1), .respawn = take(in, 1), .id = take(in, 1)};
        if (p->id >= 240) p->id = CELLS_BLOCK_BIT | (p->id - 240);
        p->rect = (struct wire_rect){x, y, x + 1 + (int32_t)take(in, 2), y + 1 + (int32_t)take(in, 2)};
        p->owner = take(in, 1) % 8;
        p->former = take(in, 1) % 8;
        if (p->owner == 7) p->owner = WIRE_SLOT_NONE;
        if (p->former > 5) p->former = WIRE_SLOT_NONE;
        p->creatures = take(in, 4);
    }
}

static void report_worker(struct input *in, struct atlas *a, uint32_t slot, struct mono now) {
    struct directory d = {0};
    struct wire_hold holds[3];
    if (take(in, 1) % 4 == 0) draw_directory(in, &d);
    for (int i = 0; i < 3; i++) holds[i] = (struct wire_hold){take(in, 1) % 8, take(in, 1), take(in, 1), take(in, 1) % 2};
    uint64_t version = take(in, 1) % 2 ? a->told.version : take(in, 4);
    struct wire_worker_report report = {.directory = directory_view(&d),
                                        .version = version,
                                        .players = take(in, 4),
                                        .busy_us = take(in, 4),
                                        .holds = holds,
                                        .hold_count = take(in, 1) % 4};
    atlas_worker_report(a, slot, &report, now);
}

static void report_gateway(struct input *in, struct atlas *a, uint32_t index, struct mono now) {
    struct directory d = {0};
    if (take(in, 1) % 4 == 0) draw_directory(in, &d);
    struct wire_gateway_report report = {.directory = directory_view(&d), .version = take(in, 4), .sessions = take(in, 4)};
    atlas_gateway_report(a, index, &report, now);
}

static void answer_fences(struct input *in, struct atlas *a) {
    struct wire_fence fences[WIRE_FENCES_MAX];
    uint32_t shard = take(in, 1) % SHARDS, count = atlas_fences(a, shard, fences);
    for (uint32_t i = 0; i < count; i++) atlas_fenced(a, shard, &fences[i]);
    const struct wire_fence other = {/* and what was not asked for */
                                     .slot = (uint16_t)take(in, 1),
                                     .kind = (uint16_t)(take(in, 1) % 3),
                                     .incarnation = take(in, 1)};
    atlas_fenced(a, take(in, 1), &other);
}

static void command(struct input *in, struct atlas *a, struct mono now) {
    uint32_t what = take(in, 1), first = take(in, 1) % 13, second = take(in, 1) % 13;
    if (first == 12) first = CELLS_BLOCK_BIT;
    if (second == 12) second = CELLS_BLOCK_BIT;
    enum atlas_answer answer = ATLAS_DONE;
    switch (what % 6) {
    case 0: answer = atlas_drain(a, first, now); break;
    case 1: answer = atlas_undrain(a, first); break;
    case 2: answer = atlas_split(a, first); break;
    case 3: answer = atlas_merge(a, first, second); break;
    case 4: answer = atlas_drain_gateway(a, first, now); break;
    default: answer = atlas_undrain_gateway(a, first);
    }
    CHECK(atlas_answer_text(answer) && atlas_answer_code(answer));
}

static void check(const struct atlas *a) {
    const struct directory *d = &a->told;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_rect *r = &d->partitions[i].rect;
        CHECK(r->min_x < r->max_x && r->min_y < r->max_y);
        uint32_t owner = d->partitions[i].owner;
        CHECK(owner == WIRE_SLOT_NONE || directory_hears(d, owner, d->workers[owner].incarnation));
        for (uint32_t j = 0; j < i; j++) {
            const struct wire_rect *o = &d->partitions[j].rect;
            CHECK(!(r->min_x < o->max_x && o->min_x < r->max_x && r->min_y < o->max_y && o->min_y < r->max_y));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static struct atlas atlas;
    struct input in = {bytes, len};
    struct atlas_config config = config_of(&in);
    struct mono now = {NS_PER_S};
    uint64_t version = 0;
    atlas_init(&atlas, &config, now);
    while (in.left > 0) {
        uint32_t what = take(&in, 1), slot = what / 16 % WORKERS, gateway = what / 16 % GATEWAYS;
        switch (what % 16) {
        case 0: atlas_worker_up(&atlas, slot, 1 + take(&in, 1) % 3, now); break;
        case 1: atlas_worker_lost(&atlas, slot, now); break;
        case 2: atlas_gateway_up(&atlas, gateway, 1 + take(&in, 1) % 3, now); break;
        case 3: atlas_gateway_lost(&atlas, gateway, now); break;
        case 4: report_gateway(&in, &atlas, gateway, now); break;
        case 5: answer_fences(&in, &atlas); break;
        case 6: command(&in, &atlas, now); break;
        case 7: now = mono_add_ms(now, take(&in, 2)); break;
        default: report_worker(&in, &atlas, slot, now);
        }
        now = mono_add_ms(now, STEP_MS);
        if (!atlas_step(&atlas, now, now.ns / NS_PER_MS)) continue;
        CHECK(atlas.told.version > version);
        version = atlas.told.version;
        check(&atlas);
    }
    return 0;
}
