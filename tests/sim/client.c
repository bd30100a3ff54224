/* client.c: players, who come in by a gateway, walk from goal to goal, and go. See world.h. */
#include "tests/sim/world.h"

#define PACKET_MS   50
#define PATIENCE_MS 500

static int32_t step_to(int32_t goal, int32_t at) {
    return goal > at ? 1 : goal < at ? -1 : 0;
}

static void go_away(uint32_t player, uint32_t ms) {
    packets_end(player);
    W.clients[player].gateway = NOBODY;
    W.clients[player].login_ms = W.ms + ms;
    W.clients[player].is_moving = false;
}

void client_gateway_died(uint32_t index) {
    for (uint32_t n = 0; n < PLAYERS; n++)
        if (W.clients[n].gateway == index) go_away(n, 200 + draw(1500));
}

static bool is_draining(uint32_t index) {
    const struct directory *d = &W.gateways[index].compass.directory;
    return index < d->gateway_count && d->gateways[index].state == WIRE_GATEWAY_DRAINING;
}

static void log_in(uint32_t player) {
    struct client *c = &W.clients[player];
    uint32_t g = draw(GATEWAYS);
    if (is_draining(g)) g = (g + 1) % GATEWAYS;
    c->login_ms = W.ms + 100;
    if (!process_runs(NODE_GATEWAY + g) || W.gateways[g].compass.directory.version == 0) return;
    c->heard_ms = W.ms;
    c->asked_ms = 0;
    gateway_login(g, player);
}

/* walk makes the next input: towards the goal, from where some zone saw the player last. */
static uint8_t walk(struct client *c) {
    if (W.is_quiet) return FRAME_MOVE(0, 0);
    if ((c->x == c->goal_x && c->y == c->goal_y) || chance(100)) {
        c->goal_x = (int32_t)draw(RECTS * SIDE_M);
        c->goal_y = (int32_t)draw(SIDE_M);
    }
    return FRAME_MOVE(step_to(c->goal_x, c->x), step_to(c->goal_y, c->y));
}

static void send_packet(uint32_t player) {
    struct client *c = &W.clients[player];
    c->packet_ms = W.ms + PACKET_MS;
    c->seq++;
    c->sent++;
    c->moves[c->seq % FRAME_COMMANDS_MAX] = walk(c);
    struct frame_input frame = {.newest_seq = c->seq};
    frame.count = c->seq < FRAME_COMMANDS_MAX ? (uint8_t)c->seq : FRAME_COMMANDS_MAX;
    for (uint16_t i = 0; i < frame.count; i++) {
        uint16_t seq = (uint16_t)(c->seq - i);
        frame.commands[i] = (struct frame_command){.move = c->moves[seq % FRAME_COMMANDS_MAX], .aim = seq};
    }
    packets_input(player, &frame);
}

static void play(uint32_t player) {
    struct client *c = &W.clients[player];
    const struct session *session = gateway_session(c->gateway, player);
    if (process_runs(NODE_GATEWAY + c->gateway)) c->heard_ms = W.ms;
    if (W.ms - c->heard_ms > PATIENCE_MS || (!W.is_quiet && W.weather.leaves && chance(4000))) {
        trace("client %u is away", player); /* its session is still there */
        go_away(player, 50 + draw(200));
    } else if (!process_runs(NODE_GATEWAY + c->gateway)) {
        return;
    } else if (!session) {
        go_away(player, 50);
    } else if (is_draining(c->gateway) && chance(100)) {
        trace("client %u moves", player);
        go_away(player, 1);
        for (uint32_t z = 0; z < SLOTS; z++) c->is_moving |= W.zones[z].bodies[player].is_here;
    } else if ((!W.is_quiet && W.weather.leaves && chance(4000)) || (is_draining(c->gateway) && chance(200))) {
        gateway_leave(c->gateway, player);
        go_away(player, 20 + draw(500));
    } else if (W.ms >= c->packet_ms) {
        send_packet(player);
    }
}

void client_step(void) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        if (W.clients[n].gateway != NOBODY) {
            play(n);
        } else if (W.ms >= W.clients[n].login_ms) {
            log_in(n);
        }
    }
}
