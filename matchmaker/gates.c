#include "matchmaker/gates.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/access.h"
#include "common/file.h"
#include "common/log.h"
#include "matchmaker/placement.h"

#define SENT_HALVES_MS 500 /* of the players sent to a gateway, half are taken to have come, or not to come */

_Static_assert(PLACEMENT_MAX *CONFIG_ADDRESSES_MAX <= NETCODE_TOKEN_SERVERS_MAX, "a token has room for all of them");

struct gate {
    uint64_t incarnation;  /* that the rest is of; 0: none */
    uint64_t mint_from_s;  /* it takes tokens of that second on */
    struct mono looked_at; /* at its addresses */
    struct access_gateway access;
    uint32_t sent; /* players, of late */
};

/* Where a player was sent to last. No player has the number 0. */
struct visit {
    uint64_t player;
    uint32_t gateway;
};

struct gates {
    struct gates_config config;
    uint8_t key[FILE_KEY_BYTES];
    struct mono halved_at;
    uint32_t count;
    struct gate gates[CONFIG_GATEWAYS_MAX];
    struct visit visits[GATES_PLAYERS];
};

int gates_open(struct gates **out, const struct gates_config *config, char *error, size_t error_size) {
    char path[PATH_MAX];
    *out = NULL;
    struct gates *g = calloc(1, sizeof *g);
    snprintf(error, error_size, "out of memory");
    if (!g) return MARCH_ERR_SYSTEM;
    g->config = *config;
    g->count = config->config->gateways_count;
    for (uint32_t i = 0; i < g->count; i++)
        memcpy(g->gates[i].access.name, config->config->gateways[i].name, CONFIG_NAME_SIZE);
    snprintf(path, sizeof path, "%s/connect.key", config->run_dir);
    int result = file_read_key(path, g->key, error, error_size);
    if (result) {
        gates_close(g);
        return result;
    }
    *out = g;
    return 0;
}

void gates_close(struct gates *g) {
    if (!g) return;
    sodium_memzero(g->key, sizeof g->key);
    free(g);
}

/* --- what is known of the gateways */

/* take_configured has the addresses of a gateway of another machine, whose start is not known: it is taken to be now. */
static void take_configured(struct gate *gate, const struct config_gateway *entry, uint64_t wall_s) {
    if (gate->mint_from_s == 0) gate->mint_from_s = wall_s + NETCODE_TOKEN_SLACK_S + 1;
    for (uint32_t i = 0; i < entry->public_count; i++)
        if (addr_parse(&gate->access.addresses[gate->access.count], entry->public_addresses[i]) == 0) gate->access.count++;
}

static void look(struct gates *g, uint32_t index, struct mono now, uint64_t wall_s) {
    struct gate *gate = &g->gates[index];
    uint64_t incarnation = g->config.atlas->gateways[index].admitted;
    char error[ACCESS_ERROR_SIZE];
    if (gate->incarnation == incarnation && mono_since_ns(now, gate->looked_at) < GATES_LOOK_MS * NS_PER_MS) return;
    if (gate->incarnation != incarnation) gate->mint_from_s = 0;
    gate->incarnation = incarnation;
    gate->looked_at = now;
    if (access_read_gateway(&gate->access, g->config.run_dir, &gate->mint_from_s, error, sizeof error) != 0) {
        log_warn("front.no_addresses", "error=%s", LOG_QUOTE(error));
        gate->access.count = 0;
    }
    if (gate->access.count == 0) take_configured(gate, &g->config.config->gateways[index], wall_s);
}

static bool is_up(const struct atlas *a, uint32_t index) {
    return index < a->told.gateway_count && a->told.gateways[index].state == WIRE_GATEWAY_UP &&
           !a->gateways[index].is_draining;
}

static void halve_sent(struct gates *g, struct mono now) {
    for (; mono_since_ns(now, g->halved_at) >= SENT_HALVES_MS * NS_PER_MS;
         g->halved_at = mono_add_ms(g->halved_at, SENT_HALVES_MS)) {
        uint32_t left = 0;
        for (uint32_t i = 0; i < g->count; i++) left += g->gates[i].sent /= 2;
        if (left > 0) continue;
        g->halved_at = now;
        break;
    }
}

/* --- letting in */

static int mint(const struct gates *g, uint64_t player, uint64_t wall_s, struct gates_pass *pass) {
    const struct config *c = g->config.config;
    struct netcode_token_params params = {.protocol_id = c->cluster.protocol_id,
                                          .client_id = player,
                                          .create_s = wall_s,
                                          .expire_s = wall_s + c->limits.connect_token_max_s,
                                          .timeout_s = (int32_t)c->limits.client_timeout_s,
                                          .server_count = pass->address_count};
    memcpy(params.servers, pass->addresses, pass->address_count * sizeof *pass->addresses);
    pass->expires_s = params.expire_s;
    return netcode_token_mint(pass->token, &params, g->key);
}

/* survey tells what placement works on, and what is said where nothing is open. */
static enum gates_answer survey(struct gates *g, struct mono now, uint64_t wall_s,
                                struct placement_gateway surveyed[CONFIG_GATEWAYS_MAX]) {
    enum gates_answer answer = GATES_NONE;
    for (uint32_t i = 0; i < g->count; i++) {
        const struct config_gateway *entry = &g->config.config->gateways[i];
        struct gate *gate = &g->gates[i];
        surveyed[i] = (struct placement_gateway){.places = entry->max_clients, .region = entry->region};
        if (!is_up(g->config.atlas, i)) continue;
        look(g, i, now, wall_s);
        if (gate->access.count == 0) continue;
        surveyed[i].is_open = wall_s >= gate->mint_from_s;
        surveyed[i].players = g->config.atlas->gateways[i].sessions + gate->sent;
        if (answer != GATES_FULL) answer = surveyed[i].is_open ? GATES_FULL : GATES_STARTING;
    }
    return answer;
}

static struct visit *visit_of(struct gates *g, uint64_t player) {
    return &g->visits[(player * 0x9e3779b97f4a7c15u >> 32) % GATES_PLAYERS];
}

enum gates_answer gates_admit(struct gates *g, uint64_t player, const char *region, struct mono now, uint64_t wall_s,
                              struct gates_pass *pass) {
    struct placement_gateway surveyed[CONFIG_GATEWAYS_MAX];
    uint32_t chosen[PLACEMENT_MAX];
    if (!atlas_is_ready(g->config.atlas)) return GATES_STARTING;
    halve_sent(g, now);
    enum gates_answer otherwise = survey(g, now, wall_s, surveyed);
    struct visit *visit = visit_of(g, player);
    if (visit->player == player) surveyed[visit->gateway].was_last = true;
    uint32_t count = placement_choose(surveyed, g->count, region, chosen);
    if (count == 0) return otherwise;
    pass->address_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct access_gateway *from = &g->gates[chosen[i]].access;
        memcpy(pass->addresses + pass->address_count, from->addresses, from->count * sizeof *from->addresses);
        pass->address_count += from->count;
    }
    if (mint(g, player, wall_s, pass) != 0) { /* addresses that nobody can reach */
        log_error("front.not_minted", "gateway=%s", g->gates[chosen[0]].access.name);
        return GATES_NONE;
    }
    g->gates[chosen[0]].sent++;
    *visit = (struct visit){player, chosen[0]};
    return GATES_DONE;
}
