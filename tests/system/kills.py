#!/usr/bin/python3
"""Bots walk across borders and play matches for minutes while every kind of process is killed, or stopped for a while, in each phase
of handoffs, drains, take-overs and matches; each time every player must exist exactly once afterwards.

    kills.py                        at least 30 kills of each kind and a stop at each step, then a table
    kills.py --kind gateway         of one kind alone
    kills.py --step source.frozen   of one step alone

A process is not hit at any moment: it stops itself at a named step (common/step.h, in test builds), and is then killed there, or
let go on after a while. The schedule is drawn from a seed. After each of them:

- every client that was not on a gateway that was killed is still connected; the others have come back
- every client gets snapshots, which begin with its own player: so each player exists at least once
- the zones together have as many players as there are clients, while all stand still: so each exists exactly once
- the whole world has owners, nothing is being handed over, and there is a spare again

and at the end the books hold, as those of chaos.py; every match is settled, what its result says has been granted once, and whoever
was at the front door finds what was told there (kill_witnesses.py).

Exit status: 0 all held, 1 something did not: it is told with its step, and the run directory is kept.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

from conftest import BIN_DIR, ROOT, exit_on_signals
from kill_stage import CLIENTS
from kill_steps import KINDS, STEPS, has_steps, schedule
from kill_world import World


class Run:
    """A schedule, world after world: one in which something did not hold is left, and its folder kept. So is one that has seen
    `per_world` trials; its books are looked into then."""

    def __init__(self, folder, seed, bin_dir=BIN_DIR, per_world=float("inf")):
        self.folder, self.seed, self.bin_dir, self.per_world = pathlib.Path(folder), seed, bin_dir, per_world
        self.worlds, self.world, self.seen, self.reports, self.findings = 0, None, 0, [], []
        self.trials = []

    def open_world(self):
        if self.world is None:
            self.worlds += 1
            self.seen = 0
            self.world = World(self.folder / str(self.worlds), self.seed + self.worlds, self.bin_dir)
            self.world.start()

    def close_world(self, is_good):
        """Ends a world; one in which all held must have books that hold, too."""
        world, self.world = self.world, None
        if world is None:
            return
        has_held = False
        try:
            if is_good:
                self.reports.append(world.check_end())
                has_held = True
        except (AssertionError, subprocess.SubprocessError) as error:
            self.findings.append(f"{world.folder}: {error}")
        finally:
            world.tear_down()
        if has_held:
            shutil.rmtree(world.folder, ignore_errors=True)

    def run_trial(self, trial):
        try:
            self.open_world()
            self.world.run_trial(trial)
        except (AssertionError, subprocess.SubprocessError, OSError) as error:
            trial.finding = f"{trial} of {trial.victim}: {error}"
            self.findings.append(f"{self.folder / str(self.worlds)}: {trial.finding}")
            if self.world:
                self.world.keep_state()
            self.close_world(False)
        self.trials.append(trial)
        self.seen += 1
        if self.seen >= self.per_world:
            self.close_world(True)

    def run(self, trials, until=float("inf"), tell=lambda *_: None):
        """Runs trials as long as there is time."""
        try:
            for i, trial in enumerate(trials):
                if time.monotonic() >= until:
                    break
                self.run_trial(trial)
                tell(i, trial)
        except BaseException:
            self.close_world(False)
            raise
        self.close_world(True)
        return self

    # --- telling

    def sums(self, chosen):
        """What has happened in some trials."""
        done = [trial for trial in self.trials if chosen(trial)]
        silences = sorted(trial.silence_ms for trial in done) or [0.0]
        return {"kills": sum(not t.for_s for t in done), "stops": sum(bool(t.for_s) for t in done),
                "lost": sum(t.lost for t in done), "doubled": sum(t.doubled for t in done),
                "disconnected": sum(t.harmed for t in done), "disconnected_of_killed_gateways": sum(t.dropped for t in done),
                "failed": sum(bool(t.finding) for t in done), "seconds": round(sum(t.seconds for t in done), 1),
                "silence_ms_p50": silences[len(silences) // 2], "silence_ms_max": silences[-1]}

    def summary(self):
        return {"seed": self.seed, "clients": CLIENTS, "worlds": self.worlds,
                "kinds": {kind: self.sums(lambda t, kind=kind: t.step.kind == kind) for kind in KINDS},
                "steps": [{"kind": step.kind, "step": step.name, "cause": step.cause} |
                          self.sums(lambda t, step=step: t.step == step) for step in STEPS],
                "crossings": sum(report["crossings"] for report in self.reports),
                "crossings_in_trials": sum(trial.crossings for trial in self.trials),
                "interruptions_in_trials": sum(trial.interruptions for trial in self.trials),
                "commands": sum(report["commands"] for report in self.reports),
                "matches": sum(report["matches"] for report in self.reports), "findings": self.findings}

    def table(self):
        columns = {"kills": 5, "stops": 5, "lost": 5, "doubled": 7, "disconnected": 12, "of killed gateways": 18,
                   "max silence ms": 14}
        keys = ("kills", "stops", "lost", "doubled", "disconnected", "disconnected_of_killed_gateways", "silence_ms_max")
        summary = self.summary()

        def row(kind, what, cells):
            return f"{kind:10}  {what:30}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, columns.values()))

        lines = [row("kind", "step", columns)]
        for kind in KINDS:
            done = [(f"{sums['step']} ({sums['cause']})", sums) for sums in summary["steps"]
                    if sums["kind"] == kind and sums["kills"] + sums["stops"] > 0]
            for what, sums in done + [("all", summary["kinds"][kind])]:
                lines.append(row(kind, what, [round(sums[key]) for key in keys]))
        books = "the books hold" if self.reports and not self.findings else "see below"
        lines.append(f"{summary['crossings']} crossings of commuters; {summary['interruptions_in_trials']} interruptions of over "
                     f"100 ms from a hit until all was in order again; {summary['commands']} commands done, {summary['matches']} matches played: {books}")
        return "\n".join(lines + self.findings)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, metavar="N", help="of each kind at least [30]")
    parser.add_argument("--stops", type=int, default=10, metavar="N", help="of each kind at least [10]")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the schedule [1]")
    parser.add_argument("--kind", choices=KINDS, help="this kind alone")
    parser.add_argument("--step", metavar="NAME", help="this step alone")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="N", help="end after so many, whatever is left")
    parser.add_argument("--per-world", type=float, default=float("inf"), metavar="N", help="a new world after so many kills and stops")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/kills", help="for run directories [build/kills]")
    parser.add_argument("--json", action="store_true", help="print an object in place of the table")
    options = parser.parse_args()
    exit_on_signals()
    if not has_steps(BIN_DIR):
        parser.error(f"the programs in {BIN_DIR} were built without steps: build with MODE=test, and tell where by MARCH_BIN_DIR")
    steps = [step for step in STEPS if options.kind in (None, step.kind) and options.step in (None, step.name)]
    shutil.rmtree(options.folder, ignore_errors=True)
    begun = time.monotonic()
    trials = schedule(options.seed, options.kills, options.stops, steps)

    def tell(i, trial):
        print(f"{time.monotonic() - begun:6.0f} s  {i + 1} of {len(trials)}  {trial}  {trial.victim}  {trial.seconds:.1f} s"
              f"  {trial.finding or 'held'}", file=sys.stderr, flush=True)

    run = Run(options.folder, options.seed, per_world=options.per_world).run(trials, begun + 60 * options.minutes, tell)
    print(json.dumps(run.summary(), indent=2) if options.json else run.table())
    if not run.findings:
        shutil.rmtree(options.folder, ignore_errors=True)
    return 1 if run.findings else 0


if __name__ == "__main__":
    sys.exit(main())
