/* fuzz_front.c: any bytes as the body or, from QUERY on, as the target of a request of the front door, after a byte that
 * says which. It is refused with a text that JSON can hold, or it has what the route needs, of the types and within the
 * limits that it says, and nothing else; and of a launch no more than the template has room for. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "common/utf8.h"
#include "matchmaker/front_inner.h"
#include "matchmaker/launch_request.h"

#define MEMBERS 4

struct body {
    const char *names[MEMBERS];
    json_type types[MEMBERS];
    uint32_t count; /* the first is needed */
};

static const struct body BODIES[] = {
    {{"mode", "roles", "latency_ms", "avoid"}, {JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_ARRAY}, 4},
    {{"ready"}, {JSON_TRUE}, 1},
    {{"player"}, {JSON_STRING}, 1},
    {{"template", "players", "set"}, {JSON_STRING, JSON_ARRAY, JSON_OBJECT}, 3},
};
#define LAUNCH  3
#define QUERY   0x80
#define NUMBERS 2

/* What a query may have: numbers, and a name unless anybody may ask. */
struct query {
    const char *names[NUMBERS + 1];
    uint64_t most[NUMBERS];
    bool is_for_anybody;
};

static const struct query QUERIES[] = {
    {{"wait_s", "version", NULL}, {FRONT_POLL_S, INT64_MAX}, false},
    {{"limit", "season", NULL}, {100, UINT32_MAX}, true},
    {{NULL}, {0}, true},
};

static void check_text(const char *text) {
    CHECK(utf8_text_valid(text, strlen(text), TEMPLATE_ERROR_SIZE));
}

static void check_launch(const json_t *template, const json_t *players, json_t *set) {
    static struct template_set templates = {.count = 1,
                                            .templates = {{.name = "t",
                                                           .version = 1,
                                                           .side_m = 16,
                                                           .capacity = 3,
                                                           .time_limit_s = 1,
                                                           .goals = WIRE_GOAL_EMPTY,
                                                           .empty_s = 1,
                                                           .scaling = {.players = 1}}}};
    static struct launch_request launch;
    char error[TEMPLATE_ERROR_SIZE] = "";
    if (launch_request_read(&templates, json_string_value(template), players, set, &launch, error, sizeof error) != 0) {
        check_text(error);
        return;
    }
    CHECK(launch.template.capacity <= TEMPLATE_CAPACITY_MAX && launch.player_count <= launch.template.capacity);
    for (uint32_t i = 0; i < launch.player_count; i++) CHECK(player_id_valid(launch.players[i]));
}

static void check_members(const struct body *body, json_t *const values[MEMBERS]) {
    CHECK(values[0]);
    for (uint32_t i = 0; i < body->count; i++) {
        bool is_boolean = body->types[i] == JSON_TRUE && json_is_boolean(values[i]);
        CHECK(!values[i] || is_boolean || json_typeof(values[i]) == body->types[i]);
    }
}

static bool is_allowed(const struct query *query, const char *name) {
    for (uint32_t i = 0; query->names[i]; i++)
        if (strcmp(query->names[i], name) == 0) return true;
    return !query->is_for_anybody && strcmp(name, "name") == 0;
}

static struct problem read_query(struct front *front, const struct http_request *request, const struct query *query) {
    struct front_ask ask = {0};
    struct problem problem = query->is_for_anybody ? front_read_query(front, request, query->names)
                                                   : front_read(front, request, NULL, 0, query->names, &ask);
    for (uint32_t i = 0; query->names[i] && !problem.status; i++) {
        uint64_t number;
        problem = front_number(front, request, query->names[i], 1, query->most[i], 1, &number);
        CHECK(problem.status || (number >= 1 && number <= query->most[i]));
    }
    front_forget(&ask);
    return problem;
}

static void try_query(struct front *front, uint8_t which, const uint8_t *bytes, size_t len) {
    static struct http_request request = {.method = HTTP_GET};
    const struct query *query = &QUERIES[which % (sizeof QUERIES / sizeof *QUERIES)];
    if (http_target_parse(&request.target, (const char *)bytes, len) != 0) return;
    struct problem problem = read_query(front, &request, query);
    if (problem.status) check_text(problem.message);
    for (uint32_t i = 0; i < request.target.argument_count && !problem.status; i++)
        CHECK(is_allowed(query, request.target.arguments[i].name));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static struct config config = {.matchmaker.front.auth = CONFIG_AUTH_DEV};
    static struct front front = {.config.config = &config};
    if (len == 0 || len > HTTP_UPLOAD_MAX) return 0;
    if (bytes[0] >= QUERY) {
        try_query(&front, bytes[0], bytes + 1, len - 1);
        return 0;
    }
    uint32_t which = bytes[0] % (sizeof BODIES / sizeof *BODIES);
    const struct body *body = &BODIES[which];
    json_t *values[MEMBERS];
    struct front_member members[MEMBERS];
    for (uint32_t i = 0; i < body->count; i++)
        members[i] = (struct front_member){body->names[i], body->types[i], i == 0, &values[i]};
    static struct http_request request = {.method = HTTP_POST, .content_type = "application/json"};
    request.body_len = len - 1;
    memcpy(request.body, bytes + 1, len - 1);
    struct front_ask ask;
    struct problem problem = front_read(&front, &request, members, body->count, NULL, &ask);
    if (problem.status) {
        check_text(problem.message);
    } else {
        CHECK(player_id_valid(ask.player));
        check_members(body, values);
        if (which == LAUNCH) check_launch(values[0], values[1], values[2]);
    }
    front_forget(&ask);
    return 0;
}
