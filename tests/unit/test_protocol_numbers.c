/* test_protocol_numbers.c: the numbers that schemas/PROTOCOL.md tells outside of its examples are those of the code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/channel.h"
#include "common/config.h"
#include "common/netcode_token.h"
#include "gateway/netcode_server.h"
#include "tests/unit/protocol_doc.h"
#include "zone/game_rules.h"

__attribute__((format(printf, 1, 2))) static void expect_line(const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!protocol_doc_has(text)) fail_msg("no line of %s begins with: %s", PROTOCOL_DOC_PATH, text);
}

static void test_protocol_numbers_of_the_game_are_as_documented(void **state) {
    (void)state;
    expect_line("| kind | %d player, %d creature |\n", GAME_KIND_PLAYER, GAME_KIND_CREATURE);
    expect_line("| action | %d none, %d strikes, %d shoots, %d dead |\n", GAME_ACTION_NONE, GAME_ACTION_STRIKE,
                GAME_ACTION_SHOOT, GAME_ACTION_DEAD);
    expect_line("An action is shown for %d ticks", ACTION_TICKS);
    assert_int_equal(GAME_BUTTON_STRIKE, 1 << 0);
    assert_int_equal(GAME_BUTTON_SHOOT, 1 << 1);
    expect_line("| buttons | 8 | bit 0 strike, bit 1 shoot;");
}

/* The limits are told as the configuration has them where nothing is written. */
static void test_protocol_limits_are_as_documented(void **state) {
    (void)state;
    static const char text[] = "cluster: {protocol_id: 1}\ngateways: [{name: g, listen: ['127.0.0.1:0']}]\n"
                               "zones: [{name: z, rect: {x_m: 0, y_m: 0, width_m: 9, height_m: 9}}]\n";
    struct config *config;
    char error[CONFIG_ERROR_SIZE];
    if (config_parse("c.yaml", text, strlen(text), &config, error, sizeof error) != 0) fail_msg("%s", error);
    const struct config_limits *l = &config->limits;
    struct netcode_server_config netcode;
    netcode_server_config_default(&netcode);
    expect_line("| life of a connect token | expiry − creation is the cluster's `connect_token_max_s`, %u by default",
                l->connect_token_max_s);
    assert_int_equal(NETCODE_TOKEN_SLACK_S, 1);
    expect_line("| time-out in the token | at most %u s; 0 and less mean %u s |", l->client_timeout_s, l->client_timeout_s);
    expect_line("| payloads from a client | %u a second, %u at once", l->player_packets_per_s, l->player_burst);
    expect_line("| packets without a session | %u a second and %u at once from a /24 (IPv4) or /48 (IPv6), %u a second",
                l->prefix_packets_per_s, l->prefix_burst, netcode.limits.strangers_per_s);
    expect_line("| packets from a session's address that do not open | %u a second, %u at once", netcode.forged_per_s,
                netcode.forged_burst);
    expect_line("| under way | %d fragments |", CHANNEL_WINDOW);
    config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocol_numbers_of_the_game_are_as_documented),
        cmocka_unit_test(test_protocol_limits_are_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
