/* address.h: IP addresses with ports, as text and as the kernel wants them.
 *
 * The text is "127.0.0.1:4000" or "[::1]:4000": numeric only, so parsing never asks a name server. Scope ids ("%eth0") are
 * refused.
 */
#ifndef MARCH_COMMON_ADDRESS_H
#define MARCH_COMMON_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/error.h"

#define ADDRESS_TEXT_SIZE 56 /* "[" 45 "]:" 5 and the final zero fit */

/* An IPv4 or IPv6 address and port, in network order; `any.sa_family` says which. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* address_parse reads an address with its port. MARCH_ERR_INVALID when the text is anything else. */
must_check int address_parse(const char *text, union address *address);

/* address_format writes the text; `size` is at least ADDRESS_TEXT_SIZE. Returns `buf`. */
const char *address_format(const union address *address, char *buf, size_t size);

/* address_size returns the length the kernel wants beside the address. */
socklen_t address_size(const union address *address);

/* address_port and address_set_port are in host order. */
uint16_t address_port(const union address *address);
void address_set_port(union address *address, uint16_t port);

/* address_is_loopback tells whether it is in 127.0.0.0/8 or ::1. */
bool address_is_loopback(const union address *address);

#endif
