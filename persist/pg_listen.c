#include "persist/pg_listen.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/log.h"
#include "persist/pg_uri.h"

#define CHANNEL_BYTES   64
#define BACKOFF_BASE_MS 50
#define BACKOFF_CAP_MS  2000

enum state { WAITING = 0, CONNECTING = 1, SUBSCRIBING = 2, LISTENING = 3 };

struct pg_listen {
    struct ev_loop *loop;
    struct pg_listen_config config;
    char uri[PG_URI_MAX];
    char channel[CHANNEL_BYTES];
    PGconn *conn;              /* CONNECTING: NULL while its host is looked up */
    struct resolver *resolver; /* NULL until a name had to be looked up */
    enum state state;
    bool was_listening; /* ever */
    bool pinged;        /* and not answered yet */
    struct backoff backoff;
    ev_io io;
    ev_timer timer; /* WAITING: try again; LISTENING: ping; else: too late */
    struct pg_listen_stats stats;
};

static void watch(struct pg_listen *listen, int events) {
    ev_io_stop(listen->loop, &listen->io);
    ev_io_set(&listen->io, PQsocket(listen->conn), events);
    ev_io_start(listen->loop, &listen->io);
}

static void wait_ms(struct pg_listen *listen, uint32_t ms) {
    ev_timer_stop(listen->loop, &listen->timer);
    ev_timer_set(&listen->timer, ms / 1e3, 0.);
    ev_timer_start(listen->loop, &listen->timer);
}

static void lose(struct pg_listen *listen, const char *why) {
    log_warn("pg_listen.lost", "channel=%s why=%s", listen->channel, LOG_QUOTE(why));
    if (listen->state == LISTENING)
        listen->stats.losses++;
    else
        listen->stats.connect_failures++;
    ev_io_stop(listen->loop, &listen->io);
    PQfinish(listen->conn);
    listen->conn = NULL;
    listen->state = WAITING;
    wait_ms(listen, backoff_next_ms(&listen->backoff));
}

static void lose_with_error(struct pg_listen *listen) {
    char error[LOG_QUOTED_MAX];
    snprintf(error, sizeof error, "%s", PQerrorMessage(listen->conn));
    error[strcspn(error, "\n")] = '\0';
    lose(listen, error);
}

/* Both statements are short enough for the empty send buffer of a socket, and what is left goes with the next flush. */
static bool send_text(struct pg_listen *listen, const char *sql) {
    if (!PQsendQuery(listen->conn, sql)) return false;
    int left = PQflush(listen->conn);
    if (left >= 0) watch(listen, left > 0 ? EV_READ | EV_WRITE : EV_READ);
    return left >= 0;
}

static void subscribe(struct pg_listen *listen) {
    char sql[CHANNEL_BYTES + 16];
    snprintf(sql, sizeof sql, "listen %s", listen->channel);
    listen->state = SUBSCRIBING;
    if (PQsetnonblocking(listen->conn, 1) != 0 || !send_text(listen, sql)) lose_with_error(listen);
}

static void begin_listening(struct pg_listen *listen) {
    bool again = listen->was_listening;
    listen->state = LISTENING;
    listen->was_listening = true;
    listen->pinged = false;
    backoff_reset(&listen->backoff);
    wait_ms(listen, listen->config.ping_ms);
    log_info("pg_listen.listening", "channel=%s", listen->channel);
    if (again) listen->config.missed(listen->config.ctx);
}

/* Takes the answers to LISTEN and to pings; false when one was refused. */
static bool take_results(struct pg_listen *listen) {
    while (!PQisBusy(listen->conn)) {
        PGresult *result = PQgetResult(listen->conn);
        if (!result) return true;
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return false;
        if (listen->state == SUBSCRIBING) begin_listening(listen);
        listen->pinged = false;
    }
    return true;
}

static void take_notifications(struct pg_listen *listen) {
    for (PGnotify *notify = PQnotifies(listen->conn); notify; notify = PQnotifies(listen->conn)) {
        listen->stats.heard++;
        listen->config.heard(listen->config.ctx, notify->extra);
        PQfreemem(notify);
    }
}

static void resolve(struct pg_listen *listen);

