/* bot.c: the life of one bot: it connects, plays what its behaviour decides, and comes back or stays away when it is
 * dropped. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "schemas/wire.h"
#include "tools/swarm/ledger_file.h"
#include "tools/swarm/swarm_inner.h"

static void follow_server(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    struct march_address to = march_client_server_address(bot->client);
    struct addr server = {.port = to.port, .family = to.family};
    memcpy(server.bytes, to.bytes, sizeof(server.bytes));
    if (s->options.server.family != ADDR_NONE) server = s->options.server;
    if (server.family == ADDR_NONE || addr_equal(&server, &bot->server)) return;
    bot->server = server;
    udp_pool_set_server(s->pool, index, &server);
}

static void send_packet(void *context, const uint8_t *packet, size_t len) {
    struct swarm *s = context;
    s->packets_made++;
    follow_server(s, s->sending); /* while it moves to another gateway it has two */
    udp_pool_send(s->pool, s->sending, packet, len);
}

/* --- a command's end */

static void end_order(struct swarm *s, uint32_t index) {
    struct dealer *d = &s->market.dealers[index];
    ledger_file_write(s->ledger, d->player, &d->order, wall_now_ns());
    s->report->command_repeats += d->order.sends > 0 ? d->order.sends - 1 : 0;
    if (d->order.status == ORDER_UNKNOWN) {
        s->report->commands_unknown++;
    } else {
        s->report->commands++;
        if (d->order.status < MARCH_STATUS_COUNT) s->report->statuses[d->order.status]++;
        if (d->order.command.verb < MARCH_VERB_COUNT)
            histogram_record(&s->report->command_ns[d->order.command.verb],
                             (swarm_now_ms(s) - d->order.begun_ms) * NS_PER_MS);
    }
    dealer_done(&s->market, index);
    order_end(&d->order);
    d->next_ms = swarm_now_ms(s) + s->options.pace_ms / 2 + mind_draw(&s->bots[index].mind, s->options.pace_ms + 1);
}

void bot_give_up(struct swarm *s, uint32_t index) {
    struct order *order = &s->market.dealers[index].order;
    if (order->state == ORDER_NONE) return;
    order->status = ORDER_UNKNOWN;
    end_order(s, index);
}

