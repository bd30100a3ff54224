/* test_wire_match.c: messages of matches and instances survive packing and reading; malformed ones are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/wire.h"

static int builder_setup(void **state) {
    *state = wire_builder_create(WIRE_BUS_BYTES_MAX);
    return 0;
}

static int builder_teardown(void **state) {
    wire_builder_destroy(*state);
    return 0;
}

#define COUNT(items)                 (sizeof(items) / sizeof *(items))
#define assert_items(got, count, in) (assert_int_equal(count, COUNT(in)), assert_memory_equal(got, in, sizeof(in)))

static void full_name(char (*name)[WIRE_MODE_NAME_MAX + 1]) {
    for (int i = 0; i < WIRE_MODE_NAME_MAX; i++) (*name)[i] = (char)('a' + i % 26);
    (*name)[WIRE_MODE_NAME_MAX] = 0;
}

static void open_packed(const struct wire_bytes *bytes, size_t bound, enum wire_bus_kind kind, struct wire_bus_view *view) {
    assert_true(bytes->len <= bound);
    assert_int_equal(wire_bus_open(bytes->data, bytes->len, view), 0);
    assert_int_equal(view->kind, kind);
}

/* try_with puts `len` bytes over what stands at a place of an opened message, opens it so, and takes them back. */
static int try_with(const struct wire_bytes *bytes, const void *place, const void *with, size_t len) {
    uint8_t *at = (uint8_t *)(uintptr_t)place, was[64];
    assert_true(len <= sizeof was && at >= bytes->data && at + len <= bytes->data + bytes->len);
    memcpy(was, at, len);
    memcpy(at, with, len);
    struct wire_bus_view view;
    int error = wire_bus_open(bytes->data, bytes->len, &view);
    memcpy(at, was, len);
    assert_int_equal(wire_bus_open(bytes->data, bytes->len, &view), 0);
    return error;
}

static int try_u32(const struct wire_bytes *bytes, const uint32_t *place, uint32_t value) {
    return try_with(bytes, place, &value, sizeof value);
}

static void refuse_u32(const struct wire_bytes *bytes, const uint32_t *place, uint32_t value) {
    assert_int_equal(try_u32(bytes, place, value), MARCH_ERR_INVALID);
}

/* A name must end in a zero, be UTF-8 without control characters and, unless it may be missing, have a byte. */
static void refuse_bad_names(const struct wire_bytes *bytes, const char *name, bool may_miss) {
    char endless[WIRE_MODE_NAME_MAX + 1];
    memset(endless, 'a', sizeof endless);
    assert_int_equal(try_with(bytes, name, endless, sizeof endless), MARCH_ERR_INVALID);
    assert_int_equal(try_with(bytes, name, "\xff", 2), MARCH_ERR_INVALID);
    assert_int_equal(try_with(bytes, name, "a\n", 3), MARCH_ERR_INVALID);
    assert_int_equal(try_with(bytes, name, "", 1), may_miss ? 0 : MARCH_ERR_INVALID);
    assert_int_equal(try_with(bytes, name, "duel", 5), 0);
}

static void refuse_bad_documents(const struct wire_bytes *bytes, const struct wire_document *document, uint32_t blob_len) {
    refuse_u32(bytes, &document->offset, blob_len + 1);
    refuse_u32(bytes, &document->offset, UINT32_MAX);
    refuse_u32(bytes, &document->len, blob_len - document->offset + 1);
    refuse_u32(bytes, &document->len, UINT32_MAX);
    refuse_u32(bytes, &document->len, WIRE_DOCUMENT_BYTES_MAX + 1);
    assert_int_equal(try_u32(bytes, &document->len, WIRE_DOCUMENT_BYTES_MAX), 0);
}

static void refuse_bad_number(const struct wire_bytes *bytes, const double *number) {
    assert_int_equal(try_with(bytes, number, &(double){NAN}, sizeof(double)), MARCH_ERR_INVALID);
    assert_int_equal(try_with(bytes, number, &(double){-INFINITY}, sizeof(double)), MARCH_ERR_INVALID);
}

static uint8_t blob[WIRE_DOCUMENT_BYTES_MAX + 64] = "ticket party";

static struct wire_document documents[] = {
    {.key = 1, .version = 1ULL << 40, .kind = WIRE_DOCUMENT_TICKET, .offset = 0, .len = 6},
    {.key = UINT64_MAX, .version = 2, .kind = WIRE_DOCUMENT_PARTY, .offset = 7, .len = 5}};
static struct wire_document reads[] = {{.key = 3, .kind = WIRE_DOCUMENT_RESULT}};

