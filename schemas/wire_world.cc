/* wire_world.cc: wire_world.h over the FlatBuffers library. */
#include "schemas/wire_inner.hpp"

SAME_LAYOUT(wire_rect, fb::Rect, 16);
AT(wire_rect, max_x, 8);
SAME_LAYOUT(wire_directory_worker, fb::DirectoryWorker, 16);
AT(wire_directory_worker, state, 8);
AT(wire_directory_worker, players, 12);
SAME_LAYOUT(wire_directory_partition, fb::DirectoryPartition, 48);
AT(wire_directory_partition, respawn, 8);
AT(wire_directory_partition, rect, 16);
AT(wire_directory_partition, id, 32);
AT(wire_directory_partition, owner, 36);
AT(wire_directory_partition, former, 40);
AT(wire_directory_partition, creatures, 44);
SAME_LAYOUT(wire_directory_gateway, fb::DirectoryGateway, 16);
AT(wire_directory_gateway, state, 8);
AT(wire_directory_gateway, sessions, 12);
SAME_LAYOUT(wire_hold, fb::Hold, 16);
AT(wire_hold, players, 4);
AT(wire_hold, creatures, 8);
AT(wire_hold, in_flight, 12);
SAME_LAYOUT(wire_fence, fb::Fence, 16);
AT(wire_fence, slot, 8);
AT(wire_fence, kind, 10);
AT(wire_fence, result, 12);
SAME_LAYOUT(wire_input_command, fb::InputCommand, 4);
AT(wire_input_command, buttons, 1);
AT(wire_input_command, aim, 2);
SAME_LAYOUT(wire_carried, fb::Carried, 224);
AT(wire_carried, player, 8);
AT(wire_carried, session_epoch, 16);
AT(wire_carried, entity, 24);
AT(wire_carried, tick, 32);
AT(wire_carried, speech_tick, 40);
AT(wire_carried, arrived_tick, 48);
AT(wire_carried, applied_tick, 56);
AT(wire_carried, x, 64);
AT(wire_carried, y, 68);
AT(wire_carried, attachment, 72);
AT(wire_carried, target, 76);
AT(wire_carried, view_radius, 80);
AT(wire_carried, vx, 84);
AT(wire_carried, vy, 86);
AT(wire_carried, kind, 88);
AT(wire_carried, yaw, 89);
AT(wire_carried, health, 90);
AT(wire_carried, action, 91);
AT(wire_carried, newest_seq, 92);
AT(wire_carried, applied_seq, 94);
AT(wire_carried, aim, 96);
AT(wire_carried, interval_q8, 98);
AT(wire_carried, input_count, 100);
AT(wire_carried, input_flags, 101);
AT(wire_carried, source, 102);
AT(wire_carried, commands, 104);
AT(wire_carried, seqs, 136);
AT(wire_carried, rules, 152);
SAME_LAYOUT(wire_routed, fb::Routed, 16);
AT(wire_routed, attachment, 8);
AT(wire_routed, result, 12);
SAME_LAYOUT(wire_activated, fb::Activated, 16);
AT(wire_activated, attachment, 8);
AT(wire_activated, result, 12);
SAME_LAYOUT(wire_ghost, fb::Ghost, 24);
AT(wire_ghost, x, 8);
AT(wire_ghost, y, 12);
AT(wire_ghost, vx, 16);
AT(wire_ghost, vy, 18);
AT(wire_ghost, kind, 20);
AT(wire_ghost, yaw, 21);
AT(wire_ghost, health, 22);
AT(wire_ghost, action, 23);
SAME_LAYOUT(wire_ghost_gone, fb::GhostGone, 16);
AT(wire_ghost_gone, reason, 8);
SAME_LAYOUT(wire_hit, fb::Hit, 32);
AT(wire_hit, attacker, 8);
AT(wire_hit, attacker_player, 16);
AT(wire_hit, damage, 24);
AT(wire_hit, hops, 28);
SAME_LAYOUT(wire_outcome, fb::Outcome, 32);
AT(wire_outcome, target, 8);
AT(wire_outcome, experience, 16);
AT(wire_outcome, killed, 20);
AT(wire_outcome, hops, 22);
AT(wire_outcome, instance, 24);
AT(wire_outcome, team, 28);
SAME_LAYOUT(wire_offer, fb::Offer, 24);
AT(wire_offer, player, 8);
AT(wire_offer, session_epoch, 16);
SAME_LAYOUT(wire_offer_answer, fb::OfferAnswer, 16);
AT(wire_offer_answer, result, 8);
SAME_LAYOUT(wire_query, fb::Query, 24);
AT(wire_query, session_epoch, 8);
AT(wire_query, attachment, 16);
AT(wire_query, result, 20);
SAME_LAYOUT(wire_give, fb::Give, 232);
AT(wire_give, link_dead_ms, 224);
SAME_LAYOUT(wire_given, fb::Given, 24);
AT(wire_given, session_epoch, 8);
AT(wire_given, attachment, 16);
AT(wire_given, result, 20);
SAME_LAYOUT(wire_carried_creature, fb::CarriedCreature, 104);
AT(wire_carried_creature, tick, 8);
AT(wire_carried_creature, x, 16);
AT(wire_carried_creature, y, 20);
AT(wire_carried_creature, vx, 24);
AT(wire_carried_creature, vy, 26);
AT(wire_carried_creature, kind, 28);
AT(wire_carried_creature, yaw, 29);
AT(wire_carried_creature, health, 30);
AT(wire_carried_creature, action, 31);
AT(wire_carried_creature, rules, 32);
SAME_LAYOUT(wire_creature_taken, fb::CreatureTaken, 16);
AT(wire_creature_taken, result, 8);
AT(wire_creature_taken, tick, 12);
SAME_LAYOUT(wire_carried_instance, fb::CarriedInstance, 152);
AT(wire_carried_instance, over_tick, 8);
AT(wire_carried_instance, wave_tick, 16);
AT(wire_carried_instance, dead_tick, 24);
AT(wire_carried_instance, rng, 32);
AT(wire_carried_instance, id, 40);
AT(wire_carried_instance, run, 44);
AT(wire_carried_instance, serial, 48);
AT(wire_carried_instance, phase, 52);
AT(wire_carried_instance, goal, 56);
AT(wire_carried_instance, wave, 60);
AT(wire_carried_instance, started, 64);
AT(wire_carried_instance, spawned, 68);
AT(wire_carried_instance, teams_seen, 72);
AT(wire_carried_instance, base, 76);
AT(wire_carried_instance, own, 108);
AT(wire_carried_instance, first_member, 140);
AT(wire_carried_instance, member_count, 144);
SAME_LAYOUT(wire_carried_member, fb::CarriedMember, 16);
AT(wire_carried_member, kills, 8);
AT(wire_carried_member, deaths, 10);
SAME_LAYOUT(wire_instance_taken, fb::InstanceTaken, 8);
AT(wire_instance_taken, serial, 4);
SAME_LAYOUT(wire_speech, fb::Speech, 32);
AT(wire_speech, player, 8);
AT(wire_speech, x, 16);
AT(wire_speech, y, 20);
AT(wire_speech, offset, 24);
AT(wire_speech, len, 28);

