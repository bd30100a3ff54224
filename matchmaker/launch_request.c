#include "matchmaker/launch_request.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/option.h"

#define VALUE_SIZE 64

static int read_players(const json_t *list, struct launch_request *launch, char *error, size_t error_size) {
    launch->player_count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (launch->player_count == launch->template.capacity) {
            snprintf(error, error_size, "players: expected at most %" PRIu32, launch->template.capacity);
            return MARCH_ERR_INVALID;
        }
        if (!text || text[0] == '0' ||
            option_number_parse(text, 1, INT64_MAX, &launch->players[launch->player_count]) != 0) {
            snprintf(error, error_size, "players: expected ids as decimal strings");
            return MARCH_ERR_INVALID;
        }
        launch->player_count++;
    }
    return 0;
}

/* text_of writes a scalar as a file would have it; NULL for what is none. */
static const char *text_of(const json_t *value, char text[VALUE_SIZE]) {
    if (json_is_string(value)) return json_string_value(value);
    if (json_is_boolean(value)) return json_is_true(value) ? "true" : "false";
    if (!json_is_integer(value)) return NULL;
    snprintf(text, VALUE_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return text;
}

int launch_request_read(const struct template_set *templates, const char *name, const json_t *players, json_t *set,
                        struct launch_request *launch, char *error, size_t error_size) {
    const struct template *template = template_set_find(templates, name);
    if (!template) {
        snprintf(error, error_size, "there is no template of that name");
        return MARCH_ERR_NOT_FOUND;
    }
    launch->template = *template;
    const char *key;
    json_t *value;
    json_object_foreach(set, key, value) {
        char buf[VALUE_SIZE];
        const char *text = text_of(value, buf);
        if (!text) {
            snprintf(error, error_size, "set: expected texts, numbers, true or false"); /* a key may be of any length */
            return MARCH_ERR_INVALID;
        }
        int result = template_override(&launch->template, key, text, error, error_size);
        if (result) return result;
    }
    return read_players(players, launch, error, error_size);
}
