/* wire_client.cc: messages of clients over the FlatBuffers library. */
#include "schemas/wire_inner.hpp"

SAME_LAYOUT(wire_item, fb::Item, 24);
AT(wire_item, kind, 8);
AT(wire_item, count, 12);
AT(wire_item, version, 16);
AT(wire_item, slot, 20);
SAME_LAYOUT(wire_item_ref, fb::ItemRef, 16);
AT(wire_item_ref, version, 8);
AT(wire_item_ref, count, 12);
SAME_LAYOUT(wire_guild_member, fb::GuildMember, 16);
AT(wire_guild_member, rank, 8);
SAME_LAYOUT(wire_board_row, fb::BoardRow, 24);
AT(wire_board_row, score, 8);
AT(wire_board_row, rank, 16);
static_assert(int(WIRE_ZONE_BACK) == int(fb::ZoneState::Back));
static_assert(int(WIRE_SERVER_RESPAWNED) == int(fb::ServerBody::Respawned));
static_assert(int(WIRE_SERVER_ENDED) == int(fb::ServerBody::Ended));
static_assert(int(WIRE_SERVER_RECONNECT) == int(fb::ServerBody::Reconnect));
static_assert(int(WIRE_SERVER_MATCH) == int(fb::ServerBody::MatchState) &&
              int(WIRE_SERVER_MATCH) == int(fb::ServerBody::MAX));
static_assert(int(WIRE_CLIENT_COMMAND) == int(fb::ClientBody::Command));
static_assert(int(WIRE_CLIENT_PARTY) == int(fb::ClientBody::Party) && int(WIRE_CLIENT_PARTY) == int(fb::ClientBody::MAX));
static_assert(int(WIRE_COMMAND_VERB_COUNT) == int(fb::CommandVerb::MAX) + 1);
static_assert(int(WIRE_STATUS_COUNT) == int(fb::CommandStatus::MAX) + 1);
static_assert(int(WIRE_TRADE_OUTCOME_COUNT) == int(fb::TradeOutcome::MAX) + 1);
static_assert(int(WIRE_AUCTION_PHASE_COUNT) == int(fb::AuctionPhase::MAX) + 1);
static_assert(int(WIRE_END_REASON_COUNT) == int(fb::EndReason::MAX) + 1);

/* What a message takes beside its arrays and texts: offsets, vtables, numbers and padding. */
static const size_t TABLES_MAX = 160;
static_assert(WIRE_CLIENT_BYTES_MAX >= 2 * WIRE_TEXT_MAX, "a message with the longest text must fit");
static_assert(TABLES_MAX + WIRE_DIFF_ITEMS_MAX * sizeof(wire_item) + WIRE_DIFF_REMOVED_MAX * 8 <=
              WIRE_CLIENT_BYTES_MAX + 64);
static_assert(TABLES_MAX + WIRE_TOKEN_BYTES <= WIRE_SERVER_BYTES_MAX);
static_assert(TABLES_MAX + 2 * WIRE_TRADE_ITEMS_MAX * sizeof(wire_item) <= WIRE_CLIENT_BYTES_MAX);
static_assert(TABLES_MAX + WIRE_GUILD_MEMBERS_MAX * sizeof(wire_guild_member) + WIRE_VALUE_NAME_MAX <=
              WIRE_CLIENT_BYTES_MAX);
static_assert(TABLES_MAX + WIRE_BOARD_ROWS_MAX * sizeof(wire_board_row) + 2 * WIRE_VALUE_NAME_MAX <= WIRE_CLIENT_BYTES_MAX);

/* --- packing */

/* bounded is `structs` of a vector that has a limit. */
template <typename T, typename C>
static Offset<flatbuffers::Vector<const T *>> bounded(FlatBufferBuilder &fbb, const C *items, size_t count, size_t most) {
    CHECK(count <= most);
    return structs<T>(fbb, items, count);
}

static Offset<fb::Welcome> welcome_of(FlatBufferBuilder &fbb, const struct wire_welcome &w) {
    fb::Rect rect(w.rect.min_x, w.rect.min_y, w.rect.max_x, w.rect.max_y);
    auto zone = text_of(fbb, w.zone);
    return fb::CreateWelcome(fbb, w.entity, w.player, zone, w.tick_hz, w.snapshot_hz, &rect, w.view_radius_m);
}

