#include "zone/sim_inner.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/net_state.h"
#include "zone/budget.h"
#include "zone/hash.h"

#define GRID_CELL_M 16
#define ERROR_NEAR  4 /* 1/64 m a client may be off before it is told */
#define ERROR_FAR   16
#define YAW_ERROR   6 /* 1/256 turn: 8 degrees */
#define WORLD_M     32767

_Static_assert(VIEW_OWN_NONE == ENTITY_NONE, "no entity is the same to views");
_Static_assert(VIEW_BYTES_MIN <= 1200, "a snapshot has room in a packet");

/* --- life */

static bool is_spare(const struct sim_config *c) {
    return c->rect.min_x == c->rect.max_x && c->rect.min_y == c->rect.max_y && c->rect.min_x == 0 && c->rect.min_y == 0;
}

static bool config_is_sound(const struct sim_config *c) {
    bool rect = c->rect.min_x >= -WORLD_M - 1 && c->rect.min_y >= -WORLD_M - 1 && c->rect.max_x <= WORLD_M &&
                c->rect.max_y <= WORLD_M && c->rect.max_x - c->rect.min_x >= 2 && c->rect.max_y - c->rect.min_y >= 2;
    return (rect || is_spare(c)) && c->players_max >= 1 && c->entities_max <= ENTITIES_MAX &&
           c->players_max <= c->entities_max && c->creatures <= c->entities_max - c->players_max && c->gateways_max >= 1 &&
           c->gateways_max <= SIM_GATEWAYS_MAX && c->snapshot_hz >= 1 && c->snapshot_hz <= c->tick_hz &&
           c->snapshot_bytes_max >= VIEW_BYTES_MIN;
}

/* What the sim knows of the world before it is told. */
static void first_directory(const struct sim_config *c, struct directory *d) {
    *d = (struct directory){.is_fixed = true};
    if (is_spare(c)) return;
    d->partitions[d->partition_count++] = (struct wire_directory_partition){.epoch = 1,
                                                                            .respawn = 1,
                                                                            .rect = c->rect,
                                                                            .id = c->zone_index,
                                                                            .owner = c->zone_index,
                                                                            .former = WIRE_SLOT_NONE,
                                                                            .creatures = c->creatures};
}

static bool create_world(struct sim *sim) {
    const struct sim_config *c = &sim->config;
    sim->entities = entities_create(c->entities_max, c->zone_index, c->incarnation);
    if (!sim->entities) return false;
    struct game_config game = {.territory = &sim->territory, .seed = c->seed};
    sim->game = game_create(&game, sim->entities, NULL);
    sim->ghosts = sim->game ? ghosts_create(sim->entities, sim->game, c->tick_hz) : NULL;
    struct migration_config migration = {.entities = sim->entities,
                                         .game = sim->game,
                                         .ghosts = sim->ghosts,
                                         .territory = &sim->territory,
                                         .tick_hz = c->tick_hz};
    sim->migration = migration_create(&migration);
    bool has_instances = sim->game && sim_instances_create(sim);
    struct views_config views = {.clients_max = c->players_max,
                                 .entities_max = c->entities_max,
                                 .slots_max = c->view_max,
                                 .error_near_max = ERROR_NEAR,
                                 .error_far_max = ERROR_FAR,
                                 .yaw_error_max = YAW_ERROR};
    sim->views = views_create(&views);
    sim->published = aligned_alloc(64, (c->entities_max * sizeof *sim->published + 63) / 64 * 64);
    if (!has_instances || !sim->ghosts || !sim->migration || !sim->views || !sim->published) return false;
    memset(sim->published, 0, c->entities_max * sizeof *sim->published);
    struct directory first;
    first_directory(c, &first);
    return sim_set_directory(sim, &first) == 0;
}

/* The grid covers what the zone has, and what can be seen from there. */
static struct grid *grid_of(const struct sim *sim) {
    struct grid_rect rect;
    int32_t margin = (int32_t)(sim->config.view_radius_m + GRID_CELL_M) * 65536;
    if (!territory_reach(&sim->territory, margin, &rect)) rect = (struct grid_rect){0, 0, 65536, 65536};
    struct grid *grid;
    uint32_t cell_m = GRID_CELL_M;
    while (!(grid = grid_create(rect, cell_m, sim->config.entities_max)) && cell_m < 4096) cell_m *= 2;
    return grid;
}

