/* front_fixture.h: a run directory with a connect key and gateways' addresses, and an atlas in which they are up. */
#ifndef MARCH_TESTS_FRONT_FIXTURE_H
#define MARCH_TESTS_FRONT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/netcode_token.h"
#include "matchmaker/atlas.h"

#define FRONT_GATEWAYS   3
#define FRONT_PROTOCOL   7
#define FRONT_LIFETIME_S 30

/* The last gateway is of another machine. */
#define FRONT_CONFIG                                                                                                        \
    "cluster: {protocol_id: 7}\n"                                                                                           \
    "gateways:\n"                                                                                                           \
    "  - {name: gateway-0, listen: [\"127.0.0.1:0\"], max_clients: 100}\n"                                                  \
    "  - {name: gateway-1, listen: [\"127.0.0.1:0\"], max_clients: 100, region: east}\n"                                    \
    "  - {name: gateway-2, listen: [\"0.0.0.0:4000\"], public: [\"203.0.113.2:4000\"], max_clients: 100}\n"                 \
    "zones: [{name: zone-0, rect: {x_m: 0, y_m: 0, width_m: 512, height_m: 512}}]\n"

struct front_fixture {
    char run_dir[64], config_path[80];
    struct config *config;
    struct atlas *atlas;
    uint8_t key[FILE_KEY_BYTES];
};

static inline void front_fixture_write(const struct front_fixture *f, const char *name, const void *bytes, size_t len) {
    char path[128], error[256];
    snprintf(path, sizeof path, "%s/%s", f->run_dir, name);
    if (file_write(path, bytes, len, 0600, error, sizeof error) != 0) fail_msg("%s", error);
}

/* front_fixture_publish writes a gateway's addresses as of `at_s`, Unix time. */
static inline void front_fixture_publish(const struct front_fixture *f, const char *name, const char *lines, uint64_t at_s) {
    char path[128];
    front_fixture_write(f, name, lines, strlen(lines));
    snprintf(path, sizeof path, "%s/%s", f->run_dir, name);
    const struct timespec times[2] = {{.tv_sec = (time_t)at_s}, {.tv_sec = (time_t)at_s}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static inline void front_fixture_open(struct front_fixture *f, const char *matchmaker) {
    char text[4096], error[CONFIG_ERROR_SIZE];
    assert_true(sodium_init() >= 0);
    snprintf(f->run_dir, sizeof f->run_dir, "/tmp/march-front-XXXXXX");
    assert_non_null(mkdtemp(f->run_dir));
    snprintf(f->config_path, sizeof f->config_path, "%s/cluster.yaml", f->run_dir);
    snprintf(text, sizeof text, FRONT_CONFIG "%s", matchmaker);
    front_fixture_write(f, "cluster.yaml", text, strlen(text));
    if (config_load(f->config_path, &f->config, error, sizeof error) != 0) fail_msg("%s", error);
    randombytes_buf(f->key, sizeof f->key);
    front_fixture_write(f, "connect.key", f->key, sizeof f->key);
    front_fixture_publish(f, "gateway-0.udp", "127.0.0.1:4000\n[::1]:4000\n", 1000);
    front_fixture_publish(f, "gateway-1.udp", "127.0.0.1:4001\n", 1000);
    f->atlas = calloc(1, sizeof *f->atlas);
    assert_non_null(f->atlas);
    f->atlas->phase = ATLAS_RUNNING;
    f->atlas->told.version = 1;
    f->atlas->told.gateway_count = FRONT_GATEWAYS;
    for (uint32_t i = 0; i < FRONT_GATEWAYS; i++) {
        f->atlas->told.gateways[i].state = WIRE_GATEWAY_UP;
        f->atlas->gateways[i].admitted = 100 + i;
    }
}

static inline int front_fixture_forget(const char *path, const struct stat *stat, int flag, struct FTW *ftw) {
    (void)stat, (void)flag, (void)ftw;
    return remove(path);
}

static inline void front_fixture_close(struct front_fixture *f) {
    config_free(f->config);
    free(f->atlas);
    nftw(f->run_dir, front_fixture_forget, 8, FTW_DEPTH | FTW_PHYS);
}

/* front_fixture_player opens a connect token as a gateway does; returns the player, 0 when it is none of ours. */
static inline uint64_t front_fixture_player(const struct front_fixture *f, const uint8_t token[NETCODE_TOKEN_BYTES],
                                            struct netcode_token_public *public) {
    struct netcode_token_private private;
    assert_int_equal(netcode_token_read_public(public, token, NETCODE_TOKEN_BYTES), 0);
    int result =
        netcode_token_open_private(&private, public->sealed, FRONT_PROTOCOL, public->expire_s, public->nonce, f->key);
    return result == 0 ? private.client_id : 0;
}

#endif
