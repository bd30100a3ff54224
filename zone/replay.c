#include "zone/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

_Static_assert(sizeof(struct wire_instance_order) % 8 == 0 && sizeof(struct wire_instance_wave) % 8 == 0 &&
                   sizeof(struct wire_instance_spot) % 8 == 0 && sizeof(struct wire_instance_member) % 8 == 0,
               "one array after another is aligned");

struct replay {
    FILE *file;
    struct record_header header;
    uint8_t *body;
};

static int read_header(struct replay *replay) {
    uint8_t bytes[RECORD_HEADER_BYTES], magic[8];
    if (fread(bytes, sizeof bytes, 1, replay->file) != 1) return MARCH_ERR_INVALID;
    struct byte_reader r = {.bytes = bytes, .len = sizeof bytes};
    read_bytes(&r, magic, sizeof magic);
    uint64_t version = read_uint(&r, 4);
    replay->header = (struct record_header){.hash_every = (uint32_t)read_uint(&r, 4)};
    replay->header.config_digest = read_uint(&r, 8);
    replay->header.seed = read_uint(&r, 8);
    replay->header.start_tick = read_uint(&r, 8);
    replay->header.zone_index = (uint16_t)read_uint(&r, 2);
    replay->header.incarnation = (uint16_t)read_uint(&r, 2);
    bool sound = memcmp(magic, "MARCHREC", sizeof magic) == 0 && version == RECORD_VERSION && replay->header.hash_every >= 1;
    return sound ? 0 : MARCH_ERR_INVALID;
}

int replay_open(const char *path, struct record_header *header, struct replay **out) {
    *out = NULL;
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay) return MARCH_ERR_SYSTEM;
    replay->file = fopen(path, "rbe");
    replay->body = malloc(RECORD_BODY_MAX);
    int error = replay->file && replay->body ? read_header(replay) : MARCH_ERR_SYSTEM;
    if (error) {
        replay_close(replay);
        return error;
    }
    *header = replay->header;
    *out = replay;
    return 0;
}

void replay_close(struct replay *replay) {
    if (!replay) return;
    if (replay->file) fclose(replay->file);
    free(replay->body);
    free(replay);
}

/* --- events */

static int replay_input(struct sim *sim, uint32_t gateway, uint64_t session, struct byte_reader *r) {
    struct wire_input input = {.session = session};
    input.view_tick = (uint32_t)read_uint(r, 4);
    input.newest_seq = (uint16_t)read_uint(r, 2);
    input.count = (uint8_t)read_uint(r, 1);
    if (input.count < 1 || input.count > WIRE_INPUT_COMMANDS_MAX) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < input.count; i++) {
        input.commands[i].move = (uint8_t)read_uint(r, 1);
        input.commands[i].buttons = (uint8_t)read_uint(r, 1);
        input.commands[i].aim = (uint16_t)read_uint(r, 2);
    }
    if (r->overflow) return MARCH_ERR_INVALID;
    sim_input(sim, gateway, &input);
    return 0;
}

static int replay_message(struct sim *sim, uint32_t gateway, uint64_t session, struct byte_reader *r) {
    size_t len = (size_t)read_uint(r, 2);
    const uint8_t *bytes = byte_reader_claim(r, len);
    if (r->overflow) return MARCH_ERR_INVALID;
    sim_message(sim, gateway, session, bytes, len);
    return 0;
}

static int replay_load(struct sim *sim, struct byte_reader *r) {
    uint32_t think_ticks = (uint32_t)read_uint(r, 4);
    if (r->overflow || think_ticks < 1) return MARCH_ERR_INVALID;
    sim_set_load(sim, (struct sim_load){.snapshot_every = 1, .view_percent = 100, .think_ticks = think_ticks});
    return 0;
}

static int replay_attach(struct sim *sim, uint32_t gateway, uint64_t session, struct byte_reader *r) {
    uint64_t player = read_uint(r, 8), played = read_uint(r, 1);
    struct game_character character = {0};
    if (played) {
        character.x = (int32_t)(uint32_t)read_uint(r, 4);
        character.y = (int32_t)(uint32_t)read_uint(r, 4);
        character.yaw = (uint16_t)read_uint(r, 2);
        character.hit_points = (uint16_t)read_uint(r, 2);
        character.experience = read_uint(r, 8);
    }
    if (r->overflow) return MARCH_ERR_INVALID;
    /* The name of a stream bears on nothing that is hashed. */
    sim_attach(sim, gateway, session, player, 1, played ? &character : NULL);
    return 0;
}

