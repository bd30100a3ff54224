#include "persist/document_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define CAPACITY_FIRST 1024

int document_table_init(struct document_table *t) {
    *t = (struct document_table){
        .capacity = CAPACITY_FIRST, .free = DOCUMENT_NONE, .head = DOCUMENT_NONE, .tail = DOCUMENT_NONE};
    t->entries = malloc(CAPACITY_FIRST * sizeof *t->entries);
    t->buckets = malloc(CAPACITY_FIRST * sizeof *t->buckets);
    if (!t->entries || !t->buckets) {
        document_table_deinit(t);
        return MARCH_ERR_SYSTEM;
    }
    memset(t->buckets, 0xff, CAPACITY_FIRST * sizeof *t->buckets);
    return 0;
}

void document_table_deinit(struct document_table *t) {
    for (uint32_t i = t->head; i != DOCUMENT_NONE; i = t->entries[i].after) free(t->entries[i].bytes);
    free(t->entries);
    free(t->buckets);
    *t = (struct document_table){.head = DOCUMENT_NONE};
}

/* --- chains; keys are the matchmaker's, so nobody else can make them collide */

static uint32_t *bucket_of(const struct document_table *t, uint32_t kind, uint64_t key) {
    uint64_t z = (key ^ (uint64_t)kind << 61) * 0x9e3779b97f4a7c15;
    return &t->buckets[(z ^ z >> 32) & (t->capacity - 1)];
}

static uint32_t *bucket_of_entry(const struct document_table *t, const struct document_entry *entry) {
    return bucket_of(t, entry->document.kind, entry->document.key);
}

uint32_t document_table_find(const struct document_table *t, uint32_t kind, uint64_t key) {
    uint32_t i = *bucket_of(t, kind, key);
    while (i != DOCUMENT_NONE && (t->entries[i].document.key != key || t->entries[i].document.kind != kind))
        i = t->entries[i].chain;
    return i;
}

static void chain(struct document_table *t, uint32_t index) {
    uint32_t *bucket = bucket_of_entry(t, &t->entries[index]);
    t->entries[index].chain = *bucket;
    *bucket = index;
}

/* grow doubles the room, of a table in which no entry is free. */
static int grow(struct document_table *t) {
    if (t->capacity == DOCUMENT_TABLE_MAX) return MARCH_ERR_FULL;
    uint32_t capacity = 2 * t->capacity;
    struct document_entry *entries = realloc(t->entries, capacity * sizeof *entries);
    if (!entries) return MARCH_ERR_SYSTEM;
    t->entries = entries;
    uint32_t *buckets = realloc(t->buckets, capacity * sizeof *buckets);
    if (!buckets) return MARCH_ERR_SYSTEM;
    t->buckets = buckets;
    t->capacity = capacity;
    memset(buckets, 0xff, capacity * sizeof *buckets);
    for (uint32_t i = 0; i < t->used; i++) chain(t, i);
    return 0;
}

/* --- the queue */

static void unlink_entry(struct document_table *t, uint32_t index) {
    const struct document_entry *entry = &t->entries[index];
    *(entry->before == DOCUMENT_NONE ? &t->head : &t->entries[entry->before].after) = entry->after;
    *(entry->after == DOCUMENT_NONE ? &t->tail : &t->entries[entry->after].before) = entry->before;
}

static void push(struct document_table *t, uint32_t index) {
    t->entries[index].before = t->tail;
    t->entries[index].after = DOCUMENT_NONE;
    *(t->tail == DOCUMENT_NONE ? &t->head : &t->entries[t->tail].after) = index;
    t->tail = index;
}

/* --- entries */

static uint32_t take_free(struct document_table *t) {
    if (t->free == DOCUMENT_NONE) return t->used++;
    uint32_t index = t->free;
    t->free = t->entries[index].chain;
    return index;
}

void document_table_remove(struct document_table *t, uint32_t index) {
    struct document_entry *entry = &t->entries[index];
    uint32_t *link = bucket_of_entry(t, entry);
    while (*link != index) link = &t->entries[*link].chain;
    *link = entry->chain;
    unlink_entry(t, index);
    t->count--;
    t->bytes -= entry->document.len;
    free(entry->bytes);
    entry->chain = t->free;
    t->free = index;
}

int document_table_put(struct document_table *t, const struct wire_document *document, const uint8_t *bytes,
                       uint64_t position) {
    uint32_t index = document_table_find(t, document->kind, document->key);
    if (index != DOCUMENT_NONE && t->entries[index].document.version >= document->version) return 0;
    bool is_new = index == DOCUMENT_NONE ? (document->flags & WIRE_DOCUMENT_NEW) != 0 : t->entries[index].is_new;
    if (is_new && index != DOCUMENT_NONE && document->len == 0) {
        document_table_remove(t, index);
        return 0;
    }
    int result = index == DOCUMENT_NONE && t->count == t->capacity ? grow(t) : 0;
    if (result) return result;
    uint8_t *copy = document->len > 0 ? malloc(document->len) : NULL;
    if (document->len > 0 && !copy) return MARCH_ERR_SYSTEM;
    if (copy) memcpy(copy, bytes, document->len);
    if (index != DOCUMENT_NONE) document_table_remove(t, index);
    index = take_free(t);
    t->entries[index] =
        (struct document_entry){.document = *document, .bytes = copy, .position = position, .is_new = is_new};
    chain(t, index);
    push(t, index);
    t->count++;
    t->bytes += document->len;
    return 0;
}
