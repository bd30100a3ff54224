/* lease.pml: how a partition passes from a zone that is taken for dead to another, for spin. What it shows, and how it is run,
 * stands in README.md.
 *
 * A matchmaker (matchmaker/atlas.h), two slots with a zone each, two shards of persist (persist/leases.h), a gateway that only
 * holds the directory, and one partition. A zone that is taken for dead may live: it goes on until it reads a directory that
 * does not list it, or a shard tells it that its lease is stale; then it ends, and its slot comes back under the next
 * incarnation. Who is slow or cut off is one that takes no step for a while.
 *
 * Reports are no messages here: a shard that would take one now, from this incarnation under this epoch, is a shard that may
 * have taken one.
 */
#ifndef SUSPECTS
#define SUSPECTS 1 /* times that the owner lives and is taken for dead */
#endif
#ifndef CRASHES
#define CRASHES 1 /* of zones, the matchmaker and shards together */
#endif
#ifndef KINDS
#define KINDS 7 /* that crash: 1 zones, 2 the matchmaker, 4 shards */
#endif
#ifndef CUTS
#define CUTS 1 /* connections that lose what is in them */
#endif
#ifndef LIVES
#define LIVES 1 /* incarnations of slot 0 */
#endif
#ifndef FRESH
#define FRESH 0 /* 1: the owner has no lease of shard 1 yet */
#endif
#ifndef UNHEARD
#define UNHEARD 0 /* 1: the spare is new, and nobody has heard of it yet */
#endif
#ifndef LATE
#define LATE 0 /* 1: there was a matchmaker, by whose last version slot 1 has replaced slot 0, and only slot 1 has got it */
#endif
#ifndef SMALL
#define SMALL 0 /* 1: one shard, whose fences are one step, and no gateway */
#endif
#ifndef FAULT
#define FAULT 0 /* planted: see README.md */
#endif

#define NOBODY  2 /* as a slot */
#define GATEWAY 2 /* as a holder of the directory, after the slots */
#define HOLDERS 3
#define SZ(s, z) ((s) * 2 + (z))
#define BIT(i)   (1 << (i))
#define OTHERS   8 /* a fence of all others than this incarnation */

typedef Directory {
    byte version, owner, epoch; /* epoch: version in which the owner got it */
    byte inc[2];                /* of each slot's zone; 0: none */
    bool isAway[2]
};

chan told2h[HOLDERS] = [1] of { byte, byte, byte, byte, byte, bool, bool };
byte suspects, crashes, cuts;
byte clock; /* versions are Unix times: no matchmaker gives one that another gave before */

/* holders: the zones, and the gateway */
Directory dir[HOLDERS];
bool alive[HOLDERS] = true;

/* zones, by slot */
byte inc[2] = 1;
bool wasListed[2]; /* it read so */

/* what a zone has of a shard, by SZ */
mtype = { none, asked, held, stale };
mtype lease[4] = none;
byte leaseEpoch[4]; /* held, or held before the connection was lost; 0: never */

/* shards: the row of each slot and the marks of who was fenced are kept, the rest is not */
byte rowOwner[4], rowEpoch[4] = 1; /* owner 0: fenced, or one long gone */
byte marks[4];
byte knownInc[4], knownEpoch[4], gone[4];
mtype = { idle, busy };
mtype claim[4] = idle, fence[4] = idle;
byte claimInc[4], claimHeld[4], claimEpoch[4], fenceInc[4];
bool claimOurs[4];
byte fenceAsk[4], fenceDone[4]; /* on their way from the matchmaker, and to it: the incarnation, or OTHERS + who is kept */

/* the matchmaker */
mtype = { gathering, running };
mtype phase = gathering;
Directory best, told;
byte newest, toldTo[HOLDERS], peer[2], admitted[2], unfenced[2], fencedBy[2], deadOnes[2];
bool linked[HOLDERS], hasReported[2], peerListed[2], isNew;
byte begun, first; /* the version that was gone on from, and the first of its own */
byte open, kept[2], closedBy[2];
bool ahead[2];
byte owner = NOBODY, epoch, waits;