/* is_due tells whether a partition's creatures are to be made good: it lost them since its owner has it, and that was not
 * done yet. */
static bool is_due(struct sim *sim, const struct wire_directory_partition *p) {
    if (p->owner != sim->territory.slot || p->respawn < p->epoch) return false;
    uint32_t i = 0;
    while (i < sim->settled_count && sim->settled[i].id != p->id) i++;
    if (i < sim->settled_count && sim->settled[i].respawn >= p->respawn) return false;
    if (i == WIRE_PARTITIONS_MAX) i = 0; /* ids that are long gone make room */
    if (i == sim->settled_count) sim->settled_count++;
    sim->settled[i].id = p->id;
    sim->settled[i].respawn = p->respawn;
    return true;
}

int sim_set_directory(struct sim *sim, const struct directory *directory) {
    if (sim->recorder) recorder_directory(sim->recorder, directory);
    territory_set(&sim->territory, directory, sim->config.zone_index);
    struct grid *grid = grid_of(sim);
    if (!grid) return MARCH_ERR_SYSTEM;
    venues_directory(sim->instances, sim->tick);
    game_set_grid(sim->game, grid);
    grid_destroy(sim->grid);
    sim->grid = grid;
    for (uint32_t i = 0; i < directory->partition_count; i++) {
        if (is_due(sim, &directory->partitions[i]))
            sim->stats.creatures_born += game_settle(sim->game, &directory->partitions[i]);
    }
    const struct entities *e = sim->entities;
    grid_build(sim->grid, e->alive, e->count, e->x, e->y);
    return 0;
}

const struct territory *sim_territory(const struct sim *sim) {
    return &sim->territory;
}

static bool create_players(struct sim *sim) {
    const struct sim_config *c = &sim->config;
    sim->players = calloc(c->players_max, sizeof *sim->players);
    sim->active = calloc(c->players_max, sizeof *sim->active);
    sim->active_at = calloc(c->players_max, sizeof *sim->active_at);
    sim->free_slots = calloc(c->players_max, sizeof *sim->free_slots);
    sim->slot_of_entity = calloc(c->entities_max, sizeof *sim->slot_of_entity);
    sim->builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    if (!sim->players || !sim->active || !sim->active_at || !sim->free_slots || !sim->slot_of_entity || !sim->builder)
        return false;
    for (uint32_t i = 0; i < c->players_max; i++) sim->free_slots[i] = (uint16_t)(c->players_max - 1 - i);
    memset(sim->slot_of_entity, 0xff, c->entities_max * sizeof *sim->slot_of_entity);
    for (uint32_t g = 0; g < c->gateways_max; g++) {
        sim->slot_of[g] = malloc(c->sessions_max * sizeof *sim->slot_of[g]);
        sim->outputs[g] = output_create(c->sessions_max);
        if (!sim->slot_of[g] || !sim->outputs[g]) return false;
        memset(sim->slot_of[g], 0xff, c->sessions_max * sizeof *sim->slot_of[g]);
        sim->connected[g] = true;
    }
    return true;
}

struct sim *sim_create(const struct sim_config *config) {
    if (!config_is_sound(config)) return NULL;
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim) return NULL;
    sim->config = *config;
    sim->territory.cells = config->cells;
    sim->load = (struct sim_load){.snapshot_every = 1, .view_percent = 100, .think_ticks = SIM_THINK_TICKS};
    sim->tick = sim->last_tick = config->start_tick;
    if (create_world(sim) && create_players(sim)) return sim;
    sim_destroy(sim);
    return NULL;
}

void sim_destroy(struct sim *sim) {
    if (!sim) return;
    for (uint32_t g = 0; g < SIM_GATEWAYS_MAX; g++) {
        output_destroy(sim->outputs[g]);
        free(sim->slot_of[g]);
    }
    wire_builder_destroy(sim->builder);
    free(sim->slot_of_entity);
    free(sim->free_slots);
    free(sim->active_at);
    free(sim->active);
    free(sim->players);
    free(sim->published);
    sim_instances_destroy(sim);
    views_destroy(sim->views);
    migration_destroy(sim->migration);
    ghosts_destroy(sim->ghosts);
    game_destroy(sim->game);
    grid_destroy(sim->grid);
    entities_destroy(sim->entities);
    free(sim);
}

