/* live.c: see live.h. */
#include "tools/queuesim/live.h"

#include "common/check.h"
#include "matchmaker/queue.h"

struct live {
    const struct day *day;
    struct outcome *outcome;
    uint32_t now_ms;
};

static struct mono at(uint32_t ms) {
    return mono_add_ms((struct mono){NS_PER_S}, ms);
}

static void on_match(struct live *live, const struct queue_match *match) {
    uint32_t tickets[MODE_PLAYERS_MAX], count = 0;
    for (uint32_t i = 0; i < match->seat_count; i++) { /* the seats of a ticket are neighbours */
        uint32_t ticket = live->day->ticket_of[match->seats[i].player - 1];
        if (count == 0 || tickets[count - 1] != ticket) tickets[count++] = ticket;
    }
    outcome_match(live->outcome, live->day, tickets, count, match->gap, live->now_ms);
}

static void on_event(void *ctx, const struct queue_event *event) {
    struct live *live = ctx;
    if (event->kind == QUEUE_EVENT_MATCHED) on_match(live, event->match);
    if (event->kind != QUEUE_EVENT_ENDED) return;
    CHECK(event->end == QUEUE_TIMED_OUT);
    live->outcome->timed_out++;
}

static int enter(struct live *live, struct queue *queue, const struct day_ticket *ticket) {
    struct queue_request request = {.player_count = ticket->count, .players = &live->day->players[ticket->first]};
    struct handle handle;
    live->now_ms = ticket->entered_ms;
    return queue_enter(queue, &request, at(live->now_ms), &handle);
}

static int play(struct live *live, struct queue *queue) {
    uint32_t next = 0;
    for (uint32_t step_ms = LIVE_STEP_MS; step_ms <= DAY_MS; step_ms += LIVE_STEP_MS) {
        for (; next < live->day->ticket_count && live->day->tickets[next].entered_ms <= step_ms; next++) {
            int result = enter(live, queue, &live->day->tickets[next]);
            if (result != 0) return result;
        }
        live->now_ms = step_ms;
        while (queue_step(queue, at(step_ms))) continue;
    }
    return 0;
}

int live_run(const struct day *day, struct outcome *outcome) {
    struct live live = {day, outcome, 0};
    struct queue_config config = {.mode_count = 1,
                                  .region_count = DAY_REGIONS,
                                  .modes = &day->mode,
                                  .tickets_max = day->ticket_count + 1,
                                  .players_max = day->player_count + 1,
                                  .checks_max = 1,
                                  .backfills_max = 1,
                                  .first_match = 1,
                                  .seed = 1,
                                  .on_event = on_event,
                                  .ctx = &live};
    struct queue *queue = NULL;
    int result = queue_create(&queue, &config, at(0));
    if (result != 0) return result;
    result = play(&live, queue);
    queue_destroy(queue);
    return result;
}
