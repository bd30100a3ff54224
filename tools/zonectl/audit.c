/* audit.c: zonectl audit. Each shard proves its own books; what crosses between shards is added up here. */
#include <argp.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/item_kinds.h"
#include "common/option.h"
#include "common/shard.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/shards.h"
#include "tools/zonectl/verb.h"

#define KINDS_MAX      256 /* of items, gold included */
#define CROSS_TRIES    20  /* shards are read one after the other while the world goes on */
#define CROSS_RETRY_MS 100

struct arguments {
    const char *run_dir;
    const char *what;
    uint64_t player; /* 0: the world */
    bool json;
};

static const struct argp_option OPTIONS[] = {
    {"json", 'j', NULL, 0, "Print an object, for programs", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};

static error_t parse_argument(struct arguments *a, char *arg, struct argp_state *state) {
    if (state->arg_num == 0)
        a->what = arg;
    else if (state->arg_num == 1 && strcmp(a->what, "player") == 0)
        a->player = option_number(state, "player", arg, 1, INT64_MAX);
    else
        argp_usage(state);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'j': a->json = true; return 0;
    case 'r': a->run_dir = arg; return 0;
    case ARGP_KEY_ARG: return parse_argument(a, arg, state);
    case ARGP_KEY_END:
        if (a->what == NULL || (strcmp(a->what, "world") != 0) == (a->player == 0)) argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "player N\nworld",
    "Rebuilds what a player has from the events and compares it with what is there, or proves for the whole world that what "
    "was "
    "created less what was destroyed is what exists, to the unit. Differences are listed."
    "\vExit codes: 0 the books hold, 1 they differ or can't be read, 2 wrong usage, 3 no cluster runs in the run directory, "
    "7 nothing is known of the player.",
    NULL,
    NULL,
    NULL};

/* --- what crosses between shards */

/* What has left shards less what has come to them, by kind. */
struct abroad {
    uint32_t count;
    json_int_t kinds[KINDS_MAX];
    json_int_t amounts[KINDS_MAX];
};

static void abroad_add(struct abroad *abroad, json_int_t kind, json_int_t amount) {
    uint32_t i = 0;
    while (i < abroad->count && abroad->kinds[i] != kind) i++;
    if (i == KINDS_MAX) return;
    if (i == abroad->count) {
        abroad->kinds[abroad->count] = kind;
        abroad->amounts[abroad->count++] = 0;
    }
    abroad->amounts[i] += amount;
}

static json_int_t integer(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static bool array_has(const json_t *array, json_int_t value) {
    for (size_t i = 0; i < json_array_size(array); i++)
        if (json_integer_value(json_array_get(array, i)) == value) return true;
    return false;
}

/* add_shard adds a shard's sums, and what it still holds of transfers that have arrived: it is about to leave. */
static void add_shard(struct abroad *abroad, const struct shards *shards, uint32_t index) {
    const json_t *kinds = json_object_get(shards->answers[index], "kinds");
    for (size_t i = 0; i < json_array_size(kinds); i++) {
        const json_t *kind = json_array_get(kinds, i);
        abroad_add(abroad, integer(kind, "kind"), integer(kind, "abroad"));
    }
    const json_t *open = json_object_get(shards->answers[index], "open");
    for (size_t i = 0; i < json_array_size(open); i++) {
        const json_t *transfer = json_array_get(open, i);
        json_int_t destination = integer(transfer, "shard");
        if (destination < 0 || destination >= shards->count) continue;
        if (array_has(json_object_get(shards->answers[destination], "applied"), integer(transfer, "transfer")))
            abroad_add(abroad, integer(transfer, "kind"), integer(transfer, "amount"));
    }
}

/* cross_differences returns a new list of {"kind", "amount"} that left somewhere and came nowhere, or the reverse. */
static json_t *cross_differences(const struct shards *shards) {
    struct abroad abroad = {0};
    json_t *list = json_array();
    for (uint32_t i = 0; i < shards->count; i++) add_shard(&abroad, shards, i);
    for (uint32_t i = 0; i < abroad.count; i++)
        if (abroad.amounts[i] != 0)
            json_array_append_new(list, json_pack("{s:I, s:I}", "kind", abroad.kinds[i], "amount", abroad.amounts[i]));
    return list;
}

/* --- telling */

static bool holds(const json_t *answer) {
    return json_is_true(json_object_get(answer, "holds"));
}

/* known tells whether there is anything of the player who was asked for. */
static bool known(const json_t *answer) {
    return !json_is_false(json_object_get(answer, "known"));
}

static const char *owner_text(json_int_t owner_kind) {
    static const char *const texts[] = {"nobody", "player", "guild", "auction", "transfer"};
    return owner_kind >= 0 && owner_kind < 5 ? texts[owner_kind] : "owner";
}

/* kind_text names a kind of item, gold included. */
static const char *kind_text(json_int_t kind) {
    const struct item_kind_info *info = kind > 0 && kind <= UINT32_MAX ? item_kind_find((uint32_t)kind) : NULL;
    return kind == ITEM_KIND_GOLD ? "gold" : info != NULL ? info->name : "unknown";
}

static void print_differences(const json_t *answer, const char *owner) {
    const json_t *list = json_object_get(answer, "differences");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *d = json_array_get(list, i);
        if (owner == NULL)
            printf("  %s %" JSON_INTEGER_FORMAT, owner_text(integer(d, "owner_kind")), integer(d, "owner"));
        else
            printf("  %s", owner);
        if (integer(d, "kind") == 0)
            printf(": gold");
        else
            printf(": item %" JSON_INTEGER_FORMAT " of kind %" JSON_INTEGER_FORMAT " (%s)", integer(d, "item"),
                   integer(d, "kind"), kind_text(integer(d, "kind")));
        printf(": %" JSON_INTEGER_FORMAT " by the events, %" JSON_INTEGER_FORMAT " there\n", integer(d, "expected"),
               integer(d, "found"));
    }
}

static void print_player(const json_t *answer) {
    if (!known(answer)) {
        printf("player %" JSON_INTEGER_FORMAT ": nothing is known of it\n", integer(answer, "player"));
        return;
    }
    printf("player %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT " items and %" JSON_INTEGER_FORMAT
           " gold, by %" JSON_INTEGER_FORMAT " entries of events: %s\n",
           integer(answer, "player"), integer(answer, "items"), integer(answer, "gold"), integer(answer, "entries"),
           holds(answer) ? "holds" : "DIFFERS");
    print_differences(answer, "player");
}

static void print_shard(const char *name, const json_t *answer) {
    const json_t *kinds = json_object_get(answer, "kinds");
    printf("%s: %s\n", name, holds(answer) ? "holds" : "DIFFERS");
    for (size_t i = 0; i < json_array_size(kinds); i++) {
        const json_t *kind = json_array_get(kinds, i);
        bool good =
            integer(kind, "created") - integer(kind, "destroyed") - integer(kind, "abroad") == integer(kind, "exists");
        printf("  kind %" JSON_INTEGER_FORMAT " (%s): created %" JSON_INTEGER_FORMAT ", destroyed %" JSON_INTEGER_FORMAT
               ", gone to other shards %" JSON_INTEGER_FORMAT ", exists %" JSON_INTEGER_FORMAT "%s\n",
               integer(kind, "kind"), kind_text(integer(kind, "kind")), integer(kind, "created"), integer(kind, "destroyed"),
               integer(kind, "abroad"), integer(kind, "exists"), good ? "" : ": DIFFERS");
    }
    print_differences(answer, NULL);
}

static void print_json(json_t *object) {
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

/* --- the two audits */

static int run_player(struct shards *shards, const struct arguments *a) {
    uint32_t shard = shard_of_player(a->player, shards->count);
    char path[64];
    snprintf(path, sizeof(path), "/v1/audit/players/%" PRIu64, a->player);
    int code = shards_ask(shards, a->run_dir, shard, path, NULL);
    if (code != EXIT_CODE_OK) return code;
    const json_t *answer = shards->answers[shard];
    if (a->json)
        print_json(json_deep_copy(answer));
    else
        print_player(answer);
    if (!known(answer)) return EXIT_CODE_UNKNOWN;
    return holds(answer) ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

/* ask_world asks until the shards' answers agree with each other, or it is clear that they don't. */
static int ask_world(struct shards *shards, const struct arguments *a, json_t **cross) {
    for (int i = 0; i < CROSS_TRIES; i++) {
        json_decref(*cross);
        *cross = NULL;
        int code = shards_ask(shards, a->run_dir, SHARDS_ALL, "/v1/audit/world", NULL);
        if (code != EXIT_CODE_OK) return code;
        *cross = cross_differences(shards);
        if (json_array_size(*cross) == 0) break;
        poll(NULL, 0, CROSS_RETRY_MS);
    }
    return EXIT_CODE_OK;
}

static int run_world(struct shards *shards, const struct arguments *a) {
    json_t *cross = NULL;
    int code = ask_world(shards, a, &cross);
    bool good = code == EXIT_CODE_OK && json_array_size(cross) == 0;
    json_t *list = json_array();
    for (uint32_t i = 0; i < shards->count && code == EXIT_CODE_OK; i++) {
        good = good && holds(shards->answers[i]);
        json_array_append(list, shards->answers[i]);
        if (!a->json) print_shard(shards->names[i], shards->answers[i]);
    }
    for (size_t i = 0; i < json_array_size(cross) && !a->json; i++)
        printf("between shards: kind %" JSON_INTEGER_FORMAT " (%s): %" JSON_INTEGER_FORMAT " left and did not arrive\n",
               integer(json_array_get(cross, i), "kind"), kind_text(integer(json_array_get(cross, i), "kind")),
               integer(json_array_get(cross, i), "amount"));
    if (a->json && code == EXIT_CODE_OK)
        print_json(json_pack("{s:b, s:O, s:O}", "holds", (int)good, "shards", list, "between", cross));
    else if (code == EXIT_CODE_OK)
        printf("the world %s\n", good ? "holds" : "DIFFERS");
    json_decref(list);
    json_decref(cross);
    return good ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

int verb_audit(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    struct shards shards;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    int code = shards_open(&shards, a.run_dir);
    if (code == EXIT_CODE_OK) code = a.player != 0 ? run_player(&shards, &a) : run_world(&shards, &a);
    shards_close(&shards);
    return code;
}
