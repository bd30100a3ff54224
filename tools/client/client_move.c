/* client_move.c: see client_move.h. */
#include "tools/client/client_move.h"

#include <string.h>

#include <sodium.h>

#include "tools/client/client.h"
#include "tools/client/client_value.h"

/* end_move has the application told how it ended, and forgets the token. */
static void end_move(struct march_client *client, struct mono now, bool moved) {
    struct client_move *move = &client->move;
    move->outcome = (struct march_moved){.moved = moved, .tries = move->tries, .took_ns = mono_since_ns(now, move->begun)};
    move->is_unsure = moved;
    move->ended = !moved;
    move->moves += moved;
    move->failures += !moved;
    move->state = CLIENT_MOVE_NONE;
    if (!moved) channel_deinit(&client_other(client)->channel); /* what the session has said that did not come to be */
    sodium_memzero(move->token, sizeof(move->token));
}

void client_move_reset(struct march_client *client) {
    client->move.state = CLIENT_MOVE_NONE;
    client->move.ended = client->move.is_unsure = false;
    sodium_memzero(client->move.token, sizeof(client->move.token));
}

/* want has the client go, with a newer token where it goes already. A try that has been answered goes on, as the
 * first; the next one uses it. */
static void want(struct march_client *client, const struct march_reconnect *wanted) {
    struct client_move *move = &client->move;
    bool is_answered =
        move->state == CLIENT_MOVE_UNDER_WAY && client_other(client)->netcode.state > NETCODE_CLIENT_REQUESTING;
    uint64_t within_ms = wanted->within_ms == 0 ? CLIENT_MOVE_WITHIN_MS : wanted->within_ms;
    if (within_ms > CLIENT_MOVE_LONGEST_MS) within_ms = CLIENT_MOVE_LONGEST_MS;
    memcpy(move->token, wanted->token, sizeof(move->token));
    move->until = mono_add_ms(client->now, within_ms);
    if (is_answered) {
        move->tries = 1;
        return;
    }
    move->state = CLIENT_MOVE_WANTED;
    move->tries = 0;
    move->begun = move->due = client->now;
    if (!move->is_unsure) move->own = client->table->slots[0].id;
}

bool client_move_hear(struct march_client *client, bool is_former, const uint8_t *bytes, size_t len) {
    unsigned kind = client_value_kind(bytes, len);
    if (kind == MARCH_EVENT_ENDED) return is_former || client->move.state != CLIENT_MOVE_NONE;
    if (is_former || kind != MARCH_EVENT_RECONNECT) return false;
    struct march_event event;
    client_value_read(bytes, len, &event);
    if (event.kind == MARCH_EVENT_RECONNECT && event.reconnect.token != NULL) want(client, &event.reconnect);
    return false;
}

static void try_now(struct march_client *client, struct mono now) {
    struct client_session *next = client_other(client);
    client->move.tries++;
    client_session_init(client, next);
    client_inputs_hold(&next->inputs, client_current(client)->inputs.held);
    client->move.state = CLIENT_MOVE_UNDER_WAY;
    if (netcode_client_connect(&next->netcode, now, client->move.token, sizeof(client->move.token)) < 0)
        client->move.tries = CLIENT_MOVE_TRIES; /* it will never be one */
}

/* is_over tells whether a move has no more to come. Once the old session has ended the player waits, mostly since this token
 * let it in elsewhere and is used up: a fresh one is sooner than to try again, or to wait for an answer to that. */
static bool is_over(struct march_client *client) {
    const struct client_move *move = &client->move;
    bool is_alone = !session_is_open(client_current(client));
    if (move->state == CLIENT_MOVE_WANTED) return move->tries > 0 && (is_alone || move->tries >= CLIENT_MOVE_TRIES);
    return is_alone && move->tries > 1 && client_other(client)->netcode.state == NETCODE_CLIENT_REQUESTING;
}

void client_move_update(struct march_client *client, struct mono now) {
    struct client_move *move = &client->move;
    struct client_session *next = client_other(client);
    if (move->state == CLIENT_MOVE_NONE) return;
    if (move->state == CLIENT_MOVE_UNDER_WAY && !session_is_open(next)) {
        move->state = CLIENT_MOVE_WANTED;
        move->due = mono_add_ms(now, CLIENT_MOVE_PAUSE_MS);
    }
    if (is_over(client) || mono_reached(now, move->until)) {
        next->leaving = session_is_open(next);
        end_move(client, now, false);
        return;
    }
    if (move->state == CLIENT_MOVE_WANTED && mono_reached(now, move->due) && !next->leaving) try_now(client, now);
}

void client_move_finish(struct march_client *client, struct mono now) {
    struct client_session *before = client_current(client);
    before->leaving = session_is_open(before);
    client->current ^= 1;
    client->sending = client->current;
    end_move(client, now, true);
}

void client_move_recognise(struct march_client *client, uint64_t own) {
    struct client_move *move = &client->move;
    if (!move->is_unsure || own == 0) return;
    move->is_unsure = false;
    move->outcome.same_entity = own == move->own;
    move->ended = true;
}
