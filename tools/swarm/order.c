/* order.c: see order.h. */
#include "tools/swarm/order.h"

void order_begin(struct order *order, const struct march_command *command, uint64_t now_ms, uint64_t wall_ns) {
    *order = (struct order){.command = *command,
                            .state = ORDER_DUE,
                            .begun_ms = now_ms,
                            .due_ms = now_ms,
                            .begun_ns = wall_ns,
                            .status = ORDER_UNKNOWN};
}

bool order_is_due(struct order *order, uint64_t now_ms) {
    if (order->state == ORDER_SENT && now_ms >= order->due_ms) order->state = ORDER_DUE; /* nothing heard */
    return order->state == ORDER_DUE && now_ms >= order->due_ms;
}

void order_sent(struct order *order, uint64_t now_ms) {
    order->sends++;
    order->state = ORDER_SENT;
    order->due_ms = now_ms + ORDER_ANSWER_MS;
}

static bool is_definite(uint8_t status) {
    return status != MARCH_STATUS_UNAVAILABLE && status != MARCH_STATUS_BUSY && status != MARCH_STATUS_JOURNAL_FULL;
}

bool order_answer(struct order *order, const struct march_result *result, uint64_t now_ms) {
    if (order->state == ORDER_NONE || result->key != order->command.key) return false;
    order->status = result->status;
    order->object = result->object;
    if (is_definite(result->status)) return true;
    uint64_t pause_ms = ORDER_PAUSE_MS;
    for (uint32_t i = 1; i < order->sends && pause_ms < ORDER_PAUSE_MAX_MS; i++) pause_ms *= 2;
    order->state = ORDER_DUE;
    order->due_ms = now_ms + (pause_ms < ORDER_PAUSE_MAX_MS ? pause_ms : ORDER_PAUSE_MAX_MS);
    return false;
}

void order_reconnected(struct order *order, uint64_t now_ms) {
    if (order->state == ORDER_NONE) return;
    order->state = ORDER_DUE;
    order->due_ms = now_ms;
}

bool order_is_hopeless(const struct order *order, uint64_t now_ms) {
    return order->state != ORDER_NONE && now_ms - order->begun_ms >= ORDER_PATIENCE_MS;
}

void order_end(struct order *order) {
    order->state = ORDER_NONE;
}
