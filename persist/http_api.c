/* http_api.c: see http_api.h. */
#include "persist/http_api.h"

#include <ev.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/shard.h"
#include "common/text.h"
#include "persist/abroad.h"
#include "persist/audit.h"
#include "persist/flags.h"
#include "persist/reads.h"
#include "persist/reads_json.h"

/* A request under way; its answer ends it. */
struct call {
    struct call *next, *before;
    struct http_api *api;
    const struct http_request *request;
    uint32_t first, count; /* of a page */
};

struct http_api {
    struct http_api_config config;
    struct http *http;
    ev_io io;
    struct call *calls;
    struct http_api_stats stats;
};

struct route {
    const char *pattern;
    enum http_method method;
    uint32_t deadline_ms;
    int flag;              /* enum flag that it needs, or FLAG_COUNT */
    const char *arguments; /* those it knows, each between blanks */
    void (*begin)(struct call *call);
};

/* --- answers */

static void end_call(struct call *call, struct http_answer *answer) {
    struct http_api *api = call->api;
    if (call->before) {
        call->before->next = call->next;
    } else {
        api->calls = call->next;
    }
    if (call->next) call->next->before = call->before;
    api->stats.answered[answer->status / 100 % 6]++;
    http_reply(api->http, call->request, answer);
    free(call);
}

static void set_etag(struct http_answer *answer) {
    static const uint8_t key[crypto_shorthash_KEYBYTES] = "march etag key.";
    uint8_t hash[crypto_shorthash_BYTES];
    char hex[2 * crypto_shorthash_BYTES + 1];
    crypto_shorthash(hash, (const uint8_t *)answer->body, answer->body_len, key);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(answer->etag, sizeof answer->etag, "\"%s\"", hex);
}

static void answer_text(struct call *call, const char *json, size_t len, struct reads_meta meta) {
    struct http_answer answer = {.status = 200,
                                 .content_type = "application/json",
                                 .body = json,
                                 .body_len = len,
                                 .age_s = (int32_t)(meta.age_ms / 1000)};
    set_etag(&answer);
    end_call(call, &answer);
}

/* answer_json takes the reference; NULL means that memory was short. */
static void answer_json(struct call *call, json_t *json, struct reads_meta meta);

static void answer_error_json(struct call *call, unsigned status, json_t *json, const char *location) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    struct http_answer answer = {.status = status,
                                 .content_type = "application/json",
                                 .body = text ? text : "{}",
                                 .body_len = text ? strlen(text) : 2,
                                 .age_s = -1,
                                 .retry_after_s = status == 503 ? 1 : 0,
                                 .location = location};
    end_call(call, &answer);
    free(text);
    json_decref(json);
}

static void answer_error(struct call *call, unsigned status, const char *code, const char *message) {
    answer_error_json(call, status, reads_json_error(code, message), NULL);
}

static void answer_failed(struct call *call, int error) {
    unsigned status = error == MARCH_ERR_NOT_FOUND                                ? 404
                      : error == MARCH_ERR_EXPIRED                                ? 504
                      : error == MARCH_ERR_UNAVAILABLE || error == MARCH_ERR_FULL ? 503
                                                                                  : 500;
    answer_error(call, status, reads_json_code(error), reads_json_message(error));
}

static void answer_json(struct call *call, json_t *json, struct reads_meta meta) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text) {
        answer_text(call, text, strlen(text), meta);
    } else {
        answer_failed(call, MARCH_ERR_FULL);
    }
    free(text);
}

static void answer_bad(struct call *call, const char *name, const char *expected) {
    char message[160];
    snprintf(message, sizeof message, "%s: expected %s", name, expected);
    answer_error(call, 400, "bad_request", message);
}

/* append_escaped leaves what RFC 3986 calls unreserved, and commas, as they are. */
static void append_escaped(struct text *text, const char *piece) {
    for (; *piece != '\0'; piece++) {
        unsigned char c = (unsigned char)*piece;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-._~,", c);
        text_append(text, plain ? "%c" : "%%%02X", c);
    }
}

