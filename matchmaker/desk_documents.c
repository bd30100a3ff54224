/* desk_documents.c: what the desk keeps, as bytes: little-endian, texts with a byte of length before them.
 *
 *   ticket  u8 format 2, text mode, u64 entered_ms, u32 roles, u8 refusals, u8 regions x (text name, u16 ms),
 *           u8 avoided x u64, u8 players x (u64 player, f64 mu, f64 sigma), the leader first
 *   party   u8 format, u8 members x u64, the leader first
 *   note    u8 format, text mode, u32 season, u8 region, u8 seats x (u64 player, u8 team + 8 x role, i32 mu / 2^-20,
 *           u16 sigma / 2^-12)
 *   debt    u8 format, text mode, u64 match, u64 player, f64 mu, f64 sigma, u64 gold, u32 item_kind, u32 item_count,
 *           u32 season, i32 points, u8 flags, u8 is_won
 *   result  u8 format, the fields of struct desk_result in their order, see desk_write_result
 *
 * Regions are kept by name, as their order may be another after a restart.
 */
#include <math.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "matchmaker/desk_inner.h"

#define FORMAT        1 /* of what says nothing else */
#define FORMAT_TICKET 2
#define MU_UNIT       1048576.0
#define SIGMA_UNIT    4096.0
#define SEAT_BYTES    15
#define TICKET_MAX                                                                                                          \
    (64 + WIRE_MODE_NAME_MAX + QUEUE_REGIONS_MAX * (WIRE_NAME_MAX + 3) + QUEUE_AVOID_MAX * 8 + DESK_PARTY_MAX * 24)
#define PLAYER_BYTES 30

_Static_assert(TICKET_MAX <= DESK_TICKET_BYTES, "a ticket's document has room");
_Static_assert(16 + WIRE_MODE_NAME_MAX + MODE_PLAYERS_MAX * SEAT_BYTES <= INSTANCES_NOTE_MAX, "a note has room");
_Static_assert(2 + DESK_PARTY_MAX * 8 <= DESK_PARTY_BYTES, "a party's document has room");
_Static_assert(60 + WIRE_MODE_NAME_MAX <= DESK_DEBT_BYTES, "a debt's document has room");
_Static_assert(256 + WIRE_INSTANCE_PLAYERS_MAX * PLAYER_BYTES <= DESK_RESULT_BYTES, "a result's document has room");
_Static_assert(DESK_RESULT_BYTES <= WIRE_DOCUMENT_BYTES_MAX && DESK_TICKET_BYTES <= WIRE_DOCUMENT_BYTES_MAX,
               "and may be kept");
_Static_assert(MODE_TEAMS_MAX <= 8 && MODE_ROLES_MAX <= 32, "team and role go into a byte");

static void write_text(struct byte_writer *w, const char *text) {
    size_t len = strlen(text);
    write_uint(w, len, 1);
    write_bytes(w, text, len);
}

/* read_text reads into `size` bytes; a longer text is no good. */
static void read_text(struct byte_reader *r, char *out, size_t size) {
    size_t len = read_uint(r, 1);
    memset(out, 0, size);
    if (len < size) {
        read_bytes(r, out, len);
    } else {
        r->overflow = true;
    }
}

static void write_double(struct byte_writer *w, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    write_uint(w, bits, 8);
}

