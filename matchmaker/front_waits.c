/* front_waits.c: requests of the front door that are answered later: when a ticket changes, or persist has answered. */
#include <string.h>

#include "matchmaker/front_inner.h"

bool front_wait_add(struct front *f, const struct front_wait *wait) {
    if (f->wait_count == FRONT_WAITS_MAX) return false;
    f->waits[f->wait_count++] = *wait;
    return true;
}

struct problem front_wait_room(const struct front *f) {
    if (f->wait_count < FRONT_WAITS_MAX) return (struct problem){0};
    return (struct problem){503, "busy", "too many requests wait for an answer", 1};
}

static void remove_at(struct front *f, uint32_t index) {
    f->waits[index] = f->waits[--f->wait_count];
}

const struct http_request *front_wait_take(struct front *f, enum front_wait_kind kind, uint64_t key) {
    for (uint32_t i = 0; i < f->wait_count; i++) {
        const struct http_request *request = f->waits[i].request;
        if (f->waits[i].kind != kind || f->waits[i].key != key) continue;
        remove_at(f, i);
        return request;
    }
    return NULL;
}

static bool is_of_ticket(const struct front_wait *wait) {
    return wait->kind == FRONT_WAIT_CREATED || wait->kind == FRONT_WAIT_TICKET;
}

void front_ticket_changed(struct front *f, uint64_t ticket) {
    for (uint32_t i = 0; i < f->wait_count; i++)
        f->waits[i].is_due |= is_of_ticket(&f->waits[i]) && f->waits[i].key == ticket;
}

/* try_answer answers who waits, if that can be; what waits for a mark alone nobody tells of, so it is looked at each turn.
 */
static bool try_answer(struct front *f, const struct front_wait *wait, bool is_late) {
    switch (wait->kind) {
    case FRONT_WAIT_CREATED:
    case FRONT_WAIT_TICKET: return (wait->is_due || is_late) && front_ticket_due(f, wait, is_late);
    case FRONT_WAIT_PARTY: return front_party_due(f, wait);
    case FRONT_WAIT_LAUNCHED:
    case FRONT_WAIT_CHANGED: return front_instance_due(f, wait, is_late);
    case FRONT_WAIT_RESULT:
    case FRONT_WAIT_BOARD: break;
    }
    return false;
}

void front_step(struct front *f, struct mono now) {
    static const struct problem late = {503, "unavailable", "what keeps this is away", 1};
    for (uint32_t i = f->wait_count; i-- > 0;) {
        struct front_wait wait = f->waits[i];
        bool is_late = mono_reached(now, wait.until);
        f->waits[i].is_due = false;
        bool is_answered = try_answer(f, &wait, is_late);
        if (!is_answered && !is_late) continue;
        if (!is_answered) front_reply_problem(f, wait.request, &late);
        remove_at(f, i);
    }
}
