/* names.c: see names.h. */
#include "persist/names.h"

#include <ev.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bloom.h"
#include "common/log.h"
#include "persist/reads_rows.h"

/* What is asked next. */
enum phase { PHASE_COUNTS = 0, PHASE_PLAYERS = 1, PHASE_GUILDS = 2, PHASE_DONE = 3 };

struct names {
    struct ev_loop *loop;
    struct pg *pg;
    void (*filled)(void *ctx);
    void *ctx;
    struct bloom bloom;
    bool has_bloom;
    bool missed; /* a name came before the filter was there: it is in the database, but maybe not in what is read of it */
    enum phase phase;
    char after[READS_NAME_MAX + 1]; /* the last name of the last page */
    struct pg_params params;
    ev_timer retry;
};

static void ask(struct names *names);

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    ask(timer->data);
}

struct names *names_create(struct ev_loop *loop, struct pg *pg, void (*filled)(void *ctx), void *ctx) {
    struct names *names = calloc(1, sizeof *names);
    if (!names) return NULL;
    names->loop = loop;
    names->pg = pg;
    names->filled = filled;
    names->ctx = ctx;
    pg_params_init(&names->params);
    ev_timer_init(&names->retry, on_retry, NAMES_RETRY_MS / 1000.0, 0);
    names->retry.data = names;
    return names;
}

void names_destroy(struct names *names) {
    if (!names) return;
    ev_timer_stop(names->loop, &names->retry);
    if (names->has_bloom) bloom_destroy(&names->bloom);
    pg_params_deinit(&names->params);
    free(names);
}

/* --- filling */

static void add(struct names *names, enum name_kind kind, const char *name, size_t len) {
    char key[READS_NAME_MAX + 1];
    key[0] = (char)kind;
    memcpy(key + 1, name, len);
    bloom_add(&names->bloom, key, len + 1);
}

static int take_counts(struct names *names, const PGresult *result) {
    uint64_t expected = NAMES_EXPECTED_MIN;
    for (int i = 0; i < pg_rows(result); i++) {
        struct pg_row row = pg_row_at(result, i);
        uint64_t count = pg_row_u64(&row, 0);
        if (row.error) return row.error;
        expected += 2 * count;
    }
    if (expected > BLOOM_KEYS_MAX) expected = BLOOM_KEYS_MAX;
    uint8_t secret[BLOOM_SECRET_BYTES];
    randombytes_buf(secret, sizeof secret);
    int error = bloom_create(&names->bloom, (uint32_t)expected, READS_NAMES_FALSE, secret);
    names->has_bloom = error == 0;
    if (!error) names->phase = PHASE_PLAYERS;
    return error;
}

static int take_page(struct names *names, const PGresult *result) {
    enum name_kind kind = names->phase == PHASE_PLAYERS ? NAME_PLAYER : NAME_GUILD;
    int count = pg_rows(result);
    for (int i = 0; i < count; i++) {
        struct pg_row row = pg_row_at(result, i);
        size_t len;
        const char *name = pg_row_text(&row, 0, &len);
        if (row.error || len >= READS_NAME_MAX) return MARCH_ERR_INVALID;
        add(names, kind, name, len);
        memcpy(names->after, name, len + 1);
    }
    if (count < READS_NAMES_A_PAGE) {
        names->phase++;
        names->after[0] = '\0';
    }
    return 0;
}

static void finish(struct names *names) {
    if (names->missed) {
        names->missed = false;
        names->phase = PHASE_PLAYERS;
        ask(names);
        return;
    }
    bloom_complete(&names->bloom);
    log_info("names.filled", "names=%llu", (unsigned long long)names->bloom.added);
    if (names->filled) names->filled(names->ctx);
}

static void on_page(void *ctx, const struct pg_reply *reply) {
    struct names *names = ctx;
    int error = reply->error;
    if (!error) {
        error = names->phase == PHASE_COUNTS ? take_counts(names, reply->results[0]) : take_page(names, reply->results[0]);
    }
    if (error) {
        log_warn("names.retry", "error=%s message=%s", march_error_text(error), reply->message ? reply->message : "");
        ev_timer_set(&names->retry, NAMES_RETRY_MS / 1000.0, 0);
        ev_timer_start(names->loop, &names->retry);
    } else if (names->phase == PHASE_DONE) {
        finish(names);
    } else {
        ask(names);
    }
}

static void ask(struct names *names) {
    static const struct pg_statement *const statements[] = {&READS_COUNTS, &READS_PLAYER_NAMES, &READS_GUILD_NAMES};
    pg_params_reset(&names->params);
    if (names->phase != PHASE_COUNTS) {
        pg_params_text(&names->params, names->after, strlen(names->after));
        pg_params_int4(&names->params, READS_NAMES_A_PAGE);
    }
    const struct pg_call call = {statements[names->phase], &names->params};
    if (pg_run(names->pg, &call, 1, PG_READ, 10 * READS_DEADLINE_MS, on_page, names) == 0) return;
    ev_timer_set(&names->retry, NAMES_RETRY_MS / 1000.0, 0);
    ev_timer_start(names->loop, &names->retry);
}

void names_start(struct names *names) {
    ask(names);
}

/* --- using */

void names_add(struct names *names, enum name_kind kind, const char *name) {
    size_t len = strlen(name);
    if (len >= READS_NAME_MAX) return;
    if (names->has_bloom) {
        add(names, kind, name, len);
    } else {
        names->missed = true;
    }
}

bool names_may_exist(const struct names *names, enum name_kind kind, const char *name) {
    size_t len = strlen(name);
    if (len == 0 || len >= READS_NAME_MAX) return false;
    if (!names->has_bloom) return true;
    char key[READS_NAME_MAX + 1];
    key[0] = (char)kind;
    memcpy(key + 1, name, len);
    return bloom_may_have(&names->bloom, key, len + 1);
}

bool names_is_complete(const struct names *names) {
    return names->has_bloom && names->bloom.complete;
}

uint32_t names_count(const struct names *names) {
    return names->has_bloom ? (uint32_t)names->bloom.added : 0;
}
