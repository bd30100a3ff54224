/* packets.c: between a gateway and its clients: the real channel.h at both ends, and packets that are lost, late, in another
 * order, and there twice. Who has begun another session hears nothing of the one before. See world.h. */
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

#define DARK_MS  800
#define LOST_MAX 4

static const struct channel_config client_config = {
    .accept = CHANNEL_ACCEPT_AT_CLIENT, .message_bytes_max = 1, .send_blocks_max = 1};

void packets_begin(uint32_t player, uint32_t gateway, uint64_t session) {
    struct client *c = &W.clients[player];
    packets_end(player);
    c->session = session;
    c->gateway = gateway;
    channel_init(&c->channel, &client_config, &W.blocks);
    sight_forget(c);
}

void packets_end(uint32_t player) {
    struct client *c = &W.clients[player];
    c->session = 0;
    for (uint32_t i = 0; i < DATAGRAMS; i++) c->down[i].len = c->up[i].len = 0;
}

/* put sends a packet on its way; where there is no place it is lost, too. `lost` counts those in a row: in a calm run not so
 * many that an input is told in none that arrives. */
static void put(struct datagram *list, uint32_t *lost, uint32_t gateway, uint64_t session, const uint8_t *bytes,
                size_t len) {
    uint32_t copies = W.is_quiet ? 1 : chance(8) ? 0 : chance(20) ? 2 : 1;
    CHECK(len <= DATAGRAM_MAX);
    if (W.weather.is_calm && *lost == LOST_MAX) copies = 1;
    *lost = copies == 0 ? *lost + 1 : 0;
    for (uint32_t i = 0; i < DATAGRAMS && copies > 0; i++) {
        if (list[i].len != 0) continue;
        list[i].deliver_ms = W.ms + 1 + draw(W.weather.delay_ms) + (!W.is_quiet && chance(20) ? draw(200) : 0);
        list[i].gateway = gateway;
        list[i].session = session;
        list[i].len = (uint16_t)len;
        memcpy(list[i].bytes, bytes, len);
        copies--;
    }
}

/* --- to the client */

void packets_snapshot(struct gateway *g, struct session *session, const struct message *m) {
    uint8_t bytes[DATAGRAM_MAX];
    uint32_t player = player_of(session->player);
    struct channel *channel = session_channel(&g->sessions, session);
    struct channel_packet packet;
    channel_begin(channel, &packet, bytes, sizeof bytes);
    if (channel_put_snapshot(&packet, m->snapshot.seq, m->snapshot.bytes, m->snapshot.len) != 0)
        fail_run("gateway %u can't send a snapshot", g->index);
    size_t len = channel_finish(channel, now(), &packet);
    if (W.clients[player].gateway != g->index) return; /* nobody is there any more */
    put(W.clients[player].down, &W.clients[player].down_lost, g->index, session_handle(&g->sessions, session), bytes, len);
}

static void client_reads(uint32_t player, const struct datagram *d) {
    struct client *c = &W.clients[player];
    struct channel_received received;
    struct frame frame;
    int error = channel_read(&c->channel, now(), d->bytes, d->len, &received);
    if (error == MARCH_ERR_INVALID) fail_run("player %u can't read a packet", player);
    while (!error && frame_next(&received.frames, &frame) == 1)
        if (frame.type == FRAME_SNAPSHOT && !sight_take(player, frame.snapshot.bytes, frame.snapshot.len))
            channel_unread(&c->channel, &received);
}

/* --- from the client */

void packets_input(uint32_t player, const struct frame_input *input) {
    struct client *c = &W.clients[player];
    uint8_t bytes[DATAGRAM_MAX];
    struct channel_packet packet;
    channel_begin(&c->channel, &packet, bytes, sizeof bytes);
    CHECK(frame_write_input(&packet.frames, input) == 0);
    size_t len = channel_finish(&c->channel, now(), &packet);
    if (W.weather.cuts && chance(100)) c->dark_ms = W.ms + draw(DARK_MS);
    if (c->dark_ms > W.ms) return;
    put(c->up, &c->up_lost, c->gateway, c->session, bytes, len);
}

static void gateway_reads(uint32_t player, const struct datagram *d) {
    struct session *session = gateway_session(d->gateway, player);
    if (!process_runs(NODE_GATEWAY + d->gateway) || !session) return;
    if (session_handle(&W.gateways[d->gateway].sessions, session) == d->session)
        gateway_packet(d->gateway, session, d->bytes, d->len);
}

/* --- a step */

static bool is_there(const struct datagram *d) {
    return d->len != 0 && d->deliver_ms <= W.ms;
}

static struct datagram take(struct datagram *d) {
    struct datagram taken = *d;
    d->len = 0;
    return taken;
}

void packets_step(void) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct client *c = &W.clients[n];
        for (uint32_t i = 0; i < DATAGRAMS; i++) {
            if (is_there(&c->down[i])) {
                struct datagram d = take(&c->down[i]);
                if (c->gateway == d.gateway && c->session == d.session) client_reads(n, &d);
            }
            if (is_there(&c->up[i])) {
                struct datagram d = take(&c->up[i]);
                gateway_reads(n, &d);
            }
        }
    }
}
