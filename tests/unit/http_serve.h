/* http_serve.h: the loop's side of an endpoint in a test, with the client's. */
#ifndef MARCH_TESTS_HTTP_SERVE_H
#define MARCH_TESTS_HTTP_SERVE_H

#include <poll.h>

#include "common/http.h"
#include "tests/unit/http_ask.h"

/* http_serve_take waits for the next request, as a loop does. */
static inline const struct http_request *http_serve_take(struct http *http) {
    struct pollfd waiting = {.fd = http_fd(http), .events = POLLIN};
    const struct http_request *request = NULL;
    while (http_take(http, &request) != 0) assert_int_equal(poll(&waiting, 1, 20000), 1);
    return request;
}

static inline void http_serve_reply(struct http *http, const struct http_request *request, unsigned status, const char *body,
                                    const char *etag) {
    struct http_answer answer = {
        .status = status, .content_type = "application/json", .body = body, .body_len = strlen(body), .age_s = -1};
    if (etag) snprintf(answer.etag, sizeof answer.etag, "%s", etag);
    http_reply(http, request, &answer);
}

#endif
