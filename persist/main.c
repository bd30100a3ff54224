/* persist: keeps what lasts of one shard: players, what they are and what they have. Parse, open, loop, close.
 *
 * Exit codes: 0 stopped by a signal; 1 could not start, or was taken over by a newer process; 64 usage; 78 configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/config.h"
#include "common/launch.h"
#include "common/log.h"
#include "persist/service.h"
#include "persist/settings.h"

static int serve(const struct settings *settings, const struct config *config, uint32_t index,
                 const volatile sig_atomic_t *stopping) {
    char error[SERVICE_ERROR_SIZE];
    struct service *service;
    if (service_open(&service, settings, config, index, stopping, error, sizeof error) != 0) {
        log_error("persist.not_started", "error=%s", LOG_QUOTE(error));
        return EXIT_FAILURE;
    }
    int result = service_run(service);
    service_close(service);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    struct settings settings;
    settings_parse(&settings, argc, argv);
    const volatile sig_atomic_t *stopping = launch_catch_signals();
    struct config *config = launch_begin(&settings.launch);
    if (!config) return EX_CONFIG;
    const struct config_persist *entry = config_persist_find(config, settings.launch.name);
    uint32_t index = entry ? (uint32_t)(entry - config->persists) : 0;
    int code = EX_CONFIG;
    if (!entry) {
        log_error("config.invalid", "file=%s error=\"no persist of that name\"", LOG_QUOTE(settings.launch.config));
    } else if (settings.shard && !settings_shard_is(settings.shard, index, config->persists_count)) {
        char error[CONFIG_ERROR_SIZE];
        snprintf(error, sizeof error, "--shard %s: %s is shard %u/%u", settings.shard, settings.launch.name, index,
                 config->persists_count);
        log_error("config.invalid", "file=%s error=%s", LOG_QUOTE(settings.launch.config), LOG_QUOTE(error));
    } else {
        code = serve(&settings, config, index, stopping);
    }
    config_free(config);
    return code;
}
