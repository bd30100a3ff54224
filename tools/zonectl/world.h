/* world.h: the matchmaker of a running cluster, asked by verbs, and how its answers are told.
 *
 * Its address is read anew for each question, since it may have been restarted. For verbs of zonectl: blocks, at most
 * WORLD_DEADLINE_MS a question, WORLD_CHANGE_MS a change, and tells what is wrong on standard error. What it answers stands
 * in matchmaker/operator_api.h and status.h.
 */
#ifndef MARCH_ZONECTL_WORLD_H
#define MARCH_ZONECTL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "common/config.h"
#include "tools/zonectl/scrape.h"

#define WORLD_DEADLINE_MS 3000
#define WORLD_CHANGE_MS   6000 /* for what changes something: it is answered once that would survive */
#define WORLD_ERROR_SIZE  512

struct world {
    const char *run_dir;
    struct config *config;
    struct scraper *scraper;
};

/* world_open finds the cluster that runs in `run_dir`. Returns an exit code (verb.h), EXIT_CODE_OK or one with the reason on
 * standard error: no cluster, or one without a matchmaker. world_close is safe after a failure. */
int world_open(struct world *world, const char *run_dir);
void world_close(struct world *world);

/* world_try sends GET `path`, or PUT with `body` where it is not NULL. Returns the HTTP status and the answer, the caller's;
 * 0 and NULL when there was none. `error`, of WORLD_ERROR_SIZE, says what is wrong with any but 200. */
long world_try(struct world *world, const char *path, const char *body, json_t **answer, char *error);

/* world_ask is world_try for who wants nothing but 200; an exit code, with the reason on standard error. */
int world_ask(struct world *world, const char *path, const char *body, json_t **answer);

/* world_post sends POST for what makes something: 201. As world_ask. */
int world_post(struct world *world, const char *path, const char *body, json_t **answer);

/* world_metrics returns the metrics of a process as text, the caller's; NULL where it does not answer. */
char *world_metrics(struct world *world, const char *name);

/* world_path writes a path with names in it, which are those of processes, or numbers: MARCH_ERR_INVALID for any other. */
must_check int world_path(char *path, size_t size, const char *verb, const char *first, const char *second);

/* world_find returns the entry of a name in a list of a /status, borrowed; NULL when there is none. */
json_t *world_find(const json_t *status, const char *list, const char *name);

/* world_count returns a number of an object, 0 when it is not there; world_text a text, "" then. */
uint64_t world_count(const json_t *object, const char *key);
const char *world_text(const json_t *object, const char *key);

/* world_print writes tables: partitions, and workers and gateways beside them. */
void world_print(const json_t *status, FILE *out);

#endif
