/* test_http_api.c: the HTTP API of two shards on one loop, over real sockets, with a real PostgreSQL and Redis. */
#include <ev.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sodium.h>
#include <unistd.h>

#include "common/shard.h"
#include "persist/abroad.h"
#include "persist/audit.h"
#include "persist/flags.h"
#include "persist/http_api.h"
#include "persist/migrate.h"
#include "persist/reads.h"
#include "tests/unit/http_ask.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/redis_fixture.h"

#define SHARDS     2
#define PLAYERS    40
#define TTL_MS     300
#define PATIENCE_S 20
#define DOC        "persist/HTTP.md"

static struct pg_fixture fixture;
static struct redis_fixture redis_server;
static char run_dir[] = "/tmp/march-api-XXXXXX";

struct shard {
    struct pg *pg;
    struct boards *boards;
    struct abroad *abroad;
    struct reads *reads;
    struct audit *audit;
    struct flags flags;
    struct http_api *api;
    char uri[160];
};

struct cluster {
    struct ev_loop *loop;
    struct metrics *metrics;
    struct health health;
    struct redis *redis;
    struct shard shards[SHARDS];
    struct http_asked asked;
    json_t *json; /* of the last answer; NULL when it was none */
    bool hidden;  /* shard 1 can't be found */
};

/* --- two databases */

