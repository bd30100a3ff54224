/* snapshot.c: see snapshot.h; the bit table is in schemas/PROTOCOL.md. */
#include "common/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* Positions and velocities come in four size classes, told by two bits: bits of each of the two numbers. */
enum position_class { POSITION_PREDICTED = 0, POSITION_NEAR = 1, POSITION_FAR = 2, POSITION_ABSOLUTE = 3 };
enum velocity_class { VELOCITY_ZERO = 0, VELOCITY_WALK = 1, VELOCITY_FAST = 2, VELOCITY_ANY = 3 };

static const uint8_t position_bits[4] = {0, 6, 10, NET_POSITION_BITS}; /* +-0.5 m, +-8 m, anywhere */
static const uint8_t velocity_bits[4] = {0, 9, 12, 16};                /* 7.5 m/s, 60 m/s, 960 m/s at 60 Hz */

enum delta_flag { DELTA_VELOCITY = 1, DELTA_YAW = 2, DELTA_VITALS = 4, DELTA_FLAG_BITS = 3 };

struct point {
    int32_t x, y;
};

static struct point predict(const struct net_state *state, uint32_t tick) {
    int32_t ticks = net_ticks_since(tick, state->tick);
    return (struct point){net_predict_axis(state->x, state->vx, ticks), net_predict_axis(state->y, state->vy, ticks)};
}

/* Whether both numbers are signed numbers of `bits` bits: checked by shifting their range to start at 0. */
static bool both_fit(int32_t a, int32_t b, unsigned bits) {
    uint32_t half = 1u << (bits - 1);
    return (((uint32_t)a + half) | ((uint32_t)b + half)) >> bits == 0;
}

static uint32_t gamma_bits(uint32_t value) {
    return 2 * (31u - (uint32_t)__builtin_clz(value)) + 1;
}

/* --- writing */

static void write_pair(struct bit_writer *w, int32_t a, int32_t b, unsigned bits) {
    uint32_t mask = (1u << bits) - 1;
    bits_write(w, (uint32_t)a & mask, bits);
    bits_write(w, (uint32_t)b & mask, bits);
}

static enum velocity_class velocity_class_of(const struct net_state *state) {
    if (state->vx == 0 && state->vy == 0) return VELOCITY_ZERO;
    if (both_fit(state->vx, state->vy, velocity_bits[VELOCITY_WALK])) return VELOCITY_WALK;
    return both_fit(state->vx, state->vy, velocity_bits[VELOCITY_FAST]) ? VELOCITY_FAST : VELOCITY_ANY;
}

static void write_velocity(struct bit_writer *w, const struct net_state *state) {
    enum velocity_class class = velocity_class_of(state);
    bits_write(w, class, 2);
    if (class != VELOCITY_ZERO) write_pair(w, state->vx, state->vy, velocity_bits[class]);
}

/* A coordinate outside of the world can't be told: both come from our own simulation. */
static void write_absolute(struct bit_writer *w, const struct net_state *state) {
    CHECK(both_fit(state->x, state->y, NET_POSITION_BITS));
    write_pair(w, state->x, state->y, NET_POSITION_BITS);
}

static void write_full(struct bit_writer *w, const struct snapshot_update *update) {
    const struct net_state *state = &update->state;
    bits_write(w, (uint32_t)update->id, 32);
    bits_write(w, (uint32_t)(update->id >> 32), 32);
    bits_write(w, state->kind, 8);
    write_absolute(w, state);
    write_velocity(w, state);
    bits_write(w, state->yaw | (uint32_t)state->health << 8 | (uint32_t)state->action << 16, 24);
}

static enum position_class position_class_of(const struct net_state *state, struct point predicted) {
    int32_t dx = state->x - predicted.x, dy = state->y - predicted.y;
    if (dx == 0 && dy == 0) return POSITION_PREDICTED;
    if (both_fit(dx, dy, position_bits[POSITION_NEAR])) return POSITION_NEAR;
    return both_fit(dx, dy, position_bits[POSITION_FAR]) ? POSITION_FAR : POSITION_ABSOLUTE;
}

static unsigned delta_flags_of(const struct net_state *state, const struct net_state *baseline) {
    unsigned flags = 0;
    if (state->vx != baseline->vx || state->vy != baseline->vy) flags |= DELTA_VELOCITY;
    if (state->yaw != baseline->yaw) flags |= DELTA_YAW;
    if (state->health != baseline->health || state->action != baseline->action) flags |= DELTA_VITALS;
    return flags;
}