static void continue_connect(struct pg_listen *listen) {
    switch (PQconnectPoll(listen->conn)) {
    case PGRES_POLLING_READING: watch(listen, EV_READ); return;
    case PGRES_POLLING_WRITING: watch(listen, EV_WRITE); return;
    case PGRES_POLLING_OK: subscribe(listen); return;
    default: lose_with_error(listen);
    }
}

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop;
    struct pg_listen *listen = io->data;
    if (listen->state == CONNECTING) {
        if (listen->conn)
            continue_connect(listen);
        else
            resolve(listen);
        return;
    }
    if ((events & EV_WRITE) != 0) {
        int left = PQflush(listen->conn);
        if (left == 0) watch(listen, EV_READ);
    }
    bool good = PQconsumeInput(listen->conn) != 0;
    if (!take_results(listen)) good = false;
    take_notifications(listen);
    if (!good || PQstatus(listen->conn) == CONNECTION_BAD) lose_with_error(listen);
}

static void begin_connect(struct pg_listen *listen, const char *host, const struct resolved *found) {
    listen->conn = pg_uri_connect(listen->uri, host, found);
    if (listen->conn && PQstatus(listen->conn) != CONNECTION_BAD)
        watch(listen, EV_WRITE);
    else
        lose(listen, "can't connect");
}

/* Asks for the host's addresses: now, or again when they were looked up. */
static void resolve(struct pg_listen *listen) {
    char host[RESOLVE_NAME_MAX + 1];
    struct resolved found;
    if (!pg_uri_host(listen->uri, host)) {
        begin_connect(listen, NULL, NULL);
        return;
    }
    if (!listen->resolver) listen->resolver = resolver_create();
    int error = listen->resolver ? resolver_ask(listen->resolver, host, mono_now(), &found) : MARCH_ERR_SYSTEM;
    if (error == 0) {
        begin_connect(listen, host, &found);
    } else if (error == MARCH_ERR_EMPTY) {
        ev_io_stop(listen->loop, &listen->io);
        ev_io_set(&listen->io, resolver_fd(listen->resolver), EV_READ);
        ev_io_start(listen->loop, &listen->io);
    } else {
        lose(listen, "no address of the host");
    }
}

static void connect_again(struct pg_listen *listen) {
    listen->state = CONNECTING;
    wait_ms(listen, PG_LISTEN_CONNECT_MS);
    resolve(listen);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct pg_listen *listen = timer->data;
    if (listen->state == WAITING) {
        connect_again(listen);
    } else if (listen->state != LISTENING || listen->pinged) {
        lose(listen, "no answer in time");
    } else {
        listen->pinged = true;
        wait_ms(listen, listen->config.ping_ms);
        if (!send_text(listen, "select")) lose_with_error(listen);
    }
}

static bool is_channel(const char *channel) {
    size_t len = strspn(channel, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len > 0 && len < CHANNEL_BYTES && channel[len] == '\0';
}

int pg_listen_open(struct ev_loop *loop, const struct pg_listen_config *config, struct pg_listen **out) {
    bool session_is_ours = true;
    *out = NULL;
    if (!is_channel(config->channel)) return MARCH_ERR_INVALID;
    struct pg_listen *listen = calloc(1, sizeof *listen);
    if (!listen) return MARCH_ERR_SYSTEM;
    int error = pg_uri_split(config->uri, listen->uri, &session_is_ours);
    if (error == 0 && !session_is_ours) error = MARCH_ERR_UNSUPPORTED;
    if (error != 0) {
        free(listen);
        return error == MARCH_ERR_UNSUPPORTED ? error : MARCH_ERR_INVALID;
    }
    listen->loop = loop;
    listen->config = *config;
    listen->config.uri = listen->uri;
    listen->config.channel = listen->channel;
    if (listen->config.ping_ms == 0) listen->config.ping_ms = PG_LISTEN_PING_MS;
    snprintf(listen->channel, sizeof listen->channel, "%s", config->channel);
    backoff_init(&listen->backoff, BACKOFF_BASE_MS, BACKOFF_CAP_MS, config->seed);
    ev_init(&listen->io, on_io);
    ev_init(&listen->timer, on_timer);
    listen->io.data = listen->timer.data = listen;
    connect_again(listen);
    *out = listen;
    return 0;
}

void pg_listen_close(struct pg_listen *listen) {
    if (!listen) return;
    ev_io_stop(listen->loop, &listen->io);
    ev_timer_stop(listen->loop, &listen->timer);
    PQfinish(listen->conn);
    resolver_close(listen->resolver);
    free(listen);
}

struct pg_listen_stats pg_listen_stats_get(const struct pg_listen *listen) {
    struct pg_listen_stats stats = listen->stats;
    stats.listening = listen->state == LISTENING;
    return stats;
}
