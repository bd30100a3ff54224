/* wire_persist.cc: wire_persist.h over the FlatBuffers library. */
#include "schemas/wire_inner.hpp"

SAME_LAYOUT(wire_player_state, fb::PlayerState, 48);
AT(wire_player_state, session_epoch, 8);
AT(wire_player_state, tick, 16);
AT(wire_player_state, experience, 24);
AT(wire_player_state, x, 32);
AT(wire_player_state, y, 36);
AT(wire_player_state, yaw, 40);
AT(wire_player_state, level, 42);
AT(wire_player_state, hit_points, 44);
AT(wire_player_state, flags, 46);
SAME_LAYOUT(wire_player_load, fb::PlayerLoad, 16);
AT(wire_player_load, session_epoch, 8);
SAME_LAYOUT(wire_loot_grant, fb::LootGrant, 32);
AT(wire_loot_grant, key, 8);
AT(wire_loot_grant, gold, 16);
AT(wire_loot_grant, item_kind, 24);
AT(wire_loot_grant, item_count, 28);
SAME_LAYOUT(wire_player_loaded, fb::PlayerLoaded, 56);
AT(wire_player_loaded, result, 48);
SAME_LAYOUT(wire_grant_answer, fb::GrantAnswer, 24);
AT(wire_grant_answer, key, 8);
AT(wire_grant_answer, result, 16);
SAME_LAYOUT(wire_player_effect, fb::PlayerEffect, 16);
AT(wire_player_effect, kind, 8);
AT(wire_player_effect, amount, 12);
SAME_LAYOUT(wire_session_claim, fb::SessionClaim, 40);
AT(wire_session_claim, player, 8);
AT(wire_session_claim, token_lo, 16);
AT(wire_session_claim, token_hi, 24);
AT(wire_session_claim, token_expires_s, 32);
SAME_LAYOUT(wire_session_ref, fb::SessionRef, 24);
AT(wire_session_ref, player, 8);
AT(wire_session_ref, session_epoch, 16);
SAME_LAYOUT(wire_session_command, fb::SessionCommand, 32);
AT(wire_session_command, player, 8);
AT(wire_session_command, session_epoch, 16);
AT(wire_session_command, offset, 24);
AT(wire_session_command, len, 28);
SAME_LAYOUT(wire_session_claimed, fb::SessionClaimed, 40);
AT(wire_session_claimed, player, 8);
AT(wire_session_claimed, session_epoch, 16);
AT(wire_session_claimed, x, 24);
AT(wire_session_claimed, y, 28);
AT(wire_session_claimed, result, 32);
AT(wire_session_claimed, flags, 36);
AT(wire_session_claimed, zone, 38);
SAME_LAYOUT(wire_session_ended, fb::SessionEnded, 32);
AT(wire_session_ended, player, 8);
AT(wire_session_ended, session_epoch, 16);
AT(wire_session_ended, reason, 24);
SAME_LAYOUT(wire_transfer, fb::Transfer, 16);
AT(wire_transfer, offset, 8);
AT(wire_transfer, len, 12);
SAME_LAYOUT(wire_transfer_answer, fb::TransferAnswer, 16);
AT(wire_transfer_answer, result, 8);
SAME_LAYOUT(wire_transfer_done, fb::TransferDone, 8);
SAME_LAYOUT(wire_notice, fb::Notice, 16);
AT(wire_notice, offset, 8);
AT(wire_notice, len, 12);

static_assert(WIRE_PERSIST_OVERHEAD_MAX + WIRE_REPORT_STATES_MAX * (sizeof(wire_player_state) + sizeof(uint32_t)) +
                      WIRE_REPORT_LOADS_MAX * sizeof(wire_player_load) + WIRE_REPORT_GRANTS_MAX * sizeof(wire_loot_grant) <=
                  WIRE_BUS_BYTES_MAX,
              "a full report fits");

/* --- packing */

int wire_zone_report_pack(struct wire_builder *builder, const struct wire_zone_report *r, struct wire_bytes *out) {
    if (wire_zone_report_bytes(r) > builder->bytes_max) return MARCH_ERR_FULL;
    size_t name_len = strnlen(r->partition, sizeof r->partition);
    CHECK(name_len >= 1 && name_len <= WIRE_NAME_MAX);
    FlatBufferBuilder &fbb = start(builder);
    auto partition = fbb.CreateString(r->partition, name_len);
    auto loads = structs<fb::PlayerLoad>(fbb, r->loads, r->load_count);
    auto states = structs<fb::PlayerState>(fbb, r->states, r->state_count);
    auto grants = structs<fb::LootGrant>(fbb, r->grants, r->grant_count);
    auto attachments = r->attachments && r->state_count > 0 ? fbb.CreateVector(r->attachments, r->state_count) : 0;
    auto body =
        fb::CreateZoneReport(fbb, partition, r->lease_epoch, r->seq, r->claims_lease, loads, states, grants, attachments);
    return wire_bus_finish(builder, fb::BusBody::ZoneReport, body.Union(), out);
}

