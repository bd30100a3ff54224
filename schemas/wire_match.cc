/* wire_match.cc: wire_match.h over the FlatBuffers library. */
#include <cmath>

#include "schemas/wire_inner.hpp"

SAME_LAYOUT(wire_document, fb::Document, 32);
AT(wire_document, version, 8);
AT(wire_document, kind, 16);
AT(wire_document, offset, 20);
AT(wire_document, len, 24);
SAME_LAYOUT(wire_rating_lookup, fb::RatingLookup, 40);
AT(wire_rating_lookup, mode, 8);
SAME_LAYOUT(wire_settle, fb::Settle, 96);
AT(wire_settle, player, 8);
AT(wire_settle, mu, 16);
AT(wire_settle, sigma, 24);
AT(wire_settle, gold, 32);
AT(wire_settle, item_kind, 40);
AT(wire_settle, item_count, 44);
AT(wire_settle, season, 48);
AT(wire_settle, points, 52);
AT(wire_settle, flags, 56);
AT(wire_settle, is_won, 58);
AT(wire_settle, mode, 64);
SAME_LAYOUT(wire_page_ask, fb::PageAsk, 48);
AT(wire_page_ask, season, 8);
AT(wire_page_ask, count, 12);
AT(wire_page_ask, mode, 16);
SAME_LAYOUT(wire_rating, fb::Rating, 80);
AT(wire_rating, mu, 8);
AT(wire_rating, sigma, 16);
AT(wire_rating, rated_at_s, 24);
AT(wire_rating, season, 32);
AT(wire_rating, played, 36);
AT(wire_rating, won, 40);
AT(wire_rating, result, 44);
AT(wire_rating, mode, 48);
SAME_LAYOUT(wire_settled, fb::Settled, 24);
AT(wire_settled, player, 8);
AT(wire_settled, result, 16);
SAME_LAYOUT(wire_page_row, fb::PageRow, 64);
AT(wire_page_row, player, 8);
AT(wire_page_row, points, 16);
AT(wire_page_row, played, 24);
AT(wire_page_row, won, 28);
AT(wire_page_row, name, 32);
SAME_LAYOUT(wire_page_end, fb::PageEnd, 16);
AT(wire_page_end, result, 8);
SAME_LAYOUT(wire_instance_wave, fb::InstanceWave, 16);
AT(wire_instance_wave, after_ms, 4);
AT(wire_instance_wave, overlaps, 8);
AT(wire_instance_wave, health_percent, 10);
AT(wire_instance_wave, damage_percent, 12);
SAME_LAYOUT(wire_instance_spot, fb::InstanceSpot, 8);
AT(wire_instance_spot, y_m, 2);
AT(wire_instance_spot, radius_m, 4);
AT(wire_instance_spot, team, 6);
SAME_LAYOUT(wire_instance_box, fb::InstanceBox, 8);
AT(wire_instance_box, y_min_m, 2);
AT(wire_instance_box, x_max_m, 4);
AT(wire_instance_box, y_max_m, 6);
SAME_LAYOUT(wire_instance_member, fb::InstanceMember, 16);
AT(wire_instance_member, team, 8);
SAME_LAYOUT(wire_instance_order, fb::InstanceOrder, 136);
AT(wire_instance_order, ends_at_ms, 8);
AT(wire_instance_order, id, 16);
AT(wire_instance_order, block, 20);
AT(wire_instance_order, cell, 24);
AT(wire_instance_order, state, 28);
AT(wire_instance_order, version, 32);
AT(wire_instance_order, side_m, 36);
AT(wire_instance_order, goals, 40);
AT(wire_instance_order, kills, 44);
AT(wire_instance_order, lives, 48);
AT(wire_instance_order, rise_ms, 52);
AT(wire_instance_order, empty_ms, 56);
AT(wire_instance_order, team_count, 60);
AT(wire_instance_order, wave, 64);
AT(wire_instance_order, scores, 68);
AT(wire_instance_order, first_wave, 100);
AT(wire_instance_order, wave_count, 104);
AT(wire_instance_order, first_spot, 108);
AT(wire_instance_order, spot_count, 112);
AT(wire_instance_order, first_box, 116);
AT(wire_instance_order, box_count, 120);
AT(wire_instance_order, first_member, 124);
AT(wire_instance_order, member_count, 128);
AT(wire_instance_order, run, 132);
SAME_LAYOUT(wire_travel, fb::Travel, 24);
AT(wire_travel, x, 8);
AT(wire_travel, y, 12);
AT(wire_travel, instance, 16);
AT(wire_travel, team, 20);
SAME_LAYOUT(wire_instance_status, fb::InstanceStatus, 72);
AT(wire_instance_status, id, 8);
AT(wire_instance_status, version, 12);
AT(wire_instance_status, phase, 16);
AT(wire_instance_status, goal, 20);
AT(wire_instance_status, wave, 24);
AT(wire_instance_status, creatures, 28);
AT(wire_instance_status, players, 32);
AT(wire_instance_status, scores, 36);
AT(wire_instance_status, slowed, 68);
SAME_LAYOUT(wire_presence, fb::Presence, 24);
AT(wire_presence, instance, 8);
AT(wire_presence, kills, 12);
AT(wire_presence, deaths, 14);
AT(wire_presence, flags, 16);
AT(wire_presence, team, 18);
SAME_LAYOUT(wire_player_ask, fb::PlayerAsk, 32);
AT(wire_player_ask, player, 8);
AT(wire_player_ask, session_epoch, 16);
AT(wire_player_ask, offset, 24);
AT(wire_player_ask, len, 28);
SAME_LAYOUT(wire_player_tell, fb::PlayerTell, 16);
AT(wire_player_tell, offset, 8);
AT(wire_player_tell, len, 12);