static void test_wire_match_ask_round_trips(void **state) {
    struct wire_rating_lookup lookups[] = {{.player = 4}, {.player = 5, .mode = "duel"}};
    full_name(&lookups[0].mode);
    struct wire_settle settles[] = {{.match = 6, .player = 7, .mu = 25.5, .sigma = 8.25, .gold = 1ULL << 50}, {.match = 8}};
    settles[0].item_kind = 9, settles[0].item_count = 10, settles[0].season = 11, settles[0].points = -12;
    settles[0].flags = WIRE_SETTLE_RATED, settles[0].is_won = 1;
    full_name(&settles[0].mode);
    struct wire_page_ask pages[] = {{.request = 13, .season = 14, .count = WIRE_BOARD_PAGE_MAX, .mode = "arena"}};
    struct wire_match_ask in = {.seq = 1ULL << 33, .recalls = true, .documents = documents, .reads = reads};
    in.lookups = lookups, in.settles = settles, in.pages = pages, in.blob = blob, in.blob_len = sizeof blob;
    in.document_count = COUNT(documents), in.read_count = COUNT(reads), in.lookup_count = COUNT(lookups);
    in.settle_count = COUNT(settles), in.page_count = COUNT(pages);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_match_ask_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_match_ask_bytes(&in), WIRE_BUS_MATCH_ASK, &view);
    const struct wire_match_ask *out = &view.match_ask;
    assert_true(out->seq == in.seq && out->recalls);
    assert_items(out->documents, out->document_count, documents);
    assert_items(out->reads, out->read_count, reads);
    assert_items(out->lookups, out->lookup_count, lookups);
    assert_items(out->settles, out->settle_count, settles);
    assert_items(out->pages, out->page_count, pages);
    assert_items(out->blob, out->blob_len, blob);

    refuse_bad_documents(&bytes, &out->documents[1], sizeof blob);
    refuse_bad_documents(&bytes, &out->reads[0], sizeof blob);
    refuse_bad_names(&bytes, out->lookups[1].mode, false);
    refuse_bad_names(&bytes, out->settles[1].mode, true);
    refuse_bad_number(&bytes, &out->settles[1].mu);
    refuse_bad_number(&bytes, &out->settles[1].sigma);
    refuse_bad_names(&bytes, out->pages[0].mode, false);
    refuse_u32(&bytes, &out->pages[0].count, 0);
    refuse_u32(&bytes, &out->pages[0].count, WIRE_BOARD_PAGE_MAX + 1);
}

static void test_wire_match_told_round_trips(void **state) {
    struct wire_rating ratings[] = {{.player = 1, .mu = 30.5, .sigma = 2.5, .rated_at_s = 1ULL << 35, .mode = "duel"},
                                    {.player = 2, .result = WIRE_MATCH_UNAVAILABLE}};
    ratings[0].season = 3, ratings[0].played = 4, ratings[0].won = 5, ratings[0].result = WIRE_MATCH_OK;
    full_name(&ratings[1].mode);
    struct wire_settled settled[] = {{.match = 6, .player = 7, .result = WIRE_MATCH_REFUSED}};
    struct wire_page_row rows[] = {{.request = 8, .player = 9, .points = -10, .played = 11, .won = 12, .name = "ann"},
                                   {.request = 8, .player = 10}};
    struct wire_page_end ends[] = {{.request = 8, .result = WIRE_MATCH_OK}, {.request = 9, .result = 1}};
    struct wire_match_told in = {.durable_seq = 1ULL << 34, .is_recalled = true, .documents = documents, .reads = reads};
    in.ratings = ratings, in.settled = settled, in.rows = rows, in.ends = ends, in.blob = blob, in.blob_len = sizeof blob;
    in.document_count = COUNT(documents), in.read_count = COUNT(reads), in.rating_count = COUNT(ratings);
    in.settled_count = COUNT(settled), in.row_count = COUNT(rows), in.end_count = COUNT(ends);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_match_told_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_match_told_bytes(&in), WIRE_BUS_MATCH_TOLD, &view);
    const struct wire_match_told *out = &view.match_told;
    assert_true(out->durable_seq == in.durable_seq && out->is_recalled);
    assert_items(out->documents, out->document_count, documents);
    assert_items(out->reads, out->read_count, reads);
    assert_items(out->ratings, out->rating_count, ratings);
    assert_items(out->settled, out->settled_count, settled);
    assert_items(out->rows, out->row_count, rows);
    assert_items(out->ends, out->end_count, ends);
    assert_items(out->blob, out->blob_len, blob);

    refuse_bad_documents(&bytes, &out->documents[0], sizeof blob);
    refuse_bad_documents(&bytes, &out->reads[0], sizeof blob);
    refuse_bad_names(&bytes, out->ratings[0].mode, false);
    refuse_bad_number(&bytes, &out->ratings[0].mu);
    refuse_bad_number(&bytes, &out->ratings[0].sigma);
    refuse_bad_names(&bytes, out->rows[0].name, true);
}

static struct wire_instance_order full_order(void) {
    struct wire_instance_order o = {.seed = UINT64_MAX - 1, .ends_at_ms = 1ULL << 41, .id = 1, .block = 2, .cell = 3};
    o.state = WIRE_INSTANCE_END, o.version = 4, o.side_m = 5, o.goals = WIRE_GOAL_CLEARED | WIRE_GOAL_LOST, o.kills = 6;
    o.lives = 7, o.rise_ms = 8, o.empty_ms = 9, o.team_count = WIRE_TEAMS_MAX, o.wave = 10;
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) o.scores[i] = 100 + i;
    o.first_wave = 1, o.wave_count = 1, o.first_spot = 0, o.spot_count = 2, o.first_box = 1, o.box_count = 2;
    o.first_member = 1, o.member_count = 2;
    return o;
}

