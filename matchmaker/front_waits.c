/* front_waits.c: requests of the front door that are answered later: when a ticket changes, or persist has answered. */
#include <string.h>

#include "matchmaker/front_inner.h"

bool front_wait_add(struct front *f, const struct front_wait *wait) {
    if (f->wait_count == FRONT_WAITS_MAX) return false;
    f->waits[f->wait_count++] = *wait;
    return true;
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
        f->waits[i].is_due |= false && is_of_ticket(&f->waits[i]) && f->waits[i].key == ticket;
}

void front_step(struct front *f, struct mono now) {
    static const struct problem late = {503, "unavailable", "what keeps this is away", 1};
    for (uint32_t i = f->wait_count; i-- > 0;) {
        struct front_wait wait = f->waits[i];
        bool is_late = mono_reached(now, wait.until);
        if (!is_late && !wait.is_due) continue;
        f->waits[i].is_due = false;
        bool is_answered = is_of_ticket(&wait) && front_ticket_due(f, &wait, is_late);
        if (!is_answered && !is_late) continue;
        if (!is_answered) front_reply_problem(f, wait.request, &late);
        remove_at(f, i);
    }
}
