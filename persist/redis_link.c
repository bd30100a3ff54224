/* redis_link.c: see redis_link.h. */
#include "persist/redis_link.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"

#define READ_BYTES  65536
#define FEED_BYTES  16384 /* the reader moves what is left each time, so little at once is quicker */
#define READS_MAX   8     /* of one event, so that one connection can't hold the loop */
#define HEADER_MAX  16
#define OUT_INITIAL 65536

static void begin(struct redis_link *link);
static void connect_target(struct redis_link *link);

/* Arrays of a hostile or broken server are bounded before memory is taken for them. */
static void *create_array(const redisReadTask *task, int elements) {
    const redisReplyObjectFunctions *functions = task->privdata;
    if (elements < 0 || elements > (int)REDIS_REPLY_ELEMENTS_MAX) return NULL;
    return functions->createArray(task, elements);
}

static void close_socket(struct redis_link *link) {
    ev_io_stop(link->loop, &link->readable);
    ev_io_stop(link->loop, &link->writable);
    if (link->fd >= 0) close(link->fd);
    link->fd = -1;
    link->out_head = link->out_len = 0;
    link->generation++;
}

static void arm(struct redis_link *link, uint32_t after_ms) {
    ev_now_update(link->loop);
    ev_timer_stop(link->loop, &link->timer);
    ev_timer_set(&link->timer, after_ms / 1e3, 0);
    ev_timer_start(link->loop, &link->timer);
}

void redis_link_drop(struct redis_link *link, const char *why) {
    if (link->state == REDIS_LINK_DOWN) return;
    bool was_ready = link->state == REDIS_LINK_READY;
    uint32_t wait_ms = backoff_next_ms(&link->backoff);
    log_warn("redis.lost", "address=%s ready=%d why=%s retry_ms=%u", LOG_QUOTE(link->address.label), was_ready,
             LOG_QUOTE(why), wait_ms);
    close_socket(link);
    link->state = REDIS_LINK_DOWN;
    arm(link, wait_ms);
    if (was_ready)
        link->losses++;
    else
        link->failures++;
    void (*told)(void *ctx) = was_ready ? link->events->lost : link->events->failed;
    if (told) told(link->ctx);
}

/* reserve makes room for `more` bytes behind what waits. */
static int reserve(struct redis_link *link, size_t more) {
    size_t waiting = link->out_len - link->out_head;
    if (waiting + more > link->out_bytes_max) return MARCH_ERR_FULL;
    if (link->out_len + more <= link->out_size) return 0;
    if (link->out_head > 0) {
        memmove(link->out, link->out + link->out_head, waiting);
        link->out_head = 0;
        link->out_len = waiting;
    }
    if (waiting + more <= link->out_size / 2) return 0;
    size_t size = link->out_size;
    while (size < 2 * (waiting + more)) size *= 2;
    char *out = realloc(link->out, size);
    if (out == NULL) return waiting + more <= link->out_size ? 0 : MARCH_ERR_SYSTEM;
    link->out = out;
    link->out_size = size;
    return 0;
}

static int append(struct redis_link *link, const char *head, size_t head_len, uint32_t head_count,
                  const struct redis_request *request) {
    if (request->error) return request->error;
    int error = reserve(link, HEADER_MAX + head_len + request->len);
    if (error) return error;
    char *at = link->out + link->out_len;
    size_t len = (size_t)snprintf(at, HEADER_MAX, "*%" PRIu32 "\r\n", head_count + request->count);
    if (head_len > 0) memcpy(at + len, head, head_len);
    if (request->len > 0) memcpy(at + len + head_len, request->bytes, request->len);
    link->out_len += len + head_len + request->len;
    return 0;
}

int redis_link_send(struct redis_link *link, const char *head, size_t head_len, uint32_t head_count,
                    const struct redis_request *request) {
    CHECK(link->state == REDIS_LINK_READY);
    return append(link, head, head_len, head_count, request);
}

