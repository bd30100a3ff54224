"""A zone that was recorded under play and killed runs again from its recording, hash by hash; a damaged one is told."""

import os
import re
import shutil
import signal

import pytest
from conftest import BIN_DIR, Bots, Cluster, need, run, wait_until

ZONE = "zone-1"
TICKS_MIN = 300
HASH_EVERY_TICKS = 60


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The configuration, and a recording of ZONE that ended by kill -9 while bots fought."""
    need("zonectl", "gateway", "zone", "swarm")
    path = tmp_path_factory.mktemp("record")
    bin_dir = path / "bin"
    bin_dir.mkdir()
    shutil.copy(BIN_DIR / "zonectl", bin_dir)  # which starts the programs beside it
    for name in ("gateway", "matchmaker", "swarm"):
        (bin_dir / name).symlink_to(BIN_DIR / name)
    (bin_dir / "zone").write_text(f'#!/bin/sh\nexec {BIN_DIR}/zone "$@" --record {path}/$$.rec\n', encoding="ascii")
    (bin_dir / "zone").chmod(0o755)
    cluster = Cluster(path / "run", bin_dir=bin_dir).up()
    try:
        pid = cluster.process(ZONE)["pid"]
        recording = path / f"{pid}.rec"
        with Bots(cluster, 40, "--behaviour", "fight", "--say", 1):
            wait_until(lambda: cluster.metrics(ZONE)["march_zone_ticks_total"] > TICKS_MIN, "ticks")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: cluster.playing() == 40, "all play again")
        yield cluster.config, recording.read_bytes()
    finally:
        cluster.tear_down()


@pytest.fixture
def replay(recorded, tmp_path):
    """A function that replays some bytes as a zone; returns the completed process."""
    config, _ = recorded

    def function(content, name=ZONE):
        path = tmp_path / "it.rec"
        path.write_bytes(content)
        return run(BIN_DIR / "zone", "--config", config, "--name", name, "--run-dir", tmp_path, "--replay", path)

    return function


def test_replay_of_a_killed_zone_gives_the_same_hashes(recorded, replay):
    result = replay(recorded[1])
    assert result.returncode == 0, result.stderr
    ticks, hashes = map(int, re.search(r"(\d+) ticks, (\d+) hashes are the same", result.stdout).groups())
    assert ticks > TICKS_MIN - 2 * HASH_EVERY_TICKS
    assert hashes >= ticks // HASH_EVERY_TICKS - 1  # a tick that was missed has none


def test_replay_of_a_cut_recording_says_so_and_holds(recorded, replay):
    result = replay(recorded[1][:len(recorded[1]) // 2])
    assert result.returncode == 0, result.stderr
    assert "hashes are the same" in result.stdout


def test_replay_of_a_damaged_recording_says_where(recorded, replay):
    content = bytearray(recorded[1])
    at = len(content) // 2
    content[at] ^= 0x10
    result = replay(bytes(content))
    assert result.returncode == 1
    block = int(re.search(r"in the block at byte (\d+)", result.stderr).group(1))
    assert at - 65536 < block <= at


def test_replay_as_another_zone_or_of_something_else_is_refused(recorded, replay):
    result = replay(recorded[1], name="zone-2")
    assert result.returncode == 1 and "recorded by another zone" in result.stderr
    result = replay(b"something else" * 10)
    assert result.returncode == 1 and "not a recording" in result.stderr
    result = replay(b"")
    assert result.returncode == 1 and "not a recording" in result.stderr