static void test_wire_match_orders_round_trip(void **state) {
    struct wire_instance_order instances[] = {{.id = 9}, full_order()};
    struct wire_instance_wave waves[] = {{1, 2, 1, 100, 200, 0}, {4, 5, 0, 50, 75, 0}};
    struct wire_instance_spot spots[] = {{1, 2, 3, 0xffff}, {4, 5, 6, 1}};
    struct wire_instance_box boxes[] = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 0xffff}};
    struct wire_instance_member members[] = {{.player = 1, .team = 7}, {.player = UINT64_MAX}, {.player = 3, .team = 1}};
    struct wire_travel travels[] = {{.player = 8, .x = -9, .y = INT32_MAX, .instance = 10, .team = 7}};
    struct wire_instance_orders in = {.is_complete = true, .instances = instances, .waves = waves, .spots = spots};
    in.boxes = boxes, in.box_count = COUNT(boxes);
    in.members = members, in.travels = travels, in.instance_count = COUNT(instances), in.wave_count = COUNT(waves);
    in.spot_count = COUNT(spots), in.member_count = COUNT(members), in.travel_count = COUNT(travels);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_instance_orders_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_instance_orders_bytes(&in), WIRE_BUS_INSTANCE_ORDERS, &view);
    const struct wire_instance_orders *out = &view.instance_orders;
    assert_true(out->is_complete);
    assert_items(out->instances, out->instance_count, instances);
    assert_items(out->waves, out->wave_count, waves);
    assert_items(out->spots, out->spot_count, spots);
    assert_items(out->boxes, out->box_count, boxes);
    assert_items(out->members, out->member_count, members);
    assert_items(out->travels, out->travel_count, travels);

    const struct wire_instance_order *order = &out->instances[1];
    refuse_u32(&bytes, &order->first_wave, 2);
    refuse_u32(&bytes, &order->wave_count, 2);
    refuse_u32(&bytes, &order->first_spot, 1);
    refuse_u32(&bytes, &order->spot_count, 3);
    refuse_u32(&bytes, &order->first_box, 2);
    refuse_u32(&bytes, &order->box_count, 3);
    refuse_u32(&bytes, &order->first_member, UINT32_MAX);
    refuse_u32(&bytes, &order->member_count, UINT32_MAX);
    refuse_u32(&bytes, &out->instances[0].first_member, 4);
    refuse_u32(&bytes, &order->team_count, WIRE_TEAMS_MAX + 1);
    refuse_u32(&bytes, &out->members[2].team, WIRE_TEAMS_MAX);
    refuse_u32(&bytes, &out->travels[0].team, WIRE_TEAMS_MAX);
    assert_int_equal(try_u32(&bytes, &out->instances[0].first_member, 3), 0); /* none, behind the last */

    in = (struct wire_instance_orders){.instances = instances, .instance_count = 1};
    assert_int_equal(wire_instance_orders_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_instance_orders_bytes(&in), WIRE_BUS_INSTANCE_ORDERS, &view);
    assert_true(out->waves && out->spots && out->boxes && out->members); /* so that no range is one of NULL */
}

/* With arrays that would hold them, ranges of more than an instance may have are refused. */
static void test_wire_match_instance_past_its_limits_is_refused(void **state) {
    static struct wire_instance_wave waves[WIRE_INSTANCE_WAVES_MAX + 1];
    static struct wire_instance_spot spots[WIRE_INSTANCE_SPOTS_MAX + 1];
    static struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX + 1];
    static struct wire_instance_member members[WIRE_INSTANCE_PLAYERS_MAX + 1];
    struct wire_instance_order order = {.wave_count = WIRE_INSTANCE_WAVES_MAX, .spot_count = WIRE_INSTANCE_SPOTS_MAX};
    order.box_count = WIRE_INSTANCE_BOXES_MAX, order.member_count = WIRE_INSTANCE_PLAYERS_MAX;
    struct wire_instance_orders in = {.instances = &order, .instance_count = 1, .waves = waves, .wave_count = COUNT(waves)};
    in.spots = spots, in.spot_count = COUNT(spots), in.boxes = boxes, in.box_count = COUNT(boxes);
    in.members = members, in.member_count = COUNT(members);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_instance_orders_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_instance_orders_bytes(&in), WIRE_BUS_INSTANCE_ORDERS, &view);
    const struct wire_instance_order *out = view.instance_orders.instances;
    refuse_u32(&bytes, &out->wave_count, WIRE_INSTANCE_WAVES_MAX + 1);
    refuse_u32(&bytes, &out->spot_count, WIRE_INSTANCE_SPOTS_MAX + 1);
    refuse_u32(&bytes, &out->box_count, WIRE_INSTANCE_BOXES_MAX + 1);
    refuse_u32(&bytes, &out->member_count, WIRE_INSTANCE_PLAYERS_MAX + 1);
}

static void test_wire_match_report_round_trips(void **state) {
    struct wire_instance_status instances[] = {
        {.lasted_ms = 1ULL << 36, .id = 1, .version = 2, .phase = WIRE_PHASE_OVER, .goal = WIRE_GOAL_KILLS, .wave = 3},
        {.id = 9}};
    instances[0].creatures = 4, instances[0].players = 5;
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) instances[0].scores[i] = 50 + i;
    struct wire_presence players[] = {{.player = 6, .instance = 1, .kills = 7, .deaths = 8, .flags = 3, .team = 7}};
    struct wire_instance_report in = {.instances = instances, .instance_count = COUNT(instances), .players = players};
    in.player_count = COUNT(players);
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_instance_report_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_instance_report_bytes(&in), WIRE_BUS_INSTANCE_REPORT, &view);
    const struct wire_instance_report *out = &view.instance_report;
    assert_items(out->instances, out->instance_count, instances);
    assert_items(out->players, out->player_count, players);
    assert_int_equal(try_with(&bytes, &out->players[0].team, &(uint16_t){WIRE_TEAMS_MAX}, 2), MARCH_ERR_INVALID);
}

