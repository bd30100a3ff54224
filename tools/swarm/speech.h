/* speech.h: what a bot says, and a check that it hears itself: each line exactly once and in order.
 *
 * A bot's lines are numbered and as long as the protocol allows. They take the whole way: reliable stream up, bus, zone,
 * bus, reliable stream down. Lines on their way while the bot's zone is lost may be lost with it; nothing else may lose,
 * repeat or reorder one.
 */
#ifndef MARCH_SWARM_SPEECH_H
#define MARCH_SWARM_SPEECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/wire.h"

/* Zones let a player speak twice a second. */
#define SPEECH_HZ_MAX 2

enum speech_verdict {
    SPEECH_IN_ORDER = 0,
    SPEECH_DISORDER, /* a line was lost, came twice, or overtook another */
    SPEECH_VERDICT_COUNT
};

/* All zero is a bot that has said nothing. */
struct speech {
    uint64_t next_ms;  /* when to say the next line */
    uint32_t said;     /* lines */
    uint32_t expected; /* line to be heard next */
    bool may_skip;     /* lines were lost with a session or a zone */
};

/* speech_line fills a message with the line of a number. */
void speech_line(uint32_t number, struct wire_client_message *line);

/* speech_hear judges a line of the bot's own that it heard. */
enum speech_verdict speech_hear(struct speech *speech, const char *text);

#endif
