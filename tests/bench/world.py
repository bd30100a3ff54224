"""The benchmarks of a world without seams: borders, also with faults, a drain, a kill and a split, each on a cluster of its own.

A part is a generator of rows (name, value, unit, target, at most), for bench.py's table. It leaves what it measured in bench.raw
and plots in bench.out. Alone: world.py [--mode release] [--out DIR] borders faults handoffs drain kill split.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

INTERVAL_MS = 50  # of snapshots, at 20 a second
CLOCK_MS = 2  # swarm takes what has come once a millisecond, and a zone's tick begins within one
CROSSINGS = 100000
CROSSINGS_SHORT = 10000  # where the cluster is played for less than a minute
BORDER_BOTS = 1000
BORDER_CAP_S = 900
# It is handoffs that are to be measured, and not how many players the machine has room for: 2,500 that turn close behind the
# border, each crossing about every one and a half seconds, are as many handoffs as 4,000 that don't. With those all cores are busy,
# and a tick is missed now and then because its thread gets none.
HANDOFF_BOTS = 2500
HANDOFF_NICE = 10  # of the swarm: clients have machines of their own, and do not take a zone's core from it
HANDOFF_ZONES_M = (64, 8192)  # so that they see some forty others, and not all
ZONE_BOTS = 1000
SPLIT_BOTS = 2000
EVERY_MS = 50
BEFORE_S = 5  # that a timeline shows of the time before
AFTER_S = 10
CALM_MS = 2.5 * INTERVAL_MS  # nobody waits longer when all is well: an interval, and a loss
CROSSING_S = 20
FAULT_EVERY_S = 4
WATCH_MS = 5
WATCH_TICK_MS = 33  # a tick is missed when the one before it takes, or begins late by, so long in all
WATCH_ASK_S = 0.5
WATCH_LOOKS = 200  # so far back is looked for the reason
SETTLE_S = 10  # within which nobody is between two zones any more

WORLD = """cluster:
  name: bench
  protocol_id: 77
matchmaker:
  name: matchmaker-0
gateways:
  - name: gateway-0
    listen: ["127.0.0.1:0"]
zones:
{zones}persists:
  - name: persist-0
world:
  tick_hz: 60
  snapshot_hz: {snapshot_hz}
  view_radius_m: 40
  view_max: 256
"""


def zones_text(columns, rows, spares, size_m=(512, 512)):
    """So many zones of that width and height in a rectangle from (0, 0) on, then spares."""
    width_m, height_m = size_m
    lines = []
    for i in range(columns * rows):
        x_m, y_m = i % columns * width_m, i // columns * height_m
        lines.append(f"  - name: zone-{i}\n    rect: {{x_m: {x_m}, y_m: {y_m}, width_m: {width_m}, height_m: {height_m}}}\n")
    return "".join(lines) + "".join(f"  - name: zone-{columns * rows + i}\n" for i in range(spares))


def say(text):
    print(text, file=sys.stderr, flush=True)


def named_pids(run_dir):
    return {p.stem: int(p.read_text()) for p in pathlib.Path(run_dir).glob("*.pid") if p.name.startswith("zone-")}


def metrics(run_dir, name):
    """All metrics of a process, labels and all; {} while it can't be asked."""
    try:
        address = pathlib.Path(run_dir, f"{name}.http").read_text().strip()
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=2) as page:
            lines = page.read().decode().splitlines()
    except (OSError, urllib.error.URLError):
        return {}
    return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}


def missed_ticks(run_dir):
    return {name: metrics(run_dir, name).get("march_zone_ticks_missed_total", 0) for name in named_pids(run_dir)}


def missed_since(run_dir, before):
    """The most ticks that a zone which ran before and runs still has missed since."""
    after = missed_ticks(run_dir)
    return max((after[name] - count for name, count in before.items() if name in after), default=0)