static void write_vitals(struct bit_writer *w, const struct net_state *state, const struct net_state *baseline) {
    bool health = state->health != baseline->health, action = state->action != baseline->action;
    bits_write(w, health | (uint32_t)action << 1, 2);
    if (health) bits_write(w, state->health, 8);
    if (action) bits_write(w, state->action, 8);
}

static void write_delta(struct bit_writer *w, const struct snapshot_update *update, uint32_t tick) {
    const struct net_state *state = &update->state, *baseline = update->baseline;
    struct point predicted = predict(baseline, tick);
    enum position_class class = position_class_of(state, predicted);
    unsigned flags = delta_flags_of(state, baseline);
    bits_write(w, class | flags << 2, 2 + DELTA_FLAG_BITS);
    if (class == POSITION_ABSOLUTE) {
        write_absolute(w, state);
    } else if (class != POSITION_PREDICTED) {
        write_pair(w, state->x - predicted.x, state->y - predicted.y, position_bits[class]);
    }
    if (flags & DELTA_VELOCITY) write_velocity(w, state);
    if (flags & DELTA_YAW) bits_write(w, state->yaw, 8);
    if (flags & DELTA_VITALS) write_vitals(w, state, baseline);
}

void snapshot_write_begin(struct snapshot_writer *w, uint8_t *bytes, size_t size, const struct snapshot_header *header) {
    bit_writer_init(&w->bits, bytes, size);
    w->tick = header->tick;
    w->next_slot = 0;
    bits_write(&w->bits, header->stream, 8);
    bits_write(&w->bits, header->seq, 16);
    bits_write(&w->bits, header->tick, 32);
    bits_write(&w->bits, header->input_ack, 16);
}

static void write_slot(struct snapshot_writer *w, uint32_t slot) {
    CHECK(slot >= w->next_slot && slot < SNAPSHOT_SLOTS_MAX);
    bits_write_gamma(&w->bits, slot - w->next_slot + 1);
    w->next_slot = slot + 1;
}

void snapshot_write_removals(struct snapshot_writer *w, const uint16_t *slots, uint32_t count) {
    bits_write_gamma(&w->bits, count + 1);
    for (uint32_t i = 0; i < count; i++) write_slot(w, slots[i]);
}

void snapshot_write_update_count(struct snapshot_writer *w, uint32_t count) {
    bits_write_gamma(&w->bits, count + 1);
    w->next_slot = 0;
}

void snapshot_write_update(struct snapshot_writer *w, const struct snapshot_update *update) {
    CHECK(update->version < SNAPSHOT_VERSIONS && update->distance < SNAPSHOT_VERSIONS);
    write_slot(w, update->slot);
    bits_write(&w->bits, update->version, 4);
    bits_write_gamma(&w->bits, update->distance + 1u);
    if (update->distance == 0) {
        write_full(&w->bits, update);
    } else {
        write_delta(&w->bits, update, w->tick);
    }
}

size_t snapshot_write_finish(struct snapshot_writer *w) {
    return bit_writer_finish(&w->bits);
}

uint32_t snapshot_update_bits(const struct snapshot_update *update, uint32_t tick) {
    const struct net_state *state = &update->state, *baseline = update->baseline;
    uint32_t velocity = 2u + 2u * velocity_bits[velocity_class_of(state)];
    if (update->distance == 0) return 4 + 1 + 64 + 8 + 2 * NET_POSITION_BITS + velocity + 24;
    unsigned flags = delta_flags_of(state, baseline);
    uint32_t bits = 4 + gamma_bits(update->distance + 1u) + 2 + DELTA_FLAG_BITS;
    bits += 2u * position_bits[position_class_of(state, predict(baseline, tick))];
    if (flags & DELTA_VELOCITY) bits += velocity;
    if (flags & DELTA_YAW) bits += 8;
    if (flags & DELTA_VITALS) {
        bits += 2 + (state->health != baseline->health ? 8u : 0) + (state->action != baseline->action ? 8u : 0);
    }
    return bits;
}

/* --- reading */

struct snapshot_table *snapshot_table_create(uint32_t slots_max) {
    if (slots_max < 1 || slots_max > SNAPSHOT_SLOTS_MAX) return NULL;
    struct snapshot_table *table = calloc(1, sizeof(*table));
    if (!table) return NULL;
    table->slots_max = slots_max;
    table->slots = calloc(slots_max, sizeof(*table->slots));
    table->changes = calloc(slots_max, sizeof(*table->changes));
    table->removals = calloc(slots_max, sizeof(*table->removals));
    if (table->slots && table->changes && table->removals) return table;
    snapshot_table_destroy(table);
    return NULL;
}

