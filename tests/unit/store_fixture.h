/* store_fixture.h: a loop with a Redis and, where asked for, a PostgreSQL, for tests of what stands on both. */
#ifndef MARCH_TESTS_UNIT_STORE_FIXTURE_H
#define MARCH_TESTS_UNIT_STORE_FIXTURE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "persist/pg.h"
#include "persist/redis.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/redis_fixture.h"

struct store_fixture {
    struct ev_loop *loop;
    struct redis_fixture redis_server;
    struct redis *redis;
    struct pg_fixture pg_server;
    struct pg *pg;       /* NULL where not asked for */
    int64_t shard_epoch; /* of the fence */
};

/* store_fixture_open starts the servers and waits until both can be used. Commands in flight wait at most for short
 * deadlines, and lost connections are tried again within 50 ms. */
void store_fixture_open(struct store_fixture *fixture, bool with_pg);

/* store_fixture_disconnect closes redis, then pg, as what stands on them wants it; store_fixture_close ends the servers. */
void store_fixture_disconnect(struct store_fixture *fixture);
void store_fixture_close(struct store_fixture *fixture);

/* store_fixture_await runs the loop until *count is at least `wanted`; false when it takes too long. */
bool store_fixture_await(struct store_fixture *fixture, const unsigned *count, unsigned wanted);

/* store_fixture_run runs the loop for a while. */
void store_fixture_run(struct store_fixture *fixture, uint32_t ms);

/* store_fixture_lose_redis kills the Redis, waits until that is noticed; store_fixture_restore_redis starts an empty one. */
void store_fixture_lose_redis(struct store_fixture *fixture);
void store_fixture_restore_redis(struct store_fixture *fixture);

#endif
