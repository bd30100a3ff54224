#include "gateway/session.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

int session_table_create(struct session_table *table, uint32_t size) {
    *table = (struct session_table){.size = size};
    table->channel_config = (struct channel_config){.accept = CHANNEL_ACCEPT_AT_SERVER,
                                                    .message_bytes_max = FRAME_MESSAGE_BYTES_MAX,
                                                    .send_blocks_max = SESSION_SEND_BLOCKS_MAX};
    table->sessions = aligned_alloc(64, (size_t)size * sizeof *table->sessions);
    table->channels = calloc(size, sizeof *table->channels);
    if (!table->sessions || !table->channels || block_pool_init(&table->blocks, size + SESSION_BLOCKS_SPARE) != 0) {
        session_table_destroy(table);
        return MARCH_ERR_SYSTEM;
    }
    memset(table->sessions, 0, (size_t)size * sizeof *table->sessions);
    table->state_counts[SESSION_FREE] = size;
    return 0;
}

void session_table_destroy(struct session_table *table) {
    free(table->sessions);
    free(table->channels);
    block_pool_deinit(&table->blocks);
    *table = (struct session_table){0};
}

static struct session *open_as(struct session_table *table, uint32_t index, uint32_t generation, uint64_t player,
                               uint8_t route, enum session_state state) {
    CHECK(index < table->size && route < SESSION_ROUTES_MAX);
    struct session *session = &table->sessions[index];
    CHECK(session->state == SESSION_FREE);
    /* The gateway's queues may still hold the slot, from the session before. */
    *session = (struct session){.player = player,
                                .generation = generation,
                                .route = route,
                                .is_due = session->is_due,
                                .is_active = session->is_active};
    channel_init(&table->channels[index], &table->channel_config, &table->blocks);
    session_move(table, session, state);
    return session;
}

struct session *session_open(struct session_table *table, uint32_t index, uint32_t generation, uint64_t player,
                             uint8_t route) {
    return open_as(table, index, generation, player, route, SESSION_WAITING);
}

struct session *session_open_claiming(struct session_table *table, uint32_t index, uint32_t generation, uint64_t player) {
    return open_as(table, index, generation, player, 0, SESSION_CLAIMING);
}

void session_claimed(struct session_table *table, struct session *session, uint64_t epoch, uint8_t route) {
    CHECK(session->state == SESSION_CLAIMING && route < SESSION_ROUTES_MAX);
    session->epoch = epoch;
    session->route = route;
    session_move(table, session, SESSION_WAITING);
}

void session_reroute(struct session_table *table, struct session *session, uint8_t route) {
    CHECK(session->state != SESSION_FREE && route < SESSION_ROUTES_MAX);
    if (session->state == SESSION_WAITING) {
        table->waiting_counts[session->route]--;
        table->waiting_counts[route]++;
    }
    session->route = route;
}

void session_close(struct session_table *table, struct session *session) {
    channel_deinit(session_channel(table, session));
    session_move(table, session, SESSION_FREE);
}

void session_move(struct session_table *table, struct session *session, enum session_state state) {
    static const bool allowed[SESSION_STATE_COUNT][SESSION_STATE_COUNT] = {
        [SESSION_FREE] = {[SESSION_CLAIMING] = true, [SESSION_WAITING] = true},
        [SESSION_CLAIMING] = {[SESSION_WAITING] = true, [SESSION_FREE] = true},
        [SESSION_WAITING] = {[SESSION_ATTACHING] = true, [SESSION_MOVING] = true, [SESSION_FREE] = true},
        [SESSION_ATTACHING] =
            {[SESSION_PLAYING] = true, [SESSION_WAITING] = true, [SESSION_MOVING] = true, [SESSION_FREE] = true},
        [SESSION_PLAYING] = {[SESSION_WAITING] = true, [SESSION_MOVING] = true, [SESSION_FREE] = true},
        [SESSION_MOVING] = {[SESSION_PLAYING] = true, [SESSION_WAITING] = true, [SESSION_FREE] = true},
    };
    CHECK(allowed[session->state][state]);
    table->state_counts[session->state]--;
    table->state_counts[state]++;
    if (session->state == SESSION_WAITING) table->waiting_counts[session->route]--;
    if (state == SESSION_WAITING) table->waiting_counts[session->route]++;
    session->state = (uint8_t)state;
}

int session_take_input(const struct session_table *table, struct session *session, const struct frame_input *frame,
                       struct wire_input *out) {
    int fresh = session->has_input ? (int16_t)(frame->newest_seq - session->newest_input_seq) : frame->count;
    if (fresh <= 0) return MARCH_ERR_EMPTY;
    session->has_input = true;
    session->newest_input_seq = frame->newest_seq;
    *out = (struct wire_input){.session = session_handle(table, session),
                               .view_tick = frame->view_tick,
                               .newest_seq = frame->newest_seq,
                               .count = (uint8_t)(fresh < frame->count ? fresh : frame->count)};
    for (unsigned i = 0; i < out->count; i++) {
        const struct frame_command *command = &frame->commands[i];
        out->commands[i] =
            (struct wire_input_command){.move = command->move, .buttons = command->buttons, .aim = command->aim};
    }
    return 0;
}

const char *session_state_name(enum session_state state) {
    static const char *const names[SESSION_STATE_COUNT] = {"free", "claiming", "waiting", "attaching", "playing", "moving"};
    return names[state];
}
