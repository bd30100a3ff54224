#include "common/bus_frame.h"

#include <lz4.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

#define VERSION             1
#define FLAG_PACKED         1u
#define FLAG_SEALED         2u
#define PACK_BYTES_MIN      256 /* below, a message is not worth the try */
#define PACK_PAUSE_MESSAGES 16  /* snapshots are dense already: after a try in vain leave the next ones alone */

_Static_assert(BUS_FRAME_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(BUS_FRAME_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(BUS_FRAME_ID_BYTES + sizeof(uint64_t) == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");

#define NONCE_OFFSET 8
#define AD_BYTES     (BUS_FRAME_HEADER_BYTES + 2 * BUS_FRAME_NAME_BYTES + BUS_FRAME_ID_BYTES)

static bool name_copy(char out[BUS_FRAME_NAME_BYTES], const char *name) {
    size_t len = strnlen(name, BUS_FRAME_NAME_BYTES);
    if (len == 0 || len == BUS_FRAME_NAME_BYTES) return false;
    memset(out, 0, BUS_FRAME_NAME_BYTES);
    memcpy(out, name, len);
    return true;
}

int bus_frame_codec_init(struct bus_frame_codec *codec, const uint8_t *key, const char *local_name, const char *peer_name,
                         size_t message_max_bytes) {
    CHECK(message_max_bytes >= BUS_FRAME_ID_BYTES && message_max_bytes <= LZ4_MAX_INPUT_SIZE);
    *codec = (struct bus_frame_codec){.sealed = key != NULL, .message_max_bytes = message_max_bytes};
    if (!name_copy(codec->local_name, local_name) || !name_copy(codec->peer_name, peer_name)) return MARCH_ERR_INVALID;
    if (memcmp(codec->local_name, codec->peer_name, BUS_FRAME_NAME_BYTES) == 0) return MARCH_ERR_INVALID;
    if (!key) return 0;
    memcpy(codec->key, key, BUS_FRAME_KEY_BYTES);
    codec->packed = malloc(message_max_bytes);
    codec->unpacked = malloc(message_max_bytes);
    if (codec->packed && codec->unpacked) return 0;
    bus_frame_codec_deinit(codec);
    return MARCH_ERR_SYSTEM;
}

void bus_frame_codec_deinit(struct bus_frame_codec *codec) {
    sodium_memzero(codec->key, sizeof codec->key);
    free(codec->packed);
    free(codec->unpacked);
    codec->packed = codec->unpacked = NULL;
}

/* associated_data lays out what a seal covers beside the body. */
static void associated_data(uint8_t out[AD_BYTES], const uint8_t *header, const char *sender, const char *receiver,
                            const struct bus_frame_id *receiver_id, enum bus_frame_type type) {
    memcpy(out, header, BUS_FRAME_HEADER_BYTES);
    memcpy(out + BUS_FRAME_HEADER_BYTES, sender, BUS_FRAME_NAME_BYTES);
    memcpy(out + BUS_FRAME_HEADER_BYTES + BUS_FRAME_NAME_BYTES, receiver, BUS_FRAME_NAME_BYTES);
    uint8_t *id = out + BUS_FRAME_HEADER_BYTES + 2 * BUS_FRAME_NAME_BYTES;
    if (type == BUS_FRAME_GREETING) {
        memset(id, 0, BUS_FRAME_ID_BYTES);
    } else {
        memcpy(id, receiver_id->bytes, BUS_FRAME_ID_BYTES);
    }
}

/* pack compresses a message into the codec's buffer where it saves an eighth or more; returns the packed length or 0. */
static size_t pack(struct bus_frame_codec *codec, const void *message, size_t len) {
    if (len < PACK_BYTES_MIN) return 0;
    if (codec->pack_pause > 0) {
        codec->pack_pause--;
        return 0;
    }
    int packed_len = LZ4_compress_default(message, (char *)codec->packed, (int)len, (int)(len - len / 8));
    if (packed_len <= 0) codec->pack_pause = PACK_PAUSE_MESSAGES;
    return packed_len > 0 ? (size_t)packed_len : 0;
}

static void write_header(uint8_t *out, const struct bus_frame_header *header, uint8_t flags, size_t len) {
    out[0] = VERSION;
    out[1] = (uint8_t)header->type;
    out[2] = flags;
    out[3] = 0;
    store_le(out + 4, len, 4);
    memcpy(out + 8, header->sender.bytes, BUS_FRAME_ID_BYTES);
    store_le(out + 24, header->seq, 8);
}

size_t bus_frame_seal(struct bus_frame_codec *codec, const struct bus_frame_header *header,
                      const struct bus_frame_id *receiver, const void *message, size_t len, uint8_t *out) {
    CHECK(len <= codec->message_max_bytes);
    uint8_t *body = out + BUS_FRAME_HEADER_BYTES;
    if (!codec->sealed) {
        write_header(out, header, 0, len);
        if (len > 0) memcpy(body, message, len);
        return BUS_FRAME_HEADER_BYTES + len;
    }
    size_t packed_len = pack(codec, message, len);
    write_header(out, header, (uint8_t)(FLAG_SEALED | (packed_len > 0 ? FLAG_PACKED : 0)), len);
    uint8_t ad[AD_BYTES];
    associated_data(ad, out, codec->local_name, codec->peer_name, receiver, header->type);
    unsigned long long body_len = 0;
    crypto_aead_xchacha20poly1305_ietf_encrypt(body, &body_len, packed_len > 0 ? codec->packed : message,
                                               packed_len > 0 ? packed_len : len, ad, sizeof ad, NULL, out + NONCE_OFFSET,
                                               codec->key);
    return BUS_FRAME_HEADER_BYTES + (size_t)body_len;
}

int bus_frame_read_header(const struct bus_frame_codec *codec, const uint8_t *frame, size_t len,
                          struct bus_frame_header *header) {
    size_t overhead = codec->sealed ? BUS_FRAME_OVERHEAD_BYTES : BUS_FRAME_HEADER_BYTES;
    if (len < overhead || frame[0] != VERSION || frame[3] != 0) return MARCH_ERR_INVALID;
    if (frame[1] < BUS_FRAME_GREETING || frame[1] > BUS_FRAME_KEEP_ALIVE) return MARCH_ERR_INVALID;
    header->type = (enum bus_frame_type)frame[1];
    header->packed = frame[2] & FLAG_PACKED;
    header->sealed = frame[2] & FLAG_SEALED;
    header->len = (uint32_t)load_le(frame + 4, 4);
    memcpy(header->sender.bytes, frame + 8, BUS_FRAME_ID_BYTES);
    header->seq = load_le(frame + 24, 8);
    size_t body_len = len - overhead;
    if ((frame[2] & ~(FLAG_PACKED | FLAG_SEALED)) != 0 || header->sealed != codec->sealed) return MARCH_ERR_INVALID;
    if (header->len > codec->message_max_bytes || header->seq == 0) return MARCH_ERR_INVALID;
    if (header->packed ? !codec->sealed || body_len == 0 || body_len >= header->len : body_len != header->len)
        return MARCH_ERR_INVALID;
    size_t expected = header->type == BUS_FRAME_GREETING ? BUS_FRAME_ID_BYTES : 0;
    if (header->type != BUS_FRAME_MESSAGE ? header->len != expected : header->len == 0) return MARCH_ERR_INVALID;
    return 0;
}

int bus_frame_open(struct bus_frame_codec *codec, const struct bus_frame_header *header, const struct bus_frame_id *receiver,
                   uint8_t *frame, size_t len, const uint8_t **message) {
    uint8_t *body = frame + BUS_FRAME_HEADER_BYTES;
    *message = body;
    if (!codec->sealed) return 0;
    uint8_t ad[AD_BYTES];
    associated_data(ad, frame, codec->peer_name, codec->local_name, receiver, header->type);
    unsigned long long body_len = 0;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(body, &body_len, NULL, body, len - BUS_FRAME_HEADER_BYTES, ad, sizeof ad,
                                                   frame + NONCE_OFFSET, codec->key) != 0)
        return MARCH_ERR_CRYPTO;
    if (!header->packed) return 0;
    int unpacked = LZ4_decompress_safe((const char *)body, (char *)codec->unpacked, (int)body_len, (int)header->len);
    if (unpacked < 0 || (uint32_t)unpacked != header->len) return MARCH_ERR_INVALID;
    *message = codec->unpacked;
    return 0;
}