static Offset<fb::InventoryDiff> inventory_of(FlatBufferBuilder &fbb, const struct wire_inventory_diff &d) {
    CHECK(d.added_count <= WIRE_DIFF_ITEMS_MAX && d.updated_count <= WIRE_DIFF_ITEMS_MAX - d.added_count);
    CHECK(d.removed_count <= WIRE_DIFF_REMOVED_MAX);
    auto added = bounded<fb::Item>(fbb, d.added, d.added_count, WIRE_DIFF_ITEMS_MAX);
    auto updated = bounded<fb::Item>(fbb, d.updated, d.updated_count, WIRE_DIFF_ITEMS_MAX);
    Offset<flatbuffers::Vector<uint64_t>> removed = d.removed_count ? fbb.CreateVector(d.removed, d.removed_count) : 0;
    return fb::CreateInventoryDiff(fbb, d.reset, d.more, d.version, d.gold, added, updated, removed, d.guild);
}

static Offset<fb::TradeOffered> trade_of(FlatBufferBuilder &fbb, const struct wire_trade_offered &t) {
    auto give = bounded<fb::Item>(fbb, t.give, t.give_count, WIRE_TRADE_ITEMS_MAX);
    auto want = bounded<fb::Item>(fbb, t.want, t.want_count, WIRE_TRADE_ITEMS_MAX);
    return fb::CreateTradeOffered(fbb, t.trade, t.offerer, t.accepter, give, want, t.give_gold, t.want_gold, t.expires_in_s);
}

static Offset<fb::GuildState> guild_of(FlatBufferBuilder &fbb, const struct wire_guild_state &g) {
    auto name = text_or_none(fbb, g.name);
    auto members = bounded<fb::GuildMember>(fbb, g.members, g.member_count, WIRE_GUILD_MEMBERS_MAX);
    return fb::CreateGuildState(fbb, g.guild, g.version, name, g.rank, g.members_total, g.member_first, members);
}

static Offset<fb::AuctionState> auction_of(FlatBufferBuilder &fbb, const struct wire_auction_state &a) {
    CHECK(a.phase >= WIRE_AUCTION_OPEN && a.phase < WIRE_AUCTION_PHASE_COUNT);
    return fb::CreateAuctionState(fbb, a.auction, a.seller, fb::AuctionPhase(a.phase),
                                  reinterpret_cast<const fb::Item *>(&a.item), a.min_bid, a.buyout, a.bid, a.bidder,
                                  a.ends_in_s);
}

static Offset<fb::BoardRows> board_of(FlatBufferBuilder &fbb, const struct wire_board_rows &b) {
    auto board = text_of(fbb, b.board);
    auto region = text_or_none(fbb, b.region);
    auto rows = bounded<fb::BoardRow>(fbb, b.rows, b.row_count, WIRE_BOARD_ROWS_MAX);
    return fb::CreateBoardRows(fbb, board, region, b.season, b.total, rows);
}

static Offset<fb::Profile> profile_of(FlatBufferBuilder &fbb, const struct wire_profile &p) {
    auto name = text_or_none(fbb, p.name);
    auto region = text_or_none(fbb, p.region);
    auto guild_name = text_or_none(fbb, p.guild_name);
    return fb::CreateProfile(fbb, p.player, name, region, p.guild, guild_name, p.level, p.experience, p.online);
}

/* Bodies of things of value. */
static Offset<void> value_body(FlatBufferBuilder &fbb, const struct wire_server_message &m) {
    switch (m.kind) {
    case WIRE_SERVER_COMMAND_RESULT:
        CHECK(m.result.status >= 0 && m.result.status < WIRE_STATUS_COUNT);
        return fb::CreateCommandResult(fbb, m.result.key, fb::CommandStatus(m.result.status), m.result.object).Union();
    case WIRE_SERVER_INVENTORY_DIFF: return inventory_of(fbb, m.inventory).Union();
    case WIRE_SERVER_TRADE_OFFERED: return trade_of(fbb, m.trade_offered).Union();
    case WIRE_SERVER_TRADE_CLOSED:
        CHECK(m.trade_closed.outcome >= WIRE_TRADE_DONE && m.trade_closed.outcome < WIRE_TRADE_OUTCOME_COUNT);
        return fb::CreateTradeClosed(fbb, m.trade_closed.trade, fb::TradeOutcome(m.trade_closed.outcome)).Union();
    case WIRE_SERVER_GUILD_INVITED: {
        auto name = text_of(fbb, m.guild_invited.name);
        return fb::CreateGuildInvited(fbb, m.guild_invited.guild, name, m.guild_invited.by).Union();
    }
    case WIRE_SERVER_GUILD_STATE: return guild_of(fbb, m.guild).Union();
    case WIRE_SERVER_AUCTION_STATE: return auction_of(fbb, m.auction).Union();
    case WIRE_SERVER_BOARD_ROWS: return board_of(fbb, m.board).Union();
    case WIRE_SERVER_PROFILE: return profile_of(fbb, m.profile).Union();
    case WIRE_SERVER_PROGRESS: return fb::CreateProgress(fbb, m.progress.level, m.progress.experience).Union();
    case WIRE_SERVER_ENDED:
        CHECK(m.ended >= WIRE_END_TAKEN_OVER && m.ended < WIRE_END_REASON_COUNT);
        return fb::CreateEnded(fbb, fb::EndReason(m.ended)).Union();
    default: return wire_match_server_body(fbb, m);
    }
}

