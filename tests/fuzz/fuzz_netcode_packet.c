/* fuzz_netcode_packet.c: packets from outside. Raw bytes never open or crash; what is sealed opens to the same. */
#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/netcode_packet.h"

static const uint8_t key[NETCODE_KEY_BYTES] = {7};

static void try_raw(const struct netcode_protocol *protocol, const uint8_t *data, size_t len) {
    uint8_t packet[NETCODE_PACKET_MAX + 64];
    if (len > sizeof(packet)) len = sizeof(packet);
    memcpy(packet, data, len);
    struct netcode_header header;
    if (netcode_header_parse(&header, packet, len) == 0) {
        CHECK(header.data_offset + header.data_len + NETCODE_MAC_BYTES == len);
        CHECK(netcode_packet_open(protocol, key, &header, packet) == MARCH_ERR_CRYPTO);
    }
    struct netcode_request request;
    if (netcode_request_parse(&request, protocol, packet, len) == 0) CHECK(len == NETCODE_REQUEST_BYTES);
}

static void round_trip(const struct netcode_protocol *protocol, const uint8_t *data, size_t len) {
    uint8_t buf[NETCODE_PACKET_MAX], *packet;
    if (len < 11 || len - 9 > NETCODE_PAYLOAD_MAX) return;
    uint64_t sequence = load_le(data, 8) >> (data[8] & 63);
    if (sequence == NETCODE_SEQUENCE_NEVER) return;
    data += 9, len -= 9;
    memcpy(buf + NETCODE_HEADROOM, data, len);
    size_t packet_len = netcode_packet_seal(protocol, NETCODE_PAYLOAD, sequence, key, buf + NETCODE_HEADROOM, len, &packet);
    struct netcode_header header;
    CHECK(packet >= buf && packet + packet_len <= buf + sizeof(buf));
    CHECK(netcode_header_parse(&header, packet, packet_len) == 0);
    CHECK(header.type == NETCODE_PAYLOAD && header.sequence == sequence && header.data_len == len);
    CHECK(header.data_offset == 2 || packet[header.data_offset - 1] != 0); /* no high zero bytes in the sequence */
    CHECK(netcode_packet_open(protocol, key, &header, packet) == 0);
    CHECK(memcmp(packet + header.data_offset, data, len) == 0);
}

/* Each byte moves the sequence; the window must agree with what was marked, near zero as near the top. */
static void replay(const uint8_t *data, size_t len, uint64_t base) {
    struct replay_window w = {0};
    uint64_t marked[64], newest = 0;
    size_t count = 0;
    for (size_t i = 0; i < len && count < 64; i++) {
        uint64_t sequence = base + (uint64_t)data[i] * (data[i] & 1 ? 1 : 3);
        if (sequence < base || sequence == NETCODE_SEQUENCE_NEVER) continue;
        bool seen = count > 0 && newest >= NETCODE_REPLAY_WINDOW && sequence <= newest - NETCODE_REPLAY_WINDOW;
        for (size_t k = 0; k < count; k++) seen |= marked[k] == sequence;
        CHECK(replay_window_seen(&w, sequence) == seen);
        if (seen) continue;
        replay_window_advance(&w, sequence);
        marked[count++] = sequence;
        if (sequence > newest) newest = sequence;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct netcode_protocol protocol;
    CHECK(sodium_init() >= 0);
    netcode_protocol_init(&protocol, 77);
    try_raw(&protocol, data, len);
    round_trip(&protocol, data, len);
    replay(data, len, 0);
    replay(data, len, UINT64_MAX - 700);
    return 0;
}
