/* world.c: see world.h. */
#include "tools/zonectl/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "schemas/cells.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"

#define NAMES_SIZE 128
#define ID_SIZE    24

/* --- asking */

int world_open(struct world *world, const char *run_dir) {
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    pid_t supervisor;
    *world = (struct world){.run_dir = run_dir};
    if (run_dir_supervisor(run_dir, &supervisor) != 0 || run_dir_path(path, run_dir, "cluster", ".yaml") != 0) {
        fprintf(stderr, "zonectl: no cluster runs in %s\n", run_dir);
        return EXIT_CODE_NO_CLUSTER;
    }
    if (config_load(path, &world->config, error, sizeof(error)) != 0) {
        fprintf(stderr, "zonectl: %s\n", error);
        return EXIT_CODE_FAILED;
    }
    if (!config_has_matchmaker(world->config)) {
        fprintf(stderr, "zonectl: the cluster in %s has no matchmaker: its zones keep what the configuration gives them\n",
                run_dir);
        return EXIT_CODE_FAILED;
    }
    world->scraper = scraper_create();
    if (world->scraper != NULL) return EXIT_CODE_OK;
    fprintf(stderr, "zonectl: cannot start the HTTP client\n");
    return EXIT_CODE_FAILED;
}

void world_close(struct world *world) {
    scraper_destroy(world->scraper);
    config_free(world->config);
    *world = (struct world){0};
}

static int read_address(const struct world *world, const char *name, char address[CONFIG_ADDRESS_SIZE]) {
    char path[PATH_MAX];
    char error[RUN_DIR_ERROR_SIZE];
    uint8_t *bytes;
    size_t len;
    if (run_dir_path(path, world->run_dir, name, ".http") != 0) return MARCH_ERR_INVALID;
    int result = file_read(path, CONFIG_ADDRESS_SIZE - 1, &bytes, &len, error, sizeof(error));
    if (result != 0) return result;
    snprintf(address, CONFIG_ADDRESS_SIZE, "%.*s", (int)strcspn((char *)bytes, "\n"), (char *)bytes);
    free(bytes);
    return 0;
}

/* take_answer waits for the one question that is under way. */
static long take_answer(struct world *world, json_t **answer, char *error) {
    struct scrape_result result;
    const char *name = world->config->matchmaker.name;
    const char *message = NULL;
    while (!scraper_next(world->scraper, &result)) scraper_wait(world->scraper, NULL, 0, WORLD_CHANGE_MS);
    *answer = result.http_status == 0 ? NULL : json_loadb(result.body, result.body_len, 0, NULL);
    if (result.http_status == 0)
        snprintf(error, WORLD_ERROR_SIZE, "%s does not answer", name);
    else if (json_unpack(*answer, "{s:{s:s}}", "error", "message", &message) == 0)
        snprintf(error, WORLD_ERROR_SIZE, "%s", message);
    else
        snprintf(error, WORLD_ERROR_SIZE, "%s answers with status %ld", name, result.http_status);
    return result.http_status == 200 && !json_is_object(*answer) ? 500 : result.http_status;
}

static bool find_matchmaker(const struct world *world, char address[CONFIG_ADDRESS_SIZE], json_t **answer, char *error) {
    *answer = NULL;
    snprintf(error, WORLD_ERROR_SIZE, "%s is not up", world->config->matchmaker.name);
    return read_address(world, world->config->matchmaker.name, address) == 0;
}

long world_try(struct world *world, const char *path, const char *body, json_t **answer, char *error) {
    char address[CONFIG_ADDRESS_SIZE];
    if (!find_matchmaker(world, address, answer, error)) return 0;
    int result = body == NULL ? scraper_get(world->scraper, address, path, WORLD_DEADLINE_MS, 0)
                              : scraper_put(world->scraper, address, path, body, WORLD_CHANGE_MS, 0);
    return result == 0 ? take_answer(world, answer, error) : 0;
}

char *world_metrics(struct world *world, const char *name) {
    char address[CONFIG_ADDRESS_SIZE];
    struct scrape_result result;
    if (read_address(world, name, address) != 0) return NULL;
    if (scraper_get(world->scraper, address, "/metrics", WORLD_DEADLINE_MS, 0) != 0) return NULL;
    while (!scraper_next(world->scraper, &result)) scraper_wait(world->scraper, NULL, 0, WORLD_DEADLINE_MS);
    return result.http_status == 200 ? strdup(result.body) : NULL;
}

static int tell_failure(json_t **answer, const char *error) {
    fprintf(stderr, "zonectl: %s\n", error);
    json_decref(*answer);
    *answer = NULL;
    return EXIT_CODE_FAILED;
}

int world_ask(struct world *world, const char *path, const char *body, json_t **answer) {
    char error[WORLD_ERROR_SIZE];
    return world_try(world, path, body, answer, error) == 200 ? EXIT_CODE_OK : tell_failure(answer, error);
}

int world_post(struct world *world, const char *path, const char *body, json_t **answer) {
    char address[CONFIG_ADDRESS_SIZE], error[WORLD_ERROR_SIZE];
    long status = 0;
    if (find_matchmaker(world, address, answer, error) &&
        scraper_post(world->scraper, address, path, body, WORLD_CHANGE_MS, 0) == 0)
        status = take_answer(world, answer, error);
    return status == 201 ? EXIT_CODE_OK : tell_failure(answer, error);
}

static bool is_name(const char *text) {
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return len > 0 && len < CONFIG_NAME_SIZE && text[len] == '\0';
}