/* find_location writes where on another shard a request would be answered; false when that is not known. */
static bool find_location(const struct call *call, uint32_t shard, char *location, size_t size) {
    char base[ABROAD_URL_SIZE];
    struct text text;
    text_init(&text, location, size);
    if (!call->api->config.abroad || !abroad_url(call->api->config.abroad, shard, base)) return false;
    text_append(&text, "%s", base);
    const struct http_target *target = &call->request->target;
    for (uint32_t i = 0; i < target->segment_count; i++) {
        text_append(&text, "/");
        append_escaped(&text, target->segments[i]);
    }
    for (uint32_t i = 0; i < target->argument_count; i++) {
        text_append(&text, "%c", i == 0 ? '?' : '&');
        append_escaped(&text, target->arguments[i].name);
        text_append(&text, "=");
        append_escaped(&text, target->arguments[i].value);
    }
    return !text.overflow;
}

/* answer_elsewhere sends the client to the shard where it is at home what it asked for. */
static void answer_elsewhere(struct call *call, uint32_t shard) {
    char location[ABROAD_URL_SIZE + HTTP_TARGET_MAX];
    bool known = find_location(call, shard, location, sizeof location);
    json_t *error = json_pack("{s:{s:s, s:s, s:i, s:s*}}", "error", "code", "wrong_shard", "message",
                              "this is at home on another shard", "shard", (int)shard, "location", known ? location : NULL);
    answer_error_json(call, known ? 307 : 421, error, known ? location : NULL);
}

/* --- arguments */

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *out) {
    uint64_t value = 0;
    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        if (value > (UINT64_MAX - 9) / 10) return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return value >= least && value <= most;
}

/* number_argument reads an argument of the query, or its default. False when it was bad, and then the call is answered. */
static bool number_argument(struct call *call, const char *name, uint64_t least, uint64_t most, uint64_t otherwise,
                            uint64_t *out) {
    const char *text = http_target_argument(&call->request->target, name);
    *out = otherwise;
    if (!text || parse_number(text, least, most, out)) return true;
    char expected[80];
    snprintf(expected, sizeof expected, "a number from %" PRIu64 " to %" PRIu64, least, most);
    answer_bad(call, name, expected);
    return false;
}

static bool id_parameter(struct call *call, unsigned index, uint64_t *out) {
    if (parse_number(call->request->parameters[index], 1, INT64_MAX, out)) return true;
    answer_bad(call, "id", "a number from 1 to 9223372036854775807");
    return false;
}

/* player_parameter reads the id of a player of this shard; false when the call is answered. */
static bool player_parameter(struct call *call, unsigned index, uint64_t *out) {
    if (!id_parameter(call, index, out)) return false;
    if (reads_is_home(call->api->config.reads, *out)) return true;
    answer_elsewhere(call, reads_home(call->api->config.reads, *out));
    return false;
}

static bool guild_parameter(struct call *call, uint64_t *out) {
    if (!id_parameter(call, 0, out)) return false;
    if (shard_of_id(*out) == call->api->config.shard_index) return true;
    answer_elsewhere(call, shard_of_id(*out));
    return false;
}

static bool page_size(struct call *call) {
    uint64_t count;
    if (!number_argument(call, "count", 1, READS_PAGE_MAX, HTTP_API_PAGE, &count)) return false;
    call->count = (uint32_t)count;
    return true;
}

static bool is_local(const struct call *call) {
    return http_target_argument(&call->request->target, "local") != NULL;
}

/* --- players */

static void on_profile(void *ctx, const struct reads_profile_result *results, uint32_t count) {
    int error = count == 1 ? results[0].error : MARCH_ERR_FULL;
    if (error) {
        answer_failed(ctx, error);
    } else {
        answer_json(ctx, reads_json_profile(&results[0].profile, results[0].meta), results[0].meta);
    }
}

static void begin_player(struct call *call) {
    uint64_t player;
    if (id_parameter(call, 0, &player))
        reads_profiles(call->api->config.reads, &player, 1, is_local(call), on_profile, call);
}

static void on_profiles(void *ctx, const struct reads_profile_result *results, uint32_t count) {
    if (count == 0) {
        answer_failed(ctx, MARCH_ERR_FULL);
        return;
    }
    struct reads_meta oldest = {0};
    for (uint32_t i = 0; i < count; i++)
        if (results[i].meta.age_ms > oldest.age_ms) oldest = results[i].meta;
    answer_json(ctx, reads_json_profiles(results, count), oldest);
}

