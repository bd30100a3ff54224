/* network.c: connections between processes, as common/bus.c and schemas/link.h give them; see world.h.
 *
 *   NONE ──both live, and nothing is in the way──► OPENING ──► OPEN ──cut, a death, silence──► BROKEN ──both know──► NONE
 *
 * Each end comes up, and notices the loss, at its own time. What was sent is read in order, batch by batch, behind the
 * receiver's `up`; of what was on its way when a connection broke some first batches still come, until the loss is noticed.
 */
#include <string.h>

#include "tests/sim/world.h"

#define OPEN_MS_MAX   60
#define UP_MS_MAX     25
#define NOTICE_MS_MAX 50

static bool is_gateway(uint32_t node) {
    return node >= NODE_GATEWAY && node < NODE_MATCHMAKER;
}

static bool are_linked(uint32_t a, uint32_t b) { /* a < b */
    return !(is_gateway(a) && is_gateway(b)) && !(a >= NODE_SHARD && b >= NODE_SHARD) && a != b;
}

void network_init(void) {
    for (uint32_t a = 0; a < NODES; a++) {
        for (uint32_t b = a + 1; b < NODES; b++) {
            if (!are_linked(a, b)) continue;
            struct connection *c = &W.connections[W.connection_count++];
            *c = (struct connection){.nodes = {a, b}};
            W.between[a][b] = W.between[b][a] = c;
        }
    }
}

static struct end *end_of(struct connection *c, uint32_t node) {
    return &c->ends[c->nodes[1] == node];
}

static bool is_blocked(const struct connection *c) {
    return c->blocked_ms > W.ms;
}

static void clear(struct pipe *pipe) {
    pipe->head = pipe->count = pipe->unsent = 0;
    pipe->last_ms = 0;
}

/* --- breaking */

/* lose drops some last batches, and what was not flushed. */
static void lose(struct pipe *pipe) {
    pipe->count -= pipe->unsent;
    pipe->unsent = 0;
    uint32_t keep = draw(pipe->count + 1);
    while (keep > 0 && keep < pipe->count &&
           pipe->list[(pipe->head + keep - 1) % PIPE_MAX].batch == pipe->list[(pipe->head + keep) % PIPE_MAX].batch)
        keep--;
    pipe->count = keep;
}

static void break_open(struct connection *c, uint32_t notice_ms) {
    c->state = WAY_BROKEN;
    lose(&W.pipes[c->nodes[0]][c->nodes[1]]);
    lose(&W.pipes[c->nodes[1]][c->nodes[0]]);
    for (int i = 0; i < 2; i++) {
        struct end *end = &c->ends[i];
        end->due_ms = W.ms + draw(notice_ms + 1);
        if (!W.processes[c->nodes[i]].is_alive) *end = (struct end){0};
    }
}

void network_cut(uint32_t a, uint32_t b, uint32_t notice_ms) {
    struct connection *c = W.between[a][b];
    if (!c) return;
    if (c->state == WAY_OPENING) c->state = WAY_NONE;
    if (c->state == WAY_OPEN) break_open(c, notice_ms);
    for (int i = 0; i < 2; i++) /* who died since it broke knows nothing of it */
        if (!W.processes[c->nodes[i]].is_alive) c->ends[i] = (struct end){0};
}

void network_block(uint32_t a, uint32_t b, uint32_t ms) {
    struct connection *c = W.between[a][b];
    if (!c) return;
    if (!is_blocked(c)) c->since_ms = W.ms;
    c->blocked_ms = W.ms + ms;
}

void network_heal(void) {
    for (uint32_t i = 0; i < W.connection_count; i++) W.connections[i].blocked_ms = 0;
}

/* --- a step */

static void open(struct connection *c) {
    c->state = WAY_OPEN;
    clear(&W.pipes[c->nodes[0]][c->nodes[1]]);
    clear(&W.pipes[c->nodes[1]][c->nodes[0]]);
    for (int i = 0; i < 2; i++)
        c->ends[i] = (struct end){.due_ms = W.ms + 1 + draw(UP_MS_MAX), .peer = W.processes[c->nodes[1 - i]].incarnation};
}

static void notice_ups(struct connection *c) {
    for (int i = 0; i < 2; i++) {
        struct end *end = &c->ends[i];
        if (end->is_up || end->due_ms > W.ms || !process_runs(c->nodes[i])) continue;
        end->is_up = true;
        end->due_ms = 0;
        process_up(c->nodes[i], c->nodes[1 - i]);
        if (c->state != WAY_OPEN) return;
    }
}

static bool is_silent(const struct connection *c) {
    if (is_blocked(c) && W.ms - c->since_ms > HEARTBEAT_MS) return true;
    for (int i = 0; i < 2; i++) {
        const struct process *p = &W.processes[c->nodes[i]];
        if (p->stopped_ms > W.ms && W.ms - p->since_ms > HEARTBEAT_MS) return true;
    }
    return false;
}

