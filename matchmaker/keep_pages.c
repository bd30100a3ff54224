/* keep_pages.c: see keep_pages.h. */
#include "matchmaker/keep_pages.h"

#include <stdlib.h>
#include <string.h>

int keep_pages_init(struct keep_pages *p, uint32_t shard_count) {
    *p = (struct keep_pages){.shard_count = shard_count};
    p->pages = calloc(KEEP_PAGES_MAX, sizeof *p->pages);
    return p->pages ? 0 : MARCH_ERR_SYSTEM;
}

void keep_pages_deinit(struct keep_pages *p) {
    free(p->pages);
    *p = (struct keep_pages){0};
}

static struct keep_page *find(const struct keep_pages *p, uint64_t request) {
    for (uint32_t i = 0; i < KEEP_PAGES_MAX; i++)
        if (p->pages[i].ask.request == request) return &p->pages[i];
    return NULL;
}

int keep_pages_add(struct keep_pages *p, const struct wire_page_ask *ask) {
    if (find(p, ask->request)) return 0;
    struct keep_page *page = find(p, 0);
    if (!page) return MARCH_ERR_FULL;
    page->ask = *ask;
    page->to_ask = page->to_tell = p->up;
    page->is_whole = p->up == (1u << p->shard_count) - 1;
    page->row_count = 0;
    p->count++;
    return 0;
}

void keep_pages_up(struct keep_pages *p, uint32_t shard) {
    p->up |= 1u << shard;
}

static void give_up(struct keep_page *page, uint32_t shard) {
    page->to_ask &= ~(1u << shard);
    page->to_tell &= ~(1u << shard);
    page->is_whole = false;
}

void keep_pages_lost(struct keep_pages *p, uint32_t shard) {
    p->up &= ~(1u << shard);
    for (uint32_t i = 0; i < KEEP_PAGES_MAX; i++)
        if (p->pages[i].to_tell >> shard & 1) give_up(&p->pages[i], shard);
}

bool keep_pages_fill(struct keep_pages *p, uint32_t shard, struct wire_match_ask *ask) {
    for (uint32_t i = 0; i < KEEP_PAGES_MAX; i++)
        if (p->pages[i].to_ask >> shard & 1) p->asks[ask->page_count++] = p->pages[i].ask;
    ask->pages = p->asks;
    return ask->page_count > 0;
}

void keep_pages_sent(struct keep_pages *p, uint32_t shard) {
    for (uint32_t i = 0; i < KEEP_PAGES_MAX; i++) p->pages[i].to_ask &= ~(1u << shard);
}

/* --- merging */

static bool is_better(const struct wire_page_row *a, const struct wire_page_row *b) {
    return a->points != b->points ? a->points > b->points : a->player < b->player; /* as each shard does */
}

void keep_pages_row(struct keep_pages *p, uint32_t shard, const struct wire_page_row *row) {
    struct keep_page *page = row->request != 0 ? find(p, row->request) : NULL;
    if (!page || !(page->to_tell >> shard & 1) || page->to_ask >> shard & 1) return;
    uint32_t at = page->row_count;
    while (at > 0 && is_better(row, &page->rows[at - 1])) at--;
    if (at == page->ask.count) return;
    if (page->row_count < page->ask.count) page->row_count++;
    memmove(&page->rows[at + 1], &page->rows[at], (page->row_count - 1 - at) * sizeof *page->rows);
    page->rows[at] = *row;
}

void keep_pages_end(struct keep_pages *p, uint32_t shard, const struct wire_page_end *end) {
    struct keep_page *page = end->request != 0 ? find(p, end->request) : NULL;
    if (!page || !(page->to_tell >> shard & 1) || page->to_ask >> shard & 1) return;
    page->to_tell &= ~(1u << shard);
    if (end->result != WIRE_MATCH_OK) page->is_whole = false;
}

bool keep_pages_done(struct keep_pages *p, struct keep_page *out) {
    for (uint32_t i = 0; i < KEEP_PAGES_MAX && p->count > 0; i++) {
        struct keep_page *page = &p->pages[i];
        if (page->ask.request == 0 || page->to_tell != 0) continue;
        *out = *page;
        page->ask.request = 0;
        p->count--;
        return true;
    }
    return false;
}
