/* front_sessions.c: POST /v1/sessions. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "matchmaker/front_inner.h"

#define BASE64_SIZE  sodium_base64_ENCODED_LEN(NETCODE_TOKEN_BYTES, sodium_base64_VARIANT_ORIGINAL)
#define RFC3339_SIZE 32

static json_t *pass_json(uint64_t player, const struct gates_pass *pass) {
    char id[24], token[BASE64_SIZE], expires[RFC3339_SIZE], address[ADDR_TEXT_MAX];
    time_t expires_s = (time_t)pass->expires_s;
    struct tm tm;
    json_t *gateways = json_array();
    for (uint32_t i = 0; i < pass->address_count; i++)
        json_array_append_new(gateways, json_string(addr_format(&pass->addresses[i], address)));
    snprintf(id, sizeof id, "%" PRIu64, player);
    sodium_bin2base64(token, sizeof token, pass->token, sizeof pass->token, sodium_base64_VARIANT_ORIGINAL);
    strftime(expires, sizeof expires, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&expires_s, &tm));
    return json_pack("{s:s, s:s, s:s, s:o}", "player", id, "connect_token", token, "expires_at", expires, "gateways",
                     gateways);
}

static bool region_is_known(const struct config *config, const char *region) {
    for (uint32_t i = 0; i < config->gateways_count; i++)
        if (strcmp(config->gateways[i].region, region) == 0) return true;
    return false;
}

static struct problem admit(struct front *f, uint64_t player, const char *region, struct gates_pass *pass) {
    static const struct problem problems[GATES_ANSWER_COUNT] = {
        [GATES_STARTING] = {503, "starting", "the world is starting", 1},
        [GATES_NONE] = {503, "no_gateway", "no gateway is up", 1},
        [GATES_FULL] = {503, "full", "all gateways are full", 5},
    };
    struct mono now = mono_now();
    uint32_t wait_s = pace_take(&f->pace, player, now);
    if (wait_s > 0) return (struct problem){429, "too_many", "too many sessions of this player", wait_s};
    return problems[gates_admit(f->gates, player, region, now, wall_now_s(), pass)];
}

void front_create_session(struct front *f, const struct http_request *request) {
    json_t *region;
    const struct front_member members[] = {{"region", JSON_STRING, false, &region}};
    struct front_ask ask;
    struct gates_pass pass;
    struct problem problem = front_read(f, request, members, 1, NULL, &ask);
    const char *where = json_string_value(region);
    if (!problem.status && where && !region_is_known(f->config.config, where))
        problem = (struct problem){400, "unknown_region", "no gateway is of that region", 0};
    if (!problem.status) problem = admit(f, ask.player, where, &pass);
    if (problem.status) {
        log_debug("front.refused", "status=%u code=%s player=%" PRIu64, problem.status, problem.code, ask.player);
        front_reply_problem(f, request, &problem);
    } else {
        log_debug("front.session", "player=%" PRIu64, ask.player);
        f->stats.sessions++;
        front_reply(f, request, 201, pass_json(ask.player, &pass));
    }
    front_forget(&ask);
}
