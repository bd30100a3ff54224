/* stores.c: see stores.h. */
#include "tools/zonectl/stores.h"

#include <ctype.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/text.h"
#include "persist/pg_uri.h"
#include "tools/zonectl/private_server.h"

#define HOST_SIZE 256

/* --- lists */

/* starts_uri tells whether a scheme stands here: letters, digits or '+', and "://". */
static bool starts_uri(const char *text) {
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-");
    return len > 0 && strncmp(text + len, "://", 3) == 0;
}

/* entry_len returns where the entry that starts here ends. */
static size_t entry_len(const char *text) {
    size_t len = 0;
    while (text[len] != '\0' && text[len] != '\n' && !(text[len] == ',' && starts_uri(text + len + 1))) len++;
    return len;
}

static int add_entry(struct store_list *out, const char *name, const char *text, size_t len,
                     char error[RUN_DIR_ERROR_SIZE]) {
    while (len > 0 && (isspace((unsigned char)text[len - 1]) || text[len - 1] == ',')) len--;
    if (len == 0) return 0; /* an empty line */
    if (out->count == CONFIG_PERSISTS_MAX || len >= STORES_URI_SIZE || !starts_uri(text)) {
        snprintf(error, RUN_DIR_ERROR_SIZE,
                 "%s: entry %u: expected at most %d entries like scheme://host/database, of at most %d bytes", name,
                 (unsigned)out->count + 1, CONFIG_PERSISTS_MAX, STORES_URI_SIZE - 1);
        return MARCH_ERR_INVALID;
    }
    memcpy(out->uris[out->count], text, len);
    out->uris[out->count++][len] = '\0';
    return 0;
}

static int parse_text(struct store_list *out, const char *name, const char *text, char error[RUN_DIR_ERROR_SIZE]) {
    int result = 0;
    while (*text != '\0' && result == 0) {
        text += strspn(text, " \t\r\n,");
        size_t len = entry_len(text);
        result = add_entry(out, name, text, len, error);
        text += len;
    }
    if (result == 0 && out->count == 0) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "%s: expected a list of URIs, found none", name);
        result = MARCH_ERR_INVALID;
    }
    return result;
}

int store_list_parse(struct store_list *out, const char *name, const char *text, char error[RUN_DIR_ERROR_SIZE]) {
    out->count = 0;
    if (text[0] != '@') return parse_text(out, name, text, error);
    uint8_t *bytes;
    size_t len;
    char reason[RUN_DIR_ERROR_SIZE];
    int result = file_read(text + 1, STORES_LIST_MAX, &bytes, &len, reason, sizeof(reason));
    if (result != 0) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "%.64s: %.*s", name, RUN_DIR_ERROR_SIZE - 128, reason);
        return result;
    }
    result = parse_text(out, name, (const char *)bytes, error);
    explicit_bzero(bytes, len);
    free(bytes);
    return result;
}

/* --- is there a database behind it? */

/* Names an entry for the operator, without what is secret in it. */
struct place {
    const char *name;
    uint32_t number; /* from 1 */
};

static int fail(const struct place *place, int result, const char *what, char error[RUN_DIR_ERROR_SIZE]) {
    snprintf(error, RUN_DIR_ERROR_SIZE, "%s: entry %u: %.1024s", place->name, (unsigned)place->number, what);
    for (char *c = error; *c != '\0'; c++)
        if (*c == '\n') *c = c[1] == '\0' ? '\0' : ' ';
    return result;
}

/* uri_is_whole tells whether libpq understands a URI, ports included: what it says of a bad one may quote a piece of a
 * password that was not escaped. */
static bool uri_is_whole(const char *uri) {
    char *reason = NULL;
    PQconninfoOption *parsed = PQconninfoParse(uri, &reason);
    PQfreemem(reason);
    bool whole = parsed != NULL && strncmp(uri, "postgres", strlen("postgres")) == 0;
    for (const PQconninfoOption *o = parsed; whole && o->keyword != NULL; o++)
        if (strcmp(o->keyword, "port") == 0 && o->val != NULL) whole = o->val[strspn(o->val, "0123456789,")] == '\0';
    PQconninfoFree(parsed);
    return whole;
}