static void on_flush(struct ev_loop *loop, ev_prepare *watcher, int events) {
    (void)events;
    struct redis_link *link = watcher->data;
    if (link->state < REDIS_LINK_GREETING || link->out_head == link->out_len) return;
    ssize_t sent = send(link->fd, link->out + link->out_head, link->out_len - link->out_head, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        redis_link_drop(link, strerror(errno));
        return;
    }
    if (sent > 0) link->out_head += (size_t)sent;
    if (link->out_head == link->out_len) {
        link->out_head = link->out_len = 0;
        ev_io_stop(loop, &link->writable);
    } else {
        ev_io_start(loop, &link->writable);
    }
}

/* greet_with adds one command to the greeting. */
static void greet_with(struct redis_link *link, const char *const *words, size_t count) {
    redis_request_reset(&link->request);
    for (size_t i = 0; i < count; i++) redis_request_text(&link->request, words[i]);
    int error = append(link, NULL, 0, 0, &link->request);
    CHECK(error == 0); /* an empty buffer, and words of bounded length */
    link->greeting++;
}

#define GREET_WITH(link, ...)                                                                                               \
    greet_with(link, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* greet says who we are and asks who answers. The last two answers are those of INFO and, of a named server, ROLE. */
static void greet(struct redis_link *link) {
    const struct redis_address *address = &link->address;
    char db[12];
    link->state = REDIS_LINK_GREETING;
    link->greeting = 0;
    if (link->asking) {
        GREET_WITH(link, "SENTINEL", "get-master-addr-by-name", address->master);
        return;
    }
    if (address->password[0] && address->user[0]) GREET_WITH(link, "AUTH", address->user, address->password);
    if (address->password[0] && !address->user[0]) GREET_WITH(link, "AUTH", address->password);
    snprintf(db, sizeof db, "%" PRIu32, address->db);
    GREET_WITH(link, "SELECT", db);
    if (link->named) GREET_WITH(link, "ROLE");
    GREET_WITH(link, "INFO", "server");
}

/* take_master goes on from the Sentinel's answer to the server that it names. */
static void take_master(struct redis_link *link, const struct redisReply *reply) {
    struct redis_host host = {0};
    bool good = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING &&
                reply->element[1]->type == REDIS_REPLY_STRING && reply->element[0]->len <= REDIS_HOST_MAX &&
                reply->element[0]->len > 0;
    if (good) {
        char *end;
        unsigned long port = strtoul(reply->element[1]->str, &end, 10);
        good = *end == '\0' && port > 0 && port <= UINT16_MAX;
        host.port = (uint16_t)port;
        memcpy(host.name, reply->element[0]->str, (size_t)reply->element[0]->len);
    }
    if (!good) {
        redis_link_drop(link, "the Sentinel does not know the master");
        return;
    }
    link->target = host;
    link->asking = false;
    link->named = true;
    close_socket(link);
    begin(link);
}

static void take_run_id(struct redis_link *link, const struct redisReply *reply) {
    static const char field[] = "run_id:";
    link->run_id[0] = '\0';
    if (reply->type != REDIS_REPLY_STRING) return;
    const char *at = memmem(reply->str, (size_t)reply->len, field, sizeof field - 1);
    if (at == NULL) return;
    at += sizeof field - 1;
    size_t len = 0, left = (size_t)(reply->str + reply->len - at);
    while (len < left && len < REDIS_RUN_ID_MAX && at[len] != '\r' && at[len] != '\n') len++;
    memcpy(link->run_id, at, len);
    link->run_id[len] = '\0';
}

static bool is_master(const struct redisReply *reply) {
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(reply->element[0]->str, "master") == 0;
}

/* greeted takes one answer of the greeting. Only INFO may be refused: a user may not be allowed to ask. */
static void greeted(struct redis_link *link, const struct redisReply *reply) {
    if (link->asking) {
        take_master(link, reply);
        return;
    }
    link->greeting--;
    if (reply->type == REDIS_REPLY_ERROR && link->greeting > 0) {
        redis_link_drop(link, reply->str);
        return;
    }
    if (link->greeting == 1 && link->named && !is_master(reply)) {
        redis_link_drop(link, "the server that the Sentinel named is no master");
        return;
    }
    if (link->greeting > 0) return;
    take_run_id(link, reply);
    link->state = REDIS_LINK_READY;
    ev_timer_stop(link->loop, &link->timer);
    backoff_reset(&link->backoff);
    link->connects++;
    log_info("redis.ready", "address=%s", LOG_QUOTE(link->address.label));
    link->events->ready(link->ctx);
}

/* take_replies hands out what the reader has; false when the connection is another one by then. */
static bool take_replies(struct redis_link *link) {
    uint32_t generation = link->generation;
    for (;;) {
        void *reply = NULL;
        int status = redisReaderGetReply(link->reader, &reply);
        if (status != REDIS_OK || link->reader->len - link->reader->pos > REDIS_REPLY_BYTES_MAX) {
            if (reply) freeReplyObject(reply);
            redis_link_drop(link, status != REDIS_OK ? link->reader->errstr : "a reply is too long");
            return false;
        }
        if (reply == NULL) return true;
        if (link->state == REDIS_LINK_READY)
            link->events->reply(link->ctx, reply);
        else
            greeted(link, reply);
        freeReplyObject(reply);
        if (link->generation != generation) return false;
    }
}

static bool feed(struct redis_link *link, const char *bytes, size_t len) {
    for (size_t at = 0; at < len; at += FEED_BYTES) {
        size_t piece = len - at < FEED_BYTES ? len - at : FEED_BYTES;
        if (redisReaderFeed(link->reader, bytes + at, piece) != REDIS_OK) {
            redis_link_drop(link, "no memory for a reply");
            return false;
        }
        if (!take_replies(link)) return false;
    }
    return true;
}

static void receive(struct redis_link *link) {
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t got = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            redis_link_drop(link, got == 0 ? "the server closed the connection" : strerror(errno));
            return;
        }
        if (!feed(link, bytes, (size_t)got) || (size_t)got < sizeof bytes) return;
    }
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events) {
    (void)loop;
    (void)events;
    struct redis_link *link = watcher->data;
    link->in_event = true;
    if (link->fd < 0)
        connect_target(link);
    else
        receive(link);
    link->in_event = false;
}

