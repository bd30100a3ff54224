/* item_kinds.h: what kinds of items there are.
 *
 * A small table that every process knows: zones pick loot from it, persist checks stacks and uses by it, clients name things
 * by it. Kinds are numbered from 1; 0 stands for gold wherever a kind names what is counted. Numbers are kept for ever,
 * because rows in the database carry them: a kind is only ever added at the end. Unknown kinds are answered with NULL.
 */
#ifndef MARCH_COMMON_ITEM_KINDS_H
#define MARCH_COMMON_ITEM_KINDS_H

#include <stdint.h>

#define ITEM_STACK_MAX 999u /* no kind stacks higher */

enum item_kind {
    ITEM_KIND_GOLD = 0, /* not an item: what double-entry rows call currency */
    ITEM_KIND_HEALING_POTION = 1,
    ITEM_KIND_HERB = 2,
    ITEM_KIND_ORE = 3,
    ITEM_KIND_SWORD = 4,
    ITEM_KIND_BOW = 5,
    ITEM_KIND_ARMOUR = 6,
    ITEM_KIND_GEM = 7,
    ITEM_KIND_COUNT = 8
};

/* What using one of an item does to its owner. What has an effect is used up by it, one at a time. */
enum item_effect {
    ITEM_EFFECT_NONE = 0, /* can't be used */
    ITEM_EFFECT_HEAL = 1  /* `power` hit points */
};

struct item_kind_info {
    uint32_t kind;
    const char *name;
    uint32_t stack_max; /* 1 to ITEM_STACK_MAX */
    enum item_effect effect;
    uint32_t power; /* of the effect; of what has none, how good it is in a fight */
};

/* item_kind_find returns what is known of a kind; NULL for gold and for numbers that name none. */
const struct item_kind_info *item_kind_find(uint32_t kind);

/* item_kind_named is the same by name. */
const struct item_kind_info *item_kind_named(const char *name);

#endif
