/* token.c: zonectl token. Mints a connect token for a player and prints it in base64. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "common/access.h"
#include "common/clock.h"
#include "common/option.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"

#define MINT_WAIT_MS 10
#define BASE64_SIZE  sodium_base64_ENCODED_LEN(NETCODE_TOKEN_BYTES, sodium_base64_VARIANT_ORIGINAL)

struct arguments {
    const char *run_dir;
    const char *gateway; /* NULL: the first that has an address */
    uint64_t player;     /* 0: not given */
    uint64_t ttl_s;      /* 0: the cluster's */
    bool json;
};

static const struct argp_option OPTIONS[] = {
    {"player", 'p', "N", 0, "The player's number, 1 to 2^63 - 1 (required)", 0},
    {"ttl", 't', "S", 0,
     "Lifetime in seconds [the configuration's limits.connect_token_max_s]. Gateways count on exactly that lifetime: a "
     "token "
     "with a shorter one may be taken for one from before their start",
     0},
    {"gateway", 'g', "NAME", 0, "Gateway to connect to [the first]", 0},
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {"json", 'j', NULL, 0, "Print an object with the token and what it holds", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'p': a->player = option_number(state, "--player", arg, 1, INT64_MAX); return 0;
    case 't': a->ttl_s = option_number(state, "--ttl", arg, 1, 3600); return 0;
    case 'g': a->gateway = arg; return 0;
    case 'r': a->run_dir = arg; return 0;
    case 'j': a->json = true; return 0;
    case ARGP_KEY_END:
        if (a->player == 0) argp_error(state, "--player is required");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {
    OPTIONS, parse, NULL, "Mints a connect token for a player and prints its 2,048 bytes in base64.\v" VERB_EXIT_CODES,
    NULL,    NULL,  NULL};

static int find_gateway(const struct access *access, const char *name) {
    if (name != NULL) return access_gateway_find(access, name);
    for (uint32_t i = 0; i < access->gateway_count; i++)
        if (access->gateways[i].count > 0) return (int)i;
    return MARCH_ERR_NOT_FOUND;
}

static void print_json(const struct arguments *a, const struct access_gateway *gateway, uint64_t now_s, const char *token) {
    json_t *addresses = json_array();
    for (uint32_t i = 0; i < gateway->count; i++)
        json_array_append_new(addresses, json_string(addr_format(&gateway->addresses[i], (char[ADDR_TEXT_MAX]){0})));
    char player[24];
    snprintf(player, sizeof(player), "%" PRIu64, a->player);
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:I, s:I, s:s}", "player", player, "gateway", gateway->name, "addresses", addresses,
                  "create_s", (json_int_t)now_s, "expire_s", (json_int_t)(now_s + a->ttl_s), "token", token);
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

int verb_token(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT};
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    static struct access access;
    char error[ACCESS_ERROR_SIZE];
    int result = access_open(&access, a.run_dir, error, sizeof(error));
    if (result != 0) {
        fprintf(stderr, "zonectl: %s\n", error);
        return result == MARCH_ERR_NOT_FOUND ? EXIT_CODE_NO_CLUSTER : EXIT_CODE_FAILED;
    }
    int gateway = find_gateway(&access, a.gateway);
    if (gateway < 0) {
        fprintf(stderr, "zonectl: gateway %s has no address in %s\n", a.gateway, a.run_dir);
        return EXIT_CODE_FAILED;
    }
    if (a.ttl_s == 0) a.ttl_s = access.token_lifetime_s;
    uint8_t token[NETCODE_TOKEN_BYTES];
    char base64[BASE64_SIZE];
    uint64_t now_s = wall_now_s();
    for (; now_s < access.mint_from_s; now_s = wall_now_s()) poll(NULL, 0, MINT_WAIT_MS); /* 2 s at most */
    if (sodium_init() < 0 ||
        access_mint(&access, token, a.player, (uint32_t)gateway, ADDR_NONE, now_s, (uint32_t)a.ttl_s) != 0) {
        fprintf(stderr, "zonectl: cannot mint a token\n");
        return EXIT_CODE_FAILED;
    }
    sodium_bin2base64(base64, sizeof(base64), token, sizeof(token), sodium_base64_VARIANT_ORIGINAL);
    if (a.json)
        print_json(&a, &access.gateways[gateway], now_s, base64);
    else
        puts(base64);
    sodium_memzero(&access, sizeof(access));
    return fflush(stdout) == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}
