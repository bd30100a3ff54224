/* instances_document.c: an instance as bytes, and back.
 *
 *   format 1 | id 4 | over 1 | end 1 | seed 8 | block 4 | cell 4 | version 4 | restarts 4 | slot 4 | incarnation 8 | has run
 * 1 | started 8 | ends at 8 | lasted 8 | goal 4 | wave 4 | first wave 4 | scores, first scores 4 each | template | teams 1 |
 * members 2 | each: player 8, team 1, has come 1, kills 2, deaths 2, flags 2 | note 2 + its bytes
 *
 * All numbers are little-endian. The document of key INSTANCES_IDS_KEY is the id from which on none was given out.
 */
#include "common/bytes.h"
#include "matchmaker/instances_inner.h"

#define FORMAT            2
#define FORMAT_IDS        1
#define INSTANCES_IDS_KEY (1ULL << 32) /* the id of no instance */

/* --- writing */

static void write_parts(struct byte_writer *w, const struct template *t) {
    for (uint32_t i = 0; i < t->wave_count; i++) {
        write_uint(w, t->waves[i].creatures, 4);
        write_uint(w, t->waves[i].after_ms, 4);
        write_uint(w, t->waves[i].overlaps, 2);
        write_uint(w, t->waves[i].health_percent, 2);
        write_uint(w, t->waves[i].damage_percent, 2);
    }
    for (uint32_t i = 0; i < t->spot_count; i++) {
        write_uint(w, t->spots[i].x_m, 2);
        write_uint(w, t->spots[i].y_m, 2);
        write_uint(w, t->spots[i].radius_m, 2);
        write_uint(w, t->spots[i].team, 2);
    }
    for (uint32_t i = 0; i < t->box_count; i++) {
        write_uint(w, t->boxes[i].x_min_m, 2);
        write_uint(w, t->boxes[i].y_min_m, 2);
        write_uint(w, t->boxes[i].x_max_m, 2);
        write_uint(w, t->boxes[i].y_max_m, 2);
    }
}

static void write_template(struct byte_writer *w, const struct template *t) {
    write_bytes(w, t->name, sizeof t->name);
    const uint32_t numbers[] = {t->version, t->side_m,  t->capacity, t->time_limit_s, t->goals,      t->kills,
                                t->lives,   t->rise_ms, t->empty_s,  t->wave_count,   t->spot_count, t->box_count};
    for (uint32_t i = 0; i < sizeof numbers / sizeof *numbers; i++) write_uint(w, numbers[i], 4);
    write_parts(w, t);
    const uint32_t worth[] = {t->scaling.players,
                              t->scaling.creatures_percent,
                              t->scaling.health_percent,
                              t->win.gold,
                              t->win.item_kind,
                              t->win.item_count,
                              t->lose.gold,
                              t->lose.item_kind,
                              t->lose.item_count};
    for (uint32_t i = 0; i < sizeof worth / sizeof *worth; i++) write_uint(w, worth[i], 4);
    write_uint(w, t->crash, 1);
    write_uint(w, t->checkpoints, 1);
}

/* write_state writes how far it is: what an instance without checkpoints would begin with again is nothing before it is
 * over. */
static void write_state(struct byte_writer *w, const struct instance *n) {
    bool is_kept = n->stage == INSTANCE_OVER || n->template.checkpoints;
    write_uint(w, n->lasted_ms, 8);
    write_uint(w, n->goal, 4);
    write_uint(w, is_kept ? n->wave : n->first_wave, 4);
    write_uint(w, n->first_wave, 4);
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) write_uint(w, is_kept ? n->scores[i] : n->first_scores[i], 4);
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) write_uint(w, n->first_scores[i], 4);
}

static void write_members(struct byte_writer *w, const struct instance *n, const struct instance_member *members) {
    write_uint(w, n->team_count, 1);
    write_uint(w, n->member_count, 2);
    for (uint32_t i = 0; i < n->member_count; i++) {
        write_uint(w, members[i].player, 8);
        write_uint(w, members[i].team, 1);
        write_uint(w, members[i].has_come, 1);
        write_uint(w, members[i].kills, 2);
        write_uint(w, members[i].deaths, 2);
        write_uint(w, members[i].flags, 2);
    }
}

