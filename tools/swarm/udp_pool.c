/* udp_pool.c: see udp_pool.h. */
#include "tools/swarm/udp_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"

#define CONTROL_SIZE    CMSG_SPACE(sizeof(struct in_pktinfo))
#define EVENTS_MAX      64
#define RECEIVE_ROUNDS  64 /* batches of one socket before the others have a turn */
#define FDS_SPARE       64
#define ADDRESS_CLIENTS 65536u /* second and third byte of the address */

/* Room for one datagram with what the kernel wants or tells beside it. */
struct slot {
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_SIZE];
    struct sockaddr_in6 peer; /* also holds an IPv4 address; where it comes from or goes to */
    struct iovec iov;
    uint8_t packet[UDP_POOL_PACKET_MAX];
};

struct batch {
    unsigned count;
    struct mmsghdr headers[UDP_POOL_BATCH];
    struct slot slots[UDP_POOL_BATCH];
};

struct servers {
    struct sockaddr_in6 now, before;
};

struct udp_pool {
    bool by_address;
    uint32_t count;
    uint32_t per_socket; /* clients that share one */
    uint32_t base;
    uint8_t host; /* last byte of the source addresses */
    uint32_t socket_count;
    int epoll_fd;
    int *sockets;
    struct servers *servers; /* by client */
    uint32_t sending;        /* socket that the batch is for */
    struct udp_pool_stats stats;
    struct batch out;
    struct batch in;
};

static socklen_t server_len(const struct sockaddr_in6 *server) {
    return server->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* --- set-up */

static bool is_ipv4_loopback(const struct addr *a) {
    return a->family == ADDR_IPV4 && a->bytes[0] == 127;
}

static void raise_fd_limit(uint32_t fds) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= fds) return;
    limit.rlim_cur = fds < limit.rlim_max ? fds : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* where it is too low, socket() fails and says so */
}

static int open_socket(struct udp_pool *pool, int family) {
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return MARCH_ERR_SYSTEM;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = pool->socket_count};
    pool->sockets[pool->socket_count++] = fd;
    struct sockaddr_in6 any = {.sin6_family = (sa_family_t)family};
    if (bind(fd, (struct sockaddr *)&any, server_len(&any)) != 0) return MARCH_ERR_SYSTEM;
    if (epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) return MARCH_ERR_SYSTEM;
    if (!pool->by_address) return 0;
    int on = 1;
    int size = UDP_POOL_RECEIVE_SIZE;
    int discover = IP_PMTUDISC_DO; /* what can't be fragmented needs no identification, which costs 0.2 us */
    (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* not root: as much as the system allows */
    return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0 ? 0 : MARCH_ERR_SYSTEM;
}

/* init_batch points every header at its slot once; sending and receiving change lengths and addresses only. */
static void init_batch(struct batch *b) {
    for (unsigned i = 0; i < UDP_POOL_BATCH; i++) {
        struct slot *slot = &b->slots[i];
        slot->iov = (struct iovec){slot->packet, sizeof(slot->packet)};
        b->headers[i].msg_hdr = (struct msghdr){.msg_iov = &slot->iov, .msg_iovlen = 1};
    }
}

static void init_out(struct udp_pool *pool) {
    init_batch(&pool->out);
    for (unsigned i = 0; i < UDP_POOL_BATCH && pool->by_address; i++) {
        struct slot *slot = &pool->out.slots[i];
        struct cmsghdr *c = (struct cmsghdr *)slot->control;
        *c = (struct cmsghdr){
            .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo))};
        pool->out.headers[i].msg_hdr.msg_control = slot->control;
        pool->out.headers[i].msg_hdr.msg_controllen = sizeof(slot->control);
    }
}

int udp_pool_open(struct udp_pool **out, uint32_t count, uint32_t sockets, uint32_t base, const struct addr *server) {
    CHECK(count > 0 && count <= UDP_POOL_CLIENTS_MAX && sockets > 0 && sockets <= UDP_POOL_SOCKETS_MAX);
    struct udp_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) return MARCH_ERR_SYSTEM;
    *out = pool;
    pool->by_address = is_ipv4_loopback(server);
    if (!pool->by_address) sockets = count;
    if (sockets > count) sockets = count;
    pool->count = count;
    pool->per_socket = (count + sockets - 1) / sockets;
    pool->base = base % ADDRESS_CLIENTS;
    pool->host = (uint8_t)(2 + base / ADDRESS_CLIENTS % 250); /* neither 0 nor 255, which mean a network */
    pool->sockets = calloc(sockets, sizeof(*pool->sockets));
    pool->servers = calloc(count, sizeof(*pool->servers));
    pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (pool->sockets == NULL || pool->servers == NULL || pool->epoll_fd < 0) return MARCH_ERR_SYSTEM;
    raise_fd_limit(sockets + FDS_SPARE);
    for (uint32_t i = 0; i < sockets; i++) {
        int result = open_socket(pool, server->family == ADDR_IPV4 ? AF_INET : AF_INET6);
        if (result != 0) return result;
    }
    init_out(pool);
    init_batch(&pool->in);
    return 0;
}

void udp_pool_close(struct udp_pool *pool) {
    if (pool == NULL) return;
    for (uint32_t i = 0; i < pool->socket_count; i++) close(pool->sockets[i]);
    if (pool->epoll_fd >= 0) close(pool->epoll_fd);
    free(pool->sockets);
    free(pool->servers);
    free(pool);
}

