#include "gateway/udp_socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* buffer_set asks for more than net.core.*mem_max first, which root may. */
static void buffer_set(int fd, int forced, int plain, int bytes) {
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) == 0) return;
    (void)setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes); /* grants what it allows */
}

/* Our datagrams fit any path (1,280 bytes), so none is fragmented, and none needs an identification, which IPv4 would
 * take from a counter shared by all. */
static void never_fragment(int fd, int family) {
    int ipv4 = IP_PMTUDISC_PROBE, ipv6 = IPV6_PMTUDISC_PROBE;
    if (family == AF_INET) (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &ipv4, sizeof ipv4);
    if (family == AF_INET6) (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &ipv6, sizeof ipv6);
}

static int configure(int fd, int family, int buffer_bytes) {
    int only = 1;
    never_fragment(fd, family);
    buffer_set(fd, SO_RCVBUFFORCE, SO_RCVBUF, buffer_bytes);
    buffer_set(fd, SO_SNDBUFFORCE, SO_SNDBUF, buffer_bytes);
    return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) : 0;
}

static int bound_address(int fd, struct addr *bound) {
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0) return -1;
    return addr_from_sockaddr(bound, (struct sockaddr *)&name, len);
}

int udp_socket_open(const struct addr *address, int buffer_bytes, struct addr *bound) {
    struct sockaddr_storage name;
    socklen_t len = addr_to_sockaddr(address, &name);
    int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return MARCH_ERR_SYSTEM;
    if (configure(fd, name.ss_family, buffer_bytes) == 0 && bind(fd, (struct sockaddr *)&name, len) == 0 &&
        bound_address(fd, bound) == 0) {
        return fd;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return saved == EADDRINUSE ? MARCH_ERR_EXISTS : MARCH_ERR_SYSTEM;
}

uint64_t udp_socket_kernel_drops(int fd) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0) return 0;
    return info[SK_MEMINFO_DROPS];
}
