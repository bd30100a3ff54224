/* motion.c: reports into the table and the journal; what Redis gets; entries that are dropped. */
#include "persist/motion.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/shard.h"
#include "persist/journal.h"
#include "persist/motion_state.h"

#define DEADLINE_MS_DEFAULT 10000
#define SWEEP_ENTRIES       2048 /* looked at by one update: a million entries in some ten seconds */

_Static_assert(sizeof(struct wire_player_state) == 48, "a journal record is these bytes");

int motion_create(const struct motion_config *config, struct motion **out) {
    if (config->players_max == 0 || config->players_max > MOTION_PLAYERS_MAX || config->batch_rows > MOTION_BATCH_ROWS_MAX)
        return MARCH_ERR_INVALID;
    struct motion *m = calloc(1, sizeof *m);
    if (!m) return MARCH_ERR_SYSTEM;
    m->config = *config;
    if (m->config.batch_rows == 0) m->config.batch_rows = MOTION_BATCH_ROWS;
    if (m->config.deadline_ms == 0) m->config.deadline_ms = DEADLINE_MS_DEFAULT;
    for (unsigned i = 0; i < sizeof m->params / sizeof m->params[0]; i++) pg_params_init(&m->params[i]);
    int result = motion_table_init(&m->table, config->players_max, config->seed);
    if (!result) result = motion_flush_init(m);
    if (!result) result = motion_loads_init(m);
    if (result) {
        motion_destroy(m);
        return result;
    }
    *out = m;
    return 0;
}

void motion_destroy(struct motion *m) {
    if (!m) return;
    motion_loads_deinit(m);
    motion_flush_deinit(m);
    motion_table_deinit(&m->table);
    for (unsigned i = 0; i < sizeof m->params / sizeof m->params[0]; i++) pg_params_deinit(&m->params[i]);
    free(m);
}

void motion_stop(struct motion *m) {
    if (m->is_fenced) return;
    m->is_fenced = true;
    log_error("motion.fenced", "epoch=%" PRId64, m->config.epoch);
    if (m->config.fenced) m->config.fenced(m->config.ctx);
}

/* --- reports */

bool motion_is_valid(const struct wire_player_state *state) {
    return player_id_valid(state->player) && state->session_epoch <= INT64_MAX && state->tick <= INT64_MAX &&
           state->experience <= INT64_MAX;
}

/* entry_set takes a newer state in. */
static void entry_set(struct motion *m, struct motion_entry *entry, const struct wire_player_state *state) {
    entry->state = *state;
    if (entry->epoch < state->session_epoch) entry->epoch = state->session_epoch;
    entry->known = true;
    motion_table_push(&m->table, MOTION_QUEUE_DIRTY, entry);
    if (m->config.hot) motion_table_push(&m->table, MOTION_QUEUE_HOT, entry);
}

/* journal_entry appends the entry's state; MARCH_ERR_FULL marks it as one that the journal does not have. */
static int journal_entry(struct motion *m, struct motion_entry *entry) {
    int result = journal_append(m->config.journal, MOTION_RECORD, &entry->state, sizeof entry->state, &entry->position);
    bool unjournaled = result != 0;
    m->stats.journaled += !unjournaled;
    m->stats.coalesced += unjournaled;
    m->stats.unjournaled += (uint32_t)unjournaled - (uint32_t)entry->unjournaled;
    entry->unjournaled = unjournaled;
    return result;
}

/* take_state returns 0, MARCH_ERR_FULL when the state is not in the journal, or MARCH_ERR_EXPIRED when its session is over.
 */
static int take_state(struct motion *m, const struct wire_player_state *state, uint64_t *position) {
    if (!motion_is_valid(state)) {
        m->stats.invalid++;
        return 0;
    }
    struct motion_entry *entry = motion_table_take(&m->table, state->player);
    if (!entry) {
        m->stats.refused++;
        return MARCH_ERR_FULL;
    }
    if (state->session_epoch < entry->epoch) {
        m->stats.stale_epoch++;
        return MARCH_ERR_EXPIRED;
    }
    entry->heard_s = (uint32_t)(m->now.ns / NS_PER_S);
    bool newer = motion_is_newer(entry, state->session_epoch, state->tick);
    m->stats.stale_tick += !newer;
    if (newer) entry_set(m, entry, state);
    int result = newer || entry->unjournaled ? journal_entry(m, entry) : 0;
    if (result == 0 && entry->position > *position) *position = entry->position;
    return result;
}

