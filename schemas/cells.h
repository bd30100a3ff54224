/* cells.h: where instances are: in parts of the plane that nobody walks to, cut into cells.
 *
 * A *block* is a partition of the directory like any other: a worker owns it, it drains, and a spare takes it over when its
 * owner dies. It lies beyond the world, farther than anybody sees, and nobody walks in or out. Its id has
 * CELLS_BLOCK_BIT. A cell has room for one instance; between two cells is a gap wider than a view, so who is in one sees,
 * hears and hits nobody in another.
 *
 *     world      | gap |  block 0: cells 0 1 2 3 ..            pitch = side + view radius + CELLS_GAP_M
 *                      |           16 per row
 *
 * So an instance needs nothing of a zone that the world does not need, and whoever stands in a cell belongs to the block's
 * owner, as everywhere.
 */
#ifndef MARCH_SCHEMAS_CELLS_H
#define MARCH_SCHEMAS_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/blocks.h"
#include "common/config.h"
#include "schemas/wire.h"

#define CELLS_BLOCK_BIT 0x80000000u
#define CELLS_PER_ROW   BLOCKS_CELLS_PER_ROW
#define CELLS_GAP_M     BLOCKS_GAP_M

struct cells {
    uint32_t per_block; /* 0: there are no blocks */
    int32_t side_m, pitch_m;
};

static inline bool cells_is_block(uint32_t partition) {
    return (partition & CELLS_BLOCK_BIT) != 0;
}

/* cells_of tells how the blocks of a configuration are cut. */
struct cells cells_of(const struct config *config);

/* cells_rect returns the rectangle of a cell, metres, `cell` below per_block. */
struct wire_rect cells_rect(const struct cells *cells, const struct wire_directory_partition *block, uint32_t cell);

/* cells_near returns which cell of a block a place (Q16.16 metres) is in, or nearest to. */
uint32_t cells_near(const struct cells *cells, const struct wire_directory_partition *block, int32_t x, int32_t y);

/* cells_at returns which cell of a block a place (Q16.16 metres) is in; false in a gap. */
bool cells_at(const struct cells *cells, const struct wire_directory_partition *block, int32_t x, int32_t y, uint32_t *cell);

/* cells_block_rect returns the rectangle of block number `n` of a configuration, metres: beyond the world of its zones
 * (common/blocks.h). */
struct wire_rect cells_block_rect(const struct config *config, uint32_t n);

#endif