void sim_set_recorder(struct sim *sim, struct recorder *recorder) {
    sim->recorder = recorder;
}

void sim_set_watcher(struct sim *sim, const struct sim_watcher *watcher) {
    sim->watcher = *watcher;
}

const struct sim_watcher *sim_watcher_of(const struct sim *sim) {
    return &sim->watcher;
}

/* --- sessions */

uint16_t *sim_slot_entry(struct sim *sim, uint32_t gateway, uint64_t session) {
    uint32_t index = (uint32_t)session;
    CHECK(gateway < sim->config.gateways_max);
    return index < sim->config.sessions_max ? &sim->slot_of[gateway][index] : NULL;
}

/* Returns the player of a session, NULL when there is none. */
static struct player *find_player(struct sim *sim, uint32_t gateway, uint64_t session) {
    const uint16_t *entry = sim_slot_entry(sim, gateway, session);
    if (!entry || *entry == SLOT_NONE || sim->players[*entry].session != session) {
        sim->stats.sessions_unknown++;
        return NULL;
    }
    return &sim->players[*entry];
}

/* Sends a reliable message to one player. */
static void send_message(struct sim *sim, const struct player *p, const struct wire_server_message *message) {
    struct wire_bytes bytes;
    uint32_t offset;
    int error = wire_server_message_pack(sim->builder, message, &bytes);
    CHECK(error == 0);
    if (p->gateway == SIM_NO_GATEWAY) return;
    struct output *output = sim->outputs[p->gateway];
    if (output_text(output, bytes, &offset) == 0) output_message(output, p->session, offset, (uint32_t)bytes.len);
}

static void send_welcome(struct sim *sim, const struct player *p) {
    const struct sim_config *c = &sim->config;
    struct wire_server_message message = {.kind = WIRE_SERVER_WELCOME,
                                          .welcome = {.entity = sim->entities->id[p->index],
                                                      .player = p->id,
                                                      .tick_hz = (uint16_t)c->tick_hz,
                                                      .snapshot_hz = (uint16_t)c->snapshot_hz,
                                                      .view_radius_m = (uint16_t)c->view_radius_m,
                                                      .rect = directory_world(&sim->territory.directory)}};
    memcpy(message.welcome.zone, c->name, sizeof message.welcome.zone);
    send_message(sim, p, &message);
}

static void send_progress(struct sim *sim, const struct player *p) {
    struct game_character character = game_character(sim->game, p->index);
    struct wire_server_message message = {.kind = WIRE_SERVER_PROGRESS,
                                          .progress = {.level = character.level, .experience = character.experience}};
    send_message(sim, p, &message);
}

void sim_welcome(struct sim *sim, const struct player *p) {
    send_welcome(sim, p);
    send_progress(sim, p);
}

void sim_unseat(struct sim *sim, struct player *p) {
    uint16_t slot = (uint16_t)sim_slot_of(sim, p);
    if (p->gateway != SIM_NO_GATEWAY) *sim_slot_entry(sim, p->gateway, p->session) = SLOT_NONE;
    sim->slot_of_entity[p->index] = SLOT_NONE;
    uint16_t last = sim->active[--sim->active_count];
    sim->active[sim->active_at[slot]] = last;
    sim->active_at[last] = sim->active_at[slot];
    sim->free_slots[sim->config.players_max - sim->active_count - 1] = slot;
}

void sim_remove_player(struct sim *sim, struct player *p) {
    if (sim->watcher.left) sim->watcher.left(sim->watcher.context, sim_slot_of(sim, p));
    sim_unseat(sim, p);
    game_leave(sim->game, p->index);
    sim->stats.detached++;
}

