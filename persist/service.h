/* service.h: a running persist: every module of a shard on one libev loop.
 *
 *     service_open    reads where the databases are, waits for PostgreSQL (migrations, the shard's epoch), recovers the
 *                     journal, and opens everything; then it is ready
 *     service_run     the loop, until told to stop or fenced by a newer process of this shard
 *     service_close   flushes what can be flushed, and closes
 *
 * Each turn of the loop ends with: what gathered in the journal is committed, what has become durable is acknowledged and
 * handed on, and each zone and gateway is told what the turn has for it in one message.
 *
 * Once ready it stays so: without PostgreSQL motion is journaled and commands of value are UNAVAILABLE; without Redis
 * sessions come from PostgreSQL and boards are UNAVAILABLE; /status and metrics say which is away. One thread, but for that
 * of HTTP.
 */
#ifndef MARCH_PERSIST_SERVICE_H
#define MARCH_PERSIST_SERVICE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "persist/settings.h"

#define SERVICE_ERROR_SIZE 1024

struct service;

/* service_open makes shard `index` of a configuration ready. It waits for PostgreSQL for as long as that takes, saying so,
 * unless `*stopping` is set (MARCH_ERR_UNAVAILABLE then). Settings and config outlive it. On failure `error` holds a line.
 */
must_check int service_open(struct service **out, const struct settings *settings, const struct config *config,
                            uint32_t index, const volatile sig_atomic_t *stopping, char *error, size_t error_size);

/* service_run returns 0 when `*stopping` was set, MARCH_ERR_FENCED when a newer process has the shard. */
must_check int service_run(struct service *service);

void service_close(struct service *service);

#endif
