"""Bad packets of every kind against a gateway with live bots: each is counted under its reason, an address that showed
nothing gets no more bytes than it sent, and the bots notice nothing."""

import collections
import contextlib
import os
import random
import time

import pytest
from conftest import Bots, Cluster, edited, need, wait_until
from fault_proxy import Faults, FaultProxy
from netcode import REQUEST, Stranger, drops, expect_drops, expiry_of, mint, request_of

CHUNK = 2000  # datagrams sent before the gateway has to be through with them: its socket's buffer holds so many
NETWORK_PER_S = 500
NETWORK_BURST = 1000
PACKET_MIN, PACKET_MAX = 18, 1225
DATAGRAM_MAX = 65507  # that IPv4 carries
REQUEST_TYPE, RESPONSE, KEEP_ALIVE, PAYLOAD = 0, 3, 4, 5
PLAYERS = 1000  # the first bot is player 1001
REPEATS = 3


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A cluster that limits networks as on the open internet; the bots have one each."""
    need("zonectl", "gateway", "zone", "swarm")
    path = tmp_path_factory.mktemp("hostile")
    config = edited(path, ("prefix_packets_per_s: 1000000", f"prefix_packets_per_s: {NETWORK_PER_S}"),
                    ("prefix_burst: 1000000", f"prefix_burst: {NETWORK_BURST}"))
    cluster = Cluster(path / "run", config=config).up()
    yield cluster
    cluster.tear_down()


@pytest.fixture(autouse=True)
def bots(hostile):
    """They play while a test does its worst, and must not notice."""
    with Bots(hostile, 20, "--players", PLAYERS) as bots:
        yield bots
    bots.assert_unharmed()


@contextlib.contextmanager
def strangers(cluster, sources):
    with contextlib.ExitStack() as stack:
        gateway = cluster.addresses()[0]
        yield [stack.enter_context(Stranger(gateway, source)) for source in sources]


def networks(count):
    """Addresses of so many different networks."""
    return [f"127.{100 + i // 250}.{1 + i % 250}.7" for i in range(count)]



def forged_request(rng, cluster):
    """All in order but the seal."""
    token = mint(cluster, 1)
    return lambda: request_of(token)[:-1024] + rng.randbytes(1024)


# --- floods


def test_noise_from_many_networks_gets_no_answer(hostile):
    rng = random.Random(1)
    with strangers(hostile, networks(250)) as senders:
        for _ in range(3):
            noise = [rng.randbytes(rng.randrange(1, PACKET_MAX)) for _ in range(CHUNK)]
            requests = sum(data[0] == REQUEST_TYPE for data in noise)
            with expect_drops(hostile, {"malformed": requests, "unknown_addr": CHUNK - requests}):
                for data in noise:
                    rng.choice(senders).send(data)
        assert sum(sender.received_bytes() for sender in senders) == 0


def test_empty_and_oversize_datagrams_are_counted(hostile):
    with strangers(hostile, networks(1)) as [sender]:
        long = [bytes([first]) + bytes(size - 1) for first in (REQUEST_TYPE, PAYLOAD) for size in (PACKET_MAX + 1, 1300)]
        jumbo = [bytes(size) for size in (1600, 9000, DATAGRAM_MAX)]
        with expect_drops(hostile, {"empty": REPEATS, "malformed": 2 * REPEATS, "unknown_addr": 2 * REPEATS,
                                    "truncated": 3 * REPEATS}):
            for data in REPEATS * [b"", *long, *jumbo]:
                sender.send(data)
        assert sender.received_bytes() == 0


def test_forged_requests_from_one_network_are_limited(hostile):
    forge = forged_request(random.Random(2), hostile)
    before = drops(hostile)
    begun = time.monotonic()
    with strangers(hostile, [f"127.99.99.{i}" for i in range(1, 251)]) as senders:
        for _ in range(8):
            for sender in senders:
                sender.send(forge())
        rose = lambda reason: drops(hostile)[reason] - before[reason]
        wait_until(lambda: rose("token_crypto") + rose("network_rate") == 8 * len(senders), "all were refused")
        assert rose("token_crypto") <= NETWORK_BURST + NETWORK_PER_S * (time.monotonic() - begun)
        assert rose("network_rate") > 0
        assert sum(sender.received_bytes() for sender in senders) == 0


def test_forged_requests_from_many_networks_are_refused(hostile):
    forge = forged_request(random.Random(3), hostile)
    with strangers(hostile, networks(500)) as senders:
        with expect_drops(hostile, {"token_crypto": 4 * len(senders)}):
            for sender in 4 * senders:
                sender.send(forge())
        assert sum(sender.received_bytes() for sender in senders) == 0


# --- tokens


def other_run_dir(cluster, path, name, content):
    """A run directory for `zonectl token` that is the cluster's but for one file."""
    path.mkdir()
    for same in {"cluster.yaml", "connect.key", "gateway-0.udp"} - {name}:
        (path / same).symlink_to((cluster.run_dir / same).resolve())
    (path / name).write_bytes(content)
    (path / name).chmod(0o600)
    os.utime(path / name, (0, 0))  # not as new as a gateway that has just started
    return path