class Sampler:
    """Asks zones and the matchmaker again and again, in a thread, for what becomes a timeline."""

    def __init__(self, run_dir, every_s=0.1):
        self.run_dir = run_dir
        self.every_s = every_s
        self.samples = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    def sample(self):
        while not self.stopped.is_set():
            begun = time.time()
            players = {name: metrics(self.run_dir, name).get("march_zone_players") for name in named_pids(self.run_dir)}
            deaths = metrics(self.run_dir, "matchmaker-0").get('march_matchmaker_deaths_total{role="zone"}')
            self.samples.append({"wall_ms": begun * 1000, "players": players, "deaths": deaths})
            self.stopped.wait(max(0, self.every_s - (time.time() - begun)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


class Watch:
    """Looks at the threads that zones tick on, in a thread, to tell why a tick was missed: of how long the thread ran and how long
    it could have run and had no core, the kernel keeps account."""

    def __init__(self, run_dir):
        self.zones = named_pids(run_dir)
        self.run_dir = run_dir
        self.longest = {name: {"ran_ms": 0.0, "waited_ms": 0.0} for name in self.zones}
        self.missed = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def times_ms(self):
        """Of each zone's thread: (until when, ran, waited)."""
        texts = {name: pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split() for name, pid in self.zones.items()}
        now_ms = time.monotonic() * 1000
        return {name: (now_ms, int(ran) / 1e6, int(waited) / 1e6) for name, (ran, waited, _) in texts.items()}

    def look(self):
        looks = {name: collections.deque(maxlen=WATCH_LOOKS) for name in self.zones}
        missed, asked = missed_ticks(self.run_dir), time.monotonic()
        while not self.stopped.wait(WATCH_MS / 1000):
            for name, times in self.times_ms().items():
                looks[name].append(times)
            if time.monotonic() - asked < WATCH_ASK_S:
                continue
            now = missed_ticks(self.run_dir)
            for name, count in now.items():
                worst = worst_of(looks[name])
                self.longest[name] = {key: max(value, self.longest[name][key]) for key, value in worst.items()}
                if count > missed[name]:
                    self.missed.append({"zone": name, "ticks": count - missed[name]} | worst)
            missed, asked = now, time.monotonic()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def worst_of(looks):
    """The most that a thread ran, and waited for a core, within any WATCH_TICK_MS or a look more."""
    worst = {"ran_ms": 0.0, "waited_ms": 0.0}
    looks, first = list(looks), 0
    for last, (until_ms, ran_ms, waited_ms) in enumerate(looks):
        while first < last and until_ms - looks[first + 1][0] >= WATCH_TICK_MS:
            first += 1
        worst["ran_ms"] = max(worst["ran_ms"], ran_ms - looks[first][1])
        worst["waited_ms"] = max(worst["waited_ms"], waited_ms - looks[first][2])
    return worst


class Cluster:
    """A world of its own, played by a swarm."""

    def __init__(self, bench, folder, zones, snapshot_hz=20):
        self.bench = bench
        self.folder = pathlib.Path(folder)
        self.run_dir = self.folder / "run"
        self.timeline_path = self.folder / "timeline"
        config = self.folder / "cluster.yaml"
        config.write_text(WORLD.format(zones=zones, snapshot_hz=snapshot_hz))
        self.zonectl("up", "--detach", "--config", config, timeout=120)

    def zonectl(self, *args, timeout=60):
        command = [self.bench.bin / "zonectl", args[0], "--run-dir", self.run_dir, *args[1:]]
        return subprocess.run([str(part) for part in command], check=True, timeout=timeout, stdout=subprocess.PIPE, text=True).stdout

    def swarm(self, clients, *args, rate=20, nice=0):
        say(f"{clients} clients: swarm {' '.join(map(str, args))} ...")
        command = ["nice", "-n", nice, self.bench.bin / "swarm", "--run-dir", self.run_dir, "--clients", clients, "--rate", rate,
                   "--json", "--behaviour", "commute", "--timeline", self.timeline_path, "--every", EVERY_MS, *args]
        return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def timeline(self):
        """The lines so far; a last one that is cut is left out."""
        text = self.timeline_path.read_text() if self.timeline_path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait(self, what, condition, limit_s=120):
        """Polls the timeline until its newest line is as wished; returns that line."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            lines = self.timeline()
            if lines and condition(lines[-1]):
                return lines[-1]
            time.sleep(EVERY_MS / 1000)
        raise ValueError(f"waited {limit_s} s in vain: {what}")

    def all_play(self, clients):
        self.wait("all play", lambda line: line["playing"] == clients and line["silence_ms"]["max"] < CALM_MS)


@contextlib.contextmanager
def cluster(bench, zones, snapshot_hz=20):
    with tempfile.TemporaryDirectory(prefix="marchland-bench-") as folder:
        world = Cluster(bench, folder, zones, snapshot_hz)
        try:
            yield world
        finally:
            world.zonectl("down")


def ended(swarm):
    """Ends a swarm that plays for as long as it is let, and returns its report."""
    swarm.send_signal(signal.SIGINT)
    return json.loads(swarm.communicate(timeout=120)[0])


# --- borders


def borders(bench):
    """Commuters between four zones until so many borders have been crossed."""
    crossings = CROSSINGS if bench.seconds >= 60 else CROSSINGS_SHORT
    with cluster(bench, zones_text(2, 2, 0)) as world:
        swarm = world.swarm(BORDER_BOTS, "--borders", "x=512,y=512", "--crossings", crossings, "--duration", BORDER_CAP_S)
        world.all_play(BORDER_BOTS)
        before = missed_ticks(world.run_dir)
        report = json.loads(swarm.communicate(timeout=BORDER_CAP_S + 300)[0])
        missed = missed_since(world.run_dir, before)
    told = report["continuity"]
    bench.raw["borders"] = told | {"missed_ticks": missed, "disconnected": report["disconnected"]}
    plot_ladder(told, bench.out / "borders.svg")
    gap = told["crossing_gap_ms"]
    yield "border crossings", told["crossings"], "crossings", crossings, False
    yield "gap at a crossing p99, interval of 50 ms", gap["p99"], "ms", INTERVAL_MS + CLOCK_MS, True
    yield "gap at a crossing p99.9", gap["p999"], "ms", 2 * INTERVAL_MS + CLOCK_MS, True
    yield "clients dropped by them", report["disconnected"], "clients", 0, True
    yield "entities at the edge of view that blink", told["blinks"] / told["crossings"], "/crossing", 0.02, True


def strike(world, draw):
    """Kills or stops one process for a moment; returns what was done."""
    name = draw.choice([*named_pids(world.run_dir), "matchmaker-0", "persist-0"])
    pid = int((world.run_dir / f"{name}.pid").read_text())
    kill = draw.random() < 0.5
    try:
        os.kill(pid, signal.SIGKILL if kill else signal.SIGSTOP)
        if not kill:
            time.sleep(draw.uniform(0.1, 2))
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return None  # it was just restarting
    return ("killed" if kill else "stopped", name)


def in_zones(world):
    return sum(metrics(world.run_dir, name).get("march_zone_players", float("nan")) for name in named_pids(world.run_dir))


def faults(bench):
    """The same while processes are killed and stopped. Whoever plays is in some zone; as many in zones: nobody is there twice."""
    crossings = CROSSINGS if bench.seconds >= 60 else CROSSINGS_SHORT
    draw = random.Random(1)
    done = collections.Counter()
    with cluster(bench, zones_text(2, 2, 2)) as world:
        swarm = world.swarm(BORDER_BOTS, "--borders", "x=512,y=512", "--duration", BORDER_CAP_S)
        world.all_play(BORDER_BOTS)
        crossed, deadline = 0, time.monotonic() + BORDER_CAP_S - 60
        while crossed < crossings and time.monotonic() < deadline:
            time.sleep(FAULT_EVERY_S)
            what = strike(world, draw)
            done[what and what[0]] += 1
            crossed = sum(line["crossing_ms"]["count"] for line in world.timeline())
        world.all_play(BORDER_BOTS)
        swarm.send_signal(signal.SIGSTOP)  # without inputs all stand still
        deadline = time.monotonic() + SETTLE_S
        while in_zones(world) != BORDER_BOTS and time.monotonic() < deadline:
            time.sleep(0.1)
        there = in_zones(world)
        swarm.send_signal(signal.SIGCONT)
        report = ended(swarm)
    told = report["continuity"]
    bench.raw["faults"] = told | {"disconnected": report["disconnected"], "there": there, "done": dict(done)}
    yield f"border crossings, {done['killed']} processes killed, {done['stopped']} stopped", told["crossings"], "", crossings, False
    yield "players lost, doubled or dropped meanwhile", abs(there - BORDER_BOTS) + report["disconnected"], "players", 0, True


def handoffs(bench):
    """As many as can be between two zones, over one border."""
    with cluster(bench, zones_text(2, 1, 0, HANDOFF_ZONES_M), snapshot_hz=10) as world:
        swarm = world.swarm(HANDOFF_BOTS, "--borders", f"x={HANDOFF_ZONES_M[0]}", "--close", "--duration", BORDER_CAP_S, rate=10,
                            nice=HANDOFF_NICE)
        world.wait("all play", lambda line: line["playing"] == HANDOFF_BOTS)
        time.sleep(CROSSING_S)  # until those that began far from the border have come to it
        before, begun = missed_ticks(world.run_dir), time.time()
        with Watch(world.run_dir) as watch:
            time.sleep(bench.seconds)
        missed, took_s = missed_since(world.run_dir, before), time.time() - begun
        lines = [line for line in world.timeline() if begun * 1000 <= line["wall_ms"] <= (begun + took_s) * 1000]
        report = ended(swarm)
    per_s = sum(line["crossing_ms"]["count"] for line in lines) / took_s
    for tick in watch.missed:
        say(f"{tick['zone']} missed {tick['ticks']:.0f}: ran {tick['ran_ms']:.0f} ms, waited {tick['waited_ms']:.0f} ms for a core")
    bench.raw["handoffs"] = {"per_s": per_s, "missed_ticks": missed, "missed": watch.missed, "longest": watch.longest,
                             "continuity": report["continuity"]}
    yield "handoffs between two zones", per_s, "/s", 1000, False
    yield "ticks that the busier of them missed meanwhile", missed, "ticks", 0, True


# --- what happens to one zone


@contextlib.contextmanager
def crowded_zone(bench, clients):
    """One zone with so many players, and two spares; yields the cluster, its swarm and a sampler."""
    with cluster(bench, zones_text(1, 1, 2)) as world:
        swarm = world.swarm(clients, "--duration", BORDER_CAP_S)
        try:
            world.all_play(clients)
            with Sampler(world.run_dir) as sampler:
                time.sleep(BEFORE_S)
                yield world, swarm, sampler
        finally:
            if swarm.poll() is None:
                swarm.kill()
                swarm.wait()


def owner(world):
    """The zone that has the players."""
    return max(named_pids(world.run_dir), key=lambda name: metrics(world.run_dir, name).get("march_zone_players", 0))


def between(lines, begin_s, end_s):
    return [line for line in lines if begin_s * 1000 <= line["wall_ms"] <= end_s * 1000]


def quantile_of_worst(lines):
    """The 99th percentile of gaps over the lines: that of the worst line weighs as its gaps do."""
    gaps = sorted((line["gap_ms"]["p99"], line["gap_ms"]["count"]) for line in lines if line["gap_ms"]["count"])
    left = 0.99 * sum(count for _, count in gaps)
    for p99, count in gaps:
        left -= count
        if left <= 0:
            return p99
    return 0.0


def keep(bench, name, report, lines, sampler, begun, title, **figures):
    """Keeps a timeline in raw and draws it, from BEFORE_S before what happened on."""
    lines = between(lines, begun - BEFORE_S, begun + AFTER_S + 60)
    bench.raw[name] = figures | {"report": report["continuity"], "disconnected": report["disconnected"], "timeline": lines,
                                 "players": sampler.samples}
    plot_timeline(lines, sampler.samples, begun, title, bench.out / f"{name}.svg")


def drain(bench):
    """A live zone is moved to a spare."""
    with crowded_zone(bench, ZONE_BOTS) as (world, swarm, sampler):
        name, begun = owner(world), time.time()
        world.zonectl("drain", name, "--wait", timeout=120)
        took_s = time.time() - begun
        time.sleep(AFTER_S)
        left = metrics(world.run_dir, name).get("march_zone_players", 0)
        lines, report = world.timeline(), ended(swarm)
    p99 = quantile_of_worst(between(lines, begun, begun + took_s + 0.5))
    keep(bench, "drain", report, lines, sampler, begun, f"zonectl drain, {ZONE_BOTS} players", took_s=took_s, gap_p99_ms=p99, left=left)
    yield f"drain of a zone with {ZONE_BOTS:,} players", took_s, "s", 3, True
    yield "gap p99 where its clients change zones", report["continuity"]["crossing_gap_ms"]["p99"], "ms", INTERVAL_MS, True
    yield "clients dropped by it, or left behind", report["disconnected"] + left, "clients", 0, True


def kill(bench):
    """A zone is killed, and a spare takes its place."""
    with crowded_zone(bench, ZONE_BOTS) as (world, swarm, sampler):
        name, deaths = owner(world), metrics(world.run_dir, "matchmaker-0")['march_matchmaker_deaths_total{role="zone"}']
        begun = time.time()
        os.kill(named_pids(world.run_dir)[name], signal.SIGKILL)
        detected_s = None
        while detected_s is None and time.time() < begun + 30:
            told = metrics(world.run_dir, "matchmaker-0").get('march_matchmaker_deaths_total{role="zone"}', 0)
            detected_s = time.time() - begun if told > deaths else None
            time.sleep(0.01)
        time.sleep(AFTER_S)
        lines, report = world.timeline(), ended(swarm)
    if detected_s is None:
        raise ValueError("nobody noticed that the zone was killed")
    after = between(lines, begun + 2 * CALM_MS / 1000, begun + AFTER_S + 30)
    resumed = next((line["wall_ms"] / 1000 - begun for line in after if line["silence_ms"]["max"] < CALM_MS), float("inf"))
    keep(bench, "kill", report, lines, sampler, begun, f"kill -9 of a zone, {ZONE_BOTS} players", detected_s=detected_s, resumed_s=resumed)
    yield "kill -9 of a zone: until it is noticed", detected_s, "s", 0.5, True
    yield f"from then on until all of {ZONE_BOTS:,} clients have snapshots again", resumed - detected_s, "s", 1, True
    yield "clients disconnected by it", report["disconnected"], "clients", 0, True


def split(bench):
    """A zone is divided, and a spare gets half of it."""
    with crowded_zone(bench, SPLIT_BOTS) as (world, swarm, sampler):
        name, before, begun = owner(world), missed_ticks(world.run_dir), time.time()
        world.zonectl("zone", "split", name)
        done = lambda: metrics(world.run_dir, "matchmaker-0").get("march_matchmaker_partitions_handing_over") == 0
        while not done() and time.time() < begun + 60:
            time.sleep(0.05)
        took_s = time.time() - begun
        time.sleep(AFTER_S)
        missed = missed_since(world.run_dir, before)
        lines, report = world.timeline(), ended(swarm)
    p99 = quantile_of_worst(between(lines, begun, begun + took_s + 0.5))
    keep(bench, "split", report, lines, sampler, begun, f"zonectl zone split, {SPLIT_BOTS} players", took_s=took_s, gap_p99_ms=p99,
         missed_ticks=missed)
    yield f"split of a zone with {SPLIT_BOTS:,} players: clients disconnected", report["disconnected"], "clients", 0, True
    yield "ticks missed by it", missed, "ticks", 2, True


PARTS = (borders, faults, handoffs, drain, kill, split)

# --- plots, by gnuplot


def gnuplot(script):
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def plot_ladder(told, path):
    """Gaps at crossings and anywhere, over how rare they are."""

    def data(name):
        rows = (f"{1 / max(1 - q, 1e-6)} {ms}" for q, ms in told[name]["ladder"])
        return f"${name} << EOD\n" + "\n".join(rows) + "\nEOD\n"

    gnuplot(f"""
set terminal svg size 900,500 font "sans,12"
set output "{path}"
set title "Time between two snapshots, {told['crossings']} crossings"
set logscale x; set xlabel "one of so many is longer"; set ylabel "ms"; set yrange [0:*]; set key left top; set grid
{data('crossing_gap_ms')}{data('gap_ms')}
plot {INTERVAL_MS} with lines dt 2 title "one interval", {2 * INTERVAL_MS} with lines dt 2 title "two", \\
  $crossing_gap_ms with linespoints lw 2 title "at a crossing", $gap_ms with linespoints title "anywhere"
""")


def plot_timeline(lines, samples, begun, title, path):
    """What clients waited for snapshots, above the players that each zone says it has."""
    gaps = (line["gap_ms"]["p99"] if line["gap_ms"]["count"] else "?" for line in lines)
    waits = "\n".join(f"{line['wall_ms'] / 1000 - begun:.3f} {gap} {line['silence_ms']['max']}" for line, gap in zip(lines, gaps))
    names = sorted({name for sample in samples for name in sample["players"]})
    rows = ((s["wall_ms"] / 1000 - begun, *("?" if s["players"].get(n) is None else s["players"][n] for n in names)) for s in samples)
    players = "\n".join(" ".join(map(str, row)) for row in rows)
    curves = ", ".join(f'$players using 1:{i + 2} with steps lw 2 title "{name}"' for i, name in enumerate(names))
    gnuplot(f"""
set terminal svg size 900,700 font "sans,12"
set output "{path}"
set datafile missing "?"
$waits << EOD
{waits}
EOD
$players << EOD
{players}
EOD
set multiplot layout 2,1 title "{title}"
set xrange [{-BEFORE_S}:{AFTER_S}]; set yrange [0:*]; set grid; set key left top
set ylabel "ms"
plot $waits using 1:2 with lines lw 2 title "gap p99", $waits using 1:3 with lines title "longest wait"
set ylabel "players"; set xlabel "s since it began"
plot {curves}
unset multiplot
""")


def main(parts, about, kept):
    """Runs the parts of a file that are named, or all; what they measured is kept in the folder of results."""
    from bench import ROOT, Bench, Figure, table  # noqa: PLC0415: bench imports this module

    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--mode", default="release")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--out", default=ROOT / "build" / "bench", type=pathlib.Path)
    parser.add_argument("parts", nargs="*", default=[part.__name__ for part in parts])
    args = parser.parse_args()
    bench = Bench(args.mode, args.seconds, args.out)
    figures = [Figure(*row) for part in parts if part.__name__ in args.parts for row in part(bench)]
    (args.out / kept).write_text(json.dumps(bench.raw, indent=1) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main(PARTS, __doc__, "world.json")
