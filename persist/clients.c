#include "persist/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"
#include "common/pool.h"
#include "common/shard.h"
#include "persist/motion.h"
#include "schemas/link.h"

#define UPDATE_S 0.02

_Static_assert(WIRE_CLIENT_BYTES_MAX <= CLIENTS_BLOB_BYTES, "any message fits");

/* What a gateway is to be told with the next message. */
struct gateway_outbox {
    uint32_t claimed_count, message_count, ended_count, blob_len;
    struct wire_session_claimed claimed[WIRE_CLAIMS_MAX];
    struct wire_message messages[CLIENTS_MESSAGES_MAX];
    struct wire_session_ended ended[WIRE_CLAIMS_MAX];
    uint8_t blob[CLIENTS_BLOB_BYTES];
};

struct gate {
    struct clients *clients;
    uint32_t index;
    struct link link;
    ev_io readable;
    struct gateway_outbox outbox;
};

/* A claim under way. */
struct claiming {
    struct handle handle;
    struct clients *clients;
    struct client client;
    uint64_t epoch;
};

struct clients {
    struct clients_config config;
    struct ev_loop *loop;
    struct wire_builder *builder, *message_builder;
    struct pool claims;
    struct clients_stats stats;
    ev_timer timer;
    ev_prepare prepare;
    uint32_t count;
    struct gate *gates[CONFIG_GATEWAYS_MAX];
};

static uint64_t now_ms(void) {
    return wall_now_ns() / NS_PER_MS;
}

/* --- sending */

/* Sends what waits; where the bus has no room for it, it is lost. */
static void flush(struct gate *gate) {
    struct gateway_outbox *box = &gate->outbox;
    if (box->claimed_count + box->message_count + box->ended_count == 0) return;
    struct wire_persist_sessions sessions = {.claimed = box->claimed,
                                             .messages = box->messages,
                                             .ended = box->ended,
                                             .blob = box->blob,
                                             .claimed_count = box->claimed_count,
                                             .message_count = box->message_count,
                                             .ended_count = box->ended_count,
                                             .blob_len = box->blob_len};
    box->claimed_count = box->message_count = box->ended_count = box->blob_len = 0;
    if (gate->link.state != LINK_UP) return;
    struct wire_bytes bytes;
    int error = wire_persist_sessions_pack(gate->clients->builder, &sessions, &bytes);
    CHECK(error == 0);
    if (link_send(&gate->link, bytes)) gate->clients->stats.dropped++;
}

/* The gateway of a holder, NULL when that process is not there any more. */
static struct gate *gate_of(const struct clients *clients, const struct session_holder *holder) {
    if (holder->gateway >= clients->count) return NULL;
    struct gate *gate = clients->gates[holder->gateway];
    return gate->link.state == LINK_UP && gate->link.peer.incarnation == holder->incarnation ? gate : NULL;
}

static void send_bytes(struct gate *gate, uint64_t session, const uint8_t *bytes, size_t len) {
    struct gateway_outbox *box = &gate->outbox;
    if (box->message_count == CLIENTS_MESSAGES_MAX || len > CLIENTS_BLOB_BYTES - box->blob_len) flush(gate);
    memcpy(box->blob + box->blob_len, bytes, len);
    box->messages[box->message_count++] =
        (struct wire_message){.session = session, .offset = box->blob_len, .len = (uint32_t)len};
    box->blob_len += (uint32_t)len;
    gate->clients->stats.messages++;
}

void clients_tell(struct clients *clients, const struct client *client, const struct wire_server_message *message) {
    struct gate *gate = gate_of(clients, &client->holder);
    if (!gate) return;
    struct wire_bytes bytes;
    int error = wire_server_message_pack(clients->message_builder, message, &bytes);
    CHECK(error == 0);
    send_bytes(gate, client->holder.session, bytes.data, bytes.len);
}

bool clients_tell_player(struct clients *clients, uint64_t player, const struct wire_server_message *message) {
    const struct session_entry *entry = sessions_lookup(clients->config.sessions, player);
    if (!entry) return false;
    clients_tell(clients, &(struct client){.player = player, .holder = entry->holder}, message);
    return true;
}

