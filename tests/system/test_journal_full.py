"""A journal whose disk is full: told long before, then changes are refused by name and motion is kept in memory; with room
again everything goes on."""

import os

import pytest
from conftest import SEGMENT_BYTES, SHIPPED_CONFIG, Bots, edited, run, wait_until

FILL_S = 60  # within which the bots fill a segment


@pytest.fixture
def small_disk(tmp_path):
    """A folder with a disk of its own, with room for one segment and a half."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or run("mount", "-t", "tmpfs", "-o", f"size={3 * SEGMENT_BYTES // 2}", "tmpfs", disk).returncode != 0:
        pytest.skip("no disk of one's own without root")
    yield disk
    run("umount", "--lazy", disk)


def test_full_journal_warns_then_refuses_changes_and_recovers(tmp_path, small_disk, make_lasting_cluster):
    config = edited(tmp_path, ('# journal_dir: "" ', f'journal_dir: "{small_disk}" #'), source=SHIPPED_CONFIG)
    cluster = make_lasting_cluster(config=config).up()

    def value(name):
        return cluster.metrics("persist-0").get(f"march_persist_{name}", 0)

    def answered(status):
        return value(f'command_results_total{{status="{status}"}}')

    with Bots(cluster, 20, "--behaviour", "live", "--pace", 200) as bots:
        wait_until(lambda: value("journal_alarm") == 1, "there is no room for another segment", FILL_S)
        assert value("journal_full") == 0 and answered("journal_full") == 0
        wait_until(lambda: value("journal_full") == 1, "the journal is full", FILL_S)
        wait_until(lambda: answered("journal_full") > 0, "changes are refused")
        wait_until(lambda: value("motion_coalesced_total") > 0, "motion is kept in memory")
        wait_until(lambda: cluster.playing() == 20, "all play")
        assert run("mount", "-o", "remount,size=32m", small_disk).returncode == 0
        wait_until(lambda: value("journal_full") == 0, "there is room again")
        done = answered("ok")
        wait_until(lambda: answered("ok") > done and value("motion_unjournaled") == 0, "everything goes on")
    assert bots.report["disconnected"] == 0
    assert cluster.zonectl("audit", "world").returncode == 0
