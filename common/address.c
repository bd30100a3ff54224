/* address.c: see address.h. */
#include "common/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

/* port_parse reads 1 to 5 digits up to 65535. */
static int port_parse(const char *text, uint16_t *port) {
    uint32_t value = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5) return MARCH_ERR_INVALID;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return MARCH_ERR_INVALID;
        value = value * 10 + (uint32_t)(*text - '0');
    }
    if (value > UINT16_MAX) return MARCH_ERR_INVALID;
    *port = (uint16_t)value;
    return 0;
}

int address_parse(const char *text, union address *address) {
    char host[ADDRESS_TEXT_SIZE];
    bool is_v6 = text[0] == '[';
    const char *colon = strrchr(text, ':');
    if (!colon) return MARCH_ERR_INVALID;
    const char *begin = text + (is_v6 ? 1 : 0);
    const char *end = colon;
    if (is_v6 && (end == begin || *--end != ']')) return MARCH_ERR_INVALID;
    size_t len = (size_t)(end - begin);
    if (len >= sizeof host) return MARCH_ERR_INVALID;
    memcpy(host, begin, len);
    host[len] = '\0';
    uint16_t port;
    if (port_parse(colon + 1, &port) != 0) return MARCH_ERR_INVALID;
    memset(address, 0, sizeof *address);
    address->any.sa_family = is_v6 ? AF_INET6 : AF_INET;
    void *bytes = is_v6 ? (void *)&address->v6.sin6_addr : (void *)&address->v4.sin_addr;
    if (inet_pton(address->any.sa_family, host, bytes) != 1) return MARCH_ERR_INVALID;
    address_set_port(address, port);
    return 0;
}

const char *address_format(const union address *address, char *buf, size_t size) {
    CHECK(size >= ADDRESS_TEXT_SIZE);
    char host[INET6_ADDRSTRLEN];
    bool is_v6 = address->any.sa_family == AF_INET6;
    const void *bytes = is_v6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr;
    CHECK(inet_ntop(address->any.sa_family, bytes, host, sizeof host) != NULL);
    snprintf(buf, size, is_v6 ? "[%s]:%u" : "%s:%u", host, (unsigned)address_port(address));
    return buf;
}

socklen_t address_size(const union address *address) {
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t address_port(const union address *address) {
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void address_set_port(union address *address, uint16_t port) {
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
}

bool address_is_loopback(const union address *address) {
    if (address->any.sa_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
}
