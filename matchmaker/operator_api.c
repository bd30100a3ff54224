#include "matchmaker/operator_api.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/check.h"
#include "common/log.h"
#include "matchmaker/status.h"
#include "schemas/cells.h"

#define CHANGE_DEADLINE_MS (KEEP_PATIENCE_MS + 1000)

/* A request whose answer is made, and waits until it is true for good. */
struct waiting {
    const struct http_request *request;
    struct instance_answer answer;
    struct mono until;
};

struct operator_api {
    struct operator_api_config config;
    struct http *http;
    ev_io io;
    struct waiting waiting[OPERATOR_API_WAITS_MAX];
    uint32_t waiting_count;
};

/* --- answers */

/* reply takes the reference; NULL means that memory was short. */
static void reply(struct operator_api *api, const struct http_request *request, unsigned status, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    bool fits = text && strlen(text) <= HTTP_BODY_MAX;
    const struct http_answer answer = {.status = fits ? status : 500,
                                       .content_type = "application/json",
                                       .body = fits ? text : "{}",
                                       .body_len = fits ? strlen(text) : 2,
                                       .age_s = -1,
                                       .retry_after_s = status == 503 ? 1 : 0};
    http_reply(api->http, request, &answer);
    free(text);
    json_decref(json);
}

static void reply_error(struct operator_api *api, const struct http_request *request, unsigned status, const char *code,
                        const char *message) {
    reply(api, request, status, json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message));
}

static void reply_answer(struct operator_api *api, const struct http_request *request, enum atlas_answer answer,
                         const char *what, json_t *about) {
    if (answer == ATLAS_DONE) {
        json_t *json = json_pack("{s:b}", "done", 1);
        if (json) json_object_update(json, about);
        reply(api, request, 200, json);
    } else {
        char message[256];
        snprintf(message, sizeof message, "%s: %s", what, atlas_answer_text(answer));
        unsigned status = answer == ATLAS_STARTING ? 503 : answer == ATLAS_UNKNOWN ? 404 : 409;
        reply_error(api, request, status, atlas_answer_code(answer), message);
    }
    json_decref(about);
}

/* --- what a name means */

static bool find_zone(const struct config *config, const char *name, uint32_t *slot) {
    for (*slot = 0; *slot < config->zones_count; ++*slot)
        if (strcmp(config->zones[*slot].name, name) == 0) return true;
    return false;
}

static bool find_gateway(const struct config *config, const char *name, uint32_t *index) {
    for (*index = 0; *index < config->gateways_count; ++*index)
        if (strcmp(config->gateways[*index].name, name) == 0) return true;
    return false;
}

/* find_partition takes an id, "block-" and the number of a block, or the busiest partition of a zone. */
static enum atlas_answer find_partition(const struct operator_api *api, const char *text, uint32_t *id) {
    char *end;
    uint32_t slot;
    bool is_block = strncmp(text, "block-", 6) == 0;
    const char *digits = is_block ? text + 6 : text;
    unsigned long number = strtoul(digits, &end, 10);
    if (digits[0] >= '0' && digits[0] <= '9' && *end == '\0' && number < (is_block ? CONFIG_BLOCKS_MAX : ATLAS_NONE)) {
        *id = (uint32_t)number | (is_block ? CELLS_BLOCK_BIT : 0);
        return ATLAS_DONE;
    }
    if (!find_zone(api->config.config, text, &slot)) return ATLAS_UNKNOWN;
    *id = atlas_busiest(api->config.atlas, slot);
    return *id == ATLAS_NONE ? ATLAS_OWNS_NOTHING : ATLAS_DONE;
}

/* --- commands */

static bool read_switch(const char *body, bool *on) {
    size_t len = strcspn(body, "\r\n");
    *on = len == 2 && strncmp(body, "on", len) == 0;
    bool off = len == 3 && strncmp(body, "off", len) == 0;
    return (*on || off) && body[len + strspn(body + len, "\r\n")] == '\0';
}

