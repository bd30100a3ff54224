/* shards.h: one question to the persist of every shard of a running cluster, and their answers.
 *
 * The configuration that the cluster runs with and the addresses of its persists come out of the run directory. Asked at
 * once, answered within a deadline; answers are JSON. For verbs of zonectl: blocks, and tells what is wrong on standard
 * error.
 */
#ifndef MARCH_ZONECTL_SHARDS_H
#define MARCH_ZONECTL_SHARDS_H

#include <stdint.h>

#include <jansson.h>

#include "common/config.h"

#define SHARDS_DEADLINE_MS 15000
#define SHARDS_ALL         UINT32_MAX

struct shards {
    struct config *config;
    uint32_t count;
    const char *names[CONFIG_PERSISTS_MAX]; /* of the persists */
    json_t *answers[CONFIG_PERSISTS_MAX];   /* of the last question; NULL where it was not asked */
};

/* shards_open finds the cluster that runs in `run_dir`. Returns an exit code (verb.h), EXIT_CODE_OK or one with the reason
 * on standard error: no cluster, or one without persistence. */
int shards_open(struct shards *shards, const char *run_dir);

/* shards_ask sends GET `path`, or PUT with `body` where it is not NULL, to shard `which` or to all. Returns an exit code; it
 * is EXIT_CODE_OK when each answered with 200 and an object. */
int shards_ask(struct shards *shards, const char *run_dir, uint32_t which, const char *path, const char *body);

/* shards_close is safe after a shards_open that failed. */
void shards_close(struct shards *shards);

#endif
