/* test_desk_random.c: a desk, players and zones that do anything, while persist comes and goes and the matchmaker dies.
 *
 * Held against a plain account of who has which ticket: nobody has two matches, no party is split, what ended is never
 * matched, what a player was told survives, each player of a match has what it is worth, once.
 */
#include "tests/unit/desk_fixture.h"

#define PLAYERS 60
#define STEPS   6000
#define SEEDS   12

struct track { /* a ticket */
    uint64_t id;
    uint32_t count, mode, instance; /* instance: launched with it */
    uint64_t players[DESK_PARTY_MAX];
    bool is_shown, is_ended, is_matched; /* as players were told */
    bool is_unavailable;                 /* nobody knows what became of it */
    UT_hash_handle hh;
};

struct fate {                  /* of an instance: what its zone says of it in the end, however often */
    bool is_sealed, is_ranked; /* is_ranked: of a mode, whose first players are rated */
    uint32_t mode, seat_count;
    uint64_t seats[WIRE_INSTANCE_PLAYERS_MAX];
    uint8_t teams[WIRE_INSTANCE_PLAYERS_MAX];
    struct fake_instance end;
};

struct chance {
    struct world *w;
    uint64_t random;
    struct track *tracks;
    struct track *current[PLAYERS + 1]; /* what they wait with */
    struct track *entering;             /* whose id is not known yet */
    struct fate *fates;                 /* FAKE_MAX */
    bool is_launching;                  /* by an operator */
    bool is_answered[PLAYERS + 1];
    uint32_t deaths, matches, joined, returned, left, known, owed; /* owed: at most, at once */
};

static uint32_t draw(struct chance *c, uint32_t below) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t)((c->random >> 20) % below);
}

static uint64_t any_player(struct chance *c) {
    return 1 + draw(c, PLAYERS);
}

/* is_void tells whether the instance of a ticket is over without that anybody could come: then it waits again. */
static bool is_void(const struct chance *c, const struct track *t) {
    const struct fate *fate = &c->fates[t->instance];
    if (t->instance == 0 || !fate->is_sealed || fate->end.d.end == INSTANCE_END_GOAL) return false;
    for (uint32_t k = 0; k < fate->end.d.member_count; k++)
        if (fate->end.members[k].has_come) return false;
    return true;
}

static void add_track(struct chance *c, struct track *t, uint64_t id) {
    t->id = id;
    HASH_ADD(hh, c->tracks, id, sizeof t->id, t);
}

static struct track *track_of(struct chance *c, uint64_t id) {
    struct track *t;
    HASH_FIND(hh, c->tracks, &id, sizeof id, t);
    if (!t && c->entering) add_track(c, t = c->entering, id);
    return t;
}

/* --- what happens */

static void check_whole(const struct fake_instance *f, uint32_t first, const struct track *t) {
    uint32_t team = UINT32_MAX, found = 0;
    for (uint32_t k = first; k < f->d.member_count; k++) {
        for (uint32_t i = 0; i < t->count; i++) {
            if (f->members[k].player != t->players[i]) continue;
            if (team == UINT32_MAX) team = f->members[k].team;
            assert_int_equal(f->members[k].team, team);
            found++;
        }
    }
    assert_int_equal(found, t->count);
}

/* is_within tells whether an operator launched with all players of a ticket, which is held by it then. */
static bool is_within(const struct fake_instance *f, const struct track *t) {
    for (uint32_t i = 0; i < t->count; i++)
        if (!fake_is_member(f, t->players[i])) return false;
    return true;
}

static void on_launch(struct world *w, const struct fake_instance *f, uint32_t first) {
    struct chance *c = w->context;
    struct fate *fate = &c->fates[f->d.id];
    if (first == 0) *fate = (struct fate){.is_ranked = !c->is_launching};
    for (uint32_t k = first; k < f->d.member_count; k++) {
        uint64_t player = f->members[k].player;
        for (uint32_t id = 1; id < w->instances->next_id; id++)
            assert_false(id != f->d.id && w->instances->list[id].is_there &&
                         fake_is_member(&w->instances->list[id], player));
        if (first == 0 && !c->is_launching) {
            fate->seats[fate->seat_count] = player;
            fate->teams[fate->seat_count++] = (uint8_t)f->members[k].team;
        }
        struct track *t = c->current[player];
        if (c->is_launching) {
            if (t && !t->is_ended && is_within(f, t)) t->instance = f->d.id;
            continue;
        }
        assert_true(t && !t->is_ended && !t->is_matched);
        check_whole(f, first, t);
        t->instance = f->d.id;
        fate->mode = t->mode;
    }
    c->matches += first == 0;
    c->joined += first > 0;
}

