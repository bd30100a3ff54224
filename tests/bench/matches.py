"""The benchmarks of matches: announced while many wait, players on their way into instances, small instances in one zone.

A part is a generator of rows, as those of world.py. Alone: matches.py [--mode release] [--out DIR] announced travels small.
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import world
from world import gnuplot, metrics, say

QUEUED = 100000
SCENE_S = 36  # of each of bench_matches: 30 of them count, in which the kernel writes out what is dirty once
SCENE_PLAYERS = 400000  # who are there to be rated
TRAVELLERS = 200
SMALL_INSTANCES = 200
SMALL_PLAYERS = 5
SMALL_CREATURES = 20
SMALL_RATE = 10  # of inputs and snapshots
CLIENTS_NICE = 10  # clients have machines of their own

ANNOUNCED = """cluster: {name: bench, protocol_id: 78}
matchmaker: {name: matchmaker-0, modes: modes, silence_ms: 20000}
gateways:
  - {name: gateway-0, listen: ["127.0.0.1:0"]}
zones:
  - {name: zone-0, rect: {x_m: 0, y_m: 0, width_m: 512, height_m: 512}}
  - {name: zone-1}
  - {name: zone-2}
  - {name: zone-3}
  - {name: zone-4}
persists:
  - {name: persist-0}
instances: {blocks: 4, cells: 1024, side_m: 32, templates: instances}
"""
PLAYED = """cluster: {{name: bench, protocol_id: 79}}
matchmaker: {{name: matchmaker-0, modes: modes, silence_ms: 20000}}
gateways:
  - {{name: gateway-0, listen: ["127.0.0.1:0"]}}
zones:
  - {{name: zone-0, rect: {{x_m: 0, y_m: 0, width_m: 512, height_m: 512}}, creatures: 0}}
  - {{name: zone-1}}
persists:
  - {{name: persist-0}}
instances: {{blocks: 1, cells: 256, side_m: 32, templates: instances}}
world: {{tick_hz: {tick_hz}, snapshot_hz: {snapshot_hz}, view_radius_m: 40, view_max: 256}}
limits: {{prefix_packets_per_s: 1000000, prefix_burst: 1000000}}
"""
# A PostgreSQL that has run for a while has segments of its log to use again, and makes none of 16 MB every four seconds.
LOG_SEGMENTS = """do $$ begin for i in 1..30 loop perform pg_logical_emit_message(false, 'bench', 'x'), pg_switch_wal(); end loop; end $$"""
# Anybody matches anybody, and nobody is asked, so what is measured is the way and not the wait.
WIDE = "window_start: 10000\nwindow_max: 10000\nbalance_max: 10000\n"
MODES = {
    "pair": f"name: pair\ninstance: quick\nteams: 2\nteam_size: 1\n{WIDE}",
    "five": f"name: five\ninstance: quick\nteams: 2\nteam_size: 5\n{WIDE}",
    "ranks": f"name: ranks\ninstance: quick\nteams: 2\nteam_size: 5\ntimeout_ms: 3600000\n{WIDE}"
             "roles:\n  - {name: carry, per_team: 3}\n  - {name: ward, per_team: 2}\n",
    "cave": f"name: cave\ninstance: cave\nteams: 1\nteam_size: {SMALL_PLAYERS}\n{WIDE}",
}
TEMPLATES = {
    "quick": "name: quick\nside_m: 24\ncapacity: 10\ntime_limit_s: 4\nends: [empty]\nempty_s: 60\nwin: {gold: 2}\nlose: {gold: 1}\n",
    "cave": f"name: cave\nside_m: 24\ncapacity: {SMALL_PLAYERS}\ntime_limit_s: 600\nends: [empty]\nempty_s: 60\n"
            f"waves:\n  - {{creatures: {SMALL_CREATURES}, health_percent: 10000}}\n",
}


def write_config(folder, text):
    """A folder's cluster.yaml, with modes and templates beside it."""
    for name, files in (("modes", MODES), ("instances", TEMPLATES)):
        (folder / name).mkdir()
        for file, content in files.items():
            (folder / name / f"{file}.yaml").write_text(content)
    (folder / "cluster.yaml").write_text(text)


