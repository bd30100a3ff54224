/* instances_table.c: instances, members, cells and travels: kept, counted, found. */
#include <string.h>

#include "common/check.h"
#include "matchmaker/instances_inner.h"

/* --- blocks and cells */

uint64_t *instances_cell(const struct instances *i, uint32_t block, uint32_t cell) {
    return &i->cells[(size_t)block * i->config.cells.per_block + cell];
}

uint32_t instances_block(struct instances *i, uint32_t id) {
    for (uint32_t n = 0; n < i->block_count; n++)
        if (i->blocks[n].id == id) return n;
    if (i->block_count == CONFIG_BLOCKS_MAX) return INSTANCES_NONE;
    i->blocks[i->block_count] = (struct instances_block){.id = id, .owner = {.slot = WIRE_SLOT_NONE}};
    return i->block_count++;
}

/* load_of returns what a zone has in all its blocks. */
static uint64_t load_of(const struct instances *i, uint32_t slot) {
    uint64_t load = 0;
    for (uint32_t n = 0; n < i->block_count; n++)
        if (i->blocks[n].owner.slot == slot) load += i->blocks[n].load;
    return load;
}

/* free_cell returns the next one after the newest that was taken, so that each rests as long as can be. */
static uint32_t free_cell(const struct instances *i, uint32_t block) {
    uint32_t per_block = i->config.cells.per_block;
    for (uint32_t n = 0; n < per_block; n++) {
        uint32_t cell = (i->blocks[block].next_cell + n) % per_block;
        if (*instances_cell(i, block, cell) <= i->now.ns) return cell;
    }
    return INSTANCES_NONE;
}

/* takes_instances tells whether a block's zone is there, and may get more. */
static bool takes_instances(const struct instances *i, const struct instances_block *b) {
    if (!b->is_listed || b->owner.incarnation == 0) return false;
    const struct instances_slot *s = &i->slots[b->owner.slot];
    bool is_there = s->is_up && s->incarnation == b->owner.incarnation;
    return is_there && !s->is_draining && s->busy < INSTANCES_BUSY_MAX;
}

uint32_t instances_cells_free(const struct instances *i) {
    uint32_t count = 0;
    for (uint32_t b = 0; b < i->block_count; b++)
        for (uint32_t cell = 0; takes_instances(i, &i->blocks[b]) && cell < i->config.cells.per_block; cell++)
            count += *instances_cell(i, b, cell) <= i->now.ns;
    return count;
}

bool instances_has_room(const struct instances *i) {
    for (uint32_t b = 0; b < i->block_count; b++)
        if (takes_instances(i, &i->blocks[b]) && free_cell(i, b) != INSTANCES_NONE) return true;
    return false;
}

/* What speaks against a block; the first that differs decides. */
struct weight {
    uint32_t distance, busy;
    uint64_t zone_load, load;
};

static struct weight weight_of(const struct instances *i, const struct instances_block *b, uint32_t region) {
    const struct instances_slot *s = &i->slots[b->owner.slot];
    uint32_t its = i->config.regions[b->owner.slot];
    bool is_near = region == its || region == INSTANCES_ANYWHERE;
    return (struct weight){.distance = is_near                     ? 0
                                       : its == INSTANCES_ANYWHERE ? 1
                                                                   : 2,
                           .busy = (s->busy + s->placed / INSTANCES_LOAD_BUSY) / INSTANCES_BUSY_STEP,
                           .zone_load = load_of(i, b->owner.slot),
                           .load = b->load};
}

static bool is_lighter(const struct weight *a, const struct weight *b) {
    if (a->distance != b->distance) return a->distance < b->distance;
    if (a->busy != b->busy) return a->busy < b->busy;
    if (a->zone_load != b->zone_load) return a->zone_load < b->zone_load;
    return a->load < b->load;
}

bool instances_take_cell(const struct instances *i, uint32_t region, uint32_t *block, uint32_t *cell) {
    struct weight least = {0};
    *block = INSTANCES_NONE;
    for (uint32_t n = 0; n < i->block_count; n++) {
        const struct instances_block *b = &i->blocks[n];
        if (!takes_instances(i, b)) continue;
        struct weight weight = weight_of(i, b, region);
        if (*block != INSTANCES_NONE && !is_lighter(&weight, &least)) continue;
        uint32_t found = free_cell(i, n);
        if (found == INSTANCES_NONE) continue;
        least = weight;
        *block = n;
        *cell = found;
    }
    return *block != INSTANCES_NONE;
}

void instances_placed(struct instances *i, uint32_t index) {
    const struct instance *n = instances_at(i, index);
    i->slots[i->blocks[n->block].owner.slot].placed += n->load;
}

void instances_placed_step(struct instances *i) {
    for (; i->now.ns - i->halved_ns >= INSTANCES_PLACED_MS * NS_PER_MS; i->halved_ns += INSTANCES_PLACED_MS * NS_PER_MS) {
        uint32_t left = 0;
        for (uint32_t slot = 0; slot < WIRE_WORKERS_MAX; slot++) left += i->slots[slot].placed /= 2;
        if (left > 0) continue;
        i->halved_ns = i->now.ns;
        break;
    }
}

/* --- instances */

uint32_t instances_find(const struct instances *i, uint32_t id) {
    return id == 0 ? INSTANCES_NONE : player_map_find(&i->by_id, id);
}

