/* angle.h: directions in integers, the same to the bit on every machine and at every level of optimisation.
 *
 * An angle is a uint16: 65,536 to a turn, 0 along +x, rising towards +y. Unit vectors are Q14.
 */
#ifndef MARCH_ZONE_ANGLE_H
#define MARCH_ZONE_ANGLE_H

#include <stdint.h>

#define ANGLE_ONE     16384  /* 1.0 in Q14 */
#define ANGLE_QUARTER 0x4000 /* a quarter of a turn */

/* angle_sin returns the sine in Q14: the odd polynomial of fifth order that is exact, and level, at a quarter turn, with the
 * slope of the sine at 0: z (A - z^2 (B - z^2 C)), A = pi/2, B = pi - 5/2, C = pi/2 - 3/2. Wrong by 0.02 % of one at most.
 */
static inline int32_t angle_sin(uint16_t angle) {
    int32_t z = angle & (ANGLE_QUARTER - 1);
    if (angle & ANGLE_QUARTER) z = ANGLE_QUARTER - z;
    int32_t z2 = (z * z) >> 14;
    int32_t sine = (z * (25736 - ((z2 * (10512 - ((z2 * 1160) >> 14))) >> 14))) >> 14;
    return angle & 0x8000 ? -sine : sine;
}

static inline int32_t angle_cos(uint16_t angle) {
    return angle_sin((uint16_t)(angle + ANGLE_QUARTER));
}

/* angle_of returns the direction of a vector, within a quarter of a degree; 0 for the zero vector. In the first octant, with
 * r = dy/dx, atan r is near pi/4 r + 0.273 r (1 - r). */
static inline uint16_t angle_of(int64_t dx, int64_t dy) {
    int64_t ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy;
    int64_t longer = ax > ay ? ax : ay, shorter = ax > ay ? ay : ax;
    if (longer == 0) return 0;
    int64_t r = (shorter << 14) / longer;
    uint16_t angle = (uint16_t)((r * (8192 + ((2847 * (ANGLE_ONE - r)) >> 14))) >> 14);
    if (ay > ax) angle = (uint16_t)(ANGLE_QUARTER - angle);
    if (dx < 0) angle = (uint16_t)(0x8000 - angle);
    return dy < 0 ? (uint16_t)-angle : angle;
}

/* angle_isqrt returns the whole part of a square root. */
static inline uint32_t angle_isqrt(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = 1ULL << 62; bit; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)root;
}

#endif