static_assert(int(WIRE_TICKET_VERB_COUNT) == int(fb::TicketVerb::MAX) + 1);
static_assert(int(WIRE_PARTY_VERB_COUNT) == int(fb::PartyVerb::MAX) + 1);
static_assert(int(WIRE_TICKET_STATE_COUNT) == int(fb::TicketStatus::MAX) + 1);
static_assert(int(WIRE_REASON_COUNT) == int(fb::TicketReason::MAX) + 1);
static_assert(int(WIRE_MATCH_PHASE_COUNT) == int(fb::MatchPhase::MAX) + 1);

static_assert(WIRE_MATCH_OVERHEAD_MAX + WIRE_MATCH_BLOB_MAX +
                      WIRE_MATCH_ITEMS_MAX * (2 * sizeof(wire_document) + sizeof(wire_rating_lookup) + sizeof(wire_settle) +
                                              sizeof(wire_page_ask)) <=
                  WIRE_BUS_BYTES_MAX,
              "a full ask fits");
static_assert(WIRE_MATCH_OVERHEAD_MAX + WIRE_MATCH_BLOB_MAX +
                      WIRE_MATCH_ITEMS_MAX * (2 * sizeof(wire_document) + sizeof(wire_rating) + sizeof(wire_settled) +
                                              sizeof(wire_page_row) + sizeof(wire_page_end)) <=
                  WIRE_BUS_BYTES_MAX,
              "all that may be told at once fits");

/* --- what packing and reading demand alike */

template <size_t SIZE> static bool name_valid(const char (&name)[SIZE]) {
    return utf8_text_valid(name, strnlen(name, SIZE), SIZE - 1);
}

static bool counts_below(std::initializer_list<uint32_t> counts) {
    for (uint32_t count : counts)
        if (count > WIRE_MATCH_ITEMS_MAX) return false;
    return true;
}

static bool documents_valid(const wire_document *documents, uint32_t count, uint32_t blob_len) {
    for (uint32_t i = 0; i < count; i++)
        if (documents[i].len > WIRE_DOCUMENT_BYTES_MAX) return false;
    return ranges_in_blob(documents, count, blob_len);
}

static bool settle_valid(const wire_settle &s) {
    return (s.mode[0] == 0 || name_valid(s.mode)) && std::isfinite(s.mu) && std::isfinite(s.sigma);
}

static bool ask_valid(const struct wire_match_ask &a) {
    if (!counts_below({a.document_count, a.read_count, a.lookup_count, a.settle_count, a.page_count})) return false;
    for (uint32_t i = 0; i < a.lookup_count; i++)
        if (!name_valid(a.lookups[i].mode)) return false;
    for (uint32_t i = 0; i < a.settle_count; i++)
        if (!settle_valid(a.settles[i])) return false;
    for (uint32_t i = 0; i < a.page_count; i++)
        if (!name_valid(a.pages[i].mode) || a.pages[i].count == 0 || a.pages[i].count > WIRE_BOARD_PAGE_MAX) return false;
    return a.blob_len <= WIRE_MATCH_BLOB_MAX && documents_valid(a.documents, a.document_count, a.blob_len) &&
           documents_valid(a.reads, a.read_count, a.blob_len);
}

