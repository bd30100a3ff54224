"""`zonectl audit` and what it adds up over shards; persists are fakes that answer as told."""

import json

import pytest
from conftest import SHIPPED_CONFIG, edited, fake_programs, need

WORLD = "GET /v1/audit/world"


def with_two_shards(folder):
    return edited(folder, ("  - name: persist-0\n", "  - name: persist-0\n  - name: persist-1\n"), source=SHIPPED_CONFIG)


@pytest.fixture(scope="module")
def two_shards(tmp_path_factory, postgres_template):
    """A cluster of fakes that answer to all tests of this module, each as it is told."""
    need("zonectl")
    folder = tmp_path_factory.mktemp("shards")
    cluster = fake_programs(folder, config=with_two_shards(folder)).use_template().up()
    yield cluster
    cluster.tear_down()


def books(shard, abroad, holds=True, **more):
    kinds = [{"kind": 0, "created": 10, "destroyed": 1, "abroad": abroad, "exists": 9 - abroad}]
    return {WORLD: {"shard": shard, "shards": 2, "holds": holds, "kinds": kinds, "open": [], "applied": [],
                    "differences": []} | more}


def audit(cluster, *args):
    result = cluster.zonectl("audit", "--json", *args)
    return result.returncode, json.loads(result.stdout) if result.stdout else result.stderr


def test_player_is_asked_of_its_own_shard(two_shards):
    for i in range(2):
        two_shards.answer(f"persist-{i}", {
            f"GET /v1/audit/players/{player}": {"player": player, "holds": i == 0, "entries": 1, "items": 0, "gold": 3,
                                                "differences": [{"item": 9, "kind": 2, "expected": 5, "found": 6}]}
            for player in range(1, 20)})
    codes = {audit(two_shards, "player", player)[0] for player in range(1, 20)}
    assert codes == {0, 1}
    assert "item 9 of kind 2 (herb): 5 by the events, 6 there" in two_shards.zonectl("audit", "player", "1").stdout


def test_player_of_whom_nothing_is_known_is_said_to_be(two_shards):
    for i in range(2):
        two_shards.answer(f"persist-{i}", {
            f"GET /v1/audit/players/{player}": {"player": player, "holds": True, "known": player == 1, "entries": 0, "items": 0,
                                                "gold": 0, "differences": []} for player in (1, 2)})
    result = two_shards.zonectl("audit", "player", "1")
    assert result.returncode == 0 and "holds" in result.stdout
    result = two_shards.zonectl("audit", "player", "2")
    assert result.returncode == 7 and result.stdout == "player 2: nothing is known of it\n"
    code, answer = audit(two_shards, "player", 2)
    assert code == 7 and answer["known"] is False


def test_world_holds_when_shards_agree(two_shards):
    two_shards.answer("persist-0", books(0, 3))
    two_shards.answer("persist-1", books(1, -3))
    code, answer = audit(two_shards, "world")
    assert code == 0 and answer["holds"] and answer["between"] == []
    assert "the world holds" in two_shards.zonectl("audit", "world").stdout


def test_world_counts_a_transfer_under_way_once(two_shards):
    transfer = [{"transfer": 77, "shard": 1, "kind": 0, "amount": 3}]
    two_shards.answer("persist-0", books(0, 0, open=transfer))
    two_shards.answer("persist-1", books(1, -3, applied=[77]))
    assert audit(two_shards, "world")[0] == 0
    two_shards.answer("persist-1", books(1, 0))  # not there yet
    assert audit(two_shards, "world")[0] == 0
    two_shards.answer("persist-1", books(1, -3, applied=[78]))
    code, answer = audit(two_shards, "world")
    assert code == 1 and answer["between"] == [{"kind": 0, "amount": -3}]


def test_world_differs_where_a_shard_does(two_shards):
    difference = {"owner_kind": 2, "owner": 5, "item": 0, "kind": 0, "expected": 1, "found": 2}
    two_shards.answer("persist-0", books(0, 0, holds=False, differences=[difference]))
    two_shards.answer("persist-1", books(1, 0))
    assert audit(two_shards, "world")[0] == 1
    assert "guild 5: gold: 1 by the events, 2 there" in two_shards.zonectl("audit", "world").stdout


def test_without_an_answer_nothing_is_claimed(fake_lasting_cluster, tmp_path):
    fake_lasting_cluster.config = with_two_shards(tmp_path)
    fake_lasting_cluster.up().answer("persist-0", books(0, 0))
    code, error = audit(fake_lasting_cluster, "world")
    assert code == 1 and "persist-1 answers with" in error
    fake_lasting_cluster.down()
    assert audit(fake_lasting_cluster, "world")[0] == 3


def test_usage(fake_cluster):
    for args in ([], ["player"], ["player", "0"], ["player", "x"], ["world", "1"], ["moon"]):
        assert fake_cluster.zonectl("audit", *args).returncode == 2
    fake_cluster.up()
    result = fake_cluster.zonectl("audit", "world")
    assert result.returncode == 1 and "has no persists" in result.stderr