static bool is_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b) {
    if (a->sin6_family != b->sin6_family || a->sin6_port != b->sin6_port) return false;
    if (a->sin6_family == AF_INET6) return memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
    return ((const struct sockaddr_in *)a)->sin_addr.s_addr == ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

void udp_pool_set_server(struct udp_pool *pool, uint32_t client, const struct addr *server) {
    struct sockaddr_storage sa;
    struct sockaddr_in6 to = {0};
    socklen_t len = addr_to_sockaddr(server, &sa);
    CHECK(client < pool->count && len <= sizeof(to));
    memcpy(&to, &sa, len);
    struct servers *servers = &pool->servers[client];
    if (is_same(&servers->now, &to)) return;
    servers->before = servers->now;
    servers->now = to;
}

/* --- addresses: 127.HIGH.LOW.HOST, with HIGH and LOW the client's number from `base` on */

static struct in_addr client_address(const struct udp_pool *pool, uint32_t client) {
    uint32_t number = (pool->base + client) % ADDRESS_CLIENTS;
    return (struct in_addr){htonl(127u << 24 | number << 8 | pool->host)};
}

/* client_of finds whom a datagram is for; UINT32_MAX for nobody. */
static uint32_t client_of(const struct udp_pool *pool, uint32_t socket, const struct msghdr *header) {
    if (!pool->by_address) return socket;
    const struct cmsghdr *c = CMSG_FIRSTHDR(header);
    if (c == NULL || c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) return UINT32_MAX;
    const struct in_pktinfo *info = (const struct in_pktinfo *)CMSG_DATA(c);
    uint32_t client = ((ntohl(info->ipi_addr.s_addr) >> 8) - pool->base) % ADDRESS_CLIENTS;
    bool ours = client < pool->count && client / pool->per_socket == socket;
    return ours && client_address(pool, client).s_addr == info->ipi_addr.s_addr ? client : UINT32_MAX;
}

/* --- sending */

void udp_pool_flush(struct udp_pool *pool) {
    struct batch *b = &pool->out;
    for (unsigned done = 0; done < b->count;) {
        int sent = sendmmsg(pool->sockets[pool->sending], b->headers + done, b->count - done, 0);
        if (sent > 0) {
            pool->stats.sent += (unsigned)sent;
            done += (unsigned)sent;
        } else if (errno != EINTR) {
            pool->stats.unsent++;
            done++;
        }
    }
    b->count = 0;
}

void udp_pool_send(struct udp_pool *pool, uint32_t client, const uint8_t *packet, size_t len) {
    CHECK(client < pool->count && len <= UDP_POOL_PACKET_MAX);
    uint32_t socket = client / pool->per_socket;
    if (pool->out.count == UDP_POOL_BATCH || (pool->out.count > 0 && socket != pool->sending)) udp_pool_flush(pool);
    pool->sending = socket;
    struct slot *slot = &pool->out.slots[pool->out.count];
    struct msghdr *header = &pool->out.headers[pool->out.count++].msg_hdr;
    memcpy(slot->packet, packet, len);
    slot->iov.iov_len = len;
    slot->peer = pool->servers[client].now;
    header->msg_name = &slot->peer;
    header->msg_namelen = server_len(&slot->peer);
    if (!pool->by_address) return;
    struct in_pktinfo info = {.ipi_spec_dst = client_address(pool, client)};
    memcpy(CMSG_DATA((struct cmsghdr *)slot->control), &info, sizeof(info));
}

/* --- receiving */

static bool from_server(const struct servers *servers, const struct sockaddr_in6 *from) {
    return is_same(&servers->now, from) || is_same(&servers->before, from);
}

static void prepare_in(struct udp_pool *pool) {
    for (unsigned i = 0; i < UDP_POOL_BATCH; i++) {
        struct slot *slot = &pool->in.slots[i];
        struct msghdr *header = &pool->in.headers[i].msg_hdr;
        header->msg_name = &slot->peer;
        header->msg_namelen = sizeof(slot->peer);
        header->msg_control = slot->control;
        header->msg_controllen = pool->by_address ? sizeof(slot->control) : 0;
    }
}

static void receive_socket(struct udp_pool *pool, uint32_t socket, udp_pool_fn take, void *context) {
    int count = UDP_POOL_BATCH;
    for (unsigned round = 0; round < RECEIVE_ROUNDS && count == UDP_POOL_BATCH; round++) {
        prepare_in(pool);
        count = recvmmsg(pool->sockets[socket], pool->in.headers, UDP_POOL_BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) {
            struct slot *slot = &pool->in.slots[i];
            const struct mmsghdr *header = &pool->in.headers[i];
            uint32_t client = client_of(pool, socket, &header->msg_hdr);
            pool->stats.received++;
            if ((header->msg_hdr.msg_flags & MSG_TRUNC) != 0)
                pool->stats.cut++;
            else if (client == UINT32_MAX || !from_server(&pool->servers[client], &slot->peer))
                pool->stats.strangers++;
            else
                take(context, client, slot->packet, header->msg_len);
        }
    }
}

void udp_pool_receive(struct udp_pool *pool, int timeout_ms, udp_pool_fn take, void *context) {
    struct epoll_event events[EVENTS_MAX];
    uint32_t rounds = pool->socket_count / EVENTS_MAX + 1;
    int count = EVENTS_MAX;
    for (uint32_t round = 0; round < rounds && count == EVENTS_MAX; round++) {
        count = epoll_wait(pool->epoll_fd, events, EVENTS_MAX, round == 0 ? timeout_ms : 0);
        for (int i = 0; i < count; i++) receive_socket(pool, events[i].data.u32, take, context);
    }
}

const struct udp_pool_stats *udp_pool_stats(const struct udp_pool *pool) {
    return &pool->stats;
}
