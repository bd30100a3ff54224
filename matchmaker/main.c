/* matchmaker: decides which zone has which part of the world. Parse, open, loop, close.
 *
 * Exit codes: 0 stopped by a signal; 1 could not start; 64 usage; 78 configuration. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/config.h"
#include "common/launch.h"
#include "common/log.h"
#include "common/version.h"
#include "matchmaker/matchmaker.h"

static int serve(const struct launch *launch, const struct config *config, const volatile sig_atomic_t *stopping) {
    char error[MATCHMAKER_ERROR_SIZE];
    struct matchmaker *matchmaker;
    if (matchmaker_open(&matchmaker, launch, config, error, sizeof error) != 0) {
        log_error("matchmaker.not_started", "error=%s", LOG_QUOTE(error));
        return EXIT_FAILURE;
    }
    matchmaker_run(matchmaker, stopping);
    matchmaker_close(matchmaker);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    struct argp argp = launch_argp;
    struct launch launch;
    argp.doc = "Decides which zone of a Marchland cluster has which part of the world.";
    launch_parse(&argp, "matchmaker " MARCH_VERSION, argc, argv, &launch);
    const volatile sig_atomic_t *stopping = launch_catch_signals();
    struct config *config = launch_begin(&launch);
    if (!config) return EX_CONFIG;
    int code = EX_CONFIG;
    if (strcmp(config->matchmaker.name, launch.name) == 0) {
        code = serve(&launch, config, stopping);
    } else {
        log_error("config.invalid", "file=%s error=\"no matchmaker of that name\"", LOG_QUOTE(launch.config));
    }
    config_free(config);
    return code;
}
