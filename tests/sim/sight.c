/* sight.c: what clients see: the real view.h in each zone, the real snapshot.h in each client. Zones show their own players
 * only; ghosts are not here. See world.h. */
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

#define RADIUS_M 300 /* all of the world */
#define PER_M    NET_POSITION_PER_M

void sight_begin(struct zone *zone) {
    struct grid_rect rect = {0, 0, RECTS * SIDE_M * 65536, SIDE_M * 65536};
    struct views_config config = {.clients_max = PLAYERS,
                                  .entities_max = PLAYERS,
                                  .slots_max = PLAYERS + 1,
                                  .error_near_max = 4,
                                  .error_far_max = 8,
                                  .yaw_error_max = 2};
    zone->views = views_create(&config);
    zone->grid = grid_create(rect, 64, PLAYERS);
    CHECK(zone->views && zone->grid);
}

void sight_end(struct zone *zone) {
    views_destroy(zone->views);
    grid_destroy(zone->grid);
}

/* --- a zone */

/* publish writes down what everybody looks like in this tick. */
static void publish(struct zone *zone, struct view_entity *entities) {
    uint16_t list[PLAYERS];
    int32_t x[PLAYERS] = {0}, y[PLAYERS] = {0};
    uint32_t count = 0, tick = (uint32_t)body_tick();
    for (uint32_t n = 0; n < PLAYERS; n++) {
        const struct body *b = &zone->bodies[n];
        entities[n] = (struct view_entity){.id = b->entity, .generation = b->generation};
        if (!b->is_here) continue;
        entities[n].state = (struct net_state){
            .x = b->x * PER_M, .y = b->y * PER_M, .tick = tick, .kind = 1, .health = 1, .action = (uint8_t)b->applied};
        W.shown[zone->slot][n][tick % TICKS_KEPT] = entities[n].state;
        x[n] = b->x * 65536, y[n] = b->y * 65536;
        list[count++] = (uint16_t)n;
    }
    grid_build(zone->grid, list, count, x, y);
}

void sight_show(struct zone *zone) {
    struct view_entity entities[PLAYERS];
    publish(zone, entities);
    struct view_world world = {.entities = entities, .grid = zone->grid, .tick = (uint32_t)body_tick()};
    for (uint32_t n = 0; n < PLAYERS; n++) {
        const struct body *b = &zone->bodies[n];
        if (!b->is_here || b->gateway == HANDOFF_GATEWAY_NONE || !network_is_up(zone->slot, NODE_GATEWAY + b->gateway))
            continue;
        struct message m = {.kind = SNAPSHOT};
        struct view_request request = {.own = (uint16_t)n,
                                       .input_ack = b->inputs.applied_seq,
                                       .target = VIEW_OWN_NONE,
                                       .x = b->x * PER_M,
                                       .y = b->y * PER_M,
                                       .radius = RADIUS_M * PER_M};
        struct view_result result;
        view_build(zone->views, n, &world, &request, m.snapshot.bytes, sizeof m.snapshot.bytes, &result);
        m.snapshot.session = b->session;
        m.snapshot.seq = result.seq;
        m.snapshot.len = (uint16_t)result.len;
        (void)network_send(zone->slot, NODE_GATEWAY + b->gateway, &m);
    }
}

/* --- a client */

void sight_forget(struct client *client) {
    if (!client->table) client->table = snapshot_table_create(PLAYERS + 1);
    CHECK(client->table);
    snapshot_table_reset(client->table);
    client->has_seen = false;
}

/* check_change: some zone has looked like this in this tick. */
static void check_change(uint32_t player, const struct snapshot_change *change) {
    uint32_t who = (uint32_t)(change->id % 1000);
    if (who >= PLAYERS) fail_run("player %u sees %llu, whom nobody is", player, (unsigned long long)change->id);
    for (uint32_t z = 0; z < SLOTS; z++) {
        const struct net_state *shown = &W.shown[z][who][change->state.tick % TICKS_KEPT];
        if (memcmp(shown, &change->state, sizeof *shown) == 0) return;
    }
    fail_run("player %u sees %u in tick %u as it never was", player, who, change->state.tick);
}

/* check_table: its own entity is the player, and nobody is there twice. */
static void check_table(uint32_t player, const struct snapshot_table *table) {
    const struct snapshot_slot *slots = table->slots;
    if (slots[0].id != 0 && slots[0].id % 1000 != player)
        fail_run("player %u is shown as %llu", player, (unsigned long long)slots[0].id);
    for (uint32_t i = 1; i < table->slots_used; i++)
        for (uint32_t j = 0; j < i; j++)
            if (slots[i].id != 0 && slots[i].id == slots[j].id)
                fail_run("player %u sees %llu twice", player, (unsigned long long)slots[i].id);
}

bool sight_take(uint32_t player, const uint8_t *bytes, size_t len) {
    struct client *c = &W.clients[player];
    int error = snapshot_table_read(c->table, bytes, len);
    if (error == MARCH_ERR_REPLAY) return false;
    if (error) fail_run("player %u can't read a snapshot: %s", player, march_error_text(error));
    const struct snapshot_header *h = &c->table->header;
    if (c->has_seen && (int32_t)(h->tick - c->tick) < 0)
        fail_run("player %u is back in tick %u after %u", player, h->tick, c->tick);
    if ((int16_t)(h->input_ack - c->seq) > 0) fail_run("player %u: input %u was never sent", player, h->input_ack);
    bool goes_back = c->has_seen && (int16_t)(h->input_ack - c->input_ack) < 0;
    if (goes_back && (!W.is_mortal || !c->table->fresh))
        fail_run("player %u: input %u was acknowledged, now %u is", player, c->input_ack, h->input_ack);
    c->has_seen = true;
    c->tick = h->tick;
    c->input_ack = h->input_ack;
    for (uint32_t i = 0; i < c->table->change_count; i++) check_change(player, &c->table->changes[i]);
    check_table(player, c->table);
    W.seen.snapshots++;
    return true;
}
