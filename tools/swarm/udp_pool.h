/* udp_pool.h: UDP for many clients in one process.
 *
 * To a server on IPv4 loopback, a few sockets bound to the wildcard address serve all clients: each client has a source
 * address of its own in 127.0.0.0/8, set and read by IP_PKTINFO, in a /24 of its own, so that limits by prefix see many
 * networks. The client is found from the destination address of a datagram by arithmetic. Two swarms never meet: their
 * sockets have different ports. To any other server each client has a socket.
 *
 * Datagrams are received and sent in batches. A datagram from elsewhere than the client's server, or the one that it had
 * before, is dropped and counted.
 * What the kernel refuses to send is lost, as on any network, and counted. Nothing allocates after udp_pool_open.
 */
#ifndef MARCH_SWARM_UDP_POOL_H
#define MARCH_SWARM_UDP_POOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/error.h"

#define UDP_POOL_CLIENTS_MAX  20000
#define UDP_POOL_SOCKETS_MAX  64 /* that are shared */
#define UDP_POOL_PACKET_MAX   1400
#define UDP_POOL_BATCH        64
#define UDP_POOL_RECEIVE_SIZE (32 << 20) /* of a shared socket: a stall of a second at 100,000 datagrams/s fits */

struct udp_pool_stats {
    uint64_t received, sent;
    uint64_t unsent;    /* refused by the kernel */
    uint64_t strangers; /* from elsewhere, or to an address that is no client's */
    uint64_t cut;       /* longer than any datagram of the protocol */
};

/* udp_pool_fn takes a datagram for a client; the bytes may be changed and are valid during the call. */
typedef void (*udp_pool_fn)(void *context, uint32_t client, uint8_t *packet, size_t len);

struct udp_pool;

/* udp_pool_open makes the sockets for clients 0 to count - 1 of a server at `server` (whose family and kind decide);
 * `sockets` shared ones where addresses can be. `base` picks the first source address. MARCH_ERR_SYSTEM with errno. */
must_check int udp_pool_open(struct udp_pool **out, uint32_t count, uint32_t sockets, uint32_t base,
                             const struct addr *server);

/* udp_pool_close is fine with NULL. */
void udp_pool_close(struct udp_pool *pool);

/* udp_pool_set_server says where a client's datagrams go to and come from. They may still come from the last server that was
 * another one, since a client that moves to another gateway plays with both. */
void udp_pool_set_server(struct udp_pool *pool, uint32_t client, const struct addr *server);

/* udp_pool_send queues a copy of a datagram; it leaves when the batch is full or with udp_pool_flush. */
void udp_pool_send(struct udp_pool *pool, uint32_t client, const uint8_t *packet, size_t len);
void udp_pool_flush(struct udp_pool *pool);

/* udp_pool_receive takes what has arrived, waiting up to timeout_ms for the first. */
void udp_pool_receive(struct udp_pool *pool, int timeout_ms, udp_pool_fn take, void *context);

const struct udp_pool_stats *udp_pool_stats(const struct udp_pool *pool);

#endif
