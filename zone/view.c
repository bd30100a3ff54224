/* view.c: see view.h; memory is laid out in view_layout.h. Order of reading: view_build at the end, upwards. */
#include "zone/view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "zone/interest.h"
#include "zone/view_layout.h"

#define LOST_AFTER     3 /* snapshots: an acknowledged one so much newer means that the older one is lost */
#define PRIORITY_MAX   UINT16_MAX
#define BUCKET_COUNT   64 /* of priorities, four to each doubling */
#define WEIGHT_NEAR    256
#define WEIGHT_HALVES  4  /* halvings with distance: each doubling of it from 8 m on */
#define NEAR_LOG2      18 /* (8 m in 1/64 m) squared is 1 << 18 */
#define OWN_ERROR_MAX  1  /* 1/64 m: rounding */
#define COUNT_BITS_MAX 21 /* gamma code of a number of updates */

_Static_assert(VIEW_BYTES_MIN * 8 >=
                   (SNAPSHOT_HEADER_BYTES + SNAPSHOT_REMOVALS_BYTES_MAX) * 8 + COUNT_BITS_MAX + SNAPSHOT_FULL_BITS_MAX,
               "a snapshot holds every removal, and an update");

/* What one build carries from step to step. */
struct build {
    struct views *views;
    struct view *view;
    const struct view_world *world;
    const struct view_request *request;
    struct interest interest;
    uint32_t half2;        /* square of half the inner radius */
    uint32_t error_max[2]; /* near; far, beyond half the radius */
    uint16_t own_group;    /* 0: none */
    uint32_t kept_inside;  /* slots whose entity is within the inner radius */
    uint32_t need_count;   /* bits in views->needed */
    uint32_t log_begin, log_room;
};

static struct view *view_of(const struct views *views, uint32_t client) {
    CHECK(client < views->config.clients_max);
    return (struct view *)(void *)(views->arena + client * views->view_bytes);
}

/* --- life */