static void begin_players_of_ids(struct call *call, const char *ids) {
    uint64_t players[READS_PROFILES_MAX];
    uint32_t count = 0;
    for (const char *at = ids;; at++) {
        size_t len = strcspn(at, ",");
        char text[24] = "";
        if (len < sizeof text) memcpy(text, at, len);
        if (count == READS_PROFILES_MAX || !parse_number(text, 1, INT64_MAX, &players[count++])) {
            answer_bad(call, "ids", "1 to 100 ids of players with commas between them");
            return;
        }
        at += len;
        if (*at == '\0') break;
    }
    reads_profiles(call->api->config.reads, players, count, is_local(call), on_profiles, call);
}

static void on_player_named(void *ctx, int error, uint64_t player) {
    struct call *call = ctx;
    if (error) {
        answer_failed(call, error);
    } else {
        reads_profiles(call->api->config.reads, &player, 1, is_local(call), on_profile, call);
    }
}

static void begin_players(struct call *call) {
    const char *name = http_target_argument(&call->request->target, "name");
    const char *ids = http_target_argument(&call->request->target, "ids");
    if (!name == !ids) {
        answer_error(call, 400, "bad_request", "expected either name or ids");
    } else if (ids) {
        begin_players_of_ids(call, ids);
    } else {
        reads_player_named(call->api->config.reads, name, is_local(call), on_player_named, call);
    }
}

static void on_inventory(void *ctx, int error, const struct reads_inventory *inventory, struct reads_meta meta) {
    if (error) {
        answer_failed(ctx, error);
    } else {
        answer_json(ctx, reads_json_inventory(inventory, meta), meta);
    }
}

static void begin_inventory(struct call *call) {
    uint64_t player;
    if (player_parameter(call, 0, &player)) reads_inventory(call->api->config.reads, player, on_inventory, call);
}

/* --- guilds */

static void on_guild(void *ctx, int error, const struct reads_guild *guild, struct reads_meta meta) {
    if (error) {
        answer_failed(ctx, error);
    } else {
        answer_json(ctx, reads_json_guild(guild, meta), meta);
    }
}

static void begin_guild(struct call *call) {
    uint64_t guild;
    if (guild_parameter(call, &guild)) reads_guild(call->api->config.reads, guild, on_guild, call);
}

static void on_guild_named(void *ctx, int error, uint64_t guild) {
    struct call *call = ctx;
    if (error) {
        answer_failed(call, error);
    } else {
        reads_guild(call->api->config.reads, guild, on_guild, call);
    }
}

static void begin_guilds(struct call *call) {
    const char *name = http_target_argument(&call->request->target, "name");
    if (name) {
        reads_guild_named(call->api->config.reads, name, on_guild_named, call);
    } else {
        answer_error(call, 400, "bad_request", "expected name");
    }
}

static void on_members(void *ctx, int error, const struct reads_guild *guild, struct reads_meta meta) {
    struct call *call = ctx;
    if (error) {
        answer_failed(call, error);
    } else {
        answer_json(call, reads_json_members(guild, call->first, call->count, meta), meta);
    }
}

static void begin_members(struct call *call) {
    uint64_t guild, first;
    if (!page_size(call) || !number_argument(call, "page", 0, LEDGER_MEMBERS_MAX, 0, &first)) return;
    call->first = (uint32_t)first;
    if (guild_parameter(call, &guild)) reads_guild(call->api->config.reads, guild, on_members, call);
}

/* --- boards */

static const char *region_of(const struct call *call) {
    const char *region = http_target_argument(&call->request->target, "region");
    return region && *region ? region : NULL;
}

static void on_board(void *ctx, int error, const struct reads_board *board, struct reads_meta meta) {
    struct call *call = ctx;
    if (error == MARCH_ERR_INVALID) {
        answer_error(call, 400, "bad_request", "too far down the board: it is told as far as rank 1000");
    } else if (error) {
        answer_failed(call, error);
    } else {
        json_t *json = reads_json_board(board, region_of(call), meta);
        uint32_t next = call->first + board->count;
        bool more = call->first > 0 && board->count == call->count && next <= board->total;
        if (json) json_object_set_new(json, "next", more ? json_integer((json_int_t)next) : json_null());
        answer_json(call, json, meta);
    }
}

