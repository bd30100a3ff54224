#include "tools/client/client_inputs.h"

#include <string.h>

#include "common/check.h"

void client_inputs_init(struct client_inputs *inputs, uint32_t hz, uint8_t repeat) {
    CHECK(hz >= 1 && repeat >= 1 && repeat <= FRAME_COMMANDS_MAX);
    *inputs = (struct client_inputs){
        .interval_ns = NS_PER_S / hz,
        .repeat = repeat,
        .held = {.move = FRAME_MOVE(0, 0)},
    };
}

void client_inputs_hold(struct client_inputs *inputs, struct frame_command command) {
    inputs->held = command;
    inputs->latched |= command.buttons;
}

static void advance_due(struct client_inputs *inputs, struct mono now) {
    inputs->due = mono_add_ns(inputs->due, inputs->interval_ns);
    if (mono_reached(now, inputs->due)) inputs->due = mono_add_ns(now, inputs->interval_ns);
}

bool client_inputs_sample(struct client_inputs *inputs, struct mono now, uint32_t view_tick, struct frame_input *out) {
    if (!mono_reached(now, inputs->due)) return false;
    advance_due(inputs, now);
    memmove(&inputs->newest[1], &inputs->newest[0], (FRAME_COMMANDS_MAX - 1) * sizeof(inputs->newest[0]));
    inputs->newest[0] = inputs->held;
    inputs->newest[0].buttons |= inputs->latched;
    inputs->latched = 0;
    if (inputs->known < FRAME_COMMANDS_MAX) inputs->known++;
    inputs->seq++;
    inputs->count++;
    inputs->sampled[inputs->seq % CLIENT_INPUTS_TIMED] = now;

    out->count = inputs->known < inputs->repeat ? inputs->known : inputs->repeat;
    out->newest_seq = inputs->seq;
    out->view_tick = view_tick;
    memcpy(out->commands, inputs->newest, sizeof(out->commands));
    return true;
}

uint64_t client_inputs_ack(struct client_inputs *inputs, struct mono now, uint16_t seq) {
    uint16_t age = (uint16_t)(inputs->seq - seq);
    int16_t ahead = (int16_t)(uint16_t)(seq - inputs->acked);
    if (age >= CLIENT_INPUTS_TIMED || age >= inputs->count || ahead <= 0) return 0;
    inputs->acked = seq;
    return mono_since_ns(now, inputs->sampled[seq % CLIENT_INPUTS_TIMED]);
}
