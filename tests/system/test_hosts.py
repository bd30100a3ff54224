"""A cluster on several hosts: gateways, two hosts of zones, and one of what has state, over TCP with sealed frames. Links are
cut and healed while bots walk across borders; afterwards each player exists once, and nobody was disconnected."""

import contextlib
import socket
import time

import pytest
from conftest import BIN_DIR, SEGMENT_BYTES, Cluster, need, wait_until
from kill_steps import Trial
from kill_world import World
from netns import Hosts, missing, within, wrap

HOSTS = ["gates", "east", "west", "state"]
WHERE = {"gateway-0": "gates", "gateway-1": "gates", "swarm": "gates", "gateway": "gates", "zone-0": "west", "zone-2": "west",
         "zone-1": "east", "zone-3": "east", "zone-4": "east", "zone-5": "east", "zone": "east",
         "matchmaker-0": "state", "matchmaker": "state", "persist-0": "state", "persist": "state", "zonectl": "state"}
ZONES = [f"zone-{i}" for i in range(6)]
RECTS = {"zone-0": (0, 0), "zone-1": (60, 0), "zone-2": (0, 60), "zone-3": (60, 60)}
WESTERN = ["zone-0", "zone-2"]
NOTICED_S = 60
CAPTURED_BYTES = 100_000  # of a link in which no name can be read


def config(hosts):
    """Ports are of the hosts' own, so they are the same ones whatever else runs."""
    def place(name, port):
        address = hosts.address(WHERE[name])
        return f'http: "{address}:0", bus_host: {address}, bus_port: {port}'

    def zone(i):
        rect = RECTS.get(f"zone-{i}")
        part = f"rect: {{x_m: {rect[0]}, y_m: {rect[1]}, width_m: 60, height_m: 60}}, creatures: 10, " if rect else ""
        return f"  - {{name: zone-{i}, {part}{place(f'zone-{i}', 41000 + 100 * i)}}}\n"

    gate = hosts.address("gates")
    return ("cluster: {protocol_id: 1}\n"
            "gateways:\n" + "".join(f'  - {{name: gateway-{i}, listen: ["{gate}:0"], http: "{gate}:0"}}\n' for i in range(2)) +
            "zones:\n" + "".join(zone(i) for i in range(len(ZONES))) +
            f"matchmaker: {{name: matchmaker-0, silence_ms: 10000, {place('matchmaker-0', 42000)}}}\n"
            f"persists:\n  - {{name: persist-0, {place('persist-0', 43000)}}}\n"
            f"persist: {{journal_segment_bytes: {SEGMENT_BYTES}, journal_bytes_max: {8 * SEGMENT_BYTES}}}\n"
            "bus: {transport: tcp}\nlimits: {client_timeout_s: 6, link_dead_s: 3600}\n")


class HostedCluster(Cluster):
    """Each process is asked on its own host, whatever links are cut."""

    def __init__(self, *args, hosts, **options):
        super().__init__(*args, **options)
        self.hosts = hosts

    def on_host_of(self, name):
        return within(self.hosts.namespace(WHERE[name]))

    def metrics(self, name):
        with self.on_host_of(name):
            return super().metrics(name)


class HostedWorld(World):
    """A world of bots over hosts."""

    zones = ZONES

    def __init__(self, folder, hosts):
        self.hosts = hosts
        super().__init__(folder, 1)
        bin_dir = wrap(self.folder / "bin", BIN_DIR, hosts, WHERE)
        self.cluster = HostedCluster(self.folder / "run", config=self.folder / "kills.yaml", bin_dir=bin_dir, hosts=hosts)

    def write_config(self):
        path = super().write_config()
        path.write_text(config(self.hosts), encoding="utf-8")
        return path

    def directory(self):
        with self.cluster.on_host_of("matchmaker-0"):
            return super().directory()

    def owners(self):
        return {partition["owner"] for partition in self.directory()["partitions"]}

    def metric(self, name, series):
        return self.cluster.metrics(name).get(series, 0)


@pytest.fixture
def world(tmp_path, postgres_template):
    need("zonectl", "gateway", "zone", "matchmaker", "persist", "swarm")
    if reason := missing():
        pytest.skip(reason)
    with Hosts(*HOSTS) as hosts:
        made = HostedWorld(tmp_path / "w", hosts)
        try:
            yield made.start()
        finally:
            made.tear_down()


@contextlib.contextmanager
def cut(world, *links):
    """Links are cut while the block runs."""
    for link in links:
        world.hosts.cut(*link)
    try:
        yield
    finally:
        for link in links:
            world.hosts.heal(*link)
        world.hit_ms = time.time() * 1000


def captured(world, name, other, count):
    """So many bytes that go over a link."""
    data = b""
    with within(world.hosts.namespace(name)):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    with tap:
        tap.bind((world.hosts.device(name, other), 0))
        tap.settimeout(NOTICED_S)
        while len(data) < count:
            data += tap.recv(65536)
    return data


def settle(world):
    """All comes to be as it has to be; and nobody was ever dropped."""
    world.await_recovery(Trial())
    assert sum(swarm.disconnected() for swarm in world.swarms) == 0


def test_cut_links_lose_and_double_nobody(world):
    settle(world)

    # The two hosts of zones don't hear each other, and everybody else does: nobody is dead, and nobody walks over.
    losses = {zone: world.metric(zone, "march_zone_peer_losses_total") for zone in ("zone-0", "zone-1")}
    with cut(world, ("east", "west")):
        wait_until(lambda: all(world.metric(zone, "march_zone_peer_losses_total") > count for zone, count in losses.items()),
                   "neighbours miss each other", NOTICED_S)
        assert world.owners() == set(RECTS)
    settle(world)

    # The gateways don't hear one of them: its players wait, and nobody is dead.
    with cut(world, ("gates", "west")):
        wait_until(lambda: all(world.metric(gateway, f'march_gateway_zone_state{{zone="{zone}"}}') == 0
                               for gateway in ("gateway-0", "gateway-1") for zone in WESTERN), "gateways miss zones", NOTICED_S)
        assert world.owners() == set(RECTS)
    settle(world)

    # Who decides does not hear it, though players do: it is dead, and ends when it hears of that.
    pids = world.pids()
    with cut(world, ("state", "west")):
        wait_until(lambda: not world.owners() & {*WESTERN, None}, "its parts are taken over", NOTICED_S)
    wait_until(lambda: all(world.pids().get(zone) not in (None, pids[zone]) for zone in WESTERN), "it begins anew", NOTICED_S)
    settle(world)
    world.check_end()


def test_host_that_is_cut_off_is_taken_over_and_comes_back(world):
    settle(world)
    links = [("west", other) for other in HOSTS if other != "west"]
    with cut(world, *links):
        wait_until(lambda: not world.owners() & {*WESTERN, None}, "its parts are taken over", NOTICED_S)
        wait_until(world.all_served, "all play on", NOTICED_S)
    data = captured(world, "east", "west", CAPTURED_BYTES)  # greetings, too
    assert not any(name.encode() in data for name in ZONES), "what goes over a link is not sealed"
    settle(world)
    world.check_end()