static Offset<void> server_body(FlatBufferBuilder &fbb, const struct wire_server_message &m) {
    switch (m.kind) {
    case WIRE_SERVER_WELCOME: return welcome_of(fbb, m.welcome).Union();
    case WIRE_SERVER_ZONE_STATUS: return fb::CreateZoneStatus(fbb, fb::ZoneState(m.zone_state)).Union();
    case WIRE_SERVER_HEARD: {
        auto text = text_of(fbb, m.heard.text);
        return fb::CreateHeard(fbb, m.heard.entity, m.heard.player, text).Union();
    }
    case WIRE_SERVER_DIED: return fb::CreateDied(fbb, m.died_by).Union();
    case WIRE_SERVER_RESPAWNED: return fb::CreateRespawned(fbb).Union();
    case WIRE_SERVER_RECONNECT: {
        auto token = fbb.CreateVector(m.reconnect.token, WIRE_TOKEN_BYTES);
        return fb::CreateReconnect(fbb, token, m.reconnect.within_ms).Union();
    }
    default: return value_body(fbb, m);
    }
}

static Offset<fb::Command> command_of(FlatBufferBuilder &fbb, const struct wire_command &c) {
    CHECK(c.key != 0 && c.verb != 0);
    auto give = bounded<fb::ItemRef>(fbb, c.give, c.give_count, WIRE_TRADE_ITEMS_MAX);
    auto want = bounded<fb::ItemRef>(fbb, c.want, c.want_count, WIRE_TRADE_ITEMS_MAX);
    auto text = text_or_none(fbb, c.text);
    return fb::CreateCommand(fbb, c.key, fb::CommandVerb(c.verb), c.player, c.item, c.other_item, c.object, c.version,
                             c.other_version, c.count, c.slot, c.gold, c.price, c.duration_s, c.rank, give, want, text);
}

static Offset<void> client_body(FlatBufferBuilder &fbb, const struct wire_client_message &m) {
    switch (m.kind) {
    case WIRE_CLIENT_SAY: {
        auto text = text_of(fbb, m.say);
        return fb::CreateSay(fbb, text).Union();
    }
    case WIRE_CLIENT_VIEWPORT: return fb::CreateViewport(fbb, m.viewport_radius_m).Union();
    case WIRE_CLIENT_RESPAWN: return fb::CreateRespawn(fbb).Union();
    case WIRE_CLIENT_COMMAND: return command_of(fbb, m.command).Union();
    default: return wire_match_client_body(fbb, m);
    }
}

int wire_server_message_pack(struct wire_builder *builder, const struct wire_server_message *m, struct wire_bytes *out) {
    size_t most = m->kind == WIRE_SERVER_RECONNECT ? WIRE_SERVER_BYTES_MAX : WIRE_CLIENT_BYTES_MAX;
    if (builder->bytes_max < most) return MARCH_ERR_FULL;
    FlatBufferBuilder &fbb = start(builder);
    auto body = server_body(fbb, *m);
    fbb.Finish(fb::CreateServerMessage(fbb, fb::ServerBody(m->kind), body));
    CHECK(fbb.GetSize() <= most);
    *out = {fbb.GetBufferPointer(), fbb.GetSize()};
    return 0;
}