static void take_result(struct swarm *s, uint32_t index, const struct march_result *result) {
    struct order *order = &s->market.dealers[index].order;
    if (order_answer(order, result, swarm_now_ms(s))) {
        end_order(s, index);
    } else if (order->state == ORDER_DUE && result->key == order->command.key) {
        s->report->unavailable++;
    }
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

/* mint makes a token for one of the gateways that have an address of our family. The bots are spread over them, also when
 * they come back: together they would all go from one that has died to the next. */
static int mint(struct swarm *s, uint32_t index, uint8_t token[NETCODE_TOKEN_BYTES]) {
    const struct access *access = &s->options.access;
    const struct addr *server = &s->options.server;
    uint8_t family = server->family == ADDR_NONE ? s->options.family : ADDR_NONE;
    uint32_t first = s->bots[index].tries++ == 0 ? index : mind_draw(&s->bots[index].mind, access->gateway_count);
    if (server->family != ADDR_NONE) first = gateway_behind(access, server);
    int result = MARCH_ERR_NOT_FOUND;
    for (uint32_t i = 0; i < access->gateway_count && result != 0; i++)
        result = access_mint(access, token, player_of(s, index), (first + i) % access->gateway_count, family, s->wall_s,
                             access->token_lifetime_s);
    return result;
}

/* lose is for a bot that could not connect or was dropped. */
static void lose(struct swarm *s, uint32_t index, const char *why) {
    struct bot *bot = &s->bots[index];
    bool forever = s->options.duration_s == 0 || s->options.reconnects;
    bool played = bot->state == BOT_PLAYING;
    if (!s->options.reconnects)
        fprintf(stderr, "client %" PRIu32 " %s: %s\n", index, played ? "was dropped" : "could not connect", why);
    if (s->options.reconnects)
        bot->came_back = bot->came_back || played;
    else
        s->report->disconnected += played;
    bot->marked = false;
    if (swarm_deals(s)) {
        dealer_leave(&s->market, index);
        if (!forever) bot_give_up(s, index);
    }
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

static void enter_world(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    if (swarm_deals(s)) dealer_enter(&s->market, index, swarm_now_ms(s));
    if (s->queuers != NULL) queuer_enter(&s->queuers[index]);
    set_state(s, bot, BOT_PLAYING);
    histogram_record(&s->report->connect_ns, mono_since_ns(s->now, bot->tried));
    s->report->connected += !bot->connected_once;
    s->report->reconnects += bot->came_back;
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
        if (bot->state == BOT_CONNECTING) enter_world(s, index);
        break;
    case MARCH_CLIENT_DISCONNECTED:
        if (s->phase != SWARM_LEAVE) lose(s, index, march_client_reason_text(march_client_reason(bot->client)));
        break;
    default: follow_server(s, index);
    }
}

/* --- things of value */

/* deal asks for something new when it is time, and sends what is due. */
static void deal(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    struct dealer *d = &s->market.dealers[index];
    uint64_t now_ms = swarm_now_ms(s);
    if (order_is_hopeless(&d->order, now_ms)) bot_give_up(s, index);
    if (d->order.state == ORDER_NONE && s->phase == SWARM_PLAY && !s->ending && now_ms >= d->next_ms) {
        struct march_command command;
        d->next_ms = now_ms + s->options.pace_ms;
        if (dealer_decide(&s->market, index, s->options.behaviour, &bot->mind, &command)) {
            do randombytes_buf(&command.key, sizeof(command.key));
            while (command.key == 0);
            order_begin(&d->order, &command, now_ms, wall_now_ns());
        }
    }
    if (!order_is_due(&d->order, now_ms)) return;
    if (march_client_command(bot->client, s->now.ns, &d->order.command) == 0) order_sent(&d->order, now_ms);
}

/* --- matches */

/* ask_for_matches sends what the bot wants of the matchmaker; where there is no room, it asks again. */
static void ask_for_matches(struct swarm *s, uint32_t index) {
    struct march_client *client = s->bots[index].client;
    struct queuer_ask ask;
    bool may_enter = s->phase == SWARM_PLAY && !s->ending;
    if (!queuer_decide(&s->queuers[index], may_enter, s->now.ns, &s->report->matches, &ask)) return;
    const struct march_wish wish = {
        .mode = s->options.mode, .latency_count = s->options.latency_count, .latencies = s->options.latencies};
    switch (ask.kind) {
    case QUEUER_ASK_ENTER: (void)march_client_enter(client, s->now.ns, &wish); break;
    case QUEUER_ASK_TICKET: (void)march_client_ticket(client, s->now.ns, ask.ticket); break;
    case QUEUER_ASK_PARTY: (void)march_client_party(client, s->now.ns, ask.party, ask.player); break;
    }
}

/* rise has a bot that was killed stand again, a moment later. */
static void rise(struct swarm *s, struct bot *bot) {
    struct wire_client_message message = {.kind = WIRE_CLIENT_RESPAWN};
    struct wire_bytes bytes;
    if (bot->respawn_at_ms == 0 || swarm_now_ms(s) < bot->respawn_at_ms) return;
    if (wire_client_message_pack(s->builder, &message, &bytes) != 0) return;
    if (march_client_send(bot->client, s->now.ns, bytes.data, bytes.len) == 0) bot->respawn_at_ms = 0;
}

/* --- play */

static void note_zone(struct swarm *s, struct bot *bot, bool is_back) {
    s->report->zone_lost += !is_back;
    s->report->zone_back += is_back;
    bot->speech.may_skip = bot->speech.said > bot->speech.expected;
}

/* enter takes in where the world is, and whether a bot that came back is who it was. */
static void enter(struct swarm *s, struct bot *bot, const struct march_welcome *welcome) {
    mind_enter(&bot->mind, welcome);
    s->report->resumed += bot->came_back && bot->entity == welcome->entity;
    bot->came_back = false;
    bot->entity = welcome->entity;
    bot->respawn_at_ms = 0;
}

static void note_move(struct swarm *s, const struct march_moved *moved) {
    s->report->moves += moved->moved;
    s->report->moves_failed += !moved->moved;
    s->report->moved_to_another += moved->moved && !moved->same_entity;
}

static void hear_event(struct swarm *s, uint32_t index, const struct march_event *event) {
    struct bot *bot = &s->bots[index];
    switch (event->kind) {
    case MARCH_EVENT_OTHER: s->report->messages_malformed++; break;
    case MARCH_EVENT_WELCOME: enter(s, bot, &event->welcome); break;
    case MARCH_EVENT_MOVED: note_move(s, &event->moved); break;
    case MARCH_EVENT_RECONNECT: break; /* the library sees to it */
    case MARCH_EVENT_ZONE: note_zone(s, bot, event->zone_back); break;
    case MARCH_EVENT_HEARD:
        if (event->heard.player != player_of(s, index)) break;
        s->report->heard_own++;
        s->report->messages_out_of_order += speech_hear(&bot->speech, event->heard.text) == SPEECH_DISORDER;
        break;
    case MARCH_EVENT_DIED: bot->respawn_at_ms = swarm_now_ms(s) + SWARM_RESPAWN_MS; break;
    case MARCH_EVENT_RESPAWNED: bot->respawn_at_ms = 0; break;
    case MARCH_EVENT_PROGRESS: s->report->levels++; break;
    case MARCH_EVENT_RESULT:
        if (swarm_deals(s)) take_result(s, index, &event->result);
        break;
    default:
        if (swarm_deals(s)) dealer_hear(&s->market, index, event);
        if (s->queuers != NULL) queuer_hear(&s->queuers[index], event, s->now.ns, &s->report->matches);
    }
}

/* hear takes what the server says. */
static void hear(struct swarm *s, uint32_t index) {
    struct march_event event;
    while (march_client_next_event(s->bots[index].client, &event) > 0) hear_event(s, index, &event);
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

/* note_place has the ledger tell where a bot sees itself. */
static void note_place(struct swarm *s, uint32_t index, size_t count) {
    struct bot *bot = &s->bots[index];
    double tick = march_client_view_tick(bot->client, s->now.ns);
    if (s->ledger == NULL || tick <= 0 || swarm_now_ms(s) < bot->next_place_ms) return;
    for (size_t i = 0; i < count; i++) {
        if (!s->seen[i].own) continue;
        bot->next_place_ms = swarm_now_ms(s) + SWARM_PLACE_MS;
        ledger_file_seen(s->ledger, player_of(s, index), (uint32_t)(uint64_t)tick, wall_now_ns(), s->seen[i].x_m,
                         s->seen[i].y_m);
    }
}

static void think(struct swarm *s, uint32_t index) {
    struct bot *bot = &s->bots[index];
    if (swarm_now_ms(s) < bot->next_thought_ms) return;
    enum behaviour behaviour = s->options.behaviour;
    size_t max = behaviour_sees(behaviour);
    size_t count = max == 0 ? 0 : march_client_entities(bot->client, s->now.ns, s->seen, max);
    note_place(s, index, count);
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
        think(s, index);
        hear(s, index);
        say(s, bot);
        if (swarm_deals(s)) deal(s, index);
        if (s->queuers != NULL) ask_for_matches(s, index);
        if (swarm_deals(s) || s->queuers != NULL || s->options.behaviour == BEHAVIOUR_COMMUTE) rise(s, bot);
    }
    bool sent = bot->state != BOT_IDLE && update(s, index);
    follow_client(s, index);
    schedule(s, index, sent);
}

void bot_take_gap(void *context, const struct march_gap *gap) {
    struct swarm *s = context;
    struct bot *bot = &s->bots[s->receiving];
    struct march_entity own;
    continuity_snapshot(&s->continuity, &bot->continuity, s->now, gap, s->phase == SWARM_PLAY);
    if (s->queuers == NULL || !march_client_own(bot->client, &own)) return;
    queuer_place(&s->queuers[s->receiving], mind_is_beyond(&bot->mind, &own), s->now.ns, &s->report->matches);
}

void bot_take_packet(void *context, uint32_t index, uint8_t *packet, size_t len) {
    struct swarm *s = context;
    struct bot *bot = &s->bots[index];
    if (bot->state != BOT_CONNECTING && bot->state != BOT_PLAYING) return;
    s->receiving = index;
    (void)march_client_receive(bot->client, s->now.ns, packet, len);
    if (bot->state == BOT_PLAYING && march_client_state(bot->client) == MARCH_CLIENT_CONNECTED) {
        if (swarm_deals(s) || s->queuers != NULL) hear(s, index); /* at once: answers are timed */
        return;
    }
    if (bot->state == BOT_CONNECTING) (void)update(s, index); /* answer a challenge at once */
    follow_client(s, index);
}
