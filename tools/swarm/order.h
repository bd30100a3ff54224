/* order.h: one command of a bot, from its first sending to its definite answer.
 *
 *   NONE ──begin──► DUE ──sent──► SENT ──definite answer──► NONE
 *                    ▲              │ UNAVAILABLE, BUSY, JOURNAL_FULL: after a pause
 *                    └──────────────┤ the connection ended: at once, in the next one
 *                                   └ nothing heard for ORDER_ANSWER_MS
 *
 * It is repeated with the same key until the answer is definite, at most ORDER_PATIENCE_MS; then what became of it is
 * unknown. Pauses grow from ORDER_PAUSE_MS to ORDER_PAUSE_MAX_MS. Pure: time is a parameter.
 */
#ifndef MARCH_SWARM_ORDER_H
#define MARCH_SWARM_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/client/marchland.h"

#define ORDER_PAUSE_MS     100
#define ORDER_PAUSE_MAX_MS 2000
#define ORDER_ANSWER_MS    20000 /* more than a gateway waits for persist, so that a repeat is not for nothing */
#define ORDER_PATIENCE_MS  90000
#define ORDER_UNKNOWN      255 /* the status of one that was given up */

enum order_state { ORDER_NONE = 0, ORDER_DUE, ORDER_SENT };

struct order {
    struct march_command command;
    enum order_state state;
    uint64_t begun_ms;
    uint64_t due_ms;   /* DUE: when it may be sent; SENT: when it is repeated */
    uint64_t begun_ns; /* wall time, for who compares with a database */
    uint32_t sends;
    uint8_t status; /* the last answer; ORDER_UNKNOWN before the first */
    uint64_t object;
};

/* order_begin starts a command, whose key is drawn by the caller. */
void order_begin(struct order *order, const struct march_command *command, uint64_t now_ms, uint64_t wall_ns);

/* order_is_due tells whether it is to be sent now; order_sent says that it was. */
bool order_is_due(struct order *order, uint64_t now_ms);
void order_sent(struct order *order, uint64_t now_ms);

/* order_answer takes an answer; true when it was for this order and definite: then it is over. */
bool order_answer(struct order *order, const struct march_result *result, uint64_t now_ms);

/* order_reconnected has it sent again on a new connection. */
void order_reconnected(struct order *order, uint64_t now_ms);

/* order_is_hopeless tells whether its patience is at an end; the caller records it and calls order_end. */
bool order_is_hopeless(const struct order *order, uint64_t now_ms);
void order_end(struct order *order);

#endif
