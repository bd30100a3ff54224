#include "persist/pg_uri.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

static const char KEY[] = "march_prepared=";

/* Our parameter as a whole word of `uri`, after '?', '&' or a space. */
static const char *find_parameter(const char *uri) {
    for (const char *at = strstr(uri, KEY); at; at = strstr(at + 1, KEY))
        if (at == uri || strchr("?& ", at[-1])) return at;
    return NULL;
}

static int take_parameter(char *uri, bool *prepared) {
    const char *found = find_parameter(uri);
    if (!found) return 0;
    char *at = uri + (found - uri);
    const char *value = at + sizeof KEY - 1;
    size_t len = strcspn(value, "& ");
    bool on = len == 2 && memcmp(value, "on", 2) == 0;
    if (!on && !(len == 3 && memcmp(value, "off", 3) == 0)) return MARCH_ERR_INVALID;
    *prepared = on;
    const char *rest = value + len;
    if (*rest != '\0')
        rest++; /* what follows takes its place behind the same separator */
    else if (at > uri)
        at--;
    memmove(at, rest, strlen(rest) + 1);
    return 0;
}

bool pg_uri_tells_prepared(const char *uri) {
    return find_parameter(uri) != NULL;
}

int pg_uri_split(const char *uri, char out[PG_URI_MAX], bool *prepared) {
    size_t len = strlen(uri);
    *prepared = true;
    if (len >= PG_URI_MAX) return MARCH_ERR_FULL;
    memcpy(out, uri, len + 1);
    int error = take_parameter(out, prepared);
    if (error != 0) return error;
    PQconninfoOption *options = PQconninfoParse(out, NULL);
    PQconninfoFree(options);
    return options ? 0 : MARCH_ERR_INVALID;
}

static const char *option(const PQconninfoOption *options, const char *keyword) {
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0) return options->val ? options->val : "";
    return "";
}

bool pg_uri_host(const char *uri, char host[RESOLVE_NAME_MAX + 1]) {
    PQconninfoOption *options = PQconninfoParse(uri, NULL);
    if (!options) return false;
    const char *name = option(options, "host");
    size_t len = strlen(name);
    bool is_name = len > 0 && len <= RESOLVE_NAME_MAX && name[0] != '/' && name[0] != '@' && !strchr(name, ',') &&
                   option(options, "hostaddr")[0] == '\0' && !resolve_is_address(name);
    if (is_name) memcpy(host, name, len + 1);
    PQconninfoFree(options);
    return is_name;
}

/* Ours first, so that the URI may say otherwise: a peer that has vanished is noticed within seconds. The host comes once for
 * each of its addresses, which are tried in turn; its name stays, for certificates are checked against it. */
PGconn *pg_uri_connect(const char *uri, const char *host, const struct resolved *found) {
    char hosts[RESOLVE_ADDRESSES_MAX * (RESOLVE_NAME_MAX + 1)] = "", addresses[sizeof(struct resolved)] = "";
    size_t host_len = 0, address_len = 0;
    for (unsigned i = 0; host && i < found->count; i++) {
        const char *comma = i > 0 ? "," : "";
        host_len += (size_t)snprintf(hosts + host_len, sizeof hosts - host_len, "%s%s", comma, host);
        address_len +=
            (size_t)snprintf(addresses + address_len, sizeof addresses - address_len, "%s%s", comma, found->addresses[i]);
    }
    const char *const keywords[] = {"keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "fallback_application_name",
                                    "dbname",
                                    host ? "host" : NULL,
                                    "hostaddr",
                                    NULL};
    const char *const values[] = {"5", "2", "3", "10000", "marchland", uri, hosts, addresses, NULL};
    return PQconnectStartParams(keywords, values, 1);
}