def bad_requests(cluster, tmp_path):
    """(reason, request) of every kind."""
    rng = random.Random(4)
    good = mint(cluster, 1)
    expiry = expiry_of(good)
    other_key = other_run_dir(cluster, tmp_path / "key", "connect.key", rng.randbytes(32))
    yaml = cluster.config.read_bytes().replace(b"0x4d61726368000001", b"0x4d61726368000002")
    other_protocol = other_run_dir(cluster, tmp_path / "protocol", "cluster.yaml", yaml)
    other_server = other_run_dir(cluster, tmp_path / "server", "gateway-0.udp", b"127.0.0.1:9\n")
    stranger = mint(cluster, 1, run_dir=other_protocol)
    own_protocol = int.from_bytes(good[13:21], "little")
    short = mint(cluster, 1, "--ttl", 1)
    yield "token_crypto", request_of(mint(cluster, 1, run_dir=other_key))
    yield "token_crypto", request_of(stranger, protocol=own_protocol)
    yield "token_crypto", request_of(good, expire_s=expiry - 1)
    yield "token_crypto", request_of(good)[:-1] + bytes([request_of(good)[-1] ^ 1])
    yield "malformed", request_of(stranger)
    yield "malformed", request_of(good)[:-1]
    yield "malformed", request_of(good) + b"\0"
    yield "malformed", b"\0NETCODE 1.01\0" + request_of(good)[14:]
    yield "token_early", request_of(mint(cluster, 1, "--ttl", 3600))
    yield "token_early", request_of(good, expire_s=2**64 - 1)
    yield "token_other_server", request_of(mint(cluster, 1, run_dir=other_server))
    yield "client_connected", request_of(mint(cluster, PLAYERS + 1))
    wait_until(lambda: time.time() >= expiry_of(short), "the short token expires")
    yield "token_expired", request_of(short)
    yield "token_expired", request_of(good, expire_s=1)


def test_bad_tokens_are_refused_each_by_its_reason(hostile, tmp_path):
    requests = list(bad_requests(hostile, tmp_path))
    assert all(len(request) in range(REQUEST.size - 1, REQUEST.size + 2) for _, request in requests)
    counts = collections.Counter(reason for reason, _ in REPEATS * requests)
    with strangers(hostile, networks(len(requests))) as senders:
        with expect_drops(hostile, counts):
            for sender, (_, request) in zip(senders, requests):
                for _ in range(REPEATS):
                    sender.send(request)
        assert [sender.received_bytes() for sender in senders] == [0] * len(senders)


def test_token_admits_one_address_and_answers_stay_smaller(hostile):
    request = request_of(mint(hostile, 1))
    first, *others = [*networks(3), networks(1)[0]]  # the last is the first with another port
    with strangers(hostile, [first, *others]) as [owner, *thieves]:
        for _ in range(20):
            owner.send(request)
        wait_until(lambda: owner.received_bytes() > 0, "a challenge")
        with expect_drops(hostile, {"token_used": REPEATS * len(thieves)}):
            for thief in REPEATS * thieves:
                thief.send(request)
        rng = random.Random(5)
        with expect_drops(hostile, {"crypto": REPEATS, "wrong_type": REPEATS, "malformed": REPEATS}):
            for _ in range(REPEATS):
                owner.send(bytes([0x10 | RESPONSE, 0]) + rng.randbytes(324))
                owner.send(bytes([0x10 | PAYLOAD, 0]) + rng.randbytes(100))
                owner.send(bytes([0x10 | RESPONSE, 0]) + rng.randbytes(15))
        assert 0 < owner.received_bytes() <= owner.sent
        assert sum(thief.received_bytes() for thief in thieves) == 0


