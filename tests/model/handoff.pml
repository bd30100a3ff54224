/* handoff.pml: handoff, drain and recovery of players, for spin. What it shows, and how it is run, stands in README.md.
 *
 * Two zones and one gateway, as zone/handoff.h and gateway/transfer.h describe them, PLAYERS players, a directory that gives
 * a player's place to the other zone (walks, drains and their taking back are all the same to it), and faults: a zone dies
 * and its slot comes back under another incarnation with nothing; a connection loses what is in it; the gateway dies, and its
 * players come in again under a new session. A dead zone is fenced: what it still does is heard by nobody, so it is as good
 * as gone. What a dead gateway has said may still be read, until the reader has heard of its death.
 *
 * An attachment is a number that rises with each attach and each handoff of a session. The session epoch is its upper part:
 * EPOCH for each login.
 */
#ifndef PLAYERS
#define PLAYERS 1
#endif
#ifndef CRASHES
#define CRASHES 1 /* of zones and the gateway together */
#endif
#ifndef CUTS
#define CUTS 1 /* connections that lose what is in them */
#endif
#ifndef MOVES
#define MOVES 2 /* times that a player's place is given to the other zone */
#endif
#ifndef INPUTS
#define INPUTS 0 /* that each client makes */
#endif
#ifndef FULL
#define FULL 1 /* times that a zone has no room, or that a player is let go of for one that the gateway can't tell */
#endif
#ifndef GIFTS
#define GIFTS 0 /* 1: link-dead players are given */
#endif
#ifndef FAULT
#define FAULT 0 /* planted: see README.md */
#endif

#define EPOCH 20
#define PIPE  (4 * PLAYERS) /* messages in a pipe; a full one holds its sender up */
#define ROOM  (PIPE - 1)

mtype = { offer, accept, query, yes, no, give, given, ungiven, reroute, activated, refused, attach, activate, done, restored, input };

chan z2z[2] = [PIPE] of { mtype, byte, byte }; /* from zone i to the other: what, player, attachment */
chan z2g[2] = [PIPE] of { mtype, byte, byte };
chan g2z[2] = [PIPE] of { mtype, byte, byte };

#define AT(z, p) ((z) * PLAYERS + (p))
#define BODIES   (2 * PLAYERS)

bool alive[2] = true;
bool zUp[2], gUp[2]; /* ends of the connections: what must be said at the beginning of one has been said */
byte hears[2];       /* incarnation of the gateway whose sessions a zone knows; 0: none */
byte owner[PLAYERS]; /* zone of the player's place */
byte crashes, cuts, moves, fulls;

/* a zone, by player; gone when it dies */
byte sim[BODIES];      /* attachment under which it simulates, 0: not */
byte offered[BODIES];
byte frozen[BODIES];   /* attachment of a player that it let go of and does not know the end of */
bool asked[BODIES];    /* the gateway of a frozen one is dead */
bool gift[BODIES];     /* and it was not let go of until then: it is sent to the other zone */
bool unsure[BODIES];   /* of a link-dead one: another zone may have it under a greater attachment */
bool noTarget[BODIES]; /* and so is the zone that was to have it, or its incarnation */
bool doubted[PLAYERS]; /* two faults at once: once the gateway is dead, two zones may have it until reports tell them apart */
byte tomb[BODIES];     /* promised to refuse attachments up to this one */
byte has[BODIES];      /* inputs that were applied to the state that it has, as bits */
byte seq[BODIES];      /* the newest of them */

/* the gateway, by session. Its incarnation is the epoch: it dies with all sessions. */
bool gateway = true;
byte epoch = 1;
byte route[PLAYERS], attachment[PLAYERS];
byte taken[PLAYERS];              /* newest input that was passed on */
byte keptHas[PLAYERS], keptSeq[PLAYERS];
bool moving[PLAYERS], waiting[PLAYERS];
byte source[PLAYERS], sourceIs[PLAYERS]; /* zone, and which incarnation of it, that a moving player came from */
byte incarnation[2];

byte newest[PLAYERS]; /* persist: the greatest attachment that was reported */
byte made[PLAYERS];   /* the client: newest input that a gateway has had */