static void test_wire_match_asks_and_tells_of_players_round_trip(void **state) {
    struct wire_player_ask asks[] = {{.session = 1, .player = 2, .session_epoch = 3, .offset = 4, .len = 5}, {.session = 6}};
    struct wire_gateway_asks in = {.asks = asks, .ask_count = COUNT(asks), .blob = blob, .blob_len = 9};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_asks_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_gateway_asks_bytes(&in), WIRE_BUS_GATEWAY_ASKS, &view);
    const struct wire_player_ask *ask = view.gateway_asks.asks;
    assert_items(ask, view.gateway_asks.ask_count, asks);
    assert_int_equal(view.gateway_asks.blob_len, 9);
    assert_memory_equal(view.gateway_asks.blob, blob, 9);
    refuse_u32(&bytes, &ask[0].len, 6);
    refuse_u32(&bytes, &ask[0].offset, UINT32_MAX);

    struct wire_player_tell tells[] = {{.player = UINT64_MAX, .offset = 1, .len = 2}};
    struct wire_gateway_tells out = {.tells = tells, .tell_count = COUNT(tells), .blob = blob, .blob_len = 3};
    assert_int_equal(wire_gateway_tells_pack(*state, &out, &bytes), 0);
    open_packed(&bytes, wire_gateway_tells_bytes(&out), WIRE_BUS_GATEWAY_TELLS, &view);
    assert_items(view.gateway_tells.tells, view.gateway_tells.tell_count, tells);
    assert_int_equal(view.gateway_tells.blob_len, 3);
    assert_memory_equal(view.gateway_tells.blob, blob, 3);
    refuse_u32(&bytes, &view.gateway_tells.tells[0].offset, 2);
    refuse_u32(&bytes, &view.gateway_tells.tells[0].len, UINT32_MAX);
}

/* refuse_longer raises the length of a vector at its limit by one, in a copy with zeros behind it so that it ends within. */
static void refuse_longer(const struct wire_bytes *bytes, const void *items, uint32_t limit) {
    enum { ROOM = 128 };
    _Alignas(8) static uint8_t copy[WIRE_BUS_BYTES_MAX];
    size_t at = (size_t)((const uint8_t *)items - bytes->data) - sizeof limit;
    assert_true(bytes->len + ROOM <= sizeof copy);
    memcpy(copy, bytes->data, bytes->len);
    memset(copy + bytes->len, 0, ROOM);
    struct wire_bus_view view;
    assert_memory_equal(copy + at, &limit, sizeof limit);
    assert_int_equal(wire_bus_open(copy, bytes->len + ROOM, &view), 0);
    memcpy(copy + at, &(uint32_t){limit + 1}, sizeof limit);
    assert_int_equal(wire_bus_open(copy, bytes->len + ROOM, &view), MARCH_ERR_INVALID);
    memcpy(copy + at, &(uint32_t){limit - 1}, sizeof limit);
    assert_int_equal(wire_bus_open(copy, bytes->len + ROOM, &view), 0);
}

static void test_wire_match_more_than_a_message_may_have_is_refused(void **state) {
    static uint8_t zeros[WIRE_MATCH_BLOB_MAX];
    static struct wire_player_ask asks[WIRE_MATCH_ITEMS_MAX];
    static struct wire_player_tell tells[WIRE_MATCH_ITEMS_MAX];
    struct wire_gateway_asks in = {.asks = asks, .ask_count = COUNT(asks), .blob = zeros, .blob_len = sizeof zeros};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_gateway_asks_pack(*state, &in, &bytes), 0);
    open_packed(&bytes, wire_gateway_asks_bytes(&in), WIRE_BUS_GATEWAY_ASKS, &view);
    refuse_longer(&bytes, view.gateway_asks.asks, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.gateway_asks.blob, WIRE_MATCH_BLOB_MAX);
    struct wire_gateway_tells out = {.tells = tells, .tell_count = COUNT(tells), .blob = zeros, .blob_len = sizeof zeros};
    assert_int_equal(wire_gateway_tells_pack(*state, &out, &bytes), 0);
    open_packed(&bytes, wire_gateway_tells_bytes(&out), WIRE_BUS_GATEWAY_TELLS, &view);
    refuse_longer(&bytes, view.gateway_tells.tells, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.gateway_tells.blob, WIRE_MATCH_BLOB_MAX);
}

static void test_wire_match_more_than_persist_may_be_asked_or_tell_is_refused(void **state) {
    static uint8_t zeros[WIRE_MATCH_BLOB_MAX];
    static struct wire_document many[WIRE_MATCH_ITEMS_MAX];
    static struct wire_settle settles[WIRE_MATCH_ITEMS_MAX];
    static struct wire_settled settled[WIRE_MATCH_ITEMS_MAX];
    static struct wire_page_row rows[WIRE_MATCH_ITEMS_MAX];
    static struct wire_page_end ends[WIRE_MATCH_ITEMS_MAX];
    struct wire_match_ask ask = {.documents = many, .document_count = COUNT(many), .reads = many, .read_count = COUNT(many)};
    ask.settles = settles, ask.settle_count = COUNT(settles), ask.blob = zeros, ask.blob_len = sizeof zeros;
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_match_ask_pack(*state, &ask, &bytes), 0);
    open_packed(&bytes, wire_match_ask_bytes(&ask), WIRE_BUS_MATCH_ASK, &view);
    refuse_longer(&bytes, view.match_ask.documents, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.match_ask.reads, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.match_ask.settles, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.match_ask.blob, WIRE_MATCH_BLOB_MAX);
    struct wire_match_told told = {.documents = many, .document_count = COUNT(many), .settled = settled, .rows = rows};
    told.settled_count = COUNT(settled), told.row_count = COUNT(rows), told.ends = ends, told.end_count = COUNT(ends);
    assert_int_equal(wire_match_told_pack(*state, &told, &bytes), 0);
    open_packed(&bytes, wire_match_told_bytes(&told), WIRE_BUS_MATCH_TOLD, &view);
    refuse_longer(&bytes, view.match_told.documents, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.match_told.settled, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.match_told.rows, WIRE_MATCH_ITEMS_MAX);
    refuse_longer(&bytes, view.match_told.ends, WIRE_MATCH_ITEMS_MAX);
}

