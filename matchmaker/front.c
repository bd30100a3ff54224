#include "matchmaker/front.h"

#include <ev.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <jansson.h>

#include "common/check.h"
#include "common/jwt.h"
#include "common/log.h"
#include "common/option.h"
#include "common/shard.h"
#include "common/utf8.h"
#include "matchmaker/gates.h"
#include "matchmaker/openapi.h"
#include "matchmaker/pace.h"

#define DEV_PLAYERS  ((uint64_t)1 << 62)
#define BASE64_SIZE  sodium_base64_ENCODED_LEN(NETCODE_TOKEN_BYTES, sodium_base64_VARIANT_ORIGINAL)
#define RFC3339_SIZE 32

_Static_assert(CONFIG_KEYS_MAX == JWT_KEYS_MAX && CONFIG_TEXT_SIZE == JWT_TEXT_SIZE, "a verifier has what is configured");
_Static_assert(JWT_BYTES_MAX + sizeof "Bearer " <= HTTP_HEADER_MAX, "a token fits into its header");

struct front {
    struct front_config config;
    struct http *http;
    struct gates *gates;
    struct jwt_verifier verifier; /* not in dev mode */
    struct front_stats stats;
    struct pace pace;
    ev_io io;
};

/* What is wrong with a request: the HTTP status, and a code for programs. No status: nothing. */
struct problem {
    unsigned status;
    const char *code, *message;
    uint32_t retry_s;
};
static const struct problem FINE = {0};

/* What is asked for. Texts are the request's or the body's. */
struct wish {
    const char *token, *name, *region; /* NULL: not given */
    uint64_t player;
};

/* --- answers */

static void count(struct front_stats *stats, unsigned status) {
    stats->sessions += status == 201;
    stats->bad += status == 400 || status == 415;
    stats->refused += status == 401 || status == 403;
    stats->limited += status == 429;
    stats->unready += status == 503;
}

/* reply takes the reference; NULL means that memory was short. */
static void reply(struct front *f, const struct http_request *request, unsigned status, uint32_t retry_s, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    const char *body = text ? text : "{\"error\":{\"code\":\"internal\",\"message\":\"out of memory\"}}";
    const struct http_answer answer = {.status = text ? status : 500,
                                       .content_type = "application/json",
                                       .body = body,
                                       .body_len = strlen(body),
                                       .age_s = -1,
                                       .retry_after_s = retry_s};
    count(&f->stats, answer.status);
    http_reply(f->http, request, &answer);
    free(text);
    json_decref(json);
}

static void reply_problem(struct front *f, const struct http_request *request, const struct problem *problem) {
    reply(f, request, problem->status, problem->retry_s,
          json_pack("{s:{s:s, s:s}}", "error", "code", problem->code, "message", problem->message));
}

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

/* --- what is asked */

static struct problem bad_request(const char *message) {
    return (struct problem){400, "bad_request", message, 0};
}

static bool is_json(const char *content_type) {
    static const char json[] = "application/json";
    size_t len = strlen(json);
    return strncasecmp(content_type, json, len) == 0 && strchr("; \t", content_type[len]);
}

/* read_members takes what a body has, which is an object. */
static struct problem read_members(json_t *body, struct wish *wish) {
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value) {
        const char **text = strcmp(key, "token") == 0    ? &wish->token
                            : strcmp(key, "name") == 0   ? &wish->name
                            : strcmp(key, "region") == 0 ? &wish->region
                                                         : NULL;
        if (!text) return bad_request("the body has a member that is not known: expected token or name, and region");
        if (!json_is_string(value)) return bad_request("token, name and region are strings");
        *text = json_string_value(value);
    }
    return FINE;
}

static struct problem read_body(const struct http_request *request, json_t **body, struct wish *wish) {
    *body = NULL;
    if (request->body_len == 0) return FINE;
    if (!is_json(request->content_type))
        return (struct problem){415, "not_json", "expected Content-Type: application/json", 0};
    *body = json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(*body)) return bad_request("the body is not a JSON object");
    return read_members(*body, wish);
}