#define OTHER(z)     (1 - (z))
#define NOW(a)       ((a) / EPOCH == epoch)
#define SIMS(p)      ((sim[AT(0, p)] > 0) + (sim[AT(1, p)] > 0))
#define SIMS_NOW(p)  (NOW(sim[AT(0, p)]) + NOW(sim[AT(1, p)]))
#define HAS(z, p, a) (sim[AT(z, p)] >= (a) || frozen[AT(z, p)] >= (a))
#define CAN_TELL(z)  (gUp[z] && alive[z]) /* the gateway can */
#if FAULT == 2
#define SOURCE_IS_UP(p) CAN_TELL(source[p])
#else
#define SOURCE_IS_UP(p) (CAN_TELL(source[p]) && incarnation[source[p]] == sourceIs[p])
#endif

inline lose(c) { do :: len(c) > 0 -> c?_, _, _ :: else -> break od }

inline forget(z, p) {
    frozen[AT(z, p)] = 0; asked[AT(z, p)] = false; gift[AT(z, p)] = false; noTarget[AT(z, p)] = false
}

/* let go: zone z has nothing of player p any more, but its promise. */
inline letGo(z, p) { sim[AT(z, p)] = 0; offered[AT(z, p)] = 0; unsure[AT(z, p)] = false; has[AT(z, p)] = 0; seq[AT(z, p)] = 0 }

/* take: zone z simulates player p under attachment a from now on, with the state that it has. */
inline take(z, p, a) {
    sim[AT(z, p)] = a; offered[AT(z, p)] = 0; unsure[AT(z, p)] = false;
    forget(z, p);
    assert(SIMS_NOW(p) <= 1 || (doubted[p] && !gateway && sim[AT(0, p)] != sim[AT(1, p)])) /* never in two zones */
}

/* answer: zone z tells the gateway; nobody hears it where that is dead, or the connection lost. */
inline answer(z, m, p, a) {
    if
    :: gateway && zUp[z] && hears[z] == epoch -> z2g[z]!m, p, a
    :: else
    fi
}

/* --- a zone */

inline takeOffer(z, p, a) {
    if
    :: len(z2z[z]) < PIPE -> z2z[z]!accept, p, a
    :: else /* full: the other asks again */
    fi
}

inline freeze(z, p, a) {
    if
    :: sim[AT(z, p)] == a && offered[AT(z, p)] == a && owner[p] != z && zUp[z] && gateway && hears[z] == epoch ->
        sim[AT(z, p)] = 0; offered[AT(z, p)] = 0; frozen[AT(z, p)] = a;
        z2g[z]!reroute, p, a
    :: else -> if :: offered[AT(z, p)] == a -> offered[AT(z, p)] = 0 :: else fi
    fi
}

/* Of a player whose gateway is dead: yes, I have had it since then; or no, and a promise. */
inline takeQuery(z, p, a) {
    if
    :: len(z2z[z]) == PIPE /* it is asked again */
    :: len(z2z[z]) < PIPE && HAS(z, p, a + 1) -> z2z[z]!yes, p, a
    :: len(z2z[z]) < PIPE && !HAS(z, p, a + 1) ->
#if FAULT != 1
        if :: tomb[AT(z, p)] < a + 1 -> tomb[AT(z, p)] = a + 1 :: else fi;
#endif
        z2z[z]!no, p, a
    fi
}

/* Of a player who is link-dead in the other zone. What was refused once stays refused. */
inline takeGive(z, p, a) {
    if
    :: len(z2z[z]) == PIPE /* it is given again */
    :: len(z2z[z]) < PIPE && HAS(z, p, a + 1) -> z2z[z]!given, p, a
    :: len(z2z[z]) < PIPE && !HAS(z, p, a + 1) && tomb[AT(z, p)] >= a + 1 -> z2z[z]!ungiven, p, a
    :: len(z2z[z]) < PIPE && !HAS(z, p, a + 1) && tomb[AT(z, p)] < a + 1 && fulls < FULL -> fulls++;
#if FAULT != 10
        tomb[AT(z, p)] = a + 1;
#endif
        z2z[z]!ungiven, p, a
    :: len(z2z[z]) < PIPE && !HAS(z, p, a + 1) && tomb[AT(z, p)] < a + 1 ->
        has[AT(z, p)] = has[AT(OTHER(z), p)]; seq[AT(z, p)] = seq[AT(OTHER(z), p)];
        take(z, p, a + 1); z2z[z]!given, p, a
    fi
}

