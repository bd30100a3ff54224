/* access.c: see access.h. */
#include "common/access.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define UDP_FILE_BYTES_MAX 4096

static int fail_text(int result, char *error, size_t error_size, const char *path, const char *what) {
    snprintf(error, error_size, "%s: %s", path, what);
    return result;
}

static int read_config(struct access *access, const char *run_dir, char *error, size_t error_size) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/cluster.yaml", run_dir) >= (int)sizeof(path))
        return fail_text(MARCH_ERR_INVALID, error, error_size, run_dir, "path is too long");
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOENT)
        return fail_text(MARCH_ERR_NOT_FOUND, error, error_size, run_dir, "no cluster runs there");
    struct config *config;
    int result = config_load(path, &config, error, error_size);
    if (result != 0) return result;
    access->protocol_id = config->cluster.protocol_id;
    access->token_lifetime_s = config->limits.connect_token_max_s;
    access->timeout_s = (int32_t)config->limits.client_timeout_s;
    access->view_max = config->world.view_max;
    access->tick_hz = config->world.tick_hz;
    for (uint32_t i = 0; i < config->gateways_count; i++)
        memcpy(access->gateways[i].name, config->gateways[i].name, CONFIG_NAME_SIZE);
    access->gateway_count = config->gateways_count;
    config_free(config);
    return 0;
}

int access_read_gateway(struct access_gateway *gateway, const char *run_dir, uint64_t *mint_from_s, char *error,
                        size_t error_size) {
    gateway->count = 0;
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof(path), "%s/%s.udp", run_dir, gateway->name) >= (int)sizeof(path))
        return fail_text(MARCH_ERR_INVALID, error, error_size, run_dir, "path is too long");
    uint8_t *bytes;
    size_t len;
    int result = file_read(path, UDP_FILE_BYTES_MAX, &bytes, &len, error, error_size);
    if (result == MARCH_ERR_NOT_FOUND) return 0;
    if (result != 0) return result;
    if (stat(path, &st) == 0 && (uint64_t)st.st_mtime + NETCODE_TOKEN_SLACK_S >= *mint_from_s)
        *mint_from_s = (uint64_t)st.st_mtime + NETCODE_TOKEN_SLACK_S + 1;
    char *rest = (char *)bytes;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && result == 0;) {
        if (*line == '\0') continue;
        if (gateway->count == CONFIG_ADDRESSES_MAX)
            result = fail_text(MARCH_ERR_FULL, error, error_size, path, "too many addresses");
        else if (addr_parse(&gateway->addresses[gateway->count++], line) != 0)
            result = fail_text(MARCH_ERR_INVALID, error, error_size, path, "expected lines such as 127.0.0.1:4000");
    }
    free(bytes);
    return result;
}

int access_open(struct access *access, const char *run_dir, char *error, size_t error_size) {
    *access = (struct access){.gateway_count = 0};
    int result = read_config(access, run_dir, error, error_size);
    if (result != 0) return result;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/connect.key", run_dir);
    result = file_read_key(path, access->key, error, error_size);
    uint32_t address_count = 0;
    for (uint32_t i = 0; i < access->gateway_count && result == 0; i++) {
        result = access_read_gateway(&access->gateways[i], run_dir, &access->mint_from_s, error, error_size);
        address_count += access->gateways[i].count;
    }
    if (result == 0 && address_count == 0)
        result = fail_text(MARCH_ERR_NOT_FOUND, error, error_size, run_dir,
                           "no cluster runs there: no gateway has published an address");
    return result;
}

int access_gateway_find(const struct access *access, const char *name) {
    for (uint32_t i = 0; i < access->gateway_count; i++)
        if (strcmp(access->gateways[i].name, name) == 0 && access->gateways[i].count > 0) return (int)i;
    return MARCH_ERR_NOT_FOUND;
}

int access_mint(const struct access *access, uint8_t token[NETCODE_TOKEN_BYTES], uint64_t player, uint32_t gateway,
                uint8_t family, uint64_t now_s, uint32_t lifetime_s) {
    if (gateway >= access->gateway_count || lifetime_s == 0) return MARCH_ERR_INVALID;
    struct netcode_token_params params = {.protocol_id = access->protocol_id,
                                          .client_id = player,
                                          .create_s = now_s,
                                          .expire_s = now_s + lifetime_s,
                                          .timeout_s = access->timeout_s};
    const struct access_gateway *from = &access->gateways[gateway];
    for (uint32_t i = 0; i < from->count; i++)
        if (family == ADDR_NONE || from->addresses[i].family == family)
            params.servers[params.server_count++] = from->addresses[i];
    return netcode_token_mint(token, &params, access->key);
}
