#include "matchmaker/atlas.h"

#include <inttypes.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/step.h"
#include "matchmaker/atlas_inner.h"
#include "schemas/cells.h"

void atlas_init(struct atlas *a, const struct atlas_config *config, struct mono now) {
    CHECK(config->worker_count <= WIRE_WORKERS_MAX && config->gateway_count <= WIRE_DIRECTORY_GATES_MAX &&
          config->shard_count <= CONFIG_PERSISTS_MAX);
    memset(a, 0, sizeof *a);
    a->config = *config;
    a->stepped_at = now;
}

/* --- what happened */

/* meet notes a connection. The time of an incarnation that is back runs on from when it was lost, until it reports. */
static void meet(struct atlas_peer *peer, uint64_t incarnation, struct mono now) {
    if (peer->incarnation != incarnation) *peer = (struct atlas_peer){.incarnation = incarnation, .heard_at = now};
    peer->is_linked = true;
    peer->has_reported = false;
}

static void part(struct atlas_peer *peer, struct mono now) {
    if (peer->has_reported) peer->heard_at = now;
    peer->is_linked = false;
}

static bool lists(const struct wire_directory *d, uint32_t slot, uint64_t incarnation) {
    return slot < d->worker_count && d->workers[slot].incarnation == incarnation &&
           d->workers[slot].state != WIRE_WORKER_AWAY;
}

/* is_ahead tells whether a worker has, by a directory that another atlas made, something that it does not have here. */
static bool is_ahead(const struct atlas *a, uint32_t slot, const struct wire_directory *d) {
    if (d->version <= a->held.version || (a->first != 0 && d->version >= a->first)) return false;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_directory_partition *p = &d->partitions[i];
        uint32_t index = p->owner == slot ? atlas_index_of(a, p->id) : ATLAS_NONE;
        if (p->owner != slot) continue;
        if (index == ATLAS_NONE || a->draft.partitions[index].owner != slot ||
            memcmp(&a->draft.partitions[index].rect, &p->rect, sizeof p->rect) != 0)
            return true;
    }
    return false;
}

/* take_held looks at the directory of a first report; false when there is none, or none that can be used. */
static bool take_held(struct atlas *a, const struct wire_directory *held, uint64_t version) {
    if (version > a->newest && version <= ATLAS_VERSION_MAX) a->newest = version;
    if (held->version == 0) return false;
    if (!atlas_directory_is_sound(held)) {
        log_error("directory.unsound", "version=%" PRIu64, held->version);
        return false;
    }
    if (held->version > a->newest) a->newest = held->version;
    if (a->phase == ATLAS_GATHERING) (void)directory_take(&a->held, held);
    return true;
}

void atlas_worker_up(struct atlas *a, uint32_t slot, uint64_t incarnation, struct mono now) {
    CHECK(slot < a->config.worker_count && incarnation != 0);
    struct atlas_worker *w = &a->workers[slot];
    if (w->peer.incarnation != incarnation) w->version = w->players = w->creatures = w->busy_us = w->hold_count = 0;
    meet(&w->peer, incarnation, now);
}

void atlas_worker_lost(struct atlas *a, uint32_t slot, struct mono now) {
    CHECK(slot < a->config.worker_count);
    part(&a->workers[slot].peer, now);
}

void atlas_worker_report(struct atlas *a, uint32_t slot, const struct wire_worker_report *report, struct mono now) {
    CHECK(slot < a->config.worker_count && report->hold_count <= WIRE_PARTITIONS_MAX);
    struct atlas_worker *w = &a->workers[slot];
    if (!w->peer.is_linked) return;
    if (take_held(a, &report->directory, report->version)) {
        w->peer.was_listed = lists(&report->directory, slot, w->peer.incarnation);
        w->peer.is_ahead |= a->phase == ATLAS_RUNNING && is_ahead(a, slot, &report->directory);
    }
    if (a->first_at.ns == 0) a->first_at = now;
    w->peer.has_reported = true;
    w->peer.heard_at = now;
    w->version = report->version;
    w->late_ticks = report->late_ticks;
    w->players = report->players;
    w->creatures = report->creatures;
    w->busy_us = report->busy_us;
    w->hold_count = report->hold_count;
    if (report->hold_count > 0) memcpy(w->holds, report->holds, report->hold_count * sizeof *w->holds);
}