static bool board_parameters(struct call *call, enum board *board, uint32_t *season) {
    uint64_t number;
    if (board_of(call->request->parameters[0], board) != 0) {
        answer_error(call, 404, "not_found", "there is no such board");
        return false;
    }
    const struct http_api_config *config = &call->api->config;
    const char *region = region_of(call);
    if (region && (strlen(region) > BOARDS_REGION_MAX || (config->is_region && !config->is_region(config->ctx, region)))) {
        answer_error(call, 404, "not_found", "there is no such region");
        return false;
    }
    if (!number_argument(call, "season", 0, INT32_MAX, 0, &number)) return false;
    *season = (uint32_t)number;
    return true;
}

static void begin_board(struct call *call) {
    enum board board;
    uint32_t season;
    uint64_t from, count, most = is_local(call) ? READS_BOARD_MAX : READS_PAGE_MAX;
    if (!board_parameters(call, &board, &season) || !number_argument(call, "from", 1, UINT32_MAX / 2, 1, &from) ||
        !number_argument(call, "count", 1, most, HTTP_API_PAGE, &count))
        return;
    call->first = (uint32_t)from;
    call->count = (uint32_t)count;
    reads_board(call->api->config.reads, board, season, region_of(call), call->first, call->count, is_local(call), on_board,
                call);
}

static void begin_board_player(struct call *call) {
    enum board board;
    uint32_t season;
    uint64_t player, around, score;
    struct reads *reads = call->api->config.reads;
    bool placed = http_target_argument(&call->request->target, "score") != NULL;
    if (!board_parameters(call, &board, &season) || !number_argument(call, "around", 0, BOARDS_AROUND_MAX, 5, &around) ||
        !number_argument(call, "score", 0, BOARDS_SCORE_MAX, 0, &score))
        return;
    if (placed && !is_local(call)) {
        answer_bad(call, "score", "local, too");
    } else if (placed && id_parameter(call, 1, &player)) {
        reads_board_place(reads, board, season, region_of(call), player, (int64_t)score, (uint32_t)around, on_board, call);
    } else if (!placed && player_parameter(call, 1, &player)) {
        reads_board_around(reads, board, season, region_of(call), player, (uint32_t)around, is_local(call), on_board, call);
    }
}

/* --- auctions, statistics */

/* on_auctions makes a page of rows, of which there is one more than asked for where there is a next page. */
static void on_auctions(void *ctx, int error, const char *text, size_t len, struct reads_meta meta) {
    struct call *call = ctx;
    if (error) {
        answer_failed(call, error);
        return;
    }
    json_t *rows = json_loadb(text, len, 0, NULL), *next = json_null();
    if (json_array_size(rows) > call->count) {
        json_array_remove(rows, call->count);
        next = json_incref(json_object_get(json_array_get(rows, call->count - 1), "auction"));
    }
    json_t *json = json_pack("{s:i, s:o, s:o}", "shard", (int)call->api->config.shard_index, "auctions", rows, "next", next);
    if (json && meta.stale) json_object_set_new(json, "stale", json_true());
    answer_json(call, json, meta);
}

static void begin_auctions(struct call *call) {
    uint64_t kind, after;
    if (page_size(call) && number_argument(call, "kind", 1, INT32_MAX, 0, &kind) &&
        number_argument(call, "page", 0, INT64_MAX, 0, &after))
        reads_auctions(call->api->config.reads, (uint32_t)kind, after, call->count + 1, on_auctions, call);
}

static void on_daily(void *ctx, int error, const char *text, size_t len, struct reads_meta meta) {
    struct call *call = ctx;
    if (error) {
        answer_failed(call, error);
        return;
    }
    json_t *json =
        json_pack("{s:i, s:o}", "shard", (int)call->api->config.shard_index, "days", json_loadb(text, len, 0, NULL));
    if (json && meta.stale) json_object_set_new(json, "stale", json_true());
    answer_json(call, json, meta);
}

static void begin_daily(struct call *call) {
    uint64_t days;
    if (number_argument(call, "days", 1, READS_DAYS_MAX, 7, &days))
        reads_daily(call->api->config.reads, (uint32_t)days, on_daily, call);
}