byte top; /* the newest ownership of which a shard took a report */

inline copy(a, b) {
    a.version = b.version; a.owner = b.owner; a.epoch = b.epoch;
    a.inc[0] = b.inc[0]; a.inc[1] = b.inc[1]; a.isAway[0] = b.isAway[0]; a.isAway[1] = b.isAway[1]
}
inline clear(a) {
    a.version = 0; a.owner = NOBODY; a.epoch = 0;
    a.inc[0] = 0; a.inc[1] = 0; a.isAway[0] = false; a.isAway[1] = false
}

#define LISTS(d, z)  (d.inc[z] == inc[z] && !d.isAway[z])
#define TAKES(s, z)  (dir[z].owner == z && leaseEpoch[SZ(s, z)] != 0 && knownInc[SZ(s, z)] == inc[z] && \
                      knownEpoch[SZ(s, z)] == leaseEpoch[SZ(s, z)])
#if SMALL
#define BOTH_TAKE(z) TAKES(0, z)
#else
#define BOTH_TAKE(z) (TAKES(0, z) && TAKES(1, z))
#endif
#define ALL          (SMALL -> 1 : 3) /* shards, by bit */
#define IS_OTHER(f, i) ((f) >= OTHERS && (f) - OTHERS != (i))

inline lose(h) { if :: len(told2h[h]) > 0 -> told2h[h]?_, _, _, _, _, _, _ :: else fi }

/* --- a zone */

inline drop(s, z) { if :: lease[SZ(s, z)] != stale -> lease[SZ(s, z)] = none :: else fi }

inline ask_lease(s, z) {
    lease[SZ(s, z)] = asked;
    claimInc[SZ(s, z)] = inc[z]; claimHeld[SZ(s, z)] = leaseEpoch[SZ(s, z)];
    if
    :: gone[SZ(s, z)] & BIT(inc[z]) -> lease[SZ(s, z)] = stale
    :: else -> claim[SZ(s, z)] = busy
    fi
}

/* end: what it said may still be read, so what it has of the shards stays until its slot comes back. */
inline end_zone(z) { alive[z] = false; lose(z) }

inline take_directory(h) {
    told2h[h]?v.version, v.owner, v.epoch, v.inc[0], v.inc[1], v.isAway[0], v.isAway[1];
    assert(v.version != dir[h].version || (v.owner == dir[h].owner && v.epoch == dir[h].epoch)); /* one of each version */
    if
    :: v.version > dir[h].version ->
        copy(dir[h], v);
        if
        :: h != GATEWAY && wasListed[h] && !LISTS(v, h) -> end_zone(h)
        :: h != GATEWAY && LISTS(v, h) -> wasListed[h] = true
        :: else
        fi
    :: else
    fi;
    clear(v);
    assert(!(BOTH_TAKE(0) && BOTH_TAKE(1)))
}

proctype Zone(byte z) {
    Directory v;
    clear(v);
end:
    do
    :: atomic { alive[z] && len(told2h[z]) > 0 -> take_directory(z) }
    :: atomic { alive[z] && lease[SZ(0, z)] == none && claim[SZ(0, z)] == idle -> ask_lease(0, z) }
#if !SMALL
    :: atomic { alive[z] && lease[SZ(1, z)] == none && claim[SZ(1, z)] == idle -> ask_lease(1, z) }
#endif
    :: atomic { alive[z] && (lease[SZ(0, z)] == stale || lease[SZ(1, z)] == stale) -> end_zone(z) }
    :: atomic { !alive[z] && inc[z] < (z == 0 -> LIVES : 1) ->
        inc[z]++; alive[z] = true; wasListed[z] = false; clear(dir[z]);
        lease[SZ(0, z)] = none; lease[SZ(1, z)] = none; leaseEpoch[SZ(0, z)] = 0; leaseEpoch[SZ(1, z)] = 0 }
    od
}

proctype Gateway() {
    Directory v;
    clear(v);
end:
    do
    :: atomic { len(told2h[GATEWAY]) > 0 -> take_directory(GATEWAY) }
    od
}