static int check_postgres(const struct place *place, const char *entry, char error[RUN_DIR_ERROR_SIZE]) {
    char uri[PG_URI_MAX];
    bool prepared; /* which is for persist to know */
    if (pg_uri_split(entry, uri, &prepared) != 0 || !uri_is_whole(uri))
        return fail(place, MARCH_ERR_INVALID, "expected a URI like postgresql://user:password@host:port/database", error);
    static const char *const keywords[] = {"dbname", "connect_timeout", "application_name", NULL};
    char timeout[16];
    snprintf(timeout, sizeof(timeout), "%d", STORES_CONNECT_S);
    const char *const values[] = {uri, timeout, "zonectl", NULL};
    PGconn *conn = PQconnectdbParams(keywords, values, 1);
    int result = 0;
    if (conn == NULL || PQstatus(conn) != CONNECTION_OK)
        result = fail(place, MARCH_ERR_UNAVAILABLE, conn == NULL ? "no memory" : PQerrorMessage(conn), error);
    PQfinish(conn);
    return result;
}

/* redis_host takes host and port, or the path of a socket (port 0), out of a URI; false for any other form. */
static bool redis_host(const char *uri, char host[HOST_SIZE], int *port) {
    const char *rest = strstr(uri, "://") + 3;
    const char *at = strrchr(rest, '@');
    if (at != NULL) rest = at + 1;
    bool is_socket = strncmp(uri, "unix://", 7) == 0;
    if (!is_socket && strncmp(uri, "redis://", 8) != 0) return false;
    bool bracket = rest[0] == '[';
    size_t len = is_socket ? strcspn(rest, "?") : strcspn(rest + bracket, bracket ? "]" : ":/?");
    if (len == 0 || len >= HOST_SIZE) return false;
    snprintf(host, HOST_SIZE, "%.*s", (int)len, rest + bracket);
    const char *colon = strchr(rest + len, ':');
    *port = is_socket ? 0 : colon == NULL ? 6379 : (int)strtol(colon + 1, NULL, 10);
    return is_socket || (*port > 0 && *port <= UINT16_MAX);
}

/* check_redis asks a single server whether it is there; what is meant for sentinels is left to persist. An answer that asks
 * for a password is one. */
static int check_redis(const struct place *place, const char *uri, char error[RUN_DIR_ERROR_SIZE]) {
    char host[HOST_SIZE];
    int port;
    const struct timeval timeout = {.tv_sec = STORES_CONNECT_S};
    if (strncmp(uri, "sentinel://", 11) == 0) return 0;
    if (!redis_host(uri, host, &port))
        return fail(place, MARCH_ERR_INVALID, "expected a URI like redis://:password@host:port/0 or unix:///path", error);
    redisContext *c = port == 0 ? redisConnectUnixWithTimeout(host, timeout) : redisConnectWithTimeout(host, port, timeout);
    redisReply *reply = NULL;
    if (c != NULL && c->err == 0 && redisSetTimeout(c, timeout) == REDIS_OK) reply = redisCommand(c, "PING");
    int result = 0;
    if (reply == NULL) result = fail(place, MARCH_ERR_UNAVAILABLE, c == NULL ? "no memory" : c->errstr, error);
    freeReplyObject(reply);
    if (c != NULL) redisFree(c);
    return result;
}

/* --- what the user said */

/* A list that can be given, where, and how its entries are checked. */
struct source {
    const char *option;
    const char *variable;
    const char *given;
    struct store_list *list;
    int (*check)(const struct place *place, const char *uri, char error[RUN_DIR_ERROR_SIZE]);
};

static int read_source(const struct source *source, uint32_t persists, char error[RUN_DIR_ERROR_SIZE]) {
    const char *text = source->given != NULL ? source->given : getenv(source->variable);
    struct place place = {source->given != NULL ? source->option : source->variable, 0};
    source->list->count = 0;
    if (text == NULL || (persists == 0 && source->given == NULL)) return 0;
    int result = store_list_parse(source->list, place.name, text, error);
    if (result == 0 && source->list->count != persists) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "%s: expected %u entries, one for each persist of the configuration, found %u",
                 place.name, (unsigned)persists, (unsigned)source->list->count);
        result = MARCH_ERR_INVALID;
    }
    for (place.number = 1; result == 0 && place.number <= source->list->count; place.number++)
        result = source->check(&place, source->list->uris[place.number - 1], error);
    return result;
}