int world_path(char *path, size_t size, const char *verb, const char *first, const char *second) {
    if (!is_name(first) || (second != NULL && !is_name(second))) return MARCH_ERR_INVALID;
    int len = snprintf(path, size, "/v1/%s/%s%s%s", verb, first, second == NULL ? "" : "/", second == NULL ? "" : second);
    return len > 0 && (size_t)len < size ? 0 : MARCH_ERR_INVALID;
}

/* --- reading */

json_t *world_find(const json_t *status, const char *list, const char *name) {
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(status, list), i,
                       entry) if (strcmp(world_text(entry, "name"), name) == 0) return entry;
    return NULL;
}

uint64_t world_count(const json_t *object, const char *key) {
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value < 0 ? 0 : (uint64_t)value;
}

const char *world_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

/* --- telling */

static const char *or_none(const char *text) {
    return *text == '\0' ? "-" : text;
}

/* id_text is what a partition is called: its number, or "block-0". */
static const char *id_text(uint64_t id, char out[ID_SIZE]) {
    bool is_block = id <= UINT32_MAX && cells_is_block((uint32_t)id);
    snprintf(out, ID_SIZE, "%s%" PRIu64, is_block ? "block-" : "", is_block ? id & ~(uint64_t)CELLS_BLOCK_BIT : id);
    return out;
}

static const char *list_ids(const json_t *ids, char out[NAMES_SIZE]) {
    size_t i, len = 0;
    json_t *id;
    out[0] = '\0';
    json_array_foreach(ids, i, id) {
        char text[ID_SIZE];
        int added = snprintf(out + len, NAMES_SIZE - len, "%s%s", i == 0 ? "" : ",",
                             id_text((uint64_t)json_integer_value(id), text));
        if (added < 0 || (size_t)added >= NAMES_SIZE - len) break;
        len += (size_t)added;
    }
    return or_none(out);
}

/* what_happens says in a word what a partition waits for. */
static const char *what_happens(const json_t *partition) {
    if (json_array_size(json_object_get(partition, "awaits_fence_of")) > 0) return "waits until who had it is fenced";
    if (*world_text(partition, "owner") == '\0') return "waits for a spare";
    if (json_is_integer(json_object_get(partition, "merging_into"))) return "is merged";
    return *world_text(partition, "former") == '\0' ? "" : "is handed over";
}

static void print_partitions(const json_t *status, FILE *out) {
    size_t i;
    json_t *p;
    fprintf(out, "%-9s %-14s %-14s %8s %8s %-22s %14s  %s\n", "partition", "owner", "former", "players", "creatures",
            "metres", "epoch", "");
    json_array_foreach(json_object_get(status, "partitions"), i, p) {
        char metres[48], id[ID_SIZE];
        const json_t *rect = json_object_get(p, "rect");
        snprintf(metres, sizeof(metres), "%" PRId64 ",%" PRId64 " %" PRIu64 "x%" PRIu64,
                 (int64_t)json_integer_value(json_object_get(rect, "x_m")),
                 (int64_t)json_integer_value(json_object_get(rect, "y_m")), world_count(rect, "width_m"),
                 world_count(rect, "height_m"));
        fprintf(out, "%-9s %-14.14s %-14.14s %8" PRIu64 " %8" PRIu64 " %-22s %14" PRIu64 "  %s\n",
                id_text(world_count(p, "id"), id), or_none(world_text(p, "owner")), or_none(world_text(p, "former")),
                world_count(p, "players"), world_count(p, "creatures"), metres, world_count(p, "epoch"), what_happens(p));
    }
}

static void print_workers(const json_t *status, FILE *out) {
    size_t i;
    json_t *w;
    fprintf(out, "%-14s %-8s %8s %9s %-12s %-12s\n", "zone", "state", "players", "busy", "partitions", "leaving");
    json_array_foreach(json_object_get(status, "workers"), i, w) {
        char own[NAMES_SIZE], leaving[NAMES_SIZE];
        const json_t *left = json_object_get(w, "left");
        fprintf(out, "%-14.14s %-8s %8" PRIu64 " %6.2f ms %-12s %-12s", world_text(w, "name"), world_text(w, "state"),
                world_count(w, "players"), (double)world_count(w, "busy_us") / 1e3,
                list_ids(json_object_get(w, "partitions"), own), list_ids(json_object_get(w, "leaving"), leaving));
        if (json_is_true(json_object_get(w, "draining")))
            fprintf(out, " draining: %" PRIu64 " players, %" PRIu64 " creatures, %" PRIu64 " under way",
                    world_count(left, "players"), world_count(left, "creatures"), world_count(left, "in_flight"));
        if (json_is_true(json_object_get(w, "unfenced"))) fprintf(out, " its last process is not fenced yet");
        fputc('\n', out);
    }
}

static void print_gateways(const json_t *status, FILE *out) {
    size_t i;
    json_t *g;
    json_array_foreach(json_object_get(status, "gateways"), i, g) if (strcmp(world_text(g, "state"), "up") != 0) fprintf(
        out, "%s is %s: %" PRIu64 " sessions\n", world_text(g, "name"), world_text(g, "state"), world_count(g, "sessions"));
}

void world_print(const json_t *status, FILE *out) {
    print_partitions(status, out);
    print_workers(status, out);
    print_gateways(status, out);
    const char *state = world_text(status, "state");
    fprintf(out, "directory %" PRIu64 "%s\n", world_count(status, "version"),
            strcmp(state, "running") == 0   ? ""
            : strcmp(state, "fencing") == 0 ? ": the matchmaker waits for persists to fence"
                                            : ": the matchmaker waits for zones to report");
}
