/* addr.h: an IP address and port in 20 bytes, as keys of tables and in connect tokens.
 *
 * Bytes that a family does not use are zero, so that two equal addresses are equal byte by byte: an address may be hashed
 * and compared as memory. IPv4 addresses mapped into IPv6 (::ffff:a.b.c.d, as dual-stack sockets report them) become IPv4.
 * Scopes of link-local IPv6 addresses are not kept.
 */
#ifndef MARCH_COMMON_ADDR_H
#define MARCH_COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "common/error.h"

#define ADDR_NONE     0
#define ADDR_IPV4     4
#define ADDR_IPV6     6
#define ADDR_TEXT_MAX 56 /* "[8 groups]:port" and the terminating zero */

struct addr {
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
    uint16_t port;     /* host order */
    uint8_t family;    /* ADDR_NONE, ADDR_IPV4 or ADDR_IPV6 */
    uint8_t via;       /* the index of our socket that leads there, where there are several; else 0 */
};
_Static_assert(sizeof(struct addr) == 20, "an address is hashed as 20 bytes");

/* addr_parse reads "1.2.3.4:5" or "[::1]:5"; the port is required, 0 to 65535. MARCH_ERR_INVALID on anything else. */
must_check int addr_parse(struct addr *a, const char *text);

/* addr_format writes what addr_parse reads, "none" for no address; text has room for ADDR_TEXT_MAX. Returns text. */
const char *addr_format(const struct addr *a, char text[ADDR_TEXT_MAX]);

/* addr_from_sockaddr takes over an IPv4 or IPv6 socket address; MARCH_ERR_INVALID on other families or a short length. */
must_check int addr_from_sockaddr(struct addr *a, const struct sockaddr *sa, socklen_t len);

/* addr_to_sockaddr fills `out` and returns its length for the system calls. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);

/* addr_prefix returns the network an address is in, without port: /24 of IPv4, /48 of IPv6. */
struct addr addr_prefix(const struct addr *a);

/* addr_is_loopback tells whether an address is of this machine alone: 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const struct addr *a);

static inline bool addr_equal(const struct addr *a, const struct addr *b) {
    return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
