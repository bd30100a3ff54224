/* front_ask.c: what a request of the front door says, and who sent it. */
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/check.h"
#include "common/option.h"
#include "common/shard.h"
#include "common/utf8.h"
#include "matchmaker/front_inner.h"

#define DEV_PLAYERS  ((uint64_t)1 << 62)
#define LAUNCH_SCOPE "instances"

static const struct problem FINE = {0};

#define SAID_NAME 64 /* bytes of what a stranger calls something */

/* about is a bad request for a member or an argument, which may be called anything. */
static struct problem about(struct front *f, const char *what, const char *name) {
    snprintf(f->said, sizeof f->said, "%s: %.*s", what, SAID_NAME, name);
    utf8_text_clean(f->said);
    return front_bad_request(f->said);
}

/* --- the body */

static bool is_json(const char *content_type) {
    static const char json[] = "application/json";
    size_t len = strlen(json);
    return strncasecmp(content_type, json, len) == 0 && strchr("; \t", content_type[len]);
}

static bool has_type(const json_t *value, json_type type) {
    return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static const struct front_member *find_member(const struct front_member *members, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(members[i].name, name) == 0) return &members[i];
    return NULL;
}

static struct problem read_members(struct front *f, const struct front_member *members, uint32_t count,
                                   struct front_ask *ask) {
    const char *key;
    json_t *value;
    json_object_foreach(ask->body, key, value) {
        const struct front_member *member = find_member(members, count, key);
        const char **text = strcmp(key, "token") == 0 ? &ask->token : strcmp(key, "name") == 0 ? &ask->name : NULL;
        if (!member && !text) return about(f, "the body has a member that is not known", key);
        if (text && !json_is_string(value)) return front_bad_request("token and name are strings");
        if (member && !has_type(value, member->type)) return about(f, "a member of the body is of another type", key);
        if (text) *text = json_string_value(value);
        if (member) *member->value = value;
    }
    return FINE;
}

static struct problem read_body(struct front *f, const struct http_request *request, const struct front_member *members,
                                uint32_t count, struct front_ask *ask) {
    for (uint32_t i = 0; i < count; i++) *members[i].value = NULL;
    if (request->body_len > 0) {
        if (!is_json(request->content_type))
            return (struct problem){415, "not_json", "expected Content-Type: application/json", 0};
        ask->body = json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(ask->body)) return front_bad_request("the body is not a JSON object");
        struct problem problem = read_members(f, members, count, ask);
        if (problem.status) return problem;
    }
    for (uint32_t i = 0; i < count; i++)
        if (members[i].is_needed && !*members[i].value)
            return about(f, "the body lacks a member that is needed", members[i].name);
    return FINE;
}

/* --- header and query */

/* read_header takes `Authorization: Bearer TOKEN`. */
static struct problem read_header(const struct http_request *request, struct front_ask *ask) {
    static const char scheme[] = "Bearer ";
    if (request->authorization[0] == '\0') return FINE;
    if (ask->token) return front_bad_request("a token in the header and one in the body");
    if (strncasecmp(request->authorization, scheme, strlen(scheme)) != 0)
        return (struct problem){401, "unauthenticated", "expected a bearer token", 0};
    ask->token = request->authorization + strlen(scheme);
    return FINE;
}

static struct problem check_arguments(struct front *f, const struct http_request *request, const char *const *arguments,
                                      bool has_name) {
    for (uint32_t i = 0; i < request->target.argument_count; i++) {
        const char *name = request->target.arguments[i].name;
        bool is_known = has_name && strcmp(name, "name") == 0;
        for (uint32_t k = 0; arguments && arguments[k]; k++) is_known |= strcmp(name, arguments[k]) == 0;
        if (!is_known) return about(f, "the query has an argument that is not known", name);
    }
    return FINE;
}

struct problem front_read_query(struct front *f, const struct http_request *request, const char *const *arguments) {
    return check_arguments(f, request, arguments, false);
}

static struct problem read_query(struct front *f, const struct http_request *request, const char *const *arguments,
                                 struct front_ask *ask) {
    bool has_name = request->method == HTTP_GET || request->method == HTTP_DELETE;
    struct problem problem = check_arguments(f, request, arguments, has_name);
    if (problem.status) return problem;
    const char *name = http_target_argument(&request->target, "name");
    if (name && ask->name) return front_bad_request("a name in the query and one in the body");
    if (name) ask->name = name;
    return ask->token && ask->name ? front_bad_request("a token and a name") : FINE;
}