/* read_header takes `Authorization: Bearer TOKEN`. */
static struct problem read_header(const struct http_request *request, struct wish *wish) {
    static const char scheme[] = "Bearer ";
    if (request->authorization[0] == '\0') return FINE;
    if (wish->token) return bad_request("a token in the header and one in the body");
    if (strncasecmp(request->authorization, scheme, strlen(scheme)) != 0)
        return (struct problem){401, "unauthenticated", "expected a bearer token", 0};
    wish->token = request->authorization + strlen(scheme);
    return FINE;
}

static bool region_is_known(const struct config *config, const char *region) {
    for (uint32_t i = 0; i < config->gateways_count; i++)
        if (strcmp(config->gateways[i].region, region) == 0) return true;
    return false;
}

static struct problem read_wish(struct front *f, const struct http_request *request, json_t **body, struct wish *wish) {
    struct problem problem = read_body(request, body, wish);
    if (!problem.status) problem = read_header(request, wish);
    if (problem.status) return problem;
    if (request->target.argument_count > 0) return bad_request("no query is expected");
    if (wish->token && wish->name) return bad_request("a token and a name");
    if (wish->region && !region_is_known(f->config.config, wish->region))
        return (struct problem){400, "unknown_region", "no gateway is of that region", 0};
    return FINE;
}

/* --- who is asking */

uint64_t front_player_of(const char *name) {
    uint8_t hash[crypto_generichash_BYTES_MIN];
    uint64_t player;
    crypto_generichash(hash, sizeof hash, (const uint8_t *)name, strlen(name), NULL, 0);
    memcpy(&player, hash, sizeof player);
    return DEV_PLAYERS | (player & (DEV_PLAYERS - 1));
}

static struct problem identify_name(struct wish *wish) {
    if (wish->token) return (struct problem){403, "dev_mode", "in dev mode a name is expected, and no token is known", 0};
    if (!wish->name) return (struct problem){401, "unauthenticated", "expected a name", 0};
    if (!utf8_text_valid(wish->name, strlen(wish->name), FRONT_NAME_MAX))
        return bad_request("a name has 1 to 32 bytes, without controls");
    wish->player = front_player_of(wish->name);
    return FINE;
}

static struct problem identify_token(const struct front *f, struct wish *wish, uint64_t wall_s) {
    struct jwt_claims claims;
    if (wish->name) return (struct problem){403, "not_dev_mode", "names are taken in dev mode alone", 0};
    if (!wish->token) return (struct problem){401, "unauthenticated", "expected a token", 0};
    enum jwt_verdict verdict = jwt_verify(&f->verifier, wish->token, strlen(wish->token), (int64_t)wall_s, &claims);
    if (verdict)
        return (struct problem){401, verdict == JWT_EXPIRED ? "expired_token" : "bad_token", jwt_verdict_text(verdict), 0};
    if (claims.subject[0] == '0' || option_number_parse(claims.subject, 1, INT64_MAX, &wish->player) != 0)
        return (struct problem){403, "not_a_player", "the token's sub is not a player's id, 1 to 2^63 - 1", 0};
    CHECK(player_id_valid(wish->player));
    return FINE;
}

/* --- sessions */

static struct problem admit(struct front *f, const struct wish *wish, struct mono now, uint64_t wall_s,
                            struct gates_pass *pass) {
    static const struct problem problems[GATES_ANSWER_COUNT] = {
        [GATES_STARTING] = {503, "starting", "the world is starting", 1},
        [GATES_NONE] = {503, "no_gateway", "no gateway is up", 1},
        [GATES_FULL] = {503, "full", "all gateways are full", 5},
    };
    uint32_t wait_s = pace_take(&f->pace, wish->player, now);
    if (wait_s > 0) return (struct problem){429, "too_many", "too many sessions of this player", wait_s};
    return problems[gates_admit(f->gates, wish->player, wish->region, now, wall_s, pass)];
}

