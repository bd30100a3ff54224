"""Plays a short load on the instrumented release build, so that the next build can be guided by what was recorded."""

import argparse
import sys

from bench import Bench, say


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    args = parser.parse_args()
    bench = Bench("release", args.seconds)
    with bench.cluster(snapshot_hz=20, persists=True) as run_dir:
        report = bench.swarm(run_dir, args.clients, 20, "live")
    say(f"recorded {report['connected']} clients")
    return 0 if report["connected"] == args.clients else 1


if __name__ == "__main__":
    sys.exit(main())
