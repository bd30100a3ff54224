/* keep_asks.c: see keep_asks.h. */
#include "matchmaker/keep_asks.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define NONE UINT32_MAX

_Static_assert((KEEP_ASKS_MAX & (KEEP_ASKS_MAX - 1)) == 0, "a mask");

int keep_asks_init(struct keep_asks *a, uint32_t shard_count) {
    *a = (struct keep_asks){.shard_count = shard_count};
    a->chains = malloc(KEEP_ASKS_MAX * sizeof *a->chains);
    a->lists = malloc(shard_count * KEEP_ASK_STATE_COUNT * sizeof *a->lists);
    a->filled = calloc(shard_count, sizeof *a->filled);
    a->reads = calloc(WIRE_MATCH_ITEMS_MAX, sizeof *a->reads);
    a->lookups = calloc(WIRE_MATCH_ITEMS_MAX, sizeof *a->lookups);
    a->settles = calloc(WIRE_MATCH_ITEMS_MAX, sizeof *a->settles);
    int error = pool_init(&a->pool, KEEP_ASKS_MAX, sizeof(struct keep_ask));
    if (!a->chains || !a->lists || !a->filled || !a->reads || !a->lookups || !a->settles || error) return MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; i < KEEP_ASKS_MAX; i++) a->chains[i] = NONE;
    for (uint32_t i = 0; i < shard_count * KEEP_ASK_STATE_COUNT; i++) a->lists[i] = (struct keep_list){NONE, NONE};
    return 0;
}

void keep_asks_deinit(struct keep_asks *a) {
    pool_deinit(&a->pool);
    free(a->settles);
    free(a->lookups);
    free(a->reads);
    free(a->filled);
    free(a->lists);
    free(a->chains);
    *a = (struct keep_asks){0};
}

/* --- lists */

static struct keep_ask *at(const struct keep_asks *a, uint32_t index) {
    struct keep_ask *ask = pool_at(&a->pool, index);
    CHECK(ask);
    return ask;
}

static struct keep_list *list_of(const struct keep_asks *a, uint32_t shard, enum keep_ask_state state) {
    return &a->lists[shard * KEEP_ASK_STATE_COUNT + state];
}

static void append(struct keep_asks *a, uint32_t index) {
    struct keep_ask *ask = at(a, index);
    struct keep_list *list = list_of(a, ask->shard, ask->state);
    ask->previous = list->last;
    ask->next = NONE;
    if (list->last == NONE) {
        list->first = index;
    } else {
        at(a, list->last)->next = index;
    }
    list->last = index;
}

static void take_out(struct keep_asks *a, uint32_t index) {
    struct keep_ask *ask = at(a, index);
    struct keep_list *list = list_of(a, ask->shard, ask->state);
    if (ask->previous == NONE) {
        list->first = ask->next;
    } else {
        at(a, ask->previous)->next = ask->next;
    }
    if (ask->next == NONE) {
        list->last = ask->previous;
    } else {
        at(a, ask->next)->previous = ask->previous;
    }
}

static void move(struct keep_asks *a, uint32_t index, enum keep_ask_state state) {
    take_out(a, index);
    at(a, index)->state = state;
    append(a, index);
}

/* --- which is which */

static uint32_t hash_of(enum keep_ask_kind kind, const struct wire_settle *s) {
    uint64_t z = s->player * 0x9e3779b97f4a7c15ULL + s->match + (uint64_t)kind;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    return (uint32_t)(z >> 32) & (KEEP_ASKS_MAX - 1);
}

static bool is_same(const struct keep_ask *ask, enum keep_ask_kind kind, const struct wire_settle *s) {
    if (ask->kind != kind || ask->settle.player != s->player || ask->settle.match != s->match) return false;
    return kind != KEEP_ASK_LOOKUP || strcmp(ask->settle.mode, s->mode) == 0;
}

static uint32_t find(const struct keep_asks *a, enum keep_ask_kind kind, const struct wire_settle *s) {
    uint32_t index = a->chains[hash_of(kind, s)];
    while (index != NONE && !is_same(at(a, index), kind, s)) index = at(a, index)->chain;
    return index;
}