# --- packets of live sessions


class Eavesdropper(FaultProxy):
    """Between bots and the gateway, without faults. Its sockets have the very addresses of the bots' sessions."""

    def __init__(self, cluster):
        super().__init__(cluster.addresses()[0], Faults())
        self.kept = collections.defaultdict(list)  # by socket
        self.tap = lambda data, back: self.kept[back].append(data)

    def server(self):
        return f"{self.address[0]}:{self.address[1]}"

    def take(self, count):
        """(socket, packets) of every session that has sent so many payloads."""
        def payloads(packets):
            return [packet for packet in packets if packet[0] & 15 == PAYLOAD]
        wait_until(lambda: all(len(payloads(list(packets))) >= count for packets in list(self.kept.values())), "packets")
        return [(back, list(packets)) for back, packets in self.kept.items()]


def test_replayed_cut_and_forged_packets_of_a_session_are_refused(hostile):
    rng = random.Random(6)
    with Eavesdropper(hostile) as proxy, Bots(hostile, 5, "--server", proxy.server()) as victims:
        kept = [(back, packet) for back, packets in proxy.take(20) for packet in packets]
        payloads = [(back, packet) for back, packet in kept if packet[0] & 15 == PAYLOAD]
        handshake = [(back, packet) for back, packet in kept if packet[0] & 15 in (REQUEST_TYPE, RESPONSE)]
        with expect_drops(hostile, {"replay": 2 * len(payloads), "malformed": len(payloads)}):
            for back, packet in payloads:
                back.send(packet)
                back.send(packet[:-rng.randrange(1, 7)])
                back.send(packet[:rng.randrange(1, PACKET_MIN)])
        with expect_drops(hostile, {"addr_connected": len(handshake)}):
            for back, packet in handshake:
                back.send(packet)
        with expect_drops(hostile, {"crypto": len(payloads)}):
            for back, packet in payloads:  # with numbers that are to come
                back.send(bytes([0x80 | PAYLOAD]) + rng.randbytes(7) + b"\0" + packet[2:])
    victims.assert_unharmed()


def test_flipped_copies_before_each_packet_harm_nothing(hostile):
    rng = random.Random(7)
    copies = 20
    forged = 0
    with Eavesdropper(hostile) as proxy:
        def forge(data, back):
            nonlocal forged
            if data[0] & 15 != PAYLOAD:
                return
            for _ in range(copies):
                back.send(data[:-1] + bytes([data[-1] ^ rng.randrange(1, 256)]))
            forged += copies

        before = drops(hostile)
        with Bots(hostile, 5, "--server", proxy.server()) as victims:
            proxy.tap = forge
            wait_until(lambda: drops(hostile)["crypto"] - before["crypto"] > 5000, "forged packets")
            proxy.tap = None
        after = drops(hostile)
        assert after["crypto"] - before["crypto"] <= forged
        assert after["forged_budget"] == before["forged_budget"]  # so each real packet was tried
    victims.assert_unharmed()


def test_packets_of_a_session_from_other_addresses_are_refused(hostile):
    with Eavesdropper(hostile) as proxy, Bots(hostile, 5, "--server", proxy.server()) as victims:
        packets = [packet for _, packets in proxy.take(20) for packet in packets]
        kinds = collections.Counter("token_used" if packet[0] == REQUEST_TYPE else "unknown_addr" for packet in packets)
        assert kinds["token_used"] >= 5 and kinds["unknown_addr"] >= 100
        with strangers(hostile, networks(50)) as senders:
            with expect_drops(hostile, kinds):
                for i, packet in enumerate(packets):
                    senders[i % len(senders)].send(packet)
            assert sum(sender.received_bytes() for sender in senders) == 0
    victims.assert_unharmed()
