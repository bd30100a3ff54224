/* control.c: see control.h. */
#include "tools/zonectl/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"

static const char *const verb_texts[CONTROL_VERB_COUNT] = {"start", "stop", "restart"};

const char *control_verb_text(enum control_verb verb) {
    CHECK((unsigned)verb < CONTROL_VERB_COUNT);
    return verb_texts[verb];
}

/* address_of writes the socket's address by way of `folder`, a descriptor of the run directory. */
static void address_of(struct sockaddr_un *address, int folder) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/cluster.sock", folder);
}

static int open_folder(const char *run_dir) {
    return open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_socket(void) {
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int control_open(const char *run_dir) {
    struct sockaddr_un address;
    int folder = open_folder(run_dir), fd = open_socket();
    bool bound = false;
    if (folder >= 0 && fd >= 0) {
        address_of(&address, folder);
        (void)unlink(address.sun_path);
        bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && chmod(address.sun_path, 0600) == 0;
    }
    int saved = errno;
    if (folder >= 0) close(folder);
    if (fd >= 0 && !bound) close(fd);
    errno = saved;
    return bound ? fd : MARCH_ERR_SYSTEM;
}

void control_close(int fd, const char *run_dir) {
    struct sockaddr_un address;
    if (fd < 0) return;
    close(fd);
    int folder = open_folder(run_dir);
    if (folder < 0) return;
    address_of(&address, folder);
    (void)unlink(address.sun_path);
    close(folder);
}

/* parse reads "start zone-4". */
static bool parse(const char *text, struct control_request *request) {
    for (int verb = 0; verb < CONTROL_VERB_COUNT; verb++) {
        size_t len = strlen(verb_texts[verb]);
        if (strncmp(text, verb_texts[verb], len) != 0 || text[len] != ' ') continue;
        request->verb = (enum control_verb)verb;
        const char *name = text + len + 1;
        size_t name_len = strlen(name);
        if (name_len == 0 || name_len >= sizeof(request->name)) return false;
        memcpy(request->name, name, name_len + 1);
        return true;
    }
    return false;
}

bool control_take(int fd, struct control_request *request) {
    char text[CONTROL_BYTES_MAX];
    for (;;) {
        *request = (struct control_request){.from_len = sizeof(request->from)};
        ssize_t len = recvfrom(fd, text, sizeof(text) - 1, MSG_TRUNC, (struct sockaddr *)&request->from, &request->from_len);
        if (len < 0) return false;
        if ((size_t)len >= sizeof(text)) continue;
        text[len] = '\0';
        if (strlen(text) == (size_t)len && parse(text, request)) return true;
    }
}

void control_answer(int fd, const struct control_request *request, const char *why_not) {
    const char *text = why_not == NULL ? "ok" : why_not;
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&request->from, request->from_len);
}

/* send_request sends from an address that the kernel chooses. */
static bool send_request(int fd, int folder, const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) != 0) return false;
    address_of(&address, folder);
    size_t len = strlen(text);
    return sendto(fd, text, len, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof(address)) == (ssize_t)len;
}

int control_ask(const char *run_dir, enum control_verb verb, const char *name, char why[CONTROL_BYTES_MAX]) {
    char text[CONTROL_BYTES_MAX];
    int folder = open_folder(run_dir), fd = open_socket();
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    ssize_t len = -1;
    snprintf(text, sizeof(text), "%s %s", control_verb_text(verb), name);
    snprintf(why, CONTROL_BYTES_MAX, "the supervisor does not answer");
    if (folder >= 0 && fd >= 0 && send_request(fd, folder, text) && poll(&answer, 1, CONTROL_WAIT_MS) == 1)
        len = recv(fd, why, CONTROL_BYTES_MAX - 1, 0);
    if (folder >= 0) close(folder);
    if (fd >= 0) close(fd);
    if (len < 0) return MARCH_ERR_UNAVAILABLE;
    why[len] = '\0';
    return strcmp(why, "ok") == 0 ? 0 : MARCH_ERR_INVALID;
}