static void test_wire_match_more_instances_than_a_message_may_have_are_refused(void **state) {
    static struct wire_instance_status instances[WIRE_INSTANCES_MAX];
    static struct wire_instance_order wanted[WIRE_INSTANCES_MAX];
    static struct wire_travel travels[WIRE_MATCH_ITEMS_MAX];
    struct wire_instance_report report = {.instances = instances, .instance_count = COUNT(instances)};
    struct wire_bytes bytes;
    struct wire_bus_view view;
    assert_int_equal(wire_instance_report_pack(*state, &report, &bytes), 0);
    open_packed(&bytes, wire_instance_report_bytes(&report), WIRE_BUS_INSTANCE_REPORT, &view);
    refuse_longer(&bytes, view.instance_report.instances, WIRE_INSTANCES_MAX);
    struct wire_instance_orders orders = {.instances = wanted, .instance_count = COUNT(wanted), .travels = travels};
    orders.travel_count = COUNT(travels);
    assert_int_equal(wire_instance_orders_pack(*state, &orders, &bytes), 0);
    open_packed(&bytes, wire_instance_orders_bytes(&orders), WIRE_BUS_INSTANCE_ORDERS, &view);
    refuse_longer(&bytes, view.instance_orders.instances, WIRE_INSTANCES_MAX);
    refuse_longer(&bytes, view.instance_orders.travels, WIRE_MATCH_ITEMS_MAX);
}

static void test_wire_match_past_the_builder_is_refused(void **state) {
    (void)state;
    struct wire_builder *small = wire_builder_create(WIRE_MATCH_OVERHEAD_MAX);
    struct wire_bytes bytes;
    assert_int_equal(wire_match_ask_pack(small, &(struct wire_match_ask){.seq = 1}, &bytes), 0);
    struct wire_match_ask ask = {.documents = documents, .document_count = 1, .blob = blob, .blob_len = 6};
    assert_int_equal(wire_match_ask_pack(small, &ask, &bytes), MARCH_ERR_FULL);
    struct wire_match_told told = {.blob = blob, .blob_len = 1};
    assert_int_equal(wire_match_told_pack(small, &told, &bytes), MARCH_ERR_FULL);
    struct wire_instance_orders orders = {.travels = &(struct wire_travel){.player = 1}, .travel_count = 1};
    assert_int_equal(wire_instance_orders_pack(small, &orders, &bytes), MARCH_ERR_FULL);
    struct wire_instance_report report = {.players = &(struct wire_presence){.player = 1}, .player_count = 1};
    assert_int_equal(wire_instance_report_pack(small, &report, &bytes), MARCH_ERR_FULL);
    struct wire_gateway_asks asks = {.blob = blob, .blob_len = 1};
    assert_int_equal(wire_gateway_asks_pack(small, &asks, &bytes), MARCH_ERR_FULL);
    struct wire_gateway_tells tells = {.blob = blob, .blob_len = 1};
    assert_int_equal(wire_gateway_tells_pack(small, &tells, &bytes), MARCH_ERR_FULL);
    wire_builder_destroy(small);
}

/* --- messages of and to clients */

static struct wire_server_message server_trip(struct wire_builder *builder, const struct wire_server_message *in) {
    struct wire_bytes bytes;
    struct wire_server_message out;
    memset(&out, 0xee, sizeof out);
    assert_int_equal(wire_server_message_pack(builder, in, &bytes), 0);
    uint8_t shifted[WIRE_CLIENT_BYTES_MAX + 1];
    memcpy(shifted + 1, bytes.data, bytes.len);
    assert_int_equal(wire_server_message_read(shifted + 1, bytes.len, &out), 0);
    assert_int_equal(out.kind, in->kind);
    return out;
}

static void test_wire_match_ticket_state_round_trips(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_TICKET};
    struct wire_ticket_state_message *t = &in.ticket;
    *t = (struct wire_ticket_state_message){.ticket = UINT64_MAX, .state = WIRE_TICKET_MATCHED, .waited_ms = 1};
    t->reason = WIRE_REASON_NOT_FOUND, t->estimate_ms = 2, t->position = 3, t->queued = 4, t->window = 5, t->ready_ms = 6;
    t->instance = 7, t->team = WIRE_TEAMS_MAX - 1;
    full_name(&t->mode);
    struct wire_ticket_state_message out = server_trip(*state, &in).ticket;
    assert_true(out.ticket == UINT64_MAX && out.state == t->state && out.reason == t->reason && out.waited_ms == 1);
    assert_true(out.estimate_ms == 2 && out.position == 3 && out.queued == 4 && out.window == 5 && out.ready_ms == 6);
    assert_true(out.instance == 7 && out.team == WIRE_TEAMS_MAX - 1);
    assert_string_equal(out.mode, t->mode);
    in = (struct wire_server_message){.kind = WIRE_SERVER_TICKET};
    out = server_trip(*state, &in).ticket;
    assert_true(out.ticket == 0 && out.state == WIRE_TICKET_NONE && out.reason == WIRE_REASON_NONE);
    assert_string_equal(out.mode, "");
}