/* --- the operator's: audits and flags */

static void on_audit(void *ctx, int error, const char *json, size_t len) {
    if (!error && len > HTTP_BODY_MAX) error = MARCH_ERR_FULL;
    if (error) {
        answer_failed(ctx, error);
    } else {
        answer_text(ctx, json, len, (struct reads_meta){0});
    }
}

static void begin_audit_player(struct call *call) {
    uint64_t player;
    if (!player_parameter(call, 0, &player)) return;
    struct audit *audit = call->api->config.audit;
    int error = audit ? audit_player(audit, player, on_audit, call) : MARCH_ERR_UNAVAILABLE;
    if (error) answer_failed(call, error);
}

static void begin_audit_world(struct call *call) {
    struct audit *audit = call->api->config.audit;
    int error = audit ? audit_world(audit, on_audit, call) : MARCH_ERR_UNAVAILABLE;
    if (error) answer_failed(call, error);
}

static bool is_on(const struct http_api *api, enum flag flag) {
    return !api->config.flags || flags_is_on(api->config.flags, flag);
}

static void begin_flags(struct call *call) {
    json_t *flags = json_object();
    for (int flag = 0; flag < FLAG_COUNT; flag++)
        json_object_set_new(flags, flags_name((enum flag)flag), json_boolean(is_on(call->api, (enum flag)flag)));
    answer_json(call, json_pack("{s:o}", "flags", flags), (struct reads_meta){0});
}

static void begin_set_flag(struct call *call) {
    const char *name = call->request->parameters[0], *body = call->request->body;
    struct flags *flags = call->api->config.flags;
    enum flag flag;
    size_t len = strcspn(body, "\r\n");
    bool on = len == 2 && strncmp(body, "on", len) == 0, off = len == 3 && strncmp(body, "off", len) == 0;
    if (!flags || flags_find(name, &flag) != 0) {
        answer_error(call, 404, "not_found", "there is no such flag");
    } else if (on == off || body[len + strspn(body + len, "\r\n")] != '\0') {
        answer_error(call, 400, "bad_request", "expected a body of on or off");
    } else {
        char error[256];
        if (flags_set(flags, flag, on, error, sizeof error) != 0) {
            answer_error(call, 500, "internal", error);
            return;
        }
        log_info("flag.set", "flag=%s on=%d", flags_name(flag), (int)on);
        answer_json(call, json_pack("{s:s, s:b}", "flag", flags_name(flag), "on", (int)on), (struct reads_meta){0});
    }
}

/* --- routes */

#define AUDIT_HTTP_MS (AUDIT_DEADLINE_MS + 1000)

static const struct route ROUTES[] = {
    {"/v1/players", HTTP_GET, 0, FLAG_READS, " name ids local ", begin_players},
    {"/v1/players/{}", HTTP_GET, 0, FLAG_READS, " local ", begin_player},
    {"/v1/players/{}/inventory", HTTP_GET, 0, FLAG_READS, "", begin_inventory},
    {"/v1/guilds", HTTP_GET, 0, FLAG_READS, " name ", begin_guilds},
    {"/v1/guilds/{}", HTTP_GET, 0, FLAG_READS, "", begin_guild},
    {"/v1/guilds/{}/members", HTTP_GET, 0, FLAG_READS, " page count ", begin_members},
    {"/v1/boards/{}", HTTP_GET, 0, FLAG_BOARDS, " region season from count local ", begin_board},
    {"/v1/boards/{}/players/{}", HTTP_GET, 0, FLAG_BOARDS, " region season around local score ", begin_board_player},
    {"/v1/auctions", HTTP_GET, 0, FLAG_READS, " kind page count ", begin_auctions},
    {"/v1/stats/daily", HTTP_GET, 0, FLAG_READS, " days ", begin_daily},
    {"/v1/audit/players/{}", HTTP_GET, AUDIT_HTTP_MS, FLAG_COUNT, "", begin_audit_player},
    {"/v1/audit/world", HTTP_GET, AUDIT_HTTP_MS, FLAG_COUNT, "", begin_audit_world},
    {"/v1/flags", HTTP_GET, 0, FLAG_COUNT, "", begin_flags},
    {"/v1/flags/{}", HTTP_PUT, 0, FLAG_COUNT, "", begin_set_flag},
};