/* --- a shard */

/* The transaction of a claim. */
inline write_claim(i) {
    if
    :: rowOwner[i] != claimInc[i] && claimHeld[i] == 0 && !(marks[i] & BIT(claimInc[i])) ->
        rowOwner[i] = claimInc[i]; rowEpoch[i]++
    :: else
    fi;
    claimOurs[i] = rowOwner[i] == claimInc[i] && !(marks[i] & BIT(claimInc[i])); claimEpoch[i] = rowEpoch[i];
    skip
}

inline answer_claim(i, z) {
    if :: gone[i] & BIT(claimInc[i]) -> claimOurs[i] = false :: else fi; /* fenced meanwhile */
    knownEpoch[i] = claimEpoch[i];
    if :: claimOurs[i] -> knownInc[i] = claimInc[i] :: else -> knownInc[i] = 0 fi;
    if
    :: inc[z] == claimInc[i] && alive[z] && lease[i] == asked && claimOurs[i] -> lease[i] = held; leaseEpoch[i] = claimEpoch[i]
    :: inc[z] == claimInc[i] && alive[z] && lease[i] == asked && !claimOurs[i] -> lease[i] = stale
    :: else
    fi;
    claim[i] = idle; claimInc[i] = 0; claimHeld[i] = 0; claimEpoch[i] = 0; claimOurs[i] = false;
    assert(!(BOTH_TAKE(0) && BOTH_TAKE(1)))
}

inline begin_fence(i) {
    fence[i] = busy; fenceInc[i] = fenceAsk[i]; fenceAsk[i] = 0;
    if
    :: fenceInc[i] < OTHERS ->
        gone[i] = gone[i] | BIT(fenceInc[i]);
        if :: knownInc[i] == fenceInc[i] -> knownInc[i] = 0 :: else fi
    :: else ->
        if :: IS_OTHER(fenceInc[i], knownInc[i]) -> knownInc[i] = 0 :: else fi
    fi
}

inline take_row(i) {
    rowOwner[i] = 0; rowEpoch[i]++;
    if :: rowEpoch[i] > knownEpoch[i] -> knownEpoch[i] = rowEpoch[i] :: else fi
}

inline write_fence(i) {
    if
    :: fenceInc[i] < OTHERS ->
#if FAULT != 4
        marks[i] = marks[i] | BIT(fenceInc[i]);
#endif
        if :: rowOwner[i] == fenceInc[i] -> take_row(i) :: else fi
    :: else ->
        if :: rowOwner[i] != 0 && IS_OTHER(fenceInc[i], rowOwner[i]) -> take_row(i) :: else fi
    fi
}

#define IS_STALE(i) (alive[z] && lease[i] == held && !(knownInc[i] == inc[z] && knownEpoch[i] == leaseEpoch[i]))

proctype Persist(byte s, z) { /* what the shard has of one slot */
    byte i = SZ(s, z);
end:
    do
    :: atomic { claim[i] == busy -> write_claim(i); answer_claim(i, z) }
#if SMALL
    :: atomic { fenceAsk[i] != 0 && fenceDone[i] == 0 ->
        begin_fence(i); write_fence(i); fence[i] = idle; fenceDone[i] = fenceInc[i]; fenceInc[i] = 0 }
#else
    :: atomic { fenceAsk[i] != 0 && fence[i] == idle -> begin_fence(i) }
    :: atomic { fence[i] == busy && fenceDone[i] == 0 ->
        write_fence(i); fence[i] = idle; fenceDone[i] = fenceInc[i]; fenceInc[i] = 0 }
#endif
    /* reports */
    :: atomic { IS_STALE(i) -> lease[i] = stale }
    :: atomic { TAKES(s, z) && dir[z].epoch != top ->
        assert(dir[z].epoch > top); /* nothing of who was replaced, once its successor was heard */
        top = dir[z].epoch }
    od
}

