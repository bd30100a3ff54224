/* redis_server.c: see redis_server.h. */
#include "tools/zonectl/redis_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int redis_server_exec(int folder_fd, char error[PRIVATE_SERVER_ERROR_SIZE]) {
    char folder[32];
    char socket[64];
    char databases[8];
    snprintf(folder, sizeof(folder), "/proc/self/fd/%d", folder_fd);
    snprintf(socket, sizeof(socket), "%s/%s", folder, REDIS_SOCKET);
    snprintf(databases, sizeof(databases), "%d", REDIS_DATABASES);
    char *const args[] = {"redis-server",
                          "--port",
                          "0",
                          "--unixsocket",
                          socket,
                          "--unixsocketperm",
                          "700",
                          "--dir",
                          folder,
                          "--databases",
                          databases,
                          "--save",
                          "",
                          "--appendonly",
                          "yes",
                          "--appendfsync",
                          "everysec",
                          "--maxmemory",
                          REDIS_MEMORY,
                          "--maxmemory-policy",
                          "noeviction",
                          "--daemonize",
                          "no",
                          "--logfile",
                          "",
                          "--loglevel",
                          "notice",
                          "--always-show-logo",
                          "no",
                          NULL};
    execvp(args[0], args);
    snprintf(error, PRIVATE_SERVER_ERROR_SIZE, "cannot start redis-server, which Debian's package redis-server has: %s",
             strerror(errno));
    return MARCH_ERR_SYSTEM;
}