/* on_writable: connected, or refused. Later writes are those of on_flush, for which the loop only has to wake. */
static void on_writable(struct ev_loop *loop, ev_io *watcher, int events) {
    (void)events;
    struct redis_link *link = watcher->data;
    if (link->state != REDIS_LINK_CONNECTING) return;
    int failure = 0;
    socklen_t len = sizeof failure;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0) failure = errno;
    if (failure) {
        redis_link_drop(link, strerror(failure));
        return;
    }
    ev_io_stop(loop, &link->writable);
    ev_io_start(loop, &link->readable);
    greet(link);
}

/* reset_reader gives each connection a reader without a past. */
static int reset_reader(struct redis_link *link) {
    redisReaderFree(link->reader);
    link->reader = redisReaderCreate();
    if (link->reader == NULL) return MARCH_ERR_SYSTEM;
    link->functions = *link->reader->fn;
    link->functions.createArray = create_array;
    link->reader->privdata = link->reader->fn;
    link->reader->fn = &link->functions;
    return 0;
}

static int unix_address(const struct redis_host *host, struct sockaddr_storage *out, socklen_t *len) {
    struct sockaddr_un *address = (struct sockaddr_un *)out;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    _Static_assert(sizeof address->sun_path > REDIS_HOST_MAX, "a path and its end fit");
    memcpy(address->sun_path, host->name, strlen(host->name) + 1);
    *len = sizeof *address;
    return 0;
}

/* tcp_address gives the address where it is known, MARCH_ERR_EMPTY while it is looked up. */
static int tcp_address(struct redis_link *link, struct sockaddr_storage *out, socklen_t *len) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST}, *info;
    struct resolved found;
    char port[8];
    if (link->resolver == NULL && (link->resolver = resolver_create()) == NULL) return MARCH_ERR_SYSTEM;
    int error = resolver_ask(link->resolver, link->target.name, mono_now(), &found);
    if (error) return error;
    snprintf(port, sizeof port, "%u", link->target.port);
    if (getaddrinfo(found.addresses[0], port, &hints, &info) != 0) return MARCH_ERR_NOT_FOUND;
    memcpy(out, info->ai_addr, info->ai_addrlen);
    *len = info->ai_addrlen;
    freeaddrinfo(info);
    return 0;
}