static void on_told(struct world *w, uint64_t player, const struct wire_server_message *message) {
    struct chance *c = w->context;
    if (message->kind != WIRE_SERVER_TICKET || message->ticket.ticket == 0) return;
    struct track *t = track_of(c, message->ticket.ticket);
    assert_non_null(t);
    if (message->ticket.state != WIRE_TICKET_MATCHED && is_void(c, t)) {
        c->returned += t->is_matched;
        t->is_matched = false;
    }
    switch (message->ticket.state) {
    case WIRE_TICKET_WAITING:
    case WIRE_TICKET_ASKED:
        assert_true(!t->is_ended && !t->is_matched);
        t->is_shown = true;
        break;
    case WIRE_TICKET_MATCHED:
        assert_true(!t->is_ended && t->instance == message->ticket.instance);
        t->is_matched = true;
        break;
    case WIRE_TICKET_ENDED:
        assert_false(t->is_matched);
        t->is_ended = true;
        t->is_unavailable |= message->ticket.reason == WIRE_REASON_UNAVAILABLE;
        break;
    default: fail();
    }
    c->is_answered[player] = false;
}

/* --- what players do */

static const char *const MODES[4] = {"duel", "arena", "crypt", "siege"};

/* check_known: who was rated without that persist was asked has the rating that is there. */
static void check_known(struct chance *c, const struct track *t) {
    struct world *w = c->w;
    int32_t rating = world_ticket(w, t->id).rating;
    if (rating == 0 || t->count > 1 || desk_stats_get(w->desk).owed > 0) return;
    const struct wire_rating *kept = &model_rating(w->model, t->players[0], MODES[t->mode])->rating;
    assert_int_equal(rating, rating_points((struct rating){kept->mu, kept->sigma}));
    c->known++;
}

/* A match may be formed before the ticket's number is returned. */
static void enter(struct chance *c) {
    uint64_t player = any_player(c), ticket;
    struct desk_party party = desk_party_of(c->w->desk, player);
    struct track *before[PLAYERS + 1], *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->mode = draw(c, 4);
    t->count = party.leader ? party.member_count : 1;
    t->players[0] = player;
    if (party.leader) memcpy(t->players, party.members, t->count * sizeof *t->players);
    memcpy(before, c->current, sizeof before);
    for (uint32_t i = 0; i < t->count; i++) c->current[t->players[i]] = t;
    c->entering = t;
    enum wire_ticket_reason reason = world_enter(c->w, player, MODES[t->mode], &ticket);
    c->entering = NULL;
    if (reason != WIRE_REASON_NONE) {
        memcpy(c->current, before, sizeof before);
        if (t->id == 0) free(t);
        return;
    }
    if (t->id == 0) add_track(c, t, ticket);
    assert_int_equal(t->id, ticket);
    check_known(c, t);
}

static void answer(struct chance *c) {
    for (uint64_t player = 1; player <= PLAYERS; player++) {
        if (c->w->told[player].ticket.state != WIRE_TICKET_ASKED || c->is_answered[player] || draw(c, 3) == 0) continue;
        c->is_answered[player] = true;
        (void)desk_answer(c->w->desk, player, draw(c, 10) > 0, c->w->now);
    }
}

static void party(struct chance *c) {
    uint64_t player = any_player(c), other = any_player(c);
    static const enum wire_party_verb VERBS[6] = {WIRE_PARTY_INVITE, WIRE_PARTY_INVITE, WIRE_PARTY_JOIN,
                                                  WIRE_PARTY_JOIN,   WIRE_PARTY_LEAVE,  WIRE_PARTY_REMOVE};
    (void)desk_party(c->w->desk, player, VERBS[draw(c, 6)], other, c->w->now);
    if (draw(c, 2)) (void)desk_party(c->w->desk, other, WIRE_PARTY_JOIN, player, c->w->now);
}

static void leave(struct chance *c) {
    uint64_t player = any_player(c);
    uint32_t id = instances_of_player(c->w->instances, player);
    if (id == 0 || c->fates[id].is_sealed) return;
    c->left += desk_leave(c->w->desk, player, c->w->now) == WIRE_REASON_NONE;
}

static void launch(struct chance *c) {
    uint64_t players[2] = {any_player(c), any_player(c)};
    uint32_t id;
    c->is_launching = true;
    (void)!desk_launch(c->w->desk, &c->w->templates.templates[0], INSTANCES_ANYWHERE, players, 2, c->w->now, c->w->wall_ms,
                       &id);
    c->is_launching = false;
}

