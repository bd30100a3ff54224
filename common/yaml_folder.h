/* yaml_folder.h: a folder of YAML files, one named thing in each: all of them, or none.
 *
 * A thing is a plain struct that begins with its name, a string. Reading blocks.
 */
#ifndef MARCH_COMMON_YAML_FOLDER_H
#define MARCH_COMMON_YAML_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* The *.yaml files of a folder by name; names that begin with a dot are left out. */
struct yaml_files {
    char **paths; /* FOLDER/FILE */
    uint32_t count;
};

/* yaml_files_list lists them; yaml_files_free frees the list. MARCH_ERR_INVALID for a folder without one, MARCH_ERR_FULL for
 * more than `max`, MARCH_ERR_SYSTEM for a folder that can't be read; `error` has a line then, and the list is empty. */
must_check int yaml_files_list(const char *folder, uint32_t max, struct yaml_files *out, char *error, size_t error_size);
void yaml_files_free(struct yaml_files *files);

struct yaml_folder {
    size_t size; /* of a thing */
    uint32_t files_max;
    int (*load)(const char *path, void *out, char *error, size_t error_size); /* 0, or an error with its line */
};

/* yaml_folder_load reads every file of a folder into `things`, which has room for files_max. The errors of yaml_files_list
 * and of `load`; MARCH_ERR_INVALID for a name that two files have. Then `things` has what came before the error. */
must_check int yaml_folder_load(const struct yaml_folder *kind, const char *folder, void *things, uint32_t *count,
                                char *error, size_t error_size);

/* yaml_folder_find returns the thing of a name, NULL when there is none. */
const void *yaml_folder_find(const struct yaml_folder *kind, const void *things, uint32_t count, const char *name);

#endif