uint16_t sim_seat(struct sim *sim, const struct player *player) {
    if (sim->active_count == sim->config.players_max) return SLOT_NONE;
    uint16_t slot = sim->free_slots[sim->config.players_max - sim->active_count - 1];
    sim->active[sim->active_count] = slot;
    sim->active_at[slot] = (uint16_t)sim->active_count++;
    if (player->gateway != SIM_NO_GATEWAY) *sim_slot_entry(sim, player->gateway, player->session) = slot;
    sim->slot_of_entity[player->index] = slot;
    sim->players[slot] = *player;
    view_reset(sim->views, slot, (uint8_t)player->attachment);
    return slot;
}

static struct player *add_player(struct sim *sim, uint32_t gateway, uint64_t session, uint64_t id, uint32_t attachment,
                                 const struct game_character *character) {
    uint16_t index;
    if (sim->active_count == sim->config.players_max || game_join(sim->game, character, &index)) return NULL;
    struct player player = {.session = session,
                            .id = id,
                            .gateway = (uint8_t)gateway,
                            .attachment = attachment,
                            .came_from = SLOT_NONE,
                            .index = index,
                            .view_radius = sim->config.view_radius_m * NET_POSITION_PER_M};
    input_init(&player.inputs, sim->tick);
    return &sim->players[sim_seat(sim, &player)];
}

static uint64_t attach(struct sim *sim, uint32_t gateway, uint64_t session, uint64_t id, uint32_t attachment,
                       const struct game_character *character, enum wire_attach_result *result) {
    const uint16_t *entry = sim_slot_entry(sim, gateway, session);
    *result = WIRE_ATTACH_BAD_SESSION;
    if (!entry) return 0;
    struct player *p = *entry != SLOT_NONE ? &sim->players[*entry] : NULL;
    if (p && p->session != session) {
        sim_remove_player(sim, p);
        p = NULL;
    }
    if (!p) {
        *result = WIRE_ATTACH_FULL;
        if (!(p = add_player(sim, gateway, session, id, attachment, character))) return 0;
        sim->stats.attached++;
    }
    p->attachment = attachment;
    sim_welcome(sim, p); /* again, where the gateway asks again: the first may have been lost on the way */
    *result = WIRE_ATTACHED;
    return sim->entities->id[p->index];
}

uint64_t sim_attach(struct sim *sim, uint32_t gateway, uint64_t session, uint64_t id, uint32_t attachment,
                    const struct game_character *character) {
    if (sim->recorder) recorder_attach(sim->recorder, gateway, session, id, character);
    enum wire_attach_result result;
    uint64_t entity = attach(sim, gateway, session, id, attachment, character, &result);
    if (result != WIRE_ATTACHED) sim->stats.attach_refused++;
    output_attached(sim->outputs[gateway], session, entity, result);
    return entity;
}

void sim_refuse(struct sim *sim, uint32_t gateway, uint64_t session, enum wire_attach_result result) {
    CHECK(gateway < sim->config.gateways_max && result != WIRE_ATTACHED);
    sim->stats.attach_refused++;
    output_attached(sim->outputs[gateway], session, 0, result);
}

void sim_detach(struct sim *sim, uint32_t gateway, uint64_t session) {
    if (sim->recorder) recorder_detach(sim->recorder, gateway, session);
    struct player *p = find_player(sim, gateway, session);
    if (p) sim_remove_player(sim, p);
}

void sim_set_connected(struct sim *sim, uint32_t gateway, bool connected) {
    CHECK(gateway < sim->config.gateways_max);
    sim->connected[gateway] = connected;
}

/* --- what clients send */

void sim_input(struct sim *sim, uint32_t gateway, const struct wire_input *input) {
    struct player *p = find_player(sim, gateway, input->session);
    if (!p) {
        output_detached(sim->outputs[gateway], input->session, SIM_DETACH_UNKNOWN);
        return;
    }
    if (sim->recorder) recorder_input(sim->recorder, gateway, input);
    sim->stats.inputs++;
    if (input_push(&p->inputs, input, sim->tick) == 0) sim->stats.inputs_repeated++;
}

void sim_ack(struct sim *sim, uint32_t gateway, uint64_t session, uint16_t snapshot_seq) {
    const struct player *p = find_player(sim, gateway, session);
    if (p) view_ack(sim->views, sim_slot_of(sim, p), snapshot_seq);
}