static bool rating_valid(const wire_rating &r) {
    return name_valid(r.mode) && std::isfinite(r.mu) && std::isfinite(r.sigma);
}

static bool told_valid(const struct wire_match_told &t) {
    if (!counts_below({t.document_count, t.read_count, t.rating_count, t.settled_count, t.row_count, t.end_count}))
        return false;
    for (uint32_t i = 0; i < t.rating_count; i++)
        if (!rating_valid(t.ratings[i])) return false;
    for (uint32_t i = 0; i < t.row_count; i++)
        if (t.rows[i].name[0] != 0 && !name_valid(t.rows[i].name)) return false;
    return t.blob_len <= WIRE_MATCH_BLOB_MAX && documents_valid(t.documents, t.document_count, t.blob_len) &&
           documents_valid(t.reads, t.read_count, t.blob_len);
}

static bool range_valid(uint32_t first, uint32_t count, uint32_t most, uint32_t total) {
    return count <= most && first <= total && count <= total - first;
}

static bool order_valid(const wire_instance_order &o, const struct wire_instance_orders &in) {
    return o.team_count <= WIRE_TEAMS_MAX &&
           range_valid(o.first_wave, o.wave_count, WIRE_INSTANCE_WAVES_MAX, in.wave_count) &&
           range_valid(o.first_spot, o.spot_count, WIRE_INSTANCE_SPOTS_MAX, in.spot_count) &&
           range_valid(o.first_box, o.box_count, WIRE_INSTANCE_BOXES_MAX, in.box_count) &&
           range_valid(o.first_member, o.member_count, WIRE_INSTANCE_PLAYERS_MAX, in.member_count);
}

/* Teams of players, who may be counted by them. */
template <typename C> static bool teams_valid(const C *players, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (players[i].team >= WIRE_TEAMS_MAX) return false;
    return true;
}

static bool orders_valid(const struct wire_instance_orders &o) {
    if (o.instance_count > WIRE_INSTANCES_MAX || o.travel_count > WIRE_MATCH_ITEMS_MAX) return false;
    for (uint32_t i = 0; i < o.instance_count; i++)
        if (!order_valid(o.instances[i], o)) return false;
    return teams_valid(o.members, o.member_count) && teams_valid(o.travels, o.travel_count);
}

static bool report_valid(const struct wire_instance_report &r) {
    return r.instance_count <= WIRE_INSTANCES_MAX && teams_valid(r.players, r.player_count);
}

static bool asks_valid(const struct wire_gateway_asks &a) {
    return a.ask_count <= WIRE_MATCH_ITEMS_MAX && a.blob_len <= WIRE_MATCH_BLOB_MAX &&
           ranges_in_blob(a.asks, a.ask_count, a.blob_len);
}

static bool tells_valid(const struct wire_gateway_tells &t) {
    return t.tell_count <= WIRE_MATCH_ITEMS_MAX && t.blob_len <= WIRE_MATCH_BLOB_MAX &&
           ranges_in_blob(t.tells, t.tell_count, t.blob_len);
}

/* --- packing */