uint32_t instances_write(struct instances *i, uint32_t index) {
    const struct instance *n = instances_at(i, index);
    struct byte_writer w = {.bytes = i->document, .size = sizeof i->document};
    write_uint(&w, FORMAT, 1);
    write_uint(&w, n->id, 4);
    write_uint(&w, n->stage == INSTANCE_OVER, 1);
    write_uint(&w, n->end, 1);
    write_uint(&w, n->seed, 8);
    write_uint(&w, i->blocks[n->block].id, 4);
    write_uint(&w, n->cell, 4);
    write_uint(&w, n->version, 4);
    write_uint(&w, n->restarts, 4);
    write_uint(&w, n->life.slot, 4);
    write_uint(&w, n->life.incarnation, 8);
    write_uint(&w, n->has_run, 1);
    write_uint(&w, n->started_ms, 8);
    write_uint(&w, n->ends_at_ms, 8);
    write_state(&w, n);
    write_template(&w, &n->template);
    write_members(&w, n, &i->members[index * WIRE_INSTANCE_PLAYERS_MAX]);
    write_uint(&w, n->note_len, 2);
    write_bytes(&w, n->note, n->note_len);
    return w.overflow ? 0 : (uint32_t)w.len;
}

/* At most: head 64, state 88, template 122 with 14 for each wave and 8 for each spot and box, members 3 with 16 for each,
 * note 2. */
_Static_assert(64 + 88 + 122 + WIRE_INSTANCE_WAVES_MAX * 14 + (WIRE_INSTANCE_SPOTS_MAX + WIRE_INSTANCE_BOXES_MAX) * 8 + 3 +
                       WIRE_INSTANCE_PLAYERS_MAX * 16 + 2 + INSTANCES_NOTE_MAX <=
                   WIRE_DOCUMENT_BYTES_MAX,
               "each instance has room in a document");

void instances_put(struct instances *i, uint32_t index) {
    struct instance *n = instances_at(i, index);
    uint32_t len = instances_write(i, index);
    n->needs_put = keep_put(i->config.keep, WIRE_DOCUMENT_INSTANCE, n->id, i->document, len) != 0;
    if (n->needs_put) return;
    n->mark = keep_mark(i->config.keep);
    n->keep_ns = 0;
}

void instances_put_later(struct instances *i, uint32_t index, uint64_t after_ms) {
    struct instance *n = instances_at(i, index);
    uint64_t at = i->now.ns + after_ms * NS_PER_MS + 1;
    if (n->keep_ns == 0 || at < n->keep_ns) n->keep_ns = at;
    i->wants_step[index] = true;
}

int instances_reserve_ids(struct instances *i, uint32_t end) {
    uint8_t bytes[5] = {FORMAT_IDS};
    store_le(bytes + 1, end, 4);
    int error = keep_put(i->config.keep, WIRE_DOCUMENT_INSTANCE, INSTANCES_IDS_KEY, bytes, sizeof bytes);
    if (!error) i->ids_end = end;
    return error;
}

/* --- reading */

static void read_parts(struct byte_reader *r, struct template *t) {
    for (uint32_t i = 0; i < t->wave_count; i++) {
        t->waves[i].creatures = (uint32_t)read_uint(r, 4);
        t->waves[i].after_ms = (uint32_t)read_uint(r, 4);
        t->waves[i].overlaps = (uint16_t)read_uint(r, 2);
        t->waves[i].health_percent = (uint16_t)read_uint(r, 2);
        t->waves[i].damage_percent = (uint16_t)read_uint(r, 2);
    }
    for (uint32_t i = 0; i < t->spot_count; i++) {
        t->spots[i].x_m = (uint16_t)read_uint(r, 2);
        t->spots[i].y_m = (uint16_t)read_uint(r, 2);
        t->spots[i].radius_m = (uint16_t)read_uint(r, 2);
        t->spots[i].team = (uint16_t)read_uint(r, 2);
    }
    for (uint32_t i = 0; i < t->box_count; i++) {
        t->boxes[i].x_min_m = (uint16_t)read_uint(r, 2);
        t->boxes[i].y_min_m = (uint16_t)read_uint(r, 2);
        t->boxes[i].x_max_m = (uint16_t)read_uint(r, 2);
        t->boxes[i].y_max_m = (uint16_t)read_uint(r, 2);
    }
}