static double read_double(struct byte_reader *r) {
    uint64_t bits = read_uint(r, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool is_rating(struct rating rating) {
    return rating.sigma > 0 && rating.sigma <= RATING_SIGMA_MAX && rating.mu >= -RATING_MU_MAX && rating.mu <= RATING_MU_MAX;
}

static struct byte_reader begin_read(const uint8_t *bytes, uint32_t len, uint32_t format) {
    struct byte_reader r = {.bytes = bytes, .len = len};
    if (read_uint(&r, 1) != format) r.overflow = true;
    return r;
}

/* count_of reads a count, which makes the rest no good where it is beyond `most`. */
static uint32_t count_of(struct byte_reader *r, uint32_t most) {
    uint32_t count = (uint32_t)read_uint(r, 1);
    if (count > most) r->overflow = true;
    return r->overflow ? 0 : count;
}

static uint32_t written(const struct byte_writer *w) {
    CHECK(!w->overflow);
    return (uint32_t)w->len;
}

static int outcome(const struct byte_reader *r, bool is_sound) {
    return !r->overflow && r->next == r->len && is_sound ? 0 : MARCH_ERR_INVALID;
}

/* --- tickets */

uint32_t desk_write_ticket(const struct desk *d, const struct desk_live *t, uint8_t *bytes) {
    struct byte_writer w = {.bytes = bytes, .size = DESK_TICKET_BYTES};
    write_uint(&w, FORMAT_TICKET, 1);
    write_text(&w, d->modes.modes[t->mode].name);
    write_uint(&w, t->entered_ms, 8);
    write_uint(&w, t->roles, 4);
    write_uint(&w, t->refusals, 1);
    write_uint(&w, d->config.region_count, 1);
    for (uint32_t i = 0; i < d->config.region_count; i++) {
        write_text(&w, d->config.regions[i]);
        write_uint(&w, desk_latency_ms(t, i), 2);
    }
    write_uint(&w, t->avoid_count, 1);
    for (uint32_t i = 0; i < t->avoid_count; i++) write_uint(&w, desk_ticket_avoids(d, t)[i], 8);
    write_uint(&w, t->count, 1);
    for (const struct desk_member *member = &t->leader; member; member = desk_member_after(d, member)) {
        write_uint(&w, member->player, 8);
        write_double(&w, desk_member_rating(member).mu);
        write_double(&w, desk_member_rating(member).sigma);
    }
    return written(&w);
}

/* read_latencies reads those of regions that there still are; a ticket that can reach none of them can reach all. */
static void read_latencies(const struct desk *d, struct byte_reader *r, uint16_t *latency_ms) {
    bool is_reached = false;
    for (uint32_t i = 0; i < QUEUE_REGIONS_MAX; i++) latency_ms[i] = QUEUE_UNREACHABLE_MS;
    for (uint32_t count = count_of(r, QUEUE_REGIONS_MAX); count > 0; count--) {
        char name[WIRE_NAME_MAX + 1];
        read_text(r, name, sizeof name);
        uint16_t ms = (uint16_t)read_uint(r, 2);
        for (uint32_t i = 0; i < d->config.region_count; i++) {
            if (strcmp(name, d->config.regions[i]) != 0) continue;
            latency_ms[i] = ms;
            is_reached |= ms <= MODE_LATENCY_MS_MAX;
        }
    }
    if (!is_reached) memset(latency_ms, 0, d->config.region_count * sizeof *latency_ms);
}

int desk_read_ticket(const struct desk *d, const uint8_t *bytes, uint32_t len, struct desk_ticket_document *out) {
    struct byte_reader r = begin_read(bytes, len, FORMAT_TICKET);
    *out = (struct desk_ticket_document){0};
    read_text(&r, out->mode, sizeof out->mode);
    out->entered_ms = read_uint(&r, 8);
    out->roles = (uint32_t)read_uint(&r, 4);
    out->refusals = (uint32_t)read_uint(&r, 1);
    read_latencies(d, &r, out->latency_ms);
    out->avoid_count = count_of(&r, QUEUE_AVOID_MAX);
    for (uint32_t i = 0; i < out->avoid_count; i++) out->avoid[i] = read_uint(&r, 8);
    out->count = count_of(&r, DESK_PARTY_MAX);
    bool is_sound = out->count > 0;
    for (uint32_t i = 0; i < out->count; i++) {
        out->players[i] = read_uint(&r, 8);
        out->ratings[i].mu = read_double(&r);
        out->ratings[i].sigma = read_double(&r);
        is_sound &= out->players[i] != 0 && is_rating(out->ratings[i]);
    }
    return outcome(&r, is_sound);
}

/* --- parties */

uint32_t desk_write_party(const struct desk_group *party, uint8_t *bytes) {
    struct byte_writer w = {.bytes = bytes, .size = DESK_PARTY_BYTES};
    write_uint(&w, FORMAT, 1);
    write_uint(&w, party->member_count, 1);
    for (uint32_t i = 0; i < party->member_count; i++) write_uint(&w, party->members[i], 8);
    return written(&w);
}

int desk_read_party(const uint8_t *bytes, uint32_t len, struct desk_group *out) {
    struct byte_reader r = begin_read(bytes, len, FORMAT);
    *out = (struct desk_group){0};
    out->member_count = count_of(&r, DESK_PARTY_MAX);
    bool is_sound = out->member_count > 1;
    for (uint32_t i = 0; i < out->member_count; i++) {
        out->members[i] = read_uint(&r, 8);
        is_sound &= out->members[i] != 0;
    }
    return outcome(&r, is_sound);
}

/* --- notes */

uint32_t desk_write_note(const struct desk_note *note, uint8_t *bytes) {
    struct byte_writer w = {.bytes = bytes, .size = INSTANCES_NOTE_MAX};
    write_uint(&w, FORMAT, 1);
    write_text(&w, note->mode);
    write_uint(&w, note->season, 4);
    write_uint(&w, note->region, 1);
    write_uint(&w, note->seat_count, 1);
    for (uint32_t i = 0; i < note->seat_count; i++) {
        const struct desk_seat *seat = &note->seats[i];
        double mu = fmin(fmax(seat->before.mu * MU_UNIT, INT32_MIN), INT32_MAX);
        double sigma = fmin(fmax(seat->before.sigma * SIGMA_UNIT, 1), UINT16_MAX);
        write_uint(&w, seat->player, 8);
        write_uint(&w, seat->team + 8u * seat->role, 1);
        write_uint(&w, (uint32_t)(int32_t)lround(mu), 4);
        write_uint(&w, (uint64_t)lround(sigma), 2);
    }
    return written(&w);
}

int desk_read_note(const uint8_t *bytes, uint32_t len, struct desk_note *out) {
    struct byte_reader r = begin_read(bytes, len, FORMAT);
    read_text(&r, out->mode, sizeof out->mode);
    out->season = (uint32_t)read_uint(&r, 4);
    out->region = (uint32_t)read_uint(&r, 1);
    out->seat_count = count_of(&r, MODE_PLAYERS_MAX);
    bool is_sound = true;
    for (uint32_t i = 0; i < out->seat_count; i++) {
        struct desk_seat *seat = &out->seats[i];
        seat->player = read_uint(&r, 8);
        uint32_t place = (uint32_t)read_uint(&r, 1);
        seat->team = (uint8_t)(place % 8);
        seat->role = (uint8_t)(place / 8);
        seat->before.mu = (int32_t)(uint32_t)read_uint(&r, 4) / MU_UNIT;
        seat->before.sigma = (double)read_uint(&r, 2) / SIGMA_UNIT;
        is_sound &= seat->player != 0 && is_rating(seat->before) && seat->role < MODE_ROLES_MAX;
    }
    return outcome(&r, is_sound);
}

/* --- debts */

uint32_t desk_write_debt(const struct wire_settle *s, uint8_t *bytes) {
    struct byte_writer w = {.bytes = bytes, .size = DESK_DEBT_BYTES};
    write_uint(&w, FORMAT, 1);
    write_text(&w, s->mode);
    write_uint(&w, s->match, 8);
    write_uint(&w, s->player, 8);
    write_double(&w, s->mu);
    write_double(&w, s->sigma);
    write_uint(&w, s->gold, 8);
    write_uint(&w, s->item_kind, 4);
    write_uint(&w, s->item_count, 4);
    write_uint(&w, s->season, 4);
    write_uint(&w, (uint32_t)s->points, 4);
    write_uint(&w, s->flags, 1);
    write_uint(&w, s->is_won, 1);
    return written(&w);
}

int desk_read_debt(const uint8_t *bytes, uint32_t len, struct wire_settle *out) {
    struct byte_reader r = begin_read(bytes, len, FORMAT);
    *out = (struct wire_settle){0};
    read_text(&r, out->mode, sizeof out->mode);
    out->match = read_uint(&r, 8);
    out->player = read_uint(&r, 8);
    out->mu = read_double(&r);
    out->sigma = read_double(&r);
    out->gold = read_uint(&r, 8);
    out->item_kind = (uint32_t)read_uint(&r, 4);
    out->item_count = (uint32_t)read_uint(&r, 4);
    out->season = (uint32_t)read_uint(&r, 4);
    out->points = (int32_t)(uint32_t)read_uint(&r, 4);
    out->flags = (uint16_t)read_uint(&r, 1);
    out->is_won = (uint16_t)read_uint(&r, 1);
    return outcome(&r, out->match != 0 && out->player != 0);
}

/* --- results */

uint32_t desk_write_result(const struct desk_result *result, uint8_t *bytes) {
    struct byte_writer w = {.bytes = bytes, .size = DESK_RESULT_BYTES};
    write_uint(&w, FORMAT, 1);
    write_uint(&w, result->instance, 4);
    write_text(&w, result->template_name);
    write_text(&w, result->mode);
    write_uint(&w, result->end, 1);
    write_uint(&w, result->goal, 4);
    write_uint(&w, result->started_ms, 8);
    write_uint(&w, result->lasted_ms, 8);
    write_uint(&w, result->team_count, 1);
    for (uint32_t i = 0; i < result->team_count; i++) {
        write_uint(&w, result->scores[i], 4);
        write_uint(&w, result->ranks[i], 1);
    }
    write_uint(&w, result->player_count, 1);
    for (uint32_t i = 0; i < result->player_count; i++) {
        const struct desk_result_player *p = &result->players[i];
        write_uint(&w, p->player, 8);
        write_uint(&w, p->team, 1);
        write_uint(&w, p->kills, 2);
        write_uint(&w, p->deaths, 2);
        write_uint(&w, p->has_come + 2u * p->is_won + 4u * p->has_left, 1);
        write_uint(&w, (uint32_t)p->points_before, 2);
        write_uint(&w, (uint32_t)p->points_after, 2);
        write_uint(&w, p->gold, 4);
        write_uint(&w, p->item_kind, 4);
        write_uint(&w, p->item_count, 4);
    }
    return written(&w);
}

static void read_player(struct byte_reader *r, struct desk_result_player *p) {
    p->player = read_uint(r, 8);
    p->team = (uint32_t)read_uint(r, 1);
    p->kills = (uint16_t)read_uint(r, 2);
    p->deaths = (uint16_t)read_uint(r, 2);
    uint32_t flags = (uint32_t)read_uint(r, 1);
    p->has_come = flags & 1;
    p->is_won = flags >> 1 & 1;
    p->has_left = flags >> 2 & 1;
    p->points_before = (int32_t)read_uint(r, 2);
    p->points_after = (int32_t)read_uint(r, 2);
    p->gold = (uint32_t)read_uint(r, 4);
    p->item_kind = (uint32_t)read_uint(r, 4);
    p->item_count = (uint32_t)read_uint(r, 4);
}

int desk_result_read(const uint8_t *bytes, uint32_t len, struct desk_result *out) {
    struct byte_reader r = begin_read(bytes, len, FORMAT);
    *out = (struct desk_result){0};
    out->instance = (uint32_t)read_uint(&r, 4);
    read_text(&r, out->template_name, sizeof out->template_name);
    read_text(&r, out->mode, sizeof out->mode);
    out->end = (enum instance_end)read_uint(&r, 1);
    out->goal = (uint32_t)read_uint(&r, 4);
    out->started_ms = read_uint(&r, 8);
    out->lasted_ms = read_uint(&r, 8);
    out->team_count = count_of(&r, WIRE_TEAMS_MAX);
    for (uint32_t i = 0; i < out->team_count; i++) {
        out->scores[i] = (uint32_t)read_uint(&r, 4);
        out->ranks[i] = (uint32_t)read_uint(&r, 1);
    }
    out->player_count = count_of(&r, WIRE_INSTANCE_PLAYERS_MAX);
    for (uint32_t i = 0; i < out->player_count; i++) read_player(&r, &out->players[i]);
    return outcome(&r, out->end < INSTANCE_END_COUNT);
}