static void execute(uint32_t shard, const char *sql) {
    char uri[160], name[16];
    snprintf(name, sizeof name, "march_%u", shard);
    pg_fixture_uri(&fixture, name, uri, sizeof uri);
    PGconn *connection = PQconnectdb(uri);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail_msg("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

static void fill(uint32_t shard) {
    char sql[8192] = "insert into players (player, name) values ";
    size_t len = strlen(sql);
    for (uint64_t player = 1; player <= PLAYERS; player++)
        if (shard_of_player(player, SHARDS) == shard)
            len += (size_t)snprintf(sql + len, sizeof sql - len, "(%d, 'player %d'),", (int)player, (int)player);
    sql[len - 1] = '\0';
    execute(shard, sql);
}

static uint64_t player_of(uint32_t shard, unsigned nth) {
    for (uint64_t player = 1;; player++)
        if (shard_of_player(player, SHARDS) == shard && nth-- == 0) return player;
}

static int open_server(void **state) {
    (void)state;
    assert_non_null(mkdtemp(run_dir));
    pg_fixture_open(&fixture, NULL);
    redis_fixture_open(&redis_server, NULL);
    pg_fixture_execute(&fixture, "create database march_1");
    for (uint32_t i = 0; i < SHARDS; i++) {
        char uri[160], name[16], error[256];
        struct shard_state shard;
        snprintf(name, sizeof name, "march_%u", i);
        pg_fixture_uri(&fixture, name, uri, sizeof uri);
        if (shard_open(uri, i, SHARDS, 20000, &shard, error, sizeof error) != 0) fail_msg("%s", error);
        fill(i);
    }
    char sql[512];
    int rich = (int)player_of(0, 0);
    snprintf(sql, sizeof sql,
             "insert into guilds values (100, 'The Guild', %d, 3);"
             "insert into guild_members select n, 100, (n = 501)::int, n from generate_series(501, 560) n;"
             "insert into accounts values (1, %d, 250, 4); insert into items values (1000, 1, %d, 3, 2, 15, 1);"
             "insert into auctions select n, 7, 1, 1, 10, 0, 0, 0, '2030-01-01T00:00:00Z', 1 from generate_series(1, 5) n",
             rich, rich, rich);
    execute(0, sql);
    return 0;
}

static int close_server(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    redis_fixture_close(&redis_server);
    char path[64];
    for (uint32_t i = 0; i < SHARDS; i++) {
        snprintf(path, sizeof path, "%s/persist-%u.flags", run_dir, i);
        unlink(path);
    }
    rmdir(run_dir);
    return 0;
}

/* --- two shards */

static void wake(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)timer, (void)events;
}

static void turn(struct cluster *c) {
    ev_timer timer;
    ev_timer_init(&timer, wake, 0.01, 0);
    ev_timer_start(c->loop, &timer);
    ev_run(c->loop, EVRUN_ONCE);
    ev_timer_stop(c->loop, &timer);
}

#define AWAIT(c, condition)                                                                                                 \
    do {                                                                                                                    \
        struct mono deadline_ = mono_add_ms(mono_now(), PATIENCE_S * 1000);                                                 \
        while (!(condition)) {                                                                                              \
            turn(c);                                                                                                        \
            if (mono_reached(mono_now(), deadline_)) fail_msg("waited too long for %s", #condition);                        \
        }                                                                                                                   \
    } while (0)

static bool find_shard(void *ctx, uint32_t shard, char url[ABROAD_URL_SIZE]) {
    const struct cluster *c = ctx;
    if (shard >= SHARDS || !c->shards[shard].api || (c->hidden && shard == 1)) return false;
    char address[ADDR_TEXT_MAX];
    snprintf(url, ABROAD_URL_SIZE, "http://%s", addr_format(http_api_address(c->shards[shard].api), address));
    return true;
}

static bool is_region(void *ctx, const char *region) {
    (void)ctx;
    return strcmp(region, "nowhere") != 0;
}

static void open_shard(struct cluster *c, uint32_t index) {
    struct shard *s = &c->shards[index];
    char name[16], error[256];
    snprintf(name, sizeof name, "march_%u", index);
    pg_fixture_uri(&fixture, name, s->uri, sizeof s->uri);
    const struct pg_config pg = {.name = "reads", .uri = s->uri, .connections = 1, .connect_ms = 5000, .seed = 1};
    assert_int_equal(pg_create(c->loop, &pg, &s->pg), 0);
    const struct boards_config boards = {.redis = c->redis, .shard = index, .season = 1, .flush_ms = 5};
    assert_int_equal(boards_open(&s->boards, c->loop, &boards), 0);
    s->abroad = abroad_create(c->loop, find_shard, c);
    const struct reads_config reads = {.loop = c->loop,
                                       .pg = s->pg,
                                       .boards = s->boards,
                                       .abroad = s->abroad,
                                       .shard_index = index,
                                       .shard_count = SHARDS,
                                       .season = 1,
                                       .ttl_ms = TTL_MS};
    s->reads = reads_create(&reads);
    s->audit = audit_create(s->pg, s->pg);
    snprintf(name, sizeof name, "persist-%u", index);
    if (flags_open(&s->flags, run_dir, name, error, sizeof error) != 0) fail_msg("%s", error);
    const struct http_api_config api = {.loop = c->loop,
                                        .listen = "127.0.0.1:0",
                                        .metrics = c->metrics,
                                        .health = &c->health,
                                        .reads = s->reads,
                                        .flags = &s->flags,
                                        .audit = s->audit,
                                        .abroad = s->abroad,
                                        .shard_index = index,
                                        .is_region = is_region};
    if (http_api_open(&s->api, &api, error, sizeof error) != 0) fail_msg("%s", error);
    AWAIT(c, pg_is_available(s->pg));
}

static int open_cluster(void **state) {
    struct cluster *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->loop = ev_loop_new(EVFLAG_AUTO);
    c->metrics = metrics_create(4, "test");
    health_init(&c->health, mono_now());
    const struct redis_config redis = {.address = redis_server.uri, .seed = 1};
    assert_int_equal(redis_open(&c->redis, c->loop, &redis), 0);
    assert_int_equal(redis_ready_within(c->redis, PATIENCE_S * 1000), 0);
    for (uint32_t i = 0; i < SHARDS; i++) open_shard(c, i);
    *state = c;
    return 0;
}

static int close_cluster(void **state) {
    struct cluster *c = *state;
    for (uint32_t i = 0; i < SHARDS; i++) pg_destroy(c->shards[i].pg);
    redis_close(c->redis); /* while those who asked it are there */
    for (uint32_t i = 0; i < SHARDS; i++) {
        boards_close(c->shards[i].boards);
        reads_destroy(c->shards[i].reads);
        abroad_destroy(c->shards[i].abroad);
        audit_destroy(c->shards[i].audit);
        http_api_close(c->shards[i].api);
    }
    metrics_destroy(c->metrics);
    ev_loop_destroy(c->loop);
    json_decref(c->json);
    free(c);
    return 0;
}

/* --- asking */

static bool readable(int fd) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, 0) == 1;
}

static int ask(struct cluster *c, uint32_t shard, const char *method, const char *target, const char *headers,
               const char *body) {
    int fd = http_ask_method(http_api_address(c->shards[shard].api), method, target, headers, body);
    AWAIT(c, readable(fd));
    int status = http_ask_read(fd, &c->asked);
    json_decref(c->json);
    c->json = json_loads(c->asked.body, 0, NULL);
    return status;
}

static int get(struct cluster *c, uint32_t shard, const char *format, ...) {
    char target[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(target, sizeof target, format, args);
    va_end(args);
    return ask(c, shard, "GET", target, NULL, NULL);
}

static json_int_t number(const json_t *json, const char *key) {
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value)) fail_msg("%s is no number", key);
    return json_integer_value(value);
}

