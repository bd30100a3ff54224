/* instances.c: what is asked: launches, joins, ends; and what is seen. See instances.h. */
#include "matchmaker/instances.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "matchmaker/instances_inner.h"

_Static_assert(INSTANCES_MEMBERS_MAX <= INSTANCES_MAX * WIRE_INSTANCE_PLAYERS_MAX, "each member has a place");

static int create_tables(struct instances *i) {
    size_t places = (size_t)INSTANCES_MAX * WIRE_INSTANCE_PLAYERS_MAX; /* what is not used is not touched */
    size_t cells = (size_t)CONFIG_BLOCKS_MAX * i->config.cells.per_block;
    i->live = calloc(INSTANCES_MAX, sizeof *i->live);
    i->wants_step = calloc(INSTANCES_MAX, sizeof *i->wants_step);
    i->wants_order = calloc(INSTANCES_MAX, sizeof *i->wants_order);
    i->members = calloc(places, sizeof *i->members);
    i->places = calloc(places, sizeof *i->places);
    i->travels = calloc(INSTANCES_MEMBERS_MAX, sizeof *i->travels);
    i->cells = calloc(cells + 1, sizeof *i->cells);
    int error = pool_init(&i->pool, INSTANCES_MAX, sizeof(struct instance));
    if (!error) error = player_map_create(&i->by_id, INSTANCES_MAX, i->config.seed);
    if (!error) error = player_map_create(&i->member, INSTANCES_MEMBERS_MAX, i->config.seed);
    if (error) return error;
    bool is_whole = i->live && i->wants_step && i->wants_order && i->members && i->places && i->travels && i->cells;
    return is_whole ? 0 : MARCH_ERR_SYSTEM;
}

int instances_create(struct instances **out, const struct instances_config *config) {
    *out = NULL;
    struct instances *i = calloc(1, sizeof *i);
    if (!i) return MARCH_ERR_SYSTEM;
    i->config = *config;
    i->next_id = 1;
    i->message.slot = WIRE_SLOT_NONE;
    for (uint32_t slot = 0; slot < WIRE_WORKERS_MAX; slot++) i->slots[slot].present = INSTANCES_NONE;
    if (create_tables(i)) {
        instances_destroy(i);
        return MARCH_ERR_SYSTEM;
    }
    *out = i;
    return 0;
}

void instances_destroy(struct instances *i) {
    if (!i) return;
    player_map_destroy(&i->member);
    player_map_destroy(&i->by_id);
    pool_deinit(&i->pool);
    free(i->cells);
    free(i->travels);
    free(i->places);
    free(i->members);
    free(i->wants_order);
    free(i->wants_step);
    free(i->live);
    free(i);
}

/* --- launching */

/* check_members looks at those that are to be members of an instance. */
static int check_members(const struct instances *i, const struct wire_instance_member *members, uint32_t count,
                         uint32_t team_count) {
    for (uint32_t k = 0; k < count; k++) {
        if (members[k].player == 0 || members[k].team >= team_count) return MARCH_ERR_INVALID;
        for (uint32_t other = 0; other < k; other++)
            if (members[other].player == members[k].player) return MARCH_ERR_INVALID;
    }
    for (uint32_t k = 0; k < count; k++)
        if (player_map_find(&i->member, members[k].player) != PLAYER_MAP_NONE) return MARCH_ERR_EXISTS;
    return count <= i->member.count_max - i->member.count ? 0 : MARCH_ERR_FULL;
}

static int check_launch(const struct instances *i, const struct instances_launch *launch) {
    const struct template *t = launch->template;
    bool is_sound = t->capacity <= TEMPLATE_CAPACITY_MAX && launch->member_count <= t->capacity &&
                    t->wave_count <= WIRE_INSTANCE_WAVES_MAX && t->spot_count <= WIRE_INSTANCE_SPOTS_MAX &&
                    launch->team_count >= 1 && launch->team_count <= WIRE_TEAMS_MAX &&
                    launch->note_len <= INSTANCES_NOTE_MAX;
    if (!is_sound) return MARCH_ERR_INVALID;
    if (i->config.cells.per_block > 0 && t->side_m > (uint32_t)i->config.cells.side_m) return MARCH_ERR_INVALID;
    return check_members(i, launch->members, launch->member_count, launch->team_count);
}

