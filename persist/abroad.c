/* abroad.c: see abroad.h. libcurl's multi interface tells which sockets to watch and when to wake it; libev does. */
#include "persist/abroad.h"

#include <curl/curl.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

struct request {
    struct abroad *abroad;
    struct request *next, *before;
    CURL *easy;
    abroad_done done;
    void *ctx;
    char *body;
    size_t len, room;
    bool too_large;
};

struct watch {
    struct abroad *abroad;
    ev_io io;
};

struct abroad {
    struct ev_loop *loop;
    abroad_find find;
    void *ctx;
    CURLM *multi;
    ev_timer timer;
    struct request *requests;
    uint32_t count;
};

/* --- the end of requests */

static void forget(struct request *request) {
    struct abroad *abroad = request->abroad;
    if (request->before) {
        request->before->next = request->next;
    } else {
        abroad->requests = request->next;
    }
    if (request->next) request->next->before = request->before;
    abroad->count--;
    curl_multi_remove_handle(abroad->multi, request->easy);
    curl_easy_cleanup(request->easy);
    free(request->body);
    free(request);
}

static void finish(struct request *request, CURLcode result) {
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    int error = result == CURLE_OK                   ? 0
                : request->too_large                 ? MARCH_ERR_FULL
                : result == CURLE_OPERATION_TIMEDOUT ? MARCH_ERR_EXPIRED
                                                     : MARCH_ERR_UNAVAILABLE;
    request->done(request->ctx, error, error ? 0 : (unsigned)status,
                  error           ? NULL
                  : request->body ? request->body
                                  : "",
                  error ? 0 : request->len);
    forget(request);
}

static void collect(struct abroad *abroad) {
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(abroad->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) continue;
        struct request *request = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        finish(request, message->data.result);
    }
}

/* --- libcurl and libev */

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop;
    struct watch *watch = io->data;
    struct abroad *abroad = watch->abroad; /* the watch may go in the call */
    int what = (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0), running;
    curl_multi_socket_action(abroad->multi, io->fd, what, &running);
    collect(abroad);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct abroad *abroad = timer->data;
    int running;
    curl_multi_socket_action(abroad->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(abroad);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context) {
    (void)easy;
    struct abroad *abroad = context;
    struct watch *watch = socket_context;
    if (watch) ev_io_stop(abroad->loop, &watch->io);
    if (what == CURL_POLL_REMOVE) {
        free(watch);
        curl_multi_assign(abroad->multi, fd, NULL);
        return 0;
    }
    if (!watch) {
        watch = calloc(1, sizeof *watch);
        if (!watch) return -1;
        watch->abroad = abroad;
        curl_multi_assign(abroad->multi, fd, watch);
    }
    int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
    ev_io_init(&watch->io, on_io, fd, events);
    watch->io.data = watch;
    ev_io_start(abroad->loop, &watch->io);
    return 0;
}

static int set_timer(CURLM *multi, long after_ms, void *context) {
    (void)multi;
    struct abroad *abroad = context;
    ev_timer_stop(abroad->loop, &abroad->timer);
    if (after_ms < 0) return 0;
    ev_timer_set(&abroad->timer, (double)after_ms / 1000.0, 0);
    ev_timer_start(abroad->loop, &abroad->timer);
    return 0;
}

/* --- public */

struct abroad *abroad_create(struct ev_loop *loop, abroad_find find, void *ctx) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return NULL;
    struct abroad *abroad = calloc(1, sizeof *abroad);
    CURLM *multi = curl_multi_init();
    if (!abroad || !multi) {
        free(abroad);
        curl_multi_cleanup(multi);
        curl_global_cleanup();
        return NULL;
    }
    *abroad = (struct abroad){.loop = loop, .find = find, .ctx = ctx, .multi = multi};
    ev_timer_init(&abroad->timer, on_timer, 0, 0);
    abroad->timer.data = abroad;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, abroad);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, abroad);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
    return abroad;
}

void abroad_abort(struct abroad *abroad) {
    while (abroad->requests) {
        struct request *request = abroad->requests;
        request->done(request->ctx, MARCH_ERR_UNAVAILABLE, 0, NULL, 0);
        forget(request);
    }
}

void abroad_destroy(struct abroad *abroad) {
    if (!abroad) return;
    abroad_abort(abroad);
    curl_multi_cleanup(abroad->multi);
    ev_timer_stop(abroad->loop, &abroad->timer);
    free(abroad);
    curl_global_cleanup();
}

bool abroad_url(const struct abroad *abroad, uint32_t shard, char url[ABROAD_URL_SIZE]) {
    return abroad->find(abroad->ctx, shard, url);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
    struct request *request = context;
    size_t len = size * count;
    if (len > ABROAD_BODY_MAX - request->len) {
        request->too_large = true;
        return 0;
    }
    if (request->len + len + 1 > request->room) {
        size_t room = request->len + len + 1 + request->room;
        char *larger = realloc(request->body, room);
        if (!larger) return 0;
        request->body = larger;
        request->room = room;
    }
    memcpy(request->body + request->len, bytes, len);
    request->len += len;
    request->body[request->len] = '\0';
    return len;
}

static void set_options(struct request *request, const char *url, uint32_t deadline_ms) {
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)deadline_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
}

int abroad_get(struct abroad *abroad, uint32_t shard, const char *target, uint32_t deadline_ms, abroad_done done,
               void *ctx) {
    char base[ABROAD_URL_SIZE], url[ABROAD_URL_SIZE + 4096];
    if (abroad->count == ABROAD_ASKED_MAX) return MARCH_ERR_FULL;
    if (!abroad->find(abroad->ctx, shard, base)) return MARCH_ERR_UNAVAILABLE;
    int len = snprintf(url, sizeof url, "%s%s", base, target);
    CHECK(len > 0 && (size_t)len < sizeof url);
    struct request *request = calloc(1, sizeof *request);
    CURL *easy = curl_easy_init();
    if (!request || !easy) {
        free(request);
        curl_easy_cleanup(easy);
        return MARCH_ERR_FULL;
    }
    *request = (struct request){.abroad = abroad, .next = abroad->requests, .easy = easy, .done = done, .ctx = ctx};
    if (request->next) request->next->before = request;
    abroad->requests = request;
    abroad->count++;
    set_options(request, url, deadline_ms);
    if (curl_multi_add_handle(abroad->multi, easy) == CURLM_OK) return 0;
    forget(request);
    return MARCH_ERR_FULL;
}
