"""Players whose gateway was killed stay in the world, go along where a zone is emptied, and are found there."""

import os
import signal
import time

import pytest
from conftest import Bots, SEGMENT_BYTES, need, wait_until

CLIENTS = 12  # every other one by the same gateway
FIRST_PLAYER = 1000
LINK_DEAD_S = 600
DRAIN_S = 60  # sanitized, and on a busy machine; it takes one second
WORLD = f"""
cluster: {{protocol_id: 1}}
gateways:
  - {{name: gateway-0, listen: ["127.0.0.1:0"]}}
  - {{name: gateway-1, listen: ["127.0.0.1:0"]}}
zones:
  - {{name: zone-0, rect: {{x_m: 0, y_m: 0, width_m: 60, height_m: 60}}, creatures: 5}}
  - {{name: zone-1}}
matchmaker: {{name: matchmaker-0, silence_ms: 20000}}
persists:
  - {{name: persist-0}}
persist: {{journal_segment_bytes: {SEGMENT_BYTES}, journal_bytes_max: {8 * SEGMENT_BYTES}}}
limits: {{link_dead_s: {LINK_DEAD_S}}}
"""


@pytest.fixture
def cluster(make_cluster, tmp_path, postgres_template):
    need("zonectl", "gateway", "zone", "matchmaker", "persist", "swarm")
    config = tmp_path / "world.yaml"
    config.write_text(WORLD, encoding="utf-8")
    cluster = make_cluster(config=config).use_template().up()
    playing = 'march_gateway_sessions{state="playing"}'
    cluster.playing = lambda: sum(cluster.metrics(name).get(playing, 0) for name in ("gateway-0", "gateway-1"))
    return cluster


def metric(cluster, zone, name):
    return cluster.metrics(zone).get(f"march_zone_{name}", float("nan"))


def test_link_dead_players_are_drained_and_resumed(cluster):
    with Bots(cluster, CLIENTS, "--behaviour", "stand", "--players", FIRST_PLAYER):
        os.kill(cluster.process("gateway-1")["pid"], signal.SIGKILL)
        link_dead = wait_until(lambda: metric(cluster, "zone-0", "link_dead"), "there are players without a gateway")
        begun = time.monotonic()
        result = cluster.zonectl("drain", "zone-0", "--wait")
        assert result.returncode == 0, result.stdout + result.stderr + cluster.logs()
        assert time.monotonic() - begun < DRAIN_S
        assert metric(cluster, "zone-0", "handoffs_given_total") == link_dead
        assert metric(cluster, "zone-0", "players") == metric(cluster, "zone-0", "handoffs") == 0
        wait_until(lambda: metric(cluster, "zone-1", "link_dead") == link_dead, "they are at the spare")
        wait_until(lambda: metric(cluster, "zone-1", "players") == CLIENTS, "all are")
    wait_until(lambda: metric(cluster, "zone-1", "players") == link_dead, "the others left, they did not")

    resumed = metric(cluster, "zone-1", "resumed_total")
    with Bots(cluster, CLIENTS, "--behaviour", "stand", "--players", FIRST_PLAYER + 1):  # each by the other gateway
        wait_until(lambda: metric(cluster, "zone-1", "link_dead") == 0, "all are back")
        assert metric(cluster, "zone-1", "resumed_total") - resumed == link_dead
        wait_until(lambda: metric(cluster, "zone-1", "players") == CLIENTS, "the others are, too")
        assert metric(cluster, "zone-0", "players") == 0
    assert metric(cluster, "zone-0", "handoffs_lost_total") + metric(cluster, "zone-1", "handoffs_lost_total") == 0
    wait_until(lambda: metric(cluster, "zone-1", "players") == 0, "all left")