static_assert(WIRE_PEER_OVERHEAD_MAX + WIRE_PEER_GHOSTS_MAX * sizeof(wire_ghost) +
                      WIRE_PEER_ITEMS_MAX *
                          (sizeof(wire_ghost_gone) + sizeof(wire_hit) + sizeof(wire_outcome) + sizeof(wire_offer) +
                           sizeof(wire_offer_answer) + 2 * sizeof(wire_query) + sizeof(wire_carried_creature) +
                           sizeof(wire_creature_taken) + sizeof(wire_player_effect) + sizeof(wire_speech) +
                           sizeof(wire_give) + sizeof(wire_given) + sizeof(wire_carried_member)) +
                      WIRE_PEER_INSTANCES_MAX * (sizeof(wire_carried_instance) + sizeof(wire_instance_taken)) +
                      WIRE_PEER_BLOB_MAX <=
                  WIRE_BUS_BYTES_MAX,
              "a full batch fits");

/* --- packing */

static Offset<fb::Directory> pack_directory(FlatBufferBuilder &fbb, const struct wire_directory &d) {
    if (d.version == 0) return 0;
    CHECK(d.worker_count <= WIRE_WORKERS_MAX && d.partition_count <= WIRE_PARTITIONS_MAX &&
          d.gateway_count <= WIRE_DIRECTORY_GATES_MAX);
    auto workers = structs<fb::DirectoryWorker>(fbb, d.workers, d.worker_count);
    auto partitions = structs<fb::DirectoryPartition>(fbb, d.partitions, d.partition_count);
    auto gateways = structs<fb::DirectoryGateway>(fbb, d.gateways, d.gateway_count);
    return fb::CreateDirectory(fbb, d.version, workers, partitions, gateways);
}

int wire_directory_pack(struct wire_builder *builder, const struct wire_directory *d, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    CHECK(d->version != 0);
    return wire_bus_finish(builder, fb::BusBody::Directory, pack_directory(fbb, *d).Union(), out);
}