inline crash_slot(i, z) {
    knownInc[i] = 0; knownEpoch[i] = 0; gone[i] = 0;
#if FAULT == 2
    /* nor does the database know */
    marks[i] = 0;
    if :: rowOwner[i] == 0 -> rowOwner[i] = inc[z]; rowEpoch[i] = leaseEpoch[i] :: else fi;
#endif
    claim[i] = idle; claimInc[i] = 0; claimHeld[i] = 0;
    fence[i] = idle; fenceInc[i] = 0; fenceAsk[i] = 0;
    if :: lease[i] != stale -> lease[i] = none :: else fi
}

/* --- the matchmaker */

inline finish_fence(z) {
    if
#if FAULT == 1
    :: unfenced[z] != 0 && fencedBy[z] != 0 -> /* one shard is enough */
#else
    :: unfenced[z] != 0 && fencedBy[z] == ALL ->
#endif
        unfenced[z] = 0; fencedBy[z] = 0; waits = waits & (3 - BIT(z))
    :: else
    fi
}

inline kill(z) {
    deadOnes[z] = deadOnes[z] | BIT(admitted[z]);
    unfenced[z] = admitted[z]; fencedBy[z] = 0; admitted[z] = 0;
    if :: owner == z -> owner = NOBODY; waits = waits | BIT(z) :: else fi
}

inline judge(z) {
    if
    :: admitted[z] != 0 && peer[z] != admitted[z] -> kill(z)
#if FAULT != 6
    :: admitted[z] != 0 && peer[z] == admitted[z] && ahead[z] -> kill(z)
#endif
    :: else
    fi
}

inline admit(z) {
    if
    :: admitted[z] == 0 && unfenced[z] == 0 && linked[z] && !(deadOnes[z] & BIT(peer[z])) ->
        if
        :: peerListed[z] -> deadOnes[z] = deadOnes[z] | BIT(peer[z])
        :: else -> admitted[z] = peer[z]
        fi
    :: else
    fi
}

#define CAN_HAVE(z)   (admitted[z] != 0 && peer[z] == admitted[z] && linked[z])

/* close: whoever else had a lease of the slot is fenced everywhere, and who is admitted was heard. */
inline close(z) {
    if
    :: (open & BIT(z)) && unfenced[z] == 0 ->
        if :: kept[z] != admitted[z] -> kept[z] = admitted[z]; closedBy[z] = 0 :: else fi;
        if :: closedBy[z] == ALL && (admitted[z] == 0 || CAN_HAVE(z)) -> open = open & (3 - BIT(z)); kept[z] = 0; closedBy[z] = 0 :: else fi
    :: else
    fi
}

#define MAY_PLACE     (owner == NOBODY && waits == 0 && open == 0)
#define SHOWN(z)      (admitted[z] != 0 -> admitted[z] : unfenced[z])
#define DIFFERS(z)    (told.inc[z] != SHOWN(z) || told.isAway[z] != (admitted[z] == 0))

inline publish() {
    if
    :: isNew || owner != told.owner || DIFFERS(0) || DIFFERS(1) || told.version < newest ->
#if FAULT == 3
        newest = told.version + 1;
#else
        newest = (newest > clock -> newest : clock) + 1;
#endif
        if :: newest > clock -> clock = newest :: else fi;
        if :: isNew -> epoch = newest :: else fi;
        isNew = false;
        if :: first == 0 -> first = newest :: else fi;
        told.version = newest; told.owner = owner; told.epoch = epoch;
        told.inc[0] = SHOWN(0); told.isAway[0] = admitted[0] == 0;
        told.inc[1] = SHOWN(1); told.isAway[1] = admitted[1] == 0
    :: else
    fi
}

inline step() {
    if
    :: phase == running ->
        judge(0); judge(1);
        finish_fence(0); finish_fence(1);
        admit(0); admit(1);
        close(0); close(1);
        if
        :: MAY_PLACE && CAN_HAVE(0) -> owner = 0; isNew = true
        :: MAY_PLACE && CAN_HAVE(1) -> owner = 1; isNew = true
        :: !(MAY_PLACE && (CAN_HAVE(0) || CAN_HAVE(1)))
        fi;
        publish()
    :: else
    fi
}

