/* Views against a client's table over a lossy link, against a naive twin for interest, and at their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/view_fixture.h"
#include "zone/view_layout.h"

#define BYTES_MAX   1100
#define RADIUS_M    60
#define FLIGHT_MAX  256
#define TICKS_APART 3

static const struct views_config config = {
    .clients_max = 4,
    .entities_max = 2048,
    .slots_max = 1024,
    .error_near_max = 4,
    .error_far_max = 8,
    .yaw_error_max = 4,
};

static struct view *view_at(const struct views *views, uint32_t client) {
    return (struct view *)(void *)(views->arena + client * views->view_bytes);
}

static bool slot_occupied(const struct view *view, uint32_t slot) {
    return view->chunks[slot / 64].occupied >> slot % 64 & 1;
}

/* --- a link that delays, loses and reorders; the client takes snapshots in order only, as the session layer does */

struct packet {
    uint32_t due;
    bool ack;
    uint16_t seq;
    size_t len;
    uint8_t bytes[BYTES_MAX];
};

struct link {
    struct packet packets[FLIGHT_MAX];
    uint32_t count;
    uint32_t loss_percent, delay, jitter; /* ticks */
};

static void link_send(struct link *link, struct fixture *f, uint32_t now, const struct packet *packet) {
    if (fixture_random(f, 100) < link->loss_percent) return;
    assert_true(link->count < FLIGHT_MAX);
    struct packet *slot = &link->packets[link->count++];
    *slot = *packet;
    slot->due = now + link->delay + (link->jitter ? fixture_random(f, link->jitter) : 0);
}

static bool link_receive(struct link *link, uint32_t now, struct packet *packet) {
    for (uint32_t i = 0; i < link->count; i++) {
        if (link->packets[i].due > now) continue;
        *packet = link->packets[i];
        memmove(&link->packets[i], &link->packets[i + 1], (link->count - i - 1) * sizeof(link->packets[0]));
        link->count--;
        return true;
    }
    return false;
}

struct client {
    uint32_t own, index;
    struct snapshot_table *table;
    struct link link;
    uint64_t *member; /* the naive twin's picture of who is in view: ids by index, or 0 */
    bool has_members; /* the view is not new */
};

static struct client *client_create(const struct fixture *f, uint32_t index, uint32_t own) {
    struct client *client = calloc(1, sizeof(*client));
    client->own = own;
    client->index = index;
    client->table = snapshot_table_create(config.slots_max);
    client->member = calloc(f->capacity, sizeof(uint64_t));
    client->link.delay = 4;
    return client;
}

static void client_destroy(struct client *client) {
    snapshot_table_destroy(client->table);
    free(client->member);
    free(client);
}

static void client_poll(struct client *client, struct views *views, struct fixture *f) {
    struct packet packet;
    while (link_receive(&client->link, f->world.tick, &packet)) {
        if (packet.ack) {
            view_ack(views, client->index, packet.seq);
            continue;
        }
        if (client->table->any && (int16_t)(packet.seq - client->table->header.seq) <= 0) continue;
        assert_int_equal(snapshot_table_read(client->table, packet.bytes, packet.len), 0);
        struct packet ack = {.ack = true, .seq = packet.seq};
        link_send(&client->link, f, f->world.tick, &ack);
    }
}

static struct view_result client_build(struct client *client, struct views *views, struct fixture *f) {
    struct view_request request = fixture_request(f, client->own, RADIUS_M);
    struct view_result result;
    struct packet packet = {0};
    view_build(views, client->index, &f->world, &request, packet.bytes, BYTES_MAX, &result);
    packet.seq = result.seq;
    packet.len = result.len;
    assert_true(result.len > 0 && result.len <= BYTES_MAX);
    link_send(&client->link, f, f->world.tick, &packet);
    return result;
}

/* --- what must hold */