static const char *text(const json_t *json, const char *key) {
    const char *value = json_string_value(json_object_get(json, key));
    if (!value) fail_msg("%s is no text", key);
    return value;
}

static const char *error_code(const json_t *json) {
    return text(json_object_get(json, "error"), "code");
}

static size_t count_of(const json_t *json, const char *key) {
    assert_true(json_is_array(json_object_get(json, key)));
    return json_array_size(json_object_get(json, key));
}

static bool has_header(const struct cluster *c, const char *line) {
    const char *at = strstr(c->asked.text, line);
    return at && at < c->asked.body;
}

/* --- tests */

/* What stands for ID and NAME, and the query, when a route of the page is tried. */
static void fill_target(const char *pattern, char *out, size_t size) {
    static const struct {
        const char *pattern, *target;
    } samples[] = {
        {"/v1/players", "/v1/players?name=player%207"},
        {"/v1/guilds", "/v1/guilds?name=The+Guild"},
        {"/v1/guilds/{}", "/v1/guilds/100"},
        {"/v1/guilds/{}/members", "/v1/guilds/100/members"},
        {"/v1/boards/{}", "/v1/boards/gold"},
        {"/v1/flags/{}", "/v1/flags/reads"},
    };
    snprintf(out, size, "%s", pattern);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (strcmp(samples[i].pattern, pattern) == 0) snprintf(out, size, "%s", samples[i].target);
    char *hole = strstr(out, "boards/{}/players/{}");
    if (hole) snprintf(hole, size - (size_t)(hole - out), "boards/gold/players/%d", (int)player_of(0, 0));
    hole = strstr(out, "players/{}");
    if (!hole) return;
    char rest[64];
    snprintf(rest, sizeof rest, "%s", hole + strlen("players/{}"));
    snprintf(hole, size - (size_t)(hole - out), "players/%d%s", (int)player_of(0, 0), rest);
}

/* read_route takes a line of the page's table; ID and NAME are {} in patterns. */
static bool read_route(const char *line, char *method, char *pattern) {
    char path[128];
    if (sscanf(line, "| `%3s %127[^`]`", method, path) != 2) return false;
    char *to = pattern;
    for (const char *at = path; *at;) {
        size_t len = strcspn(at, "/");
        bool hole = len > 0 && strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;
        to += hole ? sprintf(to, "{}") : sprintf(to, "%.*s", (int)len, at);
        at += len;
        if (*at == '/') *to++ = *at++;
    }
    *to = '\0';
    return true;
}

/* raise gives player N of each shard a score and waits until Redis has it. */
static void raise_scores(struct cluster *c) {
    for (uint64_t player = 1; player <= PLAYERS; player++) {
        struct boards *boards = c->shards[shard_of_player(player, SHARDS)].boards;
        const char *region = player % 4 == 0 ? "north" : "main";
        assert_int_equal(boards_raise(boards, BOARD_GOLD, region, player, (int64_t)player * 10), 0);
    }
    AWAIT(c, boards_stats_get(c->shards[0].boards).redis_scores + boards_stats_get(c->shards[1].boards).redis_scores >=
                 PLAYERS);
}

static void test_api_every_route_of_the_page_answers_and_there_are_no_others(void **state) {
    struct cluster *c = *state;
    raise_scores(c);
    FILE *page = fopen(DOC, "r");
    assert_non_null(page);
    char line[1024], method[8], pattern[256], target[256];
    size_t listed = 0, routes = 0;
    enum http_method of_route;
    while (fgets(line, sizeof line, page)) {
        if (!read_route(line, method, pattern)) continue;
        listed++;
        bool known = false;
        const char *route;
        for (routes = 0; (route = http_api_pattern(routes, &of_route)) != NULL; routes++)
            known = known || (strcmp(route, pattern) == 0 && (of_route == HTTP_PUT) == (strcmp(method, "PUT") == 0));
        if (!known) fail_msg("%s has %s %s, which there is not", DOC, method, pattern);
        fill_target(pattern, target, sizeof target);
        int status = ask(c, 0, method, target, NULL, strcmp(method, "PUT") == 0 ? "on" : NULL);
        if (status != 200) fail_msg("%s %s: %d %s", method, target, status, c->asked.body);
        assert_non_null(c->json);
    }
    fclose(page);
    assert_int_equal(listed, routes);
}

