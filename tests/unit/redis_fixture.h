/* redis_fixture.h: a private Redis for unit tests and benchmarks.
 *
 * A unix socket in a temporary folder, no TCP unless asked for, nothing kept on disk. The server runs as user redis when we
 * are root, and dies with this process. All calls block and abort with a message when something does not work.
 */
#ifndef MARCH_TESTS_UNIT_REDIS_FIXTURE_H
#define MARCH_TESTS_UNIT_REDIS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct redis_fixture {
    char path[64];      /* log and socket */
    char uri[96];       /* as of redis_address.h */
    char settings[256]; /* further arguments */
    bool sentinel;
    pid_t server;
};

/* redis_fixture_open starts a server; `settings` are further arguments, as in "--maxmemory 10mb", or NULL. */
void redis_fixture_open(struct redis_fixture *fixture, const char *settings);

/* redis_fixture_open_sentinel starts a Sentinel on a port instead, which watches `master` ("main") with a quorum of one and
 * replaces it when it is down for 300 ms. */
void redis_fixture_open_sentinel(struct redis_fixture *fixture, int port, int master_port);

/* redis_fixture_free_port returns a TCP port that was free a moment ago. */
int redis_fixture_free_port(void);

/* redis_fixture_close ends the server and removes its files; fine twice. */
void redis_fixture_close(struct redis_fixture *fixture);

/* redis_fixture_kill ends the server by SIGKILL; redis_fixture_start starts it again, empty, and waits for it. */
void redis_fixture_kill(struct redis_fixture *fixture);
void redis_fixture_start(struct redis_fixture *fixture);

/* redis_fixture_freeze stops the server by SIGSTOP; redis_fixture_thaw lets it go on. */
void redis_fixture_freeze(struct redis_fixture *fixture);
void redis_fixture_thaw(struct redis_fixture *fixture);

/* redis_fixture_do runs a command, words without spaces, on a connection of its own; redis_fixture_number returns its answer
 * as a number, and redis_fixture_text copies it as text. An error of the server aborts. */
void redis_fixture_do(const struct redis_fixture *fixture, const char *command);
int64_t redis_fixture_number(const struct redis_fixture *fixture, const char *command);
const char *redis_fixture_text(const struct redis_fixture *fixture, const char *command, char *buf, uint32_t size);

#endif