/* Lets every player in earshot of a place hear. The text is packed once for each gateway. */
void sim_hear(struct sim *sim, uint32_t zone, int32_t x, int32_t y, const struct wire_heard *heard) {
    const struct entities *e = sim->entities;
    struct wire_server_message message = {.kind = WIRE_SERVER_HEARD, .heard = *heard};
    struct wire_bytes bytes;
    int error = wire_server_message_pack(sim->builder, &message, &bytes);
    CHECK(error == 0);

    bool packed[SIM_GATEWAYS_MAX] = {false};
    uint32_t offset[SIM_GATEWAYS_MAX];
    int64_t reach = game_earshot(sim->game);
    for (uint32_t i = 0; i < sim->active_count; i++) {
        const struct player *p = &sim->players[sim->active[i]];
        bool has_heard = p->came_from == zone && p->arrived_tick == sim->tick;
        if (p->gateway == SIM_NO_GATEWAY || has_heard) continue;
        int64_t dx = (int64_t)e->x[p->index] - x, dy = (int64_t)e->y[p->index] - y;
        if (dx * dx + dy * dy > reach * reach) continue;
        struct output *output = sim->outputs[p->gateway];
        if (!packed[p->gateway] && output_text(output, bytes, &offset[p->gateway])) continue;
        packed[p->gateway] = true;
        output_message(output, p->session, offset[p->gateway], (uint32_t)bytes.len);
    }
}

/* Keeps a speech for the neighbours that are in earshot. */
static void carry_far(struct sim *sim, int32_t x, int32_t y, const struct wire_heard *heard) {
    struct peer_news *news = &sim->news;
    uint32_t len = (uint32_t)strlen(heard->text);
    if (news->speech_count == SIM_PEER_ITEMS_MAX || len > WIRE_PEER_BLOB_MAX - news->blob_len) return;
    memcpy(news->blob + news->blob_len, heard->text, len);
    news->speeches[news->speech_count++] = (struct wire_speech){
        .speaker = heard->entity, .player = heard->player, .x = x, .y = y, .offset = news->blob_len, .len = len};
    news->blob_len += len;
}

static void say(struct sim *sim, struct player *speaker, const char *text) {
    uint64_t debt_ticks = speaker->speech_tick > sim->tick ? speaker->speech_tick - sim->tick : 0;
    if (debt_ticks > SIM_SAY_TICKS * (SIM_SAY_BURST - 1)) {
        sim->stats.says_limited++;
        return;
    }
    speaker->speech_tick = sim->tick + debt_ticks + SIM_SAY_TICKS;
    const struct entities *e = sim->entities;
    struct wire_heard heard = {.entity = e->id[speaker->index], .player = speaker->id};
    memcpy(heard.text, text, sizeof heard.text);
    sim_hear(sim, sim->config.zone_index, e->x[speaker->index], e->y[speaker->index], &heard);
    carry_far(sim, e->x[speaker->index], e->y[speaker->index], &heard);
}

static void set_viewport(struct sim *sim, struct player *p, uint32_t radius_m) {
    uint32_t most = sim->config.view_radius_m;
    p->view_radius = (radius_m < 1 ? 1 : radius_m > most ? most : radius_m) * NET_POSITION_PER_M;
}

void sim_message(struct sim *sim, uint32_t gateway, uint64_t session, const uint8_t *bytes, size_t len) {
    struct player *p = find_player(sim, gateway, session);
    if (!p) return;
    struct wire_client_message message;
    sim->stats.messages++;
    if (len > WIRE_CLIENT_BYTES_MAX || wire_client_message_read(bytes, len, &message)) {
        sim->stats.messages_bad++;
        return;
    }
    if (sim->recorder) recorder_message(sim->recorder, gateway, session, bytes, len);
    switch (message.kind) {
    case WIRE_CLIENT_SAY: say(sim, p, message.say); break;
    case WIRE_CLIENT_VIEWPORT: set_viewport(sim, p, message.viewport_radius_m); break;
    case WIRE_CLIENT_RESPAWN: game_respawn(sim->game, p->index); break;
    case WIRE_CLIENT_COMMAND: /* persist's, or the matchmaker's; never a zone's */
    case WIRE_CLIENT_ENTER:
    case WIRE_CLIENT_TICKET:
    case WIRE_CLIENT_PARTY: sim->stats.messages_bad++; break;
    }
}