static void drain(struct operator_api *api, const struct http_request *request) {
    struct atlas *a = api->config.atlas;
    const char *name = request->parameters[0];
    enum atlas_answer answer = ATLAS_UNKNOWN;
    uint32_t index;
    bool on;
    if (!read_switch(request->body, &on)) {
        reply_error(api, request, 400, "bad_request", "expected a body of on or off");
        return;
    }
    if (find_zone(api->config.config, name, &index)) {
        answer = on ? atlas_drain(a, index, mono_now()) : atlas_undrain(a, index);
    } else if (find_gateway(api->config.config, name, &index)) {
        answer = on ? atlas_drain_gateway(a, index, mono_now()) : atlas_undrain_gateway(a, index);
    }
    log_info("command.drain", "name=%s on=%d answer=%s", LOG_QUOTE(name), (int)on, atlas_answer_code(answer));
    reply_answer(api, request, answer, name, json_pack("{s:s, s:b}", "name", name, "draining", (int)on));
}

static void split(struct operator_api *api, const struct http_request *request) {
    const char *what = request->parameters[0];
    uint32_t id = ATLAS_NONE;
    enum atlas_answer answer = find_partition(api, what, &id);
    if (answer == ATLAS_DONE) answer = atlas_split(api->config.atlas, id);
    log_info("command.split", "what=%s answer=%s", LOG_QUOTE(what), atlas_answer_code(answer));
    const struct directory *draft = &api->config.atlas->draft;
    uint32_t fresh = draft->partition_count == 0 ? 0 : draft->partitions[draft->partition_count - 1].id;
    reply_answer(api, request, answer, what, json_pack("{s:I, s:I}", "partition", (json_int_t)id, "new", (json_int_t)fresh));
}

static void merge(struct operator_api *api, const struct http_request *request) {
    const char *into = request->parameters[0], *from = request->parameters[1];
    uint32_t into_id = ATLAS_NONE, from_id = ATLAS_NONE;
    enum atlas_answer answer = find_partition(api, into, &into_id);
    const char *what = into;
    if (answer == ATLAS_DONE) {
        answer = find_partition(api, from, &from_id);
        what = from;
    }
    if (answer == ATLAS_DONE) answer = atlas_merge(api->config.atlas, into_id, from_id);
    log_info("command.merge", "into=%s from=%s answer=%s", LOG_QUOTE(into), LOG_QUOTE(from), atlas_answer_code(answer));
    json_t *about = answer == ATLAS_DONE
                        ? json_pack("{s:I, s:I}", "partition", (json_int_t)into_id, "merged", (json_int_t)from_id)
                        : NULL;
    reply_answer(api, request, answer, what, about);
}

static void tell_status(struct operator_api *api, const struct http_request *request) {
    json_t *json = status_json(api->config.atlas, api->config.links, api->config.config, mono_now());
    const struct instance_api *instances = api->config.instances;
    if (json && instances) {
        json_object_set_new(json, "instances", instance_api_status(instances));
        json_object_set_new(json, "matches", status_matches(instances->desk, instances->keep));
    }
    reply(api, request, 200, json);
}

static void tell_directory(struct operator_api *api, const struct http_request *request) {
    reply(api, request, 200, status_directory(api->config.atlas, api->config.config));
}

static const struct {
    const char *pattern;
    enum http_method method;
    void (*answer)(struct operator_api *api, const struct http_request *request);
    bool ignores_query; /* as with every process */
} ROUTES[] = {
    {"/status", HTTP_GET, tell_status, true},    {"/directory", HTTP_GET, tell_directory, false},
    {"/v1/drain/{}", HTTP_PUT, drain, false},    {"/v1/split/{}", HTTP_PUT, split, false},
    {"/v1/merge/{}/{}", HTTP_PUT, merge, false},
};
#define ROUTE_COUNT (sizeof ROUTES / sizeof *ROUTES)

