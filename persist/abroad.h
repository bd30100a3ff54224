/* abroad.h: asks the HTTP endpoints of other shards, without blocking.
 *
 * GET only, by libcurl on the loop; connections are kept and used again. Addresses are asked for at each request, because a
 * persist that starts anew may listen elsewhere. At most ABROAD_ASKED_MAX requests at a time and ABROAD_BODY_MAX bytes an
 * answer. Plain HTTP, for the private network of the cluster: no redirects are followed, no proxy is used.
 */
#ifndef MARCH_PERSIST_ABROAD_H
#define MARCH_PERSIST_ABROAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define ABROAD_ASKED_MAX 256
#define ABROAD_BODY_MAX  (1024 * 1024)
#define ABROAD_URL_SIZE  96

struct ev_loop;
struct abroad;

/* Writes the base of a shard's endpoint, "http://127.0.0.1:8080", into `url`; false when it is not known. */
typedef bool (*abroad_find)(void *ctx, uint32_t shard, char url[ABROAD_URL_SIZE]);

/* `error` 0: the shard answered with `status` and a body that ends in zero, valid during the call. Else
 * MARCH_ERR_UNAVAILABLE, _EXPIRED (no answer in time) or _FULL (a body too large). */
typedef void (*abroad_done)(void *ctx, int error, unsigned status, const char *body, size_t len);

/* abroad_create returns NULL when memory is short. */
struct abroad *abroad_create(struct ev_loop *loop, abroad_find find, void *ctx);

/* abroad_destroy aborts what is under way. NULL is fine. */
void abroad_destroy(struct abroad *abroad);

/* abroad_abort ends what is under way with MARCH_ERR_UNAVAILABLE; callbacks must not ask for more. */
void abroad_abort(struct abroad *abroad);

/* abroad_url tells a shard's base; false when it is not known. */
bool abroad_url(const struct abroad *abroad, uint32_t shard, char url[ABROAD_URL_SIZE]);

/* abroad_get asks for `target` ("/v1/players?ids=1") there. Returns 0, and `done` is called once, later; or MARCH_ERR_FULL,
 * or MARCH_ERR_UNAVAILABLE where the address is not known. */
must_check int abroad_get(struct abroad *abroad, uint32_t shard, const char *target, uint32_t deadline_ms, abroad_done done,
                          void *ctx);

#endif
