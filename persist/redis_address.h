/* redis_address.h: where a Redis is.
 *
 *     unix:///path/to/socket[?db=N]
 *     redis://[[user]:password@]host[:port][/db]             an IPv6 host in brackets; port 6379
 *     sentinel://[[user]:password@]host:port[,host:port...]/master[/db]
 *
 * The last asks the Sentinels, in turn, for the address of the master of that name, each time that it connects; user and
 * password are for the Redis itself. Limits below; a longer text is refused. Passwords are never logged: log `label`.
 */
#ifndef MARCH_PERSIST_REDIS_ADDRESS_H
#define MARCH_PERSIST_REDIS_ADDRESS_H

#include <stdint.h>

#include "common/error.h"

#define REDIS_HOST_MAX      107 /* bytes of a host's name or of a socket's path */
#define REDIS_SECRET_MAX    127
#define REDIS_SENTINELS_MAX 8

enum redis_address_kind {
    REDIS_ADDRESS_UNIX = 0,
    REDIS_ADDRESS_TCP = 1,
    REDIS_ADDRESS_SENTINEL = 2,
    REDIS_ADDRESS_KIND_COUNT = 3
};

struct redis_host {
    char name[REDIS_HOST_MAX + 1]; /* path of a unix socket */
    uint16_t port;                 /* 0: a unix socket */
};

struct redis_address {
    enum redis_address_kind kind;
    uint32_t host_count; /* 1, or the number of Sentinels */
    struct redis_host hosts[REDIS_SENTINELS_MAX];
    char master[REDIS_HOST_MAX + 1];
    char user[REDIS_SECRET_MAX + 1]; /* "": none */
    char password[REDIS_SECRET_MAX + 1];
    uint32_t db;
    char label[192]; /* without secrets, for logs */
};

/* redis_address_parse reads one of the forms above. MARCH_ERR_INVALID when it is none of them or too long. */
must_check int redis_address_parse(struct redis_address *address, const char *text);

#endif
