/* stream.c: see stream.h. */
#include "persist/stream.h"

#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"

#define ENTRIES_DEFAULT 1000000
#define PAGE_BYTES_MAX  (4u << 20) /* of a page's request; the rest goes with the next page */
#define FIELDS          8
#define LAG_MAX         100000 /* counting stops there */
#define PG_MS           2000
#define RETRY_CAP_MS    2000

_Static_assert(STREAM_PAGE *FIELDS + 2 <= REDIS_REQUEST_ARGS_MAX, "a page fits into a request");

enum stream_state {
    STREAM_IDLE = 0,
    STREAM_READING = 1,
    STREAM_PUBLISHING = 2,
    STREAM_DELETING = 3,
    STREAM_WAITING = 4,
    STREAM_STATE_COUNT = 5
};

struct stream {
    struct ev_loop *loop;
    struct redis *redis;
    struct pg *pg;
    enum stream_state state;
    bool woken;     /* since the last page was asked for */
    bool count_lag; /* with the next page */
    unsigned script;
    uint32_t entries_max;
    struct backoff backoff;
    ev_timer timer; /* idle: the next look; waiting: the next try */
    struct redis_request request;
    struct pg_params fence, params;
    uint64_t ids[STREAM_PAGE]; /* of the page */
    uint32_t count;
    struct stream_stats stats;
};

/* KEYS: stream. ARGV: bound, then the fields of each event. It stops at the first that fails, so nothing overtakes it. */
static const char publish_source[] =
    "for a = 2, #ARGV, 8 do "
    "  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'id', ARGV[a], 'at', ARGV[a + 1], 'player', ARGV[a + 2], "
    "             'other', ARGV[a + 3], 'type', ARGV[a + 4], 'domain', ARGV[a + 5], 'key', ARGV[a + 6], "
    "             'detail', ARGV[a + 7]) "
    "end "
    "return (#ARGV - 1) / 8";

/* Each event is looked up by itself, from the newest day on: a join may be planned as a merge, which reads the whole day. */
static const struct pg_statement read_statement = {
    "stream_read", "select o.event, e.at, e.player, coalesce(e.other, 0), e.type, e.domain, e.key, e.detail::text "
                   "from (select event from outbox order by event limit $1::int) o "
                   "left join lateral (select * from events where id = o.event order by at desc limit 1) e on true "
                   "order by o.event"};
static const struct pg_statement lag_statement = {"stream_lag",
                                                  "select count(*) from (select from outbox limit $1::int) waiting"};
static const struct pg_statement fence_statement = {"stream_fence", "select march_fence($1::bigint)"};
static const struct pg_statement delete_statement = {"stream_delete", "delete from outbox where event = any ($1::bigint[])"};

static void arm(struct stream *stream, uint32_t after_ms) {
    ev_timer_stop(stream->loop, &stream->timer);
    ev_timer_set(&stream->timer, after_ms / 1e3, 0);
    ev_timer_start(stream->loop, &stream->timer);
}

static void rest(struct stream *stream) {
    stream->state = STREAM_IDLE;
    arm(stream, STREAM_POLL_MS);
}

/* fail waits, then begins with the oldest that is in the outbox. */
static void fail(struct stream *stream, const char *what, int error) {
    stream->stats.failures++;
    stream->state = STREAM_WAITING;
    uint32_t wait_ms = backoff_next_ms(&stream->backoff);
    log_warn("stream.failed", "what=%s error=\"%s\" retry_ms=%u", what, march_error_text(error), wait_ms);
    arm(stream, wait_ms);
}

static void read_page(struct stream *stream);

static void on_deleted(void *ctx, const struct pg_reply *reply) {
    struct stream *stream = ctx;
    if (reply->error) {
        fail(stream, "delete", reply->error);
        return;
    }
    backoff_reset(&stream->backoff);
    stream->stats.pages++;
    read_page(stream);
}

static void delete_page(struct stream *stream) {
    stream->state = STREAM_DELETING;
    pg_params_reset(&stream->params);
    pg_params_u64_array(&stream->params, stream->ids, stream->count);
    struct pg_call calls[] = {{&fence_statement, &stream->fence}, {&delete_statement, &stream->params}};
    int error = pg_run(stream->pg, calls, 2, PG_TRANSACTION, PG_MS, on_deleted, stream);
    if (error) fail(stream, "delete", error);
}

static void on_published(void *ctx, int error, const struct redisReply *reply) {
    struct stream *stream = ctx;
    uint64_t published = 0;
    if (!error && (!redis_reply_u64(reply, &published) || published > stream->count)) error = MARCH_ERR_INVALID;
    if (error) {
        fail(stream, "publish", error);
        return;
    }
    stream->stats.published += published;
    delete_page(stream);
}

