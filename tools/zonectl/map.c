/* map.c: zonectl map pack, zonectl map show. Makes map files, and tells what is in them. Needs no cluster. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/map_pack.h"
#include "tools/zonectl/map_source.h"
#include "tools/zonectl/map_view.h"
#include "tools/zonectl/verb.h"

struct arguments {
    const char *words[3]; /* the command and its files */
    unsigned count;
    bool json;
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {0},
};

static bool is_pack(const struct arguments *a) {
    return a->count == 3 && strcmp(a->words[0], "pack") == 0;
}

static bool is_show(const struct arguments *a) {
    return a->count == 2 && strcmp(a->words[0], "show") == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case ARGP_KEY_ARG:
        if (a->count == 3) argp_usage(state);
        a->words[a->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!is_pack(a) && !is_show(a)) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "pack IN OUT\nshow FILE",
    "Makes a map file, which `world.map` of a configuration names, of a list of boxes in YAML or JSON (deploy/maps has an "
    "example); or reads one, checks all of it, and tells what is in it: bounds, chunks, boxes, the hash that names the map."
    "\vExit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.",
    NULL,
    NULL,
    NULL};

static int pack(const char *in, const char *out, char error[MAP_VIEW_ERROR_SIZE]) {
    struct map_box *boxes;
    uint32_t count;
    uint8_t *bytes;
    size_t len;
    char reason[256];
    int result = map_source_read(in, &boxes, &count, error, MAP_VIEW_ERROR_SIZE);
    if (result != 0) return result;
    result = map_pack(boxes, count, &bytes, &len, reason, sizeof reason);
    free(boxes);
    if (result != 0) {
        snprintf(error, MAP_VIEW_ERROR_SIZE, "%.4096s: %s", in, reason);
        return result;
    }
    result = file_write(out, bytes, len, 0644, error, MAP_VIEW_ERROR_SIZE);
    free(bytes);
    return result;
}

static void print_range(const json_t *bounds, const char *axis) {
    const json_t *range = json_object_get(bounds, axis);
    printf("  %c %g to %g m", axis[0], json_real_value(json_array_get(range, 0)), json_real_value(json_array_get(range, 1)));
}

static void print(const json_t *map, const struct map_overview *overview, bool is_long) {
    const json_t *bounds = json_object_get(map, "bounds");
    printf("%s: %" JSON_INTEGER_FORMAT " boxes in %" JSON_INTEGER_FORMAT " chunks of %" JSON_INTEGER_FORMAT
           " m, %" JSON_INTEGER_FORMAT " bytes, hash %s\n",
           json_string_value(json_object_get(map, "file")), json_integer_value(json_object_get(map, "boxes")),
           json_integer_value(json_object_get(map, "chunks")), json_integer_value(json_object_get(map, "chunk_m")),
           json_integer_value(json_object_get(map, "bytes")), json_string_value(json_object_get(map, "hash")));
    if (!is_long || overview->rows == 0) return;
    print_range(bounds, "x_m");
    print_range(bounds, "y_m");
    print_range(bounds, "z_m");
    printf("; at most %" JSON_INTEGER_FORMAT " boxes in a chunk\n", json_integer_value(json_object_get(map, "fullest")));
    printf("  a letter is %u m; below on the left is x %g m, y %g m\n\n", overview->chunks * MAP_CHUNK_M, overview->x_min_m,
           overview->y_min_m);
    for (unsigned row = 0; row < overview->rows; row++) printf("  %s\n", overview->letters[row]);
}

int verb_map(int argc, char **argv) {
    struct arguments a = {.count = 0};
    struct map_overview overview;
    char error[MAP_VIEW_ERROR_SIZE];
    json_t *map = NULL;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    int result = is_pack(&a) ? pack(a.words[1], a.words[2], error) : 0;
    if (result == 0) map = map_view(a.words[a.count - 1], &overview, error);
    if (map == NULL) {
        fprintf(stderr, "zonectl: %s\n", error);
        return EXIT_CODE_FAILED;
    }
    if (a.json) {
        json_dumpf(map, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
    } else {
        print(map, &overview, is_show(&a));
    }
    json_decref(map);
    return EXIT_CODE_OK;
}