void atlas_gateway_up(struct atlas *a, uint32_t index, uint64_t incarnation, struct mono now) {
    CHECK(index < a->config.gateway_count && incarnation != 0);
    struct atlas_gateway *g = &a->gateways[index];
    if (g->peer.incarnation != incarnation) g->version = g->sessions = g->moving = 0;
    meet(&g->peer, incarnation, now);
}

void atlas_gateway_lost(struct atlas *a, uint32_t index, struct mono now) {
    CHECK(index < a->config.gateway_count);
    part(&a->gateways[index].peer, now);
}

void atlas_gateway_report(struct atlas *a, uint32_t index, const struct wire_gateway_report *report, struct mono now) {
    CHECK(index < a->config.gateway_count);
    struct atlas_gateway *g = &a->gateways[index];
    if (!g->peer.is_linked) return;
    (void)take_held(a, &report->directory, report->version);
    g->peer.has_reported = true;
    g->peer.heard_at = now;
    g->version = report->version;
    g->sessions = report->sessions;
    g->moving = report->moving;
}

/* --- fences */

static uint32_t all_shards(const struct atlas *a) {
    return a->config.shard_count == 0 ? 0 : UINT32_MAX >> (32 - a->config.shard_count);
}

uint32_t atlas_fences(const struct atlas *a, uint32_t shard, struct wire_fence fences[WIRE_FENCES_MAX]) {
    _Static_assert(WIRE_FENCES_MAX >= WIRE_WORKERS_MAX, "one of each slot fits");
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < a->config.worker_count; slot++) {
        const struct atlas_worker *w = &a->workers[slot];
        if (w->unfenced != 0) {
            if ((w->fenced_by >> shard & 1) == 0)
                fences[count++] = (struct wire_fence){.incarnation = w->unfenced, .slot = (uint16_t)slot};
        } else if ((a->open & atlas_bit(slot)) != 0 && (w->closed_by >> shard & 1) == 0) {
            fences[count++] = (struct wire_fence){.incarnation = w->kept, .slot = (uint16_t)slot, .kind = WIRE_FENCE_OTHERS};
        }
    }
    return count;
}

static void finish_fence(struct atlas *a, uint32_t slot) {
    struct atlas_worker *w = &a->workers[slot];
    if (w->unfenced == 0 || w->fenced_by != all_shards(a)) return;
    log_info("worker.fenced", "slot=%u incarnation=%016" PRIx64, slot, w->unfenced);
    w->unfenced = 0;
    a->stats.fences++;
    STEP("matchmaker.fenced");
    for (uint32_t i = 0; i < a->draft.partition_count; i++) a->partitions[i].waits &= ~atlas_bit(slot);
}

/* close_slot: who was recalled is waited for, since it may come with a directory that is newer than the one gone on from. */
static void close_slot(struct atlas *a, uint32_t slot) {
    struct atlas_worker *w = &a->workers[slot];
    if ((a->open & atlas_bit(slot)) == 0 || w->unfenced != 0) return;
    if (w->kept != w->admitted) w->closed_by = 0; /* the shards are asked anew */
    w->kept = w->admitted;
    if (w->closed_by != all_shards(a) || (w->admitted != 0 && !atlas_is_present(a, slot))) return;
    a->open &= ~atlas_bit(slot);
    if (a->open == 0) log_info("directory.closed", "shards=%u", a->config.shard_count);
}

void atlas_fenced(struct atlas *a, uint32_t shard, const struct wire_fence *fence) {
    if (fence->slot >= a->config.worker_count || shard >= a->config.shard_count) return;
    struct atlas_worker *w = &a->workers[fence->slot];
    if (fence->kind == WIRE_FENCE_OTHERS) {
        if (fence->incarnation == w->kept) w->closed_by |= 1U << shard;
        return;
    }
    if (fence->incarnation == 0 || w->unfenced != fence->incarnation) return;
    w->fenced_by |= 1U << shard;
    finish_fence(a, fence->slot);
}

/* --- who is dead */