int wire_match_ask_pack(struct wire_builder *builder, const struct wire_match_ask *a, struct wire_bytes *out) {
    if (wire_match_ask_bytes(a) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(ask_valid(*a));
    FlatBufferBuilder &fbb = start(builder);
    auto documents = structs<fb::Document>(fbb, a->documents, a->document_count);
    auto reads = structs<fb::Document>(fbb, a->reads, a->read_count);
    auto lookups = structs<fb::RatingLookup>(fbb, a->lookups, a->lookup_count);
    auto settles = structs<fb::Settle>(fbb, a->settles, a->settle_count);
    auto pages = structs<fb::PageAsk>(fbb, a->pages, a->page_count);
    auto blob = blob_of(fbb, a->blob, a->blob_len);
    auto body = fb::CreateMatchAsk(fbb, a->seq, a->recalls, documents, reads, lookups, settles, pages, blob);
    return wire_bus_finish(builder, fb::BusBody::MatchAsk, body.Union(), out);
}

int wire_match_told_pack(struct wire_builder *builder, const struct wire_match_told *t, struct wire_bytes *out) {
    if (wire_match_told_bytes(t) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(told_valid(*t));
    FlatBufferBuilder &fbb = start(builder);
    auto documents = structs<fb::Document>(fbb, t->documents, t->document_count);
    auto reads = structs<fb::Document>(fbb, t->reads, t->read_count);
    auto ratings = structs<fb::Rating>(fbb, t->ratings, t->rating_count);
    auto settled = structs<fb::Settled>(fbb, t->settled, t->settled_count);
    auto rows = structs<fb::PageRow>(fbb, t->rows, t->row_count);
    auto ends = structs<fb::PageEnd>(fbb, t->ends, t->end_count);
    auto blob = blob_of(fbb, t->blob, t->blob_len);
    auto body =
        fb::CreateMatchTold(fbb, t->durable_seq, t->is_recalled, documents, reads, ratings, settled, rows, ends, blob);
    return wire_bus_finish(builder, fb::BusBody::MatchTold, body.Union(), out);
}

int wire_instance_orders_pack(struct wire_builder *builder, const struct wire_instance_orders *o, struct wire_bytes *out) {
    if (wire_instance_orders_bytes(o) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(orders_valid(*o));
    FlatBufferBuilder &fbb = start(builder);
    auto instances = structs<fb::InstanceOrder>(fbb, o->instances, o->instance_count);
    auto waves = structs<fb::InstanceWave>(fbb, o->waves, o->wave_count);
    auto spots = structs<fb::InstanceSpot>(fbb, o->spots, o->spot_count);
    auto boxes = structs<fb::InstanceBox>(fbb, o->boxes, o->box_count);
    auto members = structs<fb::InstanceMember>(fbb, o->members, o->member_count);
    auto travels = structs<fb::Travel>(fbb, o->travels, o->travel_count);
    auto body = fb::CreateInstanceOrders(fbb, o->is_complete, instances, waves, spots, boxes, members, travels);
    return wire_bus_finish(builder, fb::BusBody::InstanceOrders, body.Union(), out);
}

int wire_instance_report_pack(struct wire_builder *builder, const struct wire_instance_report *r, struct wire_bytes *out) {
    if (wire_instance_report_bytes(r) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(report_valid(*r));
    FlatBufferBuilder &fbb = start(builder);
    auto instances = structs<fb::InstanceStatus>(fbb, r->instances, r->instance_count);
    auto players = structs<fb::Presence>(fbb, r->players, r->player_count);
    auto body = fb::CreateInstanceReport(fbb, instances, players);
    return wire_bus_finish(builder, fb::BusBody::InstanceReport, body.Union(), out);
}

int wire_gateway_asks_pack(struct wire_builder *builder, const struct wire_gateway_asks *a, struct wire_bytes *out) {
    if (wire_gateway_asks_bytes(a) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(asks_valid(*a));
    FlatBufferBuilder &fbb = start(builder);
    auto asks = structs<fb::PlayerAsk>(fbb, a->asks, a->ask_count);
    auto blob = blob_of(fbb, a->blob, a->blob_len);
    auto body = fb::CreateGatewayAsks(fbb, asks, blob);
    return wire_bus_finish(builder, fb::BusBody::GatewayAsks, body.Union(), out);
}

int wire_gateway_tells_pack(struct wire_builder *builder, const struct wire_gateway_tells *t, struct wire_bytes *out) {
    if (wire_gateway_tells_bytes(t) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(tells_valid(*t));
    FlatBufferBuilder &fbb = start(builder);
    auto tells = structs<fb::PlayerTell>(fbb, t->tells, t->tell_count);
    auto blob = blob_of(fbb, t->blob, t->blob_len);
    auto body = fb::CreateGatewayTells(fbb, tells, blob);
    return wire_bus_finish(builder, fb::BusBody::GatewayTells, body.Union(), out);
}

static Offset<fb::TicketState> ticket_of(FlatBufferBuilder &fbb, const struct wire_ticket_state_message &t) {
    CHECK(t.state >= 0 && t.state < WIRE_TICKET_STATE_COUNT && t.reason >= 0 && t.reason < WIRE_REASON_COUNT);
    CHECK(t.team < WIRE_TEAMS_MAX);
    auto mode = text_or_none(fbb, t.mode);
    return fb::CreateTicketState(fbb, t.ticket, mode, fb::TicketStatus(t.state), fb::TicketReason(t.reason), t.waited_ms,
                                 t.estimate_ms, t.position, t.queued, t.window, t.ready_ms, t.instance, t.team);
}

static Offset<fb::PartyState> party_of(FlatBufferBuilder &fbb, const struct wire_party_state &p) {
    CHECK(p.member_count <= WIRE_PARTY_MEMBERS_MAX && p.reason >= 0 && p.reason < WIRE_REASON_COUNT);
    Offset<flatbuffers::Vector<uint64_t>> members = p.member_count ? fbb.CreateVector(p.members, p.member_count) : 0;
    return fb::CreatePartyState(fbb, p.leader, p.invited_by, fb::TicketReason(p.reason), members);
}

static Offset<fb::MatchState> match_of(FlatBufferBuilder &fbb, const struct wire_match_state &m) {
    CHECK(m.phase >= WIRE_MATCH_STARTING && m.phase < WIRE_MATCH_PHASE_COUNT);
    CHECK(m.team < WIRE_TEAMS_MAX && m.team_count <= WIRE_TEAMS_MAX);
    auto name = text_or_none(fbb, m.template_name);
    Offset<flatbuffers::Vector<uint32_t>> scores = m.team_count ? fbb.CreateVector(m.scores, m.team_count) : 0;
    return fb::CreateMatchState(fbb, name, m.instance, fb::MatchPhase(m.phase), m.goal, m.wave, m.team, scores, m.gold,
                                m.item_kind, m.item_count, m.points);
}

Offset<void> wire_match_server_body(FlatBufferBuilder &fbb, const struct wire_server_message &m) {
    switch (m.kind) {
    case WIRE_SERVER_TICKET: return ticket_of(fbb, m.ticket).Union();
    case WIRE_SERVER_PARTY: return party_of(fbb, m.party).Union();
    case WIRE_SERVER_MATCH: return match_of(fbb, m.match).Union();
    default: CHECK(!"a kind of server message");
    }
}

static Offset<fb::Enter> enter_of(FlatBufferBuilder &fbb, const struct wire_queue_enter &e) {
    CHECK(e.latency_count <= WIRE_ENTER_LATENCIES_MAX && e.avoid_count <= WIRE_ENTER_AVOID_MAX);
    Offset<fb::Latency> items[WIRE_ENTER_LATENCIES_MAX];
    for (uint32_t i = 0; i < e.latency_count; i++) {
        auto region = text_of(fbb, e.latencies[i].region);
        items[i] = fb::CreateLatency(fbb, region, e.latencies[i].ms);
    }
    auto mode = text_of(fbb, e.mode);
    Offset<flatbuffers::Vector<Offset<fb::Latency>>> latencies =
        e.latency_count ? fbb.CreateVector(items, e.latency_count) : 0;
    Offset<flatbuffers::Vector<uint64_t>> avoid = e.avoid_count ? fbb.CreateVector(e.avoid, e.avoid_count) : 0;
    return fb::CreateEnter(fbb, mode, e.roles, latencies, avoid);
}

Offset<void> wire_match_client_body(FlatBufferBuilder &fbb, const struct wire_client_message &m) {
    switch (m.kind) {
    case WIRE_CLIENT_ENTER: return enter_of(fbb, m.enter).Union();
    case WIRE_CLIENT_TICKET:
        CHECK(m.ticket >= 0 && m.ticket < WIRE_TICKET_VERB_COUNT);
        return fb::CreateTicket(fbb, fb::TicketVerb(m.ticket)).Union();
    case WIRE_CLIENT_PARTY:
        CHECK(m.party.verb >= 0 && m.party.verb < WIRE_PARTY_VERB_COUNT);
        return fb::CreateParty(fbb, fb::PartyVerb(m.party.verb), m.party.player).Union();
    default: CHECK(!"a kind of client message");
    }
}

/* --- reading */

static int open_ask(const fb::MatchAsk &in, struct wire_match_ask *out) {
    out->seq = in.seq();
    out->recalls = in.recalls();
    bool aligned = items_of(in.documents(), &out->documents, &out->document_count);
    aligned &= items_of(in.reads(), &out->reads, &out->read_count);
    aligned &= items_of(in.lookups(), &out->lookups, &out->lookup_count);
    aligned &= items_of(in.settles(), &out->settles, &out->settle_count);
    aligned &= items_of(in.pages(), &out->pages, &out->page_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    return aligned && ask_valid(*out) ? 0 : MARCH_ERR_INVALID;
}

static int open_told(const fb::MatchTold &in, struct wire_match_told *out) {
    out->durable_seq = in.durable_seq();
    out->is_recalled = in.is_recalled();
    bool aligned = items_of(in.documents(), &out->documents, &out->document_count);
    aligned &= items_of(in.reads(), &out->reads, &out->read_count);
    aligned &= items_of(in.ratings(), &out->ratings, &out->rating_count);
    aligned &= items_of(in.settled(), &out->settled, &out->settled_count);
    aligned &= items_of(in.rows(), &out->rows, &out->row_count);
    aligned &= items_of(in.ends(), &out->ends, &out->end_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    return aligned && told_valid(*out) ? 0 : MARCH_ERR_INVALID;
}

/* some makes an empty array have an address, so that a range of none may be taken of it. */
template <typename C> static void some(const C **items) {
    static const C nothing = {};
    if (!*items) *items = &nothing;
}

static int open_orders(const fb::InstanceOrders &in, struct wire_instance_orders *out) {
    out->is_complete = in.is_complete();
    bool aligned = items_of(in.instances(), &out->instances, &out->instance_count);
    aligned &= items_of(in.waves(), &out->waves, &out->wave_count);
    aligned &= items_of(in.spots(), &out->spots, &out->spot_count);
    aligned &= items_of(in.boxes(), &out->boxes, &out->box_count);
    aligned &= items_of(in.members(), &out->members, &out->member_count);
    aligned &= items_of(in.travels(), &out->travels, &out->travel_count);
    some(&out->waves);
    some(&out->spots);
    some(&out->boxes);
    some(&out->members);
    return aligned && orders_valid(*out) ? 0 : MARCH_ERR_INVALID;
}

static int open_report(const fb::InstanceReport &in, struct wire_instance_report *out) {
    bool aligned = items_of(in.instances(), &out->instances, &out->instance_count);
    aligned &= items_of(in.players(), &out->players, &out->player_count);
    return aligned && report_valid(*out) ? 0 : MARCH_ERR_INVALID;
}

static int open_asks(const fb::GatewayAsks &in, struct wire_gateway_asks *out) {
    bool aligned = items_of(in.asks(), &out->asks, &out->ask_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    return aligned && asks_valid(*out) ? 0 : MARCH_ERR_INVALID;
}

static int open_tells(const fb::GatewayTells &in, struct wire_gateway_tells *out) {
    bool aligned = items_of(in.tells(), &out->tells, &out->tell_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    return aligned && tells_valid(*out) ? 0 : MARCH_ERR_INVALID;
}

int wire_match_open(const fb::BusMessage &message, struct wire_bus_view *view) {
    switch (message.body_type()) {
    case fb::BusBody::MatchAsk: return open_ask(*message.body_as_MatchAsk(), &view->match_ask);
    case fb::BusBody::MatchTold: return open_told(*message.body_as_MatchTold(), &view->match_told);
    case fb::BusBody::InstanceOrders: return open_orders(*message.body_as_InstanceOrders(), &view->instance_orders);
    case fb::BusBody::InstanceReport: return open_report(*message.body_as_InstanceReport(), &view->instance_report);
    case fb::BusBody::GatewayAsks: return open_asks(*message.body_as_GatewayAsks(), &view->gateway_asks);
    case fb::BusBody::GatewayTells: return open_tells(*message.body_as_GatewayTells(), &view->gateway_tells);
    default: return MARCH_ERR_UNSUPPORTED;
    }
}

/* take_numbers copies numbers out, since the library's verifier does not look at where they lie; false where it is more
 * than there is room for. The rest of `out` is 0. */
template <typename T, size_t SIZE>
static bool take_numbers(const flatbuffers::Vector<T> *in, T (&out)[SIZE], uint32_t *count) {
    *count = in ? in->size() : 0;
    if (*count > SIZE) return false;
    memset(out, 0, sizeof out);
    if (*count > 0) memcpy(out, in->Data(), *count * sizeof(T));
    return true;
}

static bool read_ticket(const fb::TicketState &in, struct wire_ticket_state_message *out) {
    if (in.state() > fb::TicketStatus::MAX || in.reason() > fb::TicketReason::MAX || in.team() >= WIRE_TEAMS_MAX)
        return false;
    out->ticket = in.ticket();
    out->state = wire_ticket_state(in.state());
    out->reason = wire_ticket_reason(in.reason());
    out->waited_ms = in.waited_ms();
    out->estimate_ms = in.estimate_ms();
    out->position = in.position();
    out->queued = in.queued();
    out->window = in.window();
    out->ready_ms = in.ready_ms();
    out->instance = in.instance();
    out->team = in.team();
    return copy_or_none(in.mode(), out->mode);
}

static bool read_party(const fb::PartyState &in, struct wire_party_state *out) {
    if (in.reason() > fb::TicketReason::MAX) return false;
    out->leader = in.leader();
    out->invited_by = in.invited_by();
    out->reason = wire_ticket_reason(in.reason());
    return take_numbers(in.members(), out->members, &out->member_count);
}

static bool read_match(const fb::MatchState &in, struct wire_match_state *out) {
    if (in.phase() < fb::MatchPhase::MIN || in.phase() > fb::MatchPhase::MAX || in.team() >= WIRE_TEAMS_MAX) return false;
    out->instance = in.instance();
    out->phase = wire_match_phase(in.phase());
    out->goal = in.goal();
    out->wave = in.wave();
    out->team = in.team();
    out->gold = in.gold();
    out->item_kind = in.item_kind();
    out->item_count = in.item_count();
    out->points = in.points();
    return copy_or_none(in.template_name(), out->template_name) && take_numbers(in.scores(), out->scores, &out->team_count);
}

int wire_match_server_read(const fb::ServerMessage &in, struct wire_server_message *out) {
    bool valid;
    switch (in.body_type()) {
    case fb::ServerBody::TicketState: valid = read_ticket(*in.body_as_TicketState(), &out->ticket); break;
    case fb::ServerBody::PartyState: valid = read_party(*in.body_as_PartyState(), &out->party); break;
    case fb::ServerBody::MatchState: valid = read_match(*in.body_as_MatchState(), &out->match); break;
    default: return MARCH_ERR_UNSUPPORTED;
    }
    return valid ? 0 : MARCH_ERR_INVALID;
}

static bool read_enter(const fb::Enter &in, struct wire_queue_enter *out) {
    const auto *latencies = in.latencies();
    out->roles = in.roles();
    out->latency_count = latencies ? latencies->size() : 0;
    if (out->latency_count > WIRE_ENTER_LATENCIES_MAX) return false;
    for (uint32_t i = 0; i < out->latency_count; i++) {
        const fb::Latency *latency = latencies->Get(i);
        out->latencies[i].ms = latency->ms();
        if (!copy_text(latency->region(), out->latencies[i].region)) return false;
    }
    return copy_text(in.mode(), out->mode) && take_numbers(in.avoid(), out->avoid, &out->avoid_count);
}

static bool read_ticket_verb(const fb::Ticket &in, enum wire_ticket_verb *out) {
    if (in.verb() > fb::TicketVerb::MAX) return false;
    *out = wire_ticket_verb(in.verb());
    return true;
}

static bool read_party_ask(const fb::Party &in, struct wire_party_ask *out) {
    if (in.verb() > fb::PartyVerb::MAX) return false;
    out->verb = wire_party_verb(in.verb());
    out->player = in.player();
    return true;
}

int wire_match_client_read(const fb::ClientMessage &in, struct wire_client_message *out) {
    bool valid;
    switch (in.body_type()) {
    case fb::ClientBody::Enter: valid = read_enter(*in.body_as_Enter(), &out->enter); break;
    case fb::ClientBody::Ticket: valid = read_ticket_verb(*in.body_as_Ticket(), &out->ticket); break;
    case fb::ClientBody::Party: valid = read_party_ask(*in.body_as_Party(), &out->party); break;
    default: return MARCH_ERR_UNSUPPORTED;
    }
    return valid ? 0 : MARCH_ERR_INVALID;
}
