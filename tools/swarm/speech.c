/* speech.c: see speech.h. */
#include "tools/swarm/speech.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void speech_line(uint32_t number, struct wire_client_message *line) {
    *line = (struct wire_client_message){.kind = WIRE_CLIENT_SAY};
    int len = snprintf(line->say, sizeof(line->say), "%" PRIu32 " ", number);
    memset(line->say + len, 'a', WIRE_TEXT_MAX - (size_t)len);
}

enum speech_verdict speech_hear(struct speech *speech, const char *text) {
    uint32_t number = (uint32_t)strtoul(text, NULL, 10);
    struct wire_client_message line;
    speech_line(number, &line);
    bool is_next = number == speech->expected || (speech->may_skip && number > speech->expected);
    if (number < speech->said) speech->expected = number + 1;
    speech->may_skip = false;
    return is_next && number < speech->said && strcmp(text, line.say) == 0 ? SPEECH_IN_ORDER : SPEECH_DISORDER;
}
