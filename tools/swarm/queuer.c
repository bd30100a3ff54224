/* queuer.c: see queuer.h. */
#include "tools/swarm/queuer.h"

#include <string.h>

#include "common/clock.h"

void queuer_init(struct queuer *q, uint32_t index, uint32_t count, uint64_t first, uint32_t party_size) {
    uint32_t leader = index - index % party_size;
    *q = (struct queuer){.player = first + index, .leader = first + leader};
    q->party_size = count - leader < party_size ? count - leader : party_size;
}

void queuer_enter(struct queuer *q) {
    q->act_ms = 0;
    q->is_asked = false;
    q->member_count = 0;
    q->invited_by = 0;
    if (q->state == QUEUER_IDLE) q->state = QUEUER_ENTERING; /* an earlier run may have left it a ticket */
}

/* rest lets it do nothing for a moment, then begin anew. */
static void rest(struct queuer *q, uint64_t now_ns) {
    q->state = QUEUER_IDLE;
    q->instance = 0;
    q->is_asked = false;
    q->act_ms = now_ns / NS_PER_MS + QUEUER_PAUSE_MS;
}

/* --- what is heard */

/* take_ticket counts one that it did not have before. */
static void take_ticket(struct queuer *q, const struct march_ticket *t, uint64_t now_ns, struct queuer_report *report) {
    if (q->ticket == t->ticket) return;
    report->entered++;
    q->ticket = t->ticket;
    q->is_matched = false;
    q->entered_ns = now_ns - (uint64_t)t->waited_ms * NS_PER_MS;
}

static void queue_up(struct queuer *q, const struct march_ticket *t, uint64_t now_ns, struct queuer_report *report) {
    take_ticket(q, t, now_ns, report);
    q->state = QUEUER_QUEUED;
    q->act_ms = now_ns / NS_PER_MS + QUEUER_AGAIN_MS;
}

static void arrive(struct queuer *q, uint64_t now_ns, struct queuer_report *report) {
    q->state = QUEUER_INSIDE;
    report->came++;
    histogram_record(&report->travel_ns, now_ns - q->matched_ns);
}

/* call: it is told where its match is, by its ticket or by the match itself. */
static void call(struct queuer *q, uint32_t instance, uint64_t now_ns, struct queuer_report *report) {
    if (q->instance == instance || q->last_over == instance) return;
    q->instance = instance;
    q->is_asked = false;
    q->matched_ns = now_ns;
    q->state = QUEUER_CALLED;
    if (q->is_beyond) arrive(q, now_ns, report); /* the snapshot overtook the message */
}

static void hear_matched(struct queuer *q, const struct march_ticket *t, uint64_t now_ns, struct queuer_report *report) {
    take_ticket(q, t, now_ns, report); /* it may have been queued and matched at once */
    if (!q->is_matched) {
        report->matched++;
        histogram_record(&report->wait_ns, now_ns - q->entered_ns);
    }
    q->is_matched = true;
    call(q, t->instance, now_ns, report);
}

static void hear_none(struct queuer *q, const struct march_ticket *t, uint64_t now_ns, struct queuer_report *report) {
    bool was_refused = t->reason != MARCH_TICKET_NO_REASON && t->reason != MARCH_TICKET_NOT_FOUND;
    report->refused += was_refused;
    if (q->state == QUEUER_QUEUED && !was_refused) report->forgotten++;
    if (q->state == QUEUER_ENTERING || (q->state == QUEUER_QUEUED && !was_refused)) rest(q, now_ns);
}

static void hear_ticket(struct queuer *q, const struct march_ticket *t, uint64_t now_ns, struct queuer_report *report) {
    switch (t->state) {
    case MARCH_TICKET_NONE: hear_none(q, t, now_ns, report); break;
    case MARCH_TICKET_WAITING:
        queue_up(q, t, now_ns, report);
        q->is_asked = false;
        break;
    case MARCH_TICKET_ASKED:
        queue_up(q, t, now_ns, report);
        q->is_asked = true;
        q->act_ms = q->answered_ms + QUEUER_ANSWER_MS; /* what is told after an answer may still say so */
        break;
    case MARCH_TICKET_MATCHED: hear_matched(q, t, now_ns, report); break;
    case MARCH_TICKET_ENDED:
        if (q->ticket != t->ticket || q->state != QUEUER_QUEUED) break;
        report->timed_out += t->reason == MARCH_TICKET_TIMED_OUT;
        report->ended += t->reason != MARCH_TICKET_TIMED_OUT;
        rest(q, now_ns);
        break;
    default: break;
    }
}

static void hear_match(struct queuer *q, const struct march_match *m, uint64_t now_ns, struct queuer_report *report) {
    if (m->phase != MARCH_MATCH_OVER) {
        call(q, m->instance, now_ns, report);
        return;
    }
    if (q->last_over == m->instance) return;
    q->last_over = m->instance;
    report->played++;
    report->gold += m->gold;
    if (!q->is_beyond && q->instance == m->instance) rest(q, now_ns); /* it never came */
}