/* --- what zones and persist do */

static void seal(struct chance *c, struct fake_instance *f) {
    static const uint32_t GOALS[4] = {WIRE_GOAL_KILLS, WIRE_GOAL_CLEARED, WIRE_GOAL_LOST, 0};
    struct fate *fate = &c->fates[f->d.id];
    f->d.end = draw(c, 5) == 0 ? INSTANCE_END_LOST : INSTANCE_END_GOAL;
    f->d.goal = GOALS[draw(c, 4)];
    f->d.stage = INSTANCE_OVER;
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) f->d.scores[i] = draw(c, 3);
    fate->end = *f;
    fate->is_sealed = true;
}

/* A zone without room for it. */
static void refuse(struct chance *c, struct fake_instance *f) {
    struct fate *fate = &c->fates[f->d.id];
    f->d.end = INSTANCE_END_REFUSED;
    f->d.stage = INSTANCE_OVER;
    fate->end = *f;
    fate->is_sealed = true;
    fake_end(c->w, f->d.id, INSTANCE_END_REFUSED, 0);
}

/* A zone runs what is durable alone, and says what it said before whatever the matchmaker has forgotten. */
static void zone(struct chance *c, uint32_t id) {
    struct world *w = c->w;
    struct fake_instance *f = fake_at(w->instances, id);
    if (!f || !model_document(w->model, WIRE_DOCUMENT_INSTANCE, id) || !keep_is_ready(w->keep)) return;
    if (f->d.stage == INSTANCE_OVER) {
        if (draw(c, 4) == 0) fake_tell(w, id, INSTANCES_OVER, 0);
        fake_home(w, id);
    } else if (c->fates[id].is_sealed) {
        *f = c->fates[id].end;
        fake_end(w, id, (enum instance_end)f->d.end, f->d.goal);
    } else if (f->d.stage != INSTANCE_RUNNING && draw(c, 5) == 0) {
        refuse(c, f);
    } else if (f->d.stage != INSTANCE_RUNNING) {
        fake_run(w, id);
    } else if (draw(c, 3) > 0) {
        uint64_t player = f->d.member_count > 0 ? f->members[draw(c, f->d.member_count)].player : 0;
        if (player % 5 > 0) fake_come(w, id, player); /* some never come */
    } else if (draw(c, c->fates[id].mode == 3 ? 40 : 4) == 0) {
        seal(c, f);
        fake_end(w, id, (enum instance_end)f->d.end, f->d.goal);
    }
}

static void zones(struct chance *c) {
    for (uint32_t id = 1; id < c->w->instances->next_id; id++)
        if (draw(c, 4) == 0) zone(c, id);
}

static void persist(struct chance *c) {
    struct persist_model *m = c->w->model;
    uint32_t shard = draw(c, m->shard_count), what = draw(c, 60);
    if (what == 0) model_lose(m, c->w->keep, shard);
    if (what == 1) m->is_settler_away = draw(c, 3) == 0;
    if (what > 40) model_connect(m, c->w->keep, shard);
    for (uint32_t i = 0; i < m->shard_count; i++) {
        if (draw(c, 3)) (void)model_take(m, c->w->keep, i);
        if (draw(c, 3)) (void)model_work(m, i);
        if (draw(c, 3)) (void)model_tell(m, c->w->keep, i);
    }
}

/* --- the death of the matchmaker */

static bool is_kept_as_member(const struct chance *c, const struct track *t) {
    struct fake_instance f;
    if (t->instance == 0 || !fake_read(&f, model_document(c->w->model, WIRE_DOCUMENT_INSTANCE, t->instance))) return false;
    return fake_is_member(&f, t->players[0]);
}

/* check_survival: what is there after the death, by what was told before it. */
static void check_survival(struct chance *c) {
    for (struct track *t = c->tracks; t; t = t->hh.next) {
        bool is_kept = model_document(c->w->model, WIRE_DOCUMENT_TICKET, t->id) != NULL;
        struct desk_ticket seen;
        bool is_known = desk_ticket_get(c->w->desk, t->id, c->w->now, c->w->wall_ms, &seen);
        if (t->is_matched) assert_true(!is_kept || is_kept_as_member(c, t)); /* it is held */
        if (t->is_ended && !t->is_unavailable) assert_false(is_kept);
        if (t->is_matched || t->is_ended || !is_known) continue;
        if (seen.state == WIRE_TICKET_MATCHED && !c->fates[t->instance].is_sealed)
            assert_true(!t->is_shown || is_kept || is_kept_as_member(c, t));
        if (seen.state != WIRE_TICKET_MATCHED && seen.state != WIRE_TICKET_ENDED && t->is_shown) assert_true(is_kept);
    }
}

