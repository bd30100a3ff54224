/* shard.c: a persist around the real motion.h and grants.h, on a made-up disk and database. What zones.c does with reports,
 * leases.c with leases and fences, sessions.c with claims and service.c with a start is here in small. See world.h. */
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "tests/sim/world.h"

#define FLUSH_MS   300
#define BATCH_ROWS 2 /* so that a flush of a few players is several transactions */

uint32_t shard_node(uint32_t player) {
    return NODE_SHARD + shard_of_player(id_of(player), SHARDS);
}

static uint32_t node_of(const struct shard *s) {
    return NODE_SHARD + (uint32_t)(s - W.shards);
}

static struct pg *database_of(const struct shard *s) {
    return &W.databases[s - W.shards];
}

static struct journal *journal_of(const struct shard *s) {
    return &W.journals[s - W.shards];
}

/* --- leases */

/* dead_of finds who was fenced, by its name or (WIRE_FENCE_OTHERS) only as one that had the lease. */
static struct wire_fence *dead_of(uint32_t shard, uint32_t slot, uint64_t incarnation) {
    struct pg *pg = &W.databases[shard];
    for (uint32_t i = 0; i < pg->dead_count; i++)
        if (pg->dead[i].slot == slot && pg->dead[i].incarnation == incarnation) return &pg->dead[i];
    return NULL;
}

bool shard_has_fenced(uint32_t shard, uint32_t slot, uint64_t incarnation) {
    return dead_of(shard, slot, incarnation) != NULL;
}

static void bury(struct shard *s, uint32_t slot, uint64_t incarnation, uint16_t kind) {
    struct pg *pg = database_of(s);
    uint32_t shard = (uint32_t)(s - W.shards);
    struct wire_fence *dead = dead_of(shard, slot, incarnation);
    if (!dead) {
        if (pg->dead_count == DEAD_MAX) fail_run("too many have died");
        dead = &pg->dead[pg->dead_count++];
        *dead = (struct wire_fence){.slot = (uint16_t)slot, .incarnation = incarnation, .kind = kind};
        W.seen.fences++;
        trace("shard %u fences %llu of zone %u", shard, (unsigned long long)incarnation, slot);
    }
    if (kind == WIRE_FENCE_ONE) dead->kind = kind;
    if (pg->leases[slot].owner != incarnation) return;
    pg->leases[slot].owner = 0;
    pg->leases[slot].epoch++;
}

static void fence(struct shard *s, uint32_t from, const struct wire_fence *f) {
    const struct pg *pg = database_of(s);
    if (pg->away_ms > W.ms) return; /* it is asked again */
    uint64_t owner = pg->leases[f->slot].owner;
    if (f->kind == WIRE_FENCE_ONE) bury(s, f->slot, f->incarnation, WIRE_FENCE_ONE);
    if (f->kind == WIRE_FENCE_OTHERS && owner != 0 && owner != f->incarnation) bury(s, f->slot, owner, WIRE_FENCE_OTHERS);
    (void)network_send(node_of(s), from, &(struct message){.kind = FENCED, .fence = *f});
}

static void claim_lease(struct shard *s, uint32_t zone, uint64_t held) {
    struct pg *pg = database_of(s);
    struct parcel *box = &s->zones[zone].outbox;
    uint64_t incarnation = network_peer(node_of(s), zone);
    const struct wire_fence *dead = dead_of((uint32_t)(s - W.shards), zone, incarnation);
    s->zones[zone].is_due = true;
    box->down.lease_result = WIRE_LEASE_HELD;
    if (pg->away_ms > W.ms) {
        box->down.lease_result = WIRE_LEASE_UNAVAILABLE;
    } else if ((dead && dead->kind == WIRE_FENCE_ONE) || (held != 0 && pg->leases[zone].owner != incarnation)) {
        box->down.lease_result = WIRE_LEASE_STALE;
    } else if (pg->leases[zone].owner != incarnation) {
        pg->leases[zone].owner = incarnation;
        pg->leases[zone].epoch++;
    }
    box->down.lease_epoch = pg->leases[zone].epoch;
}

static bool has_lease(const struct shard *s, uint32_t zone, uint64_t epoch) {
    const struct pg *pg = database_of(s);
    return pg->leases[zone].owner == network_peer(node_of(s), zone) && pg->leases[zone].epoch == epoch;
}

/* --- what zones are told */

static void say_stale(struct shard *s, uint32_t zone, uint64_t player, uint64_t epoch, uint32_t attachment) {
    struct parcel *box = &s->zones[zone].outbox;
    if (box->down.stale_count == STATES_MAX) return;
    s->zones[zone].is_due = true;
    box->attachments[box->down.stale_count] = attachment;
    box->loads[box->down.stale_count++] = (struct wire_player_load){.player = player, .session_epoch = epoch};
}

