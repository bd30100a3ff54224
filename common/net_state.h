/* net_state.h: the state of an entity as clients are told it, and how both sides predict it.
 *
 * A zone fills one of these per entity and tick; snapshots carry differences between them. Prediction is exact integer
 * arithmetic, the same in the zone and in every client: an entity that keeps its velocity is where prediction says, and
 * need not be sent.
 */
#ifndef MARCH_COMMON_NET_STATE_H
#define MARCH_COMMON_NET_STATE_H

#include <stdint.h>

/* Positions of the simulation are Q16.16 metres; on the wire 1/64 m. */
#define NET_POSITION_PER_M   64
#define NET_POSITION_SHIFT   10 /* Q16.16 >> 10 = 1/64 m */
#define NET_VELOCITY_SHIFT   5  /* Q16.16 position += velocity << 5, each tick */
#define NET_PREDICTION_SHIFT 5  /* 1/64 m position += velocity * ticks >> 5 */

/* A position is a signed number of this many bits: all that Q16.16 metres can say. */
#define NET_POSITION_BITS 22
#define NET_POSITION_MIN  (-(1 << (NET_POSITION_BITS - 1)))
#define NET_POSITION_MAX  ((1 << (NET_POSITION_BITS - 1)) - 1)

/* Prediction stops here (4.8 hours): no int32 overflows on the way. */
#define NET_PREDICTION_TICKS_MAX (1 << 20)

struct net_state {
    int32_t x, y;   /* 1/64 m, world coordinates */
    int16_t vx, vy; /* 2^-11 m per tick */
    uint32_t tick;  /* low 32 bits of the tick at which this held */
    uint8_t kind;   /* what it is: the game's number; never changes in an entity's life */
    uint8_t yaw;    /* 1/256 turn */
    uint8_t health; /* 0 to 255, of the kind's full health */
    uint8_t action; /* what it is doing: the game's number */
};
_Static_assert(sizeof(struct net_state) == 20, "net_state is copied a great deal: keep it packed");

/* net_predict_axis moves one coordinate (1/64 m) by a velocity (2^-11 m per tick) over `ticks`. */
static inline int32_t net_predict_axis(int32_t position, int16_t velocity, int32_t ticks) {
    return position + (int32_t)(((int64_t)velocity * ticks) >> NET_PREDICTION_SHIFT);
}

/* net_ticks_since returns how many ticks a state of tick `since` is to be predicted over to be at `tick`: both are low 32
 * bits; 0 when `since` is the later. */
static inline int32_t net_ticks_since(uint32_t tick, uint32_t since) {
    int32_t ticks = (int32_t)(tick - since);
    if (ticks < 0) return 0;
    return ticks < NET_PREDICTION_TICKS_MAX ? ticks : NET_PREDICTION_TICKS_MAX;
}

#endif
