/* addr.c: see addr.h. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "common/check.h"

static int parse_port(uint16_t *port, const char *text) {
    uint32_t value = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++) {
        value = value * 10 + (uint32_t)(text[digits] - '0');
    }
    if (digits == 0 || text[digits] != '\0' || value > UINT16_MAX) return MARCH_ERR_INVALID;
    *port = (uint16_t)value;
    return 0;
}

static void set_ipv6(struct addr *a, const uint8_t bytes[16]) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        a->family = ADDR_IPV4;
        memcpy(a->bytes, bytes + sizeof(mapped), 4);
    } else {
        a->family = ADDR_IPV6;
        memcpy(a->bytes, bytes, 16);
    }
}

int addr_parse(struct addr *a, const char *text) {
    char host[ADDR_TEXT_MAX];
    bool bracket = text[0] == '[';
    if (bracket) text++;
    const char *end = strchr(text, bracket ? ']' : ':');
    if (end == NULL || (size_t)(end - text) >= sizeof(host)) return MARCH_ERR_INVALID;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    if (bracket) end++;
    *a = (struct addr){0};
    if (*end != ':' || parse_port(&a->port, end + 1) != 0) return MARCH_ERR_INVALID;
    uint8_t bytes[16];
    if (inet_pton(bracket ? AF_INET6 : AF_INET, host, bytes) != 1) return MARCH_ERR_INVALID;
    if (bracket) {
        set_ipv6(a, bytes);
    } else {
        a->family = ADDR_IPV4;
        memcpy(a->bytes, bytes, 4);
    }
    return 0;
}

const char *addr_format(const struct addr *a, char text[ADDR_TEXT_MAX]) {
    char host[INET6_ADDRSTRLEN];
    if (a->family == ADDR_IPV4) {
        inet_ntop(AF_INET, a->bytes, host, sizeof(host));
        snprintf(text, ADDR_TEXT_MAX, "%s:%u", host, a->port);
    } else if (a->family == ADDR_IPV6) {
        inet_ntop(AF_INET6, a->bytes, host, sizeof(host));
        snprintf(text, ADDR_TEXT_MAX, "[%s]:%u", host, a->port);
    } else {
        snprintf(text, ADDR_TEXT_MAX, "none");
    }
    return text;
}

int addr_from_sockaddr(struct addr *a, const struct sockaddr *sa, socklen_t len) {
    *a = (struct addr){0};
    if (len >= sizeof(struct sockaddr_in) && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        a->family = ADDR_IPV4;
        a->port = ntohs(in.sin_port);
        memcpy(a->bytes, &in.sin_addr, 4);
        return 0;
    }
    if (len >= sizeof(struct sockaddr_in6) && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        a->port = ntohs(in6.sin6_port);
        set_ipv6(a, in6.sin6_addr.s6_addr);
        return 0;
    }
    return MARCH_ERR_INVALID;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out) {
    CHECK(a->family == ADDR_IPV4 || a->family == ADDR_IPV6);
    if (a->family == ADDR_IPV4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->bytes, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    memcpy(&in6.sin6_addr, a->bytes, 16);
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

struct addr addr_prefix(const struct addr *a) {
    struct addr prefix = {.family = a->family};
    memcpy(prefix.bytes, a->bytes, a->family == ADDR_IPV4 ? 3 : 6);
    return prefix;
}

bool addr_is_loopback(const struct addr *a) {
    static const uint8_t six[16] = {[15] = 1};
    return a->family == ADDR_IPV4 ? a->bytes[0] == 127 : a->family == ADDR_IPV6 && memcmp(a->bytes, six, sizeof six) == 0;
}
