/* yaml_folder.c: see yaml_folder.h. */
#include "common/yaml_folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_wanted(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".yaml") == 0;
}

/* by_bytes sorts names the same in every locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* add_file loads one more file. */
static int add_file(const struct yaml_folder *kind, const char *folder, const char *file, void *things, uint32_t *count,
                    char *error, size_t error_size) {
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file) >= sizeof path) {
        snprintf(error, error_size, "%s: path too long", folder);
        return MARCH_ERR_INVALID;
    }
    const char *name = (char *)things + *count * kind->size;
    int result = kind->load(path, (char *)things + *count * kind->size, error, error_size);
    if (result != 0) return result;
    if (yaml_folder_find(kind, things, *count, name)) {
        snprintf(error, error_size, "%s: name: expected a name used once, found \"%s\" again", path, name);
        return MARCH_ERR_INVALID;
    }
    ++*count;
    return 0;
}

static int check_count(const struct yaml_folder *kind, const char *folder, int count, char *error, size_t error_size) {
    if (count == 0) {
        snprintf(error, error_size, "%s: expected at least one file *.yaml, found none", folder);
        return MARCH_ERR_INVALID;
    }
    if ((uint32_t)count > kind->files_max) {
        snprintf(error, error_size, "%s: expected at most %u files *.yaml, found %d", folder, kind->files_max, count);
        return MARCH_ERR_FULL;
    }
    return 0;
}

int yaml_folder_load(const struct yaml_folder *kind, const char *folder, void *things, uint32_t *count, char *error,
                     size_t error_size) {
    struct dirent **files = NULL;
    int found = scandir(folder, &files, is_wanted, by_bytes);
    *count = 0;
    if (found < 0) {
        snprintf(error, error_size, "%s: cannot read: %s", folder, strerror(errno));
        return MARCH_ERR_SYSTEM;
    }
    int result = check_count(kind, folder, found, error, error_size);
    for (int i = 0; result == 0 && i < found; i++)
        result = add_file(kind, folder, files[i]->d_name, things, count, error, error_size);
    for (int i = 0; i < found; i++) free(files[i]);
    free(files);
    return result;
}

const void *yaml_folder_find(const struct yaml_folder *kind, const void *things, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        const char *thing = (const char *)things + i * kind->size;
        if (strcmp(thing, name) == 0) return thing;
    }
    return NULL;
}
