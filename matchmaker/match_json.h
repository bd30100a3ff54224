/* match_json.h: tickets, parties, matches, results and modes as the JSON that both HTTP interfaces answer with.
 *
 * Ids of players and tickets are decimal strings, since numbers in JSON are not exact beyond 2^53. Each function returns a
 * new reference, NULL when memory is short.
 */
#ifndef MARCH_MATCHMAKER_MATCH_JSON_H
#define MARCH_MATCHMAKER_MATCH_JSON_H

#include <jansson.h>

#include "matchmaker/desk.h"

/* `match`: that of one that is matched; NULL where it is not there any more. */
json_t *ticket_json(const struct desk_ticket *ticket, const struct instance_view *match);

/* seat_json is of a player of a match who came into it without a ticket, or by one that is not known any more. */
json_t *seat_json(const struct instance_view *match, uint64_t player);
json_t *party_json(const struct desk_party *party);
json_t *instance_json(const struct instance_view *view);
json_t *result_json(const struct desk_result *result);
json_t *mode_json(const struct mode *mode);

/* board_json: rows are best first. */
json_t *board_json(const char *mode, uint32_t season, const struct wire_page_row *rows, uint32_t count, bool is_whole);

json_t *id_json(uint64_t id);

/* goal_name is what a goal is called in JSON and in templates; "time" for 0. */
const char *goal_name(uint32_t goal);
const char *instance_stage_name(enum instance_stage stage);
const char *instance_end_name(enum instance_end end);
const char *ticket_reason_name(enum wire_ticket_reason reason);

#endif
