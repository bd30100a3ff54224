"""Processes are killed or stopped at named steps of handoffs and drains: a few of the many that `make kills` goes through."""

import re
import signal
import time

import pytest
from conftest import BIN_DIR, ROOT, need, run, wait_until
from kill_stage import COMES_BY_S, GATEWAYS, MATCHMAKER, PERSIST, RECOVERY_S
from kill_steps import STEPS, UNPLANNED, Step, Trial, has_steps
from kill_world import World
from kills import Run

# Each is the worst moment of its kind: (step, seconds that it is stopped; 0: killed).
SHORT = [
    (Step("source", "source.frozen", "walk"), 0),  # it alone has the player, and nobody knows that it has let go
    (Step("target", "target.activated", "walk"), 0),  # it has the player, and has told nobody
    (Step("matchmaker", "matchmaker.told", "drain"), 0),  # one knows of the version, and the others don't
    (Step("gateway", "gateway.activated", "walk"), 0.5),  # it alone knows who has the player
    (Step("persist", "persist.fence_written", "death"), 0),  # and the matchmaker waits for the answer
    (Step("gateway", "gateway.rerouted", "walk"), 0),  # the source has let go, and the target will never hear of it
    (Step("matchmaker", "matchmaker.match_kept", "match"), 0),  # the tickets are gone, and nobody was told to run the match
    (Step("zone", "zone.travelled", "match"), 0),  # a player is in a cell by its coordinates, and still here
    (Step("persist", "persist.granted", "match"), 0),  # a reward is had, and nobody has noted it
    (Step("persist", "persist.documents_written", "amnesia"), 0),  # tickets and matches are kept, and nobody was told
    (Step("matchmaker", "matchmaker.instance_over", "match"), 0),  # it alone knows what the match came to
]


def sources():
    return [path for folder in ("gateway", "zone", "matchmaker", "persist") for path in (ROOT / folder).glob("*.c")]


def test_every_step_of_the_sources_is_in_the_plan():
    named = {name for path in sources() for name in re.findall(r'\bSTEP\("([^"]+)"\)', path.read_text(encoding="utf-8"))}
    assert named - UNPLANNED == {step.name for step in STEPS}


def test_builds_that_are_not_for_tests_have_no_steps(tmp_path):
    source = tmp_path / "steps.c"
    source.write_text('#include "common/step.h"\nSTEP("zone.x");\nSTEPS_OF("run", "zone-0");\n', encoding="ascii")
    result = run("cc", "-E", "-P", "-I", ROOT, source)
    assert result.stdout.split() == ["((void)0);", "((void)0);"], result.stderr


def test_nobody_is_lost_or_doubled_whoever_dies_at_the_worst_moment(tmp_path, postgres_template):
    need("zonectl", "gateway", "zone", "matchmaker", "persist", "swarm")
    if not has_steps(BIN_DIR):
        pytest.skip(f"the programs in {BIN_DIR} were built without steps")
    done = Run(tmp_path, 1).run([Trial(step, for_s) for step, for_s in SHORT])
    assert not done.findings, done.table()


@pytest.fixture
def world(tmp_path, postgres_template):
    need("zonectl", "gateway", "zone", "matchmaker", "persist", "swarm")
    if not has_steps(BIN_DIR):
        pytest.skip(f"the programs in {BIN_DIR} were built without steps")
    world = World(tmp_path / "world", 1)
    try:
        yield world.start()
    finally:
        world.tear_down()


def test_matchmaker_that_hears_no_owner_gives_nothing_away_before_all_are_fenced(world):
    """Only a new process is heard: all that know the directory are stopped, and go on as owners when they wake up."""
    (spare,) = world.zones_of("spare")
    zones, before = [name for name in world.zones if name != spare], world.pids()

    def owners():
        partitions = world.directory().get("partitions", [])
        return [p["owner"] for p in partitions if p["owner"]] if len(partitions) == len(zones) else None

    for name in [*zones, *GATEWAYS]:
        world.signal(name, signal.SIGSTOP)
    world.arm([PERSIST], "persist.fence_asked")
    for name in (spare, MATCHMAKER):
        world.signal(name, signal.SIGKILL)
    world.await_stop([PERSIST], "persist.fence_asked")
    until = time.monotonic() + 1
    while time.monotonic() < until:
        assert owners() == []
        time.sleep(0.1)
    assert all(set(zones) <= set(p["awaits_fence_of"]) for p in world.directory()["partitions"])
    world.disarm()
    world.signal(PERSIST, signal.SIGCONT)
    wait_until(lambda: owners() == [spare], "the new one has what it can have", COMES_BY_S)
    assert world.cluster.sql("select count(*) from leases where owner = 'fenced'") == [[str(len(zones))]]
    for name in [*zones, *GATEWAYS]:
        world.signal(name, signal.SIGCONT)
    wait_until(lambda: all(world.pids().get(name) not in (None, before[name]) for name in zones), "they step down", RECOVERY_S)
    world.hit_ms = time.time() * 1000
    world.await_recovery(Trial())
