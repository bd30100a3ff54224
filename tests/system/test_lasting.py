"""What players are survives: leaving and joining again, and the sudden death of a persist and of a zone; a persist without its
databases says so and stays."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

from conftest import BIN_DIR, WAIT_S, Bots, need, run, wait_until

PLAYER = 77  # of the example client
FLUSH_S = 40  # within which PostgreSQL has what has happened: often the interval, on a slow machine


def get(cluster, path, name="persist-0"):
    """What a persist's HTTP endpoint says: (status, body)."""
    address = (cluster.run_dir / f"{name}.http").read_text(encoding="ascii").strip()
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as reply:
            return reply.status, json.loads(reply.read() or "null") if path.startswith("/v1") else None
    except urllib.error.HTTPError as error:
        return error.code, None


def states(cluster):
    """What PostgreSQL has of players: {player: (experience, level, x, y, session epoch)}."""
    rows = cluster.sql("select player, experience, level, x, y, session_epoch from player_state")
    return {int(row[0]): tuple(int(value) for value in row[1:]) for row in rows}


def flushed(cluster, what):
    """The states once every player's is as it was reported last."""
    wait_until(lambda: cluster.metrics("persist-0").get("march_persist_motion_dirty") == 0, what, FLUSH_S)
    return states(cluster)