/* What it has goes on: simulated, frozen, link-dead; else what persist has. */
inline takeAttach(z, p, a) {
    assert(!NOW(a) || (sim[AT(z, p)] <= a && frozen[AT(z, p)] < a && tomb[AT(z, p)] < a)); /* the session would end */
    if
    :: sim[AT(z, p)] > a || frozen[AT(z, p)] >= a || tomb[AT(z, p)] >= a
    :: else ->
        if
        :: sim[AT(z, p)] == 0 && frozen[AT(z, p)] == 0 ->
            assert(crashes > 0); /* nobody is set back while all live */
            has[AT(z, p)] = 0; seq[AT(z, p)] = 0
        :: else
        fi;
        take(z, p, a)
    fi
}

inline takeActivate(z, p, a) {
    if
#if FAULT != 7
    :: HAS(z, p, a) && NOW(a) -> answer(z, activated, p, a) /* told twice */
    :: !(HAS(z, p, a) && NOW(a)) && (tomb[AT(z, p)] >= a || HAS(z, p, a)) -> answer(z, refused, p, a)
    :: !HAS(z, p, a) && tomb[AT(z, p)] < a && fulls < FULL -> fulls++; letGo(z, p); forget(z, p); answer(z, refused, p, a)
    :: !HAS(z, p, a) && tomb[AT(z, p)] < a ->
#else
    :: tomb[AT(z, p)] >= a -> answer(z, refused, p, a)
    :: tomb[AT(z, p)] < a ->
#endif
        has[AT(z, p)] = keptHas[p];
#if FAULT == 5
        seq[AT(z, p)] = 0;
#else
        seq[AT(z, p)] = keptSeq[p];
#endif
        take(z, p, a); answer(z, activated, p, a)
    fi
}

inline takeRestored(z, p, a) {
    if
    :: frozen[AT(z, p)] > 0 && frozen[AT(z, p)] < a && !asked[AT(z, p)] -> take(z, p, a)
    :: else
    fi
}

inline takeInput(z, p, n) {
    if
    :: sim[AT(z, p)] > 0 && n > seq[AT(z, p)] ->
        assert(((has[AT(z, p)] >> n) & 1) == 0); /* never twice */
        has[AT(z, p)] = has[AT(z, p)] | (1 << n); seq[AT(z, p)] = n
    :: else
    fi
}

inline takeDone(z, p, a) {
    if
#if FAULT == 3
    :: frozen[AT(z, p)] > 0 && !asked[AT(z, p)] -> forget(z, p); letGo(z, p)
#else
    :: frozen[AT(z, p)] == a && !asked[AT(z, p)] -> forget(z, p); letGo(z, p)
#endif
    :: else
    fi
}

/* The gateway is dead, and the zone hears of it. */
inline mournGateway(z) {
    lose(g2z[z]); zUp[z] = false; hears[z] = 0;
    p = 0;
    do
    :: p < PLAYERS -> asked[AT(z, p)] = frozen[AT(z, p)] > 0; offered[AT(z, p)] = 0; p++
    :: else -> break
    od;
    p = 0
}

/* A new connection: what was let go of is told again. */
inline greetGateway(z) {
    zUp[z] = true; hears[z] = epoch;
    p = 0;
    do
    :: p < PLAYERS && frozen[AT(z, p)] > 0 && !asked[AT(z, p)] -> z2g[z]!reroute, p, frozen[AT(z, p)]; p++
    :: p < PLAYERS && !(frozen[AT(z, p)] > 0 && !asked[AT(z, p)]) -> p++
    :: p == PLAYERS -> break
    od;
    p = 0
}