/* why_dead returns a word when an incarnation that is listed is dead, NULL while it lives. */
static const char *why_dead(const struct atlas *a, const struct atlas_peer *peer, uint64_t admitted, struct mono now) {
    if (peer->incarnation != admitted) return "replaced";
    if (!peer->is_linked) return mono_reached(now, mono_add_ms(peer->heard_at, a->config.reconnect_ms)) ? "lost" : NULL;
    return mono_reached(now, mono_add_ms(peer->heard_at, a->config.silence_ms)) ? "silent" : NULL;
}

static void kill_worker(struct atlas *a, uint32_t slot, const char *why) {
    struct atlas_worker *w = &a->workers[slot];
    CHECK(w->admitted != 0 && w->unfenced == 0);
    log_warn("worker.dead", "slot=%u incarnation=%016" PRIx64 " reason=%s", slot, w->admitted, why);
    w->dead[w->dead_count++ % ATLAS_DEAD_MAX] = w->admitted;
    w->unfenced = w->admitted;
    w->fenced_by = 0;
    w->admitted = 0;
    w->is_draining = false;
    w->over_at = 0;
    a->stats.worker_deaths++;
    atlas_bury(a, slot);
    STEP("matchmaker.dead");
}

static void judge_worker(struct atlas *a, uint32_t slot, struct mono now) {
    const struct atlas_worker *w = &a->workers[slot];
    const char *why = w->admitted == 0 ? NULL : why_dead(a, &w->peer, w->admitted, now);
    if (w->admitted != 0 && w->peer.incarnation == w->admitted && w->peer.is_ahead) why = "ahead";
    if (why) kill_worker(a, slot, why);
}

static void judge_gateway(struct atlas *a, uint32_t index, struct mono now) {
    struct atlas_gateway *g = &a->gateways[index];
    const char *why = g->admitted == 0 ? NULL : why_dead(a, &g->peer, g->admitted, now);
    if (!why) return;
    log_warn("gateway.dead", "gateway=%u incarnation=%016" PRIx64 " reason=%s", index, g->admitted, why);
    g->admitted = 0;
    g->is_draining = false;
    a->stats.gateway_deaths++;
}

/* --- who may be heard */

static bool has_died(const struct atlas_worker *w, uint64_t incarnation) {
    for (uint32_t i = 0; i < ATLAS_DEAD_MAX; i++)
        if (w->dead[i] == incarnation) return true;
    return false;
}

/* refuse remembers one that was listed once, by an atlas before this one, and is no longer. */
static void refuse(struct atlas *a, uint32_t slot) {
    struct atlas_worker *w = &a->workers[slot];
    log_warn("worker.refused", "slot=%u incarnation=%016" PRIx64 " reason=\"it was dropped\"", slot, w->peer.incarnation);
    w->dead[w->dead_count++ % ATLAS_DEAD_MAX] = w->peer.incarnation;
    a->stats.refused_workers++;
}

static void admit_worker(struct atlas *a, uint32_t slot, struct mono now) {
    struct atlas_worker *w = &a->workers[slot];
    const struct atlas_peer *peer = &w->peer;
    if (w->admitted != 0 || w->unfenced != 0 || !peer->is_linked || !peer->has_reported) return;
    if (has_died(w, peer->incarnation) || why_dead(a, peer, peer->incarnation, now)) return;
    if (peer->was_listed) {
        refuse(a, slot);
        return;
    }
    w->admitted = peer->incarnation;
    log_info("worker.admitted", "slot=%u incarnation=%016" PRIx64, slot, w->admitted);
    STEP("matchmaker.admitted");
}

static void admit_gateway(struct atlas *a, uint32_t index, struct mono now) {
    struct atlas_gateway *g = &a->gateways[index];
    const struct atlas_peer *peer = &g->peer;
    if (g->admitted != 0 || !peer->is_linked || !peer->has_reported || why_dead(a, peer, peer->incarnation, now)) return;
    g->admitted = peer->incarnation;
    log_info("gateway.admitted", "gateway=%u incarnation=%016" PRIx64, index, g->admitted);
}

