"""A seeded UDP fault proxy: loss, delay, reordering, duplication and bit flips between clients and a gateway.

Every client address gets its own upstream socket, so the gateway sees as many peers as there are clients. One thread, one
selector, a heap of delayed datagrams. Run it by hand with `python3 tests/system/fault_proxy.py --help`.
"""

import argparse
import dataclasses
import heapq
import itertools
import random
import selectors
import socket
import threading
import time

CLIENTS_MAX = 4096  # a new client beyond this is ignored: one socket each
DELAYED_MAX = 65536  # datagrams held back at once; more are dropped, and counted


@dataclasses.dataclass
class Faults:
    """Probabilities are per datagram, from 0 to 1; delays in seconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    flip: float = 0.0
    reorder: float = 0.0  # held back by reorder_s, so that later ones overtake it
    reorder_s: float = 0.05
    delay_s: float = 0.0
    jitter_s: float = 0.0


class FaultProxy:
    """Forwards between clients and `upstream` (host, port); `address` is where clients send. Use it as a context manager."""

    def __init__(self, upstream, faults, seed=1):
        self.upstream = upstream
        self.faults = faults
        self.random = random.Random(seed)
        self.counts = dict.fromkeys(("forwarded", "lost", "duplicated", "flipped", "reordered", "refused"), 0)
        family = socket.AF_INET6 if ":" in upstream[0] else socket.AF_INET
        self.front = socket.socket(family, socket.SOCK_DGRAM)
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.front.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.front.setblocking(False)
        self.address = self.front.getsockname()[:2]
        self.backs = {}  # client address -> its socket towards the gateway
        self.tap = None  # called with each datagram of a client and the socket that it leaves by, before faults
        self.delayed = []
        self.order = itertools.count()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.front, selectors.EVENT_READ, None)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, name="fault-proxy")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.selector.close()
        for sock in (self.front, *self.backs.values()):
            sock.close()

    def run(self):
        while not self.stopping.is_set():
            for key, _ in self.selector.select(self.wait_s()):
                self.drain(key.fileobj, key.data)
            self.release(time.monotonic())

    def wait_s(self):
        return min(0.05, max(0.0, self.delayed[0][0] - time.monotonic())) if self.delayed else 0.05

    def drain(self, sock, client):
        """Reads what waits on a socket; `client` is None for the front and the client's address for a back socket."""
        for _ in range(256):
            try:
                data, peer = sock.recvfrom(2048)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if client is not None:
                self.impair(data, self.front, client)
            elif back := self.back_of(peer):
                if self.tap:
                    self.tap(data, back)
                self.impair(data, back, None)

    def back_of(self, client):
        if client not in self.backs:
            if len(self.backs) == CLIENTS_MAX:
                self.counts["refused"] += 1
                return None
            back = socket.socket(self.front.family, socket.SOCK_DGRAM)
            back.setblocking(False)
            back.connect(self.upstream)
            self.selector.register(back, selectors.EVENT_READ, client)
            self.backs[client] = back
        return self.backs[client]

    def impair(self, data, sock, to):
        faults, rng = self.faults, self.random
        if rng.random() < faults.loss:
            self.counts["lost"] += 1
            return
        copies = 1
        if rng.random() < faults.duplicate:
            self.counts["duplicated"] += 1
            copies = 2
        if data and rng.random() < faults.flip:
            self.counts["flipped"] += 1
            at = rng.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        for _ in range(copies):
            wait_s = faults.delay_s + rng.random() * faults.jitter_s
            if rng.random() < faults.reorder:
                self.counts["reordered"] += 1
                wait_s += faults.reorder_s
            self.send_after(wait_s, data, sock, to)

    def send_after(self, wait_s, data, sock, to):
        if wait_s == 0:
            self.send(data, sock, to)
        elif len(self.delayed) < DELAYED_MAX:
            heapq.heappush(self.delayed, (time.monotonic() + wait_s, next(self.order), data, sock, to))
        else:
            self.counts["lost"] += 1

    def release(self, now):
        while self.delayed and self.delayed[0][0] <= now:
            _, _, data, sock, to = heapq.heappop(self.delayed)
            self.send(data, sock, to)

    def send(self, data, sock, to):
        try:
            if to is None:
                sock.send(data)
            else:
                sock.sendto(data, to)
            self.counts["forwarded"] += 1
        except (BlockingIOError, ConnectionRefusedError):
            self.counts["lost"] += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("upstream", help="the gateway's address, HOST:PORT")
    parser.add_argument("--seed", type=int, default=1)
    for field in dataclasses.fields(Faults):
        parser.add_argument("--" + field.name.replace("_", "-"), type=float, default=field.default)
    args = parser.parse_args()
    host, port = args.upstream.rsplit(":", 1)
    faults = Faults(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Faults)})
    with FaultProxy((host.strip("[]"), int(port)), faults, args.seed) as proxy:
        print(f"listening on {proxy.address[0]}:{proxy.address[1]}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(proxy.counts)


if __name__ == "__main__":
    main()
