/* control.h: what verbs ask of a running supervisor: to start, stop or restart one process.
 *
 * RUN/cluster.sock is a datagram socket. A request is "start zone-4"; the answer is "ok", or why not, sent to the address
 * that the asker's end was given by the kernel. Whoever may enter the run directory, which is private, is the operator. A
 * request that is malformed or longer than CONTROL_BYTES_MAX is dropped, and its sender waits in vain. Paths are reached by
 * way of a descriptor of the folder, so that its name may be longer than a socket's address.
 */
#ifndef MARCH_ZONECTL_CONTROL_H
#define MARCH_ZONECTL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/config.h"
#include "common/error.h"

#define CONTROL_BYTES_MAX 128
#define CONTROL_WAIT_MS   5000

enum control_verb { CONTROL_START = 0, CONTROL_STOP = 1, CONTROL_RESTART = 2, CONTROL_VERB_COUNT = 3 };

struct control_request {
    enum control_verb verb;
    char name[CONFIG_NAME_SIZE];
    struct sockaddr_un from;
    socklen_t from_len;
};

/* control_open makes the supervisor's end, in the place of what is left of another; a descriptor, or MARCH_ERR_SYSTEM with
 * errno. control_close: -1 is fine. */
must_check int control_open(const char *run_dir);
void control_close(int fd, const char *run_dir);

/* control_take takes the next request; false when none waits. control_answer answers it: NULL for "ok". */
bool control_take(int fd, struct control_request *request);
void control_answer(int fd, const struct control_request *request, const char *why_not);

/* control_ask asks the supervisor of a run directory and waits. MARCH_ERR_UNAVAILABLE when it does not answer in time,
 * MARCH_ERR_INVALID when it refuses; `why` then says so. */
must_check int control_ask(const char *run_dir, enum control_verb verb, const char *name, char why[CONTROL_BYTES_MAX]);

const char *control_verb_text(enum control_verb verb);

#endif