class Cluster:
    """One that is played by bots, or by stand-ins."""

    def __init__(self, bench, folder, text):
        self.bin = bench.bin
        self.folder = pathlib.Path(folder)
        self.run_dir = self.folder / "run"
        write_config(self.folder, text)

    def stand_in(self, program):
        """Has a program take the place of gateway and zones."""
        folder = self.folder / "bin"
        folder.mkdir()
        for name in ("zonectl", "matchmaker", "persist"):
            shutil.copy(self.bin / name, folder / name)
        for name in ("gateway", "zone"):
            shutil.copy(program, folder / name)
        self.bin = folder

    def zonectl(self, *args, timeout=120):
        command = [self.bin / "zonectl", args[0], "--run-dir", self.run_dir, *args[1:]]
        subprocess.run([str(part) for part in command], check=True, timeout=timeout, stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def up(self):
        self.zonectl("up", "--detach", "--config", self.folder / "cluster.yaml")
        try:
            yield self
        finally:
            self.zonectl("down")

    def sql(self, query):
        uri = (self.run_dir / "persist-0.postgres").read_text().splitlines()[0]
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-c", query, uri], check=True, timeout=120)

    def swarm(self, clients, seconds, *args, rate=20):
        say(f"{clients} clients: swarm {' '.join(map(str, args))} ...")
        command = ["nice", "-n", CLIENTS_NICE, self.bin / "swarm", "--run-dir", self.run_dir, "--clients", clients, "--rate", rate,
                   "--duration", seconds, "--behaviour", "matchmaking", "--json", *args]
        return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@contextlib.contextmanager
def cluster(bench, text):
    with tempfile.TemporaryDirectory(prefix="marchland-bench-") as folder:
        yield Cluster(bench, folder, text)


def wait(what, condition, limit_s=120):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise ValueError(f"waited {limit_s} s in vain: {what}")


# --- from the ticket that completes a match until it is announced


def announced(bench):
    """Matchmaker and persist are real; who asks, and where it is played, are stand-ins: see bench_matches.c."""
    say(f"{QUEUED} tickets queued, 2,000 more a second ...")
    os.environ["BENCH_QUEUED"], os.environ["BENCH_SECONDS"] = str(QUEUED), str(SCENE_S)
    with cluster(bench, ANNOUNCED) as c:
        c.stand_in(bench.programs / "bench_matches")
        with c.up():
            c.sql(f"insert into players (player, name) select n, 'player ' || n from generate_series(1, {SCENE_PLAYERS}) n")
            c.sql("vacuum analyze players")
            c.sql(LOG_SEGMENTS)
            c.sql("checkpoint")  # what was inserted, or copied, is not to be written while it is measured
            os.sync()
            (c.run_dir / "matches.begin").touch()
            file = c.run_dir / "matches.json"
            wait("it is measured", file.exists, 90 + 3 * SCENE_S)
            told = json.loads(file.read_text())
            told["matchmaker"], told["persist"] = metrics(c.run_dir, "matchmaker-0"), metrics(c.run_dir, "persist-0")
    bench.raw["matches_announced"] = told
    first, plain, roles = told["first"], told["plain"], told["roles"]
    say("the host took " + ", ".join(f"{told[s]['stolen_percent']} %" for s in ("first", "plain", "roles")) + " of the cores' time")
    plot_ladders({"others queued in another mode": plain["announced_ms"]["ladder"],
                  "others queued in this mode": roles["announced_ms"]["ladder"],
                  "in this mode, players who were never seen": first["announced_ms"]["ladder"]},
                 10, "From the ticket that completes a match until it is announced", bench.out / "announced.svg")
    yield "ticket that completes a match until announced p99", plain["announced_ms"]["p99"], "ms", 10, True
    yield "the same in the mode that the 100,000 queue for", roles["announced_ms"]["p99"], "ms", 10, True
    yield "the same of players who were never seen", first["announced_ms"]["p99"], "ms", 10, True
    yield "tickets refused meanwhile", first["refused"] + plain["refused"] + roles["refused"], "tickets", 0, True


# --- from the announcement until players have snapshots of the instance


def travels(bench):
    """Bots fight one against one, each match for a few seconds, on a cluster in which all is real."""
    with cluster(bench, PLAYED.format(tick_hz=60, snapshot_hz=20)) as c, c.up():
        report = json.loads(c.swarm(TRAVELLERS, min(bench.seconds, 40), "--mode", "pair").communicate(timeout=300)[0])
    told = report["matches"]
    bench.raw["matches_travels"] = told | {"disconnected": report["disconnected"]}
    plot_ladders({"into an instance": told["travel_ms"]["ladder"]}, 300, f"From announced until there, {told['came']} travels",
                 bench.out / "travels.svg")
    yield "announced until snapshots inside the instance p99", told["travel_ms"]["p99"], "ms", 300, True
    yield "players who came to their instance", told["came"], "", 500, False
    yield "players who did not, or were lost", told["absent"] + told["lost"] + report["disconnected"], "players", 0, True


# --- small instances


def small(bench):
    """So many bots in instances of a few, all in one zone, at 30 ticks a second."""
    players = SMALL_INSTANCES * SMALL_PLAYERS
    with cluster(bench, PLAYED.format(tick_hz=30, snapshot_hz=SMALL_RATE)) as c, c.up():
        swarm = c.swarm(players, 0, "--mode", "cave", rate=SMALL_RATE)
        try:
            zone = lambda: metrics(c.run_dir, "zone-1")
            wait("all play in instances", lambda: zone().get("march_zone_instance_players") == players)
            time.sleep(2)
            before, cpu_s, begun = zone(), cpu_of(c.run_dir, "zone-1"), time.monotonic()
            with world.Watch(c.run_dir) as watch:
                time.sleep(min(bench.seconds, 30))
            after, took_s = zone(), time.monotonic() - begun
            busy_percent = 100 * (cpu_of(c.run_dir, "zone-1") - cpu_s) / took_s
        finally:
            report = world.ended(swarm)
    missed = after["march_zone_ticks_missed_total"] - before["march_zone_ticks_missed_total"]
    for tick in watch.missed:
        say(f"{tick['zone']} missed {tick['ticks']:.0f}: ran {tick['ran_ms']:.0f} ms, waited {tick['waited_ms']:.0f} ms for a core")
    bench.raw["matches_small"] = {"missed": missed, "watch": watch.missed, "longest": watch.longest, "busy_percent": busy_percent,
                                  "took_s": took_s, "before": before, "after": after, "disconnected": report["disconnected"], "continuity": report["continuity"]}
    yield f"instances of {SMALL_PLAYERS} players and {SMALL_CREATURES} creatures in one zone", after["march_zone_instances"], "", 200, False
    yield "creatures in them", after["march_zone_instance_creatures"], "", SMALL_INSTANCES * SMALL_CREATURES, False
    yield "ticks that it missed meanwhile, at 30 Hz", missed, "ticks", 0, True
    yield "of a core that it took", busy_percent, "%", 100, True


def cpu_of(run_dir, name):
    pid = int((run_dir / f"{name}.pid").read_text())
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


PARTS = (announced, travels, small)

# --- plots, by gnuplot


def plot_ladders(ladders, target_ms, title, path):
    """Times over how rare they are."""
    blocks, curves = [], []
    for i, (name, ladder) in enumerate(ladders.items()):
        rows = "\n".join(f"{1 / max(1 - q, 1e-5)} {ms}" for q, ms in ladder)
        blocks.append(f"$ladder{i} << EOD\n{rows}\nEOD")
        curves.append(f'$ladder{i} with lines lw 2 title "{name}"')
    text = "\n".join(blocks)
    gnuplot(f"""
set terminal svg size 900,500 font "sans,12"
set output "{path}"
set title "{title}"
set logscale x; set xlabel "one of so many takes longer"; set ylabel "ms"; set yrange [0:*]; set key left top; set grid
{text}
plot {target_ms} with lines dt 2 title "at most, for one of 100", {", ".join(curves)}
""")


if __name__ == "__main__":
    world.main(PARTS, __doc__, "matches.json")