static void test_wire_match_party_state_round_trips(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_PARTY, .party = {.leader = 1, .invited_by = UINT64_MAX}};
    in.party.reason = WIRE_REASON_FULL, in.party.member_count = WIRE_PARTY_MEMBERS_MAX;
    for (uint32_t i = 0; i < WIRE_PARTY_MEMBERS_MAX; i++) in.party.members[i] = UINT64_MAX - i;
    struct wire_party_state out = server_trip(*state, &in).party;
    assert_true(out.leader == 1 && out.invited_by == UINT64_MAX && out.reason == WIRE_REASON_FULL);
    assert_items(out.members, out.member_count, in.party.members);
    in.party.member_count = 2;
    memset(in.party.members + 2, 0, sizeof in.party.members - 2 * sizeof(uint64_t));
    out = server_trip(*state, &in).party;
    assert_int_equal(out.member_count, 2);
    assert_memory_equal(out.members, in.party.members, sizeof out.members);
}

static void test_wire_match_match_state_round_trips(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_MATCH};
    struct wire_match_state *m = &in.match;
    *m = (struct wire_match_state){.instance = 1, .phase = WIRE_MATCH_OVER, .goal = 2, .wave = 3, .team = 4};
    m->team_count = 5, m->gold = UINT64_MAX, m->item_kind = 6, m->item_count = 7, m->points = -8;
    for (uint32_t i = 0; i < m->team_count; i++) m->scores[i] = 90 + i;
    full_name(&m->template_name);
    struct wire_match_state out = server_trip(*state, &in).match;
    assert_true(out.instance == 1 && out.phase == WIRE_MATCH_OVER && out.goal == 2 && out.wave == 3 && out.team == 4);
    assert_true(out.team_count == 5 && out.gold == UINT64_MAX && out.item_kind == 6 && out.item_count == 7);
    assert_int_equal(out.points, -8);
    assert_string_equal(out.template_name, m->template_name);
    assert_memory_equal(out.scores, m->scores, sizeof out.scores);
}

static struct wire_client_message client_trip(struct wire_builder *builder, const struct wire_client_message *in) {
    struct wire_bytes bytes;
    struct wire_client_message out;
    memset(&out, 0xee, sizeof out);
    assert_int_equal(wire_client_message_pack(builder, in, &bytes), 0);
    assert_int_equal(wire_client_message_read(bytes.data, bytes.len, &out), 0);
    assert_int_equal(out.kind, in->kind);
    return out;
}

static void test_wire_match_what_clients_ask_round_trips(void **state) {
    struct wire_client_message in = {.kind = WIRE_CLIENT_ENTER, .enter.roles = 5};
    full_name(&in.enter.mode);
    struct wire_client_message out = client_trip(*state, &in);
    assert_string_equal(out.enter.mode, in.enter.mode);
    assert_int_equal(out.enter.roles, 5);
    assert_true(out.enter.latency_count == 0 && out.enter.avoid_count == 0);
    in.enter.latency_count = WIRE_ENTER_LATENCIES_MAX, in.enter.avoid_count = WIRE_ENTER_AVOID_MAX;
    for (uint32_t i = 0; i < WIRE_ENTER_LATENCIES_MAX; i++) {
        full_name(&in.enter.latencies[i].region);
        in.enter.latencies[i].region[i] = '-';
        in.enter.latencies[i].ms = (uint16_t)(UINT16_MAX - i);
    }
    for (uint32_t i = 0; i < WIRE_ENTER_AVOID_MAX; i++) in.enter.avoid[i] = UINT64_MAX - i;
    out = client_trip(*state, &in);
    assert_string_equal(out.enter.mode, in.enter.mode);
    assert_true(out.enter.latency_count == WIRE_ENTER_LATENCIES_MAX && out.enter.avoid_count == WIRE_ENTER_AVOID_MAX);
    for (uint32_t i = 0; i < WIRE_ENTER_LATENCIES_MAX; i++) {
        assert_string_equal(out.enter.latencies[i].region, in.enter.latencies[i].region);
        assert_int_equal(out.enter.latencies[i].ms, in.enter.latencies[i].ms);
    }
    assert_memory_equal(out.enter.avoid, in.enter.avoid, sizeof in.enter.avoid);
    for (int verb = 0; verb < WIRE_TICKET_VERB_COUNT; verb++) {
        in = (struct wire_client_message){.kind = WIRE_CLIENT_TICKET, .ticket = (enum wire_ticket_verb)verb};
        assert_int_equal(client_trip(*state, &in).ticket, verb);
    }
    for (int verb = 0; verb < WIRE_PARTY_VERB_COUNT; verb++) {
        in = (struct wire_client_message){.kind = WIRE_CLIENT_PARTY};
        in.party = (struct wire_party_ask){.verb = (enum wire_party_verb)verb, .player = UINT64_MAX};
        out = client_trip(*state, &in);
        assert_true(out.party.verb == in.party.verb && out.party.player == UINT64_MAX);
    }
}