static int replay_effect(struct sim *sim, uint32_t gateway, uint64_t session, struct byte_reader *r) {
    uint32_t kind = (uint32_t)read_uint(r, 4), amount = (uint32_t)read_uint(r, 4);
    if (r->overflow) return MARCH_ERR_INVALID;
    sim_effect(sim, gateway, session, kind, amount);
    return 0;
}

static int32_t read_metres(struct byte_reader *r) {
    return (int32_t)(uint32_t)read_uint(r, 4);
}

static bool rect_is_some(const struct wire_rect *r) {
    const int32_t most = 32767;
    return r->min_x < r->max_x && r->min_y < r->max_y && r->min_x >= -most - 1 && r->min_y >= -most - 1 &&
           r->max_x <= most && r->max_y <= most;
}

static int replay_directory(struct sim *sim, struct byte_reader *r) {
    struct directory d = {.version = read_uint(r, 8), .partition_count = (uint32_t)read_uint(r, 1)};
    if (d.partition_count > WIRE_PARTITIONS_MAX) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < d.partition_count; i++) {
        struct wire_directory_partition *p = &d.partitions[i];
        p->id = (uint32_t)read_uint(r, 4);
        p->owner = (uint32_t)read_uint(r, 4);
        p->former = (uint32_t)read_uint(r, 4);
        p->creatures = (uint32_t)read_uint(r, 4);
        p->epoch = read_uint(r, 8);
        p->respawn = read_uint(r, 8);
        p->rect.min_x = read_metres(r);
        p->rect.min_y = read_metres(r);
        p->rect.max_x = read_metres(r);
        p->rect.max_y = read_metres(r);
        if (r->overflow || !rect_is_some(&p->rect)) return MARCH_ERR_INVALID;
    }
    return r->overflow ? MARCH_ERR_INVALID : sim_set_directory(sim, &d);
}

/* Structs are copied out, for they may stand at any alignment. */
static int replay_items(struct byte_reader *r, void *items, size_t size, uint32_t count) {
    const uint8_t *bytes = byte_reader_claim(r, size * count);
    if (r->overflow) return MARCH_ERR_INVALID;
    if (count > 0) memcpy(items, bytes, size * count);
    return 0;
}

static bool is_other_slot(const struct sim *sim, uint32_t slot) {
    return slot < WIRE_WORKERS_MAX && slot != sim_territory(sim)->slot;
}

/* The items of a batch, of each kind as many as there may be. */
struct peer_items {
    struct wire_ghost ghosts[WIRE_PEER_GHOSTS_MAX];
    struct wire_ghost_gone gone[WIRE_PEER_ITEMS_MAX];
    struct wire_hit hits[WIRE_PEER_ITEMS_MAX];
    struct wire_outcome outcomes[WIRE_PEER_ITEMS_MAX];
    struct wire_carried_creature creatures[WIRE_PEER_ITEMS_MAX];
    struct wire_creature_taken taken[WIRE_PEER_ITEMS_MAX];
    struct wire_carried_instance instances[WIRE_PEER_INSTANCES_MAX];
    struct wire_carried_member members[WIRE_PEER_ITEMS_MAX];
    struct wire_instance_taken instances_taken[WIRE_PEER_INSTANCES_MAX];
};

/* read_count reads how many items there are of a kind; false where there may not be so many. */
static bool read_count(struct byte_reader *r, uint32_t most, uint32_t *count) {
    *count = (uint32_t)read_uint(r, 2);
    return *count <= most;
}

static bool members_are_there(const struct wire_peer_batch *b) {
    for (uint32_t i = 0; i < b->instance_count; i++) {
        const struct wire_carried_instance *n = &b->instances[i];
        if (n->first_member > b->member_count || n->member_count > b->member_count - n->first_member) return false;
    }
    return true;
}

