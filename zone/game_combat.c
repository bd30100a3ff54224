#include "common/check.h"
#include "zone/angle.h"
#include "zone/game_rules.h"

/* --- who is there */

uint16_t game_nearest_player(const struct game *game, int32_t x, int32_t y, int32_t radius) {
    const struct entities *e = game->entities;
    int64_t nearest = (int64_t)radius * radius + 1;
    uint16_t found = ENTITY_NONE;
    struct grid_area area = grid_area_around(game->grid, x, y, radius);
    for (uint32_t row = area.row_first; row <= area.row_last; row++) {
        struct grid_run run = grid_row_run(game->grid, area, row);
        for (uint32_t i = run.begin; i < run.end; i++) {
            uint16_t n = game->grid->items[i];
            if (e->kind[n] != GAME_KIND_PLAYER || !game_is_target(game, n)) continue;
            int64_t dx = (int64_t)e->x[n] - x, dy = (int64_t)e->y[n] - y;
            int64_t distance = dx * dx + dy * dy;
            if (distance >= nearest) continue;
            nearest = distance;
            found = n;
        }
    }
    return found;
}

/* A creature bites players only; a player strikes and shoots anything but its friends. */
static bool may_hit(const struct game *game, uint16_t by, uint16_t target) {
    const uint8_t *kind = game->entities->kind;
    return target != by && game_is_target(game, target) &&
           (kind[by] == GAME_KIND_PLAYER || kind[target] == GAME_KIND_PLAYER) && !game_are_friends(game, by, target);
}

/* Before: the cosine of the angle between aim and target is at least STRIKE_COS_Q14; compared as squares. */
static bool is_before(int64_t dx, int64_t dy, uint16_t aim) {
    int64_t dot = (dx * angle_cos(aim) + dy * angle_sin(aim)) >> 14;
    int64_t limit = ((dx * dx + dy * dy) >> 14) * ((int64_t)STRIKE_COS_Q14 * STRIKE_COS_Q14 >> 14);
    return dot >= 0 && dot * dot >= limit;
}

uint16_t game_strike_target(const struct game *game, uint16_t index) {
    const struct entities *e = game->entities;
    int64_t nearest = (int64_t)STRIKE_REACH * STRIKE_REACH + 1;
    uint16_t found = ENTITY_NONE;
    struct grid_area area = grid_area_around(game->grid, e->x[index], e->y[index], STRIKE_REACH);
    for (uint32_t row = area.row_first; row <= area.row_last; row++) {
        struct grid_run run = grid_row_run(game->grid, area, row);
        for (uint32_t i = run.begin; i < run.end; i++) {
            uint16_t n = game->grid->items[i];
            int64_t dx = (int64_t)e->x[n] - e->x[index], dy = (int64_t)e->y[n] - e->y[index];
            int64_t distance = dx * dx + dy * dy;
            if (distance >= nearest || !may_hit(game, index, n) || !is_before(dx, dy, game->bodies[index].aim)) continue;
            if (!game_sees(game, index, e->x[n], e->y[n])) continue;
            nearest = distance;
            found = n;
        }
    }
    return found;
}

/* --- shots */

/* A ray: from (x, y), Q16.16, along the unit vector (ux, uy), Q14. */
struct ray {
    int64_t x, y;
    int64_t ux, uy;
};

/* Returns how far along the ray (Q16.16) it comes nearest to a body that it hits, INT64_MAX when it misses. */
static int64_t ray_hit(const struct ray *ray, int32_t x, int32_t y) {
    int64_t dx = x - ray->x, dy = y - ray->y;
    int64_t along = (dx * ray->ux + dy * ray->uy) >> 14;
    int64_t across = (dx * ray->uy - dy * ray->ux) >> 14;
    bool hit = along > 0 && along <= PLAYER_SHOT_RANGE && across <= BODY_RADIUS && across >= -BODY_RADIUS;
    return hit ? along : INT64_MAX;
}

/* is_reached tells whether a ray enters a body, which it comes nearest to so far `along`, before anything solid. */
static bool is_reached(const struct game *game, uint16_t index, const struct ray *ray, int64_t along, uint16_t target) {
    const struct room *room = game_room(game, index);
    if (!room) return true;
    int64_t dx = game->entities->x[target] - ray->x, dy = game->entities->y[target] - ray->y;
    int64_t across = (dx * ray->uy - dy * ray->ux) >> 14;
    int64_t enters = along - angle_isqrt((uint64_t)((int64_t)BODY_RADIUS * BODY_RADIUS - across * across));
    if (enters <= 0) return true;
    int32_t x = (int32_t)(ray->x + ((enters * ray->ux) >> 14)), y = (int32_t)(ray->y + ((enters * ray->uy) >> 14));
    return room_sees(room, (int32_t)ray->x, (int32_t)ray->y, x, y);
}