bool clients_tell_bytes(struct clients *clients, uint64_t player, const uint8_t *bytes, size_t len) {
    const struct session_entry *entry = sessions_lookup(clients->config.sessions, player);
    struct gate *gate = entry ? gate_of(clients, &entry->holder) : NULL;
    if (!gate || len > WIRE_CLIENT_BYTES_MAX) return false;
    send_bytes(gate, entry->holder.session, bytes, len);
    return true;
}

static void end_session(struct clients *clients, uint64_t player, const struct session_holder *holder, uint64_t epoch,
                        enum wire_ended_reason reason) {
    struct gate *gate = gate_of(clients, holder);
    if (!gate) return;
    struct gateway_outbox *box = &gate->outbox;
    if (box->ended_count == WIRE_CLAIMS_MAX) flush(gate);
    box->ended[box->ended_count++] = (struct wire_session_ended){
        .session = holder->session, .player = player, .session_epoch = epoch, .reason = (uint32_t)reason};
    clients->stats.ended++;
}

void clients_ended(struct clients *clients, const struct session_entry *entry, enum wire_ended_reason reason) {
    end_session(clients, entry->player, &entry->holder, entry->epoch, reason);
}

const char *clients_region(const struct clients *clients, uint64_t player) {
    const struct session_entry *entry = sessions_lookup(clients->config.sessions, player);
    if (!entry || entry->holder.gateway >= clients->count) return NULL;
    return clients->config.config->gateways[entry->holder.gateway].region;
}

/* --- claims */

static void answer_claim(struct clients *clients, const struct client *client, uint64_t epoch, enum wire_claim_result result,
                         const struct wire_player_state *state) {
    struct gate *gate = gate_of(clients, &client->holder);
    clients->stats.claims_unavailable += result == WIRE_CLAIM_UNAVAILABLE;
    clients->stats.claims_refused += result == WIRE_CLAIM_REFUSED || result == WIRE_CLAIM_TOKEN_USED;
    if (!gate) return;
    struct gateway_outbox *box = &gate->outbox;
    if (box->claimed_count == WIRE_CLAIMS_MAX) flush(gate);
    box->claimed[box->claimed_count++] = (struct wire_session_claimed){.session = client->holder.session,
                                                                       .player = client->player,
                                                                       .session_epoch = epoch,
                                                                       .x = state ? state->x : 0,
                                                                       .y = state ? state->y : 0,
                                                                       .result = (uint32_t)result,
                                                                       .flags = state ? WIRE_CLAIMED_POSITION_KNOWN : 0};
    struct wire_session_claimed *claimed = &box->claimed[box->claimed_count - 1];
    if (result == WIRE_CLAIM_OK && clients->config.whereabouts(clients->config.ctx, client->player, &claimed->zone))
        claimed->flags |= WIRE_CLAIMED_ZONE_KNOWN;
}

/* The last step of a claim: where the player was. */
static void loaded(void *ctx, enum wire_load_result result, const struct wire_player_state *state) {
    struct claiming *claiming = ctx;
    struct clients *clients = claiming->clients;
    bool unavailable = result == WIRE_LOAD_UNAVAILABLE;
    answer_claim(clients, &claiming->client, claiming->epoch, unavailable ? WIRE_CLAIM_UNAVAILABLE : WIRE_CLAIM_OK,
                 result == WIRE_LOAD_KNOWN ? state : NULL);
    if (!unavailable) {
        const char *region = clients->config.config->gateways[claiming->client.holder.gateway].region;
        clients->config.seen(clients->config.ctx, claiming->client.player, region);
    }
    pool_give(&clients->claims, claiming->handle);
}

static void claimed(void *ctx, const struct session_claim *claim, const struct session_claimed *answer) {
    static const enum wire_claim_result results[SESSION_RESULT_COUNT] = {[SESSION_OK] = WIRE_CLAIM_OK,
                                                                         [SESSION_TOKEN_USED] = WIRE_CLAIM_TOKEN_USED,
                                                                         [SESSION_UNAVAILABLE] = WIRE_CLAIM_UNAVAILABLE};
    struct claiming *claiming = ctx;
    struct clients *clients = claiming->clients;
    if (answer->took_over) end_session(clients, claim->player, &answer->former, answer->former_epoch, WIRE_ENDED_TAKEN_OVER);
    enum wire_claim_result result = results[answer->result];
    claiming->epoch = answer->epoch;
    if (result == WIRE_CLAIM_OK) {
        if (motion_look(clients->config.motion, claim->player, answer->epoch, loaded, claiming, mono_now()) == 0) return;
        result = WIRE_CLAIM_UNAVAILABLE;
    }
    answer_claim(clients, &claiming->client, answer->epoch, result, NULL);
    pool_give(&clients->claims, claiming->handle);
}

