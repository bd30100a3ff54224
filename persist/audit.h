/* audit.h: proofs that the books of a shard hold, as JSON.
 *
 * Each event has the change of every account that it touched, so events, with the baseline that older ones were folded into,
 * say what each account must hold. An audit adds them up and compares with what is there, item by item and gold by gold, in
 * one statement, hence in one snapshot: it holds while the world goes on. It reads every event that is kept, so it takes
 * seconds where there are millions; it is for operators and tests.
 *
 * A player:  {"player", "holds", "known", "entries", "items", "gold",
 *             "differences": [{"item", "kind", "expected", "found"}]}
 * The world: {"shard", "shards", "holds", "kinds": [{"kind", "created", "destroyed", "abroad", "exists"}],
 *             "open": [{"transfer", "shard", "kind", "amount"}], "applied": [transfer],
 *             "differences": [{"owner_kind", "owner", "item", "kind", "expected", "found"}]}
 *
 * A player is `known` who is in the database, or of whom there is anything; of another one nothing differs, and `holds` says
 * no more than that. Kind 0 is gold, and so is item 0. `holds` of the world says that nothing differs and that for each kind
 * created - destroyed - abroad = exists, escrows included. `abroad` is what has left for other shards less what came from
 * them; over all shards it sums to 0 but for transfers under way: those that are still `open` at their source and `applied`
 * at their destination (of the last AUDIT_APPLIED_H hours) count once, as applied. Who has the answers of all shards adds
 * them up.
 *
 * An audit is refused with MARCH_ERR_UNAVAILABLE at once while there is no connection to begin it on, or the pool that play
 * uses knows that the server is away: the pool of audits is asked too seldom to find out by itself.
 *
 * Limits: AUDIT_DIFFERENCES_MAX differences and AUDIT_TRANSFERS_MAX transfers are listed; AUDITS_MAX at a time, then
 * MARCH_ERR_FULL. One thread, that of the loop.
 */
#ifndef MARCH_PERSIST_AUDIT_H
#define MARCH_PERSIST_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/pg.h"

#define AUDITS_MAX            2 /* each has a connection to itself */
#define AUDIT_DIFFERENCES_MAX 100
#define AUDIT_TRANSFERS_MAX   1000
#define AUDIT_APPLIED_H       1
#define AUDIT_DEADLINE_MS     10000

struct audit;

/* audit_done gets the answer: `error` 0 and the JSON, which is valid during the call, or the error of pg_run's reply. */
typedef void (*audit_done)(void *ctx, int error, const char *json, size_t len);

/* audit_create makes an auditor over a pool; `primary` is that of play. Both must live longer. NULL when memory is short. */
struct audit *audit_create(struct pg *pg, const struct pg *primary);

/* audit_destroy frees it; none of its audits may be under way, so destroy the pool first. NULL is fine. */
void audit_destroy(struct audit *audit);

/* audit_player and audit_world begin an audit; `done` is called once, later. MARCH_ERR_FULL, MARCH_ERR_UNAVAILABLE, or what
 * pg_run says. */
must_check int audit_player(struct audit *audit, uint64_t player, audit_done done, void *ctx);
must_check int audit_world(struct audit *audit, audit_done done, void *ctx);

#endif