int wire_client_message_pack(struct wire_builder *builder, const struct wire_client_message *m, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    auto body = client_body(fbb, *m);
    fbb.Finish(fb::CreateClientMessage(fbb, fb::ClientBody(m->kind), body));
    CHECK(fbb.GetSize() <= WIRE_CLIENT_BYTES_MAX);
    *out = {fbb.GetBufferPointer(), fbb.GetSize()};
    return 0;
}

/* --- reading */

/* Client messages lie at any alignment in a reassembled stream: the verified copy is aligned. */
template <size_t SIZE> struct aligned_message { alignas(uint64_t) uint8_t bytes[SIZE]; };

template <typename T, size_t SIZE> static const T *verified(const uint8_t *bytes, size_t len, aligned_message<SIZE> &copy) {
    if (len < sizeof(uint64_t) || len > sizeof copy.bytes) return nullptr;
    memcpy(copy.bytes, bytes, len);
    Verifier verifier(copy.bytes, len);
    if (!verifier.VerifyBuffer<T>(nullptr)) return nullptr;
    const T *root = flatbuffers::GetRoot<T>(copy.bytes);
    return root->body() ? root : nullptr;
}

static int read_welcome(const fb::Welcome &in, struct wire_welcome *out) {
    if (!copy_text(in.zone(), out->zone)) return MARCH_ERR_INVALID;
    out->entity = in.entity();
    out->player = in.player();
    out->tick_hz = in.tick_hz();
    out->snapshot_hz = in.snapshot_hz();
    out->view_radius_m = in.view_radius_m();
    out->rect = rect_of(in.rect());
    return 0;
}

static int read_zone_status(const fb::ZoneStatus &in, enum wire_zone_state *out) {
    if (in.state() != fb::ZoneState::Lost && in.state() != fb::ZoneState::Back) return MARCH_ERR_INVALID;
    *out = wire_zone_state(in.state());
    return 0;
}

static int read_heard(const fb::Heard &in, struct wire_heard *out) {
    out->entity = in.entity();
    out->player = in.player();
    return copy_text(in.text(), out->text) ? 0 : MARCH_ERR_INVALID;
}

static int read_reconnect(const fb::Reconnect &in, struct wire_reconnect *out) {
    if (!in.token() || in.token()->size() != sizeof out->token) return MARCH_ERR_INVALID;
    memcpy(out->token, in.token()->Data(), sizeof out->token);
    out->within_ms = in.within_ms();
    return 0;
}

/* take copies a vector out; false where it is longer than `most`. */
template <typename C, typename T>
static bool take(const flatbuffers::Vector<const T *> *in, C *out, uint32_t *count, uint32_t most) {
    static_assert(sizeof(C) == sizeof(T), "one layout");
    *count = in ? in->size() : 0;
    if (*count > most) return false;
    if (*count > 0) memcpy(out, in->Data(), *count * sizeof(C));
    return true;
}

static bool read_result(const fb::CommandResult &in, struct wire_command_result *out) {
    if (in.status() > fb::CommandStatus::MAX) return false;
    out->key = in.key();
    out->status = wire_command_status(in.status());
    out->object = in.object();
    return true;
}

static bool read_inventory(const fb::InventoryDiff &in, struct wire_inventory_diff *out) {
    out->reset = in.reset();
    out->more = in.more();
    out->guild = in.guild();
    out->version = in.version();
    out->gold = in.gold();
    if (!take(in.added(), out->added, &out->added_count, WIRE_DIFF_ITEMS_MAX)) return false;
    if (!take(in.updated(), out->updated, &out->updated_count, WIRE_DIFF_ITEMS_MAX - out->added_count)) return false;
    out->removed_count = in.removed() ? in.removed()->size() : 0;
    if (out->removed_count > WIRE_DIFF_REMOVED_MAX) return false;
    /* copied, since the library's verifier does not look at where 8 bytes lie */
    if (out->removed_count > 0) memcpy(out->removed, in.removed()->Data(), out->removed_count * sizeof *out->removed);
    return true;
}

static bool read_trade(const fb::TradeOffered &in, struct wire_trade_offered *out) {
    out->trade = in.trade();
    out->offerer = in.offerer();
    out->accepter = in.accepter();
    out->give_gold = in.give_gold();
    out->want_gold = in.want_gold();
    out->expires_in_s = in.expires_in_s();
    return take(in.give(), out->give, &out->give_count, WIRE_TRADE_ITEMS_MAX) &&
           take(in.want(), out->want, &out->want_count, WIRE_TRADE_ITEMS_MAX);
}