void sim_effect(struct sim *sim, uint32_t gateway, uint64_t session, uint32_t kind, uint32_t amount) {
    const struct player *p = find_player(sim, gateway, session);
    if (!p) return;
    if (sim->recorder) recorder_effect(sim->recorder, gateway, session, kind, amount);
    sim->stats.effects++;
    game_effect(sim->game, p->index, kind, amount);
}

void sim_set_load(struct sim *sim, struct sim_load load) {
    CHECK(load.snapshot_every >= 1 && load.view_percent >= 1 && load.view_percent <= 100 && load.think_ticks >= 1);
    if (sim->recorder) recorder_load(sim->recorder, load.think_ticks);
    sim->load = load;
}

/* --- a tick */

void sim_begin(struct sim *sim, uint64_t tick) {
    CHECK(tick > sim->tick);
    uint64_t passed = tick - sim->tick;
    sim->step = passed < SIM_STEP_MAX ? (uint32_t)passed : SIM_STEP_MAX;
    sim->last_tick = sim->tick;
    sim->tick = tick;
    for (uint32_t g = 0; g < sim->config.gateways_max; g++) output_clear_snapshots(sim->outputs[g]);
    ghosts_update(sim->ghosts, tick);
}

/* The wire's 0, 1, 2 are -1, 0, 1; 3 means nothing and stands still. */
static int8_t move_axis(unsigned bits) {
    return bits == 3 ? 0 : (int8_t)((int)bits - 1);
}

static void run_inputs(struct sim *sim) {
    for (uint32_t i = 0; i < sim->active_count; i++) {
        struct player *p = &sim->players[sim->active[i]];
        struct wire_input_command command;
        if (!input_next(&p->inputs, sim->tick, &command)) continue;
        game_input(sim->game, p->index,
                   (struct game_input){.move_x = move_axis(command.move & 3u),
                                       .move_y = move_axis((command.move >> 2) & 3u),
                                       .buttons = command.buttons & (GAME_BUTTON_STRIKE | GAME_BUTTON_SHOOT),
                                       .aim = command.aim});
    }
}

static void run_movement(struct sim *sim) {
    const struct entities *e = sim->entities;
    game_move(sim->game, sim->step);
    grid_build(sim->grid, e->alive, e->count, e->x, e->y);
}

static void tell_loot(struct sim *sim, uint64_t player, const struct game_event *event) {
    sim->stats.loots++;
    if (sim->watcher.loot) sim->watcher.loot(sim->watcher.context, player, event);
}

static void tell_event(struct sim *sim, uint16_t slot, const struct game_event *event) {
    const struct player *p = &sim->players[slot];
    switch (event->type) {
    case GAME_EVENT_DIED:
        sim->stats.deaths++;
        send_message(sim, p, &(struct wire_server_message){.kind = WIRE_SERVER_DIED, .died_by = event->by});
        break;
    case GAME_EVENT_RESPAWNED: send_message(sim, p, &(struct wire_server_message){.kind = WIRE_SERVER_RESPAWNED}); break;
    case GAME_EVENT_PROGRESS: send_progress(sim, p); break;
    case GAME_EVENT_LOOT: tell_loot(sim, p->id, event); break;
    }
}

static void tell_events(struct sim *sim) {
    uint32_t count;
    sim_note_outcomes(sim);
    const struct game_event *events = game_events(sim->game, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t scored_by = events[i].is_told ? 0 : events[i].by;
        if (events[i].type == GAME_EVENT_DIED) venues_died(sim->instances, sim->tick, events[i].index, scored_by);
        if (events[i].index == ENTITY_NONE) {
            tell_loot(sim, events[i].player, &events[i]);
            continue;
        }
        uint16_t slot = sim->slot_of_entity[events[i].index];
        if (slot != SLOT_NONE) tell_event(sim, slot, &events[i]); /* else it has left since */
    }
    sim_note_hits(sim);
    game_events_clear(sim->game);
}

