"""Two and three shards under live bots, while each persist and the database are killed: what crosses arrives once."""

import json
import os
import random
import signal
import time
import urllib.error
import urllib.request

import pytest
from conftest import BIN_DIR, SHIPPED_CONFIG, Bots, edited, need, run, wait_until
from test_players import READS, finish, ledger, swarm

PLAYERS = 7_000_000
BOTS = 40
ROUNDS = 2
SETTLED_S = 60  # an offer is made again after 2 s, a database is tried again within 2 s
CROSSED_MIN = 10
CLIENT, TRANSFER = 1, 3  # domains of keys
OK = 0


def shard_of_player(player, shards):
    """As common/shard.h: the finaliser of splitmix64."""
    mask = 2**64 - 1
    player = player + 0x9E3779B97F4A7C15 & mask
    player = (player ^ player >> 30) * 0xBF58476D1CE4E5B9 & mask
    player = (player ^ player >> 27) * 0x94D049BB133111EB & mask
    return (player ^ player >> 31) % shards


def shard_of_id(number):
    return number >> 48


def names(shards):
    return [f"persist-{i}" for i in range(shards)]


def config_of(tmp_path, shards):
    """The shipped configuration with so many persists."""
    return edited(tmp_path, ("  - name: persist-0\n", "".join(f"  - name: {name}\n" for name in names(shards))),
                  source=SHIPPED_CONFIG)


def answers(cluster, shards):
    """What the databases keep: a dict {(domain, player, key): (status, object)} for each shard."""
    kept = []
    for name in names(shards):
        rows = cluster.sql("select domain, player, key, status, object from commands", name)
        kept.append({(int(d), int(p), int(k) % 2**64): (int(s), int(o)) for d, p, k, s, o in rows})
    return kept


def is_back(cluster, name, old_pid):
    return (process := cluster.process(name)) and process["pid"] not in (None, 0, old_pid) and process["ready"]


