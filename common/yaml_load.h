/* yaml_load.h: a YAML text as a struct, or one line that says what is wrong with it.
 *
 * Four steps: the text becomes a tree that knows its lines (yaml_tree), the tree is checked against a schema and rules
 * (yaml_check), libcyaml fills the structs, and a function of the format's own checks relations between values.
 */
#ifndef MARCH_COMMON_YAML_LOAD_H
#define MARCH_COMMON_YAML_LOAD_H

#include <cyaml/cyaml.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/yaml_check.h"
#include "common/yaml_tree.h"

#define YAML_ERROR_SIZE 512 /* enough for any error line of a path of usual length */

/* What the relations of a format are checked on; yaml_relations_fail sets the rest. */
struct yaml_relations {
    const void *data;
    const struct yaml_node *root;
    uint32_t line;
    char message[YAML_ERROR_SIZE];
};

/* A kind of file. */
struct yaml_format {
    const struct cyaml_schema_value *schema; /* of a pointer to a mapping */
    struct yaml_rules rules;
    size_t bytes_max;
    int (*check)(struct yaml_relations *relations); /* 0, or what yaml_relations_fail returned */
};

/* yaml_relations_fail notes what is wrong, at a node (the first line for NULL); returns MARCH_ERR_INVALID. */
__attribute__((format(printf, 3, 4))) int yaml_relations_fail(struct yaml_relations *relations, const struct yaml_node *node,
                                                              const char *format, ...);

/* yaml_load makes the struct of a text; the caller frees it with yaml_unload. `path` is only for the error line, "PATH:LINE:
 * KEY: what was expected, what was found". MARCH_ERR_INVALID when something is wrong; `*out` is NULL then. */
must_check int yaml_load(const struct yaml_format *format, const char *path, const char *bytes, size_t len, void **out,
                         char *error, size_t error_size);

/* yaml_load_file is yaml_load of a file; the errors of file_read, too. */
must_check int yaml_load_file(const struct yaml_format *format, const char *path, void **out, char *error,
                              size_t error_size);

/* yaml_change sets the value of one key of a struct, as yaml_set, and checks all relations anew, as if the text stood in the
 * file. MARCH_ERR_INVALID when something is wrong: "KEY: what was expected, what was found"; the struct is to be thrown away
 * then. */
must_check int yaml_change(const struct yaml_format *format, void *data, const char *key, const char *text, char *error,
                           size_t error_size);

/* yaml_unload frees a struct; NULL is fine. */
void yaml_unload(const struct yaml_format *format, void *data);

#endif
