/* admission.h: which players may be on this gateway, and what they ask of things of value: the gateway's half of persist's
 * sessions.
 *
 *   connected ──► claim to the player's persist ──► claimed: epoch and place ──► its zone, or that place's: WAITING
 *                    │  again while persist is away or undecided                    │ kept: told again every 10 s, and
 *                    └─ token used, refused, or ADMISSION_WAIT_MS over: ended       │ whenever persist is back
 *                                                                        another session of the player began: ended
 *
 * While persist is away those who play go on. What they ask for is answered UNAVAILABLE at once. Commands go to persist as
 * they are, and never to a zone; ADMISSION_COMMANDS_PER_S of a session, ADMISSION_COMMANDS_BURST at once, others are
 * answered BUSY. In a cluster without persist every client is let in, and commands are answered DISABLED.
 */
#ifndef MARCH_GATEWAY_ADMISSION_H
#define MARCH_GATEWAY_ADMISSION_H

#include "gateway/gateway.h"

#define ADMISSION_WAIT_MS        10000 /* for persist's answer to a claim, its absence included */
#define ADMISSION_AGAIN_MS       500   /* after an answer of "not now" */
#define ADMISSION_WALK_MS        20    /* between two looks at the sessions that wait */
#define ADMISSION_REFRESH_MS     10000 /* in which each session is told once; persist forgets after three times that */
#define ADMISSION_STEP_MS        100   /* a hundredth of them at a time */
#define ADMISSION_FLUSH_MS       2     /* between two messages to one persist */
#define ADMISSION_COMMANDS_PER_S 20
#define ADMISSION_COMMANDS_BURST 40

/* What a session that waits for persist's answer needs for its claim. */
struct admission_claim {
    uint64_t token_lo, token_hi; /* the token's name: the MAC of its sealed part */
    uint64_t token_expires_s;
    uint64_t since_ns, ask_at_ns;
    bool asked;
};

/* admission_begin claims a session that was just opened in state CLAIMING. */
void admission_begin(struct gateway *gateway, struct session *session, const struct netcode_event *event);

/* admission_end tells persist that a session is no more; call it before session_close. */
void admission_end(struct gateway *gateway, const struct session *session);

/* admission_command takes a message of a client; returns false when it is not a command, and so is the zone's. */
bool admission_command(struct gateway *gateway, struct session *session, const uint8_t *bytes, size_t len);

/* admission_allows counts what a session asks of persist or the matchmaker; false where it asks too often. */
bool admission_allows(const struct gateway *gateway, struct session *session);

/* admission_update does what time asks for: each turn. */
void admission_update(struct gateway *gateway);

/* admission_flush sends what waits, at most every ADMISSION_FLUSH_MS; admission_sleep_ns returns how long that may wait. */
void admission_flush(struct gateway *gateway, bool now);
uint64_t admission_sleep_ns(const struct gateway *gateway, uint64_t sleep_ns);

/* admission_goodbye tells a client why its session ends, where it can still be sealed, and ends it. */
void admission_goodbye(struct gateway *gateway, struct session *session, enum wire_end_reason reason, enum session_end end);

/* The handlers of the keepers; `context` is the gateway. */
void admission_persist_up(void *context, unsigned shard);
void admission_persist_lost(void *context, unsigned shard);
void admission_persist_sessions(void *context, unsigned shard, const struct wire_persist_sessions *sessions);
void admission_unanswered(void *context, uint64_t session, uint64_t key);

#endif
