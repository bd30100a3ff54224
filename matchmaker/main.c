/* matchmaker: decides which zone has which part of the world. Parse, open, loop, close.
 *
 * Exit codes: 0 stopped by a signal; 1 could not start; 64 usage; 78 configuration. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/config.h"
#include "common/log.h"
#include "matchmaker/command_line.h"
#include "matchmaker/matchmaker.h"

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

static int serve(const struct command_line *line, const struct config *config) {
    char error[MATCHMAKER_ERROR_SIZE];
    struct matchmaker *matchmaker;
    if (matchmaker_open(&matchmaker, line, config, error, sizeof error) != 0) {
        log_error("matchmaker.not_started", "error=%s", LOG_QUOTE(error));
        return EXIT_FAILURE;
    }
    matchmaker_run(matchmaker, &stopping);
    matchmaker_close(matchmaker);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    struct command_line line;
    command_line_parse(&line, argc, argv);
    log_init(line.name, line.log_level);
    catch_signals();
    char error[CONFIG_ERROR_SIZE];
    struct config *config;
    if (config_load(line.config, &config, error, sizeof error) != 0) {
        log_error("config.invalid", "error=%s", LOG_QUOTE(error));
        return EX_CONFIG;
    }
    int code = EX_CONFIG;
    if (strcmp(config->matchmaker.name, line.name) == 0) {
        code = serve(&line, config);
    } else {
        log_error("config.invalid", "file=%s error=\"no matchmaker of that name\"", LOG_QUOTE(line.config));
    }
    config_free(config);
    return code;
}