static bool read_closed(const fb::TradeClosed &in, struct wire_trade_closed *out) {
    if (in.outcome() < fb::TradeOutcome::MIN || in.outcome() > fb::TradeOutcome::MAX) return false;
    out->trade = in.trade();
    out->outcome = wire_trade_outcome(in.outcome());
    return true;
}

static bool read_invited(const fb::GuildInvited &in, struct wire_guild_invited *out) {
    out->guild = in.guild();
    out->by = in.by();
    return copy_text(in.name(), out->name);
}

static bool read_guild(const fb::GuildState &in, struct wire_guild_state *out) {
    out->guild = in.guild();
    out->version = in.version();
    out->rank = in.rank();
    out->members_total = in.members_total();
    out->member_first = in.member_first();
    return copy_or_none(in.name(), out->name) &&
           take(in.members(), out->members, &out->member_count, WIRE_GUILD_MEMBERS_MAX);
}

static bool read_auction(const fb::AuctionState &in, struct wire_auction_state *out) {
    if (!in.item() || in.phase() < fb::AuctionPhase::MIN || in.phase() > fb::AuctionPhase::MAX) return false;
    out->auction = in.auction();
    out->seller = in.seller();
    out->phase = wire_auction_phase(in.phase());
    memcpy(&out->item, in.item(), sizeof out->item);
    out->min_bid = in.min_bid();
    out->buyout = in.buyout();
    out->bid = in.bid();
    out->bidder = in.bidder();
    out->ends_in_s = in.ends_in_s();
    return true;
}

static bool read_board(const fb::BoardRows &in, struct wire_board_rows *out) {
    out->season = in.season();
    out->total = in.total();
    return copy_text(in.board(), out->board) && copy_or_none(in.region(), out->region) &&
           take(in.rows(), out->rows, &out->row_count, WIRE_BOARD_ROWS_MAX);
}

static bool read_profile(const fb::Profile &in, struct wire_profile *out) {
    out->player = in.player();
    out->guild = in.guild();
    out->experience = in.experience();
    out->level = in.level();
    out->online = in.online();
    return copy_or_none(in.name(), out->name) && copy_or_none(in.region(), out->region) &&
           copy_or_none(in.guild_name(), out->guild_name);
}

static bool read_progress(const fb::Progress &in, struct wire_progress *out) {
    out->level = in.level();
    out->experience = in.experience();
    return true;
}

static bool read_ended(const fb::Ended &in, enum wire_end_reason *out) {
    if (in.reason() < fb::EndReason::MIN || in.reason() > fb::EndReason::MAX) return false;
    *out = wire_end_reason(in.reason());
    return true;
}

static int read_value(const fb::ServerMessage &in, struct wire_server_message *out) {
    bool valid;
    switch (in.body_type()) {
    case fb::ServerBody::CommandResult: valid = read_result(*in.body_as_CommandResult(), &out->result); break;
    case fb::ServerBody::InventoryDiff: valid = read_inventory(*in.body_as_InventoryDiff(), &out->inventory); break;
    case fb::ServerBody::TradeOffered: valid = read_trade(*in.body_as_TradeOffered(), &out->trade_offered); break;
    case fb::ServerBody::TradeClosed: valid = read_closed(*in.body_as_TradeClosed(), &out->trade_closed); break;
    case fb::ServerBody::GuildInvited: valid = read_invited(*in.body_as_GuildInvited(), &out->guild_invited); break;
    case fb::ServerBody::GuildState: valid = read_guild(*in.body_as_GuildState(), &out->guild); break;
    case fb::ServerBody::AuctionState: valid = read_auction(*in.body_as_AuctionState(), &out->auction); break;
    case fb::ServerBody::BoardRows: valid = read_board(*in.body_as_BoardRows(), &out->board); break;
    case fb::ServerBody::Profile: valid = read_profile(*in.body_as_Profile(), &out->profile); break;
    case fb::ServerBody::Progress: valid = read_progress(*in.body_as_Progress(), &out->progress); break;
    case fb::ServerBody::Ended: valid = read_ended(*in.body_as_Ended(), &out->ended); break;
    default: return wire_match_server_read(in, out);
    }
    return valid ? 0 : MARCH_ERR_INVALID;
}