/* take_id reserves ids ahead of those that are given out. That is put before the document of the instance, so an instance
 * that survives has an id that is never given again. */
static int take_id(struct instances *i, uint32_t *id) {
    if (i->next_id > UINT32_MAX - INSTANCES_IDS) return MARCH_ERR_FULL;
    if (i->next_id >= i->ids_end && instances_reserve_ids(i, i->next_id + INSTANCES_IDS)) return MARCH_ERR_FULL;
    *id = i->next_id++;
    return 0;
}

static uint64_t mix(uint64_t value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
    return value ^ value >> 31;
}

static void fill_in(struct instances *i, uint32_t index, const struct instances_launch *launch, uint64_t wall_ms) {
    struct instance *n = instances_at(i, index);
    n->template = *launch->template;
    template_scale(&n->template, launch->member_count);
    n->seed = mix(i->config.seed + n->id);
    n->team_count = launch->team_count;
    n->started_ms = wall_ms;
    if (n->template.time_limit_s > 0) n->ends_at_ms = wall_ms + n->template.time_limit_s * 1000ULL;
    n->note_len = launch->note_len;
    if (n->note_len > 0) memcpy(n->note, launch->note, n->note_len);
    for (uint32_t k = 0; k < launch->member_count; k++)
        instances_member_add(i, index, launch->members[k].player, launch->members[k].team);
    instances_load(i, index);
}

int instances_launch(struct instances *i, const struct instances_launch *launch, struct mono now, uint64_t wall_ms,
                     uint32_t *id) {
    uint32_t block, cell;
    i->now = now;
    int error = check_launch(i, launch);
    if (error) return error;
    if (pool_count(&i->pool) == INSTANCES_MAX || !instances_take_cell(i, launch->region, &block, &cell))
        return MARCH_ERR_FULL;
    if (take_id(i, id)) return MARCH_ERR_FULL;
    uint32_t index = instances_new(i, *id, block, cell);
    fill_in(i, index, launch, wall_ms);
    instances_put(i, index);
    if (instances_at(i, index)->needs_put) {
        instances_free(i, index);
        *instances_cell(i, block, cell) = 0; /* nobody was told of it */
        return MARCH_ERR_FULL;
    }
    instances_placed(i, index);
    i->stats.launched++;
    return 0;
}

/* --- changing */

/* running returns the index of an instance that is not over. */
static uint32_t running(const struct instances *i, uint32_t id) {
    uint32_t index = instances_find(i, id);
    if (index == INSTANCES_NONE || instances_at(i, index)->stage == INSTANCE_OVER) return INSTANCES_NONE;
    return index;
}

int instances_join(struct instances *i, uint32_t id, const struct wire_instance_member *members, uint32_t count,
                   struct mono now) {
    i->now = now;
    uint32_t index = running(i, id);
    if (index == INSTANCES_NONE) return MARCH_ERR_NOT_FOUND;
    struct instance *n = instances_at(i, index);
    if (count > n->template.capacity - n->member_count) return MARCH_ERR_INVALID;
    int error = check_members(i, members, count, n->team_count);
    if (error) return error;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t member = index * WIRE_INSTANCE_PLAYERS_MAX + n->member_count;
        instances_member_add(i, index, members[k].player, members[k].team);
        i->places[member].until_ns = mono_add_ms(now, INSTANCES_TRAVEL_MS).ns;
    }
    instances_change(i, index);
    if (n->needs_put) { /* that they left where they waited would survive, that they are here would not */
        while (count-- > 0) instances_member_remove(i, index * WIRE_INSTANCE_PLAYERS_MAX + n->member_count - 1);
        return MARCH_ERR_FULL;
    }
    instances_load(i, index);
    return 0;
}