int wire_persist_report_pack(struct wire_builder *builder, const struct wire_persist_report *r, struct wire_bytes *out) {
    if (wire_persist_report_bytes(r) > builder->bytes_max) return MARCH_ERR_FULL;
    FlatBufferBuilder &fbb = start(builder);
    auto loaded = structs<fb::PlayerLoaded>(fbb, r->loaded, r->loaded_count);
    auto granted = structs<fb::GrantAnswer>(fbb, r->granted, r->granted_count);
    auto effects = structs<fb::PlayerEffect>(fbb, r->effects, r->effect_count);
    auto stale = structs<fb::PlayerLoad>(fbb, r->stale, r->stale_count);
    auto attachments =
        r->stale_attachments && r->stale_count > 0 ? fbb.CreateVector(r->stale_attachments, r->stale_count) : 0;
    auto body = fb::CreatePersistReport(fbb, r->lease_epoch, r->lease_result, r->durable_seq, loaded, granted, effects,
                                        stale, r->resend, attachments);
    return wire_bus_finish(builder, fb::BusBody::PersistReport, body.Union(), out);
}

int wire_gateway_claims_pack(struct wire_builder *builder, const struct wire_gateway_claims *c, struct wire_bytes *out) {
    if (wire_gateway_claims_bytes(c) > builder->bytes_max) return MARCH_ERR_FULL;
    size_t region_len = strnlen(c->region, sizeof c->region);
    CHECK(region_len >= 1 && region_len <= WIRE_NAME_MAX && ranges_in_blob(c->commands, c->command_count, c->blob_len));
    FlatBufferBuilder &fbb = start(builder);
    auto region = fbb.CreateString(c->region, region_len);
    auto claims = structs<fb::SessionClaim>(fbb, c->claims, c->claim_count);
    auto refreshes = structs<fb::SessionRef>(fbb, c->refreshes, c->refresh_count);
    auto commands = structs<fb::SessionCommand>(fbb, c->commands, c->command_count);
    auto ends = structs<fb::SessionRef>(fbb, c->ends, c->end_count);
    auto blob = blob_of(fbb, c->blob, c->blob_len);
    auto body = fb::CreateGatewayClaims(fbb, region, claims, refreshes, commands, ends, blob);
    return wire_bus_finish(builder, fb::BusBody::GatewayClaims, body.Union(), out);
}