static void say_granted(struct shard *s, uint32_t zone, uint64_t player, uint64_t key, enum wire_grant_result result) {
    struct parcel *box = &s->zones[zone].outbox;
    if (box->down.granted_count == GRANTS_MOST) return;
    s->zones[zone].is_due = true;
    box->granted[box->down.granted_count++] =
        (struct wire_grant_answer){.player = player, .key = key, .result = (uint32_t)result};
}

static void flush(struct shard *s, uint32_t zone) {
    struct parcel *box = &s->zones[zone].outbox;
    if (!s->zones[zone].is_due || !network_is_up(node_of(s), zone)) return;
    box->down.durable_seq = s->zones[zone].durable_seq;
    (void)parcel_send(node_of(s), zone, box);
    memset(&box->down, 0, sizeof box->down);
    s->zones[zone].is_due = false;
}

/* --- states */

static void acknowledge(struct shard *s, uint32_t zone) {
    uint64_t durable = journal_durable(journal_of(s));
    uint32_t done = 0, count = s->zones[zone].ack_count;
    while (done < count && s->zones[zone].acks[done].position <= durable)
        s->zones[zone].durable_seq = s->zones[zone].acks[done++].seq;
    if (done == 0) return;
    s->zones[zone].is_due = true;
    s->zones[zone].ack_count -= done;
    memmove(s->zones[zone].acks, s->zones[zone].acks + done, (count - done) * sizeof s->zones[zone].acks[0]);
}

static void await_durable(struct shard *s, uint32_t zone, uint64_t seq, uint64_t position) {
    if (s->zones[zone].is_behind) return;
    if (s->zones[zone].ack_count == ACKS_MAX) s->zones[zone].ack_count--;
    s->zones[zone].acks[s->zones[zone].ack_count].seq = seq;
    s->zones[zone].acks[s->zones[zone].ack_count++].position = position;
}

static void place(struct shard *s, uint32_t zone, const struct wire_player_state *state, uint32_t attachment) {
    uint32_t player = player_of(state->player);
    bool is_there = s->where[player].is_here && s->where[player].zone == zone;
    if (state->flags & WIRE_STATE_LEFT) {
        if (is_there) s->where[player].is_here = false;
        return;
    }
    if (s->where[player].is_here && !is_there)
        say_stale(s, s->where[player].zone, state->player, state->session_epoch, attachment);
    s->where[player].is_here = true;
    s->where[player].zone = zone;
    s->where[player].epoch = state->session_epoch;
    s->where[player].attachment = attachment;
}

static bool was_passed(const struct shard *s, uint32_t zone, const struct wire_player_state *state, uint32_t attachment) {
    uint32_t player = player_of(state->player);
    return s->where[player].is_here && s->where[player].zone != zone && s->where[player].epoch == state->session_epoch &&
           s->where[player].attachment > attachment;
}

static void take_states(struct shard *s, uint32_t zone, const struct parcel *p) {
    struct wire_player_state states[STATES_MAX];
    struct wire_player_load stale[STATES_MAX];
    struct motion_receipt receipt = {0};
    uint32_t attachments[STATES_MAX], count = 0;
    for (uint32_t i = 0; i < p->up.state_count; i++) {
        const struct wire_player_state *state = &p->states[i];
        uint32_t player = player_of(state->player);
        if (state->session_epoch > W.logins[player].given) fail_run("player %u is of an epoch that nobody gave", player);
        if (was_passed(s, zone, state, p->attachments[i])) {
            say_stale(s, zone, state->player, state->session_epoch, s->where[player].attachment);
            continue;
        }
        attachments[count] = p->attachments[i];
        states[count++] = *state;
    }
    int error = count > 0 ? motion_report(s->motion, states, count, stale, &receipt, now()) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_player_state *newest = motion_find(s->motion, states[i].player);
        if (newest && newest->session_epoch <= states[i].session_epoch) place(s, zone, &states[i], attachments[i]);
    }
    for (uint32_t i = 0; i < receipt.stale_count; i++)
        say_stale(s, zone, stale[i].player, stale[i].session_epoch, UINT32_MAX);
    if (error) {
        s->zones[zone].is_behind = true;
        s->zones[zone].ack_count = 0;
    } else {
        await_durable(s, zone, p->up.seq, receipt.position);
    }
}

static void catch_up(struct shard *s, uint32_t zone) {
    if (!s->zones[zone].is_behind || journal_is_full(journal_of(s))) return;
    s->zones[zone].is_behind = false;
    s->zones[zone].outbox.down.resend = true;
    s->zones[zone].is_due = true;
}

/* --- loads */

/* check_loaded: what was durable is there. While the database does not answer it is the newest that can be known (motion.h):
 * who had left, and was dropped from memory, may be known there by what a zone says that has an older session's player
 * still. */
