/* client_value.h: the client's side of messages: decodes what the server tells, encodes commands, and keeps the inventory by
 * the differences that come. Pure: bytes in, structs out. Whatever comes from the network is checked before it is used; an
 * inventory that would pass MARCH_INVENTORY_MAX drops what is too much and is no longer `whole`.
 */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_VALUE_H
#define MARCH_TOOLS_CLIENT_CLIENT_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "tools/client/marchland.h"

#define CLIENT_COMMAND_BYTES_MAX 512

/* client_value_kind returns the number of a message's body; 0 where it is malformed. */
unsigned client_value_kind(const uint8_t *bytes, size_t len);

/* client_value_read decodes a message; its kind is MARCH_EVENT_OTHER where it is unknown or malformed. */
void client_value_read(const uint8_t *bytes, size_t len, struct march_event *event);

/* client_value_apply brings an inventory up to date; changes of a guild's bank leave it as it is. */
void client_value_apply(struct march_inventory *inventory, const struct march_change *change);

/* client_value_write encodes a command, whose key is not 0; returns its length, or MARCH_ERR_INVALID for a text that is not
 * one, or more items than a side has. */
must_check int client_value_write(const struct march_command *command, uint8_t bytes[CLIENT_COMMAND_BYTES_MAX]);

#endif