static void test_api_profile_comes_from_any_shard_with_an_etag(void **state) {
    struct cluster *c = *state;
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        int player = (int)player_of(shard, 1);
        for (uint32_t from = 0; from < SHARDS; from++) {
            assert_int_equal(get(c, from, "/v1/players/%d", player), 200);
            assert_int_equal(number(c->json, "player"), player);
            char name[32], header[64] = "If-None-Match: ";
            snprintf(name, sizeof name, "player %d", player);
            assert_string_equal(text(c->json, "name"), name);
            const char *etag = strstr(c->asked.text, "ETag: ");
            assert_non_null(etag);
            snprintf(header + strlen(header), sizeof header - strlen(header), "%.18s\r\n", etag + 6);
            char target[64];
            snprintf(target, sizeof target, "/v1/players/%d", player);
            assert_int_equal(ask(c, from, "GET", target, header, NULL), 304);
            assert_string_equal(c->asked.body, "");
            assert_int_equal(get(c, from, "/v1/players?name=player+%d", player), 200);
            assert_int_equal(number(c->json, "player"), player);
        }
    }
    assert_int_equal(get(c, 0, "/v1/players/%d?local=1", (int)player_of(1, 0)), 404);
    assert_int_equal(get(c, 0, "/v1/players?name=nobody"), 404);
    assert_string_equal(error_code(c->json), "not_found");
}

static void test_api_batch_asks_all_shards_at_once(void **state) {
    struct cluster *c = *state;
    char ids[512] = "";
    for (int player = 1; player <= PLAYERS + 1; player++)
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%d", player == 1 ? "" : ",", player);
    assert_int_equal(get(c, 0, "/v1/players?ids=%s", ids), 200);
    const json_t *players = json_object_get(c->json, "players");
    assert_int_equal(json_array_size(players), PLAYERS + 1);
    for (int i = 0; i < PLAYERS; i++) {
        assert_int_equal(number(json_array_get(players, (size_t)i), "player"), i + 1);
        assert_string_equal(text(json_array_get(players, (size_t)i), "region"), "main");
    }
    assert_string_equal(error_code(json_array_get(players, PLAYERS)), "not_found");
    struct reads_stats stats = reads_stats_get(c->shards[0].reads);
    assert_int_equal(stats.queries, 1);
    assert_int_equal(stats.foreign, 1);
}

static void test_api_batch_is_partial_where_a_shard_is_away(void **state) {
    struct cluster *c = *state;
    int near = (int)player_of(0, 0), far = (int)player_of(1, 0);
    c->hidden = true;
    assert_int_equal(get(c, 0, "/v1/players?ids=%d,%d", far, near), 200);
    const json_t *players = json_object_get(c->json, "players");
    assert_int_equal(number(json_array_get(players, 0), "player"), far);
    assert_string_equal(error_code(json_array_get(players, 0)), "unavailable");
    assert_string_equal(text(json_array_get(players, 1), "region"), "main");
    assert_int_equal(get(c, 0, "/v1/players?name=nobody"), 503); /* who knows */
    c->hidden = false;
}

static void test_api_what_is_at_home_elsewhere_is_said_to_be(void **state) {
    struct cluster *c = *state;
    int far = (int)player_of(1, 0);
    assert_int_equal(get(c, 0, "/v1/players/%d/inventory", far), 307);
    const json_t *error = json_object_get(c->json, "error");
    assert_string_equal(text(error, "code"), "wrong_shard");
    assert_int_equal(number(error, "shard"), 1);
    char path[64], base[ABROAD_URL_SIZE];
    snprintf(path, sizeof path, "/v1/players/%d/inventory", far);
    assert_true(find_shard(c, 1, base));
    assert_memory_equal(text(error, "location"), base, strlen(base));
    assert_string_equal(text(error, "location") + strlen(base), path);
    assert_true(has_header(c, "Location: http://"));
    assert_int_equal(get(c, 1, "%s", path), 200);
    assert_int_equal(count_of(c->json, "items"), 0);
    assert_int_equal(get(c, 0, "/v1/boards/gold/players/%d?region=a%%26b%%20c", far), 307);
    assert_non_null(strstr(text(json_object_get(c->json, "error"), "location"), "?region=a%26b%20c"));
    c->hidden = true;
    assert_int_equal(get(c, 0, "/v1/guilds/%llu", (unsigned long long)shard_id(1, 5)), 421);
    assert_int_equal(get(c, 0, "/v1/guilds/%llu", (unsigned long long)shard_id(7, 5)), 421);
    c->hidden = false;
}

