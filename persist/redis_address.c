/* redis_address.c: see redis_address.h. */
#include "persist/redis_address.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_DEFAULT 6379
#define TEXT_MAX     1023

/* copy_text copies `len` bytes as text. */
static int copy_text(char *out, size_t size, const char *text, size_t len) {
    if (len >= size) return MARCH_ERR_INVALID;
    memcpy(out, text, len);
    out[len] = '\0';
    return 0;
}

static int parse_number(const char *text, uint32_t max, uint32_t *out) {
    uint32_t value = 0;
    if (*text == '\0' || strlen(text) > 6) return MARCH_ERR_INVALID;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return MARCH_ERR_INVALID;
        value = value * 10 + (uint32_t)(*text - '0');
    }
    *out = value;
    return value <= max ? 0 : MARCH_ERR_INVALID;
}

/* parse_host reads host[:port], [v6]:port; `port` is taken where the text has none, 0 requires one. */
static int parse_host(struct redis_host *host, const char *text, uint16_t port) {
    const char *name = text, *end, *colon;
    *host = (struct redis_host){.port = port};
    if (*text == '[') {
        name++;
        end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) return MARCH_ERR_INVALID;
        colon = end[1] ? end + 1 : NULL;
    } else {
        colon = strrchr(text, ':');
        end = colon ? colon : text + strlen(text);
    }
    if (end == name) return MARCH_ERR_INVALID;
    if (colon) {
        uint32_t number;
        int error = parse_number(colon + 1, UINT16_MAX, &number);
        if (error) return error;
        host->port = (uint16_t)number;
    }
    if (host->port == 0) return MARCH_ERR_INVALID;
    return copy_text(host->name, sizeof host->name, name, (size_t)(end - name));
}

/* parse_secrets takes "[user]:password@" from the front of `rest`, where it is. */
static int parse_secrets(struct redis_address *address, char **rest) {
    char *at = strrchr(*rest, '@');
    if (at == NULL) return 0;
    char *colon = strchr(*rest, ':');
    if (colon == NULL || colon > at) return MARCH_ERR_INVALID;
    int error = copy_text(address->user, sizeof address->user, *rest, (size_t)(colon - *rest));
    if (!error) error = copy_text(address->password, sizeof address->password, colon + 1, (size_t)(at - colon - 1));
    *rest = at + 1;
    return error;
}

static int parse_unix(struct redis_address *address, char *rest) {
    char *query = strchr(rest, '?');
    if (query) {
        *query = '\0';
        if (strncmp(query + 1, "db=", 3) != 0) return MARCH_ERR_INVALID;
        int error = parse_number(query + 4, UINT16_MAX, &address->db);
        if (error) return error;
    }
    if (rest[0] != '/') return MARCH_ERR_INVALID;
    address->host_count = 1;
    snprintf(address->label, sizeof address->label, "unix://%.120s", rest);
    return copy_text(address->hosts[0].name, sizeof address->hosts[0].name, rest, strlen(rest));
}

/* split ends `text` at the first `at` and returns what follows, NULL where there is none. */
static char *split(char *text, char at) {
    char *found = strchr(text, at);
    if (found == NULL) return NULL;
    *found = '\0';
    return found + 1;
}

static int parse_tcp(struct redis_address *address, char *rest) {
    int error = parse_secrets(address, &rest);
    if (error) return error;
    char *db = split(rest, '/');
    if (db && *db) error = parse_number(db, UINT16_MAX, &address->db);
    if (error) return error;
    address->host_count = 1;
    snprintf(address->label, sizeof address->label, "redis://%.120s", rest);
    return parse_host(&address->hosts[0], rest, PORT_DEFAULT);
}

static int parse_sentinel(struct redis_address *address, char *rest) {
    int error = parse_secrets(address, &rest);
    if (error) return error;
    char *master = split(rest, '/');
    if (master == NULL) return MARCH_ERR_INVALID;
    char *db = split(master, '/');
    if (*master == '\0') return MARCH_ERR_INVALID;
    if (db) error = parse_number(db, UINT16_MAX, &address->db);
    if (!error) error = copy_text(address->master, sizeof address->master, master, strlen(master));
    snprintf(address->label, sizeof address->label, "sentinel://%.100s/%.60s", rest, master);
    for (char *next; !error && rest; rest = next) {
        next = split(rest, ',');
        if (address->host_count == REDIS_SENTINELS_MAX) return MARCH_ERR_INVALID;
        error = parse_host(&address->hosts[address->host_count++], rest, 0);
    }
    return error;
}

int redis_address_parse(struct redis_address *address, const char *text) {
    static const struct {
        const char *prefix;
        enum redis_address_kind kind;
        int (*parse)(struct redis_address *address, char *rest);
    } forms[] = {
        {"unix://", REDIS_ADDRESS_UNIX, parse_unix},
        {"redis://", REDIS_ADDRESS_TCP, parse_tcp},
        {"sentinel://", REDIS_ADDRESS_SENTINEL, parse_sentinel},
    };
    char copy[TEXT_MAX + 1];
    size_t len = strlen(text);
    if (len > TEXT_MAX) return MARCH_ERR_INVALID;
    memcpy(copy, text, len + 1);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t prefix = strlen(forms[i].prefix);
        if (strncmp(copy, forms[i].prefix, prefix) != 0) continue;
        *address = (struct redis_address){.kind = forms[i].kind};
        return forms[i].parse(address, copy + prefix);
    }
    return MARCH_ERR_INVALID;
}
