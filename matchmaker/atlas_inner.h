/* atlas_inner.h: what the parts of the atlas share. Not for others.
 *
 *   atlas.c          who is there, who is dead, who is fenced; the step, and a version out of the draft
 *   atlas_begin.c    what it begins with
 *   atlas_plan.c     partitions: given to spares, drained, split, merged
 *   atlas_balance.c  split and merged by load
 */
#ifndef MARCH_MATCHMAKER_ATLAS_INNER_H
#define MARCH_MATCHMAKER_ATLAS_INNER_H

#include "matchmaker/atlas.h"

/* atlas_begin makes the first draft out of what was held. */
void atlas_begin(struct atlas *atlas, struct mono now);

/* atlas_directory_is_sound tells whether somebody's directory can be gone on from: it has a world, no overlap, ids that
 * differ, numbers that a world can have. */
bool atlas_directory_is_sound(const struct wire_directory *directory);

/* atlas_bury takes the partitions off a slot whose incarnation has died. */
void atlas_bury(struct atlas *atlas, uint32_t slot);

/* atlas_plan moves what can move: one step of everything under way. */
void atlas_plan(struct atlas *atlas);

/* atlas_balance splits or merges at most one partition. */
void atlas_balance(struct atlas *atlas, struct mono now);

/* atlas_is_present tells whether a slot's incarnation is listed, connected, and has reported. */
bool atlas_is_present(const struct atlas *atlas, uint32_t slot);

/* atlas_spare_for returns the least loaded worker that can take partition `index` of the draft, or ATLAS_NONE. */
uint32_t atlas_spare_for(const struct atlas *atlas, uint32_t index);

/* atlas_index_of finds a partition of the draft by its id, or ATLAS_NONE. */
uint32_t atlas_index_of(const struct atlas *atlas, uint32_t id);

/* atlas_union tells whether two rectangles that touch are one, and which. */
bool atlas_union(const struct wire_rect *a, const struct wire_rect *b, struct wire_rect *out);

uint32_t atlas_owned_count(const struct atlas *atlas, uint32_t slot);
uint32_t atlas_former_count(const struct atlas *atlas, uint32_t slot);

static inline uint64_t atlas_bit(uint32_t slot) {
    return 1ULL << slot;
}

#endif