static void test_wire_match_kind_of_what_is_for_the_matchmaker(void **state) {
    static const struct wire_client_message messages[] = {{.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel"}},
                                                          {.kind = WIRE_CLIENT_TICKET},
                                                          {.kind = WIRE_CLIENT_PARTY},
                                                          {.kind = WIRE_CLIENT_SAY, .say = "duel"},
                                                          {.kind = WIRE_CLIENT_COMMAND, .command = {.key = 1, .verb = 1}}};
    for (size_t i = 0; i < COUNT(messages); i++) {
        struct wire_bytes bytes;
        enum wire_client_kind kind;
        assert_int_equal(wire_client_message_pack(*state, &messages[i], &bytes), 0);
        int error = wire_client_message_match_kind(bytes.data, bytes.len, &kind);
        assert_int_equal(error, i < 3 ? 0 : MARCH_ERR_NOT_FOUND);
        if (i < 3) assert_int_equal(kind, messages[i].kind);
        assert_int_equal(wire_client_message_match_kind(bytes.data, 7, &kind), MARCH_ERR_NOT_FOUND);
    }
}

/* overwrite replaces the only place where the message has `from`. */
static void overwrite(uint8_t *bytes, size_t len, const void *from, const void *to, size_t what_len) {
    uint8_t *at = memmem(bytes, len, from, what_len);
    assert_non_null(at);
    assert_null(memmem(at + 1, (size_t)(bytes + len - at) - 1, from, what_len));
    memcpy(at, to, what_len);
}

static int read_server_with(struct wire_builder *builder, const struct wire_server_message *in, uint32_t from, uint32_t to) {
    struct wire_bytes bytes;
    struct wire_server_message out;
    uint8_t copy[WIRE_CLIENT_BYTES_MAX] = {0}; /* so that a longer vector ends within the message */
    assert_int_equal(wire_server_message_pack(builder, in, &bytes), 0);
    memcpy(copy, bytes.data, bytes.len);
    overwrite(copy, bytes.len, &from, &to, sizeof from);
    return wire_server_message_read(copy, sizeof copy, &out);
}

static void test_wire_match_state_past_its_limits_is_refused(void **state) {
    struct wire_server_message ticket = {.kind = WIRE_SERVER_TICKET, .ticket = {.team = 7, .ticket = 0x1111}};
    assert_int_equal(read_server_with(*state, &ticket, 7, 5), 0);
    assert_int_equal(read_server_with(*state, &ticket, 7, WIRE_TEAMS_MAX), MARCH_ERR_INVALID);
    struct wire_server_message party = {.kind = WIRE_SERVER_PARTY, .party = {.leader = 0x1111, .member_count = 15}};
    assert_int_equal(read_server_with(*state, &party, 15, WIRE_PARTY_MEMBERS_MAX), 0);
    assert_int_equal(read_server_with(*state, &party, 15, WIRE_PARTY_MEMBERS_MAX + 1), MARCH_ERR_INVALID);
    struct wire_server_message match = {.kind = WIRE_SERVER_MATCH, .match = {.phase = 1, .team = 5, .team_count = 7}};
    assert_int_equal(read_server_with(*state, &match, 7, WIRE_TEAMS_MAX), 0);
    assert_int_equal(read_server_with(*state, &match, 7, WIRE_TEAMS_MAX + 1), MARCH_ERR_INVALID);
    assert_int_equal(read_server_with(*state, &match, 5, WIRE_TEAMS_MAX), MARCH_ERR_INVALID);
}

static int read_client_with(struct wire_builder *builder, const struct wire_client_message *in, const void *from,
                            const void *to, size_t what_len) {
    struct wire_bytes bytes;
    struct wire_client_message out;
    uint8_t copy[WIRE_CLIENT_BYTES_MAX] = {0};
    assert_int_equal(wire_client_message_pack(builder, in, &bytes), 0);
    memcpy(copy, bytes.data, bytes.len);
    overwrite(copy, bytes.len, from, to, what_len);
    return wire_client_message_read(copy, sizeof copy, &out);
}

static void test_wire_match_enter_past_its_limits_is_refused(void **state) {
    struct wire_client_message in = {.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel", .avoid_count = 3}};
    static const uint64_t somebody = 0x1111111111111111;
    for (int i = 0; i < 3; i++) in.enter.avoid[i] = somebody;
    const uint32_t counts[] = {3, WIRE_ENTER_AVOID_MAX, WIRE_ENTER_AVOID_MAX + 1};
    assert_int_equal(read_client_with(*state, &in, &counts[0], &counts[1], 4), 0);
    assert_int_equal(read_client_with(*state, &in, &counts[0], &counts[2], 4), MARCH_ERR_INVALID);
    in.enter = (struct wire_queue_enter){.mode = "duel", .latency_count = 2, .latencies = {{"main", 1}, {"east", 2}}};
    assert_int_equal(read_client_with(*state, &in, "east", "west", 4), 0);
    assert_int_equal(read_client_with(*state, &in, "east", "e\nst", 4), MARCH_ERR_INVALID);
    assert_int_equal(read_client_with(*state, &in, "\4\0\0\0east", "\0\0\0\0\0\0\0\0", 8), MARCH_ERR_INVALID);
}

/* A message twice, with the two highest values of a number: where they differ is its byte, and one more is refused. */
static void refuse_beyond(struct wire_builder *builder, const struct wire_server_message *high,
                          const struct wire_server_message *low) {
    struct wire_bytes bytes;
    struct wire_server_message out;
    uint8_t copy[WIRE_CLIENT_BYTES_MAX];
    assert_int_equal(wire_server_message_pack(builder, high, &bytes), 0);
    size_t len = bytes.len, at = 0;
    memcpy(copy, bytes.data, len);
    assert_int_equal(wire_server_message_pack(builder, low, &bytes), 0);
    assert_int_equal(bytes.len, len);
    while (copy[at] == bytes.data[at]) at++;
    copy[at]++;
    assert_int_equal(wire_server_message_read(copy, len, &out), MARCH_ERR_INVALID);
    copy[at]--;
    assert_int_equal(wire_server_message_read(copy, len, &out), 0);
}

static void refuse_verb_beyond(struct wire_builder *builder, const struct wire_client_message *high,
                               const struct wire_client_message *low) {
    struct wire_bytes bytes;
    struct wire_client_message out;
    uint8_t copy[WIRE_CLIENT_BYTES_MAX];
    assert_int_equal(wire_client_message_pack(builder, high, &bytes), 0);
    size_t len = bytes.len, at = 0;
    memcpy(copy, bytes.data, len);
    assert_int_equal(wire_client_message_pack(builder, low, &bytes), 0);
    assert_int_equal(bytes.len, len);
    while (copy[at] == bytes.data[at]) at++;
    copy[at]++;
    assert_int_equal(wire_client_message_read(copy, len, &out), MARCH_ERR_INVALID);
    copy[at]--;
    assert_int_equal(wire_client_message_read(copy, len, &out), 0);
}

static void test_wire_match_number_out_of_its_range_is_refused(void **state) {
    struct wire_server_message high = {.kind = WIRE_SERVER_TICKET, .ticket.state = WIRE_TICKET_STATE_COUNT - 1}, low = high;
    low.ticket.state--;
    refuse_beyond(*state, &high, &low);
    high.ticket.reason = low.ticket.reason = WIRE_REASON_COUNT - 1, low.ticket.state++, low.ticket.reason--;
    refuse_beyond(*state, &high, &low);
    high = low = (struct wire_server_message){.kind = WIRE_SERVER_PARTY, .party.reason = WIRE_REASON_COUNT - 1};
    low.party.reason--;
    refuse_beyond(*state, &high, &low);
    high = low = (struct wire_server_message){.kind = WIRE_SERVER_MATCH, .match.phase = WIRE_MATCH_PHASE_COUNT - 1};
    low.match.phase--;
    refuse_beyond(*state, &high, &low);
    struct wire_client_message verb = {.kind = WIRE_CLIENT_TICKET, .ticket = WIRE_TICKET_VERB_COUNT - 1}, lower = verb;
    lower.ticket--;
    refuse_verb_beyond(*state, &verb, &lower);
    verb = lower = (struct wire_client_message){.kind = WIRE_CLIENT_PARTY, .party.verb = WIRE_PARTY_VERB_COUNT - 1};
    lower.party.verb--;
    refuse_verb_beyond(*state, &verb, &lower);
}

static void test_wire_match_name_with_bad_bytes_is_refused(void **state) {
    struct wire_client_message client = {.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel"}}, read;
    struct wire_bytes bytes;
    static const char *const bad[] = {"d\nel", "du\xff"
                                               "l"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint8_t copy[WIRE_CLIENT_BYTES_MAX];
        assert_int_equal(wire_client_message_pack(*state, &client, &bytes), 0);
        memcpy(copy, bytes.data, bytes.len);
        overwrite(copy, bytes.len, "duel", bad[i], 4);
        assert_int_equal(wire_client_message_read(copy, bytes.len, &read), MARCH_ERR_INVALID);
    }
    uint8_t copy[WIRE_CLIENT_BYTES_MAX] = {0}; /* an empty name: nobody queues for nothing */
    memcpy(copy, bytes.data, bytes.len);
    overwrite(copy, bytes.len, "\4\0\0\0duel", "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(wire_client_message_read(copy, bytes.len, &read), MARCH_ERR_INVALID);
    struct wire_server_message server = {.kind = WIRE_SERVER_MATCH, .match = {.template_name = "duel", .phase = 1}}, out;
    assert_int_equal(wire_server_message_pack(*state, &server, &bytes), 0);
    memcpy(copy, bytes.data, bytes.len);
    overwrite(copy, bytes.len, "duel", "\1uel", 4);
    assert_int_equal(wire_server_message_read(copy, bytes.len, &out), MARCH_ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_match_ask_round_trips),
        cmocka_unit_test(test_wire_match_told_round_trips),
        cmocka_unit_test(test_wire_match_orders_round_trip),
        cmocka_unit_test(test_wire_match_instance_past_its_limits_is_refused),
        cmocka_unit_test(test_wire_match_report_round_trips),
        cmocka_unit_test(test_wire_match_asks_and_tells_of_players_round_trip),
        cmocka_unit_test(test_wire_match_more_than_a_message_may_have_is_refused),
        cmocka_unit_test(test_wire_match_more_than_persist_may_be_asked_or_tell_is_refused),
        cmocka_unit_test(test_wire_match_more_instances_than_a_message_may_have_are_refused),
        cmocka_unit_test(test_wire_match_past_the_builder_is_refused),
        cmocka_unit_test(test_wire_match_ticket_state_round_trips),
        cmocka_unit_test(test_wire_match_party_state_round_trips),
        cmocka_unit_test(test_wire_match_match_state_round_trips),
        cmocka_unit_test(test_wire_match_what_clients_ask_round_trips),
        cmocka_unit_test(test_wire_match_enter_past_its_limits_is_refused),
        cmocka_unit_test(test_wire_match_kind_of_what_is_for_the_matchmaker),
        cmocka_unit_test(test_wire_match_state_past_its_limits_is_refused),
        cmocka_unit_test(test_wire_match_number_out_of_its_range_is_refused),
        cmocka_unit_test(test_wire_match_name_with_bad_bytes_is_refused),
    };
    return cmocka_run_group_tests(tests, builder_setup, builder_teardown);
}