static int replay_peer(struct sim *sim, struct byte_reader *r) {
    static _Thread_local struct peer_items items;
    uint32_t slot = (uint32_t)read_uint(r, 1);
    struct wire_peer_batch b = {.tick = read_uint(r, 8),
                                .ghosts = items.ghosts,
                                .gone = items.gone,
                                .hits = items.hits,
                                .outcomes = items.outcomes,
                                .creatures = items.creatures,
                                .taken = items.taken,
                                .instances = items.instances,
                                .members = items.members,
                                .instances_taken = items.instances_taken};
    b.reset = read_uint(r, 1) != 0;
    const uint32_t most = WIRE_PEER_ITEMS_MAX;
    bool fits = read_count(r, WIRE_PEER_GHOSTS_MAX, &b.ghost_count) && read_count(r, most, &b.gone_count) &&
                read_count(r, most, &b.hit_count) && read_count(r, most, &b.outcome_count) &&
                read_count(r, most, &b.creature_count) && read_count(r, most, &b.taken_count) &&
                read_count(r, WIRE_PEER_INSTANCES_MAX, &b.instance_count) && read_count(r, most, &b.member_count) &&
                read_count(r, WIRE_PEER_INSTANCES_MAX, &b.instance_taken_count);
    if (!fits || !is_other_slot(sim, slot)) return MARCH_ERR_INVALID;
    int error = replay_items(r, items.ghosts, sizeof *items.ghosts, b.ghost_count);
    if (!error) error = replay_items(r, items.gone, sizeof *items.gone, b.gone_count);
    if (!error) error = replay_items(r, items.hits, sizeof *items.hits, b.hit_count);
    if (!error) error = replay_items(r, items.outcomes, sizeof *items.outcomes, b.outcome_count);
    if (!error) error = replay_items(r, items.creatures, sizeof *items.creatures, b.creature_count);
    if (!error) error = replay_items(r, items.taken, sizeof *items.taken, b.taken_count);
    if (!error) error = replay_items(r, items.instances, sizeof *items.instances, b.instance_count);
    if (!error) error = replay_items(r, items.members, sizeof *items.members, b.member_count);
    if (!error) error = replay_items(r, items.instances_taken, sizeof *items.instances_taken, b.instance_taken_count);
    if (!error && !members_are_there(&b)) error = MARCH_ERR_INVALID;
    if (!error) sim_peer_take(sim, slot, &b);
    return error;
}

/* A peer that comes, goes or is dead. */
static int replay_peer_link(struct sim *sim, uint64_t type, struct byte_reader *r) {
    uint32_t slot = (uint32_t)read_uint(r, 1);
    bool is_same = type == RECORD_EVENT_PEER_UP && read_uint(r, 1) != 0;
    if (r->overflow || !is_other_slot(sim, slot)) return MARCH_ERR_INVALID;
    if (type == RECORD_EVENT_PEER_UP) sim_peer_up(sim, slot, is_same);
    if (type == RECORD_EVENT_PEER_LOST) sim_peer_lost(sim, slot);
    if (type == RECORD_EVENT_PEER_DEAD) sim_peer_dead(sim, slot);
    return 0;
}

/* --- players that travel. A slot that nobody has is no event of a sound recording. */

static int replay_arrive(struct sim *sim, struct byte_reader *r) {
    struct wire_carried carried;
    uint32_t slot, gateway = (uint32_t)read_uint(r, 1);
    int error = replay_items(r, &carried, sizeof carried, 1);
    if (error) return error;
    if (gateway == UINT8_MAX) gateway = SIM_GATEWAY_NONE;
    bool has_gateway = gateway < sim_gateways(sim) || gateway == SIM_GATEWAY_NONE;
    if (!has_gateway || carried.input_count > WIRE_CARRIED_INPUTS_MAX) return MARCH_ERR_INVALID;
    int refused = sim_import(sim, gateway, &carried, &slot); /* now as it was then */
    return refused == MARCH_ERR_SYSTEM ? refused : 0;
}

static int replay_depart(struct sim *sim, struct byte_reader *r) {
    struct wire_carried carried;
    uint32_t slot = (uint32_t)read_uint(r, 2), target = (uint32_t)read_uint(r, 1);
    if (r->overflow || !sim_is_seated(sim, slot) || !is_other_slot(sim, target)) return MARCH_ERR_INVALID;
    sim_export(sim, slot, target, &carried);
    return 0;
}

static int replay_orphan(struct sim *sim, struct byte_reader *r) {
    uint32_t gateway = (uint32_t)read_uint(r, 1);
    if (r->overflow || gateway >= sim_gateways(sim)) return MARCH_ERR_INVALID;
    sim_orphan(sim, gateway);
    return 0;
}

static int replay_remove(struct sim *sim, struct byte_reader *r) {
    uint32_t slot = (uint32_t)read_uint(r, 2);
    if (r->overflow || !sim_is_seated(sim, slot)) return MARCH_ERR_INVALID;
    sim_remove(sim, slot, true);
    return 0;
}