/* answer_instances has what changes an instance wait. */
static void answer_instances(struct operator_api *api, const struct http_request *request) {
    const struct instance_route *route = &INSTANCE_ROUTES[request->route - ROUTE_COUNT];
    if (request->method != HTTP_GET && api->waiting_count == OPERATOR_API_WAITS_MAX) {
        reply_error(api, request, 503, "busy", "too many requests wait for an answer");
        return;
    }
    struct mono now = mono_now();
    struct instance_answer made = route->answer(api->config.instances, request, now, wall_now_ns() / NS_PER_MS);
    if (instance_api_settle(api->config.instances, &made, false)) {
        reply(api, request, made.status, made.json);
    } else {
        api->waiting[api->waiting_count++] = (struct waiting){request, made, mono_add_ms(now, KEEP_PATIENCE_MS)};
    }
}

/* Routes of instances stand behind the others. */
static void answer(struct operator_api *api, const struct http_request *request) {
    if (request->target.argument_count > 0) {
        reply_error(api, request, 400, "bad_request", "expected no arguments behind the path");
    } else if (request->route < ROUTE_COUNT) {
        ROUTES[request->route].answer(api, request);
    } else {
        answer_instances(api, request);
    }
}

void operator_api_step(struct operator_api *api, struct mono now) {
    for (uint32_t i = api->waiting_count; i-- > 0;) {
        struct waiting *w = &api->waiting[i];
        if (!instance_api_settle(api->config.instances, &w->answer, mono_reached(now, w->until))) continue;
        reply(api, w->request, w->answer.status, w->answer.json);
        *w = api->waiting[--api->waiting_count];
    }
}

static void on_requests(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct operator_api *api = io->data;
    const struct http_request *request;
    for (int i = 0; i < OPERATOR_API_TURN_MAX && http_take(api->http, &request) == 0; i++) answer(api, request);
}

/* --- life */

int operator_api_open(struct operator_api **out, const struct operator_api_config *config, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct operator_api *api = calloc(1, sizeof *api);
    if (!api) return MARCH_ERR_SYSTEM;
    api->config = *config;
    struct http_deferred_route deferred[ROUTE_COUNT + INSTANCE_API_ROUTES];
    size_t count = ROUTE_COUNT + (config->instances ? INSTANCE_API_ROUTES : 0);
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        deferred[i] = (struct http_deferred_route){
            .pattern = ROUTES[i].pattern, .method = ROUTES[i].method, .ignores_query = ROUTES[i].ignores_query};
    for (size_t i = ROUTE_COUNT; i < count; i++) {
        const struct instance_route *route = &INSTANCE_ROUTES[i - ROUTE_COUNT];
        deferred[i] = (struct http_deferred_route){.pattern = route->pattern,
                                                   .method = route->method,
                                                   .deadline_ms = route->method == HTTP_GET ? 0 : CHANGE_DEADLINE_MS};
    }
    const struct http_options options = {.listen = config->config->matchmaker.http,
                                         .metrics = config->metrics,
                                         .health = config->health,
                                         .deferred = deferred,
                                         .deferred_count = count};
    int result = http_open(&api->http, &options, error, error_size);
    if (result) {
        free(api);
        return result;
    }
    ev_io_init(&api->io, on_requests, http_fd(api->http), EV_READ);
    api->io.data = api;
    ev_io_start(config->loop, &api->io);
    *out = api;
    return 0;
}

const struct addr *operator_api_address(const struct operator_api *api) {
    return http_address(api->http);
}

void operator_api_close(struct operator_api *api) {
    if (!api) return;
    while (api->waiting_count > 0) {
        struct waiting *w = &api->waiting[--api->waiting_count];
        json_decref(w->answer.json);
        reply_error(api, w->request, 503, "unavailable", "the matchmaker ends");
    }
    ev_io_stop(api->config.loop, &api->io);
    http_close(api->http);
    free(api);
}
