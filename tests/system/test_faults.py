"""Live bots on a bad network, and while processes die or hang: nobody is dropped, and what was said arrives."""

import json
import os
import signal
import time

import netcode
import pytest
from conftest import Bots, alive, need, wait_until
from fault_proxy import Faults, FaultProxy

PLAY_S = 4
CLIENTS = 40


@pytest.fixture(autouse=True)
def swarm_is_built():
    need("swarm")


def play_through(cluster, upstream, faults):
    """A swarm plays and speaks through a proxy; returns its report and what the proxy did."""
    with FaultProxy(upstream, faults) as proxy:
        host, port = proxy.address
        server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        result = cluster.swarm("--server", server, "--clients", CLIENTS, "--duration", PLAY_S, "--say", 1, "--json")
    assert result.returncode == 0, result.stdout + result.stderr + cluster.logs()
    return json.loads(result.stdout), proxy.counts


def assert_all_was_heard(report):
    assert report["said"] >= CLIENTS * (PLAY_S - 1)
    assert report["heard_own"] == report["said"]
    assert report["messages_out_of_order"] == 0


def test_loss_and_reordering_harm_nothing(shared_cluster):
    faults = Faults(loss=0.1, reorder=0.1)
    report, did = play_through(shared_cluster, shared_cluster.addresses()[0], faults)
    assert did["lost"] > 500 and did["reordered"] > 500
    assert report["disconnected"] == 0 and report["errors"] == 0
    assert_all_was_heard(report)
    # Of 20 a second, those that are lost and those that a later one has overtaken don't count.
    assert report["snapshot_hz"]["p50"] > 20 * 0.9 * 0.9 * 0.9


def test_every_fault_at_once_harms_nothing_over_ipv6(shared_cluster):
    faults = Faults(loss=0.1, reorder=0.1, duplicate=0.05, flip=0.05, delay_s=0.02, jitter_s=0.02)
    report, did = play_through(shared_cluster, shared_cluster.addresses()[1], faults)
    assert min(did[what] for what in ("lost", "reordered", "duplicated", "flipped")) > 200
    assert report["disconnected"] == 0
    assert report["error_counts"]["packets_refused"] > 100  # the flipped and the duplicates, and nothing else:
    assert report["errors"] == report["error_counts"]["packets_refused"]
    assert_all_was_heard(report)
    assert report["snapshot_hz"]["p50"] > 20 * 0.9 * 0.9 * 0.9 * 0.9


def players_of(cluster, name):
    """How many of the bots are in a zone, once every zone has told."""
    def by_zone():
        players = {f"zone-{i}": cluster.metrics(f"zone-{i}")["march_zone_players"] for i in range(5)}
        return players if sum(players.values()) == CLIENTS else None
    players = wait_until(by_zone, "every zone tells its players")[name]
    assert 0 < players < CLIENTS
    return players


def test_killed_zone_is_taken_over_by_the_spare(cluster):
    with Bots(cluster, CLIENTS, "--say", 1) as bots:
        players = players_of(cluster, "zone-1")
        os.kill(cluster.process("zone-1")["pid"], signal.SIGKILL)
        wait_until(lambda: cluster.metrics("zone-4").get("march_zone_partitions") == 1, "the spare has its part")
        wait_until(lambda: cluster.playing() == CLIENTS, "all play again", 10)
        wait_until(lambda: cluster.metrics("zone-4").get("march_zone_snapshots_total", 0) >= 20 * players, "snapshots again")
        wait_until(lambda: (p := cluster.process("zone-1")) and p["ready"], "zone-1 is back")
        assert cluster.metrics("zone-1")["march_zone_partitions"] == 0
        assert sum(cluster.metrics(f"zone-{i}")["march_zone_players"] for i in range(5)) == CLIENTS
    report = bots.report
    assert report["disconnected"] == 0 and report["errors"] == 0, report
    assert report["snapshot_hz"]["p50"] > 15


def test_stopped_zone_goes_on_where_it_was(cluster):
    with Bots(cluster, CLIENTS) as bots:
        players = players_of(cluster, "zone-2")
        pid = cluster.process("zone-2")["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + 3
            wait_until(lambda: time.monotonic() > until, "3 s are over")
        finally:
            os.kill(pid, signal.SIGCONT)
        snapshots = cluster.metrics("zone-2")["march_zone_snapshots_total"]
        wait_until(lambda: cluster.metrics("zone-2")["march_zone_snapshots_total"] > snapshots + 20 * players,
                   "snapshots again")
        assert cluster.playing() == CLIENTS
        assert cluster.process("zone-2")["pid"] == pid and alive(pid)
        assert cluster.metrics("zone-2")["march_zone_ticks_missed_total"] > 100
    assert bots.report["disconnected"] == 0 and bots.report["errors"] == 0, bots.report


def test_killed_gateway_comes_back_in_its_place(cluster):
    before = cluster.addresses()
    old = netcode.mint(cluster, player=1)
    pid = cluster.process("gateway-0")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: (p := cluster.process("gateway-0")) and p["ready"] and p["pid"] != pid, "restarted")
    assert cluster.addresses() == before
    with netcode.Stranger(before[0]) as stranger:
        stranger.send(netcode.request_of(old))
        wait_until(lambda: netcode.drops(cluster)["token_before_start"] == 1, "the old token is refused")
        assert stranger.received_bytes() == 0
    with Bots(cluster, 5) as bots:
        pass
    bots.assert_unharmed()