bool atlas_is_present(const struct atlas *a, uint32_t slot) {
    const struct atlas_worker *w = &a->workers[slot];
    return w->admitted != 0 && w->peer.incarnation == w->admitted && w->peer.is_linked && w->peer.has_reported;
}

/* --- a version out of the draft */

static enum wire_worker_state state_of(const struct atlas *a, uint32_t slot) {
    if (a->workers[slot].admitted == 0) return WIRE_WORKER_AWAY;
    if (atlas_owned_count(a, slot) > 0) return WIRE_WORKER_ACTIVE;
    return atlas_former_count(a, slot) > 0 ? WIRE_WORKER_LEAVING : WIRE_WORKER_SPARE;
}

static void list_processes(struct atlas *a) {
    struct directory *d = &a->draft;
    d->worker_count = a->config.worker_count;
    for (uint32_t i = 0; i < d->worker_count; i++) {
        const struct atlas_worker *w = &a->workers[i];
        d->workers[i] = (struct wire_directory_worker){.incarnation = w->admitted ? w->admitted : w->unfenced,
                                                       .state = state_of(a, i),
                                                       .players = w->admitted ? w->players : 0};
    }
    d->gateway_count = a->config.gateway_count;
    for (uint32_t i = 0; i < d->gateway_count; i++) {
        const struct atlas_gateway *g = &a->gateways[i];
        enum wire_gateway_state state = g->is_draining ? WIRE_GATEWAY_DRAINING : WIRE_GATEWAY_UP;
        d->gateways[i] = (struct wire_directory_gateway){.incarnation = g->admitted,
                                                         .state = g->admitted ? state : WIRE_GATEWAY_AWAY,
                                                         .sessions = g->admitted ? g->sessions : 0};
    }
}

static bool partitions_differ(const struct atlas *a) {
    if (a->draft.partition_count != a->told.partition_count) return true;
    for (uint32_t i = 0; i < a->draft.partition_count; i++)
        if (a->partitions[i].is_new || a->partitions[i].is_lost) return true;
    return memcmp(a->draft.partitions, a->told.partitions, a->draft.partition_count * sizeof *a->draft.partitions) != 0;
}

/* processes_differ leaves out the counts of players and sessions, which no version is made for. */
static bool processes_differ(const struct atlas *a) {
    const struct directory *now = &a->draft, *before = &a->told;
    if (now->worker_count != before->worker_count || now->gateway_count != before->gateway_count) return true;
    for (uint32_t i = 0; i < now->worker_count; i++)
        if (now->workers[i].incarnation != before->workers[i].incarnation ||
            now->workers[i].state != before->workers[i].state)
            return true;
    for (uint32_t i = 0; i < now->gateway_count; i++)
        if (now->gateways[i].incarnation != before->gateways[i].incarnation ||
            now->gateways[i].state != before->gateways[i].state)
            return true;
    return false;
}

static void stamp(struct atlas *a, uint64_t version) {
    a->draft.version = version;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        if (a->partitions[i].is_new) a->draft.partitions[i].epoch = version;
        if (a->partitions[i].is_lost) a->draft.partitions[i].respawn = version;
        a->partitions[i].is_new = a->partitions[i].is_lost = false;
    }
}

/* publish makes a version where something differs, or somebody has one that we did not make. */
static bool publish(struct atlas *a, uint64_t unix_ms) {
    list_processes(a);
    if (!partitions_differ(a) && !processes_differ(a) && a->told.version >= a->newest) return false;
    a->newest = a->newest + 1 > unix_ms ? a->newest + 1 : unix_ms;
    if (a->first == 0) a->first = a->newest;
    stamp(a, a->newest);
    a->told = a->draft;
    a->stats.versions++;
    STEP("matchmaker.version");
    return true;
}

/* --- the step */

/* forgive moves the times of others on by the time in which we did not run. */
static void forgive(struct atlas *a, struct mono now) {
    uint64_t paused_ns = mono_since_ns(now, mono_add_ms(a->stepped_at, ATLAS_PAUSE_MS));
    a->stepped_at = now;
    if (paused_ns == 0) return;
    for (uint32_t i = 0; i < a->config.worker_count; i++) {
        struct mono *at = &a->workers[i].peer.heard_at;
        *at = mono_add_ns(*at, paused_ns);
        if (at->ns > now.ns) *at = now;
    }
    for (uint32_t i = 0; i < a->config.gateway_count; i++) {
        struct mono *at = &a->gateways[i].peer.heard_at;
        *at = mono_add_ns(*at, paused_ns);
        if (at->ns > now.ns) *at = now;
    }
}