static void run_publish(struct sim *sim) {
    tell_events(sim);
    const struct entities *e = sim->entities;
    for (uint32_t i = 0; i < e->count; i++) {
        uint16_t n = e->alive[i];
        sim->published[n] = (struct view_entity){.id = e->id[n],
                                                 .generation = (uint16_t)e->generation[n],
                                                 .state = {.x = e->x[n] >> NET_POSITION_SHIFT,
                                                           .y = e->y[n] >> NET_POSITION_SHIFT,
                                                           .vx = e->vx[n],
                                                           .vy = e->vy[n],
                                                           .tick = (uint32_t)sim->tick,
                                                           .kind = e->kind[n],
                                                           .yaw = e->yaw[n],
                                                           .health = e->health[n],
                                                           .action = e->action[n]}};
    }
}

static void build_snapshot(struct sim *sim, uint32_t slot, const struct view_world *world) {
    const struct player *p = &sim->players[slot];
    const struct net_state *own = &sim->published[p->index].state;
    struct output *output = sim->outputs[p->gateway];
    uint8_t *room = output_snapshot_room(output, sim->config.snapshot_bytes_max);
    if (!room) {
        sim->stats.snapshots_no_room++;
        return;
    }
    struct view_request request = {.own = p->index,
                                   .input_ack = p->inputs.applied_seq,
                                   .target = game_target(sim->game, p->index),
                                   .x = own->x,
                                   .y = own->y,
                                   .radius = p->view_radius * sim->load.view_percent / 100};
    struct view_result result;
    view_build(sim->views, slot, world, &request, room, sim->config.snapshot_bytes_max, &result);
    output_snapshot_add(output, p->session, result.len, result.seq);
    sim->stats.snapshots++;
}

/* A client's turn comes when tick + slot passes a multiple of the interval: as many clients in each tick, whatever ticks are
 * left out and however the interval changes. */
static void run_snapshots(struct sim *sim) {
    if (!sim->config.snapshots) return;
    struct view_world world = {.entities = sim->published, .grid = sim->grid, .tick = (uint32_t)sim->tick};
    uint64_t interval = sim->config.tick_hz / sim->config.snapshot_hz * sim->load.snapshot_every;
    for (uint32_t i = 0; i < sim->active_count; i++) {
        uint32_t slot = sim->active[i];
        struct player *p = &sim->players[slot];
        if (p->gateway == SIM_NO_GATEWAY || !sim->connected[p->gateway]) continue;
        bool is_its_turn = (sim->tick + slot) / interval != (sim->last_tick + slot) / interval;
        if (is_its_turn || p->is_urgent) build_snapshot(sim, slot, &world);
        p->is_urgent = false;
    }
}

void sim_run(struct sim *sim, enum sim_phase phase) {
    switch (phase) {
    case SIM_PHASE_INPUTS: run_inputs(sim); break;
    case SIM_PHASE_RULES:
        venues_update(sim->instances, sim->tick);
        game_set_meter(sim->game, sim->meter.now_ns && budget_is_measured(sim->tick) ? &sim->meter : NULL);
        game_think(sim->game, sim->tick, sim->load.think_ticks);
        break;
    case SIM_PHASE_MOVEMENT: run_movement(sim); break;
    case SIM_PHASE_COMBAT:
        game_combat(sim->game, sim->tick);
        migration_update(sim->migration, sim->tick);
        break;
    case SIM_PHASE_PUBLISH: run_publish(sim); break;
    case SIM_PHASE_SNAPSHOTS: run_snapshots(sim); break;
    case SIM_PHASE_COUNT: CHECK(false);
    }
}

void sim_end(struct sim *sim) {
    if (!sim->recorder) return;
    bool hashed = recorder_wants_hash(sim->recorder, sim->tick);
    recorder_tick(sim->recorder, sim->tick, hashed, hashed ? sim_hash(sim) : 0);
}

void sim_tick(struct sim *sim, uint64_t tick) {
    sim_begin(sim, tick);
    for (int phase = 0; phase < SIM_PHASE_COUNT; phase++) sim_run(sim, (enum sim_phase)phase);
    sim_end(sim);
}

