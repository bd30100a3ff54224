"""What operators do to a world in which bots cross borders, fight and trade: rollouts, splits, merges. All programs are real.

Nobody may notice: no client is dropped, each player exists exactly once afterwards, and in the end the books hold.
"""

import json
import time

import pytest
from conftest import need, wait_until
from kill_stage import GATEWAYS, MATCHMAKER, PERSIST, RECOVERY_S
from kill_steps import Trial
from kill_world import World

ROLLOUT_S = 110  # sanitized, and on a busy machine; less than what ends a command


@pytest.fixture
def world(tmp_path, postgres_template):
    need("zonectl", "gateway", "zone", "matchmaker", "persist", "swarm")
    world = World(tmp_path / "world", 1)
    try:
        yield world.start()
    finally:
        world.tear_down()


def begin(world):
    """Notes where the timelines are, for what clients notice from now on."""
    world.marks = [swarm.mark() for swarm in world.swarms]
    return Trial()


def operate(world, *args):
    """Has zonectl do something to the world; what it prints. Players that are seen afterwards have lived through it."""
    result = world.cluster.zonectl(args[0], *args[1:], "--json")
    assert result.returncode == 0, result.stdout + result.stderr + world.cluster.logs()
    world.hit_ms = time.time() * 1000
    return json.loads(result.stdout)


def total(world, key):
    """A number of how clients went on, of all of them, once the swarms have ended."""
    return sum(swarm.report["continuity"][key] for swarm in world.swarms)


def check_nobody_was_dropped(world):
    """Ends the bots, too."""
    played = world.check_end()
    assert played["crossings"] > 0
    assert sum(swarm.report["disconnected"] for swarm in world.swarms) == 0
    assert total(world, "reconnects") == 0


def owners(world):
    """Zones by the ids of their partitions; None while something is being handed over."""
    partitions = world.directory().get("partitions", [])
    return None if any(p["former"] for p in partitions) else {p["id"]: p["owner"] for p in partitions}


def arrivals(world, name):
    """How many players have come to a zone from others."""
    return world.cluster.metrics(name).get("march_zone_arrived_total", 0)


def test_rollout_restarts_everything_under_players(world):
    names = {PERSIST, MATCHMAKER, *world.zones, *GATEWAYS}
    before, trial = world.pids(), begin(world)
    sessions = {name: world.sessions(name) for name in GATEWAYS}
    clients = sum(swarm.clients for swarm in world.swarms)
    assert sum(sessions.values()) == clients and all(sessions.values())

    report = operate(world, "rollout", "restart", "all", "--timeout", ROLLOUT_S)
    assert report["done"] and {process["name"] for process in report["restarted"]} == names
    world.await_recovery(trial)
    after = world.pids()
    assert all(after[name] != before[name] for name in names)
    assert trial.crossings > 0
    # A zone or gateway that is restarted has nothing left: no part of the world had to be taken over.
    assert world.cluster.metrics(MATCHMAKER)["march_matchmaker_takeovers_total"] == 0
    # Clients of the gateway that is drained first go to the other one, and all come back when that one is drained.
    assert [world.sessions(name) for name in GATEWAYS] == [clients, 0]
    check_nobody_was_dropped(world)
    assert total(world, "moves") == sessions[GATEWAYS[0]] + clients
    assert total(world, "moved_to_another") == 0  # each has gone on as the entity that it was


def test_zone_is_split_and_merged_under_players(world):
    trial = begin(world)
    in_world = {part["owner"] for part in world.directory()["partitions"] if part["kind"] == "world"}
    zone, (spare,) = world.fullest_zone(in_world), world.zones_of("spare")
    owned = owners(world)
    partition = next(part for part, owner in owned.items() if owner == zone)

    split = operate(world, "zone", "split", zone)
    halves = {partition: zone, split["new"]: spare}
    wait_until(lambda: owners(world) == owned | halves and world.all_served(), "half of the zone is handed over", RECOVERY_S)
    world.await_each_once(trial)
    arrived = {name: arrivals(world, name) for name in halves.values()}
    wait_until(lambda: all(arrivals(world, name) > before for name, before in arrived.items()), "bots walk into both", RECOVERY_S)

    operate(world, "zone", "merge", partition, split["new"])
    wait_until(lambda: owners(world) == owned, "it is one again", RECOVERY_S)
    world.await_recovery(trial)
    assert world.zones_of("spare") == [spare]
    check_nobody_was_dropped(world)
    assert total(world, "moves") == 0
