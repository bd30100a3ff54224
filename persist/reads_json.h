/* reads_json.h: what reads.h tells, as JSON: the bodies of the HTTP API, and of what shards ask each other.
 *
 * Numbers are JSON integers, ids too (up to 2^63 - 1); times are RFC 3339. Each returns a new reference, NULL when memory is
 * short. What is stale says so: `"stale": true`.
 */
#ifndef MARCH_PERSIST_READS_JSON_H
#define MARCH_PERSIST_READS_JSON_H

#include <jansson.h>

#include "persist/reads.h"

json_t *reads_json_error(const char *code, const char *message);
json_t *reads_json_profile(const struct reads_profile *profile, struct reads_meta meta);
/* {"players": [profile or {"player": id, "error": {...}}]} */
json_t *reads_json_profiles(const struct reads_profile_result *results, uint32_t count);
json_t *reads_json_inventory(const struct reads_inventory *inventory, struct reads_meta meta);
json_t *reads_json_guild(const struct reads_guild *guild, struct reads_meta meta);
/* Members from number `first` on, `count` at most, with "next": the number to go on with, or null. */
json_t *reads_json_members(const struct reads_guild *guild, uint32_t first, uint32_t count, struct reads_meta meta);
json_t *reads_json_board(const struct reads_board *board, const char *region, struct reads_meta meta);

/* reads_json_code and reads_json_message say what an error of reads.h is called. */
const char *reads_json_code(int error);
const char *reads_json_message(int error);

/* reads_json_read_profiles reads what another shard answered into the results whose players it names; those that it does not
 * name, or names with an error, are left as they are, or get its error. MARCH_ERR_INVALID for what is no such answer. */
must_check int reads_json_read_profiles(const char *body, size_t len, struct reads_profile_result *results, uint32_t count);
/* reads_json_read_board reads a board's total, entries and, where there is one, self. */
must_check int reads_json_read_board(const char *body, size_t len, struct reads_board *board);

#endif
