"""A journal whose disk is full: told long before, then changes are refused by name and motion is kept in memory, and a zone that
dies is replaced; with room again everything goes on."""

import os
import signal

import pytest
from conftest import SEGMENT_BYTES, SHIPPED_CONFIG, Bots, edited, run, wait_until
from front_door import Document, Door

FILL_S = 60  # within which the bots fill a segment
CLIENTS = 20


@pytest.fixture
def small_disk(tmp_path):
    """A folder with a disk of its own, with room for one segment and a half."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or run("mount", "-t", "tmpfs", "-o", f"size={3 * SEGMENT_BYTES // 2}", "tmpfs", disk).returncode != 0:
        pytest.skip("no disk of one's own without root")
    yield disk
    run("umount", "--lazy", disk)


def lose_a_zone(cluster):
    """Kills the zone with most players; they must be in another one, though what the matchmaker keeps waits for the journal."""
    names = [process["name"] for process in cluster.status()["processes"] if process["role"] == "zone"]

    def players(name):
        return cluster.metrics(name).get("march_zone_players", 0)

    ticket = Door(cluster, Document()).act("POST", "/v1/tickets", name="late", mode="duel")
    assert ticket.status == 503 and ticket.code == "unavailable", ticket.body
    victim = max(names, key=players)
    assert players(victim) > 0
    os.kill(cluster.process(victim)["pid"], signal.SIGKILL)
    wait_until(lambda: cluster.metrics("matchmaker-0").get("march_matchmaker_takeovers_total") == 1, f"{victim} is replaced")
    wait_until(lambda: sum(map(players, names)) == CLIENTS, "its players are back")


def test_full_journal_warns_then_refuses_changes_replaces_a_zone_and_recovers(tmp_path, small_disk, make_lasting_cluster):
    config = edited(tmp_path, ('# journal_dir: "" ', f'journal_dir: "{small_disk}" #'), source=SHIPPED_CONFIG)
    cluster = make_lasting_cluster(config=config).up()

    def value(name):
        return cluster.metrics("persist-0").get(f"march_persist_{name}", 0)

    def answered(status):
        return value(f'command_results_total{{status="{status}"}}')

    with Bots(cluster, CLIENTS, "--behaviour", "live", "--pace", 200) as bots:
        wait_until(lambda: value("journal_alarm") == 1, "there is no room for another segment", FILL_S)
        assert value("journal_full") == 0 and answered("journal_full") == 0
        wait_until(lambda: value("journal_full") == 1, "the journal is full", FILL_S)
        wait_until(lambda: answered("journal_full") > 0, "changes are refused")
        wait_until(lambda: value("motion_coalesced_total") > 0, "motion is kept in memory")
        wait_until(lambda: cluster.playing() == CLIENTS, "all play")
        lose_a_zone(cluster)
        assert value("journal_full") == 1
        assert run("mount", "-o", "remount,size=32m", small_disk).returncode == 0
        wait_until(lambda: value("journal_full") == 0, "there is room again")
        done = answered("ok")
        wait_until(lambda: answered("ok") > done and value("motion_unjournaled") == 0, "everything goes on")
    assert bots.report["disconnected"] == 0
    assert cluster.zonectl("audit", "world").returncode == 0