struct views *views_create(const struct views_config *config) {
    if (config->clients_max < 1 || config->entities_max < 1 || config->entities_max > VIEW_OWN_NONE) return NULL;
    if (config->slots_max < 2 || config->slots_max > VIEW_SLOTS_MAX) return NULL;
    struct views *views = calloc(1, sizeof(*views));
    if (!views) return NULL;
    views->config = *config;
    size_t chunks = (config->slots_max + VIEW_CHUNK_SLOTS - 1) / VIEW_CHUNK_SLOTS;
    views->view_bytes = sizeof(struct view) + chunks * sizeof(struct view_chunk);
    views->arena_bytes = views->view_bytes * config->clients_max;
    void *arena = mmap(NULL, views->arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    views->arena = arena == MAP_FAILED ? NULL : arena;
    if (views->arena)
        (void)madvise(arena, views->arena_bytes, MADV_NOHUGEPAGE); /* one would hold the unused of many views */
    views->present = calloc(config->entities_max / 64 + 1, sizeof(*views->present));
    views->places.x = calloc(config->entities_max, sizeof(*views->places.x));
    views->places.y = calloc(config->entities_max, sizeof(*views->places.y));
    if (views->arena && views->present && views->places.x && views->places.y) return views;
    views_destroy(views);
    return NULL;
}

void views_destroy(struct views *views) {
    if (!views) return;
    if (views->arena) munmap(views->arena, views->arena_bytes);
    free(views->present);
    free(views->places.x);
    free(views->places.y);
    free(views);
}

void view_reset(struct views *views, uint32_t client, uint8_t stream) {
    struct view *view = view_of(views, client);
    memset(view->chunks, 0, view->chunks_used * sizeof(struct view_chunk));
    memset(view, 0, offsetof(struct view, log));
    view->stream = stream;
    view->next_seq = (uint16_t)(stream << 8); /* acknowledgements of another stream hardly fit */
    view->oldest_seq = view->next_seq;
}

const struct views_stats *views_stats(const struct views *views) {
    return &views->stats;
}

/* --- acknowledgement and loss */

static struct view_flight *flight_of(struct view *view, uint16_t seq) {
    return &view->flights[seq % VIEW_SNAPSHOTS_MAX];
}

/* Returns the baselines entry an update in flight is about, or NULL when its slot has another tenant by now. */
static struct view_baseline *log_target(struct view *view, const struct view_log_entry *entry) {
    struct view_chunk *chunk = &view->chunks[entry->slot / VIEW_CHUNK_SLOTS];
    struct view_baseline *baseline = &chunk->baselines[entry->slot % VIEW_CHUNK_SLOTS];
    bool there = chunk->occupied >> (entry->slot % VIEW_CHUNK_SLOTS) & 1;
    return there && baseline->tenant == entry->tenant ? baseline : NULL;
}

/* Makes an acknowledged update the slot's baseline, if it is newer than the one there. */
static void promote(struct view *view, const struct view_log_entry *entry, uint32_t tick) {
    struct view_baseline *baseline = log_target(view, entry);
    if (!baseline) return;
    uint8_t age = (uint8_t)(baseline->newest_version - entry->version);
    if (baseline->known && (uint8_t)(baseline->newest_version - baseline->version) <= age) return;
    baseline->state = (struct net_state){entry->x,    entry->y,   entry->vx,     entry->vy,    tick,
                                         entry->kind, entry->yaw, entry->health, entry->action};
    baseline->version = entry->version;
    baseline->known = true;
}

/* What was told last in a lost snapshot must be told again. */
static void resend(struct view *view, const struct view_log_entry *entry) {
    struct view_baseline *baseline = log_target(view, entry);
    if (!baseline || baseline->newest_version != entry->version) return;
    view->chunks[entry->slot / VIEW_CHUNK_SLOTS].records[entry->slot % VIEW_CHUNK_SLOTS].flags |= VIEW_MUST_SEND;
}

static void lose_oldest(struct views *views, struct view *view) {
    struct view_flight *flight = flight_of(view, view->oldest_seq++);
    if (!flight->in_flight) return;
    flight->in_flight = false;
    views->stats.lost++;
    for (uint32_t i = 0; i < flight->log_count; i++) resend(view, &view->log[flight->log_begin + i]);
}

/* Frees the slots whose removal was in an acknowledged snapshot: every snapshot since the first told it again. */
static void confirm_removals(struct view *view, uint16_t seq) {
    for (uint32_t c = 0; c < view->chunks_used && view->removing_count > 0; c++) {
        struct view_chunk *chunk = &view->chunks[c];
        for (uint64_t bits = chunk->removing; bits; bits &= bits - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(bits);
            if ((int16_t)(seq - chunk->baselines[slot].removal_seq) < 0) continue;
            chunk->removing &= ~(1ULL << slot);
            view->removing_count--;
        }
    }
}

void view_ack(struct views *views, uint32_t client, uint16_t seq) {
    struct view *view = view_of(views, client);
    uint16_t in_flight = (uint16_t)(view->next_seq - view->oldest_seq);
    struct view_flight *flight = flight_of(view, seq);
    if ((uint16_t)(seq - view->oldest_seq) >= in_flight || !flight->in_flight) {
        views->stats.unknown_acks++;
        return;
    }
    flight->in_flight = false;
    for (uint32_t i = 0; i < flight->log_count; i++) promote(view, &view->log[flight->log_begin + i], flight->tick);
    if (view->removing_count > 0) confirm_removals(view, seq);
    while ((int16_t)(seq - view->oldest_seq) >= LOST_AFTER) lose_oldest(views, view);
    while (view->oldest_seq != view->next_seq && !flight_of(view, view->oldest_seq)->in_flight) view->oldest_seq++;
}

/* --- slots */

static void add(struct build *build, uint32_t slot, uint32_t entity) {
    struct view *view = build->view;
    uint32_t c = slot / VIEW_CHUNK_SLOTS, s = slot % VIEW_CHUNK_SLOTS;
    struct view_chunk *chunk = &view->chunks[c];
    chunk->occupied |= 1ULL << s;
    chunk->records[s] = (struct view_record){.entity = (uint16_t)entity,
                                             .generation = build->world->entities[entity].generation,
                                             .flags = VIEW_MUST_SEND | VIEW_NEVER_SENT};
    chunk->baselines[s].tenant++;
    chunk->baselines[s].known = false;
    view->in_view++;
    if (c >= view->chunks_used) view->chunks_used = (uint16_t)(c + 1);
}

static void drop(struct build *build, struct view_chunk *chunk, unsigned s) {
    struct view *view = build->view;
    chunk->occupied &= ~(1ULL << s);
    view->in_view--;
    if (chunk->records[s].flags & VIEW_NEVER_SENT) return;
    chunk->removing |= 1ULL << s;
    chunk->baselines[s].removal_seq = view->next_seq;
    view->removing_count++;
    build->views->stats.removals++;
}

/* Returns the lowest free slot from `from` on, never slot 0; slots_max when there is none. */
static uint32_t free_slot(const struct views *views, const struct view *view, uint32_t from) {
    for (uint32_t c = from / VIEW_CHUNK_SLOTS; c * VIEW_CHUNK_SLOTS < views->config.slots_max; c++) {
        uint64_t taken = view->chunks[c].occupied | view->chunks[c].removing;
        if (c == 0) taken |= 1;
        if (taken == UINT64_MAX) continue;
        uint32_t slot = c * VIEW_CHUNK_SLOTS + (uint32_t)__builtin_ctzll(~taken);
        return slot < views->config.slots_max ? slot : views->config.slots_max;
    }
    return views->config.slots_max;
}

/* Slot 0 belongs to the client's own entity; a new one takes it when the removal of the last one is confirmed. */
static void seat_own(struct build *build) {
    struct view_chunk *chunk = &build->view->chunks[0];
    const struct view_record *record = &chunk->records[0];
    uint16_t own = build->request->own;
    if (own != VIEW_OWN_NONE && build->world->entities[own].state.tick != build->world->tick) own = VIEW_OWN_NONE;
    bool same =
        own != VIEW_OWN_NONE && record->entity == own && record->generation == build->world->entities[own].generation;
    if ((chunk->occupied & 1) && !same) drop(build, chunk, 0);
    if (own == VIEW_OWN_NONE) return;
    build->own_group = build->world->entities[own].group;
    if (!((chunk->occupied | chunk->removing) & 1)) add(build, 0, own);
}

/* --- need and priority */

static uint32_t prediction_error(const struct net_state *sent, const struct net_state *state) {
    int32_t ticks = net_ticks_since(state->tick, sent->tick);
    int32_t dx = state->x - net_predict_axis(sent->x, sent->vx, ticks);
    int32_t dy = state->y - net_predict_axis(sent->y, sent->vy, ticks);
    uint32_t x = (uint32_t)(dx < 0 ? -dx : dx), y = (uint32_t)(dy < 0 ? -dy : dy);
    return x > y ? x : y;
}

/* Whether yaw, health and action are as the client was told, yaw within the threshold. They stand side by side, with the
 * kind: mostly one comparison tells. */
static bool looks_same(const struct build *build, const struct net_state *sent, const struct net_state *state) {
    if (memcmp(&sent->kind, &state->kind, 4) == 0) return true;
    uint32_t yaw_off = (uint8_t)(state->yaw - sent->yaw);
    if (yaw_off > 128) yaw_off = 256 - yaw_off;
    return yaw_off <= build->views->config.yaw_error_max && sent->health == state->health && sent->action == state->action;
}
_Static_assert(offsetof(struct net_state, kind) == 16 && sizeof(struct net_state) == 20, "the last four bytes");

/* Returns what an entity in need gathers for one snapshot. */
static uint32_t weight_of(const struct build *build, const struct view_record *record, const struct view_entity *entity,
                          uint32_t distance2) {
    unsigned halvings = 0;
    if (distance2 >> NEAR_LOG2) halvings = (31u - (unsigned)__builtin_clz(distance2) - NEAR_LOG2) / 2;
    uint32_t weight = WEIGHT_NEAR >> (halvings < WEIGHT_HALVES ? halvings : WEIGHT_HALVES);
    bool urgent =
        record->flags != 0 || record->sent.health != entity->state.health || record->sent.action != entity->state.action;
    if (urgent) weight *= 2;
    bool ours = build->own_group != 0 && entity->group == build->own_group;
    if (ours || record->entity == build->request->target) weight *= 4;
    return weight;
}

/* Lets an entity gather priority, and marks its slot. */
static void need(struct build *build, uint32_t slot, struct view_record *record, uint32_t distance2) {
    const struct view_entity *entity = &build->world->entities[record->entity];
    uint32_t priority = record->priority + (slot == 0 ? PRIORITY_MAX : weight_of(build, record, entity, distance2));
    record->priority = (uint16_t)(priority < PRIORITY_MAX ? priority : PRIORITY_MAX);
    build->views->needed[slot / VIEW_CHUNK_SLOTS] |= 1ULL << slot % VIEW_CHUNK_SLOTS;
    build->need_count++;
}

/* --- interest: who stays, who goes, who comes */

static bool stays(const struct build *build, uint32_t slot, const struct view_record *record,
                  const struct view_entity *entity, uint32_t distance2) {
    if (entity->generation != record->generation || entity->state.tick != build->world->tick) return false;
    if (slot == 0) return true;
    return distance2 <= build->interest.outer2 && record->entity != build->request->own;
}

/* The loop that costs: once for each entity in view. */
static void review_chunk(struct build *build, uint32_t c) {
    struct view_chunk *chunk = &build->view->chunks[c];
    for (uint64_t bits = chunk->occupied; bits; bits &= bits - 1) {
        unsigned s = (unsigned)__builtin_ctzll(bits);
        uint32_t slot = c * VIEW_CHUNK_SLOTS + s;
        struct view_record *record = &chunk->records[s];
        const struct view_entity *entity = &build->world->entities[record->entity];
        const struct net_state *state = &entity->state;
        uint32_t distance2 = interest_distance2(&build->interest, state->x, state->y);
        if (!stays(build, slot, record, entity, distance2)) {
            drop(build, chunk, s);
            continue;
        }
        build->kept_inside += distance2 <= build->interest.inner2;
        uint32_t error_max = slot == 0 ? OWN_ERROR_MAX : build->error_max[distance2 > build->half2];
        bool fine = prediction_error(&record->sent, state) <= error_max && record->flags == 0 &&
                    looks_same(build, &record->sent, state);
        if (!fine) need(build, slot, record, distance2);
    }
}

/* Marks in views->present, or clears again, whom the view has a slot for. */
static void mark_present(struct build *build, bool present) {
    uint64_t *bitmap = build->views->present;
    for (uint32_t c = 0; c < build->view->chunks_used; c++) {
        const struct view_chunk *chunk = &build->view->chunks[c];
        for (uint64_t bits = chunk->occupied; bits; bits &= bits - 1) {
            uint32_t entity = chunk->records[__builtin_ctzll(bits)].entity;
            bitmap[entity / 64] &= ~(1ULL << entity % 64);
            bitmap[entity / 64] |= (uint64_t)present << entity % 64;
        }
    }
    uint32_t own = build->request->own;
    if (own == VIEW_OWN_NONE) return;
    bitmap[own / 64] &= ~(1ULL << own % 64);
    bitmap[own / 64] |= (uint64_t)present << own % 64;
}

static void seat_newcomers(struct build *build) {
    struct views *views = build->views;
    mark_present(build, true);
    struct interest_cursor cursor = {0};
    uint32_t i, slot = 0;
    while ((i = interest_next(views, build->world, &build->interest, &cursor)) != UINT32_MAX) {
        slot = free_slot(views, build->view, slot);
        if (slot == views->config.slots_max) {
            views->stats.slots_full++;
            break;
        }
        uint32_t distance2 = interest_distance2(&build->interest, views->places.x[i], views->places.y[i]);
        add(build, slot, build->world->grid->items[i]);
        need(build, slot, &build->view->chunks[slot / VIEW_CHUNK_SLOTS].records[slot % VIEW_CHUNK_SLOTS], distance2);
    }
    mark_present(build, false);
}

/* Those kept within the inner radius are some of those inside: when the numbers agree, nobody has come. */
static void review_interest(struct build *build) {
    struct views *views = build->views;
    bool is_new = build->view->chunks_used == 0;
    build->interest = interest_scan(views, build->world, build->request, views->config.slots_max - 1, is_new);
    build->half2 = build->interest.inner2 / 4;
    build->error_max[0] = views->config.error_near_max;
    build->error_max[1] = views->config.error_far_max;
    memset(views->needed, 0, sizeof(views->needed));
    seat_own(build);
    for (uint32_t c = 0; c < build->view->chunks_used; c++) review_chunk(build, c);
    if (build->kept_inside != build->interest.inside) seat_newcomers(build);
}

/* --- the log */

/* Finds room for `need` updates in a row. What is in use runs from the oldest flight's begin to log_end, around the end or
 * not. The log starts over at its front as soon as what is free there lasts until the present flights have landed, with as
 * much again to spare: so its later part is touched only by those who have much in flight. */
static void open_log(struct build *build, uint32_t need) {
    struct view *view = build->view;
    uint32_t end = view->log_end, begin = UINT32_MAX;
    for (uint16_t seq = view->oldest_seq; seq != view->next_seq && begin == UINT32_MAX; seq++) {
        const struct view_flight *flight = flight_of(view, seq);
        if (flight->in_flight && flight->log_count > 0) begin = flight->log_begin;
    }
    build->log_begin = end;
    if (begin == UINT32_MAX) {
        build->log_begin = 0;
        build->log_room = VIEW_LOG_MAX;
    } else if (end <= begin) {
        build->log_room = begin - end;
    } else if (begin >= 2 * (end - begin) + 4 * need || (need > VIEW_LOG_MAX - end && begin > VIEW_LOG_MAX - end)) {
        build->log_begin = 0;
        build->log_room = begin;
    } else {
        build->log_room = VIEW_LOG_MAX - end;
    }
}

static void log_update(struct view *view, const struct snapshot_update *update, uint8_t version, uint8_t tenant) {
    const struct net_state *state = &update->state;
    view->log[view->log_end++] =
        (struct view_log_entry){update->slot, version,     tenant,     state->x,      state->y,     state->vx,
                                state->vy,    state->kind, state->yaw, state->health, state->action};
}

/* --- choosing what goes out */

/* Fills in the next update of a slot: against its baseline, or full. */
static struct snapshot_update update_of(const struct build *build, uint32_t slot) {
    struct view_chunk *chunk = &build->view->chunks[slot / VIEW_CHUNK_SLOTS];
    const struct view_record *record = &chunk->records[slot % VIEW_CHUNK_SLOTS];
    struct view_baseline *baseline = &chunk->baselines[slot % VIEW_CHUNK_SLOTS];
    const struct view_entity *entity = &build->world->entities[record->entity];
    uint8_t version = (uint8_t)(baseline->newest_version + 1);
    uint8_t distance = (uint8_t)(version - baseline->version);
    if (distance >= SNAPSHOT_VERSIONS) baseline->known = false; /* for good: the count would come round */
    return (struct snapshot_update){.slot = (uint16_t)slot,
                                    .version = version % SNAPSHOT_VERSIONS,
                                    .distance = baseline->known ? distance : 0,
                                    .id = entity->id,
                                    .state = entity->state,
                                    .baseline = &baseline->state};
}

static unsigned bucket_of(uint32_t priority) {
    unsigned exponent = 31u - (unsigned)__builtin_clz(priority | 1);
    return exponent * 4 + ((priority << 2 >> exponent) & 3);
}

/* Lists the slots in need in views->order, those with the most priority first, to a quarter of a doubling; within that in
 * order of slots. */
static void order_by_priority(struct build *build) {
    uint16_t place[BUCKET_COUNT + 1] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t c = 0; c < build->view->chunks_used; c++) {
            for (uint64_t bits = build->views->needed[c]; bits; bits &= bits - 1) {
                unsigned s = (unsigned)__builtin_ctzll(bits);
                unsigned bucket = BUCKET_COUNT - 1 - bucket_of(build->view->chunks[c].records[s].priority);
                if (pass == 0) {
                    place[bucket + 1]++;
                } else {
                    build->views->order[place[bucket]++] = (uint16_t)(c * VIEW_CHUNK_SLOTS + s);
                }
            }
        }
        for (unsigned b = 0; pass == 0 && b < BUCKET_COUNT; b++) place[b + 1] = (uint16_t)(place[b + 1] + place[b]);
    }
}