inline pick(p) {
    p = 0;
    do
    :: p < PLAYERS - 1 -> p++
    :: break
    od
}

#define QUIET_Z2Z (len(z2z[0]) == 0 && len(z2z[1]) == 0)
#define ANY(set)  ((set(0)) || (PLAYERS > 1 && (set(PLAYERS - 1))))
#define LEAVES(p) (offered[AT(z, p)] == 0 && NOW(sim[AT(z, p)]) && owner[p] != z && (fulls < FULL || gUp[OTHER(z)]))
#define ASKS(p)   (asked[AT(z, p)] && !gift[AT(z, p)] && !noTarget[AT(z, p)])
#define GIVES(p)  (sim[AT(z, p)] > 0 && sim[AT(z, p)] / EPOCH != hears[z] && !unsure[AT(z, p)] && owner[p] != z)
#define WAITS(p)  (gift[AT(z, p)] && !noTarget[AT(z, p)])
#define ALONE(p)  (asked[AT(z, p)] && noTarget[AT(z, p)])
#define OFFERS(p) (offered[AT(z, p)] > 0)

proctype Zone(byte z) {
    mtype m; byte p, a;
end:
    do
    :: atomic { alive[z] && len(z2z[OTHER(z)]) > 0 && len(z2g[z]) < ROOM -> z2z[OTHER(z)]?m, p, a;
        if
        :: m == offer -> takeOffer(z, p, a)
        :: m == accept -> freeze(z, p, a)
        :: m == query -> takeQuery(z, p, a)
        :: m == yes -> if :: frozen[AT(z, p)] == a && asked[AT(z, p)] && !gift[AT(z, p)] -> forget(z, p); letGo(z, p) :: else fi
        :: m == no ->
            if
            :: frozen[AT(z, p)] == a && asked[AT(z, p)] && !gift[AT(z, p)] -> take(z, p, a); unsure[AT(z, p)] = true
            :: else
            fi
        :: m == give -> takeGive(z, p, a)
        :: m == given -> if :: frozen[AT(z, p)] == a && gift[AT(z, p)] -> forget(z, p); letGo(z, p) :: else fi
        :: m == ungiven -> if :: frozen[AT(z, p)] == a && gift[AT(z, p)] -> take(z, p, a + 2) :: else fi
        fi; p = 0; a = 0 }
    :: atomic { alive[z] && zUp[z] && len(g2z[z]) > 0 && len(z2g[z]) < ROOM -> g2z[z]?m, p, a;
        if
        :: m == attach -> takeAttach(z, p, a)
        :: m == activate -> takeActivate(z, p, a)
        :: m == done -> takeDone(z, p, a)
        :: m == restored -> takeRestored(z, p, a)
        :: m == input -> takeInput(z, p, a)
        fi; p = 0; a = 0 }
    /* a player whose place is the other's; an offer without an answer */
    :: atomic { alive[z] && alive[OTHER(z)] && len(z2z[z]) < ROOM && zUp[z] && gateway && hears[z] == epoch && ANY(LEAVES) ->
        pick(p);
        if
        :: LEAVES(p) -> offered[AT(z, p)] = sim[AT(z, p)]; z2z[z]!offer, p, sim[AT(z, p)]
        :: else
        fi; p = 0 }
    :: atomic { alive[z] && QUIET_Z2Z && ANY(OFFERS) ->
        p = 0; do :: p < PLAYERS -> offered[AT(z, p)] = 0; p++ :: else -> break od; p = 0 }
    :: atomic { alive[z] && hears[z] != 0 && (!gateway || hears[z] != epoch) -> mournGateway(z) }
    :: atomic { alive[z] && gateway && !zUp[z] && (hears[z] == 0 || hears[z] == epoch) && len(z2g[z]) == 0 -> greetGateway(z) }
#if GIFTS
    /* a link-dead player whose place is the other's is sent there, again and again; silence for long ends that */
    :: atomic { alive[z] && alive[OTHER(z)] && len(z2z[z]) < 2 && ANY(GIVES) ->
        pick(p);
        if
        :: GIVES(p) ->
            frozen[AT(z, p)] = sim[AT(z, p)]; sim[AT(z, p)] = 0; offered[AT(z, p)] = 0;
            asked[AT(z, p)] = true; gift[AT(z, p)] = true;
            z2z[z]!give, p, frozen[AT(z, p)]
        :: else
        fi; p = 0 }
    :: atomic { alive[z] && alive[OTHER(z)] && len(z2z[z]) < 2 && ANY(WAITS) ->
        pick(p);
        if
        :: WAITS(p) -> z2z[z]!give, p, frozen[AT(z, p)]
        :: else
        fi; p = 0 }
    :: atomic { alive[z] && QUIET_Z2Z && ANY(WAITS) ->
        pick(p);
        if
#if FAULT != 11
        :: WAITS(p) -> gift[AT(z, p)] = false
#else
        :: WAITS(p) -> take(z, p, frozen[AT(z, p)])
#endif
        :: else
        fi; p = 0 }
#endif
    /* its gateway is dead: the other zone is asked; where that is dead as well, it goes on here */
    :: atomic { alive[z] && alive[OTHER(z)] && QUIET_Z2Z && ANY(ASKS) ->
        p = 0;
        do
        :: p < PLAYERS && ASKS(p) -> z2z[z]!query, p, frozen[AT(z, p)]; p++
        :: p < PLAYERS && !ASKS(p) -> p++
        :: p == PLAYERS -> break
        od; p = 0 }
    :: atomic { alive[z] && ANY(ALONE) ->
        p = 0;
        do
        :: p < PLAYERS && ALONE(p) -> doubted[p] = NOW(frozen[AT(z, p)]); take(z, p, frozen[AT(z, p)]); unsure[AT(z, p)] = true; p++
        :: p < PLAYERS && !ALONE(p) -> p++
        :: p == PLAYERS -> break
        od; p = 0 }
    od
}

