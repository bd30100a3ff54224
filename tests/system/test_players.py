"""Players and what they own, over real processes: one session a player, commands, and persist away and back."""

import json
import os
import signal
import subprocess

from conftest import SHIPPED_CONFIG, edited, need, wait_until

READS = {"inventory", "guild_info", "board", "profile"}
PLAYERS = 5_000_000  # player numbers of these tests


def swarm(cluster, *args, players=PLAYERS):
    """Starts a swarm in the background; its report comes as JSON."""
    need("swarm")
    return subprocess.Popen(
        [cluster.bin_dir / "swarm", "--run-dir", cluster.run_dir, "--json", "--players", str(players), *map(str, args)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, timeout_s=150):
    """The report of a swarm that ends by itself, and what it said."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    return (json.loads(out) if out else None), err


def stop(process):
    process.send_signal(signal.SIGINT)
    return finish(process)


def done(cluster):
    """How many commands persist has carried out."""
    return cluster.metrics("persist-0").get('march_persist_command_results_total{status="ok"}', 0)


def ledger(path):
    """The commands of a ledger, without what bots saw."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "verb" in line]


def commands_in_database(cluster):
    """What persist remembers of clients' commands: {(player, key): (status, object)}."""
    rows = cluster.sql("select player, key, status, object from commands where domain = 1")
    return {(int(p), int(k) % 2**64): (int(s), int(o)) for p, k, s, o in rows}


def check_ledger(cluster, lines):
    """Every change that a bot was told is done stands in the database, once, with the object that the bot was told."""
    known = commands_in_database(cluster)
    done = [line for line in lines if line["status"] == "ok" and line["verb"] not in READS]
    for line in done:
        assert known.get((line["player"], line["key"])) == (0, line["object"]), line
    return len(done)


def test_bots_own_and_deal(make_lasting_cluster, tmp_path):
    cluster = make_lasting_cluster().up()
    bots = swarm(cluster, "-c", 30, "-d", 600, "-b", "live", "--pace", 300, "--ledger", tmp_path / "ledger")
    wait_until(lambda: done(cluster) > 200, "they have done much")
    wait_until(lambda: cluster.metrics("persist-0").get("march_persist_grants_applied_total", 0) > 10, "and looted")
    report, said = stop(bots)
    assert report and report["connected"] == 30 and report["disconnected"] == 0, said + cluster.logs()
    commands = report["commands"]
    assert commands["unknown"] == 0 and commands["answered"] > 100 and commands["statuses"]["ok"] > 50, commands
    assert commands["items"] > 0 or commands["gold"] > 0, commands
    assert check_ledger(cluster, ledger(tmp_path / "ledger")) > 10
    again, said = finish(swarm(cluster, "-c", 30, "-d", 3, "-b", "loot"))
    assert again["commands"]["items"] + again["commands"]["gold"] > 0, (again["commands"], said)


def test_second_login_ends_the_first(make_lasting_cluster):
    cluster = make_lasting_cluster().up()
    first = swarm(cluster, "-c", 3, "-d", 600, "-b", "live")
    wait_until(lambda: cluster.playing() == 3, "the first play")
    second = swarm(cluster, "-c", 3, "-d", 600, "-b", "live")
    report, said = finish(first, 60)
    assert report["disconnected"] == 3 and said.count("the player came in elsewhere") >= 1, said + cluster.logs()
    report, said = stop(second)
    assert report["connected"] == 3 and report["disconnected"] == 0, said


def test_second_login_at_another_gateway_ends_the_first(make_lasting_cluster, tmp_path):
    config = edited(tmp_path, ("zones:\n", "  - {name: gateway-1, listen: [\"127.0.0.1:0\", \"[::1]:0\"]}\n\nzones:\n"),
                    source=SHIPPED_CONFIG)
    cluster = make_lasting_cluster(config=config).up()
    first = swarm(cluster, "-c", 1, "-d", 600, "-b", "live")
    wait_until(lambda: cluster.playing() == 1, "the first plays")
    address = (cluster.run_dir / "gateway-1.udp").read_text(encoding="ascii").split()[0]
    second = swarm(cluster, "-c", 1, "-d", 600, "-b", "live", "--server", address)
    report, said = finish(first, 60)
    assert report["disconnected"] == 1, said + cluster.logs()
    wait_until(lambda: cluster.metrics("gateway-1").get('march_gateway_sessions{state="playing"}') == 1, "the second plays")
    assert cluster.metrics("gateway-0")['march_gateway_sessions_ended_total{reason="taken_over"}'] == 1
    report, said = stop(second)
    assert report["disconnected"] == 0, said


def test_play_goes_on_while_persist_is_dead(make_lasting_cluster, tmp_path):
    cluster = make_lasting_cluster().up()
    bots = swarm(cluster, "-c", 20, "-d", 600, "-b", "live", "--pace", 200, "--ledger", tmp_path / "ledger")
    wait_until(lambda: cluster.playing() == 20, "all play")
    for _ in range(3):
        pid = cluster.process("persist-0")["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda old=pid: (p := cluster.process("persist-0")) and p["pid"] not in (None, 0, old), "persist is back")
        wait_until(lambda: cluster.metrics("gateway-0").get('march_gateway_persist_state{persist="persist-0"}') == 2, "known")
        wait_until(lambda: cluster.playing() == 20, "all play")
        wait_until(lambda: done(cluster) > 20, "it does what they ask")
    report, said = stop(bots)
    commands = report["commands"]
    assert report["disconnected"] == 0 and report["errors"] == 0, said + cluster.logs()
    assert commands["unknown"] == 0 and commands["unavailable"] > 0, commands
    check_ledger(cluster, ledger(tmp_path / "ledger"))


def test_bots_come_back_after_their_gateway_died(make_lasting_cluster, tmp_path):
    cluster = make_lasting_cluster().up()
    bots = swarm(cluster, "-c", 10, "-d", 600, "-b", "live", "--pace", 300, "--reconnect", "--ledger", tmp_path / "ledger")
    wait_until(lambda: cluster.playing() == 10, "all play")
    os.kill(cluster.process("gateway-0")["pid"], signal.SIGKILL)
    wait_until(lambda: cluster.playing() == 10, "all play again")
    before = done(cluster)
    wait_until(lambda: done(cluster) > before + 20, "and are served")
    report, said = stop(bots)
    assert report["commands"]["reconnects"] >= 10 and report["commands"]["unknown"] == 0, said + cluster.logs()
    check_ledger(cluster, ledger(tmp_path / "ledger"))
