/* socket.c: a UDP socket for those who have none of their own; see marchland.h.
 *
 * One non-blocking socket a client, of the family of the server it talks to; when a token's next server is of the other
 * family it is opened anew. A datagram that the system does not take is lost, like any other.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/addr.h"
#include "tools/client/client.h"

#define POLL_DATAGRAMS_MAX 256
#define RECEIVE_BYTES      (256 * 1024) /* a burst of snapshots and a message of 64 KiB */

void march_client_close(struct march_client *client) {
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
}

int march_client_open(struct march_client *client) {
    uint8_t family = march_client_server_address(client).family;
    if (family == ADDR_NONE) return MARCH_ERR_NOT_FOUND;
    march_client_close(client);
    int domain = family == ADDR_IPV4 ? AF_INET : AF_INET6;
    client->fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) return MARCH_ERR_SYSTEM;
    client->fd_family = family;
    int bytes = RECEIVE_BYTES;
    (void)setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* the default does, with more losses */
    return MARCH_OK;
}

int march_client_fd(const struct march_client *client) {
    return client->fd;
}

static void send_datagram(void *context, const uint8_t *packet, size_t len) {
    struct march_client *client = context;
    const struct addr *server = netcode_client_server(&client->sessions[client->sending].netcode);
    if (server->family != client->fd_family && march_client_open(client) < 0) return;
    struct sockaddr_storage to;
    socklen_t to_len = addr_to_sockaddr(server, &to);
    (void)sendto(client->fd, packet, len, 0, (const struct sockaddr *)&to, to_len);
}

/* receive_one returns 1 when a datagram was received, be it the server's or a stranger's; 0 when there is none. */
static int receive_one(struct march_client *client, uint64_t now_ns) {
    uint8_t packet[MARCH_PACKET_MAX];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(client->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_len);
    if (len < 0) return errno == ECONNREFUSED || errno == EINTR;
    struct addr sender;
    struct march_address address = {0};
    if (addr_from_sockaddr(&sender, (const struct sockaddr *)&from, from_len) == MARCH_OK) {
        address = (struct march_address){.family = sender.family, .port = sender.port};
        memcpy(address.bytes, sender.bytes, sizeof(address.bytes));
    }
    if (address.family != ADDR_NONE && march_client_is_server(client, &address)) {
        (void)march_client_receive(client, now_ns, packet, (size_t)len); /* counted there */
    } else {
        client->packets_refused++;
    }
    return 1;
}

int march_client_poll(struct march_client *client, uint64_t now_ns) {
    if (client->fd < 0) return MARCH_ERR_NOT_FOUND;
    int count = 0;
    while (count < POLL_DATAGRAMS_MAX && receive_one(client, now_ns)) count++;
    march_client_update(client, now_ns, send_datagram, client);
    return count;
}
