/* client_match.h: the client's side of messages about matches: decodes what the server tells, encodes what is asked. Pure,
 * as client_value.h, which calls it.
 */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_MATCH_H
#define MARCH_TOOLS_CLIENT_CLIENT_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "tools/client/flat.h"
#include "tools/client/marchland.h"

#define CLIENT_MATCH_BYTES_MAX 576

/* client_match_read decodes the body of a message of that kind; false where it is none of these. */
bool client_match_read(unsigned kind, const struct flat_table *body, struct march_event *event);

/* Each returns the length of the message, or MARCH_ERR_INVALID for a name that is not one, more latencies or players to
 * avoid than there may be, or an unknown verb. */
must_check int client_match_write_enter(const struct march_wish *wish, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]);
must_check int client_match_write_ticket(enum march_ticket_verb verb, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]);
must_check int client_match_write_party(enum march_party_verb verb, uint64_t player, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]);

#endif