static void test_api_pages_follow_each_other(void **state) {
    struct cluster *c = *state;
    json_int_t page = 0, seen = 0;
    for (int pages = 0; pages < 10; pages++) {
        assert_int_equal(get(c, 0, "/v1/guilds/100/members?count=25&page=%d", (int)page), 200);
        assert_int_equal(number(c->json, "total"), 60);
        const json_t *members = json_object_get(c->json, "members");
        for (size_t i = 0; i < json_array_size(members); i++, seen++)
            assert_int_equal(number(json_array_get(members, i), "player"), 501 + seen);
        if (json_is_null(json_object_get(c->json, "next"))) break;
        page = number(c->json, "next");
    }
    assert_int_equal(seen, 60);
    assert_int_equal(get(c, 0, "/v1/auctions?count=2"), 200);
    assert_int_equal(count_of(c->json, "auctions"), 2);
    assert_int_equal(get(c, 0, "/v1/auctions?count=3&page=%d", (int)number(c->json, "next")), 200);
    assert_int_equal(count_of(c->json, "auctions"), 3);
    assert_int_equal(number(json_array_get(json_object_get(c->json, "auctions"), 0), "auction"), 3);
    assert_true(json_is_null(json_object_get(c->json, "next")));
}

static void test_api_board_is_merged_over_shards_and_paged(void **state) {
    struct cluster *c = *state;
    raise_scores(c);
    json_int_t from = 1, rank = 0;
    while (rank <= PLAYERS) {
        assert_int_equal(get(c, 0, "/v1/boards/gold?count=15&from=%d", (int)from), 200);
        assert_int_equal(number(c->json, "total"), PLAYERS);
        assert_int_equal(number(c->json, "season"), 1);
        const json_t *entries = json_object_get(c->json, "entries");
        for (size_t i = 0; i < json_array_size(entries); i++) {
            const json_t *entry = json_array_get(entries, i);
            assert_int_equal(number(entry, "rank"), ++rank);
            assert_int_equal(number(entry, "player"), PLAYERS + 1 - rank);
            assert_int_equal(number(entry, "score"), 10 * (PLAYERS + 1 - rank));
        }
        if (json_is_null(json_object_get(c->json, "next"))) break;
        from = number(c->json, "next");
    }
    assert_int_equal(rank, PLAYERS);
    assert_int_equal(get(c, 1, "/v1/boards/gold?region=north&count=2"), 200);
    assert_int_equal(number(c->json, "total"), PLAYERS / 4);
    assert_int_equal(number(json_array_get(json_object_get(c->json, "entries"), 1), "player"), PLAYERS - 4);
    assert_int_equal(get(c, 0, "/v1/boards/gold?local=1&count=1000"), 200);
    assert_in_range(number(c->json, "total"), 1, PLAYERS - 1);
    assert_int_equal(get(c, 0, "/v1/boards/gold?from=1000&count=2"), 400);
    assert_int_equal(get(c, 0, "/v1/boards/gold?region=nowhere"), 404);
    assert_int_equal(get(c, 0, "/v1/boards/gold?season=9"), 200);
    assert_int_equal(count_of(c->json, "entries"), 0);
    c->hidden = true;
    assert_int_equal(get(c, 0, "/v1/boards/gold?count=3"), 503); /* half a board would be wrong */
    c->hidden = false;
}

static void test_api_board_around_a_player(void **state) {
    struct cluster *c = *state;
    raise_scores(c);
    int player = (int)player_of(0, 3);
    assert_int_equal(get(c, 0, "/v1/boards/gold/players/%d?around=1", player), 200);
    const json_t *self = json_object_get(c->json, "self");
    assert_int_equal(number(self, "player"), player);
    assert_int_equal(number(self, "score"), 10 * player);
    assert_int_equal(count_of(c->json, "entries"), 3);
    assert_int_equal(get(c, 0, "/v1/boards/gold/players/%d?season=9", player), 404);
    uint64_t reads = boards_stats_get(c->shards[0].boards).reads;
    for (int i = 0; i < 5; i++) assert_int_equal(get(c, 0, "/v1/boards/gold/players/%d?around=1", player), 200);
    assert_int_equal(boards_stats_get(c->shards[0].boards).reads, reads); /* within a second */
}

/* --- ranks over both shards, against a sort of all scores, of which five each are the same */

struct line {
    uint64_t player;
    json_int_t score;
};

static int compare_lines(const void *x, const void *y) {
    const struct line *a = x, *b = y;
    char s[24], t[24];
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    snprintf(s, sizeof s, "%d", (int)a->player);
    snprintf(t, sizeof t, "%d", (int)b->player);
    return -strcmp(s, t);
}