/* --- the gateway */

/* view: the zone that has the session now has had inputs up to those of its state. */
inline view(p) {
#if FAULT == 6
    skip
#else
    taken[p] = keptSeq[p]
#endif
}

inline finish(p, a) {
    moving[p] = false;
    if :: SOURCE_IS_UP(p) -> g2z[source[p]]!done, p, a - 1 :: else fi
}

/* back: the zone that it was to move to does not have it, and never will under this attachment. A source whose connection is
 * lost still has it; of a dead one, or another incarnation of it, persist knows the state. */
inline back(p) {
    moving[p] = false;
    if
    :: SOURCE_IS_UP(p) ->
        view(p); route[p] = source[p]; attachment[p] = attachment[p] + 1; g2z[source[p]]!restored, p, attachment[p]
    :: else -> waiting[p] = true;
        if
#if FAULT != 9
        :: alive[source[p]] && incarnation[source[p]] == sourceIs[p] -> route[p] = source[p]
#endif
        :: else -> route[p] = owner[p]
        fi
    fi
}

inline takeReroute(z, p, a) {
#if FAULT != 4
    if
    :: moving[p] && route[p] == z && attachment[p] == a -> finish(p, a) /* it was activated, and the answer lost */
    :: else
    fi;
#endif
    if
    :: attachment[p] == a && !moving[p] && (waiting[p] || route[p] == z) ->
        waiting[p] = false; attachment[p] = a + 1;
        keptHas[p] = has[AT(z, p)]; keptSeq[p] = seq[AT(z, p)];
        view(p);
        if
        :: CAN_TELL(OTHER(z)) ->
            source[p] = z; sourceIs[p] = incarnation[z]; route[p] = OTHER(z); moving[p] = true;
            g2z[OTHER(z)]!activate, p, a + 1;
#if FAULT == 8
            g2z[z]!done, p, a
#endif
        :: else -> route[p] = z; g2z[z]!restored, p, a + 1; if :: fulls < FULL -> fulls++ :: else fi
        fi;
        assert(NOW(attachment[p]))
    :: attachment[p] != a && waiting[p] && route[p] == z /* it will be attached anew, and goes on */
    :: moving[p] && source[p] == z && attachment[p] == a + 1 /* told twice */
    :: else -> g2z[z]!done, p, a
    fi
}