static bool has_gathered(const struct atlas *a, struct mono now) {
    if (a->first_at.ns == 0) return false; /* there is nobody to give the world to */
    uint32_t reported = 0;
    for (uint32_t i = 0; i < a->config.worker_count; i++) reported += a->workers[i].peer.has_reported;
    return reported == a->config.worker_count || mono_reached(now, mono_add_ms(a->first_at, ATLAS_GATHER_MS));
}

bool atlas_step(struct atlas *a, struct mono now, uint64_t unix_ms) {
    forgive(a, now);
    if (a->phase == ATLAS_GATHERING) {
        if (!has_gathered(a, now)) return false;
        a->phase = ATLAS_RUNNING;
        atlas_begin(a, now);
        STEP("matchmaker.begun");
    }
    for (uint32_t i = 0; i < a->config.worker_count; i++) judge_worker(a, i, now);
    for (uint32_t i = 0; i < a->config.worker_count; i++) finish_fence(a, i); /* there may be no shards */
    for (uint32_t i = 0; i < a->config.gateway_count; i++) judge_gateway(a, i, now);
    for (uint32_t i = 0; i < a->config.worker_count; i++) admit_worker(a, i, now);
    for (uint32_t i = 0; i < a->config.worker_count; i++) close_slot(a, i);
    for (uint32_t i = 0; i < a->config.gateway_count; i++) admit_gateway(a, i, now);
    atlas_plan(a);
    if (a->config.balance.is_on) atlas_balance(a, now);
    return publish(a, unix_ms);
}

bool atlas_is_ready(const struct atlas *a) {
    if (a->phase != ATLAS_RUNNING || a->told.version == 0) return false;
    for (uint32_t i = 0; i < a->told.partition_count; i++)
        if (a->told.partitions[i].epoch == 0 && !cells_is_block(a->told.partitions[i].id)) return false; /* nobody had it */
    return true;
}

/* --- texts */

static const struct {
    const char *code, *text;
} ANSWERS[ATLAS_ANSWER_COUNT] = {
    [ATLAS_DONE] = {"done", "done"},
    [ATLAS_STARTING] = {"starting", "the matchmaker has only begun, and waits for zones to report, or persists to fence"},
    [ATLAS_UNKNOWN] = {"not_found", "there is no such zone, gateway or partition"},
    [ATLAS_AWAY] = {"away", "does not run, or is not connected"},
    [ATLAS_NO_SPARE] = {"no_spare", "no spare zone is free to take over"},
    [ATLAS_NOT_DRAINING] = {"not_draining", "is not being drained"},
    [ATLAS_UNOWNED] = {"unowned", "has no owner, and waits for a spare zone"},
    [ATLAS_BUSY] = {"busy", "is being handed over, try again when that is done"},
    [ATLAS_DRAINING] = {"draining", "is of a zone that is being drained"},
    [ATLAS_TOO_SMALL] = {"too_small", "is too small to be split"},
    [ATLAS_TOO_MANY] = {"too_many", "there are as many partitions as there can be"},
    [ATLAS_SAME] = {"same", "can't be merged into itself"},
    [ATLAS_APART] = {"apart", "the two don't make one rectangle"},
    [ATLAS_LAST_GATEWAY] = {"last_gateway", "no other gateway takes new sessions"},
    [ATLAS_OWNS_NOTHING] = {"owns_nothing", "is a zone without a partition"},
    [ATLAS_BLOCK] = {"block", "is a block of instances, which is neither split nor merged"},
};

const char *atlas_answer_code(enum atlas_answer answer) {
    CHECK((unsigned)answer < ATLAS_ANSWER_COUNT);
    return ANSWERS[answer].code;
}

const char *atlas_answer_text(enum atlas_answer answer) {
    CHECK((unsigned)answer < ATLAS_ANSWER_COUNT);
    return ANSWERS[answer].text;
}