static int replay_rebind(struct sim *sim, struct byte_reader *r) {
    uint32_t slot = (uint32_t)read_uint(r, 2), gateway = (uint32_t)read_uint(r, 1);
    uint64_t session = read_uint(r, 8);
    uint32_t attachment = (uint32_t)read_uint(r, 4);
    if (r->overflow || gateway >= sim_gateways(sim) || !sim_is_seated(sim, slot)) return MARCH_ERR_INVALID;
    (void)sim_rebind(sim, slot, gateway, session, attachment);
    return 0;
}

static int replay_vanish(struct sim *sim, struct byte_reader *r) {
    uint64_t entity = read_uint(r, 8);
    if (r->overflow) return MARCH_ERR_INVALID;
    sim_vanish(sim, entity);
    return 0;
}

static int replay_gone(struct sim *sim, struct byte_reader *r) {
    uint64_t entity = read_uint(r, 8);
    if (r->overflow) return MARCH_ERR_INVALID;
    sim_gone(sim, entity);
    return 0;
}

/* --- instances */

static bool is_range(uint32_t first, uint32_t count, uint32_t most, uint32_t total) {
    return count <= most && first <= total && count <= total - first;
}

static bool order_is_sound(const struct wire_instance_orders *all, const struct wire_instance_order *o) {
    return is_range(o->first_wave, o->wave_count, WIRE_INSTANCE_WAVES_MAX, all->wave_count) &&
           is_range(o->first_spot, o->spot_count, WIRE_INSTANCE_SPOTS_MAX, all->spot_count) &&
           is_range(o->first_box, o->box_count, WIRE_INSTANCE_BOXES_MAX, all->box_count) &&
           is_range(o->first_member, o->member_count, WIRE_INSTANCE_PLAYERS_MAX, all->member_count);
}

/* The arrays are copied out as one, for they may stand at any alignment. */
static int replay_orders(struct sim *sim, struct byte_reader *r) {
    struct wire_instance_orders o = {.is_complete = read_uint(r, 1) != 0, .instance_count = (uint32_t)read_uint(r, 4)};
    o.wave_count = (uint32_t)read_uint(r, 4);
    o.spot_count = (uint32_t)read_uint(r, 4);
    o.box_count = (uint32_t)read_uint(r, 4);
    o.member_count = (uint32_t)read_uint(r, 4);
    o.travel_count = (uint32_t)read_uint(r, 4);
    size_t waves = o.instance_count * sizeof *o.instances, spots = waves + o.wave_count * sizeof *o.waves,
           boxes = spots + o.spot_count * sizeof *o.spots, members = boxes + o.box_count * sizeof *o.boxes,
           travels = members + o.member_count * sizeof *o.members,
           len = travels + o.travel_count * sizeof *o.travels; /* where each array begins */
    const uint8_t *bytes = byte_reader_claim(r, len);
    if (r->overflow) return MARCH_ERR_INVALID;
    uint8_t *items = malloc(len + 1);
    if (!items) return MARCH_ERR_SYSTEM;
    memcpy(items, bytes, len);
    o.instances = (const void *)items;
    o.waves = (const void *)(items + waves);
    o.spots = (const void *)(items + spots);
    o.boxes = (const void *)(items + boxes);
    o.members = (const void *)(items + members);
    o.travels = (const void *)(items + travels);
    bool is_sound = o.instance_count <= WIRE_INSTANCES_MAX;
    for (uint32_t i = 0; is_sound && i < o.instance_count; i++) is_sound = order_is_sound(&o, &o.instances[i]);
    if (is_sound) sim_instance_orders(sim, &o);
    free(items);
    return is_sound ? 0 : MARCH_ERR_INVALID;
}

static int replay_pace(struct sim *sim, struct byte_reader *r) {
    uint32_t instance = (uint32_t)read_uint(r, 4), pace = (uint32_t)read_uint(r, 1);
    return !r->overflow && sim_instance_pace(sim, instance, pace) ? 0 : MARCH_ERR_INVALID;
}

