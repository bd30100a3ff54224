#include "persist/pg_uri.h"

#include <libpq-fe.h>
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