/* Every baseline the view would build on stands in the client's table, bit for bit, for the same entity. */
static void assert_baselines_agree(const struct views *views, const struct client *client, const struct fixture *f) {
    const struct view *view = view_at(views, client->index);
    for (uint32_t slot = 0; slot < view->chunks_used * 64u; slot++) {
        const struct view_baseline *baseline = &view->chunks[slot / 64].baselines[slot % 64];
        const struct view_record *record = &view->chunks[slot / 64].records[slot % 64];
        if (!slot_occupied(view, slot) || !baseline->known) continue;
        const struct snapshot_slot *seen = &client->table->slots[slot];
        assert_true(seen->known >> baseline->version % 16 & 1);
        assert_memory_equal(&seen->states[baseline->version % 16], &baseline->state, sizeof(struct net_state));
        if (f->entities[record->entity].generation == record->generation) {
            assert_true(seen->id == f->entities[record->entity].id);
        }
    }
}

static uint64_t distance2(const struct fixture *f, uint32_t a, uint32_t b) {
    int64_t dx = f->entities[a].state.x - f->entities[b].state.x, dy = f->entities[a].state.y - f->entities[b].state.y;
    return (uint64_t)(dx * dx + dy * dy);
}

/* The naive twin of interest: looks at every entity. */
static void assert_interest_agrees(const struct views *views, struct client *client, const struct fixture *f) {
    const struct view *view = view_at(views, client->index);
    uint64_t inner = RADIUS_M * NET_POSITION_PER_M, outer = inner + inner / 10;
    bool seen[2048] = {0};
    for (uint32_t slot = 0; slot < view->chunks_used * 64u; slot++) {
        if (!slot_occupied(view, slot)) continue;
        uint32_t e = view->chunks[slot / 64].records[slot % 64].entity;
        assert_false(seen[e]);
        seen[e] = true;
    }
    for (uint32_t e = 0; e < f->capacity; e++) {
        uint64_t d2 = distance2(f, e, client->own);
        uint64_t id = f->entities[e].id;
        bool stays = client->member[e] == id || !client->has_members;
        bool member = f->alive[e] && (d2 <= inner * inner || (stays && d2 <= outer * outer));
        client->member[e] = member ? id : 0;
        if (seen[e] != member) fail_msg("entity %u: seen %d, twin %d", e, seen[e], member);
    }
    client->has_members = true;
}

/* What the client would draw is the truth, but for what the thresholds let pass. */
static void assert_table_tells_truth(const struct views *views, const struct client *client, const struct fixture *f) {
    const struct view *view = view_at(views, client->index);
    for (uint32_t slot = 0; slot < config.slots_max; slot++) {
        const struct snapshot_slot *seen = &client->table->slots[slot];
        assert_int_equal(seen->id != 0, slot / 64 < view->chunks_used && slot_occupied(view, slot));
        if (seen->id == 0) continue;
        const struct view_entity *entity = &f->entities[view->chunks[slot / 64].records[slot % 64].entity];
        const struct net_state *truth = &entity->state, *state = &seen->states[seen->newest];
        int32_t ticks = net_ticks_since(truth->tick, state->tick);
        assert_true(seen->id == entity->id);
        assert_true(abs(truth->x - net_predict_axis(state->x, state->vx, ticks)) <= 8);
        assert_true(abs(truth->y - net_predict_axis(state->y, state->vy, ticks)) <= 8);
        assert_true(abs((int8_t)(truth->yaw - state->yaw)) <= 4);
        assert_int_equal(truth->kind, state->kind);
        assert_int_equal(truth->health, state->health);
        assert_int_equal(truth->action, state->action);
    }
    assert_true(client->table->slots[0].id == f->entities[client->own].id);
}

/* --- the long run */

