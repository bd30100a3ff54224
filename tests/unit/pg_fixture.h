/* pg_fixture.h: a private PostgreSQL for unit tests and benchmarks.
 *
 * Its own data directory and unix socket in a temporary folder, no TCP; the folder is in memory where there is room, unless
 * the settings turn fsync on. initdb runs once: what it makes is kept in build/pg_with_database and copied. The server runs
 * as user postgres when we are root, and dies with this process. All calls block and abort with a message when something
 * does not work; `fixture_path` is what remains to be looked at after a crash.
 */
#ifndef MARCH_TESTS_UNIT_PG_FIXTURE_H
#define MARCH_TESTS_UNIT_PG_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PG_FIXTURE_DATABASE "march_0"

struct pg_fixture {
    char fixture_path[64]; /* data/, log and the socket */
    char uri[160];         /* of PG_FIXTURE_DATABASE */
    char settings[256];
    pid_t server;
};

/* pg_fixture_open starts a server with an empty database PG_FIXTURE_DATABASE. `settings` are further ones, as in "-c
 * fsync=on -c max_connections=50" (no spaces within one), or NULL; fsync is off unless they say otherwise. */
void pg_fixture_open(struct pg_fixture *fixture, const char *settings);

/* pg_fixture_replicate starts a streaming replica of a server; its URI is that of the replica. To be closed like the other.
 */
void pg_fixture_replicate(struct pg_fixture *replica, const struct pg_fixture *primary);

/* pg_fixture_close stops the server and removes its files. */
void pg_fixture_close(struct pg_fixture *fixture);

/* pg_fixture_migrate brings the schema in and opens shard 0 of 1; returns its epoch. */
int64_t pg_fixture_migrate(struct pg_fixture *fixture);

/* pg_fixture_crash kills the server and all of its processes with SIGKILL; pg_fixture_stop is an immediate shutdown. Both
 * wait until all are gone. pg_fixture_start starts it again and waits until it takes connections. */
void pg_fixture_crash(struct pg_fixture *fixture);
void pg_fixture_stop(struct pg_fixture *fixture);
void pg_fixture_start(struct pg_fixture *fixture);

/* pg_fixture_launch starts it without waiting. */
void pg_fixture_launch(struct pg_fixture *fixture);

/* pg_fixture_freeze stops the server and all of its processes with SIGSTOP; pg_fixture_thaw lets them go on. */
void pg_fixture_freeze(struct pg_fixture *fixture);
void pg_fixture_thaw(struct pg_fixture *fixture);

/* pg_fixture_spawn starts another program as the server's user, with its output in a file; it too dies with this process. */
pid_t pg_fixture_spawn(const char *const *args, const char *log_path);

/* pg_fixture_uri writes the URI of another database of the server. */
void pg_fixture_uri(const struct pg_fixture *fixture, const char *database, char *buf, size_t size);

/* pg_fixture_execute runs SQL on a connection of its own; pg_fixture_number returns the first field of its first row as a
 * number, 0 for none. */
void pg_fixture_execute(const struct pg_fixture *fixture, const char *sql);
int64_t pg_fixture_number(const struct pg_fixture *fixture, const char *sql);

#endif
