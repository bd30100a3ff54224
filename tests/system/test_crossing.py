"""Bots that walk over the borders of a small world of 2 x 2 zones: nobody is dropped, and everybody is there exactly once."""

import json
import os
import signal
import time

import pytest
from conftest import Bots, need, wait_until

CLIENTS = 24
ZONES = [f"zone-{i}" for i in range(4)]
BORDERS = ("--behaviour", "commute", "--borders", "x=60,y=60")
WORLD = """
cluster: {protocol_id: 1}
gateways:
  - {name: gateway-0, listen: ["127.0.0.1:0"]}
zones:
  - {name: zone-0, rect: {x_m: 0, y_m: 0, width_m: 60, height_m: 60}, creatures: 10}
  - {name: zone-1, rect: {x_m: 60, y_m: 0, width_m: 60, height_m: 60}, creatures: 10}
  - {name: zone-2, rect: {x_m: 0, y_m: 60, width_m: 60, height_m: 60}, creatures: 10}
  - {name: zone-3, rect: {x_m: 60, y_m: 60, width_m: 60, height_m: 60}, creatures: 10}
"""
WITH_MATCHMAKER = WORLD + "matchmaker: {name: matchmaker-0, silence_ms: 20000}\n"
WITH_SPARE = WITH_MATCHMAKER.replace("matchmaker: {", "  - {name: zone-4, max_entities: 4096}\nmatchmaker: {")


@pytest.fixture(autouse=True)
def programs_are_built():
    need("swarm")


def started(make_cluster, tmp_path, text):
    config = tmp_path / "world.yaml"
    config.write_text(text, encoding="utf-8")
    return make_cluster(config=config).up()


def total(cluster, series):
    """The sum of a metric over all zones; NaN while one of them can't be asked."""
    return sum(cluster.metrics(zone).get(f"march_zone_{series}", float("nan")) for zone in ZONES)


def is_settled(cluster, players):
    """Nobody is between two zones, nor was for a second, and as many are in some zone as there are."""
    done = total(cluster, "handoffs_done_total")
    time.sleep(1)
    return (total(cluster, "handoffs") == 0 and total(cluster, "players") == players
            and total(cluster, "handoffs_done_total") == done)


@pytest.mark.parametrize("text", [WORLD, WITH_MATCHMAKER], ids=["fixed", "matchmaker"])
def test_crossing_borders_drops_and_doubles_nobody(make_cluster, tmp_path, text):
    cluster = started(make_cluster, tmp_path, text)
    with Bots(cluster, CLIENTS, *BORDERS) as bots:
        wait_until(lambda: total(cluster, "handoffs_done_total") >= 2 * CLIENTS, "borders were crossed", 60)
        bots.process.send_signal(signal.SIGSTOP)  # their inputs end: all stand still after half a second
        try:
            wait_until(lambda: is_settled(cluster, CLIENTS), "each is in one zone")
            assert is_settled(cluster, CLIENTS)  # and stays there
        finally:
            bots.process.send_signal(signal.SIGCONT)
    assert bots.report["errors"] == 0 and bots.report["disconnected"] == 0, bots.report  # they got less while they were stopped
    assert bots.report["continuity"]["crossings"] >= 2 * CLIENTS
    assert total(cluster, "handoffs_lost_total") == 0
    assert cluster.metrics("gateway-0")["march_gateway_transfers_lost_total"] == 0
    wait_until(lambda: is_settled(cluster, 0), "all left")


def test_crossing_players_outlive_their_gateway_once(make_cluster, tmp_path):
    """A gateway that is killed leaves its players behind; who comes back gets the one there is."""
    cluster = started(make_cluster, tmp_path, WITH_MATCHMAKER)
    with Bots(cluster, CLIENTS, "--reconnect", *BORDERS) as bots:
        wait_until(lambda: total(cluster, "handoffs_done_total") >= CLIENTS, "borders were crossed", 60)
        os.kill(cluster.process("gateway-0")["pid"], signal.SIGKILL)
        wait_until(lambda: total(cluster, "link_dead") > 0, "there are players without a gateway")
        wait_until(lambda: cluster.playing() == CLIENTS and total(cluster, "link_dead") == 0, "all are back", 60)
        bots.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: is_settled(cluster, CLIENTS), "each is in one zone")
            assert is_settled(cluster, CLIENTS)  # and stays there
        finally:
            bots.process.send_signal(signal.SIGCONT)
    assert total(cluster, "handoffs_lost_total") == 0
    wait_until(lambda: is_settled(cluster, 0), "all left")


def test_drain_tells_for_how_long_players_were_between_zones(make_cluster, tmp_path):
    cluster = started(make_cluster, tmp_path, WITH_SPARE)
    with Bots(cluster, CLIENTS) as bots:
        players = wait_until(lambda: total(cluster, "players") == CLIENTS and cluster.metrics("zone-0")["march_zone_players"],
                             "some are in zone-0")
        result = cluster.zonectl("drain", "zone-0", "--wait", "--json")
        assert result.returncode == 0, result.stderr
        told = json.loads(result.stdout)
    assert bots.report["disconnected"] == 0, bots.report
    assert told["state"] == "drained" and told["moved"] >= players / 2  # some may have walked away before it began
    assert 0 < told["gap_ms"]["p50"] <= told["gap_ms"]["p99"] <= told["gap_ms"]["max"] < 60000
