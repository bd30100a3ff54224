#include "gateway/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/text.h"
#include "gateway/udp_socket.h"

#define FILE_BYTES_MAX (CONFIG_ADDRESSES_MAX * ADDR_TEXT_MAX)

/* What RUN/NAME.bound remembers of the last run. */
struct remembered {
    unsigned count;
    struct addr addrs[CONFIG_ADDRESSES_MAX];
};

unsigned listen_read(const char *path, struct addr addrs[CONFIG_ADDRESSES_MAX]) {
    char error[CONFIG_ERROR_SIZE];
    uint8_t *bytes;
    size_t len;
    unsigned count = 0;
    if (file_read(path, FILE_BYTES_MAX, &bytes, &len, error, sizeof error) != 0) return 0;
    char *rest = (char *)bytes;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && count < CONFIG_ADDRESSES_MAX;) {
        if (addr_parse(&addrs[count], line) == 0) count++;
    }
    free(bytes);
    return count;
}

static uint16_t remembered_port(const struct remembered *remembered, const struct addr *address) {
    for (unsigned i = 0; i < remembered->count; i++) {
        struct addr candidate = remembered->addrs[i];
        candidate.port = address->port;
        if (addr_equal(&candidate, address)) return remembered->addrs[i].port;
    }
    return 0;
}

/* open_port opens an address with a port, and waits for it while it is in use. */
static int open_port(const struct addr *address, struct addr *bound) {
    struct mono deadline = mono_add_ms(mono_now(), LISTEN_RETRY_MS);
    int fd;
    while ((fd = udp_socket_open(address, LISTEN_BUFFER_BYTES, bound)) == MARCH_ERR_EXISTS) {
        if (mono_reached(mono_now(), deadline)) break;
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    return fd;
}

static int open_one(const struct addr *address, const struct remembered *remembered, struct addr *bound) {
    if (address->port == 0) {
        struct addr before = *address;
        before.port = remembered_port(remembered, address);
        int fd = before.port != 0 ? open_port(&before, bound) : MARCH_ERR_EXISTS;
        if (fd != MARCH_ERR_EXISTS) return fd;
    }
    return open_port(address, bound);
}

static bool is_any(const struct addr *a) {
    struct addr any = {.port = a->port, .family = a->family};
    return addr_equal(a, &any);
}

static int find_public(struct listen *listen, const struct config_gateway *gateway, char *error, size_t error_size) {
    for (unsigned i = 0; i < gateway->public_count; i++) {
        if (addr_parse(&listen->public_addrs[listen->public_count++], gateway->public_addresses[i]) == 0) continue;
        snprintf(error, error_size, "%s: public address %s: expected an address and port", gateway->name,
                 gateway->public_addresses[i]);
        return MARCH_ERR_INVALID;
    }
    for (unsigned i = 0; gateway->public_count == 0 && i < listen->count; i++) {
        listen->public_addrs[listen->public_count++] = listen->bound[i];
        if (!is_any(&listen->bound[i])) continue;
        snprintf(error, error_size, "%s: listens on %s, so `public` must say which addresses clients use", gateway->name,
                 gateway->listen_addresses[i]);
        return MARCH_ERR_INVALID;
    }
    return 0;
}

static int bind_all(struct listen *listen, const struct config_gateway *gateway, int port, const char *bound_path,
                    char *error, size_t error_size) {
    struct remembered remembered;
    remembered.count = listen_read(bound_path, remembered.addrs); /* a hint, and missing at the first start */
    for (unsigned i = 0; i < gateway->listen_count; i++) {
        const char *text = gateway->listen_addresses[i];
        struct addr address;
        int fd = addr_parse(&address, text);
        if (fd == 0) {
            if (port >= 0) address.port = (uint16_t)port;
            fd = open_one(&address, &remembered, &listen->bound[i]);
        }
        if (fd < 0) {
            const char *why = fd == MARCH_ERR_EXISTS   ? "the address is in use"
                              : fd == MARCH_ERR_SYSTEM ? strerror(errno)
                                                       : "expected an address and port";
            char shown[ADDR_TEXT_MAX];
            snprintf(error, error_size, "%s: can't listen on udp %s: %s", gateway->name,
                     fd == MARCH_ERR_INVALID ? text : addr_format(&address, shown), why);
            return fd;
        }
        listen->fds[listen->count++] = fd;
        listen->bound_count = listen->count;
    }
    return 0;
}

int listen_open(struct listen *listen, const struct config_gateway *gateway, int port, const char *bound_path, char *error,
                size_t error_size) {
    memset(listen, 0, sizeof *listen);
    int result = bind_all(listen, gateway, port, bound_path, error, error_size);
    if (result == 0) result = find_public(listen, gateway, error, error_size);
    if (result != 0) listen_close(listen);
    return result;
}

void listen_close(struct listen *listen) {
    for (unsigned i = 0; i < listen->count; i++) close(listen->fds[i]);
    listen->count = 0;
}

static int write_addrs(const struct addr *addrs, unsigned count, const char *path, char *error, size_t error_size) {
    char bytes[FILE_BYTES_MAX], shown[ADDR_TEXT_MAX];
    struct text text;
    text_init(&text, bytes, sizeof bytes);
    for (unsigned i = 0; i < count; i++) text_append(&text, "%s\n", addr_format(&addrs[i], shown));
    return file_write(path, bytes, text.len, 0600, error, error_size);
}

int listen_remember(const struct listen *listen, const char *bound_path, char *error, size_t error_size) {
    return write_addrs(listen->bound, listen->bound_count, bound_path, error, error_size);
}

int listen_publish(const struct listen *listen, const char *udp_path, char *error, size_t error_size) {
    return write_addrs(listen->public_addrs, listen->public_count, udp_path, error, error_size);
}