static int64_t clamp_to_range(int64_t along) {
    return along < 0 ? 0 : along > PLAYER_SHOT_RANGE ? PLAYER_SHOT_RANGE : along;
}

/* Returns the columns where a ray can hit what stands in one row of cells: those it crosses between the row's edges, each a
 * body's radius (and a little for rounding) further out. */
static struct grid_area row_of_ray(const struct grid *grid, const struct ray *ray, uint32_t row) {
    const int64_t margin = BODY_RADIUS + GAME_METRES(0.125);
    int64_t bottom = grid->origin_y + ((int64_t)row << grid->cell_shift) - margin;
    int64_t top = grid->origin_y + ((int64_t)(row + 1) << grid->cell_shift) + margin;
    int64_t from = 0, to = PLAYER_SHOT_RANGE;
    if (ray->uy > 0) {
        from = clamp_to_range(((bottom - ray->y) * ANGLE_ONE) / ray->uy);
        to = clamp_to_range(((top - ray->y) * ANGLE_ONE) / ray->uy);
    } else if (ray->uy < 0) {
        from = clamp_to_range(((top - ray->y) * ANGLE_ONE) / ray->uy);
        to = clamp_to_range(((bottom - ray->y) * ANGLE_ONE) / ray->uy);
    }
    int64_t x_from = ray->x + ((from * ray->ux) >> 14), x_to = ray->x + ((to * ray->ux) >> 14);
    int64_t x_min = (x_from < x_to ? x_from : x_to) - margin, x_max = (x_from > x_to ? x_from : x_to) + margin;
    return (struct grid_area){grid_column(grid, x_min), grid_column(grid, x_max), row, row};
}

uint16_t game_shot_target(const struct game *game, uint16_t index) {
    const struct entities *e = game->entities;
    uint16_t aim = game->bodies[index].aim;
    struct ray ray = {e->x[index], e->y[index], angle_cos(aim), angle_sin(aim)};
    int64_t end_y = ray.y + ((PLAYER_SHOT_RANGE * ray.uy) >> 14);
    int64_t y_min = (ray.y < end_y ? ray.y : end_y) - BODY_RADIUS, y_max = (ray.y > end_y ? ray.y : end_y) + BODY_RADIUS;

    int64_t nearest = INT64_MAX;
    uint16_t found = ENTITY_NONE;
    for (uint32_t row = grid_row(game->grid, y_min); row <= grid_row(game->grid, y_max); row++) {
        struct grid_run run = grid_row_run(game->grid, row_of_ray(game->grid, &ray, row), row);
        for (uint32_t i = run.begin; i < run.end; i++) {
            uint16_t n = game->grid->items[i];
            int64_t along = ray_hit(&ray, e->x[n], e->y[n]);
            if (along >= nearest || !may_hit(game, index, n) || !is_reached(game, index, &ray, along, n)) continue;
            nearest = along;
            found = n;
        }
    }
    return found;
}

/* --- the phase */

static void act(struct game *game, uint16_t index, enum game_action action, uint32_t cooldown_ticks) {
    game->entities->action[index] = (uint8_t)action;
    game->bodies[index].action_tick = game->tick + ACTION_TICKS;
    game->bodies[index].ready_tick = game->tick + cooldown_ticks;
}

static void fight(struct game *game, uint16_t index) {
    const struct body *body = &game->bodies[index];
    bool player = game->entities->kind[index] == GAME_KIND_PLAYER;
    uint16_t target;
    int16_t damage;
    if (body->buttons & GAME_BUTTON_STRIKE) {
        act(game, index, GAME_ACTION_STRIKE, player ? PLAYER_STRIKE_TICKS : CREATURE_BITE_TICKS);
        target = game_strike_target(game, index);
        damage = player ? PLAYER_STRIKE_DAMAGE : CREATURE_BITE_DAMAGE;
    } else {
        act(game, index, GAME_ACTION_SHOOT, PLAYER_SHOT_TICKS);
        target = game_shot_target(game, index);
        damage = PLAYER_SHOT_DAMAGE;
    }
    if (target == ENTITY_NONE) return;
    game->bodies[index].target = entities_handle(game->entities, target);
    game->bodies[index].target_tick = game->tick;
    if (!entities_is_own(game->entities, target)) {
        if (game->hit_count == GAME_HITS_MAX) return;
        game->hits[game->hit_count++] =
            (struct game_hit){.target = target, .attacker = index, .damage = (uint32_t)game_strength(game, index, damage)};
        return;
    }
    game_hurt(game, target, game_strength(game, index, damage), index);
}

void game_combat(struct game *game, uint64_t tick) {
    CHECK(tick == game->tick);
    const struct entities *e = game->entities;
    for (uint32_t i = 0; i < e->count; i++) {
        const struct body *body = &game->bodies[e->alive[i]];
        if (body->buttons == 0 || body->hit_points == 0 || tick < body->ready_tick) continue; /* so is every ghost */
        fight(game, e->alive[i]);
    }
}