static bool read_command(const fb::Command &in, struct wire_command *out) {
    if (in.key() == 0 || in.verb() == fb::CommandVerb::None) return false;
    out->key = in.key();
    out->verb = uint8_t(in.verb());
    out->player = in.player();
    out->item = in.item();
    out->other_item = in.other_item();
    out->version = in.version();
    out->other_version = in.other_version();
    out->object = in.object();
    out->count = in.count();
    out->slot = in.slot();
    out->rank = in.rank();
    out->gold = in.gold();
    out->price = in.price();
    out->duration_s = in.duration_s();
    return take(in.give(), out->give, &out->give_count, WIRE_TRADE_ITEMS_MAX) &&
           take(in.want(), out->want, &out->want_count, WIRE_TRADE_ITEMS_MAX) && copy_or_none(in.text(), out->text);
}

int wire_server_message_read(const uint8_t *bytes, size_t len, struct wire_server_message *message) {
    aligned_message<WIRE_SERVER_BYTES_MAX> copy;
    const fb::ServerMessage *root = verified<fb::ServerMessage>(bytes, len, copy);
    bool is_long = len > WIRE_CLIENT_BYTES_MAX;
    if (!root || (is_long && root->body_type() != fb::ServerBody::Reconnect)) return MARCH_ERR_INVALID;
    message->kind = wire_server_kind(root->body_type());
    switch (root->body_type()) {
    case fb::ServerBody::Welcome: return read_welcome(*root->body_as_Welcome(), &message->welcome);
    case fb::ServerBody::ZoneStatus: return read_zone_status(*root->body_as_ZoneStatus(), &message->zone_state);
    case fb::ServerBody::Heard: return read_heard(*root->body_as_Heard(), &message->heard);
    case fb::ServerBody::Died: message->died_by = root->body_as_Died()->by(); return 0;
    case fb::ServerBody::Respawned: return 0;
    case fb::ServerBody::Reconnect: return read_reconnect(*root->body_as_Reconnect(), &message->reconnect);
    default: return read_value(*root, message);
    }
}

int wire_client_message_read(const uint8_t *bytes, size_t len, struct wire_client_message *message) {
    aligned_message<WIRE_CLIENT_BYTES_MAX> copy;
    const fb::ClientMessage *root = verified<fb::ClientMessage>(bytes, len, copy);
    if (!root) return MARCH_ERR_INVALID;
    message->kind = wire_client_kind(root->body_type());
    switch (root->body_type()) {
    case fb::ClientBody::Say: return copy_text(root->body_as_Say()->text(), message->say) ? 0 : MARCH_ERR_INVALID;
    case fb::ClientBody::Viewport: message->viewport_radius_m = root->body_as_Viewport()->radius_m(); return 0;
    case fb::ClientBody::Respawn: return 0;
    case fb::ClientBody::Command: return read_command(*root->body_as_Command(), &message->command) ? 0 : MARCH_ERR_INVALID;
    default: return wire_match_client_read(*root, message);
    }
}

int wire_client_message_command_key(const uint8_t *bytes, size_t len, uint64_t *key) {
    aligned_message<WIRE_CLIENT_BYTES_MAX> copy;
    const fb::ClientMessage *root = verified<fb::ClientMessage>(bytes, len, copy);
    const fb::Command *command = root ? root->body_as_Command() : nullptr;
    struct wire_command read;
    if (!command || !read_command(*command, &read)) return MARCH_ERR_NOT_FOUND;
    *key = read.key;
    return 0;
}

int wire_client_message_match_kind(const uint8_t *bytes, size_t len, enum wire_client_kind *kind) {
    aligned_message<WIRE_CLIENT_BYTES_MAX> copy;
    const fb::ClientMessage *root = verified<fb::ClientMessage>(bytes, len, copy);
    struct wire_client_message read;
    if (!root || wire_match_client_read(*root, &read) != 0) return MARCH_ERR_NOT_FOUND;
    *kind = wire_client_kind(root->body_type());
    return 0;
}

int wire_server_message_result_key(const uint8_t *bytes, size_t len, uint64_t *key) {
    aligned_message<WIRE_CLIENT_BYTES_MAX> copy;
    const fb::ServerMessage *root = verified<fb::ServerMessage>(bytes, len, copy);
    const fb::CommandResult *result = root ? root->body_as_CommandResult() : nullptr;
    if (!result) return MARCH_ERR_NOT_FOUND;
    *key = result->key();
    return 0;
}