static void take_claim(struct gate *gate, const struct wire_session_claim *in) {
    struct clients *clients = gate->clients;
    struct client client = {
        .player = in->player,
        .holder = {.session = in->session, .incarnation = gate->link.peer.incarnation, .gateway = gate->index}};
    clients->stats.claims++;
    if (!player_id_valid(in->player) ||
        shard_of_player(in->player, clients->config.config->persists_count) != clients->config.shard_index) {
        answer_claim(clients, &client, 0, WIRE_CLAIM_REFUSED, NULL);
        return;
    }
    struct handle handle = pool_take(&clients->claims);
    struct claiming *claiming = pool_get(&clients->claims, handle);
    if (!claiming) {
        answer_claim(clients, &client, 0, WIRE_CLAIM_UNAVAILABLE, NULL);
        return;
    }
    *claiming = (struct claiming){.handle = handle, .clients = clients, .client = client};
    struct session_claim claim = {.player = in->player,
                                  .holder = client.holder,
                                  .token_lo = in->token_lo,
                                  .token_hi = in->token_hi,
                                  .token_expires_s = in->token_expires_s};
    if (sessions_claim(clients->config.sessions, &claim, now_ms(), claimed, claiming) == 0) return;
    answer_claim(clients, &client, 0, WIRE_CLAIM_UNAVAILABLE, NULL);
    pool_give(&clients->claims, handle);
}

/* --- the rest of what gateways say */

static void take_refresh(struct gate *gate, const struct wire_session_ref *ref) {
    struct clients *clients = gate->clients;
    struct session_holder holder = {ref->session, gate->link.peer.incarnation, gate->index};
    clients->stats.refreshes++;
    sessions_refresh(clients->config.sessions, ref->player, ref->session_epoch, &holder, now_ms());
}

static void take_command(struct gate *gate, const struct wire_session_command *in, const uint8_t *blob) {
    struct clients *clients = gate->clients;
    struct client client = {in->player, {in->session, gate->link.peer.incarnation, gate->index}};
    struct wire_client_message message;
    clients->stats.commands++;
    if (!player_id_valid(in->player) || in->len > WIRE_CLIENT_BYTES_MAX ||
        wire_client_message_read(blob + in->offset, in->len, &message) || message.kind != WIRE_CLIENT_COMMAND) {
        clients->stats.commands_bad++;
        return;
    }
    const struct session_entry *entry = sessions_lookup(clients->config.sessions, in->player);
    if (!entry) {
        sessions_refresh(clients->config.sessions, in->player, in->session_epoch, &client.holder, now_ms());
        entry = sessions_lookup(clients->config.sessions, in->player);
    }
    if (!entry || entry->epoch != in->session_epoch) {
        clients->stats.commands_stale++;
        end_session(clients, in->player, &client.holder, in->session_epoch, WIRE_ENDED_TAKEN_OVER);
        return;
    }
    clients->config.command(clients->config.ctx, &client, &message.command);
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct gate *gate = context;
    struct clients *clients = gate->clients;
    const struct wire_gateway_claims *in = &view->gateway_claims;
    for (uint32_t i = 0; i < in->claim_count; i++) take_claim(gate, &in->claims[i]);
    for (uint32_t i = 0; i < in->refresh_count; i++) take_refresh(gate, &in->refreshes[i]);
    if (in->refresh_count > 0) sessions_flush(clients->config.sessions);
    for (uint32_t i = 0; i < in->command_count; i++) take_command(gate, &in->commands[i], in->blob);
    for (uint32_t i = 0; i < in->end_count; i++) {
        clients->stats.ends++;
        sessions_end(clients->config.sessions, in->ends[i].player, in->ends[i].session_epoch);
    }
}

