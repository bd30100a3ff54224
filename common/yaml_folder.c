/* yaml_folder.c: see yaml_folder.h. */
#include "common/yaml_folder.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
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

static int check_count(const char *folder, int count, uint32_t max, char *error, size_t error_size) {
    if (count == 0) {
        snprintf(error, error_size, "%s: expected at least one file *.yaml, found none", folder);
        return MARCH_ERR_INVALID;
    }
    if ((uint32_t)count > max) {
        snprintf(error, error_size, "%s: expected at most %" PRIu32 " files *.yaml, found %d", folder, max, count);
        return MARCH_ERR_FULL;
    }
    return 0;
}

static int take_paths(const char *folder, struct dirent **entries, uint32_t count, struct yaml_files *out, char *error,
                      size_t error_size) {
    out->paths = calloc(count, sizeof *out->paths);
    while (out->paths && out->count < count &&
           asprintf(&out->paths[out->count], "%s/%s", folder, entries[out->count]->d_name) >= 0)
        out->count++;
    if (out->count == count) return 0;
    snprintf(error, error_size, "%s: out of memory", folder);
    return MARCH_ERR_SYSTEM;
}

int yaml_files_list(const char *folder, uint32_t max, struct yaml_files *out, char *error, size_t error_size) {
    struct dirent **entries = NULL;
    *out = (struct yaml_files){.count = 0};
    int count = scandir(folder, &entries, is_wanted, by_bytes);
    if (count < 0) {
        snprintf(error, error_size, "%s: cannot read: %s", folder, strerror(errno));
        return MARCH_ERR_SYSTEM;
    }
    int result = check_count(folder, count, max, error, error_size);
    if (result == 0) result = take_paths(folder, entries, (uint32_t)count, out, error, error_size);
    if (result != 0) yaml_files_free(out);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    return result;
}

void yaml_files_free(struct yaml_files *files) {
    for (uint32_t i = 0; i < files->count; i++) free(files->paths[i]);
    free(files->paths);
    *files = (struct yaml_files){.count = 0};
}

/* add_file loads one more file. */
static int add_file(const struct yaml_folder *kind, const char *path, void *things, uint32_t *count, char *error,
                    size_t error_size) {
    char *thing = (char *)things + *count * kind->size;
    int result = kind->load(path, thing, error, error_size);
    if (result != 0) return result;
    if (yaml_folder_find(kind, things, *count, thing)) {
        snprintf(error, error_size, "%s: name: expected a name used once, found \"%s\" again", path, thing);
        return MARCH_ERR_INVALID;
    }
    ++*count;
    return 0;
}

int yaml_folder_load(const struct yaml_folder *kind, const char *folder, void *things, uint32_t *count, char *error,
                     size_t error_size) {
    struct yaml_files files;
    *count = 0;
    int result = yaml_files_list(folder, kind->files_max, &files, error, error_size);
    for (uint32_t i = 0; result == 0 && i < files.count; i++)
        result = add_file(kind, files.paths[i], things, count, error, error_size);
    yaml_files_free(&files);
    return result;
}

const void *yaml_folder_find(const struct yaml_folder *kind, const void *things, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        const char *thing = (const char *)things + i * kind->size;
        if (strcmp(thing, name) == 0) return thing;
    }
    return NULL;
}