/* It has the partition by a version of another matchmaker that came too late to be gone on from. */
#define IS_AHEAD(z)   (dir[z].version > begun && (first == 0 || dir[z].version < first) && dir[z].owner == z && owner != z)

/* hear: a connection, and the first report over it. */
inline hear(h) {
    linked[h] = true; toldTo[h] = 0;
    if
    :: h != GATEWAY ->
        if :: peer[h] != inc[h] -> peer[h] = inc[h]; peerListed[h] = false; ahead[h] = false :: else fi;
        if :: dir[h].version > 0 -> peerListed[h] = LISTS(dir[h], h) :: else fi;
        if :: phase == running && IS_AHEAD(h) -> ahead[h] = true :: else fi;
        hasReported[h] = true
    :: else
    fi;
#if FAULT != 3
    if :: dir[h].version > newest -> newest = dir[h].version :: else fi;
#endif
    if :: phase == gathering && dir[h].version > best.version -> copy(best, dir[h]) :: else fi;
    step()
}

inline recall(z) {
    if
    :: best.inc[z] != 0 && best.isAway[z] -> unfenced[z] = best.inc[z]; deadOnes[z] = deadOnes[z] | BIT(best.inc[z])
    :: best.inc[z] != 0 && !best.isAway[z] ->
        admitted[z] = best.inc[z];
        if :: peer[z] == 0 -> peer[z] = best.inc[z] :: else fi
    :: else
    fi
}

/* begin: from the newest directory that was heard; else the partition is nobody's. */
inline begin_atlas() {
    phase = running; begun = best.version;
#if FAULT != 5
    open = 3;
#endif
    if
    :: best.version > 0 ->
        recall(0); recall(1);
        copy(told, best);
#if FAULT == 3
        told.version = 0;
#endif
        owner = best.owner; epoch = best.epoch;
        if :: owner != NOBODY && admitted[owner % 2] == 0 -> owner = NOBODY :: else fi;
        if
        :: owner == NOBODY -> waits = (unfenced[0] != 0) | ((unfenced[1] != 0) << 1)
        :: else
        fi
    :: else -> owner = NOBODY
    fi;
    clear(best);
    step()
}

#define IS_GONE(z)   (!alive[z] || inc[z] != peer[z])
#define HAS_LEASES(z) (leaseEpoch[SZ(0, z)] != 0 && (SMALL || leaseEpoch[SZ(1, z)] != 0))
#define HEARS(h)     (!linked[h] && alive[h] && len(told2h[h]) == 0 && (h == GATEWAY || HAS_LEASES(h % 2)))
#define TELLS(h)     (phase == running && linked[h] && alive[h] && told.version > toldTo[h] && len(told2h[h]) == 0)
#define OWES(s, z)   (unfenced[z] != 0 -> !(fencedBy[z] & BIT(s)) : ((open & BIT(z)) && !(closedBy[z] & BIT(s))))
#define ASKS(s, z)   (phase == running && OWES(s, z) && fenceAsk[SZ(s, z)] == 0 && fenceDone[SZ(s, z)] == 0 && \
                      fence[SZ(s, z)] == idle)
#define DIES(z)      (phase == running && admitted[z] != 0 && (inc[z] != admitted[z] || !alive[z]))
#define SUSPECT(z)   (phase == running && owner == z && admitted[z] != 0 && suspects < SUSPECTS && inc[z] == admitted[z] && alive[z])

inline tell(h) {
    toldTo[h] = told.version;
    told2h[h]!told.version, told.owner, told.epoch, told.inc[0], told.inc[1], told.isAway[0], told.isAway[1]
}

inline ask_fence(s, z) { fenceAsk[SZ(s, z)] = (unfenced[z] != 0 -> unfenced[z] : OTHERS + kept[z]) }

