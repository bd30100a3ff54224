"""What operators do to a world with a matchmaker: drains, splits, scaling, rollouts. The matchmaker, zonectl and its supervisor
are real; zones, gateways and persists are stand-ins that speak with the matchmaker (fake_member.c)."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from conftest import BIN_DIR, Cluster, alive, need, wait_until

MEMBER = BIN_DIR.parent / "tests/fake_member"
CONFIG = """
cluster: {protocol_id: 1}
gateways:
  - {name: gateway-0, listen: ["127.0.0.1:0"]}
  - {name: gateway-1, listen: ["127.0.0.1:0"]}
zones:
  - {name: zone-0, rect: {x_m: 0, y_m: 0, width_m: 512, height_m: 512}}
  - {name: zone-1, rect: {x_m: 512, y_m: 0, width_m: 512, height_m: 512}}
  - {name: zone-2}
  - {name: zone-3}
matchmaker: {name: matchmaker-0, reconnect_ms: 1000, silence_ms: 20000}
"""


class World(Cluster):
    """A cluster of stand-ins."""

    def zones(self):
        """What the matchmaker says."""
        result = self.zonectl("zones", "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def worker(self, name):
        return next(w for w in self.zones()["workers"] if w["name"] == name)

    def owners(self):
        """Zones by the ids of their partitions."""
        return {p["id"]: p["owner"] for p in self.zones()["partitions"]}

    def all_settled(self):
        return all(p["owner"] and not p["former"] for p in self.zones()["partitions"])


def make(tmp_path, text):
    """A cluster of stand-ins that is not up yet."""
    need("zonectl", "matchmaker")
    if not MEMBER.exists():
        pytest.skip(f"{MEMBER} was not built")
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for program in ("zonectl", "matchmaker"):
        shutil.copy(BIN_DIR / program, bin_dir / program)
    for program in ("zone", "gateway", "persist"):
        shutil.copy(MEMBER, bin_dir / program)
    config = tmp_path / "world.yaml"
    config.write_text(text, encoding="utf-8")
    return World(tmp_path / "run", config, bin_dir)


@pytest.fixture
def world(tmp_path):
    cluster = make(tmp_path, CONFIG)
    try:
        yield cluster.up()
    finally:
        cluster.tear_down()


@pytest.fixture
def lasting_world(tmp_path, postgres_template):
    """With two persists, which fence; their databases are there, and nobody uses them."""
    cluster = make(tmp_path, CONFIG + "persists: [{name: persist-0}, {name: persist-1}]\n")
    try:
        yield cluster.use_template().up()
    finally:
        cluster.tear_down()


def test_zones_and_status_tell_who_has_what(world):
    assert world.owners() == {0: "zone-0", 1: "zone-1"}
    result = world.zonectl("zones")
    assert result.returncode == 0 and "zone-1" in result.stdout and "spare" in result.stdout
    result = world.zonectl("status")
    assert result.returncode == 0 and "matchmaker-0" in result.stdout and "partition" in result.stdout
    assert world.status()["world"]["version"] == world.zones()["version"]


def test_drain_waits_until_nothing_is_left_and_undrain_takes_back(world):
    wait_until(lambda: world.worker("zone-0")["players"] == 30, "players")
    result = world.zonectl("drain", "zone-0", "--wait", "--timeout", "60")
    assert result.returncode == 0, result.stderr
    assert "players" in result.stdout and "zone-0 is drained, after" in result.stdout
    assert world.owners()[0] in ("zone-2", "zone-3")
    assert world.worker("zone-0")["state"] == "spare" and world.worker("zone-0")["draining"]
    assert world.zonectl("undrain", "zone-0").returncode == 0
    assert not world.worker("zone-0")["draining"]
    result = world.zonectl("undrain", "zone-0")
    assert result.returncode == 1 and "zone-0: is not being drained" in result.stderr
    result = world.zonectl("drain", "gateway-1", "--wait", "--json")
    assert result.returncode == 0 and json.loads(result.stdout)["state"] == "drained"
    result = world.zonectl("drain", "gateway-0")
    assert result.returncode == 1 and "no other gateway" in result.stderr


def test_drain_that_takes_too_long_has_an_exit_code_of_its_own(world):
    spare = world.zones()["workers"][2]
    assert spare["state"] == "spare"
    zone = world.process("zone-1")["pid"]
    wait_until(lambda: world.worker("zone-1")["players"] == 30, "players")
    os.kill(zone, signal.SIGSTOP)
    try:
        result = world.zonectl("drain", "zone-1", "--timeout", "1")
    finally:
        os.kill(zone, signal.SIGCONT)
    assert result.returncode == 6, result.stderr
    assert "undrain" in result.stderr
    wait_until(world.all_settled, "it goes on")


def test_zone_split_and_merge(world):
    result = world.zonectl("zone", "split", "zone-0", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["new"] == 2
    wait_until(world.all_settled, "the half is handed over")
    assert world.owners()[2] in ("zone-2", "zone-3")
    result = world.zonectl("zone", "merge", "0", "1")
    assert result.returncode == 1 and "rectangle" in result.stderr
    assert world.zonectl("zone", "merge", "0", "2").returncode == 0
    wait_until(lambda: sorted(world.owners()) == [0, 1], "one again")
    assert world.zonectl("zone", "cut", "0").returncode == 2
    assert world.zonectl("zone", "split", "../../x").returncode == 2


def hold_back_zones(world):
    """Zones that start from now on wait; returns a function that lets them go on."""
    zone, real, gate = world.bin_dir / "zone", world.bin_dir / "real", world.bin_dir / "gate"
    real.mkdir()
    zone.rename(real / "zone")
    zone.write_text(f'#!/bin/sh\nuntil [ -e "{gate}" ]; do sleep 0.1; done\nexec "{real}/zone" "$@"\n', encoding="utf-8")
    zone.chmod(0o755)
    return gate.touch


def test_dead_zone_is_replaced_and_comes_back_as_a_spare(lasting_world):
    pid = lasting_world.process("zone-1")["pid"]
    go_on = hold_back_zones(lasting_world)  # one that is back at once may get its part again
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: lasting_world.process("zone-1")["pid"] not in (None, 0, pid), "it begins anew")
    wait_until(lambda: lasting_world.owners()[1] not in (None, "zone-1"), "its part is taken over")
    go_on()
    wait_until(lambda: lasting_world.worker("zone-1")["state"] == "spare", "it is back")
    lasting_world.wait_ready()
    assert lasting_world.owners()[1] not in (None, "zone-1")
    assert lasting_world.worker("zone-1")["state"] == "spare"
    assert lasting_world.metrics("matchmaker-0")["march_matchmaker_takeovers_total"] == 1


def test_matchmaker_that_dies_goes_on_where_it_was(world):
    version, owners = world.zones()["version"], world.owners()
    os.kill(world.process("matchmaker-0")["pid"], signal.SIGKILL)
    wait_until(lambda: world.zonectl("zones").returncode == 0 and world.zones()["state"] == "running", "back")
    assert world.owners() == owners and world.zones()["version"] >= version


def test_scale_stops_and_starts_spares(world):
    result = world.zonectl("scale", "spares", "0")
    assert result.returncode == 0, result.stderr
    assert [world.process(name)["state"] for name in ("zone-2", "zone-3")] == ["stopped", "stopped"]
    assert world.status()["ready"]
    result = world.zonectl("drain", "zone-0")
    assert result.returncode == 1 and "no spare zone" in result.stderr
    result = world.zonectl("scale", "spares", "3")
    assert result.returncode == 1 and "3 spares are more than there can be" in result.stderr
    result = world.zonectl("scale", "spares", "1", "--json")
    assert result.returncode == 0 and json.loads(result.stdout) == {"spares": 1, "before": 0}
    assert sorted(w["state"] for w in world.zones()["workers"]) == ["active", "active", "away", "spare"]
    assert world.zonectl("scale", "spares", "2").returncode == 0
    assert world.zonectl("scale", "spares").returncode == 2


def test_rollout_restarts_everything_and_loses_nobody(lasting_world):
    before = {p["name"]: p["pid"] for p in lasting_world.status()["processes"] if p["role"] not in ("postgres", "redis")}
    result = lasting_world.zonectl("rollout", "restart", "--json", timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr + lasting_world.events()
    report = json.loads(result.stdout)
    assert report["done"] and len(report["restarted"]) == 9
    after = {p["name"]: p["pid"] for p in lasting_world.wait_ready()["processes"]}
    assert all(after[name] != pid for name, pid in before.items())
    assert lasting_world.all_settled()
    metrics = lasting_world.metrics("matchmaker-0")
    assert metrics["march_matchmaker_takeovers_total"] == 0  # all was handed over


def test_rollout_without_a_spare_stops_and_says_why(world):
    assert world.zonectl("scale", "spares", "0").returncode == 0
    pid = world.process("zone-0")["pid"]
    result = world.zonectl("rollout", "restart", "zones")
    assert result.returncode == 1
    assert "zone-0: no spare zone is free" in result.stderr and "the rollout ends here" in result.stderr
    assert alive(pid)


def test_verbs_without_a_cluster_say_so(tmp_path):
    need("zonectl")
    for verb in (("zones",), ("drain", "zone-0"), ("zone", "split", "0"), ("scale", "spares", "1"), ("rollout", "restart")):
        result = subprocess.run([BIN_DIR / "zonectl", verb[0], "--run-dir", tmp_path, *verb[1:]], capture_output=True, text=True,
                                check=False)
        assert result.returncode == 3 and "no cluster runs" in result.stderr
