/* check.c: what must hold. Of zones counts who may be heard by the newest directory. See world.h and README.md. */
#include "tests/sim/world.h"

static const struct directory *truth(void) {
    return W.version_count > 0 ? &W.versions[W.version_count - 1] : NULL;
}

static bool is_heard(const struct zone *zone) {
    return truth() && W.processes[zone->slot].is_alive &&
           directory_hears(truth(), zone->slot, W.processes[zone->slot].incarnation);
}

static uint64_t epoch_in(uint32_t zone, uint32_t player) {
    return book_epoch(W.zones[zone].book, player);
}

/* check_step: no two zones simulate a player of a session under one attachment, or where one was to have it from the other.
 * A greater distance there is for a while: a gateway that attached the player anew and died before that was read is known to
 * nobody, and so the source lets it go on, link-dead, until persist hears of both. */
void check_step(void) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        for (uint32_t z = 1; z < SLOTS; z++) {
            const struct body *b = &W.zones[z].bodies[n];
            if (!b->is_here || !is_heard(&W.zones[z])) continue;
            for (uint32_t other = 0; other < z; other++) {
                const struct body *o = &W.zones[other].bodies[n];
                if (!o->is_here || epoch_in(other, n) != epoch_in(z, n) || !is_heard(&W.zones[other])) continue;
                if (o->attachment + 1 >= b->attachment && b->attachment + 1 >= o->attachment)
                    fail_run("player %u of epoch %llu is in zones %u and %u under %u and %u", n,
                             (unsigned long long)epoch_in(z, n), other, z, o->attachment, b->attachment);
            }
        }
    }
}

/* --- versions of the directory */

static void check_tiles(const struct directory *d) {
    int64_t area = 0;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_rect *r = &d->partitions[i].rect;
        area += (int64_t)(r->max_x - r->min_x) * (r->max_y - r->min_y);
        for (uint32_t j = 0; j < i; j++) {
            const struct wire_rect *o = &d->partitions[j].rect;
            bool overlap = r->min_x < o->max_x && o->min_x < r->max_x && r->min_y < o->max_y && o->min_y < r->max_y;
            if (overlap) fail_run("partitions %u and %u overlap", d->partitions[i].id, d->partitions[j].id);
        }
    }
    if (area != (int64_t)RECTS * SIDE_M * SIDE_M) fail_run("the partitions are not the world");
}

static bool is_fenced(uint32_t slot, uint64_t incarnation) {
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        if (!shard_has_fenced(shard, slot, incarnation)) return false;
    return true;
}

/* check_owner: who takes a partition has it from one who hands it over, or who is fenced wherever states are kept. */
static void check_owner(const struct directory *before, const struct directory *d,
                        const struct wire_directory_partition *p) {
    const struct wire_directory_partition *was = directory_find(before, p->id);
    if (p->owner != WIRE_SLOT_NONE && !directory_hears(d, p->owner, d->workers[p->owner].incarnation))
        fail_run("partition %u belongs to zone %u, which may not be heard", p->id, p->owner);
    if (!was) W.owners[p->id].incarnation = 0; /* a new one, which may have the number of one that is no more */
    if (was && was->owner != WIRE_SLOT_NONE) {
        W.owners[p->id].slot = was->owner;
        W.owners[p->id].incarnation = before->workers[was->owner].incarnation;
    }
    uint32_t slot = W.owners[p->id].slot;
    uint64_t incarnation = W.owners[p->id].incarnation;
    if (p->owner == WIRE_SLOT_NONE || incarnation == 0) return;
    if (p->owner == slot && d->workers[slot].incarnation == incarnation) return;
    bool lives = directory_hears(d, slot, incarnation);
    bool hands_over = p->former == slot || (was && was->former == slot);
    if (lives && !hands_over) fail_run("partition %u is taken from zone %u, which lives", p->id, slot);
    if (lives) return;
    if (was && was->former == p->owner) return; /* taken back in time; what it had not handed over it had all the time */
    W.seen.takeovers++;
    if (!is_fenced(slot, incarnation)) fail_run("partition %u is taken from zone %u before that is fenced", p->id, slot);
}

static bool touch(const struct wire_rect *a, const struct wire_rect *b) {
    return a->min_x < b->max_x && b->min_x < a->max_x && a->min_y < b->max_y && b->min_y < a->max_y;
}

/* check_beside: who gets a partition with nothing handed over has nobody beside him who believes that he has it, and may be
 * heard where states are kept: also not one that the matchmaker has never heard. */
static void check_beside(const struct directory *d, const struct wire_directory_partition *p) {
    if (p->owner == WIRE_SLOT_NONE || p->epoch != d->version || p->respawn != d->version) return;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        const struct zone *zone = &W.zones[slot];
        if (!W.processes[slot].is_alive || slot == p->owner || slot == p->former) continue;
        for (uint32_t i = 0; i < zone->directory.partition_count; i++) {
            const struct wire_directory_partition *its = &zone->directory.partitions[i];
            if (its->owner == slot && touch(&its->rect, &p->rect) && !is_fenced(slot, W.processes[slot].incarnation))
                fail_run("partition %u is given to zone %u beside zone %u, which is not fenced", p->id, p->owner, slot);
        }
    }
}