int motion_report(struct motion *m, const struct wire_player_state *states, uint32_t count, struct wire_player_load *stale,
                  struct motion_receipt *receipt, struct mono now) {
    m->now = now;
    *receipt = (struct motion_receipt){0};
    m->stats.reported += count;
    int outcome = 0;
    for (uint32_t i = 0; i < count; i++) {
        int result = take_state(m, &states[i], &receipt->position);
        if (result == MARCH_ERR_EXPIRED) {
            stale[receipt->stale_count++] =
                (struct wire_player_load){.player = states[i].player, .session_epoch = states[i].session_epoch};
        } else if (result) {
            outcome = result;
        }
    }
    return outcome;
}

int motion_replay(struct motion *m, uint64_t position, const uint8_t *bytes, size_t len) {
    struct wire_player_state state;
    if (len != sizeof state) return MARCH_ERR_INVALID;
    memcpy(&state, bytes, sizeof state);
    if (!motion_is_valid(&state)) return MARCH_ERR_INVALID;
    m->stats.replayed++;
    struct motion_entry *entry = motion_table_take(&m->table, state.player);
    if (!entry) { /* more players than may be here at once: some had left before the end */
        int result = motion_table_grow(&m->table);
        if (result) return result;
        entry = motion_table_take(&m->table, state.player);
        CHECK(entry != NULL);
    }
    if (!motion_is_newer(entry, state.session_epoch, state.tick)) return 0;
    entry_set(m, entry, &state);
    entry->position = position;
    return 0;
}

const struct wire_player_state *motion_find(const struct motion *m, uint64_t player) {
    const struct motion_entry *entry = motion_table_find(&m->table, player);
    return entry && entry->known ? &entry->state : NULL;
}

/* --- Redis */

static void hot_update(struct motion *m) {
    if (!m->config.hot || m->now.ns < m->hot_next.ns) return;
    m->hot_next = mono_add_ms(m->now, m->config.hot_ms);
    struct wire_player_state states[MOTION_HOT_STATES];
    struct motion_entry *entries[MOTION_HOT_STATES];
    uint32_t count, taken;
    do {
        count = 0;
        struct motion_entry *entry;
        while (count < MOTION_HOT_STATES && (entry = motion_table_pop(&m->table, MOTION_QUEUE_HOT))) {
            entries[count] = entry;
            states[count++] = entry->state;
        }
        taken = count ? m->config.hot(m->config.ctx, states, count) : 0;
        CHECK(taken <= count);
        m->stats.hot += taken;
        for (uint32_t i = taken; i < count; i++) motion_table_push(&m->table, MOTION_QUEUE_HOT, entries[i]);
    } while (count == MOTION_HOT_STATES && taken == count);
}

/* --- memory */

static bool is_droppable(const struct motion *m, const struct motion_entry *entry) {
    if (!entry->used || entry->queued[MOTION_QUEUE_DIRTY] || entry->queued[MOTION_QUEUE_HOT] || entry->flushing)
        return false;
    if (m->flush.busy && entry->flush_serial == m->flush.serial) return false; /* not known to be durable yet */
    if (entry->known && (entry->state.flags & WIRE_STATE_LEFT) && entry->epoch == entry->state.session_epoch) return true;
    return m->now.ns / NS_PER_S >= (uint64_t)entry->heard_s + MOTION_IDLE_S;
}

static void sweep(struct motion *m) {
    uint32_t count = m->table.fresh < SWEEP_ENTRIES ? m->table.fresh : SWEEP_ENTRIES;
    for (uint32_t i = 0; i < count; i++) {
        if (m->sweep >= m->table.fresh) m->sweep = 0;
        struct motion_entry *entry = &m->table.entries[m->sweep++];
        if (!is_droppable(m, entry)) continue;
        motion_table_drop(&m->table, entry);
        m->stats.evicted++;
    }
}

void motion_update(struct motion *m, struct mono now) {
    m->now = now;
    motion_loads_update(m);
    hot_update(m);
    motion_flush_update(m);
    sweep(m);
}

void motion_finish(struct motion *m, struct mono now) {
    motion_update(m, now);
    motion_flush(m, now);
}

bool motion_is_clean(const struct motion *m) {
    return m->table.queues[MOTION_QUEUE_DIRTY].count == 0 && !m->flush.busy;
}

struct motion_stats motion_stats_get(const struct motion *m) {
    struct motion_stats stats = m->stats;
    stats.players = m->table.count;
    stats.dirty = m->table.queues[MOTION_QUEUE_DIRTY].count;
    return stats;
}
