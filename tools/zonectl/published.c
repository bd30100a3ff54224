/* published.c: see published.h. */
#include "tools/zonectl/published.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "tools/zonectl/verb.h"

#define JSON_BYTES_MAX (1u << 20)
#define TRIES          10 /* the supervisor publishes right after it has started */
#define RETRY_MS       50

static int read_file(struct cluster_status *status, const char *run_dir, char error[RUN_DIR_ERROR_SIZE]) {
    char path[PATH_MAX];
    uint8_t *bytes;
    size_t len;
    if (run_dir_path(path, run_dir, "cluster", ".json") != 0) return MARCH_ERR_INVALID;
    int result = file_read(path, JSON_BYTES_MAX, &bytes, &len, error, RUN_DIR_ERROR_SIZE);
    if (result != 0) return result;
    json_t *json = json_loadb((const char *)bytes, len, 0, NULL);
    result = json == NULL ? MARCH_ERR_INVALID : cluster_status_parse(status, json);
    if (result != 0) snprintf(error, RUN_DIR_ERROR_SIZE, "%s: not what this zonectl's supervisor writes", path);
    json_decref(json);
    free(bytes);
    return result;
}

int published_read(struct cluster_status *status, const char *run_dir, char error[RUN_DIR_ERROR_SIZE]) {
    pid_t supervisor;
    int result = MARCH_ERR_NOT_FOUND;
    for (int i = 0; i < TRIES && result == MARCH_ERR_NOT_FOUND; i++) {
        if (i > 0) poll(NULL, 0, RETRY_MS);
        if (run_dir_supervisor(run_dir, &supervisor) != 0) {
            snprintf(error, RUN_DIR_ERROR_SIZE, "no cluster runs in %.*s", PATH_MAX, run_dir);
            return EXIT_CODE_NO_CLUSTER;
        }
        result = read_file(status, run_dir, error);
    }
    return result == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

const struct process_status *published_find(const struct cluster_status *status, const char *name) {
    for (uint32_t i = 0; i < status->count; i++)
        if (strcmp(status->processes[i].name, name) == 0) return &status->processes[i];
    return NULL;
}
