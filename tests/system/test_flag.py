"""`zonectl flag`; persists are fakes that answer as told."""

import json

import pytest

FLAGS = {"flags": {"loot": True, "trade": False}}


@pytest.fixture
def flagged(fake_lasting_cluster):
    fake_lasting_cluster.answer("persist-0", {"GET /v1/flags": FLAGS, "PUT /v1/flags/loot off": FLAGS})
    return fake_lasting_cluster.up()


def test_flags_are_shown_and_switched(flagged):
    result = flagged.zonectl("flag")
    assert result.returncode == 0 and result.stdout == "persist-0: loot on trade OFF\n"
    result = flagged.zonectl("flag", "--json", "loot", "off")
    assert result.returncode == 0 and json.loads(result.stdout) == {"persist-0": FLAGS["flags"]}


def test_unknown_flag_and_wrong_usage_are_told(flagged):
    result = flagged.zonectl("flag", "nothing", "on")
    assert result.returncode == 1 and "persist-0: no such flag" in result.stderr
    for args in (["loot"], ["loot", "maybe"], ["../x", "on"], ["loot", "on", "off"]):
        assert flagged.zonectl("flag", *args).returncode == 2


def test_no_cluster_is_told(fake_lasting_cluster):
    assert fake_lasting_cluster.zonectl("flag").returncode == 3
