#include "persist/roster.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "common/config.h"
#include "persist/pg.h"

#define DEADLINE_MS 5000

struct seen {
    uint64_t player;
    char region[CONFIG_NAME_SIZE];
};

struct roster {
    struct pg *pg;
    struct ev_loop *loop;
    int64_t fence;
    struct seen *pending; /* the first `under_way` are being written */
    uint32_t count, under_way;
    struct pg_params params, fence_params;
    ev_timer timer;
    struct roster_stats stats;
};

static const struct pg_statement fence_statement = {"roster_fence", "select march_fence($1::bigint)"};

/* A player may come twice in a batch, which an upsert does not take. */
static const struct pg_statement seen_statement = {
    "roster_seen",
    "insert into players (player, name, region)"
    " select distinct on (player) player, 'player-' || player, region"
    " from unnest($1::bigint[], $2::text[]) with ordinality as seen (player, region, n) order by player, n desc"
    " on conflict (player) do update set last_seen_at = now(), region = excluded.region"};

static void written(void *ctx, const struct pg_reply *reply) {
    struct roster *roster = ctx;
    if (reply->error) {
        roster->stats.failures++;
    } else {
        roster->stats.written += roster->under_way;
        roster->count -= roster->under_way;
        memmove(roster->pending, roster->pending + roster->under_way, roster->count * sizeof *roster->pending);
    }
    roster->under_way = 0;
}

static void flush(struct roster *roster) {
    uint32_t count = roster->count < ROSTER_BATCH ? roster->count : ROSTER_BATCH;
    if (roster->under_way > 0 || count == 0) return;
    pg_params_reset(&roster->fence_params);
    pg_params_int8(&roster->fence_params, roster->fence);
    struct pg_params *p = &roster->params;
    pg_params_reset(p);
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(p, (int64_t)roster->pending[i].player);
    pg_params_end(p);
    pg_params_array(p, PG_TEXT);
    for (uint32_t i = 0; i < count; i++)
        pg_params_push_text(p, roster->pending[i].region, strlen(roster->pending[i].region));
    pg_params_end(p);
    const struct pg_call calls[] = {{&fence_statement, &roster->fence_params}, {&seen_statement, p}};
    if (pg_run(roster->pg, calls, 2, PG_TRANSACTION, DEADLINE_MS, written, roster)) {
        roster->stats.failures++;
    } else {
        roster->under_way = count;
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    flush(timer->data);
}

struct roster *roster_create(struct ev_loop *loop, struct pg *pg, int64_t fence) {
    struct roster *roster = calloc(1, sizeof *roster);
    if (!roster) return NULL;
    roster->pending = calloc(ROSTER_PENDING_MAX, sizeof *roster->pending);
    if (!roster->pending) {
        free(roster);
        return NULL;
    }
    roster->pg = pg;
    roster->loop = loop;
    roster->fence = fence;
    pg_params_init(&roster->params);
    pg_params_init(&roster->fence_params);
    ev_timer_init(&roster->timer, on_timer, ROSTER_FLUSH_MS / 1e3, ROSTER_FLUSH_MS / 1e3);
    roster->timer.data = roster;
    ev_timer_start(loop, &roster->timer);
    return roster;
}

void roster_destroy(struct roster *roster) {
    if (!roster) return;
    ev_timer_stop(roster->loop, &roster->timer);
    pg_params_deinit(&roster->params);
    pg_params_deinit(&roster->fence_params);
    free(roster->pending);
    free(roster);
}

void roster_seen(struct roster *roster, uint64_t player, const char *region) {
    roster->stats.seen++;
    if (roster->count == ROSTER_PENDING_MAX) {
        roster->stats.dropped++;
        return;
    }
    struct seen *seen = &roster->pending[roster->count++];
    seen->player = player;
    snprintf(seen->region, sizeof seen->region, "%s", region);
}

void roster_name(uint64_t player, char name[ROSTER_NAME_SIZE]) {
    snprintf(name, ROSTER_NAME_SIZE, "player-%" PRIu64, player);
}

struct roster_stats roster_stats(const struct roster *roster) {
    struct roster_stats stats = roster->stats;
    stats.pending = roster->count;
    return stats;
}
