/* bot.c: the life of one bot: it connects, plays what its behaviour decides, and comes back or stays away when it is
 * dropped. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schemas/wire.h"
#include "tools/swarm/swarm_inner.h"

static void send_packet(void *context, const uint8_t *packet, size_t len) {
    struct swarm *s = context;
    s->packets_made++;
    udp_pool_send(s->pool, s->sending, packet, len);
}

/* --- a bot's life */

static uint64_t player_of(const struct swarm *s, uint32_t index) {
    return s->options.player_base + index + 1;
}

/* set_state moves a bot and keeps the counts. */
static void set_state(struct swarm *s, struct bot *bot, enum bot_state state) {
    s->playing += (state == BOT_PLAYING) - (uint32_t)(bot->state == BOT_PLAYING);
    bool waited = bot->state == BOT_IDLE || bot->state == BOT_CONNECTING;
    bool waits = state == BOT_IDLE || state == BOT_CONNECTING;
    s->waiting += (uint32_t)waits - (uint32_t)waited;
    bot->state = state;
}

/* gateway_behind returns the gateway that has the address all datagrams go to, or the first: then something between here
 * and there forwards them. */
static uint32_t gateway_behind(const struct access *access, const struct addr *server) {
    for (uint32_t i = 0; i < access->gateway_count; i++)
        for (uint32_t j = 0; j < access->gateways[i].count; j++)
            if (addr_equal(&access->gateways[i].addresses[j], server)) return i;
    return 0;
}

/* mint makes a token for one of the gateways that have an address of our family, spreading the bots over them. */
static int mint(struct swarm *s, uint32_t index, uint8_t token[NETCODE_TOKEN_BYTES]) {
    const struct access *access = &s->options.access;
    const struct addr *server = &s->options.server;
    uint8_t family = server->family == ADDR_NONE ? s->options.family : ADDR_NONE;
    uint32_t first = server->family == ADDR_NONE ? index : gateway_behind(access, server);
    int result = MARCH_ERR_NOT_FOUND;
    for (uint32_t i = 0; i < access->gateway_count && result != 0; i++)
        result = access_mint(access, token, player_of(s, index), (first + i) % access->gateway_count, family, s->wall_s,
                             access->token_lifetime_s);
    return result;
}

static void follow_server(struct swarm *s, uint32_t index) {
    struct march_address from = march_client_server_address(s->bots[index].client);
    struct addr server = {.port = from.port, .family = from.family};
    memcpy(server.bytes, from.bytes, sizeof(server.bytes));
    if (s->options.server.family != ADDR_NONE) server = s->options.server;
    if (server.family != ADDR_NONE) udp_pool_set_server(s->pool, index, &server);
}

/* lose is for a bot that could not connect or was dropped. */
static void lose(struct swarm *s, uint32_t index, const char *why) {
    struct bot *bot = &s->bots[index];
    bool forever = s->options.duration_s == 0;
    bool played = bot->state == BOT_PLAYING;
    fprintf(stderr, "client %" PRIu32 " %s: %s\n", index, played ? "was dropped" : "could not connect", why);
    s->report->disconnected += played;
    bot->marked = false;
    set_state(s, bot, forever ? BOT_IDLE : BOT_GONE);
}

static void try_connect(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    uint8_t token[NETCODE_TOKEN_BYTES];
    if (s->phase == SWARM_LEAVE || s->wall_s < s->options.access.mint_from_s) return; /* next time */
    bot->tried = s->now;
    if (mint(s, index, token) != 0 || march_client_connect(bot->client, token, s->now.ns, s->wall_s) != 0) {
        lose(s, index, "no token for it");
        return;
    }
    set_state(s, bot, BOT_CONNECTING);
    follow_server(s, index);
}

static void enter_world(struct swarm *s, struct bot *bot) {
    set_state(s, bot, BOT_PLAYING);
    histogram_record(&s->report->connect_ns, mono_since_ns(s->now, bot->tried));
    s->report->connected += !bot->connected_once;
    bot->connected_once = true;
    bot->next_thought_ms = 0;
    bot->speech.may_skip = bot->speech.said > bot->speech.expected;
}

/* follow_client moves a bot to where its client is. */
static void follow_client(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    if (bot->state != BOT_CONNECTING && bot->state != BOT_PLAYING) return;
    switch (march_client_state(bot->client)) {
    case MARCH_CLIENT_CONNECTED:
        if (bot->state == BOT_CONNECTING) enter_world(s, bot);
        break;
    case MARCH_CLIENT_DISCONNECTED:
        if (s->phase != SWARM_LEAVE) lose(s, index, march_client_reason_text(march_client_reason(bot->client)));
        break;
    default: follow_server(s, index);
    }
}

/* --- play */

static void note_zone(struct swarm *s, struct bot *bot, enum wire_zone_state state) {
    s->report->zone_lost += state == WIRE_ZONE_LOST;
    s->report->zone_back += state == WIRE_ZONE_BACK;
    bot->speech.may_skip = bot->speech.said > bot->speech.expected;
}