int wire_persist_sessions_pack(struct wire_builder *builder, const struct wire_persist_sessions *s, struct wire_bytes *out) {
    if (wire_persist_sessions_bytes(s) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(ranges_in_blob(s->messages, s->message_count, s->blob_len));
    FlatBufferBuilder &fbb = start(builder);
    auto claimed = structs<fb::SessionClaimed>(fbb, s->claimed, s->claimed_count);
    auto messages = structs<fb::Message>(fbb, s->messages, s->message_count);
    auto ended = structs<fb::SessionEnded>(fbb, s->ended, s->ended_count);
    auto blob = blob_of(fbb, s->blob, s->blob_len);
    auto body = fb::CreatePersistSessions(fbb, claimed, messages, ended, blob);
    return wire_bus_finish(builder, fb::BusBody::PersistSessions, body.Union(), out);
}

int wire_shard_transfers_pack(struct wire_builder *builder, const struct wire_shard_transfers *t, struct wire_bytes *out) {
    if (wire_shard_transfers_bytes(t) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(ranges_in_blob(t->offers, t->offer_count, t->blob_len) &&
          ranges_in_blob(t->notices, t->notice_count, t->blob_len));
    FlatBufferBuilder &fbb = start(builder);
    auto offers = structs<fb::Transfer>(fbb, t->offers, t->offer_count);
    auto answers = structs<fb::TransferAnswer>(fbb, t->answers, t->answer_count);
    auto dones = structs<fb::TransferDone>(fbb, t->dones, t->done_count);
    auto notices = structs<fb::Notice>(fbb, t->notices, t->notice_count);
    auto blob = blob_of(fbb, t->blob, t->blob_len);
    auto body = fb::CreateShardTransfers(fbb, offers, answers, dones, notices, blob);
    return wire_bus_finish(builder, fb::BusBody::ShardTransfers, body.Union(), out);
}

/* --- reading */

/* numbers_of hands out a vector that goes beside another of `count` items, NULL for none; false where it does not fit. */
static bool numbers_of(const flatbuffers::Vector<uint32_t> *vector, uint32_t count, const uint32_t **numbers) {
    *numbers = vector ? vector->data() : nullptr;
    return !vector || (vector->size() == count && reinterpret_cast<uintptr_t>(*numbers) % alignof(uint32_t) == 0);
}

static int open_zone_report(const fb::ZoneReport &in, struct wire_zone_report *out) {
    if (!copy_text(in.partition(), out->partition)) return MARCH_ERR_INVALID;
    out->lease_epoch = in.lease_epoch();
    out->seq = in.seq();
    out->claims_lease = in.claims_lease();
    bool aligned = items_of(in.loads(), &out->loads, &out->load_count);
    aligned &= items_of(in.states(), &out->states, &out->state_count);
    aligned &= items_of(in.grants(), &out->grants, &out->grant_count);
    return aligned && numbers_of(in.attachments(), out->state_count, &out->attachments) ? 0 : MARCH_ERR_INVALID;
}

static int open_persist_report(const fb::PersistReport &in, struct wire_persist_report *out) {
    out->lease_epoch = in.lease_epoch();
    out->lease_result = in.lease_result();
    out->durable_seq = in.durable_seq();
    out->resend = in.resend();
    bool aligned = items_of(in.loaded(), &out->loaded, &out->loaded_count);
    aligned &= items_of(in.granted(), &out->granted, &out->granted_count);
    aligned &= items_of(in.effects(), &out->effects, &out->effect_count);
    aligned &= items_of(in.stale(), &out->stale, &out->stale_count);
    return aligned && numbers_of(in.stale_attachments(), out->stale_count, &out->stale_attachments) ? 0 : MARCH_ERR_INVALID;
}

static int open_gateway_claims(const fb::GatewayClaims &in, struct wire_gateway_claims *out) {
    if (!copy_text(in.region(), out->region)) return MARCH_ERR_INVALID;
    bool aligned = items_of(in.claims(), &out->claims, &out->claim_count);
    aligned &= items_of(in.refreshes(), &out->refreshes, &out->refresh_count);
    aligned &= items_of(in.commands(), &out->commands, &out->command_count);
    aligned &= items_of(in.ends(), &out->ends, &out->end_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    return aligned && ranges_in_blob(out->commands, out->command_count, out->blob_len) ? 0 : MARCH_ERR_INVALID;
}

static int open_persist_sessions(const fb::PersistSessions &in, struct wire_persist_sessions *out) {
    bool aligned = items_of(in.claimed(), &out->claimed, &out->claimed_count);
    aligned &= items_of(in.messages(), &out->messages, &out->message_count);
    aligned &= items_of(in.ended(), &out->ended, &out->ended_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    return aligned && ranges_in_blob(out->messages, out->message_count, out->blob_len) ? 0 : MARCH_ERR_INVALID;
}

static int open_shard_transfers(const fb::ShardTransfers &in, struct wire_shard_transfers *out) {
    bool aligned = items_of(in.offers(), &out->offers, &out->offer_count);
    aligned &= items_of(in.answers(), &out->answers, &out->answer_count);
    aligned &= items_of(in.dones(), &out->dones, &out->done_count);
    aligned &= items_of(in.notices(), &out->notices, &out->notice_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    bool valid = aligned && ranges_in_blob(out->offers, out->offer_count, out->blob_len) &&
                 ranges_in_blob(out->notices, out->notice_count, out->blob_len);
    return valid ? 0 : MARCH_ERR_INVALID;
}

int wire_persist_open(const fb::BusMessage &message, struct wire_bus_view *view) {
    switch (message.body_type()) {
    case fb::BusBody::ZoneReport: return open_zone_report(*message.body_as_ZoneReport(), &view->zone_report);
    case fb::BusBody::PersistReport: return open_persist_report(*message.body_as_PersistReport(), &view->persist_report);
    case fb::BusBody::GatewayClaims: return open_gateway_claims(*message.body_as_GatewayClaims(), &view->gateway_claims);
    case fb::BusBody::PersistSessions:
        return open_persist_sessions(*message.body_as_PersistSessions(), &view->persist_sessions);
    case fb::BusBody::ShardTransfers: return open_shard_transfers(*message.body_as_ShardTransfers(), &view->shard_transfers);
    default: return MARCH_ERR_UNSUPPORTED;
    }
}
