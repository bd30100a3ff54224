/* names.h: which names of players and guilds surely do not exist: a Bloom filter over the names in the database.
 *
 * It is filled at the start by paging through the names, READS_NAMES_A_PAGE at a time, and added to as players and guilds
 * are made; until it is filled every name may exist. A page that fails is asked for again after NAMES_RETRY_MS. It is sized
 * for twice the names that the database estimates, NAMES_EXPECTED_MIN at least. One thread.
 */
#ifndef MARCH_PERSIST_NAMES_H
#define MARCH_PERSIST_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define NAMES_RETRY_MS     1000
#define NAMES_EXPECTED_MIN (1u << 20) /* 1.2 MB */

struct ev_loop;
struct pg;
struct names;

enum name_kind { NAME_PLAYER = 0, NAME_GUILD = 1, NAME_KIND_COUNT = 2 };

/* names_create makes an empty filter; `filled` is called once when it is complete. NULL when memory is short. */
struct names *names_create(struct ev_loop *loop, struct pg *pg, void (*filled)(void *ctx), void *ctx);

/* names_destroy frees it; its pool must be destroyed before. NULL is fine. */
void names_destroy(struct names *names);

/* names_start begins to fill it. */
void names_start(struct names *names);

/* names_add says that a name exists from now on. */
void names_add(struct names *names, enum name_kind kind, const char *name);

/* names_may_exist is false for a name that surely nobody has. */
bool names_may_exist(const struct names *names, enum name_kind kind, const char *name);

bool names_is_complete(const struct names *names);

/* names_count returns how many were added. */
uint32_t names_count(const struct names *names);

#endif
