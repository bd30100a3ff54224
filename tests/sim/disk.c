/* disk.c: persist/journal.h on a made-up disk: what gathers goes there as one block after another, and each is durable some
 * time later. A crash leaves what was durable, and the block that was on its way whole or not at all, as its check sum
 * tells. Now and then there is no room. What persist/journal.c itself does is told by its own tests. See world.h. */
#include "persist/journal.h"

#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

#define BLOCK_MS_MAX 20
#define HELD_UP_MS   400 /* now and then */
#define FULL_MS      300

uint64_t journal_durable(const struct journal *j) {
    return j->durable;
}

bool journal_is_full(const struct journal *j) {
    return j->full_ms > W.ms;
}

const uint8_t *journal_id(const struct journal *j) {
    static const uint8_t id[JOURNAL_ID_BYTES] = {1};
    (void)j;
    return id;
}

int journal_append(struct journal *j, uint16_t type, const void *bytes, size_t len, uint64_t *position) {
    if (!journal_is_full(j) && W.weather.full && chance(40)) j->full_ms = W.ms + draw(FULL_MS);
    if (journal_is_full(j)) return MARCH_ERR_FULL;
    if (j->appended == RECORDS_MAX) fail_run("a journal has too many records");
    struct record *record = &j->records[j->appended++];
    CHECK(len <= sizeof record->bytes);
    record->type = type;
    record->len = (uint16_t)len;
    memcpy(record->bytes, bytes, len);
    *position = j->appended;
    return 0;
}

void journal_update(struct journal *j, struct mono t) {
    (void)t;
    if (j->flying > j->durable && j->done_ms <= W.ms) j->durable = j->flying;
    if (j->flying > j->durable || j->appended == j->durable) return;
    j->flying = j->appended;
    j->done_ms = W.ms + 1 + draw(!W.is_quiet && chance(10) ? HELD_UP_MS : BLOCK_MS_MAX);
}

void journal_release(struct journal *j, uint64_t position) {
    CHECK(position <= j->durable);
    if (position > j->released) j->released = position;
}

void disk_crash(struct journal *j) {
    if (chance(2)) j->durable = j->flying;
    j->appended = j->flying = j->durable;
}

void disk_recover(struct journal *j, uint64_t applied, struct motion *motion, struct grants *grants) {
    if (applied < j->released)
        fail_run("the journal is released up to %llu, and applied up to %llu", (unsigned long long)j->released,
                 (unsigned long long)applied);
    if (applied > j->durable) fail_run("the journal ends before what is applied");
    for (uint64_t position = applied + 1; position <= j->durable; position++) {
        const struct record *record = &j->records[position - 1];
        int result = record->type == MOTION_RECORD ? motion_replay(motion, position, record->bytes, record->len)
                                                   : grants_replay(grants, position, record->bytes, record->len);
        if (result) fail_run("record %llu is not taken again", (unsigned long long)position);
        W.seen.replayed++;
    }
}