int stores_read(struct stores *out, const struct stores_options *options, const struct config *config,
                char error[RUN_DIR_ERROR_SIZE]) {
    const struct source sources[] = {
        {"--postgres", STORES_POSTGRES, options->postgres, &out->postgres, check_postgres},
        {"--postgres-replica", STORES_REPLICAS, options->replicas, &out->replicas, check_postgres},
        {"--redis", STORES_REDIS, options->redis, &out->redis, check_redis},
    };
    int result = 0;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if (result == 0) result = read_source(&sources[i], config->persists_count, error);
        (void)unsetenv(sources[i].variable);
    }
    if (result == 0 && out->replicas.count > 0 && out->postgres.count == 0) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "--postgres-replica: expected --postgres, too: a private server has no replica");
        result = MARCH_ERR_INVALID;
    }
    return result;
}

/* --- what persists are told */

/* append_escaped writes a path as a value of a URI's query. */
static void append_escaped(struct text *out, const char *path) {
    for (; *path != '\0'; path++)
        if (isalnum((unsigned char)*path) || strchr("/-._~", *path) != NULL)
            text_append(out, "%c", *path);
        else
            text_append(out, "%%%02X", (unsigned char)*path);
}

static int publish_text(const char *run_dir, const char *name, const char *suffix, const struct text *text,
                        char error[RUN_DIR_ERROR_SIZE]) {
    char path[PATH_MAX];
    int len = text_finish(text);
    if (len < 0 || run_dir_path(path, run_dir, name, suffix) != 0) {
        snprintf(error, RUN_DIR_ERROR_SIZE, "the path of the run directory is too long");
        return MARCH_ERR_INVALID;
    }
    return file_write(path, text->bytes, (size_t)len, 0600, error, RUN_DIR_ERROR_SIZE);
}

static int publish_postgres(const struct stores *stores, const char *run_dir, const char *name, uint32_t shard,
                            char error[RUN_DIR_ERROR_SIZE]) {
    char folder[PATH_MAX];
    char bytes[4 * STORES_URI_SIZE];
    struct text text;
    text_init(&text, bytes, sizeof(bytes));
    if (stores->postgres.count > 0) {
        text_append(&text, "%s\n", stores->postgres.uris[shard]);
        if (stores->replicas.count > 0) text_append(&text, "%s\n", stores->replicas.uris[shard]);
    } else {
        int result = private_server_folder(folder, run_dir, PRIVATE_POSTGRES, error);
        if (result != 0) return result;
        text_append(&text, "postgresql:///" POSTGRES_DATABASE "?user=%s&host=", (unsigned)shard, POSTGRES_SUPERUSER);
        append_escaped(&text, folder);
        text_append(&text, "\n");
    }
    return publish_text(run_dir, name, ".postgres", &text, error);
}

static int publish_redis(const struct stores *stores, const char *run_dir, const char *name, uint32_t shard,
                         char error[RUN_DIR_ERROR_SIZE]) {
    char folder[PATH_MAX];
    char bytes[2 * STORES_URI_SIZE];
    struct text text;
    text_init(&text, bytes, sizeof(bytes));
    if (stores->redis.count > 0) {
        text_append(&text, "%s\n", stores->redis.uris[shard]);
    } else {
        int result = private_server_folder(folder, run_dir, PRIVATE_REDIS, error);
        if (result != 0) return result;
        text_append(&text, "unix://%s/%s?db=%u\n", folder, REDIS_SOCKET, (unsigned)shard);
    }
    return publish_text(run_dir, name, ".redis", &text, error);
}

int stores_publish(const struct stores *stores, const char *run_dir, const struct config *config,
                   char error[RUN_DIR_ERROR_SIZE]) {
    int result = 0;
    for (uint32_t i = 0; i < config->persists_count && result == 0; i++) {
        result = publish_postgres(stores, run_dir, config->persists[i].name, i, error);
        if (result == 0) result = publish_redis(stores, run_dir, config->persists[i].name, i, error);
    }
    return result;
}
