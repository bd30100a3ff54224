/* client_inputs.h: what the player does, sampled at a fixed rate, repeated in packets, and timed until it is acknowledged.
 *
 * An input is sampled every 1/input_hz s. Each packet carries the newest and a few before it, so that a lost packet loses no
 * input. A button that was pressed and let go between two samples is in the next sample all the same. The round trip of an
 * input ends with the first snapshot that was made with it. After a stall, one sample is taken for all that were missed.
 */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_INPUTS_H
#define MARCH_TOOLS_CLIENT_CLIENT_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/frame.h"

#define CLIENT_INPUTS_TIMED 64 /* inputs that wait for their snapshot: 1 s at 60 Hz */

struct client_inputs {
    uint64_t interval_ns;
    struct mono due;
    struct frame_command held; /* what the player does now */
    uint8_t latched;           /* buttons seen since the last sample */
    uint8_t repeat;            /* inputs in a packet, at most */
    uint8_t known;             /* inputs in `newest`, at most FRAME_COMMANDS_MAX */
    uint16_t seq;              /* of the newest input; 0: none yet */
    uint16_t acked;            /* newest input that a snapshot was made with */
    uint64_t count;
    struct frame_command newest[FRAME_COMMANDS_MAX]; /* newest first */
    struct mono sampled[CLIENT_INPUTS_TIMED];        /* index: seq % CLIENT_INPUTS_TIMED */
};

/* client_inputs_init starts over: for a new session. `hz` is 1 or more, `repeat` 1 to FRAME_COMMANDS_MAX. */
void client_inputs_init(struct client_inputs *inputs, uint32_t hz, uint8_t repeat);

/* client_inputs_hold sets what the player does from now on. */
void client_inputs_hold(struct client_inputs *inputs, struct frame_command command);

/* client_inputs_sample takes the sample that is due and fills *out with it and those before it. False when none is due. */
bool client_inputs_sample(struct client_inputs *inputs, struct mono now, uint32_t view_tick, struct frame_input *out);

/* client_inputs_ack is told the newest input that a snapshot was made with. Returns its round trip in ns, or 0 when it was
 * known already or was never sent. */
uint64_t client_inputs_ack(struct client_inputs *inputs, struct mono now, uint16_t seq);

#endif
