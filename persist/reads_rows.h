/* reads_rows.h: the statements of reads.h, and what their rows become. Used by reads.c and names.c alone.
 *
 * Each reader checks what came; MARCH_ERR_INVALID for rows that are not as the schema has them.
 */
#ifndef MARCH_PERSIST_READS_ROWS_H
#define MARCH_PERSIST_READS_ROWS_H

#include "persist/pg.h"
#include "persist/reads.h"

extern const struct pg_statement READS_PROFILES; /* players bigint[] */
extern const struct pg_statement READS_SEEN;     /* count integer: the profiles seen last */
extern const struct pg_statement READS_NAME;     /* name text: a player's id */
extern const struct pg_statement READS_GUILD_NAME;
extern const struct pg_statement READS_GUILD;         /* guild bigint */
extern const struct pg_statement READS_GUILD_MEMBERS; /* guild bigint */
extern const struct pg_statement READS_ACCOUNT;       /* player bigint */
extern const struct pg_statement READS_ITEMS;         /* player bigint */
extern const struct pg_statement READS_AUCTIONS;      /* after bigint, count integer */
extern const struct pg_statement READS_AUCTIONS_KIND; /* after bigint, count integer, kind integer */
extern const struct pg_statement READS_DAILY;         /* days integer */
extern const struct pg_statement READS_BOARD_TOP; /* board text, season integer, region text, from integer, count integer */
extern const struct pg_statement
    READS_BOARD_AROUND; /* board text, season integer, region text, player bigint, around integer */
extern const struct pg_statement READS_BOARD_PLACE;  /* the same, and a score bigint: of a player who has no row here */
extern const struct pg_statement READS_COUNTS;       /* estimates: players, guilds */
extern const struct pg_statement READS_PLAYER_NAMES; /* after text, count integer */
extern const struct pg_statement READS_GUILD_NAMES;

must_check int reads_row_profile(const PGresult *result, int row, struct reads_profile *out);
/* MARCH_ERR_NOT_FOUND when there is no row. */
must_check int reads_row_id(const PGresult *result, uint64_t *id);
must_check int reads_row_guild(const PGresult *guild, const PGresult *members, struct reads_guild *out);
must_check int reads_row_inventory(uint64_t player, const PGresult *account, const PGresult *items,
                                   struct reads_inventory *out);
/* reads_row_board reads up to READS_BOARD_MAX entries of both; `self` is that of `player`. */
must_check int reads_row_board(const PGresult *result, uint64_t player, struct reads_board *out);
/* JSON as reads.h says, to be freed by the caller; NULL when rows are bad or memory is short. */
char *reads_row_auctions(const PGresult *result, size_t *len);
char *reads_row_daily(const PGresult *result, size_t *len);

#endif