/* A connection is there anew: what is under way is told again; sessions of a lost one wait until they are attached. */
inline greetZone(z) {
    gUp[z] = true;
    p = 0;
    do
    :: p < PLAYERS && moving[p] && route[p] == z -> g2z[z]!activate, p, attachment[p]; p++
    :: p < PLAYERS && !(moving[p] && route[p] == z) -> p++
    :: p == PLAYERS -> break
    od;
    p = 0
}

#define CAN_SEND     (len(g2z[0]) < ROOM && len(g2z[1]) < ROOM)
#define HEARD(z)     (gUp[z] && len(z2g[z]) > 0)
#define ATTACHES(p)  (waiting[p] && CAN_TELL(route[p]))
#define PLAYS(p)     (!waiting[p] && taken[p] < INPUTS && CAN_TELL(route[p]) && len(g2z[route[p]]) < 2)

proctype Gateway() {
    mtype m; byte p, a, z;
end:
    do
    :: atomic { gateway && CAN_SEND && (HEARD(0) || HEARD(1)) ->
        if
        :: HEARD(0) -> z = 0; z2g[0]?m, p, a
        :: HEARD(1) -> z = 1; z2g[1]?m, p, a
        fi;
        if
        :: m == reroute -> takeReroute(z, p, a)
        :: m == activated -> if :: moving[p] && route[p] == z && attachment[p] == a -> finish(p, a) :: else fi
        :: m == refused -> if :: moving[p] && route[p] == z && attachment[p] == a -> back(p) :: else fi
        fi; p = 0; a = 0; z = 0 }
    :: atomic { gateway && alive[0] && !gUp[0] && len(g2z[0]) == 0 && (hears[0] == 0 || hears[0] == epoch) -> greetZone(0) }
    :: atomic { gateway && alive[1] && !gUp[1] && len(g2z[1]) == 0 && (hears[1] == 0 || hears[1] == epoch) -> greetZone(1) }
    :: atomic { gateway && CAN_SEND && ANY(ATTACHES) ->
        p = 0;
        do
        :: p < PLAYERS && ATTACHES(p) ->
            doubted[p] = attachment[p] % EPOCH != 0; /* no promise is about this one */
            waiting[p] = false; attachment[p] = attachment[p] + 1; g2z[route[p]]!attach, p, attachment[p]; p++
        :: p < PLAYERS && !ATTACHES(p) -> p++
        :: p == PLAYERS -> break
        od; p = 0 }
#if INPUTS > 0
    /* a client's packet, which brings again what no packet brought before */
    :: atomic { gateway && ANY(PLAYS) ->
        pick(p);
        if
        :: PLAYS(p) -> taken[p] = taken[p] + 1; g2z[route[p]]!input, p, taken[p];
            if :: made[p] < taken[p] -> made[p] = taken[p] :: else fi
        :: else
        fi; p = 0 }
#endif
    /* another gateway, new sessions: persist gives the next epoch, the zone of the player's place is told */
    :: atomic { !gateway ->
        gateway = true; epoch++;
        p = 0;
        do
        :: p < PLAYERS -> attachment[p] = epoch * EPOCH; taken[p] = made[p]; route[p] = owner[p]; waiting[p] = true; p++
        :: else -> break
        od; p = 0 }
    od
}

/* --- the directory, persist, and what goes wrong */

#define REPORTS(z) (sim[AT(z, p)] > 0 && sim[AT(z, p)] != newest[p])
#define DUE(n)     (sim[AT(0, n)] > 0 && sim[AT(0, n)] != newest[n] || sim[AT(1, n)] > 0 && sim[AT(1, n)] != newest[n])

/* report: a state that is behind is refused, and its zone lets go. */
inline report(z, p) {
    if
    :: sim[AT(z, p)] > newest[p] -> newest[p] = sim[AT(z, p)]
    :: else -> letGo(z, p)
    fi
}

inline cut(z) { lose(z2g[z]); lose(g2z[z]); zUp[z] = false; gUp[z] = false; quieten(z) }