/* add_event appends one row's fields; an event that is not there any more can't be published. */
static int add_event(struct stream *stream, struct pg_row *row) {
    struct redis_request *request = &stream->request;
    uint64_t id = pg_row_u64(row, 0);
    stream->ids[stream->count++] = id;
    if (pg_row_is_null(row, 1)) {
        log_error("stream.event_missing", "id=%llu", (unsigned long long)id);
        return row->error;
    }
    redis_request_u64(request, id);
    redis_request_i64(request, pg_row_timestamp(row, 1) / 1000);
    redis_request_u64(request, pg_row_u64(row, 2));
    redis_request_u64(request, pg_row_u64(row, 3));
    redis_request_i64(request, pg_row_int2(row, 4));
    redis_request_i64(request, pg_row_int2(row, 5));
    redis_request_u64(request, pg_row_u64(row, 6));
    redis_request_text(request, pg_row_text(row, 7, NULL));
    return row->error ? row->error : request->error;
}

/* publish_rows sends a page, as much of it as one request takes. */
static int publish_rows(struct stream *stream, const PGresult *result) {
    int rows = pg_rows(result), error = 0;
    stream->count = 0;
    redis_request_reset(&stream->request);
    redis_request_text(&stream->request, STREAM_KEY);
    redis_request_u64(&stream->request, stream->entries_max);
    for (int i = 0; i < rows && i < STREAM_PAGE && !error && stream->request.len < PAGE_BYTES_MAX; i++) {
        struct pg_row row = pg_row_at(result, i);
        error = add_event(stream, &row);
    }
    if (error) return error;
    stream->state = STREAM_PUBLISHING;
    return redis_eval(stream->redis, stream->script, 1, &stream->request, STREAM_DEADLINE_MS, on_published, stream);
}

static void note_lag(struct stream *stream, const struct pg_reply *reply) {
    uint64_t lag = (uint64_t)pg_rows(reply->results[0]);
    stream->stats.lag_ms = 0;
    if (lag > 0) {
        struct pg_row first = pg_row_at(reply->results[0], 0);
        int64_t at_ms = pg_row_is_null(&first, 1) ? 0 : pg_row_timestamp(&first, 1) / 1000;
        int64_t age_ms = (int64_t)(wall_now_ns() / NS_PER_MS) - at_ms;
        if (at_ms > 0 && age_ms > 0) stream->stats.lag_ms = (uint64_t)age_ms;
    }
    if (reply->count > 1) {
        struct pg_row row = pg_row_at(reply->results[1], 0);
        uint64_t counted = pg_row_u64(&row, 0);
        if (counted > lag) lag = counted;
    }
    if (reply->count > 1 || lag < STREAM_PAGE || lag > stream->stats.lag) stream->stats.lag = lag;
}

static void on_page(void *ctx, const struct pg_reply *reply) {
    struct stream *stream = ctx;
    if (reply->error) {
        fail(stream, "read", reply->error);
        return;
    }
    note_lag(stream, reply);
    if (pg_rows(reply->results[0]) > 0) {
        int error = publish_rows(stream, reply->results[0]);
        if (error) fail(stream, "publish", error);
    } else if (stream->woken) {
        read_page(stream);
    } else {
        rest(stream);
    }
}

static void read_page(struct stream *stream) {
    ev_timer_stop(stream->loop, &stream->timer);
    stream->state = STREAM_READING;
    stream->woken = false;
    struct pg_params *limit = &stream->params, lag;
    pg_params_init(&lag);
    pg_params_int4(&lag, LAG_MAX);
    pg_params_reset(limit);
    pg_params_int4(limit, STREAM_PAGE);
    struct pg_call calls[] = {{&read_statement, limit}, {&lag_statement, &lag}};
    int error = pg_run(stream->pg, calls, stream->count_lag ? 2 : 1, PG_READ, PG_MS, on_page, stream);
    pg_params_deinit(&lag);
    stream->count_lag = false;
    if (error) fail(stream, "read", error);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)events;
    struct stream *stream = watcher->data;
    stream->count_lag = true;
    read_page(stream);
}

static void on_available(void *ctx, bool available) {
    struct stream *stream = ctx;
    if (available && stream->state == STREAM_WAITING) arm(stream, 0);
}

void stream_wake(struct stream *stream) {
    stream->woken = true;
    if (stream->state == STREAM_IDLE) read_page(stream);
}

int stream_open(struct stream **out, struct ev_loop *loop, const struct stream_config *config) {
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return MARCH_ERR_SYSTEM;
    *stream = (struct stream){.loop = loop,
                              .redis = config->redis,
                              .pg = config->pg,
                              .script = redis_script(config->redis, publish_source),
                              .entries_max = config->entries_max ? config->entries_max : ENTRIES_DEFAULT};
    backoff_init(&stream->backoff, 20, RETRY_CAP_MS, config->seed);
    redis_request_init(&stream->request);
    pg_params_init(&stream->fence);
    pg_params_init(&stream->params);
    pg_params_int8(&stream->fence, config->shard_epoch);
    ev_init(&stream->timer, on_timer);
    stream->timer.data = stream;
    redis_watch(config->redis, on_available, stream);
    arm(stream, 0);
    *out = stream;
    return 0;
}

void stream_close(struct stream *stream) {
    if (stream == NULL) return;
    ev_timer_stop(stream->loop, &stream->timer);
    redis_request_deinit(&stream->request);
    pg_params_deinit(&stream->fence);
    pg_params_deinit(&stream->params);
    free(stream);
}

struct stream_stats stream_stats_get(const struct stream *stream) {
    return stream->stats;
}