class Example:
    """The example client in the world: what it prints about itself."""

    def __init__(self, cluster):
        need("example")
        self.process = subprocess.Popen([cluster.bin_dir / "example"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.process.stdin.write(cluster.zonectl("token", "--player", str(PLAYER)).stdout)
        self.process.stdin.close()

    def until(self, pattern):
        """Reads on until a line is as asked for; returns the numbers in it."""
        for line in self.process.stdout:
            if match := re.search(pattern, line):
                return [float(group) for group in match.groups()]
        raise AssertionError("the example has ended")

    def where(self):
        return self.until(r"me \S+ kind 1 at ([-0-9.]+), ([-0-9.]+) m")

    def leave(self):
        self.process.send_signal(signal.SIGINT)
        self.process.stdout.read()
        assert self.process.wait(timeout=WAIT_S) == 0


def test_player_who_comes_back_is_where_and_what_he_was(make_lasting_cluster):
    cluster = make_lasting_cluster().up()
    first = Example(cluster)
    assert first.until(r"level (\d+), (\d+) experience") == [1, 0]
    first.where()
    first.leave()
    wait_until(lambda: cluster.status()["players"] == 0, "it has left")
    before = flushed(cluster, "the last state is written")[PLAYER]
    assert before[:2] == (0, 1)
    # Somebody gives it experience while it is away: what it comes back with is what the database says.
    cluster.down()
    cluster.up()
    cluster.sql(f"update player_state set experience = 350, level = 3 where player = {PLAYER}")
    cluster.redis("flushall")
    second = Example(cluster)
    assert second.until(r"level (\d+), (\d+) experience") == [3, 350]
    x, y = second.where()
    second.leave()
    assert abs(x - before[2] / 65536) < 8 and abs(y - before[3] / 65536) < 8  # it walks in a circle of a few metres


def test_bots_have_what_they_had_after_the_whole_cluster_was_killed(make_lasting_cluster):
    cluster = make_lasting_cluster().up()
    with Bots(cluster, 20, "-b", "live", "--players", 9_000_000) as _:
        wait_until(lambda: sum(s[0] > 0 for s in states(cluster).values()) >= 5, "some have learnt", 60)
        wait_until(lambda: cluster.metrics("persist-0").get("march_persist_grants_applied_total", 0) > 10, "and looted")
    before = flushed(cluster, "all is written")
    golds = dict(cluster.sql("select owner, gold from accounts where owner_kind = 1"))
    for pid in cluster.pids():
        os.kill(pid, signal.SIGKILL)
    cluster.tear_down()
    cluster.up()
    assert dict(cluster.sql("select owner, gold from accounts where owner_kind = 1")) == golds
    with Bots(cluster, 20, "-b", "roam", "--players", 9_000_000) as _:
        pass
    after = flushed(cluster, "all is written again")
    assert set(before) == set(after)
    for player, state in before.items():
        assert after[player][0] >= state[0] and after[player][1] >= state[1] and after[player][4] > state[4], (player, state)
    status, audit = get(cluster, "/v1/audit/world")
    assert status == 200 and audit["holds"], audit


def test_journal_that_is_gone_is_missed_unless_told_otherwise(make_lasting_cluster):
    cluster = make_lasting_cluster().up()
    with Bots(cluster, 10, "-b", "fight", "--players", 9_300_000) as _:
        pass
    before = flushed(cluster, "all is written")
    wait_until(lambda: int(cluster.sql("select position from watermark")[0][0]) > 0, "the database knows its journal")
    old = cluster.sql("select journal_id from watermark")
    assert cluster.down().returncode == 0
    shutil.move(cluster.run_dir / "journal", cluster.run_dir / "journal.away")
    refused = cluster.try_up()
    assert refused.returncode == 1
    assert "the database was fed from another journal" in refused.stderr and "--new-journal" in refused.stderr
    cluster.up("--new-journal")
    assert set(before) <= set(states(cluster))
    with Bots(cluster, 10, "-b", "fight", "--players", 9_300_000) as _:
        wait_until(lambda: cluster.sql("select journal_id from watermark") != old, "the new one is the journal now", FLUSH_S)
    assert cluster.down().returncode == 0
    cluster.up()


def test_killed_persist_loses_nothing_that_was_reported(make_lasting_cluster):
    cluster = make_lasting_cluster().up()
    with Bots(cluster, 20, "-b", "live", "--players", 9_100_000) as bots:
        for _ in range(3):
            granted = cluster.metrics("persist-0")["march_persist_grants_added_total"]
            wait_until(lambda old=granted: cluster.metrics("persist-0")["march_persist_grants_added_total"] > old + 5, "loot", 60)
            known = states(cluster)
            pid = cluster.process("persist-0")["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda old=pid: (p := cluster.process("persist-0")) and p["ready"] and p["pid"] != old, "it is back")
            wait_until(lambda: cluster.metrics("zone-0").get("march_zone_persists_held") == 1, "zones hold their leases")
            wait_until(lambda: cluster.playing() == 20, "all play")
            now = states(cluster)
            assert all(now[player][0] >= state[0] for player, state in known.items())
    assert bots.report["disconnected"] == 0 and bots.report["errors"] == 0, bots.report
    flushed(cluster, "all is written")
    zones = [cluster.metrics(f"zone-{i}") for i in range(4)]
    assert sum(zone["march_zone_grants_lost_total"] for zone in zones) == 0
    assert sum(zone["march_zone_grants_waiting"] for zone in zones) == 0
    # Every kill was granted once: who has experience has 20 for each of its loot.
    loot = dict(cluster.sql("select player, count(*) from commands where domain = 2 group by player"))
    for player, state in states(cluster).items():
        assert state[0] == 20 * int(loot.get(str(player), 0)), (player, state, loot)
    status, audit = get(cluster, "/v1/audit/world")
    assert status == 200 and audit["holds"], audit


def test_killed_zone_gives_its_players_back_as_they_were(make_lasting_cluster):
    cluster = make_lasting_cluster().up()
    with Bots(cluster, 20, "-b", "live", "--players", 9_200_000) as bots:
        wait_until(lambda: sum(s[0] > 0 for s in states(cluster).values()) >= 5, "some have learnt", 60)
        before = states(cluster)
        epochs = dict(cluster.sql("select partition, epoch from leases"))
        zones = ["zone-0", "zone-1", "zone-2", "zone-3"]
        for name in zones:
            os.kill(cluster.process(name)["pid"], signal.SIGKILL)
        wait_until(lambda: cluster.metrics("gateway-0").get("march_gateway_zone_losses_total") == 4, "the losses are noticed")
        wait_until(lambda: cluster.playing() == 20, "all play again")
    assert bots.report["disconnected"] == 0, bots.report
    after = flushed(cluster, "all is written")
    assert all(after[player][0] >= state[0] for player, state in before.items())
    now = dict(cluster.sql("select partition, epoch from leases"))
    assert all(int(now[zone]) > int(epochs[zone]) for zone in zones)


def test_persist_waits_for_a_database_that_is_away_and_says_so(make_lasting_cluster, tmp_path):
    cluster = make_lasting_cluster()
    run_dir = tmp_path / "waiting"
    (run_dir / "ipc").mkdir(parents=True)
    for suffix, text in (("postgres", f"postgresql:///march_0?host={run_dir}"), ("redis", f"unix://{run_dir}/redis.sock")):
        (run_dir / f"persist-0.{suffix}").write_text(text, encoding="ascii")
    cluster.run_dir = run_dir
    log = tmp_path / "persist.log"
    with open(log, "w", encoding="utf-8") as out:
        persist = subprocess.Popen([BIN_DIR / "persist", "--config", cluster.config, "--name", "persist-0", "--run-dir", run_dir],
                                   stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "postgres.awaited" in log.read_text(encoding="utf-8"), "it says so")
        wait_until(lambda: (run_dir / "persist-0.http").exists(), "it can be asked")
        assert get(cluster, "/health")[0] == 200
        assert get(cluster, "/ready")[0] == 503
        assert persist.poll() is None and get(cluster, "/status")[0] == 200
        persist.send_signal(signal.SIGTERM)
        assert persist.wait(timeout=WAIT_S) == 1
    finally:
        persist.kill()
        persist.wait()


def test_persist_stays_ready_without_its_databases(make_lasting_cluster):
    cluster = make_lasting_cluster().up()
    with Bots(cluster, 10, "-b", "live", "--players", 9_300_000) as bots:
        for name, series in (("postgres", "march_persist_postgres_available"), ("redis", "march_persist_redis_available")):
            server = cluster.process(name)["pid"]
            family = [server] + [int(pid) for pid in run("pgrep", "-P", server).stdout.split()]
            for pid in family:
                os.kill(pid, signal.SIGSTOP)
            try:
                wait_until(lambda of=series: cluster.metrics("persist-0").get(of) == 0, f"the loss of {name} is noticed")
                assert get(cluster, "/ready")[0] == 200
                wait_until(lambda: cluster.playing() == 10, "all play")
            finally:
                for pid in family:
                    with contextlib.suppress(ProcessLookupError):  # the supervisor may have ended it
                        os.kill(pid, signal.SIGCONT)
            wait_until(lambda of=series: cluster.metrics("persist-0").get(of) == 1, f"{name} is back")
    assert bots.report["disconnected"] == 0 and bots.report["errors"] == 0, bots.report