static bool read_template(struct byte_reader *r, struct template *t) {
    read_bytes(r, t->name, sizeof t->name);
    uint32_t *numbers[] = {&t->version, &t->side_m,  &t->capacity, &t->time_limit_s, &t->goals,      &t->kills,
                           &t->lives,   &t->rise_ms, &t->empty_s,  &t->wave_count,   &t->spot_count, &t->box_count};
    for (uint32_t i = 0; i < sizeof numbers / sizeof *numbers; i++) *numbers[i] = (uint32_t)read_uint(r, 4);
    if (t->name[sizeof t->name - 1] != 0 || t->capacity > TEMPLATE_CAPACITY_MAX || t->side_m > TEMPLATE_SIDE_MAX_M ||
        t->wave_count > WIRE_INSTANCE_WAVES_MAX || t->spot_count > WIRE_INSTANCE_SPOTS_MAX ||
        t->box_count > WIRE_INSTANCE_BOXES_MAX)
        return false;
    read_parts(r, t);
    uint32_t *worth[] = {&t->scaling.players,
                         &t->scaling.creatures_percent,
                         &t->scaling.health_percent,
                         &t->win.gold,
                         &t->win.item_kind,
                         &t->win.item_count,
                         &t->lose.gold,
                         &t->lose.item_kind,
                         &t->lose.item_count};
    for (uint32_t i = 0; i < sizeof worth / sizeof *worth; i++) *worth[i] = (uint32_t)read_uint(r, 4);
    t->crash = read_uint(r, 1) == TEMPLATE_CRASH_RESTART ? TEMPLATE_CRASH_RESTART : TEMPLATE_CRASH_RETURN;
    t->checkpoints = read_uint(r, 1) != 0;
    return !r->overflow;
}

static void read_head(struct byte_reader *r, struct instance *n, uint32_t *block) {
    n->id = (uint32_t)read_uint(r, 4);
    n->stage = read_uint(r, 1) != 0 ? INSTANCE_OVER : INSTANCE_STARTING;
    n->end = (enum instance_end)read_uint(r, 1);
    n->seed = read_uint(r, 8);
    *block = (uint32_t)read_uint(r, 4);
    n->cell = (uint32_t)read_uint(r, 4);
    n->version = (uint32_t)read_uint(r, 4);
    n->restarts = (uint32_t)read_uint(r, 4);
    n->life.slot = (uint32_t)read_uint(r, 4);
    n->life.incarnation = read_uint(r, 8);
    n->has_run = read_uint(r, 1) != 0;
    n->started_ms = read_uint(r, 8);
    n->ends_at_ms = read_uint(r, 8);
    n->lasted_ms = read_uint(r, 8);
    n->goal = (uint32_t)read_uint(r, 4);
    n->wave = (uint32_t)read_uint(r, 4);
    n->first_wave = (uint32_t)read_uint(r, 4);
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) n->scores[i] = (uint32_t)read_uint(r, 4);
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) n->first_scores[i] = (uint32_t)read_uint(r, 4);
}