int wire_worker_report_pack(struct wire_builder *builder, const struct wire_worker_report *r, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    CHECK(r->hold_count <= WIRE_PARTITIONS_MAX);
    auto directory = pack_directory(fbb, r->directory);
    auto holds = structs<fb::Hold>(fbb, r->holds, r->hold_count);
    auto body =
        fb::CreateWorkerReport(fbb, directory, r->version, r->players, r->creatures, r->busy_us, r->late_ticks, holds);
    return wire_bus_finish(builder, fb::BusBody::WorkerReport, body.Union(), out);
}

int wire_gateway_report_pack(struct wire_builder *builder, const struct wire_gateway_report *r, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    auto directory = pack_directory(fbb, r->directory);
    auto body = fb::CreateGatewayReport(fbb, directory, r->version, r->sessions, r->moving);
    return wire_bus_finish(builder, fb::BusBody::GatewayReport, body.Union(), out);
}

int wire_fences_pack(struct wire_builder *builder, const struct wire_fences *f, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    CHECK(f->count <= WIRE_FENCES_MAX);
    auto body = fb::CreateFences(fbb, structs<fb::Fence>(fbb, f->fences, f->count));
    return wire_bus_finish(builder, fb::BusBody::Fences, body.Union(), out);
}

int wire_fences_done_pack(struct wire_builder *builder, const struct wire_fences *f, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    CHECK(f->count <= WIRE_FENCES_MAX);
    auto body = fb::CreateFencesDone(fbb, structs<fb::Fence>(fbb, f->fences, f->count));
    return wire_bus_finish(builder, fb::BusBody::FencesDone, body.Union(), out);
}

static bool peer_counts_valid(const struct wire_peer_batch &b) {
    const uint32_t counts[] = {b.gone_count,   b.hit_count,          b.outcome_count,  b.offer_count, b.offer_answer_count,
                               b.query_count,  b.query_answer_count, b.creature_count, b.taken_count, b.effect_count,
                               b.speech_count, b.give_count,         b.given_count,    b.member_count};
    for (uint32_t count : counts)
        if (count > WIRE_PEER_ITEMS_MAX) return false;
    for (uint32_t i = 0; i < b.give_count; i++)
        if (b.gives[i].carried.input_count > WIRE_CARRIED_INPUTS_MAX) return false;
    for (uint32_t i = 0; i < b.instance_count; i++) {
        const wire_carried_instance &n = b.instances[i];
        if (n.first_member > b.member_count || n.member_count > b.member_count - n.first_member) return false;
    }
    return b.ghost_count <= WIRE_PEER_GHOSTS_MAX && b.blob_len <= WIRE_PEER_BLOB_MAX &&
           b.instance_count <= WIRE_PEER_INSTANCES_MAX && b.instance_taken_count <= WIRE_PEER_INSTANCES_MAX;
}

int wire_peer_batch_pack(struct wire_builder *builder, const struct wire_peer_batch *b, struct wire_bytes *out) {
    if (wire_peer_batch_bytes(b) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(peer_counts_valid(*b) && ranges_in_blob(b->speeches, b->speech_count, b->blob_len));
    FlatBufferBuilder &fbb = start(builder);
    auto ghosts = structs<fb::Ghost>(fbb, b->ghosts, b->ghost_count);
    auto gone = structs<fb::GhostGone>(fbb, b->gone, b->gone_count);
    auto hits = structs<fb::Hit>(fbb, b->hits, b->hit_count);
    auto outcomes = structs<fb::Outcome>(fbb, b->outcomes, b->outcome_count);
    auto offers = structs<fb::Offer>(fbb, b->offers, b->offer_count);
    auto offer_answers = structs<fb::OfferAnswer>(fbb, b->offer_answers, b->offer_answer_count);
    auto queries = structs<fb::Query>(fbb, b->queries, b->query_count);
    auto query_answers = structs<fb::Query>(fbb, b->query_answers, b->query_answer_count);
    auto creatures = structs<fb::CarriedCreature>(fbb, b->creatures, b->creature_count);
    auto taken = structs<fb::CreatureTaken>(fbb, b->taken, b->taken_count);
    auto effects = structs<fb::PlayerEffect>(fbb, b->effects, b->effect_count);
    auto speeches = structs<fb::Speech>(fbb, b->speeches, b->speech_count);
    auto blob = blob_of(fbb, b->blob, b->blob_len);
    auto gives = structs<fb::Give>(fbb, b->gives, b->give_count);
    auto given = structs<fb::Given>(fbb, b->given, b->given_count);
    auto instances = structs<fb::CarriedInstance>(fbb, b->instances, b->instance_count);
    auto members = structs<fb::CarriedMember>(fbb, b->members, b->member_count);
    auto instances_taken = structs<fb::InstanceTaken>(fbb, b->instances_taken, b->instance_taken_count);
    auto body = fb::CreatePeerBatch(fbb, b->tick, b->reset, ghosts, gone, hits, outcomes, offers, offer_answers, queries,
                                    query_answers, creatures, taken, effects, speeches, blob, gives, given, instances,
                                    members, instances_taken);
    return wire_bus_finish(builder, fb::BusBody::PeerBatch, body.Union(), out);
}

/* --- reading */

static bool rect_is_some(const struct wire_rect &r) {
    return r.min_x < r.max_x && r.min_y < r.max_y;
}

static int open_directory(const fb::Directory *in, struct wire_directory *out) {
    *out = {};
    if (!in) return 0;
    out->version = in->version();
    bool aligned = items_of(in->workers(), &out->workers, &out->worker_count);
    aligned &= items_of(in->partitions(), &out->partitions, &out->partition_count);
    aligned &= items_of(in->gateways(), &out->gateways, &out->gateway_count);
    if (!aligned || out->version == 0 || out->worker_count > WIRE_WORKERS_MAX ||
        out->partition_count > WIRE_PARTITIONS_MAX || out->gateway_count > WIRE_DIRECTORY_GATES_MAX)
        return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < out->partition_count; i++)
        if (!rect_is_some(out->partitions[i].rect)) return MARCH_ERR_INVALID;
    return 0;
}