uint32_t instances_new(struct instances *i, uint32_t id, uint32_t block, uint32_t cell) {
    struct handle handle = pool_take(&i->pool);
    if (handle_is_null(handle)) return INSTANCES_NONE;
    uint32_t index = handle.index;
    *instances_at(i, index) = (struct instance){.id = id,
                                                .live = pool_count(&i->pool) - 1,
                                                .block = block,
                                                .cell = cell,
                                                .version = 1,
                                                .life = {.slot = WIRE_SLOT_NONE}};
    i->live[pool_count(&i->pool) - 1] = index;
    i->wants_step[index] = i->wants_order[index] = true;
    player_map_add(&i->by_id, id, index);
    *instances_cell(i, block, cell) = INSTANCES_CELL_TAKEN;
    i->blocks[block].next_cell = cell + 1;
    i->blocks[block].instances++;
    return index;
}

void instances_free(struct instances *i, uint32_t index) {
    struct instance *n = instances_at(i, index);
    while (n->member_count > 0) instances_member_remove(i, index * WIRE_INSTANCE_PLAYERS_MAX + n->member_count - 1);
    struct instances_block *b = &i->blocks[n->block];
    b->instances--;
    b->load -= n->load;
    *instances_cell(i, n->block, n->cell) = i->now.ns + INSTANCES_REST_MS * NS_PER_MS;
    player_map_remove(&i->by_id, n->id);
    uint32_t last = i->live[pool_count(&i->pool) - 1];
    i->live[n->live] = last;
    instances_at(i, last)->live = n->live;
    i->wants_step[index] = i->wants_order[index] = false;
    pool_give(&i->pool, pool_handle(&i->pool, index));
}

void instances_load(struct instances *i, uint32_t index) {
    struct instance *n = instances_at(i, index);
    uint32_t creatures = 0;
    for (uint32_t w = 0; w < n->template.wave_count; w++)
        if (n->template.waves[w].creatures > creatures) creatures = n->template.waves[w].creatures;
    i->blocks[n->block].load -= n->load;
    n->load = 1 + n->member_count + creatures;
    i->blocks[n->block].load += n->load;
}

/* --- members */

void instances_member_add(struct instances *i, uint32_t index, uint64_t player, uint32_t team) {
    struct instance *n = instances_at(i, index);
    CHECK(n->member_count < WIRE_INSTANCE_PLAYERS_MAX);
    uint32_t member = index * WIRE_INSTANCE_PLAYERS_MAX + n->member_count++;
    i->members[member] = (struct instance_member){.player = player, .team = team};
    i->places[member] = (struct instances_place){.slot = WIRE_SLOT_NONE, .next = INSTANCES_NONE, .previous = INSTANCES_NONE};
    player_map_add(&i->member, player, member);
}

static void travel_stop(struct instances *i, uint32_t member) {
    struct instances_place *p = &i->places[member];
    if (p->travel == 0) return;
    uint32_t last = i->travels[--i->travel_count];
    i->travels[p->travel - 1] = last;
    i->places[last].travel = p->travel;
    p->travel = 0;
}

static void unlink_present(struct instances *i, uint32_t member) {
    struct instances_place *p = &i->places[member];
    if (p->slot == WIRE_SLOT_NONE) return;
    if (p->next != INSTANCES_NONE) i->places[p->next].previous = p->previous;
    if (p->previous != INSTANCES_NONE) {
        i->places[p->previous].next = p->next;
    } else {
        i->slots[p->slot].present = p->next;
    }
    p->slot = WIRE_SLOT_NONE;
}

static void link_present(struct instances *i, uint32_t member, uint32_t slot) {
    struct instances_place *p = &i->places[member];
    p->slot = slot;
    p->previous = INSTANCES_NONE;
    p->next = i->slots[slot].present;
    if (p->next != INSTANCES_NONE) i->places[p->next].previous = member;
    i->slots[slot].present = member;
}

void instances_present(struct instances *i, uint32_t member, uint32_t slot) {
    if (i->places[member].slot == slot) return;
    unlink_present(i, member);
    if (slot != WIRE_SLOT_NONE) link_present(i, member, slot);
    i->members[member].is_present = slot != WIRE_SLOT_NONE;
}

/* instances_member_remove has the last member of the instance take the place of the one that goes. */
void instances_member_remove(struct instances *i, uint32_t member) {
    uint32_t index = member / WIRE_INSTANCE_PLAYERS_MAX;
    struct instance *n = instances_at(i, index);
    uint32_t last = index * WIRE_INSTANCE_PLAYERS_MAX + --n->member_count;
    travel_stop(i, member);
    unlink_present(i, member);
    player_map_remove(&i->member, i->members[member].player);
    if (member == last) return;
    uint32_t slot = i->places[last].slot;
    unlink_present(i, last);
    player_map_remove(&i->member, i->members[last].player);
    i->members[member] = i->members[last];
    i->places[member] = i->places[last];
    player_map_add(&i->member, i->members[member].player, member);
    if (slot != WIRE_SLOT_NONE) link_present(i, member, slot);
    if (i->places[member].travel != 0) i->travels[i->places[member].travel - 1] = member;
    i->places[last].travel = 0;
}

/* --- travels */

void instances_travel(struct instances *i, uint32_t member) {
    const struct instance *n = instances_at(i, member / WIRE_INSTANCE_PLAYERS_MAX);
    const struct instance_member *m = &i->members[member];
    struct instances_place *p = &i->places[member];
    bool is_wanted = n->stage == INSTANCE_RUNNING && n->is_reported && !m->is_present && !(m->flags & WIRE_PRESENCE_OUT);
    if (is_wanted == (p->travel != 0)) return;
    if (!is_wanted) {
        travel_stop(i, member);
        return;
    }
    i->travels[i->travel_count++] = member;
    p->travel = i->travel_count;
    p->opened = ++i->travel_serial;
    i->stats.travels++;
}

void instances_travel_all(struct instances *i, uint32_t index) {
    for (uint32_t k = 0; k < instances_at(i, index)->member_count; k++)
        instances_travel(i, index * WIRE_INSTANCE_PLAYERS_MAX + k);
}