const char *sim_phase_name(enum sim_phase phase) {
    static const char *const names[SIM_PHASE_COUNT] = {"inputs", "rules", "movement", "combat", "publish", "snapshots"};
    CHECK((unsigned)phase < SIM_PHASE_COUNT);
    return names[phase];
}

/* --- looking in */

uint64_t sim_hash(const struct sim *sim) {
    const struct entities *e = sim->entities;
    uint64_t hash = hash_word(HASH_START, sim->tick);
    hash = hash_word(hash, e->count);
    for (uint32_t i = 0; i < e->count; i++) {
        uint16_t n = e->alive[i];
        hash = hash_word(hash, e->id[n] ^ (uint64_t)(uint8_t)~e->ghost_of[n]);
        hash = hash_pair(hash, e->x[n], e->y[n]);
        hash = hash_word(hash, (uint64_t)(uint16_t)e->vx[n] << 48 | (uint64_t)(uint16_t)e->vy[n] << 32 |
                                   (uint64_t)e->kind[n] << 24 | (uint64_t)e->yaw[n] << 16 | (uint64_t)e->health[n] << 8 |
                                   e->action[n]);
    }
    hash = venues_hash(sim->instances, migration_hash(sim->migration, game_hash(sim->game, hash)));
    hash = departures_hash(&sim->departures, hash);
    for (uint32_t i = 0; i < sim->active_count; i++) {
        const struct player *p = &sim->players[sim->active[i]];
        hash = hash_word(hash, p->session);
        hash = input_hash(&p->inputs, hash);
    }
    return hash;
}

uint32_t sim_players(const struct sim *sim) {
    return sim->active_count;
}

uint64_t sim_now(const struct sim *sim) {
    return sim->tick;
}

uint32_t sim_players_max(const struct sim *sim) {
    return sim->config.players_max;
}

uint32_t sim_sessions_max(const struct sim *sim) {
    return sim->config.sessions_max;
}

uint32_t sim_slot(const struct sim *sim, uint32_t gateway, uint64_t session) {
    uint32_t index = (uint32_t)session;
    CHECK(gateway < sim->config.gateways_max);
    if (index >= sim->config.sessions_max) return SIM_SLOT_NONE;
    uint16_t slot = sim->slot_of[gateway][index];
    return slot != SLOT_NONE && sim->players[slot].session == session ? slot : SIM_SLOT_NONE;
}

struct sim_player sim_player_in(const struct sim *sim, uint32_t slot) {
    CHECK(slot < sim->config.players_max);
    const struct player *p = &sim->players[slot];
    return (struct sim_player){.session = p->session,
                               .player = p->id,
                               .gateway = p->gateway == SIM_NO_GATEWAY ? SIM_GATEWAY_NONE : p->gateway,
                               .slot = slot,
                               .attachment = p->attachment,
                               .entity = sim->entities->id[p->index]};
}

struct sim_player sim_player_nth(const struct sim *sim, uint32_t n) {
    CHECK(n < sim->active_count);
    return sim_player_in(sim, sim->active[n]);
}

bool sim_is_seated(const struct sim *sim, uint32_t slot) {
    if (slot >= sim->config.players_max) return false;
    uint32_t at = sim->active_at[slot];
    return at < sim->active_count && sim->active[at] == slot;
}

uint16_t sim_entity_of(const struct sim *sim, uint32_t slot) {
    CHECK(sim_is_seated(sim, slot));
    return sim->players[slot].index;
}

struct game_character sim_character(const struct sim *sim, uint32_t slot) {
    CHECK(slot < sim->config.players_max);
    return game_character(sim->game, sim->players[slot].index);
}

uint32_t sim_gateways(const struct sim *sim) {
    return sim->config.gateways_max;
}

struct output *sim_output(struct sim *sim, uint32_t gateway) {
    CHECK(gateway < sim->config.gateways_max);
    return sim->outputs[gateway];
}

struct entities *sim_entities(struct sim *sim) {
    return sim->entities;
}

const struct sim_stats *sim_stats(const struct sim *sim) {
    return &sim->stats;
}

const struct views_stats *sim_views_stats(const struct sim *sim) {
    return views_stats(sim->views);
}
