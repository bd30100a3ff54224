/* reporter.c: what zone/reporter.c does, in small: leases, and reports of the real book.h to each persist and back. See
 * world.h. */
#include <string.h>

#include "tests/sim/world.h"

/* --- reports on their way */

bool parcel_send(uint32_t from, uint32_t to, const struct parcel *p) {
    struct parcel *kept = &W.parcels[W.parcel_count % PARCELS_MAX];
    kept->number = W.parcel_count++;
    kept->up = p->up;
    kept->down = p->down;
    memcpy(kept->loads, p->loads, sizeof p->loads);
    memcpy(kept->states, p->states, sizeof p->states);
    memcpy(kept->attachments, p->attachments, sizeof p->attachments);
    memcpy(kept->grants, p->grants, sizeof p->grants);
    memcpy(kept->loaded, p->loaded, sizeof p->loaded);
    memcpy(kept->granted, p->granted, sizeof p->granted);
    kept->down.loaded = kept->loaded, kept->down.granted = kept->granted;
    kept->down.stale = kept->loads, kept->down.stale_attachments = kept->attachments;
    enum kind kind = to < SLOTS ? PERSIST_REPORT : ZONE_REPORT;
    return network_send(from, to, &(struct message){.kind = kind, .parcel = kept->number});
}

const struct parcel *parcel_of(const struct message *m) {
    const struct parcel *p = &W.parcels[m->parcel % PARCELS_MAX];
    if (p->number != m->parcel) fail_run("too many reports are under way");
    return p;
}

/* --- what is durable */

/* remember keeps what was reported until it is known to be durable. */
static void remember(struct zone *zone, uint32_t shard, const struct parcel *p) {
    for (uint32_t i = 0; i < p->up.state_count; i++) {
        const struct wire_player_state *state = &p->states[i];
        zone->sent[zone->sent_count++ % SENT_MAX] = (struct sent){.seq = p->up.seq,
                                                                  .epoch = state->session_epoch,
                                                                  .tick = state->tick,
                                                                  .shard = shard,
                                                                  .player = player_of(state->player)};
    }
}

/* forget_sent: of what was said over a connection that is over, or refused as stale, nothing is promised. */
static void forget_sent(struct zone *zone, uint32_t shard, uint32_t player, uint64_t epoch) {
    for (uint32_t i = 0; i < SENT_MAX; i++) {
        struct sent *sent = &zone->sent[i];
        if (sent->shard == shard && (player == NOBODY || (sent->player == player && sent->epoch <= epoch))) sent->seq = 0;
    }
}

static void note_durable(struct zone *zone, uint32_t shard, uint64_t seq) {
    for (uint32_t i = 0; i < SENT_MAX; i++) {
        struct sent *sent = &zone->sent[i];
        struct login *login = &W.logins[sent->player];
        if (sent->seq == 0 || sent->shard != shard || sent->seq > seq) continue;
        sent->seq = 0;
        bool is_newer =
            sent->epoch != login->durable_epoch ? sent->epoch > login->durable_epoch : sent->tick > login->durable_tick;
        if (is_newer) login->durable_epoch = sent->epoch, login->durable_tick = sent->tick;
    }
}

static void note_granted(const struct wire_grant_answer *answer) {
    struct loot *loot = loot_find(answer->player, answer->key);
    if (loot && answer->result == WIRE_GRANT_DURABLE) loot->is_durable = true;
}

/* --- a connection to a persist */

void reporter_up(struct zone *zone, uint32_t shard, bool is_same) {
    if (!is_same) zone->shards[shard].seq = 0;
    zone->shards[shard].claim_ms = W.ms;
    forget_sent(zone, shard, NOBODY, 0);
    book_resend(zone->book, shard);
}

void reporter_lost(struct zone *zone, uint32_t shard) {
    zone->shards[shard].lease = LEASE_NONE;
}

void reporter_take(struct zone *zone, uint32_t shard, const struct parcel *p) {
    const struct wire_persist_report *down = &p->down;
    if (down->lease_result == WIRE_LEASE_HELD) {
        zone->shards[shard].lease = LEASE_HELD;
        zone->shards[shard].epoch = down->lease_epoch;
        book_lease(zone->book, shard, down->lease_epoch);
    } else if (down->lease_result == WIRE_LEASE_UNAVAILABLE) {
        zone->shards[shard].lease = LEASE_NONE;
        zone->shards[shard].claim_ms = W.ms + CLAIM_MS;
    } else if (down->lease_result == WIRE_LEASE_STALE) {
        trace("zone %u has lost its lease", zone->slot);
        process_die(zone->slot);
        return;
    }
    for (uint32_t i = 0; i < down->stale_count; i++)
        forget_sent(zone, shard, player_of(down->stale[i].player), down->stale[i].session_epoch);
    for (uint32_t i = 0; i < down->granted_count; i++) note_granted(&down->granted[i]);
    if (down->resend) forget_sent(zone, shard, NOBODY, 0); /* some were not kept, and go again with all others */
    note_durable(zone, shard, down->durable_seq);
    W.seen.stale += down->stale_count;
    book_take(zone->book, shard, down, now());
}

/* --- a turn */

static bool tell(struct zone *zone, uint32_t shard, struct parcel *p) {
    p->up.lease_epoch = zone->shards[shard].epoch;
    p->up.seq = zone->shards[shard].seq + 1;
    if (!parcel_send(zone->slot, NODE_SHARD + shard, p)) return false;
    zone->shards[shard].seq++;
    return true;
}

static void report(struct zone *zone, uint32_t shard, bool is_regular) {
    static struct parcel p;
    if (!is_regular && !book_is_urgent(zone->book, shard, now())) return;
    memset(&p.up, 0, sizeof p.up);
    if (!book_report(zone->book, shard, body_tick(), now(), is_regular, &p.up)) return;
    if (p.up.load_count > STATES_MAX || p.up.state_count > STATES_MAX || p.up.grant_count > GRANTS_MOST)
        fail_run("zone %u has too much to report", zone->slot);
    memcpy(p.loads, p.up.loads, p.up.load_count * sizeof *p.loads);
    memcpy(p.states, p.up.states, p.up.state_count * sizeof *p.states);
    memcpy(p.attachments, p.up.attachments, p.up.state_count * sizeof *p.attachments);
    memcpy(p.grants, p.up.grants, p.up.grant_count * sizeof *p.grants);
    for (uint32_t i = 0; i < p.up.grant_count; i++) loot_named(&p.grants[i]);
    if (!tell(zone, shard, &p)) return;
    book_reported(zone->book, zone->shards[shard].seq);
    remember(zone, shard, &p);
}

void reporter_turn(struct zone *zone) {
    static struct parcel claim;
    bool is_regular = W.ms >= zone->state_ms;
    if (is_regular) zone->state_ms = W.ms + STATE_MS;
    book_expire(zone->book, now());
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        if (!network_is_up(zone->slot, NODE_SHARD + shard)) continue;
        claim.up = (struct wire_zone_report){.claims_lease = true};
        if (zone->shards[shard].lease == LEASE_NONE && W.ms >= zone->shards[shard].claim_ms && tell(zone, shard, &claim))
            zone->shards[shard].lease = LEASE_ASKED;
        if (zone->shards[shard].lease == LEASE_HELD) report(zone, shard, is_regular);
    }
}
