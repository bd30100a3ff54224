"""Runs every benchmark, prints a table of figures against their targets, writes JSON and a plot.

Most benchmarks are C programs in this folder, which start the PostgreSQL and Redis that they need. They print one JSON object,
or a line `name value unit` for each figure. Cluster benchmarks start a private cluster in a temporary run directory, load it
with swarm over loopback, and end it; those of gateway and zones alone have no persist. Exit code: 0 when every figure was
measured, 1 when a benchmark failed to run, 3 with --check when a target was missed.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import matches
import world

JOURNAL_ROUNDS = 3
GATEWAY_ROUNDS = 3  # one round is off by up to 10 % either way: the median is the figure
LIVE_CLIENTS = 2000
LIVE_P99_MS = 250

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass
class Figure:
    name: str
    value: float
    unit: str
    target: float
    at_most: bool  # the target is an upper bound

    @property
    def met(self):
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def part(self):
        """How much of the target is used up: 1.0 is exactly the target, less is better."""
        if self.at_most and self.target == 0:
            return 0.0 if self.value <= 0 else float("inf")
        if self.at_most:
            return self.value / self.target
        return self.target / self.value if self.value else float("inf")


class Bench:
    def __init__(self, mode, seconds, out=ROOT / "build" / "bench"):
        self.out = out
        self.out.mkdir(parents=True, exist_ok=True)
        self.bin = ROOT / "build" / mode / "bin"
        self.programs = ROOT / "build" / mode / "bench"
        self.seconds = seconds
        self.raw = {}

    def program(self, name, *args):
        """Runs a C benchmark and returns what it prints. They look for PostgreSQL's template in ROOT/build."""
        say(f"{name} ...")
        command = [self.programs / name, *args]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300, cwd=ROOT).stdout
        self.raw[name] = json.loads(out) if out.startswith("{") else parse_lines(out)
        return self.raw[name]

    @contextlib.contextmanager
    def cluster(self, snapshot_hz, persists=False):
        """A private cluster of one gateway and 2 x 2 zones, and a persist if wished; yields its run directory."""
        with tempfile.TemporaryDirectory(prefix="marchland-bench-") as folder:
            config = pathlib.Path(folder, "cluster.yaml")
            text = (ROOT / "deploy/config/cluster.yaml").read_text()
            text = re.sub(r"snapshot_hz: *\d+", f"snapshot_hz: {snapshot_hz}", text)
            text = re.sub(r"(modes|templates): (modes|instances)\b", rf"\1: {ROOT}/deploy/config/\2", text)
            config.write_text(text if persists else without(text, "persists", "persist"))
            run_dir = os.path.join(folder, "run")
            zonectl = self.bin / "zonectl"
            subprocess.run([zonectl, "up", "--detach", "--config", config, "--run-dir", run_dir], check=True, timeout=60)
            try:
                yield run_dir
            finally:
                subprocess.run([zonectl, "down", "--run-dir", run_dir], check=True, timeout=60)

    def swarm(self, run_dir, clients, rate, behaviour="roam"):
        """Plays `clients` for the configured time; returns swarm's report with the servers' memory and CPU beside it."""
        say(f"{clients} clients at {rate} Hz for {self.seconds} s ...")
        command = [self.bin / "swarm", "--run-dir", run_dir, "--clients", str(clients), "--rate", str(rate)]
        command += ["--duration", str(self.seconds), "--behaviour", behaviour, "--json"]
        pids = server_pids(run_dir)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swarm:
            peak = 0.0
            while swarm.poll() is None:
                peak = max(peak, sum(rss_mb(pid) for pid in pids))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    swarm.wait(0.5)
            report = json.loads(swarm.stdout.read())
        report["servers_rss_mb"] = peak
        report["exit_code"] = swarm.returncode
        report["servers"] = {name: {"cpu_s": cpu_s(pid)} for name, pid in named_pids(run_dir).items()}
        return report

    def played(self, clients, rate):
        """How many of `clients` stayed to the end, provided that 99 % of them had more than 0.95 x rate snapshots/s."""
        with self.cluster(snapshot_hz=rate) as run_dir:
            report = self.swarm(run_dir, clients, rate)
            report["missed_ticks"] = sum(missed_ticks(run_dir).values())
        self.raw[f"swarm_{clients}"] = report
        kept = report["connected"] - report["disconnected"]
        return report, kept if report["snapshot_hz"]["p1"] > 0.95 * rate else 0

    def lived(self, clients, rate):
        """How many of `clients` stayed to the end of a life that lasts; and swarm's report."""
        with self.cluster(snapshot_hz=rate, persists=True) as run_dir:
            report = self.swarm(run_dir, clients, rate, "live")
        self.raw[f"swarm_live_{clients}"] = report
        return report, report["connected"] - report["disconnected"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse_lines(text):
    """The figures of lines `name value unit`."""
    return {name: float(value) for name, value, *_ in (line.split() for line in text.splitlines())}


def without(text, *sections):
    """The text of a YAML file without some of its top-level sections."""
    return re.sub(rf"^({'|'.join(sections)}):.*\n(?:[ #].*\n|\n)*", "", text, flags=re.MULTILINE)


def slowest_p99_ms(report):
    """The 99th percentile of the slowest kind of command, of those that came a hundred times or more."""
    return max(verb["p99"] for verb in report["commands"]["verbs_ms"].values() if verb["count"] >= 100)


def named_pids(run_dir):
    return {p.stem: int(p.read_text()) for p in pathlib.Path(run_dir).glob("*.pid") if re.match(r"(gateway|zone)-", p.name)}


def server_pids(run_dir):
    return list(named_pids(run_dir).values())


def rss_mb(pid):
    with contextlib.suppress(OSError):
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 1e6
    return 0.0


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def metric(run_dir, name, metric_name):
    """The value of an unlabelled metric of a process, from its /metrics page."""
    address = pathlib.Path(run_dir, f"{name}.http").read_text().strip()
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
        for line in page.read().decode().splitlines():
            if line.startswith(metric_name + " "):
                return float(line.split()[1])
    raise KeyError(f"{name} has no metric {metric_name}")


def missed_ticks(run_dir):
    return {n: metric(run_dir, n, "march_zone_ticks_missed_total") for n in named_pids(run_dir) if n.startswith("zone-")}


def cyclictest_p99_us(seconds, interval_us):
    """The 99th percentile of cyclictest's wake-up latency at the tick's interval, ordinary scheduling."""
    out = subprocess.run(
        ["cyclictest", "--quiet", "-t1", f"-i{interval_us}", "-h5000", f"-D{seconds}"], check=True, capture_output=True, text=True
    ).stdout
    counts = [tuple(map(int, line.split())) for line in out.splitlines() if re.fullmatch(r"\d+ \d+", line)]
    left = 0.99 * sum(n for _, n in counts)
    for us, n in counts:
        left -= n
        if left <= 0:
            return us
    raise ValueError("cyclictest printed no histogram")


def jitter(bench, rounds=5, seconds=10):
    """Our pacer and cyclictest, turn by turn, so that both see the machine in the same moods; medians."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(bench.program("bench_pacer", str(seconds))["wakeup_p99_us"])
        theirs.append(cyclictest_p99_us(seconds, 16667))
    bench.raw["jitter"] = {"ours_p99_us": ours, "cyclictest_p99_us": theirs}
    return statistics.median(ours) / max(1, statistics.median(theirs))


def kept_state(bench):
    """The journal and what is behind it; the journal's ratio is of two tails, so the median of some runs. Motion counts with
    the table of players before the journal."""
    journals = [bench.program("bench_journal", "10") for _ in range(JOURNAL_ROUNDS)]
    bench.raw["bench_journal"] = journals
    motion = bench.program("bench_motion")
    yield Figure("motion journaled and durable, on one core", motion["reported_durable_per_s"], "updates/s", 200000, False)
    ratio = statistics.median(j["p99_ratio"] for j in journals)
    yield Figure("append to durable p99 at 200,000/s, against write+fdatasync", ratio, "x", 1.5, True)
    yield Figure("database writes avoided, 10,000 players at 4/s", motion["writes_avoided_percent"], "%", 95, False)
    yield Figure("write-behind flush, against binary COPY", motion["flush_ratio"], "x", 0.5, False)
    yield Figure("recovery of 100,000 players", motion["recovery_s"], "s", 2, True)


def simulation(bench):
    ratios = [bench.program("bench_gateway")["process_ratio"] for _ in range(GATEWAY_ROUNDS)]
    bench.raw["bench_gateway_ratios"] = ratios
    yield Figure("gateway CPU per datagram pair, against the floor", statistics.median(ratios), "x", 1.3, True)
    zone = bench.program("bench_zone")
    yield Figure("zone tick p99, 1,000 players + 1,000 creatures", zone["field"]["tick_ms"]["p99"], "ms", 4, True)
    yield Figure("zone worst tick, 1,000 players in one crowd", zone["crowd"]["wall_max_ms"], "ms", 16.6, True)
    yield Figure("zone worst tick, 200 instances of 5 players at 30 Hz", zone["instances_30"]["wall_max_ms"], "ms", 33.3, True)
    yield Figure("zone tick, what 200 ghosts at its borders cost", zone["ghosts_cost_percent"], "%", 10, True)
    snapshot = bench.program("bench_snapshot")["bandwidth"]
    yield Figure("bytes down, 30 moving in view at 20 Hz", snapshot["wire_bytes_per_second"] / 1000, "KB/s", 2.5, True)
    yield Figure("less than the full state as FlatBuffers tables", snapshot["less_than_tables_percent"], "%", 95, False)
    yield Figure("tick wake-up jitter p99, against cyclictest", jitter(bench), "x", 1.5, True)


def value(bench):
    """What is owned. A cached inventory is asked for beside trades, in the loop, and over HTTP: the slower one counts."""
    value = bench.program("bench_value")
    yield Figure("trades and grants, against pgbench one by one", value["value_commands_ratio"], "x", 5, False)
    yield Figure("guild action p99, its window of 100 ms in it", value["value_guild_p99"], "ms", 120, True)
    inventory_ms = max(value["value_inventory_p99"], bench.program("bench_reads")["reads_inventory_http_p99"] / 1000)
    yield Figure("cached inventory load p99", inventory_ms, "ms", 5, True)


def sessions_and_boards(bench):
    sessions = bench.program("bench_sessions")
    yield Figure("session lookup p99, in Redis beside claims", sessions["lookup_redis_under_claims_p99"] / 1000, "ms", 1, True)
    boards = bench.program("bench_boards")
    rank_us = max(boards["rank_p99"], boards["rank_under_updates_p99"])
    yield Figure("rank on a board of 1,000,000, p99, beside updates", rank_us / 1000, "ms", 1, True)
    yield Figure("board updates, against redis-benchmark ZADD", boards["updates_ratio"], "x", 0.7, False)


def queue(bench):
    figures = bench.program("bench_queue")
    yield Figure("enqueue and cancel, 1,000,000 tickets queued", figures["enqueue_cancel_per_s"], "operations/s", 1000000, False)
    p99_us = max(figures["enqueue_cancel_p99"], figures["enqueue_cancel_stuck_p99"])
    yield Figure("enqueue or cancel, p99, 1,000,000 tickets queued", p99_us, "us", 10, True)
    yield Figure("matches of 10 formed, 1,000,000 tickets queued", figures["match_10_per_s"], "matches/s", 50000, False)
    yield Figure("memory of a queued ticket", figures["ticket_bytes"], "bytes", 256, True)


def crowds(bench):
    report, kept = bench.played(5000, 20)
    yield Figure("clients at 20 Hz, none dropped", kept, "clients", 5000, False)
    yield Figure("memory of gateway and zones at 5,000 clients", report["servers_rss_mb"], "MB", 200, True)
    _, kept = bench.played(10000, 10)
    yield Figure("clients at 10 Hz, none dropped", kept, "clients", 10000, False)


def lives(bench):
    report, kept = bench.lived(LIVE_CLIENTS, 20)
    yield Figure("clients that loot, trade and are in guilds, none dropped", kept, "clients", LIVE_CLIENTS, False)
    yield Figure("their commands' p99, of the slowest kind", slowest_p99_ms(report), "ms", LIVE_P99_MS, True)


def measure(bench):
    """All figures that could be measured, and the names of what failed."""
    figures, failed = [], []
    for part in (simulation, kept_state, value, sessions_and_boards, queue, crowds, lives, *world.PARTS, *matches.PARTS):
        try:
            for figure in part(bench):
                figures.append(figure if isinstance(figure, Figure) else Figure(*figure))
        except (OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            say(f"{part.__name__}: {error!r}")
            failed.append(part.__name__)
    return figures, failed


def table(figures):
    rows = [("figure", "measured", "target", "")]
    for f in figures:
        bound = "at most" if f.at_most else "at least"
        rows.append((f.name, f"{f.value:,.5g} {f.unit}", f"{bound} {f.target:,g} {f.unit}", "met" if f.met else "MISSED"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows)


def plot(figures, path):
    """A bar a figure: the part of the target that is used up; left of the line is met. Drawn by gnuplot."""
    data = "\n".join(f'{i} {min(f.part, 2):.4f} "{f.name}"' for i, f in enumerate(reversed(figures)))
    script = f"""
set terminal svg size 900,{120 + 40 * len(figures)} font "sans,12"
set output "{path}"
set title "Part of the target used (less is better, 1.0 is the target)"
set xrange [0:2]; set yrange [-0.7:{len(figures) - 0.3}]; set style fill solid 0.6; unset key
set arrow from 1,graph 0 to 1,graph 1 nohead lw 2
$data << EOD
{data}
EOD
plot $data using ($2/2):1:($2/2):(0.35):yticlabels(3) with boxxyerror
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", default="release", help="which build to measure (default: release)")
    parser.add_argument("--seconds", type=int, default=60, help="how long the cluster is played (default: 60)")
    parser.add_argument("--out", default=ROOT / "build" / "bench", type=pathlib.Path, help="folder for results.json and results.svg")
    parser.add_argument("--check", action="store_true", help="exit with 3 when a target is missed")
    args = parser.parse_args()

    bench = Bench(args.mode, args.seconds, args.out)
    started = time.time()
    figures, failed = measure(bench)
    result = {"figures": [dataclasses.asdict(f) | {"met": f.met} for f in figures], "failed": failed}
    result |= {"raw": bench.raw, "took_s": time.time() - started}
    (args.out / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(figures, args.out / "results.svg")
    print(table(figures))
    print(f"\nwritten: {args.out}/results.json and results.svg")
    if failed:
        print(f"failed: {', '.join(failed)}")
        return 1
    return 3 if args.check and not all(f.met for f in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