void snapshot_table_destroy(struct snapshot_table *table) {
    if (!table) return;
    free(table->slots);
    free(table->changes);
    free(table->removals);
    free(table);
}

static void empty_slot(struct snapshot_slot *slot) {
    slot->id = 0;
    slot->known = 0;
}

static void empty_slots(struct snapshot_table *table) {
    for (uint32_t i = 0; i < table->slots_used; i++) empty_slot(&table->slots[i]);
    table->slots_used = 0;
}

void snapshot_table_end_stream(struct snapshot_table *table) {
    table->any = false;
}

void snapshot_table_reset(struct snapshot_table *table) {
    empty_slots(table);
    table->change_count = 0;
    table->removal_count = 0;
    table->any = false;
}

static int32_t read_signed(struct bit_reader *r, unsigned bits) {
    uint32_t half = 1u << (bits - 1);
    return (int32_t)(bits_read(r, bits) ^ half) - (int32_t)half;
}

static struct point read_pair(struct bit_reader *r, unsigned bits) {
    int32_t a = read_signed(r, bits);
    return (struct point){a, read_signed(r, bits)};
}

static void read_velocity(struct bit_reader *r, struct net_state *state) {
    uint32_t class = bits_read(r, 2);
    struct point v = class == VELOCITY_ZERO ? (struct point){0, 0} : read_pair(r, velocity_bits[class]);
    state->vx = (int16_t)v.x;
    state->vy = (int16_t)v.y;
}

static void read_absolute(struct bit_reader *r, struct net_state *state) {
    struct point p = read_pair(r, NET_POSITION_BITS);
    state->x = p.x;
    state->y = p.y;
}

/* Reads a full body. An entity's id is never 0: that marks an empty slot. */
static int read_full(struct bit_reader *r, struct snapshot_change *change) {
    uint64_t low = bits_read(r, 32);
    change->id = low | (uint64_t)bits_read(r, 32) << 32;
    change->state.kind = (uint8_t)bits_read(r, 8);
    read_absolute(r, &change->state);
    read_velocity(r, &change->state);
    change->state.yaw = (uint8_t)bits_read(r, 8);
    change->state.health = (uint8_t)bits_read(r, 8);
    change->state.action = (uint8_t)bits_read(r, 8);
    return change->id == 0 ? MARCH_ERR_INVALID : 0;
}

static void read_vitals(struct bit_reader *r, struct net_state *state) {
    uint32_t which = bits_read(r, 2);
    if (which & 1) state->health = (uint8_t)bits_read(r, 8);
    if (which & 2) state->action = (uint8_t)bits_read(r, 8);
}

/* Reads a delta body onto change->state, which holds the baseline. */
static int read_delta(struct bit_reader *r, struct net_state *state, uint32_t tick) {
    struct point predicted = predict(state, tick);
    uint32_t class = bits_read(r, 2);
    uint32_t flags = bits_read(r, DELTA_FLAG_BITS);
    if (class == POSITION_ABSOLUTE) {
        read_absolute(r, state);
    } else {
        struct point off = class == POSITION_PREDICTED ? (struct point){0, 0} : read_pair(r, position_bits[class]);
        state->x = predicted.x + off.x;
        state->y = predicted.y + off.y;
        if (!both_fit(state->x, state->y, NET_POSITION_BITS)) return MARCH_ERR_INVALID;
    }
    if (flags & DELTA_VELOCITY) read_velocity(r, state);
    if (flags & DELTA_YAW) state->yaw = (uint8_t)bits_read(r, 8);
    if (flags & DELTA_VITALS) read_vitals(r, state);
    return 0;
}

/* Reads the gap to the next slot of an ascending list; `next` is the least slot it may be. */
static int read_slot(struct bit_reader *r, const struct snapshot_table *table, uint32_t *next) {
    uint32_t gap = bits_read_gamma(r);
    if (gap == 0 || gap > table->slots_max - *next) return MARCH_ERR_INVALID;
    *next += gap;
    return 0;
}

static int read_removals(struct bit_reader *r, struct snapshot_table *table) {
    uint32_t next = 0, count = bits_read_gamma(r) - 1;
    if (r->overflow || count > table->slots_max) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < count; i++) {
        if (read_slot(r, table, &next) != 0) return MARCH_ERR_INVALID;
        table->removals[i] = (uint16_t)(next - 1);
    }
    table->removal_count = count;
    return 0;
}

