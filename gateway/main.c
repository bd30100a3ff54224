/* The gateway: ends clients' connections and routes them to their zones. Parse, open, loop, close.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, 1 when it can't start or go on, 64 for a wrong command line, 78 for a wrong
 * configuration.
 */
#include <stdlib.h>
#include <sysexits.h>

#include "common/config.h"
#include "common/launch.h"
#include "common/log.h"
#include "gateway/arguments.h"
#include "gateway/host.h"

static int run(const struct arguments *arguments, const struct config *config, uint32_t index,
               const volatile sig_atomic_t *stopping) {
    char error[HOST_ERROR_SIZE];
    struct host *host;
    if (host_open(&host, arguments, config, index, error, sizeof error) != 0) {
        log_error("gateway.not_started", "error=%s", LOG_QUOTE(error));
        return EXIT_FAILURE;
    }
    int result = host_run(host, stopping);
    host_close(host);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    struct arguments arguments;
    arguments_parse(&arguments, argc, argv);
    const volatile sig_atomic_t *stopping = launch_catch_signals();
    struct config *config = launch_begin(&arguments.launch);
    if (!config) return EX_CONFIG;
    const struct config_gateway *entry = config_gateway_find(config, arguments.launch.name);
    int code = EX_CONFIG;
    if (entry) {
        code = run(&arguments, config, (uint32_t)(entry - config->gateways), stopping);
    } else {
        log_error("config.invalid", "file=%s error=\"no gateway of that name\"", LOG_QUOTE(arguments.launch.config));
    }
    config_free(config);
    return code;
}