static int open_worker_report(const fb::WorkerReport &in, struct wire_worker_report *out) {
    out->version = in.version();
    out->players = in.players();
    out->creatures = in.creatures();
    out->busy_us = in.busy_us();
    out->late_ticks = in.late_ticks();
    if (!items_of(in.holds(), &out->holds, &out->hold_count) || out->hold_count > WIRE_PARTITIONS_MAX)
        return MARCH_ERR_INVALID;
    return open_directory(in.directory(), &out->directory);
}

static int open_gateway_report(const fb::GatewayReport &in, struct wire_gateway_report *out) {
    out->version = in.version();
    out->sessions = in.sessions();
    out->moving = in.moving();
    return open_directory(in.directory(), &out->directory);
}

static int open_fences(const flatbuffers::Vector<const fb::Fence *> *in, struct wire_fences *out) {
    return items_of(in, &out->fences, &out->count) && out->count <= WIRE_FENCES_MAX ? 0 : MARCH_ERR_INVALID;
}

static int open_peer_batch(const fb::PeerBatch &in, struct wire_peer_batch *out) {
    out->tick = in.tick();
    out->reset = in.reset();
    bool aligned = items_of(in.ghosts(), &out->ghosts, &out->ghost_count);
    aligned &= items_of(in.gone(), &out->gone, &out->gone_count);
    aligned &= items_of(in.hits(), &out->hits, &out->hit_count);
    aligned &= items_of(in.outcomes(), &out->outcomes, &out->outcome_count);
    aligned &= items_of(in.offers(), &out->offers, &out->offer_count);
    aligned &= items_of(in.offer_answers(), &out->offer_answers, &out->offer_answer_count);
    aligned &= items_of(in.queries(), &out->queries, &out->query_count);
    aligned &= items_of(in.query_answers(), &out->query_answers, &out->query_answer_count);
    aligned &= items_of(in.creatures(), &out->creatures, &out->creature_count);
    aligned &= items_of(in.taken(), &out->taken, &out->taken_count);
    aligned &= items_of(in.effects(), &out->effects, &out->effect_count);
    aligned &= items_of(in.speeches(), &out->speeches, &out->speech_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    aligned &= items_of(in.gives(), &out->gives, &out->give_count);
    aligned &= items_of(in.given(), &out->given, &out->given_count);
    aligned &= items_of(in.instances(), &out->instances, &out->instance_count);
    aligned &= items_of(in.members(), &out->members, &out->member_count);
    aligned &= items_of(in.instances_taken(), &out->instances_taken, &out->instance_taken_count);
    bool valid = aligned && peer_counts_valid(*out) && ranges_in_blob(out->speeches, out->speech_count, out->blob_len);
    return valid ? 0 : MARCH_ERR_INVALID;
}

int wire_world_open(const fb::BusMessage &message, struct wire_bus_view *view) {
    switch (message.body_type()) {
    case fb::BusBody::Directory: return open_directory(message.body_as_Directory(), &view->directory);
    case fb::BusBody::WorkerReport: return open_worker_report(*message.body_as_WorkerReport(), &view->worker_report);
    case fb::BusBody::GatewayReport: return open_gateway_report(*message.body_as_GatewayReport(), &view->gateway_report);
    case fb::BusBody::Fences: return open_fences(message.body_as_Fences()->fences(), &view->fences);
    case fb::BusBody::FencesDone: return open_fences(message.body_as_FencesDone()->fences(), &view->fences);
    case fb::BusBody::PeerBatch: return open_peer_batch(*message.body_as_PeerBatch(), &view->peer);
    default: return MARCH_ERR_UNSUPPORTED;
    }
}