static void die(struct chance *c) {
    struct world *w = c->w;
    for (uint32_t shard = 0; shard < w->model->shard_count; shard++) model_lose(w->model, w->keep, shard);
    if (keep_is_ready(w->keep)) check_survival(c);
    world_end(w);
    memset(c->current, 0, sizeof c->current);
    memset(c->is_answered, 0, sizeof c->is_answered);
    for (struct track *t = c->tracks; t; t = t->hh.next) {
        if (model_document(w->model, WIRE_DOCUMENT_TICKET, t->id)) {
            t->is_ended = false; /* one that nobody knew about is there */
            if (!is_kept_as_member(c, t)) t->is_matched = false;
            if (!is_kept_as_member(c, t)) t->instance = 0;
            for (uint32_t i = 0; i < t->count; i++) c->current[t->players[i]] = t;
        } else if (is_kept_as_member(c, t)) {
            t->is_matched = true; /* its players hear of it when it runs */
        } else if (!t->is_matched) {
            t->is_ended = true;
        }
    }
    c->deaths++;
    world_begin(w);
    w->instances->cells = 12;
    w->wall_ms += 500;
    w->now = mono_add_ms(w->now, 500);
}

static void change_modes(struct chance *c) {
    char error[MODE_ERROR_SIZE];
    c->w->modes.modes[draw(c, 4)].timeout_ms = 20000 + draw(c, 40000);
    assert_int_equal(desk_set_modes(c->w->desk, &c->w->modes, &c->w->templates, c->w->now, error, sizeof error), 0);
}

/* --- in the end */

static bool has_won(const struct fake_instance *f, uint32_t team) {
    bool is_best = true, is_tie = true;
    if (f->d.goal == WIRE_GOAL_CLEARED) return true;
    if (f->d.goal == WIRE_GOAL_LOST) return false;
    for (uint32_t i = 0; i < f->d.team_count; i++) {
        if (f->d.scores[i] > f->d.scores[team]) is_best = false;
        if (f->d.scores[i] != f->d.scores[0]) is_tie = false;
    }
    return is_best && !is_tie;
}

/* check_player returns 1 where the player has what the match was worth, 0 where that is nothing and nothing was settled. */
static uint32_t check_player(const struct chance *c, uint32_t id, uint64_t player, uint32_t team, bool has_seat) {
    const struct fate *fate = &c->fates[id];
    const struct fake_instance *f = &fate->end;
    const struct model_settled *s = model_settled(c->w->model, id, player);
    bool is_played = false, has_come = false, is_member = fake_is_member(f, player);
    for (uint32_t k = 0; k < f->d.member_count; k++) {
        bool is_first = false;
        for (uint32_t i = 0; i < fate->seat_count; i++) is_first |= fate->seats[i] == f->members[k].player;
        is_played |= f->members[k].has_come && is_first;
        has_come |= f->members[k].has_come && f->members[k].player == player;
    }
    bool is_goal = f->d.end == INSTANCE_END_GOAL;
    bool is_rated = is_goal && fate->is_ranked && f->d.team_count > 1 && is_played && has_seat;
    if (!is_rated && !(is_goal && has_come)) {
        assert_null(s);
        return 0;
    }
    assert_non_null(s);
    assert_int_equal(s->settle.flags, is_rated ? WIRE_SETTLE_RATED : 0);
    assert_int_equal(s->settle.gold, !has_come ? 0 : has_won(f, team) ? 100 : 10);
    assert_int_equal(s->settle.is_won, is_member && has_won(f, team));
    assert_string_equal(s->settle.mode, fate->is_ranked ? MODES[fate->mode] : "");
    return 1;
}

static void check_fates(struct chance *c) {
    uint64_t settled = 0;
    for (uint32_t id = 1; id < c->w->next_instance; id++) {
        const struct fate *fate = &c->fates[id];
        if (!fate->is_sealed) continue;
        for (uint32_t i = 0; i < fate->seat_count; i++) settled += check_player(c, id, fate->seats[i], fate->teams[i], true);
        for (uint32_t k = 0; k < fate->end.d.member_count; k++) {
            bool has_seat = false;
            for (uint32_t i = 0; i < fate->seat_count; i++) has_seat |= fate->seats[i] == fate->end.members[k].player;
            if (!has_seat) settled += check_player(c, id, fate->end.members[k].player, fate->end.members[k].team, false);
        }
    }
    assert_int_equal(settled, c->w->model->settled_count);
}