int instances_leave(struct instances *i, uint32_t id, uint64_t player) {
    uint32_t index = running(i, id), member = player == 0 ? PLAYER_MAP_NONE : player_map_find(&i->member, player);
    if (index == INSTANCES_NONE || member == PLAYER_MAP_NONE || member / WIRE_INSTANCE_PLAYERS_MAX != index)
        return MARCH_ERR_NOT_FOUND;
    instances_member_remove(i, member);
    instances_load(i, index);
    instances_change(i, index);
    return 0;
}

int instances_end(struct instances *i, uint32_t id) {
    uint32_t index = running(i, id);
    if (index == INSTANCES_NONE) return MARCH_ERR_NOT_FOUND;
    instances_finish(i, index, INSTANCE_END_ORDERED);
    return 0;
}

void instances_close(struct instances *i, uint32_t id) {
    uint32_t index = instances_find(i, id);
    if (index == INSTANCES_NONE || instances_at(i, index)->stage != INSTANCE_OVER) return;
    instances_at(i, index)->is_closed = true;
    i->wants_step[index] = true;
}

int instances_release(struct instances *i, uint32_t id) {
    uint32_t index = instances_find(i, id);
    if (index == INSTANCES_NONE || instances_at(i, index)->stage != INSTANCE_OVER) return MARCH_ERR_NOT_FOUND;
    struct instance *n = instances_at(i, index);
    uint32_t count = n->member_count;
    n->member_count = 0;
    instances_put(i, index); /* before that of any other that they may be members of */
    n->member_count = count;
    if (n->needs_put) return MARCH_ERR_FULL;
    while (n->member_count > 0) instances_member_remove(i, index * WIRE_INSTANCE_PLAYERS_MAX + n->member_count - 1);
    return 0;
}

/* --- looking in */

static void view_of(const struct instances *i, uint32_t index, struct instance_view *view) {
    const struct instance *n = instances_at(i, index);
    *view = (struct instance_view){.id = n->id,
                                   .stage = n->stage,
                                   .end = n->end,
                                   .template = &n->template,
                                   .block = i->blocks[n->block].id,
                                   .cell = n->cell,
                                   .slot = i->blocks[n->block].owner.slot,
                                   .goal = n->goal,
                                   .wave = n->wave,
                                   .creatures = n->creatures,
                                   .slowed = n->slowed,
                                   .players = n->players,
                                   .restarts = n->restarts,
                                   .team_count = n->team_count,
                                   .member_count = n->member_count,
                                   .members = &i->members[index * WIRE_INSTANCE_PLAYERS_MAX],
                                   .started_ms = n->started_ms,
                                   .lasted_ms = n->lasted_ms,
                                   .ends_at_ms = n->ends_at_ms,
                                   .note = n->note,
                                   .note_len = n->note_len};
    memcpy(view->scores, n->scores, sizeof view->scores);
}

void instances_tell(struct instances *i, enum instances_event_kind kind, uint32_t index, uint64_t player) {
    struct instance_view view;
    view_of(i, index, &view);
    i->config.on_event(i->config.context, kind, &view, player);
}

bool instances_is_kept(const struct instances *i, uint32_t id) {
    uint32_t index = instances_find(i, id);
    return index == INSTANCES_NONE || instances_is_durable(i, instances_at(i, index));
}

bool instances_view(const struct instances *i, uint32_t id, struct instance_view *view) {
    uint32_t index = instances_find(i, id);
    if (index == INSTANCES_NONE) return false;
    view_of(i, index, view);
    return true;
}

uint32_t instances_of_player(const struct instances *i, uint64_t player) {
    uint32_t member = player == 0 ? PLAYER_MAP_NONE : player_map_find(&i->member, player);
    return member == PLAYER_MAP_NONE ? 0 : instances_at(i, member / WIRE_INSTANCE_PLAYERS_MAX)->id;
}

uint32_t instances_count(const struct instances *i) {
    return pool_count(&i->pool);
}

void instances_nth(const struct instances *i, uint32_t n, struct instance_view *view) {
    CHECK(n < pool_count(&i->pool));
    view_of(i, i->live[n], view);
}

struct instances_stats instances_stats_get(const struct instances *i) {
    struct instances_stats stats = i->stats;
    stats.members = i->member.count;
    stats.cells_free = instances_cells_free(i);
    return stats;
}
