/* keep_pages.h: leaderboards asked of every shard, and merged. A shard that is away, or goes away, is not waited for. */
#ifndef MARCH_MATCHMAKER_KEEP_PAGES_H
#define MARCH_MATCHMAKER_KEEP_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "matchmaker/keep.h"

struct keep_page {
    struct wire_page_ask ask; /* request 0: free */
    uint32_t to_ask, to_tell; /* shards, by bit */
    bool is_whole;
    uint32_t row_count;
    struct wire_page_row rows[WIRE_BOARD_PAGE_MAX]; /* best first */
};
_Static_assert(CONFIG_PERSISTS_MAX <= 32, "shards are bits");

struct keep_pages {
    struct keep_page *pages; /* KEEP_PAGES_MAX */
    uint32_t shard_count, up, count;
    struct wire_page_ask asks[KEEP_PAGES_MAX];
};

must_check int keep_pages_init(struct keep_pages *pages, uint32_t shard_count);
void keep_pages_deinit(struct keep_pages *pages);

/* keep_pages_add asks the shards that are up; a request that is under way stays as it is. MARCH_ERR_FULL. */
must_check int keep_pages_add(struct keep_pages *pages, const struct wire_page_ask *ask);
void keep_pages_up(struct keep_pages *pages, uint32_t shard);
void keep_pages_lost(struct keep_pages *pages, uint32_t shard);
bool keep_pages_fill(struct keep_pages *pages, uint32_t shard, struct wire_match_ask *ask);
void keep_pages_sent(struct keep_pages *pages, uint32_t shard);
void keep_pages_row(struct keep_pages *pages, uint32_t shard, const struct wire_page_row *row);
void keep_pages_end(struct keep_pages *pages, uint32_t shard, const struct wire_page_end *end);

/* keep_pages_done hands out a page that all shards have told, and forgets it; false where there is none. */
bool keep_pages_done(struct keep_pages *pages, struct keep_page *out);

#endif
