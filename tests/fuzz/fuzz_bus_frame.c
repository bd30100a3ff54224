/* fuzz_bus_frame.c: frames between processes. Raw bytes never open a sealed session; frames that are sealed rightly but hold
 * anything stay in bounds; what is sealed opens to the same, once, and not after a change. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_session.h"
#include "common/bytes.h"
#include "common/check.h"

#define MESSAGE_MAX 4096
#define FRAME_MAX   (2 * MESSAGE_MAX + BUS_FRAME_OVERHEAD_BYTES)

static const uint8_t key[BUS_FRAME_KEY_BYTES] = {9};

struct end {
    struct bus_frame_codec codec;
    struct bus_session session;
};
static struct end ends[2][2]; /* plain and sealed; two ends each */

static int receive(struct end *end, const uint8_t *frame, size_t frame_len, const uint8_t **message, size_t *len) {
    static uint8_t *copy; /* of its own size, for the sanitizer; kept until the next for `message` */
    free(copy);
    copy = malloc(frame_len + 1);
    memcpy(copy, frame, frame_len);
    return bus_session_receive(&end->session, copy, frame_len, message, len);
}

/* connect opens a session between two ends. */
static void connect_ends(struct end *a, struct end *b) {
    const uint8_t *message;
    size_t len;
    bus_session_restart(&a->session, true);
    bus_session_restart(&b->session, true);
    while (a->session.greeting_due || b->session.greeting_due) {
        uint8_t frame[BUS_FRAME_ID_BYTES + BUS_FRAME_OVERHEAD_BYTES];
        struct end *from = a->session.greeting_due ? a : b, *to = from == a ? b : a;
        size_t frame_len = bus_session_greet(&from->session, frame);
        CHECK(receive(to, frame, frame_len, &message, &len) == MARCH_ERR_EMPTY);
    }
    CHECK(a->session.open && b->session.open);
}

static void init(void) {
    CHECK(sodium_init() >= 0);
    for (int sealed = 0; sealed < 2; sealed++) {
        for (int i = 0; i < 2; i++) {
            struct end *end = &ends[sealed][i];
            CHECK(!bus_frame_codec_init(&end->codec, sealed ? key : NULL, i ? "b" : "a", i ? "a" : "b", MESSAGE_MAX));
            bus_session_init(&end->session, &end->codec);
        }
        connect_ends(&ends[sealed][0], &ends[sealed][1]);
    }
}

static void try_raw(const uint8_t *data, size_t len) {
    const uint8_t *message;
    size_t message_len = 0;
    CHECK(receive(&ends[1][1], data, len, &message, &message_len) < 0);
    CHECK(ends[1][1].session.open);
    if (receive(&ends[0][1], data, len, &message, &message_len) == 0)
        CHECK(message_len <= MESSAGE_MAX && message_len <= len);
    connect_ends(&ends[0][0], &ends[0][1]);
}

/* try_sealed wraps anything in a good seal: the body is data, and the header says what data's first bytes say. */
static void try_sealed(const uint8_t *data, size_t len) {
    if (len < 4 || len - 4 > MESSAGE_MAX) return;
    struct end *a = &ends[1][0], *b = &ends[1][1];
    uint8_t frame[FRAME_MAX] = {1, (uint8_t)(data[0] % 5), (uint8_t)(data[1] % 4), 0};
    store_le(frame + 4, load_le(data + 2, 2) % (MESSAGE_MAX + 2), 4);
    memcpy(frame + 8, a->session.own_id.bytes, BUS_FRAME_ID_BYTES);
    store_le(frame + 24, a->session.next_seq++, 8);
    uint8_t ad[BUS_FRAME_HEADER_BYTES + 2 * BUS_FRAME_NAME_BYTES + BUS_FRAME_ID_BYTES] = {0};
    memcpy(ad, frame, BUS_FRAME_HEADER_BYTES);
    ad[BUS_FRAME_HEADER_BYTES] = 'a';
    ad[BUS_FRAME_HEADER_BYTES + BUS_FRAME_NAME_BYTES] = 'b';
    if (frame[1] != BUS_FRAME_GREETING)
        memcpy(ad + BUS_FRAME_HEADER_BYTES + 2 * BUS_FRAME_NAME_BYTES, b->session.own_id.bytes, BUS_FRAME_ID_BYTES);
    unsigned long long body_len = 0;
    crypto_aead_xchacha20poly1305_ietf_encrypt(frame + BUS_FRAME_HEADER_BYTES, &body_len, data + 4, len - 4, ad, sizeof ad,
                                               NULL, frame + 8, key);
    const uint8_t *message;
    size_t message_len = 0;
    int error = receive(b, frame, BUS_FRAME_HEADER_BYTES + (size_t)body_len, &message, &message_len);
    CHECK(error != MARCH_ERR_CRYPTO);
    if (error == 0) CHECK(message_len >= 1 && message_len <= MESSAGE_MAX);
}

static void try_round_trip(const uint8_t *data, size_t len, int sealed) {
    if (len == 0 || len > MESSAGE_MAX) return;
    struct end *a = &ends[sealed][0], *b = &ends[sealed][1];
    uint8_t frame[FRAME_MAX];
    size_t frame_len = bus_session_seal(&a->session, data, len, frame);
    CHECK(frame_len <= len + BUS_FRAME_OVERHEAD_BYTES);
    const uint8_t *message;
    size_t message_len = 0;
    if (sealed) {
        size_t at = (data[0] * 257u + data[len - 1]) % frame_len;
        frame[at] ^= 0x10;
        CHECK(receive(b, frame, frame_len, &message, &message_len) < 0);
        frame[at] ^= 0x10;
        CHECK(receive(a, frame, frame_len, &message, &message_len) < 0); /* reflected */
    }
    CHECK(receive(b, frame, frame_len, &message, &message_len) == 0);
    CHECK(message_len == len && memcmp(message, data, len) == 0);
    CHECK(receive(b, frame, frame_len, &message, &message_len) == MARCH_ERR_REPLAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!ends[0][0].codec.message_max_bytes) init();
    if (len > FRAME_MAX) return 0;
    try_raw(data, len);
    try_sealed(data, len);
    try_round_trip(data, len, 0);
    try_round_trip(data, len, 1);
    return 0;
}
