/* item_kinds.c: the table. */
#include "common/item_kinds.h"

#include <stddef.h>
#include <string.h>

static const struct item_kind_info kinds[] = {
    {ITEM_KIND_HEALING_POTION, "healing potion", 20, ITEM_EFFECT_HEAL, 50},
    {ITEM_KIND_HERB, "herb", 99, ITEM_EFFECT_HEAL, 5},
    {ITEM_KIND_ORE, "ore", 99, ITEM_EFFECT_NONE, 0},
    {ITEM_KIND_SWORD, "sword", 1, ITEM_EFFECT_NONE, 12},
    {ITEM_KIND_BOW, "bow", 1, ITEM_EFFECT_NONE, 9},
    {ITEM_KIND_ARMOUR, "armour", 1, ITEM_EFFECT_NONE, 10},
    {ITEM_KIND_GEM, "gem", ITEM_STACK_MAX, ITEM_EFFECT_NONE, 0},
};

_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == ITEM_KIND_COUNT - 1, "every kind but gold has its row");

const struct item_kind_info *item_kind_find(uint32_t kind) {
    if (kind == ITEM_KIND_GOLD || kind >= ITEM_KIND_COUNT) return NULL;
    return &kinds[kind - 1];
}

const struct item_kind_info *item_kind_named(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}
