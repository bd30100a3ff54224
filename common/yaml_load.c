/* yaml_load.c: see yaml_load.h. */
#include "common/yaml_load.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/file.h"
#include "common/utf8.h"

int yaml_relations_fail(struct yaml_relations *relations, const struct yaml_node *node, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(relations->message, sizeof relations->message, format, args);
    va_end(args);
    relations->line = node ? node->line : 1;
    return MARCH_ERR_INVALID;
}

/* keep_first is libcyaml's log: the first line of an error is the one that says what is wrong. */
__attribute__((format(printf, 3, 0))) static void keep_first(cyaml_log_t level, void *context, const char *format,
                                                             va_list args) {
    (void)level;
    char *message = context;
    if (!message[0]) vsnprintf(message, YAML_ERROR_SIZE, format, args);
}

static cyaml_config_t cyaml_options(char message[YAML_ERROR_SIZE]) {
    return (cyaml_config_t){.log_fn = keep_first,
                            .log_ctx = message,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_NO_ALIAS};
}

/* fill_structs lets libcyaml fill the structs from a text that was found good. */
static int fill_structs(const struct yaml_format *format, const char *bytes, size_t len, void **out,
                        char message[YAML_ERROR_SIZE]) {
    cyaml_config_t options = cyaml_options(message);
    cyaml_data_t *data = NULL;
    cyaml_err_t result = cyaml_load_data((const uint8_t *)bytes, len, &options, format->schema, &data, NULL);
    if (result == CYAML_OK && data) {
        *out = data;
        return 0;
    }
    if (!message[0]) snprintf(message, YAML_ERROR_SIZE, "%s", cyaml_strerror(result));
    return MARCH_ERR_INVALID;
}

static int load_tree(const struct yaml_format *format, const struct yaml_node *root, const char *bytes, size_t len,
                     void **out, struct yaml_relations *relations) {
    int result =
        yaml_check(format->schema, &format->rules, root, &relations->line, relations->message, sizeof relations->message);
    if (result == 0) result = fill_structs(format, bytes, len, out, relations->message);
    if (result != 0) return result;
    yaml_fill_missing(format->schema, &format->rules, root, *out);
    relations->data = *out;
    relations->root = root;
    result = format->check(relations);
    if (result == 0) return 0;
    yaml_unload(format, *out);
    *out = NULL;
    return result;
}

int yaml_load(const struct yaml_format *format, const char *path, const char *bytes, size_t len, void **out, char *error,
              size_t error_size) {
    *out = NULL;
    struct yaml_relations relations = {.line = 1};
    struct yaml_tree *tree = NULL;
    int result = MARCH_ERR_INVALID;
    if (len > format->bytes_max)
        snprintf(relations.message, sizeof relations.message, "expected at most %zu bytes, found %zu", format->bytes_max,
                 len);
    else
        result = yaml_tree_parse(bytes, len, &tree, &relations.line, relations.message, sizeof relations.message);
    if (result == 0) result = load_tree(format, yaml_tree_root(tree), bytes, len, out, &relations);
    yaml_tree_free(tree);
    if (result == 0) return 0;
    snprintf(error, error_size, "%s:%" PRIu32 ": %s", path, relations.line, relations.message);
    utf8_text_clean(error); /* it may quote anything */
    return result;
}

int yaml_load_file(const struct yaml_format *format, const char *path, void **out, char *error, size_t error_size) {
    *out = NULL;
    uint8_t *bytes;
    size_t len;
    int result = file_read(path, format->bytes_max, &bytes, &len, error, error_size);
    if (result != 0) return result;
    result = yaml_load(format, path, (const char *)bytes, len, out, error, error_size);
    free(bytes);
    return result;
}

int yaml_change(const struct yaml_format *format, void *data, const char *key, const char *text, char *error,
                size_t error_size) {
    struct yaml_relations relations = {.data = data, .line = 1};
    int result = yaml_set(format->schema, &format->rules, data, key, text, relations.message, sizeof relations.message);
    if (result == 0) result = format->check(&relations);
    if (result == 0) return 0;
    snprintf(error, error_size, "%s", relations.message);
    utf8_text_clean(error); /* it may quote anything */
    return result;
}

void yaml_unload(const struct yaml_format *format, void *data) {
    char message[YAML_ERROR_SIZE] = "";
    cyaml_config_t options = cyaml_options(message);
    if (data) CHECK(cyaml_free(&options, format->schema, data, 0) == CYAML_OK);
}
