/* blocks.h: where the parts of the plane are that a configuration sets aside for instances (schemas/cells.h).
 *
 * Blocks lie to the right of the world, one above the other from the world's lower edge on, or from below it where they
 * would pass the end of the plane; those that don't fit go into the next column. Between the world and them, and between two
 * of them, is a gap wider than a view. Where a block is does not depend on how many there are, so there can be more later.
 */
#ifndef MARCH_COMMON_BLOCKS_H
#define MARCH_COMMON_BLOCKS_H

#include <stdint.h>

#include "common/config.h"

#define BLOCKS_CELLS_PER_ROW 16
#define BLOCKS_GAP_M         16 /* beyond the view radius */

/* blocks_gap_m returns the least distance between two cells, and between blocks and the world. */
int32_t blocks_gap_m(const struct config *config);

/* blocks_rect returns where block number `n` is, `n` below blocks_room. */
struct config_rect blocks_rect(const struct config *config, uint32_t n);

/* blocks_room returns how many blocks of the configured size have room, CONFIG_BLOCKS_MAX at most. */
uint32_t blocks_room(const struct config *config);

#endif