static void forget(struct keep_asks *a, uint32_t index) {
    struct keep_ask *ask = at(a, index);
    uint32_t *link = &a->chains[hash_of(ask->kind, &ask->settle)];
    while (*link != index) link = &at(a, *link)->chain;
    *link = ask->chain;
    take_out(a, index);
    pool_give(&a->pool, pool_handle(&a->pool, index));
}

int keep_asks_add(struct keep_asks *a, uint32_t shard, enum keep_ask_kind kind, const struct wire_settle *s) {
    if (find(a, kind, s) != NONE) return 0;
    struct handle handle = pool_take(&a->pool);
    if (handle_is_null(handle)) return MARCH_ERR_FULL;
    uint32_t *chain = &a->chains[hash_of(kind, s)];
    *at(a, handle.index) = (struct keep_ask){.kind = kind, .shard = shard, .settle = *s, .chain = *chain};
    *chain = handle.index;
    append(a, handle.index);
    return 0;
}

/* --- sending */

static void fill_one(struct keep_asks *a, const struct keep_ask *q, struct wire_match_ask *ask) {
    switch (q->kind) {
    case KEEP_ASK_LOOKUP:
        a->lookups[ask->lookup_count] = (struct wire_rating_lookup){.player = q->settle.player};
        memcpy(a->lookups[ask->lookup_count++].mode, q->settle.mode, sizeof q->settle.mode);
        break;
    case KEEP_ASK_SETTLE: a->settles[ask->settle_count++] = q->settle; break;
    case KEEP_ASK_READ:
        a->reads[ask->read_count++] = (struct wire_document){.kind = (uint32_t)q->settle.match, .key = q->settle.player};
        break;
    }
}

bool keep_asks_fill(struct keep_asks *a, uint32_t shard, struct wire_match_ask *ask) {
    uint32_t count = 0;
    uint32_t index = list_of(a, shard, KEEP_ASK_WAITING)->first;
    for (; index != NONE && count < WIRE_MATCH_ITEMS_MAX; index = at(a, index)->next, count++)
        fill_one(a, at(a, index), ask);
    ask->lookups = a->lookups;
    ask->settles = a->settles;
    ask->reads = a->reads;
    a->filled[shard] = count;
    return count > 0;
}

void keep_asks_sent(struct keep_asks *a, uint32_t shard) {
    for (; a->filled[shard] > 0; a->filled[shard]--) move(a, list_of(a, shard, KEEP_ASK_WAITING)->first, KEEP_ASK_SENT);
}

void keep_asks_lost(struct keep_asks *a, uint32_t shard) {
    a->filled[shard] = 0;
    while (list_of(a, shard, KEEP_ASK_SENT)->first != NONE)
        move(a, list_of(a, shard, KEEP_ASK_SENT)->first, KEEP_ASK_WAITING);
}

/* --- answers */

static uint32_t find_sent(const struct keep_asks *a, uint32_t shard, enum keep_ask_kind kind, const struct wire_settle *s) {
    uint32_t index = find(a, kind, s);
    return index != NONE && at(a, index)->shard == shard && at(a, index)->state == KEEP_ASK_SENT ? index : NONE;
}

bool keep_asks_answered(struct keep_asks *a, uint32_t shard, enum keep_ask_kind kind, const struct wire_settle *s) {
    uint32_t index = find_sent(a, shard, kind, s);
    if (index == NONE) return false;
    forget(a, index);
    return true;
}

void keep_asks_put_off(struct keep_asks *a, uint32_t shard, enum keep_ask_kind kind, const struct wire_settle *s,
                       struct mono due) {
    uint32_t index = find_sent(a, shard, kind, s);
    if (index == NONE) return;
    at(a, index)->due = due;
    move(a, index, KEEP_ASK_LATER);
}

void keep_asks_step(struct keep_asks *a, struct mono now) {
    for (uint32_t shard = 0; shard < a->shard_count; shard++) {
        const struct keep_list *later = list_of(a, shard, KEEP_ASK_LATER);
        while (later->first != NONE && mono_reached(now, at(a, later->first)->due)) move(a, later->first, KEEP_ASK_WAITING);
    }
}

bool keep_asks_take(struct keep_asks *a, uint32_t shard, struct keep_ask *out) {
    uint32_t index = list_of(a, shard, KEEP_ASK_WAITING)->first;
    if (index == NONE) return false;
    *out = *at(a, index);
    forget(a, index);
    return true;
}