static void create_session(struct front *f, const struct http_request *request) {
    struct mono now = mono_now();
    uint64_t wall_s = wall_now_s();
    struct wish wish = {0};
    struct gates_pass pass;
    json_t *body;
    struct problem problem = read_wish(f, request, &body, &wish);
    bool is_dev = f->config.config->matchmaker.front.auth == CONFIG_AUTH_DEV;
    if (!problem.status) problem = is_dev ? identify_name(&wish) : identify_token(f, &wish, wall_s);
    if (!problem.status) problem = admit(f, &wish, now, wall_s, &pass);
    if (problem.status) {
        log_debug("front.refused", "status=%u code=%s player=%" PRIu64, problem.status, problem.code, wish.player);
        reply_problem(f, request, &problem);
    } else {
        log_debug("front.session", "player=%" PRIu64, wish.player);
        reply(f, request, 201, 0, pass_json(wish.player, &pass));
    }
    json_decref(body);
}

/* --- life */

static void on_requests(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct front *f = io->data;
    const struct http_request *request;
    for (int i = 0; i < FRONT_TURN_MAX && http_take(f->http, &request) == 0; i++) create_session(f, request);
}

static int render_openapi(void *context, char *buf, size_t size) {
    (void)context;
    int len = snprintf(buf, size, "%s", OPENAPI_YAML);
    return len >= 0 && (size_t)len < size ? len : MARCH_ERR_FULL;
}

static int read_keys(struct front *f, char *error, size_t error_size) {
    const struct config_front *config = &f->config.config->matchmaker.front;
    struct jwt_verifier *v = &f->verifier;
    char path[PATH_MAX];
    v->algorithm = config->auth == CONFIG_AUTH_HMAC ? JWT_HS256 : JWT_EDDSA;
    memcpy(v->issuer, config->issuer, sizeof v->issuer);
    memcpy(v->audience, config->audience, sizeof v->audience);
    for (; v->key_count < config->key_count; v->key_count++) {
        int result =
            config_beside(f->config.config_path, config->key_files[v->key_count], path, sizeof path, error, error_size);
        if (!result) result = jwt_read_key(path, v->algorithm, &v->keys[v->key_count], error, error_size);
        if (result) return result;
    }
    return 0;
}

static int open_http(struct front *f, char *error, size_t error_size) {
    static const struct http_deferred_route deferred[] = {{"/v1/sessions", HTTP_POST, 0}};
    static const struct http_route routes[] = {{"/v1/openapi.yaml", "application/yaml", render_openapi, NULL}};
    const struct http_options options = {.listen = f->config.config->matchmaker.front.address,
                                         .health = f->config.health,
                                         .routes = routes,
                                         .route_count = 1,
                                         .deferred = deferred,
                                         .deferred_count = 1,
                                         .connections_max = FRONT_CONNECTIONS_MAX,
                                         .is_public = true};
    int result = http_open(&f->http, &options, error, error_size);
    if (result) return result;
    ev_io_init(&f->io, on_requests, http_fd(f->http), EV_READ);
    f->io.data = f;
    ev_io_start(f->config.loop, &f->io);
    return 0;
}

int front_open(struct front **out, const struct front_config *config, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    CHECK(config_has_front(config->config));
    struct front *f = calloc(1, sizeof *f);
    if (!f) return MARCH_ERR_SYSTEM;
    f->config = *config;
    const struct gates_config gates = {.config = config->config, .run_dir = config->run_dir, .atlas = config->atlas};
    int result = read_keys(f, error, error_size);
    if (!result) result = gates_open(&f->gates, &gates, error, error_size);
    if (!result) result = open_http(f, error, error_size);
    if (result) {
        front_close(f);
        return result;
    }
    *out = f;
    return 0;
}

const struct addr *front_address(const struct front *f) {
    return http_address(f->http);
}

struct front_stats front_stats_get(const struct front *f) {
    struct front_stats stats = f->stats;
    http_stats(f->http, &stats.http);
    return stats;
}

void front_close(struct front *f) {
    if (!f) return;
    if (f->http) ev_io_stop(f->config.loop, &f->io);
    http_close(f->http);
    gates_close(f->gates);
    sodium_memzero(&f->verifier, sizeof f->verifier);
    free(f);
}
