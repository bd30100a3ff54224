"""Live bots on a bad network, and while processes die or hang: nobody is dropped, and what was said arrives."""

import os
import shutil
import signal
import time

import netcode
import pytest
from conftest import BIN_DIR, Bots, alive, need, wait_until
from fault_proxy import Faults, FaultProxy

CLIENTS = 40


@pytest.fixture(autouse=True)
def swarm_is_built():
    need("swarm")


def play_through(cluster, upstream, faults, enough):
    """A swarm plays and speaks through a proxy until each kind of fault has been done often enough; its bots."""
    with FaultProxy(upstream, faults) as proxy:
        host, port = proxy.address
        server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        with Bots(cluster, CLIENTS, "--server", server, "--say", 1) as bots:
            wait_until(lambda: all(proxy.counts[kind] > count for kind, count in enough.items()), f"faults {enough}")
    assert bots.process.returncode == 0, bots.report
    assert bots.report["disconnected"] == 0, bots.report
    assert_all_was_heard(bots.report)
    return bots


def assert_all_was_heard(report):
    assert report["said"] >= CLIENTS
    assert report["heard_own"] == report["said"]
    assert report["messages_out_of_order"] == 0


def test_loss_and_reordering_harm_nothing(shared_cluster):
    faults = Faults(loss=0.1, reorder=0.1)
    bots = play_through(shared_cluster, shared_cluster.addresses()[0], faults, {"lost": 500, "reordered": 500})
    assert bots.report["errors"] == 0
    # Those that are lost and those that a later one has overtaken don't count.
    bots.assert_rate(0.9 * 0.9 * 0.9, "p50")


def test_every_fault_at_once_harms_nothing_over_ipv6(shared_cluster):
    faults = Faults(loss=0.1, reorder=0.1, duplicate=0.05, flip=0.05, delay_s=0.02, jitter_s=0.02)
    bots = play_through(shared_cluster, shared_cluster.addresses()[1], faults,
                        {"lost": 200, "reordered": 200, "duplicated": 200, "flipped": 200})
    assert bots.report["error_counts"]["packets_refused"] > 100  # the flipped and the duplicates, and nothing else:
    assert bots.report["errors"] == bots.report["error_counts"]["packets_refused"]
    bots.assert_rate(0.9 * 0.9 * 0.9 * 0.9, "p50")


def players_of(cluster, name):
    """How many of the bots are in a zone, once every zone has told."""
    def by_zone():
        players = {f"zone-{i}": cluster.metrics(f"zone-{i}")["march_zone_players"] for i in range(6)}
        return players if sum(players.values()) == CLIENTS else None
    players = wait_until(by_zone, "every zone tells its players")[name]
    assert 0 < players < CLIENTS
    return players


@pytest.fixture
def held_zone(tmp_path):
    """(folder of programs, file): while the file is there no zone begins."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    hold = bin_dir / "hold"
    shutil.copy(BIN_DIR / "zonectl", bin_dir)  # which starts the programs beside it
    for name in ("gateway", "matchmaker", "swarm"):
        (bin_dir / name).symlink_to(BIN_DIR / name)
    (bin_dir / "zone").write_text(f'#!/bin/sh\nwhile [ -e {hold} ]; do sleep 0.05; done\nexec {BIN_DIR}/zone "$@"\n',
                                  encoding="ascii")
    (bin_dir / "zone").chmod(0o755)
    return bin_dir, hold


def test_killed_zone_is_taken_over_by_the_spare(make_cluster, held_zone):
    bin_dir, hold = held_zone
    cluster = make_cluster(bin_dir=bin_dir).up()
    spare = next(f"zone-{i}" for i in (4, 5) if cluster.metrics(f"zone-{i}").get("march_zone_partitions") == 0)
    hold.touch()  # else it might be back before the spare's turn
    with Bots(cluster, CLIENTS, "--say", 1) as bots:
        players = players_of(cluster, "zone-1")
        os.kill(cluster.process("zone-1")["pid"], signal.SIGKILL)
        wait_until(lambda: cluster.metrics(spare).get("march_zone_partitions") == 1, "the spare has its part")
        wait_until(lambda: cluster.playing() == CLIENTS, "all play again")
        wait_until(lambda: cluster.metrics(spare).get("march_zone_snapshots_total", 0) >= 20 * players, "snapshots again")
        hold.unlink()
        wait_until(lambda: (p := cluster.process("zone-1")) and p["ready"], "zone-1 is back")
        wait_until(lambda: cluster.metrics("zone-1").get("march_zone_partitions") == 0, "it is told that it has nothing")
        players_of(cluster, spare)
    report = bots.report
    assert report["disconnected"] == 0 and report["errors"] == 0, report


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
        wait_until(lambda: cluster.playing() == CLIENTS, "all play")
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