/* quieten: sessions of a zone that is not heard wait. */
inline quieten(z) {
    p = 0;
    do
    :: p < PLAYERS && gateway && route[p] == z && !moving[p] -> waiting[p] = true; p++
    :: p < PLAYERS && !(gateway && route[p] == z && !moving[p]) -> p++
    :: p == PLAYERS -> break
    od;
    p = 0
}

/* die: all of a zone is gone, and the directory says so to all: its part of the world is the other's, or its successor's. */
inline die(z) {
    alive[z] = false; incarnation[z]++; hears[z] = 0;
    lose(z2z[0]); lose(z2z[1]);
    cut(z);
    p = 0;
    do
    :: p < PLAYERS ->
        letGo(z, p); forget(z, p); tomb[AT(z, p)] = 0;
        noTarget[AT(OTHER(z), p)] = frozen[AT(OTHER(z), p)] > 0;
        offered[AT(OTHER(z), p)] = 0;
        if :: owner[p] == z -> owner[p] = OTHER(z) :: skip fi;
        if
        :: gateway && moving[p] && route[p] == z -> back(p)
        :: gateway && !moving[p] && route[p] == z -> route[p] = owner[p]
        :: else
        fi;
        p++
    :: else -> break
    od;
    p = 0
}

proctype World() {
    byte p, z;
end:
    do
    :: atomic { moves < MOVES -> moves++; pick(p); owner[p] = OTHER(owner[p]); p = 0 }
    :: atomic { ANY(DUE) ->
        pick(p);
        if
        :: REPORTS(0) -> report(0, p)
        :: REPORTS(1) -> report(1, p)
        :: else
        fi; p = 0 }
    :: atomic { crashes < CRASHES && alive[0] && alive[1] && CAN_SEND -> crashes++;
        if :: z = 0 :: z = 1 fi;
        die(z); z = 0 }
    :: atomic { !alive[0] -> alive[0] = true }
    :: atomic { !alive[1] -> alive[1] = true }
    :: atomic { crashes < CRASHES && gateway -> crashes++; gateway = false;
        lose(z2g[0]); lose(z2g[1]); gUp[0] = false; gUp[1] = false;
        p = 0; do :: p < PLAYERS -> moving[p] = false; waiting[p] = false; p++ :: else -> break od; p = 0 }
    :: atomic { cuts < CUTS && alive[0] && alive[1] -> cuts++; lose(z2z[0]); lose(z2z[1]) }
    :: atomic { cuts < CUTS && gateway && gUp[0] && zUp[0] && hears[0] == epoch -> cuts++; cut(0) }
    :: atomic { cuts < CUTS && gateway && gUp[1] && zUp[1] && hears[1] == epoch -> cuts++; cut(1) }
    od
}

/* --- what must hold once nothing is under way any more: each player is simulated once, by the zone that has its place and
 * that the gateway says, under the newest attachment; nothing is kept; and where nothing went wrong every input was applied. */

#define ALL_INPUTS (((1 << INPUTS) - 1) << 1)

proctype Quiet() {
    byte p;
    timeout -> atomic {
        do
        :: p < PLAYERS ->
            assert(gateway && !moving[p] && !waiting[p] && route[p] == owner[p]);
            assert(sim[AT(route[p], p)] == attachment[p] && SIMS(p) == 1);
            assert(frozen[AT(0, p)] == 0 && frozen[AT(1, p)] == 0);
            assert(crashes > 0 || cuts > 0 || has[AT(route[p], p)] == ALL_INPUTS);
            p++
        :: else -> break
        od
    }
}

init {
    atomic {
        byte p = 0;
        zUp[0] = true; zUp[1] = true; gUp[0] = true; gUp[1] = true; hears[0] = epoch; hears[1] = epoch;
        do
        :: p < PLAYERS -> attachment[p] = EPOCH; sim[AT(0, p)] = EPOCH; newest[p] = EPOCH; p++
        :: else -> break
        od;
        run Zone(0); run Zone(1); run Gateway(); run World(); run Quiet()
    }
}