#define ROUTE_COUNT (sizeof ROUTES / sizeof *ROUTES)

const char *http_api_pattern(size_t index, enum http_method *method) {
    if (index >= ROUTE_COUNT) return NULL;
    *method = ROUTES[index].method;
    return ROUTES[index].pattern;
}

/* unknown_argument returns the name of an argument that a route does not know, NULL when it knows all. */
static const char *unknown_argument(const struct route *route, const struct http_target *target) {
    for (uint32_t i = 0; i < target->argument_count; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, " %s ", target->arguments[i].name);
        if ((size_t)len >= sizeof name || strchr(name + 1, ' ') != name + len - 1 || !strstr(route->arguments, name))
            return target->arguments[i].name;
    }
    return NULL;
}

/* answer_unknown names the arguments that a route does know, with commas between them. */
static void answer_unknown(struct call *call, const char *name, const char *known) {
    char list[64] = "no arguments";
    size_t len = strlen(known);
    if (len > 2) {
        struct text text;
        text_init(&text, list, sizeof list);
        for (const char *c = known + 1; c < known + len - 1; c++) text_append(&text, "%s%c", *c == ' ' ? "," : "", *c);
    }
    answer_bad(call, name, list);
}

static void begin_call(struct http_api *api, const struct http_request *request) {
    struct call *call = malloc(sizeof *call);
    if (!call) {
        const struct http_answer answer = {
            .status = 503, .content_type = "application/json", .body = "{}", .body_len = 2, .age_s = -1, .retry_after_s = 1};
        http_reply(api->http, request, &answer);
        return;
    }
    *call = (struct call){.next = api->calls, .api = api, .request = request};
    if (call->next) call->next->before = call;
    api->calls = call;
    const struct route *route = &ROUTES[request->route];
    const char *unknown = unknown_argument(route, &request->target);
    if (route->flag != FLAG_COUNT && (!is_on(api, FLAG_READS) || !is_on(api, (enum flag)route->flag))) {
        answer_error(call, 503, "disabled", "this is switched off");
    } else if (unknown) {
        answer_unknown(call, unknown, route->arguments);
    } else {
        route->begin(call);
    }
}

static void on_requests(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct http_api *api = io->data;
    const struct http_request *request;
    for (int i = 0; i < HTTP_API_TURN_MAX && http_take(api->http, &request) == 0; i++) begin_call(api, request);
}

/* --- life */

int http_api_open(struct http_api **out, const struct http_api_config *config, char *error, size_t error_size) {
    *out = NULL;
    struct http_api *api = calloc(1, sizeof *api);
    if (!api) {
        snprintf(error, error_size, "%s: cannot serve HTTP: out of memory", config->listen);
        return MARCH_ERR_SYSTEM;
    }
    api->config = *config;
    struct http_deferred_route deferred[ROUTE_COUNT];
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        deferred[i] = (struct http_deferred_route){
            .pattern = ROUTES[i].pattern, .method = ROUTES[i].method, .deadline_ms = ROUTES[i].deadline_ms};
    const struct http_options options = {.listen = config->listen,
                                         .metrics = config->metrics,
                                         .health = config->health,
                                         .routes = config->routes,
                                         .route_count = config->route_count,
                                         .deferred = deferred,
                                         .deferred_count = ROUTE_COUNT,
                                         .connections_max = HTTP_API_CONNECTIONS_MAX};
    int result = http_open(&api->http, &options, error, error_size);
    if (result != 0) {
        free(api);
        return result;
    }
    ev_io_init(&api->io, on_requests, http_fd(api->http), EV_READ);
    api->io.data = api;
    ev_io_start(config->loop, &api->io);
    *out = api;
    return 0;
}

const struct addr *http_api_address(const struct http_api *api) {
    return http_address(api->http);
}

void http_api_close(struct http_api *api) {
    if (!api) return;
    ev_io_stop(api->config.loop, &api->io);
    while (api->calls) answer_failed(api->calls, MARCH_ERR_UNAVAILABLE);
    http_close(api->http);
    free(api);
}

struct http_api_stats http_api_stats_get(struct http_api *api) {
    struct http_api_stats stats = api->stats;
    http_stats(api->http, &stats.http);
    return stats;
}