static void check_loaded(const struct shard *s, uint32_t player) {
    const struct login *login = &W.logins[player];
    const struct wire_player_state *newest = motion_find(s->motion, id_of(player));
    if (login->durable_epoch == 0 || database_of(s)->failed_ms == W.ms) return;
    if (!newest) fail_run("player %u is new, and was not", player);
    bool is_older = newest->session_epoch != login->durable_epoch ? newest->session_epoch < login->durable_epoch
                                                                  : newest->tick < login->durable_tick;
    if (is_older)
        fail_run("player %u comes as of (%llu, %llu), (%llu, %llu) was durable", player,
                 (unsigned long long)newest->session_epoch, (unsigned long long)newest->tick,
                 (unsigned long long)login->durable_epoch, (unsigned long long)login->durable_tick);
}

static void loaded(void *ctx, enum wire_load_result result, const struct wire_player_state *state) {
    struct load *load = ctx;
    struct shard *s = &W.shards[load->shard];
    load->is_used = false;
    if (network_peer(node_of(s), load->zone) != load->incarnation) return;
    struct parcel *box = &s->zones[load->zone].outbox;
    if (box->down.loaded_count == STATES_MAX) return;
    s->zones[load->zone].is_due = true;
    box->loaded[box->down.loaded_count++] = (struct wire_player_loaded){.state = *state, .result = (uint32_t)result};
    if (result != WIRE_LOAD_KNOWN && result != WIRE_LOAD_NEW) return;
    check_loaded(s, player_of(state->player));
    struct wire_player_state here = *state;
    here.flags = 0;
    place(s, load->zone, &here, 0);
}

static void take_load(struct shard *s, uint32_t zone, const struct wire_player_load *asked) {
    uint32_t i = 0;
    while (i < LOADS_MAX && s->loads[i].is_used) i++;
    if (i == LOADS_MAX) fail_run("shard %u has too many loads", (unsigned)(s - W.shards));
    s->loads[i] = (struct load){
        .is_used = true, .shard = (uint32_t)(s - W.shards), .zone = zone, .incarnation = network_peer(node_of(s), zone)};
    if (motion_load(s->motion, asked->player, asked->session_epoch, loaded, &s->loads[i], now()) != 0)
        fail_run("shard %u takes no load", (unsigned)(s - W.shards));
}

/* --- loot */

static void take_grant(struct shard *s, uint32_t zone, const struct wire_loot_grant *grant) {
    uint64_t position;
    if (s->waiting_count == WAITING_MAX || grants_add(s->grants, grant, &position) != 0) {
        say_granted(s, zone, grant->player, grant->key, WIRE_GRANT_AGAIN);
        return;
    }
    s->waiting[s->waiting_count].player = grant->player;
    s->waiting[s->waiting_count].key = grant->key;
    s->waiting[s->waiting_count].position = position;
    s->waiting[s->waiting_count].incarnation = network_peer(node_of(s), zone);
    s->waiting[s->waiting_count++].zone = zone;
}

static void acknowledge_loot(struct shard *s) {
    uint64_t durable = journal_durable(journal_of(s));
    uint32_t left = 0;
    for (uint32_t i = 0; i < s->waiting_count; i++) {
        if (s->waiting[i].position > durable) {
            s->waiting[left++] = s->waiting[i];
            continue;
        }
        uint32_t zone = s->waiting[i].zone;
        if (network_peer(node_of(s), zone) == s->waiting[i].incarnation)
            say_granted(s, zone, s->waiting[i].player, s->waiting[i].key, WIRE_GRANT_DURABLE);
    }
    s->waiting_count = left;
}

static int apply(void *ctx, uint64_t position, const struct wire_loot_grant *grant) {
    struct shard *s = ctx;
    return database_grant(database_of(s), s->epoch, position, grant) ? 0 : MARCH_ERR_UNAVAILABLE;
}

void shard_granted(uint32_t shard, uint64_t position, int error) {
    struct shard *s = &W.shards[shard];
    if (error) {
        grants_retry(s->grants, position);
    } else {
        grants_applied(s->grants, position);
    }
}

/* --- sessions */

/* where_was tells where a player was; false: that can't be known now. */
static bool where_was(const struct shard *s, uint32_t player, struct message *m) {
    const struct pg *pg = database_of(s);
    const struct wire_player_state *state = motion_find(s->motion, id_of(player));
    if (!state && pg->away_ms > W.ms) return false;
    if (!state && pg->now.is_there[player]) state = &pg->now.rows[player];
    m->claimed.is_known = state != NULL;
    m->claimed.zone =
        s->where[player].is_here && network_is_up(node_of(s), s->where[player].zone) ? s->where[player].zone : NOBODY;
    if (state) m->claimed.x = state->x, m->claimed.y = state->y;
    return true;
}

