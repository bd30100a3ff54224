#include "matchmaker/front.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/check.h"
#include "common/log.h"
#include "matchmaker/front_inner.h"
#include "matchmaker/openapi.h"

#define POLL_DEADLINE_MS  (FRONT_POLL_S * 1000 + 2000)
#define WRITE_DEADLINE_MS (KEEP_PATIENCE_MS + 1000)
#define FILES_MIN         (FRONT_CONNECTIONS_MAX + 1024) /* that the process may open: strangers take none of the others */

_Static_assert(CONFIG_KEYS_MAX == JWT_KEYS_MAX && CONFIG_TEXT_SIZE == JWT_TEXT_SIZE, "a verifier has what is configured");
_Static_assert(JWT_BYTES_MAX + sizeof "Bearer " <= HTTP_HEADER_MAX, "a token fits into its header");

/* --- answers */

static void count(struct front_stats *stats, unsigned status) {
    stats->done += status == 200 || status == 201;
    stats->bad += status == 400 || status == 415;
    stats->missing += status == 404 || status == 409;
    stats->refused += status == 401 || status == 403;
    stats->limited += status == 429;
    stats->unready += status == 503;
}

static void answer_with(struct front *f, const struct http_request *request, struct http_answer answer, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (!text) answer.status = 500;
    answer.content_type = "application/json";
    answer.body = text ? text : "{\"error\":{\"code\":\"internal\",\"message\":\"out of memory\"}}";
    answer.body_len = strlen(answer.body);
    answer.age_s = -1;
    count(&f->stats, answer.status);
    http_reply(f->http, request, &answer);
    free(text);
    json_decref(json);
}

void front_reply(struct front *f, const struct http_request *request, unsigned status, json_t *json) {
    answer_with(f, request, (struct http_answer){.status = status}, json);
}

void front_reply_created(struct front *f, const struct http_request *request, const char *location, json_t *json) {
    answer_with(f, request, (struct http_answer){.status = 201, .location = location}, json);
}

void front_reply_problem(struct front *f, const struct http_request *request, const struct problem *problem) {
    answer_with(f, request, (struct http_answer){.status = problem->status, .retry_after_s = problem->retry_s},
                json_pack("{s:{s:s, s:s}}", "error", "code", problem->code, "message", problem->message));
}

/* --- routes */

static const struct {
    const char *pattern;
    enum http_method method;
    uint32_t deadline_ms; /* 0: the usual one */
    void (*answer)(struct front *front, const struct http_request *request);
} ROUTES[] = {
    {"/v1/sessions", HTTP_POST, 0, front_create_session},
    {"/v1/tickets", HTTP_POST, WRITE_DEADLINE_MS, front_create_ticket},
    {"/v1/tickets/{}", HTTP_GET, POLL_DEADLINE_MS, front_get_ticket},
    {"/v1/tickets/{}", HTTP_DELETE, WRITE_DEADLINE_MS, front_delete_ticket},
    {"/v1/tickets/{}/ready", HTTP_PUT, WRITE_DEADLINE_MS, front_answer_check},
    {"/v1/party", HTTP_GET, 0, front_get_party},
    {"/v1/party/invitations", HTTP_POST, WRITE_DEADLINE_MS, front_invite},
    {"/v1/party/members", HTTP_POST, WRITE_DEADLINE_MS, front_join_party},
    {"/v1/party/members/{}", HTTP_DELETE, WRITE_DEADLINE_MS, front_leave_party},
    {"/v1/matches/{}", HTTP_GET, WRITE_DEADLINE_MS, front_get_match},
    {"/v1/matches/{}", HTTP_DELETE, 0, front_leave_match},
    {"/v1/leaderboards/{}", HTTP_GET, WRITE_DEADLINE_MS, front_get_board},
    {"/v1/modes", HTTP_GET, 0, front_get_modes},
    {"/v1/instances", HTTP_POST, WRITE_DEADLINE_MS, front_launch},
    {"/v1/instances/{}", HTTP_DELETE, WRITE_DEADLINE_MS, front_end_instance},
};
#define ROUTE_COUNT (sizeof ROUTES / sizeof *ROUTES)

static void on_requests(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct front *f = io->data;
    const struct http_request *request;
    for (int i = 0; i < FRONT_TURN_MAX && http_take(f->http, &request) == 0; i++) ROUTES[request->route].answer(f, request);
}

/* --- life */

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

/* allow_files: many systems allow a process 1024 of them, and more where it asks. */
static void allow_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= FILES_MIN) return;
    limit.rlim_cur = limit.rlim_max < FILES_MIN ? limit.rlim_max : FILES_MIN;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < FILES_MIN)
        log_warn("front.few_files", "limit=%llu expected=%d", (unsigned long long)limit.rlim_cur, FILES_MIN);
}

static int open_http(struct front *f, char *error, size_t error_size) {
    struct http_deferred_route deferred[ROUTE_COUNT];
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        deferred[i] = (struct http_deferred_route){
            .pattern = ROUTES[i].pattern, .method = ROUTES[i].method, .deadline_ms = ROUTES[i].deadline_ms};
    static const struct http_route routes[] = {{"/v1/openapi.yaml", "application/yaml", render_openapi, NULL}};
    const struct http_options options = {.listen = f->config.config->matchmaker.front.address,
                                         .health = f->config.health,
                                         .routes = routes,
                                         .route_count = 1,
                                         .deferred = deferred,
                                         .deferred_count = ROUTE_COUNT,
                                         .deferred_max = FRONT_WAITS_MAX + HTTP_DEFERRED_MAX,
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
    f->regions = regions_of(config->config);
    allow_files();
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
    static const struct problem closing = {503, "unavailable", "the front door closes", 1};
    if (f->http) ev_io_stop(f->config.loop, &f->io);
    while (f->wait_count > 0) front_reply_problem(f, f->waits[--f->wait_count].request, &closing);
    http_close(f->http);
    gates_close(f->gates);
    sodium_memzero(&f->verifier, sizeof f->verifier);
    free(f);
}