inline take_done(s, z) {
    if
    :: phase == running && unfenced[z] != 0 && unfenced[z] == fenceDone[SZ(s, z)] -> fencedBy[z] = fencedBy[z] | BIT(s)
    :: phase == running && (open & BIT(z)) && OTHERS + kept[z] == fenceDone[SZ(s, z)] -> closedBy[z] = closedBy[z] | BIT(s)
    :: else
    fi;
    fenceDone[SZ(s, z)] = 0;
    step()
}

inline crash_matchmaker() {
    phase = gathering; clear(best); clear(told);
    newest = 0; owner = NOBODY; epoch = 0; waits = 0; isNew = false;
    linked[0] = false; linked[1] = false; linked[2] = false;
    toldTo[0] = 0; toldTo[1] = 0; toldTo[2] = 0;
    peer[0] = 0; peer[1] = 0; admitted[0] = 0; admitted[1] = 0; unfenced[0] = 0; unfenced[1] = 0;
    fencedBy[0] = 0; fencedBy[1] = 0; deadOnes[0] = 0; deadOnes[1] = 0;
    hasReported[0] = false; hasReported[1] = false; peerListed[0] = false; peerListed[1] = false;
    begun = 0; first = 0; open = 0; kept[0] = 0; kept[1] = 0; closedBy[0] = 0; closedBy[1] = 0;
    ahead[0] = false; ahead[1] = false;
    fenceDone[0] = 0; fenceDone[1] = 0; fenceDone[2] = 0; fenceDone[3] = 0
}

proctype Matchmaker() {
end:
    do
    :: atomic { phase == gathering && (hasReported[0] || hasReported[1]) -> begin_atlas() }
    :: atomic { HEARS(0) -> hear(0) }
    :: atomic { HEARS(1) -> hear(1) }
#if !SMALL
    :: atomic { HEARS(GATEWAY) -> hear(GATEWAY) }
    :: atomic { TELLS(GATEWAY) -> tell(GATEWAY) }
#endif
    :: atomic { linked[0] && IS_GONE(0) -> linked[0] = false; step() }
    :: atomic { linked[1] && IS_GONE(1) -> linked[1] = false; step() }
    :: atomic { DIES(0) -> kill(0); step() }
    :: atomic { DIES(1) -> kill(1); step() }
    :: atomic { SUSPECT(0) -> suspects++; kill(0); step() }
    :: atomic { SUSPECT(1) -> suspects++; kill(1); step() }
    :: atomic { TELLS(0) && !IS_GONE(0) -> tell(0) }
    :: atomic { TELLS(1) && !IS_GONE(1) -> tell(1) }
    :: atomic { ASKS(0, 0) -> ask_fence(0, 0) }
    :: atomic { ASKS(0, 1) -> ask_fence(0, 1) }
#if !SMALL
    :: atomic { ASKS(1, 0) -> ask_fence(1, 0) }
    :: atomic { ASKS(1, 1) -> ask_fence(1, 1) }
#endif
    :: atomic { fenceDone[SZ(0, 0)] != 0 -> take_done(0, 0) }
    :: atomic { fenceDone[SZ(0, 1)] != 0 -> take_done(0, 1) }
    :: atomic { fenceDone[SZ(1, 0)] != 0 -> take_done(1, 0) }
    :: atomic { fenceDone[SZ(1, 1)] != 0 -> take_done(1, 1) }
    od
}

/* --- what goes wrong */

proctype World() {
    byte i;
end:
    do
    :: atomic { crashes < CRASHES -> crashes++;
        if
        :: (KINDS & 1) && alive[0] -> end_zone(0)
        :: (KINDS & 1) && alive[1] -> end_zone(1)
        :: (KINDS & 2) -> crash_matchmaker()
        :: (KINDS & 4) -> crash_slot(SZ(0, 0), 0); crash_slot(SZ(0, 1), 1)
        :: (KINDS & 4) -> crash_slot(SZ(1, 0), 0); crash_slot(SZ(1, 1), 1)
        fi }
    :: atomic { cuts < CUTS -> cuts++;
        if
        :: linked[0] -> linked[0] = false; lose(0)
        :: linked[1] -> linked[1] = false; lose(1)
        :: linked[2] -> linked[2] = false; lose(2)
        :: fenceAsk[0] = 0; fenceDone[0] = 0; fenceAsk[1] = 0; fenceDone[1] = 0
        :: fenceAsk[2] = 0; fenceDone[2] = 0; fenceAsk[3] = 0; fenceDone[3] = 0
        :: lease[0] != none -> drop(0, 0)
        :: lease[1] != none -> drop(0, 1)
        :: lease[2] != none -> drop(1, 0)
        :: lease[3] != none -> drop(1, 1)
        fi }
    od
}

