"""As much of netcode 1.02 as a stranger needs: requests out of connect tokens, and sockets that count. No cryptography."""

import base64
import contextlib
import socket
import struct

from conftest import wait_until

TOKEN = struct.Struct("<13sQQQ24s1024s")  # version, protocol, created, expires, nonce, sealed; the rest is the client's
REQUEST = struct.Struct("<B13sQQ24s1024s")
DROPS = 'march_gateway_drops_total{reason="'


def mint(cluster, player, *args, run_dir=None):
    """A connect token from `zonectl token`, of the cluster's run directory or another."""
    options = ["--run-dir", run_dir] if run_dir else []
    result = cluster.zonectl("token", "--player", player, *args, *options)
    assert result.returncode == 0, result.stderr
    return base64.b64decode(result.stdout)


def expiry_of(token):
    return TOKEN.unpack_from(token)[3]


def request_of(token, protocol=None, expire_s=None):
    """The request packet of a token; protocol and expire_s replace what it says in clear."""
    version, own_protocol, _, own_expire_s, nonce, sealed = TOKEN.unpack_from(token)
    return REQUEST.pack(0, version, protocol or own_protocol, expire_s or own_expire_s, nonce, sealed)


def drops(cluster):
    """The gateway's counters of dropped packets by reason, and those too long for any packet as "truncated"."""
    metrics = cluster.metrics("gateway-0")
    counts = {series[len(DROPS):-2]: int(value) for series, value in metrics.items() if series.startswith(DROPS)}
    return counts | {"truncated": int(metrics["march_gateway_datagrams_truncated_total"])}


@contextlib.contextmanager
def expect_drops(cluster, counts):
    """The block makes these counters rise at least so far: {reason: count}."""
    before = drops(cluster)
    yield
    def risen():
        now = drops(cluster)
        return all(now[reason] - before[reason] >= count for reason, count in counts.items())
    try:
        wait_until(risen, f"drops {counts}")
    except AssertionError as error:
        now = drops(cluster)
        raise AssertionError(f"{error}; rose: { {k: v - before[k] for k, v in now.items() if v != before[k]} }") from None


class Stranger:
    """A socket of somebody who never showed that he owns his address. Counts bytes, out and back."""

    def __init__(self, gateway, source=None):
        self.gateway = gateway
        self.sent = self.received = 0
        family = socket.AF_INET6 if ":" in gateway[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((source or ("::1" if family == socket.AF_INET6 else "127.0.0.1"), 0))
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendto(data, self.gateway)
        self.sent += len(data)

    def received_bytes(self):
        """All that came back so far. Answers are sent before counters are told, so await these first."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.received += len(self.socket.recv(65536))
        return self.received