/* read_members reads members and note; nobody is a member twice, or of two instances. */
static bool read_members(const struct instances *i, struct byte_reader *r, struct instance *n,
                         struct instance_member members[WIRE_INSTANCE_PLAYERS_MAX]) {
    n->team_count = (uint32_t)read_uint(r, 1);
    n->member_count = (uint32_t)read_uint(r, 2);
    if (n->team_count < 1 || n->team_count > WIRE_TEAMS_MAX || n->member_count > n->template.capacity) return false;
    if (n->member_count > i->member.count_max - i->member.count) return false;
    for (uint32_t k = 0; k < n->member_count; k++) {
        members[k] = (struct instance_member){.player = read_uint(r, 8), .team = (uint32_t)read_uint(r, 1)};
        members[k].has_come = read_uint(r, 1) != 0;
        members[k].kills = (uint16_t)read_uint(r, 2);
        members[k].deaths = (uint16_t)read_uint(r, 2);
        members[k].flags = (uint16_t)read_uint(r, 2);
        if (members[k].player == 0 || members[k].team >= n->team_count) return false;
        if (player_map_find(&i->member, members[k].player) != PLAYER_MAP_NONE) return false;
        for (uint32_t other = 0; other < k; other++)
            if (members[other].player == members[k].player) return false;
    }
    n->note_len = (uint32_t)read_uint(r, 2);
    if (n->note_len > INSTANCES_NOTE_MAX) return false;
    read_bytes(r, n->note, n->note_len);
    return !r->overflow && r->next == r->len;
}

/* is_possible tells whether what was read fits what there is. */
static bool is_possible(const struct instances *i, const struct instance *n, uint64_t key, uint32_t block) {
    return n->id == key && n->id != 0 && n->end < INSTANCE_END_COUNT && n->version > 0 && cells_is_block(block) &&
           (n->life.incarnation == 0 || n->life.slot < WIRE_WORKERS_MAX) && instances_find(i, n->id) == INSTANCES_NONE &&
           n->cell < i->config.cells.per_block && n->template.side_m <= (uint32_t)i->config.cells.side_m;
}

/* adopt makes what was read an instance again: of before a restart, and nobody has said yet what became of it. */
static int adopt(struct instances *i, const struct instance *from, uint32_t block_id,
                 const struct instance_member *members) {
    uint32_t block = instances_block(i, block_id);
    if (block == INSTANCES_NONE || *instances_cell(i, block, from->cell) == INSTANCES_CELL_TAKEN) return MARCH_ERR_INVALID;
    uint32_t index = instances_new(i, from->id, block, from->cell);
    if (index == INSTANCES_NONE) return MARCH_ERR_INVALID;
    struct instance *n = instances_at(i, index);
    uint32_t live = n->live;
    *n = *from;
    n->live = live;
    n->block = block;
    n->member_count = 0;
    n->was_told = true;
    n->is_recalled = n->has_run && n->stage != INSTANCE_OVER;
    for (uint32_t k = 0; k < from->member_count; k++) {
        instances_member_add(i, index, members[k].player, members[k].team);
        i->members[index * WIRE_INSTANCE_PLAYERS_MAX + k] = members[k];
    }
    instances_load(i, index);
    if (n->id >= i->next_id) i->next_id = n->id + 1;
    return 0;
}

static int recall_ids(struct instances *i, const uint8_t *bytes, uint32_t len) {
    if (len != 5 || bytes[0] != FORMAT_IDS) return MARCH_ERR_INVALID;
    uint32_t end = (uint32_t)load_le(bytes + 1, 4);
    if (end > i->next_id) i->next_id = end;
    return 0;
}

int instances_recall(struct instances *i, uint64_t key, const uint8_t *bytes, uint32_t len) {
    if (key == INSTANCES_IDS_KEY) return recall_ids(i, bytes, len);
    struct byte_reader r = {.bytes = bytes, .len = len};
    struct instance n = {0};
    struct instance_member members[WIRE_INSTANCE_PLAYERS_MAX];
    uint32_t block;
    if (read_uint(&r, 1) != FORMAT) return MARCH_ERR_INVALID;
    read_head(&r, &n, &block);
    if (!read_template(&r, &n.template) || !read_members(i, &r, &n, members)) return MARCH_ERR_INVALID;
    if (!is_possible(i, &n, key, block)) return MARCH_ERR_INVALID;
    return adopt(i, &n, block, members);
}