static void hear_party(struct queuer *q, const struct march_party *p) {
    q->invited_by = p->invited_by;
    q->member_count = p->leader == q->leader ? p->member_count : 0;
    memcpy(q->members, p->members, sizeof q->members);
}

void queuer_hear(struct queuer *q, const struct march_event *event, uint64_t now_ns, struct queuer_report *report) {
    if (event->kind == MARCH_EVENT_TICKET) hear_ticket(q, &event->ticket, now_ns, report);
    if (event->kind == MARCH_EVENT_PARTY) hear_party(q, &event->party);
    if (event->kind == MARCH_EVENT_MATCH) hear_match(q, &event->match, now_ns, report);
}

/* --- where it is */

void queuer_place(struct queuer *q, bool is_beyond, uint64_t now_ns, struct queuer_report *report) {
    bool was_beyond = q->is_beyond;
    q->is_beyond = is_beyond;
    if (is_beyond && q->state == QUEUER_CALLED) arrive(q, now_ns, report);
    if (!is_beyond && was_beyond) {
        report->returned++;
        q->is_lost = false;
        if (q->state == QUEUER_INSIDE) rest(q, now_ns);
    }
    bool is_strange = is_beyond && (q->state != QUEUER_INSIDE || q->last_over == q->instance);
    if (!is_strange) q->strange_ns = 0;
    if (is_strange && q->strange_ns == 0) q->strange_ns = now_ns;
    if (q->is_lost || !is_strange || now_ns - q->strange_ns < QUEUER_LOST_MS * NS_PER_MS) return;
    q->is_lost = true;
    report->lost++;
}

/* --- what it asks for */

static bool has_member(const struct queuer *q, uint64_t player) {
    for (uint32_t i = 0; i < q->member_count; i++)
        if (q->members[i] == player) return true;
    return false;
}

static bool is_whole(const struct queuer *q) {
    return q->party_size == 1 || q->member_count == q->party_size;
}

/* gather writes what brings a party together: the leader invites who is missing, one after the other. */
static bool gather(struct queuer *q, uint64_t now_ms, struct queuer_ask *ask) {
    *ask = (struct queuer_ask){.kind = QUEUER_ASK_PARTY, .party = MARCH_PARTY_LOOK};
    q->act_ms = now_ms + QUEUER_INVITE_MS;
    if (q->player != q->leader) {
        if (q->invited_by == q->leader) {
            ask->party = MARCH_PARTY_JOIN;
            ask->player = q->leader;
        }
        return true;
    }
    for (uint32_t i = 0; i + 1 < q->party_size; i++) {
        uint64_t player = q->leader + 1 + (q->next_invite + i) % (q->party_size - 1);
        if (has_member(q, player)) continue;
        q->next_invite = (uint32_t)(player - q->leader) % (q->party_size - 1);
        ask->party = MARCH_PARTY_INVITE;
        ask->player = player;
        break;
    }
    return true;
}

static bool look(struct queuer *q, uint64_t now_ms, struct queuer_ask *ask) {
    *ask = (struct queuer_ask){.kind = QUEUER_ASK_TICKET, .ticket = MARCH_TICKET_LOOK};
    q->act_ms = now_ms + QUEUER_AGAIN_MS;
    return true;
}

static bool begin(struct queuer *q, uint64_t now_ns, struct queuer_ask *ask) {
    uint64_t now_ms = now_ns / NS_PER_MS;
    if (!is_whole(q)) return gather(q, now_ms, ask);
    if (q->player != q->leader) return look(q, now_ms, ask);
    *ask = (struct queuer_ask){.kind = QUEUER_ASK_ENTER};
    q->state = QUEUER_ENTERING;
    q->act_ms = now_ms + QUEUER_AGAIN_MS;
    return true;
}

bool queuer_decide(struct queuer *q, bool may_enter, uint64_t now_ns, struct queuer_report *report, struct queuer_ask *ask) {
    uint64_t now_ms = now_ns / NS_PER_MS;
    if (q->state == QUEUER_CALLED && now_ns - q->matched_ns > QUEUER_TRAVEL_MS * NS_PER_MS) {
        report->absent++;
        q->last_over = q->instance; /* whatever is still said of it */
        rest(q, now_ns);
    }
    if (now_ms < q->act_ms) return false;
    if (q->is_asked) {
        *ask = (struct queuer_ask){.kind = QUEUER_ASK_TICKET, .ticket = MARCH_TICKET_READY};
        q->is_asked = false;
        q->answered_ms = now_ms;
        q->act_ms = now_ms + QUEUER_AGAIN_MS;
        return true;
    }
    switch (q->state) {
    case QUEUER_IDLE: return may_enter && begin(q, now_ns, ask);
    case QUEUER_ENTERING:
    case QUEUER_QUEUED: return look(q, now_ms, ask);
    default: return false;
    }
}