/* hear takes what the server says; a bot cares for its zone and for its own voice. */
static void hear(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    const uint8_t *bytes;
    struct wire_server_message message;
    for (int len; (len = march_client_next_message(bot->client, &bytes)) > 0;) {
        if (wire_server_message_read(bytes, (size_t)len, &message) != 0) {
            s->report->messages_malformed++;
        } else if (message.kind == WIRE_SERVER_WELCOME) {
            const struct wire_rect *rect = &message.welcome.rect;
            bot->mind.goal_x_m = ((float)rect->min_x + (float)rect->max_x) / 2;
            bot->mind.goal_y_m = ((float)rect->min_y + (float)rect->max_y) / 2;
        } else if (message.kind == WIRE_SERVER_ZONE_STATUS) {
            note_zone(s, bot, message.zone_state);
        } else if (message.kind == WIRE_SERVER_HEARD && message.heard.player == player_of(s, index)) {
            s->report->heard_own++;
            s->report->messages_out_of_order += speech_hear(&bot->speech, message.heard.text) == SPEECH_DISORDER;
        }
    }
}

/* say queues the next line when it is due; where there is no room, it is tried again at the next look. */
static void say(struct swarm *s, struct bot *bot) {
    const struct swarm_options *o = &s->options;
    uint64_t now_ms = swarm_now_ms(s);
    if (o->say_hz == 0 || s->phase != SWARM_PLAY || s->ending || now_ms < bot->speech.next_ms) return;
    struct wire_client_message line;
    struct wire_bytes bytes;
    speech_line(bot->speech.said, &line);
    if (wire_client_message_pack(s->builder, &line, &bytes) != 0) return;
    if (march_client_send(bot->client, s->now.ns, bytes.data, bytes.len) != 0) return;
    bot->speech.said++;
    bot->speech.next_ms = now_ms + 1000 / o->say_hz;
    s->report->said++;
}

static void think(struct swarm *s, struct bot *bot) {
    if (swarm_now_ms(s) < bot->next_thought_ms) return;
    enum behaviour behaviour = s->options.behaviour;
    size_t max = behaviour_sees(behaviour);
    size_t count = max == 0 ? 0 : march_client_entities(bot->client, s->now.ns, s->seen, max);
    struct march_input input = behaviour_decide(behaviour, &bot->mind, s->seen, count);
    march_client_input(bot->client, &input);
    bot->next_thought_ms = swarm_now_ms(s) + behaviour_wait_ms(behaviour, &bot->mind);
    struct march_stats stats;
    march_client_stats(bot->client, &stats);
    if (s->phase == SWARM_PLAY) histogram_record(&s->report->entities, stats.entities);
}

/* update lets a client send what is due; true when it sent something. */
static bool update(struct swarm *s, uint32_t index) {
    s->sending = index;
    s->packets_made = 0;
    march_client_update(s->bots[index].client, s->now.ns, send_packet, s);
    return s->packets_made > 0;
}

/* schedule puts a bot back into the wheel. A playing one comes every period; when it came a moment before its client was
 * due, it comes back a millisecond later, which moves it into step. */
static void schedule(struct swarm *s, uint32_t index, bool sent) {
    struct bot *bot = &s->bots[index];
    uint64_t now_us = s->now.ns / NS_PER_US;
    uint64_t wait_us = SWARM_CONNECTING_MS * 1000;
    if (bot->state == BOT_GONE) return;
    if (bot->state == BOT_IDLE) wait_us = SWARM_RETRY_MS * 1000;
    if (bot->state == BOT_PLAYING) wait_us = sent ? s->period_us : 1000;
    bot->due_us += wait_us;
    if (bot->due_us <= now_us || bot->due_us > now_us + wait_us) bot->due_us = now_us + wait_us;
    wheel_add(&s->wheel, index, bot->due_us / 1000);
}

void bot_look_at(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    if (swarm_now_ms(s) < bot->due_us / 1000) { /* farther off than the wheel reaches */
        wheel_add(&s->wheel, index, bot->due_us / 1000);
        return;
    }
    if (bot->state == BOT_IDLE) try_connect(s, index);
    if (bot->state == BOT_PLAYING) {
        think(s, bot);
        hear(s, index);
        say(s, bot);
    }
    bool sent = bot->state != BOT_IDLE && update(s, index);
    follow_client(s, index);
    schedule(s, index, sent);
}

void bot_take_packet(void *context, uint32_t index, uint8_t *packet, size_t len) {
    struct swarm *s = context;
    struct bot *bot = &s->bots[index];
    if (bot->state != BOT_CONNECTING && bot->state != BOT_PLAYING) return;
    (void)march_client_receive(bot->client, s->now.ns, packet, len);
    if (bot->state == BOT_PLAYING && march_client_state(bot->client) == MARCH_CLIENT_CONNECTED) return;
    if (bot->state == BOT_CONNECTING) (void)update(s, index); /* answer a challenge at once */
    follow_client(s, index);
}