static uint32_t raise_equal_scores(struct cluster *c, const char *region, struct line lines[PLAYERS]) {
    uint32_t count = 0;
    for (uint64_t player = 1; player <= PLAYERS; player++) {
        struct boards *boards = c->shards[shard_of_player(player, SHARDS)].boards;
        const char *own = player % 4 == 0 ? "north" : "main";
        assert_int_equal(boards_raise(boards, BOARD_EXPERIENCE, own, player, (int64_t)player / 5 + 1), 0);
        if (!region || strcmp(own, region) == 0) lines[count++] = (struct line){player, (json_int_t)player / 5 + 1};
    }
    for (uint32_t i = 0; i < SHARDS; i++) AWAIT(c, boards_stats_get(c->shards[i].boards).pending == 0);
    qsort(lines, count, sizeof *lines, compare_lines);
    return count;
}

static void check_entries(const json_t *entries, const struct line *lines, uint32_t first, uint32_t count) {
    assert_int_equal(json_array_size(entries), count);
    for (uint32_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(entries, i);
        assert_int_equal(number(entry, "rank"), first + i + 1);
        assert_int_equal(number(entry, "player"), lines[first + i].player);
        assert_int_equal(number(entry, "score"), lines[first + i].score);
    }
}

static void check_place(const struct cluster *c, const struct line *lines, uint32_t count, uint32_t at, uint32_t around) {
    uint32_t first = at < around ? 0 : at - around, last = at + around < count ? at + around : count - 1;
    const json_t *self = json_object_get(c->json, "self");
    assert_int_equal(number(self, "player"), lines[at].player);
    assert_int_equal(number(self, "rank"), at + 1);
    assert_int_equal(number(c->json, "total"), count);
    check_entries(json_object_get(c->json, "entries"), lines, first, last - first + 1);
}

static void test_api_ranks_are_of_all_shards(void **state) {
    struct cluster *c = *state;
    static const char *const regions[] = {NULL, "main", "north"};
    struct line lines[PLAYERS];
    for (size_t r = 0; r < sizeof regions / sizeof *regions; r++) {
        const char *region = regions[r] ? regions[r] : "";
        uint32_t count = raise_equal_scores(c, regions[r], lines);
        assert_int_equal(get(c, 0, "/v1/boards/experience?count=100&region=%s", region), 200);
        check_entries(json_object_get(c->json, "entries"), lines, 0, count);
        for (uint32_t i = 0; i < count; i++) {
            int player = (int)lines[i].player;
            uint32_t home = shard_of_player(lines[i].player, SHARDS);
            assert_int_equal(get(c, home, "/v1/boards/experience/players/%d?around=3&region=%s", player, region), 200);
            check_place(c, lines, count, i, 3);
        }
    }
}

static void test_api_rank_of_one_shard_is_asked_for_by_another(void **state) {
    struct cluster *c = *state;
    struct line lines[PLAYERS];
    uint32_t count = raise_equal_scores(c, NULL, lines), before[SHARDS] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t home = shard_of_player(lines[i].player, SHARDS);
        int player = (int)lines[i].player;
        assert_int_equal(get(c, home, "/v1/boards/experience/players/%d?local=1&around=0", player), 200);
        assert_int_equal(number(json_object_get(c->json, "self"), "rank"), before[home] + 1);
        assert_int_equal(
            get(c, 1 - home, "/v1/boards/experience/players/%d?local=1&around=2&score=%d", player, (int)lines[i].score),
            200);
        assert_int_equal(number(json_object_get(c->json, "self"), "rank"), before[1 - home] + 1);
        before[home]++;
    }
}

static void test_api_rank_that_lacks_a_shard_is_an_error(void **state) {
    struct cluster *c = *state;
    struct line lines[PLAYERS];
    raise_equal_scores(c, NULL, lines);
    int player = (int)player_of(0, 0);
    c->hidden = true;
    assert_int_equal(get(c, 0, "/v1/boards/experience/players/%d?around=4", player), 503);
    assert_string_equal(error_code(c->json), "unavailable");
    assert_int_equal(get(c, 0, "/v1/boards/experience/players/%d?around=4&local=1", player), 200);
    c->hidden = false;
}

struct told {
    int count, error;
    struct reads_board board;
};

static void on_told(void *ctx, int error, const struct reads_board *board, struct reads_meta meta) {
    (void)meta;
    struct told *told = ctx;
    told->error = error;
    if (board) told->board = *board;
    told->count++;
}

static int around_from(struct cluster *c, uint32_t shard, uint64_t player, uint32_t around, struct told *told) {
    told->count = 0;
    reads_board_around(c->shards[shard].reads, BOARD_EXPERIENCE, 0, NULL, player, around, false, on_told, told);
    AWAIT(c, told->count == 1);
    return told->error;
}

