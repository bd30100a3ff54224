"""What players own survives everything: a short list of seeds of chaos.py, whose long run is `make chaos`."""

import pathlib

import chaos
import pytest
from conftest import BIN_DIR, need

SEEDS = [122, 125]  # one shard, two shards; together they do to each process what can be done to it
SECONDS = 60


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_value_is_lost_or_doubled(tmp_path, postgres_template, seed):
    need("zonectl", "gateway", "zone", "persist", "swarm")
    print(chaos.run_seed(pathlib.Path(tmp_path) / "chaos", seed, SECONDS, BIN_DIR))


def kinds(seeds, shards):
    return {(f.action, f.target.rstrip("0123456789")) for seed in seeds for f in chaos.schedule(seed, SECONDS, shards(seed), True)}


def test_seeds_break_everything_once():
    done = kinds(SEEDS, lambda seed: 1 + seed % 2)
    assert {("kill", name) for name in ("persist-", "zone-", "gateway-", "matchmaker-", "postgres", "redis")} <= done
    assert {("stop", name) for name in ("persist-", "zone-", "gateway-", "matchmaker-", "postgres", "redis")} <= done
    assert {("end", name) for name in ("persist-", "zone-", "gateway-", "matchmaker-", "redis")} <= done
    assert {("shut", "postgres"), ("fill", "persist-")} <= done


def test_schedule_is_a_function_of_its_seed():
    assert chaos.schedule(5, 60, 2, True) == chaos.schedule(5, 60, 2, True)
    assert chaos.schedule(5, 60, 2, True) != chaos.schedule(6, 60, 2, True)
    assert {("kill", "persist-"), ("stop", "postgres"), ("shut", "postgres"), ("fill", "persist-"), ("stop", "zone-"),
            ("kill", "gateway-"), ("kill", "redis"), ("end", "persist-"), ("kill", "matchmaker-"), ("stop", "matchmaker-"),
            ("end", "matchmaker-")} <= kinds(range(50), lambda seed: 2)