def kill_in_turn(cluster, shards, seed):
    """Kills each persist and the database, in an order and at times drawn from a seed, each when the one before is back."""
    draw = random.Random(seed)
    victims = [name for _ in range(ROUNDS) for name in draw.sample([*names(shards), "postgres"], shards + 1)]
    for name in victims:
        pid = cluster.process(name)["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda name=name, pid=pid: is_back(cluster, name, pid), f"{name} is back, of {victims} by seed {seed}")
        time.sleep(draw.uniform(0.2, 1.5))


def settled(cluster, shards):
    """Whether nothing is on its way: no shard has a transfer that waits for an answer."""
    metrics = [cluster.metrics(name) for name in names(shards)]
    return (all(m.get("march_persist_transfers_outstanding") == 0 and m["march_persist_peers_up"] == shards - 1 for m in metrics)
            and all(cluster.sql("select count(*) from transfers", name) == [["0"]] for name in names(shards)))


def check_each_is_kept_once(kept, lines):
    """Every command that was acknowledged is in the database of its player's shard, as it was answered, and in no other."""
    for line in lines:
        where = [i for i, shard in enumerate(kept) if (CLIENT, line["player"], line["key"]) in shard]
        assert where == [shard_of_player(line["player"], len(kept))], (line, where)
        assert kept[where[0]][CLIENT, line["player"], line["key"]] == (OK, line["object"]), line


def trades_that_crossed(kept, lines):
    """How many trades were done between the shards; for each acceptance that was sent both sides have the answer, once."""
    done = 0
    for line in lines:
        player, source, transfer = line["player"], shard_of_player(line["player"], len(kept)), line["object"]
        if line["verb"] != "trade_accept" or shard_of_id(line["of"]) == source:
            continue
        assert shard_of_id(transfer) == source, line
        there = kept[shard_of_id(line["of"])].get((TRANSFER, player, transfer))
        assert there is not None and kept[source].get((TRANSFER, player, transfer), (None,))[0] == OK, (line, there)
        done += there[0] == OK
    return done


@pytest.mark.parametrize("shards, seed", [(2, 1), (3, 2)])
def test_what_crosses_arrives_once_whoever_is_killed(make_lasting_cluster, tmp_path, shards, seed):
    cluster = make_lasting_cluster(config=config_of(tmp_path, shards)).up()
    bots = swarm(cluster, "-c", BOTS, "-d", 600, "-b", "live", "--pace", 150, "--seed", seed, "--ledger", tmp_path / "ledger",
                 players=PLAYERS)
    wait_until(lambda: cluster.playing() == BOTS, "all play")
    wait_until(lambda: cluster.metrics("persist-0").get("march_persist_peers_offers_sent_total", 0) > 2 * CROSSED_MIN,
               "they trade across the shards")
    kill_in_turn(cluster, shards, seed)
    wait_until(lambda: cluster.playing() == BOTS, "all play")
    bots.send_signal(signal.SIGINT)
    report, said = finish(bots)
    assert report["disconnected"] == 0 and report["errors"] == 0 and report["commands"]["unknown"] == 0, said + cluster.logs()
    wait_until(lambda: settled(cluster, shards), "nothing is on its way", SETTLED_S)

    result = cluster.zonectl("audit", "world", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    audit = json.loads(result.stdout)
    assert audit["holds"] and audit["between"] == [] and all(shard["open"] == [] for shard in audit["shards"]), audit
    lines = [line for line in ledger(tmp_path / "ledger") if line["status"] == "ok" and line["verb"] not in READS]
    assert {shard_of_player(line["player"], shards) for line in lines} == set(range(shards))
    kept = answers(cluster, shards)
    check_each_is_kept_once(kept, lines)
    assert trades_that_crossed(kept, lines) >= CROSSED_MIN


def test_shards_end_in_order_while_they_ask_each_other(make_lasting_cluster, tmp_path):
    cluster = make_lasting_cluster(config=config_of(tmp_path, 2)).up()
    with Bots(cluster, 20, "--behaviour", "live", "--pace", 50):
        for name in ("persist-0", "persist-1"):
            wait_until(lambda: cluster.metrics("persist-0").get("march_persist_boards_reads_total", 0) > 20, "boards are read")
            pid = cluster.process(name)["pid"]
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda old=pid, who=name: (p := cluster.process(who)) and p["ready"] and p["pid"] != old, "it is back")
            assert f"{name} (pid {pid}) exited with code 0" in cluster.events()


def ask(cluster, name, path):
    """What a persist answers over HTTP: status, body."""
    address = (cluster.run_dir / f"{name}.http").read_text(encoding="ascii").strip()
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def fill_board(cluster, scores):
    """Puts scores into the databases of both shards, in two regions, and has the boards made of them anew."""
    season = ask(cluster, "persist-0", "/v1/boards/gold")[1]["season"]
    for shard, name in enumerate(names(2)):
        rows = ",".join(f"('gold', {season}, {player}, '{'main' if player % 3 else 'north'}', {score})"
                        for player, score in scores.items() if shard_of_player(player, 2) == shard)
        cluster.sql(f"insert into scores (board, season, player, region, score) values {rows}", name)
        cluster.redis("flushdb", name=name)

    def is_there():
        status, board = ask(cluster, "persist-0", "/v1/boards/gold")
        return status == 200 and board["total"] == len(scores) and not board.get("stale")
    wait_until(is_there, "the boards are rebuilt")


def test_ranks_are_of_all_shards(make_lasting_cluster, tmp_path):
    cluster = make_lasting_cluster(config=config_of(tmp_path, 2)).up()
    draw = random.Random(5)
    scores = {player: draw.randrange(1, 40) for player in draw.sample(range(1, 1_000_000), 150)}
    fill_board(cluster, scores)
    board = sorted(scores, key=lambda player: (scores[player], str(player)), reverse=True)
    for i, player in enumerate(board):
        home = names(2)[shard_of_player(player, 2)]
        status, answer = ask(cluster, home, f"/v1/boards/gold/players/{player}?around=3")
        assert status == 200 and answer["total"] == len(board), answer
        assert answer["self"] == {"rank": i + 1, "player": player, "score": scores[player]}
        near = range(max(0, i - 3), min(len(board), i + 4))
        assert answer["entries"] == [{"rank": k + 1, "player": board[k], "score": scores[board[k]]} for k in near]

    player = next(player for player in board if shard_of_player(player, 2) == 0)
    pid = cluster.process("persist-1")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        for path in ("/v1/boards/gold?count=7", f"/v1/boards/gold/players/{player}?around=4"):
            status, answer = ask(cluster, "persist-0", path)
            assert status == 504 and answer["error"]["code"] == "timeout", (path, answer)
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("shard", ["0/2", "1/3"])
def test_persist_that_is_told_to_be_another_shard_does_not_start(tmp_path, shard):
    need("persist")
    result = run(BIN_DIR / "persist", "--config", config_of(tmp_path, 2), "--name", "persist-1", "--run-dir", tmp_path,
                 "--shard", shard)
    assert result.returncode == os.EX_CONFIG
    assert f"--shard {shard}: persist-1 is shard 1/2" in result.stdout + result.stderr
