/* block_pool.h: fixed blocks of 1 KiB that the reliable messages of many channels share.
 *
 * One pool for each process (gateway) or client. It is allocated once; taking and giving back are O(1) and never allocate.
 * When it is empty, block_pool_take says so and the caller pushes back on its peer. Blocks are named by index, so lists of
 * them cost four bytes a link. Single-threaded.
 */
#ifndef MARCH_COMMON_BLOCK_POOL_H
#define MARCH_COMMON_BLOCK_POOL_H

#include <stdint.h>

#include "common/error.h"
#include "common/frame.h"

#define BLOCK_NONE     UINT32_MAX
#define BLOCK_SENT_IN  4       /* packets remembered that a block went out in */
#define BLOCK_POOL_MAX 1000000 /* blocks: 1 GiB */

/* A fragment of a message, waiting to be acknowledged (sender) or to be complete (receiver). The book-keeping of channel.c
 * lies here and not in the channel, since nearly all channels have no message under way. */
struct block {
    uint32_t next;                   /* of the same list; BLOCK_NONE at its end */
    uint32_t position;               /* sender: ordinal of this fragment in the stream */
    uint32_t sent_us;                /* sender: when last sent */
    uint32_t sent_in[BLOCK_SENT_IN]; /* sender: newest packets it went in; slot = sends % BLOCK_SENT_IN */
    uint16_t sends;                  /* sender: how often sent */
    uint16_t message_id;
    uint16_t len;
    uint8_t index;
    uint8_t last_index;
    uint8_t bytes[FRAME_FRAGMENT_BYTES];
};

struct block_pool {
    struct block *blocks;
    uint32_t size;
    uint32_t taken;
    uint32_t touched;   /* blocks from here on were never taken: they cost address space only */
    uint32_t free_head; /* of blocks given back: the last one is the first taken, warm in the cache */
};

/* block_pool_init allocates `size` blocks, 1 to BLOCK_POOL_MAX. Returns 0, MARCH_ERR_INVALID or MARCH_ERR_SYSTEM. */
must_check int block_pool_init(struct block_pool *pool, uint32_t size);

/* block_pool_deinit frees the pool; blocks still taken go with it. */
void block_pool_deinit(struct block_pool *pool);

/* block_pool_take returns the index of a block with undefined content, or BLOCK_NONE when all are taken. */
uint32_t block_pool_take(struct block_pool *pool);

/* block_pool_give returns a block to the pool. */
void block_pool_give(struct block_pool *pool, uint32_t index);

#endif
