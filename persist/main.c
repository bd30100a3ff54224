/* persist: keeps what lasts of one shard: players, what they are and what they have. Parse, open, loop, close.
 *
 * Exit codes: 0 stopped by a signal; 1 could not start, or was taken over by a newer process; 64 usage; 78 configuration. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/config.h"
#include "common/log.h"
#include "persist/service.h"
#include "persist/settings.h"

static volatile sig_atomic_t stopping;

static void on_signal(int signal_number) {
    (void)signal_number;
    stopping = 1;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int serve(const struct settings *settings, const struct config *config, uint32_t index) {
    char error[SERVICE_ERROR_SIZE];
    struct service *service;
    if (service_open(&service, settings, config, index, &stopping, error, sizeof error) != 0) {
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
    log_init(settings.name, settings.log_level);
    catch_signals();
    char error[CONFIG_ERROR_SIZE];
    struct config *config;
    if (config_load(settings.config, &config, error, sizeof error) != 0) {
        log_error("config.invalid", "error=%s", LOG_QUOTE(error));
        return EX_CONFIG;
    }
    const struct config_persist *entry = config_persist_find(config, settings.name);
    uint32_t index = entry ? (uint32_t)(entry - config->persists) : 0;
    int code = EX_CONFIG;
    if (!entry) {
        log_error("config.invalid", "file=%s error=\"no persist of that name\"", LOG_QUOTE(settings.config));
    } else if (settings.shard && !settings_shard_is(settings.shard, index, config->persists_count)) {
        snprintf(error, sizeof error, "--shard %s: %s is shard %u/%u", settings.shard, settings.name, index,
                 config->persists_count);
        log_error("config.invalid", "file=%s error=%s", LOG_QUOTE(settings.config), LOG_QUOTE(error));
    } else {
        code = serve(&settings, config, index);
    }
    config_free(config);
    return code;
}
