/* game_rooms.c: what stands in the rooms of instances, by instance: a table with open addressing. */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "zone/game_rules.h"

#define INDEX_SIZE (2 * WIRE_INSTANCES_MAX) /* a power of two */
#define INDEX_FREE 0xffff

struct game_rooms {
    uint32_t count;
    uint16_t index[INDEX_SIZE];
    struct {
        uint32_t instance;
        struct room room;
    } items[WIRE_INSTANCES_MAX]; /* the first `count` */
};

struct game_rooms *game_rooms_create(void) {
    struct game_rooms *rooms = calloc(1, sizeof *rooms);
    if (rooms) memset(rooms->index, 0xff, sizeof rooms->index);
    return rooms;
}

static uint16_t *entry_of(struct game_rooms *rooms, uint32_t instance) {
    for (uint32_t at = instance * 2654435769u;; at++) {
        uint16_t *entry = &rooms->index[at % INDEX_SIZE];
        if (*entry == INDEX_FREE || rooms->items[*entry].instance == instance) return entry;
    }
}

static void clear(struct game_rooms *rooms, uint32_t place) {
    rooms->items[place] = rooms->items[--rooms->count];
    memset(rooms->index, 0xff, sizeof rooms->index);
    for (uint32_t i = 0; i < rooms->count; i++) *entry_of(rooms, rooms->items[i].instance) = (uint16_t)i;
}

void game_furnish(struct game *game, uint32_t instance, const struct room *room) {
    struct game_rooms *rooms = game->rooms;
    uint16_t *entry = entry_of(rooms, instance);
    if (room && room->count > 0) {
        uint32_t place = *entry != INDEX_FREE ? *entry : rooms->count++;
        CHECK(place < WIRE_INSTANCES_MAX);
        *entry = (uint16_t)place;
        rooms->items[place].instance = instance;
        rooms->items[place].room = *room;
    } else if (*entry != INDEX_FREE) {
        clear(rooms, *entry);
    }
}

const struct room *game_room(const struct game *game, uint16_t index) {
    uint32_t instance = game->rooms->count > 0 ? game_journey(game, index)->instance : 0;
    if (instance == 0) return NULL;
    uint16_t place = *entry_of(game->rooms, instance);
    return place != INDEX_FREE ? &game->rooms->items[place].room : NULL;
}

void game_step_aside(struct game *game, uint16_t index) {
    const struct room *room = game_room(game, index);
    if (room) room_leave(room, &game->entities->x[index], &game->entities->y[index]);
}

/* First along x, then along y from there: where one is blocked the other goes on. */
void game_walk(struct game *game, const struct room *room, uint16_t index, int32_t from_x, int32_t from_y) {
    struct entities *e = game->entities;
    int32_t x = room_walk_x(room, from_x, from_y, e->x[index]);
    int32_t y = room_walk_y(room, x, from_y, e->y[index]);
    if (x != e->x[index]) e->vx[index] = 0;
    if (y != e->y[index]) e->vy[index] = 0;
    e->x[index] = x;
    e->y[index] = y;
}