/* Returns what the gaps between `count` slots out of `slots` cost at most: a gamma code is concave in its value but for
 * rounding, so equal gaps cost most. */
static uint32_t gaps_bits(uint32_t count, uint32_t slots) {
    uint32_t gap = (slots + count - 1) / count;
    uint32_t log2_up = gap == 1 ? 0 : 32 - (uint32_t)__builtin_clz(gap - 1);
    return count * (2 * log2_up + 1);
}

/* Keeps in views->needed what fits in `bits`, from the top priority down. */
static void choose(struct build *build, uint32_t bits) {
    struct views *views = build->views;
    order_by_priority(build);
    memset(views->needed, 0, sizeof(views->needed));
    uint32_t slots = build->view->chunks_used * VIEW_CHUNK_SLOTS, body_bits = 0, chosen = 0;
    while (chosen < build->need_count && chosen < build->log_room) {
        uint32_t slot = views->order[chosen];
        struct snapshot_update update = update_of(build, slot);
        body_bits += snapshot_update_bits(&update, build->world->tick);
        if (body_bits + gaps_bits(chosen + 1, slots) > bits) break;
        views->needed[slot / VIEW_CHUNK_SLOTS] |= 1ULL << slot % VIEW_CHUNK_SLOTS;
        chosen++;
    }
    build->need_count = chosen;
}