bool front_id(const char *text, uint64_t *id) {
    return text[0] != '0' && option_number_parse(text, 1, INT64_MAX, id) == 0;
}

struct problem front_number(struct front *f, const struct http_request *request, const char *name, uint64_t min,
                            uint64_t max, uint64_t fallback, uint64_t *number) {
    const char *text = http_target_argument(&request->target, name);
    *number = fallback;
    if (!text || option_number_parse(text, min, max, number) == 0) return FINE;
    snprintf(f->said, sizeof f->said, "%s: expected a number from %" PRIu64 " to %" PRIu64, name, min, max);
    return front_bad_request(f->said);
}

/* --- who is asking */

uint64_t front_player_of(const char *name) {
    uint8_t hash[crypto_generichash_BYTES_MIN];
    uint64_t player;
    crypto_generichash(hash, sizeof hash, (const uint8_t *)name, strlen(name), NULL, 0);
    memcpy(&player, hash, sizeof player);
    return DEV_PLAYERS | (player & (DEV_PLAYERS - 1));
}

static struct problem identify_name(struct front_ask *ask) {
    if (ask->token) return (struct problem){403, "dev_mode", "in dev mode a name is expected, and no token is known", 0};
    if (!ask->name) return (struct problem){401, "unauthenticated", "expected a name", 0};
    if (!utf8_text_valid(ask->name, strlen(ask->name), FRONT_NAME_MAX))
        return front_bad_request("a name has 1 to 32 bytes, without controls");
    ask->player = front_player_of(ask->name);
    ask->may_launch = true;
    return FINE;
}

static struct problem identify_token(const struct front *f, struct front_ask *ask) {
    struct jwt_claims claims;
    if (ask->name) return (struct problem){403, "not_dev_mode", "names are taken in dev mode alone", 0};
    if (!ask->token) return (struct problem){401, "unauthenticated", "expected a token", 0};
    enum jwt_verdict verdict = jwt_verify(&f->verifier, ask->token, strlen(ask->token), (int64_t)wall_now_s(), &claims);
    if (verdict)
        return (struct problem){401, verdict == JWT_EXPIRED ? "expired_token" : "bad_token", jwt_verdict_text(verdict), 0};
    if (!front_id(claims.subject, &ask->player))
        return (struct problem){403, "not_a_player", "the token's sub is not a player's id, 1 to 2^63 - 1", 0};
    CHECK(player_id_valid(ask->player));
    ask->may_launch = jwt_has_scope(&claims, LAUNCH_SCOPE);
    return FINE;
}

struct problem front_read(struct front *f, const struct http_request *request, const struct front_member *members,
                          uint32_t count, const char *const *arguments, struct front_ask *ask) {
    *ask = (struct front_ask){0};
    struct problem problem = read_body(f, request, members, count, ask);
    if (!problem.status) problem = read_header(request, ask);
    if (!problem.status) problem = read_query(f, request, arguments, ask);
    if (problem.status) return problem;
    bool is_dev = f->config.config->matchmaker.front.auth == CONFIG_AUTH_DEV;
    return is_dev ? identify_name(ask) : identify_token(f, ask);
}

struct problem front_read_kept(struct front *f, const struct http_request *request, const struct front_member *members,
                               uint32_t count, const char *const *arguments, struct front_ask *ask) {
    struct problem problem = front_read(f, request, members, count, arguments, ask);
    if (problem.status || keep_is_ready(f->config.keep)) return problem;
    return (struct problem){503, "unavailable", "what was kept is still being read", 1};
}

struct problem front_read_change(struct front *f, const struct http_request *request, const struct front_member *members,
                                 uint32_t count, struct front_ask *ask) {
    struct problem problem = front_read_kept(f, request, members, count, NULL, ask);
    if (problem.status) return problem;
    uint32_t wait_s = pace_take(&f->match_pace, ask->player, mono_now());
    return wait_s == 0 ? FINE : (struct problem){429, "too_many", "too many requests of this player", wait_s};
}

void front_forget(struct front_ask *ask) {
    json_decref(ask->body);
    ask->body = NULL;
}
