/* zone: simulates its part of the world. Parse, open, loop, close; or run a recording again.
 *
 * Exit codes: 0 stopped by a signal, or the recording holds; 1 could not start, or the recording differs; 3 another process
 * has its place; 64 usage. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/launch.h"
#include "common/log.h"
#include "zone/options.h"
#include "zone/replay.h"
#include "zone/server.h"
#include "zone/setup.h"

#define EXIT_REPLACED 3

static int serve(const struct options *options, const struct config *config, uint32_t zone_index) {
    char error[SERVER_ERROR_SIZE];
    struct server *server;
    const volatile sig_atomic_t *stopping = launch_catch_signals();
    if (server_open(&server, options, config, zone_index, error, sizeof error)) {
        log_error("zone.not_started", "error=%s", LOG_QUOTE(error));
        return EXIT_FAILURE;
    }
    bool was_stopped = server_run(server, stopping);
    server_close(server);
    return was_stopped ? EXIT_SUCCESS : EXIT_REPLACED;
}

static int report(const char *path, int error, const struct replay_result *r) {
    if (error) {
        fprintf(stderr, "%s: %s in the block at byte %" PRIu64 "\n", path, march_error_text(error), r->bad_offset);
        return EXIT_FAILURE;
    }
    if (r->differs) {
        fprintf(stderr, "%s: tick %" PRIu64 " differs: recorded %016" PRIx64 ", now %016" PRIx64 "\n", path, r->differs_tick,
                r->expected_hash, r->hash);
        return EXIT_FAILURE;
    }
    printf("%s: %" PRIu64 " ticks, %" PRIu64 " hashes are the same%s\n", path, r->ticks, r->hashes,
           r->truncated ? "; the file ends in the middle of a tick" : "");
    return EXIT_SUCCESS;
}

static int replay(const char *path, const struct config *config, uint32_t zone_index) {
    struct record_header header;
    struct replay *replay;
    int error = replay_open(path, &header, &replay);
    if (error) {
        fprintf(stderr, "%s: %s\n", path, error == MARCH_ERR_SYSTEM ? strerror(errno) : "not a recording of this version");
        return EXIT_FAILURE;
    }
    struct setup_start start = {.seed = header.seed, .tick = header.start_tick, .incarnation = header.incarnation};
    struct sim_config sim_config = setup_sim(config, zone_index, start);
    sim_config.snapshots = false;
    struct sim *sim = setup_digest(&sim_config) == header.config_digest ? sim_create(&sim_config) : NULL;
    int code = EXIT_FAILURE;
    if (sim) {
        struct replay_result result;
        error = replay_run(replay, sim, &result);
        code = report(path, error, &result);
    } else {
        fprintf(stderr, "%s: recorded by another zone, or under another configuration\n", path);
    }
    sim_destroy(sim);
    replay_close(replay);
    return code;
}

int main(int argc, char **argv) {
    struct options options;
    options_parse(&options, argc, argv);
    struct config *config = launch_begin(&options.launch);
    if (!config) return EXIT_FAILURE;
    const struct config_zone *zone = config_zone_find(config, options.launch.name);
    int code = EXIT_FAILURE;
    if (!zone) {
        log_error("config.invalid", "error=%s", LOG_QUOTE("no zone of that name in the configuration"));
    } else {
        uint32_t zone_index = (uint32_t)(zone - config->zones);
        code = options.replay ? replay(options.replay, config, zone_index) : serve(&options, config, zone_index);
    }
    config_free(config);
    return code;
}