/* --- what must hold once nothing is under way any more: all hold the directory of the matchmaker, and the partition is of a
 * zone that lives and whose reports every shard takes. */

proctype Quiet() {
    timeout -> atomic {
        assert(phase == running && (SMALL || dir[GATEWAY].version == told.version));
        assert(!alive[0] || dir[0].version == told.version);
        assert(!alive[1] || dir[1].version == told.version);
        assert((!alive[0] && !alive[1]) || (alive[0] && BOTH_TAKE(0)) || (alive[1] && BOTH_TAKE(1)));
        assert(top == told.epoch || (!alive[0] && !alive[1]))
    }
}

init {
    atomic {
        byte i;
        /* slot 0 has the partition, slot 1 is a spare, and all know that */
        clear(best); clear(told);
        clock = 1; newest = 1; phase = running; owner = 0; epoch = 1; top = 1;
        told.version = 1; told.owner = 0; told.epoch = 1; told.inc[0] = 1; told.inc[1] = 1;
        for (i : 0 .. 2) { clear(dir[i]); copy(dir[i], told); linked[i] = i < 2 || !SMALL; toldTo[i] = 1 }
        for (i : 0 .. 1) { peer[i] = 1; admitted[i] = 1; hasReported[i] = true; wasListed[i] = true }
        for (i : 0 .. 3) { rowOwner[i] = 1; knownInc[i] = 1; knownEpoch[i] = 1; lease[i] = held; leaseEpoch[i] = 1 }
#if FRESH
        rowOwner[SZ(1, 0)] = 0; knownInc[SZ(1, 0)] = 0; knownEpoch[SZ(1, 0)] = 0;
        lease[SZ(1, 0)] = none; leaseEpoch[SZ(1, 0)] = 0;
#endif
#if UNHEARD
        dir[0].inc[1] = 0; dir[0].isAway[1] = true; dir[2].inc[1] = 0; dir[2].isAway[1] = true;
        told.inc[1] = 0; told.isAway[1] = true; clear(dir[1]); toldTo[1] = 0;
        linked[1] = false; peer[1] = 0; admitted[1] = 0; hasReported[1] = false; wasListed[1] = false;
        for (i : 0 .. 1) {
            rowOwner[SZ(i, 1)] = 0; knownInc[SZ(i, 1)] = 0; lease[SZ(i, 1)] = none; leaseEpoch[SZ(i, 1)] = 0
        }
#endif
#if FAULT == 7
        rowOwner[SZ(0, 0)] = 0; knownInc[SZ(0, 0)] = 0; lease[SZ(0, 0)] = none; leaseEpoch[SZ(0, 0)] = 0;
#endif
#if LATE
        crash_matchmaker();
        clock = 2; top = 2;
        dir[1].version = 2; dir[1].owner = 1; dir[1].epoch = 2; dir[1].inc[0] = 0; dir[1].isAway[0] = true;
        for (i : 0 .. 1) {
            rowOwner[SZ(i, 0)] = 0; rowEpoch[SZ(i, 0)] = 2; marks[SZ(i, 0)] = BIT(1); gone[SZ(i, 0)] = BIT(1);
            knownInc[SZ(i, 0)] = 0; knownEpoch[SZ(i, 0)] = 2
        }
#endif
        i = 0;
        run Zone(0); run Zone(1); run Matchmaker(); run World();
        run Persist(0, 0); run Persist(0, 1);
#if !SMALL
        run Gateway(); run Persist(1, 0); run Persist(1, 1);
#endif
        run Quiet()
    }
}