static int read_update(struct bit_reader *r, const struct snapshot_table *table, struct snapshot_change *change,
                       const struct snapshot_header *header) {
    const struct snapshot_slot *slot = &table->slots[change->slot];
    change->version = (uint8_t)bits_read(r, 4);
    uint32_t distance = bits_read_gamma(r) - 1;
    if (r->overflow || distance >= SNAPSHOT_VERSIONS) return MARCH_ERR_INVALID;
    change->full = distance == 0;
    int error;
    if (change->full) {
        error = read_full(r, change);
    } else {
        uint32_t version = (change->version - distance) % SNAPSHOT_VERSIONS;
        if (table->fresh || !(slot->known >> version & 1)) return MARCH_ERR_INVALID;
        change->id = slot->id;
        change->state = slot->states[version];
        error = read_delta(r, &change->state, header->tick);
    }
    change->state.tick = header->tick;
    return error;
}

/* Reads the updates into changes[]. A slot that is removed in the same snapshot can't be updated by it. */
static int read_updates(struct bit_reader *r, struct snapshot_table *table, const struct snapshot_header *header) {
    uint32_t next = 0, removal = 0, count = bits_read_gamma(r) - 1;
    if (r->overflow || count > table->slots_max) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < count; i++) {
        struct snapshot_change *change = &table->changes[i];
        if (read_slot(r, table, &next) != 0) return MARCH_ERR_INVALID;
        change->slot = (uint16_t)(next - 1);
        while (removal < table->removal_count && table->removals[removal] < change->slot) removal++;
        if (removal < table->removal_count && table->removals[removal] == change->slot) return MARCH_ERR_INVALID;
        if (read_update(r, table, change, header) != 0 || r->overflow) return MARCH_ERR_INVALID;
    }
    table->change_count = count;
    return 0;
}

/* What is left must be padding: less than a byte, zero. */
static bool at_end(const struct bit_reader *r) {
    return !r->overflow && r->next_byte == r->len_bytes && r->scratch_bits < 8 && r->scratch == 0;
}

static void apply_change(struct snapshot_table *table, const struct snapshot_change *change) {
    struct snapshot_slot *slot = &table->slots[change->slot];
    if (slot->id != change->id) empty_slot(slot);
    slot->id = change->id;
    slot->known |= (uint16_t)(1u << change->version);
    slot->newest = change->version;
    slot->states[change->version] = change->state;
    if (change->slot >= table->slots_used) table->slots_used = change->slot + 1u;
}

static int read_body(struct bit_reader *r, struct snapshot_table *table, const struct snapshot_header *header) {
    int error = read_removals(r, table);
    if (error == 0) error = read_updates(r, table, header);
    return error == 0 && at_end(r) ? 0 : MARCH_ERR_INVALID;
}

/* A stream's number is more than that of the one before it, modulo 256; not by much less unless it is late. */
static bool stream_is_late(const struct snapshot_table *table, uint8_t stream) {
    uint8_t behind = (uint8_t)(table->header.stream - stream);
    return behind >= 1 && behind <= SNAPSHOT_STREAMS_LATE;
}

int snapshot_table_parse(struct snapshot_table *table, const uint8_t *bytes, size_t len) {
    struct bit_reader r;
    bit_reader_init(&r, bytes, len);
    table->change_count = 0;
    table->removal_count = 0;
    struct snapshot_header header;
    header.stream = (uint8_t)bits_read(&r, 8);
    header.seq = (uint16_t)bits_read(&r, 16);
    header.tick = bits_read(&r, 32);
    header.input_ack = (uint16_t)bits_read(&r, 16);
    if (r.overflow) return MARCH_ERR_INVALID;
    if (table->any && stream_is_late(table, header.stream)) return MARCH_ERR_REPLAY;
    table->fresh = !table->any || header.stream != table->header.stream;
    if (!table->fresh && (int16_t)(header.seq - table->header.seq) <= 0) return MARCH_ERR_REPLAY;
    if (read_body(&r, table, &header) != 0) {
        table->change_count = 0;
        table->removal_count = 0;
        return MARCH_ERR_INVALID;
    }
    table->parsed = header;
    return 0;
}

void snapshot_table_apply(struct snapshot_table *table) {
    if (table->fresh) empty_slots(table);
    for (uint32_t i = 0; i < table->removal_count; i++) empty_slot(&table->slots[table->removals[i]]);
    for (uint32_t i = 0; i < table->change_count; i++) apply_change(table, &table->changes[i]);
    table->header = table->parsed;
    table->any = true;
}

int snapshot_table_read(struct snapshot_table *table, const uint8_t *bytes, size_t len) {
    int error = snapshot_table_parse(table, bytes, len);
    if (error == 0) snapshot_table_apply(table);
    return error;
}
