/* input.h: the commands of one player between arrival and use: a jitter buffer.
 *
 * A client samples its input a few times less often than the zone ticks, and each packet repeats the last few commands. So
 * one command lasts until the next, and commands that the network bunched up are spread again: each is kept for as long as
 * the client's commands come apart on average (less one tick, so that what has queued up drains). What waits beyond
 * INPUT_WAIT_MAX is skipped at once, its buttons going to the next, so the delay added stays below INPUT_WAIT_MAX intervals.
 * When nothing newer has come for INPUT_HOLD_TICKS, the player stands still.
 *
 * Commands carry a 16-bit sequence number. Repeated and older ones are dropped and counted by the caller. Pure state: it is
 * part of what input_hash covers. Fails never.
 */
#ifndef MARCH_ZONE_INPUT_H
#define MARCH_ZONE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/wire.h"

#define INPUT_QUEUE_MAX        WIRE_INPUT_COMMANDS_MAX
#define INPUT_WAIT_MAX         2
#define INPUT_HOLD_TICKS       30 /* 500 ms */
#define INPUT_INTERVAL_MAX     12 /* ticks between commands: 5 Hz */
#define INPUT_INTERVAL_DEFAULT 3  /* 20 Hz */

struct input_queue {
    struct wire_input_command commands[INPUT_QUEUE_MAX]; /* the first `count`, oldest first */
    uint16_t seqs[INPUT_QUEUE_MAX];
    uint8_t count;
    bool any;             /* a packet has come */
    bool idle;            /* the player was told to stand still */
    uint16_t newest_seq;  /* received */
    uint16_t applied_seq; /* what a snapshot acknowledges */
    uint16_t aim;         /* of the newest command applied */
    uint16_t interval_q8; /* average ticks between commands, in 1/256 */
    uint64_t arrived_tick;
    uint64_t applied_tick;
};

/* input_init empties the queue. */
void input_init(struct input_queue *queue, uint64_t tick);

/* input_push takes a packet's commands in and returns how many were new. Of a client's first packet only the newest counts:
 * the others were meant for a world that was before. */
uint32_t input_push(struct input_queue *queue, const struct wire_input *input, uint64_t tick);

/* input_next tells whether the player has another command from this tick on, and which. */
bool input_next(struct input_queue *queue, uint64_t tick, struct wire_input_command *command);

uint64_t input_hash(const struct input_queue *queue, uint64_t hash);

#endif