void check_version(const struct directory *before, const struct directory *after) {
    W.seen.versions++;
    if (W.version_count > 0 && after->version <= W.versions[W.version_count - 1].version)
        fail_run("version %llu comes late", (unsigned long long)after->version);
    check_tiles(after);
    for (uint32_t i = 0; i < after->partition_count; i++) check_beside(after, &after->partitions[i]);
    if (!before) {
        for (uint32_t i = 0; i < OWNERS_MAX; i++) W.owners[i].incarnation = 0;
        return;
    }
    for (uint32_t i = 0; i < after->partition_count; i++) {
        if (after->partitions[i].id >= OWNERS_MAX) fail_run("a partition has the number %u", after->partitions[i].id);
        check_owner(before, after, &after->partitions[i]);
    }
}

/* --- when all is quiet */

static void check_place(uint32_t player, uint32_t gateway, const struct session *session) {
    uint32_t count = 0, at = 0;
    for (uint32_t z = 0; z < SLOTS; z++) {
        if (!W.zones[z].bodies[player].is_here) continue;
        count++;
        at = z;
    }
    if (count != 1) fail_run("player %u is in %u zones", player, count);
    const struct body *b = &W.zones[at].bodies[player];
    if (session->route != at || b->attachment != session->attachments || epoch_in(at, player) != session->epoch ||
        b->gateway != gateway)
        fail_run("player %u is in zone %u under (%llu, %u), its session says zone %u and (%llu, %u)", player, at,
                 (unsigned long long)epoch_in(at, player), b->attachment, session->route, (unsigned long long)session->epoch,
                 session->attachments);
    const struct wire_directory_partition *p = directory_at(truth(), b->x * 65536, b->y * 65536);
    if (p->owner != at && p->owner != WIRE_SLOT_NONE && directory_owns(truth(), at)) {
        /* within 2 m of its border a player stays */
        bool is_near = false;
        for (int32_t i = -2; i <= 2; i += 4) {
            const struct wire_directory_partition *x = directory_at(truth(), (b->x + i) * 65536, b->y * 65536);
            const struct wire_directory_partition *y = directory_at(truth(), b->x * 65536, (b->y + i) * 65536);
            is_near |= (x && x->owner == at) || (y && y->owner == at);
        }
        if (!is_near) fail_run("player %u is in zone %u and belongs to zone %u", player, at, p->owner);
    } else if (p->owner != at && p->owner != WIRE_SLOT_NONE) {
        fail_run("player %u is in zone %u, which owns nothing", player, at);
    }
    if ((int16_t)(W.clients[player].seq - b->inputs.newest_seq) > 8)
        fail_run("player %u: input %u was the last of %u", player, b->inputs.newest_seq, W.clients[player].seq);
}

/* check_loot: what was promised is there, and nothing waits. */
static void check_loot(void) {
    uint64_t gold[PLAYERS] = {0};
    for (uint32_t i = 0; i < W.loot_count; i++) {
        const struct loot *loot = &W.loot[i];
        if (loot->is_durable && !loot->is_applied) fail_run("loot %llx is lost", (unsigned long long)loot->grant.key);
        if (loot->is_applied) gold[player_of(loot->grant.player)] += loot->grant.gold;
    }
    for (uint32_t n = 0; n < PLAYERS; n++) {
        uint64_t has = W.databases[shard_node(n) - NODE_SHARD].gold[n];
        if (has != gold[n])
            fail_run("player %u has %llu of gold, and got %llu", n, (unsigned long long)has, (unsigned long long)gold[n]);
    }
    for (uint32_t z = 0; z < SLOTS; z++)
        if (book_grants(W.zones[z].book) + book_departed(W.zones[z].book) > 0)
            fail_run("zone %u still owes something to persist", z);
}

void check_quiet(void) {
    if (!truth()) fail_run("there is no directory");
    for (uint32_t i = 0; i < truth()->partition_count; i++) {
        const struct wire_directory_partition *p = &truth()->partitions[i];
        if (p->former != WIRE_SLOT_NONE) fail_run("partition %u is handed over for ever by zone %u", p->id, p->former);
        if (p->owner == WIRE_SLOT_NONE && truth()->partition_count <= SLOTS) fail_run("nobody owns partition %u", p->id);
    }
    for (uint32_t n = 0; n < PLAYERS; n++) {
        uint32_t g = W.clients[n].gateway;
        const struct session *session = g == NOBODY ? NULL : gateway_session(g, n);
        if (!session || session->state != SESSION_PLAYING)
            fail_run("player %u does not play: %s", n, session ? session_state_name(session->state) : "no session");
        check_place(n, g, session);
        if (session->transfer != 0) fail_run("player %u is on its way for ever", n);
    }
    check_loot();
    for (uint32_t z = 0; z < SLOTS; z++) {
        if (handoff_count(W.zones[z].handoff) != 0)
            fail_run("zone %u still has a flight: %s", z, handoff_step_name(handoff_nth(W.zones[z].handoff, 0).step));
        if (handoff_stats(W.zones[z].handoff)->lost != 0) fail_run("zone %u has lost a player", z);
    }
}
