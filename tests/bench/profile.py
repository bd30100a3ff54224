"""Profiles a private cluster under load: where its processes spend their CPU, or what memory they hold.

  profile.py cpu   perf record on the gateway and one zone, then the hottest functions of each
  profile.py mem   resident memory of every process, idle and under load, and what a client costs
"""

import argparse
import contextlib
import pathlib
import subprocess
import sys

from bench import Bench, ROOT, named_pids, rss_mb, say


def profile_cpu(bench, clients, rate, out):
    with bench.cluster(snapshot_hz=rate) as run_dir, load(bench, run_dir, clients, rate):
        pids = named_pids(run_dir)
        recorders = {
            name: subprocess.Popen(
                ["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-g", "-p", str(pids[name]), "-o", out / f"{name}.perf"]
                + ["--", "sleep", str(bench.seconds)]
            )
            for name in ("gateway-0", "zone-0")
        }
        for recorder in recorders.values():
            recorder.wait()
    for name in recorders:
        print(f"\n== {name}: self time, per cent")
        report = ["perf", "report", "-q", "--no-children", "-g", "none", "--percent-limit", "0.7", "-i", out / f"{name}.perf"]
        print(subprocess.run(report, check=True, capture_output=True, text=True).stdout.rstrip())
    print(f"\nopen with: perf report -i {out}/gateway-0.perf")


def profile_mem(bench, clients, rate, _out):
    with bench.cluster(snapshot_hz=rate) as run_dir:
        pids = named_pids(run_dir)
        idle = {name: rss_mb(pid) for name, pid in pids.items()}
        with load(bench, run_dir, clients, rate) as swarm:
            swarm.wait(bench.seconds + 60)
            loaded = {name: rss_mb(pid) for name, pid in pids.items()}
    print(f"{'process':12}{'idle MB':>10}{'loaded MB':>12}")
    for name in pids:
        print(f"{name:12}{idle[name]:10.1f}{loaded[name]:12.1f}")
    grown = sum(loaded.values()) - sum(idle.values())
    print(f"{'all':12}{sum(idle.values()):10.1f}{sum(loaded.values()):12.1f}   {grown * 1000 / clients:.1f} KB a client")


@contextlib.contextmanager
def load(bench, run_dir, clients, rate):
    command = [bench.bin / "swarm", "--run-dir", run_dir, "--clients", str(clients), "--rate", str(rate)]
    swarm = subprocess.Popen(command + ["--duration", str(bench.seconds + 5)], stdout=subprocess.DEVNULL)
    try:
        yield swarm
    finally:
        swarm.terminate()
        swarm.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("cpu", "mem"))
    parser.add_argument("--mode", default="dev", help="which build to profile (default: dev, which has frame pointers)")
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=15)
    args = parser.parse_args()
    out = pathlib.Path(ROOT, "build", "profile")
    out.mkdir(parents=True, exist_ok=True)
    say(f"{args.clients} clients at {args.rate} Hz for {args.seconds} s")
    {"cpu": profile_cpu, "mem": profile_mem}[args.what](Bench(args.mode, args.seconds), args.clients, args.rate, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
