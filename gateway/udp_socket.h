/* udp_socket.h: the gateway's public UDP sockets.
 */
#ifndef MARCH_GATEWAY_UDP_SOCKET_H
#define MARCH_GATEWAY_UDP_SOCKET_H

#include <stdint.h>

#include "common/addr.h"
#include "common/error.h"

/* udp_socket_open binds a non-blocking socket with `buffer_bytes` of receive and send buffer each (or what the system
 * grants), and writes the address it got into `bound`. IPv6 sockets take IPv6 only. Returns the descriptor, MARCH_ERR_EXISTS
 * when the address is in use, MARCH_ERR_SYSTEM with errno otherwise. */
must_check int udp_socket_open(const struct addr *address, int buffer_bytes, struct addr *bound);

/* udp_socket_kernel_drops returns how many datagrams the kernel dropped because the receive buffer was full. */
uint64_t udp_socket_kernel_drops(int fd);

#endif