static int replay_event(struct sim *sim, uint32_t gateways_max, struct byte_reader *r) {
    uint64_t type = read_uint(r, 1);
    if (type == RECORD_EVENT_LOAD) return replay_load(sim, r);
    if (type == RECORD_EVENT_DIRECTORY) return replay_directory(sim, r);
    if (type == RECORD_EVENT_PEER) return replay_peer(sim, r);
    if (type == RECORD_EVENT_ARRIVE) return replay_arrive(sim, r);
    if (type == RECORD_EVENT_DEPART) return replay_depart(sim, r);
    if (type == RECORD_EVENT_ORPHAN) return replay_orphan(sim, r);
    if (type == RECORD_EVENT_REMOVE) return replay_remove(sim, r);
    if (type == RECORD_EVENT_REBIND) return replay_rebind(sim, r);
    if (type == RECORD_EVENT_VANISH) return replay_vanish(sim, r);
    if (type == RECORD_EVENT_GONE) return replay_gone(sim, r);
    if (type == RECORD_EVENT_ORDERS) return replay_orders(sim, r);
    if (type == RECORD_EVENT_PACE) return replay_pace(sim, r);
    if (type == RECORD_EVENT_ORDERS_RENEWED) {
        sim_instances_renew(sim);
        return 0;
    }
    if (type >= RECORD_EVENT_PEER_LOST && type <= RECORD_EVENT_PEER_DEAD) return replay_peer_link(sim, type, r);
    uint32_t gateway = (uint32_t)read_uint(r, 1);
    uint64_t session = read_uint(r, 8);
    if (r->overflow || gateway >= gateways_max) return MARCH_ERR_INVALID;
    if (type == RECORD_EVENT_INPUT) return replay_input(sim, gateway, session, r);
    if (type == RECORD_EVENT_MESSAGE) return replay_message(sim, gateway, session, r);
    if (type == RECORD_EVENT_ATTACH) return replay_attach(sim, gateway, session, r);
    if (type == RECORD_EVENT_EFFECT) return replay_effect(sim, gateway, session, r);
    if (type != RECORD_EVENT_DETACH && type != RECORD_EVENT_CUT) return MARCH_ERR_INVALID;
    if (type == RECORD_EVENT_DETACH) sim_detach(sim, gateway, session);
    if (type == RECORD_EVENT_CUT) sim_cut(sim, gateway, session);
    return 0;
}

int replay_block(struct sim *sim, uint32_t gateways_max, const uint8_t *body, size_t len, uint64_t last_tick,
                 struct replay_result *result) {
    struct byte_reader r = {.bytes = body, .len = len};
    uint64_t tick = read_uint(&r, 8), hash = read_uint(&r, 8), hashed = read_uint(&r, 1);
    if (r.overflow || tick <= last_tick) return MARCH_ERR_INVALID;
    while (r.next < r.len) {
        int error = replay_event(sim, gateways_max, &r);
        if (error) return error;
    }
    sim_tick(sim, tick);
    sim_looked(sim);
    for (uint32_t g = 0; g < gateways_max; g++) output_clear(sim_output(sim, g));
    result->ticks++;
    if (!hashed) return 0;
    result->hashes++;
    uint64_t actual = sim_hash(sim);
    if (actual == hash) return 0;
    result->differs = true;
    result->differs_tick = tick;
    result->expected_hash = hash;
    result->hash = actual;
    return 0;
}

/* Reads the next block's body; 0 bytes at the end of the file. */
static int read_block(struct replay *replay, size_t *len, struct replay_result *result) {
    uint8_t head[RECORD_BLOCK_HEADER];
    *len = 0;
    size_t got = fread(head, 1, sizeof head, replay->file);
    result->truncated = got > 0 && got < sizeof head;
    if (got < sizeof head) return ferror(replay->file) ? MARCH_ERR_SYSTEM : 0;
    size_t body_len = (size_t)load_le(head, 4);
    if (body_len < RECORD_BODY_MIN || body_len > RECORD_BODY_MAX) return MARCH_ERR_INVALID;
    if (fread(replay->body, 1, body_len, replay->file) < body_len) {
        result->truncated = true;
        return ferror(replay->file) ? MARCH_ERR_SYSTEM : 0;
    }
    if (record_check(replay->body, body_len) != load_le(head + 4, 4)) return MARCH_ERR_INVALID;
    *len = body_len;
    return 0;
}

int replay_run(struct replay *replay, struct sim *sim, struct replay_result *result) {
    *result = (struct replay_result){.bad_offset = RECORD_HEADER_BYTES};
    uint64_t last_tick = replay->header.start_tick;
    uint32_t gateways_max = sim_gateways(sim);
    while (!result->differs) {
        size_t len;
        int error = read_block(replay, &len, result);
        if (error || len == 0) return error;
        error = replay_block(sim, gateways_max, replay->body, len, last_tick, result);
        if (error) return error;
        last_tick = load_le(replay->body, 8);
        result->bad_offset += RECORD_BLOCK_HEADER + len;
    }
    return 0;
}