/* Clients ask their own shard, for players of any. */
static void test_api_rank_is_told_by_any_shard(void **state) {
    struct cluster *c = *state;
    struct line lines[PLAYERS];
    struct told *told = calloc(1, sizeof *told);
    assert_non_null(told);
    uint32_t count = raise_equal_scores(c, NULL, lines);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t away = 1 - shard_of_player(lines[i].player, SHARDS), first = i < 2 ? 0 : i - 2;
        assert_int_equal(around_from(c, away, lines[i].player, 2, told), 0);
        assert_int_equal(told->board.board, BOARD_EXPERIENCE);
        assert_int_equal(told->board.season, 1);
        assert_int_equal(told->board.total, count);
        assert_int_equal(told->board.self.rank, i + 1);
        for (uint32_t k = 0; k < told->board.count; k++) {
            assert_int_equal(told->board.entries[k].player, lines[first + k].player);
            assert_int_equal(told->board.entries[k].rank, first + k + 1);
        }
    }
    assert_int_equal(around_from(c, 0, player_of(1, PLAYERS), 2, told), MARCH_ERR_NOT_FOUND);
    assert_int_equal(around_from(c, 0, UINT64_MAX, 2, told), MARCH_ERR_NOT_FOUND);
    c->hidden = true;
    assert_int_equal(around_from(c, 0, player_of(1, 0), 3, told), MARCH_ERR_UNAVAILABLE);
    c->hidden = false;
    free(told);
}

