/* fuzz_client_value.c: messages as the client library reads them. What both it and the server's own reader take, they read
 * alike; an inventory that follows any of them keeps to its limit. */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "schemas/wire.h"
#include "tools/client/client_value.h"

static void check_alike(const struct wire_server_message *wire, const struct march_event *event) {
    CHECK((int)event->kind == (int)wire->kind);
    if (wire->kind == WIRE_SERVER_COMMAND_RESULT) {
        CHECK(event->result.key == wire->result.key && event->result.status == (uint8_t)wire->result.status);
    } else if (wire->kind == WIRE_SERVER_INVENTORY_DIFF) {
        const struct march_change *change = &event->change;
        CHECK(change->added_count == wire->inventory.added_count && change->gold == wire->inventory.gold);
        CHECK(change->updated_count == wire->inventory.updated_count);
        CHECK(change->removed_count == wire->inventory.removed_count);
        for (unsigned i = 0; i < change->added_count; i++) CHECK(change->items[i].id == wire->inventory.added[i].id);
    } else if (wire->kind == WIRE_SERVER_HEARD) {
        CHECK(strcmp(event->heard.text, wire->heard.text) == 0);
    } else if (wire->kind == WIRE_SERVER_BOARD_ROWS) {
        CHECK(event->board.row_count == wire->board.row_count && strcmp(event->board.board, wire->board.board) == 0);
    } else if (wire->kind == WIRE_SERVER_TICKET) {
        CHECK(event->ticket.ticket == wire->ticket.ticket && event->ticket.state == (uint8_t)wire->ticket.state);
        CHECK(event->ticket.team == wire->ticket.team && strcmp(event->ticket.mode, wire->ticket.mode) == 0);
    } else if (wire->kind == WIRE_SERVER_PARTY) {
        CHECK(event->party.leader == wire->party.leader && event->party.member_count == wire->party.member_count);
        CHECK(memcmp(event->party.members, wire->party.members, sizeof event->party.members) == 0);
    } else if (wire->kind == WIRE_SERVER_MATCH) {
        CHECK(event->match.instance == wire->match.instance && event->match.team_count == wire->match.team_count);
        CHECK(memcmp(event->match.scores, wire->match.scores, sizeof event->match.scores) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static struct march_inventory inventory;
    struct wire_server_message wire;
    struct march_event event;
    uint8_t *copy = malloc(len ? len : 1); /* of its own size */
    memcpy(copy, data, len);
    client_value_read(copy, len, &event);
    if (event.kind != MARCH_EVENT_OTHER && wire_server_message_read(copy, len, &wire) == 0) check_alike(&wire, &event);
    if (event.kind == MARCH_EVENT_INVENTORY) client_value_apply(&inventory, &event.change);
    CHECK(inventory.count <= MARCH_INVENTORY_MAX);
    free(copy);
    return 0;
}