static void up(void *context, bool is_same, struct mono now) {
    (void)now;
    struct gate *gate = context;
    gate->outbox.claimed_count = gate->outbox.message_count = gate->outbox.ended_count = gate->outbox.blob_len = 0;
    if (!is_same) sessions_gateway_started(gate->clients->config.sessions, gate->index, gate->link.peer.incarnation);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct gate *gate = io->data;
    struct mono now = mono_now();
    link_update(&gate->link, now);
    link_receive(&gate->link, now);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct clients *clients = timer->data;
    struct mono now = mono_now();
    for (uint32_t i = 0; i < clients->count; i++) {
        link_update(&clients->gates[i]->link, now);
        link_receive(&clients->gates[i]->link, now);
    }
}

/* Before the loop sleeps: what this turn has to tell goes out in one message each. */
static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events) {
    (void)loop, (void)events;
    struct clients *clients = prepare->data;
    for (uint32_t i = 0; i < clients->count; i++) flush(clients->gates[i]);
}

/* --- opening */

static int open_gate(struct clients *clients, uint32_t index, char *error, size_t error_size) {
    const struct clients_config *config = &clients->config;
    const char *name = config->config->gateways[index].name;
    char url[EDGE_URL_SIZE];
    int result =
        edge_url(config->config, config->run_dir, EDGE_PERSIST_GATEWAY, config->shard_index, index, url, sizeof url);
    if (result) {
        snprintf(error, error_size, "no address for the edge to %s: %s", name, march_error_text(result));
        return result;
    }
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate) return MARCH_ERR_SYSTEM;
    clients->gates[index] = gate;
    clients->count = index + 1;
    gate->clients = clients;
    gate->index = index;
    struct link_config link = {.hello = config->hello,
                               .peer = {.role = WIRE_ROLE_GATEWAY, .kind = WIRE_BUS_GATEWAY_CLAIMS},
                               .bus = {.url = url,
                                       .role = BUS_LISTEN,
                                       .peer_name = name,
                                       .key = config->key,
                                       .queue_max_bytes = config->config->bus.queue_bytes_max},
                               .builder = clients->builder,
                               .handlers = {.context = gate, .up = up, .message = take}};
    result = link_open(&gate->link, &link, mono_now(), error, error_size);
    if (result) return result;
    ev_io_init(&gate->readable, on_readable, bus_edge_fd(gate->link.edge), EV_READ);
    gate->readable.data = gate;
    ev_io_start(clients->loop, &gate->readable);
    return 0;
}

int clients_open(struct clients **out, struct ev_loop *loop, const struct clients_config *config, char *error,
                 size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct clients *clients = calloc(1, sizeof *clients);
    if (!clients) return MARCH_ERR_SYSTEM;
    clients->config = *config;
    clients->loop = loop;
    clients->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    clients->message_builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    ev_timer_init(&clients->timer, on_timer, UPDATE_S, UPDATE_S);
    ev_prepare_init(&clients->prepare, on_prepare);
    clients->timer.data = clients->prepare.data = clients;
    int result = pool_init(&clients->claims, SESSIONS_CLAIMS_MAX, sizeof(struct claiming));
    if (!clients->builder || !clients->message_builder) result = MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; result == 0 && i < config->config->gateways_count; i++)
        result = open_gate(clients, i, error, error_size);
    if (result) {
        clients_close(clients);
        return result;
    }
    ev_timer_start(loop, &clients->timer);
    ev_prepare_start(loop, &clients->prepare);
    *out = clients;
    return 0;
}

void clients_close(struct clients *clients) {
    if (!clients) return;
    ev_timer_stop(clients->loop, &clients->timer);
    ev_prepare_stop(clients->loop, &clients->prepare);
    for (uint32_t i = 0; i < clients->count; i++) {
        if (clients->gates[i]->link.edge) ev_io_stop(clients->loop, &clients->gates[i]->readable);
        link_close(&clients->gates[i]->link);
        free(clients->gates[i]);
    }
    wire_builder_destroy(clients->builder);
    wire_builder_destroy(clients->message_builder);
    pool_deinit(&clients->claims);
    free(clients);
}

struct clients_stats clients_stats(const struct clients *clients) {
    struct clients_stats stats = clients->stats;
    for (uint32_t i = 0; i < clients->count; i++) {
        stats.up += clients->gates[i]->link.state == LINK_UP;
        stats.bad += clients->gates[i]->link.stats.bad;
    }
    return stats;
}