static void test_api_bad_arguments_are_named(void **state) {
    struct cluster *c = *state;
    static const struct {
        const char *target, *says;
    } cases[] = {
        {"/v1/players", "either name or ids"},
        {"/v1/players?name=a&ids=1", "either name or ids"},
        {"/v1/players?ids=", "ids"},
        {"/v1/players?ids=1,", "ids"},
        {"/v1/players?ids=1,x", "ids"},
        {"/v1/players?ids=0", "ids"},
        {"/v1/players?ids=99999999999999999999999999", "ids"},
        {"/v1/players/0", "id"},
        {"/v1/players/-1", "id"},
        {"/v1/players/9223372036854775808", "id"},
        {"/v1/players/7x/inventory", "id"},
        {"/v1/players/7?x=1", "x: expected local\""},
        {"/v1/guilds/100/members?x=1", "x: expected page, count\""},
        {"/v1/flags?x=1", "x: expected no arguments\""},
        {"/v1/guilds", "name"},
        {"/v1/guilds/100/members?count=0", "count: expected a number from 1 to 100"},
        {"/v1/guilds/100/members?count=101", "count"},
        {"/v1/guilds/100/members?page=-1", "page"},
        {"/v1/auctions?kind=0", "kind"},
        {"/v1/auctions?page=18446744073709551616", "page"},
        {"/v1/stats/daily?days=91", "days: expected a number from 1 to 90"},
        {"/v1/stats/daily?count=1", "count: expected days"},
        {"/v1/stats/daily?days%20=1", "expected days"},
        {"/v1/boards/gold?from=0", "from"},
        {"/v1/boards/gold/players/7?score=5", "score: expected local, too"},
        {"/v1/boards/gold/players/7?local=1&score=9007199254740992", "score: expected a number from 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(get(c, 0, "%s", cases[i].target), 400);
        assert_string_equal(error_code(c->json), "bad_request");
        if (!strstr(c->asked.body, cases[i].says)) fail_msg("%s: %s", cases[i].target, c->asked.body);
    }
    char ids[600] = "/v1/players?ids=1";
    for (int i = 0; i < READS_PROFILES_MAX; i++) snprintf(ids + strlen(ids), sizeof ids - strlen(ids), ",1");
    assert_int_equal(get(c, 0, "%s", ids), 400);
    assert_int_equal(get(c, 0, "/v1/boards/nonsense"), 404);
    assert_int_equal(get(c, 0, "/v1/nonsense"), 404);
    assert_int_equal(reads_stats_get(c->shards[0].reads).queries, 0);
}

static void test_api_flags_switch_reads_off_and_on(void **state) {
    struct cluster *c = *state;
    assert_int_equal(get(c, 0, "/v1/flags"), 200);
    assert_true(json_is_true(json_object_get(json_object_get(c->json, "flags"), "reads")));
    assert_int_equal(ask(c, 0, "PUT", "/v1/flags/reads", NULL, "off\n"), 200);
    assert_true(json_is_false(json_object_get(c->json, "on")));
    assert_int_equal(get(c, 0, "/v1/players/1"), 503);
    assert_string_equal(error_code(c->json), "disabled");
    assert_true(has_header(c, "Retry-After: 1\r\n"));
    assert_int_equal(get(c, 0, "/v1/audit/world"), 200);
    assert_int_equal(get(c, 0, "/v1/flags"), 200);
    assert_true(json_is_false(json_object_get(json_object_get(c->json, "flags"), "reads")));
    assert_int_equal(ask(c, 0, "PUT", "/v1/flags/reads", NULL, "on"), 200);
    assert_int_equal(get(c, 0, "/v1/players/%d", (int)player_of(0, 0)), 200);
    static const char *const bad[] = {"", "o", "yes", "on off", "on\noff", "onn"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ask(c, 0, "PUT", "/v1/flags/reads", NULL, bad[i]), 400);
    assert_int_equal(ask(c, 0, "PUT", "/v1/flags/nonsense", NULL, "on"), 404);
    assert_int_equal(ask(c, 0, "PUT", "/v1/flags", NULL, "on"), 405);
}

static void test_api_without_database_what_is_known_is_stale(void **state) {
    struct cluster *c = *state;
    int player = (int)player_of(0, 0);
    assert_int_equal(get(c, 0, "/v1/players/%d", player), 200);
    assert_true(has_header(c, "Age: 0\r\n"));
    assert_null(json_object_get(c->json, "stale"));
    assert_int_equal(get(c, 0, "/v1/players/%d/inventory", player), 200);
    assert_int_equal(number(c->json, "gold"), 250);
    pg_fixture_crash(&fixture);
    AWAIT(c, !pg_is_available(c->shards[0].pg));
    struct mono until = mono_add_ms(mono_now(), 1100);
    AWAIT(c, mono_reached(mono_now(), until));
    assert_int_equal(get(c, 0, "/v1/players/%d", player), 200);
    assert_true(json_is_true(json_object_get(c->json, "stale")));
    assert_true(has_header(c, "Age: ") && !has_header(c, "Age: 0\r\n"));
    assert_int_equal(get(c, 0, "/v1/players/%d/inventory", player), 200);
    assert_true(json_is_true(json_object_get(c->json, "stale")));
    assert_int_equal(number(c->json, "gold"), 250);
    assert_int_equal(get(c, 0, "/v1/players/%d", (int)player_of(0, 1)), 503);
    assert_string_equal(error_code(c->json), "unavailable");
    pg_fixture_start(&fixture);
}

static void test_api_close_answers_what_is_under_way(void **state) {
    (void)state;
    void *own;
    assert_int_equal(open_cluster(&own), 0);
    struct cluster *c = own;
    char target[64];
    snprintf(target, sizeof target, "/v1/players?ids=%d,%d", (int)player_of(0, 0), (int)player_of(1, 0));
    int fd = http_ask_method(http_api_address(c->shards[0].api), "GET", target, NULL, NULL);
    AWAIT(c, reads_stats_get(c->shards[0].reads).asked == 2);
    assert_false(readable(fd));
    close_cluster(&own);
    struct http_asked *asked = calloc(1, sizeof *asked);
    assert_non_null(asked);
    int status = http_ask_read(fd, asked);
    bool told = status == 200 && strstr(asked->body, "\"error\"") && !strstr(asked->body, "\"name\"");
    free(asked);
    assert_true(told || status == 0); /* nobody's data, or cut off in the middle */
}

#define WITH_CLUSTER(test) cmocka_unit_test_setup_teardown(test, open_cluster, close_cluster)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(test_api_every_route_of_the_page_answers_and_there_are_no_others),
        WITH_CLUSTER(test_api_profile_comes_from_any_shard_with_an_etag),
        WITH_CLUSTER(test_api_batch_asks_all_shards_at_once),
        WITH_CLUSTER(test_api_batch_is_partial_where_a_shard_is_away),
        WITH_CLUSTER(test_api_what_is_at_home_elsewhere_is_said_to_be),
        WITH_CLUSTER(test_api_pages_follow_each_other),
        WITH_CLUSTER(test_api_board_is_merged_over_shards_and_paged),
        WITH_CLUSTER(test_api_board_around_a_player),
        WITH_CLUSTER(test_api_ranks_are_of_all_shards),
        WITH_CLUSTER(test_api_rank_of_one_shard_is_asked_for_by_another),
        WITH_CLUSTER(test_api_rank_that_lacks_a_shard_is_an_error),
        WITH_CLUSTER(test_api_rank_is_told_by_any_shard),
        WITH_CLUSTER(test_api_bad_arguments_are_named),
        WITH_CLUSTER(test_api_flags_switch_reads_off_and_on),
        WITH_CLUSTER(test_api_without_database_what_is_known_is_stale),
        cmocka_unit_test(test_api_close_answers_what_is_under_way),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, open_server, close_server);
}