static void check_agreement(struct chance *c) {
    uint32_t live = 0;
    for (struct track *t = c->tracks; t; t = t->hh.next) {
        bool is_kept = model_document(c->w->model, WIRE_DOCUMENT_TICKET, t->id) != NULL;
        struct desk_ticket seen;
        bool is_known = desk_ticket_get(c->w->desk, t->id, c->w->now, c->w->wall_ms, &seen);
        bool is_live = is_known && (seen.state == WIRE_TICKET_WAITING || seen.state == WIRE_TICKET_ASKED);
        assert_int_equal(is_kept, is_live);
        assert_true(is_live || t->is_ended || t->is_matched);
        live += is_live;
        for (uint32_t i = 0; i < t->count && is_live; i++)
            assert_int_equal(desk_ticket_of(c->w->desk, t->players[i]), t->id);
    }
    assert_int_equal(desk_stats_get(c->w->desk).tickets, live);
    for (uint64_t player = 1; player <= PLAYERS; player++) {
        struct desk_party in = desk_party_of(c->w->desk, player);
        if (in.member_count > 1) assert_non_null(model_document(c->w->model, WIRE_DOCUMENT_PARTY, in.leader));
    }
}

static void come_to_rest(struct chance *c) {
    c->w->model->not_now = 0;
    c->w->model->is_settler_away = false;
    c->w->instances->cells = 50;
    for (uint32_t i = 0; i < 400; i++) {
        world_settle(c->w);
        zones(c);
        answer(c);
        world_step(c->w, 250);
    }
    for (uint32_t i = 0; i < 400; i++) { /* what runs still ends */
        world_settle(c->w);
        for (uint32_t id = 1; id < c->w->instances->next_id; id++) zone(c, id);
        world_step(c->w, 100);
    }
    world_settle(c->w);
}

static void step(struct chance *c) {
    uint32_t what = draw(c, 100);
    if (what < 20) enter(c);
    if (what >= 20 && what < 24) {
        uint64_t player = any_player(c);
        (void)desk_cancel(c->w->desk, desk_ticket_of(c->w->desk, player), player, c->w->now);
    }
    if (what >= 24 && what < 30) party(c);
    if (what >= 30 && what < 45) answer(c);
    if (what >= 45 && what < 65) zones(c);
    if (what == 65 && draw(c, 3) == 0) launch(c);
    if (what == 66 && draw(c, 4) == 0) change_modes(c);
    if (what == 67) c->w->instances->cells = draw(c, 6);
    if (what == 69) leave(c);
    if (what == 68 && draw(c, 6) == 0) die(c);
    persist(c);
    world_step(c->w, draw(c, 120));
    uint32_t owed = desk_stats_get(c->w->desk).owed;
    if (owed > c->owed) c->owed = owed;
}

/* run returns how many tickets were rated at once. */
static uint32_t run(uint64_t seed) {
    struct chance *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->random = seed * 0x9e3779b97f4a7c15ULL;
    c->fates = calloc(FAKE_MAX, sizeof *c->fates);
    assert_non_null(c->fates);
    c->w = world_new(1 + (uint32_t)seed % 3);
    c->w->context = c;
    c->w->on_launch = on_launch;
    c->w->on_told = on_told;
    c->w->model->not_now = 20;
    c->w->instances->cells = 12;
    for (uint32_t i = 0; i < STEPS; i++) step(c);
    come_to_rest(c);
    check_agreement(c);
    check_fates(c);
    assert_int_equal(desk_stats_get(c->w->desk).owed, 0);
    uint32_t known = c->known;
    printf("seed %u: %u deaths, %u tickets, %u matches, %u known, %u joined, %u left, %u returned, %u owed, %u settled, %u "
           "again\n",
           (unsigned)seed, c->deaths, HASH_COUNT(c->tracks), c->matches, c->known, c->joined, c->left, c->returned, c->owed,
           (unsigned)c->w->model->settled_count, (unsigned)c->w->model->settled_again);
    struct track *t, *next;
    HASH_ITER(hh, c->tracks, t, next) {
        HASH_DEL(c->tracks, t);
        free(t);
    }
    world_free(c->w);
    free(c->fates);
    free(c);
    return known;
}

static void test_desk_random_faults_split_double_and_forget_nothing(void **state) {
    (void)state;
    uint32_t known = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        printf("seed %u\n", (unsigned)seed);
        fflush(stdout);
        known += run(seed);
    }
    assert_int_not_equal(known, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_random_faults_split_double_and_forget_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