static void disturb(struct fixture *f, uint32_t own_count) {
    for (uint32_t e = 0; e < f->capacity; e++) {
        uint32_t roll = fixture_random(f, 4000);
        if (!f->alive[e]) {
            if (roll < 20) fixture_spawn_anywhere(f, e);
        } else if (roll < 60) {
            fixture_turn(f, e);
        } else if (roll < 80) {
            f->entities[e].state.health = (uint8_t)fixture_random(f, 256);
        } else if (roll < 90) {
            f->entities[e].state.action = (uint8_t)fixture_random(f, 8);
        } else if (roll < 95) {
            fixture_place(f, e, fixture_random_place(f), fixture_random_place(f)); /* a jump */
        } else if (roll < 99 && e >= own_count) {
            f->alive[e] = false;
        }
    }
    uint32_t lucky = own_count + fixture_random(f, f->capacity - own_count); /* an index reused at once */
    if (f->alive[lucky] && fixture_random(f, 10) == 0) fixture_spawn_anywhere(f, lucky);
}

static void settle(struct client *clients[], uint32_t count, struct views *views, struct fixture *f) {
    for (uint32_t c = 0; c < count; c++) clients[c]->link.loss_percent = 0;
    for (uint32_t tick = 0; tick < 240; tick++) {
        f->world.tick++;
        fixture_publish(f);
        for (uint32_t c = 0; c < count; c++) {
            client_poll(clients[c], views, f);
            if (tick < 200 && tick % TICKS_APART == c % TICKS_APART) client_build(clients[c], views, f);
        }
    }
    for (uint32_t c = 0; c < count; c++) assert_table_tells_truth(views, clients[c], f);
}

static void stop_all(struct fixture *f) {
    for (uint32_t e = 0; e < f->capacity; e++) f->entities[e].state.vx = f->entities[e].state.vy = 0;
}

static void run_link(uint64_t seed, uint32_t loss_percent, uint32_t delay, uint32_t jitter) {
    enum { CLIENTS = 3, TICKS = 3000 };
    struct fixture *f = fixture_create(600, 400, seed);
    struct views *views = views_create(&config);
    struct client *clients[CLIENTS];
    for (uint32_t e = 0; e < 400; e++) fixture_spawn_anywhere(f, e);
    for (uint32_t c = 0; c < CLIENTS; c++) {
        clients[c] = client_create(f, c, c);
        clients[c]->link.delay = delay;
        clients[c]->link.jitter = jitter;
    }
    for (uint32_t tick = 0; tick < TICKS; tick++) {
        fixture_step(f);
        disturb(f, CLIENTS);
        fixture_publish(f);
        for (uint32_t c = 0; c < CLIENTS; c++) {
            clients[c]->link.loss_percent = tick % 1000 > 900 ? 100 : loss_percent; /* now and then nothing passes */
            client_poll(clients[c], views, f);
            if (tick % TICKS_APART != c % TICKS_APART) continue;
            client_build(clients[c], views, f);
            assert_interest_agrees(views, clients[c], f);
            assert_baselines_agree(views, clients[c], f);
        }
    }
    stop_all(f);
    settle(clients, CLIENTS, views, f);
    const struct views_stats *stats = views_stats(views);
    assert_true(stats->updates > stats->full_updates * 2); /* deltas are the rule */
    assert_true(stats->lost > 0 && stats->removals > 0);
    assert_int_equal(stats->slots_full, 0);
    for (uint32_t c = 0; c < CLIENTS; c++) client_destroy(clients[c]);
    views_destroy(views);
    fixture_destroy(f);
}

static void test_view_lossy_link_table_is_what_the_zone_believes(void **state) {
    (void)state;
    run_link(1, 10, 4, 0);
}

static void test_view_reordering_link_table_is_what_the_zone_believes(void **state) {
    (void)state;
    run_link(2, 10, 2, 8);
}

static void test_view_slow_link_table_is_what_the_zone_believes(void **state) {
    (void)state;
    run_link(3, 30, 40, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_lossy_link_table_is_what_the_zone_believes),
        cmocka_unit_test(test_view_reordering_link_table_is_what_the_zone_believes),
        cmocka_unit_test(test_view_slow_link_table_is_what_the_zone_believes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
