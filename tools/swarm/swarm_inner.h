/* swarm_inner.h: inside of the swarm: its state, and what swarm.c and bot.c lend each other. Nothing else includes it.
 */
#ifndef MARCH_SWARM_SWARM_INNER_H
#define MARCH_SWARM_SWARM_INNER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/histogram.h"
#include "tools/client/marchland.h"
#include "tools/swarm/continuity.h"
#include "tools/swarm/dealer.h"
#include "tools/swarm/queuer.h"
#include "tools/swarm/speech.h"
#include "tools/swarm/swarm.h"
#include "tools/swarm/wheel.h"

enum swarm_phase { SWARM_RAMP = 0, SWARM_PLAY, SWARM_LEAVE };

enum bot_state {
    BOT_IDLE = 0, /* its turn in the ramp or to retry comes when it is due */
    BOT_CONNECTING,
    BOT_PLAYING,
    BOT_GONE /* for good */
};

/* What a bot's figures are counted from. */
struct mark {
    uint64_t snapshots, bytes_up, bytes_down, packets_up, packets_down, packets_refused, snapshots_refused;
};

struct bot {
    struct march_client *client;
    enum bot_state state;
    bool connected_once;
    bool marked;
    struct mono tried; /* to connect */
    uint64_t due_us;   /* of its next look, on the monotonic clock */
    uint64_t next_thought_ms;
    uint64_t next_place_ms; /* to tell the ledger where it is */
    struct mind mind;
    struct speech speech;
    struct mark mark;
    uint32_t tries;         /* to connect */
    uint64_t respawn_at_ms; /* 0: lives */
    uint64_t entity;        /* that it was told it is; 0: never told */
    bool came_back;         /* and has not been told yet which entity it is now */
    struct addr server;     /* that its datagrams go to now */
    struct continuity_bot continuity;
};

struct swarm {
    struct swarm_options options;
    struct report *report;
    struct udp_pool *pool;
    struct wheel wheel;
    struct bot *bots;
    struct march_entity *seen; /* scratch, MARCH_ENTITIES_MAX */
    struct wire_builder *builder;
    struct market market;   /* dealers only where the behaviour deals */
    struct queuer *queuers; /* NULL but where it asks for matches */
    FILE *ledger;
    struct continuity continuity;
    uint32_t receiving; /* bot that bot_take_packet is for */
    double *rates;      /* scratch, one a bot */
    enum swarm_phase phase;
    struct mono now;
    uint64_t wall_s;
    bool ending; /* nothing more is said, and play ends when all is heard */
    struct mono begun, phase_end, next_progress, next_refresh, play_begun;
    double play_cpu_s;
    uint64_t period_us;
    uint32_t sending;      /* bot that send_packet sends for */
    uint32_t packets_made; /* by the update under way */
    uint32_t waiting;      /* bots that neither play nor are gone */
    uint32_t playing;
    struct histogram recent_rtt_ns; /* since the last progress line */
};

static inline uint64_t swarm_now_ms(const struct swarm *s) {
    return s->now.ns / NS_PER_MS;
}

static inline bool swarm_deals(const struct swarm *s) {
    return behaviour_deals(s->options.behaviour);
}

/* bot_take_gap is a march_gap_fn; the context is the swarm. */
void bot_take_gap(void *context, const struct march_gap *gap);

/* bot_give_up records the command of a bot that has none, or whose answer can no longer come. */
void bot_give_up(struct swarm *s, uint32_t index);

/* bot_look_at does what is due for a bot that came out of the wheel, and puts it back. */
void bot_look_at(struct swarm *s, uint32_t index);

/* bot_take_packet is a udp_pool_fn; the context is the swarm. */
void bot_take_packet(void *context, uint32_t index, uint8_t *packet, size_t len);

#endif