/* connect_to returns a socket on its way to the target, or an error. */
static int connect_to(struct redis_link *link) {
    struct sockaddr_storage address;
    socklen_t len;
    bool is_tcp = link->target.port != 0;
    int error = is_tcp ? tcp_address(link, &address, &len) : unix_address(&link->target, &address, &len);
    if (error) return error;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return MARCH_ERR_SYSTEM;
    int on = 1;
    if (is_tcp) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    if (connect(fd, (struct sockaddr *)&address, len) == 0 || errno == EINPROGRESS) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return MARCH_ERR_SYSTEM;
}

/* connect_target connects, or waits for the lookup and is then called again. */
static void connect_target(struct redis_link *link) {
    ev_io_stop(link->loop, &link->readable);
    int fd = connect_to(link);
    if (fd == MARCH_ERR_EMPTY) {
        ev_io_set(&link->readable, resolver_fd(link->resolver), EV_READ);
        ev_io_start(link->loop, &link->readable);
        return;
    }
    if (fd < 0 || reset_reader(link) != 0) {
        if (fd >= 0) close(fd);
        redis_link_drop(link, fd == MARCH_ERR_SYSTEM ? strerror(errno) : "no address of the host");
        return;
    }
    link->fd = fd;
    ev_io_set(&link->readable, fd, EV_READ);
    ev_io_set(&link->writable, fd, EV_WRITE);
    ev_io_start(link->loop, &link->writable);
}

/* begin connects to the target. */
static void begin(struct redis_link *link) {
    link->state = REDIS_LINK_CONNECTING;
    arm(link, link->connect_ms);
    connect_target(link);
}

/* on_timer: time to try again, or the way to ready took too long. */
static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)events;
    struct redis_link *link = watcher->data;
    if (link->state != REDIS_LINK_DOWN) {
        redis_link_drop(link, "no answer in time");
        return;
    }
    link->asking = link->address.kind == REDIS_ADDRESS_SENTINEL;
    link->named = false;
    link->target = link->address.hosts[link->sentinel];
    link->sentinel = (link->sentinel + 1) % link->address.host_count;
    begin(link);
}

int redis_link_open(struct redis_link *link, struct ev_loop *loop, const struct redis_link_config *config) {
    CHECK(config->events->ready && config->events->reply);
    *link = (struct redis_link){.loop = loop,
                                .address = *config->address,
                                .events = config->events,
                                .ctx = config->ctx,
                                .fd = -1,
                                .out_size = OUT_INITIAL,
                                .out_bytes_max = config->out_bytes_max,
                                .connect_ms = config->connect_ms};
    link->out = malloc(link->out_size);
    if (link->out == NULL) return MARCH_ERR_SYSTEM;
    redis_request_init(&link->request);
    backoff_init(&link->backoff, config->retry_base_ms, config->retry_cap_ms, config->seed);
    ev_init(&link->readable, on_readable);
    ev_init(&link->writable, on_writable);
    ev_init(&link->timer, on_timer);
    ev_prepare_init(&link->flush, on_flush);
    link->readable.data = link->writable.data = link->timer.data = link->flush.data = link;
    ev_prepare_start(loop, &link->flush);
    arm(link, 0);
    return 0;
}

void redis_link_close(struct redis_link *link) {
    if (link->out == NULL) return;
    CHECK(!link->in_event);
    close_socket(link);
    ev_timer_stop(link->loop, &link->timer);
    ev_prepare_stop(link->loop, &link->flush);
    redisReaderFree(link->reader);
    redis_request_deinit(&link->request);
    resolver_close(link->resolver);
    free(link->out);
    *link = (struct redis_link){.fd = -1};
}
