/* entities.h: everything that stands in a zone, as a structure of arrays.
 *
 * An entity is an index into the arrays. Indices are stable for its whole life, so that per-client views may hold them; a
 * freed index is reused last-freed first. `alive` lists the indices in use without gaps; every loop over the entities goes
 * through it, so its order (a function of the history of spawns and removals) is part of the simulated state. Across ticks
 * and modules travel handles, which tell a reused index by its generation.
 *
 * The arrays the movement and publish phases walk (position, velocity) stand apart from the rest: 12 bytes an entity, so a
 * zone of 4,000 keeps them in the first-level cache.
 *
 * Limits: at most ENTITIES_MAX entities, fixed at creation. A full zone refuses to spawn. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_ENTITIES_H
#define MARCH_ZONE_ENTITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define ENTITIES_MAX 65535 /* indices fit in 16 bits, with one value left for "none" */
#define ENTITY_NONE  0xffff
#define ENTITY_OWN   0xff /* ghost_of: no ghost, but simulated here */

/* A reference to an entity that outlives ticks. Generation 0 is never in use: a zeroed handle refers to nothing. */
struct entity_handle {
    uint32_t index;
    uint32_t generation;
};

struct entities {
    /* hot: one pass of movement and publish */
    int32_t *x, *y;   /* Q16.16 metres, world coordinates */
    int16_t *vx, *vy; /* 2^-11 m per tick */

    /* what clients are told besides */
    uint8_t *kind;   /* the game's number; never changes in an entity's life */
    uint8_t *yaw;    /* 1/256 turn */
    uint8_t *health; /* 0 to 255, of the kind's full health */
    uint8_t *action; /* the game's number */
    uint64_t *id;    /* unique in the cluster: zone index << 48 | incarnation << 32 | counter */

    uint8_t *ghost_of; /* slot of the zone that simulates it, ENTITY_OWN: this one */

    uint16_t *alive;      /* the first `count` are the indices in use */
    uint16_t *alive_at;   /* where in `alive` an index stands; ENTITY_NONE when it is free */
    uint32_t *generation; /* of the entity that has, or last had, the index */
    uint16_t *free_list;  /* the first `capacity - count` are free */
    uint16_t *by_id;      /* open addressing: indices at the hash of their id; ENTITY_NONE: free */
    uint32_t by_id_mask;
    uint32_t count; /* ghosts included */
    uint32_t ghost_count;
    uint32_t capacity;
    uint64_t next_id;
};

/* entities_create makes room for `capacity` entities, 1 to ENTITIES_MAX. Ids start at zone_index << 48 | incarnation << 32
 * | 1. Returns NULL when there is no memory. */
struct entities *entities_create(uint32_t capacity, uint16_t zone_index, uint16_t incarnation);
void entities_destroy(struct entities *entities);

/* entities_spawn adds an entity, all zero but its kind, id and place (Q16.16), and stores its index. MARCH_ERR_FULL when
 * there is no room. */
must_check int entities_spawn(struct entities *entities, uint8_t kind, int32_t x, int32_t y, uint16_t *index);

/* entities_spawn_as does the same under an id that another zone gave, which no living entity here has; `ghost_of` is the
 * slot of that zone, or ENTITY_OWN for one that is simulated here from now on. */
must_check int entities_spawn_as(struct entities *entities, uint64_t id, uint8_t ghost_of, uint8_t kind, int32_t x,
                                 int32_t y, uint16_t *index);

/* entities_set_ghost makes an entity a ghost of a zone, or with ENTITY_OWN one of our own; all else stays as it is, so that
 * views do not notice. */
void entities_set_ghost(struct entities *entities, uint16_t index, uint8_t ghost_of);

/* entities_find returns the index of the living entity with an id, ENTITY_NONE when there is none. */
uint16_t entities_find(const struct entities *entities, uint64_t id);

/* entities_remove frees the index of a living entity. The last entry of `alive` takes its place in the list. */
void entities_remove(struct entities *entities, uint16_t index);

static inline bool entities_is_alive(const struct entities *entities, uint16_t index) {
    return index < entities->capacity && entities->alive_at[index] != ENTITY_NONE;
}

static inline bool entities_is_own(const struct entities *entities, uint16_t index) {
    return entities->ghost_of[index] == ENTITY_OWN;
}

static inline struct entity_handle entities_handle(const struct entities *entities, uint16_t index) {
    return (struct entity_handle){index, entities->generation[index]};
}

/* entities_index returns the index a handle refers to, or ENTITY_NONE when that entity is gone. */
static inline uint16_t entities_index(const struct entities *entities, struct entity_handle handle) {
    if (handle.index >= entities->capacity || entities->alive_at[handle.index] == ENTITY_NONE) return ENTITY_NONE;
    return entities->generation[handle.index] == handle.generation ? (uint16_t)handle.index : ENTITY_NONE;
}

#endif
