/* http_ask.h: a small HTTP client for tests: blocking, one request a connection, everything as text. */
#ifndef MARCH_TESTS_HTTP_ASK_H
#define MARCH_TESTS_HTTP_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/addr.h"

#define HTTP_ASK_SIZE 65536

struct http_asked {
    int status; /* 0: nothing was answered */
    char text[HTTP_ASK_SIZE];
    const char *body;
};

static inline int http_ask_dial(const struct addr *server) {
    struct sockaddr_storage address;
    socklen_t len = addr_to_sockaddr(server, &address);
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    struct timeval timeout = {.tv_sec = 20};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

/* http_ask_send dials and sends a whole request; returns the socket. */
static inline int http_ask_send(const struct addr *server, const char *request) {
    int fd = http_ask_dial(server);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return fd;
}

/* http_ask_method sends a request without a body, or with one and its length, and `headers` of whole lines. */
static inline int http_ask_method(const struct addr *server, const char *method, const char *target, const char *headers,
                                  const char *body) {
    char request[8192];
    char length[64] = "";
    if (body) snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    int len = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s\r\n%s", method,
                       target, headers ? headers : "", length, body ? body : "");
    assert_true(len > 0 && (size_t)len < sizeof request);
    return http_ask_send(server, request);
}

/* http_ask_read reads to the end and closes; returns the status. */
static inline int http_ask_read(int fd, struct http_asked *asked) {
    size_t len = 0;
    ssize_t count;
    while ((count = recv(fd, asked->text + len, HTTP_ASK_SIZE - 1 - len, 0)) > 0) len += (size_t)count;
    asked->text[len] = '\0';
    close(fd);
    asked->status = 0;
    if (sscanf(asked->text, "HTTP/1.1 %d", &asked->status) != 1) asked->status = 0;
    const char *end = strstr(asked->text, "\r\n\r\n");
    asked->body = end ? end + 4 : "";
    return asked->status;
}

#endif