static void notice_losses(struct connection *c) {
    bool is_over = true;
    for (int i = 0; i < 2; i++) {
        struct end *end = &c->ends[i];
        if (!end->is_up || (end->due_ms <= W.ms && process_runs(c->nodes[i]))) {
            bool was_up = end->is_up;
            *end = (struct end){0};
            if (was_up) process_lost(c->nodes[i], c->nodes[1 - i]);
        } else {
            is_over = false;
        }
    }
    if (is_over && c->state == WAY_BROKEN) c->state = WAY_NONE;
}

static void step(struct connection *c) {
    bool can_open = process_runs(c->nodes[0]) && process_runs(c->nodes[1]) && !is_blocked(c);
    if (c->state == WAY_NONE && can_open) {
        c->state = WAY_OPENING;
        c->open_ms = W.ms + 1 + draw(OPEN_MS_MAX);
    } else if (c->state == WAY_OPENING && !can_open) {
        c->state = WAY_NONE;
    } else if (c->state == WAY_OPENING && c->open_ms <= W.ms) {
        open(c);
    } else if (c->state == WAY_OPEN && is_silent(c)) {
        break_open(c, NOTICE_MS_MAX);
    } else if (c->state == WAY_OPEN) {
        notice_ups(c);
    } else if (c->state == WAY_BROKEN) {
        notice_losses(c);
    }
}

void network_step(void) {
    for (uint32_t i = 0; i < W.connection_count; i++) step(&W.connections[i]);
}

/* --- sending */

bool network_is_up(uint32_t from, uint32_t to) {
    struct connection *c = W.between[from][to];
    return c && end_of(c, from)->is_up;
}

uint64_t network_peer(uint32_t from, uint32_t to) {
    struct connection *c = W.between[from][to];
    return c && end_of(c, from)->is_up ? end_of(c, from)->peer : 0;
}

bool network_send(uint32_t from, uint32_t to, const struct message *message) {
    struct connection *c = W.between[from][to];
    if (!network_is_up(from, to)) return false;
    if (c->state != WAY_OPEN) return true; /* it is lost */
    struct pipe *pipe = &W.pipes[from][to];
    if (pipe->count == PIPE_MAX) fail_run("the pipe from %s to %s is full", process_name(from), process_name(to));
    pipe->list[(pipe->head + pipe->count++) % PIPE_MAX] = *message;
    pipe->unsent++;
    return true;
}

void network_take_back(uint32_t from, uint32_t to, uint64_t session) {
    struct pipe *pipe = &W.pipes[from][to];
    uint32_t first = pipe->head + pipe->count - pipe->unsent, left = 0;
    for (uint32_t i = 0; i < pipe->unsent; i++) {
        struct message m = pipe->list[(first + i) % PIPE_MAX];
        if (m.kind != DETACHED || m.session != session) pipe->list[(first + left++) % PIPE_MAX] = m;
    }
    pipe->count -= pipe->unsent - left;
    pipe->unsent = left;
}

/* sort orders what is not flushed by kind, as a batch has it; what is equal keeps its order. */
static void sort(struct pipe *pipe) {
    uint32_t first = pipe->head + pipe->count - pipe->unsent;
    for (uint32_t i = 1; i < pipe->unsent; i++) {
        struct message m = pipe->list[(first + i) % PIPE_MAX];
        uint32_t at = i;
        for (; at > 0 && pipe->list[(first + at - 1) % PIPE_MAX].kind > m.kind; at--)
            pipe->list[(first + at) % PIPE_MAX] = pipe->list[(first + at - 1) % PIPE_MAX];
        pipe->list[(first + at) % PIPE_MAX] = m;
    }
}

void network_flush(uint32_t from) {
    for (uint32_t to = 0; to < NODES; to++) {
        struct pipe *pipe = &W.pipes[from][to];
        if (pipe->unsent == 0) continue;
        sort(pipe);
        uint64_t at = W.ms + 1 + draw(W.weather.delay_ms);
        if (at > pipe->last_ms) pipe->last_ms = at;
        pipe->batch++;
        for (uint32_t i = pipe->count - pipe->unsent; i < pipe->count; i++) {
            struct message *m = &pipe->list[(pipe->head + i) % PIPE_MAX];
            m->deliver_ms = pipe->last_ms;
            m->batch = pipe->batch;
        }
        pipe->unsent = 0;
    }
}

/* --- delivering */

static bool deliver_one(uint32_t from, uint32_t to) {
    struct pipe *pipe = &W.pipes[from][to];
    struct connection *c = W.between[from][to];
    if (pipe->count == pipe->unsent || !network_is_up(to, from) || is_blocked(c)) return false;
    if (pipe->list[pipe->head].deliver_ms > W.ms) return false;
    struct message m = pipe->list[pipe->head];
    pipe->head = (pipe->head + 1) % PIPE_MAX;
    pipe->count--;
    process_take(to, from, &m);
    return true;
}

void network_deliver(uint32_t to) {
    uint32_t first = draw(NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t from = (first + i) % NODES;
        if (!W.between[from][to]) continue;
        while (W.processes[to].is_alive && deliver_one(from, to)) {
        }
    }
}