/* --- writing */

static void write_removals(struct build *build, struct snapshot_writer *writer) {
    uint32_t count = 0;
    for (uint32_t c = 0; c < build->view->chunks_used && count < build->view->removing_count; c++) {
        for (uint64_t bits = build->view->chunks[c].removing; bits; bits &= bits - 1) {
            build->views->removals[count++] = (uint16_t)(c * VIEW_CHUNK_SLOTS + (uint32_t)__builtin_ctzll(bits));
        }
    }
    snapshot_write_removals(writer, build->views->removals, count);
}

static void write_update(struct build *build, struct snapshot_writer *writer, uint32_t slot) {
    struct view_chunk *chunk = &build->view->chunks[slot / VIEW_CHUNK_SLOTS];
    struct view_record *record = &chunk->records[slot % VIEW_CHUNK_SLOTS];
    struct view_baseline *baseline = &chunk->baselines[slot % VIEW_CHUNK_SLOTS];
    struct snapshot_update update = update_of(build, slot);
    snapshot_write_update(writer, &update);
    baseline->newest_version++;
    log_update(build->view, &update, baseline->newest_version, baseline->tenant);
    *record = (struct view_record){.sent = update.state, .entity = record->entity, .generation = record->generation};
    build->views->stats.full_updates += update.distance == 0;
}

