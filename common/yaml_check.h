/* yaml_check.h: strict checks of a YAML tree against a libcyaml schema.
 *
 * The schema says which keys there are and of what type; a table of rules adds what libcyaml 1.3 can't: ranges, forms of
 * strings, and defaults other than zero. One walk finds the first thing wrong and tells where it stands, by path and line,
 * and what was expected. After it libcyaml fills the structs, and a second walk sets what the file left out.
 *
 * Every integer and string of the schema needs a rule; to forget one is a bug and aborts. Enums and booleans default to
 * zero.
 */
#ifndef MARCH_COMMON_YAML_CHECK_H
#define MARCH_COMMON_YAML_CHECK_H

#include <cyaml/cyaml.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/yaml_tree.h"

enum yaml_form {
    YAML_FORM_INTEGER = 0,
    YAML_FORM_NAME = 1,    /* a-z, 0-9 and '-', from a letter on */
    YAML_FORM_ADDRESS = 2, /* numeric IP and port */
    YAML_FORM_HOST = 3,    /* numeric IP or host name */
    YAML_FORM_FOLDER = 4,  /* path of a folder, or empty */
    YAML_FORM_FILE = 5,    /* path of a file, or empty */
    YAML_FORM_TEXT = 6,    /* printable ASCII, or empty */
    YAML_FORM_COUNT = 7
};

struct yaml_rule {
    const char *path; /* "zones[].rect.width_m" */
    enum yaml_form form;
    int64_t min;
    uint64_t max;
    int64_t fallback;          /* of an optional integer */
    const char *text_fallback; /* of an optional string; NULL for an empty one */
};

struct yaml_rules {
    const struct yaml_rule *rules;
    size_t count;
};

/* yaml_check compares the tree `root` (NULL for an empty document) with the schema. On failure `*line` is where, `error` a
 * text like `zones[2].seed: expected ..., found "abc"`, the result MARCH_ERR_INVALID. */
must_check int yaml_check(const struct cyaml_schema_value *schema, const struct yaml_rules *rules,
                          const struct yaml_node *root, uint32_t *line, char *error, size_t error_size);

/* yaml_fill_missing gives every optional integer and string that the tree lacks its fallback, in `data` that libcyaml filled
 * by the same schema from the same text. */
void yaml_fill_missing(const struct cyaml_schema_value *schema, const struct yaml_rules *rules, const struct yaml_node *root,
                       void *data);

/* yaml_set sets the value of one key, as error lines call it ("waves[0].creatures"), from a text, as if that stood in the
 * file. On failure `error` is a text like those of yaml_check, the result MARCH_ERR_INVALID, and `data` as it was. */
must_check int yaml_set(const struct cyaml_schema_value *schema, const struct yaml_rules *rules, void *data, const char *key,
                        const char *text, char *error, size_t error_size);

#endif
