/* yaml_folder.h: a folder of YAML files, one named thing in each: all of them, or none.
 *
 * A thing is a plain struct that begins with its name, a string. Reading blocks.
 */
#ifndef MARCH_COMMON_YAML_FOLDER_H
#define MARCH_COMMON_YAML_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct yaml_folder {
    size_t size; /* of a thing */
    uint32_t files_max;
    int (*load)(const char *path, void *out, char *error, size_t error_size); /* 0, or an error with its line */
};

/* yaml_folder_load reads every *.yaml of a folder into `things`, files_max of them, by file name; names that begin with a
 * dot are left out. MARCH_ERR_INVALID for a bad file, a folder without one, or a name that two files have; MARCH_ERR_FULL
 * for more than files_max; MARCH_ERR_SYSTEM for a folder that can't be read; the errors of `load`, too. Then `things` has
 * what came before the error. */
must_check int yaml_folder_load(const struct yaml_folder *kind, const char *folder, void *things, uint32_t *count,
                                char *error, size_t error_size);

/* yaml_folder_find returns the thing of a name, NULL when there is none. */
const void *yaml_folder_find(const struct yaml_folder *kind, const void *things, uint32_t count, const char *name);

#endif