static void write_updates(struct build *build, struct snapshot_writer *writer) {
    build->view->log_end = (uint16_t)build->log_begin;
    snapshot_write_update_count(writer, build->need_count);
    for (uint32_t c = 0; c < build->view->chunks_used; c++) {
        for (uint64_t bits = build->views->needed[c]; bits; bits &= bits - 1) {
            write_update(build, writer, c * VIEW_CHUNK_SLOTS + (uint32_t)__builtin_ctzll(bits));
        }
    }
}

/* Cuts what is needed down to what the packet and the log have room for; usually all of it fits. */
static void fit(struct build *build, const struct snapshot_writer *writer, size_t size, struct view_result *result) {
    uint32_t need = build->need_count;
    open_log(build, need);
    uint32_t bits = (uint32_t)(size * 8 - bits_written(&writer->bits) - COUNT_BITS_MAX);
    if (need > build->log_room) build->views->stats.log_full++;
    if (need > build->log_room || need * SNAPSHOT_FULL_BITS_MAX > bits) choose(build, bits);
    result->deferred = (uint16_t)(need - build->need_count);
}

static void finish(struct build *build, struct view_result *result) {
    struct view *view = build->view;
    *flight_of(view, view->next_seq) = (struct view_flight){.tick = build->world->tick,
                                                            .log_begin = (uint16_t)build->log_begin,
                                                            .log_count = (uint16_t)build->need_count,
                                                            .in_flight = true};
    result->seq = view->next_seq++;
    result->in_view = view->in_view;
    result->updates = (uint16_t)build->need_count;
    result->removals = view->removing_count;
    struct views_stats *stats = &build->views->stats;
    stats->builds++;
    stats->bytes += result->len;
    stats->updates += result->updates;
    stats->deferred += result->deferred;
}

void view_build(struct views *views, uint32_t client, const struct view_world *world, const struct view_request *request,
                uint8_t *bytes, size_t size, struct view_result *result) {
    CHECK(size >= VIEW_BYTES_MIN);
    struct build build = {.views = views, .view = view_of(views, client), .world = world, .request = request};
    struct view *view = build.view;
    if (!views->places.ready || views->places.tick != world->tick) interest_prepare(views, world);
    if ((uint16_t)(view->next_seq - view->oldest_seq) == VIEW_SNAPSHOTS_MAX) lose_oldest(views, view);
    review_interest(&build);

    struct snapshot_header header = {view->stream, view->next_seq, request->input_ack, world->tick};
    struct snapshot_writer writer;
    snapshot_write_begin(&writer, bytes, size, &header);
    write_removals(&build, &writer);
    fit(&build, &writer, size, result);
    write_updates(&build, &writer);
    result->len = snapshot_write_finish(&writer);
    CHECK(result->len > 0);
    finish(&build, result);
}
