#include "zone/input.h"

#include <string.h>

#include "common/check.h"
#include "zone/hash.h"

#define MOVE_STAND 5 /* both axes 1, which means 0 */

void input_init(struct input_queue *queue, uint64_t tick) {
    *queue = (struct input_queue){
        .idle = true, .interval_q8 = INPUT_INTERVAL_DEFAULT << 8, .arrived_tick = tick, .applied_tick = tick};
}

/* Takes the oldest command out of the queue. Its buttons are not lost if `command` was skipped. */
static void drop_oldest(struct input_queue *queue) {
    CHECK(queue->count > 0);
    queue->count--;
    memmove(queue->commands, queue->commands + 1, queue->count * sizeof queue->commands[0]);
    memmove(queue->seqs, queue->seqs + 1, queue->count * sizeof queue->seqs[0]);
}

static void skip_oldest(struct input_queue *queue) {
    uint8_t buttons = queue->commands[0].buttons;
    drop_oldest(queue);
    queue->commands[0].buttons |= buttons;
}

static void append(struct input_queue *queue, struct wire_input_command command, uint16_t seq) {
    if (queue->count == INPUT_QUEUE_MAX) skip_oldest(queue);
    queue->commands[queue->count] = command;
    queue->seqs[queue->count++] = seq;
}

/* Averages over about eight packets how far apart commands come. A pause says nothing about the rate. */
static void learn_interval(struct input_queue *queue, uint32_t fresh, uint64_t tick) {
    uint64_t apart = tick - queue->arrived_tick;
    queue->arrived_tick = tick;
    if (apart > INPUT_HOLD_TICKS) return;
    int32_t sample = (int32_t)((apart << 8) / fresh);
    if (sample > INPUT_INTERVAL_MAX << 8) sample = INPUT_INTERVAL_MAX << 8;
    int32_t interval = queue->interval_q8 + (sample - queue->interval_q8) / 8;
    queue->interval_q8 = (uint16_t)(interval < 256 ? 256 : interval);
}

uint32_t input_push(struct input_queue *queue, const struct wire_input *input, uint64_t tick) {
    uint16_t ahead = (uint16_t)(input->newest_seq - queue->newest_seq);
    if (queue->any && (ahead == 0 || ahead >= 0x8000)) return 0;

    uint32_t fresh = queue->any ? ahead : 1;
    if (queue->any) {
        learn_interval(queue, fresh, tick);
    } else {
        queue->arrived_tick = tick;
        queue->applied_seq = (uint16_t)(input->newest_seq - 1);
    }
    if (fresh > input->count) fresh = input->count; /* the rest was lost */
    for (uint32_t age = fresh; age-- > 0;) append(queue, input->commands[age], (uint16_t)(input->newest_seq - age));
    queue->newest_seq = input->newest_seq;
    queue->any = true;
    return fresh;
}

bool input_next(struct input_queue *queue, uint64_t tick, struct wire_input_command *command) {
    while (queue->count > INPUT_WAIT_MAX) skip_oldest(queue);
    uint64_t held = tick - queue->applied_tick;
    if (queue->count == 0) {
        if (queue->idle || held < INPUT_HOLD_TICKS) return false;
        queue->idle = true;
        *command = (struct wire_input_command){.move = MOVE_STAND, .aim = queue->aim};
        return true;
    }
    if (!queue->idle && (held + 1) << 8 < queue->interval_q8) return false;
    *command = queue->commands[0];
    queue->applied_seq = queue->seqs[0];
    queue->aim = command->aim;
    queue->applied_tick = tick;
    queue->idle = false;
    drop_oldest(queue);
    return true;
}

uint64_t input_hash(const struct input_queue *queue, uint64_t hash) {
    hash = hash_word(hash, queue->arrived_tick);
    hash = hash_word(hash, queue->applied_tick << 17 | (uint64_t)queue->aim << 1 | queue->idle);
    hash = hash_word(hash, (uint64_t)queue->newest_seq << 48 | (uint64_t)queue->applied_seq << 32 |
                               (uint64_t)queue->interval_q8 << 16 | queue->count);
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct wire_input_command *c = &queue->commands[i];
        hash =
            hash_word(hash, (uint64_t)queue->seqs[i] << 32 | (uint64_t)c->move << 24 | (uint64_t)c->buttons << 16 | c->aim);
    }
    return hash;
}