static void claim(struct shard *s, uint32_t from, const struct wire_attach *a) {
    uint32_t player = player_of(a->player), node = node_of(s);
    struct login *login = &W.logins[player];
    struct message m = {.kind = CLAIMED};
    if (!where_was(s, player, &m)) return; /* it is asked again */
    bool is_again = login->gateway == from && login->session == a->session && login->given != 0;
    if (!is_again) {
        struct message over = {.kind = TAKEN_OVER};
        over.attach = (struct wire_attach){.player = a->player, .session_epoch = ++login->given};
        if (login->gateway != 0 && login->gateway != from) (void)network_send(node, login->gateway, &over);
        login->gateway = from;
        login->session = a->session;
    }
    m.claimed.asked = *a;
    m.claimed.asked.session_epoch = login->given;
    (void)network_send(node, from, &m);
}

static void refreshed(struct shard *s, uint32_t from, const struct wire_attach *a) {
    struct message m = {.kind = TAKEN_OVER};
    m.attach = (struct wire_attach){.player = a->player, .session_epoch = W.logins[player_of(a->player)].given};
    if (m.attach.session_epoch > a->session_epoch) (void)network_send(node_of(s), from, &m);
}

/* --- life and turns */

static uint64_t reach(void *ctx) {
    return grants_watermark(((const struct shard *)ctx)->grants);
}

void shard_begin(uint32_t shard) {
    struct shard *s = &W.shards[shard];
    struct pg *pg = database_of(s);
    memset(s, 0, sizeof *s);
    s->epoch = ++pg->epoch; /* from here on nothing of the one before is taken */
    struct grants_config grants = {.journal = journal_of(s), .apply = apply, .ctx = s};
    CHECK(grants_create(&grants, &s->grants) == 0);
    struct motion_config motion = {.journal = journal_of(s),
                                   .pg = pg,
                                   .reach = reach,
                                   .ctx = s,
                                   .epoch = (int64_t)s->epoch,
                                   .players_max = PLAYERS + 1,
                                   .flush_ms = FLUSH_MS,
                                   .hot_ms = 1000,
                                   .batch_rows = BATCH_ROWS};
    CHECK(motion_create(&motion, &s->motion) == 0);
    disk_recover(journal_of(s), pg->now.watermark, s->motion, s->grants);
}

void shard_end(uint32_t shard) {
    struct shard *s = &W.shards[shard];
    if (!s->motion) return;
    database_forget(database_of(s));
    disk_crash(journal_of(s));
    motion_destroy(s->motion);
    grants_destroy(s->grants);
    s->motion = NULL;
    s->grants = NULL;
}

void shard_turn(uint32_t shard) {
    struct shard *s = &W.shards[shard];
    journal_update(journal_of(s), now());
    grants_update(s->grants);
    motion_update(s->motion, now());
    acknowledge_loot(s);
    for (uint32_t zone = 0; zone < SLOTS; zone++) {
        acknowledge(s, zone);
        catch_up(s, zone);
        flush(s, zone);
    }
}

/* shard_up: a zone begins with all that was not acknowledged, so what waited for it is nothing now. */
void shard_up(uint32_t shard, uint32_t peer) {
    struct shard *s = &W.shards[shard];
    if (peer >= SLOTS) return;
    uint64_t before = s->zones[peer].incarnation;
    memset(&s->zones[peer], 0, sizeof s->zones[peer]);
    s->zones[peer].incarnation = network_peer(node_of(s), peer);
    for (uint32_t n = 0; n < PLAYERS && s->zones[peer].incarnation != before; n++)
        if (s->where[n].zone == peer) s->where[n].is_here = false;
}

static void take_report(struct shard *s, uint32_t zone, const struct parcel *p) {
    if (p->up.claims_lease) {
        claim_lease(s, zone, p->up.lease_epoch);
        await_durable(s, zone, p->up.seq, 0);
        return;
    }
    if (!has_lease(s, zone, p->up.lease_epoch)) {
        s->zones[zone].is_due = true;
        s->zones[zone].outbox.down.lease_result = WIRE_LEASE_STALE;
        return;
    }
    take_states(s, zone, p);
    for (uint32_t i = 0; i < p->up.load_count; i++) take_load(s, zone, &p->loads[i]);
    for (uint32_t i = 0; i < p->up.grant_count; i++) take_grant(s, zone, &p->grants[i]);
}

void shard_take(uint32_t shard, uint32_t from, const struct message *m) {
    struct shard *s = &W.shards[shard];
    if (m->kind == FENCE) {
        fence(s, from, &m->fence);
    } else if (m->kind == CLAIM) {
        claim(s, from, &m->attach);
    } else if (m->kind == REFRESH) {
        refreshed(s, from, &m->attach);
    } else {
        take_report(s, from, parcel_of(m));
    }
}
