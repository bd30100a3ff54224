/* shards.c: see shards.h. */
#include "tools/zonectl/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/scrape.h"
#include "tools/zonectl/verb.h"

#define WAIT_MS 1000

int shards_open(struct shards *shards, const char *run_dir) {
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    pid_t supervisor;
    *shards = (struct shards){0};
    if (run_dir_supervisor(run_dir, &supervisor) != 0 || run_dir_path(path, run_dir, "cluster", ".yaml") != 0) {
        fprintf(stderr, "zonectl: no cluster runs in %s\n", run_dir);
        return EXIT_CODE_NO_CLUSTER;
    }
    if (config_load(path, &shards->config, error, sizeof(error)) != 0) {
        fprintf(stderr, "zonectl: %s\n", error);
        return EXIT_CODE_FAILED;
    }
    shards->count = shards->config->persists_count;
    for (uint32_t i = 0; i < shards->count; i++) shards->names[i] = shards->config->persists[i].name;
    if (shards->count > 0) return EXIT_CODE_OK;
    fprintf(stderr, "zonectl: the cluster in %s has no persists\n", run_dir);
    return EXIT_CODE_FAILED;
}

static void forget_answers(struct shards *shards) {
    for (uint32_t i = 0; i < shards->count; i++) {
        json_decref(shards->answers[i]);
        shards->answers[i] = NULL;
    }
}

void shards_close(struct shards *shards) {
    forget_answers(shards);
    config_free(shards->config);
    *shards = (struct shards){0};
}

/* ask_one starts a request; false when the persist has no address yet. */
static bool ask_one(const struct shards *shards, struct scraper *scraper, const char *run_dir, uint32_t index,
                    const char *path, const char *body) {
    char file[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    uint8_t *bytes;
    size_t len;
    if (run_dir_path(file, run_dir, shards->names[index], ".http") != 0) return false;
    if (file_read(file, CONFIG_ADDRESS_SIZE - 1, &bytes, &len, error, sizeof(error)) != 0) return false;
    bytes[strcspn((char *)bytes, "\n")] = '\0';
    int result = body == NULL ? scraper_get(scraper, (char *)bytes, path, SHARDS_DEADLINE_MS, index)
                              : scraper_put(scraper, (char *)bytes, path, body, SHARDS_DEADLINE_MS, index);
    free(bytes);
    return result == 0;
}

/* tell_failure tells why a persist did not answer as it should, in its own words where it has some. */
static void tell_failure(const char *name, const struct scrape_result *answer) {
    json_t *json = json_loadb(answer->body, answer->body_len, 0, NULL);
    const char *message = NULL;
    if (answer->http_status == 0)
        fprintf(stderr, "zonectl: %s does not answer\n", name);
    else if (json_unpack(json, "{s:{s:s}}", "error", "message", &message) == 0)
        fprintf(stderr, "zonectl: %s: %s\n", name, message);
    else
        fprintf(stderr, "zonectl: %s answers with status %ld\n", name, answer->http_status);
    json_decref(json);
}

static int take_answers(struct shards *shards, struct scraper *scraper) {
    struct scrape_result answer;
    int code = EXIT_CODE_OK;
    while (scraper_next(scraper, &answer)) {
        json_t *json = answer.http_status == 200 ? json_loadb(answer.body, answer.body_len, 0, NULL) : NULL;
        if (json_is_object(json)) {
            shards->answers[answer.tag] = json;
            continue;
        }
        json_decref(json);
        tell_failure(shards->names[answer.tag], &answer);
        code = EXIT_CODE_FAILED;
    }
    return code;
}

int shards_ask(struct shards *shards, const char *run_dir, uint32_t which, const char *path, const char *body) {
    int code = EXIT_CODE_OK;
    struct scraper *scraper = scraper_create();
    if (scraper == NULL) {
        fprintf(stderr, "zonectl: cannot start the HTTP client\n");
        return EXIT_CODE_FAILED;
    }
    forget_answers(shards);
    for (uint32_t i = 0; i < shards->count; i++) {
        if ((which != SHARDS_ALL && which != i) || ask_one(shards, scraper, run_dir, i, path, body)) continue;
        fprintf(stderr, "zonectl: %s is not up\n", shards->names[i]);
        code = EXIT_CODE_FAILED;
    }
    do {
        if (take_answers(shards, scraper) != EXIT_CODE_OK) code = EXIT_CODE_FAILED;
        if (scraper_busy(scraper)) scraper_wait(scraper, NULL, 0, WAIT_MS);
    } while (scraper_busy(scraper));
    if (take_answers(shards, scraper) != EXIT_CODE_OK) code = EXIT_CODE_FAILED;
    scraper_destroy(scraper);
    return code;
}
